/* The file `chains`: docs/formats/undo.md in code. Of use to src/undo alone. */
#pragma once

#include "undo/chains.h"
#include "undo/links.h"
#include "undo/manifest.h"

extern const struct blockfile_kind UNDO_CHAINS_KIND;

enum undo_chains_type { UNDO_CHAINS_ITEMS = 1, UNDO_CHAINS_DAMAGE = 2, UNDO_CHAINS_END = 3 };

#define UNDO_CHAINS_NAME    "chains"
#define UNDO_CHAINS_DRAFT   "chains.tmp"
#define UNDO_CHAINS_BLOCK   4096 /* items */
#define UNDO_CHAINS_TAG_LEN 32

/* Whose chains, and of which partitions. */
void undo_chains_tag_put(const struct undo_config *config, const struct undo_filter *filter,
                         uint8_t into[UNDO_CHAINS_TAG_LEN]);

struct undo_chains_items_head {
    uint64_t first;
    uint32_t count;
};
void undo_chains_items_head_put(const struct undo_chains_items_head *head, GByteArray *into);
bool undo_chains_items_head_get(struct slice bytes, struct undo_chains_items_head *ret);

void undo_turns_put(const struct undo_turn *turns, size_t n, GByteArray *into);
/* Exactly n of them; false where the bytes make no sense. */
bool undo_turns_get(struct slice bytes, struct undo_turn *into, size_t n);

void undo_chains_damage_put(const struct undo_damage *damage, size_t n, GByteArray *into);
bool undo_chains_damage_get(struct slice bytes, struct undo_damage *into, size_t n);

struct undo_chains_end {
    uint64_t items;
    struct undo_position upto; /* the log was read up to there */
};
void undo_chains_end_put(const struct undo_chains_end *end, GByteArray *into);
bool undo_chains_end_get(struct slice bytes, struct undo_chains_end *ret);

/* The last block of an open file; CORRUPT where it is not finished. Reads every head: *ret_items (may be NULL) are the
 * offsets of the blocks of items, *ret_damage those of damage. */
struct undo_chains_index {
    GArray *items, *damage; /* of uint64_t */
    struct undo_chains_end end;
};
bool undo_chains_index(struct blockfile *file, const char *path, struct undo_chains_index *ret, GError **error);
/* Whether the payload of each of these blocks verifies, too. */
bool undo_chains_index_whole(struct blockfile *file, const struct undo_chains_index *index, bool *ret, GError **error);
void undo_chains_index_done(struct undo_chains_index *index);
