/* Exponential backoff with full jitter (after the AWS Architecture Blog's "Exponential Backoff And Jitter"), within a
 * budget of time. Pure: the caller sleeps. */
#pragma once

#include "base/world.h"

struct retry {
    uint32_t attempts;
    int64_t started_us, budget_us, base_us, cap_us;
};

void retry_init(struct retry *retry, const struct world *world, int64_t budget_us);

/* Whether `error` is transient and the budget allows another try; *ret_wait_us is how long to wait before it. */
bool retry_again(struct retry *retry, const struct world *world, const GError *error, int64_t *ret_wait_us);
