/* --detach: another process drives the run, in a session of its own. */
#include "run/detach.h"
#include "base/process.h"
#include "cli/cli.h"

#define WAIT_US (INT64_C(30) * 1000 * 1000)

/* What has been said already, or means nothing to the process that goes on. */
static bool is_passed_on(enum option option)
{
    return option != OPTION_HOME && option != OPTION_CATALOG && option != OPTION_YES && option != OPTION_DETACH &&
           option != OPTION_PLAN && option != OPTION_SUPERSEDE && option != OPTION_AGAIN && option != OPTION_PARAM;
}

static void add_options(const struct cli *cli, GPtrArray *argv, char ***io_env)
{
    for (int i = 0; i < OPTION_COUNT; i++) {
        enum option option = (enum option)i;
        g_autofree char *variable = option_variable(option);
        *io_env = g_environ_unsetenv(*io_env, variable);
        if (!cli_has(cli, option) || !is_passed_on(option))
            continue;
        const char *value = option_value_form(option) ? cli->values[option] : NULL;
        g_ptr_array_add(argv, g_strconcat("--", option_name(option), value ? "=" : "", value, NULL));
    }
}

static bool words_of(struct cli *cli, const char *verb, const char *run, GPtrArray *argv, char ***io_env,
                     GError **error)
{
    g_autofree char *home = g_canonicalize_filename(cli->home, NULL);
    char *self = process_self(error);
    if (!self)
        return false;
    g_ptr_array_add(argv, self);
    g_ptr_array_add(argv, g_strdup(verb));
    g_ptr_array_add(argv, g_strdup(run));
    g_ptr_array_add(argv, g_strconcat("--home=", home, NULL));
    if (strcmp(verb, "run") == 0)
        g_ptr_array_add(argv, g_strdup("--yes"));
    add_options(cli, argv, io_env);
    g_ptr_array_add(argv, NULL);
    return true;
}

static void tell(struct cli *cli, const struct detached *detached)
{
    if (cli_has(cli, OPTION_JSON))
        print_json(cli, json_pack("{s:s, s:s, s:I, s:s}", "type", "detached", "run", detached->run, "pid",
                                  (json_int_t)detached->pid, "log", detached->log));
    else if (!cli_has(cli, OPTION_QUIET))
        fprintf(cli->out, "%s goes on by itself: process %" G_GINT64_FORMAT ", log %s; `sluice watch %s` shows it\n",
                detached->run, detached->pid, detached->log, detached->run);
}

/* Until it drives the run, or has come to its end before: then that is this command's end too. */
static int await(struct cli *cli, const struct detach_wish *wish, const struct detached *detached, GError **error)
{
    bool ended;
    int status = 0;
    if (!detach_await(wish, detached, WAIT_US, &ended, &status, error))
        return -1;
    if (!ended) {
        tell(cli, detached);
        return 0;
    }
    g_autofree char *said = detach_said(cli->world, detached);
    fputs(said, cli->err);
    return status;
}

static int start(struct cli *cli, const char *verb, const char *run, GError **error)
{
    g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);
    g_auto(GStrv) env = g_get_environ();
    struct detached detached;
    if (!words_of(cli, verb, run, argv, &env, error))
        return -1;
    g_clear_pointer(&cli->registry, store_registry_free); /* what is open here cannot be opened there */
    struct detach_wish wish = {
        .world = cli->world, .home = cli->home, .run = run, .argv = (char *const *)argv->pdata, .envp = env};
    if (!detach_start(&wish, &detached, error))
        return -1;
    int status = await(cli, &wish, &detached, error);
    detached_done(&detached);
    return status;
}

int detach_run(struct cli *cli, const char *verb, const char *run, GError **error)
{
    auto_(catalog) catalog = NULL;
    auto_(arena) mem = arena_new(1 << 20);
    struct run_row row;
    if (!catalog_open(&catalog, cli->world, cli->home, CATALOG_EXISTING, error) ||
        !catalog_run_get_one(catalog, run, mem, &row, error))
        return -1;
    g_clear_pointer(&catalog, catalog_free);
    progress_break(cli->progress);
    fflush(cli->out);
    return start(cli, verb, row.name, error);
}
