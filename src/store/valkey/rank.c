/* The order of listings: by hash slot. Records of one slot stand together, so that one call of a script writes several
 * of them, and slots of one server do, so that nearly every partition is of one server and a slow one slows its own
 * alone. Whoever takes partitions goes round the servers (plan/stages.c, run/crowd.h, verify/). */
#include "store/valkey/slot.h"
#include "store/valkey/valkey_store.h"

/* What is no key of the dataset's gets the rank of its own bytes: it has to stand somewhere. */
static uint16_t rank_of(const struct key_template *template, struct slice key, struct arena *mem)
{
    struct slice server;
    return slot_of(key_template_to_server(template, key, mem, &server, NULL) ? server : key);
}

bool valkey_rank(const struct dataset *ds, const struct slice *keys, size_t n, uint16_t *ret, GError **error)
{
    auto_(key_template) template = NULL;
    auto_(arena) mem = arena_new((size_t)1 << 30);
    if (!key_template_parse(&template, ds->name, error))
        return false;
    for (size_t i = 0; i < n; i++) {
        ret[i] = rank_of(template, keys[i], mem);
        arena_reset(mem);
    }
    return true;
}
