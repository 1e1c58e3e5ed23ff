#include "kit/kit.h"
#include "pace/baseline.h"

static struct baseline baseline;

/* A lull of so long in which a probe a millisecond takes `us`, give or take a tenth. */
static int64_t lull(int64_t at, int64_t us, int64_t latency)
{
    baseline_begin(&baseline, at);
    for (int64_t due = at; due < at + us; due += 1000)
        baseline_probe(&baseline, due, due + latency + (due / 1000 % 21 - 10) * latency / 100);
    baseline_end(&baseline, at + us);
    return at + us + 10000000;
}

static void enough_lulls_make_a_baseline_and_a_long_one_is_several(void **state)
{
    (void)state;
    baseline_init(&baseline);
    lull(0, BASELINE_LULL_US * BASELINE_FIRST / 2, 200);
    assert_false(baseline_known(&baseline));
    lull(0, BASELINE_LULL_US * (BASELINE_FIRST + 1), 200);
    assert_true(baseline_known(&baseline));
    assert_in_range((uint64_t)baseline_quantile(&baseline, 0.5), 195, 205);
    assert_in_range((uint64_t)baseline_quantile(&baseline, 0.99), 215, 225);
}

static void what_is_felt_between_lulls_or_while_the_queue_drains_counts_for_nothing(void **state)
{
    (void)state;
    baseline_init(&baseline);
    int64_t at = lull(0, BASELINE_LULL_US * 8, 200);
    for (int64_t due = at; due < at + 10000000; due += 1000)
        baseline_probe(&baseline, due, due + 5000);
    baseline_begin(&baseline, at);
    for (int64_t due = at; due < at + BASELINE_DRAIN_US; due += 1000)
        baseline_probe(&baseline, due, due + 5000);
    for (int64_t due = at + BASELINE_DRAIN_US; due < at + BASELINE_LULL_US; due += 1000)
        baseline_probe(&baseline, due, due + 200);
    baseline_end(&baseline, at + BASELINE_LULL_US);
    assert_in_range((uint64_t)baseline_quantile(&baseline, 0.999), 180, 225);
}

static void a_bad_moment_of_the_world_does_not_widen_it_but_a_new_world_does(void **state)
{
    (void)state;
    baseline_init(&baseline);
    int64_t at = lull(0, BASELINE_LULL_US * BASELINE_LULLS, 200);
    at = lull(at, BASELINE_LULL_US, 2000);
    at = lull(at, BASELINE_LULL_US, 200);
    at = lull(at, BASELINE_LULL_US, 2000);
    assert_in_range((uint64_t)baseline_quantile(&baseline, 0.99), 215, 225);
    for (int i = 0; i < BASELINE_LULLS; i++)
        at = lull(at, BASELINE_LULL_US, 400);
    assert_in_range((uint64_t)baseline_quantile(&baseline, 0.99), 430, 450);
}

static void what_was_felt_in_one_go_does_not_outweigh_what_came_later(void **state)
{
    (void)state;
    baseline_init(&baseline);
    int64_t at = lull(0, BASELINE_LULL_US * (BASELINE_FIRST + 1), 200);
    for (int i = 0; i < 4; i++)
        at = lull(at, BASELINE_LULL_US, 300);
    assert_true(baseline_quantile(&baseline, 0.9) > 290);
    assert_true(baseline_quantile(&baseline, 0.3) < 220); /* and is not forgotten either */
}

static void what_was_felt_in_one_go_drives_out_little_of_what_was_before(void **state)
{
    (void)state;
    int64_t at = 0;
    baseline_init(&baseline);
    for (int i = 0; i < 4; i++)
        at = lull(at, BASELINE_LULL_US, 240);
    lull(at, BASELINE_LULL_US * BASELINE_LULLS, 200);
    assert_true(baseline_quantile(&baseline, 0.3) < 220 && baseline_quantile(&baseline, 0.8) > 220);
}

static void a_dozen_lulls_count(void **state)
{
    (void)state;
    int64_t at = 0;
    baseline_init(&baseline);
    for (int i = 0; i < BASELINE_LULLS; i++)
        at = lull(at, BASELINE_LULL_US, 200);
    for (int i = 0; i < BASELINE_LULLS - 1; i++)
        at = lull(at, BASELINE_LULL_US, 240);
    assert_true(baseline_quantile(&baseline, 0.05) < 220);
    lull(at, BASELINE_LULL_US, 240);
    assert_true(baseline_quantile(&baseline, 0.02) > 210);
}

static void a_lull_with_hardly_a_probe_is_none(void **state)
{
    (void)state;
    baseline_init(&baseline);
    for (int i = 0; i < 100; i++)
        lull(i * 1000000, 30000, 200);
    assert_false(baseline_known(&baseline));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(enough_lulls_make_a_baseline_and_a_long_one_is_several),
        cmocka_unit_test(what_is_felt_between_lulls_or_while_the_queue_drains_counts_for_nothing),
        cmocka_unit_test(a_bad_moment_of_the_world_does_not_widen_it_but_a_new_world_does),
        cmocka_unit_test(what_was_felt_in_one_go_does_not_outweigh_what_came_later),
        cmocka_unit_test(what_was_felt_in_one_go_drives_out_little_of_what_was_before),
        cmocka_unit_test(a_dozen_lulls_count),
        cmocka_unit_test(a_lull_with_hardly_a_probe_is_none),
    };
    return cmocka_run_group_tests_name("baseline", tests, NULL, NULL);
}
