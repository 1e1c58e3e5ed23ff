#include "storehost/remote.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "store/calls.h"
#include "store/keyed.h"
#include "store/keyrange.h"
#include "storehost/wire.h"

struct remote_store {
    struct store_base base;
    struct sockaddr_un address;
};

struct remote_session {
    struct session_base base;
    int fd;           /* -1: to be connected by the next call */
    uint64_t connect; /* how often it was: a scan belongs to one connection */
    GByteArray *request, *reply;
    char *texts[3]; /* identity, run_id, version: as long as the session */
};

struct remote_scan {
    struct scan_base base;
    uint32_t id;
    uint64_t connect;
    bool keys_only;
    GByteArray *message; /* the last batch that came; records borrow from it */
    GArray *records;     /* of struct record */
    size_t given;        /* how many of them the caller has */
    GByteArray *cursor;  /* behind that batch */
    struct arena *texts; /* of faults */
    bool done;
};

/* --- one request
 * ------------------------------------------------------------------------------------------------------ */

struct exchange {
    struct remote_session *session;
    const struct call *call;
    bool sent; /* the whole request went out: it may have taken effect */
    struct reader from;
};

static struct remote_session *remote_of(struct session *session)
{
    return (struct remote_session *)session;
}

static const struct remote_store *store_of(const struct remote_session *session)
{
    return (const struct remote_store *)session->base.store;
}

static void disconnect(struct remote_session *session)
{
    if (session->fd >= 0)
        close(session->fd);
    session->fd = -1;
}

static bool connected(struct remote_session *session, GError **error)
{
    if (session->fd >= 0)
        return true;
    const struct remote_store *store = store_of(session);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&store->address, sizeof(store->address)) != 0) {
        int saved_errno = errno;
        if (fd >= 0)
            close(fd);
        return error_set(error, SLUICE_ERROR_UNREACHABLE, "no storehost at %s: %s", store->address.sun_path,
                         g_strerror(saved_errno));
    }
    session->fd = fd;
    session->connect++;
    return true;
}

static struct exchange exchange_begin(struct session *base, const struct call *call, enum wire_op op)
{
    struct remote_session *session = remote_of(base);
    const struct world *world = store_of(session)->base.world;
    int64_t left_us = call->deadline_us ? MAX(call->deadline_us - world_monotonic_us(world), 1) : 0;
    g_byte_array_set_size(session->request, 0);
    put_u8(session->request, WIRE_VERSION);
    put_u8(session->request, (uint8_t)op);
    put_prefixed(session->request, call->ds ? slice_of_text(call->ds->name) : SLICE_EMPTY);
    put_u8(session->request, call->ds ? (uint8_t)call->ds->form : 0);
    put_prefixed(session->request, call->ds && call->ds->shadow ? slice_of(call->ds->shadow, 16) : SLICE_EMPTY);
    put_u64(session->request, (uint64_t)left_us);
    return (struct exchange){.session = session, .call = call};
}

static bool goes_on(void *user, GError **error)
{
    const struct exchange *exchange = user;
    return call_goes_on(exchange->call, store_of(exchange->session)->base.world, error);
}

static bool garbled(struct exchange *exchange, GError **error)
{
    disconnect(exchange->session);
    return error_set(error, SLUICE_ERROR_CORRUPT, "the storehost's reply is garbled");
}

/* Sends the session's request, waits for its reply. What the storehost said went wrong is the error; exchange->from
 * then stands at what is valid all the same. */
static bool exchange_run(struct exchange *exchange, GError **error)
{
    struct remote_session *session = exchange->session;
    const struct wire_wait wait = {.goes_on = goes_on, .user = exchange};
    exchange->from = reader_of(SLICE_EMPTY);
    if (!connected(session, error))
        return false;
    exchange->sent = wire_send(session->fd, session->request, error);
    if (!exchange->sent || !wire_receive(session->fd, &wait, session->reply, error)) {
        disconnect(session);
        return false;
    }
    exchange->from = reader_of(slice_of(session->reply->data, session->reply->len));
    if (reader_u8(&exchange->from) != WIRE_VERSION)
        return garbled(exchange, error);
    GError *theirs = NULL;
    wire_get_error(&exchange->from, &theirs);
    if (!theirs && exchange->from.ok)
        return true;
    if (!theirs)
        return garbled(exchange, error);
    g_propagate_error(error, theirs);
    return false;
}

/* --- stores and sessions -------------------------------------------------------------------------------------------
 */

static bool remote_open(struct store **ret, const struct store_config *config, const struct world *world,
                        GError **error)
{
    const char *path = strchr(config->uri, ':') + 1;
    struct remote_store *store = g_new0(struct remote_store, 1);
    store->address.sun_family = AF_UNIX;
    if (strlen(path) == 0 || strlen(path) >= sizeof(store->address.sun_path)) {
        g_free(store);
        return error_set(error, SLUICE_ERROR_USAGE, "expected the path of a storehost's socket: host:PATH");
    }
    memcpy(store->address.sun_path, path, strlen(path) + 1);
    *ret = (struct store *)store;
    return true;
}

static void remote_close(struct store *store)
{
    g_free(store);
}

static bool remote_session_open(struct session **ret, struct store *store, GError **error)
{
    struct remote_session *session = g_new0(struct remote_session, 1);
    session->fd = -1;
    session->request = g_byte_array_new();
    session->reply = g_byte_array_new();
    *ret = (struct session *)session;
    return true;
}

static void remote_session_close(struct session *base)
{
    struct remote_session *session = remote_of(base);
    disconnect(session);
    g_byte_array_unref(session->request);
    g_byte_array_unref(session->reply);
    for (size_t i = 0; i < G_N_ELEMENTS(session->texts); i++)
        g_free(session->texts[i]);
    g_free(session);
}

static bool remote_inspect(struct session *base, const struct call *call, struct store_info *ret, GError **error)
{
    struct exchange exchange = exchange_begin(base, call, WIRE_INSPECT);
    struct remote_session *session = exchange.session;
    if (!exchange_run(&exchange, error))
        return false;
    struct reader *from = &exchange.from;
    for (size_t i = 0; i < G_N_ELEMENTS(session->texts); i++) {
        g_free(session->texts[i]);
        session->texts[i] = g_strdup(wire_get_text(from, call->mem));
    }
    *ret =
        (struct store_info){.identity = session->texts[0], .run_id = session->texts[1], .version = session->texts[2]};
    ret->clock_ms = reader_i64(from);
    ret->records = reader_u64(from);
    ret->bytes = reader_u64(from);
    ret->dataset_present = reader_u8(from);
    ret->keyed = reader_u8(from);
    return from->ok || garbled(&exchange, error);
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static bool remote_split(struct session *base, const struct call *call, const struct split_wish *wish,
                         struct part_list *into, GError **error)
{
    enum { PART_LEAST = 17 };
    struct exchange exchange = exchange_begin(base, call, WIRE_SPLIT);
    put_u64(exchange.session->request, wish->records_each);
    put_u32(exchange.session->request, wish->count);
    if (!exchange_run(&exchange, error))
        return false;
    size_t n = wire_get_count(&exchange.from, PART_LEAST);
    for (size_t i = 0; i < n && exchange.from.ok; i++) {
        struct part_bounds part = {.records = 0};
        if (!arena_copy(into->mem, reader_prefixed(&exchange.from), &part.bounds))
            return error_set(error, SLUICE_ERROR_TOO_BIG, "%zu partitions do not fit into memory", n);
        part.records = reader_u64(&exchange.from);
        part.bytes = reader_u64(&exchange.from);
        g_array_append_val(into->parts, part);
    }
    return exchange.from.ok || garbled(&exchange, error);
}

/* The record's bytes move from the message into the arena; false: they do not fit. */
static bool keep(struct record *record, struct arena *mem)
{
    return arena_copy(mem, record->key, &record->key) && arena_copy(mem, record->raw, &record->raw);
}

static bool remote_read(struct session *base, const struct call *call, struct record *io, size_t n, GError **error)
{
    struct exchange exchange = exchange_begin(base, call, WIRE_READ);
    put_varint(exchange.session->request, n);
    for (size_t i = 0; i < n; i++)
        put_prefixed(exchange.session->request, io[i].key);
    if (!exchange_run(&exchange, error))
        return false;
    for (size_t i = 0; i < n && exchange.from.ok; i++) {
        struct slice key = io[i].key;
        wire_get_record(&exchange.from, &io[i], call->mem);
        if (!arena_copy(call->mem, io[i].raw, &io[i].raw))
            return keyed_too_big(key, error);
        io[i].key = key;
    }
    return exchange.from.ok || garbled(&exchange, error);
}

static void remote_scan_close(struct scan *base)
{
    struct remote_scan *scan = (struct remote_scan *)base;
    struct call call = {.cancel = NULL};
    struct remote_session *session = remote_of(scan->base.session);
    if (session->fd >= 0 && session->connect == scan->connect) {
        struct exchange exchange = exchange_begin(scan->base.session, &call, WIRE_SCAN_CLOSE);
        put_u32(session->request, scan->id);
        exchange_run(&exchange, NULL); /* a storehost that is gone has closed it */
    }
    g_byte_array_unref(scan->message);
    g_byte_array_unref(scan->cursor);
    g_array_unref(scan->records);
    arena_free(scan->texts);
    g_free(scan);
}

static bool remote_scan_open(struct scan **ret, struct session *base, const struct scan_spec *spec, GError **error)
{
    struct call call = {.ds = spec->ds};
    struct exchange exchange = exchange_begin(base, &call, WIRE_SCAN_OPEN);
    GByteArray *request = exchange.session->request;
    put_prefixed(request, spec->bounds);
    put_prefixed(request, spec->cursor);
    put_u64(request, spec->max_records);
    put_u64(request, spec->max_bytes);
    put_u8(request, spec->keys_only);
    if (!exchange_run(&exchange, error))
        return false;
    uint32_t id = reader_u32(&exchange.from);
    if (!exchange.from.ok)
        return garbled(&exchange, error);
    struct remote_scan *scan = g_new0(struct remote_scan, 1);
    *scan = (struct remote_scan){.id = id, .connect = exchange.session->connect, .keys_only = spec->keys_only};
    scan->message = g_byte_array_new();
    scan->cursor = g_byte_array_new();
    scan->records = g_array_new(false, false, sizeof(struct record));
    scan->texts = arena_new(1 << 20);
    *ret = (struct scan *)scan;
    return true;
}

/* The next batch of the storehost's, kept in the scan: the caller's arena may be too small for all of it. */
static bool fetch(struct remote_scan *scan, const struct call *call, GError **error)
{
    struct exchange exchange = exchange_begin(scan->base.session, call, WIRE_SCAN_NEXT);
    struct remote_session *session = exchange.session;
    if (session->fd < 0 || session->connect != scan->connect)
        return error_set(error, SLUICE_ERROR_UNREACHABLE, "the connection broke, and the scan with it");
    put_u32(session->request, scan->id);
    if (!exchange_run(&exchange, error))
        return false;
    size_t read = session->reply->len - reader_left(&exchange.from);
    g_byte_array_set_size(scan->message, 0);
    put_bytes(scan->message, slice_of(session->reply->data, session->reply->len));
    struct reader from = reader_of(slice_of(scan->message->data + read, scan->message->len - read));
    arena_reset(scan->texts);
    g_array_set_size(scan->records, 0);
    scan->given = 0;
    for (size_t n = wire_get_count(&from, 1); n > 0; n--) {
        struct record record;
        wire_get_record(&from, &record, scan->texts);
        g_array_append_val(scan->records, record);
    }
    reader_u64(&from);
    g_byte_array_set_size(scan->cursor, 0);
    put_bytes(scan->cursor, reader_prefixed(&from));
    scan->done = reader_u8(&from);
    return from.ok || garbled(&exchange, error);
}

/* As many of the kept records as fit. */
static bool hand_over(struct remote_scan *scan, struct arena *mem, struct batch *into, GError **error)
{
    size_t left = scan->records->len - scan->given;
    into->records = arena_alloc(mem, left * sizeof(struct record));
    bool fits = into->records || !left;
    for (; fits && scan->given < scan->records->len; scan->given += fits) {
        struct record record = g_array_index(scan->records, struct record, scan->given);
        fits = keep(&record, mem);
        if (!fits)
            break;
        into->bytes += record.key.len + record.raw.len;
        into->records[into->n++] = record;
    }
    if (fits || into->n)
        return true;
    return keyed_too_big(g_array_index(scan->records, struct record, scan->given).key, error);
}

static bool remote_scan_next(struct scan *base, const struct call *call, struct batch *ret, GError **error)
{
    struct remote_scan *scan = (struct remote_scan *)base;
    struct batch batch = {.n = 0};
    if (scan->given == scan->records->len && !fetch(scan, call, error))
        return false;
    if (!hand_over(scan, call->mem, &batch, error))
        return false;
    bool all = scan->given == scan->records->len;
    batch.done = all && scan->done;
    struct slice cursor = slice_of(scan->cursor->data, scan->cursor->len);
    bool fits = all ? arena_copy(call->mem, cursor, &batch.cursor)
                    : key_range_cursor(call->mem, batch.records[batch.n - 1].key, &batch.cursor);
    if (!fits)
        return error_set(error, SLUICE_ERROR_TOO_BIG, "the cursor does not fit into the memory of the call");
    *ret = batch;
    return true;
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static void keep_live(struct cas_op *op, struct arena *mem)
{
    struct slice key = op->key;
    if (op->outcome == CAS_CHANGED && !arena_copy(mem, op->live.raw, &op->live.raw))
        op->live =
            (struct record){.presence = RECORD_FAULT,
                            .fault = {SLUICE_ERROR_TOO_BIG, "the live record does not fit into the call's memory"}};
    op->live.key = key;
}

static bool remote_cas(struct session *base, const struct call *call, const struct lane *lane, struct cas_op *ops,
                       size_t n, GError **error)
{
    struct exchange exchange = exchange_begin(base, call, WIRE_CAS);
    wire_put_lane(exchange.session->request, lane);
    put_varint(exchange.session->request, n);
    for (size_t i = 0; i < n; i++)
        wire_put_op(exchange.session->request, &ops[i]);
    bool ok = exchange_run(&exchange, error);
    bool told = exchange.sent && exchange.from.ok && reader_left(&exchange.from) > 0;
    for (size_t i = 0; i < n; i++) {
        ops[i].outcome = exchange.sent ? CAS_UNKNOWN : CAS_NOT_SENT;
        if (told)
            wire_get_outcome(&exchange.from, &ops[i], call->mem);
        keep_live(&ops[i], call->mem);
    }
    return ok && (exchange.from.ok || garbled(&exchange, error));
}

static bool remote_settle(struct session *base, const struct call *call, GError **error)
{
    struct exchange exchange = exchange_begin(base, call, WIRE_SETTLE);
    return exchange_run(&exchange, error);
}

static bool get_fence(struct exchange *exchange, struct fence *ret, GError **error)
{
    struct fence fence;
    if (!exchange_run(exchange, error) || !wire_get_fence(&exchange->from, exchange->call->mem, &fence, error))
        return false;
    if (!exchange->from.ok)
        return garbled(exchange, error);
    *ret = fence;
    return true;
}

static bool remote_lane_open(struct session *base, const struct call *call, const struct lane *lane,
                             struct fence *ret_before, GError **error)
{
    struct exchange exchange = exchange_begin(base, call, WIRE_LANE_OPEN);
    wire_put_lane(exchange.session->request, lane);
    return get_fence(&exchange, ret_before, error);
}

static bool remote_fence_read(struct session *base, const struct call *call, const struct fence_id *id,
                              struct fence *ret, GError **error)
{
    struct exchange exchange = exchange_begin(base, call, WIRE_FENCE_READ);
    wire_put_fence_id(exchange.session->request, id);
    return get_fence(&exchange, ret, error);
}

static bool remote_fence_drop(struct session *base, const struct call *call, const uint8_t run[16], GError **error)
{
    struct exchange exchange = exchange_begin(base, call, WIRE_FENCE_DROP);
    put_bytes(exchange.session->request, slice_of(run, 16));
    return exchange_run(&exchange, error);
}

static bool remote_lock(struct session *base, const struct call *call, struct store_lock *io, bool force,
                        GError **error)
{
    struct exchange exchange = exchange_begin(base, call, WIRE_LOCK);
    put_u8(exchange.session->request, force);
    wire_put_lock(exchange.session->request, io);
    bool ok = exchange_run(&exchange, error);
    if (exchange.from.ok && reader_left(&exchange.from) > 0)
        wire_get_lock(&exchange.from, call->mem, io);
    return ok;
}

static bool remote_unlock(struct session *base, const struct call *call, const uint8_t run_uid[16], GError **error)
{
    struct exchange exchange = exchange_begin(base, call, WIRE_UNLOCK);
    put_bytes(exchange.session->request, slice_of(run_uid, 16));
    return exchange_run(&exchange, error);
}

static bool remote_end_mark(struct session *base, const struct call *call, const uint8_t run_uid[16], struct slice mark,
                            GError **error)
{
    struct exchange exchange = exchange_begin(base, call, WIRE_END_MARK);
    put_bytes(exchange.session->request, slice_of(run_uid, 16));
    put_prefixed(exchange.session->request, mark);
    return exchange_run(&exchange, error);
}

static bool remote_end_read(struct session *base, const struct call *call, const uint8_t run_uid[16], struct slice *ret,
                            GError **error)
{
    struct exchange exchange = exchange_begin(base, call, WIRE_END_READ);
    put_bytes(exchange.session->request, slice_of(run_uid, 16));
    if (!exchange_run(&exchange, error))
        return false;
    struct slice mark = reader_prefixed(&exchange.from);
    return (exchange.from.ok && arena_copy(call->mem, mark, ret)) || garbled(&exchange, error);
}

static const struct write_ops write_ops = {
    .cas = remote_cas,
    .settle = remote_settle,
    .lane_open = remote_lane_open,
    .fence_read = remote_fence_read,
    .fence_drop = remote_fence_drop,
    .lock = remote_lock,
    .unlock = remote_unlock,
    .end_mark = remote_end_mark,
    .end_read = remote_end_read,
};

static bool remote_shadow_drop(struct session *base, const struct call *call, const uint8_t run[16], GError **error)
{
    struct exchange exchange = exchange_begin(base, call, WIRE_SHADOW_DROP);
    put_bytes(exchange.session->request, slice_of(run, 16));
    return exchange_run(&exchange, error);
}

static const struct shadow_ops shadow_ops = {.drop = remote_shadow_drop};
static const struct list_ops list_ops = {.sorted = true};

const struct store_driver remote_driver = {
    .name = "remote",
    .schemes = (const char *const[]){"host", NULL},
    .words = "the store behind a storehost, for tests",
    .open = remote_open,
    .close = remote_close,
    .session_open = remote_session_open,
    .session_close = remote_session_close,
    .inspect = remote_inspect,
    .split = remote_split,
    .scan_open = remote_scan_open,
    .scan_next = remote_scan_next,
    .scan_close = remote_scan_close,
    .read = remote_read,
    .write = &write_ops,
    .list = &list_ops,
    .shadow = &shadow_ops,
};
