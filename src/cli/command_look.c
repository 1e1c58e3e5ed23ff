/* status, list, stores: one look. */
#include "base/units.h"
#include "cli/cli.h"
#include "run/budget.h"
#include "view/look.h"

static bool open_catalog(struct cli *cli, struct catalog **ret, GError **error)
{
    return catalog_open(ret, cli->world, cli->home, CATALOG_READ_ONLY, error);
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

static void put_budget(struct cli *cli, const struct run_limit *limit)
{
    struct budget_share shares[BUDGET_KEYS];
    size_t n = budget_shares(&limit->budget, &limit->used, shares);
    for (size_t i = 0; i < n; i++)
        fprintf(cli->out, "  %-10s  %s%s\n", i ? "" : "budget", shares[i].words,
                shares[i].used >= shares[i].limit ? ": spent" : "");
    budget_shares_done(shares, n);
}

static void put_outlook(struct cli *cli, const struct look *look)
{
    const struct outlay *outlook = &look->outlook;
    const char *currency = look->limit.rates.currency;
    char used[MONEY_TEXT], in_all[MONEY_TEXT];
    if (money_given(&look->limit.rates) && outlook->known)
        fprintf(cli->out, "  cost        %s%s%s so far, about %s in all\n", money_text(outlook->cost, used),
                *currency ? " " : "", currency, money_text(outlook->in_all, in_all));
    else if (money_given(&look->limit.rates))
        fprintf(cli->out, "  cost        %s%s%s so far\n", money_text(outlook->cost, used), *currency ? " " : "",
                currency);
    if (!outlook->due_ms)
        return;
    g_autofree char *words = outlay_words(outlook, &look->limit.complete);
    fprintf(cli->out, "  slo         %s\n", words);
}

static void put_until(struct cli *cli, const struct readable *readable)
{
    g_autofree char *words = readable->until_ms ? readable_words(readable) : NULL;
    if (words)
        fprintf(cli->out, "  until       its source %s\n", words);
}

/* Each signal against its limit. */
static void put_guards(FILE *out, const struct guards_view *view)
{
    size_t i;
    const json_t *signal;
    json_array_foreach(view->signals, i, signal)
    {
        g_autofree char *text = guards_view_text(signal);
        fprintf(out, "  %-10s  %-18s %s\n", i ? "" : "guards", guards_view_name(signal), text);
    }
}

/* Where a guard does it, or the run is paused, its watchdog says so. */
static bool slows_by_rate(const struct look *look)
{
    const struct watchdog *dog = &look->guards.dog;
    bool told = dog->kind == WATCHDOG_PAUSED || (dog->kind == WATCHDOG_SLOW && g_strcmp0(dog->by, look->limit.by) != 0);
    return look->limit.by && look->held && !told;
}

/* Its holder died without a word, or was killed: nobody waits any more for what would let it go on. The caller frees;
 * NULL: what the run says of itself stands. */
static char *unheld(const struct run_row *run)
{
    const char *command = goes_on_with(run->state);
    if (run->state == RUN_PAUSED && run->guard && run->back_stage == UINT32_MAX)
        return g_strdup_printf("%s; no process waits for that: `sluice resume %s` does, and goes on then", run->reason,
                               run->name);
    return command ? g_strdup_printf("no process holds it; `sluice %s %s` goes on", command, run->name) : NULL;
}

static void status_text(struct cli *cli, struct run_row *run, const struct look *look)
{
    char rate[UNITS_TEXT], until[UNITS_TEXT];
    g_autofree char *reason = look->held ? NULL : unheld(run);
    if (reason)
        run->reason = reason;
    print_run(cli, run);
    put_budget(cli, &look->limit);
    put_outlook(cli, look);
    put_until(cli, &look->readable);
    if (look->hooks.waiting || look->hooks.failed)
        fprintf(cli->out,
                "  hooks       %" G_GUINT64_FORMAT " to be told, %" G_GUINT64_FORMAT
                " failed: `sluice hooks %s` shows them\n",
                look->hooks.waiting, look->hooks.failed, run->name);
    if (look->limit.by && look->held && look->limit.words)
        fprintf(cli->out, "  slowed by   %s: %s\n", look->limit.by, look->limit.words);
    else if (slows_by_rate(look))
        fprintf(cli->out, "  slowed by   %s, %s\n", look->limit.by, units_rate(look->limit.rate_max_per_s, rate));
    for (size_t i = 0; i < look->n_stragglers; i++) {
        g_autofree char *text = shape_straggler_text(&look->stragglers[i]);
        fprintf(cli->out, "  %-10s  %s\n", i ? "" : "lags", text);
    }
    g_autofree char *dog = look->guards.dog.by && look->guards.dog.by == look->limit.by
                               ? watchdog_beginning(&look->guards.dog)
                               : watchdog_text(&look->guards.dog);
    if (dog)
        fprintf(cli->out, "  watchdog    %s\n", dog);
    put_guards(cli->out, &look->guards);
    run->reason = NULL;
    if (look->undo_ms)
        fprintf(cli->out,
                look->undo_expired ? "  rollback    not possible since %s: its undo log has expired\n"
                                   : "  rollback    possible until %s\n",
                units_time(look->undo_ms, until));
}

static bool put_status(struct cli *cli, const struct look_from *from, struct run_row *run, struct arena *mem,
                       GError **error)
{
    struct look look;
    json_t *said;
    if (!plan_said_read(from->catalog, run, mem, &said, error))
        return false;
    bool looked = look_at_run(from, run, mem, &look, error);
    if (looked) {
        look_back(from, run, mem, &look);
        status_text(cli, run, &look);
        print_said(cli->out, said);
        look_done(&look);
    }
    json_decref(said);
    return looked;
}

static int status_of(struct cli *cli, GError **error)
{
    auto_(catalog) catalog = NULL;
    auto_(arena) mem = arena_new(64 << 20);
    struct run_row run;
    json_t *status;
    if (!open_catalog(cli, &catalog, error) || !cli_find_run(cli, catalog, mem, &run, error))
        return -1;
    struct look_from from = {.world = cli->world, .home = cli->home, .catalog = catalog};
    if (!cli_has(cli, OPTION_JSON))
        return put_status(cli, &from, &run, mem, error) ? 0 : -1;
    if (!look_status_json(&from, &run, mem, &status, error))
        return -1;
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
    struct look_from from = {.world = cli->world, .home = cli->home, .catalog = catalog};
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        struct look look;
        if (!look_at_run(&from, &runs[i], mem, &look, error)) {
            json_decref(list);
            return NULL;
        }
        json_array_append_new(list, look_json(&runs[i], &look));
        look_done(&look);
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
