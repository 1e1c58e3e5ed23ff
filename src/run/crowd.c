#include "run/crowd.h"

#include "base/int.h"
#include "base/lock.h"
#include "listing/listing.h"

enum { KEY_MEMORY = 1 << 20 };

void crowd_init(struct crowd *crowd)
{
    pthread_mutex_init(&crowd->lock, NULL);
    crowd->at = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

void crowd_done(struct crowd *crowd)
{
    g_clear_pointer(&crowd->at, g_hash_table_unref);
    pthread_mutex_destroy(&crowd->lock);
}

bool crowd_matters(const struct crowd_member *member)
{
    return member->source && member->plan->listed && store_ranks(store_driver(member->plan->source)) &&
           session_driver(member->source)->slots;
}

static bool first_key(struct crowd_member *member, const struct part_row *part, struct arena *mem, struct slice *ret,
                      GError **error)
{
    const struct plan *plan = member->plan;
    const struct listing_stretch of = {part->of, part->first, part->records};
    struct slice *keys;
    size_t n = 0;
    if (!member->listing && !listing_reader_open(&member->listing, member->world, plan->listing_path, plan->uid, error))
        return false;
    if (!listing_reader_seek_in(member->listing, &of, 0, error) ||
        !listing_reader_next(member->listing, 1, mem, &keys, &n, error))
        return false;
    *ret = n ? keys[0] : SLICE_EMPTY;
    return n > 0;
}

/* NULL: nobody knows, or there are not several servers. The caller frees. What is wrong with the listing or the key,
 * the worker that is granted the partition will say. *ret_first, if asked for: its first key, also where there is but
 * one server; NULL: nobody knows. */
static char *place_of(struct crowd_member *member, const struct part_row *part, GByteArray **ret_first)
{
    auto_(arena) mem = arena_new(KEY_MEMORY);
    struct call call = {.ds = &member->plan->source_ds, .mem = mem};
    struct slice key;
    const char *name = NULL;
    if (!crowd_matters(member) || !first_key(member, part, mem, &key, NULL))
        return NULL;
    if (ret_first) {
        *ret_first = g_byte_array_new();
        put_bytes(*ret_first, key);
    }
    return store_server_of(member->source, &call, key, &name, NULL) ? g_strdup(name) : NULL;
}

uint32_t crowd_burden(void *self, const struct part_row *part)
{
    struct crowd_member *member = self;
    g_autofree char *place = place_of(member, part, NULL);
    auto_hold(&member->crowd->lock);
    return place ? GPOINTER_TO_UINT(g_hash_table_lookup(member->crowd->at, place)) : 0;
}

static void count(struct crowd *crowd, const char *place, int more)
{
    guint there = GPOINTER_TO_UINT(g_hash_table_lookup(crowd->at, place));
    g_hash_table_replace(crowd->at, g_strdup(place), GUINT_TO_POINTER(there + (guint)more));
}

void crowd_go(struct crowd_member *member, const struct part_row *part)
{
    g_clear_pointer(&member->first, g_byte_array_unref);
    char *place = part ? place_of(member, part, &member->first) : NULL;
    auto_hold(&member->crowd->lock);
    if (member->place)
        count(member->crowd, member->place, -1);
    if (place)
        count(member->crowd, place, 1);
    g_free(member->place);
    member->place = place;
}

struct slice crowd_near(const struct crowd_member *member)
{
    return member->first ? slice_of(member->first->data, member->first->len) : SLICE_EMPTY;
}

void crowd_leave(struct crowd_member *member)
{
    if (member->crowd)
        crowd_go(member, NULL);
    g_clear_pointer(&member->listing, listing_reader_free);
}
