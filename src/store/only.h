/* The part of a dataset that a run is about (`source.only`): given keys, stretches of keys, or hash slots.
 *
 * A dataset that has one (struct dataset, `only`) is as if nothing else were in it: store_scan_next() drops all other
 * records, so that a batch may be empty and not the last. Reading by key is not narrowed: whoever reads knows his keys.
 * A record that has no key (it could not be parsed) is nobody's. Immutable but for `seen`, which any thread may set. */
#pragma once

#include "store/store.h"

/* Bytewise, half-open. */
struct only_range {
    struct slice from, to;
    bool has_to;
};

struct only_slots {
    uint32_t from, to; /* both within */
};

/* One of the three. */
struct store_only {
    const struct slice *keys; /* sorted, without duplicates */
    size_t n_keys;
    const struct only_range *ranges; /* sorted, apart from each other */
    size_t n_ranges;
    bool ranked; /* the ends of ranges are keys with their ranks before them, as in a listing (listing/listing.h) */
    const struct only_slots *slots;
    size_t n_slots;
    /* Which of them matched something: a byte for each key, each range, each slot of the store. NULL: nobody asks. */
    _Atomic(uint8_t) *seen;
};

/* Whether the key is of the part. `session`: of the store, which knows what slot a key is in. */
bool store_only_takes(const struct store_only *only, struct session *session, const struct dataset *ds,
                      struct slice key, bool *ret, GError **error);
/* Whether a slot is; true where it is not about slots. */
bool store_only_slot(const struct store_only *only, uint32_t slot);
