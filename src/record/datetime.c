/* Calendar arithmetic after Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms". */
#include "record/datetime.h"

#include <stdio.h>

#include "record/text.h"

#define US_PER_S  INT64_C(1000000)
#define S_PER_DAY INT64_C(86400)

/* 0001-01-01T00:00:00Z and 10000-01-01T00:00:00Z */
#define FIRST_S INT64_C(-62135596800)
#define END_S   INT64_C(253402300800)

static int64_t days_from_civil(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400, year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static void civil_from_days(int64_t days, int64_t *year, int64_t *month, int64_t *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097, day_of_era = days - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted = (5 * day_of_year + 2) / 153;
    *day = day_of_year - (153 * shifted + 2) / 5 + 1;
    *month = shifted < 10 ? shifted + 3 : shifted - 9;
    *year = year_of_era + era * 400 + (*month <= 2);
}

static int64_t days_of_month(int64_t year, int64_t month)
{
    static const int64_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

/* What the text says, before its zone is applied. */
struct parsed {
    int64_t local_s, us;
    bool has_zone;
    int64_t offset_s;
};

struct cursor {
    const uint8_t *at, *end;
    const char *wrong; /* NULL while all is well */
};

static bool wrong(struct cursor *cursor, const char *what)
{
    if (!cursor->wrong)
        cursor->wrong = what;
    return false;
}

static int64_t take_number(struct cursor *cursor, size_t digits, const char *expected)
{
    int64_t value = 0;
    for (size_t i = 0; i < digits; i++) {
        if (cursor->at == cursor->end || *cursor->at < '0' || *cursor->at > '9') {
            wrong(cursor, expected);
            return 0;
        }
        value = value * 10 + (*cursor->at++ - '0');
    }
    return value;
}

static bool take_one_of(struct cursor *cursor, const char *bytes, const char *expected)
{
    if (cursor->at < cursor->end && *cursor->at && strchr(bytes, *cursor->at)) {
        cursor->at++;
        return true;
    }
    return expected ? wrong(cursor, expected) : false;
}

static int64_t take_date(struct cursor *cursor)
{
    int64_t year = take_number(cursor, 4, "expected a year of four digits");
    take_one_of(cursor, "-", "expected '-' after the year");
    int64_t month = take_number(cursor, 2, "expected a month of two digits");
    take_one_of(cursor, "-", "expected '-' after the month");
    int64_t day = take_number(cursor, 2, "expected a day of two digits");
    if (cursor->wrong)
        return 0;
    if (year < 1)
        wrong(cursor, "there is no year 0000");
    else if (month < 1 || month > 12)
        wrong(cursor, "there is no such month");
    else if (day < 1 || day > days_of_month(year, month))
        wrong(cursor, "that month has no such day");
    return cursor->wrong ? 0 : days_from_civil(year, month, day) * S_PER_DAY;
}

static int64_t take_fraction(struct cursor *cursor)
{
    int64_t us = 0, unit = US_PER_S / 10;
    const uint8_t *first = cursor->at;
    for (; cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9'; cursor->at++, unit /= 10) {
        us += (*cursor->at - '0') * unit;
        if (unit == 0 && *cursor->at != '0')
            wrong(cursor, "it is finer than a microsecond, and nothing is rounded");
    }
    if (cursor->at == first)
        wrong(cursor, "expected a digit after the point");
    return us;
}

static int64_t take_time(struct cursor *cursor, int64_t *us)
{
    int64_t hour = take_number(cursor, 2, "expected an hour of two digits");
    take_one_of(cursor, ":", "expected ':' after the hour");
    int64_t minute = take_number(cursor, 2, "expected a minute of two digits");
    take_one_of(cursor, ":", "expected ':' and seconds after the minute");
    int64_t second = take_number(cursor, 2, "expected a second of two digits");
    if (hour > 23)
        wrong(cursor, "there is no such hour; midnight is 00:00:00 of the next day");
    if (minute > 59)
        wrong(cursor, "there is no such minute");
    if (second == 60)
        wrong(cursor, "leap seconds have no place in a count of milliseconds since 1970; write 59 or the next minute");
    if (second > 60)
        wrong(cursor, "there is no such second");
    *us = take_one_of(cursor, ".", NULL) ? take_fraction(cursor) : 0;
    return (hour * 60 + minute) * 60 + second;
}

static void take_zone(struct cursor *cursor, struct parsed *parsed)
{
    if (cursor->at == cursor->end)
        return;
    parsed->has_zone = true;
    if (take_one_of(cursor, "Zz", NULL))
        return;
    bool west = *cursor->at == '-';
    take_one_of(cursor, "+-", "expected Z, an offset such as +02:00, or the end");
    int64_t hours = take_number(cursor, 2, "expected an offset such as +02:00");
    take_one_of(cursor, ":", "expected an offset such as +02:00");
    int64_t minutes = take_number(cursor, 2, "expected an offset such as +02:00");
    if (hours > 23 || minutes > 59)
        wrong(cursor, "there is no such offset");
    parsed->offset_s = (hours * 60 + minutes) * 60 * (west ? -1 : 1);
}

static const char *parse(struct slice text, struct parsed *ret)
{
    struct cursor cursor = {.at = text.data, .end = text.len ? text.data + text.len : text.data};
    struct parsed parsed = {0};
    parsed.local_s = take_date(&cursor);
    if (cursor.at < cursor.end && !cursor.wrong) {
        take_one_of(&cursor, "Tt ", "expected 'T' between date and time");
        parsed.local_s += take_time(&cursor, &parsed.us);
        take_zone(&cursor, &parsed);
        if (cursor.at < cursor.end)
            wrong(&cursor, "expected nothing behind the zone");
    }
    *ret = parsed;
    return cursor.wrong;
}

/* The intervals of a zone in which its clocks show a local time. */
struct reading {
    int64_t utc_s;
    int64_t offset_s;
    const char *name; /* CEST; owned by the zone */
};

/* Offsets lie within a day of UTC; transitions beyond two days cannot matter. At most two readings are kept. */
static size_t readings_of(GTimeZone *zone, int64_t local_s, struct reading ret[2])
{
    size_t n = 0;
    gint first = g_time_zone_find_interval(zone, G_TIME_TYPE_UNIVERSAL, local_s - 2 * S_PER_DAY);
    gint last = g_time_zone_find_interval(zone, G_TIME_TYPE_UNIVERSAL, local_s + 2 * S_PER_DAY);
    for (gint i = first; i <= last && n < 2; i++) {
        struct reading reading = {.offset_s = g_time_zone_get_offset(zone, i),
                                  .name = g_time_zone_get_abbreviation(zone, i)};
        reading.utc_s = local_s - reading.offset_s;
        if (g_time_zone_find_interval(zone, G_TIME_TYPE_UNIVERSAL, reading.utc_s) == i)
            ret[n++] = reading;
    }
    return n;
}

/* What clocks that had not been changed yet, or had been changed already, would mean by a time that none showed. */
static void readings_around(GTimeZone *zone, int64_t local_s, struct reading ret[2])
{
    for (size_t i = 0; i < 2; i++) {
        gint interval =
            g_time_zone_find_interval(zone, G_TIME_TYPE_UNIVERSAL, i == 0 ? local_s - S_PER_DAY : local_s + S_PER_DAY);
        ret[i].offset_s = g_time_zone_get_offset(zone, interval);
        ret[i].name = g_time_zone_get_abbreviation(zone, interval);
        ret[i].utc_s = local_s - ret[i].offset_s;
    }
}

static bool refuse_reading(struct slice text, const char *zone_name, const struct reading readings[2], bool twice,
                           GError **error)
{
    char quote[TEXT_QUOTE], first[DATETIME_TEXT], second[DATETIME_TEXT];
    return error_set(error, SLUICE_ERROR_BAD_RECORD,
                     "'%s' %s in %s: it may mean %s (%s) or %s (%s); write it with an offset", text_quote(text, quote),
                     twice ? "came twice, when the clocks went back," : "was left out, when the clocks went forward,",
                     zone_name, datetime_text(readings[0].utc_s * 1000, first), readings[0].name,
                     datetime_text(readings[1].utc_s * 1000, second), readings[1].name);
}

static bool apply_zone(struct slice text, const char *zone_name, int64_t local_s, int64_t *ret, GError **error)
{
    struct reading readings[2];
    g_autoptr(GTimeZone) zone = g_time_zone_new_identifier(zone_name);
    if (!zone)
        return error_set(error, SLUICE_ERROR_BAD_RECORD, "there is no time zone '%s' on this machine", zone_name);
    size_t n = readings_of(zone, local_s, readings);
    if (n == 0)
        readings_around(zone, local_s, readings);
    if (n != 1)
        return refuse_reading(text, zone_name, readings, n == 2, error);
    *ret = readings[0].utc_s;
    return true;
}

bool datetime_parse_us(struct slice text, enum datetime_zone rule, const char *zone_name, int64_t *ret, GError **error)
{
    struct parsed parsed;
    char quote[TEXT_QUOTE];
    const char *fault = parse(text, &parsed);
    if (!fault && !parsed.has_zone && rule == DATETIME_ZONE_REQUIRED)
        fault = "expected Z or an offset such as +02:00 at the end";
    if (fault)
        return error_set(error, SLUICE_ERROR_BAD_RECORD, "'%s' is not a point in time: %s", text_quote(text, quote),
                         fault);
    int64_t utc_s = parsed.local_s - parsed.offset_s;
    if (!parsed.has_zone && rule == DATETIME_ZONE_NAMED && !apply_zone(text, zone_name, parsed.local_s, &utc_s, error))
        return false;
    if (utc_s < FIRST_S || utc_s >= END_S)
        return error_set(error, SLUICE_ERROR_BAD_RECORD, "'%s' is outside of the years 0001 to 9999 in UTC",
                         text_quote(text, quote));
    *ret = utc_s * US_PER_S + parsed.us;
    return true;
}

/* In `width` digits, and what follows them. */
static char *put_field(char *into, int64_t value, size_t width, char then)
{
    for (size_t i = width; i > 0; value /= 10)
        into[--i] = (char)('0' + value % 10);
    into[width] = then;
    return into + width + 1;
}

const char *datetime_text(int64_t ms, char *into)
{
    int64_t days = ms / (S_PER_DAY * 1000), of_day = ms % (S_PER_DAY * 1000), year, month, day;
    if (of_day < 0) {
        days--;
        of_day += S_PER_DAY * 1000;
    }
    civil_from_days(days, &year, &month, &day);
    char *at = into;
    if (year < 0 || year > 9999)
        *at++ = year < 0 ? '-' : '+';
    at = put_field(at, ABS(year), at > into ? 9 : 4, '-');
    at = put_field(at, month, 2, '-');
    at = put_field(at, day, 2, 'T');
    at = put_field(at, of_day / 3600000, 2, ':');
    at = put_field(at, of_day / 60000 % 60, 2, ':');
    at = put_field(at, of_day / 1000 % 60, 2, '.');
    at = put_field(at, of_day % 1000, 3, 'Z');
    *at = '\0';
    return into;
}
