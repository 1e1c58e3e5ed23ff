// The page, in a real Chromium, against the real server. One home and one browser serve all; the tests follow each other.
import path from "node:path";
import { accessible, AXE, browser as launch, Home, HOSTILE, must, open, PATIENCE, runAll, same, shot, test, until } from "./kit.mjs";

const VIEWS = ["overview", "oncall", "debug", "plan", "reports", "ledger"];
const home = new Home();
const browser = await launch();
const tokens = {};
let operator, lead; // two people, each with a browser of their own

function token(name, ...more) {
  const said = home.must([0], "token", "create", name, ...more, "--json");
  return JSON.parse(said).token;
}

const word = (page) => page.locator(".headline .word");
const stands = (page, state) => word(page).filter({ hasText: new RegExp(`^${state}$`) }).waitFor(PATIENCE);
const button = (page, label) => page.locator(".actions").getByRole("button", { name: new RegExp(`^${label}`) });
const named = (hash) => hash.replace(/\W+/g, "-").replace(/^-|-$/g, "") || "runs";
const answered = (page) => page.waitForFunction(() => !document.querySelector("main .missing"), undefined, PATIENCE);

const entries = () => home.must([0], "audit", "log", "--limit", "500", "--json").trim().split("\n").map((line) => JSON.parse(line));

/** Presses the button, reads the question, gives the reason, says yes. Returns what the question said. */
async function decide(page, label, reason, more) {
  await button(page, label).click();
  const box = page.locator("dialog.confirm");
  await more?.(box);
  await box.locator(".command code").filter({ hasText: "sluice " }).waitFor(PATIENCE);
  if (reason) await box.locator("input.reason").fill(reason);
  const yes = box.locator("button.main:not([disabled])");
  await yes.waitFor(PATIENCE);
  const said = await until(async () => {
    const text = { effect: await box.locator(".effect").innerText(), command: await box.locator(".command code").innerText(), numbers: await box.locator("dl.facts").innerText() };
    return (!reason || text.command.includes(reason.split(" ")[0])) && text;
  }, "the command says the reason");
  await yes.click();
  await box.waitFor({ state: "detached", ...PATIENCE });
  return said;
}

test("what is shown of data cannot be seen as anything else: controls, overrides, halves of characters are spelled out", async () => {
  const page = await open(browser, home.url);
  await page.go("");
  const shown = await page.evaluate(async () => {
    const f = await import("/format.js");
    return {
      texts: ["a\u0000b", "\u202egnp.exe", "a\u200bb", "\ud800x", "ok \u{1f600}", "<b>&\"", "2\u202f397 of\u2003x", "x".repeat(300)].map((text) => f.visible(text)),
      keys: [f.key("cust:1"), f.key({ base64: "AP9hXA==" }), f.key(null)],
      words: [f.quoted("plain"), f.quoted("it's; rm -rf /")],
      shares: [f.share(99996, 100000), f.share(1, 100000), f.share(0, 5), f.share(5, 5), f.share(1, 0)],
      times: [f.duration(59), f.duration(61), f.duration(3 * 3600 + 720), f.duration(-1), f.duration(null), f.ago("no time")],
    };
  });
  same(shown.texts, ["a\\u{0}b", "\\u{202e}gnp.exe", "a\\u{200b}b", "\\u{d800}x", "ok \u{1f600}", "<b>&\"", "2\u202f397 of\\u{2003}x", `${"x".repeat(200)}…`], "texts");
  same(shown.keys, ["cust:1", "\\x00\\xffa\\x5c", "–"], "keys");
  same(shown.words, ["plain", "'it'\\''s; rm -rf /'"], "words for a shell");
  same(shown.shares, ["> 99.99 %", "< 0.01 %", "0 %", "100 %", "–"], "shares");
  same(shown.times, ["59 s", "1 min 1 s", "3 h 12 min", "–", "–", "–"], "times");
  await page.context().close();
});

test("events are read whole, wherever the pieces end; heartbeats are none", async () => {
  const page = await open(browser, home.url);
  await page.go("");
  const found = await page.evaluate(async () => {
    const { parser } = await import("/live.js");
    const stream = ': hello\n\nevent: ledger\nid: 7\ndata: {"a":\ndata: 1}\n\nretry: 1000\r\n\r\ndata: x\r\n\r\nid: 9\n\n';
    return Array.from({ length: stream.length }, (_, cut) => {
      const events = [];
      const take = parser((event) => events.push(event));
      take(stream.slice(0, cut));
      take(stream.slice(cut));
      return JSON.stringify(events);
    });
  });
  same([...new Set(found)], [JSON.stringify([{ id: "7", event: "ledger", data: '{"a":\n1}' }, { id: "7", event: "message", data: "x" }, { id: "9", event: "message", data: "" }])], "events, and how far it has got");
  await page.context().close();
});

test("news overtake answers: the newest stays, no entry of the ledger is left out, and of two connections one is given up", async () => {
  const page = await open(browser, home.url);
  await page.go("");
  const found = await page.evaluate(async () => {
    const [{ Session }, live] = await Promise.all([import("/session.js"), import("/live.js")]);
    const real = window.fetch, records = { written: 1, deleted: 0, listed: 1 };
    const status = (state, second) => ({ run: "a", state, records, stages: [], updated_at: `2026-01-01T00:00:${second}Z` });
    const answers = { "/runs/a": status("running", "09"), "limit=100": { entries: [6, 5, 4].map((number) => ({ number })), head: 6 }, "after=6": { entries: [{ number: 7 }], next: null } };
    const asked = [], waiting = [];
    window.fetch = async (path, { signal } = {}) => {
      if (path === "/streams") return new Promise((_, no) => waiting.push({ signal, no }));
      asked.push(path);
      return new Response(JSON.stringify(answers[Object.keys(answers).find((part) => path.endsWith(part))] ?? {}));
    };
    const session = new Session();
    session.putRun(status("done", "10"), "told");
    await session.need("a");
    session.putEntry({ number: 7 });
    await session.fillEntries();
    while (session.filling) await new Promise((resolve) => setTimeout(resolve, 1));
    const stream = live.open("/streams", () => ({}), { event() {}, state() {} });
    waiting[0].no(new Error("gone"));
    while (waiting.length < 2) await new Promise((resolve) => setTimeout(resolve, 1));
    stream.again();
    const open = waiting.map(({ signal }) => !signal.aborted);
    stream.close();
    window.fetch = real;
    return { state: session.runs.get("a").state, numbers: session.entries.map(({ number }) => number), open };
  });
  same(found, { state: "done", numbers: [4, 5, 6, 7], open: [false, false, true] }, "what the page knows");
  await page.context().close();
});

test("spans become cells: none is lost, a cell of many has the state that needs a look most, a million are laid out at once", async () => {
  const page = await open(browser, home.url);
  await page.go("");
  const found = await page.evaluate(async () => {
    const s = await import("/spans.js");
    const states = s.expand([[0, 6, "verified"], [6, 1, "failed"], [7, 2, "running"], [9, 1, "written"]], 10);
    const boxes = [1, 10, 9999, 10000, 1000000].map((n) => s.layout(1200, 320, n));
    return {
      tally: [...s.tally(states)], cells: [...s.aggregate(states, 0, 10, 4)].map(s.wordOf), none: [...s.aggregate(states, 3, 5, 1)].map(s.wordOf),
      next: [s.next(states, 0, s.codeOf("failed")), s.next(states, 6, s.codeOf("failed")), s.next(states, 0, s.codeOf("pending"))],
      holds: boxes.every((box, i) => box.cells * box.per >= [1, 10, 9999, 10000, 1000000][i] && box.rows * box.size <= 320 + box.size), per: boxes.map(({ per }) => per),
    };
  });
  same(found.tally, [0, 1, 2, 0, 1, 6, 0], "counts by state");
  same(found.cells, ["verified", "failed", "running"], "cells of four");
  same(found.none, ["verified", "verified"], "cells of one");
  same(found.next, [6, 6, -1], "the next one");
  must(found.holds, "a layout does not hold all partitions");
  same(found.per.slice(0, 4), [1, 1, 1, 1], "ten thousand have a cell each");
  await page.context().close();
});

test("the page weighs at most 150 KB as it is sent, asks nobody else, and allows no script but its own files", async () => {
  const page = await open(browser, home.url);
  const replies = [];
  page.on("response", (reply) => replies.push(reply));
  await page.go("");
  await page.locator("main h1").waitFor(PATIENCE);
  let weight = 0;
  for (const reply of replies.filter((one) => !one.url().includes("/api/"))) {
    same(reply.status(), 200, reply.url());
    weight += Number((await reply.allHeaders())["content-length"]);
    if (!/icon/.test(reply.url())) same(await reply.headerValue("content-encoding"), "gzip", `encoding of ${reply.url()}`);
  }
  must(weight > 20_000 && weight <= 150 * 1024, `it weighs ${weight} bytes`);
  const policy = await replies[0].headerValue("content-security-policy");
  must(policy && !/unsafe|\*|data:/.test(policy) && /default-src 'none'|default-src 'self'/.test(policy), `policy: ${policy}`);
  same(page.faults(), [], "faults");
  await page.context().close();
});

test("without a token the page only looks, and each button says what it needs; with one it may, until it is signed out", async () => {
  home.must([3], "run", "fix.yaml", "--yes"); // up to the approval of its first stage
  const page = await open(browser, home.url), asked = [];
  page.on("request", (one) => asked.push(one.url()));
  await page.go("#/run/fix.1/oncall");
  await stands(page, "waiting");
  await page.getByText("To see them needs a token that may see records").waitFor(PATIENCE);
  await answered(page);
  same(asked.filter((url) => /failures|quarantine/.test(url)), [], "what it may not see, and asks for all the same");
  for (const one of await page.locator(".actions button").all()) {
    same(await one.isDisabled(), true, "a button that can be pressed");
    must(/needs: /.test(await one.innerText()), "a button that does not say what it needs");
  }
  const who = page.locator(".who");
  await who.getByRole("button", { name: "Sign in" }).click();
  await page.getByLabel("Token").fill("sluice_wrong");
  await page.keyboard.press("Enter");
  await page.locator(".signin .refused").filter({ hasText: /\w/ }).waitFor(PATIENCE);
  await page.getByLabel("Token").fill(tokens.operator);
  await page.keyboard.press("Enter");
  await who.filter({ hasText: "operator" }).waitFor(PATIENCE);
  await page.locator(".actions button:not([disabled])", { hasText: /^Abort/ }).waitFor(PATIENCE); // who has signed in may
  await who.getByRole("button", { name: "Sign out" }).click();
  await who.filter({ hasText: "root, viewer" }).or(who.filter({ hasText: "viewer" })).waitFor(PATIENCE);
  await page.context().close();
});

test("a run is approved from the page, with a comment, by who may: the question names plan, report, numbers and command", async () => {
  operator = await open(browser, home.url, tokens.operator);
  lead = await open(browser, home.url, tokens.lead);
  await operator.go("");
  const needed = operator.locator("section.panel", { hasText: "A person is needed" });
  await needed.getByRole("link", { name: "fix.1" }).click();
  await stands(operator, "waiting");
  same(await button(operator, "Approve").isDisabled(), true, "who operates approves nothing");
  await lead.go("#/run/fix.1/plan");
  await shot(lead, "approval");
  const said = await decide(lead, "Approve", "looked at the canary");
  must(said.command.startsWith("sluice approve fix.1") && said.command.includes("--report"), `command: ${said.command}`);
  must(/\d/.test(said.effect), `no number in: ${said.effect}`);
  const entry = await until(() => entries().find(({ action }) => action === "approved"), "the approval is in the ledger");
  same([entry.reason, entry.actor], ["looked at the canary", "lead@token"], "the approval");
});

test("from the page: it goes on, is paused by keys alone and once, given another limit, resumed; both browsers see it at once", async () => {
  await operator.go("#/run/fix.1/oncall");
  await lead.go("#/run/fix.1/overview");
  await decide(operator, "Resume", "approved");
  await stands(operator, "running");
  await stands(lead, "running");
  await shot(operator, "oncall-running");
  // The answer to the pause is lost on its way: the page asks again, and it is done once.
  let lost = 0;
  await operator.route(/\/pause$/, async (route) => {
    if (lost > 0 || route.request().postDataJSON().dry_run) return route.continue();
    lost++;
    await route.fetch();
    return route.abort();
  });
  await button(operator, "Pause").focus();
  await operator.keyboard.press("Enter");
  await operator.locator("dialog.confirm .effect").filter({ hasText: /\d/ }).waitFor(PATIENCE);
  await shot(operator, "question");
  same(await operator.locator("dialog.confirm button.main").isDisabled(), true, "a yes without a reason");
  await operator.keyboard.type("it's lunch <time>");
  await operator.locator("dialog.confirm button.main:not([disabled])").waitFor(PATIENCE);
  await operator.keyboard.press("Enter");
  await stands(operator, "paused");
  await stands(lead, "paused");
  same([lost, entries().filter(({ action, reason }) => action === "wish" && reason?.startsWith("it's lunch")).length], [1, 1], "answers lost, pauses asked for");
  must((await lead.locator(".headline .why").innerText()).includes("it's lunch <time>"), "the reason is not shown to others");
  same((await home.status("fix.1")).state, "paused", "state");
  const set = await decide(operator, "Set a limit", "faster", async (box) => {
    await box.locator("select").selectOption("protect.rate.max");
    await box.locator(".pair input").fill("60/s");
  });
  must(/sluice set fix\.1 protect\.rate\.max=60\/s/.test(set.command), `command: ${set.command}`);
  await decide(operator, "Resume", "back");
  await stands(lead, "running");
  await lead.locator(".figure", { hasText: "limit 60" }).waitFor(PATIENCE);
});

test("the server is killed and started again while the page is open: it says so, comes back by itself, and has lost nothing", async () => {
  await operator.go("#/run/fix.1/ledger");
  await stands(operator, "running");
  await home.kill(home.server);
  await operator.locator(".link.bad", { hasText: "no connection since" }).waitFor(PATIENCE);
  await shot(operator, "no-connection");
  home.must([0], "pause", "fix.1", "--reason", "nobody was looking");
  await until(() => home.status("fix.1").state === "paused", "it pauses");
  home.start("resume", "fix.1", "--reason", "nobody saw it");
  await home.serve();
  await operator.locator(".link.good").waitFor(PATIENCE);
  await stands(operator, "running");
  home.must([0], "set", "fix.1", "protect.rate.max=none", "--reason", "enough was seen");
  await stands(lead, "done");
  await stands(operator, "done");
  const wanted = entries().filter(({ run }) => run === "fix.1").map(({ number }) => number);
  const shown = await until(async () => {
    const numbers = (await operator.locator(".entry .number").allInnerTexts()).map(Number);
    return numbers.length >= wanted.length && numbers;
  }, "all entries are there");
  same(shown.toSorted((a, b) => a - b), wanted, "entries");
});

test("a tab that nobody sees gives its connection back, and has everything when it is looked at", async () => {
  await operator.go("#/ledger");
  const newest = operator.locator(".entry .number").first();
  await newest.waitFor(PATIENCE);
  const hide = (hidden) =>
    operator.evaluate((hidden) => {
      Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
      document.dispatchEvent(new Event("visibilitychange"));
    }, hidden);
  const before = Number(await newest.innerText());
  await hide(true);
  token("guest", "--role", "viewer");
  token("guest2", "--role", "viewer");
  await lead.go("#/ledger");
  await lead.locator(".entry .number").first().filter({ hasText: String(before + 2) }).waitFor(PATIENCE);
  same(Number(await newest.innerText()), before, "the newest that the hidden tab knows");
  await hide(false);
  await newest.filter({ hasText: String(before + 2) }).waitFor(PATIENCE);
  await lead.go("#/run/fix.1/overview");
});

test("what was refused is told by its cause; one of them is shown as what it is, and does nothing", async () => {
  await operator.go("#/run/fix.1/oncall");
  const group = operator.locator("li", { hasText: "contract-says" });
  const told = await group.innerText();
  must(told.includes("sluice quarantine show fix.1"), "the next command");
  must(told.includes("field username") && told.includes(HOSTILE.replace("\u202e", "\\u{202e}")) && /partition \d+/.test(told), `field, partition and key of: ${told}`);
  await group.getByRole("button", { name: "one of them" }).click();
  const shown = await group.locator("dd bdi").innerText();
  same(shown, HOSTILE.replace("\u202e", "\\u{202e}"), "the key");
  same(await operator.evaluate(() => globalThis.hurt ?? null), null, "what the key has done");
  await shot(operator, "refused");
});

test("partitions with errors stand under what is refused, what it costs under what is spent, and one partition says its pace and its errors", async () => {
  await operator.go("#/run/fix.1/oncall");
  const panel = operator.locator("section.panel", { hasText: "Partitions with errors" });
  await panel.locator("tbody tr").first().waitFor(PATIENCE);
  const { partitions } = JSON.parse(await operator.evaluate(() => fetch("/api/v1/runs/fix.1/troubles").then((reply) => reply.text())));
  same(await panel.locator("tbody tr").count(), partitions.length, "partitions with errors");
  must((await panel.locator("tbody tr").first().innerText()).startsWith(String(partitions[0].partition)), "the worst does not stand first");
  await operator.go("#/run/fix.1/overview");
  const spent = operator.locator("section.panel", { hasText: "Spent" });
  await spent.getByText("EUR").first().waitFor(PATIENCE);
  const words = await spent.innerText();
  must(/cost\s+\d+\.\d\d EUR\s+of 40\.00 EUR/.test(words) && /cost to the end/.test(words) && /promised by/.test(words), `spent: ${words}`);
  await operator.go("#/run/fix.1/debug");
  const grid = operator.getByRole("slider", { name: "partitions" });
  await grid.waitFor(PATIENCE);
  await grid.focus();
  await operator.keyboard.press("Home");
  await operator.keyboard.press("Enter");
  const facts = operator.locator("section.panel", { hasText: "Partition 0" }).locator("dl.facts");
  await facts.waitFor(PATIENCE);
  const said = await facts.innerText();
  must(/throughput\s+[\d.\u202f]+ records\/s/.test(said) && /refused, \d+ in doubt, \d+ decided again/.test(said) && /the newest \d\d/.test(said), said);
  await operator.go("#/run/fix.1/plan");
  await operator.getByText("lets it past its first stage").waitFor(PATIENCE);
});

test("how a run went on: rates, what was foretold and the slowest batch of each stretch, and between what earlier runs were when as far", async () => {
  await operator.go("#/run/fix.1/overview");
  const found = await operator.evaluate(async () => {
    const { band, course } = await import("/history.js");
    const history = (...points) => ({ from: "2026-01-01T00:00:00Z", step_s: 5, points });
    const now = course(history([0, 50, 5, 0, 0, 0, 400], [10, 50, 0, 0, 0, 0, 90]), 200);
    const before = [course(history([0, 20, 0, 0, 0, 0, 100], [5, 180, 0, 0, 0, 0, 700]), 200), course(history([0, 200, 0, 0, 0, 0, 300], [5, 1, 0, 0, 0, 0, 1]), 400)];
    const earlier = [{ of: 200, course: before[0] }, { of: 400, course: before[1] }];
    return { now: now.map((p) => [p.done, p.rate, p.eta, p.latency]), rest: now.map((p) => [p.errors, p.age]), rate: band(now, 200, earlier), latency: band(now, 200, earlier, "latency") };
  });
  same(found.now, [[50, 10, 15, 0.4], [50, 0, 30, null], [100, 10, 15, 0.09]], "how it went on");
  same(found.rest, [[0.1, 0], [null, 5], [0, 0]], "errors of each stretch, and how fresh it was");
  same(found.rate, [[36, 36, 36], [40, 40, 40]], "rates of earlier runs");
  same(found.latency, [[0.3, 0.3, 0.3], [0.7, 0.7, 0.7]], "and their slowest batches");
  const panel = operator.locator("section.panel", { hasText: "How it goes on" });
  for (const title of ["Throughput", "End-to-end latency", "Time left", "Error rate", "Freshness"]) await panel.locator("h3", { hasText: title }).waitFor(PATIENCE);
  const chart = panel.locator("[aria-label*='from the read of a record']").first();
  await until(async () => /last \d[\d.]* (ms|s|min)/.test(await chart.getAttribute("aria-label")), "the newest of them is told");
  must(/freshness\s+.*newest checkpoint or move; verified /.test(await operator.locator("section.panel", { hasText: "Success" }).first().innerText()), "freshness");
});

test("live latencies are drawn as they are spread, before and during, in the order of their steps", async () => {
  await operator.go("#/run/fix.1/oncall");
  const found = await operator.evaluate(async () => {
    const { middle, Spread, steps } = await import("/parts/spread.js");
    const { html, render } = await import("/html.js");
    const server = { server: "127.0.0.1:7001", before: [[256, 6000], [384, 4000]], during: [[384, 5000], [128, 2000], [1024, 3000]] };
    const box = document.createElement("section");
    box.className = "panel spread-shown";
    document.querySelector("main .panels").append(box);
    render(html`<${Spread} server=${server} />`, box);
    render(html`<${Spread} server=${{ server: "x" }} />`, document.createElement("div"));
    return { steps: steps(server.before, server.during), middle: [middle(server.before), middle(steps([], server.during).map(([us, , share]) => [us, share])), middle([[128, 5000], [256, 5000]]), middle([])],
      words: box.querySelector(".steps").getAttribute("aria-label"), bars: [...box.querySelectorAll(".pair")].map((pair) => [...pair.children].map((bar) => bar.style.height)) };
  });
  same(found.steps, [[128, 0, 2000], [256, 6000, 0], [384, 4000, 5000], [1024, 0, 3000]], "steps");
  same(found.middle, [256, 384, 128, null], "the middle");
  same(found.bars, [["0%", "33.3333%"], ["100%", "0%"], ["66.6667%", "83.3333%"], ["0%", "50%"]], "bars");
  must(/before, half of them within 0\.26 ms; during, half of them within 0\.38 ms/.test(found.words), found.words);
  await shot(operator, "spread");
});

test("an entry of the ledger says what happened and, before why somebody wanted it, what the program says of it", async () => {
  const lines = await operator.evaluate(async () => {
    const { told } = await import("/parts/entries.js");
    return [
      { action: "paused", details: { from: "running", state_reason: "guard: memory: a: 80 %" }, reason: null },
      { action: "paused", details: { from: "running", state_reason: "lunch" }, reason: "lunch" },
      { action: "budget-warning", details: { key: "budget.records", limit: 70, per_cent: 50, used: 36 }, reason: null },
      { action: "set", details: { key: "workers", value: "3" }, reason: "faster" },
      { action: "split", details: { at: 400, into: 120, partition: 62, records: 100 }, reason: null },
      { action: "token-created", details: { expires_ms: 0, groups: null, role: "viewer", token: "ann\u202e" }, reason: null },
    ].map(told);
  });
  same(lines, ["from running — guard: memory: a: 80 %", "from running — lunch", "50 % of budget.records is used", "workers = 3 — faster", "100 records of partition 62 become partition 120", "role viewer, token ann\\u{202e}"], "lines");
});

test("alerts that a look can tell have the names and words of the rules, and what the runbook says to do", async () => {
  await operator.go("#/run/fix.1/oncall");
  const found = await operator.evaluate(async () => {
    const { alerts, sections, TOLD } = await import("/alerts.js");
    const { ROWS } = await import("/rows.js");
    const calm = { state: "running", held: true, records: { written: 1000, rejected: 1, in_doubt: 0, listed: 5000 }, stages: [{ name: "ramp", state: "running" }], partitions: { total: 9 }, hooks: { failed: 0 },
      live: [{ server: "a", p99_ms: 1, limit_ms: 1 }], signals: [{ name: "memory", value: 0.7, level: "ok" }], budget: { records: { used: 80, limit: 100 }, bytes: null }, slo: { late: false } };
    const bad = { SluiceDivergence: { stages: [{ name: "ramp", state: "failed" }] }, SluiceLiveLatency: { live: [{ server: "a", p99_ms: 1.1, limit_ms: 1 }] }, SluiceHalted: { state: "halted" }, SluiceFailed: { state: "failed" },
      SluiceErrorRate: { records: { ...calm.records, in_doubt: 1 } }, SluiceDead: { held: false }, SluiceStuck: { watchdog: { kind: "stuck", since: "x" } }, SluiceBudget: { budget: { bytes: null, time_s: { used: 81, limit: 100 } } },
      SluiceLate: { slo: { late: true, there: false, due_at: "2026-01-01T00:00:00Z", there_at: "2026-01-01T01:00:00Z" } }, SluiceSourceRunsOut: { source_until: { at: "2026-01-01T00:00:00Z", there_at: null, go_on_by: null, late: true, passed: true } }, SluiceNeedsPerson: { state: "paused", reason: "a person" },
      SluiceGuardHolds: { signals: [{ name: "x", value_text: "1", level: "pause" }] }, SluiceNodeUse: { signals: [{ name: "memory", value: 0.71, value_text: "71 %", level: "ok" }] }, SluiceHookFailed: { hooks: { failed: 1 } } };
    return { calm: alerts(calm), told: TOLD, unnamed: TOLD.filter((name) => !ROWS.alerts.some((row) => row[0] === name)), bad: Object.entries(bad).map(([name, more]) => [name, alerts({ ...calm, ...more }).map((one) => one.name)]),
      over: alerts({ ...calm, ...bad.SluiceBudget, state: "done" }), now: alerts({ ...calm, ...bad.SluiceLate, ...bad.SluiceErrorRate }).map((one) => [one.severity, one.now]), parts: [...sections("# a\n## b\n### One\n\ndo\n### Two\nthis\n## c\nrest")] };
  });
  same([found.calm, found.unnamed], [[], []], "alerts of a calm run, and such as are no rule");
  same(found.bad.map(([name]) => name), found.told, "alerts that are tried");
  for (const [name, now] of found.bad) must(now.includes(name), `${name} is not told: ${now}`);
  same(found.over, [], "alerts of a run that is over, though its budget is used");
  same(found.now, [["page", "0.1 %"], ["ticket", "by 1 h"]].map(([severity, words]) => [severity, severity === "page" ? `${words} of those done` : words]), "pages first");
  same(found.parts, [["One", "do"], ["Two", "this"]], "sections of a runbook");
  await operator.getByText("runbook: sluice export runbook fix.1").click();
  await operator.locator("details pre", { hasText: "sluice rollback fix.1" }).waitFor(PATIENCE);
});

test("a question that closes a moment after another one has opened does not close that", async () => {
  await operator.go("#/run/fix.1/oncall");
  await button(operator, "Verify").click();
  await operator.locator("dialog.confirm h2", { hasText: "Verify" }).waitFor(PATIENCE);
  const stay = await operator.evaluate(async () => {
    const first = document.querySelector("dialog.confirm");
    const told = new Promise((resolve) => first.addEventListener("close", () => setTimeout(resolve, 0)));
    first.close(); // the browser tells of it in a turn of its own; by then the next one is open
    [...document.querySelectorAll(".actions button")].find((one) => one.innerText.startsWith("Roll back")).click();
    await told;
    await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    return [...document.querySelectorAll("dialog.confirm h2")].map((title) => title.innerText);
  });
  same(stay.map((title) => title.replace(/\s+/g, " ")), ["Roll back fix.1"], "questions that are open");
  await operator.keyboard.press("Escape");
  await operator.locator("dialog.confirm").waitFor({ state: "detached", ...PATIENCE });
});

test("every view of a run is accessible, in light and dark, and fits a phone; screenshots are kept", async () => {
  await operator.evaluate(AXE);
  for (const hash of ["#/", "#/ledger", "#/compare?a=load-few.1&b=fix.1", ...VIEWS.map((view) => `#/run/fix.1/${view}`)]) {
    await operator.go(hash);
    await operator.locator(".panel").first().waitFor(PATIENCE);
    await answered(operator);
    await accessible(operator, hash);
    await shot(operator, `${named(hash)}-light`);
  }
  await operator.emulateMedia({ colorScheme: "dark" }); // the same, in other colours
  for (const hash of ["#/", "#/run/fix.1/overview", "#/run/fix.1/debug", "#/run/fix.1/oncall"]) {
    await operator.go(hash);
    await answered(operator);
    await accessible(operator, `${hash}, dark`, ["color-contrast"]);
    await shot(operator, `${named(hash)}-dark`);
  }
  await operator.emulateMedia({ colorScheme: "light" });
  const phone = await open(browser, home.url, tokens.operator, { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true });
  for (const hash of ["#/", ...VIEWS.map((view) => `#/run/fix.1/${view}`)]) {
    await phone.go(hash);
    await answered(phone);
    same(await phone.evaluate(() => Math.max(document.documentElement.scrollWidth, innerWidth)), 360, `${hash}: its width on a phone of 360`);
    await shot(phone, `${named(hash)}-phone`);
    await phone.evaluate(() => document.querySelectorAll(".figure .value").forEach((one) => (one.textContent = "59 min 59 s ago")));
    same(await phone.evaluate(() => Math.max(document.documentElement.scrollWidth, innerWidth)), 360, `${hash}: its width with long figures`);
  }
  await phone.context().close();
});

test("the page of a report: a key is not cut in its middle beside long documents", async () => {
  home.load("shown", 100);
  home.spec("noted", "shown", "protect: { rejects: 5% }");
  home.must([0, 8], "run", "noted.yaml", "--yes");
  const told = JSON.parse(home.must([0, 4], "verify", "load-shown.1", "--full", "--json"));
  const page = await (await browser.newContext({ viewport: { width: 900, height: 900 } })).newPage();
  await page.goto(`file://${path.resolve(home.dir, told.page)}`);
  const keys = await page.evaluate(() => [...document.querySelectorAll("td:first-child > code")].map((code) => ({ words: code.innerText.trim().split(/\s+/).length, longest: code.innerText.length, lines: new Set([...code.getClientRects()].map(({ top }) => Math.round(top))).size })));
  const short = keys.filter(({ words, longest }) => words === 1 && longest <= 16);
  must(short.length > 10, `so few keys: ${JSON.stringify(keys).slice(0, 400)}`);
  same(short.filter(({ lines }) => lines !== 1), [], "keys of one word that are on several lines");
  await page.context().close();
});

test("it is verified from the page: the ledger has it; a retry of what was refused is sent, and what comes of it is said", async () => {
  await operator.go("#/run/fix.1/oncall");
  const verified = () => entries().filter(({ action }) => action === "report").length;
  const before = verified();
  const said = await decide(operator, "Verify", null);
  same(said.command, "sluice verify fix.1", "the command");
  await operator.locator(".outcome", { hasText: /ended with 0|started/ }).waitFor(PATIENCE);
  await until(() => verified() > before, "a verification stands in the ledger");
  await button(operator, "Retry what was refused").click();
  const box = operator.locator("dialog.confirm");
  await box.locator("input.reason").fill("mended");
  await box.locator(".command code").filter({ hasText: /^sluice quarantine retry fix\.1 --yes --reason=mended$/ }).waitFor(PATIENCE);
  must((await box.locator(".effect").innerText()).includes("1 refused record"), "the effect");
  const sent = () => operator.asked.filter((address) => address.endsWith("/runs/fix.1/retry")).length;
  await box.locator("button.main:not([disabled])").click();
  await box.waitFor({ state: "detached", ...PATIENCE });
  must(sent() >= 2, "it was not sent, but for the look ahead");
  const state = () => home.sluice("status", "fix.2").code === 0 && home.status("fix.2").state;
  await until(() => ["waiting", "paused", "done"].includes(state()), "the retry is a run of its own, as far as it goes");
  same(home.status("fix.2").records.listed, 1, "what it retries");
  home.must([0], "rollback", "fix.2", "--yes", "--reason", "seen");
});

test("it is taken back from the page: the question says how many keys, and the page shows it to its end", async () => {
  const written = (await home.status("fix.1")).records.written;
  await operator.go("#/run/fix.1/oncall");
  let told; // the effect of another choice, which the server has not told yet
  await operator.route(/\/rollback$/, async (route) => {
    if (route.request().postDataJSON().stage) await new Promise((resolve) => (told = resolve));
    return route.continue();
  });
  const said = await decide(operator, "Roll back", "the note was wrong", async (box) => {
    await box.locator("input.reason").fill("the note was wrong");
    await box.locator("button.main:not([disabled])").waitFor(PATIENCE);
    await box.locator("select").selectOption({ index: 1 });
    await until(() => told, "the effect of a stage alone is asked for");
    must(await box.locator("button.main").isDisabled(), "what was shown was the effect of another choice, and it could be done");
    told();
    await box.locator("button.main:not([disabled])").waitFor(PATIENCE);
    await box.locator("select").selectOption("");
    await box.locator(".command code").filter({ hasNotText: "--stage" }).waitFor(PATIENCE);
  });
  await operator.unroute(/\/rollback$/);
  must(said.numbers.replace(/\D+/g, " ").split(" ").join("").includes(String(written)), `${written} keys are not in: ${said.numbers}`);
  must(/^sluice rollback fix\.1/.test(said.command), `command: ${said.command}`);
  await stands(operator, "rolled-back");
  await stands(lead, "rolled-back");
  must((await operator.locator(".headline .why").innerText()).includes("restored"), "it does not say what was restored");
  same([...operator.faults(), ...lead.faults()], [], "faults");
});

test("ten thousand partitions: one request, a cell each, worked by keys; nothing on the page jumps", async () => {
  home.spec("many", "many", "partitions: { size: 1 }\nprotect: { rate: { max: 50/s } }\nstages: [ { name: all, scope: 100% } ]");
  const run = home.start("run", "many.yaml", "--yes");
  await until(() => home.sluice("status", "many.1").code === 0 && home.status("many.1").state === "running", "it runs");
  const page = await open(browser, home.url, tokens.operator);
  await page.addInitScript(() => {
    globalThis.jumps = 0;
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) if (!entry.hadRecentInput) globalThis.jumps += entry.value;
    }).observe({ type: "layout-shift", buffered: true });
  });
  await page.go("#/run/many.1/debug");
  const grid = page.getByRole("slider", { name: "partitions" });
  await grid.waitFor(PATIENCE);
  const total = (await home.status("many.1")).partitions.total;
  must(total >= 10_000, `only ${total} partitions`);
  same(await grid.getAttribute("aria-valuemax"), String(total - 1), "the last partition");
  await page.locator(".legend li", { hasText: /written|verified/ }).first().waitFor(PATIENCE);
  const before = page.asked.filter((address) => /partitions\//.test(address)).length;
  await grid.focus();
  for (const key of ["ArrowRight", "ArrowRight", "ArrowDown", "End", "Home", "ArrowRight"]) await page.keyboard.press(key);
  same(await grid.getAttribute("aria-valuenow"), "1", "where the keys have led");
  same(page.asked.filter((address) => /partitions\/\d/.test(address)).length, before, "requests for single partitions");
  await page.keyboard.press("Enter");
  await page.locator("h2", { hasText: "Partition 1" }).waitFor(PATIENCE);
  const first = await page.locator(".legend").innerText();
  await page.evaluate(() => (globalThis.jumps = 0));
  await until(async () => (await page.locator(".legend").innerText()) !== first, "the grid moves with the run");
  same(page.asked.filter((address) => /partitions\/\d/.test(address)).length >= 1, true, "the one that was chosen");
  await shot(page, "grid-many");
  const jumps = await page.evaluate(() => globalThis.jumps);
  must(jumps < 0.005, `the page jumps by ${jumps} while the run goes on`);
  await home.kill(run, "SIGTERM");
  same(page.faults(), [], "faults");
  await page.context().close();
});

test("a million partitions: drawn and worked within a few frames", async () => {
  const page = await open(browser, home.url, tokens.operator);
  let turn = 0;
  await page.route(/\/partitions\?/, (route) => {
    const done = 400_000 + 1000 * turn++;
    const spans = Array.from({ length: 20_000 }, (_, i) => [i * 20, 20, i % 997 === 0 ? 4 : 3, 0]);
    return route.fulfill({ json: { type: "partitions", run: "many.1", kind: "forward", total: 1_000_000, from: 0, to: 1_000_000, step: 1, states: ["pending", "running", "written", "verified", "failed", "rolled-back"], stages: ["all"], spans: [...spans, [400_000, done - 400_000, 2, 0], [done, 1_000_000 - done, 0, 0]] } });
  });
  await page.go("#/run/many.1/debug");
  const grid = page.getByRole("slider", { name: "partitions" });
  await grid.waitFor(PATIENCE);
  same(await grid.getAttribute("aria-valuemax"), "999999", "the last partition");
  await grid.focus();
  // Keys by the page itself, one a frame: what the debugger takes to press them is not what is measured.
  const frames = await page.evaluate(async () => {
    const canvas = document.querySelector("canvas[role=slider]"), times = [];
    for (let i = 0; i < 40; i++) {
      const began = performance.now();
      canvas.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true }));
      await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
      times.push(performance.now() - began);
    }
    return times.toSorted((a, b) => a - b);
  });
  console.log(`# a move among a million takes ${frames[20].toFixed(0)} ms, the slowest of forty ${frames[39].toFixed(0)} ms`);
  must(frames[20] < 200, `a move takes ${frames[20]} ms`);
  await page.keyboard.press("Enter");
  await page.locator(".under", { hasText: "of 1" }).waitFor(PATIENCE);
  await shot(page, "grid-million");
  await page.keyboard.press("Escape");
  await page.locator(".under", { hasText: "a cell is" }).waitFor(PATIENCE);
  await page.context().close();
});

test("a token that is taken away: the page asks for another and says nothing more", async () => {
  home.must([0], "token", "revoke", "operator");
  await operator.go("#/run/fix.1/oncall");
  await operator.locator(".headline, .signin").first().waitFor(PATIENCE);
  await until(async () => (await operator.locator(".who").innerText()).includes("nobody"), "it knows that it is nobody");
});

home.load("few", 2400);
home.load("many", 10_100);
home.put(".sluice/environments.yaml", "environments: { production: { specs: [fix], approve: data-lead, canary: 5% } }\n");
home.spec("fix", "few", "budget: { cost: 40 }\nprices: { currency: EUR, reads: 1000, writes: 5000 }\nslo: { complete: 95% within 48h }\npartitions: { size: 50 }\nprotect: { rejects: 5%, rate: { max: 40/s } }\nstages:\n  - { name: canary, scope: 1%, gate: { approve: data-lead } }\n  - { name: full, scope: 100% }");
let bad = 1;
try {
  tokens.operator = token("operator", "--role", "operator");
  tokens.lead = token("lead", "--role", "approver", "--groups", "data-lead");
  await home.serve();
  bad = await runAll();
} finally {
  await browser.close();
  await home.done();
}
process.exit(bad ? 1 : 0);
