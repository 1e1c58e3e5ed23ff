// The ledger, newest first, and whether its chain holds.
import { ask, at } from "../api.js";
import { count } from "../format.js";
import { html, useEffect, useState } from "../html.js";
import { Entries } from "../parts/entries.js";
import { Glyph } from "../parts/glyph.js";

function Verification() {
  const [head, put] = useState(""), [told, setTold] = useState(null), [busy, setBusy] = useState(false);
  const check = async (event) => {
    event.preventDefault();
    setBusy(true);
    try {
      setTold(await ask(at.verification(head.trim())));
    } catch (error) {
      setTold({ ok: false, message: error.message });
    }
    setBusy(false);
  };
  return html`<form class="panel" onSubmit=${check}><h2>Is every entry as it was written?</h2>
    <div class="row"><label class="grow">a head that is known from elsewhere (if there is one) <input class="code" value=${head} autocomplete="off" spellcheck=${false} onInput=${(e) => put(e.target.value)} /></label>
      <button class="act" disabled=${busy}><span>Verify</span><code>sluice audit verify${head.trim() ? ` --head ${head.trim().slice(0, 8)}…` : ""}</code></button></div>
    <p class="verdict" role="status">${busy ? "reading the whole chain …" : told ? html`<${Glyph} name=${told.ok ? "check" : "cross"} tone=${told.ok ? "good" : "bad"} /> ${told.message} ${told.entries !== undefined ? `(${count(told.entries)} entries)` : ""}<br /><span class="code muted">${told.head ?? ""}</span>` : "\u00a0"}</p></form>`;
}

export function Ledger({ session, run }) {
  const [earlier, put] = useState([]), [next, setNext] = useState(undefined), [failed, setFailed] = useState(null);
  const recent = session.entries.filter((entry) => !run || entry.run === run).toReversed();
  const oldest = earlier.at(-1)?.number ?? recent.at(-1)?.number ?? 0;
  const more = async () => {
    try {
      const page = await ask(at.ledger(run, oldest || undefined));
      put((old) => [...old, ...page.entries.filter((entry) => entry.number < (old.at(-1)?.number ?? (oldest || Infinity)))]);
      setNext(page.next);
    } catch (error) {
      setFailed(error);
    }
  };
  useEffect(() => {
    more();
  }, [run]);
  const known = new Set(recent.map(({ number }) => number));
  const shown = [...recent, ...earlier.filter(({ number }) => !known.has(number))];
  return html`<${Verification} /><section class="panel"><h2>Entries <span class="muted">${shown.length}</span></h2>
    ${failed && html`<p class="refused" role="alert">${failed.message}</p>`}
    <${Entries} entries=${shown} none="none yet" withRun=${!run} />
    ${next !== null && html`<button onClick=${more}>earlier entries</button>`}</section>`;
}
