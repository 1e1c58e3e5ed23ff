/* Which blocks a partition has in the log, known from their heads; grows with the log. One for all threads that read
 * it, under its lock. Memory: 24 bytes a block, 40 a partition. Of use to src/store/undo alone. */
#pragma once

#include "store/undo/decode.h"

struct undo_index;

struct undo_block_place {
    uint64_t offset;
    uint32_t segment;
    uint16_t kind;
};

struct undo_part_index {
    uint32_t part;
    uint32_t first, last;    /* of its blocks, among those of all partitions */
    uint64_t intents, bytes; /* of its blocks */
};

struct undo_index *undo_index_new(const struct world *world, const char *dir /* borrowed */);
void undo_index_free(struct undo_index *index);

/* Reads the heads that have been added since. */
bool undo_index_refresh(struct undo_index *index, GError **error);

/* Whose log it is, and how many bytes of it have been read over; once it was refreshed. */
uint64_t undo_index_whose(struct undo_index *index, uint8_t ret_run_uid[16]);

/* The first partition from this number on; false: there is none. */
bool undo_index_part_from(struct undo_index *index, uint32_t from, struct undo_part_index *ret);
/* Its blocks as of now, in the order of the log: of struct undo_block_place. */
GArray *undo_index_places(struct undo_index *index, const struct undo_part_index *part);

/* Whether what stood there is known to have been acknowledged. */
bool undo_index_proven(struct undo_index *index, uint32_t segment, uint64_t offset);
/* Blocks whose heads do not verify, so that nobody knows whose they were, and that are known to have been acknowledged.
 */
uint64_t undo_index_holes(struct undo_index *index);

/* The segment that one reader has open. */
struct undo_opened {
    uint32_t segment; /* 0: none */
    struct blockfile *file;
};
/* *ret NULL where it is gone, or too short to be one. Valid until the next call for the same reader. */
bool undo_index_segment(struct undo_index *index, struct undo_opened *io, uint32_t segment, struct blockfile **ret,
                        GError **error);
/* It remembers how long it was. */
void undo_opened_close(struct undo_opened *opened);
