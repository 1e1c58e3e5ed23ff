#include "kit/kit.h"
#include "spec/moment.h"
#include "spec/spec.h"

#define HEAD   "sluice: 1\nname: p\n"
#define TARGET "target: { store: 'rocksdb:data', dataset: c }\n"
#define PLAIN  "source: { store: 'file:in', dataset: '*' }\n"

static struct spec *taken_with(const char *text, const char *const *params)
{
    g_autoptr(GError) error = NULL;
    struct spec *spec = NULL;
    kit_ok(spec_parse_with(&spec, "s.yaml", slice_of_text(text), params, &error));
    return spec;
}

static void refused_with(const char *text, const char *const *params, const char *expected)
{
    g_autoptr(GError) error = NULL;
    auto_(spec) spec = NULL;
    if (spec_parse_with(&spec, "s.yaml", slice_of_text(text), params, &error))
        fail_msg("taken: %s", text);
    assert_int_equal(error->code, SLUICE_ERROR_SPEC);
    assert_string_equal(error->message, expected);
}

static void a_value_stands_in_place_of_its_name_alone_and_within_a_text(void **state)
{
    static const char text[] = HEAD TARGET
        "params: { n: { type: integer, default: 007 }, on: { type: boolean, default: true }, s: { default: ab },"
        " t: { type: duration, default: 10m } }\n"
        "source: { store: 'file:${s}', dataset: '${s}-*.${s}', where: 'doc.${s} == ${n}' }\n"
        "workers: ${n}\n"
        "transform: { lua: x.lua, idempotent: '${on}', libs: ['${s}.lua'] }\n"
        "reason: '${s} and ${anything}'\n"
        "stages: [{ name: all, scope: 100%, gate: { soak: '${t}' } }]\n";
    auto_(spec) spec = taken_with(text, NULL);
    assert_string_equal(spec->source.store, "file:ab");
    assert_string_equal(spec->source.dataset, "ab-*.ab");
    assert_string_equal(spec->source.where, "doc.ab == 7");
    assert_int_equal(spec->workers, 7);
    assert_true(spec->transform.idempotent);
    assert_string_equal(spec->transform.libs[0], "ab.lua");
    assert_string_equal(spec->reason, "ab and ${anything}");
    assert_int_equal(spec->stages[0].soak_ms, 600000);
    assert_int_equal(spec->n_params, 4);
    assert_string_equal(spec->params[0].value, "7");
    assert_false(spec->params[0].given);
}

static void given_values_come_before_defaults_and_the_last_of_a_name_counts(void **state)
{
    static const char text[] =
        HEAD TARGET PLAIN "params: { n: { type: integer, default: 1 }, m: { type: integer } }\nworkers: '${m}'\n";
    const char *const params[] = {"m=3", "n=5", "m=4", NULL};
    auto_(spec) spec = taken_with(text, params);
    assert_int_equal(spec->workers, 4);
    assert_string_equal(spec->params[0].value, "5");
    assert_true(spec->params[1].given);
}

static void every_type_has_one_form_and_refuses_what_is_none(void **state)
{
    static const struct {
        const char *type, *value, *form; /* form NULL: refused */
    } cases[] = {
        {"string", "a=b c", "a=b c"},
        {"string", "", ""},
        {"string", "x${y}", NULL},
        {"integer", "-042", "-42"},
        {"integer", "1.0", NULL},
        {"integer", "9223372036854775808", NULL},
        {"decimal", "1.10", "1.10"},
        {"decimal", "1e2", "1E+2"},
        {"decimal", "one", NULL},
        {"date", "2026-07-10", "2026-07-10"},
        {"date", "2026-07-10 + 2d", "2026-07-12"},
        {"date", "2026-03-01 - 1d", "2026-02-28"},
        {"date", "2026-07-10 + 1h", NULL},
        {"date", "2026-02-30", NULL},
        {"date", "tomorrow", NULL},
        {"datetime", "2026-07-10", "2026-07-10T00:00:00.000Z"},
        {"datetime", "2026-07-10T12:00:00+02:00 + 1h30m", "2026-07-10T11:30:00.000Z"},
        {"datetime", "2026-07-10 Europe/Berlin", "2026-07-09T22:00:00.000Z"},
        {"datetime", "2026-07-10T00:00:00.0000001Z", NULL},
        {"duration", "1h30m", "1h30m"},
        {"duration", "90", NULL},
        {"boolean", "false", "false"},
        {"boolean", "no", NULL},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        auto_(spec) spec = NULL;
        g_autofree char *text = g_strdup_printf(HEAD TARGET PLAIN "params: { v: { type: %s } }\n", cases[i].type);
        g_autofree char *value = g_strconcat("v=", cases[i].value, NULL);
        const char *const params[] = {value, NULL};
        bool ok = spec_parse_with(&spec, "s.yaml", slice_of_text(text), params, &error);
        if (ok != (cases[i].form != NULL))
            fail_msg("%s %s: %s", cases[i].type, value, ok ? spec->params[0].value : error->message);
        if (ok)
            assert_string_equal(spec->params[0].value, cases[i].form);
        else
            assert_non_null(strstr(error->message, "s.yaml:5:11: --param v="));
    }
}

static void defaults_hold_other_params_in_any_order_but_not_in_a_circle(void **state)
{
    auto_(spec) spec = taken_with(HEAD TARGET PLAIN "params:\n  to: { type: date, default: '${from} + 2d' }\n"
                                                    "  from: { type: date, default: 2026-07-10 }\n",
                                  NULL);
    assert_string_equal(spec->params[0].value, "2026-07-12");
    refused_with(
        HEAD TARGET PLAIN "params:\n  a: { default: 'x${b}' }\n  b: { default: 'y${c}' }\n  c: { default: '${a}' }\n",
        NULL, "s.yaml:8:17: the params 'c' and 'a' are made of each other: one of them needs a value of its own");
    refused_with(HEAD TARGET PLAIN "params:\n  a: { default: '${a}' }\n", NULL,
                 "s.yaml:6:17: the params 'a' and 'a' are made of each other: one of them needs a value of its own");
    const char *const params[] = {"a=1", NULL};
    spec_free(taken_with(HEAD TARGET PLAIN "params: { a: { default: '${b}' }, b: { default: '${a}' } }\n", params));
}

static void what_is_unknown_missing_or_of_another_type_is_told_with_its_place_and_the_nearest(void **state)
{
    static const char declared[] = HEAD TARGET PLAIN "params: { day: { type: date, default: 2026-07-10 } }\n";
    const char *const near[] = {"dya=2026-07-11", NULL}, *const bad[] = {"day=tomorrow", NULL},
                      *const no[] = {"day", NULL};
    refused_with(declared, near, "s.yaml:5:9: --param: there is no param 'dya'; did you mean 'day'?");
    refused_with(declared, bad, "s.yaml:5:11: --param day=tomorrow: expected a date such as 2026-07-10");
    refused_with(declared, no, "s.yaml:5:9: --param day: NAME=VALUE was expected");
    refused_with(HEAD TARGET PLAIN "hours: ['${x}']\n", near,
                 "s.yaml:1:1: --param: there is no param 'dya'; this file declares none (`params: { NAME: { type: "
                 "string } }`)\n"
                 "s.yaml:5:9: there is no param 'x'; this file declares none (`params: { NAME: { type: string } }`)");
    refused_with(HEAD TARGET "params: { day: { type: dat } }\nsource: { store: 'file:${day}', dataset: '${dey}' }\n",
                 NULL,
                 "s.yaml:4:24: unknown value 'dat'; did you mean 'date'?\n"
                 "s.yaml:5:42: there is no param 'dey'; did you mean 'day'?");
    refused_with(HEAD TARGET PLAIN "params: { day: { type: date } }\n", NULL,
                 "s.yaml:5:11: the param 'day' has no default: give it with --param day=…");
    refused_with(HEAD TARGET PLAIN "params: { day: { type: date, default: 5 } }\n", NULL,
                 "s.yaml:5:39: default of day=5: expected a date such as 2026-07-10");
    refused_with(HEAD TARGET PLAIN "params: { 'a b': {} }\n", NULL,
                 "s.yaml:5:11: expected the name of a param: a letter, then letters, digits, '_' and '-', at most 63");
    refused_with("sluice: 1\nname: '${n}'\n" TARGET PLAIN "params: { n: { default: x } }\n", NULL,
                 "s.yaml:2:7: expected a name of at most 63 small letters, digits and '-', not beginning with '-', "
                 "found the text '${n}'");
}

static void a_secret_is_no_param_and_no_param_makes_one(void **state)
{
    auto_(spec) spec = taken_with(HEAD TARGET "source: { store: 'file:${env:HOME}', dataset: '*' }\n", NULL);
    assert_string_equal(spec->source.store, "file:${env:HOME}");
    refused_with(HEAD TARGET PLAIN "params: { s: { default: '${env:HOME}' } }\n", NULL,
                 "s.yaml:5:25: default of s=${env:HOME}: expected at most 4096 bytes of UTF-8, without ${…}");
}

static void texts_that_grow_without_end_are_refused(void **state)
{
    g_autofree char *long_value = g_strnfill(4000, 'x');
    g_autoptr(GString) text = g_string_new(HEAD TARGET PLAIN);
    g_autoptr(GError) error = NULL;
    auto_(spec) spec = NULL;
    g_string_append_printf(text, "params: { s: { default: %s } }\nowner: { may: { approve: [", long_value);
    for (int i = 0; i < 900; i++)
        g_string_append(text, "'${s}${s}${s}', ");
    g_string_append(text, "x] } }\n");
    assert_false(spec_parse(&spec, "s.yaml", slice_of_text(text->str), &error));
    assert_non_null(strstr(error->message, "more than 4 MiB of text with the values of params in it"));
}

static void a_range_is_a_stretch_of_time_with_its_ends_in_order(void **state)
{
#define RANGE(range) HEAD TARGET "source: { store: 'file:in', dataset: '*', range: " range " }\n"
    auto_(spec) spec = taken_with(RANGE("{ field: at, from: 2026-07-10, to: '2026-07-10 + 2d' }"), NULL);
    assert_string_equal(path_text(spec->source.range.field), "at");
    assert_int_equal(spec->source.range.from_us, INT64_C(1783641600000000));
    assert_int_equal(spec->source.range.to_us - spec->source.range.from_us, 2 * INT64_C(86400000000));
    auto_(spec) open = taken_with(RANGE("{ field: at, to: '2026-07-10 Europe/Berlin' }"), NULL);
    assert_int_equal(open->source.range.from_us, INT64_MIN);
    assert_int_equal(open->source.range.to_us, INT64_C(1783641600000000) - INT64_C(7200000000));
    refused_with(
        RANGE("{ field: at, from: 2026-07-10, to: 2026-07-10 }"), NULL,
        "s.yaml:4:85: 'to: 2026-07-10' is not after 'from: 2026-07-10' on line 4: no record lies between them");
    refused_with(RANGE("{ field: at }"), NULL, "s.yaml:4:50: a range needs 'from', 'to' or both");
    refused_with(RANGE("{ field: at, from: soon }"), NULL,
                 "s.yaml:4:69: 'soon': expected a time such as 2026-07-10, 2026-07-10T12:00:00Z, '2026-07-10 "
                 "Europe/Berlin' or '2026-07-10 + 2d'; 'soon' is not a point in time: expected a year of four digits");
}

static void moments_are_reckoned_with_and_refuse_what_is_no_duration(void **state)
{
    static const char *const wrong[] = {
        "", "2026-07-10 +", "2026-07-10 + two", "2026-07-10 + 2d x", "2026-07-10 Mars/Base", "+ 2d"};
    int64_t one, other;
    assert_true(moment_parse_us("  2026-07-10  + 2d -12h ", &one, NULL));
    assert_true(moment_parse_us("2026-07-11T12:00:00Z", &other, NULL));
    assert_int_equal(one, other);
    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(GError) error = NULL;
        kit_refused(moment_parse_us(wrong[i], &one, &error), SPEC, "expected a time such as 2026-07-10");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_stands_in_place_of_its_name_alone_and_within_a_text),
        cmocka_unit_test(given_values_come_before_defaults_and_the_last_of_a_name_counts),
        cmocka_unit_test(every_type_has_one_form_and_refuses_what_is_none),
        cmocka_unit_test(defaults_hold_other_params_in_any_order_but_not_in_a_circle),
        cmocka_unit_test(what_is_unknown_missing_or_of_another_type_is_told_with_its_place_and_the_nearest),
        cmocka_unit_test(a_secret_is_no_param_and_no_param_makes_one),
        cmocka_unit_test(texts_that_grow_without_end_are_refused),
        cmocka_unit_test(a_range_is_a_stretch_of_time_with_its_ends_in_order),
        cmocka_unit_test(moments_are_reckoned_with_and_refuse_what_is_no_duration),
    };
    return cmocka_run_group_tests_name("spec/params", tests, NULL, NULL);
}
