// Shapes of states: what a state is can be told without colour, and without a font that has the sign.
import { html } from "../html.js";

const PATHS = {
  ring: "M8 3.2a4.8 4.8 0 1 1 0 9.6a4.8 4.8 0 0 1 0-9.6zm0 1.6a3.2 3.2 0 1 0 0 6.4a3.2 3.2 0 0 0 0-6.4z",
  half: "M8 3a5 5 0 1 1 0 10a5 5 0 0 1 0-10zm0 1.5v7a3.5 3.5 0 0 0 0-7z",
  clock: "M8 2.5a5.5 5.5 0 1 1 0 11a5.5 5.5 0 0 1 0-11zm0 1.6a3.9 3.9 0 1 0 0 7.8a3.9 3.9 0 0 0 0-7.8zm-.7 1.2h1.4v2.5l1.8 1.1l-.7 1.2L7.3 8.600z",
  play: "M4.500 2.800l8.300 5.200l-8.300 5.200z",
  lens: "M7 2.500a4.500 4.500 0 0 1 3.600 7.200l3 3l-1.200 1.200l-3-3A4.500 4.500 0 1 1 7 2.500zm0 1.600a2.900 2.900 0 1 0 0 5.800a2.900 2.900 0 0 0 0-5.800z",
  bars: "M3.800 3h3v10h-3zM9.200 3h3v10h-3z",
  broken: "M3 4.500l3.200 3.500L3 11.500V4.500zM13 4.500v7L9.800 8z",
  stop: "M5.500 2.500h5l3 3v5l-3 3h-5l-3-3v-5z",
  up: "M8 2.500l5 5.500h-3.200v5.500H6.200V8H3z",
  back: "M7 3v3h2.500a3.800 3.800 0 0 1 0 7.500H5v-2h4.500a1.800 1.800 0 0 0 0-3.600H7v3L2.500 7z",
  check: "M6.300 12.800L2.200 8.600l1.500-1.500l2.600 2.600l6-6l1.500 1.500z",
  slash: "M8 2.500a5.500 5.500 0 1 1 0 11a5.500 5.500 0 0 1 0-11zm-3 7.300L9.800 5A3.900 3.900 0 0 0 5 9.800zm1.200 1.200A3.900 3.900 0 0 0 11 6.200z",
  cross: "M3.700 2.500L8 6.800l4.300-4.300l1.200 1.200L9.200 8l4.300 4.300l-1.200 1.200L8 9.200l-4.300 4.300l-1.200-1.200L6.800 8L2.500 3.700z",
  warn: "M8 2l6.500 11.500h-13zM7.200 6v4h1.600V6zm0 5v1.500h1.600V11z",
};

export function Glyph({ name, tone }) {
  return html`<svg class=${`glyph ${tone ?? ""}`} viewBox="0 0 16 16" aria-hidden="true"><path fill-rule="evenodd" d=${PATHS[name] ?? PATHS.ring} /></svg>`;
}

/** A state as shape, colour and word. `look`: of words.js. */
export function State({ word, look }) {
  return html`<span class=${`state ${look.tone}`}><${Glyph} name=${look.glyph} tone=${look.tone} />${word}</span>`;
}
