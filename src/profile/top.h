/* The commonest values of a stream, about: the space-saving algorithm. A value that makes up more than 1/TOP_VALUES of
 * all is among them, and none is counted less often than it came; `over` says by how much it may be counted too often.
 *
 * A. Metwally, D. Agrawal, A. El Abbadi: "Efficient computation of frequent and top-k elements in data streams", ICDT
 * 2005. Pure; bounded. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOP_VALUES 64
#define TOP_BYTES  48 /* of a value's text: what is longer is shown by its beginning */

struct top_value {
    uint64_t hash, count, over;
    char text[TOP_BYTES + 1];
};

struct top {
    struct top_value of[TOP_VALUES];
    uint64_t hashes[TOP_VALUES]; /* theirs, side by side: they are looked through for each value */
    size_t n;
    uint64_t count; /* of all values */
    uint64_t least; /* no value is counted less often */
    size_t next;    /* from here on the rarest one is sought */
};

/* `text`: valid UTF-8, shown of it; the hash is what makes two values one. */
void top_add(struct top *top, uint64_t hash, const char *text, size_t len);
/* The same in two steps, where a text has its price: one that is there is counted; false: nothing was done, and
 * top_put() adds it, which must not be there. */
bool top_again(struct top *top, uint64_t hash);
void top_put(struct top *top, uint64_t hash, const char *text, size_t len);
void top_merge(struct top *into, const struct top *from);
/* How often the value came, at most; 0 where it is not among them. */
uint64_t top_count(const struct top *top, uint64_t hash);
bool top_has(const struct top *top, uint64_t hash); /* though it may count as 0, once it is scaled */
void top_sort(struct top *top);                     /* the commonest first */
