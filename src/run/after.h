/* `after: [OTHER]`: a run begins when the newest run of each of these specs, in the same home, is done. */
#pragma once

#include "run/hold.h"

/* Before a new run is planned: what it lists is what the others left. Returns when all are done; PAUSED where one of
 * them needs a person first, or where the call is not to wait (exit_on_pause); INTERRUPTED by a signal; REFUSED where
 * one of them waits for this spec. The message says for whom. */
bool after_wait(const struct run_config *config, struct catalog *catalog, const struct spec *spec, GError **error);

/* The same for a run that is planned and has not begun: it is WAITING meanwhile. *ret_go false: it has ended, and the
 * result says how. */
bool after_first(struct hold *hold, struct run_result *ret, bool *ret_go, GError **error);
