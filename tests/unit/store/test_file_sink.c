/* The driver `file` as a target: part files, hidden until they are published, gone after a drop. */
#include "test_file_kit.h"

static const struct sink_file first = {.id = {.run = {0xab, 0xcd, 1, 2, 3, 4, 5, 6, 7}, .part = 7}, .number = 12};
static const struct sink_file second = {.id = {.run = {0xab, 0xcd, 1, 2, 3, 4, 5, 6, 7}, .part = 7}, .number = 13};
static const struct sink_file other_run = {.id = {.run = {0xab, 0xcd, 1, 2, 3, 4, 5, 7}, .part = 7}, .number = 12};

static struct record record_of(struct files *files, const char *json)
{
    GError *error = NULL;
    struct record record = {.presence = RECORD_PRESENT, .key = slice_of_text("k")};
    kit_ok(document_from_json(slice_of_text(json), files->mem, &record.raw, NULL, &error));
    return record;
}

static void write_two(struct files *files, const struct sink_file *file)
{
    GError *error = NULL;
    struct call call = files_call(files);
    struct record records[] = {record_of(files, "{\"id\":1,\"n\":0.10}"), record_of(files, "{\"id\":2,\"n\":-0}")};
    kit_ok(store_sink_write_durable(files->session, &call, file, records, 2, &error));
}

static void publish(struct files *files, const struct sink_file *file)
{
    GError *error = NULL;
    struct call call = files_call(files);
    kit_ok(store_sink_publish_durable(files->session, &call, file, &error));
}

static size_t names_in(struct files *files, const char *below)
{
    GError *error = NULL;
    g_autofree char *dir = files_path(files, below);
    g_autoptr(GPtrArray) names = NULL;
    kit_ok(file_list(&files->fake.world, dir, &names, &error));
    return names->len;
}

static bool is_there(struct files *files, const char *name)
{
    g_autofree char *path = files_path(files, name);
    return file_exists(&files->fake.world, path);
}

static void what_is_written_is_seen_once_it_is_published(void **state)
{
    static const char *const datasets[] = {"out-*.ndjson", "out-*.ndjson.gz", "out-*.ndjson.zst",
                                           "out-*.json",   "out-*.jsonl",     "deep/er/out-*.json.gz"};
    struct files *files = *state;
    for (size_t i = 0; i < G_N_ELEMENTS(datasets); i++) {
        GError *error = NULL;
        files->ds.name = datasets[i];
        write_two(files, &first);
        if (!strchr(datasets[i], '/'))
            files_scan_fails(files, &(struct scan_spec){0}, NOT_FOUND, "no file there matches");
        for (int again = 0; again < 2; again++) {
            publish(files, &first);
            size_t n;
            struct record *records = files_scan(files, datasets[i], &n);
            assert_int_equal(n, 2);
            assert_document(&records[0], "{\"id\":1,\"n\":0.10}");
            assert_document(&records[1], "{\"id\":2,\"n\":-0}");
        }
    }
    assert_true(is_there(files, "out-abcd010203040506-000007-00000012.ndjson"));
}

static void everything_is_on_disk_when_the_call_returns(void **state)
{
    struct files *files = *state;
    files->ds.name = "out-*.ndjson";
    uint64_t synced = files->fake.synced;
    write_two(files, &first);
    assert_int_equal(files->fake.synced - synced, 2); /* the file, and the directory */
    synced = files->fake.synced;
    publish(files, &first);
    assert_int_equal(files->fake.synced - synced, 1);
}

static void an_attempt_that_is_repeated_replaces_the_first(void **state)
{
    struct files *files = *state;
    files->ds.name = "out-*.ndjson";
    write_two(files, &first);
    write_two(files, &first);
    assert_int_equal(names_in(files, "."), 1);
    publish(files, &first);
    size_t n;
    files_scan(files, "out-*.ndjson", &n);
    assert_int_equal(n, 2);
}

static void a_drop_removes_all_of_the_run_and_nothing_else(void **state)
{
    GError *error = NULL;
    struct files *files = *state;
    files->ds.name = "out-*.ndjson";
    write_two(files, &first);
    publish(files, &first);
    write_two(files, &second);
    write_two(files, &other_run);
    publish(files, &other_run);
    files_put_text(files, "out-mine.ndjson", "");
    struct call call = files_call(files);
    for (int again = 0; again < 2; again++) {
        kit_ok(store_sink_drop(files->session, &call, first.id.run, &error));
        assert_int_equal(names_in(files, "."), 2);
        assert_true(is_there(files, "out-mine.ndjson"));
        assert_true(is_there(files, "out-abcd010203040507-000007-00000012.ndjson"));
    }
    files->ds.name = "nowhere/out-*.ndjson";
    kit_ok(store_sink_drop(files->session, &call, first.id.run, &error));
}

static void names_that_the_run_did_not_give_are_not_listed(void **state)
{
    static const char *const others[] = {
        "out-abcd010203040506-7-00000013.ndjson",          "out-abcd010203040506-000007-13.ndjson",
        "out-abcd010203040506-000007-00000013.jsonl",      "out-abcd010203040506-000007.ndjson",
        "out-abcd010203040506-000007-00000013-1.ndjson",   "out-abcd010203040506-5000000000-00000013.ndjson",
        "out-abcd010203040506-000007-00000013.ndjson.tmp", "out-abcd010203040506-mine.ndjson"};
    GError *error = NULL;
    struct files *files = *state;
    files->ds.name = "out-*.ndjson";
    g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(struct sink_file));
    for (size_t i = 0; i < G_N_ELEMENTS(others); i++)
        files_put_text(files, others[i], "");
    struct call call = files_call(files);
    write_two(files, &first);
    publish(files, &first);
    kit_ok(store_sink_published(files->session, &call, first.id.run, found, &error));
    assert_int_equal(found->len, 1);
    assert_int_equal(g_array_index(found, struct sink_file, 0).number, first.number);
    files->ds.name = "nowhere/out-*.ndjson";
    kit_ok(store_sink_published(files->session, &call, first.id.run, found, &error));
    assert_int_equal(found->len, 1);
}

static void a_publish_of_what_was_never_written_fails(void **state)
{
    GError *error = NULL;
    struct files *files = *state;
    files->ds.name = "out-*.ndjson";
    struct call call = files_call(files);
    kit_refused(store_sink_publish_durable(files->session, &call, &first, &error), STORE, "neither it nor");
}

static void write_none(struct files *files, const struct sink_file *file)
{
    GError *error = NULL;
    struct call call = files_call(files);
    kit_ok(store_sink_write_durable(files->session, &call, file, NULL, 0, &error));
}

static void what_was_left_under_a_name_goes_where_nothing_is_to_be_written(void **state)
{
    struct files *files = *state;
    files->ds.name = "nowhere/out-*.ndjson";
    write_none(files, &first);
    assert_false(is_there(files, "nowhere"));
    files->ds.name = "out-*.ndjson";
    write_two(files, &second);
    publish(files, &second);
    for (int published = 0; published < 2; published++) {
        write_two(files, &first);
        if (published)
            publish(files, &first);
        assert_int_equal(names_in(files, "."), 2);
        for (int again = 0; again < 2; again++) {
            write_none(files, &first);
            assert_int_equal(names_in(files, "."), 1);
        }
    }
    assert_true(is_there(files, "out-abcd010203040506-000007-00000013.ndjson"));
}

static void a_dataset_that_cannot_be_written_says_why(void **state)
{
    static const struct {
        const char *dataset, *part;
    } rows[] = {
        {"out-*.csv", "CSV keeps neither types nor nested fields"},
        {"out.ndjson", "expected one '*'"},
        {"out-*-*.ndjson", "expected one '*'"},
        {"*/out-*.ndjson", "expected one '*'"},
        {"out-*.txt", "expected a name that ends in .ndjson"},
        {"../out-*.ndjson", "below the store's directory"},
        {".out-*.ndjson", "expected one '*'"},
        {"a#b-*.ndjson", "expected no '#'"},
    };
    struct files *files = *state;
    struct call call = files_call(files);
    struct record record = record_of(files, "{}");
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        GError *error = NULL;
        files->ds.name = rows[i].dataset;
        kit_refused(store_sink_write_durable(files->session, &call, &first, &record, 1, &error), REFUSED, rows[i].part);
    }
}

static void a_write_that_fails_leaves_nothing_behind(void **state)
{
    static const char *const calls[] = {"pwrite", "fsync"};
    struct files *files = *state;
    files->ds.name = "out-*.ndjson";
    struct call call = files_call(files);
    struct record record = record_of(files, "{\"id\":1}");
    for (size_t i = 0; i < G_N_ELEMENTS(calls); i++) {
        GError *error = NULL;
        fake_world_arm(&files->fake, (struct fake_fault){.call = calls[i], .nth = 1, .number = ENOSPC});
        bool ok = store_sink_write_durable(files->session, &call, &first, &record, 1, &error);
        assert_false(ok);
        assert_true(error_is(error, i == 0 ? SLUICE_ERROR_NO_SPACE : SLUICE_ERROR_SYNC_FAILED));
        g_clear_error(&error);
        assert_int_equal(names_in(files, "."), 0);
    }
}

/* A fault is no absence: nothing was said to be published, or to be gone, that could not be looked at. */
static void what_cannot_be_looked_at_is_not_taken_for_absent(void **state)
{
    GError *error = NULL;
    struct files *files = *state;
    files->ds.name = "out-*.ndjson";
    struct call call = files_call(files);
    g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(struct sink_file));
    write_two(files, &first);
    publish(files, &first);
    write_two(files, &first);
    for (int i = 0; i < 4; i++) {
        fake_world_arm(&files->fake, (struct fake_fault){.call = "stat", .nth = 1, .number = EIO});
        bool ok = i == 0   ? store_sink_published(files->session, &call, first.id.run, found, &error)
                  : i == 1 ? store_sink_publish_durable(files->session, &call, &first, &error)
                  : i == 2 ? store_sink_write_durable(files->session, &call, &first, NULL, 0, &error)
                           : store_sink_drop(files->session, &call, first.id.run, &error);
        assert_false(ok);
        assert_int_equal(files->fake.fired, 1);
        g_clear_error(&error);
    }
    assert_int_equal(names_in(files, "."), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, files_setup, files_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_written_is_seen_once_it_is_published),
        TEST(everything_is_on_disk_when_the_call_returns),
        TEST(an_attempt_that_is_repeated_replaces_the_first),
        TEST(a_drop_removes_all_of_the_run_and_nothing_else),
        TEST(names_that_the_run_did_not_give_are_not_listed),
        TEST(a_publish_of_what_was_never_written_fails),
        TEST(a_dataset_that_cannot_be_written_says_why),
        TEST(a_write_that_fails_leaves_nothing_behind),
        TEST(what_cannot_be_looked_at_is_not_taken_for_absent),
        TEST(what_was_left_under_a_name_goes_where_nothing_is_to_be_written),
    };
    return cmocka_run_group_tests_name("store/file_sink", tests, NULL, NULL);
}
