#include "store/file/range.h"

enum { BOUNDS_VERSION = 1, WHOLE_VERSION = 2, CURSOR_VERSION = 1, DIGEST_BYTES = 16 };

static void put_digest(GByteArray *into, struct digest digest)
{
    uint8_t bytes[DIGEST_BYTES];
    digest_put(digest, bytes);
    put_bytes(into, slice_of(bytes, sizeof bytes));
}

static struct digest read_digest(struct reader *reader)
{
    struct slice bytes = reader_bytes(reader, DIGEST_BYTES);
    return bytes.len == DIGEST_BYTES ? digest_get(bytes.data) : (struct digest){0};
}

void file_range_encode(const struct file_range *range, GByteArray *into)
{
    put_u8(into, BOUNDS_VERSION);
    put_prefixed(into, slice_of_text(range->name));
    put_u64(into, range->from);
    put_u64(into, range->to);
    put_u64(into, range->line);
    put_u64(into, range->size);
    put_i64(into, range->mtime_ns);
    put_digest(into, range->digest);
    put_u64(into, range->head);
    put_digest(into, range->head_digest);
}

bool file_range_decode(struct file_range *ret, char **ret_name, struct slice bounds, GError **error)
{
    struct reader reader = reader_of(bounds);
    uint8_t version = reader_u8(&reader);
    struct slice name = reader_prefixed(&reader);
    struct file_range range = {.from = reader_u64(&reader)};
    range.to = reader_u64(&reader);
    range.line = reader_u64(&reader);
    range.size = reader_u64(&reader);
    range.mtime_ns = reader_i64(&reader);
    range.digest = read_digest(&reader);
    range.head = reader_u64(&reader);
    range.head_digest = read_digest(&reader);
    if (!reader.ok || reader_left(&reader) > 0 || version != BOUNDS_VERSION || range.from > range.to ||
        range.to > range.size || range.head > range.from || name.len == 0 || memchr(name.data, '\0', name.len))
        return error_set(error, SLUICE_ERROR_CORRUPT, "a partition's bounds are not a range of a file");
    *ret_name = g_strndup((const char *)name.data, name.len);
    range.name = *ret_name;
    *ret = range;
    return true;
}

void file_whole_encode(const char *name, GByteArray *into)
{
    put_u8(into, WHOLE_VERSION);
    put_prefixed(into, slice_of_text(name));
}

bool file_whole_decode(char **ret_name, struct slice bounds)
{
    struct reader reader = reader_of(bounds);
    uint8_t version = reader_u8(&reader);
    struct slice name = reader_prefixed(&reader);
    if (!reader.ok || reader_left(&reader) > 0 || version != WHOLE_VERSION || name.len == 0 ||
        memchr(name.data, '\0', name.len))
        return false;
    *ret_name = g_strndup((const char *)name.data, name.len);
    return true;
}

static void put_le(uint8_t **at, uint64_t value, size_t width)
{
    for (size_t i = 0; i < width; i++)
        *(*at)++ = (uint8_t)(value >> (8 * i) & 0xff);
}

void file_place_encode(const struct file_place *place, uint8_t into[FILE_PLACE_BYTES])
{
    uint8_t *at = into;
    put_le(&at, CURSOR_VERSION, 1);
    put_le(&at, place->expects, 1);
    put_le(&at, place->file, 4);
    put_le(&at, place->name, 8);
    put_le(&at, place->offset, 8);
    put_le(&at, place->line, 8);
    put_le(&at, place->line_at, 8);
}

bool file_place_decode(struct file_place *ret, struct slice cursor, GError **error)
{
    struct reader reader = reader_of(cursor);
    uint8_t version = reader_u8(&reader);
    struct file_place place = {.expects = reader_u8(&reader)};
    place.file = reader_u32(&reader);
    place.name = reader_u64(&reader);
    place.offset = reader_u64(&reader);
    place.line = reader_u64(&reader);
    place.line_at = reader_u64(&reader);
    if (!reader.ok || reader_left(&reader) > 0 || version != CURSOR_VERSION)
        return error_set(error, SLUICE_ERROR_CORRUPT, "a cursor is not a place in a file");
    *ret = place;
    return true;
}

uint64_t file_name_digest(const char *name)
{
    return digest_bytes(slice_of_text(name), 0).low;
}
