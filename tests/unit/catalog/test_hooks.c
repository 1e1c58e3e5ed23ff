/* Hooks: what every move has to tell whom, journalled with it, and what becomes of it. */
#include "fixture.h"

static const struct hook_new HOOKS[] = {
    {.events = (UINT32_C(1) << SPEC_EVENT_COUNT) - 1},
    {.events = SPEC_EVENT(STAGE_PASSED) | SPEC_EVENT(APPROVAL_DENIED), .must = true},
};

static struct run_row hooked_run(struct fixture *fx)
{
    static const struct stage_new STAGES[] = {{"canary"}, {"full"}};
    GError *error = NULL;
    struct run_row row = {0};
    struct run_new new = {.spec_name = "fix",
                          .spec_path = "/specs/fix.yaml",
                          .uid = {0xab, 0xcd},
                          .plan = slice_of_text("{\"plan\":1}"),
                          .target = "mem:a/b",
                          .stages = STAGES,
                          .n_stages = G_N_ELEMENTS(STAGES),
                          .hooks = HOOKS,
                          .n_hooks = G_N_ELEMENTS(HOOKS),
                          .act = FIXTURE_ACT};
    kit_ok(catalog_run_create(fx->catalog, &new, fx->mem, &row, &error));
    return row;
}

static bool run_moves(struct fixture *fx, int64_t run, enum run_state from, enum run_state to, GError **error)
{
    struct run_move move = {.run = run, .from = from, .to = to, .reason = "why", .act = FIXTURE_ACT};
    return catalog_run_move(fx->catalog, &move, error);
}

static void stage_moves(struct fixture *fx, int64_t run, enum stage_state to)
{
    GError *error = NULL;
    struct stage_move move = {.run = run, .stage = 0, .to = to, .act = FIXTURE_ACT};
    kit_ok(catalog_stage_move(fx->catalog, &move, &error));
}

static void a_move_is_journalled_for_those_who_wait_for_it(void **state)
{
    struct fixture *fx = *state;
    GError *error = NULL;
    struct run_row run = hooked_run(fx);
    kit_ok(run_moves(fx, run.id, RUN_PLANNED, RUN_RUNNING, &error));
    stage_moves(fx, run.id, STAGE_RUNNING);
    stage_moves(fx, run.id, STAGE_VERIFYING);
    stage_moves(fx, run.id, STAGE_PASSED);
    fixture_rows_are(fx, "SELECT hook, event, key, must, state FROM delivery ORDER BY id",
                     "0|run.planned|abcd000000000000/run.planned/1|0|waiting\n"
                     "0|run.started|abcd000000000000/run.started/2|0|waiting\n"
                     "0|run.running|abcd000000000000/run.running/2|0|waiting\n"
                     "0|stage.started|abcd000000000000/stage.started/3|0|waiting\n"
                     "0|stage.verifying|abcd000000000000/stage.verifying/4|0|waiting\n"
                     "0|stage.passed|abcd000000000000/stage.passed/5|0|waiting\n"
                     "1|stage.passed|abcd000000000000/stage.passed/5|1|waiting\n");
    fixture_rows_are(
        fx,
        "SELECT json_extract(document, '$.event'), json_extract(document, '$.key'), json_extract(document, "
        "'$.run'), json_extract(document, '$.stage'), json_extract(document, '$.actor'), "
        "json_extract(document, '$.ledger'), json_extract(document, '$.details.from') FROM delivery WHERE hook = 1",
        "stage.passed|abcd000000000000/stage.passed/5|fix.1|canary|ann@desk|5|verifying\n");
}

static void a_move_that_is_refused_tells_nobody(void **state)
{
    struct fixture *fx = *state;
    GError *error = NULL;
    struct run_row run = hooked_run(fx);
    kit_refused(run_moves(fx, run.id, RUN_PLANNED, RUN_DONE, &error), REFUSED, "cannot become done");
    fixture_rows_are(fx, "SELECT count(*) FROM delivery", "1\n");
}

static void a_run_without_hooks_has_nothing_to_tell(void **state)
{
    struct fixture *fx = *state;
    GError *error = NULL;
    struct run_row run = fixture_run(fx, 1);
    struct delivery_counts counts;
    kit_ok(run_moves(fx, run.id, RUN_PLANNED, RUN_RUNNING, &error));
    kit_ok(catalog_delivery_counts(fx->catalog, run.id, &counts, &error));
    assert_int_equal(counts.waiting + counts.failed, 0);
    fixture_rows_are(fx, "SELECT count(*) FROM delivery", "0\n");
}

/* Every row of MOVE, in a run that is put there by hand. */
static void every_move_is_an_event(void **state)
{
    struct fixture *fx = *state;
    struct run_row run = hooked_run(fx);
    size_t n = 0;
    for (int from = 0; from < RUN_STATE_COUNT; from++)
        for (int to = 0; to < RUN_STATE_COUNT; to++) {
            GError *error = NULL;
            if (!run_state_may((enum run_state)from, (enum run_state)to))
                continue;
            g_autofree char *sql = g_strdup_printf("UPDATE run SET state = '%s'; DELETE FROM delivery",
                                                   run_state_word((enum run_state)from));
            fixture_sql(fx, sql);
            kit_ok(run_moves(fx, run.id, (enum run_state)from, (enum run_state)to, &error));
            g_autofree char *rows = fixture_rows(fx, "SELECT group_concat(event) FROM delivery");
            bool resumed = strstr(rows, "run.resumed") != NULL, started = strstr(rows, "run.started") != NULL;
            bool stood = from == RUN_PAUSED || from == RUN_INTERRUPTED || from == RUN_HALTED || from == RUN_FAILED;
            bool onwards = to == RUN_RUNNING || to == RUN_VERIFYING || to == RUN_WAITING || to == RUN_PROMOTING;
            if (!strchr(rows, '.') || resumed != (stood && onwards) || started != (from == RUN_PLANNED && onwards))
                fail_msg("%s to %s: %s", run_state_word((enum run_state)from), run_state_word((enum run_state)to),
                         rows);
            n++;
        }
    assert_true(n > 40);
}

static struct delivery next_of(struct fixture *fx, int64_t run, uint32_t hook)
{
    GError *error = NULL;
    struct delivery delivery;
    kit_ok(catalog_delivery_next(fx->catalog, run, hook, fx->mem, &delivery, &error));
    return delivery;
}

static void tried(struct fixture *fx, int64_t run, const struct delivery *delivery, enum delivery_state to)
{
    GError *error = NULL;
    struct delivery_try try = {
        .run = run, .delivery = delivery, .state = to, .next_ms = 77, .said = "words", .act = FIXTURE_ACT};
    kit_ok(catalog_delivery_tried(fx->catalog, &try, &error));
}

static void a_delivery_is_tried_until_it_is_delivered_or_has_failed_and_the_ledger_says_which(void **state)
{
    struct fixture *fx = *state;
    GError *error = NULL;
    struct run_row run = hooked_run(fx);
    struct delivery_counts counts;
    kit_ok(run_moves(fx, run.id, RUN_PLANNED, RUN_RUNNING, &error));
    struct delivery first = next_of(fx, run.id, 0);
    assert_string_equal(first.event, "run.planned");
    tried(fx, run.id, &first, DELIVERY_WAITING);
    struct delivery again = next_of(fx, run.id, 0);
    assert_int_equal(again.id, first.id);
    assert_int_equal(again.tries, 1);
    assert_int_equal(again.next_ms, 77);
    assert_true(slice_equal(again.document, first.document));
    fixture_rows_are(fx, "SELECT count(*) FROM ledger WHERE action LIKE 'hook-%'", "0\n");
    tried(fx, run.id, &again, DELIVERY_DELIVERED);
    struct delivery second = next_of(fx, run.id, 0);
    assert_string_equal(second.event, "run.started");
    tried(fx, run.id, &second, DELIVERY_FAILED);
    fixture_rows_are(fx,
                     "SELECT action, json_extract(details, '$.event'), json_extract(details, '$.tries'), "
                     "json_extract(details, '$.said') FROM ledger WHERE action LIKE 'hook-%' ORDER BY number",
                     "hook-delivered|run.planned|2|words\nhook-failed|run.started|1|words\n");
    kit_ok(catalog_delivery_counts(fx->catalog, run.id, &counts, &error));
    assert_int_equal(counts.waiting, 1);
    assert_int_equal(counts.failed, 1);
    assert_int_equal(counts.must_waiting, 0);
    kit_ok(catalog_deliveries_retry(fx->catalog, run.id, &error));
    assert_int_equal(next_of(fx, run.id, 0).id, second.id);
    assert_int_equal(next_of(fx, run.id, 0).tries, 0);
    assert_int_equal(next_of(fx, run.id, 1).id, 0);
}

static void something_is_told_once_whoever_tells_it(void **state)
{
    struct fixture *fx = *state;
    GError *error = NULL;
    struct run_row run = hooked_run(fx);
    bool is_new = false;
    struct catalog_telling telling = {.run = run.id,
                                      .what = "half",
                                      .action = "budget-warning",
                                      .details = "{\"key\":\"budget.records\"}",
                                      .events = SPEC_EVENT(BUDGET_WARNED),
                                      .act = FIXTURE_ACT};
    kit_ok(catalog_tell_once(fx->catalog, &telling, &is_new, &error));
    assert_true(is_new);
    kit_ok(catalog_tell_once(fx->catalog, &telling, &is_new, &error));
    assert_false(is_new);
    fixture_rows_are(fx, "SELECT count(*) FROM ledger WHERE action = 'budget-warning'", "1\n");
    fixture_rows_are(fx, "SELECT count(*) FROM delivery WHERE event = 'budget.warned'", "1\n");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_move_is_journalled_for_those_who_wait_for_it),
        CASE(a_move_that_is_refused_tells_nobody),
        CASE(a_run_without_hooks_has_nothing_to_tell),
        CASE(every_move_is_an_event),
        CASE(a_delivery_is_tried_until_it_is_delivered_or_has_failed_and_the_ledger_says_which),
        CASE(something_is_told_once_whoever_tells_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
