/* The report: NDJSON, a line per difference. */
#include <jansson.h>

#include "base/units.h"
#include "verify/index.h"
#include "verify/lines.h"
#include "verify/sealed.h"
#include "verify/verify_parts.h"

json_t *report_key_json(struct slice key)
{
    if (g_utf8_validate((const char *)key.data, (gssize)key.len, NULL))
        return json_stringn((const char *)key.data, key.len);
    g_autofree char *base64 = g_base64_encode(key.data, key.len);
    return json_pack("{s:s}", "base64", base64);
}

/* A document's own JSON text keeps its numbers; jansson's would not. */
void report_put_document(GString *line, const char *name, struct slice document)
{
    g_string_append_printf(line, ",\"%s\":", name);
    if (document.len == 0 || !document_to_json(document, line, NULL))
        g_string_append(line, "null");
}

void report_put_expiry(GString *line, const char *name, int64_t ms)
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

void report_put_json(GString *line, const char *name, json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    g_string_append_printf(line, "\"%s\":%s", name, text ? text : "null");
    free(text);
    json_decref(value);
}

/* What a repair holds the live record against. */
static void put_seen(GString *line, const struct difference *difference)
{
    char digest[DIGEST_TEXT];
    if (difference->saw == SAW_RECORD)
        g_string_append_printf(line, ",\"seen\":\"%s\"", digest_text(difference->seen, digest));
    if (difference->saw == SAW_ABSENT)
        g_string_append(line, ",\"seen\":null");
}

/* How often and how long it was looked at. */
static void put_looks(GString *line, const struct difference *difference)
{
    if (difference->expiry_differs)
        g_string_append(line, ",\"expiry_differs\":true");
    if (difference->looks)
        g_string_append_printf(line, ",\"looks\":%u,\"age_ms\":%" G_GINT64_FORMAT, difference->looks,
                               difference->age_ms);
}

static void put_text(GString *line, const char *name, const char *text)
{
    if (!text)
        return;
    g_string_append_c(line, ',');
    report_put_json(line, name, json_string(text));
}

/* The names of the fields are the caller's. */
static GString *line_of(const struct difference *difference, json_t *fields)
{
    GString *line = g_string_new("{");
    add_differing(fields, difference->wanted, difference->live);
    add_differing(fields, difference->live, difference->wanted);
    report_put_json(line, "key", report_key_json(difference->key));
    if (difference->from.len && !slice_equal(difference->from, difference->key)) {
        g_string_append_c(line, ',');
        report_put_json(line, "from", report_key_json(difference->from));
    }
    g_string_append_printf(line, ",\"kind\":\"%s\"", verify_class_row(difference->class)->word);
    put_seen(line, difference);
    report_put_document(line, "wanted", difference->wanted); /* what stands before it, report_reader takes by itself */
    report_put_document(line, "live", difference->live);
    g_string_append_c(line, ',');
    report_put_json(line, "fields", json_incref(fields));
    report_put_expiry(line, "wanted_expires_at", difference->wanted_expires_at_ms);
    report_put_expiry(line, "live_expires_at", difference->live_expires_at_ms);
    put_looks(line, difference);
    put_text(line, "why", difference->why);
    put_text(line, "judged", difference->theirs);
    put_text(line, "judged_why", difference->theirs_why);
    return g_string_append(line, "}\n");
}

static bool put_line(struct verification *verification, const char *line, size_t len, GError **error)
{
    picture_add_bytes(verification->picture, line);
    return file_append(verification->report, slice_of(line, len), NULL, error);
}

static bool report_open(struct verification *verification, GError **error)
{
    const struct verify_input *input = verification->input;
    g_autofree char *folder = g_path_get_dirname(input->report_path);
    if (verification->report)
        return true;
    if (!file_make_dirs(input->world, folder, error) ||
        !file_open(&verification->report, input->world, input->report_path, FILE_REPLACE, error))
        return false;
    g_autofree char *first = verification->seal->sealed ? report_seal_first(verification->seal) : g_strdup("");
    return put_line(verification, first, strlen(first), error);
}

static GString *line_of_index(const struct spec_expect *of, const struct index_fault *fault)
{
    GString *line = g_string_new("{");
    report_put_json(line, "key", fault->key.len ? report_key_json(fault->key) : json_null());
    g_string_append(line, ",\"kind\":\"" REPORT_RULE "\"");
    put_text(line, "rule", of->name);
    put_text(line, "what", fault->what);
    if (fault->place.len) {
        g_string_append_c(line, ',');
        report_put_json(line, "index", report_key_json(fault->place));
    }
    if (fault->entry.len) {
        g_string_append_c(line, ',');
        report_put_json(line, "entry", report_key_json(fault->entry));
    }
    put_text(line, "why", fault->why);
    return g_string_append(line, ",\"wanted\":null,\"live\":null,\"fields\":[]}\n");
}

bool report_index(struct verification *verification, const struct spec_expect *of, const struct index_fault *fault,
                  GError **error)
{
    g_autoptr(GString) line = line_of_index(of, fault);
    report_seal_line(verification->seal, line);
    auto_hold(&verification->lock);
    picture_add_line(verification->picture);
    return report_open(verification, error) && put_line(verification, line->str, line->len, error);
}

/* Appends under the lock: lines of several threads do not mix, and differences are few. */
bool report_difference(struct verification *verification, const struct difference *difference, GError **error)
{
    json_t *fields = json_array();
    g_autoptr(GString) line = line_of(difference, fields);
    report_seal_line(verification->seal, line);
    auto_hold(&verification->lock);
    picture_add(verification->picture, difference, fields);
    json_decref(fields);
    return report_open(verification, error) && put_line(verification, line->str, line->len, error);
}
