#!/usr/bin/env python3
"""quarantine retry: what a run refused, read anew and mended by a run of its own."""

import signal

from repair import FIX, ended, seed, started, writing
from stand import among, must, run_all, same, test

ROWS = 400
SPEC = FIX.replace("protect: {{ rate", "protect: {{ rejects: 100%, rate")
REFUSES = """
function transform(doc, ctx)
  if doc.n % 10 == 7 then return ctx.reject("sevens are not known") end
  doc.n = doc.n * 2 + 1
  return doc
end
"""
MENDED = "function transform(doc) doc.n = doc.n * 2 + 1 return doc end\n"
SEVENS = [n for n in range(ROWS) if n % 10 == 7]
RETRY = ("quarantine", "retry", "fix.1", "--yes")


def refused(stand, rate=100000):
    """fix.1, done but for the sevens; then its transform is mended."""
    seed(stand, rows=ROWS)
    stand.write("fix.yaml", SPEC.format(rate=rate))
    stand.sluice("run", "fast.yaml", "--yes").ended(0)
    stand.write("fix.lua", REFUSES)
    stand.sluice("run", "fix.yaml", "--yes").ended(8)
    stand.write("fix.lua", MENDED)


def key(n):
    return f"k{n:05d}"


def wanted(without=(), sevens=True):
    return {key(n): {"id": key(n), "n": n if n % 10 == 7 and not sevens else n * 2 + 1} for n in range(ROWS) if n not in without}


def stands(stand, **how):
    same(stand.documents("items"), wanted(**how), "records")


def notes(stand, run):
    path = stand.path(f"home/reports/{run}/notes.ndjson")
    return [line for line in stand.sluice("dump", str(path)).ended(0).lines() if "code" in line] if path.exists() else []


@test("only what was refused is read, transformed once and written; it is a run of its own, with plan, gate and undo")
def _(stand):
    refused(stand)
    before = stand.dump("items")
    lines = stand.sluice(*RETRY, "--json").ended(0).lines()
    planned = next(line for line in lines if line["type"] == "planned")
    same((planned["run"], planned["listed"], planned["retries"]["run"], planned["retries"]["rows"]),
         ("fix.2", len(SEVENS), "fix.1", len(SEVENS)), "planned")
    same((lines[-1]["state"], lines[-1]["exit"]), ("done", 0), "how it ended")
    stands(stand)
    status = stand.status("fix.2")
    same((status["records"]["listed"], status["records"]["written"]), (len(SEVENS), len(SEVENS)), "records")
    must(all(stage["state"] == "passed" for stage in status["stages"]), status["stages"])
    stand.sluice("verify", "fix.2").ended(0)
    entry = next(e for e in stand.sluice("audit", "log", "--json").lines() if e["action"] == "planned" and e["run"] == "fix.2")
    same(entry["details"]["retries"]["run"], "fix.1", "ledger")
    stand.sluice("rollback", "fix.2", "--yes").ended(0)
    same(stand.dump("items"), before, "after the rollback of the retry")
    stand.sluice("rollback", "fix.1", "--yes").ended(0)
    same(stand.documents("items"), {key(n): {"id": key(n), "n": n} for n in range(ROWS)}, "after both")
    stand.sluice("audit", "verify").ended(0)


@test("the quarantine of the old run says who retried it; rolled back, it was not, and may be once more")
def _(stand):
    refused(stand)
    rows = stand.sluice("quarantine", "list", "fix.1", "--json").ended(0).lines()
    same((len(rows), {row["retried_by"] for row in rows}), (len(SEVENS), {None}), "before")
    stand.sluice(*RETRY).ended(0)
    rows = stand.sluice("quarantine", "list", "fix.1", "--json").ended(0).lines()
    same((len(rows), {row["retried_by"] for row in rows}), (len(SEVENS), {"fix.2"}), "after")
    shown = stand.sluice("quarantine", "show", "fix.1", str(rows[0]["number"])).ended(0).out
    among(["retried   by fix.2 of ", "@", "done"], shown)
    among("retried by fix.2 of ", stand.sluice("quarantine", "list", "fix.1").ended(0).err)
    stand.sluice("rollback", "fix.2", "--yes").ended(0)
    same(stand.sluice("quarantine", "list", "fix.1", "--json").lines()[0]["retried_by"], None, "after the rollback")
    stand.sluice(*RETRY).ended(0)
    stands(stand)
    same(stand.status()["run"], "fix.3", "the newest run")


@test("the same command once more finds the run that is done; another transform is refused and told where to go on")
def _(stand):
    refused(stand)
    stand.sluice(*RETRY).ended(0)
    done = stand.sluice(*RETRY).ended(0)
    among("fix.2", done.out + done.err)
    stands(stand)
    stand.write("fix.lua", MENDED + "-- another\n")
    among(["fix.2", "sluice quarantine retry fix.2", "sluice rollback fix.2"], stand.sluice(*RETRY).ended(7).err)
    among("refused nothing", stand.sluice("quarantine", "retry", "fix.2", "--yes").ended(9).err)
    stands(stand)


@test("what a retry refuses in turn is retried from its own quarantine, and nothing twice")
def _(stand):
    refused(stand)
    stand.write("fix.lua", MENDED.replace("doc.n =", "if doc.n % 100 == 7 then error('not yet') end doc.n ="))
    stand.sluice(*RETRY).ended(8)
    same(len(stand.sluice("quarantine", "list", "fix.2", "--json").lines()), 4, "refused again")
    stand.write("fix.lua", MENDED)
    stand.sluice("quarantine", "retry", "fix.2", "--yes").ended(0)
    stands(stand)
    same(stand.status("fix.3")["records"]["listed"], 4, "listed")


@test("a key that is gone is listed by name, one that the application has written since is taken as it is now")
def _(stand):
    refused(stand)
    stand.put("items", [f"{key(7)}\t-", f'{key(17)}\t{{"id": "{key(17)}", "n": 1000}}\t0'])
    stand.sluice(*RETRY).ended(0)
    found = stand.documents("items")
    same(found.pop(key(17))["n"], 2001, "the live change, mended")
    same(found, {k: v for k, v in wanted(without=[7]).items() if k != key(17)}, "records")
    same(stand.status("fix.2")["records"]["gone"], 1, "gone")
    same([(note["key"], note["code"]) for note in notes(stand, "fix.2")], [(key(7), "gone")], "notes")


@test("killed at any step, the same command goes on; the run of the whole spec is neither it nor begun beside it")
def _(stand):
    refused(stand)
    for point in ("grant.before", "grant.after", "log.after", "cas.after", "outcome.after", "settle.after", "checkpoint.after"):
        stand.dies(point + ":1", *RETRY)
        run = stand.status()["run"]
        if point == "cas.after":
            among(run, stand.sluice("run", "fix.yaml", "--yes").ended(7).err)
        stand.sluice(*RETRY).ended(0)
        same(stand.status()["run"], run, "the run that went on")
        stands(stand)
        stand.sluice("rollback", run, "--yes").ended(0)
        stands(stand, sevens=False)


@test("Ctrl-C ends it as interrupted; `run NAME.N` goes on")
def _(stand):
    refused(stand)
    stand.write("fix.yaml", SPEC.format(rate=20))
    process = stand.start(*RETRY, "--json")
    stand.until(process, writing)
    process.send_signal(signal.SIGINT)
    ended(stand, process, "interrupted", 3)
    stand.sluice("set", "fix.2", "protect.rate.max=100000/s").ended(0)
    stand.sluice("run", "fix.2", "--yes").ended(0)
    stands(stand)


@test("planned into a file it is run as it was planned, or refused")
def _(stand):
    refused(stand)
    stand.sluice("quarantine", "retry", "fix.1", "-o", "plan.json").ended(0)
    stands(stand, sevens=False)
    stand.write("fix.lua", MENDED + "-- moved\n")
    among("transform has changed", stand.sluice("run", "--plan", "plan.json").ended(7).err)
    stand.write("fix.lua", MENDED)
    stand.sluice("run", "--plan", "plan.json").ended(0)
    stands(stand)
    same(stand.status("fix.2")["records"]["listed"], len(SEVENS), "listed")


@test("refused by name: a run that is not done, that is rolled back, that refused nothing, whose source was run over since")
def _(stand):
    refused(stand)
    among("load.1", stand.sluice("quarantine", "retry", "load.1").ended(9).err)
    among("refused nothing", stand.sluice("quarantine", "retry", "fast.1", "--yes").ended(9).err)
    stand.sluice("run", "fix.yaml", "--yes").ended(0)
    among(["fix.2", "twice", "--again"], stand.sluice(*RETRY).ended(7).err)
    stand.sluice("rollback", "fix.2", "--yes").ended(0)
    stand.write("fix.yaml", SPEC.format(rate=20))
    process = started(stand, *RETRY)
    process.send_signal(signal.SIGINT)
    ended(stand, process, "interrupted", 3)
    among(["fix.3 is interrupted", "sluice resume fix.3"], stand.sluice("quarantine", "retry", "fix.3", "--yes").ended(7).err)
    stand.sluice("rollback", "fix.3", "--yes").ended(0)
    stand.sluice("rollback", "fix.1", "--yes").ended(0)
    among("rolled-back", stand.sluice(*RETRY).ended(7).err)


FILL = """
sluice: 1
name: fill
source: {{ store: "file:in", dataset: "*.ndjson", key: id, version: v }}
contract: fill.contract.yaml
target: {{ store: "rocksdb:live", dataset: items, write: fill, conflict: newer-wins }}
partitions: {{ count: 8 }}
protect: {{ rejects: 100% }}
workers: {workers}
"""
CONTRACT = "contract: 1\nname: item\nversion: {version}\nfields:\n  tier: {{ type: string, one_of: [{tiers}] }}\n"


def filled(stand, rows=1000):
    """fill.1 of files: tiers that the contract does not know, a line that is not JSON, a key of two states, one to vanish."""
    lines = ['{"id": "%s", "v": 1, "tier": "%s"}' % (key(n), "tin" if n % 100 == 3 else "gold") for n in range(rows)]
    lines[500] = '{"id": "k00500", "v": 1, "tier": '
    lines[903] = '{"id": "k00003", "v": 2, "tier": "tin"}'
    stand.write("in/a.ndjson", "\n".join(lines[:400]) + "\n")
    stand.write("in/b.ndjson", "\n".join(lines[400:]) + "\n")
    stand.write("fill.yaml", FILL.format(workers=2))
    stand.write("fill.contract.yaml", CONTRACT.format(version=1, tiers="gold"))
    stand.sluice("run", "fill.yaml", "--yes").ended(8)
    return lines


FILLED = ("quarantine", "retry", "fill.1", "--yes")


@test("of files: records are taken by key, wherever they stand now, and by their line where they had no key; the rest is not read into the target")
def _(stand):
    lines = filled(stand)
    refused_rows = stand.sluice("quarantine", "list", "fill.1", "--json").lines()
    same(len(refused_rows), 10, "refused")
    before = stand.dump("items")
    lines[500] = '{"id": "k00500", "v": 1, "tier": "gold"}'
    gone = lines.pop(803)
    same(gone[:14], '{"id": "k00803', "what goes")
    lines.append('{"id": "new", "v": 1, "tier": "gold"}')
    stand.write("in/a.ndjson", "\n".join(lines[:300]) + "\n")
    stand.write("in/b.ndjson", "\n".join(lines[400:]) + "\n")
    stand.write("in/c.ndjson", "\n".join(lines[300:400]) + "\n")
    stand.write("fill.contract.yaml", CONTRACT.format(version=2, tiers="gold, tin"))
    end = stand.sluice(*FILLED, "--json").ended(0).lines()
    planned = next(line for line in end if line["type"] == "planned")
    same((planned["listed"], planned["retries"]["asked"], planned["retries"]["gone"], planned["retries"]["gone_named"]),
         (9, 10, 1, ["k00803"]), "planned")
    after = stand.documents("items")
    added = {k: after[k] for k in after if k not in before}
    same(sorted(added), sorted([key(n) for n in range(3, 1000, 100) if n not in (803, 903)] + ["k00500"]), "what was added")
    same((added["k00003"]["v"], added["k00500"]["tier"]), (2, "gold"), "the newest state, and the mended line")
    must("new" not in after, "a record that nobody asked for was written")
    stand.sluice("verify", "fill.2").ended(0)
    stand.sluice("rollback", "fill.2", "--yes").ended(0)
    same(stand.dump("items"), before, "after the rollback")


@test("of files: a plan in a file, one worker or several, killed and resumed: the same records")
def _(stand):
    lines = filled(stand)
    stand.write("fill.contract.yaml", CONTRACT.format(version=2, tiers="gold, tin"))
    before = stand.dump("items")
    results = []
    for how in ("plan", "dies", "plain"):
        if how == "plan":
            stand.sluice("quarantine", "retry", "fill.1", "-o", "plan.json").ended(0)
            stand.sluice("run", "--plan", "plan.json").ended(8)
        elif how == "dies":
            stand.dies("cas.after:2", *FILLED)
            stand.sluice(*FILLED).ended(8)
        else:
            stand.write("fill.yaml", FILL.format(workers=1))
            stand.sluice(*FILLED).ended(8)
        results.append(stand.dump("items"))
        run = stand.status()["run"]
        rows = stand.sluice("quarantine", "list", run, "--json").lines()
        same([(row["file"], row["line"]) for row in rows], [("b.ndjson", 101)], "refused again")
        stand.sluice("rollback", run, "--yes").ended(0)
        same(stand.dump("items"), before, "after the rollback")
    must(results[0] == results[1] == results[2] and len(lines) == 1000, "three ways, three results")


run_all()
