/* `ctx`: what a transform knows beside the record, and the verdicts it can give. Nothing is made that is not asked for.
 */
#include "record/text.h"
#include "sandbox/values.h"

enum { REASON_BYTES = 1024 };

static const struct sandbox_context *context_of(lua_State *lua)
{
    const struct sandbox_context *context = sandbox_of(lua)->context;
    if (!context)
        luaL_error(lua, "ctx is there for transform(doc, ctx) only");
    return context;
}

static void push_verdict(lua_State *lua, bool deletes)
{
    struct verdict_value *verdict = values_new(lua, sizeof *verdict, 1, SLOT_VERDICT_META);
    *verdict = (struct verdict_value){.kind = VALUE_VERDICT, .deletes = deletes};
    sandbox_of(lua)->verdicts++;
}

static int verdict_delete(lua_State *lua)
{
    push_verdict(lua, true);
    return 1;
}

static int verdict_reject(lua_State *lua)
{
    struct slice reason;
    int arg = value_kind(lua, 1) == VALUE_CONTEXT ? 2 : 1; /* ctx:reject(…) is meant as well */
    if (lua_type(lua, arg) != LUA_TSTRING)
        return luaL_error(lua, "ctx.reject: the reason must be a text, not a %s",
                          lua_isnone(lua, arg) ? "nothing" : values_type(lua, arg));
    reason.data = (const uint8_t *)lua_tolstring(lua, arg, &reason.len);
    if (reason.len > REASON_BYTES)
        return luaL_error(lua, "ctx.reject: the reason has %I bytes; 1024 are the most", (lua_Integer)reason.len);
    if (reason.len == 0 || !text_is_utf8(reason, NULL) || memchr(reason.data, 0, reason.len))
        return luaL_error(lua, "ctx.reject: the reason must be a text in UTF-8 that is not empty");
    push_verdict(lua, false);
    lua_pushvalue(lua, arg);
    lua_setiuservalue(lua, -2, 1);
    return 1;
}

static int context_index(lua_State *lua)
{
    const struct sandbox_context *context = context_of(lua);
    const char *name = lua_type(lua, 2) == LUA_TSTRING ? lua_tostring(lua, 2) : "";
    if (strcmp(name, "reject") == 0)
        lua_pushcfunction(lua, verdict_reject);
    else if (strcmp(name, "delete") == 0)
        lua_pushcfunction(lua, verdict_delete);
    else if (strcmp(name, "key") == 0)
        lua_pushlstring(lua, (const char *)context->key.data, context->key.len);
    else if (strcmp(name, "run") == 0)
        lua_pushstring(lua, context->run);
    else if (strcmp(name, "spec") == 0)
        lua_pushstring(lua, context->spec);
    else if (strcmp(name, "planned_at") == 0)
        values_push_datetime(lua, context->planned_at_ms);
    else
        return luaL_error(lua, "ctx has no '%s'; it has delete, reject, key, run, spec and planned_at", name);
    return 1;
}

static int context_newindex(lua_State *lua)
{
    return luaL_error(lua, "ctx cannot be changed; nothing is kept from one record to the next");
}

static const luaL_Reg context_functions[] = {
    {"__index", context_index}, {"__newindex", context_newindex}, {NULL, NULL}};
static const luaL_Reg verdict_functions[] = {{NULL, NULL}};

void context_open(lua_State *lua)
{
    values_meta(lua, SLOT_CONTEXT_META, "context", context_functions);
    values_meta(lua, SLOT_VERDICT_META, "verdict", verdict_functions);
    enum value_kind *context = values_new(lua, sizeof *context, 0, SLOT_CONTEXT_META);
    *context = VALUE_CONTEXT;
    slot_set(lua, SLOT_CONTEXT);
}
