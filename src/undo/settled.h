/* Which numbered writes were applied: the outcomes of the whole log, two bits a number. Of use to src/undo alone.
 * Memory: about 190 bytes for each 512 numbers of a lane. One thread. */
#pragma once

#include "undo/walk.h"

struct undo_settled;

struct undo_settled *undo_settled_new(void);
void undo_settled_free(struct undo_settled *settled);
AUTO_DEFINE(undo_settled, undo_settled_free)

/* The outcomes of one block, whose payload has the length that its head says. */
void undo_settled_add(struct undo_settled *settled, const struct undo_head *head, struct slice applied);

/* The outcome of one number, which now has been asked for. */
enum undo_state undo_settled_ask(struct undo_settled *settled, uint32_t part, uint32_t lane, uint64_t number);

/* Of a range of numbers that cannot be asked for one by one, because what they stood in is lost. */
struct undo_settled_range {
    uint32_t part, lane;
    uint64_t first_number;
    uint32_t n;
};
struct undo_settled_count {
    uint32_t applied, unknown;
};
struct undo_settled_count undo_settled_ask_range(struct undo_settled *settled, const struct undo_settled_range *range);

/* Every run of numbers that were applied, but never asked for: of intents that nobody could read. */
struct undo_settled_left {
    void (*run)(void *self, uint32_t part, uint32_t lane, uint64_t first_number, uint32_t n);
    void *self;
};
void undo_settled_left(struct undo_settled *settled, const struct undo_settled_left *into);
