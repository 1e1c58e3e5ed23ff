#include "cli/cli.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "base/nearest.h"
#include "base/person.h"
#include "plan/keyring.h"
#include "run/govern.h"

/* Of a call that is part of a trace: https://www.w3.org/TR/trace-context/. What is none is ignored, as it says. */
const char *cli_trace(void)
{
    const char *given = g_getenv("TRACEPARENT");
    bool fits = given && g_regex_match_simple("^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$", given,
                                              G_REGEX_DOLLAR_ENDONLY, 0);
    return fits ? given : NULL;
}

struct run_config cli_run_config(struct cli *cli)
{
    return (struct run_config){.world = cli->world,
                               .registry = cli->registry,
                               .learned = cli->learned,
                               .home = cli->home,
                               .act = {.actor = cli->actor, .reason = cli->values[OPTION_REASON], .trace = cli_trace()},
                               .person = cli->person,
                               .signals = cli->signals,
                               .event = progress_event,
                               .event_self = cli->progress,
                               .force_unlock = cli_has(cli, OPTION_FORCE_UNLOCK),
                               .exit_on_pause = cli_has(cli, OPTION_EXIT_ON_PAUSE),
                               .supersede = cli->values[OPTION_SUPERSEDE],
                               .report = cli->values[OPTION_REPORT],
                               .again = cli_has(cli, OPTION_AGAIN)};
}

bool cli_find_run(struct cli *cli, struct catalog *catalog, struct arena *mem, struct run_row *ret, GError **error)
{
    struct run_row *runs;
    size_t n;
    if (cli->n_args)
        return catalog_run_get(catalog, cli->args[0], mem, ret, error);
    if (!catalog_runs(catalog, mem, &runs, &n, error))
        return false;
    if (n == 0)
        return error_set(error, SLUICE_ERROR_NOT_FOUND, "%s: there is no run yet", catalog_home(catalog));
    *ret = runs[0];
    return true;
}

bool cli_unknown_command(const char *name, GError **error)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    const struct command *command;
    for (size_t i = 0; (command = command_at(i)); i++)
        g_ptr_array_add(names, (void *)command->name);
    const char *nearest = nearest_word(name, (const char *const *)names->pdata, names->len);
    if (nearest)
        return error_set(error, SLUICE_ERROR_USAGE, "there is no command '%s'; did you mean '%s'?", name, nearest);
    return error_set(error, SLUICE_ERROR_USAGE, "there is no command '%s'; `sluice help` lists them", name);
}

/* Errors go to standard error for people; with --json also as the last object of standard output. */
int cli_report(struct cli *cli, GError *error)
{
    int status = error_exit_status(error);
    if (cli->progress)
        progress_break(cli->progress);
    if (cli_has(cli, OPTION_JSON))
        print_json(cli, json_pack("{s:s, s:s, s:i, s:o}", "type", "error", "error",
                                  error_row((enum error_code)error->code)->name, "exit", status, "message",
                                  shape_text(error->message)));
    log_error(cli, NULL, error->message);
    g_error_free(error);
    return status;
}

bool cli_spec_read(struct cli *cli, const char *path, struct spec **ret, GError **error)
{
    return spec_read_with(ret, cli->world, path, (const char *const *)cli->params->pdata, error);
}

bool cli_no_params(const struct cli *cli, const char *what, GError **error)
{
    return !cli_has(cli, OPTION_PARAM) || cli->by_variable[OPTION_PARAM] ||
           error_set(error, SLUICE_ERROR_USAGE,
                     "--param: %s has the values that it was planned with; plan it anew from its spec", what);
}

int cli_each(struct cli *cli, int (*one)(struct cli *, GError **), GError **error)
{
    const char **args = cli->args;
    size_t n = cli->n_args;
    int worst = 0;
    if (n <= 1)
        return one(cli, error);
    for (size_t i = 0; i < n && atomic_load(cli->signals) == 0; i++) {
        GError *failed = NULL;
        cli->args = args + i;
        cli->n_args = 1;
        int status = one(cli, &failed);
        status = failed ? cli_report(cli, failed) : status;
        worst = worst ? worst : status;
    }
    cli->args = args;
    cli->n_args = n;
    return worst;
}

#define CATALOG_FILE "catalog.db"

char *cli_home_of_catalog(const char *uri, GError **error)
{
    g_autofree char *scheme = g_uri_parse_scheme(uri);
    if (g_strcmp0(scheme, "sqlite") != 0) {
        error_set(error, SLUICE_ERROR_USAGE, "--catalog %s: %s%s%s; sqlite:DIR/" CATALOG_FILE " was expected", uri,
                  scheme ? "this version keeps no catalog in '" : "it names no kind of catalog", scheme ? scheme : "",
                  scheme ? ":'" : "");
        return NULL;
    }
    const char *path = uri + strlen("sqlite:");
    g_autofree char *name = g_path_get_basename(path);
    if (strcmp(name, CATALOG_FILE) == 0)
        return g_path_get_dirname(path);
    error_set(error, SLUICE_ERROR_USAGE,
              "--catalog %s: the catalog of a home is its " CATALOG_FILE ": sqlite:DIR/" CATALOG_FILE, uri);
    return NULL;
}

static bool find_home(struct cli *cli, GError **error)
{
    const char *home = cli->values[OPTION_HOME];
    if (!cli_has(cli, OPTION_CATALOG)) {
        cli->home = g_strdup(home ? home : ".sluice");
        return true;
    }
    cli->home = cli_home_of_catalog(cli->values[OPTION_CATALOG], error);
    if (!cli->home || !home)
        return cli->home != NULL;
    g_autofree char *one = g_canonicalize_filename(home, NULL), *other = g_canonicalize_filename(cli->home, NULL);
    return strcmp(one, other) == 0 ||
           error_set(error, SLUICE_ERROR_USAGE, "--home %s and --catalog %s name two homes; one of them is enough",
                     home, cli->values[OPTION_CATALOG]);
}

static int call(struct cli *cli)
{
    GError *error = NULL;
    if (!find_home(cli, &error))
        return cli_report(cli, error);
    cli->keyring = keyring_new(cli->world, cli->home);
    cli->own_world.seals_self = cli->keyring;
    cli->own_world.seals = &keyring_seals;
    cli->person = person_here();
    cli->actor = g_strdup_printf("%s@%s", cli->person->user, g_get_host_name());
    cli->progress = progress_new(cli);
    if (!cli_take_errand(cli, &error))
        return cli_report(cli, error);
    int status = cli->command->call(cli, &error);
    return error ? cli_report(cli, error) : status;
}

static void cli_done(struct cli *cli)
{
    g_clear_pointer(&cli->progress, progress_free);
    g_clear_pointer(&cli->registry, store_registry_free);
    g_clear_pointer(&cli->learned, govern_learned_free);
    g_clear_pointer(&cli->keyring, keyring_free);
    g_free(cli->home);
    g_free(cli->actor);
    person_free(cli->person);
    g_free(cli->args);
    g_strfreev(cli->lines);
    if (cli->params)
        g_ptr_array_unref(cli->params);
}

/* No command: what may stand alone asks for one. NULL: a command was expected. */
static const char *implied_command(int argc, char **argv)
{
    static const struct {
        const char *option, *command;
        bool beside; /* others may stand beside it */
    } ALONE[] = {
        {"--version", "version", true}, {"--help", "help", true}, {"-h", "help", true}, {"--json", "help", false}};
    for (int k = 1; k < argc; k++)
        for (size_t i = 0; i < G_N_ELEMENTS(ALONE); i++)
            if (strcmp(argv[k], ALONE[i].option) == 0 && (ALONE[i].beside || argc == 2))
                return ALONE[i].command;
    return argc > 1 ? NULL : "help";
}

static int serve(struct cli *cli, int argc, char **argv)
{
    GError *error = NULL;
    const char *name = cli_find_command(cli, argc, argv);
    char *implied[] = {argv[0], NULL, NULL};
    if (!name) {
        name = implied_command(argc, argv);
        implied[1] = (char *)name;
        argc = 2;
        argv = implied;
    }
    cli->command = name ? command_find(name) : NULL;
    if (!name)
        error_set(&error, SLUICE_ERROR_USAGE, "a command was expected; `sluice help` lists them");
    else if (!cli->command)
        cli_unknown_command(name, &error);
    if (error || !cli_parse(cli, argc, argv, &error))
        return cli_report(cli, error);
    if (!cli_has(cli, OPTION_HELP))
        return call(cli);
    help_command(cli, cli->command);
    return 0;
}

bool cli_reader_has_gone(void)
{
    struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
    return poll(&out, 1, 0) == 1 && (out.revents & POLLERR) != 0;
}

/* Whether all that was printed has arrived; otherwise a success is none. */
static int delivered(const struct cli *cli, int status)
{
    errno = 0;
    if ((fflush(cli->out) == 0 && !ferror(cli->out)) || cli_reader_has_gone())
        return status;
    g_autoptr(GError) error = NULL;
    error_set_errno(&error, errno ? errno : ENOSPC, "standard output: what was to be printed is not all there");
    fprintf(cli->err, "sluice: %s\n", error->message);
    return status == 0 || status == 8 ? error_exit_status(error) : status;
}

int cli_main(const struct cli_start *start)
{
    struct cli cli = {.own_world = *start->world,
                      .signals = start->signals,
                      .out = stdout,
                      .err = stderr,
                      .terminal = isatty(STDERR_FILENO) && g_strcmp0(g_getenv("TERM"), "dumb") != 0};
    cli.world = &cli.own_world;
    cli.registry = store_registry_new(cli.world, start->extra);
    cli.learned = govern_learned_new();
    int status = serve(&cli, start->argc, start->argv);
    cli_done(&cli);
    return delivered(&cli, status);
}
