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
    check("return a == b", "return _sluice_eq(a , b)");
    check("x = a --[[ one ]] == -- two\n b", "x = _sluice_eq(a --[[ one ]] , -- two\n b)");
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
    "local x = doc.a == 1 and doc.b ~= x or not ( doc.c == nil ) return x ^ 2 == 4",
    "function f ( a , ... ) local t = { a == b , x = a ~= b ; [ a == 1 ] = 2 ^ 3 ^ a } return t . x [ 1 ] == f ( a ) "
    "end",
    "for i = 1 , # a == 1 and 2 or 3 do if i == a then break elseif i ~= b then a = i end end",
    "while a ~= b do repeat local c = a == b until c == true goto l :: l :: end",
    "local function g ( ) return function ( ) return a == b end end x = g ( ) ( ) == ( g ) a . b : c ( ) d = e",
    "a , b = a == b , { f = function ( ) end , 'x' == y } ; ( a or b ) . c = - a ^ - b == ~ c",
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

static void whatever_lua_compiles_is_understood(void **state)
{
    lua_State *lua = luaL_newstate();
    uint64_t seed = 7;
    size_t compiled = 0;
    for (int i = 0; i < 60000; i++) {
        g_autofree char *text = mutate(seeds[i % (int)G_N_ELEMENTS(seeds)], &seed);
        g_autoptr(GString) into = g_string_new(OPERATORS_PRELUDE);
        bool compiles = lua_compiles(lua, text, strlen(text));
        bool understood = operators_rewrite(slice_of_text(text), OPERATORS_CHUNK, into);
        if (!compiles)
            continue;
        compiled++;
        if (!understood || !lua_compiles(lua, into->str, into->len)) {
            print_error("%s\n%s\n", text, understood ? into->str : "not understood");
            fail();
        }
    }
    lua_close(lua);
    assert_true(compiled > 5000);
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
        cmocka_unit_test(equality_of_what_no_number_is_stays),
        cmocka_unit_test(powers_become_calls),
        cmocka_unit_test(every_statement_is_understood),
        cmocka_unit_test(what_is_not_lua_is_refused),
        cmocka_unit_test(expressions_end_before_their_remarks),
        cmocka_unit_test(whatever_lua_compiles_is_understood),
        cmocka_unit_test(values_are_those_of_lua),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
