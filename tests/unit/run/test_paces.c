/* What is told of the pace of servers: each change of what holds a run back, and of how much by, once. */
#include "kit/kit.h"
#include "run/paces.h"

#define ON(name, by, window)                                                                                           \
    "{\"server\":\"" name "\",\"limited_by\":\"" by "\",\"reason\":\"it drains\",\"window\":" window                   \
    ",\"commands_per_s\":8.0}"

static void note(void *self, const struct paces_change *change)
{
    const struct run_pace *pace = &change->pace;
    g_string_append_printf(self, "%s %s %.2f %.0f: %s|", pace->server, pace->limited_by ? pace->limited_by : "-",
                           pace->window, pace->commands_per_s, change->text);
}

static void each_change_of_a_server_s_pace_is_told_once_with_its_cause(void **state)
{
    static const struct {
        const char *json, *told;
    } LOOKS[] = {
        {NULL, ""},
        {"[" ON("a", "baseline", "0") "]", "a baseline 0.00 8: a: it drains|"},
        {"[" ON("a", "live.p99", "0.02") "]", "a live.p99 0.02 8: a: it drains|"},
        {"[" ON("a", "live.p99", "0.039") "]", ""}, /* not yet twice as much */
        {"[" ON("a", "live.p99", "0.04") "]", "a live.p99 0.04 8: a: it drains; its window is 0.04, and was 0.02|"},
        {"[" ON("a", "baseline", "0") "]", ""}, /* a lull goes as it came */
        {"[" ON("a", "live.p99", "0.05") "]", ""},
        /* of several each, whichever holds back most */
        {"[" ON("b", "live.p99", "2") "," ON("a", "live.p99", "0.05") "]", "b live.p99 2.00 8: b: it drains|"},
        {"[" ON("b", "live.p99", "2") "," ON("a", "live.p99.breach", "0.02") "]",
         "a live.p99.breach 0.02 8: a: it drains; its window is 0.02, and was 0.04|"},
        {"[" ON("a", "live.p99.breach", "0.02") "," ON("b", "live.p99", "1") "]",
         "b live.p99 1.00 8: b: it drains; its window is 1, and was 2|"},
        {"[" ON("a", "live.p99.breach", "0.02") "," ON("b", "most", "32") "]",
         "b - 32.00 0: b: nothing holds it back|"},
        {"[" ON("a", "live.p99.breach", "0.02") "," ON("b", "baseline", "0") "]", ""},
        {"[" ON("a", "live.p99.breach", "0.02") "," ON("b", "most", "32") "]", ""},
        /* it has left, and was held back by nothing; the other is promised nothing any more */
        {"[" ON("a", "live.p99.breach", "0.02") "]", ""},
        {NULL, "a - 0.00 0: a: nothing holds it back|"},
        {NULL, ""},
        {"[" ON("a", "most", "32") "]", ""}, /* as ever */
        {"[" ON("a", "baseline", "0") "]", ""},
        {"[" ON("a", "probe", "0") "]", "a probe 0.00 8: a: it drains|"},
    };
    auto_(paces) paces = paces_new();
    for (size_t i = 0; i < G_N_ELEMENTS(LOOKS); i++) {
        g_autoptr(GString) told = g_string_new(NULL);
        paces_look(paces, LOOKS[i].json, note, told);
        if (strcmp(told->str, LOOKS[i].told) != 0)
            fail_msg("look %zu: '%s' was told", i, told->str);
    }
}

/* Where only the first of them are named, another one has not left. */
static void of_many_servers_none_that_is_not_named_is_taken_for_gone(void **state)
{
    auto_(paces) paces = paces_new();
    for (int from = 0; from < 2; from++) {
        g_autoptr(GString) json = g_string_new("["), told = g_string_new(NULL);
        for (int i = from; i < from + 64; i++)
            g_string_append_printf(json, "%s{\"server\":\"s%d\",\"limited_by\":\"live.p99\",\"reason\":\"it drains\"}",
                                   i > from ? "," : "", i);
        g_string_append_c(json, ']');
        paces_look(paces, json->str, note, told);
        assert_null(strstr(told->str, "nothing holds"));
        if (from)
            assert_string_equal(told->str, "s64 live.p99 0.00 0: s64: it drains|");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_change_of_a_server_s_pace_is_told_once_with_its_cause),
        cmocka_unit_test(of_many_servers_none_that_is_not_named_is_taken_for_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
