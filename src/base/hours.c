#include "base/hours.h"

#include <string.h>

enum { MINUTES_OF_DAY = 24 * 60, WEEK = 7, AROUND = 8, WEEKS = 53, SECONDS_OF_DAY = 24 * 60 * 60 };

struct window {
    bool days[WEEK]; /* from Monday on */
    int from, to;    /* minutes of the day; `to` not above `from`: of the next day */
    GTimeZone *zone;
};

struct hours {
    struct window *windows;
    size_t n;
};

static const char *const DAYS[WEEK] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};

/* --- parsing ------------------------------------------------------------------------------------------------------ */

static bool wrong(const char *text, const char *part, const char *what, GError **error)
{
    return error_set(error, SLUICE_ERROR_SPEC,
                     "'%s': '%s' is %s; expected hours such as Mon-Fri 22:00-06:00 Europe/Berlin", text, part, what);
}

static bool day_of(const char *word, int *ret)
{
    for (int i = 0; i < WEEK; i++)
        if (strcmp(word, DAYS[i]) == 0) {
            *ret = i;
            return true;
        }
    return false;
}

/* `Mon`, or `Fri-Mon`, which goes over the end of the week. */
static bool add_days(struct window *window, const char *part)
{
    g_auto(GStrv) ends = g_strsplit(part, "-", 2);
    int first, last;
    if (!day_of(ends[0] ? ends[0] : "", &first) || !day_of(ends[0] && ends[1] ? ends[1] : ends[0], &last))
        return false;
    for (int i = first;; i = (i + 1) % WEEK) {
        window->days[i] = true;
        if (i == last)
            return true;
    }
}

static bool parse_days(struct window *window, const char *text, const char *part, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(part, ",", -1);
    for (size_t i = 0; parts[i]; i++)
        if (!add_days(window, parts[i]))
            return wrong(text, parts[i], "no day (Mon, Tue, Wed, Thu, Fri, Sat, Sun) and no range of days", error);
    return true;
}

/* Exactly HH:MM, up to 24:00. */
static bool minute_of(const char *text, size_t len, int *ret)
{
    if (len != 5 || text[2] != ':')
        return false;
    for (size_t i = 0; i < len; i++)
        if (i != 2 && !g_ascii_isdigit(text[i]))
            return false;
    int hour = (text[0] - '0') * 10 + text[1] - '0', minute = (text[3] - '0') * 10 + text[4] - '0';
    *ret = hour * 60 + minute;
    return minute < 60 && *ret <= MINUTES_OF_DAY;
}

static bool parse_times(struct window *window, const char *text, const char *part, GError **error)
{
    const char *dash = strchr(part, '-');
    if (!dash || !minute_of(part, (size_t)(dash - part), &window->from) || window->from == MINUTES_OF_DAY ||
        !minute_of(dash + 1, strlen(dash + 1), &window->to))
        return wrong(text, part, "no range of times (HH:MM-HH:MM, up to 24:00)", error);
    if (window->from == window->to)
        return wrong(text, part, "empty, for it ends when it begins (a whole day is 00:00-24:00)", error);
    return true;
}

static bool parse_zone(struct window *window, const char *text, const char *part, GError **error)
{
    window->zone = g_time_zone_new_identifier(part);
    return window->zone || wrong(text, part, "no time zone that this system knows", error);
}

static bool parse_window(struct window *window, const char *text, GError **error)
{
    g_auto(GStrv) words = g_strsplit_set(text, " ", -1);
    guint n = g_strv_length(words);
    if (n < 2 || n > 3)
        return error_set(error, SLUICE_ERROR_SPEC, "'%s': expected hours such as Mon-Fri 22:00-06:00 Europe/Berlin",
                         text);
    if (n == 2 && strchr(words[1], ':'))
        return wrong(text, words[1], "no time zone, which stands last", error);
    for (int i = 0; n == 2 && i < WEEK; i++)
        window->days[i] = true;
    return (n == 2 || parse_days(window, text, words[0], error)) && parse_times(window, text, words[n - 2], error) &&
           parse_zone(window, text, words[n - 1], error);
}

bool hours_parse(struct hours **ret, const char *const *texts, size_t n, GError **error)
{
    auto_(hours) hours = g_new0(struct hours, 1);
    hours->windows = g_new0(struct window, n);
    hours->n = n;
    for (size_t i = 0; i < n; i++)
        if (!parse_window(&hours->windows[i], texts[i], error))
            return false;
    if (n == 0)
        return error_set(error, SLUICE_ERROR_SPEC, "no hours at all; expected at least one window");
    *ret = g_steal_pointer(&hours);
    return true;
}

void hours_free(struct hours *hours)
{
    for (size_t i = 0; hours && i < hours->n; i++)
        g_clear_pointer(&hours->windows[i].zone, g_time_zone_unref);
    if (hours)
        g_free(hours->windows);
    g_free(hours);
}

/* --- moments ------------------------------------------------------------------------------------------------------ */

/* In seconds since 1970: the first moment at which the zone's clock shows it, or has passed it. */
static int64_t moment_of(GTimeZone *zone, int64_t local)
{
    static const GTimeType TYPES[] = {G_TIME_TYPE_STANDARD, G_TIME_TYPE_DAYLIGHT};
    int64_t first = INT64_MAX;
    for (size_t i = 0; i < G_N_ELEMENTS(TYPES); i++) {
        gint64 shown = local; /* moved on to the end of a gap */
        int interval = g_time_zone_adjust_time(zone, TYPES[i], &shown);
        first = MIN(first, shown - g_time_zone_get_offset(zone, interval));
    }
    return first;
}

static int64_t day_in(GTimeZone *zone, int64_t at_ms)
{
    int64_t at = at_ms / 1000;
    int interval = g_time_zone_find_interval(zone, G_TIME_TYPE_UNIVERSAL, at);
    int64_t local = at + g_time_zone_get_offset(zone, interval);
    return local / SECONDS_OF_DAY - (local % SECONDS_OF_DAY < 0);
}

static int weekday_of(int64_t day)
{
    return (int)(((day + 3) % WEEK + WEEK) % WEEK); /* 1970-01-01 was a Thursday */
}

static void add_span(const struct window *window, int64_t day, GArray *spans)
{
    int64_t begin = day * SECONDS_OF_DAY, end = begin + (window->to <= window->from ? SECONDS_OF_DAY : 0);
    struct hours_span span = {.from_ms = moment_of(window->zone, begin + window->from * 60) * 1000,
                              .to_ms = moment_of(window->zone, end + window->to * 60) * 1000};
    if (span.from_ms < span.to_ms) /* both ends may lie in one gap */
        g_array_append_val(spans, span);
}

static int by_begin(const void *a, const void *b)
{
    const struct hours_span *x = a, *y = b;
    return (x->from_ms > y->from_ms) - (x->from_ms < y->from_ms);
}

/* The first stretch that ends after at_ms; *ret is what touches it, too. */
static bool first_after(GArray *spans, int64_t at_ms, struct hours_span *ret)
{
    struct hours_span joined = {.from_ms = INT64_MIN, .to_ms = INT64_MIN};
    g_array_sort(spans, by_begin);
    for (guint i = 0; i < spans->len; i++) {
        const struct hours_span *next = &g_array_index(spans, struct hours_span, i);
        if (joined.to_ms > at_ms && next->from_ms > joined.to_ms)
            break;
        if (next->from_ms > joined.to_ms)
            joined = *next;
        joined.to_ms = MAX(joined.to_ms, next->to_ms);
    }
    if (joined.to_ms <= at_ms)
        return false;
    *ret = joined;
    return true;
}

bool hours_span(const struct hours *hours, int64_t at_ms, struct hours_span *ret)
{
    g_autoptr(GArray) spans = g_array_new(FALSE, FALSE, sizeof(struct hours_span));
    for (int64_t week = 0; week < WEEKS; week++) {
        g_array_set_size(spans, 0);
        for (size_t i = 0; i < hours->n; i++) {
            const struct window *window = &hours->windows[i];
            int64_t today = day_in(window->zone, at_ms) + week * WEEK;
            for (int64_t day = today - AROUND; day <= today + AROUND; day++)
                if (window->days[weekday_of(day)])
                    add_span(window, day, spans);
        }
        if (first_after(spans, at_ms, ret))
            return true;
    }
    return false;
}

char *hours_time(const struct hours *hours, int64_t at_ms)
{
    g_autoptr(GDateTime) utc = g_date_time_new_from_unix_utc(at_ms / 1000);
    g_autoptr(GDateTime) local = g_date_time_to_timezone(utc, hours->windows[0].zone);
    g_autofree char *date = g_date_time_format(local, "%Y-%m-%d %H:%M");
    return g_strdup_printf("%s %s %s", DAYS[g_date_time_get_day_of_week(local) - 1], date,
                           g_time_zone_get_identifier(hours->windows[0].zone));
}
