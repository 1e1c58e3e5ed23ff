#include "gen/chance.h"

uint64_t dice_mixed(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

struct dice dice_of(uint64_t seed, uint64_t line)
{
    return (struct dice){.state = dice_mixed(dice_mixed(seed) ^ line)};
}

static uint64_t next(struct dice *dice)
{
    dice->state += UINT64_C(0x9e3779b97f4a7c15);
    return dice_mixed(dice->state);
}

uint64_t dice_roll(struct dice *dice, uint64_t below)
{
    return next(dice) % below;
}

double dice_share(struct dice *dice)
{
    return (double)(next(dice) >> 11) * 0x1p-53;
}

/* Four rounds of a Feistel network over the least even number of bits, walked on until it is within. */
uint64_t chance_shuffled(uint64_t seed, uint64_t n, uint64_t at)
{
    unsigned half = 1;
    while ((UINT64_C(1) << (2 * half)) < n)
        half++;
    uint64_t mask = (UINT64_C(1) << half) - 1;
    do {
        uint64_t left = at >> half, right = at & mask;
        for (uint64_t round = 1; round <= 4; round++) {
            uint64_t mixed = left ^ (dice_mixed(right ^ dice_mixed(seed + round)) & mask);
            left = right;
            right = mixed;
        }
        at = left << half | right;
    } while (at >= n);
    return at;
}
