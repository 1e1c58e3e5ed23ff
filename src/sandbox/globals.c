/* What names mean: the functions that Lua has and we take, those that are ours, and tables that cannot be assigned to.
 */
#include <stdlib.h>

#include "record/decimal.h"
#include "sandbox/values.h"

/* Keys of metatables that no script can have. */
static const char real_key, original_key; /* the table behind a protected one; the table that our copy was made of */

/* --- protected tables --------------------------------------------------------------------------------------------- */

static int refuse_library(lua_State *lua)
{
    values_text(lua, 2);
    return luaL_error(lua, "the libraries cannot be changed: '%s' was assigned", lua_tostring(lua, -1));
}

void globals_protect(lua_State *lua)
{
    lua_newtable(lua);
    lua_createtable(lua, 0, 3);
    lua_pushvalue(lua, -3);
    lua_setfield(lua, -2, "__index");
    lua_pushcfunction(lua, refuse_library);
    lua_setfield(lua, -2, "__newindex");
    lua_pushvalue(lua, -3);
    lua_rawsetp(lua, -2, &real_key);
    lua_setmetatable(lua, -2);
    lua_remove(lua, -2);
}

void globals_uncover(lua_State *lua, int index)
{
    if (!lua_getmetatable(lua, index))
        return;
    if (lua_rawgetp(lua, -1, &real_key) == LUA_TNIL) {
        lua_pop(lua, 2);
        return;
    }
    lua_replace(lua, index);
    lua_pop(lua, 1);
}

static bool is_protected(lua_State *lua, int index)
{
    bool found = false;
    if (lua_getmetatable(lua, index)) {
        found = lua_rawgetp(lua, -1, &real_key) != LUA_TNIL;
        lua_pop(lua, 2);
    }
    return found;
}

/* --- the table of globals ----------------------------------------------------------------------------------------- */

/* What a script may look for in vain, and why it is not there. */
static const struct absent {
    const char *name, *why;
} absent[] = {
    {"collectgarbage", "memory is the sandbox's business"},
    {"coroutine", "a transform runs from beginning to end"},
    {"debug", "it would open the sandbox"},
    {"dofile", "a transform has no files; name them under transform.libs in the spec"},
    {"io", "a transform has no files"},
    {"load", "all code is in the plan, under its digest"},
    {"loadfile", "a transform has no files; name them under transform.libs in the spec"},
    {"loadstring", "all code is in the plan, under its digest"},
    {"os", "a transform has no clock, files or environment; ctx.planned_at is the time of the plan"},
    {"package", "name the files under transform.libs in the spec"},
    {"print", "nothing is printed; a record that is refused says why: ctx.reject(reason)"},
    {"require", "name the files under transform.libs in the spec; what they define is global"},
    {"warn", "nothing is printed; a record that is refused says why: ctx.reject(reason)"},
};

static int explain_absent(lua_State *lua)
{
    const char *name = lua_type(lua, 2) == LUA_TSTRING ? lua_tostring(lua, 2) : "";
    for (size_t i = 0; i < G_N_ELEMENTS(absent); i++)
        if (strcmp(name, absent[i].name) == 0)
            return luaL_error(lua, "there is no '%s' here: %s", name, absent[i].why);
    return 0;
}

static const char *const absent_math[] = {"acos", "asin", "atan", "cos", "deg",        "exp",
                                          "log",  "rad",  "sin",  "tan", "randomseed", "random"};

static int explain_absent_math(lua_State *lua)
{
    const char *name = lua_type(lua, 2) == LUA_TSTRING ? lua_tostring(lua, 2) : "";
    for (size_t i = 0; i < G_N_ELEMENTS(absent_math); i++)
        if (strcmp(name, absent_math[i]) == 0)
            return luaL_error(lua, "there is no 'math.%s' here: %s", name,
                              g_str_has_prefix(name, "random") ? "the same record must give the same result"
                                                               : "its last digits differ between machines");
    return 0;
}

/* While loading, a script defines globals; those of the sandbox stay. */
static int assign_global(lua_State *lua)
{
    const char *name = values_type(lua, 2);
    if (lua_type(lua, 2) == LUA_TSTRING)
        name = lua_tostring(lua, 2);
    if (sandbox_of(lua)->frozen)
        return luaL_error(
            lua, "globals are frozen once the script is loaded: '%s' cannot be assigned; is 'local' missing?", name);
    lua_pushvalue(lua, 2);
    if (lua_rawget(lua, lua_upvalueindex(1)) != LUA_TNIL)
        return luaL_error(lua, "'%s' belongs to the sandbox and cannot be assigned", name);
    lua_settop(lua, 3);
    slot_push(lua, SLOT_GLOBALS);
    lua_insert(lua, 2);
    lua_rawset(lua, 2);
    return 0;
}

/* The table at the top holds all that is ours. */
static void set_globals(lua_State *lua)
{
    lua_newtable(lua); /* what is ours, once more: it cannot be assigned */
    for (lua_pushnil(lua); lua_next(lua, -3);) {
        lua_pushvalue(lua, -2);
        lua_insert(lua, -2);
        lua_rawset(lua, -4);
    }
    lua_pushvalue(lua, -2);
    slot_set(lua, SLOT_GLOBALS);
    lua_newtable(lua);
    lua_pushcfunction(lua, explain_absent);
    lua_setfield(lua, -2, "__index");
    lua_setmetatable(lua, -3);
    lua_insert(lua, -2);
    globals_protect(lua);
    lua_getmetatable(lua, -1);
    lua_rotate(lua, -3, -1);
    lua_pushcclosure(lua, assign_global, 1);
    lua_setfield(lua, -2, "__newindex");
    lua_pop(lua, 1);
    slot_set(lua, SLOT_ENVIRONMENT);
}

/* --- metatables --------------------------------------------------------------------------------------------------- */

static const char *const metamethods[] = {"__index",  "__newindex", "__call", "__tostring", "__len",  "__pairs",
                                          "__concat", "__eq",       "__lt",   "__le",       "__unm",  "__add",
                                          "__sub",    "__mul",      "__div",  "__mod",      "__idiv", "__band",
                                          "__bor",    "__bxor",     "__bnot", "__shl",      "__shr"};
static const char *const refused_metamethods[] = {"__gc", "__mode", "__close", "__metatable"};

static bool has_field(lua_State *lua, int index, const char *name)
{
    lua_pushstring(lua, name);
    bool found = lua_rawget(lua, index) != LUA_TNIL;
    lua_pop(lua, 1);
    return found;
}

/* A table gets a copy of the metatable, in which there is nothing but what was checked: a `__mode` that a script adds
 * later would show when memory is collected. The copy of one metatable is one, brought up to date here. */
static void push_copy(lua_State *lua, int original)
{
    slot_push(lua, SLOT_COPIES);
    lua_pushvalue(lua, original);
    if (lua_rawget(lua, -2) == LUA_TNIL) {
        lua_pop(lua, 1);
        lua_newtable(lua);
        lua_pushvalue(lua, original);
        lua_rawsetp(lua, -2, &original_key);
        lua_pushvalue(lua, original);
        lua_pushvalue(lua, -2);
        lua_rawset(lua, -4);
    }
    lua_remove(lua, -2);
    for (size_t i = 0; i < G_N_ELEMENTS(metamethods); i++) {
        lua_pushstring(lua, metamethods[i]);
        lua_pushvalue(lua, -1);
        lua_rawget(lua, original);
        lua_rawset(lua, -3);
    }
}

static int global_setmetatable(lua_State *lua)
{
    luaL_checktype(lua, 1, LUA_TTABLE);
    luaL_argcheck(lua, lua_isnil(lua, 2) || lua_istable(lua, 2), 2, "nil or table expected");
    lua_settop(lua, 2);
    limits_charge(lua, G_N_ELEMENTS(metamethods));
    if (lua_getmetatable(lua, 1)) {
        if (lua_rawgetp(lua, -1, &original_key) == LUA_TNIL)
            return luaL_error(lua, "the metatable of this table cannot be changed");
        lua_settop(lua, 2);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(refused_metamethods) && lua_istable(lua, 2); i++)
        if (has_field(lua, 2, refused_metamethods[i]))
            return luaL_error(lua, "a metatable cannot have '%s' here", refused_metamethods[i]);
    if (lua_istable(lua, 2))
        push_copy(lua, 2);
    lua_setmetatable(lua, 1);
    lua_settop(lua, 1);
    return 1;
}

static int global_getmetatable(lua_State *lua)
{
    luaL_checkany(lua, 1);
    if (lua_type(lua, 1) != LUA_TTABLE || !lua_getmetatable(lua, 1))
        return 0;
    lua_rawgetp(lua, -1, &original_key);
    return 1;
}

static int global_rawset(lua_State *lua)
{
    luaL_checktype(lua, 1, LUA_TTABLE);
    luaL_checkany(lua, 2);
    luaL_checkany(lua, 3);
    lua_settop(lua, 3);
    if (is_protected(lua, 1))
        return luaL_error(lua, "neither globals nor libraries can be changed by rawset");
    lua_rawset(lua, 1);
    return 1;
}

/* --- errors: a limit that was passed goes through all of them ----------------------------------------------------- */

static int finish(lua_State *lua, int status, int first)
{
    limits_recheck(lua, status);
    if (status == LUA_OK)
        return lua_gettop(lua) - first + 1;
    lua_pushboolean(lua, 0);
    lua_insert(lua, -2);
    return 2;
}

static int global_pcall(lua_State *lua)
{
    luaL_checkany(lua, 1);
    lua_pushboolean(lua, 1);
    lua_insert(lua, 1);
    int status = lua_pcall(lua, lua_gettop(lua) - 2, LUA_MULTRET, 0);
    return finish(lua, status, 1);
}

/* Upvalue: the script's handler. */
static int handle(lua_State *lua)
{
    if (sandbox_of(lua)->limits.passed != LIMIT_NONE)
        return 1;
    lua_settop(lua, 1);
    lua_pushvalue(lua, lua_upvalueindex(1));
    lua_insert(lua, 1);
    lua_call(lua, 1, 1);
    return 1;
}

static int global_xpcall(lua_State *lua)
{
    luaL_checktype(lua, 2, LUA_TFUNCTION);
    lua_pushvalue(lua, 2);
    lua_pushcclosure(lua, handle, 1);
    lua_replace(lua, 2);
    lua_pushboolean(lua, 1);
    lua_pushvalue(lua, 1);
    lua_rotate(lua, 3, 2); /* function, handler, true, function, arguments */
    int status = lua_pcall(lua, lua_gettop(lua) - 4, LUA_MULTRET, 2);
    return finish(lua, status, 3);
}

/* --- types -------------------------------------------------------------------------------------------------------- */

static int global_type(lua_State *lua)
{
    luaL_checkany(lua, 1);
    lua_pushstring(lua, values_type(lua, 1));
    return 1;
}

static int global_tostring(lua_State *lua)
{
    luaL_checkany(lua, 1);
    values_text(lua, 1);
    return 1;
}

/* Upvalue: Lua's own. */
static int global_tonumber(lua_State *lua)
{
    char text[DECIMAL_TEXT];
    int64_t integer;
    if (value_kind(lua, 1) != VALUE_DECIMAL) {
        lua_pushvalue(lua, lua_upvalueindex(1));
        lua_insert(lua, 1);
        lua_call(lua, lua_gettop(lua) - 1, 1);
        return 1;
    }
    bson_decimal128_t decimal = decimals_at(lua, 1);
    if (decimal_to_i64(&decimal, &integer))
        lua_pushinteger(lua, integer);
    else
        lua_pushnumber(lua, g_ascii_strtod(decimal_text(&decimal, text), NULL));
    return 1;
}

/* Whether it is a list: of a document, by list{…}, or by its keys. */
static int global_is_list(lua_State *lua)
{
    luaL_checkany(lua, 1);
    const struct view *view = view_at(lua, 1);
    lua_pushboolean(lua, view ? view->list : lua_istable(lua, 1) && encode_is_list(lua, 1));
    return 1;
}

/* --- assembly ----------------------------------------------------------------------------------------------------- */

static const luaL_Reg global_functions[] = {{"getmetatable", global_getmetatable},
                                            {"is_list", global_is_list},
                                            {"next", keys_next},
                                            {"pairs", keys_pairs},
                                            {"pcall", global_pcall},
                                            {"rawset", global_rawset},
                                            {"setmetatable", global_setmetatable},
                                            {"tonumber", global_tonumber},
                                            {"tostring", global_tostring},
                                            {"type", global_type},
                                            {"xpcall", global_xpcall},
                                            {NULL, NULL}};
static const luaL_Reg string_format[] = {{"format", format_text}, {NULL, NULL}};

/* A library: what is Lua's own and taken as it is, and what is ours, each function with Lua's own as its upvalue. */
static const struct library {
    const char *name; /* NULL: global */
    lua_CFunction lua;
    const char *const *taken;
    const luaL_Reg *ours, *ours_too;
} libraries[] = {
    {NULL, luaopen_base,
     (const char *const[]){"assert", "error", "ipairs", "rawequal", "rawget", "rawlen", "select", "_VERSION", NULL},
     global_functions, NULL},
    {"string", luaopen_string, (const char *const[]){NULL}, strings_functions, string_format},
    {"table", luaopen_table, (const char *const[]){"pack", NULL}, tables_functions, NULL},
    {"math", luaopen_math,
     (const char *const[]){"fmod", "huge", "maxinteger", "mininteger", "modf", "pi", "sqrt", "tointeger", "type", "ult",
                           NULL},
     numbers_functions, NULL},
    {"utf8", luaopen_utf8, (const char *const[]){"char", "charpattern", "codes", NULL}, strings_utf8_functions, NULL},
};

/* Lua's library is at the top, ours below it. */
static void add_functions(lua_State *lua, const luaL_Reg *functions)
{
    for (; functions && functions->name; functions++) {
        lua_getfield(lua, -1, functions->name);
        lua_pushcclosure(lua, functions->func, 1);
        lua_setfield(lua, -3, functions->name);
    }
}

static void push_library(lua_State *lua, const struct library *library)
{
    lua_newtable(lua);
    lua_pushcfunction(lua, library->lua);
    lua_call(lua, 0, 1);
    for (const char *const *name = library->taken; *name; name++) {
        lua_getfield(lua, -1, *name);
        lua_setfield(lua, -3, *name);
    }
    add_functions(lua, library->ours);
    add_functions(lua, library->ours_too);
    lua_pop(lua, 1);
}

/* The library "string" is at the top: `text:upper()`. No arithmetic on texts, which would make floats of amounts. */
static void set_string_metatable(lua_State *lua)
{
    lua_pushliteral(lua, "");
    lua_createtable(lua, 0, 1);
    lua_pushvalue(lua, -3);
    lua_setfield(lua, -2, "__index");
    lua_setmetatable(lua, -2);
    lua_pop(lua, 1);
}

/* For messages only: where Lua looks for the name of a function that was called without one. */
static void name_functions(lua_State *lua, const char *library)
{
    luaL_getsubtable(lua, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_pushvalue(lua, -2);
    lua_setfield(lua, -2, library);
    lua_pop(lua, 1);
}

static void add_libraries(lua_State *lua)
{
    for (size_t i = 1; i < G_N_ELEMENTS(libraries); i++) {
        push_library(lua, &libraries[i]);
        name_functions(lua, libraries[i].name);
        if (libraries[i].lua == luaopen_string)
            set_string_metatable(lua);
        if (libraries[i].lua == luaopen_math) {
            lua_createtable(lua, 0, 1);
            lua_pushcfunction(lua, explain_absent_math);
            lua_setfield(lua, -2, "__index");
            lua_setmetatable(lua, -2);
        }
        globals_protect(lua);
        lua_setfield(lua, -2, libraries[i].name);
    }
}

static void make_weak_table(lua_State *lua, enum slot slot)
{
    lua_newtable(lua);
    lua_createtable(lua, 0, 1);
    lua_pushliteral(lua, "k");
    lua_setfield(lua, -2, "__mode");
    lua_setmetatable(lua, -2);
    slot_set(lua, slot);
}

void globals_open(lua_State *lua)
{
    make_weak_table(lua, SLOT_COPIES);
    push_library(lua, &libraries[0]);
    name_functions(lua, LUA_GNAME);
    add_libraries(lua);
    views_open(lua);
    context_open(lua);
    operators_open(lua);
    values_open(lua);
    decimals_open(lua);
    set_globals(lua);
    lua_newtable(lua); /* Lua's own table of globals, which luaopen_base() filled */
    lua_rawseti(lua, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
}
