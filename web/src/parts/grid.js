// All partitions as cells on a canvas: one element, however many there are. It is told states as bytes (spans.js), draws
// what is in sight, and is worked by mouse, finger or keys: arrows move, Enter looks closer, Escape steps back.
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../html.js";
import { count, plural } from "../format.js";
import { aggregate, codeOf, layout, next, tally, URGENCY, wordOf } from "../spans.js";

const HEIGHT = 320;
const NEAR = 14; // pixels of a cell that is looked at closely

/** Colours by code, from the style sheet: light and dark have their own. */
function palette(element) {
  const style = getComputedStyle(element);
  return ["unknown", ...URGENCY].map((word) => style.getPropertyValue(`--part-${word}`).trim() || "#888");
}

/** A sign over the colour, where a cell is large enough for one: no state is told by colour alone. */
function mark(pen, word, x, y, size) {
  const a = size * 0.28, b = size * 0.72;
  pen.beginPath();
  if (word === "failed") {
    pen.moveTo(x + a, y + a);
    pen.lineTo(x + b, y + b);
    pen.moveTo(x + b, y + a);
    pen.lineTo(x + a, y + b);
  } else if (word === "written") {
    pen.moveTo(x + a, y + b);
    pen.lineTo(x + b, y + a);
  } else if (word === "rolled-back") {
    pen.moveTo(x + a, y + size / 2);
    pen.lineTo(x + b, y + size / 2);
  } else if (word === "running") {
    pen.arc(x + size / 2, y + size / 2, size * 0.16, 0, 7);
  }
  pen.stroke();
}

/** Where cells are too small for signs, those that failed have a ring: they stand out by shape too. */
function ring(pen, cells, size, columns) {
  const code = codeOf("failed");
  pen.strokeStyle = getComputedStyle(pen.canvas).color;
  pen.lineWidth = 1;
  for (let i = cells.indexOf(code), drawn = 0; i >= 0 && drawn < 2000; i = cells.indexOf(code, i + 1), drawn++) pen.strokeRect((i % columns) * size - 0.5, Math.floor(i / columns) * size - 0.5, size, size);
}

/** Draws the cells; cells of one colour in one path, so that a hundred thousand take a few milliseconds. */
function draw(canvas, cells, box) {
  const scale = window.devicePixelRatio || 1;
  const { size, columns, rows } = box;
  const width = columns * size, height = Math.max(size, rows * size);
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }
  const pen = canvas.getContext("2d");
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, width, height);
  const colours = palette(canvas), gap = size > 6 ? 1 : 0.5;
  const paths = colours.map(() => new Path2D());
  for (let i = 0; i < cells.length; i++) paths[cells[i]].rect((i % columns) * size, Math.floor(i / columns) * size, size - gap, size - gap);
  paths.forEach((path, code) => {
    pen.fillStyle = colours[code];
    pen.fill(path);
  });
  if (size >= 10) {
    pen.strokeStyle = getComputedStyle(canvas).getPropertyValue("--part-mark").trim() || "#fff";
    pen.lineWidth = size > 14 ? 1.6 : 1.2;
    for (let i = 0; i < cells.length; i++) mark(pen, wordOf(cells[i]), (i % columns) * size, Math.floor(i / columns) * size, size - gap);
  } else ring(pen, cells, size, columns);
}

/** What stands at `at`, in words: for the line under the grid, and for who listens to it. */
function words(states, at, per, to) {
  if (per === 1) return `partition ${count(at)}: ${wordOf(states[at])}`;
  const end = Math.min(to, at + per), counts = tally(states, at, end);
  const told = [...counts].map((n, code) => (n ? `${count(n)} ${wordOf(code)}` : "")).filter(Boolean);
  return `partitions ${count(at)} to ${count(end - 1)}: ${told.join(", ")}`;
}

function moved(key, at, box, from, to) {
  const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: box.columns, ArrowUp: -box.columns, PageDown: 10 * box.columns, PageUp: -10 * box.columns }[key];
  if (step) return Math.min(to - 1, Math.max(from, at + step * box.per));
  if (key === "Home") return from;
  if (key === "End") return to - 1;
  return null;
}

function Legend({ counts, onNext }) {
  return html`<ul class="legend">${URGENCY.map((word, i) => html`<li key=${word}>
    <button class="small" disabled=${!counts[i + 1]} onClick=${() => onNext(i + 1)} title=${`go to the next that is ${word}`}>
      <span class=${`swatch part-${word}`}></span>${word} <b>${count(counts[i + 1])}</b></button></li>`)}</ul>`;
}

/** `states`: Uint8Array; `version` counts up when they have changed; `onChoose(partition)` when one is to be looked at. */
export function Grid({ states, version, onChoose }) {
  const counts = useMemo(() => tally(states), [states]);
  const canvas = useRef(null), frame = useRef(null);
  const [width, setWidth] = useState(0);
  const [view, setView] = useState({ from: 0, to: states.length });
  const [at, setAt] = useState(0);
  const from = Math.min(view.from, states.length), to = view.to > states.length || view.to <= from ? states.length : view.to;
  const box = layout(Math.max(60, width), HEIGHT, to - from);
  const here = Math.min(Math.max(at, from), Math.max(from, to - 1));

  useLayoutEffect(() => {
    const seen = new ResizeObserver(([entry]) => setWidth(Math.floor(entry.contentRect.width)));
    seen.observe(frame.current);
    return () => seen.disconnect();
  }, []);
  useEffect(() => {
    const paint = () => draw(canvas.current, aggregate(states, from, to, box.per), box);
    const asked = requestAnimationFrame(paint);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", paint);
    return () => {
      cancelAnimationFrame(asked);
      dark.removeEventListener("change", paint);
    };
  }, [states, version, from, to, width]);

  const chosen = Math.floor((here - from) / box.per);
  const whole = from === 0 && to === states.length;
  const closer = (place) => {
    if (box.per === 1) onChoose(place);
    else {
      const room = Math.max(1, Math.floor(width / NEAR) * Math.floor(HEIGHT / NEAR));
      const begin = Math.max(0, Math.min(place - Math.floor(room / 2), states.length - room));
      setView({ from: begin, to: Math.min(states.length, begin + room) });
      setAt(place);
    }
  };
  const place = (event) => {
    const edge = canvas.current.getBoundingClientRect();
    const cell = Math.floor((event.clientY - edge.top) / box.size) * box.columns + Math.floor((event.clientX - edge.left) / box.size);
    return cell >= 0 && cell < box.cells ? Math.min(to - 1, from + cell * box.per) : null;
  };
  const press = (event) => {
    const goal = moved(event.key, here, box, from, to);
    if (goal !== null) setAt(goal);
    else if (event.key === "Enter" || event.key === " ") closer(here);
    else if (event.key === "Escape" && !whole) setView({ from: 0, to: states.length });
    else return;
    event.preventDefault();
  };
  const seek = (code) => {
    const found = next(states, here, code);
    if (found < 0) return;
    if (found < from || found >= to) setView({ from: 0, to: states.length });
    setAt(found);
    onChoose(found);
  };
  return html`<div class="grid">
    <${Legend} counts=${counts} onNext=${seek} />
    <div class="canvas" ref=${frame} style=${{ minHeight: `${HEIGHT}px` }}>
      <canvas ref=${canvas} tabindex="0" role="slider" aria-label="partitions, by state" aria-valuemin="0" aria-valuemax=${Math.max(0, states.length - 1)}
        aria-valuenow=${here} aria-valuetext=${states.length ? words(states, here, box.per, to) : "none"} style=${{ width: `${box.columns * box.size}px`, height: `${Math.max(box.size, box.rows * box.size)}px` }}
        onKeyDown=${press} onMouseMove=${(e) => place(e) !== null && setAt(place(e))} onClick=${(e) => place(e) !== null && closer(place(e))}></canvas>
      <span class="chosen" style=${{ left: `${(chosen % box.columns) * box.size}px`, top: `${Math.floor(chosen / box.columns) * box.size}px`, width: `${box.size}px`, height: `${box.size}px` }}></span>
    </div>
    <p class="under"><span>${states.length ? words(states, here, box.per, to) : "no partitions"}</span>
      <span class="muted">${box.per > 1 ? `a cell is ${plural(box.per, "partition")}, in the state that needs a look most; Enter looks closer` : whole ? "" : `${count(from)} to ${count(to - 1)} of ${count(states.length)}`}</span>
      <button class="small" disabled=${whole} onClick=${() => setView({ from: 0, to: states.length })}>all of them</button></p>
  </div>`;
}
