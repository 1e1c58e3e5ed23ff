/* How a run went on, by time. */
#include "catalog/inside.h"
#include "catalog/pages.h"

bool catalog_history(struct catalog *catalog, const struct course_of *of, struct arena *mem, struct course **ret,
                     size_t *ret_n, GError **error)
{
    bool row, ok;
    struct rows rows = {.size = sizeof(struct course)};
    auto_(query) query = query_of(catalog->db, SQL_HISTORY);
    query_put_i64(query, of->run);
    query_put_i64(query, of->step_ms);
    while ((ok = query_row(query, &row, error)) && row) {
        struct course *history = rows_add(&rows, mem, error);
        if (!history)
            return false;
        history->at_ms = query_i64(query);
        history->done = query_u64(query);
        history->rejected = query_u64(query);
        history->retried = query_u64(query);
        history->bytes_read = query_u64(query);
        history->bytes_written = query_u64(query);
        history->slowest_ms = query_i64(query);
        if (!query_ok(query, error))
            return false;
    }
    if (!ok)
        return false;
    *ret = rows.at;
    *ret_n = rows.n;
    return true;
}

bool catalog_part_times(struct catalog *catalog, int64_t run, uint32_t part, struct part_times *ret, GError **error)
{
    bool row;
    auto_(query) query = query_of(catalog->db, SQL_PART_TIMES);
    query_put_i64(query, run);
    query_put_i64(query, part);
    *ret = (struct part_times){0};
    if (!query_row(query, &row, error))
        return false;
    if (!row || query_is_null(query))
        return true;
    ret->newest_ms = query_i64(query);
    ret->records = query_u64(query);
    ret->took_ms = query_i64(query);
    return query_ok(query, error);
}

bool catalog_latencies(struct catalog *catalog, int64_t run, size_t most, struct arena *mem, struct latencies *ret,
                       GError **error)
{
    bool row, ok;
    struct rows rows = {.size = sizeof(int64_t)};
    auto_(query) query = query_of(catalog->db, SQL_LATENCIES);
    query_put_i64(query, run);
    query_put_i64(query, (int64_t)most);
    while ((ok = query_row(query, &row, error)) && row) {
        int64_t *took_ms = rows_add(&rows, mem, error);
        if (!took_ms)
            return false;
        *took_ms = query_i64(query);
        if (!query_ok(query, error))
            return false;
    }
    *ret = (struct latencies){.took_ms = rows.at, .n = rows.n};
    return ok;
}

bool catalog_troubles(struct catalog *catalog, int64_t run, size_t most, struct arena *mem, struct troubles *ret,
                      GError **error)
{
    bool row, ok;
    struct rows rows = {.size = sizeof(struct trouble)};
    auto_(query) query = query_of(catalog->db, SQL_TROUBLES);
    query_put_i64(query, run);
    query_put_i64(query, (int64_t)most);
    while ((ok = query_row(query, &row, error)) && row) {
        struct trouble *trouble = rows_add(&rows, mem, error);
        if (!trouble)
            return false;
        trouble->part = query_u32(query);
        trouble->stage = query_u32(query);
        trouble->state = part_state_get(query);
        trouble->rejected = query_u64(query);
        trouble->in_doubt = query_u64(query);
        trouble->retried = query_u64(query);
        trouble->newest_ms = query_i64(query);
        if (!query_ok(query, error))
            return false;
    }
    *ret = (struct troubles){.rows = rows.at, .n = rows.n};
    return ok;
}

static void batch_columns(struct query *query, struct batch_row *ret)
{
    ret->id = query_i64(query);
    ret->part = query_u32(query);
    ret->stage = query_u32(query);
    ret->lane = query_u32(query);
    ret->number = query_u64(query);
    ret->at_ms = query_i64(query);
    ret->took_ms = query_i64(query);
    ret->last = query_i64(query) != 0;
    ret->bytes_read = query_u64(query);
    ret->bytes_written = query_u64(query);
    tally_get(query, &ret->tally);
}

bool catalog_batches(struct catalog *catalog, const struct batches_wish *wish, struct arena *mem,
                     struct batch_row **ret, size_t *ret_n, GError **error)
{
    bool row, ok;
    struct rows rows = {.size = sizeof(struct batch_row)};
    auto_(query) query = query_of(catalog->db, SQL_BATCHES);
    query_put_i64(query, wish->run);
    query_put_i64(query, wish->after);
    query_put_i64(query, (int64_t)wish->most);
    while ((ok = query_row(query, &row, error)) && row) {
        struct batch_row *batch = rows_add(&rows, mem, error);
        if (!batch)
            return false;
        batch_columns(query, batch);
        if (!query_ok(query, error))
            return false;
    }
    *ret = rows.at;
    *ret_n = rows.n;
    return ok;
}

bool catalog_batch_newest(struct catalog *catalog, int64_t *ret, GError **error)
{
    bool row;
    auto_(query) query = query_of(catalog->db, SQL_BATCH_NEWEST);
    if (!query_row(query, &row, error))
        return false;
    *ret = row ? query_i64(query) : 0;
    return query_ok(query, error);
}

bool catalog_spent(struct catalog *catalog, const struct course_of *of, struct arena *mem, struct spent **ret,
                   size_t *ret_n, GError **error)
{
    bool row, ok;
    struct rows rows = {.size = sizeof(struct spent)};
    auto_(query) query = query_of(catalog->db, SQL_SPENT);
    query_put_i64(query, of->run);
    query_put_i64(query, of->step_ms);
    query_put_i64(query, of->after_ms);
    while ((ok = query_row(query, &row, error)) && row) {
        struct spent *spent = rows_add(&rows, mem, error);
        if (!spent)
            return false;
        spent->at_ms = query_i64(query);
        spent->tally.of[OUTCOME_READ] = query_u64(query);
        spent->tally.of[OUTCOME_WRITTEN] = query_u64(query);
        spent->tally.of[OUTCOME_DELETED] = query_u64(query);
        spent->bytes_read = query_u64(query);
        spent->bytes_written = query_u64(query);
        if (!query_ok(query, error))
            return false;
    }
    *ret = rows.at;
    *ret_n = rows.n;
    return ok;
}
