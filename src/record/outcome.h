/* How every record of a run ends: the words of one table. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum outcome {
#define ROW(symbol, word, kind, words) OUTCOME_##symbol,
#include "record/outcome_rows.h"
#undef ROW
    OUTCOME_COUNT
};

enum outcome_kind { OUTCOME_KIND_LISTED, OUTCOME_KIND_BESIDE, OUTCOME_KIND_BACK, OUTCOME_KIND_PROMOTED };

struct outcome_row {
    const char *word, *words;
    enum outcome_kind kind;
};

const struct outcome_row *outcome_row(enum outcome outcome);

/* One number per word. */
struct tally {
    uint64_t of[OUTCOME_COUNT];
};

void tally_add(struct tally *into, const struct tally *from);
/* The sum over the words of one kind. */
uint64_t tally_sum(const struct tally *tally, enum outcome_kind kind);
/* Whether every listed key is accounted for. */
bool tally_reconciles(const struct tally *tally);
