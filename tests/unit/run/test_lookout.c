/* Who lags behind the others, and why: by the rule that docs/partitions.md states. */
#include "kit/scene.h"
#include "run/lookout.h"

#define S INT64_C(1000000)

/* At work for ten seconds, 100 records a second of 100 bytes, a tenth of the time in the target. */
static struct lookout_part usual(void)
{
    struct lookout_part part = {.part = 3, .left = 5000, .began_us = S, .checkpoint_us = 11 * S};
    part.done = 1000;
    part.bytes = 100000;
    part.step_us[OP_CAS] = S;
    part.step_us[OP_SCAN] = S;
    part.step_us[OP_LOG] = S;
    part.step_us[OP_KIND_COUNT] = S;
    return part;
}

static struct lookout_part others(void)
{
    struct lookout_part part = usual();
    part.began_us = 0;
    part.work_us = 10 * S;
    return part;
}

static void cause_is(const struct lookout_part *part, enum lag_cause cause, const char *words)
{
    struct lookout_part all = others();
    struct lag lag;
    assert_true(lag_of(part, &all, 11 * S, &lag));
    assert_string_equal(lag_cause_word(lag.cause), lag_cause_word(cause));
    if (!strstr(lag.words, words))
        fail_msg("'%s' lacks '%s'", lag.words, words);
    assert_int_equal(lag.part, 3);
    lag_done(&lag);
}

static bool lags(uint64_t done, int64_t work_us, int64_t still_us)
{
    struct lookout_part part = usual(), all = others();
    struct lag lag = {0};
    part.began_us = 100 * S;
    part.checkpoint_us = 100 * S + work_us - still_us;
    part.done = done;
    bool does = lag_of(&part, &all, 100 * S + work_us, &lag);
    lag_done(&lag);
    return does;
}

static void below_half_the_pace_of_the_others_it_lags(void **state)
{
    assert_false(lags(1000, 10 * S, 0));
    assert_false(lags(500, 10 * S, 0));
    assert_true(lags(499, 10 * S, 0));
    assert_true(lags(0, 5 * S, 5 * S));
    assert_false(lags(0, 5 * S - 1, 5 * S - 1)); /* too early to say */
}

static void without_a_checkpoint_for_long_it_lags_whatever_the_others_do(void **state)
{
    struct lookout_part part = usual(), nobody = {0};
    struct lag lag;
    assert_false(lags(100000, 20 * S, 15 * S - 1));
    assert_true(lags(100000, 20 * S, 15 * S));
    assert_false(lag_of(&part, &nobody, 11 * S, &lag));
    assert_true(lag_of(&part, &nobody, 26 * S, &lag));
    assert_int_equal(lag.still_ms, 15000);
    lag_done(&lag);
}

static void what_can_be_shown_is_the_cause(void **state)
{
    struct lookout_part part = usual();
    part.done = 100;
    part.bytes = 10000;
    for (size_t i = 0; i <= OP_KIND_COUNT; i++)
        part.step_us[i] /= 10;
    cause_is(&part, LAG_UNKNOWN, "nothing that sluice knows of");
    struct lookout_part at = part;
    at.step_us[OP_SETTLE] = 3 * S;
    at.step_us[OP_SCAN] += 2 * S;
    cause_is(&at, LAG_TARGET, "its target takes 31.00 ms a record, of the others 1.00");
    at.step_us[OP_SCAN] += 2 * S;
    cause_is(&at, LAG_SOURCE, "its source takes 41.00 ms");
    at = part;
    at.step_us[OP_KIND_COUNT] = 5 * S;
    cause_is(&at, LAG_TRANSFORM, "the transform takes 50.00 ms");
    at = part;
    at.step_us[OP_SYNC] = 5 * S;
    cause_is(&at, LAG_HOME, "the home takes");
    at = part;
    at.wait_us = 5 * S;
    cause_is(&at, LAG_WAITING, "it waits 50.00 ms");
    at.bytes = 200 * at.done;
    cause_is(&at, LAG_LARGE, "its records have 200 B each, the others' 100 B");
    at.refused = 10;
    cause_is(&at, LAG_REFUSED, "10 % of its records are refused");
    at.retried = 34;
    cause_is(&at, LAG_CONTENDED, "34 % of its writes were tried again");
    at.errors = 7;
    at.again_us = S;
    at.step_us[OP_WAIT] = S;
    g_strlcpy(at.said, "slot 77 is on the move", sizeof at.said);
    cause_is(&at, LAG_ERRORS, "7 calls failed and were tried again: slot 77 is on the move");
    at.again_us = S - 1; /* below a fifth of its time */
    cause_is(&at, LAG_CONTENDED, "34 %");
}

static void refusals_as_the_others_have_are_no_cause(void **state)
{
    struct lookout_part part = usual(), all = others();
    struct lag lag;
    part.done = 100;
    part.refused = 30;
    all.refused = 200;
    assert_true(lag_of(&part, &all, 11 * S, &lag));
    assert_int_not_equal(lag.cause, LAG_REFUSED);
    lag_done(&lag);
}

/* A call that does not come back is named while it does not. */
static void a_step_that_has_not_ended_counts(void **state)
{
    struct lookout_part part = usual();
    part.done = 100;
    part.bytes = 10000;
    part.step = OP_READ;
    part.step_began_us = 3 * S;
    cause_is(&part, LAG_TARGET, "its target takes 90.00 ms");
}

/* Who waits for the rate in the middle of a step waits, whatever the step is for. */
static void what_a_step_that_has_not_ended_waits_is_a_wait(void **state)
{
    struct lookout_part part = usual();
    struct lookout lookout;
    lookout_init(&lookout);
    part.done = 100;
    part.bytes = 10000;
    lookout_step(&lookout, &part, OP_LOG, 3 * S);
    lookout_waited(&lookout, &part, 8 * S);
    cause_is(&part, LAG_WAITING, "it waits 80.");
    lookout_step(&lookout, &part, OP_READ, 3 * S); /* another one */
    part.wait_us = 0;
    cause_is(&part, LAG_TARGET, "its target takes 90.00 ms");
    lookout_done(&lookout);
}

static struct grant grant_of(uint32_t part)
{
    return (struct grant){.part = {.part = part, .records = 1000}, .index = 100};
}

static void the_others_are_all_others_ended_ones_too(void **state)
{
    struct lookout lookout = {0};
    struct lookout_part a = {0}, b = {0}, none = {.part = UINT32_MAX};
    struct grant first = grant_of(1), second = grant_of(2), third = grant_of(3);
    struct grant nothing = {.part = {.part = UINT32_MAX}};
    struct checkpoint fast = {.tally = {.of = {[OUTCOME_WRITTEN] = 900}}};
    struct checkpoint slow = {.tally = {.of = {[OUTCOME_WRITTEN] = 90, [OUTCOME_RETRIED] = 90}}};
    lookout_init(&lookout);
    lookout_begin(&lookout);
    lookout_take(&lookout, &a, &first, S);
    lookout_take(&lookout, &b, &second, S);
    lookout_checkpoint(&lookout, &a, &fast, 6 * S);
    lookout_checkpoint(&lookout, &b, &slow, 6 * S);
    lookout_take(&lookout, &a, &third, 6 * S);
    lookout_take(&lookout, &a, &nothing, 7 * S);
    g_autoptr(GArray) found = lookout_lags(&lookout, 7 * S);
    assert_int_equal(found->len, 1);
    const struct lag *lag = &g_array_index(found, struct lag, 0);
    assert_true(lag->part == 2 && lag->left == 810 && lag->cause == LAG_CONTENDED);
    assert_true(lag->per_s == 15 && lag->others_per_s == 150);
    lookout_begin(&lookout);
    g_autoptr(GArray) anew = lookout_lags(&lookout, 7 * S);
    assert_int_equal(anew->len, 0);
    lookout_end(&lookout, &b, 8 * S);
    lookout_end(&lookout, &none, 8 * S);
    g_autoptr(GArray) over = lookout_lags(&lookout, 100 * S);
    assert_int_equal(over->len, 0);
    lookout_done(&lookout);
}

static const char SPEC[] = "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: items }\n"
                           "transform: { lua: t.lua }\ntarget: { store: \"mem:s\", dataset: items }\n";
static const char LUA[] = "function transform(doc, ctx)\n  doc.times = 1\n  return doc\nend\n";

/* What is seen while a worker hangs in a call. */
static struct process hanging;
static enum lag_cause seen;

static void look(struct scene *scene, int64_t us)
{
    g_autoptr(GArray) found = lookout_lags(&hanging.hold->shared.lookout, scene->fake.now_us);
    assert_int_equal(found->len, 1);
    seen = g_array_index(found, struct lag, 0).cause;
}

static void who_hangs_is_told_by_the_step_in_which_it_does(void **state)
{
    static const struct {
        enum op_kind step;
        enum fault_op call;
        enum lag_cause cause;
    } all[] = {{OP_CAS, FAULT_CAS, LAG_TARGET}, {OP_SCAN, FAULT_READ, LAG_SOURCE}};
    for (size_t i = 0; i < G_N_ELEMENTS(all); i++) {
        struct scene scene;
        scene_init(&scene, SPEC, LUA);
        scene_put(&scene, "items", "a", "{\"n\":1}");
        process_first(&hanging, &scene);
        process_until(&hanging, 0, all[i].step);
        scene_fault(&scene, &(struct fault_row){.op = all[i].call, .nth = 1, .effect = FAULT_SLOW, .slow_us = 20 * S});
        scene.asleep = look;
        seen = LAG_CAUSE_COUNT;
        process_step(&hanging, 0);
        scene.asleep = NULL;
        assert_int_equal(seen, all[i].cause);
        scene_fault(&scene, NULL);
        process_done(&hanging);
        scene_done(&scene);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(below_half_the_pace_of_the_others_it_lags),
        cmocka_unit_test(without_a_checkpoint_for_long_it_lags_whatever_the_others_do),
        cmocka_unit_test(what_can_be_shown_is_the_cause),
        cmocka_unit_test(refusals_as_the_others_have_are_no_cause),
        cmocka_unit_test(a_step_that_has_not_ended_counts),
        cmocka_unit_test(what_a_step_that_has_not_ended_waits_is_a_wait),
        cmocka_unit_test(who_hangs_is_told_by_the_step_in_which_it_does),
        cmocka_unit_test(the_others_are_all_others_ended_ones_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
