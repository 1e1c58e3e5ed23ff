/* What passes a limit ends the state, whatever the script does about it; and it ends soon. */
#include "unit/sandbox/lua_kit.h"

struct breach {
    const char *name, *body, *expected;
};

#define INSTRUCTIONS "more than 1 000 000 instructions for one record; is there a loop that does not end?"
#define PRODUCED     "more than 4.0 MiB of text and documents made for one record"
#define MEMORY       "more than 6.0 MiB of memory in use; does the script keep records it has seen?"

static const struct sandbox_limits small = {
    .instructions = 1000000, .produced_bytes = 4 << 20, .memory_bytes = 6 << 20};

static const struct breach breaches[] = {
    /* time */
    {"a_loop_that_does_not_end", "while true do end", INSTRUCTIONS},
    {"a_recursion_in_tail_position", "local function f() return f() end f()", INSTRUCTIONS},
    {"a_goto_that_does_not_end", "::x:: goto x", INSTRUCTIONS},
    {"pcall_in_a_loop", "while true do pcall(function() while true do end end) end", INSTRUCTIONS},
    {"pcall_of_pcall", "pcall(pcall, pcall, function() while true do end end) return doc", INSTRUCTIONS},
    {"xpcall_with_a_handler_that_goes_on", "xpcall(function() while true do end end, function() while true do end end)",
     INSTRUCTIONS},
    {"a_handler_that_does_not_end", "xpcall(error, function() while true do end end)", INSTRUCTIONS},
    {"a_tostring_that_does_not_end", "tostring(setmetatable({}, {__tostring = function() while true do end end}))",
     INSTRUCTIONS},
    {"an_index_that_does_not_end", "return setmetatable({}, {__index = function() while true do end end}).x",
     INSTRUCTIONS},
    {"an_iterator_that_does_not_end", "for x in function() return 1 end do end", INSTRUCTIONS},
    {"a_gsub_whose_answer_does_not_end", "('x'):gsub('x', function() pcall(function() while true do end end) end)",
     INSTRUCTIONS},
    {"a_sort_whose_comparison_does_not_end",
     "table.sort({1, 2}, function() pcall(function() while true do end end) end)", INSTRUCTIONS},
    {"a_move_of_nothing", "table.move({}, 1, math.maxinteger - 1, 2)", INSTRUCTIONS},
    {"a_move_of_nothing_downwards", "table.move({}, 2, math.maxinteger - 1, 1)", INSTRUCTIONS},
    {"a_concatenation_of_a_table_that_claims_to_be_long",
     "table.concat(setmetatable({}, {__len = function() return math.maxinteger end, __index = function() return '' "
     "end}))",
     INSTRUCTIONS},
    {"an_insertion_into_a_table_that_claims_to_be_long",
     "table.insert(setmetatable({}, {__len = function() return 1 << 60 end}), 1, 1)", INSTRUCTIONS},
    {"a_removal_from_a_table_that_claims_to_be_long",
     "table.remove(setmetatable({}, {__len = function() return 1 << 60 end}), 1)", INSTRUCTIONS},
    {"a_sort_of_a_table_that_claims_to_be_long",
     "table.sort(setmetatable({}, {__len = function() return 1 << 29 end, __index = function() return 1 end}))",
     INSTRUCTIONS},
    {"an_unpacking_again_and_again", "local t = {} while true do local x = select('#', table.unpack(t, 1, 20000)) end",
     INSTRUCTIONS},
    {"a_next_over_a_long_table", "local t = {} for i = 1, 20000 do t[i] = i end while true do next(t, 19999) end",
     INSTRUCTIONS},
    {"a_walk_over_a_long_table_again_and_again",
     "local t = {} for i = 1, 20000 do t[i] = i end while true do for k in pairs(t) do break end end", INSTRUCTIONS},
    {"a_comparison_of_long_texts",
     "local a, b = ('x'):rep(1 << 18) .. 'a', ('x'):rep(1 << 18) .. 'b' while a ~= b do end", INSTRUCTIONS},
    {"a_length_of_long_utf8", "local a = ('x'):rep(1 << 18) while true do utf8.len(a) end", INSTRUCTIONS},
    {"a_case_of_a_long_text", "local a = ('x'):rep(1 << 16) while true do a:len() pcall(a.find, a, 'y', 1, true) end",
     INSTRUCTIONS},
    {"a_shout", "local a = ('x'):rep(32) while true do a:upper() end", INSTRUCTIONS},

    /* patterns */
    {"a_pattern_that_explodes", "return ('a'):rep(200):find('a*a*a*a*b')", INSTRUCTIONS},
    {"a_pattern_that_explodes_in_match", "return ('a'):rep(5000):match('.-.-.-.-.-b')", INSTRUCTIONS},
    {"a_pattern_that_explodes_in_gsub", "return ('a'):rep(5000):gsub('(a*)*(a*)a*b', 'x')", INSTRUCTIONS},
    {"a_pattern_that_explodes_in_gmatch", "for x in ('a'):rep(5000):gmatch('a-a-a-a-b') do end", INSTRUCTIONS},
    {"a_pattern_that_explodes_by_balance", "local s = ('('):rep(20000) return s:find('%b()')", INSTRUCTIONS},
    {"a_pattern_that_explodes_by_reference", "return ('a'):rep(3000):find('(.*)%1%1b')", INSTRUCTIONS},
    {"a_pattern_with_a_long_set", "return ('a'):rep(20000):find('[' .. ('b'):rep(20000) .. ']')", INSTRUCTIONS},
    {"a_pattern_that_explodes_under_pcall", "while true do pcall(string.find, ('a'):rep(200), 'a*a*a*a*b') end",
     INSTRUCTIONS},

    /* what is produced */
    {"a_text_that_doubles", "local s = 'x' while true do s = s .. s end", PRODUCED},
    {"a_text_that_doubles_under_pcall", "local s = 'x' while true do pcall(function() s = s .. s end) end", PRODUCED},
    {"a_long_repetition", "return ('x'):rep(1 << 40)", PRODUCED},
    {"a_long_repetition_that_overflows", "return ('xx'):rep(math.maxinteger)", PRODUCED},
    {"a_long_repetition_under_pcall", "while true do pcall(string.rep, 'x', 1 << 24) end", PRODUCED},
    {"texts_that_are_thrown_away", "local s = ('x'):rep(1 << 17) while true do local t = s .. 'y' end", PRODUCED},
    {"many_copies_by_format", "local s = ('x'):rep(1 << 17) while true do string.format('%s', s) end", PRODUCED},
    {"many_copies_by_sub", "local s = ('x'):rep(1 << 17) while true do s:sub(2) end", PRODUCED},
    {"many_copies_by_gsub", "local s = ('x'):rep(1 << 16) while true do s:gsub('x', 'yy') end", NULL},
    {"many_copies_by_concat", "local s = ('x'):rep(1 << 17) while true do table.concat({s, s}) end", PRODUCED},
    {"many_copies_of_binary", "local s = ('x'):rep(1 << 17) while true do binary(s) end", PRODUCED},
    {"many_documents", "local s, t = ('x'):rep(1 << 17), {} for i = 1, 40 do t[i] = {s = s} end return t", PRODUCED},
    {"a_pattern_whose_captures_are_long", "local s = ('x'):rep(1 << 17) while true do s:match('^.*') end", NULL},

    /* memory */
    {"a_table_that_grows", "local t = {} while true do t[#t + 1] = {} end", MEMORY},
    {"a_table_that_grows_under_pcall", "local t = {} while true do pcall(function() t[#t + 1] = {{}} end) end", MEMORY},
    {"a_table_that_grows_under_xpcall",
     "local t = {} while true do xpcall(function() t[#t + 1] = {{}} end, function(m) t[#t + 1] = {{}} return m end) "
     "end",
     MEMORY},
    {"closures_that_grow", "local f = function() end while true do local g = f f = function() return g end end",
     MEMORY},
    {"a_document_that_grows", "local i = 0 while true do i = i + 1 doc['f' .. i] = {} end", MEMORY},
    {"a_list_that_grows", "while true do table.insert(doc.l, {}) end", MEMORY},
    {"many_names_removed_and_added", "while true do doc.x = 1 doc.x = nil end", NULL},
    {"a_replacement_that_grows", "local s = ('x'):rep(1 << 14) return s:gsub('', s)", NULL},
};

static void ends(void **state)
{
    const struct breach *breach = *state;
    g_autofree char *script = g_strdup_printf("function transform(doc, ctx)\n%s\nend", breach->body);
    struct lua_kit kit = {.limits = small};
    GError *error = NULL;
    kit_ok(lua_kit_load(&kit, script, strlen(script), &error));
    g_autofree char *text = lua_kit_call(&kit, "{\"l\":[]}");
    const char *expected = breach->expected ? breach->expected : "more than ";
    if (!g_str_has_prefix(text, "fatal: fix.lua:") || !strstr(text, expected))
        print_error("gave: %s\nexpected: fatal: fix.lua:… %s\n", text, expected);
    assert_true(g_str_has_prefix(text, "fatal: fix.lua:"));
    assert_non_null(strstr(text, expected));
    g_autofree char *again = lua_kit_call(&kit, "{}");
    assert_non_null(strstr(again, "the sandbox has ended: "));
    lua_kit_done(&kit);
}

static void what_is_within_the_limits_is_let_through(void **state)
{
    static const struct lua_case cases[] = {
        {"local n = 0 for i = 1, 1000000 do n = n + i end return {n = n}", NULL, "{\"n\":500000500000}"},
        {"local s = ('x'):rep(1 << 20) local n = select(2, s:gsub('x', 'y')) return {n = n}", NULL, "{\"n\":1048576}"},
        {"local t = {} for i = 1, 100000 do t[i] = 'some text ' .. i end return {n = #table.concat(t)}", NULL,
         "{\"n\":1488895}"},
        {"local s = ('word '):rep(20000) local n = 0 for w in s:gmatch('%a+') do n = n + 1 end return {n = n}", NULL,
         "{\"n\":20000}"},
        {"local function f(n) if n == 0 then return 0 end return 1 + f(n - 1) end return {n = f(10000)}", NULL,
         "{\"n\":10000}"},
        {"local function f() return 1 + f() end local ok, e = pcall(f) return {ok = ok}", NULL,
         "fatal: fix.lua:1: more than 64 MiB of memory in use; does the script keep records it has seen?"},
        {"return {a = ('a'):rep(30):find('a*a*b') == nil}", NULL, "{\"a\":true}"},
    };
    lua_kit_check_all(cases);
}

static void each_call_has_its_own_allowance(void **state)
{
    struct lua_kit kit = {.limits = {.instructions = 100000, .produced_bytes = 1 << 20}};
    const char *script = "function transform(doc)\n for i = 1, 20000 do local x = i end\n"
                         "local s = ('x'):rep(1 << 19)\n return doc end";
    GError *error = NULL;
    kit_ok(lua_kit_load(&kit, script, strlen(script), &error));
    for (int i = 0; i < 50; i++) {
        g_autofree char *text = lua_kit_call(&kit, "{}");
        assert_string_equal(text, "same: {}");
    }
    lua_kit_done(&kit);
}

static void limits_hold_while_loading(void **state)
{
    static const struct {
        const char *script, *expected;
    } rows[] = {
        {"while true do end", "fatal: fix.lua:1: " INSTRUCTIONS},
        {"local t = {}\nwhile true do t[#t + 1] = {} end", "fatal: fix.lua:2: " MEMORY},
        {"local s = 'x'\nwhile true do s = s .. s end", "fatal: fix.lua:2: " PRODUCED},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *text = lua_kit_run_limited(rows[i].script, "{}", small);
        assert_string_equal(text, rows[i].expected);
    }
    GString *nested = g_string_new("x = ");
    for (int i = 0; i < 100000; i++)
        g_string_append_c(nested, '(');
    g_autofree char *text = lua_kit_run(nested->str, "{}");
    assert_non_null(strstr(text, "overflow"));
    g_string_free(nested, TRUE);
}

/* Not a record's own fault: half a second a record would be no end either. */
static void a_recursion_that_is_too_deep_ends_the_run(void **state)
{
    g_autofree char *text = lua_kit_run("function transform(doc)\n return transform(doc) + 1 end", "{}");
    assert_true(g_str_has_prefix(text, "fatal: fix.lua:2: "));
    assert_non_null(strstr(text, "stack overflow"));
}

static void memory_too_small_for_a_state_is_an_error(void **state)
{
    for (size_t bytes = 1; bytes < 200000; bytes += 997) {
        g_autofree char *text = lua_kit_run_limited("function transform(doc) return doc end", "{}",
                                                    (struct sandbox_limits){.memory_bytes = bytes});
        assert_true(g_str_has_prefix(text, "fatal: ") || strcmp(text, "same: {}") == 0);
    }
}

/* A limit is passed at the same place in every state. */
static void limits_are_the_same_everywhere(void **state)
{
    const char *script = "function transform(doc)\n local n = 0\n while true do\n  n = n + 1\n  doc.n = n\n end\nend";
    struct sandbox_limits limits = {.instructions = 200000};
    g_autofree char *first = lua_kit_run_limited(script, "{}", limits);
    for (int i = 0; i < 5; i++) {
        g_autofree char *more =
            g_strdup_printf("local keep = {} for i = 1, %d do keep[i] = 'k' .. i end %s", i * 777, script);
        g_autofree char *text = lua_kit_run_limited(more, "{}", limits);
        assert_string_equal(text, first);
    }
}

/* Texts of 40 bytes are shared in Lua: whether one was there already must not decide whether a limit is passed. */
static void short_texts_do_not_count_as_produced(void **state)
{
    struct sandbox_limits limits = {.produced_bytes = 4100};
    const char *of_40 = "function transform() for i = 1, 1000 do local s = ('%040d'):format(i) end\n"
                        "return {n = 1} end";
    const char *of_41 = "function transform() for i = 1, 1000 do local s = ('%041d'):format(i) end\n"
                        "return {n = 1} end";
    g_autofree char *within = lua_kit_run_limited(of_40, "{}", limits);
    g_autofree char *beyond = lua_kit_run_limited(of_41, "{}", limits);
    assert_string_equal(within, "{\"n\":1}");
    assert_true(g_str_has_prefix(beyond, "fatal: fix.lua:1: more than 4.0 KiB of text"));
}

/* --- time: a clock that is turned here ------------------------------------------------------------------------------
 */

struct clock {
    int64_t now_us, step_us, readings;
};

static int64_t read_clock(void *self)
{
    struct clock *clock = self;
    clock->readings++;
    return clock->now_us += clock->step_us;
}

static char *run_on(struct clock *clock, const char *script)
{
    static const struct world_clock calls = {.monotonic_us = read_clock};
    struct world world = {.clock = &calls, .clock_self = clock};
    struct sandbox_source source = {.name = LUA_KIT_NAME, .text = slice_of_text(script)};
    struct sandbox_config config = {.world = &world, .sources = &source, .n_sources = 1, .want_transform = true};
    struct lua_kit kit = {.mem = arena_new(1 << 20)};
    GError *error = NULL;
    kit_ok(sandbox_new(&kit.sandbox, &config, &error));
    char *text = lua_kit_call(&kit, "{}");
    lua_kit_done(&kit);
    return text;
}

static void instructions_that_take_long_end_the_state(void **state)
{
    struct clock clock = {.step_us = 900000};
    g_autofree char *text = run_on(&clock, "function transform(doc)\n for i = 1, 1000000 do local x = i end\nend");
    assert_string_equal(text, "fatal: fix.lua:2: more than 10s spent on one record");
    assert_true(clock.readings < 20);
}

static void a_process_that_was_stopped_is_not_slow(void **state)
{
    struct clock clock = {.step_us = INT64_C(3600000000)};
    g_autofree char *text = run_on(&clock, "function transform(doc) for i = 1, 5000 do local x = i end return doc end");
    assert_string_equal(text, "same: {}");
}

int main(void)
{
    static const struct CMUnitTest others[] = {
        cmocka_unit_test(what_is_within_the_limits_is_let_through),
        cmocka_unit_test(each_call_has_its_own_allowance),
        cmocka_unit_test(limits_hold_while_loading),
        cmocka_unit_test(a_recursion_that_is_too_deep_ends_the_run),
        cmocka_unit_test(memory_too_small_for_a_state_is_an_error),
        cmocka_unit_test(limits_are_the_same_everywhere),
        cmocka_unit_test(short_texts_do_not_count_as_produced),
        cmocka_unit_test(instructions_that_take_long_end_the_state),
        cmocka_unit_test(a_process_that_was_stopped_is_not_slow),
    };
    struct CMUnitTest tests[G_N_ELEMENTS(breaches) + G_N_ELEMENTS(others)];
    for (size_t i = 0; i < G_N_ELEMENTS(breaches); i++)
        tests[i] = (struct CMUnitTest){
            .name = breaches[i].name, .test_func = ends, .initial_state = (void *)(uintptr_t)&breaches[i]};
    memcpy(tests + G_N_ELEMENTS(breaches), others, sizeof others);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
