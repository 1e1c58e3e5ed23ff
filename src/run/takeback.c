/* Taking a run back, ending one that is to stand, and wishes from other terminals. */
#include "base/int.h"
#include "plan/home.h"
#include "run/hold.h"

#define BACK_PART_KEYS UINT64_C(5000)

/* --- which partitions, which keys
 * ------------------------------------------------------------------------------------- */

static bool stage_of(struct hold *hold, const char *name, uint32_t *ret, GError **error)
{
    struct stage_row *stages;
    size_t n;
    *ret = 0;
    if (!name)
        return true;
    if (!catalog_stages(hold->catalog, hold->run.id, hold->mem, &stages, &n, error))
        return false;
    for (size_t i = 0; i < n; i++)
        if (strcmp(stages[i].name, name) == 0) {
            *ret = stages[i].stage;
            return true;
        }
    return error_set(error, SLUICE_ERROR_NOT_FOUND, "%s: there is no stage '%s'; its first is '%s'", hold->run.name,
                     name, n ? stages[0].name : "");
}

/* The forward partitions of a stage and of those after it; `standing`: only those that are not rolled back yet. */
static GArray *forward_parts(struct hold *hold, uint32_t from_stage, bool standing, GError **error)
{
    struct part_row *rows;
    size_t n;
    struct parts_of of = {.run = hold->run.id, .stage = UINT32_MAX};
    if (!catalog_parts(hold->catalog, &of, hold->mem, &rows, &n, error))
        return NULL;
    GArray *parts = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    for (size_t i = 0; i < n; i++)
        if (rows[i].stage >= from_stage && !(standing && rows[i].state == PART_ROLLED_BACK))
            g_array_append_val(parts, rows[i].part);
    return parts;
}

static struct slice back_bounds(struct hold *hold, uint64_t first, uint64_t count)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    struct slice copy = SLICE_EMPTY;
    put_u64(bytes, first);
    put_u64(bytes, count);
    bool fits = arena_copy(hold->mem, slice_of(bytes->data, bytes->len), &copy);
    g_assert(fits);
    return copy;
}

static bool add_back_parts(struct hold *hold, uint64_t keys, GError **error)
{
    g_autoptr(GArray) parts = g_array_new(FALSE, TRUE, sizeof(struct part_new));
    for (uint64_t first = 0; first < keys; first += BACK_PART_KEYS) {
        uint64_t count = MIN(BACK_PART_KEYS, keys - first);
        struct part_new part = {
            .part = UNDO_ROLLBACK_PART + parts->len, .bounds = back_bounds(hold, first, count), .records = count};
        g_array_append_val(parts, part);
    }
    return parts->len == 0 || catalog_parts_add(hold->catalog, hold->run.id,
                                                (const struct part_new *)(void *)parts->data, parts->len, error);
}

bool takeback_prepare(struct hold *hold, const char *stage, GError **error)
{
    uint32_t from_stage;
    auto_(undo_chains) chains = NULL;
    if (hold_back_parts(&hold->run) > 0)
        return true;
    if (!hold_settle(hold, error) || !stage_of(hold, stage, &from_stage, error))
        return false;
    g_autoptr(GArray) parts = forward_parts(hold, from_stage, false, error);
    if (!parts)
        return false;
    struct undo_filter filter = {.parts = (const uint32_t *)(void *)parts->data, .n = parts->len};
    return undo_chains_build(&hold->undo_config, &filter, error) &&
           undo_chains_open(&chains, &hold->undo_config, error) &&
           add_back_parts(hold, undo_chains_count(chains), error) && hold_reload(hold, error);
}

/* --- rollback
 * --------------------------------------------------------------------------------------------------------- */

static char *damage_text(const struct undo_damage *damage, size_t n)
{
    GString *text = g_string_new(NULL);
    uint64_t keys = 0;
    for (size_t i = 0; i < n; i++)
        keys += damage[i].keys;
    g_string_printf(text,
                    "%" G_GSIZE_FORMAT " blocks of the undo log are damaged, with %" G_GUINT64_FORMAT
                    " keys that could not be taken back; the first is in segment %u at offset %" G_GUINT64_FORMAT,
                    n, keys, damage[0].at.segment, damage[0].at.offset);
    return g_string_free(text, FALSE);
}

static bool all_taken_back(struct hold *hold, uint64_t keys, GError **error)
{
    uint64_t back = tally_sum(&hold->run.tally, OUTCOME_KIND_BACK);
    if (back == keys)
        return true;
    return error_set(error, SLUICE_ERROR_INTERNAL,
                     "rolled back, but %" G_GUINT64_FORMAT " keys were found and %" G_GUINT64_FORMAT
                     " are accounted for",
                     keys, back);
}

static bool stages_back(struct hold *hold, uint32_t from_stage, GError **error)
{
    struct stage_row *stages;
    size_t n;
    if (!catalog_stages(hold->catalog, hold->run.id, hold->mem, &stages, &n, error))
        return false;
    for (size_t i = 0; i < n; i++) {
        struct stage_move move = {
            .run = hold->run.id, .stage = stages[i].stage, .to = STAGE_ROLLED_BACK, .act = hold->config->act};
        if (stages[i].stage >= from_stage && stages[i].state != STAGE_ROLLED_BACK &&
            !catalog_stage_move(hold->catalog, &move, error))
            return false;
    }
    return true;
}

/* Partitions and stages that are back already, from before a death, stay as they are. */
static bool forward_is_back(struct hold *hold, const char *stage, GError **error)
{
    uint32_t from_stage;
    if (!stage_of(hold, stage, &from_stage, error))
        return false;
    g_autoptr(GArray) parts = forward_parts(hold, from_stage, true, error);
    return parts &&
           (parts->len == 0 || catalog_parts_move(hold->catalog, hold->run.id, (const uint32_t *)(void *)parts->data,
                                                  parts->len, PART_ROLLED_BACK, error)) &&
           stages_back(hold, from_stage, error);
}

static bool back_finish(struct hold *hold, const char *stage, struct run_result *ret, GError **error)
{
    auto_(undo_chains) chains = NULL;
    size_t n_damage = 0;
    if (!hold_reload(hold, error) || !undo_chains_open(&chains, &hold->undo_config, error) ||
        !all_taken_back(hold, undo_chains_count(chains), error) || !forward_is_back(hold, stage, error) ||
        !hold_let_go(hold, error))
        return false;
    const struct undo_damage *damage = undo_chains_damage(chains, &n_damage);
    g_autofree char *text = n_damage ? damage_text(damage, n_damage) : NULL;
    if (!hold_move(hold, RUN_ROLLED_BACK, text, NULL, error) ||
        !undo_chains_drop_durable(&hold->undo_config, error)) /* repeating the command drops them */
        return false;
    hold_result(hold, n_damage || hold->run.tally.of[OUTCOME_LEFT] ? 8 : 0, text, ret);
    return true;
}

static bool back_sink(struct hold *hold, struct run_result *ret, GError **error)
{
    struct call call = {.ds = &hold->plan->target_ds, .mem = hold->mem};
    if (!store_sink_drop(hold->target, &call, hold->run.uid, error) ||
        !hold_move(hold, RUN_ROLLED_BACK, "its files are removed", NULL, error))
        return false;
    hold_result(hold, 0, NULL, ret);
    return true;
}

static bool stopped(struct hold *hold, enum run_state to, const char *reason, struct run_result *ret, GError **error)
{
    g_autofree char *text = g_strdup_printf("%s; continue with `sluice rollback %s`", reason, hold->run.name);
    if (!hold_move(hold, to, reason, NULL, error))
        return false;
    hold_result(hold, 3, text, ret);
    return true;
}

bool takeback_drive(struct hold *hold, const char *stage, struct run_result *ret, GError **error)
{
    GError *failed = NULL;
    if (!hold_move(hold, RUN_ROLLING_BACK, hold->config->act.reason, NULL, error))
        return false;
    if (hold->plan->sink)
        return back_sink(hold, ret, error);
    if (!takeback_prepare(hold, stage, error))
        return false;
    job_init_back(&hold->job, hold->plan, &hold->run);
    switch (hold_crew(hold, UINT32_MAX, &failed)) {
    case CREW_WRITTEN:
        return back_finish(hold, stage, ret, error);
    case CREW_WISHED:
        return stopped(hold, RUN_PAUSED, "paused while it was being rolled back", ret, error);
    case CREW_INTERRUPTED:
        return stopped(hold, RUN_INTERRUPTED, "interrupted while it was being rolled back", ret, error);
    case CREW_LIMITED:
    case CREW_FAILED:
        break;
    }
    g_propagate_error(error, failed);
    return false;
}

/* States from which a run can be taken back; one that is being taken back goes on. */
static bool back_may(const struct run_row *run, GError **error)
{
    if (run->state == RUN_ROLLING_BACK || run->state == RUN_ROLLED_BACK || run_state_may(run->state, RUN_ROLLING_BACK))
        return true;
    if (run->state == RUN_RUNNING || run->state == RUN_VERIFYING)
        return true;
    return error_set(error, SLUICE_ERROR_REFUSED, "%s is %s: there is nothing to take back", run->name,
                     run_state_word(run->state));
}

bool run_back(const struct run_config *config, const char *name, const char *stage, struct run_result *ret,
              GError **error)
{
    auto_(hold) hold = NULL;
    if (!hold_take(&hold, config, name, error))
        return false;
    if (hold->run.state == RUN_ROLLED_BACK) { /* repeated, or died just behind its end */
        g_autofree char *dir = home_path(config->home, HOME_UNDO, hold->run.name);
        struct undo_config undo = {.world = config->world, .dir = dir};
        if (!undo_chains_drop_durable(&undo, error))
            return false;
        hold_result(hold, hold->run.tally.of[OUTCOME_LEFT] ? 8 : 0, "is rolled back already", ret);
        return true;
    }
    return back_may(&hold->run, error) && hold_open(hold, HOLD_BACK, error) && takeback_drive(hold, stage, ret, error);
}

bool run_back_preview(const struct run_config *config, const char *name, const char *stage, struct run_back_plan *ret,
                      GError **error)
{
    auto_(hold) hold = NULL;
    uint32_t from_stage;
    if (!hold_take(&hold, config, name, error) || !back_may(&hold->run, error) ||
        !stage_of(hold, stage, &from_stage, error))
        return false;
    uint64_t restored = tally_sum(&hold->run.tally, OUTCOME_KIND_BACK);
    *ret = (struct run_back_plan){.keys = hold->run.tally.of[OUTCOME_WRITTEN] + hold->run.tally.of[OUTCOME_DELETED]};
    ret->keys -= MIN(restored, ret->keys);
    return true;
}

/* --- letting it stand
 * ------------------------------------------------------------------------------------------------- */

bool run_abort(const struct run_config *config, const char *name, struct run_result *ret, GError **error)
{
    auto_(hold) hold = NULL;
    if (!hold_take(&hold, config, name, error))
        return false;
    if (!run_state_may(hold->run.state, RUN_ABORTED))
        return error_set(error, SLUICE_ERROR_REFUSED, "%s is %s: it cannot be aborted", hold->run.name,
                         run_state_word(hold->run.state));
    if (!hold_open(hold, HOLD_BACK, error) || !hold_settle(hold, error) || !hold_let_go(hold, error) ||
        !hold_move(hold, RUN_ABORTED, config->act.reason, NULL, error))
        return false;
    hold_result(hold, 0, "aborted: what was written stands, and can be taken back with `sluice rollback`", ret);
    return true;
}

/* --- wishes
 * ----------------------------------------------------------------------------------------------------------- */

#define WISH_WAIT_US (INT64_C(5) * 1000 * 1000)
#define WISH_LOOK_US (INT64_C(50) * 1000)

static bool wait_taken(struct catalog *catalog, const struct run_config *config, int64_t wish, bool *ret,
                       GError **error)
{
    int64_t until = world_monotonic_us(config->world) + WISH_WAIT_US;
    *ret = false;
    while (!*ret && world_monotonic_us(config->world) < until) {
        if (!catalog_wish_is_taken(catalog, wish, ret, error))
            return false;
        if (!*ret)
            world_sleep_us(config->world, WISH_LOOK_US, NULL);
    }
    return true;
}

/* Without a holder the wish takes effect here: the state itself is what holds against a later `run`. */
static bool pause_unheld(struct catalog *catalog, const struct run_config *config, const struct run_row *row,
                         GError **error)
{
    struct run_move move = {
        .run = row->id, .from = row->state, .to = RUN_PAUSED, .reason = config->act.reason, .act = config->act};
    if (row->state == RUN_PAUSED)
        return error_set(error, SLUICE_ERROR_REFUSED, "%s is paused already, by %s", row->name, row->actor);
    return catalog_run_move(catalog, &move, error);
}

bool run_wish(const struct run_config *config, const char *name, enum wish_kind kind, struct run_result *ret,
              bool *ret_taken, GError **error)
{
    auto_(catalog) catalog = NULL;
    struct run_holder holder;
    struct wish wish = {.kind = kind, .act = config->act};
    int64_t id;
    *ret = (struct run_result){.mem = arena_new(1 << 20)};
    if (!catalog_open(&catalog, config->world, config->home, CATALOG_EXISTING, error) ||
        !catalog_run_get_one(catalog, name, ret->mem, &ret->run, error) ||
        !run_lock_holder(&holder, config->world, config->home, ret->run.name, error))
        return false;
    if (run_state_over(ret->run.state))
        return error_set(error, SLUICE_ERROR_REFUSED, "%s is %s", ret->run.name, run_state_word(ret->run.state));
    *ret_taken = false;
    if (!holder.live)
        return kind != WISH_PAUSE || pause_unheld(catalog, config, &ret->run, error);
    return catalog_wish_add(catalog, ret->run.id, &wish, &id, error) &&
           wait_taken(catalog, config, id, ret_taken, error) && catalog_run_reload(catalog, ret->mem, &ret->run, error);
}
