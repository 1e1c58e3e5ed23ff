/* Environments: what whoever owns a home asks of every run on some targets, whatever its spec says
 * (docs/environments.md). They stand in HOME/environments.yaml, outside every spec; what is asked of a run is frozen
 * with its plan, so that a change of the file is a change of the next plan and of no run. */
#pragma once

#include <jansson.h>

#include "plan/plan.h"

struct environment {
    const char *name;
    const char **targets; /* with *: of `target.store`; right behind it, how many */
    size_t n_targets;
    const char **specs; /* with *: of `name` */
    size_t n_specs;
    const char *approve; /* a user or group, for the gate of the first stage; NULL: as the spec says */
    double canary;       /* what the first stage may hold at most, of all records; 0: it is not asked */
    bool reason;         /* whoever widens a run says why */
};

/* The one that the spec names, else the first that it fits; *ret NULL: it is in none. In `mem`. SPEC where the file is
 * wrong, or knows no such one; REFUSED where the spec names another than that of its target. */
bool environment_find(const struct environment **ret, const struct world *world, const char *home,
                      const struct spec *spec, struct arena *mem, GError **error);

/* Whether a run may be made of the plan: NOT_PERMITTED says what is missing. `reason` NULL: the command gave none. */
bool environment_permits(const struct plan *plan, const char *reason, GError **error);

/* In a frozen plan's text: only where there is one. */
void environment_put(const struct environment *environment, json_t *root);
bool environment_take(json_t *root, struct arena *mem, const struct environment **ret);
/* Whether both ask for the same. */
bool environment_equal(const struct environment *a, const struct environment *b);
