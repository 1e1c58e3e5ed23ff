/* A batch of things whose size nobody knows before they are read, a portion at a time: as many as fit into memory. */
#pragma once

#include "base/arena.h"
#include "base/error.h"

/* How many go at a time. It lives from one batch to the next, so that each finds out only what has changed. */
struct portions {
    size_t most; /* at a time; 0: as many as are given */
};

struct portions_way {
    /* Reads `n` things from the `first` on into the arena. Nothing counts yet: with fewer it may be called again. */
    bool (*read)(void *self, size_t first, size_t n, GError **error);
    /* Once for each portion that was read, before its memory goes. NULL: nothing is to be done. */
    bool (*take)(void *self, size_t first, size_t n, GError **error);
    void *self;
};

/* Each of `n` things in one portion, in their order. What read() has put into `mem` is gone after the portion's take().
 * false, TOO_BIG: one thing alone does not fit. */
bool portions_each(struct portions *portions, struct arena *mem, size_t n, const struct portions_way *way,
                   GError **error);
