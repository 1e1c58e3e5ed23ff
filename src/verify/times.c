#include "verify/times.h"

#include "base/units.h"
#include "record/version.h"
#include "verify/aggregate.h"
#include "verify/page.h"
#include "verify/whole.h"

#define BATCH_BYTES (256u << 20)
#define NAMED       3u
#define TOLD        100u /* in JSON, and on the page */

static void found_clear(void *data)
{
    struct times_found *found = data;
    buckets_free(found->buckets);
    g_clear_pointer(&found->flags, g_array_unref);
}

static struct times_found *found_at(const GArray *found, guint i)
{
    return &g_array_index(found, struct times_found, i);
}

/* --- taking --------------------------------------------------------------------------------------------------------
 */

static void add(struct times_found *found, const struct whole_record *whole)
{
    struct version at = {0};
    bson_decimal128_t value;
    if (whole->unread || !version_of(found->of->field, whole->document, &at, NULL) || at.kind != VERSION_TIME) {
        found->undated++;
        return;
    }
    bool summed = found->of->sum && aggregate_number_at(found->of->sum, whole->document, &value);
    found->records++;
    found->summed += summed;
    buckets_add(found->buckets, at.value, summed ? &value : NULL);
}

static bool take_record(void *self, const struct whole_record *whole, GError **error)
{
    const GArray *all = self;
    for (guint i = 0; i < all->len; i++)
        add(found_at(all, i), whole);
    return true;
}

static bool walk(const struct verify_input *input, struct arena *mem, GArray *into, GError **error)
{
    auto_(session) session = NULL;
    struct whole_walk walk = {.input = input, .mem = mem, .record = take_record, .self = into};
    if (!store_session_open(&session, input->target, error))
        return false;
    walk.session = session;
    return whole_walk(&walk, error);
}

bool times_take(const struct verify_input *input, GArray **ret, GError **error)
{
    auto_(arena) mem = arena_new(BATCH_BYTES);
    g_autoptr(GArray) all = g_array_new(FALSE, TRUE, sizeof(struct times_found));
    g_array_set_clear_func(all, found_clear);
    for (size_t i = 0; i < input->judge->n_buckets; i++) {
        const struct spec_buckets *of = &input->judge->buckets[i];
        struct times_found found = {.of = of, .buckets = buckets_new(MIN(of->width_ms, INT64_MAX / 1000) * 1000)};
        g_array_append_val(all, found);
    }
    if (!walk(input, mem, all, error))
        return error_add(error, "buckets");
    for (guint i = 0; i < all->len; i++)
        if (!times_fault(found_at(all, i)))
            found_at(all, i)->flags = buckets_judge(found_at(all, i)->buckets);
    *ret = g_steal_pointer(&all);
    return true;
}

/* --- told ----------------------------------------------------------------------------------------------------------
 */

const char *times_fault(const struct times_found *found)
{
    return found->records == 0 && found->undated ? "no record has a point in time there"
                                                 : buckets_fault(found->buckets);
}

char *times_flag_words(const struct bucket_flag *flag)
{
    char from[UNITS_TEXT], to[UNITS_TEXT];
    return g_strdup_printf("a %s of %s from %s to %s: %.6g, where about %.6g was expected",
                           flag->spike ? "spike" : "trough", flag->of == BUCKET_SUM ? "sums" : "counts",
                           units_time(flag->from_us / 1000, from), units_time(flag->to_us / 1000, to), flag->found,
                           flag->expected);
}

/* NULL: there is something to add up. Else the field is misspelled, or its numbers are texts. */
static char *unsummed_words(const struct times_found *found)
{
    bool none = found->of->sum && found->records && !found->summed;
    return none ? g_strdup_printf("no record has a number in %s to be added up", path_text(found->of->sum)) : NULL;
}

static void add_words(const struct times_found *found, GString *into)
{
    guint n = found->flags ? found->flags->len : 0;
    if (times_fault(found))
        g_string_append_printf(into, "; time buckets %s cannot be judged: %s", found->of->name, times_fault(found));
    g_autofree char *unsummed = unsummed_words(found);
    if (unsummed)
        g_string_append_printf(into, "; time buckets %s: %s", found->of->name, unsummed);
    for (guint i = 0; i < MIN(n, NAMED); i++) {
        g_autofree char *words = times_flag_words(&g_array_index(found->flags, struct bucket_flag, i));
        if (i == 0)
            g_string_append_printf(into, "; time buckets %s: ", found->of->name);
        g_string_append_printf(into, "%s%s", i ? ", " : "", words);
    }
    if (n > NAMED)
        g_string_append_printf(into, " and %u more", n - NAMED);
}

void times_words(const GArray *found, GString *into)
{
    for (guint i = 0; found && i < found->len; i++)
        add_words(found_at(found, i), into);
}

static json_t *flag_json(const struct times_found *found, const struct bucket_flag *flag)
{
    char from[UNITS_TEXT], to[UNITS_TEXT];
    units_time(flag->from_us / 1000, from);
    units_time(flag->to_us / 1000, to);
    return json_pack("{s:s, s:s, s:f, s:f, s:{s:s, s:s, s:s}}", "of", flag->of == BUCKET_SUM ? "sum" : "count", "kind",
                     flag->spike ? "spike" : "trough", "found", flag->found, "expected", flag->expected, "range",
                     "field", path_text(found->of->field), "from", from, "to", to);
}

json_t *times_json(const GArray *found)
{
    json_t *list = json_array();
    for (guint i = 0; i < found->len; i++) {
        const struct times_found *one = found_at(found, i);
        json_t *flags = json_array();
        guint n = one->flags ? one->flags->len : 0;
        for (guint k = 0; k < MIN(n, TOLD); k++)
            json_array_append_new(flags, flag_json(one, &g_array_index(one->flags, struct bucket_flag, k)));
        json_array_append_new(list,
                              json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:s?, s:o}", "name", one->of->name, "buckets",
                                        (json_int_t)buckets_count(one->buckets), "records", (json_int_t)one->records,
                                        "undated", (json_int_t)one->undated, "summed", (json_int_t)one->summed,
                                        "flagged", (json_int_t)n, "fault", times_fault(one), "flags", flags));
    }
    return list;
}

static void put_flags(GString *page, const struct times_found *found)
{
    guint n = found->flags ? found->flags->len : 0;
    g_string_append(page, "<tr><td>");
    page_escape(page, found->of->name);
    g_string_append_printf(page, "</td><td class=\"n\">%" G_GSIZE_FORMAT "</td><td>", buckets_count(found->buckets));
    g_autofree char *unsummed = unsummed_words(found);
    page_escape(page, times_fault(found) ? times_fault(found) : n ? "" : "nothing is out of line");
    if (unsummed) {
        g_string_append(page, n ? "" : "; ");
        page_escape(page, unsummed);
        g_string_append(page, n ? "<br>" : "");
    }
    for (guint k = 0; k < MIN(n, TOLD); k++) {
        g_autofree char *words = times_flag_words(&g_array_index(found->flags, struct bucket_flag, k));
        g_string_append(page, k ? "<br>" : "");
        page_escape(page, words);
    }
    if (n > TOLD)
        g_string_append_printf(page, "<br>and %u more", n - TOLD);
    g_string_append(page, "</td></tr>\n");
}

void times_put(GString *page, const GArray *found)
{
    if (!found)
        return;
    g_string_append(page, "<h2>Records by their time</h2>\n<p>Evidence, which fails nothing.</p>\n<table>\n<tr>"
                          "<th>time buckets</th><th>of them</th><th>out of line</th></tr>\n");
    for (guint i = 0; i < found->len; i++)
        put_flags(page, found_at(found, i));
    g_string_append(page, "</table>\n");
}
