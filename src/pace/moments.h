/* Moments: some hundred probes one after the other, half a second of them, and which of them are as the others are.
 *
 * A world has bad moments of its own: a fork, a log rewrite, another tenant. One whose p95 lies far above that of the
 * median moment is not usual. The baseline leaves such out, and so does what the tail is learnt from, which is held
 * against it: were it the baseline alone, each of them would teach a tail that is the world's. What lasts for more than
 * half of the newest moments is usual. Caller's storage; one thread at a time. */
#pragma once

#include "pace/histogram.h"

#include <stdbool.h>

enum { MOMENTS_NEWEST = 8, MOMENTS_MOST = 16, MOMENT_PROBES = 100 };

struct moment {
    double p95_us, weight;
};
/* What the p95 of a usual one is at most, of `n` (one to MOMENTS_MOST) of these. */
double moments_most_us(const struct moment of[], unsigned n);

/* All zero: none. */
struct moments {
    struct histogram now;             /* the moment that is */
    struct moment of[MOMENTS_NEWEST]; /* a ring */
    unsigned next, n;
};

/* A probe more; true: with it a moment has ended, it is usual among the newest, and *ret is what was felt in it. */
bool moments_probe(struct moments *moments, double us, struct histogram *ret);
