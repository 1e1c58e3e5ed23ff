#include "store/file/unpack.h"

#include <glib.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

enum { GZIP_ONLY = 16 };

struct unpacker {
    const struct unpack_kind *kind;
    z_stream gzip;
    ZSTD_DCtx *zstd;
    bool complete; /* at the end of a member or frame, or in the padding behind it */
    bool padding;
};

struct unpack_kind {
    bool (*step)(struct unpacker *, struct slice *, uint8_t *, size_t, size_t *, const char **);
};

static void take(struct slice *from, size_t n)
{
    *from = slice_of(from->data + n, from->len - n);
}

/* Behind the last member only zeros may follow (tape blocks), as gzip itself has it. */
static bool gzip_between(struct unpacker *unpacker, struct slice *from, const char **ret_what)
{
    for (; from->len > 0 && from->data[0] == 0; take(from, 1))
        unpacker->padding = true;
    if (from->len == 0)
        return true;
    if (unpacker->padding || inflateReset(&unpacker->gzip) != Z_OK) {
        *ret_what = "something that is no gzip member follows the archive";
        return false;
    }
    unpacker->complete = false;
    return true;
}

static bool gzip_step(struct unpacker *unpacker, struct slice *from, uint8_t *into, size_t len, size_t *ret_len,
                      const char **ret_what)
{
    *ret_len = 0;
    if (unpacker->complete && !gzip_between(unpacker, from, ret_what))
        return false;
    if (unpacker->complete)
        return true;
    z_stream *gzip = &unpacker->gzip;
    gzip->next_in = (Bytef *)(uintptr_t)from->data;
    gzip->avail_in = (uInt)MIN(from->len, G_MAXINT);
    gzip->next_out = into;
    gzip->avail_out = (uInt)MIN(len, G_MAXINT);
    int result = inflate(gzip, Z_NO_FLUSH);
    take(from, (size_t)(gzip->next_in - from->data));
    *ret_len = (size_t)(gzip->next_out - into);
    unpacker->complete = result == Z_STREAM_END;
    if (result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR)
        return true;
    *ret_what = gzip->msg ? gzip->msg : "no gzip data";
    return false;
}

static bool zstd_step(struct unpacker *unpacker, struct slice *from, uint8_t *into, size_t len, size_t *ret_len,
                      const char **ret_what)
{
    *ret_len = 0;
    if (unpacker->complete && from->len == 0)
        return true; /* asked again, it would expect a frame */
    ZSTD_inBuffer in = {.src = from->data, .size = from->len};
    ZSTD_outBuffer out = {.dst = into, .size = len};
    size_t result = ZSTD_decompressStream(unpacker->zstd, &out, &in);
    take(from, in.pos);
    if (ZSTD_isError(result)) {
        *ret_what = ZSTD_getErrorCode(result) == ZSTD_error_frameParameter_windowTooLarge
                        ? "it wants more than 128 MiB to be unpacked; pack it without --long"
                        : ZSTD_getErrorName(result);
        return false;
    }
    *ret_len = out.pos;
    unpacker->complete = result == 0;
    return true;
}

static const struct unpack_kind kinds[] = {
    [PACKING_GZIP] = {gzip_step},
    [PACKING_ZSTD] = {zstd_step},
};

struct unpacker *unpacker_new(enum file_packing packing)
{
    struct unpacker *unpacker = g_new0(struct unpacker, 1);
    unpacker->kind = &kinds[packing];
    if (packing == PACKING_ZSTD)
        unpacker->zstd = ZSTD_createDCtx();
    else if (inflateInit2(&unpacker->gzip, MAX_WBITS + GZIP_ONLY) != Z_OK)
        g_error("zlib cannot be set up");
    return unpacker;
}

void unpacker_free(struct unpacker *unpacker)
{
    if (!unpacker)
        return;
    if (unpacker->zstd)
        ZSTD_freeDCtx(unpacker->zstd);
    else
        inflateEnd(&unpacker->gzip);
    g_free(unpacker);
}

bool unpacker_step(struct unpacker *unpacker, struct slice *io_from, uint8_t *into, size_t len, size_t *ret_len,
                   const char **ret_what)
{
    return unpacker->kind->step(unpacker, io_from, into, len, ret_len, ret_what);
}

bool unpacker_complete(const struct unpacker *unpacker)
{
    return unpacker->complete;
}
