/* The ranked keys (listing/listing.h) of a dataset in ascending order, each once, whatever order the store gives them
 * in. Of a dataset of which only given keys are meant (store/only.h) these are looked up, and the store is not scanned.
 *
 * Where the store lists in their order, its scan is passed on. Where it does not (a server that is asked slot by slot),
 * or has ranks, keys are sorted on disk: runs of 8 MiB are written as listings below `scratch` and merged. The files
 * have no name any more as soon as they are read, so that they go with the process; their folder is made when it is
 * absent. The last run, and so the only one of a few hundred thousand keys, stays in memory. Eight runs of one size are
 * merged into one as soon as there are so many: few are open at a time. A thread of its own merges what is given next.
 * Memory: a batch of the scan, or one run and half a MiB for each that is open (seven for each eightfold of 200,000
 * keys), and 16,384 keys that were merged ahead. Used by one thread. */
#pragma once

#include "listing/listing.h"

struct ordered_wish {
    const struct world *world;
    const char *scratch; /* what names of files begin with; not touched where the store sorts */
    struct session *session;
    const struct dataset *ds;
    const atomic_bool *cancel;                   /* NULL: cannot be cancelled */
    void (*progress)(void *self, uint64_t keys); /* NULL: none; once a batch of the scan */
    void *progress_self;
    size_t run_bytes; /* 0: 8 MiB */
    bool no_ranks;    /* in the order of keys alone, whatever the store has: beside a listing that was made so */
};

struct ordered_keys;

/* NOT_PERMITTED where the store cannot list. An unsorted store is read to its end here. `wish` is copied. */
bool ordered_keys_open(struct ordered_keys **ret, const struct ordered_wish *wish, GError **error);
void ordered_keys_free(struct ordered_keys *ordered);
AUTO_DEFINE(ordered_keys, ordered_keys_free)

bool ordered_keys_ranked(const struct ordered_keys *ordered); /* whether they have ranks */

/* The next ranked keys, valid until the next call; *ret_n == 0: the end. */
bool ordered_keys_next(struct ordered_keys *ordered, const struct slice **ret_keys, size_t *ret_n, GError **error);
