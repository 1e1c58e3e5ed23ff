// For who was woken: what holds the run, what the servers feel, what fails and what to do about it, the buttons.
import { alerts, sections } from "../alerts.js";
import { askText, at } from "../api.js";
import { clock, count, duration, key, milliseconds, plural, rate, visible } from "../format.js";
import { limits, unread } from "../headline.js";
import { html, useMemo, useState } from "../html.js";
import { to } from "../route.js";
import { GUARDS, LAGS, levelLook, stateLook } from "../words.js";
import { useAnswer, usePace, Missing } from "../parts/asked.js";
import { Meter } from "../parts/bars.js";
import { Buttons } from "../parts/buttons.js";
import { Chart } from "../parts/chart.js";
import { State } from "../parts/glyph.js";
import { Spread } from "../parts/spread.js";

/** A text of several lines, each as something that can only be read. */
const lines = (text) => text.split("\n").map((line) => visible(line, 2000)).join("\n");

const OURS = { "stop-all": "the flag that stops all runs: sluice pause --all --hold", enabled: "the switch of the spec, protect.enabled" };

function Signals({ status }) {
  const signals = status.signals ?? [];
  return html`<section class="panel broad"><h2>Signals against their limits, resources of critical nodes</h2>
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

/** One that holds now: what it says, what was read, and on demand what the runbook says to do. */
function Alert({ run, alert }) {
  const [open, setOpen] = useState(false);
  const answer = useAnswer(open ? at.runbook(run) : null, 0, askText);
  const page = alert.severity === "page";
  return html`<li class="alert"><${State} word=${alert.severity} look=${page ? { tone: "bad", glyph: "stop" } : { tone: "ask", glyph: "half" }} /> <b>${alert.name}</b> ${alert.says} <span class="muted">(${visible(alert.now, 300)}; ${alert.after === "0m" ? "told at once" : `told when it has stood for ${alert.after}`})</span>
    <button class="small" aria-expanded=${open} onClick=${() => setOpen(!open)}>${open ? "hide" : "what to do"}</button>
    ${open && html`<${Missing} answer=${answer} what="the runbook" />${answer.data !== null && html`<div class="details">${lines(sections(answer.data).get(alert.name) ?? "The runbook has no section of it.")}</div>`}`}</li>`;
}

function Alerts({ status, run }) {
  const rows = alerts(status);
  return html`<section class="panel broad"><h2>Alerts <span class="muted">${rows.length}</span></h2>
    ${rows.length === 0 ? html`<p class="none">None of those that a look can tell. Burn rates, absences and a pace that falls are Prometheus's to tell: <code>sluice export alerts</code>.</p>` : html`<ul class="lines">${rows.map((alert) => html`<${Alert} key=${alert.name} run=${run} alert=${alert} />`)}</ul>`}</section>`;
}

/** What to do with it, whole. */
function Runbook({ run }) {
  const [open, setOpen] = useState(false);
  const answer = useAnswer(open ? at.runbook(run) : null, 0, askText);
  return html`<details onToggle=${(e) => setOpen(e.target.open)}><summary>runbook: <code>sluice export runbook ${run}</code></summary>
    ${open && html`<${Missing} answer=${answer} what="the runbook" />${answer.data !== null && html`<pre tabindex="0">${lines(answer.data)}</pre>`}`}</details>`;
}

function Live({ session, status }) {
  const trail = session.trails.get(status.run)?.points ?? [];
  const data = useMemo(() => [trail.map((p) => p.at), trail.map((p) => p.p99), trail.map((p) => p.baseline), trail.map((p) => p.limit)], [trail.length, trail.at(-1)?.at]);
  const servers = status.live ?? [];
  return html`<section class="panel"><h2>Live latency (p99) before and during, downstream latency</h2>
    ${servers.length === 0 ? html`<p class="none">${status.held ? html`Not measured: <code>protect.live.p99</code> asks for it, on Valkey and Redis.` : "Nothing is felt: no process is at work on it."}</p>` : html`
    <${Chart} data=${data} series=${["during", "before", "allowed"]} show=${milliseconds} words=${`p99 ${milliseconds(servers[0].p99_ms)}, ${milliseconds(servers[0].baseline_ms)} without the run, ${milliseconds(servers[0].limit_ms)} allowed`} />
    <div class="scroll" tabindex="0" role="region" aria-label="servers"><table><thead><tr><th scope="col">server</th><th scope="col">held by</th><th scope="col" class="number">before</th><th scope="col" class="number">during</th><th scope="col" class="number">allowed</th></tr></thead>
      <tbody>${servers.map((s) => html`<tr key=${s.server}><th scope="row" class="code">${s.server}</th><td>${!s.limited_by || s.limited_by === "most" ? "nothing" : s.limited_by}</td>
        <td class="number">${milliseconds(s.baseline_ms)}</td><td class="number">${milliseconds(s.p99_ms)}</td><td class="number">${milliseconds(s.limit_ms)}</td></tr>`)}</tbody></table></div>
    <p>${servers.map((s) => html`<span key=${s.server} class="muted">Downstream, ${servers.length > 1 ? s.server : "the run's own requests"}: <b>${milliseconds(s.own_ms)}</b> in the middle, <b>${count(s.throttled)}</b> throttle replies, up to ${rate(s.commands_per_s)} commands/s. </span>`)}</p>
    ${servers.map((s) => html`<${Spread} key=${s.server} server=${s} />`)}`}
  </section>`;
}

/** Partitions in which records were refused, are in doubt or were decided again: the worst first. */
function Troubles({ status, run }) {
  const r = status.records;
  const answer = useAnswer(at.troubles(run), usePace(`${r.rejected} ${r.in_doubt} ${r.retried}`));
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
    <br /><span class="muted">${group.field && html`field <b>${visible(group.field)}</b>, `}${group.partitions === 1 ? `partition ${group.worst.partition}` : `${plural(group.partitions, "partition")}, most in ${group.worst.partition} (${count(group.worst.rows)})`}, first </span><bdi class="code">${key(group.key)}</bdi>
    <br /><code>${group.next}</code> ${session.may("records") && html`<button class="small" aria-expanded=${open} onClick=${() => setOpen(!open)}>${open ? "hide" : "one of them"}</button>`}
    ${open && html`<${Example} run=${run} number=${group.first} />`}</li>`;
}

/** Refused records by what is wrong with them: the largest group first, with the next command. */
function Failures({ session, status }) {
  const may = session.may("records");
  const answer = useAnswer(may ? at.failures(status.run) : null, usePace(status.records.rejected));
  const groups = answer.data?.groups ?? [];
  return html`<section class="panel"><h2>What is refused, and why <span class="muted">${count(answer.data?.rows ?? status.records.rejected)}</span></h2>
    ${may ? html`<${Missing} answer=${answer} what="refused records" />` : html`<p class="none">To see them needs a token that may see records; on a command line: <code>sluice quarantine list ${status.run}</code></p>`}
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
      <dt>its record, to keep</dt><dd><code>sluice audit bundle ${run}</code></dd>
      <dt>what happened</dt><dd><a href=${to.run(run, "ledger")}>its entries in the ledger</a></dd></dl><${Runbook} run=${run} /></section>`;
}

export function OnCall({ session, status, run }) {
  const why = limits(status);
  const none = status.state === "running" ? "Nothing that sluice watches: it is as fast as source, transform and target are." : `It is ${status.state}, and writes nothing.`;
  return html`<section class="panel first"><h2>What limits it now</h2>
      <ol class="limits">${(why.length ? why : [none]).map((words) => html`<li key=${words}>${visible(words, 600)}</li>`)}</ol>
      <${Buttons} session=${session} status=${status} /></section>
    <div class="panels">
      <${Alerts} status=${status} run=${run} />
      <${Signals} status=${status} />
      <${Live} session=${session} status=${status} />
      <${Failures} session=${session} status=${status} />
      <${Troubles} status=${status} run=${run} />
      <div class="stack"><${Lagging} status=${status} /><${Owner} status=${status} run=${run} /></div>
    </div>`;
}
