"""A repair that takes about two seconds, for tests that stop it in the middle, and what must stand afterwards."""

import json

from stand import must, same

ROWS = 4000

LOAD = """
sluice: 1
name: load
source: {{ store: "file:in", dataset: "*.ndjson", key: id }}
target: {{ store: "rocksdb:live", dataset: items }}
partitions: {{ count: 2 }}
protect: {{ rate: {{ max: {rate}/s }} }}
"""

FIX = """
sluice: 1
name: fix
source: {{ store: "rocksdb:live", dataset: items }}
transform: {{ lua: fix.lua }}
target: {{ store: "rocksdb:live", dataset: items }}
partitions: {{ count: 2 }}
protect: {{ rate: {{ max: {rate}/s }} }}
"""

FIX_LUA = "function transform(doc) doc.n = doc.n * 2 + 1 return doc end\n"


def key(n):
    return f"k{n:05d}"


def line(n, value, **more):
    return f"{key(n)}\t" + json.dumps({"id": key(n), "n": value, **more}) + "\t0"


def notes(stand, run):
    path = stand.path(f"home/reports/{run}/notes.ndjson")
    return [entry for entry in stand.sluice("dump", str(path)).ended(0).lines() if "code" in entry] if path.exists() else []


def seed(stand, rows=ROWS, rate=2000):
    stand.records("in/a.ndjson", ({"id": f"k{n:05d}", "n": n} for n in range(rows)))
    stand.write("load.yaml", LOAD.format(rate=rate))
    stand.write("fast.yaml", LOAD.format(rate=1000000).replace("name: load", "name: fast"))
    stand.write("fix.yaml", FIX.format(rate=rate))
    stand.write("fix.lua", FIX_LUA)


def ready(stand, rate=2000):
    """A store with records, and a repair of them that takes about two seconds."""
    seed(stand, rate=rate)
    stand.sluice("run", "fast.yaml", "--yes").ended(0)


def writing(line):
    return line["type"] == "progress" and line["text"] == "writing" and line["done"] > 0


def started(stand, *command):
    process = stand.start(*command, "--json")
    stand.until(process, writing)
    return process


def ended(stand, process, state, code):
    done = stand.finish(process).ended(code)
    end = done.lines()[-1]
    same((end["type"], end["state"], end["exit"]), ("end", state, code), "how it ended")
    return end


def once(stand, rows=ROWS):
    same(stand.documents("items"), {f"k{n:05d}": {"id": f"k{n:05d}", "n": n * 2 + 1} for n in range(rows)}, "records")
