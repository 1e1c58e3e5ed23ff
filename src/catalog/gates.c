/* Gates: what people said of them, and limits set while a run is at work. */
#include "catalog/inside.h"

#include "base/hex.h"

void gates_report_get(struct query *query, uint8_t ret[32])
{
    struct slice bytes = query_borrow(query);
    memset(ret, 0, 32);
    if (bytes.len == 32)
        memcpy(ret, bytes.data, 32);
}

struct gate_now {
    const char *name;
    enum stage_state state;
    uint32_t attempt;
    uint8_t report[32];
};

static bool gate_now(struct catalog *catalog, const struct approval *approval, struct arena *mem, struct gate_now *ret,
                     GError **error)
{
    bool row;
    auto_(query) query = query_of(catalog->db, SQL_STAGE_GATE);
    query_put_i64(query, approval->run);
    query_put_i64(query, approval->stage);
    if (!query_row(query, &row, error))
        return false;
    if (!row)
        return error_set(error, SLUICE_ERROR_NOT_FOUND, "there is no stage with the number %u", approval->stage);
    ret->name = query_text(query, mem);
    ret->state = stage_state_get(query);
    ret->attempt = query_u32(query);
    gates_report_get(query, ret->report);
    return query_ok(query, error);
}

static bool approval_insert(struct catalog *catalog, const struct approval *approval, const struct run_brief *run,
                            const struct gate_now *gate, GError **error)
{
    auto_(query) query = query_of(catalog->db, SQL_APPROVAL_NEW);
    query_put_i64(query, approval->run);
    query_put_i64(query, approval->stage);
    query_put_i64(query, gate->attempt);
    query_put_bytes(query, slice_of(run->digests.plan, 32));
    query_put_bytes(query, slice_of(gate->report, 32));
    query_put_i64(query, approval->granted);
    query_put_text(query, approval->act.actor);
    query_put_text(query, approval->act.reason);
    query_put_i64(query, world_wall_ms(catalog->world));
    return query_run(query, error);
}

static bool approve(struct catalog *catalog, const struct approval *approval, GError **error)
{
    struct run_brief run;
    struct gate_now gate = {0};
    char report[HEX_TEXT(sizeof gate.report)];
    auto_(arena) mem = arena_new(SMALL_BYTES);
    if (!run_brief_read(catalog, approval->run, mem, &run, error) || !gate_now(catalog, approval, mem, &gate, error))
        return false;
    if (gate.state != STAGE_WAITING)
        return error_set(error, SLUICE_ERROR_REFUSED, "stage %s of run %s is %s: it waits for no word", gate.name,
                         run.name, stage_state_word(gate.state));
    if (gate.attempt != approval->attempt)
        return error_set(error, SLUICE_ERROR_REFUSED,
                         "stage %s of run %s has been judged again since: look at its report, then say it again",
                         gate.name, run.name);
    if (!approval_insert(catalog, approval, &run, &gate, error) || !total_touch(catalog, approval->run, error))
        return false;
    struct run_act act = {.run = &run,
                          .action = approval->granted ? "approved" : "denied",
                          .act = &approval->act,
                          .own = json_pack("{s:o, s:I, s:s}", "stage", ledger_json_text(gate.name), "attempt",
                                           (json_int_t)gate.attempt, "report",
                                           hex_text(gate.report, sizeof gate.report, report)),
                          .events = approval->granted ? SPEC_EVENT(APPROVAL_GIVEN) : SPEC_EVENT(APPROVAL_DENIED),
                          .stage = gate.name};
    return ledger_act(catalog, &act, error);
}

bool catalog_approval_add(struct catalog *catalog, const struct approval *approval, GError **error)
{
    return db_begin(catalog->db, error) && db_end(catalog->db, approve(catalog, approval, error), error);
}

bool catalog_approval(struct catalog *catalog, const struct run_row *run, const struct stage_row *stage,
                      struct arena *mem, struct approval *ret, GError **error)
{
    bool row;
    struct approval found = {.run = run->id, .stage = stage->stage, .attempt = stage->attempt};
    auto_(query) query = query_of(catalog->db, SQL_APPROVAL);
    query_put_i64(query, run->id);
    query_put_i64(query, stage->stage);
    query_put_i64(query, stage->attempt);
    if (!query_row(query, &row, error))
        return false;
    if (row) {
        query_fixed(query, found.plan, sizeof found.plan);
        gates_report_get(query, found.report);
        found.granted = query_i64(query) != 0;
        found.act.actor = query_text(query, mem);
        found.act.reason = query_text(query, mem);
        found.at_ms = query_i64(query);
        if (!query_ok(query, error))
            return false;
    }
    bool of_this = memcmp(found.plan, run->digests.plan, 32) == 0 && memcmp(found.report, stage->report, 32) == 0;
    *ret = found;
    if (!of_this)
        ret->at_ms = 0;
    return true;
}

/* --- settings ----------------------------------------------------------------------------------------------------- */

static bool setting_insert(struct catalog *catalog, int64_t run, const struct setting *setting, const struct act *act,
                           GError **error)
{
    auto_(query) query = query_of(catalog->db, SQL_SETTING_NEW);
    query_put_i64(query, run);
    query_put_text(query, setting->key);
    query_put_text(query, setting->value);
    query_put_text(query, act->actor);
    query_put_i64(query, world_wall_ms(catalog->world));
    return query_run(query, error);
}

static bool setting_add(struct catalog *catalog, int64_t run, const struct setting *setting, const struct act *act,
                        GError **error)
{
    struct run_brief brief;
    auto_(arena) mem = arena_new(SMALL_BYTES);
    if (!run_brief_read(catalog, run, mem, &brief, error) || !setting_insert(catalog, run, setting, act, error))
        return false;
    struct run_act entry = {.run = &brief,
                            .action = "set",
                            .act = act,
                            .own = json_pack("{s:o, s:o}", "key", ledger_json_text(setting->key), "value",
                                             ledger_json_text(setting->value))};
    return ledger_act(catalog, &entry, error);
}

static bool settings_add(struct catalog *catalog, int64_t run, const struct setting *settings, size_t n,
                         const struct act *act, GError **error)
{
    for (size_t i = 0; i < n; i++)
        if (!setting_add(catalog, run, &settings[i], act, error))
            return false;
    return true;
}

bool catalog_settings_add(struct catalog *catalog, int64_t run, const struct setting *settings, size_t n,
                          const struct act *act, GError **error)
{
    return db_begin(catalog->db, error) &&
           db_end(catalog->db, settings_add(catalog, run, settings, n, act, error), error);
}

bool catalog_setting_add(struct catalog *catalog, int64_t run, const struct setting *setting, const struct act *act,
                         GError **error)
{
    return catalog_settings_add(catalog, run, setting, 1, act, error);
}

bool catalog_settings(struct catalog *catalog, int64_t run, struct arena *mem, struct setting **ret, size_t *ret_n,
                      GError **error)
{
    bool row, ok;
    struct rows settings = {.size = sizeof(struct setting)};
    auto_(query) query = query_of(catalog->db, SQL_SETTINGS);
    query_put_i64(query, run);
    while ((ok = query_row(query, &row, error)) && row) {
        struct setting *setting = rows_add(&settings, mem, error);
        if (!setting)
            return false;
        setting->key = query_text(query, mem);
        setting->value = query_text(query, mem);
        setting->actor = query_text(query, mem);
        setting->at_ms = query_i64(query);
        if (!query_ok(query, error))
            return false;
    }
    if (!ok)
        return false;
    *ret = settings.at;
    *ret_n = settings.n;
    return true;
}
