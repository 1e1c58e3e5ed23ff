/* How a run went on, by time: what its checkpoints say, and nothing that is not of it. */
#include "unit/catalog/fixture.h"

static void checkpoint_at(struct fixture *fx, int64_t run, const struct grant *grant, uint64_t number)
{
    GError *error = NULL;
    struct checkpoint cp = fixture_checkpoint(run, grant, number);
    cp.tally.of[OUTCOME_REJECTED] = 2;
    cp.tally.of[OUTCOME_RETRIED] = 5;
    kit_ok(catalog_checkpoint(fx->catalog, &cp, &error));
}

static void each_checkpoint_counts_in_the_stretch_of_its_time_and_an_empty_stretch_has_no_row(void **state)
{
    struct fixture *fx = *state;
    GError *error = NULL;
    struct course *history;
    size_t n;
    struct run_row run = fixture_run(fx, 3), other = fixture_run_of(fx, "else", "mem:c/d", 3);
    struct grant grant = fixture_grant(fx, run.id, 0, "me"), others = fixture_grant(fx, other.id, 0, "me");
    atomic_store(&fx->fake.wall_ms, 60000);
    checkpoint_at(fx, run.id, &grant, 1);
    checkpoint_at(fx, other.id, &others, 1);
    atomic_store(&fx->fake.wall_ms, 69999);
    checkpoint_at(fx, run.id, &grant, 2);
    atomic_store(&fx->fake.wall_ms, 90000);
    checkpoint_at(fx, run.id, &grant, 3);
    kit_ok(catalog_history(fx->catalog, &(struct course_of){run.id, 10000}, fx->mem, &history, &n, &error));
    assert_int_equal(n, 2);
    assert_int_equal(history[0].at_ms, 60000);
    assert_int_equal(history[0].done, 24); /* 9 written, 1 kept live, 2 rejected; twice */
    assert_int_equal(history[0].rejected, 4);
    assert_int_equal(history[0].retried, 10);
    assert_int_equal(history[0].bytes_read, 2000);
    assert_int_equal(history[0].bytes_written, 1000);
    assert_int_equal(history[1].at_ms, 90000);
    assert_int_equal(history[1].done, 12);
}

static void what_was_used_stands_at_the_newest_of_its_stretch_and_what_is_older_is_left_out(void **state)
{
    struct fixture *fx = *state;
    GError *error = NULL;
    struct spent *spent;
    size_t n;
    static const int64_t AT_MS[] = {50000, 60000, 69999, 90000};
    struct run_row run = fixture_run(fx, 1), other = fixture_run_of(fx, "else", "mem:c/d", 3);
    struct grant grant = fixture_grant(fx, run.id, 0, "me"), others = fixture_grant(fx, other.id, 0, "me");
    for (size_t i = 0; i < G_N_ELEMENTS(AT_MS); i++) {
        atomic_store(&fx->fake.wall_ms, AT_MS[i]);
        checkpoint_at(fx, run.id, &grant, i + 1);
        checkpoint_at(fx, other.id, &others, i + 1);
    }
    kit_ok(catalog_spent(fx->catalog, &(struct course_of){run.id, 10000, 50000}, fx->mem, &spent, &n, &error));
    assert_int_equal(n, 2);
    assert_int_equal(spent[0].at_ms, 69999);
    assert_int_equal(spent[0].tally.of[OUTCOME_WRITTEN], 18);
    assert_int_equal(spent[0].bytes_read, 2000);
    assert_int_equal(spent[0].bytes_written, 1000);
    assert_int_equal(spent[1].at_ms, 90000);
    assert_int_equal(spent[1].tally.of[OUTCOME_WRITTEN], 9);
}

static void what_a_server_had_at_first_stays(void **state)
{
    struct fixture *fx = *state;
    GError *error = NULL;
    struct growth_base *rows;
    size_t n;
    struct run_row run = fixture_run(fx, 1), other = fixture_run_of(fx, "else", "mem:c/d", 3);
    const struct growth_base first = {.node = "b", .data_bytes = 7, .keys = -1, .wrote = 3}, later = {.node = "b"},
                             another = {.node = "a", .data_bytes = 5, .keys = 2};
    kit_ok(catalog_growth_put(fx->catalog, run.id, &first, &error));
    kit_ok(catalog_growth_put(fx->catalog, run.id, &later, &error));
    kit_ok(catalog_growth_put(fx->catalog, run.id, &another, &error));
    kit_ok(catalog_growth_put(fx->catalog, other.id, &another, &error));
    kit_ok(catalog_growth(fx->catalog, run.id, fx->mem, &rows, &n, &error));
    assert_int_equal(n, 2);
    assert_string_equal(rows[0].node, "a");
    assert_true(rows[0].data_bytes == 5 && rows[0].keys == 2 && rows[0].wrote == 0);
    assert_string_equal(rows[1].node, "b");
    assert_true(rows[1].data_bytes == 7 && rows[1].keys == -1 && rows[1].wrote == 3);
}

static void a_run_without_checkpoints_has_none(void **state)
{
    struct fixture *fx = *state;
    GError *error = NULL;
    struct course *history;
    size_t n = 7;
    struct run_row run = fixture_run(fx, 1);
    kit_ok(catalog_history(fx->catalog, &(struct course_of){run.id, 1000}, fx->mem, &history, &n, &error));
    assert_int_equal(n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            each_checkpoint_counts_in_the_stretch_of_its_time_and_an_empty_stretch_has_no_row, fixture_setup,
            fixture_teardown),
        cmocka_unit_test_setup_teardown(what_was_used_stands_at_the_newest_of_its_stretch_and_what_is_older_is_left_out,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(what_a_server_had_at_first_stays, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_run_without_checkpoints_has_none, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
