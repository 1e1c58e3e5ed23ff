#include "metrics/exposition.h"

#include <math.h>

void exposition_metric(struct exposition *exposition, const struct metric_row *row)
{
    exposition->row = row;
    exposition->headed = false;
}

/* Neither a line nor a quoted value may end early. */
static void put_escaped(GString *into, const char *text, bool quoted)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    for (const char *at = valid; *at; at++)
        if (*at == '\n')
            g_string_append(into, "\\n");
        else if (*at == '\\' || (quoted && *at == '"'))
            g_string_append_printf(into, "\\%c", *at);
        else
            g_string_append_c(into, *at);
}

static void put_head(struct exposition *exposition)
{
    static const char *const TYPES[] = {[METRIC_GAUGE] = "gauge", [METRIC_COUNTER] = "counter"};
    const struct metric_row *row = exposition->row;
    g_string_append_printf(exposition->into, "# HELP %s ", row->name);
    put_escaped(exposition->into, row->words, false);
    g_string_append_printf(exposition->into, "\n# TYPE %s %s\n", row->name, TYPES[row->type]);
    exposition->headed = true;
}

static void put_label(GString *into, char before, const char *name, const char *value)
{
    g_string_append_printf(into, "%c%s=\"", before, name);
    put_escaped(into, value, true);
    g_string_append_c(into, '"');
}

static void put_labels(const struct exposition *exposition, const struct metric_label *labels)
{
    GString *into = exposition->into;
    char before = '{';
    if (exposition->run) {
        put_label(into, before, "run", exposition->run);
        put_label(into, ',', "spec", exposition->spec);
        before = ',';
    }
    for (; labels && labels->name; labels++, before = ',')
        put_label(into, before, labels->name, labels->value);
    if (before == ',')
        g_string_append_c(into, '}');
}

/* Whole numbers as such; a decimal point in every locale. */
static void put_value(GString *into, double value)
{
    char text[G_ASCII_DTOSTR_BUF_SIZE];
    if (isinf(value))
        g_string_append(into, value > 0 ? "+Inf" : "-Inf");
    else
        g_string_append(into, g_ascii_formatd(text, sizeof text, fabs(value) < 1e15 ? "%.15g" : "%.17g", value));
}

void exposition_put(struct exposition *exposition, double value, const struct metric_label *labels)
{
    if (isnan(value))
        return;
    if (!exposition->headed)
        put_head(exposition);
    g_string_append(exposition->into, exposition->row->name);
    put_labels(exposition, labels);
    g_string_append_c(exposition->into, ' ');
    put_value(exposition->into, value);
    g_string_append_c(exposition->into, '\n');
}
