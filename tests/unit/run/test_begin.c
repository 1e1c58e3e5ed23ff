/* A run is planned, and a statement of the catalog fails meanwhile, whichever it is. */
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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_statement_that_fails_while_a_run_is_planned_is_told)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
