/* Told to stop: whoever waits wakes at once and gives up what it waits for; the next one goes on from there. */
#include "interleavings/specs.h"
#include "kit/scene.h"

#define KEYS        4
#define HOUR_US     (INT64_C(3600) * 1000 * 1000)
#define ONE_AN_HOUR SAME_DATASET "stages: [{ name: full, scope: 100% }]\nprotect: { rate: { max: 1/h } }\n"
#define AS_IT_GOES  SAME_DATASET "stages: [{ name: full, scope: 100% }]\n"

/* Somebody who says stop as soon as anybody sleeps for so long. */
struct stand {
    struct scene scene; /* first: what sleeps is told of it */
    struct process process;
    atomic_bool stop;
    int64_t from_us;
};

static void say_stop(struct scene *scene, int64_t us)
{
    struct stand *stand = (struct stand *)(void *)scene;
    if (us >= stand->from_us)
        atomic_store(&stand->stop, true);
}

static struct stand *begin(void **state, const char *spec)
{
    struct stand *stand = g_new0(struct stand, 1);
    *state = stand;
    scene_init(&stand->scene, spec, ONCE_MORE);
    for (int i = 0; i < KEYS; i++) {
        g_autofree char *key = g_strdup_printf("k%d", i);
        scene_put(&stand->scene, "items", key, "{\"times\": 0}");
    }
    scene_plan(&stand->scene);
    process_begin(&stand->process, &stand->scene, JOB_FORWARD);
    stand->process.hold->shared.stop = &stand->stop;
    stand->scene.asleep = say_stop;
    stand->from_us = INT64_MAX;
    return stand;
}

static int teardown(void **state)
{
    struct stand *stand = *state;
    scene_done(&stand->scene);
    g_free(stand);
    return 0;
}

/* The step is given up, without an error, and nothing follows it. */
static void gives_up(struct stand *stand)
{
    process_step(&stand->process, 0);
    assert_true(atomic_load(&stand->stop));
    assert_int_equal(process_wish(&stand->process, 0)->kind, OP_END);
    assert_null(worker_error(stand->process.workers[0]));
}

static void all_hold(struct stand *stand, const char *json)
{
    for (int i = 0; i < KEYS; i++) {
        g_autofree char *key = g_strdup_printf("k%d", i);
        scene_holds(&stand->scene, "items", key, json);
    }
}

/* Another process takes the run up, with nothing in its way, and every record is transformed once. */
static void goes_on(struct stand *stand)
{
    struct process next;
    process_die(&stand->process);
    stand->scene.asleep = NULL;
    process_begin(&next, &stand->scene, JOB_FORWARD);
    process_done(&next);
    all_hold(stand, "{\"times\":1}");
    scene_reconciles(&stand->scene);
}

static void who_waits_for_an_hour_wakes_and_has_written_nothing_down(void **state)
{
    struct stand *stand = begin(state, ONE_AN_HOUR);
    stand->from_us = HOUR_US / 2;
    process_until(&stand->process, 0, OP_LOG);
    gives_up(stand);
    all_hold(stand, "{\"times\":0}");
    goes_on(stand);
}

/* What it took of the rate and did not use, others may. */
static void what_is_given_up_goes_back_to_the_rate(void **state)
{
    struct stand *stand = begin(state, ONE_AN_HOUR);
    stand->from_us = HOUR_US / 2;
    process_until(&stand->process, 0, OP_LOG);
    double before = stand->process.hold->shared.rate.tokens;
    gives_up(stand);
    assert_true(stand->process.hold->shared.rate.tokens >= before);
    goes_on(stand);
}

static void a_rate_that_is_set_holds_for_the_next_batch(void **state)
{
    struct stand *stand = begin(state, AS_IT_GOES);
    GError *error = NULL;
    kit_ok(limits_set(&stand->process.hold->shared.limits, LIMITS_RATE, "10/s", &error));
    assert_int_equal(process_until(&stand->process, 0, OP_LOG)->log.batch.n, 1);
    goes_on(stand);
}

static void before_anything_is_logged_the_batch_is_dropped(void **state)
{
    struct stand *stand = begin(state, AS_IT_GOES);
    process_until(&stand->process, 0, OP_SCAN);
    process_step(&stand->process, 0);
    worker_stop(stand->process.workers[0]);
    assert_int_equal(process_wish(&stand->process, 0)->kind, OP_END);
    goes_on(stand);
}

/* Its log took long, say. */
static void what_is_logged_and_not_written_is_given_up(void **state)
{
    struct stand *stand = begin(state, AS_IT_GOES);
    process_until(&stand->process, 0, OP_CAS);
    atomic_store(&stand->stop, true);
    gives_up(stand);
    all_hold(stand, "{\"times\":0}");
    goes_on(stand);
}

static void what_is_written_is_finished(void **state)
{
    struct stand *stand = begin(state, AS_IT_GOES);
    process_until(&stand->process, 0, OP_CAS);
    process_step(&stand->process, 0);
    atomic_store(&stand->stop, true);
    worker_stop(stand->process.workers[0]);
    process_until(&stand->process, 0, OP_CHECKPOINT);
    process_step(&stand->process, 0);
    assert_int_equal(process_wish(&stand->process, 0)->kind, OP_END);
    all_hold(stand, "{\"times\":1}");
    goes_on(stand);
}

/* Its writes have an unknown fate by then: the fence tells whoever goes on. */
static void between_two_tries_of_a_write_it_is_given_up(void **state)
{
    struct stand *stand = begin(state, AS_IT_GOES);
    stand->from_us = 1;
    process_until(&stand->process, 0, OP_CAS);
    process_lose(&stand->process, 0);
    process_until(&stand->process, 0, OP_WAIT);
    gives_up(stand);
    goes_on(stand);
}

static void what_fails_for_the_time_being_is_not_tried_again(void **state)
{
    struct stand *stand = begin(state, AS_IT_GOES);
    const struct fault_row fails = {FAULT_SETTLE, .nth = 1, .lasting = true, .effect = FAULT_TRANSIENT};
    process_until(&stand->process, 0, OP_SETTLE);
    scene_fault(&stand->scene, &fails);
    stand->from_us = 1;
    gives_up(stand);
    scene_fault(&stand->scene, NULL);
    goes_on(stand);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_teardown(name, teardown)
    const struct CMUnitTest tests[] = {
        CASE(who_waits_for_an_hour_wakes_and_has_written_nothing_down),
        CASE(what_is_given_up_goes_back_to_the_rate),
        CASE(a_rate_that_is_set_holds_for_the_next_batch),
        CASE(before_anything_is_logged_the_batch_is_dropped),
        CASE(what_is_logged_and_not_written_is_given_up),
        CASE(what_is_written_is_finished),
        CASE(between_two_tries_of_a_write_it_is_given_up),
        CASE(what_fails_for_the_time_being_is_not_tried_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
