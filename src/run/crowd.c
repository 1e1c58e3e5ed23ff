#include "run/crowd.h"

#include "base/lock.h"
#include "listing/listing.h"

enum { KEY_MEMORY = 1 << 20 };

void crowd_init(struct crowd *crowd)
{
    pthread_mutex_init(&crowd->lock, NULL);
    crowd->at = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    crowd->first = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, (GDestroyNotify)g_bytes_unref);
}

void crowd_done(struct crowd *crowd)
{
    g_clear_pointer(&crowd->at, g_hash_table_unref);
    g_clear_pointer(&crowd->first, g_hash_table_unref);
    pthread_mutex_destroy(&crowd->lock);
}

bool crowd_matters(const struct crowd_member *member)
{
    return member->source && member->plan->listed && store_ranks(store_driver(member->plan->source)) &&
           session_driver(member->source)->slots;
}

static GBytes *read_first(struct crowd_member *member, const struct part_row *part)
{
    auto_(arena) mem = arena_new(KEY_MEMORY);
    const struct plan *plan = member->plan;
    const struct listing_stretch of = {part->of, part->first, part->records};
    struct slice *keys;
    size_t n = 0;
    if (!member->listing && !listing_reader_open(&member->listing, member->world, plan->listing_path, plan->uid, NULL))
        return NULL;
    if (!listing_reader_seek_in(member->listing, &of, 0, NULL) ||
        !listing_reader_next(member->listing, 1, mem, &keys, &n, NULL) || n == 0)
        return NULL;
    return g_bytes_new(keys[0].data, keys[0].len);
}

/* Its first key; NULL: nobody knows, and what is wrong with the listing the worker that is granted the partition will
 * say. Whoever looks for a partition looks at many, again and again, until each is taken. */
static GBytes *first_of(struct crowd_member *member, const struct part_row *part)
{
    gpointer number = GUINT_TO_POINTER(part->part);
    {
        auto_hold(&member->crowd->lock);
        GBytes *known = g_hash_table_lookup(member->crowd->first, number);
        if (known)
            return g_bytes_ref(known);
    }
    GBytes *first = read_first(member, part);
    if (first) {
        auto_hold(&member->crowd->lock);
        g_hash_table_replace(member->crowd->first, number, g_bytes_ref(first));
    }
    return first;
}

static struct slice slice_of_bytes(GBytes *bytes)
{
    size_t len;
    const void *data = g_bytes_get_data(bytes, &len);
    return slice_of(data, len);
}

/* NULL: nobody knows, or there are not several servers. The caller frees. */
static char *place_of(struct crowd_member *member, GBytes *first)
{
    auto_(arena) mem = arena_new(KEY_MEMORY);
    struct call call = {.ds = &member->plan->source_ds, .mem = mem};
    const char *name = NULL;
    return first && store_server_of(member->source, &call, slice_of_bytes(first), &name, NULL) ? g_strdup(name) : NULL;
}

/* The lock is held. */
static guint there(struct crowd *crowd, const char *place)
{
    if (!g_hash_table_contains(crowd->at, place))
        g_hash_table_insert(crowd->at, g_strdup(place), NULL);
    return GPOINTER_TO_UINT(g_hash_table_lookup(crowd->at, place));
}

uint32_t crowd_burden(void *self, const struct part_row *part)
{
    struct crowd_member *member = self;
    g_autoptr(GBytes) first = first_of(member, part);
    g_autofree char *place = place_of(member, first);
    auto_hold(&member->crowd->lock);
    return place ? there(member->crowd, place) : 0;
}

uint32_t crowd_fewest(const struct crowd_member *member)
{
    guint fewest = G_MAXUINT;
    GHashTableIter all;
    gpointer here;
    auto_hold(&member->crowd->lock);
    g_hash_table_iter_init(&all, member->crowd->at);
    while (g_hash_table_iter_next(&all, NULL, &here))
        fewest = MIN(fewest, GPOINTER_TO_UINT(here));
    return fewest == G_MAXUINT ? 0 : fewest;
}

/* The lock is held. */
static void count(struct crowd *crowd, const char *place, int more)
{
    guint now = there(crowd, place) + (guint)more;
    g_hash_table_replace(crowd->at, g_strdup(place), GUINT_TO_POINTER(now));
}

void crowd_go(struct crowd_member *member, const struct part_row *part)
{
    g_clear_pointer(&member->first, g_bytes_unref);
    member->first = part && crowd_matters(member) ? first_of(member, part) : NULL;
    char *place = place_of(member, member->first);
    auto_hold(&member->crowd->lock);
    if (part)
        g_hash_table_remove(member->crowd->first, GUINT_TO_POINTER(part->part));
    if (member->place)
        count(member->crowd, member->place, -1);
    if (place)
        count(member->crowd, place, 1);
    g_free(member->place);
    member->place = place;
}

struct slice crowd_near(const struct crowd_member *member)
{
    return member->first ? slice_of_bytes(member->first) : SLICE_EMPTY;
}

void crowd_leave(struct crowd_member *member)
{
    if (member->crowd)
        crowd_go(member, NULL);
    g_clear_pointer(&member->listing, listing_reader_free);
}
