/* Ranges of keys: the bounds, the cursor and the splitting of every store whose keys are ordered. Pure.
 *
 * Bounds as bytes: version:u8 flags:u8 from:prefixed [to:prefixed]; flag 1 is "has an end". Keys k with from ≤ k < to.
 * A cursor is the smallest key that may still follow: the last key and a zero byte. */
#pragma once

#include "store/store.h"

struct key_range {
    struct slice from, to; /* borrowed */
    bool has_end;
};

/* Of a part's bounds (empty: everything) narrowed by a cursor (empty: none); slices borrow from both. */
bool key_range_decode(struct key_range *ret, struct slice bounds, struct slice cursor, GError **error);
bool key_range_holds(const struct key_range *range, struct slice key);
bool key_range_cursor(struct arena *mem, struct slice last, struct slice *ret) must_use; /* false: does not fit */

/* The bounds of the keys from `from` on, up to `to` (NULL: up to the last there is). false: does not fit. */
bool key_range_encode(struct arena *mem, struct slice from, const struct slice *to, struct slice *ret) must_use;

/* Fed every key of a dataset in order, it gives parts that cover all keys there are and will be, exactly once. With
 * records_each every part but the last has so many; with a count all have about as many, and what is kept meanwhile is
 * bounded whatever the dataset's size: marks at a stride that doubles. */
struct key_splitter;

struct key_splitter *key_splitter_new(const struct split_wish *wish);
void key_splitter_free(struct key_splitter *splitter);
AUTO_DEFINE(key_splitter, key_splitter_free)
void key_splitter_add(struct key_splitter *splitter, struct slice key, uint64_t bytes);
bool key_splitter_finish(struct key_splitter *splitter, struct part_list *into, GError **error);
