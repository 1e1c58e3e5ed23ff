// Bars of stages and shares. Widths are set by script (not by a style attribute, which the page's policy forbids); what a
// part of a bar means is told by hatching and words as well as by colour.
import { count, plural, share } from "../format.js";
import { html } from "../html.js";
import { State } from "./glyph.js";
import { stateLook } from "../words.js";

/** parts: [word, how many]; widths are shares of `of`. */
export function Bar({ parts, of, label }) {
  return html`<div class="bar" role="img" aria-label=${label}>
    ${parts.map(([word, n]) => n > 0 && html`<span key=${word} class=${`part-${word}`} style=${{ width: `${(100 * n) / Math.max(of, 1)}%` }}></span>`)}
  </div>`;
}

/** `written` counts the verified ones too (docs/api.md); a bar shows each once. `word`: as what. */
export function partsOf(p, word = "written") {
  const verified = p.verified ?? 0;
  return [["verified", verified], [word, Math.max(0, (p.written ?? 0) - verified)], ["running", p.running ?? 0], ["failed", p.failed ?? 0], ["rolled-back", p["rolled-back"] ?? 0]];
}

export function StageRow({ stage }) {
  const p = stage.partitions, parts = partsOf(p);
  const words = `${count(p.written)} written, ${count(p.verified)} verified of ${plural(p.total, "partition")}`;
  return html`<li class="stage">
    <span class="name">${stage.name}</span>
    <${State} word=${stage.state} look=${stateLook(stage.state)} />
    <${Bar} parts=${parts} of=${p.total} label=${`stage ${stage.name}: ${words}`} />
    <span class="figures">${words}${stage.attempt > 1 ? `, judged ${stage.attempt} times` : ""}</span>
  </li>`;
}

/** A reading against its limit: beyond it the bar is full and the row says so. */
export function Meter({ value, limit, tone, label }) {
  const full = limit > 0 ? Math.min(1, value / limit) : 0;
  return html`<div class="meter" role="img" aria-label=${label}><span class=${tone} style=${{ width: `${100 * full}%` }}></span></div>`;
}

export function Spent({ name, used, limit, show }) {
  if (!(limit > 0)) return html`<tr><th scope="row">${name}</th><td>${show(used)}</td><td class="muted">no limit</td><td></td></tr>`;
  const near = used / limit;
  const tone = near >= 1 ? "bad" : near >= 0.8 ? "ask" : "busy";
  return html`<tr><th scope="row">${name}</th><td>${show(used)}</td><td>of ${show(limit)}</td>
    <td class="wide"><${Meter} value=${used} limit=${limit} tone=${tone} label=${`${name}: ${share(used, limit)} spent`} /> ${share(used, limit)}</td></tr>`;
}
