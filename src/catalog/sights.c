/* What whoever holds a run sees, and the flag that stops all of them. */
#include "catalog/inside.h"

bool catalog_sight_put(struct catalog *catalog, int64_t run, const struct sight *sight, GError **error)
{
    auto_(query) query = query_of(catalog->db, SQL_SIGHT_PUT);
    query_put_i64(query, run);
    query_put_i64(query, sight->at_ms);
    query_put_text(query, sight->slowed_by);
    query_put_text(query, sight->json);
    return query_run(query, error);
}

bool catalog_sight(struct catalog *catalog, int64_t run, struct arena *mem, struct sight *ret, GError **error)
{
    bool row;
    auto_(query) query = query_of(catalog->db, SQL_SIGHT);
    query_put_i64(query, run);
    *ret = (struct sight){.json = "[]"};
    if (!query_row(query, &row, error))
        return false;
    if (!row)
        return true;
    ret->at_ms = query_i64(query);
    ret->slowed_by = query_text(query, mem);
    ret->json = query_text(query, mem);
    return query_ok(query, error);
}

/* --- others ------------------------------------------------------------------------------------------------------- */

bool catalog_runs_at_work(struct catalog *catalog, struct arena *mem, struct run_row **ret, size_t *ret_n,
                          GError **error)
{
    bool row, ok;
    struct rows rows = {.size = sizeof(struct run_row)};
    auto_(query) query = query_of(catalog->db, SQL_RUNS_AT_WORK);
    while ((ok = query_row(query, &row, error)) && row) {
        struct run_row *run = rows_add(&rows, mem, error);
        if (!run)
            return false;
        *run =
            (struct run_row){.id = query_i64(query), .name = query_text(query, mem), .target = query_text(query, mem)};
        if (!query_ok(query, error))
            return false;
    }
    *ret = rows.at;
    *ret_n = rows.n;
    return ok;
}

/* --- the flag ----------------------------------------------------------------------------------------------------- */

static bool flag_put(struct catalog *catalog, const struct act *act, GError **error)
{
    auto_(query) query = query_of(catalog->db, SQL_STOP_PUT);
    query_put_i64(query, world_wall_ms(catalog->world));
    query_put_text(query, act->actor);
    query_put_text(query, act->reason);
    return query_run(query, error);
}

static bool flag_lift(struct catalog *catalog, GError **error)
{
    auto_(query) query = query_of(catalog->db, SQL_STOP_LIFT);
    if (!query_run(query, error))
        return false;
    return db_changes(catalog->db) == 1 ||
           error_set(error, SLUICE_ERROR_REFUSED, "catalog %s: the flag that stops all runs does not stand",
                     catalog->home);
}

static bool note(struct catalog *catalog, const char *action, const struct act *act, GError **error)
{
    struct ledger_entry entry = {.actor = act->actor, .action = action, .reason = act->reason};
    return ledger_add(catalog, &entry, error);
}

bool catalog_stop_put(struct catalog *catalog, const struct act *act, GError **error)
{
    return db_begin(catalog->db, error) &&
           db_end(catalog->db, flag_put(catalog, act, error) && note(catalog, "stop-all", act, error), error);
}

bool catalog_stop_lift(struct catalog *catalog, const struct act *act, GError **error)
{
    return db_begin(catalog->db, error) &&
           db_end(catalog->db, flag_lift(catalog, error) && note(catalog, "go-all", act, error), error);
}

bool catalog_stop(struct catalog *catalog, struct arena *mem, struct stop_flag *ret, GError **error)
{
    bool row;
    auto_(query) query = query_of(catalog->db, SQL_STOP);
    *ret = (struct stop_flag){0};
    if (!query_row(query, &row, error))
        return false;
    if (!row)
        return true;
    ret->at_ms = query_i64(query);
    ret->actor = query_text(query, mem);
    ret->reason = query_text(query, mem);
    return query_ok(query, error);
}

/* --- a halt that was lifted --------------------------------------------------------------------------------------- */

bool catalog_run_lifted(struct catalog *catalog, const char *run, int64_t *ret_ms, GError **error)
{
    bool row;
    auto_(query) query = query_of(catalog->db, SQL_LEDGER_LIFTED);
    query_put_text(query, run);
    if (!query_row(query, &row, error))
        return false;
    *ret_ms = row ? query_i64(query) : 0;
    return query_ok(query, error);
}
