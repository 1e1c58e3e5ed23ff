#include "base/file.h"

#include <errno.h>
#include <sys/stat.h>

#include "kit/fake_world.h"
#include "kit/kit.h"

struct fixture {
    char *dir, *path;
    struct fake_world fake;
    const struct world *world;
};

static int setup(void **state)
{
    void *dir;
    if (kit_dir_setup(&dir) != 0)
        return -1;
    struct fixture *fixture = g_new0(struct fixture, 1);
    fake_world_init(&fixture->fake);
    fixture->dir = dir;
    fixture->path = g_build_filename(fixture->dir, "a", NULL);
    fixture->world = &fixture->fake.world;
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    void *dir = fixture->dir;
    assert_int_equal(fixture->fake.opened, fixture->fake.closed);
    g_free(fixture->path);
    g_free(fixture);
    return kit_dir_teardown(&dir);
}

static struct file *open_as(struct fixture *fixture, enum file_mode mode)
{
    GError *error = NULL;
    struct file *file = NULL;
    kit_ok(file_open(&file, fixture->world, fixture->path, mode, &error));
    return file;
}

static void write_text(struct fixture *fixture, const char *text)
{
    GError *error = NULL;
    struct file *file = open_as(fixture, FILE_REPLACE);
    kit_ok(file_append(file, slice_of_text(text), NULL, &error));
    kit_ok(file_close(file, &error));
}

static void assert_content(struct fixture *fixture, const char *text)
{
    GError *error = NULL;
    g_autoptr(GBytes) content = NULL;
    kit_ok(file_read_all(fixture->world, fixture->path, 1 << 20, &content, &error));
    size_t len;
    const void *data = g_bytes_get_data(content, &len);
    kit_equal_text(slice_of(data, len), text);
}

static void what_is_appended_is_read_where_it_was_said_to_be(void **state)
{
    GError *error = NULL;
    auto_(file) file = open_as(*state, FILE_CREATE);
    uint64_t offset, size;
    size_t len;
    char text[16];
    kit_ok(file_append(file, slice_of_text("hello "), &offset, &error));
    assert_int_equal(offset, 0);
    kit_ok(file_append(file, slice_of_text("world"), &offset, &error));
    assert_int_equal(offset, 6);
    kit_ok(file_size(file, &size, &error));
    assert_int_equal(size, 11);
    kit_ok(file_read_at(file, 6, text, sizeof text, &len, &error));
    kit_equal_text(slice_of(text, len), "world");
    kit_ok(file_read_at(file, 11, text, sizeof text, &len, &error));
    assert_int_equal(len, 0);
    kit_refused(file_read_at(file, UINT64_MAX, text, sizeof text, &len, &error), CORRUPT, "beyond any file");
}

static void each_mode_does_what_it_says(void **state)
{
    struct fixture *fixture = *state;
    GError *error = NULL;
    struct file *file = NULL;
    kit_refused(file_open(&file, fixture->world, fixture->path, FILE_READ, &error), NOT_FOUND, "/a: cannot open");
    kit_refused(file_open(&file, fixture->world, fixture->path, FILE_UPDATE, &error), NOT_FOUND, "/a: cannot open");
    assert_null(file);
    file_free(open_as(fixture, FILE_APPEND));
    kit_refused(file_open(&file, fixture->world, fixture->path, FILE_CREATE, &error), REFUSED, "/a: cannot create");
    write_text(fixture, "one");
    file = open_as(fixture, FILE_APPEND);
    kit_ok(file_append(file, slice_of_text("two"), NULL, &error));
    kit_ok(file_close(file, &error));
    assert_content(fixture, "onetwo");
    file = open_as(fixture, FILE_UPDATE);
    kit_ok(file_append(file, slice_of_text("three"), NULL, &error));
    kit_ok(file_close(file, &error));
    assert_content(fixture, "onetwothree");
    file_free(open_as(fixture, FILE_REPLACE));
    assert_content(fixture, "");
}

static void what_is_no_regular_file_is_refused_without_waiting(void **state)
{
    struct fixture *fixture = *state;
    GError *error = NULL;
    struct file *file = NULL;
    kit_refused(file_open(&file, fixture->world, fixture->dir, FILE_READ, &error), REFUSED, "a directory");
    assert_int_equal(mkfifo(fixture->path, 0600), 0);
    kit_refused(file_open(&file, fixture->world, fixture->path, FILE_READ, &error), REFUSED, "a pipe or a device");
    assert_null(file);
}

static void short_and_interrupted_calls_are_carried_on(void **state)
{
    struct fixture *fixture = *state;
    static const char *const calls[] = {"open", "pwrite", "pread", "fsync", "truncate"};
    for (size_t i = 0; i < G_N_ELEMENTS(calls); i++) {
        GError *error = NULL;
        fixture->fake.longest = 3;
        fake_world_arm(&fixture->fake, (struct fake_fault){.call = calls[i], .nth = 1, .number = EINTR});
        struct file *file = open_as(fixture, FILE_REPLACE);
        kit_ok(file_append(file, slice_of_text("0123456789"), NULL, &error));
        kit_ok(file_truncate(file, 8, &error));
        kit_ok(file_sync_durable(file, &error));
        kit_ok(file_close(file, &error));
        assert_content(fixture, "01234567");
        assert_int_equal(fixture->fake.fired, 1);
    }
}

static void a_full_disk_is_named(void **state)
{
    struct fixture *fixture = *state;
    GError *error = NULL;
    auto_(file) file = open_as(fixture, FILE_CREATE);
    fake_world_arm(&fixture->fake, (struct fake_fault){.call = "pwrite", .nth = 1, .number = ENOSPC});
    uint64_t offset = 7;
    kit_refused(file_append(file, slice_of_text("0123456789"), &offset, &error), NO_SPACE, "/a: cannot write");
    assert_int_equal(offset, 7);
}

static void after_a_failed_sync_every_call_fails(void **state)
{
    struct fixture *fixture = *state;
    GError *error = NULL;
    struct file *file = open_as(fixture, FILE_CREATE);
    fake_world_arm(&fixture->fake, (struct fake_fault){.call = "fsync", .nth = 1, .number = EIO});
    kit_refused(file_sync_durable(file, &error), SYNC_FAILED, "/a: cannot make it durable");
    fake_world_arm(&fixture->fake, (struct fake_fault){0});
    char byte;
    size_t len;
    uint64_t size;
    struct world_stat found;
    kit_refused(file_sync_durable(file, &error), SYNC_FAILED, "an earlier sync failed");
    kit_refused(file_append(file, slice_of_text("x"), NULL, &error), SYNC_FAILED, "an earlier sync failed");
    kit_refused(file_read_at(file, 0, &byte, 1, &len, &error), SYNC_FAILED, "an earlier sync failed");
    kit_refused(file_size(file, &size, &error), SYNC_FAILED, "an earlier sync failed");
    kit_refused(file_stat(file, &found, &error), SYNC_FAILED, "an earlier sync failed");
    kit_refused(file_truncate(file, 0, &error), SYNC_FAILED, "an earlier sync failed");
    kit_refused(file_lock(file, &error), SYNC_FAILED, "an earlier sync failed");
    kit_refused(file_close(file, &error), SYNC_FAILED, "an earlier sync failed");
}

static void a_failing_close_is_an_error_and_frees(void **state)
{
    struct fixture *fixture = *state;
    GError *error = NULL;
    struct file *file = open_as(fixture, FILE_CREATE);
    fake_world_arm(&fixture->fake, (struct fake_fault){.call = "close", .nth = 1, .number = EIO});
    kit_refused(file_close(file, &error), STORE, "/a: cannot close");
}

static void truncating_moves_the_end(void **state)
{
    GError *error = NULL;
    uint64_t offset;
    write_text(*state, "0123456789");
    struct file *file = open_as(*state, FILE_APPEND);
    kit_ok(file_truncate(file, 4, &error));
    kit_ok(file_append(file, slice_of_text("x"), &offset, &error));
    assert_int_equal(offset, 4);
    kit_ok(file_close(file, &error));
    assert_content(*state, "0123x");
}

static void a_lock_shuts_out_the_next(void **state)
{
    GError *error = NULL;
    struct file *first = open_as(*state, FILE_APPEND);
    auto_(file) second = open_as(*state, FILE_APPEND);
    kit_ok(file_lock(first, &error));
    kit_refused(file_lock(second, &error), LOCKED, "/a: another process holds the lock");
    kit_ok(file_close(first, &error));
    kit_ok(file_lock(second, &error));
}

static void a_file_beyond_4_gib_is_read_and_written(void **state)
{
    GError *error = NULL;
    auto_(file) file = open_as(*state, FILE_CREATE);
    uint64_t far = UINT64_C(5) << 30, offset;
    size_t len;
    char text[8];
    kit_ok(file_truncate(file, far, &error)); /* a hole; takes no space */
    kit_ok(file_append(file, slice_of_text("far"), &offset, &error));
    assert_true(offset == far);
    kit_ok(file_read_at(file, far - 1, text, sizeof text, &len, &error));
    assert_int_equal(len, 4);
    assert_memory_equal(text, "\0far", 4);
}

static void an_unnamed_file_leaves_nothing_behind(void **state)
{
    struct fixture *fixture = *state;
    static const int without[] = {0, EOPNOTSUPP, EISDIR};
    for (size_t i = 0; i < G_N_ELEMENTS(without); i++) {
        GError *error = NULL;
        struct file *file = NULL;
        char text[4];
        size_t len;
        fake_world_arm(&fixture->fake,
                       (struct fake_fault){.call = "open", .nth = without[i] ? 1 : 0, .number = without[i]});
        kit_ok(file_open_unnamed(&file, fixture->world, fixture->dir, &error));
        kit_ok(file_append(file, slice_of_text("text"), NULL, &error));
        kit_ok(file_read_at(file, 0, text, 4, &len, &error));
        assert_memory_equal(text, "text", 4);
        g_autoptr(GPtrArray) names = NULL;
        kit_ok(file_list(fixture->world, fixture->dir, &names, &error));
        assert_int_equal(names->len, 0);
        kit_ok(file_close(file, &error));
    }
    GError *error = NULL;
    struct file *file = NULL;
    kit_refused(file_open_unnamed(&file, fixture->world, "/nonexistent", &error), NOT_FOUND,
                "/nonexistent: cannot make");
}

/* Whichever call fails: the old content or the new, never a mixture, and no draft that is taken for a file. */
static void a_replacement_is_whole_or_not_there(void **state)
{
    struct fixture *fixture = *state;
    for (uint64_t nth = 1;; nth++) {
        GError *error = NULL;
        fake_world_arm(&fixture->fake, (struct fake_fault){0});
        write_text(fixture, "old content");
        fake_world_arm(&fixture->fake, (struct fake_fault){.nth = nth, .number = EIO});
        bool ok = file_replace_durable(fixture->world, fixture->path, slice_of_text("new"), &error);
        bool fired = fixture->fake.fired > 0;
        fake_world_arm(&fixture->fake, (struct fake_fault){0});
        assert_int_equal(ok, !error);
        g_clear_error(&error);
        g_autoptr(GBytes) content = NULL;
        kit_ok(file_read_all(fixture->world, fixture->path, 100, &content, &error));
        struct slice found = slice_of(g_bytes_get_data(content, NULL), g_bytes_get_size(content));
        bool is_old = slice_equal(found, slice_of_text("old content"));
        assert_true(slice_equal(found, slice_of_text("new")) || (is_old && !ok));
        if (!fired) {
            assert_true(ok);
            assert_in_range(nth, 8, 20);
            break;
        }
    }
}

static void a_replacement_syncs_the_file_and_the_directory(void **state)
{
    struct fixture *fixture = *state;
    GError *error = NULL;
    kit_ok(file_replace_durable(fixture->world, fixture->path, slice_of_text("new"), &error));
    assert_int_equal(fixture->fake.synced, 2);
    assert_content(fixture, "new");
    g_autoptr(GPtrArray) names = NULL;
    kit_ok(file_list(fixture->world, fixture->dir, &names, &error));
    assert_int_equal(names->len, 1);
}

static void removing_what_is_not_there_is_fine(void **state)
{
    struct fixture *fixture = *state;
    GError *error = NULL;
    kit_ok(file_unlink(fixture->world, fixture->path, &error));
    write_text(fixture, "x");
    assert_true(file_exists(fixture->world, fixture->path));
    kit_ok(file_unlink(fixture->world, fixture->path, &error));
    assert_false(file_exists(fixture->world, fixture->path));
    kit_refused(file_unlink(fixture->world, fixture->dir, &error), REFUSED, "cannot remove");
}

static void directories_are_made_with_their_parents_and_once(void **state)
{
    struct fixture *fixture = *state;
    GError *error = NULL;
    g_autofree char *deep = g_build_filename(fixture->dir, "x", "y", "z", NULL);
    kit_ok(file_make_dirs(fixture->world, deep, &error));
    assert_int_equal(fixture->fake.synced, 3);
    kit_ok(file_make_dirs(fixture->world, deep, &error));
    assert_int_equal(fixture->fake.synced, 3);
    write_text(fixture, "a file");
    g_autofree char *below = g_build_filename(fixture->path, "b", NULL);
    kit_refused(file_make_dirs(fixture->world, fixture->path, &error), REFUSED, "/a: cannot make the directory");
    kit_refused(file_make_dirs(fixture->world, below, &error), REFUSED, "/a: cannot make the directory");
}

static void reading_all_stops_at_the_cap(void **state)
{
    struct fixture *fixture = *state;
    GError *error = NULL;
    GBytes *content = NULL;
    write_text(fixture, "0123456789");
    fixture->fake.longest = 4;
    kit_refused(file_read_all(fixture->world, fixture->path, 9, &content, &error), REFUSED,
                "/a: larger than the 9 bytes");
    assert_null(content);
    kit_ok(file_read_all(fixture->world, fixture->path, 10, &content, &error));
    assert_int_equal(g_bytes_get_size(content), 10);
    g_bytes_unref(content);
    kit_refused(file_read_all(fixture->world, fixture->dir, 9, &content, &error), REFUSED, "a directory");
}

static void names_are_listed_in_order(void **state)
{
    struct fixture *fixture = *state;
    GError *error = NULL;
    for (const char *name = "cab"; *name; name++) {
        g_autofree char *path = g_strdup_printf("%s/%c", fixture->dir, *name);
        kit_ok(file_replace_durable(fixture->world, path, SLICE_EMPTY, &error));
    }
    g_autoptr(GPtrArray) names = NULL;
    kit_ok(file_list(fixture->world, fixture->dir, &names, &error));
    assert_int_equal(names->len, 3);
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(names->pdata[i], ((const char *[]){"a", "b", "c"})[i]);
    GPtrArray *none = NULL;
    kit_refused(file_list(fixture->world, "/nonexistent", &none, &error), NOT_FOUND, "cannot list");
}

static void a_changed_file_is_seen_by_its_stat(void **state)
{
    struct fixture *fixture = *state;
    GError *error = NULL;
    struct world_stat before, after;
    write_text(fixture, "x");
    kit_ok(file_stat_path(fixture->world, fixture->path, &before, &error));
    assert_true(before.regular && !before.directory && before.size == 1 && before.mtime_ns > 0);
    kit_ok(file_replace_durable(fixture->world, fixture->path, slice_of_text("y"), &error));
    kit_ok(file_stat_path(fixture->world, fixture->path, &after, &error));
    assert_true(after.device == before.device && after.inode != before.inode);
    kit_ok(file_stat_path(fixture->world, fixture->dir, &after, &error));
    assert_true(after.directory && !after.regular);
}

#define file_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        file_test(what_is_appended_is_read_where_it_was_said_to_be),
        file_test(each_mode_does_what_it_says),
        file_test(what_is_no_regular_file_is_refused_without_waiting),
        file_test(short_and_interrupted_calls_are_carried_on),
        file_test(a_full_disk_is_named),
        file_test(after_a_failed_sync_every_call_fails),
        file_test(a_failing_close_is_an_error_and_frees),
        file_test(truncating_moves_the_end),
        file_test(a_lock_shuts_out_the_next),
        file_test(a_file_beyond_4_gib_is_read_and_written),
        file_test(an_unnamed_file_leaves_nothing_behind),
        file_test(a_replacement_is_whole_or_not_there),
        file_test(a_replacement_syncs_the_file_and_the_directory),
        file_test(removing_what_is_not_there_is_fine),
        file_test(directories_are_made_with_their_parents_and_once),
        file_test(reading_all_stops_at_the_cap),
        file_test(names_are_listed_in_order),
        file_test(a_changed_file_is_seen_by_its_stat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
