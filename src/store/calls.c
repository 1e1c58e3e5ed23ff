#include "store/calls.h"

#include "store/only.h"

/* The kinds of call: the point of world_point() before it and, where something may have been written, the one after it;
 * what a driver without it cannot do; whether it needs a store opened for writing. */
/* clang-format off */
enum op { OP_SESSION, OP_INSPECT, OP_SPLIT, OP_SCAN_OPEN, OP_SCAN_NEXT, OP_READ, OP_CAS, OP_SETTLE, OP_LANE_OPEN,
          OP_FENCE_READ, OP_FENCE_DROP, OP_LOCK, OP_UNLOCK, OP_END_MARK, OP_END_READ, OP_SINK_WRITE, OP_SINK_PUBLISH,
          OP_SINK_LIST, OP_SINK_DROP, OP_SHADOW_DROP, OP_MEMBERS, OP_COUNT };

static const struct op_row {
    const char *before, *after, *cannot;
    bool writes;
} op_rows[OP_COUNT] = {
    [OP_SESSION]      = {"store.session",      NULL,                       NULL, false},
    [OP_INSPECT]      = {"store.inspect",      NULL,                       "say what it is", false},
    [OP_SPLIT]        = {"store.split",        NULL,                       "be split into partitions", false},
    [OP_SCAN_OPEN]    = {"store.scan_open",    NULL,                       "be scanned", false},
    [OP_SCAN_NEXT]    = {"store.scan_next",    NULL,                       "be scanned", false},
    [OP_READ]         = {"store.read",         NULL,                       "be read by key", false},
    [OP_CAS]          = {"store.cas",          "store.cas.after",          "be written by key", true},
    [OP_SETTLE]       = {"store.settle",       "store.settle.after",       "make writes durable", true},
    [OP_LANE_OPEN]    = {"store.lane_open",    "store.lane_open.after",    "keep a fence", true},
    [OP_FENCE_READ]   = {"store.fence_read",   NULL,                       "keep a fence", false},
    [OP_FENCE_DROP]   = {"store.fence_drop",   "store.fence_drop.after",   "keep a fence", true},
    [OP_LOCK]         = {"store.lock",         "store.lock.after",         "keep a lock", true},
    [OP_UNLOCK]       = {"store.unlock",       "store.unlock.after",       "keep a lock", true},
    [OP_END_MARK]     = {"store.end_mark",     "store.end_mark.after",     "keep the end of a run", true},
    [OP_END_READ]     = {"store.end_read",     NULL,                       "keep the end of a run", false},
    [OP_SINK_WRITE]   = {"store.sink_write",   "store.sink_write.after",   "be written as files", true},
    [OP_SINK_PUBLISH] = {"store.sink_publish", "store.sink_publish.after", "be written as files", true},
    [OP_SINK_LIST]    = {"store.sink_list",    NULL,                       "be written as files", false},
    [OP_SINK_DROP]    = {"store.sink_drop",    "store.sink_drop.after",    "be written as files", true},
    [OP_SHADOW_DROP]  = {"store.shadow_drop",  "store.shadow_drop.after",  "keep a shadow", true},
    [OP_MEMBERS]      = {"store.members",      NULL,                       "hold sets", false},
};
/* clang-format on */

const char *store_point(size_t i)
{
    if (i < OP_COUNT)
        return op_rows[i].before;
    for (size_t op = 0, n = OP_COUNT; op < OP_COUNT; op++)
        if (op_rows[op].after && n++ == i)
            return op_rows[op].after;
    return NULL;
}

bool call_goes_on(const struct call *call, const struct world *world, GError **error)
{
    if (call->cancel && atomic_load_explicit(call->cancel, memory_order_relaxed))
        return error_set(error, SLUICE_ERROR_CANCELLED, "given up on request");
    if (call->deadline_us && world_monotonic_us(world) >= call->deadline_us)
        return error_set(error, SLUICE_ERROR_TIMED_OUT, "the call's deadline has passed");
    return true;
}

static struct session_base *session_base(struct session *session)
{
    return (struct session_base *)session;
}

static struct store_base *base_of(const struct session *session)
{
    return (struct store_base *)((const struct session_base *)session)->store;
}

const struct store_driver *session_driver(const struct session *session)
{
    return base_of(session)->driver;
}

const struct store_counters *session_counters(const struct session *session)
{
    return &((const struct session_base *)session)->counters;
}

/* One call on its way: opened by call_begin(), ended by call_end(). */
struct attempt {
    struct session *session;
    enum op op;
    int64_t started_us;
};

static bool refuse(const struct store_base *base, enum op op, bool capable, GError **error)
{
    const struct op_row *row = &op_rows[op];
    if (!capable)
        return error_set(error, SLUICE_ERROR_NOT_PERMITTED,
                         "store %s: a store of driver '%s' cannot %s; `sluice stores` shows what each can", base->label,
                         base->driver->name, row->cannot);
    if (row->writes && base->read_only)
        return error_set(error, SLUICE_ERROR_REFUSED, "store %s: opened for reading only", base->label);
    return true;
}

static bool call_begin(struct attempt *ret, struct session *session, const struct call *call, enum op op, bool capable,
                       GError **error)
{
    struct store_base *base = base_of(session);
    *ret = (struct attempt){.session = session, .op = op};
    session_base(session)->counters.calls++;
    bool ok = refuse(base, op, capable, error);
    if (ok && call && !call_goes_on(call, base->world, error)) {
        error_add(error, "store %s", base->label);
        ok = false;
    }
    session_base(session)->counters.errors += !ok;
    if (!ok)
        return false;
    world_point(base->world, op_rows[op].before);
    ret->started_us = world_monotonic_us(base->world);
    return true;
}

static bool call_end(const struct attempt *attempt, bool ok, GError **error)
{
    struct store_base *base = base_of(attempt->session);
    struct store_counters *counters = &session_base(attempt->session)->counters;
    counters->busy_us += (uint64_t)(world_monotonic_us(base->world) - attempt->started_us);
    counters->errors += !ok;
    if (op_rows[attempt->op].after)
        world_point(base->world, op_rows[attempt->op].after);
    if (!ok)
        error_add(error, "store %s", base->label);
    return ok;
}

bool store_session_open(struct session **ret, struct store *store, GError **error)
{
    struct store_base *base = (struct store_base *)store;
    world_point(base->world, op_rows[OP_SESSION].before);
    struct session *session = NULL;
    if (!base->driver->session_open(&session, store, error))
        return error_add(error, "store %s", base->label);
    *session_base(session) = (struct session_base){.store = store};
    *ret = session;
    return true;
}

void store_session_close(struct session *session)
{
    if (session)
        session_driver(session)->session_close(session);
}

bool store_inspect(struct session *session, const struct call *call, struct store_info *ret, GError **error)
{
    const struct store_driver *driver = session_driver(session);
    struct attempt attempt;
    if (!call_begin(&attempt, session, call, OP_INSPECT, driver->inspect, error))
        return false;
    return call_end(&attempt, driver->inspect(session, call, ret, error), error);
}

static const struct history_ops *history_of(struct session *session)
{
    static const struct history_ops none;
    const struct history_ops *history = session_driver(session)->history;
    return history ? history : &none;
}

bool store_history_note(struct session *session, const struct call *call, const struct witness *witness,
                        struct slice was, const char **ret, GError **error)
{
    const struct history_ops *history = history_of(session);
    struct attempt attempt;
    if (!call_begin(&attempt, session, call, OP_INSPECT, history->note, error))
        return false;
    return call_end(&attempt, history->note(session, call, witness, was, ret, error), error);
}

bool store_history_look(struct session *session, const struct call *call, const uint8_t run[16], struct history **ret,
                        GError **error)
{
    const struct history_ops *history = history_of(session);
    struct attempt attempt;
    if (!call_begin(&attempt, session, call, OP_INSPECT, history->look, error))
        return false;
    return call_end(&attempt, history->look(session, call, run, ret, error), error);
}

bool store_history_stands(struct session *session, const struct call *call, const struct standing_wish *wish,
                          GError **error)
{
    const struct history_ops *history = history_of(session);
    struct attempt attempt;
    if (!call_begin(&attempt, session, call, OP_INSPECT, history->stands, error))
        return false;
    return call_end(&attempt, history->stands(session, call, wish, error), error);
}

bool store_moment(struct session *session, const struct call *call, struct slice *ret, GError **error)
{
    const struct store_driver *driver = session_driver(session);
    struct attempt attempt;
    *ret = SLICE_EMPTY;
    if (!driver->moment)
        return true;
    return call_begin(&attempt, session, call, OP_INSPECT, true, error) &&
           call_end(&attempt, driver->moment(session, call, ret, error), error);
}

bool store_examine(struct session *session, const struct call *call, bool writes, GArray *into, GError **error)
{
    const struct store_driver *driver = session_driver(session);
    struct attempt attempt;
    if (!driver->examine)
        return true;
    return call_begin(&attempt, session, call, OP_INSPECT, true, error) &&
           call_end(&attempt, driver->examine(session, call, writes, into, error), error);
}

bool store_health(struct session *session, const struct call *call, GArray *into, GError **error)
{
    const struct store_driver *driver = session_driver(session);
    struct attempt attempt;
    if (!driver->health)
        return true;
    return call_begin(&attempt, session, call, OP_INSPECT, true, error) &&
           call_end(&attempt, driver->health(session, call, into, error), error);
}

bool store_takes(const struct store_driver *driver, const struct dataset *ds, GError **error)
{
    return !driver->takes || driver->takes(ds, error);
}

bool store_overlap(const struct store_driver *driver, const struct dataset *one, const struct dataset *other)
{
    return driver->overlap ? driver->overlap(one, other) : g_strcmp0(one->name, other->name) == 0;
}

bool store_decode(const struct store_driver *driver, const struct dataset *ds, struct slice raw, struct arena *mem,
                  struct slice *ret, GError **error)
{
    if (driver->decode)
        return driver->decode(ds, raw, mem, ret, error);
    *ret = raw;
    return true;
}

bool store_digest(const struct store_driver *driver, const struct dataset *ds, struct slice raw, uint64_t seed,
                  struct digest *ret)
{
    return driver->digest && driver->digest(ds, raw, seed, ret);
}

bool store_encode(const struct store_driver *driver, const struct dataset *ds, struct slice document, struct arena *mem,
                  struct slice *ret, GError **error)
{
    if (driver->encode)
        return driver->encode(ds, document, mem, ret, error);
    *ret = document;
    return true;
}

bool store_keeps(const struct store_driver *driver, const struct dataset *ds, struct slice document, struct arena *mem,
                 struct slice *ret, GError **error)
{
    struct slice raw;
    return store_encode(driver, ds, document, mem, &raw, error) && store_decode(driver, ds, raw, mem, ret, error);
}

bool store_ranks(const struct store_driver *driver)
{
    return driver->list && driver->list->rank;
}

bool store_rank(const struct store_driver *driver, const struct dataset *ds, const struct slice *keys, size_t n,
                uint16_t *ret, GError **error)
{
    if (store_ranks(driver))
        return driver->list->rank(ds, keys, n, ret, error);
    memset(ret, 0, n * sizeof *ret);
    return true;
}

bool store_split(struct session *session, const struct call *call, const struct split_wish *wish,
                 struct part_list *into, GError **error)
{
    const struct store_driver *driver = session_driver(session);
    struct attempt attempt;
    if (!call_begin(&attempt, session, call, OP_SPLIT, driver->split, error))
        return false;
    return call_end(&attempt, driver->split(session, call, wish, into, error), error);
}

bool store_scan_open(struct scan **ret, struct session *session, const struct scan_spec *spec, GError **error)
{
    const struct store_driver *driver = session_driver(session);
    struct attempt attempt;
    if (!call_begin(&attempt, session, NULL, OP_SCAN_OPEN, driver->scan_open, error))
        return false;
    struct scan *scan = NULL;
    bool ok = driver->scan_open(&scan, session, spec, error);
    if (ok) {
        ((struct scan_base *)scan)->session = session;
        ((struct scan_base *)scan)->narrowed = spec->ds->only ? spec->ds : NULL;
        *ret = scan;
    }
    return call_end(&attempt, ok, error);
}

bool store_slot_of(struct session *session, const struct dataset *ds, struct slice key, uint32_t *ret, GError **error)
{
    const struct slot_ops *slots = session_driver(session)->slots;
    if (slots)
        return slots->of(session, ds, key, ret, error);
    return error_set(error, SLUICE_ERROR_NOT_PERMITTED, "store %s: keys of a store of driver '%s' lie in no slots",
                     base_of(session)->label, session_driver(session)->name);
}

bool store_server_of(struct session *session, const struct call *call, struct slice key, const char **ret,
                     GError **error)
{
    const struct slot_ops *slots = session_driver(session)->slots;
    uint32_t slot;
    *ret = NULL;
    return !slots || !slots->server ||
           (slots->of(session, call->ds, key, &slot, error) && slots->server(session, call, slot, ret, error));
}

bool store_heat(struct session *session, const struct call *call, struct heat_wish *io, GError **error)
{
    const struct store_driver *driver = session_driver(session);
    struct attempt attempt;
    return call_begin(&attempt, session, call, OP_INSPECT, driver->heat, error) &&
           call_end(&attempt, driver->heat(session, call, io, error), error);
}

/* A line that cannot be read may have no key; of records an empty one is a key like any other. */
static bool has_key(const struct record *record)
{
    return record->key.len > 0 || record->presence != RECORD_FAULT;
}

/* Drops what is not of the part. */
static bool narrow(struct session *session, const struct dataset *ds, struct batch *io, GError **error)
{
    size_t kept = 0;
    for (size_t i = 0; i < io->n; i++) {
        bool takes = false;
        const struct record *record = &io->records[i];
        if (has_key(record) && !store_only_takes(ds->only, session, ds, record->key, &takes, error))
            return false;
        if (takes)
            io->records[kept++] = *record;
    }
    io->n = kept;
    return true;
}

/* `taker` NULL: records are copied into the batch. */
static bool scan_batch(struct scan *scan, const struct call *call, const struct scan_taker *taker, struct batch *ret,
                       GError **error)
{
    struct session *session = ((struct scan_base *)scan)->session;
    const struct store_driver *driver = session_driver(session);
    struct attempt attempt;
    if (!call_begin(&attempt, session, call, OP_SCAN_NEXT, true, error))
        return false;
    bool ok = taker ? driver->scan_each(scan, call, taker, ret, error) : driver->scan_next(scan, call, ret, error);
    if (ok) {
        session_base(session)->counters.records_read += ret->n;
        session_base(session)->counters.bytes_read += ret->bytes;
        const struct dataset *narrowed = ((struct scan_base *)scan)->narrowed;
        ok = !narrowed || narrow(session, narrowed, ret, error);
    }
    return call_end(&attempt, ok, error);
}

bool store_scan_next(struct scan *scan, const struct call *call, struct batch *ret, GError **error)
{
    return scan_batch(scan, call, NULL, ret, error);
}

bool store_scan_each(struct scan *scan, const struct call *call, const struct scan_taker *taker, struct batch *ret,
                     GError **error)
{
    const struct scan_base *base = (const struct scan_base *)scan;
    if (session_driver(base->session)->scan_each && !base->narrowed)
        return scan_batch(scan, call, taker, ret, error);
    if (!scan_batch(scan, call, NULL, ret, error))
        return false;
    for (size_t i = 0; i < ret->n && taker->take(taker->self, &ret->records[i]);)
        i++;
    ret->records = NULL;
    ret->cursor = SLICE_EMPTY;
    return true;
}

void store_scan_close(struct scan *scan)
{
    if (scan)
        session_driver(((struct scan_base *)scan)->session)->scan_close(scan);
}

bool store_members_open(struct member_walk **ret, struct session *session, const struct dataset *ds, struct slice key,
                        GError **error)
{
    const struct member_ops *members = session_driver(session)->members;
    struct attempt attempt;
    struct member_walk *walk = NULL;
    if (!call_begin(&attempt, session, NULL, OP_MEMBERS, members, error))
        return false;
    bool ok = members->open(&walk, session, ds, key, error);
    if (ok) {
        ((struct member_walk_base *)walk)->session = session;
        *ret = walk;
    }
    return call_end(&attempt, ok, error);
}

bool store_members_next(struct member_walk *walk, const struct call *call, struct member_page *ret, GError **error)
{
    struct session *session = ((struct member_walk_base *)walk)->session;
    struct attempt attempt;
    return call_begin(&attempt, session, call, OP_MEMBERS, true, error) &&
           call_end(&attempt, session_driver(session)->members->next(walk, call, ret, error), error);
}

void store_members_close(struct member_walk *walk)
{
    if (walk)
        session_driver(((struct member_walk_base *)walk)->session)->members->close(walk);
}

bool store_members_ask(struct session *session, const struct call *call, struct member_question *io, size_t n,
                       GError **error)
{
    const struct member_ops *members = session_driver(session)->members;
    struct attempt attempt;
    return call_begin(&attempt, session, call, OP_MEMBERS, members, error) &&
           call_end(&attempt, members->ask(session, call, io, n, error), error);
}

bool store_members_examine(struct session *session, const struct call *call, GArray *into, GError **error)
{
    const struct member_ops *members = session_driver(session)->members;
    struct attempt attempt;
    return call_begin(&attempt, session, call, OP_MEMBERS, members, error) &&
           call_end(&attempt, members->examine(session, call, into, error), error);
}

bool store_read(struct session *session, const struct call *call, struct record *io, size_t n, GError **error)
{
    const struct store_driver *driver = session_driver(session);
    struct attempt attempt;
    if (!call_begin(&attempt, session, call, OP_READ, driver->read, error))
        return false;
    bool ok = driver->read(session, call, io, n, error);
    struct store_counters *counters = &session_base(session)->counters;
    counters->reads++;
    counters->records_read += ok ? n : 0;
    for (size_t i = 0; ok && i < n; i++)
        counters->bytes_read += io[i].presence == RECORD_PRESENT ? io[i].raw.len : 0;
    return call_end(&attempt, ok, error);
}

struct portion_read {
    struct session *session;
    const struct call *call;
    struct record *io;
    const struct read_portions *of;
};

static bool read_portion(void *self, size_t first, size_t n, GError **error)
{
    const struct portion_read *read = self;
    for (size_t i = first; i < first + n; i++)
        read->io[i] = (struct record){.key = read->io[i].key}; /* it may have been tried */
    return store_read(read->session, read->call, read->io + first, n, error);
}

static bool take_portion(void *self, size_t first, size_t n, GError **error)
{
    const struct portion_read *read = self;
    return !read->of->take || read->of->take(read->of->self, read->io + first, n, error);
}

bool store_read_portions(struct session *session, const struct call *call, struct record *io, size_t n,
                         const struct read_portions *portions, GError **error)
{
    struct portion_read read = {.session = session, .call = call, .io = io, .of = portions};
    const struct portions_way way = {.read = read_portion, .take = take_portion, .self = &read};
    return portions_each(portions->portions, call->mem, n, &way, error);
}

bool store_cas(struct session *session, const struct call *call, const struct lane *lane, struct cas_op *ops, size_t n,
               GError **error)
{
    for (size_t i = 0; i < n; i++)
        ops[i].outcome = CAS_NOT_SENT;
    const struct write_ops *write = session_driver(session)->write;
    struct attempt attempt;
    if (!call_begin(&attempt, session, call, OP_CAS, write && write->cas, error))
        return false;
    session_base(session)->counters.cas_calls++;
    session_base(session)->counters.cas_ops += n;
    return call_end(&attempt, write->cas(session, call, lane, ops, n, error), error);
}

bool store_settle(struct session *session, const struct call *call, GError **error)
{
    const struct write_ops *write = session_driver(session)->write;
    struct attempt attempt;
    if (!call_begin(&attempt, session, call, OP_SETTLE, write && write->settle, error))
        return false;
    session_base(session)->counters.settles++;
    return call_end(&attempt, write->settle(session, call, error), error);
}

bool store_lane_open(struct session *session, const struct call *call, const struct lane *lane,
                     struct fence *ret_before, GError **error)
{
    const struct write_ops *write = session_driver(session)->write;
    struct attempt attempt;
    if (!call_begin(&attempt, session, call, OP_LANE_OPEN, write && write->lane_open, error))
        return false;
    return call_end(&attempt, write->lane_open(session, call, lane, ret_before, error), error);
}

bool store_fence_read(struct session *session, const struct call *call, const struct fence_id *id, struct fence *ret,
                      GError **error)
{
    const struct write_ops *write = session_driver(session)->write;
    struct attempt attempt;
    if (!call_begin(&attempt, session, call, OP_FENCE_READ, write && write->fence_read, error))
        return false;
    return call_end(&attempt, write->fence_read(session, call, id, ret, error), error);
}

bool store_fence_drop(struct session *session, const struct call *call, const uint8_t run[16], GError **error)
{
    const struct write_ops *write = session_driver(session)->write;
    struct attempt attempt;
    if (!call_begin(&attempt, session, call, OP_FENCE_DROP, write && write->fence_drop, error))
        return false;
    return call_end(&attempt, write->fence_drop(session, call, run, error), error);
}

bool store_lock(struct session *session, const struct call *call, struct store_lock *io, bool force, GError **error)
{
    const struct write_ops *write = session_driver(session)->write;
    struct attempt attempt;
    if (!call_begin(&attempt, session, call, OP_LOCK, write && write->lock, error))
        return false;
    return call_end(&attempt, write->lock(session, call, io, force, error), error);
}

bool store_lock_read(struct session *session, const struct call *call, struct store_lock *ret, bool *ret_held,
                     GError **error)
{
    const struct write_ops *write = session_driver(session)->write;
    struct attempt attempt;
    if (!call_begin(&attempt, session, call, OP_INSPECT, write && write->lock_read, error))
        return false;
    return call_end(&attempt, write->lock_read(session, call, ret, ret_held, error), error);
}

bool store_unlock(struct session *session, const struct call *call, const uint8_t run_uid[16], GError **error)
{
    const struct write_ops *write = session_driver(session)->write;
    struct attempt attempt;
    if (!call_begin(&attempt, session, call, OP_UNLOCK, write && write->unlock, error))
        return false;
    return call_end(&attempt, write->unlock(session, call, run_uid, error), error);
}

bool store_end_mark(struct session *session, const struct call *call, const uint8_t run_uid[16], struct slice mark,
                    GError **error)
{
    const struct write_ops *write = session_driver(session)->write;
    struct attempt attempt;
    if (!call_begin(&attempt, session, call, OP_END_MARK, write && write->end_mark, error))
        return false;
    return call_end(&attempt, write->end_mark(session, call, run_uid, mark, error), error);
}

bool store_end_read(struct session *session, const struct call *call, const uint8_t run_uid[16], struct slice *ret,
                    GError **error)
{
    const struct write_ops *write = session_driver(session)->write;
    struct attempt attempt;
    if (!call_begin(&attempt, session, call, OP_END_READ, write && write->end_read, error))
        return false;
    return call_end(&attempt, write->end_read(session, call, run_uid, ret, error), error);
}

bool store_sink_write_durable(struct session *session, const struct call *call, const struct sink_file *file,
                              const struct record *records, size_t n, GError **error)
{
    const struct sink_ops *sink = session_driver(session)->sink;
    struct attempt attempt;
    if (!call_begin(&attempt, session, call, OP_SINK_WRITE, sink && sink->write_durable, error))
        return false;
    return call_end(&attempt, sink->write_durable(session, call, file, records, n, error), error);
}

bool store_sink_publish_durable(struct session *session, const struct call *call, const struct sink_file *file,
                                GError **error)
{
    const struct sink_ops *sink = session_driver(session)->sink;
    struct attempt attempt;
    if (!call_begin(&attempt, session, call, OP_SINK_PUBLISH, sink && sink->publish_durable, error))
        return false;
    return call_end(&attempt, sink->publish_durable(session, call, file, error), error);
}

bool store_sink_published(struct session *session, const struct call *call, const uint8_t run[16], GArray *into,
                          GError **error)
{
    const struct sink_ops *sink = session_driver(session)->sink;
    struct attempt attempt;
    if (!call_begin(&attempt, session, call, OP_SINK_LIST, sink && sink->published, error))
        return false;
    return call_end(&attempt, sink->published(session, call, run, into, error), error);
}

bool store_sink_bounds(struct session *session, const struct call *call, const struct sink_file *file,
                       struct slice *ret, GError **error)
{
    const struct sink_ops *sink = session_driver(session)->sink;
    struct attempt attempt;
    if (!call_begin(&attempt, session, call, OP_SINK_LIST, sink && sink->bounds, error))
        return false;
    return call_end(&attempt, sink->bounds(session, call, file, ret, error), error);
}

bool store_sink_drop(struct session *session, const struct call *call, const uint8_t run[16], GError **error)
{
    const struct sink_ops *sink = session_driver(session)->sink;
    struct attempt attempt;
    if (!call_begin(&attempt, session, call, OP_SINK_DROP, sink && sink->drop, error))
        return false;
    return call_end(&attempt, sink->drop(session, call, run, error), error);
}

bool store_shadow_check(struct session *session, const struct call *call, GError **error)
{
    const struct shadow_ops *shadow = session_driver(session)->shadow;
    struct attempt attempt;
    if (!shadow || !shadow->check)
        return true;
    return call_begin(&attempt, session, call, OP_INSPECT, true, error) &&
           call_end(&attempt, shadow->check(session, call, error), error);
}

bool store_shadow_drop(struct session *session, const struct call *call, const uint8_t run[16], GError **error)
{
    const struct shadow_ops *shadow = session_driver(session)->shadow;
    struct attempt attempt;
    if (!call_begin(&attempt, session, call, OP_SHADOW_DROP, shadow && shadow->drop, error))
        return false;
    return call_end(&attempt, shadow->drop(session, call, run, error), error);
}
