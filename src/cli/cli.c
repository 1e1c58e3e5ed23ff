#include "cli/cli.h"

#include <unistd.h>

#include "base/nearest.h"

struct run_config cli_run_config(struct cli *cli)
{
    return (struct run_config){.world = cli->world,
                               .registry = cli->registry,
                               .home = cli->home,
                               .act = {.actor = cli->actor, .reason = cli->values[OPTION_REASON]},
                               .signals = cli->signals,
                               .event = progress_event,
                               .event_self = cli->progress,
                               .force_unlock = cli_has(cli, OPTION_FORCE_UNLOCK),
                               .again = cli_has(cli, OPTION_AGAIN)};
}

static bool unknown_command(const char *name, GError **error)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    const struct command *command;
    for (size_t i = 0; (command = command_at(i)); i++)
        g_ptr_array_add(names, (void *)command->name);
    const char *nearest = nearest_word(name, (const char *const *)names->pdata, names->len);
    if (nearest)
        return error_set(error, SLUICE_ERROR_USAGE, "sluice: there is no command '%s'; did you mean '%s'?", name, nearest);
    return error_set(error, SLUICE_ERROR_USAGE, "sluice: there is no command '%s'; `sluice help` lists them", name);
}

/* Errors go to standard error for people; with --json also as the last object of standard output. */
static int report(struct cli *cli, GError *error)
{
    int status = error_exit_status(error);
    if (cli->progress)
        progress_break(cli->progress);
    if (cli_has(cli, OPTION_JSON))
        print_json(cli, json_pack("{s:s, s:s, s:i, s:o}", "type", "error", "error", error_row((enum error_code)error->code)->name,
                                  "exit", status, "message", json_text_or_null(error->message)));
    fprintf(cli->err, "sluice: %s\n", error->message);
    g_error_free(error);
    return status;
}

static int call(struct cli *cli, const struct command *command)
{
    GError *error = NULL;
    cli->home = g_strdup(cli_has(cli, OPTION_HOME) ? cli->values[OPTION_HOME] : ".sluice");
    cli->actor = g_strdup_printf("%s@%s", g_get_user_name(), g_get_host_name());
    cli->progress = progress_new(cli);
    int status = command->call(cli, &error);
    return error ? report(cli, error) : status;
}

static void cli_done(struct cli *cli)
{
    g_clear_pointer(&cli->progress, progress_free);
    g_clear_pointer(&cli->registry, store_registry_free);
    g_free(cli->home);
    g_free(cli->actor);
    g_free(cli->args);
}

int cli_main(const struct cli_start *start)
{
    struct cli cli = {.world = start->world,
                      .signals = start->signals,
                      .registry = store_registry_new(start->world, start->extra),
                      .out = stdout,
                      .err = stderr,
                      .terminal = isatty(STDERR_FILENO)};
    GError *error = NULL;
    int status = 0;
    const char *name = start->argc > 1 ? start->argv[1] : "help";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        name = "help";
    if (strcmp(name, "--version") == 0)
        name = "version";
    const struct command *command = command_find(name);
    if (!command)
        unknown_command(name, &error);
    if (error || !cli_parse(&cli, command, start->argc > 2 ? start->argc - 2 : 0, start->argv + 2, &error))
        status = report(&cli, error);
    else if (cli_has(&cli, OPTION_HELP))
        help_command(cli.out, command);
    else
        status = call(&cli, command);
    cli_done(&cli);
    return fflush(stdout) == 0 ? status : 1;
}
