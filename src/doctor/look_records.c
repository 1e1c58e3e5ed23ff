/* The checks that look at records: a sample, what undoing them would take, and what nothing measures. */
#include <math.h>

#include "base/file.h"
#include "base/units.h"
#include "doctor/look.h"
#include "run/try.h"

/* --- the sample
 * -------------------------------------------------------------------------------------------------------- */

#define UNDO_ENTRY_BYTES 96 /* of an entry beside key and pre-image: numbers, digest, outcome */

struct sampling {
    struct look *look;
    GHashTable *reasons; /* what refuses, without the values → how often */
};

/* `contract-says: balance`: up to the value, so that equal reasons count together. */
static char *reason_of(const struct fault *fault)
{
    size_t len = strcspn(fault->text, ":\n");
    return g_strdup_printf("%s: %.*s", error_row(fault->code)->name, (int)MIN(len, (size_t)80), fault->text);
}

static bool take(void *self, const struct try_record *record, GError **error)
{
    struct sampling *sampling = self;
    for (size_t i = 0; i < record->n_items; i++) {
        const struct try_item *item = &record->items[i];
        if (item->outcome == OUTCOME_WRITTEN || item->outcome == OUTCOME_DELETED)
            sampling->look->sample_undo_bytes += UNDO_ENTRY_BYTES + item->key.len + item->live.len;
    }
    if (record->outcome == OUTCOME_REJECTED) {
        char *reason = reason_of(&record->fault);
        size_t times = GPOINTER_TO_SIZE(g_hash_table_lookup(sampling->reasons, reason));
        g_hash_table_insert(sampling->reasons, reason, GSIZE_TO_POINTER(times + 1));
    }
    return true;
}

static int by_times(const void *a, const void *b, void *reasons)
{
    size_t i = GPOINTER_TO_SIZE(g_hash_table_lookup(reasons, *(const char *const *)a));
    size_t j = GPOINTER_TO_SIZE(g_hash_table_lookup(reasons, *(const char *const *)b));
    return i == j ? strcmp(*(const char *const *)a, *(const char *const *)b) : i < j ? 1 : -1;
}

/* ` (3 contract-says: tier, 1 lua: …)`, the commonest first. */
static char *reasons_text(GHashTable *reasons)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    GHashTableIter at;
    void *name;
    GString *text = g_string_new(NULL);
    g_hash_table_iter_init(&at, reasons);
    while (g_hash_table_iter_next(&at, &name, NULL))
        g_ptr_array_add(names, name);
    g_ptr_array_sort_with_data(names, by_times, reasons);
    for (guint i = 0; i < names->len && i < 5; i++)
        g_string_append_printf(text, "%s%zu %s", i ? ", " : " (",
                               GPOINTER_TO_SIZE(g_hash_table_lookup(reasons, names->pdata[i])),
                               (const char *)names->pdata[i]);
    return g_string_free(g_string_append(text, names->len > 5 ? ", …)" : names->len ? ")" : ""), FALSE);
}

static char *counts_text(const struct tally *tally)
{
    GString *text = g_string_new(NULL);
    for (int i = 0; i < OUTCOME_COUNT; i++)
        if (outcome_row((enum outcome)i)->kind == OUTCOME_KIND_LISTED && tally->of[i])
            g_string_append_printf(text, "%s%" G_GUINT64_FORMAT " %s", text->len ? ", " : "", tally->of[i],
                                   outcome_row((enum outcome)i)->word);
    return g_string_free(text, FALSE);
}

/* Whether so many of a sample say that all together are above the limit: two deviations of what the limit would give,
 * and one for luck, so that the single refusal of a good run is no alarm. */
static bool clearly_above(const struct look *look, enum outcome outcome, double limit)
{
    double due = limit * (double)look->tally.of[OUTCOME_READ];
    return (double)look->tally.of[outcome] > due + 2 * sqrt(due) + 1;
}

static void judge_sample(struct look *look, GHashTable *reasons)
{
    const struct spec_protect *protect = &look->plan->spec->protect;
    g_autofree char *counts = counts_text(&look->tally), *why = reasons_text(reasons);
    if (look->tally.of[OUTCOME_READ] == 0)
        look_warn(look, "is it the right dataset?", "the source has no records");
    else if (clearly_above(look, OUTCOME_REJECTED, protect->rejects))
        look_warn(look, "`sluice try` shows them; mend transform or contract, or raise protect.rejects",
                  "of %" G_GUINT64_FORMAT
                  " records: %s%s; more are refused than protect.rejects allows (%.4g %%): a run "
                  "would pause",
                  look->tally.of[OUTCOME_READ], counts, why, protect->rejects * 100);
    else if (clearly_above(look, OUTCOME_KEPT_LIVE, protect->kept_live))
        look_warn(look, "`sluice try` shows them; is target.conflict what you want? Or raise protect.kept_live",
                  "of %" G_GUINT64_FORMAT " records: %s; more are kept live than protect.kept_live allows (%.4g %%): a "
                  "run would pause",
                  look->tally.of[OUTCOME_READ], counts, protect->kept_live * 100);
    else
        look_ok(look, "of %" G_GUINT64_FORMAT " records: %s%s", look->tally.of[OUTCOME_READ], counts, why);
}

void look_records(struct look *look)
{
    GError *error = NULL;
    struct try_result result;
    if (!look->plan) {
        look_skip(look, "plan");
        return;
    }
    g_autoptr(GHashTable) reasons = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    struct sampling sampling = {.look = look, .reasons = reasons};
    struct try_wish wish = {.sample = LOOK_SAMPLE, .each = take, .self = &sampling};
    if (!try_records(look->plan, look->config->world, look->config->signals, &wish, &result, &error)) {
        look_fail(look, "`sluice try` shows where", error);
        return;
    }
    look->tally = result.tally;
    judge_sample(look, reasons);
}

/* --- room for the undo log
 * -------------------------------------------------------------------------------------------- */

/* Records in the source; where the store cannot tell, as many as its bytes hold at the sample's undo bytes each. */
static uint64_t undo_bytes(const struct look *look)
{
    uint64_t read = look->tally.of[OUTCOME_READ];
    double each = (double)look->sample_undo_bytes / (double)read;
    double records =
        look->source_info.records ? (double)look->source_info.records : (double)look->source_info.bytes / 100;
    return (uint64_t)(each * records);
}

void look_space(struct look *look)
{
    GError *error = NULL;
    struct world_room room;
    char needed[UNITS_TEXT], left[UNITS_TEXT];
    if (look->tally.of[OUTCOME_READ] == 0) {
        look_skip(look, "sample of records");
        return;
    }
    if (!file_room(look->config->world, look->config->home, &room, &error)) {
        look_fail(look, "name another home with --home", error);
        return;
    }
    uint64_t bytes = undo_bytes(look);
    units_bytes(bytes, needed);
    units_bytes(room.free_bytes, left);
    if (bytes > room.free_bytes) {
        error_set(&error, SLUICE_ERROR_NO_SPACE, "the undo log takes about %s, and %s are free in %s", needed, left,
                  look->config->home);
        look_fail(look, "free space, or name a home on another disk with --home", error);
    } else if (bytes > room.free_bytes / 2)
        look_warn(look, "free space, or name a home on another disk with --home",
                  "the undo log takes about %s, and %s are free", needed, left);
    else
        look_ok(look, "the undo log takes at most about %s, before it is packed; %s are free", needed, left);
}

/* --- what nothing measures
 * -------------------------------------------------------------------------------------------- */

void look_protect(struct look *look)
{
    size_t n;
    const struct spec_row *rows = spec_rows(&n);
    g_autoptr(GString) unwatched = g_string_new(NULL);
    for (size_t i = 0; i < n; i++)
        if (rows[i].acts && g_str_has_prefix(rows[i].key, "protect.") && !strchr(rows[i].key + strlen("protect."), '.'))
            g_string_append_printf(unwatched, "%s%s",
                                   unwatched->len ? ", " : "; not watched in this version: ", rows[i].key);
    if (!look->spec) {
        look_skip(look, "spec");
        return;
    }
    const struct spec_protect *protect = &look->spec->protect;
    g_autofree char *live = spec_live_text(&protect->live);
    if (spec_live_given(&protect->live))
        look_ok(look, "held to a live p99 of %s%s", live, unwatched->str);
    else if (protect->rate_max_per_s > 0)
        look_ok(look, "held to %.6g records a second%s", protect->rate_max_per_s, unwatched->str);
    else
        look_warn(
            look,
            "give protect.live.p99 (Valkey, Redis) or protect.rate.max where the application uses the same servers",
            "nothing holds the run back while the guards are clear: neither protect.live.p99 nor "
            "protect.rate.max is given%s",
            unwatched->str);
}
