#include "run/forecast.h"

#include "run/run.h"
#include "run/try.h"

/* What an entry of the undo log holds beside key and pre-image, and what a key costs a store beside key and value. */
#define ENTRY_BYTES 64u
#define KEY_BYTES   96u

struct sums {
    uint64_t bytes, undo_bytes, read_bytes;
    int64_t more_keys, more_bytes;
};

/* A whole key comes or goes, or its value is another one. */
static void add_growth(struct sums *sums, const struct try_item *item)
{
    int more = (item->wanted.len > 0) - (item->live.len > 0);
    sums->more_keys += more;
    sums->more_bytes +=
        (int64_t)item->wanted.len - (int64_t)item->live.len + more * (int64_t)(item->key.len + KEY_BYTES);
}

static bool add(void *self, const struct try_record *record, GError **error)
{
    struct sums *sums = self;
    sums->read_bytes += record->key.len + record->document.len;
    for (size_t i = 0; i < record->n_items; i++) {
        const struct try_item *item = &record->items[i];
        if (item->outcome != OUTCOME_WRITTEN && item->outcome != OUTCOME_DELETED)
            continue;
        sums->bytes += item->key.len + item->wanted.len;
        sums->undo_bytes += item->key.len + item->live.len + ENTRY_BYTES;
        add_growth(sums, item);
    }
    return true;
}

/* The newest run of the spec that is done says how fast the next one will be. */
static bool earlier_rate(struct catalog *catalog, const char *spec, double *ret, GError **error)
{
    auto_(arena) mem = arena_new(64 << 20);
    struct run_row *runs;
    size_t n;
    *ret = 0;
    if (!catalog_runs(catalog, mem, &runs, &n, error))
        return false;
    for (size_t i = 0; i < n && *ret <= 0; i++) {
        double seconds = (double)MAX(runs[i].updated_ms - runs[i].started_ms, runs[i].worked_ms) / 1000;
        if (runs[i].state == RUN_DONE && strcmp(runs[i].spec_name, spec) == 0 && seconds > 0)
            *ret = (double)tally_sum(&runs[i].tally, OUTCOME_KIND_LISTED) / seconds;
    }
    return true;
}

/* A second that has begun counts as one. What a run that is over took has its soaks in it; a limit has not. */
static int64_t seconds_of(const struct plan *plan, double records_per_s, bool limited)
{
    int64_t soak_ms = 0;
    for (size_t i = 0; limited && i < plan->n_stages; i++)
        soak_ms += plan->stages[i].soak_ms;
    double seconds = (double)plan->n_listed / records_per_s + (double)soak_ms / 1000;
    return (int64_t)seconds + ((double)(int64_t)seconds < seconds);
}

static bool add_rate(const struct plan *plan, struct catalog *catalog, struct forecast *ret, GError **error)
{
    double limit = plan->limits.rate_max_per_s, earlier = 0;
    if (catalog && !earlier_rate(catalog, plan->spec->name, &earlier, error))
        return false;
    bool limited = limit > 0 && (earlier <= 0 || limit < earlier);
    ret->records_per_s = limited ? limit : earlier;
    ret->rate_from = limited ? "protect.rate.max" : earlier > 0 ? "its newest run that is done" : NULL;
    ret->seconds = ret->records_per_s > 0 ? seconds_of(plan, ret->records_per_s, limited) : -1;
    ret->limited = limited;
    return true;
}

static void widen(const struct plan *plan, const struct try_result *tried, const struct sums *sums,
                  struct forecast *ret)
{
    ret->sampled = tried->tally.of[OUTCOME_READ];
    ret->spread = tried->spread;
    double factor = ret->sampled ? (double)plan->n_listed / (double)ret->sampled : 0;
    for (int i = 0; i < OUTCOME_COUNT; i++)
        if (outcome_row((enum outcome)i)->kind == OUTCOME_KIND_LISTED)
            ret->of[i] = (uint64_t)((double)tried->tally.of[i] * factor + 0.5);
    ret->bytes = (uint64_t)((double)sums->bytes * factor);
    ret->read_bytes = (uint64_t)((double)sums->read_bytes * factor);
    ret->more_keys = (uint64_t)((double)MAX(sums->more_keys, 0) * factor);
    ret->more_bytes = (uint64_t)((double)MAX(sums->more_bytes, 0) * factor);
    ret->undo_bytes = plan->sink ? 0 : (uint64_t)((double)sums->undo_bytes * factor);
}

bool forecast_make(const struct run_config *config, const struct plan *plan, struct catalog *catalog,
                   struct forecast *ret, GError **error)
{
    struct sums sums = {0};
    struct try_result tried;
    struct forecast forecast = {.seconds = -1};
    struct try_wish wish = {.sample = FORECAST_RECORDS, .each = add, .self = &sums};
    if (!try_records(plan, config->world, config->signals, &wish, &tried, error) ||
        !add_rate(plan, catalog, &forecast, error))
        return false;
    widen(plan, &tried, &sums, &forecast);
    *ret = forecast;
    return true;
}

bool forecast_is_idle(const struct forecast *forecast, const struct plan *plan)
{
    bool nothing = forecast->of[OUTCOME_WRITTEN] == 0 && forecast->of[OUTCOME_DELETED] == 0;
    return nothing && forecast->sampled >= plan->n_listed;
}

json_t *forecast_json(const struct forecast *forecast)
{
    json_t *counts = json_object();
    for (int i = 0; i < OUTCOME_COUNT; i++)
        if (outcome_row((enum outcome)i)->kind == OUTCOME_KIND_LISTED)
            json_object_set_new(counts, outcome_row((enum outcome)i)->word, json_integer((json_int_t)forecast->of[i]));
    json_t *object = json_pack("{s:I, s:b, s:o, s:I, s:I, s:f}", "sampled", (json_int_t)forecast->sampled, "spread",
                               forecast->spread, "records", counts, "bytes", (json_int_t)forecast->bytes, "undo_bytes",
                               (json_int_t)forecast->undo_bytes, "records_per_s", forecast->records_per_s);
    json_object_set_new(object, "read_bytes", json_integer((json_int_t)forecast->read_bytes));
    json_object_set_new(object, "more_keys", json_integer((json_int_t)forecast->more_keys));
    json_object_set_new(object, "more_bytes", json_integer((json_int_t)forecast->more_bytes));
    json_object_set_new(object, "seconds", forecast->seconds < 0 ? json_null() : json_integer(forecast->seconds));
    return object;
}
