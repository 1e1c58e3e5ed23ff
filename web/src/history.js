// How a run went on, from what the server keeps of it (docs/api.md, history): rates, what was foretold, and the band in
// which earlier runs of the same spec were when they were as far. Pure.

/** { at, done, rate, eta, latency, errors, age } of each stretch, those without a checkpoint too: nothing was done then. errors: a share of
 * what was done in it; age: since the newest checkpoint, in seconds. */
export function course(history, of) {
  const begin = Date.parse(history.from) / 1000, step = history.step_s;
  const found = new Map(history.points.map(([second, done, rejected, , , , slowest]) => [Math.round(second / step), { done, rejected, slowest }]));
  const last = Math.max(-1, ...found.keys());
  const points = [];
  for (let i = 0, sum = 0, age = 0; i <= last; i++) {
    const { done: now = 0, rejected, slowest } = found.get(i) ?? {};
    sum += now;
    age = found.has(i) ? 0 : age + step;
    const passed = (i + 1) * step;
    points.push({ at: begin + passed, done: sum, rate: now / step, age, errors: now > 0 ? rejected / now : null, latency: slowest === undefined ? null : slowest / 1000, eta: of > 0 && sum * 100 >= of ? ((of - Math.min(sum, of)) / sum) * passed : null });
  }
  return points;
}

/** The least and the most that earlier runs had of something at the same share of their work: [low, high] for each point. */
export function band(points, of, earlier, what = "rate") {
  const places = earlier.filter(({ course: other, of: all }) => all > 0 && other.length > 1);
  if (of <= 0 || places.length === 0) return [points.map(() => null), points.map(() => null)];
  const rates = points.map(({ done }) => (done === 0 ? [] : places.map(({ course: other, of: all }) => other.find((p) => p.done / all >= done / of)?.[what]).filter((value) => value !== undefined && value !== null)));
  return [rates.map((all) => (all.length ? Math.min(...all) : null)), rates.map((all) => (all.length ? Math.max(...all) : null))];
}
