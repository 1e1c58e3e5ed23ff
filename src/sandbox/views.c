/* Documents as scripts see them: the bytes as they came, and beside them what was assigned.
 *
 * A view begins as a slice. Reading a small value scans the bytes; the first assignment, the first value within a
 * value, and an object with many fields open it: one entry for each field, in the order of the document. What entries
 * hold for scripts lies in the view's user value, a table: the value of entry i at i + 1, the memory of the entries at
 * ENTRIES, the map of names at NAMES, the text of a name that was assigned at -1 - i. */
#include "sandbox/values.h"

enum {
    ENTRIES = 0,
    NAMES = -1,
    ASSIGNED_NAME = -2, /* of entry 0; counting down */
    SCANNED_MOST = 16,  /* fields looked at before a map of names is made */
    KEPT_STRING = 64,   /* strings longer than that are made once */
    FIRST_ENTRIES = 8
};

void view_push(lua_State *lua, struct slice bytes, bool list)
{
    struct view *view = values_new(lua, sizeof *view, 1, list ? SLOT_ITEMS_META : SLOT_OBJECT_META);
    *view = (struct view){.kind = VALUE_VIEW, .list = list, .bytes = bytes, .generation = sandbox_of(lua)->generation};
}

void view_push_document(lua_State *lua, struct slice bytes)
{
    view_push(lua, bytes, false);
    struct view *view = lua_touserdata(lua, -1);
    view->entries = sandbox_of(lua)->entries;
    view->cap = DOCUMENT_ENTRIES;
}

struct view *view_at(lua_State *lua, int index)
{
    struct view *view = value_kind(lua, index) == VALUE_VIEW ? lua_touserdata(lua, index) : NULL;
    if (view && view->generation != sandbox_of(lua)->generation)
        luaL_error(lua, "this belongs to an earlier record; a transform sees one record at a time and keeps nothing");
    return view;
}

static void damaged(lua_State *lua)
{
    luaL_error(lua, "the document's bytes are damaged");
}

static struct elements elements_in(lua_State *lua, struct slice bytes)
{
    struct elements elements;
    if (!elements_of(bytes, &elements))
        damaged(lua);
    return elements;
}

static bool next_element(lua_State *lua, struct elements *elements, struct element *ret)
{
    enum element_result result = element_next(elements, ret);
    if (result == ELEMENT_DAMAGED || result == ELEMENT_FOREIGN)
        damaged(lua);
    return result == ELEMENT_OK;
}

/* --- opening ------------------------------------------------------------------------------------------------------ */

/* Room for `cap` entries, in memory of Lua's; the user value is at the top of the stack. */
static void reserve(lua_State *lua, struct view *view, size_t cap)
{
    struct view_entry *entries = lua_newuserdatauv(lua, cap * sizeof *entries, 0);
    if (view->n)
        memcpy(entries, view->entries, view->n * sizeof *entries);
    lua_rawseti(lua, -2, ENTRIES);
    view->entries = entries;
    view->cap = cap;
}

static size_t count_elements(lua_State *lua, struct elements elements)
{
    struct element element;
    while (next_element(lua, &elements, &element))
        ;
    return elements.index;
}

/* The user value is at the top of the stack. Where there is no room for the next one it is found for all that follow.
 */
static void read_entries(lua_State *lua, struct view *view)
{
    struct elements elements = elements_in(lua, view->bytes);
    struct element element;
    view->n = 0;
    for (;;) {
        if (view->n == view->cap)
            reserve(lua, view, MAX(count_elements(lua, elements) + 2, FIRST_ENTRIES));
        if (!next_element(lua, &elements, &element))
            break;
        view->entries[view->n++] = (struct view_entry){.name = element.name.data,
                                                       .name_len = element.name.len,
                                                       .value = element.value.data,
                                                       .value_len = element.value.len,
                                                       .type = element.type,
                                                       .state = ENTRY_RAW};
    }
    limits_charge(lua, view->n / 4);
}

struct view *view_open(lua_State *lua, int index)
{
    struct view *view = view_at(lua, index);
    if (view->opened)
        return view;
    index = lua_absindex(lua, index);
    lua_createtable(lua, 0, 2);
    read_entries(lua, view);
    lua_setiuservalue(lua, index, 1);
    view->opened = true;
    return view;
}

/* Names → entries from 1, for objects with many. */
static void map_names(lua_State *lua, int index)
{
    struct view *view = view_open(lua, index);
    lua_getiuservalue(lua, index, 1);
    lua_createtable(lua, 0, (int)MIN(view->n, INT32_MAX / 2));
    for (size_t i = 0; i < view->n; i++) {
        const struct view_entry *entry = &view->entries[i];
        if (entry->state == ENTRY_REMOVED)
            continue;
        lua_pushlstring(lua, (const char *)entry->name, entry->name_len);
        lua_pushinteger(lua, (lua_Integer)i + 1);
        lua_rawset(lua, -3);
    }
    limits_charge(lua, view->n);
    lua_rawseti(lua, -2, NAMES);
    lua_pop(lua, 1);
    view->mapped = true;
}

/* --- finding ------------------------------------------------------------------------------------------------------ */

static struct slice name_at(lua_State *lua, int index)
{
    struct slice name;
    name.data = (const uint8_t *)lua_tolstring(lua, index, &name.len);
    return name;
}

/* The entry of the name at 2 in the view at 1, from 1; 0: none. */
static size_t find_mapped(lua_State *lua)
{
    lua_getiuservalue(lua, 1, 1);
    lua_rawgeti(lua, -1, NAMES);
    lua_pushvalue(lua, 2);
    lua_rawget(lua, -2);
    size_t found = (size_t)lua_tointeger(lua, -1);
    lua_pop(lua, 3);
    return found;
}

static size_t find_entry(lua_State *lua)
{
    struct view *view = view_open(lua, 1);
    if (!view->mapped && view->n > SCANNED_MOST)
        map_names(lua, 1);
    if (view->mapped)
        return find_mapped(lua);
    struct slice name = name_at(lua, 2);
    for (size_t i = 0; i < view->n; i++) {
        const struct view_entry *entry = &view->entries[i];
        if (entry->state != ENTRY_REMOVED && slice_equal(name, slice_of(entry->name, entry->name_len)))
            return i + 1;
    }
    return 0;
}

/* In the bytes of an unopened view: FOUND with the element, or ABSENT; UNKNOWN after SCANNED_MOST fields. */
enum scanned { SCANNED_ABSENT, SCANNED_FOUND, SCANNED_UNKNOWN };

static enum scanned scan_for(lua_State *lua, const struct view *view, struct element *ret)
{
    struct slice name = name_at(lua, 2);
    struct elements elements = elements_in(lua, view->bytes);
    while (next_element(lua, &elements, ret)) {
        if (slice_equal(ret->name, name))
            return SCANNED_FOUND;
        if (elements.index == SCANNED_MOST)
            return SCANNED_UNKNOWN;
    }
    return SCANNED_ABSENT;
}

/* Whether scripts must be given the same value again: what can be changed, and what is long. */
static bool is_kept(uint8_t type, size_t len)
{
    return type == BSON_TYPE_DOCUMENT || type == BSON_TYPE_ARRAY || len > KEPT_STRING;
}

void view_push_entry(lua_State *lua, int index, size_t i)
{
    index = lua_absindex(lua, index);
    struct view_entry *entry = &((struct view *)lua_touserdata(lua, index))->entries[i];
    if (entry->state == ENTRY_REMOVED) {
        lua_pushnil(lua);
        return;
    }
    bool kept = is_kept(entry->type, entry->value_len);
    if (entry->state == ENTRY_RAW) {
        struct element element = {.type = entry->type, .value = slice_of(entry->value, entry->value_len)};
        values_push(lua, &element);
        if (!kept)
            return;
        lua_getiuservalue(lua, index, 1);
        lua_pushvalue(lua, -2);
        lua_rawseti(lua, -2, (lua_Integer)i + 1);
        lua_pop(lua, 1);
        entry->state = ENTRY_READ;
        return;
    }
    lua_getiuservalue(lua, index, 1);
    lua_rawgeti(lua, -1, (lua_Integer)i + 1);
    lua_remove(lua, -2);
}

/* --- changing ----------------------------------------------------------------------------------------------------- */

static void check_writable(lua_State *lua)
{
    if (sandbox_of(lua)->read_only)
        luaL_error(lua, "the document cannot be changed here: an expression only looks at it");
}

/* Keeps the value at 3 as that of entry i. */
static void set_entry(lua_State *lua, struct view *view, size_t i)
{
    lua_getiuservalue(lua, 1, 1);
    lua_pushvalue(lua, 3);
    lua_rawseti(lua, -2, (lua_Integer)i + 1);
    lua_pop(lua, 1);
    view->entries[i].state = lua_isnil(lua, 3) ? ENTRY_REMOVED : ENTRY_SET;
    view->changed = true;
}

/* A new entry at the end; the user value keeps the text of its name. */
static size_t append_entry(lua_State *lua, struct view *view)
{
    lua_getiuservalue(lua, 1, 1);
    if (view->n == view->cap)
        reserve(lua, view, view->cap * 2);
    struct view_entry entry = {.state = ENTRY_SET};
    if (!view->list) {
        struct slice name = name_at(lua, 2);
        entry.name = name.data;
        entry.name_len = name.len;
        lua_pushvalue(lua, 2);
        lua_rawseti(lua, -2, ASSIGNED_NAME - (lua_Integer)view->n);
    }
    lua_pop(lua, 1);
    view->entries[view->n] = entry;
    return view->n++;
}

static void map_one(lua_State *lua, const struct view *view, size_t i)
{
    if (!view->mapped)
        return;
    lua_getiuservalue(lua, 1, 1);
    lua_rawgeti(lua, -1, NAMES);
    lua_pushvalue(lua, 2);
    if (view->entries[i].state == ENTRY_REMOVED)
        lua_pushnil(lua);
    else
        lua_pushinteger(lua, (lua_Integer)i + 1);
    lua_rawset(lua, -3);
    lua_pop(lua, 2);
}

/* --- objects ------------------------------------------------------------------------------------------------------ */

static int check_name(lua_State *lua)
{
    if (lua_type(lua, 2) == LUA_TSTRING)
        return 0;
    if (lua_type(lua, 2) == LUA_TNUMBER)
        return luaL_error(lua, "an object has names, not numbers; only a list has numbers");
    return luaL_error(lua, "an object has names: a string was expected, not a %s", values_type(lua, 2));
}

static int object_index(lua_State *lua)
{
    struct view *view = view_at(lua, 1);
    struct element element;
    check_name(lua);
    if (!view->opened) {
        enum scanned scanned = scan_for(lua, view, &element);
        if (scanned == SCANNED_ABSENT)
            return 0;
        if (scanned == SCANNED_FOUND && !is_kept(element.type, element.value.len)) {
            values_push(lua, &element);
            return 1;
        }
    }
    size_t found = find_entry(lua);
    if (!found)
        return 0;
    view_push_entry(lua, 1, found - 1);
    return 1;
}

static int object_newindex(lua_State *lua)
{
    view_at(lua, 1);
    check_name(lua);
    check_writable(lua);
    encode_check_name(lua, 2);
    encode_check(lua, 3);
    size_t found = find_entry(lua);
    struct view *view = lua_touserdata(lua, 1);
    if (!found && lua_isnil(lua, 3))
        return 0;
    size_t i = found ? found - 1 : append_entry(lua, view);
    set_entry(lua, view, i);
    map_one(lua, view, i);
    return 0;
}

static int object_len(lua_State *lua)
{
    view_at(lua, 1);
    return luaL_error(lua, "an object has no length; only a list has one");
}

/* --- lists -------------------------------------------------------------------------------------------------------- */

/* The number at 2; raises an error for what is none. */
static lua_Integer place_in_list(lua_State *lua)
{
    int is_integer;
    lua_Integer place = lua_tointegerx(lua, 2, &is_integer);
    if (lua_type(lua, 2) != LUA_TNUMBER || !is_integer) {
        if (lua_type(lua, 2) == LUA_TSTRING)
            luaL_error(lua, "a list has numbers from 1, not names: '%s'", lua_tostring(lua, 2));
        luaL_error(lua, "a list has numbers from 1: an integer was expected, not a %s", values_type(lua, 2));
    }
    return place;
}

static int items_index(lua_State *lua)
{
    struct view *view = view_open(lua, 1);
    lua_Integer place = place_in_list(lua);
    if (place < 1 || (uint64_t)place > view->n)
        return 0;
    view_push_entry(lua, 1, (size_t)place - 1);
    return 1;
}

static int remove_last(lua_State *lua, struct view *view, lua_Integer place)
{
    if (place < 1 || (uint64_t)place > view->n)
        return 0; /* it was not there */
    if ((uint64_t)place != view->n)
        return luaL_error(lua, "a list has no holes: table.remove(list, %I) closes the gap, null fills it", place);
    set_entry(lua, view, view->n - 1);
    view->n--;
    return 0;
}

static int items_newindex(lua_State *lua)
{
    struct view *view = view_open(lua, 1);
    lua_Integer place = place_in_list(lua);
    check_writable(lua);
    encode_check(lua, 3);
    if (lua_isnil(lua, 3))
        return remove_last(lua, view, place);
    if (place < 1 || (uint64_t)place > view->n + 1)
        return luaL_error(lua, "a list has no holes: the next place in this one is %I, not %I",
                          (lua_Integer)view->n + 1, place);
    size_t i = (uint64_t)place > view->n ? append_entry(lua, view) : (size_t)place - 1;
    set_entry(lua, view, i);
    return 0;
}

static int items_len(lua_State *lua)
{
    lua_pushinteger(lua, (lua_Integer)view_open(lua, 1)->n);
    return 1;
}

/* --- for the others ----------------------------------------------------------------------------------------------- */

static bool is_changed(lua_State *lua, int index, int depth)
{
    struct view *view = view_at(lua, index);
    if (!view->opened || view->changed)
        return view->changed;
    if (depth == 0)
        return true; /* whoever encodes it will say that it is nested too deep */
    luaL_checkstack(lua, 4, NULL);
    index = lua_absindex(lua, index);
    lua_getiuservalue(lua, index, 1);
    bool changed = false;
    for (size_t i = 0; i < view->n && !changed; i++) {
        if (view->entries[i].state != ENTRY_READ)
            continue;
        lua_rawgeti(lua, -1, (lua_Integer)i + 1);
        changed = value_kind(lua, -1) == VALUE_VIEW && is_changed(lua, -1, depth - 1);
        lua_pop(lua, 1);
    }
    lua_pop(lua, 1);
    return changed;
}

bool view_is_changed(lua_State *lua, int index)
{
    return is_changed(lua, index, DOCUMENT_DEPTH);
}

void view_push_keys(lua_State *lua, int index)
{
    struct view *view = view_open(lua, index);
    lua_createtable(lua, 0, (int)MIN(view->n, INT32_MAX / 2));
    limits_charge(lua, view->n);
    for (size_t i = 0; i < view->n; i++) {
        const struct view_entry *entry = &view->entries[i];
        if (entry->state == ENTRY_REMOVED)
            continue;
        if (view->list)
            lua_pushinteger(lua, (lua_Integer)i + 1);
        else
            lua_pushlstring(lua, (const char *)entry->name, entry->name_len);
        lua_pushboolean(lua, 1);
        lua_rawset(lua, -3);
    }
}

static const luaL_Reg object_functions[] = {
    {"__index", object_index}, {"__newindex", object_newindex}, {"__len", object_len}, {NULL, NULL}};
static const luaL_Reg items_functions[] = {
    {"__index", items_index}, {"__newindex", items_newindex}, {"__len", items_len}, {NULL, NULL}};

void views_open(lua_State *lua)
{
    values_meta(lua, SLOT_OBJECT_META, "object", object_functions);
    values_meta(lua, SLOT_ITEMS_META, "list", items_functions);
}
