/* Beginning a run: finding the unfinished one, or planning a new one. */
#include <jansson.h>

#include "base/file.h"
#include "base/units.h"
#include "catalog/ledger.h"
#include "plan/home.h"
#include "plan/plan_file.h"
#include "plan/texts.h"
#include "run/after.h"
#include "run/earlier.h"
#include "run/ending.h"
#include "run/limits.h"
#include "run/planning.h"
#include "run/retry.h"
#include "run/rights.h"
#include "run/supersede.h"
#include "run/tell.h"
#include "run/watch.h"

/* --- beginning
 * -------------------------------------------------------------------------------------------------------- */

/* What a new run is made of; the arrays are the caller's. */
struct pieces {
    GArray *parts, *stages, *hooks;
};

static struct run_new run_new_of(const struct plan *plan, const struct run_config *config, const struct pieces *pieces)
{
    GArray *parts = pieces->parts, *stages = pieces->stages, *hooks = pieces->hooks;
    struct run_new new = {.spec_name = plan->spec->name,
                          .digests = plan->digests,
                          .plan = plan->text,
                          .target = plan->target_name,
                          .stages = (const struct stage_new *)(void *)stages->data,
                          .n_stages = stages->len,
                          .parts = (const struct part_new *)(void *)parts->data,
                          .n_parts = parts->len,
                          .hooks = (const struct hook_new *)(void *)hooks->data,
                          .n_hooks = hooks->len,
                          .listed = plan->n_listed,
                          .duplicates = plan->duplicates,
                          .act = config->act};
    memcpy(new.uid, plan->uid, sizeof new.uid);
    return new;
}

static bool create(struct catalog *catalog, const struct run_config *config, const struct plan *plan,
                   struct run_result *ret, GError **error)
{
    g_autoptr(GArray) parts = g_array_new(FALSE, TRUE, sizeof(struct part_new));
    g_autoptr(GArray) stages = g_array_new(FALSE, TRUE, sizeof(struct stage_new));
    g_autoptr(GArray) hooks = g_array_new(FALSE, TRUE, sizeof(struct hook_new));
    for (size_t i = 0; i < plan->n_parts; i++) {
        struct part_new part = {.part = (uint32_t)i,
                                .stage = plan->parts[i].stage,
                                .bounds = plan->parts[i].bounds,
                                .records = plan->parts[i].records,
                                .turn = plan->parts[i].turn};
        g_array_append_val(parts, part);
    }
    for (size_t i = 0; i < plan->n_stages; i++) {
        struct stage_new stage = {.name = plan->stages[i].name};
        g_array_append_val(stages, stage);
    }
    for (size_t i = 0; i < plan->spec->n_hooks; i++) {
        struct hook_new hook = {.events = plan->spec->hooks[i].events, .must = plan->spec->hooks[i].must};
        g_array_append_val(hooks, hook);
    }
    struct pieces pieces = {.parts = parts, .stages = stages, .hooks = hooks};
    struct run_new new = run_new_of(plan, config, &pieces);
    g_autofree char *spec_path = g_canonicalize_filename(plan->spec->path, NULL);
    new.spec_path = spec_path;
    json_t *said = plan_said_json(plan);
    char *details = said ? json_dumps(said, JSON_COMPACT) : NULL;
    json_decref(said);
    new.details = details;
    ret->mem = arena_new(1 << 20);
    bool made = plan_texts_keep_durable(plan, error) && catalog_run_create(catalog, &new, ret->mem, &ret->run, error);
    free(details);
    return made;
}

/* Both ways out of a bad run, and the two others. */
static bool stands(const struct plan *plan, const struct run_row *other, GError **error)
{
    g_autofree char *supersede =
        supersede_may(other, NULL)
            ? ending_words("take its writes back before yours (`sluice run %s --supersede %s`), ", plan->spec->path,
                           other->name)
            : g_strdup("");
    return error_set(
        error, SLUICE_ERROR_REFUSED,
        "%s: the writes of %s (%s) stand on %s; go on with it (`sluice resume %s`), take it back (`sluice rollback "
        "%s`), %sor let its writes stand (`sluice abort %s`) first",
        plan->spec->name, other->name, run_state_word(other->state), plan->target_name, other->name, other->name,
        supersede, other->name);
}

static bool same_target(const struct plan *plan, const struct run_row *old, GError **error)
{
    return !plan->supersedes || strcmp(old->target, plan->target_name) == 0 ||
           error_set(error, SLUICE_ERROR_REFUSED,
                     "%s writes %s, and %s would write %s: only a run on the same dataset can be superseded", old->name,
                     old->target, plan->spec->name, plan->target_name);
}

/* While a run's writes are neither complete nor rolled back, no other plan writes its dataset, but for one that takes
 * them back first. */
static bool target_is_free(struct catalog *catalog, const struct plan *plan, const struct run_row *old,
                           struct arena *mem, GError **error)
{
    struct run_row other = {0};
    if (!same_target(plan, old, error) || !catalog_run_on_target(catalog, plan->target_name, mem, &other, error))
        return false;
    return other.id == 0 || (plan->supersedes && other.id == old->id) || stands(plan, &other, error);
}

static bool came_to_nothing(enum run_state state)
{
    return state == RUN_ABORTED || state == RUN_ROLLED_BACK;
}

/* The newest run of all that the spec speaks of; n: none. One that was given up, or taken back, hides none before it,
 * whose writes stand: they are not to be transformed once more because of it. */
static bool newest_whole(struct catalog *catalog, const char *spec_name, const struct run_row *runs, size_t n,
                         size_t *ret, GError **error)
{
    auto_(arena) mem = arena_new(64 << 20);
    struct plan_retries *theirs;
    size_t i = 0;
    for (; i < n; i++) {
        if (strcmp(runs[i].spec_name, spec_name) != 0 || came_to_nothing(runs[i].state))
            continue;
        arena_reset(mem);
        if (!plan_retries_read(catalog, &runs[i], mem, &theirs, error))
            return false;
        if (!theirs)
            break;
    }
    *ret = i;
    return true;
}

/* The newest run of the spec, where it is done, of these digests, and not to be applied a second time unasked: on its
 * own source, where the transform is not idempotent; to an append-only target, where all would stand there twice. */
static bool done_before(struct catalog *catalog, const struct spec *spec, const struct plan_digests *digests,
                        struct arena *mem, struct run_row *ret, GError **error)
{
    struct run_row *runs;
    size_t n, i = 0;
    struct plan_was was;
    if (!catalog_runs(catalog, mem, &runs, &n, error) || !newest_whole(catalog, spec->name, runs, n, &i, error))
        return false;
    if (i == n || runs[i].state != RUN_DONE || memcmp(runs[i].digests.spec, digests->spec, 32) != 0 ||
        memcmp(runs[i].digests.contract, digests->contract, 32) != 0 ||
        memcmp(runs[i].digests.transform, digests->transform, 32) != 0)
        return true;
    if (!plan_was_read(catalog, &runs[i], mem, &was, error))
        return false;
    if (was.sink || (was.same_dataset && !spec->transform.idempotent))
        *ret = runs[i];
    return true;
}

static bool is_open(enum run_state state)
{
    return !run_state_over(state);
}

static bool has_ended(enum run_state state)
{
    return state == RUN_DONE;
}

/* Of what is retried, the run that is at it, or was: it is not done a second time. */
static bool find_retry(struct catalog *catalog, const struct run_config *config, const struct spec *spec,
                       const struct plan_digests *digests, struct run_result *ret, GError **error)
{
    struct retry_wish open = {.spec_name = spec->name, .digests = digests, .fits = is_open};
    struct retry_wish ended = {.spec_name = spec->name, .digests = digests, .fits = has_ended};
    if (!retry_find(catalog, config, &open, ret->mem, &ret->run, error))
        return false;
    return ret->run.id != 0 || !config->retry || config->again ||
           retry_find(catalog, config, &ended, ret->mem, &ret->run, error);
}

/* One that retries something is another run than that of the whole spec. */
static bool find_open(struct catalog *catalog, const struct run_config *config, const struct spec *spec,
                      const struct plan_digests *digests, struct run_result *ret, GError **error)
{
    struct plan_retries *theirs = NULL;
    if (config->retry)
        return find_retry(catalog, config, spec, digests, ret, error);
    if (!catalog_run_unfinished(catalog, spec->name, digests, ret->mem, &ret->run, error) ||
        (ret->run.id != 0 && !plan_retries_read(catalog, &ret->run, ret->mem, &theirs, error)))
        return false;
    return !theirs || find_retry(catalog, config, spec, digests, ret, error);
}

static bool find_run(struct catalog *catalog, const struct run_config *config, const struct spec *spec,
                     const struct plan_digests *digests, struct run_result *ret, GError **error)
{
    if (!find_open(catalog, config, spec, digests, ret, error))
        return false;
    return ret->run.id != 0 || config->again || config->retry ||
           done_before(catalog, spec, digests, ret->mem, &ret->run, error);
}

/* --- planning, watched
 * ------------------------------------------------------------------------------------------------ */

struct planning {
    const struct run_config *config;
    struct plan_config plan_config;
    struct spec *spec;
    struct plan **ret;
    struct planning_pace pace;
    bool told;                  /* that something is measured */
    _Atomic(const char *) what; /* words of plan/: they live for ever */
    atomic_uint_fast64_t done;
};

static void on_planning(void *self, const char *what, uint64_t done, uint64_t of)
{
    struct planning *planning = self;
    atomic_store(&planning->what, what);
    atomic_store(&planning->done, done);
    planning_heed(&planning->pace);
}

static void tell_measuring(struct planning *planning)
{
    struct run_event event = {.kind = RUN_EVENT_NOTE,
                              .text = "the live latency is measured before anything is listed, for a few seconds"};
    if (planning->told || !atomic_load(&planning->pace.measures))
        return;
    run_tell(planning->config, &event);
    planning->told = true;
}

static void show_planning(void *self, struct watch *watch)
{
    struct planning *planning = self;
    tell_measuring(planning);
    const char *what = atomic_load(&planning->what);
    uint64_t done = atomic_load(&planning->done);
    planning_tell_held(&planning->pace);
    if (!what)
        return; /* nothing has been counted yet */
    struct run_event event = {
        .kind = RUN_EVENT_PROGRESS, .done = done, .records_per_s = watch_rate_per_s(watch, done), .text = what};
    run_tell(planning->config, &event);
}

static bool make(void *self, GError **error)
{
    struct planning *planning = self;
    return plan_make(planning->ret, &planning->plan_config, planning->spec, error);
}

/* Runs that the new one has to do with. */
struct others {
    struct supersede supersede;
    struct retry retry;
};

/* The spec is taken over on success. */
static bool plan_watched(const struct run_config *config, struct spec *spec, const struct others *others,
                         struct plan **ret, GError **error)
{
    const struct supersede *supersede = &others->supersede;
    atomic_bool stop = false;
    struct planning planning = {.config = config, .plan_config = hold_plan_config(config), .spec = spec, .ret = ret};
    struct watch watch = {.config = config, .stop = &stop, .look = show_planning, .self = &planning};
    planning.plan_config.supersedes = supersede->old.name;
    planning.plan_config.deleted = supersede->deleted.keys;
    planning.plan_config.n_deleted = supersede->deleted.n;
    planning.plan_config.retry = others->retry.plan.run ? &others->retry.plan : NULL;
    planning.plan_config.around = &planning.pace.around;
    planning.plan_config.cancel = &stop;
    planning.plan_config.progress = on_planning;
    planning.plan_config.progress_self = &planning;
    planning_pace_init(&planning.pace, config);
    planning.pace.stop = &stop;
    bool made = watch_work(&watch, make, error);
    if (!made)
        planning_say_left(&planning.pace, error);
    planning_pace_done(&planning.pace);
    return made || (watch.interrupted &&
                    error_add(error, "interrupted while it was being planned; the same command begins anew"));
}

/* What a guard is to hold the target's growth against is frozen with the plan. */
static bool make_forecast(const struct run_config *config, struct plan *io, struct catalog *catalog,
                          struct forecast *ret, GError **error)
{
    return forecast_make(config, io, catalog, ret, error) &&
           (!plan_wants_forecast(io) || plan_put_forecast(io, ret->more_keys, ret->more_bytes, error));
}

static bool tell(const struct run_config *config, struct plan *plan, struct catalog *catalog, GError **error)
{
    struct forecast forecast;
    if (!config->planned && !plan_wants_forecast(plan))
        return true;
    if (!make_forecast(config, plan, catalog, &forecast, error))
        return false;
    if (config->planned)
        config->planned(config->planned_self, plan, &forecast);
    return true;
}

/* The newest run of the spec, where it is done and what it wrote is what this plan would transform in turn. */
static bool transformed_before(struct catalog *catalog, const struct plan *plan, struct arena *mem, struct run_row *ret,
                               GError **error)
{
    struct run_row *runs;
    size_t n, i = 0;
    if (!plan->same_dataset || plan->spec->transform.idempotent || plan->supersedes || plan->retries)
        return true;
    if (!catalog_runs(catalog, mem, &runs, &n, error) || !newest_whole(catalog, plan->spec->name, runs, n, &i, error))
        return false;
    if (i < n && runs[i].state == RUN_DONE && runs[i].tally.of[OUTCOME_WRITTEN] > 0)
        *ret = runs[i];
    return true;
}

/* Whoever mends a transform and forgets --supersede would have both of them applied. */
static bool warn(const struct run_config *config, struct catalog *catalog, const struct plan *plan, struct arena *mem,
                 GError **error)
{
    struct run_row old = {0};
    if (config->again || !config->event)
        return true;
    if (!transformed_before(catalog, plan, mem, &old, error))
        return false;
    g_autofree char *text =
        g_strdup_printf("%s is done, and this run transforms what it wrote once more; `sluice run %s --supersede %s` "
                        "would take that back first",
                        old.name, plan->spec->path, old.name);
    struct run_event event = {.kind = RUN_EVENT_NOTE, .text = text};
    if (old.id)
        run_tell(config, &event);
    return true;
}

static bool source_is_there(const struct run_config *config, const struct plan *plan, GError **error)
{
    char until[UNITS_TEXT];
    int64_t until_ms = plan->limits.source_until_ms;
    if (!until_ms || world_wall_ms(config->world) < until_ms)
        return true;
    g_autofree char *place = spec_place(plan->spec, LIMITS_UNTIL);
    return error_set(error, SLUICE_ERROR_REFUSED,
                     "%s: " LIMITS_UNTIL ": the source could be read until %s, which has passed: a run would take what "
                     "is left of it for all there is; if it can still be read, say until when",
                     place, units_time(until_ms, until));
}

/* Whether the plan may become a run. */
static bool may_freeze(struct catalog *catalog, const struct run_config *config, struct plan *plan,
                       const struct others *others, GError **error)
{
    auto_(arena) mem = arena_new(64 << 20);
    return source_is_there(config, plan, error) && retry_target(&others->retry, plan, error) &&
           rights_may_begin(config, catalog, plan, error) &&
           target_is_free(catalog, plan, &others->supersede.old, mem, error) && tell(config, plan, catalog, error) &&
           warn(config, catalog, plan, mem, error);
}

/* The unfinished run, or what a new one is planned with. */
static bool find(struct catalog *catalog, const struct run_config *config, const struct spec *spec, struct others *io,
                 struct run_result *ret, GError **error)
{
    auto_(recipe) recipe = NULL;
    struct run_new wish = {.spec_name = spec->name};
    return recipe_read(&recipe, config->world, spec, error) && plan_digests_of(&wish.digests, spec, recipe, error) &&
           find_run(catalog, config, spec, &wish.digests, ret, error) &&
           (!config->supersede || supersede_ask(&io->supersede, config, catalog, &wish, ret, error)) &&
           (!config->retry || ret->run.id != 0 || retry_ask(&io->retry, config, catalog, spec, error));
}

/* What the frozen plan says of other runs. */
static bool relations(struct catalog *catalog, const struct run_config *config, struct run_result *io, GError **error)
{
    return plan_supersedes_read(catalog, &io->run, io->mem, &io->supersedes, error) &&
           plan_retries_read(catalog, &io->run, io->mem, &io->retries, error) &&
           plan_retries_name(io->retries, config->world, config->home, io->run.uid, io->mem, error);
}

/* The plan becomes a run. */
static bool freeze(struct catalog *catalog, const struct run_config *config, const struct plan *plan,
                   struct run_result *ret, GError **error)
{
    if (!create(catalog, config, plan, ret, error))
        return false;
    store_linger(config->registry, plan->target); /* whoever drives it opens it next */
    return true;
}

static bool begin_new(struct catalog *catalog, const struct run_config *config, struct spec *spec,
                      const struct others *others, struct run_result *ret, GError **error)
{
    auto_(plan) plan = NULL;
    if (!after_wait(config, catalog, spec, error) || !earlier_must(config, catalog, spec, error) ||
        !plan_watched(config, spec, others, &plan, error))
        return false;
    bool may = may_freeze(catalog, config, plan, others, error);
    if (!may)
        plan_discard(plan, config->world);
    /* Its files stay where the catalog could not record it: it may stand there all the same, once a disk answers again,
     * and then it goes on with them. */
    if (!may || !freeze(catalog, config, plan, ret, error)) {
        plan->spec = NULL; /* still the caller's */
        return false;
    }
    if (relations(catalog, config, ret, error))
        return true;
    plan->spec = NULL;
    return false;
}

bool run_begin(const struct run_config *config, struct spec *spec, struct run_result *ret, bool *ret_new,
               GError **error)
{
    auto_(catalog) catalog = NULL;
    auto_(arena) mem = arena_new(256 << 20);
    struct others others = {.supersede.mem = mem, .retry.mem = mem};
    *ret = (struct run_result){.mem = arena_new(1 << 20)};
    if (!catalog_open(&catalog, config->world, config->home, CATALOG_CREATE, error) ||
        !find(catalog, config, spec, &others, ret, error))
        return false;
    *ret_new = ret->run.id == 0;
    if (*ret_new) {
        g_clear_pointer(&ret->mem, arena_free);
        return begin_new(catalog, config, spec, &others, ret, error);
    }
    if (!relations(catalog, config, ret, error))
        return false;
    spec_free(spec);
    return true;
}

/* Of a plan that has to do with no other run. */
static const struct others NOTHING = {0};

/* --- a plan from a file ------------------------------------------------------------------------------------------- */

static bool find_by_plan(struct catalog *catalog, const uint8_t digest[32], struct run_result *ret, GError **error)
{
    struct run_row *runs;
    size_t n;
    ret->mem = arena_new(64 << 20);
    ret->run = (struct run_row){0};
    if (!catalog_runs(catalog, ret->mem, &runs, &n, error))
        return false;
    for (size_t i = 0; i < n && ret->run.id == 0; i++)
        if (memcmp(runs[i].digests.plan, digest, 32) == 0)
            ret->run = runs[i];
    return true;
}

bool run_begin_file(const struct run_config *config, const char *path, struct run_result *ret, bool *ret_new,
                    GError **error)
{
    auto_(catalog) catalog = NULL;
    auto_(plan_file) file = NULL;
    auto_(plan) plan = NULL;
    struct plan_config plan_config = hold_plan_config(config);
    *ret = (struct run_result){0};
    if (!plan_file_open(&file, config->world, path, error) ||
        !catalog_open(&catalog, config->world, config->home, CATALOG_CREATE, error) ||
        !find_by_plan(catalog, plan_file_digest(file), ret, error))
        return false;
    *ret_new = ret->run.id == 0;
    if (!*ret_new)
        return true;
    g_clear_pointer(&ret->mem, arena_free);
    return plan_from_file(&plan, &plan_config, file, error) && earlier_must(config, catalog, plan->spec, error) &&
           may_freeze(catalog, config, plan, &NOTHING, error) && freeze(catalog, config, plan, ret, error);
}

/* --- only planning ------------------------------------------------------------------------------------------------ */

static bool keep(const struct run_config *config, const struct plan *plan, const char *path,
                 const struct forecast *forecast, GError **error)
{
    json_t *object = forecast_json(forecast);
    g_autofree char *text = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    return plan_file_write_durable(plan, config->world, path, text, error);
}

/* A home that has no runs yet has none to learn from. */
static bool look_back(const struct run_config *config, struct catalog **ret, GError **error)
{
    g_autofree char *path = g_build_filename(config->home, "catalog.db", NULL);
    return !file_exists(config->world, path) ||
           catalog_open(ret, config->world, config->home, CATALOG_READ_ONLY, error);
}

static bool show(const struct run_config *config, struct plan *plan, const char *path, bool *ret_idle, GError **error)
{
    auto_(catalog) catalog = NULL;
    struct forecast forecast;
    if (!look_back(config, &catalog, error) || !earlier_must(config, catalog, plan->spec, error) ||
        !make_forecast(config, plan, catalog, &forecast, error))
        return false;
    if (path && !keep(config, plan, path, &forecast, error))
        return false;
    *ret_idle = forecast_is_idle(&forecast, plan);
    if (config->planned)
        config->planned(config->planned_self, plan, &forecast);
    return true;
}

static bool ask_retry(const struct run_config *config, const struct spec *spec, struct retry *io, GError **error)
{
    auto_(catalog) catalog = NULL;
    return catalog_open(&catalog, config->world, config->home, CATALOG_READ_ONLY, error) &&
           retry_ask(io, config, catalog, spec, error);
}

bool run_plan(const struct run_config *config, struct spec *spec, const char *path, bool *ret_idle, GError **error)
{
    auto_(plan) plan = NULL;
    auto_(arena) mem = arena_new(256 << 20);
    struct others others = {.retry.mem = mem};
    if ((config->retry && !ask_retry(config, spec, &others.retry, error)) ||
        !plan_watched(config, spec, &others, &plan, error))
        return false;
    bool shown = show(config, plan, path, ret_idle, error);
    if (!shown || !path)
        plan_discard(plan, config->world);
    if (!shown)
        plan->spec = NULL; /* still the caller's */
    return shown;
}
