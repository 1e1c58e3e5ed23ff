/* The progress of a verification, of any bytes: read or refused, and what was read is written as the same bytes. */
#include "base/arena.h"
#include "fuzz.h"
#include "verify/progress.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct progress progress;
    int64_t kept_ms;
    auto_(arena) mem = arena_new(1 << 20);
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    if (progress_get(slice_of(data, size), NULL, mem, &progress, &kept_ms)) {
        progress_put(&progress, kept_ms, bytes);
        struct progress again;
        if (!progress_get(slice_of(bytes->data, bytes->len), NULL, mem, &again, &kept_ms))
            abort();
        if (again.n_units != progress.n_units || again.n_sums != progress.n_sums || bytes->len > size)
            abort();
        sketch_free(again.sketch);
    }
    sketch_free(progress.sketch);
    return 0;
}
