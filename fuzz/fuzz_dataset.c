/* A dataset's name, and behind the first newline a server's key: what is of the dataset has a record's key that leads
 * back to it, or to none. */
#include "fuzz.h"
#include "store/valkey/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *line = size ? memchr(data, '\n', size) : NULL;
    size_t len = line ? (size_t)(line - data) : size;
    g_autofree char *name = g_strndup((const char *)data, len);
    struct slice server = line ? slice_of(line + 1, size - len - 1) : SLICE_EMPTY, key, back;
    auto_(arena) mem = arena_new(1 << 20);
    auto_(key_template) template = NULL;
    bool ours;
    if (!key_template_parse(&template, name, NULL) ||
        !key_template_from_server(template, server, mem, &key, &ours, NULL) || !ours)
        return 0;
    g_assert(key_template_overlap(template, template));
    if (key_template_to_server(template, key, mem, &back, NULL))
        g_assert(slice_equal(server, back));
    return 0;
}
