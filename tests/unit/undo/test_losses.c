/* What of an undo log is said to be lost, to the number. */
#include <glib/gstdio.h>

#include "unit/undo/chains_kit.h"

/* The rows of what is lost, as PART.LANE:FIRST+KEYS, by blanks. */
static char *losses_of(struct logs *logs)
{
    struct undo_damage damage[16];
    GString *text = g_string_new(NULL);
    size_t n = damage_of(logs, damage, G_N_ELEMENTS(damage));
    for (size_t i = 0; i < n; i++)
        g_string_append_printf(text, "%s%u.%u:%u+%u", i ? " " : "", damage[i].part, damage[i].lane,
                               (unsigned)damage[i].first_number, damage[i].keys);
    return g_string_free(text, FALSE);
}

static void assert_losses(struct logs *logs, const struct undo_filter *filter, const char *expected)
{
    GError *error = NULL;
    kit_ok(undo_chains_drop_durable(&logs->config, &error));
    kit_ok(undo_chains_build(&logs->config, filter, &error));
    g_autofree char *found = losses_of(logs);
    assert_string_equal(found, expected);
}

static void intents_of(struct logs *logs, uint32_t part, uint64_t first, size_t n)
{
    struct move moves[200];
    for (size_t i = 0; i < n; i++)
        moves[i] = (struct move){"k", "A", "B"};
    logs_intents(logs, part, 1, first, moves, n);
}

/* Entries of unknown outcome were applied as far as writes are missing: of that partition alone, in the log's order. */
static void entries_without_outcome_are_lost_as_far_as_writes_are_missing(void **state)
{
    struct logs logs;
    logs_init(&logs, *state);
    logs_open(&logs);
    intents_of(&logs, 1, 1, 3);
    logs_outcomes(&logs, 1, 1, 2, 1, 1);
    intents_of(&logs, 1, 4, 3); /* of another block, though its numbers follow */
    intents_of(&logs, 2, 1, 2);
    logs_open(&logs);
    intents_of(&logs, 1, 7, 1);
    static const uint32_t parts[] = {1, 2}, newer[] = {2, 2}, older[] = {1, 2};
    struct {
        uint64_t written[2];
        const char *lost;
    } rows[] = {{{1, 0}, ""},
                {{2, 0}, "1.1:1+1"},
                {{4, 1}, "1.1:1+1 1.1:3+1 1.1:4+1 2.1:1+1"},
                {{6, 2}, "1.1:1+1 1.1:3+1 1.1:4+3 2.1:1+2"},
                {{9, 2}, "1.1:1+1 1.1:3+1 1.1:4+3 1.1:7+1 1.0:0+2 2.1:1+2"}};
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct undo_filter filter = {.parts = parts, .n = 2, .written = rows[i].written, .lanes = newer};
        assert_losses(&logs, &filter, rows[i].lost);
    }
    GError *error = NULL;
    struct undo_filter filter = {.parts = parts, .n = 2, .written = rows[2].written, .lanes = older};
    kit_ok(undo_chains_drop_durable(&logs.config, &error));
    kit_refused(undo_chains_build(&logs.config, &filter, &error), INTERNAL, "partition 1: write 7 of lane 1");
    filter.lanes = NULL;
    kit_refused(undo_chains_build(&logs.config, &filter, &error), INTERNAL, "partition 1: write 7 of lane 1");
    logs_done(&logs);
}

/* A block of intents that is lost, by what is known of its numbers: over more than one word of them, and of no other
 * lane. */
static void of_a_lost_block_as_many_are_lost_as_were_applied(void **state)
{
    struct logs logs;
    logs_init(&logs, *state);
    logs_open(&logs);
    struct undo_position at[3];
    for (uint32_t part = 0; part < 3; part++) {
        intents_of(&logs, part, 50, 10); /* of numbers just below: read, and settled */
        logs_outcomes(&logs, part, 1, 50, 10, 0);
        at[part] = undo_here(logs.log);
        intents_of(&logs, part, 60, 136);
        logs_outcomes(&logs, part, 2, 60, 8, 0xff); /* of another lane */
        logs_outcomes(&logs, part, 1, 60, 64, part == 1 ? 0 : UINT64_MAX);
        logs_outcomes(&logs, part, 1, 124, 64, part == 1 ? 0 : UINT64_MAX);
        logs_outcomes(&logs, part, 1, 188, 8, part == 1 ? 0 : 0x0f);
    }
    logs_sync(&logs);
    logs_write(&logs, 7, 1, "behind", "A", "B");
    logs_close(&logs);
    g_autofree char *path = logs_segment(&logs, 1);
    for (uint32_t part = 0; part < 3; part++)
        logs_flip(path, at[part].offset + 200); /* in the payload: its head still verifies */
    static const uint32_t asked[] = {0, 1};
    struct undo_filter filter = {.parts = asked, .n = 2};
    assert_losses(&logs, &filter, "0.1:60+132 0.2:60+8 1.2:60+8");
    assert_losses(&logs, NULL, "0.1:60+132 2.1:60+132 0.2:60+8 1.2:60+8 2.2:60+8");
    logs_done(&logs);
}

/* Nothing tells that it ever was durable: nothing of it was sent. */
static void a_damaged_block_that_no_sync_covered_is_no_loss(void **state)
{
    struct logs logs;
    logs_init(&logs, *state);
    logs_open(&logs);
    logs_write(&logs, 1, 1, "k", "A", "B");
    struct undo_position at = undo_here(logs.log);
    intents_of(&logs, 1, 2, 3);
    logs_close(&logs);
    g_autofree char *path = logs_segment(&logs, 1);
    logs_flip(path, at.offset + 80);
    assert_losses(&logs, NULL, "");
    assert_chains(&logs, "k:B>A");
    logs_done(&logs);
}

/* Whoever found a write applied may say so after one who had found that it was not. */
static void applied_once_said_stays(void **state)
{
    struct logs logs;
    GError *error = NULL;
    logs_init(&logs, *state);
    logs_open(&logs);
    intents_of(&logs, 1, 1, 2);
    logs_outcomes(&logs, 1, 1, 1, 2, 1);
    logs_outcomes(&logs, 1, 1, 1, 2, 2);
    auto_(arena) mem = arena_new(1 << 20);
    struct undo_tail tail;
    kit_ok(undo_tail_read(&tail, &logs.config, 1, (struct undo_position){0, 0}, mem, &error));
    assert_int_equal(tail.n, 2);
    assert_int_equal(tail.entries[0].state, UNDO_APPLIED);
    assert_int_equal(tail.entries[1].state, UNDO_APPLIED);
    static const uint32_t part = 1;
    static const uint64_t written = 2;
    assert_losses(&logs, &(struct undo_filter){.parts = &part, .n = 1, .written = &written}, "");
    logs_done(&logs);
}

static void a_log_whose_newest_segment_is_gone_goes_on(void **state)
{
    struct logs logs;
    logs_init(&logs, *state);
    logs_open(&logs);
    logs_write(&logs, 1, 1, "k", "A", "B");
    logs_close(&logs);
    g_autofree char *path = logs_segment(&logs, 1);
    assert_int_equal(g_unlink(path), 0);
    logs_open(&logs);
    logs_write(&logs, 1, 2, "l", "A", "B");
    assert_losses(&logs, NULL, "4294967295.0:0+0");
    assert_chains(&logs, "l:B>A");
    logs_done(&logs);
}

/* --- what a promotion wrote --------------------------------------------------------------------------------------- */

static void what_was_promoted_goes_back_where_it_is_asked_for(void **state)
{
    struct logs logs;
    logs_init(&logs, *state);
    logs_open(&logs);
    logs_write(&logs, 1, 1, "k", "A", "B");
    build(&logs, NULL, 0);
    logs_write(&logs, UNDO_ROLLBACK_PART, 1, "k", "B", "A");
    logs_write(&logs, UNDO_PROMOTION_PART, 1, "live", "C", "D");
    build(&logs, NULL, 0);
    assert_chains(&logs, "k:B>A"); /* as they were: nothing of the run itself was written since */
    static const uint32_t promoted = UNDO_PROMOTION_PART;
    build(&logs, &promoted, 1);
    assert_chains(&logs, "live:D>C");
    static const uint32_t forward = 1;
    build(&logs, &promoted, 0);
    assert_chains(&logs, "");
    build(&logs, &forward, 1);
    assert_chains(&logs, "");
    build(&logs, NULL, 0);
    assert_chains(&logs, "");
    logs_done(&logs);
}

/* --- many, and large ---------------------------------------------------------------------------------------------- */

static void more_chains_than_a_block_are_read_forwards_and_back(void **state)
{
    enum { KEYS = 4200, STEP = 60 };
    struct logs logs;
    GError *error = NULL;
    logs_init(&logs, *state);
    logs_open(&logs);
    for (uint64_t first = 1; first <= KEYS; first += STEP) {
        char keys[STEP][8];
        struct move moves[STEP];
        for (size_t i = 0; i < STEP; i++) {
            g_snprintf(keys[i], sizeof keys[i], "%04u", (unsigned)(first - 1 + i));
            moves[i] = (struct move){keys[i], "A", "B"};
        }
        logs_intents(&logs, 1, 1, first, moves, STEP);
        logs_outcomes(&logs, 1, 1, first, STEP, UINT64_MAX);
    }
    build(&logs, NULL, 0);
    auto_(undo_chains) chains = NULL;
    auto_(arena) mem = arena_new(1 << 20);
    kit_ok(undo_chains_open(&chains, &logs.config, &error));
    assert_int_equal(undo_chains_count(chains), KEYS);
    static const uint64_t places[] = {4094, 0, 4199, 4095, 4096, 1};
    for (size_t i = 0; i < G_N_ELEMENTS(places); i++) {
        char key[8];
        struct undo_chain_list list;
        g_snprintf(key, sizeof key, "%04u", (unsigned)places[i]);
        arena_reset(mem);
        kit_ok(undo_chains_read(chains, places[i], 4, mem, &list, &error));
        assert_int_equal(list.n, MIN(4, KEYS - places[i]));
        kit_equal_text(list.chains[0].key, key);
    }
    logs_done(&logs);
}

/* Whoever reads heads gives their memory back as it goes. */
static void a_log_of_many_blocks_is_read_to_its_end(void **state)
{
    enum { BLOCKS = 30000 };
    struct logs logs;
    GError *error = NULL;
    logs_init(&logs, *state);
    logs_open(&logs);
    for (uint64_t i = 0; i < BLOCKS; i++)
        logs_outcomes(&logs, 2, 1, 1 + i, 1, 0);
    logs_write(&logs, 1, 1, "k", "A", "B");
    build(&logs, NULL, 0);
    assert_chains(&logs, "k:B>A");
    auto_(arena) mem = arena_new(1 << 20);
    struct undo_tail tail;
    kit_ok(undo_tail_read(&tail, &logs.config, 1, (struct undo_position){0, 0}, mem, &error));
    assert_int_equal(tail.n, 1);
    logs_done(&logs);
}

static void a_batch_that_no_block_holds_is_refused_and_a_large_one_kept(void **state)
{
    enum { MOST = 1 << 30 };
    struct logs logs;
    GError *error = NULL;
    logs_init(&logs, *state);
    logs_open(&logs);
    static const char byte = 'k';
    struct undo_intent usual = logs_intent(&(struct move){"k", "A", "B"}), key = usual, value = usual, half = usual;
    key.key = slice_of(&byte, (size_t)MOST + 1); /* refused before a byte of it is read */
    value.pre_raw = slice_of(&byte, (size_t)MOST + 1);
    half.pre_raw = slice_of(&byte, MOST / 2);
    struct undo_intent all[][3] = {
        {usual, key, usual}, {usual, value, usual}, {half, half, usual}, {usual, half, half}};
    for (size_t i = 0; i < G_N_ELEMENTS(all); i++) {
        struct undo_batch batch = {1, 1, 1, 1, all[i], 3};
        struct undo_position at;
        kit_refused(undo_intents_durable(logs.log, &batch, &at, &error), TOO_BIG, "larger than an undo block");
    }
    g_autofree char *large = g_strnfill((size_t)9 << 20, 'x');
    logs_write(&logs, 1, 1, "k", large, "B");
    logs_write(&logs, 1, 2, "l", "A", "B");
    build(&logs, NULL, 0);
    auto_(undo_chains) chains = NULL;
    kit_ok(undo_chains_open(&chains, &logs.config, &error));
    assert_int_equal(undo_chains_count(chains), 2);
    logs_done(&logs);
}

/* A log that became shorter than its chains say: they are made anew of what there is. */
static void chains_of_a_log_that_is_shorter_now_are_made_anew(void **state)
{
    struct logs logs;
    logs_init(&logs, *state);
    logs_open(&logs);
    logs_write(&logs, 1, 1, "k", "A", "B");
    g_autofree char *manifest = g_build_filename(logs.dir, "MANIFEST", NULL);
    g_autoptr(GByteArray) older = logs_bytes(manifest);
    logs_open(&logs);
    logs_write(&logs, 1, 2, "l", "A", "B");
    build(&logs, NULL, 0);
    assert_chains(&logs, "k:B>A l:B>A");
    logs_close(&logs);
    logs_put_bytes(manifest, older->data, older->len);
    build(&logs, NULL, 0);
    assert_chains(&logs, "k:B>A");
    logs_done(&logs);
}

/* Of what is lost, too, which they tell beside the keys: whichever byte is damaged. */
static void chains_that_are_damaged_are_made_anew(void **state)
{
    struct logs logs;
    logs_init(&logs, *state);
    logs_open(&logs);
    logs_write(&logs, 1, 1, "k", "A", "B");
    struct move move = {"l", "A", "B"};
    struct undo_position bad = logs_intents(&logs, 1, 2, 1, &move, 1);
    logs_outcomes(&logs, 1, 2, 1, 1, 1);
    logs_close(&logs);
    g_autofree char *log = logs_segment(&logs, 1), *path = g_build_filename(logs.dir, "chains", NULL);
    logs_flip(log, bad.offset);
    build(&logs, NULL, 0);
    g_autoptr(GByteArray) whole = logs_bytes(path);
    for (size_t at = 0; at < whole->len; at++) {
        struct undo_damage damage[4];
        logs_flip(path, at);
        build(&logs, NULL, 0);
        g_autoptr(GByteArray) again = logs_bytes(path);
        assert_true(slice_equal(slice_of(again->data, again->len), slice_of(whole->data, whole->len)));
        assert_chains(&logs, "k:B>A");
        assert_true(damage_of(&logs, damage, 4) > 0);
    }
    logs_done(&logs);
}

#define IN_DIR(name) cmocka_unit_test_setup_teardown(name, kit_dir_setup, kit_dir_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIR(entries_without_outcome_are_lost_as_far_as_writes_are_missing),
        IN_DIR(of_a_lost_block_as_many_are_lost_as_were_applied),
        IN_DIR(a_damaged_block_that_no_sync_covered_is_no_loss),
        IN_DIR(applied_once_said_stays),
        IN_DIR(a_log_whose_newest_segment_is_gone_goes_on),
        IN_DIR(what_was_promoted_goes_back_where_it_is_asked_for),
        IN_DIR(more_chains_than_a_block_are_read_forwards_and_back),
        IN_DIR(a_log_of_many_blocks_is_read_to_its_end),
        IN_DIR(a_batch_that_no_block_holds_is_refused_and_a_large_one_kept),
        IN_DIR(chains_of_a_log_that_is_shorter_now_are_made_anew),
        IN_DIR(chains_that_are_damaged_are_made_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
