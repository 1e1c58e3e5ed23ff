#include "listing/blocks.h"

#include <xxhash.h>

#include "base/int.h"

enum {
    TYPE_DATA = 1,
    TYPE_INDEX = 2,
    TYPE_END = 3,
    BLOCK_HEADER = 36, /* base/blockfile.h */
    END_HEAD = 8 + 16 + BLOCKS_FIELDS,
    READ_BYTES = 512 << 20, /* what an index, or a block with one long key, may take */
};

/* --- writing --------------------------------------------------------------------------------------------------------
 */

struct blocks_writer {
    const struct world *world;
    char *path, *draft;
    struct blockfile *file; /* NULL once it is finished */
    XXH3_state_t *sum;
};

static bool clear_the_way(const struct blocks_draft *draft, const char *tmp, GError **error)
{
    g_autofree char *dir = g_path_get_dirname(draft->path);
    return file_make_dirs(draft->world, dir, error) && file_unlink(draft->world, tmp, error);
}

bool blocks_writer_new(struct blocks_writer **ret, const struct blocks_draft *draft, GError **error)
{
    g_autofree char *tmp = g_strconcat(draft->path, ".tmp", NULL);
    struct blockfile *file;
    if (!clear_the_way(draft, tmp, error) ||
        !blockfile_create(&file, draft->world, tmp, draft->kind, slice_of(draft->run_uid, BLOCKS_UID), error))
        return false;
    struct blocks_writer *writer = g_new0(struct blocks_writer, 1);
    writer->world = draft->world;
    writer->path = g_strdup(draft->path);
    writer->draft = g_steal_pointer(&tmp);
    writer->file = file;
    writer->sum = XXH3_createState();
    XXH3_128bits_reset(writer->sum);
    *ret = writer;
    return true;
}

void blocks_writer_free(struct blocks_writer *writer)
{
    if (!writer)
        return;
    if (writer->file) {
        blockfile_free(writer->file);
        file_unlink(writer->world, writer->draft, NULL);
    }
    XXH3_freeState(writer->sum);
    g_free(writer->path);
    g_free(writer->draft);
    g_free(writer);
}

static bool append(struct blocks_writer *writer, uint16_t type, struct slice payload, uint64_t *ret_offset,
                   GError **error)
{
    struct block_draft block = {.type = type, .pack = true, .payload = payload};
    XXH3_128bits_update(writer->sum, payload.data, payload.len);
    return blockfile_append(writer->file, &block, ret_offset, error);
}

bool blocks_writer_add(struct blocks_writer *writer, struct slice payload, uint64_t *ret_offset, GError **error)
{
    return append(writer, TYPE_DATA, payload, ret_offset, error);
}

static struct digest sum_of(const struct blocks_writer *writer, const uint8_t fields[BLOCKS_FIELDS])
{
    XXH3_128bits_update(writer->sum, fields, BLOCKS_FIELDS);
    XXH128_hash_t hash = XXH3_128bits_digest(writer->sum);
    return (struct digest){.low = hash.low64, .high = hash.high64};
}

static bool append_end(struct blocks_writer *writer, uint64_t index_offset, const uint8_t fields[BLOCKS_FIELDS],
                       struct digest digest, GError **error)
{
    uint8_t bytes[16];
    g_autoptr(GByteArray) head = g_byte_array_new();
    digest_put(digest, bytes);
    put_u64(head, index_offset);
    put_bytes(head, slice_of(bytes, sizeof bytes));
    put_bytes(head, slice_of(fields, BLOCKS_FIELDS));
    struct block_draft end = {.type = TYPE_END, .head = slice_of(head->data, head->len)};
    return blockfile_append(writer->file, &end, NULL, error) && blockfile_sync_durable(writer->file, error);
}

bool blocks_writer_finish_durable(struct blocks_writer *writer, struct slice index, const uint8_t fields[BLOCKS_FIELDS],
                                  struct digest *ret, GError **error)
{
    uint64_t index_offset;
    if (!append(writer, TYPE_INDEX, index, &index_offset, error))
        return false;
    struct digest digest = sum_of(writer, fields);
    if (!append_end(writer, index_offset, fields, digest, error) ||
        !file_rename_durable(writer->world, writer->draft, writer->path, error))
        return false;
    g_clear_pointer(&writer->file, blockfile_free);
    *ret = digest;
    return true;
}

/* --- reading --------------------------------------------------------------------------------------------------------
 */

struct blocks_reader {
    char *path;
    struct blockfile *file;
    struct arena *kept, *block; /* index and fields; the block at hand */
    struct slice index, fields;
    struct digest digest;
};

void blocks_reader_free(struct blocks_reader *reader)
{
    if (!reader)
        return;
    blockfile_free(reader->file);
    arena_free(reader->kept);
    arena_free(reader->block);
    g_free(reader->path);
    g_free(reader);
}

bool blocks_reader_damaged(const struct blocks_reader *reader, GError **error)
{
    return error_set(error, SLUICE_ERROR_CORRUPT, "%s: the file is damaged, or was never finished", reader->path);
}

static bool load(struct blocks_reader *reader, uint64_t offset, uint16_t type, struct arena *mem, struct block *ret,
                 GError **error)
{
    switch (blockfile_read(reader->file, offset, false, mem, ret, error)) {
    case BLOCK_OK:
        return ret->type == type || blocks_reader_damaged(reader, error);
    case BLOCK_FAILED:
        return false;
    case BLOCK_END:
    case BLOCK_DAMAGED:
        break;
    }
    return blocks_reader_damaged(reader, error);
}

static bool read_end(struct blocks_reader *reader, GError **error)
{
    uint64_t end = blockfile_end(reader->file);
    struct block block;
    if (end < blockfile_begin(reader->file) + BLOCK_HEADER + END_HEAD)
        return blocks_reader_damaged(reader, error);
    if (!load(reader, end - BLOCK_HEADER - END_HEAD, TYPE_END, reader->kept, &block, error))
        return false;
    struct reader head = reader_of(block.head);
    uint64_t index_offset = reader_u64(&head);
    struct slice digest = reader_bytes(&head, 16);
    reader->fields = reader_bytes(&head, BLOCKS_FIELDS);
    if (!head.ok || reader_left(&head) > 0)
        return blocks_reader_damaged(reader, error);
    reader->digest = digest_get(digest.data);
    if (!load(reader, index_offset, TYPE_INDEX, reader->kept, &block, error))
        return false;
    reader->index = block.payload;
    return true;
}

bool blocks_reader_open(struct blocks_reader **ret, const struct blocks_draft *of, GError **error)
{
    struct blockfile *file;
    GError *failed = NULL;
    if (!blockfile_open(&file, of->world, of->path, of->kind, false, &failed))
        return error_forgive(failed, SLUICE_ERROR_NOT_FOUND, error) && /* the dataset has been written since */
               error_set(error, SLUICE_ERROR_CORRUPT, "%s: it is missing from the home; put it back from a copy",
                         of->path);
    auto_(blocks_reader) reader = g_new0(struct blocks_reader, 1);
    reader->path = g_strdup(of->path);
    reader->file = file;
    reader->kept = arena_new(READ_BYTES);
    reader->block = arena_new(READ_BYTES);
    if (of->run_uid && memcmp(blockfile_tag(file).data, of->run_uid, BLOCKS_UID) != 0)
        return error_set(error, SLUICE_ERROR_CORRUPT, "%s: it is of another run", of->path);
    if (!read_end(reader, error))
        return false;
    *ret = g_steal_pointer(&reader);
    return true;
}

struct slice blocks_reader_index(const struct blocks_reader *reader)
{
    return reader->index;
}

struct slice blocks_reader_fields(const struct blocks_reader *reader)
{
    return reader->fields;
}

struct digest blocks_reader_digest(const struct blocks_reader *reader)
{
    return reader->digest;
}

bool blocks_reader_load(struct blocks_reader *reader, uint64_t offset, struct slice *ret, GError **error)
{
    struct block block;
    arena_reset(reader->block);
    if (!load(reader, offset, TYPE_DATA, reader->block, &block, error))
        return false;
    *ret = block.payload;
    return true;
}
