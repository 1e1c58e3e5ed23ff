#include "base/file.h"
#include "base/int.h"
#include "store/keyrange.h"
#include "store/rocksdb/rocks.h"

/* How many records a long loop passes before it asks whether it may go on. */
enum { ASK_EVERY = 1024 };

/* So much is read at once: a call for each block of 4 KiB takes more time than the bytes. */
enum { SCAN_AHEAD_BYTES = 256 << 10 };

int64_t rocks_now_ms(const struct rocks_store *store)
{
    return world_wall_ms(store->base.world);
}

uint64_t rocks_property(struct rocks_store *store, rocksdb_column_family_handle_t *family, const char *name)
{
    uint64_t value = 0;
    return rocksdb_property_int_cf(store->db, family, name, &value) == 0 ? value : 0;
}

/* Who has it open for writing: RocksDB locks a file. Not asked where that is this process itself. */
static int64_t writer_of(const struct rocks_store *store)
{
    g_autofree char *file = g_build_filename(store->path, "LOCK", NULL);
    int64_t pid = 0;
    file_locker(store->base.world, file, &pid, NULL);
    return pid;
}

bool rocks_inspect(struct session *session, const struct call *call, struct store_info *ret, GError **error)
{
    struct rocks_store *store = rocks_of(session);
    if (!rocks_dataset_name(call->ds, error))
        return false;
    rocksdb_column_family_handle_t *family = rocks_family(store, call->ds->name);
    *ret = (struct store_info){
        .identity = store->identity,
        .version = "RocksDB 7.8",
        .clock_ms = rocks_now_ms(store),
        .dataset_present = family != NULL,
        .keyed = true,
    };
    if (store->base.read_only)
        ret->writer_pid = writer_of(store);
    if (family) {
        ret->records = rocks_property(store, family, "rocksdb.estimate-num-keys");
        ret->bytes = rocks_property(store, family, "rocksdb.estimate-live-data-size") +
                     rocks_property(store, family, "rocksdb.cur-size-all-mem-tables");
    }
    return true;
}

/* --- by key ------------------------------------------------------------------------------------------------------- */

struct reading {
    struct record *io;
    struct keyed_order order;
    struct arena *mem;
    int64_t now_ms;
};

static bool read_one(void *user, const struct rocks_hit *hit, GError **error)
{
    struct reading *reading = user;
    struct record *record = &reading->io[keyed_order_place(&reading->order, hit->i)];
    struct keyed_value value;
    if (keyed_image_copy(record->key, rocks_shown(hit, reading->now_ms, &value), reading->mem, record))
        return true;
    return keyed_too_big(record->key, error);
}

bool rocks_read(struct session *session, const struct call *call, struct record *io, size_t n, GError **error)
{
    struct rocks_store *store = rocks_of(session);
    if (!rocks_dataset_name(call->ds, error))
        return false;
    struct reading reading = {.io = io, .mem = call->mem, .now_ms = rocks_now_ms(store)};
    keyed_order_init(&reading.order, &io->key, sizeof(*io), n);
    struct rocks_lookup lookup = {
        .store = store,
        .family = rocks_family(store, call->ds->name),
        .keys = reading.order.keys,
        .n = n,
        .found = read_one,
        .user = &reading,
    };
    lookup.shadow = rocks_shadow(store, call->ds, &lookup.shadow_keys);
    bool ok = rocks_lookup(&lookup, call, error);
    keyed_order_done(&reading.order);
    return ok;
}

/* --- scanning ----------------------------------------------------------------------------------------------------- */

struct rocks_scan {
    struct scan_base base;
    struct rocks_store *store;
    struct scan_spec spec; /* its slices are not used */
    GByteArray *cursor;    /* where the next batch begins */
    GByteArray *to;        /* the end; RocksDB refers to it */
    rocksdb_readoptions_t *options;
    rocksdb_iterator_t *at; /* NULL: no such dataset. Sees the state of its making until it is closed */
};

void rocks_scan_close(struct scan *base)
{
    struct rocks_scan *scan = (struct rocks_scan *)base;
    if (scan->at)
        rocksdb_iter_destroy(scan->at);
    rocksdb_readoptions_destroy(scan->options);
    g_byte_array_unref(scan->cursor);
    g_byte_array_unref(scan->to);
    g_free(scan);
}

static rocksdb_iterator_t *iterator_begin(struct rocks_scan *scan, rocksdb_column_family_handle_t *family)
{
    rocksdb_set_perf_level(rocksdb_disable); /* of this thread: nobody reads what RocksDB counts for each key */
    rocksdb_iterator_t *at = rocksdb_create_iterator_cf(scan->store->db, scan->options, family);
    if (scan->cursor->len)
        rocksdb_iter_seek(at, (const char *)scan->cursor->data, scan->cursor->len);
    else
        rocksdb_iter_seek_to_first(at);
    return at;
}

bool rocks_scan_open(struct scan **ret, struct session *session, const struct scan_spec *spec, GError **error)
{
    struct key_range range;
    if (!rocks_dataset_name(spec->ds, error) || !key_range_decode(&range, spec->bounds, spec->cursor, error))
        return false;
    struct rocks_scan *scan = g_new0(struct rocks_scan, 1);
    scan->store = rocks_of(session);
    scan->spec = *spec;
    scan->cursor = g_byte_array_new();
    scan->to = g_byte_array_new();
    put_bytes(scan->cursor, range.from);
    put_bytes(scan->to, range.to);
    scan->options = rocksdb_readoptions_create();
    rocksdb_readoptions_set_fill_cache(scan->options, false); /* it would drive out what is asked for by key */
    rocksdb_readoptions_set_readahead_size(scan->options, SCAN_AHEAD_BYTES);
    if (range.has_end)
        rocksdb_readoptions_set_iterate_upper_bound(scan->options, (const char *)scan->to->data, scan->to->len);
    rocksdb_column_family_handle_t *family = rocks_family(scan->store, spec->ds->name);
    if (family)
        scan->at = iterator_begin(scan, family);
    *ret = (struct scan *)scan;
    return true;
}

struct slice rocks_iterator_key(const rocksdb_iterator_t *at)
{
    size_t len;
    const char *key = rocksdb_iter_key(at, &len);
    return rocks_slice(key, len);
}

struct slice rocks_iterator_value(const rocksdb_iterator_t *at)
{
    size_t len;
    const char *value = rocksdb_iter_value(at, &len);
    return rocks_slice(value, len);
}

bool rocks_iterator_check(struct rocks_store *store, const rocksdb_iterator_t *at, GError **error)
{
    char *message = NULL;
    rocksdb_iter_get_error(at, &message);
    return rocks_check(message, store->path, error);
}

static bool fill(struct rocks_scan *scan, const struct call *call, struct keyed_filling *filling, GError **error)
{
    int64_t now = rocks_now_ms(scan->store);
    for (size_t i = 1; scan->at && rocksdb_iter_valid(scan->at); i++, rocksdb_iter_next(scan->at)) {
        struct slice stored = rocks_iterator_value(scan->at);
        bool tagged = !scan->spec.keys_only && !scan->spec.bytes_only;
        struct keyed_value value = tagged ? rocks_value_tagged(stored) : rocks_value(stored);
        if (i % ASK_EVERY == 0 && !call_goes_on(call, scan->store->base.world, error))
            return false;
        if (keyed_expired(value.expires_at_ms, now))
            continue;
        if (!keyed_filling_add(filling, rocks_iterator_key(scan->at), &value, error))
            return false;
        if (filling->full)
            return true;
    }
    filling->batch.done = true;
    return !scan->at || rocks_iterator_check(scan->store, scan->at, error);
}

bool rocks_scan_each(struct scan *base, const struct call *call, const struct scan_taker *taker, struct batch *ret,
                     GError **error)
{
    struct rocks_scan *scan = (struct rocks_scan *)base;
    struct keyed_filling filling;
    keyed_filling_init_given(&filling, &scan->spec, taker, call->mem);
    if (!fill(scan, call, &filling, error))
        return false;
    *ret = filling.batch;
    return true;
}

bool rocks_scan_next(struct scan *base, const struct call *call, struct batch *ret, GError **error)
{
    struct rocks_scan *scan = (struct rocks_scan *)base;
    struct keyed_filling filling;
    struct batch batch;
    if (!keyed_filling_init(&filling, &scan->spec, call->mem, error) || !fill(scan, call, &filling, error) ||
        !keyed_filling_finish(&filling, slice_of(scan->cursor->data, scan->cursor->len), &batch, error))
        return false;
    g_byte_array_set_size(scan->cursor, 0);
    put_bytes(scan->cursor, batch.cursor);
    *ret = batch;
    return true;
}
