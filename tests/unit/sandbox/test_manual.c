/* The examples of docs/transforms.md do what they say: each block of Lua with its lines `-- in:` and `-- out:`. */
#include "unit/sandbox/lua_kit.h"

static size_t check_block(const char *block)
{
    g_auto(GStrv) lines = g_strsplit(block, "\n", -1);
    size_t checked = 0;
    for (size_t i = 0; lines[i] && lines[i + 1]; i++) {
        if (!g_str_has_prefix(lines[i], "-- in:"))
            continue;
        assert_true(g_str_has_prefix(lines[i + 1], "-- out:"));
        g_autofree char *text = lua_kit_run(block, g_strstrip(lines[i] + strlen("-- in:")));
        assert_string_equal(text, g_strstrip(lines[i + 1] + strlen("-- out:")));
        checked++;
    }
    return checked;
}

static char *read_page(void)
{
    g_autofree char *path = g_build_filename(g_getenv("SLUICE_SOURCE"), "docs", "transforms.md", NULL);
    char *page = NULL;
    assert_true(g_file_get_contents(path, &page, NULL, NULL));
    return page;
}

static void examples_do_what_they_say(void **state)
{
    g_autofree char *page = read_page();
    size_t checked = 0;
    g_auto(GStrv) parts = g_strsplit(page, "```", -1);
    for (size_t i = 1; parts[i]; i += 2)
        if (g_str_has_prefix(parts[i], "lua\n"))
            checked += check_block(parts[i] + strlen("lua\n"));
    assert_true(checked >= 7);
}

/* All that a script can name stands there, and nothing that it cannot. */
static void names_are_those_that_there_are(void **state)
{
    g_autofree char *page = read_page();
    g_autofree char *names = lua_kit_run("function transform() local out = {}\n"
                                         "for _, t in ipairs {_ENV, string, table, utf8, math} do\n"
                                         "for k, v in pairs(t) do out[#out + 1] = k end end\n"
                                         "return {s = table.concat(out, ' ')} end",
                                         "{}");
    g_auto(GStrv) words = g_strsplit_set(names, " \"", -1);
    size_t n = 0;
    for (size_t i = 3; words[i] && words[i][0] != '}'; i++, n++) {
        g_autofree char *word = g_strdup_printf("\\b%s\\b", words[i]);
        if (!g_regex_match_simple(word, page, 0, 0))
            print_error("%s\n", words[i]);
        assert_true(g_regex_match_simple(word, page, 0, 0));
    }
    assert_true(n > 70);
    const char *begin = strstr(page, "Lua 5.4, with"), *end = strstr(page, "What is different");
    g_autofree char *part = g_strndup(begin, (gsize)(end - begin));
    g_auto(GStrv) listed = g_regex_split_simple("[^A-Za-z0-9_]+", strchr(part, '`'), 0, 0);
    for (size_t i = 0; listed[i]; i++) {
        g_autofree char *word = g_strdup_printf("\\b%s\\b", listed[i]);
        bool prose = g_regex_match_simple("^(keeps|the|order|of|equal|elements|)$", listed[i], 0, 0);
        if (!prose && !g_regex_match_simple(word, names, 0, 0))
            print_error("%s\n", listed[i]);
        assert_true(prose || g_regex_match_simple(word, names, 0, 0));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(examples_do_what_they_say),
                                       cmocka_unit_test(names_are_those_that_there_are)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
