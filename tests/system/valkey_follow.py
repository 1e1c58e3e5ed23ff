#!/usr/bin/env python3
"""verify --follow: rounds that find what changed and what was mended, that a mended transform makes anew, and that end at Ctrl-C."""

import json
import signal

from servers import each_kind, wait_for
from stand import among, must, run_all, same, test

ROWS = 200
SPEC = """
sluice: 1
name: load
source: {{ SOURCE }}
transform: {{ lua: load.lua }}
target: {{ store: "valkey://{address}", dataset: "k:{{id}}", as: hash }}
partitions: {{ size: 50 }}
"""
FILES = 'store: "file:in", dataset: "*.ndjson", key: id'
LUA = "function transform(doc) doc.seen = '1' return doc end\n"


def loaded(stand, server, source=FILES):
    records = [{"id": f"{n:04d}", "v": str(n)} for n in range(ROWS)]
    stand.records("in/a.ndjson", records)
    pipe = server.client().pipeline(transaction=False)
    for record in records:
        pipe.hset(f"s:{record['id']}", mapping=record)
    pipe.execute()
    stand.write("load.lua", LUA)
    stand.write("load.yaml", SPEC.replace("SOURCE", source).format(address=server.address))
    stand.sluice("run", "load.yaml", "--yes").ended(0)


def following(stand, *arguments, every="20ms"):
    """The process, and what reads its lines until one is as wanted."""
    process = stand.start("verify", *arguments, "--follow", "--every", every, "--json")
    return process, lambda **wanted: stand.until(process, lambda line: all(line.get(name) == value for name, value in wanted.items()))[-1]


def ended(stand, process, status):
    process.send_signal(signal.SIGINT)
    return [json.loads(text) for text in stand.finish(process).ended(status).out.splitlines()][-1]


@each_kind("of a spec: what was changed and what was mended is told by the next round, a mended transform is verified by, a broken one is no end", slow=True)
def _(stand, servers):
    server = servers.standalone()
    loaded(stand, server)
    client = server.client()
    process, until = following(stand, "load.yaml", "--rate", "100000/s")
    first = until(type="verify")
    same((first["round"], first["verdict"], first["equal"], first["kept"]), (1, "pass", ROWS, True), "the first round")
    must(stand.path(first["report"]).exists(), "its report")
    again = until(round=2)
    must(not again["kept"] and not stand.path(again["report"]).exists(), "a report with nothing new is kept")
    client.hset("k:0007", "v", "wrong")
    client.delete("k:0008")
    found = until(type="verify", verdict="fail", missing=1, compared=ROWS)
    must(found["kept"], "a report with something new is gone")
    among(['"0007"', '"0008"'], stand.path(found["report"]).read_text())
    must(not until(type="verify", verdict="fail")["kept"], "the same is kept twice")
    client.hset("k:0007", "v", "7")
    client.hset("k:0008", mapping={"id": "0008", "v": "8", "seen": "1"})
    must(until(type="verify", verdict="pass")["kept"], "that all is well again is news")
    stand.write("load.lua", "function transform(doc) doc.seen = '2' return doc end\n")
    same(until(type="changed")["what"], ["transform"], "what has changed")
    must(until(type="verify")["verdict"] == "fail", "verified by the old one")
    stand.write("load.lua", "function transform(doc")
    among("load.lua", until(type="error")["message"])
    stand.write("load.lua", LUA)
    until(type="verify", verdict="pass")
    end = ended(stand, process, 0)
    same((end["type"], end["verdict"], end["exit"]), ("end", "pass", 0), "the end")
    process, until = following(stand, "load.yaml", "--rate", "100000/s", every="1d")
    until(round=1)
    stand.write("load.lua", LUA + "-- as before\n")
    must(until(type="changed") and until(round=2)["verdict"] == "pass", "what is new is not waited for a day")
    ended(stand, process, 0)


@each_kind("of a run: by the sums of its gates, key by key what changed since; its catalog has the reports that say something new", slow=True)
def _(stand, servers):
    server = servers.standalone()
    loaded(stand, server, 'store: "valkey://{address}", dataset: "s:{{id}}", as: hash')
    process, until = following(stand, "load.1", "--rate", "100000/s")
    must(until(type="verify", verdict="pass")["by_sums"] > 0, "not by sums")
    until(round=3)
    server.client().delete("k:0011")
    found = until(type="verify", verdict="fail", missing=1)
    must(found["looked_at"] == 1 or found["in_full"] > 0, f"what changed is not looked at: {found}")
    end = ended(stand, process, 4)
    same((end["verdict"], end["exit"]), ("fail", 4), "the end")
    reports = sum(line.get("action") == "report" for line in stand.sluice("audit", "log", "--json").ended(0).lines())
    must(0 < reports <= 3, f"{reports} reports in the ledger")
    stand.sluice("repair", "load.1", "--yes").ended(0)
    same(server.client().hget("k:0011", "v"), b"11", "repaired from its report")


@each_kind("it stops in the middle of a round that its rate makes last for minutes; a first round that cannot be is an end; what says nothing is refused", slow=True)
def _(stand, servers):
    server = servers.standalone()
    loaded(stand, server)
    hits = server.client().info("stats")["keyspace_hits"]
    process = stand.start("verify", "load.yaml", "--follow", "--rate", "1/s", "--json")
    wait_for(lambda: server.client().info("stats")["keyspace_hits"] >= hits + 50, "a partition of the target read")
    end = ended(stand, process, 3)
    same((end["rounds"], end["verdict"]), (0, "none"), "the end")
    among("--every says", stand.sluice("verify", "load.yaml", "--every", "1s").ended(2).err)
    among("'fast'", stand.sluice("verify", "load.yaml", "--follow", "--rate", "fast").ended(2).err)
    among("above zero", stand.sluice("verify", "load.yaml", "--follow", "--rate", "0/s").ended(2).err)
    stand.sluice("verify", "load.9", "--follow").ended(9)


run_all()
