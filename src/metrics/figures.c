#include "metrics/figures.h"

#include "metrics/memory.h"

enum { BATCHES = 500 }; /* the newest, whose latencies are told */

static json_t *array_of(const char *json)
{
    json_t *array = json ? json_loads(json, 0, NULL) : NULL;
    if (json_is_array(array))
        return array;
    json_decref(array);
    return json_array();
}

static bool take_rest(struct metrics_source *source, struct arena *mem, struct figures *io, GError **error)
{
    const struct watchdog *dog = &io->look.guards.dog;
    io->limited_by = dog->kind == WATCHDOG_SLOW ? dog->by : io->look.limit.by;
    io->live = array_of(io->look.held ? io->look.limit.live : NULL);
    if (!catalog_stages(source->catalog, io->run->id, mem, &io->stages, &io->n_stages, error) ||
        !catalog_latencies(source->catalog, io->run->id, BATCHES, mem, &io->latencies, error) ||
        !catalog_reports(source->catalog, io->run->id, mem, &io->reports, &io->n_reports, error))
        return false;
    io->rejected = metrics_memory_rejected(source, io->run);
    return true;
}

bool figures_of_run(struct metrics_source *source, const struct run_row *run, struct arena *mem, struct figures *ret,
                    GError **error)
{
    struct look_from from = {.world = source->world, .home = catalog_home(source->catalog), .catalog = source->catalog};
    *ret = (struct figures){.run = run, .now_ms = world_wall_ms(source->world)};
    if (!look_at_run(&from, run, mem, &ret->look, error))
        return false;
    if (run_state_over(run->state))
        look_back(&from, run, mem, &ret->look);
    if (take_rest(source, mem, ret, error))
        return true;
    figures_done(ret);
    return false;
}

bool figures_of_home(struct metrics_source *source, struct arena *mem, struct figures *ret, GError **error)
{
    struct stop_flag flag;
    *ret = (struct figures){.now_ms = world_wall_ms(source->world)};
    if (!catalog_stop(source->catalog, mem, &flag, error) ||
        !metrics_memory_audit(source, &ret->entries, &ret->audited, error))
        return false;
    ret->stopped = flag.at_ms != 0;
    ret->has_process = source->process && metrics_process_read(source->world, &ret->process);
    return true;
}

void figures_done(struct figures *figures)
{
    g_clear_pointer(&figures->live, json_decref);
    look_done(&figures->look);
}
