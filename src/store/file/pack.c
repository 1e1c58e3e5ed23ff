#include "store/file/pack.h"

#include <zlib.h>
#include <zstd.h>

#include "base/int.h"

enum { GZIP_ONLY = 16, GZIP_MEMORY = 8, ZSTD_LEVEL = 3, MOST = 1 << 30 };

static bool fail(GError **error, const char *what)
{
    return error_set(error, SLUICE_ERROR_STORE, "cannot compress: %s", what);
}

/* Room for `bound` bytes behind what is there; NULL where that is too much. */
static uint8_t *room(GByteArray *into, size_t bound)
{
    guint had = into->len;
    if (bound > MOST - had)
        return NULL;
    g_byte_array_set_size(into, had + (guint)bound);
    return into->data + had;
}

static bool pack_gzip(struct slice text, GByteArray *into, GError **error)
{
    z_stream gzip = {0};
    guint had = into->len;
    if (deflateInit2(&gzip, Z_DEFAULT_COMPRESSION, Z_DEFLATED, MAX_WBITS + GZIP_ONLY, GZIP_MEMORY,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        return fail(error, "zlib cannot be set up");
    size_t bound = deflateBound(&gzip, text.len);
    uint8_t *out = room(into, bound);
    gzip.next_in = (Bytef *)(uintptr_t)text.data;
    gzip.avail_in = (uInt)text.len;
    gzip.next_out = out;
    gzip.avail_out = (uInt)bound;
    bool ok = out && text.len <= MOST && deflate(&gzip, Z_FINISH) == Z_STREAM_END;
    size_t len = ok ? (size_t)(gzip.next_out - out) : 0;
    deflateEnd(&gzip);
    g_byte_array_set_size(into, had + (guint)len);
    return ok || fail(error, "too much for one file");
}

static bool pack_zstd(struct slice text, GByteArray *into, GError **error)
{
    guint had = into->len;
    size_t bound = ZSTD_compressBound(text.len);
    uint8_t *out = room(into, bound);
    ZSTD_CCtx *zstd = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL);
    ZSTD_CCtx_setParameter(zstd, ZSTD_c_checksumFlag, 1);
    size_t len = out ? ZSTD_compress2(zstd, out, bound, text.data, text.len) : 0;
    ZSTD_freeCCtx(zstd);
    bool ok = out && !ZSTD_isError(len);
    g_byte_array_set_size(into, had + (ok ? (guint)len : 0));
    return ok || fail(error, "too much for one file");
}

static bool pack_none(struct slice text, GByteArray *into, GError **error)
{
    put_bytes(into, text);
    return true;
}

bool file_pack(enum file_packing packing, struct slice text, GByteArray *into, GError **error)
{
    static bool (*const packs[])(struct slice, GByteArray *, GError **) = {
        [PACKING_NONE] = pack_none,
        [PACKING_GZIP] = pack_gzip,
        [PACKING_ZSTD] = pack_zstd,
    };
    return packs[packing](text, into, error);
}
