/* A run's verification: what the plan froze, handed to the verifier. Internal to run/. */
#pragma once

#include "run/hold.h"
#include "run/watch.h"

/* Before the first write of a run on its own source: the sample against which the undo log will be held. */
bool check_sample(struct hold *hold, GError **error);

/* Verifies the partitions that are written; `whole`: those that are verified too (`verify RUN`). CANCELLED where a
 * signal, or a wish, if the watch has a catalog, ended it: the watch says which. */
bool check_parts(struct hold *hold, bool whole, struct watch *watch, struct verify_result *ret, GError **error);
