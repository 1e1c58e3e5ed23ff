/* What the workers of a run work on: frozen, shared by all of them. */
#pragma once

#include "plan/plan.h"
#include "policy/decide.h"

enum job_kind {
    JOB_FORWARD, /* from the source into the target */
    JOB_BACK,    /* from the undo log into the target: rollback */
    JOB_PROMOTE, /* from the run's shadow into the target: its keys by the undo log */
    JOB_SETTLE,  /* no records: closes the lanes that dead holders left open and settles their unknown writes */
};

/* Keys, sorted. */
struct job_keys {
    const struct slice *keys;
    size_t n;
};

struct job {
    enum job_kind kind;
    enum parts_kind parts;   /* which it works on */
    const struct plan *plan; /* of a JOB_BACK only the target and what names the run are filled in */
    int64_t run;
    const char *run_name;
    struct decide_rules rules;
    struct job_keys left;     /* same dataset: what the application wrote after a run that this one supersedes */
    size_t batch_records;     /* a batch ends at so many records … */
    size_t batch_bytes;       /* … or so many bytes, … */
    size_t memory_bytes;      /* that it has, with all that is decided and written by it */
    int64_t batch_us;         /* … and shrinks towards taking about so long */
    uint32_t contended_after; /* a key that has changed under us so often is quarantined */
    bool splits;          /* where a worker has nothing to do, the others split what they have at a checkpoint, … */
    size_t split_batches; /* … if they have so many batches left; docs/partitions.md */
};

#define JOB_BATCH_RECORDS   2000
#define JOB_PACED_RECORDS   200
#define JOB_BATCH_BYTES     (1u << 20)
#define JOB_BATCH_US        100000
#define JOB_CONTENDED_AFTER 16
#define JOB_SPLIT_BATCHES   2
#define JOB_ARENA_BYTES     (192u << 20)

/* The rules and limits of a forward job follow from the plan. */
void job_init_forward(struct job *job, const struct plan *plan, const struct run_row *run);
void job_init_back(struct job *job, const struct plan *plan, const struct run_row *run);
void job_init_promote(struct job *job, const struct plan *plan, const struct run_row *run);
void job_init_settle(struct job *job, enum parts_kind parts, const struct plan *plan, const struct run_row *run);

/* How many records a batch may have where so many may be written a second (0: no limit): what goes in a tenth of one.
 * `paced`: something is promised to live requests. */
size_t job_batch_records(double per_s, bool paced);

int job_keys_compare(const void *a, const void *b); /* of two struct slice */
bool job_leaves(const struct job *job, struct slice key);

/* Source and target are different stores that are both alive: after its write each source key is looked at again. */
bool job_looks_again(const struct job *job);
