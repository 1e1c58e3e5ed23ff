/* A connection that is cut before or after every write of a batch, and a write that reaches the server late: whatever
 * becomes of it, the fence tells exactly what was applied, and what it tells stays true. */
#include <signal.h>

#include "cut.h"
#include "kit/patient.h"

enum { OPS = 6, CHANCES = 500 }; /* to do what must not be done: each as long as a call takes */

static void make_ops(struct box *box, struct cas_op *ops)
{
    GError *error = NULL;
    bson_t document = BSON_INITIALIZER;
    struct slice raw;
    BSON_APPEND_UTF8(&document, "a", "b");
    struct slice bytes = slice_of(bson_get_data(&document), document.len);
    kit_ok(store_encode(session_driver(box->session), &box->ds, bytes, box->mem, &raw, &error));
    bson_destroy(&document);
    for (unsigned i = 0; i < OPS; i++)
        ops[i] = (struct cas_op){.key = cut_key_of(box, i), .raw = raw, .number = i + 1};
}

static struct call begin_with(struct box *box, struct cas_op *ops)
{
    servers_or_skip(&box->servers);
    cut_begin(box);
    make_ops(box, ops);
    return cut_call_of(box);
}

/* Writes share a call as long as their numbers ascend: `each` of them do. */
static unsigned run_mode(struct box *box, enum mode mode, unsigned nth, unsigned each)
{
    GError *error = NULL;
    struct cas_op ops[OPS];
    struct call call = begin_with(box, ops);
    for (unsigned i = 0; i < OPS; i++)
        ops[i].number = OPS - each - i / each * each + i % each + 1;
    cut_arm(box, mode, script_cas.sha, nth);
    bool whole = store_cas(box->session, &call, &box->lane, ops, OPS, &error);
    assert_false(whole);
    assert_true(error_class(error) == ERROR_TRANSIENT);
    g_clear_error(&error);
    unsigned applied = cut_assert_fence_is_right(box, ops, OPS);
    if (mode == CUT_LATE) {
        cut_let_the_late_one_arrive(box);
        assert_int_equal(cut_assert_fence_is_right(box, ops, OPS), applied);
    }
    kit_ok(store_cas(box->session, &call, &box->lane, ops, OPS, &error));
    for (unsigned i = 0; i < OPS; i++)
        assert_true(ops[i].outcome == CAS_WRITTEN || ops[i].outcome == CAS_DONE);
    assert_int_equal(cut_assert_fence_is_right(box, ops, OPS), OPS);
    cut_end(box);
    return applied;
}

static void every_cut(void **state, enum mode mode)
{
    struct box *box = *state;
    servers_or_skip(&box->servers);
    for (unsigned each = 1; each <= OPS; each *= each == 2 ? 3 : 2)
        for (unsigned nth = 1; nth <= OPS / each; nth++) {
            unsigned applied = run_mode(box, mode, nth, each);
            assert_in_range(applied, mode == CUT_AFTER ? nth * each : 0, (mode == CUT_AFTER ? nth : nth - 1) * each);
            assert_int_equal(applied % each, 0);
        }
}

static void a_write_that_does_not_arrive_is_not_marked(void **state)
{
    every_cut(state, CUT_BEFORE);
}

static void a_write_whose_answer_is_lost_is_marked(void **state)
{
    every_cut(state, CUT_AFTER);
}

static void a_write_that_arrives_after_the_fence_was_read_does_nothing(void **state)
{
    every_cut(state, CUT_LATE);
}

/* --- two processes ------------------------------------------------------------------------------------------------ */

/* Each opening of a store in a registry of its own is a process to the servers. */
static void a_process_that_wakes_writes_nothing(void **state)
{
    struct box *box = *state;
    GError *error = NULL;
    struct cas_op ops[OPS];
    struct fence before;
    struct call call = begin_with(box, ops);
    kit_ok(store_cas(box->session, &call, &box->lane, ops, 2, &error));
    struct lane next = cut_open_next(box, &call, &before);
    assert_true(before.present && before.n == 1 && before.lanes[0].open && !before.lanes[0].partial);
    for (unsigned i = 0; i < OPS; i++)
        assert_int_equal(fence_lane_applied(&before.lanes[0], i + 1), i < 2);
    kit_ok(store_cas(box->session, &call, &box->lane, ops + 2, 2, &error));
    assert_int_equal(ops[2].outcome, CAS_FENCED);
    assert_int_equal(ops[3].outcome, CAS_FENCED);
    assert_false(cut_stands(box, 2) || cut_stands(box, 3));
    struct lane old = box->lane;
    kit_refused(store_lane_open(box->session, &call, &old, &before, &error), BEHIND, "older");
    ops[2].number = 1;
    kit_ok(store_cas(box->beside, &call, &next, ops + 2, 1, &error));
    assert_int_equal(ops[2].outcome, CAS_WRITTEN);
    cut_end(box);
}

static void an_older_home_is_refused_and_disturbs_nobody(void **state)
{
    struct box *box = *state;
    GError *error = NULL;
    struct cas_op ops[OPS];
    struct fence before;
    struct call call = begin_with(box, ops);
    struct lane same = box->lane;
    kit_refused(store_lane_open(box->beside, &call, &same, &before, &error), BEHIND, "older");
    kit_ok(store_cas(box->session, &call, &box->lane, ops, 1, &error));
    assert_int_equal(ops[0].outcome, CAS_WRITTEN);
    cut_end(box);
}

/* Whose marks are gone while its records stand: nobody may take what is not marked for not applied. */
static void delete_fence(struct box *box)
{
    char key[64] = "DEL sluice:fence:";
    for (size_t i = 0; i < 16; i++)
        g_snprintf(key + strlen(key), 3, "%02x", box->lane.fence.run[i]);
    g_free(servers_ask(&box->servers, 0, key, false));
}

static void a_fence_deleted_by_hand_is_told(void **state)
{
    struct box *box = *state;
    GError *error = NULL;
    struct cas_op ops[OPS];
    struct fence before;
    struct call call = begin_with(box, ops);
    kit_ok(store_cas(box->session, &call, &box->lane, ops, 2, &error));
    delete_fence(box);
    kit_refused(store_cas(box->session, &call, &box->lane, ops + 2, 1, &error), UNSETTLED, "deleted");
    assert_int_equal(ops[2].outcome, CAS_NOT_SENT);
    struct lane next = box->lane;
    next.lane = 2;
    kit_ok(store_lane_open(box->session, &call, &next, &before, &error));
    for (size_t i = 0; i < before.n; i++)
        assert_true(before.lanes[i].partial);
    ops[2].number = 1;
    kit_ok(store_cas(box->session, &call, &next, ops + 2, 1, &error));
    assert_int_equal(ops[2].outcome, CAS_WRITTEN);
    cut_end(box);
}

static bool place_has(struct box *box, const char *field)
{
    g_autoptr(GString) command = g_string_new("HEXISTS sluice:fence:");
    for (size_t i = 0; i < sizeof box->lane.fence.run; i++)
        g_string_append_printf(command, "%02x", box->lane.fence.run[i]);
    g_string_append_printf(command, " %s", field);
    g_autofree char *said = servers_ask(&box->servers, 0, command->str, false);
    return strcmp(said, ":1\r\n") == 0;
}

static void write_and_settle(struct box *box, const struct lane *lane, struct cas_op *op, size_t n)
{
    GError *error = NULL;
    struct call call = cut_call_of(box);
    kit_ok(store_cas(box->session, &call, lane, op, n, &error));
    for (size_t i = 0; i < n; i++)
        assert_int_equal(op[i].outcome, CAS_WRITTEN);
    kit_ok(store_settle(box->session, &call, &error));
}

/* Of a partition that is through, marks go from its places once its record has them: no sooner, and none is lost. */
static void what_is_pruned_stands_in_the_record(void **state)
{
    struct box *box = *state;
    GError *error = NULL;
    struct cas_op ops[OPS];
    struct fence before;
    struct call call = begin_with(box, ops);
    struct lane next = box->lane;
    next.fence.part = 4;
    kit_ok(store_lane_open(box->session, &call, &next, &before, &error));
    write_and_settle(box, &box->lane, ops, 3);
    for (unsigned i = 0; i < 3; i++)
        ops[3 + i].number = i + 1;
    write_and_settle(box, &next, ops + 3, 1);
    assert_true(place_has(box, "3"));
    write_and_settle(box, &next, ops + 4, 1);
    assert_false(place_has(box, "3"));
    assert_true(place_has(box, "4"));
    cut_open_next(box, &call, &before);
    assert_true(before.n == 1 && !before.lanes[0].partial);
    for (unsigned number = 1; number <= OPS; number++)
        assert_int_equal(fence_lane_applied(&before.lanes[0], number), number <= 3);
    cut_end(box);
}

/* --- what arrives behind its time --------------------------------------------------------------------------------- */

static struct lane lane_of_part(const struct box *box, uint32_t part)
{
    struct lane lane = box->lane;
    lane.fence.part = part;
    return lane;
}

static void open_lane(struct box *box, struct session *session, const struct lane *lane)
{
    GError *error = NULL;
    struct fence before;
    struct call call = cut_call_of(box);
    kit_ok(store_lane_open(session, &call, lane, &before, &error));
}

static void write_one(struct box *box, const struct lane *lane, struct cas_op *op, uint64_t number)
{
    op->number = number;
    write_and_settle(box, lane, op, 1);
}

/* A partition's record goes along with the writes of another one; marks that a newer one has are removed. */
static void a_record_that_arrives_late_takes_no_marks_away(void **state)
{
    struct box *box = *state;
    GError *error = NULL;
    struct cas_op ops[OPS];
    struct fence before;
    struct call call = begin_with(box, ops);
    struct lane other = lane_of_part(box, 4), next = box->lane;
    open_lane(box, box->session, &other);
    write_one(box, &box->lane, &ops[0], 1);
    cut_arm(box, CUT_LATE, script_record.sha, 1);
    write_one(box, &other, &ops[1], 1);
    write_one(box, &box->lane, &ops[2], 2);
    write_one(box, &other, &ops[3], 2);
    write_one(box, &other, &ops[4], 3);
    cut_let_the_late_one_arrive(box);
    next.lane = 2;
    kit_ok(store_lane_open(box->beside, &call, &next, &before, &error));
    assert_true(before.present && before.n == 1);
    assert_true(fence_lane_applied(&before.lanes[0], 1) && fence_lane_applied(&before.lanes[0], 2));
    cut_end(box);
}

struct reading {
    struct box *box;
    struct arena *mem;
    atomic_bool given_up;
};

static void *read_fence(void *at)
{
    struct reading *reading = at;
    GError *error = NULL;
    struct fence fence;
    struct call call = {.ds = &reading->box->ds, .mem = reading->mem, .cancel = &reading->given_up};
    bool ok = store_fence_read(reading->box->session, &call, &reading->box->lane.fence, &fence, &error);
    g_clear_error(&error);
    return ok ? reading : NULL;
}

struct writing {
    struct box *box;
    struct session *session;
    struct lane lane;
    struct cas_op *op;
    struct arena *mem;
};

/* NULL: it was answered. */
static void *write_apart(void *at)
{
    struct writing *writing = at;
    GError *error = NULL;
    struct call call = {.ds = &writing->box->ds, .mem = writing->mem};
    bool ok = store_cas(writing->session, &call, &writing->lane, writing->op, 1, &error);
    g_clear_error(&error);
    return ok ? NULL : writing;
}

/* `alone`: the one before takes along what the partition's record owes, so that what is lost is known of one place. */
static void lose_a_write(struct box *box, const struct call *call, struct cas_op ops[2], bool alone)
{
    GError *error = NULL;
    ops[0].number = 2;
    ops[1].number = alone ? 3 : 2;
    if (alone)
        kit_ok(store_cas(box->session, call, &box->lane, ops, 1, &error));
    cut_arm(box, CUT_BEFORE, script_cas.sha, 1);
    assert_false(store_cas(box->session, call, &box->lane, ops + 1, 1, &error));
    g_clear_error(&error);
}

/* A second session has a lane, the first loses a write behind its own first one; from now on what it is answered to a
 * takeover is not heard. */
static struct session *take_unheard(struct box *box, const struct call *call, struct lane *other, struct cas_op *ops,
                                    bool alone)
{
    GError *error = NULL;
    struct session *second;
    kit_ok(store_session_open(&second, box->store, &error));
    open_lane(box, second, other);
    write_one(box, &box->lane, &ops[0], 1);
    lose_a_write(box, call, ops + 1, alone);
    atomic_store(&box->proxy.muted, false);
    atomic_store(&box->proxy.mutes, true);
    return second;
}

/* Two threads of a process. The place got its new epoch for the one's lost write. The other's meets it before the first
 * has heard of it, and waits until that has: the takeover says nothing of what it then sends. */
static void vouches_for_older_writes_only(struct box *box, bool alone)
{
    GError *error = NULL;
    struct cas_op ops[OPS];
    struct fence fence;
    struct session *second;
    pthread_t thread, writer;
    void *read;
    struct call call = begin_with(box, ops);
    struct lane other = lane_of_part(box, 4);
    struct reading reading = {.box = box, .mem = arena_new(1 << 20)};
    second = take_unheard(box, &call, &other, ops, alone);
    assert_int_equal(pthread_create(&thread, NULL, read_fence, &reading), 0);
    while (!atomic_load(&box->proxy.muted))
        g_thread_yield();
    cut_arm(box, CUT_LATE, script_cas.sha, 2); /* the first meets the new epoch */
    ops[3].number = 1;
    struct writing writing = {.box = box, .session = second, .lane = other, .op = ops + 3, .mem = arena_new(1 << 20)};
    assert_int_equal(pthread_create(&writer, NULL, write_apart, &writing), 0);
    while (atomic_load(&box->proxy.seen) == 0)
        g_thread_yield();
    for (int i = 0; i < CHANCES; i++)
        cut_stands(box, 0);
    assert_int_equal(box->proxy.seen, 1);
    atomic_store(&box->proxy.mutes, false);
    pthread_join(thread, &read);
    assert_non_null(read);
    pthread_join(writer, &read);
    assert_non_null(read);
    assert_int_equal(ops[3].outcome, CAS_UNKNOWN);
    kit_ok(store_fence_read(second, &call, &other.fence, &fence, &error));
    assert_false(fence_lane_applied(&fence.lanes[0], 1));
    cut_let_the_late_one_arrive(box);
    assert_false(cut_stands(box, 3));
    store_session_close(second);
    arena_free(reading.mem);
    arena_free(writing.mem);
    cut_end(box);
}

/* All places are taken, or the one alone. */
static void a_takeover_vouches_for_older_writes_only(void **state)
{
    vouches_for_older_writes_only(*state, false);
    vouches_for_older_writes_only(*state, true);
}

/* One of them takes a place for its lost write, and is never told whether it has it. The place has its new epoch all
 * the same; under that the other does not go on either. */
static void an_epoch_of_which_nobody_was_told_is_written_under_by_nobody(void **state)
{
    struct box *box = *state;
    GError *error = NULL;
    struct cas_op ops[OPS];
    struct fence before;
    struct session *second;
    pthread_t thread;
    void *read;
    struct call call = begin_with(box, ops);
    struct lane other = lane_of_part(box, 4);
    struct reading reading = {.box = box, .mem = arena_new(1 << 20)};
    second = take_unheard(box, &call, &other, ops, true);
    assert_int_equal(pthread_create(&thread, NULL, read_fence, &reading), 0);
    while (!atomic_load(&box->proxy.muted))
        g_thread_yield();
    atomic_store(&reading.given_up, true);
    pthread_join(thread, &read);
    assert_null(read);
    atomic_store(&box->proxy.mutes, false);
    ops[3].number = 1;
    kit_refused(store_cas(second, &call, &other, ops + 3, 1, &error), UNSETTLED, "");
    assert_false(cut_stands(box, 3));
    other.lane = 2;
    kit_ok(store_lane_open(second, &call, &other, &before, &error)); /* which takes it once more */
    kit_ok(store_cas(second, &call, &other, ops + 3, 1, &error));
    assert_int_equal(ops[3].outcome, CAS_WRITTEN);
    store_session_close(second);
    arena_free(reading.mem);
    cut_end(box);
}

/* Whoever has ended the run has given its lock back, and left nothing that tells of it. */
static void who_makes_a_fence_anew_for_a_lost_write_asks_for_the_lock(void **state)
{
    for (int ended = 0; ended < 2; ended++) {
        struct box *box = *state;
        GError *error = NULL;
        struct cas_op ops[OPS];
        struct fence fence;
        struct call call = begin_with(box, ops);
        struct store_lock lock = {.run = "fix.1", .host = "h", .home = "/h"};
        memcpy(lock.run_uid, box->lane.fence.run, sizeof lock.run_uid);
        kit_ok(store_lock(box->session, &call, &lock, false, &error));
        write_one(box, &box->lane, &ops[0], 1);
        lose_a_write(box, &call, ops + 1, true);
        delete_fence(box);
        if (ended)
            g_free(servers_ask(&box->servers, 0, "DEL sluice:locks", false));
        bool read = store_fence_read(box->session, &call, &box->lane.fence, &fence, &error);
        if (ended)
            kit_refused(read, FENCED, "given back meanwhile");
        else
            kit_ok(read);
        cut_end(box);
    }
}

/* --- what outlives a server --------------------------------------------------------------------------------------- */

static void wait_until(struct box *box, const char *command, const char *says)
{
    for (bool there = false; !there;) {
        g_autofree char *reply = servers_ask(&box->servers, 0, command, true);
        there = strstr(reply, says) != NULL;
    }
}

/* A process whose clock stands: of the time that it gives a call it loses none before the server waits for its
 * replicas, however busy the machine is. */
struct unhurried {
    struct patient patient;
    struct store_registry *registry;
    struct store *store;
    struct session *session;
};

static void unhurried_begin(struct unhurried *ret, const struct box *box)
{
    GError *error = NULL;
    g_autofree char *uri = g_strdup_printf("valkey://127.0.0.1:%u", box->servers.ports[0]);
    struct store_config config = {.uri = uri, .base_dir = box->servers.dir};
    patient_init(&ret->patient, false);
    ret->registry = store_registry_new(&ret->patient.world, NULL);
    kit_ok(store_open(&ret->store, ret->registry, &config, &error));
    kit_ok(store_session_open(&ret->session, ret->store, &error));
}

static void unhurried_end(struct unhurried *unhurried)
{
    store_session_close(unhurried->session);
    store_release(unhurried->registry, unhurried->store);
    store_registry_free(unhurried->registry);
}

/* A replica that is promoted without it would let the holder before write on. */
static void a_takeover_is_with_the_replicas(void **state)
{
    struct box *box = *state;
    GError *error = NULL;
    struct fence before;
    servers_or_skip(&box->servers);
    cut_begin(box);
    g_autofree char *primary = g_strdup_printf("127.0.0.1 %u", box->servers.ports[0]);
    const char *more[] = {"--replicaof", primary, NULL};
    unsigned replica = servers_start(&box->servers, more);
    wait_until(box, "INFO replication", "state=online");
    struct unhurried unhurried;
    unhurried_begin(&unhurried, box);
    kill(box->servers.pids[replica], SIGSTOP);
    struct lane other = lane_of_part(box, 4);
    struct call call = cut_call_of(box);
    call.deadline_us = world_monotonic_us(&unhurried.patient.world) + 500000;
    kit_refused(store_lane_open(unhurried.session, &call, &other, &before, &error), TIMED_OUT, "replica");
    kill(box->servers.pids[replica], SIGCONT);
    call.deadline_us = 0;
    kit_ok(store_lane_open(unhurried.session, &call, &other, &before, &error));
    unhurried_end(&unhurried);
    cut_end(box);
}

/* --- rights and locks --------------------------------------------------------------------------------------------- */

static void a_right_that_is_missing_leaves_no_mark(void **state)
{
    struct box *box = *state;
    GError *error = NULL;
    struct cas_op ops[OPS];
    struct fence fence;
    struct call call = begin_with(box, ops);
    write_one(box, &box->lane, &ops[0], 1);
    struct record record = {.key = ops[0].key};
    kit_ok(store_read(box->beside, &call, &record, 1, &error));
    ops[0].etag = record.etag;
    ops[0].verb = CAS_DELETE;
    ops[0].number = 2;
    g_free(servers_ask(&box->servers, 0, "ACL SETUSER default -unlink", false));
    kit_refused(store_cas(box->session, &call, &box->lane, ops, 1, &error), NOT_PERMITTED, "UNLINK");
    g_free(servers_ask(&box->servers, 0, "ACL SETUSER default +unlink", false));
    kit_ok(store_fence_read(box->session, &call, &box->lane.fence, &fence, &error));
    assert_false(fence_lane_applied(&fence.lanes[0], 2));
    assert_true(cut_stands(box, 0));
    cut_end(box);
}

static void nothing_stays_behind_the_last_lock(void **state)
{
    struct box *box = *state;
    GError *error = NULL;
    struct store_lock lock = {.run = "r.1", .host = "h", .home = "/h", .run_uid = {7}};
    servers_or_skip(&box->servers);
    cut_begin(box);
    struct call call = cut_call_of(box);
    kit_ok(store_lock(box->session, &call, &lock, false, &error));
    kit_ok(store_unlock(box->session, &call, lock.run_uid, &error));
    cut_arm(box, CUT_LATE, script_lock.sha, 2);
    kit_ok(store_lock(box->session, &call, &lock, false, &error));
    kit_ok(store_unlock(box->session, &call, lock.run_uid, &error));
    cut_let_the_late_one_arrive(box);
    g_autofree char *left = servers_ask(&box->servers, 0, "EXISTS sluice:locks", false);
    assert_string_equal(g_strchomp(left), ":0");
    cut_end(box);
}

/* Two patterns overlap with ours. The lock of the one is nobody's any more; of the other it still keeps us out. */
static void of_overlapping_locks_one_run_s_alone_are_taken_over(void **state)
{
    enum { OVER, OPEN, OURS, N };
    static const char *const NAMES[N] = {"cut:a*", "cut:b*", "cut:*"};
    struct box *box = *state;
    GError *error = NULL;
    struct dataset ds[N];
    struct call call[N];
    struct store_lock locks[N];
    servers_or_skip(&box->servers);
    cut_begin(box);
    for (size_t i = 0; i < N; i++) {
        ds[i] = (struct dataset){.name = NAMES[i], .form = FORM_RAW};
        call[i] = cut_call_of(box);
        call[i].ds = &ds[i];
        locks[i] = (struct store_lock){.run = NAMES[i], .host = "h", .home = "/h", .run_uid = {(uint8_t)(i + 1)}};
    }
    memcpy(locks[OURS].over_uid, locks[OVER].run_uid, sizeof locks[OURS].over_uid);
    for (size_t i = 0; i < OURS; i++)
        kit_ok(store_lock(box->session, &call[i], &locks[i], false, &error));
    struct store_lock io = locks[OURS];
    kit_refused(store_lock(box->session, &call[OURS], &io, false, &error), LOCKED, "'cut:b*' is locked");
    assert_int_equal(io.run_uid[0], locks[OPEN].run_uid[0]);
    kit_ok(store_unlock(box->session, &call[OPEN], locks[OPEN].run_uid, &error));
    kit_ok(store_lock(box->session, &call[OURS], &locks[OURS], false, &error));
    kit_ok(store_unlock(box->session, &call[OURS], locks[OURS].run_uid, &error));
    g_autofree char *left = servers_ask(&box->servers, 0, "EXISTS sluice:locks", false);
    assert_string_equal(g_strchomp(left), ":0");
    cut_end(box);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_write_that_does_not_arrive_is_not_marked),
        cmocka_unit_test(a_write_whose_answer_is_lost_is_marked),
        cmocka_unit_test(a_write_that_arrives_after_the_fence_was_read_does_nothing),
        cmocka_unit_test(a_process_that_wakes_writes_nothing),
        cmocka_unit_test(an_older_home_is_refused_and_disturbs_nobody),
        cmocka_unit_test(a_fence_deleted_by_hand_is_told),
        cmocka_unit_test(what_is_pruned_stands_in_the_record),
        cmocka_unit_test(a_record_that_arrives_late_takes_no_marks_away),
        cmocka_unit_test(a_takeover_vouches_for_older_writes_only),
        cmocka_unit_test(an_epoch_of_which_nobody_was_told_is_written_under_by_nobody),
        cmocka_unit_test(who_makes_a_fence_anew_for_a_lost_write_asks_for_the_lock),
        cmocka_unit_test(a_takeover_is_with_the_replicas),
        cmocka_unit_test(a_right_that_is_missing_leaves_no_mark),
        cmocka_unit_test(nothing_stays_behind_the_last_lock),
        cmocka_unit_test(of_overlapping_locks_one_run_s_alone_are_taken_over),
    };
    return cmocka_run_group_tests(tests, cut_set_up, cut_tear_down);
}
