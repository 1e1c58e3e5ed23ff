#include "base/later.h"

#include <zlib.h>

#include "kit/kit.h"

static struct later zlib = {.file = "libz.so.1", .package = "zlib1g"};

/* They stand in for the library's, as those of a file of rows do. */
LATER(zlib, const char *, zlibVersion, (void), ())
LATER(zlib, uLong, crc32, (uLong crc, const Bytef *bytes, uInt len), (crc, bytes, len))

static void its_functions_are_those_of_the_library(void **state)
{
    GError *error = NULL;
    kit_ok(later_load(&zlib, &error));
    kit_ok(later_load(&zlib, &error)); /* that it is there already is no matter */
    assert_string_equal(zlibVersion(), ZLIB_VERSION);
    for (int i = 0; i < 2; i++)
        assert_int_equal(crc32(0, (const Bytef *)"123456789", 9), 0xcbf43926);
}

static void one_that_is_missing_is_named_with_its_package(void **state)
{
    struct later none = {.file = "libsluice-none.so.1", .package = "sluice-none"};
    g_autoptr(GError) error = NULL;
    assert_false(later_load(&none, &error));
    assert_true(error_is(error, SLUICE_ERROR_NOT_FOUND));
    assert_non_null(strstr(error->message, "libsluice-none.so.1 is needed for this"));
    assert_non_null(strstr(error->message, "install sluice-none"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_functions_are_those_of_the_library),
        cmocka_unit_test(one_that_is_missing_is_named_with_its_package),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
