#include "view/refused.h"

#include "plan/home.h"
#include "run/retain.h"
#include "view/shape.h"

bool refused_find(struct catalog *catalog, const char *name, struct arena *mem, struct refused *ret, GError **error)
{
    *ret = (struct refused){0};
    return catalog_run_get(catalog, name, mem, &ret->run, error) &&
           retain_stands(catalog, &ret->run, EXPIRY_QUARANTINE, error) &&
           run_retried_by(catalog, &ret->run, mem, &ret->by, error);
}

bool refused_open(struct refused *io, const struct world *world, const char *home, const uint64_t *number,
                  GError **error)
{
    struct quarantine_filter filter = {.number = number};
    g_autofree char *path = home_path(home, HOME_QUARANTINE, io->run.name);
    struct quarantine_config config = {.world = world, .path = path, .sealed_as = "quarantine"};
    memcpy(config.run_uid, io->run.uid, sizeof config.run_uid);
    return quarantine_reader_open(&io->reader, &config, &filter, error);
}

void refused_done(struct refused *refused)
{
    g_clear_pointer(&refused->reader, quarantine_reader_free);
}

void refused_put(GString *into, const struct refused *refused, const struct quarantine_entry *entry)
{
    g_string_append(into, "{\"type\":\"refused\"");
    shape_put(into, "retried_by", shape_text(refused->by.id ? refused->by.name : NULL));
    g_string_append_c(into, ',');
    g_string_append_len(into, (const char *)entry->text.data + 1, (gssize)entry->text.len - 1);
}
