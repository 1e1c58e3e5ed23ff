#include "store/rocksdb/rocks.h"

/* Keys that lie near each other are found by walking one iterator, which costs a fraction of a search for each of them;
 * keys that lie far apart by sorted multi-gets. Which it is shows in the first few: an iterator that has to jump more
 * often than it walks gives the rest to the multi-get. */
enum { NEAR = 8, WALK_LEAST = 16, JUMPS_FREE = 2, JUMP_SHARE = 8, CHUNK = 128 };

struct walk {
    const struct rocks_lookup *lookup;
    rocksdb_iterator_t *at;
    size_t jumps;
};

/* To the first key that is not below `key`; *ret_order is how it stands to it (above where there is none). */
static void walk_to(struct walk *walk, struct slice key, int *ret_order)
{
    for (int steps = 0; rocksdb_iter_valid(walk->at); steps++) {
        *ret_order = slice_compare(rocks_iterator_key(walk->at), key);
        if (*ret_order >= 0)
            return;
        if (steps < NEAR) {
            rocksdb_iter_next(walk->at);
            continue;
        }
        walk->jumps++;
        rocksdb_iter_seek(walk->at, (const char *)key.data, key.len);
    }
    *ret_order = 1;
}

/* From the first key on, as long as it pays; *ret_done is how many keys were answered. */
static bool walk_keys(struct walk *walk, size_t *ret_done, GError **error)
{
    const struct rocks_lookup *lookup = walk->lookup;
    rocksdb_iter_seek(walk->at, (const char *)lookup->keys[0].data, lookup->keys[0].len);
    size_t i = 0;
    for (; i < lookup->n && walk->jumps <= JUMPS_FREE + i / JUMP_SHARE; i++) {
        int order;
        walk_to(walk, lookup->keys[i], &order);
        if (!rocksdb_iter_valid(walk->at) && !rocks_iterator_check(lookup->store, walk->at, error))
            return false;
        struct rocks_hit hit = {.i = i, .stored = order == 0 ? rocks_iterator_value(walk->at) : SLICE_EMPTY};
        if (!lookup->found(lookup->user, &hit, error))
            return false;
    }
    *ret_done = i;
    return true;
}

static bool walk_all(const struct rocks_lookup *lookup, size_t *ret_done, GError **error)
{
    struct walk walk = {.lookup = lookup};
    walk.at = rocksdb_create_iterator_cf(lookup->store->db, lookup->store->options.read, lookup->family);
    bool ok = walk_keys(&walk, ret_done, error);
    rocksdb_iter_destroy(walk.at);
    return ok;
}

/* What one multi-get gives: released whole, whatever was made of it. */
struct chunk {
    const char *keys[CHUNK];
    size_t lens[CHUNK];
    rocksdb_pinnableslice_t *values[CHUNK];
    char *messages[CHUNK];
};

static void chunk_release(struct chunk *chunk, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (chunk->values[i])
            rocksdb_pinnableslice_destroy(chunk->values[i]);
        rocksdb_free(chunk->messages[i]);
    }
}

static bool chunk_answer(const struct rocks_lookup *lookup, size_t from, struct chunk *chunk, size_t n, GError **error)
{
    for (size_t i = 0; i < n; i++) {
        if (!rocks_check(g_steal_pointer(&chunk->messages[i]), lookup->store->path, error))
            return false;
        struct rocks_hit hit = {.i = from + i};
        if (chunk->values[i]) {
            size_t len;
            const char *data = rocksdb_pinnableslice_value(chunk->values[i], &len);
            hit.stored = rocks_slice(data, len);
        }
        if (!lookup->found(lookup->user, &hit, error))
            return false;
    }
    return true;
}

static bool get_chunk(const struct rocks_lookup *lookup, size_t from, size_t n, GError **error)
{
    struct chunk chunk;
    for (size_t i = 0; i < n; i++) {
        chunk.keys[i] = (const char *)lookup->keys[from + i].data;
        chunk.lens[i] = lookup->keys[from + i].len;
        chunk.messages[i] = NULL;
        chunk.values[i] = NULL;
    }
    rocksdb_batched_multi_get_cf(lookup->store->db, lookup->store->options.read, lookup->family, n, chunk.keys,
                                 chunk.lens, chunk.values, chunk.messages, true);
    bool ok = chunk_answer(lookup, from, &chunk, n, error);
    chunk_release(&chunk, n);
    return ok;
}

static bool nothing_found(const struct rocks_lookup *lookup, GError **error)
{
    for (size_t i = 0; i < lookup->n; i++)
        if (!lookup->found(lookup->user, &(struct rocks_hit){.i = i}, error))
            return false;
    return true;
}

static bool lookup_family(const struct rocks_lookup *lookup, const struct call *call, GError **error)
{
    if (!lookup->family)
        return nothing_found(lookup, error);
    size_t done = 0;
    if (lookup->n >= WALK_LEAST && !walk_all(lookup, &done, error))
        return false;
    for (size_t n; done < lookup->n; done += n) {
        n = MIN(lookup->n - done, (size_t)CHUNK);
        if (!call_goes_on(call, lookup->store->base.world, error) || !get_chunk(lookup, done, n, error))
            return false;
    }
    return true;
}

/* --- through the shadow, then through the dataset ------------------------------------------------------------------
 */

/* Which keys are asked for, by their place in the whole lookup; and which of them were not found. */
struct passage {
    const struct rocks_lookup *whole;
    struct slice *keys;
    size_t *places, n;
    GArray *rest; /* of size_t; NULL: what is not found is absent */
};

static bool passed(void *user, const struct rocks_hit *hit, GError **error)
{
    struct passage *passage = user;
    size_t place = passage->places[hit->i];
    if (passage->rest && !hit->stored.data) {
        g_array_append_val(passage->rest, place);
        return true;
    }
    struct rocks_hit whole = {.i = place, .stored = hit->stored, .shadow = passage->rest != NULL};
    return passage->whole->found(passage->whole->user, &whole, error);
}

static bool pass_through(struct passage *passage, rocksdb_column_family_handle_t *family, const struct call *call,
                         GError **error)
{
    struct rocks_lookup lookup = {.store = passage->whole->store,
                                  .family = family,
                                  .keys = passage->keys,
                                  .n = passage->n,
                                  .found = passed,
                                  .user = passage};
    return lookup_family(&lookup, call, error);
}

static int compare_places(const void *a, const void *b)
{
    size_t one = *(const size_t *)a, other = *(const size_t *)b;
    return (one > other) - (one < other);
}

static bool lookup_over(const struct rocks_lookup *lookup, const struct call *call, GError **error)
{
    g_autofree struct slice *keys = g_new(struct slice, lookup->n + 1);
    g_autofree size_t *places = g_new(size_t, lookup->n + 1);
    g_autoptr(GArray) rest = g_array_new(false, false, sizeof(size_t));
    struct passage passage = {.whole = lookup, .keys = keys, .places = places, .rest = rest};
    for (size_t i = 0; i < lookup->n; i++) {
        if (lookup->shadow_keys && put_keys_lack(lookup->shadow_keys, lookup->keys[i])) {
            g_array_append_val(rest, i);
            continue;
        }
        keys[passage.n] = lookup->keys[i];
        places[passage.n++] = i;
    }
    if (!pass_through(&passage, lookup->shadow, call, error))
        return false;
    g_array_sort(rest, compare_places);
    passage.rest = NULL;
    passage.n = rest->len;
    for (size_t i = 0; i < rest->len; i++) {
        places[i] = g_array_index(rest, size_t, i);
        keys[i] = lookup->keys[places[i]];
    }
    return pass_through(&passage, lookup->family, call, error);
}

bool rocks_lookup(const struct rocks_lookup *lookup, const struct call *call, GError **error)
{
    return lookup->shadow ? lookup_over(lookup, call, error) : lookup_family(lookup, call, error);
}
