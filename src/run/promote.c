/* The promote job: a key of the shadow → its record goes live, or is passed over. */
#include "run/worker_state.h"

#define PASSED(text) ((struct fault){SLUICE_ERROR_PASSED_OVER, text})

static void pass_over(struct worker *worker, struct item *item, const char *text)
{
    batch_row(&worker->batch, item->row)->fault = PASSED(text);
    item_end(item, OUTCOME_PASSED_OVER);
}

/* What the shadow holds must be what the run wrote there. */
static bool is_whole(const struct row *row)
{
    if (digest_is_zero(row->must))
        return true;
    return row->rec.presence == RECORD_PRESENT &&
           digest_equal(digest_stored(row->rec.raw, row->rec.expires_at_ms), row->must);
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
    else if (!is_whole(row))
        pass_over(worker, item, "its record in the shadow is lost, or is not what the run wrote there");
    else if (!item->want_delete)
        item->version = forward_live_version(worker, &row->rec);
}

/* Decided now: with `keep` it is the live record's, as in place; one that has passed is a record that is gone. */
static void settle_expiry(struct worker *worker, struct item *item)
{
    const struct row *row = batch_row(&worker->batch, item->row);
    bool keep = worker->job->plan->spec->target.expires == EXPIRES_KEEP;
    if (digest_is_zero(row->must))
        return;
    item->expires_at_ms =
        keep && item->image.presence == RECORD_PRESENT ? item->image.expires_at_ms : row->rec.expires_at_ms;
    item->want_delete = item->expires_at_ms != EXPIRES_NEVER && item->expires_at_ms <= worker->now_ms;
}

static bool stands_as_noted(const struct row *row, const struct record *image)
{
    if (image->presence != RECORD_PRESENT)
        return digest_is_zero(row->noted);
    return digest_equal(digest_stored(image->raw, image->expires_at_ms), row->noted);
}

static struct decide_case case_of(struct worker *worker, const struct item *item)
{
    struct decide_case of = forward_case(worker, item);
    const struct row *row = batch_row(&worker->batch, item->row);
    of.was_present = item->was_present || !digest_is_zero(row->noted);
    of.ours = stands_as_noted(row, &item->image);
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
