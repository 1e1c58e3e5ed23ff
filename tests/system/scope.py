#!/usr/bin/env python3
"""A run of a part of its source: given keys, a range of keys, partitions; what is asked for and not there is listed; what is
not asked for stays as it is. Stages by given keys. Slots are in valkey_live.py's kin (valkey_scope.py)."""

import contextlib
import json
import sqlite3

from stand import among, must, run_all, same, test

FIX = """sluice: 1
name: fix
source: {{ store: "rocksdb:live", dataset: items, only: {only} }}
transform: {{ lua: fix.lua }}
target: {{ store: "rocksdb:live", dataset: items }}
partitions: {{ size: 10 }}
{more}
"""
FILL = """sluice: 1
name: fill
source: {{ store: "file:in", dataset: "*.ndjson", key: id, version: v, only: {only} }}
target: {{ store: "rocksdb:live", dataset: items }}
partitions: {{ size: 10 }}
{more}
"""
LOAD = 'sluice: 1\nname: load\nsource: { store: "file:in", dataset: "*.ndjson", key: id }\ntarget: { store: "rocksdb:live", dataset: items }\n'
LUA = "function transform(doc) doc.n = doc.n * 2 + 1 return doc end\n"
ONE = "stages: [{ name: full, scope: 100% }]"
ROWS = {f"k{n:03d}": {"id": f"k{n:03d}", "v": 1, "n": n} for n in range(100)}


def loaded(stand, only, more=ONE):
    stand.records("in/a.ndjson", ROWS.values())
    stand.write("load.yaml", LOAD)
    stand.write("fix.lua", LUA)
    stand.sluice("run", "load.yaml", "--yes").ended(0)
    stand.write("fix.yaml", FIX.format(only=only, more=more))


def run(stand, spec="fix.yaml", *codes):
    return stand.sluice("run", spec, "--yes", "--json").ended(*(codes or (0,))).lines()[-1]


def fixed(stand, keys):
    """These are mended once, and no other is touched."""
    wanted = {key: dict(row, n=row["n"] * 2 + 1) if key in keys else row for key, row in ROWS.items()}
    same({key: row for key, row in stand.documents("items").items() if row != wanted[key]}, {}, "records that are not as they should be")
    stand.sluice("audit", "verify").ended(0)


def keys_file(stand, keys, name="keys.txt"):
    stand.write(name, "".join(key + "\n" for key in keys))


ASKED = ["k003", "k070", "", "k071", "nobody", "k003", '"k099"', "another\r"]
THERE = {"k003", "k070", "k071", "k099"}


@test("given keys of a keyed store: these are written, verified and taken back, none else is looked at; the others asked for are listed")
def _(stand):
    keys_file(stand, ASKED)
    loaded(stand, "{ keys: keys.txt }")
    plan = stand.sluice("plan", "fix.yaml", "--json").ended(0).json()
    same([plan["only"][name] for name in ("by", "given", "matched", "unmatched", "examples")],
         ["keys", 6, 4, 2, ["another", "nobody"]], "what the plan says of them")
    told = stand.sluice("plan", "fix.yaml").ended(0).out
    among('4 of 6 keys; 2 match nothing: "another", "nobody"\n', told)
    same(plan["only"]["list"], None, "the list of a plan that is not kept")
    end = run(stand)
    same([end["status"]["records"][word] for word in ("listed", "read", "written")], [4, 4, 4], "records")
    same(end["status"]["only"]["unmatched"], 2, "in the end")
    among("2 of 6 keys that were asked for match nothing", end["verdict"])
    fixed(stand, THERE)
    status = stand.status("fix")
    same(status["only"]["examples"], ["another", "nobody"], "in the status")
    same(stand.path(status["only"]["list"]).read_text(), '"another"\n"nobody"\n', "the list")
    among("2 match nothing", stand.sluice("status", "fix").ended(0).out)
    planned = next(line for line in stand.sluice("audit", "log", "--json").ended(0).lines() if (line.get("action"), line.get("run")) == ("planned", "fix.1"))
    same(planned["details"]["only"]["unmatched"], 2, "in the ledger")
    verified = stand.sluice("verify", "fix", "--json").ended(0).json()
    same([verified["compared"], verified["unvisited"], verified["only"]["unmatched"]], [4, 0, 2], "verified again")
    stand.sluice("rollback", "fix", "--yes").ended(0)
    fixed(stand, set())


@test("a run of given keys goes on where it died, and every one of them is written once; a changed file of keys is another plan")
def _(stand):
    keys = sorted(ROWS)[10:60]
    keys_file(stand, keys)
    loaded(stand, "{ keys: keys.txt }")
    for point in ("cas.after:1", "checkpoint.after:1", "cas.after:1"):
        stand.dies(point, "run", "fix.yaml", "--yes")
    keys_file(stand, keys[1:])
    among("fix.1", stand.sluice("run", "fix.yaml", "--yes").ended(7).err)
    among("a file of keys", stand.sluice("resume", "fix.1").ended(7).err)
    keys_file(stand, keys)
    same(run(stand)["run"], "fix.1", "the run that goes on")
    fixed(stand, set(keys))


@test("a key that comes up while the run is at work, and was asked for, is unvisited; one that was not asked for is nobody's")
def _(stand):
    keys_file(stand, ["k001", "new"])
    loaded(stand, "{ keys: keys.txt }", "stages: [{ name: full, scope: 100%, gate: { approve: nobody } }]")
    run(stand, "fix.yaml", 3)
    extra = {"new": {"id": "new", "v": 1, "n": 5}, "other": {"id": "other", "v": 1, "n": 5}}
    stand.records("more/a.ndjson", extra.values())
    stand.write("more.yaml", LOAD.replace("name: load", "name: more").replace("file:in", "file:more").replace("dataset: items", "dataset: items"))
    stand.sluice("abort", "fix").ended(0)
    stand.sluice("run", "more.yaml", "--yes").ended(0)
    found = stand.sluice("verify", "fix", "--json").ended(0, 4).json()
    same(found["unvisited"], 1, "unvisited")


@test("a range of keys: from the first to before the last, open where null stands")
def _(stand):
    loaded(stand, "{ key_range: [k010, k020] }")
    same(run(stand)["status"]["records"]["listed"], 10, "listed")
    fixed(stand, {f"k{n:03d}" for n in range(10, 20)})
    stand.sluice("rollback", "fix", "--yes").ended(0)
    stand.write("fix.yaml", FIX.format(only="{ key_range: [k095, null] }", more=ONE))
    run(stand)
    fixed(stand, {f"k{n:03d}" for n in range(95, 100)})


@test("partitions by their numbers in a plan of the whole: of a listing they are ranges of keys, and stay that on a resume")
def _(stand):
    loaded(stand, "{ partitions: [3, 7-8, 40] }")
    plan = stand.sluice("plan", "fix.yaml", "--json").ended(0).json()
    same([plan["listed"], plan["partitions"], plan["only"]["matched"], plan["only"]["examples"]], [30, 3, 3, [40]], "plan")
    among("3 of 4 partitions; 1 match nothing: 40\n", stand.sluice("plan", "fix.yaml").ended(0).out)
    stand.dies("checkpoint.after:1", "run", "fix.yaml", "--yes")
    same(run(stand)["status"]["records"]["written"], 30, "written")
    fixed(stand, {f"k{n:03d}" for n in [*range(30, 40), *range(70, 90)]})
    same(stand.sluice("verify", "fix", "--json").ended(0).json()["unvisited"], 0, "unvisited")
    among("fix.1", stand.sluice("rollback", "fix", "--yes").ended(0).out)
    fixed(stand, set())


@test("files: given keys and partitions; what is newest is decided over all of the source, partitions without a key are left out")
def _(stand):
    rows = [dict(row) for row in ROWS.values()] + [dict(ROWS["k003"], v=2, n=1003), {"id": "k005", "v": 0, "n": 7}]
    stand.records("in/a.ndjson", rows)
    stand.write("in/b.ndjson", "{ this is no record\n")
    keys_file(stand, ASKED)
    stand.write("fill.yaml", FILL.format(only="{ keys: keys.txt }", more=ONE))
    plan = stand.sluice("plan", "fill.yaml", "--json").ended(0).json()
    same([plan["listed"], plan["duplicates"], plan["only"]["unmatched"]], [4, 1, 2], "plan")
    must(plan["partitions"] <= 4, plan["partitions"])
    end = run(stand, "fill.yaml")
    same(end["status"]["records"]["written"], 4, "written")
    same({key: row["n"] for key, row in stand.documents("items").items()}, {"k003": 1003, "k070": 70, "k071": 71, "k099": 99}, "records")
    stand.sluice("verify", "fill", "--full").ended(0)
    stand.sluice("rollback", "fill", "--yes").ended(0)
    stand.sluice("run", "fill.yaml", "--again", "--yes").ended(0)
    stand.sluice("rollback", "fill", "--yes").ended(0)
    stand.write("fill.yaml", FILL.format(only="{ partitions: 0 }", more=ONE))
    end = run(stand, "fill.yaml")
    must("k003" not in stand.documents("items"), "the older state of k003 stands in partition 0, and is superseded in another")
    same(sorted(stand.documents("items"))[0], "k000", "the first of partition 0")
    stand.sluice("plan", "fill.yaml", "-o", "p.json").ended(0)
    same(json.loads(stand.read("p.json"))["partitions"].__len__(), 1, "partitions of the plan")


@test("a stage of given keys has the partitions that hold them, and says which of them are nowhere")
def _(stand):
    keys_file(stand, ["k005", "k051", "nobody"])
    stages = "stages: [{ name: these, scope: { keys: keys.txt } }, { name: full, scope: 100% }]"
    loaded(stand, "{ key_range: [k000, k090] }", stages)
    plan = stand.sluice("plan", "fix.yaml", "--json").ended(0).json()
    same([(stage["name"], stage["partitions"]) for stage in plan["stages"]], [("these", 2), ("full", 7)], "stages")
    same(plan["scopes"]["these"]["examples"], ["nobody"], "unmatched")
    run(stand)
    fixed(stand, {f"k{n:03d}" for n in range(90)})
    stand.write("fill.yaml", FILL.format(only="{ key_range: [k000, k090] }", more=stages).replace("dataset: items", "dataset: copy"))
    plan = stand.sluice("plan", "fill.yaml", "--json").ended(0).json()
    same([(stage["name"], stage["partitions"]) for stage in plan["stages"]][0], ("these", 2), "stages of files")
    run(stand, "fill.yaml")
    keys_file(stand, ["nobody"])
    among("none of the keys of keys.txt", stand.sluice("plan", "fix.yaml").ended(9).err)


@test("order: the smallest, newest, oldest partitions first, each with the figure that plan prints; hottest is refused where nobody counts")
def _(stand):
    rows = [{"id": f"k{n:03d}", "v": (n * 7) % 95 if n < 95 else 1000, "n": n, "x": "y" * 50, "at": f"2026-03-{28 - n // 10}T00:00:00Z"} for n in range(95)]
    stand.records("in/a.ndjson", rows)
    stand.write("load.yaml", LOAD)
    stand.write("fix.lua", LUA)
    stand.sluice("run", "load.yaml", "--yes").ended(0)

    def medians():
        parts = [sorted(row["v"] for row in rows[n:n + 10]) for n in range(0, 95, 10)]
        return [part[len(part) // 2] for part in parts]

    def first(order, version="version: v, "):
        spec = FIX.format(only="{ key_range: [k000, null] }", more=f"workers: 1\nstages: [{{ name: some, scope: 2 partitions, order: {order} }}, {{ name: full, scope: 100% }}]")
        stand.write("fix.yaml", spec.replace("dataset: items, only", f"dataset: items, {version}only"))
        return stand.sluice("plan", "fix.yaml", "--json")
    by = medians()
    for order, wanted in (("newest", sorted(range(10), key=lambda i: (-by[i], i))), ("oldest", sorted(range(10), key=lambda i: (by[i], i)))):
        stage = first(order).ended(0).json()["stages"][0]
        same([stage["order"], stage["by"]], [order, "median version of a sample"], "what it goes by")
        same({row["partition"]: row["figure"] for row in stage["figures"]}, {i: float(by[i]) for i in sorted(wanted[:2])}, order)
        among(f"the {order} first, by median version of a sample:", stand.sluice("plan", "fix.yaml").ended(0).out)
    stage = first("newest", "version: at, ").ended(0).json()["stages"][0]
    same([(row["partition"], row["at"]) for row in stage["figures"]], [(0, "2026-03-28T00:00:00.000Z"), (1, "2026-03-27T00:00:00.000Z")], "times")
    among("partition 0 2026-03-28T00:00:00.000Z, partition 1 2026-03-27T00:00:00.000Z", stand.sluice("plan", "fix.yaml").ended(0).out)
    stage = first("smallest").ended(0).json()["stages"][0]
    same([(row["partition"], row["figure"]) for row in stage["figures"]], [(9, 5.0), (0, 10.0)], "smallest")
    done = run(stand)["status"]
    with contextlib.closing(sqlite3.connect(stand.path("home/catalog.db"))) as catalog:
        written = [part for part, in catalog.execute("SELECT part FROM checkpoint JOIN run ON run.id = run WHERE name = ? ORDER BY checkpoint.id", [done["run"]])]
    same((done["state"], written), ("done", [9, 0, *range(1, 9)]), "a run of it")
    among(["fix.yaml:", "takes the hottest partitions first: a store of driver rocksdb keeps no figures"], first("hottest").ended(2).err)
    among("nothing says how old a record is; name the path in source.version", first("newest", "").ended(2).err)
    among("did you mean 'newest'?", first("newset").ended(2).err)


@test("what cannot be meant is refused where it stands: nothing at all, no slots here, ranges that end first, files without keys")
def _(stand):
    loaded(stand, "{ keys: keys.txt }")
    keys_file(stand, ["nobody"])
    among(["fix.yaml:3:", "source.only", "nothing in the source is meant"], stand.sluice("plan", "fix.yaml").ended(9).err)
    keys_file(stand, [])
    among("it holds no key", stand.sluice("plan", "fix.yaml").ended(2).err)
    keys_file(stand, ["k001", '"k'])
    among("keys.txt:2:1: expected a key", stand.sluice("plan", "fix.yaml").ended(2).err)
    stand.path("keys.txt").unlink()
    among("keys.txt", stand.sluice("plan", "fix.yaml").ended(2, 9).err)
    for only, code, words in (
            ("{ slots: 0-99 }", 2, "keys of a store of driver rocksdb lie in no slots"), ("{ slots: 9-3 }", 2, "'9-3' ends before it begins"),
            ("{ slots: [1, 1-2] }", 2, "the number 1 stands in it twice"), ("{ slots: x }", 2, "a number such as 7"),
            ("{ key_range: [b, a] }", 2, "holds no key"), ("{ key_range: [a, a] }", 2, "holds no key"), ("{ key_range: [null, null] }", 2, "leave 'only' out"),
            ("{ key_range: [x, null] }", 9, "nothing in the source is meant"), ("{ partitions: [99] }", 9, "nothing in the source is meant"),
            ("{}", 2, "one of 'keys'"), ("{ keys: a, slots: 3 }", 2, "one of 'keys'"), ("{ key: a }", 2, "did you mean 'keys'?")):
        stand.write("fix.yaml", FIX.format(only=only, more=ONE))
        among(words, stand.sluice("plan", "fix.yaml").ended(code).err)
    must(all(run["spec"] == "load" for run in stand.sluice("list", "--json").json()["runs"]), "a run was planned")
    same([path.name for path in stand.path("home/listing").iterdir() if "unmatched" in path.name or path.name.endswith(".all")], [], "left behind")


run_all()
