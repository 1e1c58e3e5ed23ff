// What a run did while the page was open: points of time for charts, and the rate of the last seconds (a status has the
// mean since the run began). Bounded: when it is full, every other point of its older half goes.

const MOST = 1200;
const APART_S = 0.9;
const WINDOW_S = 10;

export class Trail {
  constructor() {
    this.points = []; // { at, done, of, rate, p99, baseline, limit, failed }
    this.fresh = []; // [at, done] of the last seconds
  }

  put(at, { done, of }, status) {
    if (this.fresh.length && done < this.fresh.at(-1)[1]) this.fresh = []; // something else is under way
    this.fresh.push([at, done]);
    while (this.fresh.length > 2 && this.fresh[1][0] < at - WINDOW_S) this.fresh.shift();
    const last = this.points.at(-1);
    if (last && at - last.at < APART_S) return;
    const server = status.live?.[0] ?? {};
    this.points.push({
      at,
      done,
      of,
      rate: this.rate(at),
      eta: status.eta_s ?? null,
      p99: server.p99_ms ?? null,
      baseline: server.baseline_ms ?? null,
      limit: server.limit_ms ?? null,
    });
    if (this.points.length > MOST) this.points = this.points.filter((_, i) => i % 2 === 0 || i > MOST / 2);
  }

  /** Records a second over the last seconds; null: not known yet. */
  rate(now) {
    const [first] = this.fresh, last = this.fresh.at(-1);
    if (!first || last[0] - first[0] < 1) return null;
    return (last[1] - first[1]) / Math.max(now - first[0], last[0] - first[0]);
  }
}
