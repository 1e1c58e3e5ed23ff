/* One guard's judgement, on a clock that only the test turns. */
#include <math.h>

#include "guard/judge.h"
#include "kit/kit.h"

#define S  INT64_C(1000000)
#define T0 (1000 * S)

struct life {
    struct guard_rule rule;
    struct guard_state state;
    int64_t now;
};

static struct life life_of(struct guard_rule rule)
{
    struct life life = {.rule = rule, .now = T0};
    guard_begin(&life.state, life.now);
    return life;
}

/* A second later, the reading. */
static enum guard_level next(struct life *life, double value)
{
    life->now += S;
    guard_take(&life->state, &life->rule, value, life->now);
    return life->state.level;
}

static enum guard_level many(struct life *life, unsigned n, double value)
{
    while (n-- > 0)
        next(life, value);
    return life->state.level;
}

static void beyond_its_limit_it_slows_at_once_and_pauses_when_that_has_held(void **state)
{
    struct life life = life_of(guard_rule_of(0.75, 0.75, false, 10 * S));
    assert_int_equal(next(&life, 0.5), GUARD_LEVEL_OK);
    assert_int_equal(next(&life, 0.75), GUARD_LEVEL_OK);
    assert_int_equal(next(&life, 0.76), GUARD_LEVEL_SLOW);
    assert_int_equal(many(&life, 9, 0.9), GUARD_LEVEL_SLOW);
    assert_int_equal(next(&life, 0.76), GUARD_LEVEL_PAUSE);
    assert_int_equal(life.state.since_us, life.now);
}

static void what_lies_between_clear_and_limit_changes_nothing_and_what_trembles_never_pauses(void **state)
{
    struct life life = life_of(guard_rule_of(100, 100, false, 10 * S));
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(next(&life, 101), GUARD_LEVEL_SLOW);
        assert_int_equal(next(&life, 95), GUARD_LEVEL_SLOW);
    }
    assert_int_equal(many(&life, 100, 91), GUARD_LEVEL_SLOW);
    assert_int_equal(many(&life, 10, 90), GUARD_LEVEL_SLOW);
    assert_int_equal(next(&life, 90), GUARD_LEVEL_OK);
}

static void a_pause_ends_when_it_was_clear_for_its_hold_without_a_break(void **state)
{
    struct life life = life_of(guard_rule_of(100, 100, false, 5 * S));
    assert_int_equal(many(&life, 6, 200), GUARD_LEVEL_PAUSE);
    assert_int_equal(many(&life, 5, 10), GUARD_LEVEL_PAUSE);
    assert_int_equal(next(&life, 99), GUARD_LEVEL_PAUSE); /* not clear: the time begins again */
    assert_int_equal(many(&life, 5, 10), GUARD_LEVEL_PAUSE);
    assert_int_equal(next(&life, 10), GUARD_LEVEL_OK);
}

/* The time is the reading's, not that of whoever sets the hold: or a word from a terminal would put off a pause. */
static void a_hold_that_is_set_anew_counts_from_when_the_reading_passed(void **state)
{
    struct life life = life_of(guard_rule_of(100, 100, false, 10 * S));
    assert_int_equal(many(&life, 5, 200), GUARD_LEVEL_SLOW);
    life.rule.hold_us = 5 * S;
    guard_look(&life.state, &life.rule, life.now);
    assert_int_equal(life.state.level, GUARD_LEVEL_SLOW); /* four by now */
    life.rule.hold_us = 4 * S;
    guard_look(&life.state, &life.rule, life.now);
    assert_int_equal(life.state.level, GUARD_LEVEL_PAUSE);
    life.rule.hold_us = 20 * S;
    assert_int_equal(many(&life, 15, 10), GUARD_LEVEL_PAUSE);
    life.rule.hold_us = 14 * S;
    guard_look(&life.state, &life.rule, life.now);
    assert_int_equal(life.state.level, GUARD_LEVEL_OK);
}

static void a_nearer_limit_slows_before_the_other_pauses(void **state)
{
    struct life life = life_of(guard_rule_of(0.8, 0.6, false, 3 * S));
    assert_int_equal(many(&life, 50, 0.7), GUARD_LEVEL_SLOW);
    assert_int_equal(many(&life, 3, 0.85), GUARD_LEVEL_SLOW);
    assert_int_equal(next(&life, 0.85), GUARD_LEVEL_PAUSE);
    assert_int_equal(many(&life, 50, 0.7), GUARD_LEVEL_PAUSE);
    assert_int_equal(many(&life, 4, 0.5), GUARD_LEVEL_OK);
}

static void a_lower_limit_is_breached_from_below(void **state)
{
    struct life life = life_of(guard_rule_of(10, 10, true, 2 * S));
    assert_int_equal(next(&life, 10), GUARD_LEVEL_OK);
    assert_int_equal(next(&life, 9), GUARD_LEVEL_SLOW);
    assert_int_equal(many(&life, 2, 9), GUARD_LEVEL_PAUSE);
    assert_int_equal(many(&life, 9, 10.5), GUARD_LEVEL_PAUSE);
    assert_int_equal(many(&life, 3, 11), GUARD_LEVEL_OK);
}

static void a_hard_one_halts_and_stays_so(void **state)
{
    struct life life = life_of(guard_rule_of(1, 1, false, 2 * S));
    life.rule.hard = true;
    assert_int_equal(many(&life, 3, 2), GUARD_LEVEL_HALT);
    assert_int_equal(many(&life, 100, 0), GUARD_LEVEL_HALT);
    life.now += 100 * S;
    guard_look(&life.state, &life.rule, life.now);
    assert_int_equal(life.state.level, GUARD_LEVEL_HALT);
}

/* … also one that would pause nobody, such as a server that saves itself for an hour. */
static void what_can_be_read_again_and_is_near_its_limit_only_slows(void **state)
{
    static const double LIMITS[] = {0.8, INFINITY};
    for (size_t i = 0; i < 2; i++) {
        struct life life = life_of(guard_rule_of(LIMITS[i], 0.6, false, 3 * S));
        assert_int_equal(next(&life, 0.7), GUARD_LEVEL_SLOW);
        life.now += 3 * S;
        guard_look(&life.state, &life.rule, life.now);
        assert_int_equal(life.state.level, GUARD_LEVEL_PAUSE);
        assert_int_equal(many(&life, 3, 0.7), GUARD_LEVEL_PAUSE);
        assert_int_equal(next(&life, 0.7), GUARD_LEVEL_SLOW);
        assert_false(life.state.unread);
        assert_int_equal(many(&life, 9, 0.7), GUARD_LEVEL_SLOW);
        assert_int_equal(many(&life, 4, 0.5), GUARD_LEVEL_OK);
    }
}

static void what_cannot_be_read_for_its_hold_pauses_and_goes_on_by_itself_when_it_can(void **state)
{
    struct life life = life_of(guard_rule_of(0.75, 0.75, false, 10 * S));
    next(&life, 0.72); /* nearer to the limit than clear, and fine all the same */
    life.now += 9 * S;
    guard_fail(&life.state, &life.rule, life.now);
    assert_int_equal(life.state.level, GUARD_LEVEL_OK);
    life.now += S;
    guard_fail(&life.state, &life.rule, life.now);
    assert_int_equal(life.state.level, GUARD_LEVEL_PAUSE);
    assert_true(life.state.unread);
    assert_int_equal(many(&life, 10, 0.72), GUARD_LEVEL_PAUSE);
    assert_int_equal(next(&life, 0.72), GUARD_LEVEL_OK);
    assert_false(life.state.unread);
}

static void one_that_was_never_read_pauses_too_and_no_number_is_no_reading(void **state)
{
    struct life life = life_of(guard_rule_of(5, 5, false, 3 * S));
    assert_int_equal(many(&life, 2, NAN), GUARD_LEVEL_OK);
    assert_false(life.state.known);
    assert_int_equal(next(&life, NAN), GUARD_LEVEL_PAUSE);
    assert_true(life.state.unread);
    life = life_of(life.rule);
    life.now += 3 * S; /* nobody reads at all */
    guard_look(&life.state, &life.rule, life.now);
    assert_int_equal(life.state.level, GUARD_LEVEL_PAUSE);
}

static void what_is_beyond_its_limit_when_it_can_be_read_again_stays_paused(void **state)
{
    struct life life = life_of(guard_rule_of(5, 5, false, 3 * S));
    many(&life, 4, NAN);
    assert_int_equal(many(&life, 4, 9), GUARD_LEVEL_PAUSE);
    assert_false(life.state.unread);
    assert_int_equal(many(&life, 20, 4.9), GUARD_LEVEL_PAUSE);
    assert_int_equal(many(&life, 4, 4), GUARD_LEVEL_OK);
}

static void a_strict_one_without_a_hold_follows_each_reading(void **state)
{
    struct life life = life_of((struct guard_rule){.strict = true, .stale_us = 5 * S});
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(next(&life, 1), GUARD_LEVEL_PAUSE);
        assert_int_equal(next(&life, 0), GUARD_LEVEL_OK);
        assert_int_equal(next(&life, NAN), GUARD_LEVEL_PAUSE);
        assert_true(life.state.unread);
        assert_int_equal(next(&life, 0), GUARD_LEVEL_OK);
    }
    life.now += 5 * S; /* whoever reads it hangs */
    guard_look(&life.state, &life.rule, life.now);
    assert_int_equal(life.state.level, GUARD_LEVEL_PAUSE);
}

static void a_limit_that_is_moved_counts_from_the_next_look(void **state)
{
    struct life life = life_of(guard_rule_of(0.75, 0.75, false, 2 * S));
    assert_int_equal(many(&life, 5, 0.8), GUARD_LEVEL_PAUSE);
    life.rule = guard_rule_of(0.95, 0.95, false, 2 * S);
    assert_int_equal(many(&life, 2, 0.8), GUARD_LEVEL_PAUSE);
    assert_int_equal(next(&life, 0.8), GUARD_LEVEL_OK);
    life.rule = guard_rule_of(INFINITY, INFINITY, false, 2 * S);
    assert_int_equal(many(&life, 5, 1e300), GUARD_LEVEL_OK);
}

/* Who is read every five minutes is not to pause a run for a limit that was given up meanwhile. */
static void a_limit_that_is_moved_is_held_against_what_was_read_last(void **state)
{
    struct life life = life_of(guard_rule_of(10, 10, false, 10 * S));
    life.rule.stale_us = 900 * S;
    assert_int_equal(next(&life, 12), GUARD_LEVEL_SLOW);
    life.rule.limit = life.rule.slow = 20;
    life.rule.clear = 18;
    guard_moved(&life.state, &life.rule);
    life.now += 100 * S;
    guard_look(&life.state, &life.rule, life.now);
    assert_int_equal(life.state.level, GUARD_LEVEL_OK);
    life.rule.limit = life.rule.slow = 11;
    guard_moved(&life.state, &life.rule); /* the reading is older than the hold */
    guard_look(&life.state, &life.rule, life.now);
    assert_int_equal(life.state.level, GUARD_LEVEL_PAUSE);
    life.now += 900 * S;
    guard_look(&life.state, &life.rule, life.now);
    life.rule.limit = life.rule.slow = life.rule.clear = 20;
    guard_moved(&life.state, &life.rule); /* nobody knows what it is by now */
    guard_look(&life.state, &life.rule, life.now);
    assert_int_equal(life.state.level, GUARD_LEVEL_PAUSE);
}

static void every_level_has_a_word_of_its_own(void **state)
{
    for (enum guard_level i = 0; i < GUARD_LEVELS; i++)
        for (enum guard_level k = 0; k < i; k++)
            assert_string_not_equal(guard_level_word(i), guard_level_word(k));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(beyond_its_limit_it_slows_at_once_and_pauses_when_that_has_held),
        cmocka_unit_test(what_lies_between_clear_and_limit_changes_nothing_and_what_trembles_never_pauses),
        cmocka_unit_test(a_pause_ends_when_it_was_clear_for_its_hold_without_a_break),
        cmocka_unit_test(a_hold_that_is_set_anew_counts_from_when_the_reading_passed),
        cmocka_unit_test(a_nearer_limit_slows_before_the_other_pauses),
        cmocka_unit_test(a_lower_limit_is_breached_from_below),
        cmocka_unit_test(a_hard_one_halts_and_stays_so),
        cmocka_unit_test(what_can_be_read_again_and_is_near_its_limit_only_slows),
        cmocka_unit_test(what_cannot_be_read_for_its_hold_pauses_and_goes_on_by_itself_when_it_can),
        cmocka_unit_test(one_that_was_never_read_pauses_too_and_no_number_is_no_reading),
        cmocka_unit_test(what_is_beyond_its_limit_when_it_can_be_read_again_stays_paused),
        cmocka_unit_test(a_strict_one_without_a_hold_follows_each_reading),
        cmocka_unit_test(a_limit_that_is_moved_counts_from_the_next_look),
        cmocka_unit_test(a_limit_that_is_moved_is_held_against_what_was_read_last),
        cmocka_unit_test(every_level_has_a_word_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
