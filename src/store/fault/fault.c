#include "store/fault/fault.h"

#include "store/calls.h"

struct fault_store {
    struct store_base base;
    const struct fault_driver *driver;
    struct store *inner;
    char *label;
};

struct fault_session {
    struct session_base base;
    struct session *inner;
};

struct fault_scan {
    struct scan_base base;
    struct scan *inner;
};

/* --- the plan ----------------------------------------------------------------------------------------------------- */

static const char *const op_names[] = {
#define ROW(code, name) name,
#include "store/fault/op_rows.h"
#undef ROW
};

const char *fault_op_name(enum fault_op op)
{
    return op < FAULT_OP_COUNT ? op_names[op] : "any";
}

void fault_plan_init(struct fault_plan *plan)
{
    *plan = (struct fault_plan){.n = 0};
    pthread_mutex_init(&plan->lock, NULL);
}

void fault_plan_done(struct fault_plan *plan)
{
    pthread_mutex_destroy(&plan->lock);
}

static bool row_fits(const struct fault_plan *plan, const struct fault_row *row, enum fault_op op)
{
    if (row->op != op && row->op != FAULT_ANY)
        return false;
    uint64_t call = plan->calls[row->op];
    return row->nth && (row->lasting ? call >= row->nth : call == row->nth);
}

/* What happens to this call of `ops` operations. */
static struct fault_row next_fault(struct fault_plan *plan, enum fault_op op, size_t ops)
{
    struct fault_row fault = {.effect = FAULT_NONE};
    auto_hold(&plan->lock);
    plan->calls[op]++;
    plan->calls[FAULT_ANY]++;
    for (size_t i = 0; i < plan->n && fault.effect == FAULT_NONE; i++)
        if (row_fits(plan, &plan->rows[i], op))
            fault = plan->rows[i];
    if (fault.effect == FAULT_NONE && plan->decide)
        fault = plan->decide(plan->decide_self, op, ops);
    plan->fired[op] += fault.effect != FAULT_NONE;
    return fault;
}

/* --- one call ----------------------------------------------------------------------------------------------------- */

struct passage {
    const struct fault_driver *driver;
    const struct world *world;
    const struct call *call; /* NULL where the call has none */
    enum fault_op op;
    struct fault_row fault;
};

static bool fault_error(const struct passage *passage, enum error_code code, GError **error)
{
    return error_set(error, code, "planned fault in %s", fault_op_name(passage->op));
}

/* false: the call does not reach the inner driver. */
static bool go_in(struct passage *passage, size_t ops, GError **error)
{
    passage->fault = next_fault(passage->driver->plan, passage->op, ops);
    switch (passage->fault.effect) {
    case FAULT_TORN:
        return passage->op == FAULT_CAS || fault_error(passage, SLUICE_ERROR_UNREACHABLE, error);
    case FAULT_TRANSIENT:
        return fault_error(passage, SLUICE_ERROR_UNREACHABLE, error);
    case FAULT_FATAL:
        return fault_error(passage, SLUICE_ERROR_STORE, error);
    case FAULT_UNSETTLED:
        return fault_error(passage, SLUICE_ERROR_UNSETTLED, error);
    case FAULT_TOO_BIG:
        return fault_error(passage, SLUICE_ERROR_TOO_BIG, error);
    case FAULT_SLOW:
        world_sleep_us(passage->world, passage->fault.slow_us, passage->call ? passage->call->cancel : NULL);
        if (passage->call && !call_goes_on(passage->call, passage->world, NULL))
            passage->fault.effect = FAULT_LOST;
        return true;
    case FAULT_NONE:
    case FAULT_LOST:
        break;
    }
    return true;
}

/* What the inner driver said reaches the caller, or not. */
static bool come_out(const struct passage *passage, bool ok, GError **error)
{
    if (!ok || passage->fault.effect != FAULT_LOST)
        return ok;
    return fault_error(passage, SLUICE_ERROR_TIMED_OUT, error);
}

static const struct fault_store *store_of(struct session *session)
{
    return (const struct fault_store *)((struct session_base *)session)->store;
}

static struct session *inner_of(struct session *session)
{
    return ((struct fault_session *)session)->inner;
}

static bool session_go_in(struct passage *ret, struct session *session, const struct call *call, enum fault_op op,
                          GError **error)
{
    const struct fault_store *store = store_of(session);
    *ret = (struct passage){.driver = store->driver, .world = store->base.world, .call = call, .op = op};
    return go_in(ret, 0, error);
}

/* --- opening ------------------------------------------------------------------------------------------------------ */

static const struct fault_driver *driver_of(const struct store_config *config)
{
    return (const struct fault_driver *)config->driver;
}

static bool fault_locate(const struct store_config *config, const struct world *world, char **ret, GError **error)
{
    struct store_config inner = *config;
    inner.driver = driver_of(config)->inner;
    return inner.driver->locate(&inner, world, ret, error);
}

static bool fault_open(struct store **ret, const struct store_config *config, const struct world *world, GError **error)
{
    struct passage passage = {.driver = driver_of(config), .world = world, .op = FAULT_OPEN};
    struct store_config inner = *config;
    inner.driver = passage.driver->inner;
    struct store *opened = NULL;
    if (!go_in(&passage, 0, error) || !inner.driver->open(&opened, &inner, world, error))
        return false;
    struct fault_store *store = g_new0(struct fault_store, 1);
    *store = (struct fault_store){.driver = passage.driver, .inner = opened, .label = store_label(config->uri)};
    *(struct store_base *)opened = (struct store_base){
        .driver = inner.driver, .world = world, .label = store->label, .read_only = config->read_only};
    *ret = (struct store *)store;
    return true;
}

static void fault_close(struct store *base)
{
    struct fault_store *store = (struct fault_store *)base;
    store->driver->inner->close(store->inner);
    g_free(store->label);
    g_free(store);
}

static bool fault_session_open(struct session **ret, struct store *base, GError **error)
{
    struct fault_store *store = (struct fault_store *)base;
    struct passage passage = {.driver = store->driver, .world = store->base.world, .op = FAULT_SESSION_OPEN};
    struct session *inner = NULL;
    if (!go_in(&passage, 0, error) || !store->driver->inner->session_open(&inner, store->inner, error))
        return false;
    *(struct session_base *)inner = (struct session_base){.store = store->inner};
    struct fault_session *session = g_new0(struct fault_session, 1);
    session->inner = inner;
    *ret = (struct session *)session;
    return true;
}

static void fault_session_close(struct session *session)
{
    store_of(session)->driver->inner->session_close(inner_of(session));
    g_free(session);
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static bool fault_inspect(struct session *session, const struct call *call, struct store_info *ret, GError **error)
{
    struct passage passage;
    return session_go_in(&passage, session, call, FAULT_INSPECT, error) &&
           come_out(&passage, passage.driver->inner->inspect(inner_of(session), call, ret, error), error);
}

static bool fault_split(struct session *session, const struct call *call, const struct split_wish *wish,
                        struct part_list *into, GError **error)
{
    struct passage passage;
    return session_go_in(&passage, session, call, FAULT_SPLIT, error) &&
           come_out(&passage, passage.driver->inner->split(inner_of(session), call, wish, into, error), error);
}

static bool fault_read(struct session *session, const struct call *call, struct record *io, size_t n, GError **error)
{
    struct passage passage;
    return session_go_in(&passage, session, call, FAULT_READ, error) &&
           come_out(&passage, passage.driver->inner->read(inner_of(session), call, io, n, error), error);
}

static bool fault_moment(struct session *session, const struct call *call, struct slice *ret, GError **error)
{
    struct passage passage;
    return session_go_in(&passage, session, call, FAULT_INSPECT, error) &&
           come_out(&passage, passage.driver->inner->moment(inner_of(session), call, ret, error), error);
}

static bool fault_scan_open(struct scan **ret, struct session *session, const struct scan_spec *spec, GError **error)
{
    struct passage passage;
    struct scan *inner = NULL;
    if (!session_go_in(&passage, session, NULL, FAULT_SCAN_OPEN, error) ||
        !passage.driver->inner->scan_open(&inner, inner_of(session), spec, error))
        return false;
    ((struct scan_base *)inner)->session = inner_of(session);
    struct fault_scan *scan = g_new0(struct fault_scan, 1);
    scan->inner = inner;
    *ret = (struct scan *)scan;
    return true;
}

static bool fault_scan_next(struct scan *base, const struct call *call, struct batch *ret, GError **error)
{
    struct fault_scan *scan = (struct fault_scan *)base;
    struct passage passage;
    return session_go_in(&passage, scan->base.session, call, FAULT_SCAN_NEXT, error) &&
           come_out(&passage, passage.driver->inner->scan_next(scan->inner, call, ret, error), error);
}

static void fault_scan_close(struct scan *base)
{
    struct fault_scan *scan = (struct fault_scan *)base;
    store_of(scan->base.session)->driver->inner->scan_close(scan->inner);
    g_free(scan);
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

/* Outcomes whose replies did not come back. What was refused or not sent by the inner driver is known no better. */
static void forget(struct cas_op *ops, size_t from, size_t n)
{
    for (size_t i = from; i < n; i++)
        ops[i].outcome = CAS_UNKNOWN;
}

static bool fault_cas(struct session *session, const struct call *call, const struct lane *lane, struct cas_op *ops,
                      size_t n, GError **error)
{
    const struct fault_store *store = store_of(session);
    struct passage passage = {.driver = store->driver, .world = store->base.world, .call = call, .op = FAULT_CAS};
    if (!go_in(&passage, n, error))
        return false;
    bool torn = passage.fault.effect == FAULT_TORN;
    size_t sent = torn ? MIN(passage.fault.applied, n) : n;
    struct call inner = *call;
    inner.from = call->from ? inner_of(call->from) : NULL;
    bool ok = passage.driver->inner->write->cas(inner_of(session), &inner, lane, ops, sent, error);
    if (!ok)
        return false;
    if (passage.fault.effect == FAULT_LOST)
        forget(ops, 0, n);
    if (!torn)
        return come_out(&passage, true, error);
    forget(ops, MIN(passage.fault.known, sent), n);
    return fault_error(&passage, SLUICE_ERROR_UNREACHABLE, error);
}

static bool fault_settle(struct session *session, const struct call *call, GError **error)
{
    struct passage passage;
    return session_go_in(&passage, session, call, FAULT_SETTLE, error) &&
           come_out(&passage, passage.driver->inner->write->settle(inner_of(session), call, error), error);
}

static bool fault_lane_open(struct session *session, const struct call *call, const struct lane *lane,
                            struct fence *ret_before, GError **error)
{
    struct passage passage;
    return session_go_in(&passage, session, call, FAULT_LANE_OPEN, error) &&
           come_out(&passage, passage.driver->inner->write->lane_open(inner_of(session), call, lane, ret_before, error),
                    error);
}

static bool fault_fence_read(struct session *session, const struct call *call, const struct fence_id *id,
                             struct fence *ret, GError **error)
{
    struct passage passage;
    return session_go_in(&passage, session, call, FAULT_FENCE_READ, error) &&
           come_out(&passage, passage.driver->inner->write->fence_read(inner_of(session), call, id, ret, error), error);
}

static bool fault_fence_drop(struct session *session, const struct call *call, const uint8_t run[16], GError **error)
{
    struct passage passage;
    return session_go_in(&passage, session, call, FAULT_FENCE_DROP, error) &&
           come_out(&passage, passage.driver->inner->write->fence_drop(inner_of(session), call, run, error), error);
}

static bool fault_lock(struct session *session, const struct call *call, struct store_lock *io, bool force,
                       GError **error)
{
    struct passage passage;
    return session_go_in(&passage, session, call, FAULT_LOCK, error) &&
           come_out(&passage, passage.driver->inner->write->lock(inner_of(session), call, io, force, error), error);
}

static bool fault_unlock(struct session *session, const struct call *call, const uint8_t run_uid[16], GError **error)
{
    struct passage passage;
    return session_go_in(&passage, session, call, FAULT_UNLOCK, error) &&
           come_out(&passage, passage.driver->inner->write->unlock(inner_of(session), call, run_uid, error), error);
}

static bool fault_end_mark(struct session *session, const struct call *call, const uint8_t run_uid[16],
                           struct slice mark, GError **error)
{
    struct passage passage;
    return session_go_in(&passage, session, call, FAULT_END_MARK, error) &&
           come_out(&passage, passage.driver->inner->write->end_mark(inner_of(session), call, run_uid, mark, error),
                    error);
}

static bool fault_end_read(struct session *session, const struct call *call, const uint8_t run_uid[16],
                           struct slice *ret, GError **error)
{
    struct passage passage;
    return session_go_in(&passage, session, call, FAULT_END_READ, error) &&
           come_out(&passage, passage.driver->inner->write->end_read(inner_of(session), call, run_uid, ret, error),
                    error);
}

static bool fault_sink_write(struct session *session, const struct call *call, const struct sink_file *file,
                             const struct record *records, size_t n, GError **error)
{
    struct passage passage;
    return session_go_in(&passage, session, call, FAULT_SINK_WRITE, error) &&
           come_out(&passage,
                    passage.driver->inner->sink->write_durable(inner_of(session), call, file, records, n, error),
                    error);
}

static bool fault_sink_publish(struct session *session, const struct call *call, const struct sink_file *file,
                               GError **error)
{
    struct passage passage;
    return session_go_in(&passage, session, call, FAULT_SINK_PUBLISH, error) &&
           come_out(&passage, passage.driver->inner->sink->publish_durable(inner_of(session), call, file, error),
                    error);
}

static bool fault_sink_published(struct session *session, const struct call *call, const uint8_t run[16], GArray *into,
                                 GError **error)
{
    struct passage passage;
    return session_go_in(&passage, session, call, FAULT_SINK_LIST, error) &&
           come_out(&passage, passage.driver->inner->sink->published(inner_of(session), call, run, into, error), error);
}

/* A matter of names: nothing that could go wrong for a while. */
static bool fault_sink_bounds(struct session *session, const struct call *call, const struct sink_file *file,
                              struct slice *ret, GError **error)
{
    return store_of(session)->driver->inner->sink->bounds(inner_of(session), call, file, ret, error);
}

static bool fault_sink_drop(struct session *session, const struct call *call, const uint8_t run[16], GError **error)
{
    struct passage passage;
    return session_go_in(&passage, session, call, FAULT_SINK_DROP, error) &&
           come_out(&passage, passage.driver->inner->sink->drop(inner_of(session), call, run, error), error);
}

static bool fault_shadow_check(struct session *session, const struct call *call, GError **error)
{
    struct passage passage;
    return session_go_in(&passage, session, call, FAULT_INSPECT, error) &&
           come_out(&passage, passage.driver->inner->shadow->check(inner_of(session), call, error), error);
}

static bool fault_shadow_drop(struct session *session, const struct call *call, const uint8_t run[16], GError **error)
{
    struct passage passage;
    return session_go_in(&passage, session, call, FAULT_SHADOW_DROP, error) &&
           come_out(&passage, passage.driver->inner->shadow->drop(inner_of(session), call, run, error), error);
}

static bool fault_note(struct session *session, const struct call *call, const struct witness *witness,
                       struct slice was, const char **ret, GError **error)
{
    struct passage passage;
    return session_go_in(&passage, session, call, FAULT_INSPECT, error) &&
           come_out(&passage, passage.driver->inner->history->note(inner_of(session), call, witness, was, ret, error),
                    error);
}

static bool fault_history(struct session *session, const struct call *call, const uint8_t run[16], struct history **ret,
                          GError **error)
{
    struct passage passage;
    struct history *seen = NULL;
    if (!session_go_in(&passage, session, call, FAULT_INSPECT, error) ||
        !passage.driver->inner->history->look(inner_of(session), call, run, &seen, error))
        return false;
    if (come_out(&passage, true, error)) {
        *ret = seen;
        return true;
    }
    passage.driver->inner->history->free(seen);
    return false;
}

static bool fault_stands(struct session *session, const struct call *call, const struct standing_wish *wish,
                         GError **error)
{
    struct passage passage;
    return session_go_in(&passage, session, call, FAULT_INSPECT, error) &&
           come_out(&passage, passage.driver->inner->history->stands(inner_of(session), call, wish, error), error);
}

/* --- the table ---------------------------------------------------------------------------------------------------- */

/* A capability that the inner driver lacks is lacking here too. */
#define WRAP(inner, function) ((inner) ? (function) : NULL)

static void wrap_write(struct fault_driver *driver)
{
    const struct write_ops *inner = driver->inner->write;
    if (!inner)
        return;
    driver->write = (struct write_ops){
        .cas = WRAP(inner->cas, fault_cas),
        .settle = WRAP(inner->settle, fault_settle),
        .lane_open = WRAP(inner->lane_open, fault_lane_open),
        .fence_read = WRAP(inner->fence_read, fault_fence_read),
        .fence_drop = WRAP(inner->fence_drop, fault_fence_drop),
        .lock = WRAP(inner->lock, fault_lock),
        .unlock = WRAP(inner->unlock, fault_unlock),
        .end_mark = WRAP(inner->end_mark, fault_end_mark),
        .end_read = WRAP(inner->end_read, fault_end_read),
    };
    driver->table.write = &driver->write;
}

static void wrap_rest(struct fault_driver *driver)
{
    const struct sink_ops *sink = driver->inner->sink;
    if (sink) {
        driver->sink = (struct sink_ops){
            .write_durable = WRAP(sink->write_durable, fault_sink_write),
            .publish_durable = WRAP(sink->publish_durable, fault_sink_publish),
            .published = WRAP(sink->published, fault_sink_published),
            .bounds = WRAP(sink->bounds, fault_sink_bounds),
            .drop = WRAP(sink->drop, fault_sink_drop),
        };
        driver->table.sink = &driver->sink;
    }
    if (driver->inner->shadow) {
        driver->shadow = *driver->inner->shadow;
        driver->shadow.check = WRAP(driver->inner->shadow->check, fault_shadow_check);
        driver->shadow.drop = WRAP(driver->inner->shadow->drop, fault_shadow_drop);
        driver->table.shadow = &driver->shadow;
    }
    if (driver->inner->history) {
        driver->history = *driver->inner->history;
        driver->history.note = fault_note;
        driver->history.look = fault_history;
        driver->history.stands = fault_stands;
        driver->table.history = &driver->history;
    }
}

void fault_driver_init(struct fault_driver *ret, const struct store_driver *inner, struct fault_plan *plan)
{
    *ret = (struct fault_driver){.table = *inner, .inner = inner, .plan = plan};
    struct store_driver *table = &ret->table;
    table->locate = WRAP(inner->locate, fault_locate);
    table->open = fault_open;
    table->close = fault_close;
    table->session_open = fault_session_open;
    table->session_close = fault_session_close;
    table->inspect = WRAP(inner->inspect, fault_inspect);
    table->moment = WRAP(inner->moment, fault_moment);
    table->split = WRAP(inner->split, fault_split);
    table->scan_open = WRAP(inner->scan_open, fault_scan_open);
    table->scan_next = WRAP(inner->scan_next, fault_scan_next);
    table->scan_each = NULL; /* of copies: what is planned for scan_next holds of both */
    table->scan_close = WRAP(inner->scan_close, fault_scan_close);
    table->read = WRAP(inner->read, fault_read);
    wrap_write(ret);
    wrap_rest(ret);
}
