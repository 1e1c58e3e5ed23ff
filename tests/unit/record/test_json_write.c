#include "kit/kit.h"
#include "record/document.h"

#include <math.h>

/* Hands `b` over. */
static void writes(bson_t *b, const char *text)
{
    GError *error = NULL;
    g_autoptr(GString) into = g_string_new("before ");
    kit_ok(document_to_json(slice_of(bson_get_data(b), b->len), into, &error));
    assert_true(g_str_has_prefix(into->str, "before "));
    assert_string_equal(into->str + strlen("before "), text);
    assert_int_equal(into->len, strlen(into->str));
    bson_destroy(b);
}

static void the_bytes_are_json_on_one_line(void **state)
{
    writes(BCON_NEW("s", "x", "i", BCON_INT64(-7), "t", BCON_BOOL(true), "f", BCON_BOOL(false), "n", BCON_NULL, "o",
                    "{", "a", BCON_INT32(1), "e", "{", "}", "}", "l", "[", BCON_INT64(1), "[", "]", "y", "]"),
           "{\"s\":\"x\",\"i\":-7,\"t\":true,\"f\":false,\"n\":null,\"o\":{\"a\":1,\"e\":{}},\"l\":[1,[],\"y\"]}");
    writes(bson_new(), "{}");
}

static void integers_are_written_to_the_last_digit(void **state)
{
    static const int64_t values[] = {0,     9,         10,        99,        100,       -1,   -10,
                                     12345, INT32_MIN, INT32_MAX, INT64_MAX, INT64_MIN, 1000, 9007199254740993};
    for (size_t i = 0; i < G_N_ELEMENTS(values); i++) {
        g_autofree char *text = g_strdup_printf("{\"a\":%" G_GINT64_FORMAT "}", values[i]);
        writes(BCON_NEW("a", BCON_INT64(values[i])), text);
        if (values[i] >= INT32_MIN && values[i] <= INT32_MAX)
            writes(BCON_NEW("a", BCON_INT32((int32_t)values[i])), text);
    }
}

static void strings_are_escaped_where_json_asks_for_it(void **state)
{
    bson_t *b = bson_new();
    BSON_APPEND_UTF8(b, "quote \" key", "\"\\/\b\f\n\r\t\x01\x1f\x7f é€😀 \xe2\x80\xa8");
    bson_append_utf8(b, "nul", -1, "a\0b", 3);
    BSON_APPEND_UTF8(b, "", "0123456789abcdef\n0123456789abcdef0123456789é");
    writes(b,
           "{\"quote \\\" key\":\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f é€😀 \xe2\x80\xa8\",\"nul\":\"a\\u0000b\","
           "\"\":\"0123456789abcdef\\n0123456789abcdef0123456789é\"}");
}

static void what_json_lacks_is_written_as_the_page_says(void **state)
{
    bson_t *b = bson_new();
    bson_decimal128_t decimal;
    static const uint8_t uuid[16] = {0x12, 0x3e, 0x45, 0x67, 0xe8, 0x9b, 0x12, 0xd3,
                                     0xa4, 0x56, 0x42, 0x66, 0x14, 0x17, 0x40, 0x00};
    BSON_APPEND_DATE_TIME(b, "t", 1783684800123);
    BSON_APPEND_DATE_TIME(b, "t0", -1);
    BSON_APPEND_BINARY(b, "b", BSON_SUBTYPE_BINARY, (const uint8_t *)"\x00\xff\x10light work.", 14);
    BSON_APPEND_BINARY(b, "b0", BSON_SUBTYPE_BINARY, (const uint8_t *)"", 0);
    BSON_APPEND_BINARY(b, "u", BSON_SUBTYPE_UUID, uuid, 16);
    static const char *const decimals[] = {"0.10", "-0", "1E+3", "1E-40", "NaN", "Infinity", "-Infinity"};
    for (size_t i = 0; i < G_N_ELEMENTS(decimals); i++) {
        bson_decimal128_from_string(decimals[i], &decimal);
        BSON_APPEND_DECIMAL128(b, decimals[i], &decimal);
    }
    writes(b, "{\"t\":\"2026-07-10T12:00:00.123Z\",\"t0\":\"1969-12-31T23:59:59.999Z\",\"b\":\"AP8QbGlnaHQgd29yay4=\","
              "\"b0\":\"\",\"u\":\"123e4567-e89b-12d3-a456-426614174000\",\"0.10\":0.10,\"-0\":-0,\"1E+3\":1E+3,"
              "\"1E-40\":1E-40,\"NaN\":\"NaN\",\"Infinity\":\"Infinity\",\"-Infinity\":\"-Infinity\"}");
}

static void doubles_read_back_to_the_same_double_and_show_what_they_are(void **state)
{
    static const struct {
        double value;
        const char *text;
    } rows[] = {
        {0, "0.0"},
        {-0.0, "-0.0"},
        {1, "1.0"},
        {0.1, "0.1"},
        {0.1 + 0.2, "0.30000000000000004"},
        {1e22, "1e+22"},
        {1e300, "1e+300"},
        {5e-324, "5e-324"},
        {123456789012345680, "1.2345678901234568e+17"},
        {9007199254740993.0, "9007199254740992.0"},
        {NAN, "\"NaN\""},
        {INFINITY, "\"Infinity\""},
        {-INFINITY, "\"-Infinity\""},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *text = g_strdup_printf("{\"a\":%s}", rows[i].text);
        writes(BCON_NEW("a", BCON_DOUBLE(rows[i].value)), text);
        if (isfinite(rows[i].value))
            assert_true(g_ascii_strtod(rows[i].text, NULL) == rows[i].value);
    }
}

static void refused(struct slice bytes, const char *part)
{
    GError *error = NULL;
    g_autoptr(GString) into = g_string_new("kept");
    kit_refused(document_to_json(bytes, into, &error), BAD_RECORD, part);
    assert_string_equal(into->str, "kept");
    assert_int_equal(into->len, 4);
}

static void what_is_not_carried_is_refused_and_nothing_is_written(void **state)
{
    bson_t *b = BCON_NEW("a", BCON_INT64(1), "r", BCON_REGEX("a", "i"));
    refused(slice_of(bson_get_data(b), b->len), "field 'r' has the BSON type 0x0b");
    bson_destroy(b);
    b = BCON_NEW("o", "{", "x", BCON_UNDEFINED, "}");
    refused(slice_of(bson_get_data(b), b->len), "field 'x' has the BSON type 0x06");
    bson_destroy(b);
    b = BCON_NEW("b", BCON_BIN(BSON_SUBTYPE_MD5, (const uint8_t *)"0123456789abcdef", 16));
    refused(slice_of(bson_get_data(b), b->len), "binary of subtype 5 and 16 bytes");
    bson_destroy(b);
    b = BCON_NEW("b", BCON_BIN(BSON_SUBTYPE_UUID, (const uint8_t *)"0123456789abcde", 15));
    refused(slice_of(bson_get_data(b), b->len), "binary of subtype 4 and 15 bytes");
    bson_destroy(b);
    b = BCON_NEW("s", "\xff");
    refused(slice_of(bson_get_data(b), b->len), "not UTF-8 at its byte 1");
    bson_destroy(b);
    refused(slice_of("\5\0\0\0", 4), "not BSON");
    refused(slice_of("\6\0\0\0\0", 5), "not BSON");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bytes_are_json_on_one_line),
        cmocka_unit_test(integers_are_written_to_the_last_digit),
        cmocka_unit_test(strings_are_escaped_where_json_asks_for_it),
        cmocka_unit_test(what_json_lacks_is_written_as_the_page_says),
        cmocka_unit_test(doubles_read_back_to_the_same_double_and_show_what_they_are),
        cmocka_unit_test(what_is_not_carried_is_refused_and_nothing_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
