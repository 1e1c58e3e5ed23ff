#include "view/look.h"

#include "catalog/lock.h"
#include "run/retain.h"
#include "view/shape.h"

static bool is_held(const struct look_from *from, const struct run_row *run, bool *ret, GError **error)
{
    struct run_holder holder;
    if (!run_lock_holder(&holder, from->world, from->home, run->name, error))
        return false;
    *ret = holder.live;
    return true;
}

/* Of a run that is over and not taken back. */
static bool look_at_undo(struct catalog *catalog, const struct run_row *run, struct look *io, GError **error)
{
    auto_(arena) mem = arena_new(64 << 20);
    struct retain_look look;
    if (!run_state_over(run->state) || run->state == RUN_ROLLED_BACK)
        return true;
    if (!retain_look(catalog, run, mem, &look, error))
        return false;
    io->undo_expired = look.expiries.of[EXPIRY_UNDO].at_ms != 0;
    io->undo_ms = io->undo_expired ? look.expiries.of[EXPIRY_UNDO].at_ms : look.times.at_ms[EXPIRY_UNDO];
    return true;
}

static bool look_at_guards(const struct look_from *from, const struct run_row *run, struct arena *mem, struct look *io,
                           GError **error)
{
    struct guards_wish wish = {.run = run, .held = io->held, .limited_by = io->limit.by};
    return guards_view_look(from->world, from->catalog, &wish, mem, &io->guards, error);
}

static void look_ahead(const struct look_from *from, const struct run_row *run, struct look *io)
{
    io->outlook = outlay_of(run, &io->limit.rates, &io->limit.complete, world_wall_ms(from->world));
    io->readable = readable_of(run, io->limit.source_until_ms, world_wall_ms(from->world));
}

/* One whose plan is pruned does not say it any more. */
void look_back(const struct look_from *from, const struct run_row *run, struct arena *mem, struct look *io)
{
    if (run_state_over(run->state) && run_limit_now(from->catalog, run, mem, &io->limit, NULL))
        look_ahead(from, run, io);
}

bool look_at_run(const struct look_from *from, const struct run_row *run, struct arena *mem, struct look *ret,
                 GError **error)
{
    struct catalog *catalog = from->catalog;
    *ret = (struct look){0};
    if (!catalog_delivery_counts(catalog, run->id, &ret->hooks, error))
        return false;
    if (run_state_over(run->state))
        return look_at_undo(catalog, run, ret, error) && look_at_guards(from, run, mem, ret, error);
    if (!catalog_stragglers(catalog, run->id, mem, &ret->stragglers, &ret->n_stragglers, error))
        return false;
    if (!is_held(from, run, &ret->held, error) || !run_limit_now(catalog, run, mem, &ret->limit, error))
        return false;
    if (!ret->held && run->state != RUN_PAUSED)
        ret->limit.by = NULL;
    if (!ret->held)
        ret->n_stragglers = 0;
    look_ahead(from, run, ret);
    return look_at_guards(from, run, mem, ret, error);
}

void look_done(struct look *look)
{
    guards_view_done(&look->guards);
}

json_t *look_json(const struct run_row *run, const struct look *look)
{
    json_t *status = shape_status(run);
    json_object_set_new(status, "held", json_boolean(look->held));
    json_object_set_new(
        status, "hooks",
        json_pack("{s:I, s:I}", "waiting", (json_int_t)look->hooks.waiting, "failed", (json_int_t)look->hooks.failed));
    json_object_set_new(status, "stragglers", shape_stragglers(look->stragglers, look->n_stragglers));
    shape_limit(status, &look->limit);
    shape_outlook(status, &look->outlook, &look->limit);
    json_object_set_new(status, "source_until", shape_readable(&look->readable));
    guards_view_shape(status, &look->guards);
    if (look->undo_ms)
        json_object_set_new(status, "undo_until", shape_time(look->undo_ms));
    return status;
}

bool look_status_json(const struct look_from *from, const struct run_row *run, struct arena *mem, json_t **ret,
                      GError **error)
{
    struct stage_row *stages;
    size_t n;
    struct look look;
    json_t *said;
    if (!catalog_stages(from->catalog, run->id, mem, &stages, &n, error) ||
        !plan_said_read(from->catalog, run, mem, &said, error))
        return false;
    bool looked = look_at_run(from, run, mem, &look, error);
    if (looked) {
        look_back(from, run, mem, &look);
        *ret = look_json(run, &look);
        json_object_update(*ret, said);
        json_object_set_new(*ret, "stage", shape_text(run->stage < n ? stages[run->stage].name : NULL));
        json_object_set_new(*ret, "stages", shape_stages(stages, n));
        look_done(&look);
    }
    json_decref(said);
    return looked;
}
