/* A command that goes on in a process of its own: how it ends, what it has told, and whether it drives its run. */
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/file.h"
#include "catalog/lock.h"
#include "run/detach.h"
#include "unit/run/runs.h"

#define RUN      "job.1"
#define WAIT_US  (INT64_C(30) * 1000 * 1000)
#define FOR_EVER "exec sleep 1000"

struct away {
    struct detach_wish wish;
    struct detached detached;
    char *argv[4];
};

static bool start(struct away *away, struct runs *runs, const char *shell, GError **error)
{
    static char *const envp[] = {(char *)(uintptr_t) "PATH=/usr/bin:/bin", NULL};
    char *argv[] = {(char *)(uintptr_t) "/bin/sh", (char *)(uintptr_t) "-c", (char *)(uintptr_t)shell, NULL};
    memcpy(away->argv, argv, sizeof argv);
    away->wish = (struct detach_wish){
        .world = &runs->fake.world, .home = runs->home, .run = RUN, .argv = away->argv, .envp = envp};
    return detach_start(&away->wish, &away->detached, error);
}

static void finish(struct away *away)
{
    kill((pid_t)away->detached.pid, SIGKILL);
    waitpid((pid_t)away->detached.pid, NULL, 0);
    detached_done(&away->detached);
}

static char *log_path(const struct runs *runs)
{
    g_autofree char *dir = g_build_filename(runs->home, "runs", NULL);
    assert_int_equal(g_mkdir_with_parents(dir, 0700), 0);
    return g_build_filename(dir, RUN ".log", NULL);
}

/* --- what it has told --------------------------------------------------------------------------------------------- */

/* `told` ends it by 7. */
static void tells(struct runs *runs, const char *shell, const char *told, size_t len)
{
    GError *error = NULL;
    struct away away;
    bool ended;
    int status = 0;
    siginfo_t info;
    kit_ok(start(&away, runs, shell, &error));
    assert_int_equal(waitid(P_PID, (id_t)away.detached.pid, &info, WEXITED | WNOWAIT), 0);
    kit_ok(detach_await(&away.wish, &away.detached, WAIT_US, &ended, &status, &error));
    g_autofree char *said = detach_said(&runs->fake.world, &away.detached);
    detached_done(&away.detached);
    assert_true(ended);
    assert_int_equal(status, 7);
    assert_int_equal(strlen(said), len);
    assert_true(g_str_has_prefix(said, told));
}

static void what_it_tells_is_what_was_added_to_its_log(void **state)
{
    tells(*state, "echo one; exit 7", "one\n", 4);
    tells(*state, "echo two >&2; exit 7", "two\n", 4);
    tells(*state, "exit 7", "", 0);
}

static void a_log_of_any_size_tells_what_was_added_to_it(void **state)
{
    GError *error = NULL;
    g_autofree char *path = log_path(*state), *old = g_strnfill(17u << 20, 'x');
    g_assert_true(g_file_set_contents(path, old, -1, &error));
    tells(*state, "echo refused; exit 7", "refused\n", 8);
}

static void of_more_than_anybody_reads_it_is_the_end(void **state)
{
    tells(*state, "head -c 1000 /dev/zero | tr '\\0' a; head -c 16777216 /dev/zero | tr '\\0' b; exit 7", "b",
          16u << 20);
}

static void a_log_that_is_gone_tells_nothing(void **state)
{
    struct runs *runs = *state;
    g_autofree char *path = log_path(runs);
    struct detached detached = {.log = path};
    g_autofree char *said = detach_said(&runs->fake.world, &detached);
    assert_string_equal(said, "");
}

/* --- whether it drives its run ------------------------------------------------------------------------------------ */

static void holds(const struct runs *runs, int64_t pid, bool begins)
{
    GError *error = NULL;
    g_autofree char *path = g_build_filename(runs->home, "runs", RUN ".lock", NULL);
    g_autofree char *text =
        g_strdup_printf("{\"pid\":%" G_GINT64_FORMAT ",\"begins\":%s}", pid, begins ? "true" : "false");
    auto_(file) file = NULL; /* in place: whoever has it locked has it still */
    kit_ok(file_open(&file, &runs->fake.world, path, FILE_REPLACE, &error));
    kit_ok(file_append(file, slice_of_text(text), NULL, &error));
}

static void it_is_waited_for_until_it_drives_its_run(void **state)
{
    struct runs *runs = *state;
    GError *error = NULL;
    struct away away;
    auto_(run_lock) lock = NULL;
    bool ended;
    int status;
    kit_ok(start(&away, runs, FOR_EVER, &error));
    kit_ok(run_lock_take(&lock, &runs->fake.world, runs->home, RUN, &error));
    const struct {
        int64_t pid;
        bool begins, waits;
    } rows[] = {{1, true, true}, {away.detached.pid, false, true}, {away.detached.pid, true, false}};
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        int64_t from_us = world_monotonic_us(&runs->fake.world);
        holds(runs, rows[i].pid, rows[i].begins);
        kit_ok(detach_await(&away.wish, &away.detached, WAIT_US, &ended, &status, &error));
        if (ended || (world_monotonic_us(&runs->fake.world) - from_us >= WAIT_US) != rows[i].waits)
            fail_msg("row %zu", i);
    }
    g_clear_pointer(&lock, run_lock_free);
    int64_t from_us = world_monotonic_us(&runs->fake.world);
    kit_ok(detach_await(&away.wish, &away.detached, WAIT_US, &ended, &status, &error));
    assert_true(!ended && world_monotonic_us(&runs->fake.world) - from_us >= WAIT_US); /* said, and let go */
    finish(&away);
}

static void a_lock_that_cannot_be_read_is_told_with_who_goes_on(void **state)
{
    struct runs *runs = *state;
    GError *error = NULL;
    struct away away;
    bool ended;
    int status;
    g_autofree char *dir = g_build_filename(runs->home, "runs", RUN ".lock", NULL);
    kit_ok(start(&away, runs, FOR_EVER, &error));
    assert_int_equal(mkdir(dir, 0700), 0);
    g_autofree char *who = g_strdup_printf("as process %" G_GINT64_FORMAT, away.detached.pid);
    bool awaited = detach_await(&away.wish, &away.detached, WAIT_US, &ended, &status, &error);
    assert_false(awaited);
    if (!strstr(error->message, who) || !strstr(error->message, away.detached.log))
        fail_msg("%s", error->message);
    g_clear_error(&error);
    finish(&away);
}

/* --- nothing is started ------------------------------------------------------------------------------------------- */

static void without_a_program_or_a_log_nothing_is_started(void **state)
{
    struct runs *runs = *state;
    GError *error = NULL;
    struct away away;
    struct detached detached;
    g_autofree char *path = log_path(runs), *dir = g_path_get_dirname(path);
    kit_ok(start(&away, runs, FOR_EVER, &error));
    finish(&away);
    away.argv[0] = (char *)(uintptr_t) "/nowhere/sluice";
    bool started = detach_start(&away.wish, &detached, &error);
    assert_true(!started && strstr(error->message, "/nowhere/sluice"));
    g_clear_error(&error);
    fake_world_arm(&runs->fake, (struct fake_fault){.call = "stat", .nth = 1, .number = EIO, .path = RUN ".log"});
    started = detach_start(&away.wish, &detached, &error);
    assert_true(!started && strstr(error->message, RUN ".log"));
    g_clear_error(&error);
    fake_world_arm(&runs->fake, (struct fake_fault){0});
    kit_dir_remove(dir);
    assert_true(g_file_set_contents(dir, "", 0, NULL));
    started = detach_start(&away.wish, &detached, &error);
    assert_true(!started && strstr(error->message, dir));
    g_clear_error(&error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_it_tells_is_what_was_added_to_its_log, runs_setup, runs_teardown),
        cmocka_unit_test_setup_teardown(a_log_of_any_size_tells_what_was_added_to_it, runs_setup, runs_teardown),
        cmocka_unit_test_setup_teardown(of_more_than_anybody_reads_it_is_the_end, runs_setup, runs_teardown),
        cmocka_unit_test_setup_teardown(a_log_that_is_gone_tells_nothing, runs_setup, runs_teardown),
        cmocka_unit_test_setup_teardown(it_is_waited_for_until_it_drives_its_run, runs_setup, runs_teardown),
        cmocka_unit_test_setup_teardown(a_lock_that_cannot_be_read_is_told_with_who_goes_on, runs_setup, runs_teardown),
        cmocka_unit_test_setup_teardown(without_a_program_or_a_log_nothing_is_started, runs_setup, runs_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
