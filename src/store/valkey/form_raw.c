/* Any type, opaque. raw: 'R', then a value as dump.h has it. The document: {"type": its name, "value": its content}. */
#include "record/element.h"
#include "store/valkey/dump.h"
#include "store/valkey/form_parts.h"

static bool as_fault(GError *failed, struct arena *mem, struct record *ret)
{
    const char *text = arena_text(mem, slice_of_text(failed->message));
    ret->presence = RECORD_FAULT;
    ret->fault = (struct fault){SLUICE_ERROR_BAD_RECORD, text ? text : "it cannot be read"};
    return true;
}

static bool raw_image(const struct reply *replies, struct slice key, struct form_work *work, struct arena *mem,
                      struct record *ret, GError **error)
{
    const struct reply *probe = &replies[0];
    g_autoptr(GError) failed = NULL;
    struct record image;
    bool more;
    if (!form_image_begin(replies, key, "what stands there cannot be dumped", &image, &more, error))
        return false;
    if (more && probe->type != REPLY_BYTES)
        return form_strange_reply(key, probe, error);
    if (more && dump_read(probe->bytes, mem, &image.raw, &failed)) {
        form_etag_begin(work, 'D', replies[1].integer);
        form_etag_string(work, probe->bytes);
        form_etag_end(work, &image.etag);
        image.presence = RECORD_PRESENT;
    } else if (error_is(failed, SLUICE_ERROR_TOO_BIG))
        return form_too_big(key, error);
    else if (failed)
        as_fault(failed, mem, &image);
    *ret = image;
    return true;
}

static bool raw_write_args(struct slice raw, struct arena *mem, GArray *into, GError **error)
{
    static const struct slice RESTORE[] = {
        {(const uint8_t *)"RESTORE", 7}, {(const uint8_t *)"3", 1}, {(const uint8_t *)"0", 1}};
    static const struct slice REPLACE = {(const uint8_t *)"REPLACE", 7};
    struct slice payload;
    if (!dump_write(raw, mem, &payload, error))
        return false;
    g_array_append_vals(into, RESTORE, G_N_ELEMENTS(RESTORE));
    g_array_append_val(into, payload);
    g_array_append_val(into, REPLACE);
    return true;
}

/* --- documents ---------------------------------------------------------------------------------------------------- */

enum { LETTER_ROOM = 2 };

static bool raw_decode(const struct dataset *ds, struct slice raw, struct arena *mem, struct slice *ret, GError **error)
{
    const char *name = raw.len >= LETTER_ROOM && raw.data[0] == FORM_RAW_OPAQUE ? dump_type_name(raw.data[1]) : NULL;
    size_t len = raw.len + 64;
    if (!name)
        return error_set(error, SLUICE_ERROR_BAD_RECORD, "these are not the bytes of a value");
    if (len > DOCUMENT_BYTES)
        return error_set(error, SLUICE_ERROR_TOO_BIG, "the %s is %zu bytes; at most %u are allowed", name, raw.len,
                         DOCUMENT_BYTES);
    uint8_t *document = arena_alloc(mem, len), *at = document;
    if (!document)
        return error_set(error, SLUICE_ERROR_TOO_BIG, "the record does not fit into the memory of a batch");
    at = form_put(at + 4, slice_of("\x02type", sizeof "\x02type"));
    at = form_put_u32(at, strlen(name) + 1);
    at = form_put(at, slice_of(name, strlen(name) + 1));
    at = form_put(at, slice_of("\x05value", sizeof "\x05value"));
    at = form_put_u32(at, raw.len - LETTER_ROOM);
    *at++ = BSON_SUBTYPE_BINARY;
    at = form_put(at, slice_of(raw.data + LETTER_ROOM, raw.len - LETTER_ROOM));
    *at++ = '\0';
    form_put_u32(document, (size_t)(at - document));
    *ret = slice_of(document, (size_t)(at - document));
    arena_trim(mem, document, len, ret->len);
    return true;
}

/* Of JSON the content is base64. */
static bool content_of(const struct element *value, struct arena *mem, struct slice *ret)
{
    if (value->type == BSON_TYPE_BINARY) {
        *ret = element_binary(value);
        return true;
    }
    if (value->type != BSON_TYPE_UTF8)
        return false;
    struct slice text = element_string(value);
    gint state = 0;
    guint save = 0;
    uint8_t *bytes = arena_alloc(mem, text.len / 4 * 3 + 3);
    if (!bytes || text.len % 4 != 0)
        return false;
    *ret = slice_of(bytes, g_base64_decode_step((const char *)text.data, text.len, bytes, &state, &save));
    return true;
}

static bool raw_fields(struct slice document, struct arena *mem, uint8_t *ret_letter, struct slice *ret_content)
{
    struct elements elements;
    struct element element;
    bool there = false;
    *ret_letter = 0;
    if (!elements_of(document, &elements))
        return false;
    while (element_next(&elements, &element) == ELEMENT_OK)
        if (slice_equal(element.name, slice_of_text("type")) && element.type == BSON_TYPE_UTF8)
            *ret_letter = dump_type_letter(element_string(&element));
        else if (slice_equal(element.name, slice_of_text("value")))
            there = content_of(&element, mem, ret_content);
        else
            return false;
    return there && *ret_letter != 0;
}

static bool raw_encode(const struct dataset *ds, struct slice document, struct arena *mem, struct slice *ret,
                       GError **error)
{
    struct slice content;
    uint8_t letter;
    if (!raw_fields(document, mem, &letter, &content))
        return error_set(
            error, SLUICE_ERROR_BAD_RECORD,
            "it is no copy of a record: {\"type\": \"hash\", \"value\": base64}, and nothing else; `as: hash` and "
            "`as: json` write documents");
    uint8_t *raw = arena_alloc(mem, LETTER_ROOM + content.len);
    if (!raw)
        return error_set(error, SLUICE_ERROR_TOO_BIG, "the record does not fit into the memory of a batch");
    raw[0] = FORM_RAW_OPAQUE;
    raw[1] = letter;
    form_put(raw + LETTER_ROOM, content);
    struct slice value = slice_of(raw, LETTER_ROOM + content.len);
    if (!dump_check(value, error))
        return false;
    *ret = value;
    return true;
}

const struct form form_raw = {
    .form = FORM_RAW,
    .name = "raw",
    .probe = "DUMP",
    .image = raw_image,
    .write_args = raw_write_args,
    .decode = raw_decode,
    .encode = raw_encode,
};
