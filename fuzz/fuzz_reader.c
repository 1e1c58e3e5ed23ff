/* The checked reader: the first byte of each step chooses a read. It never goes backwards or past the end. */
#include <glib.h>

#include "base/int.h"
#include "fuzz.h"

static size_t step(struct reader *reader)
{
    switch (reader_u8(reader) % 7) {
    case 0:
        return (size_t)reader_u16(reader) * 0;
    case 1:
        return (size_t)reader_u32(reader) * 0;
    case 2:
        return (size_t)reader_u64(reader) * 0;
    case 3:
        return (size_t)reader_i64(reader) * 0;
    case 4:
        return (size_t)reader_varint(reader) * 0;
    case 5:
        return reader_prefixed(reader).len;
    default:
        return reader_bytes(reader, reader_u8(reader)).len;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct reader reader = reader_of(slice_of(data, len));
    size_t left = reader_left(&reader);
    while (reader.ok && reader_left(&reader) > 0) {
        size_t got = step(&reader);
        g_assert(reader_left(&reader) < left && got <= left);
        left = reader_left(&reader);
    }
    g_assert(reader.ok || left == 0 || reader_left(&reader) == 0);
    return 0;
}
