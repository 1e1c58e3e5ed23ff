#!/usr/bin/env python3
"""Servers lose writes that sluice had checkpointed: killed without a file and started again from an older one. The run notices and does what was lost once more, and nothing twice: the transform adds one."""

import os
import signal

from livedata import NEVER, read, seed
from servers import each_kind
from stand import must, run_all, same

KEYS = int(os.environ.get("SLUICE_LOST_KEYS", "3000"))
LUA = "function transform(doc) doc.n = tonumber(doc.n) + 1 return doc end\n"
SPEC = """
sluice: 1
name: fix
source: {{ store: "{uri}", dataset: "c:{{id}}", as: hash }}
transform: {{ lua: fix.lua }}
target: {{ store: "{uri}", dataset: "c:{{id}}", as: hash }}
partitions: {{ size: 250 }}
stages: {stages}
protect: {{ errors: 50%, rate: {{ max: {rate}/s }} }}
"""
FULL = "[{ name: full, scope: 100% }]"

def name(n):
    return f"c:{n:07d}"


def seeded(place):
    seed(place, [(name(n), {"id": f"{n:07d}", "n": str(n)}, NEVER) for n in range(KEYS)])


def numbers(place):
    return {key: int(state.fields[b"n"]) for key, state in read(place).items()}


def each_plus(plus):
    return {name(n): n + plus for n in range(KEYS)}


def written(stand, process, share, text="writing"):
    return stand.until(process, lambda line: line["type"] == "progress" and line["text"] == text and line["done"] >= KEYS * share)


def ready(stand, uri, stages=FULL, rate=None):
    stand.write("fix.lua", LUA)
    stand.write("fix.yaml", SPEC.format(uri=uri, stages=stages, rate=rate or KEYS // 4))


def to_the_end(stand, process, spec="fix.yaml", codes=(0,)):
    """The same command goes on where a server that was away for too long has stopped it."""
    done = stand.finish(process, 120)
    times = 0
    while done.code in (3, 6) and times < 5:
        times += 1
        done = stand.sluice("run", spec, "--yes", "--json", timeout=120)
    done.ended(*codes)
    return done


def lost_entries(stand):
    return [entry["details"] for entry in stand.sluice("audit", "log", "--json").ended(0).lines() if entry["action"] == "lost"]


def started_from_file(server):
    server.kill()
    server.start()


@each_kind("killed in the middle and started again from an older file: what was lost is done again, once; then taken back")
def _(stand, servers):
    server = servers.standalone()
    seeded(server)
    ready(stand, f"valkey://{server.address}")
    process = stand.start("run", "fix.yaml", "--yes", "--json")
    written(stand, process, 0.2)
    server.call("SAVE")
    written(stand, process, 0.6)
    before = sum(n != int(key[2:]) for key, n in numbers(server).items())
    started_from_file(server)
    after = sum(n != int(key[2:]) for key, n in numbers(server).items())
    to_the_end(stand, process)
    same(numbers(server), each_plus(1), "each key once")
    must(before - after > KEYS * 0.2, "too few were lost", before, after)
    must(lost_entries(stand), "the ledger does not tell")
    print("#", before, "written,", after, "left of them;", lost_entries(stand), flush=True)
    stand.sluice("verify", "fix").ended(0)
    stand.sluice("rollback", "fix", "--yes").ended(0)
    same(numbers(server), each_plus(0), "each key as before")


@each_kind("sluice and its server are killed, the server comes back from an older file: the run is taken up, each key once")
def _(stand, servers):
    server = servers.standalone()
    seeded(server)
    ready(stand, f"valkey://{server.address}")
    process = stand.start("run", "fix.yaml", "--yes", "--json")
    written(stand, process, 0.2)
    server.call("SAVE")
    written(stand, process, 0.6)
    process.send_signal(signal.SIGKILL)
    process.wait()
    started_from_file(server)
    stand.sluice("run", "fix.yaml", "--yes").ended(0)
    same(numbers(server), each_plus(1), "each key once")
    must(lost_entries(stand), "the ledger does not tell")


@each_kind("a stage that had passed loses its writes while the next one is written: they are done again and verified")
def _(stand, servers):
    server = servers.standalone()
    seeded(server)
    ready(stand, f"valkey://{server.address}", "[{ name: canary, scope: 25% }, { name: full, scope: 100% }]")
    server.call("SAVE") # nothing is written
    process = stand.start("run", "fix.yaml", "--yes", "--json")
    written(stand, process, 0.6)
    started_from_file(server)
    to_the_end(stand, process)
    same(numbers(server), each_plus(1), "each key once")
    same([stage["state"] for stage in stand.status("fix")["stages"]], ["passed", "passed"], "its stages")
    stand.sluice("rollback", "fix", "--yes").ended(0)
    same(numbers(server), each_plus(0), "each key as before")


@each_kind("a rollback loses what it had taken back: it takes it back again")
def _(stand, servers):
    server = servers.standalone()
    seeded(server)
    ready(stand, f"valkey://{server.address}")
    stand.sluice("run", "fix.yaml", "--yes").ended(0)
    process = stand.start("rollback", "fix", "--yes", "--json")
    written(stand, process, 0.2, "rolling back")
    server.call("SAVE")
    written(stand, process, 0.6, "rolling back")
    started_from_file(server)
    done = stand.finish(process, 120)
    for _ in range(5):
        if done.code == 0:
            break
        done = stand.sluice("rollback", "fix", "--yes", timeout=120)
    done.ended(0)
    same(numbers(server), each_plus(0), "each key as before")
    must(lost_entries(stand), "the ledger does not tell")


@each_kind("what the application writes onto a server that has lost writes is in doubt, and left as it is")
def _(stand, servers):
    server = servers.standalone()
    seeded(server)
    ready(stand, f"valkey://{server.address}")
    server.call("SAVE")
    process = stand.start("run", "fix.yaml", "--yes", "--json")
    written(stand, process, 0.4)
    process.send_signal(signal.SIGKILL)
    process.wait()
    started_from_file(server)
    server.call("HSET", name(0), "n", "5000")
    stand.sluice("run", "fix.yaml", "--yes").ended(4, 8)
    same(numbers(server), dict(each_plus(1), **{name(0): 5000}), "each other key once")
    same(stand.status("fix")["records"]["in_doubt"], 1, "keys in doubt")
    stand.sluice("rollback", "fix", "--yes").ended(0, 8)
    same(numbers(server), dict(each_plus(0), **{name(0): 5000}), "each other key as before")


if __name__ == "__main__":
    run_all()
