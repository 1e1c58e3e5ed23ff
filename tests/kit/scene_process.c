#include "kit/scene.h"
#include "run/check.h"
#include "run/supersede.h"

/* --- taking the run
 * ----------------------------------------------------------------------------------------------------- */

static void move(struct hold *hold, enum run_state to)
{
    GError *error = NULL;
    kit_ok(hold_move(hold, to, NULL, NULL, &error));
}

/* What run_forward() does before its workers begin. */
static void ready_forward(struct hold *hold)
{
    GError *error = NULL;
    kit_ok(hold_open(hold, HOLD_FORWARD, &error));
    if (hold->run.state == RUN_RUNNING || hold->run.state == RUN_VERIFYING)
        move(hold, RUN_INTERRUPTED);
    move(hold, RUN_RUNNING);
    kit_ok(check_sample(hold, 0, NULL, &error));
    job_init_forward(&hold->job, hold->plan, &hold->run);
    kit_ok(supersede_left(hold, &hold->job.left, &error));
}

static void ready_settle(struct hold *hold)
{
    GError *error = NULL;
    kit_ok(hold_open(hold, HOLD_BACK, &error));
    job_init_settle(&hold->job, PARTS_FORWARD, hold->plan, &hold->run);
}

/* … and run_back(). */
static void ready_back(struct hold *hold)
{
    GError *error = NULL;
    kit_ok(hold_open(hold, HOLD_BACK, &error));
    kit_ok(hold_move_back(hold, 0, &error));
    kit_ok(takeback_prepare(hold, 0, &error));
    job_init_back(&hold->job, hold->plan, &hold->run);
}

void process_begin_cramped(struct process *process, struct scene *scene, enum job_kind kind, size_t batch_records,
                           size_t memory_bytes)
{
    static void (*const READY[])(struct hold *) = {
        [JOB_FORWARD] = ready_forward, [JOB_BACK] = ready_back, [JOB_SETTLE] = ready_settle};
    GError *error = NULL;
    *process = (struct process){.scene = scene};
    process->config = (struct run_config){.world = &scene->fake.world,
                                          .registry = store_registry_new(&scene->fake.world, scene->ours),
                                          .home = scene->home,
                                          .act = {.actor = scene->actor}};
    kit_ok(hold_take(&process->hold, &process->config, scene->run, &error));
    READY[kind](process->hold);
    process->hold->job.splits = false;
    if (batch_records)
        process->hold->job.batch_records = batch_records;
    if (memory_bytes)
        process->hold->job.memory_bytes = memory_bytes;
    for (uint32_t i = 0; i < PROCESS_WORKERS; i++) {
        process->workers[i] = worker_new(&process->hold->job, UINT32_MAX);
        kit_ok(exec_new(&process->execs[i], &process->hold->shared, &error));
    }
}

void process_begin_small(struct process *process, struct scene *scene, enum job_kind kind, size_t batch_records)
{
    process_begin_cramped(process, scene, kind, batch_records, 0);
}

void process_begin_sharing(struct process *process, struct scene *scene, size_t batch_records)
{
    process_begin_small(process, scene, JOB_FORWARD, batch_records);
    process->hold->job.splits = process->hold->plan->listed;
}

void process_begin(struct process *process, struct scene *scene, enum job_kind kind)
{
    process_begin_small(process, scene, kind, 0);
}

void process_die(struct process *process)
{
    for (uint32_t i = 0; i < PROCESS_WORKERS; i++) {
        if (process->wished[i])
            g_clear_error(&process->ops[i].error);
        exec_free(process->execs[i]);
        worker_free(process->workers[i]);
    }
    hold_free(process->hold);
    store_registry_free((struct store_registry *)process->config.registry);
}

/* --- stepping
 * ----------------------------------------------------------------------------------------------------------- */

struct op *process_wish(struct process *process, uint32_t worker)
{
    if (!process->wished[worker])
        worker_next(process->workers[worker], &process->ops[worker]);
    process->wished[worker] = true;
    return &process->ops[worker];
}

void process_step(struct process *process, uint32_t worker)
{
    struct op *op = process_wish(process, worker);
    exec_perform(process->execs[worker], op);
    process->wished[worker] = false;
    worker_done(process->workers[worker], op);
}

static const char *end_of(struct process *process, uint32_t worker)
{
    const GError *error = worker_error(process->workers[worker]);
    return error ? error->message : "it ended well";
}

struct op *process_until(struct process *process, uint32_t worker, enum op_kind kind)
{
    for (;;) {
        struct op *op = process_wish(process, worker);
        if (op->kind == kind)
            return op;
        if (op->kind == OP_END)
            fail_msg("worker %u never wished a %s: %s", worker, op_row(kind)->name, end_of(process, worker));
        process_step(process, worker);
    }
}

static void answer(struct process *process, uint32_t worker, enum cas_outcome outcome)
{
    struct op *op = &process->ops[worker];
    for (size_t i = 0; op->kind == OP_CAS && i < op->cas.n; i++)
        op->cas.ops[i].outcome = outcome;
    op->ok = outcome == CAS_WRITTEN;
    g_clear_error(&op->error);
    if (!op->ok)
        error_set(&op->error, SLUICE_ERROR_TIMED_OUT, "the answer is lost");
    process->wished[worker] = false;
    worker_done(process->workers[worker], op);
}

void process_lose(struct process *process, uint32_t worker)
{
    exec_perform(process->execs[worker], process_wish(process, worker));
    answer(process, worker, CAS_UNKNOWN);
}

void process_drop(struct process *process, uint32_t worker)
{
    process_wish(process, worker);
    answer(process, worker, CAS_UNKNOWN);
}

void process_acknowledge(struct process *process, uint32_t worker)
{
    assert_int_equal(process_wish(process, worker)->kind, OP_CAS);
    answer(process, worker, CAS_WRITTEN);
}

void process_step_unheard(struct process *process, uint32_t worker)
{
    exec_perform(process->execs[worker], process_wish(process, worker));
}

static bool go(struct process *process, uint32_t worker)
{
    if (process_wish(process, worker)->kind == OP_END)
        return false;
    process_step(process, worker);
    return true;
}

void process_finish(struct process *process, uint32_t worker)
{
    while (go(process, worker))
        continue;
    if (worker_error(process->workers[worker]))
        fail_msg("worker %u failed: %s", worker, end_of(process, worker));
}

void process_end(struct process *process)
{
    for (bool goes_on = true; goes_on;) {
        goes_on = false;
        for (uint32_t i = 0; i < PROCESS_WORKERS; i++)
            goes_on |= go(process, i);
    }
    for (uint32_t i = 0; i < PROCESS_WORKERS; i++)
        process_finish(process, i);
}

void process_fails_at(struct process *process, uint32_t worker, enum error_code code, const char *file, int line)
{
    while (go(process, worker))
        continue;
    const GError *error = worker_error(process->workers[worker]);
    if (error_is(error, code))
        return;
    print_error("worker %u: %s\n", worker, end_of(process, worker));
    _fail(file, line);
}

void process_first(struct process *process, struct scene *scene)
{
    scene_plan(scene);
    process_begin(process, scene, JOB_FORWARD);
}

void process_done(struct process *process)
{
    process_end(process);
    process_die(process);
}

void process_whole(struct scene *scene, enum job_kind kind)
{
    struct process process;
    process_begin(&process, scene, kind);
    process_done(&process);
}
