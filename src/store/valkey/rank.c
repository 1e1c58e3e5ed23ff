/* The order of listings: records of one hash slot stand together, so that one call of a script writes several of them.
 *
 * Slots follow each other with their bits reversed. Servers have ranges of slots: in the slots' own order a batch, or
 * the whole of a canary, would be one server's, and all workers would be at that server at the same time. */
#include "store/valkey/slot.h"
#include "store/valkey/valkey_store.h"

enum { SLOT_BITS = 14 };
G_STATIC_ASSERT(SLOTS == 1u << SLOT_BITS);

static uint16_t reversed(uint16_t slot)
{
    uint16_t rank = 0;
    for (unsigned i = 0; i < SLOT_BITS; i++)
        rank = (uint16_t)(rank << 1 | (slot >> i & 1));
    return rank;
}

/* What is no key of the dataset's gets the rank of its own bytes: it has to stand somewhere. */
static uint16_t rank_of(const struct key_template *template, struct slice key, struct arena *mem)
{
    struct slice server;
    return reversed(slot_of(key_template_to_server(template, key, mem, &server, NULL) ? server : key));
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
