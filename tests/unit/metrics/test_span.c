/* metrics/span: which partitions a share has, and what a traceparent says. */
#include "metrics/span.h"

#include "kit/kit.h"

enum { PARTS = 4000 };

static void a_share_has_about_so_many_partitions_and_a_larger_one_has_those_too(void **state)
{
    static const double SHARES[] = {0.001, 0.1, 0.5, 0.9};
    static const size_t LEAST[] = {1, 330, 1850, 3500}, MOST[] = {12, 480, 2150, 3700};
    uint8_t run[TRACE_ID_BYTES] = "the run's own id";
    for (size_t i = 0; i < G_N_ELEMENTS(SHARES); i++) {
        size_t n = 0;
        for (uint32_t part = 0; part < PARTS; part++) {
            bool taken = span_taken(run, part, SHARES[i]);
            n += taken;
            assert_true(!taken || i + 1 == G_N_ELEMENTS(SHARES) || span_taken(run, part, SHARES[i + 1]));
            assert_true(span_taken(run, part, 1));
        }
        assert_in_range(n, LEAST[i], MOST[i]);
    }
}

static void another_run_has_others(void **state)
{
    uint8_t one[TRACE_ID_BYTES] = {1}, other[TRACE_ID_BYTES] = {2};
    size_t both = 0;
    for (uint32_t part = 0; part < PARTS; part++)
        both += span_taken(one, part, 0.5) && span_taken(other, part, 0.5);
    assert_in_range(both, PARTS / 5, PARTS / 10 * 3);
}

static void a_caller_that_does_not_record_is_heard_and_what_says_nothing_is_recorded(void **state)
{
#define FORM "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-%s"
    static const struct {
        const char *flags;
        bool sampled;
    } ROWS[] = {{"00", false}, {"01", true}, {"02", false}, {"03", true}, {"zz", true}, {"0", true}};
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        g_autofree char *text = g_strdup_printf(FORM, ROWS[i].flags);
        assert_int_equal(span_is_sampled(text), ROWS[i].sampled);
    }
    assert_true(span_is_sampled(NULL));
    assert_true(span_is_sampled("nothing"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_share_has_about_so_many_partitions_and_a_larger_one_has_those_too),
        cmocka_unit_test(another_run_has_others),
        cmocka_unit_test(a_caller_that_does_not_record_is_heard_and_what_says_nothing_is_recorded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
