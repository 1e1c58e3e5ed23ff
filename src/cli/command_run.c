/* run, resume: plan (or find), ask, drive. */
#include <unistd.h>

#include "base/units.h"
#include "cli/cli.h"

static int drive(struct cli *cli, const char *name, bool resume, GError **error)
{
    struct run_config config = cli_run_config(cli);
    struct run_result result = {0};
    int status = -1;
    if (run_forward(&config, name, resume, &result, error))
        status = print_result(cli, &result);
    run_result_done(&result);
    return status;
}

static void summary(struct cli *cli, const struct run_row *run, bool is_new)
{
    char keys[UNITS_TEXT], duplicates[UNITS_TEXT];
    uint64_t parts = 0;
    if (cli_has(cli, OPTION_JSON) || cli_has(cli, OPTION_QUIET))
        return;
    for (int i = 0; i < PART_STATE_COUNT; i++)
        parts += run->parts[i];
    fprintf(cli->err, "%s %s: %s keys in %" G_GUINT64_FORMAT " partitions -> %s (home %s)\n",
            is_new ? "planned" : "going on with", run->name, units_count(run->tally.of[OUTCOME_LISTED_], keys), parts,
            run->target, cli->home);
    if (run->tally.of[OUTCOME_DUPLICATES])
        fprintf(cli->err, "  %s superseded states of a key are left out\n",
                units_count(run->tally.of[OUTCOME_DUPLICATES], duplicates));
}

/* On a terminal a new run is asked about; elsewhere it needs --yes. An unfinished one was agreed to before. */
static bool agreed(struct cli *cli, const struct run_row *run, bool *ret, GError **error)
{
    char line[16] = {0};
    *ret = true;
    if (cli_has(cli, OPTION_YES))
        return true;
    if (!isatty(STDIN_FILENO) || !cli->terminal)
        return error_set(error, SLUICE_ERROR_USAGE,
                         "%s is planned; nobody is here to be asked: run it with --yes, or drop it with `sluice abort %s`",
                         run->name, run->name);
    fprintf(cli->err, "run it? [y/N] ");
    fflush(cli->err);
    *ret = fgets(line, sizeof line, stdin) && (line[0] == 'y' || line[0] == 'Y');
    return true;
}

static bool begin(struct cli *cli, struct run_result *planned, bool *ret_agreed, GError **error)
{
    struct run_config config = cli_run_config(cli);
    auto_(spec) spec = NULL;
    bool is_new;
    if (!spec_read(&spec, cli->world, cli->args[0], error) || !run_begin(&config, spec, planned, &is_new, error))
        return false;
    spec = NULL; /* taken over */
    summary(cli, &planned->run, is_new);
    *ret_agreed = true;
    return planned->run.state != RUN_PLANNED || agreed(cli, &planned->run, ret_agreed, error);
}

int command_run(struct cli *cli, GError **error)
{
    struct run_result planned = {0};
    bool go = false;
    int status = -1;
    if (begin(cli, &planned, &go, error) && !go) {
        fprintf(cli->err, "not run; `sluice run %s` asks again, `sluice abort %s` drops it\n", cli->args[0],
                planned.run.name);
        status = 3;
    } else if (go)
        status = drive(cli, planned.run.name, false, error);
    run_result_done(&planned);
    return status;
}

int command_resume(struct cli *cli, GError **error)
{
    return drive(cli, cli->args[0], true, error);
}
