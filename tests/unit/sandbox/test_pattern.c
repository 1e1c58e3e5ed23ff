/* Patterns, and the functions of texts that use them, against Lua's own. */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "kit/fake_world.h"
#include "sandbox/pattern.h"
#include "unit/sandbox/lua_kit.h"

static void what_matches_is_found_with_its_captures(void **state)
{
    static const struct {
        const char *subject, *text;
        int start, end, captures; /* start 0: it differs */
        const char *first;
    } rows[] = {
        {"hello world", "o w", 5, 7, 0, NULL},
        {"hello", "l+", 3, 4, 0, NULL},
        {"key = 42", "(%w+)%s*=%s*(%d+)", 1, 8, 2, "key"},
        {"THE (quick) fox", "%((%a+)%)", 5, 11, 1, "quick"},
        {"x(a(b)c)y", "%b()", 2, 8, 0, NULL},
        {"THE (quick) fox", "%f[%a]%l+", 6, 10, 0, NULL},
        {"\"it's\"", "([\"'])(.-)%1", 1, 6, 2, "\""},
        {"aXb", "%u", 2, 2, 0, NULL},
        {"abc", "^b", 0, 0, 0, NULL},
        {"abc", "c$", 3, 3, 0, NULL},
        {"a.b", "%.", 2, 2, 0, NULL},
        {"]", "[]]", 1, 1, 0, NULL},
        {"^", "[%^x]", 1, 1, 0, NULL},
        {"", "", 1, 0, 0, NULL},
        {"abc", "()", 1, 0, 1, NULL},
        {"ab\0c", "b", 2, 2, 0, NULL},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct pattern pattern;
        bool anchored;
        size_t start, end;
        pattern_init(&pattern, slice_of_text(rows[i].subject), slice_of_text(rows[i].text), 10000, &anchored);
        enum pattern_result result = pattern_search(&pattern, 0, anchored, &start, &end);
        assert_int_equal(result, rows[i].start ? PATTERN_MATCHED : PATTERN_DIFFERS);
        if (!rows[i].start)
            continue;
        assert_int_equal(start + 1, rows[i].start);
        assert_int_equal(end, rows[i].end);
        assert_int_equal(pattern.n, rows[i].captures);
        if (rows[i].first)
            kit_equal_text(slice_of(pattern.captures[0].at, pattern.captures[0].len), rows[i].first);
    }
}

static void a_malformed_pattern_is_told_as_lua_tells_it(void **state)
{
    static const char *const rows[][2] = {
        {"%", "malformed pattern (ends with '%')"},
        {"[a", "malformed pattern (missing ']')"},
        {"[%]", "malformed pattern (missing ']')"},
        {"%b", "malformed pattern (missing arguments to '%b')"},
        {"%bx", "malformed pattern (missing arguments to '%b')"},
        {"%f", "missing '[' after '%f' in pattern"},
        {"a)", "invalid pattern capture"},
        {"%1", "invalid capture index %1"},
        {"(%1)", "invalid capture index %1"},
        {"()()()()()()()()()()()()()()()()()()()()()()()()()()()()()()()()()", "too many captures"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct pattern pattern;
        size_t end;
        pattern_init(&pattern, slice_of_text("aaaa"), slice_of_text(rows[i][0]), 10000, NULL);
        assert_int_equal(pattern_at(&pattern, 0, &end), PATTERN_FAULTY);
        assert_string_equal(pattern.fault, rows[i][1]);
    }
}

static void steps_are_counted(void **state)
{
    GString *subject = g_string_new(NULL);
    for (int i = 0; i < 10000; i++)
        g_string_append_c(subject, 'a');
    struct pattern pattern;
    bool anchored;
    size_t start, end;
    pattern_init(&pattern, slice_of_text(subject->str), slice_of_text("a*a*a*a*b"), 1000000, &anchored);
    assert_int_equal(pattern_search(&pattern, 0, anchored, &start, &end), PATTERN_EXHAUSTED);
    assert_int_equal(pattern.steps, 0);
    pattern_init(&pattern, slice_of_text(subject->str), slice_of_text("^a*$"), 100000, &anchored);
    assert_int_equal(pattern_search(&pattern, 0, anchored, &start, &end), PATTERN_MATCHED);
    assert_in_range(pattern.steps, 75000, 90000);
    g_string_free(subject, TRUE);
}

static void many_items_are_too_complex(void **state)
{
    GString *text = g_string_new(NULL);
    for (int i = 0; i < 300; i++)
        g_string_append(text, "a?");
    struct pattern pattern;
    size_t end;
    pattern_init(&pattern, slice_of_text("aaaaaaaaaa"), slice_of_text(text->str), 1000000, NULL);
    assert_int_equal(pattern_at(&pattern, 0, &end), PATTERN_MATCHED);
    g_string_assign(text, "");
    for (int i = 0; i < 300; i++)
        g_string_append(text, "a*");
    pattern_init(&pattern, slice_of_text("aaaaaaaaaa"), slice_of_text(text->str), 1000000, NULL);
    assert_int_equal(pattern_at(&pattern, 0, &end), PATTERN_FAULTY);
    assert_string_equal(pattern.fault, "pattern too complex");
    g_string_free(text, TRUE);
}

/* --- random texts, patterns and replacements, through every function ------------------------------------------------
 */

#define FUNCTION                                                                                                       \
    "function transform(d)\n"                                                                                          \
    "local s, p, r, i = d.s, d.p, d.r, d.i\n"                                                                          \
    "local function show(...) local t = table.pack(...) for n = 1, t.n do t[n] = tostring(t[n]) end\n"                 \
    "return table.concat(t, '|', 1, t.n) end\n"                                                                        \
    "local out = {}\n"                                                                                                 \
    "local function add(...) out[#out + 1] = show(...) end\n"                                                          \
    "add(pcall(string.find, s, p, i)) add(pcall(string.match, s, p, i)) add(pcall(string.find, s, p, i, true))\n"      \
    "add(pcall(string.gsub, s, p, r)) add(pcall(string.gsub, s, p, r, i)) add(pcall(string.gsub, s, p, {a = 'X'}))\n"  \
    "add(pcall(string.gsub, s, p, function(...) return select('#', ...) > 1 and show(...) end))\n"                     \
    "add(pcall(function() local t = {} for a, b in s:gmatch(p) do t[#t + 1] = show(a, b) end\n"                        \
    "return table.concat(t, ';') end))\n"                                                                              \
    "add(pcall(string.sub, s, i, -i)) add(pcall(string.byte, s, i, 3)) add(pcall(string.rep, s, i, r))\n"              \
    "add(s:upper(), s:lower(), s:reverse(), s:len()) local ok, f = pcall(string.format, p, s, i) add(ok, ok and f)\n"  \
    "return {v = table.concat(out, '\\n')} end"

static void append_random(GString *json, const char *name, const char *const *from, size_t n, uint64_t *seed)
{
    g_string_append_printf(json, "\"%s\":\"", name);
    for (uint64_t i = fake_next(seed) % 7; i > 0; i--)
        g_string_append(json, from[fake_next(seed) % n]);
    g_string_append(json, "\",");
}

/* The same fields, as globals of Lua's own. */
static char *by_lua(lua_State *lua, const char *json)
{
    struct lua_kit kit = {.mem = arena_new(1 << 20)};
    struct slice document = lua_kit_document(kit.mem, json);
    bson_t bson;
    bson_iter_t at;
    lua_settop(lua, 0);
    lua_getglobal(lua, "transform");
    lua_newtable(lua);
    assert_true(document_view(document, &bson) && bson_iter_init(&at, &bson));
    while (bson_iter_next(&at)) {
        if (BSON_ITER_HOLDS_INT64(&at))
            lua_pushinteger(lua, bson_iter_int64(&at));
        else
            lua_pushstring(lua, bson_iter_utf8(&at, NULL));
        lua_setfield(lua, -2, bson_iter_key(&at));
    }
    assert_int_equal(lua_pcall(lua, 1, 1, 0), LUA_OK);
    lua_getfield(lua, -1, "v");
    char *text = g_strdup(lua_tostring(lua, -1));
    lua_kit_done(&kit);
    return text;
}

static char *by_us(struct lua_kit *kit, const char *json)
{
    struct sandbox_context context = {.run = "r", .spec = "s"};
    struct slice document = lua_kit_document(kit->mem, json);
    struct sandbox_result result;
    GError *error = NULL;
    bson_t bson;
    bson_iter_t at;
    kit_ok(sandbox_transform(kit->sandbox, document, &context, kit->mem, &result, &error));
    assert_true(document_view(result.documents[0], &bson) && bson_iter_init_find(&at, &bson, "v"));
    char *text = g_strdup(bson_iter_utf8(&at, NULL));
    arena_reset(kit->mem);
    return text;
}

static void functions_of_texts_do_what_those_of_lua_do(void **state)
{
    static const char *const letters[] = {"a", "b", "ab", " ", "1", ".", "(", ")"};
    static const char *const items[] = {"a", "b", ".",  "%a", "%d", "%s", "[ab]", "[^a]",   "*", "+", "-",  "?",
                                        "(", ")", "()", "^",  "$",  "%1", "%b()", "%f[%a]", "%", "[", "%W", ".-"};
    static const char *const replacements[] = {"a", "%0", "%1", "%%", "%2", "x", "%"};
    lua_State *lua = luaL_newstate();
    struct lua_kit kit = {0};
    uint64_t seed = 99;
    GError *error = NULL;
    luaL_openlibs(lua);
    assert_int_equal(luaL_loadbuffer(lua, FUNCTION, strlen(FUNCTION), "@" LUA_KIT_NAME), LUA_OK);
    lua_call(lua, 0, 0);
    kit_ok(lua_kit_load(&kit, FUNCTION, strlen(FUNCTION), &error));
    for (int i = 0; i < 4000; i++) {
        g_autoptr(GString) json = g_string_new("{");
        append_random(json, "s", letters, G_N_ELEMENTS(letters), &seed);
        append_random(json, "p", items, G_N_ELEMENTS(items), &seed);
        append_random(json, "r", replacements, G_N_ELEMENTS(replacements), &seed);
        g_string_append_printf(json, "\"i\":%d}", (int)(fake_next(&seed) % 9) - 4);
        g_autofree char *expected = by_lua(lua, json->str);
        g_autofree char *text = by_us(&kit, json->str);
        if (strcmp(text, expected) != 0)
            print_error("%s\n", json->str);
        assert_string_equal(text, expected);
    }
    lua_close(lua);
    lua_kit_done(&kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_matches_is_found_with_its_captures),
        cmocka_unit_test(a_malformed_pattern_is_told_as_lua_tells_it),
        cmocka_unit_test(steps_are_counted),
        cmocka_unit_test(many_items_are_too_complex),
        cmocka_unit_test(functions_of_texts_do_what_those_of_lua_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
