#include "run/limits.h"

#include "base/int.h"
#include "base/nearest.h"
#include "base/units.h"
#include "spec/moment.h"

/* A share of few calls says nothing: one that fails now and then is what retrying is for. */
#define FAILED_CALLS 10u
#define MOST_WORKERS 64u

void limits_init(struct limits *limits)
{
    *limits = (struct limits){.now = {.errors = 1, .rejects = 1, .kept_live = 1, .workers = 1}};
    for (enum spec_guard i = 0; i < GUARD_COUNT; i++)
        limits->now.guards[i] = guard_none(guard_row(i)->below);
    pthread_mutex_init(&limits->lock, NULL);
}

void limits_done(struct limits *limits)
{
    pthread_mutex_destroy(&limits->lock);
}

void limits_reset(struct limits *limits, const struct plan_limits *frozen)
{
    auto_hold(&limits->lock);
    limits->now = *frozen;
}

/* --- forms: a limit's text and its value -------------------------------------------------------------------------- */

struct form {
    const char *expected;
    bool (*read)(const char *text, void *into);
    char *(*write)(const void *from);
};

static const char NONE[] = "none";

static bool read_share(const char *text, void *into)
{
    double share;
    if (!units_parse_share(text, &share, NULL) || share > 1)
        return false;
    *(double *)into = share;
    return true;
}

static char *write_share(const void *from)
{
    return g_strdup_printf("%.6g%%", *(const double *)from * 100);
}

/* A number alone is of a second. */
static bool read_rate(const char *text, void *into)
{
    double rate = 0;
    g_autofree char *per_s = strchr(text, '/') ? g_strdup(text) : g_strconcat(text, "/s", NULL);
    if (strcmp(text, NONE) != 0 && (!units_parse_rate_per_s(per_s, &rate, NULL) || rate <= 0))
        return false;
    *(double *)into = rate;
    return true;
}

static char *write_rate(const void *from)
{
    double rate = *(const double *)from;
    return rate > 0 ? g_strdup_printf("%.6g/s", rate) : g_strdup(NONE);
}

static bool read_workers(const char *text, void *into)
{
    uint64_t n;
    if (!int_parse_u64(slice_of_text(text), &n) || n == 0 || n > MOST_WORKERS)
        return false;
    *(uint32_t *)into = (uint32_t)n;
    return true;
}

static bool read_priority(const char *text, void *into)
{
    uint64_t n;
    if (!int_parse_u64(slice_of_text(text), &n) || n > 9)
        return false;
    *(uint32_t *)into = (uint32_t)n;
    return true;
}

static char *write_workers(const void *from)
{
    return g_strdup_printf("%u", *(const uint32_t *)from);
}

static const char *const TOPOLOGY_WORDS[] = {"follow", "halt"};

static bool read_topology(const char *text, void *into)
{
    bool halts = strcmp(text, TOPOLOGY_WORDS[true]) == 0;
    if (!halts && strcmp(text, TOPOLOGY_WORDS[false]) != 0)
        return false;
    *(bool *)into = halts;
    return true;
}

static char *write_topology(const void *from)
{
    return g_strdup(TOPOLOGY_WORDS[*(const bool *)from]);
}

static const char *const BACK_WORDS[] = {"steady", "urgent"};

static bool read_back(const char *text, void *into)
{
    bool urgent = strcmp(text, BACK_WORDS[true]) == 0;
    if (!urgent && strcmp(text, BACK_WORDS[false]) != 0)
        return false;
    *(bool *)into = urgent;
    return true;
}

static char *write_back(const void *from)
{
    return g_strdup(BACK_WORDS[*(const bool *)from]);
}

static bool is_none(const char *text)
{
    return strcmp(text, NONE) == 0;
}

static bool read_count(const char *text, void *into)
{
    uint64_t n = 0;
    if (!is_none(text) && (!int_parse_u64(slice_of_text(text), &n) || n == 0 || n > INT64_MAX))
        return false;
    *(uint64_t *)into = n;
    return true;
}

static char *write_count(const void *from)
{
    uint64_t n = *(const uint64_t *)from;
    return n ? g_strdup_printf("%" G_GUINT64_FORMAT, n) : g_strdup(NONE);
}

static bool read_bytes(const char *text, void *into)
{
    uint64_t bytes = 0;
    if (!is_none(text) && (!units_parse_bytes(text, &bytes, NULL) || bytes == 0))
        return false;
    *(uint64_t *)into = bytes;
    return true;
}

static bool read_time(const char *text, void *into)
{
    int64_t ms = 0;
    if (!is_none(text) && (!units_parse_duration_ms(text, &ms, NULL) || ms <= 0))
        return false;
    *(int64_t *)into = ms;
    return true;
}

/* In full: what `set` is given again must be what stands. */
static char *write_time(const void *from)
{
    int64_t ms = *(const int64_t *)from;
    if (ms == 0)
        return g_strdup(NONE);
    return ms % 1000 ? g_strdup_printf("%" G_GINT64_FORMAT "ms", ms)
                     : g_strdup_printf("%" G_GINT64_FORMAT "s", ms / 1000);
}

static bool read_cost(const char *text, void *into)
{
    uint64_t cost = 0;
    if (!is_none(text) && !money_parse(text, &cost))
        return false;
    *(uint64_t *)into = cost;
    return true;
}

static char *write_cost(const void *from)
{
    char text[MONEY_TEXT];
    uint64_t cost = *(const uint64_t *)from;
    return g_strdup(cost ? money_text(cost, text) : NONE);
}

static bool read_burn(const char *text, void *into)
{
    struct money_within burn = {0};
    if (!is_none(text) && !money_within_parse(text, "in", &burn))
        return false;
    *(struct money_within *)into = burn;
    return true;
}

static char *write_burn(const void *from)
{
    const struct money_within *burn = from;
    return burn->ms ? money_within_text(burn, "in") : g_strdup(NONE);
}

static bool read_until(const char *text, void *into)
{
    int64_t us = 0;
    if (!is_none(text) && (!moment_parse_us(text, &us, NULL) || us / 1000 <= 0))
        return false;
    *(int64_t *)into = us / 1000;
    return true;
}

static char *write_until(const void *from)
{
    char text[UNITS_TEXT];
    int64_t ms = *(const int64_t *)from;
    return g_strdup(ms ? units_time(ms, text) : NONE);
}

static bool read_live(const char *text, void *into)
{
    return spec_live_parse(text, into);
}

static char *write_live(const void *from)
{
    return spec_live_text(from);
}

static const struct form LIVE = {SPEC_LIVE_FORM, read_live, write_live};
static bool read_hold(const char *text, void *into)
{
    return !is_none(text) && read_time(text, into);
}

static const struct form SHARE = {"a share such as 1%, at most 100%", read_share, write_share};
static const struct form RATE = {"a rate such as 20000/s, or none", read_rate, write_rate};
static const struct form TOPOLOGY = {"follow or halt", read_topology, write_topology};
static const struct form BACK = {"steady or urgent", read_back, write_back};
static const struct form PRIORITY = {"a number from 0 to 9", read_priority, write_workers};
static const struct form WORKERS = {"a number from 1 to 64", read_workers, write_workers};

static const struct form COUNT = {"a number of records above zero, or none", read_count, write_count};
static const struct form BYTES = {"an amount such as 20GiB, above zero, or none", read_bytes, write_count};
static const struct form TIME = {"a duration such as 6h, above zero, or none", read_time, write_time};
static const struct form COST = {MONEY_FORM ", or none", read_cost, write_cost};
static const struct form BURN = {MONEY_BURN_FORM ", or none", read_burn, write_burn};
static const struct form UNTIL = {"a time such as 2026-07-10T12:00:00Z, or none", read_until, write_until};
static const struct form HOLD = {"a duration such as 30s, above zero", read_hold, write_time};

static const struct row {
    const char *key;
    const struct form *form;
    size_t offset;
} ROWS[] = {
    {"protect.errors", &SHARE, offsetof(struct plan_limits, errors)},
    {"protect.rejects", &SHARE, offsetof(struct plan_limits, rejects)},
    {"protect.kept_live", &SHARE, offsetof(struct plan_limits, kept_live)},
    {LIMITS_RATE, &RATE, offsetof(struct plan_limits, rate_max_per_s)},
    {LIMITS_LIVE, &LIVE, offsetof(struct plan_limits, live)},
    {LIMITS_TOPOLOGY, &TOPOLOGY, offsetof(struct plan_limits, topology_halts)},
    {LIMITS_SKEW, &TIME, offsetof(struct plan_limits, skew_ms)},
    {LIMITS_BACK, &BACK, offsetof(struct plan_limits, back_urgent)},
    {BUDGET_RECORDS, &COUNT, offsetof(struct plan_limits, budget.records)},
    {BUDGET_BYTES, &BYTES, offsetof(struct plan_limits, budget.bytes)},
    {BUDGET_TIME, &TIME, offsetof(struct plan_limits, budget.time_ms)},
    {BUDGET_COST, &COST, offsetof(struct plan_limits, budget.cost)},
    {BUDGET_BURN, &BURN, offsetof(struct plan_limits, budget.burn)},
    {"protect.hold", &HOLD, offsetof(struct plan_limits, guards_hold_ms)},
    {"workers", &WORKERS, offsetof(struct plan_limits, workers)},
    {LIMITS_UNTIL, &UNTIL, offsetof(struct plan_limits, source_until_ms)},
    {LIMITS_PRIORITY, &PRIORITY, offsetof(struct plan_limits, priority)},
};

#define KEYS (G_N_ELEMENTS(ROWS) + GUARD_COUNT)

const char *limits_key(size_t i)
{
    if (i < G_N_ELEMENTS(ROWS))
        return ROWS[i].key;
    return i < KEYS ? guard_row((enum spec_guard)(i - G_N_ELEMENTS(ROWS)))->key : NULL;
}

static const struct row *find(const char *key)
{
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++)
        if (strcmp(ROWS[i].key, key) == 0)
            return &ROWS[i];
    return NULL;
}

const char *limits_full_key(const char *key, struct arena *mem)
{
    static const char FULL[] = "protect.";
    const char *signal = &LIMITS_SIGNAL[strlen(FULL)];
    for (size_t i = 0; i < KEYS; i++)
        if (g_str_has_prefix(limits_key(i), FULL) && strcmp(limits_key(i) + strlen(FULL), key) == 0)
            return limits_key(i);
    if (!g_str_has_prefix(key, signal))
        return key;
    g_autofree char *full = g_strconcat(FULL, key, NULL);
    const char *kept = arena_text(mem, slice_of_text(full));
    return kept ? kept : key;
}

/* The key that is meant: one whose end is typed (`burn`), else the nearest one. */
static const char *meant(const char *key, const char *const *keys, size_t n)
{
    g_autofree char *end = g_strconcat(".", key, NULL);
    for (size_t i = 0; i < n; i++)
        if (g_str_has_suffix(keys[i], end))
            return keys[i];
    return nearest_word(key, keys, n);
}

/* The lock is held. */
static bool refuse_key(const struct limits *limits, const char *key, GError **error)
{
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func(g_free);
    for (size_t i = 0; i < KEYS; i++)
        g_ptr_array_add(keys, g_strdup(limits_key(i)));
    for (size_t i = 0; i < limits->now.n_signals; i++)
        g_ptr_array_add(keys, g_strconcat(LIMITS_SIGNAL, limits->now.signals[i].name, NULL));
    const char *nearest = meant(key, (const char *const *)keys->pdata, keys->len);
    g_ptr_array_add(keys, NULL);
    g_autofree char *all = g_strjoinv(", ", (char **)keys->pdata);
    return error_set(error, SLUICE_ERROR_USAGE, "'%s' cannot be set on a running run%s%s%s; what can be: %s", key,
                     nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "", all);
}

/* What a key of `protect` that is no row leads to: a guard, or a signal of the run's own. The lock is held. NULL:
 * neither. */
static double *guard_limit(struct limits *limits, const char *key, enum guard_unit *ret_unit, bool *ret_below)
{
    enum spec_guard guard = g_str_has_prefix(key, "protect.") ? guard_find(key) : GUARD_COUNT;
    if (guard < GUARD_COUNT) {
        *ret_unit = guard_row(guard)->unit;
        *ret_below = guard_row(guard)->below;
        return &limits->now.guards[guard];
    }
    *ret_unit = GUARD_UNIT_NUMBER;
    *ret_below = false;
    for (size_t i = 0; g_str_has_prefix(key, LIMITS_SIGNAL) && i < limits->now.n_signals; i++)
        if (strcmp(limits->now.signals[i].name, key + strlen(LIMITS_SIGNAL)) == 0)
            return &limits->now.signals[i].limit;
    return NULL;
}

bool limits_set(struct limits *limits, const char *key, const char *value, GError **error)
{
    const struct row *row = find(key);
    enum guard_unit unit;
    bool below;
    auto_hold(&limits->lock);
    if (row)
        return row->form->read(value, (char *)&limits->now + row->offset) ||
               error_set(error, SLUICE_ERROR_USAGE, "%s=%s: expected %s", key, value, row->form->expected);
    double *limit = guard_limit(limits, key, &unit, &below);
    if (!limit)
        return refuse_key(limits, key, error);
    if (limit == &limits->now.guards[GUARD_FORECAST] && !limits->now.forecast.known && !is_none(value))
        return error_set(error, SLUICE_ERROR_REFUSED,
                         "%s=%s: the plan of the run holds no forecast that it could be held against: it is made where "
                         "the spec has this key",
                         key, value);
    if (unit == GUARD_UNIT_NUMBER && is_none(value)) { /* what is read is never none */
        *limit = guard_none(below);
        return true;
    }
    return guard_limit_read(unit, below, value, limit) ||
           error_set(error, SLUICE_ERROR_USAGE, "%s=%s: expected %s%s", key, value, guard_limit_expected(unit),
                     unit == GUARD_UNIT_NUMBER ? ", or none" : "");
}

/* As in a spec. */
static const char *budget_senseless(const struct plan_limits *now, const char *key)
{
    const struct spec_budget *budget = &now->budget;
    if (!g_str_has_prefix(key, "budget."))
        return NULL;
    if (strcmp(key, BUDGET_COST) == 0 && budget->cost && !money_given(&now->rates))
        return "by the `prices` of its plan the run costs nothing, so that nothing would ever be spent";
    if (budget->burn.ms && !budget->records && !budget->bytes && !budget->cost)
        return BUDGET_BURN
            " is a share of budget.records, budget.bytes or budget.cost, and none of them would be left; "
            "name them in one command, or " BUDGET_BURN "=none";
    return NULL;
}

bool limits_sensible(struct limits *limits, const char *key, GError **error)
{
    enum spec_guard guard = g_str_has_prefix(key, "protect.") ? guard_find(key) : GUARD_COUNT;
    auto_hold(&limits->lock);
    const char *why = guard < GUARD_COUNT ? guard_limit_senseless(guard, limits->now.guards[guard]) : NULL;
    why = why ? why : budget_senseless(&limits->now, key);
    return !why || error_set(error, SLUICE_ERROR_USAGE, "%s: %s", key, why);
}

char *limits_get(struct limits *limits, const char *key, GError **error)
{
    const struct row *row = find(key);
    enum guard_unit unit;
    bool below;
    auto_hold(&limits->lock);
    if (row)
        return row->form->write((const char *)&limits->now + row->offset);
    const double *limit = guard_limit(limits, key, &unit, &below);
    if (!limit)
        refuse_key(limits, key, error);
    return limit ? guard_limit_text(unit, *limit) : NULL;
}

bool limits_take_settings(struct limits *limits, struct catalog *catalog, int64_t run, struct arena *mem,
                          GError **error)
{
    struct setting *settings;
    size_t n;
    if (!catalog_settings(catalog, run, mem, &settings, &n, error))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!limits_set(limits, settings[i].key, settings[i].value, error))
            return false;
    return true;
}

bool limits_topology_halts(struct limits *limits)
{
    auto_hold(&limits->lock);
    return limits->now.topology_halts;
}

struct spec_budget limits_budget(struct limits *limits)
{
    auto_hold(&limits->lock);
    return limits->now.budget;
}

struct money_rates limits_rates(struct limits *limits)
{
    auto_hold(&limits->lock);
    return limits->now.rates;
}

int64_t limits_source_until_ms(struct limits *limits)
{
    auto_hold(&limits->lock);
    return limits->now.source_until_ms;
}

struct money_within limits_complete(struct limits *limits)
{
    auto_hold(&limits->lock);
    return limits->now.complete;
}

/* The lock is held. */
static bool hurries(const struct limits *limits)
{
    return limits->back && limits->now.back_urgent;
}

struct spec_live limits_live(struct limits *limits)
{
    auto_hold(&limits->lock);
    return hurries(limits) ? (struct spec_live){0} : limits->now.live;
}

void limits_back(struct limits *limits, bool back)
{
    auto_hold(&limits->lock);
    limits->back = back;
}

bool limits_goes_back(struct limits *limits)
{
    auto_hold(&limits->lock);
    return limits->back;
}

bool limits_hurries(struct limits *limits)
{
    auto_hold(&limits->lock);
    return hurries(limits);
}

double limits_rate_max_per_s(struct limits *limits)
{
    auto_hold(&limits->lock);
    return limits->now.rate_max_per_s;
}

double limits_rate_per_s(struct limits *limits)
{
    auto_hold(&limits->lock);
    double most = limits->now.rate_max_per_s, slowed = limits->slowed_per_s;
    if (hurries(limits))
        return 0;
    return most <= 0 || slowed <= 0 ? MAX(most, slowed) : MIN(most, slowed);
}

void limits_slow(struct limits *limits, double rate_per_s)
{
    auto_hold(&limits->lock);
    limits->slowed_per_s = rate_per_s;
}

bool limits_is_slowed(struct limits *limits)
{
    auto_hold(&limits->lock);
    return limits->slowed_per_s > 0;
}

double limits_slowed_per_s(struct limits *limits)
{
    auto_hold(&limits->lock);
    return hurries(limits) ? 0 : limits->slowed_per_s;
}

void limits_guards(struct limits *limits, struct guards_limits *ret)
{
    auto_hold(&limits->lock);
    memcpy(ret->of, limits->now.guards, sizeof ret->of);
    ret->hold_ms = limits->now.guards_hold_ms;
    ret->skew_ms = limits->now.skew_ms;
    for (size_t i = 0; i < SPEC_SIGNALS_MOST; i++)
        ret->signals[i] = limits->now.signals[i].limit;
}

uint32_t limits_priority(struct limits *limits)
{
    auto_hold(&limits->lock);
    return limits->now.priority;
}

uint32_t limits_workers(struct limits *limits)
{
    auto_hold(&limits->lock);
    return limits->now.workers;
}

/* --- beyond a limit ----------------------------------------------------------------------------------------------- */

char *limits_passed(struct limits *limits, const struct limits_seen *seen, const char **ret_key)
{
    auto_hold(&limits->lock);
    const struct tally *tally = seen->tally;
    double done = (double)tally_sum(tally, OUTCOME_KIND_LISTED), failed = (double)seen->failed;
    const struct {
        const char *key, *what;
        double part, whole, limit;
    } shares[] = {
        {"protect.rejects", "records so far are rejected", (double)tally->of[OUTCOME_REJECTED], done,
         limits->now.rejects},
        {"protect.kept_live", "records so far are kept_live", (double)tally->of[OUTCOME_KEPT_LIVE], done,
         limits->now.kept_live},
        {"protect.errors", "calls to the stores failed", seen->failed >= FAILED_CALLS ? failed : 0, (double)seen->calls,
         limits->now.errors},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(shares); i++) {
        double share = shares[i].whole > 0 ? shares[i].part / shares[i].whole : 0;
        if (share <= shares[i].limit)
            continue;
        *ret_key = shares[i].key;
        return g_strdup_printf("%.3g %% of the %s, more than %s allows (%.3g %%)", share * 100, shares[i].what,
                               shares[i].key, shares[i].limit * 100);
    }
    return NULL;
}
