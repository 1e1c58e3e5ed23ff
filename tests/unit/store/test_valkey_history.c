#include "kit/kit.h"
#include "store/valkey/valkey_store.h"

#define NONE "0000000000000000000000000000000000000000"

/* RUN_ID REPLID OFFSET REPLID2 SECOND */
static const struct {
    const char *was, *now;
    enum history_fate fate;
} ROWS[] = {
    {"run1 repl1 100 " NONE " -1", "run1 repl1 900 " NONE " -1", HISTORY_SAME},
    /* a first replica: another id, the same process, which never followed anyone */
    {"run1 repl1 0 " NONE " -1", "run1 repl2 10 " NONE " -1", HISTORY_SAME},
    /* it followed another one meanwhile */
    {"run1 repl1 100 " NONE " -1", "run1 repl2 10 repl9 50", HISTORY_BROKEN},
    /* a replica that had all of it, or all but the last byte */
    {"run1 repl1 100 " NONE " -1", "run2 repl2 120 repl1 101", HISTORY_CONTINUED},
    {"run1 repl1 100 " NONE " -1", "run2 repl2 120 repl1 100", HISTORY_BROKEN},
    /* started anew */
    {"run1 repl1 100 " NONE " -1", "run2 repl2 0 " NONE " -1", HISTORY_BROKEN},
    {"run1 repl1 100 " NONE " -1", "run2 repl1 100 " NONE " -1", HISTORY_BROKEN},
    /* a service that hides who it is */
    {"- - 0 - 0", "- - 0 - 0", HISTORY_SAME},
    {"- repl1 5 - 0", "- repl2 5 - 0", HISTORY_BROKEN},
    {"- repl1 5 - 0", "- repl2 9 repl1 6", HISTORY_CONTINUED},
    /* of several servers the worst counts; one more is no matter, one that is gone is */
    {"run1 repl1 1 " NONE " -1;run2 repl2 1 " NONE " -1", "run2 repl2 2 " NONE " -1;run1 repl1 2 " NONE " -1",
     HISTORY_SAME},
    {"run1 repl1 1 " NONE " -1;run2 repl2 1 " NONE " -1", "run1 repl1 2 " NONE " -1;run3 repl3 9 repl2 2",
     HISTORY_CONTINUED},
    {"run1 repl1 1 " NONE " -1", "run1 repl1 2 " NONE " -1;run3 repl3 9 " NONE " -1", HISTORY_SAME},
    {"run1 repl1 1 " NONE " -1;run2 repl2 1 " NONE " -1", "run1 repl1 2 " NONE " -1", HISTORY_BROKEN},
    /* not of ours */
    {"a text of something else", "run1 repl1 1 " NONE " -1", HISTORY_BROKEN},
};

static void who_has_the_data_now_has_what_was_written_or_may_have_lost_it(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++)
        if (valkey_history_compare(slice_of_text(ROWS[i].was), slice_of_text(ROWS[i].now)) != ROWS[i].fate)
            fail_msg("%s, then %s", ROWS[i].was, ROWS[i].now);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_has_the_data_now_has_what_was_written_or_may_have_lost_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
