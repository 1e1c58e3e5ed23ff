/* The table library, with every step charged: Lua's own runs uncounted for as long as a `__len` tells it to, and its
 * sort takes the pivot from the clock. Lists of documents are taken as well as tables. */
#include "sandbox/values.h"

static lua_Integer length_of(lua_State *lua, int arg)
{
    if (lua_type(lua, arg) != LUA_TTABLE && !view_at(lua, arg))
        luaL_typeerror(lua, arg, "table");
    return luaL_len(lua, arg);
}

/* t[to] = t[from] of the table at 1 */
static void move_one(lua_State *lua, lua_Integer from, lua_Integer to)
{
    limits_charge(lua, 1);
    lua_geti(lua, 1, from);
    lua_seti(lua, 1, to);
}

static int table_insert(lua_State *lua)
{
    lua_Integer next = (lua_Integer)((lua_Unsigned)length_of(lua, 1) + 1), place = next;
    int n = lua_gettop(lua);
    if (n != 2 && n != 3)
        return luaL_error(lua, "wrong number of arguments to 'insert'");
    if (n == 3) {
        place = luaL_checkinteger(lua, 2);
        luaL_argcheck(lua, (lua_Unsigned)place - 1u < (lua_Unsigned)next, 2, "position out of bounds");
        for (lua_Integer i = next; i > place; i--)
            move_one(lua, i - 1, i);
    }
    lua_settop(lua, n);
    lua_seti(lua, 1, place);
    return 0;
}

static int table_remove(lua_State *lua)
{
    lua_Integer size = length_of(lua, 1), place = luaL_optinteger(lua, 2, size);
    if (place != size)
        luaL_argcheck(lua, (lua_Unsigned)place - 1u <= (lua_Unsigned)size, 2, "position out of bounds");
    lua_geti(lua, 1, place);
    for (; place < size; place++)
        move_one(lua, place + 1, place);
    lua_pushnil(lua);
    lua_seti(lua, 1, place);
    return 1;
}

static int table_concat(lua_State *lua)
{
    lua_Integer last = length_of(lua, 1);
    size_t len;
    const char *between = luaL_optlstring(lua, 2, "", &len);
    lua_Integer first = luaL_optinteger(lua, 3, 1);
    luaL_Buffer buffer;
    last = luaL_optinteger(lua, 4, last);
    luaL_buffinit(lua, &buffer);
    for (lua_Integer i = first; i <= last; i++) {
        limits_charge(lua, 1);
        lua_geti(lua, 1, i);
        if (!lua_isstring(lua, -1))
            return luaL_error(lua, "invalid value (a %s at index %I) in table for 'concat'", values_type(lua, -1), i);
        luaL_addvalue(&buffer);
        if (i == last)
            break; /* it may be the greatest integer */
        luaL_addlstring(&buffer, between, len);
    }
    luaL_pushresult(&buffer);
    return 1;
}

static int table_unpack(lua_State *lua)
{
    lua_Integer first = luaL_optinteger(lua, 2, 1);
    lua_Integer last = lua_isnoneornil(lua, 3) ? length_of(lua, 1) : luaL_checkinteger(lua, 3);
    if (first > last)
        return 0;
    lua_Unsigned n = (lua_Unsigned)last - (lua_Unsigned)first;
    if (n >= INT32_MAX || !lua_checkstack(lua, (int)n + 1))
        return luaL_error(lua, "too many results to unpack");
    limits_charge(lua, n + 1);
    for (lua_Integer i = first; i < last; i++)
        lua_geti(lua, 1, i);
    lua_geti(lua, 1, last);
    return (int)n + 1;
}

static void check_movable(lua_State *lua, int arg)
{
    if (lua_type(lua, arg) != LUA_TTABLE && !view_at(lua, arg))
        luaL_typeerror(lua, arg, "table");
}

/* table.move(from, first, last, to [, into]) */
static int table_move(lua_State *lua)
{
    lua_Integer first = luaL_checkinteger(lua, 2), last = luaL_checkinteger(lua, 3), to = luaL_checkinteger(lua, 4);
    int into = lua_isnoneornil(lua, 5) ? 1 : 5;
    check_movable(lua, 1);
    check_movable(lua, into);
    if (last >= first) {
        luaL_argcheck(lua, first > 0 || last < LUA_MAXINTEGER + first, 3, "too many elements to move");
        lua_Integer n = last - first + 1;
        luaL_argcheck(lua, to <= LUA_MAXINTEGER - n + 1, 4, "destination wrap around");
        bool upwards = to > last || to <= first || (into != 1 && !lua_compare(lua, 1, into, LUA_OPEQ));
        for (lua_Integer i = 0; i < n; i++) {
            lua_Integer at = upwards ? i : n - 1 - i;
            limits_charge(lua, 1);
            lua_geti(lua, 1, first + at);
            lua_seti(lua, into, to + at);
        }
    }
    lua_pushvalue(lua, into);
    return 1;
}

/* --- sort: merging, from runs of one upwards; equal elements keep their order --------------------------------------
 */

enum { SORT_COMPARE = 2, SORT_FROM = 3, SORT_INTO = 4 };

/* Whether the value at the top stands before the one below it; leaves both. */
static bool stands_before(lua_State *lua)
{
    limits_charge(lua, 1);
    if (lua_isnil(lua, SORT_COMPARE))
        return lua_compare(lua, -1, -2, LUA_OPLT);
    lua_pushvalue(lua, SORT_COMPARE);
    lua_pushvalue(lua, -2);
    lua_pushvalue(lua, -4);
    lua_call(lua, 2, 1);
    bool before = lua_toboolean(lua, -1);
    lua_pop(lua, 1);
    return before;
}

/* Merges from[low, middle) and from[middle, high) into `into`, all from 1. */
static void merge(lua_State *lua, lua_Integer low, lua_Integer middle, lua_Integer high)
{
    lua_Integer a = low, b = middle;
    for (lua_Integer i = low; i < high; i++) {
        bool second = a == middle;
        if (a < middle && b < high) {
            lua_rawgeti(lua, SORT_FROM, a);
            lua_rawgeti(lua, SORT_FROM, b);
            second = stands_before(lua);
            lua_pop(lua, 2);
        }
        lua_rawgeti(lua, SORT_FROM, second ? b++ : a++);
        lua_rawseti(lua, SORT_INTO, i);
    }
    limits_charge(lua, (uint64_t)(high - low));
}

static void copy_in(lua_State *lua, lua_Integer n)
{
    for (lua_Integer i = 1; i <= n; i++) {
        limits_charge(lua, 1);
        if (lua_geti(lua, 1, i) == LUA_TNIL)
            luaL_error(lua, "attempt to sort a table with nothing at index %I", i);
        lua_rawseti(lua, SORT_FROM, i);
    }
}

static int table_sort(lua_State *lua)
{
    lua_Integer n = length_of(lua, 1);
    if (n < 2)
        return 0;
    luaL_argcheck(lua, n < INT32_MAX / 2, 1, "array too big");
    if (!lua_isnoneornil(lua, SORT_COMPARE))
        luaL_checktype(lua, SORT_COMPARE, LUA_TFUNCTION);
    lua_settop(lua, SORT_COMPARE);
    limits_charge(lua, (uint64_t)n);
    lua_createtable(lua, (int)n, 0);
    lua_createtable(lua, (int)n, 0);
    copy_in(lua, n);
    for (lua_Integer width = 1; width < n; width *= 2) {
        for (lua_Integer low = 1; low <= n; low += 2 * width)
            merge(lua, low, MIN(low + width, n + 1), MIN(low + 2 * width, n + 1));
        lua_insert(lua, SORT_FROM); /* what was merged into is at the top: the two change places */
    }
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(lua, SORT_FROM, i);
        lua_seti(lua, 1, i);
    }
    return 0;
}

const luaL_Reg tables_functions[] = {
    {"concat", table_concat}, {"insert", table_insert}, {"move", table_move}, {"remove", table_remove},
    {"sort", table_sort},     {"unpack", table_unpack}, {NULL, NULL}};
