/* The partitions of a run, verified: which of them, by which sums and samples, against what the gates kept. */
#include "base/file.h"
#include "run/check_state.h"

#define OWNERS   "owners."
#define SKETCH   "sketch."
#define PROGRESS "progress"

/* --- partitions --------------------------------------------------------------------------------------------------- */

/* Both in the order of the partitions: *io_at goes along. */
static const struct part_sum *sum_of(const struct check *check, uint32_t part, size_t *io_at)
{
    while (*io_at < check->n_sums && check->sums[*io_at].part < part)
        ++*io_at;
    return *io_at < check->n_sums && check->sums[*io_at].part == part ? &check->sums[*io_at] : NULL;
}

static bool samples(const struct check_wish *wish)
{
    return wish->sure.confidence > 0;
}

/* Which keys the source has, without reading it: all that are listed, where a partition with a sum makes no others. */
static bool listing_tells(const struct verify_input *input)
{
    return verify_in_key_order(input) || (input->listed && !verify_scans_once(input));
}

/* Those of the wish. A partition that is verified may be told by its sum, unless every key is to be compared. */
static bool add_parts(struct check *check, struct hold *hold, const struct check_wish *wish, GError **error)
{
    struct part_row *rows;
    size_t n, at = 0, open = 0;
    struct parts_of of = {.run = hold->run.id, .stage = UINT32_MAX};
    check->input.extra = hold->config->extra;
    bool by_sums = !hold->config->full && !samples(wish) && (!check->input.extra || listing_tells(&check->input));
    if (!catalog_parts(hold->catalog, &of, check->mem, &rows, &n, error) ||
        (wish->verified_too &&
         !catalog_part_sums(hold->catalog, hold->run.id, check->mem, &check->sums, &check->n_sums, error)))
        return false;
    for (size_t i = 0; i < n; i++) {
        bool verified = rows[i].state == PART_VERIFIED;
        struct verify_part part = check_part_of(&rows[i]);
        if (verified && by_sums && !check->input.target_ds.shadow)
            part.sum = sum_of(check, rows[i].part, &at);
        bool wanted = (wish->stage == UINT32_MAX || rows[i].stage == wish->stage) &&
                      (rows[i].state == PART_WRITTEN || (wish->verified_too && verified));
        if (wanted)
            check_add_part(check, part);
        open += !wanted && !verified;
    }
    check->input.sure = wish->sure;
    /* All that was not refused is not of this run; and for a sample that somebody asks for nothing is read but it. */
    check->input.whole = open == 0 && !hold->plan->retries && !(samples(wish) && wish->verified_too);
    check->input.all_parts = check->input.n_parts == n;
    check->input.last = open == 0;
    return true;
}

/* --- samples ------------------------------------------------------------------------------------------------------ */

/* Of every stage that has partitions to verify. */
static bool add_samples(struct check *check, struct hold *hold, GError **error)
{
    struct stage_row *stages;
    size_t n;
    if (!hold->plan->same_dataset)
        return true;
    check->sample = verify_sample_new();
    check->input.sample = check->sample;
    if (!catalog_stages(hold->catalog, hold->run.id, check->mem, &stages, &n, error))
        return false;
    for (size_t i = 0; i < n; i++) {
        g_autofree char *path = check_sample_path(check, stages[i].stage);
        bool written = stages[i].parts[PART_WRITTEN] + stages[i].parts[PART_VERIFIED] > 0;
        if (written && !verify_sample_add(check->sample, hold->config->world, path, error))
            return false;
    }
    return true;
}

/* --- files -------------------------------------------------------------------------------------------------------- */

/* The reports' files of that name, of all stages; NULL: there are none. Those that were being made when the process
 * died are among them where `drafts` says so. What stands in the folder's place, whoever writes there will say. */
static bool files_of(const struct check *check, const struct world *world, const char *prefix, bool drafts,
                     GPtrArray **ret, GError **error)
{
    g_autoptr(GPtrArray) names = NULL;
    struct world_stat found;
    if (!file_stat_path(world, check->reports, &found, NULL) || !found.directory)
        return true;
    if (!file_list(world, check->reports, &names, error))
        return false;
    *ret = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < names->len; i++) {
        const char *name = g_ptr_array_index(names, i);
        if (g_str_has_prefix(name, prefix) && (drafts || !g_str_has_suffix(name, ".tmp")))
            g_ptr_array_add(*ret, g_build_filename(check->reports, name, NULL));
    }
    return true;
}

/* Key lists that a verification of this run left when it was killed: the run is locked, so none of them is at work. */
static bool drop_left(const struct check *check, const struct world *world, GError **error)
{
    g_autoptr(GPtrArray) left = NULL;
    bool ok = files_of(check, world, CHECK_PREFIX, true, &left, error);
    for (guint i = 0; ok && left && i < left->len; i++) {
        const char *path = left->pdata[i];
        if (strstr(path + strlen(check->reports), CHECK_ENDING "."))
            ok = file_unlink(world, path, error);
    }
    return ok;
}

static const char *const *paths_of(const GPtrArray *files, size_t *ret_n)
{
    *ret_n = files ? files->len : 0;
    return files ? (const char *const *)(void *)files->pdata : NULL;
}

static char *file_of(const struct check *check, const char *prefix, const struct check_wish *wish)
{
    return g_strdup_printf("%s/%s%u", check->reports, prefix, wish->stage);
}

/* A gate writes down whose each key is, and a sketch of what the target holds; a later verification reads what all of
 * them wrote. */
static bool add_kept(struct check *check, const struct hold *hold, const struct check_wish *wish, GError **error)
{
    const struct world *world = hold->config->world;
    struct verify_input *input = &check->input;
    bool owned = !verify_in_key_order(input) && verify_scans_once(input);
    if (!wish->verified_too) {
        check->owners_path = owned ? file_of(check, OWNERS, wish) : NULL;
        check->sketch_path = file_of(check, SKETCH, wish);
        input->owners_path = check->owners_path;
        input->sketch_path = check->sketch_path;
        return true;
    }
    if ((owned && !files_of(check, world, OWNERS, false, &check->owners, error)) ||
        !files_of(check, world, SKETCH, false, &check->sketches, error))
        return false;
    input->owners = paths_of(check->owners, &input->n_owners);
    input->sketches = paths_of(check->sketches, &input->n_sketches);
    check->progress_path = g_build_filename(check->reports, PROGRESS, NULL);
    input->progress_path = check->progress_path;
    return true;
}

/* What a later verification can do with instead of the source. */
static bool keep_sums(struct hold *hold, const struct verify_result *result, GError **error)
{
    return !result->pass || catalog_part_sums_put(hold->catalog, hold->run.id, result->sums, result->n_sums, error);
}

/* --- the baseline ------------------------------------------------------------------------------------------------- */

static size_t parts_of_stage(const struct stage_row *stage)
{
    size_t n = 0;
    for (int i = 0; i < PART_STATE_COUNT; i++)
        n += stage->parts[i];
    return n;
}

/* A part of a run that is done again was chosen because it was wrong: its values are like nothing else's. Its gate
 * keeps none, and they are held against none. */
static bool add_baseline(struct check *check, struct hold *hold, uint32_t stage, bool gate, GError **error)
{
    struct stage_row *stages;
    size_t n;
    bool whole = false;
    struct earlier_wish wish = {.world = hold->config->world,
                                .home = hold->config->home,
                                .catalog = hold->catalog,
                                .spec = hold->plan->spec,
                                .asked = hold->config->baseline,
                                .before = hold->run.id};
    if (hold->plan->retries && !wish.asked)
        return true;
    if (!catalog_stages(hold->catalog, hold->run.id, hold->mem, &stages, &n, error))
        return false;
    for (size_t i = 0; i < n; i++)
        if (stages[i].stage == stage) {
            wish.stage = stages[i].name;
            whole = check->input.n_parts == parts_of_stage(&stages[i]);
        }
    if (gate && whole)
        check->profile_path = earlier_path(wish.home, hold->run.name, stage);
    check->input.profile_path = check->profile_path;
    check->input.stage = wish.stage;
    return check_find_baseline(check, &wish, error);
}

/* --- verified ----------------------------------------------------------------------------------------------------- */

bool check_parts(struct hold *hold, const struct check_wish *wish, struct watch *watch, struct verify_result *ret,
                 GError **error)
{
    struct check check = {0};
    struct checking checking = {.config = hold->config,
                                .run = &hold->run,
                                .hold = hold,
                                .at_gate = watch->catalog != NULL,
                                .check = &check,
                                .ret = ret};
    check_from_hold(&check, hold);
    check_asks_cause(&check, hold->plan, hold->mended_us);
    check_asks_measures(&check, hold->plan, hold->config->world);
    bool taken;
    bool ok = !check.measures || measure_recorded(hold, check.measures, &taken, error);
    ok = ok && drop_left(&check, hold->config->world, error) && add_parts(&check, hold, wish, error) &&
         add_kept(&check, hold, wish, error) && add_samples(&check, hold, error) &&
         add_baseline(&check, hold, wish->stage, !wish->verified_too, error);
    ok = ok && (checking.at_gate || checking_wait(&checking, error)) &&
         checking_verify(&checking, &check.input, watch, error);
    if (!ok && !checking.at_gate)
        checking_say_end(hold, error);
    if (ok && !wish->verified_too && !keep_sums(hold, ret, error)) {
        verify_result_done(ret);
        ok = false;
    }
    check_done(&check);
    return ok;
}
