/* What one node of a cluster says of itself: which process it is and which slots it has, in CLUSTER NODES and INFO. Two
 * such looks with the same answer about a slot mean that it was nowhere else in between: a node that is given a slot
 * (even one that it had before) gets a new config epoch. Pure. */
#pragma once

#include "store/valkey/route.h"

enum { CLAIM_WORDS = SLOTS / 64 };

struct claim_move {
    uint16_t slot;
    char to[48]; /* the id of the node that it goes to */
};

struct claim {
    char run_id[48], replid[48];
    uint64_t config_epoch;
    uint64_t owned[CLAIM_WORDS];
    GArray *moves; /* of struct claim_move: slots that are leaving, ascending */
};

static inline bool claim_bit(const uint64_t *bits, uint32_t slot)
{
    return bits[slot / 64] >> (slot % 64) & 1;
}

static inline void claim_bit_set(uint64_t *bits, uint32_t slot)
{
    bits[slot / 64] |= (uint64_t)1 << (slot % 64);
}

void claim_init(struct claim *claim);
void claim_done(struct claim *claim);

/* From the text of CLUSTER NODES as that node answers it. STORE: there is no line of its own, or it is not one. */
bool claim_read(struct claim *claim, struct slice nodes, GError **error);
/* The move of a slot that is leaving; NULL: it stays. */
const struct claim_move *claim_moving(const struct claim *claim, uint32_t slot);
/* Whether the slot was there, and only there or on its way to one and the same other node, from one look to the other.
 */
bool claim_held(const struct claim *before, const struct claim *after, uint32_t slot);
