#include "run/check.h"

#include "base/file.h"
#include "plan/home.h"

#define SAMPLE_RECORDS 1000
#define AGAIN_AFTER_MS 200

/* Owns what the input points to. */
struct check {
    struct verify_input input;
    GArray *parts; /* of struct verify_part */
    struct verify_sample *sample;
    char *undo_dir, *report_path, *sample_path;
};

static void check_done(struct check *check)
{
    g_clear_pointer(&check->sample, verify_sample_free);
    g_clear_pointer(&check->parts, g_array_unref);
    g_free(check->undo_dir);
    g_free(check->report_path);
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
        .target_ds = plan->target_ds,
        .recipe = plan->recipe,
        .key = plan->same_dataset ? &KEEP_KEY : &plan->spec->source.key,
        .where = plan->spec->source.where,
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
    g_autofree char *reports = home_path(home, HOME_REPORTS, hold->run.name);
    input_from_plan(input, hold->plan);
    check->undo_dir = home_path(home, HOME_UNDO, hold->run.name);
    check->report_path = g_build_filename(reports, name, NULL);
    check->sample_path = home_path(home, HOME_SAMPLE, hold->run.name);
    input->world = hold->config->world;
    input->run = hold->run.name;
    input->catalog = hold->catalog;
    input->run_id = hold->run.id;
    input->undo_dir = check->undo_dir;
    input->report_path = check->report_path;
}

static bool add_parts(struct check *check, struct hold *hold, bool whole, GError **error)
{
    struct part_row *rows;
    size_t n;
    check->parts = g_array_new(FALSE, TRUE, sizeof(struct verify_part));
    struct parts_of of = {.run = hold->run.id, .stage = UINT32_MAX};
    if (!catalog_parts(hold->catalog, &of, hold->mem, &rows, &n, error))
        return false;
    for (size_t i = 0; i < n; i++) {
        struct verify_part part = {.part = rows[i].part, .bounds = rows[i].bounds};
        if (rows[i].state == PART_WRITTEN || (whole && rows[i].state == PART_VERIFIED))
            g_array_append_val(check->parts, part);
    }
    check->input.parts = (const struct verify_part *)(void *)check->parts->data;
    check->input.n_parts = check->parts->len;
    check->input.whole = check->parts->len == n;
    return true;
}

bool check_sample(struct hold *hold, GError **error)
{
    struct check check = {0};
    bool ok = true;
    input_from_hold(&check, hold);
    if (hold->plan->same_dataset && !file_exists(hold->config->world, check.sample_path))
        ok = verify_sample_take(&check.input, SAMPLE_RECORDS, check.sample_path, error);
    check_done(&check);
    return ok;
}

bool check_parts(struct hold *hold, bool whole, struct watch *watch, struct verify_result *ret, GError **error)
{
    struct check check = {0};
    struct checking checking = {.config = hold->config, .run = &hold->run, .ret = ret};
    input_from_hold(&check, hold);
    bool ok = add_parts(&check, hold, whole, error);
    if (ok && hold->plan->same_dataset) {
        ok = verify_sample_open(&check.sample, hold->config->world, check.sample_path, error);
        check.input.sample = check.sample;
    }
    ok = ok && verify_watched(&checking, &check.input, watch, error);
    check_done(&check);
    return ok;
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
    check->parts = g_array_new(FALSE, TRUE, sizeof(struct verify_part));
    for (size_t i = 0; i < plan->n_parts; i++) {
        struct verify_part part = {.part = (uint32_t)i, .bounds = plan->parts[i].bounds};
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
    bool ok = !plan->same_dataset ||
              error_set(error, SLUICE_ERROR_USAGE,
                        "%s: its source is its target, so only a run can be verified: name the run, %s.N", spec->path,
                        spec->name);
    if (ok) {
        struct checking checking = {.config = config, .ret = ret};
        struct watch watch = {0};
        input_from_spec(&check, config, plan);
        ok = verify_watched(&checking, &check.input, &watch, error);
    }
    check_done(&check);
    return ok;
}
