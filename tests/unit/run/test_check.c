/* `verify` of a run, by what it is asked for, and by how the run stands. */
#include "interleavings/specs.h"
#include "kit/scene.h"

#include <glib/gstdio.h>

enum { KEYS = 8 };

static void begin(struct scene *scene, const char *spec)
{
    scene_init(scene, spec, ONCE_MORE);
    for (int i = 0; i < KEYS; i++) {
        g_autofree char *key = g_strdup_printf("k%d", i);
        scene_put(scene, "items", key, "{\"times\":0}");
        scene_put(scene, "origin", key, "{\"times\":0}");
    }
}

static bool verify(struct scene *scene, struct run_config *config, struct verify_result *ret, GError **error)
{
    *ret = (struct verify_result){0};
    return run_verify(config, scene->run, ret, error);
}

/* --- its report -----------------------------------------------------------------------------------------------------
 */

static bool answer(void *self, const struct verify_result *result)
{
    assert_true(g_file_test(result->report_path, G_FILE_TEST_EXISTS));
    return *(const bool *)self;
}

static size_t reports_kept(struct scene *scene)
{
    GError *error = NULL;
    auto_(catalog) catalog = NULL;
    auto_(arena) mem = arena_new(1 << 20);
    struct report_row *rows;
    size_t n;
    struct run_row run = scene_row(scene, mem);
    kit_ok(catalog_open(&catalog, &scene->fake.world, scene->home, CATALOG_EXISTING, &error));
    kit_ok(catalog_reports(catalog, run.id, mem, &rows, &n, &error));
    return n;
}

static void a_report_that_nobody_wants_leaves_nothing(void **state)
{
    struct scene scene;
    begin(&scene, SAME_DATASET);
    scene_ran(&scene, 0);
    for (int wanted = 0; wanted < 2; wanted++) {
        GError *error = NULL;
        struct verify_result verdict;
        struct store_registry *registry = store_registry_new(&scene.fake.world, scene.ours);
        struct run_config config = scene_config(&scene, registry);
        bool wants = wanted;
        size_t before = reports_kept(&scene);
        config.keep_report = answer;
        config.keep_self = &wants;
        scene.fake.wall_ms += 1000;
        kit_ok(verify(&scene, &config, &verdict, &error));
        assert_true(verdict.pass);
        assert_int_equal(verdict.report_path != NULL, wanted);
        assert_int_equal(verdict.page_path != NULL, wanted);
        assert_int_equal(reports_kept(&scene) - before, wanted);
        verify_result_done(&verdict);
        store_registry_free(registry);
    }
    scene_done(&scene);
}

/* --- how the run stands ---------------------------------------------------------------------------------------------
 */

/* A partition of it is written, the others are not: of their keys nothing is said. */
static void of_a_run_that_is_not_over_what_is_written_is_compared(void **state)
{
    struct scene scene;
    struct process process;
    struct verify_result verdict;
    begin(&scene, SAME_DATASET);
    process_first(&process, &scene);
    process_until(&process, 0, OP_CHECKPOINT);
    process_step(&process, 0);
    process_die(&process);
    scene.full = true;
    scene_verify(&scene, &verdict);
    assert_true(verdict.pass);
    assert_int_equal(verdict.compared, KEYS / 2);
    verify_result_done(&verdict);
    scene_ran(&scene, 0);
    scene_done(&scene);
}

/* Its gate died while it wrote down what it had found: where a record differs is found by what the others wrote. */
static void what_a_gate_had_begun_to_write_is_not_read(void **state)
{
    static const char *const DRAFTS[] = {"sketch.0.tmp", "owners.0.tmp"};
    struct scene scene;
    uint64_t in_full[2];
    begin(&scene, SAME_DATASET "stages: [{ name: full, scope: 100% }]\n");
    scene_ran(&scene, 0);
    scene_put(&scene, "items", "k3", "{\"times\":0}");
    for (int drafts = 0; drafts < 2; drafts++) {
        struct verify_result verdict;
        for (size_t i = 0; drafts && i < G_N_ELEMENTS(DRAFTS); i++) {
            g_autofree char *path = g_build_filename(scene.home, "reports", "job.1", DRAFTS[i], NULL);
            assert_true(g_file_set_contents(path, "half a sk", -1, NULL));
        }
        scene_verify(&scene, &verdict);
        assert_false(verdict.pass);
        in_full[drafts] = verdict.in_full;
        verify_result_done(&verdict);
    }
    assert_int_equal(in_full[0], 0);
    assert_int_equal(in_full[1], 0);
    scene_done(&scene);
}

/* --- what was asked for by name -------------------------------------------------------------------------------------
 */

#define ONLY                                                                                                           \
    "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: origin, only: { keys: keys.txt } }\n"                  \
    "transform: { lua: t.lua }\n"                                                                                      \
    "target: { store: \"mem:s\", dataset: items, write: in-place, conflict: overwrite }\n"

static const struct {
    const char *keys, *unmatched; /* NULL: there is nothing to say of any */
} ASKED[] = {
    {"k1\nk2\n", NULL},
    {"k1\nnobody\nk2\n", "; 1 of 3 keys that were asked for match nothing"},
};

static void what_was_asked_for_and_is_not_there_is_told_and_nothing_where_all_is(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(ASKED); i++) {
        struct scene scene;
        struct verify_result verdict;
        begin(&scene, ONLY);
        scene_file(&scene, "keys.txt", ASKED[i].keys);
        scene_ran(&scene, 0);
        scene_verify(&scene, &verdict);
        const char *words = ASKED[i].unmatched ? ASKED[i].unmatched : "match nothing";
        if (!verdict.pass || (strstr(verdict.sentence, words) != NULL) != (ASKED[i].unmatched != NULL))
            fail_msg("row %zu: %s", i, verdict.sentence);
        verify_result_done(&verdict);
        scene_done(&scene);
    }
}

/* --- what stands in the way ----------------------------------------------------------------------------------------
 */

static void reports_whose_folder_is_a_file_are_told_by_name(void **state)
{
    struct scene scene;
    struct ended ended;
    begin(&scene, SAME_DATASET);
    scene_ran(&scene, 0);
    g_autofree char *path = g_build_filename(scene.home, "reports", "job.1", NULL);
    kit_dir_remove(path);
    assert_true(g_file_set_contents(path, "", 0, NULL));
    scene_check(&scene, &ended);
    if (!ended.by_error || !strstr(ended.text, path))
        fail_msg("ended with %d: %s", ended.status, ended.text);
    assert_int_equal(g_unlink(path), 0); /* what else was in it is lost */
    ended_done(&ended);
    scene_check(&scene, &ended);
    if (ended.status != 6 || !strstr(ended.text, "sample.0: the sample is gone") ||
        !strstr(ended.text, "from a copy of the home"))
        fail_msg("ended with %d: %s", ended.status, ended.text);
    ended_done(&ended);
    scene_done(&scene);
}

/* What a verification reads of the home, and cannot make again: no run that is not there. */
static void a_listing_that_is_lost_is_asked_for_by_name(void **state)
{
    struct scene scene;
    struct ended ended;
    begin(&scene, SAME_DATASET);
    scene_ran(&scene, 0);
    g_autofree char *dir = g_build_filename(scene.home, "listing", NULL);
    kit_dir_remove(dir);
    scene.full = true;
    scene_check(&scene, &ended);
    if (ended.status != 6 || !strstr(ended.text, dir) || !strstr(ended.text, "missing from the home; put it back"))
        fail_msg("ended with %d: %s", ended.status, ended.text);
    ended_done(&ended);
    scene_taken_back(&scene, 0); /* which needs none */
    scene_holds(&scene, "items", "k0", "{\"times\":0}");
    scene_done(&scene);
}

#define INTO_FILES                                                                                                     \
    "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: origin }\n"                                            \
    "target: { store: \"file:out\", dataset: \"*.ndjson\" }\n"

static void a_spec_of_which_only_a_run_tells_is_not_verified_without_one(void **state)
{
    static const struct {
        const char *spec, *refused; /* NULL: it is not */
    } ROWS[] = {
        {SAME_DATASET, "its source is its target: `sluice verify job` takes its newest run instead"},
        {INTO_FILES, "its target is append-only, where a run's files bear its name: `sluice verify job` takes its"},
        {OVERWRITE, NULL},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        GError *error = NULL;
        struct scene scene;
        struct spec *spec = NULL;
        struct verify_result verdict = {0};
        begin(&scene, ROWS[i].spec);
        struct store_registry *registry = store_registry_new(&scene.fake.world, scene.ours);
        struct run_config config = scene_config(&scene, registry);
        kit_ok(spec_read(&spec, &scene.fake.world, scene.spec_path, &error));
        bool ok = run_verify_spec(&config, spec, &verdict, &error);
        if (ok != !ROWS[i].refused ||
            (!ok && (!error_is(error, SLUICE_ERROR_USAGE) || !strstr(error->message, ROWS[i].refused))))
            fail_msg("row %zu: %s", i, ok ? verdict.sentence : error->message);
        g_clear_error(&error);
        verify_result_done(&verdict);
        store_registry_free(registry);
        scene_done(&scene);
    }
}

/* --- what its values are held against -------------------------------------------------------------------------------
 */

static const struct {
    struct spec_baseline asked;
    const char *refused; /* NULL: it is not */
} BASELINES[] = {
    {{BASELINE_NONE, "none"}, NULL},
    {{BASELINE_RUN, "job.1"}, NULL},
    {{BASELINE_RUN, "job.7"}, "the baseline job.7 cannot be had: no earlier run of job.7"},
};

static void whoever_asks_for_a_baseline_has_it_or_is_refused(void **state)
{
    struct scene scene;
    begin(&scene, OVERWRITE);
    scene_ran(&scene, 0);
    scene_put(&scene, "origin", "more", "{\"times\":7}");
    scene_file(&scene, "t.lua", "function transform(doc, ctx)\n  doc.times = doc.times + 2\n  return doc\nend\n");
    scene.run = "job.2";
    scene_ran(&scene, 0);
    for (size_t i = 0; i < G_N_ELEMENTS(BASELINES); i++) {
        GError *error = NULL;
        struct verify_result verdict;
        struct store_registry *registry = store_registry_new(&scene.fake.world, scene.ours);
        struct run_config config = scene_config(&scene, registry);
        config.baseline = &BASELINES[i].asked;
        bool ok = verify(&scene, &config, &verdict, &error);
        if (ok != !BASELINES[i].refused || (!ok && !strstr(error->message, BASELINES[i].refused)))
            fail_msg("row %zu: %s", i, ok ? verdict.sentence : error->message);
        g_clear_error(&error);
        verify_result_done(&verdict);
        store_registry_free(registry);
    }
    scene_done(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_report_that_nobody_wants_leaves_nothing),
        cmocka_unit_test(of_a_run_that_is_not_over_what_is_written_is_compared),
        cmocka_unit_test(what_a_gate_had_begun_to_write_is_not_read),
        cmocka_unit_test(what_was_asked_for_and_is_not_there_is_told_and_nothing_where_all_is),
        cmocka_unit_test(reports_whose_folder_is_a_file_are_told_by_name),
        cmocka_unit_test(a_listing_that_is_lost_is_asked_for_by_name),
        cmocka_unit_test(a_spec_of_which_only_a_run_tells_is_not_verified_without_one),
        cmocka_unit_test(whoever_asks_for_a_baseline_has_it_or_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
