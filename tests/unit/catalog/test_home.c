/* Opening a home: made, found, refused; and what is said when the disk or the file is not as it should be. */
#include "unit/catalog/fixture.h"

#include <sys/stat.h>
#include <sys/wait.h>

#define NO_ONE 65534

static char *path_in(const struct fixture *fx, const char *name)
{
    return g_build_filename(fx->home, name, NULL);
}

static void write_file(const char *path, const char *text)
{
    GError *error = NULL;
    kit_ok(g_file_set_contents(path, text, -1, &error));
}

static void close_catalog(struct fixture *fx)
{
    g_clear_pointer(&fx->catalog, catalog_free);
}

static void a_home_keeps_its_id(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    g_autofree char *id = g_strdup(catalog_home_id(fx->catalog));
    assert_int_equal(strspn(id, "0123456789abcdef"), 32);
    assert_int_equal(strlen(id), 32);
    close_catalog(fx);
    kit_ok(catalog_open(&fx->catalog, fx->world, fx->home, CATALOG_CREATE, &error));
    assert_string_equal(catalog_home_id(fx->catalog), id);
    close_catalog(fx);
    kit_ok(catalog_open(&fx->catalog, fx->world, fx->home, CATALOG_READ_ONLY, &error));
    assert_string_equal(catalog_home_id(fx->catalog), id);
}

static void two_homes_have_two_ids(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    auto_(catalog) other = NULL;
    g_autofree char *home = path_in(fx, "other");
    kit_ok(catalog_open(&other, fx->world, home, CATALOG_CREATE, &error));
    assert_string_not_equal(catalog_home_id(fx->catalog), catalog_home_id(other));
}

static void the_home_is_named_by_its_absolute_path(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    auto_(catalog) again = NULL;
    g_autofree char *dotted = g_build_filename(fx->dir, "other", "..", "home", NULL);
    kit_ok(catalog_open(&again, fx->world, dotted, CATALOG_EXISTING, &error));
    assert_string_equal(catalog_home(again), fx->home);
}

static void a_home_that_is_not_there_is_not_made_by_a_look(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct catalog *catalog;
    g_autofree char *home = path_in(fx, "nowhere");
    kit_refused(catalog_open(&catalog, fx->world, home, CATALOG_EXISTING, &error), NOT_FOUND, "no home of sluice");
    kit_refused(catalog_open(&catalog, fx->world, home, CATALOG_READ_ONLY, &error), NOT_FOUND, home);
    assert_false(g_file_test(home, G_FILE_TEST_EXISTS));
}

static void a_newer_home_is_refused_by_its_number(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct catalog *catalog;
    fixture_sql(fx, "PRAGMA user_version = 1000");
    kit_refused(catalog_open(&catalog, fx->world, fx->home, CATALOG_EXISTING, &error), CATALOG,
                "written by a newer sluice (schema 1000, this one knows");
    kit_refused(catalog_open(&catalog, fx->world, fx->home, CATALOG_READ_ONLY, &error), CATALOG, "newer sluice");
    fixture_rows_are(fx, "PRAGMA user_version", "1000\n");
}

static void another_programs_database_is_left_alone(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct catalog *catalog;
    fixture_sql(fx, "PRAGMA application_id = 99");
    kit_refused(catalog_open(&catalog, fx->world, fx->home, CATALOG_CREATE, &error), CATALOG, "another program");
}

/* It looks like one that nobody has written to yet, but for the number. */
static void another_programs_database_without_a_table_is_left_alone(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    g_autofree char *path = path_in(fx, "catalog.db");
    close_catalog(fx);
    write_file(path, "");
    fixture_sql(fx, "PRAGMA user_version = 3");
    kit_refused(catalog_open(&fx->catalog, fx->world, fx->home, CATALOG_EXISTING, &error), CATALOG, "another program");
    fixture_rows_are(fx, "PRAGMA user_version", "3\n");
}

/* Its tables are there already, so that bringing it up fails. */
static void an_older_home_that_cannot_be_brought_up_is_refused_to_who_looks(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct catalog *catalog;
    fixture_sql(fx, "PRAGMA user_version = 1");
    kit_refused(catalog_open(&catalog, fx->world, fx->home, CATALOG_READ_ONLY, &error), CATALOG,
                "written by an older sluice (schema 1, this one knows");
    fixture_rows_are(fx, "PRAGMA user_version", "1\n");
}

/* A process that died between making the file and writing its first page. */
static void an_empty_file_becomes_a_home(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    g_autofree char *path = path_in(fx, "catalog.db");
    close_catalog(fx);
    write_file(path, "");
    kit_refused(catalog_open(&fx->catalog, fx->world, fx->home, CATALOG_READ_ONLY, &error), NOT_FOUND, "it is empty");
    kit_ok(catalog_open(&fx->catalog, fx->world, fx->home, CATALOG_EXISTING, &error));
}

static void a_file_of_something_else_is_damage(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    g_autofree char *path = path_in(fx, "catalog.db");
    close_catalog(fx);
    write_file(path, "this is not a database, but it is long enough to look at, and so it is looked at in earnest ………");
    kit_refused(catalog_open(&fx->catalog, fx->world, fx->home, CATALOG_CREATE, &error), CORRUPT,
                "put a copy of the whole home back");
    kit_refused(catalog_open(&fx->catalog, fx->world, fx->home, CATALOG_READ_ONLY, &error), CORRUPT, path);
}

static void a_directory_in_its_place_is_refused(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    g_autofree char *home = path_in(fx, "odd");
    g_autofree char *path = g_build_filename(home, "catalog.db", NULL);
    struct catalog *catalog;
    assert_int_equal(g_mkdir_with_parents(path, 0755), 0);
    kit_refused(catalog_open(&catalog, fx->world, home, CATALOG_EXISTING, &error), CATALOG, "not a file");
    kit_refused(catalog_open(&catalog, fx->world, home, CATALOG_CREATE, &error), CATALOG, "not a file");
}

/* The pages of the schema come first and are left as they are. */
static void damage_inside_is_found(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct run_row row = fixture_run(fx, 5000);
    g_autofree char *path = path_in(fx, "catalog.db");
    g_autofree char *content = NULL;
    size_t len;
    kit_ok(catalog_check(fx->catalog, &error));
    close_catalog(fx);
    kit_ok(g_file_get_contents(path, &content, &len, &error));
    memset(content + len / 2, 0x5a, len - len / 2);
    kit_ok(g_file_set_contents(path, content, (ssize_t)len, &error));
    kit_ok(catalog_open(&fx->catalog, fx->world, fx->home, CATALOG_EXISTING, &error));
    kit_refused(catalog_check(fx->catalog, &error), CORRUPT, "damaged");
    struct parts_of all = {.run = row.id, .stage = UINT32_MAX};
    struct part_row *parts;
    size_t n;
    kit_refused(catalog_parts(fx->catalog, &all, fx->mem, &parts, &n, &error), CORRUPT, "damaged");
}

/* What somebody has put a hand to, or a disk has made of it. */
static void a_row_that_makes_no_sense_is_damage(void **state)
{
    static const struct {
        const char *sql, *says;
    } rows[] = {
        {"UPDATE run SET state = 'flying'", "a word that is unknown"},
        {"UPDATE run SET uid = x'00'", "a blob of another length"},
        {"UPDATE run SET stage = 4294967296", "a number beyond 32 bits"},
        {"UPDATE run_total SET bytes_read = -1", "a number below zero"},
        {"UPDATE run SET target = CAST(x'610062' AS TEXT)", "a zero byte in a text"},
        {"UPDATE run SET uid = x'00', stage = 4294967296", "a blob of another length in a row of"},
    };
    struct fixture *fx = *state;
    struct run_row row = fixture_run(fx, 2);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        GError *error = NULL;
        fixture_sql(fx, "CREATE TABLE a AS SELECT * FROM run; CREATE TABLE b AS SELECT * FROM run_total");
        fixture_sql(fx, rows[i].sql);
        kit_refused(catalog_run_reload(fx->catalog, fx->mem, &row, &error), CORRUPT, rows[i].says);
        fixture_sql(fx, "UPDATE run SET (uid, stage, target, state) = (SELECT uid, stage, target, state FROM a);"
                        "UPDATE run_total SET bytes_read = (SELECT bytes_read FROM b); DROP TABLE a; DROP TABLE b");
        kit_ok(catalog_run_reload(fx->catalog, fx->mem, &row, &error));
    }
    fixture_sql(fx, "DELETE FROM home");
    struct catalog *other;
    GError *error = NULL;
    kit_refused(catalog_open(&other, fx->world, fx->home, CATALOG_EXISTING, &error), CORRUPT, "which home it is");
}

static void who_only_looks_changes_nothing(void **state)
{
    static const struct act ACT = {.actor = "ann"};
    struct fixture *fx = *state;
    GError *error = NULL;
    fixture_run(fx, 1);
    close_catalog(fx);
    kit_ok(catalog_open(&fx->catalog, fx->world, fx->home, CATALOG_READ_ONLY, &error));
    kit_refused(catalog_stop_put(fx->catalog, &ACT, &error), NOT_PERMITTED, "read");
    kit_ok(catalog_tidy(fx->catalog, &error));
    kit_ok(catalog_check(fx->catalog, &error));
}

static void the_ledger_names_the_trace_of_an_act(void **state)
{
    static const struct act ACT = {.actor = "ann", .trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"};
    struct fixture *fx = *state;
    GError *error = NULL;
    struct run_row run = fixture_run(fx, 1);
    struct stage_move begin = {.run = run.id, .to = STAGE_RUNNING, .act = ACT};
    struct setting setting = {.key = "workers", .value = "3"};
    kit_ok(catalog_setting_add(fx->catalog, run.id, &setting, &ACT, &error));
    kit_ok(catalog_stage_move(fx->catalog, &begin, &error));
    fixture_rows_are(fx, "SELECT count(*) FROM ledger WHERE details LIKE '%traceparent%00-0af7%'", "2\n");
}

/* --- someone else holds it
 * -------------------------------------------------------------------------------------------- */

static sqlite3 *hold(struct fixture *fx, const char *how)
{
    sqlite3 *handle = fixture_handle(fx);
    assert_int_equal(sqlite3_exec(handle, how, NULL, NULL, NULL), SQLITE_OK);
    return handle;
}

static void a_locked_catalog_is_waited_for_ten_seconds(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct run_row row = fixture_run(fx, 1);
    uint64_t first;
    sqlite3 *holder = hold(fx, "BEGIN IMMEDIATE");
    int64_t begin_us = fx->fake.now_us;
    kit_refused(catalog_sequences_take(fx->catalog, row.id, 1, &first, &error), BUSY, "locked");
    assert_in_range(fx->fake.now_us - begin_us, 10 * 1000 * 1000, 11 * 1000 * 1000);
    kit_ok(catalog_run_reload(fx->catalog, fx->mem, &row, &error)); /* looks do not wait */
    sqlite3_close(holder);
    kit_ok(catalog_sequences_take(fx->catalog, row.id, 1, &first, &error));
}

static void opening_waits_for_a_locked_catalog_too(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct catalog *catalog;
    close_catalog(fx);
    sqlite3 *holder = hold(fx, "PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE; CREATE TABLE x (x); COMMIT");
    kit_refused(catalog_open(&catalog, fx->world, fx->home, CATALOG_EXISTING, &error), BUSY, "locked");
    sqlite3_close(holder);
}

enum { AT_ONCE = 8 };

struct maker {
    const char *home;
    char id[33];
    char *fault;
};

static gpointer make(gpointer data)
{
    GError *error = NULL;
    struct maker *maker = data;
    auto_(catalog) catalog = NULL;
    if (catalog_open(&catalog, world_real(), maker->home, CATALOG_CREATE, &error))
        g_strlcpy(maker->id, catalog_home_id(catalog), sizeof maker->id);
    else
        maker->fault = g_strdup(error->message);
    g_clear_error(&error);
    return NULL;
}

static void a_home_made_by_many_at_once_is_one(void **state)
{
    struct fixture *fx = *state;
    for (int round = 0; round < 20; round++) {
        struct maker makers[AT_ONCE] = {0};
        GThread *threads[AT_ONCE];
        g_autofree char *name = g_strdup_printf("at-once-%d", round);
        g_autofree char *home = path_in(fx, name);
        for (int i = 0; i < AT_ONCE; i++) {
            makers[i].home = home;
            threads[i] = g_thread_new("maker", make, &makers[i]);
        }
        for (int i = 0; i < AT_ONCE; i++)
            g_thread_join(threads[i]);
        for (int i = 0; i < AT_ONCE; i++) {
            if (makers[i].fault)
                fail_msg("%s", makers[i].fault);
            assert_string_equal(makers[i].id, makers[0].id);
        }
    }
}

/* --- the disk
 * --------------------------------------------------------------------------------------------------------- */

/* Runs `check` as someone who may only read the home. */
static void as_no_one(struct fixture *fx, bool (*check)(struct fixture *fx))
{
    assert_int_equal(chmod(fx->dir, 0755), 0);
    assert_int_equal(chmod(fx->home, 0555), 0);
    pid_t child = fork();
    if (child == 0) {
        bool ok = geteuid() != 0 || (setegid(NO_ONE) == 0 && seteuid(NO_ONE) == 0);
        ok = ok && check(fx);
        fflush(NULL);
        _exit(ok ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(chmod(fx->home, 0755), 0);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static bool refused_with(bool ok, GError **error, enum error_code code)
{
    bool as_expected = !ok && error_is(*error, code);
    if (!as_expected)
        print_error("%s\n", *error ? (*error)->message : "succeeded");
    g_clear_error(error);
    return as_expected;
}

static bool went_well(bool ok, GError **error)
{
    if (!ok)
        print_error("%s\n", (*error)->message);
    g_clear_error(error);
    return ok;
}

static bool may_read_and_no_more(struct fixture *fx)
{
    GError *error = NULL;
    auto_(catalog) catalog = NULL;
    struct run_row row;
    uint64_t first;
    return refused_with(catalog_open(&catalog, fx->world, fx->home, CATALOG_EXISTING, &error), &error,
                        SLUICE_ERROR_NOT_PERMITTED) &&
           refused_with(catalog_open(&catalog, fx->world, fx->home, CATALOG_CREATE, &error), &error,
                        SLUICE_ERROR_NOT_PERMITTED) &&
           went_well(catalog_open(&catalog, fx->world, fx->home, CATALOG_READ_ONLY, &error), &error) &&
           went_well(catalog_run_get(catalog, "fix", fx->mem, &row, &error), &error) &&
           strcmp(row.name, "fix.1") == 0 &&
           refused_with(catalog_sequences_take(catalog, row.id, 1, &first, &error), &error,
                        SLUICE_ERROR_NOT_PERMITTED) &&
           went_well(catalog_tidy(catalog, &error), &error) && went_well(catalog_check(catalog, &error), &error);
}

/* SQLite's connections must not be carried through a fork: who forks has none. */
static pid_t open_elsewhere(struct fixture *fx, int *ret_until)
{
    int ready[2], until[2];
    char byte = 0;
    assert_true(pipe(ready) == 0 && pipe(until) == 0);
    pid_t child = fork();
    if (child == 0) {
        struct catalog *catalog;
        struct run_row row;
        close(until[1]);
        bool ok = catalog_open(&catalog, fx->world, fx->home, CATALOG_EXISTING, NULL) &&
                  catalog_run_get(catalog, "fix", fx->mem, &row, NULL) && write(ready[1], &byte, 1) == 1 &&
                  read(until[0], &byte, 1) == 0;
        _exit(ok ? 0 : 1); /* dies with the catalog open: log and shared memory stay */
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(until[0]);
    *ret_until = until[1];
    return child;
}

static void a_home_that_may_only_be_read_is_read(void **state)
{
    struct fixture *fx = *state;
    int until, status;
    fixture_run(fx, 3);
    close_catalog(fx);
    as_no_one(fx, may_read_and_no_more);
    pid_t other = open_elsewhere(fx, &until);
    as_no_one(fx, may_read_and_no_more);
    close(until);
    assert_int_equal(waitpid(other, &status, 0), other);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    as_no_one(fx, may_read_and_no_more);
}

static bool may_not_make_one(struct fixture *fx)
{
    GError *error = NULL;
    struct catalog *catalog;
    g_autofree char *home = path_in(fx, "new");
    return refused_with(catalog_open(&catalog, fx->world, home, CATALOG_CREATE, &error), &error,
                        SLUICE_ERROR_NOT_PERMITTED);
}

/* Not even the root of all folders answers. */
static void a_home_is_not_looked_for_above_everything(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    auto_(catalog) other = NULL;
    fake_world_arm(&fx->fake, (struct fake_fault){.nth = 1, .number = EACCES, .lasting = true});
    bool ok = catalog_open(&other, fx->world, fx->home, CATALOG_EXISTING, &error);
    fake_world_arm(&fx->fake, (struct fake_fault){0});
    kit_refused(ok, NOT_PERMITTED, fx->home);
}

static void a_home_where_none_may_be_made_is_refused(void **state)
{
    close_catalog(*state);
    as_no_one(*state, may_not_make_one);
}

static ssize_t no_space(int fd, const void *from, size_t len, off_t offset)
{
    errno = ENOSPC;
    return -1;
}

static void disk_is_full(bool full)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    sqlite3_syscall_ptr call = full ? (sqlite3_syscall_ptr)no_space : NULL; /* NULL: the system's again */
    vfs->xSetSystemCall(vfs, "pwrite", call);
    vfs->xSetSystemCall(vfs, "pwrite64", call);
}

static void a_full_disk_is_told_and_nothing_is_half_done(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct run_row row = fixture_run(fx, 1);
    struct run_move move = {.run = row.id, .from = RUN_PLANNED, .to = RUN_RUNNING, .act = FIXTURE_ACT};
    disk_is_full(true);
    kit_refused(catalog_run_move(fx->catalog, &move, &error), NO_SPACE, "the disk is full");
    disk_is_full(false);
    kit_ok(catalog_run_reload(fx->catalog, fx->mem, &row, &error));
    assert_int_equal(row.state, RUN_PLANNED);
    fixture_rows_are(fx, "SELECT action FROM ledger", "planned\n");
    kit_ok(catalog_run_move(fx->catalog, &move, &error));
    fixture_rows_are(fx, "SELECT action FROM ledger", "planned\nrunning\n");
}

static void after_a_failed_sync_nothing_is_written(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct run_row row = fixture_run(fx, 1);
    struct run_move move = {.run = row.id, .from = RUN_PLANNED, .to = RUN_RUNNING, .act = FIXTURE_ACT};
    atomic_store(&fixture_syncs_fail, true);
    kit_refused(catalog_run_move(fx->catalog, &move, &error), SYNC_FAILED, "could not be made durable");
    atomic_store(&fixture_syncs_fail, false);
    kit_refused(catalog_run_move(fx->catalog, &move, &error), SYNC_FAILED, "an earlier write");
    kit_ok(catalog_run_reload(fx->catalog, fx->mem, &row, &error));
    assert_int_equal(row.state, RUN_PLANNED);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_home_keeps_its_id),
        CASE(two_homes_have_two_ids),
        CASE(the_home_is_named_by_its_absolute_path),
        CASE(a_home_that_is_not_there_is_not_made_by_a_look),
        CASE(a_newer_home_is_refused_by_its_number),
        CASE(another_programs_database_is_left_alone),
        CASE(another_programs_database_without_a_table_is_left_alone),
        CASE(an_older_home_that_cannot_be_brought_up_is_refused_to_who_looks),
        CASE(an_empty_file_becomes_a_home),
        CASE(a_file_of_something_else_is_damage),
        CASE(a_directory_in_its_place_is_refused),
        CASE(damage_inside_is_found),
        CASE(a_row_that_makes_no_sense_is_damage),
        CASE(who_only_looks_changes_nothing),
        CASE(the_ledger_names_the_trace_of_an_act),
        CASE(a_locked_catalog_is_waited_for_ten_seconds),
        CASE(opening_waits_for_a_locked_catalog_too),
        CASE(a_home_made_by_many_at_once_is_one),
        CASE(a_home_that_may_only_be_read_is_read),
        CASE(a_home_is_not_looked_for_above_everything),
        CASE(a_home_where_none_may_be_made_is_refused),
        CASE(a_full_disk_is_told_and_nothing_is_half_done),
        CASE(after_a_failed_sync_nothing_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
