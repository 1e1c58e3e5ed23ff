/* What each planned fault does to the call, and to the store behind it. */
#include "kit/fake_world.h"
#include "kit/kit.h"
#include "store/calls.h"
#include "store/fault/fault.h"
#include "store/mem/mem.h"

struct bench {
    struct fake_world fake;
    struct mem_space *space;
    struct mem_driver mem;
    struct fault_plan plan;
    struct fault_driver driver;
    struct store_registry *registry;
    struct store *store;
    struct session *session;
    struct arena *arena;
    struct dataset ds;
    struct lane lane;
    const struct store_driver *drivers[2];
};

static void bench_init(struct bench *bench)
{
    GError *error = NULL;
    *bench =
        (struct bench){.space = mem_space_new(), .arena = arena_new(1 << 20), .ds = {.name = "d"}, .lane = {.lane = 1}};
    fake_world_init(&bench->fake);
    mem_driver_init(&bench->mem, bench->space);
    fault_plan_init(&bench->plan);
    fault_driver_init(&bench->driver, &bench->mem.table, &bench->plan);
    bench->drivers[0] = &bench->driver.table;
    bench->registry = store_registry_new(&bench->fake.world, bench->drivers);
    kit_ok(store_open(&bench->store, bench->registry, &(struct store_config){.uri = "mem:x"}, &error));
    kit_ok(store_session_open(&bench->session, bench->store, &error));
    struct call call = {.ds = &bench->ds, .mem = bench->arena};
    struct fence before;
    kit_ok(store_lane_open(bench->session, &call, &bench->lane, &before, &error));
}

static void bench_done(struct bench *bench)
{
    store_session_close(bench->session);
    store_release(bench->registry, bench->store);
    store_registry_free(bench->registry);
    fault_plan_done(&bench->plan);
    mem_space_free(bench->space);
    arena_free(bench->arena);
}

static void plan_one(struct bench *bench, const struct fault_row *row)
{
    bench->plan.rows = row;
    bench->plan.n = 1;
}

static struct call bench_call(struct bench *bench)
{
    return (struct call){.ds = &bench->ds, .mem = bench->arena};
}

enum { OPS = 5 };

static bool write_five(struct bench *bench, struct cas_op *ops, GError **error)
{
    static const char *const keys[OPS] = {"a", "b", "c", "d", "e"};
    struct call call = bench_call(bench);
    for (size_t i = 0; i < OPS; i++)
        ops[i] = (struct cas_op){.key = slice_of_text(keys[i]), .raw = document_empty(), .number = i + 1};
    return store_cas(bench->session, &call, &bench->lane, ops, OPS, error);
}

/* How many of the five are in the store, by its fence. */
static size_t applied(struct bench *bench)
{
    GError *error = NULL;
    struct call call = bench_call(bench);
    struct fence fence;
    kit_ok(store_fence_read(bench->session, &call, &bench->lane.fence, &fence, &error));
    size_t n = 0;
    for (uint64_t number = 1; number <= OPS; number++)
        n += fence_lane_applied(&fence.lanes[0], number);
    return n;
}

static void a_transient_fault_happens_before_anything(void **state)
{
    GError *error = NULL;
    struct bench bench;
    struct cas_op ops[OPS];
    bench_init(&bench);
    plan_one(&bench, &(struct fault_row){.op = FAULT_CAS, .nth = 1, .effect = FAULT_TRANSIENT});
    kit_refused(write_five(&bench, ops, &error), UNREACHABLE, "planned fault in cas");
    for (size_t i = 0; i < OPS; i++)
        assert_int_equal(ops[i].outcome, CAS_NOT_SENT);
    assert_int_equal(applied(&bench), 0);
    kit_ok(write_five(&bench, ops, &error));
    assert_int_equal(applied(&bench), OPS);
    assert_int_equal(bench.plan.fired[FAULT_CAS], 1);
    assert_int_equal(bench.plan.calls[FAULT_CAS], 2);
    bench_done(&bench);
}

static void a_fatal_fault_may_last(void **state)
{
    GError *error = NULL;
    struct bench bench;
    struct call call;
    bench_init(&bench);
    plan_one(&bench, &(struct fault_row){.op = FAULT_SETTLE, .nth = 2, .lasting = true, .effect = FAULT_FATAL});
    call = bench_call(&bench);
    kit_ok(store_settle(bench.session, &call, &error));
    kit_refused(store_settle(bench.session, &call, &error), STORE, "settle");
    kit_refused(store_settle(bench.session, &call, &error), STORE, "settle");
    bench_done(&bench);
}

static void a_lost_reply_has_taken_effect(void **state)
{
    GError *error = NULL;
    struct bench bench;
    struct cas_op ops[OPS];
    bench_init(&bench);
    plan_one(&bench, &(struct fault_row){.op = FAULT_CAS, .nth = 1, .effect = FAULT_LOST});
    kit_refused(write_five(&bench, ops, &error), TIMED_OUT, "cas");
    for (size_t i = 0; i < OPS; i++)
        assert_int_equal(ops[i].outcome, CAS_UNKNOWN);
    assert_int_equal(applied(&bench), OPS);
    kit_ok(write_five(&bench, ops, &error));
    for (size_t i = 0; i < OPS; i++)
        assert_int_equal(ops[i].outcome, CAS_DONE);
    bench_done(&bench);
}

static void a_torn_write_applies_a_beginning_and_tells_less(void **state)
{
    GError *error = NULL;
    struct bench bench;
    struct cas_op ops[OPS];
    bench_init(&bench);
    plan_one(&bench, &(struct fault_row){.op = FAULT_CAS, .nth = 1, .effect = FAULT_TORN, .applied = 3, .known = 2});
    kit_refused(write_five(&bench, ops, &error), UNREACHABLE, "cas");
    for (size_t i = 0; i < OPS; i++)
        assert_int_equal(ops[i].outcome, i < 2 ? CAS_WRITTEN : CAS_UNKNOWN);
    assert_int_equal(applied(&bench), 3);
    kit_ok(write_five(&bench, ops, &error));
    for (size_t i = 0; i < OPS; i++)
        assert_int_equal(ops[i].outcome, i < 3 ? CAS_DONE : CAS_WRITTEN);
    bench_done(&bench);
}

static void a_slow_call_is_late_only_past_its_deadline(void **state)
{
    GError *error = NULL;
    struct bench bench;
    struct call call;
    struct cas_op op = {.key = slice_of_text("k"), .raw = document_empty(), .number = 1};
    bench_init(&bench);
    plan_one(&bench,
             &(struct fault_row){.op = FAULT_CAS, .nth = 1, .lasting = true, .effect = FAULT_SLOW, .slow_us = 1000});
    call = bench_call(&bench);
    int64_t began_us = bench.fake.now_us;
    call.deadline_us = began_us + 1500;
    kit_ok(store_cas(bench.session, &call, &bench.lane, &op, 1, &error));
    assert_int_equal(op.outcome, CAS_WRITTEN);
    assert_int_equal(bench.fake.now_us, began_us + 1000);
    op.number = 2;
    op.key = slice_of_text("l");
    kit_refused(store_cas(bench.session, &call, &bench.lane, &op, 1, &error), TIMED_OUT, "cas");
    assert_int_equal(op.outcome, CAS_UNKNOWN);
    assert_int_equal(applied(&bench), 2);
    bench_done(&bench);
}

static void a_lost_lane_open_has_opened_the_lane(void **state)
{
    GError *error = NULL;
    struct bench bench;
    struct call call;
    struct fence fence;
    bench_init(&bench);
    plan_one(&bench, &(struct fault_row){.op = FAULT_LANE_OPEN, .nth = 2, .effect = FAULT_LOST});
    call = bench_call(&bench);
    struct lane next = {.lane = 2};
    kit_refused(store_lane_open(bench.session, &call, &next, &fence, &error), TIMED_OUT, "lane_open");
    kit_ok(store_fence_read(bench.session, &call, &next.fence, &fence, &error));
    assert_int_equal(fence.highest, 2);
    assert_true(fence.lanes[1].open);
    bench_done(&bench);
}

static struct fault_row every_third(void *self, enum fault_op op, size_t ops)
{
    size_t *asked = self;
    bool fires = op == FAULT_READ && ++*asked % 3 == 0;
    return (struct fault_row){.effect = fires ? FAULT_TRANSIENT : FAULT_NONE};
}

static void a_plan_may_be_decided_call_by_call(void **state)
{
    GError *error = NULL;
    struct bench bench;
    struct call call;
    size_t asked = 0;
    bench_init(&bench);
    bench.plan.decide = every_third;
    bench.plan.decide_self = &asked;
    call = bench_call(&bench);
    struct record record = {.key = slice_of_text("k")};
    for (size_t i = 1; i <= 9; i++) {
        if (i % 3)
            kit_ok(store_read(bench.session, &call, &record, 1, &error));
        else
            kit_refused(store_read(bench.session, &call, &record, 1, &error), UNREACHABLE, "read");
    }
    assert_int_equal(bench.plan.fired[FAULT_READ], 3);
    bench_done(&bench);
}

/* The sweep that suites run: the n-th call of any kind, for n = 1, 2, … until none is left. */
static void any_counts_calls_of_all_kinds(void **state)
{
    struct bench bench;
    bench_init(&bench);
    uint64_t before = bench.plan.calls[FAULT_ANY];
    struct fault_row row = {.op = FAULT_ANY, .nth = before + 2, .effect = FAULT_TRANSIENT};
    plan_one(&bench, &row);
    struct call call = bench_call(&bench);
    assert_true(store_settle(bench.session, &call, NULL));
    struct record record = {.key = slice_of_text("k")};
    assert_false(store_read(bench.session, &call, &record, 1, NULL));
    assert_true(store_settle(bench.session, &call, NULL));
    assert_int_equal(bench.plan.fired[FAULT_READ], 1);
    assert_string_equal(fault_op_name(FAULT_READ), "read");
    bench_done(&bench);
}

static void what_the_inner_driver_lacks_is_lacking(void **state)
{
    struct store_driver lame = mem_driver;
    lame.split = NULL;
    lame.write = NULL;
    struct fault_plan plan;
    fault_plan_init(&plan);
    struct fault_driver driver;
    fault_driver_init(&driver, &lame, &plan);
    for (enum capability i = 0; i < CAN_COUNT; i++)
        assert_int_equal(store_can(&driver.table, i), store_can(&lame, i));
    assert_false(store_can(&driver.table, CAN_CAS));
    fault_plan_done(&plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_transient_fault_happens_before_anything),
        cmocka_unit_test(a_fatal_fault_may_last),
        cmocka_unit_test(a_lost_reply_has_taken_effect),
        cmocka_unit_test(a_torn_write_applies_a_beginning_and_tells_less),
        cmocka_unit_test(a_slow_call_is_late_only_past_its_deadline),
        cmocka_unit_test(a_lost_lane_open_has_opened_the_lane),
        cmocka_unit_test(a_plan_may_be_decided_call_by_call),
        cmocka_unit_test(any_counts_calls_of_all_kinds),
        cmocka_unit_test(what_the_inner_driver_lacks_is_lacking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
