/* All guards of a run together: what is fed in, what nothing measures, the verdict of them all. Without threads, but
 * for the last one. */
#include <jansson.h>
#include <math.h>

#include "guard/guards.h"
#include "kit/fake_world.h"
#include "kit/kit.h"
#include "store/mem/mem.h"

#define S INT64_C(1000000)
enum { ROUNDS = 200 };

static void contains(const char *text, const char *part)
{
    if (!text || !strstr(text, part))
        fail_msg("'%s' does not hold '%s'", text ? text : "nothing", part);
}

struct fixture {
    struct fake_world fake;
    struct store_registry *registry;
    struct store *store;
    struct dataset ds;
    struct guards *guards;
    struct guards_limits limits;
};

static int begin(void **state)
{
    struct fixture *fx = g_new0(struct fixture, 1);
    struct store_config config = {.uri = "mem:guards", .base_dir = "."};
    GError *error = NULL;
    fake_world_init(&fx->fake);
    fx->registry = store_registry_new(&fx->fake.world, (const struct store_driver *const[]){&mem_driver, NULL});
    kit_ok(store_open(&fx->store, fx->registry, &config, &error));
    fx->ds = (struct dataset){.name = "items"};
    struct guards_config guards = {
        .world = &fx->fake.world, .base_dir = ".", .target = fx->store, .target_ds = &fx->ds};
    fx->guards = guards_new(&guards);
    fx->limits.hold_ms = 10000;
    for (enum spec_guard i = 0; i < GUARD_COUNT; i++)
        fx->limits.of[i] = guard_none(guard_row(i)->below);
    *state = fx;
    return 0;
}

static int end(void **state)
{
    struct fixture *fx = *state;
    guards_free(fx->guards);
    store_release(fx->registry, fx->store);
    store_registry_free(fx->registry);
    g_free(fx);
    return 0;
}

/* A second later: `name` is fed. */
static void feed(struct fixture *fx, const char *name, double value, const char *why)
{
    struct guards_feed feed = {.name = name,
                               .source = "the test",
                               .steers = strcmp(name, "two") == 0,
                               .unit = GUARD_UNIT_NUMBER,
                               .rule = guard_rule_of(1, 1, false, 3 * S),
                               .value = value,
                               .why = why};
    world_sleep_us(&fx->fake.world, S, NULL);
    guards_feed(fx->guards, &feed);
}

static void verdict_is(struct fixture *fx, enum guard_level level, const char *words)
{
    struct guards_verdict verdict;
    guards_judge(fx->guards, &fx->limits, &verdict);
    assert_int_equal(verdict.level, level);
    if (words)
        contains(verdict.words, words);
    else
        assert_null(verdict.words);
    guards_verdict_done(&verdict);
}

static void of_a_store_that_tells_nothing_nothing_is_watched(void **state)
{
    struct fixture *fx = *state;
    struct guards_verdict verdict;
    guards_judge(fx->guards, &fx->limits, &verdict);
    assert_true(verdict.ready);
    assert_false(verdict.beyond);
    assert_int_equal(verdict.level, GUARD_LEVEL_OK);
    char *json = guards_json(fx->guards);
    assert_string_equal(json, "[]");
    free(json);
}

static void the_worst_of_them_is_the_verdict_and_of_equals_the_first(void **state)
{
    struct fixture *fx = *state;
    feed(fx, "one", 0, NULL);
    feed(fx, "other", 0, NULL);
    verdict_is(fx, GUARD_LEVEL_OK, NULL);
    feed(fx, "other", 2, NULL);
    verdict_is(fx, GUARD_LEVEL_SLOW, "other: 2, above its limit of 1");
    feed(fx, "one", 3, "it is three");
    verdict_is(fx, GUARD_LEVEL_SLOW, "one: it is three");
    feed(fx, "other", 2, NULL);
    feed(fx, "other", 2, NULL);
    verdict_is(fx, GUARD_LEVEL_PAUSE, "other: 2, above its limit of 1");
}

static void a_breach_that_has_not_held_yet_is_no_time_to_begin(void **state)
{
    struct fixture *fx = *state;
    struct guards_verdict verdict;
    feed(fx, "one", 2, NULL);
    guards_judge(fx->guards, &fx->limits, &verdict);
    assert_true(verdict.ready && verdict.beyond);
    guards_verdict_done(&verdict);
    feed(fx, "one", 1, NULL);
    guards_judge(fx->guards, &fx->limits, &verdict);
    assert_false(verdict.beyond);
    guards_verdict_done(&verdict);
}

static void one_that_is_fed_no_longer_fails_closed_and_says_so(void **state)
{
    struct fixture *fx = *state;
    feed(fx, "one", 0, NULL);
    feed(fx, "one", NAN, "nobody knows");
    verdict_is(fx, GUARD_LEVEL_OK, NULL);
    world_sleep_us(&fx->fake.world, 3 * S, NULL);
    verdict_is(fx, GUARD_LEVEL_PAUSE, "one: it cannot be read: nobody knows");
    feed(fx, "one", 0, NULL);
    verdict_is(fx, GUARD_LEVEL_PAUSE, "one: it could not be read, and must stay within its limit for 3s now");
    for (int i = 0; i < 3; i++)
        feed(fx, "one", 0, NULL);
    verdict_is(fx, GUARD_LEVEL_OK, NULL);
}

static void of_one_whose_reader_hangs_it_is_said_for_how_long(void **state)
{
    struct fixture *fx = *state;
    feed(fx, "one", 0, NULL);
    world_sleep_us(&fx->fake.world, 4 * S, NULL);
    verdict_is(fx, GUARD_LEVEL_PAUSE, "one: it cannot be read: nothing was heard of it for 4s");
    feed(fx, "one", 0, NULL);
    verdict_is(fx, GUARD_LEVEL_PAUSE, "one: it could not be read, and must stay within its limit for 3s now");
}

static void one_that_is_dropped_holds_nobody_any_more_and_begins_anew(void **state)
{
    struct fixture *fx = *state;
    guards_drop(fx->guards, "one"); /* never fed: fine */
    for (int i = 0; i < 5; i++)
        feed(fx, "one", 2, NULL);
    verdict_is(fx, GUARD_LEVEL_PAUSE, "one: 2");
    guards_drop(fx->guards, "one");
    verdict_is(fx, GUARD_LEVEL_OK, NULL);
    feed(fx, "one", 2, NULL);
    verdict_is(fx, GUARD_LEVEL_SLOW, "one: 2");
}

static void what_status_shows_has_value_limit_and_level(void **state)
{
    struct fixture *fx = *state;
    feed(fx, "one", 2, NULL);
    char *json = guards_json(fx->guards);
    contains(json, "\"name\":\"one\",\"unit\":\"number\",\"source\":\"the test\",\"kind\":\"limit\"");
    contains(json, "\"level\":\"slow\"");
    contains(json, "\"value\":2.0");
    contains(json, "\"limit\":1.0");
    free(json);
}

static void a_limit_that_was_set_where_nothing_measures_it_is_shown_as_not_watched(void **state)
{
    struct fixture *fx = *state;
    fx->limits.of[GUARD_STALLS] = GUARD_WORD_SLOW;
    fx->limits.of[GUARD_CLIENTS] = 0.9; /* what a plan takes where nobody asks */
    verdict_is(fx, GUARD_LEVEL_OK, NULL);
    char *json = guards_json(fx->guards);
    contains(json, "\"name\":\"stalls\"");
    contains(json, "\"error\":\"no server of the target tells it: it is not watched\"");
    assert_null(strstr(json, "clients"));
    free(json);
}

#define HOUR_MS INT64_C(3600000)

/* A server whose clock is wrong by years, and which is well otherwise. */
static bool ahead(struct session *session, const struct call *call, GArray *into, GError **error)
{
    struct node_health node = NODE_HEALTH_UNKNOWN;
    node.node = "one";
    node.memory_limit_bytes = 100;
    node.memory_bytes = 10;
    node.clock_ms = HOUR_MS;
    g_array_append_val(into, node);
    return true;
}

/* One reading, and nobody who judges finds a part of it: whoever begins to write does so by the first that is there. */
static void a_reading_of_the_servers_is_there_as_a_whole(void **state)
{
    struct fixture *fx = *state;
    struct store_driver table = mem_driver;
    struct store *store;
    GError *error = NULL;
    table.health = ahead;
    struct store_registry *registry =
        store_registry_new(world_real(), (const struct store_driver *const[]){&table, NULL});
    struct store_config config = {.uri = "mem:guards", .base_dir = "."};
    kit_ok(store_open(&store, registry, &config, &error));
    struct guards_config of = {.world = world_real(), .base_dir = ".", .target = store, .target_ds = &fx->ds};
    struct guards_limits limits = fx->limits;
    limits.of[GUARD_MEMORY] = 0.5;
    limits.hold_ms = 0;
    limits.skew_ms = 1000;
    for (int round = 0; round < ROUNDS; round++) {
        auto_(guards) guards = guards_new(&of);
        struct guards_verdict verdict = {0};
        do {
            guards_verdict_done(&verdict);
            guards_judge(guards, &limits, &verdict);
        } while (!verdict.ready);
        if (verdict.level != GUARD_LEVEL_HALT)
            fail_msg("round %d: it is ready with level %d", round, (int)verdict.level);
        guards_verdict_done(&verdict);
    }
    store_release(registry, store);
    store_registry_free(registry);
}

static void level_is(struct fixture *fx, enum guard_level level, bool clears)
{
    struct guards_verdict verdict;
    guards_judge(fx->guards, &fx->limits, &verdict);
    assert_int_equal(verdict.level, level);
    assert_int_equal(verdict.clears, clears);
    guards_verdict_done(&verdict);
}

/* Whoever takes the run up has seen nothing yet: what is neither beyond the limit nor well within it changes nothing.
 */
static void what_had_paused_the_run_in_another_process_holds_it_until_it_is_clear(void **state)
{
    struct fixture *fx = *state;
    guards_recall_pause(fx->guards, "one", false);
    feed(fx, "other", 0.95, NULL);
    level_is(fx, GUARD_LEVEL_OK, false);
    guards_drop(fx->guards, "other");
    for (int i = 0; i < 5; i++) {
        feed(fx, "one", 0.95, NULL);
        level_is(fx, GUARD_LEVEL_PAUSE, false);
    }
    for (int i = 0; i < 3; i++) {
        feed(fx, "one", 0.5, NULL);
        level_is(fx, GUARD_LEVEL_PAUSE, true);
    }
    feed(fx, "one", 0.5, NULL);
    level_is(fx, GUARD_LEVEL_OK, false);
    feed(fx, "one", 0.95, NULL); /* of now on, as of any */
    level_is(fx, GUARD_LEVEL_OK, false);
}

static void what_could_not_be_read_then_need_only_be_within_its_limit(void **state)
{
    struct fixture *fx = *state;
    guards_recall_pause(fx->guards, "one", true);
    for (int i = 0; i < 3; i++) {
        feed(fx, "one", 0.95, NULL);
        level_is(fx, GUARD_LEVEL_PAUSE, true);
    }
    feed(fx, "one", 0.95, NULL);
    level_is(fx, GUARD_LEVEL_OK, false);
}

static char *limit_text_of(const struct fixture *fx, const struct spec_signal *signal, double limit)
{
    struct guards_config of = {.world = world_real(),
                               .base_dir = ".",
                               .target = fx->store,
                               .target_ds = &fx->ds,
                               .signals = signal,
                               .n_signals = 1};
    struct guards_limits limits = fx->limits;
    auto_(guards) guards = guards_new(&of);
    struct guards_verdict verdict = {0};
    limits.signals[0] = limit;
    do {
        guards_verdict_done(&verdict);
        guards_judge(guards, &limits, &verdict);
    } while (!verdict.ready);
    guards_verdict_done(&verdict);
    char *text = guards_json(guards);
    json_t *json = json_loads(text, 0, NULL);
    char *limit_text = g_strdup(json_string_value(json_object_get(json_array_get(json, 0), "limit_text")));
    json_decref(json);
    free(text);
    return limit_text;
}

static void who_sets_the_limit_of_a_signal_leaves_its_nearer_one_as_long_as_it_is_that(void **state)
{
    static const struct {
        double limit, slow;
        bool below;
        double set;
        const char *text;
    } ROWS[] = {
        {250, 100, false, 250, "250, slow from 100"},
        {250, 100, false, 400, "400, slow from 100"},
        {250, 100, false, 80, "80"},
        {250, 250, false, 400, "400"}, /* it has none */
        {10, 50, true, 5, "5, slow from 50"},
        {10, 50, true, 60, "60"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct spec_signal signal = {.name = "queue",
                                     .shell = "echo 1000",
                                     .limit = ROWS[i].limit,
                                     .slow = ROWS[i].slow,
                                     .below = ROWS[i].below,
                                     .every_ms = 60000,
                                     .timeout_ms = 60000};
        g_autofree char *text = limit_text_of(*state, &signal, ROWS[i].set);
        if (g_strcmp0(text, ROWS[i].text) != 0)
            fail_msg("row %zu: %s", i, text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(of_a_store_that_tells_nothing_nothing_is_watched, begin, end),
        cmocka_unit_test_setup_teardown(the_worst_of_them_is_the_verdict_and_of_equals_the_first, begin, end),
        cmocka_unit_test_setup_teardown(a_breach_that_has_not_held_yet_is_no_time_to_begin, begin, end),
        cmocka_unit_test_setup_teardown(one_that_is_fed_no_longer_fails_closed_and_says_so, begin, end),
        cmocka_unit_test_setup_teardown(of_one_whose_reader_hangs_it_is_said_for_how_long, begin, end),
        cmocka_unit_test_setup_teardown(one_that_is_dropped_holds_nobody_any_more_and_begins_anew, begin, end),
        cmocka_unit_test_setup_teardown(what_status_shows_has_value_limit_and_level, begin, end),
        cmocka_unit_test_setup_teardown(a_limit_that_was_set_where_nothing_measures_it_is_shown_as_not_watched, begin,
                                        end),
        cmocka_unit_test_setup_teardown(a_reading_of_the_servers_is_there_as_a_whole, begin, end),
        cmocka_unit_test_setup_teardown(what_had_paused_the_run_in_another_process_holds_it_until_it_is_clear, begin,
                                        end),
        cmocka_unit_test_setup_teardown(what_could_not_be_read_then_need_only_be_within_its_limit, begin, end),
        cmocka_unit_test_setup_teardown(who_sets_the_limit_of_a_signal_leaves_its_nearer_one_as_long_as_it_is_that,
                                        begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
