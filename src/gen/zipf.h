/* Ranks by Zipf's law: 1 of n comes most often, k comes k^-9/8 as often. Private to gen/.
 *
 * Rejection-inversion (W. Hörmann, G. Derflinger: Rejection-inversion to generate variates from monotone discrete
 * distributions, ACM TOMACS 6(3), 1996): constant memory and about 1.1 tries a draw, whatever n is.
 *
 * The same on every machine. Logarithms and powers of a C library differ in their last digits from one to the next, and
 * one digit decides now and then who is drawn. The exponent is therefore 9/8: its integral and the inverse of that need
 * only + - * / and sqrt, which IEEE 754 rounds exactly. What else could differ is refused when this is compiled:
 * doubles of another form, excess precision, -ffast-math; or switched off: contraction to fused multiply-add. The unit
 * test holds what a million draws of each of several n come to, and passes with gcc and clang, with and without
 * optimising and with the instructions of newer processors. */
#pragma once

#include "gen/chance.h"

struct zipf {
    double n, integral_first, integral_last, accept;
};

void zipf_init(struct zipf *zipf, uint64_t n);                  /* 1 to 2^40 */
uint64_t zipf_draw(const struct zipf *zipf, struct dice *dice); /* 0..n-1, 0 most often */
