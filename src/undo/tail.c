#include "undo/walk.h"

/* The entries of one block of intents. */
struct span {
    struct undo_block block;
    struct slice payload;
    bool whole;
    size_t first, n; /* in the tail */
};

struct tail {
    struct undo_walk walk;
    uint32_t part;
    GArray *spans;    /* of struct span */
    GArray *outcomes; /* of struct undo_block */
    struct arena *mem;
    struct undo_tail found;
};

static bool no_room(const struct tail *tail, GError **error)
{
    return error_set(error, SLUICE_ERROR_TOO_BIG, "%s: the unsettled entries of partition %u need more memory",
                     tail->walk.config->dir, tail->part);
}

/* By heads alone: what belongs to the partition. */
static bool collect(struct tail *tail, GError **error)
{
    struct undo_block block;
    for (bool over = false; !over;) {
        if (!undo_walk_next(&tail->walk, &block, &over, error))
            return false;
        if (over || block.head.part != tail->part)
            continue;
        struct span span = {.block = block};
        if (block.type == UNDO_INTENTS)
            g_array_append_val(tail->spans, span);
        else
            g_array_append_val(tail->outcomes, block);
    }
    return true;
}

static bool read_span(struct tail *tail, struct span *span, GError **error)
{
    if (!undo_walk_payload(&tail->walk, &span->block, tail->mem, &span->payload, &span->whole, error))
        return false;
    if (span->whole && !undo_payload_possible(&span->block.head, span->payload)) {
        undo_walk_damaged(&tail->walk, &span->block);
        span->whole = false;
    }
    return true;
}

static void take_span(struct tail *tail, struct span *span)
{
    struct undo_payload payload = undo_payload_of(&span->block.head, span->payload);
    struct undo_entry *entries = tail->found.entries + tail->found.n;
    size_t n = 0;
    while (undo_payload_next(&payload, &entries[n]))
        n++;
    if (!undo_payload_whole(&payload)) {
        undo_walk_damaged(&tail->walk, &span->block);
        return;
    }
    span->first = tail->found.n;
    span->n = n;
    tail->found.n += n;
}

static bool take_spans(struct tail *tail, GError **error)
{
    size_t count = 0;
    struct span *spans = (struct span *)(void *)tail->spans->data;
    for (guint i = 0; i < tail->spans->len; i++) {
        if (!read_span(tail, &spans[i], error))
            return false;
        count += spans[i].whole ? spans[i].block.head.count : 0;
    }
    tail->found.entries = arena_alloc(tail->mem, count * sizeof(struct undo_entry)); /* count: of bytes in memory */
    if (!tail->found.entries)
        return no_room(tail, error);
    for (guint i = 0; i < tail->spans->len; i++)
        if (spans[i].whole)
            take_span(tail, &spans[i]);
    return true;
}

/* The outcomes of one block, to as many of the span's entries as they tell of. */
static void settle_span(struct tail *tail, const struct span *span, const struct undo_head *head, struct slice applied)
{
    if (span->block.head.lane != head->lane)
        return;
    for (size_t i = 0; i < span->n; i++) {
        struct undo_entry *entry = &tail->found.entries[span->first + i];
        uint64_t at = entry->number - head->first_number;
        if (entry->number < head->first_number || at >= head->count || entry->state == UNDO_APPLIED)
            continue;
        entry->state = undo_bit(applied, at) ? UNDO_APPLIED : UNDO_NOT_APPLIED;
    }
}

static bool take_outcomes(struct tail *tail, const struct undo_block *block, GError **error)
{
    struct slice applied;
    bool whole;
    if (!undo_walk_payload(&tail->walk, block, tail->mem, &applied, &whole, error))
        return false;
    if (!whole)
        return true;
    if (!undo_outcomes_whole(&block->head, applied)) {
        undo_walk_damaged(&tail->walk, block);
        return true;
    }
    for (guint i = 0; i < tail->spans->len; i++)
        settle_span(tail, &g_array_index(tail->spans, struct span, i), &block->head, applied);
    return true;
}

/* Of blocks of the partition, or whose head does not tell: only those were read. */
static bool keep_damage(struct tail *tail, GError **error)
{
    size_t n;
    const struct undo_damage *all = undo_walk_damage(&tail->walk, &n);
    struct undo_damage *kept = arena_alloc(tail->mem, n * sizeof *kept);
    if (!kept)
        return no_room(tail, error);
    if (n)
        memcpy(kept, all, n * sizeof *kept);
    tail->found.damage = kept;
    tail->found.n_damage = n;
    return true;
}

static bool read_tail(struct tail *tail, GError **error)
{
    if (!collect(tail, error) || !take_spans(tail, error))
        return false;
    for (guint i = 0; i < tail->outcomes->len; i++)
        if (!take_outcomes(tail, &g_array_index(tail->outcomes, struct undo_block, i), error))
            return false;
    return keep_damage(tail, error);
}

bool undo_tail_read(struct undo_tail *ret, const struct undo_config *config, uint32_t part, struct undo_position from,
                    struct arena *mem, GError **error)
{
    struct tail tail = {.part = part, .mem = mem};
    if (!undo_walk_open(&tail.walk, config, from, error))
        return false;
    tail.spans = g_array_new(FALSE, FALSE, sizeof(struct span));
    tail.outcomes = g_array_new(FALSE, FALSE, sizeof(struct undo_block));
    bool ok = read_tail(&tail, error);
    if (ok)
        *ret = tail.found;
    g_array_unref(tail.spans);
    g_array_unref(tail.outcomes);
    undo_walk_done(&tail.walk);
    return ok;
}
