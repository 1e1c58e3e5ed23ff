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
#include "base/extsort.h"
#include "verify/sweep_parts.h"

#define SORT_BYTES (32u << 20)

enum { STRETCHES_MEMORY = 64 << 20 };

/* --- which way ---------------------------------------------------------------------------------------------------- */

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

/* --- its begin and its end ---------------------------------------------------------------------------------------- */

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
    return sweep_units_open(sweep, input, error) && open_way(sweep, input, error);
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

/* --- held against the gates --------------------------------------------------------------------------------------- */

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
    ok = ok && verification_threads(verification, sweep_units_pass, error) &&
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
