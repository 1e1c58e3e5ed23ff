/* What a server's DUMP gives: whatever the bytes, they are refused, or they are a value that is written and read back
 * to the same. */
#include "fuzz.h"
#include "store/valkey/dump.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_(arena) mem = arena_new(1 << 24);
    struct slice value, payload, again;
    if (!dump_read(slice_of(data, size), mem, &value, NULL) || !dump_check(value, NULL))
        return 0;
    if (!dump_write(value, mem, &payload, NULL) || !dump_read(payload, mem, &again, NULL))
        return 0; /* too big for this memory */
    g_assert(slice_equal(value, again));
    return 0;
}
