#include "run/feed.h"

#include "base/int.h"
#include "listing/duplicates.h"
#include "listing/listing.h"

struct feed_kind;

struct feed {
    struct feed_config config;
    const struct feed_kind *kind;
    uint32_t part;
    /* ranges */
    struct scan *scan;
    struct skiplist *skips;
    GByteArray *bounds, *cursor, *before; /* of the newest batch: behind it, where it began */
    size_t max_records, max_bytes;        /* what the scan was opened with */
    /* listings and chains */
    struct listing_reader *listing;
    struct undo_chains *chains;
    uint32_t of; /* the listing's partition in which `first` is a place */
    uint64_t first, index, count;
    struct listing_stretch stretch;
    size_t chunk;   /* keys read at a time: grows while values are small */
    size_t most;    /* records of a batch: as many as their values let into its memory */
    uint64_t began; /* where the newest batch did */
};

struct feed_kind {
    bool (*open)(struct feed *, const struct part_row *, struct slice cursor, GError **);
    bool (*next)(struct feed *, const struct call *, struct op_scan *, GError **);
    bool (*back)(struct feed *, GError **); /* to where the newest batch began */
};

static struct slice bytes_of(const GByteArray *array)
{
    return slice_of(array->data, array->len);
}

static void bytes_set(GByteArray *array, struct slice bytes)
{
    g_byte_array_set_size(array, 0);
    put_bytes(array, bytes);
}

static bool too_big(GError **error)
{
    return error_set(error, SLUICE_ERROR_TOO_BIG, "a batch does not fit into its memory");
}

/* --- ranges that are scanned
 * ------------------------------------------------------------------------------------------ */

static bool skips_ready(struct feed *feed, GError **error)
{
    const struct plan *plan = feed->config.job->plan;
    return feed->skips || !plan->skip_path ||
           skiplist_open(&feed->skips, feed->config.world, plan->skip_path, plan->uid, error);
}

static bool range_open(struct feed *feed, const struct part_row *part, struct slice cursor, GError **error)
{
    feed->of = part->of;
    bytes_set(feed->bounds, part->bounds);
    bytes_set(feed->cursor, cursor);
    g_clear_pointer(&feed->scan, store_scan_close);
    return skips_ready(feed, error);
}

/* A batch of another size wants another scan, from where the last one ended. */
static bool range_ready(struct feed *feed, const struct op_scan *io, GError **error)
{
    if (feed->scan && feed->max_records == io->max_records && feed->max_bytes == io->max_bytes)
        return true;
    g_clear_pointer(&feed->scan, store_scan_close);
    struct scan_spec spec = {.ds = &feed->config.job->plan->source_ds,
                             .bounds = bytes_of(feed->bounds),
                             .cursor = bytes_of(feed->cursor),
                             .max_records = io->max_records,
                             .max_bytes = io->max_bytes};
    feed->max_records = io->max_records;
    feed->max_bytes = io->max_bytes;
    return store_scan_open(&feed->scan, feed->config.source, &spec, error);
}

/* The next batch wants another scan. */
static bool range_back(struct feed *feed, GError **error)
{
    g_clear_pointer(&feed->scan, store_scan_close);
    bytes_set(feed->cursor, bytes_of(feed->before));
    return true;
}

/* Of the record at that place of a planned partition: its offset, or its index in the listing. */
static bool skip_of(struct feed *feed, uint64_t place, struct scanned *row, struct arena *mem, GError **error)
{
    struct skip skip;
    if (!feed->skips)
        return true;
    if (!skiplist_find(feed->skips, feed->of, place, &skip, error))
        return false;
    if (skip.stays) {
        row->stays = arena_text(mem, slice_of_text(skip.stays));
        return row->stays || too_big(error);
    }
    if (skip.reason == SKIP_NOTHING)
        return true;
    if (skip.reason == SKIP_UNASKED) {
        row->kind = SCANNED_UNASKED;
        return true;
    }
    row->kind = skip_reason_row(skip.reason)->refused ? SCANNED_CONFLICT : SCANNED_LOSER;
    row->rec.fault =
        (struct fault){.code = skip_reason_row(skip.reason)->code, .text = arena_text(mem, slice_of_text(skip.text))};
    return row->rec.fault.text || too_big(error);
}

static bool range_next(struct feed *feed, const struct call *call, struct op_scan *io, GError **error)
{
    struct batch batch = {0};
    if (!range_ready(feed, io, error) || !store_scan_next(feed->scan, call, &batch, error))
        return false;
    io->rows = arena_alloc0(io->mem, (batch.n + 1) * sizeof *io->rows);
    if (!io->rows)
        return too_big(error);
    for (size_t i = 0; i < batch.n; i++) {
        io->rows[i].rec = batch.records[i];
        if (!skip_of(feed, batch.records[i].at.offset, &io->rows[i], io->mem, error))
            return false;
    }
    io->n = batch.n;
    io->bytes = batch.bytes;
    io->done = batch.done;
    io->cursor = batch.cursor;
    bytes_set(feed->cursor, batch.cursor);
    return true;
}

/* --- an index into a list as a cursor
 * --------------------------------------------------------------------------------- */

static bool index_get(struct feed *feed, struct slice cursor, GError **error)
{
    struct reader reader = reader_of(cursor);
    feed->index = cursor.len ? reader_u64(&reader) : 0;
    return reader.ok || error_set(error, SLUICE_ERROR_CORRUPT, "partition %u: its cursor is damaged", feed->part);
}

static bool index_put(struct feed *feed, struct op_scan *io, GError **error)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    put_u64(bytes, feed->index);
    return arena_copy(io->mem, bytes_of(bytes), &io->cursor) || too_big(error);
}

/* --- listings, whose keys are read
 * ------------------------------------------------------------------------------------ */

#define CHUNK_MIN 16u
#define CHUNK_MAX 512u

static bool listed_open(struct feed *feed, const struct part_row *part, struct slice cursor, GError **error)
{
    const struct plan *plan = feed->config.job->plan;
    if (!feed->listing &&
        !listing_reader_open(&feed->listing, feed->config.world, plan->listing_path, plan->uid, error))
        return false;
    if (!skips_ready(feed, error))
        return false;
    feed->stretch = (struct listing_stretch){.partition = part->of, .first = part->first, .keys = part->records};
    feed->of = part->of;
    feed->first = part->first;
    feed->count = part->records;
    feed->chunk = CHUNK_MIN;
    return index_get(feed, cursor, error) && listing_reader_seek_in(feed->listing, &feed->stretch, feed->index, error);
}

static bool listed_back(struct feed *feed, GError **error)
{
    feed->index = feed->began;
    return listing_reader_seek_in(feed->listing, &feed->stretch, feed->began, error);
}

static uint64_t bytes_of_row(const struct scanned *row)
{
    return row->rec.key.len + row->rec.raw.len;
}

static bool read_chunk(struct feed *feed, const struct call *call, struct op_scan *io, size_t max, GError **error)
{
    struct slice *keys;
    size_t n;
    if (!listing_reader_next(feed->listing, max, io->mem, &keys, &n, error))
        return false;
    struct record *records = arena_alloc0(io->mem, (n + 1) * sizeof *records);
    if (!records)
        return too_big(error);
    for (size_t i = 0; i < n; i++)
        records[i].key = keys[i];
    if (n > 0 && !store_read(feed->config.source, call, records, n, error))
        return false;
    for (size_t i = 0; i < n; i++) {
        struct scanned *row = &io->rows[io->n++];
        row->rec = records[i];
        if (records[i].presence == RECORD_PRESENT && !skip_of(feed, feed->first + feed->index + i, row, io->mem, error))
            return false;
        io->bytes += bytes_of_row(row);
    }
    feed->index += n;
    return n > 0 || error_set(error, SLUICE_ERROR_CORRUPT, "partition %u: its listing ends too early", feed->part);
}

/* How many to read next: where they are not to be too many, no more than will fit if they are like those before. */
static size_t next_chunk(const struct feed *feed, const struct op_scan *io)
{
    size_t most = MIN(MIN(feed->chunk, io->max_records - io->n), feed->count - feed->index);
    bool known = io->within && io->bytes > 0;
    return known ? MIN(most, (io->max_bytes - io->bytes) * io->n / io->bytes + 1) : most;
}

/* What is too much is read again with the next batch. */
static bool leave_too_many(struct feed *feed, struct op_scan *io, GError **error)
{
    size_t n = io->n;
    while (io->n > 1 && io->bytes > io->max_bytes)
        io->bytes -= bytes_of_row(&io->rows[--io->n]);
    if (io->n == n)
        return true;
    feed->index -= n - io->n;
    feed->chunk = MIN(feed->chunk, io->n);
    return listing_reader_seek_in(feed->listing, &feed->stretch, feed->index, error);
}

static bool listed_next(struct feed *feed, const struct call *call, struct op_scan *io, GError **error)
{
    io->rows = arena_alloc0(io->mem, (io->max_records + 1) * sizeof *io->rows);
    if (!io->rows)
        return too_big(error);
    while (io->n < io->max_records && io->bytes < io->max_bytes && feed->index < feed->count) {
        uint64_t before = io->bytes;
        if (!read_chunk(feed, call, io, next_chunk(feed, io), error))
            return false;
        if (io->within && io->bytes > io->max_bytes) {
            if (!leave_too_many(feed, io, error))
                return false;
            break;
        }
        bool small = (io->bytes - before) < io->max_bytes / 4;
        feed->chunk = small ? MIN(feed->chunk * 2, CHUNK_MAX) : MAX(feed->chunk / 2, 1u);
    }
    io->done = feed->index >= feed->count;
    return index_put(feed, io, error);
}

/* --- chains of the undo log
 * ------------------------------------------------------------------------------------------- */

static bool chains_open(struct feed *feed, const struct part_row *part, struct slice cursor, GError **error)
{
    struct reader bounds = reader_of(part->bounds);
    if (!feed->chains && !undo_chains_open(&feed->chains, feed->config.undo_config, error))
        return false;
    feed->first = reader_u64(&bounds);
    feed->count = reader_u64(&bounds);
    if (!bounds.ok)
        return error_set(error, SLUICE_ERROR_CORRUPT, "partition %u: its bounds are damaged", feed->part);
    return index_get(feed, cursor, error);
}

static bool chains_back(struct feed *feed, GError **error)
{
    feed->index = feed->began;
    return true;
}

/* Of a key of which the log tells nothing any more there is no record: the end of the rollback lists it. */
static struct scanned scanned_of(const struct undo_chain *chain)
{
    if (chain->lost)
        return (struct scanned){.kind = SCANNED_UNASKED};
    return (struct scanned){.rec = {.key = chain->key,
                                    .raw = chain->pre_raw,
                                    .expires_at_ms = chain->pre_expires_at_ms,
                                    .presence = chain->pre_present ? RECORD_PRESENT : RECORD_ABSENT},
                            .must = chain->written};
}

static bool chains_next(struct feed *feed, const struct call *call, struct op_scan *io, GError **error)
{
    struct undo_chain_list list;
    size_t max = MIN(io->max_records, (size_t)(feed->count - feed->index));
    if (!undo_chains_read(feed->chains, feed->first + feed->index, max, io->mem, &list, error))
        return false;
    io->rows = arena_alloc0(io->mem, (list.n + 1) * sizeof *io->rows);
    if (!io->rows)
        return too_big(error);
    for (size_t i = 0; i < list.n; i++) {
        io->rows[i] = scanned_of(&list.chains[i]);
        io->bytes += list.chains[i].key.len + list.chains[i].pre_raw.len;
    }
    if (list.n == 0 && max > 0)
        return error_set(error, SLUICE_ERROR_CORRUPT, "partition %u: its chains end too early", feed->part);
    io->n = list.n;
    feed->index += list.n;
    io->done = feed->index >= feed->count;
    return index_put(feed, io, error);
}

/* --- the shadow, whose keys are those of the chains
 * ------------------------------------------------------------------- */

static bool all_told(const struct feed *feed, const struct op_scan *io, GError **error)
{
    const char *run = feed->config.job->run_name;
    for (size_t i = 0; i < io->n; i++)
        if (io->rows[i].kind == SCANNED_UNASKED)
            return error_set(error, SLUICE_ERROR_CORRUPT,
                             "%s: its undo log became unreadable in part; a shadow is not made live in part: take it "
                             "back with `sluice rollback %s`, and run again",
                             run, run);
    return true;
}

/* What the run wrote last of a key, and what stood live when it first did: the pre-image of its chain. */
static bool shadow_next(struct feed *feed, const struct call *call, struct op_scan *io, GError **error)
{
    if (!chains_next(feed, call, io, error) || !all_told(feed, io, error))
        return false;
    struct record *records = arena_alloc0(io->mem, (io->n + 1) * sizeof *records);
    if (!records)
        return too_big(error);
    for (size_t i = 0; i < io->n; i++) {
        const struct record *pre = &io->rows[i].rec;
        if (pre->presence == RECORD_PRESENT)
            io->rows[i].noted = digest_stored(pre->raw, pre->expires_at_ms);
        records[i].key = pre->key;
    }
    if (io->n > 0 && !store_read(feed->config.source, call, records, io->n, error))
        return false;
    for (size_t i = 0; i < io->n; i++) {
        io->rows[i].rec = records[i];
        io->bytes += records[i].raw.len;
    }
    return true;
}

/* --- which
 * ------------------------------------------------------------------------------------------------------------ */

static const struct feed_kind RANGES = {range_open, range_next, range_back};
static const struct feed_kind LISTED = {listed_open, listed_next, listed_back};
static const struct feed_kind CHAINS = {chains_open, chains_next, chains_back};
static const struct feed_kind SHADOW = {chains_open, shadow_next, chains_back};

/* What a batch is decided and written by takes several times the memory of what was read. */
#define READ_SHARE 8
#define FEWER      8u
#define ANY_NUMBER (SIZE_MAX / 2)

struct feed *feed_new(const struct feed_config *config)
{
    struct feed *feed = g_new0(struct feed, 1);
    feed->config = *config;
    feed->most = ANY_NUMBER;
    feed->bounds = g_byte_array_new();
    feed->cursor = g_byte_array_new();
    feed->before = g_byte_array_new();
    if (config->job->kind == JOB_BACK)
        feed->kind = &CHAINS;
    else if (config->job->kind == JOB_PROMOTE)
        feed->kind = &SHADOW;
    else
        feed->kind = config->job->plan->listed ? &LISTED : &RANGES;
    return feed;
}

void feed_free(struct feed *feed)
{
    if (!feed)
        return;
    g_clear_pointer(&feed->scan, store_scan_close);
    g_clear_pointer(&feed->skips, skiplist_free);
    g_clear_pointer(&feed->listing, listing_reader_free);
    g_clear_pointer(&feed->chains, undo_chains_free);
    g_byte_array_unref(feed->bounds);
    g_byte_array_unref(feed->cursor);
    g_byte_array_unref(feed->before);
    g_free(feed);
}

bool feed_open(struct feed *feed, const struct part_row *part, struct slice cursor, GError **error)
{
    feed->part = part->part;
    return feed->kind->open(feed, part, cursor, error);
}

void feed_end_at(struct feed *feed, uint64_t count)
{
    g_assert(count >= feed->index && count <= feed->count);
    feed->count = count;
}

/* Whether so many fit; what the next batch may have follows from it. */
static bool fits(struct feed *feed, const struct op_scan *io, size_t took)
{
    size_t most_bytes = feed->config.job->memory_bytes / READ_SHARE;
    if (took > most_bytes && io->n > 1) {
        feed->most = MAX(io->n * (most_bytes / 2) / took, 1u);
        return false;
    }
    if (took < most_bytes / 4)
        feed->most = MIN(feed->most * 2, ANY_NUMBER);
    return true;
}

/* Nobody knows how large values are before they are read. What turns out too large for the memory of a batch is read
 * again, fewer at a time: down to one, since it is the batch that was too large, and not the record. */
bool feed_next(struct feed *feed, const struct call *call, struct op_scan *io, GError **error)
{
    const struct op_scan asked = *io;
    const struct arena_mark mark = arena_mark(io->mem);
    if (io->again && !feed->kind->back(feed, error))
        return false;
    feed->began = feed->index;
    bytes_set(feed->before, bytes_of(feed->cursor));
    for (;;) {
        g_autoptr(GError) failed = NULL;
        io->max_records = MIN(asked.max_records, feed->most);
        bool ok = feed->kind->next(feed, call, io, &failed);
        if (ok && fits(feed, io, arena_used(io->mem) - mark.used))
            return true;
        if (!ok && (io->max_records <= 1 || !error_is(failed, SLUICE_ERROR_TOO_BIG))) {
            g_propagate_error(error, g_steal_pointer(&failed));
            return false;
        }
        if (!ok)
            feed->most = MAX(io->max_records / FEWER, 1u);
        *io = asked;
        arena_rewind(io->mem, mark);
        if (!feed->kind->back(feed, error))
            return false;
    }
}
