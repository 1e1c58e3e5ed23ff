#include "listing/keys.h"

const struct blockfile_kind listing_kind = {
    .magic = "SLLIST1\n", .version = 1, .block_magic = 0x5453494c, .sealed_as = "reports"};

static size_t shared_len(struct slice a, struct slice b)
{
    size_t len = MIN(a.len, b.len), n = 0;
    while (n < len && a.data[n] == b.data[n])
        n++;
    return n;
}

void keys_put(GByteArray *into, GByteArray *io_last, struct slice key)
{
    size_t shared = shared_len(slice_of(io_last->data, io_last->len), key);
    struct slice rest = slice_of(shared ? key.data + shared : key.data, key.len - shared);
    put_varint(into, shared);
    put_prefixed(into, rest);
    g_byte_array_set_size(io_last, (guint)shared);
    put_bytes(io_last, rest);
}

bool keys_part(struct reader *reader, size_t last_len, size_t *ret_shared, struct slice *ret_rest)
{
    uint64_t shared = reader_varint(reader);
    struct slice rest = reader_prefixed(reader);
    if (!reader->ok || shared > last_len || rest.len > G_MAXINT)
        return false;
    *ret_shared = (size_t)shared;
    *ret_rest = rest;
    return true;
}

bool keys_read(struct reader *reader, GByteArray *io_last)
{
    size_t shared;
    struct slice rest;
    if (!keys_part(reader, io_last->len, &shared, &rest))
        return false;
    g_byte_array_set_size(io_last, (guint)shared);
    put_bytes(io_last, rest);
    return true;
}
