/* A string that holds JSON. raw: 'J', then the string as it stands. */
#include "record/text.h"
#include "store/valkey/form_parts.h"

static bool json_put(struct slice text, struct arena *mem, struct slice *ret)
{
    uint8_t *raw = arena_alloc(mem, 1 + text.len);
    if (!raw)
        return false;
    raw[0] = FORM_RAW_JSON;
    if (text.len)
        memcpy(raw + 1, text.data, text.len);
    *ret = slice_of(raw, 1 + text.len);
    return true;
}

static bool json_image(const struct reply *replies, struct slice key, struct form_work *work, struct arena *mem,
                       struct record *ret, GError **error)
{
    const struct reply *probe = &replies[0];
    struct record image;
    bool more;
    if (!form_image_begin(replies, key, "what stands there is no string", &image, &more, error))
        return false;
    if (more) {
        if (probe->type != REPLY_BYTES)
            return form_strange_reply(key, probe, error);
        if (!json_put(probe->bytes, mem, &image.raw))
            return form_too_big(key, error);
        form_etag_begin(work, 'G', replies[1].integer);
        form_etag_string(work, probe->bytes);
        form_etag_end(work, &image.etag);
        image.presence = RECORD_PRESENT;
    }
    *ret = image;
    return true;
}

static bool json_text(struct slice raw, struct slice *ret, GError **error)
{
    if (raw.len == 0 || raw.data[0] != FORM_RAW_JSON)
        return error_set(error, SLUICE_ERROR_BAD_RECORD, "these are not the bytes of a JSON string");
    *ret = slice_of(raw.data + 1, raw.len - 1);
    return true;
}

static bool json_write_args(struct slice raw, struct arena *mem, GArray *into, GError **error)
{
    static const struct slice SET[] = {{(const uint8_t *)"SET", 3}, {(const uint8_t *)"1", 1}};
    struct slice text;
    if (!json_text(raw, &text, error))
        return false;
    g_array_append_vals(into, SET, G_N_ELEMENTS(SET));
    g_array_append_val(into, text);
    return true;
}

static bool json_decode(const struct dataset *ds, struct slice raw, struct arena *mem, struct slice *ret,
                        GError **error)
{
    struct slice text;
    return json_text(raw, &text, error) && document_from_json(text, mem, ret, NULL, error);
}

static bool json_encode(const struct dataset *ds, struct slice document, struct arena *mem, struct slice *ret,
                        GError **error)
{
    g_autoptr(GString) text = g_string_sized_new(2 * document.len);
    if (!document_to_json(document, text, error))
        return false;
    return json_put(slice_of(text->str, text->len), mem, ret) ||
           error_set(error, SLUICE_ERROR_TOO_BIG, "the record does not fit into the memory of a batch");
}

const struct form form_json = {
    .form = FORM_JSON,
    .name = "json",
    .probe = "GET",
    .image = json_image,
    .write_args = json_write_args,
    .decode = json_decode,
    .encode = json_encode,
};
