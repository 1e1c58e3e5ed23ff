/* Listings and skip lists with any bytes in them, also behind sums that fit: opened, read to their ends, searched. */
#include "base/int.h"
#include "fuzz.h"
#include "listing/blocks.h"
#include "listing/duplicates.h"
#include "listing/keys.h"
#include "listing/listing.h"
#include "listing/skips.h"

/* The world has one file, whatever it is called. */
enum { FD_FILE = 3, FD_DIR = 4 };

static int memory_open(void *self, const char *path, int flags, unsigned mode)
{
    return g_str_has_prefix(path, "/list/") ? FD_FILE : FD_DIR;
}

static int memory_close(void *self, int fd)
{
    return 0;
}

static int64_t memory_pread(void *self, int fd, void *into, size_t len, int64_t offset)
{
    const GByteArray *content = self;
    if ((uint64_t)offset >= content->len)
        return 0;
    size_t got = MIN(len, content->len - (size_t)offset);
    memcpy(into, content->data + offset, got);
    return (int64_t)got;
}

static int64_t memory_pwrite(void *self, int fd, const void *from, size_t len, int64_t offset)
{
    GByteArray *content = self;
    g_byte_array_set_size(content, (guint)MAX(content->len, (size_t)offset + len));
    memcpy(content->data + offset, from, len);
    return (int64_t)len;
}

static int memory_fsync(void *self, int fd, bool data_only)
{
    return 0;
}

static int memory_rename(void *self, const char *from, const char *to)
{
    return 0;
}

static int memory_unlink(void *self, const char *path)
{
    return 0;
}

static int memory_stat(void *self, int fd, struct world_stat *ret)
{
    *ret = (struct world_stat){.regular = fd == FD_FILE, .directory = fd == FD_DIR};
    if (fd == FD_FILE)
        ret->size = ((const GByteArray *)self)->len;
    return 0;
}

static const struct world_files memory_files = {
    .open = memory_open,
    .close = memory_close,
    .pread = memory_pread,
    .pwrite = memory_pwrite,
    .fsync = memory_fsync,
    .rename = memory_rename,
    .unlink = memory_unlink,
    .stat = memory_stat,
};

static const char path[] = "/list/a";
static const uint8_t uid[16];

/* A file whose sums fit: one block, an index whose first row is of that block, the fields. */
static void seal(const struct world *world, const struct blockfile_kind *kind, struct slice input)
{
    struct reader reader = reader_of(input);
    uint8_t fields[BLOCKS_FIELDS] = {0};
    struct slice given = reader_bytes(&reader, BLOCKS_FIELDS), names = reader_prefixed(&reader);
    struct slice payload = reader_prefixed(&reader), rows = reader_bytes(&reader, reader_left(&reader));
    if (given.len == BLOCKS_FIELDS)
        memcpy(fields, given.data, BLOCKS_FIELDS);
    struct blocks_draft draft = {.world = world, .path = path, .run_uid = uid, .kind = kind};
    auto_(blocks_writer) writer = NULL;
    struct digest digest;
    uint64_t offset;
    g_autoptr(GByteArray) index = g_byte_array_new();
    g_assert(blocks_writer_new(&writer, &draft, NULL) && blocks_writer_add(writer, payload, &offset, NULL));
    put_bytes(index, names);
    put_varint(index, offset);
    put_bytes(index, rows);
    g_assert(blocks_writer_finish_durable(writer, slice_of(index->data, index->len), fields, &digest, NULL));
}

static void read_partition(struct listing_reader *reader, uint32_t partition, struct arena *mem)
{
    uint64_t size = listing_reader_size(reader, partition), seen = 0;
    if (!listing_reader_seek(reader, partition, 0, NULL))
        return;
    struct slice *keys;
    for (size_t n = 1; n > 0; seen += n) {
        arena_reset(mem);
        if (!listing_reader_next(reader, 16, mem, &keys, &n, NULL))
            return;
    }
    g_assert(seen == size);
}

static void read_listing(const struct world *world, struct slice input)
{
    auto_(listing_reader) reader = NULL;
    if (!listing_reader_open(&reader, world, path, NULL, NULL))
        return;
    auto_(arena) mem = arena_new(1 << 20);
    bool found;
    struct listing_place place;
    const struct listing_totals *totals = listing_reader_totals(reader);
    for (uint32_t p = 0; p < MIN(totals->partitions, 8); p++)
        read_partition(reader, p, mem);
    for (size_t i = 0; i < MIN(input.len, 8); i++)
        if (listing_reader_find(reader, slice_of(input.data + i, input.len - i), &found, &place, NULL) && found)
            g_assert(place.partition < totals->partitions && place.index < totals->size);
}

static void read_skips(const struct world *world, struct slice input)
{
    auto_(skiplist) list = NULL;
    if (!skiplist_open(&list, world, path, NULL, NULL))
        return;
    struct skip skip;
    for (uint32_t part = 0; part < 4; part++)
        for (uint64_t offset = 0; offset < 64; offset++)
            if (skiplist_find(list, part, offset * offset, &skip, NULL))
                g_assert(skip.reason < SKIP_REASON_COUNT && skip.text);
    for (size_t i = 0; i + 12 <= input.len && i < 64; i++) {
        struct reader at = reader_of(slice_of(input.data + i, 12));
        uint32_t part = reader_u32(&at);
        skiplist_find(list, part, reader_u64(&at), &skip, NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len == 0)
        return 0;
    bool skips = data[0] & 1, sealed = data[0] & 2;
    struct slice input = slice_of(data + 1, len - 1);
    g_autoptr(GByteArray) content = g_byte_array_new();
    struct world world = *world_real();
    world.files = &memory_files;
    world.files_self = content;
    if (sealed)
        seal(&world, skips ? &skips_kind : &listing_kind, input);
    else
        put_bytes(content, input);
    if (skips)
        read_skips(&world, input);
    else
        read_listing(&world, input);
    return 0;
}
