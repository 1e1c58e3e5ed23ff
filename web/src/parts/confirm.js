// The question before anything is done: the effect in numbers, the command that it equals, the reason. The browser's own
// <dialog>: it keeps the focus inside, and Escape closes it.
import { act, at, decision, effect } from "../api.js";
import { needsReason } from "../actions.js";
import { count } from "../format.js";
import { html, useEffect, useRef, useState } from "../html.js";
import { useAnswer } from "./asked.js";
import { Glyph } from "./glyph.js";

const QUIET_MS = 250; // so long nobody has typed: then the server is asked again

/** What the fields say, as the body of the request: what is empty is left out. */
function bodyOf(action, status, values) {
  const body = { ...(action.body?.(status) ?? {}) };
  for (const name of action.fields) if (values[name]?.trim()) body[name] = values[name].trim();
  for (const name of Object.keys(body)) if (body[name] === undefined) delete body[name];
  return body;
}

const whole = (action, values) => action.name !== "set" || (values.key && values.value?.trim());

/** What the effect depends on: the reason changes the command alone. */
const choice = (values) => JSON.stringify({ ...values, reason: undefined });

/** The server's answer to a dry run of what the fields say, and of which choice it is. */
function useEffectOf(action, status, values) {
  const [told, put] = useState({ effect: null, error: null, of: null });
  const key = JSON.stringify(values);
  useEffect(() => {
    let gone = false;
    if (!whole(action, values)) {
      put({ effect: null, error: null, of: null });
      return undefined;
    }
    const timer = setTimeout(() => {
      effect(status?.run ?? null, action.name, bodyOf(action, status, values)).then(
        (answer) => gone || put({ effect: answer, error: null, of: choice(values) }),
        (error) => gone || put((old) => ({ ...old, error })),
      );
    }, told.effect ? QUIET_MS : 0);
    return () => {
      gone = true;
      clearTimeout(timer);
    };
  }, [key, status?.state]);
  return told;
}

const sentence = (action, told, status, values) => action.effect?.(told, status, values) ?? told.words;

function Numbers({ told }) {
  const p = told.partitions, r = told.records;
  const rows = [
    told.keys !== null && told.keys !== undefined && ["keys concerned", count(told.keys)],
    told.damaged ? ["keys whose pre-image is damaged", count(told.damaged)] : null,
    r && ["records", `${count(r.written)} written, ${count(r.left)} left of ${count(r.listed)}`],
    p && ["partitions", `${count(p.done)} done, ${count(p.left)} left of ${count(p.total)}`],
  ].filter(Boolean);
  return html`<dl class="facts">${rows.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`;
}

function StageField({ status, value, put }) {
  return html`<label>From stage on
    <select value=${value ?? ""} onChange=${(e) => put(e.target.value)}>
      <option value="">all of the run</option>
      ${status.stages.map((stage) => html`<option value=${stage.name}>${stage.name}: ${stage.state}, ${count(stage.partitions.written)} partitions written</option>`)}
    </select></label>`;
}

function LimitFields({ status, values, put }) {
  const answer = useAnswer(at.limits(status.run));
  const limits = answer.data?.limits ?? [];
  const now = limits.find(({ key }) => key === values.key);
  return html`<div class="pair"><label>Limit
      <select value=${values.key ?? ""} onChange=${(e) => put({ ...values, key: e.target.value, value: "" })}>
        <option value="">choose …</option>
        ${limits.map(({ key, value }) => html`<option value=${key}>${key} = ${value}</option>`)}
      </select></label>
    <label>New value
      <input value=${values.value ?? ""} placeholder=${now ? `now ${now.value}` : ""} autocomplete="off" spellcheck=${false} onInput=${(e) => put({ ...values, value: e.target.value })} /></label></div>`;
}

function Fields({ action, status, values, put, needed }) {
  const set = (name) => (value) => put({ ...values, [name]: value });
  return html`
    ${action.fields.includes("key") && html`<${LimitFields} status=${status} values=${values} put=${put} />`}
    ${action.fields.includes("stage") && status.stages.length > 1 && html`<${StageField} status=${status} value=${values.stage} put=${set("stage")} />`}
    ${action.fields.includes("reason") && html`<label>${action.ask === "comment" ? "Comment" : "Reason"}${needed ? "" : " (if there is one)"}
      <input class="reason" value=${values.reason ?? ""} maxlength="1000" required=${needed} autocomplete="off" onInput=${(e) => set("reason")(e.target.value)} /></label>`}`;
}

/** `status` null: of the whole home. `close` is called with what was done, or with null. */
export function Confirm({ action, status, close }) {
  const box = useRef(null), once = useRef(decision()), result = useRef(null);
  const [values, put] = useState({});
  const [doing, setDoing] = useState(false);
  const [failed, setFailed] = useState(null);
  const told = useEffectOf(action, status, values);
  const needed = needsReason(action, status ?? {});
  useEffect(() => {
    box.current.showModal();
    box.current.querySelector(action.name === "set" ? "select" : ".reason")?.focus();
  }, []);

  // Closed by the browser, the question gives the focus back to the button that asked it.
  const end = (answer) => {
    result.current = answer;
    box.current.close();
  };
  const change = (next) => {
    once.current = decision(); // another question is another decision
    setFailed(null);
    put(next);
  };
  const submit = async (event) => {
    event.preventDefault();
    setDoing(true);
    setFailed(null);
    try {
      end(await act(status?.run ?? null, action.name, bodyOf(action, status, values), once.current));
    } catch (error) {
      setFailed(error);
      setDoing(false);
    }
  };
  const refused = failed ?? told.error;
  const ready = !doing && told.effect && told.of === choice(values) && whole(action, values) && (!needed || values.reason?.trim());
  return html`<dialog ref=${box} class="confirm" aria-labelledby="confirm-title" onClose=${() => close(result.current)}>
    <form onSubmit=${submit}>
      <h2 id="confirm-title">${action.label}${status ? html` <span class="name">${status.run}</span>` : ""}</h2>
      <p class="effect">${told.effect ? sentence(action, told.effect, status, values) : whole(action, values) ? "asking what it would do …" : "Which limit, and what shall it be?"}</p>
      ${told.effect && html`<${Numbers} told=${told.effect} />`}
      <p class="after">${action.after}</p>
      <${Fields} action=${action} status=${status} values=${values} put=${change} needed=${needed} />
      <p class="command"><span class="label">the same on a command line</span><code>${told.effect?.command ?? "…"}</code></p>
      <p class="refused" role="alert">${refused ? html`<${Glyph} name="warn" tone="bad" /> ${refused.message}` : ""}</p>
      <div class="buttons">
        <button type="button" onClick=${() => end(null)}>Leave it</button>
        <button type="submit" class=${`main ${action.tone ?? ""}`} disabled=${!ready}>${doing ? "asked …" : action.label}</button>
      </div>
    </form>
  </dialog>`;
}
