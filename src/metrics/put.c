/* One function a row of metric_rows.h: its samples, of one run or of the home. */
#include <math.h>

#include "metrics/figures.h"
#include "run/budget.h"
#include "run/outlook.h"
#include "verify/verify.h"

static double seconds_of(int64_t ms)
{
    return (double)ms / 1000;
}

static void put_count(struct exposition *into, uint64_t value)
{
    exposition_put(into, (double)value, NULL);
}

/* A time; 0 is none. */
static void put_time(struct exposition *into, int64_t ms)
{
    if (ms > 0)
        exposition_put(into, seconds_of(ms), NULL);
}

/* --- of the home -------------------------------------------------------------------------------------------------- */

void metric_put_build_info(struct exposition *into, const struct figures *figures)
{
    exposition_put(into, 1, METRIC_LABELS({"version", SLUICE_VERSION}));
}

void metric_put_home_stopped(struct exposition *into, const struct figures *figures)
{
    exposition_put(into, figures->stopped, NULL);
}

void metric_put_ledger_entries(struct exposition *into, const struct figures *figures)
{
    put_count(into, figures->entries);
}

void metric_put_audit(struct exposition *into, const struct figures *figures)
{
    exposition_put(into, figures->audited, NULL);
}

/* --- the run ------------------------------------------------------------------------------------------------------ */

void metric_put_state(struct exposition *into, const struct figures *figures)
{
    for (int i = 0; i < RUN_STATE_COUNT; i++)
        exposition_put(into, figures->run->state == (enum run_state)i,
                       METRIC_LABELS({"state", run_state_word((enum run_state)i)}));
}

void metric_put_state_time(struct exposition *into, const struct figures *figures)
{
    put_time(into, figures->run->state_ms);
}

void metric_put_started_time(struct exposition *into, const struct figures *figures)
{
    put_time(into, figures->run->started_ms);
}

void metric_put_progress_time(struct exposition *into, const struct figures *figures)
{
    put_time(into, figures->run->updated_ms);
}

void metric_put_exposed_time(struct exposition *into, const struct figures *figures)
{
    put_time(into, figures->now_ms);
}

void metric_put_held(struct exposition *into, const struct figures *figures)
{
    exposition_put(into, figures->look.held, NULL);
}

/* A gate that does not soak any more, and has not passed, waits for somebody's word. */
static bool gate_waits(const struct figures *figures)
{
    for (size_t i = 0; figures->run->state == RUN_WAITING && i < figures->n_stages; i++)
        if (figures->stages[i].state == STAGE_WAITING && figures->stages[i].until_ms <= figures->now_ms)
            return true;
    return false;
}

void metric_put_needs_person(struct exposition *into, const struct figures *figures)
{
    const struct run_row *run = figures->run;
    bool stands = run->state == RUN_HALTED || run->state == RUN_FAILED || (run->state == RUN_PAUSED && !run->guard);
    exposition_put(into, stands || gate_waits(figures), NULL);
}

void metric_put_listed(struct exposition *into, const struct figures *figures)
{
    put_count(into, figures->run->tally.of[OUTCOME_LISTED_]);
}

void metric_put_remaining(struct exposition *into, const struct figures *figures)
{
    struct run_outlook outlook = run_outlook(figures->run);
    if (outlook.eta_s >= 0)
        exposition_put(into, (double)outlook.eta_s, NULL);
}

/* --- records ------------------------------------------------------------------------------------------------------ */

static void put_outcomes(struct exposition *into, const struct figures *figures, enum outcome_kind kind)
{
    for (int i = 0; i < OUTCOME_COUNT; i++)
        if (outcome_row((enum outcome)i)->kind == kind)
            exposition_put(into, (double)figures->run->tally.of[i],
                           METRIC_LABELS({"outcome", outcome_row((enum outcome)i)->word}));
}

void metric_put_records(struct exposition *into, const struct figures *figures)
{
    put_outcomes(into, figures, OUTCOME_KIND_LISTED);
}

/* NAN before anything is accounted for. */
static double error_share(const struct run_row *run)
{
    const struct tally *tally = &run->tally;
    uint64_t done = tally_sum(tally, OUTCOME_KIND_LISTED);
    return done ? (double)(tally->of[OUTCOME_REJECTED] + tally->of[OUTCOME_IN_DOUBT]) / (double)done : NAN;
}

void metric_put_success(struct exposition *into, const struct figures *figures)
{
    exposition_put(into, 1 - error_share(figures->run), NULL);
}

void metric_put_errors(struct exposition *into, const struct figures *figures)
{
    exposition_put(into, error_share(figures->run), NULL);
}

void metric_put_rejected(struct exposition *into, const struct figures *figures)
{
    GHashTableIter at;
    void *class, *n;
    if (!figures->rejected)
        return;
    g_hash_table_iter_init(&at, figures->rejected);
    while (g_hash_table_iter_next(&at, &class, &n))
        exposition_put(into, (double)GPOINTER_TO_SIZE(n), METRIC_LABELS({"class", class}));
}

static void put_outcome(struct exposition *into, const struct figures *figures, enum outcome outcome)
{
    put_count(into, figures->run->tally.of[outcome]);
}

void metric_put_read_records(struct exposition *into, const struct figures *figures)
{
    put_outcome(into, figures, OUTCOME_READ);
}

void metric_put_emitted(struct exposition *into, const struct figures *figures)
{
    put_outcome(into, figures, OUTCOME_EMITTED);
}

/* Of the newest batches; by the nearest rank. */
void metric_put_end_to_end(struct exposition *into, const struct figures *figures)
{
    static const struct {
        const char *word;
        double share;
    } SHARES[] = {{"0.5", 0.5}, {"0.99", 0.99}, {"1", 1}};
    const struct latencies *all = &figures->latencies;
    for (size_t i = 0; all->n > 0 && i < G_N_ELEMENTS(SHARES); i++) {
        size_t rank = (size_t)ceil(SHARES[i].share * (double)all->n);
        exposition_put(into, seconds_of(all->took_ms[rank - 1]), METRIC_LABELS({"share", SHARES[i].word}));
    }
}

void metric_put_retries(struct exposition *into, const struct figures *figures)
{
    put_outcome(into, figures, OUTCOME_RETRIED);
}

void metric_put_read_bytes(struct exposition *into, const struct figures *figures)
{
    put_count(into, figures->run->bytes_read);
}

void metric_put_written_bytes(struct exposition *into, const struct figures *figures)
{
    put_count(into, figures->run->bytes_written);
}

void metric_put_work_seconds(struct exposition *into, const struct figures *figures)
{
    exposition_put(into, seconds_of(figures->run->worked_ms), NULL);
}

/* Only of a run that has such partitions. */
static void put_of_job(struct exposition *into, const struct figures *figures, const uint64_t *parts,
                       enum outcome_kind kind)
{
    uint64_t n = 0;
    for (int i = 0; i < PART_STATE_COUNT; i++)
        n += parts[i];
    if (n > 0)
        put_outcomes(into, figures, kind);
}

void metric_put_back_records(struct exposition *into, const struct figures *figures)
{
    put_of_job(into, figures, figures->run->back_parts, OUTCOME_KIND_BACK);
}

void metric_put_promoted_records(struct exposition *into, const struct figures *figures)
{
    put_of_job(into, figures, figures->run->promotion_parts, OUTCOME_KIND_PROMOTED);
}

/* --- stages ------------------------------------------------------------------------------------------------------- */

void metric_put_partitions(struct exposition *into, const struct figures *figures)
{
    for (size_t i = 0; i < figures->n_stages; i++)
        for (int state = 0; state < PART_STATE_COUNT; state++)
            exposition_put(
                into, (double)figures->stages[i].parts[state],
                METRIC_LABELS({"stage", figures->stages[i].name}, {"state", part_state_word((enum part_state)state)}));
}

void metric_put_stage_state(struct exposition *into, const struct figures *figures)
{
    for (size_t i = 0; i < figures->n_stages; i++)
        for (int state = 0; state < STAGE_STATE_COUNT; state++)
            exposition_put(into, figures->stages[i].state == (enum stage_state)state,
                           METRIC_LABELS({"stage", figures->stages[i].name},
                                         {"state", stage_state_word((enum stage_state)state)}));
}

void metric_put_stragglers(struct exposition *into, const struct figures *figures)
{
    put_count(into, figures->look.n_stragglers);
}

/* --- pace --------------------------------------------------------------------------------------------------------- */

void metric_put_limited(struct exposition *into, const struct figures *figures)
{
    if (figures->limited_by)
        exposition_put(into, 1, METRIC_LABELS({"by", figures->limited_by}));
}

void metric_put_rate_limit(struct exposition *into, const struct figures *figures)
{
    if (figures->look.limit.rate_max_per_s > 0)
        exposition_put(into, figures->look.limit.rate_max_per_s, NULL);
}

/* NAN where the member is none. */
static double number_of(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static void put_server(struct exposition *into, const json_t *server, double value)
{
    const char *name = json_string_value(json_object_get(server, "server"));
    if (name)
        exposition_put(into, value, METRIC_LABELS({"server", name}));
}

static void put_servers(struct exposition *into, const struct figures *figures, const char *member, double unit)
{
    size_t i;
    const json_t *server;
    json_array_foreach(figures->live, i, server)
    {
        put_server(into, server, number_of(server, member) / unit);
    }
}

void metric_put_live_latency(struct exposition *into, const struct figures *figures)
{
    put_servers(into, figures, "p99_ms", 1000);
}

void metric_put_live_limit(struct exposition *into, const struct figures *figures)
{
    put_servers(into, figures, "limit_ms", 1000);
}

void metric_put_live_baseline(struct exposition *into, const struct figures *figures)
{
    put_servers(into, figures, "baseline_ms", 1000);
}

void metric_put_live_effect(struct exposition *into, const struct figures *figures)
{
    size_t i;
    const json_t *server;
    json_array_foreach(figures->live, i, server)
    {
        double baseline = number_of(server, "baseline_ms");
        put_server(into, server, baseline > 0 ? number_of(server, "p99_ms") / baseline - 1 : NAN);
    }
}

void metric_put_live_window(struct exposition *into, const struct figures *figures)
{
    put_servers(into, figures, "window", 1);
}

void metric_put_live_rate(struct exposition *into, const struct figures *figures)
{
    put_servers(into, figures, "commands_per_s", 1);
}

void metric_put_own_latency(struct exposition *into, const struct figures *figures)
{
    put_servers(into, figures, "own_ms", 1000);
}

void metric_put_throttled(struct exposition *into, const struct figures *figures)
{
    put_servers(into, figures, "throttled", 1);
}

/* --- guards ------------------------------------------------------------------------------------------------------- */

/* What one of the guard's unit is in base units. */
static double unit_of(const char *guard)
{
    enum spec_guard found = guard_find(guard);
    return found != GUARD_COUNT && guard_row(found)->unit == GUARD_UNIT_DURATION ? 1000 : 1;
}

static void put_guards(struct exposition *into, const struct figures *figures, const char *member)
{
    size_t i;
    const json_t *guard;
    json_array_foreach(figures->look.guards.signals, i, guard)
    {
        const char *name = json_string_value(json_object_get(guard, "name"));
        if (name)
            exposition_put(into, number_of(guard, member) / unit_of(name), METRIC_LABELS({"guard", name}));
    }
}

void metric_put_guard_value(struct exposition *into, const struct figures *figures)
{
    put_guards(into, figures, "value");
}

void metric_put_guard_limit(struct exposition *into, const struct figures *figures)
{
    put_guards(into, figures, "limit");
}

void metric_put_guard_level(struct exposition *into, const struct figures *figures)
{
    size_t i;
    const json_t *guard;
    json_array_foreach(figures->look.guards.signals, i, guard)
    {
        const char *name = json_string_value(json_object_get(guard, "name"));
        const char *level = json_string_value(json_object_get(guard, "level"));
        for (int at = 0; name && level && at < GUARD_LEVELS; at++)
            if (strcmp(guard_level_word((enum guard_level)at), level) == 0)
                exposition_put(into, at, METRIC_LABELS({"guard", name}));
    }
}

void metric_put_budget(struct exposition *into, const struct figures *figures)
{
    struct budget_share shares[BUDGET_KEYS];
    if (run_state_over(figures->run->state))
        return; /* nobody needs to look at it any more */
    size_t n = budget_shares(&figures->look.limit.budget, &figures->look.limit.used, shares);
    for (size_t i = 0; i < n; i++)
        exposition_put(into, (double)shares[i].used / (double)shares[i].limit,
                       METRIC_LABELS({"budget", shares[i].key + strlen("budget.")}));
    budget_shares_done(shares, n);
}

/* --- money and deadline ------------------------------------------------------------------------------------------- */

static void put_money(struct exposition *into, const struct figures *figures, uint64_t amount)
{
    const struct money_rates *rates = &figures->look.limit.rates;
    if (money_given(rates))
        exposition_put(into, (double)amount / (double)MONEY_UNIT, METRIC_LABELS({"currency", rates->currency}));
}

void metric_put_cost(struct exposition *into, const struct figures *figures)
{
    put_money(into, figures, figures->look.outlook.cost);
}

void metric_put_cost_in_all(struct exposition *into, const struct figures *figures)
{
    if (figures->look.outlook.known)
        put_money(into, figures, figures->look.outlook.in_all);
}

void metric_put_due_time(struct exposition *into, const struct figures *figures)
{
    put_time(into, figures->look.outlook.due_ms);
}

void metric_put_late(struct exposition *into, const struct figures *figures)
{
    if (figures->look.outlook.due_ms > 0 && figures->look.outlook.known)
        exposition_put(into, figures->look.outlook.late, NULL);
}

void metric_put_source_until(struct exposition *into, const struct figures *figures)
{
    put_time(into, figures->look.readable.until_ms);
}

void metric_put_source_late(struct exposition *into, const struct figures *figures)
{
    const struct readable *readable = &figures->look.readable;
    if (readable->until_ms > 0 && (readable->known || readable->passed))
        exposition_put(into, readable->late, NULL);
}

/* --- verification ------------------------------------------------------------------------------------------------- */

/* The newest report of each stage, and of the whole run. */
struct judged {
    const struct report_row *report;
    const char *stage; /* "": the whole run */
    json_t *summary;
};

static bool is_newest(const struct figures *figures, size_t at)
{
    for (size_t i = 0; i < figures->n_reports; i++)
        if (figures->reports[i].stage == figures->reports[at].stage && figures->reports[i].id > figures->reports[at].id)
            return false;
    return true;
}

static const char *stage_of(const struct figures *figures, const struct report_row *report)
{
    return report->stage < figures->n_stages ? figures->stages[report->stage].name : "";
}

static void each_judged(struct exposition *into, const struct figures *figures,
                        void (*put)(struct exposition *into, const struct judged *judged))
{
    for (size_t i = 0; i < figures->n_reports; i++) {
        const struct report_row *report = &figures->reports[i];
        if (!is_newest(figures, i))
            continue;
        json_t *summary = json_loadb((const char *)report->summary.data, report->summary.len, 0, NULL);
        struct judged judged = {.report = report, .stage = stage_of(figures, report), .summary = summary};
        put(into, &judged);
        json_decref(summary);
    }
}

static void put_classes(struct exposition *into, const struct judged *judged)
{
    for (int i = 0; i < VERIFY_CLASS_COUNT; i++) {
        const char *class = verify_class_row((enum verify_class)i)->word;
        exposition_put(into, number_of(judged->summary, class),
                       METRIC_LABELS({"stage", judged->stage}, {"class", class}));
    }
}

void metric_put_verified(struct exposition *into, const struct figures *figures)
{
    each_judged(into, figures, put_classes);
}

static void put_compared(struct exposition *into, const struct judged *judged)
{
    exposition_put(into, number_of(judged->summary, "compared"), METRIC_LABELS({"stage", judged->stage}));
}

void metric_put_compared(struct exposition *into, const struct figures *figures)
{
    each_judged(into, figures, put_compared);
}

static void put_difference(struct exposition *into, const struct judged *judged)
{
    static const enum verify_class AGAINST[] = {VERIFY_DIFFERING, VERIFY_MISSING,   VERIFY_EXTRA,
                                                VERIFY_UNVISITED, VERIFY_IN_FLIGHT, VERIFY_NOT_COMPARABLE,
                                                VERIFY_IN_DOUBT};
    double compared = number_of(judged->summary, "compared"), against = 0;
    for (size_t i = 0; i < G_N_ELEMENTS(AGAINST); i++)
        against += number_of(judged->summary, verify_class_row(AGAINST[i])->word);
    exposition_put(into, against > 0 ? against / fmax(compared, 1) : against, METRIC_LABELS({"stage", judged->stage}));
}

void metric_put_difference(struct exposition *into, const struct figures *figures)
{
    each_judged(into, figures, put_difference);
}

static void put_bound(struct exposition *into, const struct judged *judged)
{
    exposition_put(into, number_of(judged->summary, "below"), METRIC_LABELS({"stage", judged->stage}));
}

void metric_put_bound(struct exposition *into, const struct figures *figures)
{
    each_judged(into, figures, put_bound);
}

static void put_confidence(struct exposition *into, const struct judged *judged)
{
    exposition_put(into, number_of(judged->summary, "confidence"), METRIC_LABELS({"stage", judged->stage}));
}

void metric_put_confidence(struct exposition *into, const struct figures *figures)
{
    each_judged(into, figures, put_confidence);
}

static void put_verdict(struct exposition *into, const struct judged *judged)
{
    exposition_put(into, strcmp(judged->report->verdict, "pass") == 0, METRIC_LABELS({"stage", judged->stage}));
}

void metric_put_verdict(struct exposition *into, const struct figures *figures)
{
    each_judged(into, figures, put_verdict);
}

static void put_verified_time(struct exposition *into, const struct judged *judged)
{
    exposition_put(into, seconds_of(judged->report->at_ms), METRIC_LABELS({"stage", judged->stage}));
}

void metric_put_verified_time(struct exposition *into, const struct figures *figures)
{
    each_judged(into, figures, put_verified_time);
}

void metric_put_hooks(struct exposition *into, const struct figures *figures)
{
    exposition_put(into, (double)figures->look.hooks.waiting,
                   METRIC_LABELS({"state", delivery_state_word(DELIVERY_WAITING)}));
    exposition_put(into, (double)figures->look.hooks.failed,
                   METRIC_LABELS({"state", delivery_state_word(DELIVERY_FAILED)}));
}
