/* Where the sketches of a run tell nothing, or a partition has no sum: whose each key of the target is, and what is
 * then compared. */
#include <errno.h>
#include <glib/gstdio.h>
#include <sqlite3.h>

#include "kit/scene.h"

enum { KEYS = 40, PARTS = 4 };

#define REST                                                                                                           \
    "transform: { lua: t.lua }\n"                                                                                      \
    "target: { store: \"mem:s\", dataset: items, write: in-place, conflict: overwrite }\nworkers: 2\n"                 \
    "stages: [{ name: a, scope: 50% }, { name: b, scope: 100% }]\npartitions: { count: 4 }\n"
#define FILES "sluice: 1\nname: job\nsource: { store: \"file:in\", dataset: \"*.ndjson\", key: id }\n" REST
#define KEYED "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: origin }\n" REST
#define LUA   "function transform(doc, ctx)\n  doc.times = doc.times + 1\n  return doc\nend\n"

/* By the last byte, backwards. */
static bool backwards(const struct dataset *ds, const struct slice *keys, size_t n, uint16_t *ret, GError **error)
{
    for (size_t i = 0; i < n; i++)
        ret[i] = (uint16_t)(255 - keys[i].data[keys[i].len - 1]);
    return true;
}

static const struct list_ops SORTED = {.sorted = true}, RANKED = {.sorted = true, .rank = backwards},
                             UNSORTED = {.sorted = false, .rank = backwards};

/* As many files as there are partitions. */
static void begin(struct scene *scene, const char *spec, const char *lua, const struct list_ops *list)
{
    scene_init(scene, spec, lua);
    scene->faulty_mem.table.list = list;
    for (int part = 0; part < PARTS; part++) {
        g_autoptr(GString) lines = g_string_new(NULL);
        g_autofree char *name = g_strdup_printf("in/%d.ndjson", part);
        for (int i = part * KEYS / PARTS; i < (part + 1) * KEYS / PARTS; i++) {
            g_autofree char *key = g_strdup_printf("k%02d", i);
            g_autofree char *json = g_strdup_printf("{\"id\":\"%s\",\"times\":0}", key);
            g_string_append_printf(lines, "%s\n", json);
            scene_put(scene, "origin", key, json);
        }
        scene_file(scene, name, lines->str);
    }
}

static void passed(struct scene *scene, const char *spec, const struct list_ops *list)
{
    begin(scene, spec, LUA, list);
    scene_ran(scene, 0);
}

/* Changes the catalog of a home in which nobody is at work. */
static void query(struct scene *scene, const char *sql)
{
    g_autofree char *path = g_build_filename(scene->home, "catalog.db", NULL);
    sqlite3 *handle;
    assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
    assert_int_equal(sqlite3_exec(handle, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_true(sqlite3_changes(handle) > 0);
    sqlite3_close(handle);
}

static char *kept(const struct scene *scene, const char *name)
{
    return g_build_filename(scene->home, "reports", "job.1", name, NULL);
}

/* Its last byte goes. */
static void cut(const char *path)
{
    g_autofree char *bytes = NULL;
    gsize len;
    assert_true(g_file_get_contents(path, &bytes, &len, NULL));
    assert_true(g_file_set_contents(path, bytes, (gssize)len - 1, NULL));
}

static void forget_sketches(struct scene *scene)
{
    static const char *const NAMES[] = {"sketch.0", "sketch.1"};
    for (size_t i = 0; i < G_N_ELEMENTS(NAMES); i++) {
        g_autofree char *path = kept(scene, NAMES[i]);
        assert_int_equal(g_unlink(path), 0);
    }
}

/* Of two gates, with a key that is nobody's. */
static void owners_tell_in_which_partition_a_change_is(void **state)
{
    static const struct {
        const char *spec;
        const struct list_ops *list;
    } ROWS[] = {{FILES, &SORTED}, {KEYED, &RANKED}};
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct scene scene;
        struct verify_result result;
        passed(&scene, ROWS[i].spec, ROWS[i].list);
        forget_sketches(&scene);
        scene_put(&scene, "items", "k13", "{\"mine\":true}");
        scene_put(&scene, "items", "z-of-another", "{}");
        scene_put(&scene, "items", "0-of-another", "{}");
        scene_verify(&scene, &result);
        assert_int_equal(result.by_sums, PARTS - 1);
        assert_int_equal(result.in_full, 1);
        assert_int_equal(result.of[VERIFY_CHANGED_SINCE], 1);
        assert_int_equal(result.of[VERIFY_EQUAL], KEYS - 1);
        verify_result_done(&result);
        scene_done(&scene);
    }
}

/* Damaged, cut off or gone they cost time alone; what cannot be read ends the verification. */
static void owners_that_cannot_be_had_are_not_guessed(void **state)
{
    enum { DAMAGED, GONE, UNREADABLE, WAYS };
    for (int row = 0; row < 2 * WAYS; row++) {
        int way = row % WAYS;
        struct scene scene;
        struct ended ended;
        passed(&scene, FILES, &SORTED);
        if (row < WAYS) /* else they are what names the keys that the sketches tell */
            forget_sketches(&scene);
        scene_put(&scene, "items", "k13", "{\"mine\":true}");
        g_autofree char *path = kept(&scene, "owners.1");
        if (way == DAMAGED)
            kit_damage(path);
        if (way == GONE)
            assert_int_equal(g_unlink(path), 0);
        if (way == UNREADABLE)
            fake_world_arm(&scene.fake,
                           (struct fake_fault){.call = "pread", .path = "owners.1", .nth = 1, .number = EIO});
        scene_check(&scene, &ended);
        assert_int_equal(ended.by_error, way == UNREADABLE);
        assert_true(way == UNREADABLE || strstr(ended.text, "all keys of "));
        assert_non_null(strstr(ended.text, way == UNREADABLE ? "owners.1" : "1 changed_since"));
        ended_done(&ended);
        fake_world_arm(&scene.fake, (struct fake_fault){0});
        scene_done(&scene);
    }
}

/* Of either gate, to the end: behind the last key of the target, too, in which nothing is left of the second gate's. */
static void each_part_of_the_owners_that_cannot_be_read_ends_the_verification(void **state)
{
    static const char *const NAMES[] = {"owners.0", "owners.1"};
    enum { AT_LEAST = 4 }; /* its head, that of its block, the keys, its end */
    struct scene scene;
    struct scene_kept kept;
    passed(&scene, FILES, &SORTED);
    forget_sketches(&scene);
    for (int i = KEYS / 2; i < KEYS; i++) {
        g_autofree char *key = g_strdup_printf("k%02d", i);
        scene_remove(&scene, "items", key);
    }
    scene_keep(&scene, &kept);
    scene_done(&scene);
    for (size_t i = 0; i < G_N_ELEMENTS(NAMES); i++) {
        bool met = true;
        for (uint64_t nth = 1; met; nth++) {
            struct ended ended;
            scene_again(&scene, &kept);
            scene.faulty_mem.table.list = &SORTED;
            fake_world_arm(&scene.fake,
                           (struct fake_fault){.call = "pread", .path = NAMES[i], .nth = nth, .number = EIO});
            scene_check(&scene, &ended);
            met = scene.fake.fired > 0;
            if (ended.by_error != met || (met && !strstr(ended.text, NAMES[i])) || (!met && nth <= AT_LEAST))
                fail_msg("read %d of %s ended with: %s", (int)nth, NAMES[i], ended.text);
            ended_done(&ended);
            scene_done(&scene);
        }
    }
    scene_kept_done(&kept);
}

/* Of partitions of which the gates left nothing in the target, what stands there now may be theirs. */
static void where_owners_cannot_be_had_a_record_that_came_back_is_found(void **state)
{
    enum { GONE, DAMAGED, CUT, WAYS };
    for (int row = 0; row < 2 * WAYS; row++) {
        struct scene scene;
        struct verify_result result;
        int way = row % WAYS;
        begin(&scene, FILES, "function transform(doc, ctx)\n  return ctx.delete()\nend\n", &SORTED);
        scene_put(&scene, "items", "k13", "{\"theirs\":true}");
        scene_ran(&scene, 0);
        scene_put(&scene, "items", "k13", "{\"theirs\":true}");
        if (row < WAYS)
            forget_sketches(&scene);
        g_autofree char *path = kept(&scene, "owners.0");
        if (way == GONE)
            assert_int_equal(g_unlink(path), 0);
        if (way == DAMAGED)
            kit_damage(path);
        if (way == CUT)
            cut(path);
        scene_verify(&scene, &result);
        if (result.pass || result.of[VERIFY_EQUAL] != KEYS - 1 || result.of[VERIFY_MISSING] != 1)
            fail_msg("row %d: %s", row, result.sentence);
        verify_result_done(&result);
        scene_done(&scene);
    }
}

#define SOAKS                                                                                                          \
    "transform: { lua: t.lua }\n"                                                                                      \
    "target: { store: \"mem:s\", dataset: items, write: in-place, conflict: overwrite }\nworkers: 2\n"                 \
    "stages: [{ name: a, scope: 50%, gate: { soak: 1h } }, { name: b, scope: 100% }]\npartitions: { count: 4 }\n"

/* The keys of the others stand in the target, too, and are nobody's yet. */
static void a_stage_alone_is_told_by_its_own_sums(void **state)
{
    static const char *const SPECS[] = {
        "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: origin }\n" SOAKS,
        "sluice: 1\nname: job\nsource: { store: \"file:in\", dataset: \"*.ndjson\", key: id }\n" SOAKS};
    for (size_t i = 0; i < G_N_ELEMENTS(SPECS); i++) {
        struct scene scene;
        struct ended ended;
        struct verify_result result;
        begin(&scene, SPECS[i], LUA, &SORTED);
        for (int k = 0; k < KEYS; k++) {
            g_autofree char *key = g_strdup_printf("k%02d", k);
            scene_put(&scene, "items", key, "{\"theirs\":true}");
        }
        scene.exit_on_pause = true;
        scene_run(&scene, &ended);
        ended_done(&ended);
        scene_verify(&scene, &result);
        if (result.by_sums != PARTS / 2 || result.in_full || result.of[VERIFY_EQUAL] != KEYS / 2 || !result.pass)
            fail_msg("row %zu: %s", i, result.sentence);
        verify_result_done(&result);
        scene_done(&scene);
    }
}

/* Whichever way the others are told. */
static void a_partition_without_a_sum_is_compared_with_the_source(void **state)
{
    static const struct {
        const char *spec;
        const struct list_ops *list;
    } ROWS[] = {{KEYED, &SORTED}, {KEYED, &RANKED}, {KEYED, &UNSORTED}, {FILES, &SORTED}};
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct scene scene;
        struct verify_result result;
        passed(&scene, ROWS[i].spec, ROWS[i].list);
        query(&scene, "DELETE FROM part_sum WHERE part = (SELECT max(part) FROM part_sum)");
        scene_verify(&scene, &result);
        if (result.by_sums != PARTS - 1 || result.in_full != 1 || result.of[VERIFY_EQUAL] != KEYS || !result.pass)
            fail_msg("row %zu: %s", i, result.sentence);
        verify_result_done(&result);
        scene_done(&scene);
    }
}

/* Those of all, or of the one alone in which something changes. */
static void a_sum_that_makes_no_sense_says_what_does_without_it(void **state)
{
    static const char *const COUNTS[] = {"'[]'", "'no JSON'", "'[]' WHERE part = 1"}, *const SPECS[] = {KEYED, FILES};
    for (size_t i = 0; i < 2 * G_N_ELEMENTS(COUNTS); i++)
        for (int changed = 0; changed < 2; changed++) {
            struct scene scene;
            struct ended ended;
            g_autofree char *sql = g_strdup_printf("UPDATE part_sum SET counts = %s", COUNTS[i / 2]);
            passed(&scene, SPECS[i % 2], &SORTED);
            query(&scene, sql);
            if (changed)
                scene_put(&scene, "items", "k13", "{\"mine\":true}");
            scene_check(&scene, &ended);
            assert_true(ended.by_error && ended.code == SLUICE_ERROR_CORRUPT);
            assert_non_null(strstr(ended.text, "`--full` does without it"));
            ended_done(&ended);
            scene.full = true;
            scene_check(&scene, &ended);
            assert_int_equal(ended.by_error, false);
            ended_done(&ended);
            scene_done(&scene);
        }
}

/* A target that is not cut into stretches is one. */
static void a_target_that_cannot_be_split_is_scanned_in_one(void **state)
{
    struct scene scene;
    struct verify_result result;
    passed(&scene, KEYED, &SORTED);
    scene.faulty_mem.table.split = NULL;
    uint64_t before = scene.plan.calls[FAULT_SCAN_OPEN];
    scene_verify(&scene, &result);
    assert_int_equal(scene.plan.calls[FAULT_SCAN_OPEN] - before, 2); /* and the source's, for keys that came up */
    assert_int_equal(result.by_sums, PARTS);
    verify_result_done(&result);
    scene_done(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(owners_tell_in_which_partition_a_change_is),
        cmocka_unit_test(owners_that_cannot_be_had_are_not_guessed),
        cmocka_unit_test(each_part_of_the_owners_that_cannot_be_read_ends_the_verification),
        cmocka_unit_test(where_owners_cannot_be_had_a_record_that_came_back_is_found),
        cmocka_unit_test(a_stage_alone_is_told_by_its_own_sums),
        cmocka_unit_test(a_partition_without_a_sum_is_compared_with_the_source),
        cmocka_unit_test(a_sum_that_makes_no_sense_says_what_does_without_it),
        cmocka_unit_test(a_target_that_cannot_be_split_is_scanned_in_one),
    };
    return cmocka_run_group_tests_name("verify/owners", tests, NULL, NULL);
}
