/* Who waits, who splits, and when all are done; and a partition that is granted before it is counted. */
#include "base/thread.h"
#include "kit/kit.h"
#include "run/sharing.h"

static void who_waits_is_told_of_what_was_split_off(void **state)
{
    struct sharing sharing = {0};
    enum share one = SHARE_NOTHING, other = SHARE_NOTHING;
    sharing_init(&sharing);
    sharing_begin(&sharing, false);
    sharing_be(&sharing, &one, SHARE_WORK);
    sharing_be(&sharing, &other, SHARE_WORK);
    assert_false(sharing_wants(&sharing));
    assert_int_equal(sharing_wait(&sharing, &other), IDLE_WAITS);
    assert_true(sharing_wants(&sharing));
    sharing_add(&sharing);
    assert_false(sharing_wants(&sharing));
    assert_int_equal(sharing_wait(&sharing, &other), IDLE_WORK);
    sharing_take(&sharing);
    assert_int_equal(sharing_wait(&sharing, &one), IDLE_WAITS);
    assert_int_equal(sharing_wait(&sharing, &other), IDLE_OVER);
    sharing_done(&sharing);
}

/* The split stands in the catalog before it is counted: whoever asks in between has it. */
static void a_partition_that_is_granted_before_it_is_counted_does_not_count_for_ever(void **state)
{
    struct sharing sharing = {0};
    enum share one = SHARE_NOTHING;
    sharing_init(&sharing);
    sharing_begin(&sharing, false);
    sharing_be(&sharing, &one, SHARE_WORK);
    sharing_take(&sharing);
    uint64_t before = sharing_added(&sharing);
    sharing_add(&sharing);
    sharing_none(&sharing, before); /* asked before it was counted: it may be there */
    assert_int_equal(sharing_wait(&sharing, &one), IDLE_WORK);
    sharing_none(&sharing, sharing_added(&sharing));
    assert_int_equal(sharing_wait(&sharing, &one), IDLE_OVER);
    sharing_done(&sharing);
}

enum { ADDS = 1000 };

/* For the thread sanitizer above all. */
static void adds(void *self)
{
    for (int i = 0; i < ADDS; i++)
        sharing_add(self);
}

static void what_several_split_off_at_once_is_counted(void **state)
{
    GError *error = NULL;
    struct sharing sharing = {0};
    struct thread *threads[3];
    sharing_init(&sharing);
    sharing_begin(&sharing, true);
    for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
        kit_ok(thread_start(&threads[i], "adds", adds, &sharing, &error));
    for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
        thread_join(threads[i]);
    assert_int_equal(sharing_added(&sharing), G_N_ELEMENTS(threads) * ADDS);
    sharing_done(&sharing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_waits_is_told_of_what_was_split_off),
        cmocka_unit_test(a_partition_that_is_granted_before_it_is_counted_does_not_count_for_ever),
        cmocka_unit_test(what_several_split_off_at_once_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
