#include "base/diags.h"
#include "kit/kit.h"

static void rows_come_sorted_by_place_and_stable(void **state)
{
    auto_(diags) diags = diags_new();
    diags_add(diags, "b.yaml", 2, 1, "later file");
    diags_add(diags, "a.yaml", 10, 1, "line %d", 10);
    diags_add(diags, "a.yaml", 9, 7, "second column");
    diags_add(diags, "a.yaml", 9, 2, "first of this place");
    diags_add(diags, "a.yaml", 9, 2, "second of this place");
    diags_add(diags, "a.yaml", 0, 0, "the whole file");
    diags_add(diags, "a.yaml", 11, 0, "the whole line");
    g_autofree char *text = diags_text(diags);
    assert_string_equal(text, "a.yaml: the whole file\n"
                              "a.yaml:9:2: first of this place\n"
                              "a.yaml:9:2: second of this place\n"
                              "a.yaml:9:7: second column\n"
                              "a.yaml:10:1: line 10\n"
                              "a.yaml:11: the whole line\n"
                              "b.yaml:2:1: later file");
    assert_int_equal(diags_count(diags), 7);
    assert_string_equal(diags_at(diags, 0)->text, "later file");
}

static void texts_outlive_what_they_were_made_of(void **state)
{
    auto_(diags) diags = diags_new();
    char file[] = "a.yaml";
    diags_add(diags, file, 1, 1, "x");
    memset(file, '#', sizeof file - 1);
    assert_string_equal(diags_at(diags, 0)->file, "a.yaml");
}

static void none_settle_as_success(void **state)
{
    GError *error = NULL;
    auto_(diags) diags = diags_new();
    kit_ok(diags_settle(diags, SLUICE_ERROR_SPEC, &error));
}

static void some_settle_as_one_error_with_all_lines(void **state)
{
    GError *error = NULL;
    auto_(diags) diags = diags_new();
    diags_add(diags, "a.yaml", 2, 3, "100%% wrong");
    diags_add(diags, "a.yaml", 1, 1, "also wrong");
    kit_refused(diags_settle(diags, SLUICE_ERROR_CONTRACT, &error), CONTRACT,
                "a.yaml:1:1: also wrong\na.yaml:2:3: 100% wrong");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_sorted_by_place_and_stable),
        cmocka_unit_test(texts_outlive_what_they_were_made_of),
        cmocka_unit_test(none_settle_as_success),
        cmocka_unit_test(some_settle_as_one_error_with_all_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
