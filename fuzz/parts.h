/* An input of several parts, with a byte of zero between them. */
#pragma once

#include <string.h>

#include "base/slice.h"

static inline struct slice next_part(struct slice *io_rest)
{
    const uint8_t *end = io_rest->len ? memchr(io_rest->data, 0, io_rest->len) : NULL;
    size_t len = end ? (size_t)(end - io_rest->data) : io_rest->len, past = end ? len + 1 : len;
    struct slice part = slice_of(io_rest->data, len);
    *io_rest = slice_of(io_rest->data + past, io_rest->len - past);
    return part;
}
