/* The shape of an index, and a record: place, entry, key and the document as JSON, each up to a byte of zero. Of an
 * entry that the record has, the record is one that may have it, unless there are too many to say. */
#include <string.h>

#include "base/arena.h"
#include "fuzz.h"
#include "record/document.h"
#include "record/entry.h"

enum { PARTS = 4, MEM_BYTES = 4 << 20 };

static bool holds(const GArray *keys, struct slice key)
{
    for (guint i = 0; i < keys->len; i++)
        if (slice_equal(g_array_index(keys, struct slice, i), key))
            return true;
    return false;
}

static void back(const struct entry_shape *shape, const struct entry *entry, struct slice key, struct arena *mem)
{
    struct slice name;
    g_autoptr(GError) failed = NULL;
    g_autoptr(GArray) keys = g_array_new(FALSE, FALSE, sizeof(struct slice));
    if (entry_shape_keys(shape, entry, mem, keys, &failed))
        g_assert(keys->len <= ENTRY_WAYS_MOST && holds(keys, key));
    else
        g_assert(failed);
    entry_shape_place(shape, entry->place, mem, &name, NULL);
}

static void look(const struct entry_shape *shape, struct slice key, struct slice document, struct arena *mem)
{
    g_autoptr(GArray) entries = g_array_new(FALSE, FALSE, sizeof(struct entry));
    if (entry_shape_of(shape, key, document, mem, entries, NULL))
        for (guint i = 0; i < MIN(entries->len, 16); i++)
            back(shape, &g_array_index(entries, struct entry, i), key, mem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    g_autofree char *text = g_strndup("", len + PARTS); /* zeros behind its end */
    const char *parts[PARTS] = {text};
    struct slice document;
    auto_(arena) mem = arena_new(MEM_BYTES);
    auto_(entry_shape) shape = NULL;
    if (len)
        memcpy(text, data, len);
    for (size_t i = 1; i < PARTS; i++)
        parts[i] = parts[i - 1] + strlen(parts[i - 1]) + 1;
    if (strlen(parts[2]) > 0 && document_from_json(slice_of_text(parts[3]), mem, &document, NULL, NULL) &&
        entry_shape_new(&shape, &(struct entry_texts){.place = parts[0], .entry = parts[1]}, NULL))
        look(shape, slice_of_text(parts[2]), document, mem);
    return 0;
}
