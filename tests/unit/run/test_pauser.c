/* By whom or what a run is paused that needs a person. */
#include "run/pauser.h"
#include "unit/run/runs.h"

#define WAY "`sluice resume job.1` goes on, `sluice rollback job.1` takes the run back"

/* Whatever the words say: a person may write what the run itself does. */
static void a_pause_of_the_run_itself_is_of_what_it_stopped_at_and_any_other_of_who_made_it(void **state)
{
    static const struct {
        const char *guard, *pauser, *reason, *by;
    } ROWS[] = {
        {NULL, NULL, NULL, "ann@desk"},
        {NULL, NULL, "lunch", "ann@desk"},
        {"memory", NULL, "guard: memory: 80 %, above its limit of 75 %", "memory"},
        {NULL, PAUSER_BUDGET, "the budget is spent: 5 of 5 records are written; " WAY, "its budget"},
        {NULL, PAUSER_GATE "canary", "1 of 5 differ", "the gate of stage canary"},
        {NULL, NULL, "stage canary was denied by ann@desk: no; " WAY, "ann@desk"},
        {NULL, NULL, "the budget is spent: 5 of 5 records are written; " WAY, "ann@desk"},
    };
    struct runs *runs = *state;
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        GError *error = NULL;
        struct runs_new made = {.spec = "job", .plan = "{}", .state = RUN_RUNNING};
        struct run_row run = runs_put(runs, &made);
        struct run_move move = {.run = run.id,
                                .from = RUN_RUNNING,
                                .to = RUN_PAUSED,
                                .guard = ROWS[i].guard,
                                .pauser = ROWS[i].pauser,
                                .reason = ROWS[i].reason,
                                .act = {.actor = "ann@desk"}};
        kit_ok(catalog_run_move(runs->catalog, &move, &error));
        kit_ok(catalog_run_reload(runs->catalog, runs->mem, &run, &error));
        if (strcmp(pauser_of(&run), ROWS[i].by) != 0)
            fail_msg("row %zu: %s", i, pauser_of(&run));
        struct run_move on = {.run = run.id, .from = RUN_PAUSED, .to = RUN_RUNNING, .act = {.actor = "bob@desk"}};
        kit_ok(catalog_run_move(runs->catalog, &on, &error));
        kit_ok(catalog_run_reload(runs->catalog, runs->mem, &run, &error));
        assert_null(run.pauser);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_pause_of_the_run_itself_is_of_what_it_stopped_at_and_any_other_of_who_made_it,
                                        runs_setup, runs_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
