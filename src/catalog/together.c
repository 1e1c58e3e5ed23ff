#include "catalog/together.h"

#include "base/lock.h"
#include "catalog/inside.h"

void catalog_together_init(struct catalog_together *together)
{
    *together = (struct catalog_together){.waiting = g_ptr_array_new()};
    pthread_mutex_init(&together->lock, NULL);
    pthread_cond_init(&together->changed, NULL);
}

void catalog_together_done(struct catalog_together *together)
{
    g_assert(together->waiting->len == 0);
    g_clear_pointer(&together->catalog, catalog_free);
    g_ptr_array_unref(together->waiting);
    pthread_cond_destroy(&together->changed);
    pthread_mutex_destroy(&together->lock);
}

static bool entry_alone(struct catalog *catalog, struct catalog_entry *entry, GError **error)
{
    return entry->checkpoint ? catalog_checkpoint(catalog, entry->checkpoint, error)
                             : catalog_grant(catalog, entry->wish, entry->mem, entry->ret, error);
}

static bool entry_inside(struct catalog *catalog, struct catalog_entry *entry, struct grant *ret, GError **error)
{
    return entry->checkpoint ? checkpoint_add(catalog, entry->checkpoint, error)
                             : grant_add(catalog, entry->wish, entry->mem, ret, error);
}

static bool all_inside(struct catalog *catalog, GPtrArray *entries, struct grant *grants, GError **error)
{
    for (size_t i = 0; i < entries->len; i++)
        if (!entry_inside(catalog, entries->pdata[i], &grants[i], error))
            return false;
    return true;
}

/* What was granted counts once it is committed. */
static bool in_one(struct catalog *catalog, GPtrArray *entries)
{
    g_autoptr(GError) failed = NULL;
    g_autofree struct grant *grants = g_new0(struct grant, entries->len);
    if (!db_begin(catalog->db, &failed) || !db_end(catalog->db, all_inside(catalog, entries, grants, &failed), &failed))
        return false;
    for (size_t i = 0; i < entries->len; i++) {
        struct catalog_entry *entry = entries->pdata[i];
        entry->ok = true;
        if (!entry->checkpoint)
            *entry->ret = grants[i];
    }
    return true;
}

static void commit(struct catalog *catalog, GPtrArray *entries)
{
    if (entries->len > 1 && in_one(catalog, entries))
        return;
    for (size_t i = 0; i < entries->len; i++) {
        struct catalog_entry *entry = entries->pdata[i];
        entry->ok = entry_alone(catalog, entry, &entry->error);
    }
}

struct catalog *catalog_together_take(struct catalog_together *together)
{
    auto_hold(&together->lock);
    while (together->taken)
        pthread_cond_wait(&together->changed, &together->lock);
    together->taken = true;
    return together->catalog;
}

static void give(struct catalog_together *together)
{
    together->taken = false;
    pthread_cond_broadcast(&together->changed);
}

void catalog_together_give(struct catalog_together *together)
{
    auto_hold(&together->lock);
    give(together);
}

bool catalog_together_open(struct catalog_together *together, const struct world *world, const char *home,
                           GError **error)
{
    bool ok = catalog_together_take(together) || catalog_open(&together->catalog, world, home, CATALOG_EXISTING, error);
    catalog_together_give(together);
    return ok;
}

/* The lock is held before and after, not meanwhile. */
static void lead(struct catalog_together *together)
{
    g_autoptr(GPtrArray) entries = g_steal_pointer(&together->waiting);
    together->waiting = g_ptr_array_new();
    together->taken = true;
    pthread_mutex_unlock(&together->lock);
    commit(together->catalog, entries);
    pthread_mutex_lock(&together->lock);
    for (size_t i = 0; i < entries->len; i++)
        ((struct catalog_entry *)entries->pdata[i])->done = true;
    give(together);
}

bool catalog_together_commit(struct catalog_together *together, struct catalog_entry *entry, GError **error)
{
    auto_hold(&together->lock);
    g_ptr_array_add(together->waiting, entry);
    while (!entry->done) {
        if (together->taken)
            pthread_cond_wait(&together->changed, &together->lock);
        else
            lead(together);
    }
    if (entry->error)
        g_propagate_error(error, g_steal_pointer(&entry->error));
    return entry->ok;
}

size_t catalog_together_waiting(struct catalog_together *together)
{
    auto_hold(&together->lock);
    return together->waiting->len;
}
