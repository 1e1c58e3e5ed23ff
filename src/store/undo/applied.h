/* The outcomes of one partition: which numbers of its lanes were applied. Of use to src/store/undo alone. */
#pragma once

#include "store/undo/decode.h"

struct undo_applied;

enum undo_answer { UNDO_NOT_TOLD, UNDO_WAS_APPLIED, UNDO_WAS_NOT };

struct undo_applied *undo_applied_new(void);
void undo_applied_free(struct undo_applied *applied);

/* false: the payload is not one bit for each number that the head tells. */
bool undo_applied_add(struct undo_applied *applied, const struct undo_block_head *head, struct slice payload);
enum undo_answer undo_applied_ask(const struct undo_applied *applied, uint32_t lane, uint64_t number);
/* Whether any number that the head tells was applied. By what is known, not by the numbers: a count may lie. */
bool undo_applied_any(const struct undo_applied *applied, const struct undo_block_head *head);
