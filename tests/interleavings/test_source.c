/* The source lives too: what changes, goes and comes up in it while the run is at work; and states of one key in files.
 */
#include "base/hex.h"
#include "interleavings/specs.h"
#include "kit/scene.h"

#define FAR INT64_C(4102444800000)

#define UNLESS_NEGATIVE                                                                                                \
    "function transform(doc, ctx)\n  doc.times = doc.times + 1\n"                                                      \
    "  if doc.times < 0 then return nil end\n  return doc\nend\n"

static void begin_by(struct scene *scene, struct process *process, const char *spec, const char *lua)
{
    scene_init(scene, spec, lua);
    scene_put(scene, "origin", "a", "{\"n\":1,\"times\":0}");
    scene_put(scene, "origin", "b", "{\"n\":2,\"times\":0}");
    process_first(process, scene);
}

static void begin(struct scene *scene, struct process *process, const char *spec)
{
    begin_by(scene, process, spec, ONCE_MORE);
}

/* Written, and not yet looked at again. */
static void begin_written(struct scene *scene, struct process *process, const char *spec)
{
    begin(scene, process, spec);
    process_until(process, 0, OP_LOOK);
    scene_holds(scene, "items", "a", "{\"n\":1,\"times\":1}");
}

static void app_has(struct scene *scene, const char *dataset, const char *key, const char *json)
{
    if (json)
        scene_put(scene, dataset, key, json);
    else
        scene_remove(scene, dataset, key);
}

static void b_is_done(struct scene *scene)
{
    scene_holds(scene, "items", "b", "{\"n\":2,\"times\":1}");
    scene_reconciles(scene);
}

/* --- elsewhere and alive
 * ------------------------------------------------------------------------------------------------ */

static void a_source_that_changes_after_its_write_is_carried_over(void **state)
{
    struct scene scene;
    struct process process;
    begin_written(&scene, &process, FILL);
    scene_put(&scene, "origin", "a", "{\"n\":7,\"times\":0}");
    process_done(&process);
    scene_holds(&scene, "items", "a", "{\"n\":7,\"times\":1}");
    b_is_done(&scene);
    assert_int_equal(scene_count(&scene, OUTCOME_WRITTEN), 2);
    scene_taken_back(&scene, 0);
    scene_holds(&scene, "items", "a", NULL);
    scene_done(&scene);
}

/* For whoever looks whether anything has moved before he reads: that costs more than to read what is small. */
static void what_was_large_is_told_to_whoever_looks_again(void **state)
{
    for (int large = 0; large < 2; large++) {
        struct scene scene;
        struct process process;
        begin(&scene, &process, FILL);
        g_autofree char *text = g_strnfill(large ? 70000 : 70, 'x');
        g_autofree char *json = g_strdup_printf("{\"n\":7,\"times\":0,\"is\":\"%s\"}", text);
        scene_put(&scene, "origin", "a", json);
        assert_int_equal(process_until(&process, 0, OP_LOOK)->read.small, !large);
        process_done(&process);
        scene_done(&scene);
    }
}

static void a_source_that_is_deleted_after_its_write_takes_what_we_wrote_with_it(void **state)
{
    struct scene scene;
    struct process process;
    begin_written(&scene, &process, FILL);
    scene_remove(&scene, "origin", "a");
    process_done(&process);
    scene_holds(&scene, "items", "a", NULL);
    b_is_done(&scene);
    assert_int_equal(scene_count(&scene, OUTCOME_GONE), 1);
    assert_int_equal(scene_count(&scene, OUTCOME_REMOVED), 1);
    scene_taken_back(&scene, 0);
    scene_holds(&scene, "items", "b", NULL);
    scene_done(&scene);
}

static void what_was_there_before_comes_back_when_the_source_takes_its_own_away(void **state)
{
    struct scene scene;
    struct process process;
    scene_init(&scene, OVERWRITE, ONCE_MORE);
    scene_put(&scene, "origin", "a", "{\"n\":1,\"times\":0}");
    scene_put(&scene, "items", "a", "{\"mine\":true}");
    process_first(&process, &scene);
    process_until(&process, 0, OP_LOOK);
    scene_remove(&scene, "origin", "a");
    process_done(&process);
    scene_holds(&scene, "items", "a", NULL);
    scene_taken_back(&scene, 0);
    scene_holds(&scene, "items", "a", "{\"mine\":true}");
    scene_done(&scene);
}

/* What the run wrote is removed, and what stood there before it is the rollback's to bring back, its expiry included:
 * whatever became of the source, and whether somebody died between the write and the look. */
static void what_was_there_before_is_brought_back_by_the_rollback_whatever_the_source_became(void **state)
{
    static const struct {
        const char *json; /* NULL: gone */
        enum outcome outcome;
    } ROWS[] = {{NULL, OUTCOME_GONE},
                {"{\"n\":7,\"times\":\"seven\"}", OUTCOME_REJECTED},
                {"{\"n\":7,\"times\":-8}", OUTCOME_FILTERED}};
    for (size_t i = 0; i < 2 * G_N_ELEMENTS(ROWS); i++) {
        struct scene scene;
        struct process process;
        bool dies = i % 2 == 1;
        scene_init(&scene, OVERWRITE, UNLESS_NEGATIVE);
        scene_put(&scene, "origin", "a", "{\"n\":1,\"times\":0}");
        scene_put_until(&scene, "items", "a", "{\"mine\":true}", FAR);
        g_autofree char *before = scene_image(&scene, "items");
        process_first(&process, &scene);
        process_until(&process, 0, OP_LOOK);
        app_has(&scene, "origin", "a", ROWS[i / 2].json);
        if (dies) {
            process_die(&process);
            process_whole(&scene, JOB_FORWARD);
        } else
            process_done(&process);
        scene_holds(&scene, "items", "a", NULL);
        assert_int_equal(scene_count(&scene, ROWS[i / 2].outcome), 1);
        scene_reconciles(&scene);
        scene_taken_back(&scene, 0);
        g_autofree char *after = scene_image(&scene, "items");
        assert_string_equal(after, before);
        scene_done(&scene);
    }
}

static void what_the_application_made_of_our_write_outlives_its_source(void **state)
{
    struct scene scene;
    struct process process;
    begin_written(&scene, &process, FILL);
    scene_remove(&scene, "origin", "a");
    scene_put(&scene, "items", "a", "{\"n\":1,\"times\":1,\"mine\":true}");
    process_done(&process);
    scene_holds(&scene, "items", "a", "{\"n\":1,\"times\":1,\"mine\":true}");
    b_is_done(&scene);
    scene_done(&scene);
}

static void a_source_that_changes_does_not_overrule_what_the_application_made_of_our_write(void **state)
{
    struct scene scene;
    struct process process;
    begin_written(&scene, &process, FILL);
    scene_put(&scene, "origin", "a", "{\"n\":7,\"times\":0}");
    scene_put(&scene, "items", "a", "{\"mine\":true}");
    process_done(&process);
    scene_holds(&scene, "items", "a", "{\"mine\":true}");
    b_is_done(&scene);
    scene_done(&scene);
}

static void a_source_that_changes_into_something_refused_takes_what_we_wrote_with_it(void **state)
{
    struct scene scene;
    struct process process;
    begin_written(&scene, &process, FILL);
    scene_put(&scene, "origin", "a", "{\"n\":7,\"times\":\"seven\"}");
    process_done(&process);
    scene_holds(&scene, "items", "a", NULL);
    b_is_done(&scene);
    assert_int_equal(scene_count(&scene, OUTCOME_REJECTED), 1);
    assert_true(scene_refused(&scene, "a", SLUICE_ERROR_LUA));
    scene_taken_back(&scene, 0);
    scene_done(&scene);
}

/* A source in which the application has put something under `a` that is no record of the dataset. */
struct odd {
    struct scene scene;
    bool (*read)(struct session *, const struct call *, struct record *, size_t, GError **);
};

static bool read_odd(struct session *session, const struct call *call, struct record *io, size_t n, GError **error)
{
    const char *table = (const char *)session_driver(session);
    struct odd *odd = (struct odd *)(gpointer)(table - offsetof(struct odd, scene.faulty_mem.table));
    if (!odd->read(session, call, io, n, error))
        return false;
    for (size_t i = 0; i < n; i++)
        if (strcmp(call->ds->name, "origin") == 0 && slice_equal(io[i].key, slice_of_text("a")))
            io[i] = (struct record){.key = io[i].key,
                                    .presence = RECORD_FAULT,
                                    .fault = {.code = SLUICE_ERROR_BAD_RECORD, .text = "a list"}};
    return true;
}

static void a_source_that_changes_into_what_is_no_record_takes_what_we_wrote_with_it(void **state)
{
    struct odd odd;
    struct process process;
    begin_written(&odd.scene, &process, FILL);
    odd.read = odd.scene.faulty_mem.table.read;
    odd.scene.faulty_mem.table.read = read_odd;
    scene_put(&odd.scene, "origin", "a", "{\"n\":7}");
    process_done(&process);
    scene_holds(&odd.scene, "items", "a", NULL);
    b_is_done(&odd.scene);
    assert_int_equal(scene_count(&odd.scene, OUTCOME_REJECTED), 1);
    assert_int_equal(scene_count(&odd.scene, OUTCOME_GONE), 0);
    assert_true(scene_refused(&odd.scene, "a", SLUICE_ERROR_BAD_RECORD));
    scene_taken_back(&odd.scene, 0);
    scene_done(&odd.scene);
}

/* What it is to be is known by then, and its expiry is not. */
static void a_source_that_changes_into_what_cannot_expire_takes_what_we_wrote_with_it(void **state)
{
    struct scene scene;
    struct process process;
    begin_written(&scene, &process, ELSEWHERE(", expires: { from: until }"));
    scene_put(&scene, "origin", "a", "{\"n\":7,\"times\":0,\"until\":5}");
    process_done(&process);
    scene_holds(&scene, "items", "a", NULL);
    b_is_done(&scene);
    assert_int_equal(scene_count(&scene, OUTCOME_REJECTED), 1);
    scene_done(&scene);
}

static void a_source_that_changes_again_and_again_is_followed_only_so_far(void **state)
{
    struct scene scene;
    struct process process;
    begin(&scene, &process, FILL);
    uint64_t looks = 0;
    for (struct op *op; (op = process_wish(&process, 0))->kind != OP_REFUSE; process_step(&process, 0)) {
        g_autofree char *json = g_strdup_printf("{\"n\":%" PRIu64 ",\"times\":0}", 10 + looks);
        if (op->kind != OP_LOOK || op->read.n == 0)
            continue;
        scene_put(&scene, "origin", "a", json);
        looks++;
    }
    process_done(&process);
    assert_int_equal(looks, 3);
    scene_holds(&scene, "items", "a", "{\"n\":12,\"times\":1}");
    b_is_done(&scene);
    scene_done(&scene);
}

static void a_source_in_which_nothing_changed_is_not_read_again(void **state)
{
    struct scene scene;
    struct process process;
    begin_written(&scene, &process, FILL);
    uint64_t reads = scene.plan.calls[FAULT_READ];
    process_step(&process, 0);
    assert_int_equal(scene.plan.calls[FAULT_READ], reads);
    process_done(&process);
    b_is_done(&scene);
    scene_done(&scene);
}

static void a_source_in_which_another_key_changed_is_read_again(void **state)
{
    struct scene scene;
    struct process process;
    begin_written(&scene, &process, FILL);
    uint64_t reads = scene.plan.calls[FAULT_READ];
    scene_put(&scene, "origin", "c", "{\"n\":3,\"times\":0}");
    process_step(&process, 0);
    assert_int_equal(scene.plan.calls[FAULT_READ], reads + 1);
    process_done(&process);
    b_is_done(&scene);
    scene_done(&scene);
}

/* What cannot be told just now is looked at; a source that is gone altogether ends the run. */
static void whether_a_source_has_changed_is_not_guessed(void **state)
{
    static const enum fault_effect EFFECTS[] = {FAULT_TRANSIENT, FAULT_TOO_BIG, FAULT_FATAL};
    for (size_t i = 0; i < 2 * G_N_ELEMENTS(EFFECTS); i++) {
        struct scene scene;
        struct process process;
        enum fault_effect effect = EFFECTS[i / 2];
        bool before = i % 2 == 0; /* before the batch is read, or behind its writes */
        struct fault_row fails = {FAULT_INSPECT, .nth = 1, .lasting = true, .effect = effect};
        begin(&scene, &process, FILL);
        if (!before)
            process_until(&process, 0, OP_LOOK);
        scene_fault(&scene, &fails);
        if (effect == FAULT_FATAL) {
            process_fails(&process, 0, STORE);
            process_die(&process);
        } else {
            process_until(&process, 0, OP_LOOK);
            scene_put(&scene, "origin", "a", "{\"n\":7,\"times\":0}");
            process_done(&process);
            scene_holds(&scene, "items", "a", "{\"n\":7,\"times\":1}");
            b_is_done(&scene);
        }
        assert_in_range(scene.plan.fired[FAULT_INSPECT], 1, 99);
        scene_done(&scene);
    }
}

/* Died between the write and the second look: the source says something else by then. */
static void a_source_that_changes_between_a_kill_and_the_resume_is_carried_over(void **state)
{
    struct scene scene;
    struct process process;
    begin_written(&scene, &process, FILL);
    process_die(&process);
    scene_put(&scene, "origin", "a", "{\"n\":7,\"times\":0}");
    process_whole(&scene, JOB_FORWARD);
    scene_holds(&scene, "items", "a", "{\"n\":7,\"times\":1}");
    b_is_done(&scene);
    assert_int_equal(scene_count(&scene, OUTCOME_WRITTEN), 2);
    scene_taken_back(&scene, 0);
    scene_holds(&scene, "items", "a", NULL);
    scene_done(&scene);
}

static void a_source_that_goes_between_a_kill_and_the_resume_takes_what_we_wrote_with_it(void **state)
{
    struct scene scene;
    struct process process;
    begin_written(&scene, &process, FILL);
    process_die(&process);
    scene_remove(&scene, "origin", "a");
    process_whole(&scene, JOB_FORWARD);
    scene_holds(&scene, "items", "a", NULL);
    b_is_done(&scene);
    assert_int_equal(scene_count(&scene, OUTCOME_GONE), 1);
    scene_done(&scene);
}

/* As if it had been looked at in time. */
static void a_source_that_is_refused_or_left_out_after_a_kill_takes_what_we_wrote_with_it(void **state)
{
    static const struct {
        const char *json;
        enum outcome outcome;
    } ROWS[] = {{"{\"n\":7,\"times\":\"seven\"}", OUTCOME_REJECTED}, {"{\"n\":7,\"times\":-8}", OUTCOME_FILTERED}};
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct scene scene;
        struct process process;
        begin_by(&scene, &process, FILL, UNLESS_NEGATIVE);
        process_until(&process, 0, OP_LOOK);
        process_die(&process);
        scene_put(&scene, "origin", "a", ROWS[i].json);
        process_whole(&scene, JOB_FORWARD);
        scene_holds(&scene, "items", "a", NULL);
        b_is_done(&scene);
        assert_int_equal(scene_count(&scene, ROWS[i].outcome), 1);
        scene_taken_back(&scene, 0);
        scene_holds(&scene, "items", "b", NULL);
        scene_done(&scene);
    }
}

/* The key in the target is a field of the record, and says another thing when the next process reads it: as if it had
 * been looked at in time, nothing of what stood under the old one stays, unless another record or the application has
 * put it there. */
static void what_was_written_under_a_key_that_is_wanted_no_more_goes_after_a_kill(void **state)
{
    static const char *const A = "{\"n\":1,\"times\":0,\"to\":\"x\"}", *const B = "{\"n\":2,\"times\":0,\"to\":\"y\"}",
                             *const X = "{\"n\":1,\"times\":1,\"to\":\"x\"}",
                             *const Y = "{\"n\":2,\"times\":1,\"to\":\"y\"}";
    static const struct {
        const char *a, *b, *live; /* by then; live: the application has written x */
        const char *x, *y, *z;    /* what stands at the end */
        const char *x_back;       /* and when it is taken back */
    } ROWS[] = {
        {"{\"n\":1,\"times\":0,\"to\":\"z\"}", B, NULL, NULL, Y, "{\"n\":1,\"times\":1,\"to\":\"z\"}", NULL},
        {NULL, B, NULL, NULL, Y, NULL, NULL},
        {"{\"n\":1,\"times\":\"one\",\"to\":\"x\"}", B, NULL, NULL, Y, NULL, NULL},
        {"{\"n\":1,\"times\":-9,\"to\":\"x\"}", B, NULL, NULL, Y, NULL, NULL},
        {B, A, NULL, X, Y, NULL, NULL},
        {NULL, A, NULL, X, NULL, NULL, NULL},
        {"{\"n\":1,\"times\":0,\"to\":\"z\"}", B, "{\"mine\":1}", "{\"mine\":1}", Y,
         "{\"n\":1,\"times\":1,\"to\":\"z\"}", "{\"mine\":1}"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct scene scene;
        struct process process;
        scene_init(&scene, KEYED_BY_FIELD(", write: in-place, conflict: overwrite"), UNLESS_NEGATIVE);
        scene_put(&scene, "origin", "a", A);
        scene_put(&scene, "origin", "b", B);
        process_first(&process, &scene);
        process_until(&process, 0, OP_LOOK);
        scene_holds(&scene, "items", "x", X);
        process_die(&process);
        app_has(&scene, "origin", "a", ROWS[i].a);
        app_has(&scene, "origin", "b", ROWS[i].b);
        if (ROWS[i].live)
            scene_put(&scene, "items", "x", ROWS[i].live);
        process_whole(&scene, JOB_FORWARD);
        scene_holds(&scene, "items", "x", ROWS[i].x);
        scene_holds(&scene, "items", "y", ROWS[i].y);
        scene_holds(&scene, "items", "z", ROWS[i].z);
        scene_reconciles(&scene);
        scene_taken_back(&scene, ROWS[i].x_back ? 8 : 0);
        scene_holds(&scene, "items", "x", ROWS[i].x_back);
        scene_holds(&scene, "items", "y", NULL);
        scene_holds(&scene, "items", "z", NULL);
        scene_done(&scene);
    }
}

/* Both had written it, so that one write of it is nobody's. */
static void what_another_record_wants_by_now_stays(void **state)
{
    struct scene scene;
    struct process process;
    scene_init(&scene, KEYED_BY_FIELD(", write: in-place, conflict: overwrite"), ONCE_MORE);
    scene_put(&scene, "origin", "a", "{\"n\":1,\"times\":0,\"to\":\"x\"}");
    scene_put(&scene, "origin", "b", "{\"n\":2,\"times\":0,\"to\":\"x\"}");
    process_first(&process, &scene);
    process_until(&process, 0, OP_LOOK);
    process_die(&process);
    scene_put(&scene, "origin", "a", "{\"n\":1,\"times\":0,\"to\":\"z\"}");
    process_whole(&scene, JOB_FORWARD);
    scene_holds(&scene, "items", "x", "{\"n\":2,\"times\":1,\"to\":\"x\"}");
    scene_holds(&scene, "items", "z", "{\"n\":1,\"times\":1,\"to\":\"z\"}");
    scene_reconciles(&scene);
    scene_taken_back(&scene, 0);
    scene_holds(&scene, "items", "x", NULL);
    scene_holds(&scene, "items", "z", NULL);
    scene_done(&scene);
}

static bool (*reads_well)(struct session *, const struct call *, struct record *, size_t, GError **);

static bool reads_no_x(struct session *session, const struct call *call, struct record *io, size_t n, GError **error)
{
    bool ok = reads_well(session, call, io, n, error);
    for (size_t i = 0; ok && i < n; i++)
        if (slice_equal(io[i].key, slice_of_text("x")))
            io[i] = (struct record){.key = io[i].key,
                                    .presence = RECORD_FAULT,
                                    .fault = {SLUICE_ERROR_BAD_RECORD, "it is of no type that has a form"}};
    return ok;
}

/* No record wants the key any more, and what stands there cannot be read: whose it is nobody knows. */
static void what_nobody_wants_any_more_and_cannot_be_read_is_left_and_listed(void **state)
{
    struct scene scene;
    struct process process;
    scene_init(&scene, KEYED_BY_FIELD(", write: in-place, conflict: overwrite"), ONCE_MORE);
    scene_put(&scene, "origin", "a", "{\"n\":1,\"times\":0,\"to\":\"x\"}");
    process_first(&process, &scene);
    process_until(&process, 0, OP_LOOK);
    process_die(&process);
    scene_put(&scene, "origin", "a", "{\"n\":1,\"times\":0,\"to\":\"z\"}");
    reads_well = scene.faulty_mem.table.read;
    scene.faulty_mem.table.read = reads_no_x;
    process_whole(&scene, JOB_FORWARD);
    scene.faulty_mem.table.read = reads_well;
    scene_holds(&scene, "items", "x", "{\"n\":1,\"times\":1,\"to\":\"x\"}");
    scene_holds(&scene, "items", "z", "{\"n\":1,\"times\":1,\"to\":\"z\"}");
    assert_true(scene_notes(&scene, "x", SLUICE_ERROR_LEFT));
    scene_reconciles(&scene);
    scene_taken_back(&scene, 0);
    scene_holds(&scene, "items", "x", NULL);
    scene_done(&scene);
}

/* The fence is lost, the application has written over it, and no record wants the key any more. */
static void what_is_in_doubt_and_nobody_wants_any_more_is_listed(void **state)
{
    struct scene scene;
    struct process process;
    scene_init(&scene, KEYED_BY_FIELD(", write: in-place, conflict: overwrite"), ONCE_MORE);
    scene_put(&scene, "origin", "a", "{\"n\":1,\"times\":0,\"to\":\"x\"}");
    process_first(&process, &scene);
    process_until(&process, 0, OP_OUTCOME);
    scene_drop_fences(&scene, process.hold->run.uid);
    process_die(&process);
    scene_put(&scene, "items", "x", "{\"mine\":1}");
    scene_put(&scene, "origin", "a", "{\"n\":1,\"times\":0,\"to\":\"z\"}");
    process_whole(&scene, JOB_FORWARD);
    scene_holds(&scene, "items", "x", "{\"mine\":1}");
    scene_holds(&scene, "items", "z", "{\"n\":1,\"times\":1,\"to\":\"z\"}");
    assert_true(scene_notes(&scene, "x", SLUICE_ERROR_IN_DOUBT));
    scene_reconciles(&scene);
    scene_done(&scene);
}

/* --- after the listing
 * -------------------------------------------------------------------------------------------------- */

/* A record that makes two, of which the application has one already: only what is ours follows the source. */
static void of_a_record_that_makes_two_what_is_not_ours_stays(void **state)
{
#define IN_TWO                                                                                                         \
    "function transform(doc, ctx)\n  if doc.no then return ctx.reject('no') end\n"                                     \
    "  return { { to = 'x', n = doc.n }, { to = 'y', n = doc.n } }\nend\n"
    static const struct {
        const char *then, *stands; /* of what is ours */
    } ROWS[] = {{"{\"n\":2}", "{\"n\":2,\"to\":\"y\"}"}, {"{\"no\":true}", NULL}};
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct scene scene;
        struct process process;
        scene_init(&scene, KEYED_BY_FIELD(""), IN_TWO);
        scene_put(&scene, "origin", "a", "{\"n\":1}");
        scene_put(&scene, "items", "x", "{\"mine\":true}");
        process_first(&process, &scene);
        process_until(&process, 0, OP_LOOK);
        scene_put(&scene, "origin", "a", ROWS[i].then);
        process_done(&process);
        scene_holds(&scene, "items", "x", "{\"mine\":true}");
        scene_holds(&scene, "items", "y", ROWS[i].stands);
        scene_done(&scene);
    }
}

static void neither_removed_nor_expired(struct scene *scene)
{
    assert_int_equal(scene_count(scene, OUTCOME_REMOVED) + scene_count(scene, OUTCOME_EXPIRED), 0);
}

/* Written by a dead holder, deleted by the application as it is about to be written anew: it stays so, and counts as
 * what it was. */
static void what_a_dead_holder_wrote_and_the_application_deletes_stays_deleted(void **state)
{
    struct scene scene;
    struct process process;
    begin_written(&scene, &process, OVERWRITE);
    process_die(&process);
    scene_put(&scene, "origin", "a", "{\"n\":5,\"times\":0}");
    process_begin(&process, &scene, JOB_FORWARD);
    process_until(&process, 0, OP_CAS);
    scene_remove(&scene, "items", "a");
    process_done(&process);
    scene_holds(&scene, "items", "a", NULL);
    neither_removed_nor_expired(&scene);
    scene_done(&scene);
}

static void a_key_that_goes_after_the_listing_is_gone(void **state)
{
    struct scene scene;
    struct process process;
    begin(&scene, &process, FILL);
    scene_remove(&scene, "origin", "a");
    process_done(&process);
    scene_holds(&scene, "items", "a", NULL);
    b_is_done(&scene);
    assert_int_equal(scene_count(&scene, OUTCOME_GONE), 1);
    scene_done(&scene);
}

/* Nothing is known of it but that it had been there. */
static void a_key_of_the_same_dataset_that_goes_after_the_listing_is_gone(void **state)
{
    struct scene scene;
    scene_init(&scene, SAME_DATASET, ONCE_MORE);
    scene_put(&scene, "items", "a", "{\"n\":1,\"times\":0}");
    scene_put(&scene, "items", "b", "{\"n\":2,\"times\":0}");
    scene_plan(&scene);
    scene_remove(&scene, "items", "a");
    scene_ran(&scene, 0);
    scene_holds(&scene, "items", "a", NULL);
    b_is_done(&scene);
    assert_int_equal(scene_count(&scene, OUTCOME_GONE), 1);
    neither_removed_nor_expired(&scene);
    scene_done(&scene);
}

static void a_key_that_comes_up_after_the_listing_is_not_of_this_run_and_is_counted(void **state)
{
    struct scene scene;
    struct verify_result result;
    scene_init(&scene, SAME_DATASET, ONCE_MORE);
    scene_put(&scene, "items", "a", "{\"n\":1,\"times\":0}");
    scene_plan(&scene);
    scene_put(&scene, "items", "late", "{\"n\":2,\"times\":0}");
    scene_ran(&scene, 0);
    scene_holds(&scene, "items", "late", "{\"n\":2,\"times\":0}");
    assert_int_equal(scene_count(&scene, OUTCOME_APPEARED), 1);
    scene_verify(&scene, &result);
    assert_int_equal(result.of[VERIFY_UNVISITED], 1);
    assert_int_equal(result.of[VERIFY_EQUAL], 1);
    assert_true(result.pass);
    assert_non_null(strstr(result.sentence, "1 unvisited"));
    verify_result_done(&result);
    scene_done(&scene);
}

static void a_key_that_comes_up_in_a_source_elsewhere_is_counted_too(void **state)
{
    struct scene scene;
    struct verify_result result;
    scene_init(&scene, FILL, ONCE_MORE);
    scene_put(&scene, "origin", "a", "{\"n\":1,\"times\":0}");
    scene_plan(&scene);
    scene_put(&scene, "origin", "late", "{\"n\":2,\"times\":0}");
    scene_ran(&scene, 0);
    scene_holds(&scene, "items", "late", NULL);
    scene_verify(&scene, &result);
    assert_int_equal(result.of[VERIFY_UNVISITED], 1);
    assert_true(result.pass);
    verify_result_done(&result);
    scene_done(&scene);
}

/* --- states of one key in files
 * ----------------------------------------------------------------------------------------- */

static void of_several_states_in_files_the_newest_is_written(void **state)
{
    struct scene scene;
    scene_init(&scene, FROM_FILES(""), NULL);
    scene_file(&scene, "in/a.ndjson", "{\"id\":\"k\",\"at\":3}\n{\"id\":\"l\",\"at\":1}\n{\"id\":\"k\",\"at\":9}\n");
    scene_file(&scene, "in/b.ndjson", "{\"id\":\"k\",\"at\":5}\n");
    scene_ran(&scene, 0);
    scene_holds(&scene, "items", "k", "{\"id\":\"k\",\"at\":9}");
    scene_holds(&scene, "items", "l", "{\"id\":\"l\",\"at\":1}");
    assert_int_equal(scene_count(&scene, OUTCOME_WRITTEN), 2);
    assert_int_equal(scene_count(&scene, OUTCOME_DUPLICATES), 2);
    assert_int_equal(scene_count(&scene, OUTCOME_LISTED_), 2);
    scene_reconciles(&scene);
    scene_done(&scene);
}

static void an_equal_version_with_other_content_puts_both_into_the_quarantine(void **state)
{
    struct scene scene;
    scene_init(&scene, FROM_FILES(""), NULL);
    scene_file(&scene, "in/a.ndjson",
               "{\"id\":\"k\",\"at\":5,\"n\":1}\n{\"id\":\"l\",\"at\":1}\n{\"id\":\"k\",\"at\":4}\n");
    scene_file(&scene, "in/b.ndjson", "{\"id\":\"k\",\"at\":5,\"n\":2}\n");
    scene_ran(&scene, 8);
    scene_holds(&scene, "items", "k", NULL);
    scene_holds(&scene, "items", "l", "{\"id\":\"l\",\"at\":1}");
    assert_int_equal(scene_count(&scene, OUTCOME_REJECTED), 2);
    assert_int_equal(scene_count(&scene, OUTCOME_DUPLICATES), 1);
    assert_true(scene_refused(&scene, "k", SLUICE_ERROR_BAD_RECORD));
    scene_reconciles(&scene);
    scene_done(&scene);
}

static void an_equal_version_with_equal_content_is_one_state(void **state)
{
    struct scene scene;
    scene_init(&scene, FROM_FILES(""), NULL);
    scene_file(&scene, "in/a.ndjson", "{\"id\":\"k\",\"at\":5}\n{\"id\":\"k\",\"at\":5}\n");
    scene_ran(&scene, 0);
    scene_holds(&scene, "items", "k", "{\"id\":\"k\",\"at\":5}");
    assert_int_equal(scene_count(&scene, OUTCOME_DUPLICATES), 1);
    scene_reconciles(&scene);
    scene_done(&scene);
}

static void a_file_that_changes_after_the_listing_halts_the_run(void **state)
{
    struct scene scene;
    struct ended ended;
    scene_init(&scene, FROM_FILES(""), NULL);
    scene_file(&scene, "in/a.ndjson", "{\"id\":\"k\",\"at\":5}\n");
    scene_plan(&scene);
    scene_file(&scene, "in/a.ndjson", "{\"id\":\"k\",\"at\":6}\n");
    scene_run(&scene, &ended);
    assert_int_equal(ended.status, 5);
    assert_non_null(strstr(ended.text, "a.ndjson"));
    ended_done(&ended);
    scene_holds(&scene, "items", "k", NULL);
    scene_done(&scene);
}

/* One byte of it is another; false: it has no so many. */
static bool damage_skips(struct scene *scene, gsize at)
{
    auto_(arena) mem = arena_new(1 << 20);
    char uid[HEX_TEXT(16)];
    g_autofree char *bytes = NULL;
    gsize len;
    g_autofree char *name = g_strdup_printf("%s.skip", hex_text(scene_row(scene, mem).uid, 16, uid));
    g_autofree char *path = g_build_filename(scene->home, "listing", name, NULL);
    assert_true(g_file_get_contents(path, &bytes, &len, NULL));
    if (at >= len)
        return false;
    bytes[at] ^= 0x10;
    assert_true(g_file_set_contents(path, bytes, (gssize)len, NULL));
    return true;
}

/* What loses is not known then, and so nothing is written: it is the writer who says so, not who verifies it. */
static void a_damaged_list_of_losing_states_ends_the_run(void **state)
{
    struct scene scene;
    struct scene_kept kept;
    struct ended ended;
    bool met = true;
    scene_init(&scene, FROM_FILES(", write: in-place, conflict: newer-wins"), NULL);
    scene_file(&scene, "in/a.ndjson", "{\"id\":\"k\",\"at\":6}\n{\"id\":\"k\",\"at\":5}\n{\"id\":\"l\",\"at\":5}\n");
    scene_plan(&scene);
    scene_keep(&scene, &kept);
    scene_done(&scene);
    for (gsize at = 3; met; at += 16) {
        scene_again(&scene, &kept);
        met = damage_skips(&scene, at);
        scene_run(&scene, &ended);
        if (ended.status != (met ? 6 : 0) || (met && (!strstr(ended.text, ".skip") || strstr(ended.text, "verifying"))))
            fail_msg("byte %zu: ended with %d: %s", at, ended.status, ended.text);
        ended_done(&ended);
        scene_holds(&scene, "items", "k", met ? NULL : "{\"id\":\"k\",\"at\":6}");
        scene_holds(&scene, "items", "l", met ? NULL : "{\"id\":\"l\",\"at\":5}");
        scene_done(&scene);
    }
    scene_kept_done(&kept);
}

/* --- files that are written
 * ------------------------------------------------------------------------------------------------------------- */

#define INTO_FILES                                                                                                     \
    "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: origin }\n"                                            \
    "target: { store: \"file:out\", dataset: \"o-*.ndjson\" }\nworkers: 1\n"

/* The batch is done again, smaller, and what it has left gives nothing any more: the dead one's file would stand beside
 * those that follow, with the same records. */
static void a_file_of_a_dead_batch_goes_where_the_source_has_nothing_for_it_any_more(void **state)
{
    struct scene scene;
    struct process process;
    scene_init(&scene, INTO_FILES, NULL);
    for (int i = 0; i < 8; i++) {
        g_autofree char *key = g_strdup_printf("k%d", i), *json = g_strdup_printf("{\"n\":%d}", i);
        scene_put(&scene, "origin", key, json);
    }
    scene_plan(&scene);
    process_begin_small(&process, &scene, JOB_FORWARD, 4);
    process_until(&process, 0, OP_CHECKPOINT);
    process_die(&process);
    scene_remove(&scene, "origin", "k0");
    scene_remove(&scene, "origin", "k1");
    process_begin_small(&process, &scene, JOB_FORWARD, 2);
    process_done(&process);
    scene_ran(&scene, 0); /* its gate reads the files: each record once */
    assert_int_equal(scene_count(&scene, OUTCOME_WRITTEN), 6);
    scene_done(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_source_that_changes_after_its_write_is_carried_over),
        cmocka_unit_test(what_was_large_is_told_to_whoever_looks_again),
        cmocka_unit_test(a_source_that_is_deleted_after_its_write_takes_what_we_wrote_with_it),
        cmocka_unit_test(what_was_there_before_comes_back_when_the_source_takes_its_own_away),
        cmocka_unit_test(what_was_there_before_is_brought_back_by_the_rollback_whatever_the_source_became),
        cmocka_unit_test(what_the_application_made_of_our_write_outlives_its_source),
        cmocka_unit_test(a_source_that_changes_does_not_overrule_what_the_application_made_of_our_write),
        cmocka_unit_test(a_source_that_changes_into_something_refused_takes_what_we_wrote_with_it),
        cmocka_unit_test(a_source_that_changes_into_what_is_no_record_takes_what_we_wrote_with_it),
        cmocka_unit_test(a_source_that_changes_into_what_cannot_expire_takes_what_we_wrote_with_it),
        cmocka_unit_test(a_source_that_changes_again_and_again_is_followed_only_so_far),
        cmocka_unit_test(a_source_in_which_nothing_changed_is_not_read_again),
        cmocka_unit_test(a_source_in_which_another_key_changed_is_read_again),
        cmocka_unit_test(whether_a_source_has_changed_is_not_guessed),
        cmocka_unit_test(a_source_that_changes_between_a_kill_and_the_resume_is_carried_over),
        cmocka_unit_test(a_source_that_goes_between_a_kill_and_the_resume_takes_what_we_wrote_with_it),
        cmocka_unit_test(a_source_that_is_refused_or_left_out_after_a_kill_takes_what_we_wrote_with_it),
        cmocka_unit_test(what_another_record_wants_by_now_stays),
        cmocka_unit_test(what_is_in_doubt_and_nobody_wants_any_more_is_listed),
        cmocka_unit_test(what_nobody_wants_any_more_and_cannot_be_read_is_left_and_listed),
        cmocka_unit_test(what_was_written_under_a_key_that_is_wanted_no_more_goes_after_a_kill),
        cmocka_unit_test(of_a_record_that_makes_two_what_is_not_ours_stays),
        cmocka_unit_test(what_a_dead_holder_wrote_and_the_application_deletes_stays_deleted),
        cmocka_unit_test(a_key_that_goes_after_the_listing_is_gone),
        cmocka_unit_test(a_key_of_the_same_dataset_that_goes_after_the_listing_is_gone),
        cmocka_unit_test(a_key_that_comes_up_after_the_listing_is_not_of_this_run_and_is_counted),
        cmocka_unit_test(a_key_that_comes_up_in_a_source_elsewhere_is_counted_too),
        cmocka_unit_test(of_several_states_in_files_the_newest_is_written),
        cmocka_unit_test(an_equal_version_with_other_content_puts_both_into_the_quarantine),
        cmocka_unit_test(an_equal_version_with_equal_content_is_one_state),
        cmocka_unit_test(a_damaged_list_of_losing_states_ends_the_run),
        cmocka_unit_test(a_file_that_changes_after_the_listing_halts_the_run),
        cmocka_unit_test(a_file_of_a_dead_batch_goes_where_the_source_has_nothing_for_it_any_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
