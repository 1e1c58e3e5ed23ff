/* Superseding: a run that takes another one back before its own first write. Internal to run/.
 *
 * The relation is frozen in the plan of the new run, which is therefore made first: whoever goes on with that run, with
 * whatever command, finds the other one not yet taken back and sees to it (supersede_first). So there is no moment at
 * which a death loses what was asked for. The other run's own log, lanes and partitions do the taking back, exactly as
 * `sluice rollback` does: the new run's undo log begins from what stood before both.
 *
 * What the application has written since the other run is left alone by both: its keys stand in that run's notes, and
 * the new run keeps them live, for a transform may not be applied to its own result (docs/mending.md). */
#pragma once

#include "run/hold.h"

/* What the new run is planned with. */
struct supersede {
    struct arena *mem; /* the caller's: everything below lives there */
    struct run_row old;
    struct job_keys deleted; /* by the old run: they are not there yet when the new one lists its keys */
};

/* Whether config->supersede may be superseded by a new run of the spec: it exists, its writes stand, no rollback of it
 * has begun, no process holds it, the caller may roll it back, and its undo log is whole. Settles what dead holders of
 * it left; moves nothing. An unfinished run of these digests (io->run) must be one that supersedes it already; the very
 * run that did so and is done is found too, so that the command may be repeated. Everything in io_supersede->mem. */
bool supersede_ask(struct supersede *io_supersede, const struct run_config *config, struct catalog *catalog,
                   const struct run_new *wish, struct run_result *io, GError **error);

/* Whether the run's writes may be superseded, by its state alone: for offering it. */
bool supersede_may(const struct run_row *run, GError **error);

/* Takes back what the held run supersedes, if it still stands. *ret_go false: that was stopped, and `ret` says how.
 * Nothing of the held run is open yet: the other one needs the lock of the dataset. */
bool supersede_first(struct hold *hold, struct run_result *ret, bool *ret_go, GError **error);

/* *ret_way: words, where an open run is to supersede the held one: it does not go on. */
bool supersede_waits(struct hold *hold, char **ret_way, int *ret_status, GError **error);

/* Same dataset: the keys that the application wrote after any of the runs that this one, or one of those, supersedes.
 */
bool supersede_left(struct hold *hold, struct job_keys *ret, GError **error);

/* With which words a run ends as rolled back. NULL for neither; the caller frees. */
char *supersede_reason(const char *by, const char *beside);
