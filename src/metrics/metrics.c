#include "metrics/metrics.h"

#include "metrics/figures.h"
#include "metrics/memory.h"

#define OVER_MS (INT64_C(24) * 60 * 60 * 1000)
#define BYTES   (256u << 20)

static const struct metric_row ROWS[METRIC_COUNT] = {
#define METRIC(symbol, name, type, scope, labels, words, formula, threshold)                                           \
    [METRIC_##symbol] = {name, METRIC_##type, METRIC_##scope, labels, words},
#include "metrics/metric_rows.h"
#undef METRIC
};

static void (*const PUT[METRIC_COUNT])(struct exposition *into, const struct figures *figures) = {
#define METRIC(symbol, name, type, scope, labels, words, formula, threshold) [METRIC_##symbol] = metric_put_##symbol,
#include "metrics/metric_rows.h"
#undef METRIC
};

const struct metric_row *metric_row(enum metric metric)
{
    g_assert((size_t)metric < METRIC_COUNT);
    return &ROWS[metric];
}

void metrics_source_done(struct metrics_source *source)
{
    g_clear_pointer(&source->memory, metrics_memory_free);
}

/* --- which runs --------------------------------------------------------------------------------------------------- */

/* `runs` has the newest first. */
static bool is_newest_of_spec(const struct run_row *runs, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (strcmp(runs[i].spec_name, runs[at].spec_name) == 0)
            return false;
    return true;
}

static bool is_told(const struct run_row *runs, size_t at, int64_t now_ms)
{
    const struct run_row *run = &runs[at];
    if (!run_state_over(run->state))
        return true;
    return now_ms - MAX(run->state_ms, run->updated_ms) < OVER_MS && is_newest_of_spec(runs, at);
}

static bool runs_told(struct metrics_source *source, struct arena *mem, GPtrArray *into, GError **error)
{
    struct run_row *runs;
    size_t n;
    int64_t now_ms = world_wall_ms(source->world);
    if (source->run) {
        runs = arena_alloc0(mem, sizeof *runs);
        g_assert(runs);
        g_ptr_array_add(into, runs);
        return catalog_run_get(source->catalog, source->run, mem, runs, error);
    }
    if (!catalog_runs(source->catalog, mem, &runs, &n, error))
        return false;
    for (size_t i = 0; i < n; i++)
        if (is_told(runs, i, now_ms))
            g_ptr_array_add(into, &runs[i]);
    return true;
}

/* --- all of it ---------------------------------------------------------------------------------------------------- */

struct all {
    struct figures home, *runs;
    size_t n;
};

static void all_done(struct all *all)
{
    for (size_t i = 0; i < all->n; i++)
        figures_done(&all->runs[i]);
    g_free(all->runs);
}

static void put_row(struct exposition *exposition, const struct all *all, enum metric metric)
{
    const struct metric_row *row = &ROWS[metric];
    exposition_metric(exposition, row);
    exposition->run = exposition->spec = NULL;
    if (row->scope == METRIC_HOME || (row->scope == METRIC_PROCESS && all->home.has_process))
        PUT[metric](exposition, &all->home);
    for (size_t i = 0; row->scope == METRIC_RUN && i < all->n; i++) {
        exposition->run = all->runs[i].run->name;
        exposition->spec = all->runs[i].run->spec_name;
        PUT[metric](exposition, &all->runs[i]);
    }
}

static bool take_all(struct metrics_source *source, struct arena *mem, struct all *io, GError **error)
{
    g_autoptr(GPtrArray) told = g_ptr_array_new();
    if (!runs_told(source, mem, told, error) || !figures_of_home(source, mem, &io->home, error))
        return false;
    io->runs = g_new0(struct figures, told->len + 1);
    for (; io->n < told->len; io->n++)
        if (!figures_of_run(source, told->pdata[io->n], mem, &io->runs[io->n], error))
            return false;
    return true;
}

bool metrics_render(struct metrics_source *source, GString *into, GError **error)
{
    auto_(arena) mem = arena_new(BYTES);
    struct all all = {0};
    struct exposition exposition = {.into = into};
    if (!source->memory)
        source->memory = metrics_memory_new();
    bool ok = take_all(source, mem, &all, error);
    for (int i = 0; ok && i < METRIC_COUNT; i++)
        put_row(&exposition, &all, (enum metric)i);
    all_done(&all);
    return ok;
}
