#include "base/file.h"
#include "base/hex.h"
#include "store/place.h"
#include "store/rocksdb/rocks.h"

#define FORMAT "1"

/* --- the directory ------------------------------------------------------------------------------------------------ */

bool rocks_locate(const struct store_config *config, const struct world *world, char **ret, GError **error)
{
    return place_of(config, ret, error);
}

/* What RocksDB leaves behind where it dies while it makes a database. */
static bool is_beginning(const char *name)
{
    static const char *const prefixes[] = {"LOCK", "LOG", "IDENTITY", "MANIFEST-", "OPTIONS-", "lost+found", "0000"};
    for (size_t i = 0; i < G_N_ELEMENTS(prefixes); i++)
        if (g_str_has_prefix(name, prefixes[i]))
            return true;
    return false;
}

/* A directory that holds something else is somebody's: nothing is made in it. */
static bool dir_is_free(const char *path, const struct world *world, GError **error)
{
    g_autoptr(GPtrArray) names = NULL;
    if (!file_list(world, path, &names, error))
        return false;
    for (size_t i = 0; i < names->len; i++)
        if (!is_beginning(names->pdata[i]))
            return error_set(error, SLUICE_ERROR_REFUSED,
                             "%s is not a RocksDB directory and not empty (it holds '%s'); name a new directory", path,
                             (const char *)names->pdata[i]);
    return true;
}

static bool dir_prepare(const struct store_config *config, const char *path, const struct world *world, bool *ret_new,
                        GError **error)
{
    g_autofree char *current = g_build_filename(path, "CURRENT", NULL);
    *ret_new = !file_exists(world, current);
    if (!*ret_new)
        return true;
    bool there = file_exists(world, path);
    struct world_stat stat;
    if (there && !file_stat_path(world, path, &stat, error))
        return false;
    if (there && !stat.directory)
        return error_set(error, SLUICE_ERROR_REFUSED, "%s is a file; a RocksDB is a directory", path);
    if (there && !dir_is_free(path, world, error))
        return false;
    if (config->read_only)
        return error_set(error, SLUICE_ERROR_NOT_FOUND, "there is no RocksDB in %s", path);
    return there || file_make_dirs(world, path, error);
}

/* RocksDB's own name of the database and the directory's inode: a copy of the directory is another store, the directory
 * under another path the same. */
static bool identity_of(const char *path, const struct world *world, char **ret, GError **error)
{
    g_autofree char *file = g_build_filename(path, "IDENTITY", NULL);
    g_autoptr(GBytes) bytes = NULL;
    struct world_stat stat;
    if (!file_read_all(world, file, 256, &bytes, error) || !file_stat_path(world, path, &stat, error))
        return false;
    size_t len;
    const char *data = g_bytes_get_data(bytes, &len);
    g_autofree char *name = g_strndup(data, len);
    *ret = g_strdup_printf("rocksdb/%s/%" G_GINT64_MODIFIER "x", g_strstrip(name), stat.inode);
    return true;
}

/* --- column families ---------------------------------------------------------------------------------------------- */

static bool is_own(const char *name)
{
    return g_str_has_prefix(name, ROCKS_OWN);
}

bool rocks_is_small(const char *name)
{
    return is_own(name) && !g_str_has_prefix(name, ROCKS_SHADOW);
}

rocksdb_column_family_handle_t *rocks_family(struct rocks_store *store, const char *name)
{
    auto_hold(&store->lock);
    return g_hash_table_lookup(store->families, name);
}

static void family_add(struct rocks_store *store, const char *name, rocksdb_column_family_handle_t *family)
{
    auto_hold(&store->lock);
    g_hash_table_insert(store->families, g_strdup(name), family);
}

struct put_keys *rocks_put_keys(struct rocks_store *store, const char *name)
{
    auto_hold(&store->lock);
    return g_hash_table_lookup(store->made, name);
}

/* Its keys are noted from before the first of them can be put. */
static void family_made(struct rocks_store *store, const char *name, rocksdb_column_family_handle_t *family)
{
    auto_hold(&store->lock);
    g_hash_table_insert(store->families, g_strdup(name), family);
    g_hash_table_insert(store->made, g_strdup(name), put_keys_new());
}

bool rocks_dataset_name(const struct dataset *ds, GError **error)
{
    if (!*ds->name)
        return error_set(error, SLUICE_ERROR_USAGE, "expected the name of a dataset (a column family)");
    if (is_own(ds->name))
        return error_set(error, SLUICE_ERROR_REFUSED, "'%s' is sluice's own bookkeeping and no dataset", ds->name);
    return true;
}

static bool make_family(struct rocks_store *store, const char *name, rocksdb_column_family_handle_t **ret,
                        GError **error)
{
    rocksdb_column_family_handle_t *family = rocks_family(store, name);
    if (!family) {
        char *message = NULL;
        family = rocksdb_create_column_family(store->db, store->options.records, name, &message);
        if (!rocks_check(message, name, error))
            return false;
        family_made(store, name, family);
    }
    *ret = family;
    return true;
}

/* Under a latch of the name. */
static bool make_named(struct rocks_store *store, const char *name, const struct call *call,
                       rocksdb_column_family_handle_t **ret, GError **error)
{
    *ret = rocks_family(store, name);
    if (*ret)
        return true;
    const struct slice key = slice_of_text(name);
    struct latch latch = {.family = ROCKS_META, .keys = &key, .n = 1};
    if (!latch_take(&store->latches, &latch, call, store->base.world, error))
        return false;
    bool ok = make_family(store, name, ret, error);
    latch_release(&store->latches, &latch);
    return ok;
}

bool rocks_family_make(struct rocks_store *store, const struct call *call, rocksdb_column_family_handle_t **ret,
                       GError **error)
{
    return make_named(store, call->ds->name, call, ret, error);
}

/* --- shadows ------------------------------------------------------------------------------------------------------ */

char *rocks_shadow_name(const uint8_t run[16], const char *dataset)
{
    char hex[HEX_TEXT(16)];
    return g_strconcat(ROCKS_SHADOW, hex_text(run, 16, hex), ".", dataset, NULL);
}

rocksdb_column_family_handle_t *rocks_shadow(struct rocks_store *store, const struct dataset *ds,
                                             struct put_keys **ret_keys)
{
    *ret_keys = NULL;
    if (!ds->shadow)
        return NULL;
    g_autofree char *name = rocks_shadow_name(ds->shadow, ds->name);
    *ret_keys = rocks_put_keys(store, name);
    return rocks_family(store, name);
}

bool rocks_shadow_make(struct rocks_store *store, const struct call *call, rocksdb_column_family_handle_t **ret,
                       GError **error)
{
    g_autofree char *name = rocks_shadow_name(call->ds->shadow, call->ds->name);
    return make_named(store, name, call, ret, error);
}

/* The run is over, and nobody looks into its shadow any more. */
bool rocks_shadow_drop(struct session *session, const struct call *call, const uint8_t run[16], GError **error)
{
    struct rocks_store *store = rocks_of(session);
    g_autofree char *name = rocks_shadow_name(run, call->ds->name);
    if (!rocks_whole(store, error))
        return false;
    rocksdb_column_family_handle_t *family = rocks_family(store, name);
    if (!family)
        return true;
    char *message = NULL;
    rocksdb_drop_column_family(store->db, family, &message);
    if (!rocks_check(message, name, error))
        return false;
    auto_hold(&store->lock);
    g_hash_table_remove(store->made, name);
    return g_hash_table_remove(store->families, name);
}

/* --- opening ------------------------------------------------------------------------------------------------------ */

static void add_name(GPtrArray *names, const char *name)
{
    for (size_t i = 0; i < names->len; i++)
        if (strcmp(names->pdata[i], name) == 0)
            return;
    g_ptr_array_add(names, g_strdup(name));
}

/* All column families there are; "default" is always one, and stands first. */
static bool names_of(struct rocks_store *store, bool is_new, GPtrArray *names, GError **error)
{
    add_name(names, "default");
    if (is_new)
        return true;
    char *message = NULL;
    size_t n = 0;
    char **found = rocksdb_list_column_families(store->options.records, store->path, &n, &message);
    if (!rocks_check(message, store->path, error))
        return false;
    for (size_t i = 0; i < n; i++)
        add_name(names, found[i]);
    rocksdb_list_column_families_destroy(found, n);
    return true;
}

/* RocksDB removes its old info logs before it has the lock. Of two processes that open it at the same time one may find
 * that they are gone already, and fails for that. */
static bool is_log_gone(const char *message)
{
    return message && strstr(message, "LOG.old.") && strstr(message, "No such file");
}

enum { LOG_GONE_TRIES = 8 };

static bool open_families(struct rocks_store *store, bool read_only, GPtrArray *names, GError **error)
{
    int n = (int)names->len;
    g_autofree const rocksdb_options_t **options = g_new(const rocksdb_options_t *, names->len);
    g_autofree rocksdb_column_family_handle_t **families = g_new0(rocksdb_column_family_handle_t *, names->len);
    const char *const *list = (const char *const *)names->pdata;
    for (int i = 0; i < n; i++)
        options[i] = rocks_is_small(list[i]) ? store->options.small : store->options.records;
    char *message = NULL;
    rocksdb_options_set_disable_auto_compactions(store->options.records, true);
    for (int tries = 0; tries == 0 || (tries < LOG_GONE_TRIES && is_log_gone(message)); tries++) {
        g_clear_pointer(&message, rocksdb_free);
        store->db = read_only ? rocksdb_open_for_read_only_column_families(store->options.records, store->path, n, list,
                                                                           options, families, false, &message)
                              : rocksdb_open_column_families(store->options.records, store->path, n, list, options,
                                                             families, &message);
    }
    rocksdb_options_set_disable_auto_compactions(store->options.records, false); /* of a family that is made */
    if (!rocks_check(message, store->path, error))
        return false;
    for (int i = 0; i < n; i++)
        family_add(store, list[i], families[i]);
    return true;
}

/* 0: it is no log of writes. */
static uint64_t log_number(const char *name)
{
    char *end = NULL;
    uint64_t number = g_ascii_isdigit(*name) ? g_ascii_strtoull(name, &end, 10) : 0;
    return number > 0 && strcmp(end, ".log") == 0 ? number : 0;
}

/* Each opening begins a log of writes, and RocksDB removes the one before it only when there was something to flush.
 * Where it was opened to be read they would be more each time. Called when it is open, and so locked: the newest log is
 * its own, and of an older one that is empty nothing is missed. What cannot be removed is tried by the next opening. */
static void drop_empty_logs(const char *path, const struct world *world)
{
    g_autoptr(GPtrArray) names = NULL;
    uint64_t newest = 0;
    if (!file_list(world, path, &names, NULL))
        return;
    for (guint i = 0; i < names->len; i++)
        newest = MAX(newest, log_number(names->pdata[i]));
    for (guint i = 0; i < names->len; i++) {
        struct world_stat stat;
        uint64_t number = log_number(names->pdata[i]);
        g_autofree char *log = g_build_filename(path, names->pdata[i], NULL);
        if (number > 0 && number < newest && file_stat_path(world, log, &stat, NULL) && stat.size == 0)
            (void)file_unlink(world, log, NULL);
    }
}

static bool write_format(struct rocks_store *store, rocksdb_column_family_handle_t *meta, GError **error)
{
    char *message = NULL;
    rocksdb_put_cf(store->db, store->options.write, meta, "format", strlen("format"), FORMAT, strlen(FORMAT), &message);
    return rocks_check(message, store->path, error);
}

static bool check_format(struct rocks_store *store, bool read_only, GError **error)
{
    rocksdb_column_family_handle_t *meta = rocks_family(store, ROCKS_META);
    if (!meta)
        return true;
    rocksdb_pinnableslice_t *row = NULL;
    if (!rocks_row(store, ROCKS_META, slice_of_text("format"), &row, error))
        return false;
    if (!row)
        return read_only || write_format(store, meta, error);
    size_t len;
    const char *data = rocksdb_pinnableslice_value(row, &len);
    g_autofree char *format = g_strndup(data, len);
    rocksdb_pinnableslice_destroy(row);
    if (strcmp(format, FORMAT) == 0)
        return true;
    return error_set(error, SLUICE_ERROR_REFUSED,
                     "%s: its bookkeeping is of format %s, this sluice knows %s: use the newer one", store->path,
                     format, FORMAT);
}

/* RocksDB writes while it opens (manifest, log, options), and aborts where the disk is full in the middle of that. */
#define OPENING_BYTES (UINT64_C(512) << 10)

static bool has_room(const char *path, const struct world *world, GError **error)
{
    struct world_room room;
    if (!file_room(world, path, &room, error))
        return false;
    return room.free_bytes >= OPENING_BYTES ||
           error_set(error, SLUICE_ERROR_NO_SPACE,
                     "%s: no space left on device: %" G_GUINT64_FORMAT
                     " KiB are free, and opening it for writing takes "
                     "up to %" G_GUINT64_FORMAT " KiB; make room, and run the same command again",
                     path, room.free_bytes >> 10, OPENING_BYTES >> 10);
}

static bool open_in(struct rocks_store *store, const struct store_config *config, const struct world *world,
                    GError **error)
{
    bool is_new;
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    if (!place_of(config, &store->path, error) || !dir_prepare(config, store->path, world, &is_new, error) ||
        (!config->read_only && !has_room(store->path, world, error)) || !names_of(store, is_new, names, error))
        return false;
    if (!config->read_only) {
        add_name(names, ROCKS_FENCE);
        add_name(names, ROCKS_META);
        rocksdb_options_set_create_if_missing(store->options.records, is_new);
        rocksdb_options_set_create_missing_column_families(store->options.records, true);
    }
    if (!open_families(store, config->read_only, names, error))
        return false;
    if (!config->read_only)
        drop_empty_logs(store->path, world);
    return check_format(store, config->read_only, error) && identity_of(store->path, world, &store->identity, error);
}

static struct rocks_store *store_new(void)
{
    struct rocks_store *store = g_new0(struct rocks_store, 1);
    rocks_options_init(&store->options);
    pthread_mutex_init(&store->lock, NULL);
    latches_init(&store->latches);
    groupsync_init(&store->syncs);
    atomic_init(&store->commits, 1);
    store->families =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)rocksdb_column_family_handle_destroy);
    store->made = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)put_keys_free);
    return store;
}

/* What is in memory only goes to tables, so that the next opening has no log to read. */
static void flush_all(struct rocks_store *store)
{
    GHashTableIter at;
    void *family;
    g_hash_table_iter_init(&at, store->families);
    while (g_hash_table_iter_next(&at, NULL, &family)) {
        char *message = NULL;
        rocksdb_flush_cf(store->db, store->options.flush, family, &message);
        rocksdb_free(message); /* the log has it all */
    }
}

void rocks_close(struct store *base)
{
    struct rocks_store *store = (struct rocks_store *)base;
    if (store->db && !store->base.read_only && !atomic_load(&store->broken))
        flush_all(store);
    g_hash_table_unref(store->families);
    g_hash_table_unref(store->made);
    if (store->db)
        rocksdb_close(store->db);
    rocks_options_done(&store->options);
    latches_done(&store->latches);
    groupsync_done(&store->syncs);
    pthread_mutex_destroy(&store->lock);
    g_free(store->identity);
    g_free(store->path);
    g_free(store);
}

bool rocks_open(struct store **ret, const struct store_config *config, const struct world *world, GError **error)
{
    if (!rocks_library_load(error))
        return false;
    struct rocks_store *store = store_new();
    if (open_in(store, config, world, error)) {
        *ret = (struct store *)store;
        return true;
    }
    store->base.read_only = true; /* nothing was written that would be worth a flush */
    rocks_close((struct store *)store);
    return false;
}
