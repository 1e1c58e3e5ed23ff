/* Driving a run forwards: begin or go on, write, verify, end. */
#include "catalog/ledger.h"
#include "plan/home.h"
#include "run/check.h"

/* --- beginning
 * -------------------------------------------------------------------------------------------------------- */

static struct run_new run_new_of(const struct plan *plan, const struct run_config *config, GArray *parts)
{
    static const struct stage_new WHOLE = {.name = "full"};
    struct run_new new = {.spec_name = plan->spec->name,
                          .digests = plan->digests,
                          .plan = plan->text,
                          .target = plan->target_name,
                          .stages = &WHOLE,
                          .n_stages = 1,
                          .parts = (const struct part_new *)(void *)parts->data,
                          .n_parts = parts->len,
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
    for (size_t i = 0; i < plan->n_parts; i++) {
        struct part_new part = {
            .part = (uint32_t)i, .bounds = plan->parts[i].bounds, .records = plan->parts[i].records};
        g_array_append_val(parts, part);
    }
    struct run_new new = run_new_of(plan, config, parts);
    g_autofree char *spec_path = g_canonicalize_filename(plan->spec->path, NULL);
    new.spec_path = spec_path;
    ret->mem = arena_new(1 << 20);
    return catalog_run_create(catalog, &new, ret->mem, &ret->run, error);
}

/* While a run's writes are neither complete nor rolled back, no other plan writes its dataset. */
static bool target_is_free(struct catalog *catalog, const struct plan *plan, struct arena *mem, GError **error)
{
    struct run_row other = {0};
    if (!catalog_run_on_target(catalog, plan->target_name, mem, &other, error))
        return false;
    if (other.id == 0)
        return true;
    return error_set(
        error, SLUICE_ERROR_REFUSED,
        "%s: the writes of %s (%s) stand on %s; go on with it (`sluice resume %s`), take it back (`sluice rollback "
        "%s`), or let its writes stand (`sluice abort %s`) first",
        plan->spec->name, other.name, run_state_word(other.state), plan->target_name, other.name, other.name,
        other.name);
}

/* The newest run of the spec, where it is done, of these digests, and not to be applied a second time unasked. */
static bool done_before(struct catalog *catalog, const struct spec *spec, const struct plan_digests *digests,
                        struct arena *mem, struct run_row *ret, GError **error)
{
    struct run_row *runs;
    size_t n, i = 0;
    bool same_dataset = false;
    if (spec->transform.idempotent || !catalog_runs(catalog, mem, &runs, &n, error))
        return spec->transform.idempotent;
    while (i < n && strcmp(runs[i].spec_name, spec->name) != 0)
        i++;
    if (i == n || runs[i].state != RUN_DONE || memcmp(runs[i].digests.spec, digests->spec, 32) != 0 ||
        memcmp(runs[i].digests.contract, digests->contract, 32) != 0 ||
        memcmp(runs[i].digests.transform, digests->transform, 32) != 0)
        return true;
    if (!plan_was_same_dataset(catalog, &runs[i], mem, &same_dataset, error))
        return false;
    if (same_dataset)
        *ret = runs[i];
    return true;
}

static bool find_run(struct catalog *catalog, const struct run_config *config, const struct spec *spec,
                     const struct plan_digests *digests, struct run_result *ret, GError **error)
{
    if (!catalog_run_unfinished(catalog, spec->name, digests, ret->mem, &ret->run, error))
        return false;
    return ret->run.id != 0 || config->again || done_before(catalog, spec, digests, ret->mem, &ret->run, error);
}

/* --- planning, watched
 * ------------------------------------------------------------------------------------------------ */

struct planning {
    const struct run_config *config;
    struct plan_config plan_config;
    struct spec *spec;
    struct plan **ret;
    _Atomic(const char *) what; /* words of plan/: they live for ever */
    atomic_uint_fast64_t done;
};

static void on_planning(void *self, const char *what, uint64_t done, uint64_t of)
{
    struct planning *planning = self;
    atomic_store(&planning->what, what);
    atomic_store(&planning->done, done);
}

static void show_planning(void *self, struct watch *watch)
{
    struct planning *planning = self;
    const char *what = atomic_load(&planning->what);
    uint64_t done = atomic_load(&planning->done);
    if (!what)
        return; /* nothing has been counted yet */
    struct run_event event = {
        .kind = RUN_EVENT_PROGRESS, .done = done, .records_per_s = watch_rate_per_s(watch, done), .text = what};
    if (planning->config->event)
        planning->config->event(planning->config->event_self, &event);
}

static bool make(void *self, GError **error)
{
    struct planning *planning = self;
    return plan_make(planning->ret, &planning->plan_config, planning->spec, error);
}

/* The spec is taken over on success. */
static bool plan_watched(const struct run_config *config, struct spec *spec, struct plan **ret, GError **error)
{
    atomic_bool stop = false;
    struct planning planning = {.config = config, .plan_config = hold_plan_config(config), .spec = spec, .ret = ret};
    struct watch watch = {.config = config, .stop = &stop, .look = show_planning, .self = &planning};
    planning.plan_config.cancel = &stop;
    planning.plan_config.progress = on_planning;
    planning.plan_config.progress_self = &planning;
    return watch_work(&watch, make, error) ||
           (watch.interrupted &&
            error_add(error, "interrupted while it was being planned; the same command begins anew"));
}

bool run_begin(const struct run_config *config, struct spec *spec, struct run_result *ret, bool *ret_new,
               GError **error)
{
    auto_(catalog) catalog = NULL;
    auto_(recipe) recipe = NULL;
    auto_(plan) plan = NULL;
    auto_(arena) mem = arena_new(1 << 20);
    struct plan_digests digests;
    *ret = (struct run_result){.mem = arena_new(1 << 20)};
    if (!catalog_open(&catalog, config->world, config->home, CATALOG_CREATE, error) ||
        !recipe_read(&recipe, config->world, spec, error) || !plan_digests_of(&digests, spec, recipe, error) ||
        !find_run(catalog, config, spec, &digests, ret, error))
        return false;
    *ret_new = ret->run.id == 0;
    if (!*ret_new) {
        spec_free(spec);
        return true;
    }
    g_clear_pointer(&ret->mem, arena_free);
    if (!plan_watched(config, spec, &plan, error))
        return false;
    bool created = target_is_free(catalog, plan, mem, error) && create(catalog, config, plan, ret, error);
    if (!created) {
        plan_discard(plan, config->world);
        plan->spec = NULL; /* still the caller's */
    }
    return created;
}

static int done_status(const struct tally *tally)
{
    return tally->of[OUTCOME_REJECTED] || tally->of[OUTCOME_KEPT_LIVE] || tally->of[OUTCOME_IN_DOUBT] ? 8 : 0;
}

/* --- may it go on?
 * ---------------------------------------------------------------------------------------------------- */

static char *say(const char *format, ...) G_GNUC_PRINTF(1, 2);
static char *say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = g_strdup_vprintf(format, args);
    va_end(args);
    return text;
}

/* What stands in the way of going on, with the exit status that says so; NULL: nothing. */
static char *stands_in_the_way(const struct run_row *run, bool resume, int *ret_status)
{
    if (hold_back_parts(run) > 0 && !run_state_over(run->state)) {
        *ret_status = 7;
        return say("%s is being rolled back; continue with `sluice rollback %s`", run->name, run->name);
    }
    switch (run->state) {
    case RUN_PAUSED:
        *ret_status = 3;
        return resume ? NULL
                      : say("paused by %s: %s; continue with `sluice resume %s`", run->actor,
                            run->reason ? run->reason : "no reason given", run->name);
    case RUN_HALTED:
        *ret_status = 5;
        return resume ? NULL
                      : say("halted: %s; look into it, then `sluice resume %s --reason …`",
                            run->reason ? run->reason : "no reason given", run->name);
    case RUN_ROLLING_BACK:
        *ret_status = 7;
        return say("%s is being rolled back; continue with `sluice rollback %s`", run->name, run->name);
    case RUN_DONE:
        *ret_status = done_status(&run->tally);
        return say("%s is done already, by this very plan; `sluice run --again` applies it once more", run->name);
    case RUN_ROLLED_BACK:
    case RUN_ABORTED:
        *ret_status = 7;
        return say("%s is %s", run->name, run_state_word(run->state));
    case RUN_PLANNED:
    case RUN_WAITING:
    case RUN_RUNNING:
    case RUN_VERIFYING:
    case RUN_INTERRUPTED:
    case RUN_PROMOTING:
    case RUN_FAILED:
    case RUN_STATE_COUNT:
        break;
    }
    return NULL;
}

/* Found running although no process holds it: its process died. The ledger says so before anything else happens. */
static bool own_up_to_a_death(struct hold *hold, GError **error)
{
    if (hold->run.state != RUN_RUNNING && hold->run.state != RUN_VERIFYING)
        return true;
    return hold_move(hold, RUN_INTERRUPTED, "its process ended without a word", NULL, error);
}

/* --- ending
 * ----------------------------------------------------------------------------------------------------------- */

static bool end_by_wish(struct hold *hold, const struct wish *wish, struct run_result *ret, GError **error)
{
    g_autofree char *text = say("paused by %s%s%s; continue with `sluice resume %s`", wish->act.actor,
                                wish->act.reason ? ": " : "", wish->act.reason ? wish->act.reason : "", hold->run.name);
    enum run_state to = wish->kind == WISH_PAUSE ? RUN_PAUSED : RUN_ABORTED;
    struct run_move move = {
        .run = hold->run.id, .from = hold->run.state, .to = to, .reason = wish->act.reason, .act = wish->act};
    if (to == RUN_ABORTED && (!hold_settle(hold, error) || !hold_let_go(hold, error)))
        return false;
    if (!catalog_run_move(hold->catalog, &move, error) || !hold_reload(hold, error))
        return false;
    hold_event(hold, RUN_EVENT_STATE, hold->run.reason);
    hold_result(hold, 3, to == RUN_PAUSED ? text : "aborted: what was written stands", ret);
    return true;
}

static bool end_by_signal(struct hold *hold, struct run_result *ret, GError **error)
{
    if (!hold_move(hold, RUN_INTERRUPTED, "stopped by a signal", NULL, error))
        return false;
    hold_result(hold, 3, "interrupted; everything in flight is checkpointed: the same command goes on", ret);
    return true;
}

/* By the exit status of what went wrong: 5 is a hard guard, everything else may be tried again. */
static bool end_by_failure(struct hold *hold, GError *failed, struct run_result *ret, GError **error)
{
    int status = error_exit_status(failed);
    enum run_state to = status == 5 ? RUN_HALTED : RUN_FAILED;
    if (error_is(failed, SLUICE_ERROR_CANCELLED) || error_is(failed, SLUICE_ERROR_INTERRUPTED))
        to = RUN_INTERRUPTED;
    bool moved = hold_move(hold, to, failed->message, NULL, NULL);
    bool has_way = to == RUN_INTERRUPTED || strstr(failed->message, "`sluice ");
    g_autofree char *text = has_way ? g_strdup(failed->message)
                                    : say("%s; once that is mended, `sluice resume %s --reason …` goes on, and `sluice "
                                          "rollback %s` takes the run back",
                                          failed->message, hold->run.name, hold->run.name);
    hold_result(hold, status, text, ret);
    if (!moved) /* what went wrong keeps its exit status: a halt must not look like something to try again */
        error_set(error, (enum error_code)failed->code, "%s; and the catalog could not record it", text);
    g_error_free(failed);
    return moved;
}

/* Every listed key in exactly one word, or the run is not done. */
static bool reconcile(struct hold *hold, GError **error)
{
    const struct tally *tally = &hold->run.tally;
    if (tally_reconciles(tally))
        return true;
    return error_set(error, SLUICE_ERROR_INTERNAL,
                     "finished, but data is missing: %" G_GUINT64_FORMAT " keys were listed and %" G_GUINT64_FORMAT
                     " are accounted for",
                     tally->of[OUTCOME_LISTED_], tally_sum(tally, OUTCOME_KIND_LISTED));
}

static bool finish(struct hold *hold, struct run_result *ret, GError **error)
{
    g_autoptr(GError) failed = NULL;
    if (!hold_reload(hold, error))
        return false;
    if (!reconcile(hold, &failed))
        return end_by_failure(hold, g_steal_pointer(&failed), ret, error);
    if (!hold_let_go(hold, error) || !hold_move(hold, RUN_DONE, NULL, ret->verdict_json, error))
        return false;
    hold_result(hold, done_status(&hold->run.tally), NULL, ret);
    return true;
}

/* --- the stage
 * -------------------------------------------------------------------------------------------------------- */

/* There is one stage. Where it stands already, nothing is moved: a resume finds it as its predecessor left it. */
static bool stage_move(struct hold *hold, enum stage_state to, const char *details, GError **error)
{
    struct stage_row *stages;
    size_t n;
    struct stage_move move = {.run = hold->run.id, .stage = 0, .to = to, .details = details, .act = hold->config->act};
    return catalog_stages(hold->catalog, hold->run.id, hold->mem, &stages, &n, error) &&
           (stages[0].state == to || catalog_stage_move(hold->catalog, &move, error));
}

static bool stage_passed(struct hold *hold, bool *ret, GError **error)
{
    struct stage_row *stages;
    size_t n;
    if (!catalog_stages(hold->catalog, hold->run.id, hold->mem, &stages, &n, error))
        return false;
    *ret = stages[0].state == STAGE_PASSED;
    return true;
}

static bool parts_verified(struct hold *hold, GError **error)
{
    struct part_row *rows;
    size_t n;
    g_autoptr(GArray) parts = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    struct parts_of of = {.run = hold->run.id, .stage = UINT32_MAX};
    if (!catalog_parts(hold->catalog, &of, hold->mem, &rows, &n, error))
        return false;
    for (size_t i = 0; i < n; i++)
        if (rows[i].state == PART_WRITTEN)
            g_array_append_val(parts, rows[i].part);
    return parts->len == 0 || catalog_parts_move(hold->catalog, hold->run.id, (const uint32_t *)(void *)parts->data,
                                                 parts->len, PART_VERIFIED, error);
}

static bool keep_report(struct hold *hold, const struct verify_result *result, GError **error)
{
    struct report_row report = {.run = hold->run.id,
                                .at_ms = world_wall_ms(hold->config->world),
                                .stage = UINT32_MAX,
                                .verdict = result->pass ? "pass" : "fail",
                                .path = result->report_path,
                                .summary = slice_of_text(result->json)};
    return catalog_report_add(hold->catalog, &report, error);
}

/* `on_failure: rollback`: with one stage, both ways of it take all of the run back. */
static bool fail_back(struct hold *hold, struct run_result *ret, GError **error)
{
    if (!takeback_drive(hold, NULL, ret, error))
        return false;
    if (hold->run.state == RUN_ROLLED_BACK)
        ret->exit_status = 4;
    return true;
}

static bool gate_failed(struct hold *hold, struct run_result *ret, GError **error)
{
    g_autofree char *text =
        say("verification failed: %s; the report is %s. `sluice resume %s` verifies again, `sluice rollback "
            "%s` takes the run back",
            ret->verdict, ret->report, hold->run.name, hold->run.name);
    if (!stage_move(hold, STAGE_FAILED, ret->verdict_json, error))
        return false;
    if (hold->plan->spec->on_failure != ON_FAILURE_PAUSE)
        return fail_back(hold, ret, error);
    if (!hold_move(hold, RUN_PAUSED, text, NULL, error))
        return false;
    hold_result(hold, 4, text, ret);
    return true;
}

static bool verify_stage(struct hold *hold, struct watch *watch, struct run_result *ret, bool *ret_pass, GError **error)
{
    struct verify_result result = {0};
    struct check_wish wish = {.stage = UINT32_MAX};
    *watch = (struct watch){.catalog = hold->catalog, .mem = hold->mem, .run = hold->run.id};
    if (!stage_move(hold, STAGE_VERIFYING, NULL, error) || !hold_move(hold, RUN_VERIFYING, NULL, NULL, error) ||
        !check_parts(hold, &wish, watch, &result, error))
        return false;
    bool kept = keep_report(hold, &result, error);
    ret->verdict = g_strdup(result.sentence);
    ret->verdict_json = g_strdup(result.json);
    ret->report = g_strdup(result.report_path);
    *ret_pass = result.pass;
    verify_result_done(&result);
    return kept;
}

/* Given up because it was asked for, or failed. */
static bool gate_not_judged(struct hold *hold, const struct watch *watch, GError *failed, struct run_result *ret,
                            GError **error)
{
    bool cancelled = error_is(failed, SLUICE_ERROR_CANCELLED);
    if (!cancelled || (!watch->wish.id && !watch->interrupted))
        return end_by_failure(hold, failed, ret, error);
    g_error_free(failed);
    return watch->wish.id ? end_by_wish(hold, &watch->wish, ret, error) : end_by_signal(hold, ret, error);
}

static bool pass_gate(struct hold *hold, struct run_result *ret, GError **error)
{
    bool pass;
    struct watch watch;
    GError *failed = NULL;
    if (!verify_stage(hold, &watch, ret, &pass, &failed))
        return gate_not_judged(hold, &watch, failed, ret, error);
    if (!pass)
        return gate_failed(hold, ret, error);
    return stage_move(hold, STAGE_PASSED, ret->verdict_json, error) && parts_verified(hold, error) &&
           finish(hold, ret, error);
}

/* A limit of `protect` that only a person may lift. */
static bool end_by_limit(struct hold *hold, struct run_result *ret, GError **error)
{
    g_autofree char *text =
        say("%s; look into them, then `sluice resume %s` goes on in spite of it, `sluice rollback %s` takes "
            "the run back",
            hold->limit, hold->run.name, hold->run.name);
    if (!hold_move(hold, RUN_PAUSED, text, NULL, error))
        return false;
    hold_result(hold, 3, text, ret);
    return true;
}

static bool end_of_stage(struct hold *hold, struct run_result *ret, GError **error)
{
    if (!hold_reload(hold, error))
        return false;
    if (!hold->lift_limits)
        hold->limit = crew_limit_passed(&hold->job, &hold->run.tally);
    return hold->limit ? end_by_limit(hold, ret, error) : pass_gate(hold, ret, error);
}

static bool drive(struct hold *hold, struct run_result *ret, GError **error)
{
    GError *failed = NULL;
    bool passed;
    job_init_forward(&hold->job, hold->plan, &hold->run);
    if (!hold_move(hold, RUN_RUNNING, NULL, NULL, error) || !stage_passed(hold, &passed, error))
        return false;
    if (passed) /* died between the gate and the end */
        return hold_move(hold, RUN_VERIFYING, NULL, NULL, error) && parts_verified(hold, error) &&
               finish(hold, ret, error);
    if (!check_sample(hold, 0, &failed))
        return end_by_failure(hold, failed, ret, error);
    if (!stage_move(hold, STAGE_RUNNING, NULL, error))
        return false;
    switch (hold_crew(hold, 0, &failed)) {
    case CREW_WRITTEN:
        return end_of_stage(hold, ret, error);
    case CREW_LIMITED:
        return end_by_limit(hold, ret, error);
    case CREW_WISHED:
        return end_by_wish(hold, &hold->wish, ret, error);
    case CREW_INTERRUPTED:
        return end_by_signal(hold, ret, error);
    case CREW_FAILED:
        return end_by_failure(hold, failed, ret, error);
    }
    return false;
}

bool run_forward(const struct run_config *config, const char *name, bool resume, struct run_result *ret, GError **error)
{
    auto_(hold) hold = NULL;
    int status = 0;
    if (!hold_take(&hold, config, name, error))
        return false;
    g_autofree char *way = stands_in_the_way(&hold->run, resume, &status);
    if (way) {
        hold_result(hold, status, way, ret);
        return true;
    }
    hold->lift_limits = resume;
    return hold_open(hold, HOLD_FORWARD, error) && own_up_to_a_death(hold, error) && drive(hold, ret, error);
}

bool run_verify(const struct run_config *config, const char *name, struct verify_result *ret, GError **error)
{
    auto_(hold) hold = NULL;
    struct check_wish wish = {.stage = UINT32_MAX, .verified_too = true};
    struct watch watch = {0}; /* without a catalog: a wish is for whoever goes on with the run */
    return hold_take(&hold, config, name, error) && hold_open(hold, HOLD_LOOK, error) &&
           check_parts(hold, &wish, &watch, ret, error) && keep_report(hold, ret, error);
}
