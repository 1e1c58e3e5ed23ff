#include "undo/settled.h"

#include <stdlib.h>

enum { CHUNK = 512, WORD = 64, WORDS = CHUNK / WORD };

/* 512 numbers of one lane. */
struct chunk {
    uint64_t index; /* number / CHUNK */
    uint32_t part, lane;
    uint64_t known[WORDS], applied[WORDS];
};

struct undo_settled {
    GHashTable *chunks; /* struct chunk → itself */
    struct chunk *last; /* asked for: neighbours are asked for together */
};

static guint chunk_hash(gconstpointer key)
{
    const struct chunk *chunk = key;
    uint64_t mixed = (chunk->index * UINT64_C(0x9e3779b97f4a7c15)) ^ ((uint64_t)chunk->part << 32 | chunk->lane);
    mixed *= UINT64_C(0xff51afd7ed558ccd);
    return (guint)(mixed >> 32);
}

static bool same_chunk(const struct chunk *a, const struct chunk *b)
{
    return a->index == b->index && a->part == b->part && a->lane == b->lane;
}

static gboolean chunk_equal(gconstpointer a, gconstpointer b)
{
    return same_chunk(a, b);
}

struct undo_settled *undo_settled_new(void)
{
    struct undo_settled *settled = g_new0(struct undo_settled, 1);
    settled->chunks = g_hash_table_new_full(chunk_hash, chunk_equal, NULL, g_free);
    return settled;
}

void undo_settled_free(struct undo_settled *settled)
{
    if (!settled)
        return;
    g_hash_table_unref(settled->chunks);
    g_free(settled);
}

static struct chunk *chunk_of(struct undo_settled *settled, const struct chunk *wanted, bool make)
{
    if (settled->last && same_chunk(settled->last, wanted))
        return settled->last;
    struct chunk *chunk = g_hash_table_lookup(settled->chunks, wanted);
    if (!chunk && make) {
        chunk = g_memdup2(wanted, sizeof *wanted);
        g_hash_table_add(settled->chunks, chunk);
    }
    settled->last = chunk;
    return chunk;
}

void undo_settled_add(struct undo_settled *settled, const struct undo_head *head, struct slice applied)
{
    for (uint32_t i = 0; i < head->count; i++) {
        uint64_t number = head->first_number + i, bit = UINT64_C(1) << number % WORD;
        struct chunk wanted = {.index = number / CHUNK, .part = head->part, .lane = head->lane};
        struct chunk *chunk = chunk_of(settled, &wanted, true);
        chunk->known[number % CHUNK / WORD] |= bit;
        if (undo_bit(applied, i))
            chunk->applied[number % CHUNK / WORD] |= bit;
    }
}

enum undo_state undo_settled_ask(struct undo_settled *settled, uint32_t part, uint32_t lane, uint64_t number)
{
    struct chunk wanted = {.index = number / CHUNK, .part = part, .lane = lane};
    struct chunk *chunk = chunk_of(settled, &wanted, false);
    uint64_t word = number % CHUNK / WORD, bit = UINT64_C(1) << number % WORD;
    if (!chunk || !(chunk->known[word] & bit))
        return UNDO_UNKNOWN;
    bool applied = chunk->applied[word] & bit;
    chunk->applied[word] &= ~bit;
    return applied ? UNDO_APPLIED : UNDO_NOT_APPLIED;
}

/* Which bits of a chunk's word stand for numbers of the range. */
static uint64_t bits_of(const struct chunk *chunk, unsigned word, const struct undo_settled_range *range)
{
    uint64_t first = chunk->index * CHUNK + word * WORD, last = first + WORD - 1;
    uint64_t from = MAX(first, range->first_number), to = MIN(last, range->first_number + range->n - 1);
    if (range->n == 0 || from > to)
        return 0;
    uint64_t up_to = to - first == WORD - 1 ? UINT64_MAX : (UINT64_C(1) << (to - first + 1)) - 1;
    return up_to & ~((UINT64_C(1) << (from - first)) - 1);
}

/* By the chunks there are, not by the numbers: a count that lies costs nothing. */
struct undo_settled_count undo_settled_ask_range(struct undo_settled *settled, const struct undo_settled_range *range)
{
    struct undo_settled_count count = {.unknown = range->n};
    GHashTableIter iter;
    gpointer data;
    g_hash_table_iter_init(&iter, settled->chunks);
    while (g_hash_table_iter_next(&iter, &data, NULL)) {
        struct chunk *chunk = data;
        for (unsigned word = 0; word < WORDS && chunk->part == range->part && chunk->lane == range->lane; word++) {
            uint64_t bits = bits_of(chunk, word, range);
            count.unknown -= (uint32_t)__builtin_popcountll(chunk->known[word] & bits);
            count.applied += (uint32_t)__builtin_popcountll(chunk->applied[word] & bits);
            chunk->applied[word] &= ~bits;
        }
    }
    return count;
}

static void left_of(const struct chunk *chunk, const struct undo_settled_left *into)
{
    uint32_t run = 0;
    for (uint32_t i = 0; i <= CHUNK; i++) {
        if (i < CHUNK && chunk->applied[i / WORD] >> i % WORD & 1) {
            run++;
            continue;
        }
        if (run)
            into->run(into->self, chunk->part, chunk->lane, chunk->index * CHUNK + i - run, run);
        run = 0;
    }
}

static int by_place(const void *left, const void *right)
{
    const struct chunk *a = *(const struct chunk *const *)left, *b = *(const struct chunk *const *)right;
    if (a->part != b->part)
        return a->part < b->part ? -1 : 1;
    if (a->lane != b->lane)
        return a->lane < b->lane ? -1 : 1;
    return (a->index > b->index) - (a->index < b->index);
}

void undo_settled_left(struct undo_settled *settled, const struct undo_settled_left *into)
{
    guint n;
    g_autofree struct chunk **chunks = (struct chunk **)g_hash_table_get_keys_as_array(settled->chunks, &n);
    qsort(chunks, n, sizeof(struct chunk *), by_place);
    for (guint i = 0; i < n; i++)
        left_of(chunks[i], into);
}
