#!/usr/bin/env python3
"""measures: named figures before a run, forecast, and after it, with limits."""

import json

from servers import wait_for
from stand import among, must, run_all, same, test

ROWS = 100
SPEC = """
sluice: 1
name: load
source: {{ store: "rocksdb:src", dataset: items }}
target: {{ store: "rocksdb:live", dataset: items }}
transform: {{ lua: load.lua }}
partitions: {{ count: 4 }}
stages: [{{ name: canary, scope: 1% }}, {{ name: full, scope: 100% }}]
measures:
{measures}
"""
ALL = """
  - { name: all, count: true }
  - { name: total, sum: price, change: 100% }
  - { name: kinds, distinct: kind, most: 3 }
  - { name: queue, run: ./queue.sh, least: 1, most: 2.5 }
"""


def ready(stand, measures=ALL, queue="echo 2.5\n"):
    stand.put("items", [f'k{n:03d}\t{{"price": {n}.10, "kind": "{"abc"[n % 3]}"}}\t0' for n in range(ROWS)], store="rocksdb:src")
    stand.put("items", ['x\t{"price": 5000.05, "kind": "a"}\t0', 'y\t{"price": null}\t0'])
    stand.write("load.lua", "function transform(doc) return doc end\n")
    stand.write("queue.sh", "#!/bin/sh\n" + queue).chmod(0o755)
    stand.write("load.yaml", SPEC.format(measures=measures))


def figures(done):
    return {one["name"]: (one["before"], one["forecast"], one["after"], one["holds"]) for one in done["measures"]}


@test("figures are taken before the first write, foretold by a sample, taken at the last gate, and stand in verdict, JSON, page and ledger")
def _(stand):
    ready(stand)
    done = stand.sluice("run", "load.yaml", "--yes").ended(0)
    done = stand.sluice("verify", "load.1", "--json").ended(0).json()
    same(figures(done), {"all": ("2", "102", "102", True), "total": ("5000.05", "9960.05", "9960.05", True), "kinds": ("1", None, "3", True),
                         "queue": ("2.5", None, "2.5", True)}, "figures")
    among("4 of 4 measures are what they may become", done["sentence"])
    among(["What was measured", "5000.05 before, 9960.05 forecast, 9960.05 now"], stand.path(done["page"]).read_text())
    entries = [json.loads(text) for text in stand.sluice("audit", "log", "--json").ended(0).out.splitlines()]
    text = json.dumps(entries)
    must(text.count('"measured"') == 1 and "5000.05" in text, "the ledger has them once")
    same(figures(stand.sluice("verify", "load.yaml", "--json").ended(0).json())["total"], (None, None, "9960.05", True), "a spec has no before")


@test("a run that has begun and counts no record yet says what comes first, while figures are taken; and no more once one is counted")
def _(stand):
    ready(stand, queue="while [ ! -e counted ]; do sleep 0.1; done\necho 2.5\n")
    process = stand.start("run", "load.yaml", "--yes", "--json")
    words = wait_for(lambda: stand.sluice("status", "load").out.partition("nothing is checkpointed yet since ")[2], "what comes first", 60)
    among("opens its lanes, and writes a first batch", words)
    among("nothing is checkpointed yet", stand.status("load")["watchdog"]["words"])
    among("nothing is checkpointed yet", stand.run(["bash", "-c", f"{stand.programs.sluice} watch load | head -n 1"]).out)
    stand.write("counted", "")
    stand.finish(process, 120).ended(0)
    must("nothing is checkpointed" not in stand.sluice("status", "load").ended(0).out, "it is said still")


@test("one beyond its limits fails the last gate and is named with both figures; what cannot be had does not hold where it is limited")
def _(stand):
    ready(stand, """
  - { name: all, count: true, change: 0% }
  - { name: total, sum: price, change: 99% }
  - { name: kinds, distinct: kind, least: 4 }
  - { name: dearest, sum: price, most: 9960.04 }
  - { name: odd, sum: kind, change: 5% }
  - { name: queue, run: ./queue.sh, least: 1 }
  - { name: shown, run: ./queue.sh }
""", queue="exit 3\n")
    done = stand.sluice("run", "load.yaml", "--yes").ended(4)
    among(["6 of 7 measures are not what they may become", "all: 2 before and 102 now: more than 0% apart"], done.out + done.err)
    same(stand.status()["stages"][0]["state"], "passed", "the canary")
    done = stand.sluice("verify", "load.1", "--json").ended(4).json()
    why = {one["name"]: one["why"] for one in done["measures"]}
    same({one["name"] for one in done["measures"] if one["holds"]}, {"shown"}, "what holds")
    for name, words in (("total", "5000.05 before and 9960.05 now: more than 99% apart"), ("kinds", "3, and 4 at least was expected"),
                        ("dearest", "9960.05, and 9960.04 at most was expected"), ("odd", "no number"), ("queue", "it ended with 3")):
        among(words, why[name])
    stand.sluice("rollback", "load.1", "--yes").ended(0)


@test("of a source that has nothing all is foretold that the dataset itself tells, different values too")
def _(stand):
    ready(stand)
    stand.write("load.yaml", stand.read("load.yaml").replace('store: "rocksdb:src", dataset: items', 'store: "file:in", dataset: "*.ndjson", key: id').replace("stages: [{ name: canary, scope: 1% }, { name: full, scope: 100% }]\n", ""))
    stand.write("in/none.ndjson", "")
    stand.sluice("run", "load.yaml", "--yes").ended(0, 4)
    done = stand.sluice("verify", "load.1", "--json").ended(0, 4).json()
    same({name: row[:2] for name, row in figures(done).items()}, {"all": ("2", "2"), "total": ("5000.05", "5000.05"), "kinds": ("1", "1"), "queue": ("2.5", None)}, "figures")


@test("a run that dies and is resumed is held against the figures from before it")
def _(stand):
    ready(stand, "  - { name: all, count: true, change: 100% }\n")
    stand.dies("checkpoint.after:1", "run", "load.yaml", "--yes")
    done = stand.sluice("run", "load.yaml", "--yes").ended(4)
    among("all: 2 before and 102 now", done.out + done.err)


@test("measures that say nothing, or two things, are refused with their place")
def _(stand):
    for wrong, words in (("{ name: x }", "a measure is of one thing"), ("{ name: x, count: true, sum: a }", "a measure is of one thing"), ("{ name: x, count: false }", "'count' is true"),
                         ("{ name: x, prometheus: 'http://h', change: 1% }", "has a 'query'"), ("{ name: x, sum: a, query: b }", "has a 'query'"),
                         ("{ name: x, sum: a, timeout: 5s }", "for a measure of what is outside"), ("{ name: x, sum: a, least: b }", "a number such as"),
                         ("{ name: x, sum: a, least: 10, most: 5.5 }", "'least: 10' is above 'most: 5.5' on line"),
                         ("{ name: x, sum: a, change: 0.1 }", "a share"), ("{ name: x, sum: a }\n  - { name: x, sum: a }", "was there already"),
                         ("{ name: x, cuont: true }", "did you mean 'count'")):
        ready(stand, f"  - {wrong}\n")
        among(["load.yaml:", words], stand.sluice("plan", "load.yaml").ended(2).err, wrong)
    ready(stand)
    stand.write("load.yaml", stand.read("load.yaml").replace("dataset: items }\ntransform", "dataset: items, write: shadow }\ntransform"))
    among("'measures' are of the live dataset", stand.sluice("plan", "load.yaml").ended(2).err)


run_all()
