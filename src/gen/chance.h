/* Chance that is the same on every machine: whole numbers out of a seed and a line's number. Private to gen/. */
#pragma once

#include <stdint.h>

/* splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014). */
struct dice {
    uint64_t state;
};

uint64_t dice_mixed(uint64_t z); /* a permutation of all 64-bit numbers that leaves no bit where it was */
struct dice dice_of(uint64_t seed, uint64_t line);
uint64_t dice_roll(struct dice *dice, uint64_t below); /* 0..below-1 */
double dice_share(struct dice *dice);                  /* a multiple of 2^-53, 0 or more and less than 1 */

/* A permutation of 0..n-1, so that numbers come in no order and none comes twice: another for every seed. */
uint64_t chance_shuffled(uint64_t seed, uint64_t n, uint64_t at);
