/* Golden data: what a spec expects of the target (`expect:`), held against what stands there. Records are looked at by
 * key, aggregates by one pass over the whole dataset; exact, both: sums to 34 digits, distinct values counted on disk.
 * Memory is bounded by a batch. */
#pragma once

#include "verify/index.h"

#define EXPECT_NAMED 3u /* of many that break one, so many are named in words */

struct expect_result {
    const struct spec_expect *of; /* the spec's */
    bool holds;
    char *found;               /* in words: what stands there instead, or stands there indeed */
    struct index_counts index; /* of an index */
};

/* The array, of struct expect_result, is the caller's to unref. */
struct expect_wish {
    const struct verify_input *input;
    const bool *due;          /* by expectation; NULL: all are judged */
    bool hidden;              /* what stands in records is not told, only that it is not so */
    uint64_t revived;         /* records that the run deleted and that stand there again, and … */
    const char *revived_keys; /* … the first of them, in words */
    /* Each thing that does not agree with an index, by name. */
    bool (*fault)(void *self, const struct spec_expect *of, const struct index_fault *fault, GError **error);
    void *self;
};
bool expect_judge(const struct expect_wish *wish, GArray **ret, GError **error);
/* "balance: is 12.5, not 13"; the caller frees. */
char *expect_words(const struct expect_result *result);
