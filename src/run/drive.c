/* Driving a run forwards: stage after stage, each through its gate. */
#include "run/after.h"
#include "run/again.h"
#include "run/check.h"
#include "run/ending.h"
#include "run/gate.h"
#include "run/supersede.h"

/* --- may it go on? ------------------------------------------------------------------------------------------------ */

/* Stages that are taken back, or are being: there is no way forwards from there. */
static char *way_is_back(const struct run_row *run, int *ret_status)
{
    *ret_status = 7;
    return ending_words(
        "%s: stages of it are taken back, or are being; `sluice rollback %s` takes back the rest, `sluice "
        "abort %s` lets the others stand",
        run->name, run->name, run->name);
}

/* What stands in the way of going on, with the exit status that says so; NULL: nothing. */
static char *stands_in_the_way(const struct run_row *run, bool resume, int *ret_status)
{
    if (run->back_stage != UINT32_MAX && !run_state_over(run->state))
        return way_is_back(run, ret_status);
    switch (run->state) {
    case RUN_PAUSED:
        if (run->guard)
            return NULL; /* as soon as it is clear */
        *ret_status = 3;
        return resume ? NULL : ending_paused_words(run);
    case RUN_HALTED:
        *ret_status = 5;
        return resume ? NULL
                      : ending_words("halted: %s; look into it, then `sluice resume %s --reason …`",
                                     ending_reason_of(run), run->name);
    case RUN_DONE:
        *ret_status = run_done_status(run);
        return ending_words("%s is done already, by this very plan; `sluice run --again` applies it once more",
                            run->name);
    case RUN_ROLLED_BACK:
    case RUN_ABORTED:
        *ret_status = 7;
        return ending_words("%s is %s; `sluice run SPEC` begins another one", run->name, run_state_word(run->state));
    case RUN_PLANNED:
    case RUN_WAITING:
    case RUN_RUNNING:
    case RUN_VERIFYING:
    case RUN_INTERRUPTED:
    case RUN_PROMOTING:
    case RUN_FAILED:
    case RUN_ROLLING_BACK: /* from a stage on, as was said */
    case RUN_STATE_COUNT:
        break;
    }
    return NULL;
}

/* A halt was for a reason, and so is its end. */
static bool may_resume(const struct run_row *run, const struct run_config *config, GError **error)
{
    if (run->state != RUN_HALTED || reason_says(config->act.reason))
        return true;
    return error_set(error, SLUICE_ERROR_USAGE, "%s is halted: %s; `sluice resume %s --reason …` says why it may go on",
                     run->name, ending_reason_of(run), run->name);
}

/* Found running although no process holds it: its process died. The ledger says so before anything else happens. */
static bool own_up_to_a_death(struct hold *hold, GError **error)
{
    if (hold->run.state != RUN_RUNNING && hold->run.state != RUN_VERIFYING && hold->run.state != RUN_PROMOTING)
        return true;
    return hold_move(hold, RUN_INTERRUPTED, "its process ended without a word", NULL, error);
}

/* --- the stages --------------------------------------------------------------------------------------------------- */

/* UINT32_MAX: all have passed. */
static bool next_stage(struct hold *hold, struct stage_row *ret, GError **error)
{
    struct stage_row *stages;
    size_t n;
    if (!catalog_stages(hold->catalog, hold->run.id, hold->mem, &stages, &n, error))
        return false;
    ret->stage = UINT32_MAX;
    for (size_t i = n; i > 0; i--)
        if (stages[i - 1].state != STAGE_PASSED)
            *ret = stages[i - 1];
    return true;
}

/* Between stages, and before the first and behind the last one, what passed is held against the servers that have it.
 */
static bool drive_stages(struct hold *hold, struct run_result *ret, bool *ret_passed, GError **error)
{
    for (;;) {
        struct stage_row stage = {0};
        if (!again_passed(hold, ret, ret_passed, error) || !next_stage(hold, &stage, error))
            return false;
        if (!*ret_passed || stage.stage == UINT32_MAX)
            return true;
        if (!gate_drive(hold, &stage, ret, ret_passed, error))
            return false;
        if (!*ret_passed)
            return true;
    }
}

static bool drive(struct hold *hold, struct run_result *ret, GError **error)
{
    bool passed;
    job_init_forward(&hold->job, hold->plan, &hold->run);
    if (!supersede_left(hold, &hold->job.left, error) || !hold_take_settings(hold, error) ||
        !drive_stages(hold, ret, &passed, error))
        return false;
    return !passed || ending_done(hold, ret, error);
}

/* Whoever let a halted run go on has said that its cause is mended, to this process or to one before it. */
static bool mended_since(struct hold *hold, bool resume, GError **error)
{
    int64_t lifted_ms = 0;
    bool now = resume && hold->run.state == RUN_HALTED;
    if (!now && !catalog_run_lifted(hold->catalog, hold->run.name, &lifted_ms, error))
        return false;
    hold->mended_us = (now ? world_wall_ms(hold->config->world) : lifted_ms) * 1000;
    return true;
}

bool run_forward(const struct run_config *config, const char *name, bool resume, struct run_result *ret, GError **error)
{
    auto_(hold) hold = NULL;
    int status = 0;
    bool go = true, owed;
    if (!hold_take(&hold, config, name, error) || !takeback_is_owed(hold, &owed, error))
        return false;
    if (owed)
        return takeback_by_failure(hold, hold->plan->stages[hold->run.back_stage].name, ret, error);
    g_autofree char *way = stands_in_the_way(&hold->run, resume, &status);
    if (!way && !supersede_waits(hold, &way, &status, error))
        return false;
    if (way) {
        hold_result(hold, status, way, ret);
        return true;
    }
    if (resume && (!hold_may(hold, SPEC_MAY_RESUME, error) || !may_resume(&hold->run, config, error)))
        return false;
    if (resume && (!hold_end_wishes(hold, error) || !catalog_deliveries_retry(hold->catalog, hold->run.id, error)))
        return false;
    hold->lift_limits = resume;
    if (!mended_since(hold, resume, error))
        return false;
    if (!supersede_first(hold, ret, &go, error))
        return false;
    if (go && !after_first(hold, ret, &go, error))
        return false;
    if (!go)
        return true;
    return hold_open(hold, HOLD_FORWARD, error) && own_up_to_a_death(hold, error) &&
           ending_by_what_was_heard(hold, ret, &go, error) && (!go || drive(hold, ret, error));
}

bool run_verify(const struct run_config *config, const char *name, struct verify_result *ret, GError **error)
{
    auto_(hold) hold = NULL;
    struct check_wish wish = {.stage = UINT32_MAX, .verified_too = true, .sure = config->sure};
    struct watch watch = {0}; /* without a catalog: a wish is for whoever goes on with the run */
    uint8_t report[32];
    bool kept;
    return hold_take(&hold, config, name, error) && hold_may(hold, SPEC_MAY_VERIFY, error) &&
           mended_since(hold, false, error) && hold_open(hold, HOLD_LOOK, error) &&
           check_parts(hold, &wish, &watch, ret, error) && check_wants_report(config, ret, &kept, error) &&
           (!kept || check_keep_report(hold, UINT32_MAX, ret, report, error));
}
