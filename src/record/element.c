#include "record/element.h"

#include <math.h>

#include "base/hex.h"
#include "record/datetime.h"
#include "record/decimal.h"
#include "record/text.h"

/* How the length of a value is found. */
enum width { FOREIGN = 0, LENGTH_OF_STRING = -1, LENGTH_OF_DOCUMENT = -2, LENGTH_OF_BINARY = -3, NOTHING = -4 };

/* The types that sluice carries. */
static const struct element_row {
    int width; /* in bytes, or one of the above */
    const char *name;
} rows[] = {
    [BSON_TYPE_DOUBLE] = {8, "a double"},
    [BSON_TYPE_UTF8] = {LENGTH_OF_STRING, "a string"},
    [BSON_TYPE_DOCUMENT] = {LENGTH_OF_DOCUMENT, "an object"},
    [BSON_TYPE_ARRAY] = {LENGTH_OF_DOCUMENT, "an array"},
    [BSON_TYPE_BINARY] = {LENGTH_OF_BINARY, "binary"},
    [BSON_TYPE_BOOL] = {1, "a bool"},
    [BSON_TYPE_DATE_TIME] = {8, "a datetime"},
    [BSON_TYPE_NULL] = {NOTHING, "null"},
    [BSON_TYPE_INT32] = {4, "an integer"},
    [BSON_TYPE_INT64] = {8, "an integer"},
    [BSON_TYPE_DECIMAL128] = {16, "a decimal"},
};

bool elements_of(struct slice document, struct elements *ret)
{
    if (document.len < 5 || element_bits(document.data, 4) != document.len || document.data[document.len - 1] != 0)
        return false;
    *ret = (struct elements){.at = document.data + 4, .end = document.data + document.len - 1};
    return true;
}

/* The bytes of the value at `at`, of which `left` are there; 0 with *ok false where they do not fit. */
static size_t value_len(int width, const uint8_t *at, size_t left, bool *ok)
{
    size_t len = 0;
    if (width > 0)
        len = (size_t)width;
    else if (width != NOTHING && left >= 5) {
        uint64_t stored = element_bits(at, 4);
        len = (size_t)stored + (width == LENGTH_OF_STRING ? 4 : width == LENGTH_OF_BINARY ? 5 : 0);
    } else if (width != NOTHING)
        len = left + 1;
    *ok = len <= left;
    return len;
}

/* What the bytes must be, beyond their number. */
static bool value_fits(const struct element *element)
{
    const struct slice *value = &element->value;
    switch (rows[element->type].width) {
    case LENGTH_OF_STRING:
        return value->len >= 5 && value->data[value->len - 1] == 0;
    case LENGTH_OF_DOCUMENT:
        return value->len >= 5 && value->data[value->len - 1] == 0;
    case 1:
        return value->data[0] <= 1;
    default:
        return true;
    }
}

static bool is_foreign_binary(const struct element *element)
{
    if (element->type != BSON_TYPE_BINARY || element_subtype(element) == BSON_SUBTYPE_BINARY)
        return false;
    return element_subtype(element) != BSON_SUBTYPE_UUID || element->value.len != UUID_BYTES + 5;
}

/* Names are short: eight bytes at a time, without a call. NULL where there is none. */
static inline const uint8_t *find_nul(const uint8_t *at, const uint8_t *end)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    for (; end - at >= 8; at += 8) {
        uint64_t bytes = element_bits(at, 8), nuls = (bytes - ones) & ~bytes & ones << 7;
        if (nuls)
            return at + __builtin_ctzll(nuls) / 8;
    }
    for (; at < end; at++)
        if (!*at)
            return at;
    return NULL;
}

enum element_result element_next(struct elements *elements, struct element *ret)
{
    const uint8_t *at = elements->at, *end = elements->end;
    if (at == end)
        return ELEMENT_END;
    const uint8_t *nul = find_nul(at + 1, end);
    if (!nul)
        return ELEMENT_DAMAGED;
    ret->type = at[0];
    ret->name = slice_of(at + 1, (size_t)(nul - at - 1));
    ret->value = SLICE_EMPTY;
    if (ret->type >= G_N_ELEMENTS(rows) || rows[ret->type].width == FOREIGN)
        return ELEMENT_FOREIGN;
    bool ok;
    size_t len = value_len(rows[ret->type].width, nul + 1, (size_t)(end - nul - 1), &ok);
    if (!ok)
        return ELEMENT_DAMAGED;
    ret->value = slice_of(nul + 1, len);
    if (!value_fits(ret))
        return ELEMENT_DAMAGED;
    elements->at = nul + 1 + len;
    elements->index++;
    return is_foreign_binary(ret) ? ELEMENT_FOREIGN : ELEMENT_OK;
}

bool element_fault(enum element_result result, const struct element *element, GError **error)
{
    char quote[TEXT_QUOTE];
    if (result == ELEMENT_DAMAGED)
        return error_set(error, SLUICE_ERROR_BAD_RECORD, "the bytes are not BSON: a length or a type does not fit");
    g_assert(result == ELEMENT_FOREIGN);
    text_quote(element->name, quote);
    if (element->type == BSON_TYPE_BINARY)
        return error_set(error, SLUICE_ERROR_BAD_RECORD,
                         "field '%s' is binary of subtype %u and %zu bytes; only subtypes 0 and 4 (a uuid) are carried",
                         quote, element_subtype(element), element->value.len - 5);
    return error_set(error, SLUICE_ERROR_BAD_RECORD, "field '%s' has the BSON type 0x%02x, which is not carried", quote,
                     element->type);
}

const char *element_type_name(const struct element *element)
{
    return rows[element->type].name;
}

/* The bytes of each group of a uuid's text. */
static const size_t UUID_GROUPS[] = {4, 2, 2, 2, 6};

const char *element_uuid_text(const struct element *element, char into[UUID_TEXT])
{
    const uint8_t *bytes = element_binary(element).data;
    char *at = into;
    for (size_t i = 0; i < G_N_ELEMENTS(UUID_GROUPS); bytes += UUID_GROUPS[i++]) {
        if (i > 0)
            *at++ = '-';
        at = hex_put(bytes, UUID_GROUPS[i], at);
    }
    *at = '\0';
    return into;
}

bool element_uuid_parse(struct slice text, uint8_t ret[UUID_BYTES])
{
    uint8_t bytes[UUID_BYTES], *into = bytes;
    const uint8_t *at = text.data;
    if (text.len != UUID_TEXT - 1)
        return false;
    for (size_t i = 0; i < G_N_ELEMENTS(UUID_GROUPS); into += UUID_GROUPS[i++]) {
        if (i > 0 && *at++ != '-')
            return false;
        if (!hex_parse(slice_of(at, 2 * UUID_GROUPS[i]), into, UUID_GROUPS[i]))
            return false;
        at += 2 * UUID_GROUPS[i];
    }
    memcpy(ret, bytes, sizeof bytes);
    return true;
}

static void double_text(double value, char text[ELEMENT_TEXT])
{
    if (isfinite(value))
        decimal_double_text(value, text);
    else
        g_strlcpy(text, isnan(value) ? "NaN" : value < 0 ? "-Infinity" : "Infinity", ELEMENT_TEXT);
}

/* Of what has no bytes of its own in the document. false: no text is written. */
static bool text_written(const struct element *element, char text[ELEMENT_TEXT])
{
    bson_decimal128_t decimal;
    switch (element->type) {
    case BSON_TYPE_INT32:
    case BSON_TYPE_INT64:
        g_snprintf(text, ELEMENT_TEXT, "%" G_GINT64_FORMAT,
                   element->type == BSON_TYPE_INT32 ? element_i32(element) : element_i64(element));
        return true;
    case BSON_TYPE_DECIMAL128:
        decimal = element_decimal(element);
        decimal_text(&decimal, text);
        return true;
    case BSON_TYPE_DOUBLE:
        double_text(element_double(element), text);
        return true;
    case BSON_TYPE_DATE_TIME:
        datetime_text(element_i64(element), text);
        return true;
    case BSON_TYPE_BOOL:
        g_strlcpy(text, element->value.data[0] ? "true" : "false", ELEMENT_TEXT);
        return true;
    case BSON_TYPE_BINARY:
        element_uuid_text(element, text);
        return true;
    default:
        return false;
    }
}

bool element_as_text(const struct element *element, char text[ELEMENT_TEXT], struct slice *ret)
{
    bool binary = element->type == BSON_TYPE_BINARY && element_subtype(element) != BSON_SUBTYPE_UUID;
    if (element->type == BSON_TYPE_UTF8 || binary) {
        *ret = binary ? element_binary(element) : element_string(element);
        return true;
    }
    if (!text_written(element, text))
        return false;
    *ret = slice_of_text(text);
    return true;
}
