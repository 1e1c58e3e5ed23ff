/* What the target alone says: one scan of it, in stretches side by side, a sum for each partition, held against the sum
 * of its gate.
 *
 * Where partitions are stretches of a listing in the order of its keys, the scan and the listing are merged, and each
 * record falls to its partition. Where they are ranges of files, or the listing has ranks, a key of the target does not
 * tell whose it is: first one sum of everything is held against that of the whole run, which is all there is to do
 * where the dataset is nobody else's and nothing has changed. Otherwise a second scan sorts digests of keys and merges
 * them with the owners that the gates wrote down; keys that have no owner are not of this run.
 *
 * A store of which a scan gives a key more than once, or of which only a part is meant, is not scanned: its keys are
 * asked for along the listing, each of them once. */
#include <stdatomic.h>

#include "base/extsort.h"
#include "verify/progress.h"
#include "verify/verify_parts.h"

#define SORT_BYTES    (32u << 20)
#define BATCH_RECORDS 1000u
#define NOT_LISTED    SIZE_MAX

enum { STRETCHES_EACH = 8, STRETCHES_EACH_MOST = 32, STRETCHES_MEMORY = 64 << 20 };
#define STRETCH_RECORDS 8000u /* fewer are not worth a scan of their own */

enum sweep_way { SWEEP_LISTED, SWEEP_ASKED, SWEEP_WHOLE, SWEEP_OWNED };

/* The target is cut roughly into stretches; each thread scans one after the other. */
struct sweep {
    pthread_mutex_t lock;    /* guards what follows; taken before the verification's */
    struct extsort *sort;    /* OWNED: what the scans gave */
    struct set_digest *sums; /* by place in the input's parts; WHOLE: only the first */
    struct sketch *sketch;   /* of the same records; NULL: not wanted */
    bool *units;             /* which of them are done */
    uint64_t appeared;       /* in those */
    bool spoiled;            /* a difference was reported: what is kept would not hold it */
    bool keeping;            /* somebody writes the progress */
    int64_t keep_at_us;

    atomic_size_t next;        /* the stretch, ASKED: the part, that nobody has taken yet */
    atomic_uint_fast64_t seen; /* records */
    atomic_bool done;          /* not all was seen: one has failed, there are too many, or nobody knows whose */

    /* Fixed before the threads begin. */
    enum sweep_way way;
    struct kept_sketch kept; /* of the gates; its sketch NULL: there is none to be held against */
    bool looks_at_unlisted;
    uint32_t n_units;
    struct digest of; /* which verification this is */
    int64_t begun_ms;
    GArray *stretches; /* of struct part_bounds */
    struct arena *mem; /* their bounds' */
    uint64_t most;     /* WHOLE: more records than this are not those of the run */
    GArray *stretched; /* LISTED: of size_t, places in the input's parts, along the listing */
};

/* One thread's way through its stretches. */
struct sweeper {
    struct sweep *sweep;
    struct pass *pass;
    struct scan *scan;               /* of the stretch */
    struct listed keys;              /* LISTED: along the listing, from the stretch's first key on */
    struct set_digest *sums;         /* as the sweep's, */
    struct sketch *sketch;           /* and this too */
    struct sketch_entry entries[64]; /* what it has yet to be given, */
    size_t n_entries;                /* before the unit's end */
    GByteArray *owned;               /* OWNED: of the batch, what is yet to be sorted, OWNED_BYTES each */
    GArray *unlisted;                /* LISTED: of the batch, of struct slice, keys that are yet to be looked at */
    size_t along;                    /* LISTED: in `stretched`, where the last key was */
    size_t checkpoints_of;           /* the place of the partition whose checkpoints the pass holds */
    GError **error;                  /* of what is taken; */
    bool failed;                     /* it is set */
    bool ended;                      /* of the unit: all of it was seen */
};

/* --- whose a key is
 * --------------------------------------------------------------------------------------------------- */

/* Where the key lies to the stretch: before it (-1), in it, behind it (1). */
static int lies(const struct listing_stretch *keys, uint32_t of, uint64_t index)
{
    if (of < keys->partition || (of == keys->partition && index < keys->first))
        return -1;
    return of > keys->partition || index - keys->first >= keys->keys;
}

/* Whose the key at that place of the listing is; NOT_LISTED: it has no sum, or is none of the input's. Nearly always
 * the one before it is of the same stretch. */
static size_t place_in(struct sweeper *sweeper, uint32_t of, uint64_t index)
{
    const struct sweep *sweep = sweeper->sweep;
    const struct verify_input *input = sweeper->pass->input;
    size_t low = 0, high = sweep->stretched->len, middle = sweeper->along;
    while (low < high) {
        size_t at = g_array_index(sweep->stretched, size_t, middle);
        int order = lies(&input->parts[at].keys, of, index);
        if (order == 0) {
            sweeper->along = middle;
            return input->parts[at].sum ? at : NOT_LISTED;
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
        middle = low + (high - low) / 2;
    }
    return NOT_LISTED;
}

/* --- a record
 * --------------------------------------------------------------------------------------------------------- */

/* What a sketch takes at once. */
static void give_entries(struct sweeper *sweeper)
{
    if (sweeper->sketch)
        sketch_add_all(sweeper->sketch, sweeper->entries, sweeper->n_entries);
    sweeper->n_entries = 0;
}

static void add(struct sweeper *sweeper, const struct record *record, struct set_digest *into)
{
    if (record->presence != RECORD_PRESENT)
        return;
    sums_add(sweeper->pass->input, record, into, &sweeper->entries[sweeper->n_entries++]);
    if (sweeper->n_entries == G_N_ELEMENTS(sweeper->entries))
        give_entries(sweeper);
}

static bool add_unlisted(struct sweeper *sweeper, struct slice key)
{
    struct slice copy;
    if (!sweeper->sweep->looks_at_unlisted)
        return true;
    if (!arena_copy(sweeper->pass->mem, key, &copy))
        return error_set(sweeper->error, SLUICE_ERROR_TOO_BIG, "a batch does not fit into its memory");
    g_array_append_val(sweeper->unlisted, copy);
    return true;
}

static bool add_judged(struct sweeper *sweeper, const struct record *record, size_t at, uint64_t index)
{
    struct pass *pass = sweeper->pass;
    const struct verify_part *part = &pass->input->parts[at];
    if (sweeper->checkpoints_of != at && !pass_begin(pass, part, sweeper->error))
        return false;
    sweeper->checkpoints_of = at;
    if (outcome_was_compared(pass_outcome(pass, index - part->keys.first)))
        add(sweeper, record, &sweeper->sums[at]);
    return true;
}

static bool add_listed(struct sweeper *sweeper, const struct record *record)
{
    struct listed *keys = &sweeper->keys;
    bool listed;
    uint64_t index;
    if (!keys->mem && !listed_begin_at(keys, sweeper->pass->listing, record->key, sweeper->error))
        return false;
    if (!listed_find(keys, record->key, &listed, &index, sweeper->error))
        return false;
    if (!listed)
        return add_unlisted(sweeper, record->key);
    size_t at = place_in(sweeper, keys->part, index);
    return at == NOT_LISTED || add_judged(sweeper, record, at, index);
}

static bool take_listed(void *self, const struct record *record)
{
    struct sweeper *sweeper = self;
    sweeper->failed = !add_listed(sweeper, record);
    return !sweeper->failed;
}

static bool take_whole(void *self, const struct record *record)
{
    struct sweeper *sweeper = self;
    add(sweeper, record, sweeper->sums);
    return true;
}

static bool take_owned(void *self, const struct record *record)
{
    struct sweeper *sweeper = self;
    const struct verify_input *input = sweeper->pass->input;
    uint8_t item[OWNED_BYTES];
    if (record->presence != RECORD_PRESENT)
        return true;
    digest_put(digest_bytes(record->key, input->seed), item);
    digest_put(sums_entry(input, record), item + 16);
    g_byte_array_append(sweeper->owned, item, sizeof item);
    return true;
}

/* --- a batch of the scan
 * ---------------------------------------------------------------------------------------------- */

static bool sort_owned(struct sweeper *sweeper, GError **error)
{
    struct sweep *sweep = sweeper->sweep;
    const GByteArray *owned = sweeper->owned;
    auto_hold(&sweep->lock);
    for (guint i = 0; i < owned->len; i += OWNED_BYTES)
        if (!extsort_add(sweep->sort, owned->data + i, error))
            return false;
    return true;
}

static bool look_at_unlisted(const struct sweeper *sweeper, GError **error)
{
    bool ok = true;
    for (guint i = 0; ok && i < sweeper->unlisted->len; i++)
        ok = pass_unlisted(sweeper->pass, g_array_index(sweeper->unlisted, struct slice, i), error);
    return ok;
}

static void count(struct sweep *sweep, size_t n)
{
    uint64_t seen = atomic_fetch_add(&sweep->seen, n) + n;
    if (sweep->way == SWEEP_WHOLE && seen > sweep->most)
        atomic_store(&sweep->done, true);
}

static bool sweep_batch(struct sweeper *sweeper, struct batch *ret, GError **error)
{
    static bool (*const TAKES[])(void *, const struct record *) = {
        [SWEEP_LISTED] = take_listed, [SWEEP_WHOLE] = take_whole, [SWEEP_OWNED] = take_owned};
    struct sweep *sweep = sweeper->sweep;
    struct pass *pass = sweeper->pass;
    struct call call = pass_call(pass, &pass->input->target_ds);
    const struct scan_taker taker = {.take = TAKES[sweep->way], .self = sweeper};
    arena_reset(pass->mem);
    g_array_set_size(sweeper->unlisted, 0);
    g_byte_array_set_size(sweeper->owned, 0);
    sweeper->error = error;
    if (!store_scan_each(sweeper->scan, &call, &taker, ret, error) || sweeper->failed)
        return false;
    count(sweep, ret->n);
    return look_at_unlisted(sweeper, error) && (sweep->way != SWEEP_OWNED || sort_owned(sweeper, error));
}

static bool sweep_stretch(struct sweeper *sweeper, struct slice bounds, GError **error)
{
    struct pass *pass = sweeper->pass;
    struct scan_spec spec = {.ds = &pass->input->target_ds,
                             .bounds = bounds,
                             .max_records = BATCH_RECORDS,
                             .max_bytes = 1 << 20,
                             .bytes_only = true};
    struct batch batch = {0};
    bool ok = store_scan_open(&sweeper->scan, pass->target, &spec, error);
    while (ok && !batch.done && !atomic_load(&sweeper->sweep->done)) {
        ok = sweep_batch(sweeper, &batch, error);
        if (ok)
            pass_show(pass, batch.n);
    }
    sweeper->ended = batch.done;
    g_clear_pointer(&sweeper->scan, store_scan_close);
    listed_done(&sweeper->keys);
    return ok;
}

/* --- asked for
 * ---------------------------------------------------------------------------------------------------------- */

struct asking {
    struct sweeper *sweeper;
    struct set_digest *into;
};

static bool add_answers(void *self, struct record *records, size_t n, GError **error)
{
    const struct asking *asking = self;
    for (size_t i = 0; i < n; i++)
        add(asking->sweeper, &records[i], asking->into);
    return true;
}

/* Keys of the listing, and what the target holds of those that the gate compared. */
static bool ask_batch(struct sweeper *sweeper, size_t at, uint64_t *io_index, GError **error)
{
    struct pass *pass = sweeper->pass;
    struct call call = pass_call(pass, &pass->input->target_ds);
    struct slice *keys;
    size_t n, asked = 0;
    call.no_expiry = !sums_know_expiry(pass->input);
    arena_reset(pass->mem);
    if (!listing_reader_next(pass->listing, BATCH_RECORDS, pass->mem, &keys, &n, error))
        return false;
    struct record *records = arena_alloc0(pass->mem, (n + 1) * sizeof *records);
    if (!records)
        return error_set(error, SLUICE_ERROR_TOO_BIG, "a batch does not fit into its memory");
    for (size_t i = 0; i < n; i++)
        if (outcome_was_compared(pass_outcome(pass, *io_index + i)))
            records[asked++].key = keys[i];
    struct asking asking = {sweeper, &sweeper->sums[at]};
    const struct read_portions by = {.portions = &pass->portions, .take = add_answers, .self = &asking};
    if (!store_read_portions(pass->target, &call, records, asked, &by, error))
        return false;
    *io_index = n ? *io_index + n : UINT64_MAX;
    pass_show(pass, n);
    return true;
}

static bool ask_part(struct sweeper *sweeper, size_t at, GError **error)
{
    struct pass *pass = sweeper->pass;
    const struct verify_part *part = &pass->input->parts[at];
    uint64_t index = 0;
    bool ok = pass_begin(pass, part, error) && listing_reader_seek_in(pass->listing, &part->keys, 0, error);
    while (ok && index != UINT64_MAX && !atomic_load(&sweeper->sweep->done))
        ok = ask_batch(sweeper, at, &index, error);
    sweeper->ended = index == UINT64_MAX;
    return ok;
}

/* --- units
 * ------------------------------------------------------------------------------------------------------------- */

static struct progress progress_of(struct sweep *sweep, struct slice *bounds, size_t n_parts)
{
    for (uint32_t i = 0; i < sweep->n_units && sweep->way != SWEEP_ASKED; i++)
        bounds[i] = g_array_index(sweep->stretches, struct part_bounds, i).bounds;
    return (struct progress){.of = sweep->of,
                             .begun_ms = sweep->begun_ms,
                             .seen = atomic_load(&sweep->seen),
                             .appeared = sweep->appeared,
                             .bounds = bounds,
                             .done = sweep->units,
                             .n_units = sweep->n_units,
                             .sums = sweep->sums,
                             .n_sums = (uint32_t)n_parts,
                             .sketch = sweep->sketch};
}

#define KEEP_EVERY_US INT64_C(1000000)
#define KEEP_SHARE    20 /* of the time at most a twentieth goes into it */

/* Under the lock. true: `into` is to be kept, by this thread. */
static bool is_due(struct sweep *sweep, const struct verify_input *input, GByteArray *into)
{
    if (sweep->way == SWEEP_OWNED || sweep->spoiled || sweep->keeping ||
        world_monotonic_us(input->world) < sweep->keep_at_us)
        return false;
    g_autofree struct slice *bounds = g_new0(struct slice, sweep->n_units);
    struct progress progress = progress_of(sweep, bounds, input->n_parts);
    progress_put(&progress, world_wall_ms(input->world), into);
    sweep->keeping = true;
    return true;
}

static bool keep(struct sweep *sweep, const struct verify_input *input, const GByteArray *bytes, GError **error)
{
    int64_t began_us = world_monotonic_us(input->world);
    bool ok = progress_keep_durable(input->world, input->progress_path, input->run_uid,
                                    slice_of(bytes->data, bytes->len), error);
    int64_t took_us = world_monotonic_us(input->world) - began_us;
    auto_hold(&sweep->lock);
    sweep->keeping = false;
    sweep->keep_at_us = began_us + MAX(KEEP_EVERY_US, KEEP_SHARE * took_us);
    return ok;
}

/* What this thread has found in it goes to what all have; every second that is written down. */
static bool end_unit(struct sweeper *sweeper, size_t unit, uint64_t appeared, GError **error)
{
    struct sweep *sweep = sweeper->sweep;
    const struct pass *pass = sweeper->pass;
    const struct verify_input *input = pass->input;
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    give_entries(sweeper);
    {
        auto_hold(&sweep->lock);
        for (size_t i = 0; i < input->n_parts; i++)
            set_digest_merge(&sweep->sums[i], &sweeper->sums[i]);
        if (sweeper->sketch)
            sketch_merge(sweep->sketch, sweeper->sketch);
        sweep->units[unit] = true;
        sweep->appeared += pass->found.of[VERIFY_APPEARED] - appeared;
        sweep->spoiled |= pass->found.of[VERIFY_UNVISITED] > 0;
        if (!is_due(sweep, input, bytes))
            g_byte_array_set_size(bytes, 0);
    }
    memset(sweeper->sums, 0, input->n_parts * sizeof *sweeper->sums);
    if (sweeper->sketch)
        memset(sweeper->sketch->cells, 0, sweeper->sketch->n * sizeof *sweeper->sketch->cells);
    return bytes->len == 0 || keep(sweep, input, bytes, error);
}

static bool one_unit(struct sweeper *sweeper, size_t unit, GError **error)
{
    struct sweep *sweep = sweeper->sweep;
    if (sweep->way == SWEEP_ASKED)
        return !sweeper->pass->input->parts[unit].sum || ask_part(sweeper, unit, error);
    return sweep_stretch(sweeper, g_array_index(sweep->stretches, struct part_bounds, unit).bounds, error);
}

static bool next_unit(struct sweep *sweep, size_t *ret)
{
    while (!atomic_load(&sweep->done)) {
        *ret = atomic_fetch_add(&sweep->next, 1);
        if (*ret >= sweep->n_units)
            return false;
        if (!sweep->units[*ret]) /* not by one that died */
            return true;
    }
    return false;
}

static bool all_units(struct sweeper *sweeper, GError **error)
{
    const struct found *found = &sweeper->pass->found;
    size_t unit;
    bool ok = true;
    while (ok && next_unit(sweeper->sweep, &unit)) {
        uint64_t appeared = found->of[VERIFY_APPEARED];
        sweeper->ended = false;
        ok = one_unit(sweeper, unit, error) && (!sweeper->ended || end_unit(sweeper, unit, appeared, error));
    }
    return ok;
}

bool sweep_pass(struct pass *pass, GError **error)
{
    struct sweep *sweep = pass->verification->sweep;
    size_t n = pass->input->n_parts;
    g_autofree struct set_digest *sums = g_new0(struct set_digest, n);
    auto_(sketch) sketch = sweep->sketch ? sketch_like(sweep->sketch) : NULL;
    g_autoptr(GArray) unlisted = g_array_new(FALSE, FALSE, sizeof(struct slice));
    g_autoptr(GByteArray) owned = g_byte_array_new();
    struct sweeper sweeper = {.sweep = sweep,
                              .pass = pass,
                              .sums = sums,
                              .sketch = sketch,
                              .owned = owned,
                              .unlisted = unlisted,
                              .checkpoints_of = NOT_LISTED};
    bool ok = !sweep->looks_at_unlisted || pass_fresh_transform(pass, error);
    ok = ok && all_units(&sweeper, error);
    if (!ok)
        atomic_store(&sweep->done, true); /* for the others */
    return ok;
}

/* --- all of it
 * -------------------------------------------------------------------------------------------------------- */

bool verify_in_key_order(const struct verify_input *input)
{
    return input->listed && !store_ranks(store_driver(input->source));
}

bool verify_scans_once(const struct verify_input *input)
{
    const struct store_driver *driver = store_driver(input->target);
    return driver->list && driver->list->sorted;
}

static size_t count_sums(const struct verify_input *input)
{
    size_t n = 0;
    for (size_t i = 0; i < input->n_parts; i++)
        n += input->parts[i].sum != NULL;
    return n;
}

static bool can_sweep(const struct verify_input *input, enum sweep_way way)
{
    size_t n = count_sums(input);
    bool narrowed = input->source_ds.only != NULL; /* all of the target for a part of it: its keys are fewer */
    bool scanned = verify_scans_once(input) && !narrowed;
    if (n == 0 || verify_appends(input) || scanned == (way == SWEEP_ASKED))
        return false;
    switch (way) {
    case SWEEP_LISTED:
        return verify_in_key_order(input);
    case SWEEP_ASKED:
        return input->listed;
    case SWEEP_WHOLE:
        return !verify_in_key_order(input) && input->all_parts && n == input->n_parts;
    case SWEEP_OWNED:
        break;
    }
    return !verify_in_key_order(input) && input->n_owners > 0;
}

static int along(const void *a, const void *b, void *self)
{
    const struct verify_input *input = self;
    return listing_stretch_compare(&input->parts[*(const size_t *)a].keys, &input->parts[*(const size_t *)b].keys);
}

static void stretches_of(struct sweep *sweep, const struct verify_input *input)
{
    sweep->stretched = g_array_new(FALSE, FALSE, sizeof(size_t));
    for (size_t i = 0; i < input->n_parts; i++)
        g_array_append_val(sweep->stretched, i);
    g_array_sort_with_data(sweep->stretched, along, (void *)(uintptr_t)input);
}

static bool open_way(struct sweep *sweep, const struct verify_input *input, GError **error)
{
    struct extsort_shape shape = {.item_len = OWNED_BYTES, .key_len = 16, .memory_bytes = SORT_BYTES};
    g_autofree char *folder = g_path_get_dirname(input->report_path);
    return sweep->way != SWEEP_OWNED || (file_make_dirs(input->world, folder, error) &&
                                         extsort_new(&sweep->sort, input->world, folder, &shape, error));
}

#define UNIT_RECORDS 500000u /* a second, about: what a verification that dies has to do again */
#define UNITS_MOST   4096u

/* Several for each thread, so that none of them waits long for one that has got a large one: the more, the less of the
 * end is one thread's. */
static uint32_t wanted_stretches(uint64_t records, uint32_t workers)
{
    uint64_t most = MIN(records / UNIT_RECORDS, UNITS_MOST), each = records / STRETCH_RECORDS / workers;
    return (uint32_t)MAX(most, CLAMP(each, STRETCHES_EACH, STRETCHES_EACH_MOST) * workers);
}

static bool cut(struct sweep *sweep, const struct verify_input *input, GError **error)
{
    auto_(session) session = NULL;
    struct call call = {.ds = &input->target_ds, .mem = sweep->mem, .cancel = input->cancel};
    struct split_wish wish = {.count = wanted_stretches(sweep->most, MAX(input->workers, 1u)), .rough = true};
    struct part_list list = {.parts = sweep->stretches, .mem = sweep->mem};
    struct part_bounds all = {.records = 0};
    if (sweep->way == SWEEP_ASKED)
        return true;
    if (store_driver(input->target)->split)
        return store_session_open(&session, input->target, error) && store_split(session, &call, &wish, &list, error);
    g_array_append_val(sweep->stretches, all);
    return true;
}

/* Which verification this is: of these sums, this way. */
static struct digest digest_of(const struct sweep *sweep, const struct verify_input *input)
{
    struct digest of =
        digest_keyed(slice_of(input->run_uid, 16), (struct digest){sweep->way, input->n_parts}, input->seed);
    for (size_t i = 0; i < input->n_parts; i++) {
        const struct verify_part *part = &input->parts[i];
        uint64_t words[] = {part->part, part->keys.partition, part->keys.first, part->keys.keys,
                            part->sum ? part->sum->stored.count : UINT64_MAX};
        struct digest stored = part->sum ? part->sum->stored.sum : (struct digest){0};
        of = digest_keyed_by(of, digest_keyed(slice_of(words, sizeof words), stored, 0), 0);
    }
    return of;
}

/* What a verification that died has found. */
static bool take_up(struct sweep *sweep, const struct verify_input *input, bool *ret_taken, GError **error)
{
    struct progress progress = {.of = sweep->of, .n_sums = (uint32_t)input->n_parts, .sketch = sweep->sketch};
    *ret_taken = false;
    if (sweep->way == SWEEP_OWNED)
        return true;
    if (!progress_read(input->world, input->progress_path, sweep->mem, &progress, ret_taken, error))
        return false;
    if (!*ret_taken)
        return true;
    for (uint32_t i = 0; i < progress.n_units && sweep->way != SWEEP_ASKED; i++) {
        struct part_bounds stretch = {.bounds = progress.bounds[i]};
        g_array_append_val(sweep->stretches, stretch);
    }
    memcpy(sweep->sums, progress.sums, input->n_parts * sizeof *sweep->sums);
    sketch_free(sweep->sketch);
    sweep->sketch = progress.sketch;
    sweep->units = g_memdup2(progress.done, progress.n_units + 1);
    sweep->n_units = progress.n_units;
    sweep->begun_ms = progress.begun_ms;
    sweep->appeared = progress.appeared;
    atomic_store(&sweep->seen, progress.seen);
    return true;
}

static bool open_units(struct sweep *sweep, const struct verify_input *input, GError **error)
{
    bool taken;
    sweep->of = digest_of(sweep, input);
    sweep->keep_at_us = world_monotonic_us(input->world) + KEEP_EVERY_US;
    if (!take_up(sweep, input, &taken, error) || (!taken && !cut(sweep, input, error)))
        return false;
    sweep->most += sweep->kept.sketch ? sweep->kept.sketch->n : 0; /* so many more it could still name */
    if (taken)
        return true;
    sweep->n_units = sweep->way == SWEEP_ASKED ? (uint32_t)input->n_parts : sweep->stretches->len;
    sweep->units = g_new0(bool, sweep->n_units + 1);
    sweep->begun_ms = world_wall_ms(input->world);
    return true;
}

static bool sweep_open(struct sweep *sweep, const struct verify_input *input, GError **error)
{
    sweep->stretches = g_array_new(FALSE, FALSE, sizeof(struct part_bounds));
    sweep->mem = arena_new(STRETCHES_MEMORY);
    pthread_mutex_init(&sweep->lock, NULL);
    sweep->sums = g_new0(struct set_digest, input->n_parts);
    sweep->looks_at_unlisted = sweep->way == SWEEP_LISTED && input->same_dataset && input->whole;
    for (size_t i = 0; i < input->n_parts; i++)
        sweep->most += input->parts[i].sum ? input->parts[i].sum->stored.count : 0;
    stretches_of(sweep, input);
    if (sweep->way != SWEEP_OWNED && !sketch_read_kept(input, &sweep->kept, error))
        return false;
    if (sweep->kept.sketch)
        sweep->sketch = sketch_like(sweep->kept.sketch);
    return open_units(sweep, input, error) && open_way(sweep, input, error);
}

static void sweep_done(struct sweep *sweep)
{
    g_clear_pointer(&sweep->sort, extsort_free);
    sketch_free(sweep->sketch);
    sketch_free(sweep->kept.sketch);
    g_array_unref(sweep->stretches);
    arena_free(sweep->mem);
    g_array_unref(sweep->stretched);
    g_free(sweep->sums);
    g_free(sweep->units);
    pthread_mutex_destroy(&sweep->lock);
}

static bool settle(struct verification *verification, size_t at, GError **error)
{
    struct found found;
    if (!found_of_sum(&found, verification->input->parts[at].sum, error))
        return false;
    found_merge(&verification->found, &found);
    verification->settled[at] = true;
    verification->result->by_sums++;
    return true;
}

/* All or none. */
static bool whole_equal(const struct sweep *sweep, const struct verify_input *input)
{
    struct set_digest was = {0};
    for (size_t i = 0; i < input->n_parts; i++)
        set_digest_merge(&was, &input->parts[i].sum->stored);
    return set_digest_equal(&was, &sweep->sums[0]);
}

static bool settle_equal(struct verification *verification, const struct sweep *sweep, GError **error)
{
    const struct verify_input *input = verification->input;
    bool by_part = sweep->way != SWEEP_WHOLE, all = !by_part && whole_equal(sweep, input);
    for (size_t i = 0; i < input->n_parts; i++) {
        const struct part_sum *sum = input->parts[i].sum;
        if (sum && (all || (by_part && set_digest_equal(&sum->stored, &sweep->sums[i]))) &&
            !settle(verification, i, error))
            return false;
    }
    return true;
}

static bool differs_nowhere(const struct differing *differing)
{
    return !differing->places && !differing->whole;
}

/* Where not all sums are equal: what the sketches tell of the rest. Of one sum of everything they tell the partitions,
 * too. */
static bool settle_by_keys(struct verification *verification, struct sweep *sweep, GError **error)
{
    const struct verify_input *input = verification->input;
    if (!sweep->kept.sketch || verification->result->by_sums == input->n_parts)
        return true;
    verification->differing = g_new0(struct differing, input->n_parts);
    sketch_subtract(sweep->kept.sketch, sweep->sketch);
    if (!resolve_keys(verification, &sweep->kept, &verification->resolved, error))
        return false;
    if (verification->resolved) /* what is read from here on, is looked at for the second time */
        world_sleep_us(input->world, input->again_after_ms * 1000, input->cancel);
    for (size_t i = 0; i < input->n_parts && verification->resolved && sweep->way == SWEEP_WHOLE; i++)
        if (differs_nowhere(&verification->differing[i]) && !settle(verification, i, error))
            return false;
    return true;
}

/* Where owners cannot be had nobody knows whose anything is: everything is compared in full. */
static bool add_owned(struct sweep *sweep, const struct verify_input *input, GError **error)
{
    bool said;
    if (!owned_merge(input, sweep->sort, sweep->sums, &said, error))
        return false;
    atomic_store(&sweep->done, !said);
    return true;
}

/* Of a sweep that was taken up. */
static void take_since(struct verification *verification, const struct sweep *sweep)
{
    bool any = false;
    for (uint32_t i = 0; i < sweep->n_units; i++)
        any |= sweep->units[i];
    verification->found.of[VERIFY_APPEARED] += sweep->appeared;
    if (any)
        verification->result->since_ms = sweep->begun_ms;
}

static bool sweep_by(struct verification *verification, enum sweep_way way, GError **error)
{
    struct sweep sweep = {.way = way};
    if (verification->result->by_sums > 0 || verification->resolved || !can_sweep(verification->input, way))
        return true;
    verification->sweep = &sweep;
    bool ok = sweep_open(&sweep, verification->input, error);
    take_since(verification, &sweep);
    ok = ok && verification_threads(verification, sweep_pass, error) &&
         (way != SWEEP_OWNED || add_owned(&sweep, verification->input, error)) &&
         (atomic_load(&sweep.done) ||
          (settle_equal(verification, &sweep, error) && settle_by_keys(verification, &sweep, error)));
    verification->unlisted_looked_at |= sweep.looks_at_unlisted;
    verification->sweep = NULL;
    sweep_done(&sweep);
    return ok;
}

bool sweep_run(struct verification *verification, GError **error)
{
    return sweep_by(verification, SWEEP_LISTED, error) && sweep_by(verification, SWEEP_ASKED, error) &&
           sweep_by(verification, SWEEP_WHOLE, error) && sweep_by(verification, SWEEP_OWNED, error);
}
