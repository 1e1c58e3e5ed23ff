#include "verify/shift.h"

#include <math.h>

#include "base/lock.h"

#define NAMED 3u

struct shift {
    uint64_t seed, below; /* keys whose digest lies below it */
    pthread_mutex_t lock; /* guards the profiles */
    struct profile_pair *profiles;
    GArray *fields; /* of struct profile_shift; NULL: not compared yet, or nothing to compare */
};

struct shift *shift_new(const struct verify_input *input)
{
    struct shift *shift = g_new0(struct shift, 1);
    uint64_t keys = 0;
    for (size_t i = 0; i < input->n_parts; i++)
        keys += input->parts[i].keys.keys;
    shift->seed = input->seed + 1; /* not the order of the sums */
    shift->below = keys > SHIFT_RECORDS ? UINT64_MAX / keys * SHIFT_RECORDS : UINT64_MAX;
    shift->profiles = profile_pair_new();
    pthread_mutex_init(&shift->lock, NULL);
    return shift;
}

void shift_free(struct shift *shift)
{
    if (!shift)
        return;
    g_clear_pointer(&shift->fields, g_array_unref);
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

static const struct profile_shift *field_at(const struct shift *shift, guint i)
{
    return &g_array_index(shift->fields, struct profile_shift, i);
}

void shift_words(const struct shift *shift, GString *into)
{
    guint n = 0;
    for (guint i = 0; shift->fields && i < shift->fields->len; i++) {
        if (!field_at(shift, i)->flagged)
            continue;
        if (n < NAMED)
            g_string_append_printf(into, "%s%s", n ? ", " : "; values have shifted of ", field_at(shift, i)->name);
        n++;
    }
    if (n > NAMED)
        g_string_append_printf(into, " and %u more fields", n - NAMED);
}

static json_t *field_json(const struct profile_shift *field)
{
    static const char *const TESTS[] = {[PROFILE_NUMBERS] = "kolmogorov-smirnov",
                                        [PROFILE_CLASSES] = "chi-square",
                                        [PROFILE_LENGTHS] = "kolmogorov-smirnov of lengths"};
    return json_pack("{s:s, s:b, s:s, s:f, s:f, s:f, s:f, s:f}", "field", field->name, "flagged", field->flagged,
                     "test", TESTS[field->how], "statistic", field->test.statistic, "chance", field->test.chance, "psi",
                     field->psi, "missing_before", field->missing_before, "missing_after", field->missing_after);
}

json_t *shift_json(const struct shift *shift)
{
    if (!shift->fields)
        return NULL;
    json_t *fields = json_array();
    for (guint i = 0; i < shift->fields->len; i++)
        json_array_append_new(fields, field_json(field_at(shift, i)));
    return json_pack("{s:I, s:o}", "records", (json_int_t)shift_records(shift), "fields", fields);
}
