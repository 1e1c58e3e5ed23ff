/* What live requests take while no worker writes: the latencies of a probe in lulls, the last dozen of them.
 *
 * A lull in which the world had a bad moment of its own (moments.h) is left out, so that an incident does not widen the
 * promise. What is felt in the first moments of a lull is still the workers'
 * queue and counts for nothing; what is felt between lulls never comes here, so that the baseline cannot learn from
 * sluice's own effect. A lull that lasts is cut into parts, each of which counts for half a lull: three seconds
 * in one go are of one moment of the day, and would outweigh the next minute. Caller's storage; one thread at a time.
 */
#pragma once

#include "pace/histogram.h"

#include <stdbool.h>

enum {
    BASELINE_LULLS = 12,
    BASELINE_KEPT = 16,        /* of whatever length */
    BASELINE_LULL_US = 500000, /* a lull that lasts longer is in parts */
    BASELINE_DRAIN_US = 20000,
    BASELINE_FIRST = 6, /* lulls or parts, before the first write */
};

struct baseline {
    struct baseline_lull {
        struct histogram felt;
        bool part;
    } of[BASELINE_KEPT]; /* a ring */
    unsigned first, n;
    struct histogram now, pooled; /* the lull that is; those that count */
    bool in_lull, lasts;          /* lasts: it has been cut */
    int64_t from_us;
};

void baseline_init(struct baseline *baseline);
void baseline_begin(struct baseline *baseline, int64_t now_us);
void baseline_end(struct baseline *baseline, int64_t now_us);
/* A probe that was due at `due_us`, in a lull. */
void baseline_probe(struct baseline *baseline, int64_t due_us, int64_t now_us);
bool baseline_known(const struct baseline *baseline); /* from enough lulls */
double baseline_quantile(const struct baseline *baseline, double q);
