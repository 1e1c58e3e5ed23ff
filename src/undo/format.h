/* Blocks of the undo log: docs/formats/undo.md in code. Of use to src/undo alone. */
#pragma once

#include "base/blockfile.h"
#include "base/int.h"
#include "undo/undo.h"

extern const struct blockfile_kind UNDO_KIND;

#define UNDO_UID_LEN      16
#define UNDO_TAG_LEN      (UNDO_UID_LEN + sizeof(uint32_t))
#define UNDO_MANIFEST     "MANIFEST"
#define UNDO_SEGMENT_BARE 56 /* bytes of a segment without a block: the header of a blockfile */
#define UNDO_SEGMENT_TEXT 24 /* 000001.undo, and room for the largest number */

enum undo_block_type { UNDO_INTENTS = 1, UNDO_OUTCOMES = 2 };

struct undo_head {
    uint32_t part, lane;
    uint64_t first_number, first_sequence;
    uint32_t count;
    uint64_t durable;
};

void undo_tag_put(const uint8_t uid[UNDO_UID_LEN], uint32_t segment, uint8_t into[UNDO_TAG_LEN]);
const char *undo_segment_name(uint32_t segment, char into[UNDO_SEGMENT_TEXT]);

void undo_head_put(const struct undo_head *head, GByteArray *into);
bool undo_head_get(struct slice bytes, struct undo_head *ret);

/* The payload of the intents, in place of what `into` held. TOO_BIG above what one block can hold. */
bool undo_intents_put(const struct undo_intent *intents, size_t n, GByteArray *into, GError **error);

/* A cursor over the entries of a block of intents. */
struct undo_payload {
    struct reader reader;
    struct undo_head head;
    uint32_t next;
};

/* Whether so many entries find room in so few bytes: asked before memory is taken for them. */
bool undo_payload_possible(const struct undo_head *head, struct slice payload);
struct undo_payload undo_payload_of(const struct undo_head *head, struct slice payload);
/* The next entry, of unknown outcome, its slices in the payload; false at the end, or where the bytes make no sense. */
bool undo_payload_next(struct undo_payload *payload, struct undo_entry *ret);
/* Whether all entries came out and nothing was left over. */
bool undo_payload_whole(const struct undo_payload *payload);

/* Whether a block's payload has the length that its head says; asked before a bit of it is read. */
bool undo_outcomes_whole(const struct undo_head *head, struct slice payload);
static inline bool undo_bit(struct slice bits, uint64_t i)
{
    return bits.data[i / 8] >> (i % 8) & 1;
}
