#include "store/file/format.h"

#include <string.h>

static const struct {
    const char *extension;
    enum file_format format;
} formats[] = {
    {".ndjson", FORMAT_NDJSON},
    {".jsonl", FORMAT_NDJSON},
    {".json", FORMAT_JSON},
    {".csv", FORMAT_CSV},
};

static const struct {
    const char *extension;
    enum file_packing packing;
} packings[] = {
    {".gz", PACKING_GZIP},
    {".zst", PACKING_ZSTD},
    {"", PACKING_NONE},
};

const char file_form_words[] = ".ndjson, .jsonl, .json or .csv, each also with .gz or .zst";

/* Whether the first `len` bytes of the name end so; *len becomes what is before. */
static bool ends_with(const char *name, const char *extension, size_t *len)
{
    size_t extension_len = strlen(extension);
    if (*len < extension_len || memcmp(name + *len - extension_len, extension, extension_len) != 0)
        return false;
    *len -= extension_len;
    return true;
}

bool file_form_of(const char *name, struct file_form *ret, size_t *ret_stem)
{
    size_t len = strlen(name), packing = 0;
    while (!ends_with(name, packings[packing].extension, &len))
        packing++;
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        if (!ends_with(name, formats[i].extension, &len))
            continue;
        *ret = (struct file_form){.format = formats[i].format, .packing = packings[packing].packing};
        if (ret_stem)
            *ret_stem = len;
        return true;
    }
    return false;
}

bool file_form_splits(struct file_form form)
{
    return form.packing == PACKING_NONE && form.format != FORMAT_JSON;
}
