/* Processes that are waited for: what they read, print and end with; those that hang go with all that they started. */
#include "base/process.h"
#include "kit/kit.h"

#include <poll.h>
#include <sys/pidfd.h>
#include <unistd.h>

static const char *const ENVP[] = {"PATH=/usr/bin:/bin", "SAID=hello", NULL};

static bool ran(const char *shell, struct slice input, size_t keep_bytes, struct process_end *ret, GError **error)
{
    const char *argv[] = {"/bin/sh", "-c", shell, NULL};
    struct process_call call = {.argv = argv,
                                .envp = ENVP,
                                .dir = "/tmp",
                                .input = input,
                                .timeout_us = INT64_C(30) * 1000 * 1000,
                                .keep_bytes = keep_bytes};
    return process_run(world_real(), &call, ret, error);
}

static void what_it_reads_prints_and_ends_with_comes_back(void **state)
{
    GError *error = NULL;
    struct process_end end;
    kit_ok(ran("cat; echo $SAID; pwd; echo bad >&2; exit 7", slice_of_text("in,"), 100, &end, &error));
    assert_int_equal(end.status, 7);
    assert_string_equal(end.output, "in,hello\n/tmp\nbad\n");
    g_free(end.output);
}

static void more_than_a_pipe_holds_goes_both_ways_and_the_end_is_kept(void **state)
{
    GError *error = NULL;
    struct process_end end;
    size_t len = 1 << 20;
    g_autofree char *input = g_strnfill(len, 'x');
    input[len - 1] = 'y';
    kit_ok(ran("cat", slice_of(input, len), 10, &end, &error));
    assert_int_equal(end.printed, len);
    assert_string_equal(end.output, "xxxxxxxxxy");
    g_free(end.output);
}

static void one_that_does_not_read_is_no_fault(void **state)
{
    GError *error = NULL;
    struct process_end end;
    g_autofree char *input = g_strnfill(1 << 20, 'x');
    kit_ok(ran("exec true", slice_of(input, 1 << 20), 10, &end, &error));
    assert_int_equal(end.status, 0);
    g_free(end.output);
}

static void one_that_takes_too_long_is_killed_with_its_group(void **state)
{
    GError *error = NULL;
    struct process_end end;
    const char *argv[] = {"/bin/sh", "-c", "sleep 1000 & echo $!; wait", NULL};
    struct process_call call = {.argv = argv, .envp = ENVP, .timeout_us = 300000, .keep_bytes = 100};
    kit_refused(process_run(world_real(), &call, &end, &error), TIMED_OUT, "took too long");
    struct pollfd child = {.fd = pidfd_open((pid_t)g_ascii_strtoll(end.output, NULL, 10), 0), .events = POLLIN};
    if (child.fd >= 0) { /* told to, a process dies in its own time */
        assert_int_equal(poll(&child, 1, 30000), 1);
        close(child.fd);
    }
    g_free(end.output);
}

static void one_that_is_given_up_is_cancelled(void **state)
{
    GError *error = NULL;
    struct process_end end;
    const atomic_bool cancel = true;
    const char *argv[] = {"sleep", "1000", NULL};
    struct process_call call = {
        .argv = argv, .envp = ENVP, .timeout_us = INT64_C(1) << 50, .cancel = &cancel, .keep_bytes = 100};
    kit_refused(process_run(world_real(), &call, &end, &error), CANCELLED, "was stopped");
    g_free(end.output);
}

static void one_that_is_not_there_is_said_so(void **state)
{
    GError *error = NULL;
    struct process_end end;
    const char *argv[] = {"./no-such-program", NULL};
    struct process_call call = {.argv = argv, .envp = ENVP, .timeout_us = 1000000, .keep_bytes = 100};
    assert_false(process_run(world_real(), &call, &end, &error));
    assert_non_null(strstr(error->message, "./no-such-program"));
    assert_null(end.output);
    g_error_free(error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_it_reads_prints_and_ends_with_comes_back),
        cmocka_unit_test(more_than_a_pipe_holds_goes_both_ways_and_the_end_is_kept),
        cmocka_unit_test(one_that_does_not_read_is_no_fault),
        cmocka_unit_test(one_that_takes_too_long_is_killed_with_its_group),
        cmocka_unit_test(one_that_is_given_up_is_cancelled),
        cmocka_unit_test(one_that_is_not_there_is_said_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
