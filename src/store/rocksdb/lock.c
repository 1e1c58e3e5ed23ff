#include "store/lock.h"

#include "store/rocksdb/rocks.h"

enum { RUN_UID = 16 };

static bool load(struct session *session, struct slice key, struct arena *mem, struct store_lock *ret, bool *ret_held,
                 GError **error)
{
    rocksdb_pinnableslice_t *row = NULL;
    if (!rocks_row(rocks_of(session), ROCKS_META, key, &row, error))
        return false;
    *ret_held = row != NULL;
    if (!row)
        return true;
    size_t len;
    const char *data = rocksdb_pinnableslice_value(row, &len);
    bool ok = store_lock_decode(rocks_slice(data, len), mem, ret, error);
    rocksdb_pinnableslice_destroy(row);
    return ok;
}

static bool lock_latched(struct session *session, const struct call *call, struct slice key, struct store_lock *io,
                         bool force, GError **error)
{
    struct store_lock holder = {0};
    bool held = false;
    if (!force && !load(session, key, call->mem, &holder, &held, error))
        return error_add(error, "dataset '%s'", call->ds->name);
    if (held && store_lock_is_against(io, holder.run_uid)) {
        *io = holder;
        return error_set(error, SLUICE_ERROR_LOCKED, "dataset '%s' is locked by run %s of home %s on %s",
                         call->ds->name, holder.run, holder.home, holder.host);
    }
    g_autoptr(GByteArray) row = g_byte_array_new();
    store_lock_encode(io, row);
    rocksdb_writebatch_put_cf(((struct rocks_session *)session)->batch, rocks_family(rocks_of(session), ROCKS_META),
                              (const char *)key.data, key.len, (const char *)row->data, row->len);
    return rocks_commit(session, error);
}

static bool unlock_latched(struct session *session, const struct call *call, struct slice key,
                           const uint8_t run_uid[16], GError **error)
{
    struct store_lock holder;
    bool held;
    if (!load(session, key, call->mem, &holder, &held, error))
        return error_add(error, "dataset '%s'", call->ds->name);
    if (!held || memcmp(holder.run_uid, run_uid, RUN_UID) != 0)
        return true;
    rocksdb_writebatch_delete_cf(((struct rocks_session *)session)->batch, rocks_family(rocks_of(session), ROCKS_META),
                                 (const char *)key.data, key.len);
    return rocks_commit(session, error);
}

static char *lock_key(const struct call *call)
{
    return g_strconcat("lock/", call->ds->name, NULL);
}

bool rocks_lock_read(struct session *session, const struct call *call, struct store_lock *ret, bool *ret_held,
                     GError **error)
{
    g_autofree char *key = lock_key(call);
    return rocks_dataset_name(call->ds, error) && load(session, slice_of_text(key), call->mem, ret, ret_held, error);
}

/* The row of the dataset's lock, latched. */
struct lock_row {
    char *name;
    struct slice key;
    struct latch latch;
};

static bool row_take(struct session *session, const struct call *call, struct lock_row *ret, GError **error)
{
    struct rocks_store *store = rocks_of(session);
    if (!rocks_whole(store, error) || !rocks_dataset_name(call->ds, error))
        return false;
    ret->name = lock_key(call);
    ret->key = slice_of_text(ret->name);
    ret->latch = (struct latch){.family = ROCKS_META, .keys = &ret->key, .n = 1};
    if (latch_take(&store->latches, &ret->latch, call, store->base.world, error))
        return true;
    g_free(ret->name);
    return false;
}

static void row_release(struct session *session, struct lock_row *row)
{
    latch_release(&rocks_of(session)->latches, &row->latch);
    g_free(row->name);
}

bool rocks_lock(struct session *session, const struct call *call, struct store_lock *io, bool force, GError **error)
{
    struct lock_row row;
    if (!row_take(session, call, &row, error))
        return false;
    bool ok = lock_latched(session, call, row.key, io, force, error);
    row_release(session, &row);
    return ok;
}

bool rocks_unlock(struct session *session, const struct call *call, const uint8_t run_uid[16], GError **error)
{
    struct lock_row row;
    if (!row_take(session, call, &row, error))
        return false;
    bool ok = unlock_latched(session, call, row.key, run_uid, error);
    row_release(session, &row);
    return ok;
}
