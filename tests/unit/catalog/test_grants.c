/* Grants and checkpoints: who works on a partition, and how far it has got. */
#include "unit/catalog/fixture.h"

static void a_first_grant_begins_at_the_beginning(void **state)
{
    struct fixture *fx = *state;
    struct run_row run = fixture_run(fx, 20);
    struct grant grant = fixture_grant(fx, run.id, 0, "one");
    assert_int_equal(grant.part.part, 0);
    assert_int_equal(grant.part.lane, 1);
    assert_int_equal(grant.part.state, PART_RUNNING);
    assert_int_equal(grant.part.records, 5000);
    assert_false(grant.resumed);
    assert_int_equal(grant.checkpoint, 0);
    assert_int_equal(grant.cursor.len, 0);
    assert_int_equal(grant.from.segment, 1);
    assert_int_equal(grant.from.offset, 100);
}

static void a_grant_goes_on_at_the_newest_checkpoint(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct run_row run = fixture_run(fx, 20);
    struct grant first = fixture_grant(fx, run.id, 0, "one");
    for (uint64_t i = 1; i <= 3; i++) {
        struct checkpoint cp = fixture_checkpoint(run.id, &first, i);
        kit_ok(catalog_checkpoint(fx->catalog, &cp, &error));
    }
    struct grant second = fixture_grant(fx, run.id, 0, "two");
    assert_int_equal(second.part.part, 0);
    assert_int_equal(second.part.lane, 2);
    assert_true(second.resumed);
    assert_int_equal(second.old_lane, 1);
    assert_int_equal(second.checkpoint, 3);
    assert_int_equal(second.settled_lane, 1);
    assert_int_equal(second.settled, 27);
    assert_int_equal(second.index, 30);
    assert_int_equal(second.from.segment, 2);
    assert_int_equal(second.from.offset, 3 * 4096);
    kit_equal_text(second.cursor, "at-k0042");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_first_grant_begins_at_the_beginning, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_grant_goes_on_at_the_newest_checkpoint, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
