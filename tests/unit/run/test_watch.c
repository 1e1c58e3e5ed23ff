/* What a wish from another terminal does to whoever is at work, by kind and by what he is about; the rate
 * shown, and what is told of the pace. */
#include "kit/failing_step.h"
#include "run/watch.h"
#include "unit/run/runs.h"

static struct run_row put_run(struct runs *runs)
{
    struct runs_new made = {.spec = "job", .plan = "{}", .state = RUN_RUNNING};
    return runs_put(runs, &made);
}

/* Ends by itself after so many looks, as work does that nobody stops. */
struct looks {
    atomic_bool stop;
    int left;
};

static bool is_over(void *self)
{
    struct looks *looks = self;
    return atomic_load(&looks->stop) || looks->left-- == 0;
}

/* --- wishes ------------------------------------------------------------------------------------------------------- */

enum came { NOTHING, WISH, INTERRUPTED };

static const struct asked {
    enum wish_kind kind;
    bool back, at_gate,
        beside; /* of whoever watches; beside: it is asked of the run for which he takes this one back */
    enum came came;
    enum wish_fate fate;
} ASKED[] = {
    {WISH_PAUSE, .came = WISH, .fate = WISH_IS_TAKEN},
    {WISH_ABORT, .came = WISH, .fate = WISH_IS_TAKEN},
    {WISH_ROLLBACK, .came = WISH, .fate = WISH_IS_TAKEN},
    {WISH_RESUME, .fate = WISH_IS_TAKEN},
    {WISH_APPROVE, .fate = WISH_IS_TAKEN},
    {WISH_SET, .fate = WISH_IS_TAKEN},
    {WISH_DENY, .fate = WISH_IS_TAKEN},
    {WISH_DENY, .at_gate = true, .came = WISH, .fate = WISH_IS_TAKEN},
    /* a run that is on its way back already */
    {WISH_PAUSE, .back = true, .came = WISH, .fate = WISH_IS_TAKEN},
    {WISH_ABORT, .back = true, .fate = WISH_IS_SET_ASIDE},
    {WISH_ROLLBACK, .back = true, .fate = WISH_IS_SET_ASIDE},
    {WISH_RESUME, .back = true, .fate = WISH_IS_TAKEN},
    /* asked of the one that waits for it: who holds that one acts upon it */
    {WISH_PAUSE, .beside = true, .came = INTERRUPTED, .fate = WISH_IS_OPEN},
    {WISH_ABORT, .beside = true, .came = INTERRUPTED, .fate = WISH_IS_OPEN},
    {WISH_ROLLBACK, .beside = true, .fate = WISH_IS_SET_ASIDE}, /* it has written nothing */
    {WISH_SET, .beside = true, .fate = WISH_IS_TAKEN},
    {WISH_APPROVE, .beside = true, .fate = WISH_IS_TAKEN},
};

static void each_wish_ends_what_it_is_to_end_and_is_answered(void **state)
{
    struct runs *runs = *state;
    struct run_config config = {.world = &runs->fake.world, .home = runs->home};
    for (size_t i = 0; i < G_N_ELEMENTS(ASKED); i++) {
        const struct asked *asked = &ASKED[i];
        GError *error = NULL;
        struct run_row run = put_run(runs), other = put_run(runs);
        struct wish wish = {.kind = asked->kind, .act = {.actor = "ann@desk"}};
        struct looks looks = {.left = 3};
        struct watch watch = {.config = &config,
                              .catalog = runs->catalog,
                              .mem = runs->mem,
                              .run = run.id,
                              .beside = asked->beside ? other.id : 0,
                              .back = asked->back,
                              .at_gate = asked->at_gate,
                              .stop = &looks.stop,
                              .ended = is_over,
                              .self = &looks};
        enum wish_fate fate;
        int64_t id;
        kit_ok(catalog_wish_add(runs->catalog, asked->beside ? other.id : run.id, &wish, &id, &error));
        watch_until_ended(&watch);
        kit_ok(catalog_wish_fate(runs->catalog, id, &fate, &error));
        enum came came = watch.wish.id == id ? WISH : watch.interrupted ? INTERRUPTED : NOTHING;
        if (came != asked->came || fate != asked->fate || atomic_load(&looks.stop) != (came != NOTHING))
            fail_msg("row %zu: %d came, and its fate is %d", i, (int)came, (int)fate);
    }
}

/* What is not heard at one look is at the next. */
static void a_statement_that_fails_leaves_a_wish_to_be_heard_later(void **state)
{
    struct runs *runs = *state;
    struct run_config config = {.world = &runs->fake.world, .home = runs->home};
    for (int beside = 0; beside < 2; beside++)
        for (unsigned nth = 1; nth <= 4; nth++) {
            GError *error = NULL;
            struct run_row run = put_run(runs), other = put_run(runs);
            struct wish wish = {.kind = WISH_PAUSE, .act = {.actor = "ann@desk"}};
            struct looks looks = {.left = 100};
            struct watch watch = {.config = &config,
                                  .catalog = runs->catalog,
                                  .mem = runs->mem,
                                  .run = run.id,
                                  .beside = beside ? other.id : 0,
                                  .stop = &looks.stop,
                                  .ended = is_over,
                                  .self = &looks};
            int64_t id;
            kit_ok(catalog_wish_add(runs->catalog, beside ? other.id : run.id, &wish, &id, &error));
            steps_met = 0;
            step_fails = nth;
            watch_until_ended(&watch);
            step_fails = 0;
            if (!(beside ? watch.interrupted : watch.wish.id == id || watch.interrupted))
                fail_msg("statement %u%s: nothing came", nth, beside ? " beside" : "");
        }
}

/* --- the rate ----------------------------------------------------------------------------------------------------- */

static void a_rate_is_of_two_looks_with_time_between(void **state)
{
    static const struct {
        int64_t now_us;
        uint64_t done;
        double per_s;
    } LOOKS[] = {
        {1000000, 500, 0},    /* the first says nothing, */
        {2000000, 600, 100},  /* the second all, */
        {3000000, 900, 160},  /* and then seven tenths are what it was */
        {3000000, 1000, 0},   /* no time has passed */
        {4000000, 1100, 100}, /* … as after the first */
        {5000000, 50, 0},     /* other work is counted from here on */
        {6000000, 60, 10},
    };
    struct watch watch = {0};
    for (size_t i = 0; i < G_N_ELEMENTS(LOOKS); i++) {
        watch.now_us = LOOKS[i].now_us;
        double per_s = watch_rate_per_s(&watch, LOOKS[i].done);
        if (per_s < LOOKS[i].per_s - 1e-6 || per_s > LOOKS[i].per_s + 1e-6)
            fail_msg("look %zu: %f", i, per_s);
    }
}

/* --- the pace ----------------------------------------------------------------------------------------------------- */

#define ON(by) "[{\"server\":\"a\",\"limited_by\":\"" by "\",\"reason\":\"it drains\"}]"

static void count_pace(void *self, const struct run_event *event)
{
    GString *told = self;
    assert_int_equal(event->kind, RUN_EVENT_PACE);
    assert_string_equal(event->run->name, "job.1");
    g_string_append_printf(told, "%s;", event->text);
}

static void what_has_changed_of_the_pace_is_told_also_where_it_could_not_be_at_first(void **state)
{
    static const struct {
        const char *json;
        unsigned fails; /* the n-th statement */
        const char *told;
    } LOOKS[] = {
        {"[]", 0, ""},           {ON("live.p99"), 1, ""}, {ON("live.p99"), 0, "a: it drains;"},
        {ON("live.p99"), 0, ""}, {NULL, 1, ""},           {NULL, 0, "a: nothing holds it back;"},
        {NULL, 0, ""},
    };
    struct runs *runs = *state;
    g_autoptr(GString) told = g_string_new(NULL);
    struct run_config config = {.world = &runs->fake.world, .home = runs->home};
    struct watch watch = {.config = &config, .catalog = runs->catalog, .run = put_run(runs).id};
    watch_tell_pace(&watch, ON("live.p99")); /* nobody listens */
    config.event = count_pace;
    config.event_self = told;
    for (size_t i = 0; i < G_N_ELEMENTS(LOOKS); i++) {
        g_string_truncate(told, 0);
        steps_met = 0;
        step_fails = LOOKS[i].fails;
        watch_tell_pace(&watch, LOOKS[i].json);
        step_fails = 0;
        if (strcmp(told->str, LOOKS[i].told) != 0)
            fail_msg("look %zu: '%s' was told", i, told->str);
    }
    paces_free(watch.paces);
}

/* --- what is set -------------------------------------------------------------------------------------------------- */

static void keep_note(void *self, const struct run_event *event)
{
    GString *told = self;
    assert_int_equal(event->kind, RUN_EVENT_NOTE);
    assert_string_equal(event->run->name, "job.1");
    g_string_append_printf(told, "%s;", event->text);
}

/* Whoever reads the stream of a run knows why it is slower from now on. */
static void what_another_terminal_sets_is_told_once_with_who_and_why(void **state)
{
    static const struct {
        const char *value, *reason, *told;
    } SETS[] = {
        {"protect.rate.max=50/s workers=2", "the shop opens",
         "ann@desk has set protect.rate.max=50/s workers=2: the shop opens;"},
        {"protect.live.p99=none", NULL, "ann@desk has set protect.live.p99=none;"},
    };
    struct runs *runs = *state;
    struct run_row run = put_run(runs);
    for (size_t i = 0; i < G_N_ELEMENTS(SETS); i++) {
        g_autoptr(GString) told = g_string_new(NULL);
        struct run_config config = {
            .world = &runs->fake.world, .home = runs->home, .event = keep_note, .event_self = told};
        struct wish wish = {
            .kind = WISH_SET, .value = SETS[i].value, .act = {.actor = "ann@desk", .reason = SETS[i].reason}};
        struct looks looks = {.left = 10};
        struct watch watch = {.config = &config,
                              .catalog = runs->catalog,
                              .mem = runs->mem,
                              .run = run.id,
                              .stop = &looks.stop,
                              .ended = is_over,
                              .self = &looks};
        GError *error = NULL;
        int64_t id;
        kit_ok(catalog_wish_add(runs->catalog, run.id, &wish, &id, &error));
        watch_until_ended(&watch);
        assert_string_equal(told->str, SETS[i].told);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_wish_ends_what_it_is_to_end_and_is_answered, runs_setup, runs_teardown),
        cmocka_unit_test_setup_teardown(a_statement_that_fails_leaves_a_wish_to_be_heard_later, runs_setup,
                                        runs_teardown),
        cmocka_unit_test(a_rate_is_of_two_looks_with_time_between),
        cmocka_unit_test_setup_teardown(what_has_changed_of_the_pace_is_told_also_where_it_could_not_be_at_first,
                                        runs_setup, runs_teardown),
        cmocka_unit_test_setup_teardown(what_another_terminal_sets_is_told_once_with_who_and_why, runs_setup,
                                        runs_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
