/* Which writes of earlier lanes a partition's rows account for already: a set of (lane, number), kept as ranges.
 *
 * What a dead holder wrote is counted when its key comes by. Where the first batch after the death is smaller than the
 * dead one's, a checkpoint stands in the middle of that, and says what has come by: else the next holder would wait for
 * it again, and take a later record of the same key for the one that was written.
 *
 * The lowest lane named is the lowest of which anything may be unaccounted for. A write of it, or of a higher one, that
 * is not in the set belongs to nobody's row: where no entry of the undo log names it, its key is unknown.
 *
 * As bytes: a range each, of varints: lanes since the range before, first number (since the end of the range before
 * where the lane is the same), how many. One thread. */
#pragma once

#include <glib.h>

#include "base/auto.h"
#include "base/slice.h"

struct claims;

struct claims *claims_new(void);
void claims_free(struct claims *claims);
AUTO_DEFINE(claims, claims_free)
void claims_clear(struct claims *claims);

void claims_add(struct claims *claims, uint32_t lane, uint64_t number);
/* A checkpoint's own lane: all from 0 (which is no write, but names the lane) up to the number. */
void claims_add_up_to(struct claims *claims, uint32_t lane, uint64_t number);
bool claims_have(struct claims *claims, uint32_t lane, uint64_t number);
/* UINT32_MAX: there are none. */
uint32_t claims_lowest(struct claims *claims);

/* All of them, appended; and all that such bytes say, added. False: they are none that claims_put() made. */
void claims_put(struct claims *claims, GByteArray *into);
bool claims_get(struct claims *claims, struct slice bytes);
