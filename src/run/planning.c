#include "run/planning.h"

#include "run/hold.h"

static bool begin(void *self, const struct plan *plan, GError **error)
{
    struct planning_pace *pace = self;
    const struct govern_self who = {
        .what = plan->spec->name, .home = pace->config->home, .learned = pace->config->learned};
    if (!spec_live_given(&plan->limits.live))
        return true;
    limits_reset(&pace->limits, &plan->limits);
    if (!govern_begin(&pace->govern, pace->config->world, plan, &pace->limits, &who, error))
        return false;
    atomic_store(&pace->measures, pace->govern != NULL);
    return true;
}

static void end(void *self)
{
    struct planning_pace *pace = self;
    g_clear_pointer(&pace->govern, govern_end);
}

void planning_pace_init(struct planning_pace *pace, const struct run_config *config)
{
    *pace = (struct planning_pace){.config = config, .around = {.begin = begin, .end = end, .self = pace}};
    limits_init(&pace->limits);
}

void planning_pace_done(struct planning_pace *pace)
{
    limits_done(&pace->limits);
}

bool planning_make(struct plan **ret, const struct run_config *config, struct spec *spec, GError **error)
{
    struct planning_pace pace;
    struct plan_config plan_config = hold_plan_config(config);
    planning_pace_init(&pace, config);
    plan_config.around = &pace.around;
    bool made = plan_make(ret, &plan_config, spec, error);
    planning_pace_done(&pace);
    return made;
}
