/* A run is planned, and a statement of the catalog fails meanwhile, whichever it is. */
#include "kit/failing_step.h"
#include "kit/scene.h"

static const char SPEC[] = "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: items }\n"
                           "transform: { lua: t.lua }\ntarget: { store: \"mem:s\", dataset: items }\n";
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

/* Behind a run that is done; `supersede`: it is to be taken back first, and how many keys that
 * would be is only shown: what that asks may fail in silence. `shown`: so many statements. */
static void each_statement(const char *supersede, unsigned shown)
{
    struct scene scene;
    struct scene_kept kept;
    bool met = true;
    unsigned silent = 0;
    scene_init(&scene, SPEC, LUA);
    scene_put(&scene, "items", "a", "{\"n\":1}");
    scene_ran(&scene, 0);
    scene_file(&scene, "t.lua", "function transform(doc, ctx)\n  doc.times = 2\n  return doc\nend\n");
    scene_keep(&scene, &kept);
    scene_done(&scene);
    for (unsigned nth = 1; met; nth++) {
        g_autoptr(GError) error = NULL;
        scene_again(&scene, &kept);
        scene.supersede = supersede;
        bool ok = plans(&scene, nth, &met, &error);
        silent += ok && met;
        if (ok == (error != NULL) || (!met && !ok) || silent > shown)
            fail_msg("statement %u%s: %s", nth, supersede ? " of one that supersedes" : "",
                     error ? error->message : "nothing is said");
        scene_done(&scene);
    }
    scene_kept_done(&kept);
}

static void a_statement_that_fails_while_a_run_is_planned_is_told(void **state)
{
    each_statement(NULL, 0);
    each_statement("job.1", 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_statement_that_fails_while_a_run_is_planned_is_told)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
