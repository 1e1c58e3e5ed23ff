/* verify: source and target now, once or round and round. */
#include "base/units.h"
#include "cli/follow.h"

bool cli_verify_once(struct cli *cli, const struct run_config *config, struct verify_result *ret, GError **error)
{
    struct spec *spec = NULL;
    if (!cli_is_spec(cli->args[0]))
        return run_verify(config, cli->args[0], ret, error);
    return cli_spec_read(cli, cli->args[0], &spec, error) && run_verify_spec(config, spec, ret, error);
}

static bool sample_asked(const struct cli *cli, struct sampling_wish *ret, GError **error)
{
    if (!cli_has(cli, OPTION_SAMPLE))
        return true;
    if (cli_has(cli, OPTION_FULL))
        return error_set(error, SLUICE_ERROR_USAGE, "--full or --sample, not both");
    return sampling_wish_parse(cli->values[OPTION_SAMPLE], ret, error);
}

static bool pace_asked(const struct cli *cli, double *ret_per_s, GError **error)
{
    *ret_per_s = cli_has(cli, OPTION_FOLLOW) ? FOLLOW_PER_S : 0;
    if (!cli_has(cli, OPTION_FOLLOW) && cli_has(cli, OPTION_EVERY))
        return error_set(error, SLUICE_ERROR_USAGE,
                         "--every says how long --follow rests; without it there is no rest");
    if (!cli_has(cli, OPTION_RATE))
        return true;
    return units_parse_rate_per_s(cli->values[OPTION_RATE], ret_per_s, error) &&
           (*ret_per_s > 0 ||
            error_set(error, SLUICE_ERROR_USAGE, "--rate %s: a rate above zero was expected, such as 500/s",
                      cli->values[OPTION_RATE]));
}

/* Of a run whose sums are what they were no value is read. */
static bool baseline_asked(const struct cli *cli, struct spec_baseline *into, const struct spec_baseline **ret,
                           GError **error)
{
    const char *text = cli->values[OPTION_BASELINE];
    if (!cli_has(cli, OPTION_BASELINE))
        return true;
    if (!spec_baseline_parse(text, into))
        return error_set(error, SLUICE_ERROR_USAGE, "--baseline %s: expected " SPEC_BASELINE_EXPECTED, text);
    if (!cli_is_spec(cli->args[0]) && !cli_has(cli, OPTION_FULL) && !cli_has(cli, OPTION_SAMPLE))
        return error_set(error, SLUICE_ERROR_USAGE,
                         "--baseline %s: of a run values are read where its keys are compared: say --full, or --sample",
                         text);
    *ret = into;
    return true;
}

static int tell(struct cli *cli, const struct verify_result *result)
{
    if (cli_has(cli, OPTION_JSON)) {
        fprintf(cli->out, "%s\n", result->json);
        return result->pass ? 0 : 4;
    }
    fprintf(cli->out, "%s: %s\n", result->pass ? "pass" : "fail", result->sentence);
    if (!result->pass)
        print_differences(cli, cli->out, result->report_path);
    fprintf(cli->out, "report: %s\npage:   %s\n", result->report_path, result->page_path);
    if (!cli_is_spec(cli->args[0]) && result->of[VERIFY_DIFFERING] + result->of[VERIFY_MISSING] > 0)
        fprintf(cli->out, "`sluice repair %s` makes a run of what differs or is missing\n", cli->args[0]);
    if (!cli_is_spec(cli->args[0]) && cli_has(cli, OPTION_EXTRA) && result->of[VERIFY_EXTRA] > 0)
        fprintf(cli->out, "`sluice repair %s --extra` makes a run that takes out what is extra\n", cli->args[0]);
    return result->pass ? 0 : 4;
}

int command_verify(struct cli *cli, GError **error)
{
    struct run_config config = cli_run_config(cli);
    config.full = cli_has(cli, OPTION_FULL);
    config.extra = cli_has(cli, OPTION_EXTRA);
    struct verify_result result = {0};
    struct spec_baseline baseline;
    if (!sample_asked(cli, &config.sure, error) || !baseline_asked(cli, &baseline, &config.baseline, error) ||
        !pace_asked(cli, &config.verify_per_s, error) ||
        (!cli_is_spec(cli->args[0]) && !cli_no_params(cli, cli->args[0], error)))
        return -1;
    if (cli_has(cli, OPTION_FOLLOW))
        return follow(cli, &config, error);
    if (!cli_verify_once(cli, &config, &result, error))
        return -1;
    progress_break(cli->progress);
    int status = tell(cli, &result);
    verify_result_done(&result);
    return status;
}
