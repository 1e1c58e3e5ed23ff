/* What the target alone says: one scan of it, in stretches side by side, a sum for each partition, held against the sum
 * of its gate.
 *
 * Where partitions are stretches of a listing in the order of its keys, the scan and the listing are merged, and each
 * record falls to its partition. Where they are ranges of files, or the listing has ranks, a key of the target does not
 * tell whose it is: first one sum of everything is held against that of the whole run, which is all there is to do
 * where the dataset is nobody else's and nothing has changed. Otherwise a second scan sorts digests of keys and merges
 * them with the owners that the gates wrote down; keys that have no owner are not of this run. */
#include <stdatomic.h>

#include "base/extsort.h"
#include "verify/verify_parts.h"

#define SORT_BYTES    (32u << 20)
#define SORTED_BYTES  32u /* digest of the key, what it adds to a sum; as digest_put() */
#define BATCH_RECORDS 1000u
#define NOT_LISTED    SIZE_MAX

enum { STRETCHES_EACH = 8, STRETCHES_MEMORY = 64 << 20 };

enum sweep_way { SWEEP_LISTED, SWEEP_WHOLE, SWEEP_OWNED };

/* The target is cut roughly into stretches; each thread scans one after the other. */
struct sweep {
    pthread_mutex_t lock;    /* guards what follows; taken before the verification's */
    struct extsort *sort;    /* OWNED: what the scans gave */
    struct set_digest *sums; /* by place in the input's parts; WHOLE: only the first */

    atomic_size_t next;        /* the stretch that nobody has taken yet */
    atomic_uint_fast64_t seen; /* records */
    atomic_bool done;          /* one has failed, or there are too many */

    /* Fixed before the threads begin. */
    enum sweep_way way;
    bool looks_at_unlisted;
    GArray *stretches; /* of struct part_bounds */
    struct arena *mem; /* their bounds' */
    uint64_t most;     /* WHOLE: more records than this are not those of the run */
    size_t *place_of;  /* a partition's place in the input's parts; NOT_LISTED: it has no sum */
    uint32_t n_places;
    GArray *stretched; /* LISTED: of size_t, places in the input's parts, along the listing */
};

/* One thread's way through its stretches. */
struct sweeper {
    struct sweep *sweep;
    struct scan *scan;       /* of the stretch */
    struct listed keys;      /* LISTED: along the listing, from the stretch's first key on */
    struct set_digest *sums; /* as the sweep's */
    size_t checkpoints_of;   /* the place of the partition whose checkpoints the pass holds */
};

struct place {
    size_t at; /* in the input's parts; NOT_LISTED: the listing does not hold the key */
    bool judged;
    uint64_t index;
};

struct swept {
    struct batch batch;
    struct place *places; /* listed; one a record */
};

/* --- a batch of the scan
 * ---------------------------------------------------------------------------------------------- */

static size_t place_of(const struct sweep *sweep, uint32_t part)
{
    return part < sweep->n_places ? sweep->place_of[part] : NOT_LISTED;
}

/* Whose the key at that place of the listing is; NOT_LISTED: it has no sum, or is none of the input's. */
static size_t place_in(const struct sweep *sweep, const struct verify_input *input, uint32_t of, uint64_t index)
{
    size_t low = 0, high = sweep->stretched->len;
    while (low < high) {
        size_t middle = low + (high - low) / 2, at = g_array_index(sweep->stretched, size_t, middle);
        const struct listing_stretch *keys = &input->parts[at].keys;
        if (of < keys->partition || (of == keys->partition && index < keys->first))
            high = middle;
        else if (of > keys->partition || index - keys->first >= keys->keys)
            low = middle + 1;
        else
            return place_of(sweep, input->parts[at].part);
    }
    return NOT_LISTED;
}

static bool place_all(struct sweeper *sweeper, struct pass *pass, struct swept *swept, GError **error)
{
    const struct record *records = swept->batch.records;
    swept->places = arena_alloc(pass->mem, (swept->batch.n + 1) * sizeof *swept->places);
    if (!swept->places)
        return error_set(error, SLUICE_ERROR_TOO_BIG, "a batch does not fit into its memory");
    if (swept->batch.n > 0 && !sweeper->keys.mem &&
        !listed_begin_at(&sweeper->keys, pass->listing, records[0].key, error))
        return false;
    for (size_t i = 0; i < swept->batch.n; i++) {
        struct place *place = &swept->places[i];
        bool listed;
        if (!listed_find(&sweeper->keys, records[i].key, &listed, &place->index, error))
            return false;
        size_t at = listed ? place_in(sweeper->sweep, pass->input, sweeper->keys.part, place->index) : NOT_LISTED;
        place->judged = at != NOT_LISTED;
        place->index -= place->judged ? pass->input->parts[at].keys.first : 0;
        place->at = listed && !place->judged ? 0 : at;
    }
    return true;
}

static bool read_next(struct sweeper *sweeper, struct pass *pass, struct swept *ret, GError **error)
{
    struct sweep *sweep = sweeper->sweep;
    struct call call = pass_call(pass, &pass->input->target_ds);
    *ret = (struct swept){0};
    arena_reset(pass->mem);
    if (!store_scan_next(sweeper->scan, &call, &ret->batch, error))
        return false;
    uint64_t seen = atomic_fetch_add(&sweep->seen, ret->batch.n) + ret->batch.n;
    if (sweep->way == SWEEP_WHOLE && seen > sweep->most)
        atomic_store(&sweep->done, true);
    return sweep->way != SWEEP_LISTED || place_all(sweeper, pass, ret, error);
}

/* --- a record
 * --------------------------------------------------------------------------------------------------------- */

static void add(const struct pass *pass, const struct record *record, struct set_digest *into)
{
    if (record->presence == RECORD_PRESENT)
        set_digest_add(into, sums_entry(pass->input, record));
}

static bool sort_all(struct pass *pass, const struct swept *swept, GError **error)
{
    struct sweep *sweep = pass->verification->sweep;
    g_autofree uint8_t *items = g_malloc(swept->batch.n * SORTED_BYTES);
    size_t n = 0;
    for (size_t i = 0; i < swept->batch.n; i++) {
        const struct record *record = &swept->batch.records[i];
        if (record->presence != RECORD_PRESENT)
            continue;
        digest_put(digest_bytes(record->key, pass->input->seed), items + n * SORTED_BYTES);
        digest_put(sums_entry(pass->input, record), items + n++ * SORTED_BYTES + 16);
    }
    auto_hold(&sweep->lock);
    for (size_t i = 0; i < n; i++)
        if (!extsort_add(sweep->sort, items + i * SORTED_BYTES, error))
            return false;
    return true;
}

/* Keys that the gate compared, by what the run recorded of them. */
static bool was_compared(enum outcome outcome)
{
    return outcome == OUTCOME_WRITTEN || outcome == OUTCOME_UNCHANGED || outcome == OUTCOME_DELETED;
}

static bool add_listed(struct pass *pass, struct sweeper *sweeper, const struct record *record,
                       const struct place *place, GError **error)
{
    if (place->at == NOT_LISTED)
        return !sweeper->sweep->looks_at_unlisted || pass_unlisted(pass, record->key, error);
    if (!place->judged)
        return true;
    if (sweeper->checkpoints_of != place->at && !pass_begin(pass, &pass->input->parts[place->at], error))
        return false;
    sweeper->checkpoints_of = place->at;
    if (was_compared(pass_outcome(pass, place->index)))
        add(pass, record, &sweeper->sums[place->at]);
    return true;
}

static bool add_all(struct pass *pass, struct sweeper *sweeper, const struct swept *swept, GError **error)
{
    enum sweep_way way = sweeper->sweep->way;
    bool ok = true;
    if (way == SWEEP_OWNED)
        return sort_all(pass, swept, error);
    for (size_t i = 0; ok && way == SWEEP_LISTED && i < swept->batch.n; i++)
        ok = add_listed(pass, sweeper, &swept->batch.records[i], &swept->places[i], error);
    for (size_t i = 0; way == SWEEP_WHOLE && i < swept->batch.n; i++)
        add(pass, &swept->batch.records[i], sweeper->sums);
    return ok;
}

static bool sweep_stretch(struct pass *pass, struct sweeper *sweeper, struct slice bounds, GError **error)
{
    struct scan_spec spec = {.ds = &pass->input->target_ds,
                             .bounds = bounds,
                             .max_records = BATCH_RECORDS,
                             .max_bytes = 1 << 20,
                             .bytes_only = true};
    struct swept swept = {0};
    bool ok = store_scan_open(&sweeper->scan, pass->target, &spec, error);
    while (ok && !swept.batch.done && !atomic_load(&sweeper->sweep->done)) {
        ok = read_next(sweeper, pass, &swept, error) && add_all(pass, sweeper, &swept, error);
        if (ok)
            pass_show(pass, swept.batch.n);
    }
    g_clear_pointer(&sweeper->scan, store_scan_close);
    listed_done(&sweeper->keys);
    return ok;
}

bool sweep_pass(struct pass *pass, GError **error)
{
    struct sweep *sweep = pass->verification->sweep;
    size_t n = pass->input->n_parts, next;
    g_autofree struct set_digest *sums = g_new0(struct set_digest, n);
    struct sweeper sweeper = {.sweep = sweep, .sums = sums, .checkpoints_of = NOT_LISTED};
    bool ok = !sweep->looks_at_unlisted || pass_fresh_transform(pass, error);
    while (ok && !atomic_load(&sweep->done) && (next = atomic_fetch_add(&sweep->next, 1)) < sweep->stretches->len)
        ok = sweep_stretch(pass, &sweeper, g_array_index(sweep->stretches, struct part_bounds, next).bounds, error);
    if (!ok)
        atomic_store(&sweep->done, true); /* for the others */
    auto_hold(&sweep->lock);
    for (size_t i = 0; i < n; i++)
        set_digest_merge(&sweep->sums[i], &sums[i]);
    return ok;
}

/* --- owners
 * ------------------------------------------------------------------------------------------------------------- */

/* The files of the gates, each at its next key. */
struct owners {
    struct owners_reader **readers;
    struct owner *next;
    bool *more;
    size_t n;
};

static bool owners_open(struct owners *owners, const struct verify_input *input, GError **error)
{
    owners->readers = g_new0(struct owners_reader *, input->n_owners);
    owners->next = g_new0(struct owner, input->n_owners);
    owners->more = g_new0(bool, input->n_owners);
    for (; owners->n < input->n_owners; owners->n++)
        if (!owners_reader_open(&owners->readers[owners->n], input->world, input->owners[owners->n], error) ||
            !owners_reader_next(owners->readers[owners->n], &owners->next[owners->n], &owners->more[owners->n], error))
            return false;
    return true;
}

static void owners_done(struct owners *owners, size_t n)
{
    for (size_t i = 0; i < n; i++)
        owners_reader_free(owners->readers[i]);
    g_free(owners->readers);
    g_free(owners->next);
    g_free(owners->more);
}

/* Asked for in ascending order. *ret_part is left alone where nobody owns the key. */
static bool owners_find(struct owners *owners, const uint8_t *key, uint32_t *ret_part, bool *ret_found, GError **error)
{
    *ret_found = false;
    for (size_t i = 0; i < owners->n; i++) {
        int order = 1;
        while (owners->more[i] && (order = memcmp(owners->next[i].key, key, 16)) < 0)
            if (!owners_reader_next(owners->readers[i], &owners->next[i], &owners->more[i], error))
                return false;
        if (!owners->more[i] || order != 0)
            continue;
        *ret_part = owners->next[i].part;
        *ret_found = true;
    }
    return true;
}

static bool merge_owners(struct sweep *sweep, struct owners *owners, GError **error)
{
    const uint8_t *item;
    bool ok = extsort_finish(sweep->sort, error), found;
    while (ok && (ok = extsort_next(sweep->sort, &item, error)) && item) {
        uint32_t part = 0;
        ok = owners_find(owners, item, &part, &found, error);
        size_t at = ok && found ? place_of(sweep, part) : NOT_LISTED;
        if (at != NOT_LISTED)
            set_digest_add(&sweep->sums[at], digest_get(item + 16));
    }
    return ok;
}

/* Owners that cannot be read say nothing, and everything is compared in full. */
static bool add_owned(struct sweep *sweep, const struct verify_input *input, GError **error)
{
    struct owners owners = {0};
    g_autoptr(GError) failed = NULL;
    bool ok = owners_open(&owners, input, &failed) && merge_owners(sweep, &owners, &failed);
    owners_done(&owners, input->n_owners);
    if (ok)
        return true;
    if (!error_is(failed, SLUICE_ERROR_CORRUPT) && !error_is(failed, SLUICE_ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&failed));
        return false;
    }
    memset(sweep->sums, 0, input->n_parts * sizeof *sweep->sums);
    return true;
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
    return driver->scan_open && driver->list && driver->list->sorted;
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
    if (n == 0 || narrowed || !verify_scans_once(input) || verify_appends(input) ||
        verify_in_key_order(input) != (way == SWEEP_LISTED))
        return false;
    switch (way) {
    case SWEEP_LISTED:
        return true;
    case SWEEP_WHOLE:
        return input->all_parts && n == input->n_parts;
    case SWEEP_OWNED:
        break;
    }
    return input->n_owners > 0;
}

static int along(const void *a, const void *b, void *self)
{
    const struct verify_input *input = self;
    return listing_stretch_compare(&input->parts[*(const size_t *)a].keys, &input->parts[*(const size_t *)b].keys);
}

static void places_of(struct sweep *sweep, const struct verify_input *input)
{
    sweep->stretched = g_array_new(FALSE, FALSE, sizeof(size_t));
    for (size_t i = 0; i < input->n_parts; i++)
        g_array_append_val(sweep->stretched, i);
    g_array_sort_with_data(sweep->stretched, along, (void *)(uintptr_t)input);
    for (size_t i = 0; i < input->n_parts; i++)
        sweep->n_places = MAX(sweep->n_places, input->parts[i].part + 1);
    sweep->place_of = g_new(size_t, sweep->n_places);
    for (uint32_t i = 0; i < sweep->n_places; i++)
        sweep->place_of[i] = NOT_LISTED;
    for (size_t i = 0; i < input->n_parts; i++)
        if (input->parts[i].sum)
            sweep->place_of[input->parts[i].part] = i;
}

static bool open_way(struct sweep *sweep, const struct verify_input *input, GError **error)
{
    struct extsort_shape shape = {.item_len = SORTED_BYTES, .key_len = 16, .memory_bytes = SORT_BYTES};
    g_autofree char *folder = g_path_get_dirname(input->report_path);
    return sweep->way != SWEEP_OWNED || (file_make_dirs(input->world, folder, error) &&
                                         extsort_new(&sweep->sort, input->world, folder, &shape, error));
}

/* Several for each thread, so that none of them waits long for one that has got a large one. */
static bool cut(struct sweep *sweep, const struct verify_input *input, GError **error)
{
    auto_(session) session = NULL;
    struct call call = {.ds = &input->target_ds, .mem = sweep->mem, .cancel = input->cancel};
    struct split_wish wish = {.count = STRETCHES_EACH * MAX(input->workers, 1u), .rough = true};
    struct part_list list = {.parts = sweep->stretches, .mem = sweep->mem};
    struct part_bounds all = {.records = 0};
    if (store_driver(input->target)->split)
        return store_session_open(&session, input->target, error) && store_split(session, &call, &wish, &list, error);
    g_array_append_val(sweep->stretches, all);
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
    places_of(sweep, input);
    return cut(sweep, input, error) && open_way(sweep, input, error);
}

static void sweep_done(struct sweep *sweep)
{
    g_clear_pointer(&sweep->sort, extsort_free);
    g_array_unref(sweep->stretches);
    arena_free(sweep->mem);
    g_free(sweep->place_of);
    g_array_unref(sweep->stretched);
    g_free(sweep->sums);
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

static bool sweep_by(struct verification *verification, enum sweep_way way, GError **error)
{
    struct sweep sweep = {.way = way};
    if (verification->result->by_sums > 0 || !can_sweep(verification->input, way))
        return true;
    verification->sweep = &sweep;
    bool ok = sweep_open(&sweep, verification->input, error) && verification_threads(verification, sweep_pass, error) &&
              (way != SWEEP_OWNED || add_owned(&sweep, verification->input, error)) &&
              settle_equal(verification, &sweep, error);
    verification->unlisted_looked_at |= sweep.looks_at_unlisted;
    verification->sweep = NULL;
    sweep_done(&sweep);
    return ok;
}

bool sweep_run(struct verification *verification, GError **error)
{
    return sweep_by(verification, SWEEP_LISTED, error) && sweep_by(verification, SWEEP_WHOLE, error) &&
           sweep_by(verification, SWEEP_OWNED, error);
}
