/* A profile of any bytes: refused, or compared with another and with itself, counted less, and written as it was read.
 */
#include <math.h>

#include "fuzz.h"
#include "profile/fields.h"

static void compare(struct profile *before, struct profile *after)
{
    g_autoptr(GArray) shifts = profile_compare(before, after);
    for (guint i = 0; i < shifts->len; i++)
        if (isnan(g_array_index(shifts, struct profile_shift, i).test.chance))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader reader = reader_of(slice_of(data, size));
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    auto_(profile) profile = profile_get(&reader);
    if (!profile)
        return 0;
    profile_put(profile, bytes);
    struct reader again = reader_of(slice_of(bytes->data, bytes->len));
    auto_(profile) second = profile_get(&again);
    if (!second || reader_left(&again) > 0)
        abort();
    compare(profile, second);
    auto_(profile) all = profile_new();
    profile_scale(second, 0.5);
    profile_merge(all, second);
    profile_merge(all, profile);
    compare(profile, all);
    return 0;
}
