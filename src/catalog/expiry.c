#include "catalog/expiry.h"

#include "catalog/inside.h"

static const struct {
    const char *word, *words;
} ROWS[] = {
#define EXPIRY(symbol, word, words) [EXPIRY_##symbol] = {word, words},
#include "catalog/expiry_rows.h"
#undef EXPIRY
};

const char *expiry_word(enum expiry_what what)
{
    return ROWS[what].word;
}

const char *expiry_words(enum expiry_what what)
{
    return ROWS[what].words;
}

static bool over_read(struct catalog *catalog, int64_t run, int64_t *ret, GError **error)
{
    bool row;
    auto_(query) query = query_of(catalog->db, SQL_RUN_OVER);
    query_put_i64(query, run);
    if (!query_row(query, &row, error))
        return false;
    if (!row)
        return error_set(error, SLUICE_ERROR_NOT_FOUND, "catalog %s: there is no run with the id %" G_GINT64_FORMAT,
                         catalog->home, run);
    enum run_state state = run_state_get(query);
    int64_t over_ms = query_i64(query);
    *ret = run_state_over(state) ? over_ms : 0;
    return query_ok(query, error);
}

static bool rows_read(struct catalog *catalog, int64_t run, struct expiries *ret, GError **error)
{
    const char *words[EXPIRY_COUNT];
    bool row, ok;
    for (size_t i = 0; i < EXPIRY_COUNT; i++)
        words[i] = ROWS[i].word;
    auto_(query) query = query_of(catalog->db, SQL_EXPIRIES);
    query_put_i64(query, run);
    while ((ok = query_row(query, &row, error)) && row) {
        struct expiry *expiry = &ret->of[query_word(query, words, EXPIRY_COUNT)];
        expiry->at_ms = query_i64(query);
        expiry->done_ms = query_i64(query);
        if (!query_ok(query, error))
            return false;
    }
    return ok;
}

bool catalog_expiries(struct catalog *catalog, int64_t run, struct expiries *ret, GError **error)
{
    struct expiries found = {0};
    bool ok = db_begin_reading(catalog->db, error) &&
              db_end(catalog->db,
                     over_read(catalog, run, &found.over_ms, error) && rows_read(catalog, run, &found, error), error);
    if (ok)
        *ret = found;
    return ok;
}

static bool expire(struct catalog *catalog, int64_t run, enum expiry_what what, const struct act *act, GError **error)
{
    auto_(arena) mem = arena_new(SMALL_BYTES);
    auto_(query) query = query_of(catalog->db, SQL_EXPIRY_NEW);
    struct run_brief brief;
    if (!run_brief_read(catalog, run, mem, &brief, error))
        return false;
    if (!run_state_over(brief.state))
        return error_set(error, SLUICE_ERROR_REFUSED, "%s is %s, and needs what it has left", brief.name,
                         run_state_word(brief.state));
    query_put_i64(query, run);
    query_put_text(query, expiry_word(what));
    query_put_i64(query, world_wall_ms(catalog->world));
    query_put_text(query, act->actor);
    if (!query_run(query, error))
        return false;
    if (db_changes(catalog->db) == 0)
        return true; /* it is there */
    struct run_act entry = {
        .run = &brief, .action = "expired", .act = act, .own = json_pack("{s:s}", "what", expiry_word(what))};
    return ledger_act(catalog, &entry, error);
}

bool catalog_expire(struct catalog *catalog, int64_t run, enum expiry_what what, const struct act *act, GError **error)
{
    return db_begin(catalog->db, error) && db_end(catalog->db, expire(catalog, run, what, act, error), error);
}

static bool each_row(struct catalog *catalog, int64_t run, enum sql sql, GError **error)
{
    auto_(query) query = query_of(catalog->db, sql);
    query_put_i64(query, run);
    return query_run(query, error);
}

static bool wipe_rows(struct catalog *catalog, int64_t run, GError **error)
{
    static const enum sql WIPES[] = {SQL_WIPE_PARTS,   SQL_WIPE_CHECKS, SQL_WIPE_LOST,      SQL_WIPE_SENT,
                                     SQL_WIPE_REPORTS, SQL_WIPE_TOLD,   SQL_WIPE_WISHES,    SQL_WIPE_WORDS,
                                     SQL_WIPE_RUN,     SQL_WIPE_PLAN,   SQL_STRAGGLERS_NONE};
    for (size_t i = 0; i < G_N_ELEMENTS(WIPES); i++)
        if (!each_row(catalog, run, WIPES[i], error))
            return false;
    return true;
}

bool catalog_expire_rows(struct catalog *catalog, int64_t run, GError **error)
{
    return db_begin(catalog->db, error) && db_end(catalog->db, wipe_rows(catalog, run, error), error);
}

bool catalog_wipe(struct catalog *catalog, GError **error)
{
    return db_wipe(catalog->db, error);
}

static bool expire_done(struct catalog *catalog, int64_t run, enum expiry_what what, GError **error)
{
    auto_(query) query = query_of(catalog->db, SQL_EXPIRY_DONE);
    query_put_i64(query, run);
    query_put_text(query, expiry_word(what));
    query_put_i64(query, world_wall_ms(catalog->world));
    return query_run(query, error);
}

bool catalog_expire_done(struct catalog *catalog, int64_t run, enum expiry_what what, GError **error)
{
    return db_begin(catalog->db, error) && db_end(catalog->db, expire_done(catalog, run, what, error), error);
}
