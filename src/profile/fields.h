/* What the values of each field are like: how many are there, null or absent, how many different ones, where numbers
 * and lengths lie, which come most; and what has changed between two such profiles. Fields are those at the top of a
 * document. Memory is bounded: PROFILE_FIELDS fields of some 40 KiB; what more there are is passed over. One thread at
 * a time. */
#pragma once

#include "base/int.h"
#include "profile/distinct.h"
#include "profile/drift.h"
#include "profile/quantiles.h"
#include "profile/top.h"
#include "record/document.h"
#include "record/element.h"

#define PROFILE_FIELDS 40
#define PROFILE_NAME   1024 /* bytes of a field's name; what is called longer is passed over */

struct profile_field {
    char *name;
    uint64_t present, nulls, numbers; /* values, of them numbers (or texts that are one); nulls are no values */
    bool moved;                       /* flagged, against what it was held against; whoever compares says so */
    struct distinct distinct;
    struct quantiles values;  /* of the numbers */
    struct quantiles lengths; /* of the texts, in bytes */
    struct top top;
};

struct profile;
struct profile *profile_new(void);
void profile_free(struct profile *profile);
AUTO_DEFINE(profile, profile_free)
void profile_add(struct profile *profile, struct slice document);
/* The same in two steps: a record, which false says the document is not, and each of its values. */
bool profile_add_record(struct profile *profile, struct slice document, struct elements *ret);
void profile_add_value(struct profile *profile, const struct element *value);
void profile_merge(struct profile *into, struct profile *from); /* of other records, or other fields of the same */
/* Every record counts `by` (0 … 1) times what it did: shares stay what they are, and say less surely so. */
void profile_scale(struct profile *profile, double by);
uint64_t profile_records(const struct profile *profile);
void profile_set_records(struct profile *profile, uint64_t records); /* of one that is read back */
size_t profile_count(const struct profile *profile);
struct profile_field *profile_at(struct profile *profile, size_t i);
/* Made where there is none and there is room; NULL: there is no room for another one, or for such a name. */
struct profile_field *profile_field_of(struct profile *profile, struct slice name);
struct profile_field *profile_find(struct profile *profile, const char *name); /* NULL: no record had it */

/* As it is kept (docs/formats/profile.md), and back. NULL: the bytes make no sense; the caller frees. */
void profile_put(struct profile *profile, GByteArray *into);
struct profile *profile_get(struct reader *reader);

/* One field, before and after. */
enum profile_how { PROFILE_NUMBERS, PROFILE_CLASSES, PROFILE_LENGTHS };
struct profile_shift {
    const char *name;                     /* of the profile of one of them */
    struct profile_field *before, *after; /* NULL: no record had it */
    enum profile_how how;                 /* what was compared, of the values */
    double psi;
    struct drift_test test;               /* Kolmogorov–Smirnov of numbers and lengths, chi-square of classes */
    double missing_before, missing_after; /* shares of records without a value */
    bool flagged;
};
/* The caller frees with g_array_unref(); it borrows both. Every field of either, flagged where values or the share of
 * records without one have shifted by more than the limits of drift.h. Fewer than PROFILE_LEAST records flag nothing.
 */
#define PROFILE_LEAST 100
GArray *profile_compare(struct profile *before, struct profile *after);
