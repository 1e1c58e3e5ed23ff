/* How fast a budget is used: the largest share of one of its amounts (records, bytes, money) that was used within the
 * last so long. It knows what its process has seen, and what it is told of the time before: what else was used counts
 * as long ago.
 *
 * Pure: times are microseconds of any monotonic clock. One thread at a time; zeroed at first. */
#pragma once

#include "spec/spec.h"

#define BURN_STEPS 64u /* of the time: what is a step older than it may count still */

struct burn {
    struct spec_budget at[BURN_STEPS + 1]; /* a ring */
    int64_t at_us[BURN_STEPS + 1];
    size_t first, n;
};

/* What was used at some time. */
struct burnt {
    int64_t at_us; /* may be negative: the clock began later */
    struct spec_budget used;
};
/* What was used before anybody looked, in order, of `used` in all; what it knew is forgotten. */
void burn_recall(struct burn *burn, const struct spec_budget *used, const struct burnt *burnt, size_t n);

/* 0..: of `limit`, whose burn.ms is the time. */
double burn_share(struct burn *burn, const struct spec_budget *limit, const struct spec_budget *used, int64_t now_us);
