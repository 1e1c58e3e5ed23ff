#include "base/blockfile.h"

#define XXH_STATIC_LINKING_ONLY /* XXH3_state_t on the stack */
#include <xxhash.h>
#include <zstd.h>

#include "base/int.h"
#include "base/seal.h"

enum {
    TAG_LEN = 32,
    FILE_HEADER = 56,
    FILE_HEADER_SUMMED = 48,
    BLOCK_HEADER = 36,
    BLOCK_HEADER_SUMMED = 20,
    FIRST_READ = 4096, /* header and head of nearly every block */
    HEADER_SEALED = 1,
    FLAG_PACKED = 1,
    FLAG_SEALED = 2,
    /* Of a batch of pre-images it takes 0.53 ms, level 1 0.74, and makes 21 % of them instead of 19. */
    PACK_LEVEL = -2,
    PACK_FROM = 64, /* fewer bytes never pay */
    FIND_STEP = 64 * 1024,
};

struct blockfile {
    struct file *file;
    struct blockfile_kind kind;
    uint8_t magic[sizeof(uint32_t)]; /* of a block, as it stands in the file */
    uint32_t version;
    uint8_t tag[TAG_LEN];
    uint64_t end;
    bool appends, torn, sealed;
    struct seal_key key; /* where it is sealed */
    const struct world *world;
    uint8_t *scratch; /* the block being put together, or the bytes being searched */
    size_t scratch_len;
    ZSTD_CCtx *packer;
    ZSTD_DCtx *unpacker;
};

struct block_packer {
    ZSTD_CCtx *context;
    uint8_t *room;
    size_t len;
};

/* The fields of a block's header. */
struct fields {
    uint32_t magic;
    uint16_t type, flags;
    uint32_t raw_len, stored_len, head_len;
    uint64_t head_sum, body_sum;
};

static bool scratch_fits(struct blockfile *file, size_t len)
{
    if (file->scratch_len >= len)
        return true;
    uint8_t *grown = g_try_realloc(file->scratch, len);
    if (!grown)
        return false;
    file->scratch = grown;
    file->scratch_len = len;
    return true;
}

static struct blockfile *blockfile_make(const struct world *world, struct file *file, const struct blockfile_kind *kind,
                                        bool appends)
{
    struct blockfile *made = g_new0(struct blockfile, 1);
    made->world = world;
    made->file = file;
    made->kind = *kind;
    made->appends = appends;
    made->version = kind->version;
    g_autoptr(GByteArray) magic = g_byte_array_new();
    put_u32(magic, kind->block_magic);
    memcpy(made->magic, magic->data, sizeof made->magic);
    return made;
}

void blockfile_free(struct blockfile *file)
{
    if (!file)
        return;
    file_free(file->file);
    seal_forget(&file->key);
    g_free(file->scratch);
    ZSTD_freeCCtx(file->packer);
    ZSTD_freeDCtx(file->unpacker);
    g_free(file);
}

static bool write_file_header(struct blockfile *file, GError **error)
{
    g_autoptr(GByteArray) header = g_byte_array_sized_new(FILE_HEADER);
    put_bytes(header, slice_of(file->kind.magic, sizeof file->kind.magic));
    put_u32(header, file->version);
    put_u32(header, file->sealed ? HEADER_SEALED : 0);
    put_bytes(header, slice_of(file->tag, TAG_LEN));
    put_u64(header, XXH3_64bits(header->data, header->len));
    return file_append(file->file, slice_of(header->data, header->len), NULL, error);
}

static bool find_key(struct blockfile *file, bool *ret_found, GError **error)
{
    const char *what = file->kind.sealed_as;
    *ret_found = false;
    return !what || world_seal_key(file->world, file->tag, what, &file->key, ret_found, error);
}

bool blockfile_create(struct blockfile **ret, const struct world *world, const char *path,
                      const struct blockfile_kind *kind, struct slice tag, GError **error)
{
    g_assert(tag.len <= TAG_LEN);
    struct file *raw;
    if (!file_open(&raw, world, path, FILE_CREATE, error))
        return false;
    auto_(blockfile) file = blockfile_make(world, raw, kind, true);
    if (tag.len)
        memcpy(file->tag, tag.data, tag.len);
    file->end = FILE_HEADER;
    g_autofree char *dir = g_path_get_dirname(path);
    if (!find_key(file, &file->sealed, error) || !write_file_header(file, error) ||
        !file_sync_dir_durable(world, dir, error))
        return false;
    *ret = g_steal_pointer(&file);
    return true;
}

static bool corrupt(const struct blockfile *file, const char *what, GError **error)
{
    return error_set(error, SLUICE_ERROR_CORRUPT, "%s: %s", file_path(file->file), what);
}

static bool need_key(struct blockfile *file, GError **error)
{
    bool found;
    if (!find_key(file, &found, error))
        return error_add(error, "%s", file_path(file->file));
    return found ||
           error_set(error, SLUICE_ERROR_REFUSED,
                     "%s: it is sealed, and its key is not in this home: it has expired (`sluice prune`), or the "
                     "file belongs to another home",
                     file_path(file->file));
}

/* ret_verifies NULL: a header that does not is an error. */
static bool read_file_header(struct blockfile *file, bool *ret_verifies, GError **error)
{
    uint8_t bytes[FILE_HEADER];
    size_t len;
    if (!file_read_at(file->file, 0, bytes, sizeof bytes, &len, error))
        return false;
    struct reader reader = reader_of(slice_of(bytes, len));
    struct slice magic = reader_bytes(&reader, sizeof file->kind.magic);
    uint32_t version = reader_u32(&reader), flags = reader_u32(&reader);
    struct slice tag = reader_bytes(&reader, TAG_LEN);
    uint64_t sum = reader_u64(&reader);
    if (!reader.ok)
        return corrupt(file, "ends inside its header; it was never made durable", error);
    bool verifies = sum == XXH3_64bits(bytes, FILE_HEADER_SUMMED);
    if (ret_verifies)
        *ret_verifies = verifies;
    if (ret_verifies && !verifies)
        return true;
    if (!slice_equal(magic, slice_of(file->kind.magic, sizeof file->kind.magic)))
        return corrupt(file, "does not begin like a file of this kind", error);
    if (!verifies)
        return corrupt(file, "the header is damaged", error);
    if (version > file->kind.version)
        return error_set(error, SLUICE_ERROR_CORRUPT, "%s: written by a newer sluice (format %u, this one knows %u)",
                         file_path(file->file), version, file->kind.version);
    file->version = version;
    memcpy(file->tag, tag.data, TAG_LEN);
    file->sealed = flags & HEADER_SEALED;
    return !file->sealed || need_key(file, error);
}

bool blockfile_open(struct blockfile **ret, const struct world *world, const char *path,
                    const struct blockfile_kind *kind, bool append, GError **error)
{
    struct file *raw;
    if (!file_open(&raw, world, path, append ? FILE_UPDATE : FILE_READ, error))
        return false;
    auto_(blockfile) file = blockfile_make(world, raw, kind, append);
    if (!read_file_header(file, NULL, error) || !file_size(raw, &file->end, error))
        return false;
    *ret = g_steal_pointer(&file);
    return true;
}

bool blockfile_salvage(struct blockfile **ret, const struct world *world, const char *path,
                       const struct blockfile_kind *kind, bool *ret_header, GError **error)
{
    struct file *raw;
    bool verifies;
    if (!file_open(&raw, world, path, FILE_READ, error))
        return false;
    auto_(blockfile) file = blockfile_make(world, raw, kind, false);
    if (!read_file_header(file, &verifies, error) || !file_size(raw, &file->end, error))
        return false;
    *ret_header = verifies;
    *ret = g_steal_pointer(&file);
    return true;
}

struct slice blockfile_tag(const struct blockfile *file)
{
    return slice_of(file->tag, TAG_LEN);
}

uint32_t blockfile_version(const struct blockfile *file)
{
    return file->version;
}

uint64_t blockfile_begin(const struct blockfile *file)
{
    return FILE_HEADER;
}

uint64_t blockfile_end(const struct blockfile *file)
{
    return file->end;
}

/* The packed length, or 0 where packing fails or saves less than a sixteenth. */
static size_t pack_into(ZSTD_CCtx **io_packer, uint8_t *into, size_t room, struct slice payload)
{
    if (!*io_packer)
        *io_packer = ZSTD_createCCtx();
    size_t len = ZSTD_compressCCtx(*io_packer, into, room, payload.data, payload.len, PACK_LEVEL);
    return !ZSTD_isError(len) && len < payload.len - payload.len / 16 ? len : 0;
}

struct block_packer *block_packer_new(void)
{
    return g_new0(struct block_packer, 1);
}

void block_packer_free(struct block_packer *packer)
{
    if (!packer)
        return;
    ZSTD_freeCCtx(packer->context);
    g_free(packer->room);
    g_free(packer);
}

struct slice block_packer_pack(struct block_packer *packer, struct slice payload)
{
    size_t room = ZSTD_compressBound(payload.len);
    if (payload.len < PACK_FROM || payload.len > UINT32_MAX)
        return SLICE_EMPTY;
    if (packer->len < room) {
        uint8_t *grown = g_try_realloc(packer->room, room);
        if (!grown)
            return SLICE_EMPTY;
        packer->room = grown;
        packer->len = room;
    }
    return slice_of(packer->room, pack_into(&packer->context, packer->room, room, payload));
}

/* Of the fields before it, as they stand in the file, and of the head. */
static uint64_t head_sum(const uint8_t *header, struct slice head)
{
    XXH3_state_t state;
    XXH3_INITSTATE(&state);
    XXH3_64bits_reset(&state);
    XXH3_64bits_update(&state, header, BLOCK_HEADER_SUMMED);
    XXH3_64bits_update(&state, head.data, head.len);
    return XXH3_64bits_digest(&state);
}

static void put_header(uint8_t *into, const struct fields *fields, struct slice head)
{
    g_autoptr(GByteArray) header = g_byte_array_sized_new(BLOCK_HEADER);
    put_u32(header, fields->magic);
    put_u16(header, fields->type);
    put_u16(header, fields->flags);
    put_u32(header, fields->raw_len);
    put_u32(header, fields->stored_len);
    put_u32(header, fields->head_len);
    put_u64(header, head_sum(header->data, head));
    put_u64(header, fields->body_sum);
    memcpy(into, header->data, BLOCK_HEADER);
}

/* What a sealed payload belongs to. */
static GByteArray *about(const struct blockfile *file, const struct fields *fields, uint64_t offset, struct slice head)
{
    GByteArray *bytes = g_byte_array_sized_new(64 + (guint)head.len);
    put_bytes(bytes, slice_of(file->tag, TAG_LEN));
    put_u16(bytes, fields->type);
    put_u16(bytes, fields->flags);
    put_u32(bytes, fields->raw_len);
    put_u64(bytes, offset);
    put_bytes(bytes, head);
    return bytes;
}

/* `io` as seal_put() wants it; returns how long it is then. */
static size_t seal_payload(const struct blockfile *file, struct fields *io_fields, struct slice head, uint8_t *io,
                           size_t len)
{
    io_fields->flags |= FLAG_SEALED;
    g_autoptr(GByteArray) whose = about(file, io_fields, file->end, head);
    seal_put(&file->key, file->world, slice_of(whose->data, whose->len), io, len);
    return len + SEAL_MORE;
}

/* Puts the block together in the scratch: one write, and the payload is packed where it will stand. */
static bool assemble(struct blockfile *file, const struct block_draft *draft, size_t *ret_len)
{
    struct fields fields = {.magic = file->kind.block_magic, .type = draft->type};
    struct slice head = draft->head, payload = draft->payload;
    bool pack = draft->pack && !draft->packed.len && payload.len >= PACK_FROM;
    size_t room = pack ? ZSTD_compressBound(payload.len) : payload.len;
    if (!int_to_u32(head.len, &fields.head_len) || !int_to_u32(payload.len, &fields.raw_len) ||
        !scratch_fits(file, BLOCK_HEADER + head.len + room + SEAL_MORE))
        return false;
    uint8_t *place = file->scratch + BLOCK_HEADER + head.len, *stored = place + (file->sealed ? SEAL_NONCE : 0);
    size_t stored_len = pack ? pack_into(&file->packer, stored, room, payload) : draft->packed.len;
    if (draft->packed.len)
        memcpy(stored, draft->packed.data, stored_len);
    if (stored_len)
        fields.flags |= FLAG_PACKED;
    else if ((stored_len = payload.len) > 0)
        memcpy(stored, payload.data, payload.len);
    if (file->sealed && payload.len)
        stored_len = seal_payload(file, &fields, head, place, stored_len);
    if (!int_to_u32(stored_len, &fields.stored_len))
        return false;
    fields.body_sum = XXH3_64bits(place, stored_len);
    if (head.len)
        memcpy(file->scratch + BLOCK_HEADER, head.data, head.len);
    put_header(file->scratch, &fields, head);
    *ret_len = BLOCK_HEADER + head.len + stored_len;
    return true;
}

bool blockfile_append(struct blockfile *file, const struct block_draft *draft, uint64_t *ret_offset, GError **error)
{
    g_assert(file->appends);
    if (file->torn)
        return error_set(error, SLUICE_ERROR_STORE, "%s: an earlier write failed half-way and could not be taken back",
                         file_path(file->file));
    size_t len;
    if (!assemble(file, draft, &len))
        return error_set(error, SLUICE_ERROR_TOO_BIG, "%s: a block of %zu bytes cannot be held or stored",
                         file_path(file->file), draft->payload.len);
    if (!file_append(file->file, slice_of(file->scratch, len), NULL, error)) {
        file->torn = !file_truncate(file->file, file->end, NULL);
        return false;
    }
    if (ret_offset)
        *ret_offset = file->end;
    file->end += len;
    return true;
}

bool blockfile_sync_durable(struct blockfile *file, GError **error)
{
    return file_sync_durable(file->file, error);
}

bool blockfile_cut(struct blockfile *file, uint64_t end, GError **error)
{
    g_assert(file->appends && end >= FILE_HEADER && end <= file->end);
    if (!file_truncate(file->file, end, error))
        return false;
    file->end = end;
    file->torn = false;
    return true;
}

static struct fields read_fields(const uint8_t *header)
{
    struct reader reader = reader_of(slice_of(header, BLOCK_HEADER));
    struct fields fields;
    fields.magic = reader_u32(&reader);
    fields.type = reader_u16(&reader);
    fields.flags = reader_u16(&reader);
    fields.raw_len = reader_u32(&reader);
    fields.stored_len = reader_u32(&reader);
    fields.head_len = reader_u32(&reader);
    fields.head_sum = reader_u64(&reader);
    fields.body_sum = reader_u64(&reader);
    return fields;
}

/* Where the block ends by its lengths, or 0 where that is beyond the file. */
static uint64_t end_of(const struct blockfile *file, uint64_t offset, const struct fields *fields)
{
    uint64_t end = offset + BLOCK_HEADER + (uint64_t)fields->head_len + fields->stored_len;
    return end <= file->end ? end : 0;
}

static enum block_result no_room(const struct blockfile *file, uint64_t offset, GError **error)
{
    error_set(error, SLUICE_ERROR_TOO_BIG,
              "%s: the block at offset %" G_GUINT64_FORMAT " is larger than the memory given", file_path(file->file),
              (guint64)offset);
    return BLOCK_FAILED;
}

/* Reads exactly `len` bytes. Fewer in the file, though its size promised them: it shrank. */
static enum block_result read_exactly(struct blockfile *file, uint64_t offset, size_t len, uint8_t *into,
                                      struct slice *ret, GError **error)
{
    size_t got;
    if (!into)
        return no_room(file, offset, error);
    if (!file_read_at(file->file, offset, into, len, &got, error))
        return BLOCK_FAILED;
    *ret = slice_of(into, got);
    return got == len ? BLOCK_OK : BLOCK_DAMAGED;
}

/* The verified head; `first` is what the first read brought: the header, and as a rule all of the head. */
static enum block_result read_head(struct blockfile *file, struct slice first, const struct fields *fields,
                                   struct arena *mem, struct block *ret, GError **error)
{
    ret->end = fields->magic == file->kind.block_magic ? end_of(file, ret->offset, fields) : 0;
    if (!ret->end)
        return BLOCK_DAMAGED;
    struct slice head = SLICE_EMPTY;
    enum block_result result = BLOCK_OK;
    if (fields->head_len > first.len - BLOCK_HEADER)
        result = read_exactly(file, ret->offset + BLOCK_HEADER, fields->head_len, arena_alloc(mem, fields->head_len),
                              &head, error);
    else if (!arena_copy(mem, slice_of(first.data + BLOCK_HEADER, fields->head_len), &head))
        result = no_room(file, ret->offset, error);
    if (result == BLOCK_OK && head_sum(first.data, head) != fields->head_sum)
        result = BLOCK_DAMAGED;
    if (result == BLOCK_OK) {
        ret->type = fields->type;
        ret->head = head;
    }
    return result;
}

static enum block_result unpack(struct blockfile *file, const struct fields *fields, struct slice stored,
                                struct arena *mem, struct block *ret, GError **error)
{
    /* Asked before memory is taken: a length that the frame itself does not claim is damage. */
    if (ZSTD_getFrameContentSize(stored.data, stored.len) != fields->raw_len)
        return BLOCK_DAMAGED;
    uint8_t *raw = arena_alloc(mem, fields->raw_len);
    if (!raw)
        return no_room(file, ret->offset, error);
    if (!file->unpacker)
        file->unpacker = ZSTD_createDCtx();
    size_t len = ZSTD_decompressDCtx(file->unpacker, raw, fields->raw_len, stored.data, stored.len);
    if (ZSTD_isError(len) || len != fields->raw_len)
        return BLOCK_DAMAGED;
    ret->payload = slice_of(raw, len);
    return BLOCK_OK;
}

/* `io`: in the scratch. Somebody who cannot seal cannot have put the block there. */
static bool unseal(const struct blockfile *file, const struct fields *fields, const struct block *block,
                   struct slice *io)
{
    bool sealed = fields->flags & FLAG_SEALED;
    if (!file->sealed || !sealed)
        return !sealed && (!file->sealed || io->len == 0);
    g_autoptr(GByteArray) whose = about(file, fields, block->offset, block->head);
    if (!seal_open(&file->key, slice_of(whose->data, whose->len), file->scratch, io->len))
        return false;
    *io = slice_of(file->scratch + SEAL_NONCE, io->len - SEAL_MORE);
    return true;
}

/* What is packed or sealed is read into the scratch, so that the arena holds only what the caller gets. */
static enum block_result read_payload(struct blockfile *file, const struct fields *fields, struct arena *mem,
                                      struct block *ret, GError **error)
{
    bool packed = fields->flags & FLAG_PACKED, aside = packed || (file->sealed && fields->stored_len);
    uint64_t begin = ret->offset + BLOCK_HEADER + fields->head_len;
    uint8_t *into = !aside                                   ? arena_alloc(mem, fields->stored_len)
                    : scratch_fits(file, fields->stored_len) ? file->scratch
                                                             : NULL;
    struct slice stored;
    enum block_result result = read_exactly(file, begin, fields->stored_len, into, &stored, error);
    if (result != BLOCK_OK)
        return result;
    if (XXH3_64bits(stored.data, stored.len) != fields->body_sum || !unseal(file, fields, ret, &stored))
        return BLOCK_DAMAGED;
    if (packed)
        return unpack(file, fields, stored, mem, ret, error);
    if (aside && !arena_copy(mem, stored, &stored))
        return no_room(file, ret->offset, error);
    ret->payload = stored;
    return fields->raw_len == stored.len ? BLOCK_OK : BLOCK_DAMAGED;
}

/* A file that someone else appends to has grown since it was opened. */
static bool know_end(struct blockfile *file, uint64_t offset, GError **error)
{
    return file->appends || offset < file->end || file_size(file->file, &file->end, error);
}

enum block_result blockfile_read(struct blockfile *file, uint64_t offset, bool head_only, struct arena *mem,
                                 struct block *ret, GError **error)
{
    if (!know_end(file, offset, error))
        return BLOCK_FAILED;
    if (offset >= file->end)
        return BLOCK_END;
    uint8_t bytes[FIRST_READ];
    size_t len;
    if (!file_read_at(file->file, offset, bytes, MIN(sizeof bytes, file->end - offset), &len, error))
        return BLOCK_FAILED;
    *ret = (struct block){.offset = offset};
    if (len < BLOCK_HEADER)
        return BLOCK_DAMAGED;
    struct fields fields = read_fields(bytes);
    enum block_result result = read_head(file, slice_of(bytes, len), &fields, mem, ret, error);
    if (result == BLOCK_OK && !head_only)
        result = read_payload(file, &fields, mem, ret, error);
    return result;
}

/* The first place in the scratch at which a block could begin, or `len`. */
static size_t find_magic(const struct blockfile *file, size_t len)
{
    const uint8_t *found = memmem(file->scratch, len, file->magic, sizeof file->magic);
    return found ? (size_t)(found - file->scratch) : len;
}

/* From `*io` to the next place that has the magic; BLOCK_END where none has. */
static enum block_result next_magic(struct blockfile *file, uint64_t *io, GError **error)
{
    for (;;) {
        size_t len;
        if (!file_read_at(file->file, *io, file->scratch, FIND_STEP, &len, error))
            return BLOCK_FAILED;
        size_t at = find_magic(file, len);
        if (at < len) {
            *io += at;
            return BLOCK_OK;
        }
        if (len < FIND_STEP)
            return BLOCK_END;
        *io += FIND_STEP - (sizeof file->magic - 1); /* one may stand across the border */
    }
}

enum block_result blockfile_find(struct blockfile *file, uint64_t from, struct arena *mem, uint64_t *ret_offset,
                                 GError **error)
{
    if (!scratch_fits(file, FIND_STEP))
        return no_room(file, from, error);
    for (;; from++) {
        struct block block;
        enum block_result result = next_magic(file, &from, error);
        if (result == BLOCK_OK)
            result = blockfile_read(file, from, true, mem, &block, error);
        if (result == BLOCK_OK)
            *ret_offset = from;
        if (result != BLOCK_DAMAGED)
            return result;
    }
}

/* --- all of it ---------------------------------------------------------------------------------------------------- */

struct visited {
    struct blockfile *file;
    const struct block_visit *visit;
    uint64_t at, damaged, first;
};

/* Behind a block whose lengths are not believed, the next one is looked for. */
static bool visit_damage(struct visited *visited, GError **error)
{
    uint64_t here = visited->at;
    enum block_result found = blockfile_find(visited->file, here + 1, visited->visit->mem, &visited->at, error);
    if (found == BLOCK_FAILED)
        return false;
    if (found != BLOCK_OK)
        visited->at = blockfile_end(visited->file);
    visited->first = visited->damaged++ ? visited->first : here;
    return visited->visit->damage(visited->visit->self, here, error);
}

static bool visit_one(struct visited *visited, bool *ret_over, GError **error)
{
    struct block block;
    bool sound = false;
    arena_reset(visited->visit->mem);
    enum block_result result = blockfile_read(visited->file, visited->at, false, visited->visit->mem, &block, error);
    *ret_over = result == BLOCK_END;
    if (result == BLOCK_FAILED || result == BLOCK_END)
        return result == BLOCK_END;
    if (result == BLOCK_OK && !visited->visit->block(visited->visit->self, &block, &sound, error))
        return false;
    if (!sound)
        return visit_damage(visited, error);
    visited->at = block.end;
    return true;
}

bool blockfile_visit(struct blockfile *file, const struct block_visit *visit, GError **error)
{
    struct visited visited = {.file = file, .visit = visit, .at = blockfile_begin(file)};
    for (bool over = false; !over;)
        if (!visit_one(&visited, &over, error))
            return false;
    return visited.damaged == 0 ||
           error_set(error, SLUICE_ERROR_CORRUPT,
                     "%s: damaged in %" G_GUINT64_FORMAT " place%s, the first at offset %" G_GUINT64_FORMAT,
                     file_path(file->file), visited.damaged, visited.damaged == 1 ? "" : "s", visited.first);
}
