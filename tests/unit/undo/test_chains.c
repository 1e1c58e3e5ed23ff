#include <errno.h>
#include <stdio.h>

#include "unit/undo/chains_kit.h"

static const uint32_t BACK = UNDO_ROLLBACK_PART;

/* --- what goes back ----------------------------------------------------------------------------------------------- */

static void each_key_goes_back_in_the_order_of_the_log(void **state)
{
    struct logs logs;
    logs_init(&logs, *state);
    logs_open(&logs);
    struct move moves[] = {{"z", "A", "B"}, {"a", NULL, "C"}, {"m", "X", NULL}};
    logs_intents(&logs, 1, 1, 1, moves, 3);
    logs_outcomes(&logs, 1, 1, 1, 3, 7);
    logs_write(&logs, 2, 1, "b", "Y", "D");
    logs_sync(&logs);
    build(&logs, NULL, 0);
    assert_chains(&logs, "z:B>A a:C>- m:->X b:D>Y");
    logs_done(&logs);
}

static void entries_of_one_key_in_any_partition_and_lane_are_one_chain(void **state)
{
    struct logs logs;
    logs_init(&logs, *state);
    logs_open(&logs);
    logs_write(&logs, 9, 1, "k", "A", "B");
    logs_write(&logs, 3, 1, "other", "X", "Y");
    logs_write(&logs, 3, 2, "k", "B", "C");
    logs_open(&logs);
    struct move move = {"k", "C", "D"};
    logs_intents(&logs, 3, 2, 1, &move, 1);
    logs_outcomes(&logs, 3, 2, 1, 1, 1);
    logs_sync(&logs);
    build(&logs, NULL, 0);
    assert_chains(&logs, "k:D>A other:Y>X");
    logs_done(&logs);
}

static void sequences_order_a_chain_not_the_log(void **state)
{
    struct logs logs;
    logs_init(&logs, *state);
    logs_open(&logs);
    logs.sequence = 100;
    logs_write(&logs, 2, 1, "k", "B", "C");
    logs.sequence = 50;
    logs_write(&logs, 1, 1, "k", "A", "B");
    build(&logs, NULL, 0);
    assert_chains(&logs, "k:C>A");
    logs_done(&logs);
}

static void a_cycle_goes_back_to_its_beginning(void **state)
{
    struct logs logs;
    logs_init(&logs, *state);
    logs_open(&logs);
    logs_write(&logs, 1, 1, "k", "A", "B");
    logs_write(&logs, 1, 2, "k", "B", "A");
    logs_write(&logs, 1, 3, "n", NULL, "B");
    logs_write(&logs, 1, 4, "n", "B", NULL);
    build(&logs, NULL, 0);
    assert_chains(&logs, "k:A>A n:->-");
    logs_done(&logs);
}

static void a_write_of_the_application_between_two_entries_ends_the_walk(void **state)
{
    struct logs logs;
    logs_init(&logs, *state);
    logs_open(&logs);
    logs_write(&logs, 1, 1, "k", "A", "B");
    logs_write(&logs, 1, 2, "k", "X", "C"); /* someone wrote X over B */
    logs_write(&logs, 1, 3, "k", "C", "D");
    logs_write(&logs, 1, 4, "gone", "A", "B");
    logs_write(&logs, 1, 5, "gone", NULL, "C"); /* someone removed it */
    build(&logs, NULL, 0);
    assert_chains(&logs, "k:D>X gone:C>-");
    logs_done(&logs);
}

static void only_applied_entries_are_undone(void **state)
{
    struct logs logs;
    logs_init(&logs, *state);
    logs_open(&logs);
    struct move moves[] = {{"k", "A", "B"}, {"lost", "A", "B"}, {"k", "B", "C"}};
    logs_intents(&logs, 1, 1, 1, moves, 3);
    logs_outcomes(&logs, 1, 1, 1, 3, 1);
    build(&logs, NULL, 0);
    assert_chains(&logs, "k:B>A");
    logs_done(&logs);
}

static void the_expiry_belongs_to_what_was_written(void **state)
{
    struct logs logs;
    logs_init(&logs, *state);
    logs_open(&logs);
    GError *error = NULL;
    struct undo_intent intents[] = {
        {.key = slice_of_text("k"),
         .pre_present = true,
         .pre_raw = slice_of_text("A"),
         .pre_expires_at_ms = 777,
         .written = digest_stored(slice_of_text("B"), 999)},
        {.key = slice_of_text("k"),
         .pre_present = true,
         .pre_raw = slice_of_text("B"),
         .pre_expires_at_ms = 999,
         .written = logs_digest("C")},
        {.key = slice_of_text("n"),
         .pre_present = true,
         .pre_raw = slice_of_text("A"),
         .written = digest_stored(slice_of_text("B"), 999)},
        {.key = slice_of_text("n"),
         .pre_present = true,
         .pre_raw = slice_of_text("B"),
         .pre_expires_at_ms = 1000,
         .written = logs_digest("C")},
    };
    struct undo_batch batch = {1, 1, 1, 1, intents, 4};
    struct undo_position at;
    kit_ok(undo_intents_durable(logs.log, &batch, &at, &error));
    logs_outcomes(&logs, 1, 1, 1, 4, 15);
    build(&logs, NULL, 0);
    assert_chains(&logs, "k:C>A n:C>B");
    auto_(undo_chains) chains = NULL;
    auto_(arena) mem = arena_new(1 << 20);
    struct undo_chain_list list;
    kit_ok(undo_chains_open(&chains, &logs.config, &error));
    kit_ok(undo_chains_read(chains, 0, 9, mem, &list, &error));
    assert_int_equal(list.chains[0].pre_expires_at_ms, 777);
    assert_int_equal(list.chains[1].pre_expires_at_ms, 1000);
    logs_done(&logs);
}

static void a_log_without_entries_gives_no_chains(void **state)
{
    struct logs logs;
    logs_init(&logs, *state);
    logs_open(&logs);
    build(&logs, NULL, 0);
    assert_chains(&logs, "");
    logs_done(&logs);
}

/* --- stages ------------------------------------------------------------------------------------------------------- */

static void partitions_not_asked_for_are_not_undone(void **state)
{
    struct logs logs;
    logs_init(&logs, *state);
    logs_open(&logs);
    logs_write(&logs, 1, 1, "both", "A", "B");
    logs_write(&logs, 1, 2, "first", "A", "B");
    logs_write(&logs, 5, 1, "both", "B", "C");
    logs_write(&logs, 5, 2, "second", "A", "B");
    logs_write(&logs, 6, 1, "below", "A", "B");
    logs_write(&logs, 1, 3, "below", "B", "C"); /* stands upon what is asked for: it will be left */
    static const uint32_t late[] = {5, 6};
    build(&logs, late, 2);
    assert_chains(&logs, "both:C>B second:B>A below:B>A");
    build(&logs, NULL, 0);
    assert_chains(&logs, "both:C>A first:B>A second:B>A below:C>A");
    logs_done(&logs);
}

static void a_stage_rolled_back_and_done_again_goes_back_as_a_whole(void **state)
{
    struct logs logs;
    logs_init(&logs, *state);
    logs_open(&logs);
    logs_write(&logs, 1, 1, "k", "A", "B");
    logs_write(&logs, 5, 1, "k", "B", "C");
    logs_write(&logs, BACK, 1, "k", "C", "B");
    logs_write(&logs, 5, 2, "k", "B", "D");
    build(&logs, NULL, 0);
    assert_chains(&logs, "k:D>A");
    static const uint32_t late[] = {5};
    build(&logs, late, 1);
    assert_chains(&logs, "k:D>B");
    logs_done(&logs);
}

static void what_was_rolled_back_is_not_undone_twice(void **state)
{
    struct logs logs;
    logs_init(&logs, *state);
    logs_open(&logs);
    logs_write(&logs, 1, 1, "k", "A", "B");
    logs_write(&logs, 5, 1, "k", "B", "C");
    logs_write(&logs, 5, 2, "left", "A", "B");
    logs_write(&logs, 5, 3, "new", NULL, "B");
    logs_write(&logs, BACK, 1, "k", "C", "B");
    logs_write(&logs, BACK, 2, "new", "B", NULL);
    build(&logs, NULL, 0);
    assert_chains(&logs, "k:B>A left:B>A");
    static const uint32_t late[] = {5};
    build(&logs, late, 1);
    assert_chains(&logs, "left:B>A");
    logs_done(&logs);
}

/* "left" was written over by the application, and left alone: so it would be once more, and be counted twice. */
static void a_partition_that_is_back_gives_no_keys_but_tells_what_it_lost(void **state)
{
    struct logs logs;
    logs_init(&logs, *state);
    logs_open(&logs);
    logs_write(&logs, 1, 1, "k", "A", "B");
    logs_write(&logs, 1, 2, "first", "A", "B");
    logs_write(&logs, 5, 1, "k", "B", "C");
    logs_write(&logs, 5, 2, "left", "A", "B");
    logs_write(&logs, BACK, 1, "k", "C", "B");
    static const uint32_t parts[] = {1, 5};
    static const bool back[] = {false, true}, both[] = {true, true};
    static const uint64_t written[] = {2, 3};
    struct undo_filter filter = {.parts = parts, .n = 2, .written = written, .back = back};
    struct undo_damage damage[4];
    GError *error = NULL;
    kit_ok(undo_chains_build(&logs.config, &filter, &error));
    assert_chains(&logs, "k:B>A first:B>A");
    assert_int_equal(damage_of(&logs, damage, 4), 1);
    assert_int_equal(damage[0].part, 5);
    assert_int_equal(damage[0].keys, 1);
    filter.back = both;
    kit_ok(undo_chains_build(&logs.config, &filter, &error));
    assert_chains(&logs, "");
    filter.n = 0;
    kit_ok(undo_chains_build(&logs.config, &filter, &error));
    assert_chains(&logs, "");
    logs_done(&logs);
}

static void a_rollback_of_what_had_expired_counts_as_done(void **state)
{
    struct logs logs;
    logs_init(&logs, *state);
    logs_open(&logs);
    GError *error = NULL;
    struct undo_intent intent = {.key = slice_of_text("k"),
                                 .pre_present = true,
                                 .pre_raw = slice_of_text("A"),
                                 .pre_expires_at_ms = 777,
                                 .written = logs_digest("B")};
    struct undo_batch batch = {1, 1, 1, 1, &intent, 1};
    struct undo_position at;
    kit_ok(undo_intents_durable(logs.log, &batch, &at, &error));
    logs_outcomes(&logs, 1, 1, 1, 1, 1);
    logs.sequence = 2;
    build(&logs, NULL, 0);
    assert_chains(&logs, "k:B>A");
    logs_write(&logs, BACK, 1, "k", "B", NULL);
    kit_ok(undo_chains_drop_durable(&logs.config, &error));
    build(&logs, NULL, 0);
    assert_chains(&logs, "");
    logs_done(&logs);
}

/* Not the same as chains that are not there: those are made anew. */
static void chains_that_cannot_be_opened_now_are_not_said_to_be_none(void **state)
{
    struct logs logs;
    logs_init(&logs, *state);
    logs_open(&logs);
    GError *error = NULL;
    bool whole = true;
    logs_write(&logs, 1, 1, "k", "A", "B");
    build(&logs, NULL, 0);
    fake_world_arm(&logs.fake, (struct fake_fault){.call = "open", .nth = 1, .number = EMFILE});
    assert_false(undo_chains_whole(&logs.config, &whole, &error));
    assert_non_null(error);
    g_clear_error(&error);
    kit_ok(undo_chains_whole(&logs.config, &whole, &error));
    assert_true(whole);
    logs_done(&logs);
}

static void what_had_expired_when_it_went_back_leaves_the_entries_below(void **state)
{
    struct logs logs;
    logs_init(&logs, *state);
    logs_open(&logs);
    GError *error = NULL;
    struct undo_intent first = {.key = slice_of_text("k"), .written = digest_stored(slice_of_text("B"), 777)};
    struct undo_intent second = {.key = slice_of_text("k"),
                                 .pre_present = true,
                                 .pre_raw = slice_of_text("B"),
                                 .pre_expires_at_ms = 777,
                                 .written = logs_digest("C")};
    struct undo_batch batches[] = {{1, 1, 1, 1, &first, 1}, {5, 1, 1, 2, &second, 1}};
    struct undo_position at;
    for (size_t i = 0; i < 2; i++) {
        kit_ok(undo_intents_durable(logs.log, &batches[i], &at, &error));
        logs_outcomes(&logs, batches[i].part, 1, 1, 1, 1);
    }
    logs.sequence = 3;
    logs_write(&logs, BACK, 1, "k", "C", NULL); /* B had expired */
    build(&logs, NULL, 0);
    assert_chains(&logs, "k:?>-"); /* B must stand for it to go back: it will be left, and listed */
    logs_done(&logs);
}

/* --- repeating ---------------------------------------------------------------------------------------------------- */

static void chains_stay_while_their_rollback_writes(void **state)
{
    struct logs logs;
    logs_init(&logs, *state);
    logs_open(&logs);
    logs_write(&logs, 1, 1, "k", "A", "B");
    logs_write(&logs, 1, 2, "l", "A", "B");
    build(&logs, NULL, 0);
    logs_open(&logs);
    logs_write(&logs, BACK, 1, "k", "B", "A");
    build(&logs, NULL, 0);
    assert_chains(&logs, "k:B>A l:B>A");
    logs_write(&logs, 1, 3, "m", "A", "B");
    build(&logs, NULL, 0);
    assert_chains(&logs, "l:B>A m:B>A");
    GError *error = NULL;
    kit_ok(undo_chains_drop_durable(&logs.config, &error));
    kit_ok(undo_chains_drop_durable(&logs.config, &error));
    struct undo_chains *chains;
    kit_refused(undo_chains_open(&chains, &logs.config, &error), NOT_FOUND, "chains");
    logs_done(&logs);
}

static void chains_that_are_not_whole_are_made_anew(void **state)
{
    struct logs logs;
    logs_init(&logs, *state);
    logs_open(&logs);
    logs_write(&logs, 1, 1, "k", "A", "B");
    build(&logs, NULL, 0);
    g_autofree char *path = g_build_filename(logs.dir, "chains", NULL);
    g_autoptr(GByteArray) whole = logs_bytes(path);
    GError *error = NULL;
    for (size_t len = 0; len < whole->len; len++) {
        struct undo_chains *chains;
        logs_put_bytes(path, whole->data, len);
        kit_refused(undo_chains_open(&chains, &logs.config, &error), CORRUPT, "chains");
        build(&logs, NULL, 0);
        g_autoptr(GByteArray) again = logs_bytes(path);
        assert_true(slice_equal(slice_of(again->data, again->len), slice_of(whole->data, whole->len)));
    }
    logs_done(&logs);
}

static void a_flipped_bit_in_the_chains_is_seen(void **state)
{
    struct logs logs;
    logs_init(&logs, *state);
    logs_open(&logs);
    logs_write(&logs, 1, 1, "k", "A", "B");
    build(&logs, NULL, 0);
    g_autofree char *path = g_build_filename(logs.dir, "chains", NULL);
    g_autoptr(GByteArray) whole = logs_bytes(path);
    auto_(arena) mem = arena_new(1 << 20);
    for (size_t at = 0; at < whole->len; at++) {
        GError *error = NULL;
        auto_(undo_chains) chains = NULL;
        struct undo_chain_list list;
        logs_put_bytes(path, whole->data, whole->len);
        logs_flip(path, at);
        assert_false(undo_chains_open(&chains, &logs.config, &error) &&
                     undo_chains_read(chains, 0, 1, mem, &list, &error));
        assert_true(error_is(error, SLUICE_ERROR_CORRUPT));
        g_clear_error(&error);
    }
    logs_done(&logs);
}

static void whichever_call_fails_the_chains_are_whole_or_not_there(void **state)
{
    struct logs logs;
    logs_init(&logs, *state);
    logs_open(&logs);
    logs_write(&logs, 1, 1, "k", "A", "B");
    logs_write(&logs, 2, 1, "l", "A", "B");
    logs_close(&logs);
    bool ok = false;
    for (uint64_t nth = 1; !ok; nth++) {
        GError *error = NULL;
        logs.fake.fault = (struct fake_fault){.nth = nth, .number = nth % 2 ? ENOSPC : EIO};
        logs.fake.calls = 0;
        ok = undo_chains_build(&logs.config, NULL, &error) && logs.fake.calls < nth;
        g_clear_error(&error);
        logs.fake.fault = (struct fake_fault){.nth = 0};
        struct undo_chains *chains;
        if (undo_chains_open(&chains, &logs.config, NULL)) {
            undo_chains_free(chains);
            assert_chains(&logs, "k:B>A l:B>A");
            kit_ok(undo_chains_drop_durable(&logs.config, &error));
        }
        assert_true(nth < 500);
    }
    build(&logs, NULL, 0);
    assert_chains(&logs, "k:B>A l:B>A");
    bool fired = true; /* once more, where they are: whether the log went on is asked first */
    for (uint64_t nth = 1; fired; nth++) {
        g_autoptr(GError) error = NULL;
        fake_world_arm(&logs.fake, (struct fake_fault){.nth = nth, .number = EIO});
        assert_true(undo_chains_build(&logs.config, NULL, &error) != (error != NULL));
        fired = logs.fake.fired > 0;
    }
    fake_world_arm(&logs.fake, (struct fake_fault){0});
    assert_chains(&logs, "k:B>A l:B>A");
    logs_done(&logs);
}

static void whichever_call_fails_what_is_read_of_the_chains_is_right_or_refused(void **state)
{
    struct logs logs;
    logs_init(&logs, *state);
    logs_open(&logs);
    logs_write(&logs, 1, 1, "k", "A", "B");
    logs_open(&logs);
    logs_write(&logs, 1, 2, "l", "A", "B");
    logs_close(&logs);
    g_autofree char *damaged = logs_segment(&logs, 2);
    build(&logs, NULL, 0);
    unsigned refused = 0;
    for (uint64_t nth = 1; nth < 60; nth++) {
        g_autoptr(GError) error = NULL;
        auto_(undo_chains) chains = NULL;
        auto_(arena) mem = arena_new(1 << 20);
        struct undo_chain_list list;
        fake_world_arm(&logs.fake, (struct fake_fault){.nth = nth, .number = EIO});
        bool ok = undo_chains_open(&chains, &logs.config, &error) && undo_chains_read(chains, 0, 9, mem, &list, &error);
        assert_true(ok == (error == NULL) && (!ok || (list.n == 2 && list.chains[1].key.data[0] == 'l')));
        refused += !ok;
    }
    fake_world_arm(&logs.fake, (struct fake_fault){0});
    assert_true(refused > 5);
    logs_flip(damaged, 56 + 2); /* a head: the next block is looked for */
    refused = 0;
    for (uint64_t nth = 1; nth < 60; nth++) {
        g_autoptr(GError) error = NULL;
        auto_(arena) mem = arena_new(1 << 20);
        struct undo_tail tail;
        fake_world_arm(&logs.fake, (struct fake_fault){.nth = nth, .number = EIO});
        bool ok = undo_tail_read(&tail, &logs.config, 1, (struct undo_position){0, 0}, mem, &error);
        assert_true(ok == (error == NULL) && (!ok || (tail.n == 1 && tail.n_damage == 1)));
        refused += !ok;
    }
    fake_world_arm(&logs.fake, (struct fake_fault){0});
    assert_true(refused > 5);
    logs_done(&logs);
}

/* --- damage ------------------------------------------------------------------------------------------------------- */

static void an_unsettled_entry_is_refused_by_name(void **state)
{
    struct logs logs;
    logs_init(&logs, *state);
    logs_open(&logs);
    struct move moves[] = {{"a", "A", "B"}, {"b", "A", "B"}};
    logs_intents(&logs, 7, 3, 11, moves, 2);
    logs_outcomes(&logs, 7, 3, 11, 1, 1);
    logs_write(&logs, 8, 1, "c", "A", "B");
    GError *error = NULL;
    kit_refused(undo_chains_build(&logs.config, NULL, &error), INTERNAL, "partition 7: write 12 of lane 3");
    static const uint32_t other[] = {8};
    build(&logs, other, 1);
    assert_chains(&logs, "c:B>A");
    logs_done(&logs);
}

/* What somebody logged who had slept while others took the partition up: its writes were refused. */
static void an_entry_of_a_lane_that_a_later_one_has_closed_was_never_applied(void **state)
{
    struct logs logs;
    logs_init(&logs, *state);
    logs_open(&logs);
    logs_write(&logs, 7, 2, "a", "A", "B");
    struct move moves[] = {{"b", "A", "B"}};
    logs_intents(&logs, 7, 1, 1, moves, 1);
    static const uint32_t part = 7, older = 1, newer = 2;
    static const uint64_t written = 1;
    struct undo_filter filter = {.parts = &part, .n = 1, .written = &written, .lanes = &older};
    GError *error = NULL;
    kit_refused(undo_chains_build(&logs.config, &filter, &error), INTERNAL, "partition 7: write 1 of lane 1");
    filter.lanes = &newer;
    kit_ok(undo_chains_build(&logs.config, &filter, &error));
    assert_chains(&logs, "a:B>A");
    logs_done(&logs);
}

static void the_keys_of_a_damaged_block_are_listed_and_the_rest_goes_back(void **state)
{
    struct logs logs;
    logs_init(&logs, *state);
    logs_open(&logs);
    logs_write(&logs, 1, 1, "a", "A", "B");
    struct move moves[] = {{"b", "A", "B"}, {"c", "A", "B"}, {"d", "A", "B"}};
    struct undo_position bad = logs_intents(&logs, 1, 1, 2, moves, 3);
    uint64_t end = undo_here(logs.log).offset;
    logs_outcomes(&logs, 1, 1, 2, 3, 5);
    logs_write(&logs, 1, 5, "e", "A", "B");
    logs_close(&logs);
    g_autofree char *path = logs_segment(&logs, 1);
    g_autoptr(GByteArray) whole = logs_bytes(path);
    for (size_t at = bad.offset; at < end; at++) {
        struct undo_damage damage[4];
        logs_put_bytes(path, whole->data, whole->len);
        logs_flip(path, at);
        GError *error = NULL;
        kit_ok(undo_chains_drop_durable(&logs.config, &error));
        build(&logs, NULL, 0);
        assert_chains(&logs, "a:B>A e:B>A");
        size_t n = damage_of(&logs, damage, 4);
        assert_int_equal(damage[0].at.offset, bad.offset);
        assert_true(damage[0].proven);
        if (damage[0].part == UINT32_MAX) { /* and by number: 2 and 4 were applied */
            assert_int_equal(n, 3);
            assert_int_equal(damage[1].first_number, 2);
            assert_int_equal(damage[1].keys, 1);
            assert_int_equal(damage[2].first_number, 4);
        } else {
            assert_int_equal(n, 1);
            assert_int_equal(damage[0].part, 1);
            assert_int_equal(damage[0].keys, 2);
        }
    }
    logs_done(&logs);
}

static void entries_whose_outcome_is_lost_are_listed_not_guessed(void **state)
{
    struct logs logs;
    logs_init(&logs, *state);
    logs_open(&logs);
    logs_write(&logs, 1, 1, "a", "A", "B");
    struct move moves[] = {{"b", "A", "B"}, {"c", "A", "B"}};
    struct undo_position intents = logs_intents(&logs, 1, 1, 2, moves, 2);
    uint64_t bad = undo_here(logs.log).offset;
    logs_outcomes(&logs, 1, 1, 2, 2, 3);
    uint64_t end = undo_here(logs.log).offset;
    logs_write(&logs, 1, 4, "d", "A", "B");
    logs_write(&logs, 1, 5, "e", "A", "B");
    logs_close(&logs);
    g_autofree char *path = logs_segment(&logs, 1);
    g_autoptr(GByteArray) whole = logs_bytes(path);
    for (size_t at = bad; at < end; at++) {
        struct undo_damage damage[4];
        logs_put_bytes(path, whole->data, whole->len);
        logs_flip(path, at);
        GError *error = NULL;
        kit_ok(undo_chains_drop_durable(&logs.config, &error));
        build(&logs, NULL, 0);
        assert_chains(&logs, "a:B>A d:B>A e:B>A");
        size_t n = damage_of(&logs, damage, 4);
        assert_in_range(n, 1, 2);
        assert_int_equal(damage[0].at.offset, intents.offset);
        assert_int_equal(damage[0].first_number, 2);
        assert_int_equal(damage[0].keys, 2);
    }
    logs_done(&logs);
}

/* At every border of the last three blocks, with 4 writes of the part known elsewhere: what the log lost is counted. */
static void a_log_cut_off_where_a_block_ends_is_told_by_the_writes_that_are_known(void **state)
{
    struct logs logs;
    logs_init(&logs, *state);
    logs_open(&logs);
    logs_write(&logs, 1, 1, "a", "A", "B");
    struct move moves[] = {{"b", "A", "B"}, {"c", "A", "B"}, {"d", "A", "B"}, {"e", "A", "B"}};
    uint64_t borders[3] = {undo_here(logs.log).offset};
    logs_intents(&logs, 1, 1, 2, moves, 4);
    borders[1] = undo_here(logs.log).offset;
    logs_outcomes(&logs, 1, 1, 2, 4, 7);
    borders[2] = undo_here(logs.log).offset;
    logs_close(&logs);
    g_autofree char *path = logs_segment(&logs, 1);
    g_autoptr(GByteArray) whole = logs_bytes(path);
    static const uint32_t part = 1;
    static const uint64_t written = 4;
    struct undo_filter filter = {.parts = &part, .n = 1, .written = &written};
    static const char *const left[] = {"a:B>A", "a:B>A", "a:B>A b:B>A c:B>A d:B>A"};
    for (size_t i = 0; i < G_N_ELEMENTS(borders); i++) {
        struct undo_damage damage[4];
        GError *error = NULL;
        logs_put_bytes(path, whole->data, borders[i]);
        kit_ok(undo_chains_drop_durable(&logs.config, &error));
        kit_ok(undo_chains_build(&logs.config, &filter, &error));
        assert_chains(&logs, left[i]);
        size_t n = damage_of(&logs, damage, 4);
        assert_int_equal(n, i < 2);
        if (n) {
            assert_int_equal(damage[0].keys, 3);
            assert_int_equal(damage[0].at.segment, i); /* cut off with its entries, or without */
        }
    }
    logs_done(&logs);
}

static void a_torn_tail_is_no_loss(void **state)
{
    struct logs logs;
    logs_init(&logs, *state);
    logs_open(&logs);
    logs_write(&logs, 1, 1, "a", "A", "B");
    logs_sync(&logs);
    struct move moves[] = {{"b", "A", "B"}, {"c", "A", "B"}};
    struct undo_position last = logs_intents(&logs, 1, 1, 2, moves, 2);
    logs_close(&logs);
    g_autofree char *path = logs_segment(&logs, 1);
    g_autoptr(GByteArray) whole = logs_bytes(path);
    for (size_t len = last.offset; len < whole->len; len++) {
        struct undo_damage damage[4];
        GError *error = NULL;
        logs_put_bytes(path, whole->data, len);
        kit_ok(undo_chains_drop_durable(&logs.config, &error));
        build(&logs, NULL, 0);
        assert_chains(&logs, "a:B>A");
        assert_int_equal(damage_of(&logs, damage, 4), 0);
    }
    logs_done(&logs);
}

static void what_is_lost_after_the_build_is_told_entry_by_entry(void **state)
{
    struct logs logs;
    logs_init(&logs, *state);
    logs_open(&logs);
    struct undo_position at = logs_write(&logs, 1, 1, "a", "A", "B");
    logs_write(&logs, 1, 2, "b", "A", "B");
    build(&logs, NULL, 0);
    g_autofree char *path = logs_segment(&logs, 1);
    logs_flip(path, at.offset + 80);
    GError *error = NULL;
    auto_(undo_chains) chains = NULL;
    auto_(arena) mem = arena_new(1 << 20);
    struct undo_chain_list list;
    kit_ok(undo_chains_open(&chains, &logs.config, &error));
    for (uint64_t first = 0; first < 2; first++) { /* backwards, too */
        kit_ok(undo_chains_read(chains, 1 - first, 2, mem, &list, &error));
        assert_int_equal(list.n, 1 + first);
        assert_false(list.chains[list.n - 1].lost);
        kit_equal_text(list.chains[list.n - 1].key, "b");
    }
    assert_true(list.chains[0].lost);
    g_autoptr(GArray) losses = g_array_new(FALSE, FALSE, sizeof(struct undo_damage));
    kit_ok(undo_chains_losses(&logs.config, NULL, losses, &error));
    assert_int_equal(losses->len, 1);
    const struct undo_damage *damage = &g_array_index(losses, struct undo_damage, 0);
    assert_int_equal(damage->at.offset, at.offset);
    assert_int_equal(damage->keys, 1);
    logs_done(&logs);
}

/* --- many --------------------------------------------------------------------------------------------------------- */

static void where_memory_is_small_fewer_come_back_and_none_is_lost(void **state)
{
    struct logs logs;
    logs_init(&logs, *state);
    logs_open(&logs);
    g_autofree char *value = g_strnfill(1000, 'A');
    for (uint64_t i = 1; i <= 30; i++) {
        g_autofree char *key = g_strdup_printf("%02d", (int)i);
        logs_write(&logs, 1, i, key, value, "B");
    }
    build(&logs, NULL, 0);
    GError *error = NULL;
    auto_(undo_chains) chains = NULL;
    auto_(arena) mem = arena_new(8000);
    kit_ok(undo_chains_open(&chains, &logs.config, &error));
    uint64_t at = 0;
    struct undo_chain_list list = {.n = 1};
    for (; list.n > 0; at += list.n) {
        arena_reset(mem);
        kit_ok(undo_chains_read(chains, at, 30, mem, &list, &error));
        assert_true(list.n < 30);
        for (size_t i = 0; i < list.n; i++)
            assert_int_equal((list.chains[i].key.data[0] - '0') * 10 + list.chains[i].key.data[1] - '0', at + i + 1);
    }
    assert_int_equal(at, 30);
    auto_(arena) tiny = arena_new(500);
    kit_refused(undo_chains_read(chains, 0, 1, tiny, &list, &error), TOO_BIG, "memory");
    kit_refused(undo_chains_read(chains, 0, 30, tiny, &list, &error), TOO_BIG, "memory");
    logs_done(&logs);
}

/* Against the plainest model there is: a map that remembers, for each key, the values since the application last wrote.
 */
static void random_logs_go_back_as_a_map_says(void **state)
{
    enum { KEYS = 40, WRITES = 3000 };
    static const char *const texts[] = {NULL, "A", "B", "C", "D"};
    for (uint64_t seed = 1; seed <= 6; seed++) {
        g_autofree char *dir = g_strdup_printf("%s/%d", (char *)*state, (int)seed);
        struct logs logs;
        logs_init(&logs, dir);
        logs.config.segment_bytes = 20000;
        logs_open(&logs);
        uint64_t random = seed, numbers[4] = {0};
        const char *now[KEYS] = {NULL}, *back[KEYS] = {NULL}, *ours[KEYS] = {NULL};
        bool any[KEYS] = {false};
        for (int i = 0; i < WRITES; i++) {
            size_t k = fake_next(&random) % KEYS, part = fake_next(&random) % 4;
            const char *next = texts[fake_next(&random) % G_N_ELEMENTS(texts)];
            if (fake_next(&random) % 10 == 0) { /* the application */
                now[k] = next;
                continue;
            }
            char key[8];
            snprintf(key, sizeof key, "%zu", k);
            struct move move = {key, now[k], next};
            bool applied = fake_next(&random) % 8 != 0;
            uint64_t number = ++numbers[part];
            logs_intents(&logs, (uint32_t)part, 1, number, &move, 1);
            logs_outcomes(&logs, (uint32_t)part, 1, number, 1, applied);
            if (!applied)
                continue;
            if (!any[k] || ours[k] != now[k])
                back[k] = now[k];
            any[k] = true;
            ours[k] = now[k] = next;
        }
        build(&logs, NULL, 0);
        g_autofree char *found = chains_by(&logs, 16);
        g_auto(GStrv) items = g_strsplit(found, " ", -1);
        size_t expected = 0;
        for (size_t k = 0; k < KEYS; k++) {
            g_autofree char *item = g_strdup_printf("%zu:%s>%s", k, ours[k] ? ours[k] : "-", back[k] ? back[k] : "-");
            assert_true(!any[k] || g_strv_contains((const char *const *)items, item));
            expected += any[k];
        }
        assert_int_equal(g_strv_length(items), expected);
        logs_done(&logs);
    }
}

#define IN_DIR(name) cmocka_unit_test_setup_teardown(name, kit_dir_setup, kit_dir_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIR(each_key_goes_back_in_the_order_of_the_log),
        IN_DIR(entries_of_one_key_in_any_partition_and_lane_are_one_chain),
        IN_DIR(sequences_order_a_chain_not_the_log),
        IN_DIR(a_cycle_goes_back_to_its_beginning),
        IN_DIR(a_write_of_the_application_between_two_entries_ends_the_walk),
        IN_DIR(only_applied_entries_are_undone),
        IN_DIR(the_expiry_belongs_to_what_was_written),
        IN_DIR(a_log_without_entries_gives_no_chains),
        IN_DIR(partitions_not_asked_for_are_not_undone),
        IN_DIR(a_stage_rolled_back_and_done_again_goes_back_as_a_whole),
        IN_DIR(what_was_rolled_back_is_not_undone_twice),
        IN_DIR(a_partition_that_is_back_gives_no_keys_but_tells_what_it_lost),
        IN_DIR(a_rollback_of_what_had_expired_counts_as_done),
        IN_DIR(chains_that_cannot_be_opened_now_are_not_said_to_be_none),
        IN_DIR(what_had_expired_when_it_went_back_leaves_the_entries_below),
        IN_DIR(chains_stay_while_their_rollback_writes),
        IN_DIR(chains_that_are_not_whole_are_made_anew),
        IN_DIR(a_flipped_bit_in_the_chains_is_seen),
        IN_DIR(whichever_call_fails_the_chains_are_whole_or_not_there),
        IN_DIR(whichever_call_fails_what_is_read_of_the_chains_is_right_or_refused),
        IN_DIR(an_unsettled_entry_is_refused_by_name),
        IN_DIR(an_entry_of_a_lane_that_a_later_one_has_closed_was_never_applied),
        IN_DIR(the_keys_of_a_damaged_block_are_listed_and_the_rest_goes_back),
        IN_DIR(entries_whose_outcome_is_lost_are_listed_not_guessed),
        IN_DIR(a_log_cut_off_where_a_block_ends_is_told_by_the_writes_that_are_known),
        IN_DIR(a_torn_tail_is_no_loss),
        IN_DIR(what_is_lost_after_the_build_is_told_entry_by_entry),
        IN_DIR(where_memory_is_small_fewer_come_back_and_none_is_lost),
        IN_DIR(random_logs_go_back_as_a_map_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
