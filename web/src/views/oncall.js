// For who was woken: what holds the run, what the servers feel, what fails and what to do about it, the buttons.
import { at } from "../api.js";
import { clock, count, duration, key, milliseconds, plural, rate, visible } from "../format.js";
import { limits, unread } from "../headline.js";
import { html, useMemo, useState } from "../html.js";
import { to } from "../route.js";
import { GUARDS, LAGS, levelLook, stateLook } from "../words.js";
import { useAnswer, Missing } from "../parts/asked.js";
import { Meter } from "../parts/bars.js";
import { Buttons } from "../parts/buttons.js";
import { Chart } from "../parts/chart.js";
import { State } from "../parts/glyph.js";
import { Spread } from "../parts/spread.js";

const OURS = { "stop-all": "the flag that stops all runs: sluice pause --all --hold", enabled: "the switch of the spec, protect.enabled" };

function Signals({ status }) {
  const signals = status.signals ?? [];
  return html`<section class="panel broad"><h2>Signals against their limits</h2>
    ${signals.length === 0 ? html`<p class="none">Nothing is being read: the run is not at work, or its stores tell nothing.</p>` : html`<div class="scroll" tabindex="0" role="region" aria-label="signals"><table>
      <thead><tr><th scope="col">signal</th><th scope="col">says</th><th scope="col" class="number">now</th><th scope="col" class="number">limit</th><th scope="col">of it</th><th scope="col">where</th><th scope="col">since</th></tr></thead>
      <tbody>${signals.map((s) => html`<tr key=${s.name}>
        <th scope="row"><abbr title=${GUARDS.get(s.name) ?? OURS[s.name] ?? "a signal of the spec's own"}>${s.name}</abbr></th>
        <td><${State} word=${unread(s) ? "not readable" : s.level} look=${levelLook(s.level === "ok" && unread(s) ? "slow" : s.level)} /></td>
        <td class="number">${s.value_text ?? s.value ?? "–"}</td><td class="number">${s.limit_text ?? s.limit ?? "none"}</td>
        <td class="wide">${s.limit > 0 && html`<${Meter} value=${s.value ?? 0} limit=${s.limit} tone=${levelLook(s.level).tone} label=${`${s.name} against its limit`} />`}</td>
        <td class="code">${s.where ?? ""}</td><td class="muted">${s.error ? visible(s.error) : clock(s.since)}</td></tr>`)}</tbody></table></div>`}
  </section>`;
}

function Live({ session, status }) {
  const trail = session.trails.get(status.run)?.points ?? [];
  const data = useMemo(() => [trail.map((p) => p.at), trail.map((p) => p.p99), trail.map((p) => p.baseline), trail.map((p) => p.limit)], [trail.length, trail.at(-1)?.at]);
  const servers = status.live ?? [];
  return html`<section class="panel"><h2>Live latency (p99), before and during</h2>
    ${servers.length === 0 ? html`<p class="none">Not measured: <code>protect.live.p99</code> asks for it, on Valkey and Redis.</p>` : html`
    <${Chart} data=${data} series=${["during", "before", "allowed"]} show=${milliseconds} words=${`p99 ${milliseconds(servers[0].p99_ms)}, ${milliseconds(servers[0].baseline_ms)} without the run, ${milliseconds(servers[0].limit_ms)} allowed`} />
    <div class="scroll" tabindex="0" role="region" aria-label="servers"><table><thead><tr><th scope="col">server</th><th scope="col">held by</th><th scope="col" class="number">before</th><th scope="col" class="number">during</th><th scope="col" class="number">allowed</th><th scope="col" class="number">commands/s</th></tr></thead>
      <tbody>${servers.map((s) => html`<tr key=${s.server}><th scope="row" class="code">${s.server}</th><td>${s.limited_by ?? "nothing"}</td>
        <td class="number">${milliseconds(s.baseline_ms)}</td><td class="number">${milliseconds(s.p99_ms)}</td><td class="number">${milliseconds(s.limit_ms)}</td><td class="number">${rate(s.commands_per_s)}</td></tr>`)}</tbody></table></div>
    ${servers.map((s) => html`<${Spread} key=${s.server} server=${s} />`)}`}
  </section>`;
}

/** Partitions in which records were refused, are in doubt or were decided again: the worst first. */
function Troubles({ status, run }) {
  const r = status.records;
  const answer = useAnswer(at.troubles(run), `${r.rejected} ${r.in_doubt} ${r.retried}`);
  const rows = answer.data?.partitions ?? [];
  return html`<section class="panel"><h2>Partitions with errors <span class="muted">${rows.length}</span></h2>
    <${Missing} answer=${answer} what="partitions with errors" />
    ${answer.data && rows.length === 0 && html`<p class="none">none</p>`}
    ${rows.length > 0 && html`<div class="scroll" tabindex="0" role="region" aria-label="partitions with errors"><table>
      <thead><tr><th scope="col" class="number">partition</th><th scope="col">stage</th><th scope="col">state</th><th scope="col" class="number">refused</th><th scope="col" class="number">in doubt</th><th scope="col" class="number">retried</th><th scope="col">last checkpoint</th></tr></thead>
      <tbody>${rows.map((p) => html`<tr key=${p.partition}><th scope="row" class="number">${p.partition}</th><td>${p.stage ?? ""}</td><td><${State} word=${p.state} look=${stateLook(p.state)} /></td>
        <td class="number">${count(p.rejected)}</td><td class="number">${count(p.in_doubt)}</td><td class="number">${count(p.retried)}</td><td>${clock(p.checkpointed_at)}</td></tr>`)}</tbody></table></div>`}
  </section>`;
}

function Lagging({ status }) {
  const rows = status.stragglers ?? [];
  return html`<section class="panel"><h2>Partitions that lag <span class="muted">${rows.length}</span></h2>
    ${rows.length === 0 ? html`<p class="none">none</p>` : html`<ul class="lines">${rows.map((s) => html`<li key=${s.partition}>
      <b>partition ${s.partition}</b> ${plural(s.records_left, "record")} left at ${rate(s.records_per_s)}/s, the others ${rate(s.others_per_s)}/s; still ${duration(s.still_s)}
      <br /><span class="muted"><abbr title=${LAGS.get(s.cause) ?? ""}>${s.cause}</abbr>: ${s.why}</span></li>`)}</ul>`}
  </section>`;
}

/** One record of a group, for who may see records: what it is, where it stands, what it holds. */
function Example({ run, number }) {
  const answer = useAnswer(at.refused(run, number));
  const row = answer.data;
  return html`<${Missing} answer=${answer} what="one of them" />${row && html`<dl class="facts">
    <dt>key</dt><dd><bdi class="code">${key(row.key)}</bdi></dd>
    ${row.file && html`<dt>from</dt><dd class="code">${visible(row.file)}:${row.line}:${row.column}</dd>`}
    <dt>partition</dt><dd>${row.part}</dd>
    <dt>says</dt><dd>${visible(row.reason)}</dd>
    ${row.document && html`<dt>holds</dt><dd class="code">${visible(JSON.stringify(row.document), 600)}</dd>`}</dl>`}`;
}

function Group({ session, run, group }) {
  const [open, setOpen] = useState(false);
  return html`<li><b class="number">${count(group.rows)}</b> <span class="code">${group.error}</span> ${visible(group.reason)}
    <br /><code>${group.next}</code> ${session.may("records") && html`<button class="small" aria-expanded=${open} onClick=${() => setOpen(!open)}>${open ? "hide" : "one of them"}</button>`}
    ${open && html`<${Example} run=${run} number=${group.first} />`}</li>`;
}

/** Refused records by what is wrong with them: the largest group first, with the next command. */
function Failures({ session, status }) {
  const answer = useAnswer(at.failures(status.run), status.records.rejected);
  const groups = answer.data?.groups ?? [];
  return html`<section class="panel"><h2>What is refused, and why <span class="muted">${count(answer.data?.rows ?? status.records.rejected)}</span></h2>
    <${Missing} answer=${answer} what="refused records" />
    ${answer.data && groups.length === 0 && html`<p class="none">nothing</p>`}
    <ul class="lines">${groups.map((group) => html`<${Group} key=${`${group.error} ${group.reason}`} session=${session} run=${status.run} group=${group} />`)}</ul>
  </section>`;
}

/** Whom the spec lets do what, as the plan froze it. */
function Rights({ run }) {
  const may = Object.entries(useAnswer(at.plan(run)).data?.plan?.may ?? {});
  if (may.length === 0) return html`<dt>who may</dt><dd>everyone who can write the home, or has a token for it</dd>`;
  return may.map(([verb, people]) => html`<dt key=${verb}>who may ${verb}</dt><dd>${[people].flat().map((one) => visible(one)).join(", ")}</dd>`);
}

function Owner({ status, run }) {
  return html`<section class="panel"><h2>Whom to ask, what to follow</h2>
    <dl class="facts"><dt>last moved by</dt><dd>${status.actor}</dd><${Rights} run=${run} />
      <dt>what was asked for</dt><dd><a href=${to.run(run, "plan")}>the spec, with its owner and its reason</a></dd>
      <dt>runbook</dt><dd><code>sluice export runbook ${run}</code></dd>
      <dt>its record, to keep</dt><dd><code>sluice audit bundle ${run}</code></dd>
      <dt>what happened</dt><dd><a href=${to.run(run, "ledger")}>its entries in the ledger</a></dd></dl></section>`;
}

export function OnCall({ session, status, run }) {
  const why = limits(status);
  const none = status.state === "running" ? "Nothing that sluice watches: it is as fast as source, transform and target are." : `It is ${status.state}, and writes nothing.`;
  return html`<section class="panel first"><h2>What limits it now</h2>
      <ol class="limits">${(why.length ? why : [none]).map((words) => html`<li key=${words}>${visible(words, 600)}</li>`)}</ol>
      <${Buttons} session=${session} status=${status} /></section>
    <div class="panels">
      <${Signals} status=${status} />
      <${Live} session=${session} status=${status} />
      <${Failures} session=${session} status=${status} />
      <${Troubles} status=${status} run=${run} />
      <${Lagging} status=${status} />
      <${Owner} status=${status} run=${run} />
    </div>`;
}
