/* The report: NDJSON, a line per difference. */
#include <jansson.h>

#include "base/units.h"
#include "verify/verify_parts.h"

static json_t *key_json(struct slice key)
{
    if (g_utf8_validate((const char *)key.data, (gssize)key.len, NULL))
        return json_stringn((const char *)key.data, key.len);
    g_autofree char *base64 = g_base64_encode(key.data, key.len);
    return json_pack("{s:s}", "base64", base64);
}

/* A document's own JSON text keeps its numbers; jansson's would not. */
static void put_document(GString *line, const char *name, struct slice document)
{
    g_string_append_printf(line, ",\"%s\":", name);
    if (document.len == 0 || !document_to_json(document, line, NULL))
        g_string_append(line, "null");
}

static void put_expiry(GString *line, const char *name, int64_t ms)
{
    char text[UNITS_TEXT];
    if (ms != EXPIRES_NEVER)
        g_string_append_printf(line, ",\"%s\":\"%s\"", name, units_time(ms, text));
}

static bool same_value(const bson_iter_t *a, struct slice other, const char *name)
{
    bson_t view, left, right;
    bson_iter_t b;
    if (!document_view(other, &view) || !bson_iter_init_find(&b, &view, name))
        return false;
    bson_init(&left);
    bson_init(&right);
    bson_append_iter(&left, "v", 1, a);
    bson_append_iter(&right, "v", 1, &b);
    struct digest one, two;
    bool same = digest_canonical(slice_of(bson_get_data(&left), left.len), 0, &one, NULL) &&
                digest_canonical(slice_of(bson_get_data(&right), right.len), 0, &two, NULL) && digest_equal(one, two);
    bson_destroy(&left);
    bson_destroy(&right);
    return same;
}

static void add_differing(json_t *into, struct slice document, struct slice other)
{
    bson_t view;
    bson_iter_t iter;
    if (document.len == 0 || !document_view(document, &view) || !bson_iter_init(&iter, &view))
        return;
    while (bson_iter_next(&iter)) {
        const char *name = bson_iter_key(&iter);
        bool listed = false;
        for (size_t i = 0; i < json_array_size(into); i++)
            listed |= strcmp(json_string_value(json_array_get(into, i)), name) == 0;
        if (!listed && (other.len == 0 || !same_value(&iter, other, name)))
            json_array_append_new(into, json_string(name));
    }
}

static void put_json(GString *line, const char *name, json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    g_string_append_printf(line, "\"%s\":%s", name, text ? text : "null");
    free(text);
    json_decref(value);
}

static GString *line_of(const struct difference *difference)
{
    GString *line = g_string_new("{");
    json_t *fields = json_array();
    add_differing(fields, difference->wanted, difference->live);
    add_differing(fields, difference->live, difference->wanted);
    put_json(line, "key", key_json(difference->key));
    g_string_append_printf(line, ",\"kind\":\"%s\"", verify_class_row(difference->class)->word);
    put_document(line, "wanted", difference->wanted);
    put_document(line, "live", difference->live);
    g_string_append_c(line, ',');
    put_json(line, "fields", fields);
    put_expiry(line, "wanted_expires_at", difference->wanted_expires_at_ms);
    put_expiry(line, "live_expires_at", difference->live_expires_at_ms);
    if (difference->why) {
        g_string_append_c(line, ',');
        put_json(line, "why", json_string(difference->why));
    }
    return g_string_append(line, "}\n");
}

static bool report_open(struct verification *verification, GError **error)
{
    const struct verify_input *input = verification->input;
    g_autofree char *folder = g_path_get_dirname(input->report_path);
    return verification->report ||
           (file_make_dirs(input->world, folder, error) &&
            file_open(&verification->report, input->world, input->report_path, FILE_REPLACE, error));
}

/* Appends under the lock: lines of several threads do not mix, and differences are few. */
bool report_difference(struct verification *verification, const struct difference *difference, GError **error)
{
    g_autoptr(GString) line = line_of(difference);
    auto_hold(&verification->lock);
    return report_open(verification, error) &&
           file_append(verification->report, slice_of(line->str, line->len), NULL, error);
}
