#include "kit/kit.h"
#include "pace/moments.h"

static void what_lies_far_above_the_median_by_weight_is_not_usual(void **state)
{
    static const struct {
        struct moment of[4];
        unsigned n;
        double most_us;
    } ROWS[] = {{{{100, 1}}, 1, 125},
                {{{100, 1}, {300, 1}}, 2, 125}, /* of two the lesser */
                {{{300, 1}, {100, 1}, {200, 1}}, 3, 250},
                {{{100, 0.5}, {110, 0.5}, {400, 1}, {400, 1}}, 4, 500},
                {{{100, 0.5}, {110, 0.5}, {120, 0.5}, {400, 1}}, 4, 150}};
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++)
        assert_in_range((uint64_t)(10 * moments_most_us(ROWS[i].of, ROWS[i].n)), (uint64_t)(10 * ROWS[i].most_us) - 1,
                        (uint64_t)(10 * ROWS[i].most_us) + 1);
}

/* How many of so many moments are usual. */
static unsigned feel(struct moments *moments, unsigned n, double us)
{
    struct histogram ret;
    unsigned usual = 0;
    for (unsigned i = 0; i < n * MOMENT_PROBES; i++)
        if (moments_probe(moments, us + i % 10, &ret)) {
            assert_int_equal((int)ret.total, MOMENT_PROBES);
            assert_in_range((uint64_t)histogram_quantile(&ret, 0.5), (uint64_t)us, (uint64_t)us + 10);
            usual++;
        }
    return usual;
}

static void what_lasts_for_more_than_half_of_the_newest_is_usual(void **state)
{
    static struct moments moments;
    (void)state;
    assert_int_equal(feel(&moments, 20, 1000), 20);
    assert_int_equal(feel(&moments, 1, 2000), 0);
    assert_int_equal(feel(&moments, MOMENTS_NEWEST, 1000), MOMENTS_NEWEST);
    assert_int_equal(feel(&moments, MOMENTS_NEWEST, 2000), MOMENTS_NEWEST / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_lies_far_above_the_median_by_weight_is_not_usual),
        cmocka_unit_test(what_lasts_for_more_than_half_of_the_newest_is_usual),
    };
    return cmocka_run_group_tests_name("moments", tests, NULL, NULL);
}
