#include "store/rocksdb/rocks.h"

bool rocks_whole(struct rocks_store *store, GError **error)
{
    if (!atomic_load(&store->broken))
        return true;
    return error_set(error, SLUICE_ERROR_STORE,
                     "%s: a write failed before; what became of it shows when the store is opened again: run the same "
                     "command again",
                     store->path);
}

bool rocks_row(struct rocks_store *store, const char *family, struct slice key, rocksdb_pinnableslice_t **ret,
               GError **error)
{
    rocksdb_column_family_handle_t *handle = rocks_family(store, family);
    if (!handle) {
        *ret = NULL;
        return true;
    }
    char *message = NULL;
    rocksdb_pinnableslice_t *row =
        rocksdb_get_pinned_cf(store->db, store->options.read, handle, (const char *)key.data, key.len, &message);
    if (!rocks_check(message, store->path, error))
        return false;
    *ret = row;
    return true;
}

bool rocks_commit(struct session *base, GError **error)
{
    struct rocks_session *session = (struct rocks_session *)base;
    struct rocks_store *store = rocks_of(base);
    char *message = NULL;
    if (!atomic_load(&store->compacts))
        rocks_compact(store);
    rocksdb_write(store->db, store->options.write, session->batch, &message);
    rocksdb_writebatch_clear(session->batch);
    if (rocks_check(message, store->path, error)) {
        atomic_fetch_add(&store->commits, 1);
        return true;
    }
    atomic_store(&store->broken, true);
    return false;
}

static bool sync_log(void *self, uint64_t *ret_ticket, GError **error)
{
    struct rocks_store *store = self;
    char *message = NULL;
    if (!rocks_whole(store, error)) /* RocksDB aborts where a log is synced to which it could not append */
        return false;
    *ret_ticket = atomic_load(&store->commits);
    rocksdb_flush_wal(store->db, true, &message);
    if (rocks_check(message, store->path, error))
        return true;
    atomic_store(&store->broken, true);
    return false;
}

/* RocksDB lets those who wait for a sync of its log do one each, one after the other. */
bool rocks_settle(struct session *session, const struct call *call, GError **error)
{
    struct rocks_store *store = rocks_of(session);
    struct groupsync_way way = {.sync = sync_log, .self = store};
    return groupsync_durable(&store->syncs, atomic_load(&store->commits), &way, error);
}

/* --- cas ---------------------------------------------------------------------------------------------------------- */

struct cas {
    struct rocks_session *session;
    rocksdb_column_family_handle_t *family, *shadow; /* of the dataset, NULL: it has none; of the run, NULL: none is
                                                        asked for */
    struct put_keys *put_keys, *shadow_keys;         /* NULL: anything may be there */
    struct lane_state *lane;
    struct cas_op *ops;
    struct keyed_order order;
    struct slice *asked; /* the keys that are looked up, in order */
    size_t *asked_places, n_asked;
    struct arena *mem;
    int64_t now_ms;
    size_t written;
};

static void put(struct cas *cas, const struct cas_op *op)
{
    struct rocks_session *session = cas->session;
    const char *key = (const char *)op->key.data;
    rocksdb_column_family_handle_t *family = cas->shadow ? cas->shadow : cas->family;
    struct put_keys *keys = cas->shadow ? cas->shadow_keys : cas->put_keys;
    if (op->verb == CAS_DELETE && !cas->shadow) {
        rocksdb_writebatch_delete_cf(session->batch, family, key, op->key.len);
        return;
    }
    if (keys)
        put_keys_note(keys, op->key);
    g_byte_array_set_size(session->envelope, 0);
    if (op->verb == CAS_DELETE)
        rocks_value_put_deleted(session->envelope);
    else
        rocks_value_put(session->envelope, op->raw, op->expires_at_ms);
    rocksdb_writebatch_put_cf(session->batch, family, key, op->key.len, (const char *)session->envelope->data,
                              session->envelope->len);
}

/* Decides one operation by what is stored. What is to be written stays CAS_UNKNOWN until the batch is in. */
static void decide(struct cas *cas, const struct rocks_hit *hit)
{
    struct cas_op *op = &cas->ops[keyed_order_place(&cas->order, hit->i)];
    struct keyed_value value;
    const struct keyed_value *shown = rocks_shown(hit, cas->now_ms, &value);
    if (lane_state_applied(cas->lane, op->number)) {
        op->outcome = CAS_DONE;
    } else if (!keyed_takes(op, &op->fault)) {
        op->outcome = CAS_REFUSED;
    } else if (!keyed_etag_holds(&op->etag, shown)) {
        op->outcome = CAS_CHANGED;
        keyed_live(op, shown, cas->mem, &op->live);
    } else {
        put(cas, op);
        lane_state_mark(cas->lane, op->number);
        op->outcome = CAS_UNKNOWN;
        cas->written++;
    }
}

static bool decide_found(void *user, const struct rocks_hit *hit, GError **error)
{
    struct cas *cas = user;
    struct rocks_hit whole = *hit;
    whole.i = cas->asked_places[hit->i];
    decide(cas, &whole);
    return true;
}

static bool is_lacking(const struct cas *cas, struct slice key)
{
    return cas->put_keys && put_keys_lack(cas->put_keys, key) &&
           (!cas->shadow || (cas->shadow_keys && put_keys_lack(cas->shadow_keys, key)));
}

/* What cannot be there is decided at once; the rest is to be looked up. */
static void decide_absent(struct cas *cas, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (is_lacking(cas, cas->order.keys[i])) {
            decide(cas, &(struct rocks_hit){.i = i});
            continue;
        }
        cas->asked[cas->n_asked] = cas->order.keys[i];
        cas->asked_places[cas->n_asked++] = i;
    }
}

static void set_all(struct cas_op *ops, size_t n, enum cas_outcome from, enum cas_outcome to)
{
    for (size_t i = 0; i < n; i++)
        if (ops[i].outcome == from)
            ops[i].outcome = to;
}

/* Nothing of this call is anywhere yet. */
static bool nothing_sent(struct cas *cas, size_t n)
{
    rocksdb_writebatch_clear(cas->session->batch);
    for (size_t i = 0; i < n; i++)
        cas->ops[i].outcome = CAS_NOT_SENT;
    return false;
}

static bool decide_all(struct cas *cas, const struct call *call, size_t n, GError **error)
{
    g_autofree struct slice *asked = g_new(struct slice, n);
    g_autofree size_t *places = g_new(size_t, n);
    cas->asked = asked;
    cas->asked_places = places;
    decide_absent(cas, n);
    struct rocks_lookup lookup = {
        .store = rocks_of((struct session *)cas->session),
        .family = cas->family,
        .shadow = cas->shadow,
        .shadow_keys = cas->shadow_keys,
        .keys = cas->asked,
        .n = cas->n_asked,
        .found = decide_found,
        .user = cas,
    };
    return rocks_lookup(&lookup, call, error);
}

static bool numbers_fit(const struct lane_state *lane, const struct cas_op *ops, size_t n, GError **error)
{
    for (size_t i = 0; i < n; i++)
        if (!lane_state_takes(lane, ops[i].number, error))
            return false;
    return true;
}

static void count_fence(struct cas *cas, int64_t began_ns)
{
    const struct world *world = rocks_of((struct session *)cas->session)->base.world;
    cas->session->base.counters.fence_cpu_ns += (uint64_t)(world_thread_cpu_ns(world) - began_ns);
}

static bool load_fence(struct cas *cas, const struct fence_id *id, struct fence_state **ret, GError **error)
{
    struct rocks_store *store = rocks_of((struct session *)cas->session);
    int64_t began_ns = world_thread_cpu_ns(store->base.world);
    bool ok = rocks_fence_load(store, id, ret, error);
    count_fence(cas, began_ns);
    return ok;
}

static void save_fence(struct cas *cas, const struct fence_id *id, const struct fence_state *fence)
{
    struct session *session = (struct session *)cas->session;
    int64_t began_ns = world_thread_cpu_ns(rocks_of(session)->base.world);
    rocks_fence_save(session, id, fence);
    count_fence(cas, began_ns);
}

/* With the latch held: the fence, the records, one batch. */
static bool cas_latched(struct cas *cas, const struct call *call, const struct lane *on, size_t n, GError **error)
{
    struct session *session = (struct session *)cas->session;
    auto_(fence_state) fence = NULL;
    if (!load_fence(cas, &on->fence, &fence, error))
        return false;
    cas->lane = fence ? fence_state_lane(fence, on->lane) : NULL;
    if (!cas->lane || !cas->lane->open) {
        set_all(cas->ops, n, CAS_NOT_SENT, CAS_FENCED);
        return true;
    }
    if (!numbers_fit(cas->lane, cas->ops, n, error))
        return false;
    lane_state_rebase(cas->lane, on->base);
    if (!decide_all(cas, call, n, error))
        return nothing_sent(cas, n);
    if (!cas->written)
        return true;
    save_fence(cas, &on->fence, fence);
    if (!rocks_commit(session, error))
        return false;
    set_all(cas->ops, n, CAS_UNKNOWN, CAS_WRITTEN);
    return true;
}

/* What is written to is made where it is missing. */
static bool open_families(struct cas *cas, struct rocks_store *store, const struct call *call, GError **error)
{
    if (!call->ds->shadow)
        return rocks_family_make(store, call, &cas->family, error);
    cas->family = rocks_family(store, call->ds->name);
    if (!rocks_shadow_make(store, call, &cas->shadow, error))
        return false;
    rocks_shadow(store, call->ds, &cas->shadow_keys);
    return true;
}

bool rocks_cas(struct session *session, const struct call *call, const struct lane *lane, struct cas_op *ops, size_t n,
               GError **error)
{
    struct rocks_store *store = rocks_of(session);
    if (!n)
        return true;
    if (!rocks_whole(store, error) || !rocks_dataset_name(call->ds, error))
        return false;
    struct cas cas = {.session = (struct rocks_session *)session, .ops = ops, .mem = call->mem};
    if (!open_families(&cas, store, call, error))
        return false;
    cas.put_keys = rocks_put_keys(store, call->ds->name);
    cas.now_ms = world_wall_ms(store->base.world);
    keyed_order_init(&cas.order, &ops->key, sizeof(*ops), n);
    uint8_t fence[FENCE_KEY_BYTES];
    fence_key_put(&lane->fence, fence);
    struct latch latch = {
        .family = call->ds->name, .keys = cas.order.keys, .n = n, .fence = slice_of(fence, sizeof(fence))};
    bool ok = latch_take(&store->latches, &latch, call, store->base.world, error);
    if (ok) {
        ok = cas_latched(&cas, call, lane, n, error);
        latch_release(&store->latches, &latch);
    }
    keyed_order_done(&cas.order);
    return ok;
}
