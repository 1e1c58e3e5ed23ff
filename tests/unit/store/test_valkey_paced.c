/* What a router does while it waits for its pace. Its clock stands but for its own sleeps, which it counts; where what
 * is promised is taken off, somebody else's as well. */
#include "pace/servers.h"
#include "test_valkey_kit.h"

enum { COMMANDS = 20, FELT_US = 4000000, PROBE_US = 5000, LOOKS_MOST = 7, LATE_US = 100000 };

struct patient {
    struct world world;
    struct world_clock clock;
    int64_t slept_us;
    bool goes; /* its clock */
    int sleeps, gave_way;
    struct routes
        *unpaced; /* who is told when the first command has come that nothing is promised any more; NULL: nobody */
};

static int64_t monotonic_us(void *self)
{
    const struct patient *patient = self;
    return FELT_US + patient->slept_us + (patient->goes ? world_monotonic_us(world_real()) : 0);
}

static void sleep_us(void *self, int64_t us, const atomic_bool *cancel)
{
    struct patient *patient = self;
    patient->slept_us += us;
    patient->sleeps++;
}

static void give_way(void *self)
{
    ((struct patient *)self)->gave_way++;
}

/* The router looks again while it waits for the answer: what it is paced by is gone then. */
static void unpace(struct patient *patient)
{
    if (!patient->unpaced)
        return;
    routes_set_pace(patient->unpaced, NULL);
    patient->unpaced = NULL;
    world_sleep_us(world_real(), LATE_US, NULL);
}

static void serve(struct peer *peer, int fd)
{
    for (;;) {
        g_autofree char *asked = peer_command(fd);
        const char *says = asked && g_str_has_prefix(asked, "HELLO")  ? "%1\r\n$6\r\nserver\r\n$5\r\nredis\r\n"
                           : asked && g_str_has_prefix(asked, "INFO") ? "$11\r\nrole:master\r\n"
                                                                      : "+OK\r\n";
        if (asked && g_str_has_prefix(asked, "GET"))
            unpace(peer_self(peer));
        if (!asked || !peer_say_text(fd, says))
            return;
    }
}

static bool take(void *self, size_t i, const struct reply *reply, GError **error)
{
    (*(int *)self)++;
    return true;
}

/* Until there is a baseline, and the least of all windows. */
static void feel(struct pace *pace, const struct peer *peer, int64_t begun_us)
{
    g_autofree char *name = g_strdup_printf("127.0.0.1:%u", peer_port(peer));
    for (int64_t us = 0; us < FELT_US; us += PROBE_US) {
        pace_felt(pace_server(pace, name), begun_us + us, begun_us + us + 100);
        if (us % GOVERNOR_TICK_US == 0)
            pace_tick(pace, begun_us + us, us);
    }
}

static void ask_all(struct patient *patient, struct pace *pace, bool taken_off)
{
    GError *error = NULL;
    struct lone_router lone;
    struct command commands[COMMANDS];
    struct slice args[] = {slice_of_text("GET"), slice_of_text("k")};
    int taken = 0;
    *patient = (struct patient){
        .world = *world_real(),
        .clock = *world_real()->clock,
    };
    patient->goes = taken_off;
    patient->clock.monotonic_us = monotonic_us;
    patient->clock.sleep_us = sleep_us;
    patient->clock.give_way = give_way;
    patient->world.clock = &patient->clock;
    patient->world.clock_self = patient;
    auto_(peer) peer = peer_start(serve, patient);
    if (pace)
        feel(pace, peer, monotonic_us(patient) - FELT_US);
    lone_router_init(&lone, &patient->world, peer);
    routes_set_pace(lone.routes, pace);
    patient->unpaced = taken_off ? lone.routes : NULL;
    for (int i = 0; i < COMMANDS; i++)
        commands[i] = (struct command){.args = args, .n_args = G_N_ELEMENTS(args), .repeatable = true};
    struct route_wish wish = {.commands = commands, .n = COMMANDS, .answer = take, .self = &taken};
    struct call call = {.deadline_us = INT64_MAX / 2};
    kit_ok(router_run(lone.router, &call, &wish, &error));
    assert_int_equal(taken, COMMANDS);
    lone_router_done(&lone);
}

static void who_is_paced_gives_way_and_is_not_woken_before_it_is_due(void **state)
{
    struct patient patient;
    auto_(pace) pace = pace_new(&(struct governor_promise){.share = 0.1}, 0);
    ask_all(&patient, pace, false);
    assert_true(patient.slept_us >= (COMMANDS - 1) * 10000);
    assert_in_range(patient.sleeps, COMMANDS - 1, LOOKS_MOST * COMMANDS);
    assert_true(patient.gave_way > 0);
}

static void who_is_not_paced_neither_waits_nor_gives_way(void **state)
{
    struct patient patient;
    ask_all(&patient, NULL, false);
    assert_int_equal(patient.sleeps, 0);
    assert_int_equal(patient.gave_way, 0);
}

static void a_promise_that_is_taken_off_while_a_reply_is_waited_for_is_gone_at_once(void **state)
{
    struct patient patient;
    auto_(pace) pace = pace_new(&(struct governor_promise){.share = 0.1}, world_monotonic_us(world_real()));
    ask_all(&patient, pace, true);
    assert_null(patient.unpaced);
    assert_in_range(patient.sleeps, 0, LOOKS_MOST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_paced_gives_way_and_is_not_woken_before_it_is_due),
        cmocka_unit_test(a_promise_that_is_taken_off_while_a_reply_is_waited_for_is_gone_at_once),
        cmocka_unit_test(who_is_not_paced_neither_waits_nor_gives_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
