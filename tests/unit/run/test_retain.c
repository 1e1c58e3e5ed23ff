/* When what a run leaves may go. */
#include "kit/kit.h"
#include "run/retain.h"

static void each_has_its_time_and_reports_never_go_before_what_needs_them(void **state)
{
    static const struct {
        struct spec_retain retain;
        int64_t over_ms, undo, quarantine, reports;
    } ROWS[] = {
        {{0, 0, 0}, 1000, 0, 0, 0},                            /* no word: for ever */
        {{7, 30, 90}, 0, 0, 0, 0},                             /* not at its end */
        {{7, 30, 90}, 1000, 1007, 1030, 1090},                 /* each its own */
        {{7, 30, 1}, 1000, 1007, 1030, 1030},                  /* the quarantine needs them */
        {{70, 30, 1}, 1000, 1070, 1030, 1070},                 /* the undo log does */
        {{7, 0, 0}, 1000, 1007, 0, 0},                         /* one alone */
        {{0, 0, 90}, 1000, 0, 0, 0},                           /* needed for ever */
        {{7, 0, 90}, 1000, 1007, 0, 0},                        /* so too */
        {{INT64_MAX, 1, 1}, 1000, INT64_MAX, 1001, INT64_MAX}, /* further than time goes */
    };
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct retain_times times = retain_times(&ROWS[i].retain, ROWS[i].over_ms);
        assert_int_equal(times.at_ms[EXPIRY_UNDO], ROWS[i].undo);
        assert_int_equal(times.at_ms[EXPIRY_QUARANTINE], ROWS[i].quarantine);
        assert_int_equal(times.at_ms[EXPIRY_REPORTS], ROWS[i].reports);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_has_its_time_and_reports_never_go_before_what_needs_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
