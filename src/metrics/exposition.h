/* Text in Prometheus's exposition format 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats/
 * Samples of one metric stand together, below its HELP and TYPE. */
#pragma once

#include "base/slice.h"
#include "metrics/metrics.h"

struct exposition {
    GString *into;
    const struct metric_row *row;
    const char *run, *spec; /* of the samples that follow; NULL: they are of no run */
    bool headed;
};

struct metric_label {
    const char *name, *value;
};
/* Of a sample, ended by a NULL name. */
#define METRIC_LABELS(...) ((const struct metric_label[]){__VA_ARGS__, {NULL, NULL}})

void exposition_metric(struct exposition *exposition, const struct metric_row *row);
/* One sample; a value that is no number is none. `labels` NULL: none beside run and spec. */
void exposition_put(struct exposition *exposition, double value, const struct metric_label *labels);
