/* Sorts many keys at once. What keys begin with all of them is looked at once: the eight bytes behind it, as a number,
 * decide most comparisons without touching the keys again. */
#pragma once

#include "base/slice.h"

struct slice_place {
    struct slice key;
    size_t place;  /* where it belongs; the caller's */
    uint64_t head; /* set here */
};

/* Bytewise, equal keys by place. Takes memory for as many once more. */
void slicesort(struct slice_place *io, size_t n);
