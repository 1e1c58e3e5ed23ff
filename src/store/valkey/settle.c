#include "store/valkey/link.h"
#include "store/valkey/refusal.h"

enum { LOOK_US = 20000, LOOK_MOST_US = 250000, GRACE_US = 300000, US_PER_MS = 1000 };

/* One server of a settling. */
struct settling {
    struct link *link;
    struct node_state now;
    uint32_t replicas; /* that must have it */
    bool waits_aof;
};

struct settle {
    struct router *router;
    const struct call *call;
    GArray *rows;    /* of struct settling */
    GString *behind; /* the servers whose replicas did not answer in time */
    struct topology *topology;
};

static struct settling *row_at(const struct settle *settle, guint i)
{
    return &g_array_index(settle->rows, struct settling, i);
}

static struct net_wait settle_wait(const struct settle *settle)
{
    return link_wait(settle->router, settle->call, settle->router->uri->timeout_ms * US_PER_MS);
}

static void is_behind(struct settle *settle, const struct link *link, int64_t answered, const char *what)
{
    g_string_append_printf(settle->behind, "%s%s:%u: %" PRId64 " %s", settle->behind->len ? "; " : "", link->at.host,
                           link->at.port, answered, what);
}

/* --- 1: is it still there ----------------------------------------------------------------------------------------- */

/* Gone, replaced or cut off for good: the new connection tells, or cannot be made. */
static bool still_there(struct settle *settle, struct link *link, GError **error)
{
    g_autoptr(GError) failed = NULL;
    struct net_wait wait = settle_wait(settle);
    if (link->conn || link_connect(settle->router, link, &wait, &failed))
        return true;
    if (error_is(failed, SLUICE_ERROR_CANCELLED)) {
        g_propagate_error(error, g_steal_pointer(&failed));
        return false;
    }
    link_lose(settle->router, link);
    return true;
}

static bool settle_gather(struct settle *settle, GError **error)
{
    for (guint i = 0; i < settle->router->links->len; i++) {
        struct link *link = g_ptr_array_index(settle->router->links, i);
        if (link->dirty && !still_there(settle, link, error))
            return false;
        if (!link->dirty)
            continue;
        struct settling row = {.link = link};
        g_array_append_val(settle->rows, row);
        conn_put(link->conn, LINK_LOOK, G_N_ELEMENTS(LINK_LOOK));
    }
    return true;
}

/* The next reply of a link; a lost connection leaves its writes unsettled, to be looked at with the next settling. */
static bool settle_next(struct settle *settle, struct link *link, const struct net_wait *wait, struct reply *ret,
                        GError **error)
{
    g_autoptr(GError) failed = NULL;
    if (link->conn && conn_next(link->conn, wait, ret, &failed))
        return true;
    link_close(link);
    error_set(error, failed ? (enum error_code)failed->code : SLUICE_ERROR_UNREACHABLE, "settling: %s",
              failed ? failed->message : "the connection was lost");
    return false;
}

/* Replicas that the cluster takes for well: one that has lost its primary's stream is not connected, but may well be
 * promoted, without what it lacks. One that is gone for good counts until the cluster has noticed. */
static uint32_t promotable(const struct settle *settle, const struct valkey_host *at)
{
    const struct topology *topology = settle->topology;
    for (size_t i = 0; topology->kind == VALKEY_CLUSTER && i < topology->n; i++) {
        const struct valkey_node *node = &topology->nodes[i];
        if (node->primary && node->at.port == at->port && g_str_equal(node->at.host, at->host))
            return node->replicas;
    }
    return 0;
}

static bool settle_look(struct settle *settle, GError **error)
{
    struct net_wait wait = settle_wait(settle);
    for (guint i = 0; i < settle->rows->len; i++) {
        struct settling *row = row_at(settle, i);
        struct reply reply;
        if (!settle_next(settle, row->link, &wait, &reply, error))
            return false;
        if (reply.type == REPLY_ERROR)
            return refusal_set(&reply, &row->link->at, "INFO", error);
        link_state(reply.bytes, &row->now);
        link_holds(settle->router, row->link, &row->now);
    }
    return true;
}

/* Whether a server has fewer replicas than it had, once: the cluster may have got them after it was last asked. */
static bool misses_some(struct settle *settle)
{
    bool some = false;
    for (guint i = 0; i < settle->rows->len; i++) {
        const struct settling *row = row_at(settle, i);
        some |= row->now.replicas < row->link->replicas;
        row->link->replicas = row->now.replicas;
    }
    return some;
}

static bool settle_count(struct settle *settle, GError **error)
{
    struct net_wait wait = settle_wait(settle);
    if (misses_some(settle) && settle->topology->kind == VALKEY_CLUSTER) {
        if (!routes_refresh(settle->router->routes, settle->topology, &wait, error))
            return false;
        topology_unref(settle->topology);
        settle->topology = routes_topology(settle->router->routes);
    }
    for (guint i = 0; i < settle->rows->len; i++) {
        struct settling *row = row_at(settle, i);
        row->replicas = MAX(row->now.replicas, promotable(settle, &row->link->at));
    }
    return true;
}

/* --- 2: replicas and file ----------------------------------------------------------------------------------------- */

/* How long the server is to wait: less than we wait for it, because it looks at its clock ten times a second. */
static int64_t server_wait_ms(const struct settle *settle)
{
    struct net_wait wait = settle_wait(settle);
    int64_t left_us = wait.deadline_us - world_monotonic_us(settle->router->world);
    return MAX(MAX(left_us - GRACE_US, left_us / 2) / US_PER_MS, 1); /* 0 would be for ever */
}

static void put_wait(const struct settle *settle, struct settling *row)
{
    char ms[24], replicas[12];
    g_snprintf(ms, sizeof ms, "%" PRId64, server_wait_ms(settle));
    g_snprintf(replicas, sizeof replicas, "%u", row->replicas);
    if (row->replicas > 0) {
        struct slice args[] = {slice_of_text("WAIT"), slice_of_text(replicas), slice_of_text(ms)};
        conn_put(row->link->conn, args, G_N_ELEMENTS(args));
    }
    row->waits_aof = row->now.append_only;
    if (row->waits_aof) {
        struct slice args[] = {slice_of_text("WAITAOF"), slice_of_text("1"), slice_of_text("0"), slice_of_text(ms)};
        conn_put(row->link->conn, args, G_N_ELEMENTS(args));
    }
}

static bool take_wait(struct settle *settle, struct settling *row, const struct net_wait *wait, GError **error)
{
    struct reply reply;
    if (row->replicas == 0)
        return true;
    if (!settle_next(settle, row->link, wait, &reply, error))
        return false;
    if (reply.type != REPLY_INTEGER)
        return refusal_set(&reply, &row->link->at, "WAIT", error);
    if (reply.integer < row->replicas) {
        g_autofree char *of = g_strdup_printf("of %u replicas", row->replicas);
        is_behind(settle, row->link, reply.integer, of);
    }
    return true;
}

/* Servers before 7.2 know no WAITAOF: what their file holds, nobody can ask. */
static bool take_aof(struct settle *settle, struct settling *row, const struct net_wait *wait, GError **error)
{
    struct reply reply;
    if (!row->waits_aof)
        return true;
    if (!settle_next(settle, row->link, wait, &reply, error))
        return false;
    if (reply_is_array(&reply, 2) && reply.items[0].integer < 1)
        is_behind(settle, row->link, 0, "of 1 append-only file");
    return true;
}

/* WAIT speaks for the writes of its own connection only. Behind a broken one the offsets are compared: all that the
 * server has by now, which is more than enough, is with every replica. */
static bool wait_offsets(struct settle *settle, struct settling *row, GError **error)
{
    int64_t target = row->now.offset, pause_us = LOOK_US;
    while (row->now.replicas < row->replicas || (row->now.replicas > 0 && row->now.acknowledged < target)) {
        struct net_wait wait = settle_wait(settle);
        struct reply reply;
        world_sleep_us(settle->router->world, pause_us, settle->call->cancel);
        pause_us = MIN(2 * pause_us, LOOK_MOST_US);
        if (!call_goes_on(settle->call, settle->router->world, error))
            return error_add(error, "%s:%u: of %u replicas some are behind offset %" PRId64, row->link->at.host,
                             row->link->at.port, row->replicas, target);
        conn_put(row->link->conn, LINK_LOOK, G_N_ELEMENTS(LINK_LOOK));
        if (!settle_next(settle, row->link, &wait, &reply, error))
            return false;
        link_state(reply.bytes, &row->now);
        if (!link_holds(settle->router, row->link, &row->now))
            return true;
    }
    return true;
}

static bool settle_ask(struct settle *settle, GError **error)
{
    for (guint i = 0; i < settle->rows->len; i++) {
        struct settling *row = row_at(settle, i);
        if (!row->link->dirty)
            continue;
        put_wait(settle, row);
        if (!conn_push(row->link->conn, error)) {
            link_close(row->link);
            return false;
        }
    }
    return true;
}

static bool settle_take(struct settle *settle, GError **error)
{
    struct net_wait wait = settle_wait(settle);
    for (guint i = 0; i < settle->rows->len; i++) {
        struct settling *row = row_at(settle, i);
        size_t behind = settle->behind->len;
        if (!row->link->dirty)
            continue;
        if (!take_wait(settle, row, &wait, error) || !take_aof(settle, row, &wait, error) ||
            (row->link->torn && !wait_offsets(settle, row, error)))
            return false;
        row->link->dirty = row->link->dirty && settle->behind->len > behind;
        row->link->torn = row->link->torn && row->link->dirty;
    }
    return true;
}

/* Replies that nobody will take: the connections they would come through are of no more use. */
static void settle_drop(struct settle *settle)
{
    for (guint i = 0; i < settle->rows->len; i++) {
        struct link *link = row_at(settle, i)->link;
        if (link->conn && conn_waiting(link->conn) > 0)
            link_close(link);
    }
}

static bool settle_tell(struct settle *settle, GError **error)
{
    GString *lost = settle->router->lost;
    if (settle->behind->len > 0) {
        struct net_wait wait = settle_wait(settle);
        routes_refresh(settle->router->routes, settle->topology, &wait,
                       NULL); /* a replica may be known to be gone by now */
        return error_set(error, SLUICE_ERROR_TIMED_OUT, "writes are not with every replica: %s", settle->behind->str);
    }
    if (lost->len == 0)
        return true;
    error_set(error, SLUICE_ERROR_UNSETTLED, "%s was replaced, started anew or lost before its writes were settled",
              lost->str);
    g_string_truncate(lost, 0);
    return false;
}

static bool settle_once(struct settle *settle, GError **error)
{
    g_array_set_size(settle->rows, 0);
    g_string_truncate(settle->behind, 0);
    bool asked = settle_gather(settle, error) && settle_look(settle, error) && settle_count(settle, error) &&
                 settle_ask(settle, error) && settle_take(settle, error);
    settle_drop(settle);
    return asked && settle_tell(settle, error);
}

/* A connection that is found broken is made anew, once. */
bool router_settle(struct router *router, const struct call *call, GError **error)
{
    struct settle settle = {
        .router = router,
        .call = call,
        .rows = g_array_new(FALSE, FALSE, sizeof(struct settling)),
        .behind = g_string_new(NULL),
        .topology = routes_topology(router->routes),
    };
    g_autoptr(GError) failed = NULL;
    bool settled = settle_once(&settle, &failed);
    if (error_is(failed, SLUICE_ERROR_UNREACHABLE))
        settled = settle_once(&settle, error);
    else if (failed)
        g_propagate_error(error, g_steal_pointer(&failed));
    g_array_free(settle.rows, TRUE);
    g_string_free(settle.behind, TRUE);
    topology_unref(settle.topology);
    return settled;
}

void router_settled(struct router *router)
{
    for (guint i = 0; i < router->links->len; i++)
        ((struct link *)g_ptr_array_index(router->links, i))->wrote = false;
}
