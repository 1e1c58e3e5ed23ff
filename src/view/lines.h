/* What lies between two texts, line by line: for `diff`. */
#pragma once

#include "base/slice.h"

/* A line that stands in one of them only; numbers from 1, of its own text. */
struct line_change {
    bool added; /* it stands in the second one */
    size_t number;
    const char *text;
};

/* Calls `each` for every such line, in order: a longest common subsequence is what stays (Hunt and McIlroy, 1976).
 * Texts that differ in more than some thousand lines on both sides are told as gone and come. */
void lines_compare(struct slice a, struct slice b, void (*each)(void *self, const struct line_change *change),
                   void *self);
