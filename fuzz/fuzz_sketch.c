/* Sketches. Bytes of chance hold no entry, for each has a checksum of its own, and nothing would ever be peeled: so the
 * first byte says whether the rest is
 *
 * - cells as they stand, where every cell that counts one entry gets the checksum which makes it one, or none does: it
 *   ends, gives no more than the cells can hold, and what it gives goes back in;
 * - two sets, a change of one of them in three bytes: which sketch was made how does not matter, and what is peeled are
 *   entries that only one of them has, each once and of the right set; all of them where it says so;
 * - two sets, and damage to the difference of their sketches, as above. */
#include <string.h>

#include "fuzz.h"
#include "record/sketch.h"

enum {
    KEYS = 256,
    STATES = 4,
    ENTRIES = KEYS * STATES,
    SIDES = 2,
    CELLS_MOST = 64,
    OP_BYTES = 3,
    RAW_CELLS_MOST = 512
};

/* Which entries each set has: some keys, each with some records. */
struct sets {
    bool has[SIDES][ENTRIES];
};

static struct sketch_entry entry_of(unsigned entry)
{
    uint64_t key = (entry / STATES + 1) * UINT64_C(0x9e3779b97f4a7c15);
    return (struct sketch_entry){.key = key, .value = {.high = entry, .low = ~key}};
}

static GByteArray *bytes_of(const struct sketch *sketch)
{
    GByteArray *bytes = g_byte_array_new();
    sketch_put(sketch, bytes);
    return bytes;
}

static void same(const struct sketch *one, const struct sketch *other)
{
    g_autoptr(GByteArray) a = bytes_of(one);
    g_autoptr(GByteArray) b = bytes_of(other);
    g_assert(a->len == b->len && memcmp(a->data, b->data, a->len) == 0);
}

/* --- what is no sketch -------------------------------------------------------------------------------------------- */

static uint64_t check_of(const struct sketch *sketch, const struct sketch_cell *cell)
{
    auto_(sketch) lone = sketch_new(STATES, sketch->seed, SKETCH_TABLES); /* a cell of each table: all hold it */
    sketch_add(lone, cell->key, cell->value);
    return lone->cells[0].check;
}

static void mend(struct sketch *sketch)
{
    for (uint32_t i = 0; i < sketch->n; i++)
        if (sketch->cells[i].count == 1 || sketch->cells[i].count == UINT32_MAX)
            sketch->cells[i].check = check_of(sketch, &sketch->cells[i]);
}

static void peel_any(struct sketch *sketch)
{
    g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(struct sketch_entry));
    auto_(sketch) was = sketch_like(sketch);
    auto_(sketch) first = sketch_like(sketch);
    auto_(sketch) second = sketch_like(sketch);
    sketch_merge(was, sketch);
    bool all = sketch_peel(sketch, found);
    g_assert(found->len <= sketch->n + 1);
    for (guint i = 0; i < found->len; i++) {
        const struct sketch_entry *entry = &g_array_index(found, struct sketch_entry, i);
        sketch_add(entry->second ? second : first, entry->key, entry->value);
    }
    sketch_subtract(first, second);
    sketch_merge(first, sketch); /* what was left */
    same(first, was);
    for (uint32_t i = 0; all && i < sketch->n; i++)
        g_assert(sketch->cells[i].count == 0 && sketch->cells[i].key == 0 && sketch->cells[i].check == 0);
}

static void try_cells(struct slice bytes, enum sketch_layout layout, bool mended)
{
    auto_(sketch) sketch = sketch_get(bytes, 1, layout);
    if (!sketch || sketch->n > RAW_CELLS_MOST)
        return;
    g_autoptr(GByteArray) back = bytes_of(sketch);
    g_assert(back->len == bytes.len && memcmp(back->data, bytes.data, bytes.len) == 0);
    if (mended)
        mend(sketch);
    peel_any(sketch);
}

/* --- two sets ----------------------------------------------------------------------------------------------------- */

/* Whichever way it is made. */
static struct sketch *sketch_of(const struct sets *sets, unsigned side, const struct sketch *like)
{
    struct sketch *sketch = sketch_like(like);
    auto_(sketch) together = sketch_like(like);
    auto_(sketch) even = sketch_like(like);
    auto_(sketch) odd = sketch_like(like);
    g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(struct sketch_entry));
    for (unsigned i = 0; i < ENTRIES; i++)
        if (sets->has[side][i]) {
            struct sketch_entry entry = entry_of(i);
            g_array_append_val(all, entry);
            sketch_add(sketch, entry.key, entry.value);
            sketch_add(i % 2 ? odd : even, entry.key, entry.value);
        }
    if (all->len)
        sketch_add_all(together, (const struct sketch_entry *)(void *)all->data, all->len);
    sketch_merge(even, odd);
    same(sketch, together);
    same(sketch, even);
    return sketch;
}

static unsigned differing(const struct sets *sets)
{
    unsigned n = 0;
    for (unsigned i = 0; i < ENTRIES; i++)
        n += sets->has[0][i] != sets->has[1][i];
    return n;
}

/* Which one it is; false: none of them. */
static bool find(const struct sketch_entry *found, unsigned *ret)
{
    for (unsigned i = 0; i < ENTRIES; i++) {
        struct sketch_entry entry = entry_of(i);
        if (entry.key == found->key && digest_equal(entry.value, found->value)) {
            *ret = i;
            return true;
        }
    }
    return false;
}

static void peel_sets(const struct sets *sets, struct sketch *difference)
{
    g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(struct sketch_entry));
    unsigned differ = differing(sets);
    bool seen[ENTRIES] = {false}, all = sketch_peel(difference, found);
    g_assert(all ? found->len == differ : found->len < differ);
    g_assert(all || differ > 1); /* one alone is always found */
    for (guint i = 0; i < found->len; i++) {
        const struct sketch_entry *entry = &g_array_index(found, struct sketch_entry, i);
        unsigned which;
        g_assert(find(entry, &which) && !seen[which]);
        g_assert(sets->has[entry->second][which] && !sets->has[!entry->second][which]);
        seen[which] = true;
    }
}

static void damage(struct sketch *difference, const uint8_t *op)
{
    struct sketch_cell *cell = &difference->cells[op[1] % difference->n];
    uint64_t bits = UINT64_C(1) << (op[2] % 64);
    struct sketch_entry entry = entry_of(op[2]);
    switch (op[0] >> 4) {
    case 0:
        cell->key ^= bits;
        break;
    case 1:
        cell->value.high ^= bits;
        break;
    case 2:
        cell->count += op[2];
        break;
    case 3:
        *cell = (struct sketch_cell){0};
        break;
    case 4: /* it is in one more cell than those that are its own, … */
    case 5:
        *cell = (struct sketch_cell){.key = entry.key, .value = entry.value, .count = op[0] & 16 ? 1 : UINT32_MAX};
        cell->check = check_of(difference, cell);
        break;
    default: /* … or twice in the set, which is none then */
        sketch_add(difference, entry.key, entry.value);
        break;
    }
}

/* One of the first bytes says how many cells there are. */
static void try_sets(struct slice bytes, enum sketch_layout layout, bool damaged)
{
    struct sets sets = {0};
    auto_(sketch) like = sketch_new(4u * (1u + bytes.data[0] % (unsigned)CELLS_MOST), bytes.data[0], layout);
    for (size_t at = 1; at + OP_BYTES <= bytes.len; at += OP_BYTES) {
        unsigned entry = (bytes.data[at + 1] * (unsigned)STATES + bytes.data[at + 2] % STATES) % ENTRIES,
                 op = bytes.data[at];
        for (unsigned side = 0; side < SIDES; side++)
            sets.has[side][entry] |= op % 4 != side; /* of four the half has it in both */
    }
    auto_(sketch) difference = sketch_of(&sets, 0, like);
    auto_(sketch) second = sketch_of(&sets, 1, like);
    sketch_subtract(difference, second);
    for (size_t at = 1; damaged && at + OP_BYTES <= bytes.len; at += OP_BYTES)
        if (bytes.data[at] >= 0x80)
            damage(difference, (uint8_t[]){bytes.data[at] & 0x7f, bytes.data[at + 1], bytes.data[at + 2]});
    if (damaged)
        peel_any(difference);
    else
        peel_sets(&sets, difference);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len < 2)
        return 0;
    struct slice rest = slice_of(data + 1, len - 1);
    enum sketch_layout layout = data[0] & 1 ? SKETCH_TABLES : SKETCH_RATELESS;
    bool second = data[0] & 2;
    (data[0] & 4 ? try_sets : try_cells)(rest, layout, second);
    return 0;
}
