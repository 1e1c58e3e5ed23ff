/* Lua walks a table in an order that depends on addresses and on a seed of the process. Here it has one: numbers by
 * value, then strings bytewise, then false and true; an order of tables, functions and the like does not exist. */
#include <math.h>

#include "sandbox/values.h"

/* One key, so that it can be sorted without Lua; strings stay where they are, in a table that is not changed meanwhile.
 */
struct key {
    enum { KEY_NUMBER, KEY_STRING, KEY_BOOL } kind;
    bool is_integer;
    int64_t integer; /* of a bool too */
    double number;
    struct slice text;
};

/* An integer and a float that no integer equals: such a one would be an integer, as a key. */
static int compare_mixed(int64_t integer, double number)
{
    if (number >= 0x1p63)
        return -1;
    if (number < -0x1p63)
        return 1;
    return integer <= (int64_t)floor(number) ? -1 : 1;
}

static int compare_numbers(const struct key *a, const struct key *b)
{
    if (a->is_integer && b->is_integer)
        return (a->integer > b->integer) - (a->integer < b->integer);
    if (a->is_integer)
        return compare_mixed(a->integer, b->number);
    if (b->is_integer)
        return -compare_mixed(b->integer, a->number);
    return (a->number > b->number) - (a->number < b->number);
}

static int compare_keys(const void *one, const void *other)
{
    const struct key *a = one, *b = other;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    if (a->kind == KEY_NUMBER)
        return compare_numbers(a, b);
    if (a->kind == KEY_STRING)
        return slice_compare(a->text, b->text);
    return (a->integer > b->integer) - (a->integer < b->integer);
}

static struct key key_at(lua_State *lua, int index)
{
    struct key key = {.kind = KEY_NUMBER};
    switch (lua_type(lua, index)) {
    case LUA_TNUMBER:
        key.is_integer = lua_isinteger(lua, index);
        if (key.is_integer)
            key.integer = lua_tointeger(lua, index);
        else
            key.number = lua_tonumber(lua, index);
        break;
    case LUA_TSTRING:
        key.kind = KEY_STRING;
        key.text.data = (const uint8_t *)lua_tolstring(lua, index, &key.text.len);
        break;
    case LUA_TBOOLEAN:
        key.kind = KEY_BOOL;
        key.integer = lua_toboolean(lua, index);
        break;
    default:
        luaL_error(lua, "a table with a %s as a key cannot be walked: there is no order that is the same everywhere",
                   values_type(lua, index));
    }
    return key;
}

static void key_push(lua_State *lua, const struct key *key)
{
    if (key->kind == KEY_BOOL)
        lua_pushboolean(lua, key->integer != 0);
    else if (key->kind == KEY_STRING)
        lua_pushlstring(lua, (const char *)key->text.data, key->text.len);
    else if (key->is_integer)
        lua_pushinteger(lua, key->integer);
    else
        lua_pushnumber(lua, key->number);
}

static size_t count_keys(lua_State *lua, int index)
{
    size_t n = 0;
    lua_pushnil(lua);
    for (; lua_next(lua, index); n++)
        lua_pop(lua, 1);
    limits_charge(lua, 3 * n); /* here, and for what is done with each below */
    return n;
}

static uint64_t sorting_cost(size_t n)
{
    return n < 2 ? n : n * (size_t)g_bit_storage(n);
}

size_t keys_push_sorted(lua_State *lua, int index)
{
    index = lua_absindex(lua, index);
    size_t n = count_keys(lua, index), i = 0;
    bool sorted = true;
    luaL_checkstack(lua, 6, NULL);
    struct key *keys = lua_newuserdatauv(lua, MAX(n, 1) * sizeof *keys, 0);
    for (lua_pushnil(lua); lua_next(lua, index); i++) {
        lua_pop(lua, 1);
        keys[i] = key_at(lua, -1);
        sorted = sorted && (i == 0 || compare_keys(&keys[i - 1], &keys[i]) < 0);
    }
    if (!sorted) {
        limits_charge(lua, sorting_cost(n));
        qsort(keys, n, sizeof *keys, compare_keys);
    }
    lua_createtable(lua, (int)MIN(n, INT32_MAX / 2), 0);
    for (i = 0; i < n; i++) {
        key_push(lua, &keys[i]);
        lua_rawseti(lua, -2, (lua_Integer)i + 1);
    }
    lua_remove(lua, -2);
    return n;
}

/* --- pairs -------------------------------------------------------------------------------------------------------- */

/* Upvalues: the keys, and how many have been given. What was removed meanwhile is left out. */
static int walk(lua_State *lua)
{
    lua_Integer i = lua_tointeger(lua, lua_upvalueindex(2));
    for (;;) {
        lua_settop(lua, 1);
        if (lua_rawgeti(lua, lua_upvalueindex(1), ++i) == LUA_TNIL)
            return 1;
        lua_pushvalue(lua, -1);
        if (lua_type(lua, 1) == LUA_TTABLE)
            lua_rawget(lua, 1);
        else
            lua_gettable(lua, 1);
        if (!lua_isnil(lua, -1))
            break;
        limits_charge(lua, 1);
    }
    lua_pushinteger(lua, i);
    lua_replace(lua, lua_upvalueindex(2));
    return 2;
}

int keys_pairs(lua_State *lua)
{
    luaL_checkany(lua, 1);
    if (lua_type(lua, 1) == LUA_TTABLE && luaL_getmetafield(lua, 1, "__pairs") != LUA_TNIL) {
        lua_pushvalue(lua, 1);
        lua_call(lua, 1, 3);
        return 3;
    }
    lua_settop(lua, 1);
    if (view_at(lua, 1)) {
        view_push_keys(lua, 1);
        keys_push_sorted(lua, -1);
        lua_remove(lua, -2);
    } else {
        luaL_checktype(lua, 1, LUA_TTABLE);
        globals_uncover(lua, 1);
        keys_push_sorted(lua, 1);
    }
    lua_pushinteger(lua, 0);
    lua_pushcclosure(lua, walk, 2);
    lua_pushvalue(lua, 1);
    return 2;
}

/* The least key of the table at 3 above `after` (NULL: of all). */
static bool least_above(lua_State *lua, const struct key *after, struct key *ret)
{
    bool found = false;
    size_t n = 0;
    for (lua_pushnil(lua); lua_next(lua, 3); n++) {
        lua_pop(lua, 1);
        struct key key = key_at(lua, -1);
        if ((after && compare_keys(&key, after) <= 0) || (found && compare_keys(&key, ret) > 0))
            continue;
        *ret = key;
        found = true;
    }
    limits_charge(lua, n);
    return found;
}

int keys_next(lua_State *lua)
{
    struct key after, least;
    lua_settop(lua, 2);
    if (view_at(lua, 1))
        view_push_keys(lua, 1);
    else {
        luaL_checktype(lua, 1, LUA_TTABLE);
        lua_pushvalue(lua, 1);
    }
    bool first = lua_isnil(lua, 2);
    if (!first)
        after = key_at(lua, 2);
    if (!least_above(lua, first ? NULL : &after, &least)) {
        lua_pushnil(lua);
        return 1;
    }
    key_push(lua, &least);
    lua_pushvalue(lua, -1);
    if (lua_type(lua, 1) == LUA_TTABLE)
        lua_rawget(lua, 1);
    else
        lua_gettable(lua, 1);
    return 2;
}
