/* Stages, gates, and who may do what, as the frozen plan says it: written into the plan's text and read back from it,
 * by a run that goes on, and by `approve` and the like, which open nothing else. */
#include "plan/environment.h"
#include "plan/plan_parts.h"

static json_t *text_or_null(const char *text)
{
    return text ? json_string(text) : json_null();
}

static json_t *sure_json(const struct spec_sure *sure)
{
    json_t *list = json_pack("[f, f]", sure->confidence, sure->below);
    if (sure->each > 0)
        json_array_append_new(list, json_real(sure->each));
    return list;
}

json_t *plan_stages_json(const struct plan *plan)
{
    json_t *list = json_array();
    for (size_t i = 0; i < plan->n_stages; i++) {
        const struct plan_stage *stage = &plan->stages[i];
        bool sampled = stage->sure.confidence > 0;
        json_t *item = json_pack("{s:s, s:I, s:I, s:b, s:I, s:o}", "name", stage->name, "partitions",
                                 (json_int_t)stage->parts, "records", (json_int_t)stage->records, "sampled", sampled,
                                 "soak_ms", (json_int_t)stage->soak_ms, "approve", text_or_null(stage->approve));
        if (sampled)
            json_object_set_new(item, "sure", sure_json(&stage->sure));
        json_array_append_new(list, item);
    }
    return list;
}

/* Only what `owner.may` grants: what is not there, everyone may. */
json_t *plan_may_json(const struct spec *spec)
{
    json_t *object = json_object();
    for (int what = 0; what < SPEC_MAY_COUNT; what++) {
        const struct spec_may *may = &spec->may[what];
        if (may->n == 0)
            continue;
        json_t *names = json_array();
        for (size_t i = 0; i < may->n; i++)
            json_array_append_new(names, json_string(may->names[i]));
        json_object_set_new(object, spec_may_word((enum spec_may_what)what), names);
    }
    return object;
}

static const char *copy(struct arena *mem, const char *text)
{
    const char *kept = arena_text(mem, slice_of_text(text));
    g_assert(kept); /* the arena holds more than the plan's text */
    return kept;
}

/* Plans of which nothing was asked of each kind of records have none. */
static bool take_each(json_t *item, double *ret)
{
    json_t *each = json_array_get(json_object_get(item, "sure"), 2);
    *ret = json_number_value(each);
    return !each || json_is_number(each);
}

static bool take_stage(json_t *item, struct arena *mem, struct plan_stage *ret)
{
    json_int_t parts, records, soak_ms;
    json_t *approve;
    const char *name;
    struct spec_sure sure = {0}; /* plans from before samples were taken have none */
    int sampled;
    if (json_unpack(item, "{s:s, s:I, s:I, s:b, s:I, s:o, s?[F, F]}", "name", &name, "partitions", &parts, "records",
                    &records, "sampled", &sampled, "soak_ms", &soak_ms, "approve", &approve, "sure", &sure.confidence,
                    &sure.below) != 0 ||
        !take_each(item, &sure.each))
        return false;
    *ret = (struct plan_stage){.name = copy(mem, name),
                               .approve = json_is_string(approve) ? copy(mem, json_string_value(approve)) : NULL,
                               .soak_ms = soak_ms,
                               .sure = sure,
                               .parts = (uint64_t)parts,
                               .records = (uint64_t)records};
    return true;
}

static bool take_may(json_t *object, struct arena *mem, struct spec_may may[SPEC_MAY_COUNT])
{
    for (int what = 0; what < SPEC_MAY_COUNT; what++) {
        json_t *names = json_object_get(object, spec_may_word((enum spec_may_what)what));
        size_t n = json_array_size(names);
        may[what] = (struct spec_may){.names = arena_alloc0(mem, (n + 1) * sizeof(char *)), .n = n};
        g_assert(may[what].names);
        for (size_t i = 0; i < n; i++) {
            const char *name = json_string_value(json_array_get(names, i));
            if (!name)
                return false;
            may[what].names[i] = copy(mem, name);
        }
    }
    return true;
}

bool plan_rights_take(json_t *root, struct arena *mem, struct plan_rights *ret)
{
    json_t *list = json_object_get(root, "stages"), *may = json_object_get(root, "may");
    size_t n = json_array_size(list);
    struct plan_stage *stages = arena_alloc0(mem, (n + 1) * sizeof *stages);
    g_assert(stages);
    if (n == 0 || !json_is_object(may))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!take_stage(json_array_get(list, i), mem, &stages[i]))
            return false;
    ret->stages = stages;
    ret->n_stages = n;
    return take_may(may, mem, ret->may) && environment_take(root, mem, &ret->environment);
}

bool plan_rights_read(struct catalog *catalog, const struct run_row *run, struct arena *mem, struct plan_rights *ret,
                      GError **error)
{
    struct slice text;
    if (!catalog_plan(catalog, run->id, mem, &text, error))
        return false;
    json_t *root = json_loadb((const char *)text.data, text.len, 0, NULL);
    bool ok = root && plan_rights_take(root, mem, ret);
    json_decref(root);
    return ok || error_set(error, SLUICE_ERROR_CORRUPT, "%s: its frozen plan cannot be read", run->name);
}
