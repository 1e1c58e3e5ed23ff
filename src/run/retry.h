/* Retrying: a run for the records that another run refused, or that a report of its verification names (repair.h), read
 * anew from the source. Internal to run/.
 *
 * It is a run like any other, with a plan, gates and an undo log of its own; only what takes part is chosen by the
 * quarantine of the other run, which must be done. Which records they are is frozen with the plan (plan/retries.c), so
 * that nothing of that quarantine is needed afterwards. What one retry has taken no other takes: a transform that is
 * not idempotent would be applied to its own result. What it refuses in turn stands in its own quarantine. */
#pragma once

#include "run/hold.h"

struct retry {
    struct arena *mem; /* the caller's: everything below lives there */
    struct run_row old;
    struct plan_retry plan; /* run NULL: nothing is retried */
};

/* What config->retry refused, or config->repair names. REFUSED where that run is not done, where another run has
 * retried it, or where a later one has written its own source since; NOT_FOUND where it refused nothing. */
bool retry_ask(struct retry *io, const struct run_config *config, struct catalog *catalog, const struct spec *spec,
               GError **error);

/* Of the spec, with these digests and in a state that `fits`: the newest run that retries config->retry (NULL: that
 * retries nothing); ret->id == 0: none. In `mem`. */
struct retry_wish {
    const char *spec_name;
    const struct plan_digests *digests;
    bool (*fits)(enum run_state state);
};
bool retry_find(struct catalog *catalog, const struct run_config *config, const struct retry_wish *wish,
                struct arena *mem, struct run_row *ret, GError **error);

/* Sorts, and leaves one of each; how many. */
guint retry_unique(GArray *array, int (*compare)(const void *, const void *));

/* REFUSED where the plan would write elsewhere than the run that it retries. */
bool retry_target(const struct retry *retry, const struct plan *plan, GError **error);
