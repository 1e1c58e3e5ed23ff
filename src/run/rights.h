/* Who may do what to a run: by `owner.may` and the environment of its frozen plan, for users and groups of the
 * operating system. Internal to run/. */
#pragma once

#include "run/run.h"

/* NOT_PERMITTED, naming who may; with an entry of the ledger (`refused`). */
bool rights_may(const struct run_config *config, struct catalog *catalog, const struct run_row *run,
                enum spec_may_what what, struct arena *mem, GError **error);

/* The same of an approval: the stage's own approver, `owner.may.approve`, and not who planned the run. */
bool rights_may_approve(const struct run_config *config, struct catalog *catalog, const struct run_row *run,
                        const struct plan_rights *rights, const struct plan_stage *stage, GError **error);

/* Whether a run may be made of the plan, by what its environment asks for. NOT_PERMITTED, with an entry of the ledger.
 */
bool rights_may_begin(const struct run_config *config, struct catalog *catalog, const struct plan *plan,
                      GError **error);
