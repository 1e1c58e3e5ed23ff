// What is asked for once, and again when something says that it has changed; meanwhile the old answer stays, so that
// nothing jumps.
import { ask } from "../api.js";
import { html, useEffect, useRef, useState } from "../html.js";

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

const APART_MS = 700; // so long between two looks at what changes with every batch

/** Counts up when the value has changed, but not more often than it can be asked for. */
export function usePace(value) {
  const [pace, put] = useState(0);
  const last = useRef(0), timer = useRef(0);
  useEffect(() => {
    if (timer.current) return;
    timer.current = setTimeout(() => {
      timer.current = 0;
      last.current = Date.now();
      put((n) => n + 1);
    }, Math.max(0, last.current + APART_MS - Date.now()));
  }, [value]);
  useEffect(() => () => clearTimeout(timer.current), []);
  return pace;
}
