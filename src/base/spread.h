/* An order in which neighbours are far apart: of things that stand in a row, of which those next to each other are
 * alike.
 *
 * A fixed stride round the row, near the golden ratio of its length and prime to it. By the three distance theorem
 * (Sós, 1958) the first ones of it, however many, lie about evenly over the whole row. Pure. */
#pragma once

#include <stddef.h>

/* Which of `n` is the i-th: each once for i from 0 to n - 1; the first is 0. */
size_t spread_at(size_t i, size_t n);
