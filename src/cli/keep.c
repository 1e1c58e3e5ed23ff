#include "cli/keep.h"

#include "base/units.h"

static void warn(struct cli *cli, const char *what, const char *words)
{
    progress_break(cli->progress);
    g_autofree char *text = words ? g_strdup_printf("%s not told: %s", what, words) : NULL;
    if (text && log_is_json(cli))
        log_json(cli, "warn", text, NULL);
    else if (text)
        fprintf(cli->err, "%s\n", text);
}

/* By a thread of its own. */
static void log_batch(void *self, const struct run_row *run, const char *stage, const struct batch_row *batch)
{
    const struct tally *tally = &batch->tally;
    log_json(self, "debug", "checkpoint",
             json_pack("{s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "run", shape_text(run->name), "stage",
                       shape_text(stage), "partition", (json_int_t)batch->part, "batch", (json_int_t)batch->number,
                       "lane", (json_int_t)batch->lane, "took_ms", (json_int_t)batch->took_ms, "read",
                       (json_int_t)tally->of[OUTCOME_READ], "written", (json_int_t)tally->of[OUTCOME_WRITTEN],
                       "rejected", (json_int_t)tally->of[OUTCOME_REJECTED], "retried",
                       (json_int_t)tally->of[OUTCOME_RETRIED], "bytes_written", (json_int_t)batch->bytes_written));
}

static char *run_named(struct cli *cli, const char *name, GError **error)
{
    auto_(catalog) catalog = NULL;
    auto_(arena) mem = arena_new(1 << 20);
    struct run_row run;
    if (!catalog_open(&catalog, cli->world, cli->home, CATALOG_READ_ONLY, error) ||
        !catalog_run_get(catalog, name, mem, &run, error))
        return NULL;
    return g_strdup(run.name);
}

static bool wants_metrics(const struct metrics_keep_config *config)
{
    return config->file || config->push || config->statsd || config->dogstatsd;
}

static bool wants_batches(const struct cli *cli)
{
    return log_is_json(cli) && progress_tells(cli, "debug");
}

static bool read_share(const struct cli *cli, double *io, GError **error)
{
    const char *said = cli->values[OPTION_OTLP_SAMPLE];
    return !said || units_parse_share(said, io, error) || error_add(error, "--otlp-sample");
}

static bool begin_metrics(struct cli *cli, struct cli_keep *io, GError **error)
{
    g_autofree char *warning = NULL;
    if (!wants_metrics(&io->config))
        return true;
    if (!metrics_keep_begin(&io->keep, &io->config, &warning, error))
        return false;
    warn(cli, "metrics are", warning);
    return true;
}

static bool begin_trace(struct cli *cli, struct cli_keep *io, GError **error)
{
    struct trace_keep_config *config = &io->trace_config;
    if (wants_batches(cli)) {
        config->batch = log_batch;
        config->batch_self = cli;
    }
    return (!config->collector && !config->batch) || trace_keep_begin(&io->trace, config, error);
}

bool cli_keep_begin(struct cli *cli, const char *run, struct cli_keep *ret, GError **error)
{
    *ret = (struct cli_keep){.config = {.world = cli->world,
                                        .home = cli->home,
                                        .file = cli->values[OPTION_METRICS_FILE],
                                        .push = cli->values[OPTION_PUSH],
                                        .statsd = cli->values[OPTION_STATSD],
                                        .dogstatsd = cli->values[OPTION_DOGSTATSD]}};
    if (!wants_metrics(&ret->config) && !cli_has(cli, OPTION_OTLP) && !wants_batches(cli))
        return true;
    ret->run = run_named(cli, run, error);
    if (!ret->run)
        return false;
    ret->config.run = ret->run;
    ret->trace_config = (struct trace_keep_config){.world = cli->world,
                                                   .home = cli->home,
                                                   .run = ret->run,
                                                   .collector = cli->values[OPTION_OTLP],
                                                   .header = cli->values[OPTION_OTLP_HEADER],
                                                   .share = 1,
                                                   .traceparent = cli_trace()};
    if (read_share(cli, &ret->trace_config.share, error) && begin_metrics(cli, ret, error) &&
        begin_trace(cli, ret, error))
        return true;
    cli_keep_end(cli, ret);
    return false;
}

void cli_keep_end(struct cli *cli, struct cli_keep *keep)
{
    g_autofree char *trace = trace_keep_end(keep->trace), *words = metrics_keep_end(keep->keep);
    warn(cli, "metrics are", words);
    warn(cli, "the trace is", trace);
    g_clear_pointer(&keep->run, g_free);
}
