/* The stretch of time that `repair --bucket` means, among those that a report flags. */
#include "kit/kit.h"
#include "run/repair.h"

#define FLAG(kind, from, to)                                                                                           \
    "{\"kind\": \"" kind "\", \"range\": {\"field\": \"at\", \"from\": \"" from "\", \"to\": \"" to "\"}}"
#define ONE             FLAG("trough", "2026-07-01T00:00:00Z", "2026-07-01T01:00:00Z")
#define TWICE           FLAG("spike", "2026-07-01T00:00:00Z", "2026-07-01T01:00:00Z")
#define OTHER           FLAG("trough", "2026-07-02T00:00:00Z", "2026-07-02T01:00:00Z")
#define LONG            FLAG("trough", "2026-07-01T00:00:00Z", "2026-07-01T02:00:00Z")
#define OF(name, flags) "{\"name\": \"" name "\", \"flags\": [" flags "]}"
#define ALL(buckets)    "{\"buckets\": [" buckets "]}"
#define HOUR_US         INT64_C(3600000000)

struct asked {
    const char *asked, *summary;
    int64_t hours;        /* of what is found */
    enum error_code code; /* where nothing is */
    const char *part;
};

static const struct asked FOUND[] = {
    {"hours", ALL(OF("hours", ONE)), 1},
    {"hours", ALL(OF("days", OTHER) "," OF("hours", ONE)), 1},
    {"hours", ALL(OF("hours", ONE "," TWICE)), 1}, /* by its count and by its sum */
    {"hours@2026-07-01T00:00:00Z", ALL(OF("hours", OTHER "," ONE)), 1},
    {"hours@2026-07-01T00:00:00Z", ALL(OF("hours", ONE "," TWICE "," OTHER)), 1},
    {"hours@2026-07-01", ALL(OF("hours", LONG)), 2},
};

static const struct asked REFUSED[] = {
    {"hours", ALL(""), 0, SLUICE_ERROR_NOT_FOUND, "there is nothing to repair"},
    {"hours", "{}", 0, SLUICE_ERROR_NOT_FOUND, "there is nothing to repair"},
    {"hours", "none", 0, SLUICE_ERROR_NOT_FOUND, "there is nothing to repair"},
    {"hours", ALL(OF("days", ONE) ",{\"flags\": []}"), 0, SLUICE_ERROR_NOT_FOUND, "there is nothing to repair"},
    {"hours", ALL(OF("hours", ONE "," OTHER)), 0, SLUICE_ERROR_USAGE, "hours@2026-07-02T00:00:00Z (a trough, to 2026"},
    {"hours@2026-07-03", ALL(OF("hours", ONE "," OTHER)), 0, SLUICE_ERROR_USAGE, "name one of the stretches"},
    {"hours@2026-07-01", ALL(OF("hours", ONE "," LONG)), 0, SLUICE_ERROR_USAGE, "name one of the stretches"},
    {"hours@noon", ALL(OF("hours", ONE)), 0, SLUICE_ERROR_SPEC, "--bucket hours@noon"},
    {"hours", ALL(OF("hours", "{\"kind\": \"trough\"}")), 0, SLUICE_ERROR_CORRUPT, "a flag that is none"},
    {"hours", ALL(OF("hours", FLAG("trough", "noon", "2026-07-01T01:00:00Z"))), 0, SLUICE_ERROR_SPEC, "noon"},
    {"hours", ALL(OF("hours", FLAG("trough", "2026-07-01T01:00:00Z", "noon"))), 0, SLUICE_ERROR_SPEC, "noon"},
};

static bool find(const struct asked *row, struct arena *mem, struct plan_bucket *ret, GError **error)
{
    return stretch_find(row->asked, slice_of_text(row->summary), mem, ret, error);
}

static void the_one_that_is_meant_is_found(void **state)
{
    auto_(arena) mem = arena_new(1 << 16);
    GError *error = NULL;
    for (size_t i = 0; i < G_N_ELEMENTS(FOUND); i++) {
        struct plan_bucket bucket = {0};
        kit_ok(find(&FOUND[i], mem, &bucket, &error));
        assert_string_equal(bucket.name, "hours");
        assert_string_equal(bucket.field, "at");
        assert_int_equal(bucket.from_us, INT64_C(1782864000000000));
        assert_int_equal(bucket.to_us - bucket.from_us, FOUND[i].hours * HOUR_US);
    }
}

static void none_and_several_are_refused_with_what_there_is(void **state)
{
    auto_(arena) mem = arena_new(1 << 16);
    for (size_t i = 0; i < G_N_ELEMENTS(REFUSED); i++) {
        GError *error = NULL;
        struct plan_bucket bucket = {0};
        assert_false(find(&REFUSED[i], mem, &bucket, &error));
        if (!error_is(error, REFUSED[i].code) || !strstr(error->message, REFUSED[i].part))
            fail_msg("%s in %s: %s", REFUSED[i].asked, REFUSED[i].summary, error->message);
        g_error_free(error);
        assert_null(bucket.name);
    }
}

static void of_many_the_first_are_named(void **state)
{
    auto_(arena) mem = arena_new(1 << 16);
    g_autoptr(GString) flags = g_string_new(NULL);
    GError *error = NULL;
    struct plan_bucket bucket;
    for (int day = 1; day <= 12; day++)
        g_string_append_printf(flags, "%s" FLAG("spike", "2026-07-%02dT00:00:00Z", "2026-07-%02dT01:00:00Z"),
                               day > 1 ? "," : "", day, day);
    g_autofree char *summary = g_strdup_printf(ALL(OF("hours", "%s")), flags->str);
    assert_false(stretch_find("hours", slice_of_text(summary), mem, &bucket, &error));
    assert_non_null(strstr(error->message, "2026-07-10T00"));
    assert_null(strstr(error->message, "2026-07-11T00"));
    assert_true(g_str_has_suffix(error->message, ", …"));
    g_error_free(error);
}

static void what_does_not_fit_is_refused(void **state)
{
    for (size_t room = 0; room < 24; room += 4) {
        auto_(arena) mem = arena_new(room);
        GError *error = NULL;
        struct plan_bucket bucket = {0};
        if (!find(&FOUND[0], mem, &bucket, &error))
            assert_true(error_is(error, SLUICE_ERROR_TOO_BIG));
        else
            assert_string_equal(bucket.field, "at");
        g_clear_error(&error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_one_that_is_meant_is_found),
        cmocka_unit_test(none_and_several_are_refused_with_what_there_is),
        cmocka_unit_test(of_many_the_first_are_named),
        cmocka_unit_test(what_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
