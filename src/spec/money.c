#include "spec/money.h"

#include <glib.h>
#include <string.h>

#include "base/int.h"
#include "base/units.h"

#define DIGITS       6 /* of a millionth */
#define SOURCE_READS 2 /* for the write, and for the verification */
#define GIB          1073741824.0

bool money_given(const struct money_rates *rates)
{
    return rates->read > 0 || rates->write > 0 || rates->byte_read > 0 || rates->byte_written > 0;
}

struct money_rates money_rates_of(const struct money_prices *prices, const struct money_use *use)
{
    double read = (double)prices->reads / 1e6, write = (double)prices->writes / 1e6;
    struct money_rates rates = {.read = read * use->reads,
                                .write = write * use->writes + read * use->reads_to_write,
                                .back_read = read,
                                .back_write = write,
                                .byte_read = (double)prices->egress * SOURCE_READS / GIB,
                                .byte_written = (double)prices->written / GIB};
    memcpy(rates.currency, prices->currency, sizeof rates.currency);
    return rates;
}

bool money_parse_price(const char *text, uint64_t *ret)
{
    const char *point = strchr(text, '.');
    size_t whole = point ? (size_t)(point - text) : strlen(text), behind = point ? strlen(point + 1) : 0;
    uint64_t units, part = 0;
    char padded[DIGITS + 1] = "000000";
    if (behind > DIGITS || (point && behind == 0))
        return false;
    if (behind)
        memcpy(padded, point + 1, behind);
    if (!int_parse_u64(slice_of((const uint8_t *)text, whole), &units) ||
        !int_parse_u64(slice_of((const uint8_t *)padded, DIGITS), &part) || units > INT64_MAX / MONEY_UNIT / 2)
        return false;
    *ret = units * MONEY_UNIT + part;
    return true;
}

bool money_parse(const char *text, uint64_t *ret)
{
    uint64_t amount;
    if (!money_parse_price(text, &amount) || amount == 0)
        return false;
    *ret = amount;
    return true;
}

const char *money_text(uint64_t amount, char *into)
{
    g_snprintf(into, MONEY_TEXT, "%" G_GUINT64_FORMAT ".%06" G_GUINT64_FORMAT, amount / MONEY_UNIT,
               amount % MONEY_UNIT);
    size_t least = strlen(into) - DIGITS + 2;
    for (size_t len = strlen(into); len > least && into[len - 1] == '0'; len--)
        into[len - 1] = 0;
    return into;
}

bool money_within_parse(const char *text, const char *word, struct money_within *ret)
{
    struct money_within within;
    g_auto(GStrv) parts = g_strsplit(text, " ", -1);
    if (g_strv_length(parts) != 3 || strcmp(parts[1], word) != 0 || !units_parse_share(parts[0], &within.share, NULL) ||
        within.share <= 0 || within.share > 1 || !units_parse_duration_ms(parts[2], &within.ms, NULL) || within.ms <= 0)
        return false;
    *ret = within;
    return true;
}

char *money_within_text(const struct money_within *within, const char *word)
{
    return g_strdup_printf("%.6g%% %s %" G_GINT64_FORMAT "%s", within->share * 100, word,
                           within->ms % 1000 ? within->ms : within->ms / 1000, within->ms % 1000 ? "ms" : "s");
}
