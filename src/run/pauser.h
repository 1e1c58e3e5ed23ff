/* What has paused a run that needs a person: a person, or the run itself, which then has the act of whoever drove it
 * and says why in its reason. Pure. */
#pragma once

#include "catalog/catalog.h"

/* How such a reason begins. */
#define PAUSER_BUDGET  "the budget is spent: "
#define PAUSER_SOURCE  "its source could be read until "
#define PAUSER_BACK    "the stages from "
#define PAUSER_GATE    "the gate of stage "
#define PAUSER_FAILED  " failed: " /* … behind the stage's name */
#define PAUSER_HOOK    "hook "
#define PAUSER_UNHEARD " must hear of " /* … behind the hook's */
#define PAUSER_LIMIT   ", more than "   /* the limit follows … */
#define PAUSER_ALLOWS  " allows ("

/* `the gate of stage canary`, `its budget`, `protect.rejects`; of a guard its name, of a person who it was. For one
 * that is PAUSED. The caller frees. */
char *pauser_of(const struct run_row *run);
