/* What orders two states of one key: an integer (also its decimal text: some stores hold nothing but text), or a point
 * in time (a datetime, or a string in RFC 3339 form). */
#pragma once

#include "record/path.h"

enum version_kind { VERSION_NONE, VERSION_INTEGER, VERSION_TIME };

struct version {
    enum version_kind kind;
    int64_t value; /* TIME: microseconds since 1970 UTC */
};

/* Absent or null at the path: VERSION_NONE and true. Something that is neither: BAD_RECORD. */
bool version_of(const struct path *path, struct slice document, struct version *ret, GError **error);

/* When a record expires that says so at the path: a point in time; EXPIRES_NEVER where it has none. */
bool version_expiry(const struct path *path, struct slice document, int64_t *ret_ms, GError **error);

enum version_order { VERSION_OLDER, VERSION_TIE, VERSION_NEWER, VERSION_UNORDERED /* one has none, or kinds differ */ };

/* How `a` stands to `b`; times closer than skew_ms are a tie, integers only when equal. */
enum version_order version_compare(struct version a, struct version b, int64_t skew_ms);
