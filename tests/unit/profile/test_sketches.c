/* What is told about a stream of values, against what is known of it exactly. */
#include <inttypes.h>
#include <math.h>

#include "kit/kit.h"
#include "profile/distinct.h"
#include "profile/quantiles.h"
#include "profile/top.h"

/* Steele, Lea, Flood: SplitMix64. */
static uint64_t mixed(uint64_t n)
{
    n += UINT64_C(0x9e3779b97f4a7c15);
    n = (n ^ n >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    n = (n ^ n >> 27) * UINT64_C(0x94d049bb133111eb);
    return n ^ n >> 31;
}

/* --- how many different ones -------------------------------------------------------------------------------------- */

static void distinct_values_are_told_to_within_three_standard_errors(void **state)
{
    static const uint64_t SIZES[] = {1, 2, 10, 100, 1000, 5000, 20000, 100000, 1000000};
    for (size_t i = 0; i < G_N_ELEMENTS(SIZES); i++) {
        struct distinct distinct = {0};
        for (uint64_t n = 0; n < SIZES[i]; n++)
            distinct_add(&distinct, mixed(n));
        double found = distinct_estimate(&distinct), wrong = fabs(found - (double)SIZES[i]) / (double)SIZES[i];
        if (wrong > 3 * 1.04 / 64)
            fail_msg("%" PRIu64 " values: %.1f were told", SIZES[i], found);
    }
}

static void nothing_is_none_and_what_comes_again_counts_once(void **state)
{
    struct distinct distinct = {0};
    assert_true(distinct_estimate(&distinct) < 1e-9);
    for (int again = 0; again < 1000; again++)
        distinct_add(&distinct, mixed(7));
    assert_int_equal(lround(distinct_estimate(&distinct)), 1);
}

static void two_halves_that_overlap_are_told_as_their_union(void **state)
{
    struct distinct all = {0}, left = {0}, right = {0};
    for (uint64_t n = 0; n < 3000; n++) {
        distinct_add(&all, mixed(n));
        if (n < 2000)
            distinct_add(&left, mixed(n));
        if (n >= 1000)
            distinct_add(&right, mixed(n));
    }
    distinct_merge(&left, &right);
    assert_memory_equal(&left, &all, sizeof all);
}

/* --- where they lie ----------------------------------------------------------------------------------------------- */

#define VALUES 100000

/* 0 … VALUES-1, each once, in an order of the given kind. */
static double value_at(int order, uint64_t i)
{
    switch (order) {
    case 0: /* ascending */
        return (double)i;
    case 1: /* descending */
        return (double)(VALUES - 1 - i);
    default: /* shuffled: 7919 has no factor in common with VALUES */
        return (double)(i * 7919 % VALUES);
    }
}

static void quantiles_lie_where_they_should_and_best_at_the_ends(void **state)
{
    static const struct {
        double q, wrong; /* in shares of all values */
    } ASKED[] = {{0.0001, 0.0002}, {0.001, 0.0005}, {0.01, 0.002},   {0.25, 0.006},   {0.5, 0.008},
                 {0.75, 0.006},    {0.99, 0.002},   {0.999, 0.0005}, {0.9999, 0.0002}};
    for (int order = 0; order < 3; order++) {
        struct quantiles quantiles = {0};
        for (uint64_t i = 0; i < VALUES; i++)
            quantiles_add(&quantiles, value_at(order, i));
        for (size_t i = 0; i < G_N_ELEMENTS(ASKED); i++) {
            double found = quantiles_at(&quantiles, ASKED[i].q) / VALUES,
                   back = quantiles_share(&quantiles, ASKED[i].q * VALUES);
            if (fabs(found - ASKED[i].q) > ASKED[i].wrong || fabs(back - ASKED[i].q) > ASKED[i].wrong)
                fail_msg("order %d, quantile %g: %g, and back %g", order, ASKED[i].q, found, back);
        }
        assert_true(quantiles_at(&quantiles, 0) <= 0 && quantiles_at(&quantiles, 1) >= VALUES - 1);
    }
}

static void least_and_greatest_are_exact_and_so_is_one_value_that_comes_always(void **state)
{
    struct quantiles quantiles = {0};
    assert_true(fabs(quantiles_at(&quantiles, 0.5)) < 1e-12);
    for (int i = 0; i < 5000; i++)
        quantiles_add(&quantiles, 42);
    assert_true(fabs(quantiles_at(&quantiles, 0.3) - 42) < 1e-12 && quantiles_share(&quantiles, 42) > 0.999);
    quantiles_add(&quantiles, -1e300);
    quantiles_add(&quantiles, 1e300);
    assert_true(quantiles.least < -9e299 && quantiles.greatest > 9e299);
    assert_true(quantiles_share(&quantiles, -2e300) <= 0 && quantiles_share(&quantiles, 2e300) >= 1);
    assert_true(fabs(quantiles_at(&quantiles, 0.5) - 42) < 1e-12);
}

static void two_streams_become_one(void **state)
{
    struct quantiles low = {0}, high = {0};
    for (uint64_t i = 0; i < VALUES; i++)
        quantiles_add(i % 2 ? &low : &high, value_at(2, i));
    quantiles_merge(&low, &high);
    assert_true(fabs(low.count - VALUES) < 0.5);
    assert_true(fabs(quantiles_at(&low, 0.5) / VALUES - 0.5) < 0.01);
    assert_true(low.n <= QUANTILES_CENTROIDS);
}

/* --- which come most ---------------------------------------------------------------------------------------------- */

/* Weights so unlike each other that their sum, in another order, is less than its parts. */
static void weights_that_do_not_add_up_are_no_more_than_there_is_room_for(void **state)
{
    struct quantiles *quantiles = g_new0(struct quantiles, 1), one = {.n = 1};
    for (int i = 0; i < 3 * QUANTILES_WAITING; i++) {
        one.of[0] = (struct centroid){.mean = 2 + i, .weight = 1e-17};
        one.count = one.of[0].weight;
        one.least = one.greatest = one.of[0].mean;
        if (i % 10 == 0) {
            one.of[0] = (struct centroid){.mean = -i, .weight = 0.1};
            one.count = 0.1;
            one.least = one.greatest = -i;
        }
        quantiles_merge(quantiles, &one);
    }
    assert_true(isfinite(quantiles_at(quantiles, 0.5)));
    assert_true(quantiles->n < QUANTILES_CENTROIDS);
    g_free(quantiles);
}

static void the_commonest_are_found_and_none_is_counted_less_often_than_it_came(void **state)
{
    uint64_t counts[2000] = {0};
    struct top top = {0};
    for (uint64_t i = 0; i < 200000; i++) { /* three that come often, and a long tail */
        uint64_t chance = mixed(i) % 100, value = chance < 20   ? 0
                                                  : chance < 35 ? 1
                                                  : chance < 40 ? 2
                                                                : 3 + mixed(i * 3) % 1997;
        g_autofree char *text = g_strdup_printf("v%" PRIu64, value);
        counts[value]++;
        top_add(&top, mixed(value), text, strlen(text));
    }
    top_sort(&top);
    for (uint64_t value = 0; value < 3; value++) {
        g_autofree char *text = g_strdup_printf("v%" PRIu64, value);
        assert_string_equal(top.of[value].text, text);
        assert_true(top.of[value].count >= counts[value] && top.of[value].count - top.of[value].over <= counts[value]);
    }
    assert_int_equal(top.count, 200000);
}

static void few_values_are_counted_exactly_and_long_ones_are_cut_between_characters(void **state)
{
    struct top top = {0}, other = {0};
    const char *lengthy = "ääääääääääääääääääääääääääääääääääää";
    for (int i = 0; i < 10; i++)
        top_add(&top, 1, "one", 3);
    top_add(&other, 1, "one", 3);
    top_add(&other, 2, lengthy, strlen(lengthy));
    top_merge(&top, &other);
    top_sort(&top);
    assert_int_equal(top_count(&top, 1), 11);
    assert_int_equal(top_count(&top, 2), 1);
    assert_int_equal(top_count(&top, 3), 0);
    assert_true(g_utf8_validate(top.of[1].text, -1, NULL) && strlen(top.of[1].text) == TOP_BYTES);
}

/* In groups of which each has more values than there is room for. */
static void of_streams_that_become_one_none_is_counted_less_often_than_it_came(void **state)
{
    uint64_t counts[300] = {0};
    struct top all = {0};
    for (uint64_t group = 0; group < 8; group++) {
        struct top top = {0};
        for (uint64_t i = 0; i < 3000; i++) {
            uint64_t chance = mixed(group * 3000 + i), value = chance % 4 == 0 ? group : mixed(chance) % 300;
            counts[value]++;
            top_add(&top, mixed(value), "v", 1);
        }
        top_merge(&all, &top);
    }
    assert_int_equal(all.count, 24000);
    for (uint64_t value = 0; value < 300; value++) {
        uint64_t most = top_count(&all, mixed(value));
        if (value < 8)
            assert_true(top_has(&all, mixed(value)));
        if (top_has(&all, mixed(value)))
            assert_true(most >= counts[value]);
    }
    for (size_t i = 0; i < all.n; i++)
        assert_true(all.of[i].over <= all.of[i].count && all.hashes[i] == all.of[i].hash);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distinct_values_are_told_to_within_three_standard_errors),
        cmocka_unit_test(nothing_is_none_and_what_comes_again_counts_once),
        cmocka_unit_test(two_halves_that_overlap_are_told_as_their_union),
        cmocka_unit_test(quantiles_lie_where_they_should_and_best_at_the_ends),
        cmocka_unit_test(least_and_greatest_are_exact_and_so_is_one_value_that_comes_always),
        cmocka_unit_test(two_streams_become_one),
        cmocka_unit_test(weights_that_do_not_add_up_are_no_more_than_there_is_room_for),
        cmocka_unit_test(the_commonest_are_found_and_none_is_counted_less_often_than_it_came),
        cmocka_unit_test(of_streams_that_become_one_none_is_counted_less_often_than_it_came),
        cmocka_unit_test(few_values_are_counted_exactly_and_long_ones_are_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
