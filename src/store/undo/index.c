#include "store/undo/index.h"

#include "base/lock.h"

enum { HEADS_CAP = 16 << 20, HEADS_RESET = 32 << 10, HEADER = 56 };

#define NO_BLOCK UINT32_MAX

/* A block, and the one behind it of the same partition. */
struct linked {
    struct undo_block_place place;
    uint32_t next; /* NO_BLOCK: it is the last */
};

/* A block whose head does not verify: whose it was is not known. */
struct hole {
    uint64_t offset;
    uint32_t segment;
};

struct undo_index {
    const struct world *world;
    const char *dir;
    pthread_mutex_t lock; /* guards all below */
    struct undo_listing listing;
    GArray *parts;      /* of struct undo_part_index, sorted by part */
    GArray *blocks;     /* of struct linked, in the order of the log */
    GArray *holes;      /* of struct hole */
    GArray *proven;     /* of uint64_t, a segment each: up to where it is known to have been durable */
    uint64_t bytes;     /* read over so far */
    uint32_t walked;    /* the segment whose blocks are being walked; 0: none yet */
    uint64_t walked_to; /* in it */
    struct undo_opened opened;
    struct arena *heads;
};

struct undo_index *undo_index_new(const struct world *world, const char *dir)
{
    struct undo_index *index = g_new0(struct undo_index, 1);
    *index = (struct undo_index){
        .world = world,
        .dir = dir,
        .parts = g_array_new(FALSE, FALSE, sizeof(struct undo_part_index)),
        .blocks = g_array_new(FALSE, FALSE, sizeof(struct linked)),
        .holes = g_array_new(FALSE, FALSE, sizeof(struct hole)),
        .proven = g_array_new(FALSE, TRUE, sizeof(uint64_t)),
        .heads = arena_new(HEADS_CAP),
    };
    pthread_mutex_init(&index->lock, NULL);
    return index;
}

void undo_index_free(struct undo_index *index)
{
    undo_listing_done(&index->listing);
    g_array_unref(index->parts);
    g_array_unref(index->blocks);
    g_array_unref(index->holes);
    g_array_unref(index->proven);
    undo_opened_close(&index->opened);
    arena_free(index->heads);
    pthread_mutex_destroy(&index->lock);
    g_free(index);
}

uint64_t undo_index_whose(struct undo_index *index, uint8_t ret_run_uid[16])
{
    auto_hold(&index->lock);
    memcpy(ret_run_uid, index->listing.run_uid, sizeof index->listing.run_uid);
    return index->bytes;
}

/* --- partitions --------------------------------------------------------------------------------------------------- */

static struct undo_part_index *part_at(const struct undo_index *index, guint i)
{
    return &g_array_index(index->parts, struct undo_part_index, i);
}

/* Where the first partition from this number on is, or would be. */
static guint part_place(const struct undo_index *index, uint32_t part)
{
    guint low = 0, high = index->parts->len;
    while (low < high) {
        guint middle = low + (high - low) / 2;
        if (part_at(index, middle)->part < part)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool undo_index_part_from(struct undo_index *index, uint32_t from, struct undo_part_index *ret)
{
    auto_hold(&index->lock);
    guint at = part_place(index, from);
    if (at == index->parts->len)
        return false;
    *ret = *part_at(index, at);
    return true;
}

static struct linked *linked_at(const struct undo_index *index, uint32_t i)
{
    return &g_array_index(index->blocks, struct linked, i);
}

GArray *undo_index_places(struct undo_index *index, const struct undo_part_index *part)
{
    GArray *places = g_array_new(FALSE, FALSE, sizeof(struct undo_block_place));
    auto_hold(&index->lock);
    for (uint32_t i = part->first; i != NO_BLOCK; i = linked_at(index, i)->next)
        g_array_append_val(places, linked_at(index, i)->place);
    return places;
}

static struct undo_part_index *part_made(struct undo_index *index, uint32_t number)
{
    guint at = part_place(index, number);
    if (at == index->parts->len || part_at(index, at)->part != number) {
        struct undo_part_index part = {.part = number, .first = NO_BLOCK, .last = NO_BLOCK};
        g_array_insert_val(index->parts, at, part);
    }
    return part_at(index, at);
}

static void add_block(struct undo_index *index, const struct block *block, const struct undo_block_head *head)
{
    struct undo_part_index *part = part_made(index, head->part);
    struct linked linked = {.place = {.offset = block->offset, .segment = index->walked, .kind = block->type},
                            .next = NO_BLOCK};
    uint32_t number = index->blocks->len;
    g_array_append_val(index->blocks, linked);
    if (part->first == NO_BLOCK)
        part->first = number;
    else
        linked_at(index, part->last)->next = number;
    part->last = number;
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

static bool is_proven(const struct undo_index *index, uint32_t segment, uint64_t offset)
{
    return segment < index->proven->len && offset < g_array_index(index->proven, uint64_t, segment);
}

bool undo_index_proven(struct undo_index *index, uint32_t segment, uint64_t offset)
{
    auto_hold(&index->lock);
    return is_proven(index, segment, offset);
}

uint64_t undo_index_holes(struct undo_index *index)
{
    uint64_t proven = 0;
    auto_hold(&index->lock);
    for (guint i = 0; i < index->holes->len; i++) {
        const struct hole *hole = &g_array_index(index->holes, struct hole, i);
        proven += is_proven(index, hole->segment, hole->offset);
    }
    return proven;
}

void undo_opened_close(struct undo_opened *opened)
{
    g_clear_pointer(&opened->file, blockfile_free);
    opened->segment = 0;
}

static bool open_segment(const struct undo_index *index, struct undo_opened *io, uint32_t segment, GError **error)
{
    if (io->segment == segment)
        return true;
    undo_opened_close(io);
    g_autofree char *path = undo_listing_path(index->dir, segment);
    GError *failed = NULL;
    bool header = false;
    if (!blockfile_salvage(&io->file, index->world, path, &undo_segment_kind, &header, &failed) &&
        !error_is(failed, SLUICE_ERROR_CORRUPT) && !error_is(failed, SLUICE_ERROR_NOT_FOUND)) {
        g_propagate_error(error, failed);
        return false;
    }
    g_clear_error(&failed);
    if (header && !undo_listing_owns(&index->listing, segment, blockfile_tag(io->file)))
        return error_set(error, SLUICE_ERROR_CORRUPT, "%s: not the segment %u of this undo log", path, segment);
    io->segment = segment;
    return true;
}

bool undo_index_segment(struct undo_index *index, struct undo_opened *io, uint32_t segment, struct blockfile **ret,
                        GError **error)
{
    auto_hold(&index->lock);
    if (!open_segment(index, io, segment, error))
        return false;
    *ret = io->file;
    return true;
}

/* The last one may be found again when the log is looked at again. */
static void add_hole(struct undo_index *index)
{
    struct hole hole = {.offset = index->walked_to, .segment = index->walked};
    const struct hole *last =
        index->holes->len ? &g_array_index(index->holes, struct hole, index->holes->len - 1) : NULL;
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
    uint64_t closed = index->listing.bytes[index->walked - 1];
    prove(index, index->walked, closed);
    if (!open_segment(index, &index->opened, index->walked, error))
        return false;
    struct blockfile *file = index->opened.file;
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
    auto_hold(&index->lock);
    if (!reload_listing(index, error))
        return false;
    undo_opened_close(&index->opened);
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
