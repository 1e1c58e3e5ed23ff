/* A verification of a run that dies amid its scan, and the one that goes on where it was. */
#include <glib/gstdio.h>

#include "base/blockfile.h"
#include "kit/scene.h"
#include "verify/progress.h"

#define KEYS  400
#define UNITS 16

#define TARGET "target: { store: \"mem:s\", dataset: items }\n"
#define REST   "stages: [{ name: full, scope: 100% }]\npartitions: { count: 16 }\n"
#define SAME                                                                                                           \
    "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: items }\ntransform: { lua: t.lua }\n" TARGET REST
#define LUA "function transform(doc, ctx)\n  doc.times = doc.times + 1\n  return doc\nend\n"

static bool backwards(const struct dataset *ds, const struct slice *keys, size_t n, uint16_t *ret, GError **error)
{
    for (size_t i = 0; i < n; i++)
        ret[i] = (uint16_t)(255 - keys[i].data[keys[i].len - 1]);
    return true;
}

/* By the listing; by one sum of everything; asked for. */
static const struct list_ops ORDERS[] = {
    {.sorted = true}, {.sorted = true, .rank = backwards}, {.sorted = false, .rank = backwards}};
static const enum fault_op UNIT_CALL[] = {FAULT_SCAN_OPEN, FAULT_SCAN_OPEN, FAULT_READ};

static char *key_of(int i)
{
    return g_strdup_printf("k%03d", i);
}

static void passed(struct scene *scene, const struct list_ops *order, unsigned workers)
{
    g_autofree char *spec = g_strdup_printf("%sworkers: %u\n", SAME, workers);
    scene_init(scene, spec, LUA);
    scene->faulty_mem.table.list = order;
    for (int i = 0; i < KEYS; i++) {
        g_autofree char *key = key_of(i);
        scene_put(scene, "items", key, "{\"times\":0}");
    }
    scene_ran(scene, 0);
    scene_put(scene, "items", "k013", "{\"mine\":true}");
}

/* Every call takes two seconds; the n-th of its kind ends the verification. */
struct deadly {
    struct scene *scene;
    enum fault_op op;
    unsigned left;
};

static struct fault_row slow_and_deadly(void *self, enum fault_op op, size_t ops)
{
    struct deadly *deadly = self;
    atomic_fetch_add(&deadly->scene->fake.now_us, 2000000);
    bool dies = op == deadly->op && deadly->left > 0 && --deadly->left == 0;
    return (struct fault_row){.effect = dies ? FAULT_FATAL : FAULT_NONE};
}

static void killed(struct scene *scene, enum fault_op op, unsigned after)
{
    struct deadly deadly = {.scene = scene, .op = op, .left = after};
    struct ended ended;
    scene->plan.decide = slow_and_deadly;
    scene->plan.decide_self = &deadly;
    scene_check(scene, &ended);
    assert_true(ended.by_error);
    assert_int_equal(deadly.left, 0);
    ended_done(&ended);
    scene->plan.decide = NULL;
}

static char *progress_path(const struct scene *scene)
{
    return g_build_filename(scene->home, "reports", "job.1", "progress", NULL);
}

static uint64_t verify(struct scene *scene, enum fault_op op, struct verify_result *ret)
{
    uint64_t before = scene->plan.calls[op];
    scene_verify(scene, ret);
    return scene->plan.calls[op] - before;
}

/* The one key that changed, whichever way it was found. */
static void found_it(struct scene *scene, struct verify_result *result)
{
    g_autofree char *path = progress_path(scene);
    assert_int_equal(result->of[VERIFY_CHANGED_SINCE], 1);
    assert_int_equal(result->of[VERIFY_EQUAL], KEYS - 1);
    assert_int_equal(result->looked_at, 1);
    assert_int_equal(result->in_full, 0);
    assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
    verify_result_done(result);
}

static void one_that_dies_is_taken_up_where_it_was(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(ORDERS); i++) {
        struct scene scene;
        struct verify_result result;
        passed(&scene, &ORDERS[i], 1);
        uint64_t whole = verify(&scene, UNIT_CALL[i], &result);
        assert_int_equal(result.since_ms, 0);
        found_it(&scene, &result);
        killed(&scene, UNIT_CALL[i], 6);
        g_autofree char *path = progress_path(&scene);
        assert_true(g_file_test(path, G_FILE_TEST_EXISTS));
        uint64_t rest = verify(&scene, UNIT_CALL[i], &result);
        assert_int_equal(rest, whole - 5); /* the sixth was begun */
        assert_true(result.since_ms > 0);
        assert_non_null(strstr(result.sentence, "; some of it since "));
        assert_non_null(strstr(result.json, "\"since\":\""));
        found_it(&scene, &result);
        assert_int_equal(verify(&scene, UNIT_CALL[i], &result), whole); /* once */
        assert_int_equal(result.since_ms, 0);
        found_it(&scene, &result);
        scene_done(&scene);
    }
}

/* Again and again, and it ends all the same. */
static void one_that_dies_often_comes_to_its_end(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(ORDERS); i++) {
        struct scene scene;
        struct verify_result result;
        passed(&scene, &ORDERS[i], 2);
        for (int time = 0; time < 3; time++)
            killed(&scene, UNIT_CALL[i], 4); /* whatever is kept, units are left */
        verify(&scene, UNIT_CALL[i], &result);
        assert_true(result.since_ms > 0);
        found_it(&scene, &result);
        scene_done(&scene);
    }
}

static void what_is_old_damaged_or_of_another_is_not_taken_up(void **state)
{
    enum { OLD, AHEAD, DAMAGED, FULL, WAYS };
    for (int way = 0; way < WAYS; way++) {
        struct scene scene;
        struct verify_result result;
        passed(&scene, &ORDERS[0], 1);
        uint64_t whole = verify(&scene, FAULT_SCAN_OPEN, &result);
        found_it(&scene, &result);
        killed(&scene, FAULT_SCAN_OPEN, 6);
        g_autofree char *path = progress_path(&scene);
        if (way == OLD)
            atomic_fetch_add(&scene.fake.wall_ms, 3600001);
        if (way == AHEAD)
            atomic_fetch_add(&scene.fake.wall_ms, -3600000);
        if (way == DAMAGED)
            kit_damage(path);
        if (way == FULL) { /* compares everything, and leaves nothing behind */
            scene.full = true;
            scene_verify(&scene, &result);
            assert_int_equal(result.in_full, UNITS);
            verify_result_done(&result);
            scene.full = false;
        }
        assert_int_equal(verify(&scene, FAULT_SCAN_OPEN, &result), whole);
        assert_int_equal(result.since_ms, 0);
        found_it(&scene, &result);
        scene_done(&scene);
    }
}

/* A key that the run has missed was reported; what would be kept could not tell it. */
static void a_difference_on_the_way_is_never_lost(void **state)
{
    struct scene scene;
    struct verify_result result;
    passed(&scene, &ORDERS[0], 1);
    scene_put(&scene, "items", "k000b", "{\"times\":0}");
    scene_put(&scene, "items", "k399b", "{\"times\":0}");
    killed(&scene, FAULT_SCAN_OPEN, 6);
    verify(&scene, FAULT_SCAN_OPEN, &result);
    assert_int_equal(result.of[VERIFY_UNVISITED], 2);
    g_autofree char *report = NULL;
    assert_true(g_file_get_contents(result.report_path, &report, NULL, NULL));
    assert_non_null(strstr(report, "k000b"));
    assert_non_null(strstr(report, "k399b"));
    found_it(&scene, &result);
    scene_done(&scene);
}

/* --- as bytes ----------------------------------------------------------------------------------------------------- */

static void what_is_put_is_got_and_nothing_else(void **state)
{
    bool done[] = {true, false, true};
    struct slice bounds[] = {slice_of_text("a"), SLICE_EMPTY, slice_of_text("long bounds")};
    struct set_digest sums[] = {{.count = 3, .sum = {4, 5}}, {0}};
    auto_(sketch) sketch = sketch_new(8, 9, SKETCH_TABLES);
    auto_(arena) mem = arena_new(1 << 20);
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    struct progress put = {{1, 2}, 3, 4, 5, bounds, done, 3, sums, 2, sketch}, got;
    int64_t kept_ms;
    sketch_add(sketch, 7, (struct digest){8, 9});
    progress_put(&put, 77, bytes);
    assert_true(progress_get(slice_of(bytes->data, bytes->len), sketch, mem, &got, &kept_ms));
    assert_int_equal(kept_ms, 77);
    assert_true(digest_equal(got.of, put.of));
    assert_int_equal(got.begun_ms + (int64_t)got.seen + (int64_t)got.appeared, 12);
    assert_int_equal(got.n_units, 3);
    assert_memory_equal(got.done, done, sizeof done);
    kit_equal_text(got.bounds[2], "long bounds");
    assert_memory_equal(got.sums, sums, sizeof sums);
    assert_memory_equal(got.sketch->cells, sketch->cells, 8 * sizeof *sketch->cells);
    sketch_free(got.sketch);
    for (size_t len = 0; len < bytes->len; len++) { /* cut anywhere: at most a smaller sketch */
        bool made = progress_get(slice_of(bytes->data, len), sketch, mem, &got, &kept_ms);
        assert_true(!made || !got.sketch || got.sketch->n < 8);
        sketch_free(got.sketch);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_dies_is_taken_up_where_it_was),
        cmocka_unit_test(one_that_dies_often_comes_to_its_end),
        cmocka_unit_test(what_is_old_damaged_or_of_another_is_not_taken_up),
        cmocka_unit_test(a_difference_on_the_way_is_never_lost),
        cmocka_unit_test(what_is_put_is_got_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
