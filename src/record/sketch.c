#include "record/sketch.h"

#include <math.h>

#include "base/int.h"

#define GOLDEN UINT64_C(0x9e3779b97f4a7c15)

enum { TABLES = 4 };

struct sketch *sketch_new(uint32_t cells, uint64_t seed, enum sketch_layout layout)
{
    struct sketch *sketch = g_new0(struct sketch, 1);
    *sketch = (struct sketch){.layout = layout, .seed = seed, .n = cells, .cells = g_new0(struct sketch_cell, cells)};
    return sketch;
}

struct sketch *sketch_like(const struct sketch *sketch)
{
    return sketch_new(sketch->n, sketch->seed, sketch->layout);
}

bool sketch_alike(const struct sketch *one, const struct sketch *other)
{
    return one->n == other->n && one->seed == other->seed && one->layout == other->layout;
}

void sketch_free(struct sketch *sketch)
{
    if (!sketch)
        return;
    g_free(sketch->cells);
    g_free(sketch);
}

/* Both halves of a product: the step of wyhash. */
static inline uint64_t folded(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t check_of(uint64_t seed, uint64_t key, struct digest value)
{
    uint64_t half = folded(key ^ GOLDEN ^ seed, value.low ^ UINT64_C(0xa0761d6478bd642f));
    return folded(half ^ UINT64_C(0xe7037ed1a0b428db), value.high ^ seed ^ UINT64_C(0x8ebc6af09c88c6e3)) + key;
}

/* Which cell of a table an entry is in: each takes 32 other bits of the checksum, or of what becomes of it. */
static inline size_t table_place(const struct sketch *sketch, uint64_t check, unsigned table)
{
    uint64_t each = sketch->n / TABLES, bits = table < TABLES / 2 ? check : folded(check, GOLDEN);
    return table * each + ((table % 2 ? bits >> 32 : bits & UINT32_MAX) * each >> 32);
}

/* Which cells a rateless one's entry is in: 0, then from i on the next one, so that cell j is one of them with
 * probability 1/(1 + j/2). That none of i + 1 … i + g is has the probability (i+1)(i+2) / ((i+g+1)(i+g+2)), which is
 * turned round. The roots do not wait for each other, so a processor takes several at once. */
struct walk {
    uint64_t state;
    double at; /* the cell */
};

static inline struct walk walk_of(uint64_t check)
{
    return (struct walk){.state = check | 1};
}

static inline void walk_on(struct walk *walk)
{
    walk->state *= UINT64_C(0xda942042e4dd58b5); /* L'Ecuyer 1999 */
    double chance = (double)((walk->state >> 12) + 1) * 0x1p-52;
    double gap = (walk->at + 1.5) * (1 / sqrt(chance) - 1);
    walk->at += (double)(int64_t)gap + 1;
}

static inline void cell_take(struct sketch_cell *cell, const struct sketch_cell *entry, uint32_t count)
{
    cell->key ^= entry->key;
    cell->check ^= entry->check;
    cell->value.low ^= entry->value.low;
    cell->value.high ^= entry->value.high;
    cell->count += count;
}

static bool is_one(const struct sketch *sketch, const struct sketch_cell *cell)
{
    return (cell->count == 1 || cell->count == UINT32_MAX) &&
           cell->check == check_of(sketch->seed, cell->key, cell->value);
}

/* `ones`: of uint32_t, those cells that hold one entry then; NULL: nobody asks. */
static inline void take_at(struct sketch *sketch, size_t at, const struct sketch_cell *entry, uint32_t count,
                           GArray *ones)
{
    uint32_t place = (uint32_t)at;
    cell_take(&sketch->cells[at], entry, count);
    if (ones && is_one(sketch, &sketch->cells[at]))
        g_array_append_val(ones, place);
}

/* Into all its cells, or out of them. */
static inline void take(struct sketch *sketch, const struct sketch_cell *entry, uint32_t count, GArray *ones)
{
    double end = sketch->n;
    if (sketch->layout == SKETCH_TABLES) {
        for (unsigned i = 0; i < TABLES; i++)
            take_at(sketch, table_place(sketch, entry->check, i), entry, count, ones);
        return;
    }
    for (struct walk walk = walk_of(entry->check); walk.at < end; walk_on(&walk))
        take_at(sketch, (size_t)walk.at, entry, count, ones);
}

void sketch_add(struct sketch *sketch, uint64_t key, struct digest value)
{
    struct sketch_cell entry = {.key = key, .check = check_of(sketch->seed, key, value), .value = value};
    take(sketch, &entry, 1, NULL);
}

/* An entry's cells, which are on their way from memory. */
struct aimed {
    struct sketch_cell entry;
    struct sketch_cell *cells[TABLES];
};

static inline void aim(const struct sketch *sketch, const struct sketch_entry *of, struct aimed *ret)
{
    uint64_t check = check_of(sketch->seed, of->key, of->value);
    ret->entry = (struct sketch_cell){.key = of->key, .check = check, .value = of->value};
    for (unsigned i = 0; i < TABLES; i++) {
        struct sketch_cell *cell = &sketch->cells[table_place(sketch, check, i)];
        __builtin_prefetch(cell, 1);
        __builtin_prefetch((const char *)(cell + 1) - 1, 1);
        ret->cells[i] = cell;
    }
}

static void add_to_tables(struct sketch *sketch, const struct sketch_entry *entries, size_t n)
{
    enum { AHEAD = 16 };
    struct aimed aimed[AHEAD];
    for (size_t first = 0; first < n; first += AHEAD) {
        size_t some = MIN(n - first, (size_t)AHEAD);
        for (size_t i = 0; i < some; i++)
            aim(sketch, &entries[first + i], &aimed[i]);
        for (size_t i = 0; i < some; i++)
            for (unsigned table = 0; table < TABLES; table++)
                cell_take(aimed[i].cells[table], &aimed[i].entry, 1);
    }
}

void sketch_add_all(struct sketch *sketch, const struct sketch_entry *entries, size_t n)
{
    if (sketch->layout == SKETCH_TABLES) {
        add_to_tables(sketch, entries, n);
        return;
    }
    for (size_t i = 0; i < n; i++)
        sketch_add(sketch, entries[i].key, entries[i].value);
}

void sketch_merge(struct sketch *into, const struct sketch *from)
{
    g_assert(sketch_alike(into, from));
    for (uint32_t i = 0; i < into->n; i++)
        cell_take(&into->cells[i], &from->cells[i], from->cells[i].count);
}

void sketch_subtract(struct sketch *from, const struct sketch *what)
{
    g_assert(sketch_alike(from, what));
    for (uint32_t i = 0; i < from->n; i++)
        cell_take(&from->cells[i], &what->cells[i], -what->cells[i].count);
}

/* --- peeling ------------------------------------------------------------------------------------------------------ */

static bool is_empty(const struct sketch_cell *cell)
{
    return cell->count == 0 && cell->key == 0 && cell->check == 0 && digest_is_zero(cell->value);
}

bool sketch_peel(struct sketch *difference, GArray *ret)
{
    g_autoptr(GArray) ones = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    bool empty = true;
    for (uint32_t i = 0; i < difference->n; i++)
        if (is_one(difference, &difference->cells[i]))
            g_array_append_val(ones, i);
    for (guint i = 0; i < ones->len && ret->len <= difference->n; i++) {
        struct sketch_cell entry = difference->cells[g_array_index(ones, uint32_t, i)];
        if (!is_one(difference, &entry))
            continue; /* it has been found elsewhere since */
        struct sketch_entry found = {.key = entry.key, .value = entry.value, .second = entry.count != 1};
        g_array_append_val(ret, found);
        take(difference, &entry, -entry.count, ones);
    }
    for (uint32_t i = 0; i < difference->n; i++)
        empty &= is_empty(&difference->cells[i]);
    return empty;
}

/* --- as bytes ----------------------------------------------------------------------------------------------------- */

void sketch_put(const struct sketch *sketch, GByteArray *into)
{
    guint was = into->len;
    g_assert(sketch->n <= (UINT_MAX - was) / SKETCH_CELL_BYTES); /* GLib counts with guint */
    g_byte_array_set_size(into, was + sketch->n * SKETCH_CELL_BYTES);
    uint8_t *at = into->data + was;
    for (uint32_t i = 0; i < sketch->n; i++) {
        const struct sketch_cell *cell = &sketch->cells[i];
        at = int_put_u64(at, cell->key);
        at = int_put_u64(at, cell->check);
        at = int_put_u64(at, cell->value.low);
        at = int_put_u64(at, cell->value.high);
        at = int_put_u32(at, cell->count);
    }
}

struct sketch *sketch_get(struct slice bytes, uint64_t seed, enum sketch_layout layout)
{
    struct reader reader = reader_of(bytes);
    uint32_t n;
    if (bytes.len == 0 || bytes.len % SKETCH_CELL_BYTES != 0 || !int_to_u32(bytes.len / SKETCH_CELL_BYTES, &n) ||
        (layout == SKETCH_TABLES && n % TABLES != 0))
        return NULL;
    struct sketch *sketch = sketch_new(n, seed, layout);
    for (uint32_t i = 0; i < n; i++) {
        struct sketch_cell *cell = &sketch->cells[i];
        cell->key = reader_u64(&reader);
        cell->check = reader_u64(&reader);
        cell->value.low = reader_u64(&reader);
        cell->value.high = reader_u64(&reader);
        cell->count = reader_u32(&reader);
    }
    return sketch;
}
