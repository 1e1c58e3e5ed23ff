#include "store/undo/undo_store.h"

#include "base/file.h"
#include "base/int.h"
#include "store/place.h"
#include "store/undo/applied.h"
#include "store/undo/index.h"

/* The formats of what leaves this driver, all big-endian: bounds are a partition, a cursor is a partition, a block of
 * it and an entry of that, an etag is a digest, a verb, a lane and a number. */
enum {
    BOUNDS_LEN = 4,
    CURSOR_LEN = 20,
    DIGEST_LEN = 16,
    LANE_LEN = 4,
    NUMBER_LEN = 8,
    LANE_AT = DIGEST_LEN + 1,
    NUMBER_AT = LANE_AT + LANE_LEN,
    ETAG_LEN = NUMBER_AT + NUMBER_LEN,
    BLOCK_CAP = 1 << 30,
};

#define FIRST_ROLLBACK_PART UINT32_C(0x80000000)

struct undo_store {
    struct store_base base;
    char *dir;
    struct undo_index *index;
};

struct undo_session {
    struct session_base base;
    struct undo_opened opened;
    struct undo_losses losses;
};

/* The next entry to be given. */
struct spot {
    uint32_t part, segment;
    uint64_t offset;
    uint32_t entry;
};

struct undo_scan {
    struct scan_base base;
    struct scan_spec spec; /* its bounds and cursor are not used: these are */
    bool one_part;
    struct spot at;
    struct undo_applied *applied; /* of the partition being scanned; NULL: none yet */
    GArray *places;               /* its blocks, of struct undo_block_place; likewise */
    guint place;                  /* of the block to come */
    struct arena *mem;            /* of the block being read */
    struct undo_block_head head;
    struct undo_cursor payload;
    struct undo_written next; /* waits for the next batch */
    bool block, waits, over;  /* a block is being read; an entry waits; all partitions are through */
};

/* --- bounds, cursors, etags --------------------------------------------------------------------------------------- */

static void put_be(uint8_t *into, uint64_t value, size_t width)
{
    for (size_t i = 0; i < width; i++)
        into[i] = (uint8_t)(value >> (8 * (width - 1 - i)));
}

static uint64_t get_be(const uint8_t *from, size_t width)
{
    uint64_t value = 0;
    for (size_t i = 0; i < width; i++)
        value = value << 8 | from[i];
    return value;
}

struct slice undo_part_bounds(uint32_t part, struct arena *mem)
{
    uint8_t *bounds = arena_alloc(mem, BOUNDS_LEN);
    g_assert(bounds); /* four bytes */
    put_be(bounds, part, BOUNDS_LEN);
    return slice_of(bounds, BOUNDS_LEN);
}

bool undo_record_written(const struct record *record, struct digest *ret, bool *ret_deleted)
{
    if (record->etag.len != ETAG_LEN || record->etag.bytes[DIGEST_LEN] > 1)
        return false;
    *ret = digest_get(record->etag.bytes);
    *ret_deleted = record->etag.bytes[DIGEST_LEN];
    return true;
}

void undo_record_nth(const struct record *record, struct undo_nth *ret)
{
    *ret = (struct undo_nth){.lane = (uint32_t)get_be(record->etag.bytes + LANE_AT, LANE_LEN),
                             .number = get_be(record->etag.bytes + NUMBER_AT, NUMBER_LEN)};
}

static struct etag etag_of(const struct undo_scan *scan)
{
    struct etag etag = {.len = ETAG_LEN};
    memcpy(etag.bytes, scan->next.digest, DIGEST_LEN);
    etag.bytes[DIGEST_LEN] = scan->next.deletes;
    put_be(etag.bytes + LANE_AT, scan->head.lane, LANE_LEN);
    put_be(etag.bytes + NUMBER_AT, scan->head.number + scan->at.entry, NUMBER_LEN);
    return etag;
}

static void cursor_put(const struct spot *spot, uint8_t into[CURSOR_LEN])
{
    put_be(into, spot->part, 4);
    put_be(into + 4, spot->segment, 4);
    put_be(into + 8, spot->offset, 8);
    put_be(into + 16, spot->entry, 4);
}

static struct spot cursor_get(struct slice cursor)
{
    return (struct spot){.part = (uint32_t)get_be(cursor.data, 4),
                         .segment = (uint32_t)get_be(cursor.data + 4, 4),
                         .offset = get_be(cursor.data + 8, 8),
                         .entry = (uint32_t)get_be(cursor.data + 16, 4)};
}

/* --- stores and sessions ------------------------------------------------------------------------------------------ */

static bool undo_locate(const struct store_config *config, const struct world *world, char **ret, GError **error)
{
    return place_of(config, ret, error);
}

static bool stands(const struct world *world, const char *dir, GError **error)
{
    g_autofree char *expired = g_build_filename(dir, UNDO_EXPIRED, NULL);
    return !file_exists(world, expired) ||
           error_set(error, SLUICE_ERROR_REFUSED, "%s: the undo log has expired, and `sluice prune` has removed it",
                     dir);
}

static bool undo_open_store(struct store **ret, const struct store_config *config, const struct world *world,
                            GError **error)
{
    g_autofree char *dir = NULL;
    struct undo_listing listing;
    if (!config->read_only)
        return error_set(error, SLUICE_ERROR_USAGE, "an undo log can only be read; name another store as the target");
    if (!place_of(config, &dir, error) || !stands(world, dir, error) || !undo_listing_read(&listing, world, dir, error))
        return false;
    undo_listing_done(&listing);
    struct undo_store *store = g_new0(struct undo_store, 1);
    store->dir = g_steal_pointer(&dir);
    store->index = undo_index_new(world, store->dir);
    *ret = (struct store *)store;
    return true;
}

static void undo_close_store(struct store *base)
{
    struct undo_store *store = (struct undo_store *)base;
    undo_index_free(store->index);
    g_free(store->dir);
    g_free(store);
}

static bool undo_session_open(struct session **ret, struct store *base, GError **error)
{
    struct undo_session *session = g_new0(struct undo_session, 1);
    *ret = (struct session *)session;
    return true;
}

static void undo_session_close(struct session *base)
{
    struct undo_session *session = (struct undo_session *)base;
    undo_opened_close(&session->opened);
    g_free(session);
}

static struct undo_session *undo_session(struct session *session)
{
    return (struct undo_session *)session;
}

static const struct store_base *store_of(const struct undo_session *session)
{
    return (const struct store_base *)session->base.store;
}

static struct undo_index *index_of(const struct undo_session *session)
{
    return ((const struct undo_store *)session->base.store)->index;
}

void undo_store_losses(const struct session *session, struct undo_losses *ret)
{
    *ret = ((const struct undo_session *)session)->losses;
}

static bool is_forward(const struct undo_part_index *part)
{
    return part->part < FIRST_ROLLBACK_PART;
}

static bool undo_inspect(struct session *base, const struct call *call, struct store_info *ret, GError **error)
{
    struct undo_session *session = undo_session(base);
    struct undo_index *index = index_of(session);
    struct undo_part_index part;
    uint8_t run_uid[16], uid[2 * DIGEST_LEN + 1];
    if (!undo_index_refresh(index, error))
        return false;
    uint64_t bytes = undo_index_whose(index, run_uid);
    digest_text(digest_get(run_uid), (char *)uid);
    struct slice identity;
    if (!arena_copy(call->mem, slice_of(uid, sizeof uid), &identity))
        return error_set(error, SLUICE_ERROR_TOO_BIG, "no memory to say which run it is");
    *ret = (struct store_info){.identity = (const char *)identity.data,
                               .version = "1",
                               .clock_ms = world_wall_ms(store_of(session)->world),
                               .bytes = bytes,
                               .dataset_present = true,
                               .keyed = true};
    for (uint32_t from = 0; undo_index_part_from(index, from, &part) && is_forward(&part); from = part.part + 1)
        ret->records += part.intents;
    return true;
}

static bool undo_split(struct session *base, const struct call *call, const struct split_wish *wish,
                       struct part_list *into, GError **error)
{
    struct undo_index *index = index_of(undo_session(base));
    struct undo_part_index part;
    if (!undo_index_refresh(index, error))
        return false;
    for (uint32_t from = 0; undo_index_part_from(index, from, &part) && is_forward(&part); from = part.part + 1) {
        struct part_bounds bounds = {.records = part.intents, .bytes = part.bytes};
        uint8_t number[BOUNDS_LEN];
        put_be(number, part.part, BOUNDS_LEN);
        if (part.intents == 0)
            continue;
        if (!arena_copy(into->mem, slice_of(number, BOUNDS_LEN), &bounds.bounds))
            return error_set(error, SLUICE_ERROR_TOO_BIG, "no memory for a list of more than %u partitions",
                             into->parts->len);
        g_array_append_val(into->parts, bounds);
    }
    return true;
}

/* --- scanning: which block ---------------------------------------------------------------------------------------- */

static struct undo_session *session_of(const struct undo_scan *scan)
{
    return undo_session(scan->base.session);
}

/* What the block holds, unpacked; scan->head is its head, of no entries where that cannot be read. *ret_whole false: it
 * does not verify. */
static bool read_block(struct undo_scan *scan, const struct undo_block_place *place, struct slice *ret, bool *ret_whole,
                       GError **error)
{
    struct undo_session *session = session_of(scan);
    struct blockfile *file;
    struct block block = {.offset = place->offset};
    arena_reset(scan->mem);
    if (!undo_index_segment(index_of(session), &session->opened, place->segment, &file, error))
        return false;
    enum block_result result =
        file ? blockfile_read(file, place->offset, false, scan->mem, &block, error) : BLOCK_DAMAGED;
    if (result == BLOCK_FAILED)
        return false;
    if (!undo_block_head_read(&block, &scan->head)) {
        scan->head = (struct undo_block_head){.count = 0};
        result = BLOCK_DAMAGED;
    }
    *ret_whole = result == BLOCK_OK;
    *ret = block.payload;
    return true;
}

static const struct undo_block_place *place_at(const struct undo_scan *scan, guint i)
{
    return &g_array_index(scan->places, struct undo_block_place, i);
}

static bool take_outcomes(struct undo_scan *scan, GError **error)
{
    struct undo_session *session = session_of(scan);
    scan->applied = undo_applied_new();
    for (guint i = 0; i < scan->places->len; i++) {
        const struct undo_block_place *place = place_at(scan, i);
        struct slice payload;
        bool whole;
        if (place->kind != UNDO_KIND_OUTCOMES)
            continue;
        if (!read_block(scan, place, &payload, &whole, error))
            return false;
        if (whole && undo_applied_add(scan->applied, &scan->head, payload))
            continue;
        session->losses.damaged_blocks += undo_index_proven(index_of(session), place->segment, place->offset);
    }
    return true;
}

/* The first forward partition from `from` on. */
static bool part_from(const struct undo_scan *scan, uint32_t from, struct undo_part_index *ret)
{
    return undo_index_part_from(index_of(session_of(scan)), from, ret) && is_forward(ret) &&
           (!scan->one_part || ret->part == from);
}

/* The first block at or behind the spot. */
static guint place_from(const struct undo_scan *scan, const struct spot *at)
{
    guint i = 0;
    while (i < scan->places->len &&
           (place_at(scan, i)->segment < at->segment ||
            (place_at(scan, i)->segment == at->segment && place_at(scan, i)->offset < at->offset)))
        i++;
    return i;
}

/* Begins the partition at the spot, or the next there is. Holes belong to no partition that could be told: they count
 * for each. */
static bool begin_part(struct undo_scan *scan, GError **error)
{
    struct undo_session *session = session_of(scan);
    struct undo_part_index part;
    scan->over = !part_from(scan, scan->at.part, &part);
    if (scan->over)
        return true;
    if (part.part != scan->at.part)
        scan->at = (struct spot){.part = part.part};
    scan->places = undo_index_places(index_of(session), &part);
    undo_opened_close(&session->opened); /* they may lie behind where it ended */
    scan->place = place_from(scan, &scan->at);
    session->losses.damaged_blocks += undo_index_holes(index_of(session));
    return take_outcomes(scan, error);
}

static void end_part(struct undo_scan *scan)
{
    g_clear_pointer(&scan->applied, undo_applied_free);
    g_clear_pointer(&scan->places, g_array_unref);
    scan->over = scan->one_part || scan->at.part >= FIRST_ROLLBACK_PART - 1;
    scan->at = (struct spot){.part = scan->at.part + 1};
}

/* Whether a block of intents that cannot be read is a loss: some of it was applied, or it is known to have been
 * durable. */
static bool is_loss(const struct undo_scan *scan, const struct undo_block_place *place)
{
    return undo_index_proven(index_of(session_of(scan)), place->segment, place->offset) ||
           undo_applied_any(scan->applied, &scan->head);
}

static bool payload_sound(const struct undo_scan *scan, struct slice payload)
{
    struct undo_cursor cursor = {payload.data, payload.data + payload.len};
    struct undo_written written;
    for (uint32_t i = 0; i < scan->head.count; i++)
        if (!undo_written_next(&cursor, &written))
            return false;
    return cursor.at == cursor.end;
}

/* Begins the block of intents at scan->place; scan->block stays false where it cannot be read. */
static bool begin_block(struct undo_scan *scan, const struct undo_block_place *place, GError **error)
{
    struct slice payload;
    bool whole;
    if (!read_block(scan, place, &payload, &whole, error))
        return false;
    bool continued = place->segment == scan->at.segment && place->offset == scan->at.offset;
    scan->at = (struct spot){scan->at.part, place->segment, place->offset, continued ? scan->at.entry : 0};
    scan->block = whole && payload_sound(scan, payload);
    if (!scan->block) {
        session_of(scan)->losses.damaged_blocks += is_loss(scan, place);
        return true;
    }
    scan->payload = (struct undo_cursor){payload.data, payload.data + payload.len};
    struct undo_written passed;
    for (uint32_t i = 0; i < scan->at.entry && i < scan->head.count; i++)
        undo_written_next(&scan->payload, &passed);
    return true;
}

/* --- scanning: which entry ---------------------------------------------------------------------------------------- */

/* The next applied entry of the block into scan->next; scan->waits stays false at its end. */
static void next_in_block(struct undo_scan *scan)
{
    while (!scan->waits && scan->block) {
        if (scan->at.entry >= scan->head.count || !undo_written_next(&scan->payload, &scan->next)) {
            scan->block = false;
            scan->place++;
            return;
        }
        enum undo_answer answer = undo_applied_ask(scan->applied, scan->head.lane, scan->head.number + scan->at.entry);
        scan->waits = answer == UNDO_WAS_APPLIED;
        session_of(scan)->losses.unsettled += answer == UNDO_NOT_TOLD;
        scan->at.entry += !scan->waits;
    }
}

/* One step towards the next entry. */
static bool step(struct undo_scan *scan, GError **error)
{
    if (!scan->applied)
        return begin_part(scan, error);
    if (scan->block) {
        next_in_block(scan);
        return true;
    }
    if (scan->place >= scan->places->len) {
        end_part(scan);
        return true;
    }
    const struct undo_block_place *place = place_at(scan, scan->place);
    if (place->kind == UNDO_KIND_INTENTS && !begin_block(scan, place, error))
        return false;
    scan->place += !scan->block;
    return true;
}

/* Until an entry waits, or all is over. */
static bool advance(struct undo_scan *scan, const struct call *call, GError **error)
{
    while (!scan->waits && !scan->over) {
        if (!call_goes_on(call, store_of(session_of(scan))->world, error) || !step(scan, error))
            return false;
    }
    return true;
}

/* Copies what waits into the batch. false: no room. */
static bool take_waiting(struct undo_scan *scan, struct arena *mem, struct record *ret)
{
    struct record record = {.etag = etag_of(scan),
                            .expires_at_ms = scan->next.expires_at_ms,
                            .presence = scan->next.present ? RECORD_PRESENT : RECORD_ABSENT};
    if (!arena_copy(mem, scan->next.key, &record.key) ||
        (!scan->spec.keys_only && scan->next.present && !arena_copy(mem, scan->next.pre, &record.raw)))
        return false;
    *ret = record;
    scan->at.entry++;
    scan->waits = false;
    return true;
}

static bool has_room(const struct undo_scan *scan, const struct batch *batch)
{
    uint64_t next = scan->next.key.len + scan->next.pre.len;
    return batch->n == 0 || (batch->n < scan->spec.max_records && batch->bytes + next <= scan->spec.max_bytes);
}

static bool fill(struct undo_scan *scan, const struct call *call, struct batch *batch, GError **error)
{
    for (;;) {
        if (!advance(scan, call, error))
            return false;
        if (scan->over || !has_room(scan, batch))
            return true;
        uint64_t bytes = scan->next.key.len + scan->next.pre.len;
        if (!take_waiting(scan, call->mem, &batch->records[batch->n]))
            return batch->n > 0 ||
                   error_set(error, SLUICE_ERROR_TOO_BIG,
                             "a pre-image of %" G_GUINT64_FORMAT " bytes does not fit into a batch", (guint64)bytes);
        batch->bytes += bytes;
        batch->n++;
    }
}

static bool undo_scan_next(struct scan *base, const struct call *call, struct batch *ret, GError **error)
{
    struct undo_scan *scan = (struct undo_scan *)base;
    struct batch batch = {.n = 0};
    uint8_t cursor[CURSOR_LEN];
    size_t room = MAX(scan->spec.max_records, 1);
    batch.records =
        room > SIZE_MAX / sizeof *batch.records ? NULL : arena_alloc(call->mem, room * sizeof *batch.records);
    if (!batch.records)
        return error_set(error, SLUICE_ERROR_TOO_BIG, "no memory for a batch of %zu records", room);
    if (!fill(scan, call, &batch, error))
        return false;
    batch.done = scan->over;
    cursor_put(&scan->at, cursor);
    if (!arena_copy(call->mem, slice_of(cursor, CURSOR_LEN), &batch.cursor))
        return error_set(error, SLUICE_ERROR_TOO_BIG, "no memory for the cursor of a batch");
    *ret = batch;
    return true;
}

static void undo_scan_close(struct scan *base)
{
    struct undo_scan *scan = (struct undo_scan *)base;
    undo_applied_free(scan->applied);
    g_clear_pointer(&scan->places, g_array_unref);
    arena_free(scan->mem);
    g_free(scan);
}

/* The spot at which a scan begins. */
static bool spot_of(const struct scan_spec *spec, struct spot *ret, GError **error)
{
    bool sound = (spec->bounds.len == 0 || spec->bounds.len == BOUNDS_LEN) &&
                 (spec->cursor.len == 0 || spec->cursor.len == CURSOR_LEN);
    struct spot spot = {.part = 0};
    if (sound && spec->bounds.len)
        spot.part = (uint32_t)get_be(spec->bounds.data, BOUNDS_LEN);
    if (sound && spec->cursor.len) {
        struct spot from = cursor_get(spec->cursor);
        sound = spec->bounds.len == 0 || from.part == spot.part || from.part == spot.part + 1;
        spot = from;
    }
    if (!sound)
        return error_set(error, SLUICE_ERROR_CORRUPT, "bounds or cursor are not those of an undo log");
    *ret = spot;
    return true;
}

static bool undo_scan_open(struct scan **ret, struct session *base, const struct scan_spec *spec, GError **error)
{
    struct spot at;
    if (!spot_of(spec, &at, error) || !undo_index_refresh(index_of(undo_session(base)), error))
        return false;
    struct undo_scan *scan = g_new0(struct undo_scan, 1);
    scan->base.session = base;
    scan->spec = *spec;
    scan->one_part = spec->bounds.len > 0;
    scan->at = at;
    scan->mem = arena_new(BLOCK_CAP);
    /* a cursor behind the partition's last entry names the next one */
    scan->over = scan->one_part && at.part != (uint32_t)get_be(spec->bounds.data, BOUNDS_LEN);
    *ret = (struct scan *)scan;
    return true;
}

const struct store_driver undo_driver = {
    .name = "undo",
    .schemes = (const char *const[]){"undo", NULL},
    .words = "what a run wrote and what stood there before, from its undo log; read-only",
    .locate = undo_locate,
    .open = undo_open_store,
    .close = undo_close_store,
    .session_open = undo_session_open,
    .session_close = undo_session_close,
    .inspect = undo_inspect,
    .split = undo_split,
    .scan_open = undo_scan_open,
    .scan_next = undo_scan_next,
    .scan_close = undo_scan_close,
};
