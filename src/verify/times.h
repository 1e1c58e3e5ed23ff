/* The time buckets of a spec (`buckets`), of all records of the target's dataset, by one walk: what is out of line
 * there (profile/buckets.h says when), as evidence for whoever reads the verdict. It passes and fails nothing.
 *
 * One thread. Memory is bounded by a batch, and by BUCKETS_MOST buckets of each. */
#pragma once

#include <jansson.h>

#include "profile/buckets.h"
#include "verify/verify.h"

struct times_found {
    const struct spec_buckets *of; /* the spec's */
    struct buckets *buckets;
    uint64_t records, undated; /* those that are in a bucket, and those without a point in time */
    uint64_t summed;           /* those of them that have a number to be added up */
    GArray *flags;             /* of struct bucket_flag; NULL: they cannot be judged */
};

/* *ret: of struct times_found, in the order of the spec; the caller's to unref. */
bool times_take(const struct verify_input *input, GArray **ret, GError **error);

/* "a trough of counts from … to …: 12, where about 480 were expected". The caller frees. */
char *times_flag_words(const struct bucket_flag *flag);
/* Why they cannot be judged; NULL: they can, and were. */
const char *times_fault(const struct times_found *found);
/* "; …" for the verdict, where something is flagged or cannot be judged. */
void times_words(const GArray *found, GString *into);
/* Each flag with its range, as `source.range` takes it. */
json_t *times_json(const GArray *found);
/* The same table for people. */
void times_put(GString *page, const GArray *found);
