// What can be done to a run, as a table: what its button is called, when it is there, what its confirmation says. The
// effect in numbers and the command are the server's (dry_run); nothing is decided here that the server does not decide
// again.
import { count, plural } from "./format.js";
import { needsPerson } from "./headline.js";
import { isOver, mayMove } from "./words.js";

const waitsForWord = (status) => Boolean(status.waits_for?.stage) && !status.waits_for.given_by;
/** A person stopped it, or no process has it and it waits for nobody's word: an approval alone starts nothing. */
const canGoOn = (status) => !isOver(status.state) && !waitsForWord(status) && (status.held === false || (needsPerson(status) && status.state !== "waiting"));
const wrote = (status) => status.records.written + status.records.deleted > 0;

const left = (told) => `${plural(told.records?.left ?? 0, "record")} in ${plural(told.partitions?.left ?? 0, "partition")}`;

/** What follows behind the gate that waits. */
function behind(status) {
  const at = status.stages.findIndex(({ name }) => name === status.waits_for.stage), next = status.stages[at + 1];
  return next ? `stage ${next.name} begins, with ${plural(next.partitions.total, "partition")}` : "the run comes to its end";
}

/** right: of the session. there: whether the button is shown; effect: the sentence, of the server's
 * numbers (`told`) and what the fields say; fields: what is asked; needs: whether a reason is. */
export const ACTIONS = [
  {
    name: "approve",
    label: "Approve",
    right: "approve",
    tone: "good",
    there: waitsForWord,
    fields: ["reason"],
    ask: "comment",
    effect: (told, status) => `Stage ${status.waits_for.stage} passes its gate, and ${behind(status)}.`,
    body: (status) => ({ report: status.waits_for.report ?? undefined }),
    after: "The gate opens. Where no process holds the run, it goes on with the next `run` or `resume`.",
  },
  {
    name: "deny",
    label: "Deny",
    right: "approve",
    tone: "bad",
    there: waitsForWord,
    fields: ["reason"],
    needs: true,
    body: (status) => ({ report: status.waits_for.report ?? undefined }),
    effect: (told, status) => `Stage ${status.waits_for.stage} fails its gate: ${left(told)} are not begun.`,
    after: "The run pauses. A resume judges all of the stage again.",
  },
  {
    name: "pause",
    label: "Pause",
    right: "operate",
    there: (status) => !isOver(status.state) && (mayMove(status.state, "paused") || status.state === "paused") && !(status.state === "paused" && needsPerson(status)),
    fields: ["reason"],
    needs: true,
    effect: (told, status) => `${plural(status.partitions.running, "partition")} at work finish their batches; ${left(told)} wait.`,
    after: "Batches in flight are finished and checkpointed; nothing more is begun. It holds against everything until somebody resumes the run.",
  },
  {
    name: "resume",
    label: "Resume",
    right: "operate",
    there: canGoOn,
    fields: ["reason"],
    needs: (status) => status.state === "halted",
    effect: (told) => `It goes on with ${left(told)}.`,
    after: "It goes on where it was verified; what was verified is not read again.",
  },
  {
    name: "promote",
    label: "Promote",
    right: "operate",
    there: (status) => status.promotion_partitions?.total > 0 || status.state === "promoting",
    fields: ["reason"],
    effect: (told) => `About ${plural(told.keys ?? 0, "key")} are made live, as far as the application has not written them since.`,
    after: "The shadow is made live, key by key. Until it ends readers see old and new records side by side.",
  },
  {
    name: "set",
    label: "Set a limit",
    right: "operate",
    there: (status) => !isOver(status.state),
    fields: ["key", "value", "reason"],
    effect: (told, status, values) => `${values.key} becomes ${values.value}, for ${left(told)} that are left.`,
    after: "Heeded at once by a run that is at work; the plan stays as it is.",
  },
  {
    name: "rollback",
    label: "Roll back",
    right: "operate",
    tone: "bad",
    there: (status) => wrote(status) && status.state !== "rolled-back",
    fields: ["stage", "reason"],
    needs: true,
    effect: (told) => `About ${plural(told.keys ?? 0, "key")} are taken back, as far as the application has not written them since.`,
    after: "Every key that the application has not written since is restored byte for byte; every key it has is left alone and listed.",
  },
  {
    name: "verify",
    label: "Verify",
    right: "operate",
    there: wrote,
    fields: [],
    effect: (told) => `${plural(told.records?.written ?? 0, "record")} are compared with the source; nothing is written.`,
    after: "A report of what differs stands among the reports when it has come to its end; requests go at the pace of the run's promise.",
  },
  {
    name: "retry",
    label: "Retry what was refused",
    command: (run) => `sluice quarantine retry ${run}`,
    right: "operate",
    there: (status) => isOver(status.state) && status.records.rejected > 0,
    fields: ["reason"],
    effect: (told, status) => `A new run takes ${plural(status.records.rejected, "refused record")} once more, by the spec as it stands now.`,
    after: "It has a plan, gates and an undo log of its own, and stands among the runs.",
  },
  {
    name: "abort",
    label: "Abort",
    right: "operate",
    tone: "bad",
    there: (status) => !isOver(status.state),
    fields: ["reason"],
    needs: true,
    effect: (told) => `${count(told.records?.written ?? 0)} records written stand as they are; ${left(told)} are not begun.`,
    after: "The run ends and what it wrote stands. It can still be rolled back afterwards.",
  },
];

export const STOP = {
  name: "stop",
  label: "Pause all runs",
  right: "operate",
  tone: "bad",
  fields: ["reason"],
  needs: true,
  after: "Every run of this home pauses within two seconds, and what begins later waits, until the flag is lifted.",
};

export const GO = {
  name: "go",
  label: "Let all go on",
  right: "operate",
  fields: ["reason"],
  after: "The flag is lifted; runs that only it has paused go on by themselves.",
};

export function needsReason(action, status) {
  return typeof action.needs === "function" ? action.needs(status) : Boolean(action.needs);
}
