#include "view/guards.h"

#include "run/pauser.h"
#include "view/shape.h"

bool guards_view_look(const struct world *world, struct catalog *catalog, const struct guards_wish *wish,
                      struct arena *mem, struct guards_view *ret, GError **error)
{
    struct sight sight;
    if (!catalog_sight(catalog, wish->run->id, mem, &sight, error))
        return false;
    struct watchdog_seen seen = {.run = wish->run,
                                 .sight = &sight,
                                 .held = wish->held,
                                 .limited_by = wish->limited_by,
                                 .pauser = wish->run->state == RUN_PAUSED ? pauser_of(wish->run) : NULL,
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

static const char *text_of(const json_t *signal, const char *name)
{
    const char *text = json_string_value(json_object_get(signal, name));
    return text ? text : "";
}

const char *guards_view_name(const json_t *signal)
{
    return text_of(signal, "name");
}

bool guards_view_is_off(const json_t *signal)
{
    return strcmp(text_of(signal, "level"), "ok") != 0;
}

char *guards_view_text(const json_t *signal)
{
    const char *where = text_of(signal, "where"), *error = text_of(signal, "error");
    const char *value = text_of(signal, "value_text");
    bool off = guards_view_is_off(signal);
    return g_strdup_printf("%s%s%s, limit %s%s%s%s%s", *value ? value : "unknown", *where ? " on " : "", where,
                           text_of(signal, "limit_text"), off ? ": " : "", off ? text_of(signal, "level") : "",
                           *error ? "; " : "", error);
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
