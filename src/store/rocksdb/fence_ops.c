#include "base/hex.h"
#include "store/rocksdb/rocks.h"

static bool name_fence(const struct fence_id *id, GError **error)
{
    char run[HEX_TEXT(sizeof(id->run))];
    return error_add(error, "fence of run %s, partition %u", hex_text(id->run, sizeof(id->run), run), id->part);
}

bool rocks_fence_load(struct rocks_store *store, const struct fence_id *id, struct fence_state **ret, GError **error)
{
    uint8_t key[FENCE_KEY_BYTES];
    fence_key_put(id, key);
    rocksdb_pinnableslice_t *row = NULL;
    if (!rocks_row(store, ROCKS_FENCE, slice_of(key, sizeof(key)), &row, error))
        return name_fence(id, error);
    *ret = NULL;
    if (!row)
        return true;
    size_t len;
    const char *data = rocksdb_pinnableslice_value(row, &len);
    bool ok = fence_state_decode(ret, rocks_slice(data, len), error);
    rocksdb_pinnableslice_destroy(row);
    return ok || name_fence(id, error);
}

void rocks_fence_save(struct session *base, const struct fence_id *id, const struct fence_state *fence)
{
    struct rocks_session *session = (struct rocks_session *)base;
    uint8_t key[FENCE_KEY_BYTES];
    fence_key_put(id, key);
    g_byte_array_set_size(session->envelope, 0);
    fence_state_encode(fence, session->envelope);
    rocksdb_writebatch_put_cf(session->batch, rocks_family(rocks_of(base), ROCKS_FENCE), (const char *)key, sizeof(key),
                              (const char *)session->envelope->data, session->envelope->len);
}

/* With the latch of its fence held. */
static bool open_latched(struct session *session, const struct call *call, const struct lane *lane,
                         struct fence *ret_before, GError **error)
{
    auto_(fence_state) fence = NULL;
    struct fence before;
    if (!rocks_fence_load(rocks_of(session), &lane->fence, &fence, error) ||
        !fence_state_view(fence, call->mem, &before, error))
        return false;
    if (!fence)
        fence = fence_state_new();
    if (!fence_state_open(fence, lane, error))
        return false;
    rocks_fence_save(session, &lane->fence, fence);
    if (!rocks_commit(session, error))
        return false;
    *ret_before = before;
    return true;
}

bool rocks_lane_open(struct session *session, const struct call *call, const struct lane *lane,
                     struct fence *ret_before, GError **error)
{
    struct rocks_store *store = rocks_of(session);
    uint8_t key[FENCE_KEY_BYTES];
    fence_key_put(&lane->fence, key);
    struct latch latch = {.fence = slice_of(key, sizeof(key))};
    if (!rocks_whole(store, error) || !latch_take(&store->latches, &latch, call, store->base.world, error))
        return false;
    bool ok = open_latched(session, call, lane, ret_before, error);
    latch_release(&store->latches, &latch);
    return ok;
}

bool rocks_fence_read(struct session *session, const struct call *call, const struct fence_id *id, struct fence *ret,
                      GError **error)
{
    auto_(fence_state) fence = NULL;
    return rocks_whole(rocks_of(session), error) && rocks_fence_load(rocks_of(session), id, &fence, error) &&
           fence_state_view(fence, call->mem, ret, error);
}

/* --- dropping ------------------------------------------------------------------------------------------------------
 */

/* The keys of all fences of the run, first, so that each can be removed under its own latch. */
static bool keys_of_run(struct rocks_store *store, const uint8_t run[16], GArray *keys, GError **error)
{
    rocksdb_iterator_t *at =
        rocksdb_create_iterator_cf(store->db, store->options.read, rocks_family(store, ROCKS_FENCE));
    for (rocksdb_iter_seek(at, (const char *)run, 16); rocksdb_iter_valid(at); rocksdb_iter_next(at)) {
        size_t len;
        const char *key = rocksdb_iter_key(at, &len);
        if (len != FENCE_KEY_BYTES || memcmp(key, run, 16) != 0)
            break;
        g_array_append_vals(keys, key, 1);
    }
    char *message = NULL;
    rocksdb_iter_get_error(at, &message);
    rocksdb_iter_destroy(at);
    return rocks_check(message, store->path, error);
}

static bool drop_one(struct session *base, const struct call *call, const uint8_t *key, GError **error)
{
    struct rocks_session *session = (struct rocks_session *)base;
    struct rocks_store *store = rocks_of(base);
    struct latch latch = {.fence = slice_of(key, FENCE_KEY_BYTES)};
    if (!latch_take(&store->latches, &latch, call, store->base.world, error))
        return false;
    rocksdb_writebatch_delete_cf(session->batch, rocks_family(store, ROCKS_FENCE), (const char *)key, FENCE_KEY_BYTES);
    bool ok = rocks_commit(base, error);
    latch_release(&store->latches, &latch);
    return ok;
}

bool rocks_fence_drop(struct session *session, const struct call *call, const uint8_t run[16], GError **error)
{
    struct rocks_store *store = rocks_of(session);
    g_autoptr(GArray) keys = g_array_new(false, false, FENCE_KEY_BYTES);
    if (!rocks_whole(store, error) || !keys_of_run(store, run, keys, error))
        return false;
    for (size_t i = 0; i < keys->len; i++)
        if (!drop_one(session, call, (const uint8_t *)keys->data + i * FENCE_KEY_BYTES, error))
            return false;
    return true;
}
