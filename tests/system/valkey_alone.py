#!/usr/bin/env python3
"""Repairs on one server and behind Sentinel while an application writes the very keys: a restart and a failover in the middle,
sluice killed, files filled in, and all of it taken back. SLUICE_LIVE_KEYS says how many keys."""

import os
import signal
import time

from livedata import NEVER, Judge, began, busy, read, rows, seed, uri_of, write_fix
from servers import each_kind, wait_for
from stand import must, run_all, same

KEYS = int(os.environ.get("SLUICE_LIVE_KEYS", "5000"))

MORE = """\
partitions: {{ size: 250 }}
stages: [{{ name: full, scope: 100% }}]
protect: {{ errors: 50%, kept_live: 100%, rate: {{ max: {rate}/s }} }}
"""
FILL = """
sluice: 1
name: fill
source: {{ store: "file:in", dataset: "*.ndjson", key: id }}
target: {{ store: "{uri}", dataset: "c:{{id}}", as: hash }}
protect: {{ rate: {{ max: 5000/s }} }}
"""


def to_the_end(stand, process):
    """The same command goes on where it was stopped."""
    code, times = stand.finish(process, 120).ended(0, 3, 6, 8).code, 0
    while code in (3, 6) and times < 5:
        times += 1
        code = stand.sluice("run", "fix.yaml", "--yes", timeout=120).ended(0, 3, 6, 8).code
    must(code in (0, 8), "it was never done")
    return times


def repaired_while(stand, place, server, uri, happens, **more):
    seed(server, rows(KEYS))
    begin = read(server)
    write_fix(stand, uri, MORE.format(rate=KEYS // 4))
    with busy(stand, place, KEYS, processes=1, rate=200, **more) as box:
        run_begin = time.time()
        process = began(stand)
        now = happens(process)
        times = to_the_end(stand, process)
    judge = Judge(now, begin, box.story, run_begin)
    counts = judge.each(judge.repair).must_hold()
    print("#", box.story.words(), dict(counts), "begun again", times, "times", flush=True)
    must(counts["repaired, and written by the application"] >= 20, "too few were written by the application")
    nothing_was_lost(stand)


def nothing_was_lost(stand):
    """And so nothing was looked at again, nor is anything in doubt, whatever the application has written since."""
    log = stand.sluice("audit", "log", "--json").ended(0).lines()
    same([entry["details"] for entry in log if entry["action"] == "lost"], [], "what counted as lost")
    same(stand.status("fix")["records"]["in_doubt"], 0, "keys in doubt")


@each_kind("one server that is killed and started again from its file in the middle: each key once, no write lost")
def _(stand, servers):
    server = servers.standalone(appendonly="yes", appendfsync="everysec")

    def happens(_):
        server.kill() # what it has told the system to write, the system has
        server.start()
        return server
    repaired_while(stand, server, server, uri_of(server), happens)


@each_kind("behind Sentinel, with a failover in the middle: each key once")
def _(stand, servers):
    watched = servers.sentinels()
    first = watched.master()
    uri = "valkey://" + ",".join(each.address for each in watched.sentinels) + f"?sentinel={watched.name}"

    def happens(_):
        wait_for(lambda: first.info("replication")["connected_slaves"] == 1, "a replica")
        return watched.fail_over()
    repaired_while(stand, watched, first, uri, happens, name=watched.name)


@each_kind("filled from files, killed on the way and taken up again; taken back nothing of it is left")
def _(stand, servers):
    server = servers.standalone()
    seed(server, [("c:0000003", {"id": "0000003", "mine": "1"}, NEVER)])
    stand.records("in/a.ndjson", ({"id": f"{n:07d}", "n": n} for n in range(KEYS)))
    stand.write("fill.yaml", FILL.format(uri=uri_of(server)))
    process = stand.start("run", "fill.yaml", "--yes", "--json")
    stand.until(process, lambda line: line["type"] == "progress" and line["text"] == "writing" and line["done"] > 0)
    process.send_signal(signal.SIGKILL)
    process.wait()
    stand.sluice("run", "fill.yaml", "--yes").ended(8)
    found = read(server)
    same({key: state.fields[b"n"] for key, state in found.items() if key != "c:0000003"},
         {f"c:{n:07d}": str(n).encode() for n in range(KEYS) if n != 3}, "what was filled")
    same(found["c:0000003"].fields, {b"id": b"0000003", b"mine": b"1"}, "what stood there")
    stand.sluice("rollback", "fill", "--yes").ended(0)
    same(list(read(server)), ["c:0000003"], "what is left")


if __name__ == "__main__":
    run_all()
