#include "cli/guards.h"

#include "cli/shape.h"

bool guards_view_look(struct cli *cli, struct catalog *catalog, const struct guards_wish *wish, struct arena *mem,
                      struct guards_view *ret, GError **error)
{
    struct sight sight;
    if (!catalog_sight(catalog, wish->run->id, mem, &sight, error))
        return false;
    struct watchdog_seen seen = {.run = wish->run,
                                 .sight = &sight,
                                 .held = wish->held,
                                 .limited_by = wish->limited_by,
                                 .now_ms = world_wall_ms(cli->world)};
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

static const char *text_of(const json_t *signal, const char *name)
{
    const char *text = json_string_value(json_object_get(signal, name));
    return text ? text : "";
}

static void print_signal(FILE *out, const char *head, const json_t *signal)
{
    const char *where = text_of(signal, "where"), *error = text_of(signal, "error"), *level = text_of(signal, "level");
    const char *value = text_of(signal, "value_text");
    fprintf(out, "  %-10s  %-18s %s%s%s, limit %s%s%s%s%s\n", head, text_of(signal, "name"), *value ? value : "unknown",
            *where ? " on " : "", where, text_of(signal, "limit_text"), strcmp(level, "ok") != 0 ? ": " : "",
            strcmp(level, "ok") != 0 ? level : "", *error ? "; " : "", error);
}

void guards_view_print(FILE *out, const struct guards_view *view)
{
    size_t i;
    const json_t *signal;
    json_array_foreach(view->signals, i, signal)
    {
        print_signal(out, i ? "" : "guards", signal);
    }
}
