// What the page knows, and who is told when it changes. Filled by the stream of events; what a stream cannot bring
// (earlier entries, a run that is over) is asked for.
import { ask, at, Refused } from "./api.js";
import { progress } from "./headline.js";
import { open } from "./live.js";
import { Trail } from "./trail.js";

const KEPT_ENTRIES = 2000;

export class Session {
  constructor() {
    this.runs = new Map(); // name → status
    this.trails = new Map(); // name → Trail: what was seen while the page was open
    this.entries = []; // of the ledger, oldest first, without gaps
    this.entryNumber = 0; // the newest
    this.stop = null;
    this.who = null; // GET /session
    this.link = { state: "connecting", since: Date.now() };
    this.before = null; // where the list of runs goes on
    this.listed = false;
    this.watchers = new Set();
    this.stream = null;
    this.wanted = 0; // the newest entry that the stream has told of
  }

  watch(told) {
    this.watchers.add(told);
    return () => this.watchers.delete(told);
  }

  tell() {
    for (const told of this.watchers) told();
  }

  async begin() {
    try {
      this.who = await ask(at.session());
    } catch {
      this.setLink("lost");
      setTimeout(() => this.begin(), 2000);
      return;
    }
    this.tell();
    if (!this.may("read")) return;
    this.connect();
  }

  may(right) {
    return this.who?.may?.includes(right) ?? false;
  }

  connect() {
    this.stream?.close();
    this.stream = open(at.events(), () => ({}), {
      event: (event) => this.heard(event),
      state: (state) => this.setLink(state),
    });
  }

  /** Nobody looks: the connection is left to others. What happens meanwhile is asked for when somebody does. */
  rest() {
    this.stream?.close();
    this.stream = null;
  }

  wake() {
    if (this.stream) this.stream.again();
    else if (this.may("read")) this.connect();
  }

  setLink(state) {
    if (state === "refused") {
      this.who = null;
      this.begin();
    }
    if (state === "live") this.catchUp();
    if (state !== this.link.state) this.link = { state, since: Date.now() };
    this.tell();
  }

  /** After each connection: the list (a run that ended meanwhile sends no status any more), and entries that lack. */
  async catchUp() {
    try {
      const list = await ask(at.runs());
      for (const run of list.runs) this.putRun(run, "listed");
      this.before ??= list.next;
      this.listed = true;
      await this.fillEntries();
    } catch (failed) {
      if (failed instanceof Refused && failed.status === 401) this.begin();
    }
    this.tell();
  }

  async moreRuns() {
    const list = await ask(at.runs(this.before));
    for (const run of list.runs) this.putRun(run, "listed");
    this.before = list.next;
    this.tell();
  }

  heard({ event, data }) {
    let document;
    try {
      document = JSON.parse(data);
    } catch {
      return;
    }
    if (event === "status") this.putRun(document, "told");
    else if (event === "ledger") this.putEntry(document);
    else if (event === "stop") this.stop = document;
    this.tell();
  }

  /** `how`: the stream has "told" it, and tells in order; it was "asked" for or "listed", and news may have overtaken it. A list
   * has no stages: what is known of them stays. */
  putRun(status, how) {
    const known = this.runs.get(status.run);
    if (how !== "told" && known && Date.parse(known.updated_at) > Date.parse(status.updated_at)) return;
    this.runs.set(status.run, how === "listed" ? { ...known, ...status, stages: status.stages?.length ? status.stages : known?.stages ?? [] } : status);
    let trail = this.trails.get(status.run);
    if (!trail) this.trails.set(status.run, (trail = new Trail()));
    if (how !== "listed") trail.put(Date.now() / 1000, progress(status), status);
  }

  putEntry(entry) {
    this.wanted = Math.max(this.wanted, entry.number);
    if (entry.number <= this.entryNumber) return;
    if (entry.number > this.entryNumber + 1) {
      this.fillEntries().catch(() => {}); // the next entry, or the next connection, asks again
      return;
    }
    this.entries.push(entry);
    this.entryNumber = entry.number;
    if (this.entries.length > KEPT_ENTRIES) this.entries.splice(0, this.entries.length - KEPT_ENTRIES);
  }

  /** Numbers of the ledger are dense: whatever is missing is known to be missing, and asked for. */
  async fillEntries() {
    if (this.filling) return;
    this.filling = true;
    try {
      if (!this.entryNumber) {
        const newest = await ask(at.ledger());
        this.entries = newest.entries.toReversed();
        this.entryNumber = newest.head ?? this.entries.at(-1)?.number ?? 0;
        if (this.entryNumber >= this.wanted) return;
      }
      for (;;) {
        const page = await ask(at.entriesAfter(null, this.entryNumber));
        for (const entry of page.entries) this.putEntry(entry);
        if (!page.entries.length || (!page.next && this.entryNumber >= this.wanted)) break;
      }
    } finally {
      this.filling = false;
      this.tell();
    }
  }

  /** A run by its name; asked for where the stream does not bring it. */
  async need(name) {
    const status = await ask(at.status(name));
    this.putRun(status, "asked");
    this.tell();
    return status;
  }
}
