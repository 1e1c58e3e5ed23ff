/* The executor of production: one per worker thread. Performs each step in place and may block.
 *
 * What all workers of a process share stands in struct exec_shared; each has connections of its own to the stores.
 * Every step passes two kill points, `STEP.before` and `STEP.after`. */
#pragma once

#include "base/lock.h"
#include "catalog/together.h"
#include "run/crowd.h"
#include "run/govern.h"
#include "run/job.h"
#include "run/lookout.h"
#include "run/op.h"
#include "run/rate.h"
#include "verify/glance.h"

/* Sequences of the undo log: taken from the catalog in blocks, handed out without a gap in causality. */
struct sequences {
    pthread_mutex_t
        lock; /* rank: below everything; held over nothing but the catalog's own call when a block is used up */
    uint64_t next, end;
};

/* How often a step was performed, for how long its workers were busy with it (waiting included), and what they had of
 * the processor for making and performing it, over all threads. */
struct step_times {
    atomic_uint_fast64_t calls, busy_us, cpu_ns;
};

struct exec_shared {
    const struct world *world;
    const struct job *job;
    const char *home, *holder;
    struct act act; /* whose work it is */
    struct undo_log *undo;
    const struct undo_config *undo_config;
    struct quarantine *quarantine, *notes;
    struct glances *glances; /* owned. The verifier's, of the stage; NULL: its source is another dataset */
    struct sequences sequences;
    struct catalog_together together; /* grants and checkpoints of all workers, and the catalog that they share */
    struct sharing sharing;
    struct crowd crowd;
    struct lookout lookout; /* what the executors do, for who watches */
    struct rate rate;
    struct limits limits;
    struct budget budget;               /* of a forward job */
    struct govern *govern;              /* NULL: no store has a pace */
    atomic_uint_fast64_t calls, failed; /* of the stores, every try; those that failed in a transient way */
    /* The crew is to end: whoever waits, for the rate, its pace, its turn to try again, wakes and gives up what it
     * waits for. Not NULL while workers are at work. */
    const atomic_bool *stop;
    int64_t call_timeout_us;
    struct step_times times[OP_KIND_COUNT];
    struct step_times core; /* between the steps: transform, contract, decisions */
};

void exec_shared_init(struct exec_shared *shared);
void exec_shared_done(struct exec_shared *shared);

struct exec;

bool exec_new(struct exec **ret, struct exec_shared *shared, GError **error);
void exec_free(struct exec *exec);
AUTO_DEFINE(exec, exec_free)

/* Before a step is made: what the thread did since the last one was performed is taken for the core's, what it does
 * from here on for the step's. */
void exec_begin(struct exec *exec);
/* Performs the step, again and again where it is repeatable and fails in a transient way; fills in what comes back. */
void exec_perform(struct exec *exec, struct op *op);
