#include "run/prune.h"

#include "base/file.h"
#include "base/hex.h"
#include "catalog/lock.h"
#include "plan/home.h"
#include "store/undo/undo_store.h"

#define RUNS_MEMORY (256u << 20)
#define NEEDS_IT    "%s needs it"

struct prune {
    const struct run_config *config;
    struct catalog *catalog;
    struct run_row *runs; /* newest first */
    size_t n;
    int64_t now_ms;
    bool dry;
    struct arena *scratch;
    GHashTable *needed; /* of runs: name → the open run that needs what they left */
    GArray *items;      /* of struct prune_item */
    GArray *gone;       /* of struct gone */
    struct prune_result *result;
};

struct gone {
    int64_t run;
    enum expiry_what what;
};

/* --- who is needed ------------------------------------------------------------------------------------------------ */

static const struct run_row *find(const struct prune *prune, const char *name)
{
    for (size_t i = 0; i < prune->n; i++)
        if (strcmp(prune->runs[i].name, name) == 0)
            return &prune->runs[i];
    return NULL;
}

static void need(struct prune *prune, const struct run_row *run, const struct run_row *by)
{
    if (run)
        g_hash_table_insert(prune->needed, (void *)(uintptr_t)run->name, (void *)(uintptr_t)by->name);
}

/* The runs that it supersedes, and those that they superseded: their undo logs take back, their notes say what is left
 * alone. */
static bool need_chain(struct prune *prune, const struct run_row *open, GError **error)
{
    const struct run_row *at = open;
    while (at) {
        const char *name;
        if (!plan_supersedes_read(prune->catalog, at, prune->scratch, &name, error))
            return false;
        at = name ? find(prune, name) : NULL;
        need(prune, at, open);
    }
    return true;
}

/* By the last part of the path: however it is written, and rather one run too many than one too few. */
static bool need_source(struct prune *prune, const struct run_row *open, GError **error)
{
    const char *uri;
    if (!plan_source_read(prune->catalog, open, prune->scratch, &uri, error))
        return false;
    if (!g_str_has_prefix(uri, "undo:"))
        return true;
    g_autofree char *base = g_path_get_basename(uri + strlen("undo:"));
    need(prune, find(prune, base), open);
    return true;
}

static bool need_retried(struct prune *prune, const struct run_row *open, GError **error)
{
    struct plan_retries *retries;
    if (!plan_retries_read(prune->catalog, open, prune->scratch, &retries, error))
        return false;
    if (retries)
        need(prune, find(prune, retries->run), open);
    return true;
}

static bool find_needed(struct prune *prune, GError **error)
{
    for (size_t i = 0; i < prune->n; i++) {
        const struct run_row *run = &prune->runs[i];
        arena_reset(prune->scratch);
        if (!run_state_over(run->state) &&
            (!need_chain(prune, run, error) || !need_source(prune, run, error) || !need_retried(prune, run, error)))
            return false;
    }
    return true;
}

/* --- files -------------------------------------------------------------------------------------------------------- */

/* Where what a run leaves lies: all files of a folder, or those of one whose names begin so. */
static const struct trace {
    enum expiry_what what;
    enum home_place place;
    bool folder, by_uid;
} TRACES[] = {
    {EXPIRY_UNDO, HOME_KEY_UNDO, .by_uid = true},
    {EXPIRY_QUARANTINE, HOME_KEY_QUARANTINE, .by_uid = true},
    {EXPIRY_REPORTS, HOME_KEY_REPORTS, .by_uid = true},
    {EXPIRY_UNDO, HOME_UNDO, .folder = true},
    {EXPIRY_QUARANTINE, HOME_QUARANTINE},
    {EXPIRY_REPORTS, HOME_REPORTS, .folder = true},
    {EXPIRY_REPORTS, HOME_LISTING, .by_uid = true},
    {EXPIRY_REPORTS, HOME_SKIPS, .by_uid = true},
    {EXPIRY_REPORTS, HOME_UNMATCHED, .by_uid = true},
    {EXPIRY_REPORTS, HOME_SEEN, .by_uid = true},
    {EXPIRY_REPORTS, HOME_TEXTS, .by_uid = true},
    {EXPIRY_REPORTS, HOME_LOG},
};

struct counted {
    uint64_t files, bytes;
    bool remove;
};

static bool one_file(const struct prune *prune, const char *path, struct counted *io, GError **error)
{
    const struct world *world = prune->config->world;
    struct world_stat found;
    if (!file_stat_path(world, path, &found, error))
        return false;
    io->files++;
    io->bytes += found.size;
    if (!io->remove)
        return true;
    world_point(world, "prune.file");
    return file_unlink(world, path, error);
}

static bool names_of(const struct prune *prune, const char *dir, GPtrArray **ret, GError **error)
{
    GError *failed = NULL;
    if (file_list(prune->config->world, dir, ret, &failed))
        return true;
    bool none = error_is(failed, SLUICE_ERROR_NOT_FOUND);
    *ret = NULL;
    if (!none)
        g_propagate_error(error, failed);
    else
        g_error_free(failed);
    return none;
}

static bool files_in(const struct prune *prune, const char *dir, const char *prefix, struct counted *io, GError **error)
{
    g_autoptr(GPtrArray) names = NULL;
    if (!names_of(prune, dir, &names, error))
        return false;
    uint64_t before = io->files;
    for (guint i = 0; names && i < names->len; i++) {
        const char *name = names->pdata[i];
        g_autofree char *path = g_build_filename(dir, name, NULL);
        if (g_str_has_prefix(name, prefix) && strcmp(name, UNDO_EXPIRED) != 0 && !one_file(prune, path, io, error))
            return false;
    }
    return !io->remove || io->files == before || file_sync_dir_durable(prune->config->world, dir, error);
}

static bool files_of(const struct prune *prune, const struct run_row *run, enum expiry_what what, struct counted *io,
                     GError **error)
{
    char uid[HEX_TEXT(16)];
    hex_text(run->uid, sizeof run->uid, uid);
    for (size_t i = 0; i < G_N_ELEMENTS(TRACES); i++) {
        const struct trace *trace = &TRACES[i];
        g_autofree char *path = home_path(prune->config->home, trace->place, trace->by_uid ? uid : run->name);
        g_autofree char *dir = trace->folder ? g_strdup(path) : g_path_get_dirname(path);
        g_autofree char *prefix = trace->folder ? g_strdup("") : g_path_get_basename(path);
        if (trace->what == what && !files_in(prune, dir, prefix, io, error))
            return false;
    }
    return true;
}

/* Who reads the folder alone, without the catalog, is told too. */
static bool mark_undo(const struct prune *prune, const struct run_row *run, GError **error)
{
    g_autofree char *dir = home_path(prune->config->home, HOME_UNDO, run->name);
    g_autofree char *path = g_build_filename(dir, UNDO_EXPIRED, NULL);
    return !file_exists(prune->config->world, dir) ||
           file_replace_durable(prune->config->world, path, slice_of_text("expired; removed by `sluice prune`\n"),
                                error);
}

/* --- a run -------------------------------------------------------------------------------------------------------- */

static bool is_due(const struct prune *prune, const struct retain_look *look, enum expiry_what what)
{
    const struct expiry *expiry = &look->expiries.of[what];
    int64_t at_ms = look->times.at_ms[what];
    return expiry->at_ms ? expiry->done_ms == 0 : at_ms && prune->now_ms >= at_ms;
}

static bool expire(struct prune *prune, const struct run_row *run, enum expiry_what what, struct counted *io,
                   GError **error)
{
    const struct world *world = prune->config->world;
    world_point(world, "prune.expire");
    if (!catalog_expire(prune->catalog, run->id, what, &prune->config->act, error))
        return false;
    world_point(world, "prune.expired");
    if ((what == EXPIRY_UNDO && !mark_undo(prune, run, error)) || !files_of(prune, run, what, io, error))
        return false;
    world_point(world, "prune.files");
    if (what == EXPIRY_REPORTS && !catalog_expire_rows(prune->catalog, run->id, error))
        return false;
    world_point(world, "prune.rows");
    struct gone gone = {.run = run->id, .what = what};
    g_array_append_val(prune->gone, gone);
    return true;
}

/* Each of it that is due, removed or counted; `kept` (may be NULL) says why all of it stays. */
static bool each_due(struct prune *prune, const struct run_row *run, const struct retain_look *look, const char *kept,
                     GError **error)
{
    for (int i = 0; i < EXPIRY_COUNT; i++) {
        enum expiry_what what = (enum expiry_what)i;
        struct counted counted = {.remove = !kept && !prune->dry};
        if (!is_due(prune, look, what))
            continue;
        if (!(counted.remove ? expire(prune, run, what, &counted, error) : files_of(prune, run, what, &counted, error)))
            return false;
        struct prune_item item = {.run = run->name,
                                  .what = what,
                                  .due_ms = look->times.at_ms[what],
                                  .files = counted.files,
                                  .bytes = counted.bytes,
                                  .kept = kept};
        g_array_append_val(prune->items, item);
    }
    return true;
}

static bool has_due(struct prune *prune, const struct retain_look *look)
{
    bool due = false;
    for (int i = 0; i < EXPIRY_COUNT; i++) {
        int64_t at_ms = look->times.at_ms[i], *next_ms = &prune->result->next_ms;
        due |= is_due(prune, look, (enum expiry_what)i);
        if (look->expiries.of[i].at_ms == 0 && at_ms > prune->now_ms && (*next_ms == 0 || at_ms < *next_ms))
            *next_ms = at_ms;
    }
    return due;
}

static const char *kept_text(struct prune *prune, const char *text)
{
    const char *kept = arena_text(prune->result->mem, slice_of_text(text));
    return kept ? kept : "it is needed";
}

/* It may be long since the runs were read: what others had left was removed before it. */
static bool is_needed_by_now(struct prune *prune, const struct run_row *run, const char **ret_kept, GError **error)
{
    auto_(arena) mem = arena_new(RUNS_MEMORY);
    g_autoptr(GHashTable) needed = g_hash_table_new(g_str_hash, g_str_equal);
    struct prune now = *prune;
    now.needed = needed;
    if (!catalog_runs(now.catalog, mem, &now.runs, &now.n, error) || !find_needed(&now, error))
        return false;
    const char *by = g_hash_table_lookup(needed, run->name);
    g_autofree char *text = by ? g_strdup_printf(NEEDS_IT, by) : NULL;
    *ret_kept = text ? kept_text(prune, text) : NULL;
    return true;
}

/* Under its lock it is looked at again: it may have been taken back meanwhile, or be needed. */
static bool prune_held(struct prune *prune, struct run_row *run, GError **error)
{
    auto_(run_lock) lock = NULL;
    auto_(arena) mem = arena_new(RUNS_MEMORY);
    struct retain_look look;
    GError *failed = NULL;
    bool locked = run_lock_take(&lock, prune->config->world, prune->config->home, run->name, &failed);
    if (!locked && !error_is(failed, SLUICE_ERROR_LOCKED)) {
        g_propagate_error(error, failed);
        return false;
    }
    const char *kept = locked ? NULL : kept_text(prune, failed->message);
    g_clear_error(&failed);
    return (!locked || is_needed_by_now(prune, run, &kept, error)) &&
           catalog_run_reload(prune->catalog, prune->result->mem, run, error) &&
           (!run_state_over(run->state) ||
            (retain_look(prune->catalog, run, mem, &look, error) && each_due(prune, run, &look, kept, error)));
}

static bool one_run(struct prune *prune, struct run_row *run, GError **error)
{
    auto_(arena) mem = arena_new(RUNS_MEMORY);
    struct retain_look look;
    if (!run_state_over(run->state))
        return true;
    if (!retain_look(prune->catalog, run, mem, &look, error))
        return false;
    if (!has_due(prune, &look))
        return true;
    const char *by = g_hash_table_lookup(prune->needed, run->name);
    g_autofree char *text = by ? g_strdup_printf(NEEDS_IT, by) : NULL;
    if (by || prune->dry)
        return each_due(prune, run, &look, text ? kept_text(prune, text) : NULL, error);
    return prune_held(prune, run, error);
}

/* --- all ---------------------------------------------------------------------------------------------------------- */

static bool finish(struct prune *prune, GError **error)
{
    if (prune->gone->len == 0)
        return true;
    if (!catalog_wipe(prune->catalog, error))
        return error_add(error, "what has expired is removed, but may still be read in the catalog's files: run "
                                "`sluice prune` again");
    world_point(prune->config->world, "prune.wiped");
    for (guint i = 0; i < prune->gone->len; i++) {
        struct gone gone = g_array_index(prune->gone, struct gone, i);
        if (!catalog_expire_done(prune->catalog, gone.run, gone.what, error))
            return false;
    }
    return true;
}

static bool items_give(struct prune *prune, GError **error)
{
    struct prune_result *result = prune->result;
    result->n = prune->items->len;
    result->items = arena_alloc0(result->mem, (result->n + 1) * sizeof *result->items);
    if (!result->items)
        return error_set(error, SLUICE_ERROR_TOO_BIG, "the runs do not fit into memory");
    for (size_t i = 0; i < result->n; i++)
        result->items[i] = g_array_index(prune->items, struct prune_item, i);
    return true;
}

static bool prune_all(struct prune *prune, GError **error)
{
    if (!catalog_runs(prune->catalog, prune->result->mem, &prune->runs, &prune->n, error) || !find_needed(prune, error))
        return false;
    for (size_t i = prune->n; i > 0; i--)
        if (!one_run(prune, &prune->runs[i - 1], error))
            return false;
    return finish(prune, error) && items_give(prune, error);
}

bool run_prune(const struct run_config *config, bool dry_run, struct prune_result *ret, GError **error)
{
    auto_(catalog) catalog = NULL;
    auto_(arena) scratch = arena_new(RUNS_MEMORY);
    g_autoptr(GHashTable) needed = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GArray) items = g_array_new(FALSE, TRUE, sizeof(struct prune_item));
    g_autoptr(GArray) gone = g_array_new(FALSE, TRUE, sizeof(struct gone));
    *ret = (struct prune_result){.mem = arena_new(RUNS_MEMORY)};
    struct prune prune = {.config = config,
                          .now_ms = world_wall_ms(config->world),
                          .dry = dry_run,
                          .scratch = scratch,
                          .needed = needed,
                          .items = items,
                          .gone = gone,
                          .result = ret};
    if (!catalog_open(&catalog, config->world, config->home, dry_run ? CATALOG_READ_ONLY : CATALOG_EXISTING, error))
        return false;
    prune.catalog = catalog;
    return prune_all(&prune, error);
}

void prune_result_done(struct prune_result *result)
{
    g_clear_pointer(&result->mem, arena_free);
}
