#include "undo/chains_format.h"

const struct blockfile_kind UNDO_CHAINS_KIND = {
    .magic = "SLCHAIN1", .version = 1, .block_magic = 0x4e494843, .sealed_as = "undo"};

enum { HEADS_CAP = 64 << 20, HEADS_RESET = 1 << 20 };

void undo_chains_tag_put(const struct undo_config *config, const struct undo_filter *filter,
                         uint8_t into[UNDO_CHAINS_TAG_LEN])
{
    memset(into, 0, UNDO_CHAINS_TAG_LEN);
    memcpy(into, config->run_uid, UNDO_UID_LEN);
    if (!filter)
        return;
    g_autoptr(GByteArray) parts = g_byte_array_new();
    for (size_t i = 0; i < filter->n; i++)
        put_u32(parts, filter->parts[i] + (filter->back && filter->back[i] ? UNDO_ROLLBACK_PART : 0));
    digest_put(digest_bytes(slice_of(parts->data, parts->len), 0), into + UNDO_UID_LEN);
}

void undo_chains_items_head_put(const struct undo_chains_items_head *head, GByteArray *into)
{
    put_u64(into, head->first);
    put_u32(into, head->count);
}

bool undo_chains_items_head_get(struct slice bytes, struct undo_chains_items_head *ret)
{
    struct reader reader = reader_of(bytes);
    struct undo_chains_items_head head = {.first = reader_u64(&reader), .count = reader_u32(&reader)};
    if (!reader.ok || reader_left(&reader) || head.count == 0 || head.count > UNDO_CHAINS_BLOCK)
        return false;
    *ret = head;
    return true;
}

void undo_turns_put(const struct undo_turn *turns, size_t n, GByteArray *into)
{
    struct undo_spot last = {.at = {0, 0}};
    for (size_t i = 0; i < n; i++) {
        const struct undo_spot *spot = &turns[i].spot;
        uint8_t written[16];
        uint32_t segment = spot->at.segment - last.at.segment;
        if (segment)
            last = (struct undo_spot){.at = {0, 0}};
        uint64_t offset = spot->at.offset - last.at.offset;
        put_varint(into, segment);
        put_varint(into, offset);
        put_varint(into, offset ? spot->entry : spot->entry - last.entry);
        digest_put(turns[i].written, written);
        put_bytes(into, slice_of(written, sizeof written));
        last = *spot;
    }
}

static bool turn_get(struct reader *reader, struct undo_spot *last, struct undo_turn *ret)
{
    uint64_t segment = reader_varint(reader), offset = reader_varint(reader), entry = reader_varint(reader);
    struct slice written = reader_bytes(reader, 16);
    if (!reader->ok)
        return false;
    struct undo_spot before = *last;
    if (segment)
        before.at.offset = 0;
    if (segment || offset)
        before.entry = 0;
    if (!int_add_u64(before.at.segment, segment, &segment) || !int_to_u32(segment, &last->at.segment) ||
        !int_add_u64(before.at.offset, offset, &last->at.offset) || !int_add_u64(before.entry, entry, &entry) ||
        !int_to_u32(entry, &last->entry))
        return false;
    *ret = (struct undo_turn){.spot = *last, .written = digest_get(written.data)};
    return true;
}

bool undo_turns_get(struct slice bytes, struct undo_turn *into, size_t n)
{
    struct reader reader = reader_of(bytes);
    struct undo_spot last = {.at = {0, 0}};
    for (size_t i = 0; i < n; i++)
        if (!turn_get(&reader, &last, &into[i]))
            return false;
    return reader_left(&reader) == 0;
}

void undo_chains_damage_put(const struct undo_damage *damage, size_t n, GByteArray *into)
{
    for (size_t i = 0; i < n; i++) {
        put_u32(into, damage[i].at.segment);
        put_u64(into, damage[i].at.offset);
        put_u32(into, damage[i].part);
        put_u32(into, damage[i].lane);
        put_u64(into, damage[i].first_number);
        put_u32(into, damage[i].keys);
        put_u8(into, damage[i].proven);
    }
}

bool undo_chains_damage_get(struct slice bytes, struct undo_damage *into, size_t n)
{
    struct reader reader = reader_of(bytes);
    for (size_t i = 0; i < n; i++) {
        into[i].at.segment = reader_u32(&reader);
        into[i].at.offset = reader_u64(&reader);
        into[i].part = reader_u32(&reader);
        into[i].lane = reader_u32(&reader);
        into[i].first_number = reader_u64(&reader);
        into[i].keys = reader_u32(&reader);
        into[i].proven = reader_u8(&reader);
    }
    return reader.ok && reader_left(&reader) == 0;
}

void undo_chains_end_put(const struct undo_chains_end *end, GByteArray *into)
{
    put_u64(into, end->items);
    put_u32(into, end->upto.segment);
    put_u64(into, end->upto.offset);
}

bool undo_chains_end_get(struct slice bytes, struct undo_chains_end *ret)
{
    struct reader reader = reader_of(bytes);
    ret->items = reader_u64(&reader);
    ret->upto.segment = reader_u32(&reader);
    ret->upto.offset = reader_u64(&reader);
    return reader.ok && reader_left(&reader) == 0;
}

void undo_chains_index_done(struct undo_chains_index *index)
{
    g_clear_pointer(&index->items, g_array_unref);
    g_clear_pointer(&index->damage, g_array_unref);
}

static bool not_whole(const char *path, uint64_t offset, GError **error)
{
    return error_set(error, SLUICE_ERROR_CORRUPT,
                     "%s: damaged at offset %" G_GUINT64_FORMAT " (or never finished); remove it, it is made again",
                     path, (guint64)offset);
}

/* Takes one block. Items stand dense from 0 on, in full blocks but for the last. */
static bool index_block(struct undo_chains_index *index, const struct block *block, uint64_t *io_items)
{
    struct undo_chains_items_head head;
    switch ((enum undo_chains_type)block->type) {
    case UNDO_CHAINS_ITEMS:
        if (!undo_chains_items_head_get(block->head, &head) || head.first != *io_items ||
            head.first % UNDO_CHAINS_BLOCK)
            return false;
        *io_items += head.count;
        g_array_append_val(index->items, block->offset);
        return true;
    case UNDO_CHAINS_DAMAGE:
        g_array_append_val(index->damage, block->offset);
        return true;
    case UNDO_CHAINS_END:
        return undo_chains_end_get(block->head, &index->end) && index->end.items == *io_items;
    }
    return false;
}

/* The next block: its head alone, but all of the end, which has no payload to be verified later. */
static enum block_result read_next(struct blockfile *file, uint64_t offset, struct arena *mem, struct block *ret,
                                   GError **error)
{
    if (arena_used(mem) > HEADS_RESET)
        arena_reset(mem);
    enum block_result result = blockfile_read(file, offset, true, mem, ret, error);
    if (result != BLOCK_OK || ret->type != UNDO_CHAINS_END)
        return result;
    result = blockfile_read(file, offset, false, mem, ret, error);
    return result == BLOCK_OK && ret->end != blockfile_end(file) ? BLOCK_DAMAGED : result;
}

static bool index_blocks(struct blockfile *file, const char *path, struct undo_chains_index *index, GError **error)
{
    auto_(arena) mem = arena_new(HEADS_CAP);
    uint64_t offset = blockfile_begin(file), items = 0;
    for (struct block block = {.type = 0}; block.type != UNDO_CHAINS_END; offset = block.end) {
        enum block_result result = read_next(file, offset, mem, &block, error);
        if (result == BLOCK_FAILED)
            return false;
        if (result != BLOCK_OK || !index_block(index, &block, &items))
            return not_whole(path, offset, error);
    }
    return true;
}

bool undo_chains_index(struct blockfile *file, const char *path, struct undo_chains_index *ret, GError **error)
{
    struct undo_chains_index index = {.items = g_array_new(FALSE, FALSE, sizeof(uint64_t)),
                                      .damage = g_array_new(FALSE, FALSE, sizeof(uint64_t))};
    if (!index_blocks(file, path, &index, error)) {
        undo_chains_index_done(&index);
        return false;
    }
    *ret = index;
    return true;
}

static bool payloads_whole(struct blockfile *file, const GArray *offsets, struct arena *mem, bool *ret, GError **error)
{
    for (guint i = 0; *ret && i < offsets->len; i++) {
        struct block block;
        arena_reset(mem);
        enum block_result result = blockfile_read(file, g_array_index(offsets, uint64_t, i), false, mem, &block, error);
        if (result == BLOCK_FAILED)
            return false;
        *ret = result == BLOCK_OK;
    }
    return true;
}

bool undo_chains_index_whole(struct blockfile *file, const struct undo_chains_index *index, bool *ret, GError **error)
{
    auto_(arena) mem = arena_new(HEADS_CAP);
    *ret = true;
    return payloads_whole(file, index->items, mem, ret, error) && payloads_whole(file, index->damage, mem, ret, error);
}
