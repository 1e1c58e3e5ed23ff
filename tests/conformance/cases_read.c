#include "conformance/stand.h"

/* --- moments ------------------------------------------------------------------------------------------------------ */

static struct slice moment_of(struct stand *stand)
{
    GError *error = NULL;
    struct slice moment;
    struct call call = stand_call(stand);
    kit_ok(store_moment(stand->session, &call, &moment, &error));
    return moment;
}

/* The first case of all: of a server on which keys expire nobody can tell. */
static void a_moment_lasts_until_something_is_changed(struct stand *stand)
{
    struct slice key = stand_key(stand, 3);
    stand_fill(stand, 50);
    struct slice moment = moment_of(stand), next;
    assert_true((moment.len > 0) == (session_driver(stand->session)->moment != NULL));
    assert_int_equal(stand_read(stand, key).presence, RECORD_PRESENT);
    assert_true(slice_equal(moment_of(stand), moment));
    stand_put(stand, key, 3, EXPIRES_NEVER); /* the same once more */
    next = moment_of(stand);
    assert_true(next.len == 0 || !slice_equal(next, moment));
    struct cas_op op = stand_op(stand, key, 0);
    op.verb = CAS_DELETE;
    assert_int_equal(stand_cas(stand, &op), CAS_WRITTEN);
    moment = moment_of(stand);
    assert_true(next.len == 0 || !slice_equal(next, moment));
}

static void nobody_can_tell_where_something_expires(struct stand *stand)
{
    stand_put(stand, stand_key(stand, 1), 1, stand_now_ms(stand) + 60000);
    assert_int_equal(moment_of(stand).len, 0);
}

/* --- records ------------------------------------------------------------------------------------------------------ */

static void an_absent_key_is_absent(struct stand *stand)
{
    struct record record = stand_read(stand, slice_of_text("nothing here"));
    assert_int_equal(record.presence, RECORD_ABSENT);
    assert_int_equal(record.etag.len, 0);
}

static void what_was_written_is_read_back(struct stand *stand)
{
    struct slice key = slice_of_text("key");
    int64_t expires_at_ms = stand_now_ms(stand) + 60000;
    stand_put(stand, key, 42, expires_at_ms);
    struct record record = stand_read(stand, key);
    assert_int_equal(record.presence, RECORD_PRESENT);
    assert_int_equal(record.expires_at_ms, expires_at_ms);
    assert_int_equal(stand_value(stand, record.raw), 42);
    assert_true(record.etag.len > 0 && record.etag.len <= sizeof(record.etag.bytes));
}

static void each_key_gets_its_own_answer_in_any_order(struct stand *stand)
{
    GError *error = NULL;
    stand_fill(stand, 50);
    struct call call = stand_call(stand);
    struct record records[200];
    for (unsigned i = 0; i < 200; i++)
        records[i] = (struct record){.key = stand_key(stand, i * 37 % 200)};
    kit_ok(store_read(stand->session, &call, records, 200, &error));
    for (unsigned i = 0; i < 200; i++) {
        unsigned key = i * 37 % 200;
        assert_true(slice_equal(records[i].key, stand_key(stand, key)));
        assert_int_equal(records[i].presence, key < 50 ? RECORD_PRESENT : RECORD_ABSENT);
        if (key < 50)
            assert_int_equal(stand_value(stand, records[i].raw), key);
    }
}

/* Dense sorted keys, sparse sorted ones, and a gap between: drivers choose different ways. */
static void sorted_keys_are_all_answered(struct stand *stand)
{
    GError *error = NULL;
    stand_fill(stand, 1000);
    struct call call = stand_call(stand);
    struct record records[400];
    for (unsigned i = 0; i < 400; i++)
        records[i] = (struct record){.key = stand_key(stand, i < 200 ? i : i < 300 ? 200 + (i - 200) * 7 : 5000 + i)};
    kit_ok(store_read(stand->session, &call, records, 400, &error));
    for (unsigned i = 0; i < 400; i++) {
        unsigned key = i < 200 ? i : i < 300 ? 200 + (i - 200) * 7 : 5000 + i;
        assert_int_equal(records[i].presence, key < 1000 ? RECORD_PRESENT : RECORD_ABSENT);
        if (key < 1000)
            assert_int_equal(stand_value(stand, records[i].raw), key);
    }
}

/* Who compares values asks for less: presence and bytes are the same. */
static void what_is_not_asked_for_makes_no_other_record(struct stand *stand)
{
    GError *error = NULL;
    stand_fill(stand, 20);
    stand_put(stand, stand_key(stand, 3), 33, stand_now_ms(stand) + 60000);
    struct call call = stand_call(stand);
    for (unsigned way = 0; way < 4; way++) {
        struct record records[21];
        call.no_etag = way & 1;
        call.no_expiry = way & 2;
        for (unsigned i = 0; i < 21; i++)
            records[i] = (struct record){.key = stand_key(stand, i)};
        kit_ok(store_read(stand->session, &call, records, 21, &error));
        for (unsigned i = 0; i < 21; i++) {
            struct record whole = stand_read(stand, stand_key(stand, i));
            assert_int_equal(records[i].presence, i < 20 ? RECORD_PRESENT : RECORD_ABSENT);
            assert_true(slice_equal(records[i].raw, whole.raw));
            assert_true(call.no_expiry || records[i].expires_at_ms == whole.expires_at_ms);
            assert_true(call.no_etag || call.no_expiry ||
                        (records[i].etag.len == whole.etag.len &&
                         memcmp(records[i].etag.bytes, whole.etag.bytes, whole.etag.len) == 0));
        }
    }
}

static void a_record_past_its_expiry_is_absent(struct stand *stand)
{
    struct slice key = slice_of_text("mortal");
    int64_t expires_at_ms = stand_now_ms(stand) + 1000;
    stand_put(stand, key, 1, expires_at_ms);
    struct etag before = stand_read(stand, key).etag;
    stand_pass(stand, stand->subject->own_time ? 0 : expires_at_ms - 1);
    assert_int_equal(stand_read(stand, key).presence, RECORD_PRESENT);
    stand_pass(stand, expires_at_ms + stand->subject->own_time); /* a server of its own keeps it to the end of it */
    struct record gone = stand_read(stand, key);
    assert_int_equal(gone.presence, RECORD_ABSENT);
    assert_int_equal(gone.etag.len, 0);
    size_t n;
    stand_scan(stand, &(struct scan_spec){.keys_only = true}, &n);
    assert_int_equal(n, 0);
    struct cas_op op = stand_op(stand, key, 2);
    op.etag = before;
    assert_int_equal(stand_cas(stand, &op), CAS_CHANGED);
    assert_int_equal(op.live.presence, RECORD_ABSENT);
    stand_put(stand, key, 3, EXPIRES_NEVER);
    assert_int_equal(stand_value(stand, stand_read(stand, key).raw), 3);
}

static void assert_etags_differ(const struct etag *a, const struct etag *b)
{
    assert_true(a->len != b->len || memcmp(a->bytes, b->bytes, a->len) != 0);
}

static void the_etag_changes_with_the_value(struct stand *stand)
{
    struct slice key = slice_of_text("key");
    stand_put(stand, key, 1, EXPIRES_NEVER);
    struct etag one = stand_read(stand, key).etag;
    struct etag again = stand_read(stand, key).etag;
    assert_memory_equal(&one, &again, sizeof(one));
    stand_put(stand, key, 2, EXPIRES_NEVER);
    struct etag two = stand_read(stand, key).etag;
    assert_etags_differ(&one, &two);
}

static void the_etag_changes_with_the_expiry_alone(struct stand *stand)
{
    struct slice key = slice_of_text("key");
    struct etag etags[3];
    int64_t now_ms = stand_now_ms(stand);
    int64_t expiries[3] = {EXPIRES_NEVER, now_ms + 5000, now_ms + 5001};
    for (int i = 0; i < 3; i++) {
        stand_put(stand, key, 1, expiries[i]);
        etags[i] = stand_read(stand, key).etag;
    }
    assert_etags_differ(&etags[0], &etags[1]);
    assert_etags_differ(&etags[1], &etags[2]);
}

static void empty_binary_and_long_keys_are_keys(struct stand *stand)
{
    g_autofree char *thousands = g_strnfill(60000, 'q');
    const struct slice keys[] = {
        SLICE_EMPTY,         slice_of("\0", 1),   slice_of("\0\0", 2),     slice_of("a\0b", 3),
        slice_of("a\0c", 3), slice_of("\xff", 1), slice_of("\xff\xff", 2), slice_of(thousands, 60000),
        slice_of_text("a")};
    size_t first = stand->subject->no_empty_key ? 1 : 0;
    for (size_t i = first; i < G_N_ELEMENTS(keys); i++)
        stand_put(stand, keys[i], (int64_t)i, EXPIRES_NEVER);
    for (size_t i = first; i < G_N_ELEMENTS(keys); i++)
        assert_int_equal(stand_value(stand, stand_read(stand, keys[i]).raw), i);
    size_t n;
    struct record *records = stand_scan(stand, &(struct scan_spec){.max_records = 1}, &n);
    assert_int_equal(n, G_N_ELEMENTS(keys) - first);
    for (size_t i = 1; i < n; i++)
        assert_true(slice_compare(records[i - 1].key, records[i].key) < 0);
}

static void values_of_megabytes_are_kept(struct stand *stand)
{
    struct slice key = slice_of_text("big");
    struct cas_op op = stand_op(stand, key, 1);
    op.raw = stand_raw(stand, 7, 5 << 20);
    assert_int_equal(stand_cas(stand, &op), CAS_WRITTEN);
    struct record record = stand_read(stand, key);
    assert_int_equal(record.presence, RECORD_PRESENT);
    assert_true(slice_equal(record.raw, op.raw));
}

/* However much of them has to be looked at before. */
static void large_records_give_way_to_small_ones(struct stand *stand)
{
    enum { KEYS = 8, STALE = 5 };
    GError *error = NULL;
    struct call call = stand_call(stand);
    struct cas_op ops[KEYS];
    struct slice stale = SLICE_EMPTY;
    for (unsigned i = 0; i < KEYS; i++) {
        ops[i] = stand_op(stand, stand_key(stand, i), (int64_t)i);
        ops[i].raw = stand_raw(stand, (int64_t)i, 100 << 10);
        stale = i == STALE ? ops[i].raw : stale;
    }
    kit_ok(store_cas(stand->session, &call, &stand->lane, ops, KEYS, &error));
    for (unsigned i = 0; i < KEYS; i++) {
        struct etag etag = stand_read(stand, ops[i].key).etag;
        ops[i] = stand_op(stand, ops[i].key, 100 + (int64_t)i);
        ops[i].etag = etag;
    }
    ops[STALE].etag.bytes[0] ^= 1;
    kit_ok(store_cas(stand->session, &call, &stand->lane, ops, KEYS, &error));
    for (unsigned i = 0; i < KEYS; i++) {
        assert_int_equal(ops[i].outcome, i == STALE ? CAS_CHANGED : CAS_WRITTEN);
        assert_int_equal(stand_value(stand, stand_read(stand, ops[i].key).raw), i == STALE ? i : 100 + i);
    }
    assert_int_equal(ops[STALE].live.presence, RECORD_PRESENT);
    assert_true(slice_equal(ops[STALE].live.raw, stale));
}

static void what_does_not_fit_into_the_arena_is_named(struct stand *stand)
{
    GError *error = NULL;
    struct slice key = slice_of_text("wide");
    struct cas_op op = stand_op(stand, key, 1);
    op.raw = stand_raw(stand, 7, 300 << 10);
    assert_int_equal(stand_cas(stand, &op), CAS_WRITTEN);
    auto_(arena) small = arena_new(100 << 10);
    struct call call = {.ds = &stand->ds, .mem = small};
    struct record record = {.key = key};
    kit_refused(store_read(stand->session, &call, &record, 1, &error), TOO_BIG, "wide");
}

static void raw_and_document_are_one(struct stand *stand)
{
    GError *error = NULL;
    const struct store_driver *driver = session_driver(stand->session);
    struct slice document = stand_document(stand, 11, 100), raw, back, again;
    struct digest told, canonical;
    kit_ok(store_encode(driver, &stand->ds, document, stand->mem, &raw, &error));
    struct cas_op op = stand_op(stand, slice_of_text("key"), 0);
    op.raw = raw;
    assert_int_equal(stand_cas(stand, &op), CAS_WRITTEN);
    struct record record = stand_read(stand, slice_of_text("key"));
    assert_true(slice_equal(record.raw, raw));
    kit_ok(store_decode(driver, &stand->ds, record.raw, stand->mem, &back, &error));
    assert_int_equal(stand_value(stand, record.raw), 11);
    kit_ok(digest_canonical(back, 7, &canonical, &error));
    assert_int_equal(store_digest(driver, &stand->ds, record.raw, 7, &told), driver->digest != NULL);
    assert_true(!driver->digest || digest_equal(told, canonical));
    kit_ok(store_encode(driver, &stand->ds, back, stand->mem, &again, &error));
    assert_true(slice_equal(again, raw));
    if (!driver->decode)
        assert_true(slice_equal(back, document));
}

static void a_dataset_never_written_is_empty(struct stand *stand)
{
    GError *error = NULL;
    g_autofree char *name = g_strconcat("never-written", stand->subject->dataset, NULL);
    stand->ds.name = name;
    struct call call = stand_call(stand);
    struct store_info info;
    kit_ok(store_inspect(stand->session, &call, &info, &error));
    assert_false(info.dataset_present);
    assert_int_equal(stand_read(stand, slice_of_text("key")).presence, RECORD_ABSENT);
    size_t n;
    stand_scan(stand, &(struct scan_spec){.keys_only = true}, &n);
    assert_int_equal(n, 0);
    kit_ok(store_inspect(stand->session, &call, &info, &error));
    assert_false(info.dataset_present);
}

#define WRITES (NEEDS(READ) | NEEDS(CAS) | NEEDS(FENCE) | NEEDS(SCAN))

const struct conformance_case read_cases[] = {
    {"a-moment-lasts-until-something-is-changed", WRITES, a_moment_lasts_until_something_is_changed},
    {"an-absent-key-is-absent", NEEDS(READ), an_absent_key_is_absent},
    {"what-was-written-is-read-back", WRITES, what_was_written_is_read_back},
    {"each-key-gets-its-own-answer-in-any-order", WRITES, each_key_gets_its_own_answer_in_any_order},
    {"sorted-keys-are-all-answered", WRITES, sorted_keys_are_all_answered},
    {"what-is-not-asked-for-makes-no-other-record", WRITES, what_is_not_asked_for_makes_no_other_record},
    {"a-record-past-its-expiry-is-absent", WRITES, a_record_past_its_expiry_is_absent},
    {"the-etag-changes-with-the-value", WRITES, the_etag_changes_with_the_value},
    {"the-etag-changes-with-the-expiry-alone", WRITES, the_etag_changes_with_the_expiry_alone},
    {"empty-binary-and-long-keys-are-keys", WRITES, empty_binary_and_long_keys_are_keys},
    {"values-of-megabytes-are-kept", WRITES, values_of_megabytes_are_kept},
    {"large-records-give-way-to-small-ones", WRITES, large_records_give_way_to_small_ones},
    {"what-does-not-fit-into-the-arena-is-named", WRITES, what_does_not_fit_into_the_arena_is_named},
    {"raw-and-document-are-one", WRITES, raw_and_document_are_one},
    {"a-dataset-never-written-is-empty", WRITES, a_dataset_never_written_is_empty},
    {"nobody-can-tell-where-something-expires", WRITES, nobody_can_tell_where_something_expires},
    {NULL, 0, NULL},
};
