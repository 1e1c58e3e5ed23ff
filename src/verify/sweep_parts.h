/* Internal to verify/: what the files of a sweep share. sweep.c chooses the way and holds the sums against those of the
 * gates, sweep_units.c says which units there are and keeps what is found of those that are done, sweep_records.c takes
 * the records of one. */
#pragma once

#include <stdatomic.h>

#include "verify/verify_parts.h"

enum sweep_way { SWEEP_LISTED, SWEEP_ASKED, SWEEP_WHOLE, SWEEP_OWNED };

/* The target is cut roughly into stretches; each thread scans one after the other. */
struct sweep {
    pthread_mutex_t lock;    /* guards what follows; taken before the verification's */
    struct extsort *sort;    /* OWNED: what the scans gave */
    struct set_digest *sums; /* by place in the input's parts; WHOLE: only the first */
    struct sketch *sketch;   /* of the same records; NULL: not wanted */
    bool *units;             /* which of them are done */
    uint64_t appeared;       /* in those */
    bool spoiled;            /* a difference was reported: what is kept would not hold it */
    bool keeping;            /* somebody writes the progress */
    int64_t keep_at_us;

    atomic_size_t next;        /* the stretch, ASKED: the part, that nobody has taken yet */
    atomic_uint_fast64_t seen; /* records */
    atomic_bool done;          /* not all was seen: one has failed, there are too many, or nobody knows whose */

    /* Fixed before the threads begin. */
    enum sweep_way way;
    struct kept_sketch kept; /* of the gates; its sketch NULL: there is none to be held against */
    bool looks_at_unlisted;
    uint32_t n_units;
    struct digest of; /* which verification this is */
    int64_t begun_ms;
    GArray *stretches; /* of struct part_bounds */
    struct arena *mem; /* their bounds' */
    uint64_t most;     /* WHOLE: more records than this are not those of the run */
    GArray *stretched; /* LISTED: of size_t, places in the input's parts, along the listing */
};

/* One thread's way through its stretches. */
struct sweeper {
    struct sweep *sweep;
    struct pass *pass;
    struct scan *scan;               /* of the stretch */
    struct listed keys;              /* LISTED: along the listing, from the stretch's first key on */
    struct set_digest *sums;         /* as the sweep's, */
    struct sketch *sketch;           /* and this too */
    struct sketch_entry entries[64]; /* what it has yet to be given, */
    size_t n_entries;                /* before the unit's end */
    GByteArray *owned;               /* OWNED: of the batch, what is yet to be sorted, OWNED_BYTES each */
    GArray *unlisted;                /* LISTED: of the batch, of struct slice, keys that are yet to be looked at */
    size_t along;                    /* LISTED: in `stretched`, where the last key was */
    size_t checkpoints_of;           /* the place of the partition whose checkpoints the pass holds */
    GError **error;                  /* of what is taken; */
    bool failed;                     /* it is set */
    bool ended;                      /* of the unit: all of it was seen */
};

#define SWEEP_NO_PLACE SIZE_MAX

/* sweep_units.c: cuts the target into units, or takes up those of a verification that died. */
bool sweep_units_open(struct sweep *sweep, const struct verify_input *input, GError **error);
/* What each thread does: one unit after the other, and what it has found in one goes to what all have. */
bool sweep_units_pass(struct pass *pass, GError **error);

/* sweep_records.c: what the target holds of one unit, into the sweeper's sums. sweeper->ended: all of it was seen. */
bool sweeper_scan(struct sweeper *sweeper, struct slice bounds, GError **error);
bool sweeper_ask(struct sweeper *sweeper, size_t at, GError **error); /* the keys of a partition, by its place */
/* What is yet to be given to its sketch. */
void sweeper_flush(struct sweeper *sweeper);
