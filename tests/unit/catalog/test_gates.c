/* Gates: a person's word counts for the attempt, the plan and the report that it was given for; and limits that were
 * set. */
#include "unit/catalog/fixture.h"

static const struct act BOB = {.actor = "bob@desk", .reason = "looks well"};

static void move(struct fixture *fx, int64_t run, enum stage_state to, uint8_t report)
{
    GError *error = NULL;
    uint8_t digest[32] = {report};
    struct stage_move step = {.run = run, .to = to, .report = report ? digest : NULL, .act = FIXTURE_ACT};
    kit_ok(catalog_stage_move(fx->catalog, &step, &error));
}

/* The first stage has been judged and waits; its report's digest begins with this. */
static struct run_row waits_in(struct fixture *fx, const char *target, uint8_t report)
{
    struct run_row run = fixture_run_of(fx, "fix", target, 2);
    move(fx, run.id, STAGE_RUNNING, 0);
    move(fx, run.id, STAGE_VERIFYING, 0);
    move(fx, run.id, STAGE_WAITING, report);
    return run;
}

static struct run_row waits(struct fixture *fx, uint8_t report)
{
    return waits_in(fx, "mem:a/b", report);
}

/* … once more, after it had been denied. */
static void judged_again(struct fixture *fx, int64_t run, uint8_t report)
{
    move(fx, run, STAGE_FAILED, 0);
    move(fx, run, STAGE_RUNNING, 0);
    move(fx, run, STAGE_VERIFYING, 0);
    move(fx, run, STAGE_WAITING, report);
}

static struct stage_row stage_of(struct fixture *fx, int64_t run)
{
    GError *error = NULL;
    struct stage_row *stages;
    size_t n;
    kit_ok(catalog_stages(fx->catalog, run, fx->mem, &stages, &n, &error));
    return stages[0];
}

static struct approval word_on(struct fixture *fx, const struct run_row *run)
{
    GError *error = NULL;
    struct approval word;
    struct stage_row stage = stage_of(fx, run->id);
    kit_ok(catalog_approval(fx->catalog, run, &stage, fx->mem, &word, &error));
    return word;
}

static void say(struct fixture *fx, const struct run_row *run, bool granted)
{
    GError *error = NULL;
    struct approval word = {.run = run->id, .attempt = stage_of(fx, run->id).attempt, .granted = granted, .act = BOB};
    kit_ok(catalog_approval_add(fx->catalog, &word, &error));
}

/* --- given -------------------------------------------------------------------------------------------------------- */

static void a_word_is_read_back_with_who_and_why_and_stands_in_the_ledger(void **state)
{
    struct fixture *fx = *state;
    struct run_row run = waits(fx, 9);
    assert_int_equal(word_on(fx, &run).at_ms, 0);
    say(fx, &run, true);
    struct approval word = word_on(fx, &run);
    assert_true(word.granted);
    assert_true(word.at_ms > 0);
    assert_string_equal(word.act.actor, "bob@desk");
    assert_string_equal(word.act.reason, "looks well");
    assert_memory_equal(word.plan, run.digests.plan, 32);
    assert_int_equal(word.report[0], 9);
    fixture_rows_are(fx, "SELECT actor, action, reason, run, details FROM ledger ORDER BY number DESC LIMIT 1",
                     "bob@desk|approved|looks well|fix.1|{\"attempt\":1,\"report\":\"09000000000000000000000000000000"
                     "00000000000000000000000000000000\",\"stage\":\"canary\"}\n");
}

static void the_newest_word_counts(void **state)
{
    struct fixture *fx = *state;
    struct run_row run = waits(fx, 1);
    for (int i = 0; i < 4; i++) {
        say(fx, &run, i % 2);
        assert_int_equal(word_on(fx, &run).granted, i % 2);
    }
    fixture_rows_are(fx, "SELECT group_concat(action) FROM ledger WHERE actor = 'bob@desk'",
                     "denied,approved,denied,approved\n");
}

/* --- of something else -------------------------------------------------------------------------------------------- */

static void a_stage_that_does_not_wait_takes_no_word(void **state)
{
    static const enum stage_state STATES[] = {STAGE_PENDING, STAGE_RUNNING, STAGE_VERIFYING,
                                              STAGE_PASSED,  STAGE_FAILED,  STAGE_ROLLED_BACK};
    GError *error = NULL;
    struct fixture *fx = *state;
    struct run_row run = waits(fx, 1);
    for (size_t i = 0; i < G_N_ELEMENTS(STATES); i++) {
        g_autofree char *sql = g_strdup_printf("UPDATE stage SET state = '%s'", stage_state_word(STATES[i]));
        g_autofree char *words = g_strdup_printf("stage canary of run fix.1 is %s", stage_state_word(STATES[i]));
        struct approval word = {.run = run.id, .attempt = 1, .granted = true, .act = BOB};
        fixture_sql(fx, sql);
        kit_refused_at(catalog_approval_add(fx->catalog, &word, &error), &error, SLUICE_ERROR_REFUSED, words,
                       &(const struct kit_place){sql, __FILE__, __LINE__});
    }
    fixture_rows_are(fx, "SELECT count(*) FROM approval", "0\n");
    fixture_rows_are(fx, "SELECT count(*) FROM ledger WHERE actor = 'bob@desk'", "0\n");
}

static void a_word_on_another_attempt_or_on_no_stage_is_refused(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct run_row run = waits(fx, 1);
    judged_again(fx, run.id, 1);
    for (uint32_t attempt = 0; attempt < 4; attempt++) {
        struct approval word = {.run = run.id, .attempt = attempt, .granted = true, .act = BOB};
        if (attempt != 2)
            kit_refused(catalog_approval_add(fx->catalog, &word, &error), REFUSED, "judged again");
    }
    struct approval nowhere = {.run = run.id, .stage = 7, .attempt = 1, .act = BOB};
    kit_refused(catalog_approval_add(fx->catalog, &nowhere, &error), NOT_FOUND, "no stage with the number 7");
    struct approval nothing = {.run = 99, .attempt = 2, .act = BOB};
    assert_false(catalog_approval_add(fx->catalog, &nothing, NULL));
    fixture_rows_are(fx, "SELECT count(*) FROM approval", "0\n");
}

static void a_word_counts_for_no_later_attempt(void **state)
{
    struct fixture *fx = *state;
    struct run_row run = waits(fx, 5);
    say(fx, &run, true);
    judged_again(fx, run.id, 5);
    assert_int_equal(word_on(fx, &run).at_ms, 0);
    say(fx, &run, true);
    assert_true(word_on(fx, &run).at_ms > 0);
}

static void a_word_counts_for_no_other_report_plan_run_or_stage(void **state)
{
    static const struct {
        const char *sql;
        bool counts;
    } ROWS[] = {
        {"UPDATE approval SET granted = 1", true},
        {"UPDATE stage SET report = zeroblob(32)", false},
        {"UPDATE stage SET report = zeroblob(0)", false},
        {"UPDATE approval SET report = zeroblob(0)", false},
        {"UPDATE approval SET plan_digest = zeroblob(32)", false},
        {"UPDATE approval SET run = run + 1", false},
        {"UPDATE approval SET stage = stage + 1", false},
        {"UPDATE approval SET attempt = attempt + 1", false},
    };
    struct fixture *fx = *state;
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        g_autofree char *target = g_strdup_printf("mem:a/%zu", i);
        struct run_row run = waits_in(fx, target, 3);
        say(fx, &run, true);
        fixture_sql(fx, ROWS[i].sql); /* of the runs before too, which nobody asks about any more */
        bool counts = word_on(fx, &run).at_ms > 0;
        if (counts != ROWS[i].counts)
            fail_msg("after %s it %s", ROWS[i].sql, counts ? "counts" : "does not count");
    }
}

/* --- settings ----------------------------------------------------------------------------------------------------- */

static void set(struct fixture *fx, int64_t run, const char *key, const char *value)
{
    GError *error = NULL;
    struct setting setting = {.key = key, .value = value};
    kit_ok(catalog_setting_add(fx->catalog, run, &setting, &BOB, &error));
}

static void of_each_key_the_newest_setting_stands(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct run_row run = fixture_run(fx, 1), other = fixture_run_of(fx, "other", "mem:b", 1);
    struct setting *found;
    size_t n;
    set(fx, run.id, "workers", "3");
    set(fx, other.id, "workers", "9");
    set(fx, run.id, "protect.errors", "1%");
    set(fx, run.id, "workers", "2");
    kit_ok(catalog_settings(fx->catalog, run.id, fx->mem, &found, &n, &error));
    assert_int_equal(n, 2);
    assert_string_equal(found[0].key, "protect.errors");
    assert_string_equal(found[0].value, "1%");
    assert_string_equal(found[1].key, "workers");
    assert_string_equal(found[1].value, "2");
    assert_string_equal(found[1].actor, "bob@desk");
    assert_true(found[1].at_ms > 0);
    fixture_rows_are(fx, "SELECT actor, action, run, details FROM ledger ORDER BY number DESC LIMIT 1",
                     "bob@desk|set|fix.1|{\"key\":\"workers\",\"value\":\"2\"}\n");
    struct setting setting = {.key = "workers", .value = "4"};
    assert_false(catalog_setting_add(fx->catalog, 99, &setting, &BOB, NULL));
    fixture_rows_are(fx, "SELECT count(*) FROM setting", "4\n");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_word_is_read_back_with_who_and_why_and_stands_in_the_ledger),
        CASE(the_newest_word_counts),
        CASE(a_stage_that_does_not_wait_takes_no_word),
        CASE(a_word_on_another_attempt_or_on_no_stage_is_refused),
        CASE(a_word_counts_for_no_later_attempt),
        CASE(a_word_counts_for_no_other_report_plan_run_or_stage),
        CASE(of_each_key_the_newest_setting_stands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
