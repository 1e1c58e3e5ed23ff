#include "run/batch.h"

#include "base/slicesort.h"

void batch_init(struct batch_work *batch, size_t memory_bytes)
{
    *batch = (struct batch_work){.mem = arena_new(memory_bytes)};
    batch->rows = g_array_new(FALSE, TRUE, sizeof(struct row));
    batch->items = g_array_new(FALSE, TRUE, sizeof(struct item));
    batch->order = g_array_new(FALSE, TRUE, sizeof(size_t));
    batch->intents = g_array_new(FALSE, TRUE, sizeof(struct undo_intent));
    batch->ops = g_array_new(FALSE, TRUE, sizeof(struct cas_op));
    batch->images = g_array_new(FALSE, TRUE, sizeof(struct record));
    batch->looked = g_array_new(FALSE, TRUE, sizeof(size_t));
}

void batch_done(struct batch_work *batch)
{
    arena_free(batch->mem);
    GArray *arrays[] = {batch->rows, batch->items,  batch->order, batch->intents,
                        batch->ops,  batch->images, batch->looked};
    for (size_t i = 0; i < G_N_ELEMENTS(arrays); i++)
        g_array_unref(arrays[i]);
}

void batch_reset(struct batch_work *batch)
{
    GArray *arrays[] = {batch->rows, batch->items,  batch->order, batch->intents,
                        batch->ops,  batch->images, batch->looked};
    for (size_t i = 0; i < G_N_ELEMENTS(arrays); i++)
        g_array_set_size(arrays[i], 0);
    arena_reset(batch->mem);
    struct batch_work empty = {.mem = batch->mem,
                               .rows = batch->rows,
                               .items = batch->items,
                               .order = batch->order,
                               .intents = batch->intents,
                               .ops = batch->ops,
                               .images = batch->images,
                               .looked = batch->looked};
    *batch = empty;
}

struct row *batch_row(struct batch_work *batch, size_t i)
{
    return i == ROW_NOBODY ? &batch->nobody : &g_array_index(batch->rows, struct row, i);
}

struct item *batch_item(struct batch_work *batch, size_t i)
{
    return &g_array_index(batch->items, struct item, i);
}

struct item *batch_item_add(struct batch_work *batch, size_t row, struct slice key)
{
    struct item item = {.row = row, .key = key};
    g_array_append_val(batch->items, item);
    batch_row(batch, row)->n_items++;
    return batch_item(batch, batch->items->len - 1);
}

void row_end(struct row *row, enum outcome outcome)
{
    row->ended = true;
    row->outcome = outcome;
}

void row_refuse(struct row *row, enum error_code code, const char *text)
{
    row->fault = (struct fault){.code = code, .text = text};
    row_end(row, OUTCOME_REJECTED);
}

void item_end(struct item *item, enum outcome outcome)
{
    item->state = ITEM_ENDED;
    item->outcome = outcome;
}

void item_note_present(struct item *item)
{
    if (!item->image_known || item->image.presence != RECORD_PRESENT)
        return;
    item->was_present = true;
    item->seen_expires_at_ms = item->image.expires_at_ms;
}

/* Of a row with several items: the outcome that a person would want to know of, first. */
static int outcome_weight(enum outcome outcome)
{
    static const enum outcome BY_WEIGHT[] = {OUTCOME_UNCHANGED, OUTCOME_KEPT_LIVE, OUTCOME_LEFT,       OUTCOME_RESTORED,
                                             OUTCOME_GONE,      OUTCOME_DELETED,   OUTCOME_WRITTEN,    OUTCOME_REJECTED,
                                             OUTCOME_IN_DOUBT,  OUTCOME_PROMOTED,  OUTCOME_PASSED_OVER};
    for (size_t i = 0; i < G_N_ELEMENTS(BY_WEIGHT); i++)
        if (BY_WEIGHT[i] == outcome)
            return (int)i + 1;
    return 0;
}

static void items_into_rows(struct batch_work *batch)
{
    for (size_t i = 0; i < batch->items->len; i++) {
        const struct item *item = batch_item(batch, i);
        struct row *row = batch_row(batch, item->row);
        if (row->ended)
            continue;
        g_assert(item->state == ITEM_ENDED);
        if (!row->has_outcome || outcome_weight(item->outcome) > outcome_weight(row->outcome))
            row->outcome = item->outcome;
        row->has_outcome = true;
    }
}

void batch_tally(struct batch_work *batch)
{
    items_into_rows(batch);
    for (size_t i = 0; i < batch->rows->len; i++) {
        struct row *row = batch_row(batch, i);
        g_assert(row->ended || row->n_items > 0);
        row->ended = true;
        batch->tally.of[row->outcome]++;
    }
}

bool batch_outcomes(struct batch_work *batch, struct slice *ret)
{
    size_t len = (batch->rows->len + 1) / 2;
    uint8_t *nibbles = arena_alloc0(batch->mem, len ? len : 1);
    if (!nibbles)
        return false;
    for (size_t i = 0; i < batch->rows->len; i++)
        nibbles[i / 2] |= (uint8_t)((unsigned)batch_row(batch, i)->outcome << (i % 2 ? 4 : 0));
    *ret = slice_of(nibbles, len);
    return true;
}

void batch_select(struct batch_work *batch, bool (*wanted)(const struct item *), bool unique)
{
    g_autofree struct slice_place *items = g_new(struct slice_place, batch->items->len + 1);
    size_t n = 0;
    for (size_t i = 0; i < batch->items->len; i++)
        if (wanted(batch_item(batch, i)))
            items[n++] = (struct slice_place){.key = batch_item(batch, i)->key, .place = i};
    slicesort(items, n);
    g_array_set_size(batch->order, 0);
    for (size_t i = 0; i < n; i++)
        if (!unique || i == 0 || !slice_equal(items[i].key, items[i - 1].key))
            g_array_append_val(batch->order, items[i].place);
}
