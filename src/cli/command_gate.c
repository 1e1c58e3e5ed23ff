/* approve, deny, set: what people say to a run from any terminal. */
#include "cli/cli.h"

static int say(struct cli *cli, bool granted, const struct wish_words *words, GError **error)
{
    struct run_config config = cli_run_config(cli);
    struct run_result result = {0};
    enum run_heard heard;
    int status = -1;
    if (run_approve(&config, cli->args[0], granted, &result, &heard, error))
        status = print_wish(cli, &result.run, heard == RUN_HEARD, words);
    run_result_done(&result);
    return status;
}

int command_approve(struct cli *cli, GError **error)
{
    static const struct wish_words WORDS = {"it goes on when it has soaked", "resume"};
    return say(cli, true, &WORDS, error);
}

int command_deny(struct cli *cli, GError **error)
{
    static const struct wish_words WORDS = {"it pauses", "rollback"};
    return say(cli, false, &WORDS, error);
}

static int show(struct cli *cli, const char *key, GError **error)
{
    struct run_config config = cli_run_config(cli);
    g_autofree char *value = NULL;
    if (!run_setting(&config, cli->args[0], key, &value, error))
        return -1;
    if (cli_has(cli, OPTION_JSON))
        print_json(
            cli, json_pack("{s:s, s:s, s:s, s:s}", "type", "setting", "run", cli->args[0], "key", key, "value", value));
    else
        fprintf(cli->out, "%s=%s\n", key, value);
    return 0;
}

static int change(struct cli *cli, const char *key, const char *value, GError **error)
{
    static const struct wish_words WORDS = {"it heeds the new limit", "resume"};
    struct run_config config = cli_run_config(cli);
    struct run_result result = {0};
    struct setting setting = {.key = key, .value = value};
    enum run_heard heard;
    int status = -1;
    if (run_set(&config, cli->args[0], &setting, &result, &heard, error))
        status = print_wish(cli, &result.run, heard == RUN_HEARD, &WORDS);
    run_result_done(&result);
    return status;
}

int command_set(struct cli *cli, GError **error)
{
    const char *equals = strchr(cli->args[1], '=');
    if (!equals || equals == cli->args[1] || !equals[1]) {
        error_set(error, SLUICE_ERROR_USAGE, "'%s': expected KEY=VALUE, such as protect.rate.max=5000/s, or KEY=?",
                  cli->args[1]);
        return -1;
    }
    g_autofree char *key = g_strndup(cli->args[1], (size_t)(equals - cli->args[1]));
    return strcmp(equals + 1, "?") == 0 ? show(cli, key, error) : change(cli, key, equals + 1, error);
}
