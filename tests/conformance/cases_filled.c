/* For a driver that can only read: over what its store holds from the beginning, which nobody changes. */
#include "conformance/stand.h"

/* A store of some hundred bytes is enough to go on in the middle of. */
enum { AT_LEAST = 4, PARTS_MEMORY = 1 << 20 };

static void assert_same(const struct record *one, const struct record *other)
{
    assert_true(slice_equal(one->key, other->key));
    assert_int_equal(one->presence, other->presence);
    assert_true(slice_equal(one->raw, other->raw));
    assert_int_equal(one->expires_at_ms, other->expires_at_ms);
    assert_memory_equal(&one->etag, &other->etag, sizeof one->etag);
}

static void assert_all_same(const struct record *some, const struct record *others, size_t n)
{
    for (size_t i = 0; i < n; i++)
        assert_same(&some[i], &others[i]);
}

static void what_is_there_comes_the_same_in_any_batches(struct stand *stand)
{
    size_t n, again;
    struct record *records = stand_scan(stand, &(struct scan_spec){0}, &n);
    assert_true(n >= AT_LEAST);
    for (size_t each = 1; each <= n; each++) {
        struct record *others = stand_scan(stand, &(struct scan_spec){.max_records = each}, &again);
        assert_int_equal(again, n);
        assert_all_same(records, others, n);
    }
}

static void keys_alone_are_the_same_keys(struct stand *stand)
{
    size_t n, again;
    struct record *records = stand_scan(stand, &(struct scan_spec){0}, &n);
    struct record *keys = stand_scan(stand, &(struct scan_spec){.keys_only = true}, &again);
    assert_int_equal(again, n);
    for (size_t i = 0; i < n; i++)
        assert_true(slice_equal(keys[i].key, records[i].key));
}

static void what_is_there_is_gone_on_with_from_every_cursor(struct stand *stand)
{
    GError *error = NULL;
    size_t n, rest, seen = 0;
    struct record *records = stand_scan(stand, &(struct scan_spec){0}, &n);
    struct call call = stand_call(stand);
    struct scan_spec spec = {.ds = &stand->ds, .max_records = 1, .max_bytes = 1 << 20};
    auto_(scan) scan = NULL;
    kit_ok(store_scan_open(&scan, stand->session, &spec, &error));
    for (struct batch batch = {.done = false}; !batch.done;) {
        kit_ok(store_scan_next(scan, &call, &batch, &error));
        seen += batch.n;
        struct record *others = stand_scan(stand, &(struct scan_spec){.cursor = batch.cursor}, &rest);
        assert_int_equal(seen + rest, n);
        assert_all_same(records + seen, others, rest);
    }
    assert_int_equal(seen, n);
}

/* In the order of the parts, which is that of the whole. */
static void its_parts_are_the_whole(struct stand *stand)
{
    GError *error = NULL;
    size_t n, of_part, seen = 0;
    struct record *records = stand_scan(stand, &(struct scan_spec){0}, &n);
    struct call call = stand_call(stand);
    auto_(arena) mem = arena_new(PARTS_MEMORY);
    g_autoptr(GArray) parts = g_array_new(false, true, sizeof(struct part_bounds));
    struct part_list list = {.parts = parts, .mem = mem};
    kit_ok(store_split(stand->session, &call, &(struct split_wish){.records_each = 1}, &list, &error));
    assert_true(parts->len > 1);
    for (guint i = 0; i < parts->len; i++) {
        struct slice bounds = g_array_index(parts, struct part_bounds, i).bounds;
        struct record *others = stand_scan(stand, &(struct scan_spec){.bounds = bounds}, &of_part);
        assert_true(seen + of_part <= n);
        assert_all_same(records + seen, others, of_part);
        seen += of_part;
    }
    assert_int_equal(seen, n);
}

static void opened_for_writing_it_is_refused(struct stand *stand)
{
    GError *error = NULL;
    struct store *store;
    struct store_config config = {.uri = stand->uri, .base_dir = stand->dir};
    struct store_registry *registry = store_registry_new(&stand->fake.world, stand->drivers);
    assert_false(store_open(&store, registry, &config, &error));
    assert_true(error_is(error, SLUICE_ERROR_USAGE));
    assert_non_null(strstr(error->message, "can only be read"));
    g_clear_error(&error);
    store_registry_free(registry);
}

#define FILLED NEEDS(SCAN)

const struct conformance_case filled_cases[] = {
    {"what-is-there-comes-the-same-in-any-batches", FILLED, what_is_there_comes_the_same_in_any_batches},
    {"keys-alone-are-the-same-keys", FILLED, keys_alone_are_the_same_keys},
    {"what-is-there-is-gone-on-with-from-every-cursor", FILLED, what_is_there_is_gone_on_with_from_every_cursor},
    {"its-parts-are-the-whole", FILLED | NEEDS(SPLIT), its_parts_are_the_whole},
    {"opened-for-writing-it-is-refused", FILLED, opened_for_writing_it_is_refused},
    {0},
};
