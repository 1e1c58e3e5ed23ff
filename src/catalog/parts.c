/* Stages and partitions, and the moves that are no grant and no checkpoint. */
#include "catalog/inside.h"

/* --- stages
 * ----------------------------------------------------------------------------------------------------------- */

static bool stage_rows(struct catalog *catalog, int64_t run, struct arena *mem, struct rows *stages, GError **error)
{
    bool row, ok;
    auto_(query) query = query_of(catalog->db, SQL_STAGES);
    query_put_i64(query, run);
    while ((ok = query_row(query, &row, error)) && row) {
        struct stage_row *stage = rows_add(stages, mem, error);
        if (!stage)
            return false;
        stage->stage = query_u32(query);
        stage->name = query_text(query, mem);
        stage->state = stage_state_get(query);
        stage->attempt = query_u32(query);
        stage->until_ms = query_i64(query);
        gates_report_get(query, stage->report);
        if (!query_ok(query, error))
            return false;
    }
    return ok;
}

static bool stage_counts(struct catalog *catalog, int64_t run, struct rows *stages, GError **error)
{
    bool row, ok;
    struct stage_row *at = stages->at;
    auto_(query) query = query_of(catalog->db, SQL_PART_COUNTS);
    query_put_i64(query, run);
    while ((ok = query_row(query, &row, error)) && row) {
        uint32_t stage = query_u32(query);
        bool back = query_i64(query) != 0;
        enum part_state state = part_state_get(query);
        uint64_t n = query_u64(query);
        if (!query_ok(query, error))
            return false;
        for (size_t i = 0; i < stages->n && !back; i++)
            if (at[i].stage == stage)
                at[i].parts[state] = n;
    }
    return ok;
}

bool catalog_stages(struct catalog *catalog, int64_t run, struct arena *mem, struct stage_row **ret, size_t *ret_n,
                    GError **error)
{
    struct rows stages = {.size = sizeof(struct stage_row)};
    if (!db_begin_reading(catalog->db, error))
        return false;
    bool ok = stage_rows(catalog, run, mem, &stages, error) && stage_counts(catalog, run, &stages, error);
    if (!db_end(catalog->db, ok, error))
        return false;
    *ret = stages.at;
    *ret_n = stages.n;
    return true;
}

struct stage_now {
    const char *name;
    enum stage_state state;
};

static bool stage_now(struct catalog *catalog, const struct stage_move *move, const struct run_brief *run,
                      struct arena *mem, struct stage_now *ret, GError **error)
{
    bool row;
    auto_(query) query = query_of(catalog->db, SQL_STAGE_STATE);
    query_put_i64(query, move->run);
    query_put_i64(query, move->stage);
    if (!query_row(query, &row, error))
        return false;
    if (!row)
        return error_set(error, SLUICE_ERROR_NOT_FOUND, "run %s has no stage with the number %u", run->name,
                         move->stage);
    ret->name = query_text(query, mem);
    ret->state = stage_state_get(query);
    if (!query_ok(query, error))
        return false;
    return stage_state_may(ret->state, move->to) ||
           error_set(error, SLUICE_ERROR_REFUSED, "stage %s of run %s is %s: it cannot become %s", ret->name, run->name,
                     stage_state_word(ret->state), stage_state_word(move->to));
}

static bool stage_write(struct catalog *catalog, const struct stage_move *move, GError **error)
{
    auto_(query) query = query_of(catalog->db, SQL_STAGE_MOVE);
    auto_(query) current = query_of(catalog->db, SQL_RUN_STAGE);
    query_put_i64(query, move->run);
    query_put_i64(query, move->stage);
    query_put_text(query, stage_state_word(move->to));
    query_put_i64(query, move->to == STAGE_VERIFYING);
    query_put_i64(query, move->to == STAGE_WAITING ? move->until_ms : 0);
    if (move->report)
        query_put_bytes(query, slice_of(move->report, 32));
    else
        query_put_null(query);
    query_put_i64(current, move->run);
    query_put_i64(current, move->stage);
    return query_run(query, error) && query_run(current, error);
}

static bool stage_step(struct catalog *catalog, const struct stage_move *move, GError **error)
{
    struct run_brief run;
    struct stage_now now = {0};
    auto_(arena) mem = arena_new(SMALL_BYTES);
    if (!run_brief_read(catalog, move->run, mem, &run, error) || !stage_now(catalog, move, &run, mem, &now, error) ||
        !stage_write(catalog, move, error) || !total_touch(catalog, move->run, error))
        return false;
    g_autofree char *action = g_strconcat("stage.", stage_state_word(move->to), NULL);
    struct run_act act = {
        .run = &run,
        .action = action,
        .act = &move->act,
        .given = move->details,
        .own = json_pack("{s:s, s:o}", "from", stage_state_word(now.state), "stage", ledger_json_text(now.name)),
        .events = hooks_of_stage_move(move->to),
        .stage = now.name};
    return ledger_act(catalog, &act, error) && (!move->with || run_move_within(catalog, move->with, error));
}

bool catalog_stage_move(struct catalog *catalog, const struct stage_move *move, GError **error)
{
    world_point(catalog->world, "stage.move");
    bool moved = db_begin(catalog->db, error) && db_end(catalog->db, stage_step(catalog, move, error), error);
    world_point(catalog->world, "stage.moved");
    return moved;
}

/* --- partitions
 * ------------------------------------------------------------------------------------------------------- */

bool parts_insert(struct catalog *catalog, int64_t run, const struct part_new *part, GError **error)
{
    auto_(query) query = query_of(catalog->db, SQL_PART_NEW);
    query_put_i64(query, run);
    query_put_i64(query, part->part);
    query_put_i64(query, part->stage);
    query_put_text(query, part_state_word(PART_PENDING));
    query_put_u64(query, part->records);
    query_put_bytes(query, part->bounds);
    if (part->turn)
        query_put_i64(query, part->turn - 1);
    else
        query_put_null(query);
    return query_run(query, error);
}

void parts_columns(struct query *query, struct arena *mem, struct part_row *part)
{
    part->part = query_u32(query);
    part->stage = query_u32(query);
    part->state = part_state_get(query);
    part->lane = query_u32(query);
    part->records = query_u64(query);
    part->bounds = query_bytes(query, mem);
    part->parent = query_u32(query);
    part->of = query_u32(query);
    part->first = query_u64(query);
}

void parts_range_put(struct query *query, uint32_t stage, enum parts_kind kind)
{
    static const uint32_t FIRST[PARTS_KIND_COUNT] = {
        [PARTS_BACK] = CATALOG_BACK_PART, [PARTS_PROMOTION] = CATALOG_PROMOTION_PART};
    static const uint32_t LAST[PARTS_KIND_COUNT] = {[PARTS_FORWARD] = CATALOG_BACK_PART - 1,
                                                    [PARTS_BACK] = CATALOG_PROMOTION_PART - 1,
                                                    [PARTS_PROMOTION] = UINT32_MAX};
    if (stage == UINT32_MAX)
        query_put_null(query);
    else
        query_put_i64(query, stage);
    query_put_i64(query, FIRST[kind]);
    query_put_i64(query, LAST[kind]);
}

bool catalog_parts(struct catalog *catalog, const struct parts_of *of, struct arena *mem, struct part_row **ret,
                   size_t *ret_n, GError **error)
{
    bool row, ok;
    struct rows parts = {.size = sizeof(struct part_row)};
    auto_(query) query = query_of(catalog->db, SQL_PARTS);
    query_put_i64(query, of->run);
    parts_range_put(query, of->stage, of->kind);
    while ((ok = query_row(query, &row, error)) && row) {
        struct part_row *part = rows_add(&parts, mem, error);
        if (!part)
            return false;
        parts_columns(query, mem, part);
        if (!query_ok(query, error))
            return false;
    }
    if (!ok)
        return false;
    *ret = parts.at;
    *ret_n = parts.n;
    return true;
}

/* *ret is its state, where the catalog has it. */
static bool part_look(struct catalog *catalog, int64_t run, uint32_t part, bool *ret_there, enum part_state *ret,
                      GError **error)
{
    auto_(query) query = query_of(catalog->db, SQL_PART_STATE);
    query_put_i64(query, run);
    query_put_i64(query, part);
    if (!query_row(query, ret_there, error))
        return false;
    if (*ret_there)
        *ret = part_state_get(query);
    return query_ok(query, error);
}

static bool part_check(struct catalog *catalog, int64_t run, uint32_t part, enum part_state to, GError **error)
{
    bool there;
    enum part_state from;
    if (!part_look(catalog, run, part, &there, &from, error))
        return false;
    if (!there)
        return error_set(error, SLUICE_ERROR_NOT_FOUND, "there is no partition %u in this run", part);
    return part_state_may(from, to) || error_set(error, SLUICE_ERROR_REFUSED, "partition %u is %s: it cannot become %s",
                                                 part, part_state_word(from), part_state_word(to));
}

static bool part_move(struct catalog *catalog, int64_t run, uint32_t part, enum part_state to, GError **error)
{
    if (!part_check(catalog, run, part, to, error))
        return false;
    auto_(query) query = query_of(catalog->db, SQL_PART_MOVE);
    query_put_i64(query, run);
    query_put_i64(query, part);
    query_put_text(query, part_state_word(to));
    return query_run(query, error);
}

static bool parts_move(struct catalog *catalog, int64_t run, const uint32_t *parts, size_t n, enum part_state to,
                       GError **error)
{
    for (size_t i = 0; i < n; i++)
        if (!part_move(catalog, run, parts[i], to, error))
            return false;
    return total_touch(catalog, run, error);
}

bool catalog_parts_move(struct catalog *catalog, int64_t run, const uint32_t *parts, size_t n, enum part_state to,
                        GError **error)
{
    world_point(catalog->world, "parts.move");
    bool moved =
        db_begin(catalog->db, error) && db_end(catalog->db, parts_move(catalog, run, parts, n, to, error), error);
    world_point(catalog->world, "parts.moved");
    return moved;
}

static bool part_absent(struct catalog *catalog, int64_t run, uint32_t part, GError **error)
{
    bool there;
    enum part_state state;
    if (!part_look(catalog, run, part, &there, &state, error))
        return false;
    return !there || error_set(error, SLUICE_ERROR_REFUSED, "partition %u stands in the catalog already", part);
}

static bool parts_add(struct catalog *catalog, int64_t run, const struct part_new *parts, size_t n, GError **error)
{
    for (size_t i = 0; i < n; i++)
        if (!part_absent(catalog, run, parts[i].part, error) || !parts_insert(catalog, run, &parts[i], error))
            return false;
    return total_touch(catalog, run, error);
}

bool catalog_parts_add(struct catalog *catalog, int64_t run, const struct part_new *parts, size_t n, GError **error)
{
    return db_begin(catalog->db, error) && db_end(catalog->db, parts_add(catalog, run, parts, n, error), error);
}
