// Two runs, side by side.
import { html } from "../html.js";
import { to } from "../route.js";
import { Diff } from "../parts/diff.js";

function Choice({ name, value, runs, put }) {
  return html`<label class="find">${name} <select value=${value} onChange=${(e) => put(e.target.value)}><option value="">choose …</option>
    ${runs.map((run) => html`<option key=${run} value=${run}>${run}</option>`)}</select></label>`;
}

export function Compare({ session, a, b }) {
  const runs = [...session.runs.values()].sort((one, other) => Date.parse(other.started_at) - Date.parse(one.started_at)).map(({ run }) => run);
  const go = (left, right) => {
    location.hash = to.compare(left, right);
  };
  return html`<h1>Two runs</h1><div class="row"><${Choice} name="before" value=${a} runs=${runs} put=${(v) => go(v, b)} /><${Choice} name="after" value=${b} runs=${runs} put=${(v) => go(a, v)} />
      ${a && b && html`<code>sluice diff ${a} ${b}</code>`}</div>
    <section class="panel"><h2>What lies between them</h2>${!session.may("records") ? html`<p class="none">To compare runs needs a token that may see records.</p>` : a && b ? html`<${Diff} a=${a} b=${b} />` : html`<p class="none">Choose two runs.</p>`}</section>`;
}
