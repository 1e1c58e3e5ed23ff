/* Which blocks a partition has in the log, known from their heads; grows with the log. Of use to src/store/undo alone.
 */
#pragma once

#include "store/undo/decode.h"

struct undo_block_place {
    uint64_t offset;
    uint32_t segment;
    uint16_t kind;
};

struct undo_part_index {
    uint32_t part;
    uint64_t intents, bytes; /* of its blocks */
    GArray *places;          /* of struct undo_block_place, in the order of the log */
};

/* A block whose head does not verify: whose it was is not known. */
struct undo_block_hole {
    uint64_t offset;
    uint32_t segment;
};

struct undo_index {
    const struct world *world;
    const char *dir; /* borrowed */
    struct undo_listing listing;
    GPtrArray *parts;   /* of struct undo_part_index, sorted by part */
    GArray *holes;      /* of struct undo_block_hole */
    GArray *proven;     /* of uint64_t, a segment each: up to where it is known to have been durable */
    uint64_t bytes;     /* read over so far */
    uint32_t walked;    /* the segment whose blocks are being walked; 0: none yet */
    uint64_t walked_to; /* in it */
    uint32_t opened;    /* the segment that `file` is */
    struct blockfile *file;
    struct arena *heads;
};

void undo_index_init(struct undo_index *index, const struct world *world, const char *dir);
void undo_index_done(struct undo_index *index);

/* Reads the heads that have been added since. */
bool undo_index_refresh(struct undo_index *index, GError **error);

/* NULL where the partition has no block. */
const struct undo_part_index *undo_index_part(const struct undo_index *index, uint32_t part);

/* A segment, opened; *ret NULL where it is gone, or too short to be one. Valid until the next call of the index. */
bool undo_index_segment(struct undo_index *index, uint32_t segment, struct blockfile **ret, GError **error);

/* Whether what stood there is known to have been acknowledged. */
bool undo_index_proven(const struct undo_index *index, uint32_t segment, uint64_t offset);
