/* The units of a sweep: stretches of the target, or partitions whose keys are asked for. They are cut once, or taken up
 * from a verification that died; each thread takes one after the other, and what is found of those that are done is
 * kept every second. */
#include "verify/progress.h"
#include "verify/sweep_parts.h"

enum { STRETCHES_EACH = 8, STRETCHES_EACH_MOST = 32 };
#define STRETCH_RECORDS 8000u   /* fewer are not worth a scan of their own */
#define UNIT_RECORDS    500000u /* a second, about: what a verification that dies has to do again */
#define UNITS_MOST      4096u
#define KEEP_EVERY_US   INT64_C(1000000)
#define KEEP_SHARE      20 /* of the time at most a twentieth goes into it */

/* --- which there are ---------------------------------------------------------------------------------------------- */

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

bool sweep_units_open(struct sweep *sweep, const struct verify_input *input, GError **error)
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

/* --- kept --------------------------------------------------------------------------------------------------------- */

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
    sweeper_flush(sweeper);
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

/* --- one after the other ------------------------------------------------------------------------------------------ */

static bool one_unit(struct sweeper *sweeper, size_t unit, GError **error)
{
    struct sweep *sweep = sweeper->sweep;
    if (sweep->way == SWEEP_ASKED)
        return !sweeper->pass->input->parts[unit].sum || sweeper_ask(sweeper, unit, error);
    return sweeper_scan(sweeper, g_array_index(sweep->stretches, struct part_bounds, unit).bounds, error);
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

bool sweep_units_pass(struct pass *pass, GError **error)
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
                              .checkpoints_of = SWEEP_NO_PLACE};
    bool ok = !sweep->looks_at_unlisted || pass_fresh_transform(pass, error);
    ok = ok && all_units(&sweeper, error);
    if (!ok)
        atomic_store(&sweep->done, true); /* for the others */
    return ok;
}
