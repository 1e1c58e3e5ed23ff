/* Synthetic data with known faults planted in it, and the list of them: what a spec is tried on before real records
 * are.
 *
 * Pure and deterministic: the same name, number and seed give the same bytes on every machine, whatever came before.
 * Each line is made from the seed and its own number alone; memory does not grow with the number of lines. */
#pragma once

#include "base/error.h"
#include "base/slice.h"

#define GEN_RECORDS_MAX UINT64_C(1000000000000)

struct gen_wish {
    uint64_t records, seed; /* records: up to GEN_RECORDS_MAX */
};

/* Takes whole lines, some at a time; what it says no to ends the generating with its error. */
struct gen_sink {
    bool (*put)(void *self, struct slice bytes, GError **error);
    void *self;
};

/* Where the lines go: the records, of each planted fault a line of the manifest, and the entries of an index of the
 * records. Only who asks for the index gets the faults of it; records and other faults are the same without. */
struct gen_sinks {
    struct gen_sink records;
    struct gen_sink faults; /* put NULL: nowhere */
    struct gen_sink index;  /* likewise */
};

/* A fault that is planted; per_million 0: not drawn by chance, but wherever its rule says. */
struct gen_fault_row {
    const char *word, *ends, *words;
    uint32_t per_million;
};

struct gen_row {
    const char *name, *words;
    bool (*run)(const struct gen_wish *wish, const struct gen_sinks *sinks, GError **error);
    const struct gen_fault_row *(*fault_at)(size_t i); /* NULL: no more */
    bool has_index;
};

const struct gen_row *gen_at(size_t i);               /* NULL: no more */
const struct gen_row *gen_find(const char *name);     /* NULL: there is none */
const struct gen_row *gen_nearest(const char *typed); /* for "did you mean"; NULL: none is near */

/* Each line of a manifest: line, key, fault, ends (what becomes of such a record under the spec that the docs give),
 * field, right (what should stand there), found (what does), and `of` where the line repeats another. */

/* Customers, in the order of a hash as an export gives them; keys (`username`) differ, but for the older states that
 * are planted. */
bool gen_customers(const struct gen_wish *wish, const struct gen_sinks *sinks, GError **error);
const struct gen_fault_row *gen_customers_fault_at(size_t i);

/* What the customers of `gen customers` (of the same seed, a tenth of the number) paid in a month, in the order in
 * which it was received; the busiest of them by Zipf's law with the exponent 9/8. Keys (`event`) differ, but for copies
 * and later states that are planted. The index has `account:event` of each event that the docs' spec ends up with. */
bool gen_events(const struct gen_wish *wish, const struct gen_sinks *sinks, GError **error);
const struct gen_fault_row *gen_events_fault_at(size_t i);
