#include "catalog/pages.h"

#include "catalog/inside.h"

/* --- runs --------------------------------------------------------------------------------------------------------- */

/* The ids of a page, and of the first run behind it. */
static bool run_ids(struct catalog *catalog, const struct runs_wish *page, int64_t *ids, size_t *ret_n, GError **error)
{
    bool row, ok;
    size_t n = 0;
    auto_(arena) mem = arena_new(SMALL_BYTES);
    auto_(query) query = query_of(catalog->db, SQL_RUNS_BELOW);
    query_put_i64(query, page->before ? page->before : INT64_MAX);
    while (n <= page->most && (ok = query_row(query, &row, error)) && row) {
        int64_t id = query_i64(query);
        arena_reset(mem);
        const char *spec = query_text(query, mem);
        enum run_state state = run_state_get(query);
        if (!query_ok(query, error))
            return false;
        if (page->take(page->self, spec, state))
            ids[n++] = id;
    }
    *ret_n = n;
    return n > page->most || ok;
}

static bool runs_read(struct catalog *catalog, const int64_t *ids, size_t n, struct arena *mem, struct run_row *into,
                      GError **error)
{
    for (size_t i = 0; i < n; i++) {
        into[i].id = ids[i];
        if (!catalog_run_reload(catalog, mem, &into[i], error))
            return false;
    }
    return true;
}

bool catalog_runs_page(struct catalog *catalog, const struct runs_wish *wish, struct arena *mem, struct runs_page *ret,
                       GError **error)
{
    g_autofree int64_t *ids = g_new0(int64_t, wish->most + 1);
    size_t n;
    if (!run_ids(catalog, wish, ids, &n, error))
        return false;
    size_t here = MIN(n, wish->most);
    struct run_row *runs = arena_alloc0(mem, MAX(here, 1) * sizeof *runs);
    if (!runs)
        return error_set(error, SLUICE_ERROR_TOO_BIG, "there are more runs than there is memory for");
    if (!runs_read(catalog, ids, here, mem, runs, error))
        return false;
    *ret = (struct runs_page){.rows = runs, .n = here, .next = n > wish->most && here ? ids[here - 1] : 0};
    return true;
}

/* --- partitions --------------------------------------------------------------------------------------------------- */

uint32_t catalog_part_first(enum parts_kind kind)
{
    static const uint32_t FIRST[PARTS_KIND_COUNT] = {0, CATALOG_BACK_PART, CATALOG_PROMOTION_PART};
    return FIRST[kind];
}

bool catalog_parts_walk(struct catalog *catalog, const struct parts_walk *walk, GError **error)
{
    bool row, ok;
    uint32_t first = catalog_part_first(walk->kind);
    auto_(query) query = query_of(catalog->db, SQL_PART_STATES);
    query_put_i64(query, walk->run);
    query_put_i64(query, (int64_t)first + walk->from);
    query_put_i64(query, (int64_t)first + walk->to - 1);
    while ((ok = query_row(query, &row, error)) && row) {
        uint32_t part = query_u32(query), stage = query_u32(query);
        enum part_state state = part_state_get(query);
        if (!query_ok(query, error))
            return false;
        walk->each(walk->self, part - first, stage, state);
    }
    return ok;
}

bool catalog_part(struct catalog *catalog, int64_t run, uint32_t part, struct arena *mem, struct part_row *ret,
                  GError **error)
{
    bool row;
    auto_(query) query = query_of(catalog->db, SQL_PARTS);
    query_put_i64(query, run);
    query_put_null(query);
    query_put_i64(query, part);
    query_put_i64(query, part);
    if (!query_row(query, &row, error))
        return false;
    if (!row)
        return error_set(error, SLUICE_ERROR_NOT_FOUND, "there is no such partition");
    *ret = (struct part_row){0};
    parts_columns(query, mem, ret);
    return query_ok(query, error);
}

/* --- the ledger --------------------------------------------------------------------------------------------------- */

bool ledger_page(struct catalog *catalog, const struct ledger_page *page, struct arena *mem, struct ledger_entries *ret,
                 GError **error)
{
    auto_(query) query = query_of(catalog->db, SQL_LEDGER_BELOW);
    query_put_u64(query, page->before ? page->before : (uint64_t)INT64_MAX);
    query_put_text(query, page->run);
    query_put_u64(query, page->most);
    return ledger_rows(query, mem, ret, error);
}
