#include "undo/settled.h"

/* The entries of one block of intents. */
struct span {
    struct undo_block block;
    size_t first, n; /* in the tail */
};

struct tail {
    struct undo_walk walk;
    uint32_t part;
    GArray *spans;    /* of struct span */
    GArray *outcomes; /* of struct undo_block */
    GArray *entries;  /* of struct undo_left */
    struct undo_settled *settled;
    GArray *nameless;          /* of struct undo_nameless */
    struct arena *block, *mem; /* of the payload being read; of what is given back */
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

/* Whole: of a block of its kind, and what it says makes sense. */
static bool read_payload(struct tail *tail, const struct undo_block *block,
                         bool (*makes_sense)(const struct undo_head *, struct slice), struct slice *ret,
                         bool *ret_whole, GError **error)
{
    arena_reset(tail->block);
    if (!undo_walk_payload(&tail->walk, block, tail->block, ret, ret_whole, error))
        return false;
    if (*ret_whole && !makes_sense(&block->head, *ret)) {
        undo_walk_damaged(&tail->walk, block);
        *ret_whole = false;
    }
    return true;
}

static bool left_of(struct tail *tail, const struct undo_entry *entry, struct undo_left *ret)
{
    *ret = (struct undo_left){.part = entry->part,
                              .lane = entry->lane,
                              .number = entry->number,
                              .sequence = entry->sequence,
                              .verb = entry->verb,
                              .state = entry->state,
                              .written = entry->written,
                              .before_expires_at_ms = EXPIRES_NEVER};
    if (entry->pre_present) {
        ret->before = digest_stored(entry->pre_raw, entry->pre_expires_at_ms);
        ret->before_expires_at_ms = entry->pre_expires_at_ms;
    }
    return arena_copy(tail->mem, entry->key, &ret->key);
}

static bool take_span(struct tail *tail, struct span *span, struct slice bytes, GError **error)
{
    struct undo_payload payload = undo_payload_of(&span->block.head, bytes);
    struct undo_entry entry;
    struct undo_left left;
    span->first = tail->entries->len;
    while (undo_payload_next(&payload, &entry)) {
        if (!left_of(tail, &entry, &left))
            return no_room(tail, error);
        g_array_append_val(tail->entries, left);
    }
    if (undo_payload_whole(&payload)) {
        span->n = tail->entries->len - span->first;
        return true;
    }
    undo_walk_damaged(&tail->walk, &span->block);
    g_array_set_size(tail->entries, (guint)span->first);
    return true;
}

static bool take_spans(struct tail *tail, GError **error)
{
    struct span *spans = (struct span *)(void *)tail->spans->data;
    for (guint i = 0; i < tail->spans->len; i++) {
        struct slice payload;
        bool whole;
        if (!read_payload(tail, &spans[i].block, undo_payload_possible, &payload, &whole, error) ||
            (whole && !take_span(tail, &spans[i], payload, error)))
            return false;
    }
    return true;
}

/* The outcomes of one block, to as many of the span's entries as they tell of. */
static void settle_span(struct tail *tail, const struct span *span, const struct undo_head *head, struct slice applied)
{
    if (span->block.head.lane != head->lane)
        return;
    for (size_t i = 0; i < span->n; i++) {
        struct undo_left *entry = &g_array_index(tail->entries, struct undo_left, span->first + i);
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
    if (!read_payload(tail, block, undo_outcomes_whole, &applied, &whole, error))
        return false;
    if (whole)
        undo_settled_add(tail->settled, &block->head, applied);
    for (guint i = 0; whole && i < tail->spans->len; i++)
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

static void add_nameless(void *self, uint32_t part, uint32_t lane, uint64_t first_number, uint32_t n)
{
    struct tail *tail = self;
    struct undo_nameless nameless = {.lane = lane, .first_number = first_number, .n = n};
    g_array_append_val(tail->nameless, nameless);
}

/* What is applied and was asked for by no entry. */
static void find_nameless(struct tail *tail)
{
    for (guint i = 0; i < tail->entries->len; i++) {
        const struct undo_left *entry = &g_array_index(tail->entries, struct undo_left, i);
        undo_settled_ask(tail->settled, entry->part, entry->lane, entry->number);
    }
    struct undo_settled_left left = {.run = add_nameless, .self = tail};
    undo_settled_left(tail->settled, &left);
}

/* The elements of an array, where `mem` has them. */
static bool keep(struct tail *tail, const GArray *array, void *ret, size_t *ret_n, GError **error)
{
    size_t bytes = (size_t)array->len * g_array_get_element_size((GArray *)array);
    void *kept = arena_alloc(tail->mem, bytes);
    if (!kept)
        return no_room(tail, error);
    if (bytes)
        memcpy(kept, array->data, bytes);
    *(void **)ret = kept;
    *ret_n = array->len;
    return true;
}

static bool read_tail(struct tail *tail, GError **error)
{
    if (!collect(tail, error) || !take_spans(tail, error))
        return false;
    for (guint i = 0; i < tail->outcomes->len; i++)
        if (!take_outcomes(tail, &g_array_index(tail->outcomes, struct undo_block, i), error))
            return false;
    find_nameless(tail);
    return keep(tail, tail->entries, &tail->found.entries, &tail->found.n, error) &&
           keep(tail, tail->nameless, &tail->found.nameless, &tail->found.n_nameless, error) &&
           keep_damage(tail, error);
}

bool undo_tail_read(struct undo_tail *ret, const struct undo_config *config, uint32_t part, struct undo_position from,
                    struct arena *mem, GError **error)
{
    struct tail tail = {.part = part, .mem = mem};
    if (!undo_walk_open(&tail.walk, config, from, error))
        return false;
    tail.spans = g_array_new(FALSE, FALSE, sizeof(struct span));
    tail.outcomes = g_array_new(FALSE, FALSE, sizeof(struct undo_block));
    tail.entries = g_array_new(FALSE, FALSE, sizeof(struct undo_left));
    tail.settled = undo_settled_new();
    tail.nameless = g_array_new(FALSE, FALSE, sizeof(struct undo_nameless));
    tail.block = arena_new(PAYLOAD_CAP);
    bool ok = read_tail(&tail, error);
    if (ok)
        *ret = tail.found;
    g_array_unref(tail.spans);
    g_array_unref(tail.outcomes);
    g_array_unref(tail.entries);
    undo_settled_free(tail.settled);
    g_array_unref(tail.nameless);
    arena_free(tail.block);
    undo_walk_done(&tail.walk);
    return ok;
}
