/* Quantities as people write them: what parses also fits, whatever the text. */
#include <math.h>

#include "base/slice.h"
#include "base/units.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    g_autofree char *text = g_strndup(len ? (const char *)data : "", len);
    char shown[UNITS_TEXT];
    uint64_t bytes;
    int64_t ms;
    double value;
    if (units_parse_bytes(text, &bytes, NULL))
        g_assert(strlen(units_bytes(bytes, shown)) < UNITS_TEXT && strlen(units_count(bytes, shown)) < UNITS_TEXT);
    if (units_parse_duration_ms(text, &ms, NULL))
        g_assert(ms >= 0 && strlen(units_duration(ms, shown)) < UNITS_TEXT &&
                 strlen(units_time(ms, shown)) < UNITS_TEXT);
    if (units_parse_share(text, &value, NULL) || units_parse_rate_per_s(text, &value, NULL))
        g_assert(isfinite(value) && value >= 0);
    return 0;
}
