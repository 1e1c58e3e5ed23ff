#include "store/keyrange.h"

#include "base/int.h"

enum { RANGE_VERSION = 1, RANGE_HAS_END = 1 };

/* With a count: marks kept per part wished for, so that parts differ in size by a few percent. */
enum { MARKS_PER_PART = 64 };

bool key_range_decode(struct key_range *ret, struct slice bounds, struct slice cursor, GError **error)
{
    struct key_range range = {.has_end = false};
    if (bounds.len) {
        struct reader from = reader_of(bounds);
        uint8_t version = reader_u8(&from);
        uint8_t flags = reader_u8(&from);
        range.from = reader_prefixed(&from);
        range.has_end = flags == RANGE_HAS_END;
        range.to = range.has_end ? reader_prefixed(&from) : SLICE_EMPTY;
        if (!from.ok || reader_left(&from) || version != RANGE_VERSION || flags > RANGE_HAS_END)
            return error_set(error, SLUICE_ERROR_CORRUPT, "the bounds of a partition are damaged, or of another store");
    }
    if (slice_compare(range.from, cursor) < 0)
        range.from = cursor;
    *ret = range;
    return true;
}

bool key_range_holds(const struct key_range *range, struct slice key)
{
    return slice_compare(range->from, key) <= 0 && (!range->has_end || slice_compare(key, range->to) < 0);
}

bool key_range_cursor(struct arena *mem, struct slice last, struct slice *ret)
{
    uint8_t *cursor = arena_alloc(mem, last.len + 1);
    if (!cursor)
        return false;
    if (last.len)
        memcpy(cursor, last.data, last.len);
    cursor[last.len] = 0;
    *ret = slice_of(cursor, last.len + 1);
    return true;
}

bool key_range_encode(struct arena *mem, struct slice from, const struct slice *to, struct slice *ret)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    put_u8(bytes, RANGE_VERSION);
    put_u8(bytes, to ? RANGE_HAS_END : 0);
    put_prefixed(bytes, from);
    if (to)
        put_prefixed(bytes, *to);
    return arena_copy(mem, slice_of(bytes->data, bytes->len), ret);
}

/* --- splitting ---------------------------------------------------------------------------------------------------- */

/* A key at which a part may begin, and what came before it. */
struct mark {
    GBytes *key;
    uint64_t records, bytes;
};

struct key_splitter {
    struct split_wish wish;
    GArray *marks;   /* of struct mark */
    uint64_t stride; /* records from one mark to the next */
    uint64_t records, bytes;
};

static void mark_done(void *at)
{
    g_bytes_unref(((struct mark *)at)->key);
}

struct key_splitter *key_splitter_new(const struct split_wish *wish)
{
    struct key_splitter *splitter = g_new0(struct key_splitter, 1);
    splitter->wish = *wish;
    if (!splitter->wish.records_each && !splitter->wish.count)
        splitter->wish.count = 1;
    splitter->stride = wish->records_each ? wish->records_each : 1;
    splitter->marks = g_array_new(false, false, sizeof(struct mark));
    g_array_set_clear_func(splitter->marks, mark_done);
    return splitter;
}

void key_splitter_free(struct key_splitter *splitter)
{
    if (!splitter)
        return;
    g_array_unref(splitter->marks);
    g_free(splitter);
}

static struct mark *mark_at(const struct key_splitter *splitter, size_t i)
{
    return &g_array_index(splitter->marks, struct mark, i);
}

/* Every second mark stays, the first among them. */
static void double_stride(struct key_splitter *splitter)
{
    size_t kept = 0;
    for (size_t i = 0; i < splitter->marks->len; i++) {
        if (i % 2)
            g_bytes_unref(mark_at(splitter, i)->key);
        else
            *mark_at(splitter, kept++) = *mark_at(splitter, i);
    }
    /* What lies beyond was moved or let go of already. */
    g_array_set_clear_func(splitter->marks, NULL);
    g_array_set_size(splitter->marks, (unsigned)kept);
    g_array_set_clear_func(splitter->marks, mark_done);
    splitter->stride *= 2;
}

void key_splitter_add(struct key_splitter *splitter, struct slice key, uint64_t bytes)
{
    if (splitter->records % splitter->stride == 0) {
        struct mark mark = {
            .key = g_bytes_new(key.data, key.len), .records = splitter->records, .bytes = splitter->bytes};
        g_array_append_val(splitter->marks, mark);
    }
    splitter->records++;
    splitter->bytes += bytes;
    uint64_t most = (uint64_t)splitter->wish.count * MARKS_PER_PART;
    if (!splitter->wish.records_each && splitter->marks->len > most)
        double_stride(splitter);
}

static struct slice bytes_slice(GBytes *bytes)
{
    size_t len;
    const void *data = g_bytes_get_data(bytes, &len);
    return slice_of(data, len);
}

/* The first part begins before every key, the last ends after every key. */
static bool part_bounds_make(const struct key_splitter *splitter, size_t begin, size_t end, struct arena *mem,
                             struct part_bounds *ret)
{
    bool last = end >= splitter->marks->len;
    struct slice from = begin ? bytes_slice(mark_at(splitter, begin)->key) : SLICE_EMPTY, to = SLICE_EMPTY;
    if (!last)
        to = bytes_slice(mark_at(splitter, end)->key);
    uint64_t records_before = splitter->marks->len ? mark_at(splitter, begin)->records : 0;
    uint64_t bytes_before = splitter->marks->len ? mark_at(splitter, begin)->bytes : 0;
    ret->records = (last ? splitter->records : mark_at(splitter, end)->records) - records_before;
    ret->bytes = (last ? splitter->bytes : mark_at(splitter, end)->bytes) - bytes_before;
    return key_range_encode(mem, from, last ? NULL : &to, &ret->bounds);
}

bool key_splitter_finish(struct key_splitter *splitter, struct part_list *into, GError **error)
{
    size_t marks = splitter->marks->len;
    size_t parts = splitter->wish.records_each ? marks : MIN(marks, splitter->wish.count);
    parts = MAX(parts, 1);
    for (size_t i = 0; i < parts; i++) {
        struct part_bounds part;
        if (!part_bounds_make(splitter, i * marks / parts, (i + 1) * marks / parts, into->mem, &part))
            return error_set(error, SLUICE_ERROR_TOO_BIG, "%zu partitions do not fit into memory: make them larger",
                             parts);
        g_array_append_val(into->parts, part);
    }
    return true;
}
