// All runs: those that need a person first, then those at work, then the others, newest first.
import { ago, count, rate, share } from "../format.js";
import { headline, moving, needsPerson, progress } from "../headline.js";
import { html, useState } from "../html.js";
import { to } from "../route.js";
import { isOver, stateLook } from "../words.js";
import { Bar, partsOf } from "../parts/bars.js";
import { State } from "../parts/glyph.js";
import { StopButton } from "../parts/stop.js";

const GROUPS = [
  ["A person is needed", (run) => needsPerson(run)],
  ["At work", (run) => !needsPerson(run) && !isOver(run.state)],
  ["Over", (run) => !needsPerson(run) && isOver(run.state)],
];

function Row({ session, status }) {
  const { done, of } = progress(status), { parts, word } = moving(status), head = headline(status);
  const now = session.trails.get(status.run)?.rate(Date.now() / 1000);
  const busy = ["running", "promoting", "rolling-back"].includes(status.state);
  return html`<tr>
    <th scope="row"><a href=${to.run(status.run, needsPerson(status) ? "oncall" : "overview")}>${status.run}</a></th>
    <td><${State} word=${status.state} look=${stateLook(status.state)} /></td>
    <td class="wide parts"><${Bar} parts=${partsOf(parts, word)} of=${parts.total} label=${`${share(done, of)} done`} /></td>
    <td class="number">${share(done, of)}</td>
    <td class="number">${busy ? `${rate(now ?? status.rate?.records_per_s)}/s` : count(done)}</td>
    <td class="reason">${head.why}</td>
    <td class="muted changed">${ago(status.updated_at)}</td>
    <td class="muted by">${status.actor}</td>
  </tr>`;
}

function Table({ session, name, runs }) {
  return html`<section class="panel"><h2>${name} <span class="muted">${runs.length}</span></h2>
    ${runs.length === 0 ? html`<p class="none">none</p>` : html`<div class="scroll" tabindex="0" role="region" aria-label=${name}><table class="runs">
      <colgroup>${["run", "state", "parts", "done", "records", "why", "changed", "by"].map((name) => html`<col key=${name} class=${`col-${name}`} />`)}</colgroup>
      <thead><tr><th scope="col">run</th><th scope="col">state</th><th scope="col">partitions</th><th scope="col" class="number">done</th><th scope="col" class="number">records</th><th scope="col">first reason</th><th scope="col">changed</th><th scope="col">by</th></tr></thead>
      <tbody>${runs.map((status) => html`<${Row} key=${status.run} session=${session} status=${status} />`)}</tbody></table></div>`}
  </section>`;
}

export function Runs({ session }) {
  const [wanted, put] = useState("");
  const all = [...session.runs.values()]
    .filter((run) => run.run.toLowerCase().includes(wanted.toLowerCase()))
    .sort((a, b) => Date.parse(b.started_at) - Date.parse(a.started_at));
  return html`<div class="row"><h1>Runs</h1>
      <label class="find">find <input type="search" value=${wanted} onInput=${(e) => put(e.target.value)} /></label>
      <${StopButton} session=${session} /></div>
    ${session.listed ? GROUPS.map(([name, belongs]) => html`<${Table} key=${name} session=${session} name=${name} runs=${all.filter(belongs)} />`) : html`<p class="missing">asking for the runs …</p>`}
    ${session.before && html`<button onClick=${() => session.moreRuns()}>earlier runs</button>`}`;
}
