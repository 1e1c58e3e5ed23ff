/* The engine's protocol core: what one worker does, as a table of phases.
 *
 * Pure: worker_next() says what is wished, an executor performs it, worker_done() takes what came of it. No clock, no
 * I/O; memory only from the worker's arenas and arrays. The same object code runs under threads and in the simulation,
 * where dropping a worker between any two steps is a death at that place.
 *
 * One batch: scan → transform → (read) → decide → log → cas → outcome → … again for what changed meanwhile … → (look
 * again) → refuse → settle → checkpoint. The order of the durable steps is the protocol:
 *
 *   intents durable  <  cas  <  outcomes appended  <  store settled  <  checkpoint committed
 *
 * Died before the checkpoint: the next holder's lane-open closes ours, the fence and the undo log's tail say exactly
 * which writes were applied, and those are counted, not repeated. */
#pragma once

#include "run/job.h"
#include "run/op.h"

struct worker;

struct worker *worker_new(const struct job *job, uint32_t stage);
void worker_free(struct worker *worker);
AUTO_DEFINE(worker, worker_free)

/* Fills in the next step. OP_END: nothing more will come. */
void worker_next(struct worker *worker, struct op *ret);
void worker_done(struct worker *worker, struct op *op);

/* From now on no new batch is begun: the one in flight is finished and checkpointed. Same thread as the steps. */
void worker_stop(struct worker *worker);

/* Why it ended, when it did not end well; NULL. Valid until worker_free(). */
const GError *worker_error(const struct worker *worker);

/* What it has done, for progress: the checkpointed part and the batch in flight. */
const struct tally *worker_tally(const struct worker *worker);
