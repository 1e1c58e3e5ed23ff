/* What is added up while a run is at work: one row a run. */
#include "catalog/inside.h"

static bool no_such(const struct catalog *catalog, int64_t run, GError **error)
{
    return error_set(error, SLUICE_ERROR_NOT_FOUND, "catalog %s: there is no run with the id %" G_GINT64_FORMAT,
                     catalog->home, run);
}

static bool one_run(struct catalog *catalog, struct query *query, int64_t run, GError **error)
{
    return query_run(query, error) && (db_changes(catalog->db) == 1 || no_such(catalog, run, error));
}

bool total_add(struct catalog *catalog, int64_t run, const struct total *total, GError **error)
{
    auto_(query) query = query_of(catalog->db, SQL_TOTAL_ADD);
    query_put_i64(query, world_wall_ms(catalog->world));
    query_put_u64(query, total->bytes_read);
    query_put_u64(query, total->bytes_written);
    query_put_i64(query, total->limited_ms);
    query_put_i64(query, total->worked_ms);
    tally_put(query, total->tally);
    query_put_i64(query, run);
    return one_run(catalog, query, run, error);
}

bool total_touch(struct catalog *catalog, int64_t run, GError **error)
{
    auto_(query) query = query_of(catalog->db, SQL_TOTAL_TOUCH);
    query_put_i64(query, world_wall_ms(catalog->world));
    query_put_i64(query, run);
    return query_run(query, error);
}

static bool appeared_put(struct catalog *catalog, int64_t run, uint64_t n, GError **error)
{
    auto_(query) query = query_of(catalog->db, SQL_APPEARED_PUT);
    query_put_i64(query, world_wall_ms(catalog->world));
    query_put_u64(query, n);
    query_put_i64(query, run);
    return one_run(catalog, query, run, error);
}

bool catalog_appeared_put(struct catalog *catalog, int64_t run, uint64_t n, GError **error)
{
    return db_begin(catalog->db, error) && db_end(catalog->db, appeared_put(catalog, run, n, error), error);
}

static bool worked_add(struct catalog *catalog, int64_t run, int64_t worked_ms, GError **error)
{
    auto_(query) query = query_of(catalog->db, SQL_WORKED_ADD);
    query_put_i64(query, worked_ms);
    query_put_i64(query, run);
    return one_run(catalog, query, run, error);
}

bool catalog_worked_add(struct catalog *catalog, int64_t run, int64_t worked_ms, GError **error)
{
    return db_begin(catalog->db, error) && db_end(catalog->db, worked_add(catalog, run, worked_ms, error), error);
}

static bool told_add(struct catalog *catalog, const struct catalog_telling *telling, bool *ret_new, GError **error)
{
    auto_(query) query = query_of(catalog->db, SQL_TOLD_NEW);
    query_put_i64(query, telling->run);
    query_put_text(query, telling->what);
    if (!query_run(query, error))
        return false;
    *ret_new = db_changes(catalog->db) == 1;
    return true;
}

static bool tell(struct catalog *catalog, const struct catalog_telling *telling, bool *ret_new, GError **error)
{
    struct run_brief brief;
    auto_(arena) mem = arena_new(SMALL_BYTES);
    if (!run_brief_read(catalog, telling->run, mem, &brief, error) || !told_add(catalog, telling, ret_new, error))
        return false;
    struct run_act act = {.run = &brief,
                          .action = telling->action,
                          .act = &telling->act,
                          .given = telling->details,
                          .events = telling->events};
    return !*ret_new || ledger_act(catalog, &act, error);
}

bool catalog_tell_once(struct catalog *catalog, const struct catalog_telling *telling, bool *ret_new, GError **error)
{
    bool told_now = false;
    if (!db_begin(catalog->db, error) || !db_end(catalog->db, tell(catalog, telling, &told_now, error), error))
        return false;
    *ret_new = told_now;
    return true;
}

static bool take(struct catalog *catalog, int64_t run, uint64_t n, uint64_t *ret_first, GError **error)
{
    bool row;
    auto_(query) query = query_of(catalog->db, SQL_SEQUENCES);
    query_put_i64(query, run);
    query_put_u64(query, n);
    if (!query_row(query, &row, error))
        return false;
    if (!row)
        return no_such(catalog, run, error);
    uint64_t first = query_u64(query);
    if (!query_ok(query, error))
        return false;
    *ret_first = first;
    return true;
}

bool catalog_sequences_take(struct catalog *catalog, int64_t run, uint64_t n, uint64_t *ret_first, GError **error)
{
    uint64_t first = 0;
    if (!db_begin(catalog->db, error) || !db_end(catalog->db, take(catalog, run, n, &first, error), error))
        return false;
    *ret_first = first;
    return true;
}
