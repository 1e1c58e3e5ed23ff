/* What becomes of `==`, `~=` and `^` when a source is loaded. */
#include "kit/fake_world.h"
#include "sandbox/operators.h"
#include "unit/sandbox/lua_kit.h"

static void check(const char *source, const char *expected)
{
    g_autoptr(GString) into = g_string_new(NULL);
    bool ok = operators_rewrite(slice_of_text(source), OPERATORS_CHUNK, into);
    assert_string_equal(ok ? into->str : "refused", expected);
}

static void equality_becomes_a_call(void **state)
{
    check("x = a == b", "x = _sluice_eq(a , b)");
    check("x = a ~= b", "x = _sluice_ne(a , b)");
    check("x=a==b", "x=_sluice_eq(a,b)");
    check("x = a == 0", "x = _sluice_eq(a , 0)");
    check("if a.b[c == d]:e(f ~= g).h == i then end",
          "if _sluice_eq(a.b[_sluice_eq(c , d)]:e(_sluice_ne(f , g)).h , i) then end");
    check("x = a == b == c", "x = _sluice_eq(_sluice_eq(a , b) , c)");
    check("x = a < b == c", "x = _sluice_eq(a < b , c)");
    check("x = a == b < c", "x = _sluice_eq(a , b) < c");
    check("x = not a == b", "x = _sluice_eq(not a , b)");
    check("x = -a == b + 1 and c", "x = _sluice_eq(-a , b + 1) and c");
    check("x = a or b == c .. d", "x = a or _sluice_eq(b , c .. d)");
    check("x = a == b y = c ~= d", "x = _sluice_eq(a , b) y = _sluice_ne(c , d)");
    check("f(a == b, c == d)", "f(_sluice_eq(a , b), _sluice_eq(c , d))");
    check("t = {a == b, [a == b] = c == d; e = f == g}",
          "t = {_sluice_eq(a , b), [_sluice_eq(a , b)] = _sluice_eq(c , d); e = _sluice_eq(f , g)}");
    check("x = (a == b)", "x = (_sluice_eq(a , b))");
    check("x = ... == a", "x = _sluice_eq(... , a)");
    check("if-a==b then end", "if _sluice_eq(-a,b) then end");
    check("x = a and(b)==c or{}==d", "x = a and _sluice_eq((b),c) or{}==d");
    check("return a == b", "return _sluice_eq(a , b)");
    check("x = a --[[ one ]] == -- two\n b", "x = _sluice_eq(a --[[ one ]] , -- two\n b)");
}

static void a_statement_in_parentheses_stays_one(void **state)
{
    check("x = a == 1 (f or g)(b)", "x = _sluice_eq(a , 1); (f or g)(b)");
    check("x = a == b ^ 2\n(f or g)(b)", "x = _sluice_eq(a , _sluice_pow(b , 2));\n(f or g)(b)");
    check("x = a == b + #c == -1 --[[d]] (f)()", "x = _sluice_eq(_sluice_eq(a , b + #c) , -1); --[[d]] (f)()");
    check("repeat until a == 1 (f)()", "repeat until _sluice_eq(a , 1); (f)()");
    check("x = a == b(f)", "x = _sluice_eq(a , b(f))");
    check("x = a == b (f) (g)", "x = _sluice_eq(a , b (f) (g))");
    g_autofree char *text = lua_kit_run("function transform(doc) local n = 0 local function f(x) n = n + x end\n"
                                        "local a = doc.b == 1 (f or g)(7)\nreturn {a = a, n = n} end",
                                        "{\"b\":1.0}");
    assert_string_equal(text, "{\"a\":true,\"n\":7}");
}

static void equality_of_what_no_number_is_stays(void **state)
{
    static const char *const sources[] = {"x = a == 'b'",
                                          "x = nil ~= a",
                                          "x = a == true",
                                          "x = a == {}",
                                          "x = a == function() end",
                                          "x = #a == 0",
                                          "x = 1 == 2",
                                          "x = a == [[b]]",
                                          "x = -- a == b\n1",
                                          "x = 'a == b'",
                                          "x = [==[ a == b ]] ]==]",
                                          "x = \"\\\" a == b\"",
                                          "x = 'a \\z \n == b'"};
    for (size_t i = 0; i < G_N_ELEMENTS(sources); i++)
        check(sources[i], sources[i]);
}

static void powers_become_calls(void **state)
{
    check("x = a ^ b", "x = _sluice_pow(a , b)");
    check("x = 2^53", "x = _sluice_pow(2,53)");
    check("x = a ^ b ^ c", "x = _sluice_pow(a , _sluice_pow(b , c))");
    check("x = -a ^ -b", "x = -_sluice_pow(a , -b)");
    check("x = a ^ 2 == b ^ 2", "x = _sluice_eq(_sluice_pow(a , 2) , _sluice_pow(b , 2))");
    check("x = a.b^c.d * e", "x = _sluice_pow(a.b,c.d) * e");
}

static void every_statement_is_understood(void **state)
{
    const char *source =
        "local a <const>, b <close> = 1, nil; local function f(x, ...) return ... end\n"
        "function m.n.o:p() self.q = 1 end for i = 1, 2, 3 do break end for k, v in pairs(t) do end\n"
        "while a do end repeat local z until z if a then elseif b then else end do end goto l ::l::\n"
        "a, b.c, d[1] = 1, 2 f{} f'x' f[[y]] (f or g)(1) x = 0x1p4 + 3. + .5 + 1e-3 + 0xA.8p0 // 2 ~ 1\n"
        "x = a & b | ~c << 1 >> 2 % 3 .. 'x' <= y >= z return;";
    check(source, source);
}

static void what_is_not_lua_is_refused(void **state)
{
    static const char *const sources[] = {
        "x = ",   "if a then",  "x = a == ", "f(",    "x = {",        "local _sluice_eq",
        "x = 'a", "x = [[a",    "--[[ a",    "end",   "x = a = b ==", "for",
        "goto",   "function a", "x = (a",    "x = @", "_sluice_x = 1"};
    for (size_t i = 0; i < G_N_ELEMENTS(sources); i++)
        check(sources[i], "refused");
}

static void expressions_end_before_their_remarks(void **state)
{
    g_autoptr(GString) into = g_string_new(NULL);
    assert_true(operators_rewrite(slice_of_text("doc.a == 1 -- one"), OPERATORS_EXPRESSION, into));
    assert_string_equal(into->str, "_sluice_eq(doc.a , 1)");
    assert_false(operators_rewrite(slice_of_text("doc.a == 1 doc.b"), OPERATORS_EXPRESSION, into));
}

/* --- whatever Lua compiles, is understood and still compiles --------------------------------------------------------
 */

static const char *const pieces[] = {"a",      "b",     "doc",     "x",       "1",      "0.5", "0x1F",     "'s'",
                                     "\"t\"",  "[[u]]", "nil",     "true",    "false",  "...", "function", "end",
                                     "(",      ")",     "{",       "}",       "[",      "]",   "==",       "~=",
                                     "^",      "+",     "-",       "*",       "/",      "//",  "%",        "..",
                                     "<",      "<=",    ">",       ">=",      "&",      "|",   "~",        "<<",
                                     ">>",     "#",     "not",     "and",     "or",     "=",   ",",        ";",
                                     ":",      "::",    ".",       "local",   "return", "if",  "then",     "else",
                                     "elseif", "while", "do",      "repeat",  "until",  "for", "in",       "break",
                                     "goto",   "--c\n", "--[[d]]", "<const>", "\n"};

static const char *const seeds[] = {
    "local y = doc . a == 1 and doc . b ~= a or not ( doc . c == nil ) e = y f ( y ^ 2 == 4 , a ^ b )",
    "local function h ( u , v ) local t = { a == u , x = u ~= b ; [ a == 1 ] = 2 ^ 3 ^ a } return t [ 1 ] == f ( u ) "
    "end f ( h ( a ) )",
    "for i = 1 , 3 do if i == a then g ( i ) elseif i ~= b then a = i == 1 ( f or g ) ( i ) end end",
    "while a ~= 9 do a = a + 1 repeat local d = a == b until d ~= nil f ( d ) if a == 5 then break end end",
    "local function h ( ) return function ( ) return a == b , a ~= c end end e = h ( ) ( ) == ( g ) ( a ) doc . b ( a "
    "== c , e ) x . y = a == b",
    "a , b = a == b , { f = function ( ) end , 'x' == e } ; ( f or g ) ( - a == ~ b , # e == 1 ) f ( a .. b == 12 , 1 "
    "< 2 == true )",
    "goto l f ( a ) :: l :: g ( a == c ^ 2 , ( b ) == 2 ) do local z = f ( a ) == g ( b , c ) == e ; ( g ) ( z ) end "
    "return a == b ^ a",
};

static bool lua_compiles(lua_State *lua, const char *text, size_t len)
{
    bool ok = luaL_loadbufferx(lua, text, len, "=x", "t") == LUA_OK;
    lua_settop(lua, 0);
    return ok;
}

/* Tokens of a seed, some of them replaced, removed, doubled or swapped. */
static char *mutate(const char *seed_text, uint64_t *seed)
{
    g_auto(GStrv) tokens = g_strsplit(seed_text, " ", -1);
    GString *text = g_string_new(NULL);
    for (size_t i = 0; tokens[i]; i++) {
        uint64_t what = fake_next(seed) % 120;
        if (what == 0)
            continue;
        g_string_append(text, what == 1 ? pieces[fake_next(seed) % G_N_ELEMENTS(pieces)] : tokens[i]);
        g_string_append_c(text, ' ');
        if (what == 2)
            g_string_append_printf(text, "%s ", pieces[fake_next(seed) % G_N_ELEMENTS(pieces)]);
        if (what == 3)
            g_string_append_printf(text, "%s ", tokens[i]);
    }
    return g_string_free(text, FALSE);
}

/* Lua's own, which runs a chunk among names that write down what is done with them: "what was done" and how it ended.
 */
#define WITNESS                                                                                                        \
    "function witness(chunk, ...)\n"                                                                                   \
    "local log = {}\n"                                                                                                 \
    "local function show(v) return (type(v) == 'table' or type(v) == 'function') and type(v) or tostring(v) end\n"     \
    "local function note(...) log[#log + 1] = table.concat({...}, ' ') end\n"                                          \
    "local function fn(name) return function(...) note(name, select('#', ...), show((...))) return ... end end\n"      \
    "local names = {a = 1, b = 2, c = 1.0, e = 'e', doc = {a = 1, b = fn 'doc.b'}, f = fn 'f', g = fn 'g', x = {}}\n"  \
    "debug.setupvalue(chunk, 1, setmetatable({}, {__index = function(_, k) note('get', k) return names[k] end,\n"      \
    "__newindex = function(_, k, v) note('set', k, show(v)) names[k] = v end}))\n"                                     \
    "debug.sethook(function() error('endless') end, '', 3000)\n"                                                       \
    "local ok, e = pcall(chunk, ...)\n"                                                                                \
    "debug.sethook()\n"                                                                                                \
    "if not ok and tostring(e):find('endless') then return end\n"                                                      \
    "return table.concat(log, '; ') .. (ok and ' ok' or ' failed') end\n"                                              \
    "function eq(a, b) return a == b end function ne(a, b) return a ~= b end function pow(a, b) return a ^ b end"

/* NULL: it did not end. */
static char *behaviour(lua_State *lua, const char *text, size_t len, bool rewritten)
{
    static const char *const operators[OPERATORS_ARGUMENTS] = {"eq", "ne", "pow"};
    lua_settop(lua, 0);
    lua_getglobal(lua, "witness");
    assert_int_equal(luaL_loadbufferx(lua, text, len, "=x", "t"), LUA_OK);
    for (size_t i = 0; i < OPERATORS_ARGUMENTS; i++) {
        if (rewritten)
            lua_getglobal(lua, operators[i]);
        else
            lua_pushnil(lua); /* so that `...` is as long */
    }
    assert_int_equal(lua_pcall(lua, OPERATORS_ARGUMENTS + 1, 1, 0), LUA_OK);
    char *log = g_strdup(lua_tostring(lua, -1));
    lua_settop(lua, 0);
    return log;
}

static void whatever_lua_compiles_is_understood_and_does_the_same(void **state)
{
    lua_State *lua = luaL_newstate();
    uint64_t seed = 7;
    size_t compiled = 0, ended = 0;
    luaL_openlibs(lua);
    assert_int_equal(luaL_dostring(lua, WITNESS), LUA_OK);
    for (int i = 0; i < 40000; i++) {
        g_autofree char *text = mutate(seeds[i % (int)G_N_ELEMENTS(seeds)], &seed);
        g_autoptr(GString) into = g_string_new(OPERATORS_PRELUDE);
        bool understood = operators_rewrite(slice_of_text(text), OPERATORS_CHUNK, into);
        if (!lua_compiles(lua, text, strlen(text)))
            continue;
        compiled++;
        if (!understood || !lua_compiles(lua, into->str, into->len))
            fail_msg("%s\n%s", text, understood ? into->str : "not understood");
        if (strstr(text, "...")) /* the prelude's values are the chunk's */
            continue;
        g_autofree char *plain = behaviour(lua, text, strlen(text), false);
        g_autofree char *rewritten = behaviour(lua, into->str, into->len, true);
        ended += plain && rewritten;
        if (plain && rewritten && strcmp(plain, rewritten) != 0)
            fail_msg("%s\n%s\n%s\n%s", text, into->str, plain, rewritten);
    }
    lua_close(lua);
    print_message("# %zu compiled, %zu ran to an end\n", compiled, ended);
    assert_true(compiled > 5000 && ended > 3000);
}

/* An expression without decimals has the value that Lua gives it. */
static void values_are_those_of_lua(void **state)
{
    static const char *const operands[] = {"1",         "2.0",   "'1'", "nil",   "true", "t", "f(1)",     "f()",
                                           "(f(1, 2))", "#'ab'", "-1",  "not t", "t.x",  "s", "'a' .. 1", "3 // 2"};
    static const char *const joins[] = {" == ", " ~= ", " == ", " ~= ", " and ", " or "};
    const char *prelude = "local t, s = {x = 1}, '1' local function f(...) return ... end\n";
    lua_State *lua = luaL_newstate();
    uint64_t seed = 11;
    for (int i = 0; i < 2000; i++) {
        g_autoptr(GString) expression = g_string_new(NULL);
        for (uint64_t n = 1 + fake_next(&seed) % 5; n > 0; n--) {
            bool group = n > 1 && fake_next(&seed) % 4 == 0;
            g_string_append_printf(expression, "%s%s%s%s", group ? "(" : "",
                                   operands[fake_next(&seed) % G_N_ELEMENTS(operands)], group ? ")" : "",
                                   n > 1 ? joins[fake_next(&seed) % G_N_ELEMENTS(joins)] : "");
        }
        g_autofree char *plain = g_strdup_printf("%s return tostring(not not (%s))", prelude, expression->str);
        luaL_openlibs(lua);
        assert_int_equal(luaL_dostring(lua, plain), LUA_OK);
        g_autofree char *script =
            g_strdup_printf("%s function transform() return {v = not not (%s)} end", prelude, expression->str);
        g_autofree char *text = lua_kit_run(script, "{}");
        g_autofree char *expected = g_strdup_printf("{\"v\":%s}", lua_tostring(lua, -1));
        if (strcmp(text, expected) != 0)
            print_error("%s\n", expression->str);
        assert_string_equal(text, expected);
        lua_settop(lua, 0);
    }
    lua_close(lua);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equality_becomes_a_call),
        cmocka_unit_test(a_statement_in_parentheses_stays_one),
        cmocka_unit_test(equality_of_what_no_number_is_stays),
        cmocka_unit_test(powers_become_calls),
        cmocka_unit_test(every_statement_is_understood),
        cmocka_unit_test(what_is_not_lua_is_refused),
        cmocka_unit_test(expressions_end_before_their_remarks),
        cmocka_unit_test(whatever_lua_compiles_is_understood_and_does_the_same),
        cmocka_unit_test(values_are_those_of_lua),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
