#include "verify/shift.h"

#include <math.h>

#include "base/hex.h"
#include "base/lock.h"
#include "base/units.h"

#define NAMED 3u

struct shift {
    uint64_t seed, below; /* keys whose digest lies below it */
    pthread_mutex_t lock; /* guards the profiles */
    struct profile_pair *profiles;
    GArray *fields;              /* of struct profile_shift; NULL: not compared yet, or nothing to compare */
    const struct past *baseline; /* NULL: nobody asked for one */
    GArray *against;             /* of struct profile_shift: the baseline and what the target holds; NULL likewise */
};

struct shift *shift_new(const struct verify_input *input, uint64_t keys)
{
    struct shift *shift = g_new0(struct shift, 1);
    shift->seed = input->seed + 1; /* not the order of the sums */
    shift->below = keys > SHIFT_RECORDS ? UINT64_MAX / keys * SHIFT_RECORDS : UINT64_MAX;
    shift->profiles = profile_pair_new();
    shift->baseline = input->baseline;
    pthread_mutex_init(&shift->lock, NULL);
    return shift;
}

void shift_free(struct shift *shift)
{
    if (!shift)
        return;
    g_clear_pointer(&shift->fields, g_array_unref);
    g_clear_pointer(&shift->against, g_array_unref);
    profile_pair_free(shift->profiles);
    pthread_mutex_destroy(&shift->lock);
    g_free(shift);
}

bool shift_takes(const struct shift *shift, struct slice key)
{
    return digest_bytes(key, shift->seed).low <= shift->below;
}

void shift_add(struct shift *shift, struct slice before, struct slice after)
{
    auto_hold(&shift->lock);
    profile_pair_add(shift->profiles, before, after);
}

const GArray *shift_compare(struct shift *shift)
{
    if (!shift->fields)
        shift->fields = profile_pair_compare(shift->profiles);
    return shift->fields;
}

uint64_t shift_records(const struct shift *shift)
{
    return profile_pair_records(shift->profiles);
}

double shift_share(const struct shift *shift)
{
    return (double)shift->below / (double)UINT64_MAX;
}

struct profile *shift_after(struct shift *shift)
{
    return shift_compare(shift) ? profile_pair_after(shift->profiles) : NULL;
}

static const struct profile_shift *field_at(const GArray *fields, guint i)
{
    return &g_array_index(fields, struct profile_shift, i);
}

const GArray *shift_against(struct shift *shift)
{
    struct profile *after = shift_after(shift);
    if (shift->against || !after || !shift->baseline || shift->baseline->why)
        return shift->against;
    shift->against = profile_compare(shift->baseline->profile, after);
    for (guint i = 0; i < shift->against->len; i++)
        if (field_at(shift->against, i)->after)
            field_at(shift->against, i)->after->moved = field_at(shift->against, i)->flagged;
    return shift->against;
}

bool shift_moved_before(const struct profile_shift *field)
{
    return field->flagged && field->before && field->before->moved;
}

/* --- told ----------------------------------------------------------------------------------------------------------
 */

/* Those that `told` chooses, the first few by name. */
static void name_fields(const GArray *fields, bool (*told)(const struct profile_shift *field), const char *first,
                        GString *into)
{
    guint n = 0;
    for (guint i = 0; i < fields->len; i++) {
        if (!told(field_at(fields, i)))
            continue;
        if (n < NAMED)
            g_string_append_printf(into, "%s%s", n ? ", " : first, field_at(fields, i)->name);
        n++;
    }
    if (n > NAMED)
        g_string_append_printf(into, " and %u more fields", n - NAMED);
}

static bool is_flagged(const struct profile_shift *field)
{
    return field->flagged;
}

static bool is_news(const struct profile_shift *field)
{
    return field->flagged && !shift_moved_before(field);
}

static void words_against(const struct shift *shift, GString *into)
{
    const struct past *baseline = shift->baseline;
    if (baseline->why) {
        if (baseline->named)
            g_string_append_printf(into, "; values are held against no baseline: %s", baseline->why);
        return;
    }
    g_autofree char *of = past_words(baseline);
    g_autofree char *news = g_strdup_printf("; values have moved against %s of ", of);
    g_autofree char *again = g_strdup_printf("; values have moved again, as they had in %s, of ", of);
    name_fields(shift->against, is_news, news, into);
    name_fields(shift->against, shift_moved_before, again, into);
}

void shift_words(const struct shift *shift, GString *into)
{
    name_fields(shift->fields, is_flagged, "; values have shifted of ", into);
    if (shift->baseline)
        words_against(shift, into);
}

static const char *test_word(const struct profile_shift *field)
{
    static const char *const TESTS[] = {[PROFILE_NUMBERS] = "kolmogorov-smirnov",
                                        [PROFILE_CLASSES] = "chi-square",
                                        [PROFILE_LENGTHS] = "kolmogorov-smirnov of lengths"};
    return TESTS[field->how];
}

static json_t *field_json(const struct profile_shift *field)
{
    return json_pack("{s:s, s:b, s:s, s:f, s:f, s:f, s:f, s:f}", "field", field->name, "flagged", field->flagged,
                     "test", test_word(field), "statistic", field->test.statistic, "chance", field->test.chance, "psi",
                     field->psi, "missing_before", field->missing_before, "missing_after", field->missing_after);
}

static json_t *against_field_json(const struct profile_shift *field)
{
    return json_pack("{s:s, s:b, s:b, s:s, s:f, s:f, s:f, s:f, s:f}", "field", field->name, "flagged", field->flagged,
                     "moved_before", shift_moved_before(field), "test", test_word(field), "statistic",
                     field->test.statistic, "chance", field->test.chance, "psi", field->psi, "missing_baseline",
                     field->missing_before, "missing", field->missing_after);
}

static json_t *fields_json(const GArray *fields, json_t *(*one)(const struct profile_shift *field))
{
    json_t *list = json_array();
    for (guint i = 0; i < fields->len; i++)
        json_array_append_new(list, one(field_at(fields, i)));
    return list;
}

static json_t *part_json(const struct past_part *part)
{
    char hex[HEX_TEXT(32)], kept[UNITS_TEXT];
    return json_pack("{s:s, s:s, s:s, s:s, s:s}", "run", part->run, "stage", part->stage, "kept_at",
                     units_time(part->kept_ms, kept), "path", part->path, "digest",
                     hex_text(part->digest, sizeof part->digest, hex));
}

static json_t *baseline_json(const struct shift *shift)
{
    const struct past *baseline = shift->baseline;
    json_t *files = json_array();
    if (baseline->why) {
        json_decref(files);
        return json_pack("{s:s, s:s}", "of", baseline->of, "why", baseline->why);
    }
    for (guint i = 0; i < baseline->parts->len; i++)
        json_array_append_new(files, part_json(&g_array_index(baseline->parts, struct past_part, i)));
    return json_pack("{s:s, s:s?, s:n, s:I, s:o, s:o}", "of", baseline->of, "stage", baseline->stage, "why", "records",
                     (json_int_t)profile_records(baseline->profile), "files", files, "fields",
                     fields_json(shift->against, against_field_json));
}

json_t *shift_json(const struct shift *shift)
{
    return json_pack("{s:I, s:o, s:o}", "records", (json_int_t)shift_records(shift), "fields",
                     fields_json(shift->fields, field_json), "baseline",
                     shift->baseline ? baseline_json(shift) : json_null());
}
