/* plan: what a run would do, and nothing done. */
#include "cli/cli.h"

static void show(void *self, const struct plan *plan, const struct forecast *forecast)
{
    struct cli *cli = self;
    progress_break(cli->progress);
    bool all = cli_has(cli, OPTION_SHOW_SPEC);
    if (!cli_has(cli, OPTION_JSON)) {
        print_plan(cli, cli->out, plan, forecast);
        if (all)
            print_spec(cli, cli->out, plan);
        return;
    }
    json_t *shown = print_plan_json(plan, forecast);
    print_said_unkept(cli, shown);
    if (all)
        json_object_set_new(shown, "values", print_spec_json(cli, plan));
    print_json(cli, shown);
}

int plan_asked(struct cli *cli, const struct run_asked *asked, GError **error)
{
    struct run_config config = cli_run_config(cli);
    auto_(spec) spec = NULL;
    const char *path = cli->values[OPTION_OUT];
    bool idle;
    config.planned = show;
    config.planned_self = cli;
    config.retry = asked->retry;
    config.repair = asked->repair;
    if (!cli_spec_read(cli, asked->spec, &spec, error) || !run_plan(&config, spec, path, &idle, error))
        return -1;
    spec = NULL; /* taken over */
    if (path && !cli_has(cli, OPTION_JSON) && !cli_has(cli, OPTION_QUIET))
        fprintf(cli->out, "written to %s; `sluice run --plan %s` runs exactly this\n", path, path);
    return cli_has(cli, OPTION_DETAILED_EXITCODE) && !idle ? 10 : 0;
}

int command_plan(struct cli *cli, GError **error)
{
    struct run_asked asked = {.spec = cli->args[0]};
    return plan_asked(cli, &asked, error);
}
