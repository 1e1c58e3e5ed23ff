#include "verify/strata.h"

#include "record/version.h"
#include "verify/page.h"

#define HOUR_MS INT64_C(3600000)
#define DAY_MS  (24 * HOUR_MS)

/* What a stratum is called, and what it reaches up to. */
static const struct {
    const char *word;
    int64_t most;
} CLASSES[STRATA_KINDS][STRATA_MOST] = {
    [STRATA_SIZE] = {{"up to 64 B", 64},
                     {"64 B to 512 B", 512},
                     {"512 B to 4 KiB", 4 << 10},
                     {"4 KiB to 32 KiB", 32 << 10},
                     {"32 KiB to 256 KiB", 256 << 10},
                     {"above 256 KiB", INT64_MAX}},
    [STRATA_AGE] = {{"up to 1h", HOUR_MS},
                    {"1h to 1d", DAY_MS},
                    {"1d to 7d", 7 * DAY_MS},
                    {"7d to 30d", 30 * DAY_MS},
                    {"30d to 365d", 365 * DAY_MS},
                    {"above 365d", INT64_MAX},
                    {"without a time", 0}},
};
static const char *const KINDS[STRATA_KINDS] = {"size", "age"};

#define UNDATED (STRATA_MOST - 1)

/* --- met ---------------------------------------------------------------------------------------------------------- */

static size_t class_of(enum strata_kind kind, int64_t amount)
{
    size_t i = 0;
    while (amount > CLASSES[kind][i].most)
        i++;
    return i;
}

static void meet(struct stratum *stratum, const struct strata_record *record)
{
    stratum->looked++;
    stratum->bad += record->bad;
    *(record->bad ? &stratum->weighed_bad : &stratum->weighed_right) += record->weight;
}

/* Against the moment of the plan: the same at the gate and later. */
void strata_add(struct strata *strata, const struct verify_input *input, const struct strata_record *record)
{
    size_t size = class_of(STRATA_SIZE, (int64_t)MIN(record->bytes, (uint64_t)INT64_MAX)), age = UNDATED;
    if (record->at)
        age = class_of(STRATA_AGE, input->planned_at_ms - record->at->value / 1000);
    meet(&strata->of[STRATA_SIZE][size], record);
    meet(&strata->of[STRATA_AGE][age], record);
}

void strata_merge(struct strata *into, const struct strata *from)
{
    into->several |= from->several;
    for (int kind = 0; kind < STRATA_KINDS; kind++)
        for (int i = 0; i < STRATA_MOST; i++) {
            struct stratum *stratum = &into->of[kind][i];
            const struct stratum *one = &from->of[kind][i];
            stratum->looked += one->looked;
            stratum->bad += one->bad;
            stratum->weighed_bad += one->weighed_bad;
            stratum->weighed_right += one->weighed_right;
        }
}

/* --- told ----------------------------------------------------------------------------------------------------------
 */

/* Fewer than this share of the stratum is bad; 1: nothing is proven of it. */
static double below(const struct strata_told *told, const struct stratum *stratum)
{
    if (told->stopped || told->strata->several)
        return 1;
    return sampling_share(stratum->weighed_bad, stratum->weighed_right, told->input->sure.confidence);
}

/* Why there are no ages; NULL: there are. */
static const char *ageless(const struct strata_told *told, enum strata_kind kind)
{
    const struct stratum *ages = told->strata->of[STRATA_AGE];
    uint64_t dated = 0;
    for (int i = 0; i < UNDATED; i++)
        dated += ages[i].looked;
    if (kind != STRATA_AGE || dated)
        return NULL;
    return told->input->version ? "no record that was looked at has a time as its version"
                                : "the spec has no source.version that would say it";
}

/* Of the kind's strata those that were met, the bad ones of all, and the one of which the least is proven. */
struct seen {
    size_t n, least;
    uint64_t bad;
    double below;
};

static struct seen seen_of(const struct strata_told *told, enum strata_kind kind)
{
    struct seen seen = {0};
    for (size_t i = 0; i < STRATA_MOST; i++) {
        const struct stratum *stratum = &told->strata->of[kind][i];
        if (!stratum->looked)
            continue;
        double share = below(told, stratum);
        seen.n++;
        seen.bad += stratum->bad;
        if (share > seen.below) {
            seen.below = share;
            seen.least = i;
        }
    }
    return seen;
}

static void add_bad(const struct strata_told *told, enum strata_kind kind, GString *into)
{
    const char *before = "";
    g_string_append_printf(into, "; bad by %s: ", KINDS[kind]);
    for (size_t i = 0; i < STRATA_MOST; i++) {
        const struct stratum *stratum = &told->strata->of[kind][i];
        if (!stratum->bad)
            continue;
        g_string_append_printf(into, "%s%" G_GUINT64_FORMAT " of the %" G_GUINT64_FORMAT " of %s", before, stratum->bad,
                               stratum->looked, CLASSES[kind][i].word);
        before = ", ";
    }
}

static void add_least(const struct strata_told *told, enum strata_kind kind, const struct seen *seen, GString *into)
{
    g_string_append_printf(into, "; by %s least is proven of those of %s, %" G_GUINT64_FORMAT " looked at: fewer than ",
                           KINDS[kind], CLASSES[kind][seen->least].word, told->strata->of[kind][seen->least].looked);
    sampling_share_words(seen->below, into);
}

/* Where all are of one stratum, what is said of all says it. */
void strata_words(const struct strata_told *told, GString *into)
{
    for (int i = 0; i < STRATA_KINDS; i++) {
        enum strata_kind kind = (enum strata_kind)i;
        struct seen seen = seen_of(told, kind);
        if (seen.n < 2 || ageless(told, kind))
            continue;
        if (seen.bad)
            add_bad(told, kind, into);
        else if (seen.below < 1)
            add_least(told, kind, &seen, into);
    }
}

static json_t *kind_json(const struct strata_told *told, enum strata_kind kind)
{
    json_t *list = json_array();
    for (size_t i = 0; i < STRATA_MOST; i++) {
        const struct stratum *stratum = &told->strata->of[kind][i];
        double share = below(told, stratum);
        if (stratum->looked)
            json_array_append_new(list, json_pack("{s:s, s:I, s:I, s:o}", "stratum", CLASSES[kind][i].word, "keys",
                                                  (json_int_t)stratum->looked, "bad", (json_int_t)stratum->bad, "below",
                                                  share < 1 ? json_real(share) : json_null()));
    }
    return list;
}

void strata_put_json(const struct strata_told *told, json_t *sample)
{
    const char *why = ageless(told, STRATA_AGE);
    json_object_set_new(sample, "by_size", kind_json(told, STRATA_SIZE));
    json_object_set_new(sample, "by_age", why ? json_null() : kind_json(told, STRATA_AGE));
    if (why)
        json_object_set_new(sample, "age_why", json_string(why));
}

static void put_kind(const struct strata_told *told, enum strata_kind kind, GString *page)
{
    for (size_t i = 0; i < STRATA_MOST; i++) {
        const struct stratum *stratum = &told->strata->of[kind][i];
        if (!stratum->looked)
            continue;
        g_string_append_printf(page,
                               "<tr><td>%s</td><td>%s</td><td class=\"n\">%" G_GUINT64_FORMAT
                               "</td><td class=\"n\">%" G_GUINT64_FORMAT "</td><td class=\"n\">",
                               KINDS[kind], CLASSES[kind][i].word, stratum->looked, stratum->bad);
        double share = below(told, stratum);
        if (share < 1)
            sampling_share_words(share, page);
        else
            g_string_append(page, "–");
        g_string_append(page, "</td></tr>\n");
    }
}

void strata_put(const struct strata_told *told, GString *page)
{
    const char *why = ageless(told, STRATA_AGE);
    g_string_append_printf(page,
                           "<h2>What the sample says of small and large, of young and old</h2>\n<p>With %.10g%% "
                           "confidence fewer than so many of each stratum are bad, each by itself.",
                           told->input->sure.confidence * 100);
    if (why) {
        g_string_append(page, " Of ages nothing is said: ");
        page_escape(page, why);
        g_string_append(page, ".");
    }
    if (told->strata->several)
        g_string_append(page, " Nothing is proven of them: the transform makes several records of a key.");
    g_string_append(page,
                    "</p>\n<table class=\"narrow\">\n<tr><th>by</th><th>stratum</th><th>looked at</th><th>bad</th>"
                    "<th>proven: fewer than</th></tr>\n");
    put_kind(told, STRATA_SIZE, page);
    if (!why)
        put_kind(told, STRATA_AGE, page);
    g_string_append(page, "</table>\n");
}
