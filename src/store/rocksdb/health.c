/* How an embedded database feels: one server, which is this process. */
#include "store/rocksdb/rocks.h"

/* Over all column families. The tables are locked: a shadow that is dropped takes its handle along. */
static int64_t bytes_of(struct rocks_store *store, const char *property)
{
    GHashTableIter at;
    gpointer family;
    int64_t bytes = 0;
    auto_hold(&store->lock);
    g_hash_table_iter_init(&at, store->families);
    while (g_hash_table_iter_next(&at, NULL, &family))
        bytes += (int64_t)rocks_property(store, family, property);
    return bytes;
}

/* Stops and delays are those of the whole database, whichever family is asked. */
static bool is_stalled(struct rocks_store *store)
{
    rocksdb_column_family_handle_t *family = rocks_family(store, "default");
    return rocks_property(store, family, "rocksdb.is-write-stopped") > 0 ||
           rocks_property(store, family, "rocksdb.actual-delayed-write-rate") > 0;
}

bool rocks_health(struct session *session, const struct call *call, GArray *into, GError **error)
{
    struct rocks_store *store = rocks_of(session);
    struct node_health health = NODE_HEALTH_UNKNOWN;
    int64_t began_us = world_monotonic_us(store->base.world);
    health.stalled = is_stalled(store);
    health.round_trip_us = world_monotonic_us(store->base.world) - began_us;
    health.compaction_bytes = bytes_of(store, "rocksdb.estimate-pending-compaction-bytes");
    health.data_bytes = bytes_of(store, "rocksdb.estimate-live-data-size");
    health.node = arena_text(call->mem, slice_of_text(store->path));
    if (!health.node)
        return error_set(error, SLUICE_ERROR_TOO_BIG, "the path of the store does not fit into memory");
    g_array_append_val(into, health);
    return true;
}
