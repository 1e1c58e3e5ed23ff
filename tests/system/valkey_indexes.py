#!/usr/bin/env python3
"""expect: indexes that are sets and sorted sets of a server or cluster, held against their records in other slots, page by page, also
while the application writes a record and then its index."""

import json
import os
import threading

from servers import each_kind
from stand import Skip, among, must, run_all, same

ROWS = 1500 # more than a page of a set, and of records
SPEC = """sluice: 1
name: load
source: {{ store: "file:in", dataset: "*.ndjson", key: [region, id] }}
target: {{ store: "{uri}", dataset: "c:{{region}}:{{id}}", as: hash }}
partitions: {{ count: 2 }}
stages: [{{ name: full, scope: 100% }}]
expect:
  - {{ name: by-status, index: "idx:{{region}}:status:{{status}}", entry: "{{id}}" }}
  - {{ name: by-created, index: "idx:by_created", entry: "c:{{region}}:{{id}}", score: created, unit: s }}
"""
START = 1767225600 # 2026-01-01


def region(n):
    return "eu" if n % 2 else "us"


def row(n):
    return {"region": region(n), "id": f"{n:05d}", "status": "open" if n % 5 else "new", "created": f"2026-01-01T{n // 3600:02d}:{n // 60 % 60:02d}:{n % 60:02d}.250Z"}


def set_of(n, status=None):
    return f"idx:{region(n)}:status:{status or row(n)['status']}"


def ready(stand, client, uri):
    """The index is the application's: it stands before the records do."""
    pipe = client.pipeline(transaction=False) if not hasattr(client, "get_nodes") else client.pipeline()
    for n in range(ROWS):
        pipe.sadd(set_of(n), f"{n:05d}")
        pipe.zadd("idx:by_created", {f"c:{region(n)}:{n:05d}": START + n})
    pipe.execute()
    stand.records("in/a.ndjson", (row(n) for n in range(ROWS)))
    stand.write("load.yaml", SPEC.format(uri=uri))


def verified(stand, code):
    done = stand.sluice("verify", "load.yaml", "--json").ended(code).json()
    return done, {one["name"]: one for one in done["expect"]}


def faults(stand, done):
    found = [json.loads(text) for text in stand.path(done["report"]).read_text().splitlines()]
    return {(one["rule"], one["what"], one.get("index"), one.get("entry"), one["key"]) for one in found if one["kind"] == "rule"}


def whys(stand, done):
    return " ".join(json.loads(text).get("why", "") for text in stand.path(done["report"]).read_text().splitlines())


@each_kind("sets and a sorted set in other slots than their records: each fault of either side is named; a key of another type is no index", slow=True)
def _(stand, servers):
    cluster = servers.cluster(primaries=2, replicas=0)
    client = cluster.client()
    ready(stand, client, "valkey://" + ",".join(node.address for node in cluster.running()))
    stand.sluice("run", "load.yaml", "--yes").ended(0)
    done, found = verified(stand, 0)
    same([one["found"] for one in found.values()], ["1500 records have their entries, 1500 entries their record"] * 2, "found")
    client.srem(set_of(1), "00001")
    client.sadd(set_of(2, "new"), "00002")
    client.sadd(set_of(2, "lost"), "99999")
    client.zadd("idx:by_created", {"c:eu:00003": START + 4, "c:us:77777": 1, "nonsense": 2})
    client.zrem("idx:by_created", "c:us:00004")
    client.hset("idx:eu:status:a-hash", "a", "b")
    done, found = verified(stand, 4)
    same(faults(stand, done), {
        ("by-status", "missing_entry", set_of(1), "00001", "eu:00001"), ("by-status", "dangling_entry", set_of(2, "new"), "00002", "us:00002"),
        ("by-status", "dangling_entry", set_of(2, "lost"), "99999", "us:99999"), ("by-status", "no_index", None, None, "idx:eu:status:a-hash"),
        ("by-created", "missing_entry", "idx:by_created", "c:eu:00003", "eu:00003"), ("by-created", "dangling_entry", "idx:by_created", "c:us:77777", "us:77777"),
        ("by-created", "dangling_entry", "idx:by_created", "nonsense", None), ("by-created", "missing_entry", "idx:by_created", "c:us:00004", "us:00004")}, "faults")
    among([f"its score is {START + 4}, not {START + 3}", "it is a hash; an index is a set or a sorted set", "its record has another value"], whys(stand, done))
    client.delete("idx:by_created")
    client.set("idx:by_created", "x")
    among("1500 entries are missing", verified(stand, 4)[1]["by-created"]["found"])


FEW = """sluice: 1
name: load
source: {{ store: "file:in", dataset: "*.ndjson", key: id }}
target: {{ store: "{uri}", dataset: "c:{{id}}", as: hash }}
expect: [{{ name: by-status, index: "idx:{{status}}" }}]
"""


def points(stand):
    """Those that a verification passes, in order."""
    stand.run([stand.programs.dies, "verify", "load.yaml"], env=stand.environment(SLUICE_POINTS_FILE="points")).ended(0)
    return stand.read("points").split()


def moved(client, record, was, status):
    """As the application does it: the record, then its index."""
    client.hset(f"c:{record}", "status", status)
    client.smove(f"idx:{was}", f"idx:{status}", record)


@each_kind("between a look at one side and a look at the other the application writes both: it is looked at again, and is no fault; what is one, is", slow=True)
def _(stand, servers):
    server = servers.standalone()
    client = server.client()
    stand.records("in/a.ndjson", ({"id": record, "status": "old"} for record in "abc"))
    stand.write("load.yaml", FEW.format(uri=f"valkey://{server.address}"))
    client.sadd("idx:old", *"abc")
    stand.sluice("run", "load.yaml", "--yes").ended(0)
    passed = points(stand)
    pages = [at for at, name in enumerate(passed) if name == "store.members"] # of the records; of the set: its beginning, its page
    read = passed[:passed.index("store.read", pages[2])].count("store.read") + 1
    verify = ("verify", "load.yaml", "--json")
    for point, record in ("store.members:1", "a"), (f"store.read:{read}", "b"):
        with stand.asleep(point, 0, command=verify) as done: # keys have been compared by then
            moved(client, record, "old", "new")
        moved(client, record, "new", "old")
        index = done[0].json()["expect"][0]
        must(index["holds"] and index["index"]["again"] == 1, point, index)
    with stand.asleep("store.members:1", 4, command=verify) as done:
        client.hset("c:c", "status", "new") # and nothing more
    same(faults(stand, done[0].json()), {("by-status", "dangling_entry", "idx:old", "c", "c")}, "faults")
    same(faults(stand, verified(stand, 4)[0]), {("by-status", "missing_entry", "idx:new", "c", "c"), ("by-status", "dangling_entry", "idx:old", "c", "c")}, "later")


@each_kind("where the connection is lost between two pages of a set it is read anew: no entry is counted twice, none is passed over", slow=True)
def _(stand, servers):
    server = servers.standalone()
    client = server.client()
    ids = [f"{n:04d}" for n in range(1200)] # more than two pages
    stand.records("in/a.ndjson", ({"id": record, "status": "old"} for record in ids))
    stand.write("load.yaml", FEW.format(uri=f"valkey://{server.address}"))
    client.sadd("idx:old", *ids)
    stand.sluice("run", "load.yaml", "--yes").ended(0)
    pages = points(stand).count("store.members") # the last one is the set's last page
    with stand.asleep(f"store.members:{pages}", 0, command=("verify", "load.yaml", "--json")) as done:
        must(client.client_kill_filter(_type="normal", skipme=True) > 0, "nobody was connected")
    same(done[0].json()["expect"][0]["index"], {"records": 1200, "entries": 1200, "missing": 0, "dangling": 0, "again": 0, "odd": 0, "moving": 0}, "index")


def keeps_writing(client, stop, rounds):
    """Records, then what stands of them in the index; a record has another value in each round. The first 100 are left alone."""
    was = {n: row(n)["status"] for n in range(100, ROWS)}
    while not stop.is_set():
        for first in range(100, ROWS, 50):
            some = range(first, first + 50)
            pipe = client.pipeline(transaction=False)
            for n in some:
                pipe.hset(f"c:{region(n)}:{n:05d}", "status", f"s{rounds[0]}")
            pipe.execute()
            for n in some:
                pipe.smove(set_of(n, was[n]), set_of(n, f"s{rounds[0]}"), f"{n:05d}")
                was[n] = f"s{rounds[0]}"
            pipe.execute()
        rounds[0] += 1


@each_kind("while the application writes records and then their index, what is planted is found and nothing else", slow=True)
def _(stand, servers):
    if not os.environ.get("SLUICE_LIVE_ALL"):
        raise Skip("by hand, with SLUICE_LIVE_ALL=1: on a machine that is busy the application is late with its index")
    server = servers.standalone()
    client = server.client()
    ready(stand, client, f"valkey://{server.address}")
    stand.sluice("run", "load.yaml", "--yes").ended(0)
    client.srem(set_of(1), "00001")
    client.sadd(set_of(2, "new"), "00002")
    stop, rounds, again = threading.Event(), [0], 0
    writer = threading.Thread(target=keeps_writing, args=(server.client(), stop, rounds))
    writer.start()
    try:
        for _ in range(20):
            done, found = verified(stand, 4)
            same({one for one in faults(stand, done)}, {("by-status", "missing_entry", set_of(1), "00001", "eu:00001"),
                                                      ("by-status", "dangling_entry", set_of(2, "new"), "00002", "us:00002")}, "faults")
            must(found["by-created"]["holds"], found["by-created"])
            again += found["by-status"]["index"]["again"] - 2
            if again > 20:
                break
    finally:
        stop.set()
        writer.join()
    must(again > 20 and rounds[0] > 0, f"the writer was met too seldom: {again} times in {rounds[0]} rounds")


run_all()
