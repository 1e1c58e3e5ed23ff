/* Wishes from other terminals, and reports. */
#include "catalog/inside.h"

static const char *const WISH_WORDS[] = {
    [WISH_NONE] = "none",         [WISH_PAUSE] = "pause",     [WISH_RESUME] = "resume", [WISH_ABORT] = "abort",
    [WISH_ROLLBACK] = "rollback", [WISH_APPROVE] = "approve", [WISH_DENY] = "deny",     [WISH_SET] = "set",
};

static bool wish_insert(struct catalog *catalog, int64_t run, const struct wish *wish, int64_t *ret_id, GError **error)
{
    bool row;
    auto_(query) query = query_of(catalog->db, SQL_WISH_NEW);
    query_put_i64(query, run);
    query_put_text(query, WISH_WORDS[wish->kind]);
    query_put_text(query, wish->value);
    query_put_text(query, wish->act.actor);
    query_put_text(query, wish->act.reason);
    query_put_i64(query, world_wall_ms(catalog->world));
    if (!query_row(query, &row, error))
        return false;
    *ret_id = query_i64(query);
    return true;
}

static bool wish_add(struct catalog *catalog, int64_t run, const struct wish *wish, int64_t *ret_id, GError **error)
{
    struct run_brief brief;
    auto_(arena) mem = arena_new(SMALL_BYTES);
    if (!run_brief_read(catalog, run, mem, &brief, error) || !wish_insert(catalog, run, wish, ret_id, error))
        return false;
    struct run_act act = {
        .run = &brief,
        .action = "wish",
        .act = &wish->act,
        .own = json_pack("{s:s, s:o}", "wish", WISH_WORDS[wish->kind], "value", ledger_json_text(wish->value))};
    return ledger_act(catalog, &act, error);
}

bool catalog_wish_add(struct catalog *catalog, int64_t run, const struct wish *wish, int64_t *ret_id, GError **error)
{
    int64_t id = 0;
    g_assert(wish->kind > WISH_NONE && wish->kind < G_N_ELEMENTS(WISH_WORDS));
    if (!db_begin(catalog->db, error) || !db_end(catalog->db, wish_add(catalog, run, wish, &id, error), error))
        return false;
    *ret_id = id;
    return true;
}

static bool wish_first(struct catalog *catalog, enum sql sql, int64_t run, struct arena *mem, struct wish *ret,
                       GError **error)
{
    bool row;
    struct wish wish = {0};
    auto_(query) query = query_of(catalog->db, sql);
    query_put_i64(query, run);
    if (!query_row(query, &row, error))
        return false;
    if (row) {
        wish.id = query_i64(query);
        wish.kind = (enum wish_kind)query_word(query, WISH_WORDS, G_N_ELEMENTS(WISH_WORDS));
        wish.value = query_text(query, mem);
        wish.act.actor = query_text(query, mem);
        wish.act.reason = query_text(query, mem);
        wish.at_ms = query_i64(query);
        if (!query_ok(query, error))
            return false;
    }
    *ret = wish;
    return true;
}

bool catalog_wish_next(struct catalog *catalog, int64_t run, struct arena *mem, struct wish *ret, GError **error)
{
    return wish_first(catalog, SQL_WISH_NEXT, run, mem, ret, error);
}

bool catalog_wish_heard(struct catalog *catalog, int64_t run, struct arena *mem, struct wish *ret, GError **error)
{
    return wish_first(catalog, SQL_WISH_HEARD, run, mem, ret, error);
}

static bool no_wish(struct catalog *catalog, int64_t wish, GError **error)
{
    return error_set(error, SLUICE_ERROR_NOT_FOUND, "catalog %s: there is no wish with the id %" G_GINT64_FORMAT,
                     catalog->home, wish);
}

static bool wish_take(struct catalog *catalog, int64_t wish, GError **error)
{
    auto_(query) query = query_of(catalog->db, SQL_WISH_TAKEN);
    query_put_i64(query, wish);
    query_put_i64(query, world_wall_ms(catalog->world));
    return query_run(query, error) && (db_changes(catalog->db) == 1 || no_wish(catalog, wish, error));
}

bool catalog_wish_taken(struct catalog *catalog, int64_t wish, GError **error)
{
    return db_begin(catalog->db, error) && db_end(catalog->db, wish_take(catalog, wish, error), error);
}

static bool similar_take(struct catalog *catalog, int64_t run, enum wish_kind kind, GError **error)
{
    auto_(query) query = query_of(catalog->db, SQL_WISHES_TAKEN);
    query_put_i64(query, run);
    query_put_text(query, WISH_WORDS[kind]);
    query_put_i64(query, world_wall_ms(catalog->world));
    return query_run(query, error);
}

bool catalog_wishes_taken(struct catalog *catalog, int64_t run, enum wish_kind kind, GError **error)
{
    return db_begin(catalog->db, error) && db_end(catalog->db, similar_take(catalog, run, kind, error), error);
}

static bool end_of(struct catalog *catalog, enum sql sql, int64_t id, GError **error)
{
    auto_(query) query = query_of(catalog->db, sql);
    query_put_i64(query, id);
    query_put_i64(query, world_wall_ms(catalog->world));
    return query_run(query, error);
}

bool catalog_wish_end(struct catalog *catalog, int64_t wish, GError **error)
{
    return db_begin(catalog->db, error) && db_end(catalog->db, end_of(catalog, SQL_WISH_OVER, wish, error), error);
}

bool catalog_wishes_end(struct catalog *catalog, int64_t run, GError **error)
{
    return db_begin(catalog->db, error) && db_end(catalog->db, end_of(catalog, SQL_WISHES_OVER, run, error), error);
}

bool catalog_wish_fate(struct catalog *catalog, int64_t wish, enum wish_fate *ret, GError **error)
{
    bool row;
    auto_(query) query = query_of(catalog->db, SQL_WISH_FATE);
    query_put_i64(query, wish);
    if (!query_row(query, &row, error))
        return false;
    if (!row)
        return no_wish(catalog, wish, error);
    *ret = (enum wish_fate)query_i64(query);
    return true;
}

/* --- reports
 * ---------------------------------------------------------------------------------------------------------- */

static bool report_add(struct catalog *catalog, const struct report_row *report, GError **error)
{
    auto_(query) query = query_of(catalog->db, SQL_REPORT_NEW);
    query_put_i64(query, report->run);
    query_put_i64(query, report->at_ms);
    if (report->stage == UINT32_MAX)
        query_put_null(query);
    else
        query_put_i64(query, report->stage);
    query_put_text(query, report->verdict);
    query_put_text(query, report->path);
    query_put_bytes(query, report->summary);
    return query_run(query, error);
}

static bool report_told(struct catalog *catalog, const struct report_row *report, GError **error)
{
    struct run_brief run;
    auto_(arena) mem = arena_new(1 << 20);
    g_autofree char *summary = g_strndup((const char *)report->summary.data, report->summary.len);
    struct run_act act = {.run = &run, .action = "report", .act = &report->act, .given = summary};
    return !report->act.actor ||
           (run_brief_read(catalog, report->run, mem, &run, error) && ledger_act(catalog, &act, error));
}

bool catalog_report_add(struct catalog *catalog, const struct report_row *report, GError **error)
{
    return db_begin(catalog->db, error) &&
           db_end(catalog->db, report_add(catalog, report, error) && report_told(catalog, report, error), error);
}

static void report_columns(struct query *query, struct arena *mem, struct report_row *report)
{
    report->id = query_i64(query);
    report->at_ms = query_i64(query);
    bool whole = query_is_null(query);
    report->stage = query_u32(query);
    report->stage = whole ? UINT32_MAX : report->stage;
    report->verdict = query_text(query, mem);
    report->path = query_text(query, mem);
    report->summary = query_bytes(query, mem);
}

bool catalog_reports(struct catalog *catalog, int64_t run, struct arena *mem, struct report_row **ret, size_t *ret_n,
                     GError **error)
{
    bool row, ok;
    struct rows reports = {.size = sizeof(struct report_row)};
    auto_(query) query = query_of(catalog->db, SQL_REPORTS);
    query_put_i64(query, run);
    while ((ok = query_row(query, &row, error)) && row) {
        struct report_row *report = rows_add(&reports, mem, error);
        if (!report)
            return false;
        report->run = run;
        report_columns(query, mem, report);
        if (!query_ok(query, error))
            return false;
    }
    if (!ok)
        return false;
    *ret = reports.at;
    *ret_n = reports.n;
    return true;
}
