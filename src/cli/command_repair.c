/* repair: another go at the records that a verification found wrong. */
#include "cli/cli.h"

/* By the spec as it stands now: to have it mended, or what it names, may be what repairs. */
static bool run_of(struct cli *cli, const struct run_repair *repair, struct arena *mem, struct run_row *ret,
                   GError **error)
{
    auto_(catalog) catalog = NULL;
    return catalog_open(&catalog, cli->world, cli->home, CATALOG_READ_ONLY, error) &&
           catalog_run_get(catalog, repair->run, mem, ret, error);
}

int command_repair(struct cli *cli, GError **error)
{
    auto_(arena) mem = arena_new(64 << 20);
    struct run_config config = cli_run_config(cli);
    struct run_repair repair = {.asked_bucket = cli->values[OPTION_BUCKET], .extra = cli_has(cli, OPTION_EXTRA)};
    struct run_row run;
    if (repair.extra && repair.asked_bucket)
        return error_set(error, SLUICE_ERROR_USAGE, "--extra or --bucket, not both") ? 0 : -1;
    if (!run_repair_find(&config, cli->args[0], mem, &repair, error) || !run_of(cli, &repair, mem, &run, error) ||
        !cli_params_of(cli, &run, mem, error))
        return -1;
    g_autofree char *bucket = repair.asked_bucket ? g_strconcat(" --bucket ", repair.asked_bucket, NULL) : NULL;
    g_autofree char *again =
        g_strconcat("repair ", cli->args[0], repair.extra ? " --extra" : "", bucket ? bucket : "", NULL);
    struct run_asked asked = {
        .spec = cli->n_args > 1 ? cli->args[1] : run.spec_path, .retry = repair.run, .repair = &repair, .again = again};
    bool only_planned = cli_has(cli, OPTION_OUT) || cli_has(cli, OPTION_DRY_RUN);
    return only_planned ? plan_asked(cli, &asked, error) : run_asked(cli, &asked, error);
}
