/* A process that dies in the middle of a transaction leaves the catalog as it was before it or as it is after it, and
 * the act can then be done, or is done. */
#include "unit/catalog/fixture.h"

#include <signal.h>
#include <sys/wait.h>

/* --- the acts
 * ---------------------------------------------------------------------------------------------------------- */

/* Before each of them: the run fix.1 of four partitions; 0 is written to its first checkpoint by "one", and a wish
 * waits. */
enum { RUN = 1, WISH = 1 };

static bool act_create(struct catalog *catalog, struct arena *mem)
{
    static const struct stage_new STAGES[] = {{"only"}};
    struct part_new parts[50];
    struct run_row row;
    for (uint32_t i = 0; i < G_N_ELEMENTS(parts); i++)
        parts[i] = (struct part_new){.part = i, .bounds = slice_of_text("somewhere between a and z"), .records = 10};
    struct run_new new = {.spec_name = "fix",
                          .spec_path = "/x",
                          .plan = slice_of_text("{}"),
                          .target = "t",
                          .stages = STAGES,
                          .n_stages = 1,
                          .parts = parts,
                          .n_parts = G_N_ELEMENTS(parts),
                          .act = FIXTURE_ACT};
    return catalog_run_create(catalog, &new, mem, &row, NULL);
}

static bool act_run_move(struct catalog *catalog, struct arena *mem)
{
    struct run_move move = {.run = RUN, .from = RUN_PLANNED, .to = RUN_RUNNING, .act = FIXTURE_ACT};
    return catalog_run_move(catalog, &move, NULL);
}

static bool act_stage_move(struct catalog *catalog, struct arena *mem)
{
    struct stage_move move = {.run = RUN, .to = STAGE_RUNNING, .act = FIXTURE_ACT};
    return catalog_stage_move(catalog, &move, NULL);
}

static bool act_grant(struct catalog *catalog, struct arena *mem)
{
    struct grant_wish wish = {.run = RUN, .stage = UINT32_MAX, .holder = "two"};
    struct grant grant;
    return catalog_grant(catalog, &wish, mem, &grant, NULL) && grant.part.part == 0;
}

static bool act_checkpoint(struct catalog *catalog, struct arena *mem)
{
    struct grant grant = {.part = {.lane = 1}};
    struct checkpoint cp = fixture_checkpoint(RUN, &grant, 2);
    cp.last = true;
    return catalog_checkpoint(catalog, &cp, NULL);
}

static bool act_split(struct catalog *catalog, struct arena *mem)
{
    struct grant grant = {.part = {.lane = 1}};
    struct checkpoint cp = fixture_checkpoint(RUN, &grant, 2);
    cp.split_at = 100;
    cp.act = FIXTURE_ACT;
    return catalog_checkpoint(catalog, &cp, NULL);
}

static bool act_parts_move(struct catalog *catalog, struct arena *mem)
{
    static const uint32_t PARTS[] = {1, 2, 3};
    return catalog_parts_move(catalog, RUN, PARTS, 3, PART_ROLLED_BACK, NULL);
}

static bool act_parts_add(struct catalog *catalog, struct arena *mem)
{
    static const struct part_new PARTS[] = {{.part = CATALOG_BACK_PART}, {.part = CATALOG_BACK_PART + 1}};
    return catalog_parts_add(catalog, RUN, PARTS, 2, NULL);
}

static bool act_sequences(struct catalog *catalog, struct arena *mem)
{
    uint64_t first;
    return catalog_sequences_take(catalog, RUN, 1000, &first, NULL) && first == 1;
}

static bool act_appeared(struct catalog *catalog, struct arena *mem)
{
    return catalog_appeared_put(catalog, RUN, 5, NULL);
}

static bool act_wish(struct catalog *catalog, struct arena *mem)
{
    struct wish wish = {.kind = WISH_ABORT, .act = FIXTURE_ACT};
    int64_t id;
    return catalog_wish_add(catalog, RUN, &wish, &id, NULL);
}

static bool act_wish_taken(struct catalog *catalog, struct arena *mem)
{
    return catalog_wish_taken(catalog, WISH, NULL);
}

static bool act_lost(struct catalog *catalog, struct arena *mem)
{
    struct part_lost lost = {.part = 0};
    return catalog_parts_lost(catalog, RUN, &lost, 1, &FIXTURE_ACT, NULL);
}

static bool act_report(struct catalog *catalog, struct arena *mem)
{
    struct report_row report = {.run = RUN, .stage = UINT32_MAX, .verdict = "pass", .path = "x"};
    return catalog_report_add(catalog, &report, NULL);
}

static bool act_ledger(struct catalog *catalog, struct arena *mem)
{
    struct ledger_entry entry = {.actor = "ann", .action = "force-unlock"};
    return ledger_append(catalog, &entry, NULL);
}

typedef bool act_function(struct catalog *, struct arena *);

static const struct {
    const char *name;
    act_function *act;
} ACTS[] = {
    {"create", act_create},         {"run move", act_run_move},
    {"stage move", act_stage_move}, {"grant", act_grant},
    {"checkpoint", act_checkpoint}, {"partitions' move", act_parts_move},
    {"partitions", act_parts_add},  {"sequences", act_sequences},
    {"tally", act_appeared},        {"wish", act_wish},
    {"wish taken", act_wish_taken}, {"report", act_report},
    {"ledger", act_ledger},         {"lost", act_lost},
    {"split", act_split},
};

/* --- homes
 * ------------------------------------------------------------------------------------------------------------- */

static struct fixture *home_make(void)
{
    GError *error = NULL;
    struct fixture *fx;
    void *state = NULL;
    struct wish wish = {.kind = WISH_PAUSE, .act = FIXTURE_ACT};
    int64_t id;
    assert_int_equal(fixture_setup(&state), 0);
    fx = state;
    fixture_run(fx, 4);
    struct grant grant = fixture_grant(fx, RUN, 0, "one");
    struct checkpoint cp = fixture_checkpoint(RUN, &grant, 1);
    kit_ok(catalog_checkpoint(fx->catalog, &cp, &error));
    kit_ok(catalog_wish_add(fx->catalog, RUN, &wish, &id, &error));
    g_clear_pointer(&fx->catalog, catalog_free); /* a connection must not be carried through a fork */
    return fx;
}

static void home_drop(struct fixture *fx)
{
    void *state = fx;
    assert_int_equal(fixture_teardown(&state), 0);
}

/* Every row of every table, as text. */
static char *home_text(struct fixture *fx)
{
    GString *text = g_string_new(NULL);
    sqlite3 *handle = fixture_handle(fx);
    g_autofree char *names =
        fixture_rows_of(handle, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name");
    g_auto(GStrv) tables = g_strsplit(g_strstrip(names), "\n", 0);
    for (size_t i = 0; tables[i]; i++) {
        g_autofree char *ask = g_strdup_printf(
            "SELECT group_concat('quote(' || name || ')', ', ') FROM pragma_table_info('%s')", tables[i]);
        g_autofree char *columns = fixture_rows_of(handle, ask);
        g_autofree char *sql = g_strdup_printf("SELECT %s FROM %s", columns, tables[i]);
        g_autofree char *rows = fixture_rows_of(handle, sql);
        g_string_append_printf(text, "%s\n%s", tables[i], rows);
    }
    sqlite3_close(handle);
    return g_string_free(text, FALSE);
}

static void home_act(struct fixture *fx, act_function *act)
{
    GError *error = NULL;
    auto_(catalog) catalog = NULL;
    kit_ok(catalog_open(&catalog, fx->world, fx->home, CATALOG_EXISTING, &error));
    assert_true(act(catalog, fx->mem));
}

/* --- deaths
 * ------------------------------------------------------------------------------------------------------------ */

static const char *deadly_point;
static unsigned writes_to_live;

static void die_at(void *self, const char *name)
{
    if (deadly_point && strcmp(name, deadly_point) == 0)
        raise(SIGKILL);
}

/* The last write reaches the file only in part. */
static ssize_t write_and_die(int fd, const void *from, size_t len, off_t offset)
{
    bool last = writes_to_live == 0;
    ssize_t written = (ssize_t)syscall(SYS_pwrite64, fd, from, last ? len / 2 : len, offset);
    if (last)
        raise(SIGKILL);
    writes_to_live--;
    return written;
}

static void child_act(struct fixture *fx, act_function *act, bool in_writes)
{
    struct catalog *catalog;
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    if (!catalog_open(&catalog, fx->world, fx->home, CATALOG_EXISTING, NULL))
        _exit(1);
    fx->fake.world.point = die_at;
    if (in_writes) {
        vfs->xSetSystemCall(vfs, "pwrite", (sqlite3_syscall_ptr)write_and_die);
        vfs->xSetSystemCall(vfs, "pwrite64", (sqlite3_syscall_ptr)write_and_die);
    }
    _exit(act(catalog, fx->mem) ? 0 : 1);
}

/* Whether it died. */
static bool act_and_die(struct fixture *fx, act_function *act, bool in_writes)
{
    int status;
    pid_t child = fork();
    if (child == 0)
        child_act(fx, act, in_writes);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status))
        assert_int_equal(WEXITSTATUS(status), 0);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

struct expected {
    char *before, *after;
};

static struct expected undisturbed(act_function *act)
{
    struct fixture *fx = home_make();
    struct expected expected = {.before = home_text(fx)};
    home_act(fx, act);
    expected.after = home_text(fx);
    home_drop(fx);
    assert_string_not_equal(expected.before, expected.after);
    return expected;
}

/* Neither anything between the two nor a broken chain; what was not done can be done now. Returns whether it was done.
 */
static bool old_or_new(struct fixture *fx, act_function *act, const struct expected *expected)
{
    GError *error = NULL;
    struct ledger_verdict verdict;
    g_autofree char *now = home_text(fx);
    bool done = strcmp(now, expected->after) == 0;
    if (!done) {
        assert_string_equal(now, expected->before);
        home_act(fx, act);
        g_autofree char *again = home_text(fx);
        assert_string_equal(again, expected->after);
    }
    kit_ok(catalog_open(&fx->catalog, fx->world, fx->home, CATALOG_EXISTING, &error));
    kit_ok(ledger_verify(fx->catalog, NULL, fx->mem, &verdict, &error));
    assert_true(verdict.ok);
    kit_ok(catalog_check(fx->catalog, &error));
    return done;
}

static void a_death_at_any_point_leaves_old_or_new(void **state)
{
    static const char *const POINTS[] = {
#define ROW(name, words) name,
#include "catalog/points.h"
#undef ROW
    };
    for (size_t i = 0; i < G_N_ELEMENTS(ACTS); i++) {
        struct expected expected = undisturbed(ACTS[i].act);
        for (size_t k = 0; k < G_N_ELEMENTS(POINTS); k++) {
            struct fixture *fx = home_make();
            deadly_point = POINTS[k];
            assert_true(act_and_die(fx, ACTS[i].act, false));
            deadly_point = NULL;
            assert_int_equal(old_or_new(fx, ACTS[i].act, &expected), strcmp(POINTS[k], "catalog.committed") == 0);
            home_drop(fx);
        }
        g_free(expected.before);
        g_free(expected.after);
    }
}

static void a_death_in_any_write_leaves_old_or_new(void **state)
{
    unsigned deaths = 0;
    for (size_t i = 0; i < G_N_ELEMENTS(ACTS); i++) {
        struct expected expected = undisturbed(ACTS[i].act);
        bool died = true;
        for (unsigned n = 0; died; n++) {
            struct fixture *fx = home_make();
            writes_to_live = n;
            died = act_and_die(fx, ACTS[i].act, true);
            bool done = old_or_new(fx, ACTS[i].act, &expected);
            assert_true(died || done);
            deaths += died;
            home_drop(fx);
        }
        g_free(expected.before);
        g_free(expected.after);
    }
    print_message("# %u deaths in writes\n", deaths);
    assert_true(deaths >= 3 * G_N_ELEMENTS(ACTS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_death_at_any_point_leaves_old_or_new),
        cmocka_unit_test(a_death_in_any_write_leaves_old_or_new),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
