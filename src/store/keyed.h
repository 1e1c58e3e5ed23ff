/* What the stores that keep BSON under keys of their own (mem, rocksdb) have in common: what they take, and how an
 * image is filled in. Pure. */
#pragma once

#include "store/store.h"

#define KEYED_KEY_BYTES (64u << 10)

/* What stands in the store, before it is known whether it has expired. */
struct keyed_value {
    struct slice raw;
    int64_t expires_at_ms;
    uint8_t tag[16]; /* covers value and exact expiry */
    bool foreign;    /* not in the form in which sluice stores: an image of it is a fault */
    bool shadow;     /* of a run's shadow: its etag is no live record's, and it does not expire */
    bool deleted;    /* shadow: a deletion stands there */
};

/* Whether a record of this expiry is gone: from the millisecond of its expiry on. */
bool keyed_expired(int64_t expires_at_ms, int64_t now_ms);

/* What a key shows: the shadow's value where there is one, else the live one, where it has not expired; NULL: absent.
 */
const struct keyed_value *keyed_shown(const struct keyed_value *shadow, const struct keyed_value *live, int64_t now_ms);

/* Whether such a store takes the operation; false fills in *ret (texts are static). */
bool keyed_takes(const struct cas_op *op, struct fault *ret);

/* Whether the etag is the one of `value` (NULL: absent, or expired). */
bool keyed_etag_holds(const struct etag *etag, const struct keyed_value *value);

/* The image of `value` (NULL: absent) under `key`; both are borrowed. Bytes that document_check() refuses become
 * RECORD_FAULT with what it says. */
void keyed_image(struct slice key, const struct keyed_value *value, struct arena *mem, struct record *ret);
/* The same with the value's bytes copied into the arena. false: they do not fit. */
bool keyed_image_copy(struct slice key, const struct keyed_value *value, struct arena *mem,
                      struct record *ret) must_use;

/* The live image of CAS_CHANGED, key included; one that does not fit is a fault of code TOO_BIG. */
void keyed_live(const struct cas_op *op, const struct keyed_value *value, struct arena *mem, struct record *ret);

/* The error of a read that does not fit, naming the key. */
bool keyed_too_big(struct slice key, GError **error);

/* --- keys in order --------------------------------------------------------------------------------------------------
 */

/* The keys of an array of structs, ascending, and where each stands in it. */
struct keyed_order {
    struct slice *keys;
    uint32_t *places; /* NULL: they are ascending as they stand */
};

/* `first` is the key within the first struct, `stride` the struct's size; n below 2^32. */
void keyed_order_init(struct keyed_order *ret, const struct slice *first, size_t stride, size_t n);
void keyed_order_done(struct keyed_order *order);

static inline size_t keyed_order_place(const struct keyed_order *order, size_t i)
{
    return order->places ? order->places[i] : i;
}

/* --- a batch of a scan, filled a record at a time ------------------------------------------------------------------
 */

struct keyed_filling {
    const struct scan_spec *spec;
    struct arena *mem;
    const struct scan_taker *taker; /* gets the records; NULL: the batch has copies of them */
    struct record given;            /* to it */
    struct batch batch;
    bool full; /* the record last offered did not go in, and belongs to the next batch; or the taker wants no more */
};

bool keyed_filling_init(struct keyed_filling *ret, const struct scan_spec *spec, struct arena *mem, GError **error);
void keyed_filling_init_given(struct keyed_filling *ret, const struct scan_spec *spec, const struct scan_taker *taker,
                              struct arena *mem);

/* Offers the next record; where there is no taker the key is copied, the value too where the scan wants values (else
 * NULL will do). Fails only where a record alone does not fit into the arena. */
bool keyed_filling_add(struct keyed_filling *filling, struct slice key, const struct keyed_value *value,
                       GError **error);

/* The batch of copies, with its cursor: behind the last record, or still `cursor` where there is none. */
bool keyed_filling_finish(struct keyed_filling *filling, struct slice cursor, struct batch *ret, GError **error);
