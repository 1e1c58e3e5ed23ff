/* Points in time: BSON datetimes, milliseconds since 1970 UTC. */
#pragma once

#include "base/error.h"
#include "base/slice.h"

/* How a text without a zone is taken. */
enum datetime_zone { DATETIME_ZONE_REQUIRED, DATETIME_ZONE_UTC, DATETIME_ZONE_NAMED };

/* RFC 3339: date, date-time with Z or offset, fractions to the microsecond. *ret in microseconds. Nothing is rounded. */
bool datetime_parse_us(struct slice text, enum datetime_zone rule, const char *zone_name, int64_t *ret, GError **error);

#define DATETIME_TEXT 32
const char *datetime_text(int64_t ms, char *into); /* 2026-07-10T12:00:00.000Z */
