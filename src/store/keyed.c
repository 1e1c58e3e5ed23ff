#include "store/keyed.h"

#include <stdlib.h>

#include "store/keyrange.h"

enum { BSON_LEAST = 5, KEY_SHOWN = 64 };

bool keyed_expired(int64_t expires_at_ms, int64_t now_ms)
{
    return expires_at_ms != EXPIRES_NEVER && expires_at_ms <= now_ms;
}

const struct keyed_value *keyed_shown(const struct keyed_value *shadow, const struct keyed_value *live, int64_t now_ms)
{
    if (shadow)
        return shadow->deleted ? NULL : shadow;
    return live && !keyed_expired(live->expires_at_ms, now_ms) ? live : NULL;
}

static bool fault_is(struct fault *ret, enum error_code code, const char *text)
{
    *ret = (struct fault){.code = code, .text = text};
    return false;
}

bool keyed_takes(const struct cas_op *op, struct fault *ret)
{
    if (op->key.len > KEYED_KEY_BYTES)
        return fault_is(ret, SLUICE_ERROR_TOO_BIG, "the key is longer than 64 KiB");
    if (op->verb == CAS_DELETE)
        return true;
    if (op->raw.len > DOCUMENT_BYTES)
        return fault_is(ret, SLUICE_ERROR_TOO_BIG, "the document is larger than 16 MiB");
    bson_t view; /* the lengths only: documents are checked where they are read */
    if (op->raw.len < BSON_LEAST || !document_view(op->raw, &view))
        return fault_is(ret, SLUICE_ERROR_UNWRITABLE, "the value is not a BSON document");
    return true;
}

/* A shadow's has a byte more, so that the same content beside and in the dataset are two things. */
static struct etag etag_of(const struct keyed_value *value)
{
    struct etag etag = {.len = sizeof(value->tag) + value->shadow};
    memcpy(etag.bytes, value->tag, sizeof(value->tag));
    if (value->shadow)
        etag.bytes[sizeof(value->tag)] = 'S';
    return etag;
}

bool keyed_etag_holds(const struct etag *etag, const struct keyed_value *value)
{
    if (!value || !etag->len)
        return !value && !etag->len;
    struct etag now = etag_of(value);
    return etag->len == now.len && memcmp(etag->bytes, now.bytes, now.len) == 0;
}

void keyed_image(struct slice key, const struct keyed_value *value, struct arena *mem, struct record *ret)
{
    *ret = (struct record){.key = key, .presence = value ? RECORD_PRESENT : RECORD_ABSENT};
    if (!value)
        return;
    ret->raw = value->raw;
    ret->expires_at_ms = value->expires_at_ms;
    ret->etag = etag_of(value);
    g_autoptr(GError) error = NULL;
    if (value->foreign)
        error_set(&error, SLUICE_ERROR_BAD_RECORD, "the value was not written by sluice, or by a newer one");
    else if (document_check(value->raw, &error))
        return;
    const char *text = arena_text(mem, slice_of_text(error->message));
    fault_is(&ret->fault, SLUICE_ERROR_BAD_RECORD, text ? text : "the value is not a BSON document");
    ret->presence = RECORD_FAULT;
}

bool keyed_image_copy(struct slice key, const struct keyed_value *value, struct arena *mem, struct record *ret)
{
    struct keyed_value copy;
    if (value) {
        copy = *value;
        if (!arena_copy(mem, value->raw, &copy.raw))
            return false;
    }
    keyed_image(key, value ? &copy : NULL, mem, ret);
    return true;
}

void keyed_live(const struct cas_op *op, const struct keyed_value *value, struct arena *mem, struct record *ret)
{
    if (keyed_image_copy(op->key, value, mem, ret))
        return;
    *ret = (struct record){.key = op->key, .presence = RECORD_FAULT};
    fault_is(&ret->fault, SLUICE_ERROR_TOO_BIG, "the live record does not fit into the memory of the call");
}

bool keyed_too_big(struct slice key, GError **error)
{
    g_autofree char *shown = g_strndup((const char *)key.data, MIN(key.len, KEY_SHOWN));
    g_autofree char *text = g_strescape(shown, NULL);
    return error_set(error, SLUICE_ERROR_TOO_BIG,
                     "key '%s' does not fit into the memory of the call with those before it", text);
}

/* --- keys in order --------------------------------------------------------------------------------------------------
 */

struct placed {
    struct slice key;
    uint32_t place;
};

static int compare_placed(const void *a, const void *b)
{
    return slice_compare(((const struct placed *)a)->key, ((const struct placed *)b)->key);
}

static void sort(struct keyed_order *order, size_t n)
{
    g_autofree struct placed *all = g_new(struct placed, n);
    for (size_t i = 0; i < n; i++)
        all[i] = (struct placed){.key = order->keys[i], .place = (uint32_t)i};
    qsort(all, n, sizeof(*all), compare_placed);
    order->places = g_new(uint32_t, n);
    for (size_t i = 0; i < n; i++) {
        order->keys[i] = all[i].key;
        order->places[i] = all[i].place;
    }
}

void keyed_order_init(struct keyed_order *ret, const struct slice *first, size_t stride, size_t n)
{
    *ret = (struct keyed_order){.keys = g_new(struct slice, n)};
    bool ascending = true;
    for (size_t i = 0; i < n; i++) {
        ret->keys[i] = *(const struct slice *)(const void *)((const char *)first + i * stride);
        ascending = ascending && (!i || slice_compare(ret->keys[i - 1], ret->keys[i]) <= 0);
    }
    if (!ascending)
        sort(ret, n);
}

void keyed_order_done(struct keyed_order *order)
{
    g_free(order->keys);
    g_free(order->places);
}

/* --- a batch of a scan ----------------------------------------------------------------------------------------------
 */

bool keyed_filling_init(struct keyed_filling *ret, const struct scan_spec *spec, struct arena *mem, GError **error)
{
    struct record *records = arena_alloc0(mem, spec->max_records * sizeof(*records));
    if (!records)
        return error_set(error, SLUICE_ERROR_TOO_BIG, "a batch of %zu records does not fit into the memory of the call",
                         spec->max_records);
    *ret = (struct keyed_filling){.spec = spec, .mem = mem, .batch = {.records = records}};
    return true;
}

void keyed_filling_init_given(struct keyed_filling *ret, const struct scan_spec *spec, const struct scan_taker *taker,
                              struct arena *mem)
{
    *ret = (struct keyed_filling){.spec = spec, .mem = mem, .taker = taker};
}

/* The key with what stands behind it, in one piece. */
static uint8_t *copy_both(struct arena *mem, struct slice key, struct slice raw)
{
    uint8_t *bytes = arena_alloc(mem, key.len + raw.len);
    if (bytes && key.len)
        memcpy(bytes, key.data, key.len);
    if (bytes && raw.len)
        memcpy(bytes + key.len, raw.data, raw.len);
    return bytes;
}

/* Into what is all zero but for such images. false: of an image that is more than its bytes, and fills in all of it. */
static bool image_of_bytes(const struct scan_spec *spec, struct slice key, const struct keyed_value *value,
                           struct record *ret)
{
    bool keys_only = spec->keys_only || !value;
    if (!keys_only && (!spec->bytes_only || value->foreign))
        return false;
    ret->key = key;
    ret->presence = RECORD_PRESENT;
    ret->raw = keys_only ? SLICE_EMPTY : value->raw;
    ret->expires_at_ms = keys_only ? EXPIRES_NEVER : value->expires_at_ms;
    return true;
}

/* false: it does not fit. */
static bool add_copy(const struct scan_spec *spec, struct slice key, const struct keyed_value *value, struct arena *mem,
                     struct record *ret)
{
    struct keyed_value copy = value ? *value : (struct keyed_value){0};
    copy.raw = spec->keys_only ? SLICE_EMPTY : copy.raw;
    uint8_t *bytes = copy_both(mem, key, copy.raw);
    if (!bytes)
        return false;
    key = slice_of(bytes, key.len);
    copy.raw = slice_of(bytes + key.len, copy.raw.len);
    if (!image_of_bytes(spec, key, value ? &copy : NULL, ret))
        keyed_image(key, &copy, mem, ret);
    return true;
}

static bool give(struct keyed_filling *filling, struct slice key, const struct keyed_value *value)
{
    struct record whole;
    const struct scan_taker *taker = filling->taker;
    if (image_of_bytes(filling->spec, key, value, &filling->given))
        return taker->take(taker->self, &filling->given);
    keyed_image(key, value, filling->mem, &whole);
    return taker->take(taker->self, &whole);
}

bool keyed_filling_add(struct keyed_filling *filling, struct slice key, const struct keyed_value *value, GError **error)
{
    struct batch *batch = &filling->batch;
    size_t bytes = key.len + (value ? value->raw.len : 0);
    bool over = batch->n && batch->bytes + bytes > filling->spec->max_bytes, fits = true;
    filling->full = over || batch->n == filling->spec->max_records;
    if (filling->full)
        return true;
    if (filling->taker)
        filling->full = !give(filling, key, value);
    else
        filling->full = !(fits = add_copy(filling->spec, key, value, filling->mem, &batch->records[batch->n]));
    if (!fits && !batch->n)
        return keyed_too_big(key, error);
    batch->n += fits;
    batch->bytes += fits ? bytes : 0;
    return true;
}

bool keyed_filling_finish(struct keyed_filling *filling, struct slice cursor, struct batch *ret, GError **error)
{
    struct batch *batch = &filling->batch;
    struct slice last = batch->n ? batch->records[batch->n - 1].key : cursor;
    bool fits = batch->n ? key_range_cursor(filling->mem, last, &batch->cursor)
                         : arena_copy(filling->mem, cursor, &batch->cursor);
    if (!fits)
        return keyed_too_big(last, error);
    *ret = *batch;
    return true;
}
