/* Limits that a person sets while workers ask for them: for the thread sanitizer. Each function has a thread that calls
 * nothing else, since a lock that another one takes would hide that it takes none. */
#include "base/thread.h"
#include "kit/kit.h"
#include "run/limits.h"

enum { TURNS = 200 };

/* --- who changes them --------------------------------------------------------------------------------------------- */

static const char *const SET[][3] = {
    {"protect.errors", "1%", "2%"},
    {"protect.rejects", "1%", "2%"},
    {"protect.kept_live", "1%", "2%"},
    {LIMITS_RATE, "100/s", "200/s"},
    {LIMITS_LIVE, "+10% or +0.5ms", "+20% or +1ms"},
    {LIMITS_TOPOLOGY, "follow", "halt"},
    {LIMITS_SKEW, "1s", "2s"},
    {"protect.memory", "70%", "80%"},
    {LIMITS_BACK, "steady", "urgent"},
    {BUDGET_RECORDS, "1", "2"},
    {"workers", "1", "2"},
    {LIMITS_UNTIL, "2026-07-17", "2026-07-18"},
    {LIMITS_PRIORITY, "1", "2"},
};

static void set(struct limits *limits, unsigned turn)
{
    for (size_t i = 0; i < G_N_ELEMENTS(SET); i++)
        limits_set(limits, SET[i][0], SET[i][1 + turn % 2], NULL);
}

static void reset(struct limits *limits, unsigned turn)
{
    struct plan_limits frozen = {.workers = 1 + turn % 2, .rates = {.read = turn}, .complete = {.ms = turn}};
    limits_reset(limits, &frozen);
}

static void back(struct limits *limits, unsigned turn)
{
    limits_back(limits, turn % 2);
}

static void slow(struct limits *limits, unsigned turn)
{
    limits_slow(limits, turn);
}

/* --- who asks ----------------------------------------------------------------------------------------------------- */

#define ASKED(row)                                                                                                     \
    row(topology_halts) row(budget) row(rates) row(complete) row(source_until_ms) row(live) row(rate_max_per_s)        \
        row(rate_per_s) row(is_slowed) row(slowed_per_s) row(hurries) row(workers) row(priority)

#define ASKS(name)                                                                                                     \
    static void asks_##name(struct limits *limits, unsigned turn)                                                      \
    {                                                                                                                  \
        limits_##name(limits);                                                                                         \
    }
ASKED(ASKS)

static void asks_guards(struct limits *limits, unsigned turn)
{
    struct guards_limits guards;
    limits_guards(limits, &guards);
}

static void asks_get(struct limits *limits, unsigned turn)
{
    g_free(limits_get(limits, turn % 2 ? "protect.memory" : "protect.errors", NULL));
}

static void asks_sensible(struct limits *limits, unsigned turn)
{
    limits_sensible(limits, "protect.memory", NULL);
}

static void asks_passed(struct limits *limits, unsigned turn)
{
    struct tally tally = {.of[OUTCOME_REJECTED] = 1};
    g_free(limits_passed(limits, &(struct limits_seen){.tally = &tally}));
}

/* --- all at once -------------------------------------------------------------------------------------------------- */

#define ROW(name) asks_##name,
static void (*const CALLS[])(struct limits *limits, unsigned turn) = {
    set, reset, back, slow, ASKED(ROW) asks_guards, asks_get, asks_sensible, asks_passed,
};

struct caller {
    struct limits *limits;
    pthread_barrier_t *all; /* who is through before another one begins meets nobody */
    void (*call)(struct limits *limits, unsigned turn);
    struct thread *thread;
};

static void calls(void *self)
{
    struct caller *caller = self;
    pthread_barrier_wait(caller->all);
    for (unsigned turn = 0; turn < TURNS; turn++)
        caller->call(caller->limits, turn);
}

static void what_is_set_is_asked_for_by_others_meanwhile(void **state)
{
    GError *error = NULL;
    struct limits limits;
    pthread_barrier_t all;
    struct caller callers[G_N_ELEMENTS(CALLS)];
    limits_init(&limits);
    pthread_barrier_init(&all, NULL, G_N_ELEMENTS(CALLS));
    for (size_t i = 0; i < G_N_ELEMENTS(CALLS); i++) {
        callers[i] = (struct caller){.limits = &limits, .all = &all, .call = CALLS[i]};
        kit_ok(thread_start(&callers[i].thread, "calls", calls, &callers[i], &error));
    }
    for (size_t i = 0; i < G_N_ELEMENTS(CALLS); i++)
        thread_join(callers[i].thread);
    for (size_t i = 0; i < G_N_ELEMENTS(SET); i++)
        kit_ok(limits_set(&limits, SET[i][0], SET[i][1], &error));
    pthread_barrier_destroy(&all);
    limits_done(&limits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_set_is_asked_for_by_others_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
