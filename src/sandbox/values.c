#include "sandbox/values.h"

#include <math.h>

#include "record/datetime.h"
#include "record/decimal.h"
#include "record/text.h"

static const char *const kind_names[] = {
    [VALUE_DECIMAL] = "decimal", [VALUE_DATETIME] = "datetime", [VALUE_BINARY] = "binary",
    [VALUE_NULL] = "null",       [VALUE_CONTEXT] = "context",   [VALUE_VERDICT] = "verdict",
};

const char *values_type(lua_State *lua, int index)
{
    enum value_kind kind = value_kind(lua, index);
    if (kind == VALUE_NONE)
        return luaL_typename(lua, index);
    const void *value = lua_touserdata(lua, index);
    if (kind == VALUE_VIEW)
        return "table";
    if (kind == VALUE_BINARY && ((const struct binary_value *)value)->subtype == BSON_SUBTYPE_UUID)
        return "uuid";
    return kind_names[kind];
}

void *values_new(lua_State *lua, size_t size, int user_values, enum slot meta)
{
    void *value = lua_newuserdatauv(lua, size, user_values);
    slot_push(lua, meta);
    lua_setmetatable(lua, -2);
    return value;
}

void values_meta(lua_State *lua, enum slot slot, const char *name, const luaL_Reg *functions)
{
    lua_newtable(lua);
    lua_pushstring(lua, name);
    lua_setfield(lua, -2, "__name");
    luaL_setfuncs(lua, functions, 0);
    slot_set(lua, slot);
}

int values_raise(lua_State *lua, GError *error)
{
    char text[512];
    g_strlcpy(text, error->message, sizeof text);
    g_error_free(error);
    return luaL_error(lua, "%s", text);
}

void values_push_decimal(lua_State *lua, const bson_decimal128_t *decimal)
{
    struct decimal_value *value = values_new(lua, sizeof *value, 0, SLOT_DECIMAL_META);
    value->kind = VALUE_DECIMAL;
    value->decimal = *decimal;
}

void values_push_datetime(lua_State *lua, int64_t ms)
{
    struct datetime_value *value = values_new(lua, sizeof *value, 0, SLOT_DATETIME_META);
    value->kind = VALUE_DATETIME;
    value->ms = ms;
}

static void push_binary(lua_State *lua, uint8_t subtype, struct slice bytes)
{
    struct binary_value *value = values_new(lua, sizeof *value + bytes.len, 0, SLOT_BINARY_META);
    value->kind = VALUE_BINARY;
    value->subtype = subtype;
    value->len = bytes.len;
    if (bytes.len)
        memcpy(value->bytes, bytes.data, bytes.len);
}

static void push_text(lua_State *lua, struct slice text)
{
    lua_pushlstring(lua, (const char *)text.data, text.len);
}

void values_push(lua_State *lua, const struct element *element)
{
    bson_decimal128_t decimal;
    switch (element->type) {
    case BSON_TYPE_UTF8:
        push_text(lua, element_string(element));
        break;
    case BSON_TYPE_INT64:
        lua_pushinteger(lua, element_i64(element));
        break;
    case BSON_TYPE_INT32:
        lua_pushinteger(lua, element_i32(element));
        break;
    case BSON_TYPE_DOUBLE:
        lua_pushnumber(lua, element_double(element));
        break;
    case BSON_TYPE_DECIMAL128:
        decimal = element_decimal(element);
        values_push_decimal(lua, &decimal);
        break;
    case BSON_TYPE_BOOL:
        lua_pushboolean(lua, element->value.data[0]);
        break;
    case BSON_TYPE_DATE_TIME:
        values_push_datetime(lua, element_i64(element));
        break;
    case BSON_TYPE_BINARY:
        push_binary(lua, element_subtype(element), element_binary(element));
        break;
    case BSON_TYPE_DOCUMENT:
        view_push(lua, element->value, false);
        break;
    case BSON_TYPE_ARRAY:
        view_push(lua, element->value, true);
        break;
    default: /* null: the walker gives no other */
        slot_push(lua, SLOT_NULL);
        break;
    }
}

/* --- text --------------------------------------------------------------------------------------------------------- */

static void push_binary_text(lua_State *lua, const struct binary_value *value)
{
    static const uint8_t head[5] = {UUID_BYTES, 0, 0, 0, BSON_SUBTYPE_UUID};
    uint8_t bytes[sizeof head + UUID_BYTES];
    char text[UUID_TEXT];
    if (value->subtype != BSON_SUBTYPE_UUID) {
        lua_pushliteral(lua, "binary");
        return;
    }
    memcpy(bytes, head, sizeof head);
    memcpy(bytes + sizeof head, value->bytes, UUID_BYTES);
    struct element element = {.type = BSON_TYPE_BINARY, .value = slice_of(bytes, sizeof bytes)};
    lua_pushstring(lua, element_uuid_text(&element, text));
}

static void push_userdata_text(lua_State *lua, int index)
{
    const void *value = lua_touserdata(lua, index);
    char text[MAX(DECIMAL_TEXT, DATETIME_TEXT)];
    switch (value_kind(lua, index)) {
    case VALUE_DECIMAL:
        lua_pushstring(lua, decimal_text(&((const struct decimal_value *)value)->decimal, text));
        break;
    case VALUE_DATETIME:
        lua_pushstring(lua, datetime_text(((const struct datetime_value *)value)->ms, text));
        break;
    case VALUE_BINARY:
        push_binary_text(lua, value);
        break;
    case VALUE_VIEW:
        lua_pushstring(lua, ((const struct view *)value)->list ? "list" : "object");
        break;
    case VALUE_NONE:
    case VALUE_NULL:
    case VALUE_CONTEXT:
    case VALUE_VERDICT:
        lua_pushstring(lua, values_type(lua, index));
        break;
    }
}

static void push_number_text(lua_State *lua, int index)
{
    if (!lua_isinteger(lua, index) && isnan(lua_tonumber(lua, index))) {
        lua_pushliteral(lua, "nan"); /* its sign, which printf() shows, differs between machines */
        return;
    }
    lua_pushvalue(lua, index);
    lua_tolstring(lua, -1, NULL);
}

void values_text(lua_State *lua, int index)
{
    index = lua_absindex(lua, index);
    switch (lua_type(lua, index)) {
    case LUA_TSTRING:
        lua_pushvalue(lua, index);
        break;
    case LUA_TNUMBER:
        push_number_text(lua, index);
        break;
    case LUA_TBOOLEAN:
        lua_pushstring(lua, lua_toboolean(lua, index) ? "true" : "false");
        break;
    case LUA_TUSERDATA:
        push_userdata_text(lua, index);
        break;
    case LUA_TTABLE:
        if (luaL_callmeta(lua, index, "__tostring")) {
            if (lua_type(lua, -1) != LUA_TSTRING)
                luaL_error(lua, "'__tostring' must return a string");
            break;
        }
        /* fall through */
    default:
        lua_pushstring(lua, luaL_typename(lua, index)); /* Lua would add the address */
        break;
    }
}

/* --- binary and uuid ---------------------------------------------------------------------------------------------- */

static struct binary_value *binary_at(lua_State *lua, int index)
{
    return value_kind(lua, index) == VALUE_BINARY ? lua_touserdata(lua, index) : NULL;
}

static int binary_index(lua_State *lua)
{
    const struct binary_value *value = lua_touserdata(lua, 1);
    const char *name = lua_type(lua, 2) == LUA_TSTRING ? lua_tostring(lua, 2) : "";
    if (strcmp(name, "bytes") != 0)
        return luaL_error(lua, "%s has no '%s'; it has 'bytes'", values_type(lua, 1), name);
    lua_pushlstring(lua, (const char *)value->bytes, value->len);
    return 1;
}

static int binary_len(lua_State *lua)
{
    lua_pushinteger(lua, (lua_Integer)((const struct binary_value *)lua_touserdata(lua, 1))->len);
    return 1;
}

static int binary_eq(lua_State *lua)
{
    const struct binary_value *a = binary_at(lua, 1), *b = binary_at(lua, 2);
    lua_pushboolean(lua, a && b && a->subtype == b->subtype &&
                             slice_equal(slice_of(a->bytes, a->len), slice_of(b->bytes, b->len)));
    return 1;
}

/* Whether `..` takes it: text, numbers, and what has an exact text. */
static bool is_concatenable(lua_State *lua, int index)
{
    enum value_kind kind = value_kind(lua, index);
    const struct binary_value *binary = binary_at(lua, index);
    return lua_isstring(lua, index) || kind == VALUE_DECIMAL || kind == VALUE_DATETIME ||
           (binary && binary->subtype == BSON_SUBTYPE_UUID);
}

int values_concat(lua_State *lua)
{
    for (int i = 1; i <= 2; i++)
        if (!is_concatenable(lua, i))
            return luaL_error(lua, "attempt to concatenate a %s value%s", values_type(lua, i),
                              binary_at(lua, i) ? "; its bytes are in .bytes" : "");
    values_text(lua, 1);
    values_text(lua, 2);
    lua_concat(lua, 2);
    return 1;
}

static int binary_make(lua_State *lua)
{
    struct slice bytes;
    if (lua_type(lua, 1) != LUA_TSTRING)
        return luaL_typeerror(lua, 1, "string");
    bytes.data = (const uint8_t *)lua_tolstring(lua, 1, &bytes.len);
    limits_produce(lua, bytes.len);
    push_binary(lua, BSON_SUBTYPE_BINARY, bytes);
    return 1;
}

static int uuid_make(lua_State *lua)
{
    struct slice text;
    uint8_t bytes[UUID_BYTES];
    if (lua_type(lua, 1) != LUA_TSTRING)
        return luaL_typeerror(lua, 1, "string");
    text.data = (const uint8_t *)lua_tolstring(lua, 1, &text.len);
    if (!element_uuid_parse(text, bytes)) {
        char quote[TEXT_QUOTE];
        return luaL_error(lua, "'%s' is not a uuid such as 123e4567-e89b-12d3-a456-426614174000",
                          text_quote(text, quote));
    }
    push_binary(lua, BSON_SUBTYPE_UUID, slice_of(bytes, sizeof bytes));
    return 1;
}

/* --- datetime ----------------------------------------------------------------------------------------------------- */

/* The milliseconds of a datetime; raises an error for anything else. */
static int64_t datetime_at(lua_State *lua, int index)
{
    if (value_kind(lua, index) != VALUE_DATETIME)
        luaL_error(lua, "a datetime was expected, not a %s", values_type(lua, index));
    return ((const struct datetime_value *)lua_touserdata(lua, index))->ms;
}

static int64_t milliseconds_at(lua_State *lua, int index)
{
    int is_integer;
    lua_Integer ms = lua_tointegerx(lua, index, &is_integer);
    if (!is_integer || lua_type(lua, index) != LUA_TNUMBER)
        luaL_error(lua, "to a datetime milliseconds are added, as an integer, not a %s", values_type(lua, index));
    return ms;
}

static int push_moved(lua_State *lua, int64_t ms, int64_t by, bool back)
{
    int64_t moved;
    if (back ? __builtin_sub_overflow(ms, by, &moved) : __builtin_add_overflow(ms, by, &moved))
        return luaL_error(lua, "the result is out of the range of a datetime");
    values_push_datetime(lua, moved);
    return 1;
}

static int datetime_add(lua_State *lua)
{
    int time = value_kind(lua, 1) == VALUE_DATETIME ? 1 : 2;
    return push_moved(lua, datetime_at(lua, time), milliseconds_at(lua, 3 - time), false);
}

static int datetime_sub(lua_State *lua)
{
    int64_t ms = datetime_at(lua, 1), difference;
    if (value_kind(lua, 2) != VALUE_DATETIME)
        return push_moved(lua, ms, milliseconds_at(lua, 2), true);
    if (__builtin_sub_overflow(ms, datetime_at(lua, 2), &difference))
        return luaL_error(lua, "the difference is out of the range of an integer");
    lua_pushinteger(lua, difference);
    return 1;
}

static int datetime_eq(lua_State *lua)
{
    bool both = value_kind(lua, 1) == VALUE_DATETIME && value_kind(lua, 2) == VALUE_DATETIME;
    lua_pushboolean(lua, both && datetime_at(lua, 1) == datetime_at(lua, 2));
    return 1;
}

static int datetime_lt(lua_State *lua)
{
    lua_pushboolean(lua, datetime_at(lua, 1) < datetime_at(lua, 2));
    return 1;
}

static int datetime_le(lua_State *lua)
{
    lua_pushboolean(lua, datetime_at(lua, 1) <= datetime_at(lua, 2));
    return 1;
}

/* The parts of a point in time stand at fixed places of its text. */
static const struct datetime_part {
    const char *name;
    size_t at, len;
} datetime_parts[] = {{"year", 0, 4},    {"month", 5, 2},   {"day", 8, 2},         {"hour", 11, 2},
                      {"minute", 14, 2}, {"second", 17, 2}, {"millisecond", 20, 3}};

static bool push_part(lua_State *lua, int64_t ms, const char *name)
{
    char text[DATETIME_TEXT];
    datetime_text(ms, text);
    size_t more = text[0] == '-' || text[0] == '+' ? 6 : 0; /* a sign, and nine digits of the year */
    for (size_t i = 0; i < G_N_ELEMENTS(datetime_parts); i++) {
        const struct datetime_part *part = &datetime_parts[i];
        if (strcmp(name, part->name) != 0)
            continue;
        size_t at = i ? part->at + more : 0, len = i ? part->len : part->len + more;
        text[at + len] = '\0';
        lua_pushinteger(lua, (lua_Integer)g_ascii_strtoll(text + at, NULL, 10));
        return true;
    }
    return false;
}

static int datetime_index(lua_State *lua)
{
    const int64_t day_ms = 86400000;
    int64_t ms = datetime_at(lua, 1), days = ms / day_ms - (ms % day_ms < 0);
    const char *name = lua_type(lua, 2) == LUA_TSTRING ? lua_tostring(lua, 2) : "";
    if (push_part(lua, ms, name))
        return 1;
    if (strcmp(name, "unix_ms") == 0)
        lua_pushinteger(lua, ms);
    else if (strcmp(name, "weekday") == 0) /* ISO: Monday is 1; 1970-01-01 was a Thursday */
        lua_pushinteger(lua, ((days + 3) % 7 + 7) % 7 + 1);
    else
        return luaL_error(lua,
                          "a datetime has no '%s'; it has year, month, day, hour, minute, second, millisecond, "
                          "weekday and unix_ms, all in UTC",
                          name);
    return 1;
}

static int datetime_make(lua_State *lua)
{
    struct slice text;
    int64_t us;
    GError *error = NULL;
    int is_integer;
    lua_Integer ms = lua_tointegerx(lua, 1, &is_integer);
    if (lua_type(lua, 1) == LUA_TNUMBER && is_integer) {
        values_push_datetime(lua, ms);
        return 1;
    }
    if (lua_type(lua, 1) != LUA_TSTRING)
        return luaL_error(lua,
                          "datetime: expected a text such as 2026-07-10T12:00:00Z, or milliseconds since 1970, "
                          "not a %s",
                          values_type(lua, 1));
    text.data = (const uint8_t *)lua_tolstring(lua, 1, &text.len);
    if (!datetime_parse_us(text, DATETIME_ZONE_REQUIRED, NULL, &us, &error))
        return values_raise(lua, error);
    if (us % 1000 != 0)
        return luaL_error(lua, "'%s' is finer than a millisecond, and nothing is rounded", lua_tostring(lua, 1));
    values_push_datetime(lua, us / 1000);
    return 1;
}

/* --- null, list{…} ------------------------------------------------------------------------------------------------ */

static int list_make(lua_State *lua)
{
    if (lua_isnoneornil(lua, 1)) {
        lua_settop(lua, 0);
        lua_newtable(lua);
    }
    luaL_checktype(lua, 1, LUA_TTABLE);
    if (lua_getmetatable(lua, 1)) {
        slot_push(lua, SLOT_LIST_META);
        if (!lua_rawequal(lua, -1, -2))
            return luaL_error(lua, "list: the table has a metatable already");
    }
    lua_settop(lua, 1);
    slot_push(lua, SLOT_LIST_META);
    lua_setmetatable(lua, 1);
    return 1;
}

static const luaL_Reg binary_functions[] = {
    {"__index", binary_index}, {"__len", binary_len}, {"__eq", binary_eq}, {"__concat", values_concat}, {NULL, NULL}};
static const luaL_Reg datetime_functions[] = {
    {"__index", datetime_index}, {"__add", datetime_add}, {"__sub", datetime_sub},     {"__eq", datetime_eq},
    {"__lt", datetime_lt},       {"__le", datetime_le},   {"__concat", values_concat}, {NULL, NULL}};
static const luaL_Reg no_functions[] = {{NULL, NULL}};
static const luaL_Reg makers[] = {
    {"binary", binary_make}, {"uuid", uuid_make}, {"datetime", datetime_make}, {"list", list_make}, {NULL, NULL}};

void values_open(lua_State *lua)
{
    values_meta(lua, SLOT_BINARY_META, "binary", binary_functions);
    values_meta(lua, SLOT_DATETIME_META, "datetime", datetime_functions);
    values_meta(lua, SLOT_NULL_META, "null", no_functions);
    values_meta(lua, SLOT_LIST_META, "list", no_functions);
    enum value_kind *null = values_new(lua, sizeof *null, 0, SLOT_NULL_META);
    *null = VALUE_NULL;
    lua_pushvalue(lua, -1);
    slot_set(lua, SLOT_NULL);
    lua_setfield(lua, -2, "null");
    luaL_setfuncs(lua, makers, 0);
}
