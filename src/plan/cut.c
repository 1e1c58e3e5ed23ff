/* Cutting the work into partitions: stretches of a listing, or ranges of files minus the losing states. */
#include "base/file.h"
#include "base/hex.h"
#include "listing/duplicates.h"
#include "listing/listing.h"
#include "listing/ordered.h"
#include "plan/home.h"
#include "plan/plan_parts.h"
#include "store/only.h"

enum { COPIED_KEYS = 4096, COPIED_BYTES = 64 << 20 };

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

/* What a superseded run deleted, as far as it is meant; in plan->mem. */
static bool take_deleted(struct plan *plan, const struct plan_config *config, struct session *session,
                         struct listing_wish *io, GError **error)
{
    struct slice *also = arena_alloc(plan->mem, (config->n_deleted + 1) * sizeof *also);
    if (!also)
        return error_set(error, SLUICE_ERROR_TOO_BIG, "too many keys that were deleted");
    for (size_t i = 0; plan->same_dataset && i < config->n_deleted; i++) {
        bool takes = true;
        if (plan->only && !store_only_takes(plan->only, session, &plan->source_ds, config->deleted[i], &takes, error))
            return false;
        if (takes)
            also[io->n_also++] = config->deleted[i];
    }
    io->also = also;
    return true;
}

/* Whose keys are given. */
static const struct plan_retry *named(const struct plan_config *config)
{
    return config->retry && !config->retry->bucket.name ? config->retry : NULL;
}

static bool list(struct plan *plan, const struct plan_config *config, struct session *session, const char *path,
                 struct listing_totals *ret, GError **error)
{
    const struct plan_retry *retry = named(config);
    struct listing_wish wish = {
        .draft = {.world = config->world, .path = path},
        .cut = {.size = plan->spec->partition_count ? 0 : plan->spec->partition_records,
                .count = plan->spec->partition_count},
        .session = session,
        .ds = &plan->source_ds,
        .also = retry ? retry->keys : NULL,
        .n_also = retry ? retry->n_keys : 0,
        .only_also = retry != NULL,
        .cancel = config->cancel,
        .progress = on_keys,
        .progress_self = (void *)config,
    };
    memcpy(wish.draft.run_uid, plan->uid, sizeof plan->uid);
    return (retry || take_deleted(plan, config, session, &wish, error)) && listing_make_durable(&wish, ret, error);
}

static bool copy_part(struct listing_reader *all, uint32_t part, struct arena *mem, struct listing_writer *writer,
                      GError **error)
{
    struct slice *keys;
    size_t n = 1;
    bool ok = listing_reader_seek(all, part, 0, error);
    while (ok && n > 0) {
        arena_reset(mem);
        ok = listing_reader_next_ranked(all, COPIED_KEYS, mem, &keys, &n, error);
        for (size_t i = 0; ok && i < n; i++)
            ok = listing_writer_add(writer, keys[i], error);
    }
    return ok;
}

static bool copy_parts(struct plan *plan, const struct plan_config *config, struct listing_reader *all,
                       struct listing_totals *ret, GError **error)
{
    auto_(listing_writer) writer = NULL;
    auto_(arena) mem = arena_new(COPIED_BYTES);
    const struct listing_totals *whole = listing_reader_totals(all);
    struct listing_draft draft = {.world = config->world, .path = plan->listing_path, .ranked = whole->ranked};
    struct listing_cut cut = {.size = whole->size};
    memcpy(draft.run_uid, plan->uid, sizeof plan->uid);
    bool ok = listing_writer_new(&writer, &draft, error);
    for (uint32_t part = 0; ok && part < whole->partitions; part++)
        ok = !plan_only_has_part(plan, part) || copy_part(all, part, mem, writer, error);
    return ok && listing_writer_finish_durable(writer, &cut, ret, error);
}

/* Given partitions: everything is listed, and theirs of it is the listing. */
static bool list_parts(struct plan *plan, const struct plan_config *config, struct session *session,
                       struct listing_totals *ret, uint32_t *ret_whole, GError **error)
{
    auto_(listing_reader) all = NULL;
    g_autofree char *path = g_strconcat(plan->listing_path, ".all", NULL);
    struct listing_totals totals;
    bool ok = list(plan, config, session, path, &totals, error) &&
              listing_reader_open(&all, config->world, path, plan->uid, error) &&
              plan_only_of_listing(plan, all, error) && copy_parts(plan, config, all, ret, error);
    if (ok)
        *ret_whole = totals.partitions;
    return file_unlink(config->world, path, ok ? error : NULL) && ok;
}

static bool cut_listed(struct plan *plan, const struct plan_config *config, struct session *session, GError **error)
{
    struct listing_totals totals;
    uint32_t whole = 0;
    bool parts = plan->spec->source.only.n_parts > 0 && !named(config);
    if (!(parts ? list_parts(plan, config, session, &totals, &whole, error)
                : list(plan, config, session, plan->listing_path, &totals, error)))
        return false;
    if (!parts_of_listing(plan, &totals))
        return error_set(error, SLUICE_ERROR_TOO_BIG, "too many partitions");
    return named(config) || plan_only_tell(plan, config, whole, error);
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

/* Whether versions are to decide what stands in the target, and some states may be of none. */
static bool removes_by_version(const struct plan *plan)
{
    bool by_version = plan->conflict == CONFLICT_NEWER_WINS && plan->write != WRITE_FILL && !plan->sink;
    bool removes = recipe_has_transform(plan->recipe) || plan->spec->target.expires == EXPIRES_FROM;
    return by_version && removes && plan->spec->source.version;
}

static enum states_rule rule_of(const struct plan *plan)
{
    enum states_rule rule = RULES[plan->spec->source.duplicates];
    return rule == STATES_ALL && removes_by_version(plan) ? STATES_BY_VERSION : rule;
}

/* A state that does not take part without being refused is not a key to account for. */
static uint64_t losers_of(const struct duplicates_part *part)
{
    uint64_t losers = 0;
    for (int reason = SKIP_SUPERSEDED; reason < SKIP_REASON_COUNT; reason++) {
        const struct skip_reason_row *row = skip_reason_row((enum skip_reason)reason);
        if (!row->refused && !row->takes_part)
            losers += part->skipped[reason];
    }
    return losers;
}

static void take_found(struct plan *plan, const struct duplicates_result *found)
{
    plan->n_parts = found->n_parts;
    for (size_t i = 0; i < plan->n_parts; i++) {
        plan->parts[i].bounds = plan->parts[found->kept[i]].bounds;
        plan->parts[i].superseded = losers_of(&found->parts[i]);
        plan->parts[i].records = found->parts[i].records - plan->parts[i].superseded;
    }
    plan->duplicates = losers_of(&found->all);
    plan->n_listed = found->all.records - plan->duplicates;
    plan->has_skips = found->listed;
}

/* Of a part of the source, what holds nothing of it is no partition. */
static bool is_of_plan(void *self, uint32_t part, const struct duplicates_part *counts)
{
    const struct plan *plan = self;
    return plan_only_has_part(plan, part) && (!plan->only || counts->records > 0);
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
        .rule = rule_of(plan),
        .keep = is_of_plan,
        .keep_self = plan,
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

/* Given keys are looked up. */
static bool count_given(const struct plan *plan, const struct plan_config *config, struct session *session,
                        uint64_t *ret, GError **error)
{
    auto_(ordered_keys) ordered = NULL;
    const struct slice *keys;
    size_t n = 0;
    uint64_t all = 0;
    struct ordered_wish wish = {.world = config->world,
                                .scratch = plan->listing_path,
                                .session = session,
                                .ds = &plan->source_ds,
                                .cancel = config->cancel};
    if (!ordered_keys_open(&ordered, &wish, error))
        return false;
    do {
        if (!ordered_keys_next(ordered, &keys, &n, error))
            return false;
        all += n;
    } while (n > 0);
    *ret = all;
    return true;
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
    if (!store_session_open(&session, plan->source, error))
        return false;
    if (plan->only && plan->only->n_keys)
        return count_given(plan, config, session, ret, error);
    if (!store_scan_open(&scan, session, &spec, error))
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
    return find_duplicates(plan, config, session, error) && plan_only_tell(plan, config, parts->len, error);
}

bool plan_cut(struct plan *plan, const struct plan_config *config, GError **error)
{
    auto_(session) session = NULL;
    char uid[HEX_TEXT(sizeof plan->uid)];
    hex_text(plan->uid, sizeof plan->uid, uid);
    g_autofree char *folder = home_path(config->home, HOME_LISTINGS, NULL);
    g_autofree char *listing = home_path(config->home, HOME_LISTING, uid);
    g_autofree char *skips = home_path(config->home, HOME_SKIPS, uid);
    plan->listing_path = plan_copy(plan, listing);
    plan->skip_path = plan_copy(plan, skips);
    if (!file_make_dirs(config->world, folder, error) || !store_session_open(&session, plan->source, error))
        return false;
    bool cut = plan_workers_decide(plan, session, error) &&
               (plan->listed ? cut_listed(plan, config, session, error) : cut_ranges(plan, config, session, error)) &&
               plan_unique(plan, config, session, error) && plan_retries_choose(plan, config, session, error) &&
               plan_retries_see_durable(plan, config, error);
    if (!plan->has_skips)
        plan->skip_path = NULL;
    if (!plan->listed)
        plan->listing_path = NULL;
    return cut;
}
