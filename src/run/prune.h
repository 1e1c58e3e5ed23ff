/* Pruning: what runs have left goes when its time is over (docs/retain.md).
 *
 * A run at a time, under its lock: its expiry is committed with the ledger entry, then files go, then what rows say of
 * keys. Last the catalog's files are written anew, and each row says that all of it is gone. Whoever prunes after a
 * death finds expiries without that word, and goes on. */
#pragma once

#include "run/retain.h"
#include "run/run.h"

struct prune_item {
    const char *run;
    enum expiry_what what;
    int64_t due_ms; /* when its time was over */
    uint64_t files, bytes;
    const char *kept; /* why it is not removed; NULL: it is, or would be */
};

struct prune_result {
    struct arena *mem;
    struct prune_item *items; /* in the order of the runs */
    size_t n;
    int64_t next_ms; /* when the next time is over; 0: none will be */
};
void prune_result_done(struct prune_result *result);

/* dry_run: writes nothing, takes no lock. True also where something was kept; the items say what and why. */
bool run_prune(const struct run_config *config, bool dry_run, struct prune_result *ret, GError **error);
