/* --detach: another process drives the run, in a session of its own; what it tells stands in the home. */
#include "base/file.h"
#include "base/process.h"
#include "catalog/lock.h"
#include "cli/cli.h"
#include "plan/home.h"

#define LOOK_US (INT64_C(50) * 1000)
#define WAIT_US (INT64_C(30) * 1000 * 1000)
#define LOG_CAP (16u << 20)

struct detached {
    const char *run;
    char *log;
    uint64_t log_bytes; /* what stood in it before */
    int64_t pid;
};

static bool open_log(struct cli *cli, struct detached *io, GError **error)
{
    g_autofree char *dir = g_build_filename(cli->home, "runs", NULL);
    struct world_stat stat = {0};
    io->log = home_path(cli->home, HOME_LOG, io->run);
    if (!file_make_dirs(cli->world, dir, error))
        return false;
    if (file_exists(cli->world, io->log) && !file_stat_path(cli->world, io->log, &stat, error))
        return false;
    io->log_bytes = stat.size;
    return true;
}

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

static bool start(struct cli *cli, const char *verb, struct detached *io, GError **error)
{
    g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);
    g_auto(GStrv) env = g_get_environ();
    g_autofree char *home = g_canonicalize_filename(cli->home, NULL);
    char *self = process_self(error);
    if (!self)
        return false;
    g_ptr_array_add(argv, self);
    g_ptr_array_add(argv, g_strdup(verb));
    g_ptr_array_add(argv, g_strdup(io->run));
    g_ptr_array_add(argv, g_strconcat("--home=", home, NULL));
    if (strcmp(verb, "run") == 0)
        g_ptr_array_add(argv, g_strdup("--yes"));
    add_options(cli, argv, &env);
    g_ptr_array_add(argv, NULL);
    g_clear_pointer(&cli->registry, store_registry_free); /* what is open here cannot be opened there */
    struct process_wish wish = {.argv = (char *const *)argv->pdata, .envp = env, .log = io->log};
    return process_detach(&wish, &io->pid, error);
}

static void put_log(struct cli *cli, const struct detached *detached)
{
    g_autoptr(GBytes) bytes = NULL;
    gsize len;
    if (!file_read_all(cli->world, detached->log, LOG_CAP, &bytes, NULL))
        return;
    const char *text = g_bytes_get_data(bytes, &len);
    if (len > detached->log_bytes)
        fwrite(text + detached->log_bytes, 1, len - (size_t)detached->log_bytes, cli->err);
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
static int await(struct cli *cli, const struct detached *detached, GError **error)
{
    int64_t until = world_monotonic_us(cli->world) + WAIT_US;
    struct run_holder holder = {0};
    int status = 0;
    while (!process_ended(detached->pid, &status)) {
        if (!run_lock_holder(&holder, cli->world, cli->home, detached->run, error))
            return -1;
        if ((holder.live && holder.pid == detached->pid) || world_monotonic_us(cli->world) >= until) {
            tell(cli, detached);
            return 0;
        }
        world_sleep_us(cli->world, LOOK_US, NULL);
    }
    put_log(cli, detached);
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
    struct detached detached = {.run = row.name};
    progress_break(cli->progress);
    fflush(cli->out);
    int status =
        open_log(cli, &detached, error) && start(cli, verb, &detached, error) ? await(cli, &detached, error) : -1;
    g_free(detached.log);
    return status;
}
