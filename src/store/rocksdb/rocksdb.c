#include "store/rocksdb/rocks.h"

static bool rocks_session_open(struct session **ret, struct store *store, GError **error)
{
    struct rocks_session *session = g_new0(struct rocks_session, 1);
    session->batch = rocksdb_writebatch_create();
    session->envelope = g_byte_array_new();
    *ret = (struct session *)session;
    return true;
}

static void rocks_session_close(struct session *base)
{
    struct rocks_session *session = (struct rocks_session *)base;
    rocksdb_writebatch_destroy(session->batch);
    g_byte_array_unref(session->envelope);
    g_free(session);
}

static const struct write_ops write_ops = {
    .cas = rocks_cas,
    .settle = rocks_settle,
    .lane_open = rocks_lane_open,
    .fence_read = rocks_fence_read,
    .fence_drop = rocks_fence_drop,
    .lock = rocks_lock,
    .unlock = rocks_unlock,
    .end_mark = rocks_end_mark,
    .end_read = rocks_end_read,
    .lock_read = rocks_lock_read,
};

static const struct shadow_ops shadow_ops = {.drop = rocks_shadow_drop};
static const struct list_ops list_ops = {.sorted = true};

const struct store_driver rocksdb_driver = {
    .name = "rocksdb",
    .schemes = (const char *const[]){"rocksdb", NULL},
    .words = "an embedded store in a directory; a dataset is a column family",
    .locate = rocks_locate,
    .open = rocks_open,
    .close = rocks_close,
    .session_open = rocks_session_open,
    .session_close = rocks_session_close,
    .inspect = rocks_inspect,
    .health = rocks_health,
    .split = rocks_split,
    .scan_open = rocks_scan_open,
    .scan_next = rocks_scan_next,
    .scan_each = rocks_scan_each,
    .scan_close = rocks_scan_close,
    .read = rocks_read,
    .write = &write_ops,
    .list = &list_ops,
    .shadow = &shadow_ops,
};
