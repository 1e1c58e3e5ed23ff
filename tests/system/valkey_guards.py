#!/usr/bin/env python3
"""Guards on real servers: a replica that is stopped, memory that fills up, a save in progress and a switch in the store pause or
slow a run by name, and it goes on by itself."""

from servers import each_kind, wait_for
from stand import among, must, run_all, same

ROWS = 600

SPEC = """
sluice: 1
name: fix
source: {{ store: "valkey://{address}", dataset: "c:{{id}}", as: hash }}
transform: {{ lua: fix.lua }}
target: {{ store: "valkey://{address}?timeout=500ms", dataset: "c:{{id}}", as: hash }}
partitions: {{ count: 4 }}
workers: 1
stages: [{{ name: full, scope: 100% }}]
protect: {{ errors: 100%, rate: {{ max: 100/s }}, hold: 1s, {protect} }}
"""

FIX_LUA = "function transform(doc) doc.n = tostring(tonumber(doc.n) * 2 + 1) return doc end\n"
RUN = ("run", "fix.yaml", "--yes", "--json")


def begin(stand, servers, protect, replicas=0, **settings):
    """A server with records, its replicas, and a repair of them."""
    primary = servers.standalone(**settings)
    others = [servers.replica_of(primary) for _ in range(replicas)]
    pipe = primary.client().pipeline(transaction=False)
    for n in range(ROWS):
        pipe.hset(f"c:{n}", mapping={"id": n, "n": n})
    pipe.execute()
    stand.write("fix.lua", FIX_LUA)
    stand.write("fix.yaml", SPEC.format(address=primary.address, protect=protect))
    return primary, others


def is_repaired(stand, primary):
    pipe = primary.client().pipeline(transaction=False)
    for n in range(ROWS):
        pipe.hget(f"c:{n}", "n")
    must([int(value) for value in pipe.execute()] == [n * 2 + 1 for n in range(ROWS)], "it is not repaired, each once")
    stand.sluice("audit", "verify").ended(0)


def writes(line):
    return line["type"] == "progress" and line["text"] == "writing" and 0 < line["done"] < ROWS


def is_paused(stand, by):
    """As others see it, while batches in flight may still wait for a replica."""
    def paused():
        status = stand.status("fix")
        return status["state"] == "paused" and status["watchdog"]["by"] == by
    wait_for(paused, f"paused by {by}")


@each_kind("a replica that is stopped pauses the run by its lag; it goes on by itself when the replica does")
def _(stand, servers):
    primary, (replica,) = begin(stand, servers, "replication_lag: 1s", replicas=1)
    process = stand.start(*RUN)
    stand.until(process, writes)
    replica.freeze()
    is_paused(stand, "replication_lag")
    among("guard: replication_lag:", stand.status("fix")["reason"])
    replica.thaw()
    stand.finish(process).ended(0)
    is_repaired(stand, primary)

@each_kind("memory beyond its share of maxmemory pauses the run, names the server, and lets it go on when it falls")
def _(stand, servers):
    primary, _others = begin(stand, servers, "memory: 60%", maxmemory="64mb")
    process = stand.start(*RUN)
    stand.until(process, writes)
    for n in range(44):
        primary.call("SET", f"ballast:{n}", b"x" * (1 << 20))
    is_paused(stand, "memory")
    among([primary.address, "its limit of 60 %", "(protect.memory)"], stand.status("fix")["reason"])
    primary.call("DEL", *(f"ballast:{n}" for n in range(44)))
    stand.finish(process).ended(0)
    is_repaired(stand, primary)

@each_kind("a save in progress slows the run; a switch in the store pauses it")
def _(stand, servers):
    primary, _others = begin(stand, servers, 'saving: slow, enabled: { key: go, dataset: "ops:{name}" }')
    primary.call("HSET", "ops:go", "enabled", "true")
    process = stand.start(*RUN)
    stand.until(process, writes)
    primary.call("CONFIG", "SET", "rdb-key-save-delay", "20000") # 20 ms a key
    primary.call("BGSAVE")
    wait_for(lambda: stand.status("fix")["watchdog"]["by"] == "saving", "slow because of saving")
    primary.call("CONFIG", "SET", "rdb-key-save-delay", "0")
    primary.call("HSET", "ops:go", "enabled", "false")
    is_paused(stand, "enabled")
    primary.call("HSET", "ops:go", "enabled", "true")
    stand.finish(process).ended(0)
    is_repaired(stand, primary)

@each_kind("what a server without a limit or a replica does not tell is not watched; asked for, it is refused")
def _(stand, servers):
    primary, _others = begin(stand, servers, "kept_live: 100%")
    plan = stand.sluice("plan", "fix.yaml", "--json").ended(0).json()
    same(plan["guards"], {"watched": ["clients", "saving"], "unwatched": ["replication_lag", "memory"]}, "guards")
    stand.write("fix.yaml", SPEC.format(address=primary.address, protect="replication_lag: 1s"))
    among("nothing measures it there", stand.sluice("plan", "fix.yaml").ended(2).err)


run_all()
