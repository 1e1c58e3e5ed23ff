/* What is read of one run for its metrics, in one look. Internal to metrics/. */
#pragma once

#include <jansson.h>

#include "catalog/pages.h"
#include "metrics/exposition.h"
#include "view/look.h"

/* What a process uses. */
struct metrics_process {
    double cpu_s, resident_bytes, virtual_bytes, threads, files;
};
/* Of this one; false: the system does not tell. */
bool metrics_process_read(const struct world *world, struct metrics_process *ret);

struct figures {
    const struct run_row *run; /* NULL: it is of the home */
    int64_t now_ms;
    struct stage_row *stages;
    size_t n_stages;
    struct look look;
    const char *limited_by;
    json_t *live; /* an array: servers as they are paced now */
    struct report_row *reports;
    size_t n_reports;
    GHashTable *rejected; /* class: its number in a pointer; borrowed; NULL: the quarantine cannot be read */
    struct latencies latencies;
    uint64_t entries; /* of the ledger */
    double audited;
    bool stopped;
    bool has_process;
    struct metrics_process process;
};

/* Texts are in `mem`. `memory` is the source's. */
bool figures_of_run(struct metrics_source *source, const struct run_row *run, struct arena *mem, struct figures *ret,
                    GError **error);
bool figures_of_home(struct metrics_source *source, struct arena *mem, struct figures *ret, GError **error);
void figures_done(struct figures *figures);

/* The samples of one metric, of one run or of the home. */
#define METRIC(symbol, name, type, scope, labels, words, formula, threshold)                                           \
    void metric_put_##symbol(struct exposition *into, const struct figures *figures);
#include "metrics/metric_rows.h"
#undef METRIC
