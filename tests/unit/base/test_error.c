#include <errno.h>

#include "kit/kit.h"

static void every_row_has_a_name_a_status_and_words(void **state)
{
    for (int i = 0; i < SLUICE_ERROR_COUNT; i++) {
        const struct error_row *row = error_row((enum error_code)i);
        assert_true(strlen(row->name) > 0 && strlen(row->words) > 0);
        assert_in_range(row->exit_status, 1, 9);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(row->name, error_row((enum error_code)j)->name);
    }
}

static void every_exit_status_of_an_error_has_its_row(void **state)
{
    for (size_t i = 1; exit_row_at(i); i++)
        assert_true(exit_row_at(i)->status > exit_row_at(i - 1)->status && *exit_row_at(i)->words);
    for (int code = 0; code < SLUICE_ERROR_COUNT; code++) {
        size_t i = 0;
        while (exit_row_at(i) && exit_row_at(i)->status != error_row((enum error_code)code)->exit_status)
            i++;
        assert_non_null(exit_row_at(i));
    }
}

static void set_returns_false_and_fills_in(void **state)
{
    GError *error = NULL;
    assert_false(error_set(&error, SLUICE_ERROR_SPEC, "%s:%d: unknown key", "a.yaml", 3));
    assert_string_equal(error->message, "a.yaml:3: unknown key");
    assert_true(error_is(error, SLUICE_ERROR_SPEC));
    assert_false(error_is(error, SLUICE_ERROR_CONTRACT));
    g_clear_error(&error);
    assert_false(error_set(NULL, SLUICE_ERROR_SPEC, "nobody listens"));
}

static void class_and_exit_status_come_from_the_row(void **state)
{
    GError *error = NULL;
    error_set(&error, SLUICE_ERROR_TIMED_OUT, "x");
    assert_int_equal(error_class(error), ERROR_TRANSIENT);
    assert_int_equal(error_exit_status(error), 6);
    g_clear_error(&error);
    error_set(&error, SLUICE_ERROR_LUA, "x");
    assert_int_equal(error_class(error), ERROR_RECORD);
    assert_int_equal(error_exit_status(error), 8);
    g_clear_error(&error);
}

static void an_error_of_another_domain_counts_as_internal(void **state)
{
    g_autoptr(GError) error = g_error_new_literal(G_FILE_ERROR, G_FILE_ERROR_IO, "x");
    assert_int_equal(error_class(error), ERROR_FATAL);
    assert_int_equal(error_exit_status(error), 1);
    assert_false(error_is(error, (enum error_code)G_FILE_ERROR_IO));
}

static void errno_chooses_the_code_and_ends_the_message(void **state)
{
    static const struct {
        int number;
        enum error_code code;
    } rows[] = {
        {ENOSPC, SLUICE_ERROR_NO_SPACE},      {EDQUOT, SLUICE_ERROR_NO_SPACE},  {EROFS, SLUICE_ERROR_NOT_PERMITTED},
        {EACCES, SLUICE_ERROR_NOT_PERMITTED}, {ENOENT, SLUICE_ERROR_NOT_FOUND}, {EIO, SLUICE_ERROR_STORE},
        {ETIMEDOUT, SLUICE_ERROR_TIMED_OUT},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        GError *error = NULL;
        assert_false(error_set_errno(&error, rows[i].number, "file %d", 7));
        assert_true(error_is(error, rows[i].code));
        g_autofree char *expected = g_strdup_printf("file 7: %s", g_strerror(rows[i].number));
        assert_string_equal(error->message, expected);
        g_clear_error(&error);
    }
}

static void add_puts_what_is_known_before_the_message(void **state)
{
    GError *error = NULL;
    error_set(&error, SLUICE_ERROR_STORE, "timed out");
    assert_false(error_add(&error, "store %s", "mem:"));
    assert_false(error_add(&error, "partition %d", 7));
    assert_string_equal(error->message, "partition 7: store mem:: timed out");
    assert_true(error_is(error, SLUICE_ERROR_STORE));
    g_clear_error(&error);
    assert_false(error_add(&error, "nothing to add to"));
    assert_false(error_add(NULL, "nobody listens"));
    assert_null(error);
}

static void the_first_error_wins(void **state)
{
    GError *error = NULL;
    error_keep_first(&error, NULL);
    assert_null(error);
    error_keep_first(&error, g_error_new_literal(SLUICE_ERROR, SLUICE_ERROR_STORE, "first"));
    error_keep_first(&error, g_error_new_literal(SLUICE_ERROR, SLUICE_ERROR_STORE, "second"));
    assert_string_equal(error->message, "first");
    g_clear_error(&error);
    error_keep_first(NULL, g_error_new_literal(SLUICE_ERROR, SLUICE_ERROR_STORE, "freed"));
}

static void one_code_alone_is_forgiven(void **state)
{
    GError *failed = NULL, *error = NULL;
    error_set(&failed, SLUICE_ERROR_NOT_FOUND, "gone");
    assert_true(error_forgive(failed, SLUICE_ERROR_NOT_FOUND, &error));
    assert_null(error);
    failed = NULL;
    error_set(&failed, SLUICE_ERROR_STORE, "broken");
    assert_false(error_forgive(failed, SLUICE_ERROR_NOT_FOUND, &error));
    assert_true(error_is(error, SLUICE_ERROR_STORE));
    g_clear_error(&error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_has_a_name_a_status_and_words),
        cmocka_unit_test(every_exit_status_of_an_error_has_its_row),
        cmocka_unit_test(set_returns_false_and_fills_in),
        cmocka_unit_test(class_and_exit_status_come_from_the_row),
        cmocka_unit_test(an_error_of_another_domain_counts_as_internal),
        cmocka_unit_test(errno_chooses_the_code_and_ends_the_message),
        cmocka_unit_test(add_puts_what_is_known_before_the_message),
        cmocka_unit_test(the_first_error_wins),
        cmocka_unit_test(one_code_alone_is_forgiven),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
