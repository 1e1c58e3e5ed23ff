#include "record/mask.h"

#include "base/int.h"
#include "record/datetime.h"
#include "record/decimal.h"
#include "record/element.h"
#include "record/path.h"
#include "record/rewrite.h"

enum { KEY_BYTES = 32, DRAW_BYTES = 32, MOST_TRIES = 64 };

struct mask {
    uint8_t key[KEY_BYTES];
    char **fields;
    bool *met;
    size_t n;
    bool whole_key;
    GPtrArray *was, *is; /* of char *: texts of the last document, before and after */
};

/* --- chance, by value ----------------------------------------------------------------------------------------------
 */

/* Bytes that only key, value and try decide, as many as are asked for. */
struct draw {
    const struct mask *mask;
    struct slice value;
    uint64_t attempt, block;
    uint8_t bytes[DRAW_BYTES];
    size_t at;
};

static struct draw draw_of(const struct mask *mask, struct slice value, uint64_t attempt)
{
    return (struct draw){.mask = mask, .value = value, .attempt = attempt, .at = DRAW_BYTES};
}

static uint8_t draw_byte(struct draw *draw)
{
    if (draw->at == DRAW_BYTES) {
        GHmac *hmac = g_hmac_new(G_CHECKSUM_SHA256, draw->mask->key, KEY_BYTES);
        uint64_t head[2] = {GUINT64_TO_LE(draw->attempt), GUINT64_TO_LE(draw->block++)};
        gsize len = DRAW_BYTES;
        g_hmac_update(hmac, (const guchar *)head, sizeof head);
        g_hmac_update(hmac, draw->value.data, (gssize)draw->value.len);
        g_hmac_get_digest(hmac, draw->bytes, &len);
        g_hmac_unref(hmac);
        draw->at = 0;
    }
    return draw->bytes[draw->at++];
}

/* 0 to n - 1; n is small beside 2^32. */
static uint32_t draw_below(struct draw *draw, uint32_t n)
{
    uint32_t bits = 0;
    for (int i = 0; i < 4; i++)
        bits = bits << 8 | draw_byte(draw);
    return (uint32_t)((uint64_t)bits * n >> 32);
}

/* --- texts ---------------------------------------------------------------------------------------------------------
 */

/* Letters that stand for others of the same kind and length, in UTF-8. */
static const struct letters {
    gunichar first;
    uint32_t n;
} CAPITALS[] = {[1] = {'A', 26}, [2] = {0xC0, 23}, [3] = {0xFF21, 26}, [4] = {0x10400, 40}},
  SMALL[] = {[1] = {'a', 26}, [2] = {0xE0, 23}, [3] = {0xFF41, 26}, [4] = {0x10428, 40}},
  OTHER[] = {[1] = {'a', 26}, [2] = {0x5D0, 27}, [3] = {0x4E00, 20000}, [4] = {0x20000, 40000}};

static gunichar masked_char(struct draw *draw, gunichar c)
{
    size_t len = (size_t)g_unichar_to_utf8(c, NULL);
    if (c < 0x80 && g_ascii_isdigit((char)c))
        return '0' + draw_below(draw, 10);
    if (!g_unichar_isalnum(c))
        return c;
    const struct letters *of = g_unichar_isupper(c) ? CAPITALS : g_unichar_islower(c) ? SMALL : OTHER;
    return of[len].first + draw_below(draw, of[len].n);
}

static char *masked_plain(struct draw *draw, const char *text)
{
    GString *into = g_string_new(NULL);
    for (const char *at = text; *at; at = g_utf8_next_char(at))
        g_string_append_unichar(into, masked_char(draw, g_utf8_get_char(at)));
    return g_string_free(into, FALSE);
}

/* 2026-07-10, and 2026-07-10T12:34:56.789+02:00: the year, the length and what is no digit stay. */
static char *masked_time(struct draw *draw, const char *text)
{
    char *into = g_strdup(text), two[3];
    static const struct {
        size_t at;
        uint32_t first, n;
    } PARTS[] = {{5, 1, 12}, {8, 1, 28}, {11, 0, 24}, {14, 0, 60}, {17, 0, 60}};
    size_t len = strlen(text);
    for (size_t i = 0; i < G_N_ELEMENTS(PARTS); i++) {
        if (PARTS[i].at + 2 > len || !g_ascii_isdigit(text[PARTS[i].at]) || !g_ascii_isdigit(text[PARTS[i].at + 1]))
            break;
        g_snprintf(two, sizeof two, "%02u", PARTS[i].first + draw_below(draw, PARTS[i].n));
        memcpy(into + PARTS[i].at, two, 2);
    }
    for (size_t at = 20; len > 20 && text[19] == '.' && g_ascii_isdigit(text[at]); at++)
        into[at] = (char)('0' + draw_below(draw, 10));
    return into;
}

/* Its version and variant stay what they are. */
static char *masked_uuid(struct draw *draw, const char *text)
{
    char *into = g_strdup(text);
    for (size_t i = 0; into[i]; i++) {
        const char *digits = g_ascii_isupper(text[i]) ? "0123456789ABCDEF" : "0123456789abcdef";
        if (g_ascii_isxdigit(text[i]) && i != 14 && i != 19)
            into[i] = digits[draw_below(draw, 16)];
    }
    return into;
}

static bool is_time(const char *text)
{
    int64_t us;
    return strlen(text) >= 10 && g_ascii_isdigit(*text) && text[4] == '-' &&
           datetime_parse_us(slice_of_text(text), DATETIME_ZONE_UTC, NULL, &us, NULL);
}

static char *masked_once(struct draw *draw, const char *text)
{
    uint8_t uuid[UUID_BYTES];
    if (is_time(text))
        return masked_time(draw, text);
    return element_uuid_parse(slice_of_text(text), uuid) ? masked_uuid(draw, text) : masked_plain(draw, text);
}

/* Another text, where there is one of its shape. */
static char *masked_text(const struct mask *mask, const char *text)
{
    char *masked = NULL;
    for (uint64_t attempt = 0; attempt < MOST_TRIES && (!masked || strcmp(masked, text) == 0); attempt++) {
        struct draw draw = draw_of(mask, slice_of_text(text), attempt);
        g_free(masked);
        masked = masked_once(&draw, text);
    }
    return masked;
}

/* --- numbers -------------------------------------------------------------------------------------------------------
 */

/* The digits from the first that is not 0 on; those of an exponent stay. */
static void mask_digits(struct draw *draw, char *number)
{
    bool begun = false;
    for (; *number && *number != 'e' && *number != 'E'; number++) {
        if (!g_ascii_isdigit(*number) || (!begun && *number == '0'))
            continue;
        *number = (char)('0' + (begun ? draw_below(draw, 10) : 1 + draw_below(draw, 9)));
        begun = true;
    }
}

static bool append_number(const struct rewrite_value *value, const char *text)
{
    bson_decimal128_t decimal;
    int64_t whole;
    if (BSON_ITER_HOLDS_DOUBLE(value->at))
        return bson_append_double(value->into, value->name, -1, g_ascii_strtod(text, NULL));
    if (BSON_ITER_HOLDS_DECIMAL128(value->at))
        return decimal_parse(slice_of_text(text), &decimal, NULL) &&
               bson_append_decimal128(value->into, value->name, -1, &decimal);
    if (!int_parse_i64(slice_of_text(text), &whole))
        return false;
    return BSON_ITER_HOLDS_INT64(value->at)           ? bson_append_int64(value->into, value->name, -1, whole)
           : whole >= INT32_MIN && whole <= INT32_MAX ? bson_append_int32(value->into, value->name, -1, (int32_t)whole)
                                                      : false;
}

/* One that no longer fits its type is drawn again; what is no number (NaN) stays. */
static bool mask_number(const struct mask *mask, const struct rewrite_value *value, const char *text)
{
    g_autofree char *masked = g_strdup(text);
    for (uint64_t attempt = 0; attempt < MOST_TRIES; attempt++) {
        struct draw draw = draw_of(mask, slice_of_text(text), attempt);
        memcpy(masked, text, strlen(text));
        mask_digits(&draw, masked);
        if (strcmp(masked, text) != 0 && append_number(value, masked))
            return true;
    }
    return append_number(value, text);
}

/* --- documents -----------------------------------------------------------------------------------------------------
 */

/* Which of the fields leads to it, or to what it lies in; `n`: none. */
static size_t field_of(const struct mask *mask, const char *field)
{
    size_t i = 0;
    for (; i < mask->n; i++) {
        size_t len = strlen(mask->fields[i]);
        if (strncmp(field, mask->fields[i], len) == 0 && (field[len] == '\0' || field[len] == '.'))
            break;
    }
    return i;
}

static bool mask_string(struct mask *mask, const struct rewrite_value *value)
{
    const char *text = bson_iter_utf8(value->at, NULL);
    char *masked = masked_text(mask, text);
    g_ptr_array_add(mask->was, g_strdup(text));
    g_ptr_array_add(mask->is, masked);
    return bson_append_utf8(value->into, value->name, -1, masked, -1);
}

static bool mask_datetime(const struct mask *mask, const struct rewrite_value *value)
{
    char text[DATETIME_TEXT];
    int64_t us, ms = bson_iter_date_time(value->at);
    g_autofree char *masked = masked_text(mask, datetime_text(ms, text));
    if (datetime_parse_us(slice_of_text(masked), DATETIME_ZONE_REQUIRED, NULL, &us, NULL))
        ms = us / 1000;
    return bson_append_date_time(value->into, value->name, -1, ms);
}

static bool mask_binary(const struct mask *mask, const struct rewrite_value *value)
{
    bson_subtype_t subtype;
    const uint8_t *bytes;
    uint32_t len;
    bson_iter_binary(value->at, &subtype, &len, &bytes);
    struct draw draw = draw_of(mask, slice_of(bytes, len), 0);
    g_autofree uint8_t *masked = g_malloc(len + 1u);
    for (uint32_t i = 0; i < len; i++)
        masked[i] = draw_byte(&draw);
    if (subtype == BSON_SUBTYPE_UUID && len == UUID_BYTES) {
        masked[6] = (uint8_t)((masked[6] & 0x0f) | (bytes[6] & 0xf0));
        masked[8] = (uint8_t)((masked[8] & 0x3f) | (bytes[8] & 0xc0));
    }
    return bson_append_binary(value->into, value->name, -1, subtype, masked, len);
}

static bool mask_bool(const struct mask *mask, const struct rewrite_value *value)
{
    struct draw draw = draw_of(mask, bson_iter_bool(value->at) ? slice_of_text("true") : slice_of_text("false"), 0);
    return bson_append_bool(value->into, value->name, -1, draw_byte(&draw) & 1);
}

static bool mask_of_number(const struct mask *mask, const struct rewrite_value *value)
{
    char text[DECIMAL_TEXT];
    bson_decimal128_t decimal;
    if (bson_iter_decimal128(value->at, &decimal)) {
        if (!decimal_is_finite(&decimal))
            return bson_append_decimal128(value->into, value->name, -1, &decimal);
        decimal_text(&decimal, text);
    } else if (BSON_ITER_HOLDS_DOUBLE(value->at)) {
        double number = bson_iter_double(value->at);
        if (!decimal_from_double(number, &decimal)) /* not finite */
            return bson_append_double(value->into, value->name, -1, number);
        decimal_double_text(number, text);
    } else
        g_snprintf(text, sizeof text, "%" G_GINT64_FORMAT, bson_iter_as_int64(value->at));
    return mask_number(mask, value, text);
}

static bool mask_value(void *self, const struct rewrite_value *value, bool *ret_done, GError **error)
{
    struct mask *mask = self;
    const bson_iter_t *at = value->at;
    size_t field = field_of(mask, value->field);
    if (field == mask->n)
        return true;
    mask->met[field] = true;
    *ret_done = !BSON_ITER_HOLDS_NULL(at);
    bool ok = BSON_ITER_HOLDS_NULL(at)        ? true
              : BSON_ITER_HOLDS_UTF8(at)      ? mask_string(mask, value)
              : BSON_ITER_HOLDS_DATE_TIME(at) ? mask_datetime(mask, value)
              : BSON_ITER_HOLDS_BINARY(at)    ? mask_binary(mask, value)
              : BSON_ITER_HOLDS_BOOL(at)      ? mask_bool(mask, value)
                                              : mask_of_number(mask, value);
    return ok || error_set(error, SLUICE_ERROR_BAD_RECORD, "'%s' cannot be masked", value->path);
}

bool mask_document(struct mask *mask, struct slice document, struct arena *mem, struct slice *ret, GError **error)
{
    struct rewrite rewrite = {.value = mask_value, .self = mask};
    g_ptr_array_set_size(mask->was, 0);
    g_ptr_array_set_size(mask->is, 0);
    return document_rewrite(document, &rewrite, mem, ret, error);
}

/* A shorter text stands in most keys by chance, and says little. */
enum { LEAST_IN_KEY = 2 };

static void replace_in_key(const struct mask *mask, GString *key)
{
    for (guint i = 0; i < mask->was->len; i++)
        if (strlen(mask->was->pdata[i]) >= LEAST_IN_KEY || strcmp(mask->was->pdata[i], key->str) == 0)
            g_string_replace(key, mask->was->pdata[i], mask->is->pdata[i], 0);
}

static char *masked_bytes(const struct mask *mask, struct slice key)
{
    struct draw draw = draw_of(mask, key, 0);
    char *bytes = g_malloc(key.len + 1);
    for (size_t i = 0; i < key.len; i++)
        bytes[i] = (char)draw_byte(&draw);
    return bytes;
}

bool mask_key(struct mask *mask, struct slice key, struct arena *mem, struct slice *ret, GError **error)
{
    g_autofree char *text = g_strndup((const char *)key.data, key.len);
    bool is_text = strlen(text) == key.len && g_utf8_validate(text, (gssize)key.len, NULL);
    g_autoptr(GString) shown = g_string_new(is_text ? text : "");
    g_autofree char *whole = !mask->whole_key ? NULL : is_text ? masked_text(mask, text) : masked_bytes(mask, key);
    if (!whole)
        replace_in_key(mask, shown);
    struct slice masked = whole ? slice_of(whole, key.len) : is_text ? slice_of(shown->str, shown->len) : key;
    return arena_copy(mem, masked, ret) || error_set(error, SLUICE_ERROR_TOO_BIG, "the key does not fit into memory");
}

const char *mask_unmet(const struct mask *mask)
{
    for (size_t i = 0; i < mask->n; i++)
        if (!mask->met[i])
            return mask->fields[i];
    return NULL;
}

/* --- making --------------------------------------------------------------------------------------------------------
 */

bool mask_new(struct mask **ret, const struct world *world, const char *const *fields, size_t n, GError **error)
{
    auto_(mask) mask = g_new0(struct mask, 1);
    world_random(world, mask->key, sizeof mask->key);
    mask->fields = g_new0(char *, n + 1);
    mask->met = g_new0(bool, n + 1);
    mask->was = g_ptr_array_new_with_free_func(g_free);
    mask->is = g_ptr_array_new_with_free_func(g_free);
    for (size_t i = 0; i < n; i++) {
        auto_(path) path = NULL;
        if (!path_parse(&path, fields[i], error)) {
            if (error)
                (*error)->code = SLUICE_ERROR_USAGE;
            return error_add(error, "--mask");
        }
        if (strcmp(fields[i], "ctx.key") == 0)
            mask->whole_key = true;
        else
            mask->fields[mask->n++] = g_strdup(fields[i]);
    }
    *ret = g_steal_pointer(&mask);
    return true;
}

void mask_free(struct mask *mask)
{
    if (!mask)
        return;
    g_strfreev(mask->fields);
    g_free(mask->met);
    g_ptr_array_unref(mask->was);
    g_ptr_array_unref(mask->is);
    g_free(mask);
}
