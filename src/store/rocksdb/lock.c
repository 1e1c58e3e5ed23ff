#include <xxhash.h>

#include "base/int.h"
#include "store/rocksdb/rocks.h"

enum { LOCK_VERSION = 1, RUN_UID = 16, CHECKSUM_BYTES = 8 };

/* version:u8 run_uid[16] run:prefixed host:prefixed home:prefixed checksum:u64 (XXH3-64 of all before it) */
static void lock_encode(const struct store_lock *lock, GByteArray *into)
{
    put_u8(into, LOCK_VERSION);
    put_bytes(into, slice_of(lock->run_uid, RUN_UID));
    put_prefixed(into, slice_of_text(lock->run));
    put_prefixed(into, slice_of_text(lock->host));
    put_prefixed(into, slice_of_text(lock->home));
    put_u64(into, XXH3_64bits(into->data, into->len));
}

static bool lock_decode(struct slice bytes, struct arena *mem, struct store_lock *ret, GError **error)
{
    struct reader from = reader_of(bytes);
    uint8_t version = reader_u8(&from);
    struct slice uid = reader_bytes(&from, RUN_UID);
    struct slice run = reader_prefixed(&from), host = reader_prefixed(&from), home = reader_prefixed(&from);
    uint64_t sum = reader_u64(&from);
    if (!from.ok || reader_left(&from) || version != LOCK_VERSION ||
        sum != XXH3_64bits(bytes.data, bytes.len - CHECKSUM_BYTES))
        return error_set(error, SLUICE_ERROR_CORRUPT,
                         "the lock is damaged or of a newer sluice; --force-unlock removes it");
    memcpy(ret->run_uid, uid.data, RUN_UID);
    ret->run = arena_text(mem, run);
    ret->host = arena_text(mem, host);
    ret->home = arena_text(mem, home);
    if (ret->run && ret->host && ret->home)
        return true;
    return error_set(error, SLUICE_ERROR_TOO_BIG, "the lock's holder does not fit into the memory of the call");
}

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
    bool ok = lock_decode(rocks_slice(data, len), mem, ret, error);
    rocksdb_pinnableslice_destroy(row);
    return ok;
}

static bool lock_latched(struct session *session, const struct call *call, struct slice key, struct store_lock *io,
                         bool force, GError **error)
{
    struct store_lock holder;
    bool held = false;
    if (!force && !load(session, key, call->mem, &holder, &held, error))
        return error_add(error, "dataset '%s'", call->ds->name);
    if (held && memcmp(holder.run_uid, io->run_uid, RUN_UID) != 0) {
        *io = holder;
        return error_set(error, SLUICE_ERROR_LOCKED, "dataset '%s' is locked by run %s of home %s on %s",
                         call->ds->name, holder.run, holder.home, holder.host);
    }
    g_autoptr(GByteArray) row = g_byte_array_new();
    lock_encode(io, row);
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
