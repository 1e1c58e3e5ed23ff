/* The JSON reader: what it takes is a sound document, which written and read again has the same bytes and digest; what
 * it refuses it refuses at a place of the text. */
#include "fuzz.h"
#include "record/digest.h"

enum { ARENA_BYTES = 256 << 20 };

static void comes_back(struct arena *mem, struct slice document)
{
    g_autoptr(GString) text = g_string_new("");
    struct slice again;
    struct digest before, after;
    g_assert(document_check(document, NULL));
    g_assert(document_to_json(document, text, NULL));
    g_assert(document_from_json(slice_of(text->str, text->len), mem, &again, NULL, NULL));
    g_assert(slice_equal(document, again));
    g_assert(digest_canonical(document, 1, &before, NULL) && digest_canonical(again, 1, &after, NULL));
    g_assert(digest_equal(before, after));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    auto_(arena) mem = arena_new(ARENA_BYTES);
    g_autoptr(GError) error = NULL;
    struct slice document;
    size_t at = SIZE_MAX;
    if (document_from_json(slice_of(data, len), mem, &document, &at, &error))
        comes_back(mem, document);
    else
        g_assert(at <= len && g_utf8_validate(error->message, -1, NULL));
    return 0;
}
