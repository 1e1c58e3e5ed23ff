/* The identities of a value that outlive one compare-and-set (3-semantics: etags are the driver's own).
 *
 * - The stored digest: identity over time within one store. XXH3-128 of the record's raw bytes, as its driver reads
 *   them in sorted form with their type tag, and of its exact expiry.
 * - The canonical digest: the document across stores. One form per number: integers and decimals of one value are
 *   equal, whatever their type and scale (10, 10.0; 0.10, 0.1; -0, 0); a double is equal only to a double (its value
 *   is not what its text says), where -0.0 equals 0.0 and NaN equals NaN. Times as UTC milliseconds, type tags and
 *   lengths, list order kept, object fields sorted by name. docs/formats/documents.md gives it byte by byte.
 * - The set digest: count and sum of canonical digests modulo 2^128: independent of order, subtractable.
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

/* The digest that stands for "absent". */
static inline bool digest_is_zero(struct digest digest)
{
    return digest.low == 0 && digest.high == 0;
}

#define EXPIRES_NEVER INT64_C(0)

struct digest digest_bytes(struct slice bytes, uint64_t seed);
struct digest digest_stored(struct slice raw, int64_t expires_at_ms);
/* The expiry with which `raw` has this stored digest, nearest to near_ms and no farther from it than within_ms. Costs
 * some 50 ns for each ms. */
bool digest_stored_near(struct slice raw, int64_t near_ms, int64_t within_ms, struct digest stored, int64_t *ret);
/* BAD_RECORD where the bytes are no document that document_check() would pass in structure, types and depth. No heap
 * per record of up to a hundred fields. */
bool digest_canonical(struct slice document, uint64_t seed, struct digest *ret, GError **error);
/* The same of a document whose fields are all strings: their names UTF-8 without a NUL, ascending, none twice. */
struct digest_text {
    struct slice name, value;
};
struct digest digest_of_texts(const struct digest_text *fields, size_t n, uint64_t seed);
/* (key, value) as one: for sets */
struct digest digest_keyed(struct slice key, struct digest value, uint64_t seed);
/* The same, of a key's digest_bytes() with that seed. */
struct digest digest_keyed_by(struct digest key, struct digest value, uint64_t seed);

struct set_digest {
    uint64_t count;
    struct digest sum;
};

void set_digest_add(struct set_digest *set, struct digest digest);
void set_digest_remove(struct set_digest *set, struct digest digest);
void set_digest_merge(struct set_digest *into, const struct set_digest *from);
void set_digest_without(struct set_digest *set, const struct set_digest *part);
bool set_digest_equal(const struct set_digest *a, const struct set_digest *b);

#define DIGEST_TEXT 33
const char *digest_text(struct digest digest, char *into); /* 32 hex digits, high first */
void digest_put(struct digest digest, uint8_t into[16]);   /* big-endian, so that bytewise order is numeric order */
struct digest digest_get(const uint8_t from[16]);
