/* From a source record to what is wanted: where, script, contract, key; and what is read for it. */
#include <glib/gstdio.h>

#include "kit/kit.h"
#include "transform/transform.h"

struct bench {
    const char *dir;
    struct spec *spec;
    struct recipe *recipe;
    struct transform *transform;
    struct key_paths key, unchanged;
    struct arena *mem;
};

static void write_file(const char *dir, const char *name, const char *text)
{
    g_autofree char *path = g_build_filename(dir, name, NULL);
    g_autofree char *folder = g_path_get_dirname(path);
    assert_int_equal(g_mkdir_with_parents(folder, 0700), 0);
    assert_true(g_file_set_contents(path, text, -1, NULL));
}

/* `more`: keys of the spec, a line each. */
static void write_spec(const char *dir, const char *more)
{
    g_autofree char *text =
        g_strdup_printf("sluice: 1\nname: fix\ntarget: { store: \"rocksdb:db\", dataset: a }\n%s%s",
                        strstr(more, "source:") ? "" : "source: { store: \"file:in\", dataset: x }\n", more);
    write_file(dir, "fix.yaml", text);
}

static bool read_recipe(struct bench *bench, GError **error)
{
    g_autofree char *path = g_build_filename(bench->dir, "fix.yaml", NULL);
    GError *wrong = NULL;
    if (!spec_read(&bench->spec, world_real(), path, &wrong))
        fail_msg("%s", wrong->message);
    return recipe_read(&bench->recipe, world_real(), bench->spec, error);
}

static void add_path(struct key_paths *paths, const char *text)
{
    GError *error = NULL;
    paths->paths = g_renew(struct path *, paths->paths, paths->n + 1);
    kit_ok(path_parse(&paths->paths[paths->n++], text, &error));
}

static void done(struct bench *bench)
{
    g_clear_pointer(&bench->transform, transform_free);
    g_clear_pointer(&bench->recipe, recipe_free);
    g_clear_pointer(&bench->spec, spec_free);
    key_paths_done(&bench->key);
    key_paths_done(&bench->unchanged);
    arena_free(bench->mem);
}

/* With the script, the contract (may be NULL) and the path of the key (NULL: it stays). */
static void set_up(struct bench *bench, const char *script, const char *contract, const char *key)
{
    GError *error = NULL;
    GString *more = g_string_new(NULL);
    if (script) {
        write_file(bench->dir, "fix.lua", script);
        g_string_append(more, "transform: { lua: fix.lua }\n");
    }
    if (contract) {
        g_autofree char *text = g_strdup_printf("contract: 1\nname: c\nversion: 1\n%s", contract);
        write_file(bench->dir, "c.yaml", text);
        g_string_append(more, "contract: c.yaml\n");
    }
    write_spec(bench->dir, more->str);
    g_string_free(more, TRUE);
    kit_ok(read_recipe(bench, &error));
    if (key)
        add_path(&bench->key, key);
    struct transform_config config = {.recipe = bench->recipe,
                                      .key = &bench->key,
                                      .unchanged = &bench->unchanged,
                                      .run = "fix.1",
                                      .spec = "fix",
                                      .planned_at_ms = 86400000};
    kit_ok(transform_new(&bench->transform, &config, &error));
    bench->mem = arena_new(1 << 20);
}

static struct slice document_of(struct bench *bench, const char *json)
{
    GError *error = NULL;
    struct slice document;
    kit_ok(document_from_json(slice_of_text(json), bench->mem, &document, NULL, &error));
    return document;
}

static char *text_of(const struct transform_result *result)
{
    static const char *const words[] = {"wanted", "filtered", "delete", "rejected"};
    GString *text = g_string_new(words[result->verdict]);
    GError *error = NULL;
    if (result->verdict == TRANSFORM_REJECTED)
        g_string_append_printf(text, " %s: %s", error_row(result->reason.code)->name, result->reason.text);
    if (result->list)
        g_string_append(text, " list");
    for (size_t i = 0; i < result->n; i++) {
        const struct wanted *wanted = &result->wanted[i];
        g_string_append_printf(text, " %.*s=", (int)wanted->key.len, (const char *)wanted->key.data);
        if (wanted->document.data)
            kit_ok(document_to_json(wanted->document, text, &error));
    }
    return g_string_free(text, FALSE);
}

static void check(struct bench *bench, const char *json, const char *expected)
{
    struct transform_result result;
    GError *error = NULL;
    kit_ok(
        transform_record(bench->transform, slice_of_text("k1"), document_of(bench, json), bench->mem, &result, &error));
    g_autofree char *text = text_of(&result);
    assert_string_equal(text, expected);
}

static void without_anything_a_record_is_wanted_as_it_is(void **state)
{
    struct bench bench = {.dir = *state};
    struct transform_result result;
    GError *error = NULL;
    set_up(&bench, NULL, NULL, NULL);
    struct slice document = document_of(&bench, "{\"a\":0.10}");
    kit_ok(transform_record(bench.transform, slice_of_text("k1"), document, bench.mem, &result, &error));
    assert_int_equal(result.verdict, TRANSFORM_WANTED);
    assert_ptr_equal(result.wanted[0].document.data, document.data);
    kit_equal_text(result.wanted[0].key, "k1");
    assert_false(recipe_has_transform(bench.recipe));
    assert_null(recipe_contract(bench.recipe));
    done(&bench);
}

static void verdicts_of_the_script_are_carried_on(void **state)
{
    struct bench bench = {.dir = *state};
    set_up(&bench,
           "function transform(doc, ctx)\n"
           "if doc.f then return nil end if doc.d then return ctx.delete() end if doc.r then return ctx.reject(doc.r) "
           "end\n"
           "if doc.x then error('no ' .. doc.x) end\n"
           "doc.at = ctx.planned_at doc.run = ctx.run .. ' ' .. ctx.spec .. ' ' .. ctx.key return doc end",
           NULL, NULL);
    check(&bench, "{}", "wanted k1={\"at\":\"1970-01-02T00:00:00.000Z\",\"run\":\"fix.1 fix k1\"}");
    check(&bench, "{\"f\":1}", "filtered");
    check(&bench, "{\"d\":1}", "delete k1=");
    check(&bench, "{\"r\":\"too old\"}", "rejected rejected: too old");
    check(&bench, "{\"x\":\"tier\"}", "rejected lua: fix.lua:3: no tier");
    done(&bench);
}

static void where_looks_at_the_source_before_the_script(void **state)
{
    struct bench bench = {.dir = *state};
    GError *error = NULL;
    set_up(&bench, "function transform(doc) doc.active = not doc.active return doc end", NULL, NULL);
    struct transform_config config = {
        .recipe = bench.recipe, .key = &bench.key, .where = "doc.active == true", .run = "r", .spec = "s"};
    g_clear_pointer(&bench.transform, transform_free);
    kit_ok(transform_new(&bench.transform, &config, &error));
    check(&bench, "{\"active\":true}", "wanted k1={\"active\":false}");
    check(&bench, "{\"active\":false}", "filtered");
    check(&bench, "{}", "filtered");
    g_clear_pointer(&bench.transform, transform_free);
    config.where = "doc.a.b == 1";
    kit_ok(transform_new(&bench.transform, &config, &error));
    check(&bench, "{}", "rejected lua: source.where:1: attempt to index a nil value (field 'a')");
    done(&bench);
}

static void the_contract_comes_after_the_script(void **state)
{
    struct bench bench = {.dir = *state};
    set_up(&bench, "function transform(doc) doc.n = doc.m doc.m = nil return doc end",
           "fields:\n  n: { type: int, required: true }\n  t: { type: string, default: x }\n", NULL);
    check(&bench, "{\"m\":\"7\"}", "wanted k1={\"n\":7,\"t\":\"x\"}");
    struct transform_result result;
    GError *error = NULL;
    kit_ok(transform_record(bench.transform, slice_of_text("k1"), document_of(&bench, "{\"n\":7}"), bench.mem, &result,
                            &error));
    assert_int_equal(result.verdict, TRANSFORM_REJECTED);
    assert_int_equal(result.reason.code, SLUICE_ERROR_CONTRACT_SAYS);
    assert_non_null(strstr(result.reason.text, "n: "));
    done(&bench);
}

static void the_key_is_made_of_what_is_wanted(void **state)
{
    struct bench bench = {.dir = *state};
    set_up(&bench,
           "function transform(doc, ctx) if doc.d then return ctx.delete() end\n"
           "if doc.ids then local t = list{} for i, id in ipairs(doc.ids) do t[i] = {id = id} end return t end\n"
           "doc.id = doc.old doc.old = nil return doc end",
           NULL, "id");
    check(&bench, "{\"old\":\"a7\"}", "wanted a7={\"id\":\"a7\"}");
    check(&bench, "{\"d\":1,\"id\":\"a8\"}", "delete a8=");
    check(&bench, "{\"ids\":[\"a\",\"b\"]}", "wanted list a={\"id\":\"a\"} b={\"id\":\"b\"}");
    check(&bench, "{\"ids\":[\"a\"]}", "wanted list a={\"id\":\"a\"}");
    check(&bench, "{\"ids\":[]}", "filtered");
    check(&bench, "{\"ids\":[\"a\",\"b\",\"c\",\"a\"]}",
          "rejected lua: the transform gave two documents for the key 'a'");
    struct transform_result result;
    GError *error = NULL;
    kit_ok(transform_record(bench.transform, slice_of_text("k1"), document_of(&bench, "{\"x\":1}"), bench.mem, &result,
                            &error));
    assert_int_equal(result.verdict, TRANSFORM_REJECTED);
    assert_int_equal(result.reason.code, SLUICE_ERROR_BAD_RECORD);
    done(&bench);
}

static void one_bad_document_of_several_refuses_the_record(void **state)
{
    struct bench bench = {.dir = *state};
    set_up(&bench, "function transform(doc) return {{id = 'a', n = 1}, {id = 'b', n = doc.n}} end",
           "fields:\n  n: { type: int, required: true }\n  id: { type: string }\n", "id");
    check(&bench, "{\"n\":2}", "wanted list a={\"id\":\"a\",\"n\":1} b={\"id\":\"b\",\"n\":2}");
    struct transform_result result;
    GError *error = NULL;
    kit_ok(transform_record(bench.transform, slice_of_text("k1"), document_of(&bench, "{\"n\":\"x\"}"), bench.mem,
                            &result, &error));
    assert_int_equal(result.verdict, TRANSFORM_REJECTED);
    assert_true(g_str_has_prefix(result.reason.text, "document 2 of 2: "));
    assert_int_equal(result.n, 0);
    done(&bench);
}

static void where_the_key_stays_there_is_one_document(void **state)
{
    struct bench bench = {.dir = *state};
    set_up(&bench, "function transform(doc) if doc.two then return {doc, {}, doc} end return list{doc} end", NULL,
           NULL);
    check(&bench, "{\"a\":1}", "wanted list k1={\"a\":1}");
    check(&bench, "{\"two\":1}",
          "rejected lua: the transform gave two documents for the key 'k1'; where a record keeps its key there can be "
          "one");
    done(&bench);
}

static void in_place_the_key_must_not_change(void **state)
{
    struct bench bench = {.dir = *state};
    add_path(&bench.unchanged, "id");
    set_up(&bench,
           "function transform(doc) if doc.new then doc.id = doc.new ~= null and doc.new or nil end doc.n = 1\n"
           "return doc end",
           NULL, NULL);
    check(&bench, "{\"id\":\"a\"}", "wanted k1={\"id\":\"a\",\"n\":1}");
    check(&bench, "{\"id\":\"a\",\"new\":\"a\"}", "wanted k1={\"id\":\"a\",\"new\":\"a\",\"n\":1}");
    check(&bench, "{\"id\":\"a\",\"new\":\"b\"}",
          "rejected lua: the transform changed the key from 'a' to 'b'; in place a record keeps its key");
    check(&bench, "{\"n\":0}", "wanted k1={\"n\":1}");
    struct transform_result result;
    GError *error = NULL;
    kit_ok(transform_record(bench.transform, slice_of_text("k1"), document_of(&bench, "{\"id\":\"a\",\"new\":null}"),
                            bench.mem, &result, &error));
    assert_int_equal(result.verdict, TRANSFORM_REJECTED);
    assert_true(g_str_has_prefix(result.reason.text, "the key cannot be changed in place: "));
    done(&bench);
}

static void a_limit_that_was_passed_ends_the_run(void **state)
{
    struct bench bench = {.dir = *state};
    struct transform_result result;
    GError *error = NULL;
    set_up(&bench, "function transform(doc)\n  while true do end\nend", NULL, NULL);
    struct slice document = document_of(&bench, "{}");
    kit_refused(transform_record(bench.transform, slice_of_text("k1"), document, bench.mem, &result, &error), TRANSFORM,
                "fix.lua:2: more than 10 000 000 instructions");
    done(&bench);
}

static void a_full_arena_refuses_the_record(void **state)
{
    struct bench bench = {.dir = *state};
    struct transform_result result;
    GError *error = NULL;
    set_up(&bench, "function transform(doc) doc.a = ('x'):rep(5000) return doc end", NULL, NULL);
    auto_(arena) small = arena_new(100);
    struct slice document = document_of(&bench, "{}");
    kit_ok(transform_record(bench.transform, slice_of_text("k1"), document, small, &result, &error));
    assert_int_equal(result.verdict, TRANSFORM_REJECTED);
    assert_int_equal(result.reason.code, SLUICE_ERROR_TOO_BIG);
    done(&bench);
}

/* --- reading -------------------------------------------------------------------------------------------------------
 */

static void refused(const char *dir, const char *more, enum error_code code, const char *part)
{
    struct bench bench = {.dir = dir};
    GError *error = NULL;
    write_spec(dir, more);
    bool ok = read_recipe(&bench, &error);
    if (ok || !error_is(error, code) || !strstr(error->message, part))
        print_error("%s\n", ok ? "it was read" : error->message);
    assert_true(!ok && error_is(error, code) && strstr(error->message, part));
    g_error_free(error);
    done(&bench);
}

static void what_is_wrong_shows_before_the_first_record(void **state)
{
    const char *dir = *state;
    refused(dir, "transform: { lua: none.lua }\n", SLUICE_ERROR_TRANSFORM, "none.lua");
    write_file(dir, "fix.lua", "function transform(doc)\n  return doc +\nend");
    refused(dir, "transform: { lua: fix.lua }\n", SLUICE_ERROR_TRANSFORM, "fix.lua:3: unexpected symbol near 'end'");
    write_file(dir, "fix.lua", "function Transform(doc) return doc end");
    refused(dir, "transform: { lua: fix.lua }\n", SLUICE_ERROR_TRANSFORM,
            "fix.lua:1: there is no function 'transform'");
    refused(dir, "source: { store: \"file:in\", dataset: x, where: \"doc.a ==\" }\n", SLUICE_ERROR_TRANSFORM,
            "fix.yaml: source.where:1: unexpected symbol near ')'");
    write_file(dir, "fix.lua", "function transform(doc) return doc end");
    write_file(dir, "lib/bad.lua", "\nos.exit()");
    refused(dir, "transform: { lua: fix.lua, libs: [lib/bad.lua] }\n", SLUICE_ERROR_TRANSFORM,
            "lib/bad.lua:2: there is no 'os' here");
    write_file(dir, "c.yaml", "contract: 1\nname: c\nversion: 1\nfields: { a: { type: strin } }\n");
    refused(dir, "contract: c.yaml\n", SLUICE_ERROR_CONTRACT, "c.yaml:4:");
    g_autofree char *large = g_strnfill((1 << 20) + 1, ' ');
    write_file(dir, "large.lua", large);
    refused(dir, "transform: { lua: large.lua }\n", SLUICE_ERROR_REFUSED, "large.lua");
}

static void sources_are_given_in_loading_order(void **state)
{
    struct bench bench = {.dir = *state};
    const struct sandbox_source *sources;
    GError *error = NULL;
    write_file(bench.dir, "fix.lua", "function transform(doc) doc.x = f() return doc end");
    write_file(bench.dir, "lib/a.lua", "function f() return 7 end");
    write_spec(bench.dir, "transform: { lua: fix.lua, libs: [lib/a.lua] }\n");
    kit_ok(read_recipe(&bench, &error));
    assert_int_equal(recipe_sources(bench.recipe, &sources), 2);
    assert_string_equal(sources[0].name, "lib/a.lua");
    assert_string_equal(sources[1].name, "fix.lua");
    kit_equal_text(sources[0].text, "function f() return 7 end");
    done(&bench);
}

#define in_a_dir(test) cmocka_unit_test_setup_teardown(test, kit_dir_setup, kit_dir_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_a_dir(without_anything_a_record_is_wanted_as_it_is),
        in_a_dir(verdicts_of_the_script_are_carried_on),
        in_a_dir(where_looks_at_the_source_before_the_script),
        in_a_dir(the_contract_comes_after_the_script),
        in_a_dir(the_key_is_made_of_what_is_wanted),
        in_a_dir(one_bad_document_of_several_refuses_the_record),
        in_a_dir(where_the_key_stays_there_is_one_document),
        in_a_dir(in_place_the_key_must_not_change),
        in_a_dir(a_limit_that_was_passed_ends_the_run),
        in_a_dir(a_full_arena_refuses_the_record),
        in_a_dir(what_is_wrong_shows_before_the_first_record),
        in_a_dir(sources_are_given_in_loading_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
