#include "conformance/stand.h"

static void lane_open(struct stand *stand, const struct lane *lane, struct fence *ret_before)
{
    GError *error = NULL;
    struct call call = stand_call(stand);
    kit_ok(store_lane_open(stand->session, &call, lane, ret_before, &error));
}

static void lane_close(struct stand *stand, const struct lane *lane)
{
    struct lane next = *lane;
    struct fence before;
    next.lane++;
    lane_open(stand, &next, &before);
}

static struct fence fence_read(struct stand *stand, const struct fence_id *id)
{
    GError *error = NULL;
    struct call call = stand_call(stand);
    struct fence fence;
    kit_ok(store_fence_read(stand->session, &call, id, &fence, &error));
    return fence;
}

static enum cas_outcome write_in(struct stand *stand, const struct lane *lane, const char *key, uint64_t number)
{
    GError *error = NULL;
    struct call call = stand_call(stand);
    struct cas_op op = stand_op(stand, slice_of_text(key), 1);
    op.number = number;
    kit_ok(store_cas(stand->session, &call, lane, &op, 1, &error));
    return op.outcome;
}

static void assert_not_written(struct stand *stand, const char *key)
{
    assert_int_equal(stand_read(stand, slice_of_text(key)).presence, RECORD_ABSENT);
}

static void a_closed_lane_fences(struct stand *stand)
{
    assert_int_equal(write_in(stand, &stand->lane, "before", 1), CAS_WRITTEN);
    lane_close(stand, &stand->lane);
    assert_int_equal(write_in(stand, &stand->lane, "after", 2), CAS_FENCED);
    assert_int_equal(write_in(stand, &stand->lane, "before", 1), CAS_FENCED);
    assert_not_written(stand, "after");
    struct fence fence = stand_fence(stand);
    assert_false(fence.lanes[0].open);
    assert_true(fence_lane_applied(&fence.lanes[0], 1));
    assert_false(fence_lane_applied(&fence.lanes[0], 2));
}

static void a_new_lane_fences_the_old_one(struct stand *stand)
{
    assert_int_equal(write_in(stand, &stand->lane, "a", 1), CAS_WRITTEN);
    struct lane next = stand->lane;
    next.lane = 5;
    struct fence before;
    lane_open(stand, &next, &before);
    assert_true(before.present);
    assert_int_equal(before.highest, 1);
    assert_true(before.lanes[0].open && fence_lane_applied(&before.lanes[0], 1));
    assert_int_equal(write_in(stand, &stand->lane, "b", 2), CAS_FENCED);
    assert_not_written(stand, "b");
    assert_int_equal(write_in(stand, &next, "b", 1), CAS_WRITTEN);
    struct fence fence = stand_fence(stand);
    assert_int_equal(fence.n, 2);
    assert_int_equal(fence.highest, 5);
    assert_false(fence.lanes[0].open);
    assert_true(fence.lanes[1].open);
    assert_true(fence_lane_applied(&fence.lanes[0], 1) && fence_lane_applied(&fence.lanes[1], 1));
}

static void an_unknown_lane_or_fence_is_fenced(struct stand *stand)
{
    struct lane unknown = stand->lane;
    unknown.lane = 2;
    assert_int_equal(write_in(stand, &unknown, "a", 1), CAS_FENCED);
    unknown = (struct lane){.lane = 1, .fence = stand_other_run(stand)};
    assert_int_equal(write_in(stand, &unknown, "a", 1), CAS_FENCED);
    assert_not_written(stand, "a");
    assert_false(fence_read(stand, &unknown.fence).present);
}

static void a_lane_not_above_the_highest_is_behind(struct stand *stand)
{
    GError *error = NULL;
    struct call call = stand_call(stand);
    struct lane lane = stand->lane;
    struct fence before;
    lane.lane = 4;
    lane_open(stand, &lane, &before);
    for (uint32_t i = 0; i <= 4; i++) {
        lane.lane = i;
        kit_refused(store_lane_open(stand->session, &call, &lane, &before, &error), BEHIND, "older");
    }
    struct fence fence = stand_fence(stand);
    assert_int_equal(fence.highest, 4);
    assert_true(fence.lanes[fence.n - 1].open);
}

/* Numbers with holes, in any order, against a plain list of what was written. */
static void the_fence_tells_exactly_what_was_applied(struct stand *stand)
{
    GError *error = NULL;
    enum { HIGHEST = 300 };
    bool wrote[HIGHEST + 64] = {false};
    struct call call = stand_call(stand);
    for (unsigned i = 0; i < 120; i++) {
        uint64_t number = fake_next(&stand->seed) % HIGHEST + 1;
        struct cas_op op = {.key = stand_key(stand, (unsigned)number), .number = number};
        op.raw = stand_raw(stand, 1, 0);
        kit_ok(store_cas(stand->session, &call, &stand->lane, &op, 1, &error));
        assert_int_equal(op.outcome, wrote[number] ? CAS_DONE : CAS_WRITTEN);
        wrote[number] = true;
    }
    struct fence fence = stand_fence(stand);
    assert_int_equal(fence.n, 1);
    for (uint64_t number = 1; number < G_N_ELEMENTS(wrote); number++)
        assert_int_equal(fence_lane_applied(&fence.lanes[0], number), wrote[number]);
}

/* The base moves by any distance, within a byte and beyond the bitmap; what lies above it stays exact. */
static void a_base_that_moves_forgets_what_is_below(struct stand *stand)
{
    static const uint64_t bases[] = {0, 1, 3, 8, 9, 16, 21, 40, 40, 39, 90, 500};
    uint64_t number = 0, base = 0;
    for (size_t i = 0; i < G_N_ELEMENTS(bases); i++) {
        stand->lane.base = bases[i];
        base = MAX(base, bases[i]);
        number = MAX(number + 3, base + 1);
        g_autofree char *key = g_strdup_printf("n%u", (unsigned)number);
        assert_int_equal(write_in(stand, &stand->lane, key, number), CAS_WRITTEN);
        struct fence fence = stand_fence(stand);
        assert_int_equal(fence.lanes[0].base, base);
        for (uint64_t n = base + 1; n <= number + 70; n++) {
            g_autofree char *name = g_strdup_printf("n%u", (unsigned)n);
            bool there = stand_read(stand, slice_of_text(name)).presence == RECORD_PRESENT;
            assert_int_equal(fence_lane_applied(&fence.lanes[0], n), there);
        }
    }
}

static void a_lane_may_begin_above_a_base(struct stand *stand)
{
    struct lane lane = stand->lane;
    lane.lane = 2;
    lane.base = 1000;
    struct fence before;
    lane_open(stand, &lane, &before);
    assert_int_equal(write_in(stand, &lane, "a", 1000), CAS_DONE);
    assert_int_equal(write_in(stand, &lane, "a", 1001), CAS_WRITTEN);
}

static void runs_and_partitions_do_not_mix(struct stand *stand)
{
    struct lane other = {.lane = 1, .fence = stand_other_run(stand)};
    struct lane next_part = stand->lane;
    next_part.fence.part++;
    struct fence before;
    lane_open(stand, &other, &before);
    lane_open(stand, &next_part, &before);
    assert_false(before.present);
    assert_int_equal(write_in(stand, &stand->lane, "a", 1), CAS_WRITTEN);
    assert_int_equal(write_in(stand, &other, "b", 1), CAS_WRITTEN);
    lane_close(stand, &stand->lane);
    assert_int_equal(write_in(stand, &other, "c", 2), CAS_WRITTEN);
    assert_int_equal(write_in(stand, &next_part, "d", 1), CAS_WRITTEN);
    struct fence fence = stand_fence(stand);
    assert_false(fence_lane_applied(&fence.lanes[0], 2));
}

static void a_drop_removes_all_fences_of_its_run_only(struct stand *stand)
{
    GError *error = NULL;
    struct call call = stand_call(stand);
    struct lane other = {.lane = 1, .fence = stand_other_run(stand)}, far = stand->lane;
    struct fence before;
    far.fence.part = UINT32_MAX;
    lane_open(stand, &other, &before);
    lane_open(stand, &far, &before);
    for (int again = 0; again < 2; again++)
        kit_ok(store_fence_drop(stand->session, &call, stand->lane.fence.run, &error));
    assert_false(stand_fence(stand).present);
    assert_false(fence_read(stand, &far.fence).present);
    assert_true(fence_read(stand, &other.fence).present);
    assert_int_equal(write_in(stand, &stand->lane, "a", 1), CAS_FENCED);
}

static void fences_and_records_outlive_the_store(struct stand *stand)
{
    GError *error = NULL;
    struct call call = stand_call(stand);
    assert_int_equal(write_in(stand, &stand->lane, "a", 9), CAS_WRITTEN);
    kit_ok(store_settle(stand->session, &call, &error));
    stand_close(stand);
    stand_open(stand);
    assert_int_equal(stand_read(stand, slice_of_text("a")).presence, RECORD_PRESENT);
    struct fence fence = stand_fence(stand);
    assert_true(fence.present && fence.lanes[0].open);
    assert_true(fence_lane_applied(&fence.lanes[0], 9));
    assert_false(fence_lane_applied(&fence.lanes[0], 8));
    assert_int_equal(write_in(stand, &stand->lane, "b", 10), CAS_WRITTEN);
}

#define FENCES (NEEDS(READ) | NEEDS(CAS) | NEEDS(FENCE) | NEEDS(SCAN))

const struct conformance_case fence_cases[] = {
    {"a-closed-lane-fences", FENCES, a_closed_lane_fences},
    {"a-new-lane-fences-the-old-one", FENCES, a_new_lane_fences_the_old_one},
    {"an-unknown-lane-or-fence-is-fenced", FENCES, an_unknown_lane_or_fence_is_fenced},
    {"a-lane-not-above-the-highest-is-behind", FENCES, a_lane_not_above_the_highest_is_behind},
    {"the-fence-tells-exactly-what-was-applied", FENCES, the_fence_tells_exactly_what_was_applied},
    {"a-base-that-moves-forgets-what-is-below", FENCES, a_base_that_moves_forgets_what_is_below},
    {"a-lane-may-begin-above-a-base", FENCES, a_lane_may_begin_above_a_base},
    {"runs-and-partitions-do-not-mix", FENCES, runs_and_partitions_do_not_mix},
    {"a-drop-removes-all-fences-of-its-run-only", FENCES, a_drop_removes_all_fences_of_its_run_only},
    {"fences-and-records-outlive-the-store", FENCES | NEEDS(SETTLE), fences_and_records_outlive_the_store},
    {NULL, 0, NULL},
};
