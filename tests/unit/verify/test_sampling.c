/* Samples with a stated bound, held against brute force: every distribution, every outcome, in exact integers. */
#include <math.h>

#include "kit/kit.h"
#include "verify/verify_parts.h"

static double choose(uint64_t n, uint64_t k)
{
    double product = 1;
    if (k > n)
        return 0;
    for (uint64_t i = 1; i <= k; i++)
        product = product * (double)(n - k + i) / (double)i; /* whole at each step: exact for what is asked here */
    return product;
}

/* The chance of exactly x bad ones among n of all. */
static double chance(uint64_t all, uint64_t n, uint64_t bad, uint64_t x)
{
    return x > bad || n < x ? 0 : choose(bad, x) * choose(all - bad, n - x) / choose(all, n);
}

static double tail(uint64_t all, uint64_t n, uint64_t bad, uint64_t found)
{
    double sum = 0;
    for (uint64_t x = 0; x <= found; x++)
        sum += chance(all, n, bad, x);
    return sum;
}

static void a_tail_is_that_of_the_finite_population(void **state)
{
    for (uint64_t all = 1; all <= 24; all++)
        for (uint64_t n = 1; n < all; n++)
            for (uint64_t bad = 1; bad <= all; bad++)
                for (uint64_t found = 0; found < bad; found++) {
                    struct sampling_frame frame = {all, n, false};
                    double exact = MIN(tail(all, n, bad, found), 1.0), told = sampling_tail(&frame, bad, found);
                    assert_true(told >= exact * (1 - 1e-9)); /* the brute force rounds too */
                    assert_true(told <= exact * (1 + 3e-6));
                }
}

static void a_size_is_the_smallest_that_proves_it(void **state)
{
    static const struct sampling_wish WISHES[] = {{0.999, 0.01}, {0.95, 0.05}, {0.9, 0.3}, {0.99, 0.001}};
    for (size_t w = 0; w < G_N_ELEMENTS(WISHES); w++)
        for (uint64_t all = 1; all <= 60; all++) {
            double alpha = 1 - WISHES[w].confidence;
            uint64_t n = sampling_size(all, false, &WISHES[w]), bad = 1;
            while ((double)bad < (double)all * WISHES[w].below - 1e-9)
                bad++;
            assert_true(n == all || tail(all, n, bad, 0) <= alpha);
            assert_true(n == 1 || tail(all, n - 1, bad, 0) > alpha * (1 - 1e-5));
        }
}

/* Against logarithms of the gamma function, by another program. */
static void sizes_of_large_populations(void **state)
{
    static const struct {
        uint64_t population;
        struct sampling_wish wish;
        bool stratified;
        uint64_t size;
    } ROWS[] = {
        {1000000, {0.999, 0.0001}, false, 66743}, {1000000000, {0.999, 0.0001}, false, 69072},
        {5000, {0.999, 0.01}, false, 643},        {100000, {0.95, 0.01}, false, 298},
        {1000000, {0.999, 0.0001}, true, 66746},  {1000000000, {0.999, 0.0001}, true, 69076},
        {5000, {0.999, 0.01}, true, 646},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++)
        assert_int_equal(sampling_size(ROWS[i].population, ROWS[i].stratified, &ROWS[i].wish), ROWS[i].size);
    struct sampling_wish half = {0.999999, 0.5};
    assert_in_range(sampling_size(UINT64_C(1) << 40, false, &half), 20, 21);
}

/* What is promised: of any set of bad keys, wherever in the strata they lie, the bound is too small that rarely. */
#define STRATA 3

static double too_small(const struct sampling_frame *frame, const uint64_t *all, const uint64_t *bad, double confidence)
{
    uint64_t n[STRATA], sum = bad[0] + bad[1] + bad[2], x[STRATA];
    double missed = 0;
    for (int i = 0; i < STRATA; i++)
        n[i] = sampling_of_stratum(all[i], frame->sample, frame->population);
    for (x[0] = 0; x[0] <= bad[0]; x[0]++)
        for (x[1] = 0; x[1] <= bad[1]; x[1]++)
            for (x[2] = 0; x[2] <= bad[2]; x[2]++) {
                double p = 1;
                for (int i = 0; i < STRATA; i++)
                    p *= chance(all[i], n[i], bad[i], x[i]);
                if (p > 0 && sampling_bound(frame, x[0] + x[1] + x[2], confidence) <= sum)
                    missed += p;
            }
    return missed;
}

static void a_bound_holds_wherever_the_bad_ones_lie(void **state)
{
    static const uint64_t ALL[][STRATA] = {{4, 5, 6}, {1, 2, 12}, {7, 7, 0}, {12, 0, 0}};
    for (size_t i = 0; i < G_N_ELEMENTS(ALL); i++) {
        uint64_t keys = ALL[i][0] + ALL[i][1] + ALL[i][2], bad[STRATA];
        for (uint64_t n = 1; n < keys; n += 2)
            for (bad[0] = 0; bad[0] <= ALL[i][0]; bad[0]++)
                for (bad[1] = 0; bad[1] <= ALL[i][1]; bad[1]++)
                    for (bad[2] = 0; bad[2] <= ALL[i][2]; bad[2]++) {
                        struct sampling_frame frame = {keys, n, ALL[i][1] > 0};
                        assert_true(too_small(&frame, ALL[i], bad, 0.9) <= 0.1 + 1e-9);
                        assert_true(too_small(&frame, ALL[i], bad, 0.3) <= 0.7 + 1e-9);
                    }
    }
}

static void a_bound_says_more_the_more_is_looked_at(void **state)
{
    for (int stratified = 0; stratified < 2; stratified++)
        for (uint64_t found = 0; found < 400; found += 57) {
            struct sampling_frame few = {1000000, 20000, stratified}, many = {1000000, 60000, stratified};
            uint64_t wide = sampling_bound(&few, found, 0.999), narrow = sampling_bound(&many, found, 0.999);
            assert_true(narrow < wide);
            assert_true(narrow > found);
            assert_true(sampling_bound(&few, found + 1, 0.999) > wide);
        }
    struct sampling_frame everything = {1000, 1000, false};
    assert_int_equal(sampling_bound(&everything, 0, 0.999), 1);
}

/* --- of a kind ---------------------------------------------------------------------------------------------------- */

/* A partition, and what of it is of the kind that is asked about. */
struct part_of_kind {
    uint64_t keys, bad, right;
};

static uint64_t looked_at(const struct part_of_kind *parts, size_t n, size_t i, uint64_t sample)
{
    uint64_t all = 0;
    for (size_t k = 0; k < n; k++)
        all += parts[k].keys;
    return sampling_of_stratum(parts[i].keys, sample, all);
}

static double share_of_kind(const struct part_of_kind *parts, size_t n)
{
    double bad = 0, right = 0;
    for (size_t i = 0; i < n; i++) {
        bad += (double)parts[i].bad;
        right += (double)parts[i].right;
    }
    return bad / (bad + right);
}

static double weight_of(const struct part_of_kind *parts, size_t n, size_t i, uint64_t sample)
{
    g_autofree uint64_t *first = g_new0(uint64_t, n + 1), *ahead = g_new0(uint64_t, n + 1);
    g_autofree struct verify_part *of = g_new0(struct verify_part, n);
    struct verify_input input = {.parts = of, .n_parts = n};
    for (size_t k = 0; k < n; k++)
        first[k + 1] = first[k] + parts[k].keys;
    struct draw draw = {.frame = {first[n], sample, true}, .first = first, .ahead = ahead};
    return draw_weight(&draw, &input, &of[i]);
}

/* The chance that what is told of the kind is too little, by every outcome of two partitions. */
static double told_too_little(const struct part_of_kind *parts, uint64_t sample, double confidence)
{
    uint64_t n[] = {looked_at(parts, 2, 0, sample), looked_at(parts, 2, 1, sample)}, x[2], y[2];
    double weight[] = {weight_of(parts, 2, 0, sample), weight_of(parts, 2, 1, sample)}, missed = 0;
    for (x[0] = 0; x[0] <= MIN(parts[0].bad, n[0]); x[0]++)
        for (y[0] = 0; y[0] <= MIN(parts[0].right, n[0] - x[0]); y[0]++)
            for (x[1] = 0; x[1] <= MIN(parts[1].bad, n[1]); x[1]++)
                for (y[1] = 0; y[1] <= MIN(parts[1].right, n[1] - x[1]); y[1]++) {
                    double p = 1, bad = 0, right = 0;
                    for (int i = 0; i < 2; i++) {
                        uint64_t rest = parts[i].keys - parts[i].bad - parts[i].right;
                        p *= choose(parts[i].bad, x[i]) * choose(parts[i].right, y[i]) *
                             choose(rest, n[i] - x[i] - y[i]) / choose(parts[i].keys, n[i]);
                        bad += weight[i] * (double)x[i];
                        right += weight[i] * (double)y[i];
                    }
                    double told = sampling_share(bad, right, confidence);
                    if (p > 0 && told < 1 && told <= share_of_kind(parts, 2)) /* 1: nothing is told */
                        missed += p;
                }
    return missed;
}

static void a_share_of_a_kind_holds_wherever_it_lies_and_however_much_of_it_there_is(void **state)
{
    static const uint64_t SIZES[][2] = {{3, 9}, {1, 11}, {6, 6}};
    static const double SURE[] = {0.9, 0.5};
    for (size_t i = 0; i < G_N_ELEMENTS(SIZES); i++)
        for (uint64_t a = 0; a <= SIZES[i][0]; a += 1 + SIZES[i][0] / 3)
            for (uint64_t b = 1; b <= SIZES[i][1]; b += 3)
                for (uint64_t sample = 1; sample < 12; sample += 3)
                    for (size_t k = 0; k < G_N_ELEMENTS(SURE); k++) {
                        const struct part_of_kind parts[] = {{SIZES[i][0], a, SIZES[i][0] - a},
                                                             {SIZES[i][1], b, (SIZES[i][1] - b) / 2}};
                        assert_true(told_too_little(parts, sample, SURE[k]) <= 1 - SURE[k] + 1e-9);
                    }
}

/* What one draw tells of the kind, by the permutation that draws. The kind's bad ones stand first in a partition. */
static double draw_and_tell(const struct part_of_kind *parts, size_t n, uint64_t sample, uint64_t key,
                            double confidence)
{
    double bad = 0, right = 0;
    for (size_t i = 0; i < n; i++) {
        struct sampling_order order = sampling_order_of(parts[i].keys, key, i + 1);
        uint64_t taken = looked_at(parts, n, i, sample);
        double weight = weight_of(parts, n, i, sample);
        for (uint64_t rank = 0; rank < taken; rank++) {
            uint64_t place = sampling_place(&order, rank);
            bad += place < parts[i].bad ? weight : 0;
            right += place >= parts[i].bad && place < parts[i].bad + parts[i].right ? weight : 0;
        }
    }
    return sampling_share(bad, right, confidence);
}

/* Bad ones in a large partition of which little is looked at, right ones in small ones of which much is; and others. */
static void of_many_draws_no_more_are_wrong_than_the_confidence_allows(void **state)
{
    enum { DRAWS = 2000, SMALL = 60 };
    static const struct part_of_kind LARGE[] = {{1000, 30, 0}, {1000, 30, 300}, {600, 60, 540}, {400, 400, 0}};
    const double confidence = 0.8, most = DRAWS * (1 - confidence) + 4 * sqrt(DRAWS * (1 - confidence) * confidence);
    for (size_t i = 0; i < G_N_ELEMENTS(LARGE); i++) {
        struct part_of_kind parts[1 + SMALL] = {LARGE[i]};
        unsigned wrong = 0;
        for (int k = 1; k <= SMALL; k++)
            parts[k] = (struct part_of_kind){3, 0, 3};
        for (uint64_t key = 0; key < DRAWS; key++)
            wrong += draw_and_tell(parts, G_N_ELEMENTS(parts), 50, key, confidence) <=
                     share_of_kind(parts, G_N_ELEMENTS(parts));
        assert_true(wrong <= most);
    }
}

/* As sharp as Clopper and Pearson where none is bad, and near what was found where some are. */
static void a_share_of_a_kind_is_no_larger_than_it_has_to_be(void **state)
{
    static const double SURE[] = {0.95, 0.999};
    for (size_t k = 0; k < G_N_ELEMENTS(SURE); k++)
        for (double right = 30; right < 1e7; right *= 3) {
            double told = sampling_share(0, right, SURE[k]), exact = 1 - pow(1 - SURE[k], 1 / right);
            assert_true(told >= exact && told <= exact * 1.011);
            assert_true(sampling_share(right / 10, right, SURE[k]) > 1.0 / 11);
        }
    assert_true(sampling_share(500, 9500, 0.95) < 0.062);
    assert_true(sampling_share(3, 0, 0.95) >= 1 && sampling_share(0, 0, 0.95) >= 1);
    g_autoptr(GString) words = g_string_new(NULL);
    sampling_share_words(0.00030512, words);
    assert_string_equal(words->str, "0.031%");
}

/* --- in rounds ---------------------------------------------------------------------------------------------------- */

enum { OF_ALL = 1500, KINDS = 2 };

/* Records of two kinds, in the order of their places: the bad ones of the first kind, its right ones, those of the
 * second likewise, and others, none of which is bad. */
struct kinds {
    uint64_t bad[KINDS], right[KINDS];
};
struct rounds_end {
    bool passed;            /* it is known of each kind what was asked, and none bad was met */
    bool told_wrong[KINDS]; /* the share that is told of the kind is one that it does not have */
    uint64_t drawn, met[KINDS];
};

static void look_at_place(const struct kinds *kinds, uint64_t place, uint64_t bad[KINDS], uint64_t right[KINDS])
{
    for (int k = 0; k < KINDS; k++) {
        if (place < kinds->bad[k] + kinds->right[k]) {
            (*(place < kinds->bad[k] ? &bad[k] : &right[k]))++;
            return;
        }
        place -= kinds->bad[k] + kinds->right[k];
    }
}

/* As verify/chosen.c and verify/strata.c do it. */
static struct rounds_end draw_in_rounds(const struct kinds *kinds, const struct sampling_wish *wish, uint64_t key)
{
    struct sampling_order order = sampling_order_of(OF_ALL, key, 0);
    struct sampling_round round = {OF_ALL, sampling_first(OF_ALL, wish), 1};
    struct rounds_end end = {0};
    uint64_t bad[KINDS] = {0}, right[KINDS] = {0};
    for (bool open = true; open; round.number++) {
        uint64_t rarest = UINT64_MAX;
        for (; end.drawn < round.sample; end.drawn++)
            look_at_place(kinds, sampling_place(&order, end.drawn), bad, right);
        for (int k = 0; k < KINDS; k++)
            if (right[k] && sampling_standing(wish, &round, right[k]) == SAMPLING_OPEN)
                rarest = MIN(rarest, right[k]);
        end.passed = bad[0] + bad[1] == 0;
        open = end.passed && rarest != UINT64_MAX && round.sample < OF_ALL;
        round.sample = open ? sampling_next(wish, &round, rarest) : round.sample;
    }
    for (int k = 0; k < KINDS; k++) {
        double told = sampling_share((double)bad[k], (double)right[k], wish->confidence), of = 1;
        of *= (double)(kinds->bad[k] + kinds->right[k]);
        end.met[k] = bad[k] + right[k];
        end.told_wrong[k] = of > 0 && told < 1 && told <= (double)kinds->bad[k] / of;
    }
    return end;
}

/* The worst that may be: a kind no larger, and no worse, than what was asked; two such; all of a small one. */
static void what_passes_in_rounds_is_as_sure_of_each_kind(void **state)
{
    enum { DRAWS = 1500 };
    static const struct kinds KINDS_OF[] = {
        {{15, 0}, {45, 0}}, {{15, 15}, {45, 45}}, {{60, 0}, {0, 0}}, {{60, 30}, {0, 90}}, {{100, 1}, {300, 1}}};
    static const struct sampling_wish WISHES[] = {{0.8, 0.04, 0.25}, {0.5, 0.04, 0.25}};
    for (size_t w = 0; w < G_N_ELEMENTS(WISHES); w++)
        for (size_t i = 0; i < G_N_ELEMENTS(KINDS_OF); i++) {
            double alpha = 1 - WISHES[w].confidence, most = DRAWS * alpha + 4 * sqrt(DRAWS * alpha * (1 - alpha));
            unsigned passed = 0, wrong[KINDS] = {0};
            for (uint64_t key = 0; key < DRAWS; key++) {
                struct rounds_end end = draw_in_rounds(&KINDS_OF[i], &WISHES[w], key);
                passed += end.passed;
                wrong[0] += end.told_wrong[0];
                wrong[1] += end.told_wrong[1];
            }
            assert_true(passed <= most);
            assert_true(wrong[0] <= most && wrong[1] <= most);
        }
}

/* Of what is right it always comes to an end, of rare ones before all were looked at. */
static void what_is_right_passes_and_a_kind_that_is_rare_costs_little(void **state)
{
    static const struct sampling_wish WISH = {0.9, 0.1, 0.2};
    static const struct kinds FEW = {{0, 0}, {3, 600}}, SOME = {{0, 0}, {300, 600}};
    for (uint64_t key = 0; key < 200; key++) {
        struct rounds_end few = draw_in_rounds(&FEW, &WISH, key), some = draw_in_rounds(&SOME, &WISH, key);
        assert_true(few.passed && few.drawn < OF_ALL / 2);
        assert_true(some.passed && some.met[0] >= 14 && some.met[1] >= 14); /* which prove a fifth so surely */
    }
}

static void a_fault_of_one_kind_alone_is_found_and_a_round_ends_it(void **state)
{
    static const struct sampling_wish WISH = {0.9, 0.02, 0.05};
    static const struct kinds LARGE_ARE_BAD = {{8, 0}, {142, 900}};
    unsigned found = 0, later = 0, first = (unsigned)sampling_first(OF_ALL, &WISH);
    for (uint64_t key = 0; key < 500; key++) {
        struct rounds_end end = draw_in_rounds(&LARGE_ARE_BAD, &WISH, key);
        found += !end.passed;
        later += !end.passed && end.drawn > first;
    }
    assert_true(found >= 450);
    assert_true(later >= 50); /* the first round alone would have passed them */
}

/* --- which, of partitions together -------------------------------------------------------------------------------- */

enum { PARTS = 3, PLACES = 10 };

/* A draw of partitions of so many keys; none of a store that is asked. */
struct drawing {
    struct store_driver driver;
    struct store_base base;
    struct verify_part parts[PARTS];
    struct verify_input input;
    struct draw *draw;
};

static void drawing_begin(struct drawing *drawing, const struct sampling_wish *wish, uint64_t times, uint64_t key)
{
    static const struct write_ops writes;
    static const uint64_t KEYS[PARTS] = {1, 6, 3};
    *drawing = (struct drawing){.driver = {.write = &writes}};
    drawing->base.driver = &drawing->driver;
    for (int i = 0; i < PARTS; i++)
        drawing->parts[i] = (struct verify_part){.part = (uint32_t)i, .keys = {.keys = KEYS[i] * times}};
    drawing->input = (struct verify_input){.target = (struct store *)&drawing->base,
                                           .parts = drawing->parts,
                                           .n_parts = PARTS,
                                           .sure = *wish,
                                           .draw_key = key};
    drawing->draw = draw_new(&drawing->input);
}

/* Of all places together those that are looked at in this round, each counted; how many they are. */
static unsigned look(const struct drawing *drawing, unsigned *seen)
{
    unsigned n = 0;
    for (size_t i = 0, at = 0; i < PARTS; i++) {
        struct chosen chosen = draw_chosen(drawing->draw, &drawing->input, i);
        bool any = false;
        for (uint64_t place = 0; place < drawing->parts[i].keys.keys; place++, at++) {
            bool has = chosen_has(&chosen, place);
            seen[at] += has;
            n += has;
            any |= has;
        }
        assert_int_equal(draw_looks_at(drawing->draw, i), any);
    }
    return n;
}

/* Each key, and each pair of keys of whichever partitions, is in the first round as often as any other: within five
 * deviations. The rounds together have each key once. */
static void rounds_draw_all_keys_alike_and_none_twice(void **state)
{
    enum { DRAWS = 9000, FIRST = 5 };
    static const struct sampling_wish WISH = {0.5, 0.3, 0.3};
    const struct found nothing = {0};
    const struct strata several = {.several = true};
    unsigned two[PLACES][PLACES] = {{0}};
    for (uint64_t key = 0; key < DRAWS; key++) {
        struct drawing drawing;
        unsigned seen[PLACES] = {0};
        drawing_begin(&drawing, &WISH, 1, key);
        assert_int_equal(look(&drawing, seen), FIRST);
        for (int a = 0; a < PLACES; a++)
            for (int b = 0; b < PLACES; b++)
                two[a][b] += seen[a] && seen[b];
        assert_true(draw_widen(drawing.draw, &drawing.input, &nothing, &several));
        assert_int_equal(look(&drawing, seen), PLACES - FIRST);
        for (int a = 0; a < PLACES; a++)
            assert_int_equal(seen[a], 1);
        assert_false(draw_widen(drawing.draw, &drawing.input, &nothing, &several));
        draw_free(drawing.draw);
    }
    for (int a = 0; a < PLACES; a++)
        for (int b = 0; b <= a; b++)
            if (a == b)
                assert_in_range(two[a][b], 4500 - 237, 4500 + 237); /* 9000 × 5/10 */
            else
                assert_in_range(two[a][b], 2000 - 197, 2000 + 197); /* 9000 × 5/10 × 4/9 */
}

static void a_round_in_between_draws_so_many_more(void **state)
{
    enum { TIMES = 100 };
    static const struct sampling_wish WISH = {0.5, 0.1, 0.3};
    const struct found nothing = {0};
    struct strata few = {0};
    struct drawing drawing;
    unsigned seen[PLACES * TIMES] = {0}, most = 0;
    few.of[STRATA_SIZE][0] = (struct stratum){.looked = 3, .weighed_right = 3};
    drawing_begin(&drawing, &WISH, TIMES, 5);
    unsigned first = look(&drawing, seen);
    assert_int_equal(first, sampling_first(PLACES * TIMES, &WISH));
    assert_true(draw_widen(drawing.draw, &drawing.input, &nothing, &few));
    unsigned second = look(&drawing, seen);
    assert_int_equal(first + second, first * 3 / 2);
    assert_int_equal(draw_size(drawing.draw, &drawing.input), first + second);
    for (size_t i = 0; i < G_N_ELEMENTS(seen); i++)
        most = MAX(most, seen[i]);
    assert_int_equal(most, 1);
    draw_free(drawing.draw);
}

/* What was found ends it, and so does a forerun that found too much. */
static void what_is_bad_ends_the_rounds(void **state)
{
    static const struct sampling_wish WISH = {0.5, 0.3, 0.3};
    const struct strata several = {.several = true}, none = {0};
    struct found found = {0};
    struct drawing drawing;
    drawing_begin(&drawing, &WISH, 1, 1);
    assert_false(draw_widen(drawing.draw, &drawing.input, &found, &none)); /* nothing is open */
    found.of[VERIFY_DIFFERING] = 1;
    assert_false(draw_widen(drawing.draw, &drawing.input, &found, &several));
    found.of[VERIFY_DIFFERING] = 0;
    drawing.draw->stopped = true;
    assert_false(draw_widen(drawing.draw, &drawing.input, &found, &several));
    draw_free(drawing.draw);
}

/* What later rounds find makes it no smaller, and no larger than so many. */
static void of_all_the_first_round_says_the_bound(void **state)
{
    uint64_t first[] = {0, 10000}, ahead[] = {4000}, taken[] = {1000};
    struct verify_input input = {.n_parts = 1, .sure = {0.99, 0.01, 0.1}};
    struct draw draw = {
        .frame = {10000, 500, false}, .round = {10000, 4000, 3}, .first = first, .ahead = ahead, .taken = taken};
    double none = (double)sampling_bound(&draw.frame, 0, 0.99) / 10000;
    assert_true(fabs(draw_below(&draw, &input, 0) - none) < 1e-12);
    assert_true(fabs(draw_below(&draw, &input, 2) - none) < 1e-12);
    assert_true(fabs(draw_below(&draw, &input, 700) - 0.0701) < 1e-12);
    draw.round = (struct sampling_round){10000, 500, 1};
    assert_true(draw_below(&draw, &input, 2) > none);
    ahead[0] = 10000; /* all */
    assert_true(fabs(draw_below(&draw, &input, 2) - 0.0003) < 1e-12);
    draw.stopped = true;
    assert_true(draw_below(&draw, &input, 2) >= 1);
}

static void the_next_round_is_as_large_as_it_takes(void **state)
{
    static const struct sampling_wish WISH = {0.999, 0.001, 0.05};
    struct sampling_round round = {1000000, sampling_first(1000000, &WISH), 1};
    assert_in_range(round.sample, 8200, 8300);
    assert_int_equal(sampling_standing(&WISH, &round, 0), SAMPLING_RARE);
    assert_int_equal(sampling_standing(&WISH, &round, 1), SAMPLING_OPEN);
    assert_int_equal(sampling_standing(&WISH, &round, 148), SAMPLING_OPEN);
    assert_int_equal(sampling_standing(&WISH, &round, 149), SAMPLING_PROVEN);
    assert_in_range(sampling_next(&WISH, &round, 75), round.sample * 2, round.sample * 5 / 2);
    assert_int_equal(sampling_next(&WISH, &round, 1), round.sample * 3);
    assert_int_equal(sampling_next(&WISH, &round, 148), round.sample * 3 / 2);
    assert_int_equal(sampling_next(&WISH, &round, 0), 1000000);
    round.sample = 700000;
    assert_int_equal(sampling_next(&WISH, &round, 100), 1000000);
}

/* --- which -------------------------------------------------------------------------------------------------------- */

static void an_order_is_a_permutation_and_can_be_turned_round(void **state)
{
    for (uint64_t n = 1; n <= 300; n++) {
        struct sampling_order order = sampling_order_of(n, n * 7, n % 5);
        g_autofree bool *seen = g_new0(bool, n);
        for (uint64_t place = 0; place < n; place++) {
            uint64_t rank = sampling_rank(&order, place);
            assert_true(rank < n && !seen[rank]);
            seen[rank] = true;
            assert_int_equal(sampling_place(&order, rank), place);
        }
    }
    struct sampling_order vast = sampling_order_of(UINT64_C(1) << 60, 1, 2);
    for (uint64_t place = 0; place < 100; place++)
        assert_int_equal(sampling_place(&vast, sampling_rank(&vast, place << 53 | place)), place << 53 | place);
}

/* Over many keys each place, and each pair of places, is drawn as often as any other: within five deviations. */
static void every_place_and_pair_is_drawn_alike(void **state)
{
    enum { N = 7, TAKEN = 3, KEYS = 21000 };
    unsigned one[N] = {0}, two[N][N] = {{0}};
    for (uint64_t key = 0; key < KEYS; key++) {
        struct sampling_order order = sampling_order_of(N, key, 9);
        for (uint64_t a = 0; a < TAKEN; a++)
            for (uint64_t b = 0; b < TAKEN; b++)
                two[sampling_place(&order, a)][sampling_place(&order, b)]++;
    }
    for (int i = 0; i < N; i++)
        one[i] = two[i][i];
    for (int i = 0; i < N; i++) {
        assert_in_range(one[i], 9000 - 360, 9000 + 360); /* KEYS × 3/7 */
        for (int j = 0; j < i; j++)
            assert_in_range(two[i][j], 3000 - 255, 3000 + 255); /* KEYS × 3/7 × 2/6 */
    }
}

static void another_key_or_stratum_draws_others(void **state)
{
    struct sampling_order orders[] = {sampling_order_of(1000, 1, 1), sampling_order_of(1000, 2, 1),
                                      sampling_order_of(1000, 1, 2)};
    for (size_t a = 0; a < 3; a++)
        for (size_t b = 0; b < a; b++) {
            unsigned same = 0;
            for (uint64_t i = 0; i < 1000; i++)
                same += sampling_rank(&orders[a], i) == sampling_rank(&orders[b], i);
            assert_in_range(same, 0, 10);
        }
}

/* --- in between --------------------------------------------------------------------------------------------------- */

static void a_bad_sample_ends_after_a_few_records(void **state)
{
    struct sampling_wish wish = {0.999, 0.0001};
    struct sampling_test test;
    assert_true(sampling_test_begin(&test, 1000000, 1000, &wish));
    assert_false(sampling_test_look(&test, true));
    assert_false(sampling_test_look(&test, true));
    assert_true(sampling_test_look(&test, true));
    assert_true(sampling_test_look(&test, false)); /* it stays true */
}

static void a_good_sample_is_never_ended(void **state)
{
    struct sampling_wish wish = {0.999, 0.0001};
    struct sampling_test test;
    assert_true(sampling_test_begin(&test, 1000000, 1000, &wish));
    for (int i = 0; i < 100000; i++)
        assert_false(sampling_test_look(&test, false));
}

static void of_few_keys_no_test_says_anything(void **state)
{
    struct sampling_wish wish = {0.99, 0.4};
    struct sampling_test test;
    assert_false(sampling_test_begin(&test, 100, 100, &wish));
    assert_false(sampling_test_begin(&test, 100, 30, &wish)); /* of what is left by then more than half may be bad */
    assert_true(sampling_test_begin(&test, 100, 10, &wish));
}

/* As many bad ones as there may be, looked at one after the other without replacement: the chance of being ended at any
 * of the looks, by all ways through the numbers seen. */
static void looking_at_every_record_keeps_the_promise(void **state)
{
    enum { ALL = 400, MOST = 120, BAD = 20 };
    struct sampling_wish wish = {0.95, 0.05};
    struct sampling_test begin;
    double at[BAD + 2] = {1}, ended = 0; /* by bad ones seen: the chance of being there, not ended */
    assert_true(sampling_test_begin(&begin, ALL, MOST, &wish));
    for (int seen = 0; seen < MOST; seen++) {
        double next[BAD + 2] = {0};
        for (int bad = 0; bad <= BAD && bad <= seen; bad++) {
            struct sampling_test test = begin;
            if (at[bad] <= 0)
                continue;
            for (int i = 0; i < seen; i++)
                test.ratio *= i < bad ? test.bad : test.good;
            struct sampling_test good = test;
            double p = (double)(BAD - bad) / (double)(ALL - seen);
            if (sampling_test_look(&test, true))
                ended += at[bad] * p;
            else
                next[bad + 1] += at[bad] * p;
            assert_false(sampling_test_look(&good, false));
            next[bad] += at[bad] * (1 - p);
        }
        memcpy(at, next, sizeof at);
    }
    assert_true(ended <= 0.05);
    assert_true(ended > 0.001); /* it is not for ever silent */
}

static void at_its_edges_a_tail_is_certain_or_impossible(void **state)
{
    static const struct {
        struct sampling_frame frame;
        uint64_t bad, found;
        double tail;
    } ROWS[] = {
        {{10, 3, false}, 2, 2, 1},  /* no more are there */
        {{10, 3, false}, 5, 3, 1},  /* no more are looked at */
        {{10, 10, false}, 5, 4, 0}, /* all are looked at, and one less is found */
        {{10, 8, false}, 5, 2, 0},  /* three of them at least are */
    };
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++)
        assert_true(fabs(sampling_tail(&ROWS[i].frame, ROWS[i].bad, ROWS[i].found) - ROWS[i].tail) < 1e-12);
}

static void of_nothing_nothing_is_drawn_and_of_everything_each_has_its_rank(void **state)
{
    struct sampling_order order = sampling_order_of(UINT64_MAX, 3, 4);
    struct chosen chosen = {.sampled = true, .order = sampling_order_of(10, 3, 4), .from = 0, .to = 0};
    g_autoptr(GString) words = g_string_new(NULL);
    assert_int_equal(sampling_of_stratum(0, 0, 0), 0);
    for (uint64_t place = 1; place != 0; place <<= 1)
        assert_int_equal(sampling_place(&order, sampling_rank(&order, place)), place);
    sampling_share_words(0, words);
    assert_string_equal(words->str, "0%");
    for (uint64_t place = 0; place < 12; place++) /* what was not planned is looked at */
        assert_int_equal(chosen_has(&chosen, place), place >= 10);
    chosen.again = true; /* in a later round it was */
    assert_false(chosen_has(&chosen, 10));
}

static void of_keys_that_are_given_those_are_looked_at(void **state)
{
    static const uint64_t GIVEN[] = {1, 3, 4};
    struct chosen chosen = {.places = GIVEN, .n = G_N_ELEMENTS(GIVEN)};
    for (uint64_t place = 0; place < 6; place++)
        assert_int_equal(chosen_has(&chosen, place), place == 1 || place == 3 || place == 4);
}

/* By rounds: one that is drawn beforehand does not grow, nor does one of all keys. */
static void a_sample_may_grow_as_long_as_there_are_more(void **state)
{
    static const struct {
        struct sampling_round round;
        bool grows;
    } ROWS[] = {{{100, 50, 0}, false}, {{100, 50, 1}, true}, {{100, 100, 2}, false}};
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++)
        assert_int_equal(draw_may_grow(&(struct draw){.round = ROWS[i].round}), ROWS[i].grows);
}

static void a_wish_is_two_shares_or_three(void **state)
{
    static const char *const BAD[] = {"",           "99.9%",      "99.9%,",     ",0.01%",       "100%,0.01%",
                                      "99.9%,0%",   "0%,0.01%",   "99.9%,100%", "99%,1%,1%,1%", "99.9,0.01",
                                      "five,0.01%", "99.9% , 1%", "99%,1%,",    "99%,1%,0%",    "99%,1%,100%"};
    GError *error = NULL;
    struct sampling_wish wish = {0};
    assert_true(sampling_wish_parse("99.9%,0.01%", &wish, &error));
    assert_true(wish.confidence > 0.99899 && wish.confidence < 0.99901);
    assert_true(wish.below > 0.000099 && wish.below < 0.000101);
    assert_true(wish.each <= 0);
    assert_true(sampling_wish_parse("99.9%,0.01%,5%", &wish, &error));
    assert_true(wish.each > 0.0499 && wish.each < 0.0501);
    for (size_t i = 0; i < G_N_ELEMENTS(BAD); i++)
        kit_refused(sampling_wish_parse(BAD[i], &wish, &error), USAGE, "99.9%,0.01%");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tail_is_that_of_the_finite_population),
        cmocka_unit_test(a_size_is_the_smallest_that_proves_it),
        cmocka_unit_test(sizes_of_large_populations),
        cmocka_unit_test(a_bound_holds_wherever_the_bad_ones_lie),
        cmocka_unit_test(a_bound_says_more_the_more_is_looked_at),
        cmocka_unit_test(a_share_of_a_kind_holds_wherever_it_lies_and_however_much_of_it_there_is),
        cmocka_unit_test(of_many_draws_no_more_are_wrong_than_the_confidence_allows),
        cmocka_unit_test(a_share_of_a_kind_is_no_larger_than_it_has_to_be),
        cmocka_unit_test(at_its_edges_a_tail_is_certain_or_impossible),
        cmocka_unit_test(of_nothing_nothing_is_drawn_and_of_everything_each_has_its_rank),
        cmocka_unit_test(of_keys_that_are_given_those_are_looked_at),
        cmocka_unit_test(a_sample_may_grow_as_long_as_there_are_more),
        cmocka_unit_test(an_order_is_a_permutation_and_can_be_turned_round),
        cmocka_unit_test(every_place_and_pair_is_drawn_alike),
        cmocka_unit_test(another_key_or_stratum_draws_others),
        cmocka_unit_test(a_bad_sample_ends_after_a_few_records),
        cmocka_unit_test(a_good_sample_is_never_ended),
        cmocka_unit_test(of_few_keys_no_test_says_anything),
        cmocka_unit_test(looking_at_every_record_keeps_the_promise),
        cmocka_unit_test(a_wish_is_two_shares_or_three),
        cmocka_unit_test(what_passes_in_rounds_is_as_sure_of_each_kind),
        cmocka_unit_test(what_is_right_passes_and_a_kind_that_is_rare_costs_little),
        cmocka_unit_test(a_fault_of_one_kind_alone_is_found_and_a_round_ends_it),
        cmocka_unit_test(rounds_draw_all_keys_alike_and_none_twice),
        cmocka_unit_test(a_round_in_between_draws_so_many_more),
        cmocka_unit_test(what_is_bad_ends_the_rounds),
        cmocka_unit_test(of_all_the_first_round_says_the_bound),
        cmocka_unit_test(the_next_round_is_as_large_as_it_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
