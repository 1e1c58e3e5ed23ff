#include "undo/walk.h"

enum { HEADS_CAP = 16 << 20, HEADS_RESET = 1 << 20 };

static bool behind_the_end(const struct undo_config *config, struct undo_manifest *manifest, uint32_t segment,
                           GError **error)
{
    error_set(error, SLUICE_ERROR_CORRUPT,
              "%s: the undo log ends with segment %u, but the catalog names segment %u: parts of two copies of the "
              "home; put back the parts that belong together",
              config->dir, undo_manifest_last(manifest), segment);
    undo_manifest_done(manifest);
    return false;
}

bool undo_walk_open(struct undo_walk *walk, const struct undo_config *config, struct undo_position from, GError **error)
{
    struct undo_manifest manifest;
    if (!undo_manifest_read(&manifest, config, error))
        return false;
    if (from.segment > undo_manifest_last(&manifest))
        return behind_the_end(config, &manifest, from.segment, error);
    *walk = (struct undo_walk){
        .config = config,
        .manifest = manifest,
        .number = from.segment ? from.segment - 1 : 0,
        .offset = from.segment ? MAX(from.offset, UNDO_SEGMENT_BARE) : UNDO_SEGMENT_BARE,
        .heads = arena_new(HEADS_CAP),
        .durable = g_array_new(FALSE, TRUE, sizeof(uint64_t)),
        .damage = g_array_new(FALSE, FALSE, sizeof(struct undo_damage)),
    };
    g_array_set_size(walk->durable, manifest.segments->len + 1);
    return true;
}

void undo_walk_done(struct undo_walk *walk)
{
    blockfile_free(walk->file);
    blockfile_free(walk->asked);
    undo_manifest_done(&walk->manifest);
    arena_free(walk->heads);
    g_array_unref(walk->durable);
    g_array_unref(walk->damage);
}

static void prove(struct undo_walk *walk, uint32_t segment, uint64_t durable)
{
    uint64_t *known = &g_array_index(walk->durable, uint64_t, segment);
    *known = MAX(*known, durable);
}

static void add_unreadable(struct undo_walk *walk, bool cut_off)
{
    struct undo_damage damage = {.at = {walk->number, walk->offset}, .part = UINT32_MAX, .cut_off = cut_off};
    g_array_append_val(walk->damage, damage);
}

void undo_walk_damaged(struct undo_walk *walk, const struct undo_block *block)
{
    struct undo_damage damage = {.at = block->at,
                                 .part = block->head.part,
                                 .lane = block->head.lane,
                                 .first_number = block->head.first_number,
                                 .keys = block->head.count};
    g_array_append_val(walk->damage, damage);
}

const struct undo_damage *undo_walk_damage(struct undo_walk *walk, size_t *ret_n)
{
    for (guint i = 0; i < walk->damage->len; i++) {
        struct undo_damage *damage = &g_array_index(walk->damage, struct undo_damage, i);
        damage->proven = damage->at.offset < g_array_index(walk->durable, uint64_t, damage->at.segment);
    }
    *ret_n = walk->damage->len;
    return (const struct undo_damage *)(void *)walk->damage->data;
}

/* A segment that cannot be opened as one is damage as a whole: a manifest names only what was durable. */
static bool segment_begin(struct undo_walk *walk, GError **error)
{
    walk->number++;
    prove(walk, walk->number, g_array_index(walk->manifest.segments, struct undo_segment, walk->number - 1).bytes);
    if (!undo_segment_open(&walk->file, walk->config, walk->number, error))
        return false;
    if (walk->file)
        return true;
    prove(walk, walk->number, UNDO_SEGMENT_BARE);
    walk->offset = 0;
    add_unreadable(walk, false);
    walk->offset = UNDO_SEGMENT_BARE;
    return true;
}

/* One that was closed may have become shorter. */
static void segment_over(struct undo_walk *walk)
{
    if (walk->offset < g_array_index(walk->manifest.segments, struct undo_segment, walk->number - 1).bytes)
        add_unreadable(walk, false);
    blockfile_free(walk->asked);
    walk->asked = g_steal_pointer(&walk->file);
    walk->asked_number = walk->number;
    walk->end = (struct undo_position){walk->number, walk->offset};
    walk->offset = UNDO_SEGMENT_BARE;
}

/* The lengths of a head that does not verify are not believed: what they skip could hold good blocks. */
static bool pass_over(struct undo_walk *walk, const struct block *block, GError **error)
{
    add_unreadable(walk, block->end == 0);
    uint64_t found;
    enum block_result result = blockfile_find(walk->file, walk->offset + 1, walk->heads, &found, error);
    if (result == BLOCK_FAILED)
        return false;
    walk->offset = result == BLOCK_OK ? found : blockfile_end(walk->file);
    return true;
}

static bool block_of(const struct undo_walk *walk, const struct block *block, struct undo_block *ret)
{
    *ret = (struct undo_block){.at = {walk->number, block->offset}, .end = block->end, .type = block->type};
    return undo_head_get(block->head, &ret->head) && (block->type == UNDO_INTENTS || block->type == UNDO_OUTCOMES);
}

/* One step in the segment. *ret_found false: no block lay there. */
static bool step(struct undo_walk *walk, struct undo_block *ret, bool *ret_found, GError **error)
{
    struct block block;
    if (arena_used(walk->heads) > HEADS_RESET)
        arena_reset(walk->heads);
    *ret_found = false;
    switch (blockfile_read(walk->file, walk->offset, true, walk->heads, &block, error)) {
    case BLOCK_OK:
        *ret_found = block_of(walk, &block, ret);
        if (*ret_found)
            prove(walk, walk->number, ret->head.durable);
        else
            add_unreadable(walk, false);
        walk->offset = block.end;
        return true;
    case BLOCK_DAMAGED:
        return pass_over(walk, &block, error);
    case BLOCK_END:
        segment_over(walk);
        return true;
    case BLOCK_FAILED:
        return false;
    }
    return false;
}

bool undo_walk_next(struct undo_walk *walk, struct undo_block *ret, bool *ret_over, GError **error)
{
    for (bool found = false; !found;) {
        if (walk->file) {
            if (!step(walk, ret, &found, error))
                return false;
        } else if (walk->number == undo_manifest_last(&walk->manifest)) {
            *ret_over = true;
            return true;
        } else if (!segment_begin(walk, error)) {
            return false;
        }
    }
    *ret_over = false;
    return true;
}

static bool file_of(struct undo_walk *walk, uint32_t segment, struct blockfile **ret, GError **error)
{
    bool left_behind = !walk->file || walk->number != segment;
    if (left_behind && (!walk->asked || walk->asked_number != segment)) {
        g_clear_pointer(&walk->asked, blockfile_free);
        if (!undo_segment_open(&walk->asked, walk->config, segment, error))
            return false;
        walk->asked_number = segment;
    }
    *ret = left_behind ? walk->asked : walk->file; /* NULL: gone meanwhile */
    return true;
}

bool undo_walk_payload(struct undo_walk *walk, const struct undo_block *block, struct arena *mem, struct slice *ret,
                       bool *ret_whole, GError **error)
{
    struct blockfile *file;
    struct block read;
    if (!file_of(walk, block->at.segment, &file, error))
        return false;
    enum block_result result = file ? blockfile_read(file, block->at.offset, false, mem, &read, error) : BLOCK_DAMAGED;
    if (result == BLOCK_FAILED)
        return false;
    *ret_whole = result == BLOCK_OK;
    if (*ret_whole)
        *ret = read.payload;
    else
        undo_walk_damaged(walk, block);
    return true;
}
