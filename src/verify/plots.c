#include "verify/plots.h"

#include <math.h>

#include "verify/page.h"

#define BARS    16
#define CLASSES 8u
#define WIDTH   280
#define HEIGHT  48

#define LEAST_CHANCE 1e-99 /* what is less is shown as that: it may be too small for a number */

/* Whose values are drawn, in this order; the page's style has the classes. */
enum { SIDE_BASELINE, SIDE_BEFORE, SIDE_AFTER, SIDES };
static const char *const SIDE_CLASSES[SIDES] = {"baseline", "before", "after"};

/* A field, as far as anything is known of it. */
struct drawn {
    const char *name;
    const struct profile_shift *shift, *against; /* NULL: of the baseline alone; there is no baseline */
    enum profile_how how;
    struct profile_field *of[SIDES]; /* NULL: that one has none */
};

/* Shares beside each other, of one place. */
struct bar {
    double of[SIDES];
};

static unsigned sides_of(const struct drawn *drawn)
{
    unsigned n = 0;
    for (int side = 0; side < SIDES; side++)
        n += drawn->of[side] != NULL;
    return n;
}

static void put_bars(GString *page, const struct drawn *drawn, const struct bar *bars, size_t n)
{
    double most = 0, width = (double)WIDTH / (double)MAX(n, 1u), own = 0.9 * width / sides_of(drawn);
    for (size_t i = 0; i < n; i++)
        for (int side = 0; side < SIDES; side++)
            most = fmax(most, bars[i].of[side]);
    g_string_append_printf(page, "<svg viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" role=\"img\">", WIDTH, HEIGHT,
                           WIDTH, HEIGHT);
    for (size_t i = 0; most > 0 && i < n; i++) {
        unsigned place = 0;
        for (int side = 0; side < SIDES; side++) {
            double high = bars[i].of[side] / most * (HEIGHT - 1);
            if (!drawn->of[side])
                continue;
            g_string_append_printf(page, "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>",
                                   SIDE_CLASSES[side], (double)i * width + place++ * own, HEIGHT - high, own * 0.93,
                                   high);
        }
    }
    g_string_append(page, "</svg>");
}

static struct quantiles *numbers_of(const struct drawn *drawn, int side)
{
    struct profile_field *field = drawn->of[side];
    if (!field)
        return NULL;
    struct quantiles *of = drawn->how == PROFILE_NUMBERS ? &field->values : &field->lengths;
    return of->count > 0 ? of : NULL;
}

/* Equal stretches from the first to the 99th hundredth of all: one value far away does not flatten the rest. */
static void put_numbers(GString *page, const struct drawn *drawn)
{
    double low = INFINITY, high = -INFINITY;
    struct bar bars[BARS] = {0};
    for (int side = 0; side < SIDES; side++) {
        struct quantiles *of = numbers_of(drawn, side);
        low = of ? fmin(low, quantiles_at(of, 0.01)) : low;
        high = of ? fmax(high, quantiles_at(of, 0.99)) : high;
    }
    for (int side = 0; side < SIDES; side++) {
        struct quantiles *of = numbers_of(drawn, side);
        double last = 0;
        for (int i = 0; of && i < BARS; i++) {
            double share = i + 1 == BARS ? 1 : quantiles_share(of, low + (high - low) * (i + 1) / BARS);
            bars[i].of[side] = share - last;
            last = share;
        }
    }
    put_bars(page, drawn, bars, BARS);
    if (low <= high)
        g_string_append_printf(page, "<small>%g … %g</small>", low, high);
}

static double share_of(const struct top *top, uint64_t hash)
{
    return top->count ? (double)top_count(top, hash) / (double)top->count : 0;
}

/* The one that has most of them names the values. */
static const struct top *named_by(const struct drawn *drawn)
{
    const struct top *named = NULL;
    for (int side = 0; side < SIDES; side++) {
        if (!drawn->of[side])
            continue;
        top_sort(&drawn->of[side]->top);
        if (!named || drawn->of[side]->top.n > named->n)
            named = &drawn->of[side]->top;
    }
    return named;
}

static void put_classes(GString *page, const struct drawn *drawn)
{
    const struct top *named = named_by(drawn);
    struct bar bars[CLASSES] = {0};
    size_t n = MIN(named->n, (size_t)CLASSES);
    for (size_t i = 0; i < n; i++)
        for (int side = 0; side < SIDES; side++)
            bars[i].of[side] = drawn->of[side] ? share_of(&drawn->of[side]->top, named->of[i].hash) : 0;
    put_bars(page, drawn, bars, n);
    g_string_append(page, "<small>");
    for (size_t i = 0; i < n; i++) {
        const char *between = " ";
        g_string_append(page, i ? " · " : "");
        page_escape(page, named->of[i].text);
        for (int side = 0; side < SIDES; side++) {
            if (!drawn->of[side])
                continue;
            g_string_append_printf(page, "%s%.1f", between, 100 * bars[i].of[side]);
            between = "&nbsp;→&nbsp;";
        }
        g_string_append(page, "&nbsp;%");
    }
    g_string_append(page, "</small>");
}

static void put_plot(GString *page, const struct drawn *drawn)
{
    static const char *const ONLY[SIDES] = {"only in the baseline", "only before", "only after"};
    unsigned n = sides_of(drawn);
    for (int side = 0; n == 1 && side < SIDES; side++)
        if (drawn->of[side])
            g_string_append(page, ONLY[side]);
    if (n > 1 && drawn->how == PROFILE_CLASSES)
        put_classes(page, drawn);
    else if (n > 1)
        put_numbers(page, drawn);
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
    if (field->test.chance < LEAST_CHANCE)
        g_string_append_printf(page, "<br>chance below %g<br>PSI %.3f", LEAST_CHANCE, field->psi);
    else
        g_string_append_printf(page, "<br>chance %.2g<br>PSI %.3f", field->test.chance, field->psi);
}

static void put_flag(GString *page, bool flagged, const char *word)
{
    if (flagged)
        g_string_append_printf(page, "<span class=\"fail\">%s</span><br>", word);
}

/* Of the baseline, and what came of it. */
static void put_against(GString *page, const struct drawn *drawn)
{
    const struct profile_shift *against = drawn->against;
    g_string_append(page, "<td class=\"t\">");
    if (against) {
        put_flag(page, against->flagged, shift_moved_before(against) ? "moved, as then" : "moved");
        put_tests(page, against);
    }
    g_string_append(page, "</td>");
}

/* One figure of each side that there is, from the baseline on. */
static void put_sides(GString *page, const double *figures, const bool *known, int digits, const char *unit)
{
    const char *between = "";
    g_string_append(page, "<td class=\"n\">");
    for (int side = 0; side < SIDES; side++) {
        if (!known[side])
            continue;
        g_string_append(page, between);
        if (isnan(figures[side]))
            g_string_append(page, "–");
        else
            g_string_append_printf(page, "%.*f", digits, figures[side]);
        between = " → ";
    }
    g_string_append_printf(page, "%s</td>", unit);
}

static void put_missing(GString *page, const struct drawn *drawn)
{
    const struct profile_shift *shift = drawn->shift, *against = drawn->against;
    const bool known[SIDES] = {against != NULL, shift != NULL, true};
    const double figures[SIDES] = {against ? 100 * against->missing_before : 0, shift ? 100 * shift->missing_before : 0,
                                   100 * (shift ? shift->missing_after : against->missing_after)};
    put_sides(page, figures, known, 1, " %");
}

static void put_distinct(GString *page, const struct drawn *drawn)
{
    const bool known[SIDES] = {drawn->against != NULL, drawn->shift != NULL, true};
    double figures[SIDES];
    for (int side = 0; side < SIDES; side++)
        figures[side] = drawn->of[side] ? round(distinct_estimate(&drawn->of[side]->distinct)) : NAN;
    put_sides(page, figures, known, 0, "");
}

static void put_field(GString *page, const struct drawn *drawn, bool baseline)
{
    g_string_append(page, "<tr><td><code>");
    page_escape(page, drawn->name);
    g_string_append(page, "</code></td>");
    put_missing(page, drawn);
    put_distinct(page, drawn);
    g_string_append(page, "<td class=\"t\">");
    if (drawn->shift) {
        put_flag(page, drawn->shift->flagged, "shifted");
        put_tests(page, drawn->shift);
    }
    g_string_append(page, "</td>");
    if (baseline)
        put_against(page, drawn);
    g_string_append(page, "<td>");
    put_plot(page, drawn);
    g_string_append(page, "</td></tr>\n");
}

static const struct profile_shift *find(const GArray *fields, const char *name)
{
    for (guint i = 0; fields && i < fields->len; i++) {
        const struct profile_shift *field = &g_array_index(fields, struct profile_shift, i);
        if (strcmp(field->name, name) == 0)
            return field;
    }
    return NULL;
}

static struct drawn drawn_of(const char *name, const GArray *fields, const GArray *against)
{
    struct drawn drawn = {.name = name, .shift = find(fields, name), .against = find(against, name)};
    const struct profile_shift *one = drawn.shift && drawn.shift->before ? drawn.shift : drawn.against;
    drawn.of[SIDE_BASELINE] = drawn.against ? drawn.against->before : NULL;
    drawn.of[SIDE_BEFORE] = drawn.shift ? drawn.shift->before : NULL;
    drawn.of[SIDE_AFTER] = drawn.shift ? drawn.shift->after : NULL;
    drawn.how = one ? one->how : PROFILE_CLASSES;
    return drawn;
}

static void put_key(GString *page, int side, const char *words)
{
    g_string_append_printf(page,
                           "<svg viewBox=\"0 0 10 10\" width=\"10\" height=\"10\"><rect class=\"%s\" width=\"10\" "
                           "height=\"10\"/></svg> ",
                           SIDE_CLASSES[side]);
    page_escape(page, words);
}

static void put_words(GString *page, uint64_t records, const struct past *baseline)
{
    g_string_append_printf(page, "<h2>How the values lie</h2>\n<p>%" G_GUINT64_FORMAT " records: ", records);
    if (baseline && !baseline->why) {
        g_autofree char *of = past_words(baseline);
        g_autofree char *words = g_strdup_printf("the baseline, %s, with %" G_GUINT64_FORMAT " records; ", of,
                                                 profile_records(baseline->profile));
        put_key(page, SIDE_BASELINE, words);
    }
    put_key(page, SIDE_BEFORE, "before, in the source; ");
    put_key(page, SIDE_AFTER, "after, what the target holds of the same keys. ");
    if (baseline && baseline->why) {
        g_string_append(page, "There is no baseline: ");
        page_escape(page, baseline->why);
        g_string_append(page, ". ");
    }
    g_string_append_printf(page,
                           "Evidence, which fails nothing: a shift is named where its chance is below %g and it is "
                           "larger than %g (KS) or %g (PSI), or where 5 %% more or fewer records lack the field.</p>\n",
                           DRIFT_CHANCE, DRIFT_KS_LEAST, DRIFT_PSI_SHIFT);
}

void plots_put(GString *page, struct shift *shift, const struct past *baseline)
{
    const GArray *fields = shift_compare(shift), *against = shift_against(shift);
    if (!fields)
        return;
    put_words(page, shift_records(shift), baseline);
    g_string_append_printf(page,
                           "<div class=\"wide\"><table>\n<tr><th>field</th><th>without it</th>"
                           "<th>different</th><th>before, after</th>%s<th>values</th></tr>\n",
                           against ? "<th>against the baseline</th>" : "");
    for (guint i = 0; i < fields->len; i++) {
        struct drawn drawn = drawn_of(g_array_index(fields, struct profile_shift, i).name, fields, against);
        put_field(page, &drawn, against != NULL);
    }
    for (guint i = 0; against && i < against->len; i++) {
        struct drawn drawn = drawn_of(g_array_index(against, struct profile_shift, i).name, fields, against);
        if (!drawn.shift)
            put_field(page, &drawn, true);
    }
    g_string_append(page, "</table></div>\n");
}
