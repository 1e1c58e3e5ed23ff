/* Whose a lock on a dataset is. */
#include "catalog/lock.h"
#include "kit/scene.h"

#define SPEC(name)                                                                                                     \
    "sluice: 1\nname: " name "\nsource: { store: \"mem:s\", dataset: items }\ntransform: { lua: t.lua }\n"             \
    "target: { store: \"mem:s\", dataset: items }\nworkers: 1\n"
static const char LUA[] = "function transform(doc, ctx)\n  doc.times = doc.times + 1\n  return doc\nend\n";

/* job.1 is done; who wanted to take it back has locked the dataset, and has not got any further. */
static void is_about_to_be_taken_back(struct scene *scene)
{
    static const struct fault_row UNHEARD = {.op = FAULT_LOCK, .nth = 1, .effect = FAULT_LOST, .lasting = true};
    struct ended ended;
    scene_init(scene, SPEC("job"), LUA);
    scene_put(scene, "items", "a", "{\"times\":0}");
    scene_ran(scene, 0);
    scene_fault(scene, &UNHEARD);
    scene_back(scene, &ended);
    assert_int_equal(ended.status, 6);
    ended_done(&ended);
    scene_fault(scene, NULL);
    scene_file(scene, "job.yaml", SPEC("other"));
    scene->run = "other.1";
}

static void who_took_the_lock_and_died_has_it_no_longer(void **state)
{
    struct scene scene;
    is_about_to_be_taken_back(&scene);
    scene_ran(&scene, 0);
    scene_holds(&scene, "items", "a", "{\"times\":2}");
    scene_done(&scene);
}

static void who_took_the_lock_and_is_still_about_it_has_it(void **state)
{
    struct scene scene;
    struct run_lock *still;
    struct ended ended;
    GError *error = NULL;
    is_about_to_be_taken_back(&scene);
    kit_ok(run_lock_take(&still, &scene.fake.world, scene.home, "job.1", &error));
    scene_run(&scene, &ended);
    assert_int_equal(ended.status, 7);
    assert_int_equal(ended.code, SLUICE_ERROR_LOCKED);
    assert_non_null(strstr(ended.text, "locked by run job.1 "));
    ended_done(&ended);
    scene_holds(&scene, "items", "a", "{\"times\":1}");
    run_lock_free(still);
    scene_ran(&scene, 0);
    scene_done(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_took_the_lock_and_died_has_it_no_longer),
        cmocka_unit_test(who_took_the_lock_and_is_still_about_it_has_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
