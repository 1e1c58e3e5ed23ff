#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#include "unit/undo/logs.h"

#include "kit/fake_disk.h"

static struct undo_tail tail_of(struct logs *logs, uint32_t part, struct undo_position from, struct arena *mem)
{
    GError *error = NULL;
    struct undo_tail tail = {0};
    kit_ok(undo_tail_read(&tail, &logs->config, part, from, mem, &error));
    return tail;
}

static const struct undo_position BEGINNING = {0, 0};

static void what_was_appended_is_read_back_by_partition(void **state)
{
    struct logs logs;
    logs_init(&logs, *state);
    logs_open(&logs);
    struct move moves[] = {{"a", "1", "2"}, {"b", NULL, "x"}, {"c", "9", NULL}};
    struct undo_position at = logs_intents(&logs, 7, 2, 40, moves, 3);
    logs_write(&logs, 8, 1, "other", "1", "2");
    logs_outcomes(&logs, 7, 2, 40, 2, 1);
    logs_sync(&logs);
    assert_int_equal(at.segment, 1);

    auto_(arena) mem = arena_new(1 << 20);
    struct undo_tail tail = tail_of(&logs, 7, BEGINNING, mem);
    assert_int_equal(tail.n, 3);
    assert_int_equal(tail.n_damage, 0);
    kit_equal_text(tail.entries[0].key, "a");
    assert_true(digest_equal(tail.entries[0].before, digest_stored(slice_of_text("1"), EXPIRES_NEVER)));
    assert_int_equal(tail.entries[0].number, 40);
    assert_int_equal(tail.entries[0].sequence, 1);
    assert_int_equal(tail.entries[0].lane, 2);
    assert_int_equal(tail.entries[0].state, UNDO_APPLIED);
    assert_true(digest_equal(tail.entries[0].written, logs_digest("2")));
    assert_true(digest_is_zero(tail.entries[1].before));
    assert_int_equal(tail.entries[1].state, UNDO_NOT_APPLIED);
    assert_int_equal(tail.entries[2].verb, UNDO_DELETE);
    assert_int_equal(tail.entries[2].state, UNDO_UNKNOWN);
    assert_true(digest_equal(tail.entries[2].written, (struct digest){0, 0}));
    logs_done(&logs);
}

static void expiries_of_all_signs_and_empty_values_survive(void **state)
{
    struct logs logs;
    logs_init(&logs, *state);
    logs_open(&logs);
    static const int64_t expiries[] = {0, 1, -1, INT64_MAX, INT64_MIN, 1783700000123};
    struct undo_intent intents[G_N_ELEMENTS(expiries)];
    for (size_t i = 0; i < G_N_ELEMENTS(expiries); i++)
        intents[i] = (struct undo_intent){
            .key = slice_of("k\0ey", i % 5), .pre_present = true, .pre_expires_at_ms = expiries[i]};
    struct undo_batch batch = {.part = 1, .lane = 1, .first_number = 1, .intents = intents, .n = G_N_ELEMENTS(intents)};
    struct undo_position at;
    GError *error = NULL;
    kit_ok(undo_intents_durable(logs.log, &batch, &at, &error));
    auto_(arena) mem = arena_new(1 << 20);
    struct undo_tail tail = tail_of(&logs, 1, at, mem);
    assert_int_equal(tail.n, G_N_ELEMENTS(expiries));
    for (size_t i = 0; i < tail.n; i++) {
        assert_true(slice_equal(tail.entries[i].key, slice_of("k\0ey", i % 5)));
        assert_true(digest_equal(tail.entries[i].before, digest_stored(SLICE_EMPTY, expiries[i])));
    }
    logs_done(&logs);
}

static void each_process_begins_a_segment_and_the_tail_spans_them(void **state)
{
    struct logs logs;
    logs_init(&logs, *state);
    for (uint64_t i = 1; i <= 4; i++) {
        logs_open(&logs);
        struct undo_position at = logs_write(&logs, 3, i, "k", "1", "2");
        assert_int_equal(at.segment, i);
    }
    logs_close(&logs);
    auto_(arena) mem = arena_new(1 << 20);
    assert_int_equal(tail_of(&logs, 3, BEGINNING, mem).n, 4);
    assert_int_equal(tail_of(&logs, 3, (struct undo_position){3, 0}, mem).n, 2);
    assert_int_equal(tail_of(&logs, 4, BEGINNING, mem).n, 0);
    logs_done(&logs);
}

static void an_outcome_of_a_later_segment_settles_an_entry(void **state)
{
    struct logs logs;
    logs_init(&logs, *state);
    logs_open(&logs);
    struct move moves[] = {{"a", "1", "2"}, {"b", "1", "2"}};
    logs_intents(&logs, 3, 1, 10, moves, 2);
    logs_open(&logs);
    logs_outcomes(&logs, 3, 1, 10, 2, 2);
    logs_outcomes(&logs, 3, 2, 10, 2, 3); /* another lane's numbers are its own */
    logs_sync(&logs);
    auto_(arena) mem = arena_new(1 << 20);
    struct undo_tail tail = tail_of(&logs, 3, BEGINNING, mem);
    assert_int_equal(tail.n, 2);
    assert_int_equal(tail.entries[0].state, UNDO_NOT_APPLIED);
    assert_int_equal(tail.entries[1].state, UNDO_APPLIED);
    logs_done(&logs);
}

static void a_late_tail_reads_no_earlier_segment(void **state)
{
    struct logs logs;
    logs_init(&logs, *state);
    g_autofree char *value = g_strnfill(4096, 'v');
    for (uint64_t i = 1; i <= 20; i++) {
        logs_open(&logs);
        for (uint64_t j = 0; j < 50; j++)
            logs_write(&logs, 3, i * 100 + j, "k", value, "2");
    }
    struct undo_position at = logs_write(&logs, 9, 1, "mine", value, "2");
    logs_close(&logs);
    auto_(arena) mem = arena_new(1 << 20);
    uint64_t opened = logs.fake.opened, reads = logs.fake.reads;
    assert_int_equal(tail_of(&logs, 9, at, mem).n, 1);
    assert_int_equal(logs.fake.opened - opened, 2); /* manifest, segment */
    assert_in_range(logs.fake.reads - reads, 1, 12);
    logs_done(&logs);
}

static void a_full_segment_is_closed_and_the_next_one_begun(void **state)
{
    struct logs logs;
    logs_init(&logs, *state);
    logs.config.segment_bytes = 4000;
    logs_open(&logs);
    g_autofree char *value = g_strnfill(1000, 'v');
    for (uint64_t i = 1; i <= 40; i++)
        logs_write(&logs, 1, i, "k", NULL, value);
    struct undo_position here = undo_here(logs.log);
    assert_true(here.segment > 1);
    logs_close(&logs);
    auto_(arena) mem = arena_new(1 << 20);
    struct undo_tail tail = tail_of(&logs, 1, BEGINNING, mem);
    assert_int_equal(tail.n, 40);
    for (size_t i = 0; i < tail.n; i++) {
        assert_int_equal(tail.entries[i].number, i + 1);
        assert_int_equal(tail.entries[i].state, UNDO_APPLIED);
    }
    logs_done(&logs);
}

/* However large records are: a run that writes over large ones can be resumed in the memory it was begun in. */
static void a_tail_takes_no_room_for_pre_images(void **state)
{
    struct logs logs;
    enum { N = 8 };
    logs_init(&logs, *state);
    logs_open(&logs);
    g_autofree char *value = g_strnfill(1 << 20, 'v');
    for (uint64_t i = 1; i <= N; i++)
        logs_write(&logs, 1, i, "k", value, "x");
    auto_(arena) mem = arena_new(8192);
    struct undo_tail tail = tail_of(&logs, 1, BEGINNING, mem);
    assert_int_equal(tail.n, N);
    for (size_t i = 0; i < tail.n; i++)
        assert_true(digest_equal(tail.entries[i].before, digest_stored(slice_of_text(value), EXPIRES_NEVER)));
    logs_done(&logs);
}

/* --- what crashes leave ------------------------------------------------------------------------------------------- */

static void a_tail_torn_at_any_byte_loses_only_its_last_block(void **state)
{
    struct logs logs;
    logs_init(&logs, *state);
    logs_open(&logs);
    logs_write(&logs, 1, 1, "kept", "1", "2");
    struct move moves[] = {{"torn", "some pre-image", "2"}, {"torn too", NULL, "x"}};
    struct undo_position last = logs_intents(&logs, 1, 1, 2, moves, 2);
    logs_close(&logs);
    g_autofree char *path = logs_segment(&logs, 1);
    g_autoptr(GByteArray) whole = logs_bytes(path);
    auto_(arena) mem = arena_new(1 << 20);
    for (size_t len = last.offset; len < whole->len; len++) {
        logs_put_bytes(path, whole->data, len);
        arena_reset(mem);
        struct undo_tail tail = tail_of(&logs, 1, BEGINNING, mem);
        assert_int_equal(tail.n, 1);
        assert_int_equal(tail.entries[0].state, UNDO_APPLIED);
        assert_int_equal(tail.n_damage, len > last.offset);
        if (tail.n_damage) {
            assert_false(tail.damage[0].proven);
            assert_int_equal(tail.damage[0].at.offset, last.offset);
        }
    }
    logs_put_bytes(path, whole->data, whole->len);
    assert_int_equal(tail_of(&logs, 1, BEGINNING, mem).n, 3);
    logs_done(&logs);
}

static void a_bit_flipped_below_what_was_durable_is_proven_damage(void **state)
{
    struct logs logs;
    logs_init(&logs, *state);
    logs_open(&logs);
    struct undo_position first = logs_write(&logs, 1, 1, "a", "1", "2");
    struct undo_position second = logs_write(&logs, 1, 2, "b", "1", "2");
    logs_write(&logs, 1, 3, "c", "1", "2");
    logs_write(&logs, 1, 4, "d", "1", "2");
    logs_close(&logs);
    g_autofree char *path = logs_segment(&logs, 1);
    g_autoptr(GByteArray) whole = logs_bytes(path);
    auto_(arena) mem = arena_new(1 << 20);
    uint64_t outcome = 0; /* the block between: an outcome */
    for (size_t at = first.offset; at < second.offset; at++) {
        logs_put_bytes(path, whole->data, whole->len);
        logs_flip(path, at);
        arena_reset(mem);
        struct undo_tail tail = tail_of(&logs, 1, BEGINNING, mem);
        assert_int_equal(tail.n_damage, 1);
        assert_true(tail.damage[0].proven);
        assert_true(tail.damage[0].part == 1 || tail.damage[0].part == UINT32_MAX);
        if (tail.damage[0].at.offset == first.offset) {
            assert_int_equal(tail.n, 3);
            kit_equal_text(tail.entries[0].key, "b");
        } else {
            outcome = tail.damage[0].at.offset;
            assert_int_equal(tail.n, 4);
            assert_int_equal(tail.entries[0].state, UNDO_UNKNOWN);
        }
        assert_int_equal(tail.entries[tail.n - 1].state, UNDO_APPLIED);
    }
    assert_in_range(outcome, first.offset + 1, second.offset - 1);
    logs_done(&logs);
}

/* After a loss of power the pages of one sync may be there in any order. */
static void a_block_that_no_sync_covered_is_not_proven_though_others_follow(void **state)
{
    struct logs logs;
    logs_init(&logs, *state);
    logs_open(&logs);
    logs_write(&logs, 1, 1, "a", "1", "2");
    logs_sync(&logs);
    uint64_t lost = undo_here(logs.log).offset;
    logs_outcomes(&logs, 1, 1, 7, 8, 0xff);
    logs_outcomes(&logs, 2, 1, 7, 8, 0xff);
    logs_close(&logs);
    g_autofree char *path = logs_segment(&logs, 1);
    logs_flip(path, lost);
    auto_(arena) mem = arena_new(1 << 20);
    struct undo_tail tail = tail_of(&logs, 1, BEGINNING, mem);
    assert_int_equal(tail.n_damage, 1);
    assert_false(tail.damage[0].proven);
    assert_int_equal(tail.damage[0].at.offset, lost);
    logs_done(&logs);
}

static void damage_in_a_closed_segment_is_proven_to_its_last_byte(void **state)
{
    struct logs logs;
    logs_init(&logs, *state);
    logs.config.segment_bytes = 1000;
    logs_open(&logs);
    struct undo_position last = {0, 0};
    for (uint64_t i = 1; undo_here(logs.log).segment == 1; i++)
        last = logs_write(&logs, 1, i, "k", "1", "2");
    logs_close(&logs);
    g_autofree char *path = logs_segment(&logs, 1);
    g_autoptr(GByteArray) whole = logs_bytes(path);
    auto_(arena) mem = arena_new(1 << 20);
    for (size_t len = 0; len < whole->len; len++) {
        logs_put_bytes(path, whole->data, len);
        arena_reset(mem);
        struct undo_tail tail = tail_of(&logs, 1, BEGINNING, mem);
        assert_true(tail.n_damage > 0);
        assert_true(tail.damage[tail.n_damage - 1].proven);
    }
    assert_int_equal(last.segment, 1);
    logs_done(&logs);
}

static void a_segment_that_is_gone_is_damage_as_a_whole(void **state)
{
    struct logs logs;
    logs_init(&logs, *state);
    logs_open(&logs);
    logs_write(&logs, 1, 1, "a", "1", "2");
    logs_open(&logs);
    logs_write(&logs, 1, 2, "b", "1", "2");
    logs_close(&logs);
    g_autofree char *path = logs_segment(&logs, 1);
    auto_(arena) mem = arena_new(1 << 20);
    logs_put_bytes(path, (const uint8_t *)"too short", 9);
    for (int i = 0; i < 2; i++) {
        struct undo_tail tail = tail_of(&logs, 1, BEGINNING, mem);
        assert_int_equal(tail.n, 1);
        kit_equal_text(tail.entries[0].key, "b");
        assert_int_equal(tail.n_damage, 1);
        assert_int_equal(tail.damage[0].at.segment, 1);
        assert_true(tail.damage[0].proven);
        remove(path);
    }
    logs_done(&logs);
}

static void a_bit_flipped_in_a_segments_header_costs_no_key(void **state)
{
    struct logs logs;
    logs_init(&logs, *state);
    logs_open(&logs);
    logs_write(&logs, 1, 1, "a", "1", "2");
    logs_close(&logs);
    g_autofree char *path = logs_segment(&logs, 1);
    g_autoptr(GByteArray) whole = logs_bytes(path);
    auto_(arena) mem = arena_new(1 << 20);
    for (size_t at = 0; at < 56; at++) {
        logs_put_bytes(path, whole->data, whole->len);
        logs_flip(path, at);
        arena_reset(mem);
        struct undo_tail tail = tail_of(&logs, 1, BEGINNING, mem);
        assert_int_equal(tail.n, 1);
        assert_int_equal(tail.entries[0].state, UNDO_APPLIED);
        assert_int_equal(tail.n_damage, 0);
    }
    logs_done(&logs);
}

static void a_segment_of_another_run_is_refused(void **state)
{
    struct logs logs, other;
    g_autofree char *dir = g_build_filename(*state, "other", NULL);
    GError *error = NULL;
    logs_init(&logs, *state);
    logs_open(&logs);
    logs_close(&logs);
    logs_init(&other, dir);
    other.config.run_uid[3] ^= 1;
    logs_open(&other);
    logs_write(&other, 1, 1, "a", "1", "2");
    logs_close(&other);
    g_autofree char *from = logs_segment(&other, 1), *to = logs_segment(&logs, 1);
    assert_int_equal(rename(from, to), 0);
    auto_(arena) mem = arena_new(1 << 20);
    struct undo_tail tail;
    kit_refused(undo_tail_read(&tail, &logs.config, 1, BEGINNING, mem, &error), CORRUPT, "not segment 1");
    logs_done(&other);
    logs_done(&logs);
}

/* --- opening ------------------------------------------------------------------------------------------------------ */

static void what_a_crash_left_before_it_was_named_is_replaced(void **state)
{
    struct logs logs;
    logs_init(&logs, *state);
    logs_open(&logs);
    logs_write(&logs, 1, 1, "a", "1", "2");
    logs_close(&logs);
    g_autofree char *first = logs_segment(&logs, 1), *second = logs_segment(&logs, 2);
    g_autoptr(GByteArray) bytes = logs_bytes(first);
    for (size_t len = 0; len <= 56; len += 7) {
        logs_put_bytes(second, bytes->data, len);
        logs_open(&logs);
        logs_close(&logs);
        remove(second);
        g_autofree char *manifest = g_build_filename(logs.dir, "MANIFEST", NULL);
        g_autofree char *text = g_strdup("{\"undo\": 1, \"run\": \"a1b2c3d40102030405060708090a0b0c\", "
                                         "\"segments\": [{\"name\": \"000001.undo\"}]}");
        logs_put_bytes(manifest, (const uint8_t *)text, strlen(text));
    }
    logs_done(&logs);
}

static void blocks_without_a_manifest_are_not_written_over(void **state)
{
    struct logs logs;
    logs_init(&logs, *state);
    logs_open(&logs);
    logs_write(&logs, 1, 1, "a", "1", "2");
    logs_close(&logs);
    g_autofree char *manifest = g_build_filename(logs.dir, "MANIFEST", NULL);
    remove(manifest);
    GError *error = NULL;
    kit_refused(undo_open(&logs.log, &logs.config, &error), CORRUPT, "does not name it");
    logs_done(&logs);
}

static void a_manifest_that_is_none_or_anothers_is_refused(void **state)
{
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"", "not the manifest"},
        {"{", "not the manifest"},
        {"{\"run\": \"a1b2c3d40102030405060708090a0b0c\"}", "not the manifest"},
        {"{\"undo\": 2, \"run\": \"a1b2c3d40102030405060708090a0b0c\", \"segments\": []}", "newer sluice"},
        {"{\"undo\": 1, \"run\": \"00b2c3d40102030405060708090a0b0c\", \"segments\": []}", "another run"},
        {"{\"undo\": 1, \"run\": \"a1b2c3d40102030405060708090a0b0c\"}", "list of segments"},
        {"{\"undo\": 1, \"run\": \"a1b2c3d40102030405060708090a0b0c\", \"segments\": [1]}", "list of segments"},
        {"{\"undo\": 1, \"run\": \"a1b2c3d40102030405060708090a0b0c\", \"segments\": [{\"name\": \"000002.undo\"}]}",
         "list of segments"},
        {"{\"undo\": 1, \"run\": \"a1b2c3d40102030405060708090a0b0c\", "
         "\"segments\": [{\"name\": \"000001.undo\", \"bytes\": -1}]}",
         "list of segments"},
        {"{\"undo\": 1, \"run\": \"a1b2c3d40102030405060708090a0b0c\", \"segments\": {\"name\": \"000001.undo\"}}",
         "list of segments"},
        {"{\"undo\": 1, \"run\": \"a1b2c3d40102030405060708090a0b0c\", \"segments\": [{\"name\": 1}]}",
         "list of segments"},
        {"{\"undo\": 1, \"run\": \"a1b2c3d40102030405060708090a0b0c\", \"segments\": [{}]}", "list of segments"},
        {"{\"undo\": 1, \"run\": \"a1b2c3d40102030405060708090a0b0c\", \"segments\": [{\"name\": \"000001.undo\", "
         "\"bytes\": \"1\"}]}",
         "list of segments"},
        {"[1]", "not the manifest"},
        {"{\"undo\": \"1\", \"run\": \"a1b2c3d40102030405060708090a0b0c\", \"segments\": []}", "not the manifest"},
        {"{\"undo\": 1, \"segments\": []}", "another run"},
        {"{\"undo\": 1, \"run\": 1, \"segments\": []}", "another run"},
    };
    struct logs logs;
    logs_init(&logs, *state);
    logs_open(&logs);
    logs_close(&logs);
    g_autofree char *manifest = g_build_filename(logs.dir, "MANIFEST", NULL);
    auto_(arena) mem = arena_new(1 << 20);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        GError *error = NULL;
        struct undo_tail tail;
        logs_put_bytes(manifest, (const uint8_t *)rows[i].text, strlen(rows[i].text));
        kit_refused(undo_open(&logs.log, &logs.config, &error), CORRUPT, rows[i].says);
        kit_refused(undo_tail_read(&tail, &logs.config, 1, BEGINNING, mem, &error), CORRUPT, rows[i].says);
    }
    logs_done(&logs);
}

static void a_log_shorter_than_the_catalog_says_is_refused(void **state)
{
    struct logs logs;
    logs_init(&logs, *state);
    auto_(arena) mem = arena_new(1 << 20);
    GError *error = NULL;
    struct undo_tail tail;
    assert_int_equal(tail_of(&logs, 1, BEGINNING, mem).n, 0); /* no log at all */
    logs_open(&logs);
    kit_refused(undo_tail_read(&tail, &logs.config, 1, (struct undo_position){2, 56}, mem, &error), CORRUPT,
                "ends with segment 1");
    assert_int_equal(tail_of(&logs, 1, (struct undo_position){1, 100000}, mem).n, 0);
    logs_done(&logs);
}

/* --- faults ------------------------------------------------------------------------------------------------------- */

static void after_a_failed_sync_every_call_fails(void **state)
{
    struct logs logs;
    logs_init(&logs, *state);
    logs_open(&logs);
    logs_write(&logs, 1, 1, "a", "1", "2");
    logs.fake.fault = (struct fake_fault){.call = "fsync", .nth = 1, .number = EIO};
    logs.fake.calls = 0;
    struct move move = {"b", "1", "2"};
    struct undo_intent intent = logs_intent(&move);
    struct undo_batch batch = {1, 1, 2, 2, &intent, 1};
    struct undo_outcome outcome = {1, 1, 2, 1, slice_of("\1", 1)};
    struct undo_position at;
    GError *error = NULL;
    kit_refused(undo_intents_durable(logs.log, &batch, &at, &error), SYNC_FAILED, "000001.undo");
    kit_refused(undo_intents_durable(logs.log, &batch, &at, &error), SYNC_FAILED, "000001.undo");
    kit_refused(undo_outcomes(logs.log, &outcome, &error), SYNC_FAILED, "000001.undo");
    kit_refused(undo_sync_durable(logs.log, &error), SYNC_FAILED, "000001.undo");
    logs_done(&logs);
}

static void a_full_disk_refuses_the_block_and_keeps_the_log(void **state)
{
    struct logs logs;
    logs_init(&logs, *state);
    logs_open(&logs);
    logs_write(&logs, 1, 1, "a", "1", "2");
    logs.fake.fault = (struct fake_fault){.call = "pwrite", .nth = 1, .number = ENOSPC};
    logs.fake.calls = 0;
    struct move move = {"b", "1", "2"};
    struct undo_intent intent = logs_intent(&move);
    struct undo_batch batch = {1, 1, 2, 2, &intent, 1};
    struct undo_position at;
    GError *error = NULL;
    kit_refused(undo_intents_durable(logs.log, &batch, &at, &error), NO_SPACE, "000001.undo");
    logs_sync(&logs);
    logs_write(&logs, 1, 3, "c", "1", "2");
    auto_(arena) mem = arena_new(1 << 20);
    struct undo_tail tail = tail_of(&logs, 1, BEGINNING, mem);
    assert_int_equal(tail.n, 2);
    assert_int_equal(tail.n_damage, 0);
    logs_done(&logs);
}

static void where_no_new_segment_can_be_made_nothing_more_is_appended(void **state)
{
    struct logs logs;
    logs_init(&logs, *state);
    logs.config.segment_bytes = 100;
    logs_open(&logs);
    struct move move = {"b", "1", "2"};
    struct undo_intent intent = logs_intent(&move);
    struct undo_batch batch = {1, 1, 2, 2, &intent, 1};
    struct undo_outcome outcome = {1, 1, 1, 1, slice_of("\1", 1)};
    struct undo_position at;
    GError *error = NULL;
    logs.fake.fault = (struct fake_fault){.call = "open", .nth = 1, .number = ENOSPC, .lasting = true};
    logs.fake.calls = 0;
    logs_intents(&logs, 1, 1, 1, &move, 1); /* durable all the same */
    kit_refused(undo_intents_durable(logs.log, &batch, &at, &error), NO_SPACE, "000002.undo");
    kit_refused(undo_outcomes(logs.log, &outcome, &error), NO_SPACE, "000002.undo");
    logs_sync(&logs);
    logs.fake.fault = (struct fake_fault){.nth = 0};
    auto_(arena) mem = arena_new(1 << 20);
    assert_int_equal(tail_of(&logs, 1, BEGINNING, mem).n, 1);
    logs_done(&logs);
}

/* Every file call fails once: whatever an intents call acknowledged is in the log, and opening it again works. */
static void whichever_call_fails_what_was_acknowledged_is_there(void **state)
{
    uint64_t fired = 1;
    for (uint64_t nth = 1; fired; nth++) {
        g_autofree char *dir = g_strdup_printf("%s/%" G_GUINT64_FORMAT, (char *)*state, (guint64)nth);
        struct logs logs;
        logs_init(&logs, dir);
        logs.config.segment_bytes = 300;
        logs.fake.fault = (struct fake_fault){.nth = nth, .number = nth % 2 ? EIO : ENOSPC};
        GError *error = NULL;
        size_t acknowledged = 0;
        bool open = undo_open(&logs.log, &logs.config, &error);
        g_clear_error(&error);
        for (uint64_t i = 1; open && i <= 6; i++) {
            struct move move = {"key", "1", "2"};
            struct undo_intent intent = logs_intent(&move);
            struct undo_batch batch = {1, 1, i, i, &intent, 1};
            struct undo_position at;
            acknowledged += undo_intents_durable(logs.log, &batch, &at, &error);
            g_clear_error(&error);
        }
        fired = logs.fake.fired;
        logs_close(&logs);
        logs.fake.fault = (struct fake_fault){.nth = 0};
        logs_open(&logs);
        auto_(arena) mem = arena_new(1 << 20);
        struct undo_tail tail = tail_of(&logs, 1, BEGINNING, mem);
        assert_true(tail.n >= acknowledged);
        assert_int_equal(tail.n_damage, 0);
        assert_true(fired || acknowledged == 6);
        logs_done(&logs);
        assert_true(nth < 1000);
    }
}

/* Entries, states and damage. */
static char *tail_text(const struct undo_tail *tail)
{
    GString *text = g_string_new(NULL);
    for (size_t i = 0; i < tail->n; i++)
        g_string_append_printf(text, "%.*s %d; ", (int)tail->entries[i].key.len,
                               (const char *)tail->entries[i].key.data, (int)tail->entries[i].state);
    g_string_append_printf(text, "%zu damaged", tail->n_damage);
    return g_string_free(text, FALSE);
}

/* Whoever takes a partition over acts upon this: half of it, taken for the whole, would be worse than nothing. */
static void whichever_call_fails_the_tail_is_whole_or_refused(void **state)
{
    struct logs logs;
    auto_(arena) mem = arena_new(1 << 20);
    logs_init(&logs, *state);
    for (uint64_t i = 1; i <= 3; i++) {
        struct move moves[] = {{"a", "1", "2"}, {"b", "1", "2"}};
        logs_open(&logs);
        logs_intents(&logs, 3, 1, 2 * i, moves, 2);
        logs_outcomes(&logs, 3, 1, 2 * i, 2, 2);
    }
    logs_close(&logs);
    struct undo_tail whole = tail_of(&logs, 3, BEGINNING, mem);
    g_autofree char *expected = tail_text(&whole);
    assert_int_equal(whole.n, 6);
    bool fired = true;
    for (uint64_t nth = 1; fired; nth++) {
        g_autoptr(GError) error = NULL;
        struct undo_tail tail = {0};
        fake_world_arm(&logs.fake, (struct fake_fault){.nth = nth, .number = EIO});
        bool ok = undo_tail_read(&tail, &logs.config, 3, BEGINNING, mem, &error);
        fired = logs.fake.fired > 0;
        g_autofree char *text = ok ? tail_text(&tail) : g_strdup("");
        if (ok ? strcmp(text, expected) != 0 : !fired || !error)
            fail_msg("call %" PRIu64 ": %s", nth, ok ? text : "refused without a reason");
    }
    logs_done(&logs);
}

static void assert_tail(const struct undo_tail *tail, const char *expected)
{
    g_autofree char *text = tail_text(tail);
    assert_string_equal(text, expected);
}

/* Else what a dead holder may have written would count as not there. */
static void a_tail_that_does_not_fit_into_memory_is_refused(void **state)
{
    struct logs logs;
    auto_(arena) enough = arena_new(1 << 20);
    struct move moves[] = {{"a", "1", "2"}, {"b", "1", "2"}, {"c", "1", "2"}};
    size_t refused = 0;
    logs_init(&logs, *state);
    logs_open(&logs);
    logs_intents(&logs, 3, 1, 1, moves, G_N_ELEMENTS(moves));
    logs_close(&logs);
    struct undo_tail whole = tail_of(&logs, 3, BEGINNING, enough);
    g_autofree char *expected = tail_text(&whole);
    for (bool fits = false; !fits; refused += !fits) {
        auto_(arena) mem = arena_new(16 * refused);
        struct undo_tail tail = {0};
        GError *error = NULL;
        fits = undo_tail_read(&tail, &logs.config, 3, BEGINNING, mem, &error);
        if (fits)
            assert_tail(&tail, expected);
        else
            kit_refused(fits, TOO_BIG, "the unsettled entries of partition 3 need more memory");
    }
    assert_true(refused > 3);
    logs_done(&logs);
}

static void a_batch_costs_one_sync_and_its_outcomes_none(void **state)
{
    struct logs logs;
    logs_init(&logs, *state);
    logs_open(&logs);
    uint64_t synced = logs.fake.synced;
    struct move moves[] = {{"a", "1", "2"}, {"b", "1", "2"}};
    logs_intents(&logs, 1, 1, 1, moves, 2);
    assert_int_equal(logs.fake.synced, synced + 1);
    logs_outcomes(&logs, 1, 1, 1, 2, 3);
    assert_int_equal(logs.fake.synced, synced + 1);
    logs_sync(&logs);
    logs_sync(&logs);
    assert_int_equal(logs.fake.synced, synced + 2);
    assert_int_equal(undo_syncs(logs.log), 2);
    logs_done(&logs);
}

/* --- threads ------------------------------------------------------------------------------------------------------ */

enum { WORKERS = 8, BATCHES = 50 };

struct worker {
    struct logs *logs;
    uint32_t part;
    pthread_barrier_t *together;
    bool ok;
};

static void *work(void *user)
{
    struct worker *worker = user;
    worker->ok = true;
    for (uint64_t i = 1; i <= BATCHES; i++) {
        struct move move = {"k", "1", "2"};
        struct undo_intent intent = logs_intent(&move);
        struct undo_batch batch = {worker->part, 1, i, i, &intent, 1};
        struct undo_outcome outcome = {worker->part, 1, i, 1, slice_of("\1", 1)};
        struct undo_position at;
        pthread_barrier_wait(worker->together);
        worker->ok = worker->ok && undo_intents_durable(worker->logs->log, &batch, &at, NULL) &&
                     undo_outcomes(worker->logs->log, &outcome, NULL);
    }
    return NULL;
}

/* A disk that takes its time, so that others come up behind who syncs; one of memory takes none. */
static int slow_fsync(void *self, int fd, bool data_only)
{
    for (int i = 0; i < 200; i++)
        sched_yield();
    return world_real()->files->fsync(world_real()->files_self, fd, data_only);
}

static void one_sync_serves_several_workers(void **state)
{
    struct logs logs;
    struct world world = *world_real(); /* the fake one counts without locks */
    struct world_files files = *world.files;
    files.fsync = slow_fsync;
    world.files = &files;
    logs_init(&logs, *state);
    logs.config.world = &world;
    logs.config.segment_bytes = 20000;
    logs_open(&logs);
    pthread_barrier_t together;
    pthread_barrier_init(&together, NULL, WORKERS);
    pthread_t threads[WORKERS];
    struct worker workers[WORKERS];
    for (uint32_t i = 0; i < WORKERS; i++) {
        workers[i] = (struct worker){&logs, i, &together, false};
        pthread_create(&threads[i], NULL, work, &workers[i]);
    }
    for (int i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
    logs_sync(&logs);
    assert_true(undo_syncs(logs.log) < WORKERS * BATCHES);
    assert_true(undo_here(logs.log).segment > 1);
    auto_(arena) mem = arena_new(1 << 20);
    for (uint32_t i = 0; i < WORKERS; i++) {
        assert_true(workers[i].ok);
        struct undo_tail tail = tail_of(&logs, i, BEGINNING, mem);
        assert_int_equal(tail.n, BATCHES);
        for (size_t j = 0; j < tail.n; j++) {
            assert_int_equal(tail.entries[j].number, j + 1);
            assert_int_equal(tail.entries[j].state, UNDO_APPLIED);
        }
    }
    pthread_barrier_destroy(&together);
    logs_done(&logs);
}

#define IN_DIR(name) cmocka_unit_test_setup_teardown(name, kit_dir_setup, kit_dir_teardown)

static void lose_power_behind_a_dead_process(const char *dir, uint64_t seed)
{
    struct logs logs;
    auto_(arena) mem = arena_new(1 << 20);
    logs_init(&logs, dir);
    logs.fake.disk = fake_disk_new();
    logs_open(&logs);
    logs_write(&logs, 7, 1, "a", "1", "2"); /* its outcome is not synced */
    logs_open(&logs);
    assert_int_equal(tail_of(&logs, 7, BEGINNING, mem).entries[0].state, UNDO_APPLIED);
    logs_close(&logs);
    fake_disk_lose(logs.fake.disk, &seed);
    struct undo_tail tail = tail_of(&logs, 7, BEGINNING, mem);
    assert_int_equal(tail.n, 1);
    assert_int_equal(tail.entries[0].state, UNDO_APPLIED);
    fake_disk_free(logs.fake.disk);
    logs_done(&logs);
}

/* A process that was killed leaves what it had not synced to the system, and the next one acts on it: it must not be
 * gone when the machine loses its power after that. */
static void what_a_dead_process_left_is_durable_before_anyone_acts_on_it(void **state)
{
    for (uint64_t seed = 1; seed <= 8; seed++) {
        g_autofree char *dir = g_strdup_printf("%s/%u", (const char *)*state, (unsigned)seed);
        lose_power_behind_a_dead_process(dir, seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIR(what_was_appended_is_read_back_by_partition),
        IN_DIR(expiries_of_all_signs_and_empty_values_survive),
        IN_DIR(each_process_begins_a_segment_and_the_tail_spans_them),
        IN_DIR(an_outcome_of_a_later_segment_settles_an_entry),
        IN_DIR(a_late_tail_reads_no_earlier_segment),
        IN_DIR(a_full_segment_is_closed_and_the_next_one_begun),
        IN_DIR(a_tail_takes_no_room_for_pre_images),
        IN_DIR(a_tail_torn_at_any_byte_loses_only_its_last_block),
        IN_DIR(a_bit_flipped_below_what_was_durable_is_proven_damage),
        IN_DIR(a_block_that_no_sync_covered_is_not_proven_though_others_follow),
        IN_DIR(damage_in_a_closed_segment_is_proven_to_its_last_byte),
        IN_DIR(a_segment_that_is_gone_is_damage_as_a_whole),
        IN_DIR(a_bit_flipped_in_a_segments_header_costs_no_key),
        IN_DIR(a_segment_of_another_run_is_refused),
        IN_DIR(what_a_crash_left_before_it_was_named_is_replaced),
        IN_DIR(blocks_without_a_manifest_are_not_written_over),
        IN_DIR(a_manifest_that_is_none_or_anothers_is_refused),
        IN_DIR(a_log_shorter_than_the_catalog_says_is_refused),
        IN_DIR(after_a_failed_sync_every_call_fails),
        IN_DIR(a_full_disk_refuses_the_block_and_keeps_the_log),
        IN_DIR(where_no_new_segment_can_be_made_nothing_more_is_appended),
        IN_DIR(whichever_call_fails_what_was_acknowledged_is_there),
        IN_DIR(whichever_call_fails_the_tail_is_whole_or_refused),
        IN_DIR(a_tail_that_does_not_fit_into_memory_is_refused),
        IN_DIR(a_batch_costs_one_sync_and_its_outcomes_none),
        IN_DIR(one_sync_serves_several_workers),
        IN_DIR(what_a_dead_process_left_is_durable_before_anyone_acts_on_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
