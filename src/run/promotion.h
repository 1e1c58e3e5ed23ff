/* Making a shadow live: the in-place protocol once more, with the shadow as its source. Internal to run/.
 *
 * Its keys are those of the run's undo log (undo/chains.h): of each key the log has what the run wrote last, and what
 * stood live when it first did. Partitions, lanes and undo entries are the promotion's own. docs/shadow.md */
#pragma once

#include "run/hold.h"

/* All gates of the run have passed: goes on with a promotion that has begun; else the run waits for one. */
bool promotion_reached(struct hold *hold, struct run_result *ret, GError **error);
