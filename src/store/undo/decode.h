/* The undo log as docs/formats/undo.md describes it. Of use to src/store/undo alone. */
#pragma once

#include "base/blockfile.h"
#include "store/store.h"

extern const struct blockfile_kind undo_segment_kind;

/* The list of segments: how many, and how long those are that were closed (0: not closed). */
struct undo_listing {
    uint8_t run_uid[16];
    uint32_t n;
    uint64_t *bytes; /* owned; of segment i + 1 */
};
bool undo_listing_read(struct undo_listing *ret, const struct world *world, const char *dir, GError **error);
void undo_listing_done(struct undo_listing *listing);

char *undo_listing_path(const char *dir, uint32_t segment);
/* Whether a segment's tag is that of this place in this log. */
bool undo_listing_owns(const struct undo_listing *listing, uint32_t segment, struct slice tag);

enum undo_kind { UNDO_KIND_INTENTS = 1, UNDO_KIND_OUTCOMES = 2 };

struct undo_block_head {
    uint32_t part, lane;
    uint64_t number, sequence;
    uint32_t count;
    uint64_t durable;
};
bool undo_block_head_read(const struct block *block, struct undo_block_head *ret);

/* One intent of a payload; false where it ends short. */
struct undo_written {
    struct slice key;
    bool deletes, present;
    struct slice pre;
    int64_t expires_at_ms;
    uint8_t digest[16];
};
struct undo_cursor {
    const uint8_t *at, *end;
};
bool undo_written_next(struct undo_cursor *cursor, struct undo_written *ret);
