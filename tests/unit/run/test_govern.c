/* What is said of servers that hold a run back; and who asks while a promise is given and taken off. */
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
    struct pace_look looks[GOVERN_SERVERS];
    assert_int_equal(govern_look(NULL, looks), 0);
    assert_null(govern_first(NULL, 5));
    assert_null(govern_json(NULL));
    assert_false(govern_paces(NULL));
    govern_end(NULL);
}

/* --- a promise that comes and goes -------------------------------------------------------------------------------- */

/* A store whose servers answer at once, and a clock for which nobody waits. */
static void no_pace(struct store *store, struct pace *pace)
{
}

static bool probe_open(struct live_probe **ret, struct store *store, struct pace *pace, GError **error)
{
    *ret = (struct live_probe *)g_new0(char, 1);
    return true;
}

static bool probe_run(struct live_probe *probe, const struct call *call, GError **error)
{
    return true;
}

static void probe_close(struct live_probe *probe)
{
    g_free(probe);
}

static const struct probe_ops PROBE = {.set_pace = no_pace, .open = probe_open, .run = probe_run, .close = probe_close};
static const struct store_driver FELT = {.name = "felt", .probe = &PROBE};

static int64_t zero(void *self)
{
    return 0;
}

static void sleep_shortly(void *self, int64_t us, const atomic_bool *cancel)
{
    sched_yield();
}

static const struct world_clock CLOCK = {.monotonic_us = zero, .wall_ms = zero, .sleep_us = sleep_shortly};

struct asked {
    struct govern *govern;
    atomic_bool stop;
};

static void asks(void *self)
{
    struct asked *asked = self;
    struct pace_look looks[GOVERN_SERVERS];
    while (!atomic_load(&asked->stop)) {
        govern_paces(asked->govern);
        govern_look(asked->govern, looks);
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
    struct world world = *world_real();
    world.clock = &CLOCK;
    struct store_base store = {.driver = &FELT, .world = &world, .label = "felt"};
    struct limits limits;
    struct asked asked = {0};
    struct thread *thread;
    GError *error = NULL;
    limits_init(&limits);
    kit_ok(govern_begin_store(&asked.govern, &world, (struct store *)&store, &limits,
                              &(struct govern_self){.what = "job.1"}, &error));
    kit_ok(thread_start(&thread, "asks", asks, &asked, &error));
    for (unsigned i = 0; i < TIMES; i++) {
        promise(&limits, asked.govern, "+10% or +0.5ms", true);
        promise(&limits, asked.govern, "none", false);
    }
    atomic_store(&asked.stop, true);
    thread_join(thread);
    govern_end(asked.govern);
    limits_done(&limits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_server_is_told_of_as_far_as_it_is_known),
        cmocka_unit_test(nobody_paces_where_there_are_no_servers),
        cmocka_unit_test(a_promise_is_followed_while_others_ask_for_its_figures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
