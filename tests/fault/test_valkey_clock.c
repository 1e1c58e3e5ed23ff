/* The probe of live requests where our clock is far from the server's: its key stays while it is probed, and for an
 * hour by the server's clock behind that. */
#include "kit/kit.h"
#include "kit/servers.h"
#include "pace/servers.h"
#include "store/calls.h"

#define HOUR_MS  INT64_C(3600000)
#define PROBE_US 200000
#define ROUNDS   3

/* The real world, whose wall clock is off. */
struct off {
    struct world world;
    struct world_clock clock;
    int64_t by_ms;
};

static int64_t wall_ms(void *self)
{
    return world_wall_ms(world_real()) + ((struct off *)self)->by_ms;
}

static int64_t monotonic_us(void *self)
{
    return world_monotonic_us(world_real());
}

static void sleep_us(void *self, int64_t us, const atomic_bool *cancel)
{
    world_sleep_us(world_real(), us, cancel);
}

static void off_init(struct off *off, int64_t by_ms)
{
    *off = (struct off){.world = *world_real(), .by_ms = by_ms};
    off->clock = (struct world_clock){.wall_ms = wall_ms, .monotonic_us = monotonic_us, .sleep_us = sleep_us};
    off->world.clock = &off->clock;
    off->world.clock_self = off;
}

static int set_up(void **state)
{
    struct servers *servers = g_new0(struct servers, 1);
    servers_start_alone(servers);
    *state = servers;
    return 0;
}

static int tear_down(void **state)
{
    servers_end(*state);
    g_free(*state);
    return 0;
}

/* Three times, so that it would say that its key is gone again and again. */
static void probe(const struct servers *servers, const struct world *world)
{
    GError *error = NULL;
    struct store *store;
    struct live_probe *live;
    struct governor_promise promise = {.share = 0.1};
    g_autofree char *uri = g_strdup_printf("valkey://127.0.0.1:%u", servers->ports[0]);
    struct store_config config = {.uri = uri, .base_dir = servers->dir};
    struct store_registry *registry = store_registry_new(world, NULL);
    kit_ok(store_open(&store, registry, &config, &error));
    auto_(pace) pace = pace_new(&promise, world_monotonic_us(world));
    const struct probe_ops *ops = store_driver(store)->probe;
    pace_introduce(pace, "aaaa", "a test");
    kit_ok(ops->open(&live, store, pace, &error));
    for (int round = 0; round < ROUNDS; round++) {
        struct call call = {.deadline_us = world_monotonic_us(world) + PROBE_US};
        kit_ok(ops->run(live, &call, &error));
    }
    ops->close(live);
    store_release(registry, store);
    store_registry_free(registry);
}

static int64_t ask_number(const struct servers *servers, const char *command)
{
    g_autofree char *said = servers_ask(servers, 0, command, false);
    assert_int_equal(said[0], ':');
    return g_ascii_strtoll(said + 1, NULL, 10);
}

static void its_key_expires_by_the_servers_clock(void **state)
{
    struct servers *servers = *state;
    static const int64_t BY_MS[] = {0, -2 * HOUR_MS, 100 * HOUR_MS};
    servers_or_skip(servers);
    for (size_t i = 0; i < G_N_ELEMENTS(BY_MS); i++) {
        struct off off;
        off_init(&off, BY_MS[i]);
        probe(servers, &off.world);
        int64_t left_ms = ask_number(servers, "PTTL sluice:probe");
        assert_in_range(left_ms, 1, HOUR_MS);
        ask_number(servers, "DEL sluice:probe");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_key_expires_by_the_servers_clock),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
