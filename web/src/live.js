// The stream of events, read with fetch() and not with EventSource: it takes a token in a header, says why it failed,
// and notices a server that has gone silent. It never gives up, and says where it stands.

const SILENT_MS = 40_000; // the server's heartbeat comes every 15 s
const FIRST_MS = 300;
const LONGEST_MS = 8_000;

/** Splits what arrives into events: { id, event, data }, and what has no data but says how far one has got. Pieces may
 * end anywhere. */
export function parser(onEvent) {
  let rest = "", told, id, event = "message", data = [];
  const line = (text) => {
    if (text === "") {
      if (data.length || id !== told) onEvent({ id: (told = id), event, data: data.join("\n") });
      event = "message";
      data = [];
      return;
    }
    const colon = text.indexOf(":");
    if (colon === 0) return; // a heartbeat
    const name = colon < 0 ? text : text.slice(0, colon);
    const value = colon < 0 ? "" : text.slice(colon + 1).replace(/^ /, "");
    if (name === "data") data.push(value);
    else if (name === "event") event = value;
    else if (name === "id") id = value;
  };
  return (piece) => {
    const lines = (rest + piece).split("\n");
    rest = lines.pop();
    for (const one of lines) line(one.replace(/\r$/, ""));
  };
}

/** Opens the stream at `path` and keeps it open. `on`: { event, state }: state is called with connecting, live, lost or
 * refused (the server wants another token). Returns { close, again }. */
export function open(path, headers, on) {
  let lastId, aborter, timer, tries = 0, closed = false;

  const later = () => {
    if (closed) return;
    const wait = Math.min(LONGEST_MS, FIRST_MS * 2 ** tries++) * (0.75 + Math.random() / 2);
    timer = setTimeout(connect, wait);
  };

  async function connect() {
    clearTimeout(timer);
    aborter?.abort(); // one that is on its way would come to be a second stream
    aborter = new AbortController();
    const mine = aborter;
    let silent;
    const heard = () => {
      clearTimeout(silent);
      silent = setTimeout(() => mine.abort(), SILENT_MS);
    };
    try {
      heard();
      const wanted = { ...headers(), accept: "text/event-stream" };
      if (lastId !== undefined) wanted["last-event-id"] = lastId;
      const reply = await fetch(path, { headers: wanted, signal: mine.signal, cache: "no-store" });
      if (reply.status === 401 || reply.status === 403) {
        on.state("refused");
        closed = true;
        return;
      }
      if (!reply.ok) throw new Error(`status ${reply.status}`);
      on.state("live");
      tries = 0;
      const take = parser((event) => {
        if (event.id !== undefined) lastId = event.id;
        if (event.data) on.event(event);
      });
      const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        heard();
        take(value);
      }
    } catch {
      // Whatever it was, the answer is to connect again; what was missed is asked for by its number.
    } finally {
      clearTimeout(silent);
    }
    if (closed || mine !== aborter) return;
    on.state("lost");
    later();
  }

  connect();
  return {
    close() {
      closed = true;
      clearTimeout(timer);
      aborter?.abort();
    },
    /** At once, where it waits: the reader has come back to the page, or the network has. */
    again() {
      if (!closed && tries > 0) {
        tries = 0;
        connect();
      }
    },
  };
}
