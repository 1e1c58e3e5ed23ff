/* A verification's input: what the plan froze, what the hold knows of the run, what the spec asks for beside it. */
#include "plan/home.h"
#include "run/check_state.h"

#define AGAIN_AFTER_MS 200

void check_done(struct check *check)
{
    g_clear_pointer(&check->sample, verify_sample_free);
    g_clear_pointer(&check->parts, g_array_unref);
    g_clear_pointer(&check->mem, arena_free);
    g_free(check->undo_dir);
    g_clear_pointer(&check->owners, g_ptr_array_unref);
    g_clear_pointer(&check->sketches, g_ptr_array_unref);
    g_free(check->reports);
    g_free(check->report_path);
    g_free(check->owners_path);
    g_free(check->sketch_path);
    g_free(check->progress_path);
    g_free(check->sample_path);
    cause_found_done(&check->caused);
    measures_free(check->measures);
    past_free(check->baseline);
    g_free(check->profile_path);
}

void check_from_plan(struct verify_input *input, const struct plan *plan)
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
        .removes = plan->removes,
        .only = plan->only_said,
        .version = plan->spec->source.version,
        .spec = plan->spec->name,
        .target_name = plan->target_name,
        .planned_at_ms = plan->planned_at_ms,
        .same_dataset = plan->same_dataset,
        .listed = plan->listed,
        .expires = plan->spec->target.expires,
        .expires_after_ms = plan->spec->target.expires_after_ms,
        .expires_from = plan->spec->target.expires_from,
        .skew_ms = plan->spec->protect.skew_ms,
        .listing_path = plan->listing_path,
        .skip_path = plan->skip_path,
        .judge = plan->spec,
        .expects = plan->spec->expects,
        .n_expects = plan->spec->n_expects,
        .draw_key = digest_bytes(slice_of(plan->digests.plan, sizeof plan->digests.plan), 0).low,
        .again_after_ms = AGAIN_AFTER_MS,
        .workers = plan->limits.workers,
    };
    memcpy(input->judge_digest, plan->judge, sizeof input->judge_digest);
}

void check_from_hold(struct check *check, struct hold *hold)
{
    const char *home = hold->config->home;
    struct verify_input *input = &check->input;
    g_autofree char *name =
        g_strdup_printf(CHECK_PREFIX "%" G_GINT64_FORMAT CHECK_ENDING, world_wall_ms(hold->config->world));
    uint64_t seed;
    memcpy(&seed, hold->run.uid, sizeof seed);
    check->mem = arena_new(HOLD_ROWS_BYTES);
    check_from_plan(input, hold->plan);
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

struct verify_part check_part_of(const struct part_row *row)
{
    return (struct verify_part){.part = row->part,
                                .bounds = row->bounds,
                                .keys = {.partition = row->of, .first = row->first, .keys = row->records}};
}

void check_add_part(struct check *check, struct verify_part part)
{
    if (!check->parts)
        check->parts = g_array_new(FALSE, TRUE, sizeof part);
    g_array_append_val(check->parts, part);
    check->input.parts = (const struct verify_part *)(void *)check->parts->data;
    check->input.n_parts = check->parts->len;
}

char *check_sample_path(const struct check *check, uint32_t stage)
{
    return g_strdup_printf("%s.%u", check->sample_path, stage);
}

/* --- the root cause ----------------------------------------------------------------------------------------------- */

void check_asks_cause(struct check *check, const struct plan *plan, int64_t mended_us)
{
    const struct spec_cause *cause = &plan->spec->cause;
    int64_t after_us = cause->after_us == INT64_MIN ? plan->planned_at_ms * 1000 : cause->after_us;
    if (!cause->id)
        return;
    check->live = plan->target_ds;
    check->cause = (struct cause_wish){
        .of = cause, .since_us = MAX(after_us, mended_us), .hidden = plan->spec->retain.key != NULL};
}

bool check_find_cause(struct check *check, GError **error)
{
    struct verify_input input = check->input;
    struct cause_wish wish = check->cause;
    if (!wish.of)
        return true;
    input.target_ds = check->live;
    wish.input = &input;
    if (!cause_probe(&wish, &check->caused, error))
        return false;
    check->input.cause = &check->caused;
    return true;
}

bool check_is_mended(const struct check *check, GError **error)
{
    if (!check->cause.of || !check->caused.broken)
        return true;
    g_autofree char *words = cause_words(&check->caused);
    return error_set(error, SLUICE_ERROR_HALTED,
                     "%s; whoever writes them is not mended, and old records are not repaired before that. From a "
                     "`resume` on what is newer than it counts",
                     words);
}

/* --- measures ----------------------------------------------------------------------------------------------------- */

void check_asks_measures(struct check *check, const struct plan *plan, const struct world *world)
{
    if (plan->spec->n_measures == 0)
        return;
    check->measures = measures_new(plan->spec);
    check->asking = (struct measure_asking){.world = world, .base_dir = plan->spec->dir};
    check->measure = (struct measures_wish){.ask = measure_ask, .self = &check->asking};
    check->input.measures = check->measures;
    check->input.measure = &check->measure;
}

/* --- the baseline ------------------------------------------------------------------------------------------------- */

bool check_find_baseline(struct check *check, const struct earlier_wish *wish, GError **error)
{
    if (!earlier_find(wish, &check->baseline, error))
        return false;
    const struct past *baseline = check->input.baseline = check->baseline;
    return !wish->asked || !baseline || !baseline->why ||
           error_set(error, SLUICE_ERROR_REFUSED, "the baseline %s cannot be had: %s", baseline->of, baseline->why);
}
