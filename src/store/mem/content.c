#include "store/mem/content.h"

#include "base/hex.h"

static int compare_names(const void *a, const void *b, void *user)
{
    return strcmp(a, b);
}

static int compare_fences(const void *a, const void *b, void *user)
{
    return memcmp(a, b, FENCE_KEY_BYTES);
}

static int compare_runs(const void *a, const void *b, void *user)
{
    return memcmp(a, b, 16);
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
    content->ends = g_tree_new_full(compare_runs, NULL, g_free, (GDestroyNotify)g_bytes_unref);
    content->changes = g_tree_new_full(compare_names, NULL, g_free, g_free);
    return content;
}

void mem_content_free(struct mem_content *content)
{
    g_tree_unref(content->datasets);
    g_tree_unref(content->fences);
    g_tree_unref(content->locks);
    g_tree_unref(content->ends);
    g_tree_unref(content->changes);
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

struct mem_changes *mem_changes_of(struct mem_content *content, const char *dataset)
{
    struct mem_changes *changes = g_tree_lookup(content->changes, dataset);
    if (!changes) {
        changes = g_new0(struct mem_changes, 1);
        g_tree_insert(content->changes, g_strdup(dataset), changes);
    }
    return changes;
}

static struct mem_record *put(GTree *dataset, struct slice key, struct slice raw, int64_t expires_at_ms)
{
    struct mem_record *record = g_malloc(sizeof(*record) + key.len + raw.len);
    *record = (struct mem_record){
        .key = slice_of(record->bytes, key.len),
        .value = {.raw = slice_of(record->bytes + key.len, raw.len), .expires_at_ms = expires_at_ms},
    };
    if (key.len)
        memcpy(record->bytes, key.data, key.len);
    if (raw.len)
        memcpy(record->bytes + key.len, raw.data, raw.len);
    digest_put(digest_stored(raw, expires_at_ms), record->value.tag);
    g_tree_replace(dataset, record, record);
    return record;
}

void mem_put(GTree *dataset, struct slice key, struct slice raw, int64_t expires_at_ms)
{
    put(dataset, key, raw, expires_at_ms);
}

void mem_put_shadow(GTree *shadow, struct slice key, const struct slice *raw, int64_t expires_at_ms)
{
    struct mem_record *record = put(shadow, key, raw ? *raw : SLICE_EMPTY, expires_at_ms);
    record->value.shadow = true;
    record->value.deleted = !raw;
}

/* --- copies ------------------------------------------------------------------------------------------------------- */

static gboolean copy_record(gpointer key, gpointer value, gpointer into)
{
    const struct mem_record *record = value;
    struct mem_record *copy = put(into, record->key, record->value.raw, record->value.expires_at_ms);
    struct slice raw = copy->value.raw;
    copy->value = record->value;
    copy->value.raw = raw;
    return FALSE;
}

static gboolean copy_dataset(gpointer name, gpointer dataset, gpointer into)
{
    g_tree_foreach(dataset, copy_record, mem_dataset(into, name, true));
    return FALSE;
}

static gboolean copy_fence(gpointer key, gpointer fence, gpointer into)
{
    struct mem_content *content = into;
    struct fence_state *copy = NULL;
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    fence_state_encode(fence, bytes);
    if (!fence_state_decode(&copy, slice_of(bytes->data, bytes->len), NULL))
        g_assert_not_reached(); /* it has been encoded here */
    g_tree_insert(content->fences, g_memdup2(key, FENCE_KEY_BYTES), copy);
    return FALSE;
}

static gboolean copy_lock(gpointer dataset, gpointer value, gpointer into)
{
    struct mem_content *content = into;
    const struct mem_lock *lock = value;
    struct mem_lock *copy = g_memdup2(lock, sizeof *lock);
    copy->run = g_strdup(lock->run);
    copy->host = g_strdup(lock->host);
    copy->home = g_strdup(lock->home);
    g_tree_insert(content->locks, g_strdup(dataset), copy);
    return FALSE;
}

static gboolean copy_end(gpointer run, gpointer mark, gpointer into)
{
    struct mem_content *content = into;
    g_tree_insert(content->ends, g_memdup2(run, 16), g_bytes_ref(mark));
    return FALSE;
}

static gboolean copy_changes(gpointer dataset, gpointer changes, gpointer into)
{
    *mem_changes_of(into, dataset) = *(const struct mem_changes *)changes;
    return FALSE;
}

struct mem_content *mem_content_copy(struct mem_content *content)
{
    struct mem_content *copy = mem_content_new();
    auto_hold(&content->lock);
    g_tree_foreach(content->datasets, copy_dataset, copy);
    g_tree_foreach(content->fences, copy_fence, copy);
    g_tree_foreach(content->locks, copy_lock, copy);
    g_tree_foreach(content->ends, copy_end, copy);
    g_tree_foreach(content->changes, copy_changes, copy);
    return copy;
}

/* --- views -------------------------------------------------------------------------------------------------------- */

/* A dataset of the tree that no name of a spec can be. */
static char *shadow_name(const uint8_t run[16], const char *dataset)
{
    char hex[HEX_TEXT(16)];
    return g_strdup_printf("\n%s %s", hex_text(run, 16, hex), dataset);
}

struct mem_view mem_view(struct mem_content *content, const struct dataset *ds, int64_t now_ms, bool make)
{
    struct mem_view view = {.now_ms = now_ms, .live = mem_dataset(content, ds->name, make && !ds->shadow)};
    if (!ds->shadow)
        return view;
    g_autofree char *name = shadow_name(ds->shadow, ds->name);
    view.shadow = mem_dataset(content, name, make);
    return view;
}

static const struct keyed_value *value_of(GTree *dataset, struct slice key)
{
    const struct mem_record wanted = {.key = key};
    const struct mem_record *record = dataset ? g_tree_lookup(dataset, &wanted) : NULL;
    return record ? &record->value : NULL;
}

const struct keyed_value *mem_shown(const struct mem_view *view, struct slice key)
{
    return keyed_shown(value_of(view->shadow, key), value_of(view->live, key), view->now_ms);
}

static bool shadow_drop(struct session *session, const struct call *call, const uint8_t run[16], GError **error)
{
    struct mem_content *content = mem_content_of(session);
    g_autofree char *name = shadow_name(run, call->ds->name);
    auto_hold(&content->lock);
    g_tree_remove(content->datasets, name);
    mem_changes_of(content, call->ds->name)->n++;
    return true;
}

const struct shadow_ops mem_shadow_ops = {.drop = shadow_drop};

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
