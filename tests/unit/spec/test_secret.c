#include "kit/fake_world.h"
#include "kit/kit.h"
#include "spec/spec.h"

static void placeholders_are_replaced_by_what_they_name(void **state)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *expanded = NULL;
    g_autofree char *path = g_build_filename(*state, "pw", NULL);
    assert_true(g_file_set_contents(path, "s3cret\n", -1, NULL));
    g_setenv("SLUICE_TEST_USER", "ann", TRUE);
    kit_ok(
        spec_secret_expand(world_real(), *state, "valkey://${env:SLUICE_TEST_USER}:${file:pw}@h", &expanded, &error));
    assert_string_equal(expanded, "valkey://ann:s3cret@h");
}

static void a_text_without_placeholders_stays_as_it_is(void **state)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *expanded = NULL;
    kit_ok(spec_secret_expand(world_real(), ".", "file:a$b{c}", &expanded, &error));
    assert_string_equal(expanded, "file:a$b{c}");
}

static void an_absolute_file_is_read_where_it_lies_and_one_newline_is_cut(void **state)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *expanded = NULL;
    g_autofree char *path = g_build_filename(*state, "pw", NULL);
    g_autofree char *text = g_strdup_printf("${file:%s}", path);
    assert_true(g_file_set_contents(path, "a\n\n", -1, NULL));
    kit_ok(spec_secret_expand(world_real(), "/nowhere", text, &expanded, &error));
    assert_string_equal(expanded, "a\n");
}

static void what_cannot_be_replaced_is_named_and_no_secret_is_shown(void **state)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *expanded = NULL;
    g_autofree char *path = g_build_filename(*state, "pw", NULL);
    assert_true(g_file_set_contents(path, "hid\0den", 7, NULL));
    g_unsetenv("SLUICE_TEST_ABSENT");
    const struct world *world = world_real();
    kit_refused(spec_secret_expand(world, *state, "x:${env:SLUICE_TEST_ABSENT}", &expanded, &error), SPEC,
                "${env:SLUICE_TEST_ABSENT}: the environment has no such variable");
    kit_refused(spec_secret_expand(world, *state, "x:${file:absent}", &expanded, &error), NOT_FOUND,
                "${file:absent}: ");
    kit_refused(spec_secret_expand(world, *state, "x:${file:pw}", &expanded, &error), SPEC, "a byte of zero");
    kit_refused(spec_secret_expand(world, *state, "x:${secret:pw}", &expanded, &error), SPEC, "unknown kind");
    kit_refused(spec_secret_expand(world, *state, "x:${command:echo hidden; exit 3}", &expanded, &error), SPEC,
                "${command:echo hidden; exit 3}: it ended with 3");
    kit_refused(spec_secret_expand(world, *state, "x:${command:printf 'hid\\0den'}", &expanded, &error), SPEC,
                "not a text");
    kit_ok(spec_secret_expand(world, *state, "x:${command:cat pw | head -c 3; echo y}", &expanded, &error));
    assert_string_equal(expanded, "x:hidy");
    g_clear_pointer(&expanded, g_free);
    kit_refused(spec_secret_expand(world, *state, "x:${env:}", &expanded, &error), SPEC, "expected ${env:NAME}");
    kit_refused(spec_secret_expand(world, *state, "x:${env", &expanded, &error), SPEC, "expected ${env:NAME}");
    assert_null(expanded);
}

static void a_secret_that_cannot_be_read_is_an_error(void **state)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *expanded = NULL;
    g_autofree char *path = g_build_filename(*state, "pw", NULL);
    assert_true(g_file_set_contents(path, "s3cret\n", -1, NULL));
    struct fake_world fake;
    fake_world_init(&fake);
    fake.fault = (struct fake_fault){.call = "pread", .nth = 1, .number = EIO};
    kit_refused(spec_secret_expand(&fake.world, *state, "x:${file:pw}", &expanded, &error), STORE, "cannot read");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(placeholders_are_replaced_by_what_they_name, kit_dir_setup, kit_dir_teardown),
        cmocka_unit_test(a_text_without_placeholders_stays_as_it_is),
        cmocka_unit_test_setup_teardown(an_absolute_file_is_read_where_it_lies_and_one_newline_is_cut, kit_dir_setup,
                                        kit_dir_teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_replaced_is_named_and_no_secret_is_shown, kit_dir_setup,
                                        kit_dir_teardown),
        cmocka_unit_test_setup_teardown(a_secret_that_cannot_be_read_is_an_error, kit_dir_setup, kit_dir_teardown),
    };
    return cmocka_run_group_tests_name("spec/secret", tests, NULL, NULL);
}
