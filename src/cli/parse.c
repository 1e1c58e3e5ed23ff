#include "base/int.h"
#include "base/nearest.h"
#include "cli/cli.h"

static bool unknown_option(const struct command *command, const char *name, GError **error)
{
    const char *known[OPTION_COUNT];
    size_t n = 0;
    for (int i = 0; i < OPTION_COUNT; i++)
        if (option_taken(command, (enum option)i))
            known[n++] = option_name((enum option)i);
    const char *nearest = nearest_word(name, known, n);
    if (nearest)
        return error_set(error, SLUICE_ERROR_USAGE, "%s: unknown option '--%s'; did you mean '--%s'?", command->name,
                         name, nearest);
    return error_set(error, SLUICE_ERROR_USAGE, "%s: unknown option '--%s'; `sluice help %s` shows what it takes",
                     command->name, name, command->name);
}

/* The name in `--NAME` or `--NAME=VALUE`; `*ret_value` NULL where there is no `=`. */
static char *split(const char *argument, const char **ret_value)
{
    const char *equals = strchr(argument, '=');
    *ret_value = equals ? equals + 1 : NULL;
    return equals ? g_strndup(argument + 2, (size_t)(equals - argument) - 2) : g_strdup(argument + 2);
}

static bool is_on(const char *value)
{
    return value && *value && strcmp(value, "0") != 0;
}

const char *cli_find_command(struct cli *cli, int argc, char **argv)
{
    const char *found = NULL, *value;
    cli->values[OPTION_JSON] = is_on(g_getenv("SLUICE_JSON")) ? "" : NULL;
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (*argv[i] != '-') {
            found = found ? found : argv[i];
            continue;
        }
        i += strcmp(argv[i], "-o") == 0;
        if (i >= argc || !g_str_has_prefix(argv[i], "--"))
            continue;
        g_autofree char *name = split(argv[i], &value);
        enum option option = option_find(name);
        if (option == OPTION_JSON)
            cli->values[OPTION_JSON] = "";
        i += option != OPTION_COUNT && option_value_form(option) && !value;
    }
    return found;
}

/* One argument that begins with `--`; *i moves on where its value is the next one. */
static bool take_option(struct cli *cli, char **argv, int argc, int *i, GError **error)
{
    const char *value;
    g_autofree char *name = split(argv[*i], &value);
    enum option option = option_find(name);
    if (option == OPTION_COUNT || !option_taken(cli->command, option))
        return unknown_option(cli->command, name, error);
    const char *form = option_value_form(option);
    if (!form) {
        cli->values[option] = "";
        return !value || error_set(error, SLUICE_ERROR_USAGE, "--%s takes no value", name);
    }
    if (!value && *i + 1 >= argc)
        return error_set(error, SLUICE_ERROR_USAGE, "--%s: a value was expected: --%s %s", name, name, form);
    cli->values[option] = value ? value : argv[++*i];
    if (option == OPTION_PARAM)
        g_ptr_array_add(cli->params, (char *)cli->values[option]);
    return true;
}

/* A variable has one value: the params are lines of it. */
static void take_lines(struct cli *cli, const char *text)
{
    cli->lines = g_strsplit(text, "\n", -1);
    for (size_t i = 0; cli->lines[i]; i++)
        if (*cli->lines[i])
            g_ptr_array_add(cli->params, cli->lines[i]);
}

/* SLUICE_HOME, SLUICE_NO_COLOR …: what the command line does not say. A flag is set by anything but "" and 0. Home and
 * catalog are two ways to say one thing: where the command line says it, no variable does. */
static void take_environment(struct cli *cli)
{
    bool has_place = cli_has(cli, OPTION_HOME) || cli_has(cli, OPTION_CATALOG);
    for (int i = 0; i < OPTION_COUNT; i++) {
        enum option option = (enum option)i;
        bool said = cli->values[option] || (has_place && (option == OPTION_HOME || option == OPTION_CATALOG));
        if (said || !option_taken(cli->command, option) || option == OPTION_HELP)
            continue;
        g_autofree char *variable = option_variable(option);
        const char *value = g_getenv(variable);
        bool is_flag = option_value_form(option) == NULL;
        if (is_flag ? is_on(value) : value && *value)
            cli->values[option] = is_flag ? "" : value;
        cli->by_variable[option] = cli_has(cli, option);
        if (option == OPTION_PARAM && cli_has(cli, option))
            take_lines(cli, value);
    }
    if (is_on(g_getenv("NO_COLOR")))
        cli->values[OPTION_NO_COLOR] = "";
}

static bool one_argument(struct cli *cli, char **argv, int argc, int *i, bool *io_named, GError **error)
{
    if (strcmp(argv[*i], "-h") == 0) {
        cli->values[OPTION_HELP] = "";
        return true;
    }
    if (strcmp(argv[*i], "-o") == 0 && option_taken(cli->command, OPTION_OUT)) {
        cli->values[OPTION_OUT] = *i + 1 < argc ? argv[++*i] : NULL;
        return cli->values[OPTION_OUT] || error_set(error, SLUICE_ERROR_USAGE, "-o: a value was expected: -o FILE");
    }
    if (g_str_has_prefix(argv[*i], "--"))
        return take_option(cli, argv, argc, i, error);
    if (*argv[*i] == '-' && argv[*i][1])
        return error_set(error, SLUICE_ERROR_USAGE, "%s: unknown option '%s'; options are written out, as in --%s",
                         cli->command->name, argv[*i], option_name(OPTION_HELP));
    if (*io_named)
        cli->args[cli->n_args++] = argv[*i];
    *io_named = true; /* the first is the command itself */
    return true;
}

const char *option_log_level(size_t i)
{
    static const char *const LEVELS[] = {"error", "warn", "info", "debug"};
    return i < G_N_ELEMENTS(LEVELS) ? LEVELS[i] : NULL;
}

static bool check_level(const struct cli *cli, GError **error)
{
    const char *level = cli->values[OPTION_LOG_LEVEL];
    for (size_t i = 0; option_log_level(i); i++)
        if (!level || strcmp(level, option_log_level(i)) == 0)
            return true;
    return error_set(error, SLUICE_ERROR_USAGE, "--log-level: error, warn, info or debug was expected, not '%s'",
                     level);
}

static bool check_format(const struct cli *cli, GError **error)
{
    const char *format = cli->values[OPTION_LOG_FORMAT];
    return !format || strcmp(format, "text") == 0 || strcmp(format, "json") == 0 ||
           error_set(error, SLUICE_ERROR_USAGE, "--log-format: text or json was expected, not '%s'", format);
}

bool cli_parse(struct cli *cli, int argc, char **argv, GError **error)
{
    const struct command *command = cli->command;
    bool named = false;
    int i = 1;
    cli->args = g_new0(const char *, (size_t)argc + 1);
    cli->params = g_ptr_array_new();
    for (; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (!one_argument(cli, argv, argc, &i, &named, error))
            return false;
    for (i++; i < argc; i++)
        cli->args[cli->n_args++] = argv[i];
    take_environment(cli);
    g_ptr_array_add(cli->params, NULL);
    if (!check_level(cli, error) || !check_format(cli, error))
        return false;
    if (cli_has(cli, OPTION_HELP) || (cli->n_args >= command->min_args && cli->n_args <= command->max_args))
        return true;
    return error_set(error, SLUICE_ERROR_USAGE, "usage: sluice %s%s%s; `sluice help %s` says more", command->name,
                     *command->arguments ? " " : "", command->arguments, command->name);
}

bool cli_number(const struct cli *cli, enum option option, uint64_t fallback, uint64_t *ret, GError **error)
{
    *ret = fallback;
    if (!cli_has(cli, option) || int_parse_u64(slice_of_text(cli->values[option]), ret))
        return true;
    return error_set(error, SLUICE_ERROR_USAGE, "--%s: a number was expected, not '%s'", option_name(option),
                     cli->values[option]);
}
