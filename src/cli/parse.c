#include "base/int.h"
#include "base/nearest.h"
#include "cli/cli.h"

/* Taken by every command. */
static const enum option COMMON[] = {OPTION_HOME, OPTION_JSON, OPTION_QUIET, OPTION_NO_COLOR, OPTION_HELP};

static bool takes(const struct command *command, enum option option)
{
    for (size_t i = 0; i < G_N_ELEMENTS(COMMON); i++)
        if (COMMON[i] == option)
            return true;
    for (size_t i = 0; command->options[i] != OPTION_COUNT; i++)
        if (command->options[i] == option)
            return true;
    return false;
}

static bool unknown_option(const struct command *command, const char *name, GError **error)
{
    const char *known[OPTION_COUNT];
    size_t n = 0;
    for (int i = 0; i < OPTION_COUNT; i++)
        if (takes(command, (enum option)i))
            known[n++] = option_name((enum option)i);
    const char *nearest = nearest_word(name, known, n);
    if (nearest)
        return error_set(error, SLUICE_ERROR_USAGE, "sluice %s: unknown option '--%s'; did you mean '--%s'?",
                         command->name, name, nearest);
    return error_set(error, SLUICE_ERROR_USAGE, "sluice %s: unknown option '--%s'; `sluice help %s` shows what it takes",
                     command->name, name, command->name);
}

static bool option_of(const struct command *command, const char *name, enum option *ret, GError **error)
{
    for (int i = 0; i < OPTION_COUNT; i++)
        if (strcmp(option_name((enum option)i), name) == 0 && takes(command, (enum option)i)) {
            *ret = (enum option)i;
            return true;
        }
    return unknown_option(command, name, error);
}

/* One argument that begins with `--`; *i moves on where its value is the next one. */
static bool take_option(struct cli *cli, const struct command *command, char **argv, int argc, int *i, GError **error)
{
    enum option option = OPTION_COUNT;
    const char *equals = strchr(argv[*i], '=');
    g_autofree char *name = equals ? g_strndup(argv[*i] + 2, (size_t)(equals - argv[*i]) - 2) : g_strdup(argv[*i] + 2);
    if (!option_of(command, name, &option, error))
        return false;
    if (!option_value_form(option)) {
        cli->values[option] = "";
        return !equals || error_set(error, SLUICE_ERROR_USAGE, "--%s takes no value", name);
    }
    if (!equals && *i + 1 >= argc)
        return error_set(error, SLUICE_ERROR_USAGE, "--%s: a value was expected: --%s %s", name, name,
                         option_value_form(option));
    cli->values[option] = equals ? equals + 1 : argv[++*i];
    return true;
}

/* SLUICE_HOME, SLUICE_NO_COLOR …: what the command line does not say. A flag is set by anything but "" and 0. */
static void take_environment(struct cli *cli, const struct command *command)
{
    for (int i = 0; i < OPTION_COUNT; i++) {
        enum option option = (enum option)i;
        if (cli->values[option] || !takes(command, option) || option == OPTION_HELP)
            continue;
        g_autofree char *upper = g_ascii_strup(option_name(option), -1);
        g_strdelimit(upper, "-", '_');
        g_autofree char *variable = g_strconcat("SLUICE_", upper, NULL);
        const char *value = g_getenv(variable);
        if (!value || !*value || (!option_value_form(option) && strcmp(value, "0") == 0))
            continue;
        cli->values[option] = option_value_form(option) ? value : "";
    }
    if (g_getenv("NO_COLOR"))
        cli->values[OPTION_NO_COLOR] = "";
}

bool cli_parse(struct cli *cli, const struct command *command, int argc, char **argv, GError **error)
{
    bool only_args = false;
    cli->args = g_new0(const char *, (size_t)argc + 1);
    for (int i = 0; i < argc; i++) {
        if (!only_args && strcmp(argv[i], "--") == 0)
            only_args = true;
        else if (!only_args && strcmp(argv[i], "-h") == 0)
            cli->values[OPTION_HELP] = "";
        else if (only_args || !g_str_has_prefix(argv[i], "--"))
            cli->args[cli->n_args++] = argv[i];
        else if (!take_option(cli, command, argv, argc, &i, error))
            return false;
    }
    take_environment(cli, command);
    if (cli_has(cli, OPTION_HELP) || (cli->n_args >= command->min_args && cli->n_args <= command->max_args))
        return true;
    return error_set(error, SLUICE_ERROR_USAGE, "usage: sluice %s %s; `sluice help %s` says more", command->name,
                     command->arguments, command->name);
}

bool cli_number(const struct cli *cli, enum option option, uint64_t fallback, uint64_t *ret, GError **error)
{
    *ret = fallback;
    if (!cli_has(cli, option) || int_parse_u64(slice_of_text(cli->values[option]), ret))
        return true;
    return error_set(error, SLUICE_ERROR_USAGE, "--%s: a number was expected, not '%s'", option_name(option),
                     cli->values[option]);
}
