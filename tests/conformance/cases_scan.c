#include "base/int.h"
#include "conformance/stand.h"

enum { RECORDS = 537 };

static void assert_all(struct stand *stand, const struct record *records, size_t n)
{
    assert_int_equal(n, RECORDS);
    for (unsigned i = 0; i < RECORDS; i++)
        assert_true(slice_equal(records[i].key, stand_key(stand, i)));
}

static void a_scan_gives_every_record_once_and_in_order(struct stand *stand)
{
    stand_fill(stand, RECORDS);
    size_t n;
    struct record *records = stand_scan(stand, &(struct scan_spec){.max_records = 100}, &n);
    assert_all(stand, records, n);
    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(records[i].presence, RECORD_PRESENT);
        assert_int_equal(stand_value(stand, records[i].raw), i);
    }
}

static void a_scanned_etag_is_good_for_a_write(struct stand *stand)
{
    stand_fill(stand, 3);
    size_t n;
    struct record *records = stand_scan(stand, &(struct scan_spec){.max_records = 2}, &n);
    struct cas_op op = {.key = records[2].key, .etag = records[2].etag, .number = ++stand->number};
    op.raw = stand_raw(stand, 99, 0);
    assert_int_equal(stand_cas(stand, &op), CAS_WRITTEN);
    assert_int_equal(stand_value(stand, stand_read(stand, op.key).raw), 99);
}

static void a_listing_scan_gives_the_same_keys(struct stand *stand)
{
    stand_fill(stand, RECORDS);
    size_t n;
    struct record *records = stand_scan(stand, &(struct scan_spec){.keys_only = true, .max_records = 64}, &n);
    assert_all(stand, records, n);
}

/* For sums: the same keys, bytes and expiries, whatever else is left out. */
static void a_scan_of_bytes_gives_the_same_bytes(struct stand *stand)
{
    stand_fill(stand, RECORDS);
    stand_put(stand, slice_of_text("mortal"), 1, stand_now_ms(stand) + 60000);
    size_t n, n_bytes;
    struct record *records = stand_scan(stand, &(struct scan_spec){.keys_only = false}, &n);
    struct record *bytes = stand_scan(stand, &(struct scan_spec){.bytes_only = true, .max_records = 64}, &n_bytes);
    assert_int_equal(n_bytes, n);
    for (size_t i = 0; i < n; i++) {
        assert_true(slice_equal(bytes[i].key, records[i].key));
        assert_true(slice_equal(bytes[i].raw, records[i].raw));
        assert_int_equal(bytes[i].presence, RECORD_PRESENT);
        assert_int_equal(bytes[i].expires_at_ms, records[i].expires_at_ms);
    }
}

static void assert_same(const struct record *one, const struct record *other)
{
    assert_true(slice_equal(one->key, other->key));
    assert_true(slice_equal(one->raw, other->raw));
    assert_int_equal(one->presence, other->presence);
    assert_int_equal(one->expires_at_ms, other->expires_at_ms);
    assert_int_equal(one->etag.len, other->etag.len);
    assert_memory_equal(one->etag.bytes, other->etag.bytes, one->etag.len);
}

static void records_that_are_handed_out_are_those_of_batches(struct stand *stand)
{
    static const struct scan_spec SPECS[] = {{.max_records = 64},
                                             {.max_records = 64, .bytes_only = true},
                                             {.max_records = 64, .keys_only = true},
                                             {.max_bytes = 100, .bytes_only = true}};
    stand_fill(stand, RECORDS);
    stand_put(stand, slice_of_text("mortal"), 1, stand_now_ms(stand) + 60000);
    for (size_t row = 0; row < G_N_ELEMENTS(SPECS); row++) {
        size_t n, n_each;
        struct record *records = stand_scan(stand, &SPECS[row], &n), *each = stand_each(stand, &SPECS[row], &n_each);
        assert_int_equal(n, RECORDS + 1);
        assert_int_equal(n_each, n);
        for (size_t i = 0; i < n; i++)
            assert_same(&each[i], &records[i]);
    }
}

struct few {
    unsigned taken, enough;
};

static bool take_few(void *self, const struct record *record)
{
    struct few *few = self;
    return ++few->taken < few->enough;
}

static void a_taker_that_has_enough_gets_no_more(struct stand *stand)
{
    GError *error = NULL;
    struct few few = {.enough = 3};
    const struct scan_taker taker = {.take = take_few, .self = &few};
    stand_fill(stand, 20);
    struct call call = stand_call(stand);
    struct scan_spec spec = {.ds = &stand->ds, .max_records = 20, .max_bytes = 1 << 20, .bytes_only = true};
    auto_(scan) scan = NULL;
    struct batch batch = {.done = false};
    kit_ok(store_scan_open(&scan, stand->session, &spec, &error));
    while (few.taken == 0 && !batch.done) /* of a server an answer may hold none */
        kit_ok(store_scan_each(scan, &call, &taker, &batch, &error));
    assert_in_range(few.taken, 1, few.enough);
}

/* From the cursor of every batch a new scan gives exactly what the first one still had to give. */
static void a_cursor_resumes_with_exactly_the_rest(struct stand *stand)
{
    GError *error = NULL;
    stand_fill(stand, RECORDS);
    struct call call = stand_call(stand);
    struct scan_spec spec = {.ds = &stand->ds, .max_records = 50, .max_bytes = 1 << 20, .keys_only = true};
    auto_(scan) scan = NULL;
    kit_ok(store_scan_open(&scan, stand->session, &spec, &error));
    struct batch batch = {.done = false};
    unsigned seen = 0, resumed = 0;
    for (; !batch.done; resumed++) {
        kit_ok(store_scan_next(scan, &call, &batch, &error));
        seen += (unsigned)batch.n;
        size_t n;
        struct record *rest = stand_scan(stand, &(struct scan_spec){.cursor = batch.cursor}, &n);
        assert_int_equal(n, RECORDS - seen);
        for (unsigned i = 0; i < n; i++)
            assert_true(slice_equal(rest[i].key, stand_key(stand, seen + i)));
    }
    assert_true(resumed > 10);
}

static void a_batch_keeps_its_limits(struct stand *stand)
{
    GError *error = NULL;
    stand_fill(stand, 100);
    struct call call = stand_call(stand);
    struct scan_spec spec = {.ds = &stand->ds, .max_records = 1000, .max_bytes = 100};
    auto_(scan) scan = NULL;
    kit_ok(store_scan_open(&scan, stand->session, &spec, &error));
    struct batch batch = {.done = false};
    size_t batches = 0, n = 0;
    for (; !batch.done; batches++) {
        kit_ok(store_scan_next(scan, &call, &batch, &error));
        assert_true(batch.bytes <= 100);
        n += batch.n;
    }
    assert_int_equal(n, 100);
    assert_true(batches >= 10);
}

static void a_record_larger_than_a_batch_comes_alone(struct stand *stand)
{
    struct cas_op op = stand_op(stand, slice_of_text("k"), 0);
    op.raw = stand_raw(stand, 5, 100000);
    assert_int_equal(stand_cas(stand, &op), CAS_WRITTEN);
    stand_put(stand, slice_of_text("l"), 6, EXPIRES_NEVER);
    size_t n;
    struct record *records = stand_scan(stand, &(struct scan_spec){.max_bytes = 50}, &n);
    assert_int_equal(n, 2);
    assert_true(slice_equal(records[0].raw, op.raw));
}

static void an_arena_that_is_full_ends_the_batch(struct stand *stand)
{
    GError *error = NULL;
    for (unsigned i = 0; i < 10; i++) {
        struct cas_op op = stand_op(stand, stand_key(stand, i), i);
        op.raw = stand_raw(stand, i, 30000);
        assert_int_equal(stand_cas(stand, &op), CAS_WRITTEN);
    }
    auto_(arena) small = arena_new(100 << 10);
    struct call call = {.ds = &stand->ds, .mem = small};
    struct scan_spec spec = {.ds = &stand->ds, .max_records = 10, .max_bytes = 1 << 20};
    auto_(scan) scan = NULL;
    kit_ok(store_scan_open(&scan, stand->session, &spec, &error));
    struct batch batch = {.done = false};
    unsigned seen = 0, batches = 0;
    for (; !batch.done; batches++, arena_reset(small)) {
        kit_ok(store_scan_next(scan, &call, &batch, &error));
        for (size_t i = 0; i < batch.n; i++)
            assert_int_equal(stand_value(stand, batch.records[i].raw), seen++);
    }
    assert_int_equal(seen, 10);
    assert_true(batches >= 4);
}

static void an_empty_dataset_is_done_at_once(struct stand *stand)
{
    GError *error = NULL;
    struct call call = stand_call(stand);
    struct scan_spec spec = {.ds = &stand->ds, .max_records = 10, .max_bytes = 100};
    auto_(scan) scan = NULL;
    kit_ok(store_scan_open(&scan, stand->session, &spec, &error));
    struct batch batch;
    kit_ok(store_scan_next(scan, &call, &batch, &error));
    assert_true(batch.done);
    assert_int_equal(batch.n, 0);
}

/* A listing's order is the keys' own affair: whatever stands in the store, and whatever else is asked for with them. */
static void a_key_has_one_rank(struct stand *stand)
{
    GError *error = NULL;
    const struct store_driver *driver = session_driver(stand->session);
    g_autofree struct slice *keys = g_new(struct slice, RECORDS);
    g_autofree uint16_t *ranks = g_new(uint16_t, RECORDS);
    for (unsigned i = 0; i < RECORDS; i++)
        keys[i] = stand_key(stand, i);
    kit_ok(store_rank(driver, &stand->ds, keys, RECORDS, ranks, &error));
    stand_fill(stand, RECORDS);
    for (unsigned i = 0; i < RECORDS; i++) {
        uint16_t rank;
        kit_ok(store_rank(driver, &stand->ds, &keys[i], 1, &rank, &error));
        assert_int_equal(rank, ranks[i]);
        assert_true(rank == 0 || store_ranks(driver));
    }
}

/* --- splitting ---------------------------------------------------------------------------------------------------- */

static struct part_list split(struct stand *stand, const struct split_wish *wish)
{
    GError *error = NULL;
    struct call call = stand_call(stand);
    struct part_list list = {.parts = g_array_new(false, false, sizeof(struct part_bounds)), .mem = stand->mem};
    kit_ok(store_split(stand->session, &call, wish, &list, &error));
    return list;
}

static const struct part_bounds *part_at(const struct part_list *list, size_t i)
{
    return &g_array_index(list->parts, struct part_bounds, i);
}

static unsigned key_number(struct slice key)
{
    uint64_t number = 0;
    assert_true(key.len > 1 && int_parse_u64(slice_of(key.data + 1, key.len - 1), &number));
    return (unsigned)number;
}

/* The parts give the dataset and none of it twice, and in their order in its order, where it has one. */
static void assert_parts_cover(struct stand *stand, const struct part_list *list, unsigned records)
{
    unsigned seen = 0;
    g_autofree bool *was_seen = g_new0(bool, records);
    for (size_t i = 0; i < list->parts->len; i++) {
        size_t n;
        struct record *part = stand_scan(stand, &(struct scan_spec){.bounds = part_at(list, i)->bounds}, &n);
        for (size_t j = 0; j < n; j++, seen++) {
            unsigned at = session_driver(stand->session)->list->sorted ? seen : key_number(part[j].key);
            assert_true(at < records && !was_seen[at] && slice_equal(part[j].key, stand_key(stand, at)));
            was_seen[at] = true;
        }
    }
    assert_int_equal(seen, records);
}

static void a_split_covers_everything_exactly_once(struct stand *stand)
{
    static const struct split_wish wishes[] = {{.records_each = 100},
                                               {.records_each = 1},
                                               {.records_each = 10000},
                                               {.count = 1},
                                               {.count = 7},
                                               {.count = 64},
                                               {.count = 10000},
                                               {.records_each = 537},
                                               {.count = 0},
                                               {.count = 1, .rough = true},
                                               {.count = 7, .rough = true},
                                               {.count = 1000, .rough = true}};
    stand_fill(stand, RECORDS);
    for (size_t i = 0; i < G_N_ELEMENTS(wishes); i++) {
        struct part_list list = split(stand, &wishes[i]);
        assert_parts_cover(stand, &list, RECORDS);
        g_array_unref(list.parts);
    }
}

static void parts_are_of_about_the_size_wished_for(struct stand *stand)
{
    enum { MANY = 20000, PARTS = 8 };
    stand_fill(stand, MANY);
    struct part_list list = split(stand, &(struct split_wish){.count = PARTS});
    assert_int_equal(list.parts->len, PARTS);
    uint64_t sum = 0;
    for (size_t i = 0; i < PARTS; i++) {
        sum += part_at(&list, i)->records;
        assert_in_range(part_at(&list, i)->records, MANY / PARTS * 9 / 10, MANY / PARTS * 11 / 10);
    }
    assert_int_equal(sum, MANY);
    g_array_unref(list.parts);
    list = split(stand, &(struct split_wish){.records_each = 3000});
    assert_int_equal(list.parts->len, 7);
    g_array_unref(list.parts);
}

static void parts_also_hold_what_comes_later(struct stand *stand)
{
    stand_fill(stand, 100);
    struct part_list list = split(stand, &(struct split_wish){.count = 4});
    stand_put(stand, slice_of_text("a before all"), 1, EXPIRES_NEVER);
    stand_put(stand, slice_of_text("z after all"), 2, EXPIRES_NEVER);
    stand_put(stand, slice_of_text("k000050 between"), 3, EXPIRES_NEVER);
    size_t seen = 0;
    for (size_t i = 0; i < list.parts->len; i++) {
        size_t n;
        stand_scan(stand, &(struct scan_spec){.bounds = part_at(&list, i)->bounds}, &n);
        seen += n;
    }
    assert_int_equal(seen, 103);
    g_array_unref(list.parts);
}

static void an_empty_dataset_is_one_part(struct stand *stand)
{
    struct part_list list = split(stand, &(struct split_wish){.count = 4});
    assert_int_equal(list.parts->len, 1);
    stand_fill(stand, 5);
    assert_parts_cover(stand, &list, 5);
    g_array_unref(list.parts);
}

static void a_cursor_stays_within_its_part(struct stand *stand)
{
    GError *error = NULL;
    stand_fill(stand, 100);
    struct part_list list = split(stand, &(struct split_wish){.records_each = 40});
    struct call call = stand_call(stand);
    struct scan_spec spec = {
        .ds = &stand->ds, .bounds = part_at(&list, 1)->bounds, .max_records = 15, .max_bytes = 9999};
    auto_(scan) scan = NULL;
    kit_ok(store_scan_open(&scan, stand->session, &spec, &error));
    struct batch batch;
    kit_ok(store_scan_next(scan, &call, &batch, &error));
    assert_true(slice_equal(batch.records[0].key, stand_key(stand, 40)));
    struct scan_spec rest = {.bounds = spec.bounds, .cursor = batch.cursor};
    size_t n;
    struct record *records = stand_scan(stand, &rest, &n);
    assert_int_equal(n, 25);
    assert_true(slice_equal(records[0].key, stand_key(stand, 55)));
    g_array_unref(list.parts);
}

static void bounds_of_something_else_are_refused(struct stand *stand)
{
    GError *error = NULL;
    struct scan_spec spec = {.ds = &stand->ds, .bounds = slice_of_text("nonsense"), .max_records = 1, .max_bytes = 1};
    struct scan *scan = NULL;
    kit_refused(store_scan_open(&scan, stand->session, &spec, &error), CORRUPT, "bounds");
    assert_null(scan);
}

#define SCANS  (NEEDS(SCAN) | NEEDS(CAS) | NEEDS(FENCE) | NEEDS(READ))
#define SPLITS (SCANS | NEEDS(SPLIT))

const struct conformance_case scan_cases[] = {
    {"a-scan-gives-every-record-once-and-in-order", SCANS, a_scan_gives_every_record_once_and_in_order},
    {"a-scanned-etag-is-good-for-a-write", SCANS, a_scanned_etag_is_good_for_a_write},
    {"a-listing-scan-gives-the-same-keys", SCANS, a_listing_scan_gives_the_same_keys},
    {"a-key-has-one-rank", SCANS, a_key_has_one_rank},
    {"a-scan-of-bytes-gives-the-same-bytes", SCANS, a_scan_of_bytes_gives_the_same_bytes},
    {"records-that-are-handed-out-are-those-of-batches", SCANS, records_that_are_handed_out_are_those_of_batches},
    {"a-taker-that-has-enough-gets-no-more", SCANS, a_taker_that_has_enough_gets_no_more},
    {"a-cursor-resumes-with-exactly-the-rest", SCANS | IN_ORDER, a_cursor_resumes_with_exactly_the_rest},
    {"a-batch-keeps-its-limits", SCANS, a_batch_keeps_its_limits},
    {"a-record-larger-than-a-batch-comes-alone", SCANS | IN_ORDER, a_record_larger_than_a_batch_comes_alone},
    {"an-arena-that-is-full-ends-the-batch", SCANS | IN_ORDER, an_arena_that_is_full_ends_the_batch},
    {"an-empty-dataset-is-done-at-once", SCANS, an_empty_dataset_is_done_at_once},
    {"a-split-covers-everything-exactly-once", SPLITS, a_split_covers_everything_exactly_once},
    {"parts-are-of-about-the-size-wished-for", SPLITS | IN_ORDER, parts_are_of_about_the_size_wished_for},
    {"parts-also-hold-what-comes-later", SPLITS, parts_also_hold_what_comes_later},
    {"an-empty-dataset-is-one-part", SPLITS | IN_ORDER, an_empty_dataset_is_one_part},
    {"a-cursor-stays-within-its-part", SPLITS | IN_ORDER, a_cursor_stays_within_its_part},
    {"bounds-of-something-else-are-refused", SPLITS, bounds_of_something_else_are_refused},
    {NULL, 0, NULL},
};
