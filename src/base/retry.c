#include "base/retry.h"

enum { BASE_US = 50000, CAP_US = 10000000 };

void retry_init(struct retry *retry, const struct world *world, int64_t budget_us)
{
    *retry = (struct retry){
        .started_us = world_monotonic_us(world),
        .budget_us = budget_us,
        .base_us = BASE_US,
        .cap_us = CAP_US,
    };
}

/* base × 2^attempts, at most the cap; no shift reaches the sign. */
static int64_t ceiling_us(const struct retry *retry)
{
    int64_t wait_us = retry->base_us;
    for (uint32_t i = 0; i < retry->attempts && wait_us < retry->cap_us; i++)
        wait_us *= 2;
    return MIN(wait_us, retry->cap_us);
}

bool retry_again(struct retry *retry, const struct world *world, const GError *error, int64_t *ret_wait_us)
{
    int64_t left_us = retry->started_us + retry->budget_us - world_monotonic_us(world);
    if (error_class(error) != ERROR_TRANSIENT || left_us <= 0)
        return false;
    uint64_t die;
    world_random(world, &die, sizeof die);
    int64_t wait_us = (int64_t)(die % (uint64_t)(ceiling_us(retry) + 1));
    retry->attempts++;
    *ret_wait_us = MIN(wait_us, left_us);
    return true;
}
