#include "storehost/serve.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/lock.h"
#include "storehost/wire.h"

enum { BACKLOG = 64 };
#define ARENA_BYTES ((size_t)512 << 20)

struct server {
    struct store *store;
    const struct world *world;
    char *path;
    int fd;
    GThread *acceptor;
    pthread_mutex_t lock; /* guards `connections` and `stopping`; leaf */
    GPtrArray *connections;
    bool stopping;
};

struct connection {
    struct server *server;
    int fd;
    GThread *thread;
    struct session *session;
    struct arena *mem;
    GHashTable *scans; /* id → struct scan */
    uint32_t last_scan;
    atomic_bool ended; /* its thread does nothing more */
};

/* One request being answered. */
struct turn {
    struct connection *connection;
    struct reader from;
    struct call call;
    struct dataset ds;
    GByteArray *answer; /* what follows the reply's head */
};

static bool garbled(GError **error)
{
    return error_set(error, SLUICE_ERROR_CORRUPT, "the request is garbled");
}

/* --- the calls -------------------------------------------------------------------------------------------------------
 */

static bool do_inspect(struct turn *turn, GError **error)
{
    struct store_info info;
    if (!store_inspect(turn->connection->session, &turn->call, &info, error))
        return false;
    wire_put_text(turn->answer, info.identity);
    wire_put_text(turn->answer, info.run_id);
    wire_put_text(turn->answer, info.version);
    put_i64(turn->answer, info.clock_ms);
    put_u64(turn->answer, info.records);
    put_u64(turn->answer, info.bytes);
    put_u8(turn->answer, info.dataset_present);
    put_u8(turn->answer, info.keyed);
    return true;
}

static bool do_split(struct turn *turn, GError **error)
{
    struct split_wish wish = {.records_each = reader_u64(&turn->from)};
    wish.count = reader_u32(&turn->from);
    g_autoptr(GArray) parts = g_array_new(false, false, sizeof(struct part_bounds));
    struct part_list list = {.parts = parts, .mem = turn->call.mem};
    if (!store_split(turn->connection->session, &turn->call, &wish, &list, error))
        return false;
    put_varint(turn->answer, parts->len);
    for (size_t i = 0; i < parts->len; i++) {
        const struct part_bounds *part = &g_array_index(parts, struct part_bounds, i);
        put_prefixed(turn->answer, part->bounds);
        put_u64(turn->answer, part->records);
        put_u64(turn->answer, part->bytes);
    }
    return true;
}

static bool do_scan_open(struct turn *turn, GError **error)
{
    struct connection *connection = turn->connection;
    struct scan_spec spec = {.ds = &turn->ds, .bounds = reader_prefixed(&turn->from)};
    spec.cursor = reader_prefixed(&turn->from);
    spec.max_records = (size_t)reader_u64(&turn->from);
    spec.max_bytes = (size_t)reader_u64(&turn->from);
    spec.keys_only = reader_u8(&turn->from);
    if (!turn->from.ok)
        return garbled(error);
    /* The dataset lives as long as the scan. */
    struct dataset *ds = g_new0(struct dataset, 1);
    *ds = (struct dataset){.name = g_strdup(turn->ds.name), .form = turn->ds.form};
    spec.ds = ds;
    struct scan *scan = NULL;
    if (!store_scan_open(&scan, connection->session, &spec, error)) {
        g_free((char *)ds->name);
        g_free(ds);
        return false;
    }
    void **both = g_new(void *, 2);
    both[0] = scan;
    both[1] = ds;
    g_hash_table_insert(connection->scans, GUINT_TO_POINTER(++connection->last_scan), both);
    put_u32(turn->answer, connection->last_scan);
    return true;
}

static void scan_free(void *at)
{
    void **both = at;
    struct dataset *ds = both[1];
    store_scan_close(both[0]);
    g_free((char *)ds->name);
    g_free(ds);
    g_free(both);
}

static bool do_scan_next(struct turn *turn, GError **error)
{
    void **both = g_hash_table_lookup(turn->connection->scans, GUINT_TO_POINTER(reader_u32(&turn->from)));
    struct batch batch;
    if (!both)
        return garbled(error);
    if (!store_scan_next(both[0], &turn->call, &batch, error))
        return false;
    put_varint(turn->answer, batch.n);
    for (size_t i = 0; i < batch.n; i++)
        wire_put_record(turn->answer, &batch.records[i]);
    put_u64(turn->answer, batch.bytes);
    put_prefixed(turn->answer, batch.cursor);
    put_u8(turn->answer, batch.done);
    return true;
}

static bool do_scan_close(struct turn *turn, GError **error)
{
    g_hash_table_remove(turn->connection->scans, GUINT_TO_POINTER(reader_u32(&turn->from)));
    return true;
}

static bool do_read(struct turn *turn, GError **error)
{
    size_t n = wire_get_count(&turn->from, 1);
    g_autofree struct record *records = g_new0(struct record, n);
    for (size_t i = 0; i < n; i++)
        records[i].key = reader_prefixed(&turn->from);
    if (!turn->from.ok)
        return garbled(error);
    if (!store_read(turn->connection->session, &turn->call, records, n, error))
        return false;
    for (size_t i = 0; i < n; i++)
        wire_put_record(turn->answer, &records[i]);
    return true;
}

static bool do_cas(struct turn *turn, GError **error)
{
    enum { OP_LEAST = 20 };
    struct lane lane = wire_get_lane(&turn->from);
    size_t n = wire_get_count(&turn->from, OP_LEAST);
    g_autofree struct cas_op *ops = g_new0(struct cas_op, n);
    for (size_t i = 0; i < n; i++)
        wire_get_op(&turn->from, &ops[i]);
    if (!turn->from.ok)
        return garbled(error);
    bool ok = store_cas(turn->connection->session, &turn->call, &lane, ops, n, error);
    for (size_t i = 0; i < n; i++)
        wire_put_outcome(turn->answer, &ops[i]);
    return ok;
}

static bool do_settle(struct turn *turn, GError **error)
{
    return store_settle(turn->connection->session, &turn->call, error);
}

static bool do_lane_open(struct turn *turn, GError **error)
{
    struct lane lane = wire_get_lane(&turn->from);
    struct fence before;
    if (!turn->from.ok)
        return garbled(error);
    if (!store_lane_open(turn->connection->session, &turn->call, &lane, &before, error))
        return false;
    wire_put_fence(turn->answer, &before);
    return true;
}

static bool do_fence_read(struct turn *turn, GError **error)
{
    struct fence_id id = wire_get_fence_id(&turn->from);
    struct fence fence;
    if (!turn->from.ok)
        return garbled(error);
    if (!store_fence_read(turn->connection->session, &turn->call, &id, &fence, error))
        return false;
    wire_put_fence(turn->answer, &fence);
    return true;
}

static bool do_fence_drop(struct turn *turn, GError **error)
{
    struct slice run = reader_bytes(&turn->from, 16);
    return turn->from.ok ? store_fence_drop(turn->connection->session, &turn->call, run.data, error) : garbled(error);
}

static bool do_lock(struct turn *turn, GError **error)
{
    struct store_lock io = {.run = NULL};
    bool force = reader_u8(&turn->from);
    wire_get_lock(&turn->from, turn->call.mem, &io);
    if (!turn->from.ok || !io.run || !io.host || !io.home)
        return garbled(error);
    bool ok = store_lock(turn->connection->session, &turn->call, &io, force, error);
    wire_put_lock(turn->answer, &io);
    return ok;
}

static bool do_unlock(struct turn *turn, GError **error)
{
    struct slice uid = reader_bytes(&turn->from, 16);
    return turn->from.ok ? store_unlock(turn->connection->session, &turn->call, uid.data, error) : garbled(error);
}

static bool do_end_mark(struct turn *turn, GError **error)
{
    struct slice uid = reader_bytes(&turn->from, 16), mark = reader_prefixed(&turn->from);
    return turn->from.ok ? store_end_mark(turn->connection->session, &turn->call, uid.data, mark, error)
                         : garbled(error);
}

static bool do_end_read(struct turn *turn, GError **error)
{
    struct slice uid = reader_bytes(&turn->from, 16), mark;
    if (!turn->from.ok)
        return garbled(error);
    if (!store_end_read(turn->connection->session, &turn->call, uid.data, &mark, error))
        return false;
    put_prefixed(turn->answer, mark);
    return true;
}

static bool do_shadow_drop(struct turn *turn, GError **error)
{
    struct slice run = reader_bytes(&turn->from, 16);
    return turn->from.ok ? store_shadow_drop(turn->connection->session, &turn->call, run.data, error) : garbled(error);
}

static bool (*const calls[WIRE_OPS])(struct turn *turn, GError **error) = {
    [WIRE_INSPECT] = do_inspect,
    [WIRE_SPLIT] = do_split,
    [WIRE_SCAN_OPEN] = do_scan_open,
    [WIRE_SCAN_NEXT] = do_scan_next,
    [WIRE_SCAN_CLOSE] = do_scan_close,
    [WIRE_READ] = do_read,
    [WIRE_CAS] = do_cas,
    [WIRE_SETTLE] = do_settle,
    [WIRE_LANE_OPEN] = do_lane_open,
    [WIRE_FENCE_READ] = do_fence_read,
    [WIRE_FENCE_DROP] = do_fence_drop,
    [WIRE_LOCK] = do_lock,
    [WIRE_UNLOCK] = do_unlock,
    [WIRE_END_MARK] = do_end_mark,
    [WIRE_END_READ] = do_end_read,
    [WIRE_SHADOW_DROP] = do_shadow_drop,
};

/* --- connections -----------------------------------------------------------------------------------------------------
 */

static bool answer(struct turn *turn, GError **error)
{
    struct connection *connection = turn->connection;
    uint8_t version = reader_u8(&turn->from), op = reader_u8(&turn->from);
    if (version != WIRE_VERSION)
        return error_set(error, SLUICE_ERROR_REFUSED, "this storehost speaks version %d, not %u", WIRE_VERSION,
                         version);
    turn->ds.name = arena_text(connection->mem, reader_prefixed(&turn->from));
    turn->ds.form = (enum dataset_form)reader_u8(&turn->from);
    struct slice shadow = reader_prefixed(&turn->from);
    turn->ds.shadow = shadow.len == 16 ? shadow.data : NULL;
    uint64_t left_us = reader_u64(&turn->from);
    if (!turn->from.ok || !turn->ds.name || op >= WIRE_OPS || left_us > INT64_MAX / 2)
        return garbled(error);
    if (left_us)
        turn->call.deadline_us = world_monotonic_us(connection->server->world) + (int64_t)left_us;
    return calls[op](turn, error);
}

static bool serve_one(struct connection *connection, GByteArray *request)
{
    const struct wire_wait wait = {.goes_on = NULL};
    if (!wire_receive(connection->fd, &wait, request, NULL))
        return false;
    g_autoptr(GError) error = NULL;
    g_autoptr(GByteArray) payload = g_byte_array_new(), reply = g_byte_array_new();
    arena_reset(connection->mem);
    struct turn turn = {.connection = connection, .answer = payload, .call = {.mem = connection->mem}};
    turn.from = reader_of(slice_of(request->data, request->len));
    turn.call.ds = &turn.ds;
    answer(&turn, &error);
    put_u8(reply, WIRE_VERSION);
    wire_put_error(reply, error);
    put_bytes(reply, slice_of(payload->data, payload->len));
    return wire_send(connection->fd, reply, NULL);
}

static void *serve_connection(void *at)
{
    struct connection *connection = at;
    g_autoptr(GByteArray) request = g_byte_array_new();
    while (serve_one(connection, request))
        ;
    shutdown(connection->fd, SHUT_RDWR); /* the other side must not wait for an answer */
    atomic_store(&connection->ended, true);
    return NULL;
}

static void connection_free(struct connection *connection)
{
    g_thread_join(connection->thread);
    g_hash_table_unref(connection->scans);
    store_session_close(connection->session);
    arena_free(connection->mem);
    close(connection->fd);
    g_free(connection);
}

/* Clients come and are killed by the hundred. */
static void free_ended(struct server *server)
{
    g_autoptr(GPtrArray) ended = g_ptr_array_new_with_free_func((GDestroyNotify)connection_free);
    auto_hold(&server->lock);
    for (size_t i = server->connections->len; i > 0; i--) {
        struct connection *connection = server->connections->pdata[i - 1];
        if (atomic_load(&connection->ended))
            g_ptr_array_add(ended, g_ptr_array_steal_index_fast(server->connections, (unsigned)(i - 1)));
    }
}

static void connect_one(struct server *server, int fd)
{
    free_ended(server);
    struct connection *connection = g_new0(struct connection, 1);
    *connection = (struct connection){.server = server, .fd = fd, .mem = arena_new(ARENA_BYTES)};
    connection->scans = g_hash_table_new_full(NULL, NULL, NULL, scan_free);
    g_autoptr(GError) error = NULL;
    if (!store_session_open(&connection->session, server->store, &error))
        g_error("%s", error->message);
    auto_hold(&server->lock);
    connection->thread = g_thread_new("connection", serve_connection, connection);
    g_ptr_array_add(server->connections, connection);
    if (server->stopping)
        shutdown(fd, SHUT_RDWR);
}

static void *accept_all(void *at)
{
    struct server *server = at;
    for (;;) {
        int fd = accept(server->fd, NULL, NULL);
        if (fd >= 0)
            connect_one(server, fd);
        else if (errno != EINTR && errno != ECONNABORTED)
            return NULL;
    }
}

bool server_new(struct server **ret, struct store *store, const struct world *world, const char *path, GError **error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path))
        return error_set(error, SLUICE_ERROR_USAGE, "%s: the path is too long for a socket", path);
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return error_set_errno(error, errno, "socket");
    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, BACKLOG) != 0) {
        error_set_errno(error, errno, "%s", path);
        close(fd);
        return false;
    }
    struct server *server = g_new0(struct server, 1);
    *server = (struct server){.store = store, .world = world, .path = g_strdup(path), .fd = fd};
    server->connections = g_ptr_array_new_with_free_func((GDestroyNotify)connection_free);
    pthread_mutex_init(&server->lock, NULL);
    server->acceptor = g_thread_new("acceptor", accept_all, server);
    *ret = server;
    return true;
}

static void hang_up(struct server *server)
{
    auto_hold(&server->lock);
    server->stopping = true;
    for (size_t i = 0; i < server->connections->len; i++)
        shutdown(((struct connection *)server->connections->pdata[i])->fd, SHUT_RDWR);
}

void server_free(struct server *server)
{
    if (!server)
        return;
    hang_up(server);
    shutdown(server->fd, SHUT_RDWR);
    g_thread_join(server->acceptor);
    g_ptr_array_unref(server->connections);
    close(server->fd);
    unlink(server->path);
    pthread_mutex_destroy(&server->lock);
    g_free(server->path);
    g_free(server);
}
