/* A fence as a driver keeps it: which numbers of which lane were applied. The rules of lanes stand here once; a driver
 * adds where the bytes lie and what makes a change atomic. Pure; one thread at a time.
 *
 * As bytes (docs/formats/rocksdb.md):
 *     version:u8  highest:varint  n:varint  n × (lane:varint  flags:u8  base:varint  bits:prefixed)  checksum:u64
 * Lanes ascend; flag 1 is "open"; the checksum is XXH3-64 of all before it. */
#pragma once

#include "store/store.h"

/* How far above a lane's base a number may lie: more are never under way, and a bitmap must not be made by a fault. */
#define FENCE_SPAN (UINT64_C(1) << 22)

struct lane_state {
    uint32_t lane;
    bool open;
    uint64_t base;
    GByteArray *bits; /* owned; bit i: number base + 1 + i was applied */
};

struct fence_state;

struct fence_state *fence_state_new(void);
void fence_state_free(struct fence_state *fence);
AUTO_DEFINE(fence_state, fence_state_free)

/* Checked: CORRUPT says what does not hold; nothing is trusted. */
bool fence_state_decode(struct fence_state **ret, struct slice bytes, GError **error);
void fence_state_encode(const struct fence_state *fence, GByteArray *into);

/* NULL where the fence has no such lane. Valid until the next fence_state_open(). */
struct lane_state *fence_state_lane(struct fence_state *fence, uint32_t lane);

uint32_t fence_state_highest(const struct fence_state *fence); /* the highest lane ever opened; 0: none */

/* Closes every lane and opens this one; BEHIND when it is not above the highest. */
bool fence_state_open(struct fence_state *fence, const struct lane *lane, GError **error);
void fence_state_close(struct fence_state *fence);

/* Settled numbers (at or below the base) count as applied: none of them is ever written again. */
bool lane_state_applied(const struct lane_state *lane, uint64_t number);
/* Whether the number may be marked at all: above zero and within FENCE_SPAN of the base. */
bool lane_state_takes(const struct lane_state *lane, uint64_t number, GError **error) must_use;
void lane_state_mark(struct lane_state *lane, uint64_t number); /* one that lane_state_takes() */
void lane_state_rebase(struct lane_state *lane, uint64_t base); /* never backwards */

/* The fence as callers see it, copied into the arena; false (TOO_BIG) when it does not fit. NULL: not present. */
bool fence_state_view(const struct fence_state *fence, struct arena *mem, struct fence *ret, GError **error);

/* The 20 bytes that name a fence: the run's 16, then the partition, big-endian: all of a run's lie together. */
#define FENCE_KEY_BYTES 20
void fence_key_put(const struct fence_id *id, uint8_t into[FENCE_KEY_BYTES]);
