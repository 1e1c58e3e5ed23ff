#include "base/slicesort.h"

#include <glib.h>

enum { SHORT = 8 }; /* sorted by insertion */

static inline bool is_before(const struct slice_place *x, const struct slice_place *y)
{
    if (x->head != y->head)
        return x->head < y->head;
    int order = slice_compare(x->key, y->key);
    return order ? order < 0 : x->place < y->place;
}

static size_t begin_alike(struct slice a, struct slice b, size_t most)
{
    size_t len = 0;
    while (len < most && len < a.len && len < b.len && a.data[len] == b.data[len])
        len++;
    return len;
}

/* A key that ends before is filled up with zeros; where that makes two heads equal, the keys are compared. */
static uint64_t head_of(struct slice key, size_t from)
{
    uint64_t head = 0;
    for (size_t i = from; i < from + sizeof head; i++)
        head = head << 8 | (i < key.len ? key.data[i] : 0);
    return head;
}

static void sort_short(struct slice_place *io, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        struct slice_place one = io[i];
        size_t to = i;
        for (; to > 0 && is_before(&one, &io[to - 1]); to--)
            io[to] = io[to - 1];
        io[to] = one;
    }
}

/* Two sorted stretches, [0, middle) and [middle, n). */
static void merge(const struct slice_place *from, size_t middle, size_t n, struct slice_place *into)
{
    size_t a = 0, b = middle, at = 0;
    while (a < middle && b < n)
        into[at++] = is_before(&from[b], &from[a]) ? from[b++] : from[a++];
    for (; a < middle; a++)
        into[at++] = from[a];
    for (; b < n; b++)
        into[at++] = from[b];
}

/* From the bottom up; qsort() would take a call for each comparison. */
static void sort(struct slice_place *io, size_t n)
{
    for (size_t i = 0; i < n; i += SHORT)
        sort_short(io + i, MIN((size_t)SHORT, n - i));
    if (n <= SHORT)
        return;
    g_autofree struct slice_place *spare = g_new(struct slice_place, n);
    struct slice_place *from = io, *into = spare;
    for (size_t len = SHORT; len < n; len *= 2) {
        for (size_t i = 0; i < n; i += 2 * len)
            merge(from + i, MIN(len, n - i), MIN(2 * len, n - i), into + i);
        struct slice_place *sorted = into;
        into = from;
        from = sorted;
    }
    if (from != io)
        memcpy(io, from, n * sizeof *io);
}

void slicesort(struct slice_place *io, size_t n)
{
    if (n < 2)
        return;
    size_t alike = io[0].key.len;
    for (size_t i = 1; i < n; i++)
        alike = begin_alike(io[0].key, io[i].key, alike);
    for (size_t i = 0; i < n; i++)
        io[i].head = head_of(io[i].key, alike);
    sort(io, n);
}
