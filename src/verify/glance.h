/* The verifier's second look at sampled keys: by connections of its own, between the run's read of a record and its
 * write, each time that a write is about to be sent (verify/preimages.h says what that proves). Whoever writes says
 * which keys; what is seen is added to the sample's file, so that a resumed run still has it. */
#pragma once

#include "store/undo/undo_store.h"
#include "verify/verify.h"

struct glances;
struct glance;

/* Of the stage whose sample stands at `path`; *io, of an earlier one, is freed (NULL: there is none). What a process
 * that died amid an append left of it is cut off. */
bool glances_open(struct glances **io, const struct verify_input *input, const char *path, GError **error);
void glances_free(struct glances *glances);
AUTO_DEFINE(glances, glances_free)

/* Of one thread. */
struct glance *glance_new(struct glances *glances);
void glance_free(struct glance *glance);
AUTO_DEFINE(glance, glance_free)

/* The key is about to be written, as that write; lives until the next glance_take(). */
void glance_add(struct glance *glance, struct slice key, const struct undo_nth *place);
/* Looks at those that are of the sample, by the call's deadline and stop. What the store does not answer just then was
 * not seen, and the verdict says so. false: it fails for good, what was seen could not be written down, or the call was
 * to stop. */
bool glance_take(struct glance *glance, const struct call *by, GError **error);
