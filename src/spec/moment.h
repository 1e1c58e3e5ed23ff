/* Points in time as a spec writes them: `2026-07-10`, `2026-07-10T12:00:00+02:00`, `2026-07-10 Europe/Berlin`, and so
 * much later or earlier: `2026-07-10 + 2d`, `2026-07-10T12:00:00 - 1h30m`. */
#pragma once

#include "base/error.h"

/* TIME [ZONE] [+ DURATION | - DURATION]…, parts with blanks between them. Without an offset and without the name of a
 * zone it is UTC. A duration is as long as it says, also where the clocks of the zone change. Microseconds since 1970.
 * Errors: SPEC, with what was expected. */
bool moment_parse_us(const char *text, int64_t *ret, GError **error);
