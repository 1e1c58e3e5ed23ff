/* A run's shadow over a dataset: unseen from the dataset, conditioned by it, and dropped. */
#include "conformance/stand.h"

static const uint8_t OTHER_RUN[16] = {0x51, 0xad, 0x0e};

/* The case's dataset with the shadow of the stand's run over it. */
static struct dataset shadow_of(const struct stand *stand)
{
    struct dataset ds = stand->ds;
    ds.shadow = stand->lane.fence.run;
    return ds;
}

static enum cas_outcome shadow_cas(struct stand *stand, struct cas_op *op)
{
    GError *error = NULL;
    struct dataset ds = shadow_of(stand);
    struct call call = stand_call(stand);
    call.ds = &ds;
    kit_ok(store_cas(stand->session, &call, &stand->lane, op, 1, &error));
    return op->outcome;
}

static struct record shadow_read(struct stand *stand, struct slice key)
{
    GError *error = NULL;
    struct dataset ds = shadow_of(stand);
    struct record record = {.key = key};
    struct call call = stand_call(stand);
    call.ds = &ds;
    kit_ok(store_read(stand->session, &call, &record, 1, &error));
    return record;
}

static struct cas_op shadow_op(struct stand *stand, struct slice key, int64_t value)
{
    return (struct cas_op){
        .key = key, .raw = stand_raw(stand, value, 0), .etag = shadow_read(stand, key).etag, .number = ++stand->number};
}

static void put(struct stand *stand, struct slice key, int64_t value)
{
    struct cas_op op = shadow_op(stand, key, value);
    assert_int_equal(shadow_cas(stand, &op), CAS_WRITTEN);
}

static void delete (struct stand *stand, struct slice key)
{
    struct cas_op op = shadow_op(stand, key, 0);
    op.verb = CAS_DELETE;
    if (shadow_cas(stand, &op) == CAS_REFUSED)
        fail_msg("refused: %s", op.fault.text);
    assert_int_equal(op.outcome, CAS_WRITTEN);
}

static void assert_value(struct stand *stand, struct record record, int64_t value)
{
    assert_int_equal(record.presence, RECORD_PRESENT);
    assert_int_equal(stand_value(stand, record.raw), value);
}

static void drop(struct stand *stand)
{
    GError *error = NULL;
    struct call call = stand_call(stand);
    kit_ok(store_shadow_drop(stand->session, &call, stand->lane.fence.run, &error));
}

static void what_is_written_is_seen_through_the_shadow_alone(struct stand *stand)
{
    struct slice key = slice_of_text("key"), fresh = slice_of_text("new");
    stand_put(stand, key, 1, EXPIRES_NEVER);
    put(stand, key, 2);
    put(stand, fresh, 3);
    assert_value(stand, shadow_read(stand, key), 2);
    assert_value(stand, shadow_read(stand, fresh), 3);
    assert_value(stand, stand_read(stand, key), 1);
    assert_int_equal(stand_read(stand, fresh).presence, RECORD_ABSENT);
    put(stand, key, 4);
    assert_value(stand, shadow_read(stand, key), 4);
    assert_value(stand, stand_read(stand, key), 1);
    drop(stand);
}

static void a_key_without_one_shows_the_live_record(struct stand *stand)
{
    struct slice key = slice_of_text("key");
    stand_put(stand, key, 1, EXPIRES_NEVER);
    struct record live = stand_read(stand, key), shown = shadow_read(stand, key);
    assert_true(slice_equal(live.raw, shown.raw));
    assert_int_equal(live.etag.len, shown.etag.len);
    assert_memory_equal(live.etag.bytes, shown.etag.bytes, live.etag.len);
    assert_int_equal(shadow_read(stand, slice_of_text("none")).presence, RECORD_ABSENT);
}

static void a_deletion_stands_there_and_the_record_stays_live(struct stand *stand)
{
    struct slice key = slice_of_text("key");
    stand_put(stand, key, 1, EXPIRES_NEVER);
    delete (stand, key);
    assert_int_equal(shadow_read(stand, key).presence, RECORD_ABSENT);
    assert_value(stand, stand_read(stand, key), 1);
    put(stand, key, 5);
    assert_value(stand, shadow_read(stand, key), 5);
    drop(stand);
    assert_value(stand, shadow_read(stand, key), 1);
}

static void a_live_change_is_met_with_the_live_image(struct stand *stand)
{
    struct slice key = slice_of_text("key");
    stand_put(stand, key, 1, EXPIRES_NEVER);
    struct cas_op op = shadow_op(stand, key, 9);
    stand_put(stand, key, 2, EXPIRES_NEVER);
    assert_int_equal(shadow_cas(stand, &op), CAS_CHANGED);
    assert_value(stand, op.live, 2);
    op.etag = op.live.etag;
    assert_int_equal(shadow_cas(stand, &op), CAS_WRITTEN);
    assert_value(stand, shadow_read(stand, key), 9);
    struct cas_op absent = {.key = slice_of_text("k2"), .raw = stand_raw(stand, 1, 0), .number = ++stand->number};
    stand_put(stand, absent.key, 7, EXPIRES_NEVER);
    assert_int_equal(shadow_cas(stand, &absent), CAS_CHANGED);
    assert_value(stand, absent.live, 7);
    drop(stand);
}

/* Once a record stands in the shadow its own etag is asked, whatever becomes of the live one. */
static void a_record_of_the_shadow_has_an_etag_of_its_own(struct stand *stand)
{
    struct slice key = slice_of_text("key");
    stand_put(stand, key, 1, EXPIRES_NEVER);
    struct etag live = stand_read(stand, key).etag;
    put(stand, key, 1); /* the same content, beside it */
    struct cas_op op = shadow_op(stand, key, 2);
    struct etag beside = op.etag;
    op.etag = live;
    assert_int_equal(shadow_cas(stand, &op), CAS_CHANGED);
    assert_value(stand, op.live, 1);
    stand_put(stand, key, 3, EXPIRES_NEVER);
    op.etag = beside;
    assert_int_equal(shadow_cas(stand, &op), CAS_WRITTEN);
    assert_value(stand, shadow_read(stand, key), 2);
    drop(stand);
}

static void its_numbers_are_those_of_the_lane(struct stand *stand)
{
    struct slice key = slice_of_text("key");
    struct cas_op op = shadow_op(stand, key, 1);
    assert_int_equal(shadow_cas(stand, &op), CAS_WRITTEN);
    assert_int_equal(shadow_cas(stand, &op), CAS_DONE);
    struct fence fence = stand_fence(stand);
    assert_true(fence_lane_applied(&fence.lanes[fence.n - 1], op.number));
    drop(stand);
}

static void a_record_of_the_shadow_does_not_expire(struct stand *stand)
{
    struct slice key = slice_of_text("key");
    int64_t soon = stand_now_ms(stand) + 50;
    struct cas_op op = shadow_op(stand, key, 1);
    op.expires_at_ms = soon;
    assert_int_equal(shadow_cas(stand, &op), CAS_WRITTEN);
    stand_pass(stand, soon + 50);
    struct record record = shadow_read(stand, key);
    assert_value(stand, record, 1);
    assert_int_equal(record.expires_at_ms, soon);
    drop(stand);
}

static void no_scan_gives_it(struct stand *stand)
{
    size_t n;
    struct slice key = slice_of_text("key");
    stand_put(stand, key, 1, EXPIRES_NEVER);
    put(stand, key, 2);
    put(stand, slice_of_text("new"), 3);
    struct record *records = stand_scan(stand, &(struct scan_spec){0}, &n);
    assert_int_equal(n, 1);
    assert_value(stand, records[0], 1);
    drop(stand);
}

static void a_drop_takes_the_shadow_of_one_run_alone_and_may_be_repeated(struct stand *stand)
{
    GError *error = NULL;
    struct slice key = slice_of_text("key"), gone = slice_of_text("gone");
    struct call call = stand_call(stand);
    stand_put(stand, key, 1, EXPIRES_NEVER);
    stand_put(stand, gone, 2, EXPIRES_NEVER);
    put(stand, key, 3);
    delete (stand, gone);
    kit_ok(store_shadow_drop(stand->session, &call, OTHER_RUN, &error));
    assert_value(stand, shadow_read(stand, key), 3);
    drop(stand);
    drop(stand);
    assert_value(stand, shadow_read(stand, key), 1);
    assert_value(stand, shadow_read(stand, gone), 2);
}

/* What a promotion sends: the value is in the shadow as well. */
static enum cas_outcome promote(struct stand *stand, struct cas_op *op)
{
    GError *error = NULL;
    struct call call = stand_call(stand);
    call.promotes = stand->lane.fence.run;
    kit_ok(store_cas(stand->session, &call, &stand->lane, op, 1, &error));
    return op->outcome;
}

static void promoted_it_is_the_live_record(struct stand *stand)
{
    struct slice key = slice_of_text("key"), fresh = slice_of_text("new");
    int64_t later = stand_now_ms(stand) + 3600000;
    stand_put(stand, key, 1, EXPIRES_NEVER);
    put(stand, key, 2);
    put(stand, fresh, 3);
    struct cas_op over = stand_op(stand, key, 2), into = stand_op(stand, fresh, 3);
    into.expires_at_ms = later;
    assert_int_equal(promote(stand, &over), CAS_WRITTEN);
    assert_int_equal(promote(stand, &into), CAS_WRITTEN);
    assert_int_equal(promote(stand, &into), CAS_DONE);
    assert_value(stand, stand_read(stand, key), 2);
    assert_value(stand, stand_read(stand, fresh), 3);
    assert_int_equal(stand_read(stand, fresh).expires_at_ms, later);
    drop(stand);
    assert_value(stand, stand_read(stand, key), 2);
}

/* Without its etag nothing is promoted; without its shadow, or where another record stands there, the value is written
 * as it was given. */
static void a_promotion_is_a_cas_like_any_other(struct stand *stand)
{
    struct slice key = slice_of_text("key"), lost = slice_of_text("lost");
    stand_put(stand, key, 1, EXPIRES_NEVER);
    put(stand, key, 2);
    struct cas_op stale = stand_op(stand, key, 2);
    stand_put(stand, key, 7, EXPIRES_NEVER);
    assert_int_equal(promote(stand, &stale), CAS_CHANGED);
    assert_value(stand, stand_read(stand, key), 7);
    assert_value(stand, shadow_read(stand, key), 2);
    struct cas_op again = stand_op(stand, key, 2), none = stand_op(stand, lost, 4);
    assert_int_equal(promote(stand, &again), CAS_WRITTEN);
    assert_int_equal(promote(stand, &none), CAS_WRITTEN);
    assert_value(stand, stand_read(stand, key), 2);
    assert_value(stand, stand_read(stand, lost), 4);
    drop(stand);
}

static void a_promotion_deletes(struct stand *stand)
{
    struct slice key = slice_of_text("key");
    stand_put(stand, key, 1, EXPIRES_NEVER);
    delete (stand, key);
    struct cas_op op = stand_op(stand, key, 0);
    op.verb = CAS_DELETE;
    assert_int_equal(promote(stand, &op), CAS_WRITTEN);
    assert_int_equal(stand_read(stand, key).presence, RECORD_ABSENT);
    drop(stand);
    assert_int_equal(stand_read(stand, key).presence, RECORD_ABSENT);
}

static void many_keys_of_one_call_are_told_apart(struct stand *stand)
{
    enum { KEYS = 60 };
    GError *error = NULL;
    struct dataset ds = shadow_of(stand);
    struct call call = stand_call(stand);
    struct record records[KEYS];
    stand_fill(stand, KEYS);
    for (unsigned i = 0; i < KEYS; i += 3)
        put(stand, stand_key(stand, i), 1000 + i);
    for (unsigned i = 1; i < KEYS; i += 3)
        delete (stand, stand_key(stand, i));
    for (unsigned i = 0; i < KEYS; i++)
        records[i] = (struct record){.key = stand_key(stand, KEYS - 1 - i)};
    call.ds = &ds;
    kit_ok(store_read(stand->session, &call, records, KEYS, &error));
    for (unsigned i = 0; i < KEYS; i++) {
        unsigned key = KEYS - 1 - i;
        if (key % 3 == 1)
            assert_int_equal(records[i].presence, RECORD_ABSENT);
        else
            assert_value(stand, records[i], key % 3 == 0 ? 1000 + key : key);
    }
    drop(stand);
}

#define SHADOWS (NEEDS(READ) | NEEDS(CAS) | NEEDS(FENCE) | NEEDS(SCAN) | NEEDS(SHADOW))

const struct conformance_case shadow_cases[] = {
    {"what-is-written-is-seen-through-the-shadow-alone", SHADOWS, what_is_written_is_seen_through_the_shadow_alone},
    {"a-key-without-one-shows-the-live-record", SHADOWS, a_key_without_one_shows_the_live_record},
    {"a-deletion-stands-there-and-the-record-stays-live", SHADOWS, a_deletion_stands_there_and_the_record_stays_live},
    {"a-live-change-is-met-through-the-shadow", SHADOWS, a_live_change_is_met_with_the_live_image},
    {"a-record-of-the-shadow-has-an-etag-of-its-own", SHADOWS, a_record_of_the_shadow_has_an_etag_of_its_own},
    {"its-numbers-are-those-of-the-lane", SHADOWS, its_numbers_are_those_of_the_lane},
    {"a-record-of-the-shadow-does-not-expire", SHADOWS, a_record_of_the_shadow_does_not_expire},
    {"no-scan-gives-it", SHADOWS, no_scan_gives_it},
    {"a-drop-takes-the-shadow-of-one-run-alone-and-may-be-repeated", SHADOWS,
     a_drop_takes_the_shadow_of_one_run_alone_and_may_be_repeated},
    {"promoted-it-is-the-live-record", SHADOWS, promoted_it_is_the_live_record},
    {"a-promotion-is-a-cas-like-any-other", SHADOWS, a_promotion_is_a_cas_like_any_other},
    {"a-promotion-deletes", SHADOWS, a_promotion_deletes},
    {"many-keys-of-one-call-are-told-apart", SHADOWS, many_keys_of_one_call_are_told_apart},
    {NULL, 0, NULL},
};
