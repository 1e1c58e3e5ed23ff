// The server's answers (docs/api.md): one function that asks, one that acts, and the addresses.

const ROOT = "/api/v1";

/** What the server says no with: its words are shown as they are. */
export class Refused extends Error {
  constructor(status, document) {
    super(document?.message ?? `the server answered with ${status}`);
    this.status = status;
    this.code = document?.error ?? null;
  }
}

const run = (name) => `${ROOT}/runs/${encodeURIComponent(name)}`;

/** The addresses of all that is read. */
export const at = {
  session: () => `${ROOT}/session`,
  runs: (before) => `${ROOT}/runs?limit=100${before ? `&before=${before}` : ""}`,
  spec: (spec, limit) => `${ROOT}/runs?limit=${limit}&spec=${encodeURIComponent(spec)}`,
  status: run,
  plan: (name) => `${run(name)}/plan`,
  limits: (name) => `${run(name)}/limits`,
  history: (name, points) => `${run(name)}/history?points=${points}`,
  runbook: (name) => `${run(name)}/runbook`,
  hooks: (name) => `${run(name)}/hooks`,
  reports: (name) => `${run(name)}/reports`,
  report: (name, number) => `${run(name)}/reports/${number}`,
  failures: (name) => `${run(name)}/failures`,
  troubles: (name) => `${run(name)}/troubles`,
  refused: (name, number) => `${run(name)}/quarantine/${number}`,
  diff: (name, other) => `${run(name)}/diff/${encodeURIComponent(other)}`,
  partitions: (name, kind) => `${run(name)}/partitions?kind=${kind}&spans=50000`,
  partition: (name, number) => `${run(name)}/partitions/${number}`,
  ledger: (name, before) => `${ROOT}/ledger?limit=100${name ? `&run=${encodeURIComponent(name)}` : ""}${before ? `&before=${before}` : ""}`,
  entriesAfter: (name, after) => `${ROOT}/ledger?limit=500&after=${after}${name ? `&run=${encodeURIComponent(name)}` : ""}`,
  verification: (head) => `${ROOT}/ledger/verification${head ? `?head=${encodeURIComponent(head)}` : ""}`,
  events: () => `${ROOT}/events`,
};

async function answer(reply) {
  const text = await reply.text();
  let document = null;
  try {
    document = JSON.parse(text);
  } catch {
    // Not the server's own words: whatever stands between has answered.
  }
  if (!reply.ok || document === null) throw new Refused(reply.status, document);
  return document;
}

/** A browser's own words for a server that does not answer say nothing to who reads them. */
async function reach(path, options) {
  try {
    return await fetch(path, { cache: "no-store", ...options });
  } catch (failed) {
    throw failed.name === "AbortError" ? failed : new Error("the server could not be reached");
  }
}

export async function ask(path, signal) {
  return answer(await reach(path, { signal, headers: { accept: "application/json" } }));
}

/** A text that is not JSON: a report, a line a difference. */
export async function askText(path, signal) {
  const reply = await reach(path, { signal });
  return reply.ok ? reply.text() : answer(reply);
}

const change = (method, path, body, headers) =>
  reach(path, {
    method,
    headers: { "content-type": "application/json", "sluice-request": "1", ...headers },
    body: JSON.stringify(body),
  }).then(answer);

export function signIn(token) {
  return change("POST", at.session(), { token });
}

export function signOut() {
  return change("DELETE", at.session(), {});
}

/** A name for one decision of one person: repeated with it, an action is done once, whatever becomes of the answer. */
export function decision() {
  return crypto.randomUUID ? crypto.randomUUID() : [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");
}

/** The effect in numbers, and the command that it equals; nothing is done. `name` null: of the whole home. */
export function effect(name, action, body) {
  return change("POST", name ? `${run(name)}/${action}` : `${ROOT}/${action}`, { ...body, dry_run: true });
}

/** Does it. Where no answer comes it is asked again under the same key, for the question stands whether it was heard. */
export async function act(name, action, body, once) {
  const path = name ? `${run(name)}/${action}` : `${ROOT}/${action}`;
  for (let tries = 0; ; tries++) {
    try {
      return await change("POST", path, body, { "idempotency-key": once });
    } catch (failed) {
      if (failed instanceof Refused || tries === 3) throw failed;
      await new Promise((resolve) => setTimeout(resolve, 500 * 2 ** tries));
    }
  }
}
