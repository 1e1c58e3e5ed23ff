/* How the listed keys of a run ended, key by key, from its listing and its checkpoints: for `diff`. */
#pragma once

#include "catalog/catalog.h"
#include "listing/listing.h"

struct fates {
    struct catalog *catalog;
    const struct run_row *run;
    struct listing_reader *reader;
    struct arena *mem;  /* of the keys in hand, */
    struct arena *rows; /* of the partition's checkpoints, */
    struct arena *all;  /* and of the partitions, which stand along the listing */
    struct part_row *parts;
    size_t n_parts, next_part;
    struct slice *keys;
    size_t n_keys, at;
    struct checkpoints checkpoints;
    size_t checkpoint;
    uint64_t checkpoint_first, index; /* of the partition */
};

/* *ret_listed: the run has a listing, and it is there. */
bool fates_open(struct fates *fates, const struct world *world, const char *home, const struct run_row *run,
                bool *ret_listed, GError **error);
void fates_done(struct fates *fates);
bool fates_ranked(const struct fates *fates); /* whether its keys have ranks; of one that is listed */
/* Ranked keys (listing/listing.h), ascending; *ret_more false: no more. `outcome` is OUTCOME_COUNT for what no
 * checkpoint tells. The key lives until the next call. */
bool fates_next(struct fates *fates, struct slice *ret_key, enum outcome *ret, bool *ret_more, GError **error);
