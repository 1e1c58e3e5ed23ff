#include "base/slicesort.h"

static int compare(const void *a, const void *b)
{
    const struct slice_place *x = a, *y = b;
    if (x->head != y->head)
        return x->head < y->head ? -1 : 1;
    int order = slice_compare(x->key, y->key);
    return order ? order : (x->place > y->place) - (x->place < y->place);
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

void slicesort(struct slice_place *io, size_t n)
{
    if (n < 2)
        return;
    size_t alike = io[0].key.len;
    for (size_t i = 1; i < n; i++)
        alike = begin_alike(io[0].key, io[i].key, alike);
    for (size_t i = 0; i < n; i++)
        io[i].head = head_of(io[i].key, alike);
    qsort(io, n, sizeof *io, compare);
}
