/* What is said of servers that hold a run back, and to whom; what one leaves to the next; and who asks while a promise
 * is given and taken off. */
#include <jansson.h>
#include <sched.h>

#include "base/thread.h"
#include "kit/kit.h"
#include "run/govern.h"
#include "store/calls.h"

#define ON(by, more) "[{\"server\":\"a\",\"limited_by\":\"" by "\",\"reason\":\"it drains\"" more "}]"
#define FIGURES      ",\"p99_ms\":2.0,\"limit_ms\":1.0,\"baseline_ms\":0.5,\"commands_per_s\":10.0"

static void the_first_server_is_told_of_as_far_as_it_is_known(void **state)
{
    static const struct {
        const char *json, *words; /* NULL: nothing is held back */
    } ROWS[] = {
        {"", NULL},
        {"[]", NULL},
        {"[{}]", NULL},
        {ON("nothing known", ""), NULL},
        {ON("baseline", ""), "a: it drains"},
        {ON("baseline", FIGURES), "a: p99 2.00 ms of 1.00 (0.50 without us), 10 commands/s: it drains"},
        {ON("baseline", ",\"others\":0,\"other\":\"job.2\""), "a: it drains"},
        {ON("baseline", ",\"others\":2,\"other\":null"), "a: it drains"},
        {ON("baseline", ",\"others\":2,\"other\":\"job.2\""),
         "a: it drains; it shares with 2 at work there, too: job.2"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct govern_words words = {0};
        bool held = govern_words(ROWS[i].json, &words);
        if (held != (ROWS[i].words != NULL) || (held && strcmp(words.text, ROWS[i].words) != 0))
            fail_msg("row %zu: %s", i, held ? words.text : "nothing");
    }
}

/* Of a run that promises nothing, or has no servers. */
static void nobody_paces_where_there_are_no_servers(void **state)
{
    assert_null(govern_first(NULL, 5));
    assert_null(govern_json(NULL));
    assert_false(govern_paces(NULL));
    govern_end(NULL);
}

/* --- a store that is felt ----------------------------------------------------------------------------------------- */

enum { SERVERS_MOST = 70, PROBE_US = 5000, LIMIT_US = 120000000 };

/* Whose servers answer as the test has them do; time passes while they are probed, and nobody waits for it. */
struct felt {
    struct store_base store; /* first */
    struct world world;
    struct world_clock clock;
    atomic_int_fast64_t now_us;
    atomic_int servers, silent;               /* how many there are; which of them does not answer; NOBODY */
    atomic_int late;                          /* so many calls are not answered by anybody */
    atomic_int steps;                         /* calls that may go on; FREELY */
    atomic_bool stands;                       /* behind a tick, before the next call */
    atomic_bool sleeps_no_time;               /* its thread may sleep ever so often: what is known grows no older */
    atomic_int_fast64_t us[2];                /* what the first two take; the others as the first */
    atomic_bool no_open, no_run, waits, busy; /* waits: whoever opens; busy: somebody sends */
    const char *other;                        /* a beacon behind its beat, on the first; NULL: none */
    struct limits limits;
};

enum { NOBODY = -1, FREELY = -1, NEVER = INT_MAX };

struct live_probe {
    struct felt *felt;
    struct pace *pace;
    uint64_t beat;
};

static void no_pace(struct store *store, struct pace *pace)
{
}

static bool probe_open(struct live_probe **ret, struct store *store, struct pace *pace, GError **error)
{
    struct felt *felt = (struct felt *)store;
    while (atomic_load(&felt->waits))
        sched_yield();
    if (atomic_load(&felt->no_open))
        return error_set(error, SLUICE_ERROR_STORE, "it cannot be opened");
    *ret = g_new0(struct live_probe, 1);
    **ret = (struct live_probe){.felt = felt, .pace = pace};
    return true;
}

static void ask_server(const struct live_probe *probe, int i, int64_t at_us)
{
    struct felt *felt = probe->felt;
    char name[16];
    int64_t due_us, answer_us = atomic_load(&felt->us[i == 1]) + at_us / PROBE_US % 20;
    g_snprintf(name, sizeof name, "s%d", i);
    struct pace_server *server = pace_server(probe->pace, name);
    pace_felt(server, at_us - answer_us, at_us);
    if (atomic_load(&felt->busy) && pace_take(server, 0, at_us, 1, 100, &due_us))
        pace_reply(server, at_us, at_us + answer_us);
}

static void see_other(struct live_probe *probe, int64_t at_us)
{
    struct felt *felt = probe->felt;
    if (!felt->other)
        return;
    g_autofree char *text = g_strdup_printf("1 %" G_GUINT64_FORMAT " %s", ++probe->beat, felt->other);
    pace_saw(pace_server(probe->pace, "s0"), at_us, "other", text);
}

static bool probe_run(struct live_probe *probe, const struct call *call, GError **error)
{
    struct felt *felt = probe->felt;
    int64_t at_us = atomic_load(&felt->now_us);
    atomic_store(&felt->stands, true);
    while (atomic_load(&felt->steps) == 0 && !(call->cancel && atomic_load(call->cancel)))
        sched_yield();
    if (atomic_load(&felt->steps) > 0)
        atomic_fetch_sub(&felt->steps, 1);
    if (atomic_load(&felt->no_run))
        return error_set(error, SLUICE_ERROR_STORE, "it may not be felt");
    bool late = atomic_load(&felt->late) > 0 && atomic_fetch_sub(&felt->late, 1) > 0;
    see_other(probe, at_us);
    for (; at_us < call->deadline_us; at_us += PROBE_US)
        for (int i = 0; i < atomic_load(&felt->servers) && !late; i++)
            if (i != atomic_load(&felt->silent))
                ask_server(probe, i, at_us);
    atomic_store(&felt->now_us, call->deadline_us);
    return true;
}

static void probe_close(struct live_probe *probe)
{
    g_free(probe);
}

static const struct probe_ops PROBE = {.set_pace = no_pace, .open = probe_open, .run = probe_run, .close = probe_close};
static const struct store_driver FELT = {.name = "felt", .probe = &PROBE};
static const struct store_driver UNFELT = {.name = "unfelt"};

static int64_t monotonic_us(void *self)
{
    return atomic_load(&((struct felt *)self)->now_us);
}

static int64_t wall_ms(void *self)
{
    return atomic_load(&((struct felt *)self)->now_us) / 1000;
}

static void sleep_shortly(void *self, int64_t us, const atomic_bool *cancel)
{
    struct felt *felt = self;
    if (!atomic_load(&felt->sleeps_no_time))
        atomic_fetch_add(&felt->now_us, MAX(us, 0));
    sched_yield();
}

static struct store *felt_init(struct felt *felt, const char *promise)
{
    GError *error = NULL;
    *felt = (struct felt){
        .world = *world_real(),
        .clock = {.monotonic_us = monotonic_us, .wall_ms = wall_ms, .sleep_us = sleep_shortly},
        .now_us = GOVERNOR_TICK_US,
        .servers = 2,
        .silent = NOBODY,
        .steps = FREELY,
        .us = {200, 200},
    };
    felt->world.clock = &felt->clock;
    felt->world.clock_self = felt;
    felt->store = (struct store_base){.driver = &FELT, .world = &felt->world, .label = "felt"};
    limits_init(&felt->limits);
    kit_ok(limits_set(&felt->limits, LIMITS_LIVE, promise, &error));
    return (struct store *)&felt->store;
}

static struct govern *begin(struct felt *felt, struct govern_learned *learned)
{
    GError *error = NULL;
    struct govern *govern;
    struct govern_self self = {.what = "job.1", .home = "/home", .learned = learned};
    kit_ok(govern_begin_store(&govern, &felt->world, (struct store *)&felt->store, &felt->limits, &self, &error));
    return govern;
}

/* The figures, once they say so. */
static void await_json(struct govern *govern, const char *wanted)
{
    int64_t until_us = world_monotonic_us(world_real()) + LIMIT_US;
    for (;;) {
        g_autofree char *json = govern_json(govern);
        if (json && g_regex_match_simple(wanted, json, 0, 0))
            return;
        if (world_monotonic_us(world_real()) > until_us)
            fail_msg("%s: %s", wanted, json ? json : "nothing");
        sched_yield();
    }
}

/* By a tick at a time. */
static void step(struct felt *felt)
{
    int64_t until_us = world_monotonic_us(world_real()) + LIMIT_US;
    atomic_store(&felt->stands, false);
    atomic_store(&felt->steps, 1);
    while (!atomic_load(&felt->stands)) {
        if (world_monotonic_us(world_real()) > until_us)
            fail_msg("it does not tick");
        sched_yield();
    }
}

/* --- what one leaves to the next ---------------------------------------------------------------------------------- */

#define WIDE "+100%"

static void the_next_goes_on_from_what_servers_are_known_that_answer_soon(void **state)
{
    static const struct {
        bool promised_between; /* to somebody else, who leaves nothing of his own */
        int late;
        bool goes_on;
    } ROWS[] = {{false, 0, true}, {false, 2, true}, {true, 0, true}, {false, NEVER, false}};
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct felt felt;
        GError *error = NULL;
        auto_(govern_learned) learned = govern_learned_new();
        felt_init(&felt, WIDE);
        struct govern *govern = begin(&felt, learned);
        assert_false(govern_went_on(govern));
        await_json(govern, "s0.*limit_ms\":[0-9].*limit_ms\":[0-9]");
        govern_end(govern);
        if (ROWS[i].promised_between) {
            kit_ok(limits_set(&felt.limits, LIMITS_LIVE, "none", &error));
            atomic_store(&felt.sleeps_no_time, true);
            govern = begin(&felt, learned);
            assert_false(govern_went_on(govern));
            govern_end(govern);
            atomic_store(&felt.sleeps_no_time, false);
            kit_ok(limits_set(&felt.limits, LIMITS_LIVE, WIDE, &error));
        }
        atomic_store(&felt.late, ROWS[i].late);
        govern = begin(&felt, learned);
        if (govern_went_on(govern) != ROWS[i].goes_on)
            fail_msg("row %zu", i);
        govern_end(govern);
        limits_done(&felt.limits);
    }
    govern_learned_free(NULL);
}

static void what_stands_in_the_way_of_probing_is_told_before_anything_waits(void **state)
{
    for (int i = 0; i < 3; i++) {
        static const char *const WORDS[] = {"it cannot be opened", "it may not be felt",
                                            ("a store of driver 'unfelt' has no live requests of others, to which "
                                             "something could be promised")};
        struct felt felt;
        struct govern *govern;
        GError *error = NULL;
        struct store *store = felt_init(&felt, WIDE);
        struct govern_self self = {.what = "job.1"};
        felt.no_open = i == 0;
        felt.no_run = i == 1;
        felt.store.driver = i == 2 ? &UNFELT : &FELT;
        assert_false(govern_begin_store(&govern, &felt.world, store, &felt.limits, &self, &error));
        assert_string_equal(error->message, WORDS[i]);
        g_error_free(error);
        limits_done(&felt.limits);
    }
}

/* --- the guards' ------------------------------------------------------------------------------------------------- */

/* What the guards are told, once it is so. */
static void await_guards(struct felt *felt, struct govern *govern, struct guards *guards, const char *wanted)
{
    int64_t until_us = world_monotonic_us(world_real()) + LIMIT_US;
    for (;;) {
        govern_feed(govern, guards, 30000000);
        g_autofree char *json = guards_json(guards);
        if (g_regex_match_simple(wanted, json, 0, 0))
            return;
        if (world_monotonic_us(world_real()) > until_us)
            fail_msg("%s: %s", wanted, json);
        sched_yield();
    }
}

#define PROBE_SAYS(what) "\"probe\"[^}]*\"error\":" what
#define LIVE_SAYS(what)  "\"live.p99\"[^}]*\"error\":" what

static void guards_are_told_what_is_not_felt_and_what_a_trickle_does_not_mend(void **state)
{
    struct felt felt;
    GError *error = NULL;
    struct guards *guards;
    felt_init(&felt, "none");
    struct govern *govern = begin(&felt, NULL);
    guards = guards_new(&(struct guards_config){.world = &felt.world});
    felt.waits = felt.no_open = true;
    atomic_store(&felt.late, NEVER);
    await_guards(&felt, govern, guards, "^\\[\\]$");
    kit_ok(limits_set(&felt.limits, LIMITS_LIVE, WIDE, &error));
    await_guards(&felt, govern, guards, PROBE_SAYS("\"it has not begun yet\""));
    atomic_store(&felt.waits, false);
    await_guards(&felt, govern, guards, PROBE_SAYS("\"it cannot be opened\""));
    atomic_store(&felt.no_open, false);
    await_guards(&felt, govern, guards, PROBE_SAYS("\"no server has answered the probe yet\""));
    atomic_store(&felt.steps, 0);
    atomic_store(&felt.late, 0);
    step(&felt);
    step(&felt); /* too little for a baseline */
    await_guards(&felt, govern, guards, PROBE_SAYS("null"));
    await_guards(&felt, govern, guards, "\"live.p99\"[^}]*\"limit\":null");
    atomic_store(&felt.steps, FREELY);
    await_guards(&felt, govern, guards, "\"live.p99\"[^}]*\"limit\":[0-9]");
    kit_ok(limits_set(&felt.limits, LIMITS_LIVE, "+50%", &error));
    atomic_store(&felt.us[1], 2000);
    await_guards(&felt, govern, guards, LIVE_SAYS("\"s1: a live p99 .* although hardly anything is sent"));
    atomic_store(&felt.us[1], 200);
    await_guards(&felt, govern, guards, LIVE_SAYS("null"));
    atomic_store(&felt.silent, 1);
    await_guards(&felt, govern, guards, PROBE_SAYS("\"s1 has not answered the probe for "));
    await_json(govern, "^.{2}\"server\":\"s1\",\"limited_by\":\"probe\"");
    atomic_store(&felt.silent, NOBODY);
    await_guards(&felt, govern, guards, PROBE_SAYS("null"));
    atomic_store(&felt.no_run, true);
    await_guards(&felt, govern, guards, PROBE_SAYS("\"it may not be felt\""));
    kit_ok(limits_set(&felt.limits, LIMITS_LIVE, "none", &error));
    await_guards(&felt, govern, guards, "^\\[\\]$");
    guards_free(guards);
    govern_end(govern);
    limits_done(&felt.limits);
}

/* Whether it is at its limit, exactly. */
static bool is_at_limit(struct govern *govern, struct guards *guards)
{
    double value = 0, limit = 1;
    govern_feed(govern, guards, 30000000);
    g_autofree char *json = guards_json(guards);
    json_t *all = json_loads(json, 0, NULL);
    json_unpack(json_array_get(all, 1), "{s:F, s:F}", "value", &value, "limit", &limit);
    json_decref(all);
    assert_true(value <= limit);
    return value >= limit;
}

static void what_less_mends_is_not_beyond_its_limit(void **state)
{
    struct felt felt;
    felt_init(&felt, WIDE);
    felt.busy = true;
    struct govern *govern = begin(&felt, NULL);
    struct guards *guards = guards_new(&(struct guards_config){.world = &felt.world});
    atomic_store(&felt.steps, 0);
    for (int i = 0; i < 60; i++)
        step(&felt);
    assert_false(is_at_limit(govern, guards));
    atomic_store(&felt.us[1], 350); /* no single one is above the promise, which would halve it */
    bool met = false;
    for (int i = 0; i < 20 && !met; i++) {
        step(&felt);
        met = is_at_limit(govern, guards);
    }
    assert_true(met);
    guards_free(guards);
    govern_end(govern);
    limits_done(&felt.limits);
}

/* --- for status -------------------------------------------------------------------------------------------------- */

static void servers_are_told_of_by_how_near_they_are_to_what_was_promised(void **state)
{
    struct felt felt;
    felt_init(&felt, WIDE);
    felt.busy = true;
    felt.other = "7 2 20000 0 nightly of home /b on desk"; /* at work, of priority 7 */
    struct govern *govern = begin(&felt, NULL);
    await_json(govern, "s0.*\"others\":1,\"other\":\"nightly.*s1.*\"other\":null");
    await_json(govern, "\"p99_ms\":[0-9.]+,\"limit_ms\":[0-9.]+.*\"p99_ms\":[0-9.]+,\"limit_ms\":[0-9.]+");
    g_autofree char *first = govern_first(govern, 6), *none = govern_first(govern, 7);
    assert_string_equal(first,
                        "nightly of home /b on desk, of priority 7, goes before this one, of 6, to the same servers");
    assert_null(none);
    atomic_store(&felt.us[1], 300);
    await_json(govern, "^.{2}\"server\":\"s1\"");
    atomic_store(&felt.us[0], 350);
    atomic_store(&felt.us[1], 200);
    await_json(govern, "^.{2}\"server\":\"s0\"");
    govern_end(govern);
    limits_done(&felt.limits);
}

static size_t count(const char *text, const char *what)
{
    size_t n = 0;
    for (const char *at = text; (at = strstr(at, what)); at++)
        n++;
    return n;
}

static void of_many_servers_those_are_told_of_that_hold_back_most(void **state)
{
    struct felt felt;
    felt_init(&felt, WIDE);
    felt.servers = SERVERS_MOST;
    struct govern *govern = begin(&felt, NULL);
    atomic_store(&felt.silent, SERVERS_MOST - 1);
    await_json(govern, "^.{2}\"server\":\"s69\",\"limited_by\":\"probe\"");
    g_autofree char *json = govern_json(govern);
    assert_int_equal(count(json, "\"server\":"), 64);
    govern_end(govern);
    limits_done(&felt.limits);
}

/* --- a promise that comes and goes -------------------------------------------------------------------------------- */

struct asked {
    struct govern *govern;
    atomic_bool stop;
};

static void asks(void *self)
{
    struct asked *asked = self;
    while (!atomic_load(&asked->stop)) {
        govern_paces(asked->govern);
        g_free(govern_first(asked->govern, 5));
        g_free(govern_json(asked->govern));
    }
}

static void promise(struct limits *limits, struct govern *govern, const char *what, bool paces)
{
    GError *error = NULL;
    kit_ok(limits_set(limits, LIMITS_LIVE, what, &error));
    while (govern_paces(govern) != paces) /* whose thread turns at once */
        sched_yield();
}

enum { TIMES = 20 };

static void a_promise_is_followed_while_others_ask_for_its_figures(void **state)
{
    struct felt felt;
    struct asked asked = {0};
    struct thread *thread;
    GError *error = NULL;
    felt_init(&felt, "none");
    asked.govern = begin(&felt, NULL);
    kit_ok(thread_start(&thread, "asks", asks, &asked, &error));
    for (unsigned i = 0; i < TIMES; i++) {
        promise(&felt.limits, asked.govern, "+10% or +0.5ms", true);
        promise(&felt.limits, asked.govern, "none", false);
    }
    atomic_store(&asked.stop, true);
    thread_join(thread);
    govern_end(asked.govern);
    limits_done(&felt.limits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_server_is_told_of_as_far_as_it_is_known),
        cmocka_unit_test(nobody_paces_where_there_are_no_servers),
        cmocka_unit_test(the_next_goes_on_from_what_servers_are_known_that_answer_soon),
        cmocka_unit_test(what_stands_in_the_way_of_probing_is_told_before_anything_waits),
        cmocka_unit_test(guards_are_told_what_is_not_felt_and_what_a_trickle_does_not_mend),
        cmocka_unit_test(what_less_mends_is_not_beyond_its_limit),
        cmocka_unit_test(servers_are_told_of_by_how_near_they_are_to_what_was_promised),
        cmocka_unit_test(of_many_servers_those_are_told_of_that_hold_back_most),
        cmocka_unit_test(a_promise_is_followed_while_others_ask_for_its_figures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
