/* What servers say of themselves, as readings of the guards. */
#include "guard/signals.h"
#include "kit/kit.h"

#define S INT64_C(1000000)

struct look {
    struct signals *signals;
    struct signal_reading readings[GUARD_COUNT];
};

static void look_at(struct look *look, const struct node_health *nodes, size_t n, int64_t now_s)
{
    signals_done(look->readings);
    signals_take(look->signals, nodes, n, now_s * S, look->readings);
}

static void look_done(struct look *look)
{
    signals_done(look->readings);
    signals_free(look->signals);
}

static struct node_health node_of(const char *name)
{
    struct node_health node = NODE_HEALTH_UNKNOWN;
    node.node = name;
    return node;
}

static void what_no_server_tells_is_not_measured(void **state)
{
    struct look look = {.signals = signals_new()};
    struct node_health node = node_of("a");
    look_at(&look, &node, 1, 1);
    for (size_t i = 0; i < GUARD_COUNT; i++)
        assert_int_equal(look.readings[i].found, SIGNAL_UNTOLD);
    node.memory_bytes = 10;
    node.memory_limit_bytes = 0; /* it may take what it likes */
    look_at(&look, &node, 1, 2);
    assert_int_equal(look.readings[GUARD_MEMORY].found, SIGNAL_UNTOLD);
    look_at(&look, NULL, 0, 3);
    assert_int_equal(look.readings[GUARD_MEMORY].found, SIGNAL_UNTOLD);
    look_done(&look);
}

static void each_figure_is_read_in_the_unit_of_its_guard(void **state)
{
    struct look look = {.signals = signals_new()};
    struct node_health node = node_of("a");
    node.memory_bytes = 30;
    node.memory_limit_bytes = 40;
    node.clients = 50;
    node.clients_limit = 200;
    node.lag_ms = 3000;
    node.lag_bytes = 77;
    node.replicas = 2;
    node.expired_ppm = 20000;
    node.saving = 1;
    node.stalled = 0;
    node.compaction_bytes = 1 << 20;
    node.evicted = 5;
    static const double WANTED[GUARD_COUNT] = {
        [GUARD_MEMORY] = 0.75,        [GUARD_CLIENTS] = 0.25, [GUARD_LAG] = 3000, [GUARD_LAG_BYTES] = 77,
        [GUARD_REPLICAS] = 2,         [GUARD_EXPIRED] = 0.02, [GUARD_SAVING] = 1, [GUARD_STALLS] = 0,
        [GUARD_COMPACTION] = 1 << 20, [GUARD_EVICTIONS] = 0};
    look_at(&look, &node, 1, 1);
    for (size_t i = 0; i < GUARD_COUNT; i++) {
        assert_int_equal(look.readings[i].found, SIGNAL_READ);
        assert_float_equal(look.readings[i].value, WANTED[i], 1e-9);
        assert_string_equal(look.readings[i].where, "a");
    }
    look_done(&look);
}

static void of_several_servers_the_worst_counts_and_is_named(void **state)
{
    struct look look = {.signals = signals_new()};
    struct node_health nodes[] = {node_of("a"), node_of("b"), node_of("c")};
    for (size_t i = 0; i < 3; i++) {
        nodes[i].replicas = (int64_t)(i == 1 ? 1 : 3);
        nodes[i].lag_ms = (int64_t)(i == 2 ? 9000 : 0);
    }
    look_at(&look, nodes, 3, 1);
    assert_string_equal(look.readings[GUARD_LAG].where, "c");
    assert_float_equal(look.readings[GUARD_LAG].value, 9000, 0);
    assert_string_equal(look.readings[GUARD_REPLICAS].where, "b");
    assert_float_equal(look.readings[GUARD_REPLICAS].value, 1, 0);
    look_done(&look);
}

static void evictions_are_a_rate_between_two_looks_of_one_server(void **state)
{
    struct look look = {.signals = signals_new()};
    struct node_health node = node_of("a");
    node.evicted = 1000;
    look_at(&look, &node, 1, 10);
    assert_float_equal(look.readings[GUARD_EVICTIONS].value, 0, 0);
    node.evicted = 1300;
    look_at(&look, &node, 1, 13);
    assert_float_equal(look.readings[GUARD_EVICTIONS].value, 100, 1e-9);
    node.evicted = 2; /* it was started anew */
    look_at(&look, &node, 1, 14);
    assert_float_equal(look.readings[GUARD_EVICTIONS].value, 0, 0);
    look_done(&look);
}

static void a_replica_that_its_server_has_lost_makes_the_lag_unknown_for_a_while(void **state)
{
    struct look look = {.signals = signals_new()};
    struct node_health node = node_of("a");
    node.replicas = 2;
    node.lag_ms = 0;
    look_at(&look, &node, 1, 1);
    assert_int_equal(look.readings[GUARD_LAG].found, SIGNAL_READ);
    node.replicas = 1;
    look_at(&look, &node, 1, 2);
    assert_int_equal(look.readings[GUARD_LAG].found, SIGNAL_LOST);
    assert_string_equal(look.readings[GUARD_LAG].why, "a has lost 1 of its 2 replicas");
    look_at(&look, &node, 1, 300);
    assert_int_equal(look.readings[GUARD_LAG].found, SIGNAL_LOST);
    node.replicas = 2; /* it is back */
    look_at(&look, &node, 1, 300);
    assert_int_equal(look.readings[GUARD_LAG].found, SIGNAL_READ);
    node.replicas = 0;
    node.lag_ms = -1;
    look_at(&look, &node, 1, 301);
    assert_int_equal(look.readings[GUARD_LAG].found, SIGNAL_LOST);
    look_at(&look, &node, 1, 700); /* it does not come back: then there is none */
    assert_int_equal(look.readings[GUARD_LAG].found, SIGNAL_READ);
    assert_float_equal(look.readings[GUARD_LAG].value, 0, 0);
    look_done(&look);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_no_server_tells_is_not_measured),
        cmocka_unit_test(each_figure_is_read_in_the_unit_of_its_guard),
        cmocka_unit_test(of_several_servers_the_worst_counts_and_is_named),
        cmocka_unit_test(evictions_are_a_rate_between_two_looks_of_one_server),
        cmocka_unit_test(a_replica_that_its_server_has_lost_makes_the_lag_unknown_for_a_while),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
