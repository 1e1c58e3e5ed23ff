/* The log from a position to its end, block by block, passing over what does not verify. Of use to src/undo alone.
 *
 * Payloads are read only where they are asked for, and only then verified. What is damaged is collected on the way. One
 * thread. */
#pragma once

#include "undo/manifest.h"

/* Of an arena for one payload, as it is and unpacked. */
enum { PAYLOAD_CAP = 1 << 30 };

struct undo_walk {
    const struct undo_config *config;
    struct undo_manifest manifest;
    uint32_t number;          /* of the segment being walked; 0: none yet */
    struct blockfile *file;   /* NULL: between two segments */
    uint64_t offset;          /* of the next block */
    struct undo_position end; /* of the last segment that is over */
    struct arena *heads;
    GArray *durable; /* of uint64_t, a segment each: up to where its heads and the manifest prove it was durable */
    GArray *damage;  /* of struct undo_damage */
    uint32_t asked_number;
    struct blockfile
        *asked; /* for payloads of segments that the walk has left behind: the last one, or one asked for */
};

struct undo_block {
    struct undo_position at;
    uint64_t end; /* of the block, in its segment */
    uint16_t type;
    struct undo_head head;
};

/* `from` in no segment: from the beginning. CORRUPT when the log ends before the segment of `from`. */
bool undo_walk_open(struct undo_walk *walk, const struct undo_config *config, struct undo_position from,
                    GError **error);
void undo_walk_done(struct undo_walk *walk);

/* *ret_over: there is no further one. */
bool undo_walk_next(struct undo_walk *walk, struct undo_block *ret, bool *ret_over, GError **error);

/* The payload of a block that undo_walk_next() gave. *ret_whole false: it does not verify, and is damage now. */
bool undo_walk_payload(struct undo_walk *walk, const struct undo_block *block, struct arena *mem, struct slice *ret,
                       bool *ret_whole, GError **error);
/* It verifies, but makes no sense: damage too. */
void undo_walk_damaged(struct undo_walk *walk, const struct undo_block *block);

/* When the walk is over: all damage, with what is proven. Lives as long as the walk. */
const struct undo_damage *undo_walk_damage(struct undo_walk *walk, size_t *ret_n);
