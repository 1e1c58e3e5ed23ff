#include "store/undo/decode.h"

#include "base/hex.h"
#include "base/int.h"

enum { MANIFEST_BYTES = 8 << 20, FORMAT = 1, HEAD_BYTES = 40, PRESENT = 1, DELETES = 2, VARINT_BITS = 63 };

const struct blockfile_kind undo_segment_kind = {.magic = {'S', 'L', 'U', 'N', 'D', 'O', '1', '\n'},
                                                 .version = 1,
                                                 .block_magic = UINT32_C(0x4f444e55),
                                                 .sealed_as = "undo"};

char *undo_listing_path(const char *dir, uint32_t segment)
{
    return g_strdup_printf("%s/%06u.undo", dir, segment);
}

void undo_listing_done(struct undo_listing *listing)
{
    g_clear_pointer(&listing->bytes, g_free);
}

/* --- MANIFEST ----------------------------------------------------------------------------------------------------- */

static bool uid_of(const bson_iter_t *at, uint8_t into[16])
{
    uint32_t len;
    const char *text = BSON_ITER_HOLDS_UTF8(at) ? bson_iter_utf8(at, &len) : NULL;
    return text && hex_parse(slice_of(text, len), into, 16);
}

/* {"name": "000001.undo", "bytes": N}: the name is what its place makes it, the length may be missing. */
static bool segment_of(const bson_iter_t *row, uint32_t number, uint64_t *ret_bytes)
{
    bson_iter_t at;
    char name[32];
    int64_t bytes = 0;
    bool named = false;
    g_snprintf(name, sizeof name, "%06u.undo", number);
    if (!BSON_ITER_HOLDS_DOCUMENT(row) || !bson_iter_recurse(row, &at))
        return false;
    while (bson_iter_next(&at)) {
        if (strcmp(bson_iter_key(&at), "name") == 0)
            named = BSON_ITER_HOLDS_UTF8(&at) && strcmp(bson_iter_utf8(&at, NULL), name) == 0;
        else if (strcmp(bson_iter_key(&at), "bytes") == 0)
            bytes = BSON_ITER_HOLDS_INT64(&at) ? bson_iter_int64(&at) : -1;
    }
    *ret_bytes = (uint64_t)bytes;
    return named && bytes >= 0;
}

static bool segments_of(const bson_iter_t *at, struct undo_listing *ret)
{
    bson_iter_t row;
    g_autoptr(GArray) bytes = g_array_new(FALSE, FALSE, sizeof(uint64_t));
    if (!BSON_ITER_HOLDS_ARRAY(at) || !bson_iter_recurse(at, &row))
        return false;
    while (bson_iter_next(&row)) {
        uint64_t len;
        if (!segment_of(&row, bytes->len + 1, &len))
            return false;
        g_array_append_val(bytes, len);
    }
    ret->n = bytes->len;
    ret->bytes = (uint64_t *)(void *)g_array_free(g_steal_pointer(&bytes), FALSE);
    return true;
}

static bool listing_of(struct slice document, struct undo_listing *ret)
{
    bson_t view;
    bson_iter_t at;
    return document_view(document, &view) && bson_iter_init_find(&at, &view, "undo") && BSON_ITER_HOLDS_INT64(&at) &&
           bson_iter_int64(&at) == FORMAT && bson_iter_init_find(&at, &view, "run") && uid_of(&at, ret->run_uid) &&
           bson_iter_init_find(&at, &view, "segments") && segments_of(&at, ret);
}

/* Of a log that is there, a part is lost; else there is no such log. */
static bool is_missing(const struct world *world, const char *dir, GError *failed, GError **error)
{
    if (!file_exists(world, dir)) {
        g_propagate_error(error, failed);
        return false;
    }
    return error_forgive(failed, SLUICE_ERROR_NOT_FOUND, error) &&
           error_set(error, SLUICE_ERROR_CORRUPT,
                     "%s/MANIFEST: it is missing from the undo log, of which it names the segments; put it back from a "
                     "copy of the home",
                     dir);
}

bool undo_listing_read(struct undo_listing *ret, const struct world *world, const char *dir, GError **error)
{
    g_autofree char *path = g_strconcat(dir, "/MANIFEST", NULL);
    g_autoptr(GBytes) text = NULL;
    size_t len;
    struct slice document;
    struct undo_listing listing = {.n = 0};
    GError *failed = NULL;
    if (!file_read_all(world, path, MANIFEST_BYTES, &text, &failed))
        return is_missing(world, dir, failed, error);
    const void *data = g_bytes_get_data(text, &len);
    auto_(arena) mem = arena_new((size_t)4 * MANIFEST_BYTES);
    if (!document_from_json(slice_of(data, len), mem, &document, NULL, NULL) || !listing_of(document, &listing))
        return error_set(error, SLUICE_ERROR_CORRUPT,
                         "%s: not the manifest of an undo log in format %d; a newer sluice may have written it", path,
                         FORMAT);
    *ret = listing;
    return true;
}

bool undo_listing_owns(const struct undo_listing *listing, uint32_t segment, struct slice tag)
{
    struct reader reader = reader_of(tag);
    struct slice uid = reader_bytes(&reader, sizeof listing->run_uid);
    uint32_t number = reader_u32(&reader);
    return reader.ok && slice_equal(uid, slice_of(listing->run_uid, sizeof listing->run_uid)) && number == segment;
}

/* --- blocks ------------------------------------------------------------------------------------------------------- */

bool undo_block_head_read(const struct block *block, struct undo_block_head *ret)
{
    struct reader reader = reader_of(block->head);
    struct undo_block_head head;
    head.part = reader_u32(&reader);
    head.lane = reader_u32(&reader);
    head.number = reader_u64(&reader);
    head.sequence = reader_u64(&reader);
    head.count = reader_u32(&reader);
    reader_u32(&reader); /* reserved */
    head.durable = reader_u64(&reader);
    bool known = block->type == UNDO_KIND_INTENTS || block->type == UNDO_KIND_OUTCOMES;
    if (!known || block->head.len != HEAD_BYTES || !reader.ok)
        return false;
    if (head.number > UINT64_MAX - head.count || head.sequence > UINT64_MAX - head.count)
        return false;
    *ret = head;
    return true;
}

static size_t left(const struct undo_cursor *cursor)
{
    return (size_t)(cursor->end - cursor->at);
}

static bool take(struct undo_cursor *cursor, uint64_t len, const uint8_t **ret)
{
    if (len > left(cursor))
        return false;
    *ret = cursor->at;
    cursor->at += len;
    return true;
}

static bool take_varint(struct undo_cursor *cursor, uint64_t *ret)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift <= VARINT_BITS && left(cursor) > 0; shift += 7) {
        uint8_t byte = *cursor->at++;
        if (shift == VARINT_BITS && byte > 1)
            return false;
        value |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) {
            *ret = value;
            return true;
        }
    }
    return false;
}

static bool take_bytes(struct undo_cursor *cursor, struct slice *ret)
{
    uint64_t len;
    const uint8_t *data;
    if (!take_varint(cursor, &len) || !take(cursor, len, &data))
        return false;
    *ret = slice_of(data, (size_t)len);
    return true;
}

static int64_t signed_of(uint64_t zigzag)
{
    uint64_t half = zigzag / 2;
    return zigzag % 2 ? -(int64_t)half - 1 : (int64_t)half;
}

bool undo_written_next(struct undo_cursor *cursor, struct undo_written *ret)
{
    const uint8_t *flags, *digest;
    uint64_t expires;
    struct undo_written written = {.present = false};
    if (!take(cursor, 1, &flags) || !take_bytes(cursor, &written.key) || !take(cursor, sizeof written.digest, &digest))
        return false;
    memcpy(written.digest, digest, sizeof written.digest);
    written.deletes = *flags & DELETES;
    written.present = *flags & PRESENT;
    if (written.present) {
        if (!take_varint(cursor, &expires) || !take_bytes(cursor, &written.pre))
            return false;
        written.expires_at_ms = signed_of(expires);
    }
    *ret = written;
    return true;
}
