/* Where a shadow may be written. */
#include "plan/plan_parts.h"

bool plan_shadow_stays(const struct plan *plan, GError **error)
{
    auto_(session) session = NULL;
    auto_(arena) mem = arena_new(1 << 20);
    struct call call = {.ds = &plan->target_ds, .mem = mem};
    if (plan->write != WRITE_SHADOW || !plan->target)
        return true;
    return store_session_open(&session, plan->target, error) && store_shadow_check(session, &call, error);
}
