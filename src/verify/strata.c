#include "verify/strata.h"

#include <math.h>

#include "base/units.h"
#include "record/version.h"
#include "verify/page.h"

#define HOUR_MS INT64_C(3600000)
#define DAY_MS  (24 * HOUR_MS)

#define UNDATED 6 /* the class of what has no time */

/* What a stratum is called, and what it reaches up to. */
static const struct {
    const char *word;
    int64_t most;
} CLASSES[STRATA_KINDS][UNDATED + 1] = {
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
static const struct {
    const char *word, *member; /* of JSON */
} KINDS[STRATA_KINDS] = {
    [STRATA_SHARD] = {"shard", "by_shard"}, [STRATA_SIZE] = {"size", "by_size"}, [STRATA_AGE] = {"age", "by_age"}};

/* --- shards ------------------------------------------------------------------------------------------------------- */

size_t strata_shard(struct strata_shards *shards, const char *name)
{
    size_t i = 0;
    if (!name)
        return 0;
    while (i < shards->n && strcmp(shards->of[i], name) != 0)
        i++;
    if (i == STRATA_MOST)
        return STRATA_MOST;
    if (i == shards->n)
        shards->of[shards->n++] = g_strdup(i < STRATA_MOST - 1 ? name : "any other server");
    return i + 1;
}

void strata_shards_done(struct strata_shards *shards)
{
    for (size_t i = 0; i < shards->n; i++)
        g_free(shards->of[i]);
    shards->n = 0;
}

static const char *word_of(const struct strata_told *told, enum strata_kind kind, size_t i)
{
    return kind == STRATA_SHARD ? told->shards->of[i] : CLASSES[kind][i].word;
}

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
    if (record->shard)
        meet(&strata->of[STRATA_SHARD][record->shard - 1], record);
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

/* --- told --------------------------------------------------------------------------------------------------------- */

/* Fewer than this share of the stratum is bad; 1: nothing is proven of it. */
static double below(const struct strata_told *told, const struct stratum *stratum)
{
    if (told->stopped || told->strata->several)
        return 1;
    return sampling_share(stratum->weighed_bad, stratum->weighed_right, told->input->sure.confidence);
}

/* As if none of it were bad. */
static enum sampling_standing standing_of(const struct strata_told *told, uint64_t looked)
{
    return sampling_standing(&told->input->sure, &told->round, looked);
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

uint64_t strata_open(const struct strata_told *told)
{
    uint64_t rarest = STRATA_NONE_OPEN;
    if (told->strata->several)
        return 0;
    for (int kind = 0; kind < STRATA_KINDS; kind++)
        for (size_t i = 0; i < STRATA_MOST && !ageless(told, (enum strata_kind)kind); i++) {
            uint64_t looked = told->strata->of[kind][i].looked;
            if (looked && standing_of(told, looked) == SAMPLING_OPEN)
                rarest = MIN(rarest, looked);
        }
    return rarest;
}

static bool sharded(const struct strata_told *told)
{
    return told->shards && told->shards->n > 0;
}

static bool is_known(const struct strata_told *told, enum strata_kind kind)
{
    return kind == STRATA_SHARD ? sharded(told) : !ageless(told, kind);
}

#define HALF 0.5

/* Of the kind's strata those that were met, the bad ones of all, and the one of which the least is proven; 0: of none
 * that half of it is right. */
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
        if (share > seen.below && share <= HALF) {
            seen.below = share;
            seen.least = i;
        }
    }
    return seen;
}

static void add_bad(const struct strata_told *told, enum strata_kind kind, GString *into)
{
    const char *before = "";
    g_string_append_printf(into, "; bad by %s: ", KINDS[kind].word);
    for (size_t i = 0; i < STRATA_MOST; i++) {
        const struct stratum *stratum = &told->strata->of[kind][i];
        if (!stratum->bad)
            continue;
        g_string_append_printf(into, "%s%" G_GUINT64_FORMAT " of the %" G_GUINT64_FORMAT " of %s", before, stratum->bad,
                               stratum->looked, word_of(told, kind, i));
        before = ", ";
    }
}

static bool is_rare(const struct strata_told *told, const struct stratum *stratum)
{
    return standing_of(told, stratum->looked) == SAMPLING_RARE;
}

/* So few were looked at that most of it may be bad. */
static bool is_few(const struct strata_told *told, const struct stratum *stratum)
{
    return below(told, stratum) > HALF;
}

/* Those of a kind of which `is` holds: the first behind *io_before, what follows behind what it then is. */
static void add_those(const struct strata_told *told, enum strata_kind kind,
                      bool (*is)(const struct strata_told *told, const struct stratum *stratum), const char **io_before,
                      GString *into)
{
    for (size_t i = 0; i < STRATA_MOST; i++) {
        const struct stratum *stratum = &told->strata->of[kind][i];
        if (!stratum->looked || !is(told, stratum))
            continue;
        g_string_append_printf(into, "%s%s, %" G_GUINT64_FORMAT " looked at", *io_before, word_of(told, kind, i),
                               stratum->looked);
        *io_before = ", and ";
    }
}

/* And those of which too few were looked at to say even that. */
static void add_least(const struct strata_told *told, enum strata_kind kind, const struct seen *seen, GString *into)
{
    g_autofree char *few = g_strdup_printf("; by %s too few to say anything: ", KINDS[kind].word);
    const char *before = few;
    if (seen->below > 0) {
        g_string_append_printf(
            into, "; by %s least is proven of those of %s, %" G_GUINT64_FORMAT " looked at: fewer than ",
            KINDS[kind].word, word_of(told, kind, seen->least), told->strata->of[kind][seen->least].looked);
        sampling_share_words(seen->below, into);
    }
    add_those(told, kind, is_few, &before, into);
}

/* Of a sample that found nothing bad, and that went on until what was asked is known of each. */
static bool each_is_known(const struct strata_told *told)
{
    bool all = told->round.sample == told->round.population;
    return told->round.number && !told->stopped && seen_of(told, STRATA_SIZE).bad == 0 &&
           (all || strata_open(told) == STRATA_NONE_OPEN);
}

static void add_each(const struct strata_told *told, GString *into)
{
    const char *why = ageless(told, STRATA_AGE);
    const struct sampling_wish *sure = &told->input->sure;
    const char *kinds =
        sharded(told) ? (why ? "shard and size" : "shard, size and age") : (why ? "size" : "size and age");
    if (told->round.sample == told->round.population) {
        g_string_append_printf(into, "; to say it of each %s too, all were looked at", kinds);
    } else {
        g_string_append_printf(into, "; of each %s that makes up %.10g%% or more of all, fewer than %.10g%% do", kinds,
                               sure->below * 100, sure->each * 100);
        const char *before = "; rarer: ";
        for (int kind = 0; kind < STRATA_KINDS; kind++)
            if (is_known(told, (enum strata_kind)kind))
                add_those(told, (enum strata_kind)kind, is_rare, &before, into);
    }
    if (why)
        g_string_append_printf(into, "; no age is known: %s", why);
}

/* Where all are of one stratum, what is said of all says it. */
void strata_words(const struct strata_told *told, GString *into)
{
    if (each_is_known(told)) {
        add_each(told, into);
        return;
    }
    for (int i = 0; i < STRATA_KINDS; i++) {
        enum strata_kind kind = (enum strata_kind)i;
        struct seen seen = seen_of(told, kind);
        if (seen.n < 2) /* so too where no age is known */
            continue;
        if (seen.bad)
            add_bad(told, kind, into);
        else if (!told->stopped && !told->strata->several)
            add_least(told, kind, &seen, into);
    }
}

/* About so many of all are of it; < 0: nobody knows. */
static double about(const struct strata_told *told, const struct stratum *stratum)
{
    return told->stopped ? -1 : round((stratum->weighed_bad + stratum->weighed_right) * told->stands_for);
}

/* What is known of it, where something was asked of each. */
static json_t *standing_json(const struct strata_told *told, const struct stratum *stratum)
{
    static const char *const WORDS[] = {
        [SAMPLING_OPEN] = "open", [SAMPLING_PROVEN] = "proven", [SAMPLING_RARE] = "rare"};
    if (stratum->bad)
        return json_string("bad");
    bool none = told->stopped || told->strata->several;
    return json_string(WORDS[none ? SAMPLING_OPEN : standing_of(told, stratum->looked)]);
}

static json_t *stratum_json(const struct strata_told *told, enum strata_kind kind, size_t i)
{
    const struct stratum *stratum = &told->strata->of[kind][i];
    double share = below(told, stratum), many = about(told, stratum);
    json_t *json =
        json_pack("{s:s, s:I, s:o, s:I, s:o}", "stratum", word_of(told, kind, i), "keys", (json_int_t)stratum->looked,
                  "about", many < 0 ? json_null() : json_integer((json_int_t)many), "bad", (json_int_t)stratum->bad,
                  "below", share < 1 ? json_real(share) : json_null());
    if (told->round.number)
        json_object_set_new(json, "standing", standing_json(told, stratum));
    return json;
}

static json_t *kind_json(const struct strata_told *told, enum strata_kind kind)
{
    json_t *list = json_array();
    for (size_t i = 0; i < STRATA_MOST; i++)
        if (told->strata->of[kind][i].looked)
            json_array_append_new(list, stratum_json(told, kind, i));
    return list;
}

void strata_put_json(const struct strata_told *told, json_t *sample)
{
    const char *why = ageless(told, STRATA_AGE);
    for (int kind = 0; kind < STRATA_KINDS; kind++)
        json_object_set_new(sample, KINDS[kind].member,
                            is_known(told, (enum strata_kind)kind) ? kind_json(told, (enum strata_kind)kind)
                                                                   : json_null());
    if (why)
        json_object_set_new(sample, "age_why", json_string(why));
}

static void put_kind(const struct strata_told *told, enum strata_kind kind, GString *page)
{
    for (size_t i = 0; i < STRATA_MOST; i++) {
        const struct stratum *stratum = &told->strata->of[kind][i];
        if (!stratum->looked)
            continue;
        char count[UNITS_TEXT];
        double many = about(told, stratum);
        g_autofree char *name = g_markup_escape_text(word_of(told, kind, i), -1);
        g_string_append_printf(page,
                               "<tr><td>%s</td><td>%s</td><td class=\"n\">%s</td><td class=\"n\">%" G_GUINT64_FORMAT
                               "</td><td class=\"n\">%" G_GUINT64_FORMAT "</td><td class=\"n\">",
                               KINDS[kind].word, name, many < 0 ? "–" : units_count((uint64_t)many, count),
                               stratum->looked, stratum->bad);
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
    if (told->round.number)
        g_string_append_printf(page,
                               " Asked was fewer than %.10g%% of each that makes up %.10g%% or more of all: the sample "
                               "was drawn in %u round%s.",
                               told->input->sure.each * 100, told->input->sure.below * 100, told->round.number,
                               told->round.number == 1 ? "" : "s");
    if (why) {
        g_string_append(page, " Of ages nothing is said: ");
        page_escape(page, why);
        g_string_append(page, ".");
    }
    if (told->strata->several)
        g_string_append(page, " Nothing is proven of them: the transform makes several records of a key.");
    g_string_append(
        page,
        "</p>\n<table class=\"narrow\">\n<tr><th>by</th><th>stratum</th><th>about</th><th>looked at</th><th>bad</th>"
        "<th>proven: fewer than</th></tr>\n");
    for (int kind = 0; kind < STRATA_KINDS; kind++)
        if (is_known(told, (enum strata_kind)kind))
            put_kind(told, (enum strata_kind)kind, page);
    g_string_append(page, "</table>\n");
}
