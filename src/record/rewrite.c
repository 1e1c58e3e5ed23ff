#include "record/rewrite.h"

#include "base/int.h"
#include "record/datetime.h"
#include "record/decimal.h"
#include "record/element.h"

struct walk {
    const struct rewrite *rewrite;
    GString *path, *field; /* of the value at hand */
    size_t depth;
    GError **error;
};

static bool damaged(struct walk *walk)
{
    return error_set(walk->error, SLUICE_ERROR_BAD_RECORD, "the bytes are not BSON, or nested too deeply");
}

static void push(GString *path, const char *name)
{
    if (path->len)
        g_string_append_c(path, '.');
    for (; *name; name++) {
        if (*name == '.' || *name == '\\')
            g_string_append_c(path, '\\');
        g_string_append_c(path, *name);
    }
}

static bool walk_items(struct walk *walk, bson_iter_t *at, bool in_array, bson_t *into);

static bool walk_below(struct walk *walk, const bson_iter_t *at, const char *name, bson_t *into)
{
    bool array = BSON_ITER_HOLDS_ARRAY(at), ok;
    bson_iter_t child;
    bson_t below;
    if (walk->depth >= DOCUMENT_DEPTH || !bson_iter_recurse(at, &child))
        return damaged(walk);
    if (!(array ? bson_append_array_begin(into, name, -1, &below) : bson_append_document_begin(into, name, -1, &below)))
        return damaged(walk);
    walk->depth++;
    ok = walk_items(walk, &child, array, &below);
    walk->depth--;
    if (!(array ? bson_append_array_end(into, &below) : bson_append_document_end(into, &below)))
        return ok && damaged(walk);
    return ok;
}

static bool walk_value(struct walk *walk, const bson_iter_t *at, const char *name, bson_t *into)
{
    struct rewrite_value value = {
        .path = walk->path->str, .field = walk->field->str, .at = at, .name = name, .into = into};
    bool done = false;
    if (!walk->rewrite->value(walk->rewrite->self, &value, &done, walk->error))
        return false;
    return done || bson_append_iter(into, name, -1, at) || damaged(walk);
}

/* The elements of an array count by their places, whatever they are called. */
static bool walk_items(struct walk *walk, bson_iter_t *at, bool in_array, bson_t *into)
{
    char place[16];
    gsize path = walk->path->len, field = walk->field->len;
    bool ok = true;
    for (unsigned i = 0; ok && bson_iter_next(at); i++) {
        g_snprintf(place, sizeof place, "%u", i);
        const char *name = in_array ? place : bson_iter_key(at);
        push(walk->path, name);
        if (!in_array)
            push(walk->field, name);
        bool below = BSON_ITER_HOLDS_DOCUMENT(at) || BSON_ITER_HOLDS_ARRAY(at);
        ok = below ? walk_below(walk, at, name, into) : walk_value(walk, at, name, into);
        g_string_truncate(walk->path, path);
        g_string_truncate(walk->field, field);
    }
    return ok;
}

bool document_rewrite(struct slice document, const struct rewrite *rewrite, struct arena *mem, struct slice *ret,
                      GError **error)
{
    g_autoptr(GString) path = g_string_new(NULL), field = g_string_new(NULL);
    struct walk walk = {.rewrite = rewrite, .path = path, .field = field, .error = error};
    bson_t view, into = BSON_INITIALIZER;
    bson_iter_t at;
    bool ok = (document_view(document, &view) && bson_iter_init(&at, &view)) || damaged(&walk);
    ok = ok && walk_items(&walk, &at, false, &into);
    if (ok && !arena_copy(mem, slice_of(bson_get_data(&into), into.len), ret))
        ok = error_set(error, SLUICE_ERROR_TOO_BIG, "the document does not fit into memory");
    bson_destroy(&into);
    return ok;
}

/* --- types that JSON does not tell -------------------------------------------------------------------------------- */

static const char *text_at(const bson_iter_t *at)
{
    return BSON_ITER_HOLDS_UTF8(at) ? bson_iter_utf8(at, NULL) : NULL;
}

static bool as_datetime(const struct rewrite_value *value)
{
    const char *text = text_at(value->at);
    int64_t us;
    return text && datetime_parse_us(slice_of_text(text), DATETIME_ZONE_REQUIRED, NULL, &us, NULL) && us % 1000 == 0 &&
           bson_append_date_time(value->into, value->name, -1, us / 1000);
}

/* The decimal, or the whole number, that stands there. */
static bool number_text(const bson_iter_t *at, char into[DECIMAL_TEXT])
{
    bson_decimal128_t decimal;
    if (BSON_ITER_HOLDS_INT64(at))
        g_snprintf(into, DECIMAL_TEXT, "%" G_GINT64_FORMAT, bson_iter_int64(at));
    else if (bson_iter_decimal128(at, &decimal))
        decimal_text(&decimal, into);
    else if (text_at(at) && strlen(text_at(at)) < DECIMAL_TEXT) /* NaN, Infinity */
        g_strlcpy(into, text_at(at), DECIMAL_TEXT);
    else
        return false;
    return true;
}

static bool as_double(const struct rewrite_value *value)
{
    char text[DECIMAL_TEXT], *end;
    if (!number_text(value->at, text))
        return false;
    double number = g_ascii_strtod(text, &end);
    return *text && !*end && bson_append_double(value->into, value->name, -1, number);
}

static bool as_decimal(const struct rewrite_value *value)
{
    char text[DECIMAL_TEXT];
    bson_decimal128_t decimal;
    return number_text(value->at, text) && bson_decimal128_from_string(text, &decimal) &&
           bson_append_decimal128(value->into, value->name, -1, &decimal);
}

static bool as_binary(const struct rewrite_value *value)
{
    const char *text = text_at(value->at);
    gsize len = 0;
    g_autofree guchar *bytes = text ? g_base64_decode(text, &len) : NULL;
    g_autofree char *again = bytes ? g_base64_encode(bytes, len) : NULL;
    return again && strcmp(again, text) == 0 &&
           bson_append_binary(value->into, value->name, -1, BSON_SUBTYPE_BINARY, bytes, (uint32_t)len);
}

static bool as_uuid(const struct rewrite_value *value)
{
    const char *text = text_at(value->at);
    uint8_t bytes[UUID_BYTES];
    return text && element_uuid_parse(slice_of_text(text), bytes) &&
           bson_append_binary(value->into, value->name, -1, BSON_SUBTYPE_UUID, bytes, UUID_BYTES);
}

static const struct {
    const char *name;
    bool (*append)(const struct rewrite_value *value);
} TYPES[] = {
    {"datetime", as_datetime}, {"double", as_double}, {"decimal", as_decimal}, {"binary", as_binary}, {"uuid", as_uuid},
};

bool rewrite_as_type(const struct rewrite_value *value, const char *type, GError **error)
{
    for (size_t i = 0; i < G_N_ELEMENTS(TYPES); i++)
        if (strcmp(TYPES[i].name, type) == 0 && TYPES[i].append(value))
            return true;
    return error_set(error, SLUICE_ERROR_BAD_RECORD, "'%s' is no %s", value->path, type);
}

static const char *binary_type(const bson_iter_t *at)
{
    bson_subtype_t subtype;
    bson_iter_binary(at, &subtype, NULL, NULL);
    return subtype == BSON_SUBTYPE_UUID ? "uuid" : "binary";
}

/* One whose text is that of a whole number of 64 bits is read back as such, or is no number at all. */
static bool decimal_is_lost(const bson_iter_t *at)
{
    char text[DECIMAL_TEXT];
    bson_decimal128_t decimal;
    int64_t whole;
    if (!bson_iter_decimal128(at, &decimal))
        return false;
    decimal_text(&decimal, text);
    if (!decimal_is_finite(&decimal))
        return true;
    return int_parse_i64(slice_of_text(text), &whole) && strcmp(text, "-0") != 0;
}

const char *rewrite_type_of(const bson_iter_t *at)
{
    if (BSON_ITER_HOLDS_BINARY(at))
        return binary_type(at);
    if (BSON_ITER_HOLDS_DATE_TIME(at))
        return "datetime";
    if (BSON_ITER_HOLDS_DOUBLE(at))
        return "double";
    return decimal_is_lost(at) ? "decimal" : NULL;
}
