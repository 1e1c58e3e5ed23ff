// A line over time (uPlot): drawn when its data has changed, made anew when the colours change.
import uPlot from "uplot";
import { clock } from "../format.js";
import { html, useEffect, useRef } from "../html.js";

function colours(element) {
  const style = getComputedStyle(element);
  const named = (name) => style.getPropertyValue(name).trim();
  return { text: named("--muted"), line: named("--line"), band: named("--chart-band"), series: ["--chart-1", "--chart-2", "--chart-3"].map(named) };
}

/** Steps of an axis of seconds that a person counts in. */
export const TIMES = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 28800, 86400, 172800, 432800, 864000];

const DASHES = [[], [6, 4], [2, 3]]; // told apart without colour

const clockOf = (second) => clock(new Date(second * 1000).toISOString()).replace(/^\d{4}-/, "");

function options(element, { series, show, height, steps, banded }) {
  const paint = colours(element);
  const axis = { stroke: paint.text, grid: { stroke: paint.line, width: 1 }, ticks: { stroke: paint.line, width: 1 }, font: "11px system-ui, sans-serif" };
  return {
    width: Math.max(120, element.clientWidth),
    height,
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, points: { show: false } },
    scales: { y: { range: (_, low, high) => [0, Math.max(high ?? 0, 1e-9) * 1.15] } },
    axes: [{ ...axis, size: 28, space: 70, values: (_, ticks) => ticks.map(clockOf) }, { ...axis, size: 76, space: 26, ...(steps && { incrs: steps }), values: (_, ticks) => ticks.map(show) }],
    series: [{}, ...series.map((label, i) => ({ label, stroke: paint.series[i], width: i === 0 ? 2 : 1.5, dash: DASHES[i], spanGaps: false, points: { show: false } }))],
    bands: banded ? [{ series: [3, 2], fill: paint.band }] : [],
  };
}

/** data: [times in seconds, values …]; null is a gap. `words`: what it shows, for who cannot see it. `banded`: the last two are the least and
 * the most of something, and what lies between is shaded. */
export function Chart({ data, series, show, words, steps, banded = false, height = 150 }) {
  const box = useRef(null), plot = useRef(null);
  useEffect(() => {
    const make = () => {
      plot.current?.destroy();
      plot.current = new uPlot(options(box.current, { series, show, height, steps, banded }), data, box.current);
    };
    make();
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const seen = new ResizeObserver(() => box.current && plot.current?.setSize({ width: Math.max(120, box.current.clientWidth), height }));
    seen.observe(box.current);
    dark.addEventListener("change", make);
    return () => {
      seen.disconnect();
      dark.removeEventListener("change", make);
      plot.current?.destroy();
      plot.current = null;
    };
  }, [series.join(), height]);
  useEffect(() => plot.current?.setData(data), [data]);
  return html`<figure class="chart"><figcaption>${series.map((label, i) => html`<span class=${`key key-${i + 1}`} key=${label}>${label}</span>`)}</figcaption>
    <div ref=${box} role="img" aria-label=${words} style=${{ height: `${height}px` }}></div></figure>`;
}
