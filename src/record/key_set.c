#include "record/key_set.h"

#include <xxhash.h>

#define PLACE UINT64_C(0xffffffff)

/* Enough for the short list, where a false match costs one comparison: length, first and last eight bytes. Of a shorter
 * key they are read together with what lies before it, which is cut off. */
static uint64_t quick_hash(const uint8_t *buffer, size_t at, size_t len)
{
    uint64_t first = 0, last = 0;
    if (at + len >= 8)
        memcpy(&last, buffer + at + len - 8, 8);
    else
        memcpy((uint8_t *)&last + 8 - len, buffer + at, len);
    if (len >= 8)
        memcpy(&first, buffer + at, 8);
    else
        last = len ? GUINT64_FROM_LE(last) >> (64 - 8 * len) : 0;
    return (first ^ (last << 29 | last >> 35) ^ len) * UINT64_C(0x9e3779b97f4a7c15);
}

/* Both end with a NUL, and the older one lies before the newer: never read beyond the buffer. */
static bool is_same(const uint8_t *buffer, uint64_t entry, uint64_t hash, size_t at, size_t len)
{
    return ((entry ^ hash) & ~PLACE) == 0 && memcmp(buffer + (entry & PLACE), buffer + at, len + 1) == 0;
}

static bool reserve(struct key_set *set, size_t top)
{
    if (top <= set->cap)
        return true;
    size_t cap = MAX(top, set->cap * 2);
    bool own = set->entries == set->own;
    uint64_t *entries = g_try_realloc_n(own ? NULL : set->entries, cap, sizeof *entries);
    if (!entries)
        return false;
    if (own)
        memcpy(entries, set->own, set->top * sizeof *entries);
    set->entries = entries;
    set->cap = cap;
    return true;
}

static enum key_added add_to_table(struct key_set *set, struct key_frame *frame, const uint8_t *buffer, size_t at,
                                   size_t len)
{
    uint64_t hash = XXH3_64bits(buffer + at, len), *slots = set->entries + frame->base;
    size_t mask = frame->slots - 1, slot = (size_t)(hash >> 32) & mask;
    for (; slots[slot]; slot = (slot + 1) & mask)
        if (is_same(buffer, slots[slot], hash, at, len))
            return KEY_TWICE;
    slots[slot] = (hash & ~PLACE) | at;
    frame->n++;
    return KEY_NEW;
}

/* Makes the list a table, or the table twice as large. The old entries stand aside behind the new table. */
static bool widen(struct key_set *set, struct key_frame *frame, const uint8_t *buffer)
{
    size_t old = set->top - frame->base, slots = frame->slots ? frame->slots * 2 : (size_t)KEY_SET_LIST * 4;
    if (!reserve(set, frame->base + slots + old))
        return false;
    uint64_t *table = set->entries + frame->base, *aside = table + slots;
    memcpy(aside, table, old * sizeof *table);
    memset(table, 0, slots * sizeof *table);
    *frame = (struct key_frame){.base = frame->base, .slots = slots};
    set->top = frame->base + slots;
    for (size_t i = 0; i < old; i++) {
        size_t at = aside[i] & PLACE;
        if (at)
            add_to_table(set, frame, buffer, at, strlen((const char *)buffer + at));
    }
    return true;
}

static enum key_added add_to_list(struct key_set *set, struct key_frame *frame, const uint8_t *buffer, size_t at,
                                  size_t len)
{
    uint64_t hash = quick_hash(buffer, at, len);
    for (size_t i = frame->base; i < set->top; i++)
        if (is_same(buffer, set->entries[i], hash, at, len))
            return KEY_TWICE;
    if (!reserve(set, set->top + 1))
        return KEY_NO_MEMORY;
    set->entries[set->top++] = (hash & ~PLACE) | at;
    frame->n++;
    return KEY_NEW;
}

enum key_added key_set_add(struct key_set *set, struct key_frame *frame, const uint8_t *buffer, size_t at, size_t len)
{
    bool full = frame->slots ? frame->n >= frame->slots / 4 * 3 : frame->n == KEY_SET_LIST;
    if (full && !widen(set, frame, buffer))
        return KEY_NO_MEMORY;
    return frame->slots ? add_to_table(set, frame, buffer, at, len) : add_to_list(set, frame, buffer, at, len);
}
