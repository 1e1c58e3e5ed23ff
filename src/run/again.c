#include "run/again.h"

#include <jansson.h>

#include "base/retry.h"
#include "run/check.h"
#include "run/ending.h"

#define SERVERS      "servers"
#define LOOK_US      (INT64_C(30) * 1000 * 1000)
#define MOST_LOSSES  8 /* of one process */
#define LOOK_CALL_US (INT64_C(10) * 1000 * 1000)

const char *again_conditions(const char *servers, struct arena *mem)
{
    json_t *object = json_pack("{s:s}", SERVERS, servers);
    g_autofree char *text = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    return arena_text(mem, slice_of_text(text));
}

/* --- looking ------------------------------------------------------------------------------------------------------ */

/* A server that is being replaced at this moment answers a little later. */
static bool look_now(struct hold *hold, struct arena *mem, struct history **ret, GError **error)
{
    const struct world *world = hold->config->world;
    struct retry retry;
    retry_init(&retry, world, LOOK_US);
    for (;;) {
        g_autoptr(GError) failed = NULL;
        int64_t wait_us;
        struct call call = {
            .ds = &hold->plan->target_ds, .mem = mem, .deadline_us = world_monotonic_us(world) + LOOK_CALL_US};
        if (store_history_look(hold->target, &call, hold->run.uid, ret, &failed))
            return true;
        if (watch_is_signalled(hold->config))
            return error_set(error, SLUICE_ERROR_INTERRUPTED,
                             "%s: interrupted while its servers were asked what they have; the same command goes on",
                             hold->run.name);
        if (!retry_again(&retry, world, failed, &wait_us)) {
            g_propagate_error(error, g_steal_pointer(&failed));
            return false;
        }
        world_sleep_us(world, wait_us, NULL);
    }
}

struct looking {
    const uint8_t *uid; /* of the run */
    const struct history_ops *ops;
    struct history *now;
    struct arena *mem;
};

/* Checkpoints of before there were conditions have none: of these only the gate tells. */
static bool where_of(struct looking *looking, const struct checkpoint_look *look, const char **ret, GError **error)
{
    json_t *object = look->conditions ? json_loads(look->conditions, 0, NULL) : NULL;
    const char *was = json_string_value(json_object_get(object, SERVERS));
    struct witness witness = {.fence.part = look->part, .lane = look->lane, .number = look->settled};
    memcpy(witness.fence.run, looking->uid, sizeof witness.fence.run);
    *ret = NULL;
    bool fits = !was || looking->ops->holds(looking->now, slice_of_text(was), &witness, looking->mem, ret);
    json_decref(object);
    return fits || error_set(error, SLUICE_ERROR_TOO_BIG, "what servers may have lost does not fit into memory");
}

static bool add_where(struct looking *looking, struct part_lost *part, const char *where, GError **error)
{
    g_autofree char *both = part->where ? g_strdup_printf("%s;%s", part->where, where) : g_strdup(where);
    part->where = arena_text(looking->mem, slice_of_text(both));
    return part->where || error_set(error, SLUICE_ERROR_TOO_BIG, "what servers may have lost does not fit into memory");
}

/* Of each partition the first checkpoint that may be lost, and with it all that came behind it. */
static bool lost_of(struct looking *looking, const struct checkpoint_looks *looks, GArray *into, GError **error)
{
    for (size_t i = 0; i < looks->n; i++) {
        const struct checkpoint_look *look = &looks->rows[i];
        const char *where;
        if (!where_of(looking, look, &where, error))
            return false;
        if (!where)
            continue;
        if (!into->len || g_array_index(into, struct part_lost, into->len - 1).part != look->part) {
            struct part_lost part = {.part = look->part, .after = look->number - 1};
            g_array_append_val(into, part);
        }
        if (!add_where(looking, &g_array_index(into, struct part_lost, into->len - 1), where, error))
            return false;
    }
    return true;
}

static bool take_back(struct hold *hold, const GArray *lost, GError **error)
{
    const struct part_lost *parts = (const struct part_lost *)(const void *)lost->data;
    if (lost->len == 0)
        return true;
    if (++hold->losses > MOST_LOSSES)
        return error_set(error, SLUICE_ERROR_HALTED,
                         "the servers of %s were replaced %d times while this process was at work, each time with "
                         "writes that may be lost; see to it that they stay, then `sluice resume %s --reason …` looks "
                         "again at what was written, and `sluice rollback %s` takes the run back",
                         hold->run.target, MOST_LOSSES, hold->run.name, hold->run.name);
    if (!hold_lock_dataset(hold, error) ||
        !catalog_parts_lost(hold->catalog, hold->run.id, parts, lost->len, &hold->config->act, error) ||
        !hold_reload(hold, error))
        return false;
    g_autofree char *text = ending_words("servers of %s were replaced or started anew: what %u partitions had written "
                                         "is looked at again, and what was lost is done again",
                                         hold->run.target, lost->len);
    hold_event(hold, RUN_EVENT_STAGE, text);
    return true;
}

bool again_look(struct hold *hold, enum parts_kind kind, size_t *ret_n, GError **error)
{
    struct checkpoint_looks looks;
    auto_(arena) mem = arena_new(256 << 20);
    g_autoptr(GArray) lost = g_array_new(FALSE, FALSE, sizeof(struct part_lost));
    struct looking looking = {.uid = hold->run.uid, .ops = store_driver(hold->plan->target)->history, .mem = mem};
    *ret_n = 0;
    if (!looking.ops)
        return true;
    if (!catalog_checkpoint_looks(hold->catalog, hold->run.id, kind, mem, &looks, error))
        return false;
    if (looks.n == 0)
        return true;
    if (!look_now(hold, mem, &looking.now, error))
        return false;
    bool found = lost_of(&looking, &looks, lost, error);
    looking.ops->free(looking.now);
    if (!found || !take_back(hold, lost, error))
        return false;
    *ret_n = lost->len;
    return true;
}

/* --- what counted once ----------------------------------------------------------------------------------------------
 */

static void add_new(GString *where, const char *more)
{
    g_auto(GStrv) known = g_strsplit(where->str, ";", 0);
    if (!g_strv_contains((const char *const *)known, more))
        g_string_append_printf(where, "%s%s", where->len ? ";" : "", more);
}

static bool add_lost(struct looking *looking, const struct checkpoint_looks *looks, GString *where, GError **error)
{
    for (size_t i = 0; i < looks->n; i++) {
        const char *more;
        if (!where_of(looking, &looks->rows[i], &more, error))
            return false;
        if (more)
            add_new(where, more);
    }
    return true;
}

bool again_where(const struct again_asking *asking, const char *was, const char **ret, GError **error)
{
    struct checkpoint_looks looks;
    struct arena *mem = asking->call->mem;
    g_autoptr(GString) where = g_string_new(was);
    struct looking looking = {.uid = asking->uid, .ops = session_driver(asking->target)->history, .mem = mem};
    bool known =
        catalog_lost_looks(catalog_together_take(asking->together), asking->run, asking->part, mem, &looks, error);
    catalog_together_give(asking->together);
    if (!known)
        return false;
    if (!store_history_look(asking->target, asking->call, asking->uid, &looking.now, error))
        return false;
    bool ok = add_lost(&looking, &looks, where, error);
    looking.ops->free(looking.now);
    if (!ok)
        return false;
    *ret = arena_text(mem, slice_of_text(where->str));
    return *ret || error_set(error, SLUICE_ERROR_TOO_BIG, "what servers may have lost does not fit into memory");
}

enum crew_end again_crew(struct hold *hold, GError **error)
{
    for (;;) {
        size_t lost;
        enum crew_end end = hold_crew(hold, UINT32_MAX, error);
        if (end != CREW_WRITTEN)
            return end;
        if (!again_look(hold, hold->job.parts, &lost, error))
            return CREW_FAILED;
        if (lost == 0)
            return end;
    }
}

/* --- stages that have passed -------------------------------------------------------------------------------------- */

static bool has_passed(const struct stage_row *stage)
{
    return stage->state == STAGE_PASSED || stage->state == STAGE_WAITING;
}

static bool is_open(const struct stage_row *stage)
{
    return stage->parts[PART_PENDING] + stage->parts[PART_RUNNING] + stage->parts[PART_WRITTEN] > 0;
}

/* *ret_go false: the result says why. */
static bool write_again(struct hold *hold, uint32_t stage, struct run_result *ret, bool *ret_go, GError **error)
{
    GError *failed = NULL;
    *ret_go = false;
    hold->closes_ms = 0; /* what was written already does not wait for its hours */
    enum crew_end end;
    do {
        bool go = false;
        if (!guarding_wait(hold, ret, &go, error))
            return false;
        if (!go)
            return true;
        if (crew_source_passed(&hold->shared))
            return ending_by_source(hold, ret, error);
        if (!hold_move(hold, RUN_RUNNING, NULL, NULL, error))
            return false;
        end = hold_crew(hold, stage, &failed);
    } while (end == CREW_GUARDED);
    switch (end) {
    case CREW_WRITTEN:
        *ret_go = true;
        return hold_reload(hold, error);
    case CREW_SPENT:
        return ending_by_budget(hold, ret, error);
    case CREW_LIMITED:
        return ending_by_limit(hold, ret, error);
    case CREW_UNREADABLE:
        return ending_by_source(hold, ret, error);
    case CREW_WISHED:
        return ending_by_wish(hold, &hold->wish, ret, error);
    case CREW_INTERRUPTED:
        return ending_by_signal(hold, ret, error);
    case CREW_CLOSED:
    case CREW_GUARDED:
    case CREW_FAILED:
        break;
    }
    return ending_by_failure(hold, failed, ret, error);
}

static bool differs(const struct hold *hold, const struct stage_row *stage, const struct verify_result *found,
                    GError **error)
{
    return error_set(error, SLUICE_ERROR_HALTED,
                     "stage %s had passed; servers were replaced, what they lost was written again, and it is not as "
                     "it was: %s%s%s. Look into it; `sluice rollback %s` takes the run back",
                     stage->name, found->sentence, found->report_path ? "; the report is " : "",
                     found->report_path ? found->report_path : "", hold->run.name);
}

/* The report is kept, and where it says that something differs, *ret_failed does too. */
static bool keep_verdict(struct hold *hold, const struct stage_row *stage, const struct verify_result *found,
                         GError **ret_failed, GError **error)
{
    uint8_t report[32];
    if (!check_keep_report(hold, stage->stage, found, report, error))
        return false;
    if (!found->pass)
        differs(hold, stage, found, ret_failed);
    return true;
}

/* Given up because it was asked for, or failed. *ret_again: by a guard that halts the run, or that nobody waits for,
 * and it is clear by now. */
static bool not_judged(struct hold *hold, const struct watch *watch, GError *failed, struct run_result *ret,
                       bool *ret_again, GError **error)
{
    if (!error_is(failed, SLUICE_ERROR_CANCELLED))
        return ending_by_failure(hold, failed, ret, error);
    g_error_free(failed);
    if (watch->wish.id)
        return ending_by_wish(hold, &watch->wish, ret, error);
    if (watch->interrupted)
        return ending_by_signal(hold, ret, error);
    return guarding_wait(hold, ret, ret_again, error);
}

/* What was written again is verified before the stage counts as passed once more. */
static bool verify_again(struct hold *hold, const struct stage_row *stage, struct run_result *ret, bool *ret_go,
                         GError **error)
{
    struct verify_result found = {0};
    struct watch watch = {.catalog = hold->catalog,
                          .mem = hold->mem,
                          .run = hold->run.id,
                          .limits = &hold->shared.limits,
                          .govern = hold->shared.govern,
                          .guarding = hold->guarding};
    struct check_wish wish = {.stage = stage->stage};
    GError *failed = NULL;
    *ret_go = false;
    if (crew_source_passed(&hold->shared)) /* nor judged by what may be a part of what there was */
        return ending_by_source(hold, ret, error);
    if (!hold_move(hold, RUN_VERIFYING, NULL, NULL, error))
        return false;
    if (!check_parts(hold, &wish, &watch, &found, &failed)) {
        bool again = false, ended = not_judged(hold, &watch, failed, ret, &again, error);
        return again ? verify_again(hold, stage, ret, ret_go, error) : ended;
    }
    bool kept = keep_verdict(hold, stage, &found, &failed, error);
    verify_result_done(&found);
    if (!kept)
        return false;
    if (failed)
        return ending_by_failure(hold, failed, ret, error);
    if (watch.wish.id)
        return ending_by_wish(hold, &watch.wish, ret, error);
    *ret_go = true;
    return hold_parts_move(hold, stage->stage, PART_WRITTEN, PART_VERIFIED, error);
}

static bool stage_again(struct hold *hold, const struct stage_row *stage, struct run_result *ret, bool *ret_go,
                        GError **error)
{
    return write_again(hold, stage->stage, ret, ret_go, error) &&
           (!*ret_go || verify_again(hold, stage, ret, ret_go, error));
}

/* Its shadow is not written any more: what of it is lost by now is passed over and listed. */
static bool is_promoted(const struct run_row *run)
{
    uint64_t parts = 0;
    for (size_t i = 0; i < PART_STATE_COUNT; i++)
        parts += run->promotion_parts[i];
    return parts > 0;
}

bool again_passed(struct hold *hold, struct run_result *ret, bool *ret_go, GError **error)
{
    struct stage_row *stages;
    size_t n, n_lost = 1;
    GError *failed = NULL;
    *ret_go = true;
    while (n_lost > 0 && !is_promoted(&hold->run)) {
        if (!again_look(hold, PARTS_FORWARD, &n_lost, &failed)) {
            *ret_go = false;
            return ending_by_failure(hold, failed, ret, error);
        }
        if (!catalog_stages(hold->catalog, hold->run.id, hold->mem, &stages, &n, error))
            return false;
        for (size_t i = 0; i < n; i++) {
            if (!has_passed(&stages[i]) || !is_open(&stages[i]))
                continue;
            n_lost++;
            if (!stage_again(hold, &stages[i], ret, ret_go, error))
                return false;
            if (!*ret_go)
                return true;
        }
    }
    return true;
}
