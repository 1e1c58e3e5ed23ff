#include "store/file/file_store.h"
#include "store/file/stream.h"
#include "store/place.h"

/* --- stores and sessions --------------------------------------------------------------------------------------------
 */

static bool file_locate(const struct store_config *config, const struct world *world, char **ret, GError **error)
{
    return place_of(config, ret, error);
}

static bool dir_ready(const struct store_config *config, const struct world *world, const char *dir, GError **error)
{
    struct world_stat stat;
    GError *cause = NULL;
    if (file_stat_path(world, dir, &stat, &cause))
        return stat.directory || error_set(error, SLUICE_ERROR_REFUSED, "%s: not a directory", dir);
    if (!config->read_only && error_is(cause, SLUICE_ERROR_NOT_FOUND)) {
        g_clear_error(&cause);
        return file_make_dirs(world, dir, error);
    }
    g_propagate_error(error, cause);
    return false;
}

static bool file_open_store(struct store **ret, const struct store_config *config, const struct world *world,
                            GError **error)
{
    g_autofree char *dir = NULL;
    if (!place_of(config, &dir, error) || !dir_ready(config, world, dir, error))
        return false;
    struct file_store *store = g_new0(struct file_store, 1);
    store->dir = g_steal_pointer(&dir);
    *ret = (struct store *)store;
    return true;
}

static void file_close_store(struct store *base)
{
    struct file_store *store = (struct file_store *)base;
    g_free(store->dir);
    g_free(store);
}

static bool file_session_open(struct session **ret, struct store *store, GError **error)
{
    *ret = (struct session *)g_new0(struct file_session, 1);
    return true;
}

static void file_session_close(struct session *base)
{
    struct file_session *session = (struct file_session *)base;
    file_scan_free(session->parked);
    g_free(session);
}

static bool file_inspect(struct session *session, const struct call *call, struct store_info *ret, GError **error)
{
    const struct file_store *store = file_store_of(session);
    g_autoptr(GPtrArray) files = NULL;
    if (!file_names(store->base.world, store->dir, call->ds->name, &files, error))
        return false;
    g_autofree char *place = g_strconcat("file:", store->dir, NULL);
    const char *identity = arena_text(call->mem, slice_of_text(place));
    if (!identity)
        return error_set(error, SLUICE_ERROR_TOO_BIG, "the answer does not fit into its memory");
    *ret = (struct store_info){.identity = identity,
                               .version = "1",
                               .clock_ms = world_wall_ms(store->base.world),
                               .dataset_present = files->len > 0};
    for (size_t i = 0; i < files->len; i++)
        ret->bytes += ((const struct file_name *)files->pdata[i])->stat.size;
    return true;
}

const struct store_driver file_driver = {
    .name = "file",
    .schemes = (const char *const[]){"file", NULL},
    .words = "files below a directory: NDJSON, JSON, CSV, each also gzip or zstd; as a target append-only",
    .frozen = true,
    .locate = file_locate,
    .open = file_open_store,
    .close = file_close_store,
    .session_open = file_session_open,
    .session_close = file_session_close,
    .inspect = file_inspect,
    .split = file_split,
    .scan_open = file_scan_open,
    .scan_next = file_scan_next,
    .scan_close = file_scan_close,
    .sink = &file_sink_ops,
};
