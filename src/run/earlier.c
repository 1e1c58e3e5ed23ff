#include "run/earlier.h"

#include <jansson.h>

#include "base/file.h"
#include "base/hex.h"
#include "plan/home.h"

#define CATALOG_BYTES (256u << 20)

char *earlier_path(const char *home, const char *run, uint32_t stage)
{
    g_autofree char *folder = home_path(home, HOME_REPORTS, run);
    return g_strdup_printf("%s/profile.%u", folder, stage);
}

/* --- what a run's gates kept -------------------------------------------------------------------------------------- */

/* A run that is done, as far as it matters here. */
struct done {
    const struct earlier_wish *wish;
    const struct run_row *run;
    struct stage_row *stages;
    size_t n_stages;
    struct report_row *reports;
    size_t n_reports;
};

static bool has_file(const struct done *done, uint32_t stage)
{
    g_autofree char *path = earlier_path(done->wish->home, done->run->name, stage);
    return file_exists(done->wish->world, path);
}

static bool kept_digest(const struct report_row *row, uint8_t ret[32])
{
    json_t *summary = json_loadb((const char *)row->summary.data, row->summary.len, 0, NULL);
    json_t *kept = json_object_get(json_object_get(summary, "profile"), "kept");
    const char *text = json_string_value(json_object_get(kept, "digest"));
    uint8_t digest[32];
    bool ok = text && hex_parse(slice_of_text(text), digest, sizeof digest);
    if (ok)
        memcpy(ret, digest, sizeof digest);
    json_decref(summary);
    return ok;
}

/* By the newest judgement of the stage that kept one; later ones, of what a server had lost, did not. They come in the
 * order in which they were made. */
static bool digest_of(const struct done *done, uint32_t stage, uint8_t ret[32])
{
    bool kept = false;
    for (size_t i = 0; i < done->n_reports; i++)
        kept |= done->reports[i].stage == stage && kept_digest(&done->reports[i], ret);
    return kept;
}

static bool add_stage(const struct done *done, uint32_t stage, struct past *into, GError **error)
{
    uint8_t digest[32];
    g_autofree char *path = earlier_path(done->wish->home, done->run->name, stage);
    return (digest_of(done, stage, digest) ||
            error_set(error, SLUICE_ERROR_CORRUPT, "%s: no gate of %s says that it kept it", path, done->run->name)) &&
           past_add(into, done->wish->world, path, digest, error);
}

/* Of the stage that is asked for, if there is one; else of all of them. */
static bool add_stages(const struct done *done, struct past *into, GError **error)
{
    const char *name = done->wish->stage;
    for (size_t i = 0; name && i < done->n_stages; i++)
        if (strcmp(done->stages[i].name, name) == 0 && has_file(done, done->stages[i].stage)) {
            into->stage = g_strdup(name);
            return add_stage(done, done->stages[i].stage, into, error);
        }
    for (size_t i = 0; i < done->n_stages; i++)
        if (has_file(done, done->stages[i].stage) && !add_stage(done, done->stages[i].stage, into, error))
            return false;
    return true;
}

/* --- which run ---------------------------------------------------------------------------------------------------- */

/* One that has no profile (it was pruned, or only repaired another) is passed over. */
static bool take_run(const struct earlier_wish *wish, const struct run_row *run, struct arena *mem, struct past *into,
                     GError **error)
{
    struct done done = {.wish = wish, .run = run};
    g_autoptr(GError) failed = NULL;
    if (!catalog_stages(wish->catalog, run->id, mem, &done.stages, &done.n_stages, error) ||
        !catalog_reports(wish->catalog, run->id, mem, &done.reports, &done.n_reports, error))
        return false;
    if (!add_stages(&done, into, &failed))
        into->why = g_strdup(failed->message);
    if (into->parts->len || into->why) {
        g_free(into->of);
        into->of = g_strdup(run->name);
    }
    return true;
}

/* NAME.N is that run, NAME the newest of them. */
static bool is_meant(const struct earlier_wish *wish, const struct run_row *run, const char *name)
{
    return run->id < wish->before && run->state == RUN_DONE &&
           (strcmp(run->name, name) == 0 || strcmp(run->spec_name, name) == 0);
}

static bool find_run(const struct earlier_wish *wish, const char *name, struct past *into, GError **error)
{
    auto_(arena) mem = arena_new(CATALOG_BYTES);
    struct run_row *runs = NULL;
    size_t n = 0;
    if (wish->catalog && !catalog_runs(wish->catalog, mem, &runs, &n, error))
        return false;
    for (size_t i = 0; i < n && into->parts->len == 0 && !into->why; i++)
        if (is_meant(wish, &runs[i], name) && !take_run(wish, &runs[i], mem, into, error))
            return false;
    if (into->parts->len == 0 && !into->why)
        into->why = g_strdup_printf("no earlier run of %s in this home is done and has a profile", name);
    return true;
}

static void find_file(const struct earlier_wish *wish, const char *path, struct past *into)
{
    g_autoptr(GError) failed = NULL;
    if (!past_add(into, wish->world, path, NULL, &failed))
        into->why = g_strdup(failed->message);
}

bool earlier_find(const struct earlier_wish *wish, struct past **ret, GError **error)
{
    const struct spec_baseline *of = wish->asked ? wish->asked : &wish->spec->baseline;
    bool latest = of->of == BASELINE_LATEST;
    if (of->of == BASELINE_NONE)
        return true;
    auto_(past) baseline = past_new(of->name, !latest);
    if (of->of == BASELINE_FILE)
        find_file(wish, of->name, baseline);
    else if (!find_run(wish, latest ? wish->spec->name : of->name, baseline, error))
        return false;
    if (!baseline->why)
        past_join(baseline);
    *ret = g_steal_pointer(&baseline);
    return true;
}

bool earlier_must(const struct run_config *config, struct catalog *catalog, const struct spec *spec, GError **error)
{
    auto_(past) baseline = NULL;
    struct earlier_wish wish = {
        .world = config->world, .home = config->home, .catalog = catalog, .spec = spec, .before = INT64_MAX};
    if (config->retry || spec->baseline.of == BASELINE_LATEST) /* a part of a run done again is held against nothing */
        return true;
    if (!earlier_find(&wish, &baseline, error))
        return false;
    return !baseline || !baseline->why ||
           error_set(error, SLUICE_ERROR_REFUSED, "%s: its baseline %s cannot be had: %s", spec->path, baseline->of,
                     baseline->why);
}
