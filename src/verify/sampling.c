#include "verify/sampling.h"

#include <math.h>

#include "base/units.h"

#define ERROR_MOST 1e-6    /* relative, of a tail: see the header */
#define ROUNDS     8       /* of the Feistel network; four are proven for large ones, and strata may be small */
#define NOTHING    (-1000) /* the chance 2^-1000 */
#define NONE_BAD   0.97    /* of the mixture is for a kind of which none is bad */
#define FEW_BAD    10      /* times the share that is asked about: what the test is quickest to find */

/* A number above 0 that neither overflows nor vanishes: of `digits` × 2^exponent. */
struct scaled {
    double digits;
    int64_t exponent;
};

static struct scaled scaled_of(double digits, int64_t exponent)
{
    int by;
    digits = frexp(digits, &by);
    return (struct scaled){digits, exponent + by};
}

static struct scaled scaled_times(struct scaled a, struct scaled b)
{
    return scaled_of(a.digits * b.digits, a.exponent + b.exponent);
}

static double scaled_value(struct scaled a)
{
    int64_t exponent = a.exponent < -4000 ? -4000 : a.exponent > 4000 ? 4000 : a.exponent;
    return ldexp(a.digits, (int)exponent);
}

static struct scaled scaled_plus(struct scaled a, struct scaled b)
{
    bool first = a.exponent >= b.exponent;
    struct scaled large = first ? a : b, small = first ? b : a;
    small.exponent -= large.exponent;
    return scaled_of(large.digits + scaled_value(small), large.exponent);
}

static struct scaled scaled_power(double base, uint64_t times)
{
    struct scaled square = scaled_of(base, 0), product = scaled_of(1, 0);
    for (; times > 0; times >>= 1, square = scaled_times(square, square))
        if (times & 1)
            product = scaled_times(product, square);
    return product;
}

/* (top - j) / (bottom - j) for j below `factors`, all of them below 1. What is as good as nothing already may stay as
 * it is where nothing else is made of it. */
static struct scaled falling(uint64_t top, uint64_t bottom, uint64_t factors, bool alone)
{
    struct scaled product = scaled_of(1, 0);
    for (uint64_t j = 0; j < factors && !(alone && product.exponent < NOTHING); j++)
        product = scaled_times(product, scaled_of((double)(top - j) / (double)(bottom - j), 0));
    return product;
}

static double share_of(const struct sampling_frame *frame)
{
    return (double)frame->sample / (double)frame->population;
}

/* How many are found at least, and the chance of no more than that. */
static struct scaled fewest(const struct sampling_frame *frame, uint64_t bad, bool alone, uint64_t *ret_found)
{
    uint64_t all = frame->population, n = frame->sample, passed = all - n;
    *ret_found = 0;
    if (frame->stratified)
        return scaled_power(1 - share_of(frame), bad);
    if (bad <= passed)
        return bad < n ? falling(passed, all, bad, alone) : falling(all - bad, all, n, alone);
    *ret_found = bad - passed;
    return falling(bad, all, passed, false);
}

/* What the chance of `x` is to be multiplied by for that of x + 1. */
static double ratio_at(const struct sampling_frame *frame, uint64_t bad, uint64_t x)
{
    double left = (double)(bad - x) / (double)(x + 1);
    uint64_t passed = frame->population - frame->sample;
    if (frame->stratified)
        return left * share_of(frame) / (1 - share_of(frame));
    return left * (double)(frame->sample - x) / (double)(passed + x + 1 - bad);
}

double sampling_tail(const struct sampling_frame *frame, uint64_t bad, uint64_t found)
{
    uint64_t x;
    if (found >= bad || found >= frame->sample)
        return 1;
    if (frame->sample >= frame->population)
        return 0;
    struct scaled chance = fewest(frame, bad, found == 0, &x), sum = chance;
    if (x > found)
        return 0;
    for (; x < found; x++) {
        chance = scaled_times(chance, scaled_of(ratio_at(frame, bad, x), 0));
        sum = scaled_plus(sum, chance);
    }
    return MIN(scaled_value(sum) * (1 + ERROR_MOST), 1.0);
}

/* Hoeffding's bound holds where the mean is larger by one than what was found. */
static bool is_ruled_out(const struct sampling_frame *frame, uint64_t bad, uint64_t found, double confidence)
{
    if (frame->stratified && found > 0 && share_of(frame) * (double)bad < (double)found + 1)
        return false;
    return sampling_tail(frame, bad, found) <= (1 - confidence) * (1 - ERROR_MOST);
}

/* The fewest that are not fewer than that share. The text of a share is no binary fraction: what lies so near to a
 * whole number is that one. */
static uint64_t bad_at(uint64_t population, double below)
{
    double exact = (double)population * below * (1 - 1e-12);
    uint64_t bad = (uint64_t)exact;
    return MAX(bad + ((double)bad < exact), (uint64_t)1);
}

uint64_t sampling_size(uint64_t population, bool stratified, const struct sampling_wish *wish)
{
    uint64_t bad = bad_at(population, wish->below), low = 0, high = population;
    while (high - low > 1) { /* high is enough */
        struct sampling_frame frame = {population, low + (high - low) / 2, stratified};
        if (is_ruled_out(&frame, bad, 0, wish->confidence))
            high = frame.sample;
        else
            low = frame.sample;
    }
    return high;
}

/* By ever larger steps, so that no tail of more than twice as many is asked for; then halved. */
uint64_t sampling_bound(const struct sampling_frame *frame, uint64_t found, double confidence)
{
    uint64_t most = frame->population - frame->sample + found + 1; /* all that was not looked at, and one */
    uint64_t low = found, step = 1;
    while (low + step < most && !is_ruled_out(frame, low + step, found, confidence)) {
        low += step;
        step *= 2;
    }
    uint64_t high = MIN(low + step, most);
    while (high - low > 1) {
        uint64_t middle = low + (high - low) / 2;
        if (is_ruled_out(frame, middle, found, confidence))
            high = middle;
        else
            low = middle;
    }
    return high;
}

/* The logarithm of the mixture: what was met, if the share is p, against all the others that it may be. */
static double evidence(double bad, double right, double p)
{
    double others = log(1 - NONE_BAD) + lgamma(bad + 0.5) + lgamma(right + 0.5) - lgamma(bad + right + 1) - log(M_PI);
    if (bad > 0)
        others -= bad * log(p);
    else
        others = log(NONE_BAD + exp(others));
    return others - right * log1p(-p);
}

double sampling_share(double bad, double right, double confidence)
{
    enum { HALVINGS = 60 };
    double low = bad > 0 ? bad / (bad + right) : 0, high = 1,
           enough = -log(1 - confidence) * (1 + ERROR_MOST) + ERROR_MOST;
    for (int i = 0; right > 0 && i < HALVINGS; i++) {
        double middle = low + (high - low) / 2;
        if (evidence(bad, right, middle) >= enough)
            high = middle;
        else
            low = middle;
    }
    return high;
}

/* --- in rounds ---------------------------------------------------------------------------------------------------- */

#define WIDEN_MOST   3   /* times as many in the next round, */
#define WIDEN_LEAST  1.5 /* and so many at least: more than the next round's smaller part of the chance costs */
#define WIDEN_SPARE  1.1 /* of as many as it takes, for chance */
#define NEARLY_ALL   0.95
#define PROVEN_PART  2.0 /* one part in so many of 1 - confidence */
#define RARE_PART(r) ldexp(1, (int)(r) + 1)

static double surer(const struct sampling_wish *wish, double parts)
{
    return 1 - (1 - wish->confidence) / parts;
}

uint64_t sampling_first(uint64_t population, const struct sampling_wish *wish)
{
    const struct sampling_wish rare = {.confidence = surer(wish, RARE_PART(1)), .below = wish->below};
    return sampling_size(population, false, &rare);
}

enum sampling_standing sampling_standing(const struct sampling_wish *wish, const struct sampling_round *round,
                                         uint64_t looked)
{
    const struct sampling_frame frame = {round->population, round->sample, false};
    if (sampling_share(0, (double)looked, surer(wish, PROVEN_PART)) <= wish->each)
        return SAMPLING_PROVEN;
    bool rare =
        is_ruled_out(&frame, bad_at(round->population, wish->below), looked, surer(wish, RARE_PART(round->number)));
    return rare ? SAMPLING_RARE : SAMPLING_OPEN;
}

uint64_t sampling_next(const struct sampling_wish *wish, const struct sampling_round *round, uint64_t looked)
{
    double many = (double)round->sample, all = (double)round->population;
    double wanted = -log((1 - surer(wish, PROVEN_PART)) * NONE_BAD) / -log1p(-wish->each);
    double next = looked ? many * CLAMP(WIDEN_SPARE * wanted / (double)looked, WIDEN_LEAST, WIDEN_MOST) : all;
    return next >= NEARLY_ALL * all ? round->population : (uint64_t)next;
}

void sampling_share_words(double share, GString *into)
{
    double percent = share * 100, unit = 1;
    while (percent / unit >= 100)
        unit *= 10;
    while (percent / unit < 10 && unit > 1e-12)
        unit /= 10;
    uint64_t digits = (uint64_t)(percent / unit);
    digits += (double)digits < percent / unit - 1e-9;
    g_string_append_printf(into, "%.10g%%", (double)digits * unit);
}

/* --- which -------------------------------------------------------------------------------------------------------- */

static uint64_t mixed(uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t words[3] = {GUINT64_TO_LE(a), GUINT64_TO_LE(b), GUINT64_TO_LE(c)};
    return digest_bytes(slice_of(words, sizeof words), 0).low;
}

struct sampling_order sampling_order_of(uint64_t n, uint64_t key, uint64_t stratum)
{
    struct sampling_order order = {.n = n, .key = mixed(key, stratum, n), .half_bits = 1};
    while (order.half_bits < 32 && (n - (n > 0)) >> (2 * order.half_bits) > 0)
        order.half_bits++;
    return order;
}

/* Stafford's thirteenth mixer, as SplitMix64 has it (Steele, Lea and Flood 2014). */
static uint64_t round_of(const struct sampling_order *order, unsigned round, uint64_t half)
{
    uint64_t x = order->key + (half << 4 | round) * UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return (x ^ x >> 31) & ((UINT64_C(1) << order->half_bits) - 1);
}

static uint64_t through(const struct sampling_order *order, uint64_t value, bool back)
{
    uint64_t left = value >> order->half_bits, right = value & ((UINT64_C(1) << order->half_bits) - 1);
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t old = back ? left : right, other = back ? right : left;
        uint64_t made = other ^ round_of(order, back ? ROUNDS - 1 - i : i, old);
        left = back ? made : old;
        right = back ? old : made;
    }
    return left << order->half_bits | right;
}

static uint64_t walk(const struct sampling_order *order, uint64_t value, bool back)
{
    g_assert(value < order->n);
    do
        value = through(order, value, back);
    while (value >= order->n);
    return value;
}

uint64_t sampling_rank(const struct sampling_order *order, uint64_t place)
{
    return walk(order, place, false);
}

uint64_t sampling_place(const struct sampling_order *order, uint64_t rank)
{
    return walk(order, rank, true);
}

uint64_t sampling_of_stratum(uint64_t keys, uint64_t sample, uint64_t population)
{
    unsigned __int128 product = (unsigned __int128)keys * sample;
    return population ? (uint64_t)((product + population - 1) / population) : 0;
}

/* --- in between --------------------------------------------------------------------------------------------------- */

bool sampling_test_begin(struct sampling_test *ret, uint64_t population, uint64_t most,
                         const struct sampling_wish *wish)
{
    if (most >= population)
        return false;
    /* Of what is left at any time so large a share may be bad while all in all no more than `below` are. */
    double fair = (double)bad_at(population, wish->below) / (double)(population - most);
    if (fair >= 0.5)
        return false;
    double bad = MIN(FEW_BAD * fair, (1 + fair) / 2);
    *ret = (struct sampling_test){
        .bad = bad / fair, .good = (1 - bad) / (1 - fair), .ratio = 1, .enough = 1 / (1 - wish->confidence)};
    return true;
}

bool sampling_test_look(struct sampling_test *test, bool bad)
{
    if (test->ratio < test->enough)
        test->ratio *= bad ? test->bad : test->good;
    return test->ratio >= test->enough;
}

bool sampling_wish_parse(const char *text, struct sampling_wish *ret, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(text, ",", 4);
    struct sampling_wish wish = {0};
    double *const into[] = {&wish.confidence, &wish.below, &wish.each};
    size_t n = g_strv_length(parts);
    bool ok = n == 2 || n == 3;
    for (size_t i = 0; ok && i < n; i++)
        ok = units_parse_share(parts[i], into[i], NULL) && *into[i] > 0 && *into[i] < 1;
    if (ok) {
        *ret = wish;
        return true;
    }
    return error_set(error, SLUICE_ERROR_USAGE,
                     "'%s': expected how sure a sample must be, that fewer than which share differ, and, if it is "
                     "asked, of each size, age and shard by itself, such as 99.9%%,0.01%% or 99.9%%,0.01%%,5%%; each "
                     "above 0%% and below 100%%",
                     text);
}
