/* status, list, stores: one look. */
#include "base/units.h"
#include "catalog/lock.h"
#include "cli/guards.h"
#include "run/budget.h"
#include "run/retain.h"

static bool open_catalog(struct cli *cli, struct catalog **ret, GError **error)
{
    return catalog_open(ret, cli->world, cli->home, CATALOG_READ_ONLY, error);
}

/* Whether a process drives the run at this moment. */
static bool is_held(struct cli *cli, const struct run_row *run, bool *ret, GError **error)
{
    struct run_holder holder;
    if (!run_lock_holder(&holder, cli->world, cli->home, run->name, error))
        return false;
    *ret = holder.live;
    return true;
}

/* What goes on with a run that says that it is at work; NULL: its state holds without a process. */
static const char *goes_on_with(enum run_state state)
{
    static const char *const COMMANDS[RUN_STATE_COUNT] = {[RUN_RUNNING] = "resume",
                                                          [RUN_VERIFYING] = "resume",
                                                          [RUN_PROMOTING] = "resume",
                                                          [RUN_ROLLING_BACK] = "rollback"};
    return COMMANDS[state];
}

/* Whether a process drives it, and what limits that one. A run that is over asks for no look at its lock. */
struct driven {
    struct delivery_counts hooks; /* that were not told */
    bool held;
    struct run_limit limit;
    struct straggler *stragglers;
    size_t n_stragglers;
    struct guards_view guards;
    int64_t undo_ms;   /* a rollback is possible until then; 0: no limit, or nothing to take back */
    bool undo_expired; /* … and was */
};

/* Of a run that is over and not taken back. */
static bool look_at_undo(struct catalog *catalog, const struct run_row *run, struct driven *io, GError **error)
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

static bool look_at_guards(struct cli *cli, struct catalog *catalog, const struct run_row *run, struct arena *mem,
                           struct driven *io, GError **error)
{
    struct guards_wish wish = {.run = run, .held = io->held, .limited_by = io->limit.by};
    return guards_view_look(cli, catalog, &wish, mem, &io->guards, error);
}

static bool look_at_drive(struct cli *cli, struct catalog *catalog, const struct run_row *run, struct arena *mem,
                          struct driven *ret, GError **error)
{
    *ret = (struct driven){0};
    if (!catalog_delivery_counts(catalog, run->id, &ret->hooks, error))
        return false;
    if (run_state_over(run->state))
        return look_at_undo(catalog, run, ret, error) && look_at_guards(cli, catalog, run, mem, ret, error);
    if (!catalog_stragglers(catalog, run->id, mem, &ret->stragglers, &ret->n_stragglers, error))
        return false;
    if (!is_held(cli, run, &ret->held, error) || !run_limit_now(catalog, run, mem, &ret->limit, error))
        return false;
    if (!ret->held && run->state != RUN_PAUSED)
        ret->limit.by = NULL;
    if (!ret->held)
        ret->n_stragglers = 0;
    return look_at_guards(cli, catalog, run, mem, ret, error);
}

static void driven_done(struct driven *driven)
{
    guards_view_done(&driven->guards);
}

static json_t *driven_json(const struct run_row *run, const struct driven *driven)
{
    json_t *status = shape_status(run);
    json_object_set_new(status, "held", json_boolean(driven->held));
    json_object_set_new(status, "hooks",
                        json_pack("{s:I, s:I}", "waiting", (json_int_t)driven->hooks.waiting, "failed",
                                  (json_int_t)driven->hooks.failed));
    json_object_set_new(status, "stragglers", shape_stragglers(driven->stragglers, driven->n_stragglers));
    shape_limit(status, &driven->limit);
    guards_view_shape(status, &driven->guards);
    if (driven->undo_ms)
        json_object_set_new(status, "undo_until", shape_time(driven->undo_ms));
    return status;
}

static void put_budget(struct cli *cli, const struct run_limit *limit)
{
    struct budget_share shares[BUDGET_KEYS];
    size_t n = budget_shares(&limit->budget, &limit->used, shares);
    for (size_t i = 0; i < n; i++)
        fprintf(cli->out, "  %-10s  %s%s\n", i ? "" : "budget", shares[i].words,
                shares[i].used >= shares[i].limit ? ": spent" : "");
    budget_shares_done(shares, n);
}

/* Its holder died without a word, or was killed. */
static void status_text(struct cli *cli, struct run_row *run, const struct driven *driven)
{
    char rate[UNITS_TEXT], until[UNITS_TEXT];
    const char *command = driven->held ? NULL : goes_on_with(run->state);
    g_autofree char *reason =
        command ? g_strdup_printf("no process holds it; `sluice %s %s` goes on", command, run->name) : NULL;
    if (reason)
        run->reason = reason;
    print_run(cli, run);
    put_budget(cli, &driven->limit);
    if (driven->hooks.waiting || driven->hooks.failed)
        fprintf(cli->out,
                "  hooks       %" G_GUINT64_FORMAT " to be told, %" G_GUINT64_FORMAT
                " failed: `sluice hooks %s` shows them\n",
                driven->hooks.waiting, driven->hooks.failed, run->name);
    if (driven->limit.by && driven->held && driven->limit.words)
        fprintf(cli->out, "  slowed by   %s: %s\n", driven->limit.by, driven->limit.words);
    else if (driven->limit.by && driven->held)
        fprintf(cli->out, "  slowed by   %s, %s/s\n", driven->limit.by,
                units_count((uint64_t)driven->limit.rate_max_per_s, rate));
    for (size_t i = 0; i < driven->n_stragglers; i++) {
        g_autofree char *text = shape_straggler_text(&driven->stragglers[i]);
        fprintf(cli->out, "  %-10s  %s\n", i ? "" : "lags", text);
    }
    g_autofree char *dog =
        driven->guards.dog.by && driven->guards.dog.by == driven->limit.by ? NULL : watchdog_text(&driven->guards.dog);
    if (dog)
        fprintf(cli->out, "  watchdog    %s\n", dog);
    guards_view_print(cli->out, &driven->guards);
    run->reason = NULL;
    if (driven->undo_ms)
        fprintf(cli->out,
                driven->undo_expired ? "  rollback    not possible since %s: its undo log has expired\n"
                                     : "  rollback    possible until %s\n",
                units_time(driven->undo_ms, until));
}

static int status_of(struct cli *cli, GError **error)
{
    auto_(catalog) catalog = NULL;
    auto_(arena) mem = arena_new(64 << 20);
    struct run_row run;
    struct stage_row *stages;
    size_t n;
    struct driven driven;
    json_t *said;
    if (!open_catalog(cli, &catalog, error) || !cli_find_run(cli, catalog, mem, &run, error) ||
        !catalog_stages(catalog, run.id, mem, &stages, &n, error) ||
        !look_at_drive(cli, catalog, &run, mem, &driven, error))
        return -1;
    if (!plan_said_read(catalog, &run, mem, &said, error)) {
        driven_done(&driven);
        return -1;
    }
    if (!cli_has(cli, OPTION_JSON)) {
        status_text(cli, &run, &driven);
        print_said(cli->out, said);
        json_decref(said);
        driven_done(&driven);
        return 0;
    }
    json_t *status = driven_json(&run, &driven);
    driven_done(&driven);
    json_object_update(status, said);
    json_decref(said);
    json_object_set_new(status, "stage", shape_text(run.stage < n ? stages[run.stage].name : NULL));
    json_object_set_new(status, "stages", shape_stages(stages, n));
    print_json(cli, status);
    return 0;
}

int command_status(struct cli *cli, GError **error)
{
    return cli_each(cli, status_of, error);
}

static void list_text(struct cli *cli, const struct run_row *runs, size_t n)
{
    g_autoptr(GPtrArray) cells = g_ptr_array_new_with_free_func(g_free);
    const char *const heads[] = {"RUN", "STATE", "STARTED", "LISTED", "WRITTEN", "TARGET"};
    char text[UNITS_TEXT];
    for (size_t i = 0; i < G_N_ELEMENTS(heads); i++)
        g_ptr_array_add(cells, g_strdup(heads[i]));
    for (size_t i = 0; i < n; i++) {
        g_ptr_array_add(cells, g_strdup(runs[i].name));
        g_ptr_array_add(cells, g_strdup(run_state_word(runs[i].state)));
        g_ptr_array_add(cells, g_strdup(units_time(runs[i].started_ms, text)));
        g_ptr_array_add(cells, g_strdup(units_count(runs[i].tally.of[OUTCOME_LISTED_], text)));
        g_ptr_array_add(cells, g_strdup(units_count(runs[i].tally.of[OUTCOME_WRITTEN], text)));
        g_ptr_array_add(cells, g_strdup(runs[i].target));
    }
    print_table(cli->out, (const char *const *)cells->pdata, G_N_ELEMENTS(heads), n + 1);
}

static json_t *list_json(struct cli *cli, struct catalog *catalog, const struct run_row *runs, size_t n,
                         struct arena *mem, GError **error)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        struct driven driven;
        if (!look_at_drive(cli, catalog, &runs[i], mem, &driven, error)) {
            json_decref(list);
            return NULL;
        }
        json_array_append_new(list, driven_json(&runs[i], &driven));
        driven_done(&driven);
    }
    return list;
}

int command_list(struct cli *cli, GError **error)
{
    auto_(catalog) catalog = NULL;
    auto_(arena) mem = arena_new(64 << 20);
    struct run_row *runs;
    size_t n;
    if (!open_catalog(cli, &catalog, error) || !catalog_runs(catalog, mem, &runs, &n, error))
        return -1;
    if (!cli_has(cli, OPTION_JSON)) {
        list_text(cli, runs, n);
        return 0;
    }
    json_t *list = list_json(cli, catalog, runs, n, mem, error);
    if (!list)
        return -1;
    print_json(cli, json_pack("{s:s, s:o}", "type", "list", "runs", list));
    return 0;
}

static json_t *store_json(const struct store_driver *driver)
{
    json_t *schemes = json_array(), *can = json_object();
    for (const char *const *scheme = driver->schemes; *scheme; scheme++)
        json_array_append_new(schemes, json_string(*scheme));
    for (int i = 0; i < CAN_COUNT; i++)
        json_object_set_new(can, capability_row((enum capability)i)->name,
                            json_boolean(store_can(driver, (enum capability)i)));
    return json_pack("{s:s, s:o, s:s, s:o}", "name", driver->name, "schemes", schemes, "words", driver->words, "can",
                     can);
}

static void store_text(struct cli *cli, const struct store_driver *driver)
{
    fprintf(cli->out, "%-10s %s\n%-10s can:", driver->name, driver->words, "");
    for (int i = 0; i < CAN_COUNT; i++)
        if (store_can(driver, (enum capability)i))
            fprintf(cli->out, " %s", capability_row((enum capability)i)->name);
    fputc('\n', cli->out);
}

int command_stores(struct cli *cli, GError **error)
{
    json_t *list = json_array();
    for (const struct store_driver *const *driver = store_drivers(); *driver; driver++) {
        if (cli_has(cli, OPTION_JSON))
            json_array_append_new(list, store_json(*driver));
        else
            store_text(cli, *driver);
    }
    if (cli_has(cli, OPTION_JSON))
        print_json(cli, json_pack("{s:s, s:o}", "type", "stores", "stores", list));
    else
        json_decref(list);
    return 0;
}
