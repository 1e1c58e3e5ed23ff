#include "gen/lines.h"

static bool has_room(struct lines_pens *pens, GError **error)
{
    return pen_room(&pens->records, error) && pen_room(&pens->faults, error) && pen_room(&pens->index, error);
}

static bool flush(struct lines_pens *pens, GError **error)
{
    return pen_flush(&pens->records, error) && pen_flush(&pens->faults, error) && pen_flush(&pens->index, error);
}

bool lines_write(const struct gen_wish *wish, const struct gen_sinks *sinks, lines_put *put, const void *stream,
                 GError **error)
{
    struct lines_pens pens;
    if (wish->records > GEN_RECORDS_MAX)
        return error_set(error, SLUICE_ERROR_USAGE, "at most %" G_GUINT64_FORMAT " records can be made",
                         GEN_RECORDS_MAX);
    pen_init(&pens.records, &sinks->records);
    pen_init(&pens.faults, &sinks->faults);
    pen_init(&pens.index, &sinks->index);
    bool ok = true;
    for (uint64_t line = 0; ok && line < wish->records; line++) {
        ok = has_room(&pens, error);
        if (ok)
            put(stream, line, &pens);
    }
    ok = ok && flush(&pens, error);
    pen_done(&pens.records);
    pen_done(&pens.faults);
    pen_done(&pens.index);
    return ok;
}

size_t lines_fault_drawn(const struct gen_fault_row *rows, size_t n, struct dice *dice)
{
    uint64_t rolled = dice_roll(dice, 1000000);
    for (size_t i = 0; i < n; i++) {
        if (rolled < rows[i].per_million)
            return i;
        rolled -= rows[i].per_million;
    }
    return n;
}

static void put_value(struct pen *pen, const char *before, lines_value *value, const void *of)
{
    pen_text(pen, before);
    pen_text(pen, value ? "\"" : "null");
    if (!value)
        return;
    value(pen, of);
    pen_text(pen, "\"");
}

void lines_put_fault(struct pen *pen, const struct lines_fault *fault)
{
    if (!pen->bytes)
        return;
    pen_text(pen, "{\"line\": ");
    pen_number(pen, fault->line + 1);
    put_value(pen, ", \"key\": ", fault->key, fault->of);
    pen_text(pen, ", \"fault\": \"");
    pen_text(pen, fault->row->word);
    pen_text(pen, "\", \"ends\": \"");
    pen_text(pen, fault->row->ends);
    pen_text(pen, "\", \"field\": ");
    pen_text(pen, fault->shown.field ? "\"" : "null");
    pen_text(pen, fault->shown.field ? fault->shown.field : "");
    pen_text(pen, fault->shown.field ? "\"" : "");
    put_value(pen, ", \"right\": ", fault->shown.right, fault->of);
    put_value(pen, ", \"found\": ", fault->shown.found, fault->of);
    if (fault->repeats) {
        pen_text(pen, ", \"of\": ");
        pen_number(pen, *fault->repeats + 1);
    }
    pen_text(pen, "}\n");
}
