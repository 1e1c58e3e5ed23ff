#include "conformance/stand.h"

#include "base/int.h"

enum { BATCH_RECORDS = 100, BATCH_BYTES = 1 << 20 };

void stand_open(struct stand *stand)
{
    GError *error = NULL;
    stand->registry = store_registry_new(&stand->fake.world, stand->drivers);
    struct store_config config = {.uri = stand->uri, .base_dir = stand->dir, .read_only = stand->subject->filled};
    kit_ok(store_open(&stand->store, stand->registry, &config, &error));
    kit_ok(store_session_open(&stand->session, stand->store, &error));
}

void stand_close(struct stand *stand)
{
    store_session_close(stand->session);
    store_release(stand->registry, stand->store);
    store_registry_free(stand->registry);
    stand->broom = (struct broom){.number = 0}; /* a lane is of the store that opened it */
    stand->session = NULL;
    stand->store = NULL;
    stand->registry = NULL;
}

struct call stand_call(struct stand *stand)
{
    return (struct call){.ds = &stand->ds, .mem = stand->mem};
}

struct slice stand_key(struct stand *stand, unsigned i)
{
    char *text = arena_alloc(stand->mem, 16);
    return slice_of(text, (size_t)g_snprintf(text, 16, "k%06u", i));
}

static struct slice document_in(struct arena *mem, int64_t value, size_t bytes)
{
    bson_t document = BSON_INITIALIZER;
    BSON_APPEND_INT64(&document, "n", value);
    g_autofree char *pad = bytes > document.len ? g_strnfill(bytes - document.len, 'x') : NULL;
    if (pad)
        BSON_APPEND_UTF8(&document, "pad", pad);
    struct slice kept;
    if (!arena_copy(mem, slice_of(bson_get_data(&document), document.len), &kept))
        g_error("the arena is too small");
    bson_destroy(&document);
    return kept;
}

struct slice stand_document(struct stand *stand, int64_t value, size_t bytes)
{
    return document_in(stand->mem, value, bytes);
}

static struct slice raw_in(struct stand *stand, struct arena *mem, struct slice document)
{
    GError *error = NULL;
    struct slice raw;
    if (!store_encode(session_driver(stand->session), &stand->ds, document, mem, &raw, &error))
        g_error("%s", error->message);
    return raw;
}

struct slice stand_raw(struct stand *stand, int64_t value, size_t bytes)
{
    return raw_in(stand, stand->mem, stand_document(stand, value, bytes));
}

struct slice stand_raw_in(struct stand *stand, struct arena *mem, int64_t value)
{
    return raw_in(stand, mem, document_in(mem, value, 0));
}

/* A store of texts gives a number back as one. */
int64_t stand_value_in(struct stand *stand, struct arena *mem, struct slice raw)
{
    GError *error = NULL;
    bson_t view;
    bson_iter_t at;
    struct slice document;
    int64_t value;
    if (!store_decode(session_driver(stand->session), &stand->ds, raw, mem, &document, &error))
        g_error("%s", error->message);
    if (!document_view(document, &view) || !bson_iter_init_find(&at, &view, "n"))
        g_error("no document of the suite");
    if (!BSON_ITER_HOLDS_UTF8(&at))
        return bson_iter_as_int64(&at);
    if (!int_parse_i64(slice_of_text(bson_iter_utf8(&at, NULL)), &value))
        g_error("no number: %s", bson_iter_utf8(&at, NULL));
    return value;
}

int64_t stand_value(struct stand *stand, struct slice raw)
{
    return stand_value_in(stand, stand->mem, raw);
}

int64_t stand_now_ms(const struct stand *stand)
{
    return world_wall_ms(&stand->fake.world);
}

void stand_pass(struct stand *stand, int64_t until_ms)
{
    if (!stand->subject->own_time)
        stand->fake.wall_ms = until_ms;
    while (stand_now_ms(stand) < until_ms)
        g_thread_yield();
}

struct record stand_read(struct stand *stand, struct slice key)
{
    GError *error = NULL;
    struct call call = stand_call(stand);
    struct record record = {.key = key};
    kit_ok(store_read(stand->session, &call, &record, 1, &error));
    assert_true(slice_equal(record.key, key));
    return record;
}

struct cas_op stand_op(struct stand *stand, struct slice key, int64_t value)
{
    return (struct cas_op){
        .key = key,
        .raw = stand_raw(stand, value, 0),
        .etag = stand_read(stand, key).etag,
        .number = ++stand->number,
    };
}

enum cas_outcome stand_cas(struct stand *stand, struct cas_op *op)
{
    GError *error = NULL;
    struct call call = stand_call(stand);
    kit_ok(store_cas(stand->session, &call, &stand->lane, op, 1, &error));
    return op->outcome;
}

void stand_put(struct stand *stand, struct slice key, int64_t value, int64_t expires_at_ms)
{
    struct cas_op op = stand_op(stand, key, value);
    op.expires_at_ms = expires_at_ms;
    assert_int_equal(stand_cas(stand, &op), CAS_WRITTEN);
}

void stand_fill(struct stand *stand, unsigned n)
{
    GError *error = NULL;
    struct call call = stand_call(stand);
    g_autofree struct cas_op *ops = g_new0(struct cas_op, n);
    for (unsigned i = 0; i < n; i++) {
        struct slice raw = stand_raw(stand, i, 0);
        ops[i] = (struct cas_op){.key = stand_key(stand, i), .raw = raw, .number = ++stand->number};
    }
    kit_ok(store_cas(stand->session, &call, &stand->lane, ops, n, &error));
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(ops[i].outcome, CAS_WRITTEN);
}

struct fence stand_fence(struct stand *stand)
{
    GError *error = NULL;
    struct call call = stand_call(stand);
    struct fence fence;
    kit_ok(store_fence_read(stand->session, &call, &stand->lane.fence, &fence, &error));
    return fence;
}

struct fence_id stand_other_run(struct stand *stand)
{
    struct fence_id id = {.part = stand->lane.fence.part};
    for (size_t i = 0; i < sizeof(id.run); i++)
        id.run[i] = (uint8_t)fake_next(&stand->seed);
    return id;
}

static int by_key(const void *a, const void *b)
{
    return slice_compare(((const struct record *)a)->key, ((const struct record *)b)->key);
}

/* What is not listed in order may come twice. */
static void put_in_order(GArray *records)
{
    size_t kept = 0;
    struct record *at = (struct record *)(void *)records->data;
    g_array_sort(records, by_key);
    for (size_t i = 0; i < records->len; i++)
        if (!kept || !slice_equal(at[kept - 1].key, at[i].key))
            at[kept++] = at[i];
    g_array_set_size(records, (unsigned)kept);
}

static struct scan_spec spec_of(const struct stand *stand, const struct scan_spec *spec)
{
    struct scan_spec full = *spec;
    full.ds = &stand->ds;
    full.max_records = full.max_records ? full.max_records : BATCH_RECORDS;
    full.max_bytes = full.max_bytes ? full.max_bytes : BATCH_BYTES;
    return full;
}

static struct record *all_of(struct stand *stand, GArray *records, size_t *ret_n)
{
    const struct store_driver *driver = session_driver(stand->session);
    if (driver->list && !driver->list->sorted)
        put_in_order(records);
    struct record *all = arena_alloc(stand->mem, records->len * sizeof(*all) + 1);
    for (size_t i = 0; i < records->len; i++)
        all[i] = g_array_index(records, struct record, i);
    *ret_n = records->len;
    return all;
}

struct record *stand_scan(struct stand *stand, const struct scan_spec *spec, size_t *ret_n)
{
    GError *error = NULL;
    struct call call = stand_call(stand);
    struct scan_spec full = spec_of(stand, spec);
    g_autoptr(GArray) records = g_array_new(false, false, sizeof(struct record));
    auto_(scan) scan = NULL;
    kit_ok(store_scan_open(&scan, stand->session, &full, &error));
    struct batch batch = {.done = false};
    while (!batch.done) {
        kit_ok(store_scan_next(scan, &call, &batch, &error));
        assert_true(batch.n <= full.max_records);
        assert_true(batch.n || batch.done);
        g_array_append_vals(records, batch.records, (unsigned)batch.n);
    }
    return all_of(stand, records, ret_n);
}

struct taking {
    struct stand *stand;
    GArray *records;
};

static bool take_copy(void *self, const struct record *record)
{
    struct taking *taking = self;
    struct record copy = *record;
    assert_true(arena_copy(taking->stand->mem, record->key, &copy.key));
    assert_true(arena_copy(taking->stand->mem, record->raw, &copy.raw));
    g_array_append_val(taking->records, copy);
    return true;
}

struct record *stand_each(struct stand *stand, const struct scan_spec *spec, size_t *ret_n)
{
    GError *error = NULL;
    struct call call = stand_call(stand);
    struct scan_spec full = spec_of(stand, spec);
    g_autoptr(GArray) records = g_array_new(false, false, sizeof(struct record));
    struct taking taking = {stand, records};
    const struct scan_taker taker = {.take = take_copy, .self = &taking};
    auto_(scan) scan = NULL;
    kit_ok(store_scan_open(&scan, stand->session, &full, &error));
    struct batch batch = {.done = false};
    for (size_t before = 0; !batch.done; before = records->len) {
        kit_ok(store_scan_each(scan, &call, &taker, &batch, &error));
        assert_true(batch.n <= full.max_records);
        assert_int_equal(batch.n, records->len - before);
        assert_null(batch.records);
        assert_int_equal(batch.cursor.len, 0);
    }
    return all_of(stand, records, ret_n);
}

/* --- running ------------------------------------------------------------------------------------------------------ */

/* Of a run of its own, or of a partition of its own in the run that all cases share. */
static struct lane new_lane(struct stand *stand, bool own_run)
{
    GError *error = NULL;
    struct call call = stand_call(stand);
    struct fence before;
    struct lane lane = {.lane = 1, .fence = own_run ? stand_other_run(stand) : stand->shared};
    lane.fence.part = own_run ? 7 : ++stand->shared.part;
    if (lane.fence.part % 2) /* of the others the store knows no key */
        lane.near = slice_of_text("k000000");
    kit_ok(store_lane_open(stand->session, &call, &lane, &before, &error));
    assert_false(before.present);
    return lane;
}

static const struct broom *take_broom(struct stand *stand)
{
    if (!stand->broom.lane.lane)
        stand->broom.lane = new_lane(stand, false);
    return &stand->broom;
}

/* Every record of the dataset is deleted, by numbered writes like any other. */
static void make_empty(struct stand *stand)
{
    GError *error = NULL;
    struct call call = stand_call(stand);
    size_t n;
    struct record *records = stand_scan(stand, &(struct scan_spec){.keys_only = false}, &n);
    if (!n)
        return;
    const struct broom *broom = take_broom(stand);
    g_autofree struct cas_op *ops = g_new0(struct cas_op, n);
    for (size_t i = 0; i < n; i++)
        ops[i] = (struct cas_op){
            .key = records[i].key, .etag = records[i].etag, .verb = CAS_DELETE, .number = ++stand->broom.number};
    kit_ok(store_cas(stand->session, &call, &broom->lane, ops, n, &error));
    for (size_t i = 0; i < n; i++) { /* one that expires may have done so since it was scanned */
        bool expired = ops[i].outcome == CAS_CHANGED && records[i].expires_at_ms != EXPIRES_NEVER;
        assert_true(ops[i].outcome == CAS_WRITTEN || expired);
    }
}

/* An empty dataset, and a lane in which nothing is numbered yet. */
static void begin(struct stand *stand, const struct conformance_case *row, bool own_run)
{
    arena_reset(stand->mem);
    g_free(stand->ds_name);
    stand->ds_name = g_strconcat(row->name, stand->subject->dataset, NULL);
    stand->ds = (struct dataset){.name = stand->ds_name};
    if (!store_can(session_driver(stand->session), CAN_FENCE))
        return;
    make_empty(stand);
    stand->number = 0;
    stand->lane = new_lane(stand, own_run);
    arena_reset(stand->mem);
}

/* The runs of all cases together would leave a cluster with millions of fences. */
static void end(struct stand *stand, bool own_run)
{
    GError *error = NULL;
    stand->ds.name = stand->ds_name; /* a case's own names are gone */
    struct call call = stand_call(stand);
    if (own_run && store_can(session_driver(stand->session), CAN_FENCE))
        kit_ok(store_fence_drop(stand->session, &call, stand->lane.fence.run, &error));
}

void stand_run(struct stand *stand, const struct conformance_case *row, bool own_run)
{
    for (int round = 0; round < 2; round++) {
        begin(stand, row, own_run);
        row->run(stand);
        end(stand, own_run);
    }
}
