#include "view/told.h"

#include "view/shape.h"

bool told_read(struct catalog *catalog, struct arena *mem, struct told *io, GError **error)
{
    return plan_hooks_read(catalog, &io->run, mem, &io->plan, error) &&
           catalog_deliveries(catalog, io->run.id, mem, &io->rows, &io->n, error);
}

char *told_name(const struct told *told, uint32_t hook)
{
    return hook < told->plan.n ? hooks_name(&told->plan.hooks[hook]) : g_strdup("?");
}

json_t *told_json(const struct told *told)
{
    json_t *list = json_array();
    for (size_t i = 0; i < told->n; i++) {
        const struct delivery *row = &told->rows[i];
        g_autofree char *name = told_name(told, row->hook);
        json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:o, s:s, s:b, s:I, s:o, s:o}", "event", row->event,
                                              "key", row->key, "hook", (json_int_t)row->hook + 1, "calls",
                                              shape_text(name), "state", delivery_state_word(row->state), "must",
                                              row->must, "tries", (json_int_t)row->tries, "said", shape_text(row->said),
                                              "at", shape_time(row->at_ms)));
    }
    return json_pack("{s:s, s:s, s:o}", "type", "hooks", "run", told->run.name, "deliveries", list);
}
