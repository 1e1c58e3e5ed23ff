/* The text of MEMORY MALLOC-STATS, as jemalloc 5 writes it: how large what lives in a server is. Pure. */
#pragma once

#include "base/slice.h"

/* What is smaller is not told apart by it, or more, where pages are larger than 4 KiB. */
#define ALLOCATOR_LEAST_BYTES (16u << 10)

/* No single allocation that lives is larger than *ret_bytes. Left out of it is one table of `table_bytes` at least, a
 * power of two, that is known to be there (0: none): the smallest that can be it, so that what is said of the others
 * holds whichever it is. false: the text does not say. */
bool allocator_largest(struct slice text, uint64_t table_bytes, uint64_t *ret_bytes);
