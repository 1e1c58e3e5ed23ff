#include "conformance/stand.h"

static void assert_stands(struct stand *stand, struct slice key, int64_t value)
{
    struct record record = stand_read(stand, key);
    assert_int_equal(record.presence, RECORD_PRESENT);
    assert_int_equal(stand_value(stand, record.raw), value);
}

static bool applied(struct stand *stand, uint64_t number)
{
    struct fence fence = stand_fence(stand);
    assert_true(fence.present && fence.n > 0);
    return fence_lane_applied(&fence.lanes[fence.n - 1], number);
}

static void absent_creates_only_where_nothing_is(struct stand *stand)
{
    struct slice key = slice_of_text("key");
    struct cas_op op = {.key = key, .raw = stand_raw(stand, 1, 0), .number = ++stand->number};
    assert_int_equal(stand_cas(stand, &op), CAS_WRITTEN);
    assert_stands(stand, key, 1);
    struct cas_op second = {.key = key, .raw = stand_raw(stand, 2, 0), .number = ++stand->number};
    assert_int_equal(stand_cas(stand, &second), CAS_CHANGED);
    assert_stands(stand, key, 1);
}

static void an_etag_that_holds_lets_the_write_pass(struct stand *stand)
{
    struct slice key = slice_of_text("key");
    stand_put(stand, key, 1, EXPIRES_NEVER);
    struct cas_op op = stand_op(stand, key, 2);
    assert_int_equal(stand_cas(stand, &op), CAS_WRITTEN);
    assert_stands(stand, key, 2);
}

static void a_change_is_met_with_the_live_image(struct stand *stand)
{
    struct slice key = slice_of_text("key");
    stand_put(stand, key, 1, EXPIRES_NEVER);
    struct cas_op op = stand_op(stand, key, 2);
    stand_put(stand, key, 50, stand_now_ms(stand) + 1000);
    struct record live = stand_read(stand, key);
    assert_int_equal(stand_cas(stand, &op), CAS_CHANGED);
    assert_true(slice_equal(op.live.key, key));
    assert_true(slice_equal(op.live.raw, live.raw));
    assert_int_equal(op.live.presence, RECORD_PRESENT);
    assert_int_equal(op.live.expires_at_ms, live.expires_at_ms);
    assert_int_equal(op.live.etag.len, live.etag.len);
    assert_memory_equal(op.live.etag.bytes, live.etag.bytes, live.etag.len);
    assert_stands(stand, key, 50);
}

static void a_live_image_is_good_for_the_next_try(struct stand *stand)
{
    struct slice key = slice_of_text("key");
    stand_put(stand, key, 1, EXPIRES_NEVER);
    struct cas_op op = stand_op(stand, key, 2);
    stand_put(stand, key, 50, EXPIRES_NEVER);
    assert_int_equal(stand_cas(stand, &op), CAS_CHANGED);
    assert_false(applied(stand, op.number));
    op.etag = op.live.etag;
    assert_int_equal(stand_cas(stand, &op), CAS_WRITTEN);
    assert_true(applied(stand, op.number));
    assert_stands(stand, key, 2);
}

static void a_vanished_record_is_a_change(struct stand *stand)
{
    struct slice key = slice_of_text("key");
    stand_put(stand, key, 1, EXPIRES_NEVER);
    struct cas_op stale = stand_op(stand, key, 2);
    struct cas_op removal = stand_op(stand, key, 0);
    removal.verb = CAS_DELETE;
    assert_int_equal(stand_cas(stand, &removal), CAS_WRITTEN);
    assert_int_equal(stand_cas(stand, &stale), CAS_CHANGED);
    assert_int_equal(stale.live.presence, RECORD_ABSENT);
    assert_int_equal(stand_read(stand, key).presence, RECORD_ABSENT);
}

static void a_delete_removes_what_its_etag_names(struct stand *stand)
{
    struct slice key = slice_of_text("key");
    stand_put(stand, key, 1, EXPIRES_NEVER);
    struct cas_op stale = stand_op(stand, key, 0);
    stale.verb = CAS_DELETE;
    stand_put(stand, key, 2, EXPIRES_NEVER);
    assert_int_equal(stand_cas(stand, &stale), CAS_CHANGED);
    assert_stands(stand, key, 2);
    struct cas_op op = stand_op(stand, key, 0);
    op.verb = CAS_DELETE;
    assert_int_equal(stand_cas(stand, &op), CAS_WRITTEN);
    assert_int_equal(stand_read(stand, key).presence, RECORD_ABSENT);
    assert_true(applied(stand, op.number));
}

static void a_delete_of_nothing_is_marked(struct stand *stand)
{
    struct cas_op op = {.key = slice_of_text("key"), .verb = CAS_DELETE, .number = ++stand->number};
    assert_int_equal(stand_cas(stand, &op), CAS_WRITTEN);
    assert_true(applied(stand, op.number));
}

/* Brought back by someone else, the old value has its old etag: only the number tells that the write was done. */
static void a_repeated_number_is_done_and_not_written_again(struct stand *stand)
{
    struct slice key = slice_of_text("key");
    stand_put(stand, key, 1, EXPIRES_NEVER);
    struct cas_op op = stand_op(stand, key, 2);
    assert_int_equal(stand_cas(stand, &op), CAS_WRITTEN);
    assert_int_equal(stand_cas(stand, &op), CAS_DONE);
    stand_put(stand, key, 1, EXPIRES_NEVER);
    assert_int_equal(stand_cas(stand, &op), CAS_DONE);
    assert_stands(stand, key, 1);
}

static void a_settled_number_is_never_written(struct stand *stand)
{
    struct slice key = slice_of_text("key");
    struct cas_op op = stand_op(stand, key, 1);
    op.number = 3;
    stand->lane.base = 5;
    assert_int_equal(stand_cas(stand, &op), CAS_DONE);
    assert_int_equal(stand_read(stand, key).presence, RECORD_ABSENT);
    stand->number = 5;
}

/* One call with every outcome in it; what passes is written, whatever happens to its neighbours. */
static void outcomes_are_per_operation(struct stand *stand)
{
    GError *error = NULL;
    stand_fill(stand, 10);
    struct call call = stand_call(stand);
    struct cas_op ops[5];
    for (unsigned i = 0; i < 5; i++)
        ops[i] = stand_op(stand, stand_key(stand, i), 100 + i);
    ops[1].etag.bytes[0] ^= 1;
    ops[2].number = 1;
    ops[3].raw = slice_of_text("no document");
    ops[4].verb = CAS_DELETE;
    kit_ok(store_cas(stand->session, &call, &stand->lane, ops, 5, &error));
    static const enum cas_outcome expected[] = {CAS_WRITTEN, CAS_CHANGED, CAS_DONE, CAS_REFUSED, CAS_WRITTEN};
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(ops[i].outcome, expected[i]);
    assert_stands(stand, ops[0].key, 100);
    for (unsigned i = 1; i < 4; i++)
        assert_stands(stand, ops[i].key, i);
    assert_int_equal(stand_read(stand, ops[4].key).presence, RECORD_ABSENT);
    assert_true(applied(stand, ops[0].number) && applied(stand, ops[4].number));
    assert_false(applied(stand, ops[1].number) || applied(stand, ops[3].number));
}

static void what_the_store_cannot_hold_is_refused(struct stand *stand)
{
    g_autofree char *long_key = g_strnfill(100000, 'k');
    struct cas_op op = stand_op(stand, slice_of_text("key"), 1);
    op.key = slice_of(long_key, 100000);
    assert_int_equal(stand_cas(stand, &op), CAS_REFUSED);
    assert_int_equal(op.fault.code, SLUICE_ERROR_TOO_BIG);
    op = stand_op(stand, slice_of_text("key"), 1);
    g_autofree char *much = g_malloc0(DOCUMENT_BYTES + 100);
    op.raw = slice_of(much, DOCUMENT_BYTES + 100);
    assert_int_equal(stand_cas(stand, &op), CAS_REFUSED);
    assert_int_equal(op.fault.code, SLUICE_ERROR_TOO_BIG);
    op.raw = slice_of("\x07\0\0\0\0", 5);
    assert_int_equal(stand_cas(stand, &op), CAS_REFUSED);
    assert_int_equal(op.fault.code, SLUICE_ERROR_UNWRITABLE);
    assert_int_equal(stand_read(stand, op.key).presence, RECORD_ABSENT);
}

static void numbers_out_of_range_are_a_fault_of_the_caller(struct stand *stand)
{
    GError *error = NULL;
    struct call call = stand_call(stand);
    static const uint64_t numbers[] = {0, UINT64_C(1) << 40, UINT64_MAX};
    for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++) {
        struct cas_op op = stand_op(stand, slice_of_text("key"), 1);
        op.number = numbers[i];
        kit_refused(store_cas(stand->session, &call, &stand->lane, &op, 1, &error), INTERNAL, "number");
        assert_int_equal(op.outcome, CAS_NOT_SENT);
    }
    assert_int_equal(stand_read(stand, slice_of_text("key")).presence, RECORD_ABSENT);
}

static void a_live_image_without_room_is_a_fault(struct stand *stand)
{
    GError *error = NULL;
    struct slice key = slice_of_text("key");
    struct cas_op op = stand_op(stand, key, 1);
    op.raw = stand_raw(stand, 1, 300 << 10);
    assert_int_equal(stand_cas(stand, &op), CAS_WRITTEN);
    auto_(arena) small = arena_new(100 << 10);
    struct call call = {.ds = &stand->ds, .mem = small};
    struct cas_op stale = {.key = key, .raw = stand_raw(stand, 2, 0), .number = ++stand->number};
    kit_ok(store_cas(stand->session, &call, &stand->lane, &stale, 1, &error));
    assert_int_equal(stale.outcome, CAS_CHANGED);
    assert_int_equal(stale.live.presence, RECORD_FAULT);
    assert_int_equal(stale.live.fault.code, SLUICE_ERROR_TOO_BIG);
}

#define WRITES (NEEDS(READ) | NEEDS(CAS) | NEEDS(FENCE) | NEEDS(SCAN))

const struct conformance_case cas_cases[] = {
    {"absent-creates-only-where-nothing-is", WRITES, absent_creates_only_where_nothing_is},
    {"an-etag-that-holds-lets-the-write-pass", WRITES, an_etag_that_holds_lets_the_write_pass},
    {"a-change-is-met-with-the-live-image", WRITES, a_change_is_met_with_the_live_image},
    {"a-live-image-is-good-for-the-next-try", WRITES, a_live_image_is_good_for_the_next_try},
    {"a-vanished-record-is-a-change", WRITES, a_vanished_record_is_a_change},
    {"a-delete-removes-what-its-etag-names", WRITES, a_delete_removes_what_its_etag_names},
    {"a-delete-of-nothing-is-marked", WRITES, a_delete_of_nothing_is_marked},
    {"a-repeated-number-is-done-and-not-written-again", WRITES, a_repeated_number_is_done_and_not_written_again},
    {"a-settled-number-is-never-written", WRITES, a_settled_number_is_never_written},
    {"outcomes-are-per-operation", WRITES, outcomes_are_per_operation},
    {"what-the-store-cannot-hold-is-refused", WRITES, what_the_store_cannot_hold_is_refused},
    {"numbers-out-of-range-are-a-fault-of-the-caller", WRITES, numbers_out_of_range_are_a_fault_of_the_caller},
    {"a-live-image-without-room-is-a-fault", WRITES, a_live_image_without_room_is_a_fault},
    {NULL, 0, NULL},
};
