#include "record/outcome.h"

static const struct outcome_row ROWS[OUTCOME_COUNT] = {
#define ROW(symbol, word, kind, words) [OUTCOME_##symbol] = {word, words, OUTCOME_KIND_##kind},
#include "record/outcome_rows.h"
#undef ROW
};

const struct outcome_row *outcome_row(enum outcome outcome)
{
    return &ROWS[outcome];
}

void tally_add(struct tally *into, const struct tally *from)
{
    for (int i = 0; i < OUTCOME_COUNT; i++)
        into->of[i] += from->of[i];
}

uint64_t tally_sum(const struct tally *tally, enum outcome_kind kind)
{
    uint64_t sum = 0;
    for (int i = 0; i < OUTCOME_COUNT; i++)
        if (ROWS[i].kind == kind)
            sum += tally->of[i];
    return sum;
}

bool tally_reconciles(const struct tally *tally)
{
    return tally_sum(tally, OUTCOME_KIND_LISTED) == tally->of[OUTCOME_LISTED_];
}
