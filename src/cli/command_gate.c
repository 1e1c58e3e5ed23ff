/* approve, deny, set: what people say to a run from any terminal. */
#include "cli/cli.h"

static int say(struct cli *cli, bool granted, const struct wish_words *words, GError **error)
{
    struct run_config config = cli_run_config(cli);
    struct run_result result = {0};
    enum run_heard heard;
    int status = -1;
    if (run_approve(&config, cli->args[0], granted, &result, &heard, error))
        status = print_wish(cli, &result, heard == RUN_HEARD, words);
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

static int change(struct cli *cli, struct run_settings *settings, GError **error)
{
    static const struct wish_words WORDS = {"it heeds what is set", "resume"};
    struct run_config config = cli_run_config(cli);
    struct run_result result = {0};
    enum run_heard heard;
    int status = -1;
    if (run_set(&config, cli->args[0], settings, &result, &heard, error))
        status = print_wish(cli, &result, heard == RUN_HEARD, &WORDS);
    run_result_done(&result);
    return status;
}

/* KEY=VALUE in two; the key is the caller's to free. */
static bool part(const char *pair, struct setting *ret, GError **error)
{
    const char *equals = strchr(pair, '=');
    if (!equals || equals == pair || !equals[1])
        return error_set(error, SLUICE_ERROR_USAGE,
                         "'%s': expected KEY=VALUE, such as protect.rate.max=5000/s, or KEY=?", pair);
    *ret = (struct setting){.key = g_strndup(pair, (size_t)(equals - pair)), .value = equals + 1};
    return true;
}

/* Either one that is asked for, or all are set. */
static int show_or_change(struct cli *cli, struct run_settings *settings, GError **error)
{
    bool asks = false;
    for (size_t i = 0; i < settings->n; i++)
        asks |= strcmp(settings->at[i].value, "?") == 0;
    if (!asks)
        return change(cli, settings, error);
    if (settings->n == 1)
        return show(cli, settings->at->key, error);
    error_set(error, SLUICE_ERROR_USAGE, "set: KEY=? stands alone; `sluice help set` says more");
    return -1;
}

int command_set(struct cli *cli, GError **error)
{
    size_t n = 0, pairs = cli->n_args - 1;
    g_autofree struct setting *settings = g_new0(struct setting, pairs);
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func(g_free);
    while (n < pairs && part(cli->args[n + 1], &settings[n], error))
        g_ptr_array_add(keys, (char *)settings[n++].key);
    return n == pairs ? show_or_change(cli, &(struct run_settings){settings, n}, error) : -1;
}
