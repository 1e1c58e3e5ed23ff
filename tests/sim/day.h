/* A day of operation: a run on a cluster with live writes, its operator, and all that goes wrong, in virtual time.
 *
 * The seed draws the spec (stages, soaks, approvals, hours, a rate), who writes what and when, which process dies
 * where, when a machine loses its power, a clock jumps, a shard fails over, is cut off or lags, and what the operator
 * does. At each write that takes effect the promises are looked at:
 *
 *   1  it rests on what the application wrote last                 2  the transform was applied to it once
 *   3  on the way back what stood before is what is written       4  no write while a guard, a person or the hours say
 * no 5  every earlier stage has passed                              6  a stage that has passed is not written again,
 *                                                                    unless servers were replaced
 *
 * and 7 at each end of a process: the ledger is a chain that has every head that was ever told. At the end of the day
 * each record is what the run and the application have made of it, and `verify` says so.
 *
 * A day with a shadow: no stage writes what is live; nothing goes live before somebody has said so and every gate has
 * passed; what goes live is held to 1, 2 and 4 as any write is; at the end nothing is left of the shadow.
 * A day of repairs: behind the end of the run servers lose what it wrote; a repair is held to all of this, and writes
 * over nothing that came after its verification. It may be taken back, and is then needed once more. */
#pragma once

#include "sim/cluster.h"

struct day_met {
    struct cluster_met cluster;
    uint64_t deaths, powers, forgotten, pauses, resumes, approvals, halts, failures, refused, jumps, done, back;
    uint64_t shadows, promoted, unpromoted; /* that waited; records that went live, and that were taken back */
    uint64_t repairs, unrepairs, repaired;  /* runs, those taken back, records */
    uint64_t mended;                        /* promotions that were repaired */
    uint64_t virtual_ms, turns, trace;
};

/* NULL: every promise held, and *met is filled in; else what did not, in words: the caller frees. */
char *day_live(uint64_t seed, struct day_met *met);
