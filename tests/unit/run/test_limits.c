/* The limits of a run: how they are set and read, when one is passed, and what protect.errors is a share of. */
#include "kit/scene.h"
#include "run/limits.h"

/* --- set and read ------------------------------------------------------------------------------------------------- */

static void a_limit_is_read_back_as_it_was_set(void **state)
{
    static const struct {
        const char *key, *value, *read;
    } ROWS[] = {
        {"protect.errors", "1%", "1%"},
        {"protect.errors", "0.5%", "0.5%"},
        {"protect.rejects", "100%", "100%"},
        {"protect.rejects", "0%", "0%"},
        {"protect.kept_live", "12.5%", "12.5%"},
        {"protect.rate.max", "20000/s", "20000/s"},
        {"protect.rate.max", "20000", "20000/s"},
        {"protect.rate.max", "60/m", "1/s"},
        {"protect.rate.max", "none", "none"},
        {"budget.records", "5000000", "5000000"},
        {"budget.records", "none", "none"},
        {"budget.bytes", "20GiB", "21474836480"},
        {"budget.time", "1h30m", "5400s"},
        {"budget.time", "1500ms", "1500ms"},
        {"budget.time", "none", "none"},
        {"protect.hold", "30s", "30s"},
        {"protect.memory", "80%", "80%"},
        {"protect.memory", "none", "none"},
        {"protect.replicas", "2", "2"},
        {"protect.replicas", "none", "none"},
        {"protect.replication_lag", "1500ms", "1500ms"},
        {"protect.replication_bytes", "64MiB", "67108864"},
        {"protect.evictions", "60/m", "1/s"},
        {"protect.saving", "pause", "pause"},
        {"protect.saving", "slow", "slow"},
        {"source.until", "2026-07-17", "2026-07-17T00:00:00.000Z"},
        {"source.until", "2026-07-17T03:00:00.250+02:00", "2026-07-17T01:00:00.250Z"},
        {"source.until", "none", "none"},
        {"workers", "1", "1"},
        {"workers", "64", "64"},
        {"priority", "9", "9"},
        {"protect.topology", "halt", "halt"},
        {"protect.topology", "follow", "follow"},
        {"budget.cost", "12.50", "12.50"},
        {"budget.cost", "none", "none"},
        {"budget.burn", "50% in 1h", "50% in 3600s"},
        {"budget.burn", "none", "none"},
        {"budget.bytes", "none", "none"},
    };
    GError *error = NULL;
    struct limits limits;
    limits_init(&limits);
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        kit_ok(limits_set(&limits, ROWS[i].key, ROWS[i].value, &error));
        g_autofree char *read = limits_get(&limits, ROWS[i].key, &error);
        assert_string_equal(read, ROWS[i].read);
    }
    limits_done(&limits);
}

static void a_key_may_be_said_without_what_it_lies_in(void **state)
{
    static const char *const ROWS[][2] = {{"rate.max", "protect.rate.max"},
                                          {"memory", "protect.memory"},
                                          {"signals.db-cpu", "protect.signals.db-cpu"},
                                          {"protect.signals.db-cpu", "protect.signals.db-cpu"},
                                          {"source.until", "source.until"},
                                          {"signal.x", "signal.x"}};
    auto_(arena) mem = arena_new(1 << 20);
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++)
        assert_string_equal(limits_full_key(ROWS[i][0], mem), ROWS[i][1]);
    auto_(arena) none = arena_new(1);
    assert_string_equal(limits_full_key("signals.db-cpu", none),
                        "signals.db-cpu"); /* which is refused as it was said */
}

static void what_is_no_limit_or_no_value_of_it_is_refused_and_changes_nothing(void **state)
{
    static const struct {
        const char *key, *value, *words;
    } ROWS[] = {
        {"protect.error", "1%", "did you mean 'protect.errors'"},
        {"wrokers", "2", "did you mean 'workers'"},
        {"stages", "2",
         "what can be: protect.errors, protect.rejects, protect.kept_live, protect.rate.max, protect.live.p99, "
         "protect.topology, protect.skew, rollback.pace, budget.records, budget.bytes, budget.time, budget.cost, "
         "budget.burn, protect.hold, workers, source.until, priority, protect.replication_lag"},
        {"protect.memory", "2", "a share such as 75%"},
        {"protect.memory", "150%", "a share such as 75%"},
        {"protect.saving", "stop", "slow, pause or none"},
        {"protect.hold", "none", "a duration such as 30s"},
        {"protect.signals.cpu", "1", "cannot be set"},
        {"budget.records", "0", "above zero, or none"},
        {"budget.records", "-1", "above zero, or none"},
        {"budget.bytes", "20GiBs", "such as 20GiB"},
        {"budget.time", "0s", "such as 6h"},
        {"protect.topology", "stop", "follow or halt"},
        {"rollback.pace", "fast", "steady or urgent"},
        {"protect.skew", "0s", "such as 6h"},
        {"budget.cost", "0", "12.50"},
        {"source.until", "7d", "a time such as 2026-07-10T12:00:00Z, or none"},
        {"source.until", "soon", "a time such as"},
        {"source.until", "1969-12-31", "a time such as"},
        {"budget.burn", "50%", "50% in 1h"},
        {"protect.errors", "101%", "at most 100%"},
        {"protect.errors", "-1%", "a share such as 1%"},
        {"protect.errors", "", "a share such as 1%"},
        {"protect.live.p99", "10%", "such as 20ms"},
        {"protect.live.p99", "+10% or +20%", "such as 20ms"},
        {"protect.live.p99", "+0ms", "such as 20ms"},
        {"protect.live.p99", "1e3ms", "such as 20ms"},
        {"protect.rate.max", "0/s", "a rate such as 20000/s"},
        {"protect.rate.max", "0", "a rate such as 20000/s"},
        {"protect.rate.max", "20000s", "a rate such as 20000/s"},
        {"workers", "0", "a number from 1 to 64"},
        {"priority", "10", "a number from 0 to 9"},
        {"workers", "65", "a number from 1 to 64"},
        {"workers", "1.5", "a number from 1 to 64"},
        {"priority", "high", "a number from 0 to 9"},
        {"budget.records", "9223372036854775808", "above zero, or none"},
        {"budget.bytes", "0", "above zero, or none"},
        {"budget.time", "-1s", "above zero, or none"},
        {"protect.hold", "soon", "a duration such as 30s"},
    };
    static const struct plan_limits FROZEN = {
        .errors = 0.25, .rejects = 0.5, .kept_live = 0.75, .rate_max_per_s = 3, .workers = 7};
    GError *error = NULL;
    struct limits limits;
    limits_init(&limits);
    limits_reset(&limits, &FROZEN);
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        kit_refused(limits_set(&limits, ROWS[i].key, ROWS[i].value, &error), USAGE, ROWS[i].words);
        assert_memory_equal(&limits.now, &FROZEN, sizeof FROZEN);
    }
    assert_null(limits_get(&limits, "wrokers", NULL));
    limits_done(&limits);
}

static void the_pace_is_the_least_of_what_is_set_and_what_a_guard_leaves(void **state)
{
    static const struct {
        double most, slowed, rate; /* 0: none */
    } ROWS[] = {{0, 0, 0}, {5, 0, 5}, {0, 3, 3}, {5, 3, 3}, {3, 5, 3}};
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct limits limits;
        limits_init(&limits);
        limits.now.rate_max_per_s = ROWS[i].most;
        limits_slow(&limits, ROWS[i].slowed);
        assert_int_equal((int)limits_rate_per_s(&limits), (int)ROWS[i].rate);
        limits_done(&limits);
    }
}

static void what_is_taken_back_in_a_hurry_is_held_by_no_limit_and_what_goes_forwards_by_all(void **state)
{
    static const struct plan_limits FROZEN = {.rate_max_per_s = 100, .live = {.share = 0.1}, .workers = 2};
    GError *error = NULL;
    struct limits limits;
    limits_init(&limits);
    limits_reset(&limits, &FROZEN);
    limits_slow(&limits, 10);
    for (int back = 0; back < 2; back++)
        for (int urgent = 0; urgent < 2; urgent++) {
            limits_back(&limits, back);
            kit_ok(limits_set(&limits, LIMITS_BACK, urgent ? "urgent" : "steady", &error));
            struct spec_live live = limits_live(&limits);
            assert_int_equal(limits_hurries(&limits), back && urgent);
            assert_int_equal(spec_live_given(&live), !(back && urgent));
            assert_int_equal((int)limits_rate_per_s(&limits), back && urgent ? 0 : 10);
            assert_int_equal((int)limits_slowed_per_s(&limits), back && urgent ? 0 : 10);
        }
    limits_done(&limits);
}

static void every_limit_can_be_read_before_anything_is_set(void **state)
{
    static const struct plan_limits FROZEN = {.errors = 0.001,
                                              .rejects = 0.01,
                                              .kept_live = 0.5,
                                              .workers = 2,
                                              .guards_hold_ms = 10000,
                                              .guards = {[GUARD_MEMORY] = 0.75, [GUARD_SAVING] = GUARD_WORD_SLOW}};
    static const char *const READ[] = {"0.1%", "1%",   "50%",  "none", "none", "follow", "none",  "steady",
                                       "none", "none", "none", "none", "none", "10s",    "2",     "none",
                                       "0",    "0s",   "0",    "0",    "75%",  "0",      "0",     "0",
                                       "0/s",  "0%",   "0%",   "0",    "0%",   "slow",   "pause", "0"};
    GError *error = NULL;
    struct limits limits;
    size_t n = 0;
    limits_init(&limits);
    limits_reset(&limits, &FROZEN);
    for (; limits_key(n); n++) {
        g_autofree char *read = limits_get(&limits, limits_key(n), &error);
        assert_string_equal(read, READ[n]);
    }
    assert_int_equal(n, G_N_ELEMENTS(READ));
    limits_done(&limits);
}

/* Else the guard would be watched by nobody. */
static void a_limit_on_the_forecast_is_for_plans_that_hold_one(void **state)
{
    struct plan_limits frozen = {.workers = 2};
    GError *error = NULL;
    struct limits limits;
    limits_init(&limits);
    limits_reset(&limits, &frozen);
    assert_false(limits_set(&limits, "protect.forecast", "2", &error));
    assert_true(error_is(error, SLUICE_ERROR_REFUSED));
    g_clear_error(&error);
    kit_ok(limits_set(&limits, "protect.forecast", "none", &error));
    frozen.forecast.known = true;
    limits_reset(&limits, &frozen);
    kit_ok(limits_set(&limits, "protect.forecast", "2", &error));
    limits_done(&limits);
}

/* What is recorded already is taken, so that a run can still be resumed. */
static void what_says_nothing_is_read_and_not_sensible(void **state)
{
    struct limits limits;
    GError *error = NULL;
    limits_init(&limits);
    kit_ok(limits_set(&limits, "protect.memory", "100%", &error));
    kit_refused(limits_sensible(&limits, "protect.memory", &error), USAGE, "protect.memory: it would be passed never");
    kit_ok(limits_sensible(&limits, "protect.clients", &error));
    kit_ok(limits_sensible(&limits, "workers", &error));
    kit_ok(limits_set(&limits, "protect.memory", "none", &error));
    kit_ok(limits_sensible(&limits, "protect.memory", &error));
    limits_done(&limits);
}

static void a_budget_that_nothing_uses_is_not_sensible(void **state)
{
    static const struct {
        const char *key, *value, *words; /* NULL: fine */
        struct spec_budget stands;
        double price;
    } ROWS[] = {
        {"budget.cost", "5", "the run costs nothing", {0}, 0},
        {"budget.cost", "none", NULL, {0}, 0},
        {"budget.cost", "5", NULL, {0}, 1},
        {"budget.burn", "50% in 1h", "none of them would be left", {.time_ms = 1000}, 0},
        {"budget.burn", "50% in 1h", NULL, {.bytes = 5}, 0},
        {"budget.records", "none", "none of them would be left", {.records = 5, .burn = {0.5, 1000}}, 0},
        {"budget.records", "none", NULL, {.records = 5, .cost = 5, .burn = {0.5, 1000}}, 1},
        {"budget.records", "none", NULL, {.records = 5}, 0},
        {"workers", "2", NULL, {.burn = {0.5, 1000}}, 0}, /* as it was set by whoever let it pass */
    };
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct limits limits;
        GError *error = NULL;
        limits_init(&limits);
        limits.now.budget = ROWS[i].stands;
        limits.now.rates.write = ROWS[i].price;
        kit_ok(limits_set(&limits, ROWS[i].key, ROWS[i].value, &error));
        if (ROWS[i].words)
            kit_refused(limits_sensible(&limits, ROWS[i].key, &error), USAGE, ROWS[i].words);
        else
            kit_ok(limits_sensible(&limits, ROWS[i].key, &error));
        limits_done(&limits);
    }
}

static void a_signal_is_given_up_by_none(void **state)
{
    struct limits limits;
    struct guards_limits guards;
    GError *error = NULL;
    limits_init(&limits);
    limits.now.n_signals = 1;
    g_strlcpy(limits.now.signals[0].name, "cpu", sizeof limits.now.signals[0].name);
    limits.now.signals[0].limit = 5;
    kit_ok(limits_set(&limits, "protect.signals.cpu", "none", &error));
    g_autofree char *read = limits_get(&limits, "protect.signals.cpu", &error);
    assert_string_equal(read, "none");
    limits_guards(&limits, &guards);
    assert_true(guard_is_none(guards.signals[0]));
    kit_refused(limits_set(&limits, "protect.signals.cpu", "all", &error), USAGE, "or none");
    limits_done(&limits);
}

/* --- passed ------------------------------------------------------------------------------------------------------- */

static void a_share_passes_its_limit_only_beyond_it(void **state)
{
    static const struct {
        uint64_t written, rejected, kept, calls, failed;
        const char *words; /* NULL: within all limits */
    } ROWS[] = {
        {.words = NULL},
        {.written = 990, .rejected = 10},
        {.written = 989,
         .rejected = 11,
         .words = "1.1 % of the records so far are rejected, more than protect.rejects"},
        {.written = 800, .kept = 200},
        {.written = 799, .kept = 201, .words = "20.1 % of the records so far are kept_live"},
        {.written = 780, .rejected = 11, .kept = 209, .words = "protect.rejects allows (1 %)"},
        {.rejected = 1, .words = "100 % of the records so far are rejected"},
        {.written = 100, .calls = 100, .failed = 5},
        {.written = 100, .calls = 9, .failed = 9},
        {.written = 100, .calls = 10, .failed = 10, .words = "100 % of the calls to the stores failed"},
        {.written = 100, .calls = 200, .failed = 10},
        {.written = 100, .calls = 199, .failed = 10, .words = "more than protect.errors allows (5 %)"},
        {.calls = 199, .failed = 10, .words = "protect.errors"},
    };
    static const struct plan_limits FROZEN = {.errors = 0.05, .rejects = 0.01, .kept_live = 0.2};
    struct limits limits;
    limits_init(&limits);
    limits_reset(&limits, &FROZEN);
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct tally tally = {0};
        tally.of[OUTCOME_WRITTEN] = ROWS[i].written;
        tally.of[OUTCOME_REJECTED] = ROWS[i].rejected;
        tally.of[OUTCOME_KEPT_LIVE] = ROWS[i].kept;
        struct limits_seen seen = {.tally = &tally, .calls = ROWS[i].calls, .failed = ROWS[i].failed};
        const char *key = NULL;
        g_autofree char *words = limits_passed(&limits, &seen, &key);
        if (!ROWS[i].words != !words || !words != !key || (words && !strstr(words, ROWS[i].words)) ||
            (words && !strstr(words, key)))
            fail_msg("row %zu: '%s', not '%s'", i, words ? words : "", ROWS[i].words ? ROWS[i].words : "");
    }
    limits_done(&limits);
}

/* --- what protect.errors is a share of ---------------------------------------------------------------------------- */

static const char SPEC[] = "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: items }\n"
                           "transform: { lua: t.lua }\ntarget: { store: \"mem:s\", dataset: items }\n"
                           "partitions: { size: 5 }\nworkers: 1\nprotect: { errors: %s }\n";
static const char LUA[] = "function transform(doc) doc.n = doc.n + 1 return doc end\n";

#define KEYS     50
#define FAILURES 12u

static void scene_of(struct scene *scene, double limit)
{
    g_autofree char *text = g_strdup_printf("%.6f%%", limit * 100);
    g_autofree char *spec = g_strdup_printf(SPEC, text);
    scene_init(scene, spec, LUA);
    scene->lifts_nothing = true;
    for (int i = 0; i < KEYS; i++) {
        g_autofree char *key = g_strdup_printf("k%02d", i);
        scene_put(scene, "items", key, "{\"n\": 1}");
    }
}

/* The first FAILURES tries to settle or to open a lane fail, each after one that did not. */
static struct fault_row fail_some(void *self, enum fault_op op, size_t ops)
{
    unsigned *tries = self;
    bool chosen = (op == FAULT_SETTLE || op == FAULT_LANE_OPEN) && *tries < 2 * FAILURES;
    struct fault_row fault = {.op = op, .effect = FAULT_NONE};
    if (chosen && (*tries)++ % 2 == 1)
        fault.effect = FAULT_TRANSIENT;
    return fault;
}

static void fail_from_here(struct scene *scene, unsigned *tries)
{
    *tries = 0;
    scene->plan.decide = fail_some;
    scene->plan.decide_self = tries;
}

static bool is_of_a_store(enum op_kind kind)
{
    static const enum op_kind OF_A_STORE[] = {OP_LANE_OPEN, OP_SCAN, OP_READ,   OP_LOOK,    OP_CAS,
                                              OP_FENCE,     OP_SINK, OP_SETTLE, OP_PUBLISH, OP_STANDS};
    for (size_t i = 0; i < G_N_ELEMENTS(OF_A_STORE); i++)
        if (OF_A_STORE[i] == kind)
            return true;
    return false;
}

static void only_steps_that_reach_a_store_are_its_calls(void **state)
{
    for (int kind = 0; kind < OP_KIND_COUNT; kind++)
        assert_int_equal(op_row((enum op_kind)kind)->store, is_of_a_store((enum op_kind)kind));
}

/* Step by step, one worker: how often a store was called and how often that failed, as the executor counts it. */
static uint64_t count(struct scene *scene, uint64_t *ret_failed)
{
    struct process process;
    unsigned tries;
    uint64_t steps = 0;
    scene_plan(scene);
    process_begin(&process, scene, JOB_FORWARD);
    fail_from_here(scene, &tries);
    for (struct op *op = process_wish(&process, 0); op->kind != OP_END; op = process_wish(&process, 0)) {
        steps += is_of_a_store(op->kind);
        process_step(&process, 0);
    }
    assert_int_equal(process.hold->shared.calls, steps + FAILURES);
    *ret_failed = process.hold->shared.failed;
    process_die(&process);
    return steps + FAILURES;
}

static void every_try_to_reach_a_store_is_a_call_and_nothing_else_is(void **state)
{
    struct scene scene;
    uint64_t failed;
    scene_of(&scene, 1);
    uint64_t calls = count(&scene, &failed);
    assert_int_equal(failed, FAILURES);
    assert_int_equal(calls, 10 * 5 + FAILURES); /* of each partition: its lane, a scan, a read, a cas, a settle */
    scene_done(&scene);
}

static void an_answer_to_a_write_that_is_lost_is_a_call_that_failed(void **state)
{
    static const struct fault_row LOST = {.op = FAULT_CAS, .nth = 2, .effect = FAULT_LOST};
    struct process process;
    struct scene scene;
    scene_of(&scene, 1);
    scene_plan(&scene);
    process_begin(&process, &scene, JOB_FORWARD);
    scene_fault(&scene, &LOST);
    process_finish(&process, 0);
    assert_int_equal(process.hold->shared.failed, 1);
    process_die(&process);
    scene_done(&scene);
}

static void ends(double limit, int status, const char *words)
{
    struct scene scene;
    struct ended ended;
    unsigned tries;
    scene_of(&scene, limit);
    scene_plan(&scene);
    fail_from_here(&scene, &tries);
    scene_run(&scene, &ended);
    assert_int_equal(tries, 2 * FAILURES);
    if (ended.status != status || (words && !strstr(ended.text, words)))
        fail_msg("ended with %d: %s", ended.status, ended.text);
    ended_done(&ended);
    scene_done(&scene);
}

static void a_run_pauses_beyond_protect_errors_and_not_below(void **state)
{
    struct scene scene;
    uint64_t failed;
    scene_of(&scene, 1);
    double share = (double)FAILURES / (double)count(&scene, &failed);
    scene_done(&scene);
    ends(share * 0.99, 3, "of the calls to the stores failed, more than protect.errors allows");
    ends(share * 1.01, 0, NULL);
}

static void whoever_lifts_the_limit_goes_on_in_spite_of_it(void **state)
{
    struct scene scene;
    unsigned tries;
    scene_of(&scene, 0.001);
    scene_plan(&scene);
    fail_from_here(&scene, &tries);
    scene_ran(&scene, 3);
    scene_ran(&scene, 3); /* as `run`: the pause holds */
    scene.lifts_nothing = false;
    scene_ran(&scene, 0);
    scene_reconciles(&scene);
    scene_done(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_limit_is_read_back_as_it_was_set),
        cmocka_unit_test(a_key_may_be_said_without_what_it_lies_in),
        cmocka_unit_test(what_is_no_limit_or_no_value_of_it_is_refused_and_changes_nothing),
        cmocka_unit_test(the_pace_is_the_least_of_what_is_set_and_what_a_guard_leaves),
        cmocka_unit_test(what_is_taken_back_in_a_hurry_is_held_by_no_limit_and_what_goes_forwards_by_all),
        cmocka_unit_test(every_limit_can_be_read_before_anything_is_set),
        cmocka_unit_test(a_limit_on_the_forecast_is_for_plans_that_hold_one),
        cmocka_unit_test(what_says_nothing_is_read_and_not_sensible),
        cmocka_unit_test(a_budget_that_nothing_uses_is_not_sensible),
        cmocka_unit_test(a_signal_is_given_up_by_none),
        cmocka_unit_test(a_share_passes_its_limit_only_beyond_it),
        cmocka_unit_test(only_steps_that_reach_a_store_are_its_calls),
        cmocka_unit_test(every_try_to_reach_a_store_is_a_call_and_nothing_else_is),
        cmocka_unit_test(an_answer_to_a_write_that_is_lost_is_a_call_that_failed),
        cmocka_unit_test(a_run_pauses_beyond_protect_errors_and_not_below),
        cmocka_unit_test(whoever_lifts_the_limit_goes_on_in_spite_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
