/* BSON → JSON, straight into the buffer of the GString: room is made for a step's longest outcome, then it is written
 * without further checks. */
#include <math.h>

#include "base/hex.h"
#include "record/datetime.h"
#include "record/decimal.h"
#include "record/decimal_bits.h"
#include "record/document.h"
#include "record/element.h"
#include "record/text.h"

enum { LONGEST_SCALAR = 64 }; /* of numbers, datetimes, uuids, words; quotes included */

struct json_write {
    GString *into;
    size_t depth;
    GError **error;
};

/* Room for `len` more bytes and the NUL; where they go. */
static char *reserve(GString *into, size_t len)
{
    size_t used = into->len;
    if (into->allocated_len - used <= len) {
        g_string_set_size(into, used + len);
        into->len = used;
    }
    return into->str + used;
}

static inline void written_to(GString *into, const char *at)
{
    into->len = (size_t)(at - into->str);
}

static inline void put_byte(GString *into, char byte)
{
    char *at = reserve(into, 1);
    *at++ = byte;
    written_to(into, at);
}

static size_t put_escape(char *at, uint8_t byte)
{
    static const char letters[256] = {
        ['"'] = '"', ['\\'] = '\\', ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
    *at++ = '\\';
    if (letters[byte]) {
        *at = letters[byte];
        return 2;
    }
    memcpy(at, "u00", 3);
    hex_put(&byte, 1, at + 3);
    return 6;
}

static bool put_string(struct json_write *write, struct slice text)
{
    const uint8_t *at = text.data, *end = text.data + text.len;
    put_byte(write->into, '"');
    for (;;) {
        size_t left = (size_t)(end - at);
        uint8_t *into = (uint8_t *)reserve(write->into, left + TEXT_OVERRUN + 8);
        size_t plain = text_copy_plain(at, end, into);
        at += plain;
        into += plain;
        write->into->len += plain;
        if (at == end)
            break;
        size_t taken = *at < 0x80 ? 1 : text_utf8(at, end);
        if (taken == 0)
            return error_set(write->error, SLUICE_ERROR_BAD_RECORD, "a string is not UTF-8 at its byte %zu",
                             (size_t)(at - text.data) + 1);
        if (*at < 0x80)
            write->into->len += put_escape((char *)into, *at);
        else {
            memcpy(into, at, taken);
            write->into->len += taken;
        }
        at += taken;
    }
    put_byte(write->into, '"');
    return true;
}

/* The shortest text that reads back to the same double, told from an integer by its point or exponent. */
static char *put_double(char *at, double value)
{
    if (!isfinite(value))
        return g_stpcpy(at, isnan(value) ? "\"NaN\"" : value < 0 ? "\"-Infinity\"" : "\"Infinity\"");
    decimal_double_text(value, at);
    bool marked = strpbrk(at, ".e") != NULL;
    return g_stpcpy(at + strlen(at), marked ? "" : ".0");
}

static char *put_quoted(char *at, const char *text)
{
    *at++ = '"';
    at = g_stpcpy(at, text);
    *at++ = '"';
    return at;
}

static char *put_integer(char *at, int64_t value)
{
    if (value < 0)
        *at++ = '-';
    return at + decimal_digits_u64(value < 0 ? 0 - (uint64_t)value : (uint64_t)value, at);
}

static char *put_decimal(char *at, const struct element *element)
{
    bson_decimal128_t decimal = element_decimal(element);
    char text[DECIMAL_TEXT];
    decimal_text(&decimal, text);
    return decimal_is_finite(&decimal) ? g_stpcpy(at, text) : put_quoted(at, text);
}

static void put_base64(GString *into, struct slice bytes)
{
    gint state = 0, save = 0;
    char *at = reserve(into, (bytes.len / 3 + 2) * 4 + 2);
    *at++ = '"';
    at += g_base64_encode_step(bytes.data, bytes.len, FALSE, at, &state, &save);
    at += g_base64_encode_close(FALSE, at, &state, &save);
    *at++ = '"';
    written_to(into, at);
}

static bool put_binary(struct json_write *write, const struct element *element)
{
    char text[UUID_TEXT];
    if (element_subtype(element) == BSON_SUBTYPE_UUID)
        written_to(write->into, put_quoted(reserve(write->into, LONGEST_SCALAR), element_uuid_text(element, text)));
    else
        put_base64(write->into, element_binary(element));
    return true;
}

static char *put_scalar(char *at, const struct element *element)
{
    char text[DATETIME_TEXT];
    switch (element->type) {
    case BSON_TYPE_DOUBLE:
        return put_double(at, element_double(element));
    case BSON_TYPE_BOOL:
        return g_stpcpy(at, element->value.data[0] ? "true" : "false");
    case BSON_TYPE_DATE_TIME:
        return put_quoted(at, datetime_text(element_i64(element), text));
    case BSON_TYPE_NULL:
        return g_stpcpy(at, "null");
    case BSON_TYPE_INT32:
        return put_integer(at, element_i32(element));
    case BSON_TYPE_INT64:
        return put_integer(at, element_i64(element));
    case BSON_TYPE_DECIMAL128:
        return put_decimal(at, element);
    default:
        g_assert_not_reached(); /* element_next() gives no other */
    }
}

static bool put_members(struct json_write *write, struct slice document, bool array);

static bool put_value(struct json_write *write, const struct element *element)
{
    switch (element->type) {
    case BSON_TYPE_UTF8:
        return put_string(write, element_string(element));
    case BSON_TYPE_DOCUMENT:
        return put_members(write, element->value, false);
    case BSON_TYPE_ARRAY:
        return put_members(write, element->value, true);
    case BSON_TYPE_BINARY:
        return put_binary(write, element);
    default:
        written_to(write->into, put_scalar(reserve(write->into, LONGEST_SCALAR), element));
        return true;
    }
}

static bool put_members(struct json_write *write, struct slice document, bool array)
{
    struct elements elements;
    struct element element;
    enum element_result result = ELEMENT_DAMAGED;
    if (write->depth == DOCUMENT_DEPTH)
        return error_set(write->error, SLUICE_ERROR_BAD_RECORD, "nested deeper than %d", DOCUMENT_DEPTH);
    write->depth++;
    if (elements_of(document, &elements)) {
        put_byte(write->into, array ? '[' : '{');
        while ((result = element_next(&elements, &element)) == ELEMENT_OK) {
            if (elements.index > 1)
                put_byte(write->into, ',');
            if (!array && !put_string(write, element.name))
                return false;
            if (!array)
                put_byte(write->into, ':');
            if (!put_value(write, &element))
                return false;
        }
    }
    if (result != ELEMENT_END)
        return element_fault(result, &element, write->error);
    put_byte(write->into, array ? ']' : '}');
    write->depth--;
    return true;
}

static bool write_json(struct slice members, bool array, GString *into, GError **error)
{
    struct json_write write = {.into = into, .error = error};
    size_t before = into->len;
    bool ok = put_members(&write, members, array);
    if (!ok)
        into->len = before;
    into->str[into->len] = '\0';
    return ok;
}

bool document_to_json(struct slice document, GString *into, GError **error)
{
    return write_json(document, false, into, error);
}

bool document_array_to_json(struct slice array, GString *into, GError **error)
{
    return write_json(array, true, into, error);
}
