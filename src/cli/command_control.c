/* pause, abort, rollback. */
#include "base/units.h"
#include "catalog/lock.h"
#include "cli/cli.h"

struct wished {
    struct run_wish wish;
    struct wish_words words;
};

static int wished(struct cli *cli, const struct wished *wished, enum run_heard *ret, GError **error)
{
    struct run_config config = cli_run_config(cli);
    config.back_pace = cli->values[OPTION_PACE];
    struct run_result result = {0};
    int status = -1;
    if (run_wish(&config, cli->args[0], &wished->wish, &result, ret, error))
        status = 0;
    if (status == 0 && (*ret != RUN_UNHELD || wished->wish.kind == WISH_PAUSE))
        print_wish(cli, &result, *ret == RUN_HEARD, &wished->words);
    run_result_done(&result);
    return status;
}

#define TURNS 3

/* Here, or where a process holds the run, by that one. It may end just then, and another take its place: hence some
 * turns. A lock of which no holder of the run knows is the store's. */
static int here_or_there(struct cli *cli, int (*here)(struct cli *, GError **), const struct wished *there,
                         GError **error)
{
    for (int turn = 1;; turn++) {
        GError *failed = NULL;
        enum run_heard heard = RUN_UNHELD;
        int status = here(cli, &failed);
        if (status >= 0)
            return status;
        if (turn == TURNS || !error_is(failed, SLUICE_ERROR_LOCKED)) {
            g_propagate_error(error, failed);
            return -1;
        }
        g_error_free(failed);
        status = wished(cli, there, &heard, error);
        if (status < 0 || heard != RUN_UNHELD)
            return status;
    }
}

static int pause_one(struct cli *cli, GError **error)
{
    static const struct wished PAUSE = {{.kind = WISH_PAUSE},
                                        {"it pauses when its batches in flight are finished", "resume"}};
    enum run_heard heard;
    return wished(cli, &PAUSE, &heard, error);
}

/* What is paused already may be about to go on: then somebody holds it. */
static bool to_pause(struct cli *cli, const struct run_row *run)
{
    struct run_holder holder;
    bool by_someone = run->state == RUN_PAUSED && !run->guard;
    if (run_state_over(run->state))
        return false;
    return (!by_someone && run_state_may(run->state, RUN_PAUSED)) ||
           (run_lock_holder(&holder, cli->world, cli->home, run->name, NULL) && holder.live);
}

static bool find_open(struct cli *cli, struct arena *mem, GPtrArray *into, GError **error)
{
    auto_(catalog) catalog = NULL;
    struct run_row *runs;
    size_t n;
    if (!catalog_open(&catalog, cli->world, cli->home, CATALOG_READ_ONLY, error) ||
        !catalog_runs(catalog, mem, &runs, &n, error))
        return false;
    for (size_t i = 0; i < n; i++)
        if (to_pause(cli, &runs[i]))
            g_ptr_array_add(into, (void *)runs[i].name);
    return true;
}

static int pause_all(struct cli *cli, GError **error)
{
    auto_(arena) mem = arena_new(64 << 20);
    g_autoptr(GPtrArray) open = g_ptr_array_new();
    if (!find_open(cli, mem, open, error))
        return -1;
    if (open->len == 0 && !cli_has(cli, OPTION_JSON) && !cli_has(cli, OPTION_QUIET))
        fprintf(cli->out, "%s: no run is to be paused\n", cli->home);
    if (open->len == 0)
        return 0;
    const char **args = cli->args;
    cli->args = (const char **)open->pdata;
    cli->n_args = open->len;
    int status = cli_each(cli, pause_one, error);
    cli->args = args;
    cli->n_args = 0;
    return status;
}

static int flag(struct cli *cli, bool stops, GError **error)
{
    auto_(catalog) catalog = NULL;
    struct run_config config = cli_run_config(cli);
    if (!catalog_open(&catalog, cli->world, cli->home, CATALOG_EXISTING, error) ||
        !(stops ? catalog_stop_put : catalog_stop_lift)(catalog, &config.act, error))
        return -1;
    if (cli_has(cli, OPTION_JSON))
        print_json(cli, json_pack("{s:s, s:s, s:b}", "type", "stop-all", "home", cli->home, "stands", stops));
    else if (!cli_has(cli, OPTION_QUIET))
        fprintf(cli->out, stops ? "%s: no run writes until `sluice resume --all`\n" : "%s: its runs go on\n",
                cli->home);
    return 0;
}

int cli_flag_lift(struct cli *cli, GError **error)
{
    if (cli->n_args == 0)
        return flag(cli, false, error);
    error_set(error, SLUICE_ERROR_USAGE, "resume: either runs or --all, not both; `sluice help resume` says more");
    return -1;
}

int command_pause(struct cli *cli, GError **error)
{
    bool all = cli_has(cli, OPTION_ALL), hold = cli_has(cli, OPTION_HOLD);
    if (hold && all && cli->n_args == 0)
        return flag(cli, true, error);
    if (hold) {
        error_set(error, SLUICE_ERROR_USAGE, "pause: --hold goes with --all alone; `sluice help pause` says more");
        return -1;
    }
    if (all != (cli->n_args > 0))
        return all ? pause_all(cli, error) : cli_each(cli, pause_one, error);
    error_set(error, SLUICE_ERROR_USAGE, "pause: %s; `sluice help pause` says more",
              all ? "either runs or --all, not both" : "a run was expected, or --all");
    return -1;
}

static int abort_here(struct cli *cli, GError **error)
{
    struct run_config config = cli_run_config(cli);
    struct run_result result = {0};
    int status = run_abort(&config, cli->args[0], &result, error) ? print_result(cli, &result) : -1;
    run_result_done(&result);
    return status;
}

static int abort_one(struct cli *cli, GError **error)
{
    static const struct wished ABORT = {{.kind = WISH_ABORT},
                                        {"it ends when its batches in flight are finished", "abort"}};
    return here_or_there(cli, abort_here, &ABORT, error);
}

int command_abort(struct cli *cli, GError **error)
{
    return cli_each(cli, abort_one, error);
}

static bool agreed(struct cli *cli, const struct run_back_plan *plan, bool *ret, GError **error)
{
    char keys[UNITS_TEXT];
    g_autofree char *question = g_strdup_printf("take back %s keys of %s?", units_count(plan->keys, keys), plan->run);
    g_autofree char *what = g_strdup_printf("%s keys of %s would be taken back", keys, plan->run);
    return print_ask(cli, question, what, ret, error);
}

static int dry_run(struct cli *cli, const struct run_back_plan *plan)
{
    char keys[UNITS_TEXT];
    if (cli_has(cli, OPTION_JSON))
        print_json(cli, json_pack("{s:s, s:s, s:I}", "type", "rollback-plan", "run", plan->run, "keys",
                                  (json_int_t)plan->keys));
    else
        fprintf(cli->out,
                "%s: about %s keys would be taken back, as far as the application has not written them since\n",
                plan->run, units_count(plan->keys, keys));
    return 0;
}

static int taken_back(struct cli *cli, const struct run_result *result)
{
    int status = print_result(cli, result);
    if (result->run.tally.of[OUTCOME_LEFT] && !cli_has(cli, OPTION_JSON) && !cli_has(cli, OPTION_QUIET))
        fprintf(cli->out, "keys left alone: %s/reports/%s/notes.ndjson\n", cli->home, result->run.name);
    return status;
}

static int back_here(struct cli *cli, GError **error)
{
    struct run_config config = cli_run_config(cli);
    config.back_pace = cli->values[OPTION_PACE];
    struct run_result result = {0};
    int status = -1;
    if (run_back(&config, cli->args[0], cli->values[OPTION_STAGE], &result, error))
        status = taken_back(cli, &result);
    run_result_done(&result);
    return status;
}

static int take_back(struct cli *cli, GError **error)
{
    struct wished back = {{.kind = WISH_ROLLBACK, .value = cli->values[OPTION_STAGE]},
                          {"it finishes its batches in flight and takes them back", "rollback"}};
    return here_or_there(cli, back_here, &back, error);
}

static bool is_pace(const char *text, GError **error)
{
    return !text || strcmp(text, "steady") == 0 || strcmp(text, "urgent") == 0 ||
           error_set(error, SLUICE_ERROR_USAGE, "rollback: --pace %s: expected steady or urgent", text);
}

int command_rollback(struct cli *cli, GError **error)
{
    struct run_config config = cli_run_config(cli);
    struct run_back_plan plan = {0};
    bool go = false;
    if (!is_pace(cli->values[OPTION_PACE], error) ||
        !run_back_preview(&config, cli->args[0], cli->values[OPTION_STAGE], &plan, error))
        return -1;
    if (cli_has(cli, OPTION_DRY_RUN))
        return dry_run(cli, &plan);
    if (plan.keys > 0 && !agreed(cli, &plan, &go, error))
        return -1;
    if (go || plan.keys == 0)
        return take_back(cli, error);
    fprintf(cli->err, "not taken back\n");
    return 3;
}

bool cli_is_spec(const char *argument)
{
    return strchr(argument, '/') || g_str_has_suffix(argument, ".yaml") || g_str_has_suffix(argument, ".yml");
}
