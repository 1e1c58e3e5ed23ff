/* Runs: made, found, moved. */
#include "base/nearest.h"
#include "catalog/inside.h"

/* --- reading
 * ---------------------------------------------------------------------------------------------------------- */

static bool run_columns(struct query *query, struct arena *mem, struct run_row *run, GError **error)
{
    run->id = query_i64(query);
    run->name = query_text(query, mem);
    run->spec_name = query_text(query, mem);
    run->spec_path = query_text(query, mem);
    run->target = query_text(query, mem);
    query_fixed(query, run->uid, sizeof run->uid);
    plan_digests_get(query, &run->digests);
    run->state = run_state_get(query);
    run->reason = query_text(query, mem);
    run->actor = query_text(query, mem);
    run->stage = query_u32(query);
    run->started_ms = query_i64(query);
    bool forwards = query_is_null(query);
    uint32_t back_stage = query_u32(query);
    run->back_stage = forwards ? UINT32_MAX : back_stage;
    run->author = query_text(query, mem);
    run->guard = query_text(query, mem);
    run->pauser = query_text(query, mem);
    run->state_ms = query_i64(query);
    run->updated_ms = query_i64(query);
    run->bytes_read = query_u64(query);
    run->bytes_written = query_u64(query);
    run->limited_ms = query_i64(query);
    run->worked_ms = query_i64(query);
    tally_get(query, &run->tally);
    return query_ok(query, error);
}

static bool run_counts(struct catalog *catalog, struct run_row *run, GError **error)
{
    bool row, ok;
    auto_(query) query = query_of(catalog->db, SQL_PART_COUNTS);
    query_put_i64(query, run->id);
    while ((ok = query_row(query, &row, error)) && row) {
        query_u32(query); /* the stage */
        uint64_t *of_kind[PARTS_KIND_COUNT] = {run->parts, run->back_parts, run->promotion_parts};
        uint32_t kind = query_u32(query);
        enum part_state state = part_state_get(query);
        of_kind[kind < PARTS_KIND_COUNT ? kind : PARTS_BACK][state] += query_u64(query);
        if (!query_ok(query, error))
            return false;
    }
    return ok;
}

static bool run_columns_read(struct catalog *catalog, int64_t id, struct arena *mem, struct run_row *ret,
                             GError **error)
{
    bool row;
    auto_(query) query = query_of(catalog->db, SQL_RUN);
    query_put_i64(query, id);
    if (!query_row(query, &row, error))
        return false;
    if (!row)
        return error_set(error, SLUICE_ERROR_NOT_FOUND, "catalog %s: there is no run with the id %" G_GINT64_FORMAT,
                         catalog->home, id);
    return run_columns(query, mem, ret, error);
}

/* Inside a transaction, so that row and counts are of one moment. */
static bool run_read(struct catalog *catalog, int64_t id, struct arena *mem, struct run_row *ret, GError **error)
{
    struct run_row run = {0};
    if (!run_columns_read(catalog, id, mem, &run, error) || !run_counts(catalog, &run, error))
        return false;
    *ret = run;
    return true;
}

bool run_brief_read(struct catalog *catalog, int64_t run, struct arena *mem, struct run_brief *ret, GError **error)
{
    bool row;
    auto_(query) query = query_of(catalog->db, SQL_RUN_STATE);
    query_put_i64(query, run);
    if (!query_row(query, &row, error))
        return false;
    if (!row)
        return error_set(error, SLUICE_ERROR_NOT_FOUND, "catalog %s: there is no run with the id %" G_GINT64_FORMAT,
                         catalog->home, run);
    ret->id = run;
    ret->name = query_text(query, mem);
    ret->state = run_state_get(query);
    plan_digests_get(query, &ret->digests);
    return query_ok(query, error);
}

/* --- finding
 * ---------------------------------------------------------------------------------------------------------- */

static bool id_by_name(struct catalog *catalog, const char *name, int64_t *ret, GError **error)
{
    bool row;
    auto_(query) query = query_of(catalog->db, SQL_RUN_BY_NAME);
    query_put_text(query, name);
    if (!query_row(query, &row, error))
        return false;
    *ret = row ? query_i64(query) : 0;
    return true;
}

/* The runs of a name: the newest, and which of them are not over. */
struct found {
    int64_t newest, open;
    size_t n_open;
    GString *open_names;
};

static bool find_by_spec(struct catalog *catalog, const char *name, struct found *ret, GError **error)
{
    bool row, ok;
    auto_(arena) mem = arena_new(SMALL_BYTES);
    auto_(query) query = query_of(catalog->db, SQL_RUNS_OF_SPEC);
    query_put_text(query, name);
    while ((ok = query_row(query, &row, error)) && row) {
        int64_t id = query_i64(query);
        bool over = run_state_over(run_state_get(query));
        arena_reset(mem);
        const char *run = query_text(query, mem);
        if (!query_ok(query, error))
            return false;
        ret->newest = MAX(ret->newest, id);
        if (over)
            continue;
        ret->open = MAX(ret->open, id);
        g_string_append_printf(ret->open_names, "%s%s", ret->n_open++ ? ", " : "", run);
    }
    return ok;
}

static bool not_found(struct catalog *catalog, const char *name, GError **error)
{
    bool row, ok;
    auto_(arena) mem = arena_new(16 * 1024 * 1024);
    auto_(query) query = query_of(catalog->db, SQL_RUN_NAMES);
    struct rows names = {.size = sizeof(const char *)};
    while ((ok = query_row(query, &row, error)) && row) {
        const char **at = rows_add(&names, mem, error);
        if (!at)
            return false;
        *at = query_text(query, mem);
        if (!query_ok(query, error))
            return false;
    }
    if (!ok)
        return false;
    const char *nearest = nearest_word(name, names.at, names.n);
    g_autofree char *hint = nearest ? g_strdup_printf("; did you mean '%s'?", nearest) : g_strdup("");
    return error_set(error, SLUICE_ERROR_NOT_FOUND, "no run '%s' in home %s%s (`sluice list` shows them)", name,
                     catalog->home, hint);
}

static bool choose_by_spec(struct catalog *catalog, const char *name, bool one, int64_t *ret, GError **error)
{
    g_autoptr(GString) names = g_string_new(NULL);
    struct found found = {.open_names = names};
    if (!find_by_spec(catalog, name, &found, error))
        return false;
    if (found.newest == 0)
        return not_found(catalog, name, error);
    if (one && found.n_open > 1)
        return error_set(error, SLUICE_ERROR_REFUSED, "%s names several runs that are not over: %s; name one of them",
                         name, names->str);
    *ret = one && found.n_open == 1 ? found.open : found.newest;
    return true;
}

static bool get(struct catalog *catalog, const char *name, bool one, struct arena *mem, struct run_row *ret,
                GError **error)
{
    int64_t id;
    return id_by_name(catalog, name, &id, error) && (id != 0 || choose_by_spec(catalog, name, one, &id, error)) &&
           run_read(catalog, id, mem, ret, error);
}

bool catalog_run_get(struct catalog *catalog, const char *name, struct arena *mem, struct run_row *ret, GError **error)
{
    return db_begin_reading(catalog->db, error) &&
           db_end(catalog->db, get(catalog, name, false, mem, ret, error), error);
}

bool catalog_run_get_one(struct catalog *catalog, const char *name, struct arena *mem, struct run_row *ret,
                         GError **error)
{
    return db_begin_reading(catalog->db, error) &&
           db_end(catalog->db, get(catalog, name, true, mem, ret, error), error);
}

bool catalog_run_reload(struct catalog *catalog, struct arena *mem, struct run_row *io, GError **error)
{
    return db_begin_reading(catalog->db, error) &&
           db_end(catalog->db, run_read(catalog, io->id, mem, io, error), error);
}

static bool all_runs(struct catalog *catalog, struct arena *mem, struct rows *runs, GError **error)
{
    bool row, ok;
    auto_(query) query = query_of(catalog->db, SQL_RUN_IDS);
    while ((ok = query_row(query, &row, error)) && row) {
        struct run_row *run = rows_add(runs, mem, error);
        if (!run || !run_read(catalog, query_i64(query), mem, run, error))
            return false;
    }
    return ok;
}

bool catalog_runs(struct catalog *catalog, struct arena *mem, struct run_row **ret, size_t *ret_n, GError **error)
{
    struct rows runs = {.size = sizeof(struct run_row)};
    if (!db_begin_reading(catalog->db, error) || !db_end(catalog->db, all_runs(catalog, mem, &runs, error), error))
        return false;
    *ret = runs.at;
    *ret_n = runs.n;
    return true;
}

static bool find_unfinished(struct catalog *catalog, const char *spec_name, const struct plan_digests *digests,
                            int64_t *ret, GError **error)
{
    bool row, ok;
    auto_(arena) mem = arena_new(SMALL_BYTES);
    auto_(query) query = query_of(catalog->db, SQL_RUNS_OF_SPEC);
    query_put_text(query, spec_name);
    *ret = 0;
    while ((ok = query_row(query, &row, error)) && row && *ret == 0) {
        struct plan_digests theirs = *digests;
        int64_t id = query_i64(query);
        bool over = run_state_over(run_state_get(query));
        arena_reset(mem);
        query_text(query, mem);
        query_fixed(query, theirs.spec, sizeof theirs.spec);
        query_fixed(query, theirs.contract, sizeof theirs.contract);
        query_fixed(query, theirs.transform, sizeof theirs.transform);
        if (!query_ok(query, error))
            return false;
        if (!over && memcmp(&theirs, digests, sizeof theirs) == 0)
            *ret = id;
    }
    return ok;
}

/* What was looked for, whole; an id of 0: none. */
static bool read_found(struct catalog *catalog, bool found, int64_t id, struct arena *mem, struct run_row *ret,
                       GError **error)
{
    struct run_row none = {0};
    if (found && id != 0)
        return run_read(catalog, id, mem, ret, error);
    if (found)
        *ret = none;
    return found;
}

bool catalog_run_unfinished(struct catalog *catalog, const char *spec_name, const struct plan_digests *digests,
                            struct arena *mem, struct run_row *ret, GError **error)
{
    int64_t id = 0;
    if (!db_begin_reading(catalog->db, error))
        return false;
    bool found = find_unfinished(catalog, spec_name, digests, &id, error);
    return db_end(catalog->db, read_found(catalog, found, id, mem, ret, error), error);
}

static bool find_on_target(struct catalog *catalog, const char *target, int64_t *ret, GError **error)
{
    bool row, ok;
    auto_(query) query = query_of(catalog->db, SQL_RUNS_ON);
    query_put_text(query, target);
    *ret = 0;
    while ((ok = query_row(query, &row, error)) && row && *ret == 0) {
        int64_t id = query_i64(query);
        enum run_state state = run_state_get(query);
        bool granted = query_i64(query) > 0;
        if (!query_ok(query, error))
            return false;
        bool untouched = !granted && (state == RUN_PLANNED || state == RUN_WAITING);
        if (!run_state_over(state) && !untouched)
            *ret = id;
    }
    return ok;
}

bool catalog_run_on_target(struct catalog *catalog, const char *target, struct arena *mem, struct run_row *ret,
                           GError **error)
{
    int64_t id = 0;
    if (!db_begin_reading(catalog->db, error))
        return false;
    bool found = find_on_target(catalog, target, &id, error);
    return db_end(catalog->db, read_found(catalog, found, id, mem, ret, error), error);
}

bool catalog_plan(struct catalog *catalog, int64_t run, struct arena *mem, struct slice *ret, GError **error)
{
    bool row;
    auto_(query) query = query_of(catalog->db, SQL_PLAN);
    query_put_i64(query, run);
    if (!query_row(query, &row, error))
        return false;
    if (!row)
        return error_set(error, SLUICE_ERROR_NOT_FOUND,
                         "catalog %s: there is no plan of a run with the id %" G_GINT64_FORMAT, catalog->home, run);
    struct slice json = query_bytes(query, mem);
    if (!query_ok(query, error))
        return false;
    *ret = json;
    return true;
}

/* --- making
 * ----------------------------------------------------------------------------------------------------------- */

static bool number_take(struct catalog *catalog, const char *spec_name, int64_t *ret, GError **error)
{
    bool row;
    auto_(query) query = query_of(catalog->db, SQL_SPEC_NUMBER);
    query_put_text(query, spec_name);
    if (!query_row(query, &row, error))
        return false;
    *ret = query_i64(query);
    return true;
}

static bool run_add(struct catalog *catalog, const struct run_new *run, const char *name, int64_t *ret, GError **error)
{
    bool row;
    auto_(query) query = query_of(catalog->db, SQL_RUN_NEW);
    query_put_text(query, name);
    query_put_text(query, run->spec_name);
    query_put_text(query, run->spec_path);
    query_put_text(query, run->target);
    query_put_bytes(query, slice_of(run->uid, sizeof run->uid));
    plan_digests_put(query, &run->digests);
    query_put_text(query, run_state_word(RUN_PLANNED));
    query_put_text(query, run->act.actor);
    query_put_i64(query, world_wall_ms(catalog->world));
    if (!query_row(query, &row, error))
        return false;
    *ret = query_i64(query);
    return true;
}

static bool plan_add(struct catalog *catalog, int64_t run, struct slice json, GError **error)
{
    auto_(query) query = query_of(catalog->db, SQL_PLAN_NEW);
    query_put_i64(query, run);
    query_put_bytes(query, json);
    return query_run(query, error);
}

static bool total_new(struct catalog *catalog, int64_t run, GError **error)
{
    auto_(query) query = query_of(catalog->db, SQL_TOTAL_NEW);
    query_put_i64(query, run);
    query_put_i64(query, world_wall_ms(catalog->world));
    return query_run(query, error);
}

static bool stage_add(struct catalog *catalog, int64_t run, uint32_t stage, const char *name, GError **error)
{
    auto_(query) query = query_of(catalog->db, SQL_STAGE_NEW);
    query_put_i64(query, run);
    query_put_i64(query, stage);
    query_put_text(query, name);
    query_put_text(query, stage_state_word(STAGE_PENDING));
    return query_run(query, error);
}

static bool pieces_add(struct catalog *catalog, int64_t id, const struct run_new *run, GError **error)
{
    for (size_t i = 0; i < run->n_stages; i++)
        if (!stage_add(catalog, id, (uint32_t)i, run->stages[i].name, error))
            return false;
    for (size_t i = 0; i < run->n_parts; i++)
        if (!parts_insert(catalog, id, &run->parts[i], error))
            return false;
    return true;
}

static json_t *planned_details(const struct run_new *run)
{
    json_t *stages = json_array();
    for (size_t i = 0; i < run->n_stages; i++)
        json_array_append_new(stages, ledger_json_text(run->stages[i].name));
    return json_pack("{s:o, s:I, s:I, s:I, s:o}", "stages", stages, "partitions", (json_int_t)run->n_parts, "listed",
                     (json_int_t)run->listed, "duplicates", (json_int_t)run->duplicates, "target",
                     ledger_json_text(run->target));
}

static bool create(struct catalog *catalog, const struct run_new *run, struct arena *mem, struct run_row *ret,
                   GError **error)
{
    int64_t number, id;
    struct tally tally = {0};
    if (!number_take(catalog, run->spec_name, &number, error))
        return false;
    g_autofree char *name = g_strdup_printf("%s.%" G_GINT64_FORMAT, run->spec_name, number);
    if (!run_add(catalog, run, name, &id, error) || !plan_add(catalog, id, run->plan, error) ||
        !total_new(catalog, id, error) || !pieces_add(catalog, id, run, error) ||
        !hooks_insert(catalog, id, run->hooks, run->n_hooks, error))
        return false;
    tally.of[OUTCOME_LISTED_] = run->listed;
    tally.of[OUTCOME_DUPLICATES] = run->duplicates;
    struct run_brief brief = {.id = id, .name = name, .digests = run->digests};
    if (!total_add(catalog, id, &(struct total){.tally = &tally}, error))
        return false;
    struct run_act act = {.run = &brief,
                          .action = run_state_word(RUN_PLANNED),
                          .act = &run->act,
                          .given = run->details,
                          .own = planned_details(run),
                          .events = SPEC_EVENT(RUN_PLANNED)};
    return ledger_act(catalog, &act, error) && run_read(catalog, id, mem, ret, error);
}

bool catalog_run_create(struct catalog *catalog, const struct run_new *run, struct arena *mem, struct run_row *ret,
                        GError **error)
{
    struct run_row made;
    if (!db_begin(catalog->db, error) || !db_end(catalog->db, create(catalog, run, mem, &made, error), error))
        return false;
    *ret = made;
    return true;
}

/* --- moving
 * ----------------------------------------------------------------------------------------------------------- */

static bool move_check(const struct run_brief *run, const struct run_move *move, GError **error)
{
    if (run->state != move->from)
        return error_set(error, SLUICE_ERROR_REFUSED, "run %s is %s, not %s: it cannot become %s", run->name,
                         run_state_word(run->state), run_state_word(move->from), run_state_word(move->to));
    if (!run_state_may(move->from, move->to))
        return error_set(error, SLUICE_ERROR_REFUSED, "run %s is %s: it cannot become %s", run->name,
                         run_state_word(move->from), run_state_word(move->to));
    return true;
}

static bool move_write(struct catalog *catalog, const struct run_move *move, GError **error)
{
    auto_(query) query = query_of(catalog->db, SQL_RUN_MOVE);
    query_put_i64(query, move->run);
    query_put_text(query, run_state_word(move->to));
    query_put_text(query, move->reason);
    query_put_text(query, move->act.actor);
    if (run_state_over(move->to))
        query_put_i64(query, world_wall_ms(catalog->world));
    else
        query_put_null(query);
    query_put_text(query, move->guard);
    query_put_i64(query, world_wall_ms(catalog->world));
    query_put_text(query, move->pauser);
    return query_run(query, error);
}

static bool back_write(struct catalog *catalog, const struct run_move *move, GError **error)
{
    if (!move->back_stage)
        return true;
    auto_(query) query = query_of(catalog->db, SQL_RUN_BACK);
    query_put_i64(query, move->run);
    query_put_i64(query, *move->back_stage);
    return query_run(query, error);
}

/* A person's reason for the act and the state's own are two: a halt's, say, under a run begun for an incident. */
static json_t *move_details(const struct run_move *move)
{
    json_t *details = json_pack("{s:s}", "from", run_state_word(move->from));
    if (move->reason)
        json_object_set_new(details, "state_reason", ledger_json_text(move->reason));
    if (move->guard)
        json_object_set_new(details, "guard", ledger_json_text(move->guard));
    if (move->pauser)
        json_object_set_new(details, "pauser", ledger_json_text(move->pauser));
    if (move->back_stage)
        json_object_set_new(details, "back_stage", json_integer(*move->back_stage));
    return details;
}

bool run_move_within(struct catalog *catalog, const struct run_move *move, GError **error)
{
    struct run_brief run;
    auto_(arena) mem = arena_new(SMALL_BYTES);
    if ((move->holder && !catalog_run_held(catalog, move->run, move->holder, error)) ||
        !run_brief_read(catalog, move->run, mem, &run, error) || !move_check(&run, move, error))
        return false;
    if (!move_write(catalog, move, error) || !back_write(catalog, move, error) ||
        !total_touch(catalog, move->run, error))
        return false;
    struct run_act act = {.run = &run,
                          .action = run_state_word(move->to),
                          .act = &move->act,
                          .given = move->details,
                          .own = move_details(move),
                          .events = hooks_of_run_move(move)};
    return ledger_act(catalog, &act, error);
}

bool catalog_run_move(struct catalog *catalog, const struct run_move *move, GError **error)
{
    world_point(catalog->world, "run.move");
    bool moved = db_begin(catalog->db, error) && db_end(catalog->db, run_move_within(catalog, move, error), error);
    world_point(catalog->world, "run.moved");
    return moved;
}
