/* Exponential backoff with full jitter (after the AWS Architecture Blog's "Exponential Backoff And Jitter"), within a
 * budget of time. Pure: the caller sleeps. */
#pragma once

#include "base/world.h"

struct retry {
    uint32_t attempts; /* retries granted so far */
    int64_t started_us, budget_us, base_us, cap_us;
};

/* base_us and cap_us have defaults (50 ms, 10 s) that may be changed after this. */
void retry_init(struct retry *retry, const struct world *world, int64_t budget_us);

/* Whether `error` is transient and the budget allows another try; *ret_wait_us is how long to wait before it. The last
 * wait is cut so that the last try begins within the budget. */
bool retry_again(struct retry *retry, const struct world *world, const GError *error, int64_t *ret_wait_us);
