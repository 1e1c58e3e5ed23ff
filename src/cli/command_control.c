/* pause, abort, rollback, verify. */
#include <unistd.h>

#include "base/units.h"
#include "cli/cli.h"

static int wished(struct cli *cli, enum wish_kind kind, const char *go_on, GError **error)
{
    struct run_config config = cli_run_config(cli);
    struct run_result result = {0};
    bool taken = false;
    int status = -1;
    if (run_wish(&config, cli->args[0], kind, &result, &taken, error)) {
        if (cli_has(cli, OPTION_JSON))
            print_json(cli, json_pack("{s:s, s:s, s:b}", "type", "wish", "run", result.run.name, "taken", taken));
        else if (taken)
            fprintf(cli->out, "%s: taken; its batches in flight are being finished\n", result.run.name);
        else
            fprintf(cli->out, "%s: recorded; continue with `sluice %s %s`\n", result.run.name, go_on, result.run.name);
        status = 0;
    }
    run_result_done(&result);
    return status;
}

int command_pause(struct cli *cli, GError **error)
{
    return wished(cli, WISH_PAUSE, "resume", error);
}

/* Where a process holds the run it is asked to end it; otherwise we end it here. */
int command_abort(struct cli *cli, GError **error)
{
    struct run_config config = cli_run_config(cli);
    struct run_result result = {0};
    g_autoptr(GError) failed = NULL;
    int status = -1;
    if (run_abort(&config, cli->args[0], &result, &failed))
        status = print_result(cli, &result);
    else if (error_is(failed, SLUICE_ERROR_LOCKED))
        status = wished(cli, WISH_ABORT, "abort", error);
    else
        g_propagate_error(error, g_steal_pointer(&failed));
    run_result_done(&result);
    return status;
}

static bool agreed(struct cli *cli, const struct run_back_plan *plan)
{
    char keys[UNITS_TEXT], line[16] = {0};
    if (cli_has(cli, OPTION_YES) || !isatty(STDIN_FILENO) || !cli->terminal)
        return true;
    fprintf(cli->err, "take back %s keys of %s? [y/N] ", units_count(plan->keys, keys), cli->args[0]);
    fflush(cli->err);
    return fgets(line, sizeof line, stdin) && (line[0] == 'y' || line[0] == 'Y');
}

static int dry_run(struct cli *cli, const struct run_back_plan *plan)
{
    char keys[UNITS_TEXT];
    if (cli_has(cli, OPTION_JSON))
        print_json(cli, json_pack("{s:s, s:s, s:I}", "type", "rollback-plan", "run", cli->args[0], "keys",
                                  (json_int_t)plan->keys));
    else
        fprintf(cli->out, "%s: about %s keys would be taken back, as far as the application has not written them since\n",
                cli->args[0], units_count(plan->keys, keys));
    return 0;
}

int command_rollback(struct cli *cli, GError **error)
{
    struct run_config config = cli_run_config(cli);
    struct run_back_plan plan = {0};
    struct run_result result = {0};
    int status = -1;
    if (!run_back_preview(&config, cli->args[0], cli->values[OPTION_STAGE], &plan, error))
        return -1;
    if (cli_has(cli, OPTION_DRY_RUN))
        return dry_run(cli, &plan);
    if (!agreed(cli, &plan))
        return 3;
    if (run_back(&config, cli->args[0], cli->values[OPTION_STAGE], &result, error)) {
        status = print_result(cli, &result);
        if (result.run.tally.of[OUTCOME_LEFT] && !cli_has(cli, OPTION_JSON) && !cli_has(cli, OPTION_QUIET))
            fprintf(cli->out, "keys left alone: %s/reports/%s/notes.ndjson\n", cli->home, result.run.name);
    }
    run_result_done(&result);
    return status;
}

static bool is_spec(const char *argument)
{
    return strchr(argument, '/') || g_str_has_suffix(argument, ".yaml") || g_str_has_suffix(argument, ".yml");
}

static bool verify_spec(struct cli *cli, const struct run_config *config, struct verify_result *ret, GError **error)
{
    struct spec *spec = NULL;
    return spec_read(&spec, cli->world, cli->args[0], error) && run_verify_spec(config, spec, ret, error);
}

int command_verify(struct cli *cli, GError **error)
{
    struct run_config config = cli_run_config(cli);
    struct verify_result result = {0};
    bool done = is_spec(cli->args[0]) ? verify_spec(cli, &config, &result, error)
                                      : run_verify(&config, cli->args[0], &result, error);
    if (!done)
        return -1;
    progress_break(cli->progress);
    if (cli_has(cli, OPTION_JSON))
        fprintf(cli->out, "%s\n", result.json);
    else
        fprintf(cli->out, "%s: %s\nreport: %s\n", result.pass ? "pass" : "fail", result.sentence, result.report_path);
    int status = result.pass ? 0 : 4;
    verify_result_done(&result);
    return status;
}
