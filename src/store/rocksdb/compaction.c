#include "store/rocksdb/rocks.h"

/* What was left to be compacted begins with the first write, not with the opening: whoever only reads would do work
 * that its end throws away, with a processor that the reading needs. */

static bool family_compacts(struct rocks_store *store, rocksdb_column_family_handle_t *family)
{
    static const char *const keys[] = {"disable_auto_compactions"}, *const values[] = {"false"};
    char *message = NULL;
    rocksdb_set_options_cf(store->db, family, G_N_ELEMENTS(keys), keys, values, &message);
    bool ok = !message;
    rocksdb_free(message); /* the write that comes next fails of the same, or the one behind it tries again */
    return ok;
}

void rocks_compact(struct rocks_store *store)
{
    GHashTableIter at;
    void *name, *family;
    bool ok = true;
    auto_hold(&store->lock);
    g_hash_table_iter_init(&at, store->families);
    while (!atomic_load(&store->compacts) && g_hash_table_iter_next(&at, &name, &family))
        ok &= rocks_is_small(name) || family_compacts(store, family);
    if (ok)
        atomic_store(&store->compacts, true);
}
