/* What is out of line in time, against series of which that is known. */
#include <math.h>

#include "kit/kit.h"
#include "profile/buckets.h"

#define HOUR_US INT64_C(3600000000)
#define START   (INT64_C(1783641600) * 1000000) /* 2026-07-10T00:00Z */

static void put(struct buckets *buckets, int hour, int records, const char *value)
{
    bson_decimal128_t number;
    assert_true(decimal_parse(slice_of_text(value), &number, NULL));
    for (int i = 0; i < records; i++)
        assert_true(buckets_add(buckets, START + hour * HOUR_US + i, &number));
}

/* Some noise that is the same every time: within ±10. */
static int about(int level, int hour)
{
    return level ? level + hour * 7919 % 21 - 10 : 0;
}

typedef int level_at(int hour);

static GArray *flags_of(level_at *level, int hours)
{
    struct buckets *buckets = buckets_new(HOUR_US);
    for (int hour = 0; hour < hours; hour++)
        put(buckets, hour, about(level(hour), hour), "1.5");
    GArray *flags = buckets_judge(buckets);
    buckets_free(buckets);
    return flags;
}

static void show(const GArray *flags)
{
    for (guint i = 0; i < flags->len; i++) {
        const struct bucket_flag *flag = &g_array_index(flags, struct bucket_flag, i);
        print_message("%s of %d from hour %d to %d: %g, and %g was expected\n", flag->spike ? "spike" : "trough",
                      flag->of, (int)((flag->from_us - START) / HOUR_US), (int)((flag->to_us - START) / HOUR_US),
                      flag->found, flag->expected);
    }
}

static void expect_one(GArray *flags, bool spike, int from, int to)
{
    show(flags);
    assert_int_equal(flags->len, 1);
    const struct bucket_flag *flag = &g_array_index(flags, struct bucket_flag, 0);
    assert_int_equal(flag->of, BUCKET_COUNT);
    assert_true(flag->spike == spike);
    assert_int_equal((flag->from_us - START) / HOUR_US, from);
    assert_int_equal((flag->to_us - START) / HOUR_US, to);
    g_array_unref(flags);
}

static void expect_none(GArray *flags)
{
    show(flags);
    assert_int_equal(flags->len, 0);
    g_array_unref(flags);
}

static int even(int hour)
{
    return 100;
}

static int daily(int hour)
{
    return hour % 24 < 7 ? 0 : hour % 24 < 19 ? 200 : 60;
}

static int gap_of_three(int hour)
{
    return hour >= 20 && hour < 23 ? 0 : even(hour);
}

static int half_loaded(int hour)
{
    return hour == 20 || hour == 21 ? 30 : even(hour);
}

static int doubled(int hour)
{
    return hour == 20 ? 250 : even(hour);
}

static void a_gap_a_part_and_a_double_load_are_found_by_their_neighbours(void **state)
{
    expect_none(flags_of(even, 48));
    expect_one(flags_of(gap_of_three, 48), false, 20, 23);
    expect_one(flags_of(half_loaded, 48), false, 20, 22);
    expect_one(flags_of(doubled, 48), true, 20, 21);
}

/* Four weeks of days: the second Tuesday and Wednesday are there in part, which no neighbour tells of. */
static int two_days_in_part(int hour)
{
    return hour >= 8 * 24 && hour < 10 * 24 ? daily(hour) / 4 : daily(hour);
}

static void what_comes_every_week_is_in_line_and_a_long_stretch_is_held_against_the_weeks_around(void **state)
{
    expect_none(flags_of(daily, 28 * 24));
    GArray *flags = flags_of(two_days_in_part, 28 * 24);
    show(flags);
    double found = 0, expected = 0;
    for (guint i = 0; i < flags->len; i++) {
        const struct bucket_flag *flag = &g_array_index(flags, struct bucket_flag, i);
        assert_false(flag->spike);
        assert_true(flag->from_us >= START + 8 * 24 * HOUR_US && flag->to_us <= START + 10 * 24 * HOUR_US);
        found += flag->found;
        expected += flag->expected;
    }
    g_array_unref(flags);
    assert_true(expected > 0.9 * 2 * (12 * 200 + 5 * 60) && found < expected / 3);
}

/* Of the weeks around one alone is odd: the others are not held to be. */
static int odd_week(int hour)
{
    return hour == 7 * 24 + 12 ? 900 : daily(hour);
}

static void one_odd_hour_does_not_make_the_same_hour_of_other_weeks_odd(void **state)
{
    expect_one(flags_of(odd_week, 14 * 24), true, 7 * 24 + 12, 7 * 24 + 13);
    expect_one(flags_of(odd_week, 28 * 24), true, 7 * 24 + 12, 7 * 24 + 13);
}

static int few(int hour)
{
    return hour % 5 == 0 ? 9 : 0; /* up to 19 records */
}

static int edges(int hour)
{
    return hour == 0 || hour == 47 ? 20 : even(hour);
}

static void few_records_and_the_outermost_buckets_are_no_reason(void **state)
{
    expect_none(flags_of(few, 48));
    expect_none(flags_of(edges, 48));
    expect_none(flags_of(gap_of_three, 4));
}

static void a_sum_is_flagged_where_its_count_is_in_line(void **state)
{
    struct buckets *buckets = buckets_new(HOUR_US);
    for (int hour = 0; hour < 48; hour++)
        put(buckets, hour, about(100, hour), hour == 20 ? "150" : "1.5");
    GArray *flags = buckets_judge(buckets);
    assert_int_equal(flags->len, 1);
    const struct bucket_flag *flag = &g_array_index(flags, struct bucket_flag, 0);
    assert_int_equal(flag->of, BUCKET_SUM);
    assert_true(flag->spike && fabs(flag->found - about(100, 20) * 150.0) < 1e-6);
    g_array_unref(flags);
    buckets_free(buckets);
}

static void more_buckets_than_there_is_room_for_are_a_fault_and_times_before_1970_are_in_order(void **state)
{
    struct buckets *buckets = buckets_new(HOUR_US);
    assert_true(buckets_add(buckets, -1, NULL));
    assert_true(buckets_add(buckets, -HOUR_US, NULL));
    assert_int_equal(buckets_count(buckets), 1);
    assert_true(buckets_add(buckets, 0, NULL));
    assert_int_equal(buckets_count(buckets), 2);
    for (int64_t i = 1; i < BUCKETS_MOST - 1; i++)
        assert_true(buckets_add(buckets, i * HOUR_US, NULL));
    assert_null(buckets_fault(buckets));
    assert_false(buckets_add(buckets, BUCKETS_MOST * HOUR_US, NULL));
    assert_non_null(buckets_fault(buckets));
    assert_int_equal(buckets_count(buckets), BUCKETS_MOST);
    buckets_free(buckets);
    buckets = buckets_new(INT64_MAX / 1000 * 1000);
    assert_true(buckets_add(buckets, INT64_MIN, NULL) && buckets_add(buckets, INT64_MAX, NULL));
    GArray *flags = buckets_judge(buckets);
    assert_int_equal(flags->len, 0);
    g_array_unref(flags);
    buckets_free(buckets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_gap_a_part_and_a_double_load_are_found_by_their_neighbours),
        cmocka_unit_test(what_comes_every_week_is_in_line_and_a_long_stretch_is_held_against_the_weeks_around),
        cmocka_unit_test(one_odd_hour_does_not_make_the_same_hour_of_other_weeks_odd),
        cmocka_unit_test(few_records_and_the_outermost_buckets_are_no_reason),
        cmocka_unit_test(a_sum_is_flagged_where_its_count_is_in_line),
        cmocka_unit_test(more_buckets_than_there_is_room_for_are_a_fault_and_times_before_1970_are_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
