/* Whose a key of the target is, where no listing tells: digests of keys, sorted, each with its partition. Written at a
 * gate, so that a later scan of the target alone finds each partition's sum. docs/formats/owners.md */
#include "base/blockfile.h"
#include "base/extsort.h"
#include "base/int.h"
#include "verify/verify_parts.h"

#define ITEM_BYTES   OWNERS_ITEM_BYTES
#define BLOCK_ITEMS  4096u
#define SORT_BYTES   (16u << 20)
#define TYPE_OWNERS  1
#define TYPE_THE_END 2

const struct blockfile_kind owners_kind = {
    .magic = "SLOWNR1\n", .version = 1, .block_magic = 0x524e574f, .sealed_as = "reports"};

/* --- writing
 * ---------------------------------------------------------------------------------------------------------- */

struct owners_writer {
    const struct world *world;
    char *path;
    uint8_t run_uid[16];
    pthread_mutex_t lock; /* guards the sort, which spills now and then */
    struct extsort *sort;
};

bool owners_writer_new(struct owners_writer **ret, const struct world *world, const char *path,
                       const uint8_t run_uid[16], GError **error)
{
    struct extsort_shape shape = {.item_len = ITEM_BYTES, .key_len = ITEM_BYTES, .memory_bytes = SORT_BYTES};
    g_autofree char *folder = g_path_get_dirname(path);
    struct extsort *sort;
    if (!file_make_dirs(world, folder, error) || !extsort_new(&sort, world, folder, &shape, error))
        return false;
    struct owners_writer *writer = g_new0(struct owners_writer, 1);
    writer->world = world;
    writer->path = g_strdup(path);
    memcpy(writer->run_uid, run_uid, sizeof writer->run_uid);
    writer->sort = sort;
    pthread_mutex_init(&writer->lock, NULL);
    *ret = writer;
    return true;
}

void owners_writer_free(struct owners_writer *writer)
{
    if (!writer)
        return;
    extsort_free(writer->sort);
    pthread_mutex_destroy(&writer->lock);
    g_free(writer->path);
    g_free(writer);
}

bool owners_writer_add(struct owners_writer *writer, uint32_t part, const struct digest *keys, size_t n, GError **error)
{
    uint32_t number = GUINT32_TO_BE(part);
    auto_hold(&writer->lock);
    for (size_t i = 0; i < n; i++) {
        uint8_t item[ITEM_BYTES];
        digest_put(keys[i], item);
        memcpy(item + 16, &number, sizeof number);
        if (!extsort_add(writer->sort, item, error))
            return false;
    }
    return true;
}

static bool put_block(struct blockfile *file, GByteArray *payload, GError **error)
{
    struct block_draft draft = {.type = TYPE_OWNERS, .payload = slice_of(payload->data, payload->len)};
    bool ok = payload->len == 0 || blockfile_append(file, &draft, NULL, error);
    g_byte_array_set_size(payload, 0);
    return ok;
}

static bool put_items(struct blockfile *file, struct extsort *sort, GError **error)
{
    const uint8_t *item;
    g_autoptr(GByteArray) payload = g_byte_array_new();
    bool ok;
    while ((ok = extsort_next(sort, &item, error)) && item) {
        g_byte_array_append(payload, item, ITEM_BYTES);
        if (payload->len == BLOCK_ITEMS * ITEM_BYTES && !put_block(file, payload, error))
            return false;
    }
    return ok && put_block(file, payload, error);
}

static bool put_end(struct blockfile *file, uint64_t items, GError **error)
{
    uint64_t count = GUINT64_TO_LE(items);
    struct block_draft draft = {.type = TYPE_THE_END, .head = slice_of(&count, sizeof count)};
    return blockfile_append(file, &draft, NULL, error);
}

bool owners_writer_finish_durable(struct owners_writer *writer, GError **error)
{
    auto_(blockfile) file = NULL;
    g_autofree char *aside = g_strconcat(writer->path, ".tmp", NULL);
    return extsort_finish(writer->sort, error) && file_unlink(writer->world, aside, error) &&
           blockfile_create(&file, writer->world, aside, &owners_kind,
                            slice_of(writer->run_uid, sizeof writer->run_uid), error) &&
           put_items(file, writer->sort, error) && put_end(file, extsort_count(writer->sort), error) &&
           blockfile_sync_durable(file, error) && file_rename_durable(writer->world, aside, writer->path, error);
}

/* --- reading
 * ---------------------------------------------------------------------------------------------------------- */

struct owners_reader {
    char *path;
    struct blockfile *file;
    struct arena *mem;
    uint64_t offset, given;
    struct slice payload;
    size_t at;
    bool ended;
};

bool owners_reader_open(struct owners_reader **ret, const struct world *world, const char *path, GError **error)
{
    struct blockfile *file;
    if (!blockfile_open(&file, world, path, &owners_kind, false, error))
        return false;
    struct owners_reader *reader = g_new0(struct owners_reader, 1);
    reader->path = g_strdup(path);
    reader->file = file;
    reader->mem = arena_new(4 << 20);
    reader->offset = blockfile_begin(file);
    *ret = reader;
    return true;
}

void owners_reader_free(struct owners_reader *reader)
{
    if (!reader)
        return;
    blockfile_free(reader->file);
    arena_free(reader->mem);
    g_free(reader->path);
    g_free(reader);
}

static bool damaged(const struct owners_reader *reader, GError **error)
{
    return error_set(error, SLUICE_ERROR_CORRUPT, "%s: damaged, or not written to its end", reader->path);
}

/* The end says how many there must have been. */
static bool read_end(struct owners_reader *reader, struct slice head, GError **error)
{
    struct reader fields = reader_of(head);
    reader->ended = true;
    return (reader_u64(&fields) == reader->given && fields.ok) || damaged(reader, error);
}

static bool read_block(struct owners_reader *reader, GError **error)
{
    struct block block;
    arena_reset(reader->mem);
    enum block_result result = blockfile_read(reader->file, reader->offset, false, reader->mem, &block, error);
    if (result == BLOCK_FAILED)
        return false;
    if (result != BLOCK_OK)
        return damaged(reader, error);
    if (block.type == TYPE_THE_END)
        return read_end(reader, block.head, error);
    if (block.type != TYPE_OWNERS || block.payload.len == 0 || block.payload.len % ITEM_BYTES != 0)
        return damaged(reader, error);
    reader->offset = block.end;
    reader->payload = block.payload;
    reader->at = 0;
    return true;
}

void owners_item_get(const uint8_t *item, struct owner *ret)
{
    uint32_t part;
    memcpy(&part, item + 16, sizeof part);
    *ret = (struct owner){.key = item, .part = GUINT32_FROM_BE(part)};
}

bool owners_reader_next(struct owners_reader *reader, struct owner *ret, bool *ret_more, GError **error)
{
    if (reader->at == reader->payload.len && !reader->ended && !read_block(reader, error))
        return false;
    *ret_more = !reader->ended;
    if (reader->ended)
        return true;
    owners_item_get(reader->payload.data + reader->at, ret);
    reader->at += ITEM_BYTES;
    reader->given++;
    return true;
}

bool verify_kept_says_nothing(GError **failed, GError **error)
{
    if (error_is(*failed, SLUICE_ERROR_CORRUPT) || error_is(*failed, SLUICE_ERROR_NOT_FOUND))
        return true;
    g_propagate_error(error, g_steal_pointer(failed));
    return false;
}

/* --- of whom ------------------------------------------------------------------------------------------------------ */

void owned_parts_init(struct owned_parts *parts, const struct verify_input *input)
{
    *parts = (struct owned_parts){.input = input, .counted = g_new0(uint64_t, input->n_parts)};
    for (size_t i = 0; i < input->n_parts; i++)
        parts->n = MAX(parts->n, input->parts[i].part + 1);
    parts->place_of = g_new(size_t, parts->n);
    for (uint32_t i = 0; i < parts->n; i++)
        parts->place_of[i] = OWNED_NOWHERE;
    for (size_t i = 0; i < input->n_parts; i++)
        if (input->parts[i].sum)
            parts->place_of[input->parts[i].part] = i;
}

void owned_parts_done(struct owned_parts *parts)
{
    g_free(parts->place_of);
    g_free(parts->counted);
}

size_t owned_parts_place(const struct owned_parts *parts, uint32_t part)
{
    return part < parts->n ? parts->place_of[part] : OWNED_NOWHERE;
}

void owned_parts_count(struct owned_parts *parts, uint32_t part)
{
    size_t at = owned_parts_place(parts, part);
    if (at != OWNED_NOWHERE)
        parts->counted[at]++;
}

bool owned_parts_whole(const struct owned_parts *parts, bool *ret, GError **error)
{
    bool whole = true;
    for (size_t i = 0; i < parts->input->n_parts; i++) {
        struct found found;
        const struct part_sum *sum = parts->input->parts[i].sum;
        if (sum && !found_of_sum(&found, sum, error))
            return false;
        whole &= !sum || parts->counted[i] == found.compared;
    }
    *ret = whole;
    return true;
}
