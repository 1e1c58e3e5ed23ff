/* Numbers that the fence has forgotten, since a later request needed its room: of those the undo log alone tells. */
#include "interleavings/partly.h"
#include "interleavings/specs.h"
#include "kit/scene.h"

static void begin(struct scene *scene)
{
    scene_init(scene, SAME_DATASET, ONCE_MORE);
    scene_put(scene, "items", "a", "{\"n\":1,\"times\":0}");
    scene_put(scene, "items", "b", "{\"n\":2,\"times\":0}");
}

static gsize log_bytes(struct scene *scene)
{
    g_autofree char *path = g_build_filename(scene->home, "undo", "job.1", "000001.undo", NULL);
    g_autofree char *bytes = NULL;
    gsize len;
    assert_true(g_file_get_contents(path, &bytes, &len, NULL));
    return len;
}

static void flip_a_bit(struct scene *scene, gsize at)
{
    g_autofree char *path = g_build_filename(scene->home, "undo", "job.1", "000001.undo", NULL);
    g_autofree char *bytes = NULL;
    gsize len;
    assert_true(g_file_get_contents(path, &bytes, &len, NULL));
    assert_true(at < len);
    bytes[at] ^= 0x10;
    assert_true(g_file_set_contents(path, bytes, (gssize)len, NULL));
}

/* A batch of two rounds: `a` is written in the first, `b` in the second, whose request makes the fence forget the
 * numbers of the first. *ret: where the first round's intents, and its outcomes, begin and end. */
struct rounds {
    gsize intents, outcomes, end;
};

static void two_rounds(struct scene *scene, struct process *process, struct rounds *ret)
{
    begin(scene);
    scene_plan(scene);
    process_begin(process, scene, JOB_FORWARD);
    process_until(process, 0, OP_LOG);
    scene_keep_home(scene);
    ret->intents = log_bytes(scene);
    process_until(process, 0, OP_CAS);
    scene_put(scene, "items", "b", "{\"n\":22,\"times\":0}");
    process_until(process, 0, OP_OUTCOME);
    ret->outcomes = log_bytes(scene);
    process_step(process, 0);
    ret->end = log_bytes(scene);
    process_until(process, 0, OP_CAS);
}

/* The undo log of the older home says nothing of what was written: to go on would write it twice. */
static void a_home_from_before_writes_of_this_lane_is_refused(void **state)
{
    static void (*const COMMANDS[])(struct scene *, struct ended *) = {scene_run, scene_back};
    for (int forgotten = 0; forgotten < 2; forgotten++) {
        struct scene scene;
        struct process process;
        struct rounds rounds;
        two_rounds(&scene, &process, &rounds);
        if (forgotten) { /* nothing of the second round is written, and no number is marked any more */
            scene_put(&scene, "items", "b", "{\"n\":23,\"times\":0}");
            process_step(&process, 0);
        }
        process_die(&process);
        scene_restore_home(&scene);
        for (size_t i = 0; i < G_N_ELEMENTS(COMMANDS); i++) {
            struct ended ended;
            COMMANDS[i](&scene, &ended);
            if (ended.status != 7 || !strstr(ended.text, "of which the undo log of this home says nothing"))
                fail_msg("command %zu (%d) ended with %d: %s", i, forgotten, ended.status, ended.text);
            ended_done(&ended);
        }
        scene_holds(&scene, "items", "a", "{\"n\":1,\"times\":1}");
        scene_done(&scene);
    }
}

/* Of numbers below the fence's base only the log says which keys they were. */
static void what_the_fence_has_forgotten_and_the_log_cannot_tell_is_not_written_again(void **state)
{
    static const struct {
        bool head, fenceless;
    } ROWS[] = {{false, false}, {true, false}, {false, true}, {true, true}};
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct scene scene;
        struct process process;
        struct rounds rounds;
        struct ended ended;
        two_rounds(&scene, &process, &rounds);
        process_step(&process, 0);
        if (ROWS[i].fenceless)
            scene_drop_fences(&scene, process.hold->run.uid);
        process_die(&process);
        flip_a_bit(&scene, ROWS[i].head ? rounds.intents + 20 : rounds.outcomes - 4);
        process_begin(&process, &scene, JOB_FORWARD);
        process_fails(&process, 0, CORRUPT);
        process_die(&process);
        scene_holds(&scene, "items", "a", "{\"n\":1,\"times\":1}");
        scene_back(&scene, &ended);
        assert_int_equal(ended.status, 8);
        assert_non_null(strstr(ended.text, "damaged"));
        ended_done(&ended);
        scene_holds(&scene, "items", "b", "{\"n\":22,\"times\":0}");
        scene_done(&scene);
    }
}

/* Neither of what cannot be read, nor of what no block's head names. */
static void what_a_fence_lost_in_part_and_a_damaged_log_do_not_tell_is_not_written_again(void **state)
{
    for (int head = 0; head < 2; head++) {
        struct partly partly = {.forgets = true};
        struct scene *scene = &partly.scene;
        struct process process;
        struct rounds rounds;
        struct ended ended;
        two_rounds(scene, &process, &rounds);
        process_step(&process, 0);
        process_die(&process);
        flip_a_bit(scene, head ? rounds.intents + 20 : rounds.outcomes - 4);
        partly_opens(&partly);
        process_begin(&process, scene, JOB_FORWARD);
        process_fails(&process, 0, CORRUPT);
        process_die(&process);
        scene_holds(scene, "items", "a", "{\"n\":1,\"times\":1}");
        scene_back(scene, &ended);
        assert_int_equal(ended.status, 8);
        ended_done(&ended);
        scene_done(scene);
    }
}

/* Damage that hides nothing: of intents whose outcomes cannot be read, and of writes that a checkpoint counts. */
static void damage_that_hides_no_write_lets_the_run_go_on(void **state)
{
    for (int counted = 0; counted < 2; counted++) {
        struct scene scene;
        struct process process;
        struct rounds rounds;
        two_rounds(&scene, &process, &rounds);
        if (counted) {
            process_until(&process, 0, OP_CHECKPOINT);
            process_step(&process, 0);
        } else
            process_step(&process, 0);
        process_die(&process);
        flip_a_bit(&scene, counted ? rounds.outcomes - 4 : rounds.end - 2);
        process_whole(&scene, JOB_FORWARD);
        scene_holds(&scene, "items", "a", "{\"n\":1,\"times\":1}");
        scene_holds(&scene, "items", "b", "{\"n\":22,\"times\":1}");
        scene_done(&scene);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_home_from_before_writes_of_this_lane_is_refused),
        cmocka_unit_test(what_the_fence_has_forgotten_and_the_log_cannot_tell_is_not_written_again),
        cmocka_unit_test(what_a_fence_lost_in_part_and_a_damaged_log_do_not_tell_is_not_written_again),
        cmocka_unit_test(damage_that_hides_no_write_lets_the_run_go_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
