#include "run/govern.h"

#include <jansson.h>
#include <math.h>

#include "base/thread.h"
#include "run/paces.h"
#include "store/calls.h"

enum {
    STORES_MOST = 2,
    ANSWERED_TICKS = 12, /* so long servers that are known may take for a first answer: as long as measuring them */
    SERVERS_FEW = 8,
};

/* By where a store stands in struct govern: on other servers it counts for nothing anyway. */
struct govern_learned {
    struct pace_learned *of[STORES_MOST];
};

/* One store, by its thread; `stop` and what the lock guards are shared. */
struct governed {
    const struct world *world;
    struct limits *limits;
    struct store *store;
    const struct probe_ops *probe;
    char *id, *who;                /* by its beacons */
    struct pace_learned **learned; /* to be taken, and left there; NULL: neither */
    struct thread *thread;
    atomic_bool stop;
    struct spec_live live;         /* the promise as it is kept */
    struct live_probe *live_probe; /* NULL: nothing is promised */
    pthread_mutex_t lock;          /* guards the rest; a leaf but for those of pace */
    bool promised;                 /* something is */
    struct pace *pace;             /* NULL: nothing is promised, or it cannot be probed */
    GPtrArray *former;             /* of struct pace: somebody may still be within a call at that one */
    GError *failed;                /* the newest reason why it cannot be probed … */
    int64_t failed_us;             /* … and when that was */
};

struct govern {
    struct governed of[STORES_MOST];
    size_t n;
    struct paces *told;
};

static struct governor_promise promise_of(const struct spec_live *live)
{
    struct governor_promise promise = {
        .share = live->share, .absolute_us = live->absolute_us, .limit_us = live->limit_us};
    if (live->limit_us > 0)
        promise.absolute_us = live->limit_us; /* as much more as there is up to it */
    return promise;
}

/* --- one store ---------------------------------------------------------------------------------------------------- */

static bool attach(struct governed *it, GError **error)
{
    struct governor_promise promise = promise_of(&it->live);
    struct pace *pace = pace_new(&promise, world_monotonic_us(it->world));
    pace_introduce(pace, it->id, it->who);
    pace_priority(pace, limits_priority(it->limits));
    if (it->learned)
        pace_go_on(pace, g_steal_pointer(it->learned));
    if (!it->probe->open(&it->live_probe, it->store, pace, error)) {
        pace_free(pace);
        return false;
    }
    auto_hold(&it->lock);
    it->pace = pace;
    it->probe->set_pace(it->store, pace);
    return true;
}

static void detach(struct governed *it)
{
    it->probe->set_pace(it->store, NULL);
    g_clear_pointer(&it->live_probe, it->probe->close);
    auto_hold(&it->lock);
    if (it->pace)
        g_ptr_array_add(it->former, g_steal_pointer(&it->pace));
}

/* What it was refused may be allowed again: it goes on asking. */
static void keep_failure(struct governed *it, GError *failed)
{
    auto_hold(&it->lock);
    g_clear_error(&it->failed);
    it->failed = failed;
    it->failed_us = world_monotonic_us(it->world);
}

static void set_promised(struct governed *it)
{
    auto_hold(&it->lock);
    it->promised = spec_live_given(&it->live);
}

/* What was set since. */
static void follow(struct governed *it)
{
    struct spec_live live = limits_live(it->limits);
    GError *failed = NULL;
    bool same = memcmp(&live, &it->live, sizeof live) == 0, lacks = spec_live_given(&live) && !it->pace;
    if (same && !lacks)
        return;
    it->live = live;
    set_promised(it);
    if (!spec_live_given(&live))
        detach(it);
    else if (!it->pace && !attach(it, &failed))
        keep_failure(it, failed);
    else {
        struct governor_promise promise = promise_of(&live);
        pace_promise(it->pace, &promise);
    }
}

/* By a clock that other processes have, too: so all of them are silent at once. */
static int64_t clock_us(const struct governed *it)
{
    return world_wall_ms(it->world) * 1000;
}

static void tick(struct governed *it)
{
    if (!it->pace)
        return;
    pace_priority(it->pace, limits_priority(it->limits));
    pace_tick(it->pace, world_monotonic_us(it->world), clock_us(it));
}

static void governed_main(void *data)
{
    struct governed *it = data;
    while (!atomic_load(&it->stop)) {
        int64_t until_us = world_monotonic_us(it->world) + GOVERNOR_TICK_US - clock_us(it) % GOVERNOR_TICK_US;
        struct call call = {.deadline_us = until_us, .cancel = &it->stop};
        GError *failed = NULL;
        follow(it);
        if (it->live_probe && !it->probe->run(it->live_probe, &call, &failed))
            keep_failure(it, failed);
        world_sleep_us(it->world, until_us - world_monotonic_us(it->world), &it->stop);
        tick(it);
    }
}

static bool feel_once(struct governed *it, GError **error)
{
    struct call call = {.deadline_us = world_monotonic_us(it->world) + GOVERNOR_TICK_US};
    if (!it->probe->run(it->live_probe, &call, error))
        return false;
    tick(it);
    return true;
}

/* What stands in the way of probing is told before anything waits for it; and whether it goes on from what is known,
 * for which all servers have to have answered. */
static bool begin_felt(struct governed *it, GError **error)
{
    bool ok = attach(it, error) && feel_once(it, error);
    for (int more = 0; ok && more < ANSWERED_TICKS && pace_may_go_on(it->pace); more++)
        ok = feel_once(it, error);
    return ok;
}

static bool governed_begin(struct governed *it, GError **error)
{
    pthread_mutex_init(&it->lock, NULL);
    it->former = g_ptr_array_new_with_free_func((GDestroyNotify)pace_free);
    it->live = limits_live(it->limits);
    set_promised(it);
    return (!spec_live_given(&it->live) || begin_felt(it, error)) &&
           thread_start(&it->thread, "probe", governed_main, it, error);
}

static void leave_learned(struct governed *it)
{
    if (!it->learned || !it->pace)
        return;
    pace_learned_free(*it->learned);
    *it->learned = pace_learn(it->pace, world_monotonic_us(it->world));
}

static void governed_end(struct governed *it)
{
    world_cancel(it->world, &it->stop);
    thread_join(it->thread);
    leave_learned(it);
    detach(it);
    g_ptr_array_unref(it->former);
    g_clear_error(&it->failed);
    g_free(it->id);
    g_free(it->who);
    pthread_mutex_destroy(&it->lock);
}

struct govern_learned *govern_learned_new(void)
{
    return g_new0(struct govern_learned, 1);
}

void govern_learned_free(struct govern_learned *learned)
{
    for (size_t i = 0; learned && i < STORES_MOST; i++)
        pace_learned_free(learned->of[i]);
    g_free(learned);
}

/* --- all of them -------------------------------------------------------------------------------------------------- */

static char *who_is(const struct govern_self *self)
{
    return self->home ? g_strdup_printf("%s of home %s on %s", self->what, self->home, g_get_host_name())
                      : g_strdup_printf("%s on %s", self->what, g_get_host_name());
}

static char *id_of(const struct world *world)
{
    uint64_t id;
    world_random(world, &id, sizeof id);
    return g_strdup_printf("%016" G_GINT64_MODIFIER "x", id);
}

static bool add(struct govern *govern, const struct governed *as, const struct govern_self *self, GError **error)
{
    const struct probe_ops *probe = as->store ? store_driver(as->store)->probe : NULL;
    for (size_t i = 0; i < govern->n; i++)
        if (govern->of[i].store == as->store)
            return true;
    if (!probe)
        return true;
    struct governed *it = &govern->of[govern->n];
    *it = *as;
    it->learned = self->learned ? &self->learned->of[govern->n] : NULL;
    govern->n++;
    it->probe = probe;
    it->id = id_of(it->world);
    it->who = who_is(self);
    return governed_begin(it, error);
}

bool govern_begin(struct govern **ret, const struct world *world, const struct plan *plan, struct limits *limits,
                  const struct govern_self *self, GError **error)
{
    auto_(govern) govern = g_new0(struct govern, 1);
    struct governed target = {.world = world, .limits = limits, .store = plan->target},
                    source = {.world = world, .limits = limits, .store = plan->source};
    if (!add(govern, &target, self, error) || !add(govern, &source, self, error))
        return false;
    *ret = govern->n > 0 ? g_steal_pointer(&govern) : NULL;
    return true;
}

bool govern_begin_store(struct govern **ret, const struct world *world, struct store *store, struct limits *limits,
                        const struct govern_self *self, GError **error)
{
    auto_(govern) govern = g_new0(struct govern, 1);
    struct governed only = {.world = world, .limits = limits, .store = store};
    if (!store_driver(store)->probe)
        return error_set(error, SLUICE_ERROR_USAGE,
                         "a store of driver '%s' has no live requests of others, to which something could be promised",
                         store_driver(store)->name);
    if (!add(govern, &only, self, error))
        return false;
    *ret = g_steal_pointer(&govern);
    return true;
}

void govern_end(struct govern *govern)
{
    for (size_t i = 0; govern && i < govern->n; i++)
        governed_end(&govern->of[i]);
    if (govern)
        paces_free(govern->told);
    g_free(govern);
}

struct paces *govern_told(struct govern *govern)
{
    if (!govern->told)
        govern->told = paces_new();
    return govern->told;
}

/* How near it is to what was promised; one that does not answer gets nothing, and so holds back most. */
static double share_of(const struct pace_look *look)
{
    if (look->cause == GOVERNOR_UNFELT)
        return INFINITY;
    return look->most_us > 0 ? look->p99_us / look->most_us : 0;
}

static int by_share(const void *a, const void *b)
{
    double x = share_of(a), y = share_of(b);
    return (x < y) - (x > y);
}

/* Its lock is held. */
static void look_at(struct governed *it, GArray *into)
{
    guint before = into->len;
    size_t n = SERVERS_FEW, room = 0;
    while (n > room) {
        room = n;
        g_array_set_size(into, before + (guint)room);
        n = pace_look(it->pace, world_monotonic_us(it->world), &g_array_index(into, struct pace_look, before), room);
    }
    g_array_set_size(into, before + (guint)n);
}

/* Servers as they are paced now, of struct pace_look, those first that hold the run back most. */
static GArray *look(struct govern *govern)
{
    GArray *looks = g_array_new(FALSE, FALSE, sizeof(struct pace_look));
    for (size_t i = 0; govern && i < govern->n; i++) {
        struct governed *it = &govern->of[i];
        auto_hold(&it->lock);
        if (it->pace)
            look_at(it, looks);
    }
    g_array_sort(looks, by_share);
    return looks;
}

static const struct pace_look *look_of(const GArray *looks, guint i)
{
    return &g_array_index(looks, struct pace_look, i);
}

char *govern_first(struct govern *govern, uint32_t priority)
{
    struct beacon first = {.priority = priority};
    bool found = false;
    for (size_t i = 0; govern && i < govern->n; i++) {
        struct governed *it = &govern->of[i];
        auto_hold(&it->lock);
        if (it->pace)
            found |= pace_first(it->pace, world_monotonic_us(it->world), first.priority, &first);
    }
    return found ? g_strdup_printf("%s, of priority %u, goes before this one, of %u, to the same servers", first.who,
                                   first.priority, priority)
                 : NULL;
}

bool govern_paces(struct govern *govern)
{
    bool paces = false;
    for (size_t i = 0; govern && i < govern->n; i++) {
        struct governed *it = &govern->of[i];
        auto_hold(&it->lock);
        paces |= it->pace != NULL;
    }
    return paces;
}

bool govern_went_on(struct govern *govern)
{
    bool went_on = false;
    for (size_t i = 0; govern && i < govern->n; i++) {
        struct governed *it = &govern->of[i];
        auto_hold(&it->lock);
        went_on |= it->pace && pace_went_on(it->pace);
    }
    return went_on;
}

/* --- for the guards ----------------------------------------------------------------------------------------------- */

#define STALE_LEAST_US 3000000
#define CALM           0.75 /* of what the promise allows: from there on it is well kept */

static bool is_promised(struct govern *govern)
{
    bool promised = false;
    for (size_t i = 0; govern && i < govern->n; i++) {
        auto_hold(&govern->of[i].lock);
        promised |= govern->of[i].promised;
    }
    return promised;
}

/* Why one store is not felt, in words; NULL: it is. The lock is held. */
static char *unfelt_store(const struct governed *it, int64_t now_us)
{
    if (it->failed && now_us - it->failed_us < PACE_UNFELT_US)
        return g_strdup(it->failed->message);
    return !it->pace ? g_strdup("it has not begun yet") : NULL;
}

static char *unfelt_server(const GArray *looks, int64_t now_us)
{
    for (guint i = 0; i < looks->len; i++)
        if (now_us - look_of(looks, i)->felt_us >= PACE_UNFELT_US)
            return g_strdup_printf("%s has not answered the probe for %.0f s", look_of(looks, i)->name,
                                   (double)(now_us - look_of(looks, i)->felt_us) / 1e6);
    return looks->len > 0 ? NULL : g_strdup("no server has answered the probe yet");
}

/* The caller frees. */
static char *unfelt(struct govern *govern, const GArray *looks)
{
    int64_t now_us = world_monotonic_us(govern->of[0].world);
    for (size_t i = 0; i < govern->n; i++) {
        auto_hold(&govern->of[i].lock);
        char *why = unfelt_store(&govern->of[i], now_us);
        if (why)
            return why;
    }
    return unfelt_server(looks, now_us);
}

static void feed_probe(struct guards *guards, const char *why, int64_t hold_us)
{
    struct guards_feed feed = {.name = GOVERN_PROBE,
                               .source = "probe",
                               .unit = GUARD_UNIT_WORD,
                               .rule = {.limit = INFINITY,
                                        .slow = INFINITY,
                                        .clear = INFINITY,
                                        .hold_us = hold_us,
                                        .stale_us = MAX(hold_us, STALE_LEAST_US)},
                               .value = why ? NAN : 0,
                               .why = why};
    guards_feed(guards, &feed);
}

/* As long as less may be sent it is the governor's to mend; what a trickle does not mend is the world's, or ours to
 * leave alone. */
static bool is_beyond(const struct pace_look *look)
{
    return look->most_us > 0 && look->trickles && look->p99_us > look->most_us;
}

static const struct pace_look *worst_of(const GArray *looks)
{
    for (guint i = 0; i < looks->len; i++)
        if (is_beyond(look_of(looks, i)))
            return look_of(looks, i);
    return looks->len > 0 ? look_of(looks, 0) : NULL;
}

static void feed_live(struct guards *guards, const struct pace_look *look, int64_t hold_us)
{
    bool known = look && look->most_us > 0;
    double most = known ? look->most_us : INFINITY, base = known ? look->baseline_us : 0;
    double p99 = !known ? 0 : look->trickles ? look->p99_us : MIN(look->p99_us, most);
    g_autofree char *why =
        known && is_beyond(look)
            ? g_strdup_printf("%s: a live p99 of %.3g ms, above the %.3g ms promised (%.3g ms without us), although "
                              "hardly anything is sent",
                              look->name, look->p99_us / 1000, most / 1000, base / 1000)
            : NULL;
    struct guards_feed feed = {.name = GOVERN_LIVE,
                               .source = "probe",
                               .steers = true,
                               .unit = GUARD_UNIT_LATENCY,
                               .rule = {.limit = most / 1000,
                                        .slow = most / 1000,
                                        .clear = known ? (base + CALM * (most - base)) / 1000 : INFINITY,
                                        .hold_us = hold_us,
                                        .stale_us = INT64_MAX},
                               .value = p99 / 1000,
                               .why = why};
    guards_feed(guards, &feed);
}

void govern_feed(struct govern *govern, struct guards *guards, int64_t hold_us)
{
    if (!is_promised(govern)) {
        guards_drop(guards, GOVERN_PROBE);
        guards_drop(guards, GOVERN_LIVE);
        return;
    }
    g_autoptr(GArray) looks = look(govern);
    g_autofree char *why = unfelt(govern, looks);
    feed_probe(guards, why, hold_us);
    feed_live(guards, worst_of(looks), hold_us);
}

/* --- for status --------------------------------------------------------------------------------------------------- */

static json_t *us_json(double us)
{
    return us > 0 ? json_real(us / 1000) : json_null();
}

/* Up to so many microseconds so many of ten thousand; steps without any are left out. */
static json_t *steps_json(const float steps[HISTOGRAM_STEPS])
{
    json_t *list = json_array();
    for (unsigned i = 0; i < HISTOGRAM_STEPS; i++) {
        json_int_t share = llround((double)steps[i] * 10000);
        if (share > 0)
            json_array_append_new(list, json_pack("[I, I]", (json_int_t)histogram_step_us(i), share));
    }
    return list;
}

static json_t *look_json(const struct pace_look *look)
{
    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:I, s:f, s:f, s:o, s:o, s:i, s:s?}", "server", look->name,
                     "limited_by", governor_cause_name(look->cause), "reason", governor_cause_words(look->cause),
                     "p99_ms", us_json(look->p99_us), "limit_ms", us_json(look->most_us), "baseline_ms",
                     us_json(look->baseline_us), "own_ms", us_json(look->own_us), "throttled",
                     (json_int_t)look->throttled, "commands_per_s", look->per_s, "window", look->window, "before",
                     steps_json(look->before), "during", steps_json(look->during), "others", (int)look->others, "other",
                     look->others ? look->other : NULL);
}

char *govern_json(struct govern *govern)
{
    g_autoptr(GArray) looks = look(govern);
    json_t *all = json_array();
    for (guint i = 0; i < MIN(looks->len, GOVERN_TOLD); i++)
        json_array_append_new(all, look_json(look_of(looks, i)));
    char *text = looks->len > 0 ? json_dumps(all, JSON_COMPACT) : NULL;
    json_decref(all);
    return text;
}

static void add_others(const json_t *look, struct govern_words *io)
{
    const char *other;
    int others;
    size_t len = strlen(io->text);
    if (json_unpack((json_t *)look, "{s:i, s:s}", "others", &others, "other", &other) == 0 && others > 0)
        g_snprintf(io->text + len, sizeof io->text - len, "; it shares with %d at work there, too: %s", others, other);
}

bool govern_words_of(const json_t *look, struct govern_words *ret)
{
    const char *server, *by, *reason;
    double p99 = 0, limit = 0, baseline = 0;
    json_t *of = (json_t *)look;
    if (json_unpack(of, "{s:s, s:s, s:s}", "server", &server, "limited_by", &by, "reason", &reason) != 0)
        return false;
    enum governor_cause cause = governor_cause_of(by);
    *ret = (struct govern_words){.limited_by = governor_cause_name(cause)};
    g_strlcpy(ret->server, server, sizeof ret->server);
    json_unpack(of, "{s?F, s?F}", "window", &ret->window, "commands_per_s", &ret->per_s);
    if (json_unpack(of, "{s:F, s:F, s:F, s:F}", "p99_ms", &p99, "limit_ms", &limit, "baseline_ms", &baseline,
                    "commands_per_s", &ret->per_s) == 0)
        g_snprintf(ret->text, sizeof ret->text, "%s: p99 %.2f ms of %.2f (%.2f without us), %.0f commands/s: %s",
                   server, p99, limit, baseline, ret->per_s, reason);
    else
        g_snprintf(ret->text, sizeof ret->text, "%s: %s", server, reason);
    add_others(look, ret);
    return cause != GOVERNOR_MOST;
}

/* It stands first. */
bool govern_words(const char *json, struct govern_words *ret)
{
    json_t *all = json_loads(json, 0, NULL);
    bool held = govern_words_of(json_array_get(all, 0), ret);
    json_decref(all);
    return held;
}
