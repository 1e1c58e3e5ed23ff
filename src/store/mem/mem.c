#include "store/mem/mem.h"

#include "base/int.h"
#include "base/lock.h"
#include "store/keyrange.h"
#include "store/mem/content.h"

struct mem_store {
    struct store_base base;
    char *identity;
    struct mem_content *content;
    bool owned; /* false: a mem_space keeps it */
};

struct mem_session {
    struct session_base base;
};

struct mem_scan {
    struct scan_base base;
    struct scan_spec spec;       /* its bounds and cursor are not used: these are */
    GByteArray *bounds, *cursor; /* owned; the cursor moves on */
};

/* --- spaces ------------------------------------------------------------------------------------------------------- */

struct mem_space {
    pthread_mutex_t lock;
    GHashTable *contents; /* char * (URI) → struct mem_content */
};

struct mem_space *mem_space_new(void)
{
    struct mem_space *space = g_new0(struct mem_space, 1);
    pthread_mutex_init(&space->lock, NULL);
    space->contents = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)mem_content_free);
    return space;
}

void mem_space_free(struct mem_space *space)
{
    if (!space)
        return;
    g_hash_table_unref(space->contents);
    pthread_mutex_destroy(&space->lock);
    g_free(space);
}

struct mem_space *mem_space_copy(struct mem_space *space)
{
    GHashTableIter each;
    gpointer uri, content;
    struct mem_space *copy = mem_space_new();
    auto_hold(&space->lock);
    g_hash_table_iter_init(&each, space->contents);
    while (g_hash_table_iter_next(&each, &uri, &content))
        g_hash_table_insert(copy->contents, g_strdup(uri), mem_content_copy(content));
    return copy;
}

static struct mem_content *space_content(struct mem_space *space, const char *uri)
{
    auto_hold(&space->lock);
    struct mem_content *content = g_hash_table_lookup(space->contents, uri);
    if (!content) {
        content = mem_content_new();
        g_hash_table_insert(space->contents, g_strdup(uri), content);
    }
    return content;
}

/* --- stores and sessions ------------------------------------------------------------------------------------------ */

static bool open_content(struct store **ret, const struct store_config *config, struct mem_space *space, GError **error)
{
    if (strlen(config->uri) == strlen("mem:"))
        return error_set(error, SLUICE_ERROR_USAGE, "expected a name: mem:NAME");
    struct mem_store *store = g_new0(struct mem_store, 1);
    store->identity = g_strdup(config->uri);
    store->owned = !space;
    store->content = space ? space_content(space, config->uri) : mem_content_new();
    *ret = (struct store *)store;
    return true;
}

static bool mem_open(struct store **ret, const struct store_config *config, const struct world *world, GError **error)
{
    return open_content(ret, config, NULL, error);
}

static bool mem_open_in_space(struct store **ret, const struct store_config *config, const struct world *world,
                              GError **error)
{
    return open_content(ret, config, ((const struct mem_driver *)config->driver)->space, error);
}

void mem_driver_init(struct mem_driver *ret, struct mem_space *space)
{
    *ret = (struct mem_driver){.table = mem_driver, .space = space};
    ret->table.open = mem_open_in_space;
}

static void mem_close(struct store *base)
{
    struct mem_store *store = (struct mem_store *)base;
    if (store->owned)
        mem_content_free(store->content);
    g_free(store->identity);
    g_free(store);
}

static bool mem_session_open(struct session **ret, struct store *store, GError **error)
{
    *ret = (struct session *)g_new0(struct mem_session, 1);
    return true;
}

static void mem_session_close(struct session *session)
{
    g_free(session);
}

static const struct mem_store *store_of(struct session *session)
{
    return (const struct mem_store *)((struct session_base *)session)->store;
}

struct mem_content *mem_content_of(struct session *session)
{
    return store_of(session)->content;
}

int64_t mem_now_ms(struct session *session)
{
    return world_wall_ms(store_of(session)->base.world);
}

static bool mem_inspect(struct session *session, const struct call *call, struct store_info *ret, GError **error)
{
    const struct mem_store *store = store_of(session);
    auto_hold(&store->content->lock);
    GTree *dataset = mem_dataset(store->content, call->ds->name, false);
    *ret = (struct store_info){
        .identity = store->identity,
        .version = "1",
        .clock_ms = mem_now_ms(session),
        .records = dataset ? (uint64_t)g_tree_nnodes(dataset) : 0,
        .dataset_present = dataset != NULL,
        .keyed = true,
    };
    for (GTreeNode *node = dataset ? g_tree_node_first(dataset) : NULL; node; node = g_tree_node_next(node)) {
        const struct mem_record *record = g_tree_node_value(node);
        ret->bytes += record->key.len + record->value.raw.len;
    }
    return true;
}

/* Who waits for an expiry cannot be told by counting. */
static bool mem_moment(struct session *session, const struct call *call, struct slice *ret, GError **error)
{
    struct mem_content *content = mem_content_of(session);
    auto_hold(&content->lock);
    const struct mem_changes *changes = mem_changes_of(content, call->ds->name);
    return changes->mortal || arena_copy(call->mem, slice_of(&changes->n, sizeof changes->n), ret) ||
           error_set(error, SLUICE_ERROR_TOO_BIG, "a moment does not fit into the memory of the call");
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static bool mem_read(struct session *session, const struct call *call, struct record *io, size_t n, GError **error)
{
    struct mem_content *content = mem_content_of(session);
    int64_t now_ms = mem_now_ms(session);
    auto_hold(&content->lock);
    struct mem_view view = mem_view(content, call->ds, now_ms, false);
    for (size_t i = 0; i < n; i++)
        if (!keyed_image_copy(io[i].key, mem_shown(&view, io[i].key), call->mem, &io[i]))
            return keyed_too_big(io[i].key, error);
    return true;
}

static bool mem_split(struct session *session, const struct call *call, const struct split_wish *wish,
                      struct part_list *into, GError **error)
{
    struct mem_content *content = mem_content_of(session);
    int64_t now_ms = mem_now_ms(session);
    auto_(key_splitter) splitter = key_splitter_new(wish);
    auto_hold(&content->lock);
    GTree *dataset = mem_dataset(content, call->ds->name, false);
    for (GTreeNode *node = dataset ? g_tree_node_first(dataset) : NULL; node; node = g_tree_node_next(node)) {
        const struct mem_record *record = g_tree_node_value(node);
        if (!keyed_expired(record->value.expires_at_ms, now_ms))
            key_splitter_add(splitter, record->key, record->value.raw.len);
    }
    return key_splitter_finish(splitter, into, error);
}

static GByteArray *keep(struct slice bytes)
{
    GByteArray *kept = g_byte_array_new();
    put_bytes(kept, bytes);
    return kept;
}

static struct slice bytes_of(const GByteArray *bytes)
{
    return slice_of(bytes->data, bytes->len);
}

static void mem_scan_close(struct scan *base)
{
    struct mem_scan *scan = (struct mem_scan *)base;
    g_byte_array_unref(scan->bounds);
    g_byte_array_unref(scan->cursor);
    g_free(scan);
}

static bool mem_scan_open(struct scan **ret, struct session *session, const struct scan_spec *spec, GError **error)
{
    struct key_range range;
    if (!key_range_decode(&range, spec->bounds, spec->cursor, error))
        return false;
    struct mem_scan *scan = g_new0(struct mem_scan, 1);
    *scan = (struct mem_scan){.spec = *spec, .bounds = keep(spec->bounds), .cursor = keep(spec->cursor)};
    *ret = (struct scan *)scan;
    return true;
}

static bool fill(struct mem_scan *scan, struct keyed_filling *filling, GError **error)
{
    struct mem_content *content = mem_content_of(scan->base.session);
    int64_t now_ms = mem_now_ms(scan->base.session);
    struct key_range range;
    if (!key_range_decode(&range, bytes_of(scan->bounds), bytes_of(scan->cursor), error))
        return false;
    auto_hold(&content->lock);
    GTree *dataset = mem_dataset(content, scan->spec.ds->name, false);
    for (GTreeNode *node = dataset ? mem_seek(dataset, range.from) : NULL; node; node = g_tree_node_next(node)) {
        const struct mem_record *record = g_tree_node_value(node);
        if (!key_range_holds(&range, record->key))
            break;
        if (keyed_expired(record->value.expires_at_ms, now_ms))
            continue;
        if (!keyed_filling_add(filling, record->key, &record->value, error))
            return false;
        if (filling->full)
            return true;
    }
    filling->batch.done = true;
    return true;
}

static bool mem_scan_next(struct scan *base, const struct call *call, struct batch *ret, GError **error)
{
    struct mem_scan *scan = (struct mem_scan *)base;
    struct keyed_filling filling;
    struct batch batch;
    if (!keyed_filling_init(&filling, &scan->spec, call->mem, error) || !fill(scan, &filling, error) ||
        !keyed_filling_finish(&filling, bytes_of(scan->cursor), &batch, error))
        return false;
    g_byte_array_set_size(scan->cursor, 0);
    put_bytes(scan->cursor, batch.cursor);
    *ret = batch;
    return true;
}

static const struct list_ops list_ops = {.sorted = true};

const struct store_driver mem_driver = {
    .name = "mem",
    .schemes = (const char *const[]){"mem", NULL},
    .words = "an ordered map in this process's memory, for demonstrations and tests",
    .open = mem_open,
    .close = mem_close,
    .session_open = mem_session_open,
    .session_close = mem_session_close,
    .inspect = mem_inspect,
    .moment = mem_moment,
    .split = mem_split,
    .scan_open = mem_scan_open,
    .scan_next = mem_scan_next,
    .scan_close = mem_scan_close,
    .read = mem_read,
    .write = &mem_write_ops,
    .list = &list_ops,
    .shadow = &mem_shadow_ops,
};
