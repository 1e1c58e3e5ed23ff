#include "run/promotion.h"

#include "base/int.h"
#include "run/again.h"
#include "run/ending.h"
#include "run/gate.h"
#include "run/supersede.h"

/* --- its partitions ----------------------------------------------------------------------------------------------- */

struct promotion_parts {
    uint64_t n, keys;
};

static bool parts_of(struct catalog *catalog, const struct run_row *run, struct arena *mem, struct promotion_parts *ret,
                     GError **error)
{
    struct part_row *rows;
    size_t n;
    struct parts_of of = {.run = run->id, .stage = UINT32_MAX, .kind = PARTS_PROMOTION};
    if (!catalog_parts(catalog, &of, mem, &rows, &n, error))
        return false;
    *ret = (struct promotion_parts){.n = n};
    for (size_t i = 0; i < n; i++)
        ret->keys += rows[i].records;
    return true;
}

/* The keys that the run has written into its shadow, in `chains`. */
static bool build_chains(struct hold *hold, GError **error)
{
    struct part_row *rows;
    size_t n;
    struct parts_of of = {.run = hold->run.id, .stage = UINT32_MAX};
    if (!catalog_parts(hold->catalog, &of, hold->mem, &rows, &n, error))
        return false;
    g_autofree uint32_t *parts = g_new0(uint32_t, n + 1);
    g_autofree uint32_t *lanes = g_new0(uint32_t, n + 1);
    g_autofree uint64_t *written = g_new0(uint64_t, n + 1);
    for (size_t i = 0; i < n; i++) {
        parts[i] = rows[i].part;
        lanes[i] = rows[i].lane;
    }
    struct undo_filter filter = {.parts = parts, .n = n, .written = written, .lanes = lanes};
    return catalog_part_writes(hold->catalog, hold->run.id, parts, n, written, error) &&
           undo_chains_build(&hold->undo_config, &filter, error);
}

/* Of a key whose entry cannot be read nobody knows what stood there when its shadow was written. */
static bool is_whole(const struct hold *hold, const struct undo_chains *chains, GError **error)
{
    size_t n;
    const struct undo_damage *damage = undo_chains_damage(chains, &n);
    if (n == 0)
        return true;
    g_autofree char *text = takeback_damage(damage, n);
    return error_set(error, SLUICE_ERROR_CORRUPT,
                     "%s: %s; a shadow is not made live in part: drop it with `sluice rollback %s`, and run again",
                     hold->run.name, text, hold->run.name);
}

/* One that goes on finds its chains as they were: whoever looked into the run meanwhile, to supersede it, has put
 * others in their place, of which its partitions are no stretches. */
static bool prepare(struct hold *hold, struct promotion_parts *ret, GError **error)
{
    auto_(undo_chains) chains = NULL;
    if (!parts_of(hold->catalog, &hold->run, hold->mem, ret, error) || (ret->n == 0 && !hold_settle(hold, error)) ||
        !build_chains(hold, error) || !undo_chains_open(&chains, &hold->undo_config, error) ||
        !is_whole(hold, chains, error))
        return false;
    if (ret->n > 0)
        return undo_chains_count(chains) == ret->keys ||
               error_set(error, SLUICE_ERROR_CORRUPT,
                         "%s: its undo log has not the keys any more with which its promotion began; take it back with "
                         "`sluice rollback %s`",
                         hold->run.name, hold->run.name);
    struct takeback_parts parts = {.first_part = UNDO_PROMOTION_PART, .stage = 0, .keys = undo_chains_count(chains)};
    return takeback_add_parts(hold, &parts, error) && parts_of(hold->catalog, &hold->run, hold->mem, ret, error);
}

/* --- driving it --------------------------------------------------------------------------------------------------- */

static bool all_accounted(struct hold *hold, const struct promotion_parts *parts, GError **error)
{
    uint64_t done;
    if (!hold_reload(hold, error))
        return false;
    done = tally_sum(&hold->run.tally, OUTCOME_KIND_PROMOTED);
    return done == parts->keys || error_set(error, SLUICE_ERROR_INTERNAL,
                                            "promoted, but %" G_GUINT64_FORMAT
                                            " keys were in the shadow and %" G_GUINT64_FORMAT " are accounted for",
                                            parts->keys, done);
}

/* The shadow goes before the run is done: what it still holds was passed over. Behind the last move nothing is left to
 * be recorded. */
static bool finish(struct hold *hold, const struct promotion_parts *parts, struct run_result *ret, GError **error)
{
    GError *failed = NULL;
    if (!all_accounted(hold, parts, &failed) || !hold_let_go(hold, &failed))
        return ending_by_failure(hold, failed, ret, error);
    if (!hold_move(hold, RUN_DONE, NULL, NULL, error) || !undo_chains_drop_durable(&hold->undo_config, error))
        return false;
    hold_result(hold, run_done_status(&hold->run), NULL, ret);
    return true;
}

static bool drive(struct hold *hold, struct run_result *ret, GError **error)
{
    GError *failed = NULL;
    struct promotion_parts parts;
    enum crew_end end;
    bool go;
    if (!hold_take_settings(hold, error))
        return false;
    do {
        if (!guarding_wait(hold, ret, &go, error))
            return false;
        if (!go)
            return true;
        if (!hold_move(hold, RUN_PROMOTING, hold->config->act.reason, NULL, error))
            return false;
        if (!prepare(hold, &parts, &failed))
            return ending_by_failure(hold, failed, ret, error);
        job_init_promote(&hold->job, hold->plan, &hold->run);
        end = again_crew(hold, &failed);
    } while (end == CREW_GUARDED);
    switch (end) {
    case CREW_WRITTEN:
        return finish(hold, &parts, ret, error);
    case CREW_WISHED:
        return ending_by_wish(hold, &hold->wish, ret, error);
    case CREW_INTERRUPTED:
        return ending_by_signal(hold, ret, error);
    case CREW_LIMITED:
    case CREW_CLOSED:
    case CREW_GUARDED:
    case CREW_SPENT:
    case CREW_UNREADABLE:
    case CREW_FAILED:
        break;
    }
    return ending_by_failure(hold, failed, ret, error);
}

static bool wait_for_it(struct hold *hold, struct run_result *ret, GError **error)
{
    g_autofree char *text =
        ending_words("its gates are passed, and its shadow waits: `sluice promote %s` makes it live, "
                     "`sluice rollback %s` drops it",
                     hold->run.name, hold->run.name);
    if (!hold_move(hold, RUN_WAITING, text, NULL, error))
        return false;
    hold_result(hold, 3, text, ret);
    return true;
}

bool promotion_reached(struct hold *hold, struct run_result *ret, GError **error)
{
    struct promotion_parts parts;
    if (!parts_of(hold->catalog, &hold->run, hold->mem, &parts, error))
        return false;
    return parts.n > 0 ? drive(hold, ret, error) : wait_for_it(hold, ret, error);
}

/* --- asked for ---------------------------------------------------------------------------------------------------- */

static bool gates_passed(struct catalog *catalog, const struct run_row *run, struct arena *mem, GError **error)
{
    struct stage_row *stages;
    size_t n;
    if (!catalog_stages(catalog, run->id, mem, &stages, &n, error))
        return false;
    for (size_t i = 0; i < n; i++)
        if (stages[i].state != STAGE_PASSED)
            return error_set(error, SLUICE_ERROR_REFUSED,
                             "%s: stage %s is %s: a shadow is made live when all its gates have passed; `sluice resume "
                             "%s` goes on",
                             run->name, stages[i].name, stage_state_word(stages[i].state), run->name);
    return true;
}

static bool may_begin(struct catalog *catalog, const struct run_row *run, struct arena *mem, GError **error)
{
    struct plan_was was;
    if (!plan_was_read(catalog, run, mem, &was, error))
        return false;
    if (!was.shadow)
        return error_set(error, SLUICE_ERROR_REFUSED, "%s writes no shadow: there is nothing to promote", run->name);
    if (run->back_stage != UINT32_MAX || (run_state_over(run->state) && run->state != RUN_DONE))
        return error_set(error, SLUICE_ERROR_REFUSED, "%s is %s: its shadow is dropped, or is being", run->name,
                         run_state_word(run->state));
    return gates_passed(catalog, run, mem, error);
}

/* A person's pause holds until somebody resumes the run. */
static char *stands_in_the_way(const struct run_row *run, int *ret_status)
{
    *ret_status = 3;
    return run->state == RUN_PAUSED && !run->guard ? ending_paused_words(run) : NULL;
}

/* A halt was for a reason, and so is its end. */
static bool may_go_on(const struct run_config *config, const struct run_row *run, GError **error)
{
    return run->state != RUN_HALTED || reason_says(config->act.reason) ||
           error_set(error, SLUICE_ERROR_USAGE,
                     "%s is halted: %s; `sluice promote %s --reason …` says why it may go on", run->name,
                     run->reason ? run->reason : "no reason was recorded", run->name);
}

/* Found promoting although no process holds it: its process died. */
static bool own_up_to_a_death(struct hold *hold, GError **error)
{
    return hold->run.state != RUN_PROMOTING ||
           hold_move(hold, RUN_INTERRUPTED, "its process ended without a word", NULL, error);
}

/* What stages that had passed have lost meanwhile is written again, and verified, before anything goes live. */
static bool what_is_lost_first(struct hold *hold, struct run_result *ret, bool *ret_go, GError **error)
{
    job_init_forward(&hold->job, hold->plan, &hold->run);
    return supersede_left(hold, &hold->job.left, error) && hold_take_settings(hold, error) &&
           again_passed(hold, ret, ret_go, error);
}

bool run_promote(const struct run_config *config, const char *name, struct run_result *ret, GError **error)
{
    auto_(hold) hold = NULL;
    int status = 0;
    bool go;
    if (!hold_take(&hold, config, name, error) || !hold_may(hold, SPEC_MAY_PROMOTE, error) ||
        !may_begin(hold->catalog, &hold->run, hold->mem, error) || !may_go_on(config, &hold->run, error))
        return false;
    g_autofree char *way = stands_in_the_way(&hold->run, &status);
    if (!way && !supersede_waits(hold, &way, &status, error))
        return false;
    if (hold->run.state == RUN_DONE) { /* repeated, or died just behind its end */
        hold_result(hold, run_done_status(&hold->run), "its shadow is live already", ret);
        return true;
    }
    if (way) {
        hold_result(hold, status, way, ret);
        return true;
    }
    if (!own_up_to_a_death(hold, error) || !hold_open(hold, HOLD_FORWARD, error) ||
        !ending_by_what_was_heard(hold, ret, &go, error))
        return false;
    if (!go)
        return true;
    if (!what_is_lost_first(hold, ret, &go, error))
        return false;
    return !go || drive(hold, ret, error);
}

bool run_promotion_preview(const struct run_config *config, const char *name, struct run_promotion_plan *ret,
                           GError **error)
{
    auto_(catalog) catalog = NULL;
    auto_(arena) mem = arena_new(64 << 20);
    struct run_row run;
    struct promotion_parts parts;
    if (!catalog_open(&catalog, config->world, config->home, CATALOG_EXISTING, error) ||
        !catalog_run_get_one(catalog, name, mem, &run, error) || !may_begin(catalog, &run, mem, error) ||
        !parts_of(catalog, &run, mem, &parts, error))
        return false;
    uint64_t keys = parts.n > 0 ? parts.keys : run.tally.of[OUTCOME_WRITTEN] + run.tally.of[OUTCOME_DELETED];
    uint64_t done = tally_sum(&run.tally, OUTCOME_KIND_PROMOTED);
    *ret = (struct run_promotion_plan){.keys = run.state == RUN_DONE ? 0 : keys - MIN(done, keys)};
    g_strlcpy(ret->run, run.name, sizeof ret->run);
    return true;
}
