/* What the values of the fields are like on two sides of the same records (profile/fields.h). Most of them are equal on
 * both, byte for byte: those are looked at once. One thread at a time. */
#pragma once

#include "profile/fields.h"

struct profile_pair;
struct profile_pair *profile_pair_new(void);
void profile_pair_free(struct profile_pair *pair);
/* Either may be empty: that side has none. */
void profile_pair_add(struct profile_pair *pair, struct slice before, struct slice after);
uint64_t profile_pair_records(const struct profile_pair *pair); /* of the side that has more */

/* When all are added; as profile_compare(). NULL: one side has nothing. The caller frees, and keeps the pair. */
GArray *profile_pair_compare(struct profile_pair *pair);
struct profile *profile_pair_after(struct profile_pair *pair); /* the pair's; whole once they are compared */
