// Entries of the ledger as lines.
import { clock, plural, visible } from "../format.js";
import { html, useState } from "../html.js";
import { stateLook } from "../words.js";
import { Glyph } from "./glyph.js";

/** "stage.passed" has the look of "passed". */
function look(action) {
  return stateLook(action.replace(/^.*\./, ""));
}

const TOLD = {
  "budget-warning": (d) => `${d.per_cent} % of ${d.key} is used`,
  "slo-warning": (d) => `there by ${clock(d.there_ms)}, promised by ${clock(d.due_ms)}`,
  "source-warning": (d) => `through with its source by ${clock(d.there_ms)}, which can be read until ${clock(d.until_ms)}`,
  split: (d) => `${plural(d.records, "record")} of partition ${d.partition} become partition ${d.into}`,
};

const known = (d) => [d.wish && `${d.wish} is asked for`, d.stage && `stage ${d.stage}`, d.key && d.value !== undefined && `${d.key} = ${d.value}`, d.from && `from ${d.from}`].filter(Boolean).join(", ");

/** Of what has no words of its own: the figures and texts that it has. */
const rest = (d) => Object.entries(d).filter(([, value]) => value && typeof value !== "object").map(([name, value]) => `${name} ${value}`).slice(0, 5).join(", ");

/** What happened, what the program says of it, and then why somebody wanted it. Pure. */
export function told({ action, details, reason }) {
  const d = details ?? {};
  const what = d.sentence ?? d.message ?? TOLD[action]?.(d) ?? (known(d) || rest(d));
  const why = d.state_reason !== reason && !d.sentence && d.state_reason;
  return [what && visible(what, 600), why && visible(why, 600), reason && visible(reason)].filter(Boolean).join(" — ");
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

