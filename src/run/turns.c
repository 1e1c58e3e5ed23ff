#include "run/turns.h"

#include "catalog/lock.h"
#include "run/limits.h"

/* As it was planned, or set since. */
static bool priority_of(struct catalog *catalog, const struct run_row *run, struct arena *mem, uint32_t *ret,
                        GError **error)
{
    struct plan_limits frozen;
    struct limits limits;
    limits_init(&limits);
    bool ok = plan_limits_read(catalog, run, mem, &frozen, error);
    if (ok) {
        limits_reset(&limits, &frozen);
        ok = limits_take_settings(&limits, catalog, run->id, mem, error);
        *ret = limits_priority(&limits);
    }
    limits_done(&limits);
    return ok;
}

/* Another dataset of the same store feels it as well. */
static bool same_servers(const char *a, const char *b)
{
    size_t len = strcspn(a, "#");
    return len == strcspn(b, "#") && strncmp(a, b, len) == 0;
}

static bool is_held(const struct run_config *config, const char *run)
{
    struct run_holder holder;
    return run_lock_holder(&holder, config->world, config->home, run, NULL) && holder.live;
}

bool turns_look(const struct turns_wish *wish, struct arena *mem, char **ret, GError **error)
{
    struct run_row *runs;
    size_t n;
    uint32_t highest = wish->priority;
    const char *first = NULL;
    if (!catalog_runs_at_work(wish->catalog, mem, &runs, &n, error))
        return false;
    for (size_t i = 0; i < n; i++) {
        uint32_t priority = 0;
        if (runs[i].id == wish->run || !same_servers(runs[i].target, wish->target) ||
            !is_held(wish->config, runs[i].name))
            continue;
        if (!priority_of(wish->catalog, &runs[i], mem, &priority, error))
            return false;
        if (priority > highest) {
            highest = priority;
            first = runs[i].name;
        }
    }
    *ret = first ? g_strdup_printf("%s of priority %u goes before this one, of %u, to the same servers", first, highest,
                                   wish->priority)
                 : NULL;
    return true;
}
