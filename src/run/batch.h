/* One batch of a worker: its rows (what came out of the source) and items (what is wanted in the target).
 *
 * Internal to run/. Everything here lives in the batch's arena, or in arrays that are emptied with it. */
#pragma once

#include "run/job.h"
#include "run/op.h"

/* A listed key. It has ended when all its items have. */
struct row {
    struct record rec; /* its image in the source; replaced when a live source is looked at again */
    struct digest must, noted;
    const char *stays; /* why it may not remove its key; NULL: it may */
    enum outcome outcome;
    bool ended;
    bool has_outcome; /* of one of its items, while they are gathered */
    bool changed;     /* same dataset: the live record moved on; transform again */
    uint32_t looks;
    uint32_t tries;
    size_t n_items;
    struct fault fault; /* OUTCOME_REJECTED */
    bool has_document;
    struct slice document; /* for the quarantine */
};

enum item_state {
    ITEM_OPEN,    /* to be decided */
    ITEM_PENDING, /* in this round's write */
    ITEM_ENDED,
};

/* A key that is wanted in the target. */
struct item {
    size_t row; /* ROW_NOBODY: no row's, but what a dead holder left */
    struct slice key, raw;
    bool want_delete;
    bool only_ours; /* touch it only where what stands is what we wrote */
    int64_t expires_at_ms;
    bool expiry_settled; /* expires_at_ms does not depend on the live record */
    struct version version;
    struct record image;
    bool image_known, was_present;
    int64_t seen_expires_at_ms; /* was_present: the expiry of the image that stood before this one */
    bool must_read;             /* no guessing: another item of the batch wrote this key, or earlier work did */
    bool unknown;               /* the answer to its write was lost; the fence will tell */
    bool applied;               /* in this round */
    bool has_ours;              /* this run wrote it before: its stored digest then */
    struct digest ours;
    struct digest written; /* of the write of this round */
    uint64_t number;
    uint32_t tries;
    enum item_state state;
    enum outcome outcome;
};

#define ROW_NOBODY SIZE_MAX

struct batch_work {
    struct arena *mem;
    struct row nobody; /* of the items that are no row's; it counts nowhere */
    GArray *rows;      /* of struct row */
    GArray *items;     /* of struct item */
    GArray *order;     /* of size_t: items of this round, by key */
    GArray *intents;   /* of struct undo_intent */
    GArray *ops;       /* of struct cas_op */
    GArray *images;    /* of struct record: what READ and LOOK fill in */
    GArray *looked;    /* of size_t: rows that LOOK asks about */
    struct tally tally;
    uint64_t bytes_read, bytes_written;
    struct set_digest read, written;
    struct slice cursor;
    bool last;
    bool within; /* what it writes needs room of the budget */
    bool any_applied;
    size_t met;    /* items where something live stood when they were first looked at */
    bool has_undo; /* it has logged intents */
};

void batch_init(struct batch_work *batch, size_t memory_bytes);
void batch_done(struct batch_work *batch);
void batch_reset(struct batch_work *batch);

struct row *batch_row(struct batch_work *batch, size_t i);
struct item *batch_item(struct batch_work *batch, size_t i);
struct item *batch_item_add(struct batch_work *batch, size_t row, struct slice key);

void row_end(struct row *row, enum outcome outcome);
void row_refuse(struct row *row, enum error_code code, const char *text);
void item_end(struct item *item, enum outcome outcome);
/* Before another image takes the place of the known one. */
void item_note_present(struct item *item);

/* Gives each row whose items have all ended its own outcome, and counts everything: once, before the checkpoint. */
void batch_tally(struct batch_work *batch);

/* Four bits a row, low nibble first. Losers of a duplicates pass are not listed keys and have none. */
bool batch_outcomes(struct batch_work *batch, struct slice *ret);

/* Items in a state, by key (and then by their order in the batch); with `unique`, of equal keys only the first. */
void batch_select(struct batch_work *batch, bool (*wanted)(const struct item *), bool unique);
