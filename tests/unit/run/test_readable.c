/* Until when the source of a run can be read, and whether the run is through with it by then. */
#include "kit/kit.h"
#include "run/readable.h"

#define H INT64_C(3600000)

/* Begun at 100, at 110 half written and nothing verified: a quarter of the way, 30 hours are left. */
static struct run_row quarter_read(enum run_state state)
{
    struct run_row run = {.state = state, .started_ms = 100 * H, .updated_ms = 110 * H, .back_stage = UINT32_MAX};
    run.tally.of[OUTCOME_LISTED_] = 1000;
    run.tally.of[OUTCOME_WRITTEN] = 300;
    run.tally.of[OUTCOME_UNCHANGED] = 200;
    run.parts[PART_PENDING] = 5;
    run.parts[PART_WRITTEN] = 5;
    return run;
}

static void says(const struct run_row *run, int64_t until_h, int64_t now_h, const char *expected)
{
    struct readable readable = readable_of(run, until_h * H, now_h * H);
    g_autofree char *words = readable.until_ms ? readable_words(&readable) : g_strdup("");
    assert_string_equal(words, expected);
}

static void what_is_left_is_both_written_and_verified(void **state)
{
    struct run_row run = quarter_read(RUN_RUNNING);
    says(&run, 141, 110,
         "can be read until 1970-01-06T21:00:00.000Z: at the pace so far the run is through with it by "
         "1970-01-06T20:00:00.000Z, which is in time");
    says(&run, 139, 110,
         "can be read until 1970-01-06T19:00:00.000Z: at the pace so far the run is through with it by "
         "1970-01-06T20:00:00.000Z, which is too late");
    assert_true(readable_of(&run, 139 * H, 110 * H).late);
    assert_false(readable_of(&run, 140 * H, 110 * H).late);
    says(&run, 109, 110, "could be read until 1970-01-05T13:00:00.000Z, which has passed");
    run.tally.of[OUTCOME_UNCHANGED] = 700;
    run.parts[PART_PENDING] = 0;
    run.parts[PART_VERIFIED] = 5; /* three quarters in ten hours */
    assert_int_equal(readable_of(&run, 141 * H, 110 * H).there_ms, 110 * H + 10 * H / 3);
}

static void a_clock_that_was_set_back_makes_it_no_sooner(void **state)
{
    struct run_row run = quarter_read(RUN_RUNNING);
    run.worked_ms = 10 * H;
    assert_int_equal(readable_of(&run, 125 * H, 99 * H).there_ms, 129 * H);
    assert_true(readable_of(&run, 125 * H, 99 * H).late);
}

static void of_too_little_and_of_what_is_not_needed_nothing_is_said(void **state)
{
    struct run_row run = quarter_read(RUN_RUNNING);
    assert_int_equal(readable_of(&run, 0, 110 * H).until_ms, 0);
    run.tally.of[OUTCOME_WRITTEN] = 19;
    run.tally.of[OUTCOME_UNCHANGED] = 0;
    says(&run, 111, 110,
         "can be read until 1970-01-05T15:00:00.000Z: too little is done to say when the run is through with it");
    assert_false(readable_of(&run, 111 * H, 110 * H).late);
    static const enum run_state NOT_NEEDED[] = {RUN_DONE, RUN_ABORTED, RUN_ROLLED_BACK, RUN_ROLLING_BACK,
                                                RUN_PROMOTING};
    for (size_t i = 0; i < G_N_ELEMENTS(NOT_NEEDED); i++) {
        run = quarter_read(NOT_NEEDED[i]);
        assert_int_equal(readable_of(&run, 109 * H, 110 * H).until_ms, 0);
    }
    run = quarter_read(RUN_PAUSED);
    run.back_stage = 1;
    assert_int_equal(readable_of(&run, 109 * H, 110 * H).until_ms, 0);
    run = quarter_read(RUN_WAITING);
    run.tally.of[OUTCOME_WRITTEN] = 800;
    run.parts[PART_PENDING] = run.parts[PART_WRITTEN] = 0;
    run.parts[PART_VERIFIED] = 10; /* all is verified, and waits for an approval */
    assert_int_equal(readable_of(&run, 109 * H, 110 * H).until_ms, 0);
    run.tally = (struct tally){0}; /* of nothing, all is written */
    run.parts[PART_VERIFIED] = 0;
    assert_int_equal(readable_of(&run, 109 * H, 110 * H).until_ms, 0);
    run.parts[PART_PENDING] = 1;
    says(&run, 120, 110,
         "can be read until 1970-01-06T00:00:00.000Z: the run has to go on by 1970-01-05T14:00:00.000Z to be through "
         "with it by then");
}

/* Its own time does not count as its pace. */
static void a_run_that_stands_has_to_go_on_by_a_moment_that_its_pause_does_not_move(void **state)
{
    struct run_row run = quarter_read(RUN_PAUSED);
    for (int64_t now = 110; now <= 120; now += 5)
        says(&run, 150, now,
             "can be read until 1970-01-07T06:00:00.000Z: the run has to go on by 1970-01-06T00:00:00.000Z to be "
             "through with it by then");
    says(&run, 150, 121,
         "can be read until 1970-01-07T06:00:00.000Z: going on now the run is through with it by "
         "1970-01-07T07:00:00.000Z, which is too late");
}

static void pause_says(const struct run_row *run, int64_t until_h, int64_t goes_on_h, const char *expected)
{
    g_autofree char *words = readable_pause_words(run, until_h * H, 110 * H, goes_on_h * H);
    assert_string_equal(words, expected);
}

static void a_pause_that_may_outlive_it_says_so_and_when(void **state)
{
    struct run_row run = quarter_read(RUN_RUNNING);
    pause_says(&run, 0, 0, "");
    pause_says(&run, 150, 0,
               "; its source can be read until 1970-01-07T06:00:00.000Z: the run has to go on by "
               "1970-01-06T00:00:00.000Z to be through with it by then");
    pause_says(&run, 150, 120, "");
    pause_says(&run, 150, 121,
               "; its source can be read until 1970-01-07T06:00:00.000Z: the run has to go on by "
               "1970-01-06T00:00:00.000Z to be through with it by then, and it waits until later");
    pause_says(&run, 150, 151,
               "; its source can be read until 1970-01-07T06:00:00.000Z: the run has to go on by "
               "1970-01-06T00:00:00.000Z to be through with it by then, and it waits for longer than that");
    pause_says(&run, 109, 120, "; its source could be read until 1970-01-05T13:00:00.000Z, which has passed");
    run.tally.of[OUTCOME_WRITTEN] = run.tally.of[OUTCOME_UNCHANGED] = 0;
    run.state = RUN_PLANNED;
    pause_says(&run, 150, 149, "");
    pause_says(&run, 150, 150,
               "; its source can be read until 1970-01-07T06:00:00.000Z: too little is done to say when the run is "
               "through with it, and it waits for longer than that");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_left_is_both_written_and_verified),
        cmocka_unit_test(a_clock_that_was_set_back_makes_it_no_sooner),
        cmocka_unit_test(of_too_little_and_of_what_is_not_needed_nothing_is_said),
        cmocka_unit_test(a_run_that_stands_has_to_go_on_by_a_moment_that_its_pause_does_not_move),
        cmocka_unit_test(a_pause_that_may_outlive_it_says_so_and_when),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
