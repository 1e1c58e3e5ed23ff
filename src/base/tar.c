#include "base/tar.h"

#include <string.h>

#include "base/error.h"

#define BLOCK   512u
#define END     (2 * BLOCK)
#define BIGGEST UINT64_C(077777777777) /* what eleven octal digits hold */

struct header {
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], type, link[100], magic[6], version[2],
        user[32], group[32], major[8], minor[8], prefix[155], rest[12];
};
G_STATIC_ASSERT(sizeof(struct header) == BLOCK);

/* The parts of the path; where it fits as it is, no prefix. */
static bool set_path(struct header *header, const char *path)
{
    size_t len = strlen(path);
    if (len <= sizeof header->name) {
        memcpy(header->name, path, len);
        return true;
    }
    for (const char *at = strchr(path, '/'); at; at = strchr(at + 1, '/')) {
        size_t before = (size_t)(at - path), behind = len - before - 1;
        if (before <= sizeof header->prefix && behind <= sizeof header->name && behind > 0) {
            memcpy(header->prefix, path, before);
            memcpy(header->name, at + 1, behind);
            return true;
        }
    }
    return false;
}

/* With a zero behind them. */
static void set_octal(char *into, size_t size, uint64_t value)
{
    g_snprintf(into, (gulong)size, "%0*" G_GINT64_MODIFIER "o", (int)size - 1, value);
}

static void set_sum(struct header *header)
{
    const unsigned char *bytes = (const unsigned char *)header;
    unsigned sum = 0;
    memset(header->sum, ' ', sizeof header->sum);
    for (size_t i = 0; i < sizeof *header; i++)
        sum += bytes[i];
    g_snprintf(header->sum, sizeof header->sum, "%06o", sum); /* six digits, a zero, a blank */
}

static void put_zeros(GString *into, size_t n)
{
    gsize from = into->len;
    g_string_set_size(into, from + n);
    memset(into->str + from, 0, n);
}

bool tar_put(GString *into, const struct tar_file *file, GError **error)
{
    struct header header = {.type = '0', .magic = "ustar", .version = {'0', '0'}};
    size_t len = file->bytes.len;
    if (!set_path(&header, file->path) || len > BIGGEST)
        return error_set(error, SLUICE_ERROR_TOO_BIG, "%s: a tar archive has no room for such a %s", file->path,
                         len > BIGGEST ? "file" : "name");
    set_octal(header.mode, sizeof header.mode, 0644);
    set_octal(header.uid, sizeof header.uid, 0);
    set_octal(header.gid, sizeof header.gid, 0);
    set_octal(header.size, sizeof header.size, len);
    set_octal(header.mtime, sizeof header.mtime, (uint64_t)MAX(file->at_ms, 0) / 1000);
    set_sum(&header);
    g_string_append_len(into, (const char *)&header, sizeof header);
    g_string_append_len(into, (const char *)file->bytes.data, (gssize)len);
    put_zeros(into, (BLOCK - len % BLOCK) % BLOCK);
    return true;
}

void tar_end(GString *into)
{
    put_zeros(into, END);
}
