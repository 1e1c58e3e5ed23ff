/* Bytes from a store: what the check passes can be written as JSON that reads, digested and looked into; nothing else
 * that walks documents crashes on the rest. */
#include "fuzz.h"
#include "record/digest.h"
#include "record/key.h"
#include "record/version.h"

enum { ARENA_BYTES = 256 << 20 };

static void look_into(struct arena *mem, struct slice document, const char *text)
{
    struct path *path;
    struct slice key;
    struct version version;
    bson_iter_t iter;
    g_assert(path_parse(&path, text, NULL));
    struct key_paths one = {.n = 1, .paths = &path};
    (void)path_find(path, document, &iter);
    (void)key_make(&one, document, mem, &key, NULL);
    (void)version_of(path, document, &version, NULL);
    path_free(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const char *const paths[] = {"a", "a.b", "a.0", "a.1.b", "key"};
    auto_(arena) mem = arena_new(ARENA_BYTES);
    g_autoptr(GString) text = g_string_new("");
    g_autoptr(GError) error = NULL;
    struct slice document = slice_of(data, len), again;
    struct digest digest;
    bool sound = document_check(document, &error);
    bool written = document_to_json(document, text, NULL), digested = digest_canonical(document, 1, &digest, NULL);
    g_assert(sound == (error == NULL) && (!sound || (written && digested)));
    g_assert(!error || g_utf8_validate(error->message, -1, NULL));
    if (sound)
        g_assert(document_from_json(slice_of(text->str, text->len), mem, &again, NULL, NULL));
    for (size_t i = 0; i < G_N_ELEMENTS(paths); i++)
        look_into(mem, document, paths[i]);
    return 0;
}
