#include "listing/blocks.h"
#include "listing/keys.h"
#include "listing/listing.h"
#include "listing/ordered.h"
#include "listing/ranks.h"

/* A block is unpacked as a whole: as many keys as one may read to find one. */
enum { BLOCK_PAYLOAD = 64 * 1024, BLOCK_KEYS = 4096 };

enum { ALSO_MEMORY = 1 << 30 };

struct listing_writer {
    struct blocks_writer *blocks;
    GByteArray *payload, *last; /* the block at hand, and the newest key of all */
    GByteArray *index, *index_last;
    GByteArray *first;   /* the first key of the block at hand */
    uint64_t block_keys; /* in it */
    uint64_t offset;     /* of the block before it */
    struct listing_totals totals;
};

bool listing_writer_new(struct listing_writer **ret, const struct listing_draft *draft, GError **error)
{
    struct blocks_draft blocks = {
        .world = draft->world, .path = draft->path, .run_uid = draft->run_uid, .kind = &listing_kind};
    struct blocks_writer *file;
    if (!blocks_writer_new(&file, &blocks, error))
        return false;
    struct listing_writer *writer = g_new0(struct listing_writer, 1);
    *writer = (struct listing_writer){.blocks = file,
                                      .payload = g_byte_array_new(),
                                      .last = g_byte_array_new(),
                                      .index = g_byte_array_new(),
                                      .index_last = g_byte_array_new(),
                                      .first = g_byte_array_new(),
                                      .totals = {.ranked = draft->ranked}};
    *ret = writer;
    return true;
}

void listing_writer_free(struct listing_writer *writer)
{
    if (!writer)
        return;
    blocks_writer_free(writer->blocks);
    g_byte_array_unref(writer->payload);
    g_byte_array_unref(writer->last);
    g_byte_array_unref(writer->index);
    g_byte_array_unref(writer->index_last);
    g_byte_array_unref(writer->first);
    g_free(writer);
}

static struct slice bytes_of(const GByteArray *bytes)
{
    return slice_of(bytes->data, bytes->len);
}

/* Index row: offset from the block before it, keys, first key. */
static bool end_block(struct listing_writer *writer, GError **error)
{
    uint64_t offset;
    if (writer->block_keys == 0)
        return true;
    if (!blocks_writer_add(writer->blocks, bytes_of(writer->payload), &offset, error))
        return false;
    put_varint(writer->index, offset - writer->offset);
    put_varint(writer->index, writer->block_keys);
    keys_put(writer->index, writer->index_last, bytes_of(writer->first));
    g_byte_array_set_size(writer->payload, 0);
    writer->offset = offset;
    writer->block_keys = 0;
    return true;
}

static bool not_above(const struct listing_writer *writer, struct slice key, GError **error)
{
    struct slice before = listing_key(writer->totals.ranked, bytes_of(writer->last));
    key = listing_key(writer->totals.ranked, key);
    g_autofree char *last = g_utf8_make_valid((const char *)before.data, (gssize)before.len);
    g_autofree char *now = g_utf8_make_valid((const char *)key.data, (gssize)key.len);
    return error_set(error, SLUICE_ERROR_INTERNAL, "keys are not listed in ascending order: '%s' came after '%s'", now,
                     last);
}

bool listing_writer_add(struct listing_writer *writer, struct slice key, GError **error)
{
    if (writer->totals.keys > 0 && slice_compare(key, bytes_of(writer->last)) <= 0)
        return not_above(writer, key, error);
    if (writer->block_keys == 0) {
        g_byte_array_set_size(writer->last, 0); /* a block stands for itself */
        g_byte_array_set_size(writer->first, 0);
        put_bytes(writer->first, key);
    }
    keys_put(writer->payload, writer->last, key);
    writer->block_keys++;
    writer->totals.keys++;
    writer->totals.bytes += listing_key(writer->totals.ranked, key).len;
    bool full = writer->payload->len >= BLOCK_PAYLOAD || writer->block_keys == BLOCK_KEYS;
    return !full || end_block(writer, error);
}

static bool cut_partitions(struct listing_totals *totals, const struct listing_cut *cut, GError **error)
{
    uint64_t size =
        cut->size ? cut->size : totals->keys / MAX(cut->count, 1u) + (totals->keys % MAX(cut->count, 1u) > 0);
    totals->size = MAX(size, 1);
    return int_to_u32(totals->keys / totals->size + (totals->keys % totals->size > 0), &totals->partitions) ||
           error_set(error, SLUICE_ERROR_REFUSED,
                     "%" G_GUINT64_FORMAT " keys in partitions of %" G_GUINT64_FORMAT
                     " are too many partitions; make them larger",
                     (guint64)totals->keys, (guint64)totals->size);
}

bool listing_writer_finish_durable(struct listing_writer *writer, const struct listing_cut *cut,
                                   struct listing_totals *ret, GError **error)
{
    struct listing_totals totals = writer->totals;
    g_autoptr(GByteArray) fields = g_byte_array_new();
    if (!end_block(writer, error) || !cut_partitions(&totals, cut, error))
        return false;
    put_u64(fields, totals.keys);
    put_u64(fields, totals.bytes);
    put_u64(fields, totals.size);
    put_u64(fields, totals.ranked);
    if (!blocks_writer_finish_durable(writer->blocks, bytes_of(writer->index), fields->data, &totals.digest, error))
        return false;
    *ret = totals;
    return true;
}

/* --- the whole way --------------------------------------------------------------------------------------------------
 */

/* What is listed too: ranked keys, ascending. */
struct also {
    struct arena *mem;
    struct slice *keys;
    size_t n, at; /* at: how many have been met */
};

static bool also_init(struct also *also, const struct listing_wish *wish, GError **error)
{
    also->n = wish->n_also;
    also->keys = arena_alloc(also->mem, (also->n + 1) * sizeof *also->keys);
    if (!also->keys)
        return error_set(error, SLUICE_ERROR_TOO_BIG, "%zu keys that are to be there again do not fit into memory",
                         also->n);
    if (also->n)
        memcpy(also->keys, wish->also, also->n * sizeof *also->keys);
    if (!ranks_put(session_driver(wish->session), wish->ds, also->keys, also->n, also->mem, error))
        return false;
    qsort(also->keys, also->n, sizeof *also->keys, ranks_compare);
    return true;
}

/* Those below the key; without one, all that are left. */
static bool add_also(struct also *also, const struct slice *key, struct listing_writer *writer, GError **error)
{
    for (; also->at < also->n; also->at++) {
        int order = key ? slice_compare(also->keys[also->at], *key) : -1;
        if (order > 0)
            return true;
        if (order < 0 && !listing_writer_add(writer, also->keys[also->at], error))
            return false;
    }
    return true;
}

static bool list_all(struct also *also, struct ordered_keys *ordered, struct listing_writer *writer, GError **error)
{
    const struct slice *keys;
    size_t n = 0;
    do {
        if (ordered && !ordered_keys_next(ordered, &keys, &n, error))
            return false;
        for (size_t i = 0; i < n; i++)
            if (!add_also(also, &keys[i], writer, error) || !listing_writer_add(writer, keys[i], error))
                return false;
    } while (n > 0);
    return add_also(also, NULL, writer, error);
}

bool listing_make_durable(const struct listing_wish *wish, struct listing_totals *ret, GError **error)
{
    auto_(listing_writer) writer = NULL;
    auto_(ordered_keys) ordered = NULL;
    auto_(arena) mem = arena_new(ALSO_MEMORY);
    struct also also = {.mem = mem};
    struct listing_draft draft = wish->draft;
    struct ordered_wish keys = {.world = wish->draft.world,
                                .scratch = wish->draft.path,
                                .session = wish->session,
                                .ds = wish->ds,
                                .cancel = wish->cancel,
                                .progress = wish->progress,
                                .progress_self = wish->progress_self};
    if (!also_init(&also, wish, error) || (!wish->only_also && !ordered_keys_open(&ordered, &keys, error)))
        return false;
    draft.ranked = store_ranks(session_driver(wish->session));
    return listing_writer_new(&writer, &draft, error) && list_all(&also, ordered, writer, error) &&
           listing_writer_finish_durable(writer, &wish->cut, ret, error);
}
