/* Trying: records go the whole way of a run - scan, transform, contract, the look at the live target, the decision -
 * by the very code of the run, but nothing is written: no undo log, no target, no home.
 *
 * Stores are opened for reading only. One thread. */
#pragma once

#include "plan/plan.h"
#include "policy/decide.h"
#include "record/outcome.h"

#define TRY_SAMPLE_MAX 100000

/* A key that is wanted in the target. */
struct try_item {
    struct slice key;
    enum outcome outcome;      /* what it would be counted as */
    struct slice live, wanted; /* documents; empty: absent there, or to be deleted */
    int64_t live_expires_at_ms, wanted_expires_at_ms;
    struct version live_version, wanted_version; /* where versions decide */
};

/* Borrowed for the call that tells of it. */
struct try_record {
    struct slice key;
    struct origin at;
    enum outcome outcome;
    struct fault fault;    /* OUTCOME_REJECTED */
    struct slice document; /* of the source; empty where it could not be read */
    const struct try_item *items;
    size_t n_items;
};

struct try_wish {
    const struct slice *keys; /* NULL: a sample */
    size_t n_keys;
    bool may_lack;   /* keys that the source does not have are counted, and no error */
    uint64_t sample; /* 1 to TRY_SAMPLE_MAX */
    bool (*each)(void *self, const struct try_record *record, GError **error);
    void *self;
};

struct try_result {
    struct tally tally; /* LISTED outcomes, and READ */
    bool spread;        /* the sample comes from all over the source, not from its beginning */
    bool older_states;  /* of a key; left out by `duplicates` */
    uint64_t lacking;   /* keys that the source does not have */
};

/* What decides, in a word: `in-place`, `fill`, `append`, or the conflict policy. */
const char *try_policy(const struct plan *plan);

/* `plan` as plan_look() gives it. A key that the source does not have is NOT_FOUND, naming it. */
bool try_records(const struct plan *plan, const struct world *world, const atomic_int *signals,
                 const struct try_wish *wish, struct try_result *ret, GError **error);
