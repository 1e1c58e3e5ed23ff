/* What opening a database does, and what it leaves. */
#include "test_rocksdb_kit.h"

static size_t logs_of(const char *path)
{
    size_t n = 0;
    const char *name;
    GDir *dir = g_dir_open(path, 0, NULL);
    assert_non_null(dir);
    while ((name = g_dir_read_name(dir)) != NULL)
        n += g_str_has_suffix(name, ".log") ? 1 : 0;
    g_dir_close(dir);
    return n;
}

static void opened_to_be_read_again_and_again_it_keeps_one_log_of_writes(void **state)
{
    struct desk desk;
    desk_init(&desk, *state);
    desk_open(&desk, false);
    open_lane(&desk);
    put(&desk, "a");
    desk_close(&desk);
    for (int i = 0; i < 4; i++) {
        desk_open(&desk, false);
        assert_int_equal(logs_of(desk.path), 1);
        assert_int_equal(read_one(&desk, slice_of_text("a")).presence, RECORD_PRESENT);
        desk_close(&desk);
    }
    desk_done(&desk);
}

/* Of how many families RocksDB's newest note of its options says so. */
static unsigned without_compactions(struct desk *desk)
{
    g_autoptr(GDir) dir = g_dir_open(desk->path, 0, NULL);
    g_autofree char *newest = g_strdup(""), *text = NULL;
    for (const char *name; (name = g_dir_read_name(dir));)
        if (g_str_has_prefix(name, "OPTIONS-") && strcmp(name, newest) > 0) {
            g_free(newest);
            newest = g_strdup(name);
        }
    g_autofree char *path = g_build_filename(desk->path, newest, NULL);
    assert_true(g_file_get_contents(path, &text, NULL, NULL));
    unsigned n = 0;
    for (const char *at = text; (at = strstr(at, "disable_auto_compactions=true")); at++)
        n++;
    return n;
}

static void nothing_is_compacted_before_the_first_write(void **state)
{
    struct desk desk;
    desk_init(&desk, *state);
    desk_open(&desk, false);
    open_lane(&desk);
    put(&desk, "a");
    assert_int_equal(without_compactions(&desk), 0);
    desk_close(&desk);
    desk_open(&desk, false);
    assert_int_equal(read_one(&desk, slice_of_text("a")).presence, RECORD_PRESENT);
    assert_int_equal(without_compactions(&desk), 2); /* "default", and that of the dataset */
    desk.lane.lane++;
    open_lane(&desk);
    assert_int_equal(without_compactions(&desk), 0);
    desk_done(&desk);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, kit_dir_setup, kit_dir_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(opened_to_be_read_again_and_again_it_keeps_one_log_of_writes),
        TEST(nothing_is_compacted_before_the_first_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
