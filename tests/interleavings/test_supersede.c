/* Superseding: the run before is taken back, key by key, and the new transform is applied once. */
#include "interleavings/specs.h"
#include "kit/scene.h"

/* Twice as much, and what is of the kind "drop" goes: neither may happen to its own result. */
#define TWICE                                                                                                          \
    "function transform(doc, ctx)\n  if doc.drop then return ctx.delete() end\n  doc.n = doc.n * 2\n  return doc\n"    \
    "end\n"
#define BY_TEN     "function transform(doc, ctx)\n  doc.n = doc.n * 10\n  return doc\nend\n"
#define BY_HUNDRED "function transform(doc, ctx)\n  doc.n = doc.n * 100\n  return doc\nend\n"

#define LATER INT64_C(4102444800000)

static void begin(struct scene *scene)
{
    scene_init(scene, SAME_DATASET, TWICE);
    scene_put(scene, "items", "a", "{\"n\":1}");
    scene_put_until(scene, "items", "b", "{\"n\":2}", LATER);
    scene_put(scene, "items", "c", "{\"n\":3,\"drop\":true}");
    scene_put_until(scene, "items", "d", "{\"n\":4,\"drop\":true}", LATER + 1);
    for (int i = 0; i < 9; i++) {
        char key[] = {'e', (char)('0' + i), 0};
        scene_put(scene, "items", key, "{\"n\":7}");
    }
}

/* Another transform; the run that is to be superseded. */
static void supersede(struct scene *scene, const char *lua, const char *old, const char *new)
{
    scene_file(scene, "t.lua", lua);
    scene->supersede = old;
    scene->run = new;
}

static void refused(struct scene *scene, int status, const char *words)
{
    struct ended ended;
    scene_run(scene, &ended);
    if (ended.status != status || !ended.text || !strstr(ended.text, words))
        fail_msg("ended with %d: %s; expected %d: %s", ended.status, ended.text, status, words);
    ended_done(&ended);
}

static void is(struct scene *scene, const char *run, enum run_state state, const char *reason)
{
    auto_(arena) mem = arena_new(1 << 20);
    const char *before = scene->run;
    scene->run = run;
    struct run_row row = scene_row(scene, mem);
    scene->run = before;
    assert_string_equal(run_state_word(row.state), run_state_word(state));
    if (reason)
        assert_string_equal(row.reason, reason);
}

/* As if the first run had never been. */
static void by_ten(struct scene *scene)
{
    scene_holds(scene, "items", "a", "{\"n\":10}");
    scene_holds(scene, "items", "b", "{\"n\":20}");
    scene_expires(scene, "items", "b", LATER);
    scene_holds(scene, "items", "c", "{\"n\":30,\"drop\":true}");
    scene_holds(scene, "items", "d", "{\"n\":40,\"drop\":true}");
    scene_expires(scene, "items", "d", LATER + 1);
    scene_holds(scene, "items", "e8", "{\"n\":70}");
    scene_reconciles(scene);
    scene_ran_at(scene, scene_check, 0, __FILE__, __LINE__);
}

static void a_transform_that_is_not_idempotent_is_applied_once(void **state)
{
    struct scene scene;
    begin(&scene);
    scene_ran(&scene, 0);
    scene_holds(&scene, "items", "a", "{\"n\":2}");
    supersede(&scene, BY_TEN, "job.1", "job.2");
    scene_ran(&scene, 0);
    by_ten(&scene);
    is(&scene, "job.1", RUN_ROLLED_BACK, "superseded by job.2");
    is(&scene, "job.2", RUN_DONE, NULL);
    assert_int_equal(scene_count(&scene, OUTCOME_WRITTEN), 13);
    scene_done(&scene);
}

static void it_is_byte_for_byte_a_rollback_and_a_run(void **state)
{
    char *images[2];
    for (int way = 0; way < 2; way++) {
        struct scene scene;
        begin(&scene);
        scene_ran(&scene, 0);
        if (way == 0) {
            scene_taken_back(&scene, 0);
            supersede(&scene, BY_TEN, NULL, "job.2");
        } else
            supersede(&scene, BY_TEN, "job.1", "job.2");
        scene_ran(&scene, 0);
        images[way] = scene_image(&scene, "items");
        scene_done(&scene);
    }
    assert_string_equal(images[0], images[1]);
    g_free(images[0]);
    g_free(images[1]);
}

static void the_very_same_command_again_changes_nothing(void **state)
{
    struct scene scene;
    begin(&scene);
    scene_ran(&scene, 0);
    supersede(&scene, BY_TEN, "job.1", "job.2");
    scene_ran(&scene, 0);
    scene_ran(&scene, 0);
    by_ten(&scene);
    scene_done(&scene);
}

/* Killed with some of its writes known, some unknown, some not begun. */
static void a_run_that_was_killed_in_the_middle_is_superseded_whole(void **state)
{
    for (int steps = 1; steps < 60; steps++) {
        struct scene scene;
        struct process process;
        begin(&scene);
        scene_plan(&scene);
        process_begin_small(&process, &scene, JOB_FORWARD, 2);
        for (int i = 0; i < steps; i++)
            if (process_wish(&process, (uint32_t)i % 2)->kind != OP_END)
                process_step(&process, (uint32_t)i % 2);
        process_die(&process);
        supersede(&scene, BY_TEN, "job.1", "job.2");
        scene_ran(&scene, 0);
        by_ten(&scene);
        scene_done(&scene);
    }
}

/* After the new run was planned: the old one is half taken back, then plain `run` of the new spec goes on with both. */
static void a_death_while_the_other_run_is_taken_back_is_mended_by_a_plain_run(void **state)
{
    for (int steps = 1; steps < 40; steps++) {
        struct scene scene;
        struct process process;
        begin(&scene);
        scene_ran(&scene, 0);
        supersede(&scene, BY_TEN, "job.1", "job.1");
        scene_plan(&scene);
        process_begin_small(&process, &scene, JOB_BACK, 2);
        for (int i = 0; i < steps; i++)
            if (process_wish(&process, 0)->kind != OP_END)
                process_step(&process, 0);
        process_die(&process);
        supersede(&scene, BY_TEN, NULL, "job.2");
        scene_ran(&scene, 0);
        by_ten(&scene);
        scene_done(&scene);
    }
}

static void the_other_run_does_not_go_on_while_it_is_to_be_superseded(void **state)
{
    struct scene scene;
    struct process process;
    begin(&scene);
    scene_plan(&scene);
    process_begin_small(&process, &scene, JOB_FORWARD, 2);
    process_until(&process, 0, OP_CHECKPOINT);
    process_die(&process);
    supersede(&scene, BY_TEN, "job.1", "job.2");
    scene_plan(&scene);
    supersede(&scene, TWICE, NULL, "job.1");
    refused(&scene, 7, "job.1 is to be superseded by job.2");
    supersede(&scene, BY_TEN, NULL, "job.2");
    scene_ran(&scene, 0);
    by_ten(&scene);
    scene_done(&scene);
}

/* What the application wrote may rest on what the first run wrote. */
static void what_the_application_wrote_since_is_kept_live_and_noted(void **state)
{
    struct scene scene;
    begin(&scene);
    scene_ran(&scene, 0);
    scene_put(&scene, "items", "a", "{\"n\":2,\"mine\":true}");
    scene_put(&scene, "items", "c", "{\"n\":5}");
    scene_remove(&scene, "items", "b");
    supersede(&scene, BY_TEN, "job.1", "job.2");
    scene_ran(&scene, 8);
    scene_holds(&scene, "items", "a", "{\"n\":2,\"mine\":true}");
    scene_holds(&scene, "items", "b", NULL);
    scene_holds(&scene, "items", "c", "{\"n\":5}");
    scene_holds(&scene, "items", "e0", "{\"n\":70}");
    assert_int_equal(scene_count(&scene, OUTCOME_KEPT_LIVE), 2);
    assert_int_equal(scene_count(&scene, OUTCOME_WRITTEN), 10);
    assert_true(scene_notes(&scene, "a", SLUICE_ERROR_LEFT));
    assert_false(scene_notes(&scene, "e0", SLUICE_ERROR_LEFT));
    scene_reconciles(&scene);
    scene_done(&scene);
}

static void it_stays_alone_when_the_second_run_is_superseded_too(void **state)
{
    struct scene scene;
    begin(&scene);
    scene_ran(&scene, 0);
    scene_put(&scene, "items", "a", "{\"n\":2,\"mine\":true}");
    supersede(&scene, BY_TEN, "job.1", "job.2");
    scene_ran(&scene, 8);
    supersede(&scene, BY_HUNDRED, "job.2", "job.3");
    scene_ran(&scene, 8);
    scene_holds(&scene, "items", "a", "{\"n\":2,\"mine\":true}");
    scene_holds(&scene, "items", "b", "{\"n\":200}");
    scene_expires(&scene, "items", "b", LATER);
    scene_holds(&scene, "items", "c", "{\"n\":300,\"drop\":true}");
    scene_reconciles(&scene);
    scene_done(&scene);
}

/* Only the notes of the first run name it. */
static void it_stays_alone_although_the_second_run_never_came_to_it(void **state)
{
    struct scene scene;
    struct process process;
    begin(&scene);
    scene_ran(&scene, 0);
    scene_put(&scene, "items", "a", "{\"n\":2,\"mine\":true}");
    supersede(&scene, BY_TEN, "job.1", "job.1");
    scene_plan(&scene);
    scene_taken_back(&scene, 8);
    scene.run = "job.2";
    process_begin(&process, &scene, JOB_FORWARD);
    process_die(&process);
    supersede(&scene, BY_HUNDRED, "job.2", "job.3");
    scene_ran(&scene, 8);
    scene_holds(&scene, "items", "a", "{\"n\":2,\"mine\":true}");
    scene_holds(&scene, "items", "c", "{\"n\":300,\"drop\":true}");
    assert_int_equal(scene_count(&scene, OUTCOME_KEPT_LIVE), 1);
    scene_done(&scene);
}

static void one_rollback_of_the_new_run_brings_back_what_stood_before_both(void **state)
{
    struct scene scene;
    begin(&scene);
    g_autofree char *before = scene_image(&scene, "items");
    scene_ran(&scene, 0);
    supersede(&scene, BY_TEN, "job.1", "job.2");
    scene_ran(&scene, 0);
    scene_taken_back(&scene, 0);
    g_autofree char *after = scene_image(&scene, "items");
    assert_string_equal(before, after);
    scene_done(&scene);
}

static void a_fill_is_taken_back_and_filled_again(void **state)
{
    struct scene scene;
    scene_init(&scene, FILL, TWICE);
    scene_put(&scene, "origin", "a", "{\"n\":1}");
    scene_put(&scene, "origin", "b", "{\"n\":2}");
    scene_put(&scene, "items", "z", "{\"n\":9}");
    scene_ran(&scene, 0);
    scene_put(&scene, "items", "b", "{\"n\":4,\"mine\":true}");
    supersede(&scene, BY_TEN, "job.1", "job.2");
    scene_ran(&scene, 8);
    scene_ran(&scene, 8);
    scene_holds(&scene, "items", "a", "{\"n\":10}");
    scene_holds(&scene, "items", "b", "{\"n\":4,\"mine\":true}");
    scene_holds(&scene, "items", "z", "{\"n\":9}");
    is(&scene, "job.1", RUN_ROLLED_BACK, "superseded by job.2");
    scene_done(&scene);
}

static void what_cannot_be_superseded_is_refused_by_name(void **state)
{
    struct scene scene;
    struct process process;
    begin(&scene);
    scene_plan(&scene);
    scene_file(&scene, "t.lua", BY_TEN);
    scene.supersede = "job.1";
    refused(&scene, 7, "job.1 has written nothing; drop it with `sluice abort job.1`");
    scene.supersede = "jbo.1";
    refused(&scene, 9, "job.1");
    scene_file(&scene, "t.lua", TWICE);
    scene.supersede = "job.1";
    refused(&scene, 7, "job.1 is a run of this very plan");
    process_begin(&process, &scene, JOB_FORWARD);
    scene_file(&scene, "t.lua", BY_TEN);
    refused(&scene, 7, "job.1");
    process_done(&process);
    scene.supersede = NULL;
    refused(&scene, 7, "--supersede job.1");
    refused(&scene, 7, "`sluice rollback job.1`");
    process_begin_small(&process, &scene, JOB_BACK, 1);
    process_until(&process, 0, OP_CAS);
    process_die(&process);
    refused(&scene, 7, "`sluice rollback job.1`");
    scene.supersede = "job.1";
    refused(&scene, 7, "a rollback of it has begun; finish it with `sluice rollback job.1`");
    scene_taken_back(&scene, 0);
    refused(&scene, 7, "job.1 is rolled back: nothing of it stands");
    scene_done(&scene);
}

static void a_run_on_another_dataset_is_not_superseded(void **state)
{
    struct scene scene;
    scene_init(&scene, FILL, TWICE);
    scene_put(&scene, "origin", "a", "{\"n\":1}");
    scene_ran(&scene, 0);
    scene_file(&scene, "job.yaml",
               "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: origin }\ntransform: { lua: t.lua }\n"
               "target: { store: \"mem:s\", dataset: elsewhere }\n");
    scene.supersede = "job.1";
    refused(&scene, 7, "only a run on the same dataset can be superseded");
    scene_holds(&scene, "items", "a", "{\"n\":2}");
    is(&scene, "job.1", RUN_DONE, NULL);
    scene_done(&scene);
}

/* Keys that nobody can take back would be transformed a second time. */
static void a_run_whose_log_is_damaged_is_not_superseded(void **state)
{
    struct scene scene;
    begin(&scene);
    scene_ran(&scene, 0);
    g_autofree char *path = g_build_filename(scene.home, "undo", "job.1", "000001.undo", NULL);
    g_autofree char *before = scene_image(&scene, "items");
    kit_damage(path);
    supersede(&scene, BY_TEN, "job.1", "job.1");
    refused(&scene, 7, "damaged");
    g_autofree char *after = scene_image(&scene, "items");
    assert_string_equal(before, after);
    scene_done(&scene);
}

static void a_planned_run_leaves_the_other_as_it_was_until_it_runs(void **state)
{
    struct scene scene;
    begin(&scene);
    scene_ran(&scene, 0);
    g_autofree char *before = scene_image(&scene, "items");
    supersede(&scene, BY_TEN, "job.1", "job.1");
    scene_plan(&scene);
    g_autofree char *after = scene_image(&scene, "items");
    assert_string_equal(before, after);
    is(&scene, "job.1", RUN_DONE, NULL);
    scene_taken_back(&scene, 0);
    supersede(&scene, BY_TEN, NULL, "job.2");
    scene_ran(&scene, 0);
    by_ten(&scene);
    scene_done(&scene);
}

static void files_that_were_written_are_removed_and_written_anew(void **state)
{
    struct scene scene;
    scene_init(&scene,
               "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: origin }\ntransform: { lua: t.lua }\n"
               "target: { store: \"file:out\", dataset: \"o-*.ndjson\" }\n",
               TWICE);
    scene_put(&scene, "origin", "a", "{\"n\":1}");
    scene_ran(&scene, 0);
    supersede(&scene, BY_TEN, "job.1", "job.2");
    scene_ran(&scene, 0);
    is(&scene, "job.1", RUN_ROLLED_BACK, "superseded by job.2; its files are removed");
    is(&scene, "job.2", RUN_DONE, NULL);
    scene_done(&scene);
}

static void wish_abort(struct scene *scene)
{
    GError *error = NULL;
    auto_(catalog) catalog = NULL;
    auto_(arena) mem = arena_new(1 << 20);
    struct wish wish = {.kind = WISH_ABORT, .act = {.actor = "ann@desk"}};
    int64_t id;
    kit_ok(catalog_open(&catalog, &scene->fake.world, scene->home, CATALOG_EXISTING, &error));
    kit_ok(catalog_wish_add(catalog, scene_row(scene, mem).id, &wish, &id, &error));
}

/* Behind a look at it, of which its chains stay: whoever looks again is told so. */
static void a_run_whose_log_was_damaged_since_it_was_looked_into_is_not_superseded(void **state)
{
    struct scene scene;
    begin(&scene);
    scene_ran(&scene, 0);
    supersede(&scene, BY_TEN, "job.1", "job.2");
    scene_plan(&scene);
    wish_abort(&scene);
    scene.lifts_nothing = true;
    refused(&scene, 3, "aborted");
    g_autofree char *path = g_build_filename(scene.home, "undo", "job.1", "000001.undo", NULL);
    kit_damage(path);
    refused(&scene, 7, "its undo log is damaged, since it was looked into first; take back what can be");
    is(&scene, "job.1", RUN_DONE, NULL);
    scene.run = "job.1";
    scene_taken_back(&scene, 8);
    scene_done(&scene);
}

static void one_that_is_aborted_before_it_begins_says_how_the_other_stands(void **state)
{
    for (int begun = 0; begun < 2; begun++) {
        struct scene scene;
        struct process process;
        begin(&scene);
        scene_ran(&scene, 0);
        supersede(&scene, BY_TEN, "job.1", "job.1");
        scene_plan(&scene);
        if (begun) {
            process_begin_small(&process, &scene, JOB_BACK, 2);
            process_until(&process, 0, OP_CHECKPOINT);
            process_die(&process);
        }
        supersede(&scene, BY_TEN, NULL, "job.2");
        wish_abort(&scene);
        scene.lifts_nothing = true;
        refused(&scene, 3,
                begun ? "aborted; job.1 stands in part: `sluice rollback job.1` takes it back"
                      : "aborted; job.1 stands as it was: `sluice rollback job.1` takes it back");
        is(&scene, "job.2", RUN_ABORTED, NULL);
        scene.run = "job.1";
        scene_taken_back(&scene, 0);
        scene_done(&scene);
    }
}

/* … since the look into it when the other was planned. */
static void what_did_not_come_back_whole_is_not_transformed_again(void **state)
{
    struct scene scene;
    begin(&scene);
    scene_ran(&scene, 0);
    supersede(&scene, BY_TEN, "job.1", "job.1");
    scene_plan(&scene);
    g_autofree char *path = g_build_filename(scene.home, "undo", "job.1", "000001.undo", NULL);
    kit_damage(path);
    supersede(&scene, BY_TEN, NULL, "job.2");
    refused(&scene, 7, "job.1, which it supersedes, could not be taken back whole (superseded by job.2; ");
    is(&scene, "job.1", RUN_ROLLED_BACK, NULL);
    assert_int_equal(scene_count(&scene, OUTCOME_WRITTEN), 0);
    scene_done(&scene);
}

/* Nobody knows of which keys they were. */
static void notes_that_cannot_be_read_may_name_what_is_to_be_left_alone(void **state)
{
    struct scene scene;
    begin(&scene);
    scene_ran(&scene, 0);
    scene_put(&scene, "items", "a", "{\"n\":2,\"mine\":true}");
    supersede(&scene, BY_TEN, "job.1", "job.1");
    scene_plan(&scene);
    scene_taken_back(&scene, 8);
    g_autofree char *path = g_build_filename(scene.home, "reports", "job.1", "notes.ndjson", NULL);
    kit_damage(path);
    scene.supersede = NULL;
    scene.run = "job.2";
    refused(&scene, 6, "lines of it are damaged, and they may name keys that job.2 must leave alone");
    scene_holds(&scene, "items", "a", "{\"n\":2,\"mine\":true}");
    scene_done(&scene);
}

/* Of a write of which nobody knows whether it was applied, the record may be its result. */
static void what_was_in_doubt_stays_alone(void **state)
{
    struct scene scene;
    struct process process;
    begin(&scene);
    scene_plan(&scene);
    process_begin_small(&process, &scene, JOB_FORWARD, 2);
    process_until(&process, 0, OP_CAS);
    process_step_unheard(&process, 0);
    scene_drop_fences(&scene, process.hold->run.uid);
    process_die(&process);
    scene_put(&scene, "items", "a", "{\"n\":2,\"mine\":true}");
    process_whole(&scene, JOB_FORWARD);
    assert_true(scene_notes(&scene, "a", SLUICE_ERROR_IN_DOUBT));
    supersede(&scene, BY_TEN, "job.1", "job.2");
    scene_ran(&scene, 8);
    scene_holds(&scene, "items", "a", "{\"n\":2,\"mine\":true}");
    scene_holds(&scene, "items", "b", "{\"n\":20}");
    scene_done(&scene);
}

static void promote(struct scene *scene, int status)
{
    GError *error = NULL;
    struct run_result result = {0};
    struct store_registry *registry = store_registry_new(&scene->fake.world, scene->ours);
    struct run_config config = scene_config(scene, registry);
    kit_ok(run_promote(&config, scene->run, &result, &error));
    assert_int_equal(result.exit_status, status);
    run_result_done(&result);
    store_registry_free(registry);
}

/* It was never written, so that nothing of the run is in it. */
static void what_a_promotion_passed_over_is_transformed_as_any_other(void **state)
{
    struct scene scene;
    begin(&scene);
    g_autoptr(GString) spec = g_string_new(SAME_DATASET);
    g_string_replace(spec, "dataset: items }\npart", "dataset: items, write: shadow }\npart", 1);
    scene_file(&scene, "job.yaml", spec->str);
    scene_ran(&scene, 3);
    scene_put(&scene, "items", "a", "{\"n\":5}");
    promote(&scene, 8);
    assert_true(scene_notes(&scene, "a", SLUICE_ERROR_PASSED_OVER));
    supersede(&scene, BY_TEN, "job.1", "job.2");
    scene_ran(&scene, 3);
    promote(&scene, 0);
    scene_holds(&scene, "items", "a", "{\"n\":50}");
    scene_holds(&scene, "items", "e8", "{\"n\":70}");
    scene_done(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_transform_that_is_not_idempotent_is_applied_once),
        cmocka_unit_test(it_is_byte_for_byte_a_rollback_and_a_run),
        cmocka_unit_test(the_very_same_command_again_changes_nothing),
        cmocka_unit_test(a_run_that_was_killed_in_the_middle_is_superseded_whole),
        cmocka_unit_test(a_death_while_the_other_run_is_taken_back_is_mended_by_a_plain_run),
        cmocka_unit_test(the_other_run_does_not_go_on_while_it_is_to_be_superseded),
        cmocka_unit_test(what_the_application_wrote_since_is_kept_live_and_noted),
        cmocka_unit_test(it_stays_alone_when_the_second_run_is_superseded_too),
        cmocka_unit_test(it_stays_alone_although_the_second_run_never_came_to_it),
        cmocka_unit_test(one_rollback_of_the_new_run_brings_back_what_stood_before_both),
        cmocka_unit_test(a_fill_is_taken_back_and_filled_again),
        cmocka_unit_test(what_cannot_be_superseded_is_refused_by_name),
        cmocka_unit_test(a_run_on_another_dataset_is_not_superseded),
        cmocka_unit_test(a_run_whose_log_is_damaged_is_not_superseded),
        cmocka_unit_test(a_run_whose_log_was_damaged_since_it_was_looked_into_is_not_superseded),
        cmocka_unit_test(a_planned_run_leaves_the_other_as_it_was_until_it_runs),
        cmocka_unit_test(files_that_were_written_are_removed_and_written_anew),
        cmocka_unit_test(one_that_is_aborted_before_it_begins_says_how_the_other_stands),
        cmocka_unit_test(what_did_not_come_back_whole_is_not_transformed_again),
        cmocka_unit_test(notes_that_cannot_be_read_may_name_what_is_to_be_left_alone),
        cmocka_unit_test(what_was_in_doubt_stays_alone),
        cmocka_unit_test(what_a_promotion_passed_over_is_transformed_as_any_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
