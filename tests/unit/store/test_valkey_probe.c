/* How often the probe of live requests asks its server. Its clock stands but for its own sleeps, so that it is asked as
 * often as the pace says, however busy the machine is. */
#include "kit/patient.h"
#include "store/valkey/probe.h"
#include "store/valkey/valkey_store.h"
#include "test_valkey_kit.h"

enum { RUN_US = 1000000, PERMILLE_OFF = 150 };

struct asked {
    struct patient patient;
    int reads, writes;
};

static const struct {
    const char *begins, *says;
    size_t counter; /* 0: it is not counted */
} ANSWERS[] = {{"HELLO", "%1\r\n$6\r\nserver\r\n$5\r\nredis\r\n", 0},
               {"TIME", "*2\r\n$1\r\n1\r\n$1\r\n0\r\n", 0},
               {"HGETALL", "*0\r\n", 0},
               {"HGET", "$1\r\nv\r\n", offsetof(struct asked, reads)},
               {"HSET", ":0\r\n", offsetof(struct asked, writes)}};

static const char *says(struct asked *asked, const char *command)
{
    for (size_t i = 0; i < G_N_ELEMENTS(ANSWERS); i++)
        if (g_str_has_prefix(command, ANSWERS[i].begins)) {
            if (ANSWERS[i].counter)
                ++*(int *)((char *)asked + ANSWERS[i].counter);
            return ANSWERS[i].says;
        }
    return "+OK\r\n";
}

static void serve(struct peer *peer, int fd)
{
    for (;;) {
        g_autofree char *command = peer_command(fd);
        if (!command || !peer_say_text(fd, says(peer_self(peer), command)))
            return;
    }
}

/* What the server is asked by the probe within RUN_US; `idle`: one that has been felt, to which nothing was sent, and
 * whose probe rests now. */
static void probe(struct asked *asked, bool idle)
{
    GError *error = NULL;
    struct lone_router lone;
    struct live_probe *live;
    *asked = (struct asked){0};
    patient_init(&asked->patient, false);
    auto_(peer) peer = peer_start(serve, asked);
    auto_(pace) pace = pace_new(&(struct governor_promise){.share = 0.1}, 0);
    if (idle) {
        patient_feel(&asked->patient, pace, peer_port(peer));
        pace_tick(pace, world_monotonic_us(&asked->patient.world), GOVERNOR_TICK_US);
    }
    lone_router_init(&lone, &asked->patient.world, peer);
    struct valkey_store store = {.base.world = &asked->patient.world, .uri = lone.uri, .routes = lone.routes};
    kit_ok(valkey_probe_open(&live, (struct store *)&store, pace, &error));
    struct call call = {.deadline_us = world_monotonic_us(&asked->patient.world) + RUN_US};
    kit_ok(valkey_probe_run(live, &call, &error));
    valkey_probe_close(live);
    lone_router_done(&lone);
}

static void assert_about(int n, int64_t every_us)
{
    int64_t wanted = RUN_US / every_us, off = wanted * PERMILLE_OFF / 1000;
    assert_in_range(n, wanted - off, wanted + off);
}

static void a_server_is_probed_as_often_as_its_pace_says_by_reads_and_writes_in_turn(void **state)
{
    struct asked asked;
    probe(&asked, false);
    assert_about(asked.reads + asked.writes, PACE_PROBE_US);
    assert_in_range(asked.writes, asked.reads - 1, asked.reads + 1);
    probe(&asked, true);
    assert_in_range(asked.reads + asked.writes, 3, 2 * RUN_US / PACE_PROBE_REST_US);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_is_probed_as_often_as_its_pace_says_by_reads_and_writes_in_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
