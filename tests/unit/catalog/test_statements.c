/* Each call of the catalog, each statement of it that fails, for n = 1, 2, … until the call meets none: it says so, and
 * nothing of it stands. */
#include "unit/catalog/fixture.h"

#include "catalog/access.h"
#include "catalog/expiry.h"
#include "catalog/pages.h"
#include "kit/failing_step.h"

/* --- a home in which each call finds something --------------------------------------------------------------------
 */

enum { RUN = 1 };

static uint8_t errand[ERRAND_BYTES];

static const struct hook_new HOOK = {.events = (UINT32_C(1) << SPEC_EVENT_COUNT) - 1};

static bool create(struct catalog *catalog, struct arena *mem, GError **error)
{
    static const struct stage_new STAGE = {"only"};
    static const struct part_new PARTS[] = {
        {.part = 0, .records = 1000}, {.part = 1, .records = 1000}, {.part = 2}, {.part = 3}};
    struct run_row row;
    struct run_new new = {.spec_name = "fix",
                          .spec_path = "/x",
                          .digests = {.plan = {1}, .spec = {2}, .contract = {3}, .transform = {4}},
                          .plan = slice_of_text("{}"),
                          .target = "mem:a/b",
                          .stages = &STAGE,
                          .n_stages = 1,
                          .parts = PARTS,
                          .n_parts = G_N_ELEMENTS(PARTS),
                          .hooks = &HOOK,
                          .n_hooks = 1,
                          .act = FIXTURE_ACT};
    return catalog_run_create(catalog, &new, mem, &row, error);
}

static bool come_on(struct catalog *catalog, uint64_t split_at, GError **error)
{
    struct grant grant = {.part = {.lane = 1}};
    struct checkpoint cp = fixture_checkpoint(RUN, &grant, 2);
    cp.split_at = split_at;
    cp.act = FIXTURE_ACT;
    return catalog_checkpoint(catalog, &cp, error);
}

/* The second stage of another run is judged and waits for a word. */
static bool approve(struct catalog *catalog, GError **error)
{
    struct approval approval = {.run = RUN + 1, .attempt = 1, .granted = true, .act = FIXTURE_ACT};
    return catalog_approval_add(catalog, &approval, error);
}

static bool deliver(struct catalog *catalog, GError **error)
{
    struct delivery delivery = {.id = 1, .event = "run.planned", .key = "key"};
    struct delivery_try tried = {
        .run = RUN, .delivery = &delivery, .state = DELIVERY_FAILED, .said = "no", .act = FIXTURE_ACT};
    return catalog_delivery_tried(catalog, &tried, error);
}

static bool open_another(struct catalog *catalog, enum catalog_mode mode, GError **error)
{
    auto_(catalog) another = NULL;
    return catalog_open(&another, world_real(), catalog_home(catalog), mode, error);
}

static void pass_by(void *self, uint32_t part, uint32_t stage, enum part_state state)
{
}

static bool take_each(void *self, const char *spec_name, enum run_state state)
{
    return true;
}

static void judged_run(struct fixture *fx)
{
    static const uint8_t REPORT[32] = {9};
    static const enum stage_state TO[] = {STAGE_RUNNING, STAGE_VERIFYING, STAGE_WAITING};
    GError *error = NULL;
    kit_ok(create(fx->catalog, fx->mem, &error));
    for (size_t i = 0; i < G_N_ELEMENTS(TO); i++) {
        struct stage_move move = {.run = RUN + 1, .to = TO[i], .report = REPORT, .act = FIXTURE_ACT};
        kit_ok(catalog_stage_move(fx->catalog, &move, &error));
    }
}

static void run_under_way(struct fixture *fx)
{
    GError *error = NULL;
    int64_t id;
    struct run_move go = {.run = RUN, .from = RUN_PLANNED, .to = RUN_RUNNING, .act = FIXTURE_ACT};
    struct stage_move begin = {.run = RUN, .to = STAGE_RUNNING, .act = FIXTURE_ACT};
    struct wish wishes[] = {{.kind = WISH_PAUSE, .act = FIXTURE_ACT}, {.kind = WISH_PAUSE, .act = FIXTURE_ACT}};
    struct part_lost lost = {.part = 1, .where = "node a"};
    kit_ok(create(fx->catalog, fx->mem, &error));
    kit_ok(catalog_run_hold(fx->catalog, RUN, "one", &error));
    kit_ok(catalog_run_move(fx->catalog, &go, &error));
    kit_ok(catalog_stage_move(fx->catalog, &begin, &error));
    for (uint32_t i = 0; i < 2; i++) {
        struct grant grant = fixture_grant(fx, RUN, UINT32_MAX, "one");
        struct checkpoint cp = fixture_checkpoint(RUN, &grant, 1);
        cp.tally.of[OUTCOME_REJECTED] = 1;
        kit_ok(catalog_checkpoint(fx->catalog, &cp, &error));
        kit_ok(catalog_wish_add(fx->catalog, RUN, &wishes[i], &id, &error));
    }
    kit_ok(catalog_parts_lost(fx->catalog, RUN, &lost, 1, &FIXTURE_ACT, &error));
    kit_ok(catalog_wish_taken(fx->catalog, 1, &error));
}

static void ended_run(struct fixture *fx)
{
    GError *error = NULL;
    struct run_move end = {.run = RUN + 2, .from = RUN_PLANNED, .to = RUN_ABORTED, .act = FIXTURE_ACT};
    kit_ok(create(fx->catalog, fx->mem, &error));
    kit_ok(catalog_run_move(fx->catalog, &end, &error));
    kit_ok(catalog_expire(fx->catalog, RUN + 2, EXPIRY_QUARANTINE, &FIXTURE_ACT, &error));
}

static void what_is_said_of_it(struct fixture *fx)
{
    GError *error = NULL;
    struct catalog *catalog = fx->catalog;
    struct token_row bob = {.name = "bob", .role = "viewer", .author = "ann", .digest = {5}};
    struct errand sent = {.command = "resume", .run = "fix.1", .actor = "ann", .user = "ann"};
    struct straggler straggler = {.part = 0, .cause = "slow", .words = "so"};
    kit_ok(catalog_sight_put(catalog, RUN, &(struct sight){.at_ms = 1, .json = "[]"}, &error));
    kit_ok(catalog_growth_put(catalog, RUN, &(struct growth_base){.node = "a", .data_bytes = 1}, &error));
    kit_ok(catalog_stop_put(catalog, &FIXTURE_ACT, &error));
    kit_ok(catalog_stragglers_put(catalog, RUN, &straggler, 1, &error));
    kit_ok(catalog_pace_put(catalog, RUN, "[]", &error));
    kit_ok(catalog_setting_add(catalog, RUN, &(struct setting){.key = "workers", .value = "3"}, &FIXTURE_ACT, &error));
    kit_ok(catalog_report_add(
        catalog, &(struct report_row){.run = RUN, .verdict = "pass", .path = "x", .act = FIXTURE_ACT}, &error));
    kit_ok(catalog_part_sums_put(catalog, RUN, &(struct part_sum){.part = 0, .counts = "{}"}, 1, &error));
    kit_ok(catalog_token_add(catalog, &bob, &FIXTURE_ACT, &error));
    kit_ok(catalog_errand_add(catalog, &sent, errand, &error));
    kit_ok(catalog_answer_put(catalog, &(struct kept_answer){.key = "once", .status = 200, .body = "{}"}, &error));
}

/* As one file: its last connection is closed. */
static GBytes *prepared(struct fixture *fx, const char *path)
{
    GError *error = NULL;
    char *bytes;
    gsize len;
    run_under_way(fx);
    judged_run(fx);
    ended_run(fx);
    what_is_said_of_it(fx);
    g_clear_pointer(&fx->catalog, catalog_free);
    kit_ok(g_file_get_contents(path, &bytes, &len, &error));
    return g_bytes_new_take(bytes, len);
}

/* --- the calls -----------------------------------------------------------------------------------------------------
 */

#define CALL(name, call)                                                                                               \
    static bool call_##name(struct catalog *catalog, struct arena *mem, GError **error)                                \
    {                                                                                                                  \
        return call;                                                                                                   \
    }
#include "unit/catalog/call_rows.h"
#undef CALL

struct call_row {
    const char *name;
    bool (*call)(struct catalog *catalog, struct arena *mem, GError **error);
};

static const struct call_row CALLS[] = {
#define CALL(name, call) {#name, call_##name},
#include "unit/catalog/call_rows.h"
#undef CALL
};

/* It counts up with each commit of any other connection. */
static char *version(sqlite3 *other)
{
    return fixture_rows_of(other, "PRAGMA data_version");
}

/* false: there was no n-th. */
static bool fails_nth(struct fixture *fx, const struct call_row *row, sqlite3 *other, unsigned nth)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *before = version(other);
    steps_met = 0;
    step_fails = nth;
    arena_reset(fx->mem);
    bool ok = row->call(fx->catalog, fx->mem, &error);
    step_fails = 0;
    if (steps_met < nth) {
        if (!ok)
            fail_msg("%s: %s", row->name, error->message);
        return false;
    }
    if (ok || !error)
        fail_msg("%s: statement %u fails, and it does not say so", row->name, nth);
    g_autofree char *after = version(other);
    if (strcmp(before, after) != 0)
        fail_msg("%s: statement %u fails, and something of it stands", row->name, nth);
    return true;
}

static void open_prepared(struct fixture *fx, const char *path, GBytes *home)
{
    GError *error = NULL;
    kit_ok(g_file_set_contents_full(path, g_bytes_get_data(home, NULL), (gssize)g_bytes_get_size(home),
                                    G_FILE_SET_CONTENTS_NONE, 0600, &error));
    kit_ok(catalog_open(&fx->catalog, fx->world, fx->home, CATALOG_EXISTING, &error));
}

static void a_statement_that_fails_is_told_and_nothing_of_its_call_stands(void **state)
{
    struct fixture *fx = *state;
    unsigned failed = 0;
    g_autofree char *path = g_build_filename(fx->home, "catalog.db", NULL);
    g_autoptr(GBytes) home = prepared(fx, path);
    for (size_t i = 0; i < G_N_ELEMENTS(CALLS); i++) {
        unsigned nth = 1;
        open_prepared(fx, path, home);
        sqlite3 *other = fixture_handle(fx);
        while (fails_nth(fx, &CALLS[i], other, nth))
            nth++;
        if (nth == 1)
            fail_msg("%s: no statement of it was met", CALLS[i].name);
        failed += nth - 1;
        sqlite3_close(other);
        g_clear_pointer(&fx->catalog, catalog_free);
    }
    print_message("# %zu calls, %u statements failed\n", G_N_ELEMENTS(CALLS), failed);
}

/* A damaged home, or one that somebody has put a hand to: the statement cannot even be made. */
static void a_table_that_is_not_there_is_told(void **state)
{
    struct fixture *fx = *state;
    g_autofree char *path = g_build_filename(fx->home, "catalog.db", NULL);
    g_bytes_unref(prepared(fx, path));
    sqlite3 *handle = fixture_handle(fx);
    g_autofree char *drops = fixture_rows_of(handle, "SELECT 'DROP TABLE ' || name || ';' FROM sqlite_schema WHERE "
                                                     "type = 'table' AND name != 'home' AND name NOT LIKE 'sqlite_%'");
    assert_int_equal(sqlite3_exec(handle, drops, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(handle);
    GError *error = NULL;
    kit_ok(catalog_open(&fx->catalog, fx->world, fx->home, CATALOG_EXISTING, &error));
    for (size_t i = 0; i < G_N_ELEMENTS(CALLS); i++) {
        if (g_str_has_prefix(CALLS[i].name, "open_"))
            continue;
        arena_reset(fx->mem);
        kit_refused(CALLS[i].call(fx->catalog, fx->mem, &error), CATALOG, "no such table");
    }
}

static size_t used_by(struct fixture *fx, const struct call_row *row, const char *path, GBytes *home)
{
    GError *error = NULL;
    open_prepared(fx, path, home);
    arena_reset(fx->mem);
    kit_ok(row->call(fx->catalog, fx->mem, &error));
    g_clear_pointer(&fx->catalog, catalog_free);
    return arena_used(fx->mem);
}

/* What a call finds has to fit into its caller's memory, all of it, or it says so, and nothing of it stands. */
static void whatever_memory_a_call_is_given_it_suffices_or_is_refused(void **state)
{
    enum { LEAST = 8, MOST = 1 << 20 };
    struct fixture *fx = *state;
    unsigned refused = 0;
    g_autofree char *path = g_build_filename(fx->home, "catalog.db", NULL);
    g_autoptr(GBytes) home = prepared(fx, path);
    for (size_t i = 0; i < G_N_ELEMENTS(CALLS); i++) {
        bool ok = false;
        size_t needed = used_by(fx, &CALLS[i], path, home);
        open_prepared(fx, path, home);
        sqlite3 *other = fixture_handle(fx);
        for (size_t bytes = LEAST; !ok; bytes += bytes / 16 + LEAST) {
            g_autoptr(GError) error = NULL;
            auto_(arena) mem = arena_new(bytes);
            g_autofree char *before = version(other);
            ok = CALLS[i].call(fx->catalog, mem, &error);
            g_autofree char *after = version(other);
            if (!ok && (bytes > MOST || !error_is(error, SLUICE_ERROR_TOO_BIG) || strcmp(before, after) != 0))
                fail_msg("%s: with %zu bytes: %s", CALLS[i].name, bytes, error->message);
            if (ok && arena_used(mem) != needed)
                fail_msg("%s: with %zu bytes it gives %zu of %zu", CALLS[i].name, bytes, arena_used(mem), needed);
            refused += !ok;
        }
        sqlite3_close(other);
        g_clear_pointer(&fx->catalog, catalog_free);
    }
    assert_in_range(refused, 100, 100000);
    print_message("# refused %u times\n", refused);
}

/* A home without a run, where those that ask for one say that there is none, and what is not of a run is done. */
static void what_is_not_there_is_said_to_be_not_there(void **state)
{
    struct fixture *fx = *state;
    g_autoptr(GString) done = g_string_new(NULL);
    sqlite3 *other = fixture_handle(fx);
    for (size_t i = 0; i < G_N_ELEMENTS(CALLS); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *before = version(other);
        if (CALLS[i].call == call_run_create)
            continue;
        arena_reset(fx->mem);
        bool ok = CALLS[i].call(fx->catalog, fx->mem, &error);
        g_autofree char *after = version(other);
        assert_true(ok == (error == NULL));
        if (strcmp(before, after) != 0)
            g_string_append_printf(done, "%s%s ", CALLS[i].name, ok ? "" : "(!)");
    }
    sqlite3_close(other);
    assert_string_equal(done->str, "ledger_append token_add errand_add errand_take answer_put ");
}

static void what_a_run_has_left_stays_until_it_is_over(void **state)
{
    struct fixture *fx = *state;
    GError *error = NULL;
    kit_ok(create(fx->catalog, fx->mem, &error));
    kit_refused(catalog_expire(fx->catalog, RUN, EXPIRY_UNDO, &FIXTURE_ACT, &error), REFUSED,
                "fix.1 is planned, and needs what it has left");
}

/* A result that has no words of its own has those of its kind. */
static void a_result_that_says_more_is_one_of_its_kind(void **state)
{
    struct fixture *fx = *state;
    GError *error = NULL;
    uint64_t number;
    uint8_t head[32];
    step_gives = SQLITE_READONLY_RECOVERY;
    steps_met = 0;
    step_fails = 1;
    bool ok = ledger_head(fx->catalog, &number, head, &error);
    step_fails = 0;
    step_gives = SQLITE_IOERR_READ;
    kit_refused(ok, NOT_PERMITTED, "the home may only be read");
}

int main(void)
{
    /* An error over an error: whoever got the first one went on. */
    g_log_set_always_fatal(G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_WARNING);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_statement_that_fails_is_told_and_nothing_of_its_call_stands, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_table_that_is_not_there_is_told, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(whatever_memory_a_call_is_given_it_suffices_or_is_refused, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(what_a_run_has_left_stays_until_it_is_over, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_result_that_says_more_is_one_of_its_kind, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(what_is_not_there_is_said_to_be_not_there, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
