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
            pacer_reply(pacer, 0, *now);
        }
        unsigned commands = pacer_ask(pacer, 0, *now, &due);
        if (commands == 0)
            continue;
        pacer_sent(pacer, 0, *now, commands);
        back[waiting++] = *now + latency;
        sent += commands;
        *ret_most = MAX(*ret_most, commands);
    }
    while (waiting-- > 0)
        pacer_reply(pacer, 0, *now);
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

static void commands_go_together_where_their_reply_takes_little_of_what_is_allowed(void **state)
{
    (void)state;
    static const struct {
        double allowed_us;
        unsigned most;
    } ROWS[] = {{0, 1}, {300, 1}, {500, PACER_BATCH_MOST}};
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct pacer pacer;
        int64_t now = 1000000;
        unsigned most = 0;
        pacer_init(&pacer, 1, now);
        go(&pacer, &now, 100000, 200, &most);
        pacer.allowed_us = ROWS[i].allowed_us;
        most = 0;
        unsigned sent = go(&pacer, &now, 1000000, 200, &most); /* no more of them */
        assert_in_range(sent, 4850, 5150);
        assert_int_equal(most, ROWS[i].most);
    }
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
        if (pacer_ask(&pacer, 0, now, &due) > 0) {
            pacer_sent(&pacer, 0, now, 1);
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
    assert_int_equal(pacer_ask(&pacer, 0, 1000, &due), 0);
    assert_true(due == INT64_MAX);
    pacer_init(&pacer, 1e9, 0);
    for (unsigned i = 0; i < PACER_IN_FLIGHT; i++) {
        assert_true(pacer_ask(&pacer, 0, 1000000 + i * 1000, &due) > 0);
        pacer_sent(&pacer, 0, 1000000 + i * 1000, 1);
    }
    assert_int_equal(pacer_ask(&pacer, 0, 900000000, &due), 0);
    pacer_lost(&pacer, 0);
    assert_true(pacer_ask(&pacer, 0, 900000000, &due) > 0);
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
        if (pacer_ask(&pacer, 0, now, &due) > 0) {
            pacer_sent(&pacer, 0, now, 1);
            pacer_reply(&pacer, 0, now + 200);
            sent++;
        }
    assert_in_range(sent, 1, 2);
}

/* One at a time; how long it takes until so many have gone. */
static int64_t take_turns(struct pacer *pacer, int64_t *now, uint64_t kind, unsigned commands, int64_t latency)
{
    int64_t begun = *now, due;
    while (commands > 0) {
        if (pacer_ask(pacer, kind, *now, &due) == 0) {
            *now = due;
            continue;
        }
        pacer_sent(pacer, kind, *now, 1);
        *now += latency;
        pacer_reply(pacer, *now - latency, *now);
        commands--;
    }
    return *now - begun;
}

static void a_write_that_takes_longer_than_a_read_is_no_queue(void **state)
{
    (void)state;
    enum { READ = 1, WRITE = 2 };
    struct pacer pacer;
    int64_t now = 1;
    pacer_init(&pacer, 0.5, now);
    take_turns(&pacer, &now, READ, 50000, 100); /* ten seconds of listing */
    int64_t took = take_turns(&pacer, &now, WRITE, 1000, 300);
    assert_in_range(took, 590000, 620000); /* at once 300 us over half a command in flight each */
    for (int i = 0; i < 20; i++) {
        assert_in_range(take_turns(&pacer, &now, READ, 500, 100), 99000, 101000);
        assert_in_range(take_turns(&pacer, &now, WRITE, 500, 300), 297000, 303000);
    }
    took = take_turns(&pacer, &now, READ, 100, 200); /* but a read that takes twice as long is one */
    assert_true(took > 3 * 40000);
}

/* A client that has waited for five milliseconds is asleep, and woken late. How many go in so long. */
static unsigned sleepy(struct pacer *pacer, int64_t *now, int64_t us, double slower)
{
    int64_t until = *now + us, last = *now, due;
    unsigned sent = 0;
    while (*now < until) {
        if (pacer_ask(pacer, 0, *now, &due) == 0) {
            *now = due;
            continue;
        }
        int64_t begun = *now, latency = (int64_t)((begun - last > 5000 ? 300 : 100) * slower);
        pacer_sent(pacer, 0, begun, 1);
        last = begun;
        *now += latency;
        pacer_reply(pacer, begun, *now);
        sent++;
    }
    return sent;
}

static void who_was_slowed_by_a_burst_does_not_stay_slow_because_who_sleeps_wakes_late(void **state)
{
    (void)state;
    struct pacer pacer;
    int64_t now = 1;
    pacer_init(&pacer, 0.3, now);
    sleepy(&pacer, &now, 10000000, 1);
    unsigned usual = sleepy(&pacer, &now, 5000000, 1), burst = sleepy(&pacer, &now, 300000, 1.8);
    assert_in_range(burst, 1, usual / 5 * 3 / 10 / 4); /* while it lasts: less than a quarter */
    assert_in_range(sleepy(&pacer, &now, 5000000, 1), usual / 3, usual);
}

static void a_reply_that_is_far_out_is_not_taken_for_what_is_usual(void **state)
{
    static const struct {
        unsigned before, after; /* replies that take 100 us */
        int64_t idle_us, odd_us;
    } ROWS[] = {
        {0, 40, 0, 5000},           /* the first of its kind */
        {15, 0, 0, 5000},           /* the last from which is learnt */
        {1000, 0, 60000000, 390},   /* the first after a long while */
        {1000, 0, 1000000, 100000}, /* a server that stood still for a moment */
    };
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct pacer pacer;
        int64_t now = 1;
        pacer_init(&pacer, 0.5, now);
        take_turns(&pacer, &now, 0, ROWS[i].before, 100);
        now += ROWS[i].idle_us;
        take_turns(&pacer, &now, 0, 1, ROWS[i].odd_us);
        take_turns(&pacer, &now, 0, ROWS[i].after, 100);
        int64_t took = take_turns(&pacer, &now, 0, 100, 200); /* twice as long: a queue, and not what is usual */
        if (took <= 3 * 40000)
            fail_msg("row %zu: so many in %" G_GINT64_FORMAT " us", i, took);
    }
}

static void a_kind_that_was_forgotten_is_learnt_anew(void **state)
{
    (void)state;
    struct pacer pacer;
    int64_t now = 1;
    pacer_init(&pacer, 0.5, now);
    for (uint64_t kind = 0; kind < 3 * PACER_KINDS; kind++)
        assert_in_range(take_turns(&pacer, &now, kind % (2 * PACER_KINDS), 200, 100 + (int64_t)kind), 1, 90000);
}

static void replies_of_two_connections_may_come_in_any_order(void **state)
{
    (void)state;
    struct pacer pacer;
    int64_t due;
    pacer_init(&pacer, 1e9, 0);
    for (int64_t sent = 1000; sent <= 3000; sent += 1000) {
        assert_true(pacer_ask(&pacer, (uint64_t)sent, sent, &due) > 0);
        pacer_sent(&pacer, (uint64_t)sent, sent, 1);
    }
    pacer_reply(&pacer, 3000, 3100);
    pacer_lost(&pacer, 2000);
    pacer_reply(&pacer, 2000, 3150); /* nobody waits for it */
    assert_int_equal(pacer.waiting, 1);
    pacer_reply(&pacer, 1000, 3200);
    assert_int_equal(pacer.waiting, 0);
    assert_true(pacer.kinds[2].latency_us == 100 && pacer.kinds[0].latency_us == 2200 &&
                pacer.kinds[1].latency_us == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rate_is_the_window_over_the_latency),
        cmocka_unit_test(commands_go_together_where_their_reply_takes_little_of_what_is_allowed),
        cmocka_unit_test(commands_go_together_where_the_gap_is_too_short_to_be_kept_but_four_at_most),
        cmocka_unit_test(a_server_that_is_slow_to_answer_is_given_less_before_it_has_answered),
        cmocka_unit_test(nothing_goes_without_a_window_nor_while_too_many_are_waited_for),
        cmocka_unit_test(who_comes_late_does_not_catch_up_in_a_burst),
        cmocka_unit_test(a_write_that_takes_longer_than_a_read_is_no_queue),
        cmocka_unit_test(who_was_slowed_by_a_burst_does_not_stay_slow_because_who_sleeps_wakes_late),
        cmocka_unit_test(a_reply_that_is_far_out_is_not_taken_for_what_is_usual),
        cmocka_unit_test(a_kind_that_was_forgotten_is_learnt_anew),
        cmocka_unit_test(replies_of_two_connections_may_come_in_any_order),
    };
    return cmocka_run_group_tests_name("pacer", tests, NULL, NULL);
}
