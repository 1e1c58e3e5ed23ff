/* cat --fences: the fences that a store keeps for the runs of this home, a line each. */
#include "cli/cli.h"
#include "store/calls.h"

struct fences {
    struct cli *cli;
    struct catalog *catalog;
    struct store *store;
    struct session *session;
    struct dataset ds;
    struct arena *mem, *scratch; /* of the rows; of one fence */
};

static bool fences_open(struct fences *fences, GError **error)
{
    struct cli *cli = fences->cli;
    struct plan_config config = {.world = cli->world, .registry = cli->registry, .home = cli->home};
    fences->ds.name = cli->args[1];
    fences->mem = arena_new(256 << 20);
    fences->scratch = arena_new(32 << 20);
    if (!catalog_open(&fences->catalog, cli->world, cli->home, CATALOG_READ_ONLY, error) ||
        !plan_store_open(&fences->store, &config, cli->args[0], ".", true, error))
        return false;
    if (!store_driver(fences->store)->write)
        return error_set(error, SLUICE_ERROR_USAGE, "%s: the driver %s keeps no fences", cli->args[0],
                         store_driver(fences->store)->name);
    return store_session_open(&fences->session, fences->store, error);
}

static void fences_close(struct fences *fences)
{
    g_clear_pointer(&fences->session, store_session_close);
    store_release(fences->cli->registry, fences->store);
    g_clear_pointer(&fences->catalog, catalog_free);
    g_clear_pointer(&fences->mem, arena_free);
    g_clear_pointer(&fences->scratch, arena_free);
}

static json_t *lane_json(const struct fence_lane *lane)
{
    json_t *above = json_array();
    for (size_t i = 0; i < lane->bitmap.len * 8; i++)
        if (fence_lane_applied(lane, lane->base + 1 + i))
            json_array_append_new(above, json_integer((json_int_t)(lane->base + 1 + i)));
    return json_pack("{s:I, s:b, s:I, s:o}", "lane", (json_int_t)lane->lane, "open", lane->open, "base",
                     (json_int_t)lane->base, "applied_above", above);
}

static bool give_part(struct fences *fences, const struct run_row *run, const struct part_row *part, GError **error)
{
    struct call call = {.ds = &fences->ds, .mem = fences->scratch};
    struct fence_id id = {.part = part->part};
    struct fence fence = {0};
    memcpy(id.run, run->uid, sizeof id.run);
    arena_reset(fences->scratch);
    if (!store_fence_read(fences->session, &call, &id, &fence, error))
        return false;
    if (!fence.present)
        return true;
    json_t *lanes = json_array();
    for (size_t i = 0; i < fence.n; i++)
        json_array_append_new(lanes, lane_json(&fence.lanes[i]));
    print_json(fences->cli, json_pack("{s:s, s:s, s:I, s:I, s:o}", "type", "fence", "run", run->name, "partition",
                                      (json_int_t)part->part, "highest", (json_int_t)fence.highest, "lanes", lanes));
    return true;
}

static bool give_run(struct fences *fences, const struct run_row *run, GError **error)
{
    for (enum parts_kind kind = 0; kind < PARTS_KIND_COUNT; kind++) {
        struct parts_of of = {.run = run->id, .stage = UINT32_MAX, .kind = kind};
        struct part_row *rows;
        size_t n;
        if (!catalog_parts(fences->catalog, &of, fences->mem, &rows, &n, error))
            return false;
        for (size_t i = 0; i < n && !ferror(fences->cli->out); i++)
            if (rows[i].lane > 0 && !give_part(fences, run, &rows[i], error))
                return false;
    }
    return true;
}

static bool give_all(struct fences *fences, GError **error)
{
    struct run_row *runs;
    size_t n;
    if (!catalog_runs(fences->catalog, fences->mem, &runs, &n, error))
        return false;
    g_autofree char *dataset = g_strconcat("#", fences->ds.name, NULL);
    for (size_t i = 0; i < n; i++)
        if (g_str_has_suffix(runs[i].target, dataset) && !give_run(fences, &runs[i], error))
            return false;
    return true;
}

bool cat_fences(struct cli *cli, GError **error)
{
    struct fences fences = {.cli = cli};
    bool given = fences_open(&fences, error) && give_all(&fences, error);
    fences_close(&fences);
    return given;
}
