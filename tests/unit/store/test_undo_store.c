/* The store `undo:` over the golden log, whole and damaged. What it holds is in tests/golden/undo/v1/dump.ndjson; that
 * both decoders of the format agree is tested in tests/unit/undo. */
#include "store/undo/undo_store.h"

#include <errno.h>
#include <stdio.h>

#include "kit/fake_world.h"
#include "kit/kit.h"
#include "store/calls.h"

struct desk {
    struct fake_world fake;
    struct store_registry *registry;
    struct store *store;
    struct session *session;
    struct arena *mem;
    char *dir; /* a copy of the golden log */
    struct dataset ds;
};

static char *golden(const char *name)
{
    const char *source = g_getenv("SLUICE_SOURCE");
    return g_build_filename(source ? source : "..", "tests", "golden", "undo", "v1", "undo", name, NULL);
}

static void copy_in(const struct desk *desk, const char *name)
{
    g_autofree char *from = golden(name), *to = g_build_filename(desk->dir, name, NULL), *data = NULL;
    gsize len;
    assert_true(g_file_get_contents(from, &data, &len, NULL));
    assert_true(g_file_set_contents(to, data, (gssize)len, NULL));
}

static void desk_init(struct desk *desk, const char *dir)
{
    static const char *const names[] = {"MANIFEST", "000001.undo", "000002.undo", "000003.undo", "000004.undo"};
    *desk = (struct desk){.mem = arena_new(1 << 20), .dir = g_strdup(dir), .ds = {.name = ""}};
    fake_world_init(&desk->fake);
    desk->registry = store_registry_new(&desk->fake.world, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        copy_in(desk, names[i]);
}

static bool desk_try(struct desk *desk, bool read_only, GError **error)
{
    struct store_config config = {.uri = "undo:.", .base_dir = desk->dir, .read_only = read_only};
    return store_open(&desk->store, desk->registry, &config, error);
}

static void desk_open(struct desk *desk)
{
    GError *error = NULL;
    kit_ok(desk_try(desk, true, &error));
    kit_ok(store_session_open(&desk->session, desk->store, &error));
}

static void desk_close(struct desk *desk)
{
    store_session_close(desk->session);
    if (desk->store)
        store_release(desk->registry, desk->store);
    desk->session = NULL;
    desk->store = NULL;
}

static void desk_done(struct desk *desk)
{
    desk_close(desk);
    store_registry_free(desk->registry);
    arena_free(desk->mem);
    g_free(desk->dir);
}

static void flip(const struct desk *desk, const char *name, size_t offset)
{
    g_autofree char *path = g_build_filename(desk->dir, name, NULL), *data = NULL;
    gsize len;
    assert_true(g_file_get_contents(path, &data, &len, NULL));
    data[offset] = (char)(data[offset] ^ 1);
    assert_true(g_file_set_contents(path, data, (gssize)len, NULL));
}

static struct call call_of(struct desk *desk)
{
    return (struct call){.ds = &desk->ds, .mem = desk->mem};
}

static struct scan_spec spec_of(struct desk *desk)
{
    return (struct scan_spec){.ds = &desk->ds, .max_records = 100, .max_bytes = 1 << 20};
}

/* The keys of a scan, joined by blanks; bytes that are not printable as dots. */
static char *keys_of(struct desk *desk, const struct scan_spec *spec)
{
    GError *error = NULL;
    auto_(scan) scan = NULL;
    GString *keys = g_string_new(NULL);
    kit_ok(store_scan_open(&scan, desk->session, spec, &error));
    for (struct batch batch = {.n = 0}; !batch.done;) {
        struct call call = call_of(desk);
        kit_ok(store_scan_next(scan, &call, &batch, &error));
        for (size_t i = 0; i < batch.n; i++) {
            g_string_append(keys, keys->len ? " " : "");
            for (size_t j = 0; j < batch.records[i].key.len; j++) {
                char byte = (char)batch.records[i].key.data[j];
                g_string_append_c(keys, g_ascii_isprint(byte) ? byte : '.');
            }
        }
    }
    return g_string_free(keys, FALSE);
}

static char *keys_of_part(struct desk *desk, uint32_t part)
{
    struct scan_spec spec = spec_of(desk);
    spec.bounds = undo_part_bounds(part, desk->mem);
    return keys_of(desk, &spec);
}

#define assert_keys(call, expected)                                                                                    \
    do {                                                                                                               \
        g_autofree char *found = call;                                                                                 \
        assert_string_equal(found, expected);                                                                          \
    } while (0)

static void a_scan_gives_what_was_applied_partition_by_partition(void **state)
{
    struct desk desk;
    desk_init(&desk, *state);
    desk_open(&desk);
    struct scan_spec all = spec_of(&desk);
    assert_keys(keys_of(&desk, &all), "alice bob ... before 1970 packed alice");
    assert_keys(keys_of_part(&desk, 0), "alice bob ... before 1970");
    assert_keys(keys_of_part(&desk, 3), "packed");
    assert_keys(keys_of_part(&desk, 5), "");
    all.max_records = 1;
    assert_keys(keys_of(&desk, &all), "alice bob ... before 1970 packed alice");
    all.max_records = 100;
    all.max_bytes = 10;
    assert_keys(keys_of(&desk, &all), "alice bob ... before 1970 packed alice");
    desk_done(&desk);
}

static void a_record_is_the_pre_image_and_what_took_its_place(void **state)
{
    struct desk desk;
    desk_init(&desk, *state);
    desk_open(&desk);
    GError *error = NULL;
    struct scan *scan;
    struct scan_spec spec = spec_of(&desk);
    struct call call = call_of(&desk);
    struct batch batch;
    struct digest written;
    bool deleted;
    struct undo_nth nth, after;
    spec.bounds = undo_part_bounds(0, desk.mem);
    kit_ok(store_scan_open(&scan, desk.session, &spec, &error));
    kit_ok(store_scan_next(scan, &call, &batch, &error));
    assert_int_equal(batch.n, 4);
    assert_true(batch.done);
    undo_record_nth(&batch.records[0], &nth);
    undo_record_nth(&batch.records[1], &after);
    assert_int_equal(nth.lane, 1);
    assert_int_equal(nth.number, 1);
    assert_int_equal(after.number, 2);
    assert_int_equal(batch.records[0].presence, RECORD_PRESENT);
    kit_equal_text(batch.records[0].raw, "{\"tier\":\"gol\"}");
    assert_true(undo_record_written(&batch.records[0], &written, &deleted));
    assert_true(digest_equal(written, digest_stored(slice_of_text("A"), EXPIRES_NEVER)));
    assert_false(deleted);
    assert_int_equal(batch.records[1].presence, RECORD_ABSENT);
    assert_int_equal(batch.records[1].raw.len, 0);
    assert_true(batch.records[2].expires_at_ms == 1783700000123);
    assert_true(undo_record_written(&batch.records[2], &written, &deleted));
    assert_true(deleted);
    assert_true(batch.records[3].expires_at_ms == -1);
    struct record foreign = {.etag = {.len = 16}};
    assert_false(undo_record_written(&foreign, &written, &deleted));
    store_scan_close(scan);
    desk_done(&desk);
}

static void keys_alone_come_without_values(void **state)
{
    struct desk desk;
    desk_init(&desk, *state);
    desk_open(&desk);
    GError *error = NULL;
    struct scan *scan;
    struct scan_spec spec = spec_of(&desk);
    struct call call = call_of(&desk);
    struct batch batch;
    spec.keys_only = true;
    kit_ok(store_scan_open(&scan, desk.session, &spec, &error));
    kit_ok(store_scan_next(scan, &call, &batch, &error));
    assert_int_equal(batch.n, 6);
    for (size_t i = 0; i < batch.n; i++)
        assert_int_equal(batch.records[i].raw.len, 0);
    store_scan_close(scan);
    desk_done(&desk);
}

static void a_split_is_a_part_for_each_partition_written(void **state)
{
    struct desk desk;
    desk_init(&desk, *state);
    desk_open(&desk);
    GError *error = NULL;
    struct call call = call_of(&desk);
    struct part_list list = {.parts = g_array_new(FALSE, FALSE, sizeof(struct part_bounds)), .mem = desk.mem};
    struct split_wish wish = {.count = 2};
    static const uint64_t records[] = {5, 1, 1, 1};
    static const char *const keys[] = {"alice bob ... before 1970", "packed", "alice", ""};
    kit_ok(store_split(desk.session, &call, &wish, &list, &error));
    assert_int_equal(list.parts->len, 4); /* 0, 3, 4 and 9; what a rollback wrote is none */
    for (guint i = 0; i < list.parts->len; i++) {
        const struct part_bounds *part = &g_array_index(list.parts, struct part_bounds, i);
        struct scan_spec spec = spec_of(&desk);
        spec.bounds = part->bounds;
        assert_int_equal(part->records, records[i]);
        assert_keys(keys_of(&desk, &spec), keys[i]);
    }
    g_array_unref(list.parts);
    desk_done(&desk);
}

static void it_says_whose_it_is_and_how_much(void **state)
{
    struct desk desk;
    desk_init(&desk, *state);
    desk_open(&desk);
    GError *error = NULL;
    struct call call = call_of(&desk);
    struct store_info info;
    for (int i = 0; i < 2; i++) {
        kit_ok(store_inspect(desk.session, &call, &info, &error));
        assert_string_equal(info.identity, "a1b2c3d40102030405060708090a0b0c");
        assert_int_equal(info.records, 8);
        assert_true(info.keyed);
        assert_true(info.dataset_present);
        assert_in_range(info.bytes, 800, 1100);
    }
    desk_done(&desk);
}

static void what_was_never_settled_is_passed_over_and_counted(void **state)
{
    struct desk desk;
    desk_init(&desk, *state);
    desk_open(&desk);
    struct undo_losses losses;
    assert_keys(keys_of_part(&desk, 0), "alice bob ... before 1970");
    undo_store_losses(desk.session, &losses);
    assert_int_equal(losses.unsettled, 0);
    assert_keys(keys_of_part(&desk, 9), "");
    undo_store_losses(desk.session, &losses);
    assert_int_equal(losses.unsettled, 1);
    assert_int_equal(losses.damaged_blocks, 0);
    desk_done(&desk);
}

static void damage_is_passed_over_and_counted(void **state)
{
    static const struct {
        const char *name;
        size_t offset;
        const char *keys;
        uint64_t unsettled, damaged_blocks;
    } rows[] = {
        {"000001.undo", 150, "packed alice", 1, 1},                         /* intents of partition 0 */
        {"000001.undo", 60, "packed alice", 1, 4},                          /* their head: could be of any partition */
        {"000001.undo", 362, "packed alice", 6, 1},                         /* their outcomes */
        {"000001.undo", 483, "alice bob ... before 1970 alice", 1, 1},      /* the last byte of a closed segment */
        {"000003.undo", 3, "alice bob ... before 1970 packed alice", 1, 0}, /* a segment's header: nothing but itself */
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct desk desk;
        struct undo_losses losses;
        desk_init(&desk, *state);
        flip(&desk, rows[i].name, rows[i].offset);
        desk_open(&desk);
        struct scan_spec all = spec_of(&desk);
        assert_keys(keys_of(&desk, &all), rows[i].keys);
        undo_store_losses(desk.session, &losses);
        assert_int_equal(losses.unsettled, rows[i].unsettled);
        assert_int_equal(losses.damaged_blocks, rows[i].damaged_blocks);
        desk_done(&desk);
    }
}

static void what_is_no_undo_log_is_refused(void **state)
{
    struct desk desk;
    GError *error = NULL;
    desk_init(&desk, *state);
    kit_refused(desk_try(&desk, false, &error), USAGE, "can only be read");
    g_autofree char *manifest = g_build_filename(desk.dir, "MANIFEST", NULL);
    assert_true(g_file_set_contents(manifest, "{\"undo\": 2}", -1, NULL));
    kit_refused(desk_try(&desk, true, &error), CORRUPT, "MANIFEST");
    remove(manifest);
    kit_refused(desk_try(&desk, true, &error), CORRUPT, "put it back from a copy of the home");
    struct store_config none = {.uri = "undo:none", .base_dir = desk.dir, .read_only = true};
    kit_refused(store_open(&desk.store, desk.registry, &none, &error), NOT_FOUND, "MANIFEST");
    struct store_config nowhere = {.uri = "undo:", .base_dir = desk.dir, .read_only = true};
    assert_false(store_open(&desk.store, desk.registry, &nowhere, &error));
    assert_true(error_is(error, SLUICE_ERROR_USAGE));
    g_clear_error(&error);
    desk_done(&desk);
}

static void another_runs_segment_is_refused(void **state)
{
    struct desk desk;
    GError *error = NULL;
    desk_init(&desk, *state);
    g_autofree char *manifest = g_build_filename(desk.dir, "MANIFEST", NULL);
    assert_true(g_file_set_contents(manifest,
                                    "{\"undo\": 1, \"run\": \"00000000000000000000000000000000\", "
                                    "\"segments\": [{\"name\": \"000001.undo\"}]}",
                                    -1, NULL));
    desk_open(&desk);
    struct scan_spec all = spec_of(&desk);
    struct scan *scan;
    kit_refused(store_scan_open(&scan, desk.session, &all, &error), CORRUPT, "000001.undo");
    desk_done(&desk);
}

static void what_it_cannot_do_is_refused(void **state)
{
    struct desk desk;
    GError *error = NULL;
    desk_init(&desk, *state);
    desk_open(&desk);
    struct record record = {.key = slice_of_text("alice")};
    struct call call = call_of(&desk);
    struct scan_spec bad = spec_of(&desk);
    struct scan *scan;
    kit_refused(store_read(desk.session, &call, &record, 1, &error), NOT_PERMITTED, "read by key");
    bad.cursor = slice_of_text("cursor");
    kit_refused(store_scan_open(&scan, desk.session, &bad, &error), CORRUPT, "cursor");
    bad.cursor = SLICE_EMPTY;
    bad.bounds = slice_of_text("a");
    kit_refused(store_scan_open(&scan, desk.session, &bad, &error), CORRUPT, "bounds");
    desk_done(&desk);
}

static void a_scan_goes_on_from_any_cursor(void **state)
{
    struct desk desk;
    GError *error = NULL;
    desk_init(&desk, *state);
    desk_open(&desk);
    GString *keys = g_string_new(NULL);
    struct scan_spec spec = spec_of(&desk);
    spec.max_records = 1;
    for (bool done = false; !done;) {
        auto_(scan) scan = NULL;
        struct call call = call_of(&desk);
        struct batch batch;
        kit_ok(store_scan_open(&scan, desk.session, &spec, &error));
        kit_ok(store_scan_next(scan, &call, &batch, &error));
        if (batch.n)
            g_string_append_printf(keys, "%c", (char)batch.records[0].key.data[0]);
        spec.cursor = batch.cursor;
        done = batch.done;
    }
    assert_string_equal(keys->str, "ab\xff"
                                   "bpa");
    g_string_free(keys, TRUE);
    assert_keys(keys_of(&desk, &spec), ""); /* from the end on */
    desk_done(&desk);
}

static void small_memory_and_failing_files_are_errors_not_ends(void **state)
{
    struct desk desk;
    GError *error = NULL;
    desk_init(&desk, *state);
    desk_open(&desk);
    struct scan *scan;
    auto_(arena) tiny = arena_new(600);
    struct scan_spec spec = spec_of(&desk);
    struct batch batch;
    spec.bounds = undo_part_bounds(3, desk.mem);
    spec.max_records = 1;
    struct call call = {.ds = &desk.ds, .mem = tiny};
    kit_ok(store_scan_open(&scan, desk.session, &spec, &error));
    kit_refused(store_scan_next(scan, &call, &batch, &error), TOO_BIG, "does not fit");
    for (uint64_t nth = 1, fired = 1; fired; nth++) {
        struct scan *again = NULL;
        struct call whole = call_of(&desk);
        desk.fake.fault = (struct fake_fault){.call = "pread", .nth = nth, .number = EIO};
        desk.fake.calls = desk.fake.fired = 0;
        bool ok =
            store_scan_open(&again, desk.session, &spec, &error) && store_scan_next(again, &whole, &batch, &error);
        fired = desk.fake.fired;
        assert_true(ok == !fired);
        g_clear_error(&error);
        store_scan_close(again);
        desk.fake.fault = (struct fake_fault){.nth = 0};
    }
    atomic_bool cancel = true;
    struct call given_up = {.ds = &desk.ds, .mem = desk.mem, .cancel = &cancel};
    kit_refused(store_scan_next(scan, &given_up, &batch, &error), CANCELLED, "given up");
    store_scan_close(scan);
    desk_done(&desk);
}

#define IN_DIR(name) cmocka_unit_test_setup_teardown(name, kit_dir_setup, kit_dir_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIR(a_scan_gives_what_was_applied_partition_by_partition),
        IN_DIR(a_record_is_the_pre_image_and_what_took_its_place),
        IN_DIR(keys_alone_come_without_values),
        IN_DIR(a_split_is_a_part_for_each_partition_written),
        IN_DIR(it_says_whose_it_is_and_how_much),
        IN_DIR(what_was_never_settled_is_passed_over_and_counted),
        IN_DIR(damage_is_passed_over_and_counted),
        IN_DIR(what_is_no_undo_log_is_refused),
        IN_DIR(another_runs_segment_is_refused),
        IN_DIR(what_it_cannot_do_is_refused),
        IN_DIR(a_scan_goes_on_from_any_cursor),
        IN_DIR(small_memory_and_failing_files_are_errors_not_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
