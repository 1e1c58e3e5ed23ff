#include "listing/blocks.h"
#include "listing/keys.h"
#include "listing/listing.h"

/* A block, as the index has it. */
struct row {
    uint64_t offset, keys;
    uint64_t number;   /* of its first key, in the whole listing */
    struct slice rest; /* of the index, behind it */
};

/* One row of ROWS_EACH is remembered; what lies between is read from the index anew, packed as it is: a listing is read
 * by each worker, and ten million keys are 2,500 blocks. */
enum { ROWS_EACH = 16 };
struct milestone {
    struct row row;
    struct slice first; /* the block's first key */
};

struct listing_reader {
    struct blocks_reader *blocks;
    struct listing_totals totals;
    struct arena *mem; /* the milestones' keys */
    GArray *milestones;
    struct row row;    /* of the block at hand */
    bool begun;        /* there is one */
    GByteArray *first; /* a block's first key, while blocks are looked through */
    struct reader at;
    GByteArray *key; /* the one read last of the block at hand */
    uint64_t next;   /* number of the key that is read next */
    uint64_t end;    /* of the partition that was sought: the number behind its last key; 0: none was */
    bool rank_off;   /* keys are given out without their ranks */
};

enum { INDEX_BYTES = 1 << 30 };

static const struct milestone *milestone_at(const struct listing_reader *reader, size_t i)
{
    return &g_array_index(reader->milestones, struct milestone, i);
}

/* The row behind *io, which becomes it, and so does its first key in *io_first. NULL: nobody asks for that. */
static bool row_next(const struct listing_reader *reader, struct row *io, GByteArray *io_first, GError **error)
{
    struct reader index = reader_of(io->rest);
    uint64_t offset = io->offset + reader_varint(&index), number = io->number + io->keys, keys = reader_varint(&index);
    size_t shared;
    struct slice rest;
    bool sound = io_first ? keys_read(&index, io_first) : keys_part(&index, SIZE_MAX, &shared, &rest);
    if (!sound || keys == 0)
        return blocks_reader_damaged(reader->blocks, error);
    *io =
        (struct row){.offset = offset, .keys = keys, .number = number, .rest = slice_of(index.at, reader_left(&index))};
    return true;
}

static bool milestones_read(struct listing_reader *reader, GError **error)
{
    struct row row = {.rest = blocks_reader_index(reader->blocks)};
    for (size_t i = 0; row.rest.len > 0; i++) {
        struct milestone stone;
        if (!row_next(reader, &row, reader->first, error))
            return false;
        if (i % ROWS_EACH != 0)
            continue;
        stone.row = row;
        if (!arena_copy(reader->mem, slice_of(reader->first->data, reader->first->len), &stone.first))
            return error_set(error, SLUICE_ERROR_INTERNAL, "no memory for the index of a listing");
        g_array_append_val(reader->milestones, stone);
    }
    return row.number + row.keys == reader->totals.keys || blocks_reader_damaged(reader->blocks, error);
}

static bool totals_read(struct listing_reader *reader, GError **error)
{
    struct reader fields = reader_of(blocks_reader_fields(reader->blocks));
    struct listing_totals totals = {.digest = blocks_reader_digest(reader->blocks)};
    totals.keys = reader_u64(&fields);
    totals.bytes = reader_u64(&fields);
    totals.size = reader_u64(&fields);
    uint64_t ranked = reader_u64(&fields);
    totals.ranked = ranked == 1;
    if (totals.size == 0 || ranked > 1 ||
        !int_to_u32(totals.keys / totals.size + (totals.keys % totals.size > 0), &totals.partitions))
        return blocks_reader_damaged(reader->blocks, error);
    reader->totals = totals;
    return true;
}

bool listing_reader_open(struct listing_reader **ret, const struct world *world, const char *path,
                         const uint8_t run_uid[16], GError **error)
{
    struct blocks_draft of = {.world = world, .path = path, .run_uid = run_uid, .kind = &listing_kind};
    struct blocks_reader *blocks;
    if (!blocks_reader_open(&blocks, &of, error))
        return false;
    auto_(listing_reader) reader = g_new0(struct listing_reader, 1);
    reader->blocks = blocks;
    reader->mem = arena_new(INDEX_BYTES);
    reader->milestones = g_array_new(FALSE, FALSE, sizeof(struct milestone));
    reader->first = g_byte_array_new();
    reader->key = g_byte_array_new();
    if (!totals_read(reader, error) || !milestones_read(reader, error))
        return false;
    *ret = g_steal_pointer(&reader);
    return true;
}

void listing_reader_free(struct listing_reader *reader)
{
    if (!reader)
        return;
    blocks_reader_free(reader->blocks);
    arena_free(reader->mem);
    g_array_unref(reader->milestones);
    g_byte_array_unref(reader->first);
    g_byte_array_unref(reader->key);
    g_free(reader);
}

const struct listing_totals *listing_reader_totals(const struct listing_reader *reader)
{
    return &reader->totals;
}

uint64_t listing_reader_size(const struct listing_reader *reader, uint32_t partition)
{
    const struct listing_totals *totals = &reader->totals;
    return partition < totals->partitions ? MIN(totals->size, totals->keys - partition * totals->size) : 0;
}

/* --- positions ------------------------------------------------------------------------------------------------------
 */

static bool block_begin(struct listing_reader *reader, const struct row *row, GError **error)
{
    struct slice payload;
    reader->begun = false;
    if (!blocks_reader_load(reader->blocks, row->offset, &payload, error))
        return false;
    reader->row = *row;
    reader->begun = true;
    reader->at = reader_of(payload);
    reader->next = row->number;
    g_byte_array_set_size(reader->key, 0);
    return true;
}

/* Where the block at hand has no further key, the next one. What the index says of its keys must have been so: else
 * some would be passed over, or be given twice, and nobody would hear of it. */
static bool block_on(struct listing_reader *reader, GError **error)
{
    struct row row = reader->row;
    if (reader_left(&reader->at) > 0 || !reader->begun || row.rest.len == 0)
        return true;
    if (!row_next(reader, &row, NULL, error))
        return false;
    return row.number == reader->next ? block_begin(reader, &row, error) : blocks_reader_damaged(reader->blocks, error);
}

/* Reads the next key, of whatever block. There is one. */
static bool step(struct listing_reader *reader, GError **error)
{
    if (!block_on(reader, error))
        return false;
    if (!keys_read(&reader->at, reader->key))
        return blocks_reader_damaged(reader->blocks, error);
    if (reader->totals.ranked && reader->key->len < LISTING_RANK_BYTES)
        return blocks_reader_damaged(reader->blocks, error);
    reader->next++;
    return true;
}

/* Whether a block, whose first key it is, does not begin behind what is sought. */
typedef bool before_fn(const struct row *row, struct slice first, const void *sought);

static bool before_number(const struct row *row, struct slice first, const void *number)
{
    return row->number <= *(const uint64_t *)number;
}

static bool before_key(const struct row *row, struct slice first, const void *key)
{
    return slice_compare(first, *(const struct slice *)key) <= 0;
}

/* The last milestone for which `before` says so; 0 where there is none. */
static size_t milestone_find(const struct listing_reader *reader, before_fn *before, const void *sought)
{
    size_t low = 0, high = reader->milestones->len;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        const struct milestone *stone = milestone_at(reader, middle);
        if (before(&stone->row, stone->first, sought))
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* The last block for which `before` says so, the first where there is none. There are blocks. */
static bool block_find(struct listing_reader *reader, before_fn *before, const void *sought, struct row *ret,
                       GError **error)
{
    const struct milestone *stone = milestone_at(reader, milestone_find(reader, before, sought));
    struct row found = stone->row, next = found;
    g_byte_array_set_size(reader->first, 0);
    put_bytes(reader->first, stone->first);
    while (found.rest.len > 0) {
        if (!row_next(reader, &next, reader->first, error))
            return false;
        if (!before(&next, slice_of(reader->first->data, reader->first->len), sought))
            break;
        found = next;
    }
    *ret = found;
    return true;
}

int listing_stretch_compare(const struct listing_stretch *a, const struct listing_stretch *b)
{
    if (a->partition != b->partition)
        return a->partition < b->partition ? -1 : 1;
    return (a->first > b->first) - (a->first < b->first);
}

/* Who reads one partition after the other stands there already. */
static bool go_to(struct listing_reader *reader, uint64_t number, GError **error)
{
    struct row row;
    if (reader->begun && reader->next == number)
        return true;
    if (!block_find(reader, before_number, &number, &row, error) || !block_begin(reader, &row, error))
        return false;
    while (reader->next < number)
        if (!step(reader, error))
            return false;
    return true;
}

bool listing_reader_seek_in(struct listing_reader *reader, const struct listing_stretch *stretch, uint64_t index,
                            GError **error)
{
    uint64_t size = listing_reader_size(reader, stretch->partition);
    uint64_t number = stretch->partition * reader->totals.size + stretch->first + index;
    bool within = stretch->first <= size && stretch->keys <= size - stretch->first && index <= stretch->keys;
    if (!within || stretch->partition >= MAX(reader->totals.partitions, 1u))
        return error_set(error, SLUICE_ERROR_CORRUPT,
                         "the listing has no key %" G_GUINT64_FORMAT " in partition %u; it is not that of this run",
                         (guint64)(stretch->first + index), stretch->partition);
    reader->end = 0;
    if (index == stretch->keys)
        return true;
    if (!go_to(reader, number, error))
        return false;
    reader->end = number - index + stretch->keys;
    return true;
}

bool listing_reader_seek(struct listing_reader *reader, uint32_t partition, uint64_t index, GError **error)
{
    struct listing_stretch all = {.partition = partition, .keys = listing_reader_size(reader, partition)};
    return listing_reader_seek_in(reader, &all, index, error);
}

/* The next key, laid out behind the one before it, which it becomes. false in *ret_fits: it waits. */
static bool give(struct listing_reader *reader, struct arena *mem, struct slice *io_key, bool *ret_fits, GError **error)
{
    size_t shared;
    uint64_t block = reader->row.offset;
    struct slice rest;
    if (reader_left(&reader->at) == 0 && !block_on(reader, error))
        return false;
    if (block != reader->row.offset)
        *io_key = SLICE_EMPTY; /* a block's first key stands alone */
    struct reader before = reader->at;
    if (!keys_part(&reader->at, io_key->len, &shared, &rest) ||
        (reader->totals.ranked && shared + rest.len < LISTING_RANK_BYTES))
        return blocks_reader_damaged(reader->blocks, error);
    uint8_t *bytes = arena_alloc(mem, shared + rest.len);
    *ret_fits = bytes != NULL;
    if (!bytes) {
        reader->at = before;
        return true;
    }
    if (shared > 0)
        memcpy(bytes, io_key->data, shared);
    if (rest.len > 0)
        memcpy(bytes + shared, rest.data, rest.len);
    *io_key = slice_of(bytes, shared + rest.len);
    reader->next++;
    return true;
}

static bool next(struct listing_reader *reader, size_t max, struct arena *mem, struct slice **ret_keys, size_t *ret_n,
                 GError **error)
{
    uint64_t left = reader->end > reader->next ? reader->end - reader->next : 0;
    size_t n = 0, want = (size_t)MIN(max, left);
    struct slice *keys = arena_alloc(mem, MAX(want, 1) * sizeof *keys);
    struct slice key = slice_of(reader->key->data, reader->key->len);
    bool fits = keys != NULL;
    while (fits && n < want) {
        if (!give(reader, mem, &key, &fits, error)) {
            reader->begun = false;
            return false;
        }
        if (fits)
            keys[n++] = listing_key(reader->rank_off, key);
    }
    if (!fits && n == 0)
        return error_set(error, SLUICE_ERROR_TOO_BIG, "a listed key does not fit into the memory of a batch");
    if (n > 0) {
        g_byte_array_set_size(reader->key, 0);
        put_bytes(reader->key, key);
    }
    *ret_keys = keys;
    *ret_n = n;
    return true;
}

bool listing_reader_next(struct listing_reader *reader, size_t max, struct arena *mem, struct slice **ret_keys,
                         size_t *ret_n, GError **error)
{
    reader->rank_off = reader->totals.ranked;
    return next(reader, max, mem, ret_keys, ret_n, error);
}

bool listing_reader_next_ranked(struct listing_reader *reader, size_t max, struct arena *mem, struct slice **ret_keys,
                                size_t *ret_n, GError **error)
{
    reader->rank_off = false;
    return next(reader, max, mem, ret_keys, ret_n, error);
}

/* Stands behind the first key that is not below `key`, or at the end of its block. */
static bool find_in_block(struct listing_reader *reader, struct slice key, bool *ret_found, GError **error)
{
    int order = -1;
    while (order < 0 && reader_left(&reader->at) > 0) {
        if (!step(reader, error))
            return false;
        order = slice_compare(slice_of(reader->key->data, reader->key->len), key);
    }
    *ret_found = order == 0;
    return true;
}

static struct listing_place place_of(const struct listing_reader *reader, uint64_t number)
{
    return (struct listing_place){.partition = (uint32_t)(number / reader->totals.size),
                                  .index = number % reader->totals.size};
}

bool listing_reader_before(struct listing_reader *reader, struct slice key, struct listing_place *ret, GError **error)
{
    struct row row = {.number = 0};
    if (reader->milestones->len > 0 && !block_find(reader, before_key, &key, &row, error))
        return false;
    *ret = place_of(reader, row.number);
    return true;
}

bool listing_reader_find(struct listing_reader *reader, struct slice key, bool *ret_found, struct listing_place *ret,
                         GError **error)
{
    struct row row;
    bool found = false;
    reader->end = 0;
    if (reader->milestones->len > 0 &&
        (!block_find(reader, before_key, &key, &row, error) || !block_begin(reader, &row, error) ||
         !find_in_block(reader, key, &found, error)))
        return false;
    if (found)
        *ret = place_of(reader, reader->next - 1);
    *ret_found = found;
    return true;
}
