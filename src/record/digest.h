/* The identities of a value that outlive one compare-and-set (3-semantics: etags are the driver's own).
 *
 * stored digest:    identity over time within one store: the record's raw bytes, as its driver reads them in sorted form,
 *                   its type tag and its exact expiry. XXH3-128.
 * canonical digest: the document across stores: one form per number (int64 and decimal of one value are equal, trailing
 *                   zeros count as scale and are kept: 0.10 ≠ 0.1 as text but both are the value 1/10 → equal digests),
 *                   times as UTC milliseconds, type tags and lengths, list order kept, object fields sorted by name.
 * set digest:       count and sum of canonical digests modulo 2^128: independent of order, subtractable.
 *
 * These find accidents. What must withstand an adversary uses BLAKE2b (catalog/ledger.h). */
#pragma once

#include "record/document.h"

struct digest {
    uint64_t low, high;
};

static inline bool digest_equal(struct digest a, struct digest b)
{
    return a.low == b.low && a.high == b.high;
}

#define EXPIRES_NEVER INT64_C(0)

struct digest digest_bytes(struct slice bytes, uint64_t seed);
struct digest digest_stored(struct slice raw, int64_t expires_at_ms);
bool digest_canonical(struct slice document, uint64_t seed, struct digest *ret, GError **error); /* no heap per record */
struct digest digest_keyed(struct slice key, struct digest value, uint64_t seed); /* (key, value) as one: for sets */

struct set_digest {
    uint64_t count;
    struct digest sum;
};

void set_digest_add(struct set_digest *set, struct digest digest);
void set_digest_remove(struct set_digest *set, struct digest digest);
void set_digest_merge(struct set_digest *into, const struct set_digest *from);
bool set_digest_equal(const struct set_digest *a, const struct set_digest *b);

#define DIGEST_TEXT 33
const char *digest_text(struct digest digest, char *into); /* 32 hex digits, high first */
void digest_put(struct digest digest, uint8_t into[16]);   /* big-endian, so that bytewise order is numeric order */
struct digest digest_get(const uint8_t from[16]);
