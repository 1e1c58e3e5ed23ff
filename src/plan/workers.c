/* How many workers a plan has whose spec does not say: with fewer than servers some of them would have nothing to do,
 * since a partition of a store with ranks is of one server at a time. */
#include "plan/plan_parts.h"

enum { MOST = 16, SLOT_MEMORY = 4096 };

static bool count_servers(const struct plan *plan, struct session *session, uint32_t *ret, GError **error)
{
    const struct slot_ops *slots = session_driver(session)->slots;
    auto_(arena) mem = arena_new(SLOT_MEMORY);
    struct call call = {.ds = &plan->source_ds, .mem = mem};
    g_autoptr(GHashTable) servers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    const char *name;
    for (uint32_t slot = 0; slot < slots->count && g_hash_table_size(servers) < MOST; slot++) {
        arena_reset(mem);
        if (!slots->server(session, &call, slot, &name, error))
            return false;
        if (name)
            g_hash_table_add(servers, g_strdup(name));
    }
    *ret = g_hash_table_size(servers);
    return true;
}

bool plan_workers_decide(struct plan *plan, struct session *session, GError **error)
{
    const struct slot_ops *slots = session_driver(session)->slots;
    uint32_t servers = 0;
    plan->limits.workers = plan->spec->workers;
    if (plan->spec->workers > 0)
        return true;
    if (plan->listed && slots && slots->server && !count_servers(plan, session, &servers, error))
        return false;
    plan->limits.workers = MAX(servers, (uint32_t)PLAN_WORKERS);
    return true;
}
