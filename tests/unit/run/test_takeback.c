/* A run is taken back, and a statement of the catalog fails meanwhile, whichever it is: that is told, and the same
 * command goes on. */
#include "kit/failing_step.h"
#include "kit/scene.h"

static const char SPEC[] = "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: items }\n"
                           "transform: { lua: t.lua }\ntarget: { store: \"mem:s\", dataset: items }\nworkers: 1\n";
static const char LUA[] = "function transform(doc, ctx)\n  doc.times = 1\n  return doc\nend\n";

/* How it ended; *ret_met: there was an n-th statement of this thread's. */
static bool takes_back(struct scene *scene, unsigned nth, bool *ret_met, int *ret_status, GError **error)
{
    struct run_result result = {0};
    struct store_registry *registry = store_registry_new(&scene->fake.world, scene->ours);
    struct run_config config = scene_config(scene, registry);
    steps_met = 0;
    step_fails = nth;
    bool ok = run_back(&config, scene->run, NULL, &result, error);
    step_fails = 0;
    *ret_met = steps_met >= nth;
    *ret_status = result.exit_status;
    run_result_done(&result);
    store_registry_free(registry);
    return ok;
}

/* Behind the beginning most are looks. */
enum { ALL_UP_TO = 60, THEN_ONE_IN = 5 };

static void a_statement_that_fails_while_a_run_is_taken_back_is_told(void **state)
{
    struct scene scene;
    struct scene_kept kept;
    bool met = true;
    scene_init(&scene, SPEC, LUA);
    scene_put(&scene, "items", "a", "{\"n\":1}");
    scene_ran(&scene, 0);
    scene_keep(&scene, &kept);
    scene_done(&scene);
    for (unsigned nth = 1; met; nth += nth < ALL_UP_TO ? 1 : THEN_ONE_IN) {
        g_autoptr(GError) error = NULL;
        int status;
        scene_again(&scene, &kept);
        bool ok = takes_back(&scene, nth, &met, &status, &error);
        if (ok == (error != NULL))
            fail_msg("statement %u: status %d: %s", nth, status, error ? error->message : "nothing is said");
        if (!ok || status != 0)
            scene_taken_back(&scene, 0);
        scene_holds(&scene, "items", "a", "{\"n\":1}");
        scene_done(&scene);
    }
    scene_kept_done(&kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_statement_that_fails_while_a_run_is_taken_back_is_told)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
