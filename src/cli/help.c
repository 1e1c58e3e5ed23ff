#include "cli/cli.h"

static void all_text(FILE *out)
{
    fprintf(
        out,
        "sluice runs staged backfills on live NoSQL clusters.\n\nusage: sluice COMMAND [ARGUMENTS] [--OPTION …]\n\n");
    const struct command *command;
    for (size_t i = 0; (command = command_at(i)); i++) {
        g_autofree char *call = g_strconcat(command->name, " ", command->arguments, NULL);
        fprintf(out, "  %-24s %s\n", call, command->words);
    }
    fprintf(
        out,
        "\n`sluice help COMMAND` says what a command takes. `--json` gives every command a form for programs.\n"
        "Every option may also be given as a variable: SLUICE_HOME for --home, SLUICE_NO_COLOR=1 for --no-color.\n");
}

static void option_text(FILE *out, enum option option)
{
    const char *form = option_value_form(option);
    g_autofree char *call = g_strconcat("--", option_name(option), form ? " " : "", form ? form : "", NULL);
    fprintf(out, "  %-18s %s\n", call, option_words(option));
}

static void command_text(FILE *out, const struct command *command)
{
    fprintf(out, "usage: sluice %s%s%s\n\n%s\n", command->name, *command->arguments ? " " : "", command->arguments,
            command->words);
    if (*command->more)
        fprintf(out, "\n%s\n", command->more);
    fprintf(out, "\noptions:\n");
    for (size_t i = 0; command->options[i] != OPTION_COUNT; i++)
        option_text(out, command->options[i]);
    for (int i = 0; i < OPTION_COUNT; i++)
        if (option_is_common((enum option)i))
            option_text(out, (enum option)i);
}

static json_t *option_json(enum option option)
{
    g_autofree char *variable = option_variable(option);
    return json_pack("{s:s, s:o, s:s, s:s}", "name", option_name(option), "value",
                     shape_text(option_value_form(option)), "variable", variable, "words", option_words(option));
}

static json_t *command_json(const struct command *command)
{
    json_t *options = json_array();
    for (size_t i = 0; command->options[i] != OPTION_COUNT; i++)
        json_array_append_new(options, option_json(command->options[i]));
    for (int i = 0; i < OPTION_COUNT; i++)
        if (option_is_common((enum option)i))
            json_array_append_new(options, option_json((enum option)i));
    return json_pack("{s:s, s:s, s:s, s:s, s:o}", "name", command->name, "arguments", command->arguments, "words",
                     command->words, "json", command->json == COMMAND_LINES ? "lines" : "document", "options", options);
}

void help_command(struct cli *cli, const struct command *only)
{
    const struct command *command;
    if (!cli_has(cli, OPTION_JSON)) {
        only ? command_text(cli->out, only) : all_text(cli->out);
        return;
    }
    json_t *list = json_array();
    for (size_t i = 0; (command = command_at(i)); i++)
        if (!only || command == only)
            json_array_append_new(list, command_json(command));
    print_json(cli, json_pack("{s:s, s:o}", "type", "help", "commands", list));
}

int command_help(struct cli *cli, GError **error)
{
    const struct command *command = cli->n_args ? command_find(cli->args[0]) : NULL;
    if (cli_has(cli, OPTION_MAN)) {
        help_manual(cli->out);
        return 0;
    }
    if (cli->n_args && !command) {
        cli_unknown_command(cli->args[0], error);
        return -1;
    }
    help_command(cli, command);
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
