/* A sketch of any bytes: peeled, it ends, gives no more than its cells can hold, and what it gives goes back in. */
#include "fuzz.h"
#include "record/sketch.h"

static void try_layout(const uint8_t *data, size_t size, enum sketch_layout layout)
{
    g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(struct sketch_entry));
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    auto_(sketch) sketch = sketch_get(slice_of(data, size), 1, layout);
    if (!sketch)
        return;
    sketch_put(sketch, bytes);
    if (bytes->len != size || memcmp(bytes->data, data, size) != 0)
        abort();
    bool all = sketch_peel(sketch, found);
    if (found->len > sketch->n + 1)
        abort();
    auto_(sketch) again = sketch_like(sketch);
    auto_(sketch) second = sketch_like(sketch);
    for (guint i = 0; i < found->len; i++) {
        const struct sketch_entry *entry = &g_array_index(found, struct sketch_entry, i);
        sketch_add(entry->second ? second : again, entry->key, entry->value);
    }
    sketch_subtract(again, second);
    g_byte_array_set_size(bytes, 0);
    sketch_put(again, bytes);
    if (all && memcmp(bytes->data, data, size) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_layout(data, size, SKETCH_RATELESS);
    try_layout(data, size, SKETCH_TABLES);
    return 0;
}
