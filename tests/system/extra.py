#!/usr/bin/env python3
"""verify --extra and repair --extra: what the target has beyond its source, named, and taken out by a run that can be taken back."""

import json
import os

from repair import key, line, notes
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
LUA = "function transform(doc) doc.n = doc.n * 2 + 1 return doc end\n"
LOAD = """
sluice: 1
name: load
source: { store: "file:in", dataset: "*.ndjson", key: id }
target: { store: "rocksdb:live", dataset: items }
partitions: { count: 2 }
protect: { rejects: 10% }
"""
PICKY = "function transform(doc) if doc.id == 'z3' then error('no') end return doc end\n"
MADE = "function transform(doc) if doc.n == 7 and refuse then error('no') end doc.id = 'm' .. doc.id return doc end\n"
REPAIR = ("repair", "copy.1", "--extra", "--yes")
BEYOND = [f"z{n}" for n in range(5)]
LATER = 4102444800000 # an expiry that stays


def extra(name, value=0, expires=0, **more):
    return f"{name}\t" + json.dumps({"id": name, "n": value, **more}) + f"\t{expires}"


def copied(stand, spec=COPY, lua=LUA):
    stand.put("origin", [line(n, n) for n in range(ROWS)])
    stand.write("copy.yaml", spec)
    stand.write("copy.lua", lua)
    stand.sluice("run", "copy.yaml", "--yes").ended(0)
    stand.put("items", [extra(name, expires=LATER * (n % 2)) for n, name in enumerate(BEYOND)])


def loaded(stand, spec=LOAD, broken=()):
    stand.records("in/a.ndjson", ({"id": key(n), "n": n} for n in range(ROWS)))
    for text in broken:
        with open(stand.path("in/a.ndjson"), "a", encoding="utf-8") as file:
            file.write(text + "\n")
    stand.write("load.yaml", spec)
    stand.sluice("run", "load.yaml", "--yes").ended(0, 8)
    stand.put("items", [extra(name) for name in BEYOND])


def verified(stand, run, *more, code=4):
    return stand.sluice("verify", run, "--extra", "--json", *more).ended(code).json()


def named(stand, report, kind="extra"):
    lines = [json.loads(text) for text in stand.read(report["report"]).splitlines()]
    return sorted(entry["key"] for entry in lines if entry["kind"] == kind)


@test("what the target has beyond a keyed source is named, taken out by a run that shows how many, and put back by its rollback")
def _(stand):
    copied(stand)
    same(stand.sluice("verify", "copy.1", "--json").ended(0).json()["extra"], 0, "not asked")
    stand.sluice(*REPAIR).ended(9)
    stand.put("origin", [line(900, 1), line(901, 1)]) # both came up in source and target since: the application's
    stand.put("items", [line(900, 3), line(901, 4)])
    for way in ((), ("--full",)):
        report = verified(stand, "copy.1", *way)
        same((report["extra"], named(stand, report), report["beyond"]), (5, BEYOND, {"keys": ROWS + 7, "why": None}), "extra")
    before = stand.dump("items")
    among("takes out   5 keys", stand.sluice("repair", "copy.1", "--extra", "--dry-run").ended(0).out)
    same(stand.dump("items"), before, "only planned")
    lines = stand.sluice(*REPAIR, "--json").ended(0).lines()
    planned = next(entry for entry in lines if entry["type"] == "planned")
    same((planned["run"], planned["listed"], planned["retries"]["extra"]), ("copy.2", 5, True), "planned")
    same(stand.dump("items"), {k: v for k, v in before.items() if k not in BEYOND}, "taken out")
    same(stand.status("copy.2")["records"]["deleted"], 5, "deleted")
    same(verified(stand, "copy.1", code=0)["extra"], 0, "afterwards")
    stand.sluice("verify", "copy.2", "--full").ended(0)
    stand.sluice(*REPAIR).ended(9)
    stand.sluice("rollback", "copy.2", "--yes").ended(0)
    same(stand.dump("items"), before, "taken back, expiries included")
    stand.sluice("audit", "verify").ended(0)


@test("what the application wrote since the verification is left and listed; what it wrote since the plan, by its version, is not extra")
def _(stand):
    copied(stand, COPY.replace("dataset: origin }", "dataset: origin, version: at }"), "function transform(doc) return doc end\n")
    stand.put("items", [extra("z0", at="2099-01-01T00:00:00Z"), extra("z1", at="2001-01-01T00:00:00Z"), f"{key(5)}\t-"])
    report = verified(stand, "copy.1")
    same((named(stand, report), named(stand, report, "superseded")), (BEYOND[1:], ["z0"]), "by version")
    stand.put("items", [extra("z2", 5), "z3\t-"])
    stand.put("origin", [extra("z4")])
    before = stand.dump("items")
    among("1 of them are in the source by now", stand.sluice("repair", "copy.1", "--extra", "--dry-run").ended(0).out)
    stand.sluice(*REPAIR).ended(8)
    same(stand.dump("items"), {k: v for k, v in before.items() if k != "z1"}, "records")
    among("z2", [note["key"] for note in notes(stand, "copy.2")])
    stand.sluice("repair", "copy.1", "--yes").ended(0)
    same((stand.status()["run"], stand.documents("items")[key(5)]["n"]), ("copy.3", 5), "what the same report calls missing is another run")


@test("killed at any step, the same command goes on, and each is taken out once")
def _(stand):
    copied(stand)
    before = stand.dump("items")
    points = ("grant.after", "log.after", "cas.after", "outcome.after", "settle.after", "checkpoint.after")
    verified(stand, "copy.1")
    for point in points if os.environ.get("SLUICE_CRASH") == "all" else points[1:3]:
        stand.dies(point + ":1", *REPAIR)
        run = stand.status()["run"]
        stand.sluice(*REPAIR).ended(0)
        same((stand.status()["run"], stand.status()["records"]["deleted"]), (run, 5), "the run that went on")
        same(stand.dump("items"), {k: v for k, v in before.items() if k not in BEYOND}, "taken out")
        stand.sluice("rollback", run, "--yes").ended(0)
        same(stand.dump("items"), before, "taken back")


@test("what a killed verification left beside its report is gone with the next one of that run")
def _(stand):
    copied(stand)
    stand.path("home").rename(stand.path("home.ndjson.d")) # named as such a list is
    reports = stand.path("home.ndjson.d/reports/copy.1")
    here = {path.name for path in reports.iterdir()}
    left = [f"verify-1.ndjson.{ending}" for ending in ("target", "keys", "keys.keys0.tmp")]
    for name in [*left, "verify-1.ndjson"]: # whose lines say what it had found
        (reports / name).write_text("")
    verified(stand, "copy.1", "--home", "home.ndjson.d")
    found = {path.name for path in reports.iterdir()}
    same((sorted(found & set(left)), "verify-1.ndjson" in found, here <= found), ([], True, True), "files left, reports and what gates keep")


@test("of files: each key of theirs is known, also of records that were refused; of a line without a key nobody can tell")
def _(stand):
    stand.write("picky.lua", PICKY)
    loaded(stand, LOAD.replace("target:", "transform: { lua: picky.lua }\ntarget:"), broken=['{"id": "z3"}'])
    report = verified(stand, "load.1")
    same((report["refused"], named(stand, report)), (1, ["z0", "z1", "z2", "z4"]), "named")
    stand.sluice("repair", "load.1", "--extra", "--yes").ended(0)
    same(set(BEYOND) & set(stand.documents("items")), {"z3"}, "what is left")
    loaded(stand, LOAD.replace("name: load", "name: again"), broken=['{"id": "z1", "n"'])
    report = verified(stand, "again.1")
    same((report["extra"], named(stand, report)), (0, []), "named")
    among("too broken to have a key", report["sentence"])
    stand.sluice("repair", "again.1", "--extra", "--yes").ended(9)


@test("of keys that the transform makes: those it made are not extra; one that was refused leaves all of it untold")
def _(stand):
    made = LOAD.replace("target:", "transform: { lua: made.lua }\ntarget:")
    stand.write("made.lua", MADE)
    loaded(stand, made)
    same(named(stand, verified(stand, "load.1")), BEYOND, "extra")
    stand.write("made.lua", "local refuse = true\n" + MADE)
    loaded(stand, made.replace("name: load", "name: refused"))
    report = verified(stand, "refused.1")
    same(report["extra"], 0, "extra")
    among("were refused", report["beyond"]["why"])


@test("refused by name where it cannot be told: one dataset, a part of a source, a sample, a run of a part")
def _(stand):
    copied(stand)
    stand.write("part.yaml", COPY.replace("name: copy", "name: part").replace("dataset: origin }", "dataset: origin, where: 'doc.n > 5' }"))
    among("source.where", stand.sluice("verify", "part.yaml", "--extra").ended(2).err)
    among("leave --sample out", stand.sluice("verify", "copy.1", "--extra", "--sample", "99%,1%").ended(2).err)
    verified(stand, "copy.1")
    stand.sluice(*REPAIR).ended(0)
    among("for a part of it", stand.sluice("verify", "copy.2", "--extra").ended(2).err)
    stand.put("items", [extra("z0")])
    same(verified(stand, "copy.yaml")["extra"], 1, "of a spec")
    stand.write("fix.yaml", COPY.replace("name: copy", "name: fix").replace("dataset: origin", "dataset: items"))
    stand.sluice("run", "fix.yaml", "--yes").ended(0)
    among("one dataset", stand.sluice("verify", "fix.1", "--extra").ended(2).err)


run_all()
