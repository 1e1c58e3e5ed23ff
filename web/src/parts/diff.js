// What lies between two runs: texts line by line, the plan figure by figure, how keys ended.
import { at } from "../api.js";
import { count, digest, key, visible } from "../format.js";
import { html } from "../html.js";
import { useAnswer, Missing } from "./asked.js";
import { State } from "./glyph.js";
import { stateLook } from "../words.js";

const show = (value) => (value === null || value === undefined ? "–" : visible(typeof value === "object" ? JSON.stringify(value) : String(value), 1000));

function Head({ told }) {
  const side = ({ run, state, plan_digest: plan }) => html`<b>${run}</b> <${State} word=${state} look=${stateLook(state)} /> <span class="code muted">${digest(plan)}</span>`;
  return html`<p>${side(told.a)} → ${side(told.b)}</p>`;
}

function Texts({ texts }) {
  return texts.map((text) => html`<div key=${text.what}><h3>${text.what} <span class="muted">${text.same ? "the same" : "differs"}</span></h3>
    ${text.files?.map((file) => html`<pre class="lines-diff" tabindex="0" key=${`${file.a} ${file.b}`}>${file.lines.map((line) => html`<span class=${line.op === "+" ? "more" : line.op === "-" ? "less" : ""}>${line.op} ${visible(line.text, 500)}\n</span>`)}</pre>`)}</div>`);
}

function Rows({ name, rows, first }) {
  if (!rows?.length) return null;
  return html`<h3>${name}</h3><div class="scroll" tabindex="0" role="region" aria-label=${name}><table><thead><tr><th scope="col">${first}</th><th scope="col">before</th><th scope="col">after</th></tr></thead>
    <tbody>${rows.map((row) => html`<tr key=${row[first]}><th scope="row">${row[first]}</th><td class="code">${show(row.a)}</td><td class="code">${show(row.b)}</td></tr>`)}</tbody></table></div>`;
}

function Keys({ keys }) {
  if (!keys) return null;
  return html`<h3>keys</h3><p>${count(keys.both)} in both, ${count(keys.other_outcome)} of these ended otherwise; ${count(keys.only_a)} only before, ${count(keys.only_b)} only after</p>
    <ul class="lines">${keys.examples?.map((one, i) => html`<li key=${i}><bdi class="code">${key(one.key)}</bdi> ${show(one.a)} → ${show(one.b)}</li>`)}</ul>`;
}

export function Diff({ a, b }) {
  const answer = useAnswer(a && b ? at.diff(a, b) : null);
  const told = answer.data;
  return html`<${Missing} answer=${answer} what=${`${a} and ${b}`} />
    ${told && html`<${Head} told=${told} /><${Texts} texts=${told.texts ?? []} /><${Rows} name="plan" rows=${told.plan} first="key" />
      <${Rows} name="records" rows=${told.records} first="outcome" /><${Keys} keys=${told.keys} />`}`;
}
