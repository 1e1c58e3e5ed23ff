/* The run lock: one live process, named to whoever comes second. */
#include "unit/catalog/fixture.h"

#include <signal.h>
#include <sys/wait.h>

#include "catalog/lock.h"

static void a_lock_is_held_once(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    auto_(run_lock) lock = NULL;
    struct run_lock *second;
    int64_t begin_us = fx->fake.now_us;
    kit_ok(run_lock_take(&lock, fx->world, fx->home, "fix.1", &error));
    assert_int_equal(fx->fake.now_us, begin_us); /* a free one is not waited for */
    g_autofree char *holder = g_strdup_printf("run fix.1 is being run by pid %ld on ", (long)getpid());
    kit_refused(run_lock_take(&second, fx->world, fx->home, "fix.1", &error), LOCKED, holder);
    kit_refused(run_lock_take(&second, fx->world, fx->home, "fix.1", &error), LOCKED, g_get_host_name());
    kit_refused(run_lock_take(&second, fx->world, fx->home, "fix.1", &error), LOCKED, " since 20");
    assert_true(fx->fake.now_us > begin_us);
}

static void locks_of_two_runs_are_two(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    auto_(run_lock) first = NULL;
    auto_(run_lock) second = NULL;
    kit_ok(run_lock_take(&first, fx->world, fx->home, "fix.1", &error));
    kit_ok(run_lock_take(&second, fx->world, fx->home, "fix.2", &error));
}

static void a_lock_that_was_let_go_is_free(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct run_lock *lock;
    struct run_holder holder;
    for (int i = 0; i < 3; i++) {
        kit_ok(run_lock_take(&lock, fx->world, fx->home, "fix.1", &error));
        run_lock_free(lock);
        kit_ok(run_lock_holder(&holder, fx->world, fx->home, "fix.1", &error));
        assert_false(holder.live);
    }
}

static void the_holder_is_told_and_not_disturbed(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    auto_(run_lock) lock = NULL;
    struct run_holder holder;
    kit_ok(run_lock_holder(&holder, fx->world, fx->home, "fix.1", &error));
    assert_false(holder.live);
    fx->fake.wall_ms = 1752148800000;
    kit_ok(run_lock_take(&lock, fx->world, fx->home, "fix.1", &error));
    for (int i = 0; i < 2; i++) {
        kit_ok(run_lock_holder(&holder, fx->world, fx->home, "fix.1", &error));
        assert_true(holder.live);
        assert_int_equal(holder.pid, getpid());
        assert_string_equal(holder.host, g_get_host_name());
        assert_int_equal(holder.since_ms, 1752148800000);
        assert_int_equal(holder.begins, i);
        fx->fake.wall_ms++;
        kit_ok(run_lock_begins(lock, &error));
    }
}

static void asking_makes_no_file(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct run_holder holder;
    g_autofree char *path = g_build_filename(fx->home, "runs", NULL);
    kit_ok(run_lock_holder(&holder, fx->world, fx->home, "fix.1", &error));
    assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
}

/* Takes the lock in a process of its own, which lives until it is killed. */
static pid_t hold_elsewhere(struct fixture *fx)
{
    int ready[2];
    char byte = 0;
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        struct run_lock *lock;
        bool ok = run_lock_take(&lock, fx->world, fx->home, "fix.1", NULL) && write(ready[1], &byte, 1) == 1;
        while (ok)
            pause();
        _exit(1);
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return child;
}

static void death_lets_go(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct run_lock *lock;
    struct run_holder holder;
    pid_t child = hold_elsewhere(fx);
    g_autofree char *words = g_strdup_printf("pid %ld", (long)child);
    kit_refused(run_lock_take(&lock, fx->world, fx->home, "fix.1", &error), LOCKED, words);
    kit_ok(run_lock_holder(&holder, fx->world, fx->home, "fix.1", &error));
    assert_true(holder.live);
    assert_int_equal(holder.pid, child);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    kit_ok(run_lock_holder(&holder, fx->world, fx->home, "fix.1", &error));
    assert_false(holder.live);
    kit_ok(run_lock_take(&lock, fx->world, fx->home, "fix.1", &error));
    run_lock_free(lock);
}

/* While the one sleeps, the other lets go: the clock of the sleeper does it. */
struct asker {
    struct fixture *fx;
    struct run_lock *lock;
    int sleeps;
};

static void sleep_and_let_go(void *self, int64_t us, const atomic_bool *cancel)
{
    struct asker *asker = self;
    if (++asker->sleeps == 3)
        g_clear_pointer(&asker->lock, run_lock_free);
}

static int64_t no_time(void *self)
{
    return 0;
}

static void who_only_asks_keeps_no_one_out(void **state)
{
    static const struct world_clock CLOCK = {.monotonic_us = no_time, .wall_ms = no_time, .sleep_us = sleep_and_let_go};
    GError *error = NULL;
    struct fixture *fx = *state;
    struct asker asker = {.fx = fx};
    struct world world = *fx->world;
    auto_(run_lock) lock = NULL;
    kit_ok(run_lock_take(&asker.lock, fx->world, fx->home, "fix.1", &error));
    world.clock = &CLOCK;
    world.clock_self = &asker;
    kit_ok(run_lock_take(&lock, &world, fx->home, "fix.1", &error));
    assert_int_equal(asker.sleeps, 3);
}

/* A holder that has only just begun, or a file that someone has written into: held all the same. */
static void a_holder_that_has_not_said_who_it_is_holds(void **state)
{
    static const char *const SAID[] = {"", "{\"pid\":", "[1]", "{\"pid\":\"x\"}"};
    GError *error = NULL;
    struct fixture *fx = *state;
    auto_(run_lock) lock = NULL;
    struct run_lock *second;
    struct run_holder holder;
    g_autofree char *path = g_build_filename(fx->home, "runs", "fix.1.lock", NULL);
    kit_ok(run_lock_take(&lock, fx->world, fx->home, "fix.1", &error));
    for (size_t i = 0; i < G_N_ELEMENTS(SAID); i++) {
        FILE *file = fopen(path, "w"); /* the same file: a new one would not be locked */
        assert_non_null(file);
        assert_true(fputs(SAID[i], file) >= 0 && fclose(file) == 0);
        kit_refused(run_lock_take(&second, fx->world, fx->home, "fix.1", &error), LOCKED, "by another process");
        kit_ok(run_lock_holder(&holder, fx->world, fx->home, "fix.1", &error));
        assert_true(holder.live);
        assert_int_equal(holder.pid, 0);
        assert_string_equal(holder.host, "");
    }
}

static void a_name_with_a_slash_is_refused(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct run_lock *lock;
    kit_refused(run_lock_take(&lock, fx->world, fx->home, "../fix.1", &error), REFUSED, "not the name of a run");
}

static void a_home_that_may_not_be_written_is_told(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct run_lock *lock;
    fake_world_arm(&fx->fake, (struct fake_fault){.call = "mkdir", .nth = 1, .number = EROFS, .lasting = true});
    kit_refused(run_lock_take(&lock, fx->world, fx->home, "fix.1", &error), NOT_PERMITTED, "runs");
    fake_world_arm(&fx->fake, (struct fake_fault){0});
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_lock_is_held_once),
        CASE(locks_of_two_runs_are_two),
        CASE(a_lock_that_was_let_go_is_free),
        CASE(the_holder_is_told_and_not_disturbed),
        CASE(asking_makes_no_file),
        CASE(death_lets_go),
        CASE(who_only_asks_keeps_no_one_out),
        CASE(a_holder_that_has_not_said_who_it_is_holds),
        CASE(a_name_with_a_slash_is_refused),
        CASE(a_home_that_may_not_be_written_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
