#!/usr/bin/env python3
"""plan, plan files, and runs of them: what is forecast, what is frozen, and what a run of it refuses to run on."""

import json
import re

from stand import among, must, run_all, same, test

LOAD = """sluice: 1
name: load
source: { store: "file:in", dataset: "*.ndjson", key: id, version: v }
target: { store: "rocksdb:db", dataset: items }
partitions: { size: 100 }
protect: { rejects: 100% }
contract: item.contract.yaml
"""
CONTRACT = """contract: 1
name: item
fields:
  id: { type: string, required: true }
  v: { type: int, required: true }
  n: { type: int, min: 0 }
"""
ADD = """sluice: 1
name: add
source: { store: "rocksdb:db", dataset: items }
transform: { lua: add.lua }
target: { store: "rocksdb:db", dataset: items }
partitions: { size: 100 }
stages:
  - { name: canary, scope: 1% }
  - { name: half, scope: 500 records, gate: { soak: 10ms } }
  - { name: full, scope: 100% }
"""
LUA = "function transform(doc, ctx)\n  doc.n = doc.n + 1\n  return doc\nend\n"
RECORDS = 1000


def line(number, n=None):
    return json.dumps({"id": f"k{number:04}", "v": 1, "n": number if n is None else n}) + "\n"


def files(stand, bad=0):
    """A thousand records; the first `bad` of them are refused."""
    (stand.dir / "in").mkdir()
    stand.write("in/a.ndjson", "".join(line(i, -1 if i < bad else None) for i in range(RECORDS)))
    stand.write("load.yaml", LOAD)
    stand.write("item.contract.yaml", CONTRACT)
    stand.write("add.yaml", ADD)
    stand.write("add.lua", LUA)


def loaded(stand):
    files(stand)
    stand.sluice("run", "load.yaml", "--yes").ended(0)


def refused(stand, *words):
    done = stand.sluice("run", "--plan", "plan.json").ended(7)
    among(["plan.json", *words], done.err)
    return done


@test("plan: the forecast of a sample that is all there is is what the run then counts")
def _(stand):
    files(stand, bad=10)
    planned = stand.sluice("plan", "load.yaml", "--json").ended(0).json()
    same(planned["listed"], RECORDS, "listed")
    same(planned["forecast"]["sampled"], RECORDS, "sampled")
    stand.sluice("run", "load.yaml", "--yes").ended(8)
    counted = stand.sluice("status", "load", "--json").ended(0).json()["records"]
    for word in ("written", "rejected", "unchanged", "kept_live"):
        same(planned["forecast"]["records"][word], counted[word], word)
    same((counted["written"], counted["rejected"]), (RECORDS - 10, 10), "counts")


@test("plan: writes neither target nor catalog, and leaves no listing behind")
def _(stand):
    loaded(stand)
    before = stand.sluice("cat", "rocksdb:db", "items").ended(0).out
    runs = stand.sluice("list", "--json").ended(0).json()
    left = sorted(path.name for path in (stand.dir / "home" / "listing").iterdir())
    stand.sluice("plan", "add.yaml").ended(0)
    same(stand.sluice("cat", "rocksdb:db", "items").ended(0).out, before, "records")
    same(stand.sluice("list", "--json").ended(0).json(), runs, "runs")
    same(sorted(path.name for path in (stand.dir / "home" / "listing").iterdir()), left, "listings")


@test("plan: stages as they will be, cumulative and in whole partitions; the riskiest partition is the canary")
def _(stand):
    files(stand)
    stand.write("in/a.ndjson", "".join(line(i, -1 if 700 <= i < 716 else None) for i in range(RECORDS)))
    planned = stand.sluice("plan", "load.yaml", "--json").ended(0).json()
    same([(stage["name"], stage["partitions"]) for stage in planned["stages"]], [("canary", 1), ("ramp", 2), ("full", 7)],
         "stages")
    riskiest = planned["risk"][0]
    same((riskiest["stage"], riskiest["refused"] > 0.9), ("canary", True), "the riskiest")
    text = stand.sluice("plan", "load.yaml").ended(0).out
    among(["canary", "of a probe refused; in stage canary", "target.write               fill", "by default"], text)


@test("plan --detailed-exitcode: 10 where something would be done, 0 where nothing would")
def _(stand):
    loaded(stand)
    stand.sluice("plan", "add.yaml", "--detailed-exitcode").ended(10)
    stand.write("add.lua", "function transform(doc, ctx) return doc end\n")
    stand.sluice("plan", "add.yaml", "--detailed-exitcode").ended(0)


@test("run --plan: runs exactly what the file holds, under its digest; a second time it is done already")
def _(stand):
    loaded(stand)
    planned = stand.sluice("plan", "add.yaml", "-o", "plan.json", "--json").ended(0).json()
    stand.sluice("run", "--plan", "plan.json").ended(0)
    status = stand.sluice("status", "add", "--json").ended(0).json()
    same(status["plan_digest"], planned["digest"], "digest")
    same([stage["partitions"]["total"] for stage in status["stages"]],
         [stage["partitions"] for stage in planned["stages"]], "partitions")
    among("done already", stand.sluice("run", "--plan", "plan.json").ended(0).err)
    same(len(stand.sluice("list", "--json").ended(0).json()["runs"]), 2, "runs")


@test("run --plan: killed in the middle, the same command goes on with the same run")
def _(stand):
    loaded(stand)
    stand.sluice("plan", "add.yaml", "-o", "plan.json").ended(0)
    stand.dies("cas.after:3", "run", "--plan", "plan.json")
    stand.sluice("run", "--plan", "plan.json").ended(0)
    records = [json.loads(text) for text in stand.sluice("cat", "rocksdb:db", "items").ended(0).out.splitlines()]
    same([record["n"] for record in records], [number + 1 for number in range(RECORDS)], "n")
    same(len(stand.sluice("list", "--json").ended(0).json()["runs"]), 2, "runs")


@test("run --plan: what has moved since is refused by name: spec, contract, transform, listing, files, size, target, home")
def _(stand):
    loaded(stand)
    stand.sluice("plan", "add.yaml", "-o", "plan.json").ended(0)
    for name, words in (("add.yaml", "the spec has changed"), ("add.lua", "the transform has changed")):
        text = stand.read(name)
        stand.write(name, text + "\n")
        refused(stand, words)
        stand.write(name, text)
    stand.sluice("run", "--plan", "plan.json", "--home", "elsewhere").ended(7)
    more = "".join(line(number) for number in range(RECORDS, RECORDS + 200))
    stand.write("in/a.ndjson", more)
    stand.sluice("run", "load.yaml", "--yes").ended(0)
    refused(stand, "grown or shrunk by more than a tenth (1000 keys then, 1200 now)")
    for path in (stand.dir / "home" / "listing").glob("*.list"):
        path.unlink()
    refused(stand, "its listing in the home is gone or damaged")

    stand.sluice("plan", "load.yaml", "-o", "plan.json").ended(0)
    stand.write("item.contract.yaml", CONTRACT + "# more\n")
    refused(stand, "the contract has changed")
    stand.write("item.contract.yaml", CONTRACT)
    stand.write("in/a.ndjson", more + line(9999))
    refused(stand, "the source's files have changed")
    stand.write("in/a.ndjson", more)
    (stand.dir / "db").rename(stand.dir / "was")
    refused(stand, "the target is another one")


@test("run --plan: a file that is no plan, is damaged or missing; a plan and a spec at once; neither")
def _(stand):
    loaded(stand)
    stand.sluice("plan", "add.yaml", "-o", "plan.json").ended(0)
    text = stand.read("plan.json")
    for broken in ("", "{", "[]", '{"sluice_plan": 1}', text.replace("canary", "canarz"), text[:len(text) // 2]):
        stand.write("plan.json", broken)
        among(["plan.json", "sluice plan SPEC -o"], stand.sluice("run", "--plan", "plan.json").ended(6).err)
    stand.write("plan.json", text.replace('"sluice_plan": 1', '"sluice_plan": 2'))
    among(["plan.json", "format 2", "plan again"], stand.sluice("run", "--plan", "plan.json").ended(7).err)
    stand.sluice("run", "--plan", "missing.json").ended(9)
    among("not both", stand.sluice("run", "add.yaml", "--plan", "plan.json").ended(2).err)
    among("a spec was expected", stand.sluice("run").ended(2).err)
    among("-o FILE", stand.sluice("plan", "add.yaml", "-o").ended(2).err)


@test("plan: an explicit stage that would hold nothing is refused at its place; a default one is left out")
def _(stand):
    loaded(stand)
    stand.write("add.yaml", ADD.replace("500 records", "2%"))
    among(["add.yaml:", "'half' would hold no partition", "partitions.size"], stand.sluice("plan", "add.yaml").ended(2).err)
    stand.write("add.yaml", ADD[:ADD.index("stages:")].replace("size: 100", "count: 2"))
    planned = stand.sluice("plan", "add.yaml", "--json").ended(0).json()
    same([stage["name"] for stage in planned["stages"]], ["canary", "full"], "stages")


@test("plan --show-spec: every value in force with its origin: the line of the spec, the default, an option, a variable")
def _(stand):
    loaded(stand)
    env = dict(stand.environment(), SLUICE_LOG_LEVEL="warn")
    values = stand.sluice("plan", "add.yaml", "--show-spec", "--json", "--out", "p.json", env=env).ended(0).json()["values"]
    found = {row["key"]: (row["value"], row["origin"], row["where"]) for row in values}
    same(len(found), len(values), "keys that stand once")
    for key, wanted in {"name": ("add", "spec", "add.yaml:2"), "partitions.size": ("100", "spec", "add.yaml:6"),
                        "stages[1].gate.soak": ("10ms", "spec", "add.yaml:9"), "stages[1].gate.verify": ("full", "default", None),
                        "workers": ("2", "default", None), "target.write": ("in-place", "default", None), "reason": (None, "default", None),
                        "protect.skew": ("500ms", "default", None), "source.duplicates": ("error", "default", None),
                        "--home": ("home", "variable", "SLUICE_HOME"), "--log-level": ("warn", "variable", "SLUICE_LOG_LEVEL"),
                        "--out": ("p.json", "option", "--out"), "--json": ("on", "option", "--json")}.items():
        same(found[key], wanted, key)
    known = [row for row in stand.sluice("explain", "spec", "--json").ended(0).json()["entries"] if row["kind"] == "spec" and row["acts"]]
    shown = {re.sub(r"\[[0-9]+\]", "[]", key) for key in found}
    for row in known: # a map shows what stands in it, or that it is not there
        must(row["name"] in shown or any(key.startswith(row["name"]) or row["name"].startswith((key + ".", key + "[]")) for key in shown), row["name"])
    words = stand.sluice("plan", "add.yaml", "--show-spec", "--home", "./home").ended(0).out
    among(["in force", "add.yaml:9", "--home "], words)
    must(words.rstrip().endswith("--show-spec"), words)
    must("in force" not in stand.sluice("plan", "add.yaml").ended(0).out, "unasked")


run_all()
