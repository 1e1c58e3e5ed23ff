/* One round of a batch: decide what is open, log the intents, send the numbered writes, take what came of them. What
 * has changed meanwhile goes through another round with the live image that the answer brought. */
#include "run/worker_state.h"

static bool needs_image(const struct worker *worker, const struct item *item)
{
    return item->state == ITEM_OPEN && !item->image_known &&
           (worker->read_first || item->want_delete || item->has_ours || item->must_read ||
            worker->job->rules.only_seen);
}

static bool is_pending(const struct item *item)
{
    return item->state == ITEM_PENDING;
}

bool round_is_applied(const struct item *item)
{
    return item->applied;
}

/* Same dataset: the live record moved on, so that it is transformed again, from what it is now. */
static void transform_changed(struct worker *worker)
{
    for (size_t i = 0; i < worker->batch.rows->len && !worker->error; i++) {
        struct row *row = batch_row(&worker->batch, i);
        if (!row->changed)
            continue;
        row->changed = false;
        forward_row(worker, i);
    }
}

static size_t gather_reads(struct worker *worker)
{
    struct batch_work *batch = &worker->batch;
    g_array_set_size(batch->images, 0);
    batch_select(batch, is_pending, false);
    g_array_set_size(batch->order, 0);
    for (size_t i = 0; i < batch->items->len; i++)
        if (needs_image(worker, batch_item(batch, i)))
            g_array_append_val(batch->order, i);
    return batch->order->len;
}

static bool decide_open(struct worker *worker)
{
    bool pending = false;
    for (size_t i = 0; i < worker->batch.items->len && !worker->error; i++) {
        struct item *item = batch_item(&worker->batch, i);
        if (item->state == ITEM_OPEN && worker->job->kind == JOB_BACK)
            back_decide(worker, item);
        else if (item->state == ITEM_OPEN && worker->job->kind == JOB_PROMOTE)
            promote_decide(worker, item);
        else if (item->state == ITEM_OPEN)
            forward_decide(worker, item);
        pending |= item->state == ITEM_PENDING;
    }
    return pending;
}

void round_begin(struct worker *worker)
{
    transform_changed(worker);
    if (worker->error)
        return;
    if (gather_reads(worker) > 0)
        worker->phase = PHASE_READ;
    else if (!decide_open(worker))
        worker->phase = PHASE_LOOK;
    else
        worker->phase = worker->batch.within ? PHASE_ROOM : PHASE_LOG;
}

/* A key that is about to be written: of an append-only target all that is wanted is. */
static bool will_be_written(const struct worker *worker, const struct item *item)
{
    return worker->job->plan->sink ? item->state != ITEM_ENDED && !item->want_delete : item->state == ITEM_PENDING;
}

/* What the batch's checkpoint is to count, were all of this round applied. */
void round_room(struct worker *worker, struct op *op)
{
    struct batch_work *batch = &worker->batch;
    g_autofree bool *writes = g_new0(bool, batch->rows->len + 1);
    op->kind = OP_ROOM;
    op->room.bytes_read = batch->bytes_read;
    op->room.bytes_written = batch->bytes_written;
    op->room.tally.of[OUTCOME_READ] = batch->rows->len;
    op->room.least = batch->rows->len <= 1;
    op->room.must = batch->has_undo;
    for (size_t i = 0; i < batch->items->len; i++) {
        const struct item *item = batch_item(batch, i);
        bool counts = will_be_written(worker, item) || item->has_ours;
        if (will_be_written(worker, item))
            op->room.bytes_written += item->raw.len;
        if (counts && item->row != ROW_NOBODY)
            writes[item->row] = true;
    }
    for (size_t i = 0; i < batch->rows->len; i++)
        op->room.tally.of[OUTCOME_WRITTEN] += writes[i];
}

/* Whether an earlier item writes the key of this one in this round. */
static bool is_behind_another(const struct batch_work *batch, size_t i)
{
    struct slice key = g_array_index(batch->items, struct item, i).key;
    size_t low = 0, high = batch->order->len;
    while (low < high) {
        size_t middle = (low + high) / 2, at = g_array_index(batch->order, size_t, middle);
        int order = slice_compare(g_array_index(batch->items, struct item, at).key, key);
        if (order == 0)
            return at < i;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

/* What stood there before it is no answer: a record that is made in this round is not one that is gone already. */
static bool was_answered_too_early(struct batch_work *batch, size_t i)
{
    const struct item *item = batch_item(batch, i);
    return item->state == ITEM_ENDED && item->outcome == OUTCOME_UNCHANGED && !batch_row(batch, item->row)->ended &&
           is_behind_another(batch, i);
}

/* Two items of one batch may want the same key; a call takes each key once, so the later one waits for the next round
 * and then looks at what the first one left. Likewise one that found nothing to do. */
static void defer_doubles(struct batch_work *batch)
{
    for (size_t i = 0; i < batch->items->len; i++) {
        struct item *item = batch_item(batch, i);
        bool unsent = item->state == ITEM_PENDING && item->number == 0;
        if (!unsent && !was_answered_too_early(batch, i))
            continue;
        item->state = ITEM_OPEN;
        item->image_known = false;
        item->must_read = true;
    }
}

static struct undo_intent intent_of(const struct item *item)
{
    bool present = item->image.presence == RECORD_PRESENT;
    return (struct undo_intent){.key = item->key,
                                .verb = item->want_delete ? UNDO_DELETE : UNDO_PUT,
                                .pre_present = present,
                                .pre_raw = present ? item->image.raw : SLICE_EMPTY,
                                .pre_expires_at_ms = present ? item->image.expires_at_ms : EXPIRES_NEVER,
                                .written = item->want_delete ? (struct digest){0} : item->written};
}

void round_log(struct worker *worker, struct op *op)
{
    struct batch_work *batch = &worker->batch;
    for (size_t i = 0; i < batch->items->len; i++) {
        batch_item(batch, i)->number = 0;
        batch_item(batch, i)->applied = false;
    }
    batch_select(batch, is_pending, true);
    uint64_t first = worker->next_number;
    g_array_set_size(batch->intents, 0);
    for (size_t i = 0; i < batch->order->len; i++) {
        struct item *item = batch_item(batch, g_array_index(batch->order, size_t, i));
        item->number = worker->next_number++;
        struct undo_intent intent = intent_of(item);
        g_array_append_val(batch->intents, intent);
    }
    defer_doubles(batch);
    op->kind = OP_LOG;
    op->log.batch = (struct undo_batch){.part = worker->grant.part.part,
                                        .lane = worker->lane.lane,
                                        .first_number = first,
                                        .intents = (const struct undo_intent *)(void *)batch->intents->data,
                                        .n = batch->intents->len};
}

void round_logged(struct worker *worker, struct op *op)
{
    if (!worker->batch.has_undo && worker->applied_left == 0) {
        worker->undo_from = op->log.ret;
        worker->owes_tail = false;
    }
    worker->batch.has_undo = true;
    /* Every number before this round has its outcome before this sync in the same log: durable, so the fence may
     * forget. */
    worker->lane.base = worker->next_number - 1 - worker->batch.intents->len;
    worker->phase = PHASE_CAS;
}

void round_cas(struct worker *worker, struct op *op)
{
    struct batch_work *batch = &worker->batch;
    g_array_set_size(batch->ops, 0);
    for (size_t i = 0; i < batch->order->len; i++) {
        const struct item *item = batch_item(batch, g_array_index(batch->order, size_t, i));
        struct cas_op cas = {.key = item->key,
                             .raw = item->raw,
                             .etag = item->image.etag,
                             .expires_at_ms = item->expires_at_ms,
                             .number = item->number,
                             .verb = item->want_delete ? CAS_DELETE : CAS_PUT};
        if (item->image.presence != RECORD_PRESENT)
            cas.etag.len = 0;
        g_array_append_val(batch->ops, cas);
    }
    op->kind = OP_CAS;
    op->cas.lane = worker->lane;
    op->cas.ops = (struct cas_op *)(void *)batch->ops->data;
    op->cas.n = batch->ops->len;
    op->cas.mem = batch->mem;
}

static enum outcome outcome_applied(const struct worker *worker, const struct item *item)
{
    if (worker->job->kind == JOB_BACK)
        return OUTCOME_RESTORED;
    if (worker->job->kind == JOB_PROMOTE)
        return OUTCOME_PROMOTED;
    if (item->only_ours)
        return OUTCOME_GONE;
    return item->want_delete ? OUTCOME_DELETED : OUTCOME_WRITTEN;
}

static void take_applied(struct worker *worker, struct item *item)
{
    item->applied = true;
    item->has_ours = true;
    item->ours = item->want_delete ? (struct digest){0} : item->written;
    worker->batch.any_applied = true;
    worker->batch.bytes_written += item->raw.len;
    set_digest_add(&worker->batch.written, digest_keyed(item->key, item->ours, 0));
    item_end(item, outcome_applied(worker, item));
}

void round_refuse(struct worker *worker, struct item *item, const struct fault *fault)
{
    struct row *row = batch_row(&worker->batch, item->row);
    if (item->row == ROW_NOBODY) {
        struct quarantine_row note = {.key = item->key, .code = SLUICE_ERROR_LEFT, .reason = fault->text};
        g_array_append_val(worker->notes, note);
        item_end(item, OUTCOME_LEFT);
        return;
    }
    if (worker->job->kind == JOB_PROMOTE || worker->job->kind == JOB_BACK) { /* of no source: nothing to retry */
        row->fault = *fault;
        item_end(item, worker->job->kind == JOB_BACK ? OUTCOME_LEFT : OUTCOME_PASSED_OVER);
        return;
    }
    row_refuse(row, fault->code, fault->text);
    item_end(item, OUTCOME_REJECTED);
}

static void take_changed(struct worker *worker, struct item *item, const struct record *live)
{
    if (item->image_known)
        worker->batch.tally.of[OUTCOME_RETRIED]++;
    else /* it was taken to be absent, and nothing has changed */
        worker->batch.met++;
    item_note_present(item);
    item->image = *live;
    item->image_known = live->presence != RECORD_FAULT; /* which is not nothing: a read says what it is */
    item->must_read |= !item->image_known;
    item->state = ITEM_OPEN;
    struct row *row = batch_row(&worker->batch, item->row);
    if (++item->tries >= worker->job->contended_after) {
        struct fault contended = {.code = SLUICE_ERROR_CONTENDED,
                                  .text = "the key changed under sluice again and again; retry it when it is quieter"};
        round_refuse(worker, item, &contended);
        return;
    }
    if (worker->job->kind == JOB_FORWARD && worker->job->rules.same_dataset && live->presence == RECORD_PRESENT) {
        row->rec = *live;
        row->changed = true;
    }
}

static void take_op(struct worker *worker, struct item *item, const struct cas_op *op)
{
    switch (op->outcome) {
    case CAS_WRITTEN:
    case CAS_DONE:
        take_applied(worker, item);
        break;
    case CAS_CHANGED:
        take_changed(worker, item, &op->live);
        break;
    case CAS_REFUSED:
        round_refuse(worker, item, &op->fault);
        forward_take_back(worker, item);
        break;
    case CAS_UNKNOWN:
        item->unknown = true;
        worker->fences_unknown = true;
        break;
    case CAS_FENCED:
        if (!worker->error)
            error_set(&worker->error, SLUICE_ERROR_FENCED, "partition %u: another holder has taken it over",
                      worker->grant.part.part);
        break;
    case CAS_NOT_SENT:
        item->state = ITEM_OPEN;
        break;
    }
}

void round_written(struct worker *worker, struct op *op)
{
    worker->fences_unknown = false;
    for (size_t i = 0; i < op->cas.n; i++)
        take_op(worker, batch_item(&worker->batch, g_array_index(worker->batch.order, size_t, i)), &op->cas.ops[i]);
    if (!op->ok && (worker->error || error_class(op->error) != ERROR_TRANSIENT)) {
        worker_fail(worker, g_steal_pointer(&op->error));
        return;
    }
    if (worker->error) {
        worker_fail(worker, NULL);
        return;
    }
    worker->waits = op->ok ? 0 : worker->waits + 1;
    worker->phase = worker->fences_unknown ? PHASE_FENCE : PHASE_OUTCOME;
}

/* The answers to some writes were lost: the fence, not the values, says which were applied. */
void round_fence(struct worker *worker, const struct fence *fence)
{
    const struct fence_lane *lane = NULL;
    for (size_t i = 0; i < fence->n; i++)
        if (fence->lanes[i].lane == worker->lane.lane)
            lane = &fence->lanes[i];
    bool closed = lane && !lane->open;
    if (!lane || closed || lane->partial) {
        GError *error = NULL;
        error_set(&error, closed ? SLUICE_ERROR_FENCED : SLUICE_ERROR_STORE, "partition %u: its fence is %s",
                  worker->grant.part.part, closed ? "closed: another holder has taken it over" : "lost");
        worker_fail(worker, error);
        return;
    }
    for (size_t i = 0; i < worker->batch.items->len; i++) {
        struct item *item = batch_item(&worker->batch, i);
        if (!item->unknown)
            continue;
        item->unknown = false;
        if (fence_lane_applied(lane, item->number))
            take_applied(worker, item);
        else
            item->state = ITEM_OPEN;
    }
    worker->phase = PHASE_OUTCOME;
}
