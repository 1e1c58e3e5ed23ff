/* Metrics: what a home can tell of its runs, in Prometheus's text format, version 0.0.4.
 *
 * Read from the catalog alone, so that whoever can read the home can give it: `sluice export metrics`, the file and the
 * push of `sluice run`, the server's /metrics. One table (metrics/metric_rows.h) has every metric; exposition, docs,
 * alerts and panels come from it. Label values are bounded: runs, specs, stages, states, outcomes, classes, guards,
 * servers; never a partition or a key.
 *
 * Of a home are told the runs that are not over, and the newest of each spec for a day after its end; of one run, that
 * run. docs/metrics.md is the user's page. */
#pragma once

#include "catalog/catalog.h"

enum metric {
#define METRIC(symbol, name, type, scope, labels, words, formula, threshold) METRIC_##symbol,
#include "metrics/metric_rows.h"
#undef METRIC
    METRIC_COUNT
};
enum metric_type { METRIC_GAUGE, METRIC_COUNTER };
enum metric_scope { METRIC_HOME, METRIC_RUN, METRIC_PROCESS };

struct metric_row {
    const char *name;
    enum metric_type type;
    enum metric_scope scope; /* RUN: with the labels run and spec */
    const char *labels;      /* those that come on top, as the table has them: `stage, state` */
    const char *words;
};
const struct metric_row *metric_row(enum metric metric);

struct metrics_memory;

/* Of one thread, for as long as it likes: what costs much is remembered from one call to the next. */
struct metrics_source {
    const struct world *world;
    struct catalog *catalog;       /* of the calling thread; reading is enough */
    const char *run;               /* NAME.N: this one, whatever its state; NULL: those of the home */
    bool process;                  /* also what this very process uses */
    struct metrics_memory *memory; /* its own: NULL at the beginning, freed by metrics_source_done() */
};
void metrics_source_done(struct metrics_source *source);

/* Adds the whole exposition to `into`. NOT_FOUND: there is no such run. What is added to `into` before an error is no
 * exposition. Cost: a few reads of the catalog a run; the quarantine of a run where it has grown; the ledger where it
 * has, or a minute has passed. */
bool metrics_render(struct metrics_source *source, GString *into, GError **error);

/* Where it is given by HTTP. */
#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"
