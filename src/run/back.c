/* The back job: one chain of the undo log → the pre-image goes back, or the key is left alone. */
#include "run/worker_state.h"

void back_row(struct worker *worker, size_t i)
{
    struct row *row = batch_row(&worker->batch, i);
    struct item *item = batch_item_add(&worker->batch, i, row->rec.key);
    const struct applied *applied = tail_claim(worker, row->rec.key);
    bool expired = row->rec.expires_at_ms != EXPIRES_NEVER && row->rec.expires_at_ms <= worker->now_ms;
    item->raw = row->rec.raw;
    item->want_delete = row->rec.presence != RECORD_PRESENT || expired;
    item->expires_at_ms = row->rec.expires_at_ms;
    item->written = digest_stored(item->raw, item->expires_at_ms);
    item->must_read = true;
    if (applied)
        item_end(item, applied->in_doubt ? OUTCOME_LEFT : OUTCOME_RESTORED);
}

/* What the run left still stands: take it back. Anything else: the application has written since. A record that has
 * expired, like the pre-image that would have gone back, needs nothing. */
void back_decide(struct worker *worker, struct item *item)
{
    const struct row *row = batch_row(&worker->batch, item->row);
    bool present = item->image.presence == RECORD_PRESENT;
    bool stands = present ? digest_equal(digest_stored(item->image.raw, item->image.expires_at_ms), row->must)
                          : digest_is_zero(row->must);
    bool both_expired = !present && item->want_delete && row->rec.presence == RECORD_PRESENT;
    if ((stands && !present && item->want_delete) || (!stands && both_expired))
        item_end(item, OUTCOME_RESTORED);
    else if (stands)
        item->state = ITEM_PENDING;
    else
        item_end(item, OUTCOME_LEFT);
}
