// The flag that stops all runs of the home: where it stands, it is the first thing that anyone is told.
import { GO, STOP } from "../actions.js";
import { clock, visible } from "../format.js";
import { html, useState } from "../html.js";
import { Confirm } from "./confirm.js";
import { Glyph } from "./glyph.js";

export function StopButton({ session }) {
  const [open, setOpen] = useState(false);
  const action = session.stop?.stands ? GO : STOP;
  return html`<button class=${`act ${action.tone ?? ""}`} disabled=${!session.may("operate")} onClick=${() => setOpen(true)}>
      <span>${action.label}</span><code>sluice ${action === STOP ? "pause --all --hold" : "resume --all"}</code></button>
    ${open && html`<${Confirm} action=${action} status=${null} close=${() => setOpen(false)} />`}`;
}

export function StopFlag({ session }) {
  const { stop } = session;
  if (!stop?.stands) return null;
  return html`<section class="stopflag" role="alert"><${Glyph} name="stop" tone="bad" /> <b>All runs of this home are stopped</b>
    ${stop.actor ? ` by ${stop.actor}` : ""}${stop.at ? ` since ${clock(stop.at)}` : ""}${stop.reason ? `: ${visible(stop.reason, 600)}` : ""} <${StopButton} session=${session} /></section>`;
}
