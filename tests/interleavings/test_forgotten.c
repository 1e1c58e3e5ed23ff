/* Numbers that the fence has forgotten, since a later request needed its room: of those the undo log alone tells. */
#include <sqlite3.h>

#include "interleavings/partly.h"
#include "interleavings/specs.h"
#include "kit/scene.h"

#define ONE_PART                                                                                                       \
    "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: items }\ntransform: { lua: t.lua }\n"                  \
    "target: { store: \"mem:s\", dataset: items }\npartitions: { size: 1000 }\nworkers: 1\n"

static void begin(struct scene *scene)
{
    scene_init(scene, SAME_DATASET, ONCE_MORE);
    scene_put(scene, "items", "a", "{\"n\":1,\"times\":0}");
    scene_put(scene, "items", "b", "{\"n\":2,\"times\":0}");
}

static char *segment_path(struct scene *scene, uint64_t number)
{
    g_autofree char *name = g_strdup_printf("%06" G_GUINT64_FORMAT ".undo", number);
    return g_build_filename(scene->home, "undo", "job.1", name, NULL);
}

static gsize segment_bytes(struct scene *scene, uint64_t segment)
{
    g_autofree char *path = segment_path(scene, segment);
    g_autofree char *bytes = NULL;
    gsize len;
    assert_true(g_file_get_contents(path, &bytes, &len, NULL));
    return len;
}

static gsize log_bytes(struct scene *scene)
{
    return segment_bytes(scene, 1);
}

/* Of a segment: the bit of so high a number, around and around. */
static void turn_bit(struct scene *scene, uint64_t segment, uint64_t bit)
{
    g_autofree char *path = segment_path(scene, segment);
    g_autofree char *bytes = NULL;
    gsize len;
    assert_true(g_file_get_contents(path, &bytes, &len, NULL));
    bytes[bit / 8 % len] ^= (char)(1u << bit % 8);
    assert_true(g_file_set_contents(path, bytes, (gssize)len, NULL));
}

static void flip_a_bit(struct scene *scene, gsize at)
{
    assert_true(at < log_bytes(scene));
    turn_bit(scene, 1, at * 8 + 4);
}

/* A batch of two rounds: `a` is written in the first, `b` in the second, whose request makes the fence forget the
 * numbers of the first. *ret: where the first round's intents, and its outcomes, begin and end. */
struct rounds {
    gsize intents, outcomes, end;
};

static void two_rounds(struct scene *scene, struct process *process, struct rounds *ret)
{
    begin(scene);
    scene_plan(scene);
    process_begin(process, scene, JOB_FORWARD);
    process_until(process, 0, OP_LOG);
    scene_keep_home(scene);
    ret->intents = log_bytes(scene);
    process_until(process, 0, OP_CAS);
    scene_put(scene, "items", "b", "{\"n\":22,\"times\":0}");
    process_until(process, 0, OP_OUTCOME);
    ret->outcomes = log_bytes(scene);
    process_step(process, 0);
    ret->end = log_bytes(scene);
    process_until(process, 0, OP_CAS);
}

/* The undo log of the older home says nothing of what was written: to go on would write it twice. */
static void a_home_from_before_writes_of_this_lane_is_refused(void **state)
{
    static void (*const COMMANDS[])(struct scene *, struct ended *) = {scene_run, scene_back};
    for (int forgotten = 0; forgotten < 2; forgotten++) {
        struct scene scene;
        struct process process;
        struct rounds rounds;
        two_rounds(&scene, &process, &rounds);
        if (forgotten) { /* nothing of the second round is written, and no number is marked any more */
            scene_put(&scene, "items", "b", "{\"n\":23,\"times\":0}");
            process_step(&process, 0);
        }
        process_die(&process);
        scene_restore_home(&scene);
        for (size_t i = 0; i < G_N_ELEMENTS(COMMANDS); i++) {
            struct ended ended;
            COMMANDS[i](&scene, &ended);
            if (ended.status != 7 || !strstr(ended.text, "of which the undo log of this home says nothing"))
                fail_msg("command %zu (%d) ended with %d: %s", i, forgotten, ended.status, ended.text);
            ended_done(&ended);
        }
        scene_holds(&scene, "items", "a", "{\"n\":1,\"times\":1}");
        scene_done(&scene);
    }
}

/* Of numbers below the fence's base only the log says which keys they were. */
static void what_the_fence_has_forgotten_and_the_log_cannot_tell_is_not_written_again(void **state)
{
    static const struct {
        bool head, fenceless;
    } ROWS[] = {{false, false}, {true, false}, {false, true}, {true, true}};
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct scene scene;
        struct process process;
        struct rounds rounds;
        struct ended ended;
        two_rounds(&scene, &process, &rounds);
        process_step(&process, 0);
        if (ROWS[i].fenceless)
            scene_drop_fences(&scene, process.hold->run.uid);
        process_die(&process);
        flip_a_bit(&scene, ROWS[i].head ? rounds.intents + 20 : rounds.outcomes - 4);
        process_begin(&process, &scene, JOB_FORWARD);
        process_fails(&process, 0, CORRUPT);
        process_die(&process);
        scene_holds(&scene, "items", "a", "{\"n\":1,\"times\":1}");
        scene_back(&scene, &ended);
        assert_int_equal(ended.status, 8);
        assert_non_null(strstr(ended.text, "damaged"));
        ended_done(&ended);
        scene_holds(&scene, "items", "b", "{\"n\":22,\"times\":0}");
        scene_done(&scene);
    }
}

/* Neither of what cannot be read, nor of what no block's head names; nor where the fence has forgotten, or marks, what
 * the block is of. */
static void what_a_fence_lost_in_part_and_a_damaged_log_do_not_tell_is_not_written_again(void **state)
{
    static const struct {
        bool head, marks, second;
        const char *lost;
    } ROWS[] = {{false, false, false, "2 writes"},
                {true, false, false, "1 writes"},
                {false, true, false, "2 writes"},
                {false, true, true, "1 writes"}};
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct partly partly = {.forgets = !ROWS[i].marks};
        struct scene *scene = &partly.scene;
        struct process process;
        struct rounds rounds;
        struct ended ended;
        two_rounds(scene, &process, &rounds);
        gsize second = log_bytes(scene) - 4;
        process_step(&process, 0);
        process_die(&process);
        flip_a_bit(scene, ROWS[i].second ? second : ROWS[i].head ? rounds.intents + 20 : rounds.outcomes - 4);
        partly_opens(&partly);
        scene_run(scene, &ended);
        g_autofree char *words = g_strdup_printf("read, and %s of partition 0", ROWS[i].lost);
        if (ended.status != 6 || !strstr(ended.text, words))
            fail_msg("row %zu ended with %d: %s", i, ended.status, ended.text);
        ended_done(&ended);
        scene_holds(scene, "items", "a", "{\"n\":1,\"times\":1}");
        scene_back(scene, &ended);
        assert_int_equal(ended.status, 8);
        ended_done(&ended);
        scene_done(scene);
    }
}

/* Damage that hides nothing: of intents whose outcomes cannot be read, and of writes that a checkpoint counts. */
static void damage_that_hides_no_write_lets_the_run_go_on(void **state)
{
    for (int counted = 0; counted < 2; counted++) {
        struct scene scene;
        struct process process;
        struct rounds rounds;
        two_rounds(&scene, &process, &rounds);
        if (counted) {
            process_until(&process, 0, OP_CHECKPOINT);
            process_step(&process, 0);
        } else
            process_step(&process, 0);
        process_die(&process);
        flip_a_bit(&scene, counted ? rounds.outcomes - 4 : rounds.end - 2);
        process_whole(&scene, JOB_FORWARD);
        scene_holds(&scene, "items", "a", "{\"n\":1,\"times\":1}");
        scene_holds(&scene, "items", "b", "{\"n\":22,\"times\":1}");
        scene_done(&scene);
    }
}

/* A batch, until its worker wishes such a step; *ret: where its intents begin and end. */
static void one_batch(struct scene *scene, struct process *process, enum op_kind until, struct rounds *ret)
{
    process_until(process, 0, OP_LOG);
    ret->intents = log_bytes(scene);
    process_until(process, 0, until);
    ret->outcomes = log_bytes(scene);
}

/* Of a batch's intents the head, or what they are of. */
static void damage(struct scene *scene, const struct rounds *rounds, bool head)
{
    flip_a_bit(scene, head ? rounds->intents + 20 : rounds->outcomes - 4);
}

static void is_refused(struct scene *scene)
{
    struct process process;
    process_begin(&process, scene, JOB_FORWARD);
    process_fails(&process, 0, CORRUPT);
    process_die(&process);
}

static void is_taken_back_in_part(struct scene *scene)
{
    struct ended ended;
    scene_back(scene, &ended);
    assert_int_equal(ended.status, 8);
    ended_done(&ended);
}

/* One holder has written `a` and `b` and died; the next died behind a checkpoint that counts `a` alone, or (`settled`)
 * a batch of its own before. *ret: where the intents of the first begin and end. */
static void two_holders(struct scene *scene, struct rounds *ret)
{
    struct process process;
    begin(scene);
    scene_put(scene, "items", "c", "{\"n\":3,\"times\":0}");
    scene_plan(scene);
    process_begin_small(&process, scene, JOB_FORWARD, 2);
    one_batch(scene, &process, OP_OUTCOME, ret);
    process_die(&process);
    process_begin_small(&process, scene, JOB_FORWARD, 1);
    process_until(&process, 0, OP_CHECKPOINT);
    process_step(&process, 0);
    process_die(&process);
}

/* A checkpoint of the second says nothing of `b`: once the block that names it is gone, nobody knows that `b` was
 * written, and to go on would write it twice. */
static void what_a_first_holder_wrote_and_a_second_has_not_met_is_not_written_again(void **state)
{
    for (int head = 0; head < 2; head++) {
        struct scene scene;
        struct rounds rounds;
        two_holders(&scene, &rounds);
        damage(&scene, &rounds, head);
        is_refused(&scene);
        scene_holds(&scene, "items", "b", "{\"n\":2,\"times\":1}");
        is_taken_back_in_part(&scene);
        scene_done(&scene);
    }
}

/* A last block that cannot be read may be torn, and nothing of it sent. Without the fence nobody can tell. */
static void a_last_block_without_its_fence_is_not_taken_for_torn(void **state)
{
    for (int head = 0; head < 2; head++) {
        struct scene scene;
        struct process process;
        struct rounds rounds;
        struct ended ended;
        begin(&scene);
        scene_put(&scene, "items", "c", "{\"n\":3,\"times\":0}");
        scene_plan(&scene);
        process_begin_small(&process, &scene, JOB_FORWARD, 2);
        process_until(&process, 0, OP_CHECKPOINT);
        process_step(&process, 0);
        one_batch(&scene, &process, OP_OUTCOME, &rounds);
        scene_drop_fences(&scene, process.hold->run.uid);
        process_die(&process);
        damage(&scene, &rounds, head);
        is_refused(&scene);
        scene_holds(&scene, "items", "c", "{\"n\":3,\"times\":1}");
        scene_back(&scene, &ended);
        assert_int_equal(ended.status, 8);
        assert_non_null(strstr(ended.text, "with 1 keys that could not be taken back"));
        ended_done(&ended);
        scene_holds(&scene, "items", "a", "{\"n\":1,\"times\":0}");
        scene_done(&scene);
    }
}

/* A second holder has found out by comparing, without the fence, what the first one wrote, and logged it. */
static void an_outcome_whose_intent_cannot_be_read_tells_of_a_write(void **state)
{
    for (int head = 0; head < 2; head++) {
        struct scene scene;
        struct process process;
        struct rounds rounds;
        struct ended ended;
        begin(&scene);
        scene_plan(&scene);
        process_begin(&process, &scene, JOB_FORWARD);
        one_batch(&scene, &process, OP_OUTCOME, &rounds);
        scene_drop_fences(&scene, process.hold->run.uid);
        process_die(&process);
        process_begin(&process, &scene, JOB_FORWARD);
        process_until(&process, 0, OP_OPEN);
        process_die(&process);
        damage(&scene, &rounds, head);
        scene_run(&scene, &ended);
        assert_int_equal(ended.status, 6);
        assert_non_null(strstr(ended.text, "and 2 writes of partition 0"));
        ended_done(&ended);
        scene_holds(&scene, "items", "a", "{\"n\":1,\"times\":1}");
        is_taken_back_in_part(&scene);
        scene_done(&scene);
    }
}

/* Of two rounds whose outcomes can be read and nothing else, or of two holders, of whom the second has logged none:
 * each is counted once. */
static void of_writes_whose_intents_cannot_be_read_each_counts_once(void **state)
{
    for (int holders = 1; holders <= 2; holders++) {
        struct scene scene;
        struct process process;
        struct rounds rounds;
        struct ended ended;
        if (holders == 1)
            two_rounds(&scene, &process, &rounds);
        else {
            begin(&scene);
            scene_put(&scene, "items", "c", "{\"n\":3,\"times\":0}");
            scene_plan(&scene);
            process_begin_small(&process, &scene, JOB_FORWARD, 2);
            one_batch(&scene, &process, OP_OUTCOME, &rounds);
            scene_drop_fences(&scene, process.hold->run.uid);
            process_die(&process);
            process_begin(&process, &scene, JOB_FORWARD);
            process_until(&process, 0, OP_CAS);
        }
        uint64_t segment = (uint64_t)holders;
        gsize second = segment_bytes(&scene, segment) - 4;
        process_until(&process, 0, OP_OUTCOME);
        if (holders == 1)
            process_step(&process, 0);
        scene_drop_fences(&scene, process.hold->run.uid);
        process_die(&process);
        flip_a_bit(&scene, rounds.outcomes - 4);
        turn_bit(&scene, segment, second * 8);
        scene_run(&scene, &ended);
        assert_int_equal(ended.status, 6);
        if (!strstr(ended.text, "and 3 writes of partition 0"))
            fail_msg("%d: %s", holders, ended.text);
        ended_done(&ended);
        is_taken_back_in_part(&scene);
        scene_done(&scene);
    }
}

/* Behind a checkpoint that counts `a` and `b`, without the fence: what cannot be read of them hides nothing, whether it
 * is what they were, what became of them, or both, and whatever stands there by now. `c` is found by comparing. */
static void what_a_checkpoint_counts_needs_neither_log_nor_fence(void **state)
{
    for (int row = 0; row < 3; row++) {
        struct scene scene;
        struct process process;
        struct rounds rounds;
        begin(&scene);
        scene_put(&scene, "items", "c", "{\"n\":3,\"times\":0}");
        scene_plan(&scene);
        process_begin_small(&process, &scene, JOB_FORWARD, 2);
        one_batch(&scene, &process, OP_OUTCOME, &rounds);
        process_step(&process, 0);
        gsize end = log_bytes(&scene);
        process_until(&process, 0, OP_CHECKPOINT);
        process_step(&process, 0);
        process_until(&process, 0, OP_OUTCOME);
        scene_drop_fences(&scene, process.hold->run.uid);
        process_die(&process);
        if (row != 1)
            flip_a_bit(&scene, rounds.outcomes - 4);
        if (row != 0)
            flip_a_bit(&scene, end - 1);
        scene_put(&scene, "items", "a", "{\"n\":11,\"times\":5}");
        process_whole(&scene, JOB_FORWARD);
        scene_holds(&scene, "items", "a", "{\"n\":11,\"times\":5}");
        scene_holds(&scene, "items", "c", "{\"n\":3,\"times\":1}");
        assert_int_equal(scene_count(&scene, OUTCOME_IN_DOUBT), 0);
        assert_int_equal(scene_count(&scene, OUTCOME_WRITTEN), 3);
        scene_reconciles(&scene);
        scene_done(&scene);
    }
}

static void who_cannot_look_at_what_is_in_doubt_decides_nothing(void **state)
{
    static const struct fault_row NO_READ = {.op = FAULT_READ, .nth = 1, .effect = FAULT_FATAL};
    struct scene scene;
    struct process process;
    struct rounds rounds;
    begin(&scene);
    scene_plan(&scene);
    process_begin(&process, &scene, JOB_FORWARD);
    one_batch(&scene, &process, OP_OUTCOME, &rounds);
    scene_drop_fences(&scene, process.hold->run.uid);
    process_die(&process);
    process_begin(&process, &scene, JOB_FORWARD);
    assert_int_equal(process_until(&process, 0, OP_READ)->read.n, 2);
    scene_fault(&scene, &NO_READ);
    process_fails(&process, 0, STORE);
    process_die(&process);
    scene_fault(&scene, NULL);
    process_whole(&scene, JOB_FORWARD);
    scene_holds(&scene, "items", "a", "{\"n\":1,\"times\":1}");
    scene_done(&scene);
}

/* A block whose head tells nothing, and the fence is lost. Where a later one proves that it was synced, its writes may
 * have been sent; as the last one, where it is known that its lane was opened. */
static void a_block_of_nobody_without_its_fence_is_not_written_again(void **state)
{
    for (int proven = 0; proven < 2; proven++) {
        struct scene scene;
        struct process process;
        struct rounds rounds;
        if (proven) {
            begin(&scene);
            for (int i = 0; i < 6; i++) {
                g_autofree char *key = g_strdup_printf("c%d", i);
                scene_put(&scene, "items", key, "{\"times\":0}");
            }
            scene_plan(&scene);
            process_begin(&process, &scene, JOB_FORWARD);
            one_batch(&scene, &process, OP_OUTCOME, &rounds);
            process_until(&process, 1, OP_CAS);
        } else {
            two_rounds(&scene, &process, &rounds);
            rounds.intents = rounds.end;
            process_step(&process, 0);
        }
        scene_drop_fences(&scene, process.hold->run.uid);
        process_die(&process);
        damage(&scene, &rounds, true);
        is_refused(&scene);
        scene_holds(&scene, "items", "a", "{\"n\":1,\"times\":1}");
        scene_done(&scene);
    }
}

/* Somebody died with intents that he never sent, the next one before he opened his lane; `counted`: behind a checkpoint
 * of the first. */
static void a_torn_block_beside_a_lane_that_was_never_opened_holds_up_nobody(void **state)
{
    for (int row = 0; row < 4; row++) {
        bool head = row & 1, counted = row & 2;
        struct scene scene;
        struct process process;
        struct rounds rounds;
        begin(&scene);
        scene_put(&scene, "items", "c", "{\"n\":3,\"times\":0}");
        scene_plan(&scene);
        process_begin_small(&process, &scene, JOB_FORWARD, 2);
        if (counted) {
            process_until(&process, 0, OP_CHECKPOINT);
            process_step(&process, 0);
        }
        one_batch(&scene, &process, OP_CAS, &rounds);
        process_die(&process);
        process_begin(&process, &scene, JOB_FORWARD);
        process_until(&process, 0, OP_LANE_OPEN);
        process_die(&process);
        damage(&scene, &rounds, head);
        process_whole(&scene, JOB_FORWARD);
        scene_holds(&scene, "items", "a", "{\"n\":1,\"times\":1}");
        scene_holds(&scene, "items", "c", "{\"n\":3,\"times\":1}");
        scene_done(&scene);
    }
}

/* What a checkpoint of the first counts is counted behind one of the second, too. */
static void damage_to_what_two_checkpoints_back_counts_lets_the_run_go_on(void **state)
{
    for (int head = 0; head < 2; head++) {
        struct scene scene;
        struct process process;
        struct rounds rounds;
        begin(&scene);
        scene_put(&scene, "items", "c", "{\"n\":3,\"times\":0}");
        scene_put(&scene, "items", "d", "{\"n\":4,\"times\":0}");
        scene_plan(&scene);
        process_begin_small(&process, &scene, JOB_FORWARD, 2);
        one_batch(&scene, &process, OP_CAS, &rounds);
        process_until(&process, 0, OP_CHECKPOINT);
        process_step(&process, 0);
        process_until(&process, 0, OP_OUTCOME); /* of the second batch, whose writes made the fence forget the first */
        process_die(&process);
        damage(&scene, &rounds, head);
        process_begin_small(&process, &scene, JOB_FORWARD, 1);
        process_until(&process, 0, OP_CHECKPOINT);
        process_step(&process, 0);
        process_die(&process);
        process_whole(&scene, JOB_FORWARD);
        scene_holds(&scene, "items", "a", "{\"n\":1,\"times\":1}");
        scene_holds(&scene, "items", "d", "{\"n\":4,\"times\":1}");
        scene_done(&scene);
    }
}

static void damage_claims(struct scene *scene)
{
    sqlite3 *db;
    g_autofree char *path = g_build_filename(scene->home, "catalog.db", NULL);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "DROP TRIGGER checkpoint_stays", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "UPDATE checkpoint SET claims = X'01'", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_changes(db), 1);
    sqlite3_close(db);
}

/* Who goes on would have to guess; who takes back compares first. */
static void without_what_a_checkpoint_says_of_earlier_writes_only_a_rollback_goes_on(void **state)
{
    struct scene scene;
    struct rounds rounds;
    struct ended ended;
    two_holders(&scene, &rounds);
    damage_claims(&scene);
    scene_run(&scene, &ended);
    assert_int_equal(ended.status, 6);
    assert_non_null(strstr(ended.text, "`sluice rollback job.1` takes back"));
    ended_done(&ended);
    scene_taken_back(&scene, 0);
    scene_holds(&scene, "items", "a", "{\"n\":1,\"times\":0}");
    scene_holds(&scene, "items", "b", "{\"n\":2,\"times\":0}");
    scene_holds(&scene, "items", "c", "{\"n\":3,\"times\":0}");
    scene_done(&scene);
}

/* Nor does it know which of the first holder's writes the checkpoint counts, where a block of them is damaged, too. */
static void what_a_damaged_block_hid_is_listed_where_the_claims_are_damaged(void **state)
{
    for (int fenceless = 0; fenceless < 2; fenceless++) {
        auto_(arena) mem = arena_new(1 << 20);
        struct scene scene;
        struct rounds rounds;
        two_holders(&scene, &rounds);
        damage_claims(&scene);
        damage(&scene, &rounds, false);
        if (fenceless)
            scene_drop_fences(&scene, scene_row(&scene, mem).uid);
        is_taken_back_in_part(&scene);
        scene_holds(&scene, "items", "b", "{\"n\":2,\"times\":1}");
        scene_holds(&scene, "items", "c", "{\"n\":3,\"times\":0}");
        scene_done(&scene);
    }
}

/* --- deaths at any step, of processes with batches of any size, and bits of the log that turn over between them -----
 */

#define KEYS  9
#define LIVES 120

struct met {
    uint64_t turned, ended, refused;
};

static bool segment_is_there(struct scene *scene, uint64_t number)
{
    g_autofree char *path = segment_path(scene, number);
    return g_file_test(path, G_FILE_TEST_EXISTS);
}

/* Of any segment. */
static void turn_a_bit(struct scene *scene, uint64_t *seed)
{
    uint64_t segments = 0;
    while (segment_is_there(scene, segments + 1))
        segments++;
    turn_bit(scene, 1 + fake_next(seed) % segments, fake_next(seed));
}

static void one_process(struct scene *scene, uint64_t *seed, struct met *met)
{
    struct process process;
    size_t steps = fake_next(seed) % 30;
    process_begin_small(&process, scene, JOB_FORWARD, 1 + fake_next(seed) % 5);
    for (size_t i = 0; i < steps && process_wish(&process, 0)->kind != OP_END; i++)
        process_step(&process, 0);
    process_die(&process);
    if (fake_next(seed) % 3)
        return;
    turn_a_bit(scene, seed);
    met->turned++;
}

/* How often each key was written: as often as `allowed` has a digit. */
static void all_written(struct scene *scene, const char *allowed, uint64_t seed)
{
    for (int i = 0; i < KEYS; i++) {
        g_autofree char *key = g_strdup_printf("k%d", i);
        g_autofree char *json = scene_json(scene, "items", key, NULL);
        const char *times = strstr(json, "\"times\":") + strlen("\"times\":");
        if (!strchr(allowed, *times))
            fail_msg("seed %" G_GUINT64_FORMAT ": %s is %s", seed, key, json);
    }
}

static void no_key_is_written_twice_whoever_dies_and_whatever_cannot_be_read(void **state)
{
    struct met met = {0};
    for (uint64_t seed = 1; seed <= LIVES; seed++) {
        struct scene scene;
        struct ended ended, back;
        uint64_t random = seed * 7919;
        scene_init(&scene, ONE_PART, ONCE_MORE);
        for (int i = 0; i < KEYS; i++) {
            g_autofree char *key = g_strdup_printf("k%d", i);
            scene_put(&scene, "items", key, "{\"times\":0}");
        }
        scene_plan(&scene);
        for (uint64_t deaths = 1 + fake_next(&random) % 5; deaths > 0; deaths--)
            one_process(&scene, &random, &met);
        scene_run(&scene, &ended);
        met.ended += ended.status == 0;
        met.refused += ended.status != 0;
        all_written(&scene, ended.status ? "01" : "1", seed);
        scene_back(&scene, &back);
        if (back.status != 0 && back.status != 8)
            fail_msg("seed %" G_GUINT64_FORMAT ": the rollback ended with %d: %s", seed, back.status, back.text);
        all_written(&scene, back.status ? "01" : "0", seed);
        ended_done(&ended);
        ended_done(&back);
        scene_done(&scene);
    }
    print_message("# %" G_GUINT64_FORMAT " bits, %" G_GUINT64_FORMAT " lives that ended well, %" G_GUINT64_FORMAT
                  " that were refused\n",
                  met.turned, met.ended, met.refused);
    assert_true(met.turned >= LIVES / 4 && met.ended >= LIVES / 4 && met.refused >= LIVES / 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_home_from_before_writes_of_this_lane_is_refused),
        cmocka_unit_test(what_the_fence_has_forgotten_and_the_log_cannot_tell_is_not_written_again),
        cmocka_unit_test(what_a_fence_lost_in_part_and_a_damaged_log_do_not_tell_is_not_written_again),
        cmocka_unit_test(damage_that_hides_no_write_lets_the_run_go_on),
        cmocka_unit_test(what_a_first_holder_wrote_and_a_second_has_not_met_is_not_written_again),
        cmocka_unit_test(a_last_block_without_its_fence_is_not_taken_for_torn),
        cmocka_unit_test(an_outcome_whose_intent_cannot_be_read_tells_of_a_write),
        cmocka_unit_test(of_writes_whose_intents_cannot_be_read_each_counts_once),
        cmocka_unit_test(what_a_checkpoint_counts_needs_neither_log_nor_fence),
        cmocka_unit_test(who_cannot_look_at_what_is_in_doubt_decides_nothing),
        cmocka_unit_test(a_block_of_nobody_without_its_fence_is_not_written_again),
        cmocka_unit_test(a_torn_block_beside_a_lane_that_was_never_opened_holds_up_nobody),
        cmocka_unit_test(damage_to_what_two_checkpoints_back_counts_lets_the_run_go_on),
        cmocka_unit_test(without_what_a_checkpoint_says_of_earlier_writes_only_a_rollback_goes_on),
        cmocka_unit_test(what_a_damaged_block_hid_is_listed_where_the_claims_are_damaged),
        cmocka_unit_test(no_key_is_written_twice_whoever_dies_and_whatever_cannot_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
