/* By whom or what a run is paused that needs a person. */
#include "kit/kit.h"
#include "run/pauser.h"

#define WAY "`sluice resume fix.1` goes on, `sluice rollback fix.1` takes the run back"

static void a_pause_of_the_run_itself_is_of_its_reason_and_any_other_of_who_made_it(void **state)
{
    static const struct {
        const char *guard, *reason, *by;
    } ROWS[] = {
        {NULL, NULL, "ann@desk"},
        {NULL, "lunch", "ann@desk"},
        {"memory", "guard: memory: 80 %, above its limit of 75 %", "memory"},
        {NULL, PAUSER_BUDGET "5 of 5 records are written (budget.records); " WAY, "its budget"},
        {NULL, PAUSER_SOURCE "2026-07-10T00:00:00.000Z, which has passed; " WAY, "source.until"},
        {NULL, PAUSER_GATE "canary" PAUSER_FAILED "1 of 5 differ, 1 missing; " WAY, "the gate of stage canary"},
        {NULL, PAUSER_HOOK "2 (./tell.sh)" PAUSER_UNHEARD "stage.passed, and has failed 5 times: no; " WAY,
         "hook 2 (./tell.sh)"},
        {NULL, PAUSER_BACK "full on are taken back; those before it stand: " WAY, "its rollback"},
        {NULL, "3 % of the records so far are rejected" PAUSER_LIMIT "protect.rejects" PAUSER_ALLOWS "1 %); " WAY,
         "protect.rejects"},
        {NULL, "stage canary was denied by ann@desk: no; " WAY, "ann@desk"},
        /* a person's words are a person's */
        {NULL, PAUSER_BUDGET "ask the boss", "ann@desk"},
        {NULL, "it rejects too much, more than we like", "ann@desk"},
        {NULL, "stopped: " PAUSER_BUDGET WAY, "ann@desk"},
        {NULL, PAUSER_GATE "canary is odd; " WAY, "ann@desk"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct run_row run = {.name = "fix.1",
                              .state = RUN_PAUSED,
                              .actor = "ann@desk",
                              .guard = ROWS[i].guard,
                              .reason = ROWS[i].reason};
        g_autofree char *by = pauser_of(&run);
        if (strcmp(by, ROWS[i].by) != 0)
            fail_msg("row %zu: %s", i, by);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pause_of_the_run_itself_is_of_its_reason_and_any_other_of_who_made_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
