#include "run/gate.h"

#include "base/hex.h"
#include "base/hours.h"
#include "base/units.h"
#include "run/again.h"
#include "run/check.h"
#include "run/ending.h"
#include "run/pauser.h"
#include "run/readable.h"
#include "run/tell.h"

/* One stage on its way; what its functions share. */
struct gate {
    struct hold *hold;
    const struct plan_stage *plan; /* as frozen */
    struct stage_row row;          /* as it stands now */
    struct run_result *ret;
};

/* How a step of the gate came out. */
enum gate_step { GATE_ON, GATE_STOPPED, GATE_ERROR, GATE_AGAIN /* a server lost what was written */ };

static enum gate_step stopped(bool recorded)
{
    return recorded ? GATE_STOPPED : GATE_ERROR;
}

static bool reload(struct gate *gate, GError **error)
{
    struct stage_row *rows;
    size_t n;
    if (!catalog_stages(gate->hold->catalog, gate->hold->run.id, gate->hold->mem, &rows, &n, error))
        return false;
    gate->row = rows[gate->row.stage];
    return true;
}

static bool move(struct gate *gate, struct stage_move move, GError **error)
{
    move.run = gate->hold->run.id;
    move.stage = gate->row.stage;
    move.act = hold_act(gate->hold);
    if (gate->row.state == move.to)
        return true;
    return catalog_stage_move(gate->hold->catalog, &move, error) && reload(gate, error);
}

static void tell(const struct gate *gate, const char *words)
{
    g_autofree char *text = ending_words("stage %s: %s", gate->row.name, words);
    hold_event(gate->hold, RUN_EVENT_STAGE, text);
}

/* --- waiting for a moment ----------------------------------------------------------------------------------------- */

struct until {
    struct gate *gate;
    int64_t ms;                /* by the wall clock */
    const char *text;          /* what the run does meanwhile */
    bool at_gate;              /* a denial ends it */
    bool (*ended)(void *self); /* NULL: when `ms` has come */
    void *self;
    atomic_bool stop;
};

static bool until_ended(void *self)
{
    struct until *until = self;
    if (atomic_load(&until->stop))
        return true;
    return until->ended ? until->ended(until->self) : world_wall_ms(until->gate->hold->config->world) >= until->ms;
}

static void until_look(void *self, struct watch *watch)
{
    struct until *until = self;
    const struct hold *hold = until->gate->hold;
    watch_rate_per_s(watch, 0); /* it has been shown now */
    struct run_event event = {.kind = RUN_EVENT_PROGRESS,
                              .run = &hold->run,
                              .done = tally_sum(&hold->run.tally, OUTCOME_KIND_LISTED),
                              .of = hold->run.tally.of[OUTCOME_LISTED_],
                              .text = until->text};
    run_tell(hold->config, &event);
}

static enum gate_step wait_until(struct until *until, GError **error)
{
    struct hold *hold = until->gate->hold;
    struct watch watch = {.config = hold->config,
                          .catalog = hold->catalog,
                          .mem = hold->mem,
                          .run = hold->run.id,
                          .limits = &hold->shared.limits,
                          .govern = hold->shared.govern,
                          .guarding = hold->guarding,
                          .at_gate = until->at_gate,
                          .stop = &until->stop,
                          .ended = until_ended,
                          .look = until_look,
                          .self = until};
    if (hold->config->exit_on_pause && !until->ended && !until_ended(until)) {
        g_autofree char *text = ending_words("%s; the same command goes on then", until->text);
        hold_result(hold, 3, text, until->gate->ret);
        return GATE_STOPPED;
    }
    watch_until_ended(&watch);
    if (watch.wish.kind == WISH_DENY)
        return GATE_ON; /* what was said is read behind the wait */
    if (watch.wish.id)
        return stopped(ending_by_wish(hold, &watch.wish, until->gate->ret, error));
    if (watch.interrupted)
        return stopped(ending_by_signal(hold, until->gate->ret, error));
    return GATE_ON;
}

/* --- what must be heard ------------------------------------------------------------------------------------------- */

struct owed {
    struct gate *gate;
    struct hooks_state state;
};

static bool owed_ended(void *self)
{
    struct owed *owed = self;
    const struct hold *hold = owed->gate->hold;
    hooks_state_done(&owed->state);
    return hooks_look(hold->hooks, hold->catalog, &owed->state, NULL) && (owed->state.clear || owed->state.failed);
}

static enum gate_step pause_for_hook(struct gate *gate, const struct hooks_state *state, GError **error)
{
    struct hold *hold = gate->hold;
    g_autofree char *text =
        ending_words("%s; mend it, then `sluice resume %s` tries it again and goes on, `sluice rollback %s` takes the "
                     "run back",
                     state->failed, hold->run.name, hold->run.name);
    if (!hold_pause(hold, state->hook, text, NULL, error))
        return GATE_ERROR;
    hold_result(hold, 3, text, gate->ret);
    return GATE_STOPPED;
}

/* Nothing goes on before what `must` be heard was heard. */
static enum gate_step wait_for_hooks(struct gate *gate, GError **error)
{
    struct owed owed = {.gate = gate};
    struct until until = {
        .gate = gate, .text = "waiting for a hook that must hear of it", .ended = owed_ended, .self = &owed};
    enum gate_step step = wait_until(&until, error);
    if (step == GATE_ON && owed.state.failed)
        step = pause_for_hook(gate, &owed.state, error);
    hooks_state_done(&owed.state);
    return step;
}

/* --- its source's time -------------------------------------------------------------------------------------------- */

/* Of a wait until then; 0: nobody knows. The caller frees. */
static char *source_words(const struct gate *gate, int64_t goes_on_ms)
{
    struct hold *hold = gate->hold;
    return readable_pause_words(&hold->run, limits_source_until_ms(&hold->shared.limits),
                                world_wall_ms(hold->config->world), goes_on_ms);
}

/* Nothing is written, or judged, by what may be a part of what there was. */
static enum gate_step look_at_source(struct gate *gate, GError **error)
{
    return crew_source_passed(&gate->hold->shared) ? stopped(ending_by_source(gate->hold, gate->ret, error)) : GATE_ON;
}

/* --- hours -------------------------------------------------------------------------------------------------------- */

/* Until the run may write; the hold then says how long. */
static enum gate_step wait_for_hours(struct gate *gate, GError **error)
{
    struct hold *hold = gate->hold;
    const struct spec *spec = hold->plan->spec;
    const struct world *world = hold->config->world;
    struct hours *made = NULL;
    struct hours_span span;
    if (spec->n_hours && !hours_parse(&made, spec->hours, spec->n_hours, error))
        return GATE_ERROR;
    auto_(hours) hours = made;
    hold->closes_ms = 0;
    for (;;) {
        if (!hours)
            return GATE_ON;
        if (!hours_span(hours, world_wall_ms(world), &span)) {
            GError *never = NULL;
            error_set(&never, SLUICE_ERROR_SPEC, "no window of its hours opens within a year");
            return stopped(ending_by_failure(hold, never, gate->ret, error));
        }
        hold->opens_ms = span.from_ms;
        hold->closes_ms = span.to_ms;
        if (world_wall_ms(world) >= span.from_ms)
            return GATE_ON;
        g_autofree char *opens = hours_time(hours, span.from_ms), *source = source_words(gate, span.from_ms);
        g_autofree char *text =
            ending_words("stage %s waits for the hours of the run, which begin %s%s", gate->row.name, opens, source);
        struct until until = {.gate = gate, .ms = span.from_ms, .text = text};
        if (!hold_move(hold, RUN_WAITING, text, NULL, error))
            return GATE_ERROR;
        enum gate_step step = wait_until(&until, error);
        if (step != GATE_ON)
            return step;
    }
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static enum gate_step look_at_limits(struct gate *gate, GError **error)
{
    struct hold *hold = gate->hold;
    if (!hold_reload(hold, error))
        return GATE_ERROR;
    if (!hold->lift_limits)
        hold->limit = crew_limit_passed(&hold->shared, &hold->run.tally, &hold->limit_key);
    return hold->limit ? stopped(ending_by_limit(hold, gate->ret, error)) : GATE_ON;
}

/* A stage that was denied is judged again, all of it. */
static enum gate_step begin_stage(struct gate *gate, GError **error)
{
    if (!hold_parts_move(gate->hold, gate->row.stage, PART_VERIFIED, PART_WRITTEN, error) ||
        !move(gate, (struct stage_move){.to = STAGE_RUNNING}, error))
        return GATE_ERROR;
    return GATE_ON;
}

static enum gate_step begin_running(struct gate *gate, GError **error)
{
    if (!hold_move(gate->hold, RUN_RUNNING, NULL, NULL, error))
        return GATE_ERROR;
    return GATE_ON;
}

static enum gate_step crew_ended(struct gate *gate, enum crew_end end, GError *failed, GError **error)
{
    struct hold *hold = gate->hold;
    switch (end) {
    case CREW_WRITTEN:
        return look_at_limits(gate, error);
    case CREW_SPENT:
        return stopped(ending_by_budget(hold, gate->ret, error));
    case CREW_LIMITED:
        return stopped(ending_by_limit(hold, gate->ret, error));
    case CREW_UNREADABLE:
        return stopped(ending_by_source(hold, gate->ret, error));
    case CREW_WISHED:
        return stopped(ending_by_wish(hold, &hold->wish, gate->ret, error));
    case CREW_INTERRUPTED:
        return stopped(ending_by_signal(hold, gate->ret, error));
    case CREW_CLOSED:  /* goes on when its hours begin again … */
    case CREW_GUARDED: /* … or the guard is clear */
    case CREW_FAILED:
        break;
    }
    return stopped(ending_by_failure(hold, failed, gate->ret, error));
}

/* Until they are clear, which leads to `then`. */
static enum gate_step guarded(struct gate *gate, enum gate_step then, GError **error)
{
    bool go = false;
    if (!guarding_wait(gate->hold, gate->ret, &go, error))
        return GATE_ERROR;
    return go ? then : GATE_STOPPED;
}

static enum gate_step wait_for_guards(struct gate *gate, GError **error)
{
    return guarded(gate, GATE_ON, error);
}

static struct watch watch_of(const struct hold *hold)
{
    return (struct watch){.catalog = hold->catalog,
                          .mem = hold->mem,
                          .run = hold->run.id,
                          .limits = (struct limits *)&hold->shared.limits,
                          .govern = hold->shared.govern,
                          .guarding = hold->guarding};
}

/* Given up because it was asked for, or failed. */
static enum gate_step not_judged(struct gate *gate, const struct watch *watch, GError *failed, GError **error)
{
    struct hold *hold = gate->hold;
    if (!error_is(failed, SLUICE_ERROR_CANCELLED))
        return stopped(ending_by_failure(hold, failed, gate->ret, error));
    g_error_free(failed);
    if (!watch->wish.id && !watch->interrupted) /* by a guard that halts the run, or that nobody waits for */
        return guarded(gate, GATE_AGAIN, error);
    return stopped(watch->wish.id ? ending_by_wish(hold, &watch->wish, gate->ret, error)
                                  : ending_by_signal(hold, gate->ret, error));
}

/* What somebody has wished meanwhile, when nothing was left to stop: it holds all the same. */
static enum gate_step heard(struct gate *gate, const struct watch *watch, GError **error)
{
    return watch->wish.id ? stopped(ending_by_wish(gate->hold, &watch->wish, gate->ret, error)) : GATE_ON;
}

static enum gate_step sample_stage(struct gate *gate, GError **error)
{
    struct hold *hold = gate->hold;
    struct watch watch = watch_of(hold);
    GError *failed = NULL;
    if (!check_sample(hold, gate->row.stage, &watch, &failed))
        return not_judged(gate, &watch, failed, error);
    return heard(gate, &watch, error);
}

/* While what made the old records wrong is at work still, none is repaired. */
static enum gate_step look_for_cause(struct gate *gate, GError **error)
{
    struct hold *hold = gate->hold;
    struct watch watch = watch_of(hold);
    g_autofree char *words = NULL;
    GError *failed = NULL;
    if (!check_cause(hold, &watch, &words, &failed))
        return not_judged(gate, &watch, failed, error);
    if (words)
        tell(gate, words);
    return heard(gate, &watch, error);
}

static enum gate_step measure_first(struct gate *gate, GError **error)
{
    struct hold *hold = gate->hold;
    struct watch watch = watch_of(hold);
    GError *failed = NULL;
    if (!check_measures(hold, &watch, &failed))
        return not_judged(gate, &watch, failed, error);
    return heard(gate, &watch, error);
}

/* What is looked at before the first write of a stage. */
static enum gate_step look_before(struct gate *gate, GError **error)
{
    enum gate_step step = look_for_cause(gate, error);
    if (step == GATE_ON && gate->row.stage == 0)
        step = measure_first(gate, error);
    return step == GATE_ON ? sample_stage(gate, error) : step;
}

typedef enum gate_step way_step(struct gate *gate, GError **error);

/* One after the other, up to NULL, as long as each says to go on. */
static enum gate_step go(struct gate *gate, way_step *const *way, GError **error)
{
    enum gate_step step = GATE_ON;
    while (*way && step == GATE_ON)
        step = (*way++)(gate, error);
    return step;
}

static enum gate_step write_stage(struct gate *gate, GError **error)
{
    static way_step *const BEFORE[] = {wait_for_hours, wait_for_guards, look_at_source, begin_running, wait_for_hooks,
                                       look_before,    begin_stage,     wait_for_hooks, NULL};
    for (;;) {
        GError *failed = NULL;
        enum gate_step step = go(gate, BEFORE, error);
        if (step == GATE_AGAIN)
            continue;
        if (step != GATE_ON)
            return step;
        enum crew_end end = hold_crew(gate->hold, gate->row.stage, &failed);
        if (end != CREW_CLOSED && end != CREW_GUARDED)
            return crew_ended(gate, end, failed, error);
    }
}

/* What was written is there still, or was lost with a server: then the stage is written again, as far as it was. */
static enum gate_step look_again(struct gate *gate, GError **error)
{
    GError *failed = NULL;
    size_t lost;
    if (!again_look(gate->hold, PARTS_FORWARD, &lost, &failed))
        return stopped(ending_by_failure(gate->hold, failed, gate->ret, error));
    if (lost == 0)
        return GATE_ON;
    if (!reload(gate, error))
        return GATE_ERROR;
    return GATE_AGAIN;
}

/* --- judging ------------------------------------------------------------------------------------------------------ */

static void take_verdict(struct gate *gate, const struct verify_result *found)
{
    struct run_result *ret = gate->ret;
    g_free(ret->verdict);
    g_free(ret->verdict_of);
    g_free(ret->verdict_json);
    g_free(ret->report);
    ret->verdict_of = gate->hold->plan->n_stages > 1 ? g_strdup(gate->row.name) : NULL;
    ret->verdict = g_strdup(found->sentence);
    ret->verdict_json = g_strdup(found->json);
    ret->report = g_strdup(found->report_path);
}

static enum gate_step judge(struct gate *gate, struct verify_result *ret, GError **error)
{
    struct hold *hold = gate->hold;
    struct watch watch = watch_of(hold);
    const struct spec_sure *sure = &gate->plan->sure;
    struct check_wish wish = {.stage = gate->row.stage, .sure = {sure->confidence, sure->below, sure->each}};
    GError *failed = NULL;
    if (!move(gate, (struct stage_move){.to = STAGE_VERIFYING}, error) ||
        !hold_move(hold, RUN_VERIFYING, NULL, NULL, error))
        return GATE_ERROR;
    enum gate_step step = look_at_source(gate, error);
    if (step == GATE_ON)
        step = wait_for_hooks(gate, error);
    if (step != GATE_ON)
        return step;
    if (!check_parts(hold, &wish, &watch, ret, &failed))
        return not_judged(gate, &watch, failed, error);
    step = heard(gate, &watch, error);
    if (step != GATE_ON)
        verify_result_done(ret);
    return step;
}

/* What becomes of the run goes together with the stage's own move: who finds the gate failed finds the run paused, or
 * on its way back, whenever a process dies. */
static struct run_move paused_from(const struct run_row *run, const char *reason, const struct act *act)
{
    return (struct run_move){.run = run->id, .from = run->state, .to = RUN_PAUSED, .reason = reason, .act = *act};
}

static bool fail_with(struct gate *gate, const uint8_t report[32], const struct run_move *with, GError **error)
{
    struct stage_move failed = {.to = STAGE_FAILED, .report = report, .details = gate->ret->verdict_json, .with = with};
    if (!move(gate, failed, error) || !hold_reload(gate->hold, error))
        return false;
    hold_event(gate->hold, RUN_EVENT_STATE, with->reason);
    return true;
}

/* `on_failure` other than pause: the stage, or all of the run; of a shadow and of an append-only target always all. */
static enum gate_step fail_back(struct gate *gate, const uint8_t report[32], GError **error)
{
    struct hold *hold = gate->hold;
    bool stage_only = hold->plan->spec->on_failure == ON_FAILURE_ROLLBACK_STAGE && !plan_is_one_piece(hold->plan);
    uint32_t from = stage_only ? gate->row.stage : 0;
    struct run_move back = paused_from(&hold->run, hold->config->act.reason, &hold->config->act);
    back.to = RUN_ROLLING_BACK;
    back.back_stage = &from;
    if (!fail_with(gate, report, &back, error))
        return GATE_ERROR;
    return stopped(takeback_by_failure(hold, stage_only ? gate->row.name : NULL, gate->ret, error));
}

static enum gate_step fail(struct gate *gate, const uint8_t report[32], GError **error)
{
    struct hold *hold = gate->hold;
    g_autofree char *name = g_strconcat(PAUSER_GATE, gate->row.name, NULL);
    g_autofree char *text =
        ending_words("%s failed: %s; the report is %s. A transform that is mended takes over with "
                     "`sluice run SPEC "
                     "--supersede %s`; `sluice rollback %s` takes the run back; `sluice resume %s` verifies again",
                     name, gate->ret->verdict, gate->ret->report ? gate->ret->report : "empty", hold->run.name,
                     hold->run.name, hold->run.name);
    struct run_move paused = paused_from(&hold->run, text, &hold->config->act);
    paused.pauser = name;
    if (hold->plan->spec->on_failure != ON_FAILURE_PAUSE)
        return fail_back(gate, report, error);
    if (!fail_with(gate, report, &paused, error))
        return GATE_ERROR;
    hold_result(hold, 4, text, gate->ret);
    return GATE_STOPPED;
}

static int64_t soak_until_ms(const struct gate *gate)
{
    return gate->plan->soak_ms > 0 ? world_wall_ms(gate->hold->config->world) + gate->plan->soak_ms : 0;
}

/* Verified is final from here on. */
static enum gate_step pass(struct gate *gate, const uint8_t report[32], GError **error)
{
    bool waits = gate->plan->soak_ms > 0 || gate->plan->approve;
    struct stage_move on = {.to = waits ? STAGE_WAITING : STAGE_PASSED,
                            .until_ms = soak_until_ms(gate),
                            .report = report,
                            .details = gate->ret->verdict_json};
    return hold_parts_move(gate->hold, gate->row.stage, PART_WRITTEN, PART_VERIFIED, error) && move(gate, on, error)
               ? GATE_ON
               : GATE_ERROR;
}

/* Keys that the listing does not hold, as a look at the whole source found them. */
static bool keep_appeared(struct gate *gate, const struct verify_result *found, GError **error)
{
    struct hold *hold = gate->hold;
    uint64_t n = found->of[VERIFY_UNVISITED] + found->of[VERIFY_APPEARED];
    return n == hold->run.tally.of[OUTCOME_APPEARED] || catalog_appeared_put(hold->catalog, hold->run.id, n, error);
}

static enum gate_step verify_stage(struct gate *gate, GError **error)
{
    struct verify_result found = {0};
    uint8_t report[32];
    enum gate_step step = judge(gate, &found, error);
    if (step != GATE_ON)
        return step;
    step = look_again(gate, error);
    if (step != GATE_ON) { /* what was judged is not what stands */
        verify_result_done(&found);
        return step;
    }
    bool passed = found.pass;
    take_verdict(gate, &found);
    bool kept =
        check_keep_report(gate->hold, gate->row.stage, &found, report, error) && keep_appeared(gate, &found, error);
    verify_result_done(&found);
    if (!kept)
        return GATE_ERROR;
    return passed ? pass(gate, report, error) : fail(gate, report, error);
}

/* --- approval ----------------------------------------------------------------------------------------------------- */

bool gate_deny(const struct gate_denial *denial, char **ret_text, GError **error)
{
    char *text =
        ending_words("stage %s was denied by %s%s%s; `sluice rollback %s` takes the run back, `sluice resume %s` "
                     "verifies the stage again and asks again",
                     denial->stage->name, denial->act.actor, denial->act.reason ? ": " : "",
                     denial->act.reason ? denial->act.reason : "", denial->run->name, denial->run->name);
    struct run_move paused = paused_from(denial->run, text, &denial->act);
    struct stage_move failed = {.run = denial->run->id,
                                .stage = denial->stage->stage,
                                .to = STAGE_FAILED,
                                .with = denial->run->state == RUN_PAUSED ? NULL : &paused, /* somebody's pause stands */
                                .act = denial->act};
    *ret_text = text;
    return catalog_stage_move(denial->catalog, &failed, error);
}

static enum gate_step denied(struct gate *gate, const struct approval *word, GError **error)
{
    struct hold *hold = gate->hold;
    struct gate_denial denial = {.catalog = hold->catalog, .run = &hold->run, .stage = &gate->row, .act = word->act};
    g_autofree char *text = NULL;
    if (!gate_deny(&denial, &text, error) || !hold_reload(hold, error))
        return GATE_ERROR;
    hold_event(hold, RUN_EVENT_STATE, hold->run.reason);
    hold_result(hold, 4, text, gate->ret);
    return GATE_STOPPED;
}

#define REPORT_BYTES 6 /* of the digest, to be copied by hand */

static enum gate_step ask(struct gate *gate, GError **error)
{
    struct hold *hold = gate->hold;
    struct approval word;
    if (!gate->plan->approve)
        return GATE_ON;
    if (!catalog_approval(hold->catalog, &hold->run, &gate->row, hold->mem, &word, error))
        return GATE_ERROR;
    if (word.at_ms && !word.granted)
        return denied(gate, &word, error);
    if (word.at_ms)
        return GATE_ON;
    char report[HEX_TEXT(REPORT_BYTES)];
    g_autofree char *text =
        ending_words("stage %s is verified and waits for the approval of %s: `sluice approve %s --report %s`, or "
                     "`sluice deny %s`; then the same command goes on",
                     gate->row.name, gate->plan->approve, hold->run.name,
                     hex_text(gate->row.report, REPORT_BYTES, report), hold->run.name);
    hold_result(hold, 3, text, gate->ret);
    return GATE_STOPPED;
}

static char *waiting_words(const struct gate *gate)
{
    char until[UNITS_TEXT];
    g_autofree char *source = source_words(gate, gate->plan->approve ? 0 : gate->row.until_ms);
    if (!gate->row.until_ms)
        return ending_words("stage %s waits for the approval of %s%s", gate->row.name, gate->plan->approve, source);
    return ending_words("stage %s soaks until %s%s%s%s", gate->row.name, units_time(gate->row.until_ms, until),
                        gate->plan->approve ? ", then waits for the approval of " : "",
                        gate->plan->approve ? gate->plan->approve : "", source);
}

static enum gate_step begin_waiting(struct gate *gate, GError **error)
{
    g_autofree char *words = waiting_words(gate);
    if (!hold_move(gate->hold, RUN_WAITING, words, NULL, error))
        return GATE_ERROR;
    return GATE_ON;
}

static enum gate_step soak(struct gate *gate, GError **error)
{
    g_autofree char *words = waiting_words(gate);
    struct until until = {.gate = gate, .ms = gate->row.until_ms, .text = words, .at_gate = true};
    return gate->row.until_ms ? wait_until(&until, error) : GATE_ON;
}

static enum gate_step let_pass(struct gate *gate, GError **error)
{
    if (!move(gate, (struct stage_move){.to = STAGE_PASSED}, error))
        return GATE_ERROR;
    return GATE_ON;
}

static enum gate_step wait_stage(struct gate *gate, GError **error)
{
    static way_step *const WAY[] = {begin_waiting, wait_for_hooks, soak, ask, let_pass, NULL};
    return go(gate, WAY, error);
}

/* --- the whole way ------------------------------------------------------------------------------------------------ */

static enum gate_step drive(struct gate *gate, GError **error)
{
    enum gate_step step = wait_for_hooks(gate, error);
    if (step == GATE_ON && gate->row.state != STAGE_WAITING)
        step = GATE_AGAIN;
    while (step == GATE_AGAIN) {
        step = write_stage(gate, error);
        if (step == GATE_ON)
            step = look_again(gate, error);
        if (step == GATE_ON)
            step = verify_stage(gate, error);
    }
    if (step == GATE_ON && gate->row.state == STAGE_WAITING)
        step = wait_stage(gate, error);
    if (step == GATE_ON)
        tell(gate, gate->ret->verdict ? gate->ret->verdict : "passed");
    return step == GATE_ON ? wait_for_hooks(gate, error) : step;
}

bool gate_drive(struct hold *hold, const struct stage_row *stage, struct run_result *ret, bool *ret_passed,
                GError **error)
{
    struct gate gate = {.hold = hold, .plan = &hold->plan->stages[stage->stage], .row = *stage, .ret = ret};
    enum gate_step step = drive(&gate, error);
    *ret_passed = step == GATE_ON;
    return step != GATE_ERROR;
}
