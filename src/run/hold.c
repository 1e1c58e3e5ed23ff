#include "run/hold.h"

#include <jansson.h>
#include <unistd.h>

#include "catalog/ledger.h"
#include "plan/home.h"
#include "plan/keyring.h"
#include "run/ended.h"
#include "run/retain.h"
#include "run/rights.h"
#include "run/tell.h"

#define CALL_TIMEOUT_US (INT64_C(60) * 1000 * 1000)

/* Names a crew of this process so that no later one is taken for it, even with the process's pid: the pid and eight
 * random bytes. */
static char *holder_name(const struct world *world)
{
    uint64_t random;
    world_random(world, &random, sizeof random);
    return g_strdup_printf("%s:%ld:%016" G_GINT64_MODIFIER "x", g_get_host_name(), (long)getpid(), random);
}

bool hold_take(struct hold **ret, const struct run_config *config, const char *name, GError **error)
{
    auto_(hold) hold = g_new0(struct hold, 1);
    hold->config = config;
    hold->mem = arena_new(64 << 20);
    exec_shared_init(&hold->shared);
    if (!catalog_open(&hold->catalog, config->world, config->home, CATALOG_EXISTING, error) ||
        !catalog_run_get_one(hold->catalog, name, hold->mem, &hold->run, error) ||
        !run_lock_take(&hold->lock, config->world, config->home, hold->run.name, error) || !hold_reload(hold, error))
        return false;
    hold->holder = holder_name(config->world);
    if (!catalog_run_hold(hold->catalog, hold->run.id, hold->holder, error) ||
        !hooks_begin(&hold->hooks, config, hold->catalog, &hold->run, error))
        return false;
    *ret = g_steal_pointer(&hold);
    return true;
}

void hold_free(struct hold *hold)
{
    if (!hold)
        return;
    g_clear_pointer(&hold->hooks, hooks_end); /* under the run's lock: nobody else delivers */
    g_clear_pointer(&hold->guarding, guarding_free);
    g_clear_pointer(&hold->target, store_session_close);
    g_clear_pointer(&hold->shared.govern, govern_end);
    g_clear_pointer(&hold->undo, undo_free);
    g_clear_pointer(&hold->quarantine, quarantine_free);
    g_clear_pointer(&hold->notes, quarantine_free);
    g_clear_pointer(&hold->plan, plan_free);
    g_clear_pointer(&hold->lock, run_lock_free);
    g_clear_pointer(&hold->catalog, catalog_free);
    exec_shared_done(&hold->shared);
    g_free(hold->limit);
    g_free(hold->undo_dir);
    g_free(hold->holder);
    arena_free(hold->mem);
    g_free(hold);
}

struct plan_config hold_plan_config(const struct run_config *config)
{
    return (struct plan_config){.world = config->world, .registry = config->registry, .home = config->home};
}

/* The lock of a run of this home that is over is no one's: who is about to take it back, or looked into it, has died.
 * One who is still about it holds the run. */
static bool holder_is_over(struct hold *hold, const struct store_lock *lock)
{
    struct run_row row;
    struct run_holder at_work;
    return strcmp(lock->home, catalog_home(hold->catalog)) == 0 &&
           catalog_run_get(hold->catalog, lock->run, hold->mem, &row, NULL) && run_state_over(row.state) &&
           memcmp(row.uid, lock->run_uid, sizeof row.uid) == 0 &&
           run_lock_holder(&at_work, hold->config->world, hold->config->home, lock->run, NULL) && !at_work.live;
}

/* Recorded before it is done. `lock` says nothing where what stands in the store cannot be read. */
static bool record_force(struct hold *hold, const struct store_lock *lock, GError **error)
{
    json_t *details =
        json_pack("{s:{s:s?, s:s?, s:s?}}", "held_by", "run", lock->run, "host", lock->host, "home", lock->home);
    g_autofree char *text = json_dumps(details, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(details);
    struct ledger_entry entry = {.actor = hold->config->act.actor,
                                 .action = "force-unlock",
                                 .reason = hold->config->act.reason,
                                 .run = hold->run.name,
                                 .digests = hold->run.digests,
                                 .details = text};
    return ledger_append(hold->catalog, &entry, error);
}

/* From runs that are over it is taken, and from each of them alone: another run may be quicker, and then has it.
 * *ret_holder: who has it, where it is locked. */
static bool take_lock(struct hold *hold, const struct store_lock *mine, struct store_lock *ret_holder, GError **error)
{
    struct call call = {.ds = &hold->plan->target_ds, .mem = hold->mem};
    struct store_lock wish = *mine;
    for (;;) {
        g_autoptr(GError) failed = NULL;
        *ret_holder = wish;
        if (store_lock(hold->target, &call, ret_holder, false, &failed))
            return true;
        if (!error_is(failed, SLUICE_ERROR_LOCKED) || !holder_is_over(hold, ret_holder)) {
            g_propagate_error(error, g_steal_pointer(&failed));
            return false;
        }
        memcpy(wish.over_uid, ret_holder->run_uid, sizeof wish.over_uid);
    }
}

static bool is_locked(const struct hold *hold, const struct store_lock *by, GError **error)
{
    return error_set(error, SLUICE_ERROR_LOCKED,
                     "%s: locked by run %s of host %s, home %s; end or roll back that run there, or take the lock with "
                     "--force-unlock once you know that it is dead",
                     hold->run.target, by->run, by->host, by->home);
}

/* Patterns that overlap may be locked by several: by force it is taken from one after the other, each on record. */
#define MOST_FORCED 64

static bool lock_dataset(struct hold *hold, GError **error)
{
    struct call call = {.ds = &hold->plan->target_ds, .mem = hold->mem};
    struct store_lock lock,
        mine = {.run = hold->run.name, .host = g_get_host_name(), .home = catalog_home(hold->catalog)};
    memcpy(mine.run_uid, hold->run.uid, sizeof mine.run_uid);
    for (int forced = 0;; forced++) {
        g_autoptr(GError) failed = NULL;
        if (take_lock(hold, &mine, &lock, &failed))
            return true;
        bool locked = error_is(failed, SLUICE_ERROR_LOCKED), damaged = error_is(failed, SLUICE_ERROR_CORRUPT);
        if (!locked && !(damaged && hold->config->force_unlock)) {
            g_propagate_error(error, g_steal_pointer(&failed));
            return false;
        }
        if (locked && (!hold->config->force_unlock || forced == MOST_FORCED))
            return is_locked(hold, &lock, error);
        if (!record_force(hold, locked ? &lock : &(struct store_lock){0}, error))
            return false;
        bool known = locked && memcmp(mine.over_uid, lock.run_uid, sizeof mine.over_uid) != 0;
        if (!known) /* nobody's that can be named, or back again */
            return store_lock(hold->target, &call, &mine, true, error);
        memcpy(mine.over_uid, lock.run_uid, sizeof mine.over_uid);
    }
}

/* Before the lock, so that nobody's is touched in vain; and behind it, since whoever ends the run with another copy of
 * the home marks that before he gives the lock back. */
bool hold_lock_dataset(struct hold *hold, GError **error)
{
    struct call call = {.ds = &hold->plan->target_ds, .mem = hold->mem};
    if (!store_driver(hold->plan->target)->write)
        return true; /* an append-only target: every run has files of its own */
    if (!ended_check(hold, &call, error) || !lock_dataset(hold, error))
        return false;
    if (ended_check(hold, &call, error))
        return true;
    if (hold->elsewhere)
        store_unlock(hold->target, &call, hold->run.uid, NULL);
    return false;
}

/* The store knows a higher lane of the partition than the catalog has ever granted. */
static bool fence_is_ahead(struct hold *hold, const struct part_row *part, struct arena *mem, bool *ret, GError **error)
{
    struct call call = {.ds = &hold->plan->target_ds, .mem = mem};
    struct fence_id id = {.part = part->part};
    struct fence fence;
    memcpy(id.run, hold->run.uid, sizeof id.run);
    arena_reset(mem);
    if (!store_fence_read(hold->target, &call, &id, &fence, error))
        return false;
    *ret = fence.present && fence.highest > part->lane;
    return true;
}

static bool is_not_ahead(struct hold *hold, const struct part_row *part, struct arena *mem, GError **error)
{
    bool ahead;
    if (!fence_is_ahead(hold, part, mem, &ahead, error))
        return false;
    return !ahead || error_set(error, SLUICE_ERROR_BEHIND,
                               "%s: the home %s is older than what the store knows of this run (partition %u): it was "
                               "restored from a copy; use the home that the run last ran in",
                               hold->run.name, catalog_home(hold->catalog), part->part);
}

/* A home that was restored from an old copy. The first lane that it opens would be refused, but a rollback opens none
 * of partitions that it has never granted, and would leave what another home wrote there. Going forwards, those may be
 * left to the lanes: a resume of 10,000 partitions does not ask 10,000 times. */
static bool parts_are_not_behind(struct hold *hold, enum parts_kind kind, bool forward, GError **error)
{
    auto_(arena) mem = arena_new(32 << 20);
    auto_(arena) all = arena_new(HOLD_ROWS_BYTES);
    struct parts_of of = {.run = hold->run.id, .stage = UINT32_MAX, .kind = kind};
    struct part_row *rows;
    size_t n;
    bool granted = false;
    if (!catalog_parts(hold->catalog, &of, all, &rows, &n, error))
        return false;
    for (size_t i = 0; i < n; i++) {
        bool left = forward && (rows[i].lane == 0 || (rows[i].state != PART_RUNNING && rows[i].state != PART_PENDING));
        granted |= rows[i].lane > 0;
        if (!left && !is_not_ahead(hold, &rows[i], mem, error))
            return false;
    }
    /* One that was split off after the copy was taken, of one that had been granted, has the next number. */
    struct part_row next = {.part = n > 0 ? rows[n - 1].part + 1 : 0};
    return !granted || kind != PARTS_FORWARD || is_not_ahead(hold, &next, mem, error);
}

static bool catalog_is_not_behind(struct hold *hold, bool forward, GError **error)
{
    for (enum parts_kind kind = 0; kind < PARTS_KIND_COUNT; kind++)
        if (!parts_are_not_behind(hold, kind, forward, error))
            return false;
    return true;
}

static bool open_files(struct hold *hold, GError **error)
{
    g_autofree char *quarantine = home_path(hold->config->home, HOME_QUARANTINE, hold->run.name);
    g_autofree char *notes = home_path(hold->config->home, HOME_NOTES, hold->run.name);
    struct quarantine_config refused = {.world = hold->config->world, .path = quarantine, .sealed_as = "quarantine"};
    struct quarantine_config noted = {.world = hold->config->world, .path = notes, .sealed_as = "reports"};
    hold->undo_dir = home_path(hold->config->home, HOME_UNDO, hold->run.name);
    hold->undo_config = (struct undo_config){.world = hold->config->world, .dir = hold->undo_dir};
    memcpy(hold->undo_config.run_uid, hold->run.uid, sizeof hold->run.uid);
    memcpy(refused.run_uid, hold->run.uid, sizeof hold->run.uid);
    memcpy(noted.run_uid, hold->run.uid, sizeof hold->run.uid);
    return undo_open(&hold->undo, &hold->undo_config, error) && quarantine_open(&hold->quarantine, &refused, error) &&
           quarantine_open(&hold->notes, &noted, error);
}

static void share(struct hold *hold)
{
    struct exec_shared *shared = &hold->shared;
    shared->world = hold->config->world;
    shared->job = &hold->job;
    shared->home = hold->config->home;
    shared->holder = hold->holder;
    shared->act = hold->config->act;
    shared->act.reason = NULL; /* it is of what the caller asked for, and not of what workers find to do */
    shared->undo = hold->undo;
    shared->undo_config = &hold->undo_config;
    shared->quarantine = hold->quarantine;
    shared->notes = hold->notes;
    shared->call_timeout_us = CALL_TIMEOUT_US;
    limits_reset(&shared->limits, &hold->plan->limits);
}

/* Of all that has not expired: asked before anything is opened, so that a run does not end where it meets the first
 * sealed file. */
static bool keys_are_there(struct hold *hold, GError **error)
{
    for (enum expiry_what what = 0; hold->plan->sealed && what < EXPIRY_COUNT; what++)
        if (retain_stands(hold->catalog, &hold->run, what, NULL) &&
            !keyring_check(hold->config->world, hold->config->home, hold->run.uid, expiry_word(what), error))
            return error_add(error, "%s", hold->run.name);
    return true;
}

/* What is used so far; nobody is at work. */
static void count_budget(struct hold *hold)
{
    struct money_rates rates = limits_rates(&hold->shared.limits);
    int64_t now_us = world_monotonic_us(hold->config->world);
    budget_price(&hold->shared.budget, &rates);
    budget_begin(&hold->shared.budget, &hold->run, now_us);
    budget_end(&hold->shared.budget, now_us);
}

static bool begin_pace(struct hold *hold, GError **error)
{
    struct spec_live live = limits_live(&hold->shared.limits);
    struct govern_self self = {
        .what = hold->run.name, .home = catalog_home(hold->catalog), .learned = hold->config->learned};
    if (!govern_begin(&hold->shared.govern, hold->config->world, hold->plan, &hold->shared.limits, &self, error))
        return false;
    if (spec_live_given(&live))
        hold_event(hold, RUN_EVENT_NOTE,
                   govern_went_on(hold->shared.govern)
                       ? "the live latency is known from just before, and is not measured for seconds once more"
                       : "the live latency is measured, for a few seconds in which nothing is sent");
    return true;
}

bool hold_open(struct hold *hold, enum hold_for what, GError **error)
{
    struct plan_config config = hold_plan_config(hold->config);
    if (!retain_stands(hold->catalog, &hold->run, EXPIRY_UNDO, error) ||
        !retain_stands(hold->catalog, &hold->run, EXPIRY_REPORTS, error))
        return false;
    bool loaded = what == HOLD_BACK ? plan_load_target(&hold->plan, &config, hold->catalog, &hold->run, error)
                                    : plan_load(&hold->plan, &config, hold->catalog, &hold->run, error);
    if (!loaded || !keys_are_there(hold, error) || !store_session_open(&hold->target, hold->plan->target, error))
        return false;
    if (what != HOLD_LOOK && !hold_lock_dataset(hold, error))
        return false;
    if (what == HOLD_FORWARD && !plan_shadow_stays(hold->plan, error))
        return false;
    if (what != HOLD_LOOK && store_driver(hold->plan->target)->write &&
        !catalog_is_not_behind(hold, what == HOLD_FORWARD, error))
        return false;
    if (what != HOLD_LOOK && !open_files(hold, error))
        return false;
    share(hold);
    if (!limits_take_settings(&hold->shared.limits, hold->catalog, hold->run.id, hold->mem, error))
        return false;
    count_budget(hold);
    limits_back(&hold->shared.limits, what == HOLD_BACK);
    if (!begin_pace(hold, error) || !run_lock_begins(hold->lock, error))
        return false;
    hold->guarding = guarding_new(hold);
    return true;
}

bool hold_reload(struct hold *hold, GError **error)
{
    return catalog_run_reload(hold->catalog, hold->mem, &hold->run, error);
}

void hold_event(const struct hold *hold, enum run_event_kind kind, const char *text)
{
    struct run_event event = {.kind = kind, .run = &hold->run, .text = text};
    run_tell(hold->config, &event);
}

struct act hold_act(const struct hold *hold)
{
    struct act act = hold->config->act;
    if (hold->said == hold->config)
        act.reason = NULL;
    return act;
}

static bool move_on(struct hold *hold, struct run_move move, GError **error)
{
    move.run = hold->run.id;
    move.from = hold->run.state;
    move.act = hold_act(hold);
    move.holder = hold->holder;
    bool ours = move.to != RUN_INTERRUPTED; /* that is a signal's, or of the process before */
    if (!ours)
        move.act.reason = NULL;
    if (!catalog_run_move(hold->catalog, &move, error) || !hold_reload(hold, error))
        return false;
    if (ours)
        hold->said = hold->config;
    hold_event(hold, RUN_EVENT_STATE, move.reason);
    return true;
}

static bool is_reason(const struct hold *hold, const char *reason)
{
    return g_strcmp0(hold->run.reason, reason) == 0;
}

/* A guard's pause gives way to one that needs a person, and one that was resumed to whatever stops it now. */
static bool move_or_stay(struct hold *hold, const struct run_move *move, GError **error)
{
    bool stays =
        hold->run.state == move->to && !hold->run.guard && (move->to != RUN_PAUSED || is_reason(hold, move->reason));
    return stays || move_on(hold, *move, error);
}

bool hold_move(struct hold *hold, enum run_state to, const char *reason, const char *details, GError **error)
{
    struct run_move move = {.to = to, .reason = reason, .details = details};
    return move_or_stay(hold, &move, error);
}

bool hold_pause(struct hold *hold, const char *pauser, const char *reason, const char *details, GError **error)
{
    struct run_move move = {.to = RUN_PAUSED, .pauser = pauser, .reason = reason, .details = details};
    return move_or_stay(hold, &move, error);
}

bool hold_move_back(struct hold *hold, uint32_t from_stage, GError **error)
{
    struct run_move back = {.to = RUN_ROLLING_BACK, .reason = hold->config->act.reason, .back_stage = &from_stage};
    bool on_the_way = hold->run.state == RUN_ROLLING_BACK && hold->run.back_stage == from_stage;
    return on_the_way || move_on(hold, back, error);
}

bool hold_parts_move(struct hold *hold, uint32_t stage, enum part_state from, enum part_state to, GError **error)
{
    struct part_row *rows;
    size_t n;
    auto_(arena) mem = arena_new(HOLD_ROWS_BYTES);
    g_autoptr(GArray) parts = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    struct parts_of of = {.run = hold->run.id, .stage = stage};
    if (!catalog_parts(hold->catalog, &of, mem, &rows, &n, error))
        return false;
    for (size_t i = 0; i < n; i++)
        if (rows[i].state == from)
            g_array_append_val(parts, rows[i].part);
    const uint32_t *these = (const uint32_t *)(void *)parts->data;
    return parts->len == 0 || catalog_parts_move(hold->catalog, hold->run.id, these, parts->len, to, error);
}

static struct run_step step_take(const char *name, struct step_times *times)
{
    return (struct run_step){.name = name,
                             .calls = atomic_exchange(&times->calls, 0),
                             .busy_us = atomic_exchange(&times->busy_us, 0),
                             .cpu_us = atomic_exchange(&times->cpu_ns, 0) / 1000};
}

/* Where the time of this crew went, and the counters back to nothing. */
static void event_steps(struct hold *hold)
{
    struct run_step steps[OP_KIND_COUNT + 1] = {step_take("core", &hold->shared.core)};
    struct run_event event = {.kind = RUN_EVENT_STEPS, .run = &hold->run, .steps = steps, .n_steps = 1};
    for (int kind = 0; kind < OP_KIND_COUNT; kind++) {
        struct run_step step = step_take(op_row((enum op_kind)kind)->name, &hold->shared.times[kind]);
        if (step.calls > 0 || step.cpu_us > 0)
            steps[event.n_steps++] = step;
    }
    run_tell(hold->config, &event);
}

/* Of a rollback or a promotion: how many keys it is about. Only to be shown, hence without errors. */
static uint64_t keys_of(struct hold *hold)
{
    struct parts_of of = {.run = hold->run.id, .stage = UINT32_MAX, .kind = hold->job.parts};
    auto_(arena) mem = arena_new(HOLD_ROWS_BYTES);
    struct part_row *rows;
    size_t n = 0;
    uint64_t keys = 0;
    if (!catalog_parts(hold->catalog, &of, mem, &rows, &n, NULL))
        return 0;
    for (size_t i = 0; i < n; i++)
        keys += rows[i].records;
    return keys;
}

static bool begin_work(struct hold *hold, GError **error)
{
    if (!hold_reload(hold, error))
        return false;
    budget_begin(&hold->shared.budget, &hold->run, world_monotonic_us(hold->config->world));
    return true;
}

/* What is not recorded here is less than a batch takes. */
static void end_work(struct hold *hold, struct crew *crew)
{
    int64_t worked_ms = budget_end(&hold->shared.budget, world_monotonic_us(hold->config->world));
    if (worked_ms > 0)
        catalog_worked_add(hold->catalog, hold->run.id, worked_ms, NULL);
    crew_tell_budget(crew);
}

/* Another holder than the crew before: what that one was in the middle of when it was stopped (its hours were over) is
 * granted again, in a new lane, as what a dead one left. */
static bool new_holder(struct hold *hold, GError **error)
{
    g_autofree char *next = holder_name(hold->config->world);
    if (!catalog_run_pass(hold->catalog, hold->run.id, hold->holder, next, error))
        return false;
    g_free(hold->holder);
    hold->holder = g_steal_pointer(&next);
    hold->shared.holder = hold->holder;
    return true;
}

/* Settling hears no wishes: it is short, and who wishes is heard by the work that follows. */
enum crew_end hold_crew(struct hold *hold, uint32_t stage, GError **error)
{
    struct crew crew = {
        .config = hold->config,
        .shared = &hold->shared,
        .catalog = hold->job.kind == JOB_SETTLE ? NULL : hold->catalog,
        .mem = hold->mem,
        .stage = stage,
        .lift_limits = hold->lift_limits,
        .guarding = hold->job.kind != JOB_SETTLE && !limits_hurries(&hold->shared.limits) ? hold->guarding : NULL,
        .opens_ms = hold->opens_ms,
        .closes_ms = hold->job.kind == JOB_FORWARD ? hold->closes_ms : 0,
        .of = hold->job.kind == JOB_FORWARD ? 0 : keys_of(hold),
        .workers = limits_workers(&hold->shared.limits)};
    bool forward = hold->job.kind == JOB_FORWARD;
    if (!new_holder(hold, error) || (forward && !begin_work(hold, error)))
        return CREW_FAILED;
    enum crew_end end = crew_run(&crew, error);
    if (crew.guarding)
        hold_reload(hold, NULL); /* a guard may have paused it meanwhile */
    if (forward)
        end_work(hold, &crew);
    hold->wish = crew.wish;
    g_free(hold->limit);
    hold->limit = crew.limit;
    hold->limit_key = crew.limit_key;
    event_steps(hold);
    return end;
}

/* Behind the fences: a request that arrives late finds none, so that nothing is hidden behind this any more. */
static bool drop_shadow(struct hold *hold, const struct call *call, GError **error)
{
    return hold->plan->write != WRITE_SHADOW || store_shadow_drop(hold->target, call, hold->run.uid, error);
}

bool hold_let_go(struct hold *hold, GError **error)
{
    struct call call = {.ds = &hold->plan->target_ds, .mem = hold->mem};
    if (!catalog_run_held(hold->catalog, hold->run.id, hold->holder, error))
        return false;
    if (!store_driver(hold->plan->target)->write)
        return true;
    return ended_mark(hold, &call, error) && store_fence_drop(hold->target, &call, hold->run.uid, error) &&
           drop_shadow(hold, &call, error) && store_unlock(hold->target, &call, hold->run.uid, error) &&
           store_settle(hold->target, &call, error);
}

static bool settle(struct hold *hold, enum parts_kind parts, GError **error)
{
    job_init_settle(&hold->job, parts, hold->plan, &hold->run);
    enum crew_end end = hold_crew(hold, UINT32_MAX, error);
    if (end == CREW_INTERRUPTED)
        return error_set(error, SLUICE_ERROR_INTERRUPTED, "%s: interrupted; the same command goes on", hold->run.name);
    return end != CREW_FAILED;
}

bool hold_settle(struct hold *hold, GError **error)
{
    return hold->plan->sink || (settle(hold, PARTS_FORWARD, error) &&
                                (hold->plan->write != WRITE_SHADOW || settle(hold, PARTS_PROMOTION, error)));
}

void hold_result(struct hold *hold, int exit_status, const char *text, struct run_result *ret)
{
    uint64_t number;
    hold_reload(hold, NULL);
    g_free(ret->text);
    ret->text = g_strdup(text);
    ret->exit_status = exit_status;
    ledger_head(hold->catalog, &number, ret->ledger_head, NULL);
    ret->run = hold->run;
    g_clear_pointer(&ret->mem, arena_free);
    ret->mem = g_steal_pointer(&hold->mem); /* the row's strings live there */
    hold->mem = arena_new(1 << 20);
}

bool hold_may(struct hold *hold, enum spec_may_what what, GError **error)
{
    return rights_may(hold->config, hold->catalog, &hold->run, what, hold->mem, error);
}

bool hold_end_wishes(struct hold *hold, GError **error)
{
    return catalog_wishes_end(hold->catalog, hold->run.id, error);
}

bool hold_take_settings(struct hold *hold, GError **error)
{
    limits_reset(&hold->shared.limits, &hold->plan->limits);
    return limits_take_settings(&hold->shared.limits, hold->catalog, hold->run.id, hold->mem, error);
}

void run_result_done(struct run_result *result)
{
    g_clear_pointer(&result->mem, arena_free);
    g_clear_pointer(&result->text, g_free);
    g_clear_pointer(&result->verdict, g_free);
    g_clear_pointer(&result->verdict_of, g_free);
    g_clear_pointer(&result->verdict_json, g_free);
    g_clear_pointer(&result->report, g_free);
}
