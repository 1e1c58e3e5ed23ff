#!/usr/bin/env python3
"""repair: what a verification found wrong, read anew from the source and written by a run of its own."""

import hashlib
import json
import os
import re

from repair import FIX, FIX_LUA, key, line, notes
from stand import among, must, run_all, same, test

ROWS = 300
COPY = """
sluice: 1
name: copy
source: { store: "rocksdb:live", dataset: origin }
transform: { lua: copy.lua }
target: { store: "rocksdb:live", dataset: items }
partitions: { size: 100 }
"""
STAGES = "stages: [{ name: canary, scope: 1% }, { name: full, scope: 100% }]\n" # of which a repair has one
LUA = "function transform(doc) doc.n = doc.n * 2 + 1 return doc end\n"
REPAIR = ("repair", "copy.1", "--yes")
LOST, STALE, THEIRS = range(10, 20), range(100, 105), range(200, 203)


def copied(stand):
    """copy.1, done; then the target loses some records, the source changes some, the application writes some."""
    stand.put("origin", [line(n, n) for n in range(ROWS)])
    stand.write("copy.yaml", COPY + STAGES)
    stand.write("copy.lua", LUA)
    stand.sluice("run", "copy.yaml", "--yes").ended(0)


def spoilt(stand):
    copied(stand)
    stand.put("items", [f"{key(n)}\t-" for n in LOST] + [line(n, 0, mine=True) for n in THEIRS])
    stand.put("origin", [line(n, 1000 + n) for n in STALE])


def verified(stand, code=4):
    return stand.sluice("verify", "copy.1", "--full", "--json").ended(code).json()


def wanted(lost=(), stale=True):
    """What stands when everything is repaired, but for what is named."""
    found = {key(n): {"id": key(n), "n": n * 2 + 1} for n in range(ROWS) if n not in lost}
    found.update({key(n): {"id": key(n), "n": (n + 1000 if stale else n) * 2 + 1} for n in STALE})
    found.update({key(n): {"id": key(n), "n": 0, "mine": True} for n in THEIRS})
    return found


@test("what is missing or differs is read anew and written, by a run with plan, gates and undo; what the application wrote stays")
def _(stand):
    spoilt(stand)
    report = verified(stand)
    same((report["missing"], report["differing"], report["changed_since"]), (len(LOST), len(STALE), len(THEIRS)), "classes")
    before = stand.dump("items")
    lines = stand.sluice(*REPAIR, "--json").ended(0).lines()
    planned = next(entry for entry in lines if entry["type"] == "planned")
    same((planned["run"], planned["listed"], planned["retries"]["run"], planned["retries"]["report"]),
         ("copy.2", len(LOST) + len(STALE), "copy.1", report["report"]), "planned")
    same(stand.documents("items"), wanted(), "records")
    status = stand.status("copy.2")
    same((status["records"]["listed"], status["records"]["written"]), (15, 15), "records of the repair")
    same([(stage["name"], stage["state"]) for stage in status["stages"]], [("canary", "passed")], "its stages")
    stand.sluice("verify", "copy.2").ended(0)
    ledger = stand.sluice("audit", "log", "--json").lines()
    told = next(entry for entry in ledger if entry["action"] == "planned" and entry["run"] == "copy.2")
    same((told["details"]["retries"]["run"], told["details"]["retries"]["report"]), ("copy.1", report["report"]), "ledger")
    stand.sluice("rollback", "copy.2", "--yes").ended(0)
    same(stand.dump("items"), before, "after the rollback of the repair")
    stand.sluice("audit", "verify").ended(0)


@test("a key that the application wrote after the verification is left alone and listed, also where it deleted it")
def _(stand):
    spoilt(stand)
    verified(stand)
    stand.put("items", [line(10, 7, mine=True), line(100, 8, mine=True), f"{key(101)}\t-"])
    stand.sluice(*REPAIR).ended(8)
    found = stand.documents("items")
    same((found.pop(key(10))["n"], found.pop(key(100))["n"], key(101) in found), (7, 8, False), "live writes")
    same(found, {k: v for k, v in wanted().items() if k not in (key(10), key(100), key(101))}, "the others")
    same(stand.status("copy.2")["records"]["kept_live"], 3, "kept live")
    same(sorted(note["key"] for note in notes(stand, "copy.2")), [key(10), key(100), key(101)], "listed")


@test("the same command finds the repair that is done; a newer verification is another repair; a key gone from the source is named")
def _(stand):
    spoilt(stand)
    verified(stand)
    stand.sluice(*REPAIR).ended(0)
    among("copy.2", stand.sluice(*REPAIR).ended(0).out)
    same(stand.status()["run"], "copy.2", "the newest run")
    stand.put("items", [f"{key(n)}\t-" for n in (1, 2)])
    stand.put("origin", [f"{key(1)}\t-"])
    same(verified(stand)["missing"], 1, "missing")
    stand.put("origin", [line(1, 1)])
    same(verified(stand)["missing"], 2, "missing")
    stand.put("origin", [f"{key(1)}\t-"])
    stand.sluice(*REPAIR).ended(0)
    same((stand.status()["run"], stand.status()["records"]["gone"]), ("copy.3", 1), "the other repair")
    same([(note["key"], note["code"]) for note in notes(stand, "copy.3")], [(key(1), "gone")], "notes")
    same(stand.documents("items"), wanted(lost=[1]), "records")


@test("killed at any step, the same command goes on and each record is written once")
def _(stand):
    spoilt(stand)
    verified(stand)
    lost = {k: v for k, v in wanted(lost=LOST, stale=False).items()}
    points = ("grant.after", "log.after", "cas.after", "outcome.after", "settle.after", "checkpoint.after")
    for point in points if os.environ.get("SLUICE_CRASH") == "all" else points[2::3]:
        stand.dies(point + ":1", *REPAIR)
        run = stand.status()["run"]
        stand.sluice(*REPAIR).ended(0)
        same(stand.status()["run"], run, "the run that went on")
        same(stand.documents("items"), wanted(), "records")
        same(stand.status()["records"]["written"], 15, "written")
        stand.sluice("rollback", run, "--yes").ended(0)
        same(stand.documents("items"), lost, "taken back")


@test("in place, a record that lost its change is transformed once, and one that was written since is left alone")
def _(stand):
    stand.put("items", [line(n, n) for n in range(ROWS)])
    stand.write("fix.yaml", FIX.format(rate=1000000))
    stand.write("fix.lua", FIX_LUA)
    stand.sluice("run", "fix.yaml", "--yes").ended(0)
    stand.put("items", [line(n, n) for n in LOST])
    found = stand.sluice("verify", "fix.1", "--json").ended(4).json()
    shown = [(row["key"], row["kind"]) for row in stand.sluice("dump", found["report"]).ended(0).lines()]
    same((found["missing"], shown), (len(LOST), [(key(n), "missing") for n in LOST]), "missing, and in the report")
    stand.put("items", [line(LOST[0], 77)])
    said = stand.sluice("repair", "fix.1", "--yes").ended(8).err
    must("once more" not in said, f"a repair transforms nothing that stands: {said}")
    same(stand.documents("items"), {key(n): {"id": key(n), "n": 77 if n == LOST[0] else n * 2 + 1} for n in range(ROWS)}, "records")
    clean = stand.sluice("verify", "fix.2", "--json").ended(0).json()["report"]
    same(stand.sluice("dump", clean).ended(0).out, "", "a report of nothing")
    stand.sluice("rollback", "fix.2", "--yes").ended(0)
    same(stand.documents("items")[key(LOST[0])]["n"], 77, "left alone by the rollback too")


@test("of files, and of records that become several, the record is found again by its own key, and its other results are left as they are")
def _(stand):
    stand.records("in/a.ndjson", ({"id": key(n), "n": n} for n in range(20)))
    stand.write("copy.yaml", COPY.replace('"rocksdb:live", dataset: origin }', '"file:in", dataset: "*.ndjson", key: id }'))
    stand.write("copy.lua", "function transform(doc) return { { id = doc.id .. 'x', n = doc.n }, { id = doc.id .. 'y', n = -doc.n } } end\n")
    stand.sluice("run", "copy.yaml", "--yes").ended(0)
    whole = stand.documents("items")
    stand.put("items", [f"{key(3)}y\t-", f'{key(3)}x\t{{"mine": true}}\t0', f"{key(7)}x\t-"])
    same((verified(stand)["missing"], verified(stand)["changed_since"]), (2, 1), "classes")
    stand.sluice(*REPAIR).ended(0) # a record of the source counts as written where one of its results is
    same(stand.documents("items"), dict(whole, **{key(3) + "x": {"mine": True}}), "records")
    same([note["key"] for note in notes(stand, "copy.2")], [key(3) + "x"], "listed as left alone")
    same(stand.status("copy.2")["records"]["listed"], 2, "listed")


@test("--dry-run plans it and writes nothing; a plan that is kept runs as it was")
def _(stand):
    spoilt(stand)
    verified(stand)
    before = stand.dump("items")
    among(["repairs     15 keys", "copy.1"], stand.sluice("repair", "copy.1", "--dry-run").ended(0).out)
    same((stand.dump("items"), stand.status()["run"]), (before, "copy.1"), "nothing done")
    same(list(stand.path("home/listing").glob("*.seen")), [], "files of a plan that never became a run")
    shown = stand.sluice("repair", "copy.1", "-o", "repair.plan", "--json").ended(0).json()
    same((shown["retries"]["run"], shown["retries"]["rows"]), ("copy.1", 15), "plan")
    stand.sluice("run", "--plan", "repair.plan").ended(0)
    same(stand.documents("items"), wanted(), "records")


@test("a report that was changed, cut, made elsewhere or that names nothing is refused, each by its reason; a copy of a good one is taken")
def _(stand):
    copied(stand)
    among("sluice verify copy.1", stand.sluice(*REPAIR).ended(9).err)
    same(verified(stand, 0)["lines"], 0, "lines")
    among("nothing that differs", stand.sluice(*REPAIR).ended(9).err)
    stand.put("items", [f"{key(n)}\t-" for n in LOST])
    report = stand.path(verified(stand)["report"])
    good = report.read_text()
    copy = stand.path("elsewhere.ndjson")
    for text, words, code in ((good.replace(key(10), key(11)), "no run of this home", 7), (good[:-9], ":10: not a line", 6),
                              ("{}\n", ":1: not a line", 6), ("", "nothing that differs", 9), ("[1]\n", ":1: not a line", 6),
                              ('{"key":1,"kind":"missing","wanted":null}\n', ":1: not a line", 6)):
        copy.write_text(text)
        among(words, stand.sluice("repair", str(copy), "--yes").ended(code).err)
    report.write_text(good.replace(key(10), key(11)))
    among("not any more what the verification wrote", stand.sluice("repair", str(report), "--yes").ended(6).err)
    among("not any more what the verification wrote", stand.sluice(*REPAIR).ended(6).err)
    stand.sluice("repair", "copy.9", "--yes").ended(9)
    stand.sluice("repair", "nowhere.ndjson", "--yes").ended(6, 9)
    same(len(stand.documents("items")), ROWS - len(LOST), "nothing was written")
    copy.write_text(good)
    stand.sluice("repair", str(copy), "--yes").ended(0)
    same(len(stand.documents("items")), ROWS, "records")


@test("the page is one file, of the ledger's digest, that asks for nothing and shows hostile keys and values as text")
def _(stand):
    evil = '</code><script>alert(1)</script>"\'&\u202e'
    stand.write("copy.yaml", COPY)
    stand.write("copy.lua", "function transform(doc) doc['<img src=x onerror=alert(2)>'] = 1 return doc end\n")
    stand.put("origin", [f"{evil}\t" + json.dumps({"id": evil, "n": 1}) + "\t0", line(1, 1)])
    stand.sluice("run", "copy.yaml", "--yes").ended(0)
    stand.put("items", [f"{evil}\t-", line(1, 5, **{"<b>": evil})])
    summary = verified(stand)
    page = stand.path(summary["page"]).read_bytes()
    same(hashlib.blake2b(page, digest_size=32).hexdigest(), summary["page_digest"], "digest of the page")
    same(hashlib.blake2b(stand.path(summary["report"]).read_bytes(), digest_size=32).hexdigest(), summary["report_digest"], "digest of the report")
    told = next(entry for entry in stand.sluice("audit", "log", "--json").lines() if entry["action"] == "report")
    same((told["details"]["page_digest"], told["details"]["report_digest"], told["run"]),
         (summary["page_digest"], summary["report_digest"], "copy.1"), "ledger")
    text = page.decode()
    must(text.index("<h1 class=\"fail\">") < text.index("<table>"), "the verdict comes first")
    for tag in ("script", "img", "b>", "link", "iframe", "object", "form", "base "):
        must(f"<{tag}" not in text, f"<{tag} in the page")
    same(re.findall(r"(?:src|href|action)\s*=", re.sub(r"&lt;.*?&gt;", "", text)), [], "what would be asked for")
    among(["&lt;script&gt;alert(1)&lt;/script&gt;", "\\u{202e}", "&lt;img src=x onerror=alert(2)&gt;", "default-src 'none'", "missing"], text)
    must("\u202e" not in text, "a mark that turns the direction of writing")


run_all()
