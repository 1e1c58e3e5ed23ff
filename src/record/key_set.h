/* Inside record/: finds a key that stands twice in one object, for objects within objects.
 *
 * Keys are named by their place in a buffer, where they end with a NUL; the buffer may move between two calls. The
 * objects' entries form one stack: while an object takes keys, the objects within it are closed. Up to KEY_SET_LIST
 * keys are a list, more are a hash table. Memory: on the caller's stack for some hundred keys in all, then from the
 * heap, at most 24 bytes for each key. */
#pragma once

#include <glib.h>

#include "base/slice.h"

enum { KEY_SET_LIST = 16, KEY_SET_OWN = 256 };

struct key_set {
    uint64_t *entries; /* upper half of the key's hash, place in the lower half; 0: empty */
    size_t cap, top;
    uint64_t own[KEY_SET_OWN];
};

struct key_frame {
    size_t base, n, slots; /* slots: 0 while a list */
};

enum key_added { KEY_NEW, KEY_TWICE, KEY_NO_MEMORY };

/* `own` stays as it is: clearing it would cost more than a small document does. */
static inline void key_set_init(struct key_set *set)
{
    set->entries = set->own;
    set->cap = KEY_SET_OWN;
    set->top = 0;
}

static inline void key_set_done(struct key_set *set)
{
    if (set->entries != set->own)
        g_free(set->entries);
}

static inline void key_set_open(struct key_set *set, struct key_frame *frame)
{
    *frame = (struct key_frame){.base = set->top};
}

static inline void key_set_close(struct key_set *set, const struct key_frame *frame)
{
    set->top = frame->base;
}

/* The key of `len` bytes at buffer + at; 0 < at < 2^32. */
enum key_added key_set_add(struct key_set *set, struct key_frame *frame, const uint8_t *buffer, size_t at, size_t len);
