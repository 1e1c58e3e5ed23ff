/* The end of a run, as the store keeps it for homes that do not know of it. Internal to run/.
 *
 * When a run ends, its fences go. A home that was copied before and is used after that (a backup that was restored)
 * would find nothing in the store of all that was written since, make the fences anew, and write it a second time. So
 * before they go an entry of the ledger says that the run is about to end, and the store is left the ledger's head: a
 * number and a digest. A home whose ledger has just that entry is the one that ended the run, or a copy from after it;
 * any other one is from before. */
#pragma once

#include "run/hold.h"

/* Before anything that tells of the run goes from the store. */
bool ended_mark(struct hold *hold, const struct call *call, GError **error);
/* BEHIND where the run was ended with another copy of this home; hold->elsewhere says so, too. */
bool ended_check(struct hold *hold, const struct call *call, GError **error);
