/* What other tools need to watch runs: alert rules for Prometheus, dashboards for Grafana, a runbook for people. All of
 * it is made of tables (metrics/alert_rows.h, panel_rows.h) and of what a spec says; the metrics that they ask for are
 * those of metric_rows.h. docs/metrics.md is the user's page. */
#pragma once

#include <glib.h>
#include <jansson.h>

#include "spec/spec.h"

enum alert_severity { ALERT_PAGE, ALERT_TICKET };
struct alert_row {
    const char *name;
    enum alert_severity severity;
    const char *hold, *expr, *says, *steps;
};
/* In order; NULL: no more. */
const struct alert_row *alert_row_at(size_t i);

struct export_alerts {
    const struct spec *spec; /* whose runs are meant; NULL: all of them */
    const char *runbook;     /* where the runbook will be found: a URL or a path; NULL: runbook.md */
};
/* A file of rules, YAML: https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/ */
void export_alerts(const struct export_alerts *wish, GString *into);

enum export_board { EXPORT_OVERVIEW, EXPORT_ONCALL, EXPORT_DEBUG, EXPORT_BOARDS };
const char *export_board_name(enum export_board board); /* overview, on-call, debug */
/* USAGE names them. */
bool export_board_find(const char *name, enum export_board *ret, GError **error);
/* A dashboard as Grafana imports it; the caller's. */
json_t *export_board(enum export_board board);
/* The same as text. */
void export_board_put(enum export_board board, GString *into);

/* Markdown: start, pause, resume, roll back, validate, escalate, and a section for each alert. `run`: what its runs are
 * called in the commands, NAME.N or NAME. */
void export_runbook(const struct spec *spec, const char *run, GString *into);
