#include "sandbox/sandbox.h"

#include <locale.h>
#include <stdlib.h>

#include "sandbox/operators.h"
#include "sandbox/values.h"

enum {
    INSTRUCTIONS = 10000000,
    MEMORY_BYTES = 64 << 20,
    PRODUCED_BYTES = 32 << 20,
    TIME_MS = 10000,
    LONGEST_MESSAGE = 2000,
    KEPT_BYTES = 1 << 20 /* of the buffer of documents, between two calls */
};

/* --- errors ------------------------------------------------------------------------------------------------------- */

/* Lua shortens long names of sources from the front ("...tail"): the full one instead. */
static char *with_full_name(const struct sandbox *sandbox, const char *message)
{
    static const char shortened[] = "...";
    const size_t kept = LUA_IDSIZE - sizeof shortened;
    if (g_str_has_prefix(message, shortened))
        for (guint i = 0; i < sandbox->names->len; i++) {
            const char *name = sandbox->names->pdata[i];
            size_t len = strlen(name);
            if (len > kept && g_str_has_prefix(message + strlen(shortened), name + len - kept))
                return g_strconcat(name, message + strlen(shortened) + kept, NULL);
        }
    return g_strdup(message);
}

static bool begins_with_a_source(const struct sandbox *sandbox, const char *message)
{
    for (guint i = 0; i < sandbox->names->len; i++) {
        const char *name = sandbox->names->pdata[i];
        size_t len = strlen(name);
        if (strncmp(message, name, len) == 0 && message[len] == ':')
            return true;
    }
    return false;
}

/* The value that was raised, at the top of the stack, as text; nothing here may allocate from Lua. */
static char *raised_text(const struct sandbox *sandbox)
{
    lua_State *lua = sandbox->lua;
    if (lua_type(lua, -1) != LUA_TSTRING)
        return g_strdup_printf("an error was raised with a %s instead of a text", values_type(lua, -1));
    return with_full_name(sandbox, lua_tostring(lua, -1));
}

/* Lua's own limit of depth. Reaching it costs as much as a limit of ours, so it may not be paid record by record. */
static bool is_too_deep(const char *text)
{
    return strstr(text, "stack overflow") != NULL;
}

/* Takes the value that was raised off the stack. `origin` stands before a message that names no place in a source. */
static bool report(struct sandbox *sandbox, enum error_code code, const char *origin, GError **error)
{
    bool dead = sandbox->limits.passed != LIMIT_NONE;
    g_autofree char *text = dead ? limits_words(sandbox) : raised_text(sandbox);
    g_autofree char *place = with_full_name(sandbox, sandbox->limits.place);
    g_autofree char *valid = g_utf8_make_valid(text, (gssize)strnlen(text, LONGEST_MESSAGE));
    const char *before = dead ? (place[0] ? place : origin) : begins_with_a_source(sandbox, text) ? "" : origin;
    lua_settop(sandbox->lua, 0);
    return error_set(error, dead || is_too_deep(text) ? SLUICE_ERROR_TRANSFORM : code, "%s%s", before, valid);
}

/* Calls `function` with `argument` (light) so that every error ends here. */
static bool protected_call(struct sandbox *sandbox, lua_CFunction function, void *argument)
{
    lua_State *lua = sandbox->lua;
    lua_pushcfunction(lua, function);
    lua_pushlightuserdata(lua, argument);
    int status = lua_pcall(lua, 1, 0, 0);
    if (status == LUA_ERRMEM && sandbox->limits.passed == LIMIT_NONE)
        sandbox->limits.passed = LIMIT_MEMORY;
    return status == LUA_OK && sandbox->limits.passed == LIMIT_NONE;
}

static bool still_alive(const struct sandbox *sandbox, GError **error)
{
    if (sandbox->limits.passed == LIMIT_NONE)
        return true;
    g_autofree char *words = limits_words(sandbox);
    return error_set(error, SLUICE_ERROR_TRANSFORM, "%sthe sandbox has ended: %s", sandbox->limits.place, words);
}

static void begin_call(struct sandbox *sandbox, const struct sandbox_context *context, size_t document_bytes)
{
    sandbox->generation++;
    sandbox->verdicts = 0;
    sandbox->context = context;
    sandbox->read_only = !context;
    sandbox->out.len = 0;
    limits_begin(sandbox, document_bytes);
}

static void end_call(struct sandbox *sandbox)
{
    sandbox->context = NULL;
    sandbox->generation++;
    if (sandbox->out.cap > KEPT_BYTES) {
        free(sandbox->out.data);
        sandbox->out = (struct bytes){0};
    }
}

/* --- loading ------------------------------------------------------------------------------------------------------ */

/* What stands around a source: when it is checked as it was written, and when it is compiled. */
static const struct form_row {
    const char *checked_before, *checked_after[2], *before, *after;
} forms[] = {
    [OPERATORS_CHUNK] = {"", {"", ""}, OPERATORS_PRELUDE, ""},
    [OPERATORS_EXPRESSION] = {"return(", {")", "\n)"}, OPERATORS_PRELUDE "return function(doc)return(", ")end"},
};

static struct slice without_mark(struct slice text)
{
    static const char mark[] = "\xef\xbb\xbf"; /* of byte order, which editors of Windows write */
    size_t len = sizeof mark - 1;
    bool marked = text.len >= len && memcmp(text.data, mark, len) == 0;
    return marked ? slice_of(text.data + len, text.len - len) : text;
}

/* lua_load() catches its own errors, so that memory of ours may be held here and below. */
static int load_text(lua_State *lua, const struct sandbox_source *source, const char *before, const char *after)
{
    g_autofree char *name = g_strconcat("@", source->name, NULL);
    g_autoptr(GString) whole = g_string_new(before);
    g_string_append_len(whole, (const char *)source->text.data, (gssize)source->text.len);
    g_string_append(whole, after);
    return luaL_loadbufferx(lua, whole->str, whole->len, name, "t");
}

enum { NOT_REWRITTEN = -1 };

static int load_rewritten(lua_State *lua, const struct sandbox_source *source, enum operators_form form)
{
    g_autoptr(GString) text = g_string_new(NULL);
    if (!operators_rewrite(source->text, form, text))
        return NOT_REWRITTEN;
    struct sandbox_source rewritten = {.name = source->name, .text = slice_of(text->str, text->len)};
    return load_text(lua, &rewritten, forms[form].before, forms[form].after);
}

/* Compiles it as it was written, for the messages. The parenthesis of an expression stands in its line, for their line
 * numbers, or below it, if that ends in a remark. */
static void check_code(lua_State *lua, const struct sandbox_source *source, enum operators_form form)
{
    const char *before = forms[form].checked_before, *const *after = forms[form].checked_after;
    int top = lua_gettop(lua);
    if (load_text(lua, source, before, after[0]) != LUA_OK && load_text(lua, source, before, after[1]) != LUA_OK) {
        lua_settop(lua, top + 1);
        lua_error(lua);
    }
    lua_settop(lua, top);
}

/* Pushes the function that the source is. */
static void push_code(lua_State *lua, const struct sandbox_source *given, enum operators_form form)
{
    struct sandbox_source source = {.name = given->name, .text = without_mark(given->text)};
    if (source.text.len > 0 && source.text.data[0] == (uint8_t)LUA_SIGNATURE[0])
        luaL_error(lua, "%s:1: a compiled script; only the text of one is read", source.name);
    check_code(lua, &source, form);
    int status = load_rewritten(lua, &source, form);
    if (status == NOT_REWRITTEN)
        luaL_error(lua, "%s:1: names that begin with _sluice_ are the sandbox's own", source.name);
    if (status != LUA_OK)
        lua_error(lua);
    slot_push(lua, SLOT_ENVIRONMENT);
    lua_setupvalue(lua, -2, 1);
}

static void run_source(lua_State *lua, const struct sandbox_source *source)
{
    push_code(lua, source, OPERATORS_CHUNK);
    operators_push(lua);
    lua_call(lua, OPERATORS_ARGUMENTS, 0);
}

static void find_transform(lua_State *lua, const struct sandbox_config *config)
{
    const char *name = config->n_sources ? config->sources[config->n_sources - 1].name : "the transform";
    slot_push(lua, SLOT_GLOBALS);
    lua_pushliteral(lua, "transform");
    int type = lua_rawget(lua, -2);
    if (type == LUA_TNIL)
        luaL_error(lua, "%s:1: there is no function 'transform'; expected: function transform(doc, ctx) … end", name);
    if (type != LUA_TFUNCTION)
        luaL_error(lua, "%s:1: 'transform' is a %s; expected: function transform(doc, ctx) … end", name,
                   values_type(lua, -1));
    slot_set(lua, SLOT_TRANSFORM);
    lua_pop(lua, 1);
}

static int load_all(lua_State *lua)
{
    const struct sandbox_config *config = lua_touserdata(lua, 1);
    globals_open(lua);
    lua_newtable(lua);
    slot_set(lua, SLOT_EXPRESSIONS);
    for (size_t i = 0; i < config->n_sources; i++)
        run_source(lua, &config->sources[i]);
    if (config->want_transform)
        find_transform(lua, config);
    sandbox_of(lua)->frozen = true;
    return 0;
}

static void set_limits(struct limits *limits, const struct sandbox_config *config)
{
    limits->cap = config->limits;
    limits->world = config->world;
    if (limits->cap.instructions == 0)
        limits->cap.instructions = INSTRUCTIONS;
    if (limits->cap.memory_bytes == 0)
        limits->cap.memory_bytes = MEMORY_BYTES;
    if (limits->cap.produced_bytes == 0)
        limits->cap.produced_bytes = PRODUCED_BYTES;
    if (limits->cap.time_ms == 0)
        limits->cap.time_ms = TIME_MS;
    limits->cap.instructions = MIN(limits->cap.instructions, (uint64_t)INT64_MAX / 4);
    limits->cap.time_ms = MIN(limits->cap.time_ms, (uint64_t)INT64_MAX / 1000);
}

/* Lua compares texts by strcoll() and prints numbers by printf(). */
static bool check_locale(GError **error)
{
    if (strcmp(setlocale(LC_COLLATE, NULL), "C") != 0 || strcmp(setlocale(LC_NUMERIC, NULL), "C") != 0)
        return error_set(error, SLUICE_ERROR_INTERNAL, "the program has set a locale; results would depend on it");
    return true;
}

bool sandbox_new(struct sandbox **ret, const struct sandbox_config *config, GError **error)
{
    if (!check_locale(error))
        return false;
    auto_(sandbox) sandbox = g_new0(struct sandbox, 1);
    sandbox->names = g_ptr_array_new_with_free_func(g_free);
    sandbox->entries = g_new(struct view_entry, DOCUMENT_ENTRIES);
    for (size_t i = 0; i < config->n_sources; i++)
        g_ptr_array_add(sandbox->names, g_strdup(config->sources[i].name));
    set_limits(&sandbox->limits, config);
    sandbox->limits.memory_most = sandbox->limits.cap.memory_bytes;
    sandbox->limits.produced_most = sandbox->limits.cap.produced_bytes;
    sandbox->lua = lua_newstate(limits_allocate, sandbox);
    if (!sandbox->lua)
        return error_set(error, SLUICE_ERROR_TRANSFORM, "%zu bytes of memory are too few for a sandbox",
                         sandbox->limits.cap.memory_bytes);
    *(struct sandbox **)lua_getextraspace(sandbox->lua) = sandbox;
    limits_begin(sandbox, 0);
    if (!protected_call(sandbox, load_all, (void *)(uintptr_t)config))
        return report(sandbox, SLUICE_ERROR_TRANSFORM, "while loading: ", error);
    end_call(sandbox);
    *ret = g_steal_pointer(&sandbox);
    return true;
}

void sandbox_free(struct sandbox *sandbox)
{
    if (!sandbox)
        return;
    if (sandbox->lua)
        lua_close(sandbox->lua);
    free(sandbox->out.data);
    g_free(sandbox->entries);
    g_ptr_array_free(sandbox->names, TRUE);
    g_free(sandbox);
}

/* --- transform ---------------------------------------------------------------------------------------------------- */

struct call {
    struct slice document;
    struct arena *mem;
    struct sandbox_result result;
    bool arena_full;
};

static void *take(lua_State *lua, struct call *call, void *memory)
{
    if (memory)
        return memory;
    call->arena_full = true;
    luaL_error(lua, "the documents do not fit into the memory of the batch");
    return NULL;
}

static void take_document(lua_State *lua, struct call *call, int index, struct slice *ret)
{
    struct sandbox *sandbox = sandbox_of(lua);
    size_t at;
    if (!encode_document(lua, index, ret, &at))
        return;
    struct slice bytes = slice_of(sandbox->out.data + at, sandbox->out.len - at);
    uint8_t *copy = take(lua, call, arena_alloc(call->mem, bytes.len));
    memcpy(copy, bytes.data, bytes.len);
    *ret = slice_of(copy, bytes.len);
    sandbox->out.len = at;
}

static void make_room(lua_State *lua, struct call *call, size_t n)
{
    call->result.documents = take(lua, call, arena_alloc(call->mem, MAX(n, 1) * sizeof(struct slice)));
    call->result.n = n;
    call->result.verdict = SANDBOX_DOCUMENTS;
}

static int refuse_result(lua_State *lua, const char *what)
{
    return luaL_error(lua,
                      "transform returned %s; a document, a list of documents, nothing, ctx.delete() or "
                      "ctx.reject(reason) was expected",
                      what);
}

/* "a number", "an object" */
static const char *with_article(lua_State *lua, int index)
{
    const char *type = values_type(lua, index);
    return lua_pushfstring(lua, "%s %s", strchr("aeiou", type[0]) ? "an" : "a", type);
}

static bool is_object(lua_State *lua, int index)
{
    size_t n;
    const struct view *view = view_at(lua, index);
    return view ? !view->list : lua_istable(lua, index) && encode_form(lua, index, &n) != TABLE_LIST;
}

static void take_list(lua_State *lua, struct call *call, int index, size_t n)
{
    make_room(lua, call, n);
    call->result.list = true;
    if (n == 0)
        call->result.verdict = SANDBOX_FILTERED;
    for (size_t i = 0; i < n; i++) {
        lua_geti(lua, index, (lua_Integer)i + 1);
        if (!is_object(lua, -1))
            refuse_result(
                lua, lua_pushfstring(lua, "a list whose number %I is %s", (lua_Integer)i + 1, with_article(lua, -1)));
        take_document(lua, call, lua_gettop(lua), &call->result.documents[i]);
        lua_pop(lua, 1);
    }
}

static void take_one(lua_State *lua, struct call *call, int index)
{
    make_room(lua, call, 1);
    take_document(lua, call, index, &call->result.documents[0]);
}

static void take_table(lua_State *lua, struct call *call, int index)
{
    size_t n;
    switch (encode_form(lua, index, &n)) {
    case TABLE_EMPTY:
        refuse_result(lua, "an empty table, which is neither a document nor a list (that would be list{})");
        break;
    case TABLE_LIST:
        take_list(lua, call, index, n);
        break;
    case TABLE_OBJECT:
        take_one(lua, call, index);
        break;
    }
}

static void take_verdict(lua_State *lua, struct call *call, int index)
{
    const struct verdict_value *verdict = lua_touserdata(lua, index);
    call->result.verdict = verdict->deletes ? SANDBOX_DELETE : SANDBOX_REJECT;
    if (verdict->deletes)
        return;
    size_t len;
    lua_getiuservalue(lua, index, 1);
    const char *reason = lua_tolstring(lua, -1, &len);
    call->result.reason = take(lua, call, (void *)(uintptr_t)arena_text(call->mem, slice_of(reason, len)));
}

static void take_value(lua_State *lua, struct call *call, int index)
{
    const struct view *view = view_at(lua, index);
    if (view && view->list)
        take_list(lua, call, index, view_open(lua, index)->n);
    else if (view)
        take_one(lua, call, index);
    else if (lua_istable(lua, index))
        take_table(lua, call, index);
    else if (lua_isnil(lua, index))
        call->result.verdict = SANDBOX_FILTERED;
    else
        refuse_result(lua, with_article(lua, index));
}

static int run_transform(lua_State *lua)
{
    struct call *call = lua_touserdata(lua, 1);
    slot_push(lua, SLOT_TRANSFORM);
    view_push_document(lua, call->document);
    slot_push(lua, SLOT_CONTEXT);
    lua_call(lua, 2, LUA_MULTRET);
    int n = lua_gettop(lua) - 1;
    if (n > 1)
        return refuse_result(lua, lua_pushfstring(lua, "%d values", n));
    lua_settop(lua, 2);
    if (value_kind(lua, 2) == VALUE_VERDICT)
        take_verdict(lua, call, 2);
    else if (sandbox_of(lua)->verdicts)
        return luaL_error(lua, "ctx.delete() or ctx.reject(reason) was called, but its result not returned: "
                               "`return ctx.reject(reason)`");
    else
        take_value(lua, call, 2);
    return 0;
}

/* "file:line: " of the function `transform`. */
static void origin_of_transform(struct sandbox *sandbox, char *into, size_t len)
{
    lua_Debug about;
    slot_push(sandbox->lua, SLOT_TRANSFORM);
    lua_getinfo(sandbox->lua, ">S", &about);
    g_snprintf(into, (gulong)len, "%s:%d: ", about.short_src, about.linedefined);
}

bool sandbox_transform(struct sandbox *sandbox, struct slice document, const struct sandbox_context *context,
                       struct arena *mem, struct sandbox_result *ret, GError **error)
{
    struct call call = {.document = document, .mem = mem};
    char origin[PLACE_TEXT];
    if (!still_alive(sandbox, error))
        return false;
    begin_call(sandbox, context, document.len);
    bool ok = protected_call(sandbox, run_transform, &call);
    end_call(sandbox);
    if (ok) {
        *ret = call.result;
        return true;
    }
    enum error_code code = call.arena_full ? SLUICE_ERROR_TOO_BIG : SLUICE_ERROR_LUA;
    origin_of_transform(sandbox, origin, sizeof origin);
    return report(sandbox, code, origin, error);
}

/* --- expressions -------------------------------------------------------------------------------------------------- */

static int compile(lua_State *lua)
{
    const struct sandbox_source *source = lua_touserdata(lua, 1);
    slot_push(lua, SLOT_EXPRESSIONS);
    push_code(lua, source, OPERATORS_EXPRESSION);
    operators_push(lua);
    lua_call(lua, OPERATORS_ARGUMENTS, 1);
    lua_rawseti(lua, -2, sandbox_of(lua)->n_expressions + 1);
    return 0;
}

bool sandbox_compile(struct sandbox *sandbox, const char *name, const char *expression, int *ret_id, GError **error)
{
    struct sandbox_source source = {.name = name, .text = slice_of_text(expression)};
    g_autofree char *origin = g_strconcat(name, ": ", NULL);
    if (!still_alive(sandbox, error))
        return false;
    g_ptr_array_add(sandbox->names, g_strdup(name));
    begin_call(sandbox, NULL, 0);
    bool ok = protected_call(sandbox, compile, &source);
    end_call(sandbox);
    if (!ok)
        return report(sandbox, SLUICE_ERROR_TRANSFORM, origin, error);
    *ret_id = ++sandbox->n_expressions;
    return true;
}

struct evaluation {
    int id;
    struct slice document;
    bool truth;
};

static int evaluate(lua_State *lua)
{
    struct evaluation *evaluation = lua_touserdata(lua, 1);
    slot_push(lua, SLOT_EXPRESSIONS);
    lua_rawgeti(lua, -1, evaluation->id);
    view_push_document(lua, evaluation->document);
    lua_call(lua, 1, 1);
    evaluation->truth = lua_toboolean(lua, -1);
    return 0;
}

bool sandbox_evaluate(struct sandbox *sandbox, int id, struct slice document, bool *ret, GError **error)
{
    struct evaluation evaluation = {.id = id, .document = document};
    g_assert(id >= 1 && id <= sandbox->n_expressions);
    if (!still_alive(sandbox, error))
        return false;
    begin_call(sandbox, NULL, document.len);
    bool ok = protected_call(sandbox, evaluate, &evaluation);
    end_call(sandbox);
    if (!ok)
        return report(sandbox, SLUICE_ERROR_LUA, "", error);
    *ret = evaluation.truth;
    return true;
}
