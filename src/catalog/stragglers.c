/* Partitions that lag behind the others, as the process at work said last. */
#include "catalog/inside.h"

static bool straggler_put(struct catalog *catalog, int64_t run, const struct straggler *straggler, GError **error)
{
    auto_(query) query = query_of(catalog->db, SQL_STRAGGLER_PUT);
    query_put_i64(query, run);
    query_put_i64(query, straggler->part);
    query_put_i64(query, straggler->since_ms);
    query_put_i64(query, straggler->still_ms);
    query_put_u64(query, straggler->left);
    query_put_u64(query, straggler->per_ks);
    query_put_u64(query, straggler->others_per_ks);
    query_put_text(query, straggler->cause);
    query_put_text(query, straggler->words);
    return query_run(query, error);
}

static bool stragglers_put(struct catalog *catalog, int64_t run, const struct straggler *stragglers, size_t n,
                           GError **error)
{
    auto_(query) none = query_of(catalog->db, SQL_STRAGGLERS_NONE);
    query_put_i64(none, run);
    if (!query_run(none, error))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!straggler_put(catalog, run, &stragglers[i], error))
            return false;
    return true;
}

bool catalog_stragglers_put(struct catalog *catalog, int64_t run, const struct straggler *stragglers, size_t n,
                            GError **error)
{
    return db_begin(catalog->db, error) &&
           db_end(catalog->db, stragglers_put(catalog, run, stragglers, n, error), error);
}

bool catalog_stragglers(struct catalog *catalog, int64_t run, struct arena *mem, struct straggler **ret, size_t *ret_n,
                        GError **error)
{
    bool row, ok;
    struct rows rows = {.size = sizeof(struct straggler)};
    auto_(query) query = query_of(catalog->db, SQL_STRAGGLERS);
    query_put_i64(query, run);
    while ((ok = query_row(query, &row, error)) && row) {
        struct straggler *straggler = rows_add(&rows, mem, error);
        if (!straggler)
            return false;
        straggler->part = query_u32(query);
        straggler->since_ms = query_i64(query);
        straggler->still_ms = query_i64(query);
        straggler->left = query_u64(query);
        straggler->per_ks = query_u64(query);
        straggler->others_per_ks = query_u64(query);
        straggler->cause = query_text(query, mem);
        straggler->words = query_text(query, mem);
        if (!query_ok(query, error))
            return false;
    }
    if (!ok)
        return false;
    *ret = rows.at;
    *ret_n = rows.n;
    return true;
}
