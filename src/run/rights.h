/* Who may do what to a run: by `owner.may` of its frozen plan, for users and groups of the operating system. Internal
 * to run/. */
#pragma once

#include "run/run.h"

/* NOT_PERMITTED, naming who may. */
bool rights_may(const struct run_config *config, struct catalog *catalog, const struct run_row *run,
                enum spec_may_what what, struct arena *mem, GError **error);

/* An approval: the stage's own approver, `owner.may.approve`, and not who planned the run. */
bool rights_may_approve(const struct run_config *config, const struct run_row *run, const struct plan_rights *rights,
                        const struct plan_stage *stage, GError **error);
