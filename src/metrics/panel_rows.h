/* PANEL(board, title, kind, unit, expr, legend): the panels of `sluice export grafana`, in this order. Rows of one
 * board with the same title are one panel. board: OVERVIEW (anyone), ONCALL, DEBUG. kind: SERIES, STAT, TABLE, BAR.
 * unit: Grafana's. expr: PromQL; `{@` stands where the run is chosen, `{~` where the earlier runs of its spec are. */
/* clang-format off */
#define PANEL_RATE(window) "sum by (run) (rate(sluice_records_total{@}[" window "]))"
/* Between which earlier runs of the spec were. */
#define PANEL_BAND(board, title, unit, expr)                                                                           \
    PANEL(board, title, SERIES, unit, "min(min_over_time((" expr ")[30d:1h]))", "earlier runs, least")                 \
    PANEL(board, title, SERIES, unit, "max(max_over_time((" expr ")[30d:1h]))", "earlier runs, most")

PANEL(OVERVIEW, "State",                      TABLE,  "none",        "sluice_run_state{@} == 1", "{{run}} {{state}}")
PANEL(OVERVIEW, "Progress",                   BAR,    "percentunit", "sum by (run) (sluice_records_total{@}) / on (run) sluice_run_listed_records{@}", "{{run}}")
PANEL(OVERVIEW, "Time to completion",         STAT,   "s",           "sluice_run_remaining_seconds{@}", "{{run}}")
PANEL(OVERVIEW, "Time to completion over 24 hours", SERIES, "s",     "sluice_run_remaining_seconds{@}", "{{run}}")
PANEL(OVERVIEW, "Budget used",                BAR,    "percentunit", "sluice_budget_used_ratio{@}", "{{run}} {{budget}}")
PANEL(OVERVIEW, "Cost to complete",           STAT,   "short",       "sluice_cost_forecast{@} - on (run, currency) sluice_cost_total{@}", "{{run}} {{currency}}")
PANEL(OVERVIEW, "Cost so far",                STAT,   "short",       "sluice_cost_total{@}", "{{run}} {{currency}}")
PANEL(OVERVIEW, "Success rate",               STAT,   "percentunit", "sluice_success_ratio{@}", "{{run}}")
PANEL(OVERVIEW, "Needs a person",             STAT,   "bool_yes_no", "sluice_run_needs_person{@}", "{{run}}")
PANEL(OVERVIEW, "Audit completeness",         STAT,   "percentunit", "sluice_audit_completeness_ratio", "")
PANEL(OVERVIEW, "Incidents",                  TABLE,  "none",        "ALERTS{alertname=~\"Sluice.*\",alertstate=\"firing\"}", "{{alertname}} {{run}}")
PANEL(OVERVIEW, "Throughput",                 SERIES, "ops",         PANEL_RATE("5m"), "{{run}}")
PANEL_BAND(OVERVIEW, "Throughput",                   "ops",         "sum by (run) (rate(sluice_records_total{~}[5m]))")
PANEL(OVERVIEW, "Freshness",                  SERIES, "s",           "time() - sluice_run_progress_timestamp_seconds{@}", "{{run}} newest checkpoint")
PANEL(OVERVIEW, "Freshness",                  SERIES, "s",           "time() - max by (run) (sluice_verification_timestamp_seconds{@})", "{{run}} newest verification")
PANEL(OVERVIEW, "End-to-end latency",         SERIES, "s",           "sluice_end_to_end_seconds{@}", "{{run}} {{share}} of the batches")
PANEL_BAND(OVERVIEW, "End-to-end latency",           "s",           "sluice_end_to_end_seconds{~share=\"0.99\"}")

PANEL(ONCALL,   "What limits it",             TABLE,  "none",        "sluice_limited{@}", "{{run}} {{by}}")
PANEL(ONCALL,   "Alerts",                     TABLE,  "none",        "ALERTS{alertname=~\"Sluice.*\"}", "{{alertname}} {{alertstate}} {{run}}")
PANEL(ONCALL,   "Live latency",               SERIES, "s",           "sluice_live_latency_seconds{@}", "{{server}}")
PANEL(ONCALL,   "Live latency",               SERIES, "s",           "sluice_live_latency_limit_seconds{@}", "{{server}} limit")
PANEL(ONCALL,   "Live latency",               SERIES, "s",           "sluice_live_latency_baseline_seconds{@}", "{{server}} without the run")
PANEL(ONCALL,   "Effect on live latency",     SERIES, "percentunit", "sluice_live_latency_effect_ratio{@}", "{{server}}")
PANEL_BAND(ONCALL,   "Effect on live latency",       "percentunit", "sluice_live_latency_effect_ratio{~}")
PANEL(ONCALL,   "Signals against their limits", SERIES, "percentunit", "sluice_guard_value{@} / on (run, guard) (sluice_guard_limit{@} > 0)", "{{guard}}")
PANEL(ONCALL,   "What guards do",             SERIES, "none",        "sluice_guard_level{@}", "{{guard}}")
PANEL(ONCALL,   "Resources of critical nodes", SERIES, "percentunit", "sluice_guard_value{@guard=~\"memory|clients\"}", "{{guard}}")
PANEL(ONCALL,   "Error rate",                 SERIES, "percentunit", "sum by (run) (rate(sluice_records_total{@outcome=~\"rejected|in_doubt\"}[5m])) / " PANEL_RATE("5m"), "{{run}}")
PANEL_BAND(ONCALL,   "Error rate",                   "percentunit", "sum by (run) (rate(sluice_records_total{~outcome=~\"rejected|in_doubt\"}[5m])) / sum by (run) (rate(sluice_records_total{~}[5m]))")
PANEL(ONCALL,   "Errors by class",            SERIES, "short",       "sluice_rejected_records{@}", "{{class}}")
PANEL(ONCALL,   "Stragglers",                 STAT,   "short",       "sluice_stragglers{@}", "{{run}}")
PANEL(ONCALL,   "Reconciliation difference",  STAT,   "percentunit", "sluice_verification_difference_ratio{@}", "{{stage}}")
PANEL(ONCALL,   "Reconciliation difference",  STAT,   "percentunit", "sluice_verification_bound_ratio{@}", "{{stage}} at most")
PANEL(ONCALL,   "Verdicts",                   TABLE,  "bool",        "sluice_verification_passed{@}", "{{stage}}")
PANEL(ONCALL,   "Hooks told in vain",         STAT,   "short",       "sluice_hook_deliveries{@state=\"failed\"}", "{{run}}")
PANEL(ONCALL,   "Held by a process",          STAT,   "bool_yes_no", "sluice_run_held{@}", "{{run}}")

PANEL(DEBUG,    "Partitions",                 SERIES, "short",       "sluice_partitions{@}", "{{stage}} {{state}}")
PANEL(DEBUG,    "Stages",                     TABLE,  "none",        "sluice_stage_state{@} == 1", "{{stage}} {{state}}")
PANEL(DEBUG,    "Records by outcome",         SERIES, "ops",         "rate(sluice_records_total{@}[1m])", "{{outcome}}")
PANEL(DEBUG,    "Retries",                    SERIES, "ops",         "rate(sluice_retries_total{@}[1m])", "{{run}}")
PANEL_BAND(DEBUG,    "Retries",                      "ops",         "rate(sluice_retries_total{~}[5m])")
PANEL(DEBUG,    "Bytes",                      SERIES, "Bps",         "rate(sluice_read_bytes_total{@}[1m])", "read")
PANEL(DEBUG,    "Bytes",                      SERIES, "Bps",         "rate(sluice_written_bytes_total{@}[1m])", "written")
PANEL(DEBUG,    "Window of the governor",     SERIES, "short",       "sluice_live_window_commands{@}", "{{server}}")
PANEL(DEBUG,    "Commands to a server",       SERIES, "ops",         "sluice_live_commands_per_second{@}", "{{server}}")
PANEL(DEBUG,    "Time at work",               SERIES, "percentunit", "rate(sluice_work_seconds_total{@}[5m])", "{{run}}")
PANEL(DEBUG,    "Verification by class",      TABLE,  "short",       "sluice_verified_records{@} > 0", "{{stage}} {{class}}")
PANEL(DEBUG,    "Taken back",                 SERIES, "ops",         "rate(sluice_rollback_records_total{@}[1m])", "{{outcome}}")
PANEL(DEBUG,    "Made live",                  SERIES, "ops",         "rate(sluice_promotion_records_total{@}[1m])", "{{outcome}}")
PANEL(DEBUG,    "Processor",                  SERIES, "percentunit", "rate(process_cpu_seconds_total{job=~\"sluice.*\"}[1m])", "{{instance}}")
PANEL(DEBUG,    "Memory",                     SERIES, "bytes",       "process_resident_memory_bytes{job=~\"sluice.*\"}", "{{instance}}")
/* clang-format on */
