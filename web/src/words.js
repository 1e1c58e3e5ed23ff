// The words of docs/words.md, with what the page needs besides: a shape and a tone. The words and their meanings come
// from the program's own tables (rows.js, written by web/build.py), so that page and program cannot disagree.
import { ROWS } from "./rows.js";

/** tone: calm, busy, ask (a person is needed), bad, good, quiet. glyph: of parts/glyph.js. */
const STATES = {
  planned: ["quiet", "ring"],
  waiting: ["ask", "clock"],
  running: ["busy", "play"],
  verifying: ["busy", "lens"],
  paused: ["ask", "bars"],
  interrupted: ["ask", "broken"],
  halted: ["bad", "stop"],
  promoting: ["busy", "up"],
  "rolling-back": ["busy", "back"],
  done: ["good", "check"],
  "rolled-back": ["quiet", "back"],
  aborted: ["quiet", "slash"],
  failed: ["bad", "cross"],
  pending: ["quiet", "ring"],
  passed: ["good", "check"],
  written: ["busy", "half"],
  approved: ["good", "check"],
  denied: ["bad", "cross"],
  "budget-warning": ["ask", "half"],
  "slo-warning": ["ask", "half"],
  "source-warning": ["ask", "half"],
  verified: ["good", "check"],
};
const LEVELS = { ok: ["good", "check"], slow: ["ask", "half"], pause: ["ask", "bars"], halt: ["bad", "stop"] };
const UNKNOWN = ["quiet", "ring"];

export function stateLook(word) {
  const [tone, glyph] = STATES[word] ?? UNKNOWN;
  return { tone, glyph };
}

export function levelLook(word) {
  const [tone, glyph] = LEVELS[word] ?? UNKNOWN;
  return { tone, glyph };
}

const meanings = (table, word, meaning) => new Map(ROWS[table].map((cells) => [cells[word], cells[meaning]]));

export const OUTCOMES = ROWS.outcomes.map(([word, counted, meaning]) => ({ word, counted, meaning }));
export const CLASSES = ROWS.classes.map(([word, meaning]) => ({ word, meaning }));
export const GUARDS = meanings("guards", 0, 2);
export const LAGS = meanings("lags", 0, 1);
export const EVENTS = meanings("hook_events", 0, 1);
const OVER = new Set(ROWS.states.filter(([, over]) => over === "true").map(([word]) => word));
const MOVES = new Set(ROWS.moves.map(([from, to]) => `${from} ${to}`));

export function isOver(state) {
  return OVER.has(state);
}

/** Whether the table of moves lets a run go from one state to the other. */
export function mayMove(from, to) {
  return MOVES.has(`${from} ${to}`);
}
