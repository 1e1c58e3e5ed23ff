/* base/tar: what stands where in a header, by POSIX.1-1988. */
#include "base/tar.h"

#include <string.h>

#include "base/error.h"
#include "kit/kit.h"

enum { BLOCK = 512, NAME = 0, SIZE = 124, MTIME = 136, SUM = 148, TYPE = 156, MAGIC = 257, PREFIX = 345 };

static GString *archive_of(const char *path, const char *content)
{
    GString *archive = g_string_new(NULL);
    struct tar_file file = {path, slice_of_text(content), INT64_C(1700000000123)};
    assert_true(tar_put(archive, &file, NULL));
    return archive;
}

static void each_part_stands_in_its_place_and_the_sum_is_right(void **state)
{
    g_autoptr(GString) archive = archive_of("fix.1/plan.json", "{\"a\": 1}");
    const unsigned char *bytes = (const unsigned char *)archive->str;
    unsigned sum = 0;
    for (size_t i = 0; i < BLOCK; i++)
        sum += i >= SUM && i < SUM + 8 ? ' ' : bytes[i];
    assert_int_equal(archive->len, 2 * BLOCK);
    assert_string_equal(archive->str + NAME, "fix.1/plan.json");
    assert_string_equal(archive->str + SIZE, "00000000010");
    assert_string_equal(archive->str + MTIME, "14524770400");
    assert_memory_equal(archive->str + MAGIC,
                        "ustar\0"
                        "00",
                        8);
    assert_int_equal(bytes[TYPE], '0');
    assert_int_equal(g_ascii_strtoull(archive->str + SUM, NULL, 8), sum);
    assert_memory_equal(archive->str + BLOCK, "{\"a\": 1}\0\0\0", 11);
    tar_end(archive);
    assert_int_equal(archive->len, 4 * BLOCK);
    for (size_t i = 2 * BLOCK; i < 4 * BLOCK; i++)
        assert_int_equal(archive->str[i], 0);
}

static void content_of_whole_blocks_has_no_filling_and_none_has_none(void **state)
{
    g_autofree char *block = g_strnfill(BLOCK, 'x');
    g_autoptr(GString) full = archive_of("a", block), empty = archive_of("a", "");
    assert_int_equal(full->len, 2 * BLOCK);
    assert_int_equal(empty->len, BLOCK);
}

static void a_long_path_is_parted_at_a_slash_and_one_that_cannot_be_is_refused(void **state)
{
    g_autofree char *folder = g_strnfill(120, 'f'), *name = g_strnfill(100, 'n'), *long_name = g_strnfill(101, 'n');
    g_autofree char *path = g_strconcat(folder, "/", name, NULL), *bad = g_strconcat(folder, "/", long_name, NULL);
    g_autoptr(GString) archive = archive_of(path, "x");
    g_autoptr(GError) error = NULL;
    struct tar_file file = {bad, slice_of_text("x"), 0};
    assert_memory_equal(archive->str + NAME, name, 100);
    assert_string_equal(archive->str + PREFIX, folder);
    gsize len = archive->len;
    assert_false(tar_put(archive, &file, &error));
    assert_int_equal(error->code, SLUICE_ERROR_TOO_BIG);
    assert_int_equal(archive->len, len);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_part_stands_in_its_place_and_the_sum_is_right),
        cmocka_unit_test(content_of_whole_blocks_has_no_filling_and_none_has_none),
        cmocka_unit_test(a_long_path_is_parted_at_a_slash_and_one_that_cannot_be_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
