/* Taking back: what the application wrote since stays, and nothing of ours comes late. */
#include "interleavings/specs.h"
#include "kit/scene.h"

#define OVERWRITE_FOR(time) ELSEWHERE(", write: in-place, conflict: overwrite, expires: " time)

static void begin(struct scene *scene)
{
    scene_init(scene, SAME_DATASET, ONCE_MORE);
    scene_put(scene, "items", "a", "{\"n\":1,\"times\":0}");
    scene_put(scene, "items", "b", "{\"n\":2,\"times\":0}");
}

/* Written, none of it verified: fences and lanes stand. */
static void written(struct scene *scene)
{
    struct process process;
    begin(scene);
    process_first(&process, scene);
    process_done(&process);
}

static void as_before(struct scene *scene)
{
    scene_holds(scene, "items", "a", "{\"n\":1,\"times\":0}");
    scene_holds(scene, "items", "b", "{\"n\":2,\"times\":0}");
}

static void fenced(struct scene *scene, struct late *late)
{
    late_send(scene, late, "items");
    for (size_t i = 0; i < late->n; i++)
        assert_int_equal(late->ops[i].outcome, CAS_FENCED);
    late_done(late);
}

static void a_late_write_of_a_dead_worker_finds_its_lane_closed_by_the_rollback(void **state)
{
    struct scene scene;
    struct process process;
    struct late late;
    begin(&scene);
    process_first(&process, &scene);
    late_copy(&late, process_until(&process, 0, OP_CAS));
    process_die(&process);
    process_begin(&process, &scene, JOB_BACK);
    fenced(&scene, &late);
    process_done(&process);
    as_before(&scene);
    scene_done(&scene);
}

/* Of a worker that did not die: its request was lost on the way, it sent the write under another number, and came to
 * its end. The rollback brings the old content back, for which the lost request still waits. */
static void a_request_that_was_lost_before_its_partition_was_written_does_not_arrive_after_the_rollback(void **state)
{
    struct scene scene;
    struct process process;
    struct late late;
    begin(&scene);
    process_first(&process, &scene);
    late_copy(&late, process_until(&process, 0, OP_CAS));
    process_drop(&process, 0);
    process_done(&process);
    scene_holds(&scene, "items", "a", "{\"n\":1,\"times\":1}");
    process_whole(&scene, JOB_BACK);
    as_before(&scene);
    late_send(&scene, &late, "items");
    assert_int_not_equal(late.ops[0].outcome, CAS_WRITTEN); /* settled: the number is behind the lane's base */
    as_before(&scene);
    late_done(&late);
    scene_done(&scene);
}

static void a_late_write_of_a_dead_rollback_is_fenced(void **state)
{
    struct scene scene;
    struct process process;
    struct late late;
    written(&scene);
    process_begin(&process, &scene, JOB_BACK);
    late_copy(&late, process_until(&process, 0, OP_CAS));
    process_die(&process);
    process_whole(&scene, JOB_BACK);
    as_before(&scene);
    scene_put(&scene, "items", "a", "{\"n\":1,\"times\":1}"); /* the very content that the late write waits for */
    fenced(&scene, &late);
    scene_holds(&scene, "items", "a", "{\"n\":1,\"times\":1}");
    scene_done(&scene);
}

static void what_the_application_wrote_since_is_left_and_listed(void **state)
{
    struct scene scene;
    begin(&scene);
    scene_ran(&scene, 0);
    scene_put(&scene, "items", "a", "{\"n\":1,\"times\":1,\"mine\":true}");
    scene_taken_back(&scene, 8);
    scene_holds(&scene, "items", "a", "{\"n\":1,\"times\":1,\"mine\":true}");
    scene_holds(&scene, "items", "b", "{\"n\":2,\"times\":0}");
    assert_int_equal(scene_count(&scene, OUTCOME_LEFT), 1);
    assert_int_equal(scene_count(&scene, OUTCOME_RESTORED), 1);
    assert_true(scene_notes(&scene, "a", SLUICE_ERROR_LEFT));
    assert_false(scene_notes(&scene, "b", SLUICE_ERROR_LEFT));
    scene_done(&scene);
}

static void what_the_application_deleted_since_does_not_rise_again(void **state)
{
    struct scene scene;
    begin(&scene);
    scene_ran(&scene, 0);
    scene_remove(&scene, "items", "a");
    scene_taken_back(&scene, 8);
    scene_holds(&scene, "items", "a", NULL);
    assert_int_equal(scene_count(&scene, OUTCOME_LEFT), 1);
    scene_done(&scene);
}

static void an_expiry_that_the_application_changed_is_its_write(void **state)
{
    struct scene scene;
    begin(&scene);
    scene_ran(&scene, 0);
    scene_put_until(&scene, "items", "a", "{\"n\":1,\"times\":1}", INT64_C(4102444800000));
    scene_taken_back(&scene, 8);
    scene_holds(&scene, "items", "a", "{\"n\":1,\"times\":1}");
    scene_expires(&scene, "items", "a", INT64_C(4102444800000));
    scene_done(&scene);
}

/* Between the rollback's look and its write. */
static void what_the_application_writes_under_the_rollback_stands(void **state)
{
    struct scene scene;
    struct process process;
    written(&scene);
    process_begin(&process, &scene, JOB_BACK);
    process_until(&process, 0, OP_CAS);
    scene_put(&scene, "items", "a", "{\"mine\":true}");
    process_done(&process);
    scene_holds(&scene, "items", "a", "{\"mine\":true}");
    scene_holds(&scene, "items", "b", "{\"n\":2,\"times\":0}");
    assert_int_equal(scene_count(&scene, OUTCOME_LEFT), 1);
    scene_done(&scene);
}

/* Written by the rollback, which dies; the application writes; the resumed rollback does not take its own for missing.
 */
static void what_the_application_writes_between_a_killed_rollback_and_its_resume_stands(void **state)
{
    struct scene scene;
    struct process process;
    written(&scene);
    process_begin(&process, &scene, JOB_BACK);
    process_until(&process, 0, OP_CAS);
    process_step(&process, 0);
    process_die(&process);
    scene_put(&scene, "items", "a", "{\"n\":1,\"times\":1}"); /* what the run had left: no longer ours */
    process_whole(&scene, JOB_BACK);
    scene_holds(&scene, "items", "a", "{\"n\":1,\"times\":1}");
    scene_holds(&scene, "items", "b", "{\"n\":2,\"times\":0}");
    scene_done(&scene);
}

/* --- expiry
 * ------------------------------------------------------------------------------------------------------------- */

static void a_pre_image_whose_expiry_has_passed_meanwhile_is_deleted(void **state)
{
    struct scene scene;
    scene_init(&scene,
               "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: items }\ntransform: { lua: t.lua }\n"
               "target: { store: \"mem:s\", dataset: items, expires: never }\nworkers: 1\n",
               ONCE_MORE);
    int64_t until = scene.fake.wall_ms + 3600000;
    scene_put_until(&scene, "items", "a", "{\"n\":1,\"times\":0}", until);
    scene_put(&scene, "items", "b", "{\"n\":2,\"times\":0}");
    scene_ran(&scene, 0);
    scene_holds(&scene, "items", "a", "{\"n\":1,\"times\":1}");
    scene_expires(&scene, "items", "a", EXPIRES_NEVER);
    scene.fake.wall_ms = until;
    scene_taken_back(&scene, 0);
    scene_holds(&scene, "items", "a", NULL);
    scene_holds(&scene, "items", "b", "{\"n\":2,\"times\":0}");
    assert_int_equal(scene_count(&scene, OUTCOME_RESTORED), 2);
    scene_done(&scene);
}

static void an_absolute_expiry_comes_back_to_the_millisecond(void **state)
{
    struct scene scene;
    scene_init(&scene, SAME_DATASET, ONCE_MORE);
    int64_t until = scene.fake.wall_ms + 3600001;
    scene_put_until(&scene, "items", "a", "{\"n\":1,\"times\":0}", until);
    scene_ran(&scene, 0);
    scene.fake.wall_ms += 1800000;
    scene_taken_back(&scene, 0);
    scene_expires(&scene, "items", "a", until);
    scene_done(&scene);
}

static void what_expired_before_the_rollback_needs_nothing(void **state)
{
    struct scene scene;
    scene_init(&scene, SAME_DATASET, ONCE_MORE);
    scene_put_until(&scene, "items", "a", "{\"n\":1,\"times\":0}", scene.fake.wall_ms + 3600000);
    scene_ran(&scene, 0);
    scene.fake.wall_ms += 3600000;
    scene_taken_back(&scene, 0);
    scene_holds(&scene, "items", "a", NULL);
    scene_done(&scene);
}

/* By then it is a deletion, which nobody but the run has made. */
static void what_a_run_gave_an_expiry_that_had_passed_comes_back(void **state)
{
    static const char *const PASSED[] = {
        "2001-01-01T00:00:00Z",        "1970-01-01T00:00:00Z",        /* not for ever, */
        "1970-01-01T00:00:00.000900Z", "1969-12-31T23:59:59.999900Z", /* nor what is as good as that */
        "1912-04-15T00:00:00Z",
    };
    for (size_t i = 0; i < G_N_ELEMENTS(PASSED); i++) {
        struct scene scene;
        g_autofree char *passed = g_strdup_printf("{\"until\":\"%s\"}", PASSED[i]);
        scene_init(&scene,
                   "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: items }\n"
                   "target: { store: \"mem:s\", dataset: items, expires: { from: until } }\nworkers: 1\n",
                   NULL);
        scene_put(&scene, "items", "a", passed);
        scene_put(&scene, "items", "b", "{\"until\":\"2100-01-01T00:00:00Z\"}");
        scene_ran(&scene, 0);
        scene_holds(&scene, "items", "a", NULL);
        scene_expires(&scene, "items", "b", INT64_C(4102444800000));
        assert_int_equal(scene_count(&scene, OUTCOME_DELETED), 1);
        scene_taken_back(&scene, 0);
        scene_holds(&scene, "items", "a", passed);
        scene_holds(&scene, "items", "b", "{\"until\":\"2100-01-01T00:00:00Z\"}");
        assert_int_equal(scene_count(&scene, OUTCOME_RESTORED), 2);
        scene_done(&scene);
    }
}

/* A run that is held up for longer than its records are to live: those that it comes to afterwards. */
static void what_has_expired_while_the_run_stood_still_comes_back(void **state)
{
    struct scene scene;
    scene_init(&scene, OVERWRITE_FOR("1h"), ONCE_MORE);
    scene_put(&scene, "origin", "a", "{\"times\":1}");
    scene_put(&scene, "origin", "b", "{\"times\":1}");
    scene_put(&scene, "items", "a", "{\"times\":0}");
    scene_plan(&scene);
    scene.fake.wall_ms += 2 * 3600 * 1000;
    process_whole(&scene, JOB_FORWARD);
    scene_holds(&scene, "items", "a", NULL);
    scene_holds(&scene, "items", "b", NULL);
    assert_int_equal(scene_count(&scene, OUTCOME_DELETED), 1);
    assert_int_equal(scene_count(&scene, OUTCOME_UNCHANGED), 1);
    process_whole(&scene, JOB_BACK);
    scene_holds(&scene, "items", "a", "{\"times\":0}");
    scene_holds(&scene, "items", "b", NULL);
    scene_done(&scene);
}

/* --- chains
 * ------------------------------------------------------------------------------------------------------------- */

/* Lane 1 writes, the source changes, lane 2 writes over it: one chain, whose beginning goes back. */
static void what_several_lanes_wrote_over_each_other_goes_back_to_the_beginning(void **state)
{
    struct scene scene;
    struct process process;
    scene_init(&scene, OVERWRITE, ONCE_MORE);
    scene_put(&scene, "items", "a", "{\"before\":true}");
    scene_put(&scene, "origin", "a", "{\"n\":1,\"times\":0}");
    scene_plan(&scene);
    for (int n = 2; n < 5; n++) {
        g_autofree char *json = g_strdup_printf("{\"n\":%d,\"times\":0}", n);
        process_begin(&process, &scene, JOB_FORWARD);
        process_until(&process, 0, OP_LOOK);
        process_die(&process);
        scene_put(&scene, "origin", "a", json);
    }
    process_whole(&scene, JOB_FORWARD);
    scene_holds(&scene, "items", "a", "{\"n\":4,\"times\":1}");
    process_whole(&scene, JOB_BACK);
    scene_holds(&scene, "items", "a", "{\"before\":true}");
    scene_done(&scene);
}

/* … with a write of the application between two of ours: back to that one, never behind it. */
static void a_chain_goes_back_to_what_the_application_wrote_in_its_middle(void **state)
{
    struct scene scene;
    struct process process;
    scene_init(&scene, OVERWRITE, ONCE_MORE);
    scene_put(&scene, "items", "a", "{\"before\":true}");
    scene_put(&scene, "origin", "a", "{\"n\":1,\"times\":0}");
    process_first(&process, &scene);
    process_until(&process, 0, OP_LOOK);
    process_die(&process);
    scene_put(&scene, "items", "a", "{\"mine\":true}");
    process_whole(&scene, JOB_FORWARD);
    scene_holds(&scene, "items", "a", "{\"n\":1,\"times\":1}");
    process_whole(&scene, JOB_BACK);
    scene_holds(&scene, "items", "a", "{\"mine\":true}");
    scene_done(&scene);
}

/* Logged upon nothing, and written upon nothing again: another partition has written the key meanwhile, and taken it
 * away. */
static void what_was_logged_first_and_written_last_is_taken_back(void **state)
{
    struct scene scene;
    struct process process;
    scene_init(&scene, KEYED_BY_FIELD(", write: in-place, conflict: overwrite"),
               "function transform(doc, ctx)\n  if doc.gone then return ctx.delete() end\n  return doc\nend\n");
    for (int i = 0; i < 4; i++) {
        g_autofree char *key = g_strdup_printf("a%d", i), *json = g_strdup_printf("{\"to\":\"x%d\"}", i);
        scene_put(&scene, "origin", key, json);
    }
    scene_put(&scene, "origin", "b0", "{\"to\":\"x0\",\"n\":1}");
    scene_put(&scene, "origin", "b1", "{\"to\":\"x0\",\"gone\":true}");
    scene_plan(&scene);
    process_begin_small(&process, &scene, JOB_FORWARD, 1);
    process_until(&process, 0, OP_CAS);
    process_finish(&process, 1);
    process_done(&process);
    scene_holds(&scene, "items", "x0", "{\"to\":\"x0\"}");
    process_whole(&scene, JOB_BACK);
    scene_holds(&scene, "items", "x0", NULL);
    scene_done(&scene);
}

/* Two partitions want one key, and the application writes between the two. */
static void a_chain_crosses_partitions(void **state)
{
    static const char *const KEYS[] = {"a", "b", "c", "d", "e"};
    struct scene scene;
    struct process process;
    scene_init(&scene, KEYED_BY_FIELD(", write: in-place, conflict: overwrite"), ONCE_MORE);
    for (int i = 0; i < 5; i++) {
        g_autofree char *json = g_strdup_printf("{\"to\":\"one\",\"n\":%d,\"times\":0}", i);
        scene_put(&scene, "origin", KEYS[i], json);
    }
    scene_put(&scene, "items", "one", "{\"before\":true}");
    process_first(&process, &scene);
    process_until(&process, 0, OP_CHECKPOINT); /* a to d; e is the other partition's */
    scene_put(&scene, "items", "one", "{\"mine\":true}");
    process_finish(&process, 1);
    process_done(&process);
    scene_holds(&scene, "items", "one", "{\"to\":\"one\",\"n\":4,\"times\":1}");
    process_whole(&scene, JOB_BACK);
    scene_holds(&scene, "items", "one", "{\"mine\":true}");
    scene_done(&scene);
}

/* --- damage
 * ------------------------------------------------------------------------------------------------------------- */

/* One bit of the first entry's key is another. */
static void flip_a_bit(struct scene *scene, const char *segment)
{
    g_autofree char *path = g_build_filename(scene->home, "undo", "job.1", segment, NULL);
    kit_damage(path);
}

static void cut_the_end(struct scene *scene, const char *segment)
{
    g_autofree char *path = g_build_filename(scene->home, "undo", "job.1", segment, NULL);
    g_autofree char *bytes = NULL;
    gsize len;
    assert_true(g_file_get_contents(path, &bytes, &len, NULL));
    assert_true(g_file_set_contents(path, bytes, (gssize)len - 9, NULL));
}

static void what_a_damaged_log_does_not_tell_is_not_repaired_a_second_time(void **state)
{
    struct scene scene;
    struct process process;
    struct ended ended;
    begin(&scene);
    for (int i = 0; i < 40; i++) {
        g_autofree char *key = g_strdup_printf("k%02d", i);
        scene_put(&scene, "items", key, "{\"n\":3,\"times\":0}");
    }
    process_first(&process, &scene);
    process_until(&process, 0, OP_CAS);
    process_step(&process, 0);
    process_die(&process);
    flip_a_bit(&scene, "000001.undo");
    process_begin(&process, &scene, JOB_FORWARD);
    process_fails(&process, 0, CORRUPT);
    process_die(&process);
    scene_holds(&scene, "items", "a", "{\"n\":1,\"times\":1}");
    scene_holds(&scene, "items", "b", "{\"n\":2,\"times\":1}");
    scene_back(&scene, &ended);
    assert_int_equal(ended.status, 8);
    assert_non_null(strstr(ended.text, "damaged"));
    ended_done(&ended);
    scene_done(&scene);
}

/* What a kill tears off the end was never sent. */
static void a_torn_end_of_the_log_is_no_loss(void **state)
{
    struct scene scene;
    struct process process;
    begin(&scene);
    process_first(&process, &scene);
    process_until(&process, 0, OP_CAS);
    process_die(&process);
    cut_the_end(&scene, "000001.undo");
    process_whole(&scene, JOB_FORWARD);
    scene_holds(&scene, "items", "a", "{\"n\":1,\"times\":1}");
    scene_holds(&scene, "items", "b", "{\"n\":2,\"times\":1}");
    process_whole(&scene, JOB_BACK);
    as_before(&scene);
    scene_done(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_late_write_of_a_dead_worker_finds_its_lane_closed_by_the_rollback),
        cmocka_unit_test(a_request_that_was_lost_before_its_partition_was_written_does_not_arrive_after_the_rollback),
        cmocka_unit_test(a_late_write_of_a_dead_rollback_is_fenced),
        cmocka_unit_test(what_the_application_wrote_since_is_left_and_listed),
        cmocka_unit_test(what_the_application_deleted_since_does_not_rise_again),
        cmocka_unit_test(an_expiry_that_the_application_changed_is_its_write),
        cmocka_unit_test(what_the_application_writes_under_the_rollback_stands),
        cmocka_unit_test(what_the_application_writes_between_a_killed_rollback_and_its_resume_stands),
        cmocka_unit_test(a_pre_image_whose_expiry_has_passed_meanwhile_is_deleted),
        cmocka_unit_test(an_absolute_expiry_comes_back_to_the_millisecond),
        cmocka_unit_test(what_expired_before_the_rollback_needs_nothing),
        cmocka_unit_test(what_a_run_gave_an_expiry_that_had_passed_comes_back),
        cmocka_unit_test(what_has_expired_while_the_run_stood_still_comes_back),
        cmocka_unit_test(what_several_lanes_wrote_over_each_other_goes_back_to_the_beginning),
        cmocka_unit_test(a_chain_goes_back_to_what_the_application_wrote_in_its_middle),
        cmocka_unit_test(a_chain_crosses_partitions),
        cmocka_unit_test(what_was_logged_first_and_written_last_is_taken_back),
        cmocka_unit_test(what_a_damaged_log_does_not_tell_is_not_repaired_a_second_time),
        cmocka_unit_test(a_torn_end_of_the_log_is_no_loss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
