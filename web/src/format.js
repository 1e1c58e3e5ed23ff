// How figures, times and bytes that nobody trusts are shown. Pure.

const COUNT = new Intl.NumberFormat("en", { useGrouping: true, maximumFractionDigits: 0 });

/** 19966 → "19 966", as the command line writes it: a thin space that does not break. */
export function count(value) {
  return Number.isFinite(value) ? COUNT.format(value).replaceAll(",", "\u202f") : "–";
}

/** One of many: plural(1, "partition") → "1 partition". */
export function plural(value, word) {
  return `${count(value)} ${word}${value === 1 ? "" : "s"}`;
}

/** Rounded so that three figures count: a rate trembles, and its last figures say nothing. */
export function rate(value) {
  if (!Number.isFinite(value)) return "–";
  if (value >= 1000) return count(Number(value.toPrecision(3)));
  if (value === 0) return "0";
  return value >= 10 ? value.toFixed(0) : value.toFixed(1);
}

const STEPS = [[1024 ** 4, "TiB"], [1024 ** 3, "GiB"], [1024 ** 2, "MiB"], [1024, "KiB"]];

export function bytes(value) {
  if (!Number.isFinite(value)) return "–";
  const [unit, name] = STEPS.find(([step]) => value >= step) ?? [1, "B"];
  return unit === 1 ? `${value} B` : `${(value / unit).toFixed(1)} ${name}`;
}

/** A share of a whole. What is nearly all is not all, and what is nearly nothing is something. */
export function share(part, whole) {
  if (!(whole > 0) || !Number.isFinite(part)) return "–";
  const percent = (100 * part) / whole;
  if (percent === 0 || percent >= 100) return `${percent.toFixed(0)} %`;
  if (percent < 0.01) return "< 0.01 %";
  if (percent > 99.99) return "> 99.99 %";
  const figures = percent > 99 || percent < 0.1 ? 2 : percent > 90 || percent < 10 ? 1 : 0;
  return `${(Math.floor(percent * 10 ** figures) / 10 ** figures).toFixed(figures)} %`;
}

/** Seconds, in two units at most: "3 h 12 min". */
export function duration(seconds) {
  if (seconds === null || !Number.isFinite(seconds) || seconds < 0) return "–";
  const s = Math.round(seconds);
  if (s < 60) return `${s} s`;
  if (s < 3600) return s % 60 && s < 600 ? `${Math.floor(s / 60)} min ${s % 60} s` : `${Math.floor(s / 60)} min`;
  const h = Math.floor(s / 3600), m = Math.floor((s % 3600) / 60);
  if (h < 48) return m ? `${h} h ${m} min` : `${h} h`;
  return `${Math.floor(h / 24)} d ${h % 24} h`;
}

export function milliseconds(value) {
  if (!Number.isFinite(value)) return "–";
  return value < 10 ? `${value.toFixed(2)} ms` : `${value.toFixed(0)} ms`;
}

/** How long ago; never negative, for clocks differ. */
export function ago(iso, now = Date.now()) {
  const then = Date.parse(iso ?? "");
  return Number.isNaN(then) ? "–" : `${duration(Math.max(0, (now - then) / 1000))} ago`;
}

const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY = new Intl.DateTimeFormat("en-CA", { year: "numeric", month: "2-digit", day: "2-digit" });

/** The time of day where the reader is, with its day where that is not today. */
export function clock(iso, now = Date.now()) {
  const then = new Date(iso ?? NaN);
  if (Number.isNaN(then.getTime())) return "–";
  const day = DAY.format(then);
  return day === DAY.format(new Date(now)) ? CLOCK.format(then) : `${day} ${CLOCK.format(then)}`;
}

// What would move, hide or reorder the text around it: controls, bidirectional overrides, halves of characters, blanks of
// any width but the usual one and the one within our own numbers, and what has no shape at all.
const UNSEEN = /^[\p{C}\p{Default_Ignorable_Code_Point}\p{Zl}\p{Zp}]$|^(?![ \u202f])\p{Zs}$/u;

/** Text of the data as something that can be read, and cannot do anything: what cannot be seen is spelled out. */
export function visible(text, most = 200) {
  const whole = [...String(text).slice(0, 2 * most)]; // by character, not by halves of one
  const shown = whole.slice(0, most).map((c) => (UNSEEN.test(c) ? `\\u{${c.codePointAt(0).toString(16)}}` : c));
  return shown.join("") + (whole.length > most ? "…" : "");
}

/** A key as the API gives it: a text, or { base64 } where its bytes are none. */
export function key(value) {
  if (value === null || value === undefined) return "–";
  if (typeof value !== "object") return visible(value);
  const raw = atob(value.base64 ?? "");
  return [...raw.slice(0, 100)].map((c) => (c >= " " && c <= "~" && c !== "\\" ? c : `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`)).join("") + (raw.length > 100 ? "…" : "");
}

/** The first twelve figures of a digest: enough to compare by eye, and to name it. */
export function digest(hex) {
  return hex ? hex.slice(0, 12) : "–";
}

/** A word of a command line, quoted for a shell where it has to be. */
export function quoted(word) {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${String(word).replaceAll("'", "'\\''")}'`;
}
