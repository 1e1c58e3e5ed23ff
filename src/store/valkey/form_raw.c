/* Any type, opaque. raw: 'R', then a value as dump.h has it. The document: {"type": its name, "value": its content}. Of
 * a value that is moved in pieces: 'P' and what pieces.h has; {"type": its name, "pieces": the rest}. */
#include "record/element.h"
#include "store/valkey/dump.h"
#include "store/valkey/form_parts.h"
#include "store/valkey/pieces.h"

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
    bool pieces = pieces_stand_for(raw), opaque = raw.len >= LETTER_ROOM && raw.data[0] == FORM_RAW_OPAQUE;
    const char *name = opaque || pieces ? dump_type_name(raw.data[1]) : NULL;
    struct slice field =
        pieces ? slice_of("\x05pieces", sizeof "\x05pieces") : slice_of("\x05value", sizeof "\x05value");
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
    at = form_put(at, field);
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

struct fields {
    uint8_t letter;
    struct slice content;
    bool pieces;
};

static bool raw_fields(struct slice document, struct arena *mem, struct fields *ret)
{
    struct elements elements;
    struct element element;
    bool there = false;
    *ret = (struct fields){0};
    if (!elements_of(document, &elements))
        return false;
    while (element_next(&elements, &element) == ELEMENT_OK)
        if (slice_equal(element.name, slice_of_text("type")) && element.type == BSON_TYPE_UTF8)
            ret->letter = dump_type_letter(element_string(&element));
        else if (slice_equal(element.name, slice_of_text("value")) ||
                 (ret->pieces = slice_equal(element.name, slice_of_text("pieces"))))
            there = content_of(&element, mem, &ret->content);
        else
            return false;
    return there && ret->letter != 0;
}

static bool check(const struct dataset *ds, struct slice value, bool pieces, GError **error)
{
    if (!pieces)
        return dump_check(value, error);
    return (ds->in_pieces && pieces_stand_for(value)) ||
           error_set(error, SLUICE_ERROR_BAD_RECORD, "what stands for a large value is no copy of it");
}

static bool raw_encode(const struct dataset *ds, struct slice document, struct arena *mem, struct slice *ret,
                       GError **error)
{
    struct fields fields;
    if (!raw_fields(document, mem, &fields))
        return error_set(
            error, SLUICE_ERROR_BAD_RECORD,
            "it is no copy of a record: {\"type\": \"hash\", \"value\": base64}, and nothing else; `as: hash` and "
            "`as: json` write documents");
    uint8_t *raw = arena_alloc(mem, LETTER_ROOM + fields.content.len);
    if (!raw)
        return error_set(error, SLUICE_ERROR_TOO_BIG, "the record does not fit into the memory of a batch");
    raw[0] = fields.pieces ? FORM_RAW_PIECES : FORM_RAW_OPAQUE;
    raw[1] = fields.letter;
    form_put(raw + LETTER_ROOM, fields.content);
    struct slice value = slice_of(raw, LETTER_ROOM + fields.content.len);
    if (!check(ds, value, fields.pieces, error))
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
