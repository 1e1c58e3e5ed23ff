/* The types of fields, and how a value becomes one of them: without loss or not at all. */
#include <math.h>

#include "base/int.h"
#include "contract/field.h"
#include "record/decimal.h"

enum { SURE_DIGITS = 15, SHOWN_BYTES = 60, BINARY_HEAD = 5 };

static enum converted refuse(struct conversion *conversion, const char *why)
{
    g_strlcpy(conversion->why, why, sizeof conversion->why);
    return CONVERTED_REFUSED;
}

/* --- values made ----------------------------------------------------------------------------------------------------
 */

static enum converted made_bits(struct conversion *conversion, uint8_t type, uint64_t bits, struct value *ret)
{
    bits = GUINT64_TO_LE(bits);
    memcpy(conversion->room, &bits, sizeof bits);
    *ret = (struct value){.type = type, .bytes = slice_of(conversion->room, sizeof bits)};
    return CONVERTED_MADE;
}

static enum converted made_int(struct conversion *conversion, int64_t whole, struct value *ret)
{
    return made_bits(conversion, BSON_TYPE_INT64, (uint64_t)whole, ret);
}

static enum converted made_double(struct conversion *conversion, double real, struct value *ret)
{
    uint64_t bits;
    memcpy(&bits, &real, sizeof bits);
    return made_bits(conversion, BSON_TYPE_DOUBLE, bits, ret);
}

static enum converted made_decimal(struct conversion *conversion, const bson_decimal128_t *decimal, struct value *ret)
{
    uint64_t halves[] = {GUINT64_TO_LE(decimal->low), GUINT64_TO_LE(decimal->high)};
    memcpy(conversion->room, halves, sizeof halves);
    *ret = (struct value){.type = BSON_TYPE_DECIMAL128, .bytes = slice_of(conversion->room, sizeof halves)};
    return CONVERTED_MADE;
}

static enum converted made_bool(struct conversion *conversion, bool truth, struct value *ret)
{
    conversion->room[0] = truth;
    *ret = (struct value){.type = BSON_TYPE_BOOL, .bytes = slice_of(conversion->room, 1)};
    return CONVERTED_MADE;
}

/* --- numbers --------------------------------------------------------------------------------------------------------
 */

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

static struct slice text_of(const struct value *value)
{
    struct element element = value_element(value);
    return element_string(&element);
}

static enum converted refuse_number(struct slice text, struct conversion *conversion)
{
    size_t sign = text.len && text.data[0] == '-';
    if (text.len > sign + 1 && text.data[sign] == '0' && is_digit(text.data[sign + 1]))
        return refuse(conversion, "leading zeros make it an identifier, which only a string keeps");
    return refuse(conversion, "");
}

/* As JSON writes them: -?(0|[1-9][0-9]*), and not -0. */
static bool is_plain_int(struct slice text)
{
    size_t sign = text.len && text.data[0] == '-';
    bool zero = text.len > sign && text.data[sign] == '0';
    return !zero || (text.len == 1 && !sign);
}

static bool is_minus_zero(const bson_decimal128_t *decimal)
{
    int64_t whole;
    return decimal->high >> 63 && decimal_to_i64(decimal, &whole) && whole == 0;
}

static bool has_fraction(const bson_decimal128_t *decimal)
{
    bson_decimal128_t rounded;
    return decimal_round(decimal, 0, &rounded, NULL) && decimal_compare(decimal, &rounded) != 0;
}

static enum converted int_of_decimal(const bson_decimal128_t *decimal, struct conversion *conversion, struct value *ret)
{
    int64_t whole;
    if (is_minus_zero(decimal))
        return refuse(conversion, "an int has no -0");
    if (decimal_to_i64(decimal, &whole))
        return made_int(conversion, whole, ret);
    if (!decimal_is_finite(decimal))
        return refuse(conversion, "it is not finite");
    return refuse(conversion,
                  has_fraction(decimal) ? "it has a fraction" : "it does not fit 64 bits; a decimal holds it");
}

static enum converted int_of_double(double real, struct conversion *conversion, struct value *ret)
{
    if (!isfinite(real))
        return refuse(conversion, "it is not finite");
    if (rint(real) < real || rint(real) > real)
        return refuse(conversion, "it has a fraction");
    if (real < -0x1p63 || real >= 0x1p63)
        return refuse(conversion, "it does not fit 64 bits; a decimal holds it");
    if (signbit(real) && !(real < 0))
        return refuse(conversion, "an int has no -0");
    return made_int(conversion, (int64_t)real, ret);
}

static enum converted to_int(const struct field *field, const struct value *from, struct conversion *conversion,
                             struct value *ret)
{
    struct element element = value_element(from);
    bson_decimal128_t decimal;
    int64_t whole;
    switch (from->type) {
    case BSON_TYPE_INT64:
    case BSON_TYPE_INT32:
        return CONVERTED_SAME;
    case BSON_TYPE_DECIMAL128:
        decimal = element_decimal(&element);
        return int_of_decimal(&decimal, conversion, ret);
    case BSON_TYPE_DOUBLE:
        return int_of_double(element_double(&element), conversion, ret);
    case BSON_TYPE_UTF8:
        if (is_plain_int(text_of(from)) && int_parse_i64(text_of(from), &whole))
            return made_int(conversion, whole, ret);
        if (decimal_parse(text_of(from), &decimal, NULL))
            return int_of_decimal(&decimal, conversion, ret);
        return refuse_number(text_of(from), conversion);
    default:
        return refuse(conversion, "");
    }
}

static size_t significant_digits(const char *text)
{
    size_t n = 0;
    for (; *text && *text != 'e' && *text != 'E'; text++)
        n += is_digit((uint8_t)*text) && (n || *text != '0');
    return n;
}

/* 15 digits survive the way into a double and back, wherever doubles have their full precision (DBL_DIG). */
static bool survives(const char *text, double real)
{
    return significant_digits(text) <= SURE_DIGITS && fabs(real) > 1e-290 && fabs(real) < 1e290;
}

/* Exact in the sense that the double's shortest text is the decimal again: 0.1, though no double is one tenth. */
static enum converted double_of_decimal(const bson_decimal128_t *decimal, struct conversion *conversion,
                                        struct value *ret)
{
    char text[DECIMAL_TEXT];
    bson_decimal128_t again;
    double real = g_ascii_strtod(decimal_text(decimal, text), NULL);
    if (!decimal_is_finite(decimal))
        return refuse(conversion, "it is not finite");
    if (survives(text, real) || (decimal_from_double(real, &again) && decimal_compare(decimal, &again) == 0))
        return made_double(conversion, real, ret);
    return refuse(conversion, "no double is written like that; a decimal holds it");
}

static enum converted double_of_int(int64_t whole, struct conversion *conversion, struct value *ret)
{
    double real = (double)whole;
    if (real < 0x1p63 && (int64_t)real == whole)
        return made_double(conversion, real, ret);
    return refuse(conversion, "no double is exactly that; an int or a decimal holds it");
}

static enum converted to_double(const struct field *field, const struct value *from, struct conversion *conversion,
                                struct value *ret)
{
    struct element element = value_element(from);
    bson_decimal128_t decimal;
    switch (from->type) {
    case BSON_TYPE_DOUBLE:
        return CONVERTED_SAME;
    case BSON_TYPE_INT64:
        return double_of_int(element_i64(&element), conversion, ret);
    case BSON_TYPE_INT32:
        return double_of_int(element_i32(&element), conversion, ret);
    case BSON_TYPE_DECIMAL128:
        decimal = element_decimal(&element);
        return double_of_decimal(&decimal, conversion, ret);
    case BSON_TYPE_UTF8:
        if (decimal_parse(text_of(from), &decimal, NULL))
            return double_of_decimal(&decimal, conversion, ret);
        return refuse_number(text_of(from), conversion);
    default:
        return refuse(conversion, "");
    }
}

static enum converted to_decimal(const struct field *field, const struct value *from, struct conversion *conversion,
                                 struct value *ret)
{
    struct element element = value_element(from);
    bson_decimal128_t decimal;
    switch (from->type) {
    case BSON_TYPE_DECIMAL128:
        decimal = element_decimal(&element);
        return decimal_is_finite(&decimal) ? CONVERTED_SAME : refuse(conversion, "it is not finite");
    case BSON_TYPE_INT64:
        decimal_from_i64(element_i64(&element), &decimal);
        return made_decimal(conversion, &decimal, ret);
    case BSON_TYPE_INT32:
        decimal_from_i64(element_i32(&element), &decimal);
        return made_decimal(conversion, &decimal, ret);
    case BSON_TYPE_DOUBLE:
        if (!decimal_from_double(element_double(&element), &decimal))
            return refuse(conversion, "it is not finite");
        return made_decimal(conversion, &decimal, ret);
    case BSON_TYPE_UTF8:
        if (decimal_parse(text_of(from), &decimal, NULL))
            return made_decimal(conversion, &decimal, ret);
        return refuse_number(text_of(from), conversion);
    default:
        return refuse(conversion, "");
    }
}

/* --- the others -----------------------------------------------------------------------------------------------------
 */

static enum converted to_string(const struct field *field, const struct value *from, struct conversion *conversion,
                                struct value *ret)
{
    return from->type == BSON_TYPE_UTF8 ? CONVERTED_SAME : refuse(conversion, "");
}

static enum converted to_bool(const struct field *field, const struct value *from, struct conversion *conversion,
                              struct value *ret)
{
    if (from->type == BSON_TYPE_BOOL)
        return CONVERTED_SAME;
    struct slice text = from->type == BSON_TYPE_UTF8 ? text_of(from) : SLICE_EMPTY;
    bool truth = slice_equal(text, slice_of_text("true"));
    if (truth || slice_equal(text, slice_of_text("false")))
        return made_bool(conversion, truth, ret);
    return refuse(conversion, "");
}

static enum converted datetime_of_text(const struct field *field, struct slice text, struct conversion *conversion,
                                       struct value *ret)
{
    g_autoptr(GError) error = NULL;
    int64_t us;
    if (!datetime_parse_us(text, field->zone, field->zone_name, &us, &error)) {
        conversion->whole = true;
        return refuse(conversion, error->message);
    }
    if (us % 1000 != 0)
        return refuse(conversion, "it is finer than a millisecond, and a datetime is not");
    return made_bits(conversion, BSON_TYPE_DATE_TIME, (uint64_t)(us / 1000), ret);
}

static enum converted to_datetime(const struct field *field, const struct value *from, struct conversion *conversion,
                                  struct value *ret)
{
    char text[DATE_TEXT];
    if (from->type == BSON_TYPE_DATE_TIME)
        return CONVERTED_SAME;
    if (from->type == BSON_TYPE_INT64 || from->type == BSON_TYPE_INT32)
        return refuse(conversion, "a number does not say its unit; make a datetime of it in the transform");
    if (from->type != BSON_TYPE_UTF8)
        return refuse(conversion, "");
    for (size_t i = 0; i < field->n_formats; i++)
        if (dates_format_apply(field->formats[i], text_of(from), text))
            return datetime_of_text(field, slice_of_text(text), conversion, ret);
    return datetime_of_text(field, text_of(from), conversion, ret);
}

/* The 6 bits of a letter of base64, RFC 4648; -1: it is none. */
static int sextet(uint8_t letter)
{
    if (letter >= 'A' && letter <= 'Z')
        return letter - 'A';
    if (letter >= 'a' && letter <= 'z')
        return letter - 'a' + 26;
    if (is_digit(letter))
        return letter - '0' + 52;
    return letter == '+' ? 62 : letter == '/' ? 63 : -1;
}

/* Only what an encoder writes: padded, no blanks, no bits left over. */
static bool decode_base64(struct slice text, uint8_t *into, size_t *ret_len)
{
    size_t padding = 0, len = 0;
    uint32_t bits = 0, n = 0;
    if (text.len % 4)
        return false;
    while (padding < 2 && padding < text.len && text.data[text.len - 1 - padding] == '=')
        padding++;
    for (size_t i = 0; i < text.len - padding; i++) {
        int six = sextet(text.data[i]);
        if (six < 0)
            return false;
        bits = bits << 6 | (uint32_t)six;
        n += 6;
        if (n >= 8) {
            n -= 8;
            into[len++] = (uint8_t)(bits >> n);
            bits &= (1u << n) - 1;
        }
    }
    *ret_len = len;
    return bits == 0;
}

static struct value binary_value(uint8_t *bytes, size_t len, uint8_t subtype)
{
    uint32_t stored = GUINT32_TO_LE((uint32_t)len);
    memcpy(bytes, &stored, sizeof stored);
    bytes[4] = subtype;
    return (struct value){.type = BSON_TYPE_BINARY, .bytes = slice_of(bytes, len + BINARY_HEAD)};
}

static enum converted to_binary(const struct field *field, const struct value *from, struct conversion *conversion,
                                struct value *ret)
{
    struct element element = value_element(from);
    if (from->type == BSON_TYPE_BINARY)
        return element_subtype(&element) == BSON_SUBTYPE_BINARY ? CONVERTED_SAME : refuse(conversion, "");
    if (from->type != BSON_TYPE_UTF8)
        return refuse(conversion, "");
    struct slice text = text_of(from);
    uint8_t *bytes = arena_alloc(conversion->mem, BINARY_HEAD + text.len / 4 * 3 + 1);
    size_t len;
    if (!bytes) {
        conversion->no_room = true;
        return CONVERTED_REFUSED;
    }
    if (!decode_base64(text, bytes + BINARY_HEAD, &len))
        return refuse(conversion, "it is not base64 with its padding");
    *ret = binary_value(bytes, len, BSON_SUBTYPE_BINARY);
    return CONVERTED_MADE;
}

static enum converted to_uuid(const struct field *field, const struct value *from, struct conversion *conversion,
                              struct value *ret)
{
    struct element element = value_element(from);
    if (from->type == BSON_TYPE_BINARY)
        return element_subtype(&element) == BSON_SUBTYPE_UUID ? CONVERTED_SAME : refuse(conversion, "");
    if (from->type != BSON_TYPE_UTF8 || !element_uuid_parse(text_of(from), conversion->room + BINARY_HEAD))
        return refuse(conversion, "");
    *ret = binary_value(conversion->room, UUID_BYTES, BSON_SUBTYPE_UUID);
    return CONVERTED_MADE;
}

static enum converted to_object(const struct field *field, const struct value *from, struct conversion *conversion,
                                struct value *ret)
{
    return from->type == BSON_TYPE_DOCUMENT ? CONVERTED_SAME : refuse(conversion, "");
}

static enum converted to_array(const struct field *field, const struct value *from, struct conversion *conversion,
                               struct value *ret)
{
    return from->type == BSON_TYPE_ARRAY ? CONVERTED_SAME : refuse(conversion, "");
}

static const struct type_row rows[FIELD_TYPES] = {
    [FIELD_STRING] = {"a string", OPTION_ONE_OF | OPTION_PATTERN | OPTION_LENGTH, to_string},
    [FIELD_BOOL] = {"a bool", OPTION_ONE_OF, to_bool},
    [FIELD_INT] = {"an int", OPTION_ONE_OF | OPTION_BOUNDS, to_int},
    [FIELD_DOUBLE] = {"a double", OPTION_ONE_OF | OPTION_BOUNDS, to_double},
    [FIELD_DECIMAL] = {"a decimal", OPTION_ONE_OF | OPTION_BOUNDS, to_decimal},
    [FIELD_DATETIME] = {"a datetime", OPTION_ONE_OF | OPTION_BOUNDS | OPTION_TIME, to_datetime},
    [FIELD_BINARY] = {"binary", OPTION_LENGTH, to_binary},
    [FIELD_UUID] = {"a uuid", OPTION_ONE_OF, to_uuid},
    [FIELD_OBJECT] = {"an object", OPTION_FIELDS, to_object},
    [FIELD_ARRAY] = {"an array", OPTION_LENGTH | OPTION_ITEMS, to_array},
};

const struct type_row *type_row(enum field_type type)
{
    return &rows[type];
}

/* --- comparing and showing ------------------------------------------------------------------------------------------
 */

union bound value_bound(enum field_type type, const struct value *value)
{
    struct element element = value_element(value);
    union bound bound = {.whole = 0};
    if (type == FIELD_DOUBLE)
        bound.real = element_double(&element);
    else if (type == FIELD_DECIMAL)
        bound.decimal = element_decimal(&element);
    else
        bound.whole = value->type == BSON_TYPE_INT32 ? element_i32(&element) : element_i64(&element);
    return bound;
}

int value_compare_bounds(enum field_type type, union bound a, union bound b)
{
    if (type == FIELD_DECIMAL)
        return decimal_compare(&a.decimal, &b.decimal);
    if (type == FIELD_DOUBLE)
        return (a.real > b.real) - (a.real < b.real);
    return (a.whole > b.whole) - (a.whole < b.whole);
}

int value_compare(enum field_type type, const struct value *a, const struct value *b)
{
    if (rows[type].options & OPTION_BOUNDS)
        return value_compare_bounds(type, value_bound(type, a), value_bound(type, b));
    return slice_compare(a->bytes, b->bytes);
}

uint64_t value_length(const struct value *value)
{
    struct element element = value_element(value);
    if (value->type == BSON_TYPE_BINARY)
        return element_binary(&element).len;
    struct slice text = element_string(&element);
    uint64_t characters = 0;
    for (size_t i = 0; i < text.len; i++)
        characters += (text.data[i] & 0xC0) != 0x80;
    return characters;
}

struct slice value_wrap(struct arena *mem, struct slice name, const struct value *value)
{
    size_t len = 4 + 1 + name.len + 1 + value->bytes.len + 1;
    uint8_t *bytes = arena_alloc0(mem, len);
    g_assert(bytes); /* only a contract's own values are wrapped */
    uint32_t stored = GUINT32_TO_LE((uint32_t)len);
    memcpy(bytes, &stored, sizeof stored);
    bytes[4] = value->type;
    memcpy(bytes + 5, name.data, name.len);
    if (value->bytes.len)
        memcpy(bytes + 5 + name.len + 1, value->bytes.data, value->bytes.len);
    return slice_of(bytes, len);
}

static void show_text(struct slice text, GString *into)
{
    size_t cut = text.len;
    if (cut > SHOWN_BYTES)
        for (cut = SHOWN_BYTES; cut > 0 && (text.data[cut] & 0xC0) == 0x80; cut--)
            ;
    g_string_append_c(into, '\'');
    for (size_t i = 0; i < cut; i++)
        if (text.data[i] < 0x20 || text.data[i] == 0x7F)
            g_string_append_printf(into, "\\x%02x", text.data[i]);
        else
            g_string_append_c(into, (char)text.data[i]);
    g_string_append(into, cut < text.len ? "…'" : "'");
}

static void show_number(const struct element *element, GString *into)
{
    char text[DECIMAL_TEXT];
    bson_decimal128_t decimal;
    double real = element->type == BSON_TYPE_DOUBLE ? element_double(element) : 0;
    if (!isfinite(real)) {
        g_string_append(into, isnan(real) ? "NaN" : real < 0 ? "-Infinity" : "Infinity");
        return;
    }
    if (element->type == BSON_TYPE_DOUBLE) {
        g_string_append(into, decimal_double_text(real, text));
        return;
    }
    if (element->type == BSON_TYPE_DECIMAL128)
        decimal = element_decimal(element);
    else
        decimal_from_i64(element->type == BSON_TYPE_INT32 ? element_i32(element) : element_i64(element), &decimal);
    g_string_append(into, decimal_text(&decimal, text));
}

static void show_binary(const struct element *element, GString *into)
{
    char uuid[UUID_TEXT];
    if (element_subtype(element) == BSON_SUBTYPE_UUID)
        g_string_append(into, element_uuid_text(element, uuid));
    else
        g_string_append_printf(into, "binary of %zu bytes", element_binary(element).len);
}

void value_show(const struct value *value, GString *into)
{
    struct element element = value_element(value);
    char time[DATETIME_TEXT];
    switch (value->type) {
    case BSON_TYPE_UTF8:
        show_text(element_string(&element), into);
        break;
    case BSON_TYPE_BOOL:
        g_string_append(into, value->bytes.data[0] ? "true" : "false");
        break;
    case BSON_TYPE_DATE_TIME:
        g_string_append(into, datetime_text(element_i64(&element), time));
        break;
    case BSON_TYPE_BINARY:
        show_binary(&element, into);
        break;
    case BSON_TYPE_INT32:
    case BSON_TYPE_INT64:
    case BSON_TYPE_DOUBLE:
    case BSON_TYPE_DECIMAL128:
        show_number(&element, into);
        break;
    default:
        g_string_append(into, element_type_name(&element));
    }
}

void value_describe(const struct value *value, GString *into)
{
    struct element element = value_element(value);
    bool uuid = value->type == BSON_TYPE_BINARY && element_subtype(&element) == BSON_SUBTYPE_UUID;
    const char *kind = value->type == BSON_TYPE_UTF8        ? "the string "
                       : value->type == BSON_TYPE_DATE_TIME ? "the datetime "
                       : uuid                               ? "the uuid "
                                                            : "";
    bool number = value->type == BSON_TYPE_INT32 || value->type == BSON_TYPE_INT64 || value->type == BSON_TYPE_DOUBLE ||
                  value->type == BSON_TYPE_DECIMAL128;
    g_string_append(into, number ? "the number " : kind);
    value_show(value, into);
}
