#include "contracts.h"

struct row {
    const char *value, *made; /* made: "=" the same slice; NULL: refused */
    const char *why;
};

static void check(const char *options, const struct row *rows, size_t n)
{
    g_autofree char *yaml = g_strdup_printf(FIELDS("  a: { %s }\n"), options);
    struct applied applied = applied_new(yaml);
    for (size_t i = 0; i < n; i++) {
        g_autofree char *json = g_strdup_printf("{\"a\":%s}", rows[i].value);
        g_autofree char *made = g_strdup_printf("{\"a\":%s}", rows[i].made);
        g_autofree char *why = g_strdup_printf("a: %s", rows[i].why);
        if (rows[i].made)
            assert_passes(&applied, json, rows[i].made[0] == '=' ? "=" : made);
        else
            assert_refuses(&applied, json, why);
    }
    applied_done(&applied);
}

#define CHECK(options, ...)                                                                                            \
    do {                                                                                                               \
        const struct row rows[] = {__VA_ARGS__};                                                                       \
        check(options, rows, G_N_ELEMENTS(rows));                                                                      \
    } while (0)

static void a_string_is_only_made_of_a_string(void **state)
{
    CHECK("type: string", {"\"007\"", "="}, {"\"\"", "="}, {"\"2026-01-01\"", "="},
          {"7", NULL, "expected a string, found the number 7"}, {"true", NULL, "expected a string, found true"},
          {"null", NULL, "expected a string, found null"}, {"{}", NULL, "expected a string, found an object"},
          {"[]", NULL, "expected a string, found an array"});
}

static void a_bool_is_made_of_two_words(void **state)
{
    CHECK("type: bool", {"true", "="}, {"false", "="}, {"\"true\"", "true"}, {"\"false\"", "false"},
          {"\"True\"", NULL, "expected a bool, found the string 'True'"},
          {"\"yes\"", NULL, "expected a bool, found the string 'yes'"},
          {"1", NULL, "expected a bool, found the number 1"}, {"\"1\"", NULL, "expected a bool, found the string '1'"});
}

static void an_int_is_made_of_what_is_whole(void **state)
{
    CHECK("type: int", {"42", "="}, {"-9223372036854775808", "="}, {"\"42\"", "42"}, {"\"-7\"", "-7"}, {"\"0\"", "0"},
          {"\"9007199254740993\"", "9007199254740993"}, {"42.0", "42"}, {"\"42.0\"", "42"}, {"\"1e3\"", "1000"},
          {"1.50e1", "15"},
          {"\"007\"", NULL,
           "expected an int, found the string '007'; leading zeros make it an identifier, which only a string keeps"},
          {"\"-007\"", NULL,
           "expected an int, found the string '-007'; leading zeros make it an identifier, which only a string keeps"},
          {"\"+5\"", NULL, "expected an int, found the string '+5'"},
          {"\" 5\"", NULL, "expected an int, found the string ' 5'"},
          {"\"5 \"", NULL, "expected an int, found the string '5 '"},
          {"\"0x1F\"", NULL, "expected an int, found the string '0x1F'"},
          {"\"1,000\"", NULL, "expected an int, found the string '1,000'"},
          {"\"NaN\"", NULL, "expected an int, found the string 'NaN'"},
          {"42.5", NULL, "expected an int, found the number 42.5; it has a fraction"},
          {"\"42.5\"", NULL, "expected an int, found the string '42.5'; it has a fraction"},
          {"18446744073709551615", NULL,
           "expected an int, found the number 18446744073709551615; it does not fit 64 bits; a decimal holds it"},
          {"\"9223372036854775808\"", NULL,
           "expected an int, found the string '9223372036854775808'; it does not fit 64 bits; a decimal holds it"},
          {"-0", NULL, "expected an int, found the number -0; an int has no -0"},
          {"\"-0\"", NULL, "expected an int, found the string '-0'; an int has no -0"},
          {"\"-0.0\"", NULL, "expected an int, found the string '-0.0'; an int has no -0"},
          {"true", NULL, "expected an int, found true"});
}

static void a_decimal_keeps_value_and_scale(void **state)
{
    CHECK(
        "type: decimal", {"0.10", "="}, {"-0", "="}, {"18446744073709551615", "="}, {"\"0.10\"", "0.10"},
        {"\"-0\"", "-0"}, {"\"1e3\"", "1E+3"},
        {"\"1234567890123456789012345678901234\"", "1234567890123456789012345678901234"},
        {"\"12345678901234567890123456789012345\"", NULL,
         "expected a decimal, found the string '12345678901234567890123456789012345'"},
        {"\"1e6200\"", NULL, "expected a decimal, found the string '1e6200'"},
        {"\"00.1\"", NULL,
         "expected a decimal, found the string '00.1'; leading zeros make it an identifier, which only a string keeps"},
        {"\".5\"", NULL, "expected a decimal, found the string '.5'"});
}

/* In JSON 5 and 5 as a decimal look alike; that it became one shows in the bytes. */
static void an_int_becomes_a_decimal(void **state)
{
    struct applied applied = applied_new(FIELDS("  a: { type: decimal }\n"));
    g_autoptr(GError) error = NULL;
    struct slice made, document = document_of(applied.mem, "{\"a\":5}");
    bson_t view;
    bson_iter_t iter;
    kit_ok(contract_apply(applied.check, document, applied.mem, &made, &error));
    assert_true(document_view(made, &view) && bson_iter_init_find(&iter, &view, "a"));
    assert_int_equal(bson_iter_type(&iter), BSON_TYPE_DECIMAL128);
    applied_done(&applied);
}

static void a_double_is_made_where_it_says_the_same(void **state)
{
    CHECK(
        "type: double", {"0.1", "0.1"}, {"\"40.922326\"", "40.922326"}, {"\"-176.787412\"", "-176.787412"},
        {"0.10", "0.1"}, {"3", "3.0"}, {"\"1e22\"", "1e+22"}, {"9007199254740992", "9007199254740992.0"},
        {"0.12345678901234568", "0.12345678901234568"},
        {"9007199254740993", NULL,
         "expected a double, found the number 9007199254740993; no double is exactly that; an int or a decimal holds "
         "it"},
        {"\"9007199254740993\"", NULL,
         "expected a double, found the string '9007199254740993'; no double is written like that; a decimal holds it"},
        {"0.1234567890123456789", NULL,
         "expected a double, found the number 0.1234567890123456789; no double is written like that; a decimal holds "
         "it"},
        {"\"1e400\"", NULL,
         "expected a double, found the string '1e400'; no double is written like that; a decimal holds it"},
        {"\"1e-400\"", NULL,
         "expected a double, found the string '1e-400'; no double is written like that; a decimal holds it"},
        {"\"5e-324\"", "5e-324"}, {"\"inf\"", NULL, "expected a double, found the string 'inf'"});
}

/* A document with one double, which JSON cannot write. */
static struct slice document_of_double(struct arena *mem, double real)
{
    bson_t document = BSON_INITIALIZER;
    struct slice kept;
    assert_true(bson_append_double(&document, "a", -1, real));
    assert_true(arena_copy(mem, slice_of(bson_get_data(&document), document.len), &kept));
    bson_destroy(&document);
    return kept;
}

static void check_double(const char *type, double real, const char *made, const char *why)
{
    g_autofree char *yaml = g_strdup_printf(FIELDS("  a: { type: %s }\n"), type);
    struct applied applied = applied_new(yaml);
    g_autoptr(GError) error = NULL;
    g_autoptr(GString) text = g_string_new(NULL);
    struct slice result, document = document_of_double(applied.mem, real);
    bool ok = contract_apply(applied.check, document, applied.mem, &result, &error);
    if (ok != (made != NULL))
        fail_msg("%s of %g: %s", type, real, ok ? "passes" : error->message);
    if (ok)
        kit_ok(document_to_json(result, text, &error));
    assert_string_equal(ok ? text->str : error->message, made ? made : why);
    applied_done(&applied);
}

static void a_double_becomes_a_number_that_says_the_same(void **state)
{
    check_double("int", 42.0, "{\"a\":42}", NULL);
    check_double("int", -0x1p63, "{\"a\":-9223372036854775808}", NULL);
    check_double(
        "int", 0x1p63, NULL,
        "a: expected an int, found the number 9.223372036854776e+18; it does not fit 64 bits; a decimal holds it");
    check_double("int", 0.5, NULL, "a: expected an int, found the number 0.5; it has a fraction");
    check_double("int", -0.0, NULL, "a: expected an int, found the number -0; an int has no -0");
    check_double("int", __builtin_nan(""), NULL, "a: expected an int, found the number NaN; it is not finite");
    check_double("decimal", 0.1, "{\"a\":0.1}", NULL);
    check_double("decimal", 1e22, "{\"a\":1E+22}", NULL);
    check_double("decimal", __builtin_inf(), NULL,
                 "a: expected a decimal, found the number Infinity; it is not finite");
    check_double("double, max: 5", __builtin_nan(""), NULL, "a: NaN is above the most, 5");
    check_double("double, min: 5", __builtin_nan(""), NULL, "a: NaN is below the least, 5");
    check_double("string", 0.1, NULL, "a: expected a string, found the number 0.1");
}

static void a_small_int_of_a_store_is_an_int(void **state)
{
    struct applied applied =
        applied_new(FIELDS("  a: { type: int, min: -5 }\n  b: { type: decimal }\n  c: { type: double }\n"));
    g_autoptr(GError) error = NULL;
    g_autoptr(GString) text = g_string_new(NULL);
    struct slice made;
    bson_t document = BSON_INITIALIZER;
    bson_append_int32(&document, "a", -1, -6);
    kit_refused(
        contract_apply(applied.check, slice_of(bson_get_data(&document), document.len), applied.mem, &made, &error),
        CONTRACT_SAYS, "a: -6 is below the least, -5");
    bson_reinit(&document);
    bson_append_int32(&document, "a", -1, -5);
    bson_append_int32(&document, "b", -1, -7);
    bson_append_int32(&document, "c", -1, 3);
    kit_ok(contract_apply(applied.check, slice_of(bson_get_data(&document), document.len), applied.mem, &made, &error));
    kit_ok(document_to_json(made, text, &error));
    assert_string_equal(text->str, "{\"a\":-5,\"b\":-7,\"c\":3.0}");
    bson_destroy(&document);
    applied_done(&applied);
}

static void a_datetime_is_made_of_rfc_3339(void **state)
{
    CHECK("type: datetime", {"\"2026-07-10T12:00:00Z\"", "\"2026-07-10T12:00:00.000Z\""},
          {"\"2026-07-10T12:00:00.123+02:00\"", "\"2026-07-10T10:00:00.123Z\""},
          {"\"2026-07-10T12:00:00.123000Z\"", "\"2026-07-10T12:00:00.123Z\""},
          {"\"2026-07-10T12:00:00.123456Z\"", NULL,
           "expected a datetime, found the string '2026-07-10T12:00:00.123456Z'; it is finer than a millisecond, and a "
           "datetime is not"},
          {"\"2026-07-10T12:00:00\"", NULL,
           "'2026-07-10T12:00:00' is not a point in time: expected Z or an offset such as +02:00 at the end"},
          {"1783684800000", NULL,
           "expected a datetime, found the number 1783684800000; a number does not say its unit; make a datetime of it "
           "in "
           "the transform"},
          {"true", NULL, "expected a datetime, found true"});
}

static void a_time_without_a_zone_is_taken_as_the_contract_says(void **state)
{
    CHECK("type: datetime, zone: UTC", {"\"2026-07-10\"", "\"2026-07-10T00:00:00.000Z\""},
          {"\"2026-07-10T12:00:00\"", "\"2026-07-10T12:00:00.000Z\""},
          {"\"2026-07-10T12:00:00+02:00\"", "\"2026-07-10T10:00:00.000Z\""});
    CHECK("type: datetime, zone: Europe/Berlin", {"\"2026-07-10T12:00:00\"", "\"2026-07-10T10:00:00.000Z\""},
          {"\"2026-03-29T02:30:00\"", NULL,
           "'2026-03-29T02:30:00' was left out, when the clocks went forward, in Europe/Berlin: it may mean "
           "2026-03-29T01:30:00.000Z (CET) or 2026-03-29T00:30:00.000Z (CEST); write it with an offset"});
}

static void dates_of_other_forms_are_read_as_declared(void **state)
{
    CHECK("type: datetime, zone: UTC, format: \"%b %d %Y\"", {"\"Jun 12 1998\"", "\"1998-06-12T00:00:00.000Z\""},
          {"\"jun 02 1998\"", "\"1998-06-02T00:00:00.000Z\""}, {"\"1998-06-12\"", "\"1998-06-12T00:00:00.000Z\""},
          {"\"Feb 30 1998\"", NULL, "'1998-02-30T00:00:00.0' is not a point in time: that month has no such day"},
          {"\"Jun 2 1998\"", NULL, "'Jun 2 1998' is not a point in time: expected a year of four digits"},
          {"\"Jun 12 98\"", NULL, "'Jun 12 98' is not a point in time: expected a year of four digits"},
          {"\"Jun 12 1998 \"", NULL, "'Jun 12 1998 ' is not a point in time: expected a year of four digits"});
    CHECK("type: datetime, zone: UTC, format: [\"%e. %B %Y\", \"%d/%m/%Y %H:%M:%S.%f\", \"100%% %Y%m%d\"]",
          {"\"3. March 2026\"", "\"2026-03-03T00:00:00.000Z\""}, {"\" 3. March 2026\"", "\"2026-03-03T00:00:00.000Z\""},
          {"\"31/12/2026 23:59:58.25\"", "\"2026-12-31T23:59:58.250Z\""},
          {"\"100% 20260102\"", "\"2026-01-02T00:00:00.000Z\""});
    CHECK("type: datetime, format: \"%d.%m.%Y %H:%M %z\"",
          {"\"31.12.2026 23:59 +0130\"", "\"2026-12-31T22:29:00.000Z\""},
          {"\"31.12.2026 23:59 -01:30\"", "\"2027-01-01T01:29:00.000Z\""},
          {"\"31.12.2026 23:59 Z\"", "\"2026-12-31T23:59:00.000Z\""},
          {"\"31.12.2026 23:59 CET\"", NULL,
           "'31.12.2026 23:59 CET' is not a point in time: expected a year of four digits"});
}

static void binary_is_made_of_base64_that_an_encoder_writes(void **state)
{
    CHECK("type: binary", {"\"aGVsbG8=\"", "\"aGVsbG8=\""}, {"\"+/+/\"", "\"+/+/\""},
          {"\"aGVsbG8\"", NULL, "expected binary, found the string 'aGVsbG8'; it is not base64 with its padding"},
          {"\"aGVsbG9=\"", NULL, "expected binary, found the string 'aGVsbG9='; it is not base64 with its padding"},
          {"\"aGVs bG8=\"", NULL, "expected binary, found the string 'aGVs bG8='; it is not base64 with its padding"},
          {"\"a===\"", NULL, "expected binary, found the string 'a==='; it is not base64 with its padding"},
          {"\"-_-_\"", NULL, "expected binary, found the string '-_-_'; it is not base64 with its padding"},
          {"5", NULL, "expected binary, found the number 5"});
}

static void a_uuid_is_made_of_its_text(void **state)
{
    CHECK("type: uuid", {"\"00112233-4455-6677-8899-aabbccddeeff\"", "\"00112233-4455-6677-8899-aabbccddeeff\""},
          {"\"00112233-4455-6677-8899-AABBCCDDEEFF\"", "\"00112233-4455-6677-8899-aabbccddeeff\""},
          {"\"00112233445566778899aabbccddeeff\"", NULL,
           "expected a uuid, found the string '00112233445566778899aabbccddeeff'"},
          {"\"00112233-4455-6677-8899-aabbccddeefg\"", NULL,
           "expected a uuid, found the string '00112233-4455-6677-8899-aabbccddeefg'"},
          {"\"00112233-4455-6677-8899-aabbccddeeff0\"", NULL,
           "expected a uuid, found the string '00112233-4455-6677-8899-aabbccddeeff0'"});
}

static void what_is_made_is_left_as_it_is_the_next_time(void **state)
{
    struct applied applied =
        applied_new(FIELDS("  i: { type: int }\n  d: { type: decimal }\n  f: { type: double }\n  b: { type: binary }\n"
                           "  u: { type: uuid }\n  t: { type: datetime }\n  o: { type: bool }\n"));
    g_autoptr(GError) error = NULL;
    struct slice made, again;
    struct slice document =
        document_of(applied.mem, "{\"i\":\"1\",\"d\":\"1\",\"f\":\"1\",\"b\":\"AAAA\",\"u\":\"00112233-4455-6677-8899-"
                                 "aabbccddeeff\",\"t\":\"2026-01-01T00:00:00Z\",\"o\":\"true\"}");
    kit_ok(contract_apply(applied.check, document, applied.mem, &made, &error));
    assert_true(made.data != document.data);
    kit_ok(contract_apply(applied.check, made, applied.mem, &again, &error));
    assert_ptr_equal(made.data, again.data);
    applied_done(&applied);
}

static void a_long_value_is_cut_in_a_message(void **state)
{
    CHECK("type: int", {"\"äääääääääääääääääääääääääääääääääääääääää\"", NULL,
                        "expected an int, found the string 'ääääääääääääääääääääääääääääää…'"});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_string_is_only_made_of_a_string),
        cmocka_unit_test(a_bool_is_made_of_two_words),
        cmocka_unit_test(an_int_is_made_of_what_is_whole),
        cmocka_unit_test(a_decimal_keeps_value_and_scale),
        cmocka_unit_test(an_int_becomes_a_decimal),
        cmocka_unit_test(a_double_is_made_where_it_says_the_same),
        cmocka_unit_test(a_double_becomes_a_number_that_says_the_same),
        cmocka_unit_test(a_small_int_of_a_store_is_an_int),
        cmocka_unit_test(a_datetime_is_made_of_rfc_3339),
        cmocka_unit_test(a_time_without_a_zone_is_taken_as_the_contract_says),
        cmocka_unit_test(dates_of_other_forms_are_read_as_declared),
        cmocka_unit_test(binary_is_made_of_base64_that_an_encoder_writes),
        cmocka_unit_test(a_uuid_is_made_of_its_text),
        cmocka_unit_test(what_is_made_is_left_as_it_is_the_next_time),
        cmocka_unit_test(a_long_value_is_cut_in_a_message),
    };
    return cmocka_run_group_tests_name("contract/types", tests, NULL, NULL);
}
