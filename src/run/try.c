#include "run/try.h"

#include <math.h>

#include "listing/listing.h"
#include "record/text.h"
#include "run/feed.h"
#include "run/worker_state.h"
#include "store/only.h"

#define PARTS_MAX     64
#define SPREAD_BYTES  (UINT64_C(1) << 30) /* above it a pass over the source is not made for a sample */
#define SCAN_RECORDS  500
#define KNOWN_AT_ONCE 100u
#define MEMORY_BYTES  (256u << 20)
#define PLAN_BYTES    (64u << 20)

struct trying {
    const struct plan *plan;
    const struct world *world;
    const atomic_int *signals;
    const struct try_wish *wish;
    struct try_result *ret;
    struct session *source, *target; /* target NULL: not there yet, or append-only */
    struct job job;
    struct worker *worker;
    struct arena *mem;   /* of what was scanned */
    GArray *items;       /* of struct try_item */
    GArray *states;      /* of struct record: of the keys, in a source that is scanned */
    struct arena *found; /* what they point to */
};

const char *try_policy(const struct plan *plan)
{
    static const char *const CONFLICTS[] = {
        [CONFLICT_NEWER_WINS] = "newer-wins", [CONFLICT_KEEP_LIVE] = "keep-live", [CONFLICT_OVERWRITE] = "overwrite"};
    if (plan->sink)
        return "append";
    if (plan->same_dataset && plan->write != WRITE_SHADOW)
        return "in-place";
    return plan->write == WRITE_FILL ? "fill" : CONFLICTS[plan->conflict];
}

/* --- one record
 * ------------------------------------------------------------------------------------------------------- */

/* As a round does: what cannot be read at the target refuses the record. */
static bool look_at_target(struct trying *trying, struct item *item, GError **error)
{
    struct record image = {.key = item->key};
    struct call call = {.ds = &trying->plan->target_ds, .mem = trying->worker->batch.mem};
    if (item->image_known || item->state == ITEM_ENDED)
        return true;
    if (trying->target && !store_read(trying->target, &call, &image, 1, error))
        return false;
    if (image.presence == RECORD_FAULT) {
        row_refuse(batch_row(&trying->worker->batch, item->row), image.fault.code, image.fault.text);
        item_end(item, OUTCOME_REJECTED);
        return true;
    }
    item->image = image;
    item->image_known = true;
    return true;
}

static bool decide_item(struct trying *trying, struct item *item, GError **error)
{
    if (trying->plan->sink) {
        if (item->state != ITEM_ENDED)
            item_end(item, item->want_delete ? OUTCOME_UNCHANGED : OUTCOME_WRITTEN);
        return true;
    }
    if (!look_at_target(trying, item, error))
        return false;
    if (item->state == ITEM_OPEN)
        forward_decide(trying->worker, item);
    if (item->state == ITEM_PENDING)
        item_end(item, item->want_delete ? OUTCOME_DELETED : OUTCOME_WRITTEN);
    return true;
}

static struct slice document_in_target(const struct trying *trying, struct slice raw)
{
    struct slice document = SLICE_EMPTY;
    if (raw.len > 0)
        store_decode(trying->plan->target_driver, &trying->plan->target_ds, raw, trying->worker->batch.mem, &document,
                     NULL);
    return document;
}

static void tell_item(struct trying *trying, const struct item *item)
{
    bool live = item->image_known && item->image.presence == RECORD_PRESENT;
    struct try_item told = {.key = item->key,
                            .outcome = item->outcome,
                            .live = live ? document_in_target(trying, item->image.raw) : SLICE_EMPTY,
                            .wanted = item->want_delete ? SLICE_EMPTY : document_in_target(trying, item->raw),
                            .live_expires_at_ms = live ? item->image.expires_at_ms : EXPIRES_NEVER,
                            .wanted_expires_at_ms = item->expires_at_ms};
    if (forward_by_version(&trying->job.rules)) {
        struct decide_case of = forward_case(trying->worker, item);
        told.live_version = of.live;
        told.wanted_version = of.wanted;
    }
    g_array_append_val(trying->items, told);
}

static bool tell(struct trying *trying, GError **error)
{
    struct batch_work *batch = &trying->worker->batch;
    struct row *row = batch_row(batch, 0);
    forward_show(trying->worker, row);
    g_array_set_size(trying->items, 0);
    for (size_t i = 0; i < batch->items->len; i++)
        tell_item(trying, batch_item(batch, i));
    struct try_record record = {.key = row->rec.key,
                                .at = row->rec.at,
                                .outcome = row->outcome,
                                .fault = row->fault,
                                .document = row->has_document ? row->document : SLICE_EMPTY,
                                .items = (const struct try_item *)(const void *)trying->items->data,
                                .n_items = trying->items->len};
    trying->ret->tally.of[row->outcome]++;
    trying->ret->tally.of[OUTCOME_READ]++;
    return trying->wish->each(trying->wish->self, &record, error);
}

static bool give_up(struct worker *worker, GError **error)
{
    g_propagate_error(error, g_steal_pointer(&worker->error));
    return false;
}

static bool try_scanned(struct trying *trying, const struct scanned *scanned, GError **error)
{
    struct worker *worker = trying->worker;
    struct row row = {.rec = scanned->rec, .stays = scanned->stays};
    if (trying->signals && atomic_load(trying->signals) > 0)
        return error_set(error, SLUICE_ERROR_INTERRUPTED, "interrupted; nothing was written");
    batch_reset(&worker->batch);
    worker->now_ms = world_wall_ms(trying->world);
    g_array_append_val(worker->batch.rows, row);
    if (scanned->kind == SCANNED_CONFLICT)
        forward_refuse(worker, 0, &row.rec.fault);
    else
        forward_row(worker, 0);
    for (size_t i = 0; i < worker->batch.items->len && !worker->error; i++)
        if (!decide_item(trying, batch_item(&worker->batch, i), error))
            return false;
    if (worker->error)
        return give_up(worker, error);
    batch_tally(&worker->batch);
    return tell(trying, error);
}

static bool try_record(struct trying *trying, const struct record *record, GError **error)
{
    struct scanned scanned = {.rec = *record};
    return try_scanned(trying, &scanned, error);
}

/* --- which
 * ------------------------------------------------------------------------------------------------------------ */

/* Up to `most` records of a part, to `take`, which may end it without an error by *ret_done. */
struct stretch {
    struct slice bounds;
    uint64_t most;
    bool (*take)(struct trying *trying, const struct record *record, GError **error);
};

static bool walk(struct trying *trying, const struct stretch *stretch, uint64_t *ret_n, GError **error)
{
    auto_(scan) scan = NULL;
    size_t most = (size_t)MIN(stretch->most, SCAN_RECORDS);
    struct scan_spec spec = {
        .ds = &trying->plan->source_ds, .bounds = stretch->bounds, .max_records = most, .max_bytes = 1 << 20};
    struct call call = {.ds = &trying->plan->source_ds, .mem = trying->mem};
    struct batch batch = {0};
    *ret_n = 0;
    if (!store_scan_open(&scan, trying->source, &spec, error))
        return false;
    while (!batch.done && *ret_n < stretch->most) {
        arena_reset(trying->mem);
        if (!store_scan_next(scan, &call, &batch, error))
            return false;
        for (size_t i = 0; i < batch.n && *ret_n < stretch->most; i++, (*ret_n)++)
            if (!stretch->take(trying, &batch.records[i], error))
                return false;
        if (trying->signals && atomic_load(trying->signals) > 0)
            return error_set(error, SLUICE_ERROR_INTERRUPTED, "interrupted; nothing was written");
    }
    return true;
}

/* As many parts as there are records to take, so that they come from all over it; none where that costs too much. */
static bool cut(struct trying *trying, struct arena *mem, GArray *parts, GError **error)
{
    struct call call = {.ds = &trying->plan->source_ds, .mem = mem};
    struct split_wish wish = {.count = (uint32_t)MIN(trying->wish->sample, PARTS_MAX)};
    struct part_list list = {.parts = parts, .mem = mem};
    struct store_info info;
    if (!store_can(store_driver(trying->plan->source), CAN_SPLIT))
        return true;
    if (!store_inspect(trying->source, &call, &info, error))
        return false;
    return info.bytes > SPREAD_BYTES || store_split(trying->source, &call, &wish, &list, error);
}

static uint64_t records_of(const GArray *parts)
{
    uint64_t records = 0;
    for (guint i = 0; i < parts->len; i++)
        records += MAX(g_array_index(parts, struct part_bounds, i).records, 1);
    return records;
}

/* Of each part its share of the sample, the share of those before it included; a part that was thought larger than it
 * is leaves what it lacks to the later ones. */
static bool try_parts(struct trying *trying, const GArray *parts, GError **error)
{
    uint64_t all = records_of(parts), passed = 0, taken = 0, n;
    for (guint i = 0; i < parts->len; i++, taken += n) {
        const struct part_bounds *part = &g_array_index(parts, struct part_bounds, i);
        passed += MAX(part->records, 1);
        uint64_t due = (uint64_t)ceil((double)trying->wish->sample * (double)passed / (double)all);
        struct stretch stretch = {
            .bounds = part->bounds, .most = MIN(due, trying->wish->sample) - taken, .take = try_record};
        n = 0;
        if (stretch.most > 0 && !walk(trying, &stretch, &n, error))
            return false;
    }
    return true;
}

/* --- of a part of the source whose keys are known --------------------------------------------------------------- */

/* Keys from all over the listing, or over those that are given. */
struct known_keys {
    const struct plan *plan;
    struct listing_reader *listing; /* NULL: given keys */
    uint64_t n;
};

static bool known_key(const struct known_keys *known, uint64_t at, struct arena *mem, struct slice *ret, GError **error)
{
    struct slice *keys;
    size_t n = 0;
    if (!known->listing) {
        *ret = known->plan->only->keys[at];
        return true;
    }
    uint64_t size = listing_reader_totals(known->listing)->size;
    if (!listing_reader_seek(known->listing, (uint32_t)(at / size), at % size, error) ||
        !listing_reader_next(known->listing, 1, mem, &keys, &n, error))
        return false;
    *ret = n ? keys[0] : SLICE_EMPTY;
    return n > 0 || error_set(error, SLUICE_ERROR_CORRUPT, "the listing ends too early");
}

/* Of `most` keys those from number `first` on; *ret_n of them. */
static bool try_some(struct trying *trying, const struct known_keys *known, uint64_t first, uint64_t most,
                     uint64_t *ret_n, GError **error)
{
    struct record records[KNOWN_AT_ONCE] = {0};
    struct call call = {.ds = &trying->plan->source_ds, .mem = trying->mem};
    size_t n = (size_t)MIN(most - first, KNOWN_AT_ONCE);
    arena_reset(trying->mem);
    for (size_t i = 0; i < n; i++) {
        uint64_t at = (uint64_t)((double)(first + i) * (double)known->n / (double)most);
        if (!known_key(known, MIN(at, known->n - 1), trying->mem, &records[i].key, error))
            return false;
    }
    if (!store_read(trying->source, &call, records, n, error))
        return false;
    for (size_t i = 0; i < n; i++)
        if (records[i].presence != RECORD_ABSENT && !try_record(trying, &records[i], error))
            return false;
    *ret_n = n;
    return true;
}

static bool try_known(struct trying *trying, GError **error)
{
    const struct plan *plan = trying->plan;
    auto_(listing_reader) listing = NULL;
    struct known_keys known = {.plan = plan, .n = plan->n_parts ? plan->n_listed : plan->only->n_keys};
    if (plan->n_parts && !listing_reader_open(&listing, trying->world, plan->listing_path, plan->uid, error))
        return false;
    known.listing = listing;
    uint64_t most = MIN(trying->wish->sample, known.n), n;
    for (uint64_t i = 0; i < most; i += n)
        if (!try_some(trying, &known, i, most, &n, error))
            return false;
    trying->ret->spread = true;
    return true;
}

/* To scan for them would be to read all of the source for a few. */
static bool knows_keys(const struct plan *plan)
{
    return plan->only && plan->listed && (plan->n_parts > 0 || plan->only->n_keys > 0);
}

static bool try_sample(struct trying *trying, GError **error)
{
    if (knows_keys(trying->plan))
        return try_known(trying, error);
    auto_(arena) mem = arena_new(PLAN_BYTES);
    g_autoptr(GArray) parts = g_array_new(FALSE, TRUE, sizeof(struct part_bounds));
    struct stretch beginning = {.most = trying->wish->sample, .take = try_record};
    uint64_t n;
    if (!cut(trying, mem, parts, error))
        return false;
    trying->ret->spread = parts->len > 1;
    return parts->len ? try_parts(trying, parts, error) : walk(trying, &beginning, &n, error);
}

/* Of a plan for some records alone: those, from its first partition on. */
static bool try_asked_part(struct trying *trying, struct feed *feed, uint32_t part, uint64_t *io_left, GError **error)
{
    const struct plan *plan = trying->plan;
    struct part_row row = {
        .part = part, .of = part, .bounds = plan->parts[part].bounds, .records = plan->parts[part].records};
    struct call call = {.ds = &plan->source_ds, .mem = trying->mem};
    struct op_scan scan = {0};
    if (!feed_open(feed, &row, SLICE_EMPTY, error))
        return false;
    while (!scan.done && *io_left > 0) {
        arena_reset(trying->mem);
        scan = (struct op_scan){.max_records = SCAN_RECORDS, .max_bytes = 1 << 20, .mem = trying->mem};
        if (!feed_next(feed, &call, &scan, error))
            return false;
        for (size_t i = 0; i<scan.n && * io_left> 0; i++) {
            bool asked = scan.rows[i].kind == SCANNED_RECORD || scan.rows[i].kind == SCANNED_CONFLICT;
            *io_left -= asked;
            if (asked && !try_scanned(trying, &scan.rows[i], error))
                return false;
        }
    }
    return true;
}

static bool try_asked(struct trying *trying, GError **error)
{
    struct feed_config config = {.world = trying->world, .job = &trying->job, .source = trying->source};
    auto_(feed) feed = feed_new(&config);
    uint64_t left = trying->wish->sample;
    for (size_t i = 0; i < trying->plan->n_parts && left > 0; i++)
        if (!try_asked_part(trying, feed, (uint32_t)i, &left, error))
            return false;
    trying->ret->spread = trying->plan->n_listed <= trying->wish->sample;
    return true;
}

static bool lacks(struct trying *trying, struct slice key, GError **error)
{
    const struct spec *spec = trying->plan->spec;
    char quote[TEXT_QUOTE];
    trying->ret->lacking++;
    return trying->wish->may_lack ||
           error_set(error, SLUICE_ERROR_NOT_FOUND, "%s: the key '%s' is not in %s, dataset '%s'", spec->path,
                     text_quote(key, quote), spec->source.store, spec->source.dataset);
}

static bool try_read_keys(struct trying *trying, GError **error)
{
    struct call call = {.ds = &trying->plan->source_ds, .mem = trying->mem};
    for (size_t i = 0; i < trying->wish->n_keys; i++) {
        struct record record = {.key = trying->wish->keys[i]};
        arena_reset(trying->mem);
        if (!store_read(trying->source, &call, &record, 1, error) ||
            !(record.presence == RECORD_ABSENT ? lacks(trying, record.key, error) : try_record(trying, &record, error)))
            return false;
    }
    return true;
}

static bool keep_slice(struct trying *trying, struct slice *io, GError **error)
{
    return arena_copy(trying->found, *io, io) ||
           error_set(error, SLUICE_ERROR_TOO_BIG, "the states of the keys do not fit into memory");
}

static bool is_wished(const struct trying *trying, struct slice key)
{
    for (size_t i = 0; i < trying->wish->n_keys; i++)
        if (slice_equal(trying->wish->keys[i], key))
            return true;
    return false;
}

static bool keep_state(struct trying *trying, const struct record *record, GError **error)
{
    struct record kept = *record;
    if (!is_wished(trying, record->key))
        return true;
    if (!keep_slice(trying, &kept.key, error) || !keep_slice(trying, &kept.raw, error))
        return false;
    if (kept.at.file && !(kept.at.file = arena_text(trying->found, slice_of_text(kept.at.file))))
        return error_set(error, SLUICE_ERROR_TOO_BIG, "the name of a file does not fit into memory");
    if (kept.presence == RECORD_FAULT)
        kept.fault.text = arena_text(trying->found, slice_of_text(kept.fault.text));
    g_array_append_val(trying->states, kept);
    return true;
}

static struct version version_of_state(const struct trying *trying, const struct record *record)
{
    const struct plan *plan = trying->plan;
    struct version version = {0};
    struct slice document;
    if (store_decode(store_driver(plan->source), &plan->source_ds, record->raw, trying->found, &document, NULL))
        version_of(plan->spec->source.version, document, &version, NULL);
    return version;
}

/* Whether it takes the place of the one before it: only where there are versions. */
static bool is_newer(const struct trying *trying, const struct record *state, const struct record *than)
{
    return trying->plan->spec->source.duplicates == DUPLICATES_NEWEST &&
           version_compare(version_of_state(trying, state), version_of_state(trying, than), 0) == VERSION_NEWER;
}

/* The states of a key, in the order in which they were read. With `duplicates: newest` only the newest one takes part;
 * the first of two that are as old. */
static bool try_states(struct trying *trying, struct slice key, GError **error)
{
    bool newest = trying->plan->spec->source.duplicates == DUPLICATES_NEWEST;
    const struct record *best = NULL;
    for (guint i = 0; i < trying->states->len; i++) {
        const struct record *state = &g_array_index(trying->states, struct record, i);
        if (!slice_equal(state->key, key))
            continue;
        trying->ret->older_states |= newest && best;
        if (!newest && !try_record(trying, state, error))
            return false;
        if (!best || is_newer(trying, state, best))
            best = state;
    }
    if (!best)
        return lacks(trying, key, error);
    return !newest || try_record(trying, best, error);
}

/* Files have no keys of their own: all of it is read, once. */
static bool try_scanned_keys(struct trying *trying, GError **error)
{
    struct stretch whole = {.most = UINT64_MAX, .take = keep_state};
    uint64_t n;
    if (!walk(trying, &whole, &n, error))
        return false;
    for (size_t i = 0; i < trying->wish->n_keys; i++)
        if (!try_states(trying, trying->wish->keys[i], error))
            return false;
    return true;
}

static bool open_target(struct trying *trying, GError **error)
{
    const struct plan *plan = trying->plan;
    return !plan->target || plan->sink || store_session_open(&trying->target, plan->target, error);
}

static bool try_all(struct trying *trying, GError **error)
{
    if (!store_session_open(&trying->source, trying->plan->source, error) || !open_target(trying, error) ||
        !forward_open(trying->worker, error))
        return false;
    if (!trying->wish->keys)
        return trying->plan->retries ? try_asked(trying, error) : try_sample(trying, error);
    return store_can(store_driver(trying->plan->source), CAN_READ) ? try_read_keys(trying, error)
                                                                   : try_scanned_keys(trying, error);
}

bool try_records(const struct plan *plan, const struct world *world, const atomic_int *signals,
                 const struct try_wish *wish, struct try_result *ret, GError **error)
{
    struct trying trying = {.plan = plan, .world = world, .signals = signals, .wish = wish, .ret = ret};
    const struct run_row run = {.name = plan->spec->name};
    *ret = (struct try_result){0};
    job_init_forward(&trying.job, plan, &run);
    trying.worker = worker_new(&trying.job, 0);
    trying.mem = arena_new(MEMORY_BYTES);
    trying.found = arena_new(MEMORY_BYTES);
    trying.items = g_array_new(FALSE, TRUE, sizeof(struct try_item));
    trying.states = g_array_new(FALSE, TRUE, sizeof(struct record));
    bool ok = try_all(&trying, error);
    g_array_unref(trying.items);
    g_array_unref(trying.states);
    worker_free(trying.worker);
    g_clear_pointer(&trying.source, store_session_close);
    g_clear_pointer(&trying.target, store_session_close);
    arena_free(trying.mem);
    arena_free(trying.found);
    return ok;
}
