/* The forward job: source record → wanted in the target → decision. */
#include "listing/seen.h"
#include "run/worker_state.h"

/* What is read is what is written, and nobody looks into it. */
static bool copies(const struct plan *plan)
{
    const struct spec_source *source = &plan->spec->source;
    return plan->source_ds.in_pieces && !source->where && !source->range.field && !source->version && !source->key.n &&
           plan->spec->target.expires != EXPIRES_FROM;
}

bool forward_open(struct worker *worker, GError **error)
{
    const struct plan *plan = worker->job->plan;
    struct transform_config config = plan_transform(plan, worker->job->run_name);
    worker->copies = copies(plan);
    return transform_new(&worker->transform, &config, error);
}

static void refuse_with(struct worker *worker, struct row *row, GError *error)
{
    const char *text = arena_text(worker->batch.mem, slice_of_text(error->message));
    if (error_class(error) != ERROR_RECORD || !text) {
        worker_fail(worker, error);
        return;
    }
    row_refuse(row, (enum error_code)error->code, text);
    g_error_free(error);
}

/* Same dataset: what a dead holder wrote is not looked at again, whatever stands there now. */
static bool applied_before(struct worker *worker, struct row *row)
{
    const struct applied *applied = worker->job->rules.same_dataset ? tail_claim(worker, row->rec.key) : NULL;
    if (!applied)
        return false;
    if (applied->in_doubt)
        row->fault =
            (struct fault){.code = SLUICE_ERROR_IN_DOUBT, .text = "its fence is lost and the live record is neither"};
    row_end(row, applied->in_doubt              ? OUTCOME_IN_DOUBT
                 : applied->verb == UNDO_DELETE ? OUTCOME_DELETED
                                                : OUTCOME_WRITTEN);
    return true;
}

/* What the application wrote after a run that this one supersedes may rest on what that run wrote: the transform would
 * be applied to it twice. */
static bool left_alone(struct worker *worker, struct row *row)
{
    struct quarantine_row note = {.key = row->rec.key,
                                  .code = SLUICE_ERROR_LEFT,
                                  .reason = "written after the run that this one supersedes: kept live"};
    if (!job_leaves(worker->job, row->rec.key))
        return false;
    g_array_append_val(worker->notes, note);
    row_end(row, OUTCOME_KEPT_LIVE);
    return true;
}

/* What a dead holder wrote for the item. */
static void take_claimed(struct worker *worker, struct item *item, const struct applied *applied)
{
    if (!applied)
        return;
    if (applied->in_doubt)
        item_end(item, OUTCOME_IN_DOUBT);
    else if (!job_looks_again(worker->job))
        item_end(item, applied->verb == UNDO_DELETE ? OUTCOME_DELETED : OUTCOME_WRITTEN);
    item->has_ours = true;
    item->ours = applied->written;
}

/* Of several states of a key each is written, or not: a write of a dead holder is that of the state that wants it. */
static bool each_by_itself(const struct worker *worker)
{
    return worker->job->plan->spec->source.duplicates == DUPLICATES_ALL && !worker->job->rules.same_dataset &&
           !job_looks_again(worker->job);
}

static void claim_same(struct worker *worker, struct item *item)
{
    const struct applied *applied = each_by_itself(worker) ? tail_claim_same(worker, item) : NULL;
    if (!applied)
        return;
    take_claimed(worker, item, applied);
    if (item->outcome != OUTCOME_IN_DOUBT)
        item->outcome = item->want_delete ? OUTCOME_DELETED : OUTCOME_WRITTEN;
}

static struct item *item_of(struct worker *worker, size_t row, struct slice key)
{
    struct batch_work *batch = &worker->batch;
    if (batch_row(batch, row)->n_items > 0)
        for (size_t i = 0; i < batch->items->len; i++)
            if (batch_item(batch, i)->row == row && slice_equal(batch_item(batch, i)->key, key))
                return batch_item(batch, i);
    struct item *item = batch_item_add(batch, row, key);
    if (!worker->job->rules.same_dataset && !each_by_itself(worker))
        take_claimed(worker, item, tail_claim(worker, key));
    return item;
}

static bool expiry_of(struct worker *worker, struct item *item, struct slice document, GError **error)
{
    const struct spec_target *target = &worker->job->plan->spec->target;
    item->expiry_settled = target->expires != EXPIRES_KEEP;
    switch (target->expires) {
    case EXPIRES_KEEP:
    case EXPIRES_NONE:
        item->expires_at_ms = EXPIRES_NEVER;
        return true;
    case EXPIRES_AFTER:
        item->expires_at_ms = worker->job->plan->planned_at_ms + target->expires_after_ms;
        return true;
    case EXPIRES_FROM:
        return version_expiry(target->expires_from, document, &item->expires_at_ms, error);
    }
    return true;
}

/* What has expired before it is written would be gone at once, and of a record that is gone nobody can tell later who
 * took it away: it is a deletion, which the undo log knows for what it is. A shadow's expiries are decided upon when it
 * goes live. */
static void expire(const struct worker *worker, struct item *item)
{
    const struct plan *plan = worker->job->plan;
    if (!item->expiry_settled || plan->write == WRITE_SHADOW || plan->sink || item->expires_at_ms == EXPIRES_NEVER ||
        item->expires_at_ms > worker->now_ms)
        return;
    item->want_delete = true;
    item->raw = SLICE_EMPTY;
}

/* Opens the item again for what is wanted now. NULL: it ended by what the tail says, and stays as it is. */
static struct item *open_item(struct worker *worker, size_t i, struct slice key, bool removes)
{
    const struct row *row = batch_row(&worker->batch, i);
    struct item *item = item_of(worker, i, key);
    if (item->state == ITEM_ENDED && (item->outcome == OUTCOME_IN_DOUBT || !job_looks_again(worker->job)))
        return NULL;
    item->state = ITEM_OPEN;
    item->version = (struct version){0};
    item->want_delete = removes;
    item->only_ours = false;
    if (worker->job->rules.same_dataset) {
        item_note_present(item);
        item->image = row->rec;
        item->image_known = true;
    }
    return item;
}

/* What removes its key leaves nothing there by which an older state, that may come later, could be told to be older. */
static bool may_remove(const struct row *row, GError **error)
{
    return !row->stays || error_set(error, SLUICE_ERROR_UNORDERED, "%s", row->stays);
}

static bool want(struct worker *worker, size_t i, const struct wanted *wanted, bool removes, GError **error)
{
    const struct plan *plan = worker->job->plan;
    const struct row *row = batch_row(&worker->batch, i);
    struct version version = {0};
    if (plan->spec->source.version && !plan->removes &&
        !version_of(plan->spec->source.version, row->document, &version, error))
        return false;
    if (removes && !may_remove(row, error))
        return false;
    struct item *item = open_item(worker, i, wanted->key, removes);
    if (!item)
        return true;
    item->version = version;
    if (removes) {
        claim_same(worker, item);
        return true;
    }
    if (!expiry_of(worker, item, wanted->document, error) ||
        !store_encode(plan->target_driver, &plan->target_ds, wanted->document, worker->batch.mem, &item->raw, error))
        return false;
    expire(worker, item);
    claim_same(worker, item);
    return !item->want_delete || plan->spec->target.expires != EXPIRES_FROM || may_remove(row, error);
}

static void want_all(struct worker *worker, size_t i, const struct transform_result *result)
{
    GError *error = NULL;
    /* There a record keeps its key, and two documents of one key are refused by the transform. */
    g_assert(!worker->job->rules.same_dataset || result->n == 1);
    if (result->list)
        worker->batch.tally.of[OUTCOME_EMITTED] += result->n;
    for (size_t k = 0; k < result->n; k++)
        if (!want(worker, i, &result->wanted[k], result->verdict == TRANSFORM_DELETE, &error)) {
            refuse_with(worker, batch_row(&worker->batch, i), error);
            return;
        }
}

static void take_result(struct worker *worker, size_t i, const struct transform_result *result)
{
    struct row *row = batch_row(&worker->batch, i);
    switch (result->verdict) {
    case TRANSFORM_WANTED:
    case TRANSFORM_DELETE:
        want_all(worker, i, result);
        break;
    case TRANSFORM_FILTERED:
        row_end(row, OUTCOME_FILTERED);
        break;
    case TRANSFORM_REJECTED:
        row_refuse(row, result->reason.code, result->reason.text);
        break;
    }
}

/* Goes again, if it still stands. */
static void take_away(struct item *item)
{
    item->image_known = false;
    item->want_delete = item->only_ours = true;
}

/* A row that is refused or filtered ends with its items; where the source is looked at again, what an earlier look at
 * it or an earlier lane has written goes with it. */
static void end_items(struct worker *worker, size_t i)
{
    const struct row *row = batch_row(&worker->batch, i);
    bool looks = job_looks_again(worker->job);
    if (!row->ended)
        return;
    if (row->n_items == 0 && looks && tail_find(worker, row->rec.key))
        item_of(worker, i, row->rec.key);
    for (size_t k = 0; row->n_items > 0 && k < worker->batch.items->len; k++) {
        struct item *item = batch_item(&worker->batch, k);
        if (item->row != i || item->state == ITEM_ENDED || item->only_ours)
            continue;
        if (looks && item->has_ours)
            take_away(item);
        else
            item_end(item, row->outcome);
    }
}

/* Of the keys that a retry names, each is accounted for by name. */
static void note_gone(struct worker *worker, struct slice key)
{
    struct quarantine_row note = {.key = key,
                                  .code = SLUICE_ERROR_GONE,
                                  .reason = worker->job->plan->retries->report
                                                ? "in the report that this run repairs; not there any more"
                                                : "refused by the run that this one retries; not there any more"};
    g_array_append_val(worker->notes, note);
}

/* Of those that a report names, each that is not repaired is accounted for too. */
static void note_left(struct worker *worker, const struct item *item)
{
    struct quarantine_row note = {.key = item->key,
                                  .code = SLUICE_ERROR_LEFT,
                                  .reason = "not what the verification saw any more: written since, and kept live"};
    if (worker->job->rules.only_seen && !item->has_ours)
        g_array_append_val(worker->notes, note);
}

/* A live source lost the record after a dead holder wrote it: what was written goes again, if it still stands. In the
 * same dataset nothing of it does. */
static void gone_after_write(struct worker *worker, size_t i)
{
    struct row *row = batch_row(&worker->batch, i);
    if (worker->job->plan->retries)
        note_gone(worker, row->rec.key);
    if (!tail_find(worker, row->rec.key)) {
        row_end(row, OUTCOME_GONE);
        return;
    }
    take_away(item_of(worker, i, row->rec.key));
}

void forward_refuse(struct worker *worker, size_t i, const struct fault *fault)
{
    const struct plan *plan = worker->job->plan;
    struct row *row = batch_row(&worker->batch, i);
    row->has_document = store_decode(store_driver(plan->source), &plan->source_ds, row->rec.raw, worker->batch.mem,
                                     &row->document, NULL);
    row_refuse(row, fault->code, fault->text);
}

static void transform_row(struct worker *worker, size_t i)
{
    const struct plan *plan = worker->job->plan;
    struct row *row = batch_row(&worker->batch, i);
    struct arena *mem = worker->batch.mem;
    GError *error = NULL;
    struct transform_result result;
    if (!store_decode(store_driver(plan->source), &plan->source_ds, row->rec.raw, mem, &row->document, &error)) {
        refuse_with(worker, row, error);
        return;
    }
    row->has_document = true;
    if (transform_record(worker->transform, row->rec.key, row->document, mem, &result, &error)) {
        take_result(worker, i, &result);
        return;
    }
    error_add(&error, "record '%.*s'", (int)MIN(row->rec.key.len, (size_t)80), (const char *)row->rec.key.data);
    worker_fail(worker, error);
}

/* As a document it would have to be small enough to be one. */
static bool may_copy(const struct worker *worker, const struct row *row)
{
    enum { FRAME_BYTES = 64 };
    return worker->copies && row->rec.raw.len + FRAME_BYTES <= DOCUMENT_BYTES;
}

static void copy_row(struct worker *worker, size_t i)
{
    GError *error = NULL;
    struct item *item = open_item(worker, i, batch_row(&worker->batch, i)->rec.key, false);
    if (!item)
        return;
    item->raw = batch_row(&worker->batch, i)->rec.raw;
    if (expiry_of(worker, item, SLICE_EMPTY, &error))
        expire(worker, item);
    else
        refuse_with(worker, batch_row(&worker->batch, i), error);
}

void forward_show(struct worker *worker, struct row *row)
{
    const struct plan *plan = worker->job->plan;
    if (worker->copies && !row->has_document && row->rec.presence == RECORD_PRESENT)
        row->has_document = store_decode(store_driver(plan->source), &plan->source_ds, row->rec.raw, worker->batch.mem,
                                         &row->document, NULL);
}

void forward_row(struct worker *worker, size_t i)
{
    struct row *row = batch_row(&worker->batch, i);
    if (applied_before(worker, row) || left_alone(worker, row))
        return;
    if (row->rec.presence == RECORD_ABSENT)
        gone_after_write(worker, i);
    else if (row->rec.presence == RECORD_FAULT)
        row_refuse(row, row->rec.fault.code, row->rec.fault.text);
    else if (may_copy(worker, row))
        copy_row(worker, i);
    else
        transform_row(worker, i);
    end_items(worker, i);
}

/* --- deciding
 * --------------------------------------------------------------------------------------------------------- */

static bool equal_documents(const struct worker *worker, const struct item *item)
{
    const struct plan *plan = worker->job->plan;
    struct slice live, wanted;
    struct digest a, b;
    return store_decode(plan->target_driver, &plan->target_ds, item->image.raw, worker->batch.mem, &live, NULL) &&
           store_decode(plan->target_driver, &plan->target_ds, item->raw, worker->batch.mem, &wanted, NULL) &&
           digest_canonical(live, 0, &a, NULL) && digest_canonical(wanted, 0, &b, NULL) && digest_equal(a, b);
}

static bool equal_live(const struct worker *worker, const struct item *item)
{
    if (item->want_delete || item->image.expires_at_ms != item->expires_at_ms)
        return false;
    if (slice_equal(item->image.raw, item->raw))
        return true;
    return !worker->job->rules.same_dataset && equal_documents(worker, item);
}

struct version forward_live_version(const struct worker *worker, const struct record *image)
{
    const struct plan *plan = worker->job->plan;
    struct version version = {0}, none = {0};
    struct slice document;
    if (!plan->spec->source.version ||
        !store_decode(plan->target_driver, &plan->target_ds, image->raw, worker->batch.mem, &document, NULL) ||
        !version_of(plan->spec->source.version, document, &version, NULL))
        return none;
    return version;
}

bool forward_by_version(const struct decide_rules *rules)
{
    return !rules->only_seen && !rules->same_dataset && !rules->fill && rules->conflict == DECIDE_NEWER_WINS;
}

/* Whether there stands still what a verification saw. */
static bool is_seen(const struct seen_list *list, const struct item *item)
{
    struct digest stored;
    bool present = item->image.presence == RECORD_PRESENT;
    enum seen_what what = list ? seen_list_find(list, item->key, &stored) : SEEN_NEVER;
    if (what != SEEN_PRESENT)
        return what == SEEN_ABSENT && !present;
    return present && digest_equal(digest_stored(item->image.raw, item->image.expires_at_ms), stored);
}

struct decide_case forward_case(const struct worker *worker, const struct item *item)
{
    bool present = item->image.presence == RECORD_PRESENT;
    struct decide_case of = {.want_delete = item->want_delete,
                             .wanted = item->version,
                             .live_present = present,
                             .equal = present && equal_live(worker, item),
                             .was_present = item->was_present || (item->has_ours && !digest_is_zero(item->ours))};
    if (present && item->has_ours)
        of.ours = digest_equal(digest_stored(item->image.raw, item->image.expires_at_ms), item->ours);
    of.seen = is_seen(worker->job->plan->seen, item);
    if (present && forward_by_version(&worker->job->rules))
        of.live = forward_live_version(worker, &item->image);
    return of;
}

static void note_tie(struct worker *worker, const struct item *item, const struct decide_case *of)
{
    const struct decide_rules *rules = &worker->job->rules;
    if (!of->live_present || !forward_by_version(rules) ||
        version_compare(of->wanted, of->live, rules->skew_ms) != VERSION_TIE)
        return;
    struct quarantine_row note = {.key = item->key,
                                  .code = SLUICE_ERROR_TIE,
                                  .reason = "as old as the live record, with other content; kept live"};
    g_array_append_val(worker->notes, note);
}

/* What the row is counted as when an earlier write of this run to the key stands in the undo log. */
static enum outcome outcome_applied_word(const struct item *item)
{
    return item->want_delete ? OUTCOME_DELETED : OUTCOME_WRITTEN;
}

/* A key that was read and is there no more. What is sure to within the clocks' skew is that its expiry has not passed.
 */
static void count_vanished(struct worker *worker, int64_t expires_at_ms)
{
    bool expired = expires_at_ms != EXPIRES_NEVER && expires_at_ms <= worker->now_ms + worker->job->rules.skew_ms;
    worker->batch.tally.of[expired ? OUTCOME_EXPIRED : OUTCOME_REMOVED]++;
}

bool forward_is_unloggable(const struct worker *worker, const struct item *item)
{
    const struct big_ops *big = worker->job->plan->target_driver->big;
    return item->image.presence == RECORD_PRESENT && big && big->stands_for(item->image.raw);
}

static void refuse_big(struct worker *worker, struct item *item)
{
    row_refuse(batch_row(&worker->batch, item->row), SLUICE_ERROR_TOO_BIG,
               "in the target stands a value that is too big for the undo log: it is not overwritten; remove it there "
               "first, or keep it (conflict: keep-live)");
    item_end(item, OUTCOME_REJECTED);
}

void forward_decide(struct worker *worker, struct item *item)
{
    const struct row *row = batch_row(&worker->batch, item->row);
    if (!item->image_known)
        item->image = (struct record){.presence = RECORD_ABSENT};
    bool present = item->image.presence == RECORD_PRESENT;
    if (!item->expiry_settled && !item->want_delete)
        item->expires_at_ms = present ? item->image.expires_at_ms : row->rec.expires_at_ms;
    struct decide_case of = forward_case(worker, item);
    if (item->only_ours && !of.ours) {
        item_end(item, OUTCOME_GONE);
        return;
    }
    switch (decide(&worker->job->rules, &of)) {
    case DECISION_WRITE:
    case DECISION_DELETE:
        if (!of.ours && forward_is_unloggable(worker, item)) { /* what this run has put there itself goes again */
            refuse_big(worker, item);
            break;
        }
        item->written = digest_stored(item->raw, item->expires_at_ms);
        item->state = ITEM_PENDING;
        break;
    case DECISION_UNCHANGED:
        item_end(item, item->has_ours ? outcome_applied_word(item) : OUTCOME_UNCHANGED);
        break;
    case DECISION_KEPT_LIVE:
        note_tie(worker, item, &of);
        note_left(worker, item);
        if (!present && item->was_present && !item->has_ours)
            count_vanished(worker, item->seen_expires_at_ms);
        item_end(item, item->has_ours ? outcome_applied_word(item) : OUTCOME_KEPT_LIVE);
        break;
    }
}

void forward_take_back(struct worker *worker, struct item *item)
{
    if (!job_looks_again(worker->job) || !item->has_ours || item->want_delete)
        return;
    item->state = ITEM_OPEN;
    take_away(item);
}

static void claim_all(struct worker *worker, struct slice key)
{
    while (tail_claim(worker, key))
        ;
}

/* Of a key that no record wants any more. */
static void note_doubt(struct worker *worker, struct slice key)
{
    struct quarantine_row note = {
        .key = key, .code = SLUICE_ERROR_IN_DOUBT, .reason = error_row(SLUICE_ERROR_IN_DOUBT)->words};
    g_array_append_val(worker->notes, note);
}

void forward_take_left(struct worker *worker)
{
    GHashTableIter iter;
    gpointer value;
    if (!job_looks_again(worker->job) || worker->applied_left == 0)
        return;
    g_hash_table_iter_init(&iter, worker->applied);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const struct applied *applied = value;
        if (!applied->left || applied->met)
            continue;
        claim_all(worker, applied->key);
        if (applied->in_doubt) {
            note_doubt(worker, applied->key);
            continue;
        }
        struct item *item = batch_item_add(&worker->batch, ROW_NOBODY, applied->key);
        item->has_ours = true;
        item->ours = applied->written;
        take_away(item);
    }
}

/* --- looking again
 * ---------------------------------------------------------------------------------------------------- */

void forward_looked(struct worker *worker, size_t i, const struct record *now)
{
    struct row *row = batch_row(&worker->batch, i);
    bool same = now->presence == row->rec.presence && now->expires_at_ms == row->rec.expires_at_ms &&
                slice_equal(now->raw, row->rec.raw);
    row->looks++;
    if (same)
        return;
    if (now->presence == RECORD_ABSENT)
        count_vanished(worker, row->rec.expires_at_ms);
    for (size_t k = 0; k < worker->batch.items->len; k++) {
        struct item *item = batch_item(&worker->batch, k);
        if (item->row != i || !item->has_ours)
            continue;
        item->state = ITEM_OPEN;
        take_away(item); /* unless it is wanted again below */
    }
    row->rec = *now;
    if (now->presence != RECORD_ABSENT) /* what cannot be read is refused by name */
        forward_row(worker, i);
}
