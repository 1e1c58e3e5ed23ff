#include "kit/kit.h"
#include "pace/pacer.h"

/* A server that answers each micro-batch after `latency`, for `us`; how many commands went. */
static unsigned go(struct pacer *pacer, int64_t *now, int64_t us, int64_t latency, unsigned *ret_most)
{
    int64_t until = *now + us, back[PACER_IN_FLIGHT], due;
    unsigned waiting = 0, sent = 0;
    for (; *now < until; ++*now) {
        while (waiting > 0 && back[0] <= *now) {
            memmove(back, back + 1, --waiting * sizeof *back);
            pacer_reply(pacer, *now);
        }
        unsigned commands = pacer_ask(pacer, *now, &due);
        if (commands == 0)
            continue;
        pacer_sent(pacer, *now, commands);
        back[waiting++] = *now + latency;
        sent += commands;
        *ret_most = MAX(*ret_most, commands);
    }
    while (waiting-- > 0)
        pacer_reply(pacer, *now);
    return sent;
}

static void the_rate_is_the_window_over_the_latency(void **state)
{
    (void)state;
    struct pacer pacer;
    int64_t now = 1000000;
    unsigned most = 0;
    pacer_init(&pacer, 2, now);
    go(&pacer, &now, 100000, 200, &most);
    unsigned sent = go(&pacer, &now, 1000000, 200, &most); /* 2 in 200 us */
    assert_in_range(sent, 9700, 10300);
    assert_int_equal(most, 1);
    pacer.window = 0.5;
    sent = go(&pacer, &now, 1000000, 200, &most);
    assert_in_range(sent, 2425, 2575);
    assert_in_range((uint64_t)pacer_rate_per_s(&pacer, now), 2400, 2700);
}

static void commands_go_together_where_the_gap_is_too_short_to_be_kept_but_four_at_most(void **state)
{
    (void)state;
    struct pacer pacer;
    int64_t now = 1;
    unsigned most = 0;
    pacer_init(&pacer, 8, now);
    go(&pacer, &now, 100000, 200, &most);
    assert_int_equal(most, 3); /* 25 us each */
    pacer.window = 60;
    unsigned sent = go(&pacer, &now, 100000, 200, &most);
    assert_int_equal(most, PACER_BATCH_MOST);
    assert_in_range(sent, 20000, 31000);
}

static void a_server_that_is_slow_to_answer_is_given_less_before_it_has_answered(void **state)
{
    (void)state;
    struct pacer pacer;
    int64_t now = 1, due;
    unsigned most = 0;
    pacer_init(&pacer, 1, now);
    go(&pacer, &now, 1000000, 200, &most);
    unsigned sent = 0;
    for (int64_t until = now + 20000; now < until; now++) /* no answer for 20 ms: at the rate as it was, 100 commands */
        if (pacer_ask(&pacer, now, &due) > 0) {
            pacer_sent(&pacer, now, 1);
            sent++;
        }
    assert_in_range(sent, 1, 6);
}

static void nothing_goes_without_a_window_nor_while_too_many_are_waited_for(void **state)
{
    (void)state;
    struct pacer pacer;
    int64_t due;
    pacer_init(&pacer, 0, 0);
    assert_int_equal(pacer_ask(&pacer, 1000, &due), 0);
    assert_true(due == INT64_MAX);
    pacer_init(&pacer, 1e9, 0);
    for (unsigned i = 0; i < PACER_IN_FLIGHT; i++) {
        assert_true(pacer_ask(&pacer, 1000000 + i * 1000, &due) > 0);
        pacer_sent(&pacer, 1000000 + i * 1000, 1);
    }
    assert_int_equal(pacer_ask(&pacer, 900000000, &due), 0);
    pacer_lost(&pacer, 1);
    assert_true(pacer_ask(&pacer, 900000000, &due) > 0);
}

static void who_comes_late_does_not_catch_up_in_a_burst(void **state)
{
    (void)state;
    struct pacer pacer;
    int64_t now = 1, due;
    unsigned most = 0, sent = 0;
    pacer_init(&pacer, 1, now);
    go(&pacer, &now, 1000000, 200, &most);
    now += 5000000; /* the worker looked away for five seconds */
    for (int i = 0; i < 100; i++)
        if (pacer_ask(&pacer, now, &due) > 0) {
            pacer_sent(&pacer, now, 1);
            pacer_reply(&pacer, now + 200);
            sent++;
        }
    assert_in_range(sent, 1, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rate_is_the_window_over_the_latency),
        cmocka_unit_test(commands_go_together_where_the_gap_is_too_short_to_be_kept_but_four_at_most),
        cmocka_unit_test(a_server_that_is_slow_to_answer_is_given_less_before_it_has_answered),
        cmocka_unit_test(nothing_goes_without_a_window_nor_while_too_many_are_waited_for),
        cmocka_unit_test(who_comes_late_does_not_catch_up_in_a_burst),
    };
    return cmocka_run_group_tests_name("pacer", tests, NULL, NULL);
}
