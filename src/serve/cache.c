/* Answers that were made a moment ago: however many look, a run is asked after ten times a second. */
#include "serve/server.h"

#define LEAST_US INT64_C(100000)
#define MOST_US  (INT64_C(10) * 1000 * 1000)
#define TIMES    10
#define KEPT     256

struct kept {
    GBytes *body;
    const char *type;
    unsigned status;
    int64_t until_us;
};

struct cache {
    const struct world *world;
    pthread_mutex_t lock; /* the table; a leaf */
    GHashTable *kept;
};

static void kept_free(void *self)
{
    struct kept *kept = self;
    g_bytes_unref(kept->body);
    g_free(kept);
}

struct cache *cache_new(const struct world *world)
{
    struct cache *cache = g_new0(struct cache, 1);
    cache->world = world;
    cache->kept = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, kept_free);
    pthread_mutex_init(&cache->lock, NULL);
    return cache;
}

void cache_free(struct cache *cache)
{
    if (!cache)
        return;
    g_hash_table_unref(cache->kept);
    pthread_mutex_destroy(&cache->lock);
    g_free(cache);
}

bool cache_get(struct cache *cache, const char *key, struct answer *ret)
{
    auto_hold(&cache->lock);
    const struct kept *kept = g_hash_table_lookup(cache->kept, key);
    if (!kept || world_monotonic_us(cache->world) >= kept->until_us)
        return false;
    ret->status = kept->status;
    ret->type = kept->type;
    ret->body = g_bytes_ref(kept->body);
    return true;
}

void cache_put(struct cache *cache, const char *key, const struct answer *answer, int64_t took_us)
{
    if (answer->status != 200 || !answer->body)
        return;
    struct kept *kept = g_new0(struct kept, 1);
    *kept = (struct kept){.body = g_bytes_ref(answer->body),
                          .type = answer->type,
                          .status = answer->status,
                          .until_us = world_monotonic_us(cache->world) + CLAMP(took_us * TIMES, LEAST_US, MOST_US)};
    auto_hold(&cache->lock);
    if (g_hash_table_size(cache->kept) >= KEPT)
        g_hash_table_remove_all(cache->kept);
    g_hash_table_replace(cache->kept, g_strdup(key), kept);
}

void cache_forget(struct cache *cache)
{
    auto_hold(&cache->lock);
    g_hash_table_remove_all(cache->kept);
}
