// Where the reader is, kept in the address behind its #, so that a link leads to the same place and nothing is asked of
// the server for it. Pure but for `here` and `follow`.

export const VIEWS = [
  ["overview", "Overview"],
  ["oncall", "On call"],
  ["debug", "Debug"],
  ["plan", "Plan"],
  ["reports", "Reports"],
  ["ledger", "Ledger"],
];

/** "#/run/fix.1/debug" → { page: "run", run: "fix.1", view: "debug" }. What is not known is the list of runs. */
export function parse(hash) {
  const [path, query] = hash.replace(/^#\/?/, "").split("?");
  const [page, name, view] = path.split("/").map((part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return "";
    }
  });
  if (page === "run" && name) return { page, run: name, view: VIEWS.some(([word]) => word === view) ? view : "overview" };
  if (page === "ledger") return { page };
  if (page === "compare") {
    const wanted = new URLSearchParams(query);
    return { page, a: wanted.get("a") ?? "", b: wanted.get("b") ?? "" };
  }
  return { page: "runs" };
}

export const to = {
  runs: () => "#/",
  run: (name, view = "overview") => `#/run/${encodeURIComponent(name)}/${view}`,
  compare: (a, b) => `#/compare?${new URLSearchParams({ a, b })}`,
  ledger: () => "#/ledger",
};
