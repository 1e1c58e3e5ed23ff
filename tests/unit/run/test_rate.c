/* So many records a second, whoever takes them, and a rate that is another one while somebody waits. */
#include "kit/kit.h"
#include "run/rate.h"

#define S INT64_C(1000000)

static void left_is(struct rate *rate, double per_s, double turn, int64_t now_us, int64_t left_us)
{
    int64_t left = rate_left_us(rate, per_s, turn, now_us);
    if (left < left_us - 1 || left > left_us + 1)
        fail_msg("at %.2f s: %.3f s are left, not %.3f", (double)now_us / S, (double)left / S, (double)left_us / S);
}

static void whoever_takes_more_than_is_there_waits_and_the_next_one_behind_him(void **state)
{
    struct rate rate = {0};
    rate_init(&rate);
    double first = rate_take(&rate, 100, 50, S), second = rate_take(&rate, 100, 50, S);
    left_is(&rate, 100, first, S, S / 2);
    left_is(&rate, 100, second, S, S);
    left_is(&rate, 100, first, 3 * S / 2, 0);
    left_is(&rate, 100, second, 3 * S / 2, S / 2);
    left_is(&rate, 100, second, 2 * S, 0);
    /* after a long time nobody has saved up more than a tenth of a second */
    left_is(&rate, 100, rate_take(&rate, 100, 10, 1000 * S), 1000 * S, 0);
    left_is(&rate, 100, rate_take(&rate, 100, 10, 1000 * S), 1000 * S, S / 10);
    rate_give(&rate, 10); /* those that did not go */
    left_is(&rate, 100, rate_take(&rate, 100, 10, 1000 * S), 1000 * S, S / 10);
    rate_done(&rate);
}

/* What somebody sets by mistake, and mends, costs no longer than until he mends it. */
static void who_waits_follows_a_rate_that_is_set_meanwhile(void **state)
{
    struct rate rate = {0};
    rate_init(&rate);
    double turn = rate_take(&rate, 1.0 / 60, 40, S);
    left_is(&rate, 1.0 / 60, turn, S, 2400 * S);
    left_is(&rate, 1.0 / 60, turn, 61 * S, 2340 * S);
    left_is(&rate, 100, turn, 61 * S, 39 * S / 100); /* faster, … */
    left_is(&rate, 1, turn, 61 * S, 39 * S);         /* slower … */
    left_is(&rate, 0, turn, 61 * S, 0);              /* … and without one */
    left_is(&rate, 0, rate_take(&rate, 0, 1000000, 61 * S), 61 * S, 0);
    left_is(&rate, 10, rate_take(&rate, 10, 10, 61 * S), 61 * S, S); /* nothing is owed from then */
    rate_done(&rate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whoever_takes_more_than_is_there_waits_and_the_next_one_behind_him),
        cmocka_unit_test(who_waits_follows_a_rate_that_is_set_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
