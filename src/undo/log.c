#include "base/groupsync.h"
#include "base/lock.h"
#include "undo/manifest.h"

enum { SEGMENT_BYTES = 256 << 20, PARCEL_BYTES = 4 << 20 };

/* What a batch is laid out and packed in; kept for the next, so that no batch waits for fresh pages. */
struct parcel {
    GByteArray *payload;
    struct block_packer *packer;
};

struct undo_log {
    struct undo_config config; /* dir is owned */
    struct groupsync group;
    struct undo_manifest manifest; /* the leader's alone */

    pthread_mutex_t append; /* guards what follows */
    struct blockfile *segment;
    uint32_t number;
    uint64_t tickets; /* blocks appended so far */
    uint64_t durable; /* of this segment: up to which offset a sync has returned */
    uint64_t bytes;
    GPtrArray *parcels; /* of struct parcel *: those that nobody uses just now */
    GError *stuck;      /* why no new segment could be begun: no appends any more */
};

static void parcel_free(void *data)
{
    struct parcel *parcel = data;
    g_byte_array_unref(parcel->payload);
    block_packer_free(parcel->packer);
    g_free(parcel);
}

/* A file that no manifest names was left by a crash between its making and its naming, and holds no block. */
static bool remove_unnamed(const struct undo_config *config, const char *path, GError **error)
{
    struct world_stat found;
    if (!file_exists(config->world, path))
        return true;
    if (!file_stat_path(config->world, path, &found, error))
        return false;
    if (found.size > UNDO_SEGMENT_BARE)
        return error_set(error, SLUICE_ERROR_CORRUPT,
                         "%s: holds undo blocks, but %s/" UNDO_MANIFEST
                         " does not name it; put back the manifest that belongs to it",
                         path, config->dir);
    return file_unlink(config->world, path, error);
}

/* Made, durable with its name and its header, and named by the manifest, in this order. */
static bool segment_begin_durable(struct undo_log *log, struct blockfile **ret, GError **error)
{
    const struct undo_config *config = &log->config;
    uint32_t number = undo_manifest_last(&log->manifest) + 1;
    uint8_t tag[UNDO_TAG_LEN];
    undo_tag_put(config->run_uid, number, tag);
    g_autofree char *path = undo_segment_path(config, number);
    auto_(blockfile) made = NULL;
    if (!remove_unnamed(config, path, error) ||
        !blockfile_create(&made, config->world, path, &UNDO_KIND, slice_of(tag, sizeof tag), error) ||
        !blockfile_sync_durable(made, error))
        return false;
    world_point(config->world, "undo.segment.made");
    struct undo_segment segment = {.bytes = 0};
    g_array_append_val(log->manifest.segments, segment);
    if (!undo_manifest_write_durable(&log->manifest, config, error))
        return false;
    world_point(config->world, "undo.segment.named");
    *ret = g_steal_pointer(&made);
    return true;
}

/* From here on `made` is what is appended to. Returns the segment before, to be closed; *ret_ticket is its last. */
static struct blockfile *segment_swap(struct undo_log *log, struct blockfile *made, uint64_t *ret_ticket)
{
    auto_hold(&log->append);
    struct blockfile *old = log->segment;
    log->segment = made;
    log->number++;
    log->durable = blockfile_begin(made);
    if (ret_ticket)
        *ret_ticket = log->tickets;
    return old;
}

static bool segment_close_durable(struct undo_log *log, struct blockfile *old, uint32_t number, GError **error)
{
    g_array_index(log->manifest.segments, struct undo_segment, number - 1).bytes = blockfile_end(old);
    if (!undo_manifest_write_durable(&log->manifest, &log->config, error))
        return false;
    world_point(log->config.world, "undo.segment.closed");
    return true;
}

static void stuck(struct undo_log *log, GError *why)
{
    auto_hold(&log->append);
    error_keep_first(&log->stuck, why);
}

/* The leader's: what was appended to the full segment after its sync is synced too before it is closed. Where no new
 * segment can be made, what is durable stays so, and appending ends. */
static bool rotate(struct undo_log *log, uint64_t *ret_ticket, GError **error)
{
    struct blockfile *made;
    GError *why = NULL;
    if (!segment_begin_durable(log, &made, &why)) {
        stuck(log, why);
        return true;
    }
    uint32_t number = log->number; /* only the leader changes it */
    auto_(blockfile) old = segment_swap(log, made, ret_ticket);
    if (!blockfile_sync_durable(old, error))
        return false;
    if (!segment_close_durable(log, old, number, &why))
        stuck(log, why);
    return true;
}

/* What is appended to, up to where, and the last ticket in it. */
static struct blockfile *segment_now(struct undo_log *log, uint64_t *ret_end, uint64_t *ret_ticket)
{
    auto_hold(&log->append);
    *ret_end = blockfile_end(log->segment);
    *ret_ticket = log->tickets;
    return log->segment;
}

static void know_durable(struct undo_log *log, uint64_t end)
{
    auto_hold(&log->append);
    log->durable = end;
}

static bool sync_appended(void *self, uint64_t *ret_ticket, GError **error)
{
    struct undo_log *log = self;
    uint64_t end, ticket;
    struct blockfile *segment = segment_now(log, &end, &ticket);
    if (!blockfile_sync_durable(segment, error))
        return false;
    know_durable(log, end);
    if (end >= log->config.segment_bytes && !rotate(log, &ticket, error))
        return false;
    *ret_ticket = ticket;
    return true;
}

static bool log_durable(struct undo_log *log, uint64_t ticket, GError **error)
{
    struct groupsync_way way = {.sync = sync_appended, .self = log};
    return groupsync_durable(&log->group, ticket, &way, error);
}

/* What a dead process appended and did not sync is read by whoever goes on, and acted on: from now on it has to last.
 * Only its newest segment can hold such; each of those before was synced by the process that opened the next. */
static bool settle_last_durable(const struct undo_config *config, const struct undo_manifest *manifest, GError **error)
{
    uint32_t last = undo_manifest_last(manifest);
    auto_(blockfile) segment = NULL;
    if (last == 0 || g_array_index(manifest->segments, struct undo_segment, last - 1).bytes > 0)
        return true;
    return undo_segment_open(&segment, config, last, error) && (!segment || blockfile_sync_durable(segment, error));
}

bool undo_open(struct undo_log **ret, const struct undo_config *config, GError **error)
{
    struct undo_manifest manifest;
    if (!file_make_dirs(config->world, config->dir, error) || !undo_manifest_read(&manifest, config, error))
        return false;
    auto_(undo_log) log = g_new0(struct undo_log, 1);
    *log = (struct undo_log){.config = *config, .manifest = manifest};
    log->config.dir = g_strdup(config->dir);
    log->config.segment_bytes = config->segment_bytes ? config->segment_bytes : SEGMENT_BYTES;
    log->number = undo_manifest_last(&manifest);
    groupsync_init(&log->group);
    pthread_mutex_init(&log->append, NULL);
    log->parcels = g_ptr_array_new_with_free_func(parcel_free);
    struct blockfile *made;
    if (!settle_last_durable(&log->config, &log->manifest, error) || !segment_begin_durable(log, &made, error))
        return false;
    segment_swap(log, made, NULL);
    *ret = g_steal_pointer(&log);
    return true;
}

void undo_free(struct undo_log *log)
{
    if (!log)
        return;
    blockfile_free(log->segment);
    undo_manifest_done(&log->manifest);
    groupsync_done(&log->group);
    pthread_mutex_destroy(&log->append);
    g_ptr_array_unref(log->parcels);
    g_clear_error(&log->stuck);
    g_free((char *)log->config.dir);
    g_free(log);
}

struct piece {
    enum undo_block_type type;
    struct undo_head head;
    struct slice payload, packed;
};

static bool append_locked(struct undo_log *log, struct piece *piece, uint64_t *ret_offset, GError **error)
{
    if (log->stuck) {
        g_propagate_error(error, g_error_copy(log->stuck));
        return false;
    }
    g_autoptr(GByteArray) head = g_byte_array_new();
    piece->head.durable = log->durable;
    undo_head_put(&piece->head, head);
    struct block_draft draft = {.type = (uint16_t)piece->type,
                                .head = slice_of(head->data, head->len),
                                .payload = piece->payload,
                                .packed = piece->packed};
    uint64_t before = blockfile_end(log->segment);
    if (!blockfile_append(log->segment, &draft, ret_offset, error))
        return false;
    log->bytes += blockfile_end(log->segment) - before;
    log->tickets++;
    return true;
}

/* *ret_ticket: what to wait for until it is durable. */
static bool append(struct undo_log *log, struct piece *piece, struct undo_position *ret, uint64_t *ret_ticket,
                   GError **error)
{
    if (!groupsync_usable(&log->group, error))
        return false;
    auto_hold(&log->append);
    ret->segment = log->number;
    if (!append_locked(log, piece, &ret->offset, error))
        return false;
    *ret_ticket = log->tickets;
    return true;
}

static struct parcel *parcel_new(void)
{
    struct parcel *parcel = g_new0(struct parcel, 1);
    parcel->payload = g_byte_array_new();
    parcel->packer = block_packer_new();
    return parcel;
}

static struct parcel *parcel_take(struct undo_log *log)
{
    auto_hold(&log->append);
    return log->parcels->len > 0 ? g_ptr_array_steal_index_fast(log->parcels, log->parcels->len - 1) : parcel_new();
}

static void parcel_give_back(struct undo_log *log, struct parcel *parcel)
{
    if (parcel->payload->len > PARCEL_BYTES) { /* one large batch need not be held on to for ever */
        parcel_free(parcel);
        return;
    }
    auto_hold(&log->append);
    g_ptr_array_add(log->parcels, parcel);
}

/* Digests do not pack: it pays where pre-images are a good part of the block. */
static bool pays_to_pack(const struct undo_batch *batch, size_t payload_len)
{
    size_t pre = 0;
    for (size_t i = 0; i < batch->n; i++)
        pre += batch->intents[i].pre_raw.len;
    return pre >= payload_len / 2;
}

/* Laid out and packed before the lock is taken: what is held under it is one write. */
static bool append_intents(struct undo_log *log, const struct undo_batch *batch, struct parcel *parcel,
                           struct undo_position *ret, uint64_t *ret_ticket, GError **error)
{
    struct piece piece = {.type = UNDO_INTENTS,
                          .head = {.part = batch->part,
                                   .lane = batch->lane,
                                   .first_number = batch->first_number,
                                   .first_sequence = batch->first_sequence}};
    if (!int_to_u32(batch->n, &piece.head.count))
        return error_set(error, SLUICE_ERROR_TOO_BIG, "a batch of %zu intents is larger than an undo block", batch->n);
    if (!undo_intents_put(batch->intents, batch->n, parcel->payload, error))
        return false;
    piece.payload = slice_of(parcel->payload->data, parcel->payload->len);
    if (pays_to_pack(batch, piece.payload.len))
        piece.packed = block_packer_pack(parcel->packer, piece.payload);
    return append(log, &piece, ret, ret_ticket, error);
}

bool undo_intents_durable(struct undo_log *log, const struct undo_batch *batch, struct undo_position *ret,
                          GError **error)
{
    struct parcel *parcel = parcel_take(log);
    struct undo_position at;
    uint64_t ticket = 0;
    bool appended = append_intents(log, batch, parcel, &at, &ticket, error);
    parcel_give_back(log, parcel);
    if (!appended)
        return false;
    world_point(log->config.world, "undo.intents.appended");
    if (!log_durable(log, ticket, error))
        return false;
    world_point(log->config.world, "undo.intents.durable");
    *ret = at;
    return true;
}

bool undo_outcomes(struct undo_log *log, const struct undo_outcome *outcome, GError **error)
{
    struct piece piece = {.type = UNDO_OUTCOMES, .payload = outcome->applied};
    if (!int_to_u32(outcome->n, &piece.head.count))
        return error_set(error, SLUICE_ERROR_TOO_BIG, "%zu outcomes are more than an undo block holds", outcome->n);
    piece.head.part = outcome->part;
    piece.head.lane = outcome->lane;
    piece.head.first_number = outcome->first_number;
    g_assert(undo_outcomes_whole(&piece.head, outcome->applied));
    struct undo_position at;
    uint64_t ticket;
    if (!append(log, &piece, &at, &ticket, error))
        return false;
    world_point(log->config.world, "undo.outcomes.appended");
    return true;
}

bool undo_sync_durable(struct undo_log *log, GError **error)
{
    uint64_t end, ticket;
    if (!groupsync_usable(&log->group, error))
        return false;
    segment_now(log, &end, &ticket);
    return log_durable(log, ticket, error);
}

struct undo_position undo_here(struct undo_log *log)
{
    auto_hold(&log->append);
    return (struct undo_position){.segment = log->number, .offset = blockfile_end(log->segment)};
}

uint64_t undo_bytes(struct undo_log *log)
{
    auto_hold(&log->append);
    return log->bytes;
}

uint64_t undo_syncs(struct undo_log *log)
{
    return groupsync_count(&log->group);
}
