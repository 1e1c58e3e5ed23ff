#include "spec/live.h"

#include <string.h>

#include "base/units.h"

static const char NONE[] = "none";

static const struct {
    const char *name;
    double us;
} UNITS[] = {{"us", 1}, {"ms", 1e3}, {"s", 1e6}};

#define MOST 1e9 /* that many seconds are as good as `none` */

/* `12.5`; g_ascii_strtod() would take signs, exponents and names of numbers, too. */
static bool number(const char **at, double *ret)
{
    char *end;
    if (strspn(*at, "0123456789.") == 0 || **at == '.')
        return false;
    *ret = g_ascii_strtod(*at, &end);
    bool plain = (size_t)(end - *at) == strspn(*at, "0123456789.") && *ret > 0 && *ret <= MOST;
    *at = end;
    return plain;
}

static bool time_us(const char *at, double *ret)
{
    double count;
    if (!number(&at, &count))
        return false;
    for (size_t i = 0; i < G_N_ELEMENTS(UNITS); i++)
        if (strcmp(at, UNITS[i].name) == 0) {
            *ret = count * UNITS[i].us;
            return true;
        }
    return false;
}

/* One of the two that are joined by `or`. */
static bool more(const char *text, struct spec_live *io)
{
    const char *at = text + 1;
    double share;
    if (*text != '+')
        return false;
    if (io->share <= 0 && number(&at, &share) && strcmp(at, "%") == 0) {
        io->share = share / 100;
        return true;
    }
    return io->absolute_us <= 0 && time_us(text + 1, &io->absolute_us);
}

bool spec_live_parse(const char *text, struct spec_live *ret)
{
    struct spec_live live = {0};
    if (strcmp(text, NONE) != 0 && !time_us(text, &live.limit_us)) {
        g_auto(GStrv) parts = g_strsplit(text, " or ", -1);
        for (size_t i = 0; parts[i]; i++)
            if (!more(parts[i], &live))
                return false;
        if (!spec_live_given(&live))
            return false;
    }
    *ret = live;
    return true;
}

static void add_time(GString *into, double us)
{
    size_t unit = us >= 1e6 ? 2 : us >= 1e2 ? 1 : 0;
    char text[UNITS_TEXT];
    g_string_append_printf(into, "%s%s", units_plain(us / UNITS[unit].us, text), UNITS[unit].name);
}

char *spec_live_text(const struct spec_live *live)
{
    char share[UNITS_TEXT];
    GString *text = g_string_new(NULL);
    if (live->share > 0)
        g_string_append_printf(text, "+%s%%", units_plain(live->share * 100, share));
    if (live->absolute_us > 0) {
        g_string_append(text, text->len ? " or +" : "+");
        add_time(text, live->absolute_us);
    }
    if (live->limit_us > 0)
        add_time(text, live->limit_us);
    return g_string_free(text->len ? text : g_string_assign(text, NONE), FALSE);
}
