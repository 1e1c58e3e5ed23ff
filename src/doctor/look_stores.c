/* The checks of the stores: reached, there, writable, locked, and how source and target fit together. */
#include "base/file.h"
#include "base/units.h"
#include "doctor/look.h"
#include "run/try.h"

/* --- reaching them
 * ---------------------------------------------------------------------------------------------------- */

static bool open_store(struct look *look, const char *uri, struct store **ret, GError **error)
{
    struct plan_config config = {
        .world = look->config->world, .registry = look->config->registry, .home = look->config->home};
    return plan_store_open(ret, &config, uri, look->spec->dir, true, error);
}

static bool inspect(struct look *look, struct store *store, const char *dataset, struct store_info *ret, GError **error)
{
    auto_(session) session = NULL;
    struct dataset ds = {.name = dataset};
    struct call call = {.ds = &ds, .mem = look->mem};
    return store_session_open(&session, store, error) && store_inspect(session, &call, ret, error);
}

static void tell_size(struct look *look, const struct store_info *info, const char *uri, const char *dataset)
{
    char records[UNITS_TEXT], bytes[UNITS_TEXT];
    g_autofree char *label = store_label(uri);
    look_ok(look, "%s#%s: %s%s%s%s%s", label, dataset, info->records ? "about " : "",
            info->records ? units_count(info->records, records) : "", info->records ? " records" : "there",
            info->bytes ? ", " : "", info->bytes ? units_bytes(info->bytes, bytes) : "");
}

/* A duration is from when a run is planned, which has not begun. */
static void judge_until(struct look *look)
{
    char until[UNITS_TEXT];
    int64_t at_ms = look->spec->source.until.at_ms;
    GError *error = NULL;
    if (!at_ms)
        return;
    look_again(look);
    units_time(at_ms, until);
    if (world_wall_ms(look->config->world) < at_ms) {
        look_ok(look, "it can be read until %s", until);
        return;
    }
    error_set(&error, SLUICE_ERROR_REFUSED, "the source could be read until %s, which has passed", until);
    look_fail(look, "if it can still be read, say until when in source.until: a run refuses", error);
}

/* Where even the first question is refused, the others cannot be asked, and what else is lacking is not known yet. */
static void fail_store(struct look *look, const char *todo, GError *error)
{
    bool refused = error_is(error, SLUICE_ERROR_NOT_PERMITTED);
    look_fail(look,
              refused ? "give the user this right, and look again: what else it lacks is listed once the store answers"
                      : todo,
              error);
}

void look_source(struct look *look)
{
    GError *error = NULL;
    if (!look->spec) {
        look_skip(look, "spec");
        return;
    }
    const struct spec_source *source = &look->spec->source;
    if (!open_store(look, source->store, &look->source, &error) ||
        !inspect(look, look->source, source->dataset, &look->source_info, &error)) {
        fail_store(look, "is source.store right, and may you read it?", error);
        return;
    }
    if (look->source_info.dataset_present) {
        tell_size(look, &look->source_info, source->store, source->dataset);
        judge_until(look);
        return;
    }
    look->source_info = (struct store_info){0};
    error_set(&error, SLUICE_ERROR_NOT_FOUND, "%s: there is no dataset '%s'", source->store, source->dataset);
    look_fail(look, "name what is there in source.dataset", error);
}

/* Where the store lies in the file system: whether this user may write there. Elsewhere nothing is known. */
static bool may_write(struct look *look, const struct store_driver *driver, GError **error)
{
    g_autofree char *place = NULL, *expanded = NULL;
    g_autofree char *dir = g_canonicalize_filename(look->spec->dir, NULL);
    struct store_config config = {.base_dir = dir, .read_only = true, .driver = driver};
    struct world_room room;
    if (!driver->locate)
        return true;
    if (!spec_secret_expand(look->config->world, look->spec->dir, look->spec->target.store, &expanded, error))
        return false;
    config.uri = expanded;
    if (!driver->locate(&config, look->config->world, &place, error))
        return false;
    if (!g_path_is_absolute(place))
        return true;
    return file_room(look->config->world, place, &room, error) &&
           (room.writable ||
            error_set(error, SLUICE_ERROR_NOT_PERMITTED, "%s: not writable by this user", look->spec->target.store));
}

static void judge_target(struct look *look, const struct store_driver *driver)
{
    const struct spec_target *target = &look->spec->target;
    GError *error = NULL;
    if (!driver->write && !driver->sink)
        error_set(&error, SLUICE_ERROR_SPEC, "%s can only be read", target->store);
    else
        may_write(look, driver, &error);
    if (error)
        look_fail(look, "name a target that you may write in target.store", error);
    else if (look->target_info.writer_pid) {
        error_set(&error, SLUICE_ERROR_LOCKED,
                  "%s: process %" G_GINT64_FORMAT " has it open, and only one process at a time may write it",
                  target->store, look->target_info.writer_pid);
        look_fail(look, "let that process end; a run that goes on in it is shown by `sluice status`", error);
    } else if (look->target_new || !look->target_info.dataset_present)
        look_ok(look, "%s#%s: not there yet, will be made", target->store, target->dataset);
    else
        tell_size(look, &look->target_info, target->store, target->dataset);
}

void look_target(struct look *look)
{
    GError *error = NULL;
    if (!look->spec) {
        look_skip(look, "spec");
        return;
    }
    const struct spec_target *target = &look->spec->target;
    if (!open_store(look, target->store, &look->target, &error) && error_is(error, SLUICE_ERROR_NOT_FOUND)) {
        look->target_new = true;
        g_clear_error(&error);
    } else if (!error)
        inspect(look, look->target, target->dataset, &look->target_info, &error);
    const struct store_driver *driver = look->target ? store_driver(look->target)
                                        : error      ? NULL
                                                     : store_driver_of(target->store, &error);
    if (error)
        fail_store(look, "is target.store right, and may you read it?", error);
    else
        judge_target(look, driver);
}

/* --- their servers
 * ------------------------------------------------------------------------------------------------------ */

static void tell_remark(struct look *look, const char *label, const struct store_remark *remark)
{
    GError *error = NULL;
    switch (remark->level) {
    case REMARK_OK:
        look_ok(look, "%s: %s", label, remark->text);
        break;
    case REMARK_WARN:
        look_warn(look, remark->todo, "%s: %s", label, remark->text);
        break;
    case REMARK_FAIL:
        error_set(&error, SLUICE_ERROR_REFUSED, "%s: %s", label, remark->text);
        look_fail(look, remark->todo, error);
        break;
    }
}

static void put_number(GString *into, const char *before, int64_t number, const char *behind)
{
    char text[UNITS_TEXT];
    if (number >= 0)
        g_string_append_printf(into, "%s%s%s", before, units_count((uint64_t)number, text), behind);
}

static void put_memory(GString *into, const struct node_health *health)
{
    char used[UNITS_TEXT], most[UNITS_TEXT];
    if (health->memory_bytes < 0)
        return;
    g_string_append_printf(into, ", %s", units_bytes((uint64_t)health->memory_bytes, used));
    if (health->memory_limit_bytes > 0)
        g_string_append_printf(into, " of %s", units_bytes((uint64_t)health->memory_limit_bytes, most));
}

/* A remark for each server: how it feels now. */
static bool remark_health(struct session *session, const struct call *call, GArray *into, GError **error)
{
    g_autoptr(GArray) nodes = g_array_new(FALSE, FALSE, sizeof(struct node_health));
    if (!store_can(session_driver(session), CAN_HEALTH))
        return true;
    if (!store_health(session, call, nodes, error))
        return false;
    for (guint i = 0; i < nodes->len; i++) {
        const struct node_health *health = &g_array_index(nodes, struct node_health, i);
        g_autoptr(GString) text = g_string_new(NULL);
        g_string_append_printf(text, "%s answers in %.2f ms", health->node, (double)health->round_trip_us / 1000);
        put_number(text, ", ", health->ops_per_s, " calls/s");
        put_number(text, ", ", health->clients, " clients");
        put_memory(text, health);
        put_number(text, ", ", health->replicas, " replicas in step");
        put_number(text, ", ", health->slow_calls, " slow calls logged");
        struct store_remark remark = {.level = REMARK_OK, .text = arena_text(call->mem, slice_of_text(text->str))};
        if (!remark.text)
            return error_set(error, SLUICE_ERROR_TOO_BIG, "what the servers say does not fit into memory");
        g_array_append_val(into, remark);
    }
    return true;
}

/* What stands in the way of the expectations about sets beside the target's records. */
static bool remark_indexes(struct look *look, struct session *session, GArray *into, GError **error)
{
    const struct spec *spec = look->spec;
    bool ok = true;
    for (size_t i = 0; ok && i < spec->n_expects; i++) {
        struct dataset ds = {.name = spec->expects[i].index, .form = FORM_RAW};
        struct call call = {.ds = &ds, .mem = look->mem};
        if (spec->expects[i].what == SPEC_EXPECT_INDEX && store_can(session_driver(session), CAN_MEMBERS))
            ok = store_members_examine(session, &call, into, error);
    }
    return ok;
}

/* Whether anything was found: each but the last is a finding of its own. */
static bool look_server(struct look *look, struct store *store, const struct dataset *ds, const char *uri, bool writes,
                        bool found)
{
    GError *error = NULL;
    auto_(session) session = NULL;
    g_autofree char *label = store_label(uri);
    g_autoptr(GArray) remarks = g_array_new(FALSE, FALSE, sizeof(struct store_remark));
    struct call call = {.ds = ds, .mem = look->mem};
    bool ok =
        !store ||
        (store_session_open(&session, store, &error) && store_examine(session, &call, writes, remarks, &error) &&
         (!writes || remark_indexes(look, session, remarks, &error)) && remark_health(session, &call, remarks, &error));
    for (guint i = 0; i < remarks->len; i++, found = true) {
        if (found)
            look_again(look);
        tell_remark(look, label, &g_array_index(remarks, struct store_remark, i));
    }
    if (!ok) {
        if (found)
            look_again(look);
        look_fail(look, "is the store reached, and may you read it?", error);
    }
    return found || !ok;
}

void look_servers(struct look *look)
{
    if (!look->spec || (!look->source && !look->target)) {
        look_skip(look, look->spec ? "source" : "spec");
        return;
    }
    const struct spec *spec = look->spec;
    struct dataset source = {.name = spec->source.dataset}, target = {.name = spec->target.dataset};
    bool found = look_server(look, look->target, &target, spec->target.store, true, false);
    if (look->source && look->source != look->target)
        found = look_server(look, look->source, &source, spec->source.store, false, found);
    if (!found)
        look_ok(look, "source and target are no servers");
}

/* --- the lock
 * ---------------------------------------------------------------------------------------------------------- */

static void judge_lock(struct look *look, const struct store_lock *lock)
{
    GError *error = NULL;
    g_autofree char *absolute = g_canonicalize_filename(look->config->home, NULL);
    size_t len = strlen(look->spec->name);
    bool ours = strcmp(lock->home, absolute) == 0;
    bool same = ours && strncmp(lock->run, look->spec->name, len) == 0 && lock->run[len] == '.';
    if (same) {
        look_ok(look, "held by %s, an earlier run of this spec; whether it stands in the way, `runs` says", lock->run);
        return;
    }
    error_set(&error, SLUICE_ERROR_LOCKED, "held by run %s of home %s on %s", lock->run, lock->home, lock->host);
    look_fail(
        look,
        ours ? "`sluice status` shows that run: let it end, take it back, or abort it"
             : "let that run end; if it is known to be dead, `sluice run --force-unlock` takes the lock, on record",
        error);
}

void look_lock(struct look *look)
{
    GError *error = NULL;
    auto_(session) session = NULL;
    struct store_lock lock = {0};
    bool held = false;
    if (!look->spec || (!look->target && !look->target_new)) {
        look_skip(look, look->spec ? "target" : "spec");
        return;
    }
    struct dataset ds = {.name = look->spec->target.dataset};
    struct call call = {.ds = &ds, .mem = look->mem};
    const struct write_ops *write = look->target ? store_driver(look->target)->write : NULL;
    if (!write || !write->lock_read)
        look_ok(look, look->target_new ? "the target is new: nobody holds it"
                                       : "the target keeps no lock: each run writes files of its own");
    else if (!store_session_open(&session, look->target, &error) ||
             !store_lock_read(session, &call, &lock, &held, &error))
        look_fail(look, "may you read the target?", error);
    else if (held)
        judge_lock(look, &lock);
    else
        look_ok(look, "free");
}

/* --- the plan
 * ---------------------------------------------------------------------------------------------------------- */

static void tell_plan(struct look *look)
{
    const struct plan *plan = look->plan;
    const char *policy = try_policy(plan);
    if (plan->sink)
        look_ok(look, "new files are written, and none is replaced");
    else if (plan->write == WRITE_SHADOW)
        look_ok(
            look,
            "a shadow is written beside the target, which needs room for it; `sluice promote` makes it live, and what "
            "changed meanwhile is decided by %s",
            policy);
    else if (plan->same_dataset)
        look_ok(look,
                "source and target are the same dataset: what the application writes meanwhile is kept, and mended");
    else if (plan->write == WRITE_FILL)
        look_ok(look, "fill: written only where there is no record yet");
    else if (plan->conflict == CONFLICT_NEWER_WINS)
        look_ok(look, "newer-wins: as good as the application's %s is", path_text(plan->spec->source.version));
    else if (plan->conflict == CONFLICT_OVERWRITE)
        look_warn(look, "give source.version and `conflict: newer-wins` where records have a version",
                  "%s: a newer record of the application is overwritten", policy);
    else
        look_ok(look, "%s: a record that is there stays", policy);
}

void look_plan(struct look *look)
{
    GError *error = NULL;
    struct plan_config config = {
        .world = look->config->world, .registry = look->config->registry, .home = look->config->home};
    if (!look->recipe_loads || !look->source_info.identity || (!look->target && !look->target_new)) {
        look_skip(look, !look->spec                   ? "spec"
                        : !look->recipe_loads         ? "transform"
                        : !look->source_info.identity ? "source"
                                                      : "target");
        return;
    }
    if (plan_look(&look->plan, &config, look->spec, &error))
        tell_plan(look);
    else
        look_fail(look, "mend the spec at the place named", error);
}

void look_clock(struct look *look)
{
    GError *error = NULL;
    char text[UNITS_TEXT];
    int64_t now = world_wall_ms(look->config->world), worst = 0;
    const struct store_info *infos[] = {&look->source_info, &look->target_info};
    if (!look->spec || !look->source_info.identity) {
        look_skip(look, look->spec ? "source" : "spec");
        return;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(infos); i++)
        if (infos[i]->identity)
            worst = MAX(worst, ABS(now - infos[i]->clock_ms));
    /* They were asked at most a few seconds ago; half a minute apart is another time. */
    if (worst <= look->spec->protect.skew_ms + 30000) {
        look_ok(look, "the stores' clocks and this machine's agree");
        return;
    }
    error_set(&error, SLUICE_ERROR_REFUSED, "a store's clock is %s away from this machine's",
              units_duration(worst, text));
    look_fail(look, "set the clocks: versions and expiries depend on them", error);
}
