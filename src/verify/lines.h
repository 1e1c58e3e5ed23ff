/* A report read back, by whoever repairs what it names: the head of each line, without the documents. One that is
 * sealed is opened. */
#pragma once

#include "verify/verify.h"

#define REPORT_RULE "rule" /* the kind of a line that says what breaks a rule, and is no difference */

struct report_line {
    struct slice key, from; /* in the target; in the source */
    enum verify_class class;
    bool looked; /* somebody looked, and there was */
    bool present;
    struct digest seen; /* this record (digest_stored()), or none */
};

/* Every line of a difference in its order; slices live during the call. The digest of the whole file (BLAKE2b-256) is
 * the caller's to judge: he may have acted on lines of one that is not what it should be. CORRUPT names the line that
 * is none. */
struct report_lines {
    bool (*line)(void *self, const struct report_line *line, GError **error);
    bool (*text)(void *self, const char *text, GError **error); /* in its place, the whole line as it is; NULL */
    void *self;
};
bool report_read(const struct world *world, const char *path, const struct report_lines *into, uint8_t ret_digest[32],
                 GError **error);
/* Its lines as they are, for `sluice dump`. */
bool report_dump(const struct world *world, const char *path, const struct document_lines *into, GError **error);
