/* Cleanup attributes for our own types; GLib's own use g_autoptr.
 *
 *     auto_(arena) mem = arena_new(cap);
 *
 * declares `struct arena *mem` and calls `arena_free(mem)` when the scope ends. A type takes part by
 * AUTO_DEFINE(arena, arena_free) after its _free function in its header. Hand over with g_steal_pointer(). */
#pragma once

#define AUTO_DEFINE(thing, free_function)                                                                              \
    static inline void thing##_auto_cleanup(struct thing **pointer)                                                    \
    {                                                                                                                  \
        if (*pointer)                                                                                                  \
            free_function(*pointer);                                                                                   \
    }

#define auto_(thing) __attribute__((cleanup(thing##_auto_cleanup))) struct thing *
#define must_use     __attribute__((warn_unused_result))
