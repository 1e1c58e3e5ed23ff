#include "base/hours.h"
#include "kit/kit.h"

/* Moments are given as UTC: what `date -u -d` of coreutils says, which is not this code. */
static int64_t utc(const char *text)
{
    g_autoptr(GTimeZone) zone = g_time_zone_new_utc();
    g_autofree char *seconds = g_strconcat(text, ":00", NULL);
    g_autoptr(GDateTime) time = g_date_time_new_from_iso8601(seconds, zone);
    assert_non_null(time);
    return g_date_time_to_unix(time) * 1000;
}

static char *text_of(int64_t at_ms)
{
    g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc(at_ms / 1000);
    return g_date_time_format(time, "%Y-%m-%dT%H:%M");
}

static struct hours *hours_of(const char *text)
{
    struct hours *hours;
    GError *error = NULL;
    kit_ok(hours_parse(&hours, &text, 1, &error));
    return hours;
}

static void check_span(const char *text, const char *at, const char *from, const char *to)
{
    auto_(hours) hours = hours_of(text);
    struct hours_span span;
    assert_true(hours_span(hours, utc(at), &span));
    g_autofree char *begins = text_of(span.from_ms), *ends = text_of(span.to_ms);
    assert_string_equal(begins, from);
    assert_string_equal(ends, to);
}

static void a_night_belongs_to_the_day_on_which_it_begins(void **state)
{
    static const char night[] = "Mon-Fri 22:00-06:00 Europe/Berlin"; /* 2026-11-20 is a Friday, UTC+1 */
    check_span(night, "2026-11-20T12:00", "2026-11-20T21:00", "2026-11-21T05:00");
    check_span(night, "2026-11-20T21:00", "2026-11-20T21:00", "2026-11-21T05:00"); /* the first moment is in */
    check_span(night, "2026-11-21T04:59", "2026-11-20T21:00", "2026-11-21T05:00"); /* Friday's night, on Saturday */
    check_span(night, "2026-11-21T05:00", "2026-11-23T21:00", "2026-11-24T05:00"); /* the last one is out: Monday */
    check_span("Sun-Mon 23:00-01:00 UTC", "2026-11-21T00:00", "2026-11-22T23:00", "2026-11-23T01:00");
}

static void days_are_lists_and_ranges_or_all(void **state)
{
    check_span("09:00-10:00 UTC", "2026-11-21T09:30", "2026-11-21T09:00", "2026-11-21T10:00");
    check_span("Sat,Mon 09:00-10:00 UTC", "2026-11-21T10:00", "2026-11-23T09:00", "2026-11-23T10:00");
    check_span("Fri-Mon 09:00-10:00 UTC", "2026-11-22T10:00", "2026-11-23T09:00", "2026-11-23T10:00");
    check_span("Wed 18:00-24:00 UTC", "2026-11-21T10:00", "2026-11-25T18:00", "2026-11-26T00:00");
}

/* Three zones, both changes of a year each; Lord Howe's clock moves by half an hour. */
static void clocks_that_are_changed_move_the_windows(void **state)
{
    static const struct {
        const char *hours, *at, *from, *to;
    } rows[] = {
        /* Berlin 2026-03-29 02:00 → 03:00 (01:00 UTC), 2026-10-25 03:00 → 02:00 (01:00 UTC) */
        {"22:00-06:00 Europe/Berlin", "2026-03-28T12:00", "2026-03-28T21:00", "2026-03-29T04:00"},
        {"22:00-06:00 Europe/Berlin", "2026-10-24T12:00", "2026-10-24T20:00", "2026-10-25T05:00"},
        {"02:30-05:00 Europe/Berlin", "2026-03-28T12:00", "2026-03-29T01:00",
         "2026-03-29T03:00"}, /* begins in the gap */
        {"01:00-02:30 Europe/Berlin", "2026-03-28T12:00", "2026-03-29T00:00", "2026-03-29T01:00"}, /* ends in it */
        {"02:10-02:50 Europe/Berlin", "2026-03-28T12:00", "2026-03-30T00:10", "2026-03-30T00:50"}, /* lies in it */
        {"02:30-05:00 Europe/Berlin", "2026-10-24T12:00", "2026-10-25T00:30",
         "2026-10-25T04:00"}, /* 02:30 comes twice */
        {"01:00-02:30 Europe/Berlin", "2026-10-24T12:00", "2026-10-24T23:00", "2026-10-25T00:30"},
        /* New York 2026-03-08 02:00 → 03:00 (07:00 UTC), 2026-11-01 02:00 → 01:00 (06:00 UTC) */
        {"Sat 23:00-04:00 America/New_York", "2026-03-07T12:00", "2026-03-08T04:00", "2026-03-08T08:00"},
        {"Sat 23:00-04:00 America/New_York", "2026-10-31T12:00", "2026-11-01T03:00", "2026-11-01T09:00"},
        {"Sun 01:30-04:00 America/New_York", "2026-10-31T12:00", "2026-11-01T05:30", "2026-11-01T09:00"},
        /* Lord Howe 2026-04-05 02:00 → 01:30 (2026-04-04 15:00 UTC), 2026-10-04 02:00 → 02:30 (2026-10-03 15:30 UTC) */
        {"01:00-03:00 Australia/Lord_Howe", "2026-04-04T12:00", "2026-04-04T14:00", "2026-04-04T16:30"},
        {"01:00-03:00 Australia/Lord_Howe", "2026-10-03T12:00", "2026-10-03T14:30", "2026-10-03T16:00"},
        {"02:10-03:00 Australia/Lord_Howe", "2026-10-03T12:00", "2026-10-03T15:30", "2026-10-03T16:00"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        check_span(rows[i].hours, rows[i].at, rows[i].from, rows[i].to);
}

static void windows_that_touch_are_one(void **state)
{
    static const char *const texts[] = {"Mon 22:00-24:00 UTC", "Tue 00:00-06:00 UTC", "Tue 05:00-07:00 UTC"};
    struct hours_span span;
    struct hours *made;
    GError *error = NULL;
    kit_ok(hours_parse(&made, texts, G_N_ELEMENTS(texts), &error));
    auto_(hours) hours = made;
    assert_true(hours_span(hours, utc("2026-11-21T00:00"), &span));
    assert_int_equal(span.from_ms, utc("2026-11-23T22:00"));
    assert_int_equal(span.to_ms, utc("2026-11-24T07:00"));
    g_autofree char *words = hours_time(hours, span.from_ms);
    assert_string_equal(words, "Mon 2026-11-23 22:00 UTC");
    auto_(hours) always = hours_of("00:00-24:00 UTC");
    assert_true(hours_span(always, utc("2026-11-21T12:00"), &span));
    assert_true(span.from_ms <= utc("2026-11-21T12:00") && span.to_ms > utc("2026-11-27T12:00"));
}

/* What a clock shows that nobody has set; 1970-01-01 was a Thursday. */
static void the_first_night_of_1970_began_the_day_before(void **state)
{
    check_span("Mon-Fri 22:00-06:00 UTC", "1970-01-01T00:00", "1969-12-31T22:00", "1970-01-01T06:00");
    check_span("Sun 00:00-24:00 UTC", "1970-01-01T00:00", "1970-01-04T00:00", "1970-01-05T00:00");
}

static void what_is_no_window_is_refused_by_name(void **state)
{
    static const struct {
        const char *text, *named;
    } rows[] = {
        {"", "expected hours such as"},
        {"22:00-06:00", "expected hours such as"},
        {"Mon-Fri 22:00-06:00", "'22:00-06:00' is no time zone, which stands last"},
        {"Mon 22:00-06:00 Europe/Berlin now", "expected hours such as"},
        {"Mo 22:00-06:00 UTC", "'Mo'"},
        {"mon 22:00-06:00 UTC", "'mon'"},
        {"Mon- 22:00-06:00 UTC", "'Mon-'"},
        {"Mon,,Tue 22:00-06:00 UTC", "''"},
        {"Mon 22-06 UTC", "'22-06'"},
        {"Mon 22:60-23:00 UTC", "'22:60-23:00'"},
        {"Mon 24:00-06:00 UTC", "'24:00-06:00'"},
        {"Mon 22:00-24:01 UTC", "'22:00-24:01'"},
        {"Mon 22:00-22:00 UTC", "a whole day is 00:00-24:00"},
        {"Mon 22:00-06:00 Europe/Berln", "'Europe/Berln' is no time zone"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct hours *hours;
        g_autoptr(GError) error = NULL;
        kit_refused(hours_parse(&hours, &rows[i].text, 1, &error), SPEC, rows[i].named);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_night_belongs_to_the_day_on_which_it_begins),
        cmocka_unit_test(days_are_lists_and_ranges_or_all),
        cmocka_unit_test(clocks_that_are_changed_move_the_windows),
        cmocka_unit_test(windows_that_touch_are_one),
        cmocka_unit_test(the_first_night_of_1970_began_the_day_before),
        cmocka_unit_test(what_is_no_window_is_refused_by_name),
    };
    return cmocka_run_group_tests_name("hours", tests, NULL, NULL);
}
