/* What live requests take while no worker writes: the latencies of a probe in lulls, the last dozen of them.
 *
 * A lull in which the world had a bad moment of its own (its p95 lies far above that of the median lull) is left out,
 * so that an incident does not widen the promise. What is felt in the first moments of a lull is still the workers'
 * queue and counts for nothing; what is felt between lulls never comes here, so that the baseline cannot learn from
 * sluice's own effect. A lull that lasts is cut into several. Caller's storage; one thread at a time. */
#pragma once

#include "pace/histogram.h"

#include <stdbool.h>

enum {
    BASELINE_LULLS = 12,
    BASELINE_LULL_US = 500000, /* a lull that lasts longer is more than one */
    BASELINE_DRAIN_US = 20000,
    BASELINE_FIRST = 6, /* lulls, before the first write */
};

struct baseline {
    struct histogram of[BASELINE_LULLS]; /* a ring */
    unsigned first, n;
    struct histogram now, pooled; /* the lull that is; those that count */
    bool in_lull;
    int64_t from_us;
};

void baseline_init(struct baseline *baseline);
void baseline_begin(struct baseline *baseline, int64_t now_us);
void baseline_end(struct baseline *baseline, int64_t now_us);
/* A probe that was due at `due_us`, in a lull. */
void baseline_probe(struct baseline *baseline, int64_t due_us, int64_t now_us);
bool baseline_known(const struct baseline *baseline); /* from enough lulls */
double baseline_quantile(const struct baseline *baseline, double q);
