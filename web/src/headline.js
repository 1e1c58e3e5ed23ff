// What a run is doing, and the first reason why it does not do more: one sentence, the first thing that somebody reads
// at three in the morning. Pure: a status (docs/api.md) goes in.
import { clock, count, duration, milliseconds, rate, visible } from "./format.js";
import { isOver, stateLook } from "./words.js";

/** Which tally of partitions moves: that of a rollback, of a promotion, or of the run itself; `word`: what its written ones are. */
export function moving(status) {
  if (status.back_partitions?.total > 0) return { parts: status.back_partitions, verb: "taken back", word: "rolled-back" };
  if (status.state === "promoting") return { parts: status.promotion_partitions, verb: "promoted" };
  return { parts: status.partitions, verb: "accounted for" };
}

const LISTED = ["written", "unchanged", "kept_live", "rejected", "filtered", "deleted", "gone", "in_doubt"];
const BACK = ["restored", "left"];
const PROMOTED = ["promoted", "passed_over"];

/** Keys accounted for by what is under way, and how many there are. */
export function progress(status) {
  const r = status.records, sum = (words) => words.reduce((total, word) => total + (r[word] ?? 0), 0);
  if (status.back_partitions?.total > 0) return { done: sum(BACK), of: Math.max(r.written + r.deleted, sum(BACK)) };
  if (status.state === "promoting") return { done: sum(PROMOTED), of: Math.max(r.written, sum(PROMOTED)) };
  return { done: sum(LISTED), of: r.listed };
}

/** Signals that are not well, the worst first; those that cannot be read are among them. */
function unwell(signals = []) {
  const order = ["halt", "pause", "slow"];
  return signals.filter((s) => s.level !== "ok" || s.error).sort((a, b) => order.indexOf(a.level) - order.indexOf(b.level));
}

/** A signal that has words but no value: nobody knows how it stands. One that has both says more than its figure. */
export function unread(signal) {
  return Boolean(signal.error) && (signal.value === null || signal.value === undefined);
}

function signalWords(signal) {
  const where = signal.where ? ` on ${signal.where}` : "";
  const does = { slow: "slows it", pause: "pauses it", halt: "halts it" }[signal.level] ?? "is watched";
  if (unread(signal)) return `${signal.name}${where} cannot be read, which ${does}: ${signal.error}`;
  if (signal.error) return `${signal.name} ${does}: ${signal.error}`;
  return `${signal.name} ${does}: ${signal.value_text ?? signal.value}${where}, its limit is ${signal.limit_text ?? signal.limit}`;
}

function liveWords(server) {
  if (!server || server.p99_ms === null) return "";
  return `live p99 ${milliseconds(server.p99_ms)} on ${server.server}, ${milliseconds(server.baseline_ms)} without the run, ${milliseconds(server.limit_ms)} allowed`;
}

function pacedBy(status) {
  const by = status.rate?.limited_by;
  if (!by) return null;
  const live = status.live?.find((server) => server.limited_by === by) ?? status.live?.[0];
  if (/^(live|baseline|probe)/.test(by)) return [`slowed by ${by}`, liveWords(live)].filter(Boolean).join(": ");
  if (by === "protect.rate.max") return `held to its limit of ${rate(status.rate.limit_records_per_s)} records/s (${by})`;
  return `slowed by ${by}`;
}

/** All that holds a run back, the first reason first; empty where nothing is known to. */
export function limits(status) {
  const stuck = status.watchdog?.kind === "stuck" && `stuck since ${clock(status.watchdog.since)}: ${status.watchdog.words ?? "nothing moves"}`;
  return [stuck, ...unwell(status.signals).map(signalWords), pacedBy(status)].filter(Boolean);
}

function waits(status) {
  const stage = status.stages?.find(({ state }) => state === "waiting");
  if (!stage) return "";
  if (status.waits_for?.given_by) return `stage ${stage.name} is approved by ${status.waits_for.given_by}${status.held === false ? ", and no process has the run" : ""}`;
  if (stage.soaks_until) return `stage ${stage.name} soaks until ${clock(stage.soaks_until)}`;
  return `stage ${stage.name} waits for an approval`;
}

const byGuard = (status) => status.state === "paused" && /^guard/.test(status.reason ?? "");

const REASONS = {
  planned: () => "planned, and nothing is written yet",
  waiting: (s) => (s.waits_for?.given_by ? waits(s) : s.reason ?? waits(s)),
  paused: (s) => s.reason ?? "",
  interrupted: (s) => s.reason ?? "its process was stopped or has died; nothing is lost",
  halted: (s) => s.reason ?? "",
  failed: (s) => s.reason ?? "",
  done: (s) => doneWords(s),
  "rolled-back": (s) => `${count(s.records.restored)} restored byte for byte, ${count(s.records.left)} left to the application`,
  aborted: (s) => s.reason ?? "ended; what it wrote stands",
};

function doneWords({ records }) {
  const refused = records.rejected ? `, ${count(records.rejected)} refused` : "";
  const kept = records.kept_live ? `, ${count(records.kept_live)} kept live` : "";
  return `${count(records.written)} written, ${count(records.unchanged)} unchanged${refused}${kept} of ${count(records.listed)}`;
}

function busy(status) {
  const { done, of } = progress(status);
  if (status.state === "verifying") return `stage ${status.stage ?? ""} is compared with its source`;
  return `${count(done)} of ${count(of)} records ${moving(status).verb}`;
}

/** Who or what ends the state that it is in. */
function nextStep(status) {
  const run = status.run;
  switch (status.state) {
    case "paused":
      if (/^guard: stop-all/.test(status.reason ?? "")) return "It goes on by itself when the flag that stops all runs is lifted.";
      return byGuard(status) ? "It goes on by itself once that is well within its limit." : `It stays so until somebody resumes it: sluice resume ${run}`;
    case "waiting":
      if (status.waits_for?.given_by) return status.held === false ? `sluice resume ${run}` : "It goes on by itself.";
      return status.stages?.some((s) => s.state === "waiting" && !s.soaks_until) ? `sluice approve ${run}, or deny it` : "It goes on by itself.";
    case "interrupted":
    case "failed":
      return `sluice resume ${run}, or roll it back`;
    case "halted":
      return `A person with a reason has to let it go on: sluice resume ${run} --reason …`;
    case "planned":
      return `sluice run ${run}`;
    default:
      return "";
  }
}

/** { tone, glyph, word, why, next, since }: `why` is the first reason. */
export function headline(status) {
  const look = stateLook(status.state);
  const slow = isOver(status.state) ? "" : limits(status)[0];
  const told = REASONS[status.state]?.(status) ?? "";
  const stuck = status.watchdog?.kind === "stuck";
  return {
    ...look,
    tone: stuck ? "bad" : byGuard(status) ? "busy" : look.tone,
    word: status.state,
    why: visible(told || slow || busy(status), 600),
    next: nextStep(status),
    since: status.watchdog?.since ?? null,
  };
}

/** Whether somebody has to do something: such runs stand first in the list. */
export function needsPerson(status) {
  if (status.state === "paused") return !byGuard(status);
  if (status.state === "waiting") return status.stages?.some((s) => s.state === "waiting" && !s.soaks_until) || /approv/.test(status.reason ?? "");
  return ["halted", "failed", "interrupted"].includes(status.state) || status.watchdog?.kind === "stuck";
}

/** The short form for a title or an announcement. */
export function brief(status) {
  const { done, of } = progress(status);
  const part = of > 0 && !isOver(status.state) ? ` ${Math.floor((100 * done) / of)} %` : "";
  return `${status.run} ${status.state}${part}`;
}

export function eta(status) {
  return status.eta_s === null || status.eta_s === undefined ? null : duration(status.eta_s);
}

