#include "pace/servers.h"

#include <glib.h>
#include <stdatomic.h>

#include "base/lock.h"

#define LEAST      0.02 /* commands in flight: the trickle */
#define MOST       32
#define LOOK_US    50000 /* so soon is it asked again whether the lull is over */
#define STRANGE_US 10000 /* between two micro-batches to a server that nobody feels */

struct pace_server {
    struct pace *pace;
    char *name;
    pthread_mutex_t lock; /* guards the rest; below the pace's own */
    struct pacer pacer;
    struct governor governor;
    int64_t felt_us; /* 0: never */
    int64_t strange_us;
    bool waited_for; /* somebody, since the last tick */
    enum governor_cause cause;
};

struct pace {
    pthread_mutex_t lock; /* guards servers and promise; above those of the servers */
    GPtrArray *servers;
    struct governor_promise promise;
    bool lull;                         /* the ticking thread's own */
    int64_t turned_us;                 /* when it began or ended; likewise */
    atomic_int_fast64_t lull_until_us; /* not in one: 0 */
};

struct pace *pace_new(const struct governor_promise *promise, int64_t now_us)
{
    struct pace *pace = g_new0(struct pace, 1);
    pthread_mutex_init(&pace->lock, NULL);
    pace->servers = g_ptr_array_new();
    pace->promise = *promise;
    pace->lull = true;
    pace->turned_us = now_us;
    atomic_store(&pace->lull_until_us, now_us + PACE_LULL_US);
    return pace;
}

void pace_free(struct pace *pace)
{
    if (!pace)
        return;
    for (guint i = 0; i < pace->servers->len; i++) {
        struct pace_server *server = g_ptr_array_index(pace->servers, i);
        pthread_mutex_destroy(&server->lock);
        g_free(server->name);
        g_free(server);
    }
    g_ptr_array_free(pace->servers, TRUE);
    pthread_mutex_destroy(&pace->lock);
    g_free(pace);
}

static struct pace_server *server_new(struct pace *pace, const char *name)
{
    struct pace_server *server = g_new0(struct pace_server, 1);
    server->pace = pace;
    server->name = g_strdup(name);
    pthread_mutex_init(&server->lock, NULL);
    pacer_init(&server->pacer, 0, 0);
    governor_init(&server->governor, &pace->promise, LEAST, MOST, 0);
    return server;
}

struct pace_server *pace_server(struct pace *pace, const char *name)
{
    auto_hold(&pace->lock);
    for (guint i = 0; i < pace->servers->len; i++) {
        struct pace_server *server = g_ptr_array_index(pace->servers, i);
        if (g_str_equal(server->name, name))
            return server;
    }
    g_ptr_array_add(pace->servers, server_new(pace, name));
    return g_ptr_array_index(pace->servers, pace->servers->len - 1);
}

/* --- the inner loop ----------------------------------------------------------------------------------------------- */

/* Nobody feels it, so nobody asks it about records but by mistake: a little may go. */
static unsigned take_strange(struct pace_server *server, int64_t now_us, unsigned first, int64_t *ret_due_us)
{
    *ret_due_us = server->strange_us + STRANGE_US;
    if (now_us < *ret_due_us)
        return 0;
    server->strange_us = now_us;
    return first;
}

unsigned pace_take(struct pace_server *server, int64_t now_us, unsigned first, unsigned all, int64_t *ret_due_us)
{
    int64_t lull_until_us = atomic_load(&server->pace->lull_until_us);
    if (lull_until_us) {
        *ret_due_us = MAX(lull_until_us, now_us + LOOK_US);
        return 0;
    }
    auto_hold(&server->lock);
    if (!server->felt_us)
        return take_strange(server, now_us, first, ret_due_us);
    unsigned some = pacer_ask(&server->pacer, now_us, ret_due_us);
    server->waited_for |= some == 0;
    if (some == 0)
        return 0;
    unsigned taken = MAX(first, MIN(some, all));
    pacer_sent(&server->pacer, now_us, taken);
    return taken;
}

void pace_reply(struct pace_server *server, int64_t now_us)
{
    auto_hold(&server->lock);
    pacer_reply(&server->pacer, now_us);
}

void pace_lost(struct pace_server *server, unsigned micro_batches)
{
    auto_hold(&server->lock);
    pacer_lost(&server->pacer, micro_batches);
}

/* --- the outer loop ----------------------------------------------------------------------------------------------- */

void pace_felt(struct pace_server *server, int64_t sent_us, int64_t now_us)
{
    auto_hold(&server->lock);
    if (!server->felt_us)
        governor_init(&server->governor, &server->governor.promise, LEAST, MOST, now_us);
    server->felt_us = now_us;
    governor_probe(&server->governor, sent_us, now_us);
}

static bool is_felt(const struct pace_server *server, int64_t now_us)
{
    return server->felt_us && now_us - server->felt_us < PACE_UNFELT_US;
}

/* A server that can be felt, and of which nobody knows yet how it feels without us; none that is felt counts for one.
 */
static bool lacks_baseline(struct pace *pace, int64_t now_us)
{
    bool felt = false;
    for (guint i = 0; i < pace->servers->len; i++) {
        struct pace_server *server = g_ptr_array_index(pace->servers, i);
        auto_hold(&server->lock);
        felt |= is_felt(server, now_us);
        if (is_felt(server, now_us) && !governor_has_baseline(&server->governor))
            return true;
    }
    return !felt;
}

static void turn(struct pace *pace, int64_t now_us)
{
    for (guint i = 0; i < pace->servers->len; i++) {
        struct pace_server *server = g_ptr_array_index(pace->servers, i);
        auto_hold(&server->lock);
        (pace->lull ? governor_lull_end : governor_lull_begin)(&server->governor, now_us);
    }
    pace->lull = !pace->lull;
    pace->turned_us = now_us;
}

static void turn_when_due(struct pace *pace, int64_t now_us)
{
    bool lacks = lacks_baseline(pace, now_us);
    int64_t since_us = now_us - pace->turned_us;
    if (pace->lull ? since_us >= PACE_LULL_US && !lacks : since_us >= PACE_LULL_EVERY_US || lacks)
        turn(pace, now_us);
    atomic_store(&pace->lull_until_us, pace->lull ? now_us + GOVERNOR_TICK_US : 0);
}

static void tick(struct pace_server *server, int64_t now_us)
{
    auto_hold(&server->lock);
    if (!server->felt_us)
        return;
    if (!server->waited_for)
        governor_unused(&server->governor);
    server->waited_for = false;
    double window = governor_tick(&server->governor, now_us);
    server->cause = server->governor.cause;
    if (!is_felt(server, now_us)) {
        window = 0;
        server->cause = GOVERNOR_UNFELT;
    }
    server->pacer.window = window;
}

void pace_tick(struct pace *pace, int64_t now_us)
{
    auto_hold(&pace->lock);
    turn_when_due(pace, now_us);
    for (guint i = 0; i < pace->servers->len; i++)
        tick(g_ptr_array_index(pace->servers, i), now_us);
}

void pace_promise(struct pace *pace, const struct governor_promise *promise)
{
    auto_hold(&pace->lock);
    pace->promise = *promise;
    for (guint i = 0; i < pace->servers->len; i++) {
        struct pace_server *server = g_ptr_array_index(pace->servers, i);
        auto_hold(&server->lock);
        server->governor.promise = *promise;
    }
}

/* --- a look ------------------------------------------------------------------------------------------------------- */

static struct pace_look look_at(struct pace_server *server, int64_t now_us)
{
    const struct governor *governor = &server->governor;
    struct pace_look look = {.name = server->name,
                             .cause = server->cause,
                             .in_lull = governor->base.in_lull,
                             .trickles = governor->window <= 2 * governor->least,
                             .window = server->pacer.window,
                             .per_s = pacer_rate_per_s(&server->pacer, now_us),
                             .felt_us = server->felt_us};
    if (governor_has_baseline(governor)) {
        look.baseline_us = governor_baseline_p99_us(governor);
        look.p99_us = governor_p99_us(governor);
        look.most_us = governor_limit_us(governor);
        histogram_steps(&governor->base.pooled, look.before);
        histogram_steps(&governor->minute, look.during);
    }
    return look;
}

size_t pace_look(struct pace *pace, int64_t now_us, struct pace_look *ret, size_t room)
{
    size_t n = 0;
    auto_hold(&pace->lock);
    for (guint i = 0; i < pace->servers->len; i++) {
        struct pace_server *server = g_ptr_array_index(pace->servers, i);
        auto_hold(&server->lock);
        if (server->felt_us && n < room)
            ret[n] = look_at(server, now_us);
        n += server->felt_us != 0;
    }
    return n;
}
