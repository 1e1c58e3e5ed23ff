#include "store/lock.h"
#include "store/mem/content.h"

static bool numbers_fit(const struct lane_state *lane, const struct cas_op *ops, size_t n, GError **error)
{
    for (size_t i = 0; i < n; i++)
        if (!lane_state_takes(lane, ops[i].number, error))
            return false;
    return true;
}

static void apply(const struct mem_view *view, struct lane_state *lane, struct cas_op *op)
{
    bool put = op->verb == CAS_PUT;
    if (view->shadow)
        mem_put_shadow(view->shadow, op->key, put ? &op->raw : NULL, put ? op->expires_at_ms : EXPIRES_NEVER);
    else if (put)
        mem_put(view->live, op->key, op->raw, op->expires_at_ms);
    else
        mem_remove(view->live, op->key);
    lane_state_mark(lane, op->number);
    op->outcome = CAS_WRITTEN;
}

static void cas_one(const struct mem_view *view, struct lane_state *lane, struct cas_op *op, struct arena *mem)
{
    if (lane_state_applied(lane, op->number)) {
        op->outcome = CAS_DONE;
        return;
    }
    if (!keyed_takes(op, &op->fault)) {
        op->outcome = CAS_REFUSED;
        return;
    }
    const struct keyed_value *value = mem_shown(view, op->key);
    if (keyed_etag_holds(&op->etag, value)) {
        apply(view, lane, op);
        return;
    }
    op->outcome = CAS_CHANGED;
    keyed_live(op, value, mem, &op->live);
}

static bool mem_cas(struct session *session, const struct call *call, const struct lane *on, struct cas_op *ops,
                    size_t n, GError **error)
{
    struct mem_content *content = mem_content_of(session);
    int64_t now_ms = mem_now_ms(session);
    auto_hold(&content->lock);
    struct fence_state *fence = mem_fence(content, &on->fence, false);
    struct lane_state *lane = fence ? fence_state_lane(fence, on->lane) : NULL;
    if (!lane || !lane->open) {
        for (size_t i = 0; i < n; i++)
            ops[i].outcome = CAS_FENCED;
        return true;
    }
    if (!numbers_fit(lane, ops, n, error))
        return false;
    lane_state_rebase(lane, on->base);
    struct mem_view view = mem_view(content, call->ds, now_ms, true);
    struct mem_changes *changes = mem_changes_of(content, call->ds->name);
    for (size_t i = 0; i < n; i++) {
        cas_one(&view, lane, &ops[i], call->mem);
        changes->n += ops[i].outcome == CAS_WRITTEN;
        changes->mortal |= ops[i].verb == CAS_PUT && ops[i].expires_at_ms != EXPIRES_NEVER;
    }
    return true;
}

static bool mem_settle(struct session *session, const struct call *call, GError **error)
{
    return true;
}

static bool mem_lane_open(struct session *session, const struct call *call, const struct lane *lane,
                          struct fence *ret_before, GError **error)
{
    struct mem_content *content = mem_content_of(session);
    auto_hold(&content->lock);
    struct fence_state *fence = mem_fence(content, &lane->fence, false);
    struct fence before;
    if (!fence_state_view(fence, call->mem, &before, error) ||
        !fence_state_open(mem_fence(content, &lane->fence, true), lane, error))
        return false;
    *ret_before = before;
    return true;
}

static bool mem_fence_read(struct session *session, const struct call *call, const struct fence_id *id,
                           struct fence *ret, GError **error)
{
    struct mem_content *content = mem_content_of(session);
    auto_hold(&content->lock);
    return fence_state_view(mem_fence(content, id, false), call->mem, ret, error);
}

static bool mem_fence_drop(struct session *session, const struct call *call, const uint8_t run[16], GError **error)
{
    struct mem_content *content = mem_content_of(session);
    struct fence_id first = {.part = 0};
    memcpy(first.run, run, sizeof(first.run));
    uint8_t from[FENCE_KEY_BYTES];
    fence_key_put(&first, from);
    auto_hold(&content->lock);
    GTreeNode *node;
    while ((node = g_tree_lower_bound(content->fences, from)) && memcmp(g_tree_node_key(node), run, 16) == 0)
        g_tree_remove(content->fences, g_tree_node_key(node));
    return true;
}

/* --- the lock ----------------------------------------------------------------------------------------------------- */

static bool held_by_other(const struct mem_lock *held, const struct call *call, struct store_lock *io, GError **error)
{
    memcpy(io->run_uid, held->run_uid, sizeof(io->run_uid));
    io->run = arena_text(call->mem, slice_of_text(held->run));
    io->host = arena_text(call->mem, slice_of_text(held->host));
    io->home = arena_text(call->mem, slice_of_text(held->home));
    return error_set(error, SLUICE_ERROR_LOCKED, "dataset '%s' is locked by run %s of home %s on %s", call->ds->name,
                     held->run, held->home, held->host);
}

static bool mem_lock(struct session *session, const struct call *call, struct store_lock *io, bool force,
                     GError **error)
{
    struct mem_content *content = mem_content_of(session);
    auto_hold(&content->lock);
    const struct mem_lock *held = g_tree_lookup(content->locks, call->ds->name);
    if (held && !force && store_lock_is_against(io, held->run_uid))
        return held_by_other(held, call, io, error);
    struct mem_lock *lock = g_new0(struct mem_lock, 1);
    *lock = (struct mem_lock){.run = g_strdup(io->run), .host = g_strdup(io->host), .home = g_strdup(io->home)};
    memcpy(lock->run_uid, io->run_uid, sizeof(lock->run_uid));
    g_tree_replace(content->locks, g_strdup(call->ds->name), lock);
    return true;
}

static bool mem_unlock(struct session *session, const struct call *call, const uint8_t run_uid[16], GError **error)
{
    struct mem_content *content = mem_content_of(session);
    auto_hold(&content->lock);
    const struct mem_lock *held = g_tree_lookup(content->locks, call->ds->name);
    if (held && memcmp(held->run_uid, run_uid, sizeof(held->run_uid)) == 0)
        g_tree_remove(content->locks, call->ds->name);
    return true;
}

/* --- ends of runs ------------------------------------------------------------------------------------------------- */

static bool mem_end_mark(struct session *session, const struct call *call, const uint8_t run_uid[16], struct slice mark,
                         GError **error)
{
    struct mem_content *content = mem_content_of(session);
    auto_hold(&content->lock);
    g_tree_replace(content->ends, g_memdup2(run_uid, 16), g_bytes_new(mark.data, mark.len));
    return true;
}

static bool mem_end_read(struct session *session, const struct call *call, const uint8_t run_uid[16], struct slice *ret,
                         GError **error)
{
    struct mem_content *content = mem_content_of(session);
    auto_hold(&content->lock);
    GBytes *mark = g_tree_lookup(content->ends, run_uid);
    *ret = SLICE_EMPTY;
    return !mark || arena_copy(call->mem, slice_of(g_bytes_get_data(mark, NULL), g_bytes_get_size(mark)), ret) ||
           error_set(error, SLUICE_ERROR_TOO_BIG, "the mark of a run's end does not fit into the memory of the call");
}

const struct write_ops mem_write_ops = {
    .cas = mem_cas,
    .settle = mem_settle,
    .lane_open = mem_lane_open,
    .fence_read = mem_fence_read,
    .fence_drop = mem_fence_drop,
    .lock = mem_lock,
    .unlock = mem_unlock,
    .end_mark = mem_end_mark,
    .end_read = mem_end_read,
};
