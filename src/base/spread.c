#include "base/spread.h"

#include <glib.h>

#define GOLDEN 0.6180339887498949

static size_t common_divisor(size_t a, size_t b)
{
    while (b) {
        size_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static size_t stride_of(size_t n)
{
    size_t stride = MAX((size_t)((double)n * GOLDEN), (size_t)1);
    while (common_divisor(stride, n) != 1)
        stride++;
    return stride;
}

size_t spread_at(size_t i, size_t n)
{
    G_STATIC_ASSERT(sizeof(unsigned __int128) > sizeof(size_t));
    return n < 2 ? 0 : (size_t)((unsigned __int128)i * stride_of(n) % n);
}
