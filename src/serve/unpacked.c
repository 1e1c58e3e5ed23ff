#include "serve/unpacked.h"

#include <stdint.h>
#include <string.h>
#include <zlib.h>

enum { GZIP_ONLY = 16, TRAILER = 4, MOST = 64 << 20 };

/* `;q=0`, in whatever spelling: RFC 9110, 12.4.2. */
static bool is_refused(const char *params)
{
    const char *q = params ? strpbrk(params, "qQ") : NULL;
    return q && q[1] == '=' && g_ascii_strtod(q + 2, NULL) <= 0;
}

static bool is_gzip(const char *name)
{
    return g_ascii_strcasecmp(name, "gzip") == 0 || g_ascii_strcasecmp(name, "x-gzip") == 0;
}

bool unpacked_takes_gzip(const char *accepts)
{
    g_auto(GStrv) codings = g_strsplit(accepts ? accepts : "", ",", -1);
    bool takes = false;
    for (char **at = codings; *at; at++) {
        char *params = strchr(*at, ';');
        if (params)
            *params++ = '\0';
        const char *name = g_strstrip(*at);
        if (is_gzip(name))
            return !is_refused(params);
        takes |= strcmp(name, "*") == 0 && !is_refused(params);
    }
    return takes;
}

/* The last bytes of a member say how much was packed in it. */
static size_t size_of(const uint8_t *bytes, size_t n)
{
    uint32_t size;
    if (n < TRAILER)
        return 0;
    memcpy(&size, bytes + n - TRAILER, sizeof size);
    return GUINT32_FROM_LE(size);
}

GBytes *unpacked_of(const void *bytes, size_t n)
{
    size_t size = size_of(bytes, n);
    z_stream gzip = {.next_in = (Bytef *)(uintptr_t)bytes, .avail_in = (uInt)MIN(n, G_MAXINT)};
    if (size > MOST || n > MOST || inflateInit2(&gzip, MAX_WBITS + GZIP_ONLY) != Z_OK)
        return NULL;
    g_autofree uint8_t *text = g_malloc(size + 1);
    gzip.next_out = text;
    gzip.avail_out = (uInt)size + 1;
    bool whole = inflate(&gzip, Z_FINISH) == Z_STREAM_END && gzip.total_out == size;
    inflateEnd(&gzip);
    return whole ? g_bytes_new_take(g_steal_pointer(&text), size) : NULL;
}
