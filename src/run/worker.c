#include "run/worker_state.h"

static const struct op_row OP_TABLE[OP_KIND_COUNT] = {
#define ROW(symbol, name, repeatable, store) [OP_##symbol] = {name, name ".before", name ".after", repeatable, store},
    OP_ROWS(ROW)
#undef ROW
};

const struct op_row *op_row(enum op_kind kind)
{
    return &OP_TABLE[kind];
}

/* --- life
 * ------------------------------------------------------------------------------------------------------------- */

struct worker *worker_new(const struct job *job, uint32_t stage)
{
    struct worker *worker = g_new0(struct worker, 1);
    worker->job = job;
    worker->stage = stage;
    worker->part_mem = arena_new(JOB_ARENA_BYTES);
    worker->settled = g_array_new(FALSE, TRUE, sizeof(struct undo_outcome));
    worker->doubtful = g_array_new(FALSE, TRUE, sizeof(size_t));
    worker->lost = g_array_new(FALSE, TRUE, sizeof(size_t));
    worker->standings = g_array_new(FALSE, TRUE, sizeof(struct standing_look));
    worker->left_images = g_array_new(FALSE, TRUE, sizeof(struct record));
    worker->refused = g_array_new(FALSE, TRUE, sizeof(struct quarantine_row));
    worker->notes = g_array_new(FALSE, TRUE, sizeof(struct quarantine_row));
    worker->sunk = g_array_new(FALSE, TRUE, sizeof(struct record));
    worker->max_records = job->batch_records;
    worker->claims = g_array_new(FALSE, TRUE, sizeof(struct claim));
    worker->claimed = claims_new();
    batch_init(&worker->batch, job->memory_bytes);
    return worker;
}

static void part_reset(struct worker *worker)
{
    g_clear_pointer(&worker->applied, g_hash_table_unref);
    g_clear_pointer(&worker->transform, transform_free);
    g_array_set_size(worker->settled, 0);
    g_array_set_size(worker->doubtful, 0);
    g_array_set_size(worker->lost, 0);
    worker->tail = (struct undo_tail){0};
    worker->settled_once = false;
    worker->before = (struct fence){0};
    worker->applied_left = 0;
    worker->again = false;
    worker->read_most = READ_KEYS;
    g_array_set_size(worker->claims, 0);
    claims_clear(worker->claimed);
    arena_reset(worker->part_mem);
}

void worker_free(struct worker *worker)
{
    if (!worker)
        return;
    part_reset(worker);
    arena_free(worker->part_mem);
    batch_done(&worker->batch);
    GArray *arrays[] = {worker->settled,     worker->doubtful, worker->lost,  worker->standings,
                        worker->left_images, worker->refused,  worker->notes, worker->sunk};
    for (size_t i = 0; i < G_N_ELEMENTS(arrays); i++)
        g_array_unref(arrays[i]);
    g_array_unref(worker->claims);
    claims_free(worker->claimed);
    g_clear_error(&worker->error);
    g_free(worker);
}

/* The first error wins. */
void worker_fail(struct worker *worker, GError *error)
{
    error_keep_first(&worker->error, error);
    worker->phase = PHASE_END;
}

void worker_fail_memory(struct worker *worker, struct slice key)
{
    GError *error = NULL;
    error_set(&error, SLUICE_ERROR_TOO_BIG, "key '%.*s': its batch does not fit into memory",
              (int)MIN(key.len, (size_t)80), (const char *)key.data);
    worker_fail(worker, error);
}

void worker_stop(struct worker *worker)
{
    worker->stopping = true;
}

const GError *worker_error(const struct worker *worker)
{
    return worker->error;
}

const struct tally *worker_tally(const struct worker *worker)
{
    return &worker->total;
}

/* --- the partition
 * ---------------------------------------------------------------------------------------------------- */

static void grant_next(struct worker *worker, struct op *op)
{
    part_reset(worker);
    op->kind = OP_GRANT;
    op->grant.stage = worker->stage;
    op->grant.anew = worker->anew;
    op->grant.part = worker->grant.part.part;
    op->grant.mem = worker->part_mem;
}

static void grant_done(struct worker *worker, struct op *op)
{
    worker->grant = op->grant.ret;
    worker->anew = false;
    if (worker->grant.part.part == UINT32_MAX) {
        worker->phase = worker->job->splits ? PHASE_IDLE : PHASE_END;
        return;
    }
    worker->index = worker->grant.index;
    worker->checkpoint = worker->grant.checkpoint;
    worker->undo_from = (struct undo_position){worker->grant.from.segment, worker->grant.from.offset};
    worker->owes_tail = worker->grant.resumed;
    worker->next_number = 1;
    worker->max_records = worker->fewer ? worker->fewer : worker->job->batch_records;
    worker->fewer = 0;
    worker->lane = (struct lane){.lane = worker->grant.part.lane};
    worker->lane.fence.part = worker->grant.part.part;
    memcpy(worker->lane.fence.run, worker->job->plan->uid, sizeof worker->lane.fence.run);
    worker->phase = worker->job->plan->sink ? PHASE_CUT : PHASE_LANE;
}

static void idle_next(struct worker *worker, struct op *op)
{
    op->kind = OP_IDLE;
}

static void idle_done(struct worker *worker, struct op *op)
{
    static const enum phase NEXT[] = {[IDLE_WAITS] = PHASE_IDLE, [IDLE_WORK] = PHASE_GRANT, [IDLE_OVER] = PHASE_END};
    worker->phase = NEXT[op->idle.answer];
}

static void lane_next(struct worker *worker, struct op *op)
{
    op->kind = OP_LANE_OPEN;
    op->lane.lane = worker->lane;
    op->lane.mem = worker->part_mem;
}

static void lane_done(struct worker *worker, struct op *op)
{
    worker->before = op->lane.ret;
    worker->phase = worker->grant.resumed ? PHASE_TAIL : PHASE_OPEN; /* what is settled has had a lane before */
}

static void tail_next(struct worker *worker, struct op *op)
{
    op->kind = OP_TAIL;
    op->tail.part = worker->grant.part.part;
    op->tail.from = (struct undo_position){worker->grant.from.segment, worker->grant.from.offset};
    op->tail.mem = worker->part_mem;
}

static void tail_done(struct worker *worker, struct op *op)
{
    worker->tail = op->tail.ret;
    tail_take(worker);
}

static void tail_outcome_next(struct worker *worker, struct op *op)
{
    op->kind = OP_OUTCOME;
    op->outcome.outcomes = (const struct undo_outcome *)(void *)worker->settled->data;
    op->outcome.n = worker->settled->len;
}

static void tail_outcome_done(struct worker *worker, struct op *op)
{
    worker->phase = PHASE_CUT;
}

static void cut_next(struct worker *worker, struct op *op)
{
    op->kind = OP_CUT;
    op->cut.mark = (struct quarantine_mark){
        .part = worker->grant.part.part, .lane = worker->lane.lane, .checkpoint = worker->grant.checkpoint};
}

static void cut_done(struct worker *worker, struct op *op)
{
    worker->phase = worker->job->kind == JOB_SETTLE ? PHASE_SYNC : PHASE_OPEN;
}

static void open_next(struct worker *worker, struct op *op)
{
    op->kind = OP_OPEN;
    op->open.part = &worker->grant.part;
    op->open.cursor = worker->grant.cursor;
}

static void open_done(struct worker *worker, struct op *op)
{
    GError *error = NULL;
    worker->phase = PHASE_SCAN;
    if (worker->job->kind == JOB_FORWARD && !forward_open(worker, &error))
        worker_fail(worker, error);
}

/* --- the batch
 * -------------------------------------------------------------------------------------------------------- */

static void scan_next(struct worker *worker, struct op *op)
{
    batch_reset(&worker->batch);
    g_array_set_size(worker->refused, 0);
    g_array_set_size(worker->notes, 0);
    worker->batch_us = 0;
    op->kind = OP_SCAN;
    op->scan = (struct op_scan){.max_records = worker->max_records,
                                .max_bytes = worker->job->batch_bytes,
                                .again = worker->again,
                                .mem = worker->batch.mem};
}

/* What a batch may have taken when its live records are known; writing it takes some more. */
static size_t live_bytes(const struct worker *worker)
{
    return worker->job->memory_bytes / 4 * 3;
}

/* Nobody knows how large live records are before they are read. A batch that does not fit begins again; where some of
 * it is logged, and may be written, in a new lane: its opening tells what was, as after a death. */
static bool begins_again(struct worker *worker)
{
    struct batch_work *batch = &worker->batch;
    if (batch->rows->len <= 1)
        return false;
    worker->max_records = MAX(batch->rows->len / FEWER, 1u);
    worker->read_first = true;
    if (batch->has_undo) {
        worker->fewer = worker->max_records;
        worker->anew = true;
        worker->phase = PHASE_GRANT;
        return true;
    }
    worker->again = true;
    tail_unclaim(worker);
    worker->phase = PHASE_SCAN;
    return true;
}

static void take_scanned(struct worker *worker, const struct scanned *scanned)
{
    if (scanned->kind == SCANNED_LOSER || scanned->kind == SCANNED_UNASKED)
        return; /* counted when the run was planned, or nowhere */
    struct row row = {.rec = scanned->rec, .must = scanned->must, .noted = scanned->noted, .stays = scanned->stays};
    g_array_append_val(worker->batch.rows, row);
    size_t i = worker->batch.rows->len - 1;
    set_digest_add(&worker->batch.read, digest_keyed(row.rec.key, digest_bytes(row.rec.raw, 0), 0));
    if (scanned->kind == SCANNED_CONFLICT)
        forward_refuse(worker, i, &row.rec.fault);
    else if (worker->job->kind == JOB_BACK)
        back_row(worker, i);
    else if (worker->job->kind == JOB_PROMOTE)
        promote_row(worker, i);
    else
        forward_row(worker, i);
}

static void scan_done(struct worker *worker, struct op *op)
{
    struct batch_work *batch = &worker->batch;
    if (op->scan.budget == BUDGET_SPENT)
        worker->phase = PHASE_END;
    if (op->scan.budget != BUDGET_TAKEN)
        return;
    worker->again = false;
    batch->within = op->scan.within;
    batch->cursor = op->scan.cursor;
    batch->last = op->scan.done;
    batch->bytes_read = op->scan.bytes;
    for (size_t i = 0; i < op->scan.n && !worker->error; i++)
        take_scanned(worker, &op->scan.rows[i]);
    if (worker->error)
        worker_fail(worker, NULL);
    else if (worker->job->plan->sink)
        worker->phase = batch->within ? PHASE_ROOM : PHASE_LOOK;
    else
        round_begin(worker);
}

/* Before anything of it is written down. What does not fit into what is left of the budget begins again with fewer
 * records; one for which nothing is left is the first that is not written. */
static void room_done(struct worker *worker, struct op *op)
{
    if (op->room.answer == BUDGET_TAKEN)
        worker->phase = worker->job->plan->sink ? PHASE_LOOK : PHASE_LOG;
    else if (op->room.answer == BUDGET_SPENT && !begins_again(worker))
        worker->phase = PHASE_END;
}

static void read_next(struct worker *worker, struct op *op)
{
    struct batch_work *batch = &worker->batch;
    g_array_set_size(batch->images, 0);
    for (size_t i = 0; i < batch->order->len; i++) {
        struct record image = {.key = batch_item(batch, g_array_index(batch->order, size_t, i))->key};
        g_array_append_val(batch->images, image);
    }
    op->kind = OP_READ;
    op->read.io = (struct record *)(void *)batch->images->data;
    op->read.n = batch->images->len;
    op->read.mem = batch->mem;
}

static void read_done(struct worker *worker, struct op *op)
{
    struct batch_work *batch = &worker->batch;
    if (arena_used(batch->mem) > live_bytes(worker) && begins_again(worker))
        return;
    for (size_t i = 0; i < batch->order->len; i++) {
        struct item *item = batch_item(batch, g_array_index(batch->order, size_t, i));
        const struct record *image = &g_array_index(batch->images, struct record, i);
        if (image->presence == RECORD_FAULT) {
            round_refuse(worker, item, &image->fault);
            continue;
        }
        batch->met += image->presence == RECORD_PRESENT;
        item->image = *image;
        item->image_known = true;
    }
    round_begin(worker);
}

static void log_done(struct worker *worker, struct op *op)
{
    round_logged(worker, op);
}

static void fence_next(struct worker *worker, struct op *op)
{
    op->kind = OP_FENCE;
    op->fence.id = worker->lane.fence;
    op->fence.mem = worker->batch.mem;
}

static void fence_done(struct worker *worker, struct op *op)
{
    round_fence(worker, &op->fence.ret);
}

static void outcome_next(struct worker *worker, struct op *op)
{
    struct batch_work *batch = &worker->batch;
    size_t n = batch->intents->len;
    size_t len = (n + 7) / 8;
    uint8_t *bits = arena_alloc0(batch->mem, len + 1);
    if (!bits) {
        worker_fail_memory(worker, SLICE_EMPTY);
        op->kind = OP_END;
        return;
    }
    for (size_t i = 0; i < batch->order->len; i++)
        if (round_is_applied(batch_item(batch, g_array_index(batch->order, size_t, i))))
            bits[i / 8] |= (uint8_t)(1u << (i % 8));
    worker->outcome = (struct undo_outcome){.part = worker->grant.part.part,
                                            .lane = worker->lane.lane,
                                            .first_number = worker->next_number - n,
                                            .n = n,
                                            .applied = slice_of(bits, len)};
    op->kind = OP_OUTCOME;
    op->outcome.outcomes = &worker->outcome;
    op->outcome.n = 1;
}

static void outcome_done(struct worker *worker, struct op *op)
{
    if (worker->waits > 0)
        worker->phase = PHASE_WAIT;
    else
        round_begin(worker);
}

#define MAX_WAITS 12

static void wait_next(struct worker *worker, struct op *op)
{
    op->kind = OP_WAIT;
    op->wait.us = INT64_C(20000) << MIN(worker->waits, 9u);
    if (worker->waits <= MAX_WAITS)
        return;
    GError *error = NULL;
    error_set(&error, SLUICE_ERROR_UNREACHABLE, "partition %u: the store failed %u writes in a row",
              worker->grant.part.part, worker->waits);
    worker_fail(worker, error);
    op->kind = OP_END;
}

static void wait_done(struct worker *worker, struct op *op)
{
    round_begin(worker);
}

#define MAX_LOOKS 3
/* Of a record that was no larger than this, and no longer ago, nobody asks the size again. */
#define LOOK_SMALL_BYTES (64u << 10)
#define LOOK_SOON_US     2000000

static bool may_look(const struct row *row)
{
    return row->looks < MAX_LOOKS && row->rec.presence == RECORD_PRESENT;
}

/* Rows of which something was written in this round. */
static bool *rows_written(const struct batch_work *batch)
{
    bool *written = g_new0(bool, batch->rows->len + 1);
    for (size_t k = 0; k < batch->items->len; k++) {
        const struct item *item = &g_array_index(batch->items, struct item, k);
        if (item->row != ROW_NOBODY)
            written[item->row] = written[item->row] || item->applied;
    }
    return written;
}

/* All items have ended. Where source and target are both live, what was written is held against its source once more.
 */
static void look_next(struct worker *worker, struct op *op)
{
    struct batch_work *batch = &worker->batch;
    g_autofree bool *written = rows_written(batch);
    g_array_set_size(batch->looked, 0);
    g_array_set_size(batch->images, 0);
    op->read.small = worker->batch_us < LOOK_SOON_US;
    for (size_t i = 0; job_looks_again(worker->job) && i < batch->rows->len; i++) {
        const struct row *row = batch_row(batch, i);
        if (!written[i] || !may_look(row))
            continue;
        struct record image = {.key = row->rec.key};
        g_array_append_val(batch->looked, i);
        g_array_append_val(batch->images, image);
        op->read.small = op->read.small && row->rec.raw.len <= LOOK_SMALL_BYTES;
    }
    op->kind = OP_LOOK;
    op->read.io = (struct record *)(void *)batch->images->data;
    op->read.n = batch->images->len;
    op->read.mem = batch->mem;
}

static void batch_end(struct worker *worker);

static bool has_open(struct batch_work *batch)
{
    for (size_t i = 0; i < batch->items->len; i++)
        if (batch_item(batch, i)->state == ITEM_OPEN)
            return true;
    return false;
}

static void look_done(struct worker *worker, struct op *op)
{
    struct batch_work *batch = &worker->batch;
    for (size_t i = 0; !op->read.unmoved && i < batch->looked->len && !worker->error; i++)
        forward_looked(worker, g_array_index(batch->looked, size_t, i),
                       &g_array_index(batch->images, struct record, i));
    if (worker->error) {
        worker_fail(worker, NULL);
        return;
    }
    if (batch->last && !has_open(batch))
        forward_take_left(worker);
    if (has_open(batch) && !worker->job->plan->sink)
        round_begin(worker);
    else
        batch_end(worker);
}

static void refuse_row(struct worker *worker, struct row *row)
{
    forward_show(worker, row);
    struct quarantine_row refused = {.key = row->rec.key,
                                     .code = row->fault.code,
                                     .reason = row->fault.text,
                                     .file = row->rec.at.file,
                                     .line = row->rec.at.line,
                                     .column = row->rec.at.column,
                                     .document = row->has_document ? row->document : SLICE_EMPTY,
                                     .raw = row->has_document ? SLICE_EMPTY : row->rec.raw};
    g_array_append_val(worker->refused, refused);
}

static void note(struct worker *worker, const struct row *row, enum error_code code, const char *why)
{
    struct quarantine_row note = {.key = row->rec.key, .code = code, .reason = why ? why : error_row(code)->words};
    g_array_append_val(worker->notes, note);
}

static void sink_items(struct worker *worker)
{
    g_array_set_size(worker->sunk, 0);
    for (size_t i = 0; i < worker->batch.items->len; i++) {
        struct item *item = batch_item(&worker->batch, i);
        struct record record = {
            .key = item->key, .raw = item->raw, .expires_at_ms = item->expires_at_ms, .presence = RECORD_PRESENT};
        if (item->state == ITEM_ENDED)
            continue;
        if (!item->want_delete)
            g_array_append_val(worker->sunk, record);
        item_end(item, item->want_delete ? OUTCOME_UNCHANGED : OUTCOME_WRITTEN);
        worker->batch.bytes_written += item->raw.len;
    }
}

static void batch_end(struct worker *worker)
{
    if (worker->job->plan->sink)
        sink_items(worker);
    batch_tally(&worker->batch);
    if (worker->job->kind == JOB_FORWARD)
        worker->batch.tally.of[OUTCOME_READ] += worker->batch.rows->len;
    for (size_t i = 0; i < worker->batch.rows->len; i++) {
        struct row *row = batch_row(&worker->batch, i);
        if (row->outcome == OUTCOME_REJECTED)
            refuse_row(worker, row);
        else if (row->outcome == OUTCOME_LEFT)
            note(worker, row, SLUICE_ERROR_LEFT, row->fault.text);
        else if (row->outcome == OUTCOME_IN_DOUBT)
            note(worker, row, SLUICE_ERROR_IN_DOUBT, NULL);
        else if (row->outcome == OUTCOME_PASSED_OVER)
            note(worker, row, row->fault.code, row->fault.text);
    }
    worker->phase = PHASE_REFUSE;
}

static struct quarantine_batch quarantine_batch_of(struct worker *worker, const GArray *rows)
{
    return (struct quarantine_batch){.part = worker->grant.part.part,
                                     .lane = worker->lane.lane,
                                     .checkpoint = worker->checkpoint + 1,
                                     .rows = (const struct quarantine_row *)(const void *)rows->data,
                                     .n = rows->len};
}

static void refuse_next(struct worker *worker, struct op *op)
{
    op->kind = OP_REFUSE;
    op->refuse.refused = quarantine_batch_of(worker, worker->refused);
    op->refuse.notes = quarantine_batch_of(worker, worker->notes);
}

static void refuse_done(struct worker *worker, struct op *op)
{
    worker->phase = worker->job->plan->sink ? PHASE_SINK : PHASE_SETTLE;
}

static void sink_next(struct worker *worker, struct op *op)
{
    op->kind = worker->phase == PHASE_SINK ? OP_SINK : OP_PUBLISH;
    op->sink.file = (struct sink_file){.id = worker->lane.fence, .number = worker->checkpoint + 1};
    op->sink.records = (const struct record *)(void *)worker->sunk->data;
    op->sink.n = worker->sunk->len;
}

/* Published before the checkpoint that names it: a redone batch replaces its file of the same name, but a checkpoint
 * whose file is missing could not be mended. One that gives nothing any more takes that file away. */
static void sink_done(struct worker *worker, struct op *op)
{
    worker->phase = worker->phase == PHASE_SINK && op->sink.n > 0 ? PHASE_PUBLISH : PHASE_CHECKPOINT;
}

static void settle_next(struct worker *worker, struct op *op)
{
    op->kind = OP_SETTLE;
    op->settle.mem = worker->batch.mem;
    op->settle.witness = (struct witness){.fence = worker->lane.fence,
                                          .lane = worker->lane.lane,
                                          .number = worker->next_number - 1,
                                          .everywhere = worker->grant.resumed && !worker->settled_once};
}

/* All that older lanes left has met its key, and none of it is read again: a further record of such a key would be
 * taken for one that is written. What the tail was found to be has to be durable for that. */
static bool tail_is_over(struct worker *worker)
{
    if (!worker->owes_tail || worker->applied_left > 0)
        return false;
    worker->owes_tail = false;
    worker->undo_from = (struct undo_position){worker->grant.here.segment, worker->grant.here.offset};
    return true;
}

#define MAX_UNSETTLED 5

/* Some of the batch may be lost with the server that answered for it. Which of it the fence tells him who takes the
 * partition in a new lane, as after a death. */
static void settle_done(struct worker *worker, struct op *op)
{
    if (op->ok) {
        worker->unsettled = 0;
        worker->settled_once = true;
        worker->conditions = op->settle.conditions;
        worker->phase = tail_is_over(worker) || worker->batch.last ? PHASE_SYNC : PHASE_CHECKPOINT;
    } else if (error_is(op->error, SLUICE_ERROR_UNSETTLED) && ++worker->unsettled < MAX_UNSETTLED) {
        worker->anew = true;
        worker->phase = PHASE_GRANT;
    } else {
        worker_fail(worker, g_steal_pointer(&op->error));
    }
}

static void sync_next(struct worker *worker, struct op *op)
{
    op->kind = OP_SYNC;
}

static void sync_done(struct worker *worker, struct op *op)
{
    worker->phase = worker->job->kind == JOB_SETTLE ? PHASE_GRANT : PHASE_CHECKPOINT;
}

/* In the middle of what is left. Not before every write of a dead holder has met its key again: that may lie anywhere
 * in what is left, and only this worker knows of it. */
static uint64_t split_place(const struct worker *worker)
{
    uint64_t index = worker->index + worker->batch.rows->len;
    uint64_t left = worker->grant.part.records - MIN(index, worker->grant.part.records);
    bool may = worker->job->splits && !worker->stopping && !worker->batch.last && worker->applied_left == 0 &&
               left >= 2 && left >= worker->job->split_batches * worker->max_records;
    return may ? index + left - left / 2 : 0;
}

static void checkpoint_next(struct worker *worker, struct op *op)
{
    struct batch_work *batch = &worker->batch;
    enum job_kind kind = worker->job->kind; /* bytes are what goes forwards, in a run's totals and its budget */
    struct checkpoint row = {.run = worker->job->run,
                             .part = worker->grant.part.part,
                             .lane = worker->lane.lane,
                             .number = worker->checkpoint + 1,
                             .cursor = batch->cursor,
                             .index = worker->index + batch->rows->len,
                             .tally = batch->tally,
                             .bytes_read = kind == JOB_FORWARD ? batch->bytes_read : 0,
                             .bytes_written = kind == JOB_FORWARD ? batch->bytes_written : 0,
                             .read = batch->read,
                             .written = batch->written,
                             .undo = {worker->undo_from.segment, worker->undo_from.offset},
                             .settled = worker->next_number - 1,
                             .conditions = worker->conditions,
                             .last = batch->last};
    op->kind = OP_CHECKPOINT;
    if ((kind != JOB_PROMOTE && !batch_outcomes(batch, &row.outcomes)) || !tail_claims(worker, &row.claims)) {
        worker_fail_memory(worker, SLICE_EMPTY);
        op->kind = OP_END;
        return;
    }
    op->checkpoint.row = row;
    op->checkpoint.may_split_at = split_place(worker);
}

/* Towards batches of about job->batch_us, for a transform that is slow; never more than the job's limit. */
static void adapt(struct worker *worker)
{
    int64_t target = worker->job->batch_us;
    size_t used = arena_used(worker->batch.mem);
    if (worker->batch_us > 2 * target)
        worker->max_records = MAX(worker->max_records / 2, MIN((size_t)16, worker->job->batch_records));
    else if (used > worker->job->memory_bytes / 4)
        worker->max_records = MAX(worker->max_records / 2, 1u);
    else if (worker->batch_us < target && used < worker->job->memory_bytes / 8)
        worker->max_records = MIN(worker->max_records * 2, worker->job->batch_records);
    worker->read_first = worker->batch.met * 10 > worker->batch.rows->len;
}

static void checkpoint_done(struct worker *worker, struct op *op)
{
    worker->checkpoint++;
    tail_claims_stand(worker);
    worker->index += worker->batch.rows->len;
    if (op->checkpoint.row.split_at > 0)
        worker->grant.part.records = op->checkpoint.row.split_at;
    tally_add(&worker->total, &worker->batch.tally);
    adapt(worker);
    bool last = worker->batch.last;
    worker->phase = worker->stopping ? PHASE_END : last ? PHASE_GRANT : PHASE_SCAN;
}

static void end_next(struct worker *worker, struct op *op)
{
    op->kind = OP_END;
}

static void ending_done(struct worker *worker, struct op *op)
{
}

/* --- the table
 * -------------------------------------------------------------------------------------------------------- */

/* Whether one that is to stop ends in place of the phase. What is written is finished, as far as it need not wait. */
enum stops { STOPS_NOT, STOPS_HERE, STOPS_UNLOGGED };

struct phase_row {
    void (*next)(struct worker *, struct op *);
    void (*done)(struct worker *, struct op *);
    bool takes_failure; /* done() is called for a failed operation too: its outcomes are valid either way */
    enum stops stops;
    bool fits_with_fewer; /* where memory does not suffice, it does for fewer records */
};

static const struct phase_row PHASES[PHASE_COUNT] = {
    [PHASE_GRANT] = {grant_next, grant_done, false, STOPS_HERE},
    [PHASE_IDLE] = {idle_next, idle_done, false, STOPS_HERE},
    [PHASE_LANE] = {lane_next, lane_done, false},
    [PHASE_TAIL] = {tail_next, tail_done, false},
    [PHASE_DOUBT] = {tail_doubts_next, tail_doubts_done, true},
    [PHASE_STANDS] = {lost_stands_next, lost_stands_done, false},
    [PHASE_LOST] = {lost_next, lost_done, true},
    [PHASE_TAIL_OUTCOME] = {tail_outcome_next, tail_outcome_done, false},
    [PHASE_CUT] = {cut_next, cut_done, false},
    [PHASE_OPEN] = {open_next, open_done, false, STOPS_HERE},
    [PHASE_SCAN] = {scan_next, scan_done, false, STOPS_HERE, true},
    [PHASE_READ] = {read_next, read_done, false, STOPS_UNLOGGED, true},
    [PHASE_ROOM] = {round_room, room_done, false, STOPS_UNLOGGED},
    [PHASE_LOG] = {round_log, log_done, false, STOPS_UNLOGGED},
    [PHASE_CAS] = {round_cas, round_written, true, STOPS_NOT, true},
    [PHASE_FENCE] = {fence_next, fence_done, false, STOPS_NOT, true},
    [PHASE_OUTCOME] = {outcome_next, outcome_done, false, STOPS_NOT, true},
    [PHASE_WAIT] = {wait_next, wait_done, false, STOPS_NOT, true},
    [PHASE_LOOK] = {look_next, look_done, false, STOPS_NOT, true},
    [PHASE_REFUSE] = {refuse_next, refuse_done, false},
    [PHASE_SINK] = {sink_next, sink_done, false},
    [PHASE_PUBLISH] = {sink_next, sink_done, false},
    [PHASE_SETTLE] = {settle_next, settle_done, true},
    [PHASE_SYNC] = {sync_next, sync_done, false},
    [PHASE_CHECKPOINT] = {checkpoint_next, checkpoint_done, false},
    [PHASE_END] = {end_next, ending_done, false},
};

/* The phase has failed, and it was for the batch's memory: not for good, unless the batch is of one record. */
static bool failed_of_size(struct worker *worker, enum phase phase)
{
    if (!worker->error || !PHASES[phase].fits_with_fewer || !error_is(worker->error, SLUICE_ERROR_TOO_BIG) ||
        !begins_again(worker))
        return false;
    g_clear_error(&worker->error);
    return true;
}

void worker_next(struct worker *worker, struct op *ret)
{
    enum phase phase;
    do {
        enum stops stops = PHASES[worker->phase].stops;
        if (worker->stopping && (stops == STOPS_HERE || (stops == STOPS_UNLOGGED && !worker->batch.has_undo)))
            worker->phase = PHASE_END;
        phase = worker->phase;
        *ret = (struct op){0};
        PHASES[phase].next(worker, ret);
    } while (failed_of_size(worker, phase));
    ret->ok = true;
}

void worker_done(struct worker *worker, struct op *op)
{
    enum phase phase = worker->phase;
    if (op->kind != OP_SETTLE) /* how long that takes fewer records do not change */
        worker->batch_us += op->elapsed_us;
    worker->now_ms = op->now_ms;
    if (op->given_up)
        worker->phase = PHASE_END;
    else if (op->ok || PHASES[phase].takes_failure)
        PHASES[phase].done(worker, op);
    else
        worker_fail(worker, g_steal_pointer(&op->error));
    failed_of_size(worker, phase);
    g_clear_error(&op->error);
}
