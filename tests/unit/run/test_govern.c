/* What is said of servers that hold a run back. */
#include "kit/kit.h"
#include "run/govern.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_server_is_told_of_as_far_as_it_is_known),
        cmocka_unit_test(nobody_paces_where_there_are_no_servers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
