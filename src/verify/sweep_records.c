/* What one thread does with the records of a unit: those of a stretch that is scanned, each of which falls to its
 * partition, or those of a partition whose keys are asked for. */
#include "base/extsort.h"
#include "verify/sweep_parts.h"

#define BATCH_RECORDS 1000u

/* --- whose a key is ----------------------------------------------------------------------------------------------- */

/* Where the key lies to the stretch: before it (-1), in it, behind it (1). */
static int lies(const struct listing_stretch *keys, uint32_t of, uint64_t index)
{
    if (of < keys->partition || (of == keys->partition && index < keys->first))
        return -1;
    return of > keys->partition || index - keys->first >= keys->keys;
}

/* Whose the key at that place of the listing is; SWEEP_NO_PLACE: it has no sum, or is none of the input's. Nearly
 * always the one before it is of the same stretch. */
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
            return input->parts[at].sum ? at : SWEEP_NO_PLACE;
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
        middle = low + (high - low) / 2;
    }
    return SWEEP_NO_PLACE;
}

/* --- a record ----------------------------------------------------------------------------------------------------- */

/* What a sketch takes at once. */
void sweeper_flush(struct sweeper *sweeper)
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
        sweeper_flush(sweeper);
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
    return at == SWEEP_NO_PLACE || add_judged(sweeper, record, at, index);
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

/* --- a batch of the scan ------------------------------------------------------------------------------------------ */

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

bool sweeper_scan(struct sweeper *sweeper, struct slice bounds, GError **error)
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

/* --- asked for ---------------------------------------------------------------------------------------------------- */

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

bool sweeper_ask(struct sweeper *sweeper, size_t at, GError **error)
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
