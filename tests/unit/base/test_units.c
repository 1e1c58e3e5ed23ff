#include "base/units.h"
#include "kit/kit.h"

static void bytes_parse_as_people_write_them(void **state)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } rows[] = {
        {"0", 0},
        {"1024", 1024},
        {"7B", 7},
        {"5MB", 5000000},
        {"1kB", 1000},
        {"20GiB", UINT64_C(20) << 30},
        {"1.5KiB", 1536},
        {"0.5TiB", UINT64_C(1) << 39},
        {"2PiB", UINT64_C(2) << 50},
        {"18446744073709551615", UINT64_MAX},
    };
    GError *error = NULL;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        uint64_t bytes = 7;
        kit_ok(units_parse_bytes(rows[i].text, &bytes, &error));
        assert_true(bytes == rows[i].bytes);
    }
}

static void wrong_amounts_are_refused_with_what_was_expected(void **state)
{
    static const char *const wrong[] = {"",
                                        "GiB",
                                        "20 GiB",
                                        " 20",
                                        "-1",
                                        "20gib",
                                        "20GiBs",
                                        "1.",
                                        ".5",
                                        "1e3",
                                        "0.3B",
                                        "16384PiB",
                                        "18446744073709551616",
                                        "1.00000000000000000000000001"};
    GError *error = NULL;
    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
        uint64_t bytes = 7;
        g_autofree char *expected = g_strdup_printf("'%s': expected an amount such as 20GiB", wrong[i]);
        kit_refused(units_parse_bytes(wrong[i], &bytes, &error), USAGE, expected);
        assert_int_equal(bytes, 7);
    }
}

static void durations_parse_as_people_write_them(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } rows[] = {
        {"500ms", 500},     {"2s", 2000},       {"10m", 600000}, {"6h", 21600000}, {"30d", INT64_C(2592000000)},
        {"2w", 1209600000}, {"1h30m", 5400000}, {"1.5s", 1500},  {"0s", 0},        {"1d2h3m4s5ms", 93784005},
    };
    GError *error = NULL;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        int64_t ms = 7;
        kit_ok(units_parse_duration_ms(rows[i].text, &ms, &error));
        assert_true(ms == rows[i].ms);
    }
}

static void wrong_durations_are_refused(void **state)
{
    static const char *const wrong[] = {"",
                                        "5",
                                        "s",
                                        "5 s",
                                        "-5s",
                                        "5sec",
                                        "30m1h",
                                        "1h1h",
                                        "0.5ms",
                                        "1y",
                                        "9223372036854775808ms",
                                        "99999999999999w",
                                        "20000w"};
    GError *error = NULL;
    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
        int64_t ms = 7;
        kit_refused(units_parse_duration_ms(wrong[i], &ms, &error), USAGE, "expected a duration such as 500ms");
        assert_int_equal(ms, 7);
    }
}

static void shares_and_rates_parse(void **state)
{
    GError *error = NULL;
    double value = 0;
    kit_ok(units_parse_share("1%", &value, &error));
    assert_true(value == 0.01);
    kit_ok(units_parse_share("99.9%", &value, &error));
    assert_true(value == 0.999);
    kit_ok(units_parse_share("300%", &value, &error));
    assert_true(value == 3);
    kit_refused(units_parse_share("0.01", &value, &error), USAGE, "'0.01': expected a share such as 1%");
    kit_refused(units_parse_share("1%%", &value, &error), USAGE, "expected a share");
    kit_ok(units_parse_rate_per_s("20000/s", &value, &error));
    assert_true(value == 20000);
    kit_ok(units_parse_rate_per_s("30/m", &value, &error));
    assert_true(value == 0.5);
    kit_refused(units_parse_rate_per_s("20000", &value, &error), USAGE, "expected a rate such as 20000/s");
}

static void bytes_print_with_two_figures_at_least(void **state)
{
    char text[UNITS_TEXT];
    assert_string_equal(units_bytes(0, text), "0 B");
    assert_string_equal(units_bytes(1023, text), "1023 B");
    assert_string_equal(units_bytes(1024, text), "1.0 KiB");
    assert_string_equal(units_bytes(UINT64_C(1503238554), text), "1.4 GiB");
    assert_string_equal(units_bytes(UINT64_C(20) << 30, text), "20 GiB");
    assert_string_equal(units_bytes((1 << 20) - 1, text), "1.0 MiB"); /* not 1024 KiB */
    assert_string_equal(units_bytes(10 * 1024 - 1, text), "10 KiB");  /* not 10.0 KiB */
    assert_string_equal(units_bytes(UINT64_MAX, text), "16 EiB");
}

static void counts_print_in_groups_of_three(void **state)
{
    char text[UNITS_TEXT];
    assert_string_equal(units_count(0, text), "0");
    assert_string_equal(units_count(999, text), "999");
    assert_string_equal(units_count(1000, text), "1 000");
    assert_string_equal(units_count(1234567, text), "1 234 567");
    assert_string_equal(units_count(UINT64_MAX, text), "18 446 744 073 709 551 615");
    assert_string_equal(units_rate(1.0 / 60, text), "0.017/s");
    assert_string_equal(units_rate(0.5, text), "0.5/s");
    assert_string_equal(units_rate(9.949, text), "9.9/s");
    assert_string_equal(units_rate(9.95, text), "10/s");
    assert_string_equal(units_rate(1499.6, text), "1 500/s");
    assert_string_equal(units_rate(1e300, text), "1 000 000 000 000 000 000/s");
}

static void durations_print_their_two_largest_units(void **state)
{
    char text[UNITS_TEXT];
    assert_string_equal(units_duration(0, text), "0ms");
    assert_string_equal(units_duration(350, text), "350ms");
    assert_string_equal(units_duration(41999, text), "41s");
    assert_string_equal(units_duration(60000, text), "1m 00s");
    assert_string_equal(units_duration(7380000, text), "2h 03m");
    assert_string_equal(units_duration(INT64_C(273600000), text), "3d 04h");
    assert_string_equal(units_duration(-1500, text), "-1s");
    assert_string_equal(units_duration(INT64_MIN, text), "-106751991167d 07h");
}

static void times_print_in_utc_with_milliseconds(void **state)
{
    char text[UNITS_TEXT];
    assert_string_equal(units_time(INT64_C(1783684800000), text), "2026-07-10T12:00:00.000Z");
    assert_string_equal(units_time(0, text), "1970-01-01T00:00:00.000Z");
    assert_string_equal(units_time(-1, text), "1969-12-31T23:59:59.999Z");
    assert_string_equal(units_time(INT64_C(253402300799999), text), "9999-12-31T23:59:59.999Z");
    assert_string_equal(units_time(INT64_MAX, text), "9223372036854775807ms");
    assert_string_equal(units_time(INT64_MIN, text), "-9223372036854775808ms");
}

static void plain_numbers_have_no_exponent_and_are_read_again(void **state)
{
    static const struct {
        double value;
        const char *text;
    } ROWS[] = {{0, "0"},
                {10, "10"},
                {0.1, "0.1"},
                {99.9, "99.9"},
                {1e6, "1000000"},
                {1234567, "1234567"},
                {5.0 / 86400, "0.0000578704"},
                {1e-7, "0.0000001"}};
    char text[UNITS_TEXT];
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++)
        assert_string_equal(units_plain(ROWS[i].value, text), ROWS[i].text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_parse_as_people_write_them),
        cmocka_unit_test(wrong_amounts_are_refused_with_what_was_expected),
        cmocka_unit_test(durations_parse_as_people_write_them),
        cmocka_unit_test(wrong_durations_are_refused),
        cmocka_unit_test(shares_and_rates_parse),
        cmocka_unit_test(bytes_print_with_two_figures_at_least),
        cmocka_unit_test(counts_print_in_groups_of_three),
        cmocka_unit_test(durations_print_their_two_largest_units),
        cmocka_unit_test(times_print_in_utc_with_milliseconds),
        cmocka_unit_test(plain_numbers_have_no_exponent_and_are_read_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
