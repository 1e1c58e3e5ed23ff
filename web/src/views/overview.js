// For anyone: how far, how long, what it costs, how well, what went wrong.
import { ago, bytes, clock, count, duration, milliseconds, rate, share, visible } from "../format.js";
import { ask, at } from "../api.js";
import { progress } from "../headline.js";
import { band, course } from "../history.js";
import { html, useMemo } from "../html.js";
import { isOver, OUTCOMES } from "../words.js";
import { useAnswer } from "../parts/asked.js";
import { Spent, StageRow } from "../parts/bars.js";
import { Chart } from "../parts/chart.js";
import { Entries } from "../parts/entries.js";

/** What somebody would be told of in the morning: it stopped, it was stopped, it failed, it was slowed. */
const INCIDENT = /^(paused|halted|failed|interrupted|aborted|stage\.failed|rolling-back|budget-warning|denied)/;

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

function Money({ status }) {
  const budget = status.budget ?? {}, cost = status.cost;
  const used = { records: status.records.written + status.records.deleted, bytes: status.bytes.written };
  return html`<section class="panel"><h2>Spent</h2><table class="plain">
    <tbody><${Spent} name="records" used=${budget.records?.used ?? used.records} limit=${budget.records?.limit} show=${count} />
    <${Spent} name="bytes" used=${budget.bytes?.used ?? used.bytes} limit=${budget.bytes?.limit} show=${bytes} />
    <${Spent} name="time at work" used=${budget.time_s?.used ?? null} limit=${budget.time_s?.limit} show=${duration} />
    ${cost && html`<${Spent} name="cost" used=${cost.used} limit=${budget.cost?.limit} show=${money(cost.currency)} />
    <tr><th scope="row">cost to the end</th><td>${money(cost.currency)(cost.forecast)}</td><td class="muted" colspan="2">in all, at the pace so far</td></tr>`}
    <${Slo} slo=${status.slo} />
    <tr><th scope="row">read</th><td>${bytes(status.bytes.read)}</td><td></td><td></td></tr></tbody></table></section>`;
}

/** Of what was accounted for, how much went as it was wanted: refused and in doubt did not. */
function success(status) {
  const { done } = progress(status), r = status.records;
  return share(done - r.rejected - r.in_doubt, done);
}

const POINTS = 200, EARLIER = 5;

/** Of a batch, in seconds: most are shorter than one. */
const took = (seconds) => (seconds < 10 && seconds !== null ? milliseconds(seconds * 1000) : duration(seconds));

/** Those runs of the spec that came to their end before this one, newest first, and how they went. */
async function earlierRuns(status) {
  const list = await ask(at.spec(status.spec, 50));
  const runs = list.runs.filter((run) => run.state === "done" && run.started_at < status.started_at).slice(0, EARLIER);
  const told = await Promise.all(runs.map((run) => ask(at.history(run.run, POINTS))));
  return runs.map((run, i) => ({ of: run.records.listed, course: course(told[i], run.records.listed) }));
}

function Course({ status }) {
  // While it is at work it is asked for every few seconds: the server keeps the answer as long as it took to make.
  const turn = isOver(status.state) ? 0 : Math.floor(Date.parse(status.updated_at) / 5000);
  const of = status.records.listed;
  const told = useAnswer(at.history(status.run, POINTS), `${turn} ${status.state}`);
  const before = useAnswer(`earlier:${status.run}`, 0, () => earlierRuns(status));
  const points = useMemo(() => (told.data ? course(told.data, of) : []), [told.data, of]);
  const rates = useMemo(() => [points.map((p) => p.at), points.map((p) => p.rate), ...band(points, of, before.data ?? [])], [points, before.data]);
  const latency = useMemo(() => [points.map((p) => p.at), points.map((p) => p.latency), ...band(points, of, before.data ?? [], "latency")], [points, before.data]);
  const left = useMemo(() => [points.map((p) => p.at), points.map((p) => p.eta)], [points]);
  const n = before.data?.length ?? 0;
  return html`<section class="panel"><h2>Throughput <span class="muted">${n ? `and the band of ${n} earlier run${n === 1 ? "" : "s"} when as far` : "(no earlier run of the spec is done)"}</span></h2>
    <${Chart} data=${rates} series=${["records/s", "slowest before", "fastest before"]} show=${rate} words=${`records a second since the run began; last ${rate(points.at(-1)?.rate)}`} />
    <h2>End-to-end latency <span class="muted">the slowest batch, from reading a record until it stands</span></h2>
    <${Chart} data=${latency} series=${["slowest batch", "least before", "most before"]} show=${took} words=${`from the read of a record to its checkpoint, the slowest batch; last ${took(points.findLast((p) => p.latency !== null)?.latency)}`} height=${110} />
    <h2>Time left, as it was foretold</h2><${Chart} data=${left} series=${["time left"]} show=${duration} words=${`time left as it was foretold; last ${duration(points.at(-1)?.eta)}`} height=${110} /></section>`;
}

export function Overview({ session, status }) {
  const incidents = session.entries.filter((entry) => entry.run === status.run && INCIDENT.test(entry.action));
  const proof = session.entries.findLast((entry) => entry.run === status.run && /^(report|stage\.passed)$/.test(entry.action));
  return html`<div class="panels">
    <${Stages} status=${status} />
    <section class="panel"><h2>Success <span class="big">${success(status)}</span></h2>
      <p class="muted">of ${count(progress(status).done)} records done, neither refused nor in doubt</p>
      <dl class="facts"><dt>target</dt><dd class="code">${status.target}</dd><dt>plan</dt><dd class="code">${status.plan_digest}</dd>
      <dt>begun</dt><dd>${clock(status.started_at)}, last moved by ${status.actor}</dd>
      <dt>freshness</dt><dd>${ago(status.updated_at)}: its newest checkpoint or move${proof ? html`; verified ${ago(proof.at)}` : ""}</dd>
      <dt>can be taken back until</dt><dd>${status.undo_until ? clock(status.undo_until) : "no end is set"}</dd></dl></section>
    <${Outcomes} status=${status} />
    <${Course} status=${status} />
    <${Money} status=${status} />
    <section class="panel"><h2>Incidents <span class="muted">${incidents.length}</span></h2><${Entries} entries=${incidents.toReversed().slice(0, 20)} none="none in the entries that this page has" /></section>
  </div>`;
}
