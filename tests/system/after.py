#!/usr/bin/env python3
"""A spec that comes after others: it waits for their newest runs, says for whom, and begins when they are done."""

import signal

from stand import among, must, run_all, same, test

LOAD = """sluice: 1
name: load
source: { store: "file:in", dataset: "*.ndjson", key: id }
target: { store: "rocksdb:live", dataset: items }
stages: [{ name: full, scope: 100%, gate: { approve: nobody } }]
"""
FIX = """sluice: 1
name: fix
after: [load]
source: { store: "rocksdb:other", dataset: items }
transform: { lua: fix.lua }
target: { store: "rocksdb:other", dataset: items }
stages: [{ name: full, scope: 100% }]
"""
SEED = LOAD.replace("name: load", "name: seed").replace("rocksdb:live", "rocksdb:other").replace(", gate: { approve: nobody }", "")
LUA = "function transform(doc) doc.n = doc.n * 2 + 1 return doc end\n"


def ready(stand):
    stand.records("in/a.ndjson", [{"id": f"k{n}", "n": n} for n in range(50)])
    stand.write("fix.lua", LUA)
    stand.write("seed.yaml", SEED)
    stand.write("load.yaml", LOAD)
    stand.write("fix.yaml", FIX)
    stand.sluice("run", "seed.yaml", "--yes").ended(0)


def waits(words):
    return lambda line: line["type"] == "progress" and words in (line["text"] or "")


def approved(stand):
    """The other run, to its end: its gate is nobody's, so the spec is mended and takes over."""
    stand.write("load.yaml", LOAD.replace(", gate: { approve: nobody }", ""))
    stand.sluice("run", "load.yaml", "--supersede", "load.1", "--yes").ended(0)


@test("it waits while there is no run of the other, and while one is not done; then it plans and runs by itself")
def _(stand):
    ready(stand)
    process = stand.start("run", "fix.yaml", "--yes", "--json")
    stand.until(process, waits("waits for load, of which there is no run in this home"))
    stand.sluice("run", "load.yaml", "--yes").ended(3)
    stand.until(process, waits("load.1 is waiting"))
    must(all(run["spec"] != "fix" for run in stand.sluice("list", "--json").json()["runs"]), "it was planned too early")
    approved(stand)
    end = stand.finish(process).ended(0).lines()[-1]
    same([end["run"], end["state"], end["status"]["after"]], ["fix.1", "done", ["load"]], "its end")
    same(sorted(row["n"] for row in stand.documents("items", store="rocksdb:other").values()), [2 * n + 1 for n in range(50)], "records")


@test("one that needs a person is told at once, --exit-on-pause does not wait, a signal ends the waiting; nothing is recorded")
def _(stand):
    ready(stand)
    among("no run in this home", stand.sluice("run", "fix.yaml", "--yes", "--exit-on-pause").ended(3).err)
    stand.sluice("run", "load.yaml", "--yes").ended(3)
    process = stand.start("run", "fix.yaml", "--yes", "--json")
    stand.until(process, waits("load.1 is waiting"))
    process.send_signal(signal.SIGTERM)
    among("interrupted", stand.finish(process).ended(3).err)
    stand.sluice("pause", "load", "--reason", "for lunch").ended(0)
    among("fix waits for load: load.1 is paused: for lunch", stand.sluice("run", "fix.yaml", "--yes").ended(3).err)
    stand.sluice("abort", "load").ended(0)
    among("load.1 is aborted", stand.sluice("run", "fix.yaml", "--yes").ended(3).err)
    same([run["run"] for run in stand.sluice("list", "--json").json()["runs"]], ["load.1", "seed.1"], "runs")


@test("a plan that is kept: its run is `waiting`, with the reason; a pause and an abort are heard; killed, it waits again")
def _(stand):
    ready(stand)
    stand.sluice("plan", "fix.yaml", "-o", "p.json").ended(0)
    process = stand.start("run", "--plan", "p.json", "--json")
    stand.until(process, waits("no run in this home"))
    same(stand.status("fix")["state"], "waiting", "state")
    among("waits for load", stand.status("fix")["reason"])
    process.kill()
    process.wait()
    among("waits for load", stand.sluice("run", "fix.1", "--yes", "--exit-on-pause").ended(3).err)
    process = stand.start("run", "fix.1", "--yes", "--json")
    stand.until(process, waits("no run in this home"))
    stand.sluice("pause", "fix", "--reason", "wait").ended(0)
    stand.finish(process).ended(3)
    same(stand.status("fix")["state"], "paused", "state")
    process = stand.start("resume", "fix.1", "--json")
    stand.until(process, waits("no run in this home"))
    stand.sluice("run", "load.yaml", "--yes").ended(3)
    approved(stand)
    stand.finish(process).ended(0)
    same(stand.status("fix")["state"], "done", "state")
    stand.sluice("audit", "verify").ended(0)


@test("waiting for itself is refused where it says so, and so are two that wait for each other")
def _(stand):
    ready(stand)
    stand.write("fix.yaml", FIX.replace("[load]", "[load, fix]"))
    among("fix.yaml:3:15: 'fix' is this spec itself", stand.sluice("plan", "fix.yaml").ended(2).err)
    stand.write("fix.yaml", FIX.replace("[load]", "[load, load]"))
    among("stands in it twice", stand.sluice("plan", "fix.yaml").ended(2).err)
    stand.write("fix.yaml", FIX.replace("[load]", "load"))
    among("a list of names", stand.sluice("plan", "fix.yaml").ended(2).err)
    stand.write("fix.yaml", FIX)
    stand.sluice("plan", "fix.yaml", "-o", "p.json").ended(0)
    stand.sluice("run", "--plan", "p.json", "--exit-on-pause").ended(3)
    stand.write("load.yaml", LOAD + "after: [fix]\n")
    among("load would wait for fix.1, which waits for load", stand.sluice("run", "load.yaml", "--yes").ended(7).err)


run_all()
