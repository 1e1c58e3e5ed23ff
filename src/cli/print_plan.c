/* A plan and what it would do: for `plan`, and for the question that `run` asks. */
#include <unistd.h>

#include "base/hex.h"
#include "base/units.h"
#include "cli/cli.h"
#include "plan/environment.h"
#include "record/datetime.h"
#include "run/budget.h"
#include "run/hooks.h"
#include "run/try.h"

#define RISKIEST 5u

/* --- what is decided where the spec is silent --------------------------------------------------------------------- */

static const char *workers_words(const struct plan *plan)
{
    g_autofree char *words = g_strdup_printf("%u", plan->limits.workers);
    return g_intern_string(words); /* of 64 at most */
}

const char *print_decided(const struct plan *plan, const char *key)
{
    static const char *const WRITES[] = {
        [WRITE_IN_PLACE] = "in-place", [WRITE_FILL] = "fill", [WRITE_SHADOW] = "shadow"};
    static const char *const DUPLICATES[] = {
        [DUPLICATES_NEWEST] = "newest", [DUPLICATES_ERROR] = "error", [DUPLICATES_ALL] = "all"};
    if (strcmp(key, "target.write") == 0)
        return plan->sink ? "append" : WRITES[plan->write];
    if (strcmp(key, "target.conflict") == 0)
        return plan->same_dataset && plan->write != WRITE_SHADOW ? "none: source and target are the same dataset"
                                                                 : try_policy(plan);
    if (strcmp(key, "workers") == 0)
        return workers_words(plan);
    if (strcmp(key, "partitions.size") == 0 && plan->spec->partition_count)
        return "none: partitions.count says how many there are";
    return strcmp(key, "source.duplicates") == 0 ? DUPLICATES[plan->spec->source.duplicates] : NULL;
}

/* Below a map that is itself left to its default there is nothing to say. */
static bool is_below_default(const struct plan *plan, const char *key)
{
    size_t n;
    const struct spec_row *rows = spec_rows(&n);
    const char *dot = strrchr(key, '.');
    for (size_t i = 0; dot && i < n; i++)
        if (strlen(rows[i].key) == (size_t)(dot - key) && strncmp(rows[i].key, key, (size_t)(dot - key)) == 0)
            return rows[i].fallback && !plan->spec->given[i];
    return false;
}

/* A key that stands once, is acted on, and was not given; NULL: another kind. */
static const char *default_of(const struct plan *plan, const struct spec_row *row, bool given)
{
    if (given || is_below_default(plan, row->key) || row->acts || row->required || !row->fallback ||
        strpbrk(row->key, "[*"))
        return NULL;
    const char *value = print_decided(plan, row->key);
    return value ? value : row->fallback;
}

static json_t *defaults_json(const struct plan *plan)
{
    size_t n;
    const struct spec_row *rows = spec_rows(&n);
    json_t *object = json_object();
    for (size_t i = 0; i < n; i++) {
        const char *value = default_of(plan, &rows[i], plan->spec->given[i]);
        if (value)
            json_object_set_new(object, rows[i].key, json_string(value));
    }
    return object;
}

static void put_defaults(FILE *out, const struct plan *plan)
{
    size_t n;
    const struct spec_row *rows = spec_rows(&n);
    fprintf(out, "  by default\n");
    for (size_t i = 0; i < n; i++) {
        const char *value = default_of(plan, &rows[i], plan->spec->given[i]);
        if (value)
            fprintf(out, "    %-26s %s\n", rows[i].key, value);
    }
}

/* --- stages ------------------------------------------------------------------------------------------------------- */

static struct sampling_wish sure_of(const struct plan_stage *stage)
{
    return (struct sampling_wish){stage->sure.confidence, stage->sure.below, stage->sure.each};
}

/* The keys that its gate looks at, about: of each partition so large a share, rounded up; of rounds, the first. */
static uint64_t sample_of(const struct plan_stage *stage)
{
    struct sampling_wish sure = sure_of(stage);
    if (!stage->records)
        return 0;
    return sure.each > 0 ? sampling_first(stage->records, &sure)
                         : sampling_size(stage->records, stage->parts > 1, &sure);
}

static char *gate_words(const struct plan_stage *stage)
{
    char soak[UNITS_TEXT], sample[UNITS_TEXT];
    GString *text = g_string_new("verified ");
    if (stage->sure.confidence > 0)
        g_string_append_printf(text, "by a sample of %s: %.10g%% sure that fewer than %.10g%% differ",
                               units_count(sample_of(stage), sample), stage->sure.confidence * 100,
                               stage->sure.below * 100);
    else
        g_string_append(text, "in full");
    if (stage->sure.each > 0)
        g_string_append_printf(text, ", and by more until fewer than %.10g%% of each size, age and shard do",
                               stage->sure.each * 100);
    if (stage->soak_ms)
        g_string_append_printf(text, ", soaks %s", units_duration(stage->soak_ms, soak));
    if (stage->approve)
        g_string_append_printf(text, ", approved by %s", stage->approve);
    return g_string_free(text, FALSE);
}

static double share_of(uint64_t part, uint64_t whole)
{
    return whole ? (double)part * 100 / (double)whole : 0;
}

static bool is_by_age(enum spec_order order)
{
    return order == ORDER_NEWEST || order == ORDER_OLDEST;
}

/* What a stage's order goes by; false: nothing to tell. */
static bool figure_of(const struct plan *plan, const struct plan_part *part, enum spec_order order, double *ret)
{
    bool dated = is_by_age(order);
    *ret = order == ORDER_SMALLEST  ? (double)part->records
           : dated                  ? (double)part->version.value
           : order == ORDER_HOTTEST ? part->heat
                                    : part->risk;
    return order != ORDER_LISTED && (!dated || part->version.kind != VERSION_NONE) &&
           (order != ORDER_HOTTEST || part->heated);
}

static const char *figure_words(const struct plan *plan, enum spec_order order)
{
    static const char *const WORDS[ORDER_COUNT] = {[ORDER_RISKIEST] = "risk",
                                                   [ORDER_SMALLEST] = "records",
                                                   [ORDER_NEWEST] = "median version of a sample",
                                                   [ORDER_OLDEST] = "median version of a sample"};
    return order == ORDER_HOTTEST ? plan->heat_figure : WORDS[order];
}

static json_t *figure_json(const struct plan_part *part, size_t i, enum spec_order order, double figure)
{
    json_t *json = json_pack("{s:I, s:f}", "partition", (json_int_t)i, "figure", figure);
    char at[DATETIME_TEXT];
    if (is_by_age(order) && part->version.kind == VERSION_TIME)
        json_object_set_new(json, "at", json_string(datetime_text(part->version.value / 1000, at)));
    return json;
}

/* Of the stage's partitions those that it takes first. */
static json_t *figures_json(const struct plan *plan, size_t stage)
{
    json_t *list = json_array();
    enum spec_order order = plan->stages[stage].order;
    g_autofree size_t *granted = g_new0(size_t, plan->n_parts + 1); /* which one at which turn */
    double figure;
    for (size_t i = 0; i < plan->n_parts; i++)
        granted[plan->parts[i].turn ? plan->parts[i].turn - 1 : i] = i;
    for (size_t turn = 0; turn < plan->n_parts && json_array_size(list) < RISKIEST; turn++) {
        const struct plan_part *part = &plan->parts[granted[turn]];
        if (part->stage == stage && figure_of(plan, part, order, &figure))
            json_array_append_new(list, figure_json(part, granted[turn], order, figure));
    }
    return list;
}

static void put_figure(FILE *out, const json_t *one)
{
    const char *at = json_string_value(json_object_get(one, "at"));
    fprintf(out, " partition %" JSON_INTEGER_FORMAT " ", json_integer_value(json_object_get(one, "partition")));
    if (at)
        fputs(at, out);
    else
        fprintf(out, "%.15g", json_real_value(json_object_get(one, "figure")));
}

static void put_order(FILE *out, const struct plan *plan, size_t stage)
{
    enum spec_order order = plan->stages[stage].order;
    json_t *list = order == ORDER_LISTED || order == ORDER_RISKIEST ? json_array() : figures_json(plan, stage), *one;
    size_t i;
    if (json_array_size(list) > 0)
        fprintf(out, "    %-12s   the %s first, by %s:", "", spec_order_word(order), figure_words(plan, order));
    json_array_foreach(list, i, one)
    {
        fputs(i ? "," : "", out);
        put_figure(out, one);
    }
    if (json_array_size(list) > 0)
        fputc('\n', out);
    json_decref(list);
}

static void put_stages(FILE *out, const struct plan *plan)
{
    uint64_t reached = 0;
    fprintf(out, "  stages\n");
    for (size_t i = 0; i < plan->n_stages; i++) {
        char records[UNITS_TEXT];
        g_autofree char *gate = gate_words(&plan->stages[i]);
        reached += plan->stages[i].records;
        fprintf(out, "    %-12s up to %5.1f %%  %s records in %" G_GUINT64_FORMAT " partition%s; %s\n",
                plan->stages[i].name, share_of(reached, plan->n_listed), units_count(plan->stages[i].records, records),
                plan->stages[i].parts, plan->stages[i].parts == 1 ? "" : "s", gate);
        put_order(out, plan, i);
    }
    for (size_t i = 0; i < plan->spec->n_hours; i++)
        fprintf(out, "    %-12s %s\n", i ? "" : "at hours", plan->spec->hours[i]);
}

static json_t *verify_json(const struct plan_stage *stage)
{
    if (stage->sure.confidence <= 0)
        return json_string("full");
    json_t *json = json_pack("{s:f, s:f, s:I}", "confidence", stage->sure.confidence, "below", stage->sure.below,
                             "sample", (json_int_t)sample_of(stage));
    if (stage->sure.each > 0)
        json_object_set_new(json, "each", json_real(stage->sure.each));
    return json;
}

static json_t *stages_json(const struct plan *plan)
{
    json_t *list = json_array();
    for (size_t i = 0; i < plan->n_stages; i++) {
        const struct plan_stage *stage = &plan->stages[i];
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:s?, s:o, s:I, s:I, s:o, s:I, s:s?}", "name", stage->name, "order",
                                        spec_order_word(stage->order), "by", figure_words(plan, stage->order),
                                        "figures", figures_json(plan, i), "partitions", (json_int_t)stage->parts,
                                        "records", (json_int_t)stage->records, "verify", verify_json(stage), "soak_ms",
                                        (json_int_t)stage->soak_ms, "approve", stage->approve));
    }
    return list;
}

/* --- guards ------------------------------------------------------------------------------------------------------- */

static json_t *guard_words(const struct plan *plan, bool watched)
{
    json_t *list = json_array();
    for (enum spec_guard i = 0; i < GUARD_COUNT; i++) {
        bool limited = !guard_is_none(plan->limits.guards[i]), measured = !(plan->unwatched & (UINT32_C(1) << i));
        if (limited && measured == watched)
            json_array_append_new(list, json_string(guard_row(i)->word));
    }
    for (size_t i = 0; watched && i < plan->limits.n_signals; i++)
        json_array_append_new(list, json_string(plan->limits.signals[i].name));
    return list;
}

static void put_words(FILE *out, const char *before, json_t *words)
{
    fprintf(out, "%s%s", before, json_array_size(words) ? "" : "nothing");
    size_t i;
    const json_t *word;
    json_array_foreach(words, i, word)
    {
        fprintf(out, "%s%s", i ? ", " : "", json_string_value(word));
    }
    json_decref(words);
}

/* What the spec does not ask for and nothing measures is no fault, but nobody shall believe that it is watched. */
static void put_guards(FILE *out, const struct plan *plan)
{
    put_words(out, "  guards      watched: ", guard_words(plan, true));
    if (plan->unwatched)
        put_words(out, "; not watched: ", guard_words(plan, false));
    fputc('\n', out);
}

static json_t *watched_json(const struct plan *plan)
{
    return json_pack("{s:o, s:o}", "watched", guard_words(plan, true), "unwatched", guard_words(plan, false));
}

/* --- risk --------------------------------------------------------------------------------------------------------- */

/* The few of the highest risk, highest first. */
static size_t riskiest(const struct plan *plan, size_t ret[RISKIEST])
{
    size_t n = 0;
    for (size_t i = 0; i < plan->n_parts; i++) {
        size_t at = n;
        while (at > 0 && plan->parts[ret[at - 1]].risk < plan->parts[i].risk)
            at--;
        if (at >= RISKIEST)
            continue;
        size_t last = MIN(n, RISKIEST - 1);
        memmove(&ret[at + 1], &ret[at], (last - at) * sizeof *ret);
        ret[at] = i;
        n = MIN(n + 1, RISKIEST);
    }
    return n;
}

static void put_risk(FILE *out, const struct plan *plan)
{
    size_t parts[RISKIEST], n = riskiest(plan, parts);
    fprintf(out, "  risk (1 is a partition like any other)\n");
    for (size_t i = 0; i < n; i++) {
        const struct plan_part *part = &plan->parts[parts[i]];
        fprintf(out,
                "    %5.2f  partition %" G_GSIZE_FORMAT ": %.2f of the mean size, %.1f %% superseded states, %.1f %% "
                "of a probe refused; in stage %s\n",
                part->risk, parts[i], part->size, part->skewed * 100, part->refused * 100,
                plan->stages[part->stage].name);
    }
}

static json_t *risk_json(const struct plan *plan)
{
    size_t parts[RISKIEST], n = riskiest(plan, parts);
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        const struct plan_part *part = &plan->parts[parts[i]];
        json_array_append_new(list, json_pack("{s:I, s:f, s:f, s:f, s:f, s:s}", "partition", (json_int_t)parts[i],
                                              "risk", part->risk, "size", part->size, "skewed", part->skewed, "refused",
                                              part->refused, "stage", plan->stages[part->stage].name));
    }
    return list;
}

/* --- forecast ----------------------------------------------------------------------------------------------------- */

static void put_forecast(FILE *out, const struct plan *plan, const struct forecast *forecast)
{
    char count[UNITS_TEXT], bytes[UNITS_TEXT], undo[UNITS_TEXT];
    fprintf(out, "  forecast (from %s records%s)\n", units_count(forecast->sampled, count),
            forecast->spread || forecast->sampled >= plan->n_listed ? "" : " at the beginning of the source");
    for (int i = 0; i < OUTCOME_COUNT; i++)
        if (forecast->of[i])
            fprintf(out, "    %-11s about %s (%.1f %%)\n", outcome_row((enum outcome)i)->word,
                    units_count(forecast->of[i], count), share_of(forecast->of[i], plan->n_listed));
    fprintf(out, "    writes about %s, and about %s of undo log\n", units_bytes(forecast->bytes, bytes),
            units_bytes(forecast->undo_bytes, undo));
    if (plan->limits.forecast.known)
        fprintf(out, "    the target grows by about %s keys and %s (protect.forecast)\n",
                units_count(forecast->more_keys, count), units_bytes(forecast->more_bytes, bytes));
    if (forecast->seconds >= 0)
        fprintf(out, "    takes %s %s, at %s records/s (%s)\n", forecast->limited ? "at least" : "about",
                units_duration(forecast->seconds * 1000, bytes), units_count((uint64_t)forecast->records_per_s, count),
                forecast->rate_from);
    else
        fprintf(out, "    how long it takes is not known: no run of this spec has come to an end yet\n");
}

/* --- budget ------------------------------------------------------------------------------------------------------- */

static uint64_t forecast_cost(const struct plan *plan, const struct forecast *forecast)
{
    struct tally tally = {0};
    memcpy(tally.of, forecast->of, sizeof tally.of);
    tally.of[OUTCOME_READ] = plan->n_listed;
    return outlay_cost_of(&tally, forecast->read_bytes, forecast->bytes, &plan->limits.rates);
}

/* What the run is forecast to use; a time that is not known is none. */
static struct spec_budget forecast_use(const struct plan *plan, const struct forecast *forecast)
{
    return (struct spec_budget){.records = forecast->of[OUTCOME_WRITTEN] + forecast->of[OUTCOME_DELETED],
                                .bytes = forecast->bytes,
                                .time_ms = MAX(forecast->seconds, 0) * 1000,
                                .cost = forecast_cost(plan, forecast)};
}

static void put_cost(FILE *out, const struct plan *plan, const struct forecast *forecast)
{
    const struct money_rates *rates = &plan->limits.rates;
    char cost[MONEY_TEXT];
    if (money_given(rates))
        fprintf(out, "  cost        about %s%s%s, its verification included\n",
                money_text(forecast_cost(plan, forecast), cost), *rates->currency ? " " : "", rates->currency);
}

static void put_slo(FILE *out, const struct plan *plan, const struct forecast *forecast)
{
    const struct money_within *complete = &plan->limits.complete;
    char within[UNITS_TEXT], takes[UNITS_TEXT];
    double ms = (double)forecast->seconds * 1000 * complete->share;
    if (!complete->ms)
        return;
    units_duration(complete->ms, within);
    fprintf(out, "  slo         %.4g %% within %s: ", complete->share * 100, within);
    if (forecast->seconds < 0)
        fputs("how long it takes is not known\n", out);
    else
        fprintf(out, "takes about %s, %s\n", units_duration((int64_t)ms, takes),
                ms <= (double)complete->ms ? "which is in time" : "which is too late");
}

/* --- until when the source can be read ---------------------------------------------------------------------------- */

/* All of it is written by then, if the run begins now; its verification is not in the forecast. */
static bool writes_in_time(const struct plan *plan, const struct forecast *forecast)
{
    return plan->planned_at_ms + MAX(forecast->seconds, 0) * 1000 <= plan->limits.source_until_ms;
}

static void put_until(FILE *out, const struct plan *plan, const struct forecast *forecast)
{
    char until[UNITS_TEXT], takes[UNITS_TEXT];
    bool passed = plan->planned_at_ms >= plan->limits.source_until_ms, known = forecast->seconds >= 0;
    if (!plan->limits.source_until_ms)
        return;
    fprintf(out, "  until       its source can be read until %s: ", units_time(plan->limits.source_until_ms, until));
    if (passed || !known)
        fputs(passed ? "that has passed, and `run` refuses\n" : "how long the run takes is not known\n", out);
    else
        fprintf(out, "writing takes about %s, %s\n", units_duration(forecast->seconds * 1000, takes),
                writes_in_time(plan, forecast) ? "which is in time; its verification reads the source again"
                                               : "which is too late");
}

static json_t *until_json(const struct plan *plan, const struct forecast *forecast)
{
    bool known = forecast->seconds >= 0 || plan->planned_at_ms >= plan->limits.source_until_ms;
    if (!plan->limits.source_until_ms)
        return json_null();
    return json_pack("{s:o, s:o}", "at", shape_time(plan->limits.source_until_ms), "late",
                     known ? json_boolean(!writes_in_time(plan, forecast)) : json_null());
}

/* --- budget ------------------------------------------------------------------------------------------------------- */

static void put_budget(FILE *out, const struct plan *plan, const struct forecast *forecast)
{
    struct spec_budget use = forecast_use(plan, forecast);
    struct budget_share shares[BUDGET_KEYS];
    size_t n = budget_shares(&plan->limits.budget, &use, shares);
    for (size_t i = 0; i < n; i++) {
        bool known = strcmp(shares[i].key, BUDGET_TIME) != 0 || forecast->seconds >= 0;
        const char *fits = !known                              ? "how long it takes is not known"
                           : shares[i].used <= shares[i].limit ? "the forecast fits"
                                                               : "the forecast does not fit: the run will pause";
        fprintf(out, "  %-11s %s: %s of %s; %s\n", i ? "" : "budget", shares[i].key, known ? shares[i].use : "?",
                shares[i].most, fits);
    }
    budget_shares_done(shares, n);
}

/* The most of the budget that any stretch so long takes, as it is forecast: of its time no share is burnt. */
static double burnt_share(const struct plan *plan, const struct forecast *forecast)
{
    struct spec_budget use = forecast_use(plan, forecast);
    struct budget_share shares[BUDGET_KEYS];
    double most = 0, seconds = (double)plan->limits.budget.burn.ms / 1000;
    size_t n = budget_shares(&plan->limits.budget, &use, shares);
    for (size_t i = 0; i < n; i++)
        if (strcmp(shares[i].key, BUDGET_TIME) != 0)
            most = MAX(most, (double)MIN(shares[i].used, shares[i].limit) / (double)shares[i].limit);
    budget_shares_done(shares, n);
    return (double)forecast->seconds > seconds ? most * seconds / (double)forecast->seconds : most;
}

static void put_burn(FILE *out, const struct plan *plan, const struct forecast *forecast)
{
    const struct money_within *burn = &plan->limits.budget.burn;
    char within[UNITS_TEXT];
    if (!burn->ms)
        return;
    double share = burnt_share(plan, forecast);
    fprintf(out, "  %-11s budget.burn: %s%.3g %% of %.3g %% in %s; %s\n", "", forecast->seconds < 0 ? "at most " : "",
            share * 100, burn->share * 100, units_duration(burn->ms, within),
            share <= burn->share    ? "the forecast fits"
            : forecast->seconds < 0 ? "how long it takes is not known"
                                    : "the forecast does not fit: the run will pause, and go on by itself");
}

static json_t *budget_json(const struct plan *plan, const struct forecast *forecast)
{
    struct spec_budget use = forecast_use(plan, forecast);
    struct budget_share shares[BUDGET_KEYS];
    size_t n = budget_shares(&plan->limits.budget, &use, shares);
    bool fits = true;
    for (size_t i = 0; i < n; i++)
        fits &= shares[i].used <= shares[i].limit;
    budget_shares_done(shares, n);
    json_t *object = shape_budget(&plan->limits.budget, "forecast", &use);
    json_object_set_new(object, "fits", json_boolean(fits));
    return object;
}

/* --- hooks -------------------------------------------------------------------------------------------------------- */

static char *hook_words(const struct spec_hook *hook)
{
    g_autofree char *name = hooks_name(hook);
    g_autoptr(GString) events = g_string_new(NULL);
    for (int i = 0; i < SPEC_EVENT_COUNT; i++)
        if (hook->events & (UINT32_C(1) << i))
            g_string_append_printf(events, "%s%s", events->len ? ", " : "", spec_event_word((enum spec_event)i));
    bool any = hook->events == (UINT32_C(1) << SPEC_EVENT_COUNT) - 1;
    return g_strdup_printf("%s%s on %s", name, hook->must ? " (must hear of it)" : "", any ? "any event" : events->str);
}

static void put_hooks(FILE *out, const struct spec *spec)
{
    for (size_t i = 0; i < spec->n_hooks; i++) {
        g_autofree char *words = hook_words(&spec->hooks[i]);
        fprintf(out, "  %-11s %s\n", i ? "" : "hooks", words);
    }
}

static json_t *hooks_json(const struct spec *spec)
{
    json_t *list = json_array();
    for (size_t i = 0; i < spec->n_hooks; i++) {
        g_autofree char *words = hook_words(&spec->hooks[i]);
        json_array_append_new(list, shape_text(words));
    }
    return list;
}

/* --- all of it ---------------------------------------------------------------------------------------------------- */

static void put_bucket(FILE *out, const struct plan_retries *retries)
{
    char from[UNITS_TEXT], to[UNITS_TEXT];
    fprintf(out, "  repairs     what has its %s from %s to %s, flagged by the buckets %s in %s of %s\n",
            retries->bucket.field, units_time(retries->bucket.from_us / 1000, from),
            units_time(retries->bucket.to_us / 1000, to), retries->bucket.name, retries->report, retries->run);
}

static void put_gone(FILE *out, const struct plan_retries *retries)
{
    char gone[UNITS_TEXT];
    if (retries->gone == 0)
        return;
    units_count(retries->gone, gone);
    if (retries->extra) {
        fprintf(out, "              %s of them are in the source by now, and stay\n", gone);
        return;
    }
    fprintf(out, "              %s of them no longer in the source:", gone);
    for (size_t i = 0; i < retries->n_gone_named; i++)
        fprintf(out, "%s%s", i ? ", " : " ", retries->gone_named[i]);
    fputs(retries->gone > retries->n_gone_named ? ", …\n" : "\n", out);
}

void print_retries(struct cli *cli, FILE *out, const struct plan_retries *retries)
{
    char rows[UNITS_TEXT];
    if (!retries)
        return;
    units_count(retries->rows, rows);
    if (retries->bucket.name)
        put_bucket(out, retries);
    else if (retries->extra)
        fprintf(out, "  takes out   %s keys that %s names of %s: the target has them, its source does not\n", rows,
                retries->report, retries->run);
    else if (retries->report)
        fprintf(out, "  repairs     %s keys that %s names of %s\n", rows, retries->report, retries->run);
    else
        fprintf(out, "  retries     %s rows that %s refused\n", rows, retries->run);
    put_gone(out, retries);
}

static void put_environment(struct cli *cli, FILE *out, const struct plan *plan)
{
    g_autoptr(GError) missing = NULL;
    if (!plan->environment)
        return;
    fprintf(out, "  environment %s\n", plan->environment->name);
    if (!environment_permits(plan, cli->values[OPTION_REASON], &missing))
        fprintf(out, "              not permitted as it is: %s\n", missing->message);
}

static void put_head(struct cli *cli, FILE *out, const struct plan *plan)
{
    char digest[HEX_TEXT(32)], records[UNITS_TEXT], superseded[UNITS_TEXT];
    const struct spec *spec = plan->spec;
    fprintf(out, "plan of %s (%s)\n  digest      %s\n", spec->name, spec->path,
            hex_text(plan->digests.plan, 32, digest));
    json_t *said = plan_said_json(plan);
    print_said_unkept(cli, said);
    print_said(out, said);
    json_decref(said);
    if (spec->reason)
        fprintf(out, "  reason      %s\n", spec->reason);
    put_environment(cli, out, plan);
    fprintf(out, "  source      %s %s: %s keys in %" G_GSIZE_FORMAT " partition%s\n", plan_source_uri(plan),
            plan->source_ds.name, units_count(plan->n_listed, records), plan->n_parts, plan->n_parts == 1 ? "" : "s");
    if (plan->duplicates)
        fprintf(out, "              %s superseded states of a key are left out\n",
                units_count(plan->duplicates, superseded));
    print_retries(cli, out, plan->retries);
    fprintf(out, "  target      %s %s%s\n  decides     %s\n  home        %s\n", spec->target.store,
            spec->target.dataset,
            plan->same_dataset && !plan->removes ? " (the same dataset: read, mended, written back)" : "",
            try_policy(plan), cli->home);
    if (plan->write == WRITE_SHADOW)
        fputs("  writes      a shadow beside the target; `sluice promote RUN` makes it live, record by record: readers "
              "see old "
              "and new\n"
              "              side by side until that ends, and the target needs room for both\n",
              out);
    if (spec->transform.lua)
        fprintf(out, "  transform   %s%s\n", spec->transform.lua,
                spec->transform.idempotent ? "" : " (not idempotent: it is applied once)");
    if (spec->contract)
        fprintf(out, "  contract    %s\n", spec->contract);
    g_autofree char *judge = spec_judge_words(&spec->judge);
    if (judge)
        fprintf(out, "  judge       %s, beside sluice's own; digest %s\n", judge, hex_text(plan->judge, 32, digest));
}

void print_plan_brief(struct cli *cli, FILE *out, const struct plan *plan, const struct forecast *forecast)
{
    put_head(cli, out, plan);
    put_stages(out, plan);
    put_forecast(out, plan, forecast);
    put_cost(out, plan, forecast);
    put_budget(out, plan, forecast);
    put_burn(out, plan, forecast);
    put_slo(out, plan, forecast);
    put_until(out, plan, forecast);
    put_hooks(out, plan->spec);
}

void print_plan(struct cli *cli, FILE *out, const struct plan *plan, const struct forecast *forecast)
{
    print_plan_brief(cli, out, plan, forecast);
    put_guards(out, plan);
    put_risk(out, plan);
    put_defaults(out, plan);
}

json_t *print_plan_json(const struct plan *plan, const struct forecast *forecast)
{
    const struct spec *spec = plan->spec;
    json_t *shown =
        json_pack("{s:s, s:s, s:o, s:s, s:s, s:b, s:s, s:I, s:I, s:I, s:o, s:o, s:o, s:o}", "type", "plan", "spec",
                  spec->name, "digest", shape_digest(plan->digests.plan), "source", spec->source.store, "target",
                  plan->target_name, "same_dataset", plan->same_dataset, "decides", try_policy(plan), "listed",
                  (json_int_t)plan->n_listed, "partitions", (json_int_t)plan->n_parts, "duplicates",
                  (json_int_t)plan->duplicates, "stages", stages_json(plan), "forecast", forecast_json(forecast),
                  "risk", risk_json(plan), "defaults", defaults_json(plan));
    json_object_set_new(shown, "budget", budget_json(plan, forecast));
    json_object_set_new(shown, "cost", shape_cost(&plan->limits.rates, 0, true, forecast_cost(plan, forecast)));
    json_object_set_new(shown, "source_until", until_json(plan, forecast));
    json_object_set_new(shown, "hooks", hooks_json(plan->spec));
    json_object_set_new(shown, "guards", watched_json(plan));
    environment_put(plan->environment, shown);
    g_autofree char *judge = spec_judge_words(&spec->judge);
    if (judge)
        json_object_set_new(shown, "judge",
                            json_pack("{s:s, s:o}", "command", judge, "digest", shape_digest(plan->judge)));
    json_t *said = plan_said_json(plan);
    if (said)
        json_object_update(shown, said);
    json_decref(said);
    json_object_set_new(shown, "retries", shape_retries(plan->retries));
    return shown;
}
