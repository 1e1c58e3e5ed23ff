/* serve: the HTTP interface of a home, until it is asked to stop. */
#include "serve/serve.h"

#include "base/process.h"
#include "cli/cli.h"
#include "cli/serving.h"

#define LISTEN  "127.0.0.1:8080"
#define LOOK_US (INT64_C(100) * 1000)

/* What this command was told is told to no other. */
static char **environment(void)
{
    char **env = g_get_environ();
    for (int i = 0; i < OPTION_COUNT; i++) {
        g_autofree char *variable = option_variable((enum option)i);
        env = g_environ_unsetenv(env, variable);
    }
    return env;
}

bool serving_begin(struct cli *cli, const char *listen, struct serving *ret, GError **error)
{
    ret->environment = environment();
    struct serve_config config = {.world = cli->world,
                                  .registry = cli->registry,
                                  .home = cli->home,
                                  .environment = ret->environment,
                                  .listen = listen ? listen : LISTEN,
                                  .tls_cert = cli->values[OPTION_TLS_CERT],
                                  .tls_key = cli->values[OPTION_TLS_KEY],
                                  .tls_ca = cli->values[OPTION_TLS_CA],
                                  .tls_crl = cli->values[OPTION_TLS_CRL],
                                  .anonymous = cli->values[OPTION_ANONYMOUS],
                                  .person = cli->person,
                                  .actor = cli->actor};
    return serve_open(&ret->server, &config, error);
}

void serving_end(struct serving *serving)
{
    serve_close(serving->server);
    g_strfreev(serving->environment);
}

void serving_tell(struct cli *cli, const struct serving *serving)
{
    if (cli_has(cli, OPTION_JSON))
        print_json(
            cli, json_pack("{s:s, s:s, s:s}", "type", "serving", "url", serve_url(serving->server), "home", cli->home));
    else if (!cli_has(cli, OPTION_QUIET))
        fprintf(cli->err, "%s/ (home %s)\n", serve_url(serving->server), cli->home);
    fflush(cli->out);
}

int command_serve(struct cli *cli, GError **error)
{
    struct serving serving = {0};
    bool begun = serving_begin(cli, cli->values[OPTION_LISTEN], &serving, error);
    if (begun) {
        serving_tell(cli, &serving);
        while (atomic_load(cli->signals) == 0)
            world_sleep_us(cli->world, LOOK_US, NULL);
    }
    serving_end(&serving);
    return begun ? 0 : -1;
}
