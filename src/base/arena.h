/* A bump allocator with a byte cap: the memory of one batch.
 *
 * Everything taken from an arena lives until the next arena_reset() or arena_free(). One thread at a time.
 * Going over the cap is a data-sized failure: arena_alloc() returns NULL and the caller turns that into an error
 * that names the key (SLUICE_ERROR_TOO_BIG). A failed small allocation of the program itself aborts, as GLib does. */
#pragma once

#include "base/auto.h"
#include "base/slice.h"

struct arena;

/* cap_bytes: what the arena may hold at most between two resets. The first block is allocated on first use. */
struct arena *arena_new(size_t cap_bytes);
void arena_free(struct arena *arena);
AUTO_DEFINE(arena, arena_free)

/* Aligned to 16 bytes, not cleared. NULL when the cap would be passed. */
void *arena_alloc(struct arena *arena, size_t len) must_use;
void *arena_alloc0(struct arena *arena, size_t len) must_use;

/* Grow the newest allocation in place where that is possible, else move it. NULL when the cap would be passed; the
 * old allocation then still stands. */
void *arena_grow(struct arena *arena, void *data, size_t old_len, size_t new_len) must_use;

/* Give back what lies behind the first `new_len` bytes of the newest allocation, all of it with 0; of an older one
 * nothing is given back. For those who must take before they know how much they need. */
void arena_trim(struct arena *arena, void *data, size_t old_len, size_t new_len);

/* A copy of the bytes in the arena. false when the cap would be passed; *ret is then untouched. */
bool arena_copy(struct arena *arena, struct slice bytes, struct slice *ret) must_use;

/* A zero-terminated copy; NULL when the cap would be passed. */
const char *arena_text(struct arena *arena, struct slice bytes) must_use;

/* Everything taken so far becomes invalid; the largest block is kept for the next batch. */
void arena_reset(struct arena *arena);

/* A place to come back to: for those who find out too late that they took too much. */
struct arena_mark {
    const void *top;
    size_t top_used, used;
};
struct arena_mark arena_mark(const struct arena *arena);

/* Everything taken since the mark becomes invalid. No reset since then, and nothing older was grown or trimmed. */
void arena_rewind(struct arena *arena, struct arena_mark mark);

size_t arena_used(const struct arena *arena);

/* Gives to the system what the whole process has freed. The heap keeps it otherwise, in pieces between what lives, and
 * grows by them: with ten times the data by 40 MiB. A few milliseconds; once a second is enough. */
void arena_give_back(void);
