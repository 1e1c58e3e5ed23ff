/* Aggregates over records, and what a measure may become. */
#include <math.h>

#include "kit/document.h"
#include "kit/fake_world.h"
#include "record/path.h"
#include "verify/measures.h"

#define MOST 4

/* One aggregate over a few records: its number, its text, or why there is none. */
struct sums {
    enum aggregate_what what;
    bool by_text;
    const char *records[MOST]; /* JSON; "": it cannot be read */
    const char *is, *fault;
};

#define DIGITS_33   "999999999999999999999999999999999"
#define MOST_NUMBER "9" DIGITS_33 "E6111"
#define HUGE_NUMBER "{\"n\": 9999999999999999999999999999999999}"

static const struct sums SUMS[] = {
    {AGGREGATE_COUNT, false, {"{\"n\": 1}", "{\"n\": null}", "{}", ""}, "4", NULL},
    {AGGREGATE_SUM, false, {"{\"n\": 1}", "{\"n\": 2.5}", "{\"n\": null}", "{}"}, "3.5", NULL},
    {AGGREGATE_SUM, false, {"{\"n\": \"1.50\"}", "{\"n\": -3}", NULL, NULL}, "-1.50", NULL},
    {AGGREGATE_SUM,
     false,
     {"{\"n\": \"x\"}", "{\"n\": \"y\"}", "{\"n\": 1}", NULL},
     NULL,
     "no number in the record 'k0'"},
    {AGGREGATE_SUM, false, {"{\"n\": 1}", "{\"n\": [1]}", NULL, NULL}, NULL, "no number in the record 'k1'"},
    {AGGREGATE_SUM, false, {"{\"n\": 1}", "", NULL, NULL}, NULL, "torn in the record 'k1'"},
    {AGGREGATE_SUM, false, {HUGE_NUMBER, "{\"n\": 0.5}", NULL, NULL}, NULL, "in the record 'k1'"},
    {AGGREGATE_MIN, false, {"{\"n\": 3}", "{\"n\": -2}", "{\"n\": 7}", NULL}, "-2", NULL},
    {AGGREGATE_MAX, false, {"{\"n\": 3}", "{\"n\": -2}", "{\"n\": 7}", "{\"n\": 7}"}, "7", NULL},
    {AGGREGATE_MAX, false, {"{\"n\": true}", NULL, NULL, NULL}, NULL, "no number in the record 'k0'"},
    {AGGREGATE_MIN, true, {"{\"n\": \"b\"}", "{\"n\": \"a\"}", "{\"n\": \"c\"}", NULL}, "a", NULL},
    {AGGREGATE_MAX, true, {"{\"n\": \"b\"}", "{\"n\": \"c\"}", "{\"n\": \"a\"}", NULL}, "c", NULL},
    {AGGREGATE_MAX, true, {"{\"n\": 7}", "{\"n\": 5}", NULL, NULL}, "7", NULL},
    {AGGREGATE_MAX, true, {"{\"n\": 75}", "{\"n\": 8}", NULL, NULL}, "8", NULL},
    {AGGREGATE_MAX, true, {"{\"n\": []}", NULL, NULL, NULL}, "[]", NULL},
    {AGGREGATE_MIN, true, {"{\"n\": \"\"}", "{\"n\": 5}", NULL, NULL}, "", NULL},
    {AGGREGATE_DISTINCT, false, {"{\"n\": 1.5}", "{\"n\": 1.50}", "{\"n\": \"1.5\"}", "{\"n\": null}"}, "2", NULL},
    {AGGREGATE_DISTINCT, false, {"{}", NULL, NULL, NULL}, "0", NULL},
};

static void add_all(struct aggregate *aggregate, const struct sums *row, struct arena *mem)
{
    GError *error = NULL;
    for (int i = 0; i < MOST && row->records[i]; i++) {
        g_autofree char *key = g_strdup_printf("k%d", i);
        struct record record = {.key = slice_of_text(key), .presence = RECORD_PRESENT};
        struct whole_record whole = {.record = &record,
                                     .document = kit_document(row->records[i], mem),
                                     .unread = *row->records[i] ? NULL : "torn"};
        kit_ok(aggregate_add(aggregate, &whole, mem, &error));
    }
    kit_ok(aggregate_end(aggregate, &error));
}

static void an_aggregate_is_exact_or_says_why_there_is_none(void **state)
{
    auto_(arena) mem = arena_new(1 << 20);
    struct fake_world fake;
    GError *error = NULL;
    char *dir = g_dir_make_tmp("sluice-figures-XXXXXX", NULL), text[DECIMAL_TEXT];
    g_autofree char *report = g_build_filename(dir, "r.ndjson", NULL);
    struct verify_input input = {.report_path = report};
    auto_(path) path = NULL;
    fake_world_init(&fake);
    input.world = &fake.world;
    kit_ok(path_parse(&path, "n", &error));
    for (size_t i = 0; i < G_N_ELEMENTS(SUMS); i++) {
        const struct sums *row = &SUMS[i];
        struct aggregate aggregate = {
            .what = row->what, .path = row->what == AGGREGATE_COUNT ? NULL : path, .by_text = row->by_text};
        kit_ok(aggregate_init(&aggregate, &input, &error));
        add_all(&aggregate, row, mem);
        const char *is = row->by_text ? aggregate.text->str : decimal_text(&aggregate.number, text);
        if (row->fault && (!aggregate.fault || !strstr(aggregate.fault, row->fault)))
            fail_msg("row %zu: %s", i, aggregate.fault);
        if (row->is && (aggregate.fault || strcmp(is, row->is) != 0))
            fail_msg("row %zu: %s, not %s", i, aggregate.fault ? aggregate.fault : is, row->is);
        aggregate_done(&aggregate);
    }
    kit_dir_remove(dir);
    g_free(dir);
}

/* What a spec says of a number, and what a store gives back as one. */
static void a_number_is_a_finite_one_of_any_type(void **state)
{
    static const struct {
        const char *json;
        double value; /* json NULL: as a double */
        const char *is;
    } ROWS[] = {
        {"{\"is\": 5}", 0, "5"},     {"{\"is\": 5.50}", 0, "5.50"}, {"{\"is\": \"5\"}", 0, NULL},
        {"{\"is\": true}", 0, NULL}, {"{\"is\": null}", 0, NULL},   {"{}", 0, NULL},
        {NULL, 0.5, "0.5"},          {NULL, INFINITY, NULL},        {NULL, NAN, NULL},
    };
    auto_(arena) mem = arena_new(1 << 16);
    bson_decimal128_t number;
    char text[DECIMAL_TEXT];
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        bson_t one = BSON_INITIALIZER;
        BSON_APPEND_DOUBLE(&one, "is", ROWS[i].value);
        struct slice document = ROWS[i].json ? kit_document(ROWS[i].json, mem) : slice_of(bson_get_data(&one), one.len);
        bool is = aggregate_number_of(document, &number);
        if (is != (ROWS[i].is != NULL) || (is && strcmp(decimal_text(&number, text), ROWS[i].is) != 0))
            fail_msg("row %zu: %s", i, is ? text : "none");
        bson_destroy(&one);
    }
    bson_t day = BSON_INITIALIZER;
    BSON_APPEND_DATE_TIME(&day, "is", INT64_C(1783684800000));
    g_autofree char *dated = aggregate_bare_text(slice_of(bson_get_data(&day), day.len));
    g_autofree char *none = aggregate_bare_text(SLICE_EMPTY);
    assert_true(g_str_has_prefix(dated, "2026-07-10T12:00:00"));
    assert_string_equal(none, "nothing");
    bson_destroy(&day);
    bson_t endless = BSON_INITIALIZER;
    assert_true(bson_decimal128_from_string("Infinity", &number) && BSON_APPEND_DECIMAL128(&endless, "is", &number));
    assert_false(aggregate_number_of(slice_of(bson_get_data(&endless), endless.len), &number));
    bson_destroy(&endless);
}

/* --- measures ----------------------------------------------------------------------------------------------------- */

/* NULL: not known; with a '!' before it: why. */
struct figure {
    double change;
    const char *least, *most, *before, *after;
    bool holds;
    const char *why; /* a part; NULL: nothing is to be said */
};

static const struct figure FIGURES[] = {
    {INFINITY, NULL, NULL, "1", "99", true, NULL},
    {INFINITY, NULL, NULL, "1", "!away", true, "away"}, /* no limit: people judge */
    {INFINITY, NULL, NULL, "1", NULL, true, "it was not taken"},
    {0.1, NULL, NULL, "100", "!away", false, "away"},
    {0.1, NULL, NULL, "100", "110", true, NULL},
    {0.1, NULL, NULL, "100", "90", true, NULL},
    {0.1, NULL, NULL, "100", "110.000001", false, "more than 10% apart"},
    {0.1, NULL, NULL, "100", "89.99", false, "100 before and 89.99 now"},
    {0.1, NULL, NULL, "-100", "-110", true, NULL},
    {0.1, NULL, NULL, "-100", "-111", false, "apart"},
    {0, NULL, NULL, "0", "0", true, NULL},
    {0, NULL, NULL, "0", "1", false, "apart"},
    {0.5, NULL, NULL, "9999999999999999999999999999999999", "0.1", false, "apart"}, /* more digits than there are */
    {0.1, NULL, NULL, "!asleep", "1", false, "what it was before is not known: asleep"},
    {0.1, NULL, NULL, NULL, "1", true, NULL}, /* a spec without a run */
    {INFINITY, "{\"is\": 5}", NULL, "1", "4", false, "5 at least was expected"},
    {INFINITY, "{\"is\": 5}", NULL, "1", "5", true, NULL},
    {INFINITY, NULL, "{\"is\": 5}", "1", "5.1", false, "5 at most was expected"},
    {INFINITY, NULL, "{\"is\": 5}", "1", "5", true, NULL},
    {INFINITY, "{\"is\": 1}", "{\"is\": 5}", NULL, "3", true, NULL},
    {9e99, NULL, NULL, MOST_NUMBER, "8" DIGITS_33 "E6111", false, "apart"}, /* nor such a limit, … */
    {0.1, NULL, NULL, MOST_NUMBER, "-" MOST_NUMBER, false, "apart"},        /* … nor such a distance */
    {INFINITY, "{\"is\": \"x\"}", "{\"is\": \"x\"}", "1", "4", true, NULL},
};

static void figure_of(struct measure_value *ret, const char *text)
{
    if (text && *text == '!')
        ret->fault = g_strdup(text + 1);
    else if (text)
        ret->known = decimal_parse(slice_of_text(text), &ret->number, NULL);
}

static void a_measure_holds_within_its_limits_and_not_a_digit_beyond(void **state)
{
    auto_(arena) mem = arena_new(1 << 16);
    for (size_t i = 0; i < G_N_ELEMENTS(FIGURES); i++) {
        const struct figure *row = &FIGURES[i];
        struct spec_measure of = {.name = "m", .change = row->change};
        struct measure_value before = {0}, forecast = {0}, after = {0};
        struct measures measures = {.of = &of, .n = 1, .before = &before, .forecast = &forecast, .after = &after};
        g_autofree char *why = NULL;
        of.least = row->least ? kit_document(row->least, mem) : SLICE_EMPTY;
        of.most = row->most ? kit_document(row->most, mem) : SLICE_EMPTY;
        figure_of(&before, row->before);
        figure_of(&after, row->after);
        bool holds = measures_hold(&measures, 0, &why);
        if (holds != row->holds || !why != !row->why || (why && !strstr(why, row->why)))
            fail_msg("row %zu: %d, %s", i, holds, why);
        assert_int_equal(measures_broken(&measures), !row->holds);
        g_free(before.fault);
        g_free(after.fault);
    }
    assert_int_equal(measures_broken(NULL), 0);
}

static void what_the_ledger_has_of_a_moment_is_read_back(void **state)
{
    static const struct {
        const char *json, *is, *fault;
    } ROWS[] = {
        {"{\"m\": \"12.50\"}", "12.50", NULL},
        {"{\"m\": null}", NULL, "could not be had"},
        {"{}", NULL, "could not be had"},
        {"{\"m\": \"none\"}", NULL, "could not be had"},
        {NULL, NULL, NULL},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct spec_measure of = {.name = "m", .change = INFINITY};
        struct measure_value value = {0};
        struct measures measures = {.of = &of, .n = 1};
        char text[DECIMAL_TEXT];
        json_t *object = ROWS[i].json ? json_loads(ROWS[i].json, 0, NULL) : NULL;
        measures_values_take(&measures, object, &value);
        measures_values_take(&measures, object, &value); /* what is said of it already stands */
        json_decref(object);
        assert_int_equal(value.known, ROWS[i].is != NULL);
        if (value.known)
            assert_string_equal(decimal_text(&value.number, text), ROWS[i].is);
        assert_int_equal(value.fault != NULL, ROWS[i].fault != NULL);
        g_free(value.fault);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_aggregate_is_exact_or_says_why_there_is_none),
        cmocka_unit_test(a_number_is_a_finite_one_of_any_type),
        cmocka_unit_test(a_measure_holds_within_its_limits_and_not_a_digit_beyond),
        cmocka_unit_test(what_the_ledger_has_of_a_moment_is_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
