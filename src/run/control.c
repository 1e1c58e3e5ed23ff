/* Control from any terminal: ending a run that is to stand, wishes, approvals, limits. What is asked for is durable
 * with who asked and why before anyone acts on it. */
#include "base/hex.h"
#include "catalog/lock.h"
#include "run/budget.h"
#include "run/ending.h"
#include "run/gate.h"
#include "run/hooks.h"
#include "run/limits.h"
#include "run/pauser.h"
#include "run/readable.h"
#include "run/rights.h"

/* --- letting it stand
 * ------------------------------------------------------------------------------------------------- */

#define ENDED_ELSEWHERE                                                                                                \
    "aborted here alone: it was ended with a later copy of this home, which knows what was written and can take it "   \
    "back"

/* Of a run that was ended with another copy of this home the store has nothing that could be settled or let go. */
static bool let_stand(struct hold *hold, GError **error)
{
    g_autoptr(GError) failed = NULL;
    if (hold_open(hold, HOLD_BACK, &failed))
        return hold_settle(hold, error) && hold_let_go(hold, error);
    if (hold->elsewhere)
        return true;
    g_propagate_error(error, g_steal_pointer(&failed));
    return false;
}

bool run_abort(const struct run_config *config, const char *name, struct run_result *ret, GError **error)
{
    auto_(hold) hold = NULL;
    if (!hold_take(&hold, config, name, error) || !hold_may(hold, SPEC_MAY_ABORT, error))
        return false;
    if (!run_state_may(hold->run.state, RUN_ABORTED))
        return error_set(error, SLUICE_ERROR_REFUSED, "%s is %s: it cannot be aborted", hold->run.name,
                         run_state_word(hold->run.state));
    const char *words = hold->run.state == RUN_PLANNED
                            ? "aborted: nothing of it was written"
                            : "aborted: what was written stands, and can be taken back with `sluice rollback`";
    if (!let_stand(hold, error) || !hold_move(hold, RUN_ABORTED, config->act.reason, NULL, error))
        return false;
    hold_result(hold, 0, hold->elsewhere ? ENDED_ELSEWHERE : words, ret);
    return true;
}

/* --- hooks -------------------------------------------------------------------------------------------------------- */

/* What this call has journalled, where nobody holds the run but us. The lock is held. What cannot be delivered now
 * waits for whoever goes on. */
static bool deliver_now(const struct run_config *config, struct catalog *catalog, const struct run_row *run,
                        GError **error)
{
    struct hooks *hooks = NULL;
    if (!hooks_begin(&hooks, config, catalog, run, error))
        return false;
    hooks_end(hooks);
    return true;
}

static bool deliver_unheld(const struct run_config *config, struct catalog *catalog, const struct run_row *run,
                           GError **error)
{
    auto_(run_lock) lock = NULL;
    g_autoptr(GError) failed = NULL;
    if (run_lock_take(&lock, config->world, config->home, run->name, &failed))
        return deliver_now(config, catalog, run, error);
    if (error_is(failed, SLUICE_ERROR_LOCKED))
        return true; /* its holder does it */
    g_propagate_error(error, g_steal_pointer(&failed));
    return false;
}

bool run_hooks_retry(const struct run_config *config, const char *name, GError **error)
{
    auto_(catalog) catalog = NULL;
    auto_(arena) mem = arena_new(16 << 20);
    struct run_row run;
    return catalog_open(&catalog, config->world, config->home, CATALOG_EXISTING, error) &&
           catalog_run_get(catalog, name, mem, &run, error) &&
           rights_may(config, catalog, &run, SPEC_MAY_RESUME, mem, error) &&
           catalog_deliveries_retry(catalog, run.id, error) && deliver_unheld(config, catalog, &run, error);
}

/* --- wishes
 * ----------------------------------------------------------------------------------------------------------- */

#define WISH_WAIT_US (INT64_C(5) * 1000 * 1000)
#define WISH_LOOK_US (INT64_C(50) * 1000)

static bool is_held(const struct run_config *config, const struct run_row *run, bool *ret, GError **error)
{
    struct run_holder holder;
    if (!run_lock_holder(&holder, config->world, config->home, run->name, error))
        return false;
    *ret = holder.live;
    return true;
}

/* What has become of a wish: heard, set aside, or left alone by a holder that is slow, or gone. */
struct awaited {
    int64_t wish;
    enum wish_fate fate;
    bool held;
};

/* The holder is asked after before the wish is, so that what it heard last is seen. */
static bool wait_heard(struct catalog *catalog, const struct run_config *config, const struct run_row *run,
                       struct awaited *io, GError **error)
{
    int64_t until = world_monotonic_us(config->world) + WISH_WAIT_US;
    for (;;) {
        if (!is_held(config, run, &io->held, error) || !catalog_wish_fate(catalog, io->wish, &io->fate, error))
            return false;
        if (io->fate != WISH_IS_OPEN || !io->held || world_monotonic_us(config->world) >= until)
            return true;
        world_sleep_us(config->world, WISH_LOOK_US, NULL);
    }
}

static bool refuse_paused(const struct run_row *row, GError **error)
{
    return error_set(error, SLUICE_ERROR_REFUSED,
                     "%s is paused already, by %s: nothing goes on with it but `sluice "
                     "resume %s`",
                     row->name, pauser_of(row), row->name);
}

static bool pause_now(struct catalog *catalog, const struct run_config *config, struct run_result *ret, GError **error)
{
    struct run_row *row = &ret->run;
    if (!catalog_run_reload(catalog, ret->mem, row, error))
        return false;
    if (row->state == RUN_PAUSED && !row->guard)
        return refuse_paused(row, error);
    struct run_move move = {
        .run = row->id, .from = row->state, .to = RUN_PAUSED, .reason = config->act.reason, .act = config->act};
    return catalog_run_move(catalog, &move, error) && catalog_run_reload(catalog, ret->mem, row, error) &&
           deliver_now(config, catalog, row, error);
}

/* Without a holder the wish takes effect here: the state itself is what holds against a later `run`. The lock is held
 * meanwhile, so that a `run` that begins at this moment finds the pause, or is found at work: *ret_held. */
static bool pause_unheld(struct catalog *catalog, const struct run_config *config, struct run_result *ret,
                         bool *ret_held, GError **error)
{
    auto_(run_lock) lock = NULL;
    GError *failed = NULL;
    *ret_held = false;
    if (run_lock_take(&lock, config->world, config->home, ret->run.name, &failed))
        return pause_now(catalog, config, ret, error);
    *ret_held = error_is(failed, SLUICE_ERROR_LOCKED);
    if (!*ret_held)
        g_propagate_error(error, failed);
    else
        g_error_free(failed);
    return *ret_held;
}

/* Which right a wish needs. */
static enum spec_may_what right_of(enum wish_kind kind)
{
    static const enum spec_may_what RIGHTS[] = {[WISH_NONE] = SPEC_MAY_COUNT,        [WISH_PAUSE] = SPEC_MAY_PAUSE,
                                                [WISH_RESUME] = SPEC_MAY_RESUME,     [WISH_ABORT] = SPEC_MAY_ABORT,
                                                [WISH_ROLLBACK] = SPEC_MAY_ROLLBACK, [WISH_APPROVE] = SPEC_MAY_APPROVE,
                                                [WISH_DENY] = SPEC_MAY_DENY,         [WISH_SET] = SPEC_MAY_SET};
    return RIGHTS[kind];
}

/* Opens the catalog and finds the one run that a command may change. */
static bool find(const struct run_config *config, const char *name, struct catalog **ret_catalog,
                 struct run_result *ret, GError **error)
{
    *ret = (struct run_result){.mem = arena_new(16 << 20)};
    return catalog_open(ret_catalog, config->world, config->home, CATALOG_EXISTING, error) &&
           catalog_run_get_one(*ret_catalog, name, ret->mem, &ret->run, error);
}

static bool set_aside(const struct run_row *run, GError **error)
{
    return error_set(error, SLUICE_ERROR_REFUSED,
                     "%s is %s: %s has had the last word meanwhile, and this came to nothing", run->name,
                     run_state_word(run->state), run->actor);
}

/* Tells whoever holds the run. An approval and a limit stand by themselves; of another wish nothing is left once it is
 * set aside. */
static bool pass_on(struct catalog *catalog, const struct run_config *config, const struct wish *wish,
                    struct run_result *ret, enum run_heard *ret_heard, GError **error)
{
    struct awaited awaited;
    bool stands = wish->kind == WISH_SET || wish->kind == WISH_APPROVE || wish->kind == WISH_DENY;
    if (!catalog_wish_add(catalog, ret->run.id, wish, &awaited.wish, error) ||
        !wait_heard(catalog, config, &ret->run, &awaited, error) ||
        !catalog_run_reload(catalog, ret->mem, &ret->run, error))
        return false;
    *ret_heard = awaited.fate == WISH_IS_TAKEN ? RUN_HEARD : awaited.held ? RUN_RECORDED : RUN_UNHELD;
    bool ours = *ret_heard == RUN_UNHELD && (wish->kind == WISH_ABORT || wish->kind == WISH_ROLLBACK);
    if (ours && !catalog_wish_end(catalog, awaited.wish, error)) /* the caller does it */
        return false;
    return awaited.fate != WISH_IS_SET_ASIDE || stands || set_aside(&ret->run, error);
}

/* Its holder ended without having heard. One that is held again by now hears the pause, which is open still. */
static bool pause_ended(struct catalog *catalog, const struct run_config *config, struct run_result *ret,
                        GError **error)
{
    bool held;
    return run_state_over(ret->run.state)
               ? error_set(error, SLUICE_ERROR_REFUSED, "%s is %s: it came to its end before it heard of the pause",
                           ret->run.name, run_state_word(ret->run.state))
               : pause_unheld(catalog, config, ret, &held, error);
}

/* Before whoever holds the run hears of the rollback. */
static bool keep_pace(struct catalog *catalog, const struct run_config *config, const struct run_row *run,
                      enum wish_kind kind, GError **error)
{
    struct setting setting = {.key = LIMITS_BACK, .value = config->back_pace};
    return kind != WISH_ROLLBACK || !setting.value ||
           catalog_setting_add(catalog, run->id, &setting, &config->act, error);
}

static bool wish_of(const struct run_config *config, struct catalog *catalog, const struct run_wish *asked,
                    struct run_result *ret, enum run_heard *ret_heard, GError **error)
{
    bool held;
    struct wish wish = {.kind = asked->kind, .value = asked->value, .act = config->act};
    if (!rights_may(config, catalog, &ret->run, right_of(asked->kind), ret->mem, error) ||
        !is_held(config, &ret->run, &held, error))
        return false;
    if (run_state_over(ret->run.state)) /* also such a one can be taken back, by the caller */
        return asked->kind == WISH_ROLLBACK ||
               error_set(error, SLUICE_ERROR_REFUSED, "%s is %s", ret->run.name, run_state_word(ret->run.state));
    if (held && ret->run.state == RUN_ROLLING_BACK && asked->kind != WISH_PAUSE)
        return error_set(
            error, SLUICE_ERROR_REFUSED,
            "%s is being taken back, by %s: that has to end first, or to be paused; `sluice set %s " LIMITS_BACK
            "=urgent` lets nothing hold it back",
            ret->run.name, ret->run.actor, ret->run.name);
    if (!held && asked->kind == WISH_PAUSE && !pause_unheld(catalog, config, ret, &held, error))
        return false;
    if (!held)
        return true;
    if (!keep_pace(catalog, config, &ret->run, asked->kind, error) ||
        !pass_on(catalog, config, &wish, ret, ret_heard, error))
        return false;
    if (*ret_heard != RUN_UNHELD || asked->kind != WISH_PAUSE)
        return true;
    return pause_ended(catalog, config, ret, error);
}

/* What a pause may outlive is said to whoever asked for it; what cannot be read now is not. */
static void say_source(const struct run_config *config, struct catalog *catalog, struct run_result *io)
{
    struct run_limit limit;
    auto_(arena) mem = arena_new(16 << 20);
    if (!run_limit_now(catalog, &io->run, mem, &limit, NULL))
        return;
    g_autofree char *words = readable_pause_words(&io->run, limit.source_until_ms, world_wall_ms(config->world), 0);
    if (*words) {
        g_free(io->text);
        io->text = g_strdup(words + strlen("; "));
    }
}

bool run_wish(const struct run_config *config, const char *name, const struct run_wish *asked, struct run_result *ret,
              enum run_heard *ret_heard, GError **error)
{
    auto_(catalog) catalog = NULL;
    *ret_heard = RUN_UNHELD;
    if (!find(config, name, &catalog, ret, error) || !wish_of(config, catalog, asked, ret, ret_heard, error))
        return false;
    if (asked->kind == WISH_PAUSE)
        say_source(config, catalog, ret);
    return true;
}

bool run_may(const struct run_config *config, const char *name, enum spec_may_what what, GError **error)
{
    auto_(catalog) catalog = NULL;
    struct run_result found = {0};
    bool may =
        find(config, name, &catalog, &found, error) && rights_may(config, catalog, &found.run, what, found.mem, error);
    run_result_done(&found);
    return may;
}

/* --- approvals ---------------------------------------------------------------------------------------------------- */

/* The stage that waits for somebody's word. */
static bool waiting_stage(struct catalog *catalog, const struct run_row *run, const struct plan_rights *rights,
                          struct arena *mem, struct stage_row *ret, GError **error)
{
    struct stage_row *stages;
    size_t n;
    if (!catalog_stages(catalog, run->id, mem, &stages, &n, error))
        return false;
    for (size_t i = 0; i < n && i < rights->n_stages; i++)
        if (stages[i].state == STAGE_WAITING && rights->stages[i].approve) {
            *ret = stages[i];
            return true;
        }
    return error_set(error, SLUICE_ERROR_REFUSED, "%s is %s: no stage of it waits for an approval", run->name,
                     run_state_word(run->state));
}

#define REPORT_DIGITS 8 /* of its digest, at least: as many as tell two reports of a stage apart */

/* Who says which report was looked at is heard only while that one stands. */
static bool is_report(const struct run_config *config, const struct run_row *run, const struct stage_row *stage,
                      GError **error)
{
    char digest[HEX_TEXT(32)];
    const char *said = config->report;
    size_t len = said ? strlen(said) : 0;
    hex_text(stage->report, 32, digest);
    if (!said)
        return true;
    if (len < REPORT_DIGITS || len >= sizeof digest || strspn(said, "0123456789abcdefABCDEF") != len)
        return error_set(error, SLUICE_ERROR_USAGE, "--report %s: expected the digest of a report, %d to 64 hex digits",
                         said, REPORT_DIGITS);
    return g_ascii_strncasecmp(digest, said, len) == 0 ||
           error_set(error, SLUICE_ERROR_REFUSED,
                     "%s: the report of stage %s is %.12s, not %s: it was judged again since; look at that one first",
                     run->name, stage->name, digest, said);
}

/* Nobody holds the run: the denial takes effect here. One that dies in between is carried out by the next `run`. */
static bool deny_unheld(const struct run_config *config, struct catalog *catalog, const struct stage_row *stage,
                        struct run_result *ret, GError **error)
{
    auto_(run_lock) lock = NULL;
    g_autofree char *text = NULL;
    struct gate_denial denial = {.catalog = catalog, .run = &ret->run, .stage = stage, .act = config->act};
    return run_lock_take(&lock, config->world, config->home, ret->run.name, error) &&
           catalog_run_reload(catalog, ret->mem, &ret->run, error) && gate_deny(&denial, &text, error) &&
           catalog_run_reload(catalog, ret->mem, &ret->run, error) && deliver_now(config, catalog, &ret->run, error);
}

bool run_approve(const struct run_config *config, const char *name, bool granted, struct run_result *ret,
                 enum run_heard *ret_heard, GError **error)
{
    auto_(catalog) catalog = NULL;
    struct plan_rights rights;
    struct stage_row stage;
    bool held;
    struct wish wish = {.kind = granted ? WISH_APPROVE : WISH_DENY, .act = config->act};
    *ret_heard = RUN_UNHELD;
    if (!find(config, name, &catalog, ret, error) || !plan_rights_read(catalog, &ret->run, ret->mem, &rights, error) ||
        !waiting_stage(catalog, &ret->run, &rights, ret->mem, &stage, error) ||
        !is_report(config, &ret->run, &stage, error) ||
        !(granted ? rights_may_approve(config, catalog, &ret->run, &rights, &rights.stages[stage.stage], error)
                  : rights_may(config, catalog, &ret->run, SPEC_MAY_DENY, ret->mem, error)))
        return false;
    struct approval word = {
        .run = ret->run.id, .stage = stage.stage, .attempt = stage.attempt, .granted = granted, .act = config->act};
    if (!catalog_approval_add(catalog, &word, error) || !is_held(config, &ret->run, &held, error))
        return false;
    if (held)
        return pass_on(catalog, config, &wish, ret, ret_heard, error);
    return granted ? deliver_unheld(config, catalog, &ret->run, error)
                   : deny_unheld(config, catalog, &stage, ret, error);
}

/* --- limits ------------------------------------------------------------------------------------------------------- */

static bool limits_now(struct catalog *catalog, const struct run_row *run, struct limits *limits, struct arena *mem,
                       GError **error)
{
    struct plan_limits frozen;
    if (!plan_limits_read(catalog, run, mem, &frozen, error))
        return false;
    limits_reset(limits, &frozen);
    return limits_take_settings(limits, catalog, run->id, mem, error);
}

/* One of which too little was left for a record: its pause says so, and of what limit. */
static const struct budget_share *share_told_of(const struct run_row *run, const struct budget_share *shares, size_t n)
{
    for (size_t i = 0; i < n && g_strcmp0(run->pauser, PAUSER_BUDGET) == 0; i++)
        if (run->reason && strstr(run->reason, shares[i].words))
            return &shares[i];
    return NULL;
}

/* What is taken back, or made live, no budget stops. */
static bool is_forwards(const struct run_row *run)
{
    return run->back_stage == UINT32_MAX && tally_sum(&run->tally, OUTCOME_KIND_PROMOTED) == 0;
}

/* The key of the budget that a paused run has used up: nothing but `set` lets it go on. */
static const char *spent_key(const struct run_row *run, const struct run_limit *limit)
{
    struct budget_share shares[BUDGET_KEYS];
    if (run->state != RUN_PAUSED || !is_forwards(run))
        return NULL;
    size_t n = budget_shares(&limit->budget, &limit->used, shares);
    const struct budget_share *reached = budget_reached(shares, n);
    if (!reached)
        reached = share_told_of(run, shares, n);
    const char *key = reached ? reached->key : NULL;
    budget_shares_done(shares, n);
    return key;
}

#define LATELY_MS 5000

/* Of the totals: a checkpoint that follows a wait for the rate says when that was. */
static bool waited_lately(const struct run_row *run)
{
    bool at_work = run->state == RUN_RUNNING || run->state == RUN_ROLLING_BACK;
    return at_work && run->limited_ms > 0 && run->updated_ms - run->limited_ms <= LATELY_MS;
}

/* No pace holds back what does not move. */
static bool stands_still(enum run_state state)
{
    return state == RUN_PAUSED || state == RUN_HALTED || state == RUN_INTERRUPTED;
}

/* What was written down lately by whoever is at work. */
static bool take_live(struct catalog *catalog, const struct run_row *run, struct arena *mem, struct run_limit *ret,
                      GError **error)
{
    const char *json;
    int64_t at_ms;
    struct govern_words words;
    if (!catalog_pace(catalog, run->id, mem, &json, &at_ms, error))
        return false;
    if (!json || catalog_now_ms(catalog) - at_ms > LATELY_MS)
        return true;
    ret->live = json; /* what servers feel is told also while nothing of it holds the run back */
    if (stands_still(run->state) || !govern_words(json, &words))
        return true;
    ret->by = words.limited_by;
    ret->words = arena_text(mem, slice_of_text(words.text));
    return true;
}

bool run_limit_now(struct catalog *catalog, const struct run_row *run, struct arena *mem, struct run_limit *ret,
                   GError **error)
{
    struct limits limits;
    *ret = (struct run_limit){0};
    limits_init(&limits);
    bool over = run_state_over(run->state), ok = limits_now(catalog, run, &limits, mem, error);
    ret->rates = limits_rates(&limits);
    ret->complete = limits_complete(&limits);
    ret->source_until_ms = limits_source_until_ms(&limits);
    ok = ok && (over || take_live(catalog, run, mem, ret, error));
    if (ok) {
        ret->budget = limits_budget(&limits);
        ret->used = budget_used_by(run, &ret->rates);
    }
    if (ok && !over) {
        ret->rate_max_per_s = limits_rate_max_per_s(&limits);
        const char *spent = spent_key(run, ret);
        if (spent || (ret->rate_max_per_s > 0 && waited_lately(run))) {
            ret->by = spent ? spent : LIMITS_RATE;
            ret->words = NULL;
        }
    }
    limits_done(&limits);
    return ok;
}

static bool get(const struct run_config *config, const char *name, const char *key, struct limits *limits, char **ret,
                GError **error)
{
    auto_(catalog) catalog = NULL;
    auto_(arena) mem = arena_new(16 << 20);
    struct run_row run;
    if (!catalog_open(&catalog, config->world, config->home, CATALOG_READ_ONLY, error) ||
        !catalog_run_get(catalog, name, mem, &run, error) || !limits_now(catalog, &run, limits, mem, error))
        return false;
    *ret = limits_get(limits, limits_full_key(key, mem), error);
    return *ret != NULL;
}

bool run_setting(const struct run_config *config, const char *name, const char *key, char **ret, GError **error)
{
    struct limits limits;
    limits_init(&limits);
    bool got = get(config, name, key, &limits, ret, error);
    limits_done(&limits);
    return got;
}

static bool is_first(const struct run_settings *settings, size_t at, GError **error)
{
    const char *key = settings->at[at].key;
    for (size_t i = 0; i < at; i++)
        if (strcmp(settings->at[i].key, key) == 0)
            return error_set(error, SLUICE_ERROR_USAGE, "%s is set twice, to %s and to %s: name it once", key,
                             settings->at[i].value, settings->at[at].value);
    return true;
}

/* What nobody can feel cannot be promised: a plan is refused for it, too. */
static bool is_felt(struct catalog *catalog, const struct run_row *run, const struct setting *setting,
                    struct arena *mem, GError **error)
{
    bool felt = true;
    if (strcmp(setting->key, LIMITS_LIVE) != 0 || strcmp(setting->value, "none") == 0)
        return true;
    return plan_felt_read(catalog, run, mem, &felt, error) &&
           (felt || error_set(error, SLUICE_ERROR_USAGE,
                              "%s: neither source nor target of %s has servers that others use, whose requests could "
                              "become slower",
                              setting->key, run->name));
}

/* Refused before it is recorded: what a row cannot read would stop every process that takes the run up. */
static bool are_settings(struct catalog *catalog, const struct run_row *run, struct run_settings *io, struct arena *mem,
                         GError **error)
{
    struct limits limits;
    limits_init(&limits);
    bool fit = limits_now(catalog, run, &limits, mem, error);
    for (size_t i = 0; fit && i < io->n; i++) {
        struct setting *setting = &io->at[i];
        setting->key = limits_full_key(setting->key, mem);
        fit = is_first(io, i, error) && limits_set(&limits, setting->key, setting->value, error) &&
              is_felt(catalog, run, setting, mem, error);
    }
    for (size_t i = 0; fit && i < io->n; i++)
        fit = limits_sensible(&limits, io->at[i].key, error);
    limits_done(&limits);
    return fit;
}

/* `KEY=VALUE KEY=VALUE`; the caller frees. */
static char *settings_text(const struct run_settings *settings)
{
    GString *text = g_string_new(NULL);
    for (size_t i = 0; i < settings->n; i++)
        g_string_append_printf(text, "%s%s=%s", i ? " " : "", settings->at[i].key, settings->at[i].value);
    return g_string_free(text, FALSE);
}

bool run_set(const struct run_config *config, const char *name, struct run_settings *io, struct run_result *ret,
             enum run_heard *ret_heard, GError **error)
{
    auto_(catalog) catalog = NULL;
    bool held;
    *ret_heard = RUN_UNHELD;
    if (!find(config, name, &catalog, ret, error) ||
        !rights_may(config, catalog, &ret->run, SPEC_MAY_SET, ret->mem, error) ||
        !are_settings(catalog, &ret->run, io, ret->mem, error))
        return false;
    if (run_state_over(ret->run.state))
        return error_set(error, SLUICE_ERROR_REFUSED, "%s is %s: nothing is left to limit", ret->run.name,
                         run_state_word(ret->run.state));
    if (!catalog_settings_add(catalog, ret->run.id, io->at, io->n, &config->act, error) ||
        !is_held(config, &ret->run, &held, error))
        return false;
    g_autofree char *all = settings_text(io);
    struct wish wish = {.kind = WISH_SET, .value = all, .act = config->act};
    if (held && !pass_on(catalog, config, &wish, ret, ret_heard, error))
        return false;
    return *ret_heard == RUN_HEARD || !run_state_over(ret->run.state) ||
           error_set(error, SLUICE_ERROR_REFUSED, "%s is %s: it came to its end before it heard of the limit",
                     ret->run.name, run_state_word(ret->run.state));
}
