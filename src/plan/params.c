/* The values of a spec's params, as the frozen plan says them: whoever reads the spec again reads it with these. */
#include "plan/plan_parts.h"

json_t *plan_params_json(const struct spec *spec)
{
    json_t *object = json_object();
    for (size_t i = 0; i < spec->n_params; i++)
        json_object_set_new(object, spec->params[i].name, json_string(spec->params[i].value));
    return object;
}

static void put_after(const struct spec *spec, json_t *root)
{
    json_t *names = json_array();
    for (size_t i = 0; i < spec->n_after; i++)
        json_array_append_new(names, json_string(spec->after[i]));
    if (spec->n_after)
        json_object_set(root, "after", names);
    json_decref(names);
}

void plan_params_put(const struct plan *plan, json_t *root)
{
    put_after(plan->spec, root);
    if (plan->spec->n_params)
        json_object_set_new(root, "params", plan_params_json(plan->spec));
}

void plan_params_take(struct plan *plan, const json_t *root)
{
    json_t *object = json_object_get(root, "params"), *value;
    const char **params = arena_alloc0(plan->mem, (json_object_size(object) + 1) * sizeof(char *));
    const char *name;
    size_t n = 0;
    g_assert(params); /* the arena holds more than the plan's text */
    json_object_foreach(object, name, value)
    {
        g_autofree char *param = g_strdup_printf("%s=%s", name, json_string_value(value));
        params[n++] = plan_copy(plan, param);
    }
    plan->params = params;
}

json_t *plan_said_json(const struct plan *plan)
{
    json_t *said = json_object();
    plan_params_put(plan, said);
    plan_only_put(plan, said);
    plan_retries_put(plan, said);
    if (json_object_size(said) > 0)
        return said;
    json_decref(said);
    return NULL;
}

bool plan_said_read(struct catalog *catalog, const struct run_row *run, struct arena *mem, json_t **ret, GError **error)
{
    static const char *const SAID[] = {"params", "only", "scopes", "after", "retries"};
    struct slice text;
    if (!catalog_plan(catalog, run->id, mem, &text, error))
        return false;
    json_t *root = json_loadb((const char *)text.data, text.len, 0, NULL), *said = json_object();
    for (size_t i = 0; root && i < G_N_ELEMENTS(SAID); i++)
        if (json_object_get(root, SAID[i]))
            json_object_set(said, SAID[i], json_object_get(root, SAID[i]));
    bool ok = root != NULL;
    json_decref(root);
    if (ok)
        *ret = said;
    else
        json_decref(said);
    return ok || error_set(error, SLUICE_ERROR_CORRUPT, "%s: its frozen plan cannot be read", run->name);
}
