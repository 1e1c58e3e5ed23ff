/* What a router does while it waits for its pace. Its clock stands but for its own sleeps, which it counts. */
#include "pace/servers.h"
#include "test_valkey_kit.h"

enum { COMMANDS = 20, FELT_US = 4000000, PROBE_US = 5000, LOOKS_MOST = 7 };

struct patient {
    struct world world;
    struct world_clock clock;
    int64_t now_us;
    int sleeps, gave_way;
};

static int64_t monotonic_us(void *self)
{
    return ((struct patient *)self)->now_us;
}

static void sleep_us(void *self, int64_t us, const atomic_bool *cancel)
{
    struct patient *patient = self;
    patient->now_us += us;
    patient->sleeps++;
}

static void give_way(void *self)
{
    ((struct patient *)self)->gave_way++;
}

static void serve(struct peer *peer, int fd)
{
    for (;;) {
        g_autofree char *asked = peer_command(fd);
        const char *says = asked && g_str_has_prefix(asked, "HELLO")  ? "%1\r\n$6\r\nserver\r\n$5\r\nredis\r\n"
                           : asked && g_str_has_prefix(asked, "INFO") ? "$11\r\nrole:master\r\n"
                                                                      : "+OK\r\n";
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
static void feel(struct pace *pace, const struct peer *peer)
{
    g_autofree char *name = g_strdup_printf("127.0.0.1:%u", peer_port(peer));
    for (int64_t now_us = 0; now_us < FELT_US; now_us += PROBE_US) {
        pace_felt(pace_server(pace, name), now_us, now_us + 100);
        if (now_us % GOVERNOR_TICK_US == 0)
            pace_tick(pace, now_us, now_us);
    }
}

static void ask_all(struct patient *patient, struct pace *pace)
{
    GError *error = NULL;
    struct lone_router lone;
    struct command commands[COMMANDS];
    struct slice args[] = {slice_of_text("GET"), slice_of_text("k")};
    int taken = 0;
    *patient = (struct patient){.world = *world_real(), .clock = *world_real()->clock, .now_us = FELT_US};
    patient->clock.monotonic_us = monotonic_us;
    patient->clock.sleep_us = sleep_us;
    patient->clock.give_way = give_way;
    patient->world.clock = &patient->clock;
    patient->world.clock_self = patient;
    auto_(peer) peer = peer_start(serve, NULL);
    if (pace)
        feel(pace, peer);
    lone_router_init(&lone, &patient->world, peer);
    routes_set_pace(lone.routes, pace);
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
    ask_all(&patient, pace);
    assert_true(patient.now_us - FELT_US >= (COMMANDS - 1) * 10000);
    assert_in_range(patient.sleeps, COMMANDS - 1, LOOKS_MOST * COMMANDS);
    assert_true(patient.gave_way > 0);
}

static void who_is_not_paced_neither_waits_nor_gives_way(void **state)
{
    struct patient patient;
    ask_all(&patient, NULL);
    assert_int_equal(patient.sleeps, 0);
    assert_int_equal(patient.gave_way, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_paced_gives_way_and_is_not_woken_before_it_is_due),
        cmocka_unit_test(who_is_not_paced_neither_waits_nor_gives_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
