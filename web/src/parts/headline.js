// The head of a run: what it does, the first reason, what is done by whom, how far it is.
import { isOver } from "../words.js";
import { ago, clock, count, duration, rate, share } from "../format.js";
import { eta, headline, moving, progress } from "../headline.js";
import { html } from "../html.js";
import { Bar, partsOf } from "./bars.js";
import { Glyph } from "./glyph.js";

function Figure({ name, value, note }) {
  return html`<div class="figure"><span class="label">${name}</span><span class="value">${value}</span><span class="note">${note ?? ""}</span></div>`;
}

/** What the time left is reckoned by; where the run is at another pace now, what it would be at that. */
function pace(status, now) {
  const { done, of } = progress(status), left = (of - done) / now;
  if (!(now > 0) || Math.abs(left - status.eta_s) < 0.25 * status.eta_s) return "at the mean rate";
  return `${duration(left)} at the rate of now`;
}

function Figures({ session, status }) {
  const { done, of } = progress(status), over = isOver(status.state), left = eta(status);
  const took = (Date.parse(status.updated_at) - Date.parse(status.started_at)) / 1000;
  const now = over ? done / took : session.trails.get(status.run)?.rate(Date.now() / 1000) ?? status.rate?.records_per_s;
  const limit = status.rate?.limit_records_per_s;
  return html`<div class="figures-row">
    <${Figure} name="done" value=${share(done, of)} note=${`${count(done)} of ${count(of)}`} />
    <${Figure} name="time left" value=${over ? "none" : left ?? "–"} note=${over ? "" : left ? pace(status, now) : status.state === "running" ? "known from 1 % on" : "it is not writing"} />
    <${Figure} name="records/s" value=${rate(now)} note=${over ? "in the mean" : limit ? `limit ${rate(limit)}` : "no fixed limit"} />
    <${Figure} name="refused" value=${count(status.records.rejected)} note=${`${share(status.records.rejected, done)} of those done`} />
    <${Figure} name="kept live" value=${count(status.records.kept_live)} note=${`${share(status.records.kept_live, done)} of those done`} />
    <${Figure} name=${over ? "took" : "begun"} value=${over ? duration(took) : ago(status.started_at)} note=${clock(status.started_at)} />
  </div>`;
}

export function Headline({ session, status }) {
  const head = headline(status), { parts, word } = moving(status);
  const [first, ...rest] = head.why.split("; "); // reasons of the engine begin with what matters most
  return html`<section class=${`headline ${head.tone}`} aria-label="state">
    <h1><${Glyph} name=${head.glyph} tone=${head.tone} /> <span class="word">${head.word}</span> <span class="name">${status.run}</span></h1>
    <p class="why">${first}${head.since ? html` <span class="muted">since ${clock(head.since)}</span>` : ""}</p>
    ${rest.length > 0 && html`<p class="rest">${rest.join("; ")}</p>`}
    <p class="next">${head.next || "\u00a0"}</p>
    <${Bar} parts=${partsOf(parts, word)} of=${parts.total} label=${`${count(parts.verified)} verified, ${count(parts.written)} written of ${count(parts.total)} partitions`} />
    <${Figures} session=${session} status=${status} />
  </section>`;
}
