#include "run/guarding.h"

#include <jansson.h>
#include <math.h>

#include "run/budget.h"
#include "run/ending.h"
#include "run/hold.h"
#include "run/readable.h"
#include "run/tell.h"
#include "run/turns.h"
#include "run/watch.h"

#define LOOK_US     (INT64_C(20) * 1000)
#define STOP_US     (INT64_C(25) * 1000) /* a flag that stops all is heeded at once */
#define ASK_US      (INT64_C(1000) * 1000)
#define PUT_US      (INT64_C(2000) * 1000)
#define LOST_US     (INT64_C(1000) * 1000)
#define STOP_ALL    "stop-all"
#define STOP_STALE  (INT64_C(15) * 1000 * 1000)
#define SLOWED_HALF 0.5
#define BURN_SLOW   0.8 /* of what may be used in that time */
#define SLOWED_LAST 1.0 /* a record a second is left */

/* Of a run that is taken back: what its plan has frozen of its signals is their names and limits. */
static bool has_signals(const struct spec *spec, const struct plan_limits *limits)
{
    bool same = spec->protect.n_signals == limits->n_signals;
    for (size_t i = 0; same && i < limits->n_signals; i++)
        same = strcmp(spec->protect.signals[i].name, limits->signals[i].name) == 0;
    return same;
}

static const struct spec *spec_of(struct guarding *guarding, const struct hold *hold)
{
    const struct plan *plan = hold->plan;
    if (plan->spec)
        return plan->spec;
    if (spec_read_with(&guarding->spec, hold->config->world, hold->run.spec_path, plan->params, NULL) &&
        has_signals(guarding->spec, &plan->limits))
        return guarding->spec;
    g_autofree char *text = ending_words("%s is not there any more as it was when the run was planned: signals and a "
                                         "switch that it names are not asked",
                                         hold->run.spec_path);
    hold_event(hold, RUN_EVENT_NOTE, text);
    return NULL;
}

struct guarding *guarding_new(const struct hold *hold)
{
    struct guarding *guarding = g_new0(struct guarding, 1);
    const struct spec *spec = spec_of(guarding, hold);
    struct guards_config config = {.world = hold->config->world,
                                   .base_dir = spec ? spec->dir : hold->plan->target_dir,
                                   .target = hold->plan->target,
                                   .target_ds = &hold->plan->target_ds,
                                   .signals = spec ? spec->protect.signals : NULL,
                                   .n_signals = spec ? spec->protect.n_signals : 0,
                                   .enabled = spec ? &spec->protect.enabled : NULL,
                                   .given = hold->plan->limits.guards_given,
                                   .forecast = &hold->plan->limits.forecast};
    guarding->config = hold->config;
    guarding->guards = guards_new(&config);
    guarding->limits = (struct limits *)&hold->shared.limits;
    guarding->govern = hold->shared.govern;
    guarding->budget = (struct budget *)&hold->shared.budget;
    guarding->run = hold->run.id;
    guarding->name = g_strdup(hold->run.name);
    guarding->target = g_strdup(hold->run.target);
    guarding->paused = g_strdup(hold->run.state == RUN_PAUSED ? hold->run.guard : NULL);
    guarding->mem = arena_new(1 << 20);
    return guarding;
}

void guarding_free(struct guarding *guarding)
{
    if (!guarding)
        return;
    guards_free(guarding->guards);
    guards_verdict_done(&guarding->verdict);
    g_clear_pointer(&guarding->spec, spec_free);
    g_clear_error(&guarding->lost);
    g_free(guarding->told);
    g_free(guarding->paused);
    g_free(guarding->name);
    g_free(guarding->target);
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

char *guarding_stop_words(const struct stop_flag *flag)
{
    if (!flag->at_ms)
        return NULL;
    return ending_words("%s has stopped all runs of this home%s%s; `sluice resume --all` lets them go on", flag->actor,
                        flag->reason ? ": " : "", flag->reason ? flag->reason : "");
}

/* A flag that cannot be read is noticed by its age. */
static void ask_stop(struct guarding *guarding, struct catalog *catalog)
{
    struct stop_flag flag;
    arena_reset(guarding->mem);
    if (!catalog_stop(catalog, guarding->mem, &flag, NULL))
        return;
    g_autofree char *why = guarding_stop_words(&flag);
    struct guards_feed feed = {.name = STOP_ALL,
                               .source = "home",
                               .unit = GUARD_UNIT_WORD,
                               .rule = {.stale_us = STOP_STALE},
                               .value = flag.at_ms ? 1 : 0,
                               .why = why};
    guards_feed(guarding->guards, &feed);
}

static void tell(const struct guarding *guarding, struct catalog *catalog, const struct guards_verdict *was)
{
    const struct guards_verdict *now = &guarding->verdict;
    struct run_row known = {
        .id = guarding->run, .name = guarding->name, .state = guarding->told ? RUN_PAUSED : RUN_RUNNING};
    g_autofree char *text =
        now->level == GUARD_LEVEL_OK
            ? ending_words("guard: %s is clear: full pace again", was->name)
            : ending_words("guard: %s by %s", now->level == GUARD_LEVEL_SLOW ? "slowed" : "held", now->words);
    run_tell_note(guarding->config, catalog, &known, text);
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

/* What cannot be read is noticed by its age, likewise. */
static void ask_turn(struct guarding *guarding, struct catalog *catalog)
{
    struct turns_wish wish = {.config = guarding->config,
                              .catalog = catalog,
                              .run = guarding->run,
                              .target = guarding->target,
                              .priority = limits_priority(guarding->limits)};
    g_autofree char *first = NULL;
    arena_reset(guarding->mem);
    if (!turns_look(&wish, guarding->mem, &first, NULL))
        return;
    if (!first)
        first = govern_first(guarding->govern, wish.priority);
    struct guards_feed feed = {.name = LIMITS_PRIORITY,
                               .source = "runs",
                               .unit = GUARD_UNIT_WORD,
                               .rule = {.stale_us = STOP_STALE},
                               .value = first ? 1 : 0,
                               .why = first};
    guards_feed(guarding->guards, &feed);
}

/* What the run's checkpoints say of that time, whichever process wrote them: whoever takes it up, or is given another
 * time, begins with it. A catalog that cannot be read now is asked again. */
static void recall_burn(struct guarding *guarding, struct catalog *catalog, const struct spec_budget *used,
                        const struct money_within *burn, int64_t now_us)
{
    struct spent *spent;
    size_t n;
    int64_t now_ms = world_wall_ms(guarding->config->world);
    struct course_of of = {
        .run = guarding->run, .step_ms = MAX(burn->ms / (int64_t)BURN_STEPS, 1), .after_ms = now_ms - burn->ms};
    struct money_rates rates = limits_rates(guarding->limits);
    arena_reset(guarding->mem);
    if (!catalog_spent(catalog, &of, guarding->mem, &spent, &n, NULL))
        return;
    g_autofree struct burnt *burnt = g_new0(struct burnt, n + 1);
    for (size_t i = 0; i < n; i++) {
        struct run_row row = {
            .tally = spent[i].tally, .bytes_read = spent[i].bytes_read, .bytes_written = spent[i].bytes_written};
        burnt[i].at_us = now_us - MAX(now_ms - spent[i].at_ms, 0) * 1000;
        burnt[i].used = budget_used_by(&row, &rates);
    }
    burn_recall(&guarding->burn, used, burnt, n);
    guarding->burn_ms = burn->ms;
}

/* What is used of the budget, for the guards. `budget.burn`: near it the run is slowed, beyond it paused, until enough
 * of the time has passed. */
static void feed_budget(struct guarding *guarding, struct catalog *catalog, int64_t now_us)
{
    struct spec_budget limit = limits_budget(guarding->limits), used = budget_used(guarding->budget, now_us);
    double most = limit.burn.share;
    guards_wrote(guarding->guards, used.bytes);
    if (!limit.burn.ms || limits_goes_back(guarding->limits)) {
        guards_drop(guarding->guards, BUDGET_BURN);
        return;
    }
    if (guarding->burn_ms != limit.burn.ms)
        recall_burn(guarding, catalog, &used, &limit.burn, now_us);
    struct guards_feed feed = {.name = BUDGET_BURN,
                               .source = "checkpoints",
                               .unit = GUARD_UNIT_SHARE,
                               .rule = guard_rule_of(most, most * BURN_SLOW, false, 0),
                               .value = burn_share(&guarding->burn, &limit, &used, now_us)};
    feed.rule.stale_us = INT64_MAX;
    guards_feed(guarding->guards, &feed);
}

/* --- from where the servers' growth counts ------------------------------------------------------------------------ */

/* What failed is asked again. */
static bool is_heard(struct guarding *guarding, bool ok, GError *error)
{
    if (ok || !guarding->lost)
        guarding->lost_us = guarding->looked_us;
    g_clear_error(&guarding->lost);
    guarding->lost = error;
    return ok;
}

static bool recall_growth(struct guarding *guarding, struct catalog *catalog)
{
    struct growth_base *rows;
    size_t n;
    GError *error = NULL;
    arena_reset(guarding->mem);
    if (!guarding->run)
        return true;
    bool ok = catalog_growth(catalog, guarding->run, guarding->mem, &rows, &n, &error);
    if (!is_heard(guarding, ok, error))
        return false;
    for (size_t i = 0; i < n; i++) {
        struct signals_base base = {.node = (char *)rows[i].node,
                                    .data_bytes = rows[i].data_bytes,
                                    .keys = rows[i].keys,
                                    .wrote = rows[i].wrote};
        guards_recall(guarding->guards, &base);
    }
    guarding->kept = n;
    return true;
}

/* Whether a guard of these could not be read. */
static bool was_unread(const char *json, const char *name)
{
    bool unread = true; /* what nobody knows need only be within its limit */
    json_t *all = json ? json_loads(json, 0, NULL) : NULL, *one;
    size_t i;
    json_array_foreach(all, i, one)
    {
        if (g_strcmp0(json_string_value(json_object_get(one, "name")), name) == 0)
            unread = !json_is_false(json_object_get(one, "unread"));
    }
    json_decref(all);
    return unread;
}

/* Whoever takes the run up has not seen what had paused it: between `clear` and the limit it stays so. */
static bool recall_pause(struct guarding *guarding, struct catalog *catalog)
{
    struct sight sight;
    GError *error = NULL;
    if (!guarding->paused)
        return true;
    arena_reset(guarding->mem);
    bool ok = catalog_sight(catalog, guarding->run, guarding->mem, &sight, &error);
    if (!is_heard(guarding, ok, error))
        return false;
    guards_recall_pause(guarding->guards, guarding->paused, was_unread(sight.json, guarding->paused));
    g_clear_pointer(&guarding->paused, g_free);
    return true;
}

static bool counts_growth(const struct guards_limits *limits)
{
    return !guard_is_none(limits->of[GUARD_GROWTH]) || !guard_is_none(limits->of[GUARD_FORECAST]) ||
           !guard_is_none(limits->of[GUARD_AMPLIFICATION]);
}

/* Before anything is written: a process that dies later leaves to the next one from where to count. */
static void keep_growth(struct guarding *guarding, struct catalog *catalog, const struct guards_limits *limits)
{
    g_autoptr(GArray) bases = g_array_new(FALSE, FALSE, sizeof(struct signals_base));
    g_array_set_clear_func(bases, signals_base_clear);
    if (guarding->run && counts_growth(limits))
        guards_bases(guarding->guards, guarding->kept, bases);
    guarding->owes = false;
    for (guint i = 0; i < bases->len && !guarding->owes; i++) {
        const struct signals_base *base = &g_array_index(bases, struct signals_base, i);
        struct growth_base row = {
            .node = base->node, .data_bytes = base->data_bytes, .keys = base->keys, .wrote = base->wrote};
        GError *error = NULL;
        bool ok = catalog_growth_put(catalog, guarding->run, &row, &error);
        guarding->owes = !is_heard(guarding, ok, error);
        guarding->kept += !guarding->owes;
    }
    if (!guarding->owes)
        g_clear_error(&guarding->lost);
}

void guarding_look(struct guarding *guarding, struct catalog *catalog, int64_t now_us)
{
    struct guards_limits limits;
    struct guards_verdict verdict, was = guarding->verdict;
    if (!is_due(&guarding->looked_us, guarding->verdict.ready ? LOOK_US : 0, now_us))
        return;
    guarding->recalled = guarding->recalled || (recall_pause(guarding, catalog) && recall_growth(guarding, catalog));
    if (!guarding->recalled)
        return;
    if (catalog && is_due(&guarding->stop_us, STOP_US, now_us))
        ask_stop(guarding, catalog);
    if (guarding->run && is_due(&guarding->asked_us, ASK_US, now_us))
        ask_turn(guarding, catalog);
    limits_guards(guarding->limits, &limits);
    govern_feed(guarding->govern, guarding->guards, limits.hold_ms * 1000);
    if (guarding->run)
        feed_budget(guarding, catalog, now_us);
    guards_judge(guarding->guards, &limits, &verdict);
    guarding->verdict = verdict;
    if (guarding->stop && guarding_holds(guarding)) /* before anything is written down, or told */
        atomic_store(guarding->stop, true);
    keep_growth(guarding, catalog, &limits);
    bool changed = verdict.level != was.level || g_strcmp0(verdict.name, was.name) != 0;
    set_pace(guarding, changed);
    if (guarding->run && is_due(&guarding->put_us, changed || verdict.ready != was.ready ? 0 : PUT_US, now_us))
        put_sight(guarding, catalog);
    if (changed) /* who hears of it and asks for the status finds it there */
        tell(guarding, catalog, &was);
    if (!guarding_holds(guarding))
        g_clear_pointer(&guarding->told, g_free);
    guards_verdict_done(&was);
}

void guarding_look_paced(struct guarding *guarding, struct catalog *catalog, double per_s, int64_t now_us)
{
    guarding->pace_per_s = per_s;
    guarding_look(guarding, catalog, now_us);
}

bool guarding_holds(const struct guarding *guarding)
{
    return guarding->verdict.level >= GUARD_LEVEL_PAUSE && !limits_hurries(guarding->limits);
}

bool guarding_halts(const struct guarding *guarding)
{
    return guarding->verdict.level == GUARD_LEVEL_HALT && guarding_holds(guarding);
}

/* --- pausing ------------------------------------------------------------------------------------------------------ */

bool guarding_pause(const struct guarding *guarding, struct catalog *catalog, const struct run_row *run, GError **error)
{
    const struct guards_verdict *verdict = &guarding->verdict;
    if (run->state == RUN_PAUSED && g_strcmp0(run->guard, verdict->name) == 0)
        return true;
    int64_t now_ms = world_wall_ms(guarding->config->world);
    g_autofree char *source = readable_pause_words(run, limits_source_until_ms(guarding->limits), now_ms, 0);
    g_autofree char *reason = ending_words("guard: %s%s", verdict->words, source);
    struct run_move move = {.run = guarding->run,
                            .from = run->state,
                            .to = RUN_PAUSED,
                            .reason = reason,
                            .guard = verdict->name,
                            .act = guarding->config->act};
    move.act.reason = NULL; /* what was asked for, and why, is another thing */
    return catalog_run_move(catalog, &move, error);
}

/* Whoever writes already is only slowed by what has not held yet; nobody begins. */
bool guarding_may(const struct guarding *guarding)
{
    bool clear = guarding->verdict.ready && !guarding->verdict.beyond && !guarding->owes && !guarding_holds(guarding);
    return clear || limits_hurries(guarding->limits);
}

static bool is_lost(const struct guarding *guarding)
{
    return guarding->lost && guarding->looked_us - guarding->lost_us >= LOST_US;
}

bool guarding_ends(const struct guarding *guarding)
{
    return guarding_halts(guarding) || (!guarding_may(guarding) && is_lost(guarding));
}

bool guarding_is_over(const struct guarding *guarding)
{
    return guarding_may(guarding) || guarding_ends(guarding);
}

/* What a wait for the guards is over by. */
struct waiting {
    struct guarding *guarding;
    const struct hold *hold;
    const char *guard; /* that holds the run; NULL: it waits for first readings */
    bool clears;       /* as the verdict had it */
    atomic_bool stop;
};

static bool is_over(void *self)
{
    const struct waiting *waiting = self;
    const struct guards_verdict *now = &waiting->guarding->verdict;
    const char *guard = guarding_holds(waiting->guarding) ? now->name : NULL;
    bool leaves = waiting->clears && !now->clears; /* for which nobody is to wait */
    return atomic_load(&waiting->stop) || g_strcmp0(guard, waiting->guard) != 0 || leaves ||
           guarding_is_over(waiting->guarding);
}

static void show(void *self, struct watch *watch)
{
    const struct waiting *waiting = self;
    const struct hold *hold = waiting->hold;
    watch_rate_per_s(watch, 0);                                                   /* it has been shown now */
    const char *words = waiting->guard ? waiting->guarding->verdict.words : NULL; /* NULL: it is clear by now */
    g_autofree char *text =
        words ? ending_words("paused by a guard: %s", words) : g_strdup("waiting for what its guards say");
    struct run_event event = {.kind = RUN_EVENT_PROGRESS, .run = &hold->run, .text = text};
    if (hold->run.back_stage == UINT32_MAX &&
        hold->run.state != RUN_PROMOTING) { /* what is counted there, is to come */
        event.done = tally_sum(&hold->run.tally, OUTCOME_KIND_LISTED);
        event.of = hold->run.tally.of[OUTCOME_LISTED_];
    }
    run_tell(hold->config, &event);
}

/* One wait, for one guard. */
static enum guarding_end wait_once(struct hold *hold)
{
    struct guarding *guarding = hold->guarding;
    g_autofree char *guard = guarding_holds(guarding) ? g_strdup(guarding->verdict.name) : NULL;
    struct waiting waiting = {.guarding = guarding, .hold = hold, .guard = guard, .clears = guarding->verdict.clears};
    struct watch watch = {.config = hold->config,
                          .catalog = hold->catalog,
                          .mem = hold->mem,
                          .run = hold->run.id,
                          .limits = &hold->shared.limits,
                          .govern = hold->shared.govern,
                          .guarding = guarding,
                          .back = hold->run.back_stage != UINT32_MAX,
                          .beside = hold->config->superseding,
                          .stop = &waiting.stop,
                          .ended = is_over,
                          .look = show,
                          .self = &waiting};
    watch_until_ended(&watch);
    hold->wish = watch.wish;
    return watch.wish.id ? GUARDING_WISHED : watch.interrupted ? GUARDING_INTERRUPTED : GUARDING_CLEAR;
}

/* What a hard guard says, as an error of that class. */
static void set_halt(const struct guarding *guarding, GError **ret)
{
    error_set(ret, SLUICE_ERROR_HALTED, "guard: %s", guarding->verdict.words);
}

bool guarding_lets(const struct guarding *guarding, GError **error)
{
    if (guarding_halts(guarding))
        set_halt(guarding, error);
    else if (!guarding_may(guarding))
        g_propagate_error(error, g_error_copy(guarding->lost));
    return !guarding_halts(guarding) && guarding_may(guarding);
}

bool guarding_pause_here(struct hold *hold, GError **error)
{
    struct guarding *guarding = hold->guarding;
    if (!hold_reload(hold, error) || !guarding_pause(guarding, hold->catalog, &hold->run, error) ||
        !hold_reload(hold, error))
        return false;
    if (g_strcmp0(guarding->told, hold->run.guard) == 0)
        return true;
    g_free(guarding->told);
    guarding->told = g_strdup(hold->run.guard);
    hold_event(hold, RUN_EVENT_STATE, hold->run.reason);
    return true;
}

enum guarding_end guarding_clear(struct hold *hold, GError **error)
{
    struct guarding *guarding = hold->guarding;
    enum guarding_end end = GUARDING_CLEAR;
    while (end == GUARDING_CLEAR) {
        guarding_look(guarding, hold->catalog, world_monotonic_us(hold->config->world));
        bool holds = guarding_holds(guarding);
        if (guarding_halts(guarding))
            return GUARDING_HALTED;
        if (guarding_is_over(guarding))
            return guarding_lets(guarding, error) ? GUARDING_CLEAR : GUARDING_ERROR;
        if (holds && !guarding_pause_here(hold, error))
            return GUARDING_ERROR;
        bool leaves = hold->config->exit_on_pause && !guarding->verdict.clears;
        end = holds && leaves ? GUARDING_LEFT : wait_once(hold);
    }
    return end;
}

static bool halt(struct hold *hold, struct run_result *ret, GError **error)
{
    GError *failed = NULL;
    set_halt(hold->guarding, &failed);
    return ending_by_failure(hold, failed, ret, error);
}

static bool leave(struct hold *hold, struct run_result *ret)
{
    g_autofree char *text = ending_words("%s; the same command goes on then", hold->run.reason);
    hold_result(hold, 3, text, ret);
    return true;
}

bool guarding_wait(struct hold *hold, struct run_result *ret, bool *ret_go, GError **error)
{
    *ret_go = false;
    switch (guarding_clear(hold, error)) {
    case GUARDING_CLEAR:
        *ret_go = true;
        return true;
    case GUARDING_WISHED:
        return ending_by_wish(hold, &hold->wish, ret, error);
    case GUARDING_INTERRUPTED:
        return ending_by_signal(hold, ret, error);
    case GUARDING_LEFT:
        return leave(hold, ret);
    case GUARDING_HALTED:
        return halt(hold, ret, error);
    case GUARDING_ERROR:
        break;
    }
    return false;
}
