// What verifications have found: the sentence first, then the counts, then the differences, key by key.
import { askText, at } from "../api.js";
import { clock, count, key, visible } from "../format.js";
import { html, useState } from "../html.js";
import { CLASSES } from "../words.js";
import { useAnswer, Missing } from "../parts/asked.js";
import { State } from "../parts/glyph.js";

const SHOWN = 200;

/** A number that is more than a double can hold stays as it was written. */
const exactly = (_, value, context) => (typeof value === "number" && context?.source !== undefined && context.source !== String(value) && JSON.rawJSON ? JSON.rawJSON(context.source) : value);

/** A line of the report; what cannot be read is shown as it came. */
function read(line) {
  try {
    return JSON.parse(line, exactly);
  } catch {
    return { kind: "unreadable", key: line };
  }
}

const text = (value) => (value === undefined ? "nothing" : visible(JSON.stringify(value)));

/** What breaks a rule of the dataset: an index on one side, a record on the other. */
function Breach({ line: d }) {
  return html`<tr><th scope="row"><bdi class="code">${key(d.key)}</bdi></th><td>${visible(d.what.replaceAll("_", " "))}</td>
    <td><span class="muted">${visible(d.rule)}${d.why && `: ${visible(d.why)}`}</span>
      ${d.entry !== undefined && html`<div class="code">${key(d.entry)} <span class="muted">in</span> ${key(d.index)}</div>`}</td></tr>`;
}

/** What was wanted and what stands there, of the fields that differ; of records that are missing or too many, that. */
function Difference({ line }) {
  const d = read(line), fields = d.fields ?? [];
  if (d.kind === "rule")
    return html`<${Breach} line=${d} />`;
  return html`<tr><th scope="row"><bdi class="code">${key(d.key)}</bdi></th><td>${d.kind}</td>
    <td>${d.why && html`<span class="muted">${visible(d.why)}</span><br />`}
      ${!d.live ? html`<span class="muted">the target holds nothing</span>` : !d.wanted ? html`<span class="muted">nothing is wanted there</span>` : ""}
      ${fields.map((name) => html`<div key=${name} class="code"><b>${visible(name)}</b> ${text(d.wanted?.[name])} <span class="muted">is wanted, there is</span> ${text(d.live?.[name])}</div>`)}</td></tr>`;
}

function Differences({ run, number }) {
  const answer = useAnswer(at.report(run, number), 0, askText);
  const lines = (answer.data ?? "").split("\n").filter(Boolean);
  return html`<${Missing} answer=${answer} what="differences" />
    ${answer.data !== null && html`<p class="muted">${count(lines.length)} differences${lines.length > SHOWN ? `, the first ${SHOWN}` : ""}; <a href=${at.report(run, number)} download>the whole report</a></p>
    <div class="scroll" tabindex="0" role="region" aria-label="differences"><table class="differences"><thead><tr><th scope="col">key</th><th scope="col">kind</th><th scope="col">what differs</th></tr></thead>
      <tbody>${lines.slice(0, SHOWN).map((line, i) => html`<${Difference} key=${i} line=${line} />`)}</tbody></table></div>`}`;
}

function Report({ session, run, report }) {
  const [open, setOpen] = useState(false);
  const s = report.summary ?? {}, pass = report.verdict === "pass";
  const found = CLASSES.filter(({ word }) => s[word] > 0);
  return html`<li class="report"><h3><${State} word=${pass ? "pass" : "fail"} look=${pass ? { tone: "good", glyph: "check" } : { tone: "bad", glyph: "cross" }} /> ${report.stage ? `stage ${report.stage}` : "the whole run"} <span class="muted">${clock(report.at)}</span></h3>
    <p class="sentence">${s.sentence ?? ""}</p>
    <p class="muted">${found.map(({ word, meaning }) => html`<abbr key=${word} title=${meaning}>${word}</abbr> ${count(s[word])}  `)}</p>
    ${report.bytes > 0 ? html`<button class="small" aria-expanded=${open} disabled=${!session.may("records")} onClick=${() => setOpen(!open)}>${open ? "hide" : "show"} what differs</button>` : html`<p class="muted">Nothing differs.</p>`}
    ${open && html`<${Differences} run=${run} number=${report.number} />`}</li>`;
}

export function Reports({ session, status, run }) {
  const judged = status.stages.map((stage) => stage.report ?? "").join();
  const answer = useAnswer(at.reports(run), `${judged} ${status.state}`);
  const reports = answer.data?.reports ?? [];
  return html`<section class="panel"><h2>Reports <span class="muted">${reports.length}</span></h2><p class="command"><span class="label">one more, as of now</span><code>sluice verify ${run}</code></p>
    <${Missing} answer=${answer} what="reports" />${answer.data && reports.length === 0 && html`<p class="none">Nothing has been verified yet.</p>`}
    <ul class="reports">${reports.map((report) => html`<${Report} key=${report.number} session=${session} run=${run} report=${report} />`)}</ul></section>`;
}
