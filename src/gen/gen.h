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

/* Where the lines go: the records, and of each planted fault a line of the manifest. */
struct gen_sinks {
    struct gen_sink records;
    struct gen_sink faults; /* put NULL: nowhere */
};

struct gen_row {
    const char *name, *words;
    bool (*run)(const struct gen_wish *wish, const struct gen_sinks *sinks, GError **error);
};

const struct gen_row *gen_at(size_t i);               /* NULL: no more */
const struct gen_row *gen_find(const char *name);     /* NULL: there is none */
const struct gen_row *gen_nearest(const char *typed); /* for "did you mean"; NULL: none is near */

/* --- customers -----------------------------------------------------------------------------------------------------
 */

/* What becomes of a record with the fault under the starter spec (`sluice init`). */
enum gen_fault {
#define ROW(symbol, word, per_million, ends, words) GEN_FAULT_##symbol,
#include "gen/fault_rows.h"
#undef ROW
    GEN_FAULT_COUNT,
    GEN_FAULT_NONE = GEN_FAULT_COUNT
};

struct gen_fault_row {
    const char *word, *ends, *words;
    uint32_t per_million;
};
const struct gen_fault_row *gen_fault_row(enum gen_fault fault);

/* Customers as NDJSON, in the order of a hash as an export gives them; keys (`username`) differ, but for the older
 * states that are planted. A line of the manifest: line, key, fault, ends, field, right (what stood there), found. */
bool gen_customers(const struct gen_wish *wish, const struct gen_sinks *sinks, GError **error);
