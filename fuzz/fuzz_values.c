/* The small languages of specs, options and servers, each with what it becomes as text: what is taken is told in a way
 * that is taken again and says the same. The first byte says which; the rest is the text. */
#include <math.h>
#include <string.h>

#include "base/hours.h"
#include "fuzz.h"
#include "pace/beacons.h"
#include "record/datetime.h"
#include "record/decimal.h"
#include "record/path.h"
#include "spec/guard.h"
#include "spec/live.h"
#include "spec/moment.h"
#include "spec/money.h"
#include "spec/spec.h"
#include "verify/sampling.h"

static void guard(const char *text)
{
    double limit, again;
    enum guard_unit unit = (enum guard_unit)((uint8_t)text[0] % GUARD_UNITS);
    bool below = (uint8_t)text[0] & 0x80;
    if (!text[0] || !guard_limit_read(unit, below, text + 1, &limit) || (fabs(limit) >= 1e15 && !guard_is_none(limit)))
        return;
    g_autofree char *told = guard_limit_text(unit, limit);
    g_assert(!isnan(limit) && guard_limit_read(unit, below, told, &again));
    g_autofree char *same = guard_limit_text(unit, again);
    g_autofree char *shown = guard_is_none(limit) ? NULL : guard_value_text(unit, limit);
    g_assert(g_str_equal(told, same));
}

static void live(const char *text)
{
    struct spec_live live, again;
    if (!spec_live_parse(text, &live))
        return;
    g_autofree char *told = spec_live_text(&live);
    g_assert(spec_live_parse(told, &again));
    g_autofree char *same = spec_live_text(&again);
    g_assert(g_str_equal(told, same));
}

static void money(const char *text)
{
    uint64_t amount, again;
    char told[MONEY_TEXT];
    struct money_within within, second;
    if (money_parse(text, &amount))
        g_assert(amount > 0 && money_parse(money_text(amount, told), &again) && again == amount);
    if (!money_within_parse(text, "in", &within))
        return;
    g_autofree char *words = money_within_text(&within, "in");
    g_assert(money_within_parse(words, "in", &second));
    g_autofree char *same = money_within_text(&second, "in");
    g_assert(g_str_equal(words, same));
}

static void hours(const char *text)
{
    auto_(hours) hours = NULL;
    struct hours_span span;
    if (!hours_parse(&hours, &text, 1, NULL))
        return;
    for (int64_t at_ms = 0, i = 0; i < 8; i++, at_ms = span.to_ms)
        if (hours_span(hours, at_ms, &span)) {
            g_autofree char *told = hours_time(hours, span.from_ms);
            g_assert(span.from_ms < span.to_ms && span.to_ms > at_ms);
        } else {
            return;
        }
}

static void times(const char *text)
{
    int64_t us, again;
    char told[64];
    if (moment_parse_us(text, &us, NULL) || datetime_parse_us(slice_of_text(text), DATETIME_ZONE_UTC, NULL, &us, NULL))
        if (us % 1000 == 0) {
            datetime_text(us / 1000, told);
            g_assert(!datetime_parse_us(slice_of_text(told), DATETIME_ZONE_REQUIRED, NULL, &again, NULL) ||
                     again == us);
        }
}

static void decimal(const char *text)
{
    bson_decimal128_t decimal, again;
    char told[64];
    int64_t whole;
    if (!decimal_parse(slice_of_text(text), &decimal, NULL))
        return;
    g_assert(decimal_parse(slice_of_text(decimal_text(&decimal, told)), &again, NULL));
    g_assert(again.high == decimal.high && again.low == decimal.low);
    decimal_normal(&decimal, &again);
    g_assert(decimal_compare(&decimal, &again) == 0);
    if (decimal_to_i64(&decimal, &whole)) {
        decimal_from_i64(whole, &again);
        g_assert(decimal_compare(&decimal, &again) == 0);
    }
}

static void path(const char *text)
{
    auto_(path) path = NULL;
    auto_(path) again = NULL;
    if (!path_parse(&path, text, NULL))
        return;
    g_assert(path_count(path) > 0 && path_parse(&again, path_text(path), NULL));
    g_assert(path_count(again) == path_count(path));
    for (size_t i = 0; i < path_count(path); i++)
        g_assert(slice_equal(path_name(path, i), path_name(again, i)));
}

static void beacon(const char *text)
{
    struct beacon beacon, again;
    char told[BEACON_TEXT], same[BEACON_TEXT];
    if (!beacon_read(text, &beacon))
        return;
    beacon_write(&beacon, told);
    g_assert(beacon_read(told, &again));
    beacon_write(&again, same);
    g_assert(g_str_equal(told, same) && beacon.priority <= 9 && isfinite(beacon.window));
}

static void sampling(const char *text)
{
    struct sampling_wish wish;
    struct spec_baseline baseline;
    spec_baseline_parse(text, &baseline);
    if (!sampling_wish_parse(text, &wish, NULL))
        return;
    g_assert(wish.confidence > 0 && wish.confidence < 1 && wish.below > 0 && wish.below < 1);
    g_assert(sampling_size(1000, false, &wish) <= 1000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static void (*const LANGUAGES[])(const char *text) = {guard,   live, money,  hours,   times,
                                                          decimal, path, beacon, sampling};
    if (len == 0)
        return 0;
    g_autofree char *text = g_strndup((const char *)data + 1, len - 1);
    LANGUAGES[data[0] % G_N_ELEMENTS(LANGUAGES)](text);
    return 0;
}
