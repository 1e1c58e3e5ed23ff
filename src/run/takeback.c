/* Taking a run back: all of it, or its stages from one on. */
#include "base/int.h"
#include "base/nearest.h"
#include "catalog/pages.h"
#include "plan/home.h"
#include "run/again.h"
#include "run/ending.h"
#include "run/pauser.h"
#include "run/retain.h"
#include "run/rights.h"
#include "run/supersede.h"

#define BACK_PART_KEYS UINT64_C(5000)

/* --- which partitions, which keys
 * ------------------------------------------------------------------------------------- */

static bool stage_of(struct catalog *catalog, const struct run_row *run, const char *name, struct arena *mem,
                     uint32_t *ret, GError **error)
{
    struct stage_row *stages;
    size_t n;
    *ret = 0;
    if (!name)
        return true;
    if (!catalog_stages(catalog, run->id, mem, &stages, &n, error))
        return false;
    g_autofree const char **names = g_new0(const char *, n + 1);
    for (size_t i = 0; i < n; i++) {
        names[i] = stages[i].name;
        if (strcmp(stages[i].name, name) == 0) {
            *ret = stages[i].stage;
            return true;
        }
    }
    g_autofree char *all = g_strjoinv(", ", (char **)names);
    const char *nearest = nearest_word(name, names, n);
    return error_set(error, SLUICE_ERROR_NOT_FOUND, "%s: there is no stage '%s'%s%s%s; its stages are %s", run->name,
                     name, nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "", all);
}

/* The partitions whose writes are live: forward those of a stage and of those after it; of a shadow those of its
 * promotion. */
struct forward_parts {
    size_t n, n_standing;
    uint32_t *parts;    /* sorted */
    uint32_t *lanes;    /* of each: its newest */
    bool *back;         /* of each: rolled back already */
    uint32_t *standing; /* those that are not, sorted */
};

static bool too_many(const struct hold *hold, GError **error)
{
    return error_set(error, SLUICE_ERROR_TOO_BIG, "%s: its partitions do not fit into memory", hold->run.name);
}

static bool parts_from(struct hold *hold, uint32_t from_stage, enum parts_kind kind, struct forward_parts *ret,
                       GError **error)
{
    struct part_row *rows;
    size_t n;
    struct parts_of of = {.run = hold->run.id, .stage = UINT32_MAX, .kind = kind};
    if (!catalog_parts(hold->catalog, &of, hold->mem, &rows, &n, error))
        return false;
    struct forward_parts found = {.parts = arena_alloc0(hold->mem, (n + 1) * sizeof *found.parts),
                                  .lanes = arena_alloc0(hold->mem, (n + 1) * sizeof *found.lanes),
                                  .back = arena_alloc0(hold->mem, (n + 1) * sizeof *found.back),
                                  .standing = arena_alloc0(hold->mem, (n + 1) * sizeof *found.standing)};
    if (!found.parts || !found.lanes || !found.back || !found.standing)
        return too_many(hold, error);
    for (size_t i = 0; i < n; i++) {
        bool back = rows[i].state == PART_ROLLED_BACK;
        if (rows[i].stage < from_stage)
            continue;
        found.back[found.n] = back;
        found.lanes[found.n] = rows[i].lane;
        found.parts[found.n++] = rows[i].part;
        if (!back)
            found.standing[found.n_standing++] = rows[i].part;
    }
    *ret = found;
    return true;
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

/* The partitions of every rollback of this run so far: each generation (`back_stage`) has its own. */
struct back_parts {
    uint64_t n, records;                 /* of all generations */
    uint64_t of_stage, records_of_stage; /* of the one that goes back to the stage */
    uint32_t first_of_stage;             /* its lowest; 0: it has none */
};

static bool back_parts_of(struct hold *hold, uint32_t stage, struct back_parts *ret, GError **error)
{
    struct part_row *rows;
    size_t n;
    struct parts_of of = {.run = hold->run.id, .stage = UINT32_MAX, .kind = PARTS_BACK};
    if (!catalog_parts(hold->catalog, &of, hold->mem, &rows, &n, error))
        return false;
    *ret = (struct back_parts){.n = n};
    for (size_t i = 0; i < n; i++) {
        ret->records += rows[i].records;
        if (rows[i].stage != stage)
            continue;
        ret->first_of_stage = ret->of_stage++ > 0 ? MIN(ret->first_of_stage, rows[i].part) : rows[i].part;
        ret->records_of_stage += rows[i].records;
    }
    return true;
}

bool takeback_add_parts(struct hold *hold, const struct takeback_parts *of, GError **error)
{
    g_autoptr(GArray) parts = g_array_new(FALSE, TRUE, sizeof(struct part_new));
    for (uint64_t first = 0; first < of->keys; first += BACK_PART_KEYS) {
        uint64_t count = MIN(BACK_PART_KEYS, of->keys - first);
        struct part_new part = {.part = of->first_part + parts->len,
                                .stage = of->stage,
                                .bounds = back_bounds(hold, first, count),
                                .records = count};
        g_array_append_val(parts, part);
    }
    return parts->len == 0 || catalog_parts_add(hold->catalog, hold->run.id,
                                                (const struct part_new *)(void *)parts->data, parts->len, error);
}

/* What is asked of the undo log; in the hold's memory. */
static bool filter_of(struct hold *hold, uint32_t stage, struct undo_filter *ret, GError **error)
{
    struct forward_parts parts;
    enum parts_kind live = hold->plan->write == WRITE_SHADOW ? PARTS_PROMOTION : PARTS_FORWARD;
    if (!parts_from(hold, stage, live, &parts, error))
        return false;
    uint64_t *written = arena_alloc0(hold->mem, (parts.n + 1) * sizeof *written);
    if (!written)
        return too_many(hold, error);
    *ret = (struct undo_filter){
        .parts = parts.parts, .n = parts.n, .back = parts.back, .written = written, .lanes = parts.lanes};
    return catalog_part_writes(hold->catalog, hold->run.id, ret->parts, ret->n, written, error);
}

bool takeback_chains(struct hold *hold, uint32_t stage, struct undo_chains **ret, GError **error)
{
    struct undo_filter filter;
    return filter_of(hold, stage, &filter, error) && undo_chains_build(&hold->undo_config, &filter, error) &&
           undo_chains_open(ret, &hold->undo_config, error);
}

/* The partitions of a rollback that goes on are stretches of its chains: where these are gone, or damaged, they are
 * made again as they were. */
static bool chains_again(struct hold *hold, uint32_t stage, const struct back_parts *back, GError **error)
{
    auto_(undo_chains) chains = NULL;
    struct undo_filter filter;
    bool whole;
    if (!undo_chains_whole(&hold->undo_config, &whole, error))
        return false;
    if (whole)
        return true;
    if (!filter_of(hold, stage, &filter, error))
        return false;
    filter.own_from = back->first_of_stage;
    if (!undo_chains_drop_durable(&hold->undo_config, error) ||
        !undo_chains_build(&hold->undo_config, &filter, error) || !undo_chains_open(&chains, &hold->undo_config, error))
        return false;
    if (undo_chains_count(chains) == back->records_of_stage)
        return true;
    undo_chains_drop_durable(&hold->undo_config, NULL);
    return error_set(error, SLUICE_ERROR_CORRUPT,
                     "%s: the chains of its rollback are lost, and its undo log has not the keys any more from which "
                     "they were made; put %s back from a copy of the home",
                     hold->run.name, hold->undo_config.dir);
}

bool takeback_prepare(struct hold *hold, uint32_t stage, GError **error)
{
    auto_(undo_chains) chains = NULL;
    struct back_parts back;
    if (!back_parts_of(hold, stage, &back, error))
        return false;
    if (back.of_stage > 0)
        return chains_again(hold, stage, &back, error);
    if (!hold_settle(hold, error) || !takeback_chains(hold, stage, &chains, error))
        return false;
    struct takeback_parts parts = {
        .first_part = UNDO_ROLLBACK_PART + (uint32_t)back.n, .stage = stage, .keys = undo_chains_count(chains)};
    return takeback_add_parts(hold, &parts, error) && hold_reload(hold, error);
}

/* --- rollback
 * --------------------------------------------------------------------------------------------------------- */

static uint64_t damaged_keys(const struct undo_damage *damage, size_t n)
{
    uint64_t keys = 0;
    for (size_t i = 0; i < n; i++)
        keys += damage[i].keys;
    return keys;
}

static const struct undo_damage *damages(const GArray *damage)
{
    return (const struct undo_damage *)(const void *)damage->data;
}

char *takeback_damage(const struct undo_damage *damage, size_t n)
{
    uint64_t keys = damaged_keys(damage, n);
    const struct undo_damage *first = NULL;
    for (size_t i = 0; i < n && !first; i++)
        if (damage[i].at.segment)
            first = &damage[i];
    if (!first)
        return ending_words("the undo log is damaged, with %" G_GUINT64_FORMAT
                            " keys that could not be taken back: no segment holds their entries any more",
                            keys);
    return ending_words("%" G_GSIZE_FORMAT " blocks of the undo log are damaged, with %" G_GUINT64_FORMAT
                        " keys that could not be taken back; the first is in segment %u at offset %" G_GUINT64_FORMAT,
                        n, keys, first->at.segment, first->at.offset);
}

/* What could not be taken back, into `ret` (of struct undo_damage): what the chains say was lost when they were made.
 * Where keys of theirs are not accounted for, the log became unreadable since: then what it says by now. */
static bool lost_of(struct hold *hold, uint32_t from_stage, GArray *ret, GError **error)
{
    auto_(undo_chains) chains = NULL;
    struct back_parts parts;
    struct undo_filter filter;
    size_t n;
    uint64_t back = tally_sum(&hold->run.tally, OUTCOME_KIND_BACK);
    if (!undo_chains_open(&chains, &hold->undo_config, error) || !back_parts_of(hold, 0, &parts, error))
        return false;
    const struct undo_damage *damage = undo_chains_damage(chains, &n);
    g_array_append_vals(ret, damage, (guint)n);
    if (back == parts.records)
        return true;
    g_array_set_size(ret, 0);
    if (!filter_of(hold, from_stage, &filter, error) || !undo_chains_losses(&hold->undo_config, &filter, ret, error))
        return false;
    if (back < parts.records && parts.records - back <= damaged_keys(damages(ret), ret->len))
        return true;
    return error_set(error, SLUICE_ERROR_INTERNAL,
                     "rolled back, but %" G_GUINT64_FORMAT " keys were found and %" G_GUINT64_FORMAT
                     " are accounted for",
                     parts.records, back);
}

static bool stages_back(struct hold *hold, uint32_t from_stage, GError **error)
{
    struct stage_row *stages;
    size_t n;
    if (!catalog_stages(hold->catalog, hold->run.id, hold->mem, &stages, &n, error))
        return false;
    for (size_t i = 0; i < n; i++) {
        struct stage_move move = {
            .run = hold->run.id, .stage = stages[i].stage, .to = STAGE_ROLLED_BACK, .act = hold_act(hold)};
        if (stages[i].stage >= from_stage && stages[i].state != STAGE_ROLLED_BACK &&
            !catalog_stage_move(hold->catalog, &move, error))
            return false;
    }
    return true;
}

/* Partitions and stages that are back already, from before a death, stay as they are. */
static bool parts_are_back(struct hold *hold, uint32_t from_stage, enum parts_kind kind, GError **error)
{
    struct forward_parts parts;
    return parts_from(hold, from_stage, kind, &parts, error) &&
           (parts.n_standing == 0 ||
            catalog_parts_move(hold->catalog, hold->run.id, parts.standing, parts.n_standing, PART_ROLLED_BACK, error));
}

static bool forward_is_back(struct hold *hold, uint32_t from_stage, GError **error)
{
    return parts_are_back(hold, from_stage, PARTS_FORWARD, error) &&
           parts_are_back(hold, from_stage, PARTS_PROMOTION, error) && stages_back(hold, from_stage, error);
}

/* Of a rollback that leaves earlier stages: they stand, and nothing but a person can say what becomes of them. */
static bool pause_in_part(struct hold *hold, uint32_t from_stage, const char *damage, const char *details,
                          GError **error)
{
    g_autofree char *text = ending_words(
        "%s%sthe stages from %s on are taken back; those before it stand: `sluice rollback %s` takes them back too, "
        "`sluice abort %s` lets them stand",
        damage ? damage : "", damage ? "; " : "", hold->plan->stages[from_stage].name, hold->run.name, hold->run.name);
    return hold_pause(hold, PAUSER_BACK, text, details, error);
}

#define DAMAGED_KEYS "damaged_keys"

/* `damage` NULL: all of it came back; else what did not, in words. */
static bool back_end(struct hold *hold, uint32_t from_stage, const char *damage, uint64_t keys, GError **error)
{
    g_autofree char *details = damage ? g_strdup_printf("{\"" DAMAGED_KEYS "\":%" G_GUINT64_FORMAT "}", keys) : NULL;
    if (from_stage > 0)
        return pause_in_part(hold, from_stage, damage, details, error);
    g_autofree char *text = supersede_reason(hold->config->superseded_by, damage);
    return hold_let_go(hold, error) && hold_move(hold, RUN_ROLLED_BACK, text, details, error);
}

/* Whether a rollback that is over could not take all of it back, as the ledger says of the move it ended with. */
static bool was_damaged(struct hold *hold, enum run_state ended, bool *ret, GError **error)
{
    enum { AT_ONCE = 64 };
    struct ledger_page page = {.run = hold->run.name, .most = AT_ONCE};
    struct ledger_entries entries;
    *ret = false;
    do {
        if (!ledger_page(hold->catalog, &page, hold->mem, &entries, error))
            return false;
        for (size_t i = 0; i < entries.n; i++) {
            page.before = entries.rows[i].number;
            if (strcmp(entries.rows[i].action, run_state_word(ended)) != 0)
                continue;
            *ret = entries.rows[i].details && strstr(entries.rows[i].details, "\"" DAMAGED_KEYS "\"");
            return true;
        }
    } while (entries.n == AT_ONCE);
    return true;
}

/* The same command once more: it ends as it did. */
static bool repeated(struct hold *hold, enum run_state ended, const char *text, struct run_result *ret, GError **error)
{
    bool damaged;
    if (!was_damaged(hold, ended, &damaged, error))
        return false;
    hold_result(hold, damaged || hold->run.tally.of[OUTCOME_LEFT] ? 8 : 0, text, ret);
    return true;
}

static bool back_finish(struct hold *hold, uint32_t from_stage, struct run_result *ret, GError **error)
{
    g_autoptr(GArray) lost = g_array_new(FALSE, FALSE, sizeof(struct undo_damage));
    if (!hold_reload(hold, error) || !lost_of(hold, from_stage, lost, error) ||
        !forward_is_back(hold, from_stage, error))
        return false;
    g_autofree char *text = lost->len ? takeback_damage(damages(lost), lost->len) : NULL;
    if (!back_end(hold, from_stage, text, damaged_keys(damages(lost), lost->len), error) ||
        !undo_chains_drop_durable(&hold->undo_config, error)) /* repeating the command drops them */
        return false;
    hold_result(hold, lost->len || hold->run.tally.of[OUTCOME_LEFT] ? 8 : 0, hold->run.reason, ret);
    return true;
}

static bool back_sink(struct hold *hold, uint32_t from_stage, struct run_result *ret, bool *ret_ended, GError **error)
{
    struct call call = {.ds = &hold->plan->target_ds, .mem = hold->mem};
    g_autofree char *text = supersede_reason(hold->config->superseded_by, "its files are removed");
    if (!store_sink_drop(hold->target, &call, hold->run.uid, error) || !forward_is_back(hold, from_stage, error) ||
        !hold_move(hold, RUN_ROLLED_BACK, text, NULL, error))
        return false;
    *ret_ended = true;
    hold_result(hold, 0, NULL, ret);
    return true;
}

static bool stopped(struct hold *hold, enum run_state to, const char *reason, struct run_result *ret, GError **error)
{
    g_autofree char *text = hold->config->superseded_by
                                ? g_strdup(reason)
                                : ending_words("%s; continue with `sluice rollback %s`", reason, hold->run.name);
    if (!hold_move(hold, to, reason, NULL, error))
        return false;
    hold_result(hold, 3, text, ret);
    return true;
}

/* By the person who wished it. */
static bool paused(struct hold *hold, struct run_result *ret, GError **error)
{
    const struct run_config *own = hold->config;
    struct run_config config = *own;
    config.act = hold->wish.act;
    hold->config = &config;
    bool done = catalog_wishes_taken(hold->catalog, hold->run.id, WISH_PAUSE, error) &&
                stopped(hold, RUN_PAUSED, "paused while it was being rolled back", ret, error);
    hold->config = own;
    return done;
}

/* A hard guard: what its rollback would do to the cluster, a person has to want. */
static bool halted(struct hold *hold, uint32_t from_stage, GError **error)
{
    return hold_move_back(hold, from_stage, error) &&
           error_set(error, SLUICE_ERROR_HALTED,
                     "guard: %s; `sluice rollback %s` goes on once that is mended, `sluice rollback %s --pace urgent` "
                     "in spite of it",
                     hold->guarding->verdict.words, hold->run.name, hold->run.name);
}

static void left_to_the_guard(struct hold *hold, struct run_result *ret)
{
    g_autofree char *text = ending_words(
        "%s; `sluice rollback %s` goes on then, `sluice rollback %s --pace urgent` takes the run back in spite of it",
        hold->run.reason, hold->run.name, hold->run.name);
    hold_result(hold, 3, text, ret);
}

/* Until no guard holds it. *ret_go false: it was stopped, and the result says how. */
static bool wait_for_guards(struct hold *hold, uint32_t from_stage, struct run_result *ret, bool *ret_go,
                            GError **error)
{
    enum guarding_end end = guarding_clear(hold, error);
    *ret_go = end == GUARDING_CLEAR;
    switch (end) {
    case GUARDING_CLEAR:
        return hold_move_back(hold, from_stage, error);
    case GUARDING_WISHED:
        return paused(hold, ret, error);
    case GUARDING_INTERRUPTED:
        return stopped(hold, RUN_INTERRUPTED, "interrupted while it was being rolled back", ret, error);
    case GUARDING_LEFT:
        left_to_the_guard(hold, ret);
        return true;
    case GUARDING_HALTED:
        return halted(hold, from_stage, error);
    case GUARDING_ERROR:
        break;
    }
    return false;
}

/* The crew, for as often as a guard ends it; a guard that has paused the run when it ends otherwise is of no account
 * any more. */
static enum crew_end back_crew(struct hold *hold, uint32_t from_stage, struct run_result *ret, bool *ret_go,
                               GError **error)
{
    for (;;) {
        if (!wait_for_guards(hold, from_stage, ret, ret_go, error) ||
            (*ret_go && !takeback_prepare(hold, from_stage, error)))
            return CREW_FAILED;
        if (!*ret_go)
            return CREW_GUARDED;
        job_init_back(&hold->job, hold->plan, &hold->run);
        enum crew_end end = again_crew(hold, error);
        if (end == CREW_GUARDED)
            continue;
        if (hold->run.guard && !hold_move_back(hold, from_stage, end == CREW_FAILED ? NULL : error))
            return CREW_FAILED;
        return end;
    }
}

static bool back_keys(struct hold *hold, uint32_t from_stage, struct run_result *ret, bool *ret_ended, GError **error)
{
    GError *failed = NULL;
    bool go;
    limits_back(&hold->shared.limits, true);
    if (!hold_take_settings(hold, error))
        return false;
    switch (back_crew(hold, from_stage, ret, &go, &failed)) {
    case CREW_WRITTEN:
        *ret_ended = true;
        return back_finish(hold, from_stage, ret, error);
    case CREW_WISHED:
        return paused(hold, ret, error);
    case CREW_INTERRUPTED:
        return stopped(hold, RUN_INTERRUPTED, "interrupted while it was being rolled back", ret, error);
    case CREW_GUARDED: /* stopped while it waited for one */
        return true;
    case CREW_LIMITED:
    case CREW_CLOSED:
    case CREW_SPENT:
    case CREW_UNREADABLE:
    case CREW_FAILED:
        break;
    }
    g_propagate_error(error, failed);
    return false;
}

/* One generation: the stages from `from_stage` on. *ret_ended false: it was stopped or has failed, and the result says
 * how. Behind its last move nothing is left to be recorded. */
static bool back_generation(struct hold *hold, uint32_t from_stage, struct run_result *ret, bool *ret_ended,
                            GError **error)
{
    GError *failed = NULL;
    *ret_ended = false;
    if (!hold_move_back(hold, from_stage, error))
        return false;
    if ((hold->plan->sink ? back_sink : back_keys)(hold, from_stage, ret, ret_ended, &failed))
        return true;
    *ret_ended = false;
    if (hold->run.state == RUN_ROLLING_BACK)
        return ending_by_failure(hold, failed, ret, error);
    g_propagate_error(error, failed);
    return false;
}

/* Whether the stages from back_stage on have come back already, and the run says so; with all of them it is over, and
 * is not asked. It may have died, or failed, between its stages' last move and its own. */
static bool generation_ended(struct hold *hold, bool *ret, GError **error)
{
    struct stage_row *stages;
    size_t n;
    if (!catalog_stages(hold->catalog, hold->run.id, hold->mem, &stages, &n, error))
        return false;
    *ret = hold->run.back_stage > 0 && hold->run.state != RUN_ROLLING_BACK && hold->run.state != RUN_FAILED;
    for (size_t i = hold->run.back_stage; i < n; i++)
        *ret &= stages[i].state == STAGE_ROLLED_BACK;
    return true;
}

bool takeback_drive(struct hold *hold, const char *stage, struct run_result *ret, GError **error)
{
    uint32_t wanted, begun = hold->run.back_stage;
    bool ended = true;
    if (!stage_of(hold->catalog, &hold->run, stage, hold->mem, &wanted, error))
        return false;
    if (plan_is_one_piece(hold->plan) && wanted > 0)
        return error_set(error, SLUICE_ERROR_REFUSED, "%s: %s taken back as a whole: leave --stage out", hold->run.name,
                         hold->plan->sink ? "its target is append-only, and is"
                                          : "a shadow, and what was promoted, is");
    if (begun != UINT32_MAX) {
        if (!generation_ended(hold, &ended, error))
            return false;
        if (!ended && !back_generation(hold, begun, ret, &ended, error))
            return false;
        if (!ended || begun <= wanted)
            return !ended || hold->run.state == RUN_ROLLED_BACK ||
                   repeated(hold, RUN_PAUSED, hold->run.reason, ret, error);
    }
    return back_generation(hold, wanted, ret, &ended, error);
}

bool takeback_by_failure(struct hold *hold, const char *stage, struct run_result *ret, GError **error)
{
    if (!takeback_drive(hold, stage, ret, error))
        return false;
    bool failed = ret->run.state == RUN_FAILED || ret->run.state == RUN_HALTED;
    ret->exit_status = failed ? ret->exit_status : 4;
    return true;
}

/* Whether the last judgement of a stage was that it failed: that stands also when the stage is taken back already. */
static bool was_judged_bad(struct hold *hold, uint32_t from_stage, bool *ret, GError **error)
{
    struct report_row *reports;
    size_t n;
    g_autofree bool *bad = g_new0(bool, hold->plan->n_stages + 1);
    if (!catalog_reports(hold->catalog, hold->run.id, hold->mem, &reports, &n, error))
        return false;
    for (size_t i = 0; i < n; i++)
        if (reports[i].stage < hold->plan->n_stages)
            bad[reports[i].stage] = strcmp(reports[i].verdict, "fail") == 0;
    for (size_t i = from_stage; i < hold->plan->n_stages; i++)
        *ret |= bad[i];
    return true;
}

/* Not one that a person has paused. A stage that has failed under such a rollback was its reason (or was denied, and a
 * person began it: the way is the same). */
bool takeback_is_owed(struct hold *hold, bool *ret, GError **error)
{
    struct stage_row *stages;
    size_t n;
    bool on_the_way = hold->run.back_stage != UINT32_MAX &&
                      (hold->run.state == RUN_ROLLING_BACK || hold->run.state == RUN_INTERRUPTED ||
                       hold->run.state == RUN_FAILED || (hold->run.state == RUN_PAUSED && hold->run.guard));
    *ret = false;
    if (!on_the_way)
        return true;
    if (!hold_open(hold, HOLD_FORWARD, error) ||
        !catalog_stages(hold->catalog, hold->run.id, hold->mem, &stages, &n, error))
        return false;
    if (hold->plan->spec->on_failure == ON_FAILURE_PAUSE)
        return true;
    for (size_t i = hold->run.back_stage; i < n; i++)
        *ret |= stages[i].state == STAGE_FAILED;
    return was_judged_bad(hold, hold->run.back_stage, ret, error);
}

/* States from which a run can be taken back; one that is being taken back goes on. */
bool takeback_may(const struct run_row *run, GError **error)
{
    if (run->state == RUN_ROLLING_BACK || run->state == RUN_ROLLED_BACK || run_state_may(run->state, RUN_ROLLING_BACK))
        return true;
    return error_set(error, SLUICE_ERROR_REFUSED, "%s is %s: there is nothing to take back", run->name,
                     run_state_word(run->state));
}

/* As it was asked for, on record before anything is taken back; what was said before stands otherwise. */
static bool keep_pace(struct hold *hold, GError **error)
{
    struct setting setting = {.key = LIMITS_BACK, .value = hold->config->back_pace};
    return !setting.value || catalog_setting_add(hold->catalog, hold->run.id, &setting, &hold->config->act, error);
}

bool run_back(const struct run_config *config, const char *name, const char *stage, struct run_result *ret,
              GError **error)
{
    auto_(hold) hold = NULL;
    if (!hold_take(&hold, config, name, error) || !hold_may(hold, SPEC_MAY_ROLLBACK, error))
        return false;
    if (hold->run.state == RUN_ROLLED_BACK) { /* repeated, or died just behind its end */
        g_autofree char *dir = home_path(config->home, HOME_UNDO, hold->run.name);
        struct undo_config undo = {.world = config->world, .dir = dir};
        return undo_chains_drop_durable(&undo, error) &&
               repeated(hold, RUN_ROLLED_BACK, "is rolled back already", ret, error);
    }
    return takeback_may(&hold->run, error) && hold_end_wishes(hold, error) && keep_pace(hold, error) &&
           hold_open(hold, HOLD_BACK, error) && takeback_drive(hold, stage, ret, error);
}

/* --- what would be taken back ------------------------------------------------------------------------------------- */

/* What its partitions have written, by their checkpoints. */
static bool written_by(struct catalog *catalog, const struct run_row *run, uint32_t from_stage, struct arena *mem,
                       uint64_t *ret, GError **error)
{
    struct part_row *rows;
    size_t n;
    struct parts_of of = {.run = run->id, .stage = UINT32_MAX};
    *ret = 0;
    if (!catalog_parts(catalog, &of, mem, &rows, &n, error))
        return false;
    for (size_t i = 0; i < n; i++) {
        struct checkpoints checkpoints;
        auto_(arena) own = arena_new(64 << 20);
        if (rows[i].stage < from_stage || rows[i].state == PART_ROLLED_BACK || rows[i].lane == 0)
            continue;
        if (!catalog_checkpoints(catalog, run->id, rows[i].part, own, &checkpoints, error))
            return false;
        for (size_t k = 0; k < checkpoints.n; k++)
            *ret += checkpoints.rows[k].tally.of[OUTCOME_WRITTEN] + checkpoints.rows[k].tally.of[OUTCOME_DELETED];
    }
    return true;
}

bool run_back_preview(const struct run_config *config, const char *name, const char *stage, struct run_back_plan *ret,
                      GError **error)
{
    auto_(catalog) catalog = NULL;
    auto_(arena) mem = arena_new(64 << 20);
    struct run_row run;
    uint32_t from_stage;
    if (!catalog_open(&catalog, config->world, config->home, CATALOG_EXISTING, error) ||
        !catalog_run_get_one(catalog, name, mem, &run, error) || !takeback_may(&run, error) ||
        (run.state != RUN_ROLLED_BACK && !retain_stands(catalog, &run, EXPIRY_UNDO, error)) ||
        !stage_of(catalog, &run, stage, mem, &from_stage, error))
        return false;
    *ret = (struct run_back_plan){.keys = run.tally.of[OUTCOME_WRITTEN] + run.tally.of[OUTCOME_DELETED]};
    g_strlcpy(ret->run, run.name, sizeof ret->run);
    if (run.tally.of[OUTCOME_PROMOTED])
        ret->keys = run.tally.of[OUTCOME_PROMOTED];
    if (from_stage > 0 && !written_by(catalog, &run, from_stage, mem, &ret->keys, error))
        return false;
    uint64_t restored = from_stage > 0 ? 0 : tally_sum(&run.tally, OUTCOME_KIND_BACK);
    ret->keys -= MIN(restored, ret->keys);
    return true;
}
