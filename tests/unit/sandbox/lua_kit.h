/* One record through one script, and what came of it as text: the documents as JSON, joined by " | " ("same: " before
 * one that is the very bytes that came in); "filtered", "delete", "reject: …"; "lua: message", "fatal: message". */
#pragma once

#include "kit/kit.h"
#include "record/document.h"
#include "sandbox/sandbox.h"

#define LUA_KIT_NAME "fix.lua"

struct lua_kit {
    struct sandbox *sandbox;
    struct arena *mem;
    struct sandbox_limits limits;
};

static inline struct slice lua_kit_document(struct arena *mem, const char *json)
{
    struct slice document;
    GError *error = NULL;
    kit_ok(document_from_json(slice_of_text(json), mem, &document, NULL, &error));
    return document;
}

static inline bool lua_kit_load(struct lua_kit *kit, const char *script, size_t len, GError **error)
{
    struct sandbox_source source = {.name = LUA_KIT_NAME, .text = slice_of(script, len)};
    struct sandbox_config config = {.limits = kit->limits, .sources = &source, .n_sources = 1, .want_transform = true};
    kit->mem = arena_new(64 << 20);
    return sandbox_new(&kit->sandbox, &config, error);
}

static inline void lua_kit_done(struct lua_kit *kit)
{
    sandbox_free(kit->sandbox);
    arena_free(kit->mem);
    kit->sandbox = NULL;
    kit->mem = NULL;
}

static inline char *lua_kit_error(GError *error)
{
    char *text = g_strdup_printf("%s: %s", error_class(error) == ERROR_RECORD ? "lua" : "fatal", error->message);
    g_error_free(error);
    return text;
}

static inline char *lua_kit_result(const struct sandbox_result *result, struct slice document)
{
    static const char *const words[] = {"", "filtered", "delete", "reject: "};
    GString *text = g_string_new(words[result->verdict]);
    if (result->verdict == SANDBOX_REJECT)
        g_string_append(text, result->reason);
    for (size_t i = 0; result->verdict == SANDBOX_DOCUMENTS && i < result->n; i++) {
        struct slice one = result->documents[i];
        GError *error = NULL;
        kit_ok(document_check(one, &error));
        g_string_append(text, i ? " | " : "");
        g_string_append(text, one.data == document.data && one.len == document.len ? "same: " : "");
        kit_ok(document_to_json(one, text, &error));
    }
    return g_string_free(text, FALSE);
}

static inline char *lua_kit_call(struct lua_kit *kit, const char *json)
{
    struct sandbox_context context = {
        .run = "fix.3", .spec = "fix", .key = slice_of_text("k1"), .planned_at_ms = INT64_C(1783684800000)};
    struct slice document = lua_kit_document(kit->mem, json);
    struct sandbox_result result;
    GError *error = NULL;
    if (!sandbox_transform(kit->sandbox, document, &context, kit->mem, &result, &error))
        return lua_kit_error(error);
    return lua_kit_result(&result, document);
}

/* The whole of it, in a state of its own. The caller frees. */
static inline char *lua_kit_run_limited(const char *script, const char *json, struct sandbox_limits limits)
{
    struct lua_kit kit = {.limits = limits};
    GError *error = NULL;
    char *text = lua_kit_load(&kit, script, strlen(script), &error) ? lua_kit_call(&kit, json) : lua_kit_error(error);
    lua_kit_done(&kit);
    return text;
}

static inline char *lua_kit_run(const char *script, const char *json)
{
    return lua_kit_run_limited(script, json, (struct sandbox_limits){0});
}

/* A row of a table: the body of transform(doc, ctx), the document, what comes of it. */
struct lua_case {
    const char *body, *document, *expected;
};

static inline void lua_kit_check(const struct lua_case *cases, size_t n)
{
    size_t failed = 0;
    for (size_t i = 0; i < n; i++) {
        g_autofree char *script = g_strdup_printf("function transform(doc, ctx) %s end", cases[i].body);
        g_autofree char *text = lua_kit_run(script, cases[i].document ? cases[i].document : "{}");
        if (strcmp(text, cases[i].expected) == 0)
            continue;
        print_error("%s\n     gave: %s\n expected: %s\n", cases[i].body, text, cases[i].expected);
        failed++;
    }
    assert_int_equal(failed, 0);
}

#define lua_kit_check_all(cases) lua_kit_check(cases, G_N_ELEMENTS(cases))
