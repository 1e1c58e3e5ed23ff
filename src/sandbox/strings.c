/* The string library: what Lua's does, with every cost charged, patterns in our own matcher, and no address in any
 * text. */
#include "sandbox/pattern.h"
#include "sandbox/values.h"

enum {
    BYTES_PER_INSTRUCTION = 32, /* copied or compared */
    STEPS_PER_INSTRUCTION = 4   /* of the matcher */
};

static struct slice text_arg(lua_State *lua, int arg)
{
    struct slice text;
    text.data = (const uint8_t *)luaL_checklstring(lua, arg, &text.len);
    return text;
}

static void push_text(lua_State *lua, const uint8_t *data, size_t len)
{
    lua_pushlstring(lua, (const char *)data, len);
}

static void charge_bytes(lua_State *lua, size_t len)
{
    limits_charge(lua, 1 + len / BYTES_PER_INSTRUCTION);
}

/* Lua's positions: from 1, or from the end; what lies outside is moved to the border. */
static size_t first_of(lua_Integer position, size_t len)
{
    if (position > 0)
        return (size_t)position;
    if (position == 0 || position < -(lua_Integer)len)
        return 1;
    return len + (size_t)position + 1;
}

static size_t last_of(lua_Integer position, size_t len)
{
    if (position > (lua_Integer)len)
        return len;
    if (position >= 0)
        return (size_t)position;
    return position < -(lua_Integer)len ? 0 : len + (size_t)position + 1;
}

static int text_sub(lua_State *lua)
{
    struct slice text = text_arg(lua, 1);
    size_t first = first_of(luaL_checkinteger(lua, 2), text.len);
    size_t last = last_of(luaL_optinteger(lua, 3, -1), text.len);
    size_t len = first <= last ? last - first + 1 : 0;
    charge_bytes(lua, len);
    push_text(lua, text.data + (len ? first - 1 : 0), len);
    return 1;
}

static int text_byte(lua_State *lua)
{
    struct slice text = text_arg(lua, 1);
    lua_Integer from = luaL_optinteger(lua, 2, 1);
    size_t first = first_of(from, text.len), last = last_of(luaL_optinteger(lua, 3, from), text.len);
    if (first > last)
        return 0;
    if (last - first >= INT32_MAX - 1)
        return luaL_error(lua, "string slice too long");
    limits_charge(lua, last - first + 1);
    luaL_checkstack(lua, (int)(last - first + 1), "string slice too long");
    for (size_t i = first; i <= last; i++)
        lua_pushinteger(lua, text.data[i - 1]);
    return (int)(last - first + 1);
}

static int text_char(lua_State *lua)
{
    int n = lua_gettop(lua);
    luaL_Buffer buffer;
    limits_charge(lua, (uint64_t)n);
    char *into = luaL_buffinitsize(lua, &buffer, (size_t)n);
    for (int i = 1; i <= n; i++) {
        lua_Integer code = luaL_checkinteger(lua, i);
        luaL_argcheck(lua, code >= 0 && code <= UINT8_MAX, i, "value out of range");
        into[i - 1] = (char)code;
    }
    luaL_pushresultsize(&buffer, (size_t)n);
    return 1;
}

static int text_len(lua_State *lua)
{
    lua_pushinteger(lua, (lua_Integer)text_arg(lua, 1).len);
    return 1;
}

static int change_case(lua_State *lua, gchar (*change)(gchar))
{
    struct slice text = text_arg(lua, 1);
    luaL_Buffer buffer;
    limits_charge(lua, 1 + text.len / STEPS_PER_INSTRUCTION);
    char *into = luaL_buffinitsize(lua, &buffer, text.len);
    for (size_t i = 0; i < text.len; i++)
        into[i] = change((gchar)text.data[i]);
    luaL_pushresultsize(&buffer, text.len);
    return 1;
}

static int text_lower(lua_State *lua)
{
    return change_case(lua, g_ascii_tolower);
}

static int text_upper(lua_State *lua)
{
    return change_case(lua, g_ascii_toupper);
}

static int text_reverse(lua_State *lua)
{
    struct slice text = text_arg(lua, 1);
    luaL_Buffer buffer;
    limits_charge(lua, 1 + text.len / STEPS_PER_INSTRUCTION);
    char *into = luaL_buffinitsize(lua, &buffer, text.len);
    for (size_t i = 0; i < text.len; i++)
        into[i] = (char)text.data[text.len - 1 - i];
    luaL_pushresultsize(&buffer, text.len);
    return 1;
}

/* The first `unit` bytes, again and again until there are `total`. */
static void repeat(char *into, size_t unit, size_t total)
{
    for (size_t done = unit; done < total;) {
        size_t len = MIN(done, total - done);
        memcpy(into + done, into, len);
        done += len;
    }
}

static int text_rep(lua_State *lua)
{
    struct slice text = text_arg(lua, 1), between = {.data = (const uint8_t *)"", .len = 0};
    lua_Integer n = luaL_checkinteger(lua, 2);
    luaL_Buffer buffer;
    size_t total;
    if (!lua_isnoneornil(lua, 3))
        between = text_arg(lua, 3);
    size_t unit = text.len + between.len;
    if (n <= 0 || unit == 0) {
        lua_pushliteral(lua, "");
        return 1;
    }
    if (__builtin_mul_overflow(unit, (size_t)n, &total))
        total = SIZE_MAX;
    limits_expect(lua, total - between.len);
    charge_bytes(lua, total);
    char *into = luaL_buffinitsize(lua, &buffer, total);
    memcpy(into, text.data, text.len);
    memcpy(into + text.len, between.data, between.len);
    repeat(into, unit, total);
    luaL_pushresultsize(&buffer, total - between.len);
    return 1;
}

/* --- patterns ----------------------------------------------------------------------------------------------------- */

struct search {
    struct pattern pattern;
    bool anchored;
    uint64_t owed; /* steps not yet charged: less than an instruction's */
    size_t start, end;
};

/* Charges what the matcher did; true where it has found something. */
static bool settle(lua_State *lua, struct search *search, uint64_t steps, enum pattern_result result)
{
    if (result == PATTERN_EXHAUSTED)
        limits_end(lua, LIMIT_INSTRUCTIONS);
    search->owed += steps - search->pattern.steps;
    limits_charge(lua, search->owed / STEPS_PER_INSTRUCTION);
    search->owed %= STEPS_PER_INSTRUCTION;
    if (result == PATTERN_FAULTY)
        luaL_error(lua, "%s", search->pattern.fault);
    return result == PATTERN_MATCHED;
}

static uint64_t grant_steps(lua_State *lua, struct search *search)
{
    uint64_t left = (uint64_t)sandbox_of(lua)->limits.instructions;
    search->pattern.steps = left > UINT64_MAX / STEPS_PER_INSTRUCTION ? UINT64_MAX : left * STEPS_PER_INSTRUCTION;
    return search->pattern.steps;
}

/* A match that begins at that offset. */
static bool matches_at(lua_State *lua, struct search *search, size_t from)
{
    uint64_t steps = grant_steps(lua, search);
    search->start = from;
    return settle(lua, search, steps, pattern_at(&search->pattern, from, &search->end));
}

static bool matches_from(lua_State *lua, struct search *search, size_t from)
{
    uint64_t steps = grant_steps(lua, search);
    return settle(lua, search, steps,
                  pattern_search(&search->pattern, from, search->anchored, &search->start, &search->end));
}

static void push_capture(lua_State *lua, const struct search *search, size_t i)
{
    const struct pattern_capture *capture = &search->pattern.captures[i];
    const uint8_t *subject = search->pattern.subject.data;
    if (i == 0 && search->pattern.n == 0)
        push_text(lua, subject + search->start, search->end - search->start);
    else if (i >= search->pattern.n)
        luaL_error(lua, "invalid capture index %%%d", (int)i + 1);
    else if (capture->form == CAPTURE_OPEN)
        luaL_error(lua, "unfinished capture");
    else if (capture->form == CAPTURE_POSITION)
        lua_pushinteger(lua, capture->at - subject + 1);
    else
        push_text(lua, capture->at, capture->len);
}

static int push_captures(lua_State *lua, const struct search *search, bool whole_if_none)
{
    size_t n = search->pattern.n == 0 && whole_if_none ? 1 : search->pattern.n;
    luaL_checkstack(lua, (int)n, "too many captures");
    for (size_t i = 0; i < n; i++)
        push_capture(lua, search, i);
    return (int)n;
}

static int find_plain(lua_State *lua, struct slice subject, struct slice text, size_t from)
{
    charge_bytes(lua, subject.len - from);
    const uint8_t *at = memmem(subject.data + from, subject.len - from, text.data, text.len);
    if (!at) {
        lua_pushnil(lua);
        return 1;
    }
    lua_pushinteger(lua, at - subject.data + 1);
    lua_pushinteger(lua, at - subject.data + (lua_Integer)text.len);
    return 2;
}

static int search_for(lua_State *lua, bool find)
{
    struct slice subject = text_arg(lua, 1), text = text_arg(lua, 2);
    size_t from = first_of(luaL_optinteger(lua, 3, 1), subject.len) - 1;
    struct search search = {.owed = 0};
    if (from > subject.len) {
        lua_pushnil(lua);
        return 1;
    }
    if (find && (lua_toboolean(lua, 4) || pattern_is_plain(text)))
        return find_plain(lua, subject, text, from);
    pattern_init(&search.pattern, subject, text, 0, &search.anchored);
    if (!matches_from(lua, &search, from)) {
        lua_pushnil(lua);
        return 1;
    }
    if (find) {
        lua_pushinteger(lua, (lua_Integer)search.start + 1);
        lua_pushinteger(lua, (lua_Integer)search.end);
    }
    return push_captures(lua, &search, !find) + (find ? 2 : 0);
}

static int text_find(lua_State *lua)
{
    return search_for(lua, true);
}

static int text_match(lua_State *lua)
{
    return search_for(lua, false);
}

/* Upvalues: subject, pattern, where to go on, where the last match ended (-1: nowhere yet). */
static int gmatch_next(lua_State *lua)
{
    struct slice subject = text_arg(lua, lua_upvalueindex(1));
    lua_Integer last_end = lua_tointeger(lua, lua_upvalueindex(4));
    struct search search = {.owed = 0};
    pattern_init(&search.pattern, subject, text_arg(lua, lua_upvalueindex(2)), 0, NULL);
    for (size_t at = (size_t)lua_tointeger(lua, lua_upvalueindex(3)); at <= subject.len; at++) {
        if (!matches_at(lua, &search, at) || (lua_Integer)search.end == last_end)
            continue;
        lua_pushinteger(lua, (lua_Integer)search.end);
        lua_copy(lua, -1, lua_upvalueindex(3));
        lua_replace(lua, lua_upvalueindex(4));
        return push_captures(lua, &search, true);
    }
    return 0;
}

static int text_gmatch(lua_State *lua)
{
    struct slice subject = text_arg(lua, 1);
    text_arg(lua, 2);
    size_t from = first_of(luaL_optinteger(lua, 3, 1), subject.len) - 1;
    lua_settop(lua, 2);
    lua_pushinteger(lua, (lua_Integer)MIN(from, subject.len + 1));
    lua_pushinteger(lua, -1);
    lua_pushcclosure(lua, gmatch_next, 4);
    return 1;
}

/* --- gsub --------------------------------------------------------------------------------------------------------- */

/* `%0` to `%9` and `%%` in the text at 3. */
static void add_replacement(lua_State *lua, const struct search *search, luaL_Buffer *buffer)
{
    struct slice text;
    text.data = (const uint8_t *)lua_tolstring(lua, 3, &text.len);
    charge_bytes(lua, text.len);
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.data[i];
        if (byte != '%') {
            luaL_addchar(buffer, (char)byte);
            continue;
        }
        byte = ++i < text.len ? text.data[i] : 0;
        if (byte == '%')
            luaL_addchar(buffer, '%');
        else if (byte == '0')
            luaL_addlstring(buffer, (const char *)search->pattern.subject.data + search->start,
                            search->end - search->start);
        else if (g_ascii_isdigit(byte)) {
            push_capture(lua, search, (size_t)(byte - '1'));
            luaL_tolstring(lua, -1, NULL); /* text, or the number of a position */
            lua_remove(lua, -2);
            luaL_addvalue(buffer);
        } else
            luaL_error(lua, "invalid use of '%%' in replacement string");
    }
}

/* What the function or table at 3 gives for the match; false: nothing, and the text stays. */
static bool add_answer(lua_State *lua, const struct search *search, luaL_Buffer *buffer)
{
    if (lua_type(lua, 3) == LUA_TFUNCTION) {
        lua_pushvalue(lua, 3);
        lua_call(lua, push_captures(lua, search, true), 1);
    } else {
        push_capture(lua, search, 0);
        lua_gettable(lua, 3);
    }
    bool given = lua_toboolean(lua, -1);
    if (!given) {
        lua_pop(lua, 1);
        push_text(lua, search->pattern.subject.data + search->start, search->end - search->start);
    } else if (!lua_isstring(lua, -1))
        luaL_error(lua, "invalid replacement value (a %s)", values_type(lua, -1));
    luaL_addvalue(buffer);
    return given;
}

static bool add_match(lua_State *lua, const struct search *search, luaL_Buffer *buffer)
{
    if (lua_type(lua, 3) != LUA_TSTRING && lua_type(lua, 3) != LUA_TNUMBER)
        return add_answer(lua, search, buffer);
    add_replacement(lua, search, buffer);
    return true;
}

/* Fills the buffer; returns the number of matches, and whether anything was replaced. */
static lua_Integer substitute(lua_State *lua, struct search *search, lua_Integer most, luaL_Buffer *buffer,
                              bool *ret_changed)
{
    struct slice subject = search->pattern.subject;
    size_t at = 0, last_end = SIZE_MAX;
    lua_Integer n = 0;
    while (n < most) {
        if (matches_at(lua, search, at) && search->end != last_end) {
            n++;
            *ret_changed |= add_match(lua, search, buffer);
            at = last_end = search->end;
        } else if (at < subject.len)
            luaL_addchar(buffer, (char)subject.data[at++]);
        else
            break;
        if (search->anchored)
            break;
    }
    luaL_addlstring(buffer, (const char *)subject.data + at, subject.len - at);
    return n;
}

static int text_gsub(lua_State *lua)
{
    struct slice subject = text_arg(lua, 1), text = text_arg(lua, 2);
    struct search search = {.owed = 0};
    luaL_Buffer buffer;
    bool changed = false;
    int type = lua_type(lua, 3);
    if (type != LUA_TNUMBER && type != LUA_TSTRING && type != LUA_TTABLE && type != LUA_TFUNCTION)
        return luaL_typeerror(lua, 3, "string/function/table");
    lua_Integer most = luaL_optinteger(lua, 4, (lua_Integer)subject.len + 1);
    if (type == LUA_TNUMBER)
        lua_tolstring(lua, 3, NULL); /* once, in place */
    pattern_init(&search.pattern, subject, text, 0, &search.anchored);
    charge_bytes(lua, subject.len);
    luaL_buffinit(lua, &buffer);
    lua_Integer n = substitute(lua, &search, most, &buffer, &changed);
    luaL_pushresult(&buffer);
    if (!changed) {
        lua_pop(lua, 1);
        lua_pushvalue(lua, 1);
    }
    lua_pushinteger(lua, n);
    return 2;
}

const luaL_Reg strings_functions[] = {
    {"byte", text_byte}, {"char", text_char},       {"find", text_find},   {"gmatch", text_gmatch},
    {"gsub", text_gsub}, {"len", text_len},         {"lower", text_lower}, {"match", text_match},
    {"rep", text_rep},   {"reverse", text_reverse}, {"sub", text_sub},     {"upper", text_upper},
    {NULL, NULL}};

/* --- utf8: Lua's own functions (each the upvalue of its wrapper), charged ------------------------------------------
 */

static int forward(lua_State *lua, uint64_t instructions)
{
    limits_charge(lua, instructions);
    lua_pushvalue(lua, lua_upvalueindex(1));
    lua_insert(lua, 1);
    lua_call(lua, lua_gettop(lua) - 1, LUA_MULTRET);
    return lua_gettop(lua);
}

/* What lies between the positions at 2 and 3. */
static size_t span(lua_State *lua, size_t len, lua_Integer default_last)
{
    size_t first = first_of(luaL_optinteger(lua, 2, 1), len),
           last = last_of(luaL_optinteger(lua, 3, default_last), len);
    return first <= last ? last - first + 1 : 0;
}

static int utf8_len(lua_State *lua)
{
    return forward(lua, span(lua, text_arg(lua, 1).len, -1) / STEPS_PER_INSTRUCTION);
}

static int utf8_codepoint(lua_State *lua)
{
    return forward(lua, span(lua, text_arg(lua, 1).len, luaL_optinteger(lua, 2, 1)));
}

static int utf8_offset(lua_State *lua)
{
    lua_Integer n = luaL_checkinteger(lua, 2);
    uint64_t distance = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
    return forward(lua, MIN(distance, text_arg(lua, 1).len));
}

const luaL_Reg strings_utf8_functions[] = {
    {"codepoint", utf8_codepoint}, {"len", utf8_len}, {"offset", utf8_offset}, {NULL, NULL}};
