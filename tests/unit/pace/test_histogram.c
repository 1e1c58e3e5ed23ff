#include "kit/kit.h"
#include "pace/histogram.h"

#include <math.h>

static struct histogram histogram;

static void close_to(double is, double should, double share)
{
    if (fabs(is - should) > share * should)
        fail_msg("%g, not about %g", is, should);
}

static void quantiles_are_those_of_the_numbers_within_a_part_of_128(void **state)
{
    (void)state;
    histogram_reset(&histogram);
    assert_true(histogram_quantile(&histogram, 0.5) <= 0);
    for (int us = 1; us <= 100000; us++)
        histogram_add(&histogram, us);
    for (double q = 0.05; q < 1; q += 0.05)
        close_to(histogram_quantile(&histogram, q), q * 100000, 1.0 / 128);
    close_to(histogram_quantile(&histogram, 0.999), 99900, 1.0 / 128);
    for (double us = 100; us < 100000; us *= 3)
        close_to(histogram_above(&histogram, us), 100000 - us, 1.0 / 128);
}

static void what_is_out_of_range_counts_at_its_ends(void **state)
{
    (void)state;
    histogram_reset(&histogram);
    histogram_add(&histogram, -5);
    histogram_add(&histogram, NAN);
    histogram_add(&histogram, 1e12);
    assert_true(histogram.total > 2.9 && histogram_quantile(&histogram, 0.3) <= 1);
    assert_true(histogram_quantile(&histogram, 1) > 100e6); /* over a minute */
}

static void weights_fade_and_merge(void **state)
{
    (void)state;
    static struct histogram other;
    histogram_reset(&histogram);
    histogram_reset(&other);
    for (int i = 0; i < 100; i++)
        histogram_add(&histogram, 10), histogram_add(&other, 1000);
    histogram_fade(&histogram, 0.5);
    histogram_merge(&histogram, &other, 0.25);
    close_to(histogram.total, 75, 1e-6);
    assert_true(histogram_quantile(&histogram, 0.6) < 12 && histogram_quantile(&histogram, 0.7) > 900);
    close_to(histogram_above(&histogram, 500), 25, 1e-6);
}

static void steps_are_shares_of_all_by_half_powers_of_two(void **state)
{
    (void)state;
    float steps[HISTOGRAM_STEPS], sum = 0;
    histogram_reset(&histogram);
    histogram_steps(&histogram, steps);
    for (unsigned i = 0; i < HISTOGRAM_STEPS; i++)
        assert_true(steps[i] <= 0);
    for (int i = 0; i < 30; i++)
        histogram_add(&histogram, 300);
    for (int i = 0; i < 10; i++)
        histogram_add(&histogram, 5000);
    histogram_steps(&histogram, steps);
    for (unsigned i = 0; i < HISTOGRAM_STEPS; i++) {
        double to = histogram_step_us(i), from = i ? histogram_step_us(i - 1) : 0;
        double wanted = (from <= 300 && 300 < to ? 0.75 : 0) + (from <= 5000 && 5000 < to ? 0.25 : 0);
        assert_true(to > from);
        if (wanted > 0)
            close_to(steps[i], wanted, 1e-6);
        sum += steps[i];
    }
    close_to(sum, 1, 1e-6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_are_those_of_the_numbers_within_a_part_of_128),
        cmocka_unit_test(what_is_out_of_range_counts_at_its_ends),
        cmocka_unit_test(weights_fade_and_merge),
        cmocka_unit_test(steps_are_shares_of_all_by_half_powers_of_two),
    };
    return cmocka_run_group_tests_name("histogram", tests, NULL, NULL);
}
