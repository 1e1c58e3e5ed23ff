/* Append-only targets: what is published is there, once, and a drop takes back a run. */
#include "conformance/stand.h"

enum { RECORDS = 300 };

static struct sink_file file_of(struct stand *stand, uint32_t part, uint64_t number)
{
    struct sink_file file = {.id = stand->lane.fence, .number = number};
    file.id.part = part;
    return file;
}

/* Every case is a run of its own. */
static void begin(struct stand *stand)
{
    stand->lane.fence = stand_other_run(stand);
}

/* Records of the values from … from + n - 1. */
static void sink(struct stand *stand, const struct sink_file *file, unsigned from, unsigned n)
{
    GError *error = NULL;
    struct call call = stand_call(stand);
    g_autofree struct record *records = g_new0(struct record, n);
    for (unsigned i = 0; i < n; i++)
        records[i] = (struct record){
            .presence = RECORD_PRESENT, .key = stand_key(stand, from + i), .raw = stand_document(stand, from + i, 0)};
    kit_ok(store_sink_write_durable(stand->session, &call, file, records, n, &error));
}

static void publish(struct stand *stand, const struct sink_file *file)
{
    GError *error = NULL;
    struct call call = stand_call(stand);
    kit_ok(store_sink_publish_durable(stand->session, &call, file, &error));
}

static void drop(struct stand *stand, const struct fence_id *id)
{
    GError *error = NULL;
    struct call call = stand_call(stand);
    kit_ok(store_sink_drop(stand->session, &call, id->run, &error));
}

static bool anything_there(struct stand *stand)
{
    GError *error = NULL;
    struct call call = stand_call(stand);
    struct store_info info;
    kit_ok(store_inspect(stand->session, &call, &info, &error));
    return info.dataset_present;
}

/* What is there has the values 0 … n - 1, each once. */
static void assert_values(struct stand *stand, unsigned n)
{
    size_t found = 0;
    struct record *records = stand_scan(stand, &(struct scan_spec){0}, &found);
    assert_int_equal(found, n);
    g_autofree bool *seen = g_new0(bool, n);
    for (size_t i = 0; i < found; i++) {
        int64_t value = stand_value(stand, records[i].raw);
        assert_in_range(value, 0, n - 1);
        assert_false(seen[value]);
        seen[value] = true;
    }
}

static void what_is_published_is_there_and_nothing_before(struct stand *stand)
{
    begin(stand);
    struct sink_file first = file_of(stand, 1, 1), second = file_of(stand, 2, 1);
    sink(stand, &first, 0, RECORDS);
    sink(stand, &second, RECORDS, 1);
    assert_false(anything_there(stand));
    publish(stand, &first);
    assert_values(stand, RECORDS);
    publish(stand, &second);
    assert_values(stand, RECORDS + 1);
    drop(stand, &first.id);
}

static void a_write_that_is_repeated_before_it_is_published_replaces_the_first(struct stand *stand)
{
    begin(stand);
    struct sink_file file = file_of(stand, 1, 9);
    sink(stand, &file, 1000, RECORDS);
    sink(stand, &file, 0, 7);
    publish(stand, &file);
    assert_values(stand, 7);
    drop(stand, &file.id);
}

static void a_write_of_nothing_takes_away_what_was_left_under_its_name(struct stand *stand)
{
    begin(stand);
    struct sink_file kept = file_of(stand, 1, 8), left = file_of(stand, 1, 9);
    sink(stand, &kept, 0, 7);
    publish(stand, &kept);
    sink(stand, &left, 0, RECORDS);
    publish(stand, &left);
    sink(stand, &left, 0, RECORDS);
    sink(stand, &left, 0, 0);
    sink(stand, &left, 0, 0);
    assert_values(stand, 7);
    drop(stand, &kept.id);
}

static void a_publish_may_be_repeated_also_by_another_process(struct stand *stand)
{
    begin(stand);
    struct sink_file file = file_of(stand, 1, 1);
    sink(stand, &file, 0, RECORDS);
    stand_close(stand);
    stand_open(stand);
    publish(stand, &file);
    publish(stand, &file);
    stand_close(stand);
    stand_open(stand);
    publish(stand, &file);
    assert_values(stand, RECORDS);
    drop(stand, &file.id);
}

static void a_drop_takes_back_its_run_and_no_other(struct stand *stand)
{
    begin(stand);
    struct sink_file kept = file_of(stand, 1, 1);
    sink(stand, &kept, 0, RECORDS);
    publish(stand, &kept);
    begin(stand);
    struct sink_file published = file_of(stand, 1, 1), hidden = file_of(stand, 1, 2);
    sink(stand, &published, RECORDS, 5);
    publish(stand, &published);
    sink(stand, &hidden, RECORDS + 5, 5);
    drop(stand, &published.id);
    drop(stand, &published.id);
    assert_values(stand, RECORDS);
    drop(stand, &kept.id);
    assert_false(anything_there(stand));
}

static void put_files(struct stand *stand)
{
    begin(stand);
    for (uint32_t part = 0; part < 3; part++) {
        struct sink_file file = file_of(stand, part, 1);
        sink(stand, &file, part * RECORDS, RECORDS);
        publish(stand, &file);
    }
}

static void every_cursor_goes_on_with_exactly_the_rest(struct stand *stand)
{
    GError *error = NULL;
    put_files(stand);
    struct call call = stand_call(stand);
    struct scan_spec spec = {.ds = &stand->ds, .max_records = 70, .max_bytes = 1 << 20};
    auto_(scan) scan = NULL;
    kit_ok(store_scan_open(&scan, stand->session, &spec, &error));
    struct batch batch = {.done = false};
    for (unsigned seen = 0; !batch.done;) {
        kit_ok(store_scan_next(scan, &call, &batch, &error));
        seen += (unsigned)batch.n;
        size_t n;
        struct record *rest = stand_scan(stand, &(struct scan_spec){.cursor = batch.cursor}, &n);
        assert_int_equal(n, 3 * RECORDS - seen);
        for (unsigned i = 0; i < n; i++)
            assert_int_equal(stand_value(stand, rest[i].raw), seen + i);
    }
    drop(stand, &stand->lane.fence);
}

static void parts_cover_everything_exactly_once(struct stand *stand)
{
    static const struct split_wish wishes[] = {{.records_each = 1}, {.records_each = 299}, {.count = 4}, {.count = 0}};
    put_files(stand);
    for (size_t i = 0; i < G_N_ELEMENTS(wishes); i++) {
        GError *error = NULL;
        struct call call = stand_call(stand);
        g_autoptr(GArray) parts = g_array_new(false, false, sizeof(struct part_bounds));
        struct part_list list = {.parts = parts, .mem = stand->mem};
        kit_ok(store_split(stand->session, &call, &wishes[i], &list, &error));
        unsigned seen = 0;
        for (guint p = 0; p < parts->len; p++) {
            size_t n;
            struct slice bounds = g_array_index(parts, struct part_bounds, p).bounds;
            struct record *part = stand_scan(stand, &(struct scan_spec){.bounds = bounds}, &n);
            for (size_t j = 0; j < n; j++)
                assert_int_equal(stand_value(stand, part[j].raw), seen++);
        }
        assert_int_equal(seen, 3 * RECORDS);
    }
    drop(stand, &stand->lane.fence);
}

static GArray *published(struct stand *stand, const struct fence_id *id)
{
    GError *error = NULL;
    struct call call = stand_call(stand);
    GArray *files = g_array_new(false, false, sizeof(struct sink_file));
    kit_ok(store_sink_published(stand->session, &call, id->run, files, &error));
    return files;
}

/* By number, whatever the order in which they came: an engine counts to 10 and further. */
static void what_is_published_is_listed_in_order_and_nothing_of_another_run(struct stand *stand)
{
    static const uint64_t numbers[] = {10, 2, 1};
    begin(stand);
    struct sink_file others = file_of(stand, 0, 1);
    sink(stand, &others, 0, 1);
    publish(stand, &others);
    begin(stand);
    for (uint32_t part = 0; part < 2; part++)
        for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++) {
            struct sink_file file = file_of(stand, 1 - part, numbers[i]);
            sink(stand, &file, 0, 1);
            publish(stand, &file);
        }
    struct sink_file hidden = file_of(stand, 0, 3);
    sink(stand, &hidden, 0, 1);
    g_autoptr(GArray) files = published(stand, &stand->lane.fence);
    assert_int_equal(files->len, 6);
    for (guint i = 0; i < files->len; i++) {
        const struct sink_file *file = &g_array_index(files, struct sink_file, i);
        assert_int_equal(file->id.part, i / 3);
        assert_int_equal(file->number, numbers[2 - i % 3]);
        assert_memory_equal(file->id.run, stand->lane.fence.run, sizeof file->id.run);
    }
    drop(stand, &stand->lane.fence);
    drop(stand, &others.id);
    g_autoptr(GArray) none = published(stand, &stand->lane.fence);
    assert_int_equal(none->len, 0);
}

static void a_published_file_is_scanned_by_its_bounds_as_it_stands(struct stand *stand)
{
    GError *error = NULL;
    put_files(stand);
    g_autoptr(GArray) files = published(stand, &stand->lane.fence);
    assert_int_equal(files->len, 3);
    for (guint i = 0; i < files->len; i++) {
        struct call call = stand_call(stand);
        struct scan_spec spec = {.max_records = 70};
        size_t n;
        kit_ok(
            store_sink_bounds(stand->session, &call, &g_array_index(files, struct sink_file, i), &spec.bounds, &error));
        struct record *records = stand_scan(stand, &spec, &n);
        assert_int_equal(n, RECORDS);
        for (unsigned j = 0; j < n; j++)
            assert_int_equal(stand_value(stand, records[j].raw), i * RECORDS + j);
    }
    drop(stand, &stand->lane.fence);
}

#define SINKS (NEEDS(SINK) | NEEDS(SCAN))

const struct conformance_case sink_cases[] = {
    {"what-is-published-is-there-and-nothing-before", SINKS, what_is_published_is_there_and_nothing_before},
    {"a-write-that-is-repeated-before-it-is-published-replaces-the-first", SINKS,
     a_write_that_is_repeated_before_it_is_published_replaces_the_first},
    {"a-write-of-nothing-takes-away-what-was-left-under-its-name", SINKS,
     a_write_of_nothing_takes_away_what_was_left_under_its_name},
    {"a-publish-may-be-repeated-also-by-another-process", SINKS, a_publish_may_be_repeated_also_by_another_process},
    {"a-drop-takes-back-its-run-and-no-other", SINKS, a_drop_takes_back_its_run_and_no_other},
    {"what-is-published-is-listed-in-order-and-nothing-of-another-run", SINKS,
     what_is_published_is_listed_in_order_and_nothing_of_another_run},
    {"a-published-file-is-scanned-by-its-bounds-as-it-stands", SINKS,
     a_published_file_is_scanned_by_its_bounds_as_it_stands},
    {"every-cursor-goes-on-with-exactly-the-rest", SINKS, every_cursor_goes_on_with_exactly_the_rest},
    {"parts-cover-everything-exactly-once", SINKS | NEEDS(SPLIT), parts_cover_everything_exactly_once},
    {NULL, 0, NULL},
};
