/* Partitions that are split at a checkpoint, for workers that have nothing to do. */
#include "interleavings/specs.h"
#include "kit/scene.h"

#include <sqlite3.h>

#define KEYS 24

/* One partition of 24 keys. */
#define WHOLE                                                                                                          \
    "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: items }\ntransform: { lua: t.lua }\n"                  \
    "target: { store: \"mem:s\", dataset: items }\npartitions: { count: 1 }\nworkers: 2\n"                             \
    "stages: [{ name: full, scope: 100% }]\n"

static struct scene *scene_of(void **state)
{
    return *state;
}

static int setup(void **state)
{
    struct scene *scene = g_new0(struct scene, 1);
    scene_init(scene, WHOLE, ONCE_MORE);
    for (int i = 0; i < KEYS; i++) {
        g_autofree char *key = g_strdup_printf("k%02d", i);
        scene_put(scene, "items", key, "{\"times\": 0}");
    }
    *state = scene;
    return 0;
}

static int teardown(void **state)
{
    scene_done(*state);
    g_free(*state);
    return 0;
}

static void all_hold(struct scene *scene, const char *json)
{
    for (int i = 0; i < KEYS; i++) {
        g_autofree char *key = g_strdup_printf("k%02d", i);
        scene_holds(scene, "items", key, json);
    }
}

/* The second worker has nothing to do. */
static void begin(struct process *process, struct scene *scene, size_t batch_records)
{
    process_begin_sharing(process, scene, batch_records);
    process_until(process, 0, OP_SCAN);
    process_until(process, 1, OP_IDLE);
    process_step(process, 1);
}

/* Steps behind the next checkpoint; where it split the partition, or 0. */
static uint64_t checkpointed(struct process *process, uint32_t worker)
{
    process_until(process, worker, OP_CHECKPOINT);
    process_step(process, worker);
    return process->ops[worker].checkpoint.row.split_at;
}

static size_t parts_of(struct scene *scene, struct arena *mem, struct part_row **ret)
{
    GError *error = NULL;
    auto_(catalog) catalog = NULL;
    size_t n;
    struct parts_of of = {.run = scene_row(scene, mem).id, .stage = UINT32_MAX};
    kit_ok(catalog_open(&catalog, &scene->fake.world, scene->home, CATALOG_EXISTING, &error));
    kit_ok(catalog_parts(catalog, &of, mem, ret, &n, &error));
    return n;
}

static size_t n_parts(struct scene *scene)
{
    auto_(arena) mem = arena_new(1 << 20);
    struct part_row *rows;
    return parts_of(scene, mem, &rows);
}

static void passes(struct scene *scene, size_t by_sums)
{
    struct verify_result found;
    scene_verify(scene, &found);
    if (!found.pass)
        fail_msg("%s", found.sentence);
    assert_int_equal(found.compared, KEYS);
    assert_int_equal(found.by_sums, by_sums);
    verify_result_done(&found);
}

/* Half of what is left, again and again; every key once, whoever had it. */
static void an_idle_worker_gets_half_of_what_is_left(void **state)
{
    struct scene *scene = scene_of(state);
    struct process process;
    auto_(arena) mem = arena_new(1 << 20);
    struct part_row *rows;
    scene_plan(scene);
    begin(&process, scene, 3);
    assert_int_equal(checkpointed(&process, 0), 14);
    process_until(&process, 1, OP_SCAN);
    process_until(&process, 2, OP_IDLE);
    process_step(&process, 2);
    assert_int_equal(checkpointed(&process, 1), 7);
    process_done(&process);
    assert_int_equal(parts_of(scene, mem, &rows), 3);
    assert_true(rows[0].first == 0 && rows[0].records == 14);
    assert_true(rows[1].first == 14 && rows[1].records == 7 && rows[1].parent == 0);
    assert_true(rows[2].first == 21 && rows[2].records == 3 && rows[2].parent == 1 && rows[2].of == 0);
    all_hold(scene, "{\"times\":1}");
    scene_reconciles(scene);
}

/* Below two batches a split costs more than it gives; and nobody splits for himself. */
static void little_is_not_split_nor_for_nobody(void **state)
{
    struct scene *scene = scene_of(state);
    struct process process;
    scene_plan(scene);
    process_begin_sharing(&process, scene, 4);
    assert_int_equal(checkpointed(&process, 0), 0);
    process_until(&process, 1, OP_IDLE);
    process_step(&process, 1);
    process.hold->job.split_batches = 5;
    assert_int_equal(checkpointed(&process, 0), 0); /* of 24 keys 16 are left, and 20 are asked for */
    process.hold->job.split_batches = 4;
    process_until(&process, 0, OP_SCAN);
    process_die(&process);
    assert_int_equal(n_parts(scene), 1);
}

/* A worker is told of one partition once: the next who comes to a checkpoint splits nothing for it. */
static void two_do_not_split_for_one(void **state)
{
    struct scene *scene = scene_of(state);
    struct process process;
    scene_plan(scene);
    begin(&process, scene, 4);
    assert_int_equal(checkpointed(&process, 0), 14);
    assert_int_equal(checkpointed(&process, 0), 0);
    process_done(&process);
    assert_int_equal(n_parts(scene), 2);
    all_hold(scene, "{\"times\":1}");
}

/* Steps of whoever is faster than the one who has split, and has not counted it yet. */
static void is_faster(void *self, const char *name)
{
    struct process *process = self;
    if (g_str_equal(name, "part.is_split"))
        process_until(process, 2, OP_SCAN);
}

static enum idle_answer asked(struct process *process, uint32_t worker)
{
    process_until(process, worker, OP_IDLE);
    process_step(process, worker);
    return process->ops[worker].idle.answer;
}

/* It stands in the catalog before it is counted, and is granted to a third worker in between: the one that waits is
 * sent for it once, and not for ever. */
static void a_part_that_was_granted_before_it_was_counted_is_asked_for_once(void **state)
{
    struct scene *scene = scene_of(state);
    struct world *world = &scene->fake.world;
    struct process process;
    scene_plan(scene);
    begin(&process, scene, 4);
    world->point_self = &process;
    world->point = is_faster;
    assert_int_equal(checkpointed(&process, 0), 14);
    world->point = NULL;
    assert_int_equal(process.ops[2].kind, OP_SCAN); /* it has it */
    assert_int_equal(asked(&process, 1), IDLE_WORK);
    assert_int_equal(asked(&process, 1), IDLE_WAITS);
    process_done(&process);
    assert_int_equal(n_parts(scene), 2);
    all_hold(scene, "{\"times\":1}");
}

/* Died behind the transaction, before anybody heard of it: both parts stand, and are gone on with. */
static void a_split_that_nobody_heard_of_stands(void **state)
{
    struct scene *scene = scene_of(state);
    struct process process;
    scene_plan(scene);
    begin(&process, scene, 4);
    process_until(&process, 0, OP_CHECKPOINT);
    process_step_unheard(&process, 0);
    process_die(&process);
    assert_int_equal(n_parts(scene), 2);
    process_begin_sharing(&process, scene, 4);
    process_done(&process);
    all_hold(scene, "{\"times\":1}");
    scene_reconciles(scene);
}

/* The dead holder had written 16 keys in one batch; the new one covers 4 of them with its first. What lies behind would
 * be written a second time by whoever got it. */
static void what_a_dead_holder_wrote_is_not_split_off(void **state)
{
    struct scene *scene = scene_of(state);
    struct process process;
    scene_plan(scene);
    process_begin_small(&process, scene, JOB_FORWARD, 16);
    process_until(&process, 0, OP_OUTCOME);
    process_die(&process);
    begin(&process, scene, 4);
    for (int i = 0; i < 3; i++)
        assert_int_equal(checkpointed(&process, 0), 0);
    assert_int_equal(checkpointed(&process, 0), 20); /* all 16 have come by */
    process_done(&process);
    all_hold(scene, "{\"times\":1}");
    scene_reconciles(scene);
}

static void what_was_split_is_verified_and_taken_back(void **state)
{
    struct scene *scene = scene_of(state);
    struct process process;
    scene_plan(scene);
    begin(&process, scene, 4);
    assert_int_equal(checkpointed(&process, 0), 14);
    process_done(&process);
    scene_ran(scene, 0);
    passes(scene, 2);
    scene->full = true;
    passes(scene, 0);
    scene_taken_back(scene, 0);
    all_hold(scene, "{\"times\":0}");
}

/* The sum of the partition that was split off is its own: one that has changed is found in it alone, and which key it
 * is says the sketch. */
static void a_later_change_is_found_where_it_lies(void **state)
{
    struct scene *scene = scene_of(state);
    struct process process;
    struct verify_result found;
    scene_plan(scene);
    begin(&process, scene, 4);
    assert_int_equal(checkpointed(&process, 0), 14);
    process_done(&process);
    scene_ran(scene, 0);
    scene_put(scene, "items", "k20", "{\"times\": 9}");
    scene_verify(scene, &found);
    assert_int_equal(found.by_sums, 1);
    assert_int_equal(found.by_keys, 1);
    assert_int_equal(found.in_full, 0);
    assert_int_equal(found.of[VERIFY_CHANGED_SINCE], 1);
    verify_result_done(&found);
}

/* A copy of the home from before the split does not know the new partition: it would write its keys a second time, and
 * not take back what it wrote. */
static void a_home_from_before_the_split_is_refused(void **state)
{
    static void (*const COMMANDS[])(struct scene *, struct ended *) = {scene_run, scene_back};
    struct scene *scene = scene_of(state);
    struct process process;
    scene_plan(scene);
    begin(&process, scene, 4);
    process_until(&process, 0, OP_CHECKPOINT);
    scene_keep_home(scene);
    process_step(&process, 0);
    process_until(&process, 1, OP_CHECKPOINT);
    process_die(&process);
    scene_restore_home(scene);
    for (size_t i = 0; i < G_N_ELEMENTS(COMMANDS); i++) {
        struct ended ended;
        COMMANDS[i](scene, &ended);
        assert_true(ended.by_error);
        assert_int_equal(ended.code, SLUICE_ERROR_BEHIND);
        ended_done(&ended);
    }
}

/* One large partition and a small one: each worker is given as much as the others, step by step, and the last batches
 * of all of them are near each other. */
static void workers_end_together(void **state)
{
    enum { MANY = 620, BATCH = 4 };
    struct scene *scene = scene_of(state);
    struct process process;
    uint64_t least = MANY, most = 0;
    g_autoptr(GString) uneven = g_string_new(WHOLE);
    g_string_replace(uneven, "count: 1", "size: 600", 0);
    scene_file(scene, "job.yaml", uneven->str);
    for (int i = KEYS; i < MANY; i++) {
        g_autofree char *key = g_strdup_printf("k%03d", i);
        scene_put(scene, "items", key, "{\"times\": 0}");
    }
    scene_plan(scene);
    process_begin_sharing(&process, scene, BATCH);
    process_end(&process);
    for (uint32_t i = 0; i < PROCESS_WORKERS; i++) {
        uint64_t done = tally_sum(worker_tally(process.workers[i]), OUTCOME_KIND_LISTED);
        least = MIN(least, done);
        most = MAX(most, done);
    }
    print_message("# %" PRIu64 " to %" PRIu64 " of %d keys each\n", least, most, MANY);
    assert_true(most - least <= 8 * BATCH);
    process_die(&process);
    scene_ran(scene, 0);
    scene_reconciles(scene);
}

/* Threads: whoever is idle waits for the others, and none is forgotten. */
static void a_whole_run_of_several_workers_ends(void **state)
{
    struct scene *scene = scene_of(state);
    scene_ran(scene, 0);
    all_hold(scene, "{\"times\":1}");
    scene_reconciles(scene);
}

/* Somebody else has the catalog for longer than anybody waits for it. */
static sqlite3 *other;
static int64_t kept_us;
static struct process *at_work;

/* Meanwhile the second worker has nothing to do. */
static void let_go(struct scene *scene, int64_t us)
{
    enum { LONGER_US = 15 * 1000 * 1000 };
    if (kept_us == 0)
        process_step(at_work, 1);
    kept_us += us;
    if (kept_us > LONGER_US && sqlite3_get_autocommit(other) == 0)
        sqlite3_exec(other, "COMMIT", NULL, NULL, NULL);
}

/* It may have been written, and its answer be lost: it is the same. */
static void a_checkpoint_that_is_tried_again_splits_as_it_was_first_asked(void **state)
{
    struct scene *scene = scene_of(state);
    struct process process;
    g_autofree char *path = g_build_filename(scene->home, "catalog.db", NULL);
    scene_plan(scene);
    process_begin_sharing(&process, scene, 4);
    process_until(&process, 0, OP_SCAN);
    process_until(&process, 1, OP_IDLE);
    process_until(&process, 0, OP_CHECKPOINT);
    at_work = &process;
    kept_us = 0;
    assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    scene->asleep = let_go;
    process_step(&process, 0);
    scene->asleep = NULL;
    assert_int_equal(sqlite3_get_autocommit(other), 1);
    assert_int_equal(sqlite3_close(other), SQLITE_OK);
    assert_int_equal(process.ops[0].checkpoint.row.split_at, 0);
    assert_true(checkpointed(&process, 0) > 0); /* the next one splits */
    process_done(&process);
    all_hold(scene, "{\"times\":1}");
    scene_ran(scene, 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_checkpoint_that_is_tried_again_splits_as_it_was_first_asked, setup, teardown),
        CASE(an_idle_worker_gets_half_of_what_is_left),
        CASE(little_is_not_split_nor_for_nobody),
        CASE(two_do_not_split_for_one),
        CASE(a_part_that_was_granted_before_it_was_counted_is_asked_for_once),
        CASE(a_split_that_nobody_heard_of_stands),
        CASE(what_a_dead_holder_wrote_is_not_split_off),
        CASE(what_was_split_is_verified_and_taken_back),
        CASE(a_later_change_is_found_where_it_lies),
        CASE(a_home_from_before_the_split_is_refused),
        CASE(workers_end_together),
        CASE(a_whole_run_of_several_workers_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
