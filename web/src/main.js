// The frame around all views: where the reader is, whether what is shown is live, who they are.
import { html, render, useEffect, useRef, useState } from "./html.js";
import { clock } from "./format.js";
import { brief } from "./headline.js";
import { parse, to, VIEWS } from "./route.js";
import { Session } from "./session.js";
import { Glyph } from "./parts/glyph.js";
import { Headline } from "./parts/headline.js";
import { SignIn, Who } from "./parts/who.js";
import { StopFlag } from "./parts/stop.js";
import { Runs } from "./views/runs.js";
import { Overview } from "./views/overview.js";
import { OnCall } from "./views/oncall.js";
import { Debug } from "./views/debug.js";
import { Plan } from "./views/plan.js";
import { Reports } from "./views/reports.js";
import { Ledger } from "./views/ledger.js";
import { Compare } from "./views/compare.js";

const RUN_VIEWS = { overview: Overview, oncall: OnCall, debug: Debug, plan: Plan, reports: Reports, ledger: Ledger };

/** Whether what is on the screen is of now: the most important thing that a live page can say of itself. */
function Link({ link }) {
  const live = link.state === "live";
  const words = { live: "live", connecting: "connecting …", lost: `no connection since ${clock(new Date(link.since).toISOString())}; trying again`, refused: "not signed in" };
  return html`<span class=${`link ${live ? "good" : "bad"}`} role="status"><${Glyph} name=${live ? "check" : "broken"} tone=${live ? "good" : "bad"} /> ${words[link.state]}</span>`;
}

function Top({ session, where }) {
  const at = (page) => (where.page === page ? "page" : undefined);
  return html`<header class="top">
    <a class="brand" href=${to.runs()}>sluice</a>
    <nav aria-label="pages">
      <a href=${to.runs()} aria-current=${at("runs")}>Runs</a>
      <a href=${to.compare("", "")} aria-current=${at("compare")}>Compare</a>
      <a href=${to.ledger()} aria-current=${at("ledger")}>Ledger</a>
    </nav>
    <${Link} link=${session.link} />
    <${Who} session=${session} />
  </header>`;
}

function Tabs({ where }) {
  return html`<nav class="tabs" aria-label=${`views of ${where.run}`}>${VIEWS.map(
    ([word, label]) => html`<a key=${word} href=${to.run(where.run, word)} aria-current=${where.view === word ? "page" : undefined}>${label}</a>`,
  )}</nav>`;
}

function Run({ session, where }) {
  const status = session.runs.get(where.run);
  const [failed, setFailed] = useState(null);
  useEffect(() => {
    setFailed(null);
    // A list has no stages and no signals: what the stream has not brought yet is asked for.
    session.need(where.run).catch(setFailed);
  }, [where.run, session.link.state === "live"]);
  if (!status) return html`<main><h1>${where.run}</h1><p class="missing">${failed ? failed.message : "looking for it …"}</p></main>`;
  const View = RUN_VIEWS[where.view];
  // What is not of now has no colours: nobody acts on it by mistake.
  return html`<main class=${session.link.state === "live" ? "" : "stale"}>
    <${Headline} session=${session} status=${status} />
    <${Tabs} where=${where} />
    <${View} key=${`${where.run}/${where.view}`} session=${session} status=${status} run=${where.run} />
  </main>`;
}

function Page({ session, where }) {
  if (where.page === "run") return html`<${Run} session=${session} where=${where} />`;
  if (where.page === "compare") return html`<main><${Compare} key=${`${where.a}/${where.b}`} session=${session} a=${where.a} b=${where.b} /></main>`;
  if (where.page === "ledger") return html`<main><h1>Ledger</h1><${Ledger} session=${session} run=${null} /></main>`;
  return html`<main><${Runs} session=${session} /></main>`;
}

/** What has changed, for who does not see the screen: a state, not every figure. */
function Announce({ session, where }) {
  const status = where.page === "run" ? session.runs.get(where.run) : null;
  const said = useRef("");
  const [words, put] = useState("");
  const now = status ? `${status.run} is ${status.state}` : "";
  useEffect(() => {
    if (said.current && now && now !== said.current) put(`${now}${status.reason ? `: ${status.reason}` : ""}`);
    said.current = now;
  }, [now]);
  return html`<p class="unseen" aria-live="polite">${words}</p>`;
}

function App({ session }) {
  const [, again] = useState(0);
  const [where, setWhere] = useState(parse(location.hash));
  useEffect(() => {
    let asked = 0;
    // At most once a frame, however fast the news come.
    const stop = session.watch(() => {
      asked ||= requestAnimationFrame(() => {
        asked = 0;
        again((n) => n + 1);
      });
    });
    const went = () => {
      setWhere(parse(location.hash));
      scrollTo(0, 0);
    };
    addEventListener("hashchange", went);
    return () => {
      stop();
      removeEventListener("hashchange", went);
    };
  }, []);
  const status = where.page === "run" ? session.runs.get(where.run) : null;
  document.title = status ? `${brief(status)} – sluice` : "sluice";
  const known = session.may("read");
  return html`<${Top} session=${session} where=${where} />
    ${session.who && !known ? html`<main><${SignIn} session=${session} /></main>` : html`<${StopFlag} session=${session} /><${Page} session=${session} where=${where} />`}
    <${Announce} session=${session} where=${where} />`;
}

const session = new Session();
session.begin();
// Six connections are all that a browser gives a server: a page that nobody sees leaves its own to those that are seen.
document.addEventListener("visibilitychange", () => (document.hidden ? session.rest() : session.wake()));
addEventListener("online", () => session.wake());
const place = document.getElementById("page");
place.replaceChildren();
render(html`<${App} session=${session} />`, place);
