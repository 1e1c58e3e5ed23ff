/* string.format: each directive goes to Lua's own, one by one, but what would print an address, what differs between
 * machines, and decimals, which are formatted exactly. */
#include <math.h>

#include "record/decimal.h"
#include "sandbox/values.h"

enum { DIRECTIVE_TEXT = 32, MOST_DIGITS = 99, PADDED_TEXT = 256 };

struct directive {
    char text[DIRECTIVE_TEXT]; /* "%-8.2f" */
    char conversion;           /* 'f' */
    bool left, sign, space, zeros;
    int width, precision; /* precision -1: none */
};

static int take_number(const char **at, const char *end)
{
    int number = 0;
    for (; *at < end && g_ascii_isdigit(**at); (*at)++)
        number = MIN(number * 10 + (**at - '0'), MOST_DIGITS + 1);
    return number;
}

static void take_flags(const char **at, const char *end, struct directive *ret)
{
    for (; *at < end && **at && strchr("-+ #0", **at); (*at)++) {
        ret->left |= **at == '-';
        ret->sign |= **at == '+';
        ret->space |= **at == ' ';
        ret->zeros |= **at == '0';
    }
}

/* `at` is behind the '%'; returns what follows the directive. */
static const char *take_directive(lua_State *lua, const char *at, const char *end, struct directive *ret)
{
    const char *begin = at;
    *ret = (struct directive){.precision = -1};
    take_flags(&at, end, ret);
    ret->width = take_number(&at, end);
    if (at < end && *at == '.') {
        at++;
        ret->precision = take_number(&at, end);
    }
    size_t len = (size_t)(at - begin) + (at < end);
    if (len + 2 > sizeof ret->text)
        luaL_error(lua, "invalid format string to 'format'");
    ret->text[0] = '%';
    memcpy(ret->text + 1, begin, len);
    ret->text[len + 1] = '\0';
    ret->conversion = at < end ? *at : '\0';
    if (!ret->conversion || !strchr("aAcdeEfgGiopqsuxX", ret->conversion) || ret->width > MOST_DIGITS ||
        ret->precision > MOST_DIGITS)
        luaL_error(lua, "invalid conversion '%s' to 'format'", ret->text);
    return at + 1;
}

/* --- decimals ----------------------------------------------------------------------------------------------------- */

/* Pads `text`, a number, to the width as printf() does. */
static void push_padded(lua_State *lua, const struct directive *directive, const char *text)
{
    char padded[PADDED_TEXT];
    const char *sign = text[0] == '-' ? "-" : directive->sign ? "+" : directive->space ? " " : "";
    const char *digits = text + (text[0] == '-');
    int len = (int)(strlen(sign) + strlen(digits)), fill = MAX(directive->width - len, 0);
    bool zeros = directive->zeros && !directive->left;
    int before = zeros || directive->left ? 0 : fill, after = directive->left ? fill : 0;
    int at = g_snprintf(padded, sizeof padded, "%*s%s", before, "", sign);
    for (int i = 0; zeros && i < fill; i++)
        padded[at++] = '0';
    g_snprintf(padded + at, sizeof padded - (size_t)at, "%s%*s", digits, after, "");
    lua_pushstring(lua, padded);
}

static void push_decimal(lua_State *lua, const struct directive *directive, int arg)
{
    bson_decimal128_t decimal = decimals_at(lua, arg), rounded;
    char text[DECIMAL_TEXT];
    GError *error = NULL;
    if (directive->conversion != 'f')
        luaL_argerror(lua, arg, "a decimal is formatted by %s, %d (if it is whole) or %.2f");
    if (!decimal_round(&decimal, directive->precision < 0 ? 6 : directive->precision, &rounded, &error))
        values_raise(lua, error);
    push_padded(lua, directive, decimal_text(&rounded, text));
}

/* Replaces a whole decimal by the integer it is. */
static void make_integer(lua_State *lua, int arg)
{
    bson_decimal128_t decimal = decimals_at(lua, arg);
    int64_t integer;
    if (!decimal_to_i64(&decimal, &integer))
        luaL_argerror(lua, arg, "the decimal has no integer representation");
    lua_pushinteger(lua, integer);
    lua_replace(lua, arg);
}

/* --- one directive ------------------------------------------------------------------------------------------------ */

static void prepare_number(lua_State *lua, bool whole, int arg)
{
    int is_integer;
    if (whole && value_kind(lua, arg) == VALUE_DECIMAL)
        make_integer(lua, arg);
    if (value_kind(lua, arg) == VALUE_DECIMAL)
        return;
    if (!lua_isnumber(lua, arg))
        luaL_argerror(lua, arg, lua_pushfstring(lua, "number expected, got %s", values_type(lua, arg)));
    lua_tointegerx(lua, arg, &is_integer);
    if (whole && !is_integer)
        luaL_argerror(lua, arg, "number has no integer representation");
    if (isnan(lua_tonumber(lua, arg))) {
        lua_pushnumber(lua, (lua_Number)NAN); /* its sign differs between machines */
        lua_replace(lua, arg);
    }
}

static void prepare(lua_State *lua, const struct directive *directive, int arg)
{
    switch (directive->conversion) {
    case 'p':
        luaL_error(lua, "'%%p' would print an address");
        break;
    case 's':
        values_text(lua, arg);
        lua_replace(lua, arg);
        break;
    case 'q':
        if (!lua_isstring(lua, arg) && !lua_isboolean(lua, arg) && !lua_isnil(lua, arg))
            luaL_argerror(lua, arg, "value has no literal form");
        break;
    default:
        prepare_number(lua, strchr("diouxXc", directive->conversion) != NULL, arg);
        break;
    }
}

static void push_formatted(lua_State *lua, const struct directive *directive, int arg)
{
    prepare(lua, directive, arg);
    if (value_kind(lua, arg) == VALUE_DECIMAL && directive->conversion != 's') {
        push_decimal(lua, directive, arg);
        return;
    }
    lua_pushvalue(lua, lua_upvalueindex(1));
    lua_pushstring(lua, directive->text);
    lua_pushvalue(lua, arg);
    lua_call(lua, 2, 1);
}

int format_text(lua_State *lua)
{
    size_t len;
    const char *at = luaL_checklstring(lua, 1, &len), *end = at + len;
    struct directive directive;
    luaL_Buffer buffer;
    int arg = 1, n = lua_gettop(lua); /* the buffer's own place is behind them */
    luaL_buffinit(lua, &buffer);
    while (at < end) {
        const char *percent = memchr(at, '%', (size_t)(end - at));
        luaL_addlstring(&buffer, at, (size_t)((percent ? percent : end) - at));
        if (!percent)
            break;
        at = percent + 1;
        if (at < end && *at == '%') {
            luaL_addchar(&buffer, *at++);
            continue;
        }
        at = take_directive(lua, at, end, &directive);
        limits_charge(lua, 4);
        luaL_argcheck(lua, ++arg <= n, arg, "no value");
        push_formatted(lua, &directive, arg);
        luaL_addvalue(&buffer);
    }
    luaL_pushresult(&buffer);
    return 1;
}
