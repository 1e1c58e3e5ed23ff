#include "store/undo/index.h"

#include <stdlib.h>

enum { HEADS_CAP = 16 << 20, HEADS_RESET = 32 << 10, HEADER = 56 };

static void part_free(gpointer data)
{
    struct undo_part_index *part = data;
    g_array_unref(part->places);
    g_free(part);
}

void undo_index_init(struct undo_index *index, const struct world *world, const char *dir)
{
    *index = (struct undo_index){
        .world = world,
        .dir = dir,
        .parts = g_ptr_array_new_with_free_func(part_free),
        .holes = g_array_new(FALSE, FALSE, sizeof(struct undo_block_hole)),
        .proven = g_array_new(FALSE, TRUE, sizeof(uint64_t)),
        .heads = arena_new(HEADS_CAP),
    };
}

void undo_index_done(struct undo_index *index)
{
    undo_listing_done(&index->listing);
    g_ptr_array_unref(index->parts);
    g_array_unref(index->holes);
    g_array_unref(index->proven);
    blockfile_free(index->file);
    arena_free(index->heads);
}

/* --- partitions --------------------------------------------------------------------------------------------------- */

/* Where the partition is, or would be. */
static guint part_place(const struct undo_index *index, uint32_t part, bool *ret_there)
{
    guint low = 0, high = index->parts->len;
    while (low < high) {
        guint middle = low + (high - low) / 2;
        if (((const struct undo_part_index *)index->parts->pdata[middle])->part < part)
            low = middle + 1;
        else
            high = middle;
    }
    *ret_there = low < index->parts->len && ((const struct undo_part_index *)index->parts->pdata[low])->part == part;
    return low;
}

const struct undo_part_index *undo_index_part(const struct undo_index *index, uint32_t part)
{
    bool there;
    guint at = part_place(index, part, &there);
    return there ? index->parts->pdata[at] : NULL;
}

static struct undo_part_index *part_made(struct undo_index *index, uint32_t number)
{
    bool there;
    guint at = part_place(index, number, &there);
    if (!there) {
        struct undo_part_index *part = g_new0(struct undo_part_index, 1);
        part->part = number;
        part->places = g_array_new(FALSE, FALSE, sizeof(struct undo_block_place));
        g_ptr_array_insert(index->parts, (gint)at, part);
    }
    return index->parts->pdata[at];
}

static void add_block(struct undo_index *index, const struct block *block, const struct undo_block_head *head)
{
    struct undo_part_index *part = part_made(index, head->part);
    struct undo_block_place place = {.offset = block->offset, .segment = index->walked, .kind = block->type};
    g_array_append_val(part->places, place);
    part->bytes += block->end - block->offset;
    if (block->type == UNDO_KIND_INTENTS)
        part->intents += head->count;
}

/* --- segments ----------------------------------------------------------------------------------------------------- */

static void prove(struct undo_index *index, uint32_t segment, uint64_t durable)
{
    if (index->proven->len <= segment)
        g_array_set_size(index->proven, segment + 1);
    uint64_t *known = &g_array_index(index->proven, uint64_t, segment);
    *known = MAX(*known, durable);
}

bool undo_index_proven(const struct undo_index *index, uint32_t segment, uint64_t offset)
{
    return segment < index->proven->len && offset < g_array_index(index->proven, uint64_t, segment);
}

bool undo_index_segment(struct undo_index *index, uint32_t segment, struct blockfile **ret, GError **error)
{
    if (index->opened == segment) {
        *ret = index->file;
        return true;
    }
    g_clear_pointer(&index->file, blockfile_free);
    index->opened = 0;
    g_autofree char *path = undo_listing_path(index->dir, segment);
    GError *failed = NULL;
    bool header = false;
    if (!blockfile_salvage(&index->file, index->world, path, &undo_segment_kind, &header, &failed) &&
        !error_is(failed, SLUICE_ERROR_CORRUPT) && !error_is(failed, SLUICE_ERROR_NOT_FOUND)) {
        g_propagate_error(error, failed);
        return false;
    }
    g_clear_error(&failed);
    if (header && !undo_listing_owns(&index->listing, segment, blockfile_tag(index->file)))
        return error_set(error, SLUICE_ERROR_CORRUPT, "%s: not the segment %u of this undo log", path, segment);
    index->opened = segment;
    *ret = index->file;
    return true;
}

/* The last one may be found again when the log is looked at again. */
static void add_hole(struct undo_index *index)
{
    struct undo_block_hole hole = {.offset = index->walked_to, .segment = index->walked};
    const struct undo_block_hole *last =
        index->holes->len ? &g_array_index(index->holes, struct undo_block_hole, index->holes->len - 1) : NULL;
    if (!last || last->segment != hole.segment || last->offset != hole.offset)
        g_array_append_val(index->holes, hole);
}

/* Past bytes that are no block. At the end of the last segment they may be one that is being written just now: nothing
 * is passed over until something stands behind it. */
static bool pass_hole(struct undo_index *index, struct blockfile *file, bool *ret_over, GError **error)
{
    uint64_t found;
    enum block_result result = blockfile_find(file, index->walked_to + 1, index->heads, &found, error);
    if (result == BLOCK_FAILED)
        return false;
    *ret_over = result == BLOCK_END;
    if (result == BLOCK_END && index->walked == index->listing.n)
        return true;
    add_hole(index);
    if (result != BLOCK_END)
        index->walked_to = found;
    return true;
}

static bool walk_block(struct undo_index *index, struct blockfile *file, bool *ret_over, GError **error)
{
    struct block block;
    struct undo_block_head head;
    if (arena_used(index->heads) > HEADS_RESET)
        arena_reset(index->heads);
    enum block_result result = blockfile_read(file, index->walked_to, true, index->heads, &block, error);
    if (result == BLOCK_FAILED)
        return false;
    if (result == BLOCK_DAMAGED)
        return pass_hole(index, file, ret_over, error);
    *ret_over = result == BLOCK_END;
    if (result == BLOCK_END)
        return true;
    if (undo_block_head_read(&block, &head)) {
        prove(index, index->walked, head.durable);
        add_block(index, &block, &head);
    } else {
        add_hole(index);
    }
    index->bytes += block.end - block.offset;
    index->walked_to = block.end;
    return true;
}

static bool walk_segment(struct undo_index *index, GError **error)
{
    struct blockfile *file;
    uint64_t closed = index->listing.bytes[index->walked - 1];
    prove(index, index->walked, closed);
    if (!undo_index_segment(index, index->walked, &file, error))
        return false;
    if (!file) { /* as a whole; what the manifest names had a header */
        prove(index, index->walked, 1);
        index->walked_to = 0;
        add_hole(index);
        return true;
    }
    for (bool over = false; !over;)
        if (!walk_block(index, file, &over, error))
            return false;
    if (index->walked_to < closed && blockfile_end(file) < closed)
        add_hole(index);
    return true;
}

static bool reload_listing(struct undo_index *index, GError **error)
{
    struct undo_listing listing;
    if (!undo_listing_read(&listing, index->world, index->dir, error))
        return false;
    if (index->walked && memcmp(listing.run_uid, index->listing.run_uid, sizeof listing.run_uid) != 0) {
        undo_listing_done(&listing);
        return error_set(error, SLUICE_ERROR_CORRUPT, "%s: another run's undo log took this one's place", index->dir);
    }
    undo_listing_done(&index->listing);
    index->listing = listing;
    return true;
}

bool undo_index_refresh(struct undo_index *index, GError **error)
{
    if (!reload_listing(index, error))
        return false;
    g_clear_pointer(&index->file, blockfile_free); /* it remembers how long it was */
    index->opened = 0;
    if (index->walked && !walk_segment(index, error))
        return false;
    while (index->walked < index->listing.n) {
        index->walked++;
        index->walked_to = HEADER;
        if (!walk_segment(index, error))
            return false;
    }
    return true;
}
