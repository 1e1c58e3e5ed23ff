/* Cutting a dataset into ranges of keys: along all of it, or roughly, by looking for keys in the middle. */
#include "store/keyrange.h"
#include "store/rocksdb/rocks.h"

/* How many records a long loop passes before it asks whether it may go on. */
enum { ASK_EVERY = 1024 };

static bool split_along(struct rocks_store *store, const struct call *call, rocksdb_iterator_t *at,
                        struct key_splitter *splitter, GError **error)
{
    int64_t now = rocks_now_ms(store);
    rocksdb_iter_seek_to_first(at);
    for (size_t i = 1; rocksdb_iter_valid(at); i++, rocksdb_iter_next(at)) {
        struct keyed_value value = rocks_value(rocks_iterator_value(at));
        if (!keyed_expired(value.expires_at_ms, now))
            key_splitter_add(splitter, rocks_iterator_key(at), value.raw.len);
        if (i % ASK_EVERY == 0 && !call_goes_on(call, store->base.world, error))
            return false;
    }
    return rocks_iterator_check(store, at, error);
}

static bool split_exactly(struct rocks_store *store, const struct call *call, const struct split_wish *wish,
                          struct part_list *into, GError **error)
{
    auto_(key_splitter) splitter = key_splitter_new(wish);
    rocksdb_column_family_handle_t *family = rocks_family(store, call->ds->name);
    if (family) {
        rocksdb_iterator_t *at = rocksdb_create_iterator_cf(store->db, store->options.scan, family);
        bool ok = split_along(store, call, at, splitter, error);
        rocksdb_iter_destroy(at);
        if (!ok)
            return false;
    }
    return key_splitter_finish(splitter, into, error);
}

/* --- roughly
 * ----------------------------------------------------------------------------------------------------------- */

enum { MIDDLE_BYTES = 7, ROUGH_PARTS = 256 };

/* Borders of ranges, ascending: the first key, one in the middle of each range between two, …, the last key. */
struct borders {
    rocksdb_iterator_t *at;
    struct arena *mem;
    GArray *keys; /* of struct slice */
};

static uint64_t number_after(struct slice key, size_t common)
{
    uint64_t number = 0;
    for (size_t i = 0; i < MIDDLE_BYTES; i++)
        number = number << 8 | (common + i < key.len ? key.data[common + i] : 0);
    return number;
}

/* Half way between two keys, taking the bytes behind what they have in common for a number. */
static bool middle(struct arena *mem, struct slice low, struct slice high, struct slice *ret)
{
    size_t common = 0;
    while (common < low.len && common < high.len && low.data[common] == high.data[common])
        common++;
    uint64_t half = (number_after(low, common) + number_after(high, common)) / 2;
    uint8_t *key = arena_alloc(mem, common + MIDDLE_BYTES);
    if (!key)
        return false;
    if (common)
        memcpy(key, low.data, common);
    for (size_t i = 0; i < MIDDLE_BYTES; i++)
        key[common + i] = (uint8_t)(half >> (8 * (MIDDLE_BYTES - 1 - i)));
    *ret = slice_of(key, common + MIDDLE_BYTES);
    return true;
}

/* The key there is at or behind `wanted`, if it lies between the two. */
static bool key_between(struct borders *borders, struct slice low, struct slice high, struct slice *ret)
{
    struct slice wanted, found;
    if (!middle(borders->mem, low, high, &wanted))
        return false;
    rocksdb_iter_seek(borders->at, (const char *)wanted.data, wanted.len);
    if (!rocksdb_iter_valid(borders->at))
        return false;
    found = rocks_iterator_key(borders->at);
    return slice_compare(low, found) < 0 && slice_compare(found, high) < 0 && arena_copy(borders->mem, found, ret);
}

/* Twice as many ranges, where keys are found between the borders. */
static void borders_double(struct borders *borders)
{
    GArray *keys = g_array_new(FALSE, FALSE, sizeof(struct slice));
    for (guint i = 0; i < borders->keys->len; i++) {
        const struct slice *low = &g_array_index(borders->keys, struct slice, i);
        struct slice between;
        g_array_append_vals(keys, low, 1);
        if (i + 1 < borders->keys->len && key_between(borders, low[0], low[1], &between))
            g_array_append_val(keys, between);
    }
    g_array_unref(borders->keys);
    borders->keys = keys;
}

static bool borders_ends(struct borders *borders)
{
    struct slice first, last;
    rocksdb_iter_seek_to_first(borders->at);
    if (!rocksdb_iter_valid(borders->at) || !arena_copy(borders->mem, rocks_iterator_key(borders->at), &first))
        return false;
    rocksdb_iter_seek_to_last(borders->at);
    if (!rocksdb_iter_valid(borders->at) || !arena_copy(borders->mem, rocks_iterator_key(borders->at), &last))
        return false;
    g_array_append_val(borders->keys, first);
    g_array_append_val(borders->keys, last);
    return true;
}

static void borders_find(struct borders *borders, uint32_t count)
{
    if (borders_ends(borders))
        for (uint32_t parts = 1; parts < MIN(count, ROUGH_PARTS); parts *= 2)
            borders_double(borders);
}

/* The first part begins before every key, the last ends after every key: the outer two borders are none. */
static bool parts_between(const struct borders *borders, struct part_list *into, GError **error)
{
    struct slice from = SLICE_EMPTY;
    for (guint i = 1; i < MAX(borders->keys->len, 2); i++) {
        struct part_bounds part = {.records = 0};
        const struct slice *to = i + 1 < borders->keys->len ? &g_array_index(borders->keys, struct slice, i) : NULL;
        if (!key_range_encode(into->mem, from, to, &part.bounds))
            return error_set(error, SLUICE_ERROR_TOO_BIG, "%u partitions do not fit into memory", i);
        g_array_append_val(into->parts, part);
        if (to)
            from = *to;
    }
    return true;
}

static bool split_roughly(struct rocks_store *store, const struct call *call, const struct split_wish *wish,
                          struct part_list *into, GError **error)
{
    rocksdb_column_family_handle_t *family = rocks_family(store, call->ds->name);
    struct borders borders = {.mem = into->mem, .keys = g_array_new(FALSE, FALSE, sizeof(struct slice))};
    bool ok = true;
    if (family) {
        borders.at = rocksdb_create_iterator_cf(store->db, store->options.scan, family);
        borders_find(&borders, wish->count);
        ok = rocks_iterator_check(store, borders.at, error);
        rocksdb_iter_destroy(borders.at);
    }
    ok = ok && parts_between(&borders, into, error);
    g_array_unref(borders.keys);
    return ok;
}

bool rocks_split(struct session *session, const struct call *call, const struct split_wish *wish,
                 struct part_list *into, GError **error)
{
    struct rocks_store *store = rocks_of(session);
    if (!rocks_dataset_name(call->ds, error))
        return false;
    return wish->rough ? split_roughly(store, call, wish, into, error) : split_exactly(store, call, wish, into, error);
}
