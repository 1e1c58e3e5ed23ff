// Entries of the ledger as lines.
import { clock, visible } from "../format.js";
import { html, useState } from "../html.js";
import { stateLook } from "../words.js";
import { Glyph } from "./glyph.js";

/** "stage.passed" has the look of "passed". */
function look(action) {
  return stateLook(action.replace(/^.*\./, ""));
}

/** What happened, and then why somebody wanted it. */
function told(entry) {
  const d = entry.details ?? {};
  const what = d.sentence ?? d.message ?? [d.wish && `${d.wish} is asked for`, d.stage && `stage ${d.stage}`, d.key && `${d.key} = ${d.value}`, d.from && `from ${d.from}`].filter(Boolean).join(", ");
  return [what, entry.reason && visible(entry.reason)].filter(Boolean).join(" — ");
}

function Line({ entry, withRun }) {
  const [open, setOpen] = useState(false);
  const { tone, glyph } = look(entry.action);
  return html`<li class="entry">
    <button class="plain" aria-expanded=${open} onClick=${() => setOpen(!open)}>
      <span class="muted number">${entry.number}</span><span class="time">${clock(entry.at)}</span>
      <span class=${`state ${tone}`}><${Glyph} name=${glyph} tone=${tone} />${entry.action}</span>
      ${withRun && html`<span class="code">${entry.run ?? ""}</span>`}<span class="told">${told(entry)}</span><span class="muted by">${entry.actor}</span></button>
    ${open && html`<pre class="details">${JSON.stringify(entry.details ?? {}, null, 2)}
digest   ${entry.digest}
previous ${entry.previous}</pre>`}
  </li>`;
}

export function Entries({ entries, none, withRun }) {
  if (entries.length === 0) return html`<p class="none">${none}</p>`;
  return html`<ol class="entries">${entries.map((entry) => html`<${Line} key=${entry.number} entry=${entry} withRun=${withRun} />`)}</ol>`;
}

