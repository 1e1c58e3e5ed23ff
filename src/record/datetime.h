/* Points in time: BSON datetimes, milliseconds since 1970 UTC. */
#pragma once

#include "base/error.h"
#include "base/slice.h"

/* How a text without a zone is taken. */
enum datetime_zone { DATETIME_ZONE_REQUIRED, DATETIME_ZONE_UTC, DATETIME_ZONE_NAMED };

/* RFC 3339: a date alone (its midnight), or date and time, with Z or an offset, or without under `rule`. *ret in
 * microseconds. Nothing is rounded: digits beyond the microsecond must be zeros. The calendar is checked; a leap second
 * is refused, and so is what lies outside of the years 0001 to 9999 in UTC.
 * NAMED: `zone_name` as in the tz database (Europe/Berlin), asked only where the text has no zone; a local time that
 * the zone's clocks skipped or showed twice is refused, naming both readings. Errors: BAD_RECORD. */
bool datetime_parse_us(struct slice text, enum datetime_zone rule, const char *zone_name, int64_t *ret, GError **error);

#define DATETIME_TEXT 32
/* 2026-07-10T12:00:00.000Z; outside of the years 0000 to 9999 a sign and nine digits of the year, which only BSON
 * carries and datetime_parse_us() does not read. */
const char *datetime_text(int64_t ms, char *into);
