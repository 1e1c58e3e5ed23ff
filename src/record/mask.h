/* Masking: values that must not leave replaced by others of the same type and shape, so that what reads them finds
 * nothing amiss.
 *
 * Keyed by chance, a key for each export: equal values stay equal within it, and nobody can look one up afterwards, not
 * even who has a list of all that it may be. A text keeps its length, and the class of each character (digit, small,
 * capital, other letter; what is none of these stays); a time its year and its form; a uuid its form; a number its
 * sign, its digits before and behind the point. true and false may stay what they are; null does.
 *
 * Uses the heap: not for the way of every record. One thread. */
#pragma once

#include "base/world.h"
#include "record/document.h"

struct mask;

/* `fields`: paths as in record/path.h without the places in arrays, `items.email`; one of an object masks all in it.
 * `ctx.key` is no field: it masks keys. USAGE where one is no path. */
bool mask_new(struct mask **ret, const struct world *world, const char *const *fields, size_t n, GError **error);
void mask_free(struct mask *mask);
AUTO_DEFINE(mask, mask_free)

/* The document with its fields masked; all else keeps its bytes. */
bool mask_document(struct mask *mask, struct slice document, struct arena *mem, struct slice *ret, GError **error);
/* A key: all of it where `ctx.key` is masked, else wherever a text that was masked in the last document stands in it.
 */
bool mask_key(struct mask *mask, struct slice key, struct arena *mem, struct slice *ret, GError **error);

/* The first field that no document so far had; NULL: none. */
const char *mask_unmet(const struct mask *mask);
