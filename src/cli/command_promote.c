/* promote: ask, and make a shadow live. */
#include "base/units.h"
#include "cli/cli.h"

static bool agreed(struct cli *cli, const struct run_promotion_plan *plan, bool *ret, GError **error)
{
    char keys[UNITS_TEXT];
    g_autofree char *question =
        g_strdup_printf("make %s keys of the shadow of %s live?", units_count(plan->keys, keys), plan->run);
    g_autofree char *what = g_strdup_printf("%s keys of the shadow of %s would be made live", keys, plan->run);
    return print_ask(cli, question, what, ret, error);
}

static int dry_run(struct cli *cli, const struct run_promotion_plan *plan)
{
    char keys[UNITS_TEXT];
    if (cli_has(cli, OPTION_JSON))
        print_json(cli, json_pack("{s:s, s:s, s:I}", "type", "promotion-plan", "run", plan->run, "keys",
                                  (json_int_t)plan->keys));
    else
        fprintf(cli->out, "%s: %s keys would be made live, as far as the application has not written them since\n",
                plan->run, units_count(plan->keys, keys));
    return 0;
}

static int promoted(struct cli *cli, const struct run_result *result)
{
    int status = print_result(cli, result);
    if (result->run.tally.of[OUTCOME_PASSED_OVER] && !cli_has(cli, OPTION_JSON) && !cli_has(cli, OPTION_QUIET))
        fprintf(cli->out,
                "keys passed over, and why: %s/reports/%s/notes.ndjson\n"
                "`sluice verify %s` tells those that servers have lost from those that the application wrote; "
                "`sluice repair %s` writes the former\n",
                cli->home, result->run.name, result->run.name, result->run.name);
    return status;
}

int command_promote(struct cli *cli, GError **error)
{
    struct run_config config = cli_run_config(cli);
    struct run_promotion_plan plan;
    struct run_result result = {0};
    bool go = true;
    int status = -1;
    if (!run_promotion_preview(&config, cli->args[0], &plan, error))
        return -1;
    if (cli_has(cli, OPTION_DRY_RUN))
        return dry_run(cli, &plan);
    if (plan.keys > 0 && !agreed(cli, &plan, &go, error))
        return -1;
    if (!go) {
        fprintf(cli->err, "not promoted\n");
        return 3;
    }
    if (run_promote(&config, cli->args[0], &result, error))
        status = promoted(cli, &result);
    run_result_done(&result);
    return status;
}
