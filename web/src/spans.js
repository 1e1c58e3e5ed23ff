// The states of partitions, from run-length spans to cells on a screen. Pure: a million partitions are one byte each.

/** How a cell that stands for several partitions is coloured: by the first of these that one of them has. The server's
 * own blocks of partitions go by the same order (docs/api.md). */
export const URGENCY = ["failed", "running", "pending", "written", "verified", "rolled-back"];
const CODES = new Map(URGENCY.map((word, i) => [word, i + 1]));

export function codeOf(word) {
  return CODES.get(word) ?? 0;
}

export function wordOf(code) {
  return URGENCY[code - 1] ?? "unknown";
}

/** spans: [first, count, state word], in any order. What no span names is 0. */
export function expand(spans, total) {
  const cells = new Uint8Array(total);
  for (const [first, n, word] of spans) cells.fill(codeOf(word), first, Math.min(total, first + n));
  return cells;
}

/** How many partitions are in each state: a count by code. */
export function tally(states, from = 0, to = states.length) {
  const counts = new Uint32Array(URGENCY.length + 1);
  for (let i = from; i < to; i++) counts[states[i]]++;
  return counts;
}

/** The worst state of each stretch of `per` partitions of [from, to). */
export function aggregate(states, from, to, per) {
  if (per === 1) return states.subarray(from, to);
  const cells = new Uint8Array(Math.ceil((to - from) / per));
  for (let cell = 0; cell < cells.length; cell++) {
    const end = Math.min(to, from + (cell + 1) * per);
    let worst = 0;
    for (let i = from + cell * per; i < end; i++) if (states[i] && (worst === 0 || states[i] < worst)) worst = states[i];
    cells[cell] = worst;
  }
  return cells;
}

/** Cells of n partitions in a box: their edge, how many stand in a row, how many partitions one stands for. A cell is
 * never smaller than `least` pixels, so that a finger or an eye can find it. */
export function layout(width, height, n, least = 5, most = 22) {
  const fit = (size) => Math.floor(width / size) * Math.floor(height / size);
  let size = most;
  while (size > least && fit(size) < n) size--;
  const columns = Math.max(1, Math.floor(width / size));
  const room = Math.max(1, columns * Math.floor(height / size));
  const per = Math.max(1, Math.ceil(n / room));
  const cells = Math.ceil(n / per);
  return { size, columns, per, cells, rows: Math.ceil(cells / columns) };
}

/** The next partition behind `at` whose state is `code`, going around; -1: none has it. */
export function next(states, at, code) {
  const found = states.indexOf(code, at + 1);
  return found >= 0 ? found : states.indexOf(code);
}
