/* How long what a run leaves is kept: frozen with its plan, and written down only where there is something to say. */
#include "plan/plan_parts.h"

#define KEY    "retain"
#define SEALED "sealed"

void plan_retain_put(const struct plan *plan, json_t *root)
{
    const struct spec_retain *retain = &plan->spec->retain;
    if (plan->sealed)
        json_object_set_new(root, SEALED, json_true());
    if (retain->undo_ms || retain->quarantine_ms || retain->reports_ms)
        json_object_set_new(root, KEY,
                            json_pack("{s:I, s:I, s:I}", "undo_ms", (json_int_t)retain->undo_ms, "quarantine_ms",
                                      (json_int_t)retain->quarantine_ms, "reports_ms", (json_int_t)retain->reports_ms));
}

void plan_retain_take(struct plan *plan, const json_t *root)
{
    plan->sealed = json_is_true(json_object_get(root, SEALED));
}

bool plan_retain_read(struct catalog *catalog, const struct run_row *run, struct arena *mem, struct spec_retain *ret,
                      GError **error)
{
    struct slice text;
    json_int_t undo_ms = 0, quarantine_ms = 0, reports_ms = 0;
    if (!catalog_plan(catalog, run->id, mem, &text, error))
        return false;
    json_t *root = json_loadb((const char *)text.data, text.len, 0, NULL), *retain = json_object_get(root, KEY);
    bool ok = root && (!retain || json_unpack(retain, "{s:I, s:I, s:I}", "undo_ms", &undo_ms, "quarantine_ms",
                                              &quarantine_ms, "reports_ms", &reports_ms) == 0);
    json_decref(root);
    if (ok)
        *ret = (struct spec_retain){.undo_ms = undo_ms, .quarantine_ms = quarantine_ms, .reports_ms = reports_ms};
    return ok || error_set(error, SLUICE_ERROR_CORRUPT, "%s: its frozen plan cannot be read", run->name);
}

bool plan_source_read(struct catalog *catalog, const struct run_row *run, struct arena *mem, const char **ret,
                      GError **error)
{
    struct slice text;
    const char *store = NULL;
    if (!catalog_plan(catalog, run->id, mem, &text, error))
        return false;
    json_t *root = json_loadb((const char *)text.data, text.len, 0, NULL);
    const char *copy = root && json_unpack(root, "{s:{s:s}}", "source", "store", &store) == 0
                           ? arena_text(mem, slice_of_text(store))
                           : NULL;
    json_decref(root);
    if (copy)
        *ret = copy;
    return copy || error_set(error, SLUICE_ERROR_CORRUPT, "%s: its frozen plan cannot be read", run->name);
}
