/* `unique` of a contract, over all records: of several records with one value of a field, the one with the highest
 * version is taken, then the one with the smallest key; the others are refused. Every field is decided by itself, among
 * all records: one that is refused for a field still holds its values of the others.
 *
 * Whoever has the records as they will be written (plan/) adds the digest of each value; sorted on disk, decided, and
 * merged into the skip list that the duplicates pass wrote. Memory stays below UNIQUE_BYTES; the disk takes 140 bytes a
 * value while it runs. Keys are compared by their first UNIQUE_KEY_BYTES, then by digest. */
#pragma once

#include "listing/duplicates.h"

#define UNIQUE_BYTES     (32u << 20)
#define UNIQUE_KEY_BYTES 64

struct unique_wish {
    const struct world *world;
    const char *path; /* HOME/listing/UID.skip: what stands there stays in it */
    uint8_t run_uid[16];
    const char *const *fields;
    size_t n_fields; /* at most 65,535 */
};

/* One value of one record. */
struct unique_value {
    uint32_t field;
    struct digest value;
    struct slice key; /* of the record in the source: several states of one key do not exclude each other */
    struct version version;
    uint32_t part;
    uint64_t offset; /* record.at.offset, or the index in a listing */
    uint64_t line;   /* 0: none */
};

struct unique;
bool unique_new(struct unique **ret, const struct unique_wish *wish, GError **error);
void unique_free(struct unique *unique);
AUTO_DEFINE(unique, unique_free)

bool unique_add(struct unique *unique, const struct unique_value *value, GError **error);

/* Nothing but _free may follow. `names`: of char *, the file of each part, "" where there is none. *ret_listed: whether
 * there is a skip list now; it is durable. */
bool unique_finish_durable(struct unique *unique, const GPtrArray *names, bool *ret_listed, GError **error);
