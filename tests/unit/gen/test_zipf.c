/* Ranks by Zipf's law: as often as it says, the same with every compiler. */
#include <math.h>

#include "gen/zipf.h"
#include "kit/kit.h"

static uint64_t sum_of(uint64_t n, size_t draws)
{
    struct zipf zipf;
    struct dice dice = dice_of(1, n);
    uint64_t sum = 0;
    zipf_init(&zipf, n);
    for (size_t i = 0; i < draws; i++) {
        uint64_t rank = zipf_draw(&zipf, &dice);
        assert_true(rank < n);
        sum = sum * 31 + rank;
    }
    return sum;
}

/* If this fails on some machine or with some compiler, its doubles are not what zipf.h says. */
static void the_draws_are_the_same_everywhere(void **state)
{
    static const struct {
        uint64_t n, sum;
    } CASES[] = {
        {1, 0},
        {2, UINT64_C(0xbe82fd676dcbab2b)},
        {10, UINT64_C(0x9170f90fb03b80c8)},
        {1000, UINT64_C(0x2b63bd56a5e2e2ae)},
        {1000000, UINT64_C(0xef4cb0e5a423848b)},
        {UINT64_C(100000000000), UINT64_C(0xbe039db8756ccfdf)},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(CASES); i++)
        assert_int_equal(sum_of(CASES[i].n, 1000000), CASES[i].sum);
}

/* Pearson's statistic over 99 degrees of freedom stays below 149 in 999 of 1,000 cases; the seed is fixed. */
static void each_rank_comes_as_often_as_the_law_says(void **state)
{
    enum { N = 100, DRAWS = 1000000 };
    double found[N] = {0}, all = 0, apart = 0;
    struct zipf zipf;
    struct dice dice = dice_of(5, 5);
    zipf_init(&zipf, N);
    for (size_t i = 0; i < DRAWS; i++)
        found[zipf_draw(&zipf, &dice)]++;
    for (size_t i = 1; i <= N; i++)
        all += pow((double)i, -1.125);
    for (size_t i = 1; i <= N; i++) {
        double wanted = DRAWS * pow((double)i, -1.125) / all;
        apart += (found[i - 1] - wanted) * (found[i - 1] - wanted) / wanted;
    }
    assert_true(apart < 149);
    assert_true(apart > 50); /* nor too well */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_draws_are_the_same_everywhere),
        cmocka_unit_test(each_rank_comes_as_often_as_the_law_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
