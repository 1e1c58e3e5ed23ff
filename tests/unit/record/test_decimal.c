#include <math.h>

#include "kit/fake_world.h"
#include "kit/kit.h"
#include "record/decimal.h"

/* libbson has a parser and a printer of its own: the oracle. */
static bson_decimal128_t decimal(const char *text)
{
    bson_decimal128_t value;
    assert_true(bson_decimal128_from_string(text, &value));
    return value;
}

static void equal_bits(bson_decimal128_t a, bson_decimal128_t b)
{
    assert_int_equal(a.high, b.high);
    assert_int_equal(a.low, b.low);
}

static void text_is_read_and_written_with_its_scale(void **state)
{
    static const struct {
        const char *from, *to;
    } rows[] = {
        {"0", "0"},
        {"-0", "-0"},
        {"0.00", "0.00"},
        {"-0.0", "-0.0"},
        {"0.10", "0.10"},
        {"10", "10"},
        {"1.0e1", "10"},
        {"1e3", "1E+3"},
        {"12e3", "1.2E+4"},
        {"0e3", "0E+3"},
        {"-123.456", "-123.456"},
        {"1e-34", "0.0000000000000000000000000000000001"},
        {"1e-35", "1E-35"},
        {"123e-36", "1.23E-34"},
        {"1.234567890123456789012345678901234", "1.234567890123456789012345678901234"},
        {"0.1234567890123456789012345678901234", "0.1234567890123456789012345678901234"},
        {"9999999999999999999999999999999999", "9999999999999999999999999999999999"},
        {"18446744073709551615", "18446744073709551615"},
        {"18446744073709551616", "18446744073709551616"},
        {"10000000000000000000000000000000000e-1", NULL}, /* 35 digits */
        {"1e6111", "1E+6111"},
        {"9999999999999999999999999999999999e6111", "9.999999999999999999999999999999999E+6144"},
        {"-9999999999999999999999999999999999e-6176", "-9.999999999999999999999999999999999E-6143"},
        {"0e-6176", "0E-6176"},
        {"1e6112", NULL},
        {"1e-6177", NULL},
        {"", NULL},
        {"-", NULL},
        {"+1", NULL},
        {"01", NULL},
        {"1.", NULL},
        {".1", NULL},
        {"1 ", NULL},
        {" 1", NULL},
        {"1x", NULL},
        {"NaN", NULL},
        {"Infinity", NULL},
        {"0x10", NULL},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        GError *error = NULL;
        bson_decimal128_t value;
        char text[DECIMAL_TEXT];
        if (!rows[i].to) {
            kit_refused(decimal_parse(slice_of_text(rows[i].from), &value, &error), BAD_RECORD, "is not a decimal");
            continue;
        }
        kit_ok(decimal_parse(slice_of_text(rows[i].from), &value, &error));
        equal_bits(value, decimal(rows[i].from));
        assert_string_equal(decimal_text(&value, text), rows[i].to);
        kit_ok(decimal_parse(slice_of_text(text), &value, &error));
        equal_bits(value, decimal(rows[i].from));
    }
}

/* Digits and exponents of all sizes. */
static char *any_number(uint64_t *seed)
{
    GString *text = g_string_new(fake_next(seed) % 2 ? "-" : "");
    size_t digits = fake_next(seed) % 34 + 1, point = fake_next(seed) % (digits + 4);
    for (size_t i = 0; i < digits; i++) {
        if (i > 0 && i == point)
            g_string_append_c(text, '.');
        g_string_append_c(text, i == 0 && digits > 1 && point != 1 ? '7' : (char)('0' + fake_next(seed) % 10));
    }
    static const int spans[] = {10, 80, 6100};
    int span = spans[fake_next(seed) % 3];
    if (fake_next(seed) % 2)
        g_string_append_printf(text, "e%d", (int)(fake_next(seed) % (unsigned)(2 * span)) - span);
    return g_string_free(text, FALSE);
}

static void any_number_is_read_as_libbson_reads_it_and_written_to_the_same_bits(void **state)
{
    uint64_t seed = 1;
    for (size_t i = 0; i < 100000; i++) {
        GError *error = NULL;
        g_autofree char *from = any_number(&seed);
        bson_decimal128_t value, again;
        char text[DECIMAL_TEXT];
        kit_ok(decimal_parse(slice_of_text(from), &value, &error));
        equal_bits(value, decimal(from));
        decimal_text(&value, text);
        equal_bits(value, decimal(text));
        kit_ok(decimal_parse(slice_of_text(text), &again, &error));
        equal_bits(value, again);
    }
}

static void forms_that_only_bson_has_are_told(void **state)
{
    static const struct {
        uint64_t high, low;
        const char *text;
        bool finite;
    } rows[] = {
        {UINT64_C(0x7c) << 56, 0, "NaN", false},
        {UINT64_C(0xfe) << 56, 99, "NaN", false},
        {UINT64_C(0x78) << 56, 0, "Infinity", false},
        {UINT64_C(0xf8) << 56, 0, "-Infinity", false},
        /* coefficients above 10^34 - 1 count as zero: IEEE 754-2008, 3.5.2 */
        {UINT64_C(0x3041ffffffffffff), UINT64_MAX, "0", true},
        {UINT64_C(0x3041ed09bead87c0), UINT64_C(0x378d8e6400000000), "0", true},
        {UINT64_C(0x3041ed09bead87c0), UINT64_C(0x378d8e63ffffffff), "9999999999999999999999999999999999", true},
        {UINT64_C(0x6c10000000000000), 5, "0", true}, /* the second form, exponent 0 */
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        bson_decimal128_t value;
        char text[DECIMAL_TEXT];
        value.high = rows[i].high;
        value.low = rows[i].low;
        assert_string_equal(decimal_text(&value, text), rows[i].text);
        assert_int_equal(decimal_is_finite(&value), rows[i].finite);
    }
}

static void any_bits_have_a_text_that_fits(void **state)
{
    uint64_t seed = 2;
    for (size_t i = 0; i < 100000; i++) {
        char text[DECIMAL_TEXT + 1] = {0};
        bson_decimal128_t value, normal;
        int64_t whole;
        text[DECIMAL_TEXT] = 'x';
        value.high = fake_next(&seed);
        value.low = fake_next(&seed);
        assert_true(strlen(decimal_text(&value, text)) < DECIMAL_TEXT - 1);
        assert_int_equal(text[DECIMAL_TEXT], 'x');
        decimal_normal(&value, &normal);
        assert_int_equal(decimal_compare(&value, &normal), 0);
        decimal_to_i64(&value, &whole);
    }
}

static void integers_come_and_go(void **state)
{
    static const int64_t values[] = {0, 1, -1, 10, INT64_MAX, INT64_MIN, 1000000000000000000};
    for (size_t i = 0; i < G_N_ELEMENTS(values); i++) {
        bson_decimal128_t value;
        int64_t back = 42;
        char text[DECIMAL_TEXT];
        g_autofree char *wanted = g_strdup_printf("%" G_GINT64_FORMAT, values[i]);
        decimal_from_i64(values[i], &value);
        assert_string_equal(decimal_text(&value, text), wanted);
        assert_true(decimal_to_i64(&value, &back));
        assert_int_equal(back, values[i]);
    }
}

static void only_integers_that_fit_become_integers(void **state)
{
    static const struct {
        const char *text;
        bool whole;
        int64_t value;
    } rows[] = {
        {"10.00", true, 10},
        {"-0", true, 0},
        {"0E+6111", true, 0},
        {"0E-6176", true, 0},
        {"1E+18", true, 1000000000000000000},
        {"-9.223372036854775808E+18", true, INT64_MIN},
        {"-9223372036854775808.000", true, INT64_MIN},
        {"9223372036854775807.0000", true, INT64_MAX},
        {"1000000000000000000000000000000000E-33", true, 1},
        {"12000000000000000000000000000000E-30", true, 12},
        {"9223372036854775808", false, 0},
        {"-9223372036854775809", false, 0},
        {"1E+19", false, 0},
        {"1E+33", false, 0},
        {"1E+34", false, 0},
        {"1E+6111", false, 0},
        {"18446744073709551617", false, 0},
        {"340282366920938463463374607431768", false, 0},
        {"0.1", false, 0},
        {"10.01", false, 0},
        {"1E-34", false, 0},
        {"1E-35", false, 0},
        {"1000000000000000000000000000000001E-33", false, 0},
        {"NaN", false, 0},
        {"Infinity", false, 0},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        bson_decimal128_t value = decimal(rows[i].text);
        int64_t whole = 42;
        assert_int_equal(decimal_to_i64(&value, &whole), rows[i].whole);
        assert_int_equal(whole, rows[i].whole ? rows[i].value : 42);
    }
}

static void values_are_ordered_whatever_their_scale(void **state)
{
    static const char *const rising[] = {"NaN",  "-Infinity", "-1E+6000", "-10",  "-9.99", "-1E-6000", "0",
                                         "1E-9", "0.1",       "0.10001",  "1E+3", "1001",  "1E+6111",  "Infinity"};
    static const char *const equal[][2] = {
        {"0", "-0.00"}, {"0.10", "0.1"}, {"1E+3", "1000.0"}, {"NaN", "NaN"}, {"Infinity", "Infinity"}};
    for (size_t i = 0; i < G_N_ELEMENTS(rising); i++)
        for (size_t j = 0; j < G_N_ELEMENTS(rising); j++) {
            bson_decimal128_t a = decimal(rising[i]), b = decimal(rising[j]);
            int order = decimal_compare(&a, &b);
            assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
        }
    for (size_t i = 0; i < G_N_ELEMENTS(equal); i++) {
        bson_decimal128_t a = decimal(equal[i][0]), b = decimal(equal[i][1]);
        assert_int_equal(decimal_compare(&a, &b), 0);
    }
}

static void sums_and_products_are_exact_or_refused(void **state)
{
    static const struct {
        enum decimal_op op;
        const char *a, *b, *result, *refused;
    } rows[] = {
        {DECIMAL_ADD, "0.10", "0.20", "0.30", NULL},
        {DECIMAL_ADD, "1", "0.00", "1.00", NULL},
        {DECIMAL_ADD, "9999999999999999999999999999999999", "1", "1.000000000000000000000000000000000E+34", NULL},
        {DECIMAL_ADD, "9999999999999999999999999999999999", "2", NULL, "needs more than 34 digits"},
        {DECIMAL_ADD, "1E+40", "1", NULL, "1E+40 + 1: the exact result needs more than 34 digits"},
        {DECIMAL_ADD, "9.999999999999999999999999999999999E+6144", "9.999999999999999999999999999999999E+6144", NULL,
         "out of the range"},
        {DECIMAL_SUBTRACT, "0.30", "0.1", "0.20", NULL},
        {DECIMAL_SUBTRACT, "1", "1", "0", NULL},
        {DECIMAL_SUBTRACT, "1", "1E-34", "0.9999999999999999999999999999999999", NULL},
        {DECIMAL_SUBTRACT, "1", "1E-35", NULL, "1 - 1E-35: the exact"},
        {DECIMAL_MULTIPLY, "1.19", "100.00", "119.0000", NULL},
        {DECIMAL_MULTIPLY, "-0.5", "0", "-0.0", NULL},
        {DECIMAL_MULTIPLY, "12345678901234567890", "12345678901234567890", NULL, "needs more than 34 digits"},
        {DECIMAL_MULTIPLY, "1E+4000", "1E+4000", NULL, "out of the range"},
        {DECIMAL_MULTIPLY, "1E-4000", "1E-4000", NULL, "out of the range"},
        {DECIMAL_DIVIDE, "1", "4", "0.25", NULL},
        {DECIMAL_DIVIDE, "6.0", "2", "3.0", NULL},
        {DECIMAL_DIVIDE, "1", "3", "0.3333333333333333333333333333333333", NULL},
        {DECIMAL_DIVIDE, "2", "3", "0.6666666666666666666666666666666667", NULL},
        {DECIMAL_DIVIDE, "1", "0", NULL, "1 / 0: the divisor is zero"},
        {DECIMAL_DIVIDE, "0", "0", NULL, "the divisor is zero"},
        {DECIMAL_DIVIDE, "1E+4000", "1E-4000", NULL, "out of the range"},
        {DECIMAL_DIVIDE, "1E-4000", "3E+4000", NULL, "out of the range"},
        {DECIMAL_ADD, "NaN", "1", NULL, "only finite numbers"},
        {DECIMAL_DIVIDE, "1", "Infinity", NULL, "1 / Infinity: only finite numbers"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        GError *error = NULL;
        char text[DECIMAL_TEXT];
        bson_decimal128_t a = decimal(rows[i].a), b = decimal(rows[i].b), result;
        if (rows[i].refused) {
            kit_refused(decimal_compute(rows[i].op, &a, &b, &result, &error), BAD_RECORD, rows[i].refused);
            continue;
        }
        kit_ok(decimal_compute(rows[i].op, &a, &b, &result, &error));
        assert_string_equal(decimal_text(&result, text), rows[i].result);
    }
}

static void a_double_is_taken_by_its_shortest_text(void **state)
{
    static const struct {
        double value;
        const char *text;
    } rows[] = {{1.19, "1.19"},  {5.0, "5"},     {-0.0, "-0"},    {0.1 + 0.2, "0.30000000000000004"},
                {1e22, "1E+22"}, {1e-7, "1E-7"}, {1e15, "1E+15"}, {2.0 / 3, "0.6666666666666666"}};
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        char text[DECIMAL_TEXT];
        bson_decimal128_t decimal;
        assert_true(decimal_from_double(rows[i].value, &decimal));
        bson_decimal128_t wanted;
        assert_true(decimal_parse(slice_of_text(rows[i].text), &wanted, NULL));
        assert_string_equal(decimal_text(&decimal, text), decimal_text(&wanted, (char[DECIMAL_TEXT]){0}));
    }
    bson_decimal128_t decimal;
    assert_false(decimal_from_double(NAN, &decimal));
    assert_false(decimal_from_double(-HUGE_VAL, &decimal));
}

static void rounding_is_half_to_even(void **state)
{
    static const struct {
        const char *from;
        int scale;
        const char *to; /* NULL: refused */
    } rows[] = {
        {"2.345", 2, "2.34"},    {"2.355", 2, "2.36"},
        {"-2.345", 2, "-2.34"},  {"2.3451", 2, "2.35"},
        {"0.5", 0, "0"},         {"1.5", 0, "2"},
        {"-0.4", 0, "-0"},       {"1", 3, "1.000"},
        {"123", -1, "1.2E+2"},   {"125", -1, "1.2E+2"},
        {"135", -1, "1.4E+2"},   {"1E+3", 0, "1000"},
        {"0", 5, "0.00000"},     {"1", 33, "1.000000000000000000000000000000000"},
        {"1", 34, NULL},         {"1E+40", 0, NULL},
        {"0", 6176, "0E-6176"},  {"0", 6177, NULL},
        {"0", -6111, "0E+6111"}, {"0", -6112, NULL},
        {"NaN", 0, NULL},        {"Infinity", 0, NULL},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        GError *error = NULL;
        char text[DECIMAL_TEXT];
        bson_decimal128_t from = decimal(rows[i].from), to;
        if (!rows[i].to) {
            kit_refused(decimal_round(&from, rows[i].scale, &to, &error), BAD_RECORD, "cannot be rounded");
            continue;
        }
        kit_ok(decimal_round(&from, rows[i].scale, &to, &error));
        assert_string_equal(decimal_text(&to, text), rows[i].to);
    }
}

static void a_value_has_one_normal_form(void **state)
{
    static const char *const rows[][2] = {
        {"0.10", "0.1"},
        {"100", "1E+2"},
        {"-0.00", "0"},
        {"0E+17", "0"},
        {"1200000000000000000000000000000000", "1.2E+33"},
        {"-7.0000000000000000000000000000000", "-7"},
        {"123.45", "123.45"},
        {"10E+6110", "1E+6111"},
        {"10E+6111", "1.0E+6112"}, /* the exponent can rise no further */
        {"100E+6110", "1.0E+6112"},
        {"NaN", "NaN"},
        {"-Infinity", "-Infinity"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        bson_decimal128_t value = decimal(rows[i][0]), normal;
        char text[DECIMAL_TEXT];
        decimal_normal(&value, &normal);
        assert_string_equal(decimal_text(&normal, text), rows[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_read_and_written_with_its_scale),
        cmocka_unit_test(any_number_is_read_as_libbson_reads_it_and_written_to_the_same_bits),
        cmocka_unit_test(forms_that_only_bson_has_are_told),
        cmocka_unit_test(any_bits_have_a_text_that_fits),
        cmocka_unit_test(integers_come_and_go),
        cmocka_unit_test(only_integers_that_fit_become_integers),
        cmocka_unit_test(values_are_ordered_whatever_their_scale),
        cmocka_unit_test(sums_and_products_are_exact_or_refused),
        cmocka_unit_test(a_double_is_taken_by_its_shortest_text),
        cmocka_unit_test(rounding_is_half_to_even),
        cmocka_unit_test(a_value_has_one_normal_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
