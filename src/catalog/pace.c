/* How a run is paced at the moment: for status and watch, written over and over by whoever holds it. */
#include "catalog/inside.h"

bool catalog_pace_put(struct catalog *catalog, int64_t run, const char *json, GError **error)
{
    auto_(query) query = query_of(catalog->db, SQL_PACE_PUT);
    query_put_i64(query, run);
    query_put_i64(query, world_wall_ms(catalog->world));
    query_put_text(query, json);
    return query_run(query, error);
}

int64_t catalog_now_ms(const struct catalog *catalog)
{
    return world_wall_ms(catalog->world);
}

bool catalog_pace(struct catalog *catalog, int64_t run, struct arena *mem, const char **ret, int64_t *ret_at_ms,
                  GError **error)
{
    bool row;
    auto_(query) query = query_of(catalog->db, SQL_PACE);
    query_put_i64(query, run);
    if (!query_row(query, &row, error))
        return false;
    *ret = NULL;
    if (!row)
        return true;
    *ret_at_ms = query_i64(query);
    *ret = query_text(query, mem);
    return query_ok(query, error);
}
