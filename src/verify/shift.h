/* What the fields of the records are like on both sides of a verification: a sample of its keys, the source's documents
 * and what the target holds of the same keys, and which fields have shifted (profile/fields.h, whose limits count).
 * Evidence for whoever reads the verdict; it passes and fails nothing. Any thread adds. */
#pragma once

#include <jansson.h>

#include "profile/pair.h"
#include "verify/past.h"

#define SHIFT_RECORDS 10000 /* about so many keys are looked at, chosen by their digests: the same ones every time */

struct shift;
/* `keys`: so many are looked at, of which it takes its own. */
struct shift *shift_new(const struct verify_input *input, uint64_t keys);
void shift_free(struct shift *shift);
/* Whether the key is one of the sample. */
bool shift_takes(const struct shift *shift, struct slice key);
/* Either may be empty: there is none. */
void shift_add(struct shift *shift, struct slice before, struct slice after);

/* What the target holds, all of it, once it is compared; NULL: nothing was. */
struct profile *shift_after(struct shift *shift);
/* Likewise the target's values against the baseline, fields that only one of them has included; each field of the
 * target is marked as moved or not. NULL: there is no baseline, or nothing to compare with it. */
const GArray *shift_against(struct shift *shift);
/* Whether it was flagged, too, when the baseline was held against its own one: nothing that is new. */
bool shift_moved_before(const struct profile_shift *field);

/* When all are added: compares. Of struct profile_shift, in the order in which fields were met; NULL: nothing was
 * sampled on both sides. */
const GArray *shift_compare(struct shift *shift);
uint64_t shift_records(const struct shift *shift);
double shift_share(const struct shift *shift);              /* of the keys */
void shift_words(const struct shift *shift, GString *into); /* "; …" for the verdict, where a field is flagged */
json_t *shift_json(const struct shift *shift);              /* where something was compared, as the words */
