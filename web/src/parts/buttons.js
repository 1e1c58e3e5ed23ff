// The row of buttons of a run, and what came of the last one.
import { ACTIONS } from "../actions.js";
import { html, useState } from "../html.js";
import { Confirm } from "./confirm.js";

/** What an answer to an action says, in a sentence. */
export function outcome(answer) {
  if (!answer) return "";
  if (answer.type === "detached") return `started; it outlives this page (process ${answer.pid})`;
  if (answer.type === "ended") return `ended with ${answer.exit}${answer.message ? `: ${answer.message}` : ""}`;
  if (answer.type === "wish") return answer.taken ? `heard: the run is ${answer.state}` : "recorded; no process holds the run, the next one finds it";
  return "done";
}

export function Buttons({ session, status, only }) {
  const [open, setOpen] = useState(null);
  const [last, setLast] = useState("");
  const there = ACTIONS.filter((action) => action.there(status) && (!only || only.includes(action.name)));
  // The browser tells of a closed question a moment later: another one may be open by then.
  const closed = (action) => (answer) => {
    setOpen((now) => (now === action ? null : now));
    if (answer) setLast(outcome(answer));
  };
  return html`<div class="actions" role="group" aria-label=${`actions of ${status.run}`}>
    ${there.map((action) => {
      const able = session.may(action.right);
      const command = action.command?.(status.run) ?? `sluice ${action.name} ${status.run}`;
      return html`<button class=${`act ${action.tone ?? ""}`} key=${action.name} disabled=${!able} title=${able ? command : `needs a token that may ${action.right}`} onClick=${() => setOpen(action)}>
        <span>${action.label}</span><code>${able ? command : `needs: ${action.right}`}</code></button>`;
    })}
    <span class="outcome" role="status">${last}</span>
    ${open && html`<${Confirm} key=${open.name} action=${open} status=${status} close=${closed(open)} />`}
  </div>`;
}
