/* What is said of a run that does not move. */
#include "kit/kit.h"
#include "run/watchdog.h"

#define NOW INT64_C(1000000000)

static void contains(const char *text, const char *part)
{
    if (!text || !strstr(text, part))
        fail_msg("'%s' does not hold '%s'", text ? text : "nothing", part);
}

static struct run_row row_of(enum run_state state)
{
    return (struct run_row){.state = state,
                            .actor = "ops@host",
                            .state_ms = NOW - 5000,
                            .updated_ms = NOW - 5000,
                            .tally.of[OUTCOME_WRITTEN] = 1};
}

static void is(const struct watchdog_seen *seen, enum watchdog_kind kind, const char *words)
{
    struct watchdog dog = watchdog_look(seen);
    g_autofree char *text = watchdog_text(&dog);
    assert_int_equal(dog.kind, kind);
    if (words)
        contains(text, words);
    else
        assert_null(text);
}

static void a_pause_is_of_what_has_made_it_held_or_not(void **state)
{
    struct run_row run = row_of(RUN_PAUSED);
    struct sight none = {0};
    struct watchdog_seen seen = {.run = &run, .sight = &none, .pauser = "ops@host", .now_ms = NOW};
    is(&seen, WATCHDOG_PAUSED, "paused by ops@host since 1970-01-12T13:46:35.000Z");
    seen.pauser = "the gate of stage canary";
    is(&seen, WATCHDOG_PAUSED, "paused by the gate of stage canary since 1970-01-12T13:46:35.000Z");
    seen.pauser = "memory";
    seen.held = true;
    is(&seen, WATCHDOG_PAUSED, "paused by memory since");
}

static void slow_is_what_the_holder_sees_now_or_a_limit_that_writes_wait_for(void **state)
{
    struct run_row run = row_of(RUN_RUNNING);
    struct sight sight = {.at_ms = NOW - 2000, .slowed_by = "memory"};
    struct watchdog_seen seen = {.run = &run, .sight = &sight, .held = true, .now_ms = NOW};
    is(&seen, WATCHDOG_SLOW, "slow because of memory");
    sight.slowed_by = NULL;
    is(&seen, WATCHDOG_FINE, NULL);
    seen.limited_by = "protect.rate.max";
    run.updated_ms = run.state_ms = NOW - 10 * WATCHDOG_STILL_MS; /* a trickle checkpoints rarely */
    is(&seen, WATCHDOG_SLOW, "slow because of protect.rate.max");
}

static void who_waits_for_a_guard_before_it_begins_says_for_which(void **state)
{
    static const struct {
        enum run_state state;
        const char *words;
    } ROWS[] = {{RUN_PLANNED, "slow because of memory"},
                {RUN_INTERRUPTED, "slow because of memory"},
                {RUN_WAITING, NULL}, /* for its hours, or somebody's word */
                {RUN_DONE, NULL}};
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct run_row run = row_of(ROWS[i].state);
        struct sight sight = {.at_ms = NOW - 2000, .slowed_by = "memory"};
        struct watchdog_seen seen = {.run = &run, .sight = &sight, .held = true, .now_ms = NOW};
        is(&seen, ROWS[i].words ? WATCHDOG_SLOW : WATCHDOG_FINE, ROWS[i].words);
        seen.held = false;
        is(&seen, WATCHDOG_FINE, NULL);
    }
}

static void one_that_has_begun_and_checkpointed_nothing_says_what_comes_first(void **state)
{
    static const struct {
        enum run_state state;
        bool held;
        int64_t state_ms;
        uint64_t written;
        bool says;
    } ROWS[] = {{RUN_RUNNING, true, NOW - 5000, 0, true},
                {RUN_RUNNING, true, NOW - 5000, 1, false},
                {RUN_RUNNING, true, NOW - WATCHDOG_BEGINS_MS + 1, 0, false},
                {RUN_RUNNING, false, NOW - 5000, 0, false},
                {RUN_VERIFYING, true, NOW - 5000, 0, false}};
    struct sight now = {.at_ms = NOW};
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct run_row run = {.state = ROWS[i].state, .state_ms = ROWS[i].state_ms};
        run.tally.of[OUTCOME_WRITTEN] = ROWS[i].written;
        struct watchdog_seen seen = {.run = &run, .sight = &now, .held = ROWS[i].held, .now_ms = NOW};
        is(&seen, WATCHDOG_FINE,
           ROWS[i].says ? "nothing is checkpointed yet since 1970-01-12T13:46:35.000Z: it measures" : NULL);
        assert_int_equal(watchdog_look(&seen).begins_ms != 0, ROWS[i].says);
        if (!ROWS[i].held)
            continue;
        seen.limited_by = "live.p99";
        is(&seen, WATCHDOG_SLOW,
           ROWS[i].says ? "slow because of live.p99; nothing is checkpointed yet since" : "slow because of live.p99");
        assert_int_equal(watchdog_look(&seen).begins_ms != 0, ROWS[i].says);
    }
}

static void stuck_is_a_holder_that_looks_at_nothing_or_checkpoints_nothing(void **state)
{
    struct run_row run = row_of(RUN_RUNNING);
    struct sight sight = {.at_ms = NOW - WATCHDOG_BLIND_MS - 1, .slowed_by = "memory"};
    struct watchdog_seen seen = {.run = &run, .sight = &sight, .held = true, .now_ms = NOW};
    is(&seen, WATCHDOG_STUCK, "its process has looked at nothing since");
    sight = (struct sight){.at_ms = NOW};
    run.updated_ms = run.state_ms = NOW - WATCHDOG_STILL_MS - 1;
    is(&seen, WATCHDOG_STUCK, "nothing has been checkpointed since");
    run.state_ms = NOW; /* it has only just begun */
    is(&seen, WATCHDOG_FINE, NULL);
    run.state_ms = 0;
    run.state = RUN_VERIFYING; /* which checkpoints nothing */
    is(&seen, WATCHDOG_FINE, NULL);
    seen.held = false;
    run.state = RUN_RUNNING;
    is(&seen, WATCHDOG_FINE, NULL);
    assert_false(watchdog_sees(&seen));
}

/* Whether it writes, and whether its guards are looked at: of each state what is said of one that stands still and of
 * one whose process looks at nothing. */
static void which_states_are_stuck_by_what(void **state)
{
    static const struct {
        enum run_state state;
        bool writes, looks;
    } ROWS[] = {{RUN_RUNNING, true, true},
                {RUN_PROMOTING, true, true},
                {RUN_VERIFYING, false, true},
                {RUN_ROLLING_BACK, true, false},
                {RUN_WAITING, false, false}};
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct run_row run = row_of(ROWS[i].state);
        struct sight never = {0}, now = {.at_ms = NOW}, blind = {.at_ms = 1};
        struct watchdog_seen seen = {.run = &run, .sight = &blind, .held = true, .now_ms = NOW};
        is(&seen, ROWS[i].looks ? WATCHDOG_STUCK : WATCHDOG_FINE, ROWS[i].looks ? "looked at nothing" : NULL);
        run.updated_ms = run.state_ms = NOW - WATCHDOG_STILL_MS - 1;
        seen.sight = &now;
        is(&seen, ROWS[i].writes ? WATCHDOG_STUCK : WATCHDOG_FINE, ROWS[i].writes ? "checkpointed" : NULL);
        seen.sight = &never; /* it has not looked yet: that is no blindness */
        is(&seen, ROWS[i].writes ? WATCHDOG_STUCK : WATCHDOG_FINE, ROWS[i].writes ? "checkpointed" : NULL);
        assert_false(watchdog_sees(&seen));
    }
}

static void what_waits_has_ended_or_goes_back_is_fine(void **state)
{
    static const enum run_state STATES[] = {RUN_PLANNED, RUN_WAITING, RUN_DONE, RUN_FAILED, RUN_HALTED};
    struct sight old = {.at_ms = 1};
    for (size_t i = 0; i < G_N_ELEMENTS(STATES); i++) {
        struct run_row run = row_of(STATES[i]);
        struct watchdog_seen seen = {.run = &run, .sight = &old, .held = true, .now_ms = NOW};
        is(&seen, WATCHDOG_FINE, NULL);
    }
    struct run_row back = row_of(RUN_ROLLING_BACK); /* whose guards nobody looks at */
    struct watchdog_seen seen = {.run = &back, .sight = &old, .held = true, .now_ms = NOW};
    is(&seen, WATCHDOG_FINE, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pause_is_of_what_has_made_it_held_or_not),
        cmocka_unit_test(slow_is_what_the_holder_sees_now_or_a_limit_that_writes_wait_for),
        cmocka_unit_test(who_waits_for_a_guard_before_it_begins_says_for_which),
        cmocka_unit_test(one_that_has_begun_and_checkpointed_nothing_says_what_comes_first),
        cmocka_unit_test(stuck_is_a_holder_that_looks_at_nothing_or_checkpoints_nothing),
        cmocka_unit_test(which_states_are_stuck_by_what),
        cmocka_unit_test(what_waits_has_ended_or_goes_back_is_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
