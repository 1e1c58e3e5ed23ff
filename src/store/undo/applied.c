#include "store/undo/applied.h"

/* 64 numbers of one lane. */
struct cell {
    uint64_t place; /* number / 64 */
    uint32_t lane;
    uint64_t told, applied;
};

struct undo_applied {
    GHashTable *cells; /* struct cell → itself */
};

static guint cell_hash(gconstpointer data)
{
    const struct cell *cell = data;
    return (guint)(((cell->place ^ (uint64_t)cell->lane << 40) * UINT64_C(0x9e3779b97f4a7c15)) >> 32);
}

static gboolean cell_equal(gconstpointer left, gconstpointer right)
{
    const struct cell *a = left, *b = right;
    return a->place == b->place && a->lane == b->lane;
}

struct undo_applied *undo_applied_new(void)
{
    struct undo_applied *applied = g_new0(struct undo_applied, 1);
    applied->cells = g_hash_table_new_full(cell_hash, cell_equal, NULL, g_free);
    return applied;
}

void undo_applied_free(struct undo_applied *applied)
{
    if (!applied)
        return;
    g_hash_table_unref(applied->cells);
    g_free(applied);
}

static struct cell *cell_made(struct undo_applied *applied, uint32_t lane, uint64_t number)
{
    struct cell wanted = {.place = number / 64, .lane = lane};
    struct cell *cell = g_hash_table_lookup(applied->cells, &wanted);
    if (!cell) {
        cell = g_memdup2(&wanted, sizeof wanted);
        g_hash_table_add(applied->cells, cell);
    }
    return cell;
}

bool undo_applied_add(struct undo_applied *applied, const struct undo_block_head *head, struct slice payload)
{
    if (payload.len != ((size_t)head->count + 7) / 8)
        return false;
    for (uint32_t i = 0; i < head->count; i++) {
        uint64_t number = head->number + i, bit = UINT64_C(1) << (number % 64);
        struct cell *cell = cell_made(applied, head->lane, number);
        cell->told |= bit;
        if (payload.data[i / 8] >> (i % 8) & 1)
            cell->applied |= bit;
    }
    return true;
}

enum undo_answer undo_applied_ask(const struct undo_applied *applied, uint32_t lane, uint64_t number)
{
    struct cell wanted = {.place = number / 64, .lane = lane};
    const struct cell *cell = g_hash_table_lookup(applied->cells, &wanted);
    uint64_t bit = UINT64_C(1) << (number % 64);
    if (!cell || !(cell->told & bit))
        return UNDO_NOT_TOLD;
    return cell->applied & bit ? UNDO_WAS_APPLIED : UNDO_WAS_NOT;
}

bool undo_applied_any(const struct undo_applied *applied, const struct undo_block_head *head)
{
    GHashTableIter iter;
    gpointer data;
    g_hash_table_iter_init(&iter, applied->cells);
    while (g_hash_table_iter_next(&iter, &data, NULL)) {
        const struct cell *cell = data;
        for (uint64_t i = 0; i < 64 && cell->lane == head->lane; i++) {
            uint64_t number = cell->place * 64 + i;
            if (cell->applied >> i & 1 && number >= head->number && number - head->number < head->count)
                return true;
        }
    }
    return false;
}
