/* How fast a run will be: as its limit allows, or as the newest run of its spec that is done was. */
#include "kit/scene.h"
#include "run/forecast.h"

#define SPEC(name, rate)                                                                                               \
    "sluice: 1\nname: " name "\nsource: { store: \"mem:s\", dataset: items }\n"                                        \
    "transform: { lua: t.lua, idempotent: true }\ntarget: { store: \"mem:s\", dataset: items }\n"                      \
    "protect: { rate: { max: " rate " } }\n"
#define TIMES(n) "function transform(doc, ctx)\n  doc.times = " n "\n  return doc\nend\n"

enum { KEYS = 20 };

static void keep(void *self, const struct plan *plan, const struct forecast *forecast)
{
    *(struct forecast *)self = *forecast;
}

static struct forecast forecast_of(struct scene *scene)
{
    GError *error = NULL;
    struct spec *spec;
    struct forecast forecast = {.records_per_s = -1};
    bool idle;
    struct store_registry *registry = store_registry_new(&scene->fake.world, scene->ours);
    struct run_config config = scene_config(scene, registry);
    config.planned = keep;
    config.planned_self = &forecast;
    kit_ok(spec_read(&spec, &scene->fake.world, scene->spec_path, &error));
    kit_ok(run_plan(&config, spec, NULL, &idle, &error));
    store_registry_free(registry);
    return forecast;
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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_run_of_another_spec_says_nothing),
                                       cmocka_unit_test(the_newest_run_of_its_own_that_is_done_does)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
