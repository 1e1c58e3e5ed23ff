/* Connections that owe a request, and processes that were started here. */
#include <sys/socket.h>

#include "base/process.h"
#include "serve/server.h"

#define OWED_US (INT64_C(30) * 1000 * 1000)

struct client {
    int fd;
    int64_t since_us; /* it owes a request since then; INT64_MAX: it is being answered */
};

struct clients {
    const struct world *world;
    pthread_mutex_t lock; /* the list and what is in it; a leaf */
    GHashTable *all;      /* struct client */
};

struct clients *clients_new(const struct world *world)
{
    struct clients *clients = g_new0(struct clients, 1);
    clients->world = world;
    clients->all = g_hash_table_new_full(NULL, NULL, g_free, NULL);
    pthread_mutex_init(&clients->lock, NULL);
    return clients;
}

void clients_free(struct clients *clients)
{
    if (!clients)
        return;
    g_hash_table_unref(clients->all);
    pthread_mutex_destroy(&clients->lock);
    g_free(clients);
}

struct client *clients_add(struct clients *clients, int fd)
{
    struct client *client = g_new0(struct client, 1);
    *client = (struct client){.fd = fd, .since_us = world_monotonic_us(clients->world)};
    auto_hold(&clients->lock);
    g_hash_table_add(clients->all, client);
    return client;
}

void clients_drop(struct clients *clients, struct client *client)
{
    auto_hold(&clients->lock);
    g_hash_table_remove(clients->all, client);
}

void clients_serve(struct clients *clients, struct client *client, bool served)
{
    if (!client)
        return;
    auto_hold(&clients->lock);
    client->since_us = served ? INT64_MAX : world_monotonic_us(clients->world);
}

/* The library closes a socket only after it has said so here, so that the number is still this connection's. */
void clients_tick(struct clients *clients)
{
    GHashTableIter iter;
    gpointer at;
    int64_t now_us = world_monotonic_us(clients->world);
    auto_hold(&clients->lock);
    g_hash_table_iter_init(&iter, clients->all);
    while (g_hash_table_iter_next(&iter, &at, NULL)) {
        struct client *client = at;
        if (client->since_us != INT64_MAX && now_us - client->since_us > OWED_US)
            shutdown(client->fd, SHUT_RDWR);
    }
}

/* --- processes ---------------------------------------------------------------------------------------------------- */

struct children {
    pthread_mutex_t lock; /* a leaf */
    GArray *pids;         /* int64_t */
};

struct children *children_new(void)
{
    struct children *children = g_new0(struct children, 1);
    children->pids = g_array_new(FALSE, FALSE, sizeof(int64_t));
    pthread_mutex_init(&children->lock, NULL);
    return children;
}

void children_free(struct children *children)
{
    if (!children)
        return;
    g_array_unref(children->pids);
    pthread_mutex_destroy(&children->lock);
    g_free(children);
}

void children_add(struct children *children, int64_t pid)
{
    auto_hold(&children->lock);
    g_array_append_val(children->pids, pid);
}

void children_tick(struct children *children)
{
    int status;
    auto_hold(&children->lock);
    for (guint i = children->pids->len; i-- > 0;)
        if (process_ended(g_array_index(children->pids, int64_t, i), &status))
            g_array_remove_index_fast(children->pids, i);
}
