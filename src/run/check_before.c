/* What is looked at before a stage is written: the sample of its own source, the cause, the measures. */
#include "base/file.h"
#include "run/check_state.h"

#define SAMPLE_RECORDS 1000

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

/* --- the sample --------------------------------------------------------------------------------------------------- */

static bool add_stage(struct check *check, struct hold *hold, uint32_t stage, GError **error)
{
    struct part_row *rows;
    size_t n;
    struct parts_of of = {.run = hold->run.id, .stage = stage};
    if (!catalog_parts(hold->catalog, &of, check->mem, &rows, &n, error))
        return false;
    for (size_t i = 0; i < n; i++)
        check_add_part(check, check_part_of(&rows[i]));
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

bool check_sample(struct hold *hold, uint32_t stage, struct watch *watch, GError **error)
{
    struct check check = {0};
    bool ok = true;
    check_from_hold(&check, hold);
    g_autofree char *path = check_sample_path(&check, stage);
    struct sampling sampling = {.input = &check.input, .path = path};
    if (hold->plan->same_dataset)
        ok = (file_exists(hold->config->world, path) ||
              (add_stage(&check, hold, stage, error) && work_before(hold, &check, watch, sample, &sampling, error))) &&
             glances_open(&hold->shared.glances, &check.input, path, error);
    check_done(&check);
    return ok;
}

/* --- the cause ---------------------------------------------------------------------------------------------------- */

static bool mended(void *self, GError **error)
{
    struct check *check = self;
    return check_find_cause(check, error) && check_is_mended(check, error);
}

bool check_cause(struct hold *hold, struct watch *watch, char **ret_words, GError **error)
{
    struct check check = {0};
    bool ok = true;
    check_from_hold(&check, hold);
    check_asks_cause(&check, hold->plan, hold->mended_us);
    if (check.cause.of)
        ok = work_before(hold, &check, watch, mended, &check, error);
    if (ok)
        *ret_words = check.cause.of ? cause_words(&check.caused) : NULL;
    check_done(&check);
    return ok;
}

/* --- the measures ------------------------------------------------------------------------------------------------- */

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
    check_from_hold(&check, hold);
    check_asks_measures(&check, hold->plan, hold->config->world);
    if (check.measures)
        ok = measure_recorded(hold, check.measures, &taken, error);
    if (ok && !taken)
        ok = work_before(hold, &check, watch, measure, &measuring, error) &&
             measure_record_durable(hold, check.measures, error);
    check_done(&check);
    return ok;
}
