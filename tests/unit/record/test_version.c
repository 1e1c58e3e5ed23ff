#include "kit/kit.h"
#include "record/version.h"

/* Of the field `v`; hands `b` over. */
static bool version_read(bson_t *b, struct version *ret, GError **error)
{
    auto_(path) path = NULL;
    bool ok = path_parse(&path, "v", error) && version_of(path, slice_of(bson_get_data(b), b->len), ret, error);
    bson_destroy(b);
    return ok;
}

static void is(bson_t *b, enum version_kind kind, int64_t value)
{
    GError *error = NULL;
    struct version version = {.kind = VERSION_NONE, .value = 42};
    kit_ok(version_read(b, &version, &error));
    assert_int_equal(version.kind, kind);
    assert_int_equal(version.value, value);
}

static void refused(bson_t *b, const char *part)
{
    GError *error = NULL;
    struct version version;
    kit_refused(version_read(b, &version, &error), BAD_RECORD, part);
}

static bson_t *with_decimal(const char *text)
{
    bson_decimal128_t decimal;
    bson_decimal128_from_string(text, &decimal);
    return BCON_NEW("v", BCON_DECIMAL128(&decimal));
}

static void integers_and_times_are_versions(void **state)
{
    is(BCON_NEW("v", BCON_INT64(INT64_MIN)), VERSION_INTEGER, INT64_MIN);
    is(BCON_NEW("v", BCON_INT32(-7)), VERSION_INTEGER, -7);
    is(with_decimal("7.00"), VERSION_INTEGER, 7);
    is(BCON_NEW("v", "17"), VERSION_INTEGER, 17);
    is(BCON_NEW("v", "-9223372036854775808"), VERSION_INTEGER, INT64_MIN);
    is(BCON_NEW("v", BCON_DATE_TIME(1783684800123)), VERSION_TIME, 1783684800123000);
    is(BCON_NEW("v", "2026-07-10T12:00:00.123456Z"), VERSION_TIME, 1783684800123456);
    is(BCON_NEW("v", "2026-07-10T14:00:00+02:00"), VERSION_TIME, 1783684800000000);
}

static void absent_and_null_are_no_version(void **state)
{
    is(BCON_NEW("w", BCON_INT64(1)), VERSION_NONE, 0);
    is(BCON_NEW("v", BCON_NULL), VERSION_NONE, 0);
}

static void all_else_is_refused(void **state)
{
    refused(with_decimal("7.5"), "the version 'v' is a decimal that is no integer");
    refused(with_decimal("9223372036854775808"), "no integer of 64 bits");
    refused(BCON_NEW("v", BCON_DATE_TIME(INT64_MAX)), "too far from 1970");
    refused(BCON_NEW("v", "17.0"), "the version 'v': '17.0' is not a point in time");
    refused(BCON_NEW("v", "9223372036854775808"), "is not a point in time");
    refused(BCON_NEW("v", "2026-07-10T12:00:00"), "expected Z or an offset");
    refused(BCON_NEW("v", BCON_DOUBLE(1)), "is a double; expected an integer, a datetime, or a time");
    refused(BCON_NEW("v", BCON_BOOL(true)), "is a bool");
    refused(BCON_NEW("v", "{", "}"), "is an object");
    refused(BCON_NEW("v", "[", "]"), "is an array");
    refused(BCON_NEW("v", BCON_BIN(BSON_SUBTYPE_BINARY, (const uint8_t *)"x", 1)), "is binary");
}

static struct version integer(int64_t value)
{
    return (struct version){.kind = VERSION_INTEGER, .value = value};
}

static struct version at_us(int64_t value)
{
    return (struct version){.kind = VERSION_TIME, .value = value};
}

static void versions_stand_to_each_other_as_the_skew_allows(void **state)
{
    const struct version none = {.kind = VERSION_NONE};
    static const int64_t skew_ms = 500;
    const struct {
        struct version a, b;
        int64_t skew_ms;
        enum version_order order;
    } rows[] = {
        {integer(1), integer(2), skew_ms, VERSION_OLDER},
        {integer(2), integer(1), skew_ms, VERSION_NEWER},
        {integer(2), integer(2), skew_ms, VERSION_TIE},
        {integer(INT64_MIN), integer(INT64_MAX), skew_ms, VERSION_OLDER},
        {at_us(0), at_us(0), 0, VERSION_TIE},
        {at_us(0), at_us(1), 0, VERSION_OLDER},
        {at_us(1), at_us(0), 0, VERSION_NEWER},
        {at_us(0), at_us(499999), skew_ms, VERSION_TIE},
        {at_us(499999), at_us(0), skew_ms, VERSION_TIE},
        {at_us(0), at_us(500000), skew_ms, VERSION_OLDER},
        {at_us(500000), at_us(0), skew_ms, VERSION_NEWER},
        {at_us(INT64_MIN), at_us(INT64_MAX), skew_ms, VERSION_OLDER},
        {at_us(INT64_MAX), at_us(INT64_MIN), INT64_MAX, VERSION_TIE},
        {at_us(1), integer(1), skew_ms, VERSION_UNORDERED},
        {none, integer(1), skew_ms, VERSION_UNORDERED},
        {at_us(1), none, skew_ms, VERSION_UNORDERED},
        {none, none, skew_ms, VERSION_UNORDERED},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        assert_int_equal(version_compare(rows[i].a, rows[i].b, rows[i].skew_ms), rows[i].order);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_and_times_are_versions),
        cmocka_unit_test(absent_and_null_are_no_version),
        cmocka_unit_test(all_else_is_refused),
        cmocka_unit_test(versions_stand_to_each_other_as_the_skew_allows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
