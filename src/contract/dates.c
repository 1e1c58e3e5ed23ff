/* Dates that are not written as RFC 3339: a format of our own reading, so that no locale has a say. */
#include <stdio.h>

#include "contract/field.h"

enum part { YEAR, MONTH, DAY, HOUR, MINUTE, SECOND, FRACTION, ZONE, PARTS };

struct taken {
    int number[PARTS];
    char fraction[8], zone[8];
};

struct directive {
    char letter;
    enum part part;
    size_t digits_min, digits_max;
    bool name;   /* of a month */
    bool padded; /* a blank may stand for the first digit */
};

/* %y is not here: two digits do not say the century. */
static const struct directive directives[] = {
    {'Y', YEAR, 4, 4, false, false},     {'m', MONTH, 2, 2, false, false},  {'b', MONTH, 0, 0, true, false},
    {'B', MONTH, 0, 0, true, false},     {'d', DAY, 2, 2, false, false},    {'e', DAY, 1, 2, false, true},
    {'H', HOUR, 2, 2, false, false},     {'M', MINUTE, 2, 2, false, false}, {'S', SECOND, 2, 2, false, false},
    {'f', FRACTION, 1, 6, false, false}, {'z', ZONE, 0, 0, false, false},
};

static const char *const months[] = {"January", "February", "March",     "April",   "May",      "June",
                                     "July",    "August",   "September", "October", "November", "December"};

static const struct directive *find_directive(char letter)
{
    for (size_t i = 0; i < G_N_ELEMENTS(directives); i++)
        if (directives[i].letter == letter)
            return &directives[i];
    return NULL;
}

static const char *fault_of_letter(char letter, unsigned *seen)
{
    if (letter == '%')
        return NULL;
    if (letter == 'y')
        return "%y has two digits, which do not say the century; make a date of it in the transform";
    const struct directive *directive = find_directive(letter);
    if (!directive)
        return "known are %Y %m %b %B %d %e %H %M %S %f %z and %%";
    if (*seen & 1u << directive->part)
        return "a part of the date stands in it twice";
    *seen |= 1u << directive->part;
    return NULL;
}

const char *dates_format_fault(const char *format, bool *ret_has_zone)
{
    unsigned seen = 0;
    for (const char *at = format; *at; at++) {
        if (*at != '%')
            continue;
        const char *fault = fault_of_letter(*++at, &seen);
        if (fault)
            return fault;
    }
    if (~seen & (1u << YEAR | 1u << MONTH | 1u << DAY))
        return "it lacks a year (%Y), a month (%m, %b, %B) or a day (%d, %e)";
    bool gap = (seen & 1u << MINUTE && ~seen & 1u << HOUR) || (seen & 1u << SECOND && ~seen & 1u << MINUTE) ||
               (seen & 1u << FRACTION && ~seen & 1u << SECOND);
    *ret_has_zone = seen & 1u << ZONE;
    return gap ? "minutes need hours (%H), seconds need minutes (%M), a fraction needs seconds (%S)" : NULL;
}

struct cursor {
    const uint8_t *at, *end;
};

static bool take_month(struct cursor *cursor, bool full, int *ret)
{
    size_t left = (size_t)(cursor->end - cursor->at);
    for (int i = 0; i < (int)G_N_ELEMENTS(months); i++) {
        size_t len = full ? strlen(months[i]) : 3;
        if (left >= len && g_ascii_strncasecmp((const char *)cursor->at, months[i], len) == 0) {
            cursor->at += len;
            *ret = i + 1;
            return true;
        }
    }
    return false;
}

static bool take_digits(struct cursor *cursor, const struct directive *directive, struct taken *taken)
{
    int value = 0;
    size_t n = 0;
    if (directive->padded && cursor->at < cursor->end && *cursor->at == ' ')
        cursor->at++;
    for (; n < directive->digits_max && cursor->at < cursor->end && g_ascii_isdigit(*cursor->at); n++, cursor->at++) {
        value = value * 10 + (*cursor->at - '0');
        if (directive->part == FRACTION)
            taken->fraction[n] = (char)*cursor->at;
    }
    taken->number[directive->part] = value;
    return n >= directive->digits_min;
}

/* Z, +02:00 or +0200. */
static bool take_zone(struct cursor *cursor, char into[8])
{
    size_t left = (size_t)(cursor->end - cursor->at);
    if (left && *cursor->at == 'Z') {
        g_strlcpy(into, "Z", 8);
        cursor->at++;
        return true;
    }
    if (left < 5 || (*cursor->at != '+' && *cursor->at != '-'))
        return false;
    size_t colon = cursor->at[3] == ':';
    if (left < 5 + colon)
        return false;
    const uint8_t digits[] = {cursor->at[1], cursor->at[2], cursor->at[3 + colon], cursor->at[4 + colon]};
    for (size_t i = 0; i < sizeof digits; i++)
        if (!g_ascii_isdigit(digits[i]))
            return false;
    g_snprintf(into, 8, "%c%c%c:%c%c", *cursor->at, digits[0], digits[1], digits[2], digits[3]);
    cursor->at += 5 + colon;
    return true;
}

static bool take(struct cursor *cursor, char letter, struct taken *taken)
{
    const struct directive *directive = find_directive(letter);
    if (!directive) /* %%: the format was checked */
        return cursor->at < cursor->end && *cursor->at++ == '%';
    if (directive->part == ZONE)
        return take_zone(cursor, taken->zone);
    if (directive->name)
        return take_month(cursor, letter == 'B', &taken->number[MONTH]);
    return take_digits(cursor, directive, taken);
}

bool dates_format_apply(const char *format, struct slice text, char into[DATE_TEXT])
{
    struct taken taken = {.fraction = "0"};
    struct cursor cursor = {.at = text.data, .end = text.len ? text.data + text.len : text.data};
    for (const char *at = format; *at; at++) {
        bool fits = *at == '%' ? take(&cursor, *++at, &taken) : cursor.at < cursor.end && *cursor.at++ == (uint8_t)*at;
        if (!fits)
            return false;
    }
    if (cursor.at != cursor.end)
        return false;
    const int *number = taken.number;
    g_snprintf(into, DATE_TEXT, "%04d-%02d-%02dT%02d:%02d:%02d.%s%s", number[YEAR], number[MONTH], number[DAY],
               number[HOUR], number[MINUTE], number[SECOND], taken.fraction, taken.zone);
    return true;
}
