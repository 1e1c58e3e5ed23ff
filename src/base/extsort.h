/* External merge sort of fixed-size items, bytewise by a prefix of each: memory is bounded, the disk is not.
 *
 * Feed, then read back in order. Runs are spilled below `dir` as unnamed temporary files, which go with the sorter or
 * the process; `dir` is not touched while everything fits. One thread at a time. After an error only extsort_free() may
 * follow. */
#pragma once

#include "base/file.h"

struct extsort;

struct extsort_shape {
    size_t item_len, key_len; /* sorted by the first key_len bytes of each item */
    /* Bounds what is held, index and merge buffers included (never less than a few hundred KiB); the disk takes up to
     * twice the items. */
    size_t memory_bytes;
};

bool extsort_new(struct extsort **ret, const struct world *world, const char *dir, const struct extsort_shape *shape,
                 GError **error);
void extsort_free(struct extsort *sort);
AUTO_DEFINE(extsort, extsort_free)

bool extsort_add(struct extsort *sort, const void *item, GError **error);
bool extsort_finish(struct extsort *sort, GError **error); /* no more items; the first extsort_next() may follow */

/* *ret points at the next item, valid until the next call; NULL at the end. Equal keys come in the order added. */
bool extsort_next(struct extsort *sort, const uint8_t **ret, GError **error);
uint64_t extsort_count(const struct extsort *sort);
