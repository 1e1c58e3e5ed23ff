/* From where the growth of a target counts: what each server held when a run first looked. */
#include "catalog/inside.h"

bool catalog_growth_put(struct catalog *catalog, int64_t run, const struct growth_base *base, GError **error)
{
    auto_(query) query = query_of(catalog->db, SQL_GROWTH_PUT);
    query_put_i64(query, run);
    query_put_text(query, base->node);
    query_put_i64(query, base->data_bytes);
    query_put_i64(query, base->keys);
    query_put_u64(query, base->wrote);
    return query_run(query, error);
}

bool catalog_growth(struct catalog *catalog, int64_t run, struct arena *mem, struct growth_base **ret, size_t *ret_n,
                    GError **error)
{
    bool row, ok;
    struct rows rows = {.size = sizeof(struct growth_base)};
    auto_(query) query = query_of(catalog->db, SQL_GROWTH);
    query_put_i64(query, run);
    while ((ok = query_row(query, &row, error)) && row) {
        struct growth_base *base = rows_add(&rows, mem, error);
        if (!base)
            return false;
        base->node = query_text(query, mem);
        base->data_bytes = query_i64(query);
        base->keys = query_i64(query);
        base->wrote = query_u64(query);
        if (!query_ok(query, error))
            return false;
    }
    *ret = rows.at;
    *ret_n = rows.n;
    return ok;
}
