#include "listing/skips.h"

#include "base/int.h"
#include "record/text.h"

const struct blockfile_kind skips_kind = {
    .magic = "SLSKIP1\n", .version = 2, .block_magic = 0x50494b53, .sealed_as = "reports"};
/* What is written where all records take part that are not listed: an older sluice reads it too. */
static const struct blockfile_kind plain_kind = {
    .magic = "SLSKIP1\n", .version = 1, .block_magic = 0x50494b53, .sealed_as = "reports"};

enum { BLOCK_PAYLOAD = 32 * 1024 };

/* --- writing --------------------------------------------------------------------------------------------------------
 */

struct skips_writer {
    struct blocks_writer *blocks;
    GByteArray *payload, *rows;
    struct skip_entry first, last; /* of the block at hand */
    uint64_t block_entries, entries, n_rows, offset;
    bool chosen;
    const GPtrArray *gone;
};

static bool writer_new(struct skips_writer **ret, const struct blocks_draft *as, bool chosen, GError **error)
{
    struct blocks_draft draft = *as;
    struct blocks_writer *blocks;
    draft.kind = chosen ? &skips_kind : &plain_kind;
    if (!blocks_writer_new(&blocks, &draft, error))
        return false;
    struct skips_writer *writer = g_new0(struct skips_writer, 1);
    writer->blocks = blocks;
    writer->chosen = chosen;
    writer->payload = g_byte_array_new();
    writer->rows = g_byte_array_new();
    *ret = writer;
    return true;
}

bool skips_writer_new(struct skips_writer **ret, const struct world *world, const char *path, const uint8_t run_uid[16],
                      GError **error)
{
    struct blocks_draft draft = {.world = world, .path = path, .run_uid = run_uid};
    return writer_new(ret, &draft, false, error);
}

bool skips_writer_new_chosen(struct skips_writer **ret, const struct world *world, const char *path,
                             const uint8_t run_uid[16], GError **error)
{
    struct blocks_draft draft = {.world = world, .path = path, .run_uid = run_uid};
    return writer_new(ret, &draft, true, error);
}

void skips_writer_free(struct skips_writer *writer)
{
    if (!writer)
        return;
    blocks_writer_free(writer->blocks);
    g_byte_array_unref(writer->payload);
    g_byte_array_unref(writer->rows);
    g_free(writer);
}

void skips_writer_gone(struct skips_writer *writer, const GPtrArray *gone)
{
    g_assert(writer->chosen);
    writer->gone = gone;
}

static void names_put(GByteArray *into, const GPtrArray *names)
{
    put_varint(into, names ? names->len : 0);
    for (size_t i = 0; names && i < names->len; i++)
        put_prefixed(into, slice_of_text(names->pdata[i]));
}

static struct slice bytes_of(const GByteArray *bytes)
{
    return slice_of(bytes->data, bytes->len);
}

static bool end_block(struct skips_writer *writer, GError **error)
{
    uint64_t offset;
    if (writer->block_entries == 0)
        return true;
    if (!blocks_writer_add(writer->blocks, bytes_of(writer->payload), &offset, error))
        return false;
    put_varint(writer->rows, offset - writer->offset);
    put_varint(writer->rows, writer->first.part);
    put_varint(writer->rows, writer->first.offset);
    g_byte_array_set_size(writer->payload, 0);
    writer->offset = offset;
    writer->n_rows++;
    writer->block_entries = 0;
    writer->last = (struct skip_entry){0};
    return true;
}

/* Part from the one before it; the offset too, within one part. */
bool skips_writer_add(struct skips_writer *writer, const struct skip_entry *entry, GError **error)
{
    if (writer->block_entries == 0)
        writer->first = *entry;
    put_varint(writer->payload, entry->part - writer->last.part);
    put_varint(writer->payload, entry->offset - (entry->part == writer->last.part ? writer->last.offset : 0));
    put_u8(writer->payload, entry->reason);
    put_varint(writer->payload, entry->other);
    put_varint(writer->payload, entry->line);
    if (entry->reason == SKIP_UNIQUE) {
        put_prefixed(writer->payload, entry->field);
        put_prefixed(writer->payload, entry->key);
    }
    writer->last = *entry;
    writer->block_entries++;
    writer->entries++;
    return writer->payload->len < BLOCK_PAYLOAD || end_block(writer, error);
}

bool skips_writer_finish_durable(struct skips_writer *writer, const GPtrArray *names, struct digest *ret,
                                 GError **error)
{
    if (!end_block(writer, error))
        return false;
    g_autoptr(GByteArray) index = g_byte_array_new();
    g_autoptr(GByteArray) fields = g_byte_array_new();
    names_put(index, names);
    if (writer->chosen)
        names_put(index, writer->gone);
    put_bytes(index, bytes_of(writer->rows));
    put_u64(fields, writer->entries);
    put_u64(fields, writer->n_rows);
    put_u64(fields, writer->chosen);
    put_u64(fields, 0);
    return blocks_writer_finish_durable(writer->blocks, bytes_of(index), fields->data, ret, error);
}

/* --- reading --------------------------------------------------------------------------------------------------------
 */

struct row {
    uint64_t offset; /* of the block */
    uint32_t part;   /* of its first entry … */
    uint64_t at;     /* … and its offset */
};

/* Where a record stands: by part, then offset. */
struct spot {
    uint32_t part;
    uint64_t offset;
};

struct skiplist {
    struct blocks_reader *blocks;
    GPtrArray *names; /* of char *: the file of each part */
    GPtrArray *gone;  /* of char *: what was asked for and is nowhere */
    GArray *rows;
    bool chosen;  /* what is not listed takes no part */
    size_t block; /* the one at hand; rows->len: none */
    struct reader left;
    struct skip_entry entry; /* the one read last of the block at hand */
    struct spot asked;       /* all before `entry` is before it */
    GString *text;
};

static const char *const place_words[SKIP_REASON_COUNT][2] = {
    [SKIP_NOTHING] = {"", ""},
    [SKIP_SUPERSEDED] = {"the state at ", " is newer"},
    [SKIP_EQUAL] = {"the state at ", " is the same"},
    [SKIP_CONFLICT] = {"the state at ", " has the same version and other content; nobody can say which is right"},
    [SKIP_UNORDERED] = {"the state at ", " has a version that cannot be compared with this one's"},
    [SKIP_STAYS] = {"it would remove its key, and the state at ",
                    " is older and may come after it: a removal leaves no version to hold that off; `duplicates: "
                    "newest` applies the newest alone"},
    [SKIP_UNASKED] = {"", ""},
    [SKIP_UNIQUE] = {"", "is taken: of several, the one with the highest version, then the smallest key"},
};

static const struct skip_reason_row reason_rows[SKIP_REASON_COUNT] = {
    [SKIP_NOTHING] = {"nothing", "it takes part", true, false, SLUICE_ERROR_BAD_RECORD},
    [SKIP_SUPERSEDED] = {"superseded", "another state of the key has a higher version", false, false,
                         SLUICE_ERROR_BAD_RECORD},
    [SKIP_EQUAL] = {"equal", "another state of the key has the same version and content", false, false,
                    SLUICE_ERROR_BAD_RECORD},
    [SKIP_CONFLICT] = {"conflict", "another state of the key has the same version and other content", false, true,
                       SLUICE_ERROR_BAD_RECORD},
    [SKIP_UNORDERED] = {"unordered", "another state of the key has a version that cannot be compared", false, true,
                        SLUICE_ERROR_BAD_RECORD},
    [SKIP_UNIQUE] = {"unique", "another record has the same value of a field that is unique", false, true,
                     SLUICE_ERROR_CONTRACT_SAYS},
    [SKIP_STAYS] = {"stays", "it takes part, but may not remove its key: an older state may come after it", true, false,
                    SLUICE_ERROR_UNORDERED},
    [SKIP_UNASKED] = {"unasked", "the run is for other records", false, false, SLUICE_ERROR_BAD_RECORD},
};

const struct skip_reason_row *skip_reason_row(enum skip_reason reason)
{
    return &reason_rows[reason];
}

static bool names_read(GPtrArray *into, struct reader *index)
{
    for (uint64_t n = reader_varint(index); n > 0 && index->ok; n--) {
        struct slice name = reader_prefixed(index);
        g_ptr_array_add(into, g_strndup((const char *)name.data, name.len));
    }
    return index->ok;
}

static bool rows_read(struct skiplist *list, struct reader *index)
{
    struct row row = {0};
    while (reader_left(index) > 0) {
        row.offset += reader_varint(index);
        if (!int_to_u32(reader_varint(index), &row.part))
            return false;
        row.at = reader_varint(index);
        g_array_append_val(list->rows, row);
    }
    return index->ok;
}

bool skiplist_open(struct skiplist **ret, const struct world *world, const char *path, const uint8_t run_uid[16],
                   GError **error)
{
    struct blocks_draft of = {.world = world, .path = path, .run_uid = run_uid, .kind = &skips_kind};
    struct blocks_reader *blocks;
    if (!blocks_reader_open(&blocks, &of, error))
        return false;
    auto_(skiplist) list = g_new0(struct skiplist, 1);
    list->blocks = blocks;
    list->names = g_ptr_array_new_with_free_func(g_free);
    list->gone = g_ptr_array_new_with_free_func(g_free);
    list->rows = g_array_new(FALSE, FALSE, sizeof(struct row));
    list->text = g_string_new(NULL);
    struct reader index = reader_of(blocks_reader_index(blocks));
    struct reader fields = reader_of(blocks_reader_fields(blocks));
    reader_u64(&fields);
    reader_u64(&fields);
    list->chosen = reader_u64(&fields) != 0;
    if (!names_read(list->names, &index) || (list->chosen && !names_read(list->gone, &index)) ||
        !rows_read(list, &index))
        return blocks_reader_damaged(blocks, error);
    list->block = list->rows->len;
    *ret = g_steal_pointer(&list);
    return true;
}

void skiplist_free(struct skiplist *list)
{
    if (!list)
        return;
    blocks_reader_free(list->blocks);
    g_ptr_array_unref(list->names);
    g_ptr_array_unref(list->gone);
    g_array_unref(list->rows);
    g_string_free(list->text, TRUE);
    g_free(list);
}

static int compare(uint32_t part, uint64_t offset, const struct spot *spot)
{
    return part != spot->part ? (part > spot->part) - (part < spot->part)
                              : (offset > spot->offset) - (offset < spot->offset);
}

static const struct row *row_at(const struct skiplist *list, size_t i)
{
    return &g_array_index(list->rows, struct row, i);
}

static bool begins_by(const struct skiplist *list, size_t block, const struct spot *spot)
{
    return compare(row_at(list, block)->part, row_at(list, block)->at, spot) <= 0;
}

/* The last block that begins at the spot or before it; 0 where there is none. */
static size_t block_find(const struct skiplist *list, const struct spot *spot)
{
    size_t low = 0, high = list->rows->len;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (begins_by(list, middle, spot))
            low = middle;
        else
            high = middle;
    }
    return low;
}

static bool entry_read(struct skiplist *list, GError **error)
{
    struct reader *left = &list->left;
    uint64_t part = reader_varint(left), offset = reader_varint(left), other;
    struct skip_entry entry = {.reason = reader_u8(left)};
    other = reader_varint(left);
    entry.line = reader_varint(left);
    if (entry.reason == SKIP_UNIQUE) {
        entry.field = reader_prefixed(left);
        entry.key = reader_prefixed(left);
    }
    entry.offset = offset + (part == 0 ? list->entry.offset : 0);
    if (!left->ok || part > UINT32_MAX - list->entry.part || other >= list->names->len || entry.reason >= SKIP_UNASKED)
        return blocks_reader_damaged(list->blocks, error);
    entry.part = list->entry.part + (uint32_t)part;
    entry.other = (uint32_t)other;
    list->entry = entry;
    return true;
}

static bool block_begin(struct skiplist *list, size_t block, GError **error)
{
    struct slice payload;
    list->block = list->rows->len;
    list->entry = (struct skip_entry){0};
    if (!blocks_reader_load(list->blocks, row_at(list, block)->offset, &payload, error))
        return false;
    list->left = reader_of(payload);
    if (!entry_read(list, error))
        return false;
    list->block = block;
    return true;
}

/* Stands at the first entry that is not before the spot, or at the last one of its block. */
static bool go_to(struct skiplist *list, const struct spot *spot, GError **error)
{
    bool onwards = list->block < list->rows->len && compare(list->asked.part, list->asked.offset, spot) <= 0;
    bool beyond = onwards && list->block + 1 < list->rows->len && begins_by(list, list->block + 1, spot);
    if ((!onwards || beyond) && !block_begin(list, block_find(list, spot), error))
        return false;
    list->asked = *spot;
    while (compare(list->entry.part, list->entry.offset, spot) < 0 && reader_left(&list->left) > 0)
        if (!entry_read(list, error))
            return false;
    return true;
}

/* Whose value a field that is unique has already. */
static void other_record(struct skiplist *list)
{
    const struct skip_entry *entry = &list->entry;
    const char *file = list->names->pdata[entry->other];
    char field[TEXT_QUOTE], key[TEXT_QUOTE];
    g_string_printf(list->text, "%s: the record '%s'", text_quote(entry->field, field), text_quote(entry->key, key));
    if (file[0])
        g_string_append_printf(list->text, " at %s:%" G_GUINT64_FORMAT, file, (guint64)entry->line);
    g_string_append_printf(list->text, " has the same value, and %s", place_words[SKIP_UNIQUE][1]);
}

/* What stands at the entry at hand. */
static struct skip skip_here(struct skiplist *list)
{
    const char *const *words = place_words[list->entry.reason];
    if (list->entry.reason == SKIP_UNIQUE)
        other_record(list);
    else
        g_string_printf(list->text, "%s%s:%" G_GUINT64_FORMAT "%s", words[0],
                        (const char *)list->names->pdata[list->entry.other], (guint64)list->entry.line, words[1]);
    if (list->entry.reason == SKIP_STAYS)
        return (struct skip){.reason = SKIP_NOTHING, .text = "", .stays = list->text->str};
    return (struct skip){.reason = (enum skip_reason)list->entry.reason, .text = list->text->str};
}

static bool find(struct skiplist *list, const struct spot *spot, bool *ret_found, GError **error)
{
    if (list->rows->len > 0 && !go_to(list, spot, error))
        return false;
    *ret_found = list->rows->len > 0 && compare(list->entry.part, list->entry.offset, spot) == 0;
    return true;
}

bool skiplist_find(struct skiplist *list, uint32_t part, uint64_t offset, struct skip *ret, GError **error)
{
    const struct spot spot = {.part = part, .offset = offset};
    struct skip skip = {.reason = list->chosen ? SKIP_UNASKED : SKIP_NOTHING, .text = ""};
    bool found;
    if (!find(list, &spot, &found, error))
        return false;
    *ret = found ? skip_here(list) : skip;
    return true;
}

bool skiplist_entry(struct skiplist *list, uint32_t part, uint64_t offset, struct skip_entry *io, GError **error)
{
    const struct spot spot = {.part = part, .offset = offset};
    bool found;
    if (!find(list, &spot, &found, error))
        return false;
    if (found)
        *io = list->entry;
    return true;
}

const GPtrArray *skiplist_gone(const struct skiplist *list)
{
    return list->gone;
}

struct digest skiplist_digest(const struct skiplist *list)
{
    return blocks_reader_digest(list->blocks);
}

bool skiplist_is_chosen(const struct skiplist *list)
{
    return list->chosen;
}

uint64_t skiplist_count(const struct skiplist *list)
{
    struct reader fields = reader_of(blocks_reader_fields(list->blocks));
    return reader_u64(&fields);
}

bool skiplist_each(struct skiplist *list,
                   bool (*each)(void *user, const struct skip_entry *, const char *file, GError **), void *user,
                   GError **error)
{
    for (size_t block = 0; block < list->rows->len; block++) {
        if (!block_begin(list, block, error))
            return false;
        for (bool more = true; more;) {
            if (!each(user, &list->entry, list->names->pdata[list->entry.other], error))
                return false;
            more = reader_left(&list->left) > 0;
            if (more && !entry_read(list, error))
                return false;
        }
        list->block = list->rows->len; /* whatever is sought next is sought anew */
    }
    return true;
}
