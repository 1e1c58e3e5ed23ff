// How live latencies are spread, before and during: two bars a step, the steps half powers of two. Heights are set by
// script, as widths of bars are (bars.js).
import { milliseconds } from "../format.js";
import { html } from "../html.js";

/** Steps of both, in their order, without a gap between: [µs, before, during], of ten thousand. Pure. */
export function steps(before = [], during = []) {
  const of = new Map();
  for (const [us, share] of before) of.set(us, [share, 0]);
  for (const [us, share] of during) of.set(us, [of.get(us)?.[0] ?? 0, share]);
  return [...of.entries()].sort(([a], [b]) => a - b).map(([us, [one, other]]) => [us, one, other]);
}

/** Up to which latency half of them take. Pure. */
export function middle(rows) {
  const half = rows.reduce((sum, [, share]) => sum + share, 0) / 2;
  let sum = 0;
  return rows.find(([, share]) => (sum += share) >= half)?.[0] ?? null;
}

/** `server`: a row of status.live. */
export function Spread({ server }) {
  const rows = steps(server.before, server.during);
  if (!rows.length) return null;
  const most = Math.max(...rows.map(([, one, other]) => Math.max(one, other)));
  const half = (of) => (of.length ? `half of them within ${milliseconds(middle(of) / 1000)}` : "none felt yet");
  const one = (at) => rows.map((row) => [row[0], row[at]]).filter(([, share]) => share > 0);
  const words = `${server.server}: before, ${half(one(1))}; during, ${half(one(2))}`;
  return html`<figure class="chart spread"><figcaption><span class="code">${server.server}</span> <span class="key key-2">before</span><span class="key key-1">during</span></figcaption>
    <div class="steps" role="img" aria-label=${words}>${rows.map(([us, one, other]) => html`<div class="step" key=${us} title=${`up to ${milliseconds(us / 1000)}: ${one / 100} % before, ${other / 100} % during`}>
      <div class="pair"><span class="was" style=${{ height: `${(100 * one) / most}%` }}></span><span class="is" style=${{ height: `${(100 * other) / most}%` }}></span></div>
      <span class="muted">${milliseconds(us / 1000)}</span></div>`)}</div></figure>`;
}
