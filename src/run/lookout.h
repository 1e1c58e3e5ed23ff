/* Which partitions of a crew lag behind the others, and why.
 *
 * Executors note what their partition does; who watches asks. The rule (docs/partitions.md): a partition that has been
 * at work for LOOKOUT_WORK_US lags where its pace is less than half of that of all the other partitions of the crew
 * together, or where it has come to no checkpoint for LOOKOUT_STILL_US. A pace is records a second of work, from the
 * grant to now. */
#pragma once

#include <pthread.h>

#include "run/op.h"

#define LOOKOUT_WORK_US  (INT64_C(5) * 1000 * 1000)
#define LOOKOUT_STILL_US (INT64_C(15) * 1000 * 1000)

enum lag_cause {
#define ROW(symbol, word, words) LAG_##symbol,
#include "run/lag_rows.h"
#undef ROW
    LAG_CAUSE_COUNT
};
const char *lag_cause_word(enum lag_cause cause);

/* What was done for a partition since its grant. */
struct lookout_part {
    uint32_t part;
    uint64_t records;                   /* it has */
    uint64_t left;                      /* of these, when it was granted */
    uint64_t done, retried, refused;    /* records */
    uint64_t bytes;                     /* read and written */
    uint64_t errors;                    /* calls that failed in a transient way */
    int64_t began_us, checkpoint_us;    /* 0: nothing is worked on; no checkpoint yet */
    int64_t work_us;                    /* of `others`: taken together */
    int64_t again_us;                   /* between the tries */
    int64_t wait_us;                    /* for the rate or the budget */
    size_t step;                        /* that is being performed … */
    int64_t step_began_us;              /* … since then; 0: none is */
    int64_t step_wait_us;               /* of it, for the rate or the budget */
    int64_t step_us[OP_KIND_COUNT + 1]; /* by step; the last: between the steps */
    char said[160];                     /* by the last error */
};

struct lookout {
    pthread_mutex_t lock;      /* a leaf; guards what follows, and the parts of all executors */
    GPtrArray *at_work;        /* of struct lookout_part *, the executors' own */
    struct lookout_part ended; /* added up */
};

void lookout_init(struct lookout *lookout);
void lookout_done(struct lookout *lookout);
/* A new crew: nothing has ended. */
void lookout_begin(struct lookout *lookout);

/* An executor's partition: from its grant to the next one, or to the executor's end. */
void lookout_take(struct lookout *lookout, struct lookout_part *mine, const struct grant *grant, int64_t now_us);
void lookout_end(struct lookout *lookout, struct lookout_part *mine, int64_t now_us);
/* A step begins, or what is done between two of them (OP_KIND_COUNT); one took so long, apart from waiting. */
void lookout_step(struct lookout *lookout, struct lookout_part *mine, size_t step, int64_t now_us);
void lookout_stepped(struct lookout *lookout, struct lookout_part *mine, size_t step, int64_t us);
void lookout_waited(struct lookout *lookout, struct lookout_part *mine, int64_t us);
/* A call failed; it is tried again in so long. */
void lookout_error(struct lookout *lookout, struct lookout_part *mine, const GError *error);
void lookout_again(struct lookout *lookout, struct lookout_part *mine, int64_t us);
void lookout_checkpoint(struct lookout *lookout, struct lookout_part *mine, const struct checkpoint *row,
                        int64_t now_us);

struct lag {
    uint32_t part;
    int64_t since_ms; /* the caller's */
    enum lag_cause cause;
    uint64_t left;              /* records */
    double per_s, others_per_s; /* records; others: 0 where there are none */
    int64_t still_ms;           /* since its last checkpoint, or its grant */
    char *words;                /* one line; owned */
};
void lag_done(struct lag *lag);
/* Whether the partition lags; `others` are all others of the crew, added up. */
bool lag_of(const struct lookout_part *part, const struct lookout_part *others, int64_t now_us, struct lag *ret);
/* All that lag now, by partition: of struct lag, which the array frees. */
GArray *lookout_lags(struct lookout *lookout, int64_t now_us);
