/* export: metrics, and what other tools need to watch runs. */
#include "base/file.h"
#include "cli/cli.h"
#include "metrics/export.h"
#include "metrics/metrics.h"
#include "plan/texts.h"

/* Into the file of -o, or to standard output. */
static bool deliver(struct cli *cli, const char *path, const GString *text, GError **error)
{
    if (path)
        return file_replace_durable(cli->world, path, slice_of(text->str, text->len), error);
    fwrite(text->str, 1, text->len, cli->out);
    return true;
}

/* --- the spec that is meant --------------------------------------------------------------------------------------- */

struct meant {
    struct spec *spec;
    char *run; /* what its runs are called in commands */
};

static void meant_done(struct meant *meant)
{
    spec_free(meant->spec);
    g_free(meant->run);
}

/* As the run was made from it, whatever the file says by now. */
static bool take_run(struct cli *cli, const char *name, struct meant *io, GError **error)
{
    auto_(catalog) catalog = NULL;
    auto_(arena) mem = arena_new(1 << 20);
    struct run_row run;
    struct plan_config config = {.world = cli->world, .home = cli->home};
    if (!catalog_open(&catalog, cli->world, cli->home, CATALOG_READ_ONLY, error) ||
        !catalog_run_get(catalog, name, mem, &run, error) || !plan_texts_spec(&config, catalog, &run, &io->spec, error))
        return false;
    io->run = g_strdup(run.name);
    return true;
}

static bool take_meant(struct cli *cli, struct meant *io, GError **error)
{
    const char *argument = cli->args[1];
    if (!cli_is_spec(argument))
        return cli_no_params(cli, argument, error) && take_run(cli, argument, io, error);
    if (!cli_spec_read(cli, argument, &io->spec, error))
        return false;
    io->run = g_strdup(io->spec->name);
    return true;
}

/* --- what is exported --------------------------------------------------------------------------------------------- */

static bool export_of_metrics(struct cli *cli, GString *into, GError **error)
{
    auto_(catalog) catalog = NULL;
    auto_(arena) mem = arena_new(1 << 20);
    struct run_row run;
    struct metrics_source source = {.world = cli->world};
    if (!catalog_open(&catalog, cli->world, cli->home, CATALOG_READ_ONLY, error) ||
        (cli->n_args > 1 && !catalog_run_get(catalog, cli->args[1], mem, &run, error)))
        return false;
    source.catalog = catalog;
    source.run = cli->n_args > 1 ? run.name : NULL;
    bool ok = metrics_render(&source, into, error);
    metrics_source_done(&source);
    return ok;
}

static bool export_of_alerts(struct cli *cli, GString *into, GError **error)
{
    struct meant meant = {0};
    const char *runbook = cli->values[OPTION_RUNBOOK];
    bool ok = cli->n_args == 1 || take_meant(cli, &meant, error);
    if (ok)
        export_alerts(&(struct export_alerts){.spec = meant.spec, .runbook = runbook}, into);
    meant_done(&meant);
    return ok;
}

static bool export_of_runbook(struct cli *cli, GString *into, GError **error)
{
    struct meant meant = {0};
    if (cli->n_args == 1)
        return error_set(error, SLUICE_ERROR_USAGE, "export runbook: a spec was expected, or a run");
    bool ok = take_meant(cli, &meant, error);
    if (ok)
        export_runbook(meant.spec, meant.run, into);
    meant_done(&meant);
    return ok;
}

/* --- dashboards --------------------------------------------------------------------------------------------------- */

static bool write_boards(struct cli *cli, GError **error)
{
    const char *dir = cli->values[OPTION_OUT];
    if (!file_make_dirs(cli->world, dir, error))
        return false;
    for (int i = 0; i < EXPORT_BOARDS; i++) {
        g_autoptr(GString) text = g_string_new(NULL);
        g_autofree char *name = g_strdup_printf("sluice-%s.json", export_board_name((enum export_board)i));
        g_autofree char *path = g_build_filename(dir, name, NULL);
        export_board_put((enum export_board)i, text);
        if (!deliver(cli, path, text, error))
            return false;
        if (!cli_has(cli, OPTION_QUIET))
            fprintf(cli->err, "written: %s\n", path);
    }
    return true;
}

/* One of them, or with -o all three, each a file of the folder. */
static bool export_of_grafana(struct cli *cli, GString *into, GError **error)
{
    if (cli->n_args == 1)
        return cli_has(cli, OPTION_OUT) ||
               error_set(error, SLUICE_ERROR_USAGE,
                         "export grafana: overview, on-call or debug was expected, or -o DIR");
    enum export_board board;
    if (!export_board_find(cli->args[1], &board, error))
        return error_add(error, "export grafana");
    export_board_put(board, into);
    return true;
}

static const struct {
    const char *what;
    bool (*make)(struct cli *cli, GString *into, GError **error);
} EXPORTS[] = {{"metrics", export_of_metrics},
               {"alerts", export_of_alerts},
               {"grafana", export_of_grafana},
               {"runbook", export_of_runbook}};

static int export_one(struct cli *cli, size_t i, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);
    bool folder = strcmp(EXPORTS[i].what, "grafana") == 0 && cli->n_args == 1;
    if (!EXPORTS[i].make(cli, text, error))
        return -1;
    return (folder ? write_boards(cli, error) : deliver(cli, cli->values[OPTION_OUT], text, error)) ? 0 : -1;
}

int command_export(struct cli *cli, GError **error)
{
    for (size_t i = 0; i < G_N_ELEMENTS(EXPORTS); i++)
        if (strcmp(cli->args[0], EXPORTS[i].what) == 0)
            return export_one(cli, i, error);
    error_set(error, SLUICE_ERROR_USAGE, "export %s: metrics, alerts, grafana or runbook was expected", cli->args[0]);
    return -1;
}
