#include "base/arena.h"

#include <glib.h>
#include <malloc.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif

/* Under the address sanitizer what is not handed out is poisoned, so that a use after a reset is seen. */
#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define hide(data, len)   ASAN_POISON_MEMORY_REGION(data, len)
#define reveal(data, len) ASAN_UNPOISON_MEMORY_REGION(data, len)
#else
#define hide(data, len)   ((void)0)
#define reveal(data, len) ((void)0)
#endif

enum { ALIGN = 16, FIRST_BLOCK = 64 * 1024, LARGEST_STEP = 4 * 1024 * 1024 };

struct block_of_memory {
    struct block_of_memory *below;
    size_t size, used;
    _Alignas(ALIGN) uint8_t bytes[];
};

struct arena {
    size_t cap, used;
    struct block_of_memory *top; /* allocation goes on here */
};

struct arena *arena_new(size_t cap_bytes)
{
    struct arena *arena = g_new0(struct arena, 1);
    arena->cap = cap_bytes;
    return arena;
}

static void block_free(struct block_of_memory *block)
{
    reveal(block->bytes, block->size);
    g_free(block);
}

void arena_free(struct arena *arena)
{
    if (!arena)
        return;
    while (arena->top) {
        struct block_of_memory *block = arena->top;
        arena->top = block->below;
        block_free(block);
    }
    g_free(arena);
}

static size_t rounded(size_t len)
{
    return (len + ALIGN - 1) & ~(size_t)(ALIGN - 1);
}

/* Whether `more` bytes fit below the cap, rounding included. */
static bool within_cap(const struct arena *arena, size_t more)
{
    return more <= SIZE_MAX - ALIGN && rounded(more) <= arena->cap - arena->used;
}

static bool push_block(struct arena *arena, size_t need)
{
    size_t size = arena->top ? MIN(arena->top->size * 2, (size_t)LARGEST_STEP) : (size_t)FIRST_BLOCK;
    size = MAX(MIN(size, rounded(arena->cap)), need);
    if (size > SIZE_MAX - sizeof(struct block_of_memory))
        return false;
    struct block_of_memory *block = g_try_malloc(sizeof(struct block_of_memory) + size);
    if (!block)
        return false;
    *block = (struct block_of_memory){.below = arena->top, .size = size};
    hide(block->bytes, size);
    arena->top = block;
    return true;
}

void *arena_alloc(struct arena *arena, size_t len)
{
    if (!within_cap(arena, len))
        return NULL;
    size_t need = rounded(len);
    if ((!arena->top || arena->top->size - arena->top->used < need) && !push_block(arena, need))
        return NULL;
    uint8_t *data = arena->top->bytes + arena->top->used;
    arena->top->used += need;
    arena->used += need;
    reveal(data, len);
    return data;
}

void *arena_alloc0(struct arena *arena, size_t len)
{
    void *data = arena_alloc(arena, len);
    if (data)
        memset(data, 0, len);
    return data;
}

static bool grow_in_place(struct arena *arena, const uint8_t *data, size_t old_len, size_t new_len)
{
    struct block_of_memory *top = arena->top;
    size_t old_need = rounded(old_len), more = rounded(new_len) - old_need;
    if (!top || data < top->bytes || data + old_need != top->bytes + top->used || top->size - top->used < more)
        return false;
    top->used += more;
    arena->used += more;
    reveal(data, new_len);
    return true;
}

void *arena_grow(struct arena *arena, void *data, size_t old_len, size_t new_len)
{
    g_assert(data && new_len >= old_len);
    if (new_len > SIZE_MAX - ALIGN || rounded(new_len) - rounded(old_len) > arena->cap - arena->used)
        return NULL;
    if (grow_in_place(arena, data, old_len, new_len))
        return data;
    void *moved = arena_alloc(arena, new_len);
    if (moved)
        memcpy(moved, data, old_len);
    return moved;
}

void arena_trim(struct arena *arena, void *data, size_t old_len, size_t new_len)
{
    struct block_of_memory *top = arena->top;
    size_t old_need = rounded(old_len), less = old_need - rounded(new_len);
    g_assert(new_len <= old_len);
    if (!top || (uint8_t *)data < top->bytes || (uint8_t *)data + old_need != top->bytes + top->used)
        return;
    top->used -= less;
    arena->used -= less;
    hide((uint8_t *)data + new_len, old_need - new_len);
}

bool arena_copy(struct arena *arena, struct slice bytes, struct slice *ret)
{
    uint8_t *data = arena_alloc(arena, bytes.len);
    if (!data)
        return false;
    if (bytes.len)
        memcpy(data, bytes.data, bytes.len);
    *ret = slice_of(data, bytes.len);
    return true;
}

const char *arena_text(struct arena *arena, struct slice bytes)
{
    if (bytes.len == SIZE_MAX)
        return NULL;
    char *text = arena_alloc(arena, bytes.len + 1);
    if (!text)
        return NULL;
    if (bytes.len)
        memcpy(text, bytes.data, bytes.len);
    text[bytes.len] = '\0';
    return text;
}

void arena_reset(struct arena *arena)
{
    struct block_of_memory *largest = arena->top;
    for (struct block_of_memory *block = arena->top; block; block = block->below)
        if (block->size > largest->size)
            largest = block;
    while (arena->top) {
        struct block_of_memory *block = arena->top;
        arena->top = block->below;
        if (block != largest)
            block_free(block);
    }
    arena->used = 0;
    arena->top = largest;
    if (!largest)
        return;
    largest->below = NULL;
    largest->used = 0;
    hide(largest->bytes, largest->size);
}

struct arena_mark arena_mark(const struct arena *arena)
{
    return (struct arena_mark){.top = arena->top, .top_used = arena->top ? arena->top->used : 0, .used = arena->used};
}

void arena_rewind(struct arena *arena, struct arena_mark mark)
{
    while (arena->top != mark.top) {
        struct block_of_memory *block = arena->top;
        arena->top = block->below;
        block_free(block);
    }
    arena->used = mark.used;
    if (!arena->top)
        return;
    arena->top->used = mark.top_used;
    hide(arena->top->bytes + mark.top_used, arena->top->size - mark.top_used);
}

size_t arena_used(const struct arena *arena)
{
    return arena->used;
}

void arena_give_back(void)
{
    malloc_trim(0);
}
