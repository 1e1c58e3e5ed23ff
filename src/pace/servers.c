#include "pace/servers.h"

#include <glib.h>
#include <stdatomic.h>

#include "base/lock.h"

#define LEAST      0.02 /* commands in flight: the trickle */
#define MOST       32
#define IDLE       0.5   /* of the window: a server of which less is in flight does not show what more would do */
#define USED_FADES 0.9   /* a tick: threads come and go */
#define LOOK_US    50000 /* so soon is it asked again whether the lull is over */
#define STRANGE_US 10000 /* between two micro-batches to a server that nobody feels */
#define RESTS      INT64_MAX

enum { SECOND = 1000000 / GOVERNOR_TICK_US }; /* of ticks */

struct pace_server {
    struct pace *pace;
    char *name;
    pthread_mutex_t lock; /* guards the rest; below the pace's own */
    struct pacer pacer;
    struct governor governor;
    int64_t felt_us; /* 0: never */
    int64_t strange_us;
    int64_t waited_us, sent_us; /* when somebody last waited for it, and when something last went; 0: never */
    bool waited_for;            /* somebody, since the last tick */
    double taken, used;         /* commands since the last tick; in flight, on average, at most in the last seconds */
    int64_t counts_from_us; /* what was sent to it before that found it asleep; RESTS: as it does until it is told */
    double second[SECOND];  /* commands of the newest ticks: a ring */
    unsigned ticks;
    uint64_t throttled;
    struct beacons beacons;
    uint64_t beat;
    enum governor_cause cause;
};

struct pace {
    pthread_mutex_t lock; /* guards servers and promise; above those of the servers */
    GPtrArray *servers;
    struct governor_promise promise;
    char *id, *who; /* NULL: nobody knows of it */
    uint32_t priority;
    struct pace_learned *learned; /* from which it may yet go on; NULL */
    bool went_on;
    /* The ticking thread's own: */
    bool lull;
    int64_t turned_us; /* when it began or ended */
    int64_t period;    /* of the shared clock, in which the newest was */
    int64_t lacks_us;  /* since when it has no baseline; 0: it has */
    int64_t yield_us;  /* when it was last silent for others; 0: never */
    atomic_bool lacks;
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
    atomic_store(&pace->lacks, true);
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
    g_free(pace->id);
    g_free(pace->who);
    pace_learned_free(pace->learned);
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

unsigned pace_take(struct pace_server *server, uint64_t kind, int64_t now_us, unsigned first, unsigned all,
                   int64_t *ret_due_us)
{
    int64_t lull_until_us = atomic_load(&server->pace->lull_until_us);
    if (lull_until_us) {
        *ret_due_us = MAX(lull_until_us, now_us + LOOK_US);
        return 0;
    }
    auto_hold(&server->lock);
    if (!server->felt_us)
        return take_strange(server, now_us, first, ret_due_us);
    unsigned some = pacer_ask(&server->pacer, kind, now_us, ret_due_us);
    server->waited_for |= some == 0;
    if (some == 0) {
        server->waited_us = now_us;
        return 0;
    }
    server->sent_us = now_us;
    unsigned taken = MAX(first, MIN(some, all));
    pacer_sent(&server->pacer, kind, now_us, taken);
    server->taken += taken;
    return taken;
}

void pace_reply(struct pace_server *server, int64_t sent_us, int64_t now_us)
{
    if (!server)
        return;
    auto_hold(&server->lock);
    pacer_reply(&server->pacer, sent_us, now_us);
}

void pace_lost(struct pace_server *server, int64_t sent_us)
{
    if (!server)
        return;
    auto_hold(&server->lock);
    pacer_lost(&server->pacer, sent_us);
}

void pace_throttled(struct pace_server *server)
{
    if (!server)
        return;
    auto_hold(&server->lock);
    server->throttled++;
}

/* --- the outer loop ----------------------------------------------------------------------------------------------- */

int64_t pace_probe_us(struct pace_server *server)
{
    auto_hold(&server->lock);
    return server->counts_from_us == RESTS ? PACE_PROBE_REST_US : PACE_PROBE_US;
}

void pace_felt(struct pace_server *server, int64_t sent_us, int64_t now_us)
{
    auto_hold(&server->lock);
    if (!server->felt_us)
        governor_init(&server->governor, &server->governor.promise, LEAST, MOST, now_us);
    server->felt_us = now_us;
    if (sent_us >= server->counts_from_us)
        governor_probe(&server->governor, sent_us, now_us);
}

void pace_left(struct pace_server *server)
{
    auto_hold(&server->lock);
    server->felt_us = 0;
    server->pacer.window = 0;
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

/* --- what one leaves to the next ---------------------------------------------------------------------------------- */

struct pace_learned *pace_learn(struct pace *pace, int64_t now_us)
{
    auto_hold(&pace->lock);
    if (lacks_baseline(pace, now_us))
        return NULL;
    struct pace_learned *learned = pace_learned_new(&pace->promise, pace->turned_us, pace->period);
    for (guint i = 0; i < pace->servers->len; i++) {
        struct pace_server *server = g_ptr_array_index(pace->servers, i);
        auto_hold(&server->lock);
        if (is_felt(server, now_us))
            governor_learned(&server->governor, pace_learned_add(learned, server->name));
    }
    return learned;
}

void pace_go_on(struct pace *pace, struct pace_learned *learned)
{
    auto_hold(&pace->lock);
    pace_learned_free(pace->learned);
    pace->learned = learned;
}

bool pace_may_go_on(struct pace *pace)
{
    auto_hold(&pace->lock);
    return pace->learned != NULL;
}

bool pace_went_on(struct pace *pace)
{
    auto_hold(&pace->lock);
    return pace->went_on;
}

/* All that it tells of are felt, and no others. */
static bool knows_all(struct pace *pace, int64_t now_us)
{
    size_t felt = 0;
    for (guint i = 0; i < pace->servers->len; i++) {
        struct pace_server *server = g_ptr_array_index(pace->servers, i);
        auto_hold(&server->lock);
        if (!is_felt(server, now_us))
            continue;
        felt++;
        if (!pace_learned_of(pace->learned, server->name))
            return false;
    }
    return felt > 0 && felt == pace->learned->n;
}

static void adopt(struct pace *pace, int64_t now_us)
{
    for (guint i = 0; i < pace->servers->len; i++) {
        struct pace_server *server = g_ptr_array_index(pace->servers, i);
        const struct governor_learned *of = pace_learned_of(pace->learned, server->name);
        auto_hold(&server->lock);
        if (of)
            governor_adopt(&server->governor, of, now_us);
    }
    pace->lull = false;
    pace->turned_us = pace->learned->turned_us;
    pace->period = pace->learned->period;
    pace->went_on = true;
}

static void go_on_when_known(struct pace *pace, int64_t now_us)
{
    if (!pace->learned)
        return;
    bool fits = pace_learned_fits(pace->learned, &pace->promise) &&
                now_us - pace->learned->turned_us < PACE_LEARNED_US && lacks_baseline(pace, now_us);
    bool all = fits && knows_all(pace, now_us);
    if (all)
        adopt(pace, now_us);
    if (all || !fits)
        g_clear_pointer(&pace->learned, pace_learned_free);
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

/* What was felt while others still sent is no baseline. */
static void begin_again(struct pace *pace, int64_t now_us)
{
    for (guint i = 0; i < pace->servers->len; i++) {
        struct pace_server *server = g_ptr_array_index(pace->servers, i);
        auto_hold(&server->lock);
        if (governor_has_baseline(&server->governor))
            continue;
        baseline_init(&server->governor.base);
        governor_lull_begin(&server->governor, now_us);
    }
    pace->turned_us = now_us;
}

/* The others on all of its servers, taken together. */
struct crowd {
    bool any, sends, lacks;
};

static struct crowd crowd_of(struct pace *pace, int64_t now_us)
{
    struct crowd crowd = {0};
    for (guint i = 0; i < pace->servers->len; i++) {
        struct pace_server *server = g_ptr_array_index(pace->servers, i);
        const struct beacon *beacon;
        size_t at = 0;
        auto_hold(&server->lock);
        while ((beacon = beacons_next(&server->beacons, &at, now_us))) {
            crowd.any = true;
            crowd.sends |= beacon->active && !beacon->quiet;
            crowd.lacks |= beacon->lacks;
        }
    }
    return crowd;
}

/* Whether it is silent because others lack a baseline. */
static bool yields(struct pace *pace, const struct crowd *crowd, int64_t now_us)
{
    bool may = pace->yield_us == 0 || now_us - pace->yield_us >= PACE_YIELD_EVERY_US;
    if (!crowd->lacks)
        return false;
    if (may)
        pace->yield_us = now_us;
    return now_us - pace->yield_us < PACE_YIELD_US;
}

/* Once in each period. Who comes late, while others go on already, leaves it out. */
static bool is_time(struct pace *pace, const struct crowd *crowd, int64_t now_us, int64_t clock_us)
{
    int64_t period = clock_us / PACE_LULL_EVERY_US;
    if (period == pace->period)
        return false;
    pace->period = period;
    return now_us - pace->turned_us >= PACE_LULL_EVERY_US / 2 &&
           (!crowd->any || clock_us % PACE_LULL_EVERY_US < GOVERNOR_TICK_US);
}

/* A tick is not always as long as the other. */
static bool lasted(const struct pace *pace, int64_t now_us)
{
    return now_us - pace->turned_us >= PACE_LULL_US - GOVERNOR_TICK_US / 2;
}

static void turn_when_due(struct pace *pace, int64_t now_us, int64_t clock_us)
{
    go_on_when_known(pace, now_us);
    bool lacks = lacks_baseline(pace, now_us);
    struct crowd crowd = crowd_of(pace, now_us);
    bool yield = yields(pace, &crowd, now_us), time = is_time(pace, &crowd, now_us, clock_us);
    pace->lacks_us = !lacks ? 0 : pace->lacks_us ? pace->lacks_us : now_us;
    atomic_store(&pace->lacks, lacks);
    if (pace->lull ? lasted(pace, now_us) && !lacks && !yield : time || lacks || yield)
        turn(pace, now_us);
    else if (pace->lull && lacks && crowd.sends && now_us - pace->lacks_us < PACE_PATIENCE_US)
        begin_again(pace, now_us);
    atomic_store(&pace->lull_until_us, pace->lull ? now_us + GOVERNOR_TICK_US : 0);
}

/* --- others ------------------------------------------------------------------------------------------------------- */

static bool is_hungry(const struct pace_server *server, int64_t now_us)
{
    return server->waited_us && now_us - server->waited_us < PACE_HUNGRY_US;
}

static bool is_active(const struct pace_server *server, int64_t now_us)
{
    int64_t last_us = MAX(server->waited_us, server->sent_us);
    return last_us && now_us - last_us < PACE_ACTIVE_US;
}

/* Who would send more shares with those that would, too; who would not holds back for them what he does not use. */
static void share(struct pace_server *server, uint32_t priority, int64_t now_us)
{
    struct governor_others others = {0};
    double window = server->governor.window, sum = window;
    const struct beacon *beacon;
    size_t at = 0, n = 1;
    while ((beacon = beacons_next(&server->beacons, &at, now_us))) {
        if (beacon->active && beacon->allowed_us > 0)
            others.allowed_us = others.allowed_us > 0 ? MIN(others.allowed_us, beacon->allowed_us) : beacon->allowed_us;
        if (!beacon->hungry || beacon->priority != priority)
            continue;
        sum += beacon->window;
        n++;
    }
    if (n > 1 && (is_hungry(server, now_us) || window > sum / (double)n))
        others.mean_window = sum / (double)n;
    governor_share(&server->governor, &others);
}

void pace_introduce(struct pace *pace, const char *id, const char *who)
{
    auto_hold(&pace->lock);
    g_free(pace->id);
    g_free(pace->who);
    pace->id = g_strdup(id);
    pace->who = g_strdup(who);
}

void pace_priority(struct pace *pace, uint32_t priority)
{
    auto_hold(&pace->lock);
    pace->priority = priority;
}

bool pace_beacon(struct pace_server *server, int64_t now_us, char ret_id[BEACON_ID], char ret_text[BEACON_TEXT])
{
    struct pace *pace = server->pace;
    struct beacon beacon = {.lacks = atomic_load(&pace->lacks), .quiet = atomic_load(&pace->lull_until_us) != 0};
    auto_hold(&pace->lock);
    if (!pace->id)
        return false;
    beacon.priority = pace->priority;
    g_strlcpy(beacon.who, pace->who, sizeof beacon.who);
    auto_hold(&server->lock);
    beacon.beat = ++server->beat;
    beacon.window = server->governor.window;
    beacon.allowed_us = governor_allowed_us(&server->governor);
    beacon.hungry = is_hungry(server, now_us);
    beacon.active = is_active(server, now_us);
    beacon_write(&beacon, ret_text);
    g_strlcpy(ret_id, pace->id, BEACON_ID);
    return true;
}

bool pace_saw(struct pace_server *server, int64_t now_us, const char *id, const char *text)
{
    struct beacon beacon;
    auto_hold(&server->pace->lock);
    if (g_strcmp0(id, server->pace->id) == 0 || !beacon_read(text, &beacon))
        return true;
    auto_hold(&server->lock);
    return beacons_see(&server->beacons, id, &beacon, now_us);
}

static void look_first(struct pace_server *server, int64_t now_us, struct beacon *io, bool *io_found)
{
    const struct beacon *beacon;
    size_t at = 0;
    auto_hold(&server->lock);
    while ((beacon = beacons_next(&server->beacons, &at, now_us)))
        if (beacon->active && beacon->priority > io->priority) {
            *io = *beacon;
            *io_found = true;
        }
}

bool pace_first(struct pace *pace, int64_t now_us, uint32_t priority, struct beacon *ret)
{
    struct beacon first = {.priority = priority};
    bool found = false;
    auto_hold(&pace->lock);
    for (guint i = 0; i < pace->servers->len; i++)
        look_first(g_ptr_array_index(pace->servers, i), now_us, &first, &found);
    if (found)
        *ret = first;
    return found;
}

/* Whether what the window is shows in what is felt. */
static bool is_tried(struct pace_server *server)
{
    double in_flight = server->taken * pacer_latency_us(&server->pacer) / GOVERNOR_TICK_US;
    bool waited_for = server->waited_for;
    server->used = MAX(in_flight, USED_FADES * server->used);
    server->second[server->ticks++ % SECOND] = server->taken;
    server->taken = 0;
    server->waited_for = false;
    return waited_for && server->used >= IDLE * server->governor.window;
}

/* Where it is measured what the world is by itself, or whether a server is there at all, it does not. */
static bool rests(const struct pace_server *server, int64_t now_us)
{
    return server->governor.idle && !server->governor.base.in_lull && is_felt(server, now_us) &&
           server->ticks % PACE_PROBE_SELDOM != 0;
}

/* Whoever wakes takes longer, and so does who asks: what follows a rest is no baseline's like. */
static void rest_or_count(struct pace_server *server, int64_t now_us)
{
    if (rests(server, now_us))
        server->counts_from_us = RESTS;
    else if (server->counts_from_us == RESTS)
        server->counts_from_us = now_us + BASELINE_DRAIN_US;
}

static void tick(struct pace_server *server, int64_t now_us)
{
    auto_hold(&server->lock);
    if (!server->felt_us)
        return;
    if (!is_tried(server))
        governor_unused(&server->governor);
    governor_idle(&server->governor, server->used < IDLE * LEAST);
    governor_rests(&server->governor, server->counts_from_us == RESTS);
    share(server, server->pace->priority, now_us);
    double window = governor_tick(&server->governor, now_us);
    server->cause = server->governor.cause;
    if (!is_felt(server, now_us)) {
        window = 0;
        server->cause = GOVERNOR_UNFELT;
    }
    server->pacer.window = window;
    server->pacer.allowed_us = governor_allowed_us(&server->governor);
    rest_or_count(server, now_us);
}

void pace_tick(struct pace *pace, int64_t now_us, int64_t clock_us)
{
    auto_hold(&pace->lock);
    turn_when_due(pace, now_us, clock_us);
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

static void count_others(const struct pace_server *server, int64_t now_us, struct pace_look *ret)
{
    const struct beacon *beacon;
    size_t at = 0;
    while ((beacon = beacons_next(&server->beacons, &at, now_us))) {
        if (!beacon->active)
            continue;
        if (ret->others++ == 0)
            g_strlcpy(ret->other, beacon->who, sizeof ret->other);
    }
}

static double sent_per_s(const struct pace_server *server)
{
    double sent = 0;
    for (unsigned i = 0; i < SECOND; i++)
        sent += server->second[i];
    return sent;
}

static struct pace_look look_at(struct pace_server *server, int64_t now_us)
{
    const struct governor *governor = &server->governor;
    struct pace_look look = {.name = server->name,
                             .cause = server->cause,
                             .in_lull = governor->base.in_lull,
                             .trickles = governor->window <= 2 * governor->least,
                             .window = server->pacer.window,
                             .per_s = sent_per_s(server),
                             .own_us = pacer_latency_us(&server->pacer),
                             .throttled = server->throttled,
                             .felt_us = server->felt_us};
    count_others(server, now_us, &look);
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
