#include "run/guarding.h"

#include <math.h>

#include "run/ending.h"
#include "run/hold.h"
#include "run/watch.h"

#define LOOK_US     (INT64_C(100) * 1000)
#define ASK_US      (INT64_C(1000) * 1000)
#define PUT_US      (INT64_C(2000) * 1000)
#define STOP_ALL    "stop-all"
#define STOP_STALE  (INT64_C(15) * 1000 * 1000)
#define SLOWED_HALF 0.5
#define SLOWED_LAST 1.0 /* a record a second is left */

struct guarding *guarding_new(const struct hold *hold)
{
    const struct spec *spec = hold->plan->spec;
    struct guards_config config = {.world = hold->config->world,
                                   .base_dir = spec->dir,
                                   .target = hold->plan->target,
                                   .target_ds = &hold->plan->target_ds,
                                   .signals = spec->protect.signals,
                                   .n_signals = spec->protect.n_signals,
                                   .enabled = &spec->protect.enabled,
                                   .given = hold->plan->limits.guards_given};
    struct guarding *guarding = g_new0(struct guarding, 1);
    *guarding = (struct guarding){.config = hold->config,
                                  .guards = guards_new(&config),
                                  .limits = (struct limits *)&hold->shared.limits,
                                  .run = hold->run.id,
                                  .mem = arena_new(1 << 20)};
    return guarding;
}

void guarding_free(struct guarding *guarding)
{
    if (!guarding)
        return;
    guards_free(guarding->guards);
    guards_verdict_done(&guarding->verdict);
    arena_free(guarding->mem);
    g_free(guarding);
}

/* --- looking ------------------------------------------------------------------------------------------------------ */

static bool is_due(int64_t *io_last_us, int64_t every_us, int64_t now_us)
{
    if (*io_last_us && now_us - *io_last_us < every_us)
        return false;
    *io_last_us = now_us;
    return true;
}

/* A flag that cannot be read is noticed by its age. */
static void ask_stop(struct guarding *guarding, struct catalog *catalog)
{
    struct stop_flag flag;
    arena_reset(guarding->mem);
    if (!catalog_stop(catalog, guarding->mem, &flag, NULL))
        return;
    g_autofree char *why =
        flag.at_ms ? ending_words("%s has stopped all runs of this home%s%s; `sluice resume --all` lets them go on",
                                  flag.actor, flag.reason ? ": " : "", flag.reason ? flag.reason : "")
                   : NULL;
    struct guards_feed feed = {.name = STOP_ALL,
                               .unit = GUARD_UNIT_WORD,
                               .rule = {.stale_us = STOP_STALE},
                               .value = flag.at_ms ? 1 : 0,
                               .why = why};
    guards_feed(guarding->guards, &feed);
}

static void tell(const struct guarding *guarding, const struct guards_verdict *was)
{
    const struct guards_verdict *now = &guarding->verdict;
    struct run_row row = {.id = guarding->run, .state = RUN_RUNNING};
    g_autofree char *text =
        now->level == GUARD_LEVEL_OK
            ? ending_words("guard: %s is clear: full pace again", was->name)
            : ending_words("guard: %s by %s", now->level == GUARD_LEVEL_SLOW ? "slowed" : "held", now->words);
    struct run_event event = {.kind = RUN_EVENT_NOTE, .run = &row, .text = text};
    if (guarding->config->event)
        guarding->config->event(guarding->config->event_self, &event);
}

/* Half of the pace that it had, from when it is known on. */
static void set_pace(struct guarding *guarding, bool changed)
{
    bool slow = guarding->verdict.level == GUARD_LEVEL_SLOW;
    if (!slow)
        limits_slow(guarding->limits, 0);
    else if ((changed || !limits_is_slowed(guarding->limits)) && guarding->pace_per_s > 0)
        limits_slow(guarding->limits, fmax(guarding->pace_per_s * SLOWED_HALF, SLOWED_LAST));
}

/* Only to be shown, hence without errors. */
static void put_sight(struct guarding *guarding, struct catalog *catalog)
{
    char *json = guards_json(guarding->guards);
    struct sight sight = {.at_ms = world_wall_ms(guarding->config->world),
                          .slowed_by = guarding->verdict.level == GUARD_LEVEL_SLOW ? guarding->verdict.name : NULL,
                          .json = json};
    catalog_sight_put(catalog, guarding->run, &sight, NULL);
    free(json);
}

void guarding_look(struct guarding *guarding, struct catalog *catalog, int64_t now_us)
{
    struct guards_limits limits;
    struct guards_verdict verdict, was = guarding->verdict;
    if (!is_due(&guarding->looked_us, LOOK_US, now_us))
        return;
    if (is_due(&guarding->asked_us, ASK_US, now_us))
        ask_stop(guarding, catalog);
    limits_guards(guarding->limits, &limits);
    guards_judge(guarding->guards, &limits, &verdict);
    guarding->verdict = verdict;
    bool changed = verdict.level != was.level || g_strcmp0(verdict.name, was.name) != 0;
    if (changed)
        tell(guarding, &was);
    set_pace(guarding, changed);
    if (is_due(&guarding->put_us, changed || verdict.ready != was.ready ? 0 : PUT_US, now_us))
        put_sight(guarding, catalog);
    guards_verdict_done(&was);
}

bool guarding_holds(const struct guarding *guarding)
{
    return guarding->verdict.level >= GUARD_LEVEL_PAUSE;
}

/* --- pausing ------------------------------------------------------------------------------------------------------ */

bool guarding_pause(const struct guarding *guarding, struct catalog *catalog, const struct run_row *run, GError **error)
{
    const struct guards_verdict *verdict = &guarding->verdict;
    if (run->state == RUN_PAUSED && g_strcmp0(run->guard, verdict->name) == 0)
        return true;
    g_autofree char *reason = ending_words("guard: %s", verdict->words);
    struct run_move move = {.run = guarding->run,
                            .from = run->state,
                            .to = RUN_PAUSED,
                            .reason = reason,
                            .guard = verdict->name,
                            .act = guarding->config->act};
    return catalog_run_move(catalog, &move, error);
}

/* Whoever writes already is only slowed by what has not held yet; nobody begins. */
static bool may_write(const struct guarding *guarding)
{
    return guarding->verdict.ready && !guarding->verdict.beyond && !guarding_holds(guarding);
}

/* What a wait for the guards is over by. */
struct waiting {
    struct guarding *guarding;
    const struct hold *hold;
    const char *guard; /* that holds the run; NULL: it waits for first readings */
    atomic_bool stop;
};

static bool is_over(void *self)
{
    const struct waiting *waiting = self;
    const struct guards_verdict *now = &waiting->guarding->verdict;
    const char *guard = guarding_holds(waiting->guarding) ? now->name : NULL;
    return atomic_load(&waiting->stop) || g_strcmp0(guard, waiting->guard) != 0 || now->level == GUARD_LEVEL_HALT ||
           may_write(waiting->guarding);
}

static void show(void *self, struct watch *watch)
{
    const struct waiting *waiting = self;
    const struct hold *hold = waiting->hold;
    watch_rate_per_s(watch, 0); /* it has been shown now */
    g_autofree char *text = waiting->guard ? ending_words("paused by a guard: %s", waiting->guarding->verdict.words)
                                           : g_strdup("waiting for what its guards say");
    struct run_event event = {.kind = RUN_EVENT_PROGRESS,
                              .run = &hold->run,
                              .done = tally_sum(&hold->run.tally, OUTCOME_KIND_LISTED),
                              .of = hold->run.tally.of[OUTCOME_LISTED_],
                              .text = text};
    if (hold->config->event)
        hold->config->event(hold->config->event_self, &event);
}

/* One wait, for one guard. *ret_go false: the result says why. */
static bool wait_once(struct hold *hold, struct run_result *ret, bool *ret_go, GError **error)
{
    struct guarding *guarding = hold->guarding;
    g_autofree char *guard = guarding_holds(guarding) ? g_strdup(guarding->verdict.name) : NULL;
    struct waiting waiting = {.guarding = guarding, .hold = hold, .guard = guard};
    struct watch watch = {.config = hold->config,
                          .catalog = hold->catalog,
                          .mem = hold->mem,
                          .run = hold->run.id,
                          .limits = &hold->shared.limits,
                          .guarding = guarding,
                          .stop = &waiting.stop,
                          .ended = is_over,
                          .look = show,
                          .self = &waiting};
    watch_until_ended(&watch);
    *ret_go = !watch.wish.id && !watch.interrupted;
    if (watch.wish.id)
        return ending_by_wish(hold, &watch.wish, ret, error);
    return !watch.interrupted || ending_by_signal(hold, ret, error);
}

static bool halt(struct hold *hold, struct run_result *ret, GError **error)
{
    GError *failed = NULL;
    error_set(&failed, SLUICE_ERROR_HALTED, "guard: %s", hold->guarding->verdict.words);
    return ending_by_failure(hold, failed, ret, error);
}

static bool pause_here(struct hold *hold, GError **error)
{
    enum run_state was = hold->run.state;
    g_autofree char *guard = g_strdup(hold->run.guard);
    if (!hold_reload(hold, error) || !guarding_pause(hold->guarding, hold->catalog, &hold->run, error) ||
        !hold_reload(hold, error))
        return false;
    if (was != hold->run.state || g_strcmp0(guard, hold->run.guard) != 0)
        hold_event(hold, RUN_EVENT_STATE, hold->run.reason);
    return true;
}

bool guarding_wait(struct hold *hold, struct run_result *ret, bool *ret_go, GError **error)
{
    struct guarding *guarding = hold->guarding;
    const struct world *world = hold->config->world;
    for (*ret_go = true; *ret_go;) {
        guarding_look(guarding, hold->catalog, world_monotonic_us(world));
        bool holds = guarding_holds(guarding);
        *ret_go = guarding->verdict.level != GUARD_LEVEL_HALT;
        if (!*ret_go)
            return halt(hold, ret, error);
        if (may_write(guarding))
            return true;
        if (holds && !pause_here(hold, error))
            return false;
        *ret_go = !holds || !hold->config->exit_on_pause;
        if (!*ret_go) {
            g_autofree char *text = ending_words("%s; the same command goes on then", hold->run.reason);
            hold_result(hold, 3, text, ret);
        } else if (!wait_once(hold, ret, ret_go, error))
            return false;
    }
    return true;
}
