#include "run/tell.h"

void run_tell(const struct run_config *config, const struct run_event *event)
{
    if (config->event)
        config->event(config->event_self, event);
}

void run_tell_note(const struct run_config *config, struct catalog *catalog, const struct run_row *known,
                   const char *text)
{
    auto_(arena) mem = arena_new(1 << 20);
    struct run_row now = *known;
    bool read = config->event && known->id && catalog_run_reload(catalog, mem, &now, NULL);
    struct run_event event = {.kind = RUN_EVENT_NOTE, .run = read ? &now : known->id ? known : NULL, .text = text};
    run_tell(config, &event);
}
