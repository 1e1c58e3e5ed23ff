/* Samples with a stated bound: how many keys must be looked at, which, and what their being right proves. Pure.
 *
 * The population is the keys of a verification, in strata: its partitions, which lie one behind the other in the order
 * of the store (Valkey and Redis: by slot, hence by shard) or of the files (hence, of an archive, by age). Of each
 * stratum the same share is looked at, rounded up, without replacement. What is not known before a record is read (the
 * size of its value, its age) is drawn by chance within the stratum.
 *
 * - One stratum: what is found is hypergeometric, and so are the size and the bound (Clopper and Pearson 1934, by the
 *   finite population's own distribution).
 * - Several: the number found is a sum of independent Bernoulli trials (Vatutin and Mikhailov 1982), no more likely to
 *   be small than the binomial of the bad keys and the smallest share looked at, wherever the bad ones lie (Hoeffding
 *   1956, theorem 4, which asks that the mean be larger by one than what was found; of none found it is (1-f)^D).
 * - A kind of records that shows only when they are read (large, old), of which nobody knows how many there are: of its
 *   share p that is bad. Let q be another share, and let each bad one met count q/p and each right one (1-q)/(1-p), or,
 *   in a partition of which more is looked at than the smallest share f of any, as 1 + (that - 1) f/f_j. The product
 * has a mean of at most 1, whatever the partitions hold: exp of a sum over a sample without replacement has no greater
 *   mean than with (Hoeffding 1963, theorem 4), there it is Π (1 + (…))^n_j, and by ln(1+u) <= u the exponents add up
 * to n f (p (q/p - 1) + (1-p) ((1-q)/(1-p) - 1)) = 0. A mixture over q that is chosen beforehand has a mean of at most
 * 1 too, so that it passes 1/(1-confidence) with no greater chance than 1 - confidence (Markov): a p where it does is
 *   ruled out. 0.97 of the mixture are q = 0, the rest Beta(1/2, 1/2): where none was bad the bound is that of
 *   Clopper and Pearson, at 95 % and above within a hundredth of it. As ln(1 + f/f_j v) >= f/f_j ln(1 + v), a record of
 * such a partition may count as f/f_j of one.
 *
 * Which keys: those whose rank under a keyed permutation of their stratum's places is below the stratum's number
 * (a Feistel network, Luby and Rackoff 1988, walked until it stays inside, Black and Rogaway 2002): asked along a
 * listing without memory, turned round to find the n-th.
 *
 * The test that may be looked at after every record is Wald's ratio of likelihoods (1945) for keys in random order: its
 * upper bound alone, 1/(1-confidence), which it passes with no greater chance (Ville 1939) while no more than
 * the share that was asked for differ. It ends a bad sample early; it never ends a good one.
 *
 * Arithmetic: only +, -, *, /, frexp and ldexp of IEEE doubles, each right to half a unit in the last place. A tail is
 * at most 3(k + log2 D) of them and D roundings of 1-f: for fewer than 10^9 bad keys and k < 10^6 found the relative
 * error is below 10^-6, and every comparison gives that much away. */
#pragma once

#include "record/digest.h"

struct sampling_wish {
    double confidence, below; /* shares; confidence 0: no sample, everything */
};

/* From "99.9%,0.01%". USAGE where it is no such text. */
bool sampling_wish_parse(const char *text, struct sampling_wish *ret, GError **error);

/* Of what was, or would be, looked at. */
struct sampling_frame {
    uint64_t population, sample;
    bool stratified; /* then sample / population is the smallest share of any stratum */
};

/* The chance of finding at most `found` bad ones where there are `bad`; from above, by the error that is stated. */
double sampling_tail(const struct sampling_frame *frame, uint64_t bad, uint64_t found);
/* How many must be looked at so that, where none of them is bad, fewer than the share `below` are, that surely: at most
 * the population. */
uint64_t sampling_size(uint64_t population, bool stratified, const struct sampling_wish *wish);
/* As surely as that there are fewer bad ones than this, where so many were found. */
uint64_t sampling_bound(const struct sampling_frame *frame, uint64_t found, double confidence);

/* Of a kind of records: more than this share of it is not bad, as surely, where so many were met, each weighed by
 * f/f_j. By logarithms, which are off by less than the 10^-6 that every comparison gives away. */
double sampling_share(double bad, double right, double confidence);
/* "0.031%": upwards, to two digits. */
void sampling_share_words(double share, GString *into);

/* --- which -------------------------------------------------------------------------------------------------------- */

/* A permutation of 0 … n - 1. */
struct sampling_order {
    uint64_t n, key;
    unsigned half_bits;
};

struct sampling_order sampling_order_of(uint64_t n, uint64_t key, uint64_t stratum);
uint64_t sampling_rank(const struct sampling_order *order, uint64_t place);
uint64_t sampling_place(const struct sampling_order *order, uint64_t rank);

/* Of a stratum of `keys`: how many of them, where `sample` of `population` are looked at. */
uint64_t sampling_of_stratum(uint64_t keys, uint64_t sample, uint64_t population);

/* --- in between --------------------------------------------------------------------------------------------------- */

struct sampling_test {
    double bad, good; /* what one of them makes of the ratio */
    double ratio, enough;
};

/* false: of so few keys no test says anything. `most`: how many will be looked at. */
bool sampling_test_begin(struct sampling_test *ret, uint64_t population, uint64_t most,
                         const struct sampling_wish *wish);
/* In random order. true: more than that share differ, that surely; and it stays true. */
bool sampling_test_look(struct sampling_test *test, bool bad);
