// What the tests of the page stand on: a home with runs in it, a server, a browser, TAP. Nothing here waits for time to
// pass: it waits for what the page, or the program, says.
import { spawn, spawnSync } from "node:child_process";
import fs from "node:fs";
import { createRequire } from "node:module";
import net from "node:net";
import os from "node:os";
import path from "node:path";

const { PAGE_SLUICE, PAGE_SHOTS, PAGE_CHROMIUM, PAGE_MODULES, PAGE_ONLY } = process.env;
const require = createRequire(path.join(PAGE_MODULES, "x.js"));
export const { chromium } = require("playwright-core");
export const AXE = fs.readFileSync(path.join(PAGE_MODULES, "axe-core/axe.min.js"), "utf8");
export const PATIENCE = { timeout: 30_000 };

const tests = [];

export function test(words, body) {
  tests.push([words, body]);
}

export function must(holds, why) {
  if (!holds) throw new Error(why);
}

export function same(found, wanted, what) {
  const [a, b] = [JSON.stringify(found), JSON.stringify(wanted)];
  must(a === b, `${what}: ${a}, not ${b}`);
}

/** Asks again until it holds: for what another process does. */
export async function until(holds, what) {
  const end = Date.now() + PATIENCE.timeout;
  for (;;) {
    const answer = await holds();
    if (answer) return answer;
    if (Date.now() > end) throw new Error(`in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function freePort() {
  return new Promise((resolve) => {
    const listener = net.createServer().listen(0, "127.0.0.1", () => {
      const { port } = listener.address();
      listener.close(() => resolve(port));
    });
  });
}

export const HOSTILE = '<img src=x onerror="globalThis.hurt=1">\u202e';

/** A folder with made-up customers in an embedded store, and the specs of the tests. */
export class Home {
  constructor() {
    this.dir = fs.mkdtempSync(path.join(os.tmpdir(), "sluice-page."));
    this.children = [];
  }

  put(name, text) {
    fs.writeFileSync(path.join(this.dir, name), text);
  }

  sluice(...args) {
    const done = spawnSync(PAGE_SLUICE, args, { cwd: this.dir, encoding: "utf8", timeout: 60_000 });
    return { code: done.status, out: done.stdout, err: done.stderr };
  }

  /** It has to end with one of these codes. */
  must(codes, ...args) {
    const done = this.sluice(...args);
    must(codes.includes(done.code), `sluice ${args.join(" ")} ended with ${done.code}\n${done.err}${done.out}`);
    return done.out;
  }

  status(run) {
    return JSON.parse(this.must([0], "status", run, "--json"));
  }

  /** Into a dataset of the embedded store. */
  load(dataset, records) {
    const file = path.join(this.dir, `${dataset}.ndjson`);
    this.must([0], "gen", "customers", "--records", String(records), "--seed", "7", "--out", file);
    // A key that would like to be markup, and to be read backwards.
    fs.appendFileSync(file, `${JSON.stringify({ username: HOSTILE, updated_at: "2026-01-01T00:00:00Z" })}\n`);
    this.put(`load-${dataset}.yaml`, `sluice: 1\nname: load-${dataset}\nsource: { store: "file:.", dataset: ${dataset}.ndjson, key: username, version: updated_at }\ntarget: { store: "rocksdb:${dataset}", dataset: ${dataset} }\n`);
    this.must([0, 8], "run", `load-${dataset}.yaml`, "--yes");
  }

  /** A repair of the dataset in place; `more`: further lines of the spec. */
  spec(name, dataset, more) {
    const store = `{ store: "rocksdb:${dataset}", dataset: ${dataset} }`;
    this.put("note.contract.yaml", 'contract: 1\nname: customer\nfields:\n  username: { type: string, required: true, pattern: "^[^<]+$" }\n');
    this.put("note.lua", 'function transform(doc, ctx)\n  doc.note = "seen"\n  return doc\nend\n');
    this.put(`${name}.yaml`, `sluice: 1\nname: ${name}\nreason: "INC-7 <b>tiers</b>"\nsource: ${store}\ntransform: { lua: note.lua, idempotent: true }\ncontract: note.contract.yaml\ntarget: ${store}\n${more}\n`);
  }

  start(...args) {
    const child = spawn(PAGE_SLUICE, args, { cwd: this.dir, stdio: ["ignore", "pipe", "pipe"] });
    child.said = "";
    child.stdout.on("data", (data) => (child.said += data));
    child.stderr.on("data", (data) => (child.said += data));
    child.over = new Promise((resolve) => child.on("exit", (code) => resolve(code)));
    this.children.push(child);
    return child;
  }

  /** The server, on a port that stays the same when it is started again. */
  async serve(...more) {
    this.port ??= await freePort();
    this.server = this.start("serve", "--listen", `127.0.0.1:${this.port}`, ...more);
    this.url = `http://127.0.0.1:${this.port}`;
    let ended = false;
    this.server.over.then(() => (ended = true));
    await until(async () => {
      must(!ended, `the server has ended: ${this.server.said}`);
      return fetch(`${this.url}/healthz`).then((reply) => reply.ok, () => false);
    }, "the server answers");
    return this.server;
  }

  async kill(child, signal = "SIGKILL") {
    child.kill(signal);
    await child.over;
  }

  async done() {
    for (const child of this.children) if (child.exitCode === null && child.signalCode === null) await this.kill(child);
    // What the page has started outlives the server: it is asked to stop by its run.
    for (const line of this.sluice("list", "--json").out.split("\n").filter(Boolean)) {
      for (const run of JSON.parse(line).runs ?? []) if (run.held) this.sluice("pause", run.run, "--reason", "the test is over");
    }
    fs.rmSync(this.dir, { recursive: true, force: true, maxRetries: 5 });
  }
}

export function browser() {
  const flags = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"];
  if (process.getuid?.() === 0) flags.push("--no-sandbox");
  return chromium.launch({ executablePath: PAGE_CHROMIUM, headless: true, args: flags });
}

/** A window on the page. What it says to its console, and whom it asks, is kept: `faults()` has what should not be. */
export async function open(browser, url, token, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  if (token) {
    const reply = await context.request.post(`${url}/api/v1/session`, { headers: { "sluice-request": "1" }, data: { token } });
    must(reply.ok(), `signing in: ${await reply.text()}`);
  }
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE.timeout);
  const said = [], asked = [];
  page.on("console", (line) => line.type() === "error" && said.push(line.text()));
  page.on("pageerror", (error) => said.push(String(error)));
  page.on("request", (request) => asked.push(request.url()));
  page.asked = asked;
  page.faults = () => [
    ...said.filter((line) => !/Failed to load resource|ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED|ERR_EMPTY|ERR_CONNECTION_RESET/.test(line)),
    ...asked.filter((address) => !address.startsWith(`${url}/`) && !address.startsWith("blob:")),
  ];
  page.go = (hash) => page.goto(`${url}/${hash}`);
  return page;
}

export async function shot(page, name) {
  fs.mkdirSync(PAGE_SHOTS, { recursive: true });
  await page.screenshot({ path: path.join(PAGE_SHOTS, `${name}.png`), fullPage: true, animations: "disabled" });
}

const LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/** What axe-core has to say of what is on the screen, by all its rules or some. It was put into the page by the debugger,
 * which no policy of the page keeps out. */
export async function accessible(page, where, rules) {
  const runOnly = rules ? { type: "rule", values: rules } : { type: "tag", values: LEVELS };
  const found = await page.evaluate(async (runOnly) => {
    const result = await globalThis.axe.run(document, { runOnly, resultTypes: ["violations"] });
    return result.violations.map((v) => `${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160)).join(" | ")}`);
  }, runOnly);
  same(found, [], `accessibility of ${where}`);
}

export async function runAll() {
  const chosen = tests.filter(([words]) => !PAGE_ONLY || words.includes(PAGE_ONLY));
  console.log(`1..${chosen.length}`);
  let bad = 0;
  for (const [i, [words, body]] of chosen.entries()) {
    const began = Date.now();
    try {
      await body();
      console.log(`# ${((Date.now() - began) / 1000).toFixed(1)} s`);
      console.log(`ok ${i + 1} - ${words}`);
    } catch (error) {
      bad++;
      console.log(String(error.stack ?? error).split("\n").slice(0, 30).map((line) => `# ${line}`).join("\n"));
      console.log(`not ok ${i + 1} - ${words}`);
    }
  }
  return bad;
}
