/* Limits that a person sets while workers ask for them, and the budget that they share: for the thread sanitizer. Each
 * function has a thread that calls nothing else, since a lock that another one takes would hide that it takes none. */
#include "base/thread.h"
#include "kit/kit.h"
#include "run/budget.h"

enum { TURNS = 200 };

struct settings {
    struct limits limits;
    struct budget budget;
};

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

static void set(struct settings *settings, unsigned turn)
{
    for (size_t i = 0; i < G_N_ELEMENTS(SET); i++)
        limits_set(&settings->limits, SET[i][0], SET[i][1 + turn % 2], NULL);
}

static void reset(struct settings *settings, unsigned turn)
{
    struct plan_limits frozen = {.workers = 1 + turn % 2, .rates = {.read = turn}, .complete = {.ms = turn}};
    limits_reset(&settings->limits, &frozen);
}

static void back(struct settings *settings, unsigned turn)
{
    limits_back(&settings->limits, turn % 2);
}

static void slow(struct settings *settings, unsigned turn)
{
    limits_slow(&settings->limits, turn);
}

/* --- who asks ----------------------------------------------------------------------------------------------------- */

#define ASKED(row)                                                                                                     \
    row(topology_halts) row(budget) row(rates) row(complete) row(source_until_ms) row(live) row(rate_max_per_s)        \
        row(rate_per_s) row(is_slowed) row(slowed_per_s) row(hurries) row(workers) row(priority)

#define ASKS(name)                                                                                                     \
    static void asks_##name(struct settings *settings, unsigned turn)                                                  \
    {                                                                                                                  \
        limits_##name(&settings->limits);                                                                              \
    }
ASKED(ASKS)

static void asks_guards(struct settings *settings, unsigned turn)
{
    struct guards_limits guards;
    limits_guards(&settings->limits, &guards);
}

static void asks_get(struct settings *settings, unsigned turn)
{
    g_free(limits_get(&settings->limits, turn % 2 ? "protect.memory" : "protect.errors", NULL));
}

static void asks_sensible(struct settings *settings, unsigned turn)
{
    limits_sensible(&settings->limits, "protect.memory", NULL);
}

static void asks_passed(struct settings *settings, unsigned turn)
{
    struct tally tally = {.of[OUTCOME_REJECTED] = 1};
    const char *key;
    g_free(limits_passed(&settings->limits, &(struct limits_seen){.tally = &tally}, &key));
}

/* --- the budget ----------------------------------------------------------------------------------------------------
 */

enum { EACH = 3 }; /* records of a batch */

/* What is taken is used, and used up at the end: by the last turn of all who take. */
static void uses(struct settings *settings, unsigned turn)
{
    static const struct spec_budget LIMIT = {.records = (uint64_t)2 * TURNS * EACH};
    struct budget_room room = {EACH, 1};
    assert_int_equal(budget_take(&settings->budget, &LIMIT, turn + 1, &room), BUDGET_TAKEN);
    budget_give(&settings->budget, &room, &(struct budget_room){EACH, 1});
}

static void uses_too(struct settings *settings, unsigned turn)
{
    uses(settings, turn);
}

static void prices(struct settings *settings, unsigned turn)
{
    budget_price(&settings->budget, &(struct money_rates){.write = turn});
}

static void works(struct settings *settings, unsigned turn)
{
    budget_worked_ms(&settings->budget, 1000 * turn);
}

static void looks(struct settings *settings, unsigned turn)
{
    budget_used(&settings->budget, 1000 * turn);
}

static void sees_an_end(struct settings *settings, unsigned turn)
{
    assert_false(budget_is_spent(&settings->budget));
}

/* --- all at once -------------------------------------------------------------------------------------------------- */

#define ROW(name) asks_##name,
static void (*const CALLS[])(struct settings *settings, unsigned turn) = {
    set,    reset, back,  slow,        ASKED(ROW) asks_guards, asks_get, asks_sensible, asks_passed, uses, uses_too,
    prices, works, looks, sees_an_end,
};

struct caller {
    struct settings *settings;
    pthread_barrier_t *all; /* who is through before another one begins meets nobody */
    void (*call)(struct settings *settings, unsigned turn);
    struct thread *thread;
};

static void calls(void *self)
{
    struct caller *caller = self;
    pthread_barrier_wait(caller->all);
    for (unsigned turn = 0; turn < TURNS; turn++)
        caller->call(caller->settings, turn);
}

static void what_is_set_is_asked_for_by_others_meanwhile(void **state)
{
    GError *error = NULL;
    static const struct run_row NEW;
    struct settings settings;
    pthread_barrier_t all;
    struct caller callers[G_N_ELEMENTS(CALLS)];
    limits_init(&settings.limits);
    budget_init(&settings.budget);
    budget_begin(&settings.budget, &NEW, 1);
    pthread_barrier_init(&all, NULL, G_N_ELEMENTS(CALLS));
    for (size_t i = 0; i < G_N_ELEMENTS(CALLS); i++) {
        callers[i] = (struct caller){.settings = &settings, .all = &all, .call = CALLS[i]};
        kit_ok(thread_start(&callers[i].thread, "calls", calls, &callers[i], &error));
    }
    for (size_t i = 0; i < G_N_ELEMENTS(CALLS); i++)
        thread_join(callers[i].thread);
    for (size_t i = 0; i < G_N_ELEMENTS(SET); i++)
        kit_ok(limits_set(&settings.limits, SET[i][0], SET[i][1], &error));
    pthread_barrier_destroy(&all);
    assert_int_equal(budget_used(&settings.budget, 1).records, 2 * TURNS * EACH);
    assert_true(budget_end(&settings.budget, 1) <= 0);
    budget_done(&settings.budget);
    limits_done(&settings.limits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_set_is_asked_for_by_others_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
