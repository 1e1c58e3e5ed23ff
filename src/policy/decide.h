/* What becomes of a wanted record: the one place for every store that says write, unchanged, kept live or delete.
 *
 * Pure. It knows versions, presence and equality; it knows nothing of stores. Its test is the table of all cases. */
#pragma once

#include "record/version.h"

enum decide_conflict { DECIDE_NEWER_WINS, DECIDE_CONFLICT_KEEP_LIVE, DECIDE_OVERWRITE };

/* Frozen in the plan. */
struct decide_rules {
    bool same_dataset; /* source and target are one: no conflict policy applies, the image is the source */
    bool fill;         /* only where the key is absent */
    enum decide_conflict conflict;
    bool write_unversioned; /* `unversioned: overwrite` */
    bool repair_ties;       /* `ties: repair` */
    bool only_seen; /* a repair: only what the verification saw standing there is written over, if it still does */
    int64_t skew_ms;
};

struct decide_case {
    bool want_delete;      /* the transform or a tombstone asks for the key's removal */
    struct version wanted; /* of the source record */
    bool live_present;
    struct version live;
    bool equal;       /* content and expiry of the live record are what is wanted */
    bool was_present; /* an earlier look of this run at the live key found a record */
    bool seen;        /* the live record, or that there is none, is what the verification saw */
    bool ours;        /* the live record is what this run wrote for this very source record */
};

enum decision {
    DECISION_WRITE,
    DECISION_DELETE,
    DECISION_UNCHANGED,
    DECISION_KEPT_LIVE,
};

enum decision decide(const struct decide_rules *rules, const struct decide_case *of);
