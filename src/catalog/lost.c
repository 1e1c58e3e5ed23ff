/* Checkpoints that count no longer, because a server may have lost what they count. */
#include "catalog/inside.h"

static bool take_looks(struct query *query, struct arena *mem, struct checkpoint_looks *ret, GError **error)
{
    bool row, ok;
    struct rows looks = {.size = sizeof(struct checkpoint_look)};
    while ((ok = query_row(query, &row, error)) && row) {
        struct checkpoint_look *look = rows_add(&looks, mem, error);
        if (!look)
            return false;
        look->part = query_u32(query);
        look->number = query_u64(query);
        look->lane = query_u32(query);
        look->settled = query_u64(query);
        look->conditions = query_text(query, mem);
        if (!query_ok(query, error))
            return false;
    }
    if (!ok)
        return false;
    *ret = (struct checkpoint_looks){.rows = looks.at, .n = looks.n};
    return true;
}

bool catalog_checkpoint_looks(struct catalog *catalog, int64_t run, enum parts_kind kind, struct arena *mem,
                              struct checkpoint_looks *ret, GError **error)
{
    auto_(query) query = query_of(catalog->db, SQL_LOOKS);
    query_put_i64(query, run);
    parts_range_put(query, UINT32_MAX, kind);
    return take_looks(query, mem, ret, error);
}

bool catalog_lost_looks(struct catalog *catalog, int64_t run, uint32_t part, struct arena *mem,
                        struct checkpoint_looks *ret, GError **error)
{
    auto_(query) query = query_of(catalog->db, SQL_LOST_LOOKS);
    query_put_i64(query, run);
    query_put_i64(query, part);
    return take_looks(query, mem, ret, error);
}

/* One statement on what lies behind `after`; when, and where, where it takes them. */
static bool behind(struct catalog *catalog, enum sql sql, int64_t run, const struct part_lost *part, GError **error)
{
    auto_(query) query = query_of(catalog->db, sql);
    query_put_i64(query, run);
    query_put_i64(query, part->part);
    query_put_u64(query, part->after);
    if (sql != SQL_LOST_DROP)
        query_put_i64(query, world_wall_ms(catalog->world));
    if (sql == SQL_LOST_KEEP)
        query_put_text(query, part->where);
    return query_run(query, error);
}

static bool give_back(struct catalog *catalog, int64_t run, uint32_t part, GError **error)
{
    auto_(query) query = query_of(catalog->db, SQL_PART_MOVE);
    query_put_i64(query, run);
    query_put_i64(query, part);
    query_put_text(query, part_state_word(PART_PENDING));
    return query_run(query, error);
}

static bool parts_lose(struct catalog *catalog, int64_t run, const struct part_lost *parts, size_t n,
                       uint64_t *ret_rows, GError **error)
{
    *ret_rows = 0;
    for (size_t i = 0; i < n; i++) {
        if (!behind(catalog, SQL_LOST_KEEP, run, &parts[i], error) ||
            !behind(catalog, SQL_LOST_TOTAL, run, &parts[i], error) ||
            !behind(catalog, SQL_LOST_DROP, run, &parts[i], error))
            return false;
        *ret_rows += db_changes(catalog->db);
        if (!give_back(catalog, run, parts[i].part, error))
            return false;
    }
    return true;
}

static bool lose(struct catalog *catalog, int64_t run, const struct part_lost *parts, size_t n, const struct act *act,
                 GError **error)
{
    struct run_brief brief;
    uint64_t rows;
    auto_(arena) mem = arena_new(SMALL_BYTES);
    if (!run_brief_read(catalog, run, mem, &brief, error) || !parts_lose(catalog, run, parts, n, &rows, error))
        return false;
    struct run_act lost = {.run = &brief,
                           .action = "lost",
                           .act = act,
                           .own =
                               json_pack("{s:I, s:I}", "partitions", (json_int_t)n, "checkpoints", (json_int_t)rows)};
    return ledger_act(catalog, &lost, error);
}

bool catalog_parts_lost(struct catalog *catalog, int64_t run, const struct part_lost *parts, size_t n,
                        const struct act *act, GError **error)
{
    world_point(catalog->world, "parts.lost");
    bool done = db_begin(catalog->db, error) && db_end(catalog->db, lose(catalog, run, parts, n, act, error), error);
    world_point(catalog->world, "parts.are_lost");
    return done;
}
