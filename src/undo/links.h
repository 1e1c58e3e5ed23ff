/* Applied entries as fixed-size items, sorted by key and sequence, and what a key's entries come to. Of use to src/undo
 * alone. */
#pragma once

#include "undo/format.h"

enum undo_link_flag {
    UNDO_LINK_ASKED = 1,       /* of a partition that is to be rolled back */
    UNDO_LINK_BACK = 2,        /* written by a rollback */
    UNDO_LINK_PRE_EXPIRES = 4, /* the pre-image has an expiry */
};

/* Where an entry stands in the log. */
struct undo_spot {
    struct undo_position at; /* of its block */
    uint32_t entry;
};

struct undo_link {
    struct digest key;
    uint64_t sequence;
    uint64_t open_from; /* what has a lower sequence had come to its end when this was logged */
    struct undo_spot spot;
    uint8_t flags;
    uint32_t part;
    struct digest written, pre; /* stored digests; zero: absent */
};

/* As an item for base/extsort: sorted bytewise by its first UNDO_LINK_SORTED bytes. */
#define UNDO_LINK_LEN    85
#define UNDO_LINK_SORTED 24
void undo_link_put(const struct undo_link *link, uint8_t into[UNDO_LINK_LEN]);
void undo_link_get(const uint8_t from[UNDO_LINK_LEN], struct undo_link *ret);

/* What goes back, and what must stand for it. Sorted by the place of the pre-image. */
struct undo_turn {
    struct undo_spot spot;
    struct digest written;
};
#define UNDO_TURN_LEN    32
#define UNDO_TURN_SORTED 16
void undo_turn_put(const struct undo_turn *turn, uint8_t into[UNDO_TURN_LEN]);
void undo_turn_get(const uint8_t from[UNDO_TURN_LEN], struct undo_turn *ret);

/* All entries of one key in the order of their sequences; the array is used up. false: none of them is to be undone. */
bool undo_turn_of(struct undo_link *links, size_t n, struct undo_turn *ret);
