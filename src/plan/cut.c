/* Cutting the work into partitions: stretches of a listing, or ranges of files minus the losing states. */
#include "base/file.h"
#include "base/hex.h"
#include "listing/duplicates.h"
#include "listing/listing.h"
#include "plan/home.h"
#include "plan/plan_parts.h"

/* --- listed
 * ----------------------------------------------------------------------------------------------------------- */

static void on_keys(void *self, uint64_t keys)
{
    const struct plan_config *config = self;
    if (config->progress)
        config->progress(config->progress_self, "listing", keys, 0);
}

static bool parts_of_listing(struct plan *plan, const struct listing_totals *totals)
{
    plan->n_parts = totals->partitions;
    plan->n_listed = totals->keys;
    plan->source_identity = totals->digest;
    plan->parts = arena_alloc0(plan->mem, (plan->n_parts + 1) * sizeof *plan->parts);
    for (size_t i = 0; plan->parts && i < plan->n_parts; i++)
        plan->parts[i].records = MIN(totals->size, totals->keys - i * totals->size);
    return plan->parts != NULL;
}

static bool cut_listed(struct plan *plan, const struct plan_config *config, struct session *session, GError **error)
{
    struct listing_totals totals;
    struct listing_wish wish = {
        .draft = {.world = config->world, .path = plan->listing_path},
        .cut = {.size = plan->spec->partition_count ? 0 : plan->spec->partition_records,
                .count = plan->spec->partition_count},
        .session = session,
        .ds = &plan->source_ds,
        .also = plan->same_dataset ? config->deleted : NULL,
        .n_also = plan->same_dataset ? config->n_deleted : 0,
        .cancel = config->cancel,
        .progress = on_keys,
        .progress_self = (void *)config,
    };
    memcpy(wish.draft.run_uid, plan->uid, sizeof plan->uid);
    if (!listing_make_durable(&wish, &totals, error))
        return false;
    return parts_of_listing(plan, &totals) || error_set(error, SLUICE_ERROR_TOO_BIG, "too many partitions");
}

/* --- ranges of files
 * -------------------------------------------------------------------------------------------------- */

static void on_records(void *self, uint64_t records, uint64_t bytes)
{
    const struct plan_config *config = self;
    if (config->progress)
        config->progress(config->progress_self, "finding duplicates", records, 0);
}

static const enum states_rule RULES[] = {
    [DUPLICATES_NEWEST] = STATES_NEWEST, [DUPLICATES_ERROR] = STATES_ERROR, [DUPLICATES_ALL] = STATES_ALL};

/* A state that does not take part without being refused is not a key to account for. */
static uint64_t losers_of(const struct duplicates_part *part)
{
    uint64_t losers = 0;
    for (int reason = SKIP_SUPERSEDED; reason < SKIP_REASON_COUNT; reason++)
        if (!skip_reason_row((enum skip_reason)reason)->refused)
            losers += part->skipped[reason];
    return losers;
}

static void take_found(struct plan *plan, const struct duplicates_result *found)
{
    for (size_t i = 0; i < plan->n_parts; i++) {
        plan->parts[i].superseded = losers_of(&found->parts[i]);
        plan->parts[i].records = found->parts[i].records - plan->parts[i].superseded;
    }
    plan->duplicates = losers_of(&found->all);
    plan->n_listed = found->all.records - plan->duplicates;
    plan->has_skips = found->listed;
}

static bool find_duplicates(struct plan *plan, const struct plan_config *config, struct session *session,
                            GError **error)
{
    struct duplicates_result found = {0};
    struct slice *bounds = arena_alloc0(plan->mem, (plan->n_parts + 1) * sizeof *bounds);
    if (!bounds)
        return error_set(error, SLUICE_ERROR_TOO_BIG, "too many partitions");
    for (size_t i = 0; i < plan->n_parts; i++)
        bounds[i] = plan->parts[i].bounds;
    struct duplicates_wish wish = {
        .world = config->world,
        .path = plan->skip_path,
        .workers = plan->limits.workers,
        .session = session,
        .ds = &plan->source_ds,
        .bounds = bounds,
        .n_parts = plan->n_parts,
        .version = plan->spec->source.version,
        .rule = RULES[plan->spec->source.duplicates],
        .cancel = config->cancel,
        .progress = on_records,
        .progress_self = (void *)config,
    };
    memcpy(wish.run_uid, plan->uid, sizeof plan->uid);
    if (!duplicates_find_durable(&wish, &found, error))
        return false;
    take_found(plan, &found);
    duplicates_result_done(&found);
    return true;
}

struct split_wish plan_split_wish(const struct plan *plan)
{
    return (struct split_wish){.records_each = plan->spec->partition_count ? 0 : plan->spec->partition_records,
                               .count = plan->spec->partition_count};
}

bool plan_count_keys(const struct plan *plan, const struct plan_config *config, uint64_t *ret, GError **error)
{
    auto_(session) session = NULL;
    auto_(scan) scan = NULL;
    auto_(arena) mem = arena_new(64 << 20);
    struct scan_spec spec = {.ds = &plan->source_ds, .max_records = 10000, .max_bytes = 1 << 20, .keys_only = true};
    struct call call = {.cancel = config->cancel, .ds = &plan->source_ds, .mem = mem};
    struct batch batch = {0};
    uint64_t keys = 0;
    if (!store_session_open(&session, plan->source, error) || !store_scan_open(&scan, session, &spec, error))
        return false;
    for (; !batch.done; keys += batch.n) {
        arena_reset(mem);
        if (!store_scan_next(scan, &call, &batch, error))
            return false;
    }
    *ret = keys;
    return true;
}

static bool cut_ranges(struct plan *plan, const struct plan_config *config, struct session *session, GError **error)
{
    g_autoptr(GArray) parts = g_array_new(FALSE, TRUE, sizeof(struct part_bounds));
    struct part_list list = {.parts = parts, .mem = plan->mem};
    struct split_wish wish = plan_split_wish(plan);
    struct call call = {.cancel = config->cancel, .ds = &plan->source_ds, .mem = plan->mem};
    if (!store_split(session, &call, &wish, &list, error))
        return false;
    plan->n_parts = parts->len;
    plan->parts = arena_alloc0(plan->mem, (plan->n_parts + 1) * sizeof *plan->parts);
    if (!plan->parts)
        return error_set(error, SLUICE_ERROR_TOO_BIG, "too many partitions");
    for (size_t i = 0; i < plan->n_parts; i++)
        plan->parts[i].bounds = g_array_index(parts, struct part_bounds, i).bounds;
    return find_duplicates(plan, config, session, error);
}

bool plan_cut(struct plan *plan, const struct plan_config *config, GError **error)
{
    auto_(session) session = NULL;
    char uid[HEX_TEXT(sizeof plan->uid)];
    hex_text(plan->uid, sizeof plan->uid, uid);
    g_autofree char *folder = home_path(config->home, HOME_LISTINGS, "");
    g_autofree char *listing = home_path(config->home, HOME_LISTING, uid);
    g_autofree char *skips = home_path(config->home, HOME_SKIPS, uid);
    plan->listing_path = plan_copy(plan, listing);
    plan->skip_path = plan_copy(plan, skips);
    if (!file_make_dirs(config->world, folder, error) || !store_session_open(&session, plan->source, error))
        return false;
    bool cut = (plan->listed ? cut_listed(plan, config, session, error) : cut_ranges(plan, config, session, error)) &&
               plan_unique(plan, config, session, error);
    if (!plan->has_skips)
        plan->skip_path = NULL;
    if (!plan->listed)
        plan->listing_path = NULL;
    return cut;
}
