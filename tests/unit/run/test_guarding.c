/* Whether a run that is watched may go on, by what its guards say. */
#include "kit/kit.h"
#include "run/guarding.h"
#include "run/limits.h"

static void who_may_begin_who_is_held_and_who_is_halted(void **state)
{
    static const struct {
        struct guards_verdict verdict;
        bool owes, hurries;
        bool holds, halts, may;
    } ROWS[] = {
        {{GUARD_LEVEL_OK, .ready = true}, false, false, false, false, true},
        {{GUARD_LEVEL_OK, .ready = false}, false, false, false, false, false},
        {{GUARD_LEVEL_OK, .ready = true, .beyond = true}, false, false, false, false, false},
        {{GUARD_LEVEL_OK, .ready = true}, true, false, false, false, false},
        {{GUARD_LEVEL_SLOW, .ready = true}, false, false, false, false, true},
        {{GUARD_LEVEL_PAUSE, .ready = true}, false, false, true, false, false},
        {{GUARD_LEVEL_HALT, .ready = true}, false, false, true, true, false},
        /* what is taken back in a hurry nothing holds */
        {{GUARD_LEVEL_OK, .ready = false}, true, true, false, false, true},
        {{GUARD_LEVEL_PAUSE, .ready = true}, false, true, false, false, true},
        {{GUARD_LEVEL_HALT, .ready = true, .beyond = true}, false, true, false, false, true},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct limits limits;
        limits_init(&limits);
        limits_back(&limits, ROWS[i].hurries);
        limits.now.back_urgent = ROWS[i].hurries;
        struct guarding guarding = {.limits = &limits, .verdict = ROWS[i].verdict, .owes = ROWS[i].owes};
        if (guarding_holds(&guarding) != ROWS[i].holds || guarding_halts(&guarding) != ROWS[i].halts ||
            guarding_may(&guarding) != ROWS[i].may)
            fail_msg("row %zu", i);
        limits_done(&limits);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_may_begin_who_is_held_and_who_is_halted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
