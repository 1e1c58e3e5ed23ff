#include "run/govern.h"

#include <jansson.h>

#include "base/thread.h"
#include "store/calls.h"

enum { STORES_MOST = 2 };

/* One store, by its thread; `stop` and what the lock guards are shared. */
struct governed {
    const struct world *world;
    struct limits *limits;
    struct store *store;
    const struct probe_ops *probe;
    struct thread *thread;
    atomic_bool stop;
    struct spec_live live;         /* the promise as it is kept */
    struct live_probe *live_probe; /* NULL: nothing is promised */
    pthread_mutex_t lock;          /* guards the rest; a leaf but for those of pace */
    struct pace *pace;             /* NULL: nothing is promised */
    GPtrArray *former;             /* of struct pace: somebody may still be within a call at that one */
    GError *failed;
};

struct govern {
    struct governed of[STORES_MOST];
    size_t n;
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

static void keep_failure(struct governed *it, GError *failed)
{
    auto_hold(&it->lock);
    error_keep_first(&it->failed, failed);
}

/* What was set since. */
static void follow(struct governed *it)
{
    struct spec_live live = limits_live(it->limits);
    GError *failed = NULL;
    if (memcmp(&live, &it->live, sizeof live) == 0)
        return;
    it->live = live;
    if (!spec_live_given(&live))
        detach(it);
    else if (!it->pace && !attach(it, &failed))
        keep_failure(it, failed);
    else if (it->pace) {
        struct governor_promise promise = promise_of(&live);
        pace_promise(it->pace, &promise);
    }
}

static void governed_main(void *data)
{
    struct governed *it = data;
    while (!atomic_load(&it->stop)) {
        int64_t until_us = world_monotonic_us(it->world) + GOVERNOR_TICK_US;
        struct call call = {.deadline_us = until_us, .cancel = &it->stop};
        GError *failed = NULL;
        follow(it);
        if (it->live_probe && !it->failed && !it->probe->run(it->live_probe, &call, &failed))
            keep_failure(it, failed);
        world_sleep_us(it->world, until_us - world_monotonic_us(it->world), &it->stop);
        if (it->pace)
            pace_tick(it->pace, world_monotonic_us(it->world));
    }
}

/* What stands in the way of probing is told before anything waits for it. */
static bool begin_felt(struct governed *it, GError **error)
{
    struct call call = {.deadline_us = world_monotonic_us(it->world) + GOVERNOR_TICK_US};
    return attach(it, error) && it->probe->run(it->live_probe, &call, error);
}

static bool governed_begin(struct governed *it, GError **error)
{
    pthread_mutex_init(&it->lock, NULL);
    it->former = g_ptr_array_new_with_free_func((GDestroyNotify)pace_free);
    it->live = limits_live(it->limits);
    return (!spec_live_given(&it->live) || begin_felt(it, error)) &&
           thread_start(&it->thread, "probe", governed_main, it, error);
}

static void governed_end(struct governed *it)
{
    atomic_store(&it->stop, true);
    thread_join(it->thread);
    detach(it);
    g_ptr_array_unref(it->former);
    g_clear_error(&it->failed);
    pthread_mutex_destroy(&it->lock);
}

/* --- all of them -------------------------------------------------------------------------------------------------- */

static bool add(struct govern *govern, const struct world *world, struct store *store, struct limits *limits,
                GError **error)
{
    const struct probe_ops *probe = store ? store_driver(store)->probe : NULL;
    for (size_t i = 0; i < govern->n; i++)
        if (govern->of[i].store == store)
            return true;
    if (!probe)
        return true;
    struct governed *it = &govern->of[govern->n++];
    *it = (struct governed){.world = world, .limits = limits, .store = store, .probe = probe};
    return governed_begin(it, error);
}

bool govern_begin(struct govern **ret, const struct world *world, const struct plan *plan, struct limits *limits,
                  GError **error)
{
    auto_(govern) govern = g_new0(struct govern, 1);
    if (!add(govern, world, plan->target, limits, error) || !add(govern, world, plan->source, limits, error))
        return false;
    *ret = govern->n > 0 ? g_steal_pointer(&govern) : NULL;
    return true;
}

void govern_end(struct govern *govern)
{
    for (size_t i = 0; govern && i < govern->n; i++)
        governed_end(&govern->of[i]);
    g_free(govern);
}

static int by_share(const void *a, const void *b)
{
    const struct pace_look *one = a, *other = b;
    double x = one->most_us > 0 ? one->p99_us / one->most_us : 0,
           y = other->most_us > 0 ? other->p99_us / other->most_us : 0;
    return (x < y) - (x > y);
}

size_t govern_look(struct govern *govern, struct pace_look ret[GOVERN_SERVERS])
{
    size_t n = 0;
    for (size_t i = 0; govern && i < govern->n; i++) {
        struct governed *it = &govern->of[i];
        auto_hold(&it->lock);
        if (it->pace)
            n += MIN(pace_look(it->pace, world_monotonic_us(it->world), ret + n, GOVERN_SERVERS - n),
                     GOVERN_SERVERS - n);
    }
    qsort(ret, n, sizeof *ret, by_share);
    return n;
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

bool govern_failed(struct govern *govern, GError **error)
{
    for (size_t i = 0; govern && i < govern->n; i++) {
        struct governed *it = &govern->of[i];
        auto_hold(&it->lock);
        if (it->failed) {
            g_propagate_error(error, g_error_copy(it->failed));
            return true;
        }
    }
    return false;
}

/* --- for status --------------------------------------------------------------------------------------------------- */

static json_t *us_json(double us)
{
    return us > 0 ? json_real(us / 1000) : json_null();
}

char *govern_json(struct govern *govern)
{
    struct pace_look looks[GOVERN_SERVERS];
    size_t n = govern_look(govern, looks);
    json_t *all = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(
            all, json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:f, s:f}", "server", looks[i].name, "limited_by",
                           governor_cause_name(looks[i].cause), "reason", governor_cause_words(looks[i].cause),
                           "p99_ms", us_json(looks[i].p99_us), "limit_ms", us_json(looks[i].most_us), "baseline_ms",
                           us_json(looks[i].baseline_us), "commands_per_s", looks[i].per_s, "window", looks[i].window));
    char *text = n > 0 ? json_dumps(all, JSON_COMPACT) : NULL;
    json_decref(all);
    return text;
}

/* Of the server that holds back most: it stands first. */
bool govern_words(const char *json, struct govern_words *ret)
{
    const char *server, *by, *reason;
    double p99 = 0, limit = 0, baseline = 0, per_s = 0;
    json_t *all = json_loads(json, 0, NULL);
    bool there = json_unpack(json_array_get(all, 0), "{s:s, s:s, s:s}", "server", &server, "limited_by", &by, "reason",
                             &reason) == 0;
    enum governor_cause cause = there ? governor_cause_of(by) : GOVERNOR_MOST;
    if (cause != GOVERNOR_MOST) {
        bool known = json_unpack(json_array_get(all, 0), "{s:F, s:F, s:F, s:F}", "p99_ms", &p99, "limit_ms", &limit,
                                 "baseline_ms", &baseline, "commands_per_s", &per_s) == 0;
        ret->limited_by = governor_cause_name(cause);
        if (known)
            g_snprintf(ret->text, sizeof ret->text, "%s: p99 %.2f ms of %.2f (%.2f without us), %.0f commands/s: %s",
                       server, p99, limit, baseline, per_s, reason);
        else
            g_snprintf(ret->text, sizeof ret->text, "%s: %s", server, reason);
    }
    json_decref(all);
    return cause != GOVERNOR_MOST;
}
