#include "store/mem/content.h"

static int compare_names(const void *a, const void *b, void *user)
{
    return strcmp(a, b);
}

static int compare_fences(const void *a, const void *b, void *user)
{
    return memcmp(a, b, FENCE_KEY_BYTES);
}

static int compare_records(const void *a, const void *b, void *user)
{
    return slice_compare(((const struct mem_record *)a)->key, ((const struct mem_record *)b)->key);
}

static void lock_free(void *at)
{
    struct mem_lock *lock = at;
    g_free(lock->run);
    g_free(lock->host);
    g_free(lock->home);
    g_free(lock);
}

struct mem_content *mem_content_new(void)
{
    struct mem_content *content = g_new0(struct mem_content, 1);
    pthread_mutex_init(&content->lock, NULL);
    content->datasets = g_tree_new_full(compare_names, NULL, g_free, (GDestroyNotify)g_tree_unref);
    content->fences = g_tree_new_full(compare_fences, NULL, g_free, (GDestroyNotify)fence_state_free);
    content->locks = g_tree_new_full(compare_names, NULL, g_free, lock_free);
    return content;
}

void mem_content_free(struct mem_content *content)
{
    g_tree_unref(content->datasets);
    g_tree_unref(content->fences);
    g_tree_unref(content->locks);
    pthread_mutex_destroy(&content->lock);
    g_free(content);
}

GTree *mem_dataset(struct mem_content *content, const char *name, bool make)
{
    GTree *dataset = g_tree_lookup(content->datasets, name);
    if (!dataset && make) {
        dataset = g_tree_new_full(compare_records, NULL, NULL, g_free);
        g_tree_insert(content->datasets, g_strdup(name), dataset);
    }
    return dataset;
}

const struct mem_record *mem_find(GTree *dataset, struct slice key, int64_t now_ms)
{
    const struct mem_record wanted = {.key = key};
    const struct mem_record *record = dataset ? g_tree_lookup(dataset, &wanted) : NULL;
    return record && !keyed_expired(record->value.expires_at_ms, now_ms) ? record : NULL;
}

void mem_put(GTree *dataset, struct slice key, struct slice raw, int64_t expires_at_ms)
{
    struct mem_record *record = g_malloc(sizeof(*record) + key.len + raw.len);
    *record = (struct mem_record){
        .key = slice_of(record->bytes, key.len),
        .value = {.raw = slice_of(record->bytes + key.len, raw.len), .expires_at_ms = expires_at_ms},
    };
    if (key.len)
        memcpy(record->bytes, key.data, key.len);
    memcpy(record->bytes + key.len, raw.data, raw.len);
    digest_put(digest_stored(raw, expires_at_ms), record->value.tag);
    g_tree_replace(dataset, record, record);
}

void mem_remove(GTree *dataset, struct slice key)
{
    const struct mem_record wanted = {.key = key};
    g_tree_remove(dataset, &wanted);
}

GTreeNode *mem_seek(GTree *dataset, struct slice from)
{
    const struct mem_record wanted = {.key = from};
    return g_tree_lower_bound(dataset, &wanted);
}

struct fence_state *mem_fence(struct mem_content *content, const struct fence_id *id, bool make)
{
    uint8_t key[FENCE_KEY_BYTES];
    fence_key_put(id, key);
    struct fence_state *fence = g_tree_lookup(content->fences, key);
    if (!fence && make) {
        fence = fence_state_new();
        g_tree_insert(content->fences, g_memdup2(key, sizeof(key)), fence);
    }
    return fence;
}
