/* How many different values there are, about: HyperLogLog in 4 KiB, with a standard error of 1.6 %.
 *
 * P. Flajolet, É. Fusy, O. Gandouet, F. Meunier: "HyperLogLog: the analysis of a near-optimal cardinality estimation
 * algorithm", AofA 2007; the estimate is O. Ertl's improved one ("New cardinality estimation algorithms for HyperLogLog
 * sketches", arXiv 1702.01284, algorithm 6), which needs no tables against bias. Pure. */
#pragma once

#include <stdint.h>

#define DISTINCT_BITS      12
#define DISTINCT_REGISTERS (1u << DISTINCT_BITS)

struct distinct {
    uint8_t registers[DISTINCT_REGISTERS]; /* zeros: nothing was added */
};

void distinct_add(struct distinct *distinct, uint64_t hash); /* of the value: 64 bits that look random */
void distinct_merge(struct distinct *into, const struct distinct *from);
double distinct_estimate(const struct distinct *distinct);
