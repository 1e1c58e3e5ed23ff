#include "run/exec.h"

#include "base/int.h"
#include "base/retry.h"
#include "run/again.h"
#include "run/feed.h"

struct exec {
    struct exec_shared *shared;
    struct session *source, *target;
    struct feed *feed;
    struct glance *glance; /* NULL: not yet, or nobody looks */
    uint32_t part, lane;   /* the one that is worked on, and its grant's lane */
    enum share share;      /* what it counts as in shared->sharing */
    struct crowd_member crowd;
    struct lookout_part seen; /* what was done for the partition: in shared->lookout, under its lock */
    int64_t off_us;           /* of the step: it waited so long */
    struct dataset written;   /* what the run's stages write */
    struct arena *scratch;
    GByteArray *moment; /* of the source, before the batch was read; empty: nobody can tell what was changed since */
    uint32_t restless;  /* so many batches are not asked for theirs: the source is being written */
    char *history; /* who had the target's data when the lane was opened, or at the last settle; NULL: it cannot tell */
    int64_t ended_us;        /* the step before; 0: none */
    int64_t cpu_ns;          /* the thread's, accounted for so far */
    struct budget_room room; /* of the budget, reserved for the batch */
    uint64_t fence_ns;       /* of it, what the target's session has spent on fences so far */
};

enum { RESTLESS = 16 };

#define SEQUENCE_BLOCK  (UINT64_C(1) << 20)
#define RETRY_BUDGET_US (INT64_C(30) * 1000 * 1000)

void exec_shared_init(struct exec_shared *shared)
{
    pthread_mutex_init(&shared->sequences.lock, NULL);
    rate_init(&shared->rate);
    limits_init(&shared->limits);
    budget_init(&shared->budget);
    catalog_together_init(&shared->together);
    sharing_init(&shared->sharing);
    crowd_init(&shared->crowd);
    lookout_init(&shared->lookout);
}

void exec_shared_done(struct exec_shared *shared)
{
    pthread_mutex_destroy(&shared->sequences.lock);
    rate_done(&shared->rate);
    limits_done(&shared->limits);
    budget_done(&shared->budget);
    catalog_together_done(&shared->together);
    sharing_done(&shared->sharing);
    crowd_done(&shared->crowd);
    lookout_done(&shared->lookout);
    g_clear_pointer(&shared->glances, glances_free);
}

bool exec_new(struct exec **ret, struct exec_shared *shared, GError **error)
{
    auto_(exec) exec = g_new0(struct exec, 1);
    const struct plan *plan = shared->job->plan;
    exec->shared = shared;
    sharing_be(&shared->sharing, &exec->share, SHARE_WORK);
    exec->scratch = arena_new(1 << 20);
    exec->moment = g_byte_array_new();
    exec->written = plan_written_ds(plan);
    if (!catalog_together_open(&shared->together, shared->world, shared->home, error) ||
        !store_session_open(&exec->target, plan->target, error) ||
        (shared->job->kind == JOB_FORWARD && !store_session_open(&exec->source, plan->source, error)))
        return false;
    struct feed_config config = {
        .world = shared->world, .job = shared->job, .source = exec->source, .undo_config = shared->undo_config};
    if (shared->job->kind == JOB_PROMOTE)
        config.source = exec->target;
    exec->feed = feed_new(&config);
    exec->crowd =
        (struct crowd_member){.crowd = &shared->crowd, .plan = plan, .world = shared->world, .source = exec->source};
    *ret = g_steal_pointer(&exec);
    return true;
}

static void room_give(struct exec *exec, const struct budget_room *used)
{
    budget_give(&exec->shared->budget, &exec->room, used);
    exec->room = (struct budget_room){0};
}

void exec_free(struct exec *exec)
{
    if (!exec)
        return;
    room_give(exec, NULL);
    sharing_be(&exec->shared->sharing, &exec->share, SHARE_NOTHING);
    lookout_end(&exec->shared->lookout, &exec->seen, world_monotonic_us(exec->shared->world));
    crowd_leave(&exec->crowd);
    g_clear_pointer(&exec->feed, feed_free);
    g_clear_pointer(&exec->glance, glance_free);
    g_clear_pointer(&exec->source, store_session_close);
    g_clear_pointer(&exec->target, store_session_close);
    arena_free(exec->scratch);
    g_byte_array_unref(exec->moment);
    g_free(exec->history);
    g_free(exec);
}

static struct call call_of(const struct exec *exec, const struct dataset *ds, struct arena *mem)
{
    bool waits = govern_paces(exec->shared->govern); /* as long as its pace makes it: that is not the servers' fault */
    return (struct call){.deadline_us =
                             waits ? 0 : world_monotonic_us(exec->shared->world) + exec->shared->call_timeout_us,
                         .stop = exec->shared->stop,
                         .ds = ds,
                         .mem = mem};
}

static struct call target_call(const struct exec *exec, struct arena *mem)
{
    bool forward = exec->part < UNDO_ROLLBACK_PART;
    return call_of(exec, forward ? &exec->written : &exec->shared->job->plan->target_ds, mem);
}

static struct call source_call(const struct exec *exec, struct arena *mem)
{
    bool promotes = exec->shared->job->kind == JOB_PROMOTE;
    return call_of(exec, promotes ? &exec->written : &exec->shared->job->plan->source_ds, mem);
}

/* --- one function a step
 * ---------------------------------------------------------------------------------------------- */

static bool do_grant(struct exec *exec, struct op *op, GError **error)
{
    struct undo_position here = undo_here(exec->shared->undo);
    struct grant_wish wish = {.run = exec->shared->job->run,
                              .stage = op->grant.stage,
                              .kind = exec->shared->job->parts,
                              .only_resumed = exec->shared->job->kind == JOB_SETTLE,
                              .anew = op->grant.anew,
                              .part = op->grant.part,
                              .holder = exec->shared->holder,
                              .here = {here.segment, here.offset},
                              .burden = crowd_matters(&exec->crowd) ? crowd_burden : NULL,
                              .self = &exec->crowd};
    struct grant grant = {0};
    struct catalog_entry entry = {.wish = &wish, .mem = op->grant.mem, .ret = &grant};
    uint64_t added = sharing_added(&exec->shared->sharing);
    if (!op->grant.anew)
        crowd_go(&exec->crowd, NULL);
    wish.content = crowd_fewest(&exec->crowd);
    if (!catalog_together_commit(&exec->shared->together, &entry, error))
        return false;
    if (!grant.resumed)
        grant.from = wish.here;
    op->grant.ret = grant;
    exec->part = grant.part.part;
    exec->lane = grant.part.lane;
    if (exec->part != UINT32_MAX && !op->grant.anew)
        crowd_go(&exec->crowd, &grant.part);
    lookout_take(&exec->shared->lookout, &exec->seen, &grant, world_monotonic_us(exec->shared->world));
    if (exec->part != UINT32_MAX && grant.part.parent != UINT32_MAX && !grant.resumed)
        sharing_take(&exec->shared->sharing);
    if (exec->part == UINT32_MAX)
        sharing_none(&exec->shared->sharing, added);
    return true;
}

static bool do_idle(struct exec *exec, struct op *op, GError **error)
{
    op->idle.answer = sharing_wait(&exec->shared->sharing, &exec->share);
    return true;
}

/* A process that sleeps between the grant and here may find a store in which its lane can be opened although another
 * holder is at work: the other's lanes are those that the store has seen, and none is left of a run that is over. The
 * catalog knows. */
static bool grant_stands(struct exec *exec, GError **error)
{
    struct grant_held held = {
        .run = exec->shared->job->run, .part = exec->part, .lane = exec->lane, .holder = exec->shared->holder};
    bool stands = catalog_grant_stands(catalog_together_take(&exec->shared->together), &held, error);
    catalog_together_give(&exec->shared->together);
    return stands;
}

/* --- who has the data: the same servers from before the first write to behind its settle, each with a witness, and
 * written down with the checkpoint, so that a later look tells whether any of it can be lost ------------------------
 */

static bool has_history(const struct exec *exec)
{
    return store_driver(exec->shared->job->plan->target)->history != NULL;
}

static struct slice history_was(const struct exec *exec)
{
    return exec->history ? slice_of_text(exec->history) : SLICE_EMPTY;
}

static bool note_history(struct exec *exec, const struct call *call, const struct witness *witness, struct slice was,
                         GError **error)
{
    const char *now;
    if (!has_history(exec))
        return true;
    if (!store_history_note(exec->target, call, witness, was, &now, error))
        return false;
    g_free(exec->history);
    exec->history = g_strdup(now);
    return true;
}

static bool lane_stands(const struct fence *fence, uint32_t lane)
{
    for (size_t i = 0; i < fence->n; i++)
        if (fence->lanes[i].lane == lane)
            return fence->lanes[i].open;
    return false;
}

/* Where the first answer was lost, the fence tells whether the lane is open: the store takes each lane once. It shows
 * what it showed before, and our own lane, in which nothing is written yet. */
static bool open_lane(struct exec *exec, const struct call *call, struct op *op, GError **error)
{
    if (op->lane.sent && !store_fence_read(exec->target, call, &op->lane.lane.fence, &op->lane.ret, error))
        return false;
    if (op->lane.sent && lane_stands(&op->lane.ret, op->lane.lane.lane))
        return true;
    op->lane.sent = true;
    struct lane lane = op->lane.lane;
    lane.near = crowd_near(&exec->crowd);
    return store_lane_open(exec->target, call, &lane, &op->lane.ret, error);
}

/* Noted before, so that what is read of fences is of these servers; and behind it, when the run is this process's. Of a
 * first lane's partition there are no fences, and no checkpoint: who has no part in it is not asked. */
static bool do_lane_open(struct exec *exec, struct op *op, GError **error)
{
    struct call call = target_call(exec, op->lane.mem);
    struct witness none = {.fence = op->lane.lane.fence};
    if (op->lane.lane.lane == 1)
        none.near = crowd_near(&exec->crowd);
    g_autoptr(GError) failed = NULL;
    if (!grant_stands(exec, error) || /* so that who has slept for long disturbs nobody */
        !note_history(exec, &call, &none, SLICE_EMPTY, error) || !open_lane(exec, &call, op, error) ||
        !grant_stands(exec, error))
        return false;
    if (note_history(exec, &call, &none, history_was(exec), &failed))
        return true;
    bool replaced = error_is(failed, SLUICE_ERROR_UNSETTLED); /* nothing was written yet: once more */
    return error_set(error, replaced ? SLUICE_ERROR_UNREACHABLE : (enum error_code)failed->code, "%s", failed->message);
}

static bool do_tail(struct exec *exec, struct op *op, GError **error)
{
    return undo_tail_read(&op->tail.ret, exec->shared->undo_config, op->tail.part, op->tail.from, op->tail.mem, error);
}

static bool do_cut(struct exec *exec, struct op *op, GError **error)
{
    return quarantine_cut_durable(exec->shared->quarantine, &op->cut.mark, 1, error) &&
           quarantine_cut_durable(exec->shared->notes, &op->cut.mark, 1, error);
}

static bool do_open(struct exec *exec, struct op *op, GError **error)
{
    return feed_open(exec->feed, op->open.part, op->open.cursor, error);
}

/* --- waiting ------------------------------------------------------------------------------------------------------ */

static bool is_stopped(const struct exec *exec)
{
    return exec->shared->stop && atomic_load(exec->shared->stop);
}

/* Whoever is told to stop wakes at once, however long it was to be. */
static void sleep_us(struct exec *exec, int64_t us)
{
    const struct exec_shared *shared = exec->shared;
    world_sleep_us(shared->world, us, shared->stop);
}

/* For the rate or the budget. */
static void wait_off(struct exec *exec, int64_t us)
{
    sleep_us(exec, us);
    exec->off_us += us;
    lookout_waited(&exec->shared->lookout, &exec->seen, us);
}

/* What is left undone is done again from the last checkpoint, as after a death. */
static bool give_up(struct op *op)
{
    op->given_up = true;
    return false;
}

/* So soon another limit is heeded: the later, the longer the wait is. */
#define RATE_LOOK_US      (INT64_C(50) * 1000)
#define RATE_LOOK_MOST_US (INT64_C(1000) * 1000)
#define RATE_LOOKS        64

static int64_t rate_left(struct exec_shared *shared, double turn)
{
    return rate_left_us(&shared->rate, limits_rate_per_s(&shared->limits), turn, world_monotonic_us(shared->world));
}

/* False: it is to stop, and nothing of the batch goes. */
static bool rate_wait(struct exec *exec, size_t n)
{
    struct exec_shared *shared = exec->shared;
    double per_s = limits_rate_per_s(&shared->limits);
    double turn = rate_take(&shared->rate, per_s, n, world_monotonic_us(shared->world));
    int64_t left_us = rate_left(shared, turn);
    bool waits = left_us > 0;
    for (; left_us > 0 && !is_stopped(exec); left_us = rate_left(shared, turn)) {
        int64_t look_us = CLAMP(left_us / RATE_LOOKS, RATE_LOOK_US, RATE_LOOK_MOST_US);
        wait_off(exec, MIN(left_us, look_us));
        atomic_store(&shared->rate.waited_ms, world_wall_ms(shared->world));
    }
    bool stopped = waits && is_stopped(exec);
    if (stopped)
        rate_give(&shared->rate, n);
    return !stopped;
}

/* --- records ------------------------------------------------------------------------------------------------------ */

#define ROOM_WAIT_US 2000

/* A batch that came to nothing has its room still. */
static enum budget_answer room_take(struct exec *exec, struct op_scan *scan)
{
    struct exec_shared *shared = exec->shared;
    struct spec_budget limit = limits_budget(&shared->limits);
    struct budget_room room = {.records = scan->max_records, .bytes = scan->max_bytes};
    if (shared->job->kind != JOB_FORWARD)
        return BUDGET_TAKEN;
    scan->within = limit.bytes || limit.cost;
    room_give(exec, NULL);
    enum budget_answer answer = budget_take(&shared->budget, &limit, world_monotonic_us(shared->world), &room);
    if (answer == BUDGET_TAKEN) {
        exec->room = room;
        scan->max_records = room.records;
        scan->max_bytes = room.bytes;
    } else if (answer == BUDGET_LATER) {
        wait_off(exec, ROOM_WAIT_US);
    }
    return answer;
}

static double cost_of(struct exec *exec, const struct tally *tally, uint64_t bytes_read, uint64_t bytes_written)
{
    struct money_rates rates = limits_rates(&exec->shared->limits);
    return (double)outlay_cost_of(tally, bytes_read, bytes_written, &rates);
}

/* What the batch may need was reserved; what it does need is known now. */
static bool do_room(struct exec *exec, struct op *op, GError **error)
{
    struct budget *budget = &exec->shared->budget;
    struct spec_budget limit = limits_budget(&exec->shared->limits);
    struct budget_room need = {.bytes = op->room.bytes_written,
                               .cost = cost_of(exec, &op->room.tally, op->room.bytes_read, op->room.bytes_written)};
    op->room.answer = budget_fit(budget, &limit, &need, op->room.must, &exec->room);
    if (op->room.answer == BUDGET_LATER)
        wait_off(exec, ROOM_WAIT_US);
    else if (op->room.answer == BUDGET_SPENT && op->room.least)
        budget_end_before(budget, &need);
    return true;
}

/* --- whether the source was changed at all since a batch was read: where it was not, nobody need look again ---------
 */

/* What cannot be told just now is looked at. */
static bool moment_of(struct exec *exec, struct arena *mem, struct slice *ret, GError **error)
{
    struct call call = source_call(exec, mem);
    g_autoptr(GError) failed = NULL;
    *ret = SLICE_EMPTY;
    if (store_moment(exec->source, &call, ret, &failed))
        return true;
    *ret = SLICE_EMPTY;
    if (error_class(failed) != ERROR_FATAL)
        return true;
    g_propagate_error(error, g_steal_pointer(&failed));
    return false;
}

static bool note_moment(struct exec *exec, struct arena *mem, GError **error)
{
    struct slice moment;
    g_byte_array_set_size(exec->moment, 0);
    if (!job_looks_again(exec->shared->job))
        return true;
    if (exec->restless > 0) {
        exec->restless--;
        return true;
    }
    if (!moment_of(exec, mem, &moment, error))
        return false;
    put_bytes(exec->moment, moment);
    if (moment.len == 0)
        exec->restless = RESTLESS;
    return true;
}

static bool is_unmoved(struct exec *exec, struct arena *mem, bool *ret, GError **error)
{
    struct slice now, then = slice_of(exec->moment->data, exec->moment->len);
    *ret = false;
    if (then.len == 0)
        return true;
    if (!moment_of(exec, mem, &now, error))
        return false;
    *ret = slice_equal(then, now);
    exec->restless = *ret ? 0 : RESTLESS;
    return true;
}

/* As the limits stand now: what was set since the run was planned, or slowed, holds for the next batch. */
static size_t most_of_a_batch(struct exec *exec)
{
    return job_batch_records(limits_rate_per_s(&exec->shared->limits), govern_paces(exec->shared->govern));
}

static bool do_scan(struct exec *exec, struct op *op, GError **error)
{
    op->scan.max_records = MIN(op->scan.max_records, most_of_a_batch(exec));
    op->scan.budget = room_take(exec, &op->scan);
    if (op->scan.budget != BUDGET_TAKEN)
        return true;
    if (!note_moment(exec, op->scan.mem, error))
        return false;
    struct call call = source_call(exec, op->scan.mem);
    call.no_etag = !exec->shared->job->rules.same_dataset; /* else what is read is what is written over */
    return feed_next(exec->feed, &call, &op->scan, error);
}

static bool do_read(struct exec *exec, struct op *op, GError **error)
{
    struct call call = target_call(exec, op->read.mem);
    return store_read(exec->target, &call, op->read.io, op->read.n, error);
}

static bool do_look(struct exec *exec, struct op *op, GError **error)
{
    struct call call = source_call(exec, op->read.mem);
    call.small = op->read.small;
    call.no_etag = true;
    if (op->read.n == 0)
        return true;
    if (!is_unmoved(exec, op->read.mem, &op->read.unmoved, error))
        return false;
    return op->read.unmoved || store_read(exec->source, &call, op->read.io, op->read.n, error);
}

static bool sequences_take(struct exec *exec, uint64_t n, uint64_t *ret, GError **error)
{
    struct sequences *sequences = &exec->shared->sequences;
    auto_hold(&sequences->lock);
    if (sequences->end - sequences->next < n) {
        uint64_t block = MAX(SEQUENCE_BLOCK, n);
        struct catalog *catalog = catalog_together_take(&exec->shared->together);
        bool ok = catalog_sequences_take(catalog, exec->shared->job->run, block, &sequences->next, error);
        catalog_together_give(&exec->shared->together);
        if (!ok)
            return false;
        sequences->end = sequences->next + block;
    }
    *ret = sequences->next;
    sequences->next += n;
    return true;
}

/* The verifier looks at what is about to be written, behind the run's own read of it. */
static bool let_look(struct exec *exec, const struct undo_batch *batch, GError **error)
{
    struct glances *glances = exec->shared->glances;
    if (!glances || exec->shared->job->kind != JOB_FORWARD)
        return true;
    if (!exec->glance)
        exec->glance = glance_new(glances);
    for (size_t i = 0; i < batch->n; i++) {
        struct undo_nth place = {.lane = batch->lane, .number = batch->first_number + i};
        glance_add(exec->glance, batch->intents[i].key, &place);
    }
    struct call call = target_call(exec, NULL);
    return glance_take(exec->glance, &call, error);
}

/* For its rate a batch waits before anything of it is written down: given up, it has left nothing. */
static bool do_log(struct exec *exec, struct op *op, GError **error)
{
    if (!rate_wait(exec, op->log.batch.n))
        return give_up(op);
    return let_look(exec, &op->log.batch, error) &&
           sequences_take(exec, op->log.batch.n, &op->log.batch.first_sequence, error) &&
           undo_intents_durable(exec->shared->undo, &op->log.batch, &op->log.ret, error);
}

static bool do_cas(struct exec *exec, struct op *op, GError **error)
{
    struct call call = target_call(exec, op->cas.mem);
    call.from = exec->shared->job->plan->source_ds.in_pieces ? exec->source : NULL;
    call.promotes = exec->shared->job->kind == JOB_PROMOTE ? exec->shared->job->plan->uid : NULL;
    if (is_stopped(exec)) /* while it was logged, which may take long: nothing of it is written */
        return give_up(op);
    return store_cas(exec->target, &call, &op->cas.lane, op->cas.ops, op->cas.n, error);
}

static bool do_fence(struct exec *exec, struct op *op, GError **error)
{
    struct call call = target_call(exec, op->fence.mem);
    return store_fence_read(exec->target, &call, &op->fence.id, &op->fence.ret, error);
}

static bool do_outcome(struct exec *exec, struct op *op, GError **error)
{
    for (size_t i = 0; i < op->outcome.n; i++)
        if (!undo_outcomes(exec->shared->undo, &op->outcome.outcomes[i], error))
            return false;
    return true;
}

static bool refuse_into(struct quarantine *quarantine, const struct quarantine_batch *batch, GError **error)
{
    return batch->n == 0 || (quarantine_append(quarantine, batch, error) && quarantine_sync_durable(quarantine, error));
}

static bool do_refuse(struct exec *exec, struct op *op, GError **error)
{
    return refuse_into(exec->shared->quarantine, &op->refuse.refused, error) &&
           refuse_into(exec->shared->notes, &op->refuse.notes, error);
}

static bool do_sink(struct exec *exec, struct op *op, GError **error)
{
    struct call call = target_call(exec, exec->scratch);
    return (op->sink.n > 0 || grant_stands(exec, error)) &&
           store_sink_write_durable(exec->target, &call, &op->sink.file, op->sink.records, op->sink.n, error);
}

static bool do_publish(struct exec *exec, struct op *op, GError **error)
{
    struct call call = target_call(exec, exec->scratch);
    return grant_stands(exec, error) && store_sink_publish_durable(exec->target, &call, &op->sink.file, error);
}

/* The witness is put before, so that it is as durable as what it stands behind. */
static bool do_settle(struct exec *exec, struct op *op, GError **error)
{
    struct call call = target_call(exec, op->settle.mem);
    const char *now = NULL;
    if (has_history(exec) &&
        !store_history_note(exec->target, &call, &op->settle.witness, history_was(exec), &now, error))
        return false;
    if (!store_settle(exec->target, &call, error))
        return false;
    op->settle.conditions = NULL;
    if (!now)
        return true;
    g_free(exec->history);
    exec->history = g_strdup(now);
    op->settle.conditions = again_conditions(now, op->settle.mem);
    return op->settle.conditions ||
           error_set(error, SLUICE_ERROR_TOO_BIG, "a checkpoint's conditions do not fit into memory");
}

/* Between the look that took checkpoints back and now other servers may have been replaced. */
static bool do_stands(struct exec *exec, struct op *op, GError **error)
{
    struct call call = target_call(exec, exec->scratch);
    struct standing_wish wish = op->stands;
    struct again_asking asking = {.together = &exec->shared->together,
                                  .target = exec->target,
                                  .call = &call,
                                  .uid = exec->shared->job->plan->uid,
                                  .run = exec->shared->job->run,
                                  .part = exec->part};
    return again_where(&asking, wish.where, &wish.where, error) &&
           store_history_stands(exec->target, &call, &wish, error);
}

static bool do_sync(struct exec *exec, struct op *op, GError **error)
{
    return undo_sync_durable(exec->shared->undo, error);
}

/* Asked once a checkpoint: one that is repeated, because its answer was lost, must be the same. */
static void ask_for_split(struct exec *exec, struct op *op)
{
    if (!op->checkpoint.asked && op->checkpoint.may_split_at > 0 && sharing_wants(&exec->shared->sharing))
        op->checkpoint.row.split_at = op->checkpoint.may_split_at;
    op->checkpoint.asked = true;
    op->checkpoint.row.act = exec->shared->act;
}

static void take_split(struct exec *exec, uint64_t at)
{
    if (at == 0)
        return;
    world_point(exec->shared->world, "part.is_split");
    feed_end_at(exec->feed, at);
    sharing_add(&exec->shared->sharing);
}

/* From the grant, or the checkpoint before. */
static int64_t batch_ms(const struct exec *exec)
{
    const struct lookout_part *seen = &exec->seen;
    int64_t from_us = seen->checkpoint_us ? seen->checkpoint_us : seen->began_us;
    return (world_monotonic_us(exec->shared->world) - from_us) / 1000;
}

static bool do_checkpoint(struct exec *exec, struct op *op, GError **error)
{
    ask_for_split(exec, op);
    struct catalog_entry entry = {.checkpoint = &op->checkpoint.row};
    struct checkpoint *row = &op->checkpoint.row;
    const struct tally *tally = &row->tally;
    struct budget_room used = {.records = tally->of[OUTCOME_WRITTEN] + tally->of[OUTCOME_DELETED],
                               .bytes = row->bytes_written,
                               .cost = cost_of(exec, tally, row->bytes_read, row->bytes_written)};
    row->limited_ms = atomic_load(&exec->shared->rate.waited_ms);
    if (exec->shared->job->kind == JOB_FORWARD)
        row->worked_ms += budget_worked_ms(&exec->shared->budget, world_monotonic_us(exec->shared->world));
    row->took_ms = batch_ms(exec);
    if (row->split_at)
        world_point(exec->shared->world, "part.split");
    if (!catalog_together_commit(&exec->shared->together, &entry, error))
        return false;
    lookout_checkpoint(&exec->shared->lookout, &exec->seen, row, world_monotonic_us(exec->shared->world));
    take_split(exec, row->split_at);
    room_give(exec, &used);
    return true;
}

static bool do_wait(struct exec *exec, struct op *op, GError **error)
{
    sleep_us(exec, op->wait.us);
    if (is_stopped(exec))
        return give_up(op);
    return true;
}

static bool do_end(struct exec *exec, struct op *op, GError **error)
{
    return true;
}

static bool (*const STEPS[OP_KIND_COUNT])(struct exec *, struct op *, GError **) = {
    [OP_GRANT] = do_grant,     [OP_LANE_OPEN] = do_lane_open, [OP_TAIL] = do_tail,     [OP_CUT] = do_cut,
    [OP_OPEN] = do_open,       [OP_SCAN] = do_scan,           [OP_READ] = do_read,     [OP_LOOK] = do_look,
    [OP_STANDS] = do_stands,   [OP_ROOM] = do_room,           [OP_LOG] = do_log,       [OP_CAS] = do_cas,
    [OP_FENCE] = do_fence,     [OP_OUTCOME] = do_outcome,     [OP_REFUSE] = do_refuse, [OP_SINK] = do_sink,
    [OP_PUBLISH] = do_publish, [OP_SETTLE] = do_settle,       [OP_SYNC] = do_sync,     [OP_CHECKPOINT] = do_checkpoint,
    [OP_WAIT] = do_wait,       [OP_IDLE] = do_idle,           [OP_END] = do_end,
};

/* Every try is a call; one that failed for good ends the process anyway. */
static void count_call(struct exec *exec, enum op_kind kind, const GError *failed)
{
    if (failed && error_class(failed) == ERROR_TRANSIENT)
        lookout_error(&exec->shared->lookout, &exec->seen, failed);
    if (!op_row(kind)->store)
        return;
    atomic_fetch_add(&exec->shared->calls, 1);
    if (failed && error_class(failed) == ERROR_TRANSIENT)
        atomic_fetch_add(&exec->shared->failed, 1);
}

/* What the store says of a call that was to stop (struct call). */
static bool was_left_out(const struct exec *exec, const GError *failed)
{
    return is_stopped(exec) && error_is(failed, SLUICE_ERROR_CANCELLED);
}

static bool perform_retrying(struct exec *exec, struct op *op, GError **error)
{
    struct retry retry;
    retry_init(&retry, exec->shared->world, RETRY_BUDGET_US);
    for (;;) {
        g_autoptr(GError) failed = NULL;
        int64_t wait_us;
        bool ok = STEPS[op->kind](exec, op, &failed);
        count_call(exec, op->kind, failed);
        if (ok)
            return true;
        if (op->given_up || was_left_out(exec, failed))
            return give_up(op);
        if (!op_row(op->kind)->repeatable || !retry_again(&retry, exec->shared->world, failed, &wait_us)) {
            g_propagate_error(error, g_steal_pointer(&failed));
            return false;
        }
        lookout_again(&exec->shared->lookout, &exec->seen, wait_us);
        exec->off_us += wait_us;
        sleep_us(exec, wait_us);
        if (is_stopped(exec))
            return give_up(op);
    }
}

static uint64_t cpu_since_ns(struct exec *exec)
{
    int64_t now_ns = world_thread_cpu_ns(exec->shared->world), before_ns = exec->cpu_ns;
    exec->cpu_ns = now_ns;
    return (uint64_t)(now_ns - before_ns);
}

void exec_begin(struct exec *exec)
{
    uint64_t since_ns = cpu_since_ns(exec);
    if (exec->ended_us)
        atomic_fetch_add(&exec->shared->core.cpu_ns, since_ns);
}

/* What a driver spent on fences within its writes counts for the fences. */
static void count_cpu(struct exec *exec, enum op_kind kind)
{
    uint64_t all_ns = cpu_since_ns(exec), fences_ns = session_counters(exec->target)->fence_cpu_ns;
    uint64_t fence_ns = MIN(fences_ns - exec->fence_ns, all_ns);
    exec->fence_ns = fences_ns;
    atomic_fetch_add(&exec->shared->times[OP_FENCE].cpu_ns, fence_ns);
    atomic_fetch_add(&exec->shared->times[kind].cpu_ns, all_ns - fence_ns);
}

static void count_time(struct exec *exec, enum op_kind kind, int64_t began_us, int64_t ended_us)
{
    struct step_times *times = &exec->shared->times[kind];
    atomic_fetch_add(&times->calls, 1);
    atomic_fetch_add(&times->busy_us, (uint64_t)(ended_us - began_us));
    if (exec->ended_us) {
        atomic_fetch_add(&exec->shared->core.busy_us, (uint64_t)(began_us - exec->ended_us));
        lookout_stepped(&exec->shared->lookout, &exec->seen, OP_KIND_COUNT, began_us - exec->ended_us);
    }
    lookout_stepped(&exec->shared->lookout, &exec->seen, kind, ended_us - began_us - exec->off_us);
    lookout_step(&exec->shared->lookout, &exec->seen, OP_KIND_COUNT, ended_us);
    exec->off_us = 0;
    exec->ended_us = ended_us;
    count_cpu(exec, kind);
}

void exec_perform(struct exec *exec, struct op *op)
{
    const struct world *world = exec->shared->world;
    int64_t began_us = world_monotonic_us(world);
    arena_reset(exec->scratch);
    lookout_step(&exec->shared->lookout, &exec->seen, op->kind, began_us);
    world_point(world, op_row(op->kind)->before);
    op->ok = perform_retrying(exec, op, &op->error);
    world_point(world, op_row(op->kind)->after);
    op->now_ms = world_wall_ms(world);
    int64_t ended_us = world_monotonic_us(world);
    op->elapsed_us = ended_us - began_us;
    count_time(exec, op->kind, began_us, ended_us);
}
