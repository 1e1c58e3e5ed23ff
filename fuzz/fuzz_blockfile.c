/* A file of blocks with any bytes in it: opened, read to its end by lengths and by searching, never beyond. */
#include <xxhash.h>

#include "base/blockfile.h"
#include "base/int.h"
#include "fuzz.h"

static const struct blockfile_kind kind = {.magic = "sl-fuzz", .version = 1, .block_magic = 0x4b4f4c42};

/* The world has one file, and that is the input. */
static int memory_open(void *self, const char *path, int flags, unsigned mode)
{
    return 3;
}

static int memory_close(void *self, int fd)
{
    return 0;
}

static int64_t memory_pread(void *self, int fd, void *into, size_t len, int64_t offset)
{
    const struct slice *content = self;
    if ((uint64_t)offset >= content->len)
        return 0;
    size_t got = MIN(len, content->len - (size_t)offset);
    memcpy(into, content->data + offset, got);
    return (int64_t)got;
}

static int memory_stat(void *self, int fd, struct world_stat *ret)
{
    *ret = (struct world_stat){.size = ((const struct slice *)self)->len, .regular = true};
    return 0;
}

static const struct world_files memory_files = {
    .open = memory_open,
    .close = memory_close,
    .pread = memory_pread,
    .stat = memory_stat,
};

static void read_from(struct blockfile *file, uint64_t offset, struct arena *mem)
{
    struct block block = {.end = offset};
    while (block.end) {
        arena_reset(mem);
        uint64_t begin = block.end;
        g_autoptr(GError) error = NULL;
        enum block_result result = blockfile_read(file, begin, begin % 2, mem, &block, &error);
        g_assert((result == BLOCK_FAILED) == (error != NULL));
        if (result == BLOCK_END || result == BLOCK_FAILED)
            return;
        g_assert(block.end == 0 || (block.end > begin && block.end <= blockfile_end(file)));
    }
}

static void put_header(GByteArray *into)
{
    put_bytes(into, slice_of(kind.magic, sizeof kind.magic));
    put_u32(into, kind.version);
    put_u32(into, 0);
    for (int i = 0; i < 32; i++)
        put_u8(into, 0);
    put_u64(into, XXH3_64bits(into->data, into->len));
}

/* The input as the first block, with sums that fit wherever the lengths do: else nothing would come past them. */
static void put_sealed(GByteArray *into, struct slice bytes)
{
    struct reader reader = reader_of(bytes);
    g_autoptr(GByteArray) block = g_byte_array_new();
    put_u32(block, kind.block_magic);
    put_bytes(block, reader_bytes(&reader, 2 + 2 + 4));
    struct reader lengths = reader;
    put_bytes(block, reader_bytes(&reader, 8));
    uint32_t stored_len = reader_u32(&lengths), head_len = reader_u32(&lengths);
    struct slice head = reader_bytes(&reader, head_len), stored = reader_bytes(&reader, stored_len);
    if (!reader.ok)
        return;
    g_autoptr(GByteArray) summed = g_byte_array_new();
    put_bytes(summed, slice_of(block->data, block->len));
    put_bytes(summed, head);
    put_u64(block, XXH3_64bits(summed->data, summed->len));
    put_u64(block, XXH3_64bits(stored.data, stored.len));
    put_bytes(into, slice_of(block->data, block->len));
    put_bytes(into, head);
    put_bytes(into, stored);
    put_bytes(into, reader_bytes(&reader, reader_left(&reader)));
}

static void read_everywhere(struct blockfile *file)
{
    auto_(arena) mem = arena_new(1 << 20);
    uint64_t offset = blockfile_begin(file);
    read_from(file, offset, mem);
    for (; blockfile_find(file, offset, mem, &offset, NULL) == BLOCK_OK; offset++)
        read_from(file, offset, mem);
}

/* The first byte says what the rest is: a whole file, blocks behind a good header, or a block that wants sealing. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    enum { WHOLE, BLOCKS, SEALED, WAYS };
    if (len == 0)
        return 0;
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    int way = data[0] % WAYS;
    if (way != WHOLE)
        put_header(bytes);
    if (way == SEALED)
        put_sealed(bytes, slice_of(data + 1, len - 1));
    else
        put_bytes(bytes, slice_of(data + 1, len - 1));
    struct slice content = slice_of(bytes->data, bytes->len);
    struct world world = *world_real();
    world.files = &memory_files;
    world.files_self = &content;
    auto_(blockfile) file = NULL;
    if (blockfile_open(&file, &world, "input", &kind, false, NULL))
        read_everywhere(file);
    else
        g_assert(way == WHOLE);
    return 0;
}
