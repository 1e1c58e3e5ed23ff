/* What the target has beyond the source (class `extra`), where that was asked for and the dataset is wholly the run's.
 *
 * Keys that the source has, or that are made of it, are noted by their digests while they are compared, or are those of
 * the listing; the target's keys are listed on disk. Both are sorted there, so that memory is bounded whatever the
 * size, and what only the target has is read, twice, before it is called extra: one that is gone by then, that the
 * source has come to have, or that the application writes meanwhile or has written since the run was planned (by its
 * version), is none. Disk: the target's keys once, 16 bytes for each noted one, 24 for each key of the target. Internal
 * to verify/. */
#pragma once

#include "verify/verify_parts.h"

struct extras;

/* *ret NULL: nobody asked. USAGE: of such a verification it cannot be told, by name. */
bool extras_new(struct extras **ret, const struct verify_input *input, GError **error);
void extras_free(struct extras *extras);

/* Keys that the source has, and those that are wanted of it. Any thread; `extras` NULL: nothing. */
bool extras_note_source(struct extras *extras, const struct record *records, size_t n, GError **error);
bool extras_note_wanted(struct extras *extras, const GArray *subjects, GError **error);

/* Before the source is looked through for what came up since; then the judgement, when all else has been compared. */
bool extras_list(struct extras *extras, GError **error);
bool extras_judge(struct extras *extras, struct pass *pass, GError **error);

/* Whether the question was answered, or not asked. */
bool extras_told(const struct extras *extras);
void extras_words(const struct extras *extras, GString *into);
json_t *extras_json(const struct extras *extras);
