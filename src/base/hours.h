/* Windows of the week in a time zone: `Mon-Fri 22:00-06:00 Europe/Berlin`.
 *
 * A window begins and ends by the wall clock of its zone (the system's tz database, through GLib). One that passes
 * midnight belongs to the day on which it begins. Where a clock is put forward, a time that does not exist is the
 * moment of the change; where it is put back, a time that comes twice is the first of the two. Immutable once made. */
#pragma once

#include "base/auto.h"
#include "base/error.h"

struct hours;

/* `DAYS HH:MM-HH:MM ZONE` each: DAYS is a list of days and ranges of days (`Mon-Fri`, `Sat,Sun`, `Fri-Mon`), absent:
 * every day; ZONE a name of the tz database or UTC. 24:00 ends a day; a window that ends when it begins has a day's
 * length. At least one. SPEC: the text, what is wrong, what is expected. */
bool hours_parse(struct hours **ret, const char *const *texts, size_t n, GError **error);
void hours_free(struct hours *hours);
AUTO_DEFINE(hours, hours_free)

/* A stretch in which some window is open; wall-clock milliseconds since 1970, [from, to). */
struct hours_span {
    int64_t from_ms, to_ms;
};

/* The stretch that `at_ms` is in, or else the next one; windows that touch are one, cut where it is a week long. false:
 * none begins within 53 weeks. Cost: looks at days one by one. */
bool hours_span(const struct hours *hours, int64_t at_ms, struct hours_span *ret);

/* `Mon 2026-10-26 22:00 Europe/Berlin`: a moment in the zone of the first window. The caller frees. */
char *hours_time(const struct hours *hours, int64_t at_ms);
