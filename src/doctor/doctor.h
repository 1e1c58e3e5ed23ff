/* The preflight of a spec: a table of checks (doctor/check_rows.h), each of which says ok, warn or fail and what to do.
 *
 * Writes nothing: stores are opened for reading only, and the home is only looked at. One thread. */
#pragma once

#include "plan/plan.h"

enum doctor_level { DOCTOR_OK, DOCTOR_WARN, DOCTOR_FAIL, DOCTOR_SKIP /* what it needs has failed */ };

struct doctor_finding {
    const char *check, *words; /* its name, and what it is about */
    enum doctor_level level;
    char *text; /* what was found */
    char *todo; /* what to do about it; NULL: nothing */
    /* FAIL: 2 where spec, contract or transform are wrong, 6 where something could not be reached, 7 where the run
     * would be refused. */
    int exit_status;
};

struct doctor_config {
    const struct world *world;
    struct store_registry *registry;
    const char *home, *spec_path;
    const char *const *params; /* NAME=VALUE, ends with NULL; NULL: none */
    const atomic_int *signals;
};

/* All checks; the caller frees the array (of struct doctor_finding). */
GArray *doctor_examine(const struct doctor_config *config);
const char *doctor_level_word(enum doctor_level level);
/* That of the first failure; 0: nothing fails. */
int doctor_exit_status(const GArray *findings);
