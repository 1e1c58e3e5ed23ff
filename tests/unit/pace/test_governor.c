#include "kit/kit.h"
#include "pace/governor.h"

#include <math.h>

static struct governor governor;

/* Seconds of a probe every 5 ms that takes `us` and a spread of a fifth, sometimes more; ticks as they come. The
 * slowest fifth takes `more`, the others `less`. */
static int64_t feel_apart(int64_t at, double seconds, double us, double more, double less)
{
    int64_t until = at + (int64_t)(seconds * 1e6), tick = at + GOVERNOR_TICK_US;
    for (int64_t due = at; due < until; due += 5000) {
        double spread = (double)(due / 5000 * 7919 % 1000) / 1000;
        double takes = us * (1 + 0.2 * spread + (spread > 0.985 ? 0.3 : 0)) + (spread > 0.8 ? more : -less);
        governor_probe(&governor, due, due + (int64_t)takes);
        for (; tick <= due; tick += GOVERNOR_TICK_US)
            governor_tick(&governor, tick);
    }
    governor_tick(&governor, until);
    return until;
}

static int64_t feel(int64_t at, double seconds, double us)
{
    return feel_apart(at, seconds, us, 0, 0);
}

static int64_t begun(struct governor_promise promise)
{
    governor_init(&governor, &promise, 0.05, 32, 0);
    int64_t now = feel(0, 10, 1000);
    governor_lull_end(&governor, now);
    return now;
}

static void nothing_is_written_before_there_is_a_baseline(void **state)
{
    (void)state;
    struct governor_promise promise = {.share = 0.1};
    governor_init(&governor, &promise, 0.05, 32, 0);
    assert_true(governor_tick(&governor, GOVERNOR_TICK_US) <= 0);
    assert_int_equal(governor.cause, GOVERNOR_BASELINE);
    assert_false(governor_has_baseline(&governor));
    begun(promise);
    assert_true(governor_has_baseline(&governor));
    governor_lull_begin(&governor, 20000000);
    assert_true(governor_tick(&governor, 20250000) <= 0);
}

static void the_promise_is_the_larger_of_share_and_absolute_and_never_above_a_limit(void **state)
{
    (void)state;
    begun((struct governor_promise){.share = 0.1, .absolute_us = 500});
    double base = governor_baseline_p99_us(&governor);
    assert_in_range((uint64_t)(governor_limit_us(&governor) - base), 499, 501);
    begun((struct governor_promise){.share = 0.1, .absolute_us = 50});
    assert_in_range((uint64_t)(10 * (governor_limit_us(&governor) - base)), (uint64_t)base - 2, (uint64_t)base + 2);
    begun((struct governor_promise){.share = 0.1, .absolute_us = 50, .limit_us = base + 20});
    assert_in_range((uint64_t)(governor_limit_us(&governor) - base), 19, 21);
}

static void the_window_grows_while_nothing_is_felt_and_shrinks_where_too_much_is(void **state)
{
    (void)state;
    int64_t now = begun((struct governor_promise){.share = 0.1});
    now = feel(now, 5, 1000);
    double grown = governor.window;
    assert_true(grown > 0.1);
    assert_int_equal(governor.cause, GOVERNOR_GROWING);
    now = feel(now, 60, 1000);
    assert_true(governor.window > 31.9); /* as much as may be in flight */
    now = feel(now, 10, 1070);
    assert_true(governor.window < 16);
}

static void a_window_that_nobody_waits_for_does_not_grow_but_shrinks_all_the_same(void **state)
{
    (void)state;
    int64_t now = begun((struct governor_promise){.share = 0.1}), idle = now + 5000000;
    double first = governor.window;
    for (; now < idle; now += GOVERNOR_TICK_US) {
        governor_unused(&governor);
        feel(now, 0.249, 1000);
        assert_true(governor.window <= first);
    }
    now = feel(now, 5, 1000); /* somebody waits again */
    double grown = governor.window;
    assert_true(grown > 2 * first);
    for (idle = now + 5000000; now < idle; now += GOVERNOR_TICK_US) {
        governor_unused(&governor);
        feel(now, 0.249, 3000);
    }
    assert_true(governor.window < grown / 2);
}

static void a_median_that_falls_makes_up_for_nothing(void **state)
{
    (void)state;
    int64_t now = begun((struct governor_promise){.share = 0.1});
    now = feel(now, 60, 1000);
    assert_true(governor.window > 31.9);
    now = feel_apart(now, 20, 1000, 130, 80);
    assert_true(governor.window < 16);
}

/* What is felt is the world: of a few samples it moves by chance. */
static void while_next_to_nothing_is_sent_neither_window_nor_tail_move(void **state)
{
    (void)state;
    int64_t now = begun((struct governor_promise){.share = 0.1});
    now = feel(now, 60, 1000);
    double window = governor.window, tail = governor.tail;
    governor_idle(&governor, true);
    now = feel_apart(now, 20, 1000, 130, 80);
    assert_true(governor.window >= window && governor.tail >= tail && governor.tail <= tail);
    governor_idle(&governor, false);
    now = feel_apart(now, 20, 1000, 130, 80);
    assert_true(governor.window < 16 && (governor.tail > tail || governor.tail < tail));
    window = governor.window;
    governor_idle(&governor, true);
    feel(now, 20, 2000);
    assert_true(governor.window < window); /* a breach */
}

/* On machines that others use as well a few requests wait for the processor, and most do not. */
static void a_tail_that_moves_twenty_times_as_far_as_the_body_is_felt(void **state)
{
    (void)state;
    int64_t now = begun((struct governor_promise){.absolute_us = 500}), until = now + 90000000;
    for (int64_t due = now, k = 0; due < until; due += 5000, k++) {
        double spread = (double)(due / 5000 * 7919 % 1000) / 1000;
        double more = spread > 0.975 ? 400 : spread > 0.85 ? 60 : 0;
        governor_probe(&governor, due, due + (int64_t)(1000 * (1 + 0.2 * spread + (spread > 0.985 ? 0.3 : 0)) + more));
        if (k % 50 == 49)
            governor_tick(&governor, due);
    }
    double felt = governor_p99_us(&governor) - governor_baseline_p99_us(&governor);
    assert_true(felt > 300 && felt < 500);
}

/* Each fifth half-second a tenth of the requests waits for something that is not sluice's; all wait a little for it. */
static void a_bad_moment_of_the_world_tells_nothing_of_the_tail(void **state)
{
    (void)state;
    int64_t now = begun((struct governor_promise){.absolute_us = 500});
    for (int i = 0; i < 30; i++) {
        now = feel(now, 2, 1015);
        now = feel_apart(now, 0.25, 1015, 2000, 0);
        now = feel(now, 0.25, 1015);
    }
    assert_true(governor.tail < 5);
}

/* Seconds of a server that makes requests wait the longer, the more is in flight: most of them `by` a command, the
 * slowest fiftieth `tail` times that. The mean window, and the largest. */
struct settled {
    double window, most;
};

static struct settled load(int64_t *io_at, double seconds, double by, double tail)
{
    struct settled ret = {0};
    int64_t until = *io_at + (int64_t)(seconds * 1e6), probes = (int64_t)(seconds * 200);
    for (int64_t due = *io_at, tick = due; due < until; due += 5000) {
        double spread = (double)(due / 5000 * 7919 % 1000) / 1000, more = by * (spread > 0.98 ? tail : 1);
        governor_probe(&governor, due, due + (int64_t)(1000 * (1 + 0.2 * spread) + more * governor.window));
        if (due - tick >= GOVERNOR_TICK_US)
            governor_tick(&governor, tick = due);
        ret.window += governor.window / (double)probes;
        ret.most = fmax(ret.most, governor.window);
    }
    *io_at = until;
    return ret;
}

static int64_t loaded(void)
{
    int64_t now = 0;
    struct governor_promise promise = {.absolute_us = 500};
    governor_init(&governor, &promise, 0.05, 32, 0);
    load(&now, 10, 0, 0);
    governor_lull_end(&governor, now);
    return now;
}

static void a_window_grows_to_what_it_may_be_and_not_far_beyond(void **state)
{
    (void)state;
    int64_t now = loaded();
    double most = load(&now, 120, 20, 4).most, settled = load(&now, 60, 20, 4).window;
    assert_true(most < 1.25 * settled);
}

/* The world's own bad moment, before anything was tried. */
static void what_is_felt_of_the_least_window_does_not_slow_the_first_growth(void **state)
{
    (void)state;
    int64_t now = begun((struct governor_promise){.share = 0.1});
    now = feel(now, 1, 3000);
    assert_true(governor.window <= 0.051);
    now = feel(now, 15, 1000);
    assert_true(governor.window > 2);
}

/* Eight seconds in which everything waits twenty times as long. */
static void what_weighed_on_the_server_is_forgotten_as_soon_as_it_has_gone(void **state)
{
    (void)state;
    int64_t now = loaded();
    load(&now, 180, 20, 4);
    double before = governor.window;
    load(&now, 8, 400, 4);
    assert_true(governor.window < before / 10);
    load(&now, 8, 20, 4);
    double soon = governor.window;
    load(&now, 12, 20, 4);
    assert_true(governor.window > before / 2 && soon > 0.6 * governor.window);
}

/* … and beyond what it usually had it feels its way. */
static void a_window_grows_fast_up_to_what_is_usual_only(void **state)
{
    (void)state;
    int64_t now = loaded();
    load(&now, 180, 20, 4);
    load(&now, 8, 400, 4);
    load(&now, 3, 0, 0);
    double before = governor.window;
    load(&now, 1, 0, 0);
    assert_true(governor.window > 1.6 * before && governor.window < governor.usual);
    load(&now, 5, 0, 0);
    before = governor.window;
    assert_true(before > governor.usual);
    load(&now, 1, 0, 0);
    assert_true(governor.window > 1.3 * before && governor.window < 1.5 * before);
}

/* A window of ten seconds has few of those that wait long. */
static void it_aims_lower_where_the_p99_moves_much_farther_than_the_body(void **state)
{
    (void)state;
    int64_t now = loaded();
    load(&now, 120, 40, 1);
    double near = 40 * load(&now, 60, 40, 1).window;
    now = loaded();
    load(&now, 120, 4, 16);
    double far = 4 * 16 * load(&now, 60, 4, 16).window;
    assert_true(near > 200 && near < 300);
    assert_true(far > 100 && far < 0.9 * near);
}

static void many_samples_above_the_promise_halve_the_window_at_once(void **state)
{
    (void)state;
    int64_t now = begun((struct governor_promise){.share = 0.1});
    now = feel(now, 30, 1000);
    double before = governor.window;
    now = feel(now, 0.5, 3000);
    assert_true(governor.window <= before / 2);
    feel(now, 10, 3000);
    assert_true(governor.window <= 0.051); /* a trickle stays */
}

static void what_is_felt_while_workers_write_never_moves_the_baseline(void **state)
{
    (void)state;
    int64_t now = begun((struct governor_promise){.share = 0.1});
    double base = governor_baseline_p99_us(&governor);
    for (int i = 0; i < 20; i++) {
        now = feel(now, 10, 1000 * (1 + i)); /* it gets worse and worse */
        assert_true(governor_baseline_p99_us(&governor) <= base && governor_baseline_p99_us(&governor) >= base);
    }
}

static void each_cause_has_a_name_and_words(void **state)
{
    (void)state;
    for (int i = 0; i < GOVERNOR_CAUSES; i++) {
        assert_true(strlen(governor_cause_name((enum governor_cause)i)) > 0);
        assert_true(strlen(governor_cause_words((enum governor_cause)i)) > 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_written_before_there_is_a_baseline),
        cmocka_unit_test(the_promise_is_the_larger_of_share_and_absolute_and_never_above_a_limit),
        cmocka_unit_test(the_window_grows_while_nothing_is_felt_and_shrinks_where_too_much_is),
        cmocka_unit_test(a_window_that_nobody_waits_for_does_not_grow_but_shrinks_all_the_same),
        cmocka_unit_test(a_median_that_falls_makes_up_for_nothing),
        cmocka_unit_test(while_next_to_nothing_is_sent_neither_window_nor_tail_move),
        cmocka_unit_test(a_tail_that_moves_twenty_times_as_far_as_the_body_is_felt),
        cmocka_unit_test(a_bad_moment_of_the_world_tells_nothing_of_the_tail),
        cmocka_unit_test(a_window_grows_to_what_it_may_be_and_not_far_beyond),
        cmocka_unit_test(what_is_felt_of_the_least_window_does_not_slow_the_first_growth),
        cmocka_unit_test(what_weighed_on_the_server_is_forgotten_as_soon_as_it_has_gone),
        cmocka_unit_test(a_window_grows_fast_up_to_what_is_usual_only),
        cmocka_unit_test(it_aims_lower_where_the_p99_moves_much_farther_than_the_body),
        cmocka_unit_test(many_samples_above_the_promise_halve_the_window_at_once),
        cmocka_unit_test(what_is_felt_while_workers_write_never_moves_the_baseline),
        cmocka_unit_test(each_cause_has_a_name_and_words),
    };
    return cmocka_run_group_tests_name("governor", tests, NULL, NULL);
}
