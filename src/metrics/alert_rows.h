/* ALERT(name, severity, hold, expr, says, steps): the rules of `sluice export alerts`, and the sections of the runbook
 * that they lead to, in this order. severity: PAGE, TICKET. hold: how long it must be so. expr: PromQL in which `{@`
 * stands where a spec or a run is chosen. says: one line, after the run's name. steps: what to do now, a line each; RUN
 * and SPEC stand for the run's name and the spec's path. Starting thresholds are those of metric_rows.h. */
/* clang-format off */
#define ALERT_ACTIVE "sluice_run_state{@state=~\"running|verifying|promoting|rolling-back\"} == 1"
#define ALERT_BAD(window)                                                                                              \
    "(sum by (run, spec) (rate(sluice_records_total{@outcome=~\"rejected|in_doubt\"}[" window "]))"                    \
    " / sum by (run, spec) (rate(sluice_records_total{@}[" window "])))"
#define ALERT_BURN(factor, short_window, long_window)                                                                  \
    ALERT_BAD(short_window) " > " factor " * 0.001 and " ALERT_BAD(long_window) " > " factor " * 0.001"

ALERT(SluiceDivergence, PAGE, "0m",
      "sluice_verification_passed{@} == 0 unless on (run) sluice_run_state{@state=\"rolled-back\"} == 1",
      "its verification does not pass: more differs from the source than its gate allows",
      "Nothing widens by itself: the gate has failed, and the run is paused.\n"
      "`sluice status RUN` names the report; each line of it is a key, what the source gives and what the target holds.\n"
      "`sluice verify RUN --full` compares every key again, now.\n"
      "Where the run is wrong: `sluice rollback RUN --reason ...`. Where the spec is: mend it and `sluice run SPEC --supersede RUN`.\n"
      "Where the application wrote those keys meanwhile: `sluice resume RUN --reason ...` judges the stage again.")
ALERT(SluiceLiveLatency, PAGE, "1m",
      "sluice_live_latency_seconds{@} > sluice_live_latency_limit_seconds{@}",
      "live requests take longer than protect.live promises",
      "The governor has halved its window already; a minute later it is still so.\n"
      "`sluice status RUN` shows the server, its p99, the limit and the baseline.\n"
      "`sluice pause RUN --reason ...`, and look whether the latency falls. Where it does not, the cause is another one: `sluice resume RUN`.\n"
      "Where it does: `sluice set RUN protect.rate.max=1000/s --reason ...`, then `sluice resume RUN`.")
ALERT(SluiceHalted, PAGE, "0m",
      "sluice_run_state{@state=\"halted\"} == 1",
      "a hard guard has halted it",
      "`sluice status RUN` names the guard and its reading.\n"
      "What it wrote stands, and can be taken back: `sluice rollback RUN --reason ...`.\n"
      "Once the cause is gone: `sluice resume RUN --reason ...` (a reason is needed).")
ALERT(SluiceFailed, PAGE, "0m",
      "sluice_run_state{@state=\"failed\"} == 1",
      "something went wrong that stops it",
      "`sluice status RUN` has the reason; `sluice audit log --limit 20` what came before it.\n"
      "Once it is mended: `sluice resume RUN`. Otherwise: `sluice rollback RUN --reason ...`.")
ALERT(SluiceErrorRate, PAGE, "1m",
      "sluice_error_ratio{@} > 0.001 and on (run) (" ALERT_ACTIVE ")",
      "more than one record in a thousand is refused or in doubt",
      "`sluice quarantine list RUN --limit 20` has the newest with their reasons; `sluice quarantine show RUN NUMBER` one of them whole.\n"
      "`sluice pause RUN --reason ...` until it is understood: the run itself pauses at protect.rejects.\n"
      "Once contract or transform are mended: `sluice quarantine retry RUN`.")
ALERT(SluiceErrorBurnFast, PAGE, "2m",
      ALERT_BURN("14.4", "5m", "1h"),
      "it refuses records so fast that its error budget is gone within hours",
      "As for SluiceErrorRate.")
ALERT(SluiceErrorBurnSlow, TICKET, "15m",
      ALERT_BURN("6", "30m", "6h"),
      "it refuses records steadily, faster than its error budget allows",
      "As for SluiceErrorRate.")
ALERT(SluiceDead, PAGE, "2m",
      "(" ALERT_ACTIVE ") and on (run) sluice_run_held{@} == 0",
      "no process holds it: the one that did has died",
      "Nothing is lost and nothing is half-written that cannot be settled: the next process goes on where it was verified.\n"
      "`sluice resume RUN` goes on (`sluice rollback RUN` where it was being taken back); `--detach` leaves it running.")
ALERT(SluiceMetricsStale, TICKET, "1m",
      "time() - sluice_run_exposed_timestamp_seconds{@} > 120 and on (run) (" ALERT_ACTIVE ")",
      "its figures are two minutes old",
      "Where the run writes a file or pushes (`--metrics-file`, `--push`), its process is gone or cannot reach the gateway.\n"
      "`sluice status RUN` says whether a process holds it.")
ALERT(SluiceAbsent, TICKET, "15m",
      "absent(sluice_build_info)",
      "nothing tells of any run",
      "The target that is scraped is gone: the server, the collector's file, the gateway.")
ALERT(SluiceStuck, TICKET, "10m",
      "sum by (run, spec) (rate(sluice_records_total{@}[10m])) == 0 and on (run) sluice_run_state{@state=\"running\"} == 1"
      " and on (run) sluice_run_held{@} == 1",
      "it runs, and nothing has come of it for ten minutes",
      "`sluice status RUN`: `watchdog` says why it does not move, `lags` which partitions, `slowed by` what holds it.")
ALERT(SluiceLatency, TICKET, "10m",
      "sluice_end_to_end_seconds{@share=\"0.99\"} > 10"
      " and sluice_end_to_end_seconds{@share=\"0.99\"} > 4 * quantile_over_time(0.5, sluice_end_to_end_seconds{@share=\"0.99\"}[6h])"
      " and on (run) sluice_run_state{@state=\"running\"} == 1",
      "a batch takes four times as long as its batches did, and more than ten seconds, from the read of a record until it stands",
      "`sluice status RUN`: `limited by`, guards and stragglers say what its batches wait for: the pace that was promised, a server, or the source.\n"
      "A batch in flight is what a kill repeats and what a pause waits for: `sluice set RUN workers=N`, or smaller batches, shorten both.")
ALERT(SluiceSlow, TICKET, "15m",
      "sum by (run, spec) (rate(sluice_records_total{@}[15m])) < 0.5 * sum by (run, spec) (rate(sluice_records_total{@}[2h]))"
      " and on (run) sluice_run_state{@state=\"running\"} == 1",
      "it goes at less than half of its own pace",
      "`sluice status RUN`: `slowed by` and `guards` say what holds it. It keeps its promises to live traffic: this is no incident.\n"
      "`sluice_run_remaining_seconds` says how long it takes at this pace; `hours` and `budget.time` whether that still fits.")
ALERT(SluiceBudget, TICKET, "0m",
      "sluice_budget_used_ratio{@} > 0.8 unless on (run) sluice_run_state{@state=~\"done|rolled-back|aborted\"} == 1",
      "four fifths of a budget are used",
      "At its end the run pauses by itself and needs a person. `sluice status RUN` shows what is used.\n"
      "`sluice set RUN budget.records=... --reason ...` (or `bytes`, `time`) gives it more.")
ALERT(SluiceLate, TICKET, "15m",
      "sluice_slo_late{@} == 1",
      "it gets there later than its slo promises",
      "`sluice status RUN` says when it gets there at the pace so far, and what holds it.\n"
      "`sluice set RUN protect.rate.max=... --reason ...` gives it more, where live traffic leaves room; otherwise tell who waits for it.")
ALERT(SluiceSourceRunsOut, TICKET, "5m",
      "sluice_source_late{@} == 1",
      "its source can be read for less time than the run still needs",
      "`sluice status RUN` says until when its source can be read, and by when a run that stands has to go on.\n"
      "Let it go on (`sluice resume RUN --reason ...`), or have the source kept for longer (the bucket's lifecycle, the dump's removal) and\n"
      "say so: `sluice set RUN source.until=TIME --reason ...`. At that time the run pauses.")
ALERT(SluiceNeedsPerson, TICKET, "5m",
      "sluice_run_needs_person{@} == 1",
      "nothing happens before somebody acts",
      "`sluice status RUN` has the state and its reason.\n"
      "A gate that waits for an approval: look at its report, then `sluice approve RUN --reason ...` or `sluice deny RUN --reason ...`.\n"
      "A pause: `sluice resume RUN --reason ...`, or `sluice rollback RUN --reason ...`.")
ALERT(SluiceGuardHolds, TICKET, "15m",
      "sluice_guard_level{@} >= 2",
      "a guard has held it for a quarter of an hour",
      "It goes on by itself once the reading is well within the limit. `sluice status RUN` shows reading, limit and server.\n"
      "Where the limit is the wrong one: `sluice set RUN protect.GUARD=... --reason ...`.")
ALERT(SluiceNodeUse, TICKET, "5m",
      "sluice_guard_value{@guard=\"memory\"} > 0.7",
      "a server of its target is fuller than 70 %",
      "`sluice status RUN` names the server. protect.memory pauses the run before the server is full.")
ALERT(SluiceHookFailed, TICKET, "0m",
      "sluice_hook_deliveries{@state=\"failed\"} > 0",
      "a hook was told in vain",
      "`sluice hooks RUN` has its last words; `sluice hooks RUN --retry` tells it again.")
ALERT(SluiceAudit, PAGE, "0m",
      "sluice_audit_completeness_ratio < 1",
      "the chain of the ledger is broken",
      "Somebody has changed the home's record. `sluice audit verify` names the first entry that does not hold.\n"
      "Keep a copy of the home before anything else, and compare with a head that is known from elsewhere: `sluice audit verify --head HEX`.")
/* clang-format on */
