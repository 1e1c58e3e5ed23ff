/* Exact decimals for scripts: `decimal "0.10"`, + - * exact, / rounded half to even at 34 digits, comparison.
 *
 * A float takes part by its shortest text: `doc.balance * 1.19` multiplies by 1.19 and not by the binary number next to
 * it, because 1.19 is what the author wrote and what Lua made a float of. */
#include <math.h>

#include "record/decimal.h"
#include "sandbox/values.h"

enum { OPERATION_COST = 10 }; /* in instructions */

static const bson_decimal128_t *decimal_at(lua_State *lua, int index)
{
    return value_kind(lua, index) == VALUE_DECIMAL ? &((struct decimal_value *)lua_touserdata(lua, index))->decimal
                                                   : NULL;
}

bson_decimal128_t decimals_at(lua_State *lua, int index)
{
    bson_decimal128_t result = {0};
    const bson_decimal128_t *decimal = decimal_at(lua, index);
    if (decimal)
        return *decimal;
    if (lua_type(lua, index) != LUA_TNUMBER)
        luaL_error(lua, "a decimal and a %s do not go together%s", values_type(lua, index),
                   lua_type(lua, index) == LUA_TSTRING ? "; make a number of the text: decimal(x)" : "");
    if (lua_isinteger(lua, index))
        decimal_from_i64(lua_tointeger(lua, index), &result);
    else if (!decimal_from_double(lua_tonumber(lua, index), &result))
        luaL_error(lua, "a decimal cannot be computed with %s",
                   isnan(lua_tonumber(lua, index)) ? "what is not a number (nan)" : "infinity");
    return result;
}

static int compute(lua_State *lua, enum decimal_op op)
{
    bson_decimal128_t a = decimals_at(lua, 1), b = decimals_at(lua, 2), result;
    GError *error = NULL;
    limits_charge(lua, OPERATION_COST);
    if (!decimal_compute(op, &a, &b, &result, &error))
        return values_raise(lua, error);
    values_push_decimal(lua, &result);
    return 1;
}

static int decimals_add(lua_State *lua)
{
    return compute(lua, DECIMAL_ADD);
}

static int decimals_sub(lua_State *lua)
{
    return compute(lua, DECIMAL_SUBTRACT);
}

static int decimals_mul(lua_State *lua)
{
    return compute(lua, DECIMAL_MULTIPLY);
}

static int decimals_div(lua_State *lua)
{
    return compute(lua, DECIMAL_DIVIDE);
}

static int decimals_unm(lua_State *lua)
{
    const uint64_t sign = UINT64_C(1) << 63;
    bson_decimal128_t decimal = decimals_at(lua, 1);
    decimal.high ^= sign;
    values_push_decimal(lua, &decimal);
    return 1;
}

static int no_such_operator(lua_State *lua)
{
    return luaL_error(lua, "decimals have + - * and /, and decimal.round(x, scale)");
}

/* --- comparison --------------------------------------------------------------------------------------------------- */

/* A float that no decimal is: NaN compares with nothing, an infinity with everything. */
static bool unusual(lua_State *lua, int index)
{
    return lua_type(lua, index) == LUA_TNUMBER && !lua_isinteger(lua, index) && !isfinite(lua_tonumber(lua, index));
}

/* Whether a < b (or a <= b). */
static bool less(lua_State *lua, bool or_equal)
{
    if (unusual(lua, 1))
        return lua_tonumber(lua, 1) < 0;
    if (unusual(lua, 2))
        return lua_tonumber(lua, 2) > 0;
    limits_charge(lua, OPERATION_COST);
    for (int i = 1; i <= 2; i++)
        if (!decimal_at(lua, i) && lua_type(lua, i) != LUA_TNUMBER)
            return luaL_error(lua, "attempt to compare a decimal with a %s%s", values_type(lua, i),
                              lua_type(lua, i) == LUA_TSTRING ? "; make a number of the text: decimal(x)" : "");
    bson_decimal128_t a = decimals_at(lua, 1), b = decimals_at(lua, 2);
    int order = decimal_compare(&a, &b);
    return order < 0 || (or_equal && order == 0);
}

static int decimals_lt(lua_State *lua)
{
    lua_pushboolean(lua, less(lua, false));
    return 1;
}

static int decimals_le(lua_State *lua)
{
    lua_pushboolean(lua, less(lua, true));
    return 1;
}

bool decimals_equal(lua_State *lua, int a, int b)
{
    bool are_numbers = (decimal_at(lua, a) || lua_type(lua, a) == LUA_TNUMBER) &&
                       (decimal_at(lua, b) || lua_type(lua, b) == LUA_TNUMBER);
    if (!are_numbers || unusual(lua, a) || unusual(lua, b))
        return false;
    limits_charge(lua, OPERATION_COST);
    bson_decimal128_t first = decimals_at(lua, a), second = decimals_at(lua, b);
    return decimal_compare(&first, &second) == 0;
}

static int decimals_eq(lua_State *lua)
{
    lua_pushboolean(lua, decimals_equal(lua, 1, 2));
    return 1;
}

/* --- decimal(x), decimal.round ------------------------------------------------------------------------------------ */

static int decimals_make(lua_State *lua) /* __call: the first argument is the table `decimal` */
{
    bson_decimal128_t decimal;
    GError *error = NULL;
    lua_settop(lua, 2);
    if (lua_type(lua, 2) == LUA_TSTRING) {
        struct slice text;
        text.data = (const uint8_t *)lua_tolstring(lua, 2, &text.len);
        if (!decimal_parse(text, &decimal, &error))
            return values_raise(lua, error);
    } else if (lua_type(lua, 2) == LUA_TNUMBER || decimal_at(lua, 2)) {
        decimal = decimals_at(lua, 2);
    } else {
        return luaL_error(lua, "decimal: expected a number or a text such as \"0.10\", not a %s", values_type(lua, 2));
    }
    values_push_decimal(lua, &decimal);
    return 1;
}

static int decimals_round(lua_State *lua)
{
    bson_decimal128_t decimal = decimals_at(lua, 1), result;
    lua_Integer scale = luaL_optinteger(lua, 2, 0);
    GError *error = NULL;
    if (scale < -10000 || scale > 10000)
        return luaL_argerror(lua, 2, "no decimal has so many digits");
    limits_charge(lua, OPERATION_COST);
    if (!decimal_round(&decimal, (int)scale, &result, &error))
        return values_raise(lua, error);
    values_push_decimal(lua, &result);
    return 1;
}

static const luaL_Reg meta_functions[] = {
    {"__add", decimals_add},     {"__sub", decimals_sub},      {"__mul", decimals_mul},     {"__div", decimals_div},
    {"__mod", no_such_operator}, {"__idiv", no_such_operator}, {"__unm", decimals_unm},     {"__eq", decimals_eq},
    {"__lt", decimals_lt},       {"__le", decimals_le},        {"__concat", values_concat}, {NULL, NULL}};
static const luaL_Reg methods[] = {{"round", decimals_round}, {NULL, NULL}};

void decimals_open(lua_State *lua)
{
    values_meta(lua, SLOT_DECIMAL_META, "decimal", meta_functions);
    luaL_newlib(lua, methods);
    slot_push(lua, SLOT_DECIMAL_META);
    lua_pushvalue(lua, -2);
    lua_setfield(lua, -2, "__index"); /* x:round(2) */
    lua_pop(lua, 1);
    globals_protect(lua);
    lua_getmetatable(lua, -1);
    lua_pushcfunction(lua, decimals_make);
    lua_setfield(lua, -2, "__call");
    lua_pop(lua, 1);
    lua_setfield(lua, -2, "decimal");
}
