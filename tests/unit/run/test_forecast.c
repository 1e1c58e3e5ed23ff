/* How fast a run will be: as its limit allows, or as the newest run of its spec that is done was. */
#include "kit/scene.h"
#include "run/forecast.h"

#define FAST(name)                                                                                                     \
    "sluice: 1\nname: " name "\nsource: { store: \"mem:s\", dataset: items }\n"                                        \
    "transform: { lua: t.lua, idempotent: true }\ntarget: { store: \"mem:s\", dataset: items }\n"
#define SPEC(name, rate) FAST(name) "protect: { rate: { max: " rate " } }\n"
#define TIMES(n)         "function transform(doc, ctx)\n  doc.times = " n "\n  return doc\nend\n"

enum { KEYS = 20 };

static void keep(void *self, const struct plan *plan, const struct forecast *forecast)
{
    *(struct forecast *)self = *forecast;
}

/* *ret_idle: a run would change nothing. `tells`: somebody wants to know. */
static struct forecast planned(struct scene *scene, bool tells, bool *ret_idle)
{
    GError *error = NULL;
    struct spec *spec;
    struct forecast forecast = {.records_per_s = -1};
    struct store_registry *registry = store_registry_new(&scene->fake.world, scene->ours);
    struct run_config config = scene_config(scene, registry);
    config.planned = tells ? keep : NULL;
    config.planned_self = &forecast;
    kit_ok(spec_read(&spec, &scene->fake.world, scene->spec_path, &error));
    kit_ok(run_plan(&config, spec, NULL, ret_idle, &error));
    store_registry_free(registry);
    return forecast;
}

static struct forecast forecast_of(struct scene *scene)
{
    bool idle;
    return planned(scene, true, &idle);
}

static void begin(struct scene *scene)
{
    scene_init(scene, SPEC("other", "1/s"), TIMES("1"));
    for (int i = 0; i < KEYS; i++) {
        g_autofree char *key = g_strdup_printf("k%02d", i);
        scene_put(scene, "items", key, "{\"times\":0}");
    }
    scene->run = "other.1";
    scene_ran(scene, 0);
    scene->run = "job.1";
}

static void the_run_of_another_spec_says_nothing(void **state)
{
    struct scene scene;
    begin(&scene);
    scene_file(&scene, "job.yaml", SPEC("job", "2/s"));
    struct forecast forecast = forecast_of(&scene);
    assert_string_equal(forecast.rate_from, "protect.rate.max");
    assert_true(forecast.limited && forecast.records_per_s == 2);
    assert_int_equal(forecast.seconds, KEYS / 2);
    scene_done(&scene);
}

static void the_newest_run_of_its_own_that_is_done_does(void **state)
{
    struct scene scene;
    begin(&scene);
    scene_file(&scene, "job.yaml", SPEC("job", "4/s"));
    scene_file(&scene, "t.lua", TIMES("2"));
    scene_ran(&scene, 0);
    scene_file(&scene, "job.yaml", SPEC("job", "1000/s"));
    struct forecast forecast = forecast_of(&scene);
    assert_string_equal(forecast.rate_from, "its newest run that is done");
    if (forecast.limited || forecast.records_per_s < 2 || forecast.records_per_s > 6)
        fail_msg("%f records a second", forecast.records_per_s);
    scene_done(&scene);
}

/* What it reached then it may not reach any more. */
static void a_limit_below_what_its_newest_run_reached_says_more_than_that_run(void **state)
{
    struct scene scene;
    begin(&scene);
    scene_file(&scene, "job.yaml", SPEC("job", "4/s"));
    scene_file(&scene, "t.lua", TIMES("2"));
    scene_ran(&scene, 0);
    scene_file(&scene, "job.yaml", SPEC("job", "1/s"));
    struct forecast forecast = forecast_of(&scene);
    assert_string_equal(forecast.rate_from, "protect.rate.max");
    assert_true(forecast.limited && forecast.records_per_s == 1);
    assert_int_equal(forecast.seconds, KEYS);
    scene_done(&scene);
}

static void without_either_nobody_knows(void **state)
{
    struct scene scene;
    begin(&scene);
    scene_file(&scene, "job.yaml", FAST("job"));
    struct forecast forecast = forecast_of(&scene);
    assert_null(forecast.rate_from);
    assert_int_equal(forecast.seconds, -1);
    scene_done(&scene);
}

/* As a clock that was set back would have it. */
static void a_run_that_took_no_time_says_nothing(void **state)
{
    GError *error = NULL;
    struct scene scene;
    auto_(arena) mem = arena_new(1 << 20);
    auto_(catalog) catalog = NULL;
    begin(&scene);
    scene_file(&scene, "job.yaml", SPEC("job", "4/s"));
    scene_file(&scene, "t.lua", TIMES("2"));
    scene_plan(&scene);
    struct run_row run = scene_row(&scene, mem);
    kit_ok(catalog_open(&catalog, &scene.fake.world, scene.home, CATALOG_EXISTING, &error));
    static const enum run_state WAY[] = {RUN_RUNNING, RUN_VERIFYING, RUN_DONE};
    for (size_t i = 0; i < G_N_ELEMENTS(WAY); i++) {
        struct run_move move = {.run = run.id, .from = run.state, .to = WAY[i], .act = {.actor = "ann@desk"}};
        scene.fake.wall_ms = run.started_ms;
        kit_ok(catalog_run_move(catalog, &move, &error));
        run.state = WAY[i];
    }
    struct forecast forecast = forecast_of(&scene);
    assert_string_equal(forecast.rate_from, "protect.rate.max");
    scene_done(&scene);
}

/* Nothing to do: nothing there, or all of it as it should be; more than the sample is known nothing of. */
static void a_run_is_idle_where_all_is_known_and_nothing_changes(void **state)
{
    static const struct {
        int keys;
        const char *lua;
        bool idle;
    } ROWS[] = {{0, TIMES("1"), true},
                {KEYS, TIMES("0"), true},
                {KEYS, TIMES("1"), false},
                {KEYS, "function transform(doc, ctx)\n  return ctx.delete()\nend\n", false}};
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct scene scene;
        bool idle, again;
        scene_init(&scene, FAST("job"), ROWS[i].lua);
        scene_put(&scene, "items", "once", "{}");
        scene_remove(&scene, "items", "once");
        for (int k = 0; k < ROWS[i].keys; k++) {
            g_autofree char *key = g_strdup_printf("k%02d", k);
            scene_put(&scene, "items", key, "{\"times\":0}");
        }
        struct forecast forecast = planned(&scene, true, &idle);
        planned(&scene, false, &again);
        assert_int_equal(forecast.sampled, ROWS[i].keys);
        if (idle != ROWS[i].idle || again != idle)
            fail_msg("row %zu: it is %s", i, idle ? "idle" : "not idle");
        scene_done(&scene);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_either_nobody_knows),
        cmocka_unit_test(a_run_that_took_no_time_says_nothing),
        cmocka_unit_test(a_run_is_idle_where_all_is_known_and_nothing_changes),
        cmocka_unit_test(the_run_of_another_spec_says_nothing),
        cmocka_unit_test(the_newest_run_of_its_own_that_is_done_does),
        cmocka_unit_test(a_limit_below_what_its_newest_run_reached_says_more_than_that_run)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
