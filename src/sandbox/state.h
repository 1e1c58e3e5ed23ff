/* Inside sandbox/: the state behind struct sandbox, its limits, and the places of the registry.
 *
 * Functions called by Lua leave by longjmp when they raise an error: they own no memory but Lua's while they may. */
#pragma once

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "sandbox/sandbox.h"

/* What lies in the registry, by small numbers; luaL_ref() is not used. */
enum slot {
    SLOT_OBJECT_META = LUA_RIDX_LAST + 1, /* a view of an object */
    SLOT_ITEMS_META,                      /* a view of a list */
    SLOT_DECIMAL_META,
    SLOT_DATETIME_META,
    SLOT_BINARY_META,
    SLOT_NULL_META,
    SLOT_CONTEXT_META,
    SLOT_VERDICT_META,
    SLOT_LIST_META,   /* what list{…} gives a plain table */
    SLOT_NULL,        /* the one `null` */
    SLOT_CONTEXT,     /* the one `ctx` */
    SLOT_GLOBALS,     /* what names mean; scripts see an empty table in front of it */
    SLOT_ENVIRONMENT, /* that table: _ENV of every chunk */
    SLOT_COPIES,      /* a script's metatable → our copy of it; weak keys */
    SLOT_TRANSFORM,   /* the function */
    SLOT_EXPRESSIONS, /* compiled expressions, from 1 */
    SLOT_OPERATOR_EQ, /* what `==`, `~=` and `^` are rewritten to */
    SLOT_OPERATOR_NE,
    SLOT_OPERATOR_POW,
    SLOT_COUNT
};

enum limit { LIMIT_NONE, LIMIT_INSTRUCTIONS, LIMIT_MEMORY, LIMIT_PRODUCED, LIMIT_TIME };

#define PLACE_TEXT 512

struct limits {
    struct sandbox_limits cap;
    const struct world *world; /* NULL: time is not watched */
    size_t memory_most;        /* cap and more: a large document is allowed more of everything */
    uint64_t produced_most;
    size_t memory;        /* in use */
    uint64_t allocated;   /* bytes, since the state began */
    uint64_t refused_at;  /* what was allocated when memory was last refused */
    uint64_t produced;    /* in this call */
    int64_t instructions; /* left in this call */
    int64_t checked_us, spent_us;
    enum limit passed;      /* not NONE: the state is dead */
    char place[PLACE_TEXT]; /* "file:line: " of the script when the limit was passed */
};

/* What was encoded in this call; malloc()ed, so that an error of Lua leaves it in place. */
struct bytes {
    uint8_t *data;
    size_t len, cap;
};

struct sandbox {
    lua_State *lua;
    struct limits limits;
    uint64_t generation;                   /* of the call: views of another one are stale */
    bool frozen;                           /* globals can no longer be assigned */
    bool read_only;                        /* views cannot be changed: an expression is evaluated */
    const struct sandbox_context *context; /* of the call */
    unsigned verdicts;                     /* ctx.delete() and ctx.reject() called in this call */
    struct bytes out;
    struct view_entry *entries; /* of the document of the call, if it has few fields */
    GPtrArray *names;           /* of the sources, as the caller gave them */
    int n_expressions;
};

static inline struct sandbox *sandbox_of(lua_State *lua)
{
    return *(struct sandbox **)lua_getextraspace(lua);
}

static inline void slot_push(lua_State *lua, enum slot slot)
{
    lua_rawgeti(lua, LUA_REGISTRYINDEX, (lua_Integer)slot);
}

static inline void slot_set(lua_State *lua, enum slot slot) /* pops the value */
{
    lua_rawseti(lua, LUA_REGISTRYINDEX, (lua_Integer)slot);
}

/* --- limits.c ----------------------------------------------------------------------------------------------------- */

void *limits_allocate(void *self, void *old, size_t old_size, size_t new_size); /* the lua_Alloc; self: the sandbox */
/* A call begins, on a document of so many bytes: all of its allowances are there again. */
void limits_begin(struct sandbox *sandbox, size_t document_bytes);
/* Takes the cost of a C function off the instructions left; ends the state where there are none. */
void limits_charge(lua_State *lua, uint64_t instructions);
void limits_expect(lua_State *lua, uint64_t bytes);  /* a text so long is to be made: ends the state where it may not */
void limits_produce(lua_State *lua, uint64_t bytes); /* bytes were made that are no text of Lua's */
G_NORETURN void limits_end(lua_State *lua, enum limit limit); /* raises what no pcall keeps */
/* After a protected call: raises again where the state has died in it. */
void limits_recheck(lua_State *lua, int status);
/* The words for people, without the place. */
char *limits_words(const struct sandbox *sandbox);
/* Where the script is: "file:line: ", or "". */
void limits_place(lua_State *lua, char *into, size_t len);

/* --- the parts of the environment: each adds what it has to the table at the top of the stack ----------------------
 */

void globals_open(lua_State *lua); /* everything: leaves SLOT_GLOBALS and SLOT_ENVIRONMENT */
void values_open(lua_State *lua);
void decimals_open(lua_State *lua);
void views_open(lua_State *lua);     /* metatables only */
void context_open(lua_State *lua);   /* the same */
void operators_open(lua_State *lua); /* the same */
/* Replaces the table at the top by an empty one through which it can be read, but not changed. */
void globals_protect(lua_State *lua);
/* At `index`: the table behind such an empty one, if it is one. */
void globals_uncover(lua_State *lua, int index);
