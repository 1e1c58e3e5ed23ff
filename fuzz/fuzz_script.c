/* Any bytes as a transform. What Lua compiles is understood by the rewriter of operators and compiles again; what runs,
 * runs to the same end in a second state; what comes out is a document. */
#include <glib.h>

#include "fuzz.h"
#include "record/document.h"
#include "sandbox/operators.h"
#include "sandbox/sandbox.h"

static const char record[] =
    "{\"name\":\" Ann B\",\"n\":7,\"balance\":0.00,\"none\":null,\"o\":{\"p\":[1,{\"q\":2.50}]},"
    "\"l\":[\"b\",\"a\",3]}";

/* NULL, or Lua's message, which lasts until the next call. */
static const char *why_not(lua_State *lua, const char *text, size_t len)
{
    lua_settop(lua, 0);
    return luaL_loadbufferx(lua, text, len, "=x", "t") == LUA_OK ? NULL : lua_tostring(lua, -1);
}

/* A source at a limit of Lua's compiler (200 locals, 255 registers, 200 levels) may pass it with what is added. */
static bool is_limit(const char *message)
{
    return strstr(message, "limit is") || strstr(message, "too many") || strstr(message, "overflow");
}

static void check_rewriting(struct slice script)
{
    lua_State *lua = luaL_newstate();
    g_autoptr(GString) into = g_string_new(OPERATORS_PRELUDE);
    bool reserved = memmem(script.data, script.len, "_sluice_", 8) != NULL;
    bool compiles = !why_not(lua, (const char *)script.data, script.len);
    bool understood = operators_rewrite(script, OPERATORS_CHUNK, into);
    if (compiles && !reserved) {
        g_assert(understood);
        const char *message = why_not(lua, into->str, into->len);
        g_assert(!message || is_limit(message));
    }
    lua_close(lua);
}

static void append_result(const struct sandbox_result *result, GString *into)
{
    g_string_append_printf(into, "%d %zu %s", result->verdict, result->n,
                           result->verdict == SANDBOX_REJECT ? result->reason : "");
    for (size_t i = 0; result->verdict == SANDBOX_DOCUMENTS && i < result->n; i++) {
        g_assert(document_check(result->documents[i], NULL));
        g_assert(document_to_json(result->documents[i], into, NULL));
    }
}

/* What came of it, as text. */
static GString *run(struct slice script)
{
    static const struct sandbox_limits limits = {
        .instructions = 20000, .produced_bytes = 1 << 18, .memory_bytes = 2 << 20};
    struct sandbox_source source = {.name = "x.lua", .text = script};
    struct sandbox_config config = {.limits = limits, .sources = &source, .n_sources = 1, .want_transform = true};
    struct sandbox_context context = {.run = "r", .spec = "s", .key = slice_of_text("k")};
    auto_(sandbox) sandbox = NULL;
    auto_(arena) mem = arena_new(1 << 20);
    g_autoptr(GError) error = NULL;
    struct sandbox_result result;
    struct slice document;
    GString *into = g_string_new(NULL);
    g_assert(document_from_json(slice_of_text(record), mem, &document, NULL, NULL));
    if (sandbox_new(&sandbox, &config, &error) && sandbox_transform(sandbox, document, &context, mem, &result, &error))
        append_result(&result, into);
    else
        g_string_append(into, error->message);
    return into;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len == 0)
        return 0;
    check_rewriting(slice_of(data, len));
    g_autoptr(GString) first = run(slice_of(data, len));
    g_autoptr(GString) second = run(slice_of(data, len));
    g_assert(g_string_equal(first, second));
    return 0;
}
