/* Grants and checkpoints: who works on a partition, and how far it has got. */
#include "catalog/inside.h"

/* --- grants
 * ----------------------------------------------------------------------------------------------------------- */

/* *ret UINT32_MAX: nothing is left. */
static bool grant_choose(struct catalog *catalog, const struct grant_wish *wish, uint32_t *ret, GError **error)
{
    bool row;
    auto_(query) query = query_of(catalog->db, wish->only_resumed ? SQL_GRANT_LEFT : SQL_GRANT_FIRST);
    query_put_i64(query, wish->run);
    parts_range_put(query, wish->stage, wish->kind);
    query_put_text(query, wish->holder);
    if (!query_row(query, &row, error))
        return false;
    bool none = !row || query_is_null(query);
    *ret = none ? UINT32_MAX : query_u32(query);
    return query_ok(query, error);
}

enum { FEW = 16 }; /* are looked at, whatever would do, unless nobody is there at all */

/* *io: the first. What a dead holder left is not passed over. */
static bool grant_weigh(struct catalog *catalog, const struct grant_wish *wish, struct arena *mem, uint32_t *io,
                        GError **error)
{
    bool row, ok;
    uint32_t first = *io, least = UINT32_MAX, looked_at = 0;
    struct arena_mark mark = arena_mark(mem);
    auto_(query) query = query_of(catalog->db, SQL_GRANT_NEXT);
    query_put_i64(query, wish->run);
    parts_range_put(query, wish->stage, wish->kind);
    while (least > 0 && (looked_at++ < FEW || least > wish->content) && (ok = query_row(query, &row, error)) && row) {
        struct part_row candidate;
        parts_columns(query, mem, &candidate);
        if (!query_ok(query, error))
            return false;
        if (least == UINT32_MAX && candidate.part != first)
            return true;
        uint32_t burden = wish->burden(wish->self, &candidate);
        arena_rewind(mem, mark);
        if (burden < least) {
            *io = candidate.part;
            least = burden;
        }
    }
    return least == 0 || ok;
}

static bool grant_find(struct catalog *catalog, const struct grant_wish *wish, struct arena *mem, uint32_t *ret,
                       GError **error)
{
    return grant_choose(catalog, wish, ret, error) &&
           (*ret == UINT32_MAX || !wish->burden || wish->only_resumed || grant_weigh(catalog, wish, mem, ret, error));
}

static bool taken_over(uint32_t part, GError **error)
{
    return error_set(error, SLUICE_ERROR_FENCED, "partition %u: another process has taken the run up meanwhile", part);
}

/* The new lane; without a checkpoint, what older ones left lies behind the first grant's place. */
static bool grant_take(struct catalog *catalog, const struct grant_wish *wish, uint32_t part, struct arena *mem,
                       struct grant *ret, GError **error)
{
    bool row;
    auto_(query) query = query_of(catalog->db, SQL_GRANT);
    query_put_i64(query, wish->run);
    query_put_i64(query, part);
    query_put_text(query, part_state_word(PART_RUNNING));
    query_put_text(query, wish->holder);
    query_put_i64(query, wish->here.segment);
    query_put_u64(query, wish->here.offset);
    if (!query_row(query, &row, error))
        return false;
    if (!row)
        return taken_over(part, error);
    parts_columns(query, mem, &ret->part);
    ret->here = wish->here;
    ret->old_lane = ret->part.lane - 1;
    ret->resumed = ret->old_lane > 0;
    ret->from.segment = query_u32(query);
    ret->from.offset = query_u64(query);
    return query_ok(query, error);
}

/* Where its newest checkpoint says that it goes on. */
static bool grant_go_on(struct catalog *catalog, int64_t run, struct arena *mem, struct grant *ret, GError **error)
{
    bool row;
    auto_(query) query = query_of(catalog->db, SQL_NEWEST);
    query_put_i64(query, run);
    query_put_i64(query, ret->part.part);
    if (!query_row(query, &row, error))
        return false;
    if (!row)
        return true;
    ret->checkpoint = query_u64(query);
    ret->settled_lane = query_u32(query);
    ret->settled = query_u64(query);
    ret->index = query_u64(query);
    ret->from.segment = query_u32(query);
    ret->from.offset = query_u64(query);
    ret->cursor = query_bytes(query, mem);
    ret->claims = query_bytes(query, mem);
    return query_ok(query, error);
}

static bool grant_lost_where(struct catalog *catalog, int64_t run, struct arena *mem, struct grant *ret, GError **error)
{
    bool row;
    auto_(query) query = query_of(catalog->db, SQL_LOST_WHERE);
    query_put_i64(query, run);
    query_put_i64(query, ret->part.part);
    if (!query_row(query, &row, error))
        return false;
    ret->lost_where = row ? query_text(query, mem) : NULL;
    return query_ok(query, error);
}

/* What was checkpointed once, and may be lost. */
static bool grant_lost(struct catalog *catalog, int64_t run, struct arena *mem, struct grant *ret, GError **error)
{
    bool row, ok;
    struct rows lanes = {.size = sizeof(struct lost_lane)};
    auto_(query) query = query_of(catalog->db, SQL_LOST_LANES);
    query_put_i64(query, run);
    query_put_i64(query, ret->part.part);
    while ((ok = query_row(query, &row, error)) && row) {
        struct lost_lane *lane = rows_add(&lanes, mem, error);
        if (!lane)
            return false;
        lane->lane = query_u32(query);
        lane->settled = query_u64(query);
        if (!query_ok(query, error))
            return false;
    }
    ret->lost = lanes.at;
    ret->n_lost = lanes.n;
    return ok && (lanes.n == 0 || grant_lost_where(catalog, run, mem, ret, error));
}

bool grant_add(struct catalog *catalog, const struct grant_wish *wish, struct arena *mem, struct grant *ret,
               GError **error)
{
    uint32_t part = wish->part;
    if (!wish->anew && !grant_find(catalog, wish, mem, &part, error))
        return false;
    ret->part.part = part;
    return part == UINT32_MAX || (grant_take(catalog, wish, part, mem, ret, error) &&
                                  (!ret->resumed || (grant_go_on(catalog, wish->run, mem, ret, error) &&
                                                     grant_lost(catalog, wish->run, mem, ret, error))));
}

bool catalog_grant(struct catalog *catalog, const struct grant_wish *wish, struct arena *mem, struct grant *ret,
                   GError **error)
{
    struct grant granted = {0};
    if (!db_begin(catalog->db, error) || !db_end(catalog->db, grant_add(catalog, wish, mem, &granted, error), error))
        return false;
    *ret = granted;
    return true;
}

static bool query_yes(struct query *query, bool *ret, GError **error)
{
    bool row;
    *ret = false;
    if (!query_row(query, &row, error))
        return false;
    *ret = row && query_i64(query) != 0;
    return query_ok(query, error);
}

bool catalog_grant_stands(struct catalog *catalog, const struct grant_held *held, GError **error)
{
    bool stands;
    auto_(query) query = query_of(catalog->db, SQL_GRANT_STANDS);
    query_put_i64(query, held->run);
    query_put_i64(query, held->part);
    query_put_i64(query, held->lane);
    query_put_text(query, held->holder);
    return query_yes(query, &stands, error) && (stands || taken_over(held->part, error));
}

static bool holder_put(struct catalog *catalog, int64_t run, const char *holder, GError **error)
{
    auto_(query) query = query_of(catalog->db, SQL_RUN_HOLDER);
    query_put_i64(query, run);
    query_put_text(query, holder);
    return query_run(query, error);
}

bool catalog_run_hold(struct catalog *catalog, int64_t run, const char *holder, GError **error)
{
    return db_begin(catalog->db, error) && db_end(catalog->db, holder_put(catalog, run, holder, error), error);
}

bool catalog_run_held(struct catalog *catalog, int64_t run, const char *holder, GError **error)
{
    bool held;
    auto_(query) query = query_of(catalog->db, SQL_RUN_HELD);
    query_put_i64(query, run);
    query_put_text(query, holder);
    return query_yes(query, &held, error) &&
           (held || error_set(error, SLUICE_ERROR_FENCED, "another process has taken the run up meanwhile"));
}

static bool holder_pass(struct catalog *catalog, int64_t run, const char *holder, const char *next, GError **error)
{
    return catalog_run_held(catalog, run, holder, error) && holder_put(catalog, run, next, error);
}

bool catalog_run_pass(struct catalog *catalog, int64_t run, const char *holder, const char *next, GError **error)
{
    return db_begin(catalog->db, error) && db_end(catalog->db, holder_pass(catalog, run, holder, next, error), error);
}

/* --- checkpoints
 * ------------------------------------------------------------------------------------------------------ */

struct sums {
    uint8_t read[16], written[16];
};

void set_digest_put(struct query *query, const struct set_digest *set, uint8_t sum[16])
{
    digest_put(set->sum, sum);
    query_put_u64(query, set->count);
    query_put_bytes(query, slice_of(sum, 16));
}

/* Inserts the row where the lane is the partition's and the number is the next; *ret_rows tells. */
static bool checkpoint_insert(struct catalog *catalog, const struct checkpoint *checkpoint, uint64_t *ret_rows,
                              GError **error)
{
    struct sums sums;
    auto_(query) query = query_of(catalog->db, SQL_CHECKPOINT);
    query_put_i64(query, checkpoint->run);
    query_put_i64(query, checkpoint->part);
    query_put_i64(query, world_wall_ms(catalog->world));
    query_put_u64(query, checkpoint->number);
    query_put_i64(query, checkpoint->lane);
    query_put_u64(query, checkpoint->index);
    query_put_u64(query, checkpoint->settled);
    query_put_i64(query, checkpoint->undo.segment);
    query_put_u64(query, checkpoint->undo.offset);
    query_put_i64(query, checkpoint->last);
    set_digest_put(query, &checkpoint->read, sums.read);
    set_digest_put(query, &checkpoint->written, sums.written);
    query_put_u64(query, checkpoint->bytes_read);
    query_put_u64(query, checkpoint->bytes_written);
    query_put_text(query, checkpoint->conditions);
    query_put_bytes(query, checkpoint->cursor);
    query_put_bytes(query, checkpoint->outcomes);
    tally_put(query, &checkpoint->tally);
    query_put_i64(query, checkpoint->took_ms);
    query_put_bytes(query, checkpoint->claims);
    if (!query_run(query, error))
        return false;
    *ret_rows = db_changes(catalog->db);
    return true;
}

/* Whether the row stands already: its transaction succeeded and the answer was lost. */
static bool checkpoint_stands(struct catalog *catalog, const struct checkpoint *checkpoint, bool *ret, GError **error)
{
    bool row;
    auto_(query) query = query_of(catalog->db, SQL_NEWEST);
    *ret = false;
    query_put_i64(query, checkpoint->run);
    query_put_i64(query, checkpoint->part);
    if (!query_row(query, &row, error))
        return false;
    if (!row)
        return true;
    bool same = query_u64(query) == checkpoint->number && query_u32(query) == checkpoint->lane &&
                query_u64(query) == checkpoint->settled && query_u64(query) == checkpoint->index;
    query_i64(query);
    query_i64(query);
    *ret = same && slice_equal(query_borrow(query), checkpoint->cursor);
    return query_ok(query, error);
}

static bool checkpoint_refused(struct catalog *catalog, const struct checkpoint *checkpoint, GError **error)
{
    bool row;
    auto_(query) query = query_of(catalog->db, SQL_PART_STATE);
    query_put_i64(query, checkpoint->run);
    query_put_i64(query, checkpoint->part);
    if (!query_row(query, &row, error))
        return false;
    if (!row)
        return error_set(error, SLUICE_ERROR_NOT_FOUND, "there is no partition %u in this run", checkpoint->part);
    enum part_state state = part_state_get(query);
    uint32_t lane = query_u32(query);
    if (!query_ok(query, error))
        return false;
    if (lane != checkpoint->lane)
        return error_set(error, SLUICE_ERROR_FENCED,
                         "partition %u: another holder has taken it over (lane %u, ours is %u)", checkpoint->part, lane,
                         checkpoint->lane);
    if (state != PART_RUNNING)
        return error_set(error, SLUICE_ERROR_FENCED, "partition %u: it is %s, nobody is to write it any more",
                         checkpoint->part, part_state_word(state));
    return error_set(error, SLUICE_ERROR_INTERNAL, "partition %u: checkpoint %" G_GUINT64_FORMAT " is not the next one",
                     checkpoint->part, checkpoint->number);
}

static bool part_written(struct catalog *catalog, const struct checkpoint *checkpoint, GError **error)
{
    auto_(query) query = query_of(catalog->db, SQL_PART_MOVE);
    query_put_i64(query, checkpoint->run);
    query_put_i64(query, checkpoint->part);
    query_put_text(query, part_state_word(PART_WRITTEN));
    return query_run(query, error);
}

static bool split_written(struct catalog *catalog, const struct checkpoint *checkpoint, uint32_t into, uint64_t records,
                          GError **error)
{
    struct run_brief run;
    auto_(arena) mem = arena_new(SMALL_BYTES);
    if (!run_brief_read(catalog, checkpoint->run, mem, &run, error))
        return false;
    struct run_act split = {.run = &run,
                            .action = "split",
                            .act = &checkpoint->act,
                            .own = json_pack("{s:I, s:I, s:I, s:I}", "partition", (json_int_t)checkpoint->part, "into",
                                             (json_int_t)into, "at", (json_int_t)checkpoint->split_at, "records",
                                             (json_int_t)records)};
    return ledger_act(catalog, &split, error);
}

/* What lies behind split_at is another partition's from here on. No write of this one was to a key of it: all of them
 * were before the checkpoint, and the writes of dead holders have met their keys. */
static bool part_split(struct catalog *catalog, const struct checkpoint *checkpoint, GError **error)
{
    bool row;
    auto_(query) new = query_of(catalog->db, SQL_SPLIT_NEW);
    auto_(query) old = query_of(catalog->db, SQL_SPLIT_OLD);
    g_assert(checkpoint->split_at > checkpoint->index && !checkpoint->last);
    query_put_i64(new, checkpoint->run);
    query_put_i64(new, checkpoint->part);
    query_put_u64(new, checkpoint->split_at);
    query_put_i64(new, CATALOG_BACK_PART);
    if (!query_row(new, &row, error))
        return false;
    if (!row)
        return error_set(error, SLUICE_ERROR_INTERNAL,
                         "partition %u: it has no key behind %" G_GUINT64_FORMAT ", where it is to be split",
                         checkpoint->part, checkpoint->split_at);
    uint32_t into = query_u32(new);
    uint64_t records = query_u64(new);
    query_put_i64(old, checkpoint->run);
    query_put_i64(old, checkpoint->part);
    query_put_u64(old, checkpoint->split_at);
    return query_ok(new, error) && query_run(old, error) && split_written(catalog, checkpoint, into, records, error);
}

bool checkpoint_add(struct catalog *catalog, const struct checkpoint *checkpoint, GError **error)
{
    uint64_t rows;
    bool stands;
    struct total total = {.tally = &checkpoint->tally,
                          .bytes_read = checkpoint->bytes_read,
                          .bytes_written = checkpoint->bytes_written,
                          .limited_ms = checkpoint->limited_ms,
                          .worked_ms = checkpoint->worked_ms};
    if (!checkpoint_insert(catalog, checkpoint, &rows, error))
        return false;
    if (rows == 1)
        return total_add(catalog, checkpoint->run, &total, error) &&
               (!checkpoint->last || part_written(catalog, checkpoint, error)) &&
               (checkpoint->split_at == 0 || part_split(catalog, checkpoint, error));
    return checkpoint_stands(catalog, checkpoint, &stands, error) &&
           (stands || checkpoint_refused(catalog, checkpoint, error));
}

bool catalog_checkpoint(struct catalog *catalog, const struct checkpoint *checkpoint, GError **error)
{
    return db_begin(catalog->db, error) && db_end(catalog->db, checkpoint_add(catalog, checkpoint, error), error);
}

void set_digest_get(struct query *query, struct set_digest *ret)
{
    uint8_t sum[16] = {0};
    ret->count = query_u64(query);
    query_fixed(query, sum, sizeof sum);
    ret->sum = digest_get(sum);
}

static void checkpoint_columns(struct query *query, struct arena *mem, struct checkpoint *ret)
{
    ret->number = query_u64(query);
    ret->lane = query_u32(query);
    ret->index = query_u64(query);
    ret->settled = query_u64(query);
    ret->undo.segment = query_u32(query);
    ret->undo.offset = query_u64(query);
    ret->last = query_i64(query) != 0;
    set_digest_get(query, &ret->read);
    set_digest_get(query, &ret->written);
    ret->bytes_read = query_u64(query);
    ret->bytes_written = query_u64(query);
    ret->conditions = query_text(query, mem);
    ret->cursor = query_bytes(query, mem);
    ret->outcomes = query_bytes(query, mem);
    tally_get(query, &ret->tally);
}

bool catalog_checkpoints(struct catalog *catalog, int64_t run, uint32_t part, struct arena *mem,
                         struct checkpoints *ret, GError **error)
{
    bool row, ok;
    struct rows rows = {.size = sizeof(struct checkpoint)};
    auto_(query) query = query_of(catalog->db, SQL_CHECKPOINTS);
    query_put_i64(query, run);
    query_put_i64(query, part);
    while ((ok = query_row(query, &row, error)) && row) {
        struct checkpoint *checkpoint = rows_add(&rows, mem, error);
        if (!checkpoint)
            return false;
        checkpoint->run = run;
        checkpoint->part = part;
        checkpoint_columns(query, mem, checkpoint);
        if (!query_ok(query, error))
            return false;
    }
    if (!ok)
        return false;
    *ret = (struct checkpoints){.rows = rows.at, .n = rows.n};
    return true;
}

bool catalog_part_writes(struct catalog *catalog, int64_t run, const uint32_t *parts, size_t n, uint64_t *ret,
                         GError **error)
{
    bool row, ok;
    size_t i = 0;
    auto_(query) query = query_of(catalog->db, SQL_PART_WRITES);
    query_put_i64(query, run);
    memset(ret, 0, n * sizeof *ret);
    while ((ok = query_row(query, &row, error)) && row) {
        uint32_t part = query_u32(query);
        uint64_t written = query_u64(query);
        if (!query_ok(query, error))
            return false;
        while (i < n && parts[i] < part)
            i++;
        if (i < n && parts[i] == part)
            ret[i] = written;
    }
    return ok;
}
