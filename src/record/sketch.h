/* What two sets do not share, found from a few cells of each: a rateless invertible Bloom look-up table (Yang, Gilad
 * and Alizadeh, "Practical Rateless Set Reconciliation", SIGCOMM 2024, arXiv 2402.02668), of which so many cells are
 * kept as were chosen beforehand.
 *
 * An entry is a key's digest and a digest of its record. Each cell holds the number, and the exclusive-or, of entries:
 * cell i those for which a generator that is seeded by the entry itself says so, which it does with probability 1/(1 +
 * i/2). A sketch minus another holds the entries that one of both sets alone has; a cell with one entry gives it away,
 * which takes it out of the other cells, and so on. About 1.4 cells for each such entry are enough, however many
 * entries there are: 4,096 cells find 2,000 entries with room to spare, which are 1,000 changed records.
 *
 * Fails honestly: where cells remain, the sets differ in more than could be found. A cell counts as one entry's only
 * where the checksum of 64 bits says so, seeded like the sketch: 2^-64 is the chance of a wrong one, each time.
 *
 * An entry that is twice in a set cancels itself. Pure; belongs to one thread. */
#pragma once

#include "record/digest.h"

struct sketch_cell {
    uint64_t key, check;
    struct digest value;
    uint32_t count; /* modulo 2^32 */
};

struct sketch {
    uint64_t seed;
    uint32_t n;
    struct sketch_cell *cells;
};

#define SKETCH_CELLS 4096u /* unless there is a reason for others */

struct sketch *sketch_new(uint32_t cells, uint64_t seed);
void sketch_free(struct sketch *sketch);
AUTO_DEFINE(sketch, sketch_free)

void sketch_add(struct sketch *sketch, uint64_t key, struct digest value);
/* Of disjoint sets: both. Of one seed and size, here and below. */
void sketch_merge(struct sketch *into, const struct sketch *from);
void sketch_subtract(struct sketch *from, const struct sketch *what);

struct sketch_entry {
    uint64_t key;
    struct digest value;
    bool second; /* the set that was subtracted has it; else the other */
};
/* Takes the entries out of a difference. *ret: of struct sketch_entry, also where it fails: what was found until then.
 * false: there are more than could be found, or the two were no sketches of sets. */
bool sketch_peel(struct sketch *difference, GArray *ret);

/* As bytes: SKETCH_CELL_BYTES a cell, little-endian: key check value-low value-high count:u32. */
#define SKETCH_CELL_BYTES 36u
void sketch_put(const struct sketch *sketch, GByteArray *into);
/* NULL: a length that is none. */
struct sketch *sketch_get(struct slice bytes, uint64_t seed);
