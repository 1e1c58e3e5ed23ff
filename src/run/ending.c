#include "run/ending.h"

#include "base/units.h"
#include "run/gate.h"
#include "run/pauser.h"
#include "run/promotion.h"
#include "run/readable.h"

char *ending_words(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = g_strdup_vprintf(format, args);
    va_end(args);
    return text;
}

const char *ending_reason_of(const struct run_row *run)
{
    return run->reason ? run->reason : "no reason given";
}

char *ending_paused_words(const struct run_row *run)
{
    const char *pauser = pauser_of(run);
    const char *reason = ending_reason_of(run);
    return strstr(reason, "`sluice ")
               ? ending_words("paused by %s: %s", pauser, reason)
               : ending_words("paused by %s: %s; `sluice resume %s` goes on", pauser, reason, run->name);
}

int run_done_status(const struct run_row *run)
{
    const struct tally *tally = &run->tally;
    bool refused = tally->of[OUTCOME_REJECTED] || tally->of[OUTCOME_KEPT_LIVE] || tally->of[OUTCOME_IN_DOUBT] ||
                   tally->of[OUTCOME_PASSED_OVER];
    return run->state == RUN_DONE && refused ? 8 : 0;
}

/* --- by a wish ---------------------------------------------------------------------------------------------------- */

static bool move_for(struct hold *hold, const struct wish *wish, enum run_state to, GError **error)
{
    struct run_move move = {.run = hold->run.id,
                            .from = hold->run.state,
                            .to = to,
                            .reason = wish->act.reason,
                            .act = wish->act,
                            .holder = hold->holder};
    if (!catalog_run_move(hold->catalog, &move, error) || !hold_reload(hold, error))
        return false;
    hold_event(hold, RUN_EVENT_STATE, hold->run.reason);
    return true;
}

static bool pause_for(struct hold *hold, const struct wish *wish, struct run_result *ret, GError **error)
{
    g_autofree char *source = readable_pause_words(&hold->run, limits_source_until_ms(&hold->shared.limits),
                                                   world_wall_ms(hold->config->world), 0);
    g_autofree char *text =
        ending_words("paused by %s%s%s; continue with `sluice resume %s`%s", wish->act.actor,
                     wish->act.reason ? ": " : "", wish->act.reason ? wish->act.reason : "", hold->run.name, source);
    bool is_paused = hold->run.state == RUN_PAUSED && !hold->run.guard; /* it was resumed, and has not begun yet */
    if ((!is_paused && !move_for(hold, wish, RUN_PAUSED, error)) ||
        !catalog_wishes_taken(hold->catalog, hold->run.id, WISH_PAUSE, error))
        return false;
    hold_result(hold, 3, text, ret);
    return true;
}

static bool abort_for(struct hold *hold, const struct wish *wish, struct run_result *ret, GError **error)
{
    bool has_begun = hold->plan != NULL; /* else nothing of it is open, nor anything to be settled */
    if (has_begun && (!hold_settle(hold, error) || !hold_let_go(hold, error)))
        return false;
    if (!move_for(hold, wish, RUN_ABORTED, error))
        return false;
    hold_result(hold, 3, "aborted: what was written stands", ret);
    return true;
}

/* This process holds the run, so it takes it back; the ledger says who asked. */
static bool take_back_for(struct hold *hold, const struct wish *wish, struct run_result *ret, GError **error)
{
    struct run_config config = *hold->config;
    const struct run_config *own = hold->config;
    config.act = wish->act;
    hold->config = &config;
    bool done = takeback_drive(hold, wish->value, ret, error);
    hold->config = own;
    if (done && ret->exit_status == 0)
        ret->exit_status = 3;
    return done;
}

static bool (*const BY_WISH[])(struct hold *, const struct wish *, struct run_result *, GError **) = {
    [WISH_PAUSE] = pause_for, [WISH_ABORT] = abort_for, [WISH_ROLLBACK] = take_back_for};

/* `wish` is most often the hold's own, which the next crew (the one that settles, too) overwrites. */
bool ending_by_wish(struct hold *hold, const struct wish *wish, struct run_result *ret, GError **error)
{
    const struct wish own = *wish;
    g_assert(own.kind < G_N_ELEMENTS(BY_WISH) && BY_WISH[own.kind]);
    return BY_WISH[own.kind](hold, &own, ret, error);
}

bool ending_by_what_was_heard(struct hold *hold, struct run_result *ret, bool *ret_go, GError **error)
{
    struct wish wish;
    if (!catalog_wish_heard(hold->catalog, hold->run.id, hold->mem, &wish, error))
        return false;
    *ret_go = wish.id == 0;
    return *ret_go || ending_by_wish(hold, &wish, ret, error);
}

/* --- otherwise ---------------------------------------------------------------------------------------------------- */

/* One that has not begun to work, or to go on, stays what it was: planned, paused or halted. */
static bool end_as(struct hold *hold, enum run_state to, const char *reason, GError **error)
{
    return !run_state_may(hold->run.state, to) || hold_move(hold, to, reason, NULL, error);
}

bool ending_by_signal(struct hold *hold, struct run_result *ret, GError **error)
{
    if (!end_as(hold, RUN_INTERRUPTED, "stopped by a signal", error))
        return false;
    hold_result(hold, 3, "interrupted; everything in flight is checkpointed: the same command goes on", ret);
    return true;
}

/* What goes on once the cause is mended; NULL where the message says so itself, or whoever asked does. */
static char *way_on(const struct hold *hold, enum run_state to, const char *message)
{
    const char *name = hold->run.name;
    if (to == RUN_INTERRUPTED || hold->config->superseded_by || strstr(message, "`sluice "))
        return NULL;
    if (hold->run.state == RUN_ROLLING_BACK)
        return ending_words("once that is mended, `sluice rollback %s` goes on", name);
    return ending_words("once that is mended, `sluice resume %s --reason …` goes on, and `sluice rollback %s` "
                        "takes the run back",
                        name, name);
}

/* What fails while a guard has the run paused is a batch that was in flight: the run was at work still. Where that
 * cannot be written down it stays paused. */
static void at_work_still(struct hold *hold, enum run_state to)
{
    if (hold->run.state == RUN_PAUSED && hold->run.guard && to == RUN_FAILED)
        hold_move(hold, RUN_RUNNING, "with the batches that were in flight", NULL, NULL);
}

bool ending_by_failure(struct hold *hold, GError *failed, struct run_result *ret, GError **error)
{
    int status = error_exit_status(failed);
    bool back = hold->run.state == RUN_ROLLING_BACK;
    enum run_state to = status == 5 ? RUN_HALTED : RUN_FAILED;
    if (error_is(failed, SLUICE_ERROR_CANCELLED) || error_is(failed, SLUICE_ERROR_INTERRUPTED))
        to = RUN_INTERRUPTED;
    g_autofree char *way = way_on(hold, to, failed->message);
    g_autofree char *text = way ? ending_words("%s; %s", failed->message, way) : g_strdup(failed->message);
    at_work_still(hold, to);
    bool moved = end_as(hold, to, back ? text : failed->message, NULL);
    hold_result(hold, status, text, ret);
    if (!moved) /* what went wrong keeps its exit status: a halt must not look like something to try again */
        error_set(error, (enum error_code)failed->code, "%s; and the catalog could not record it", text);
    g_error_free(failed);
    return moved;
}

bool ending_by_limit(struct hold *hold, struct run_result *ret, GError **error)
{
    g_autofree char *text =
        ending_words("%s; look into them, then `sluice resume %s` goes on in spite of it, `sluice rollback %s` takes "
                     "the run back",
                     hold->limit, hold->run.name, hold->run.name);
    if (!hold_pause(hold, hold->limit_key, text, NULL, error))
        return false;
    hold_result(hold, 3, text, ret);
    return true;
}

/* What stands in the way is a limit that nothing but `set` moves: `resume` alone comes back here. */
bool ending_by_budget(struct hold *hold, struct run_result *ret, GError **error)
{
    struct budget_share shares[BUDGET_KEYS];
    if (!hold_reload(hold, error))
        return false;
    struct money_rates rates = limits_rates(&hold->shared.limits);
    struct spec_budget limit = limits_budget(&hold->shared.limits), used = budget_used_by(&hold->run, &rates);
    size_t n = budget_shares(&limit, &used, shares);
    budget_step(&hold->shared.budget, shares, n);
    const struct budget_share *share = budget_reached(shares, n);
    g_autofree char *words = share ? budget_reached_words(share) : g_strdup("it was changed meanwhile");
    g_autofree char *text =
        ending_words("the budget is spent: %s (%s); `sluice set %s %s=…`, then `sluice resume %s` goes on, `sluice "
                     "rollback %s` takes the run back",
                     words, share ? share->key : "budget", hold->run.name, share ? share->key : BUDGET_RECORDS,
                     hold->run.name, hold->run.name);
    budget_shares_done(shares, n);
    if (!hold_pause(hold, PAUSER_BUDGET, text, NULL, error))
        return false;
    hold_result(hold, 3, text, ret);
    return true;
}

/* Likewise. */
bool ending_by_source(struct hold *hold, struct run_result *ret, GError **error)
{
    char until[UNITS_TEXT];
    g_autofree char *text = ending_words(
        "its source could be read until %s, which has passed (" LIMITS_UNTIL "); if it can still be read, `sluice set "
        "%s " LIMITS_UNTIL "=TIME` (or none), then `sluice resume %s` goes on; `sluice rollback %s` takes the run back",
        units_time(limits_source_until_ms(&hold->shared.limits), until), hold->run.name, hold->run.name,
        hold->run.name);
    if (!hold_pause(hold, PAUSER_SOURCE, text, NULL, error))
        return false;
    hold_result(hold, 3, text, ret);
    return true;
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

bool ending_done(struct hold *hold, struct run_result *ret, GError **error)
{
    g_autoptr(GError) failed = NULL;
    if (!hold_reload(hold, error))
        return false;
    if (!reconcile(hold, &failed))
        return ending_by_failure(hold, g_steal_pointer(&failed), ret, error);
    if (hold->plan->write == WRITE_SHADOW)
        return promotion_reached(hold, ret, error);
    bool judged = run_state_may(hold->run.state, RUN_DONE);
    if ((!judged && !hold_move(hold, RUN_VERIFYING, NULL, NULL, error)) || !hold_let_go(hold, error) ||
        !hold_move(hold, RUN_DONE, NULL, ret->verdict_json, error))
        return false;
    hold_result(hold, run_done_status(&hold->run), NULL, ret);
    return true;
}
