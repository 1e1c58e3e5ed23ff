#include "base/retry.h"
#include "kit/fake_world.h"
#include "kit/kit.h"

enum { BUDGET_US = 60 * 1000 * 1000 };

static GError *error_of(enum error_code code)
{
    return g_error_new_literal(SLUICE_ERROR, (int)code, "x");
}

static void only_transient_errors_are_tried_again(void **state)
{
    struct fake_world fake;
    fake_world_init(&fake);
    struct retry retry;
    retry_init(&retry, &fake.world, BUDGET_US);
    for (int code = 0; code < SLUICE_ERROR_COUNT; code++) {
        g_autoptr(GError) error = error_of((enum error_code)code);
        int64_t wait_us = -1;
        bool again = retry_again(&retry, &fake.world, error, &wait_us);
        assert_int_equal(again, error_class(error) == ERROR_TRANSIENT);
        assert_int_equal(wait_us >= 0, again);
    }
}

static void waits_stay_below_a_ceiling_that_doubles_up_to_the_cap(void **state)
{
    struct fake_world fake;
    g_autoptr(GError) error = error_of(SLUICE_ERROR_TIMED_OUT);
    int64_t largest[12] = {0};
    for (uint64_t seed = 0; seed < 500; seed++) {
        fake_world_init(&fake);
        fake.seed = seed;
        struct retry retry;
        retry_init(&retry, &fake.world, INT64_C(1) << 50);
        for (int i = 0; i < 12; i++) {
            int64_t wait_us;
            assert_true(retry_again(&retry, &fake.world, error, &wait_us));
            assert_in_range(wait_us, 0, MIN(retry.base_us << i, retry.cap_us));
            largest[i] = MAX(largest[i], wait_us);
        }
    }
    for (int i = 0; i < 12; i++) /* and use the room below it */
        assert_true(largest[i] > MIN(INT64_C(50000) << i, 10000000) * 9 / 10);
}

static void the_budget_ends_it_and_the_last_wait_is_cut(void **state)
{
    struct fake_world fake;
    fake_world_init(&fake);
    g_autoptr(GError) error = error_of(SLUICE_ERROR_UNREACHABLE);
    struct retry retry;
    retry_init(&retry, &fake.world, BUDGET_US);
    int64_t begin_us = fake.now_us, wait_us;
    while (retry_again(&retry, &fake.world, error, &wait_us)) {
        world_sleep_us(&fake.world, wait_us, NULL);
        assert_true(fake.now_us - begin_us <= BUDGET_US);
        assert_true(retry.attempts < 10000);
    }
    assert_int_equal(fake.now_us - begin_us, BUDGET_US);
}

static void an_empty_budget_allows_nothing(void **state)
{
    struct fake_world fake;
    fake_world_init(&fake);
    g_autoptr(GError) error = error_of(SLUICE_ERROR_BUSY);
    struct retry retry;
    int64_t wait_us;
    retry_init(&retry, &fake.world, 0);
    assert_false(retry_again(&retry, &fake.world, error, &wait_us));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_transient_errors_are_tried_again),
        cmocka_unit_test(waits_stay_below_a_ceiling_that_doubles_up_to_the_cap),
        cmocka_unit_test(the_budget_ends_it_and_the_last_wait_is_cut),
        cmocka_unit_test(an_empty_budget_allows_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
