#include "spec/guard.h"

#include <glib.h>
#include <math.h>
#include <string.h>

#include "base/int.h"
#include "base/units.h"

static const struct guard_row ROWS[GUARD_COUNT] = {
#define GUARD(symbol, name, how, other, under, text, sample)                                                           \
    [GUARD_##symbol] = {.key = "protect." name,                                                                        \
                        .word = name,                                                                                  \
                        .unit = GUARD_UNIT_##how,                                                                      \
                        .fallback = other,                                                                             \
                        .below = under,                                                                                \
                        .words = text},
#include "spec/guard_rows.h"
#undef GUARD
};

const struct guard_row *guard_row(enum spec_guard guard)
{
    g_assert((size_t)guard < GUARD_COUNT);
    return &ROWS[guard];
}

enum spec_guard guard_find(const char *key)
{
    size_t i = 0;
    while (i < GUARD_COUNT && strcmp(ROWS[i].key, key) != 0 && strcmp(ROWS[i].word, key) != 0)
        i++;
    return (enum spec_guard)i;
}

double guard_none(bool below)
{
    return below ? -INFINITY : INFINITY;
}

bool guard_is_none(double limit)
{
    return isinf(limit);
}

/* --- how limits are written --------------------------------------------------------------------------------------- */

static bool read_share(const char *text, double *ret)
{
    return units_parse_share(text, ret, NULL) && *ret <= 1;
}

static bool read_duration(const char *text, double *ret)
{
    int64_t ms;
    if (!units_parse_duration_ms(text, &ms, NULL))
        return false;
    *ret = (double)ms;
    return true;
}

static bool read_bytes(const char *text, double *ret)
{
    uint64_t bytes;
    if (!units_parse_bytes(text, &bytes, NULL))
        return false;
    *ret = (double)bytes;
    return true;
}

static bool read_count(const char *text, double *ret)
{
    uint64_t count;
    if (!int_parse_u64(slice_of_text(text), &count))
        return false;
    *ret = (double)count;
    return true;
}

static bool read_rate(const char *text, double *ret)
{
    return units_parse_rate_per_s(text, ret, NULL);
}

static bool read_number(const char *text, double *ret)
{
    char *end = NULL;
    double value = g_ascii_strtod(text, &end);
    if (end == text || *end || !isfinite(value))
        return false;
    *ret = value;
    return true;
}

static bool read_times(const char *text, double *ret)
{
    double times;
    if (strspn(text, "0123456789.") != strlen(text) || !read_number(text, &times) || times <= 0)
        return false;
    *ret = times;
    return true;
}

static bool read_word(const char *text, double *ret)
{
    bool slow = strcmp(text, "slow") == 0;
    if (!slow && strcmp(text, "pause") != 0)
        return false;
    *ret = slow ? GUARD_WORD_SLOW : GUARD_WORD_PAUSE;
    return true;
}

/* --- for people --------------------------------------------------------------------------------------------------- */

static char *share_text(double value)
{
    return g_strdup_printf("%.3g %%", value * 100);
}

static char *duration_text(double value)
{
    char text[UNITS_TEXT];
    return g_strdup(units_duration((int64_t)value, text));
}

static char *bytes_text(double value)
{
    char text[UNITS_TEXT];
    return g_strdup(units_bytes((uint64_t)MAX(value, 0), text));
}

static char *count_text(double value)
{
    char text[UNITS_TEXT];
    return g_strdup(units_count((uint64_t)MAX(value, 0), text));
}

static char *rate_text(double value)
{
    return g_strdup_printf("%.3g/s", value);
}

static char *word_text(double value)
{
    return g_strdup(value > 0 ? "yes" : "no");
}

static char *times_text(double value)
{
    return g_strdup_printf("%.3g times", value);
}

static char *latency_text(double value)
{
    return g_strdup_printf("%.3g ms", value);
}

static char *number_text(double value)
{
    return g_strdup_printf("%.6g", value);
}

/* --- as `set` takes them: exactly --------------------------------------------------------------------------------- */

static char *plain_limit(double limit, const char *unit)
{
    char text[UNITS_TEXT];
    return g_strconcat(units_plain(limit, text), unit, NULL);
}

static char *share_limit(double limit)
{
    return plain_limit(limit * 100, "%");
}

static char *duration_limit(double limit)
{
    int64_t ms = (int64_t)limit;
    return ms % 1000 ? g_strdup_printf("%" G_GINT64_FORMAT "ms", ms)
                     : g_strdup_printf("%" G_GINT64_FORMAT "s", ms / 1000);
}

static char *whole_limit(double limit)
{
    return g_strdup_printf("%" G_GUINT64_FORMAT, (uint64_t)limit);
}

static char *rate_limit(double limit)
{
    return plain_limit(limit, "/s");
}

static char *times_limit(double limit)
{
    return plain_limit(limit, "");
}

static char *word_limit(double limit)
{
    return g_strdup(limit == GUARD_WORD_SLOW ? "slow" : "pause");
}

static char *number_limit(double limit)
{
    return g_strdup_printf("%.17g", limit);
}

static const struct unit {
    const char *word;
    bool (*read)(const char *text, double *ret);
    char *(*text)(double value);
    char *(*limit)(double limit);
    const char *expected;
} UNITS[GUARD_UNITS] = {
    [GUARD_UNIT_SHARE] = {"share", read_share, share_text, share_limit, "a share such as 75%, at most 100%, or none"},
    [GUARD_UNIT_DURATION] = {"duration", read_duration, duration_text, duration_limit,
                             "a duration such as 2s, or none"},
    [GUARD_UNIT_BYTES] = {"bytes", read_bytes, bytes_text, whole_limit, "an amount such as 64MiB, or none"},
    [GUARD_UNIT_COUNT] = {"count", read_count, count_text, whole_limit, "a number, or none"},
    [GUARD_UNIT_RATE] = {"rate", read_rate, rate_text, rate_limit, "a rate such as 100/s, or none"},
    [GUARD_UNIT_TIMES] = {"times", read_times, times_text, times_limit, "a number above zero such as 4, or none"},
    [GUARD_UNIT_WORD] = {"word", read_word, word_text, word_limit, "slow, pause or none"},
    [GUARD_UNIT_NUMBER] = {"number", read_number, number_text, number_limit, "a number such as 0.85"},
    [GUARD_UNIT_LATENCY] = {"latency", read_duration, latency_text, duration_limit, "a duration such as 2ms, or none"},
};

const char *guard_unit_word(enum guard_unit unit)
{
    return UNITS[unit].word;
}

bool guard_limit_read(enum guard_unit unit, bool below, const char *text, double *ret)
{
    double limit = guard_none(below);
    bool none = unit != GUARD_UNIT_NUMBER && strcmp(text, "none") == 0;
    if (!none && !UNITS[unit].read(text, &limit))
        return false;
    *ret = limit;
    return true;
}

/* --- limits that say nothing -------------------------------------------------------------------------------------- */

#define NEVER  "it would be passed never: say `none` where nothing is to be watched, or less than 100%"
#define ALWAYS "every run passes that at once and would wait for ever: say how much is too much, or `none`"

static bool no_less(double limit, double than)
{
    return limit >= than;
}

static bool more(double limit, double than)
{
    return limit > than;
}

static bool less(double limit, double than)
{
    return limit < than;
}

/* What a limit has to be to say anything. */
static const struct bound {
    enum spec_guard guard;
    bool (*is)(double limit, double than);
    double than;
    const char *else_words;
} BOUNDS[] = {
    {GUARD_LAG, no_less, 1000, "a replica tells its lag in whole seconds: say 1s or more, or `none`"},
    {GUARD_LAG_BYTES, more, 0, ALWAYS},
    {GUARD_REPLICAS, more, 0, "no server has fewer replicas than that: say 1 or more, or `none`"},
    {GUARD_MEMORY, more, 0, ALWAYS},
    {GUARD_MEMORY, less, 1, NEVER},
    {GUARD_GROWTH, more, 0, ALWAYS},
    {GUARD_FORECAST, no_less, 1,
     "a run that does just what its plan forecasts would be paused before its end: say how many times as much is too "
     "much, such as 2, or `none`; what a run may write at most is `budget.records` and `budget.bytes`"},
    {GUARD_EXPIRED, less, 1, NEVER},
    {GUARD_CLIENTS, more, 0, ALWAYS},
    {GUARD_CLIENTS, less, 1, NEVER},
    {GUARD_CPU, more, 0, ALWAYS},
    {GUARD_CPU, less, 1, NEVER},
    {GUARD_COMPACTION, more, 0, ALWAYS},
};

const char *guard_limit_senseless(enum spec_guard guard, double limit)
{
    for (size_t i = 0; i < G_N_ELEMENTS(BOUNDS) && !guard_is_none(limit); i++)
        if (BOUNDS[i].guard == guard && !BOUNDS[i].is(limit, BOUNDS[i].than))
            return BOUNDS[i].else_words;
    return NULL;
}

char *guard_limit_text(enum guard_unit unit, double limit)
{
    return guard_is_none(limit) ? g_strdup("none") : UNITS[unit].limit(limit);
}

const char *guard_limit_expected(enum guard_unit unit)
{
    return UNITS[unit].expected;
}

char *guard_value_text(enum guard_unit unit, double value)
{
    return UNITS[unit].text(value);
}
