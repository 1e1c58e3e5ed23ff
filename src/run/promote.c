/* The promote job: a key of the shadow → its record goes live, or is passed over. */
#include "run/worker_state.h"

#define PASSED(text) ((struct fault){SLUICE_ERROR_PASSED_OVER, text})

static void pass_over(struct worker *worker, struct item *item, const char *text)
{
    batch_row(&worker->batch, item->row)->fault = PASSED(text);
    item_end(item, OUTCOME_PASSED_OVER);
}

/* How far an expiry may lie from the one of the digest. A record that never expires does so wherever it is moved. */
static int64_t drift_ms(const struct worker *worker, int64_t expires_at_ms)
{
    return expires_at_ms == EXPIRES_NEVER ? 0 : worker->job->plan->target_driver->shadow->drift_ms;
}

/* What the shadow holds must be what the run wrote there. Of its expiry the digest in the undo log is the truth: a
 * store that moves records between its servers may have changed it a little, and it is put right here. */
static bool is_whole(const struct worker *worker, struct row *row)
{
    if (digest_is_zero(row->must))
        return true;
    return row->rec.presence == RECORD_PRESENT &&
           digest_stored_near(row->rec.raw, row->rec.expires_at_ms, drift_ms(worker, row->rec.expires_at_ms), row->must,
                              &row->rec.expires_at_ms);
}

/* By a dead holder: a write of this run, and counted as one. */
static void promoted_before(struct worker *worker, struct item *item, const struct applied *applied)
{
    set_digest_add(&worker->batch.written, digest_keyed(item->key, applied->written, 0));
    item_end(item, OUTCOME_PROMOTED);
}

void promote_row(struct worker *worker, size_t i)
{
    struct row *row = batch_row(&worker->batch, i);
    struct item *item = batch_item_add(&worker->batch, i, row->rec.key);
    const struct applied *applied = tail_claim(worker, row->rec.key);
    item->raw = row->rec.raw;
    item->want_delete = digest_is_zero(row->must);
    item->expires_at_ms = row->rec.expires_at_ms;
    item->must_read = true;
    if (applied && applied->in_doubt)
        pass_over(worker, item, "its fence is lost and the live record is neither");
    else if (applied)
        promoted_before(worker, item, applied);
    else if (!is_whole(worker, row))
        pass_over(worker, item, "its record in the shadow is lost, or is not what the run wrote there");
    else if (!item->want_delete)
        item->version = forward_live_version(worker, &row->rec);
}

static bool keeps_expiry(const struct worker *worker)
{
    return worker->job->plan->spec->target.expires == EXPIRES_KEEP;
}

/* Decided now: with `keep` it is the live record's, as in place; one that has passed is a record that is gone. */
static void settle_expiry(struct worker *worker, struct item *item)
{
    const struct row *row = batch_row(&worker->batch, item->row);
    if (digest_is_zero(row->must))
        return;
    item->expires_at_ms = keeps_expiry(worker) && item->image.presence == RECORD_PRESENT ? item->image.expires_at_ms
                                                                                         : row->rec.expires_at_ms;
    item->want_delete = item->expires_at_ms != EXPIRES_NEVER && item->expires_at_ms <= worker->now_ms;
}

/* Where the live record's expiry is kept, one that the store has changed a little by moving the record is still its
 * own; where another takes its place, it may be the application that has just renewed it. */
static bool stands_as_noted(const struct worker *worker, const struct row *row, const struct record *image)
{
    int64_t was_ms, within_ms = keeps_expiry(worker) ? drift_ms(worker, image->expires_at_ms) : 0;
    if (image->presence != RECORD_PRESENT)
        return digest_is_zero(row->noted);
    return digest_stored_near(image->raw, image->expires_at_ms, within_ms, row->noted, &was_ms);
}

static struct decide_case case_of(struct worker *worker, const struct item *item)
{
    struct decide_case of = forward_case(worker, item);
    const struct row *row = batch_row(&worker->batch, item->row);
    of.was_present = item->was_present || !digest_is_zero(row->noted);
    of.ours = stands_as_noted(worker, row, &item->image);
    of.equal = of.live_present && !item->want_delete && item->image.expires_at_ms == item->expires_at_ms &&
               slice_equal(item->image.raw, item->raw);
    return of;
}

/* Where the live record is what it was when the shadow's was written, that was decided upon then. Elsewhere the policy
 * decides again; an expired or deleted record stays so. */
void promote_decide(struct worker *worker, struct item *item)
{
    settle_expiry(worker, item);
    struct decide_case of = case_of(worker, item);
    if (!of.live_present && item->want_delete) {
        item_end(item, OUTCOME_PROMOTED);
        return;
    }
    switch (decide(&worker->job->rules, &of)) {
    case DECISION_WRITE:
    case DECISION_DELETE:
        if (forward_is_unloggable(worker, item)) {
            pass_over(worker, item, "a value too big for the undo log stands there by now: it is not overwritten");
            break;
        }
        item->written = digest_stored(item->raw, item->expires_at_ms);
        item->state = ITEM_PENDING;
        break;
    case DECISION_UNCHANGED:
        item_end(item, OUTCOME_PROMOTED);
        break;
    case DECISION_KEPT_LIVE:
        pass_over(worker, item,
                  of.live_present
                      ? "the application has written the record since its shadow was written: kept live"
                      : "the record was deleted or has expired since its shadow was written: not brought back");
        break;
    }
}
