/* One stage and the gate behind it: written, judged, left to soak, approved.
 *
 *     pending ─▶ running ─▶ verifying ─▶ [waiting: soak, approval] ─▶ passed
 *
 * Each arrow is a catalog transaction with its ledger entry, so a process may die between any two: the next one finds
 * the stage where it stood. A stage that waits has been verified, and is not verified again. Internal to run/. */
#pragma once

#include "run/hold.h"

/* Takes the stage from where it stands up to `passed`. *ret_passed false: the run has ended, or was stopped, and the
 * result says how. */
bool gate_drive(struct hold *hold, const struct stage_row *stage, struct run_result *ret, bool *ret_passed,
                GError **error);

/* A person has denied it: the stage has failed, the run pauses. Also for a run that no process holds. */
struct gate_denial {
    struct catalog *catalog;
    const struct run_row *run;
    const struct stage_row *stage;
    struct act act;
};
bool gate_deny(const struct gate_denial *denial, char **ret_text, GError **error);
