#include "verify/plots.h"

#include <math.h>

#include "verify/page.h"

#define BARS    16
#define CLASSES 8u
#define WIDTH   320
#define HEIGHT  48

/* Two shares beside each other, of one place. */
struct bar {
    double before, after;
};

static void put_bars(GString *page, const struct bar *bars, size_t n)
{
    double most = 0, width = (double)WIDTH / (double)MAX(n, 1u);
    for (size_t i = 0; i < n; i++)
        most = fmax(most, fmax(bars[i].before, bars[i].after));
    g_string_append_printf(page, "<svg viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" role=\"img\">", WIDTH, HEIGHT,
                           WIDTH, HEIGHT);
    for (size_t i = 0; most > 0 && i < n; i++) {
        const double shares[] = {bars[i].before, bars[i].after};
        for (int side = 0; side < 2; side++) {
            double high = shares[side] / most * (HEIGHT - 1);
            g_string_append_printf(page, "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>",
                                   side ? "after" : "before", ((double)i + side * 0.45) * width, HEIGHT - high,
                                   width * 0.42, high);
        }
    }
    g_string_append(page, "</svg>");
}

/* Equal stretches from the first to the 99th hundredth of both: one value far away does not flatten the rest. */
static void put_numbers(GString *page, struct quantiles *before, struct quantiles *after)
{
    double low = fmin(quantiles_at(before, 0.01), quantiles_at(after, 0.01));
    double high = fmax(quantiles_at(before, 0.99), quantiles_at(after, 0.99));
    struct bar bars[BARS], last = {0};
    for (int i = 0; i < BARS; i++) {
        double at = low + (high - low) * (i + 1) / BARS;
        struct bar until = {i + 1 == BARS ? 1 : quantiles_share(before, at),
                            i + 1 == BARS ? 1 : quantiles_share(after, at)};
        bars[i] = (struct bar){until.before - last.before, until.after - last.after};
        last = until;
    }
    put_bars(page, bars, BARS);
    g_string_append_printf(page, "<br><small>%g … %g</small>", low, high);
}

static double share_of(const struct top *top, uint64_t hash)
{
    return top->count ? (double)top_count(top, hash) / (double)top->count : 0;
}

static void put_classes(GString *page, struct top *before, struct top *after)
{
    const struct top *named = before;
    struct bar bars[CLASSES];
    top_sort(before);
    top_sort(after);
    if (after->n > before->n)
        named = after;
    size_t n = MIN(named->n, (size_t)CLASSES);
    for (size_t i = 0; i < n; i++)
        bars[i] = (struct bar){share_of(before, named->of[i].hash), share_of(after, named->of[i].hash)};
    put_bars(page, bars, n);
    g_string_append(page, "<br><small>");
    for (size_t i = 0; i < n; i++) {
        g_string_append(page, i ? " · " : "");
        page_escape(page, named->of[i].text);
        g_string_append_printf(page, " %.1f&nbsp;→&nbsp;%.1f&nbsp;%%", 100 * bars[i].before, 100 * bars[i].after);
    }
    g_string_append(page, "</small>");
}

static void put_plot(GString *page, const struct profile_shift *field)
{
    if (!field->before || !field->after)
        g_string_append(page, field->before ? "only before" : "only after");
    else if (field->how == PROFILE_CLASSES)
        put_classes(page, &field->before->top, &field->after->top);
    else if (field->how == PROFILE_NUMBERS)
        put_numbers(page, &field->before->values, &field->after->values);
    else
        put_numbers(page, &field->before->lengths, &field->after->lengths);
}

static void put_tests(GString *page, const struct profile_shift *field)
{
    if (!field->before || !field->after)
        return;
    if (field->how == PROFILE_CLASSES)
        g_string_append_printf(page, "χ² %.4g", field->test.statistic);
    else
        g_string_append_printf(page, "%s %.3f", field->how == PROFILE_NUMBERS ? "KS" : "KS of lengths",
                               field->test.statistic);
    g_string_append_printf(page, ", chance %.2g<br>PSI %.3f", field->test.chance, field->psi);
}

static void put_distinct(GString *page, const struct profile_field *field)
{
    if (field)
        g_string_append_printf(page, "%.0f", round(distinct_estimate(&field->distinct)));
    else
        g_string_append(page, "–");
}

static void put_field(GString *page, const struct profile_shift *field)
{
    g_string_append(page, "<tr><td><code>");
    page_escape(page, field->name);
    g_string_append_printf(page, "</code></td><td class=\"%s\">%s</td><td class=\"n\">", field->flagged ? "fail" : "",
                           field->flagged ? "shifted" : "");
    g_string_append_printf(page, "%.1f → %.1f %%</td><td class=\"n\">", 100 * field->missing_before,
                           100 * field->missing_after);
    put_distinct(page, field->before);
    g_string_append(page, " → ");
    put_distinct(page, field->after);
    g_string_append(page, "</td><td>");
    put_tests(page, field);
    g_string_append(page, "</td><td>");
    put_plot(page, field);
    g_string_append(page, "</td></tr>\n");
}

void plots_put(GString *page, const GArray *fields, uint64_t records)
{
    if (!fields)
        return;
    g_string_append_printf(page,
                           "<h2>How the values lie, before and after</h2>\n<p>%" G_GUINT64_FORMAT
                           " records of each side: the source's (grey), and what the target holds of the same keys. "
                           "Evidence, which fails nothing: a shift is named where its chance is below %g and it is "
                           "larger than %g (KS) or %g (PSI), or where 5 %% more or fewer records lack the field.</p>\n"
                           "<table>\n<tr><th>field</th><th></th><th>without it</th><th>different</th><th>tests</th>"
                           "<th>values</th></tr>\n",
                           records, DRIFT_CHANCE, DRIFT_KS_LEAST, DRIFT_PSI_SHIFT);
    for (guint i = 0; i < fields->len; i++)
        put_field(page, &g_array_index(fields, struct profile_shift, i));
    g_string_append(page, "</table>\n");
}
