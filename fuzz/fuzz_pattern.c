/* The matcher of patterns against Lua's own, which gives the same results, captures and messages on inputs so short
 * that it ends. The first byte is the length of the pattern; the subject follows it. */
#include <glib.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "fuzz.h"
#include "sandbox/pattern.h"

enum { LONGEST_PATTERN = 16, LONGEST_SUBJECT = 24, STEPS = 100000000 };

static void append_slice(GString *into, const uint8_t *at, size_t len)
{
    g_string_append_printf(into, " '");
    g_string_append_len(into, (const char *)at, (gssize)len);
    g_string_append_c(into, '\'');
}

/* "fault: …", "differs", or the offsets and captures. */
static void ours(struct slice subject, struct slice text, GString *into)
{
    struct pattern pattern;
    bool anchored;
    size_t start, end;
    pattern_init(&pattern, subject, text, STEPS, &anchored);
    enum pattern_result result = pattern_search(&pattern, 0, anchored, &start, &end);
    g_assert(result != PATTERN_EXHAUSTED);
    if (result == PATTERN_FAULTY)
        g_string_printf(into, "fault: %s", pattern.fault);
    else if (result == PATTERN_DIFFERS)
        g_string_assign(into, "differs");
    else
        g_string_printf(into, "%zu %zu", start + 1, end);
    for (size_t i = 0; result == PATTERN_MATCHED && i < pattern.n; i++) {
        const struct pattern_capture *capture = &pattern.captures[i];
        if (capture->form == CAPTURE_OPEN) {
            g_string_assign(into, "fault: unfinished capture");
            return;
        }
        if (capture->form == CAPTURE_POSITION)
            g_string_append_printf(into, " %zu", (size_t)(capture->at - subject.data) + 1);
        else
            append_slice(into, capture->at, capture->len);
    }
}

static void theirs(lua_State *lua, struct slice subject, struct slice text, GString *into)
{
    lua_settop(lua, 0);
    lua_getglobal(lua, "string");
    lua_getfield(lua, -1, "find");
    lua_remove(lua, 1);
    lua_pushlstring(lua, (const char *)subject.data, subject.len);
    lua_pushlstring(lua, (const char *)text.data, text.len);
    if (lua_pcall(lua, 2, LUA_MULTRET, 0) != LUA_OK) {
        g_string_printf(into, "fault: %s", lua_tostring(lua, -1));
        return;
    }
    if (lua_isnil(lua, 1)) {
        g_string_assign(into, "differs");
        return;
    }
    for (int i = 1; i <= lua_gettop(lua); i++) {
        size_t len;
        bool is_text = lua_type(lua, i) == LUA_TSTRING;
        const char *value = lua_tolstring(lua, i, &len);
        if (is_text)
            append_slice(into, (const uint8_t *)value, len);
        else
            g_string_append_printf(into, "%s%s", i > 1 ? " " : "", value);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len == 0)
        return 0;
    size_t pattern_len = MIN((size_t)(data[0] % (LONGEST_PATTERN + 1)), len - 1);
    /* copies of their own, so that a read beyond them is seen */
    g_autofree uint8_t *text = g_memdup2(data + 1, pattern_len);
    size_t subject_len = MIN(len - 1 - pattern_len, LONGEST_SUBJECT);
    g_autofree uint8_t *subject = g_memdup2(data + 1 + pattern_len, subject_len);
    struct slice subject_slice = slice_of(subject ? subject : data, subject_len);
    struct slice text_slice = slice_of(text ? text : data, pattern_len);
    if (pattern_is_plain(text_slice)) /* Lua does not match then, it compares: `)` is no fault */
        return 0;
    g_autoptr(GString) mine = g_string_new(NULL);
    g_autoptr(GString) oracle = g_string_new(NULL);
    lua_State *lua = luaL_newstate();
    luaL_openlibs(lua);
    ours(subject_slice, text_slice, mine);
    theirs(lua, subject_slice, text_slice, oracle);
    g_assert(g_string_equal(mine, oracle));
    lua_close(lua);
    return 0;
}
