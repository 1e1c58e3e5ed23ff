#include "listing/seen.h"

#include "base/int.h"

#define ITEM_BYTES   33u /* digest of the key:16 present:1 digest of the record:16 */
#define BLOCK_ITEMS  4096u
#define TYPE_SEEN    1
#define TYPE_THE_END 2
#define UID_BYTES    16u

const struct blockfile_kind seen_kind = {
    .magic = "SLSEEN1\n", .version = 1, .block_magic = 0x4e454553, .sealed_as = "reports"};

struct seen_list {
    GByteArray *items; /* sorted */
    bool ended;        /* while it is read: its last block has come */
};

/* --- in memory ---------------------------------------------------------------------------------------------------- */

static int compare_keys(const void *a, const void *b)
{
    return memcmp(a, b, 16);
}

struct seen_list *seen_list_new(const struct seen *seen, size_t n)
{
    struct seen_list *list = g_new0(struct seen_list, 1);
    list->items = g_byte_array_new();
    for (size_t i = 0; i < n; i++) {
        uint8_t item[ITEM_BYTES] = {0};
        digest_put(digest_bytes(seen[i].key, 0), item);
        item[16] = seen[i].present;
        if (seen[i].present)
            digest_put(seen[i].stored, item + 17);
        g_byte_array_append(list->items, item, sizeof item);
    }
    if (n > 0)
        qsort(list->items->data, n, ITEM_BYTES, compare_keys);
    return list;
}

void seen_list_free(struct seen_list *list)
{
    if (!list)
        return;
    g_byte_array_unref(list->items);
    g_free(list);
}

size_t seen_list_count(const struct seen_list *list)
{
    return list->items->len / ITEM_BYTES;
}

struct digest seen_list_digest(const struct seen_list *list)
{
    return digest_bytes(slice_of(list->items->data, list->items->len), 0);
}

enum seen_what seen_list_find(const struct seen_list *list, struct slice key, struct digest *ret_stored)
{
    uint8_t wanted[16];
    size_t n = seen_list_count(list);
    digest_put(digest_bytes(key, 0), wanted);
    const uint8_t *item = n ? bsearch(wanted, list->items->data, n, ITEM_BYTES, compare_keys) : NULL;
    if (!item)
        return SEEN_NEVER;
    if (item[16])
        *ret_stored = digest_get(item + 17);
    return item[16] ? SEEN_PRESENT : SEEN_ABSENT;
}

/* --- on disk ------------------------------------------------------------------------------------------------------ */

static bool put_all(const struct seen_list *list, struct blockfile *file, GError **error)
{
    size_t len = list->items->len, most = (size_t)BLOCK_ITEMS * ITEM_BYTES;
    uint64_t count = GUINT64_TO_LE((uint64_t)seen_list_count(list));
    for (size_t at = 0; at < len; at += most) {
        struct block_draft draft = {.type = TYPE_SEEN,
                                    .payload = slice_of(list->items->data + at, MIN(most, len - at))};
        if (!blockfile_append(file, &draft, NULL, error))
            return false;
    }
    struct block_draft end = {.type = TYPE_THE_END, .head = slice_of(&count, sizeof count)};
    return blockfile_append(file, &end, NULL, error);
}

bool seen_list_write_durable(const struct seen_list *list, const struct world *world, const char *path,
                             const uint8_t run_uid[16], GError **error)
{
    auto_(blockfile) file = NULL;
    g_autofree char *aside = g_strconcat(path, ".tmp", NULL);
    return file_unlink(world, aside, error) &&
           blockfile_create(&file, world, aside, &seen_kind, slice_of(run_uid, UID_BYTES), error) &&
           put_all(list, file, error) && blockfile_sync_durable(file, error) &&
           file_rename_durable(world, aside, path, error);
}

static bool damaged(const char *path, GError **error)
{
    return error_set(error, SLUICE_ERROR_CORRUPT, "%s: damaged, or not written to its end", path);
}

static bool take_end(struct seen_list *list, struct slice head)
{
    struct reader fields = reader_of(head);
    list->ended = true;
    return reader_u64(&fields) == seen_list_count(list) && fields.ok;
}

static bool take_block(struct seen_list *list, const struct block *block)
{
    if (block->type == TYPE_THE_END)
        return take_end(list, block->head);
    bool whole = block->type == TYPE_SEEN && block->payload.len % ITEM_BYTES == 0;
    if (whole)
        g_byte_array_append(list->items, block->payload.data, (guint)block->payload.len);
    return whole;
}

static bool read_all(struct seen_list *list, struct blockfile *file, const char *path, GError **error)
{
    auto_(arena) mem = arena_new(4 << 20);
    for (uint64_t at = blockfile_begin(file); !list->ended;) {
        struct block block;
        arena_reset(mem);
        enum block_result result = blockfile_read(file, at, false, mem, &block, error);
        if (result == BLOCK_FAILED)
            return false;
        if (result != BLOCK_OK || !take_block(list, &block))
            return damaged(path, error);
        at = block.end;
    }
    for (size_t i = 1; i < seen_list_count(list); i++)
        if (compare_keys(list->items->data + (i - 1) * ITEM_BYTES, list->items->data + i * ITEM_BYTES) > 0)
            return damaged(path, error);
    return true;
}

bool seen_list_open(struct seen_list **ret, const struct world *world, const char *path, const uint8_t run_uid[16],
                    GError **error)
{
    auto_(blockfile) file = NULL;
    auto_(seen_list) list = seen_list_new(NULL, 0);
    if (!blockfile_open(&file, world, path, &seen_kind, false, error))
        return false;
    if (run_uid && memcmp(blockfile_tag(file).data, run_uid, UID_BYTES) != 0)
        return error_set(error, SLUICE_ERROR_CORRUPT, "%s: it is that of another run", path);
    if (!read_all(list, file, path, error))
        return false;
    *ret = g_steal_pointer(&list);
    return true;
}

/* --- for people --------------------------------------------------------------------------------------------------- */

static bool give(const struct document_lines *into, const uint8_t *item, GString *text, GError **error)
{
    char key[DIGEST_TEXT], stored[DIGEST_TEXT];
    bson_t line = BSON_INITIALIZER;
    BSON_APPEND_UTF8(&line, "type", "seen");
    BSON_APPEND_UTF8(&line, "key_digest", digest_text(digest_get(item), key));
    if (item[16])
        BSON_APPEND_UTF8(&line, "stored", digest_text(digest_get(item + 17), stored));
    g_string_truncate(text, 0);
    bool ok = document_to_json(slice_of(bson_get_data(&line), line.len), text, error);
    bson_destroy(&line);
    return ok && into->line(into->self, text->str, error);
}

bool seen_dump(const struct world *world, const char *path, const struct document_lines *into, GError **error)
{
    auto_(seen_list) list = NULL;
    g_autoptr(GString) text = g_string_new(NULL);
    if (!seen_list_open(&list, world, path, NULL, error))
        return false;
    for (size_t i = 0; i < seen_list_count(list); i++)
        if (!give(into, list->items->data + i * ITEM_BYTES, text, error))
            return false;
    return true;
}
