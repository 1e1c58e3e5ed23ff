/* A run's verification: what the plan froze, handed to the verifier. Internal to run/. */
#pragma once

#include "run/hold.h"
#include "run/watch.h"

/* Before the first write of a stage of a run on its own source: the sample of its records against which the undo log
 * will be held. Once taken it stays: a resume finds it, and what the verifier sees of its records while the stage is
 * written goes behind it (hold->shared.glances). Watched, as below; a guard that holds the run ends it as well.
 */
bool check_sample(struct hold *hold, uint32_t stage, struct watch *watch, GError **error);

/* Before a stage is written: where the spec names a cause, fresh records of the target are held against the contract.
 * HALTED, with what was found, where one breaks it. Watched, as above. ret_words: what was found, NULL: nobody asked;
 * the caller frees. */
bool check_cause(struct hold *hold, struct watch *watch, char **ret_words, GError **error);

/* Before the first stage is written, once: takes the measures of the spec and records them. Watched, as above. */
bool check_measures(struct hold *hold, struct watch *watch, GError **error);

/* Which partitions: those that are written, of one stage or of all; and those that are verified (`verify RUN`). */
struct check_wish {
    uint32_t stage; /* UINT32_MAX: all */
    bool verified_too;
    struct sampling_wish sure; /* a sample that proves so much; confidence 0: everything */
};

/* Verifies them; where they are a gate's (not `verified_too`) and pass, their sums are kept. Of other partitions' keys
 * nothing is said: only where all of the run is verified with these is the dataset looked through for keys that nobody
 * has visited. CANCELLED where a signal, or a wish, if the watch has a catalog, ended it: the watch says which. */
bool check_parts(struct hold *hold, const struct check_wish *wish, struct watch *watch, struct verify_result *ret,
                 GError **error);

/* Asks config->keep_report; what is not kept is removed. */
bool check_wants_report(const struct run_config *config, struct verify_result *io, bool *ret, GError **error);

/* Records the report (UINT32_MAX: of the whole run). ret_digest: BLAKE2b-256 of its summary and of its lines, by which
 * an approval names it. */
bool check_keep_report(struct hold *hold, uint32_t stage, const struct verify_result *result, uint8_t ret_digest[32],
                       GError **error);
