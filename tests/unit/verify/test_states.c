/* Several records that want one key: what an older one gave is superseded by what the run wrote for a newer one, and
 * nothing else is. */
#include "interleavings/specs.h"
#include "kit/scene.h"

#define LUA      "function transform(doc, ctx)\n  if doc.gone then return ctx.delete() end\n  return doc\nend\n"
#define OF_FILES ALL_STATES "transform: { lua: t.lua }\n"

#define K(at)    "{\"id\":\"k\",\"at\":" #at "}"
#define GONE(at) "{\"id\":\"k\",\"at\":" #at ",\"gone\":true}"

struct counts {
    uint64_t of[VERIFY_CLASS_COUNT];
};

static void judge(struct scene *scene, size_t row, const struct counts *wanted, const char *report_has)
{
    struct verify_result result;
    g_autofree char *report = NULL;
    uint64_t bad = wanted->of[VERIFY_MISSING] + wanted->of[VERIFY_DIFFERING];
    scene->full = true;
    scene_verify(scene, &result);
    for (int i = 0; i < VERIFY_CLASS_COUNT; i++)
        if (result.of[i] != wanted->of[i])
            fail_msg("row %zu: %s: %s", row, verify_class_row((enum verify_class)i)->word, result.sentence);
    assert_int_equal(result.pass, bad == 0);
    assert_null(strstr(result.sentence, "deleted")); /* … it, and it stands there again */
    assert_true(g_file_get_contents(result.report_path, &report, NULL, NULL));
    if (report_has && !strstr(report, report_has))
        fail_msg("row %zu: %s", row, report);
    verify_result_done(&result);
}

static void gate_passes(struct scene *scene, size_t row)
{
    struct ended ended;
    scene_run(scene, &ended);
    if (ended.status != 0)
        fail_msg("row %zu: %s", row, ended.text);
    ended_done(&ended);
}

#define BY_ITSELF "\"why\":\"this run wrote a newer state of the key itself\""

static void an_older_state_is_superseded_by_the_newer_one_that_the_run_wrote(void **state)
{
    static const struct {
        const char *before, *lines, *stands, *after; /* NULL: nothing; `after`: as it stands, "": nothing */
        struct counts counts;
        const char *report_has;
    } ROWS[] = {
#define COUNTS(n, m) {.of = {[VERIFY_EQUAL] = n, [VERIFY_SUPERSEDED] = m}}
        {K(0), K(1) "\n" K(2) "\n", K(2), NULL, COUNTS(1, 1), BY_ITSELF},
        {NULL, K(1) "\n" K(2) "\n", K(2), NULL, COUNTS(1, 1), BY_ITSELF},
        {K(0), K(1) "\n" K(2) "\n" K(3) "\n", K(3), NULL, COUNTS(1, 2), BY_ITSELF},
        {K(1), K(1) "\n" K(2) "\n", K(2), NULL, COUNTS(1, 1), BY_ITSELF}, /* it stood there already */
        {K(0), K(1) "\n" GONE(2) "\n", NULL, NULL, COUNTS(1, 1), BY_ITSELF},
        {NULL, K(1) "\n" GONE(2) "\n", NULL, NULL, COUNTS(1, 1), BY_ITSELF},
        {K(0), GONE(1) "\n" K(2) "\n", K(2), NULL, COUNTS(1, 1), BY_ITSELF},
        {NULL, GONE(1) "\n" K(2) "\n", K(2), NULL, COUNTS(1, 1), BY_ITSELF},
        /* it stood there, or did not, before others came */
        {K(1), K(1) "\n" K(2) "\n" K(3) "\n", K(3), NULL, COUNTS(1, 2), BY_ITSELF},
        {K(1), K(1) "\n" GONE(2) "\n" K(3) "\n", K(3), NULL, COUNTS(1, 2), BY_ITSELF},
        {NULL, GONE(1) "\n" K(2) "\n" K(3) "\n", K(3), NULL, COUNTS(1, 2), BY_ITSELF},
        {NULL, GONE(1) "\n" K(2) "\n" GONE(3) "\n" K(4) "\n", K(4), NULL, COUNTS(1, 3), BY_ITSELF},
        {K(0), K(1) "\n" K(2) "\n", K(2), K(9), COUNTS(0, 2), NULL}, /* the application's */
        {K(0), K(1) "\n" K(2) "\n", K(2), "", {.of = {[VERIFY_CHANGED_SINCE] = 2}}, NULL},
        {K(0), K(1) "\n" K(2) "\n", K(2), K(0), {.of = {[VERIFY_MISSING] = 2}}, NULL},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct scene scene;
        scene_init(&scene, OF_FILES, LUA);
        scene_file(&scene, "in/a.ndjson", ROWS[i].lines);
        if (ROWS[i].before)
            scene_put(&scene, "items", "k", ROWS[i].before);
        else
            scene_put(&scene, "items", "other", "{}");
        gate_passes(&scene, i);
        scene_holds(&scene, "items", "k", ROWS[i].stands);
        if (ROWS[i].after && *ROWS[i].after)
            scene_put(&scene, "items", "k", ROWS[i].after);
        else if (ROWS[i].after)
            scene_remove(&scene, "items", "k");
        judge(&scene, i, &ROWS[i].counts, ROWS[i].report_has);
        scene_done(&scene);
    }
}

/* What an older state found standing there, the application wrote over before the run wrote the newer one. */
static void an_older_state_that_found_what_it_wants_is_superseded_whatever_came_between(void **state)
{
    static const char *const NEWER[] = {K(90000), GONE(90000)};
    for (size_t i = 0; i < G_N_ELEMENTS(NEWER); i++) {
        struct scene scene;
        struct process process;
        struct counts counts = {.of = {[VERIFY_EQUAL] = 1, [VERIFY_SUPERSEDED] = 1}};
        g_autofree char *lines = g_strconcat(K(1), "\n", NEWER[i], "\n", NULL);
        scene_init(&scene, OF_FILES, LUA);
        scene_file(&scene, "in/a.ndjson", lines);
        scene_put(&scene, "items", "k", K(1));
        scene_plan(&scene);
        process_begin_small(&process, &scene, JOB_FORWARD, 1);
        process_until(&process, 0, OP_CHECKPOINT);
        process_step(&process, 0);
        scene_put(&scene, "items", "k", K(40000));
        process_done(&process);
        scene_holds(&scene, "items", "k", i == 0 ? NEWER[i] : NULL);
        judge(&scene, i, &counts, BY_ITSELF);
        scene_done(&scene);
    }
}

/* Partitions are of four records, and taken in any order. */
#define OTHERS "{\"id\":\"a\",\"at\":1}\n{\"id\":\"b\",\"at\":1}\n{\"id\":\"c\",\"at\":1}\n{\"id\":\"d\",\"at\":1}\n"

/* A removal leaves nothing by which an older state, that comes later, could be told to be older. */
static void a_newer_state_does_not_remove_its_key_where_an_older_one_may_come_after_it(void **state)
{
    static const struct {
        const char *lines, *stands;
        bool refused;
    } ROWS[] = {
        {GONE(9000) "\n" K(1) "\n", K(1), true},        {GONE(9000) "\n" OTHERS K(1) "\n", K(1), true},
        {K(1) "\n" OTHERS GONE(9000) "\n", K(1), true}, {K(1) "\n" GONE(9000) "\n" OTHERS, NULL, false},
        {GONE(9000) "\n" OTHERS, NULL, false},          {GONE(1) "\n" OTHERS K(9000) "\n", K(9000), false},
    };
    for (size_t i = 0; i < 2 * G_N_ELEMENTS(ROWS); i++) {
        struct scene scene;
        bool stood = i % 2 == 0;
        scene_init(&scene, OF_FILES, LUA);
        scene_file(&scene, "in/a.ndjson", ROWS[i / 2].lines);
        scene_put(&scene, "items", stood ? "k" : "other", K(0));
        scene_ran(&scene, ROWS[i / 2].refused ? 8 : 0);
        scene_holds(&scene, "items", "k", ROWS[i / 2].stands);
        assert_int_equal(scene_refused(&scene, "k", SLUICE_ERROR_UNORDERED), ROWS[i / 2].refused);
        scene_reconciles(&scene);
        scene_taken_back(&scene, 0);
        scene_holds(&scene, "items", "k", stood ? K(0) : NULL);
        scene_done(&scene);
    }
}

#define UNTIL                                                                                                          \
    "sluice: 1\nname: job\nsource: { store: \"file:in\", dataset: \"*.ndjson\", key: id, version: at, "                \
    "duplicates: all }\ntarget: { store: \"mem:s\", dataset: items, write: in-place, expires: { from: until } }\n"     \
    "partitions: { size: 4 }\nworkers: 1\n"

/* What has expired before it is written is a removal too. */
static void a_state_that_has_expired_does_not_remove_its_key_where_an_older_one_may_come_after_it(void **state)
{
    struct scene scene;
    scene_init(&scene, UNTIL, NULL);
    scene_file(&scene, "in/a.ndjson",
               "{\"id\":\"k\",\"at\":9000,\"until\":\"2001-01-01T00:00:00Z\"}\n"
               "{\"id\":\"k\",\"at\":1,\"until\":\"2101-01-01T00:00:00Z\"}\n"
               "{\"id\":\"l\",\"at\":9000,\"until\":\"2001-01-01T00:00:00Z\"}\n");
    scene_put(&scene, "items", "l", "{}");
    scene_ran(&scene, 8);
    assert_true(scene_refused(&scene, "k", SLUICE_ERROR_UNORDERED));
    assert_false(scene_refused(&scene, "l", SLUICE_ERROR_UNORDERED));
    scene_done(&scene);
}

/* Before, between and behind those that are written in its batch, which make nothing of it. */
static void a_delete_that_finds_nothing_among_writes_of_other_keys_is_done(void **state)
{
    static const char *const KEYS[] = {"a", "c", "e"};
    for (size_t i = 0; i < G_N_ELEMENTS(KEYS); i++) {
        struct scene scene;
        g_autofree char *lines = g_strdup_printf("{\"id\":\"b\",\"at\":1}\n{\"id\":\"d\",\"at\":1}\n"
                                                 "{\"id\":\"%s\",\"at\":1,\"gone\":true}\n",
                                                 KEYS[i]);
        scene_init(&scene, OF_FILES, LUA);
        scene_file(&scene, "in/a.ndjson", lines);
        scene_put(&scene, "items", "other", "{}");
        gate_passes(&scene, i);
        scene_holds(&scene, "items", "b", "{\"id\":\"b\",\"at\":1}");
        scene_holds(&scene, "items", "d", "{\"id\":\"d\",\"at\":1}");
        scene_holds(&scene, "items", KEYS[i], NULL);
        assert_int_equal(scene_count(&scene, OUTCOME_WRITTEN), 2);
        assert_int_equal(scene_count(&scene, OUTCOME_UNCHANGED), 1);
        scene_done(&scene);
    }
}

/* What the run wrote last is right for none of them, or the older one was never written: not superseded. */
static void what_no_write_of_the_run_accounts_for_differs(void **state)
{
    static const struct {
        const char *key, *json; /* of the source, after the run */
        struct counts counts;
    } ROWS[] = {
        {"b", "{\"to\":\"k\",\"at\":2,\"more\":1}", {.of = {[VERIFY_DIFFERING] = 1, [VERIFY_SUPERSEDED] = 1}}},
        {"a", "{\"to\":\"k\",\"at\":1,\"more\":1}", {.of = {[VERIFY_DIFFERING] = 1, [VERIFY_EQUAL] = 1}}},
        {"a", "{\"to\":\"k\",\"at\":2}", {.of = {[VERIFY_EQUAL] = 2}}},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct scene scene;
        scene_init(&scene, FROM_ORIGIN(", key: to, version: at", ", write: in-place, conflict: newer-wins"), LUA);
        scene_put(&scene, "origin", "a", "{\"to\":\"k\",\"at\":1}");
        scene_put(&scene, "origin", "b", "{\"to\":\"k\",\"at\":2}");
        scene_put(&scene, "items", "k", "{\"to\":\"k\",\"at\":0}");
        scene_ran(&scene, 0);
        scene_put(&scene, "origin", ROWS[i].key, ROWS[i].json);
        judge(&scene, i, &ROWS[i].counts, NULL);
        scene_done(&scene);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_older_state_is_superseded_by_the_newer_one_that_the_run_wrote),
        cmocka_unit_test(an_older_state_that_found_what_it_wants_is_superseded_whatever_came_between),
        cmocka_unit_test(a_newer_state_does_not_remove_its_key_where_an_older_one_may_come_after_it),
        cmocka_unit_test(a_state_that_has_expired_does_not_remove_its_key_where_an_older_one_may_come_after_it),
        cmocka_unit_test(a_delete_that_finds_nothing_among_writes_of_other_keys_is_done),
        cmocka_unit_test(what_no_write_of_the_run_accounts_for_differs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
