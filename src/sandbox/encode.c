/* From what scripts hold to BSON. Fields that were not assigned are copied byte for byte, names included. */
#include <math.h>
#include <stdlib.h>

#include "record/decimal.h"
#include "record/text.h"
#include "sandbox/values.h"

enum { PROBLEM_TEXT = 256 };

/* One level of the way to a value: a name, or a place in a list. */
struct level {
    struct slice name; /* data NULL: `place` */
    size_t place;
};

struct encode {
    lua_State *lua;
    struct bytes *out;
    size_t start; /* of the document in `out` */
    size_t depth;
    struct level way[DOCUMENT_DEPTH];
};

/* --- what cannot be stored ---------------------------------------------------------------------------------------- */

static const char *text_problem(struct slice text, char into[PROBLEM_TEXT])
{
    size_t at;
    if (text_is_utf8(text, &at))
        return NULL;
    g_snprintf(into, PROBLEM_TEXT,
               "the text is not UTF-8 at its byte %zu; bytes that are no text are stored by binary(x)", at + 1);
    return into;
}

static struct slice text_at(lua_State *lua, int index)
{
    struct slice text;
    text.data = (const uint8_t *)lua_tolstring(lua, index, &text.len);
    return text;
}

/* Why the value cannot be in a document, whatever is within it; NULL where it can. */
static const char *problem_of(lua_State *lua, int index, char into[PROBLEM_TEXT])
{
    switch (lua_type(lua, index)) {
    case LUA_TSTRING:
        return text_problem(text_at(lua, index), into);
    case LUA_TNUMBER:
        if (lua_isinteger(lua, index) || isfinite(lua_tonumber(lua, index)))
            return NULL;
        return isnan(lua_tonumber(lua, index)) ? "what is not a number (nan) cannot be stored in a document"
                                               : "infinity cannot be stored in a document";
    case LUA_TUSERDATA:
        if (value_kind(lua, index) != VALUE_CONTEXT && value_kind(lua, index) != VALUE_VERDICT)
            return NULL;
        break;
    case LUA_TNIL:
    case LUA_TBOOLEAN:
    case LUA_TTABLE:
        return NULL;
    default:
        break;
    }
    g_snprintf(into, PROBLEM_TEXT, "a %s cannot be stored in a document", values_type(lua, index));
    return into;
}

void encode_check(lua_State *lua, int index)
{
    char into[PROBLEM_TEXT];
    const char *problem = problem_of(lua, index, into);
    if (problem)
        luaL_error(lua, "%s", problem);
}

static const char *name_problem(struct slice name, char into[PROBLEM_TEXT])
{
    if (name.len && memchr(name.data, 0, name.len))
        return "a name with a NUL in it cannot be stored in a document";
    return text_is_utf8(name, NULL) ? NULL : "a name that is not UTF-8 cannot be stored in a document";
}

void encode_check_name(lua_State *lua, int index)
{
    char into[PROBLEM_TEXT];
    const char *problem = name_problem(text_at(lua, index), into);
    if (problem)
        luaL_error(lua, "%s", problem);
}

static const char *form_problem(lua_State *lua, int index, enum table_form *ret_form, size_t *ret_n)
{
    size_t names = 0, numbers = 0;
    lua_Integer most = 0, least = 1;
    lua_pushnil(lua);
    while (lua_next(lua, index)) {
        lua_pop(lua, 1);
        if (lua_type(lua, -1) == LUA_TSTRING)
            names++;
        else if (lua_isinteger(lua, -1)) {
            numbers++;
            most = MAX(most, lua_tointeger(lua, -1));
            least = MIN(least, lua_tointeger(lua, -1));
        } else {
            lua_pop(lua, 1);
            return "a document has names, and a list integers from 1: this table has other keys";
        }
    }
    limits_charge(lua, names + numbers);
    if (names && numbers)
        return "a table with both names and numbers is neither an object nor a list";
    if (numbers && (least < 1 || (uint64_t)most != numbers))
        return "a list has no holes: its numbers go from 1 without a gap; null fills one";
    *ret_form = names ? TABLE_OBJECT : numbers ? TABLE_LIST : TABLE_EMPTY;
    *ret_n = numbers;
    return NULL;
}

static bool is_marked_list(lua_State *lua, int index)
{
    if (!lua_getmetatable(lua, index))
        return false;
    slot_push(lua, SLOT_LIST_META);
    bool marked = lua_rawequal(lua, -1, -2);
    lua_pop(lua, 2);
    return marked;
}

static const char *marked_form(lua_State *lua, int index, enum table_form *ret_form, size_t *ret_n)
{
    const char *problem = form_problem(lua, index, ret_form, ret_n);
    if (problem || !is_marked_list(lua, index))
        return problem;
    if (*ret_form == TABLE_OBJECT)
        return "a list has numbers from 1, and this one has names";
    *ret_form = TABLE_LIST;
    return NULL;
}

enum table_form encode_form(lua_State *lua, int index, size_t *ret_n)
{
    enum table_form form = TABLE_EMPTY;
    const char *problem = marked_form(lua, lua_absindex(lua, index), &form, ret_n);
    if (problem)
        luaL_error(lua, "%s", problem);
    return form;
}

bool encode_is_list(lua_State *lua, int index)
{
    enum table_form form = TABLE_EMPTY;
    size_t n;
    return !marked_form(lua, lua_absindex(lua, index), &form, &n) && form == TABLE_LIST;
}

/* --- bytes -------------------------------------------------------------------------------------------------------- */

/* Raises an error that names the way to where it is: `items[3].price: …`. */
static void fail(const struct encode *encode, const char *problem)
{
    char way[PROBLEM_TEXT] = "", quote[TEXT_QUOTE];
    size_t at = 0;
    for (size_t i = 0; i < encode->depth && at < sizeof way; i++) {
        const struct level *level = &encode->way[i];
        if (level->name.data)
            at += (size_t)g_snprintf(way + at, sizeof way - at, "%s%s", i ? "." : "", text_quote(level->name, quote));
        else
            at += (size_t)g_snprintf(way + at, sizeof way - at, "[%zu]", level->place);
    }
    luaL_error(encode->lua, "%s%s%s", way, at ? ": " : "", problem);
}

static uint8_t *more(struct encode *encode, size_t len)
{
    struct bytes *out = encode->out;
    size_t wanted = out->len + len;
    if (wanted - encode->start > DOCUMENT_BYTES)
        fail(encode, "the document would have more than 16 MiB");
    if (wanted > out->cap) {
        size_t cap = MAX(wanted, out->cap * 2);
        uint8_t *data = realloc(out->data, cap);
        if (!data)
            fail(encode, "there is no memory for the document");
        out->data = data;
        out->cap = cap;
    }
    out->len = wanted;
    return out->data + wanted - len;
}

static void put(struct encode *encode, const void *bytes, size_t len)
{
    uint8_t *into = more(encode, len);
    if (len)
        memcpy(into, bytes, len);
}

static void put_u64(struct encode *encode, uint64_t value)
{
    value = GUINT64_TO_LE(value);
    put(encode, &value, sizeof value);
}

static void put_u32(struct encode *encode, uint32_t value)
{
    value = GUINT32_TO_LE(value);
    put(encode, &value, sizeof value);
}

static void put_u8(struct encode *encode, uint8_t value)
{
    *more(encode, 1) = value;
}

/* Type and name of an element: those of the innermost level. */
static void put_head(struct encode *encode, uint8_t type)
{
    const struct level *level = &encode->way[encode->depth - 1];
    char number[24];
    put_u8(encode, type);
    if (level->name.data) {
        put(encode, level->name.data, level->name.len);
        put_u8(encode, 0);
    } else {
        int len = g_snprintf(number, sizeof number, "%zu", level->place - 1);
        put(encode, number, (size_t)len + 1);
    }
}

/* A document begins with its length, which is known when it ends. */
static size_t document_begin(struct encode *encode)
{
    size_t at = encode->out->len;
    put_u32(encode, 0);
    return at;
}

static void document_end(struct encode *encode, size_t at)
{
    put_u8(encode, 0);
    uint32_t len = GUINT32_TO_LE((uint32_t)(encode->out->len - at));
    memcpy(encode->out->data + at, &len, sizeof len);
}

/* --- values ------------------------------------------------------------------------------------------------------- */

static void put_decimal(struct encode *encode, const bson_decimal128_t *decimal)
{
    put_head(encode, BSON_TYPE_DECIMAL128);
    put_u64(encode, decimal->low);
    put_u64(encode, decimal->high);
}

/* A float is stored as what its shortest text is in JSON: an integer, else a decimal. Where a double stood, it is one.
 */
static void put_float(struct encode *encode, double value, uint8_t instead_of)
{
    bson_decimal128_t decimal;
    int64_t integer;
    if (instead_of == BSON_TYPE_DOUBLE) {
        uint64_t bits;
        memcpy(&bits, &value, sizeof bits);
        put_head(encode, BSON_TYPE_DOUBLE);
        put_u64(encode, bits);
    } else if (!decimal_from_double(value, &decimal)) {
        fail(encode, "the number is out of the range of a decimal");
    } else if (decimal_to_i64(&decimal, &integer) && (integer != 0 || !signbit(value))) {
        put_head(encode, BSON_TYPE_INT64);
        put_u64(encode, (uint64_t)integer);
    } else {
        put_decimal(encode, &decimal);
    }
}

static void put_text(struct encode *encode, struct slice text)
{
    if (text.len > DOCUMENT_BYTES)
        fail(encode, "the text has more than 16 MiB");
    put_head(encode, BSON_TYPE_UTF8);
    put_u32(encode, (uint32_t)text.len + 1);
    put(encode, text.data, text.len);
    put_u8(encode, 0);
}

static void put_binary(struct encode *encode, const struct binary_value *binary)
{
    put_head(encode, BSON_TYPE_BINARY);
    put_u32(encode, (uint32_t)binary->len);
    put_u8(encode, binary->subtype);
    put(encode, binary->bytes, binary->len);
}

static void put_view(struct encode *encode, int index);
static void put_table(struct encode *encode, int index, bool as_list);

static void put_nested_view(struct encode *encode, int index)
{
    const struct view *view = view_at(encode->lua, index);
    put_head(encode, view->list ? BSON_TYPE_ARRAY : BSON_TYPE_DOCUMENT);
    put_view(encode, index);
}

/* An empty table is an object, unless it takes the place of a list. */
static void put_nested_table(struct encode *encode, int index, uint8_t instead_of)
{
    size_t n;
    enum table_form form = TABLE_EMPTY;
    const char *problem = marked_form(encode->lua, index, &form, &n);
    if (problem)
        fail(encode, problem);
    bool list = form == TABLE_LIST || (form == TABLE_EMPTY && instead_of == BSON_TYPE_ARRAY);
    put_head(encode, list ? BSON_TYPE_ARRAY : BSON_TYPE_DOCUMENT);
    put_table(encode, index, list);
}

static void put_userdata(struct encode *encode, int index)
{
    const void *value = lua_touserdata(encode->lua, index);
    switch (value_kind(encode->lua, index)) {
    case VALUE_VIEW:
        put_nested_view(encode, index);
        break;
    case VALUE_DECIMAL:
        put_decimal(encode, &((const struct decimal_value *)value)->decimal);
        break;
    case VALUE_DATETIME:
        put_head(encode, BSON_TYPE_DATE_TIME);
        put_u64(encode, (uint64_t)((const struct datetime_value *)value)->ms);
        break;
    case VALUE_BINARY:
        put_binary(encode, value);
        break;
    case VALUE_NULL:
        put_head(encode, BSON_TYPE_NULL);
        break;
    case VALUE_NONE:
    case VALUE_CONTEXT:
    case VALUE_VERDICT:
        g_assert_not_reached(); /* problem_of() refuses them */
    }
}

/* The value at the top of the stack, which it pops; instead_of: the type of what stood there in the document, or 0. */
static void put_value(struct encode *encode, uint8_t instead_of)
{
    lua_State *lua = encode->lua;
    char into[PROBLEM_TEXT];
    const char *problem = problem_of(lua, -1, into);
    if (problem)
        fail(encode, problem);
    int index = lua_gettop(lua);
    switch (lua_type(lua, index)) {
    case LUA_TSTRING:
        put_text(encode, text_at(lua, index));
        break;
    case LUA_TBOOLEAN:
        put_head(encode, BSON_TYPE_BOOL);
        put_u8(encode, (uint8_t)lua_toboolean(lua, index));
        break;
    case LUA_TTABLE:
        put_nested_table(encode, index, instead_of);
        break;
    case LUA_TUSERDATA:
        put_userdata(encode, index);
        break;
    default:
        if (lua_isinteger(lua, index)) {
            put_head(encode, BSON_TYPE_INT64);
            put_u64(encode, (uint64_t)lua_tointeger(lua, index));
        } else
            put_float(encode, lua_tonumber(lua, index), instead_of);
        break;
    }
    lua_pop(lua, 1);
}

/* --- objects and lists -------------------------------------------------------------------------------------------- */

static void go_in(struct encode *encode)
{
    if (encode->depth == DOCUMENT_DEPTH)
        fail(encode, "nested deeper than 100 objects and lists; does it contain itself?");
    encode->way[encode->depth++] = (struct level){.place = 0};
    luaL_checkstack(encode->lua, 8, "nested too deep");
}

static struct level *level_of(struct encode *encode)
{
    return &encode->way[encode->depth - 1];
}

/* Whether entry i of the view at `index` is as it came, within too. */
static bool entry_stands(struct encode *encode, int index, size_t i)
{
    lua_State *lua = encode->lua;
    const struct view_entry *entry = &((const struct view *)lua_touserdata(lua, index))->entries[i];
    if (entry->state != ENTRY_READ)
        return entry->state == ENTRY_RAW;
    view_push_entry(lua, index, i);
    bool stands = value_kind(lua, -1) != VALUE_VIEW || !view_is_changed(lua, -1);
    lua_pop(lua, 1);
    return stands;
}

static void put_entry(struct encode *encode, int index, size_t i)
{
    const struct view *view = lua_touserdata(encode->lua, index);
    const struct view_entry *entry = &view->entries[i];
    level_of(encode)->name = view->list ? SLICE_EMPTY : slice_of(entry->name, entry->name_len);
    level_of(encode)->place = i + 1;
    if (entry->state == ENTRY_REMOVED)
        return;
    if (entry_stands(encode, index, i)) {
        put_head(encode, entry->type);
        put(encode, entry->value, entry->value_len);
        return;
    }
    uint8_t type = entry->type;
    view_push_entry(encode->lua, index, i);
    put_value(encode, type);
}

/* Bytes as they came, that were moved to where they lie deeper. */
static void check_depth(struct encode *encode, struct slice bytes, size_t depth)
{
    struct elements elements;
    struct element element;
    if (depth == DOCUMENT_DEPTH)
        fail(encode, "nested deeper than 100 objects and lists");
    if (!elements_of(bytes, &elements))
        return;
    while (element_next(&elements, &element) == ELEMENT_OK)
        if (element.type == BSON_TYPE_DOCUMENT || element.type == BSON_TYPE_ARRAY)
            check_depth(encode, element.value, depth + 1);
    limits_charge(encode->lua, elements.index / 4);
}

static void put_view(struct encode *encode, int index)
{
    if (!view_is_changed(encode->lua, index)) {
        const struct view *view = view_at(encode->lua, index);
        check_depth(encode, view->bytes, encode->depth);
        put(encode, view->bytes.data, view->bytes.len);
        return;
    }
    go_in(encode);
    const struct view *view = view_open(encode->lua, index);
    limits_charge(encode->lua, view->n);
    size_t at = document_begin(encode);
    for (size_t i = 0; i < view->n; i++)
        put_entry(encode, index, i);
    document_end(encode, at);
    encode->depth--;
}

static void put_list(struct encode *encode, int index)
{
    lua_Unsigned n = lua_rawlen(encode->lua, index);
    for (lua_Unsigned i = 1; i <= n; i++) {
        level_of(encode)->place = (size_t)i;
        lua_rawgeti(encode->lua, index, (lua_Integer)i);
        put_value(encode, 0);
    }
}

/* A table has no order of its own: its names go in bytewise order. */
static void put_object(struct encode *encode, int index)
{
    lua_State *lua = encode->lua;
    char into[PROBLEM_TEXT];
    size_t n = keys_push_sorted(lua, index);
    for (size_t i = 1; i <= n; i++) {
        lua_rawgeti(lua, -1, (lua_Integer)i);
        level_of(encode)->name = text_at(lua, -1);
        const char *problem = name_problem(level_of(encode)->name, into);
        if (problem)
            fail(encode, problem);
        lua_rawget(lua, index);
        put_value(encode, 0);
    }
    lua_pop(lua, 1);
}

static void put_table(struct encode *encode, int index, bool as_list)
{
    go_in(encode);
    size_t at = document_begin(encode);
    if (as_list)
        put_list(encode, index);
    else
        put_object(encode, index);
    document_end(encode, at);
    encode->depth--;
}

bool encode_document(lua_State *lua, int index, struct slice *ret_same, size_t *ret_at)
{
    struct sandbox *sandbox = sandbox_of(lua);
    struct encode encode;
    index = lua_absindex(lua, index);
    const struct view *view = view_at(lua, index);
    if (view && !view_is_changed(lua, index)) {
        *ret_same = view->bytes;
        return false;
    }
    encode.lua = lua;
    encode.out = &sandbox->out;
    encode.start = sandbox->out.len;
    encode.depth = 0;
    if (view)
        put_view(&encode, index);
    else
        put_table(&encode, index, false);
    limits_produce(lua, sandbox->out.len - encode.start);
    *ret_at = encode.start;
    return true;
}
