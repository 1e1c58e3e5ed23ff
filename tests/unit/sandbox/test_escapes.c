/* Every way out of the sandbox that was thought of, each a test with its name. */
#include "unit/sandbox/lua_kit.h"

struct escape {
    const char *name, *script, *expected;
};

#define T(body)      "function transform(doc, ctx) " body " end"
#define ABSENT(what) T("return " what ".x"), "lua: fix.lua:1: there is no '" what "' here"

static const struct escape escapes[] = {
    /* what is not there */
    {"there_is_no_os", ABSENT("os")},
    {"there_is_no_io", ABSENT("io")},
    {"there_is_no_debug", ABSENT("debug")},
    {"there_is_no_load", T("load('return 1')()"), "lua: fix.lua:1: there is no 'load' here"},
    {"there_is_no_loadstring", T("loadstring('return 1')()"), "lua: fix.lua:1: there is no 'loadstring' here"},
    {"there_is_no_dofile", T("dofile('/etc/passwd')"), "lua: fix.lua:1: there is no 'dofile' here"},
    {"there_is_no_loadfile", T("loadfile('/etc/passwd')"), "lua: fix.lua:1: there is no 'loadfile' here"},
    {"there_is_no_require", T("require 'os'"), "lua: fix.lua:1: there is no 'require' here"},
    {"there_is_no_package", ABSENT("package")},
    {"there_is_no_coroutine", ABSENT("coroutine")},
    {"there_is_no_collectgarbage", T("collectgarbage()"), "lua: fix.lua:1: there is no 'collectgarbage' here"},
    {"there_is_no_print", T("print(1)"), "lua: fix.lua:1: there is no 'print' here"},
    {"there_is_no_warn", T("warn('x')"), "lua: fix.lua:1: there is no 'warn' here"},
    {"there_is_no_random", T("return math.random()"), "lua: fix.lua:1: there is no 'math.random' here"},
    {"there_is_no_randomseed", T("math.randomseed(1)"), "lua: fix.lua:1: there is no 'math.randomseed' here"},
    {"there_is_no_sine", T("return math.sin(1)"), "lua: fix.lua:1: there is no 'math.sin' here"},
    {"there_is_no_string_dump", T("return string.dump(transform)"),
     "lua: fix.lua:1: attempt to call a nil value (field 'dump')"},
    {"there_is_no_string_pack", T("return string.pack('i', 1)"),
     "lua: fix.lua:1: attempt to call a nil value (field 'pack')"},
    {"there_is_no_table_of_globals", T("return _G.os"), "lua: fix.lua:1: attempt to index a nil value (global '_G')"},
    {"pcall_does_not_bring_them_back", T("return {a = pcall(function() return os end)}"), "{\"a\":false}"},
    {"the_environment_has_no_more_than_names",
     T("local s = {} for k in pairs(_ENV) do s[#s + 1] = k end return {s = table.concat(s, ' ')}"),
     "{\"s\":\"_VERSION assert binary datetime decimal error getmetatable ipairs is_list list math next null pairs "
     "pcall rawequal rawget rawlen rawset select setmetatable string table tonumber tostring transform type utf8 uuid "
     "xpcall\"}"},
    {"a_library_has_no_more_than_names",
     T("local s = {} for k in pairs(string) do s[#s + 1] = k end\n"
       "return {s = table.concat(s, ' ')}"),
     "{\"s\":\"byte char find format gmatch gsub len lower match rep reverse sub upper\"}"},

    /* compiled code */
    {"bytecode_is_not_loaded", "\x1bLua", "fatal: fix.lua:1: a compiled script; only the text of one is read"},

    /* metatables */
    {"the_metatable_of_texts_is_out_of_reach", T("return getmetatable('').__index.upper"),
     "lua: fix.lua:1: attempt to index a nil value"},
    {"the_metatable_of_texts_is_no_field", T("return {a = tostring(('').__index), b = tostring(('').__metatable)}"),
     "{\"a\":\"nil\",\"b\":\"nil\"}"},
    {"the_metatable_of_a_document_is_out_of_reach",
     T("return {a = getmetatable(doc) == nil, b = getmetatable(null) == nil, c = getmetatable(ctx) == nil}"),
     "{\"a\":true,\"b\":true,\"c\":true}"},
    {"the_metatable_of_globals_is_out_of_reach",
     T("return {a = getmetatable(_ENV) == nil, b = getmetatable(string) == nil, c = getmetatable(decimal) == nil, "
       "d = getmetatable(list{}) == nil}"),
     "{\"a\":true,\"b\":true,\"c\":true,\"d\":true}"},
    {"metatables_of_values_cannot_be_set", T("setmetatable('', {})"),
     "lua: fix.lua:1: bad argument #1 to 'setmetatable' (table expected, got string)"},
    {"metatables_of_documents_cannot_be_set", T("setmetatable(doc, {})"),
     "lua: fix.lua:1: bad argument #1 to 'setmetatable' (table expected, got object)"},
    {"the_metatable_of_globals_cannot_be_set", T("setmetatable(_ENV, {})"),
     "lua: fix.lua:1: the metatable of this table cannot be changed"},
    {"the_metatable_of_a_library_cannot_be_set", T("setmetatable(string, nil)"),
     "lua: fix.lua:1: the metatable of this table cannot be changed"},
    {"the_metatable_of_a_list_cannot_be_set", T("setmetatable(list{}, {__index = doc})"),
     "lua: fix.lua:1: the metatable of this table cannot be changed"},
    {"there_are_no_finalizers", T("setmetatable({}, {__gc = function() end})"),
     "lua: fix.lua:1: a metatable cannot have '__gc' here"},
    {"there_are_no_weak_tables", T("setmetatable({}, {__mode = 'k'})"),
     "lua: fix.lua:1: a metatable cannot have '__mode' here"},
    {"nothing_runs_when_a_variable_is_closed", T("setmetatable({}, {__close = function() end})"),
     "lua: fix.lua:1: a metatable cannot have '__close' here"},
    {"metatables_do_not_hide", T("setmetatable({}, {__metatable = 1})"),
     "lua: fix.lua:1: a metatable cannot have '__metatable' here"},
    {"a_table_does_not_become_weak_later",
     T("local mt = {} local t = setmetatable({}, mt) mt.__mode = 'k' for i = 1, 100 do t[{}] = i end\n"
       "for i = 1, 300000 do local x = {} end local n = 0 local ok, e = pcall(pairs, t) return {e = e, m = "
       "getmetatable(t).__mode}"),
     "{\"e\":\"a table with a table as a key cannot be walked: there is no order that is the same everywhere\",\"m\":"
     "\"k\"}"},
    {"a_metatable_set_again_is_checked_again",
     T("local mt = {} setmetatable({}, mt) mt.__gc = function() end setmetatable({}, mt)"),
     "lua: fix.lua:1: a metatable cannot have '__gc' here"},

    /* globals and libraries */
    {"globals_are_frozen_after_loading", "function transform(doc)\n  count = 1\nend",
     "lua: fix.lua:2: globals are frozen once the script is loaded: 'count' cannot be assigned; is 'local' missing?"},
    {"globals_of_the_script_are_frozen_too", "count = 0\nfunction transform(doc)\n  count = count + 1\nend",
     "lua: fix.lua:3: globals are frozen once the script is loaded: 'count' cannot be assigned; is 'local' missing?"},
    {"globals_are_frozen_by_way_of_env", T("_ENV.x = 1"),
     "lua: fix.lua:1: globals are frozen once the script is loaded: 'x' cannot be assigned; is 'local' missing?"},
    {"globals_are_frozen_for_rawset", T("rawset(_ENV, 'x', 1)"),
     "lua: fix.lua:1: neither globals nor libraries can be changed by rawset"},
    {"globals_are_frozen_for_insert", T("table.insert(_ENV, 1)"), "lua: fix.lua:1: globals are frozen once"},
    {"globals_are_frozen_for_move", T("table.move({1}, 1, 1, 1, _ENV)"), "lua: fix.lua:1: globals are frozen once"},
    {"the_sandbox_cannot_be_redefined", "pairs = nil " T(""),
     "fatal: fix.lua:1: 'pairs' belongs to the sandbox and cannot be assigned"},
    {"libraries_cannot_be_replaced", "string = {} " T(""),
     "fatal: fix.lua:1: 'string' belongs to the sandbox and cannot be assigned"},
    {"libraries_cannot_be_changed", "string.format = nil " T(""),
     "fatal: fix.lua:1: the libraries cannot be changed: 'format' was assigned"},
    {"libraries_cannot_be_changed_by_rawset", T("rawset(math, 'floor', 1)"),
     "lua: fix.lua:1: neither globals nor libraries can be changed by rawset"},
    {"methods_of_texts_are_the_same_functions", T("return {a = ('x').find == string.find, b = ('a'):rep(2)}"),
     "{\"a\":true,\"b\":\"aa\"}"},
    {"an_environment_of_ones_own_is_no_way_out", T("local _ENV = {doc = doc} x = doc.a == 1 and 7 or 8 return {x = x}"),
     "{\"x\":7}"},
    {"what_the_sandbox_adds_to_the_source_cannot_be_taken", "local _sluice_eq = 1 " T(""),
     "fatal: fix.lua:1: names that begin with _sluice_ are the sandbox's own"},
    {"what_the_sandbox_adds_to_the_source_cannot_be_assigned", T("_sluice_eq = error"),
     "fatal: fix.lua:1: names that begin with _sluice_ are the sandbox's own"},

    /* addresses */
    {"no_address_of_a_table", T("return {s = tostring({})}"), "{\"s\":\"table\"}"},
    {"no_address_of_a_function", T("return {s = tostring(transform) .. tostring(pairs)}"),
     "{\"s\":\"functionfunction\"}"},
    {"no_address_of_a_document", T("return {s = tostring(doc) .. tostring(ctx) .. tostring(null)}"),
     "{\"s\":\"objectcontextnull\"}"},
    {"no_address_in_format", T("return {s = ('%s %10s'):format({}, pairs)}"), "{\"s\":\"table   function\"}"},
    {"no_address_in_gsub", T("return {s = ('x'):gsub('x', {x = {}})}"),
     "lua: fix.lua:1: invalid replacement value (a table)"},
    {"no_address_in_an_error_that_is_a_table", T("error({})"),
     "lua: fix.lua:1: an error was raised with a table instead of a text"},
    {"no_address_in_an_assertion", T("assert(false, {})"),
     "lua: fix.lua:1: an error was raised with a table instead of a text"},
    {"no_address_in_a_reason", T("return ctx.reject({})"),
     "lua: fix.lua:1: ctx.reject: the reason must be a text, not a table"},
    {"no_address_in_concatenation", T("return {} .. 'x'"), "lua: fix.lua:1: attempt to concatenate a table value"},
    {"no_address_in_a_literal", T("return ('%q'):format({})"),
     "lua: fix.lua:1: bad argument #1 to 'format' (value has no literal form)"},
    {"no_address_of_a_key", T("string[{}] = 1"),
     "lua: fix.lua:1: the libraries cannot be changed: 'table' was assigned"},
    {"no_address_of_a_key_of_globals", T("_ENV[{}] = 1"),
     "lua: fix.lua:1: globals are frozen once the script is loaded: "
     "'table' cannot be assigned"},
    {"no_address_by_comparison", T("return {} < {}"), "lua: fix.lua:1: attempt to compare two table values"},
    {"no_address_by_sorting", T("table.sort({{}, {}})"), "lua: fix.lua:1: attempt to compare two table values"},
    {"no_name_of_a_table_in_messages", T("return setmetatable({}, {__name = '0x7f'}) + 1"),
     "lua: fix.lua:1: attempt to perform arithmetic on a table value"},
    {"tostring_must_give_a_text", T("return tostring(setmetatable({}, {__tostring = function() return {} end}))"),
     "lua: fix.lua:1: '__tostring' must return a string"},
};

static void stays_within(void **state)
{
    const struct escape *escape = *state;
    g_autofree char *text = lua_kit_run(escape->script, "{\"a\":1}");
    if (!g_str_has_prefix(text, escape->expected))
        print_error("gave: %s\nexpected: %s\n", text, escape->expected);
    assert_true(g_str_has_prefix(text, escape->expected));
}

int main(void)
{
    struct CMUnitTest tests[G_N_ELEMENTS(escapes)];
    for (size_t i = 0; i < G_N_ELEMENTS(escapes); i++)
        tests[i] = (struct CMUnitTest){
            .name = escapes[i].name, .test_func = stays_within, .initial_state = (void *)(uintptr_t)&escapes[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
