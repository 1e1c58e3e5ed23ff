/* Runs: made, named, found, moved; wishes and reports. */
#include "unit/catalog/fixture.h"

static int64_t now_in(const struct fixture *fx)
{
    return fx->fake.wall_ms;
}

static void force_state(struct fixture *fx, int64_t run, enum run_state state)
{
    g_autofree char *sql =
        g_strdup_printf("UPDATE run SET state = '%s' WHERE id = %ld", run_state_word(state), (long)run);
    fixture_sql(fx, sql);
}

/* --- made
 * ------------------------------------------------------------------------------------------------------------- */

static void a_new_run_is_planned_and_whole(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct run_row run = fixture_run(fx, 20), again;
    struct slice plan;
    assert_string_equal(run.name, "fix.1");
    assert_string_equal(run.spec_name, "fix");
    assert_string_equal(run.spec_path, "/specs/fix.yaml");
    assert_string_equal(run.target, "mem:a/b");
    assert_string_equal(run.actor, "ann@desk");
    assert_null(run.reason);
    assert_int_equal(run.state, RUN_PLANNED);
    assert_int_equal(run.uid[2], 3);
    assert_int_equal(run.digests.transform[0], 4);
    assert_int_equal(run.started_ms, now_in(fx));
    assert_int_equal(run.updated_ms, now_in(fx));
    assert_int_equal(run.tally.of[OUTCOME_LISTED_], 1000);
    assert_int_equal(run.tally.of[OUTCOME_DUPLICATES], 7);
    assert_int_equal(run.parts[PART_PENDING], 20);
    kit_ok(catalog_run_get(fx->catalog, "fix.1", fx->mem, &again, &error));
    assert_int_equal(again.id, run.id);
    kit_ok(catalog_plan(fx->catalog, run.id, fx->mem, &plan, &error));
    kit_equal_text(plan, "{\"plan\":1}");
    fixture_rows_are(
        fx, "SELECT number, actor, action, reason, run, details FROM ledger",
        "1|ann@desk|planned|INC-1432|fix.1|{\"duplicates\":7,\"listed\":1000,\"partitions\":20,\"stages\":["
        "\"canary\",\"full\"],\"target\":\"mem:a/b\"}\n");
}

static void numbers_grow_by_name(void **state)
{
    struct fixture *fx = *state;
    assert_string_equal(fixture_run_of(fx, "fix", "t", 1).name, "fix.1");
    assert_string_equal(fixture_run_of(fx, "other", "t", 1).name, "other.1");
    assert_string_equal(fixture_run_of(fx, "fix", "t", 1).name, "fix.2");
    assert_string_equal(fixture_run_of(fx, "fix", "t", 1).name, "fix.3");
    assert_string_equal(fixture_run_of(fx, "fix.1", "t", 1).name, "fix.1.1");
}

/* --- found
 * ------------------------------------------------------------------------------------------------------------ */

static void a_name_alone_is_its_newest_run(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct run_row run;
    fixture_run(fx, 1);
    fixture_run(fx, 1);
    fixture_run_of(fx, "other", "t", 1);
    kit_ok(catalog_run_get(fx->catalog, "fix", fx->mem, &run, &error));
    assert_string_equal(run.name, "fix.2");
    kit_ok(catalog_run_get(fx->catalog, "fix.1", fx->mem, &run, &error));
    assert_string_equal(run.name, "fix.1");
}

static void an_unknown_name_names_the_nearest(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct run_row run;
    kit_refused(catalog_run_get(fx->catalog, "fix", fx->mem, &run, &error), NOT_FOUND, "no run 'fix' in home");
    fixture_run_of(fx, "customers", "t", 1);
    kit_refused(catalog_run_get(fx->catalog, "custmers", fx->mem, &run, &error), NOT_FOUND,
                "did you mean 'customers'?");
    kit_refused(catalog_run_get(fx->catalog, "customers.2", fx->mem, &run, &error), NOT_FOUND,
                "did you mean 'customers.1'?");
    kit_refused(catalog_run_get_one(fx->catalog, "zzz", fx->mem, &run, &error), NOT_FOUND, "`sluice list`");
}

static void a_change_wants_one_open_run(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct run_row first = fixture_run(fx, 1), second = fixture_run(fx, 1), run;
    kit_refused(catalog_run_get_one(fx->catalog, "fix", fx->mem, &run, &error), REFUSED, "fix.2, fix.1; name one");
    kit_ok(catalog_run_get_one(fx->catalog, "fix.1", fx->mem, &run, &error));
    force_state(fx, second.id, RUN_DONE);
    kit_ok(catalog_run_get_one(fx->catalog, "fix", fx->mem, &run, &error));
    assert_string_equal(run.name, "fix.1");
    force_state(fx, first.id, RUN_ABORTED);
    kit_ok(catalog_run_get_one(fx->catalog, "fix", fx->mem, &run, &error));
    assert_string_equal(run.name, "fix.2");
}

static void runs_are_listed_newest_first(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct run_row *runs;
    size_t n;
    kit_ok(catalog_runs(fx->catalog, fx->mem, &runs, &n, &error));
    assert_int_equal(n, 0);
    for (int i = 0; i < 20; i++)
        fixture_run_of(fx, i % 2 ? "odd" : "even", "t", 2);
    kit_ok(catalog_runs(fx->catalog, fx->mem, &runs, &n, &error));
    assert_int_equal(n, 20);
    assert_string_equal(runs[0].name, "odd.10");
    assert_string_equal(runs[19].name, "even.1");
    assert_int_equal(runs[7].parts[PART_PENDING], 2);
}

static void an_unfinished_run_is_found_by_its_digests(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct run_row first = fixture_run(fx, 1), second = fixture_run(fx, 1), run;
    struct plan_digests digests = first.digests;
    memset(digests.plan, 9, sizeof digests.plan); /* not looked at: it is not planned again */
    kit_ok(catalog_run_unfinished(fx->catalog, "fix", &digests, fx->mem, &run, &error));
    assert_int_equal(run.id, second.id);
    force_state(fx, second.id, RUN_ROLLED_BACK);
    kit_ok(catalog_run_unfinished(fx->catalog, "fix", &digests, fx->mem, &run, &error));
    assert_int_equal(run.id, first.id);
    kit_ok(catalog_run_unfinished(fx->catalog, "other", &digests, fx->mem, &run, &error));
    assert_int_equal(run.id, 0);
    uint8_t *of[] = {digests.spec, digests.contract, digests.transform};
    for (size_t i = 0; i < G_N_ELEMENTS(of); i++) {
        of[i][31] ^= 1;
        kit_ok(catalog_run_unfinished(fx->catalog, "fix", &digests, fx->mem, &run, &error));
        assert_int_equal(run.id, 0);
        of[i][31] ^= 1;
    }
}

static int64_t on_target(struct fixture *fx, const char *target)
{
    GError *error = NULL;
    struct run_row run;
    kit_ok(catalog_run_on_target(fx->catalog, target, fx->mem, &run, &error));
    return run.id;
}

static void writes_stand_from_the_first_grant_until_the_run_is_over(void **state)
{
    struct fixture *fx = *state;
    struct run_row run = fixture_run_of(fx, "fix", "mem:a/b", 2);
    fixture_run_of(fx, "other", "mem:a/c", 2);
    assert_int_equal(on_target(fx, "mem:a/b"), 0);
    force_state(fx, run.id, RUN_WAITING);
    assert_int_equal(on_target(fx, "mem:a/b"), 0);
    force_state(fx, run.id, RUN_RUNNING);
    assert_int_equal(on_target(fx, "mem:a/b"), run.id);
    fixture_grant(fx, run.id, 0, "one");
    for (int i = 0; i < RUN_STATE_COUNT; i++) {
        force_state(fx, run.id, (enum run_state)i);
        bool over = i == RUN_DONE || i == RUN_ROLLED_BACK || i == RUN_ABORTED;
        assert_int_equal(on_target(fx, "mem:a/b"), over ? 0 : run.id);
        assert_int_equal(on_target(fx, "mem:a/c"), 0);
    }
}

static void more_than_the_arena_holds_is_an_error(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct run_row run = fixture_run(fx, 5000);
    struct part_row *parts;
    size_t n;
    auto_(arena) small = arena_new(4096);
    struct parts_of all = {.run = run.id, .stage = UINT32_MAX};
    kit_refused(catalog_parts(fx->catalog, &all, small, &parts, &n, &error), TOO_BIG, "memory");
    kit_ok(catalog_parts(fx->catalog, &all, fx->mem, &parts, &n, &error)); /* the statement is free again */
    assert_int_equal(n, 5000);
}

/* --- moved
 * ------------------------------------------------------------------------------------------------------------ */

static void a_move_shows_in_run_and_ledger(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct run_row run = fixture_run(fx, 1);
    struct run_move move = {.run = run.id,
                            .from = RUN_PLANNED,
                            .to = RUN_PAUSED,
                            .reason = "the disk hums",
                            .details = "{ \"z\": 1, \"a\": {\"c\": 2, \"b\": 3} }",
                            .act = {.actor = "bob@desk", .reason = "asked"}};
    fx->fake.wall_ms += 5000;
    kit_ok(catalog_run_move(fx->catalog, &move, &error));
    kit_ok(catalog_run_reload(fx->catalog, fx->mem, &run, &error));
    assert_int_equal(run.state, RUN_PAUSED);
    assert_string_equal(run.reason, "the disk hums");
    assert_string_equal(run.actor, "bob@desk");
    assert_int_equal(run.updated_ms, run.started_ms + 5000);
    fixture_rows_are(fx,
                     "SELECT number, actor, action, reason, run, details, hex(substr(spec_digest, 1, 2)) FROM ledger "
                     "WHERE number = 2",
                     "2|bob@desk|paused|asked|fix.1|{\"a\":{\"b\":3,\"c\":2},\"from\":\"planned\",\"state_reason\":"
                     "\"the disk hums\",\"z\":1}|0200\n");
}

static void bytes_that_are_no_text_do_not_stop_an_act(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct run_row run = fixture_run_of(fx, "fix", "file:/data/\xff", 1);
    struct run_move move = {.run = run.id,
                            .from = RUN_PLANNED,
                            .to = RUN_PAUSED,
                            .reason = "\xfe",
                            .act = {.actor = "\xfd@desk", .reason = "\xfc"}};
    struct ledger_verdict verdict;
    kit_ok(catalog_run_move(fx->catalog, &move, &error));
    kit_ok(catalog_run_reload(fx->catalog, fx->mem, &run, &error));
    assert_string_equal(run.target, "file:/data/\xff");
    assert_string_equal(run.reason, "\xfe");
    fixture_rows_are(fx, "SELECT json_extract(details, '$.from'), json_extract(details, '$.target') FROM ledger",
                     "NULL|file:/data/\xef\xbf\xbd\nplanned|NULL\n");
    kit_ok(ledger_verify(fx->catalog, NULL, fx->mem, &verdict, &error));
    assert_true(verdict.ok);
}

static void every_pair_of_states_moves_or_is_refused(void **state)
{
    static const bool ALLOWED[RUN_STATE_COUNT][RUN_STATE_COUNT] = {
#define MOVE(from, to) [RUN_##from][RUN_##to] = true,
#include "catalog/state_rows.h"
#undef MOVE
    };
    GError *error = NULL;
    struct fixture *fx = *state;
    struct run_row run = fixture_run(fx, 1);
    uint64_t entries = 1, number;
    uint8_t digest[32];
    for (int from = 0; from < RUN_STATE_COUNT; from++)
        for (int to = 0; to < RUN_STATE_COUNT; to++) {
            struct run_move move = {
                .run = run.id, .from = (enum run_state)from, .to = (enum run_state)to, .act = FIXTURE_ACT};
            bool may = ALLOWED[from][to];
            force_state(fx, run.id, move.from);
            g_autofree char *was = fixture_rows(fx, FIXTURE_STATES);
            assert_int_equal(run_state_may(move.from, move.to), may);
            if (may) {
                kit_ok(catalog_run_move(fx->catalog, &move, &error));
                fixture_ledger_says(fx, run_state_word(move.to), run_state_word(move.from));
            } else {
                kit_refused(catalog_run_move(fx->catalog, &move, &error), REFUSED, "it cannot become");
                fixture_rows_are(fx, FIXTURE_STATES, was);
            }
            kit_ok(catalog_run_reload(fx->catalog, fx->mem, &run, &error));
            assert_int_equal(run.state, may ? to : from);
            kit_ok(ledger_head(fx->catalog, &number, digest, &error));
            assert_int_equal(number, entries += may);
            assert_false(from == to && may && from != RUN_PAUSED); /* one guard gives way to another */
        }
}

/* What the command line promises, said here once more without the table. */
static void a_run_may_lead_these_lives(void **state)
{
    static const enum run_state LIVES[][10] = {
        {RUN_PLANNED, RUN_RUNNING, RUN_VERIFYING, RUN_DONE, RUN_ROLLING_BACK, RUN_ROLLED_BACK},
        {RUN_PLANNED, RUN_RUNNING, RUN_VERIFYING, RUN_WAITING, RUN_RUNNING, RUN_PAUSED, RUN_WAITING, RUN_DONE},
        {RUN_RUNNING, RUN_INTERRUPTED, RUN_RUNNING, RUN_INTERRUPTED, RUN_PAUSED, RUN_ABORTED, RUN_ROLLING_BACK},
        {RUN_RUNNING, RUN_HALTED, RUN_RUNNING, RUN_FAILED, RUN_RUNNING, RUN_HALTED, RUN_ABORTED},
        {RUN_VERIFYING, RUN_PAUSED, RUN_VERIFYING, RUN_FAILED, RUN_ROLLING_BACK, RUN_FAILED, RUN_ABORTED},
        {RUN_ROLLING_BACK, RUN_INTERRUPTED, RUN_ROLLING_BACK, RUN_PAUSED, RUN_ROLLING_BACK, RUN_ROLLED_BACK},
        {RUN_PLANNED, RUN_ABORTED},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(LIVES); i++)
        for (size_t k = 1; k < G_N_ELEMENTS(LIVES[i]) && LIVES[i][k] != RUN_PLANNED; k++)
            if (!run_state_may(LIVES[i][k - 1], LIVES[i][k]))
                fail_msg("%s, %s", run_state_word(LIVES[i][k - 1]), run_state_word(LIVES[i][k]));
    for (int to = 0; to < RUN_STATE_COUNT; to++) {
        assert_false(run_state_may(RUN_ROLLED_BACK, (enum run_state)to));
        assert_int_equal(run_state_may(RUN_DONE, (enum run_state)to), to == RUN_ROLLING_BACK);
        assert_int_equal(run_state_may(RUN_ABORTED, (enum run_state)to), to == RUN_ROLLING_BACK);
        assert_false(run_state_may((enum run_state)to, RUN_PLANNED));
    }
}

/* From the first state, by moves alone. */
static void every_state_can_be_reached(void **state)
{
    bool reached[RUN_STATE_COUNT] = {[RUN_PLANNED] = true};
    for (int round = 0; round < RUN_STATE_COUNT; round++)
        for (int from = 0; from < RUN_STATE_COUNT; from++)
            for (int to = 0; to < RUN_STATE_COUNT; to++)
                reached[to] |= reached[from] && run_state_may((enum run_state)from, (enum run_state)to);
    for (int i = 0; i < RUN_STATE_COUNT; i++)
        assert_true(reached[i]);
}

static void a_move_from_another_state_is_refused_and_names_it(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct run_row run = fixture_run(fx, 1);
    struct run_move move = {.run = run.id, .from = RUN_RUNNING, .to = RUN_PAUSED, .act = FIXTURE_ACT};
    kit_refused(catalog_run_move(fx->catalog, &move, &error), REFUSED, "fix.1 is planned, not running");
    move.run = 99;
    kit_refused(catalog_run_move(fx->catalog, &move, &error), NOT_FOUND, "99");
}

static void details_that_are_no_object_are_refused_whole(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct run_row run = fixture_run(fx, 1);
    struct run_move move = {.run = run.id, .from = RUN_PLANNED, .to = RUN_PAUSED, .details = "[1]", .act = FIXTURE_ACT};
    kit_refused(catalog_run_move(fx->catalog, &move, &error), INTERNAL, "no JSON object");
    kit_ok(catalog_run_reload(fx->catalog, fx->mem, &run, &error));
    assert_int_equal(run.state, RUN_PLANNED);
}

/* --- totals
 * ----------------------------------------------------------------------------------------------------------- */

/* The columns of the tables stand in the order of the words: each word's number is kept under its own name. */
static void every_outcome_has_its_column(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct run_row run = fixture_run(fx, 1);
    struct grant grant = fixture_grant(fx, run.id, 0, "one");
    struct checkpoint cp = fixture_checkpoint(run.id, &grant, 1);
    struct checkpoints kept;
    for (int i = 0; i < OUTCOME_COUNT; i++)
        cp.tally.of[i] = (uint64_t)(100 + i);
    kit_ok(catalog_checkpoint(fx->catalog, &cp, &error));
    kit_ok(catalog_checkpoints(fx->catalog, run.id, 0, fx->mem, &kept, &error));
    assert_memory_equal(&kept.rows[0].tally, &cp.tally, sizeof cp.tally);
    for (int i = 0; i < OUTCOME_COUNT; i++) {
        uint64_t before = run.tally.of[i];
        const char *word = outcome_row((enum outcome)i)->word;
        g_autofree char *sql =
            g_strdup_printf("SELECT c.n_%s, t.n_%s FROM checkpoint AS c, run_total AS t", word, word);
        g_autofree char *expected = g_strdup_printf("%d|%ld\n", 100 + i, (long)before + 100 + i);
        fixture_rows_are(fx, sql, expected);
    }
}

static void what_came_up_is_the_number_of_the_newest_look(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct run_row run = fixture_run(fx, 1);
    kit_ok(catalog_appeared_put(fx->catalog, run.id, 6, &error));
    kit_ok(catalog_appeared_put(fx->catalog, run.id, 4, &error));
    kit_ok(catalog_run_reload(fx->catalog, fx->mem, &run, &error));
    assert_int_equal(run.tally.of[OUTCOME_APPEARED], 4);
    assert_int_equal(run.tally.of[OUTCOME_LISTED_], 1000);
    kit_refused(catalog_appeared_put(fx->catalog, 99, 1, &error), NOT_FOUND, "99");
}

static void sequences_are_never_given_twice(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct run_row run = fixture_run(fx, 1), other = fixture_run(fx, 1);
    uint64_t first;
    kit_ok(catalog_sequences_take(fx->catalog, run.id, 1000, &first, &error));
    assert_int_equal(first, 1);
    kit_ok(catalog_sequences_take(fx->catalog, run.id, 1, &first, &error));
    assert_int_equal(first, 1001);
    kit_ok(catalog_sequences_take(fx->catalog, run.id, 5, &first, &error));
    assert_int_equal(first, 1002);
    kit_ok(catalog_sequences_take(fx->catalog, other.id, 5, &first, &error));
    assert_int_equal(first, 1);
    kit_refused(catalog_sequences_take(fx->catalog, 99, 5, &first, &error), NOT_FOUND, "99");
}

/* --- wishes, reports
 * -------------------------------------------------------------------------------------------------- */

static int64_t wish(struct fixture *fx, int64_t run, enum wish_kind kind, const char *value)
{
    GError *error = NULL;
    struct wish wish = {.kind = kind, .value = value, .act = {.actor = "eve@desk", .reason = "incident"}};
    int64_t id;
    kit_ok(catalog_wish_add(fx->catalog, run, &wish, &id, &error));
    return id;
}

static void wishes_are_taken_in_order(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct run_row run = fixture_run(fx, 1), other = fixture_run(fx, 1);
    struct wish next;
    enum wish_fate fate;
    kit_ok(catalog_wish_next(fx->catalog, run.id, fx->mem, &next, &error));
    assert_int_equal(next.id, 0);
    int64_t set = wish(fx, run.id, WISH_SET, "protect.rate.max=500/s");
    int64_t pause = wish(fx, run.id, WISH_PAUSE, NULL);
    wish(fx, other.id, WISH_ABORT, NULL);
    kit_ok(catalog_wish_next(fx->catalog, run.id, fx->mem, &next, &error));
    assert_int_equal(next.id, set);
    assert_int_equal(next.kind, WISH_SET);
    assert_string_equal(next.value, "protect.rate.max=500/s");
    assert_string_equal(next.act.actor, "eve@desk");
    assert_string_equal(next.act.reason, "incident");
    assert_int_equal(next.at_ms, now_in(fx));
    kit_ok(catalog_wish_fate(fx->catalog, set, &fate, &error));
    assert_int_equal(fate, WISH_IS_OPEN);
    kit_ok(catalog_wish_taken(fx->catalog, set, &error));
    kit_ok(catalog_wish_fate(fx->catalog, set, &fate, &error));
    assert_int_equal(fate, WISH_IS_TAKEN);
    kit_ok(catalog_wish_next(fx->catalog, run.id, fx->mem, &next, &error));
    assert_int_equal(next.id, pause);
    assert_null(next.value);
    kit_refused(catalog_wish_taken(fx->catalog, 99, &error), NOT_FOUND, "99");
    kit_refused(catalog_wish_fate(fx->catalog, 99, &fate, &error), NOT_FOUND, "99");
    fixture_rows_are(fx, "SELECT actor, action, reason, run, details FROM ledger WHERE number > 2",
                     "eve@desk|wish|incident|fix.1|{\"value\":\"protect.rate.max=500/s\",\"wish\":\"set\"}\n"
                     "eve@desk|wish|incident|fix.1|{\"value\":null,\"wish\":\"pause\"}\n"
                     "eve@desk|wish|incident|fix.2|{\"value\":null,\"wish\":\"abort\"}\n");
}

static void fate_is(struct fixture *fx, int64_t wish, enum wish_fate wanted)
{
    GError *error = NULL;
    enum wish_fate fate;
    kit_ok(catalog_wish_fate(fx->catalog, wish, &fate, &error));
    assert_int_equal(fate, wanted);
}

static void a_wish_that_was_heard_holds_until_somebody_has_the_last_word(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct run_row run = fixture_run(fx, 1), other = fixture_run(fx, 1);
    struct wish found;
    int64_t set = wish(fx, run.id, WISH_SET, "protect.rate.max=500/s"), pause = wish(fx, run.id, WISH_PAUSE, NULL);
    int64_t again = wish(fx, run.id, WISH_PAUSE, NULL), back = wish(fx, run.id, WISH_ROLLBACK, NULL);
    int64_t others = wish(fx, other.id, WISH_PAUSE, NULL);
    kit_ok(catalog_wish_taken(fx->catalog, set, &error));
    kit_ok(catalog_wish_heard(fx->catalog, run.id, fx->mem, &found, &error));
    assert_int_equal(found.id, 0); /* a limit asks for no end */
    kit_ok(catalog_wish_taken(fx->catalog, pause, &error));
    kit_ok(catalog_wishes_taken(fx->catalog, run.id, WISH_PAUSE, &error));
    fate_is(fx, again, WISH_IS_TAKEN);
    fate_is(fx, back, WISH_IS_OPEN);
    fate_is(fx, others, WISH_IS_OPEN);
    kit_ok(catalog_wish_heard(fx->catalog, run.id, fx->mem, &found, &error));
    assert_int_equal(found.id, pause);
    kit_ok(catalog_wishes_end(fx->catalog, run.id, &error));
    fate_is(fx, pause, WISH_IS_TAKEN);
    fate_is(fx, back, WISH_IS_SET_ASIDE);
    fate_is(fx, others, WISH_IS_OPEN);
    kit_ok(catalog_wish_heard(fx->catalog, run.id, fx->mem, &found, &error));
    assert_int_equal(found.id, 0);
    kit_ok(catalog_wish_next(fx->catalog, run.id, fx->mem, &found, &error));
    assert_int_equal(found.id, 0);
    kit_ok(catalog_wish_end(fx->catalog, others, &error));
    fate_is(fx, others, WISH_IS_SET_ASIDE);
}

static void every_kind_of_wish_comes_back(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct run_row run = fixture_run(fx, 1);
    struct wish next;
    for (enum wish_kind kind = WISH_PAUSE; kind <= WISH_SET; kind++) {
        wish(fx, run.id, kind, "\xff is no UTF-8");
        kit_ok(catalog_wish_next(fx->catalog, run.id, fx->mem, &next, &error));
        assert_int_equal(next.kind, kind);
        kit_ok(catalog_wish_taken(fx->catalog, next.id, &error));
    }
}

static void reports_come_back(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct run_row run = fixture_run(fx, 1);
    struct report_row *reports, whole = {.run = run.id,
                                         .at_ms = 77,
                                         .stage = UINT32_MAX,
                                         .verdict = "pass",
                                         .path = "reports/fix.1/2.ndjson",
                                         .summary = slice_of_text("{}")};
    struct report_row stage = whole;
    size_t n;
    stage.stage = 0;
    stage.verdict = "fail";
    kit_ok(catalog_report_add(fx->catalog, &stage, &error));
    kit_ok(catalog_report_add(fx->catalog, &whole, &error));
    kit_ok(catalog_reports(fx->catalog, run.id, fx->mem, &reports, &n, &error));
    assert_int_equal(n, 2);
    assert_int_equal(reports[0].stage, 0);
    assert_string_equal(reports[0].verdict, "fail");
    assert_int_equal(reports[1].stage, UINT32_MAX);
    assert_int_equal(reports[1].at_ms, 77);
    assert_string_equal(reports[1].path, "reports/fix.1/2.ndjson");
    kit_equal_text(reports[1].summary, "{}");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_new_run_is_planned_and_whole),
        CASE(numbers_grow_by_name),
        CASE(a_name_alone_is_its_newest_run),
        CASE(an_unknown_name_names_the_nearest),
        CASE(a_change_wants_one_open_run),
        CASE(runs_are_listed_newest_first),
        CASE(an_unfinished_run_is_found_by_its_digests),
        CASE(writes_stand_from_the_first_grant_until_the_run_is_over),
        CASE(more_than_the_arena_holds_is_an_error),
        CASE(a_move_shows_in_run_and_ledger),
        CASE(bytes_that_are_no_text_do_not_stop_an_act),
        CASE(every_pair_of_states_moves_or_is_refused),
        CASE(a_run_may_lead_these_lives),
        CASE(every_state_can_be_reached),
        CASE(a_move_from_another_state_is_refused_and_names_it),
        CASE(details_that_are_no_object_are_refused_whole),
        CASE(every_outcome_has_its_column),
        CASE(what_came_up_is_the_number_of_the_newest_look),
        CASE(sequences_are_never_given_twice),
        CASE(a_wish_that_was_heard_holds_until_somebody_has_the_last_word),
        CASE(wishes_are_taken_in_order),
        CASE(every_kind_of_wish_comes_back),
        CASE(reports_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
