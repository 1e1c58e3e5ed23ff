/* What a checkpoint says of earlier writes: read, put again, and read once more it says the same. */
#include "base/int.h"
#include "fuzz.h"
#include "run/claims.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_(claims) claims = claims_new();
    auto_(claims) again = claims_new();
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autoptr(GByteArray) twice = g_byte_array_new();
    if (!claims_get(claims, slice_of(data, size)))
        return 0;
    claims_put(claims, bytes);
    g_assert(bytes->len <= size);
    g_assert(claims_get(again, slice_of(bytes->data, bytes->len)));
    claims_put(again, twice);
    g_assert(slice_equal(slice_of(bytes->data, bytes->len), slice_of(twice->data, twice->len)));
    struct reader reader = reader_of(slice_of(data, size));
    uint32_t lane = (uint32_t)reader_varint(&reader);
    uint64_t number = reader_varint(&reader);
    g_assert(claims_have(claims, lane, number) == claims_have(again, lane, number));
    return 0;
}
