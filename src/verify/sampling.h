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
 * Of each kind by itself (`each`): a sample in rounds. Its keys are drawn from all partitions together, so that of
 * those of a kind that were met all orders are equally likely, whatever is known of which key is of which kind. Then
 *
 * - "proven": the first m of a kind are a sample without replacement of the kind, and if a share p of it is bad none of
 *   them is with a chance of at most (1-p)^m. How many were looked at in all depends on which kinds were met, and not
 *   on what was bad, as long as nothing is: so it may be decided on the way, at no loss. Half of 1 - confidence is for
 *   this.
 * - "rare": the kind's number among those drawn is hypergeometric; that it is fewer than the share `below` of all is
 *   asked after each round, of the r-th with 2^-(r+1) of 1 - confidence: half of it in all.
 * - A sample that passes met nothing bad. If then some kind that is `below` of all or more is bad to the share `each`
 * or more, that very kind was wrongly called proven, or wrongly rare: the chance is at most 1 - confidence however many
 *   kinds there are, for the pass asks all of them.
 * - What is said of a kind by its numbers at the end (sampling_share()) holds although it ends with the first round
 * that meets something bad: let r be the first round where the bound of none bad would be wrong. Before it no bound is
 *   wrong, for what is met only makes it larger; one that ends there is wrong where as few were bad as a sample of that
 *   size alone may have; one that ends later had none bad in round r, which is among those few.
 * - Of all together the first round alone says the bound: which kinds there are may depend on what is bad. A later
 * round is reached only where nothing was bad in it; so the same holds.
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
    double each; /* of each kind that is `below` of all or more fewer than this; 0: nothing is asked of kinds */
};

/* From "99.9%,0.01%", or "99.9%,0.01%,5%". USAGE where it is no such text. */
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

/* --- in rounds ---------------------------------------------------------------------------------------------------- */

/* The keys drawn when it ended. */
struct sampling_round {
    uint64_t population, sample;
    unsigned number; /* from 1 on; 0: the sample has no rounds */
};
enum sampling_standing {
    SAMPLING_OPEN,   /* too few of it were looked at to say */
    SAMPLING_PROVEN, /* fewer than the share `each` of it are bad */
    SAMPLING_RARE,   /* fewer than the share `below` of all are of it */
};

/* The keys of the first round: of what is not met in it that it is rare is proven. */
uint64_t sampling_first(uint64_t population, const struct sampling_wish *wish);
/* Of a kind of which so many were looked at, none of them bad. */
enum sampling_standing sampling_standing(const struct sampling_wish *wish, const struct sampling_round *round,
                                         uint64_t looked);
/* The keys of the next one, where of the rarest kind that is open so many were looked at; 0: nothing less than all
 * will do. At most three times as many as so far, for a kind that was met by chance turns out to be rare. */
uint64_t sampling_next(const struct sampling_wish *wish, const struct sampling_round *round, uint64_t looked);

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
