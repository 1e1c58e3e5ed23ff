#include "base/units.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/int.h"

enum { MS_PER_S = 1000, S_PER_MIN = 60, S_PER_HOUR = 3600, S_PER_DAY = 86400 };

struct unit {
    const char *name;
    uint64_t size;
};

/* Of two units where one begins like the other the longer stands first. */
static const struct unit byte_units[] = {
    {"KiB", UINT64_C(1) << 10},
    {"MiB", UINT64_C(1) << 20},
    {"GiB", UINT64_C(1) << 30},
    {"TiB", UINT64_C(1) << 40},
    {"PiB", UINT64_C(1) << 50},
    {"kB", UINT64_C(1000)},
    {"KB", UINT64_C(1000)},
    {"MB", UINT64_C(1000000)},
    {"GB", UINT64_C(1000000000)},
    {"TB", UINT64_C(1000000000000)},
    {"PB", UINT64_C(1000000000000000)},
    {"B", 1},
    {"", 1},
};

static const struct unit duration_units[] = {
    {"ms", 1},
    {"s", MS_PER_S},
    {"m", UINT64_C(1000) * S_PER_MIN},
    {"h", UINT64_C(1000) * S_PER_HOUR},
    {"d", UINT64_C(1000) * S_PER_DAY},
    {"w", UINT64_C(7000) * S_PER_DAY},
};

static const struct unit share_units[] = {{"%", 100}};

static const struct unit rate_units[] = {{"/s", 1}, {"/m", S_PER_MIN}, {"/h", S_PER_HOUR}, {"/d", S_PER_DAY}};

static const char bytes_expected[] = "expected an amount such as 20GiB, 5MB or 1024";
static const char duration_expected[] = "expected a duration such as 500ms, 2s, 10m, 6h, 30d or 2w";
static const char share_expected[] = "expected a share such as 1% or 99.9%";
static const char rate_expected[] = "expected a rate such as 20000/s or 5/m";

/* An exact decimal, digits / scale. */
struct number {
    uint64_t digits, scale;
};

static bool refuse(const char *text, const char *expected, GError **error)
{
    return error_set(error, SLUICE_ERROR_USAGE, "'%s': %s", text, expected);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool take_digits(const char **at, uint64_t *digits, uint64_t *scale)
{
    const char *begin = *at;
    for (; is_digit(**at); (*at)++) {
        if (!int_mul_u64(*digits, 10, digits) || !int_add_u64(*digits, (uint64_t)(**at - '0'), digits))
            return false;
        if (scale && !int_mul_u64(*scale, 10, scale))
            return false;
    }
    return *at > begin;
}

static bool take_number(const char **at, struct number *ret)
{
    struct number number = {.digits = 0, .scale = 1};
    if (!take_digits(at, &number.digits, NULL))
        return false;
    if (**at == '.') {
        ++*at;
        if (!take_digits(at, &number.digits, &number.scale))
            return false;
    }
    *ret = number;
    return true;
}

static const struct unit *take_unit(const char **at, const struct unit *units, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(units[i].name);
        if (strncmp(*at, units[i].name, len) == 0) {
            *at += len;
            return &units[i];
        }
    }
    return NULL;
}

/* false where the product overflows or does not come out even. */
static bool whole_product(struct number number, uint64_t size, uint64_t *ret)
{
    uint64_t product;
    if (!int_mul_u64(number.digits, size, &product) || product % number.scale != 0)
        return false;
    *ret = product / number.scale;
    return true;
}

bool units_parse_bytes(const char *text, uint64_t *ret, GError **error)
{
    const char *at = text;
    struct number number;
    if (!take_number(&at, &number))
        return refuse(text, bytes_expected, error);
    const struct unit *unit = take_unit(&at, byte_units, G_N_ELEMENTS(byte_units));
    uint64_t bytes;
    if (!unit || *at || !whole_product(number, unit->size, &bytes))
        return refuse(text, bytes_expected, error);
    *ret = bytes;
    return true;
}

/* Of 292 years: sums of some, in microseconds, and times so far from now can still be told. */
#define DURATION_MOST_MS UINT64_C(9223372036854)

/* One or more terms, each of a smaller unit than the one before: 1h30m. */
bool units_parse_duration_ms(const char *text, int64_t *ret, GError **error)
{
    uint64_t sum = 0, smallest = UINT64_MAX;
    const char *at = text;
    do {
        struct number number;
        uint64_t term;
        if (!take_number(&at, &number))
            return refuse(text, duration_expected, error);
        const struct unit *unit = take_unit(&at, duration_units, G_N_ELEMENTS(duration_units));
        if (!unit || unit->size >= smallest || !whole_product(number, unit->size, &term) ||
            !int_add_u64(sum, term, &sum))
            return refuse(text, duration_expected, error);
        smallest = unit->size;
    } while (*at);
    if (sum > DURATION_MOST_MS)
        return refuse(text, duration_expected, error);
    *ret = (int64_t)sum;
    return true;
}

/* A number divided by its unit: 1% → 1/100, 5/m → 5/60. */
static bool parse_quotient(const char *text, const struct unit *units, size_t n, double *ret)
{
    const char *at = text;
    struct number number;
    if (!take_number(&at, &number))
        return false;
    const struct unit *unit = take_unit(&at, units, n);
    if (!unit || *at)
        return false;
    *ret = (double)number.digits / ((double)number.scale * (double)unit->size);
    return true;
}

bool units_parse_share(const char *text, double *ret, GError **error)
{
    return parse_quotient(text, share_units, G_N_ELEMENTS(share_units), ret) || refuse(text, share_expected, error);
}

bool units_parse_rate_per_s(const char *text, double *ret, GError **error)
{
    return parse_quotient(text, rate_units, G_N_ELEMENTS(rate_units), ret) || refuse(text, rate_expected, error);
}

#define PLAIN_MOST   1e15
#define PLAIN_PLACES 15

const char *units_plain(double value, char *into)
{
    int places = 0;
    if (value >= PLAIN_MOST) {
        snprintf(into, UNITS_TEXT, "%.6g", value);
        return into;
    }
    for (double scaled = value; scaled > 0 && scaled < 1e5 && places < PLAIN_PLACES; scaled *= 10)
        places++;
    snprintf(into, UNITS_TEXT, "%.*f", places, value);
    char *end = into + strlen(into);
    while (places > 0 && end[-1] == '0')
        *--end = 0;
    if (places > 0 && end[-1] == '.')
        end[-1] = 0;
    return into;
}

const char *units_bytes(uint64_t bytes, char *into)
{
    static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    if (bytes < 1024) {
        snprintf(into, UNITS_TEXT, "%" PRIu64 " B", bytes);
        return into;
    }
    double value = (double)bytes;
    size_t i = 0;
    while (value >= 1023.5 && i + 1 < G_N_ELEMENTS(names)) { /* what would be printed as 1024 is 1 of the next */
        value /= 1024;
        i++;
    }
    snprintf(into, UNITS_TEXT, value < 9.95 ? "%.1f %s" : "%.0f %s", value, names[i]);
    return into;
}

const char *units_count(uint64_t count, char *into)
{
    char digits[UNITS_TEXT];
    size_t len = (size_t)snprintf(digits, sizeof digits, "%" PRIu64, count), out = 0;
    for (size_t i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            into[out++] = ' ';
        into[out++] = digits[i];
    }
    into[out] = '\0';
    return into;
}

const char *units_rate(double per_s, char *into)
{
    if (per_s < 9.95)
        snprintf(into, UNITS_TEXT, "%.2g", per_s);
    else
        units_count((uint64_t)((per_s < 1e18 ? per_s : 1e18) + 0.5), into);
    memcpy(into + strlen(into), "/s", sizeof "/s");
    return into;
}

const char *units_duration(int64_t ms, char *into)
{
    /* Two figures each, the smaller one with two digits; below a minute one. */
    static const struct {
        uint64_t big_s, small_s;
        char big, small;
    } steps[] = {{S_PER_DAY, S_PER_HOUR, 'd', 'h'}, {S_PER_HOUR, S_PER_MIN, 'h', 'm'}, {S_PER_MIN, 1, 'm', 's'}};
    const char *sign = ms < 0 ? "-" : "";
    uint64_t size_ms = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms, s = size_ms / MS_PER_S;
    for (size_t i = 0; i < G_N_ELEMENTS(steps); i++) {
        if (s < steps[i].big_s)
            continue;
        snprintf(into, UNITS_TEXT, "%s%" PRIu64 "%c %02" PRIu64 "%c", sign, s / steps[i].big_s, steps[i].big,
                 s % steps[i].big_s / steps[i].small_s, steps[i].small);
        return into;
    }
    snprintf(into, UNITS_TEXT, s ? "%s%" PRIu64 "s" : "%s%" PRIu64 "ms", sign, s ? s : size_ms);
    return into;
}

const char *units_time(int64_t wall_ms, char *into)
{
    int64_t ms = (wall_ms % MS_PER_S + MS_PER_S) % MS_PER_S;
    g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc(wall_ms / MS_PER_S - (wall_ms % MS_PER_S < 0));
    if (!time) { /* before year 1 or after 9999 */
        snprintf(into, UNITS_TEXT, "%" PRId64 "ms", wall_ms);
        return into;
    }
    snprintf(into, UNITS_TEXT, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", g_date_time_get_year(time),
             g_date_time_get_month(time), g_date_time_get_day_of_month(time), g_date_time_get_hour(time),
             g_date_time_get_minute(time), g_date_time_get_second(time), (int)ms);
    return into;
}
