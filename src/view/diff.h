/* What lies between two runs: what they were made from, what was planned, what came of it. */
#pragma once

#include "view/look.h"

struct diff_wish {
    const char *a, *b; /* NAME.N, or NAME for its newest */
    uint64_t examples; /* of keys that ended otherwise, at most */
};
/* The document of `diff --json`. */
bool diff_json(const struct look_from *from, const struct diff_wish *wish, json_t **ret, GError **error);
