/* Threads that answer. */
#include "base/thread.h"
#include "serve/server.h"

enum { WAITING_MOST = 256, ARENA_ROOM = 256 << 20 };

struct hands {
    struct server *server;
    pthread_mutex_t lock; /* the queue and `ends`; rank: before a connection's own */
    pthread_cond_t more;
    GQueue waiting; /* struct request */
    bool ends;
    struct thread **threads;
    size_t n;
};

static struct request *next(struct hands *hands)
{
    auto_hold(&hands->lock);
    while (!hands->ends && hands->waiting.length == 0)
        pthread_cond_wait(&hands->more, &hands->lock);
    return g_queue_pop_head(&hands->waiting);
}

/* A home that has no catalog yet gets one; one that was put back from a copy is another file. So it is opened when it
 * is first needed, and again after it has failed. */
static bool open_desk(struct desk *desk, GError **error)
{
    return desk->catalog || catalog_open(&desk->catalog, desk->server->config.world, desk->server->config.home,
                                         CATALOG_READ_ONLY, error);
}

static void answer(struct desk *desk, struct request *request)
{
    GError *error = NULL;
    int64_t began_us = world_monotonic_us(desk->server->config.world);
    arena_reset(desk->mem);
    if (!open_desk(desk, &error) || !request->route->call(request, desk, &error)) {
        int exit_status = error_exit_status(error);
        answer_error(&request->answer, error);
        if (exit_status == 6)
            g_clear_pointer(&desk->catalog, catalog_free);
    } else if (request->cache_key)
        cache_put(desk->server->cache, request->cache_key, &request->answer,
                  world_monotonic_us(desk->server->config.world) - began_us);
    MHD_resume_connection(request->connection);
}

static void body(void *self)
{
    struct hands *hands = self;
    struct desk desk = {.server = hands->server, .mem = arena_new(ARENA_ROOM)};
    struct request *request;
    while ((request = next(hands)))
        answer(&desk, request);
    metrics_source_done(&desk.metrics);
    g_clear_pointer(&desk.catalog, catalog_free);
    arena_free(desk.mem);
}

struct hands *hands_new(struct server *server, const char *name, size_t n, GError **error)
{
    struct hands *hands = g_new0(struct hands, 1);
    hands->server = server;
    hands->threads = g_new0(struct thread *, n);
    pthread_mutex_init(&hands->lock, NULL);
    pthread_cond_init(&hands->more, NULL);
    for (; hands->n < n; hands->n++)
        if (!thread_start(&hands->threads[hands->n], name, body, hands, error)) {
            hands_free(hands);
            return NULL;
        }
    return hands;
}

void hands_end(struct hands *hands)
{
    if (!hands)
        return;
    pthread_mutex_lock(&hands->lock);
    hands->ends = true;
    pthread_cond_broadcast(&hands->more);
    pthread_mutex_unlock(&hands->lock);
    for (; hands->n > 0; hands->n--)
        thread_join(hands->threads[hands->n - 1]);
}

void hands_free(struct hands *hands)
{
    if (!hands)
        return;
    hands_end(hands);
    pthread_cond_destroy(&hands->more);
    pthread_mutex_destroy(&hands->lock);
    g_free(hands->threads);
    g_free(hands);
}

bool hands_give(struct hands *hands, struct request *request)
{
    auto_hold(&hands->lock);
    if (hands->ends || hands->waiting.length >= WAITING_MOST)
        return false;
    g_queue_push_tail(&hands->waiting, request);
    pthread_cond_signal(&hands->more);
    return true;
}
