/* Late, lost and repeated writes; fences that are lost themselves. */
#include "interleavings/partly.h"
#include "interleavings/specs.h"
#include "kit/scene.h"

/* Two records where the run reads them. */
static void begin_from(struct scene *scene, const char *spec, const char *dataset)
{
    scene_init(scene, spec, ONCE_MORE);
    scene_put(scene, dataset, "a", "{\"n\":1,\"times\":0}");
    scene_put(scene, dataset, "b", "{\"n\":2,\"times\":0}");
}

static void begin(struct scene *scene)
{
    begin_from(scene, SAME_DATASET, "items");
}

/* The first process of a run wishes to write both. */
static struct op *begin_at_cas(struct scene *scene, struct process *process)
{
    begin(scene);
    process_first(process, scene);
    return process_until(process, 0, OP_CAS);
}

static void items_once(struct scene *scene)
{
    scene_holds(scene, "items", "a", "{\"n\":1,\"times\":1}");
    scene_holds(scene, "items", "b", "{\"n\":2,\"times\":1}");
}

static void items_as_before(struct scene *scene)
{
    scene_holds(scene, "items", "a", "{\"n\":1,\"times\":0}");
    scene_holds(scene, "items", "b", "{\"n\":2,\"times\":0}");
}

/* A process dies with its cas on the way. */
static void die_before_cas(struct scene *scene, struct late *late)
{
    struct process process;
    process_first(&process, scene);
    late_copy(late, process_until(&process, 0, OP_CAS));
    process_die(&process);
}

static void all_fenced(const struct late *late)
{
    for (size_t i = 0; i < late->n; i++)
        assert_int_equal(late->ops[i].outcome, CAS_FENCED);
}

static void a_late_write_of_a_dead_worker_is_fenced_once_the_next_holder_has_its_lane(void **state)
{
    struct scene scene;
    struct late late;
    struct process process;
    begin(&scene);
    die_before_cas(&scene, &late);
    process_begin(&process, &scene, JOB_FORWARD);
    process_until(&process, 0, OP_LANE_OPEN);
    process_step(&process, 0);
    late_send(&scene, &late, "items");
    all_fenced(&late);
    items_as_before(&scene);
    process_done(&process);
    items_once(&scene);
    late_send(&scene, &late, "items");
    all_fenced(&late);
    items_once(&scene);
    late_done(&late);
    scene_done(&scene);
}

/* The lock of the run is lost, as on a file system of another machine. */
static void lose_lock(struct process *process)
{
    run_lock_free(g_steal_pointer(&process->hold->lock));
}

/* Asleep before such a step, while others take the run back or finish it; what it does then. */
static void sleeps_before(enum op_kind kind, void (*command)(struct scene *, struct ended *))
{
    struct scene scene;
    struct process process;
    begin(&scene);
    process_first(&process, &scene);
    process_until(&process, 0, kind);
    lose_lock(&process);
    scene_ran_at(&scene, command, 0, __FILE__, __LINE__);
    g_autofree char *stood = scene_image(&scene, "items");
    if (kind == OP_GRANT)
        process_finish(&process, 0); /* nothing is left to be granted */
    else
        process_fails(&process, 0, FENCED);
    g_autofree char *stands = scene_image(&scene, "items");
    assert_string_equal(stands, stood);
    process_die(&process);
    scene_done(&scene);
}

static void who_sleeps_while_its_run_ends_writes_nothing_when_it_wakes(void **state)
{
    static const enum op_kind KINDS[] = {OP_GRANT, OP_LANE_OPEN, OP_SCAN, OP_LOG, OP_CAS};
    for (size_t i = 0; i < G_N_ELEMENTS(KINDS); i++) {
        sleeps_before(KINDS[i], scene_back);
        sleeps_before(KINDS[i], scene_run);
    }
}

static void a_late_write_that_comes_before_the_next_lane_counts_once(void **state)
{
    struct scene scene;
    struct late late;
    struct process process;
    begin(&scene);
    die_before_cas(&scene, &late);
    process_begin(&process, &scene, JOB_FORWARD);
    process_until(&process, 0, OP_LANE_OPEN);
    late_send(&scene, &late, "items");
    assert_int_equal(late.ops[0].outcome, CAS_WRITTEN);
    process_done(&process);
    items_once(&scene);
    assert_int_equal(scene_count(&scene, OUTCOME_WRITTEN), 2);
    late_done(&late);
    scene_done(&scene);
}

static void a_lost_answer_is_settled_by_the_fence_not_by_sending_again(void **state)
{
    struct scene scene;
    struct process process;
    begin_at_cas(&scene, &process);
    process_lose(&process, 0);
    scene_put(&scene, "items", "a", "{\"n\":7,\"times\":0}"); /* meanwhile: not ours any more */
    assert_int_equal(process_wish(&process, 0)->kind, OP_FENCE);
    process_done(&process);
    scene_holds(&scene, "items", "a", "{\"n\":7,\"times\":0}");
    scene_holds(&scene, "items", "b", "{\"n\":2,\"times\":1}");
    assert_int_equal(scene_count(&scene, OUTCOME_WRITTEN), 2);
    scene_done(&scene);
}

static void a_write_that_never_arrived_is_told_by_the_fence_and_sent_under_a_new_number(void **state)
{
    struct scene scene;
    struct process process;
    struct op *op = begin_at_cas(&scene, &process);
    uint64_t number = op->cas.ops[0].number;
    process_drop(&process, 0);
    process_step(&process, 0); /* the fence */
    items_as_before(&scene);
    op = process_until(&process, 0, OP_CAS);
    assert_true(op->cas.ops[0].number > number);
    process_done(&process);
    items_once(&scene);
    scene_done(&scene);
}

static void a_repeated_request_is_answered_with_done(void **state)
{
    struct scene scene;
    struct process process;
    struct late late;
    late_copy(&late, begin_at_cas(&scene, &process));
    process_step(&process, 0);
    scene_put(&scene, "items", "a", "{\"n\":1,\"times\":0}"); /* even where the old content is back */
    late_send(&scene, &late, "items");
    assert_int_equal(late.ops[0].outcome, CAS_DONE);
    assert_int_equal(late.ops[1].outcome, CAS_DONE);
    scene_holds(&scene, "items", "a", "{\"n\":1,\"times\":0}");
    process_done(&process);
    late_done(&late);
    scene_done(&scene);
}

/* A store that lost its newest writes with its machine: the undo log may know more than the store does. */
static void what_the_store_acknowledged_and_lost_is_done_again(void **state)
{
    struct scene scene;
    struct process process;
    begin_at_cas(&scene, &process);
    process_acknowledge(&process, 0);
    process_until(&process, 0, OP_SETTLE);
    process_die(&process);
    items_as_before(&scene);
    process_whole(&scene, JOB_FORWARD);
    items_once(&scene);
    scene_ran(&scene, 0);
    scene_reconciles(&scene);
    scene_taken_back(&scene, 0);
    items_as_before(&scene);
    scene_done(&scene);
}

/* A checkpoint is a promise: whatever it counts lasts. */
static void a_checkpoint_follows_intents_writes_outcomes_and_their_settling(void **state)
{
    static const enum op_kind ORDER[] = {OP_LOG, OP_CAS, OP_OUTCOME, OP_SETTLE, OP_SYNC, OP_CHECKPOINT};
    struct scene scene;
    struct process process;
    size_t at = 0;
    begin(&scene);
    process_first(&process, &scene);
    for (struct op *op; (op = process_wish(&process, 0))->kind != OP_END; process_step(&process, 0))
        for (size_t i = 0; i < G_N_ELEMENTS(ORDER); i++)
            if (op->kind == ORDER[i])
                assert_int_equal(i, at++);
    assert_int_equal(at, G_N_ELEMENTS(ORDER));
    process_die(&process);
    scene_done(&scene);
}

static void the_lost_answer_to_a_lane_open_is_not_taken_for_an_older_catalog(void **state)
{
    struct scene scene;
    begin(&scene);
    scene_fault(&scene, &(struct fault_row){.op = FAULT_LANE_OPEN, .nth = 1, .effect = FAULT_LOST});
    scene_ran(&scene, 0);
    items_once(&scene);
    scene_done(&scene);
}

/* --- fences that are lost
 * ----------------------------------------------------------------------------------------------- */

/* Three keys of which the log knows only that they were to be written: not sent, written, and written over. */
static void lose_the_fence(struct scene *scene)
{
    struct process process;
    begin(scene);
    scene_put(scene, "items", "c", "{\"n\":3,\"times\":0}");
    process_first(&process, scene);
    struct op *op = process_until(&process, 0, OP_CAS);
    assert_int_equal(op->cas.n, 3);
    op->cas.ops++, op->cas.n = 2; /* `a` does not arrive */
    process_step_unheard(&process, 0);
    scene_drop_fences(scene, process.hold->run.uid);
    process_die(&process);
    scene_put(scene, "items", "c", "{\"n\":33,\"times\":0}");
}

static void check_lost_fence(struct scene *scene)
{
    scene_holds(scene, "items", "a", "{\"n\":1,\"times\":1}");
    scene_holds(scene, "items", "b", "{\"n\":2,\"times\":1}");
    scene_holds(scene, "items", "c", "{\"n\":33,\"times\":0}");
    assert_int_equal(scene_count(scene, OUTCOME_WRITTEN), 2);
    assert_int_equal(scene_count(scene, OUTCOME_IN_DOUBT), 1);
    assert_true(scene_notes(scene, "c", SLUICE_ERROR_IN_DOUBT));
    assert_false(scene_notes(scene, "a", SLUICE_ERROR_IN_DOUBT));
    assert_false(scene_notes(scene, "b", SLUICE_ERROR_IN_DOUBT));
}

static void a_lost_fence_leaves_in_doubt_what_is_neither_pre_image_nor_written(void **state)
{
    struct scene scene;
    lose_the_fence(&scene);
    process_whole(&scene, JOB_FORWARD);
    check_lost_fence(&scene);
    scene_done(&scene);
}

/* A store in which the application has put something under `c` that is no record of the dataset. */
struct odd {
    struct scene scene;
    bool (*read)(struct session *, const struct call *, struct record *, size_t, GError **);
    bool (*cas)(struct session *, const struct call *, const struct lane *, struct cas_op *, size_t, GError **);
    enum cas_outcome answers; /* what a cas says of `c` */
    bool deletes;             /* but a deletion of it is one */
};

static bool is_odd(const struct odd *odd, const struct cas_op *op)
{
    return slice_equal(op->key, slice_of_text("c")) && !(odd->deletes && op->verb == CAS_DELETE);
}

static const struct fault A_LIST = {.code = SLUICE_ERROR_BAD_RECORD, .text = "a list"};

static bool read_odd(struct session *session, const struct call *call, struct record *io, size_t n, GError **error)
{
    const char *table = (const char *)session_driver(session);
    struct odd *odd = (struct odd *)(gpointer)(table - offsetof(struct odd, scene.faulty_mem.table));
    if (!odd->read(session, call, io, n, error))
        return false;
    for (size_t i = 0; i < n; i++)
        if (slice_equal(io[i].key, slice_of_text("c"))) {
            io[i].presence = RECORD_FAULT;
            io[i].fault = A_LIST;
        }
    return true;
}

/* In the source it is a record as any other. */
static bool read_odd_target(struct session *session, const struct call *call, struct record *io, size_t n,
                            GError **error)
{
    const char *table = (const char *)session_driver(session);
    struct odd *odd = (struct odd *)(gpointer)(table - offsetof(struct odd, scene.faulty_mem.table));
    return strcmp(call->ds->name, "items") == 0 ? read_odd(session, call, io, n, error)
                                                : odd->read(session, call, io, n, error);
}

static bool cas_odd(struct session *session, const struct call *call, const struct lane *lane, struct cas_op *ops,
                    size_t n, GError **error)
{
    const char *table = (const char *)session_driver(session);
    struct odd *odd = (struct odd *)(gpointer)(table - offsetof(struct odd, scene.faulty_mem.table));
    g_autofree struct cas_op *others = g_new(struct cas_op, n);
    size_t n_others = 0;
    for (size_t i = 0; i < n; i++)
        if (!is_odd(odd, &ops[i]))
            others[n_others++] = ops[i];
    if (n_others > 0 && !odd->cas(session, call, lane, others, n_others, error))
        return false;
    for (size_t i = n, k = n_others; i-- > 0;)
        if (!is_odd(odd, &ops[i]))
            ops[i] = others[--k];
        else {
            ops[i].outcome = odd->answers;
            ops[i].live = (struct record){.key = ops[i].key, .presence = RECORD_FAULT, .fault = A_LIST};
            ops[i].fault = A_LIST;
        }
    return true;
}

static void turn_odd(struct odd *odd, bool reads, enum cas_outcome answers)
{
    odd->read = odd->scene.faulty_mem.table.read;
    odd->cas = odd->scene.faulty_mem.write.cas;
    odd->answers = answers;
    odd->deletes = false;
    if (reads)
        odd->scene.faulty_mem.table.read = read_odd;
    odd->scene.faulty_mem.write.cas = cas_odd;
}

/* It was to be deleted: what cannot be read is not nothing. */
static void what_cannot_be_read_behind_a_lost_fence_is_in_doubt(void **state)
{
    struct odd odd;
    struct scene *scene = &odd.scene;
    struct process process;
    scene_init(scene, SAME_DATASET, "function transform(doc, ctx) return ctx.delete() end\n");
    scene_put(scene, "items", "b", "{\"n\":2}");
    scene_put(scene, "items", "c", "{\"n\":3}");
    process_first(&process, scene);
    process_until(&process, 0, OP_CAS);
    process_step_unheard(&process, 0);
    scene_drop_fences(scene, process.hold->run.uid);
    process_die(&process);
    turn_odd(&odd, true, CAS_CHANGED);
    process_whole(scene, JOB_FORWARD);
    assert_int_equal(scene_count(scene, OUTCOME_DELETED), 1);
    assert_int_equal(scene_count(scene, OUTCOME_IN_DOUBT), 1);
    assert_true(scene_notes(scene, "c", SLUICE_ERROR_IN_DOUBT));
    scene_done(scene);
}

static void what_cannot_be_read_is_left_by_a_rollback_and_listed(void **state)
{
    struct odd odd;
    struct scene *scene = &odd.scene;
    begin(scene);
    scene_put(scene, "items", "c", "{\"n\":3,\"times\":0}");
    scene_ran(scene, 0);
    turn_odd(&odd, true, CAS_CHANGED);
    scene_taken_back(scene, 8);
    items_as_before(scene);
    scene_holds(scene, "items", "c", "{\"n\":3,\"times\":1}");
    assert_int_equal(scene_count(scene, OUTCOME_RESTORED), 2);
    assert_int_equal(scene_count(scene, OUTCOME_LEFT), 1);
    assert_true(scene_notes(scene, "c", SLUICE_ERROR_LEFT));
    scene_done(scene);
}

static void what_the_store_does_not_take_back_is_left_and_listed_with_its_reason(void **state)
{
    struct odd odd;
    struct scene *scene = &odd.scene;
    begin(scene);
    scene_put(scene, "items", "c", "{\"n\":3,\"times\":0}");
    scene_ran(scene, 0);
    turn_odd(&odd, false, CAS_REFUSED);
    scene_taken_back(scene, 8);
    items_as_before(scene);
    assert_int_equal(scene_count(scene, OUTCOME_LEFT), 1);
    assert_int_equal(scene_count(scene, OUTCOME_REJECTED), 0);
    assert_true(scene_notes(scene, "c", SLUICE_ERROR_LEFT));
    scene_done(scene);
}

/* The source has changed behind the write, and the store does not take what it says now: what it said before does not
 * stay in the target as if it were the source's. */
static void what_the_store_does_not_take_when_it_is_carried_over_leaves_nothing(void **state)
{
    static const bool DELETES[] = {true, false};
    for (size_t i = 0; i < G_N_ELEMENTS(DELETES); i++) {
        struct odd odd;
        struct scene *scene = &odd.scene;
        struct process process;
        begin_from(scene, FILL, "origin");
        scene_put(scene, "origin", "c", "{\"n\":3,\"times\":0}");
        process_first(&process, scene);
        process_until(&process, 0, OP_LOOK);
        scene_put(scene, "origin", "c", "{\"n\":4,\"times\":0}");
        turn_odd(&odd, false, CAS_REFUSED);
        odd.deletes = DELETES[i];
        process_done(&process);
        items_once(scene);
        scene_holds(scene, "items", "c", DELETES[i] ? NULL : "{\"n\":3,\"times\":1}");
        assert_int_equal(scene_count(scene, OUTCOME_REJECTED), 1);
        scene_reconciles(scene);
        scene_done(scene);
    }
}

/* A fill takes it to be absent, the answer says that it is not: then it is looked at, and not tried until it is called
 * contended. */
static void what_an_answer_shows_and_nobody_can_read_is_refused_for_what_it_is(void **state)
{
    struct odd odd;
    struct scene *scene = &odd.scene;
    begin_from(scene, FILL, "origin");
    scene_put(scene, "origin", "c", "{\"n\":3,\"times\":0}");
    turn_odd(&odd, true, CAS_CHANGED);
    odd.scene.faulty_mem.table.read = read_odd_target;
    scene_ran(scene, 8);
    items_once(scene);
    assert_int_equal(scene_count(scene, OUTCOME_REJECTED), 1);
    assert_true(scene_refused(scene, "c", SLUICE_ERROR_BAD_RECORD));
    scene_done(scene);
}

static void a_holder_that_dies_behind_its_lane_open_does_not_make_a_lost_fence_whole(void **state)
{
    struct scene scene;
    struct process process;
    lose_the_fence(&scene);
    process_begin(&process, &scene, JOB_FORWARD);
    process_until(&process, 0, OP_TAIL);
    process_die(&process);
    process_whole(&scene, JOB_FORWARD);
    check_lost_fence(&scene);
    scene_done(&scene);
}

static void what_is_in_doubt_is_taken_back_only_where_it_is_ours(void **state)
{
    struct scene scene;
    lose_the_fence(&scene);
    process_whole(&scene, JOB_BACK);
    items_as_before(&scene);
    scene_holds(&scene, "items", "c", "{\"n\":33,\"times\":0}");
    scene_done(&scene);
}

static void a_fence_lost_under_a_living_worker_ends_it_before_it_guesses(void **state)
{
    struct scene scene;
    struct process process;
    begin_at_cas(&scene, &process);
    process_lose(&process, 0);
    scene_drop_fences(&scene, process.hold->run.uid);
    process_fails(&process, 0, STORE);
    process_die(&process);
    scene_ran(&scene, 0);
    items_once(&scene);
    scene_done(&scene);
}

static bool read_partly(struct session *session, const struct call *call, const struct fence_id *id, struct fence *ret,
                        GError **error)
{
    struct partly *partly = partly_of(session);
    if (!partly->read(session, call, id, ret, error))
        return false;
    for (size_t i = 0; i < ret->n; i++)
        ret->lanes[i].partial = true;
    return true;
}

static void of_a_fence_lost_in_part_nobody_guesses_what_is_not_marked(void **state)
{
    struct partly partly = {.forgets = false};
    struct process process;
    begin_at_cas(&partly.scene, &process);
    partly.read = partly.scene.faulty_mem.write.fence_read;
    partly.scene.faulty_mem.write.fence_read = read_partly;
    process_lose(&process, 0);
    process_fails(&process, 0, STORE);
    process_die(&process);
    partly.scene.faulty_mem.write.fence_read = partly.read;
    scene_ran(&partly.scene, 0);
    items_once(&partly.scene);
    scene_done(&partly.scene);
}

/* … also whoever takes the partition over: what is not marked may have been applied, and the record tells. */
static void of_a_fence_lost_in_part_the_record_tells_whoever_takes_over(void **state)
{
    struct partly partly = {.forgets = false};
    struct process process;
    begin_at_cas(&partly.scene, &process);
    process_die(&process);
    partly_opens(&partly);
    scene_put(&partly.scene, "items", "b", "{\"n\":22,\"times\":0}");
    process_whole(&partly.scene, JOB_FORWARD);
    scene_holds(&partly.scene, "items", "a", "{\"n\":1,\"times\":1}");
    scene_holds(&partly.scene, "items", "b", "{\"n\":22,\"times\":0}");
    assert_int_equal(scene_count(&partly.scene, OUTCOME_IN_DOUBT), 1);
    scene_done(&partly.scene);
}

/* The log has the outcomes, the fence is lost: what the record is by now tells whether the store has lost the write.
 * What the application has written since stands upon ours, or upon what was before: a server that is replaced loses
 * both. */
static void behind_a_lost_fence_a_known_write_stands_unless_what_was_before_is_back_or_nobody_can_tell(void **state)
{
    struct scene scene;
    struct process process;
    begin(&scene);
    scene_put(&scene, "items", "c", "{\"n\":3,\"times\":0}");
    process_first(&process, &scene);
    process_until(&process, 0, OP_SETTLE);
    scene_drop_fences(&scene, process.hold->run.uid);
    process_die(&process);
    scene_put(&scene, "items", "b", "{\"n\":2,\"times\":0}");
    scene_put(&scene, "items", "c", "{\"n\":33,\"times\":0}");
    process_whole(&scene, JOB_FORWARD);
    scene_holds(&scene, "items", "a", "{\"n\":1,\"times\":1}");
    scene_holds(&scene, "items", "b", "{\"n\":2,\"times\":1}");
    scene_holds(&scene, "items", "c", "{\"n\":33,\"times\":0}");
    assert_int_equal(scene_count(&scene, OUTCOME_WRITTEN), 2);
    assert_int_equal(scene_count(&scene, OUTCOME_IN_DOUBT), 1);
    scene_done(&scene);
}

/* Its answer is lost, and before it asks the fence another has taken the partition over. */
static void who_asks_a_fence_that_another_has_closed_is_fenced(void **state)
{
    struct scene scene;
    struct process process, other;
    begin_at_cas(&scene, &process);
    process_lose(&process, 0);
    lose_lock(&process);
    process_begin(&other, &scene, JOB_FORWARD);
    process_until(&other, 0, OP_TAIL);
    process_fails(&process, 0, FENCED);
    process_die(&process);
    process_done(&other);
    items_once(&scene);
    scene_done(&scene);
}

/* One answer of a request says that the lane is closed, and then the connection goes: it is closed. */
static bool cas_breaks(struct session *session, const struct call *call, const struct lane *lane, struct cas_op *ops,
                       size_t n, GError **error)
{
    for (size_t i = 0; i < n; i++)
        ops[i].outcome = i ? CAS_UNKNOWN : CAS_FENCED;
    return error_set(error, SLUICE_ERROR_UNREACHABLE, "the connection is gone");
}

static void a_closed_lane_outweighs_a_connection_that_goes(void **state)
{
    struct scene scene;
    struct process process;
    begin_at_cas(&scene, &process);
    scene.faulty_mem.write.cas = cas_breaks;
    process_fails(&process, 0, FENCED);
    process_die(&process);
    scene_done(&scene);
}

static void a_catalog_older_than_the_fence_is_refused(void **state)
{
    struct scene scene;
    struct process process;
    struct ended ended;
    begin_at_cas(&scene, &process);
    process_die(&process);
    scene_keep_home(&scene);
    process_begin(&process, &scene, JOB_FORWARD);
    process_until(&process, 0, OP_SETTLE);
    process_die(&process);
    scene_restore_home(&scene);
    for (int i = 0; i < 2; i++) { /* asking again does not help */
        scene_run(&scene, &ended);
        assert_int_equal(ended.status, 7);
        assert_non_null(strstr(ended.text, "older than what the store knows"));
        ended_done(&ended);
    }
    items_once(&scene);
    scene_done(&scene);
}

/* A server answered for all of a batch and was replaced by one that knows half of it, or all, or none. */
static void unsettled(bool performed)
{
    struct scene scene;
    struct process process;
    begin_at_cas(&scene, &process);
    if (performed)
        process_step(&process, 0);
    else
        process_acknowledge(&process, 0);
    scene_fault(&scene, &(struct fault_row){.op = FAULT_SETTLE, .nth = 1, .effect = FAULT_UNSETTLED});
    process_until(&process, 0, OP_SETTLE);
    process_step(&process, 0);
    assert_int_equal(process_wish(&process, 0)->kind, OP_GRANT);
    scene_fault(&scene, NULL);
    process_end(&process);
    process_die(&process);
    items_once(&scene);
    assert_int_equal(scene_count(&scene, OUTCOME_WRITTEN), 2);
    scene_reconciles(&scene);
    scene_taken_back(&scene, 0);
    items_as_before(&scene);
    scene_done(&scene);
}

static void what_was_lost_with_a_server_before_it_was_settled_is_done_again(void **state)
{
    unsettled(false);
}

static void what_was_not_lost_with_it_is_not_done_twice(void **state)
{
    unsettled(true);
}

/* A server that forgot a write after its checkpoint: the gate's verification sees it, the pre-image that stands again
 * is left as it is, and a rollback and another run apply the transform once to every key. */
static void forgotten(bool verified)
{
    struct scene scene;
    struct ended ended;
    begin(&scene);
    if (verified)
        scene_ran(&scene, 0);
    else {
        struct process process;
        process_first(&process, &scene);
        process_done(&process);
    }
    scene_put(&scene, "items", "a", "{\"n\":1,\"times\":0}");
    for (int i = 0; i < 2; i++) { /* asking again does not help */
        (verified ? scene_check : scene_run)(&scene, &ended);
        assert_int_equal(ended.status, 4);
        assert_non_null(strstr(ended.text, "1 missing"));
        ended_done(&ended);
    }
    scene_taken_back(&scene, 8);
    assert_true(scene_notes(&scene, "a", SLUICE_ERROR_LEFT));
    items_as_before(&scene);
    scene_run(&scene, &ended);
    assert_int_equal(ended.status, 0);
    ended_done(&ended);
    items_once(&scene);
    scene_done(&scene);
}

static void what_a_server_forgot_after_its_checkpoint_fails_the_gate_and_is_mended_by_a_rollback(void **state)
{
    forgotten(false);
}

static void what_a_server_forgot_after_its_gate_is_seen_by_verify_and_is_mended_by_a_rollback(void **state)
{
    forgotten(true);
}

static void a_store_that_never_settles_ends_the_run(void **state)
{
    struct scene scene;
    begin(&scene);
    scene_fault(&scene, &(struct fault_row){.op = FAULT_SETTLE, .nth = 1, .lasting = true, .effect = FAULT_UNSETTLED});
    scene_ran(&scene, 6);
    scene_fault(&scene, NULL);
    scene_ran(&scene, 0);
    items_once(&scene);
    scene_done(&scene);
}

static void a_second_home_is_refused_while_the_first_ones_writes_stand(void **state)
{
    struct scene scene;
    struct ended ended;
    begin_from(&scene, FILL, "origin");
    scene_fault(&scene, &(struct fault_row){.op = FAULT_SETTLE, .nth = 1, .effect = FAULT_FATAL});
    scene_ran(&scene, 6);
    scene_fault(&scene, NULL);
    g_autofree char *first = g_steal_pointer(&scene.home);
    scene.home = g_strconcat(first, "2", NULL);
    scene_run(&scene, &ended);
    assert_int_equal(ended.status, 7);
    assert_non_null(strstr(ended.text, first));
    assert_non_null(strstr(ended.text, "job.1"));
    ended_done(&ended);
    g_free(scene.home);
    scene.home = g_steal_pointer(&first);
    scene_ran(&scene, 0);
    items_once(&scene);
    scene_done(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_late_write_of_a_dead_worker_is_fenced_once_the_next_holder_has_its_lane),
        cmocka_unit_test(who_sleeps_while_its_run_ends_writes_nothing_when_it_wakes),
        cmocka_unit_test(a_late_write_that_comes_before_the_next_lane_counts_once),
        cmocka_unit_test(a_lost_answer_is_settled_by_the_fence_not_by_sending_again),
        cmocka_unit_test(a_write_that_never_arrived_is_told_by_the_fence_and_sent_under_a_new_number),
        cmocka_unit_test(a_repeated_request_is_answered_with_done),
        cmocka_unit_test(what_the_store_acknowledged_and_lost_is_done_again),
        cmocka_unit_test(a_checkpoint_follows_intents_writes_outcomes_and_their_settling),
        cmocka_unit_test(the_lost_answer_to_a_lane_open_is_not_taken_for_an_older_catalog),
        cmocka_unit_test(a_lost_fence_leaves_in_doubt_what_is_neither_pre_image_nor_written),
        cmocka_unit_test(what_cannot_be_read_behind_a_lost_fence_is_in_doubt),
        cmocka_unit_test(what_cannot_be_read_is_left_by_a_rollback_and_listed),
        cmocka_unit_test(what_the_store_does_not_take_back_is_left_and_listed_with_its_reason),
        cmocka_unit_test(what_the_store_does_not_take_when_it_is_carried_over_leaves_nothing),
        cmocka_unit_test(what_an_answer_shows_and_nobody_can_read_is_refused_for_what_it_is),
        cmocka_unit_test(a_holder_that_dies_behind_its_lane_open_does_not_make_a_lost_fence_whole),
        cmocka_unit_test(what_is_in_doubt_is_taken_back_only_where_it_is_ours),
        cmocka_unit_test(a_fence_lost_under_a_living_worker_ends_it_before_it_guesses),
        cmocka_unit_test(of_a_fence_lost_in_part_nobody_guesses_what_is_not_marked),
        cmocka_unit_test(of_a_fence_lost_in_part_the_record_tells_whoever_takes_over),
        cmocka_unit_test(behind_a_lost_fence_a_known_write_stands_unless_what_was_before_is_back_or_nobody_can_tell),
        cmocka_unit_test(who_asks_a_fence_that_another_has_closed_is_fenced),
        cmocka_unit_test(a_closed_lane_outweighs_a_connection_that_goes),
        cmocka_unit_test(a_catalog_older_than_the_fence_is_refused),
        cmocka_unit_test(what_was_lost_with_a_server_before_it_was_settled_is_done_again),
        cmocka_unit_test(what_was_not_lost_with_it_is_not_done_twice),
        cmocka_unit_test(what_a_server_forgot_after_its_checkpoint_fails_the_gate_and_is_mended_by_a_rollback),
        cmocka_unit_test(what_a_server_forgot_after_its_gate_is_seen_by_verify_and_is_mended_by_a_rollback),
        cmocka_unit_test(a_store_that_never_settles_ends_the_run),
        cmocka_unit_test(a_second_home_is_refused_while_the_first_ones_writes_stand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
