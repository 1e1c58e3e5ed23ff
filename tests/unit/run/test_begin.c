/* A run is planned, and a statement of the catalog fails meanwhile, whichever it is; of what another one refused. */
#include "kit/failing_step.h"
#include "kit/scene.h"

#define SPEC(idempotent)                                                                                               \
    "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: items }\n"                                             \
    "transform: { lua: t.lua" idempotent " }\ntarget: { store: \"mem:s\", dataset: items }\n"
static const char LUA[] = "function transform(doc, ctx)\n  doc.times = 1\n  return doc\nend\n";

/* How it ended; *ret_met: there was an n-th statement. */
static bool plans(struct scene *scene, unsigned nth, bool *ret_met, GError **error)
{
    struct spec *spec;
    struct run_result planned = {0};
    bool is_new;
    struct store_registry *registry = store_registry_new(&scene->fake.world, scene->ours);
    struct run_config config = scene_config(scene, registry);
    assert_true(spec_read(&spec, &scene->fake.world, scene->spec_path, error));
    steps_met = 0;
    step_fails = nth;
    bool ok = run_begin(&config, spec, &planned, &is_new, error);
    step_fails = 0;
    *ret_met = steps_met >= nth;
    if (!ok)
        spec_free(spec);
    run_result_done(&planned);
    store_registry_free(registry);
    return ok;
}

static void planned_again(struct scene *scene)
{
    g_autoptr(GError) error = NULL;
    bool met;
    kit_ok(plans(scene, 0, &met, &error));
}

static void superseded(struct scene *scene)
{
    scene->run = "job.2";
    scene_ran(scene, 0);
}

/* What is planned behind a run that is done. */
struct planning {
    const char *spec;
    const char *supersede;               /* it is to be taken back first; NULL: it stands */
    void (*before)(struct scene *scene); /* what has come to be meanwhile; NULL: nothing */
    unsigned
        shown; /* how many statements ask for what is only shown, how many keys that would be: they fail in silence */
};

static void each_statement(const struct planning *planning)
{
    struct scene scene;
    struct scene_kept kept;
    bool met = true;
    unsigned silent = 0;
    scene_init(&scene, planning->spec, LUA);
    scene_put(&scene, "items", "a", "{\"n\":1}");
    scene_ran(&scene, 0);
    scene_file(&scene, "t.lua", "function transform(doc, ctx)\n  doc.times = 2\n  return doc\nend\n");
    scene.supersede = planning->supersede;
    if (planning->before)
        planning->before(&scene);
    scene_keep(&scene, &kept);
    scene_done(&scene);
    for (unsigned nth = 1; met; nth++) {
        g_autoptr(GError) error = NULL;
        scene_again(&scene, &kept);
        scene.supersede = planning->supersede;
        bool ok = plans(&scene, nth, &met, &error);
        silent += ok && met;
        if (ok == (error != NULL) || (!met && !ok) || silent > planning->shown)
            fail_msg("statement %u%s: %s", nth, planning->supersede ? " of one that supersedes" : "",
                     error ? error->message : "nothing is said");
        scene_done(&scene);
    }
    scene_kept_done(&kept);
}

static void a_statement_that_fails_while_a_run_is_planned_is_told(void **state)
{
    const struct planning all[] = {
        {SPEC(""), NULL, NULL, 0},
        {SPEC(""), "job.1", NULL, 2},
        {SPEC(""), "job.1", planned_again, 2},                /* that is found again */
        {SPEC(", idempotent: true"), "job.1", superseded, 0}, /* so is the run that has superseded it */
    };
    for (size_t i = 0; i < G_N_ELEMENTS(all); i++)
        each_statement(&all[i]);
}

/* --- a plan from a file ---------------------------------------------------------------------------------------------
 */

static void begin(struct scene *scene, const char *lua)
{
    scene_init(scene, SPEC(""), lua);
    scene_put(scene, "items", "a", "{\"n\":1}");
}

static char *plan_into(struct scene *scene, const char *name)
{
    GError *error = NULL;
    struct spec *spec;
    bool idle;
    char *path = g_build_filename(scene->dir, name, NULL);
    struct store_registry *registry = store_registry_new(&scene->fake.world, scene->ours);
    struct run_config config = scene_config(scene, registry);
    kit_ok(spec_read(&spec, &scene->fake.world, scene->spec_path, &error));
    kit_ok(run_plan(&config, spec, path, &idle, &error));
    store_registry_free(registry);
    return path;
}

/* The run's name, and whether it is a new one. */
static void begun_by(struct scene *scene, const char *path, const char *name, bool is_new)
{
    GError *error = NULL;
    struct run_result result = {0};
    bool found_new;
    struct store_registry *registry = store_registry_new(&scene->fake.world, scene->ours);
    struct run_config config = scene_config(scene, registry);
    kit_ok(run_begin_file(&config, path, &result, &found_new, &error));
    assert_string_equal(result.run.name, name);
    assert_int_equal(found_new, is_new);
    run_result_done(&result);
    store_registry_free(registry);
}

static void a_plan_from_a_file_is_one_run_however_often_it_is_begun(void **state)
{
    struct scene scene;
    begin(&scene, LUA);
    g_autofree char *first = plan_into(&scene, "first.plan");
    begun_by(&scene, first, "job.1", true);
    begun_by(&scene, first, "job.1", false);
    scene_ran(&scene, 0);
    scene_file(&scene, "t.lua", "function transform(doc, ctx)\n  doc.times = 2\n  return doc\nend\n");
    g_autofree char *second = plan_into(&scene, "second.plan");
    begun_by(&scene, second, "job.2", true);
    begun_by(&scene, first, "job.1", false);
    begun_by(&scene, second, "job.2", false);
    scene_done(&scene);
}

/* --- which run is meant ---------------------------------------------------------------------------------------------
 */

#define CONTRACTED SPEC("") "contract: c.yaml\n"
#define CONTRACT(most)                                                                                                 \
    "contract: 1\nname: items\nversion: 1\nfields: { n: { type: int, max: " most " }, times: { type: int } }\n"

static void run_named(struct scene *scene, const char *name, int status)
{
    scene->run = name;
    scene_ran(scene, status);
    scene->run = "job.1";
}

/* Another contract is another run; the same one is done. */
static void a_run_is_done_by_its_contract_too(void **state)
{
    struct scene scene;
    auto_(arena) mem = arena_new(1 << 20);
    scene_init(&scene, CONTRACTED, LUA);
    scene_file(&scene, "c.yaml", CONTRACT("5"));
    scene_put(&scene, "items", "a", "{\"n\":1}");
    scene_ran(&scene, 0);
    scene.lifts_nothing = true;
    scene_ran(&scene, 0);
    scene_file(&scene, "c.yaml", CONTRACT("6"));
    run_named(&scene, "job.2", 0);
    scene.run = "job.2";
    assert_int_equal(scene_row(&scene, mem).state, RUN_DONE);
    scene_done(&scene);
}

/* What it supersedes has another one's writes on top of it, which are not complete. */
static void of_two_runs_that_stand_the_one_that_is_not_superseded_is_in_the_way(void **state)
{
    GError *error = NULL;
    struct scene scene;
    struct process process;
    bool met;
    begin(&scene, LUA);
    scene_ran(&scene, 0);
    scene_file(&scene, "t.lua", "function transform(doc, ctx)\n  doc.times = 2\n  return doc\nend\n");
    scene_plan(&scene);
    scene.run = "job.2";
    process_begin(&process, &scene, JOB_FORWARD);
    process_until(&process, 0, OP_CHECKPOINT);
    process_die(&process);
    scene_file(&scene, "t.lua", "function transform(doc, ctx)\n  doc.times = 3\n  return doc\nend\n");
    scene.supersede = "job.1";
    kit_refused(plans(&scene, 0, &met, &error), LOCKED, "locked by run job.2");
    scene_done(&scene);
}

/* --- what was refused is retried -----------------------------------------------------------------------------------
 */

#define FILL                                                                                                           \
    "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: origin }\n"                                            \
    "transform: { lua: t.lua }\ntarget: { store: \"mem:s\", dataset: items }\n"

static bool retries(struct scene *scene, bool again, struct run_result *ret, GError **error)
{
    struct spec *spec;
    struct run_result planned = {0};
    bool is_new;
    struct store_registry *registry = store_registry_new(&scene->fake.world, scene->ours);
    struct run_config config = scene_config(scene, registry);
    config.retry = "job.1";
    config.again = again;
    assert_true(spec_read(&spec, &scene->fake.world, scene->spec_path, error));
    bool ok = run_begin(&config, spec, &planned, &is_new, error);
    if (!ok)
        spec_free(spec);
    ok = ok && run_forward(&config, planned.run.name, true, ret, error);
    run_result_done(&planned);
    store_registry_free(registry);
    return ok;
}

/* A key of no bytes is one like any other. */
static void begin_refused(struct scene *scene)
{
    scene_init(scene, FILL, "function transform(doc, ctx)\n  return ctx.reject('no')\nend\n");
    scene_put(scene, "origin", "", "{\"n\":1}");
    scene_put(scene, "origin", "a", "{\"n\":2}");
    scene_ran(scene, 8);
    scene_file(scene, "t.lua", LUA);
}

static void each_record_that_was_refused_is_retried_whatever_its_key(void **state)
{
    struct scene scene;
    struct run_result result = {0};
    GError *error = NULL;
    begin_refused(&scene);
    assert_true(scene_refused(&scene, "", SLUICE_ERROR_REJECTED));
    kit_ok(retries(&scene, false, &result, &error));
    assert_int_equal(result.exit_status, 0);
    assert_int_equal(result.run.tally.of[OUTCOME_WRITTEN], 2);
    scene_holds(&scene, "items", "", "{\"n\":1,\"times\":1}");
    scene_holds(&scene, "items", "a", "{\"n\":2,\"times\":1}");
    run_result_done(&result);
    scene_done(&scene);
}

/* The same command once more ends as it did; who says that it is to be done again hears why it is not. */
static void what_was_retried_is_not_done_a_second_time(void **state)
{
    struct scene scene;
    struct run_result result = {0};
    GError *error = NULL;
    begin_refused(&scene);
    for (int i = 0; i < 2; i++) {
        kit_ok(retries(&scene, false, &result, &error));
        assert_string_equal(result.run.name, "job.2");
        assert_int_equal(result.exit_status, 0);
        run_result_done(&result);
        result = (struct run_result){0};
    }
    kit_refused(retries(&scene, true, &result, &error), REFUSED, "job.2 has retried what job.1 refused");
    scene_done(&scene);
}

static void rows_that_cannot_be_read_are_not_retried_in_part(void **state)
{
    struct scene scene;
    struct run_result result = {0};
    GError *error = NULL;
    begin_refused(&scene);
    g_autofree char *path = g_build_filename(scene.home, "quarantine", "job.1.ndjson", NULL);
    kit_damage(path);
    kit_refused(retries(&scene, false, &result, &error), CORRUPT,
                "rows of it are damaged, and which records they name");
    scene_holds(&scene, "items", "a", NULL);
    scene_done(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_statement_that_fails_while_a_run_is_planned_is_told),
        cmocka_unit_test(a_plan_from_a_file_is_one_run_however_often_it_is_begun),
        cmocka_unit_test(a_run_is_done_by_its_contract_too),
        cmocka_unit_test(of_two_runs_that_stand_the_one_that_is_not_superseded_is_in_the_way),
        cmocka_unit_test(each_record_that_was_refused_is_retried_whatever_its_key),
        cmocka_unit_test(what_was_retried_is_not_done_a_second_time),
        cmocka_unit_test(rows_that_cannot_be_read_are_not_retried_in_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
