/* math: what has the same result on every machine, for decimals too. Each function has Lua's own of the same name as
 * its upvalue, if there is one. */
#include <math.h>

#include "record/decimal.h"
#include "sandbox/values.h"

static int forward(lua_State *lua)
{
    lua_pushvalue(lua, lua_upvalueindex(1));
    lua_insert(lua, 1);
    lua_call(lua, lua_gettop(lua) - 1, LUA_MULTRET);
    return lua_gettop(lua);
}

static int number_abs(lua_State *lua)
{
    if (value_kind(lua, 1) != VALUE_DECIMAL)
        return forward(lua);
    bson_decimal128_t decimal = decimals_at(lua, 1);
    decimal.high &= ~(UINT64_C(1) << 63);
    values_push_decimal(lua, &decimal);
    return 1;
}

/* An integer, as math.floor gives; one that is too large for it stays a decimal. */
static int push_whole(lua_State *lua, const bson_decimal128_t *decimal)
{
    int64_t integer;
    if (decimal_to_i64(decimal, &integer))
        lua_pushinteger(lua, integer);
    else
        values_push_decimal(lua, decimal);
    return 1;
}

static int round_towards(lua_State *lua, int direction)
{
    bson_decimal128_t decimal = decimals_at(lua, 1), rounded, one;
    int64_t integer;
    GError *error = NULL;
    if (decimal_to_i64(&decimal, &integer))
        return push_whole(lua, &decimal);
    decimal_from_i64(direction, &one);
    if (!decimal_round(&decimal, 0, &rounded, NULL))
        return push_whole(lua, &decimal); /* it has no digits behind the point to be taken off */
    if (decimal_compare(&decimal, &rounded) * direction > 0 &&
        !decimal_compute(DECIMAL_ADD, &rounded, &one, &rounded, &error))
        return values_raise(lua, error);
    return push_whole(lua, &rounded);
}

static int number_floor(lua_State *lua)
{
    return value_kind(lua, 1) == VALUE_DECIMAL ? round_towards(lua, -1) : forward(lua);
}

static int number_ceil(lua_State *lua)
{
    return value_kind(lua, 1) == VALUE_DECIMAL ? round_towards(lua, 1) : forward(lua);
}

/* The argument that no other is beyond. */
static int extreme(lua_State *lua, bool greatest)
{
    int n = lua_gettop(lua), best = 1;
    luaL_argcheck(lua, n >= 1, 1, "number expected");
    limits_charge(lua, (uint64_t)n);
    for (int i = 1; i <= n; i++) {
        if (value_kind(lua, i) != VALUE_DECIMAL)
            luaL_checktype(lua, i, LUA_TNUMBER);
        if (greatest ? lua_compare(lua, best, i, LUA_OPLT) : lua_compare(lua, i, best, LUA_OPLT))
            best = i;
    }
    lua_pushvalue(lua, best);
    return 1;
}

static int number_max(lua_State *lua)
{
    return extreme(lua, true);
}

static int number_min(lua_State *lua)
{
    return extreme(lua, false);
}

const luaL_Reg numbers_functions[] = {{"abs", number_abs}, {"ceil", number_ceil}, {"floor", number_floor},
                                      {"max", number_max}, {"min", number_min},   {NULL, NULL}};
