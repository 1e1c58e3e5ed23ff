/* The budget of a run: how many records and bytes it may write, and for how long its workers may be at work.
 *
 * Shared by all workers. Before a batch is read, room for it is reserved: so many records as are left and as nobody
 * else has reserved, as many bytes as a batch may read, and what that may cost. Before anything of it is written, what
 * it will write is known, and takes the place of the guess (budget_fit()): a batch for which too little is left is made
 * smaller, and a record for which too little is left is not written. Its checkpoint gives back what it did not use.
 * Records, bytes and money therefore never pass their budget, but by what is decided anew of a batch when some of it is
 * written already; time by no more than the batches in flight.
 *
 * What is used comes from the run's totals, which only checkpoints move: it is the same after any death. Time is that
 * of the world's monotonic clock, kept with each checkpoint. docs/budgets.md is the user's page. */
#pragma once

#include "base/lock.h"
#include "base/units.h"
#include "run/limits.h"
#include "run/outlay.h"

struct budget {
    pthread_mutex_t lock;                      /* a leaf; guards what follows */
    uint64_t records, bytes;                   /* used, by the checkpoints */
    uint64_t reserved_records, reserved_bytes; /* of batches in flight */
    int64_t worked_ms;                         /* by the checkpoints */
    struct money_rates rates;                  /* by which it costs … */
    double cost, reserved_cost;                /* … so much: used, and reserved, in millionths */
    double next_bytes, next_cost;              /* of the record for which too little was left; 0: there was none */
    int64_t since_us;                          /* at work, and not in worked_ms, since then; 0: not at work */
    bool spent;                                /* somebody asked in vain: it stays so until budget_begin() */
};

void budget_init(struct budget *budget);
void budget_done(struct budget *budget);
/* A crew begins: what is used is what the run's row says. */
void budget_begin(struct budget *budget, const struct run_row *run, int64_t now_us);
/* By what it is paid, before a crew begins; at first nothing costs anything. */
void budget_price(struct budget *budget, const struct money_rates *rates);
/* It has ended: what worked_ms does not count yet, in milliseconds. */
int64_t budget_end(struct budget *budget, int64_t now_us);
/* What worked_ms does not count yet; from now on it does. */
int64_t budget_worked_ms(struct budget *budget, int64_t now_us);

enum budget_answer {
    BUDGET_TAKEN,
    BUDGET_LATER, /* others have reserved what is left */
    BUDGET_SPENT, /* and so has every later call */
};
struct budget_room {
    size_t records, bytes; /* 0, 0: none */
    double cost;           /* reserved: at most; used: what it came to */
};
/* Room for at most so many; *io says how much there is. Records that are wished for beyond the room are not read. */
enum budget_answer budget_take(struct budget *budget, const struct spec_budget *limit, int64_t now_us,
                               struct budget_room *io);
/* The bytes and the cost of the batch that *io is for are `need`: its room is just that from now on. LATER: none of it,
 * until others have given theirs back; SPENT: none of it, and never. `must`: whatever there is. */
enum budget_answer budget_fit(struct budget *budget, const struct spec_budget *limit, const struct budget_room *need,
                              bool must, struct budget_room *io);
/* A record that needs so much does not fit into what is left: it is spent. */
void budget_end_before(struct budget *budget, const struct budget_room *need);
/* Gives the room back; `used` (NULL: nothing) is what a checkpoint counts of it. */
void budget_give(struct budget *budget, const struct budget_room *room, const struct budget_room *used);

bool budget_is_spent(struct budget *budget);
/* What is used as of now, without what is reserved. */
struct spec_budget budget_used(struct budget *budget, int64_t now_us);
struct spec_budget budget_used_by(const struct run_row *run, const struct money_rates *rates);

/* One of the budget's keys that has a limit. */
struct budget_share {
    const char *key;
    uint64_t used, limit;                   /* time: milliseconds; cost: millionths */
    uint64_t step;                          /* what the smallest step onwards takes of it */
    char use[UNITS_TEXT], most[UNITS_TEXT]; /* the same for people */
    char *words;                            /* `4 000 of 5 000 records are written`; freed by budget_shares_done() */
};
#define BUDGET_KEYS 4
/* Those that have a limit, in the order of the spec; how many. */
size_t budget_shares(const struct spec_budget *limit, const struct spec_budget *used,
                     struct budget_share ret[BUDGET_KEYS]);
void budget_shares_done(struct budget_share *shares, size_t n);
/* The first that leaves no room for a step; NULL: none. */
const struct budget_share *budget_reached(const struct budget_share *shares, size_t n);
/* What is used of it; of one that the next record alone would pass, also what that takes. The caller frees. */
char *budget_reached_words(const struct budget_share *share);
/* The step is that of the record for which too little was left. */
void budget_step(struct budget *budget, struct budget_share *io, size_t n);
