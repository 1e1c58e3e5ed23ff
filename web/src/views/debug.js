// For who wants to know which partition, which checkpoint, which event.
import { at } from "../api.js";
import { bytes, clock, count, rate } from "../format.js";
import { html, useMemo, useState } from "../html.js";
import { expand } from "../spans.js";
import { LAGS, OUTCOMES, stateLook } from "../words.js";
import { useAnswer, usePace, Missing } from "../parts/asked.js";
import { Entries } from "../parts/entries.js";
import { State } from "../parts/glyph.js";
import { Grid } from "../parts/grid.js";

function Facts({ rows }) {
  return html`<dl class="facts">${rows.filter(([, value]) => value !== null && value !== undefined && value !== "").map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`;
}

function Partition({ run, number, version }) {
  const answer = useAnswer(number === null ? null : at.partition(run, number), version);
  const p = answer.data;
  if (number === null) return html`<section class="panel"><h2>One partition</h2><p class="none">Choose one in the grid: arrows and Enter, or a click.</p></section>`;
  return html`<section class="panel" aria-live="off"><h2>Partition ${number} ${p && html`<${State} word=${p.state} look=${stateLook(p.state)} />`}</h2>
    <${Missing} answer=${answer} what=${`partition ${number}`} />
    ${p && html`<${Facts} rows=${[
      ["stage", p.stage],
      ["records", `${count(p.done)} done of ${count(p.records)}`],
      ["outcomes", OUTCOMES.filter(({ word }) => p.outcomes?.[word] > 0).map(({ word }) => `${word} ${count(p.outcomes[word])}`).join(", ")],
      ["bytes", p.bytes && `${bytes(p.bytes.read)} read, ${bytes(p.bytes.written)} written`],
      ["throughput", p.records_per_s === null ? null : `${rate(p.records_per_s)} records/s while a worker was at it`],
      ["errors", `${count(p.outcomes?.rejected ?? 0)} refused, ${count(p.outcomes?.in_doubt ?? 0)} in doubt, ${count(p.outcomes?.retried ?? 0)} decided again`],
      ["checkpoints", `${count(p.checkpoints)}${p.checkpointed_at ? `, the newest ${clock(p.checkpointed_at)}` : ""}; lane ${p.lane}`],
      ["split off", p.parent === null ? null : `partition ${p.parent}`],
      ["verified", p.verified && `${clock(p.verified.at)}: ${Object.entries(p.verified.counts).filter(([, n]) => n > 0).map(([word, n]) => `${word} ${count(n)}`).join(", ")}`],
      ["lags", p.straggler && `${LAGS.get(p.straggler.cause) ?? p.straggler.cause}: ${p.straggler.why}`],
      ["conditions", p.conditions && JSON.stringify(p.conditions)],
    ]} />`}</section>`;
}

const KINDS = [["forward", "the run"], ["back", "its rollback"], ["promotion", "its promotion"]];

function Partitions({ status, run }) {
  const totals = { forward: status.partitions, back: status.back_partitions, promotion: status.promotion_partitions };
  const [kind, setKind] = useState(status.back_partitions?.total ? "back" : "forward");
  const [chosen, choose] = useState(null);
  const version = usePace(`${kind} ${Object.values(totals[kind] ?? {}).join()}`);
  const answer = useAnswer(at.partitions(run, kind), version);
  const told = answer.data;
  const states = useMemo(() => (told ? expand(told.spans.map(([first, n, state]) => [first, n, told.states[state]]), told.total) : null), [told]);
  return html`<section class="panel"><h2>Partitions <span class="muted">${count(totals[kind]?.total ?? 0)}</span>
      <label class="find">of <select value=${kind} onChange=${(e) => setKind(e.target.value)}>${KINDS.map(([word, label]) => html`<option key=${word} value=${word} disabled=${!totals[word]?.total}>${label}</option>`)}</select></label></h2>
      <${Missing} answer=${answer} what="partitions" />
      ${states && html`<${Grid} key=${kind} states=${states} version=${version} onChoose=${choose} />`}
    </section>
    <${Partition} run=${run} number=${chosen} version=${version} />`;
}

function Log({ session, run }) {
  const [words, put] = useState(""), [what, setWhat] = useState("");
  const mine = session.entries.filter((entry) => entry.run === run);
  const actions = [...new Set(mine.map((entry) => entry.action))].sort();
  const shown = mine.filter((entry) => (!what || entry.action === what) && (!words || JSON.stringify(entry).toLowerCase().includes(words.toLowerCase())));
  return html`<section class="panel"><h2>Events <span class="muted">${shown.length} of ${mine.length}</span></h2>
    <div class="row"><label class="find">what <select value=${what} onChange=${(e) => setWhat(e.target.value)}><option value="">all</option>${actions.map((a) => html`<option key=${a} value=${a}>${a}</option>`)}</select></label>
      <label class="find">with the words <input type="search" value=${words} onInput=${(e) => put(e.target.value)} /></label></div>
    <div class="log" tabindex="0" role="region" aria-label="events"><${Entries} entries=${shown.toReversed().slice(0, 300)} none="none" /></div></section>`;
}

function Hooks({ run, version }) {
  const answer = useAnswer(at.hooks(run), version);
  const rows = answer.data?.deliveries ?? [];
  return html`<section class="panel"><h2>Hooks <span class="muted">${rows.length}</span></h2><${Missing} answer=${answer} what="hooks" />
    ${answer.data && rows.length === 0 && html`<p class="none">It has told nobody.</p>`}
    <ul class="lines">${rows.slice(-50).toReversed().map((d) => html`<li key=${d.key ?? d.event}><b>${d.event}</b> ${d.state} <span class="muted">${d.hook ?? ""} ${d.said ?? ""}</span></li>`)}</ul></section>`;
}

export function Debug({ session, status, run }) {
  return html`<${Partitions} status=${status} run=${run} />
    <div class="panels"><${Log} session=${session} run=${run} /><${Hooks} run=${run} version=${`${status.hooks?.waiting} ${status.hooks?.failed} ${status.state}`} /></div>`;
}
