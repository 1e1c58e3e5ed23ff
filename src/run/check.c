#include "run/check.h"

#include <sodium.h>

#include "base/file.h"
#include "plan/home.h"
#include "run/earlier.h"
#include "run/measure.h"
#include "run/planning.h"
#include "run/tell.h"
#include "verify/cause.h"

#define SAMPLE_RECORDS 1000
#define AGAIN_AFTER_MS 200
#define SLOWED_MOST_US 5e6
#define HELD_US        20000

/* Owns what the input points to. */
struct check {
    struct verify_input input;
    struct arena *mem;     /* what the catalog says of the partitions */
    GArray *parts;         /* of struct verify_part */
    struct part_sum *sums; /* as the gates left them; in mem */
    size_t n_sums;
    struct verify_sample *sample;
    char *undo_dir, *reports, *report_path, *sample_path, *owners_path, *sketch_path, *progress_path;
    GPtrArray *owners, *sketches; /* of char *, as the gates wrote them; NULL: none */
    struct cause_wish cause;      /* of NULL: nobody asks */
    struct dataset live;          /* where fresh records are, also of a run that writes a shadow */
    struct cause_found caused;
    struct measures *measures; /* NULL: none */
    struct past *baseline;     /* likewise */
    char *profile_path;
    struct measure_asking asking;
    struct measures_wish measure;
};

static void check_done(struct check *check)
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

/* --- the root cause ----------------------------------------------------------------------------------------------- */

/* `mended_us`: since when a person says that it is mended; 0: nobody has. */
static void cause_from_plan(struct check *check, const struct plan *plan, int64_t mended_us)
{
    const struct spec_cause *cause = &plan->spec->cause;
    int64_t after_us = cause->after_us == INT64_MIN ? plan->planned_at_ms * 1000 : cause->after_us;
    if (!cause->id)
        return;
    check->live = plan->target_ds;
    check->cause = (struct cause_wish){
        .of = cause, .since_us = MAX(after_us, mended_us), .hidden = plan->spec->retain.key != NULL};
}

static bool find_cause(struct check *check, GError **error)
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

/* What made the old records wrong still makes wrong ones. */
static bool is_mended(const struct check *check, GError **error)
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

static void measures_from_plan(struct check *check, const struct plan *plan, const struct world *world)
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

static bool find_baseline(struct check *check, const struct earlier_wish *wish, GError **error)
{
    if (!earlier_find(wish, &check->baseline, error))
        return false;
    const struct past *baseline = check->input.baseline = check->baseline;
    return !wish->asked || !baseline || !baseline->why ||
           error_set(error, SLUICE_ERROR_REFUSED, "the baseline %s cannot be had: %s", baseline->of, baseline->why);
}

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
    return find_baseline(check, &wish, error);
}

/* --- watched ------------------------------------------------------------------------------------------------------ */

struct checking {
    const struct run_config *config;
    const struct run_row *run; /* NULL: a spec without a run */
    struct hold *hold;         /* whose guards are heeded */
    bool at_gate;              /* a guard pauses the run; else only the work */
    struct check *check;
    const struct verify_input *input;
    struct verify_result *ret;
    atomic_bool stop, held; /* held: by a guard */
    atomic_uint_fast64_t compared, of;
};

static bool verify(void *self, GError **error)
{
    struct checking *checking = self;
    return find_cause(checking->check, error) && (!checking->at_gate || is_mended(checking->check, error)) &&
           verify_run(checking->input, checking->ret, error);
}

/* How long a thread takes for so many keys. */
static double us_for(const struct checking *checking, uint64_t compared, double per_s)
{
    return per_s > 0 ? (double)compared * 1e6 / per_s * MAX(checking->input->workers, 1u) : 0;
}

/* As much slower as the guards leave of its pace, and as whoever asked for it has said. */
static void slow_down(const struct checking *checking, uint64_t compared)
{
    double slowed_per_s = limits_slowed_per_s(&checking->hold->shared.limits);
    double us = MIN(us_for(checking, compared, slowed_per_s), SLOWED_MOST_US);
    if (!checking->at_gate)
        us = MAX(us, us_for(checking, compared, checking->config->verify_per_s));
    world_sleep_us(checking->config->world, (int64_t)us, &checking->stop);
}

/* By the verifier's threads; shown, and held, by the one that watches. */
static void on_progress(void *self, uint64_t compared, uint64_t of)
{
    struct checking *checking = self;
    atomic_store(&checking->of, of);
    uint64_t before = atomic_exchange(&checking->compared, compared);
    slow_down(checking, compared - MIN(before, compared));
    while (atomic_load(&checking->held) && !atomic_load(&checking->stop))
        world_sleep_us(checking->config->world, HELD_US, &checking->stop);
}

/* Work that stands still where it is goes on from there: what was compared is not compared again. One that is halted,
 * that nobody is to wait for, or that waits in vain, ends; so does one whose pause cannot be written down. */
static void hold_back(struct checking *checking)
{
    struct hold *hold = checking->hold;
    bool holds = guarding_holds(hold->guarding), held = atomic_load(&checking->held);
    bool ends = guarding_halts(hold->guarding) || (held && guarding_ends(hold->guarding));
    ends |= holds && hold->config->exit_on_pause;
    if (holds && checking->at_gate)
        ends |= !guarding_pause_here(hold, NULL);
    if (held && guarding_may(hold->guarding)) {
        ends |= checking->at_gate && !hold_move(hold, RUN_VERIFYING, NULL, NULL, NULL);
        atomic_store(&checking->held, false);
    } else if (holds)
        atomic_store(&checking->held, true);
    if (ends)
        atomic_store(&checking->stop, true);
}

static void look_at_guards(struct checking *checking, struct watch *watch)
{
    struct hold *hold = checking->hold;
    if (!watch->catalog) /* nobody has looked yet */
        guarding_look_paced(hold->guarding, hold->catalog, watch->rate_per_s, watch->now_us);
    hold_back(checking);
}

static void show(void *self, struct watch *watch)
{
    struct checking *checking = self;
    look_at_guards(checking, watch);
    struct run_event event = {.kind = RUN_EVENT_PROGRESS,
                              .run = checking->run,
                              .done = atomic_load(&checking->compared),
                              .of = atomic_load(&checking->of),
                              .records_per_s = watch_rate_per_s(watch, atomic_load(&checking->compared)),
                              .text = atomic_load(&checking->held) ? "verifying, held by a guard" : "verifying"};
    run_tell(checking->config, &event);
}

/* Signals and, where `watch` has a catalog, wishes end it as CANCELLED; which of them, `watch` says. */
static bool verify_watched(struct checking *checking, struct verify_input *input, struct watch *watch, GError **error)
{
    checking->input = input;
    input->cancel = &checking->stop;
    input->progress = on_progress;
    input->progress_self = checking;
    watch->config = checking->config;
    watch->stop = &checking->stop;
    watch->look = show;
    watch->self = checking;
    return watch_work(watch, verify, error);
}

static bool may_begin(void *self)
{
    struct checking *checking = self;
    struct hold *hold = checking->hold;
    guarding_look(hold->guarding, hold->catalog, world_monotonic_us(hold->config->world));
    return atomic_load(&checking->stop) || guarding_is_over(hold->guarding);
}

/* Where it is nobody's gate: nothing is read before all that is watched has been, and nobody is against it. */
static bool wait_clear(struct checking *checking, GError **error)
{
    struct watch watch = {
        .config = checking->config, .stop = &checking->stop, .ended = may_begin, .look = show, .self = checking};
    watch_until_ended(&watch);
    atomic_store(&checking->held, false);
    if (watch.interrupted || (atomic_load(&checking->stop) && !guarding_ends(checking->hold->guarding)))
        return error_set(error, SLUICE_ERROR_INTERRUPTED, "interrupted; nothing was compared");
    return guarding_lets(checking->hold->guarding, error);
}

/* --- of a run ----------------------------------------------------------------------------------------------------- */

#define REPORT_PREFIX "verify-"
#define REPORT_ENDING ".ndjson"

static void input_from_hold(struct check *check, struct hold *hold)
{
    const char *home = hold->config->home;
    struct verify_input *input = &check->input;
    g_autofree char *name =
        g_strdup_printf(REPORT_PREFIX "%" G_GINT64_FORMAT REPORT_ENDING, world_wall_ms(hold->config->world));
    uint64_t seed;
    memcpy(&seed, hold->run.uid, sizeof seed);
    check->mem = arena_new(HOLD_ROWS_BYTES);
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

static void add_part(struct check *check, struct verify_part part)
{
    if (!check->parts)
        check->parts = g_array_new(FALSE, TRUE, sizeof part);
    g_array_append_val(check->parts, part);
    check->input.parts = (const struct verify_part *)(void *)check->parts->data;
    check->input.n_parts = check->parts->len;
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
        struct verify_part part = verify_part_of(&rows[i]);
        if (verified && by_sums && !check->input.target_ds.shadow)
            part.sum = sum_of(check, rows[i].part, &at);
        bool wanted = (wish->stage == UINT32_MAX || rows[i].stage == wish->stage) &&
                      (rows[i].state == PART_WRITTEN || (wish->verified_too && verified));
        if (wanted)
            add_part(check, part);
        open += !wanted && !verified;
    }
    check->input.sure = wish->sure;
    /* All that was not refused is not of this run; and for a sample that somebody asks for nothing is read but it. */
    check->input.whole = open == 0 && !hold->plan->retries && !(samples(wish) && wish->verified_too);
    check->input.all_parts = check->input.n_parts == n;
    check->input.last = open == 0;
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
    if (!catalog_parts(hold->catalog, &of, check->mem, &rows, &n, error))
        return false;
    for (size_t i = 0; i < n; i++)
        add_part(check, verify_part_of(&rows[i]));
    return true;
}

struct sampling {
    const struct verify_input *input;
    const char *path;
};

static bool sample(void *self, GError **error)
{
    const struct sampling *sampling = self;
    return verify_sample_take(sampling->input, SAMPLE_RECORDS, sampling->path, error);
}

/* Before a stage is written, so that a guard that holds the run ends it as well. */
static bool work_before(struct hold *hold, struct check *check, struct watch *watch,
                        bool (*work)(void *self, GError **error), void *self, GError **error)
{
    atomic_bool stop = false;
    if (!watch)
        return work(self, error);
    check->input.cancel = &stop;
    watch->config = hold->config;
    watch->stop = &stop;
    watch->guarded = true;
    watch->self = self;
    return watch_work(watch, work, error);
}

bool check_sample(struct hold *hold, uint32_t stage, struct watch *watch, GError **error)
{
    struct check check = {0};
    bool ok = true;
    input_from_hold(&check, hold);
    g_autofree char *path = sample_path(&check, stage);
    struct sampling sampling = {.input = &check.input, .path = path};
    if (hold->plan->same_dataset && !file_exists(hold->config->world, path))
        ok = add_stage(&check, hold, stage, error) && work_before(hold, &check, watch, sample, &sampling, error);
    check_done(&check);
    return ok;
}

static bool mended(void *self, GError **error)
{
    struct check *check = self;
    return find_cause(check, error) && is_mended(check, error);
}

bool check_cause(struct hold *hold, struct watch *watch, char **ret_words, GError **error)
{
    struct check check = {0};
    bool ok = true;
    input_from_hold(&check, hold);
    cause_from_plan(&check, hold->plan, hold->mended_us);
    if (check.cause.of)
        ok = work_before(hold, &check, watch, mended, &check, error);
    if (ok)
        *ret_words = check.cause.of ? cause_words(&check.caused) : NULL;
    check_done(&check);
    return ok;
}

struct measuring {
    struct hold *hold;
    struct check *check;
};

static bool measure(void *self, GError **error)
{
    const struct measuring *measuring = self;
    return measure_before(measuring->hold, &measuring->check->input, measuring->check->measures, error);
}

bool check_measures(struct hold *hold, struct watch *watch, GError **error)
{
    struct check check = {0};
    struct measuring measuring = {.hold = hold, .check = &check};
    bool taken = true, ok = true;
    input_from_hold(&check, hold);
    measures_from_plan(&check, hold->plan, hold->config->world);
    if (check.measures)
        ok = measure_recorded(hold, check.measures, &taken, error);
    if (ok && !taken)
        ok = work_before(hold, &check, watch, measure, &measuring, error) &&
             measure_record_durable(hold, check.measures, error);
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
    if (!catalog_stages(hold->catalog, hold->run.id, check->mem, &stages, &n, error))
        return false;
    for (size_t i = 0; i < n; i++) {
        g_autofree char *path = sample_path(check, stages[i].stage);
        bool written = stages[i].parts[PART_WRITTEN] + stages[i].parts[PART_VERIFIED] > 0;
        if (written && !verify_sample_add(check->sample, hold->config->world, path, error))
            return false;
    }
    return true;
}

#define OWNERS   "owners."
#define SKETCH   "sketch."
#define PROGRESS "progress"

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
    bool ok = files_of(check, world, REPORT_PREFIX, true, &left, error);
    for (guint i = 0; ok && left && i < left->len; i++) {
        const char *path = left->pdata[i];
        if (strstr(path + strlen(check->reports), REPORT_ENDING "."))
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

/* Of a verification that is nobody's gate: what it was stopped by. */
static void say_end(struct hold *hold, GError **io_error)
{
    if (!error_is(*io_error, SLUICE_ERROR_CANCELLED) || !guarding_ends(hold->guarding))
        return;
    g_clear_error(io_error);
    guarding_lets(hold->guarding, io_error);
}

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
    input_from_hold(&check, hold);
    cause_from_plan(&check, hold->plan, hold->mended_us);
    measures_from_plan(&check, hold->plan, hold->config->world);
    bool taken;
    bool ok = !check.measures || measure_recorded(hold, check.measures, &taken, error);
    ok = ok && drop_left(&check, hold->config->world, error) && add_parts(&check, hold, wish, error) &&
         add_kept(&check, hold, wish, error) && add_samples(&check, hold, error) &&
         add_baseline(&check, hold, wish->stage, !wish->verified_too, error);
    ok = ok && (checking.at_gate || wait_clear(&checking, error)) &&
         verify_watched(&checking, &check.input, watch, error);
    if (!ok && !checking.at_gate)
        say_end(hold, error);
    if (ok && !wish->verified_too && !keep_sums(hold, ret, error)) {
        verify_result_done(ret);
        ok = false;
    }
    check_done(&check);
    return ok;
}

bool check_wants_report(const struct run_config *config, struct verify_result *io, bool *ret, GError **error)
{
    *ret = !config->keep_report || config->keep_report(config->keep_self, io);
    if (*ret)
        return true;
    bool ok = file_unlink(config->world, io->report_path, error) && file_unlink(config->world, io->page_path, error);
    g_clear_pointer(&io->report_path, g_free);
    g_clear_pointer(&io->page_path, g_free);
    return ok;
}

#define LINES_BYTES (64u << 10)

/* The lines of the report. */
static bool digest_lines(crypto_generichash_state *state, const struct world *world, const char *path, GError **error)
{
    auto_(file) file = NULL;
    uint64_t at = 0;
    size_t got = LINES_BYTES;
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
    if (stage == UINT32_MAX) /* no move follows that would say it */
        report.act = hold->config->act;
    crypto_generichash_init(&state, NULL, 0, 32);
    crypto_generichash_update(&state, report.summary.data, report.summary.len);
    if (!digest_lines(&state, hold->config->world, result->report_path, error))
        return false;
    crypto_generichash_final(&state, ret_digest, 32);
    return catalog_report_add(hold->catalog, &report, error);
}

/* --- of a spec ---------------------------------------------------------------------------------------------------- */

static void input_from_spec(struct check *check, const struct run_config *config, const struct plan *plan)
{
    g_autofree char *name =
        g_strdup_printf("%s-%" G_GINT64_FORMAT REPORT_ENDING, plan->spec->name, world_wall_ms(config->world));
    input_from_plan(&check->input, plan);
    check->input.draw_key = digest_bytes(slice_of(plan->digests.spec, sizeof plan->digests.spec), 0).low;
    check->report_path = home_path(config->home, HOME_REPORTS, name);
    check->input.world = config->world;
    check->input.run = plan->spec->name;
    check->input.report_path = check->report_path;
    check->input.sure = config->sure;
    check->input.extra = config->extra;
    check->input.whole = config->sure.confidence <= 0;
    check->input.all_parts = check->input.last = true;
    for (size_t i = 0; i < plan->n_parts; i++) {
        struct part_row row = {
            .part = (uint32_t)i, .of = (uint32_t)i, .bounds = plan->parts[i].bounds, .records = plan->parts[i].records};
        add_part(check, verify_part_of(&row));
    }
    cause_from_plan(check, plan, 0);
    measures_from_plan(check, plan, config->world);
}

/* A home that has no catalog yet has no flag that could stop it. */
static bool open_home(struct hold *hold, GError **error)
{
    g_autofree char *path = g_build_filename(hold->config->home, "catalog.db", NULL);
    return !file_exists(hold->config->world, path) ||
           catalog_open(&hold->catalog, hold->config->world, hold->config->home, CATALOG_READ_ONLY, error);
}

/* As the spec promises, and as its guards let it. The hold is that of no run. */
static bool verify_guarded(struct hold *hold, struct check *check, struct verify_result *ret, GError **error)
{
    struct checking checking = {.config = hold->config, .hold = hold, .check = check, .ret = ret};
    struct watch watch = {0};
    struct govern_self self = {.what = "a verification", .learned = hold->config->learned};
    if (!open_home(hold, error) ||
        !govern_begin(&hold->shared.govern, hold->config->world, hold->plan, &hold->shared.limits, &self, error))
        return false;
    struct earlier_wish wish = {.world = hold->config->world,
                                .home = hold->config->home,
                                .catalog = hold->catalog,
                                .spec = hold->plan->spec,
                                .asked = hold->config->baseline,
                                .before = INT64_MAX};
    hold->guarding = guarding_new(hold);
    bool ok = wait_clear(&checking, error) && find_baseline(check, &wish, error) &&
              verify_watched(&checking, &check->input, &watch, error);
    if (!ok)
        say_end(hold, error);
    return ok;
}

static bool verify_paced(const struct run_config *config, struct plan *plan, struct check *check,
                         struct verify_result *ret, GError **error)
{
    struct hold hold = {.config = config, .plan = plan};
    exec_shared_init(&hold.shared);
    limits_reset(&hold.shared.limits, &plan->limits);
    bool ok = verify_guarded(&hold, check, ret, error);
    g_clear_pointer(&hold.guarding, guarding_free);
    govern_end(hold.shared.govern);
    g_clear_pointer(&hold.catalog, catalog_free);
    exec_shared_done(&hold.shared);
    return ok;
}

bool run_verify_spec(const struct run_config *config, struct spec *spec, struct verify_result *ret, GError **error)
{
    auto_(plan) plan = NULL;
    if (!planning_make(&plan, config, spec, error)) {
        spec_free(spec);
        return false;
    }
    struct check check = {0};
    const char *why = plan->same_dataset ? "its source is its target"
                      : plan->sink       ? "its target is append-only, where a run's files bear its name"
                                         : NULL;
    bool ok = !why || error_set(error, SLUICE_ERROR_USAGE, "%s: %s: `sluice verify %s` takes its newest run instead",
                                spec->path, why, spec->name);
    if (ok) {
        input_from_spec(&check, config, plan);
        ok = verify_paced(config, plan, &check, ret, error);
    }
    check_done(&check);
    bool kept;
    if (!ok || check_wants_report(config, ret, &kept, error))
        return ok;
    verify_result_done(ret);
    return false;
}
