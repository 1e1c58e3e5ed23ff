/* Telling whoever gave the call what happens (run/run.h). Internal to run/. */
#pragma once

#include "run/run.h"

/* Nobody, where nobody wants to know. */
void run_tell(const struct run_config *config, const struct run_event *event);
