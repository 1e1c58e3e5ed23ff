/* Replies of a server that stand one behind the other. */
#pragma once

#include "store/valkey/resp.h"

/* false: nothing that is whole follows. */
static inline bool next_reply(struct slice *io_bytes, struct arena *mem, struct reply *ret)
{
    static const struct resp_limits limits = {.bytes = 1 << 20, .elements = 1 << 14};
    struct resp_scan scan = {0};
    bool whole = false;
    if (!resp_scan(&scan, *io_bytes, &limits, &whole, NULL) || !whole ||
        !resp_read(slice_of(io_bytes->data, scan.at), mem, ret, NULL))
        return false;
    *io_bytes = slice_of(io_bytes->data + scan.at, io_bytes->len - scan.at);
    return true;
}
