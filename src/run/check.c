#include "run/check.h"

#include <sodium.h>

#include "base/file.h"
#include "plan/home.h"

#define SAMPLE_RECORDS 1000
#define AGAIN_AFTER_MS 200

/* Owns what the input points to. */
struct check {
    struct verify_input input;
    GArray *parts;         /* of struct verify_part */
    struct part_sum *sums; /* as the gates left them; in the hold's arena */
    size_t n_sums;
    struct verify_sample *sample;
    char *undo_dir, *reports, *report_path, *sample_path, *owners_path;
    GPtrArray *owners; /* of char *, as the gates wrote them */
};

static void check_done(struct check *check)
{
    g_clear_pointer(&check->sample, verify_sample_free);
    g_clear_pointer(&check->parts, g_array_unref);
    g_free(check->undo_dir);
    g_clear_pointer(&check->owners, g_ptr_array_unref);
    g_free(check->reports);
    g_free(check->report_path);
    g_free(check->owners_path);
    g_free(check->sample_path);
}

static void input_from_plan(struct verify_input *input, const struct plan *plan)
{
    static const struct key_paths KEEP_KEY = {0};
    *input = (struct verify_input){
        .source = plan->source,
        .target = plan->target,
        .registry = plan->registry,
        .source_ds = plan->source_ds,
        .target_ds = plan_written_ds(plan), /* of a shadow: by key alone */
        .recipe = plan->recipe,
        .key = plan->same_dataset ? &KEEP_KEY : &plan->spec->source.key,
        .where = plan->spec->source.where,
        .range = &plan->spec->source.range,
        .only = plan->only_said,
        .version = plan->spec->source.version,
        .spec = plan->spec->name,
        .planned_at_ms = plan->planned_at_ms,
        .same_dataset = plan->same_dataset,
        .listed = plan->listed,
        .expires = plan->spec->target.expires,
        .expires_after_ms = plan->spec->target.expires_after_ms,
        .expires_from = plan->spec->target.expires_from,
        .skew_ms = plan->spec->protect.skew_ms,
        .listing_path = plan->listing_path,
        .skip_path = plan->skip_path,
        .again_after_ms = AGAIN_AFTER_MS,
        .workers = plan->spec->workers,
    };
}

/* --- watched
 * ---------------------------------------------------------------------------------------------------------- */

struct checking {
    const struct run_config *config;
    const struct run_row *run; /* NULL: a spec without a run */
    const struct verify_input *input;
    struct verify_result *ret;
    atomic_uint_fast64_t compared;
};

static bool verify(void *self, GError **error)
{
    struct checking *checking = self;
    return verify_run(checking->input, checking->ret, error);
}

/* By the verifier's threads; shown by the one that watches. */
static void on_progress(void *self, uint64_t compared)
{
    struct checking *checking = self;
    atomic_store(&checking->compared, compared);
}

static void show(void *self, struct watch *watch)
{
    struct checking *checking = self;
    uint64_t done = atomic_load(&checking->compared);
    struct run_event event = {.kind = RUN_EVENT_PROGRESS,
                              .run = checking->run,
                              .done = done,
                              .of = checking->run ? checking->run->tally.of[OUTCOME_LISTED_] : 0,
                              .records_per_s = watch_rate_per_s(watch, done),
                              .text = "verifying"};
    if (checking->config->event)
        checking->config->event(checking->config->event_self, &event);
}

/* Signals and, where `watch` has a catalog, wishes end it as CANCELLED; which of them, `watch` says. */
static bool verify_watched(struct checking *checking, struct verify_input *input, struct watch *watch, GError **error)
{
    atomic_bool stop = false;
    checking->input = input;
    input->cancel = &stop;
    input->progress = on_progress;
    input->progress_self = checking;
    watch->config = checking->config;
    watch->stop = &stop;
    watch->look = show;
    watch->self = checking;
    return watch_work(watch, verify, error);
}

/* --- of a run
 * --------------------------------------------------------------------------------------------------------- */

static void input_from_hold(struct check *check, struct hold *hold)
{
    const char *home = hold->config->home;
    struct verify_input *input = &check->input;
    g_autofree char *name = g_strdup_printf("verify-%" G_GINT64_FORMAT ".ndjson", world_wall_ms(hold->config->world));
    uint64_t seed;
    memcpy(&seed, hold->run.uid, sizeof seed);
    input_from_plan(input, hold->plan);
    if (hold->run.state == RUN_DONE)
        input->target_ds = hold->plan->target_ds; /* a shadow is live */
    check->undo_dir = home_path(home, HOME_UNDO, hold->run.name);
    check->reports = home_path(home, HOME_REPORTS, hold->run.name);
    check->report_path = g_build_filename(check->reports, name, NULL);
    check->sample_path = home_path(home, HOME_SAMPLE, hold->run.name);
    input->world = hold->config->world;
    input->run = hold->run.name;
    input->run_uid = hold->run.uid;
    input->catalog = hold->catalog;
    input->run_id = hold->run.id;
    input->seed = GUINT64_FROM_LE(seed);
    input->undo_dir = check->undo_dir;
    input->report_path = check->report_path;
}

/* Both in the order of the partitions: *io_at goes along. */
static const struct part_sum *sum_of(const struct check *check, uint32_t part, size_t *io_at)
{
    while (*io_at < check->n_sums && check->sums[*io_at].part < part)
        ++*io_at;
    return *io_at < check->n_sums && check->sums[*io_at].part == part ? &check->sums[*io_at] : NULL;
}

static struct verify_part verify_part_of(const struct part_row *row)
{
    return (struct verify_part){.part = row->part,
                                .bounds = row->bounds,
                                .keys = {.partition = row->of, .first = row->first, .keys = row->records}};
}

/* Those of the wish. A partition that is verified may be told by its sum, unless every key is to be compared. */
static bool add_parts(struct check *check, struct hold *hold, const struct check_wish *wish, GError **error)
{
    struct part_row *rows;
    size_t n, at = 0, open = 0;
    check->parts = g_array_new(FALSE, TRUE, sizeof(struct verify_part));
    struct parts_of of = {.run = hold->run.id, .stage = UINT32_MAX};
    if (!catalog_parts(hold->catalog, &of, hold->mem, &rows, &n, error) ||
        !catalog_part_sums(hold->catalog, hold->run.id, hold->mem, &check->sums, &check->n_sums, error))
        return false;
    for (size_t i = 0; i < n; i++) {
        bool verified = rows[i].state == PART_VERIFIED;
        struct verify_part part = verify_part_of(&rows[i]);
        if (verified && !hold->config->full && !check->input.target_ds.shadow)
            part.sum = sum_of(check, rows[i].part, &at);
        bool wanted = (wish->stage == UINT32_MAX || rows[i].stage == wish->stage) &&
                      (rows[i].state == PART_WRITTEN || (wish->verified_too && verified));
        if (wanted)
            g_array_append_val(check->parts, part);
        open += !wanted && !verified;
    }
    check->input.parts = (const struct verify_part *)(void *)check->parts->data;
    check->input.n_parts = check->parts->len;
    check->input.whole = open == 0 && !hold->plan->retries; /* all that was not refused is not of this run */
    check->input.all_parts = check->parts->len == n;
    return true;
}

static char *sample_path(const struct check *check, uint32_t stage)
{
    return g_strdup_printf("%s.%u", check->sample_path, stage);
}

static bool add_stage(struct check *check, struct hold *hold, uint32_t stage, GError **error)
{
    struct part_row *rows;
    size_t n;
    struct parts_of of = {.run = hold->run.id, .stage = stage};
    check->parts = g_array_new(FALSE, TRUE, sizeof(struct verify_part));
    if (!catalog_parts(hold->catalog, &of, hold->mem, &rows, &n, error))
        return false;
    for (size_t i = 0; i < n; i++) {
        struct verify_part part = verify_part_of(&rows[i]);
        g_array_append_val(check->parts, part);
    }
    check->input.parts = (const struct verify_part *)(void *)check->parts->data;
    check->input.n_parts = check->parts->len;
    return true;
}

bool check_sample(struct hold *hold, uint32_t stage, GError **error)
{
    struct check check = {0};
    bool ok = true;
    input_from_hold(&check, hold);
    g_autofree char *path = sample_path(&check, stage);
    if (hold->plan->same_dataset && !file_exists(hold->config->world, path))
        ok = add_stage(&check, hold, stage, error) && verify_sample_take(&check.input, SAMPLE_RECORDS, path, error);
    check_done(&check);
    return ok;
}

/* Of every stage that has partitions to verify. */
static bool add_samples(struct check *check, struct hold *hold, GError **error)
{
    struct stage_row *stages;
    size_t n;
    if (!hold->plan->same_dataset)
        return true;
    check->sample = verify_sample_new();
    check->input.sample = check->sample;
    if (!catalog_stages(hold->catalog, hold->run.id, hold->mem, &stages, &n, error))
        return false;
    for (size_t i = 0; i < n; i++) {
        g_autofree char *path = sample_path(check, stages[i].stage);
        bool written = stages[i].parts[PART_WRITTEN] + stages[i].parts[PART_VERIFIED] > 0;
        if (written && !verify_sample_add(check->sample, hold->config->world, path, error))
            return false;
    }
    return true;
}

#define OWNERS "owners."

/* A gate writes down whose each key is; a later verification reads what all of them wrote. */
static bool add_owners(struct check *check, const struct hold *hold, const struct check_wish *wish, GError **error)
{
    const struct world *world = hold->config->world;
    g_autoptr(GPtrArray) names = NULL;
    if (verify_in_key_order(&check->input) || !verify_scans_once(&check->input))
        return true;
    if (!wish->verified_too) {
        check->owners_path =
            g_strdup_printf("%s/" OWNERS "%u", check->reports, wish->stage == UINT32_MAX ? 0 : wish->stage);
        check->input.owners_path = check->owners_path;
        return true;
    }
    if (!file_exists(world, check->reports))
        return true;
    if (!file_list(world, check->reports, &names, error))
        return false;
    check->owners = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < names->len; i++) {
        const char *name = g_ptr_array_index(names, i);
        if (g_str_has_prefix(name, OWNERS) && !g_str_has_suffix(name, ".tmp"))
            g_ptr_array_add(check->owners, g_build_filename(check->reports, name, NULL));
    }
    check->input.owners = (const char *const *)(void *)check->owners->pdata;
    check->input.n_owners = check->owners->len;
    return true;
}

/* What a later verification can do with instead of the source. */
static bool keep_sums(struct hold *hold, const struct verify_result *result, GError **error)
{
    return !result->pass || catalog_part_sums_put(hold->catalog, hold->run.id, result->sums, result->n_sums, error);
}

bool check_parts(struct hold *hold, const struct check_wish *wish, struct watch *watch, struct verify_result *ret,
                 GError **error)
{
    struct check check = {0};
    struct checking checking = {.config = hold->config, .run = &hold->run, .ret = ret};
    input_from_hold(&check, hold);
    bool ok = add_parts(&check, hold, wish, error) && add_owners(&check, hold, wish, error) &&
              add_samples(&check, hold, error);
    ok = ok && verify_watched(&checking, &check.input, watch, error);
    if (ok && !wish->verified_too && !keep_sums(hold, ret, error)) {
        verify_result_done(ret);
        ok = false;
    }
    check_done(&check);
    return ok;
}

#define LINES_BYTES (64u << 10)

/* The lines of the report; one without differences has no file. */
static bool digest_lines(crypto_generichash_state *state, const struct world *world, const char *path, GError **error)
{
    auto_(file) file = NULL;
    uint64_t at = 0;
    size_t got = LINES_BYTES;
    if (!path || !file_exists(world, path))
        return true;
    g_autofree uint8_t *bytes = g_malloc(LINES_BYTES);
    if (!file_open(&file, world, path, FILE_READ, error))
        return false;
    for (; got == LINES_BYTES; at += got) {
        if (!file_read_at(file, at, bytes, LINES_BYTES, &got, error))
            return false;
        crypto_generichash_update(state, bytes, got);
    }
    return true;
}

bool check_keep_report(struct hold *hold, uint32_t stage, const struct verify_result *result, uint8_t ret_digest[32],
                       GError **error)
{
    crypto_generichash_state state;
    struct report_row report = {.run = hold->run.id,
                                .at_ms = world_wall_ms(hold->config->world),
                                .stage = stage,
                                .verdict = result->pass ? "pass" : "fail",
                                .path = result->report_path,
                                .summary = slice_of_text(result->json)};
    crypto_generichash_init(&state, NULL, 0, 32);
    crypto_generichash_update(&state, report.summary.data, report.summary.len);
    if (!digest_lines(&state, hold->config->world, result->report_path, error))
        return false;
    crypto_generichash_final(&state, ret_digest, 32);
    return catalog_report_add(hold->catalog, &report, error);
}

/* --- of a spec
 * -------------------------------------------------------------------------------------------------------- */

static void input_from_spec(struct check *check, const struct run_config *config, const struct plan *plan)
{
    g_autofree char *name =
        g_strdup_printf("%s-%" G_GINT64_FORMAT ".ndjson", plan->spec->name, world_wall_ms(config->world));
    input_from_plan(&check->input, plan);
    check->report_path = home_path(config->home, HOME_REPORTS, name);
    check->input.world = config->world;
    check->input.run = plan->spec->name;
    check->input.report_path = check->report_path;
    check->input.whole = true;
    check->input.all_parts = true;
    check->parts = g_array_new(FALSE, TRUE, sizeof(struct verify_part));
    for (size_t i = 0; i < plan->n_parts; i++) {
        struct part_row row = {
            .part = (uint32_t)i, .of = (uint32_t)i, .bounds = plan->parts[i].bounds, .records = plan->parts[i].records};
        struct verify_part part = verify_part_of(&row);
        g_array_append_val(check->parts, part);
    }
    check->input.parts = (const struct verify_part *)(void *)check->parts->data;
    check->input.n_parts = check->parts->len;
}

bool run_verify_spec(const struct run_config *config, struct spec *spec, struct verify_result *ret, GError **error)
{
    auto_(plan) plan = NULL;
    struct plan_config plan_config = hold_plan_config(config);
    if (!plan_make(&plan, &plan_config, spec, error))
        return false;
    struct check check = {0};
    const char *why = plan->same_dataset ? "its source is its target"
                      : plan->sink       ? "its target is append-only, where a run's files bear its name"
                                         : NULL;
    bool ok = !why || error_set(error, SLUICE_ERROR_USAGE, "%s: %s, so only a run can be verified: name the run, %s.N",
                                spec->path, why, spec->name);
    if (ok) {
        struct checking checking = {.config = config, .ret = ret};
        struct watch watch = {0};
        input_from_spec(&check, config, plan);
        ok = verify_watched(&checking, &check.input, &watch, error);
    }
    check_done(&check);
    return ok;
}
