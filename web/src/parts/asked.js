// What is asked for once, and again when something says that it has changed; meanwhile the old answer stays, so that
// nothing jumps.
import { ask } from "../api.js";
import { html, useEffect, useState } from "../html.js";

/** { data, error, again }. `path` null: nothing is asked. `version`: another value asks again. */
export function useAnswer(path, version = 0, get = ask) {
  const [answer, put] = useState({ path: null, data: null, error: null });
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    if (!path) return undefined;
    const aborter = new AbortController();
    get(path, aborter.signal).then(
      (data) => put({ path, data, error: null }),
      (error) => aborter.signal.aborted || put((old) => ({ path, data: old.path === path ? old.data : null, error })),
    );
    return () => aborter.abort();
  }, [path, version, turn]);
  const mine = answer.path === path;
  return { data: mine ? answer.data : null, error: mine ? answer.error : null, again: () => setTurn((n) => n + 1) };
}

/** What stands where an answer is not there: still asked for, or refused, in the server's words. */
export function Missing({ answer, what }) {
  if (answer.error) return html`<p class="missing bad" role="alert">${what}: ${answer.error.message} <button class="small" onClick=${answer.again}>ask again</button></p>`;
  return answer.data !== null ? null : html`<p class="missing">${what} …</p>`;
}
