/* The canonical form, value by value: a tag, then what follows it. Integers are little-endian.
 *
 *   object  { n:u32 (len:u32 name value)*, sorted bytewise by name         array   [ value* ]
 *   string  s len:u32 bytes      bool  T or F      null  Z      datetime  t ms:i64      binary  b subtype:u8 len:u32
 * bytes number  i value:i64          where it is an integer of int64, whatever it was stored as n decimal:16 bytes any
 * other decimal, in its normal form d bits:u64           a double; one NaN, and -0 as 0
 *
 * It is never held as a whole: a small buffer goes to XXH3 whenever it is full. */
#include "record/digest.h"

#include <math.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/hex.h"
#include "record/decimal.h"
#include "record/element.h"

enum { BUFFER = 1024, OWN_FIELDS = 128, FEW_FIELDS = 64 /* sorted by insertion, which takes no memory */ };

/* A field of an object that is being sorted, with the name's first eight bytes as a number. */
struct field {
    uint64_t prefix;
    struct element element;
};

struct canon {
    uint64_t seed;
    size_t depth;
    size_t n; /* bytes in the buffer */
    bool streaming;
    /* Fields of the object at hand and of those around it, as a stack. */
    struct field *fields;
    size_t top, cap;
    GError **error;
    uint8_t buffer[BUFFER];
    struct field own[OWN_FIELDS];
    XXH3_state_t state;
};

static struct digest digest_of(XXH128_hash_t hash)
{
    return (struct digest){.low = hash.low64, .high = hash.high64};
}

static void flush(struct canon *canon)
{
    if (!canon->streaming) {
        XXH3_INITSTATE(&canon->state); /* else a secret left on the stack may be taken for that of the seed */
        XXH3_128bits_reset_withSeed(&canon->state, canon->seed);
    }
    canon->streaming = true;
    XXH3_128bits_update(&canon->state, canon->buffer, canon->n);
    canon->n = 0;
}

static inline uint8_t *reserve(struct canon *canon, size_t len)
{
    if (canon->n + len > BUFFER)
        flush(canon);
    uint8_t *at = canon->buffer + canon->n;
    canon->n += len;
    return at;
}

static inline void put_tag(struct canon *canon, char tag)
{
    *reserve(canon, 1) = (uint8_t)tag;
}

static inline void put_le64(uint8_t *at, uint64_t value)
{
    value = GUINT64_TO_LE(value);
    memcpy(at, &value, 8);
}

static inline void put_tagged(struct canon *canon, char tag, uint64_t value)
{
    uint8_t *at = reserve(canon, 9);
    at[0] = (uint8_t)tag;
    put_le64(at + 1, value);
}

/* The lower half: lengths and counts in BSON fit 31 bits. */
static inline void put_le32(struct canon *canon, size_t value)
{
    uint64_t bits = GUINT64_TO_LE((uint64_t)value);
    memcpy(reserve(canon, 4), &bits, 4);
}

static inline void put_text(struct canon *canon, struct slice bytes)
{
    put_le32(canon, bytes.len);
    if (bytes.len <= BUFFER / 2) {
        memcpy(reserve(canon, bytes.len), bytes.data, bytes.len);
        return;
    }
    flush(canon);
    XXH3_128bits_update(&canon->state, bytes.data, bytes.len);
}

static void put_decimal(struct canon *canon, const struct element *element)
{
    bson_decimal128_t decimal = element_decimal(element), normal;
    int64_t whole;
    if (decimal_to_i64(&decimal, &whole)) {
        put_tagged(canon, 'i', (uint64_t)whole);
        return;
    }
    decimal_normal(&decimal, &normal);
    put_tagged(canon, 'n', normal.low);
    put_le64(reserve(canon, 8), normal.high);
}

static void put_double(struct canon *canon, double value)
{
    uint64_t bits = 0;
    if (isnan(value))
        bits = UINT64_C(0x7ff8) << 48;
    else if (value != 0)
        memcpy(&bits, &value, 8);
    put_tagged(canon, 'd', bits);
}

static void put_binary(struct canon *canon, const struct element *element)
{
    uint8_t *at = reserve(canon, 2);
    at[0] = 'b';
    at[1] = element_subtype(element);
    put_text(canon, element_binary(element));
}

static bool put_object(struct canon *canon, struct slice document);
static bool put_array(struct canon *canon, struct slice document);

static bool put_value(struct canon *canon, const struct element *element)
{
    switch (element->type) {
    case BSON_TYPE_DOUBLE:
        put_double(canon, element_double(element));
        return true;
    case BSON_TYPE_UTF8:
        put_tag(canon, 's');
        put_text(canon, element_string(element));
        return true;
    case BSON_TYPE_DOCUMENT:
        return put_object(canon, element->value);
    case BSON_TYPE_ARRAY:
        return put_array(canon, element->value);
    case BSON_TYPE_BINARY:
        put_binary(canon, element);
        return true;
    case BSON_TYPE_BOOL:
        put_tag(canon, element->value.data[0] ? 'T' : 'F');
        return true;
    case BSON_TYPE_DATE_TIME:
        put_tagged(canon, 't', (uint64_t)element_i64(element));
        return true;
    case BSON_TYPE_NULL:
        put_tag(canon, 'Z');
        return true;
    case BSON_TYPE_INT32:
        put_tagged(canon, 'i', (uint64_t)element_i32(element));
        return true;
    case BSON_TYPE_INT64:
        put_tagged(canon, 'i', (uint64_t)element_i64(element));
        return true;
    case BSON_TYPE_DECIMAL128:
        put_decimal(canon, element);
        return true;
    default:
        g_assert_not_reached(); /* element_next() gives no other */
    }
}

/* Eight bytes at once where they are there (`end`: of the bytes). What is read behind a shorter name decides nothing:
 * the NUL before it does. */
static inline uint64_t name_prefix(struct slice name, const uint8_t *end)
{
    uint64_t prefix = 0;
    if (end - name.data >= 8)
        memcpy(&prefix, name.data, 8);
    else
        memcpy(&prefix, name.data, name.len);
    return GUINT64_FROM_BE(prefix);
}

/* Names hold no NUL but the one behind them, so that the prefix and then strcmp() order them bytewise. */
static inline int field_order(const struct field *a, const struct field *b)
{
    if (a->prefix != b->prefix)
        return a->prefix < b->prefix ? -1 : 1;
    return strcmp((const char *)a->element.name.data, (const char *)b->element.name.data);
}

static int field_compare(const void *a, const void *b)
{
    return field_order(a, b);
}

static void fields_sort(struct field *fields, size_t n)
{
    if (n > FEW_FIELDS) {
        qsort(fields, n, sizeof *fields, field_compare);
        return;
    }
    for (size_t i = 1; i < n; i++) {
        struct field field = fields[i];
        size_t place = i;
        for (; place > 0 && field_order(&field, &fields[place - 1]) < 0; place--)
            fields[place] = fields[place - 1];
        fields[place] = field;
    }
}

/* Room for one more on the stack; NULL with *error set. */
static struct field *field_push(struct canon *canon)
{
    if (canon->top == canon->cap) {
        bool own = canon->fields == canon->own;
        struct field *fields = g_try_realloc_n(own ? NULL : canon->fields, canon->cap * 2, sizeof *fields);
        if (!fields) {
            error_set(canon->error, SLUICE_ERROR_TOO_BIG, "an object has too many keys: memory ran out");
            return NULL;
        }
        if (own)
            memcpy(fields, canon->own, sizeof canon->own);
        canon->fields = fields;
        canon->cap *= 2;
    }
    return &canon->fields[canon->top++];
}

/* The fields of the object onto the stack, sorted. */
static bool fields_push(struct canon *canon, struct elements elements)
{
    size_t base = canon->top;
    for (;;) {
        struct field *field = field_push(canon);
        if (!field)
            return false;
        enum element_result result = element_next(&elements, &field->element);
        if (result == ELEMENT_OK) {
            field->prefix = name_prefix(field->element.name, elements.end);
            continue;
        }
        canon->top--;
        if (result != ELEMENT_END)
            return element_fault(result, &field->element, canon->error);
        fields_sort(canon->fields + base, canon->top - base);
        return true;
    }
}

static bool enter(struct canon *canon, struct slice document, struct elements *ret)
{
    if (canon->depth == DOCUMENT_DEPTH)
        return error_set(canon->error, SLUICE_ERROR_BAD_RECORD, "nested deeper than %d", DOCUMENT_DEPTH);
    canon->depth++;
    return elements_of(document, ret) || element_fault(ELEMENT_DAMAGED, NULL, canon->error);
}

static bool put_object(struct canon *canon, struct slice document)
{
    struct elements elements;
    size_t base = canon->top;
    if (!enter(canon, document, &elements) || !fields_push(canon, elements))
        return false;
    put_tag(canon, '{');
    put_le32(canon, canon->top - base);
    for (size_t i = base, end = canon->top; i < end; i++) {
        struct element element = canon->fields[i].element; /* the stack may move */
        put_text(canon, element.name);
        if (!put_value(canon, &element))
            return false;
    }
    canon->top = base;
    canon->depth--;
    return true;
}

static bool put_array(struct canon *canon, struct slice document)
{
    struct elements elements;
    struct element element;
    enum element_result result;
    if (!enter(canon, document, &elements))
        return false;
    put_tag(canon, '[');
    while ((result = element_next(&elements, &element)) == ELEMENT_OK)
        if (!put_value(canon, &element))
            return false;
    if (result != ELEMENT_END)
        return element_fault(result, &element, canon->error);
    put_tag(canon, ']');
    canon->depth--;
    return true;
}

static struct digest finish(struct canon *canon)
{
    if (!canon->streaming)
        return digest_of(XXH3_128bits_withSeed(canon->buffer, canon->n, canon->seed));
    flush(canon);
    return digest_of(XXH3_128bits_digest(&canon->state));
}

/* Buffer and state are not cleared. */
static void begin(struct canon *canon, uint64_t seed, GError **error)
{
    canon->seed = seed;
    canon->depth = canon->n = canon->top = 0;
    canon->streaming = false;
    canon->fields = canon->own;
    canon->cap = OWN_FIELDS;
    canon->error = error;
}

struct digest digest_of_texts(const struct digest_text *fields, size_t n, uint64_t seed)
{
    struct canon canon;
    begin(&canon, seed, NULL);
    put_tag(&canon, '{');
    put_le32(&canon, n);
    for (size_t i = 0; i < n; i++) {
        put_text(&canon, fields[i].name);
        put_tag(&canon, 's');
        put_text(&canon, fields[i].value);
    }
    return finish(&canon);
}

bool digest_canonical(struct slice document, uint64_t seed, struct digest *ret, GError **error)
{
    struct canon canon;
    begin(&canon, seed, error);
    bool ok = put_object(&canon, document);
    if (ok)
        *ret = finish(&canon);
    if (canon.fields != canon.own)
        g_free(canon.fields);
    return ok;
}

struct digest digest_bytes(struct slice bytes, uint64_t seed)
{
    return digest_of(XXH3_128bits_withSeed(bytes.data, bytes.len, seed));
}

/* One of a digest and what goes with it, through 32 bytes. Flattened: of a length that is known it is half as long. */
__attribute__((flatten)) static struct digest combine(struct digest a, uint64_t low, uint64_t high, uint64_t seed)
{
    uint8_t bytes[32];
    put_le64(bytes, a.low);
    put_le64(bytes + 8, a.high);
    put_le64(bytes + 16, low);
    put_le64(bytes + 24, high);
    return digest_bytes(slice_of(bytes, sizeof bytes), seed);
}

struct digest digest_stored(struct slice raw, int64_t expires_at_ms)
{
    return combine(digest_bytes(raw, 0), (uint64_t)expires_at_ms, 0, 0);
}

bool digest_stored_near(struct slice raw, int64_t near_ms, int64_t within_ms, struct digest stored, int64_t *ret)
{
    struct digest content = digest_bytes(raw, 0);
    for (int64_t off = 0; off <= within_ms; off++)
        for (int sign = 1; sign >= -1; sign -= 2) {
            int64_t expires_at_ms = near_ms + sign * off;
            if (!digest_equal(combine(content, (uint64_t)expires_at_ms, 0, 0), stored))
                continue;
            *ret = expires_at_ms;
            return true;
        }
    return false;
}

struct digest digest_keyed(struct slice key, struct digest value, uint64_t seed)
{
    return digest_keyed_by(digest_bytes(key, seed), value, seed);
}

struct digest digest_keyed_by(struct digest key, struct digest value, uint64_t seed)
{
    return combine(key, value.low, value.high, seed);
}

static unsigned __int128 number_of(struct digest digest)
{
    return (unsigned __int128)digest.high << 64 | digest.low;
}

static struct digest digest_from(unsigned __int128 number)
{
    return (struct digest){.low = (uint64_t)number, .high = (uint64_t)(number >> 64)};
}

void set_digest_add(struct set_digest *set, struct digest digest)
{
    set->count++;
    set->sum = digest_from(number_of(set->sum) + number_of(digest));
}

void set_digest_remove(struct set_digest *set, struct digest digest)
{
    set->count--;
    set->sum = digest_from(number_of(set->sum) - number_of(digest));
}

void set_digest_merge(struct set_digest *into, const struct set_digest *from)
{
    into->count += from->count;
    into->sum = digest_from(number_of(into->sum) + number_of(from->sum));
}

void set_digest_without(struct set_digest *set, const struct set_digest *part)
{
    set->count -= part->count;
    set->sum = digest_from(number_of(set->sum) - number_of(part->sum));
}

bool set_digest_equal(const struct set_digest *a, const struct set_digest *b)
{
    return a->count == b->count && digest_equal(a->sum, b->sum);
}

const char *digest_text(struct digest digest, char *into)
{
    uint8_t bytes[16];
    digest_put(digest, bytes);
    return hex_text(bytes, sizeof bytes, into);
}

void digest_put(struct digest digest, uint8_t into[16])
{
    uint64_t high = GUINT64_TO_BE(digest.high), low = GUINT64_TO_BE(digest.low);
    memcpy(into, &high, 8);
    memcpy(into + 8, &low, 8);
}

struct digest digest_get(const uint8_t from[16])
{
    uint64_t high, low;
    memcpy(&high, from, 8);
    memcpy(&low, from + 8, 8);
    return (struct digest){.low = GUINT64_FROM_BE(low), .high = GUINT64_FROM_BE(high)};
}
