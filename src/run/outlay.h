/* What a run has cost and will, and when it will have got how far: learned from what it has done, the canary first.
 * Pure. docs/budgets.md is the user's page. */
#pragma once

#include "catalog/catalog.h"
#include "spec/money.h"

/* What its totals cost, in millionths: the verification of what was read, and the promotion of what was written into a
 * shadow, are in it from the beginning, so that a cap holds for all. */
uint64_t outlay_cost(const struct run_row *run, const struct money_rates *rates);
/* … of that what was taken back, which no cap stops; and without it: */
uint64_t outlay_back(const struct tally *tally, const struct money_rates *rates);
uint64_t outlay_cost_of(const struct tally *tally, uint64_t bytes_read, uint64_t bytes_written,
                        const struct money_rates *rates);

struct outlay {
    bool known;            /* enough is done to learn from: a hundredth of the records */
    uint64_t cost, in_all; /* so far; if it goes on so (known) */
    int64_t due_ms;        /* of the deadline, wall time; 0: there is none */
    int64_t there_ms;      /* when it gets there, if it goes on so, pauses included (known) */
    bool there, late;      /* it has got there; that was, or will be, too late (known) */
};
struct outlay outlay_of(const struct run_row *run, const struct money_rates *rates, const struct money_within *complete,
                        int64_t now_ms);
/* What it says of the deadline, in words; the caller frees. */
char *outlay_words(const struct outlay *outlook, const struct money_within *complete);
