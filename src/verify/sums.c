/* Sums: what the gate's verification keeps of a partition, and how it is read back. */
#include <jansson.h>

#include "verify/verify_parts.h"

bool sums_know_expiry(const struct verify_input *input)
{
    return input->expires != EXPIRES_KEEP || input->same_dataset;
}

static struct digest entry_of(const struct verify_input *input, struct digest key, const struct record *record)
{
    int64_t expires_at_ms = sums_know_expiry(input) ? record->expires_at_ms : EXPIRES_NEVER;
    return digest_keyed_by(key, digest_stored(record->raw, expires_at_ms), input->seed);
}

struct digest sums_entry(const struct verify_input *input, const struct record *record)
{
    return entry_of(input, digest_bytes(record->key, input->seed), record);
}

void sums_add(const struct verify_input *input, const struct record *record, struct set_digest *into,
              struct sketch_entry *ret)
{
    struct digest key = digest_bytes(record->key, input->seed), entry = entry_of(input, key, record);
    set_digest_add(into, entry);
    *ret = (struct sketch_entry){.key = key.low, .value = entry};
}

void found_merge(struct found *into, const struct found *from)
{
    for (int i = 0; i < VERIFY_CLASS_COUNT; i++)
        into->of[i] += from->of[i];
    into->compared += from->compared;
    set_digest_merge(&into->wanted, &from->wanted);
    set_digest_merge(&into->live, &from->live);
    set_digest_merge(&into->stored, &from->stored);
}

char *found_counts(const struct found *found)
{
    json_t *counts = json_pack("{s:I}", "compared", (json_int_t)found->compared);
    for (int i = 0; i < VERIFY_CLASS_COUNT; i++)
        if (found->of[i])
            json_object_set_new(counts, verify_class_row((enum verify_class)i)->word,
                                json_integer((json_int_t)found->of[i]));
    char *text = json_dumps(counts, JSON_COMPACT), *copy = g_strdup(text);
    free(text);
    json_decref(counts);
    return copy;
}

bool found_of_sum(struct found *ret, const struct part_sum *sum, GError **error)
{
    json_t *counts = json_loads(sum->counts, 0, NULL);
    if (!json_is_object(counts)) {
        json_decref(counts);
        return error_set(error, SLUICE_ERROR_CORRUPT,
                         "catalog: what the gate counted of partition %u cannot be read; `--full` does without it",
                         sum->part);
    }
    *ret = (struct found){.wanted = sum->wanted, .live = sum->live, .stored = sum->stored};
    ret->compared = (uint64_t)json_integer_value(json_object_get(counts, "compared"));
    for (int i = 0; i < VERIFY_CLASS_COUNT; i++)
        ret->of[i] =
            (uint64_t)json_integer_value(json_object_get(counts, verify_class_row((enum verify_class)i)->word));
    json_decref(counts);
    return true;
}
