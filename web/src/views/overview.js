// For anyone: how far, how long, what it costs, how well, what went wrong.
import { ago, bytes, clock, count, duration, milliseconds, rate, share, visible } from "../format.js";
import { ask, at } from "../api.js";
import { progress } from "../headline.js";
import { band, course } from "../history.js";
import { html, useMemo } from "../html.js";
import { isOver, OUTCOMES } from "../words.js";
import { useAnswer } from "../parts/asked.js";
import { Spent, StageRow } from "../parts/bars.js";
import { Chart, TIMES } from "../parts/chart.js";
import { Entries } from "../parts/entries.js";

/** What somebody would be told of in the morning: it stopped, it was stopped, it failed, it was slowed. */
const INCIDENT = /^(paused|halted|failed|interrupted|aborted|stage\.failed|rolling-back|(budget|slo|source)-warning|denied)/;

function Stages({ status }) {
  return html`<section class="panel"><h2>Stages</h2>
    <ul class="stages">${status.stages.map((stage) => html`<${StageRow} key=${stage.name} stage=${stage} />`)}</ul></section>`;
}

function Outcomes({ status }) {
  const listed = OUTCOMES.filter(({ counted }) => counted === "listed");
  const beside = OUTCOMES.filter(({ counted, word }) => counted !== "listed" && status.records[word] > 0);
  const row = ({ word, meaning }) => html`<tr key=${word}><th scope="row"><abbr title=${meaning}>${word}</abbr></th>
    <td class="number">${count(status.records[word])}</td><td class="number muted">${share(status.records[word], status.records.listed)}</td></tr>`;
  return html`<section class="panel"><h2>Every listed key ends in one of these</h2>
    <table class="plain"><tbody>${listed.map(row)}</tbody><tbody class="beside">${beside.map(row)}</tbody></table></section>`;
}

/** Money as the spec's prices reckon it; the currency is a word of theirs. */
const money = (currency) => (value) => (Number.isFinite(value) ? `${value.toFixed(2)}${currency ? ` ${visible(currency)}` : ""}` : "–");

function Slo({ slo }) {
  if (!slo) return null;
  const words = slo.there ? "kept" : slo.late === null ? "not known yet" : slo.late ? `late: ${clock(slo.there_at)}` : `in time: ${clock(slo.there_at)}`;
  return html`<tr><th scope="row">${share(slo.complete, 1)} promised by</th><td>${clock(slo.due_at)}</td><td colspan="2">${words}</td></tr>`;
}

function Until({ until }) {
  if (!until) return null;
  const words = until.passed ? "passed" : until.late === null ? "not known yet whether that is enough" : until.late ? `too soon: ${clock(until.there_at)}` : until.go_on_by ? `goes on by ${clock(until.go_on_by)}, or is late` : `in time: ${clock(until.there_at)}`;
  return html`<tr><th scope="row">source readable until</th><td>${clock(until.at)}</td><td colspan="2">${words}</td></tr>`;
}

function Money({ status, earlier }) {
  const budget = status.budget ?? {}, cost = status.cost;
  const used = { records: status.records.written + status.records.deleted, bytes: status.bytes.written };
  return html`<section class="panel"><h2>Spent</h2><table class="plain">
    <tbody><${Spent} name="records" used=${budget.records?.used ?? used.records} limit=${budget.records?.limit} show=${count} />
    <${Spent} name="bytes" used=${budget.bytes?.used ?? used.bytes} limit=${budget.bytes?.limit} show=${bytes} />
    <${Spent} name="time at work" used=${budget.time_s?.used ?? null} limit=${budget.time_s?.limit} show=${duration} />
    ${cost && html`<${Spent} name="cost" used=${cost.used} limit=${budget.cost?.limit} show=${money(cost.currency)} />
    <tr><th scope="row">cost to the end</th><td>${money(cost.currency)(cost.forecast)}</td><td class="muted" colspan="2">in all, at the pace so far${earlier.some((run) => run.status.cost) && html`; ${among(earlier, (run) => run.status.cost?.used, money(cost.currency))}`}</td></tr>`}
    <${Slo} slo=${status.slo} />
    <${Until} until=${status.source_until} />
    <tr><th scope="row">read</th><td>${bytes(status.bytes.read)}</td><td></td><td></td></tr></tbody></table></section>`;
}

/** Of what was accounted for, how much went as it was wanted: refused and in doubt did not. */
function success(status) {
  const { done } = progress(status), r = status.records;
  return done > 0 ? (done - r.rejected - r.in_doubt) / done : null;
}

const POINTS = 200, EARLIER = 5;

/** Of a batch, in seconds: most are shorter than one. */
const took = (seconds) => (seconds < 10 && seconds !== null ? milliseconds(seconds * 1000) : duration(seconds));

/** Those runs of the spec that came to their end before this one, newest first, and how they went. */
async function earlierRuns(status) {
  const list = await ask(at.spec(status.spec, 50));
  const runs = list.runs.filter((run) => run.state === "done" && run.started_at < status.started_at).slice(0, EARLIER);
  const [told, looks] = await Promise.all([at.history, at.status].map((path) => Promise.all(runs.map((run) => ask(path(run.run, POINTS))))));
  return runs.map((run, i) => ({ status: looks[i], of: run.records.listed, course: course(told[i], run.records.listed) }));
}

/** What is drawn from checkpoints: its name, which of history.js, how it is shown, the words of its lines. */
const CHARTS = [
  { what: "rate", title: "Throughput", about: "records a second", show: rate, lines: ["records/s", "slowest before", "fastest before"] },
  { what: "latency", title: "End-to-end latency", about: "the slowest batch, from the read of a record to its checkpoint", show: took, lines: ["slowest batch", "least before", "most before"] },
  { what: "eta", title: "Time left", about: "as it was foretold", show: duration, steps: TIMES, lines: ["time left", "least before", "most before"] },
  { what: "errors", title: "Error rate", about: "refused, of those done", show: (value) => share(value, 1), lines: ["refused", "least before", "most before"] },
  { what: "age", title: "Freshness", about: "since the newest checkpoint", show: duration, steps: TIMES, lines: ["since then", "least before", "most before"] },
];

function Drawn({ chart, points, of, earlier }) {
  const { what, title, about, show, steps, lines } = chart;
  const data = useMemo(() => [points.map((p) => p.at), points.map((p) => p[what]), ...(earlier.length ? band(points, of, earlier, what) : [])], [points, earlier]);
  const last = points.findLast((p) => p[what] !== null)?.[what] ?? null;
  return html`<div><h3>${title} <span class="muted">${about}</span></h3>
    <${Chart} data=${data} series=${earlier.length ? lines : lines.slice(0, 1)} banded=${earlier.length > 0} show=${show} steps=${steps} words=${`${title}, ${about}; last ${show(last)}`} height=${130} /></div>`;
}

function Course({ status, earlier }) {
  // While it is at work it is asked for every few seconds: the server keeps the answer as long as it took to make.
  const turn = isOver(status.state) ? 0 : Math.floor(Date.parse(status.updated_at) / 5000);
  const of = status.records.listed, n = earlier.length;
  const told = useAnswer(at.history(status.run, POINTS), `${turn} ${status.state}`);
  const points = useMemo(() => (told.data ? course(told.data, of) : []), [told.data, of]);
  return html`<section class="panel broad"><h2>How it goes on <span class="muted">${n ? `and the band of ${n} earlier run${n === 1 ? "" : "s"} when as far` : "(no earlier run of the spec is done)"}</span></h2>
    <div class="charts">${CHARTS.map((chart) => html`<${Drawn} key=${chart.what} chart=${chart} points=${points} of=${of} earlier=${earlier} />`)}</div></section>`;
}

const NONE = [];

/** From the least to the most of what earlier runs had; empty where there are none. */
function among(earlier, get, show) {
  const values = earlier.map(get).filter((value) => Number.isFinite(value));
  if (values.length === 0) return "";
  const low = show(Math.min(...values)), high = show(Math.max(...values));
  return `earlier runs ${low === high ? low : `${low} to ${high}`}`;
}

export function Overview({ session, status }) {
  const earlier = useAnswer(`earlier:${status.run}`, 0, () => earlierRuns(status)).data ?? NONE;
  const incidents = session.entries.filter((entry) => entry.run === status.run && INCIDENT.test(entry.action));
  const proof = session.entries.findLast((entry) => entry.run === status.run && /^(report|stage\.passed)$/.test(entry.action));
  return html`<div class="panels">
    <${Stages} status=${status} />
    <section class="panel"><h2>Success <span class="big">${share(success(status), 1)}</span></h2>
      <p class="muted">of ${count(progress(status).done)} records done, neither refused nor in doubt${earlier.length > 0 && html`; ${among(earlier, (run) => success(run.status), (value) => share(value, 1))}`}</p>
      <dl class="facts"><dt>target</dt><dd class="code">${status.target}</dd><dt>plan</dt><dd class="code">${status.plan_digest}</dd>
      <dt>begun</dt><dd>${clock(status.started_at)}, last moved by ${status.actor}</dd>
      <dt>freshness</dt><dd>${ago(status.updated_at)}: its newest checkpoint or move${proof ? html`; verified ${ago(proof.at)}` : ""}</dd>
      <dt>can be taken back until</dt><dd>${status.undo_until ? clock(status.undo_until) : "no end is set"}</dd></dl></section>
    <${Course} status=${status} earlier=${earlier} />
    <${Outcomes} status=${status} />
    <div class="stack"><${Money} status=${status} earlier=${earlier} />
    <section class="panel"><h2>Incidents <span class="muted">${incidents.length}</span></h2><${Entries} entries=${incidents.toReversed().slice(0, 20)} none="none in the entries that this page has" /></section></div>
  </div>`;
}
