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

static void a_clock_is_off_by_what_no_delay_of_its_reading_explains(void **state)
{
    (void)state;
    struct node_health node = node_of("a");
    assert_true(signals_clock_ms(&node, 1000, 1010) < 0);
    node.clock_ms = 1004;
    assert_true(signals_clock_ms(&node, 1000, 1010) < 1);
    node.clock_ms = 940;
    assert_int_equal((int)signals_clock_ms(&node, 1000, 1010), 60);
    node.clock_ms = 1510;
    assert_int_equal((int)signals_clock_ms(&node, 1000, 1010), 500);
}

static void growth_is_of_the_worst_server_and_amplification_of_all_by_what_was_written(void **state)
{
    enum { MIB = 1 << 20 };
    struct look look = {.signals = signals_new()};
    struct node_health nodes[] = {node_of("a"), node_of("b")};
    (void)state;
    nodes[0].data_bytes = 100 * MIB;
    nodes[1].data_bytes = 50 * MIB;
    signals_wrote(look.signals, 7 * MIB); /* before anyone looked */
    look_at(&look, nodes, 2, 1);
    assert_true(look.readings[GUARD_GROWTH].value <= 0 && look.readings[GUARD_AMPLIFICATION].value <= 0);
    nodes[0].data_bytes = 104 * MIB;
    nodes[1].data_bytes = 52 * MIB;
    look_at(&look, nodes, 2, 2);
    assert_int_equal(look.readings[GUARD_GROWTH].value / MIB, 4);
    assert_string_equal(look.readings[GUARD_GROWTH].where, "a");
    assert_true(look.readings[GUARD_AMPLIFICATION].value <= 0); /* nothing was written yet */
    signals_wrote(look.signals, 9 * MIB);
    look_at(&look, nodes, 2, 3);
    assert_int_equal(look.readings[GUARD_AMPLIFICATION].value, 3);
    nodes[0].data_bytes = 90 * MIB; /* it has become smaller */
    look_at(&look, nodes, 2, 4);
    assert_int_equal(look.readings[GUARD_GROWTH].value / MIB, 2);
    assert_true(look.readings[GUARD_AMPLIFICATION].value <= 0);
    look_done(&look);
}

/* The worse of keys and bytes; of little that is forecast so much as others may do beside it. */
static void a_growth_is_held_against_what_was_forecast(void **state)
{
    enum { MIB = 1 << 20 };
    struct look look = {.signals = signals_new()};
    struct node_health nodes[] = {node_of("a"), node_of("b")};
    const struct signals_forecast forecast = {.known = true, .keys = 4000, .bytes = 32 * MIB};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        nodes[i].data_bytes = 100 * MIB;
        nodes[i].keys = 50000;
    }
    signals_expect(look.signals, &forecast);
    look_at(&look, nodes, 2, 1);
    assert_float_equal(look.readings[GUARD_FORECAST].value, 0, 1e-9);
    nodes[0].keys += 3000;
    nodes[1].keys += 3000;
    nodes[1].data_bytes += 32 * MIB;
    look_at(&look, nodes, 2, 2);
    assert_float_equal(look.readings[GUARD_FORECAST].value, 1.5, 1e-9);
    assert_non_null(strstr(look.readings[GUARD_FORECAST].where, "6000 keys more, 4000 forecast"));
    nodes[0].data_bytes += 32 * MIB;
    look_at(&look, nodes, 2, 3);
    assert_float_equal(look.readings[GUARD_FORECAST].value, 2, 1e-9);
    signals_expect(look.signals, &(struct signals_forecast){.known = true});
    look_at(&look, nodes, 2, 4);
    assert_float_equal(look.readings[GUARD_FORECAST].value, 6, 1e-9); /* of 1,000 keys; 64 MiB are 4 times 16 */
    nodes[0].data_bytes = nodes[1].data_bytes = -1;
    look_at(&look, nodes, 2, 5);
    assert_int_equal(look.readings[GUARD_FORECAST].found, SIGNAL_UNTOLD);
    look_done(&look);
}

static void who_goes_on_counts_from_where_the_one_before_began(void **state)
{
    enum { MIB = 1 << 20 };
    struct look look = {.signals = signals_new()}, next = {.signals = signals_new()};
    struct node_health node = node_of("a");
    g_autoptr(GArray) bases = g_array_new(FALSE, FALSE, sizeof(struct signals_base));
    (void)state;
    g_array_set_clear_func(bases, signals_base_clear);
    node.data_bytes = 100 * MIB;
    signals_wrote(look.signals, MIB);
    look_at(&look, &node, 1, 1);
    signals_bases(look.signals, bases);
    assert_int_equal(bases->len, 1);
    signals_recall(next.signals, &g_array_index(bases, struct signals_base, 0));
    node.data_bytes = 110 * MIB;
    signals_wrote(next.signals, 3 * MIB);
    look_at(&next, &node, 1, 1);
    assert_float_equal(next.readings[GUARD_GROWTH].value, 10 * MIB, 1e-9);
    assert_float_equal(next.readings[GUARD_AMPLIFICATION].value, 5, 1e-9);
    look_done(&look);
    look_done(&next);
}

static void each_figure_is_read_in_the_unit_of_its_guard(void **state)
{
    struct look look = {.signals = signals_new()};
    struct node_health node = node_of("a");
    node.memory_bytes = 30;
    node.memory_limit_bytes = 40;
    node.data_bytes = 30;
    node.clients = 50;
    node.clients_limit = 200;
    node.queued_bytes = 4096;
    node.lag_ms = 3000;
    node.lag_bytes = 77;
    node.replicas = 2;
    node.expired_ppm = 20000;
    node.cpu_us = 7;
    node.saving = 1;
    node.stalled = 0;
    node.compaction_bytes = 1 << 20;
    node.evicted = 5;
    static const double WANTED[GUARD_COUNT] = {
        [GUARD_MEMORY] = 0.75,        [GUARD_CLIENTS] = 0.25, [GUARD_LAG] = 3000, [GUARD_LAG_BYTES] = 77,
        [GUARD_REPLICAS] = 2,         [GUARD_EXPIRED] = 0.02, [GUARD_SAVING] = 1, [GUARD_STALLS] = 0,
        [GUARD_COMPACTION] = 1 << 20, [GUARD_EVICTIONS] = 0,  [GUARD_CPU] = 0,    [GUARD_QUEUES] = 4096};
    look_at(&look, &node, 1, 1);
    for (size_t i = 0; i < GUARD_COUNT; i++) {
        assert_int_equal(look.readings[i].found, SIGNAL_READ);
        assert_float_equal(look.readings[i].value, WANTED[i], 1e-9);
        bool together = i == GUARD_AMPLIFICATION || i == GUARD_FORECAST;
        assert_true(together || strcmp(look.readings[i].where, "a") == 0);
    }
    look_done(&look);
}

static void a_lag_is_of_the_replica_that_has_it_and_nothing_else_is(void **state)
{
    struct look look = {.signals = signals_new()};
    struct node_health node = node_of("a");
    node.replicas = 2;
    node.slowest = "b";
    node.lag_ms = node.lag_bytes = 3000;
    look_at(&look, &node, 1, 1);
    assert_string_equal(look.readings[GUARD_LAG].where, "b, replica of a");
    assert_string_equal(look.readings[GUARD_LAG_BYTES].where, "b, replica of a");
    assert_string_equal(look.readings[GUARD_REPLICAS].where, "a");
    node.lag_ms = node.lag_bytes = 0;
    look_at(&look, &node, 1, 2);
    assert_string_equal(look.readings[GUARD_LAG].where, "a");
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

static void cpu_is_the_share_of_a_processor_between_two_looks(void **state)
{
    static const struct {
        int64_t used_us, at_s;
        double share;
    } LOOKS[] = {{5000000, 10, 0}, {6500000, 13, 0.5}, {9500000, 15, 1}, {100000, 16, 0}, {350000, 17, 0.25}};
    struct look look = {.signals = signals_new()};
    struct node_health node = node_of("a");
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(LOOKS);
         i++) { /* the third is more than there is; before the fourth it was started anew */
        node.cpu_us = LOOKS[i].used_us;
        look_at(&look, &node, 1, LOOKS[i].at_s);
        assert_float_equal(look.readings[GUARD_CPU].value, LOOKS[i].share, 1e-9);
    }
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

/* Of the newest look: what its servers told then. */
static void a_server_whose_clock_jumps_neither_makes_a_lag_nor_hides_one(void **state)
{
    static const struct {
        int64_t at_s, told_s, lag_s; /* told by the server; as it is reckoned */
    } LOOKS[] = {
        {100, 0, 0},     {101, 1, 1},   {102, 3601, 2}, /* an hour forward: the replica answers once a second */
        {103, 0, 0},                                    /* it has */
        {104, -3599, 1},                                /* and back */
        {105, 1, 1},     {106, -60, 2},                 /* back once more, and now it is silent */
        {107, -59, 3},   {111, -55, 7}, {112, 3600, 8}, /* forward */
        {113, 0, 0},     {120, 7, 7},                   /* silent, by a clock that goes on */
    };
    struct look look = {.signals = signals_new()};
    struct node_health nodes[] = {node_of("a"), node_of("b")};
    for (size_t i = 0; i < G_N_ELEMENTS(LOOKS); i++) {
        nodes[0].replicas = nodes[1].replicas = 1;
        nodes[0].lag_ms = LOOKS[i].told_s < 0 ? NODE_LAG_UNTOLD : LOOKS[i].told_s * 1000;
        nodes[1].lag_ms = 0;
        look_at(&look, nodes, 2, LOOKS[i].at_s);
        assert_int_equal(look.readings[GUARD_LAG].found, SIGNAL_READ);
        assert_int_equal((int64_t)look.readings[GUARD_LAG].value, LOOKS[i].lag_s * 1000);
    }
    look_done(&look);
}

/* Whoever takes a run up looks at it for the first time. */
static void a_lag_that_is_untold_at_first_counts_from_there_on(void **state)
{
    struct look look = {.signals = signals_new()};
    struct node_health node = node_of("a");
    node.replicas = 1;
    node.lag_ms = NODE_LAG_UNTOLD;
    for (int64_t s = 0; s < 5; s++) {
        look_at(&look, &node, 1, 100 + s);
        assert_int_equal(look.readings[GUARD_LAG].found, SIGNAL_READ);
        assert_int_equal((int64_t)look.readings[GUARD_LAG].value, s * 1000);
    }
    look_done(&look);
}

static void a_replica_that_was_promoted_and_has_none_of_its_own_lags_behind_nobody(void **state)
{
    struct look look = {.signals = signals_new()};
    struct node_health before = node_of("a"), after = node_of("b");
    before.replicas = 1;
    before.lag_ms = before.lag_bytes = 3000;
    look_at(&look, &before, 1, 1);
    assert_int_equal(look.readings[GUARD_LAG].found, SIGNAL_READ);
    after.replicas = 0;
    look_at(&look, &after, 1, 2);
    for (size_t i = 0; i < 2; i++) {
        enum spec_guard guard = i == 0 ? GUARD_LAG : GUARD_LAG_BYTES;
        assert_int_equal(look.readings[guard].found, SIGNAL_READ);
        assert_float_equal(look.readings[guard].value, 0, 0);
    }
    look_done(&look);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_no_server_tells_is_not_measured),
        cmocka_unit_test(a_clock_is_off_by_what_no_delay_of_its_reading_explains),
        cmocka_unit_test(growth_is_of_the_worst_server_and_amplification_of_all_by_what_was_written),
        cmocka_unit_test(a_growth_is_held_against_what_was_forecast),
        cmocka_unit_test(who_goes_on_counts_from_where_the_one_before_began),
        cmocka_unit_test(each_figure_is_read_in_the_unit_of_its_guard),
        cmocka_unit_test(a_lag_is_of_the_replica_that_has_it_and_nothing_else_is),
        cmocka_unit_test(of_several_servers_the_worst_counts_and_is_named),
        cmocka_unit_test(cpu_is_the_share_of_a_processor_between_two_looks),
        cmocka_unit_test(evictions_are_a_rate_between_two_looks_of_one_server),
        cmocka_unit_test(a_replica_that_its_server_has_lost_makes_the_lag_unknown_for_a_while),
        cmocka_unit_test(a_server_whose_clock_jumps_neither_makes_a_lag_nor_hides_one),
        cmocka_unit_test(a_lag_that_is_untold_at_first_counts_from_there_on),
        cmocka_unit_test(a_replica_that_was_promoted_and_has_none_of_its_own_lags_behind_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
