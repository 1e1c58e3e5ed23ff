/* Quantities as people write and read them. Parsers take the whole text or fail with what they expected. */
#pragma once

#include "base/error.h"

/* Errors are SLUICE_ERROR_USAGE: "'20 parsecs': expected an amount such as 20GiB, 5MB or 1024". No blanks inside, units
 * spelled as here; a fraction is fine where it comes out even. */
bool units_parse_bytes(const char *text, uint64_t *ret, GError **error);      /* 20GiB, 5MB, 1.5KiB, 1024 */
bool units_parse_duration_ms(const char *text, int64_t *ret, GError **error); /* 500ms 2s 10m 6h 30d 2w 1h30m */
bool units_parse_share(const char *text, double *ret, GError **error);        /* 1% → 0.01; may be above 100% */
bool units_parse_rate_per_s(const char *text, double *ret, GError **error);   /* 20000/s, 5/m, 100/h */

/* Into caller's memory of at least UNITS_TEXT bytes; all return `into`. */
#define UNITS_TEXT 32
const char *units_bytes(uint64_t bytes, char *into); /* 1.4 GiB */
const char *units_count(uint64_t count, char *into); /* 1 234 567 */
const char *units_rate(double per_s, char *into);    /* 1 500/s, 2.5/s, 0.017/s */
const char *units_duration(int64_t ms, char *into);  /* 2h 03m, 41s, 350ms */
const char *units_plain(double value,
                        char *into); /* 1234567, 0.0000578704: to six digits, below 10^15 without exponent */
const char *units_time(int64_t wall_ms, char *into); /* 2026-07-10T12:00:00.000Z */
