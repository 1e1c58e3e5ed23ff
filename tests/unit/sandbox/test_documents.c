/* doc: a copy-on-write view. What was not assigned is kept byte for byte, and in its order. */
#include "unit/sandbox/lua_kit.h"

#define DOC                                                                                                            \
    "{\"name\":\"Ann\",\"n\":9007199254740993,\"price\":0.10,\"at\":\"x\",\"ok\":true,\"none\":null,"                  \
    "\"address\":{\"zip\":\"00123\",\"city\":\"Bonn\"},\"tags\":[\"a\",\"b\",\"c\"],\"deep\":[[1,2],{\"k\":[3]}]}"
#define HEAD "{\"name\":\"Ann\",\"n\":9007199254740993,\"price\":0.10,\"at\":\"x\",\"ok\":true,\"none\":null,"
#define TAIL "\"tags\":[\"a\",\"b\",\"c\"],\"deep\":[[1,2],{\"k\":[3]}]}"

static void fields_are_read_as_what_they_are(void **state)
{
    static const struct lua_case cases[] = {
        {"return {t = type(doc.name), v = doc.name}", DOC, "{\"t\":\"string\",\"v\":\"Ann\"}"},
        {"return {t = math.type(doc.n), v = doc.n}", DOC, "{\"t\":\"integer\",\"v\":9007199254740993}"},
        {"return {t = type(doc.price), v = doc.price}", DOC, "{\"t\":\"decimal\",\"v\":0.10}"},
        {"return {t = type(doc.ok), v = doc.ok}", DOC, "{\"t\":\"boolean\",\"v\":true}"},
        {"return {t = type(doc.none), v = doc.none == null, n = doc.none == nil}", DOC,
         "{\"n\":false,\"t\":\"null\",\"v\":true}"},
        {"return {t = type(doc.nothing)}", DOC, "{\"t\":\"nil\"}"},
        {"return {t = type(doc.address), l = is_list(doc.address), v = doc.address.zip}", DOC,
         "{\"l\":false,\"t\":\"table\",\"v\":\"00123\"}"},
        {"return {t = type(doc.tags), l = is_list(doc.tags), n = #doc.tags, v = doc.tags[3]}", DOC,
         "{\"l\":true,\"n\":3,\"t\":\"table\",\"v\":\"c\"}"},
        {"return {v = doc.deep[2].k[1], w = doc.deep[1][2], x = tostring(doc.tags[4]), y = tostring(doc.tags[0])}", DOC,
         "{\"v\":3,\"w\":2,\"x\":\"nil\",\"y\":\"nil\"}"},
        {"return {a = is_list({1}), b = is_list({}), c = is_list(list{}), d = is_list({1, x = 2}), e = is_list(7)}",
         DOC, "{\"a\":true,\"b\":false,\"c\":true,\"d\":false,\"e\":false}"},
        {"return {v = doc.tags[1.0]}", DOC, "{\"v\":\"a\"}"},
        {"return {v = doc.address == doc.address, w = doc.address == doc.tags}", DOC, "{\"v\":true,\"w\":false}"},
    };
    lua_kit_check_all(cases);
}

static void assigning_keeps_the_rest_and_its_order(void **state)
{
    static const struct lua_case cases[] = {
        {"doc.name = 'Bob' return doc", "{\"z\":1,\"name\":\"Ann\",\"a\":0.10}",
         "{\"z\":1,\"name\":\"Bob\",\"a\":0.10}"},
        {"doc.new = 1 doc.also = 2 return doc", "{\"z\":1}", "{\"z\":1,\"new\":1,\"also\":2}"},
        {"doc.a = nil return doc", "{\"z\":1,\"a\":2,\"b\":3}", "{\"z\":1,\"b\":3}"},
        {"doc.a = nil doc.a = 4 return doc", "{\"a\":2,\"b\":3}", "{\"b\":3,\"a\":4}"},
        {"doc.x = 1 doc.x = nil return doc", "{\"a\":2}", "{\"a\":2}"},
        {"doc.nothing = nil return doc", "{\"a\":2}", "same: {\"a\":2}"},
        {"doc.a = null return doc", "{\"a\":2}", "{\"a\":null}"},
        {"doc.address.zip = '00124' return doc", DOC, HEAD "\"address\":{\"zip\":\"00124\",\"city\":\"Bonn\"}," TAIL},
        {"doc.address.state = 'NW' doc.address.zip = nil return doc", DOC,
         HEAD "\"address\":{\"city\":\"Bonn\",\"state\":\"NW\"}," TAIL},
        {"local a = doc.address a.zip = '9' return doc", DOC,
         HEAD "\"address\":{\"zip\":\"9\",\"city\":\"Bonn\"}," TAIL},
        {"local x = doc.address.zip, doc.tags[1], doc.deep[2].k[1] return doc", DOC, "same: " DOC},
        {"doc.deep[2].k[1] = 4 return doc", "{\"deep\":[[1,2],{\"k\":[3]}]}", "{\"deep\":[[1,2],{\"k\":[4]}]}"},
        {"doc.b = doc.a doc.b.x = 2 return doc", "{\"a\":{\"x\":1}}", "{\"a\":{\"x\":2},\"b\":{\"x\":2}}"},
        {"doc.b = doc.a return doc", "{\"a\":{\"x\":[1,{}]}}", "{\"a\":{\"x\":[1,{}]},\"b\":{\"x\":[1,{}]}}"},
        {"local a = doc.a doc.a = nil a.x = 2 return a", "{\"a\":{\"x\":1}}", "{\"x\":2}"},
        {"doc.a, doc.b = doc.b, doc.a return doc", "{\"a\":{\"x\":1},\"b\":[0.10]}", "{\"a\":[0.10],\"b\":{\"x\":1}}"},
    };
    lua_kit_check_all(cases);
}

static void lists_have_no_holes(void **state)
{
    static const struct lua_case cases[] = {
        {"doc.t[2] = 'x' return doc", "{\"t\":[1,2,3]}", "{\"t\":[1,\"x\",3]}"},
        {"doc.t[#doc.t + 1] = 4 return doc", "{\"t\":[1,2,3]}", "{\"t\":[1,2,3,4]}"},
        {"table.insert(doc.t, 4) return doc", "{\"t\":[1,2,3]}", "{\"t\":[1,2,3,4]}"},
        {"table.insert(doc.t, 1, 0) return doc", "{\"t\":[1.10,{\"a\":1}]}", "{\"t\":[0,1.10,{\"a\":1}]}"},
        {"local x = table.remove(doc.t, 1) doc.x = x return doc", "{\"t\":[1,2,3]}", "{\"t\":[2,3],\"x\":1}"},
        {"table.remove(doc.t) table.insert(doc.t, 9) return doc", "{\"t\":[1,2,3]}", "{\"t\":[1,2,9]}"},
        {"doc.t[3] = nil doc.t[2] = nil doc.t[1] = nil return doc", "{\"t\":[1,2,3]}", "{\"t\":[]}"},
        {"table.sort(doc.t) return doc", "{\"t\":[3,1,2]}", "{\"t\":[1,2,3]}"},
        {"table.sort(doc.t, function(a, b) return a.n > b.n end) return doc", "{\"t\":[{\"n\":1},{\"n\":3},{\"n\":2}]}",
         "{\"t\":[{\"n\":3},{\"n\":2},{\"n\":1}]}"},
        {"doc.t = table.concat(doc.t, ',') return doc", "{\"t\":[\"a\",1,\"b\"]}", "{\"t\":\"a,1,b\"}"},
        {"doc.t = {table.unpack(doc.t)} return doc", "{\"t\":[1,2,3]}", "{\"t\":[1,2,3]}"},
        {"doc.t[2] = nil", "{\"t\":[1,2,3]}",
         "lua: fix.lua:1: a list has no holes: table.remove(list, 2) closes the gap, null fills it"},
        {"doc.t[5] = 1", "{\"t\":[1,2,3]}",
         "lua: fix.lua:1: a list has no holes: the next place in this one is 4, not 5"},
        {"doc.t[0] = 1", "{\"t\":[1]}", "lua: fix.lua:1: a list has no holes: the next place in this one is 2, not 0"},
        {"doc.t.x = 1", "{\"t\":[1]}", "lua: fix.lua:1: a list has numbers from 1, not names: 'x'"},
        {"return doc.t.price", "{\"t\":[1]}", "lua: fix.lua:1: a list has numbers from 1, not names: 'price'"},
        {"return doc.t[1.5]", "{\"t\":[1]}",
         "lua: fix.lua:1: a list has numbers from 1: an integer was expected, not a number"},
        {"return doc[1]", "{\"t\":[1]}", "lua: fix.lua:1: an object has names, not numbers; only a list has numbers"},
        {"return #doc", "{\"t\":[1]}", "lua: fix.lua:1: an object has no length; only a list has one"},
        {"return doc[true]", "{}", "lua: fix.lua:1: an object has names: a string was expected, not a boolean"},
        {"local s = '' for i, x in ipairs(doc.t) do s = s .. i .. x end return {s = s}", "{\"t\":[\"a\",\"b\"]}",
         "{\"s\":\"1a2b\"}"},
    };
    lua_kit_check_all(cases);
}

static void tables_become_objects_and_lists(void **state)
{
    static const struct lua_case cases[] = {
        {"doc.a = {z = 1, b = {2, {c = 3}}} return doc", NULL, "{\"a\":{\"b\":[2,{\"c\":3}],\"z\":1}}"},
        {"doc.a = {} return doc", NULL, "{\"a\":{}}"},
        {"doc.a = list{} return doc", NULL, "{\"a\":[]}"},
        {"doc.a = list() return doc", NULL, "{\"a\":[]}"},
        {"doc.a = list{1, 2} doc.a[3] = 3 return doc", NULL, "{\"a\":[1,2,3]}"},
        {"local out = {} for _, t in ipairs(doc.t) do if t == 'x' then out[#out + 1] = t end end doc.t = out return "
         "doc",
         "{\"t\":[\"a\"]}", "{\"t\":[]}"},
        {"doc.a = {1, 2, [3] = 3} return doc", NULL, "{\"a\":[1,2,3]}"},
        {"doc.a = {x = {}} doc.a.x.y = doc.o return doc", "{\"o\":{\"p\":[]}}",
         "{\"o\":{\"p\":[]},\"a\":{\"x\":{\"y\":{\"p\":[]}}}}"},
        {"doc.a = {[2] = 1} return doc", NULL,
         "lua: fix.lua:1: a: a list has no holes: its numbers go from 1 without a gap; null fills one"},
        {"doc.a = {b = {1, x = 2}} return doc", NULL,
         "lua: fix.lua:1: a.b: a table with both names and numbers is neither an object nor a list"},
        {"doc.a = {{}, {b = print2, c = function() end}} return doc", NULL,
         "lua: fix.lua:1: a[2].c: a function cannot be stored in a document"},
        {"doc.a = {[true] = 1} return doc", NULL,
         "lua: fix.lua:1: a: a document has names, and a list integers from 1: this table has other keys"},
        {"doc.a = list{x = 1} return doc", NULL,
         "lua: fix.lua:1: a: a list has numbers from 1, and this one has names"},
        {"doc.a = {['x\\0y'] = 1} return doc", NULL,
         "lua: fix.lua:1: a.x?y: a name with a NUL in it cannot be stored in a document"},
        {"doc.a = {['\\xff'] = 1} return doc", NULL,
         "lua: fix.lua:1: a.?: a name that is not UTF-8 cannot be stored in a document"},
        {"local t = {} t.t = t doc.a = t return doc", NULL, NULL},
    };
    lua_kit_check(cases, G_N_ELEMENTS(cases) - 1);
    g_autofree char *itself =
        lua_kit_run("function transform(doc) local t = {} t.t = t doc.a = t return doc end", "{}");
    assert_non_null(strstr(itself, "nested deeper than 100 objects and lists; does it contain itself?"));
}

static void what_cannot_be_stored_is_refused_where_it_is_assigned(void **state)
{
    static const struct lua_case cases[] = {
        {"\n\ndoc.a = 0/0", NULL, "lua: fix.lua:3: what is not a number (nan) cannot be stored in a document"},
        {"\n\ndoc.a = 1/0", NULL, "lua: fix.lua:3: infinity cannot be stored in a document"},
        {"\n\ndoc.a = pairs", NULL, "lua: fix.lua:3: a function cannot be stored in a document"},
        {"\n\ndoc.a = ctx", NULL, "lua: fix.lua:3: a context cannot be stored in a document"},
        {"\n\ndoc.a = ctx.delete()", NULL, "lua: fix.lua:3: a verdict cannot be stored in a document"},
        {"\n\ndoc.a = 'ab\\xff'", NULL,
         "lua: fix.lua:3: the text is not UTF-8 at its byte 3; bytes that are no text are stored by binary(x)"},
        {"\n\ndoc['a\\0'] = 1", NULL, "lua: fix.lua:3: a name with a NUL in it cannot be stored in a document"},
        {"\n\ndoc['\\xc0'] = 1", NULL, "lua: fix.lua:3: a name that is not UTF-8 cannot be stored in a document"},
        {"doc.a = 'a\\0b' return doc", NULL, "{\"a\":\"a\\u0000b\"}"},
    };
    lua_kit_check_all(cases);
}

static void a_float_is_stored_as_its_shortest_text_reads(void **state)
{
    static const struct lua_case cases[] = {
        {"doc.a = 1.19 return doc", NULL, "{\"a\":1.19}"},
        {"doc.a = doc.a / 2 return doc", "{\"a\":10}", "{\"a\":5}"},
        {"doc.a = 0.1 + 0.2 return doc", NULL, "{\"a\":0.30000000000000004}"},
        {"doc.a = -0.0 return doc", NULL, "{\"a\":-0}"},
        {"doc.a = 1e300 return doc", NULL, "{\"a\":1E+300}"},
        {"doc.a = 2^53 return doc", NULL, "{\"a\":9007199254740992}"},
        {"doc.a = doc.a * 1.19 return doc", "{\"a\":100}", "{\"a\":119}"},
        {"doc.a = doc.a * 1.19 return doc", "{\"a\":100.00}", "{\"a\":119.0000}"},
    };
    lua_kit_check_all(cases);
}

/* A document as a store of doubles would give it. */
static void a_float_takes_the_place_of_a_double_as_a_double(void **state)
{
    bson_t document = BSON_INITIALIZER;
    struct lua_kit kit = {0};
    const char *script =
        "function transform(doc) doc.d = doc.d * 2 doc.e = doc.d table.remove(doc.l, 1) return doc end";
    GError *error = NULL;
    bson_t list;
    bson_append_double(&document, "d", -1, 0.1);
    bson_append_array_begin(&document, "l", -1, &list);
    bson_append_double(&list, "0", -1, 1.5);
    bson_append_double(&list, "1", -1, 2.5);
    bson_append_array_end(&document, &list);
    kit_ok(lua_kit_load(&kit, script, strlen(script), &error));
    struct sandbox_context context = {.run = "r", .spec = "s"};
    struct sandbox_result result;
    kit_ok(sandbox_transform(kit.sandbox, slice_of(bson_get_data(&document), document.len), &context, kit.mem, &result,
                             &error));
    bson_t got;
    bson_iter_t at, in;
    assert_true(document_view(result.documents[0], &got));
    assert_true(bson_iter_init_find(&at, &got, "d") && BSON_ITER_HOLDS_DOUBLE(&at));
    assert_true(bson_iter_double(&at) == 0.2);
    assert_true(bson_iter_init_find(&at, &got, "e") && BSON_ITER_HOLDS_DECIMAL128(&at));
    assert_true(bson_iter_init(&at, &got) && bson_iter_find_descendant(&at, "l.0", &in) && BSON_ITER_HOLDS_DOUBLE(&in));
    assert_true(bson_iter_double(&in) == 2.5);
    lua_kit_done(&kit);
    bson_destroy(&document);
}

static void a_view_of_an_earlier_record_is_refused(void **state)
{
    static const char *const uses[] = {"return last.a",     "last.a = 1",         "doc.a = last return doc",
                                       "return last",       "return {doc, last}", "for k in pairs(last) do end",
                                       "return #last",      "return {a = last}",  "return is_list(last)",
                                       "return next(last)", "return last.in_"};
    for (size_t i = 0; i < G_N_ELEMENTS(uses); i++) {
        struct lua_kit kit = {0};
        GError *error = NULL;
        g_autofree char *script = g_strdup_printf(
            "local last function transform(doc) if last then %s end last = doc return doc end", uses[i]);
        kit_ok(lua_kit_load(&kit, script, strlen(script), &error));
        g_autofree char *first = lua_kit_call(&kit, "{\"a\":1,\"in_\":{\"b\":2}}");
        g_autofree char *second = lua_kit_call(&kit, "{\"a\":1,\"in_\":{\"b\":2}}");
        assert_string_equal(first, "same: {\"a\":1,\"in_\":{\"b\":2}}");
        assert_non_null(strstr(second, "this belongs to an earlier record"));
        lua_kit_done(&kit);
    }
}

static void large_objects_are_found_by_name(void **state)
{
    auto_(arena) mem = arena_new(64 << 20);
    GString *json = g_string_new("{");
    for (int i = 0; i < 3000; i++)
        g_string_append_printf(json, "%s\"f%d\":%d", i ? "," : "", i, i);
    g_string_append(json, "}");
    g_autofree char *sum =
        lua_kit_run("function transform(doc) local s = 0 for k, v in pairs(doc) do s = s + doc[k] end\n"
                    "doc.f7 = nil doc.f8 = 'eight' doc.new = 1 local n = 0 for k in pairs(doc) do n = n + 1 end\n"
                    "doc.f7 = 'back' return {s = s, n = n, a = doc.f7, b = doc.f8, c = doc.f2999, d = doc.new} end",
                    json->str);
    assert_string_equal(sum, "{\"a\":\"back\",\"b\":\"eight\",\"c\":2999,\"d\":1,\"n\":3000,\"s\":4498500}");
    g_string_free(json, TRUE);
}

static void a_moved_value_must_not_become_too_deep(void **state)
{
    GString *json = g_string_new(NULL);
    for (int i = 0; i < 60; i++)
        g_string_append(json, "{\"a\":");
    g_string_append(json, "1");
    for (int i = 0; i < 60; i++)
        g_string_append(json, "}");
#define WRAPPED(n) "function transform(doc) local t = doc.a for i = 1, " n " do t = {x = t} end return t end"
    g_autofree char *deep = lua_kit_run(WRAPPED("42"), json->str), *flat = lua_kit_run(WRAPPED("41"), json->str);
    assert_non_null(strstr(deep, "nested deeper than 100 objects and lists"));
    assert_null(strstr(flat, "nested"));
    g_autofree char *fits = lua_kit_run("function transform(doc) return {a = doc, b = doc.a} end", json->str);
    assert_null(strstr(fits, "nested"));
    g_string_free(json, TRUE);
}

static void a_document_must_not_become_too_large(void **state)
{
    g_autofree char *text =
        lua_kit_run("function transform(doc) local s = ('x'):rep(9 << 20) doc.a = s doc.b = s return doc end", "{}");
    assert_string_equal(text, "lua: fix.lua:1: b: the document would have more than 16 MiB");
}

/* The largest there is can be read, changed and written; a small one may not make so much. */
static void a_large_document_is_allowed_more(void **state)
{
    g_autofree char *body = g_strnfill((15 << 20), 'x');
    g_autofree char *json = g_strdup_printf("{\"body\":\"%s\"}", body);
    g_autofree char *text = lua_kit_run("function transform(doc)\n"
                                        "doc.body = doc.body:gsub('x', 'y'):upper() doc.n = #doc.body return doc end",
                                        json);
    assert_true(g_str_has_prefix(text, "{\"body\":\"YYYY"));
    assert_true(g_str_has_suffix(text, "YY\",\"n\":15728640}"));
    g_autofree char *small = lua_kit_run("function transform(doc)\n"
                                         "local s = ('x'):rep(15 << 20) s = s:gsub('x', 'y'):upper() end",
                                         "{}");
    assert_true(g_str_has_prefix(small, "fatal: "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_read_as_what_they_are),
        cmocka_unit_test(assigning_keeps_the_rest_and_its_order),
        cmocka_unit_test(lists_have_no_holes),
        cmocka_unit_test(tables_become_objects_and_lists),
        cmocka_unit_test(what_cannot_be_stored_is_refused_where_it_is_assigned),
        cmocka_unit_test(a_float_is_stored_as_its_shortest_text_reads),
        cmocka_unit_test(a_float_takes_the_place_of_a_double_as_a_double),
        cmocka_unit_test(a_view_of_an_earlier_record_is_refused),
        cmocka_unit_test(large_objects_are_found_by_name),
        cmocka_unit_test(a_moved_value_must_not_become_too_deep),
        cmocka_unit_test(a_document_must_not_become_too_large),
        cmocka_unit_test(a_large_document_is_allowed_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
