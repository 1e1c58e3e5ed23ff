/* One look at a run: how it stands, who drives it, what limits it. What `status`, `list` and the server say of a run is
 * said here, once. */
#pragma once

#include "run/outlay.h"
#include "run/readable.h"
#include "view/guards.h"

/* Where one looks. The catalog may be one for reading. */
struct look_from {
    const struct world *world;
    const char *home;
    struct catalog *catalog;
};

/* A run that is over asks for no look at its lock. */
struct look {
    struct delivery_counts hooks; /* that were not told */
    bool held;                    /* a process drives it at this moment */
    struct run_limit limit;       /* what limits that one; of one that is over, what it cost */
    struct outlay outlook;
    struct readable readable; /* until when its source can be */
    struct straggler *stragglers;
    size_t n_stragglers;
    struct guards_view guards;
    int64_t undo_ms;   /* a rollback is possible until then; 0: no limit, or nothing to take back */
    bool undo_expired; /* … and was */
};
/* What is borrowed lives in `mem`. What a run that is over has cost is looked up by look_back(), for one run at a time.
 */
bool look_at_run(const struct look_from *from, const struct run_row *run, struct arena *mem, struct look *ret,
                 GError **error);
void look_back(const struct look_from *from, const struct run_row *run, struct arena *mem, struct look *io);
void look_done(struct look *look);

/* A run as `list --json` has it. */
json_t *look_json(const struct run_row *run, const struct look *look);
/* The same with its stages, and what it was asked to do: the document of `status --json`. */
bool look_status_json(const struct look_from *from, const struct run_row *run, struct arena *mem, json_t **ret,
                      GError **error);
