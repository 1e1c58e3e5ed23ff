#include "sandbox/state.h"
#include "unit/sandbox/lua_kit.h"

static void what_is_given_back_decides(void **state)
{
    static const struct lua_case cases[] = {
        {"return doc", "{\"a\":0.10}", "same: {\"a\":0.10}"},
        {"doc.a = 2 return doc", "{\"a\":1,\"b\":0.10}", "{\"a\":2,\"b\":0.10}"},
        {"return", NULL, "filtered"},
        {"return nil", NULL, "filtered"},
        {"", NULL, "filtered"},
        {"return ctx.delete()", NULL, "delete"},
        {"return ctx.reject('too old')", NULL, "reject: too old"},
        {"return ctx:reject('too old')", NULL, "reject: too old"},
        {"return {doc, {b = 2}}", "{\"a\":1}", "same: {\"a\":1} | {\"b\":2}"},
        {"return list{doc}", "{\"a\":1}", "same: {\"a\":1}"},
        {"return list{}", NULL, "filtered"},
        {"return doc.items", "{\"items\":[{\"a\":1},{\"a\":2}]}", "{\"a\":1} | {\"a\":2}"},
        {"return doc.in_", "{\"in_\":{\"b\":[1,2]}}", "{\"b\":[1,2]}"},
        {"return {a = 1, b = list{}, c = {}}", NULL, "{\"a\":1,\"b\":[],\"c\":{}}"},
    };
    lua_kit_check_all(cases);
}

static void anything_else_is_an_error_with_its_place(void **state)
{
#define EXPECTED "; a document, a list of documents, nothing, ctx.delete() or ctx.reject(reason) was expected"
    static const struct lua_case cases[] = {
        {"return 7", NULL, "lua: fix.lua:1: transform returned a number" EXPECTED},
        {"return 'x'", NULL, "lua: fix.lua:1: transform returned a string" EXPECTED},
        {"return true", NULL, "lua: fix.lua:1: transform returned a boolean" EXPECTED},
        {"return print2", NULL, "filtered"},
        {"return function() end", NULL, "lua: fix.lua:1: transform returned a function" EXPECTED},
        {"return decimal(1)", NULL, "lua: fix.lua:1: transform returned a decimal" EXPECTED},
        {"return null", NULL, "lua: fix.lua:1: transform returned a null" EXPECTED},
        {"return ctx", NULL, "lua: fix.lua:1: transform returned a context" EXPECTED},
        {"return doc, 1", NULL, "lua: fix.lua:1: transform returned 2 values" EXPECTED},
        {"return {doc, 7}", NULL, "lua: fix.lua:1: transform returned a list whose number 2 is a number" EXPECTED},
        {"return {doc, {doc}}", NULL, "lua: fix.lua:1: transform returned a list whose number 2 is a table" EXPECTED},
        {"return {}", NULL,
         "lua: fix.lua:1: transform returned an empty table, which is neither a document nor a list (that would be "
         "list{})" EXPECTED},
        {"return {a = 1, 2}", NULL,
         "lua: fix.lua:1: a table with both names and numbers is neither an object nor a list"},
        {"return {doc, nil, doc}", NULL,
         "lua: fix.lua:1: a list has no holes: its numbers go from 1 without a gap; null fills one"},
        {"ctx.delete() return doc", NULL,
         "lua: fix.lua:1: ctx.delete() or ctx.reject(reason) was called, but its result not returned: `return "
         "ctx.reject(reason)`"},
        {"ctx.reject('x')", NULL,
         "lua: fix.lua:1: ctx.delete() or ctx.reject(reason) was called, but its result not returned: `return "
         "ctx.reject(reason)`"},
    };
    lua_kit_check_all(cases);
}

static void a_reason_is_a_short_text(void **state)
{
    static const struct lua_case cases[] = {
        {"return ctx.reject()", NULL, "lua: fix.lua:1: ctx.reject: the reason must be a text, not a nothing"},
        {"return ctx.reject(7)", NULL, "lua: fix.lua:1: ctx.reject: the reason must be a text, not a number"},
        {"return ctx.reject('')", NULL,
         "lua: fix.lua:1: ctx.reject: the reason must be a text in UTF-8 that is not empty"},
        {"return ctx.reject('\\xff')", NULL,
         "lua: fix.lua:1: ctx.reject: the reason must be a text in UTF-8 that is not empty"},
        {"return ctx.reject(('x'):rep(1025))", NULL,
         "lua: fix.lua:1: ctx.reject: the reason has 1025 bytes; 1024 are the most"},
    };
    lua_kit_check_all(cases);
    g_autofree char *longest = lua_kit_run("function transform(doc, ctx) return ctx.reject(('x'):rep(1024)) end", "{}");
    assert_int_equal(strlen(longest), strlen("reject: ") + 1024);
}

static void context_is_what_the_plan_and_the_record_say(void **state)
{
    static const struct lua_case cases[] = {
        {"return {key = ctx.key, run = ctx.run, spec = ctx.spec, at = ctx.planned_at}", NULL,
         "{\"at\":\"2026-07-10T12:00:00.000Z\",\"key\":\"k1\",\"run\":\"fix.3\",\"spec\":\"fix\"}"},
        {"ctx.key = 'x'", NULL, "lua: fix.lua:1: ctx cannot be changed; nothing is kept from one record to the next"},
        {"return ctx.now", NULL,
         "lua: fix.lua:1: ctx has no 'now'; it has delete, reject, key, run, spec and planned_at"},
    };
    lua_kit_check_all(cases);
}

static void errors_have_the_line_as_the_user_wrote_it(void **state)
{
    static const struct {
        const char *script, *expected;
    } rows[] = {
        {"function transform(doc)\n  local x = nil\n  return x.y\nend",
         "lua: fix.lua:3: attempt to index a nil value (local 'x')"},
        {"function transform(doc)\n  error('no tier')\nend", "lua: fix.lua:2: no tier"},
        {"\nfunction transform(doc)\n  error('no tier', 0)\nend", "lua: fix.lua:2: no tier"},
        {"function transform(doc)\n  error({1})\nend",
         "lua: fix.lua:1: an error was raised with a table instead of a text"},
        {"function transform(doc)\n  error()\nend", "lua: fix.lua:1: an error was raised with a nil instead of a text"},
        {"function transform(doc)\n  doc.a = print2.x\nend",
         "lua: fix.lua:2: attempt to index a nil value (global 'print2')"},
        {"function transform(doc)\n  if doc.a == 1 and\n  doc.b ^ 2 == 4 then return doc.c.d end\nend",
         "lua: fix.lua:3: attempt to perform arithmetic on a nil value"},
        {"function transform(doc)\n  doc.a = function() end\nend",
         "lua: fix.lua:2: a function cannot be stored in a document"},
        {"x = = 1", "fatal: fix.lua:1: unexpected symbol near '='"},
        {"function transform(doc)\n  return doc\n",
         "fatal: fix.lua:3: 'end' expected (to close 'function' at line 1) near <eof>"},
        {"error('at load')", "fatal: fix.lua:1: at load"},
        {"local function transform(doc) end",
         "fatal: fix.lua:1: there is no function 'transform'; expected: function transform(doc, ctx) … end"},
        {"transform = 7", "fatal: fix.lua:1: 'transform' is a number; expected: function transform(doc, ctx) … end"},
        {"\xef\xbb\xbf"
         "function transform(doc) return doc end",
         "same: {\"a\":1}"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *text = lua_kit_run(rows[i].script, "{\"a\":1}");
        assert_string_equal(text, rows[i].expected);
    }
}

static void a_long_name_of_a_source_is_told_in_full(void **state)
{
    const char *name = "a/very/long/way/that/leads/to/the/transform/of/the/customers/of/the/shop.lua";
    struct sandbox_source source = {.name = name, .text = slice_of_text("function transform() return nil + 1 end")};
    struct sandbox_config config = {.sources = &source, .n_sources = 1, .want_transform = true};
    auto_(sandbox) sandbox = NULL;
    auto_(arena) mem = arena_new(1 << 20);
    struct sandbox_context context = {.run = "r", .spec = "s"};
    struct sandbox_result result;
    GError *error = NULL;
    kit_ok(sandbox_new(&sandbox, &config, &error));
    g_autofree char *expected = g_strconcat(name, ":1: attempt to perform arithmetic on a nil value", NULL);
    kit_refused(sandbox_transform(sandbox, document_empty(), &context, mem, &result, &error), LUA, expected);
}

static void libs_are_loaded_in_order_and_share_globals(void **state)
{
    struct sandbox_source sources[] = {
        {.name = "names.lua", .text = slice_of_text("function clean(s) return s:lower() end")},
        {.name = "more.lua", .text = slice_of_text("cleaned = clean('ABC')")},
        {.name = "fix.lua",
         .text = slice_of_text("function transform(doc) doc.a = cleaned .. clean('D') return doc end")},
    };
    struct sandbox_config config = {.sources = sources, .n_sources = 3, .want_transform = true};
    struct lua_kit kit = {.mem = arena_new(1 << 20)};
    GError *error = NULL;
    kit_ok(sandbox_new(&kit.sandbox, &config, &error));
    g_autofree char *text = lua_kit_call(&kit, "{}");
    assert_string_equal(text, "{\"a\":\"abcd\"}");
    lua_kit_done(&kit);
}

static void expressions_look_at_the_document(void **state)
{
    static const struct {
        const char *expression;
        bool expected;
    } rows[] = {
        {"doc.tier == 'gold'", true},
        {"doc.tier == 'silver'", false},
        {"doc.balance ~= nil", true},
        {"doc.balance == 0", true},
        {"doc.balance ~= 0", false},
        {"doc.nothing", false},
        {"doc.address.zip:find('^%d+$')", true},
        {"#doc.items == 2 and doc.items[2] == null", true},
        {"doc.tier == 'gold' -- a remark", true},
        {"is_big(doc.items[1])", true},
    };
    struct sandbox_source lib = {.name = "lib.lua", .text = slice_of_text("function is_big(x) return x > 9 end")};
    struct sandbox_config config = {.sources = &lib, .n_sources = 1};
    auto_(sandbox) sandbox = NULL;
    auto_(arena) mem = arena_new(1 << 20);
    GError *error = NULL;
    kit_ok(sandbox_new(&sandbox, &config, &error));
    struct slice document = lua_kit_document(
        mem, "{\"tier\":\"gold\",\"balance\":0.00,\"address\":{\"zip\":\"00123\"},\"items\":[10,null]}");
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        int id;
        bool truth;
        kit_ok(sandbox_compile(sandbox, "where", rows[i].expression, &id, &error));
        kit_ok(sandbox_evaluate(sandbox, id, document, &truth, &error));
        assert_int_equal(truth, rows[i].expected);
    }
}

static void a_wrong_expression_is_told(void **state)
{
    struct sandbox_config config = {0};
    auto_(sandbox) sandbox = NULL;
    auto_(arena) mem = arena_new(1 << 20);
    struct slice document = lua_kit_document(mem, "{\"a\":1}");
    GError *error = NULL;
    int id;
    bool truth;
    kit_ok(sandbox_new(&sandbox, &config, &error));
    kit_refused(sandbox_compile(sandbox, "where", "doc.a ==", &id, &error), TRANSFORM, "where:1: unexpected symbol");
    kit_refused(sandbox_compile(sandbox, "where", "1); x = (2", &id, &error), TRANSFORM, "where:1: <eof> expected");
    kit_refused(sandbox_compile(sandbox, "where", "_sluice_eq(1, 2)", &id, &error), TRANSFORM, "sandbox's own");
    kit_refused(sandbox_compile(sandbox, "where", "doc.a end, function() return 1", &id, &error), TRANSFORM,
                "where:1: ");
    kit_ok(sandbox_compile(sandbox, "where", "doc.b.c", &id, &error));
    kit_refused(sandbox_evaluate(sandbox, id, document, &truth, &error), LUA,
                "where:1: attempt to index a nil value (field 'b')");
    kit_ok(sandbox_compile(sandbox, "where", "(function() doc.a = 2 end)()", &id, &error));
    kit_refused(sandbox_evaluate(sandbox, id, document, &truth, &error), LUA, "an expression only looks at it");
    kit_ok(sandbox_compile(sandbox, "where", "(function() while true do end end)()", &id, &error));
    kit_refused(sandbox_evaluate(sandbox, id, document, &truth, &error), TRANSFORM, "where:1: more than 10 000 000");
    kit_refused(sandbox_evaluate(sandbox, id, document, &truth, &error), TRANSFORM, "the sandbox has ended");
}

static void a_full_arena_is_an_error_of_the_record(void **state)
{
    struct lua_kit kit = {0};
    const char *script = "function transform(doc) doc.a = ('x'):rep(1 << 20) return doc end";
    GError *error = NULL;
    kit_ok(lua_kit_load(&kit, script, strlen(script), &error));
    auto_(arena) small = arena_new(1000);
    struct sandbox_context context = {.run = "r", .spec = "s"};
    struct sandbox_result result;
    kit_refused(sandbox_transform(kit.sandbox, document_empty(), &context, small, &result, &error), TOO_BIG,
                "fix.lua:1");
    lua_kit_done(&kit);
}

/* What 1 M records cost, most of which a transform leaves alone. */
static void an_identity_costs_one_small_object(void **state)
{
    enum { CALLS = 100000 };
    struct lua_kit kit = {0};
    const char *script = "function transform(doc) return doc end";
    struct sandbox_context context = {.run = "r", .spec = "s"};
    struct sandbox_result result;
    GError *error = NULL;
    kit_ok(lua_kit_load(&kit, script, strlen(script), &error));
    struct slice document = lua_kit_document(kit.mem, "{\"a\":1,\"b\":[1,2,3],\"c\":\"some text\",\"d\":0.10}");
    size_t used = arena_used(kit.mem);
    kit_ok(sandbox_transform(kit.sandbox, document, &context, kit.mem, &result, &error));
    uint64_t allocated = kit.sandbox->limits.allocated;
    int64_t begun_us = world_monotonic_us(world_real());
    for (int i = 1; i < CALLS; i++) {
        kit_ok(sandbox_transform(kit.sandbox, document, &context, kit.mem, &result, &error));
        assert_ptr_equal(result.documents[0].data, document.data);
    }
    print_message("# %.0f ns a call\n", (double)(world_monotonic_us(world_real()) - begun_us) * 1000 / CALLS);
    assert_in_range((kit.sandbox->limits.allocated - allocated) / (CALLS - 1), 100, 200);
    assert_int_equal((arena_used(kit.mem) - used) / CALLS, sizeof(struct slice));
    lua_kit_done(&kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_given_back_decides),
        cmocka_unit_test(anything_else_is_an_error_with_its_place),
        cmocka_unit_test(a_reason_is_a_short_text),
        cmocka_unit_test(context_is_what_the_plan_and_the_record_say),
        cmocka_unit_test(errors_have_the_line_as_the_user_wrote_it),
        cmocka_unit_test(a_long_name_of_a_source_is_told_in_full),
        cmocka_unit_test(libs_are_loaded_in_order_and_share_globals),
        cmocka_unit_test(expressions_look_at_the_document),
        cmocka_unit_test(a_wrong_expression_is_told),
        cmocka_unit_test(a_full_arena_is_an_error_of_the_record),
        cmocka_unit_test(an_identity_costs_one_small_object),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
