/* What two sets do not share, found from a few cells of each: an invertible Bloom look-up table (Goodrich and
 * Mitzenmacher, "Invertible Bloom Lookup Tables", Allerton 2011, arXiv 1101.2245).
 *
 * An entry is a key's digest and a digest of its record. Each cell holds the number, and the exclusive-or, of entries;
 * which cells an entry is in follows from its own checksum. A sketch minus another holds the entries that one of both
 * sets alone has; a cell with one entry gives it away, which takes it out of the other cells, and so on, however many
 * entries there are. 4,096 cells find 2,000 entries with room to spare, which are 1,000 changed records. Two layouts:
 *
 * - Four tables, each entry in one cell of each. Of many entries 1.3 cells for each are enough (1/0.772).
 * - Rateless (Yang, Gilad and Alizadeh, "Practical Rateless Set Reconciliation", SIGCOMM 2024, arXiv 2402.02668): cell
 * i holds an entry with probability 1/(1 + i/2), so that any first cells of it are a sketch, of 1.35 to 1.4 cells for
 *   each entry. Where their number is chosen beforehand nobody has anything of that, and each entry is in 17 of 4,096
 *   cells, which costs more than reading its record. What gates of older versions kept is of this kind.
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

enum sketch_layout { SKETCH_RATELESS = 1, SKETCH_TABLES = 2 }; /* their numbers stand in files */

struct sketch {
    enum sketch_layout layout;
    uint64_t seed;
    uint32_t n;
    struct sketch_cell *cells;
};

#define SKETCH_CELLS 4096u /* unless there is a reason for others */

struct sketch *sketch_new(uint32_t cells, uint64_t seed, enum sketch_layout layout); /* TABLES: 4 divides cells */
struct sketch *sketch_like(const struct sketch *sketch); /* empty, of its layout, seed and size */
void sketch_free(struct sketch *sketch);
AUTO_DEFINE(sketch, sketch_free)

struct sketch_entry {
    uint64_t key;
    struct digest value;
    bool second; /* what sketch_peel() gives: the set that was subtracted has it; else the other */
};
void sketch_add(struct sketch *sketch, uint64_t key, struct digest value);
/* All of them, in a third of the time where something else has driven the cells out of the processor's nearest cache:
 * they are fetched while those of the entries before are written. */
void sketch_add_all(struct sketch *sketch, const struct sketch_entry *entries, size_t n);
bool sketch_alike(const struct sketch *one, const struct sketch *other);
/* Of disjoint sets: both. Alike, here and below. */
void sketch_merge(struct sketch *into, const struct sketch *from);
void sketch_subtract(struct sketch *from, const struct sketch *what);

/* Takes the entries out of a difference. *ret: of struct sketch_entry, also where it fails: what was found until then.
 * false: there are more than could be found, or the two were no sketches of sets. */
bool sketch_peel(struct sketch *difference, GArray *ret);

/* As bytes: SKETCH_CELL_BYTES a cell, little-endian: key check value-low value-high count:u32. */
#define SKETCH_CELL_BYTES 36u
void sketch_put(const struct sketch *sketch, GByteArray *into);
/* NULL: a length that is none. */
struct sketch *sketch_get(struct slice bytes, uint64_t seed, enum sketch_layout layout);
