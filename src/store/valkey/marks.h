/* Marks: which numbers of a lane were applied in a place, as a field of the place's fence (docs/drivers/valkey.md).
 *
 *     lane:u32  count:u32  base:u32  n × (first:u32 last:u32)      little-endian, ascending, apart
 *
 * `count` is how many numbers were ever put in, so that whoever knows of all of them can tell that no other was.
 * cas.lua writes it, this reads it. Pure. */
#pragma once

#include "base/error.h"
#include "base/slice.h"

enum { MARKS_HEAD_BYTES = 8, MARKS_LEAST_BYTES = 12, MARKS_PAIR_BYTES = 8 };

struct marks {
    uint32_t lane, count, base;
    struct slice pairs;
};

/* CORRUPT: no marks; someone else has written there. */
bool marks_read(struct slice field, struct marks *ret, GError **error);
size_t marks_pairs(const struct marks *marks);
void marks_pair(const struct marks *marks, size_t i, uint32_t *ret_first, uint32_t *ret_last);

/* A field up to its pairs. */
void marks_begin(uint32_t lane, uint32_t count, uint32_t base, uint8_t into[MARKS_LEAST_BYTES]);
/* How a field of this lane and count begins. */
void marks_head(uint32_t lane, uint32_t count, uint8_t into[MARKS_HEAD_BYTES]);
