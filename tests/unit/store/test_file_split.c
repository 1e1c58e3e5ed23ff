/* The driver `file`: parts, their digests, files that change. */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/int.h"
#include "test_file_kit.h"

enum { MANY = 5000 };

static GString *lines(unsigned n)
{
    GString *text = g_string_new("\xef\xbb\xbf");
    for (unsigned i = 0; i < n; i++)
        g_string_append_printf(text, "{\"id\":%u,\"pad\":\"%.*s\"}%s", i, (int)(i % 50),
                               "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", i % 7 ? "\n" : "\r\n\n");
    return text;
}

static GString *rows(unsigned n)
{
    GString *text = g_string_new("\xef\xbb\xbfid,\"a\nb\"\n");
    for (unsigned i = 0; i < n; i++)
        g_string_append_printf(text, "%u,\"%u\nsecond \"\"%u\"\" line, with a comma\"\r\n", i, i * 3, i);
    return text;
}

static void put(struct files *files, const char *name, GString *text /* taken */)
{
    files_put(files, name, slice_of(text->str, text->len));
    g_string_free(text, TRUE);
}

static uint64_t number_of(struct slice key)
{
    uint64_t number = UINT64_MAX;
    assert_true(int_parse_u64(key, &number));
    return number;
}

/* The parts in their order give the records 0 … n - 1, each with the line that a scan of the whole gives it. */
static void assert_covers(struct files *files, const GArray *parts, uint64_t n)
{
    size_t whole_n, part_n;
    struct record *whole = files_scan_spec(files, &(struct scan_spec){0}, &whole_n);
    assert_int_equal(whole_n, n);
    uint64_t seen = 0;
    for (guint i = 0; i < parts->len; i++) {
        struct record *part = files_scan_spec(files, &(struct scan_spec){.bounds = part_at(parts, i)->bounds}, &part_n);
        assert_int_equal(part_n, part_at(parts, i)->records);
        for (size_t j = 0; j < part_n; j++, seen++) {
            assert_int_equal(part[j].presence, RECORD_PRESENT);
            assert_int_equal(number_of(part[j].key), seen);
            assert_int_equal(part[j].at.line, whole[seen].at.line);
            assert_int_equal(part[j].at.offset, whole[seen].at.offset);
            assert_true(slice_equal(part[j].raw, whole[seen].raw));
        }
    }
    assert_int_equal(seen, n);
}

static void large_files_are_cut_at_record_borders(void **state)
{
    static const struct split_wish wishes[] = {
        {.records_each = 1}, {.records_each = 17}, {.records_each = MANY - 1}, {.records_each = MANY}, {.count = 1},
        {.count = 9},        {.count = 0}};
    static const guint expected[] = {400, 24, 1, 1, 1, 9, 1};
    struct files *files = *state;
    put(files, "a.ndjson", lines(400));
    put(files, "a.csv", rows(400));
    for (size_t i = 0; i < G_N_ELEMENTS(wishes); i++) {
        for (int csv = 0; csv < 2; csv++) {
            files->ds.name = csv ? "a.csv" : "a.ndjson";
            g_autoptr(GArray) parts = files_split(files, &wishes[i]);
            assert_int_equal(parts->len, expected[i]);
            assert_covers(files, parts, 400);
            arena_reset(files->mem);
        }
    }
}

static void a_part_of_a_file_of_many_chunks_is_found_again(void **state)
{
    struct files *files = *state;
    put(files, "a.ndjson", lines(60000)); /* 3 MB */
    files->ds.name = "a.ndjson";
    g_autoptr(GArray) parts = files_split(files, &(struct split_wish){.records_each = 25001});
    assert_int_equal(parts->len, 3);
    assert_covers(files, parts, 60000);
}

static void what_cannot_be_cut_is_one_part(void **state)
{
    struct files *files = *state;
    g_autoptr(GString) text = lines(100);
    g_autoptr(GByteArray) gzip = gzip_of(slice_of(text->str, text->len));
    files_put(files, "a.ndjson.gz", slice_of(gzip->data, gzip->len));
    files_put_text(files, "b.json", "[{\"id\":100},{\"id\":101}]");
    files_put_text(files, "c.ndjson", "");
    files_put_text(files, "d.csv", "id\n");
    g_autoptr(GArray) parts = files_split(files, &(struct split_wish){.records_each = 10});
    assert_int_equal(parts->len, 2);
    size_t n;
    files_scan_spec(files, &(struct scan_spec){.bounds = part_at(parts, 0)->bounds}, &n);
    assert_int_equal(n, 100);
    files_scan_spec(files, &(struct scan_spec){.bounds = part_at(parts, 1)->bounds}, &n);
    assert_int_equal(n, 2);
    assert_true(part_at(parts, 0)->records > 0 && part_at(parts, 1)->records > 0);
}

static void faults_are_counted_as_records_of_their_part(void **state)
{
    struct files *files = *state;
    GString *text = g_string_new("{\"id\":0}\nbroken\n");
    gsize at = text->len;
    g_string_set_size(text, at + (20 << 20));
    memset(text->str + at, 'x', 20 << 20);
    g_string_append(text, "\n{\"id\":3}\n{\"id\":4}\n");
    put(files, "a.ndjson", text);
    files->ds.name = "*";
    g_autoptr(GArray) parts = files_split(files, &(struct split_wish){.records_each = 1});
    uint64_t records = 0;
    for (guint i = 0; i < parts->len; i++) {
        size_t n;
        files_scan_spec(files, &(struct scan_spec){.bounds = part_at(parts, i)->bounds}, &n);
        assert_int_equal(n, part_at(parts, i)->records);
        records += n;
    }
    assert_int_equal(records, 5);
}

static void a_cursor_goes_on_within_its_part(void **state)
{
    GError *error = NULL;
    struct files *files = *state;
    put(files, "a.csv", rows(100));
    files->ds.name = "a.csv";
    g_autoptr(GArray) parts = files_split(files, &(struct split_wish){.records_each = 40});
    struct call call = files_call(files);
    struct scan_spec spec = {
        .ds = &files->ds, .bounds = part_at(parts, 1)->bounds, .max_records = 15, .max_bytes = 1 << 20};
    auto_(scan) scan = NULL;
    struct batch batch;
    kit_ok(store_scan_open(&scan, files->session, &spec, &error));
    kit_ok(store_scan_next(scan, &call, &batch, &error));
    assert_int_equal(number_of(batch.records[0].key), 40);
    assert_true(batch.cursor.len <= 64);
    size_t n;
    struct record *rest =
        files_scan_spec(files, &(struct scan_spec){.bounds = spec.bounds, .cursor = batch.cursor}, &n);
    assert_int_equal(n, 25);
    assert_int_equal(number_of(rest[0].key), 55);
    assert_int_equal(rest[0].at.line, 3 + 2 * 55);
}

/* Every cursor of an array, also those between a record and its comma, goes on with exactly the rest. */
static void a_cursor_into_an_array_goes_on_behind_its_comma(void **state)
{
    GError *error = NULL;
    struct files *files = *state;
    files_put_text(files, "a.json", "{\"id\":0}[\n{\"id\":1},{\"id\":2}\n,\n  {\"id\":3 \"a\"},{\"id\":4}] {\"id\":5}");
    files->ds.name = "a.json";
    g_autoptr(GArray) parts = files_split(files, &(struct split_wish){.records_each = 1});
    struct call call = files_call(files);
    struct scan_spec spec = {
        .ds = &files->ds, .bounds = part_at(parts, 0)->bounds, .max_records = 1, .max_bytes = 1 << 20};
    auto_(session) other = NULL;
    kit_ok(store_session_open(&other, files->store, &error));
    auto_(scan) scan = NULL;
    kit_ok(store_scan_open(&scan, other, &spec, &error));
    size_t seen = 0;
    for (struct batch batch = {0}; !batch.done;) {
        kit_ok(store_scan_next(scan, &call, &batch, &error));
        seen += batch.n;
        size_t n;
        struct record *rest =
            files_scan_spec(files, &(struct scan_spec){.bounds = spec.bounds, .cursor = batch.cursor}, &n);
        assert_int_equal(n, 6 - seen);
        for (size_t i = 0; i < n; i++)
            if (seen + i == 3)
                assert_fault_at(&rest[i], "expected ',' or '}'", 4, 11);
            else
                assert_int_equal(number_of(rest[i].key), seen + i);
    }
    store_scan_close(g_steal_pointer(&scan));
}

/* --- files that change ----------------------------------------------------------------------------------------------
 */

/* Writes `content` and leaves size and time of change to look as they did, where the size is the same. */
static void put_keeping_time(struct files *files, const char *name, struct slice content)
{
    g_autofree char *path = files_path(files, name);
    struct stat before;
    assert_int_equal(stat(path, &before), 0);
    files_put(files, name, content);
    const struct timespec times[2] = {before.st_atim, before.st_mtim};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void a_file_that_has_changed_since_it_was_split_is_named(void **state)
{
    GError *error = NULL;
    struct files *files = *state;
    static const char text[] = "{\"id\":1}\n{\"id\":2}\n{\"id\":3}\n";
    files_put_text(files, "a.ndjson", text);
    files->ds.name = "a.ndjson";
    g_autoptr(GArray) parts = files_split(files, &(struct split_wish){.records_each = 2});
    struct scan_spec first = {.bounds = part_at(parts, 0)->bounds}, second = {.bounds = part_at(parts, 1)->bounds};

    files_put_text(files, "a.ndjson", "{\"id\":1}\n{\"id\":9}\n{\"id\":3}\n");
    files_scan_fails(files, &first, SOURCE_MOVED, "a.ndjson: its content has changed");
    assert_true(files_scan_tries(files, &second, &error)); /* its own bytes are as they were */

    put_keeping_time(files, "a.ndjson", slice_of_text("{\"id\":1}\n{\"id\":2}\n{\"id\":8}\n"));
    files_scan_fails(files, &second, SOURCE_MOVED, "a.ndjson: its content has changed");

    files_put_text(files, "a.ndjson", "{\"id\":1}\n{\"id\":2}\n{\"id\":3}\n{\"id\":4}\n");
    files_scan_fails(files, &first, SOURCE_MOVED, "a.ndjson: it has become longer");
    files_put_text(files, "a.ndjson", "{\"id\":1}\n");
    files_scan_fails(files, &first, SOURCE_MOVED, "a.ndjson: it has become shorter");

    g_autofree char *path = files_path(files, "a.ndjson");
    kit_ok(file_unlink(&files->fake.world, path, &error));
    files_scan_fails(files, &first, SOURCE_MOVED, "a.ndjson: it has gone");

    files_put_text(files, "a.ndjson", text); /* put back, at another time: as good as ever */
    assert_true(files_scan_tries(files, &first, &error));
    assert_true(files_scan_tries(files, &second, &error));
}

static void not_one_record_of_a_changed_part_of_a_mebibyte_is_given_out(void **state)
{
    GError *error = NULL;
    struct files *files = *state;
    GString *text = lines(10000);
    assert_in_range(text->len, 400 << 10, 1 << 20);
    files_put(files, "a.ndjson", slice_of(text->str, text->len));
    files->ds.name = "a.ndjson";
    g_autoptr(GArray) parts = files_split(files, &(struct split_wish){.count = 1});
    text->str[text->len - 4] ^= 1;
    put_keeping_time(files, "a.ndjson", slice_of(text->str, text->len));
    g_string_free(text, TRUE);
    struct scan_spec spec = {
        .ds = &files->ds, .bounds = part_at(parts, 0)->bounds, .max_records = 1, .max_bytes = 1 << 20};
    struct call call = files_call(files);
    auto_(scan) scan = NULL;
    struct batch batch;
    kit_ok(store_scan_open(&scan, files->session, &spec, &error));
    kit_refused(store_scan_next(scan, &call, &batch, &error), SOURCE_MOVED, "a.ndjson");
}

/* Where the time of change is another, the whole range is looked at first, however large. */
static void not_one_record_of_a_range_is_given_out_that_was_written_since(void **state)
{
    GError *error = NULL;
    struct files *files = *state;
    GString *text = lines(100000);
    files_put(files, "a.ndjson", slice_of(text->str, text->len));
    files->ds.name = "a.ndjson";
    g_autoptr(GArray) parts = files_split(files, &(struct split_wish){.count = 1});
    text->str[text->len - 4] ^= 1;
    files_put(files, "a.ndjson", slice_of(text->str, text->len));
    g_string_free(text, TRUE);
    struct scan_spec spec = {
        .ds = &files->ds, .bounds = part_at(parts, 0)->bounds, .max_records = 1, .max_bytes = 1 << 20};
    struct call call = files_call(files);
    auto_(scan) scan = NULL;
    struct batch batch;
    kit_ok(store_scan_open(&scan, files->session, &spec, &error));
    kit_refused(store_scan_next(scan, &call, &batch, &error), SOURCE_MOVED, "a.ndjson");
}

static void a_file_that_changes_while_it_is_read_ends_the_scan(void **state)
{
    GError *error = NULL;
    struct files *files = *state;
    GString *text = lines(200000); /* 9 MB */
    files_put(files, "a.ndjson", slice_of(text->str, text->len));
    files->ds.name = "a.ndjson";
    g_autoptr(GArray) parts = files_split(files, &(struct split_wish){.count = 1});
    struct call call = files_call(files);
    struct scan_spec spec = {
        .ds = &files->ds, .bounds = part_at(parts, 0)->bounds, .max_records = 1000, .max_bytes = 1 << 20};
    auto_(scan) scan = NULL;
    struct batch batch;
    kit_ok(store_scan_open(&scan, files->session, &spec, &error));
    kit_ok(store_scan_next(scan, &call, &batch, &error));
    text->str[text->len - 4] ^= 1;
    put_keeping_time(files, "a.ndjson", slice_of(text->str, text->len));
    g_string_free(text, TRUE);
    bool ok = true;
    size_t seen = batch.n;
    while (ok && !batch.done) {
        ok = store_scan_next(scan, &call, &batch, &error);
        seen += ok ? batch.n : 0;
    }
    kit_refused(ok, SOURCE_MOVED, "a.ndjson: its content has changed");
    assert_in_range(seen, 1000, 199999);
}

static void a_resumed_part_is_verified_from_its_beginning(void **state)
{
    GError *error = NULL;
    struct files *files = *state;
    GString *text = lines(100);
    files_put(files, "a.ndjson", slice_of(text->str, text->len));
    files->ds.name = "a.ndjson";
    g_autoptr(GArray) parts = files_split(files, &(struct split_wish){.count = 1});
    struct call call = files_call(files);
    struct scan_spec spec = {
        .ds = &files->ds, .bounds = part_at(parts, 0)->bounds, .max_records = 50, .max_bytes = 1 << 20};
    struct scan *scan;
    struct batch batch;
    auto_(session) other = NULL;
    kit_ok(store_session_open(&other, files->store, &error));
    kit_ok(store_scan_open(&scan, other, &spec, &error));
    kit_ok(store_scan_next(scan, &call, &batch, &error));
    store_scan_close(scan);
    text->str[20] ^= 1; /* before the cursor */
    put_keeping_time(files, "a.ndjson", slice_of(text->str, text->len));
    g_string_free(text, TRUE);
    spec.cursor = batch.cursor;
    files_scan_fails(files, &spec, SOURCE_MOVED, "a.ndjson: its content has changed");
}

static void a_changed_header_moves_every_part(void **state)
{
    GError *error = NULL;
    struct files *files = *state;
    files_put_text(files, "a.csv", "id,name\n1,a\n2,b\n3,c\n");
    files->ds.name = "a.csv";
    g_autoptr(GArray) parts = files_split(files, &(struct split_wish){.records_each = 1});
    assert_int_equal(parts->len, 3);
    put_keeping_time(files, "a.csv", slice_of_text("id,nome\n1,a\n2,b\n3,c\n"));
    for (guint i = 0; i < 3; i++)
        files_scan_fails(files, &(struct scan_spec){.bounds = part_at(parts, i)->bounds}, SOURCE_MOVED, "a.csv");
}

static void an_archive_that_was_listed_whole_and_is_cut_off_now_has_moved(void **state)
{
    GError *error = NULL;
    struct files *files = *state;
    g_autoptr(GString) text = lines(2000);
    g_autoptr(GByteArray) packed = gzip_of(slice_of(text->str, text->len));
    files_put(files, "a.ndjson.gz", slice_of(packed->data, packed->len));
    files->ds.name = "a.ndjson.gz";
    g_autoptr(GArray) parts = files_split(files, &(struct split_wish){.count = 1});
    struct scan_spec spec = {.bounds = part_at(parts, 0)->bounds};
    packed->data[packed->len / 2] ^= 1;
    put_keeping_time(files, "a.ndjson.gz", slice_of(packed->data, packed->len));
    files_scan_fails(files, &spec, SOURCE_MOVED, "a.ndjson.gz: its content has changed");
    g_autoptr(GArray) again = files_split(files, &(struct split_wish){.count = 1});
    spec.bounds = part_at(again, 0)->bounds; /* listed as it is, it is damaged */
    files_scan_fails(files, &spec, CORRUPT, "a.ndjson.gz: the archive is damaged at byte");
}

static void bounds_and_cursors_of_something_else_are_refused(void **state)
{
    GError *error = NULL;
    struct files *files = *state;
    files_put_text(files, "a.ndjson", "{\"id\":1}\n{\"id\":2}\n");
    files_put_text(files, "b.ndjson", "{\"id\":3}\n");
    files->ds.name = "*";
    g_autoptr(GArray) parts = files_split(files, &(struct split_wish){.count = 0});
    files_scan_fails(files, &(struct scan_spec){.bounds = slice_of_text("nonsense")}, CORRUPT, "bounds");
    struct slice bounds = part_at(parts, 0)->bounds;
    for (size_t len = 1; len < bounds.len; len++)
        files_scan_fails(files, &(struct scan_spec){.bounds = slice_of(bounds.data, len)}, CORRUPT, "bounds");
    files_scan_fails(files, &(struct scan_spec){.cursor = slice_of_text("nonsense")}, CORRUPT, "cursor");

    struct call call = files_call(files);
    struct scan_spec spec = {.ds = &files->ds, .max_records = 1, .max_bytes = 1 << 20};
    auto_(scan) scan = NULL;
    struct batch batch;
    kit_ok(store_scan_open(&scan, files->session, &spec, &error));
    kit_ok(store_scan_next(scan, &call, &batch, &error));
    files->ds.name = "b*";
    files_scan_fails(files, &(struct scan_spec){.cursor = batch.cursor}, SOURCE_MOVED, "not those");
}

static void the_store_says_what_it_is(void **state)
{
    GError *error = NULL;
    struct files *files = *state;
    files_put_text(files, "a.ndjson", "{\"id\":1}\n");
    struct call call = files_call(files);
    struct store_info info;
    files->ds.name = "*.ndjson";
    kit_ok(store_inspect(files->session, &call, &info, &error));
    g_autofree char *expected = g_strconcat("file:", files->dir, NULL);
    assert_string_equal(info.identity, expected);
    assert_true(info.dataset_present);
    assert_false(info.keyed);
    assert_int_equal(info.bytes, 9);
    assert_int_equal(info.clock_ms, files->fake.wall_ms);
    files->ds.name = "*.csv";
    kit_ok(store_inspect(files->session, &call, &info, &error));
    assert_false(info.dataset_present);
}

static void every_way_to_a_directory_is_one_store(void **state)
{
    GError *error = NULL;
    struct files *files = *state;
    files_put_text(files, "sub/a.ndjson", "");
    g_autofree char *link = files_path(files, "link"), *link_uri = g_strconcat("file:", link, NULL);
    assert_int_equal(symlink("sub", link), 0);
    g_autofree char *absolute = g_strconcat("file:", files->dir, "/sub/../sub/", NULL);
    const char *const uris[] = {"file:sub", "file:./sub", link_uri, absolute};
    struct store *stores[G_N_ELEMENTS(uris)];
    for (size_t i = 0; i < G_N_ELEMENTS(uris); i++) {
        struct store_config config = {.uri = uris[i], .base_dir = files->dir, .read_only = true};
        kit_ok(store_open(&stores[i], files->registry, &config, &error));
        assert_ptr_equal(stores[i], stores[0]);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(uris); i++)
        store_release(files->registry, stores[i]);
}

static void a_directory_that_is_none_is_named(void **state)
{
    GError *error = NULL;
    struct files *files = *state;
    files_put_text(files, "a.ndjson", "");
    struct store *store;
    struct store_config config = {.uri = "file:nowhere", .base_dir = files->dir, .read_only = true};
    kit_refused(store_open(&store, files->registry, &config, &error), NOT_FOUND, "/nowhere");
    config.uri = "file:a.ndjson";
    kit_refused(store_open(&store, files->registry, &config, &error), REFUSED, "a.ndjson: not a directory");
    config.uri = "file:";
    kit_refused(store_open(&store, files->registry, &config, &error), USAGE, "expected a path");
    config = (struct store_config){.uri = "file:made/deeper", .base_dir = files->dir};
    kit_ok(store_open(&store, files->registry, &config, &error));
    store_release(files->registry, store);
    g_autofree char *made = files_path(files, "made/deeper");
    assert_true(file_exists(&files->fake.world, made));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, files_setup, files_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(large_files_are_cut_at_record_borders),
        TEST(a_part_of_a_file_of_many_chunks_is_found_again),
        TEST(what_cannot_be_cut_is_one_part),
        TEST(faults_are_counted_as_records_of_their_part),
        TEST(a_cursor_goes_on_within_its_part),
        TEST(a_cursor_into_an_array_goes_on_behind_its_comma),
        TEST(a_file_that_has_changed_since_it_was_split_is_named),
        TEST(not_one_record_of_a_changed_part_of_a_mebibyte_is_given_out),
        TEST(not_one_record_of_a_range_is_given_out_that_was_written_since),
        TEST(a_file_that_changes_while_it_is_read_ends_the_scan),
        TEST(a_resumed_part_is_verified_from_its_beginning),
        TEST(a_changed_header_moves_every_part),
        TEST(an_archive_that_was_listed_whole_and_is_cut_off_now_has_moved),
        TEST(bounds_and_cursors_of_something_else_are_refused),
        TEST(the_store_says_what_it_is),
        TEST(every_way_to_a_directory_is_one_store),
        TEST(a_directory_that_is_none_is_named),
    };
    return cmocka_run_group_tests_name("store/file_split", tests, NULL, NULL);
}
