/* What has paused a run that needs a person: a person, or the run itself, which then has the act of whoever drove it
 * and says by what it was. Pure. */
#pragma once

#include "catalog/catalog.h"

/* Of the run itself, as run_move.pauser has it: one of these, `protect.rejects` and the like, a gate, or a hook. */
#define PAUSER_BUDGET "its budget"
#define PAUSER_SOURCE "source.until"
#define PAUSER_BACK   "its rollback"
#define PAUSER_GATE   "the gate of stage " /* … and its name */

/* Of a guard its name, of a person who it was. For one that is PAUSED; as long as the row. */
const char *pauser_of(const struct run_row *run);
