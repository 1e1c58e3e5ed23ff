#include "kit/kit.h"
#include "record/document.h"

static struct slice read_text(struct arena *mem, const char *text)
{
    GError *error = NULL;
    struct slice document = SLICE_EMPTY;
    kit_ok(document_from_json(slice_of_text(text), mem, &document, NULL, &error));
    return document;
}

static void the_bytes_are_those_of_libbson(void **state)
{
    auto_(arena) mem = arena_new(1 << 20);
    bson_t *b = BCON_NEW("s", "x", "i", BCON_INT64(-7), "t", BCON_BOOL(true), "f", BCON_BOOL(false), "n", BCON_NULL,
                         "o", "{", "a", BCON_INT64(1), "e", "{", "}", "}", "l", "[", BCON_INT64(1), "[", "]", "y", "]",
                         "", BCON_INT64(0));
    struct slice document = read_text(mem, " {\"s\":\"x\" ,\t\"i\":-7,\"t\":true,\n\"f\":false,\"n\":null, \"o\" : "
                                           "{\"a\":1,\"e\":{ }}, \"l\":[1,[ ],\"y\"],\"\":0}\r\n");
    assert_int_equal(document.len, b->len);
    assert_memory_equal(document.data, bson_get_data(b), b->len);
    bson_destroy(b);
}

static void an_empty_object_is_the_empty_document(void **state)
{
    auto_(arena) mem = arena_new(1 << 20);
    assert_true(slice_equal(read_text(mem, "{}"), document_empty()));
    assert_true(slice_equal(read_text(mem, " { \n} "), document_empty()));
}

static void integers_are_int64_where_they_fit(void **state)
{
    static const struct {
        const char *text;
        int64_t value;
    } rows[] = {
        {"0", 0},
        {"7", 7},
        {"-1", -1},
        {"9007199254740993", 9007199254740993},
        {"123456789012345678", 123456789012345678},
        {"1234567890123456789", 1234567890123456789},
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775808", INT64_MIN},
        {"1.0e1", 10},
        {"-1200E-0", -1200},
        {"0e0", 0},
        {"0.0E+1", 0},
    };
    auto_(arena) mem = arena_new(1 << 20);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *text = g_strdup_printf("{\"a\":%s}", rows[i].text);
        bson_t b;
        bson_iter_t iter;
        assert_true(document_view(read_text(mem, text), &b) && bson_iter_init_find(&iter, &b, "a"));
        assert_int_equal(bson_iter_type(&iter), BSON_TYPE_INT64);
        assert_int_equal(bson_iter_int64(&iter), rows[i].value);
    }
}

static void all_other_numbers_are_decimals_with_their_scale(void **state)
{
    static const struct {
        const char *text, *decimal; /* as libbson reads it */
    } rows[] = {
        {"0.10", "0.10"},
        {"-0", "-0"},
        {"-0.0", "-0.0"},
        {"0.00", "0.00"},
        {"18446744073709551615", "18446744073709551615"},
        {"9223372036854775808", "9223372036854775808"},
        {"-9223372036854775809", "-9223372036854775809"},
        {"1e3", "1E+3"},
        {"1.50e+3", "1.50E+3"},
        {"10e-1", "1.0"},
        {"1E-6176", "1E-6176"},
        {"1E6111", "1E+6111"},
        {"9.999999999999999999999999999999999E+6144", "9.999999999999999999999999999999999E+6144"},
        {"1234567890123456789012345678901234", "1234567890123456789012345678901234"},
        {"0.0000000000000000000000000000000000001234567890123456789012345678901234",
         "1.234567890123456789012345678901234E-37"},
        {"0e-5", "0.00000"},
    };
    auto_(arena) mem = arena_new(1 << 20);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *text = g_strdup_printf("{\"a\":[%s]}", rows[i].text);
        bson_t b;
        bson_iter_t iter, found;
        bson_decimal128_t decimal = {0}, wanted = {0};
        assert_true(document_view(read_text(mem, text), &b) && bson_iter_init(&iter, &b));
        assert_true(bson_iter_find_descendant(&iter, "a.0", &found) && bson_iter_decimal128(&found, &decimal));
        assert_true(bson_decimal128_from_string(rows[i].decimal, &wanted));
        assert_int_equal(decimal.low, wanted.low);
        assert_int_equal(decimal.high, wanted.high);
    }
}

static void strings_are_kept_and_escapes_resolved(void **state)
{
    static const struct {
        const char *text, *value;
        size_t len; /* 0: of the value */
    } rows[] = {
        {"", "", 0},
        {"plain text that is longer than sixteen bytes, twice over",
         "plain text that is longer than sixteen bytes, twice over", 0},
        {"\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t", 0},
        {"\\u0041\\u00e9\\u20AC\\ud83d\\uDE00", "Aé€😀", 0},
        {"é€😀\x7f", "é€😀\x7f", 0},
        {"a\\u0000b", "a\0b", 3},
        {"0123456789abcdé0123456789abcd\\n0123456789abcdef", "0123456789abcdé0123456789abcd\n0123456789abcdef", 0},
        {"\xed\x9f\xbf\xee\x80\x80\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\xef\xbf\xbf",
         "\xed\x9f\xbf\xee\x80\x80\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\xef\xbf\xbf", 0},
    };
    auto_(arena) mem = arena_new(1 << 20);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *text = g_strdup_printf("{\"a\":\"%s\"}", rows[i].text);
        bson_t b;
        bson_iter_t iter;
        uint32_t len;
        assert_true(document_view(read_text(mem, text), &b) && bson_iter_init_find(&iter, &b, "a"));
        const char *value = bson_iter_utf8(&iter, &len);
        assert_int_equal(len, rows[i].len ? rows[i].len : strlen(rows[i].value));
        assert_memory_equal(value, rows[i].value, len + 1);
    }
}

/* `at`: the offset of the fault. */
static const struct refusal {
    const char *text;
    size_t at;
    const char *part;
} refusals[] = {
    {"", 0, "expected '{': a record is a JSON object, at the end"},
    {"  ", 2, "expected '{'"},
    {"[1]", 0, "expected '{'"},
    {"1", 0, "expected '{'"},
    {"\xef\xbb\xbf{}", 0, "expected '{'"},
    {"{", 1, "column 2: expected a key in double quotes, at the end"},
    {"{\"a\"", 4, "expected ':' after a key, at the end"},
    {"{\"a\" 1}", 5, "column 6: expected ':' after a key, at '1}'"},
    {"{\"a\":", 5, "expected a value, at the end"},
    {"{\"a\":1", 6, "expected ',' or '}' after a value, at the end"},
    {"{\"a\":1]", 6, "expected ',' or '}' after a value, at ']'"},
    {"{\"a\":[1}", 7, "expected ',' or ']' after a value"},
    {"{\"a\":[1 2]}", 8, "expected ',' or ']' after a value, at '2]}'"},
    {"{\"a\":1,}", 7, "expected a key in double quotes, at '}'"},
    {"{,}", 1, "expected a key"},
    {"{\"a\":[1,]}", 8, "expected a value, at ']}'"},
    {"{\"a\":[,1]}", 6, "expected a value"},
    {"{a:1}", 1, "expected a key in double quotes"},
    {"{'a':1}", 1, "expected a key in double quotes"},
    {"{\"a\":1}{}", 7, "expected the end of the record, at '{}'"},
    {"{\"a\":1} x", 8, "expected the end of the record"},
    {"{\"a\":tru}", 5, "expected a value, at 'tru}'"},
    {"{\"a\":nul", 5, "expected a value"},
    {"{\"a\":True}", 5, "expected a value"},
    {"{\"a\":NaN}", 5, "expected a value"},
    {"{\"a\":truex}", 9, "expected ',' or '}'"},
    {"{\"a\":+1}", 5, "expected a value"},
    {"{\"a\":.5}", 5, "expected a value"},
    {"{\"a\":-}", 6, "expected a digit"},
    {"{\"a\":-", 6, "expected a digit"},
    {"{\"a\":01}", 5, "no zero before the other digits"},
    {"{\"a\":-01}", 6, "no zero before the other digits"},
    {"{\"a\":00}", 5, "no zero before"},
    {"{\"a\":1.}", 7, "expected a digit after the point"},
    {"{\"a\":1.e1}", 7, "expected a digit after the point"},
    {"{\"a\":1e}", 7, "expected a digit in the exponent"},
    {"{\"a\":1e+}", 7, "expected a digit in the exponent"},
    {"{\"a\":1e6200}", 5, "between 10^-6176 and 10^6111"},
    {"{\"a\":1e6112}", 5, "between 10^-6176 and 10^6111"},
    {"{\"a\":0.1e-6176}", 5, "between 10^-6176 and 10^6111"},
    {"{\"a\":1e99999999999999999999}", 5, "between 10^-6176 and 10^6111"},
    {"{\"a\":1e-99999999999999999999}", 5, "between 10^-6176 and 10^6111"},
    {"{\"a\":0e6112}", 5, "between 10^-6176 and 10^6111"},
    {"{\"a\":12345678901234567890123456789012345}", 5, "at most 34 digits"},
    {"{\"a\":1000000000000000000000000000000000.0}", 5, "at most 34 digits"},
    {"{\"a\":\"x", 5, "expected a string to be closed by '\"'"},
    {"{\"a\":\"x\\\"}", 5, "expected a string to be closed"},
    {"{\"a\":\"\n\"}", 6, "no control character"},
    {"{\"a\":\"\x1f\"}", 6, "no control character"},
    {"{\"a\":\"\\x\"}", 6, "after a backslash"},
    {"{\"a\":\"\\", 6, "after a backslash"},
    {"{\"a\":\"\\u12g4\"}", 6, "four hexadecimal digits"},
    {"{\"a\":\"\\u12", 6, "four hexadecimal digits"},
    {"{\"a\":\"\\ud800\"}", 6, "second half of a surrogate pair"},
    {"{\"a\":\"\\ud800\\n\"}", 6, "second half of a surrogate pair"},
    {"{\"a\":\"\\ud800\\ud800\"}", 6, "second half of a surrogate pair"},
    {"{\"a\":\"\\ud800\\u0041\"}", 6, "second half of a surrogate pair"},
    {"{\"a\":\"\\udc00\"}", 6, "first half of a surrogate pair"},
    {"{\"a\":\"\x80\"}", 6, "well-formed UTF-8, at '?\"}'"},
    {"{\"a\":\"\xc0\xaf\"}", 6, "well-formed UTF-8"},         /* overlong '/' */
    {"{\"a\":\"\xc1\xbf\"}", 6, "well-formed UTF-8"},         /* overlong */
    {"{\"a\":\"\xe0\x9f\xbf\"}", 6, "well-formed UTF-8"},     /* overlong */
    {"{\"a\":\"\xf0\x8f\xbf\xbf\"}", 6, "well-formed UTF-8"}, /* overlong */
    {"{\"a\":\"\xed\xa0\x80\"}", 6, "well-formed UTF-8"},     /* a surrogate */
    {"{\"a\":\"\xed\xbf\xbf\"}", 6, "well-formed UTF-8"},     /* a surrogate */
    {"{\"a\":\"\xf4\x90\x80\x80\"}", 6, "well-formed UTF-8"}, /* above U+10FFFF */
    {"{\"a\":\"\xf5\x80\x80\x80\"}", 6, "well-formed UTF-8"},
    {"{\"a\":\"\xff\"}", 6, "well-formed UTF-8"},
    {"{\"a\":\"\xc3\"}", 6, "well-formed UTF-8"},
    {"{\"a\":\"\xc3", 6, "well-formed UTF-8"},
    {"{\"a\":\"\xe2\x82\"}", 6, "well-formed UTF-8"},
    {"{\"a\":\"\xf0\x9f\x98\"}", 6, "well-formed UTF-8"},
    {"{\"\x80\":1}", 2, "well-formed UTF-8"},
    {"{\"a\\u0000b\":1}", 1, "without the character \\u0000"},
    {"{\"a\":1,\"a\":2}", 7, "column 8: expected a key that this object does not have yet, at '\"a\":2}'"},
    {"{\"a\":1,\"\\u0061\":2}", 7, "does not have yet"},
    {"{\"\":1,\"\":2}", 6, "does not have yet"},
    {"{\"o\":{\"a\":1,\"b\":{\"a\":1},\"b\":1}}", 24, "does not have yet"},
};

static void what_is_not_json_is_refused_where_it_is_wrong(void **state)
{
    auto_(arena) mem = arena_new(1 << 20);
    for (size_t i = 0; i < G_N_ELEMENTS(refusals); i++) {
        GError *error = NULL;
        /* from a buffer that ends with the text, so that the sanitizer sees a read beyond it */
        size_t len = strlen(refusals[i].text), at = SIZE_MAX;
        g_autofree uint8_t *text = g_memdup2(refusals[i].text, len);
        struct slice document = SLICE_EMPTY;
        kit_refused(document_from_json(slice_of(text, len), mem, &document, &at, &error), BAD_RECORD, refusals[i].part);
        assert_int_equal(at, refusals[i].at);
        assert_null(document.data);
    }
    assert_int_equal(arena_used(mem), 0); /* what is refused leaves nothing behind */
}

static void a_raw_nul_is_refused(void **state)
{
    auto_(arena) mem = arena_new(1 << 20);
    GError *error = NULL;
    struct slice document;
    size_t at;
    kit_refused(document_from_json(slice_of("{}\0", 3), mem, &document, &at, &error), BAD_RECORD, "end of the record");
    assert_int_equal(at, 2);
    kit_refused(document_from_json(slice_of("{\"\0\":1}", 7), mem, &document, &at, &error), BAD_RECORD,
                "no control character");
    kit_refused(document_from_json(slice_of("{\"a\":\0}", 7), mem, &document, &at, &error), BAD_RECORD, "a value");
}

static char *nested(size_t depth, const char *open, const char *close)
{
    GString *text = g_string_new("{\"a\":");
    for (size_t i = 1; i < depth; i++)
        g_string_append(text, open);
    g_string_append(text, "1");
    for (size_t i = 1; i < depth; i++)
        g_string_append(text, close);
    g_string_append(text, "}");
    return g_string_free(text, FALSE);
}

static void a_hundred_levels_are_read_and_no_more(void **state)
{
    static const char *const brackets[][2] = {{"[", "]"}, {"{\"a\":", "}"}, {"[{\"b\":1,\"a\":", "}]"}};
    auto_(arena) mem = arena_new(64 << 20);
    for (size_t i = 0; i < G_N_ELEMENTS(brackets); i++) {
        GError *error = NULL;
        struct slice document;
        size_t step = i == 2 ? 2 : 1, most = (DOCUMENT_DEPTH - 1) / step + 1;
        g_autofree char *fits = nested(most, brackets[i][0], brackets[i][1]);
        g_autofree char *over = nested(most + 1, brackets[i][0], brackets[i][1]);
        g_autofree char *deep = nested(100000, brackets[i][0], brackets[i][1]);
        kit_ok(document_check(read_text(mem, fits), &error));
        kit_refused(document_from_json(slice_of_text(over), mem, &document, NULL, &error), BAD_RECORD, "at most 100");
        kit_refused(document_from_json(slice_of_text(deep), mem, &document, NULL, &error), BAD_RECORD, "at most 100");
    }
}

/* Keys of many lengths, of which none stands twice. */
static GString *wide(size_t keys)
{
    GString *text = g_string_new("{");
    for (size_t i = 0; i < keys; i++)
        g_string_append_printf(text, "%s\"%s%zx\":{\"%zx\":%zu,\"x\":[{\"x\":1}]}", i ? "," : "",
                               i % 3 ? "" : "a_rather_long_key_", i * 2654435761u % 4294967291u, i, i);
    return text;
}

static void a_key_that_stands_twice_is_found_among_few_and_many(void **state)
{
    auto_(arena) mem = arena_new(256 << 20);
    static const size_t counts[] = {1, 2, 15, 16, 17, 18, 48, 49, 300, 50000};
    for (size_t i = 0; i < G_N_ELEMENTS(counts); i++) {
        g_autoptr(GString) text = wide(counts[i]);
        GError *error = NULL;
        struct slice document;
        size_t at, before = text->len + 1;
        g_string_append(text, "}");
        kit_ok(document_check(read_text(mem, text->str), &error));
        for (size_t twice = 0; twice < counts[i]; twice += counts[i] / 3 + 1) {
            g_string_truncate(text, before - 1);
            g_string_append_printf(text, ",\"%s%zx\":0}", twice % 3 ? "" : "a_rather_long_key_",
                                   twice * 2654435761u % 4294967291u);
            kit_refused(document_from_json(slice_of_text(text->str), mem, &document, &at, &error), BAD_RECORD,
                        "does not have yet");
            assert_int_equal(at, before);
        }
        arena_reset(mem);
    }
}

static void short_texts_with_large_documents_find_room(void **state)
{
    auto_(arena) mem = arena_new(256 << 20);
    g_autoptr(GString) text = g_string_new("{\"a\":[1");
    enum { N = 300000 };
    for (size_t i = 1; i < N; i++)
        g_string_append(text, ",1");
    g_string_append(text, "]}");
    bson_t b;
    bson_iter_t iter, inner;
    size_t n = 0;
    assert_true(document_view(read_text(mem, text->str), &b) && bson_iter_init_find(&iter, &b, "a"));
    assert_true(bson_iter_recurse(&iter, &inner));
    for (; bson_iter_next(&inner); n++) {
        g_autofree char *name = g_strdup_printf("%zu", n);
        assert_string_equal(bson_iter_key(&inner), name);
        assert_int_equal(bson_iter_int64(&inner), 1);
    }
    assert_int_equal(n, N);
}

static void sixteen_mebibytes_are_read_and_no_more(void **state)
{
    auto_(arena) mem = arena_new(256 << 20);
    GError *error = NULL;
    struct slice document;
    size_t at = 1;
    /* `{"a":"…"}` and the BSON of it: 8 and 13 bytes around the string */
    g_autofree char *text = g_malloc(DOCUMENT_BYTES + 1);
    memset(text, 'x', DOCUMENT_BYTES + 1);
    memcpy(text, "{\"a\":\"", 6);
    memcpy(text + DOCUMENT_BYTES - 5 - 2, "\"}", 2);
    kit_ok(document_from_json(slice_of(text, DOCUMENT_BYTES - 5), mem, &document, NULL, &error));
    assert_int_equal(document.len, DOCUMENT_BYTES);
    arena_reset(mem);
    memcpy(text + DOCUMENT_BYTES - 5 - 2, "xx", 2);
    memcpy(text + DOCUMENT_BYTES - 2, "\"}", 2);
    kit_refused(document_from_json(slice_of(text, DOCUMENT_BYTES), mem, &document, NULL, &error), TOO_BIG, "16 MiB");
    kit_refused(document_from_json(slice_of(text, DOCUMENT_BYTES + 1), mem, &document, &at, &error), TOO_BIG, "16 MiB");
    assert_int_equal(at, 0);
}

static void a_small_text_of_a_large_document_is_too_big(void **state)
{
    auto_(arena) mem = arena_new(256 << 20);
    GError *error = NULL;
    struct slice document;
    g_autofree char *text = g_malloc(DOCUMENT_BYTES);
    memset(text, '1', DOCUMENT_BYTES);
    for (size_t i = 1; i < DOCUMENT_BYTES; i += 2)
        text[i] = ',';
    memcpy(text, "{\"a\":[", 6);
    kit_refused(document_from_json(slice_of(text, DOCUMENT_BYTES), mem, &document, NULL, &error), TOO_BIG, "16 MiB");
}

static void a_full_arena_is_too_big_and_not_a_crash(void **state)
{
    static const char text[] = "{\"a\":[1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7,8,9]}";
    size_t refused = 0, read = 0;
    for (size_t cap = 16; cap < 2048; cap += 16) {
        auto_(arena) mem = arena_new(cap);
        GError *error = NULL;
        struct slice document;
        if (document_from_json(slice_of_text(text), mem, &document, NULL, &error)) {
            read++;
            continue;
        }
        refused++;
        assert_true(error_is(error, SLUICE_ERROR_TOO_BIG));
        g_clear_error(&error);
    }
    assert_true(refused > 5 && read > 50);
}

static void a_document_takes_no_more_of_the_arena_than_its_bytes(void **state)
{
    auto_(arena) mem = arena_new(1 << 20);
    struct slice document = read_text(mem, "{\"a\":\"b\",\"c\":\"                                      \"}");
    assert_int_equal(arena_used(mem), (document.len + 15) / 16 * 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bytes_are_those_of_libbson),
        cmocka_unit_test(an_empty_object_is_the_empty_document),
        cmocka_unit_test(integers_are_int64_where_they_fit),
        cmocka_unit_test(all_other_numbers_are_decimals_with_their_scale),
        cmocka_unit_test(strings_are_kept_and_escapes_resolved),
        cmocka_unit_test(what_is_not_json_is_refused_where_it_is_wrong),
        cmocka_unit_test(a_raw_nul_is_refused),
        cmocka_unit_test(a_hundred_levels_are_read_and_no_more),
        cmocka_unit_test(a_key_that_stands_twice_is_found_among_few_and_many),
        cmocka_unit_test(short_texts_with_large_documents_find_room),
        cmocka_unit_test(sixteen_mebibytes_are_read_and_no_more),
        cmocka_unit_test(a_small_text_of_a_large_document_is_too_big),
        cmocka_unit_test(a_full_arena_is_too_big_and_not_a_crash),
        cmocka_unit_test(a_document_takes_no_more_of_the_arena_than_its_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
