/* The text format: what stands on a line, and what may not break one. */
#include <math.h>

#include "kit/kit.h"
#include "metrics/exposition.h"

static const struct metric_row ROW = {
    .name = "a_thing", .type = METRIC_GAUGE, .scope = METRIC_RUN, .words = "one \\ two\nthree \"four\""};

#define HEAD "# HELP a_thing one \\\\ two\\nthree \"four\"\n# TYPE a_thing gauge\n"

static struct exposition begun(GString *into)
{
    struct exposition exposition = {.into = into};
    exposition_metric(&exposition, &ROW);
    return exposition;
}

static void a_metric_has_its_head_once_and_only_where_it_has_a_sample(void **state)
{
    g_autoptr(GString) text = g_string_new(NULL);
    struct exposition exposition = begun(text);
    exposition_put(&exposition, NAN, NULL);
    assert_string_equal(text->str, "");
    exposition_put(&exposition, 1, NULL);
    exposition_put(&exposition, 2, METRIC_LABELS({"state", "done"}));
    assert_string_equal(text->str, HEAD "a_thing 1\na_thing{state=\"done\"} 2\n");
}

static void labels_are_quoted_so_that_nothing_in_them_ends_a_value_or_a_line(void **state)
{
    g_autoptr(GString) text = g_string_new(NULL);
    struct exposition exposition = begun(text);
    exposition.run = "fix.1";
    exposition.spec = "fix";
    exposition_put(&exposition, 0, METRIC_LABELS({"stage", "a\"b\\c\nd"}, {"server", "\xff"}));
    assert_string_equal(text->str, HEAD
                        "a_thing{run=\"fix.1\",spec=\"fix\",stage=\"a\\\"b\\\\c\\nd\",server=\"\xef\xbf\xbd\"} 0\n");
}

static void numbers_are_whole_where_they_are_and_keep_what_they_have(void **state)
{
    static const struct {
        double value;
        const char *text;
    } SOME[] = {{0, "0"},
                {-3, "-3"},
                {1795289005.605, "1795289005.605"},
                {0.1, "0.1"},
                {1e15, "1000000000000000"},
                {9007199254740991.0, "9007199254740991"},
                {INFINITY, "+Inf"},
                {-INFINITY, "-Inf"}};
    for (size_t i = 0; i < G_N_ELEMENTS(SOME); i++) {
        g_autoptr(GString) text = g_string_new(NULL);
        struct exposition exposition = begun(text);
        exposition_put(&exposition, SOME[i].value, NULL);
        g_autofree char *wanted = g_strconcat(HEAD "a_thing ", SOME[i].text, "\n", NULL);
        assert_string_equal(text->str, wanted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_metric_has_its_head_once_and_only_where_it_has_a_sample),
        cmocka_unit_test(labels_are_quoted_so_that_nothing_in_them_ends_a_value_or_a_line),
        cmocka_unit_test(numbers_are_whole_where_they_are_and_keep_what_they_have),
    };
    return cmocka_run_group_tests_name("metrics/exposition", tests, NULL, NULL);
}
