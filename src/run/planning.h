/* What the spec promises to live requests (docs/pace.md), kept while its plan is made: whoever plans lists keys, and
 * reads samples. Internal to run/. */
#pragma once

#include "run/govern.h"
#include "run/run.h"

struct planning_pace {
    const struct run_config *config;
    struct limits limits;
    struct govern *govern;
    atomic_bool measures;      /* the live latency, before anything is listed */
    struct plan_around around; /* for struct plan_config */
};

/* It stays where it is until it is done. */
void planning_pace_init(struct planning_pace *pace, const struct run_config *config);
void planning_pace_done(struct planning_pace *pace);

/* plan_make() at that pace, of what nobody watches. */
bool planning_make(struct plan **ret, const struct run_config *config, struct spec *spec /* taken over on success */,
                   GError **error);
