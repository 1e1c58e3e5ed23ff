/* Told to stop: whoever waits wakes at once and gives up what it waits for; the next one goes on from there. */
#include "interleavings/specs.h"
#include "kit/scene.h"
#include "run/watch.h"

#include <sqlite3.h>

#define KEYS        4
#define SECOND_US   (INT64_C(1000) * 1000)
#define ONE_AN_HOUR SAME_DATASET "stages: [{ name: full, scope: 100% }]\nprotect: { rate: { max: 1/h } }\n"
#define AS_IT_GOES  SAME_DATASET "stages: [{ name: full, scope: 100% }]\n"

/* Somebody who says stop as soon as anybody has slept for so long. */
struct stand {
    struct scene scene; /* first: what sleeps is told of it */
    struct process process;
    atomic_bool stop;
    int64_t from_us, slept_us;
    struct hearing *hearing; /* NULL: nobody hears anything */
};

static void say_stop(struct scene *scene, int64_t us)
{
    struct stand *stand = (struct stand *)(void *)scene;
    stand->slept_us += us;
    if (stand->slept_us >= stand->from_us)
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
    stand->from_us = SECOND_US;
    process_until(&stand->process, 0, OP_LOG);
    gives_up(stand);
    all_hold(stand, "{\"times\":0}");
    goes_on(stand);
}

/* What it took of the rate and did not use, others may. */
static void what_is_given_up_goes_back_to_the_rate(void **state)
{
    struct stand *stand = begin(state, ONE_AN_HOUR);
    stand->from_us = SECOND_US;
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

/* Of one record: the others are written, and it is to be written once more. */
static void what_is_written_in_part_is_finished(void **state)
{
    struct stand *stand = begin(state, AS_IT_GOES);
    process_until(&stand->process, 0, OP_CAS);
    scene_put(&stand->scene, "items", "k1", "{\"times\": 0, \"n\": 2}");
    process_until(&stand->process, 0, OP_OUTCOME);
    process_step(&stand->process, 0);
    worker_stop(stand->process.workers[0]);
    process_until(&stand->process, 0, OP_CHECKPOINT);
    process_step(&stand->process, 0);
    assert_int_equal(process_wish(&stand->process, 0)->kind, OP_END);
    scene_holds(&stand->scene, "items", "k1", "{\"times\":1,\"n\":2}");
    process_die(&stand->process);
}

static void a_store_that_fails_each_time_ends_the_run(void **state)
{
    struct stand *stand = begin(state, AS_IT_GOES);
    const struct fault_row fails = {FAULT_CAS, .nth = 1, .lasting = true, .effect = FAULT_TRANSIENT};
    scene_fault(&stand->scene, &fails);
    process_fails(&stand->process, 0, UNREACHABLE);
    scene_fault(&stand->scene, NULL);
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

/* --- whoever watches the run hears of it -------------------------------------------------------------------------- */

/* A person's pause while somebody else has the catalog to himself. */
struct hearing {
    struct stand *stand;
    struct watch watch;
    struct run_config config;
    struct arena *mem;
    atomic_int signals;
    sqlite3 *other;
    int turns; /* of the watcher's, until the work has ended; the catalog is free again after the first */
    int sleeps;
    bool free_again, slept_stopped; /* slept_stopped: at the first of them the work was told to stop */
};

/* Whoever waits for the catalog sleeps. */
static void asleep_in_catalog(struct scene *scene, int64_t us)
{
    struct stand *stand = (struct stand *)(void *)scene;
    if (stand->hearing->sleeps++ == 0)
        stand->hearing->slept_stopped = atomic_load(&stand->stop);
}

static bool work_ended(void *self)
{
    struct hearing *hearing = self;
    if (hearing->free_again && hearing->turns == 1)
        sqlite3_exec(hearing->other, "COMMIT", NULL, NULL, NULL);
    return hearing->turns-- <= 0;
}

static void hear(struct hearing *io, struct stand *stand, int turns)
{
    struct hold *hold = stand->process.hold;
    io->stand = stand;
    io->turns = turns;
    io->mem = arena_new(1 << 20);
    io->config = *hold->config;
    io->config.signals = &io->signals;
    io->watch = (struct watch){.config = &io->config,
                               .catalog = hold->catalog,
                               .mem = io->mem,
                               .run = hold->run.id,
                               .stop = &stand->stop,
                               .ended = work_ended,
                               .self = io};
    watch_until_ended(&io->watch);
    arena_free(io->mem);
}

static void pause_while_the_catalog_is_taken(struct hearing *io, struct stand *stand)
{
    GError *error = NULL;
    int64_t id;
    struct wish wish = {.kind = WISH_PAUSE, .act = stand->process.hold->config->act};
    g_autofree char *path = g_build_filename(stand->scene.home, "catalog.db", NULL);
    kit_ok(catalog_wish_add(stand->process.hold->catalog, stand->process.hold->run.id, &wish, &id, &error));
    assert_int_equal(sqlite3_open(path, &io->other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(io->other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    stand->hearing = io;
    stand->scene.asleep = asleep_in_catalog;
}

static void the_work_stops_before_it_is_written_down_who_asked_for_it(void **state)
{
    struct stand *stand = begin(state, AS_IT_GOES);
    struct hearing hearing = {.free_again = true};
    pause_while_the_catalog_is_taken(&hearing, stand);
    hear(&hearing, stand, 2);
    sqlite3_close(hearing.other);
    assert_true(hearing.slept_stopped);
    assert_int_equal(hearing.watch.wish.kind, WISH_PAUSE);
    assert_false(hearing.watch.interrupted);
    goes_on(stand);
}

static void a_pause_that_cannot_be_written_down_is_an_interruption_and_stays_open(void **state)
{
    GError *error = NULL;
    struct stand *stand = begin(state, AS_IT_GOES);
    struct hearing hearing = {0};
    struct wish left = {0};
    pause_while_the_catalog_is_taken(&hearing, stand);
    hear(&hearing, stand, 1);
    sqlite3_close(hearing.other);
    assert_true(atomic_load(&stand->stop) && hearing.watch.interrupted);
    assert_int_equal(hearing.watch.wish.id, 0);
    auto_(arena) mem = arena_new(1 << 20);
    kit_ok(catalog_wish_next(stand->process.hold->catalog, stand->process.hold->run.id, mem, &left, &error));
    assert_int_equal(left.kind, WISH_PAUSE);
    goes_on(stand);
}

/* The crew's listener was faster than the watcher, and the workers than both. */
static void a_signal_that_ended_the_work_first_is_an_interruption(void **state)
{
    struct stand *stand = begin(state, AS_IT_GOES);
    struct hearing hearing = {.signals = 1};
    atomic_store(&stand->stop, true);
    hear(&hearing, stand, 0);
    assert_true(hearing.watch.interrupted);
    goes_on(stand);
}

/* The store fails for good while its run is interrupted. */
struct failing {
    struct scene scene; /* first: what sleeps is told of it */
    atomic_uint sleeps;
    atomic_int signals;
};

static void count_sleep(struct scene *scene, int64_t us)
{
    atomic_fetch_add(&((struct failing *)(void *)scene)->sleeps, 1);
}

/* The call does not go on before whoever watches has heard of it. */
static void interrupt_and_fail(void *self, const char *name)
{
    enum { SEEN = 20 };
    static const struct fault_row FAILS = {FAULT_CAS, .nth = 1, .effect = FAULT_FATAL};
    struct failing *failing = self;
    int64_t most_us = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;
    if (strcmp(name, "store.cas") != 0 || atomic_exchange(&failing->signals, 1))
        return;
    for (unsigned from = atomic_load(&failing->sleeps); atomic_load(&failing->sleeps) - from < SEEN;) {
        world_sleep_us(world_real(), 500, NULL);
        assert_true(g_get_monotonic_time() < most_us);
    }
    scene_fault(&failing->scene, &FAILS);
}

static void what_fails_while_it_is_interrupted_is_told_as_a_failure(void **state)
{
    struct failing failing = {0};
    struct ended ended;
    auto_(arena) mem = arena_new(1 << 20);
    struct scene *scene = &failing.scene;
    scene_init(scene, AS_IT_GOES, ONCE_MORE);
    scene_put(scene, "items", "a", "{\"times\":0}");
    scene->asleep = count_sleep;
    scene->signals = &failing.signals;
    scene->fake.world.point = interrupt_and_fail;
    scene->fake.world.point_self = &failing;
    scene_run(scene, &ended);
    if (ended.status != 6 || scene_row(scene, mem).state != RUN_FAILED)
        fail_msg("ended with %d: %s", ended.status, ended.text);
    ended_done(&ended);
    scene->signals = NULL;
    scene->fake.world.point = NULL;
    scene_fault(scene, NULL);
    scene_ran(scene, 0);
    scene_holds(scene, "items", "a", "{\"times\":1}");
    scene_done(scene);
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
        CASE(what_is_written_in_part_is_finished),
        CASE(a_store_that_fails_each_time_ends_the_run),
        CASE(between_two_tries_of_a_write_it_is_given_up),
        CASE(what_fails_for_the_time_being_is_not_tried_again),
        CASE(the_work_stops_before_it_is_written_down_who_asked_for_it),
        CASE(a_pause_that_cannot_be_written_down_is_an_interruption_and_stays_open),
        CASE(a_signal_that_ended_the_work_first_is_an_interruption),
        cmocka_unit_test(what_fails_while_it_is_interrupted_is_told_as_a_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
