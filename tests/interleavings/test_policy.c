/* The application and the run want the same key at the same time. */
#include "interleavings/specs.h"
#include "kit/scene.h"

static void begin(struct scene *scene, struct process *process, const char *spec)
{
    scene_init(scene, spec, ONCE_MORE);
    scene_put(scene, "items", "k", "{\"n\":1,\"times\":0}");
    scene_put(scene, "origin", "k", "{\"n\":100,\"times\":0}");
    process_first(process, scene);
}

/* --- the same dataset
 * --------------------------------------------------------------------------------------------------- */

static void a_write_between_scan_and_cas_is_kept_and_repaired_once(void **state)
{
    struct scene scene;
    struct process process;
    begin(&scene, &process, SAME_DATASET);
    process_until(&process, 0, OP_CAS);
    scene_put(&scene, "items", "k", "{\"n\":2,\"times\":0}");
    process_done(&process);
    scene_holds(&scene, "items", "k", "{\"n\":2,\"times\":1}");
    assert_int_equal(scene_count(&scene, OUTCOME_WRITTEN), 1);
    assert_int_equal(scene_count(&scene, OUTCOME_RETRIED), 1);
    scene_taken_back(&scene, 0);
    scene_holds(&scene, "items", "k", "{\"n\":2,\"times\":0}");
    scene_done(&scene);
}

/* How many keys that had been read went since, by why. */
static void vanished(struct scene *scene, uint64_t removed, uint64_t expired)
{
    assert_int_equal(scene_count(scene, OUTCOME_REMOVED), removed);
    assert_int_equal(scene_count(scene, OUTCOME_EXPIRED), expired);
}

static void a_delete_between_scan_and_cas_is_not_undone(void **state)
{
    struct scene scene;
    struct process process;
    begin(&scene, &process, SAME_DATASET);
    process_until(&process, 0, OP_CAS);
    scene_remove(&scene, "items", "k");
    process_done(&process);
    scene_holds(&scene, "items", "k", NULL);
    assert_int_equal(scene_count(&scene, OUTCOME_KEPT_LIVE), 1);
    vanished(&scene, 1, 0);
    scene_done(&scene);
}

static void a_key_that_is_deleted_long_before_its_expiry_has_not_expired(void **state)
{
    struct scene scene;
    struct process process;
    scene_init(&scene, SAME_DATASET, ONCE_MORE);
    scene_put_until(&scene, "items", "k", "{\"n\":1,\"times\":0}", scene.fake.wall_ms + 60000);
    process_first(&process, &scene);
    process_until(&process, 0, OP_CAS);
    scene_remove(&scene, "items", "k");
    process_done(&process);
    vanished(&scene, 1, 0);
    scene_done(&scene);
}

static void a_key_that_is_deleted_and_written_anew_is_repaired_once(void **state)
{
    struct scene scene;
    struct process process;
    begin(&scene, &process, SAME_DATASET);
    process_until(&process, 0, OP_CAS);
    scene_remove(&scene, "items", "k");
    scene_put(&scene, "items", "k", "{\"n\":5,\"times\":0}");
    process_done(&process);
    scene_holds(&scene, "items", "k", "{\"n\":5,\"times\":1}");
    scene_done(&scene);
}

/* A record that left and came back in between is the record that was read: nothing is lost by writing over it. */
static void a_record_that_changed_and_changed_back_is_the_record_that_was_read(void **state)
{
    struct scene scene;
    struct process process;
    begin(&scene, &process, SAME_DATASET);
    process_until(&process, 0, OP_CAS);
    scene_put(&scene, "items", "k", "{\"n\":2,\"times\":0}");
    scene_put(&scene, "items", "k", "{\"n\":1,\"times\":0}");
    process_done(&process);
    scene_holds(&scene, "items", "k", "{\"n\":1,\"times\":1}");
    scene_taken_back(&scene, 0);
    scene_holds(&scene, "items", "k", "{\"n\":1,\"times\":0}");
    scene_done(&scene);
}

/* A (read) → B (ours) → A (the application's): by content nobody could tell that it was done; the numbers can. */
static void a_record_that_the_application_puts_back_after_our_write_is_not_repaired_again(void **state)
{
    struct scene scene;
    struct process process;
    begin(&scene, &process, SAME_DATASET);
    process_until(&process, 0, OP_CAS);
    process_step(&process, 0);
    process_die(&process); /* before the outcome is logged */
    scene_put(&scene, "items", "k", "{\"n\":1,\"times\":0}");
    process_whole(&scene, JOB_FORWARD);
    scene_holds(&scene, "items", "k", "{\"n\":1,\"times\":0}");
    assert_int_equal(scene_count(&scene, OUTCOME_WRITTEN), 1);
    scene_done(&scene);
}

static void a_change_between_a_kill_and_the_resume_is_kept_and_not_repaired_twice(void **state)
{
    struct scene scene;
    struct process process;
    begin(&scene, &process, SAME_DATASET);
    process_until(&process, 0, OP_CAS);
    process_step(&process, 0);
    process_die(&process);
    scene_put(&scene, "items", "k", "{\"n\":1,\"times\":1,\"mine\":true}"); /* on top of ours */
    process_whole(&scene, JOB_FORWARD);
    scene_holds(&scene, "items", "k", "{\"n\":1,\"times\":1,\"mine\":true}");
    scene_done(&scene);
}

static void only_the_expiry_changes_and_is_kept(void **state)
{
    struct scene scene;
    struct process process;
    begin(&scene, &process, SAME_DATASET);
    process_until(&process, 0, OP_CAS);
    scene_put_until(&scene, "items", "k", "{\"n\":1,\"times\":0}", INT64_C(4102444800000));
    process_done(&process);
    scene_holds(&scene, "items", "k", "{\"n\":1,\"times\":1}");
    scene_expires(&scene, "items", "k", INT64_C(4102444800000));
    scene_taken_back(&scene, 0);
    scene_expires(&scene, "items", "k", INT64_C(4102444800000));
    scene_done(&scene);
}

static void a_record_that_expires_between_scan_and_cas_does_not_rise_again(void **state)
{
    struct scene scene;
    struct process process;
    scene_init(&scene, SAME_DATASET, ONCE_MORE);
    scene_put_until(&scene, "items", "k", "{\"n\":1,\"times\":0}", scene.fake.wall_ms + 60000);
    process_first(&process, &scene);
    process_until(&process, 0, OP_CAS);
    scene.fake.wall_ms += 60000;
    process_done(&process);
    scene_holds(&scene, "items", "k", NULL);
    assert_int_equal(scene_count(&scene, OUTCOME_KEPT_LIVE), 1);
    vanished(&scene, 0, 1);
    scene_done(&scene);
}

static void a_hot_key_is_refused_in_the_end_and_its_neighbours_are_not(void **state)
{
    struct scene scene;
    struct process process;
    begin(&scene, &process, SAME_DATASET);
    uint64_t writes = 0;
    for (struct op *op; (op = process_wish(&process, 0))->kind != OP_REFUSE; process_step(&process, 0)) {
        g_autofree char *json = g_strdup_printf("{\"n\":%" PRIu64 ",\"times\":0}", 10 + writes);
        if (op->kind != OP_CAS)
            continue;
        scene_put(&scene, "items", "k", json);
        writes++;
    }
    process_done(&process);
    assert_int_equal(writes, JOB_CONTENDED_AFTER);
    scene_holds(&scene, "items", "k", "{\"n\":25,\"times\":0}");
    assert_int_equal(scene_count(&scene, OUTCOME_REJECTED), 1);
    assert_true(scene_refused(&scene, "k", SLUICE_ERROR_CONTENDED));
    scene_done(&scene);
}

/* --- from elsewhere
 * ----------------------------------------------------------------------------------------------------- */

static void what_the_application_deletes_between_look_and_write_is_not_written_again(void **state)
{
    struct scene scene;
    struct process process;
    begin(&scene, &process, OVERWRITE);
    process_until(&process, 0, OP_CAS);
    process_step(&process, 0); /* changed: now it is known that a record stands there */
    process_until(&process, 0, OP_CAS);
    scene_remove(&scene, "items", "k");
    process_done(&process);
    scene_holds(&scene, "items", "k", NULL);
    assert_int_equal(scene_count(&scene, OUTCOME_KEPT_LIVE), 1);
    vanished(&scene, 1, 0);
    scene_done(&scene);
}

static void what_the_application_fills_in_first_stands(void **state)
{
    struct scene scene;
    struct process process;
    scene_init(&scene, FILL, ONCE_MORE);
    scene_put(&scene, "origin", "k", "{\"n\":100,\"times\":0}");
    process_first(&process, &scene);
    process_until(&process, 0, OP_CAS);
    scene_put(&scene, "items", "k", "{\"n\":3}");
    process_done(&process);
    scene_holds(&scene, "items", "k", "{\"n\":3}");
    assert_int_equal(scene_count(&scene, OUTCOME_KEPT_LIVE), 1);
    scene_taken_back(&scene, 0);
    scene_holds(&scene, "items", "k", "{\"n\":3}");
    scene_done(&scene);
}

/* What was filled, and deleted by the application before the resume, is not filled a second time. */
static void what_was_filled_and_deleted_before_the_resume_stays_deleted(void **state)
{
    struct scene scene;
    struct process process;
    scene_init(&scene, FILL, ONCE_MORE);
    scene_put(&scene, "origin", "k", "{\"n\":100,\"times\":0}");
    process_first(&process, &scene);
    process_until(&process, 0, OP_CAS);
    process_step(&process, 0);
    process_die(&process);
    scene_remove(&scene, "items", "k");
    process_whole(&scene, JOB_FORWARD);
    scene_holds(&scene, "items", "k", NULL);
    assert_int_equal(scene_count(&scene, OUTCOME_WRITTEN), 1);
    scene_done(&scene);
}

/* --- one key, wanted twice
 * ---------------------------------------------------------------------------------------------- */

/* The target's key is a field of the document. */
static void begin_twice(struct scene *scene, const char *spec)
{
    static const char *const KEYS[] = {"a", "aa", "b", "c", "d"};
    scene_init(scene, spec, ONCE_MORE);
    for (int i = 0; i < 5; i++) {
        g_autofree char *json = g_strdup_printf("{\"to\":\"one\",\"n\":%d,\"times\":0}", i + 1);
        scene_put(scene, "origin", KEYS[i], json);
    }
    scene_plan(scene);
}

static void two_records_of_a_batch_want_one_key_and_the_first_fills_it(void **state)
{
    struct scene scene;
    begin_twice(&scene, KEYED_BY_FIELD(""));
    scene_ran(&scene, 8);
    scene_holds(&scene, "items", "one", "{\"to\":\"one\",\"n\":1,\"times\":1}");
    assert_int_equal(scene_count(&scene, OUTCOME_WRITTEN), 1);
    assert_int_equal(scene_count(&scene, OUTCOME_KEPT_LIVE), 4);
    scene_reconciles(&scene);
    scene_taken_back(&scene, 0);
    scene_holds(&scene, "items", "one", NULL);
    scene_done(&scene);
}

/* Each write finds what the one before it left, never an etag that another write of its own batch has used up. */
static void records_of_a_batch_and_of_two_partitions_write_one_key_one_after_the_other(void **state)
{
    struct scene scene;
    struct process process;
    begin_twice(&scene, KEYED_BY_FIELD(", write: in-place, conflict: overwrite"));
    scene_put(&scene, "items", "one", "{\"n\":0}");
    process_begin(&process, &scene, JOB_FORWARD);
    assert_int_equal(process_until(&process, 0, OP_CAS)->cas.n, 1); /* a call takes each key once */
    process_until(&process, 1, OP_CAS);
    for (uint32_t turn = 0; turn < 400; turn++)
        if (process_wish(&process, turn % 2)->kind != OP_END)
            process_step(&process, turn % 2);
    process_done(&process);
    assert_int_equal(scene_count(&scene, OUTCOME_WRITTEN), 5);
    scene_reconciles(&scene);
    scene_taken_back(&scene, 0);
    scene_holds(&scene, "items", "one", "{\"n\":0}");
    scene_done(&scene);
}

/* --- versions
 * ----------------------------------------------------------------------------------------------------------- */

static void versions(struct scene *scene, const char *more)
{
    g_autofree char *spec = g_strdup_printf(FROM_FILES(", write: in-place, %s"), more);
    scene_init(scene, spec, NULL);
    scene_file(scene, "in/a.ndjson",
               "{\"id\":\"absent\",\"at\":5,\"n\":1}\n{\"id\":\"older\",\"at\":5,\"n\":1}\n"
               "{\"id\":\"newer\",\"at\":5,\"n\":1}\n{\"id\":\"same\",\"at\":5,\"n\":1}\n"
               "{\"id\":\"tie\",\"at\":5,\"n\":1}\n{\"id\":\"without\",\"at\":5,\"n\":1}\n");
    scene_put(scene, "items", "older", "{\"at\":4}");
    scene_put(scene, "items", "newer", "{\"at\":6}");
    scene_put(scene, "items", "same", "{\"n\":1.0,\"id\":\"same\",\"at\":5}");
    scene_put(scene, "items", "tie", "{\"at\":5}");
    scene_put(scene, "items", "without", "{\"mine\":true}");
    scene_ran(scene, 8);
    scene_holds(scene, "items", "absent", "{\"id\":\"absent\",\"at\":5,\"n\":1}");
    scene_holds(scene, "items", "older", "{\"id\":\"older\",\"at\":5,\"n\":1}");
    scene_holds(scene, "items", "newer", "{\"at\":6}");
}

static void newer_wins_and_ties_and_what_has_no_version_stay_live(void **state)
{
    struct scene scene;
    versions(&scene, "conflict: newer-wins");
    scene_holds(&scene, "items", "tie", "{\"at\":5}");
    assert_true(scene_notes(&scene, "tie", SLUICE_ERROR_TIE));
    assert_false(scene_notes(&scene, "newer", SLUICE_ERROR_TIE));
    scene_holds(&scene, "items", "without", "{\"mine\":true}");
    assert_int_equal(scene_count(&scene, OUTCOME_WRITTEN), 2);
    assert_int_equal(scene_count(&scene, OUTCOME_KEPT_LIVE), 3);
    scene_done(&scene);
}

static void ties_and_what_has_no_version_are_written_where_the_spec_says_so(void **state)
{
    struct scene scene;
    versions(&scene, "conflict: newer-wins, ties: repair, unversioned: overwrite");
    scene_holds(&scene, "items", "tie", "{\"id\":\"tie\",\"at\":5,\"n\":1}");
    scene_holds(&scene, "items", "without", "{\"id\":\"without\",\"at\":5,\"n\":1}");
    assert_int_equal(scene_count(&scene, OUTCOME_WRITTEN), 4);
    assert_int_equal(scene_count(&scene, OUTCOME_KEPT_LIVE), 1);
    scene_done(&scene);
}

/* The source's deletions: states of a key like any other, and of several the newest counts. */
static void a_deletion_is_ordered_by_its_version(void **state)
{
    struct scene scene;
    scene_init(&scene, FROM_FILES(", write: in-place, conflict: newer-wins") "transform: { lua: t.lua }\n",
               "function transform(doc, ctx) if doc.gone then return ctx.delete() end return doc end\n");
    scene_file(&scene, "in/a.ndjson",
               "{\"id\":\"absent\",\"at\":5,\"gone\":true}\n{\"id\":\"older\",\"at\":5,\"gone\":true}\n"
               "{\"id\":\"newer\",\"at\":5,\"gone\":true}\n{\"id\":\"tie\",\"at\":5,\"gone\":true}\n"
               "{\"id\":\"without\",\"at\":5,\"gone\":true}\n{\"id\":\"went\",\"at\":5}\n"
               "{\"id\":\"went\",\"at\":7,\"gone\":true}\n{\"id\":\"back\",\"at\":7}\n"
               "{\"id\":\"back\",\"at\":5,\"gone\":true}\n");
    scene_put(&scene, "items", "older", "{\"at\":4}");
    scene_put(&scene, "items", "newer", "{\"at\":6}");
    scene_put(&scene, "items", "tie", "{\"at\":5}");
    scene_put(&scene, "items", "without", "{\"mine\":true}");
    scene_put(&scene, "items", "went", "{\"at\":6}");
    scene_put(&scene, "items", "back", "{\"at\":6}");
    scene_ran(&scene, 8);
    scene_holds(&scene, "items", "absent", NULL);
    scene_holds(&scene, "items", "older", NULL);
    scene_holds(&scene, "items", "newer", "{\"at\":6}");
    scene_holds(&scene, "items", "tie", "{\"at\":5}");
    assert_true(scene_notes(&scene, "tie", SLUICE_ERROR_TIE));
    scene_holds(&scene, "items", "without", "{\"mine\":true}");
    scene_holds(&scene, "items", "went", NULL);
    scene_holds(&scene, "items", "back", "{\"id\":\"back\",\"at\":7}");
    assert_int_equal(scene_count(&scene, OUTCOME_DELETED), 2);
    assert_int_equal(scene_count(&scene, OUTCOME_KEPT_LIVE), 3);
    scene_taken_back(&scene, 0);
    scene_holds(&scene, "items", "older", "{\"at\":4}");
    scene_holds(&scene, "items", "went", "{\"at\":6}");
    scene_done(&scene);
}

static void a_live_record_that_becomes_newer_between_look_and_write_stands(void **state)
{
    struct scene scene;
    struct process process;
    scene_init(&scene, FROM_FILES(", write: in-place"), NULL);
    scene_file(&scene, "in/a.ndjson", "{\"id\":\"k\",\"at\":5,\"n\":1}\n");
    scene_put(&scene, "items", "k", "{\"at\":4}");
    process_first(&process, &scene);
    process_until(&process, 0, OP_CAS);
    process_step(&process, 0);
    process_until(&process, 0, OP_CAS); /* 4 is older than 5 */
    scene_put(&scene, "items", "k", "{\"at\":6}");
    process_done(&process);
    scene_holds(&scene, "items", "k", "{\"at\":6}");
    assert_int_equal(scene_count(&scene, OUTCOME_KEPT_LIVE), 1);
    scene_done(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_write_between_scan_and_cas_is_kept_and_repaired_once),
        cmocka_unit_test(a_delete_between_scan_and_cas_is_not_undone),
        cmocka_unit_test(a_key_that_is_deleted_long_before_its_expiry_has_not_expired),
        cmocka_unit_test(a_key_that_is_deleted_and_written_anew_is_repaired_once),
        cmocka_unit_test(a_record_that_changed_and_changed_back_is_the_record_that_was_read),
        cmocka_unit_test(a_record_that_the_application_puts_back_after_our_write_is_not_repaired_again),
        cmocka_unit_test(a_change_between_a_kill_and_the_resume_is_kept_and_not_repaired_twice),
        cmocka_unit_test(only_the_expiry_changes_and_is_kept),
        cmocka_unit_test(a_record_that_expires_between_scan_and_cas_does_not_rise_again),
        cmocka_unit_test(a_hot_key_is_refused_in_the_end_and_its_neighbours_are_not),
        cmocka_unit_test(what_the_application_deletes_between_look_and_write_is_not_written_again),
        cmocka_unit_test(what_the_application_fills_in_first_stands),
        cmocka_unit_test(what_was_filled_and_deleted_before_the_resume_stays_deleted),
        cmocka_unit_test(two_records_of_a_batch_want_one_key_and_the_first_fills_it),
        cmocka_unit_test(records_of_a_batch_and_of_two_partitions_write_one_key_one_after_the_other),
        cmocka_unit_test(newer_wins_and_ties_and_what_has_no_version_stay_live),
        cmocka_unit_test(a_deletion_is_ordered_by_its_version),
        cmocka_unit_test(ties_and_what_has_no_version_are_written_where_the_spec_says_so),
        cmocka_unit_test(a_live_record_that_becomes_newer_between_look_and_write_stands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
