/* Stages and partitions, and the counters that are kept beside them. */
#include "unit/catalog/fixture.h"

static void force(struct fixture *fx, const char *table, const char *word)
{
    g_autofree char *sql = g_strdup_printf("UPDATE %s SET state = '%s'", table, word);
    fixture_sql(fx, sql);
}

static void stages_come_with_their_counts(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct run_row run = fixture_run(fx, 20);
    struct stage_row *stages;
    size_t n;
    fixture_grant(fx, run.id, 0, "one");
    kit_ok(catalog_stages(fx->catalog, run.id, fx->mem, &stages, &n, &error));
    assert_int_equal(n, 2);
    assert_string_equal(stages[0].name, "canary");
    assert_int_equal(stages[0].state, STAGE_PENDING);
    assert_int_equal(stages[0].parts[PART_RUNNING], 1);
    assert_int_equal(stages[0].parts[PART_PENDING], 1);
    assert_string_equal(stages[1].name, "full");
    assert_int_equal(stages[1].stage, 1);
    assert_int_equal(stages[1].parts[PART_PENDING], 18);
}

static void a_stage_move_shows_in_run_and_ledger(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct run_row run = fixture_run(fx, 20);
    struct stage_move move = {
        .run = run.id, .stage = 1, .to = STAGE_RUNNING, .details = "{\"x\":true}", .act = FIXTURE_ACT};
    kit_ok(catalog_stage_move(fx->catalog, &move, &error));
    kit_ok(catalog_run_reload(fx->catalog, fx->mem, &run, &error));
    assert_int_equal(run.stage, 1);
    fixture_rows_are(fx, "SELECT actor, action, reason, run, details FROM ledger WHERE number = 2",
                     "ann@desk|stage.running|INC-1432|fix.1|{\"from\":\"pending\",\"stage\":\"full\",\"x\":true}\n");
    kit_refused(catalog_stage_move(fx->catalog, &move, &error), REFUSED, "stage full of run fix.1 is running");
    move.stage = 9;
    kit_refused(catalog_stage_move(fx->catalog, &move, &error), NOT_FOUND, "fix.1 has no stage with the number 9");
    fixture_rows_are(fx, "SELECT count(*) FROM ledger", "2\n");
}

static void a_stage_and_its_run_move_together_or_not_at_all(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct run_row run = fixture_run(fx, 2);
    struct run_move with = {.run = run.id, .from = RUN_PLANNED, .to = RUN_DONE, .reason = "why", .act = FIXTURE_ACT};
    struct stage_move move = {.run = run.id, .to = STAGE_RUNNING, .with = &with, .act = FIXTURE_ACT};
    kit_refused(catalog_stage_move(fx->catalog, &move, &error), REFUSED, "run fix.1 is planned: it cannot become done");
    fixture_rows_are(fx, "SELECT state FROM stage", "pending\npending\n");
    fixture_rows_are(fx, "SELECT group_concat(action) FROM ledger", "planned\n");
    with.to = RUN_PAUSED;
    kit_ok(catalog_stage_move(fx->catalog, &move, &error));
    fixture_rows_are(fx, "SELECT state FROM stage", "running\npending\n");
    fixture_rows_are(fx, "SELECT state, reason FROM run", "paused|why\n");
    fixture_rows_are(fx, "SELECT group_concat(action) FROM ledger", "planned,stage.running,paused\n");
}

static void every_pair_of_stage_states_moves_or_is_refused(void **state)
{
    static const bool ALLOWED[STAGE_STATE_COUNT][STAGE_STATE_COUNT] = {
#define STAGE_MOVE(from, to) [STAGE_##from][STAGE_##to] = true,
#include "catalog/state_rows.h"
#undef STAGE_MOVE
    };
    GError *error = NULL;
    struct fixture *fx = *state;
    struct run_row run = fixture_run(fx, 1);
    for (int from = 0; from < STAGE_STATE_COUNT; from++)
        for (int to = 0; to < STAGE_STATE_COUNT; to++) {
            struct stage_move move = {.run = run.id, .to = (enum stage_state)to, .act = FIXTURE_ACT};
            struct stage_row *stages;
            size_t n;
            bool may = ALLOWED[from][to];
            force(fx, "stage", stage_state_word((enum stage_state)from));
            g_autofree char *was = fixture_rows(fx, FIXTURE_STATES);
            g_autofree char *action = g_strconcat("stage.", stage_state_word(move.to), NULL);
            if (may) {
                kit_ok(catalog_stage_move(fx->catalog, &move, &error));
                fixture_ledger_says(fx, action, stage_state_word((enum stage_state)from));
            } else {
                kit_refused(catalog_stage_move(fx->catalog, &move, &error), REFUSED, "it cannot become");
                fixture_rows_are(fx, FIXTURE_STATES, was);
            }
            kit_ok(catalog_stages(fx->catalog, run.id, fx->mem, &stages, &n, &error));
            assert_int_equal(stages[0].state, may ? to : from);
            assert_int_equal(stage_state_may((enum stage_state)from, (enum stage_state)to), may);
            assert_false(may && from == to);
        }
}

static void every_pair_of_part_states_moves_or_is_refused(void **state)
{
    static const bool ALLOWED[PART_STATE_COUNT][PART_STATE_COUNT] = {
#define PART_MOVE(from, to) [PART_##from][PART_##to] = true,
#include "catalog/state_rows.h"
#undef PART_MOVE
    };
    GError *error = NULL;
    struct fixture *fx = *state;
    struct run_row run = fixture_run(fx, 1);
    uint32_t part = 0;
    for (int from = 0; from < PART_STATE_COUNT; from++)
        for (int to = 0; to < PART_STATE_COUNT; to++) {
            bool may = ALLOWED[from][to];
            force(fx, "part", part_state_word((enum part_state)from));
            g_autofree char *was = fixture_rows(fx, FIXTURE_STATES);
            if (may)
                kit_ok(catalog_parts_move(fx->catalog, run.id, &part, 1, (enum part_state)to, &error));
            else
                kit_refused(catalog_parts_move(fx->catalog, run.id, &part, 1, (enum part_state)to, &error), REFUSED,
                            "partition 0 is");
            if (!may)
                fixture_rows_are(fx, FIXTURE_STATES, was);
            kit_ok(catalog_run_reload(fx->catalog, fx->mem, &run, &error));
            assert_int_equal(run.parts[may ? to : from], 1);
            assert_int_equal(part_state_may((enum part_state)from, (enum part_state)to), may);
            assert_false(may && from == to);
        }
}

static void partitions_move_all_or_none(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct run_row run = fixture_run(fx, 5);
    uint32_t parts[] = {0, 1, 2, 3, 4}, missing[] = {0, 99};
    fixture_sql(fx, "UPDATE part SET state = 'written' WHERE part <> 3");
    kit_refused(catalog_parts_move(fx->catalog, run.id, parts, 5, PART_VERIFIED, &error), REFUSED,
                "partition 3 is pending: it cannot become verified");
    kit_refused(catalog_parts_move(fx->catalog, run.id, missing, 2, PART_VERIFIED, &error), NOT_FOUND, "99");
    kit_ok(catalog_run_reload(fx->catalog, fx->mem, &run, &error));
    assert_int_equal(run.parts[PART_WRITTEN], 4);
    kit_ok(catalog_parts_move(fx->catalog, run.id, parts, 3, PART_VERIFIED, &error));
    kit_ok(catalog_run_reload(fx->catalog, fx->mem, &run, &error));
    assert_int_equal(run.parts[PART_VERIFIED], 3);
}

static void added_partitions_replace_none(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct run_row run = fixture_run(fx, 5);
    struct part_new back[] = {{.part = CATALOG_BACK_PART + 1}, {.part = CATALOG_BACK_PART}};
    struct parts_of of = {.run = run.id, .stage = UINT32_MAX, .kind = PARTS_BACK};
    struct part_row *parts;
    size_t n;
    kit_ok(catalog_parts_add(fx->catalog, run.id, back, 1, &error));
    back[0].part = CATALOG_BACK_PART;
    back[1].part = CATALOG_BACK_PART + 1;
    kit_refused(catalog_parts_add(fx->catalog, run.id, back, 2, &error), REFUSED, "stands in the catalog already");
    kit_ok(catalog_parts(fx->catalog, &of, fx->mem, &parts, &n, &error));
    assert_int_equal(n, 1);
    assert_true(parts[0].part == CATALOG_BACK_PART + 1);
}

static void partitions_are_listed_in_order_by_stage_and_kind(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct run_row run = fixture_run(fx, 50);
    struct part_new back = {.part = CATALOG_BACK_PART, .bounds = slice_of_text("b")};
    struct parts_of of = {.run = run.id, .stage = 1};
    struct part_row *parts;
    size_t n;
    kit_ok(catalog_parts_add(fx->catalog, run.id, &back, 1, &error));
    kit_ok(catalog_parts(fx->catalog, &of, fx->mem, &parts, &n, &error));
    assert_int_equal(n, 45);
    for (size_t i = 0; i < n; i++) {
        uint32_t bound;
        assert_int_equal(parts[i].part, i + 5);
        assert_int_equal(parts[i].bounds.len, sizeof bound);
        memcpy(&bound, parts[i].bounds.data, sizeof bound);
        assert_int_equal(bound, i + 5);
    }
    of.stage = UINT32_MAX;
    kit_ok(catalog_parts(fx->catalog, &of, fx->mem, &parts, &n, &error));
    assert_int_equal(n, 50);
    of.kind = PARTS_BACK;
    kit_ok(catalog_parts(fx->catalog, &of, fx->mem, &parts, &n, &error));
    assert_int_equal(n, 1);
    kit_equal_text(parts[0].bounds, "b");
}

/* --- counters
 * --------------------------------------------------------------------------------------------------------- */

/* What the counters say, and what counting says; the same text if they agree. */
static const char COUNTERS[] = "SELECT run, stage, back, state, n FROM part_count WHERE n <> 0 ORDER BY 1, 2, 3, 4";
static const char COUNTED[] = "SELECT run, stage, part >= 2147483648, state, count(*) FROM part GROUP BY 1, 2, 3, 4 "
                              "ORDER BY 1, 2, 3, 4";
static const char TOTALS[] = "SELECT run, n_written, n_kept_live, n_listed, n_appeared, bytes_read, bytes_written "
                             "FROM run_total ORDER BY run";
static const char SUMMED[] = "SELECT r.id, coalesce(sum(n_written), 0), coalesce(sum(n_kept_live), 0), 1000, 3 * "
                             "EXISTS (SELECT 1 FROM wish WHERE run = r.id), coalesce(sum(bytes_read), 0), "
                             "coalesce(sum(bytes_written), 0) FROM run AS r "
                             "LEFT JOIN checkpoint AS c ON "
                             "c.run = r.id GROUP BY r.id ORDER BY r.id";

static void rows_agree(struct fixture *fx, const char *kept, const char *counted)
{
    g_autofree char *expected = fixture_rows(fx, counted);
    fixture_rows_are(fx, kept, expected);
}

struct random_life {
    struct fixture *fx;
    int64_t runs[3];
    uint64_t seed, back, done, refused;
};

static uint64_t below(struct random_life *life, uint64_t limit)
{
    return fake_next(&life->seed) % limit;
}

static bool random_checkpoint(struct random_life *life, int64_t run)
{
    static const char *const HOLDERS[] = {"one", "two"};
    struct catalog *catalog = life->fx->catalog;
    struct grant_wish wish = {.run = run,
                              .stage = below(life, 2) ? 1 : UINT32_MAX,
                              .kind = below(life, 4) == 0 ? PARTS_BACK : PARTS_FORWARD,
                              .holder = HOLDERS[below(life, 2)]};
    struct grant grant;
    if (!catalog_grant(catalog, &wish, life->fx->mem, &grant, NULL) || grant.part.part == UINT32_MAX)
        return false;
    bool ok = true;
    for (uint64_t i = below(life, 4); ok && i > 0; i--) {
        struct checkpoint cp = fixture_checkpoint(run, &grant, ++grant.checkpoint);
        cp.last = i == 1 && below(life, 2);
        ok = catalog_checkpoint(catalog, &cp, NULL);
    }
    return ok;
}

static bool random_move(struct random_life *life, int64_t run)
{
    uint32_t parts[3];
    for (size_t i = 0; i < G_N_ELEMENTS(parts); i++)
        parts[i] = (uint32_t)below(life, 30);
    return catalog_parts_move(life->fx->catalog, run, parts, 1 + below(life, 3),
                              (enum part_state)below(life, PART_STATE_COUNT), NULL);
}

static bool random_back(struct random_life *life, int64_t run)
{
    struct part_new part = {.part = CATALOG_BACK_PART + (uint32_t)below(life, 20), .stage = (uint32_t)below(life, 2)};
    return catalog_parts_add(life->fx->catalog, run, &part, 1, NULL);
}

/* Leaves a row by which its recount knows that it was. */
static bool random_appeared(struct random_life *life, int64_t run)
{
    struct wish wish = {.kind = WISH_SET, .act = FIXTURE_ACT};
    int64_t id;
    return catalog_appeared_put(life->fx->catalog, run, 3, NULL) &&
           catalog_wish_add(life->fx->catalog, run, &wish, &id, NULL);
}

static void counters_equal_a_recount_after_anything(void **state)
{
    static bool (*const STEPS[])(struct random_life *, int64_t) = {random_checkpoint, random_checkpoint, random_move,
                                                                   random_back, random_appeared};
    struct fixture *fx = *state;
    struct random_life life = {.fx = fx, .seed = 42};
    for (size_t i = 0; i < G_N_ELEMENTS(life.runs); i++)
        life.runs[i] = fixture_run(fx, 30).id;
    for (int i = 0; i < 3000; i++) {
        bool done = STEPS[below(&life, G_N_ELEMENTS(STEPS))](&life, life.runs[below(&life, G_N_ELEMENTS(life.runs))]);
        *(done ? &life.done : &life.refused) += 1;
        if (i % 100 != 99)
            continue;
        rows_agree(fx, COUNTERS, COUNTED);
        rows_agree(fx, TOTALS, SUMMED);
    }
    assert_true(life.done > 500);
    assert_true(life.refused > 500);
    fixture_sql(fx, "DELETE FROM checkpoint; DELETE FROM part WHERE part % 3 = 0");
    rows_agree(fx, COUNTERS, COUNTED);
}

/* --- sums
 * -------------------------------------------------------------------------------------------------------------- */

static void sums_stand_by_partition_and_the_newest_replaces(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct part_sum *found;
    size_t n;
    struct run_row run = fixture_run(fx, 3);
    struct part_sum sums[] = {{.part = 2,
                               .at_ms = 5,
                               .live = {.count = 7, .sum = {1, 2}},
                               .stored = {.count = 7, .sum = {8, 9}},
                               .counts = "{\"equal\":7}"},
                              {.part = 0, .at_ms = 5, .wanted = {.count = 1, .sum = {3, 4}}, .counts = "{}"}};
    kit_ok(catalog_part_sums(fx->catalog, run.id, fx->mem, &found, &n, &error));
    assert_int_equal(n, 0);
    kit_ok(catalog_part_sums_put(fx->catalog, run.id, sums, G_N_ELEMENTS(sums), &error));
    sums[0].live.count = 8;
    kit_ok(catalog_part_sums_put(fx->catalog, run.id, sums, 1, &error));
    kit_ok(catalog_part_sums(fx->catalog, run.id, fx->mem, &found, &n, &error));
    assert_int_equal(n, 2);
    assert_int_equal(found[0].part, 0);
    assert_true(set_digest_equal(&found[0].wanted, &sums[1].wanted));
    assert_int_equal(found[1].part, 2);
    assert_int_equal(found[1].at_ms, 5);
    assert_true(set_digest_equal(&found[1].live, &sums[0].live));
    assert_true(set_digest_equal(&found[1].stored, &sums[0].stored));
    assert_string_equal(found[1].counts, "{\"equal\":7}");
    sums[0].part = 9;
    kit_refused(catalog_part_sums_put(fx->catalog, run.id, sums, 1, &error), CATALOG, "FOREIGN KEY");
}

static void stragglers_take_the_place_of_those_before(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct straggler *found;
    size_t n;
    struct run_row run = fixture_run(fx, 3);
    struct straggler first[] = {{.part = 2, .cause = "large", .words = "large ones"},
                                {.part = 0,
                                 .since_ms = 5,
                                 .still_ms = 6,
                                 .left = 7,
                                 .per_ks = 8,
                                 .others_per_ks = 9,
                                 .cause = "target",
                                 .words = "it takes"}};
    kit_ok(catalog_stragglers_put(fx->catalog, run.id, first, 2, &error));
    kit_ok(catalog_stragglers(fx->catalog, run.id, fx->mem, &found, &n, &error));
    assert_int_equal(n, 2);
    assert_true(found[0].part == 0 && found[0].since_ms == 5 && found[0].still_ms == 6 && found[0].left == 7);
    assert_true(found[0].per_ks == 8 && found[0].others_per_ks == 9 && found[1].part == 2);
    assert_string_equal(found[0].cause, "target");
    assert_string_equal(found[1].words, "large ones");
    kit_ok(catalog_stragglers_put(fx->catalog, run.id, first, 1, &error));
    kit_ok(catalog_stragglers(fx->catalog, run.id, fx->mem, &found, &n, &error));
    assert_true(n == 1 && found[0].part == 2);
    kit_ok(catalog_stragglers_put(fx->catalog, run.id, NULL, 0, &error));
    kit_ok(catalog_stragglers(fx->catalog, run.id, fx->mem, &found, &n, &error));
    assert_int_equal(n, 0);
}

static void a_home_of_the_first_schema_is_brought_up(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct part_sum *found;
    size_t n;
    struct run_row run = fixture_run(fx, 3);
    g_clear_pointer(&fx->catalog, catalog_free);
    fixture_sql(
        fx,
        "DROP TABLE part_sum; DROP TABLE checkpoint_lost; DROP TABLE approval; DROP TABLE setting; ALTER TABLE "
        "stage DROP COLUMN attempt;"
        "ALTER TABLE stage DROP COLUMN until_ms; ALTER TABLE stage DROP COLUMN report;"
        "ALTER TABLE run DROP COLUMN back_stage; ALTER TABLE run DROP COLUMN author; "
        "ALTER TABLE run_total DROP COLUMN limited_ms; DROP INDEX wish_open; ALTER TABLE wish DROP COLUMN over_ms;"
        "ALTER TABLE run_total DROP COLUMN n_expired; ALTER TABLE run_total DROP COLUMN n_removed;"
        "ALTER TABLE checkpoint DROP COLUMN n_expired; ALTER TABLE checkpoint DROP COLUMN n_removed;"
        "ALTER TABLE run_total DROP COLUMN worked_ms; DROP TABLE told; DROP TABLE delivery; DROP TABLE hook;"
        "ALTER TABLE run_total DROP COLUMN n_promoted; ALTER TABLE run_total DROP COLUMN n_passed_over;"
        "ALTER TABLE checkpoint DROP COLUMN n_promoted; ALTER TABLE checkpoint DROP COLUMN n_passed_over;"
        "ALTER TABLE run DROP COLUMN over_ms; DROP TABLE expiry;"
        "DROP INDEX part_by_turn; DROP INDEX part_given_back; ALTER TABLE part DROP COLUMN turn;"
        "CREATE INDEX part_by_state ON part (run, stage, state, part);"
        "CREATE INDEX part_given_back ON part (run, stage, part) WHERE state = 'pending' AND lane > 0;"
        "ALTER TABLE part DROP COLUMN parent; ALTER TABLE part DROP COLUMN origin; ALTER TABLE part DROP COLUMN first;"
        "DROP TABLE straggler; DROP TABLE pace; ALTER TABLE run DROP COLUMN holder;"
        "ALTER TABLE run DROP COLUMN guard; ALTER TABLE run DROP COLUMN state_ms; ALTER TABLE run DROP COLUMN pauser; "
        "DROP TABLE sight; DROP TABLE stop;"
        "ALTER TABLE checkpoint DROP COLUMN took_ms; ALTER TABLE checkpoint DROP COLUMN claims;"
        "DROP TABLE token; DROP TABLE errand; DROP TABLE answer; DROP TABLE growth;"
        "CREATE INDEX wish_open ON wish (run, id) WHERE taken_ms IS NULL; PRAGMA user_version = 1");
    kit_ok(catalog_open(&fx->catalog, fx->world, fx->home, CATALOG_EXISTING, &error));
    kit_ok(catalog_part_sums(fx->catalog, run.id, fx->mem, &found, &n, &error));
    assert_int_equal(n, 0);
    struct part_row *parts;
    struct parts_of of = {.run = run.id, .stage = UINT32_MAX};
    kit_ok(catalog_parts(fx->catalog, &of, fx->mem, &parts, &n, &error));
    for (uint32_t i = 0; i < 3; i++)
        assert_true(parts[i].of == i && parts[i].first == 0 && parts[i].parent == UINT32_MAX);
}

/* Until there was a column, the reason's words told it. */
static void what_paused_a_run_of_an_older_home_is_in_its_words(void **state)
{
#define WAY "`sluice resume %s` goes on, `sluice rollback %s` takes the run back"
    static const struct {
        const char *state, *guard, *reason, *pauser;
    } ROWS[] = {
        {"paused", "NULL", "the budget is spent: 5 of 5 records are written (budget.records); " WAY, "its budget"},
        {"paused", "NULL", "its source could be read until 2026-07-10T00:00:00.000Z, which has passed; " WAY,
         "source.until"},
        {"paused", "NULL", "the gate of stage canary failed: 1 of 5 differ, 1 missing; " WAY,
         "the gate of stage canary"},
        {"paused", "NULL", "hook 2 (./tell.sh) must hear of stage.passed, and has failed 5 times: no; " WAY,
         "hook 2 (./tell.sh)"},
        {"paused", "NULL", "1 block is damaged; the stages from full on are taken back; those before it stand: " WAY,
         "its rollback"},
        {"paused", "NULL", "3 % of the records so far are rejected, more than protect.rejects allows (1 %); " WAY,
         "protect.rejects"},
        {"paused", "NULL", "stage canary was denied by ann@desk: no; " WAY, NULL},
        {"paused", "NULL", "the budget is spent: ask the boss", NULL},
        {"paused", "'memory'", "the budget is spent: " WAY, NULL},
        {"running", "NULL", "the budget is spent: " WAY, NULL},
    };
    struct fixture *fx = *state;
    struct run_row run = fixture_run(fx, 3);
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        GError *error = NULL;
        g_auto(GStrv) pieces = g_strsplit(ROWS[i].reason, "%s", -1);
        g_autofree char *reason = g_strjoinv(run.name, pieces);
        g_autofree char *sql = g_strdup_printf("UPDATE run SET state = '%s', guard = %s, reason = '%s'; "
                                               "ALTER TABLE run DROP COLUMN pauser; PRAGMA user_version = 22",
                                               ROWS[i].state, ROWS[i].guard, reason);
        g_clear_pointer(&fx->catalog, catalog_free);
        fixture_sql(fx, sql);
        kit_ok(catalog_open(&fx->catalog, fx->world, fx->home, CATALOG_EXISTING, &error));
        kit_ok(catalog_run_reload(fx->catalog, fx->mem, &run, &error));
        if (g_strcmp0(run.pauser, ROWS[i].pauser) != 0)
            fail_msg("row %zu: %s", i, run.pauser ? run.pauser : "nothing");
    }
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        CASE(stages_come_with_their_counts),
        CASE(a_stage_move_shows_in_run_and_ledger),
        CASE(a_stage_and_its_run_move_together_or_not_at_all),
        CASE(every_pair_of_stage_states_moves_or_is_refused),
        CASE(every_pair_of_part_states_moves_or_is_refused),
        CASE(partitions_move_all_or_none),
        CASE(added_partitions_replace_none),
        CASE(partitions_are_listed_in_order_by_stage_and_kind),
        CASE(counters_equal_a_recount_after_anything),
        CASE(sums_stand_by_partition_and_the_newest_replaces),
        CASE(stragglers_take_the_place_of_those_before),
        CASE(a_home_of_the_first_schema_is_brought_up),
        CASE(what_paused_a_run_of_an_older_home_is_in_its_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
