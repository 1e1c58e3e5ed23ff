// Which of the alert rules hold now, as far as a status tells it: the same names, severities and words as `sluice export alerts`
// writes for Prometheus (rows.js). What only its memory knows (burn rates, an absence, half of its own pace) is not here. Pure.
import { duration, milliseconds, share } from "./format.js";
import { needsPerson, progress } from "./headline.js";
import { ROWS } from "./rows.js";
import { isOver } from "./words.js";

const ACTIVE = new Set(["running", "verifying", "promoting", "rolling-back"]);
const ERRORS = 0.001, USED = 0.8, FULL = 0.7;

function errors(status) {
  const { done } = progress(status), bad = status.records.rejected + status.records.in_doubt;
  return ACTIVE.has(status.state) && bad > ERRORS * done && `${share(bad, done)} of those done`;
}

function budget({ budget, state }) {
  if (isOver(state)) return false;
  const [name, used] = Object.entries(budget ?? {}).find(([, one]) => one?.limit > 0 && one.used > USED * one.limit) ?? [];
  return used && `${name.replace(/_s$/, "")}: ${share(used.used, used.limit)}`;
}

function latency({ live }) {
  const server = live?.find(({ p99_ms, limit_ms }) => limit_ms > 0 && p99_ms > limit_ms);
  return server && `${server.server}: ${milliseconds(server.p99_ms)}, ${milliseconds(server.limit_ms)} allowed`;
}

const of = (state) => (status) => status.state === state && (status.reason ?? state);
const signals = (status, which) => status.signals?.filter(which).map(({ name, value_text, where }) => [name, value_text, where].filter(Boolean).join(" ")).join(", ");

/** What holds, in words; anything false: it does not. */
const HOLDS = {
  SluiceDivergence: ({ stages }) => stages?.find(({ state }) => state === "failed") && `stage ${stages.find(({ state }) => state === "failed").name}`,
  SluiceLiveLatency: latency,
  SluiceHalted: of("halted"),
  SluiceFailed: of("failed"),
  SluiceErrorRate: errors,
  SluiceDead: (status) => ACTIVE.has(status.state) && status.held === false && status.state,
  SluiceStuck: ({ watchdog }) => watchdog?.kind === "stuck" && (watchdog.words ?? "nothing moves"),
  SluiceBudget: budget,
  SluiceLate: ({ slo }) => slo?.late && !slo.there && `by ${duration((Date.parse(slo.there_at) - Date.parse(slo.due_at)) / 1000)}`,
  SluiceSourceRunsOut: ({ source_until: until }) => until?.late && (until.passed ? "it has passed" : `by ${duration((Date.parse(until.there_at) - Date.parse(until.at)) / 1000)}`),
  SluiceNeedsPerson: (status) => needsPerson(status) && status.state,
  SluiceGuardHolds: (status) => signals(status, ({ level }) => level === "pause" || level === "halt"),
  SluiceNodeUse: (status) => signals(status, ({ name, value }) => name === "memory" && value > FULL),
  SluiceHookFailed: ({ hooks }) => hooks?.failed > 0 && `${hooks.failed} of them`,
};

/** Those that the page can tell. */
export const TOLD = Object.keys(HOLDS);

/** [{ name, severity, after, says, now }], pages before tickets. */
export function alerts(status) {
  return ROWS.alerts
    .map(([name, severity, after, says]) => ({ name, severity, after, says, now: HOLDS[name]?.(status) }))
    .filter(({ now }) => now)
    .sort((a, b) => a.severity.localeCompare(b.severity));
}

/** The sections of a runbook, by their names. */
export function sections(text) {
  return new Map(text.split(/^### /m).slice(1).map((part) => [part.slice(0, part.indexOf("\n")).trim(), part.slice(part.indexOf("\n") + 1).split(/^## /m)[0].trim()]));
}
