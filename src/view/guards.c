#include "view/guards.h"

#include "run/gate.h"
#include "view/shape.h"

/* Its act is of whoever drove the run, who has paused nothing. A stage stays failed until it is judged again: whether
 * it is why the run stands still, the run's own reason says. */
static bool find_gate(struct catalog *catalog, const struct run_row *run, struct arena *mem, const char **ret,
                      GError **error)
{
    struct stage_row *stages;
    size_t n;
    if (run->state != RUN_PAUSED || !run->reason)
        return true;
    if (!catalog_stages(catalog, run->id, mem, &stages, &n, error))
        return false;
    for (size_t i = 0; i < n; i++) {
        g_autofree char *failed = g_strdup_printf(GATE_FAILED, stages[i].name);
        g_autofree char *gate = g_strdup_printf(GATE_NAMED, stages[i].name);
        if (stages[i].state == STAGE_FAILED && g_str_has_prefix(run->reason, failed))
            *ret = arena_text(mem, slice_of_text(gate));
    }
    return true;
}

bool guards_view_look(const struct world *world, struct catalog *catalog, const struct guards_wish *wish,
                      struct arena *mem, struct guards_view *ret, GError **error)
{
    struct sight sight;
    const char *gate = NULL;
    if (!catalog_sight(catalog, wish->run->id, mem, &sight, error) || !find_gate(catalog, wish->run, mem, &gate, error))
        return false;
    struct watchdog_seen seen = {.run = wish->run,
                                 .sight = &sight,
                                 .held = wish->held,
                                 .limited_by = wish->limited_by,
                                 .gate = gate,
                                 .now_ms = world_wall_ms(world)};
    ret->dog = watchdog_look(&seen);
    ret->signals = watchdog_sees(&seen) ? json_loads(sight.json, 0, NULL) : NULL;
    ret->signals = ret->signals ? ret->signals : json_array();
    return true;
}

void guards_view_done(struct guards_view *view)
{
    g_clear_pointer(&view->signals, json_decref);
}

void guards_view_shape(json_t *status, const struct guards_view *view)
{
    const struct watchdog *dog = &view->dog;
    g_autofree char *words = watchdog_text(dog);
    json_object_set_new(status, "watchdog",
                        json_pack("{s:s, s:o, s:o, s:o}", "kind", watchdog_word(dog->kind), "by", shape_text(dog->by),
                                  "since", dog->since_ms ? shape_time(dog->since_ms) : json_null(), "words",
                                  shape_text(words)));
    json_object_set(status, "signals", view->signals);
    if (dog->kind == WATCHDOG_SLOW)
        json_object_set_new(json_object_get(status, "rate"), "limited_by", shape_text(dog->by));
}
