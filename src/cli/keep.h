/* --metrics-file, --push, --statsd, --dogstatsd and --otlp of the commands that drive a run, and what their log says of
 * each batch. */
#pragma once

#include "cli/cli.h"
#include "metrics/keep.h"
#include "metrics/trace.h"

struct cli_keep {
    struct metrics_keep_config config;
    struct metrics_keep *keep; /* NULL: nobody asked */
    struct trace_keep_config trace_config;
    struct trace_keep *trace; /* likewise */
    char *run;
};

/* `run` as it is typed: NAME.N, or NAME. */
bool cli_keep_begin(struct cli *cli, const char *run, struct cli_keep *ret, GError **error);
/* What was not told in the end is said on standard error: the run is no worse for it. */
void cli_keep_end(struct cli *cli, struct cli_keep *keep);
