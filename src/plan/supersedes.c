/* The run that a plan supersedes: its name stands in the frozen text, under the digest, only where there is one. */
#include "plan/plan_parts.h"

#define KEY "supersedes"

void plan_supersedes_put(const struct plan *plan, json_t *root)
{
    if (plan->supersedes)
        json_object_set_new(root, KEY, json_string(plan->supersedes));
}

void plan_supersedes_take(struct plan *plan, const json_t *root)
{
    const char *name = json_string_value(json_object_get(root, KEY));
    plan->supersedes = name ? plan_copy(plan, name) : NULL;
}

bool plan_supersedes_read(struct catalog *catalog, const struct run_row *run, struct arena *mem, const char **ret,
                          GError **error)
{
    struct slice text;
    if (!catalog_plan(catalog, run->id, mem, &text, error))
        return false;
    json_t *root = json_loadb((const char *)text.data, text.len, 0, NULL);
    const char *name = json_string_value(json_object_get(root, KEY));
    const char *copy = name ? arena_text(mem, slice_of_text(name)) : NULL;
    bool ok = root && (copy || !name);
    json_decref(root);
    if (ok)
        *ret = copy;
    return ok || error_set(error, SLUICE_ERROR_CORRUPT, "%s: its frozen plan cannot be read", run->name);
}

/* `unique` is decided over what will stand, and read from what stands now: the other run's output. */
bool plan_supersedes_check(const struct plan *plan, GError **error)
{
    const struct contract *contract = recipe_contract(plan->recipe);
    size_t n = 0;
    if (!plan->supersedes || !plan->same_dataset || !contract)
        return true;
    contract_unique(contract, &n);
    return n == 0 || error_set(error, SLUICE_ERROR_REFUSED,
                               "%s: its `unique` cannot be decided while the writes of %s stand; take them back first "
                               "(`sluice rollback %s`), then run without --supersede",
                               plan->spec->contract, plan->supersedes, plan->supersedes);
}
