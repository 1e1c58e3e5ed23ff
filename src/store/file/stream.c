#include "store/file/stream.h"

#include <xxhash.h>

#include "record/text.h"
#include "store/file/unpack.h"

enum { PACKED_CHUNK = 256 * 1024, DIGEST_CHUNK = 1024 * 1024 };

struct file_stream {
    struct file *file;
    struct world_stat stat;
    uint64_t at, to; /* of the file: what has been read and digested, where the range ends */
    XXH3_state_t *sum;
    struct unpacker *unpacker; /* NULL: none is needed */
    uint8_t *packed;           /* read, not unpacked yet: `left` lies in it */
    size_t packed_room;
    struct slice left;
    bool packed_ended;
};

bool file_stream_open(struct file_stream **ret, const struct world *world, const struct stream_range *range,
                      GError **error)
{
    auto_(file) file = NULL;
    struct world_stat stat;
    if (!file_open(&file, world, range->path, FILE_READ, error) || !file_stat(file, &stat, error))
        return false;
    struct file_stream *stream = g_new0(struct file_stream, 1);
    *stream = (struct file_stream){
        .file = g_steal_pointer(&file), .stat = stat, .at = range->from, .to = range->to, .sum = XXH3_createState()};
    XXH3_128bits_reset(stream->sum);
    if (range->packing != PACKING_NONE) {
        stream->unpacker = unpacker_new(range->packing);
        stream->packed_room = (size_t)CLAMP(range->to - range->from, 1, PACKED_CHUNK);
        stream->packed = g_malloc(stream->packed_room);
    }
    *ret = stream;
    return true;
}

void file_stream_free(struct file_stream *stream)
{
    if (!stream)
        return;
    file_free(stream->file);
    XXH3_freeState(stream->sum);
    unpacker_free(stream->unpacker);
    g_free(stream->packed);
    g_free(stream);
}

uint64_t file_stream_left(const struct file_stream *stream)
{
    return stream->unpacker ? UINT64_MAX : MIN(stream->to, MAX(stream->stat.size, stream->at)) - stream->at;
}

const struct world_stat *file_stream_stat(const struct file_stream *stream)
{
    return &stream->stat;
}

struct digest file_stream_digest(const struct file_stream *stream)
{
    XXH128_hash_t hash = XXH3_128bits_digest(stream->sum);
    return (struct digest){.low = hash.low64, .high = hash.high64};
}

/* Bytes of the file itself. */
static bool read_plain(struct file_stream *stream, uint8_t *into, size_t len, size_t *ret_len, GError **error)
{
    size_t got;
    if (!file_read_at(stream->file, stream->at, into, (size_t)MIN(len, stream->to - stream->at), &got, error))
        return false;
    XXH3_128bits_update(stream->sum, into, got);
    stream->at += got;
    *ret_len = got;
    return true;
}

static bool damaged(const struct file_stream *stream, const char *what, GError **error)
{
    return error_set(error, SLUICE_ERROR_CORRUPT,
                     "%s: the archive is damaged at byte %" G_GUINT64_FORMAT ": %s; replace the file with a whole copy",
                     file_path(stream->file), (guint64)(stream->at - stream->left.len), what);
}

/* What an archive of either kind begins with: a gzip member, a zstd frame, or one of zstd's to be skipped. */
static bool is_archive(struct slice head)
{
    static const uint8_t gzip[] = {0x1f, 0x8b}, zstd[] = {0x28, 0xb5, 0x2f, 0xfd};
    return (head.len >= sizeof gzip && memcmp(head.data, gzip, sizeof gzip) == 0) ||
           (head.len >= sizeof zstd && memcmp(head.data, zstd, sizeof zstd) == 0) ||
           (head.len >= sizeof zstd && head.data[0] >> 4 == 5 && memcmp(head.data + 1, "\x2a\x4d\x18", 3) == 0);
}

static bool no_archive(const struct file_stream *stream, GError **error)
{
    char quote[TEXT_QUOTE];
    return error_set(error, SLUICE_ERROR_CORRUPT,
                     "%s:1:1: its name says that it is packed, and it is not: it begins with '%s'; rename it, or "
                     "replace it with a whole copy",
                     file_path(stream->file), text_quote(stream->left, quote));
}

static bool read_packed(struct file_stream *stream, GError **error)
{
    size_t got;
    if (!read_plain(stream, stream->packed, stream->packed_room, &got, error))
        return false;
    bool first = stream->at == got;
    stream->left = slice_of(stream->packed, got);
    stream->packed_ended = got == 0;
    return !first || got == 0 || is_archive(stream->left) || no_archive(stream, error);
}

static bool read_unpacked(struct file_stream *stream, uint8_t *into, size_t len, size_t *ret_len, GError **error)
{
    size_t have = 0, got;
    const char *what;
    while (have < len) {
        if (stream->left.len == 0 && !stream->packed_ended && !read_packed(stream, error))
            return false;
        if (!unpacker_step(stream->unpacker, &stream->left, into + have, len - have, &got, &what))
            return damaged(stream, what, error);
        have += got;
        if (got == 0 && stream->packed_ended)
            break;
    }
    if (have == 0 && len > 0 && !unpacker_complete(stream->unpacker))
        return damaged(stream, "it ends in the middle of its data", error);
    *ret_len = have;
    return true;
}

bool file_stream_read(struct file_stream *stream, uint8_t *into, size_t len, size_t *ret_len, GError **error)
{
    return stream->unpacker ? read_unpacked(stream, into, len, ret_len, error)
                            : read_plain(stream, into, len, ret_len, error);
}

bool file_range_digest(const struct world *world, const struct stream_range *range, struct digest *ret, GError **error)
{
    struct stream_range plain = *range;
    plain.packing = PACKING_NONE;
    auto_(file_stream) stream = NULL;
    if (!file_stream_open(&stream, world, &plain, error))
        return false;
    g_autofree uint8_t *buffer = g_malloc(DIGEST_CHUNK);
    size_t got;
    do
        if (!file_stream_read(stream, buffer, DIGEST_CHUNK, &got, error))
            return false;
    while (got > 0);
    *ret = file_stream_digest(stream);
    return true;
}
