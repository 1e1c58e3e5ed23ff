/* run, resume: plan (or find), ask, drive. */
#include "base/units.h"
#include "cli/keep.h"
#include "cli/serving.h"

static int drive(struct cli *cli, const char *name, bool resume, GError **error)
{
    struct run_config config = cli_run_config(cli);
    struct run_result result = {0};
    struct cli_keep keep;
    int status = -1;
    if (!cli_keep_begin(cli, name, &keep, error))
        return -1;
    bool driven = run_forward(&config, name, resume, &result, error);
    cli_keep_end(cli, &keep);
    if (driven)
        status = print_result(cli, &result);
    run_result_done(&result);
    return status;
}

/* With a server beside it, for as long as it is at work. */
static int drive_served(struct cli *cli, const char *name, bool resume, GError **error)
{
    struct serving serving = {0};
    int status = -1;
    if (serving_begin(cli, cli->values[OPTION_LISTEN], &serving, error)) {
        serving_tell(cli, &serving);
        status = drive(cli, name, resume, error);
    }
    serving_end(&serving);
    return status;
}

static uint64_t parts_of(const struct run_row *run)
{
    uint64_t parts = 0;
    for (int i = 0; i < PART_STATE_COUNT; i++)
        parts += run->parts[i];
    return parts;
}

/* Of a run that goes on; a new one was shown with all that it would do. */
static void summary_text(struct cli *cli, const struct run_result *planned, bool is_new)
{
    const struct run_row *run = &planned->run;
    char keys[UNITS_TEXT];
    fprintf(cli->err, "%s %s: %s keys in %" G_GUINT64_FORMAT " partition%s -> %s (home %s)\n",
            is_new ? "planned" : "going on with", run->name, units_count(run->tally.of[OUTCOME_LISTED_], keys),
            parts_of(run), parts_of(run) == 1 ? "" : "s", run->target, cli->home);
    if (planned->supersedes)
        fprintf(cli->err,
                "  supersedes %s: what that run wrote is taken back first, and the transform sees what was "
                "there before it\n"
                "  risk and forecast describe what stands now, with what that run wrote\n",
                planned->supersedes);
    print_retries(cli, cli->err, planned->retries);
}

static void summary(struct cli *cli, const struct run_result *planned, bool is_new)
{
    const struct run_row *run = &planned->run;
    bool told = !run_state_over(run->state) && progress_tells(cli, "info");
    if (told && log_is_json(cli))
        log_json(cli, "info", is_new ? "planned" : "goes on",
                 json_pack("{s:s, s:s, s:I, s:I, s:s, s:s}", "run", run->name, "state", run_state_word(run->state),
                           "listed", (json_int_t)run->tally.of[OUTCOME_LISTED_], "partitions",
                           (json_int_t)parts_of(run), "target", run->target, "home", cli->home));
    if (cli_has(cli, OPTION_JSON))
        print_json(cli, json_pack("{s:s, s:s, s:b, s:I, s:I, s:I, s:s, s:o, s:o}", "type", "planned", "run", run->name,
                                  "new", is_new, "listed", (json_int_t)run->tally.of[OUTCOME_LISTED_], "partitions",
                                  (json_int_t)parts_of(run), "duplicates",
                                  (json_int_t)run->tally.of[OUTCOME_DUPLICATES], "target", run->target, "supersedes",
                                  shape_text(planned->supersedes), "retries", shape_retries(planned->retries)));
    else if (told && !log_is_json(cli))
        summary_text(cli, planned, is_new);
}

static void show_plan(void *self, const struct plan *plan, const struct forecast *forecast)
{
    struct cli *cli = self;
    progress_break(cli->progress);
    if (progress_tells(cli, "info") && !log_is_json(cli)) /* a page for people; the run's own entry has its digest */
        print_plan_brief(cli, cli->err, plan, forecast);
}

/* A new run is asked about; an unfinished one was agreed to before, and whoever hands a plan in has read it. */
static bool agreed(struct cli *cli, const struct run_row *run, bool *ret, GError **error)
{
    *ret = true;
    if (run->state != RUN_PLANNED || cli_has(cli, OPTION_PLAN))
        return true;
    g_autofree char *what = g_strdup_printf("%s is planned, and `sluice abort %s` drops it", run->name, run->name);
    return print_ask(cli, "run it?", what, ret, error);
}

static bool find_or_plan(struct cli *cli, const struct run_config *config, const char *path, struct run_result *planned,
                         bool *ret_new, GError **error)
{
    auto_(spec) spec = NULL;
    if (cli_has(cli, OPTION_PLAN))
        return cli_no_params(cli, "a plan file", error) &&
               run_begin_file(config, cli->values[OPTION_PLAN], planned, ret_new, error);
    if (!cli_spec_read(cli, path, &spec, error) || !run_begin(config, spec, planned, ret_new, error))
        return false;
    spec = NULL; /* taken over */
    return true;
}

/* Either a spec or a plan. */
static bool is_named(const struct cli *cli, GError **error)
{
    bool plan = cli_has(cli, OPTION_PLAN);
    if (plan && cli_has(cli, OPTION_SUPERSEDE))
        return error_set(error, SLUICE_ERROR_USAGE,
                         "run: a plan file is run as it is; --supersede goes with a spec, which is then planned anew");
    if (plan != (cli->n_args == 1))
        return true;
    return error_set(error, SLUICE_ERROR_USAGE, "run: %s; `sluice help run` says more",
                     plan ? "either a spec or --plan FILE, not both" : "a spec was expected, or --plan FILE");
}

static bool begin(struct cli *cli, const struct run_asked *asked, struct run_result *planned, bool *ret_go,
                  GError **error)
{
    struct run_config config = cli_run_config(cli);
    bool is_new;
    config.retry = asked->retry;
    config.repair = asked->repair;
    if (!cli_has(cli, OPTION_JSON)) {
        config.planned = show_plan;
        config.planned_self = cli;
    }
    if (!find_or_plan(cli, &config, asked->spec, planned, &is_new, error))
        return false;
    progress_break(cli->progress);
    summary(cli, planned, is_new);
    return agreed(cli, &planned->run, ret_go, error);
}

/* The command that asks again. */
static char *again(const struct cli *cli)
{
    return g_strconcat("run ", cli_has(cli, OPTION_PLAN) ? "--plan " : "",
                       cli_has(cli, OPTION_PLAN) ? cli->values[OPTION_PLAN] : cli->args[0], NULL);
}

/* NAME.N, and no path of a file. */
static bool is_run(const char *argument)
{
    const char *dot = strrchr(argument, '.');
    return dot && dot[1] && !strchr(argument, '/') && !dot[1 + strspn(dot + 1, "0123456789")];
}

static int go_on(struct cli *cli, const char *verb, const char *run, GError **error)
{
    if (cli_has(cli, OPTION_DETACH))
        return detach_run(cli, verb, run, error);
    return (cli_has(cli, OPTION_SERVE) ? drive_served : drive)(cli, run, strcmp(verb, "resume") == 0, error);
}

/* A planned one is asked about, as when it was planned. */
static int run_named(struct cli *cli, GError **error)
{
    auto_(catalog) catalog = NULL;
    auto_(arena) mem = arena_new(1 << 20);
    struct run_row run;
    bool go;
    if (!cli_no_params(cli, cli->args[0], error) ||
        !catalog_open(&catalog, cli->world, cli->home, CATALOG_EXISTING, error) ||
        !catalog_run_get(catalog, cli->args[0], mem, &run, error) || !agreed(cli, &run, &go, error))
        return -1;
    g_clear_pointer(&catalog, catalog_free);
    return go ? go_on(cli, "run", run.name, error) : 3;
}

int run_asked(struct cli *cli, const struct run_asked *asked, GError **error)
{
    struct run_result planned = {0};
    bool go = false;
    int status = -1;
    bool began = begin(cli, asked, &planned, &go, error);
    if (began && go)
        status = go_on(cli, "run", planned.run.name, error);
    else if (began) {
        fprintf(cli->err, "not run; `sluice %s` asks again, `sluice abort %s` drops it\n", asked->again,
                planned.run.name);
        status = 3;
    }
    run_result_done(&planned);
    return status;
}

int command_run(struct cli *cli, GError **error)
{
    if (cli->n_args == 1 && is_run(cli->args[0]) && !cli_has(cli, OPTION_PLAN))
        return run_named(cli, error);
    if (!is_named(cli, error))
        return -1;
    g_autofree char *same = again(cli);
    struct run_asked asked = {.spec = cli->n_args ? cli->args[0] : NULL, .again = same};
    return run_asked(cli, &asked, error);
}

/* One after the other goes on to its end: a name that is mistyped is told before the first. */
static bool each_there(struct cli *cli, GError **error)
{
    auto_(catalog) catalog = NULL;
    auto_(arena) mem = arena_new(1 << 20);
    struct run_row run;
    if (!catalog_open(&catalog, cli->world, cli->home, CATALOG_EXISTING, error))
        return false;
    for (size_t i = 0; i < cli->n_args; i++)
        if (!catalog_run_get_one(catalog, cli->args[i], mem, &run, error))
            return false;
    return true;
}

static int resume_one(struct cli *cli, GError **error)
{
    return go_on(cli, "resume", cli->args[0], error);
}

int command_resume(struct cli *cli, GError **error)
{
    if (cli_has(cli, OPTION_ALL))
        return cli_flag_lift(cli, error);
    if (cli->n_args == 0) {
        error_set(error, SLUICE_ERROR_USAGE, "resume: a run was expected, or --all; `sluice help resume` says more");
        return -1;
    }
    if (cli->n_args > 1 && !each_there(cli, error))
        return -1;
    return cli_each(cli, resume_one, error);
}
