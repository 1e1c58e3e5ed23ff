/* The cluster as a store: each call travels there, is done at one moment, and its answer travels back. */
#include "sim/cluster_parts.h"

#include "kit/kit.h"
#include "store/calls.h"

struct sim_store {
    struct store_base base;
    struct cluster_driver *driver;
};

struct sim_scan {
    struct scan_base base;
    struct scan *inner;
};

static struct cluster_driver *driver_of(struct session *session)
{
    return ((struct sim_store *)(void *)((struct session_base *)(void *)session)->store)->driver;
}

struct cluster *cluster_of(struct session *session)
{
    return driver_of(session)->cluster;
}

static struct sim_session *sim_of(struct session *session)
{
    return (struct sim_session *)(void *)session;
}

/* --- the way there and back --------------------------------------------------------------------------------------- */

#define US_PER_S INT64_C(1000000)

enum { USUAL_US = 400, SPREAD_US = 1500, SLOW_ONE_IN = 300, LOST_ONE_IN = 150, CUT_AFTER_S = 1 };

static bool dies(struct cluster *cluster, uint64_t one_in)
{
    return !cluster->is_calm && executor_dice(cluster->config.executor, one_in) == 0;
}

static const struct world *world_of(struct session *session)
{
    return ((struct store_base *)(void *)((struct session_base *)(void *)session)->store)->world;
}

static bool is_dead(struct session *session)
{
    return *driver_of(session)->dead;
}

static bool gone(GError **error)
{
    return error_set(error, SLUICE_ERROR_STORE, "the process is dead");
}

/* Not by the process's own clock, whose naps are long where nothing happens. */
static void passes(struct session *session, const struct call *call, int64_t us)
{
    executor_sleep_us(cluster_of(session)->config.executor, us, call->cancel);
}

static bool wait_in_vain(struct session *session, const struct call *call, GError **error)
{
    int64_t left_us = call->deadline_us ? call->deadline_us - world_monotonic_us(world_of(session)) : 60 * US_PER_S;
    passes(session, call, MAX(left_us, 1));
    return is_dead(session) ? gone(error) : error_set(error, SLUICE_ERROR_TIMED_OUT, "no answer came");
}

static bool any_cut(const struct cluster *cluster)
{
    for (size_t i = 0; i < CLUSTER_SHARDS; i++)
        if (cluster->shards[i].cut_until_us > executor_now_us(cluster->config.executor))
            return true;
    return false;
}

bool cluster_travel(struct session *session, const struct call *call, GError **error)
{
    struct cluster *cluster = cluster_of(session);
    int64_t us = USUAL_US + (int64_t)executor_dice(cluster->config.executor, SPREAD_US);
    if (is_dead(session))
        return gone(error);
    if (dies(cluster, SLOW_ONE_IN)) {
        us = (int64_t)executor_dice(cluster->config.executor, 90) * US_PER_S;
        cluster->met.slow++;
    }
    passes(session, call, us);
    if (is_dead(session))
        return gone(error);
    return call_goes_on(call, world_of(session), error);
}

/* Of a call that asks all shards, or of which nobody knows which. */
static bool reach(struct session *session, const struct call *call, GError **error)
{
    struct cluster *cluster = cluster_of(session);
    if (!cluster_travel(session, call, error))
        return false;
    if (!any_cut(cluster))
        return true;
    cluster->met.unreachable++;
    passes(session, call, CUT_AFTER_S * US_PER_S);
    return error_set(error, SLUICE_ERROR_UNREACHABLE, "a shard answers nobody");
}

bool cluster_answer(struct session *session, const struct call *call, GError **error)
{
    struct cluster *cluster = cluster_of(session);
    if (is_dead(session))
        return gone(error);
    if (!dies(cluster, LOST_ONE_IN))
        return true;
    cluster->met.unanswered++;
    return wait_in_vain(session, call, error);
}

/* --- opening ------------------------------------------------------------------------------------------------------ */

void cluster_content_open(struct cluster *cluster)
{
    GError *error = NULL;
    static struct mem_driver driver; /* the same for all of them */
    mem_driver_init(&driver, cluster->space);
    struct store_config config = {.uri = "mem:s", .driver = &driver.table};
    kit_ok(driver.table.open(&cluster->inner, &config, cluster->config.world, &error));
    *(struct store_base *)(void *)cluster->inner =
        (struct store_base){.driver = &mem_driver, .world = cluster->config.world, .label = "mem:s"};
    kit_ok(mem_driver.session_open(&cluster->session, cluster->inner, &error));
    ((struct session_base *)(void *)cluster->session)->store = cluster->inner;
    cluster->content = mem_content_of(cluster->session);
}

void cluster_content_close(struct cluster *cluster)
{
    mem_driver.session_close(cluster->session);
    mem_driver.close(cluster->inner);
}

static bool sim_open(struct store **ret, const struct store_config *config, const struct world *world, GError **error)
{
    struct sim_store *store = g_new0(struct sim_store, 1);
    store->driver = (struct cluster_driver *)(gpointer)config->driver;
    *ret = (struct store *)(void *)store;
    return true;
}

static void sim_close(struct store *store)
{
    g_free(store);
}

static bool sim_session_open(struct session **ret, struct store *store, GError **error)
{
    struct cluster *cluster = ((struct sim_store *)(void *)store)->driver->cluster;
    struct sim_session *session = g_new0(struct sim_session, 1);
    if (!mem_driver.session_open(&session->inner, cluster->inner, error)) {
        g_free(session);
        return false;
    }
    ((struct session_base *)(void *)session->inner)->store = cluster->inner;
    *ret = (struct session *)(void *)session;
    return true;
}

static void sim_session_close(struct session *session)
{
    mem_driver.session_close(sim_of(session)->inner);
    g_free(session);
}

/* --- what it says of itself --------------------------------------------------------------------------------------- */

static bool sim_inspect(struct session *session, const struct call *call, struct store_info *ret, GError **error)
{
    struct cluster *cluster = cluster_of(session);
    char text[CLUSTER_SLOTS + 1];
    if (!reach(session, call, error) || !mem_driver.inspect(sim_of(session)->inner, call, ret, error))
        return false;
    for (size_t i = 0; i < CLUSTER_SLOTS; i++)
        text[i] = (char)('a' + cluster->owner[i]);
    text[CLUSTER_SLOTS] = '\0';
    ret->topology = arena_text(call->mem, slice_of_text(text));
    return cluster_answer(session, call, error);
}

static bool sim_health(struct session *session, const struct call *call, GArray *into, GError **error)
{
    static const char *const NODES[CLUSTER_SHARDS] = {"a", "b", "c"};
    struct cluster *cluster = cluster_of(session);
    if (!reach(session, call, error))
        return false;
    for (size_t i = 0; i < CLUSTER_SHARDS; i++) {
        struct node_health node = NODE_HEALTH_UNKNOWN;
        node.node = NODES[i];
        node.round_trip_us = USUAL_US;
        node.replicas = 1;
        node.lag_ms = i == 0 ? cluster->lag_ms : 0;
        node.clock_ms = cluster_now_ms(cluster);
        g_array_append_val(into, node);
    }
    return !is_dead(session) || gone(error);
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static bool sim_read(struct session *session, const struct call *call, struct record *io, size_t n, GError **error)
{
    return reach(session, call, error) && mem_driver.read(sim_of(session)->inner, call, io, n, error) &&
           cluster_answer(session, call, error);
}

static bool sim_split(struct session *session, const struct call *call, const struct split_wish *wish,
                      struct part_list *into, GError **error)
{
    return reach(session, call, error) && mem_driver.split(sim_of(session)->inner, call, wish, into, error);
}

static bool sim_scan_open(struct scan **ret, struct session *session, const struct scan_spec *spec, GError **error)
{
    struct sim_scan *scan = g_new0(struct sim_scan, 1);
    if (!mem_driver.scan_open(&scan->inner, sim_of(session)->inner, spec, error)) {
        g_free(scan);
        return false;
    }
    *(struct scan_base *)(void *)scan->inner = (struct scan_base){.session = sim_of(session)->inner};
    *ret = (struct scan *)(void *)scan;
    return true;
}

static bool sim_scan_next(struct scan *base, const struct call *call, struct batch *ret, GError **error)
{
    struct sim_scan *scan = (struct sim_scan *)(void *)base;
    struct session *session = scan->base.session;
    return reach(session, call, error) && mem_driver.scan_next(scan->inner, call, ret, error) &&
           cluster_answer(session, call, error);
}

static void sim_scan_close(struct scan *base)
{
    struct sim_scan *scan = (struct sim_scan *)(void *)base;
    mem_driver.scan_close(scan->inner);
    g_free(scan);
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static void write_one(struct cluster *cluster, const struct aim *aim, const struct lane *lane, struct cas_op *op,
                      uint64_t sender, struct arena *mem)
{
    struct fence_state *fence = cluster_fence(cluster, &lane->fence, cluster_slot_of(op->key), false);
    struct lane_state *state = fence ? fence_state_lane(fence, lane->lane) : NULL;
    const struct keyed_value *stands = cluster_shown(cluster, aim, lane, op->key);
    if (!state || !state->open) {
        op->outcome = CAS_FENCED;
        cluster->met.fenced++;
    } else if (lane_state_applied(state, op->number)) {
        op->outcome = CAS_DONE;
    } else if (!keyed_takes(op, &op->fault)) {
        op->outcome = CAS_REFUSED;
    } else if (!keyed_etag_holds(&op->etag, stands)) {
        op->outcome = CAS_CHANGED;
        if (mem)
            keyed_live(op, stands, mem, &op->live);
    } else {
        cluster_write(cluster, aim, lane, op, sender);
        op->outcome = CAS_WRITTEN;
    }
}

static struct aim aim_of(const struct call *call, const struct lane *lane)
{
    const uint8_t *shadow = call->ds->shadow ? call->ds->shadow : call->promotes;
    g_assert(!shadow || memcmp(shadow, lane->fence.run, sizeof lane->fence.run) == 0); /* nobody writes another's */
    return (struct aim){
        .dataset = call->ds->name, .in_shadow = call->ds->shadow != NULL, .promotes = call->promotes != NULL};
}

static struct slice keep(struct arena *mem, struct slice bytes)
{
    struct slice kept;
    assert_true(arena_copy(mem, bytes, &kept));
    return kept;
}

void request_free(struct request *request)
{
    arena_free(request->mem);
    g_free(request->dataset);
    g_free(request);
}

static void leave_on_the_way(struct session *session, const struct call *call, const struct lane *lane,
                             const struct cas_op *ops, size_t n)
{
    struct request *request = g_new0(struct request, 1);
    *request = (struct request){.mem = arena_new(16 << 20),
                                .sender = driver_of(session)->process,
                                .dataset = g_strdup(call->ds->name),
                                .lane = *lane,
                                .n = n};
    request->aim = aim_of(call, lane);
    request->aim.dataset = request->dataset;
    request->ops = arena_alloc0(request->mem, MAX(n, 1) * sizeof *ops);
    for (size_t i = 0; i < n; i++) {
        request->ops[i] = ops[i];
        request->ops[i].key = keep(request->mem, ops[i].key);
        request->ops[i].raw = keep(request->mem, ops[i].raw);
    }
    g_ptr_array_add(cluster_of(session)->on_the_way, request);
}

static void arrive(struct cluster *cluster, guint i)
{
    struct request *request = g_ptr_array_remove_index(cluster->on_the_way, i);
    for (size_t k = 0; k < request->n; k++)
        write_one(cluster, &request->aim, &request->lane, &request->ops[k], 0, NULL); /* its sender waits no more */
    cluster->met.late++;
    request_free(request);
}

void cluster_arrive_late(struct cluster *cluster)
{
    if (cluster->on_the_way->len > 0)
        arrive(cluster, (guint)executor_dice(cluster->config.executor, cluster->on_the_way->len));
}

void cluster_arrive_all(struct cluster *cluster)
{
    while (cluster->on_the_way->len > 0)
        arrive(cluster, 0);
}

/* What the process has sent for this fence, and does not wait for any more, will never be applied. */
static void shut_out(struct session *session, const struct fence_id *id)
{
    struct cluster *cluster = cluster_of(session);
    for (guint i = cluster->on_the_way->len; i-- > 0;) {
        struct request *request = cluster->on_the_way->pdata[i];
        if (request->sender == driver_of(session)->process && request->lane.fence.part == id->part &&
            memcmp(request->lane.fence.run, id->run, sizeof id->run) == 0)
            request_free(g_ptr_array_remove_index(cluster->on_the_way, i));
    }
}

static void nobody_knows(struct cas_op *ops, size_t from, size_t n)
{
    for (size_t i = from; i < n; i++)
        ops[i].outcome = CAS_UNKNOWN;
}

/* What became of a request whose sender has died meanwhile: nothing, a part of it, or all of it later. */
static void sent_by_the_dead(struct session *session, const struct call *call, const struct lane *lane,
                             struct cas_op *ops, size_t n)
{
    struct cluster *cluster = cluster_of(session);
    uint64_t fate = executor_dice(cluster->config.executor, 3);
    size_t applied = fate == 1 ? executor_dice(cluster->config.executor, n + 1) : 0;
    struct aim aim = aim_of(call, lane);
    for (size_t i = 0; i < applied; i++)
        write_one(cluster, &aim, lane, &ops[i], driver_of(session)->process, NULL);
    if (fate == 2)
        leave_on_the_way(session, call, lane, ops, n);
    cluster->met.torn += fate == 1;
    nobody_knows(ops, 0, n);
}

/* Shards that are cut off get nothing. */
static size_t write_all(struct session *session, const struct call *call, const struct lane *lane, struct cas_op *ops,
                        size_t n)
{
    struct cluster *cluster = cluster_of(session);
    struct aim aim = aim_of(call, lane);
    size_t sent = 0;
    for (size_t i = 0; i < n; i++) {
        struct shard *shard = cluster_shard_of(cluster, cluster_slot_of(ops[i].key));
        if (shard->cut_until_us > executor_now_us(cluster->config.executor))
            continue;
        write_one(cluster, &aim, lane, &ops[i], driver_of(session)->process, call->mem);
        sent++;
    }
    sim_of(session)->dirty = true;
    return sent;
}

enum { TORN_ONE_IN = 60, LATE_ONE_IN = 60 };

static bool sim_cas(struct session *session, const struct call *call, const struct lane *lane, struct cas_op *ops,
                    size_t n, GError **error)
{
    struct cluster *cluster = cluster_of(session);
    bool was_dead = is_dead(session);
    for (size_t i = 0; i < n; i++)
        ops[i].outcome = CAS_NOT_SENT;
    if (!cluster_travel(session, call, error)) {
        if (!was_dead && is_dead(session))
            sent_by_the_dead(session, call, lane, ops, n);
        return false;
    }
    cluster->config.request(cluster->config.self);
    if (dies(cluster, LATE_ONE_IN)) {
        leave_on_the_way(session, call, lane, ops, n);
        nobody_knows(ops, 0, n);
        return wait_in_vain(session, call, error);
    }
    if (dies(cluster, TORN_ONE_IN)) {
        size_t applied = executor_dice(cluster->config.executor, n + 1);
        write_all(session, call, lane, ops, applied);
        nobody_knows(ops, executor_dice(cluster->config.executor, applied + 1), n);
        cluster->met.torn++;
        return error_set(error, SLUICE_ERROR_UNREACHABLE, "the connection was lost");
    }
    size_t sent = write_all(session, call, lane, ops, n);
    if (!cluster_answer(session, call, error)) {
        nobody_knows(ops, 0, n);
        return false;
    }
    return sent == n || error_set(error, SLUICE_ERROR_UNREACHABLE, "a shard answers nobody");
}

static bool sim_settle(struct session *session, const struct call *call, GError **error)
{
    if (!reach(session, call, error) || !cluster_answer(session, call, error))
        return false;
    sim_of(session)->dirty = false;
    return true;
}

/* --- lanes -------------------------------------------------------------------------------------------------------- */

/* What one slot knows, added to what others do. */
static void merge(struct fence_lane *into, const struct fence_lane *from, struct arena *mem)
{
    size_t len = MAX(into->bitmap.len, from->bitmap.len);
    uint8_t *bits = arena_alloc0(mem, len + 1);
    for (size_t i = 0; i < into->bitmap.len; i++)
        bits[i] |= into->bitmap.data[i];
    for (size_t i = 0; i < from->bitmap.len; i++)
        bits[i] |= from->bitmap.data[i];
    into->bitmap = slice_of(bits, len);
}

/* Marks are kept until the run is over: what a server may have lost is never forgotten. */
static bool fence_of(struct cluster *cluster, const struct fence_id *id, struct arena *mem, struct fence *ret,
                     GError **error)
{
    struct fence fence = {0};
    for (uint32_t slot = 0; slot < CLUSTER_SLOTS; slot++) {
        struct fence one;
        if (!fence_state_view(cluster_fence(cluster, id, slot, false), mem, &one, error))
            return false;
        for (size_t i = 0; slot > 0 && i < one.n; i++) /* the same lanes in all of them */
            merge(&fence.lanes[i], &one.lanes[i], mem);
        if (slot == 0)
            fence = one;
    }
    *ret = fence;
    return true;
}

static bool sim_lane_open(struct session *session, const struct call *call, const struct lane *lane,
                          struct fence *ret_before, GError **error)
{
    struct cluster *cluster = cluster_of(session);
    struct fence before;
    struct lane bare = *lane;
    bare.base = 0;
    if (!reach(session, call, error) || !fence_of(cluster, &lane->fence, call->mem, &before, error))
        return false;
    for (uint32_t slot = 0; slot < CLUSTER_SLOTS; slot++)
        if (!fence_state_open(cluster_fence(cluster, &lane->fence, slot, true), &bare, error))
            return false;
    if (!cluster_answer(session, call, error))
        return false;
    *ret_before = before;
    return true;
}

static bool sim_fence_read(struct session *session, const struct call *call, const struct fence_id *id,
                           struct fence *ret, GError **error)
{
    if (!reach(session, call, error))
        return false;
    shut_out(session, id);
    return fence_of(cluster_of(session), id, call->mem, ret, error) && cluster_answer(session, call, error);
}

static bool sim_fence_drop(struct session *session, const struct call *call, const uint8_t run[16], GError **error)
{
    struct cluster *cluster = cluster_of(session);
    struct fence_id first = {.part = 0};
    uint8_t from[FENCE_KEY_BYTES];
    GTreeNode *node;
    memcpy(first.run, run, sizeof first.run);
    fence_key_put(&first, from);
    if (!reach(session, call, error))
        return false;
    while ((node = g_tree_lower_bound(cluster->fences, from)) && memcmp(g_tree_node_key(node), run, 16) == 0)
        g_tree_remove(cluster->fences, g_tree_node_key(node));
    return cluster_answer(session, call, error);
}

static bool sim_lock(struct session *session, const struct call *call, struct store_lock *io, bool force,
                     GError **error)
{
    return reach(session, call, error) && mem_write_ops.lock(sim_of(session)->inner, call, io, force, error) &&
           cluster_answer(session, call, error);
}

static bool sim_unlock(struct session *session, const struct call *call, const uint8_t run_uid[16], GError **error)
{
    return reach(session, call, error) && mem_write_ops.unlock(sim_of(session)->inner, call, run_uid, error) &&
           cluster_answer(session, call, error);
}

static bool sim_end_mark(struct session *session, const struct call *call, const uint8_t run_uid[16], struct slice mark,
                         GError **error)
{
    return reach(session, call, error) && mem_write_ops.end_mark(sim_of(session)->inner, call, run_uid, mark, error) &&
           cluster_answer(session, call, error);
}

static bool sim_end_read(struct session *session, const struct call *call, const uint8_t run_uid[16], struct slice *ret,
                         GError **error)
{
    return reach(session, call, error) && mem_write_ops.end_read(sim_of(session)->inner, call, run_uid, ret, error) &&
           cluster_answer(session, call, error);
}

static const struct write_ops WRITE = {
    .cas = sim_cas,
    .settle = sim_settle,
    .lane_open = sim_lane_open,
    .fence_read = sim_fence_read,
    .fence_drop = sim_fence_drop,
    .lock = sim_lock,
    .unlock = sim_unlock,
    .end_mark = sim_end_mark,
    .end_read = sim_end_read,
};

/* --- shadows ------------------------------------------------------------------------------------------------------ */

/* A request to drop that is answered is waited for on every replica. */
static bool sim_shadow_drop(struct session *session, const struct call *call, const uint8_t run[16], GError **error)
{
    if (!reach(session, call, error) || !mem_shadow_ops.drop(sim_of(session)->inner, call, run, error))
        return false;
    cluster_replicate(cluster_of(session));
    return cluster_answer(session, call, error);
}

static const struct shadow_ops SHADOW = {.drop = sim_shadow_drop};

void cluster_driver_init(struct cluster_driver *ret, struct cluster *cluster, const bool *dead)
{
    *ret =
        (struct cluster_driver){.table = mem_driver, .cluster = cluster, .process = ++cluster->processes, .dead = dead};
    ret->table.open = sim_open;
    ret->table.close = sim_close;
    ret->table.session_open = sim_session_open;
    ret->table.session_close = sim_session_close;
    ret->table.inspect = sim_inspect;
    ret->table.health = sim_health;
    ret->table.split = sim_split;
    ret->table.scan_open = sim_scan_open;
    ret->table.scan_next = sim_scan_next;
    ret->table.scan_close = sim_scan_close;
    ret->table.read = sim_read;
    ret->table.write = &WRITE;
    ret->table.history = &cluster_history_ops;
    ret->table.shadow = &SHADOW;
}
