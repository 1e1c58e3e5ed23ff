#include "base/spread.h"
#include "kit/kit.h"

static void each_comes_once_and_the_first_first(void **state)
{
    for (size_t n = 1; n < 300; n++) {
        g_autofree bool *came = g_new0(bool, n);
        assert_int_equal(spread_at(0, n), 0);
        for (size_t i = 0; i < n; i++) {
            size_t at = spread_at(i, n);
            assert_true(at < n && !came[at]);
            came[at] = true;
        }
    }
}

/* No stretch of the row is left out for long: of three servers with a third each, six in a row meet all. */
static void a_few_in_a_row_come_from_all_over(void **state)
{
    for (size_t n = 30; n < 3000; n += 7)
        for (size_t i = 0; i + 6 < n; i++) {
            bool met[3] = {false};
            for (size_t j = i; j < i + 6; j++)
                met[spread_at(j, n) * 3 / n] = true;
            assert_true(met[0] && met[1] && met[2]);
        }
}

static void long_rows_overflow_nothing(void **state)
{
    size_t n = SIZE_MAX / 2;
    assert_true(spread_at(n - 1, n) < n);
    assert_int_not_equal(spread_at(n - 1, n), spread_at(n - 2, n));
    assert_int_equal(spread_at(0, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_comes_once_and_the_first_first),
        cmocka_unit_test(a_few_in_a_row_come_from_all_over),
        cmocka_unit_test(long_rows_overflow_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
