/* Batches that do not fit into their memory: nobody knows how large live records are before they are looked at. */
#include "interleavings/specs.h"
#include "kit/scene.h"
#include "run/worker_state.h"

#define KEYS    24
#define LARGE   8192
#define CRAMPED ((size_t)64 << 10) /* some seven of them */

#define ONTO(policy)                                                                                                   \
    "sluice: 1\nname: job\nsource: { store: \"file:in\", dataset: \"*.ndjson\", key: id }\n"                           \
    "target: { store: \"mem:s\", dataset: items, write: in-place, conflict: " policy " }\n"                            \
    "partitions: { size: 1000 }\nworkers: 1\n"

static char *wanted_of(int i)
{
    return g_strdup_printf("{\"id\":\"k%02d\",\"to\":%d}", i, i);
}

static char *live_of(int i, int small)
{
    g_autofree char *text = g_strnfill(i < small ? 8 : LARGE, (char)('a' + i));
    return g_strdup_printf("{\"id\":\"k%02d\",\"is\":\"%s\"}", i, text);
}

/* Small records in a file; of the keys below `live` something stands already: below `small` a small one, else a large
 * one. */
static void begin_with(struct scene *scene, const char *spec, int live, int small)
{
    g_autoptr(GString) text = g_string_new(NULL);
    scene_init(scene, spec, NULL);
    for (int i = 0; i < KEYS; i++) {
        g_autofree char *key = g_strdup_printf("k%02d", i), *wanted = wanted_of(i), *stands = live_of(i, small);
        g_string_append_printf(text, "%s\n", wanted);
        if (i < live)
            scene_put(scene, "items", key, stands);
    }
    scene_file(scene, "in/a.ndjson", text->str);
    scene_plan(scene);
}

static void begin(struct scene *scene, const char *spec, int live)
{
    begin_with(scene, spec, live, 0);
}

static void assert_written(struct scene *scene)
{
    for (int i = 0; i < KEYS; i++) {
        g_autofree char *key = g_strdup_printf("k%02d", i), *wanted = wanted_of(i);
        scene_holds(scene, "items", key, wanted);
    }
    scene_reconciles(scene);
}

/* The last lane of the run's first partition: how often it was taken, by whomever. */
static uint32_t lane_of(const struct process *process)
{
    return process->workers[0]->lane.lane;
}

/* Taken to be into nothing, so that the answers bring what stands there: those that come first fill the memory, intents
 * are logged by then, and what is absent is written. */
static void small_records_are_written_onto_large_ones_that_nobody_knew_of(void **state)
{
    static const int LIVE[] = {KEYS, KEYS / 2, 1};
    for (size_t r = 0; r < G_N_ELEMENTS(LIVE); r++) {
        struct scene scene;
        struct process process;
        begin(&scene, ONTO("overwrite"), LIVE[r]);
        g_autofree char *before = scene_image(&scene, "items");
        process_begin_cramped(&process, &scene, JOB_FORWARD, KEYS, CRAMPED);
        process_finish(&process, 0);
        assert_true(LIVE[r] == 1 || lane_of(&process) > 1);
        process_die(&process);
        assert_written(&scene);
        assert_int_equal(scene_count(&scene, OUTCOME_WRITTEN), KEYS);
        process_begin_cramped(&process, &scene, JOB_BACK, KEYS, CRAMPED);
        process_end(&process);
        process_die(&process);
        g_autofree char *after = scene_image(&scene, "items");
        assert_string_equal(before, after);
        scene_done(&scene);
    }
}

/* Else a batch of which the writing, not the reading, takes too much would never come to an end. */
static void a_partition_that_is_taken_anew_for_its_memory_begins_with_fewer(void **state)
{
    struct scene scene;
    struct process process;
    begin(&scene, ONTO("overwrite"), KEYS);
    process_begin_cramped(&process, &scene, JOB_FORWARD, KEYS, CRAMPED);
    size_t n = process_until(&process, 0, OP_CAS)->cas.n;
    assert_true(n > 1);
    process_until(&process, 0, OP_GRANT);
    assert_int_equal(process_until(&process, 0, OP_SCAN)->scan.max_records, MAX(n / FEWER, 1u));
    process_done(&process);
    assert_written(&scene);
    scene_done(&scene);
}

static void what_fits_alone_nowhere_is_an_error_of_its_key(void **state)
{
    struct scene scene;
    struct process process;
    begin(&scene, ONTO("overwrite"), KEYS);
    process_begin_cramped(&process, &scene, JOB_FORWARD, KEYS, LARGE);
    process_fails(&process, 0, TOO_BIG);
    process_die(&process);
    process_begin_cramped(&process, &scene, JOB_FORWARD, KEYS, CRAMPED); /* on a larger machine it goes on */
    process_finish(&process, 0);
    process_die(&process);
    assert_written(&scene);
    scene_done(&scene);
}

/* It leaves little room, and cannot be looked at with fewer. (Who has met one live record looks before he writes.) */
static void one_that_nearly_fills_the_memory_is_written(void **state)
{
    struct scene scene;
    struct process process;
    g_autofree char *text = g_strnfill(4 * LARGE, 'x'), *live = g_strdup_printf("{\"is\":\"%s\"}", text);
    scene_init(&scene, ONTO("overwrite"), NULL);
    scene_file(&scene, "in/a.ndjson", "{\"id\":\"a\",\"to\":1}\n{\"id\":\"b\",\"to\":1}\n");
    scene_put(&scene, "items", "a", "{\"is\":1}");
    scene_put(&scene, "items", "b", live);
    scene_plan(&scene);
    process_begin_cramped(&process, &scene, JOB_FORWARD, 1, (size_t)5 * LARGE);
    process_finish(&process, 0);
    process_die(&process);
    scene_holds(&scene, "items", "b", "{\"id\":\"b\",\"to\":1}");
    scene_done(&scene);
}

/* Nobody wants what a dead holder wrote any more, and to look at it takes so much that the batch begins again. */
static void what_nobody_wants_any_more_goes_also_where_its_batch_begins_again(void **state)
{
    struct scene scene;
    struct process process;
    g_autofree char *text = g_strnfill(CRAMPED / 5 * 4, 'x');
    g_autofree char *large = g_strdup_printf("{\"to\":\"x\",\"times\":0,\"is\":\"%s\"}", text);
    scene_init(&scene, KEYED_BY_FIELD(", write: in-place, conflict: overwrite"), ONCE_MORE);
    scene_put(&scene, "origin", "a", large);
    scene_put(&scene, "origin", "b", "{\"to\":\"y\",\"times\":0}");
    scene_put(&scene, "origin", "c", "{\"to\":\"z\",\"times\":0}");
    process_first(&process, &scene);
    process_until(&process, 0, OP_OUTCOME);
    process_die(&process);
    scene_remove(&scene, "origin", "a");
    process_begin_cramped(&process, &scene, JOB_FORWARD, KEYS, CRAMPED);
    process_finish(&process, 0);
    process_die(&process);
    scene_holds(&scene, "items", "x", NULL);
    scene_holds(&scene, "items", "y", "{\"to\":\"y\",\"times\":1}");
    scene_done(&scene);
}

/* Who has met many live records looks before he writes, and as long as he meets them. */
static void who_meets_live_records_goes_on_looking_before_he_writes(void **state)
{
    struct scene scene;
    struct process process;
    size_t calls = 0, unread = 0;
    begin(&scene, ONTO("overwrite"), KEYS);
    process_begin_small(&process, &scene, JOB_FORWARD, 4);
    for (struct op *op; (op = process_wish(&process, 0))->kind != OP_END; process_step(&process, 0))
        for (size_t i = 0; op->kind == OP_CAS && i < op->cas.n; i++) {
            calls++;
            unread += op->cas.ops[i].etag.len == 0;
        }
    assert_int_equal(calls, KEYS + 4);
    assert_int_equal(unread, 4);
    process_die(&process);
    assert_written(&scene);
    scene_done(&scene);
}

/* The fence is lost, so that each live record has to be looked at: none is what was written, or stood before. */
static void what_is_in_doubt_is_looked_at_by_as_many_as_fit(void **state)
{
    auto_(arena) mem = arena_new(1 << 20);
    struct scene scene;
    struct process process;
    begin(&scene, ONTO("overwrite"), KEYS);
    g_autofree char *before = scene_image(&scene, "items");
    process_begin_small(&process, &scene, JOB_FORWARD, KEYS);
    process_until(&process, 0, OP_OUTCOME); /* refused, all of them, and nobody has written that down */
    process_die(&process);
    scene_drop_fences(&scene, scene_row(&scene, mem).uid);
    process_begin_cramped(&process, &scene, JOB_FORWARD, KEYS, CRAMPED);
    process_until(&process, 0, OP_READ);
    process_until(&process, 0, OP_SCAN);
    assert_int_equal(process.workers[0]->doubtful->len, KEYS);
    assert_true(process.workers[0]->read_most < KEYS);
    process_finish(&process, 0);
    process_die(&process);
    assert_int_equal(scene_count(&scene, OUTCOME_IN_DOUBT), KEYS);
    g_autofree char *after = scene_image(&scene, "items");
    assert_string_equal(before, after);
    scene_done(&scene);
}

static void what_may_be_lost_is_looked_at_by_as_many_as_fit(void **state)
{
    struct scene scene;
    struct process process;
    struct op op = {0};
    struct undo_left entries[2 * FEWER] = {{0}};
    begin(&scene, ONTO("overwrite"), 0);
    process_begin_small(&process, &scene, JOB_FORWARD, KEYS);
    struct worker *worker = process.workers[0];
    worker->read_most = READ_KEYS;
    worker->tail.entries = entries;
    for (size_t i = 0; i < G_N_ELEMENTS(entries); i++) {
        entries[i].key = slice_of(&"0123456789abcdef"[i], 1);
        g_array_append_val(worker->lost, i);
    }
    lost_next(worker, &op);
    assert_int_equal(op.read.n, G_N_ELEMENTS(entries));
    error_set(&op.error, SLUICE_ERROR_TOO_BIG, "does not fit");
    lost_done(worker, &op);
    g_clear_error(&op.error);
    lost_next(worker, &op);
    assert_null(worker->error);
    assert_int_equal(op.read.n, G_N_ELEMENTS(entries) / FEWER);
    process_die(&process);
    scene_done(&scene);
}

/* --- deaths at any step, in any memory ---------------------------------------------------------------------------- */

enum { LIVES = 60 };

struct met {
    uint64_t anew, again;
};

static void steps(struct scene *scene, uint64_t *seed, enum job_kind kind, size_t n, struct met *met)
{
    struct process process;
    size_t memory = CRAMPED / 2 + fake_next(seed) % CRAMPED;
    process_begin_cramped(&process, scene, kind, 4 + fake_next(seed) % KEYS, memory);
    for (size_t i = 0; i < n && process_wish(&process, 0)->kind != OP_END; i++) {
        process_step(&process, 0);
        met->anew += process.workers[0]->anew;
        met->again += process.workers[0]->again;
    }
    assert_null(worker_error(process.workers[0]));
    process_die(&process);
}

static void lives_and_dies(struct scene *scene, uint64_t *seed, enum job_kind kind, struct met *met)
{
    for (uint64_t deaths = fake_next(seed) % 4; deaths > 0; deaths--)
        steps(scene, seed, kind, fake_next(seed) % 40, met);
    steps(scene, seed, kind, SIZE_MAX, met);
}

static void each_is_written_and_taken_back_once_in_any_memory(void **state)
{
    struct met met = {0};
    for (uint64_t seed = 1; seed <= LIVES; seed++) {
        struct scene scene;
        uint64_t random = seed * 7919;
        begin_with(&scene, ONTO("overwrite"), KEYS / 2 + (int)(fake_next(&random) % (KEYS / 2 + 1)),
                   (int)(fake_next(&random) % (KEYS / 2)));
        g_autofree char *before = scene_image(&scene, "items");
        lives_and_dies(&scene, &random, JOB_FORWARD, &met);
        assert_written(&scene);
        assert_int_equal(scene_count(&scene, OUTCOME_WRITTEN), KEYS);
        lives_and_dies(&scene, &random, JOB_BACK, &met);
        g_autofree char *after = scene_image(&scene, "items");
        assert_string_equal(before, after);
        scene_done(&scene);
    }
    print_message("# %" G_GUINT64_FORMAT " batches taken again in a new lane, %" G_GUINT64_FORMAT " begun again\n",
                  met.anew, met.again);
    assert_true(met.anew >= LIVES / 12 && met.again >= LIVES / 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_records_are_written_onto_large_ones_that_nobody_knew_of),
        cmocka_unit_test(a_partition_that_is_taken_anew_for_its_memory_begins_with_fewer),
        cmocka_unit_test(what_fits_alone_nowhere_is_an_error_of_its_key),
        cmocka_unit_test(one_that_nearly_fills_the_memory_is_written),
        cmocka_unit_test(what_nobody_wants_any_more_goes_also_where_its_batch_begins_again),
        cmocka_unit_test(who_meets_live_records_goes_on_looking_before_he_writes),
        cmocka_unit_test(what_is_in_doubt_is_looked_at_by_as_many_as_fit),
        cmocka_unit_test(what_may_be_lost_is_looked_at_by_as_many_as_fit),
        cmocka_unit_test(each_is_written_and_taken_back_once_in_any_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
