/* Whose turn it is, among the runs of a home. */
#include "catalog/lock.h"
#include "run/turns.h"
#include "unit/run/runs.h"

#define PLAN(priority)                                                                                                 \
    "{\"limits\": {\"rate_max_per_s\": 0, \"workers\": 1, \"errors\": 1, \"rejects\": 1, \"kept_live\": 1, "           \
    "\"topology_halts\": false, \"priority\": " priority "}}"

enum { MINE = 4 };

static const struct {
    struct runs_new others[2];
    bool nobody_has_it; /* the first of them: no process holds it */
    const char *first;  /* which goes before; NULL: none */
} ROWS[] = {
    {{{"a", PLAN("5"), "x:1#items", RUN_RUNNING}}, false, "a.1 of priority 5 goes before this one, of 4"},
    {{{"a", PLAN("5"), "x:1#other", RUN_VERIFYING}}, false, "a.1 of priority 5"}, /* the same servers feel it */
    {{{"a", PLAN("5"), "x:1#items", RUN_ROLLING_BACK}}, false, "a.1 of priority 5"},
    {{{"a", PLAN("5"), "x:1", RUN_RUNNING}}, false, "a.1 of priority 5"},
    {{{"a", PLAN("5"), "x:2#items", RUN_RUNNING}}, false, NULL}, /* other servers, */
    {{{"a", PLAN("5"), "x:11#items", RUN_RUNNING}}, false, NULL},
    {{{"a", PLAN("5"), "x:#items", RUN_RUNNING}}, false, NULL},
    {{{"a", PLAN("5"), "x:1#items", RUN_RUNNING}}, true, NULL},  /* … nobody, */
    {{{"a", PLAN("5"), "x:1#items", RUN_PAUSED}}, false, NULL},  /* … one that is not at work, */
    {{{"a", PLAN("4"), "x:1#items", RUN_RUNNING}}, false, NULL}, /* … or that is worth no more goes before */
    {{{"a", PLAN("6"), "x:1#items", RUN_RUNNING}, {"b", PLAN("5"), "x:1#items", RUN_RUNNING}},
     false,
     "a.1 of priority 6"},
    {{{"a", PLAN("5"), "x:1#items", RUN_RUNNING}, {"b", PLAN("6"), "x:1#items", RUN_RUNNING}},
     false,
     "b.1 of priority 6"},
};

static bool look(struct runs *runs, struct arena *mem, char **ret, GError **error)
{
    struct run_row mine =
        runs_put(runs, &(struct runs_new){.spec = "mine", .plan = PLAN("9"), "x:1#items", .state = RUN_RUNNING});
    struct run_config config = {.world = &runs->fake.world, .home = runs->home};
    struct turns_wish wish = {&config, runs->catalog, mine.id, mine.target, MINE};
    return turns_look(&wish, mem, ret, error);
}

static void the_one_of_the_highest_priority_on_the_same_servers_goes_first(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        GError *error = NULL;
        void *own;
        struct run_lock *locks[2] = {0};
        g_autofree char *first = NULL;
        assert_int_equal(runs_setup(&own), 0);
        struct runs *runs = own;
        for (size_t k = 0; k < G_N_ELEMENTS(locks) && ROWS[i].others[k].spec; k++) {
            struct run_row row = runs_put(runs, &ROWS[i].others[k]);
            if (!ROWS[i].nobody_has_it)
                kit_ok(run_lock_take(&locks[k], &runs->fake.world, runs->home, row.name, &error));
        }
        kit_ok(look(runs, runs->mem, &first, &error));
        if (!first != !ROWS[i].first || (first && !strstr(first, ROWS[i].first)))
            fail_msg("row %zu: %s", i, first ? first : "none goes before");
        run_lock_free(locks[0]);
        run_lock_free(locks[1]);
        runs_teardown(&own);
    }
}

static void of_one_whose_plan_cannot_be_read_it_is_not_known(void **state)
{
    GError *error = NULL;
    struct runs *runs = *state;
    struct run_lock *lock;
    char *first = NULL;
    struct run_row row =
        runs_put(runs, &(struct runs_new){.spec = "a", .plan = "none", .target = "x:1#items", .state = RUN_RUNNING});
    kit_ok(run_lock_take(&lock, &runs->fake.world, runs->home, row.name, &error));
    kit_refused(look(runs, runs->mem, &first, &error), CORRUPT, "a.1: its frozen plan cannot be read");
    run_lock_free(lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_one_of_the_highest_priority_on_the_same_servers_goes_first),
        cmocka_unit_test_setup_teardown(of_one_whose_plan_cannot_be_read_it_is_not_known, runs_setup, runs_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
