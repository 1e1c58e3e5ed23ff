/* Inside sandbox/: what scripts hold beside Lua's own values. Each is a full userdata that begins with its kind:
 * scripts cannot make any other, so the first byte tells. */
#pragma once

#include "record/element.h"
#include "sandbox/state.h"

enum value_kind {
    VALUE_NONE, /* not one of ours */
    VALUE_VIEW,
    VALUE_DECIMAL,
    VALUE_DATETIME,
    VALUE_BINARY,
    VALUE_NULL,
    VALUE_CONTEXT,
    VALUE_VERDICT,
};

struct decimal_value {
    enum value_kind kind;
    bson_decimal128_t decimal;
};

struct datetime_value {
    enum value_kind kind;
    int64_t ms;
};

struct binary_value {
    enum value_kind kind;
    uint8_t subtype;
    size_t len;
    uint8_t bytes[];
};

struct verdict_value { /* its user value is the reason of a refusal */
    enum value_kind kind;
    bool deletes;
};

static inline enum value_kind value_kind(lua_State *lua, int index)
{
    return lua_type(lua, index) == LUA_TUSERDATA ? *(const enum value_kind *)lua_touserdata(lua, index) : VALUE_NONE;
}

/* What type() says, and messages. */
const char *values_type(lua_State *lua, int index);
/* Pushes the text of the value as tostring() gives it; no address is in it. May call __tostring. */
void values_text(lua_State *lua, int index);

/* A new userdata of `size` bytes with the metatable in `meta`, at the top of the stack. */
void *values_new(lua_State *lua, size_t size, int user_values, enum slot meta);
/* Fills the metatable of a slot: `name` is what error messages of Lua call such a value. */
void values_meta(lua_State *lua, enum slot slot, const char *name, const luaL_Reg *functions);

/* Pushes what an element of a document is for scripts. */
void values_push(lua_State *lua, const struct element *element);
void values_push_decimal(lua_State *lua, const bson_decimal128_t *decimal);
void values_push_datetime(lua_State *lua, int64_t ms);

/* Raises the message of the error, and frees it. */
int values_raise(lua_State *lua, GError *error);
/* `..` of two values, one of them ours. */
int values_concat(lua_State *lua);

/* --- decimals.c --------------------------------------------------------------------------------------------------- */

/* The number at `index` as a decimal: an integer, a decimal, or a float by its shortest text. Raises an error for
 * anything else, NaN and infinities too. */
bson_decimal128_t decimals_at(lua_State *lua, int index);
/* Whether a number and a decimal, in any order, are equal; false where it has no answer. */
bool decimals_equal(lua_State *lua, int a, int b);

/* --- views.c: documents as scripts see them ----------------------------------------------------------------------- */

enum entry_state {
    ENTRY_RAW,     /* as it came */
    ENTRY_READ,    /* as it came, and its value for scripts is kept */
    ENTRY_SET,     /* assigned */
    ENTRY_REMOVED, /* assigned nil */
};

struct view_entry {
    const uint8_t *name;  /* NULL in lists */
    const uint8_t *value; /* NULL: not in the document as it came */
    size_t name_len, value_len;
    uint8_t type; /* BSON's, of what came */
    uint8_t state;
};

struct view {
    enum value_kind kind;
    bool list, opened, changed, mapped;
    uint64_t generation;
    struct slice bytes;
    size_t n, cap; /* of the entries */
    struct view_entry *entries;
};

/* Pushes a new view of the bytes, which must last for the call. */
void view_push(lua_State *lua, struct slice bytes, bool list);
/* The same of the call's document, of which there is one: as long as it has few fields its entries take no memory of
 * Lua's, but that of the sandbox. */
enum { DOCUMENT_ENTRIES = 16 };
void view_push_document(lua_State *lua, struct slice bytes);
/* The view at `index`, or NULL where it is none. Raises an error for one of an earlier call. */
struct view *view_at(lua_State *lua, int index);
/* Whether anything within differs from the bytes. */
bool view_is_changed(lua_State *lua, int index);
/* Reads all entries into place: for whoever goes over them. */
struct view *view_open(lua_State *lua, int index);
/* Pushes the value of entry `i` of an opened view; nil for a removed one. */
void view_push_entry(lua_State *lua, int index, size_t i);
/* Pushes a table that has the keys of the view, its names or numbers, each with true. */
void view_push_keys(lua_State *lua, int index);

/* --- keys.c: the order in which tables are walked ------------------------------------------------------------------
 */

/* Pushes a list of the keys of the table at `index`, numbers by value, then strings bytewise, then false and true;
 * returns their number. Raises an error for keys of other types, which have no order. */
size_t keys_push_sorted(lua_State *lua, int index);
int keys_pairs(lua_State *lua); /* pairs and next for scripts */
int keys_next(lua_State *lua);

/* --- encode.c ------------------------------------------------------------------------------------------------------
 */

/* What a table of a script is: a list has the integers 1..n, or list{…} has marked it; an object has names. */
enum table_form { TABLE_EMPTY, TABLE_LIST, TABLE_OBJECT };
/* Raises an error for a table that is neither. *ret_n: how long the list is. */
enum table_form encode_form(lua_State *lua, int index, size_t *ret_n);
bool encode_is_list(lua_State *lua, int index); /* raises none */
/* Appends the document at `index` (a view of an object, or a table) to sandbox->out, and *ret_at is its offset there;
 * false: it is as it came, and *ret_same the very bytes. */
bool encode_document(lua_State *lua, int index, struct slice *ret_same, size_t *ret_at);
/* Raises an error where a value can never be stored, so that the message has the line of the assignment. */
void encode_check(lua_State *lua, int index);
void encode_check_name(lua_State *lua, int index);

/* --- the libraries: own functions, added to what is taken from Lua's ------------------------------------------------
 */

extern const luaL_Reg strings_functions[], strings_utf8_functions[], tables_functions[], numbers_functions[];
int format_text(lua_State *lua); /* string.format; its upvalue is Lua's own */
