#include "kit/fake_world.h"
#include "kit/kit.h"
#include "record/datetime.h"

static int64_t parsed(const char *text, enum datetime_zone rule, const char *zone)
{
    GError *error = NULL;
    int64_t us = 0;
    kit_ok(datetime_parse_us(slice_of_text(text), rule, zone, &us, &error));
    return us;
}

static void a_point_in_time_is_read_to_the_microsecond(void **state)
{
    static const struct {
        const char *text;
        int64_t us;
    } rows[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01t00:00:00.000001z", 1},
        {"1969-12-31 23:59:59.999999Z", -1},
        {"2026-07-10T12:00:00.5Z", 1783684800500000},
        {"2026-07-10T14:00:00.123456+02:00", 1783684800123456},
        {"2026-07-10T12:00:00.123456000000Z", 1783684800123456}, /* zeros lose nothing */
        {"2026-07-09T22:30:00-13:30", 1783684800000000},
        {"2026-07-10T12:00:00-00:00", 1783684800000000},
        {"2000-02-29T00:00:00Z", 951782400000000},
        {"2024-02-29T23:59:59Z", 1709251199000000},
        {"0001-01-01T00:00:00Z", -62135596800000000},
        {"9999-12-31T23:59:59.999999Z", 253402300799999999},
        {"1900-03-01T00:00:00Z", -2203891200000000},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        assert_int_equal(parsed(rows[i].text, DATETIME_ZONE_REQUIRED, NULL), rows[i].us);
}

static void what_is_no_point_in_time_is_refused_with_its_reason(void **state)
{
    static const struct {
        const char *text, *part;
    } rows[] = {
        {"", "expected a year of four digits"},
        {"yesterday", "'yesterday' is not a point in time: expected a year of four digits"},
        {"26-07-10T12:00:00Z", "expected a year of four digits"},
        {"2026/07/10", "expected '-' after the year"},
        {"2026-7-10T12:00:00Z", "expected a month of two digits"},
        {"2026-07", "expected '-' after the month"},
        {"2026-07-1", "expected a day of two digits"},
        {"2026-13-01T00:00:00Z", "no such month"},
        {"2026-00-01T00:00:00Z", "no such month"},
        {"2026-04-31T00:00:00Z", "no such day"},
        {"2026-04-00T00:00:00Z", "no such day"},
        {"2026-02-29T00:00:00Z", "no such day"},
        {"1900-02-29T00:00:00Z", "no such day"},
        {"2100-02-29T00:00:00Z", "no such day"},
        {"0000-01-01T00:00:00Z", "no year 0000"},
        {"2026-07-10x12:00:00Z", "expected 'T'"},
        {"2026-07-10T1:00:00Z", "expected an hour of two digits"},
        {"2026-07-10T", "expected an hour"},
        {"2026-07-10T12", "expected ':' after the hour"},
        {"2026-07-10T12:00Z", "expected ':' and seconds after the minute"},
        {"2026-07-10T24:00:00Z", "no such hour"},
        {"2026-07-10T12:60:00Z", "no such minute"},
        {"2026-07-10T12:00:61Z", "no such second"},
        {"2016-12-31T23:59:60Z", "leap seconds have no place"},
        {"2026-07-10T12:00:00.Z", "expected a digit after the point"},
        {"2026-07-10T12:00:00.1234567Z", "finer than a microsecond"},
        {"2026-07-10T12:00:00,5Z", "expected Z, an offset"},
        {"2026-07-10T12:00:00+0200", "expected an offset such as +02:00"},
        {"2026-07-10T12:00:00+2:00", "expected an offset"},
        {"2026-07-10T12:00:00+24:00", "no such offset"},
        {"2026-07-10T12:00:00+02:60", "no such offset"},
        {"2026-07-10T12:00:00Zx", "expected nothing behind the zone"},
        {"2026-07-10T12:00:00Z ", "expected nothing behind the zone"},
        {" 2026-07-10T12:00:00Z", "expected a year"},
        {"2026-07-10T12:00:00 Europe/Berlin", "expected Z, an offset"},
        {"2026-07-10T12:00:00", "expected Z or an offset such as +02:00 at the end"},
        {"2026-07-10", "expected Z or an offset such as +02:00 at the end"},
        {"0001-01-01T00:00:00+00:01", "outside of the years 0001 to 9999"},
        {"9999-12-31T23:59:00-00:01", "outside of the years 0001 to 9999"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        GError *error = NULL;
        size_t len = strlen(rows[i].text);
        /* from a buffer that ends with the text, so that the sanitizer sees a read beyond it */
        g_autofree uint8_t *text = g_memdup2(rows[i].text, len);
        int64_t us = 42;
        kit_refused(datetime_parse_us(slice_of(text, len), DATETIME_ZONE_REQUIRED, NULL, &us, &error), BAD_RECORD,
                    rows[i].part);
        assert_int_equal(us, 42);
    }
}

static void a_nul_is_no_part_of_a_time(void **state)
{
    GError *error = NULL;
    int64_t us;
    kit_refused(datetime_parse_us(slice_of("2026-07-10\0", 11), DATETIME_ZONE_UTC, NULL, &us, &error), BAD_RECORD,
                "'T'");
    kit_refused(datetime_parse_us(slice_of("2026-07-10T12:00:00\0", 20), DATETIME_ZONE_UTC, NULL, &us, &error),
                BAD_RECORD, "expected Z");
}

static void a_text_without_a_zone_is_taken_by_the_rule(void **state)
{
    assert_int_equal(parsed("2026-07-10T12:00:00", DATETIME_ZONE_UTC, NULL), 1783684800000000);
    assert_int_equal(parsed("2026-07-10", DATETIME_ZONE_UTC, NULL), 1783641600000000);
    assert_int_equal(parsed("2026-07-10T14:00:00", DATETIME_ZONE_NAMED, "Europe/Berlin"), 1783684800000000);
    assert_int_equal(parsed("2026-07-10", DATETIME_ZONE_NAMED, "Europe/Berlin"), 1783634400000000);
    assert_int_equal(parsed("2026-12-10T13:00:00.5", DATETIME_ZONE_NAMED, "Europe/Berlin"), 1796904000500000);
    assert_int_equal(parsed("2026-07-10T17:45:00", DATETIME_ZONE_NAMED, "Asia/Kathmandu"), 1783684800000000);
    /* one that says its zone is not asked for it */
    assert_int_equal(parsed("2026-07-10T12:00:00Z", DATETIME_ZONE_NAMED, "Europe/Berlin"), 1783684800000000);
    assert_int_equal(parsed("2026-07-10T12:00:00Z", DATETIME_ZONE_UTC, NULL), 1783684800000000);
}

static void clocks_that_change_leave_no_doubt(void **state)
{
    static const struct {
        const char *text, *zone, *part;
    } rows[] = {
        {"2026-03-29T02:30:00", "Europe/Berlin",
         "'2026-03-29T02:30:00' was left out, when the clocks went forward, in Europe/Berlin: it may mean "
         "2026-03-29T01:30:00.000Z (CET) or 2026-03-29T00:30:00.000Z (CEST); write it with an offset"},
        {"2026-10-25T02:30:00", "Europe/Berlin",
         "came twice, when the clocks went back, in Europe/Berlin: it may mean 2026-10-25T00:30:00.000Z (CEST) or "
         "2026-10-25T01:30:00.000Z (CET)"},
        {"2026-03-29T02:00:00", "Europe/Berlin", "was left out"},
        {"2026-03-29T02:59:59.999999", "Europe/Berlin", "was left out"},
        {"2026-10-25T02:00:00", "Europe/Berlin", "came twice"},
        {"2026-10-25T02:59:59.999999", "Europe/Berlin", "came twice"},
        {"2045-03-26T02:30:00", "Europe/Berlin", "was left out"},       /* by the rule, after the table has ended */
        {"2026-10-04T02:15:00", "Australia/Lord_Howe", "was left out"}, /* half an hour */
        {"2011-12-30", "Pacific/Apia", "was left out"},                 /* a whole day */
        {"2026-07-10T12:00:00", "Europe/Berlim", "there is no time zone 'Europe/Berlim'"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        GError *error = NULL;
        int64_t us;
        kit_refused(datetime_parse_us(slice_of_text(rows[i].text), DATETIME_ZONE_NAMED, rows[i].zone, &us, &error),
                    BAD_RECORD, rows[i].part);
    }
    assert_int_equal(parsed("2026-03-29T01:59:59.999999", DATETIME_ZONE_NAMED, "Europe/Berlin") + 1,
                     parsed("2026-03-29T03:00:00", DATETIME_ZONE_NAMED, "Europe/Berlin"));
    assert_int_equal(parsed("2026-10-25T03:00:00", DATETIME_ZONE_NAMED, "Europe/Berlin") -
                         parsed("2026-10-25T01:59:59", DATETIME_ZONE_NAMED, "Europe/Berlin"),
                     INT64_C(7201000000));
}

static void every_hour_of_two_years_is_read_as_glib_reads_it(void **state)
{
    static const char *const zones[] = {"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca",
                                        "Asia/Tehran"};
    size_t read = 0, refused = 0;
    for (size_t z = 0; z < G_N_ELEMENTS(zones); z++) {
        g_autoptr(GTimeZone) zone = g_time_zone_new_identifier(zones[z]);
        for (int64_t s = 1735689600; s < 1735689600 + 730 * 86400; s += 1800) {
            g_autoptr(GDateTime) utc = g_date_time_new_from_unix_utc(s);
            g_autoptr(GDateTime) local = g_date_time_to_timezone(utc, zone);
            g_autofree char *text = g_date_time_format(local, "%Y-%m-%dT%H:%M:%S");
            GError *error = NULL;
            int64_t us;
            if (!datetime_parse_us(slice_of_text(text), DATETIME_ZONE_NAMED, zones[z], &us, &error)) {
                assert_non_null(strstr(error->message, "came twice")); /* a time that clocks showed was not left out */
                g_clear_error(&error);
                refused++;
                continue;
            }
            read++;
            assert_int_equal(us, s * 1000000);
        }
    }
    assert_true(read > 100000);
    assert_true(refused >= 4 * 2 * 2 && refused <= 100);
}

static void text_is_rfc_3339_in_utc(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } rows[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {1783684800007, "2026-07-10T12:00:00.007Z"},
        {951782400000, "2000-02-29T00:00:00.000Z"},
        {-62135596800000, "0001-01-01T00:00:00.000Z"},
        {253402300799999, "9999-12-31T23:59:59.999Z"},
        {253402300800000, "+000010000-01-01T00:00:00.000Z"},
        {INT64_MAX, "+292278994-08-17T07:12:55.807Z"},
        {INT64_MIN, "-292275055-05-16T16:47:04.192Z"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        char text[DATETIME_TEXT];
        assert_string_equal(datetime_text(rows[i].ms, text), rows[i].text);
        assert_true(strlen(text) < DATETIME_TEXT);
    }
}

static void text_reads_back_and_is_what_glib_writes(void **state)
{
    uint64_t seed = 5;
    for (size_t i = 0; i < 50000; i++) {
        int64_t ms = -62135596800000 + (int64_t)(fake_next(&seed) % 315537897600000);
        char text[DATETIME_TEXT];
        assert_int_equal(parsed(datetime_text(ms, text), DATETIME_ZONE_REQUIRED, NULL), ms * 1000);
        int64_t s = ms / 1000 - (ms % 1000 < 0);
        g_autoptr(GDateTime) date = g_date_time_new_from_unix_utc(s);
        g_autofree char *oracle = g_date_time_format(date, "T%H:%M:%S.");
        g_autofree char *day = g_strdup_printf("%04d-%02d-%02d", g_date_time_get_year(date),
                                               g_date_time_get_month(date), g_date_time_get_day_of_month(date));
        assert_memory_equal(text, day, 10);
        assert_memory_equal(text + 10, oracle, 10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_point_in_time_is_read_to_the_microsecond),
        cmocka_unit_test(what_is_no_point_in_time_is_refused_with_its_reason),
        cmocka_unit_test(a_nul_is_no_part_of_a_time),
        cmocka_unit_test(a_text_without_a_zone_is_taken_by_the_rule),
        cmocka_unit_test(clocks_that_change_leave_no_doubt),
        cmocka_unit_test(every_hour_of_two_years_is_read_as_glib_reads_it),
        cmocka_unit_test(text_is_rfc_3339_in_utc),
        cmocka_unit_test(text_reads_back_and_is_what_glib_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
