/* Telling whoever gave the call what happens (run/run.h). Internal to run/. */
#pragma once

#include "run/run.h"

/* Nobody, where nobody wants to know. */
void run_tell(const struct run_config *config, const struct run_event *event);
/* Words about a run, with its state as it is by now; where the catalog does not say, as it is known (id, name, state).
 * Of id 0: about none. */
void run_tell_note(const struct run_config *config, struct catalog *catalog, const struct run_row *known,
                   const char *text);
