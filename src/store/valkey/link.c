#include "store/valkey/link.h"

#include "store/valkey/info.h"
#include "store/valkey/refusal.h"

enum { FIRST_ROOM = 64 };

#define NO_ID "0000000000000000000000000000000000000000"

#define WORD(text)                                                                                                     \
    {                                                                                                                  \
        .data = (const uint8_t *)(text), .len = sizeof(text) - 1                                                       \
    }
const struct slice LINK_LOOK[4] = {WORD("INFO"), WORD("server"), WORD("replication"), WORD("persistence")};
#undef WORD

/* --- queues ------------------------------------------------------------------------------------------------------- */

static void queue_grow(struct link_queue *queue)
{
    size_t room = queue->room ? 2 * queue->room : FIRST_ROOM;
    uint32_t *items = g_new(uint32_t, room);
    for (size_t i = 0; i < queue->n; i++)
        items[i] = queue->items[(queue->head + i) & (queue->room - 1)];
    g_free(queue->items);
    queue->items = items;
    queue->head = 0;
    queue->room = room;
}

void link_queue_push(struct link_queue *queue, uint32_t item)
{
    if (queue->n == queue->room)
        queue_grow(queue);
    queue->items[(queue->head + queue->n++) & (queue->room - 1)] = item;
}

uint32_t link_queue_pop(struct link_queue *queue)
{
    g_assert(queue->n > 0);
    uint32_t item = queue->items[queue->head];
    queue->head = (queue->head + 1) & (queue->room - 1);
    queue->n--;
    return item;
}

/* --- what is in flight -------------------------------------------------------------------------------------------- */

enum { WINDOW_FIRST = 64, WINDOW_LEAST = 2, WINDOW_MOST = 512, SOON_US = 20000 };

uint32_t link_window_most(const struct link_window *window)
{
    return window->most ? window->most : WINDOW_FIRST;
}

/* By what a command takes longer than the quickest one did: the way to a server that is far away is no queue there. */
void link_window_answered(struct link_window *window, int64_t sent_us, int64_t now_us, bool waiting)
{
    uint32_t most = link_window_most(window), was = most;
    int64_t took_us = now_us - sent_us;
    window->quickest_us = window->quickest_us ? MIN(window->quickest_us, took_us) : took_us;
    int64_t queued_us = took_us - window->quickest_us;
    if (sent_us < window->changed_us)
        return;
    if (queued_us > SOON_US)
        most = MAX(most / 2, WINDOW_LEAST);
    else if (waiting && queued_us < SOON_US / 2)
        most = MIN(most * 2, WINDOW_MOST);
    window->most = most;
    window->changed_us = most != was ? now_us : window->changed_us;
}

/* --- links -------------------------------------------------------------------------------------------------------- */

struct link *link_of(struct router *router, const struct valkey_host *at)
{
    for (guint i = 0; i < router->links->len; i++) {
        struct link *link = g_ptr_array_index(router->links, i);
        if (link->at.port == at->port && g_str_equal(link->at.host, at->host))
            return link;
    }
    struct link *link = g_new0(struct link, 1);
    link->at = (struct valkey_host){.host = g_strdup(at->host), .port = at->port};
    g_ptr_array_add(router->links, link);
    return link;
}

void link_free(struct link *link)
{
    conn_close(link->conn);
    g_free(link->todo.items);
    g_free(link->flight.items);
    g_free(link->at.host);
    g_free(link);
}

void link_close(struct link *link)
{
    g_clear_pointer(&link->conn, conn_close);
    link->torn |= link->dirty;
    link->loaded = NULL;
}

struct net_wait link_wait(const struct router *router, const struct call *call, int64_t at_most_us)
{
    int64_t until_us = world_monotonic_us(router->world) + at_most_us;
    if (call->deadline_us > 0)
        until_us = MIN(until_us, call->deadline_us);
    return (struct net_wait){.deadline_us = MAX(until_us, 1), .cancel = call->cancel};
}

struct pace_server *link_pace(struct router *router, struct link *link)
{
    uint64_t paced = atomic_load(&router->routes->paced);
    if (link->paced == paced)
        return link->server;
    struct pace *pace = routes_pace(router->routes);
    g_autofree char *name = g_strdup_printf("%s:%u", link->at.host, link->at.port);
    link->server = pace ? pace_server(pace, name) : NULL;
    link->paced = paced;
    return link->server;
}

bool router_paced(const struct router *router)
{
    return routes_pace(router->routes) != NULL;
}

uint64_t router_redirections(const struct router *router)
{
    return router->redirections;
}

/* --- which process it is ------------------------------------------------------------------------------------------ */

static void copy_text(struct slice info, const char *name, char *into, size_t room)
{
    struct slice text;
    if (info_text(info, name, &text) && text.len < room)
        memcpy(into, text.data, text.len);
}

void link_state(struct slice info, struct node_state *ret)
{
    int64_t acknowledged;
    *ret = (struct node_state){
        .offset = info_number(info, "master_repl_offset"),
        .second = info_number(info, "second_repl_offset"),
        .primary = info_says(info, "role", "master"),
        .append_only = info_says(info, "aof_enabled", "1"),
        .replicas = info_replicas(info, &acknowledged),
    };
    ret->followed = !info_says(info, "master_replid2", NO_ID);
    ret->acknowledged = MIN(acknowledged, ret->offset);
    copy_text(info, "run_id", ret->run_id, sizeof ret->run_id);
    copy_text(info, "master_replid", ret->replid, sizeof ret->replid);
    copy_text(info, "master_replid2", ret->replid2, sizeof ret->replid2);
}

bool link_connect(struct router *router, struct link *link, const struct net_wait *wait, GError **error)
{
    struct conn *conn;
    struct reply reply;
    if (!conn_open(&conn, router->world, router->uri, &link->at, wait, error))
        return false;
    link->conn = conn;
    link->serial++;
    bool looked = conn_call(conn, wait, LINK_LOOK, G_N_ELEMENTS(LINK_LOOK), &reply, error);
    if (looked && reply.type == REPLY_ERROR)
        looked = refusal_set(&reply, &link->at, "INFO", error);
    if (!looked) {
        link_close(link);
        return false;
    }
    link_state(reply.bytes, &link->state);
    link->fails = 0;
    link->heard_us = world_monotonic_us(router->world);
    link_holds(router, link, &link->state);
    return true;
}

void link_writes(struct link *link)
{
    link->wrote = true;
    if (link->dirty)
        return;
    link->dirty = true;
    link->torn = false;
    memcpy(link->wrote_run_id, link->state.run_id, sizeof link->wrote_run_id);
    memcpy(link->wrote_replid, link->state.replid, sizeof link->wrote_replid);
}

void link_lose(struct router *router, struct link *link)
{
    g_string_append_printf(router->lost, "%s%s:%u", router->lost->len ? ", " : "", link->at.host, link->at.port);
    link->dirty = link->torn = false;
}

/* A process gets another replication id with its first replica, too; not then does it keep the one it had before as the
 * second. A service that hides who it is cannot tell, once a connection broke. */
bool link_holds(struct router *router, struct link *link, const struct node_state *now)
{
    if (!link->dirty)
        return true;
    bool same = g_str_equal(link->wrote_run_id, now->run_id) &&
                (g_str_equal(link->wrote_replid, now->replid) || !now->followed);
    bool hidden = link->torn && now->run_id[0] == 0 && now->replid[0] == 0;
    if (now->primary && same && !hidden)
        return true;
    link_lose(router, link);
    return false;
}
