#include "listing/ranks.h"

static bool no_room(GError **error)
{
    return error_set(error, SLUICE_ERROR_TOO_BIG, "a batch of keys does not fit into its memory");
}

bool ranks_put(const struct store_driver *driver, const struct dataset *ds, struct slice *io_keys, size_t n,
               struct arena *mem, GError **error)
{
    if (!store_ranks(driver))
        return true;
    uint16_t *ranks = arena_alloc(mem, n * sizeof *ranks + 1);
    if (!ranks)
        return no_room(error);
    if (!store_rank(driver, ds, io_keys, n, ranks, error))
        return false;
    for (size_t i = 0; i < n; i++) {
        struct slice key = io_keys[i];
        uint8_t *ranked = arena_alloc(mem, LISTING_RANK_BYTES + key.len);
        if (!ranked)
            return no_room(error);
        ranked[0] = (uint8_t)(ranks[i] >> 8);
        ranked[1] = (uint8_t)ranks[i];
        if (key.len)
            memcpy(ranked + LISTING_RANK_BYTES, key.data, key.len);
        io_keys[i] = slice_of(ranked, LISTING_RANK_BYTES + key.len);
    }
    return true;
}

int ranks_compare(const void *a, const void *b)
{
    return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}
