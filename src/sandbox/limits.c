/* Three things end a state: the count hook together with what C functions charge, the allocator, and time. The first
 * two are exact, so that a record passes a limit on every machine or on none; time is far beyond them and is there for
 * what a single instruction may take (comparing two strings of megabytes, copying a million arguments). */
#include "sandbox/state.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/units.h"

enum {
    HOOK_INSTRUCTIONS = 1000, /* between two calls of the hook */
    LEAST_GAIN = 16,          /* a part of all memory, between two collections for want of it */
    SHORT_STRING = 65,        /* of Lua's short ones, 40 bytes; they may be there already, which must not decide */
    STEP_COUNTS_US = 1000000  /* at most, of one step between two hooks: a process that was stopped is not slow */
};

static void note(struct limits *limits, struct sandbox *sandbox)
{
    if (sandbox->lua)
        limits_place(sandbox->lua, limits->place, sizeof limits->place);
}

/* Lua tries once more after a full collection, so a refusal for want of memory is not yet the end. It is where the
 * collection before it has gained little: a state that is nearly full would do nothing but collect. */
static void refuse_memory(struct limits *limits)
{
    uint64_t gained = limits->allocated - limits->refused_at;
    if (limits->refused_at && gained < limits->memory_most / LEAST_GAIN)
        limits->passed = LIMIT_MEMORY;
    limits->refused_at = limits->allocated;
}

static bool admit(struct sandbox *sandbox, size_t grows, size_t string)
{
    struct limits *limits = &sandbox->limits;
    if (limits->passed != LIMIT_NONE)
        return false;
    limits->produced += string;
    limits->allocated += grows;
    if (limits->produced > limits->produced_most)
        limits->passed = LIMIT_PRODUCED;
    else if (limits->memory + grows <= limits->memory_most)
        return true;
    else
        refuse_memory(limits);
    note(limits, sandbox);
    return false;
}

void *limits_allocate(void *self, void *old, size_t old_size, size_t new_size)
{
    struct sandbox *sandbox = self;
    size_t string = !old && old_size == LUA_TSTRING && new_size > SHORT_STRING ? new_size : 0;
    if (!old)
        old_size = 0; /* it was the kind of the new object */
    if (new_size == 0) {
        free(old);
        sandbox->limits.memory -= old_size;
        return NULL;
    }
    if (new_size > old_size && !admit(sandbox, new_size - old_size, string))
        return NULL;
    void *new = realloc(old, new_size);
    if (!new &&new_size > old_size)
        return NULL;
    if (!new) /* shrinking does not fail */
        return old;
    sandbox->limits.memory += new_size;
    sandbox->limits.memory -= old_size;
    return new;
}

static int64_t now_us(const struct limits *limits)
{
    return limits->world ? world_monotonic_us(limits->world) : 0;
}

static void check_time(lua_State *lua, struct limits *limits)
{
    int64_t now = now_us(limits), step = now - limits->checked_us;
    limits->checked_us = now;
    limits->spent_us += MIN(step, STEP_COUNTS_US);
    if (limits->spent_us > (int64_t)limits->cap.time_ms * 1000)
        limits_end(lua, LIMIT_TIME);
}

static void hook(lua_State *lua, lua_Debug *event)
{
    struct limits *limits = &sandbox_of(lua)->limits;
    if (limits->passed != LIMIT_NONE)
        limits_end(lua, limits->passed);
    limits_charge(lua, HOOK_INSTRUCTIONS);
    check_time(lua, limits);
}

void limits_begin(struct sandbox *sandbox, size_t document_bytes)
{
    struct limits *limits = &sandbox->limits;
    limits->instructions = (int64_t)(limits->cap.instructions + document_bytes * SANDBOX_INSTRUCTIONS_PER_BYTE);
    limits->memory_most = limits->cap.memory_bytes + document_bytes * SANDBOX_MEMORY_PER_BYTE;
    limits->produced_most = limits->cap.produced_bytes + document_bytes * SANDBOX_PRODUCED_PER_BYTE;
    limits->produced = 0;
    limits->spent_us = 0;
    limits->checked_us = now_us(limits);
    lua_sethook(sandbox->lua, hook, LUA_MASKCOUNT, HOOK_INSTRUCTIONS);
}

void limits_charge(lua_State *lua, uint64_t instructions)
{
    struct limits *limits = &sandbox_of(lua)->limits;
    if (instructions > (uint64_t)INT64_MAX || limits->instructions < (int64_t)instructions)
        limits_end(lua, LIMIT_INSTRUCTIONS);
    limits->instructions -= (int64_t)instructions;
}

void limits_expect(lua_State *lua, uint64_t bytes)
{
    const struct limits *limits = &sandbox_of(lua)->limits;
    if (bytes > limits->produced_most || limits->produced > limits->produced_most - bytes)
        limits_end(lua, LIMIT_PRODUCED);
}

void limits_produce(lua_State *lua, uint64_t bytes)
{
    limits_expect(lua, bytes);
    sandbox_of(lua)->limits.produced += bytes;
}

void limits_place(lua_State *lua, char *into, size_t len)
{
    lua_Debug at;
    for (int level = 0; lua_getstack(lua, level, &at); level++) {
        lua_getinfo(lua, "Sl", &at);
        if (at.currentline > 0) {
            snprintf(into, len, "%s:%d: ", at.short_src, at.currentline);
            return;
        }
    }
    into[0] = '\0';
}

G_NORETURN void limits_end(lua_State *lua, enum limit limit)
{
    struct limits *limits = &sandbox_of(lua)->limits;
    if (limits->passed == LIMIT_NONE) {
        limits->passed = limit;
        if (limit != LIMIT_MEMORY) /* which was noted when it was refused */
            limits_place(lua, limits->place, sizeof limits->place);
    }
    lua_sethook(lua, hook, LUA_MASKCOUNT, 1); /* what still wants to run meets the hook at once */
    lua_pushlightuserdata(lua, limits);       /* a value that needs no memory */
    lua_error(lua);
    abort(); /* lua_error() does not return, but is not declared so */
}

void limits_recheck(lua_State *lua, int status)
{
    struct limits *limits = &sandbox_of(lua)->limits;
    if (limits->passed != LIMIT_NONE || status == LUA_ERRMEM)
        limits_end(lua, LIMIT_MEMORY);
}

char *limits_words(const struct sandbox *sandbox)
{
    const struct limits *limits = &sandbox->limits;
    char amount[UNITS_TEXT];
    switch (limits->passed) {
    case LIMIT_INSTRUCTIONS:
        return g_strdup_printf("more than %s instructions for one record; is there a loop that does not end?",
                               units_count(limits->cap.instructions, amount));
    case LIMIT_PRODUCED:
        return g_strdup_printf("more than %s of text and documents made for one record",
                               units_bytes(limits->cap.produced_bytes, amount));
    case LIMIT_TIME:
        return g_strdup_printf("more than %s spent on one record",
                               units_duration((int64_t)limits->cap.time_ms, amount));
    case LIMIT_MEMORY:
        return g_strdup_printf("more than %s of memory in use; does the script keep records it has seen?",
                               units_bytes(limits->cap.memory_bytes, amount));
    case LIMIT_NONE:
        break;
    }
    return NULL;
}
