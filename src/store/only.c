#include "store/only.h"

#include "store/calls.h"

static void see(const struct store_only *only, size_t at)
{
    if (only->seen)
        atomic_store_explicit(&only->seen[at], 1, memory_order_relaxed);
}

static bool find_key(const struct store_only *only, struct slice key, size_t *ret)
{
    size_t low = 0, high = only->n_keys;
    while (low < high) {
        size_t half = low + (high - low) / 2;
        int order = slice_compare(only->keys[half], key);
        if (order == 0) {
            *ret = half;
            return true;
        }
        low = order < 0 ? half + 1 : low;
        high = order < 0 ? high : half;
    }
    return false;
}

/* An end of a range and a key; an empty end stands before all. */
static int compare_end(const struct store_only *only, struct slice end, uint16_t rank, struct slice key)
{
    if (!only->ranked || end.len < 2)
        return end.len || !only->ranked ? slice_compare(end, key) : -1;
    uint16_t at = (uint16_t)(end.data[0] << 8 | end.data[1]);
    return at != rank ? (at < rank ? -1 : 1) : slice_compare(slice_of(end.data + 2, end.len - 2), key);
}

static bool find_range(const struct store_only *only, uint16_t rank, struct slice key, size_t *ret)
{
    for (size_t i = 0; i < only->n_ranges; i++) {
        const struct only_range *range = &only->ranges[i];
        *ret = i;
        if (compare_end(only, range->from, rank, key) <= 0 &&
            (!range->has_to || compare_end(only, range->to, rank, key) > 0))
            return true;
    }
    return false;
}

bool store_only_slot(const struct store_only *only, uint32_t slot)
{
    bool takes = only->n_slots == 0;
    for (size_t i = 0; !takes && i < only->n_slots; i++)
        takes = slot >= only->slots[i].from && slot <= only->slots[i].to;
    return takes;
}

static bool takes_slot(const struct store_only *only, struct session *session, const struct dataset *ds,
                       struct slice key, bool *ret, GError **error)
{
    uint32_t slot;
    if (!store_slot_of(session, ds, key, &slot, error))
        return false;
    *ret = store_only_slot(only, slot);
    if (*ret)
        see(only, slot);
    return true;
}

bool store_only_takes(const struct store_only *only, struct session *session, const struct dataset *ds,
                      struct slice key, bool *ret, GError **error)
{
    size_t at;
    uint16_t rank = 0;
    if (only->ranked && !store_rank(session_driver(session), ds, &key, 1, &rank, error))
        return false;
    if (only->n_slots)
        return takes_slot(only, session, ds, key, ret, error);
    *ret = only->n_ranges ? find_range(only, rank, key, &at) : find_key(only, key, &at);
    if (*ret)
        see(only, at);
    return true;
}
