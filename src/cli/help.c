#include "cli/cli.h"

void help_all(FILE *out)
{
    fprintf(out, "sluice runs staged backfills on live NoSQL clusters.\n\nusage: sluice COMMAND [ARGUMENTS] [--OPTION …]\n\n");
    const struct command *command;
    for (size_t i = 0; (command = command_at(i)); i++) {
        g_autofree char *call = g_strconcat(command->name, " ", command->arguments, NULL);
        fprintf(out, "  %-24s %s\n", call, command->words);
    }
    fprintf(out, "\n`sluice help COMMAND` says what a command takes. `--json` gives every command a form for programs.\n");
}

static void help_option(FILE *out, enum option option)
{
    const char *form = option_value_form(option);
    g_autofree char *call = g_strconcat("--", option_name(option), form ? " " : "", form ? form : "", NULL);
    fprintf(out, "  %-18s %s\n", call, option_words(option));
}

void help_command(FILE *out, const struct command *command)
{
    fprintf(out, "usage: sluice %s %s\n\n%s\n", command->name, command->arguments, command->words);
    if (*command->more)
        fprintf(out, "\n%s\n", command->more);
    fprintf(out, "\noptions:\n");
    for (size_t i = 0; command->options[i] != OPTION_COUNT; i++)
        help_option(out, command->options[i]);
    for (int i = 0; i <= OPTION_NO_COLOR; i++)
        help_option(out, (enum option)i);
}

int command_help(struct cli *cli, GError **error)
{
    const struct command *command = cli->n_args ? command_find(cli->args[0]) : NULL;
    if (cli->n_args && !command)
        return error_set(error, SLUICE_ERROR_NOT_FOUND, "there is no command '%s'; `sluice help` lists them", cli->args[0]) ? 0 : -1;
    if (command)
        help_command(cli->out, command);
    else
        help_all(cli->out);
    return 0;
}

int command_version(struct cli *cli, GError **error)
{
    if (cli_has(cli, OPTION_JSON))
        print_json(cli, json_pack("{s:s, s:s}", "type", "version", "version", SLUICE_VERSION));
    else
        fprintf(cli->out, "sluice %s\n", SLUICE_VERSION);
    return 0;
}
