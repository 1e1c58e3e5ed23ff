#!/usr/bin/env python3
"""Guards on real servers: a replica that is stopped, memory that fills up, a save in progress and a switch in the store pause or
slow a run by name, and it goes on by itself."""

import socket
import time

from servers import each_kind, wait_for
from stand import among, by_hand, must, run_all, same
from wallclock import faked, jump_by

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
    among(["guard: replication_lag:", f" on {replica.address}, replica of {primary.address}, above its limit of 1s"], stand.status("fix")["reason"])
    replica.thaw()
    lines = stand.finish(process).ended(0).lines()
    states = [(line["state"], line["text"]) for line in lines if line["type"] == "state"]
    must(any(state == "paused" and text.startswith("guard: replication_lag:") for state, text in states), "the stream has no pause", states)
    must(all(line["state"] == "paused" for line in lines if line["type"] == "note" and "is clear" in line["text"]), "it is clear and not paused")
    is_repaired(stand, primary)

def filled_up(stand, primary, guard, mebibytes, words):
    """The server is filled beyond a limit while the run is at work, which waits until there is room again."""
    process = stand.start(*RUN)
    stand.until(process, writes)
    for n in range(mebibytes):
        primary.call("SET", f"ballast:{n}", b"x" * (1 << 20))
    is_paused(stand, guard)
    among([primary.address, words, f"(protect.{guard})"], stand.status("fix")["reason"])
    primary.call("DEL", *(f"ballast:{n}" for n in range(mebibytes)))
    stand.finish(process).ended(0)
    is_repaired(stand, primary)


@each_kind("memory beyond its share of maxmemory pauses the run, names the server, and lets it go on when it falls")
def _(stand, servers):
    primary, _others = begin(stand, servers, "memory: 60%", maxmemory="64mb")
    filled_up(stand, primary, "memory", 44, "its limit of 60 %")

@each_kind("a save in progress slows the run; a switch in the store pauses it")
def _(stand, servers):
    primary, _others = begin(stand, servers, 'saving: slow, enabled: { key: go, dataset: "ops:{name}" }')
    primary.call("HSET", "ops:go", "enabled", "true")
    process = stand.start(*RUN)
    stand.until(process, writes)
    primary.call("CONFIG", "SET", "rdb-key-save-delay", "20000") # 20 ms a key
    primary.call("BGSAVE")
    wait_for(lambda: stand.status("fix")["watchdog"]["by"] == "saving", "slow because of saving")
    same([row["limit_text"] for row in stand.status("fix")["signals"] if row["name"] == "saving"], ["slow"], "what is done")
    primary.call("CONFIG", "SET", "rdb-key-save-delay", "0")
    primary.call("HSET", "ops:go", "enabled", "false")
    is_paused(stand, "enabled")
    primary.call("HSET", "ops:go", "enabled", "true")
    stand.finish(process).ended(0)
    is_repaired(stand, primary)

@each_kind("what the servers' processor is used for is watched where it is asked for: beyond its limit the run pauses, until that is moved")
def _(stand, servers):
    primary, _others = begin(stand, servers, "cpu: 0.001%") # less than to tell it takes
    process = stand.start(*RUN)
    stand.until(process, lambda line: line.get("state") == "paused")
    is_paused(stand, "cpu")
    among([primary.address, "above its limit of 0.001 %", "(protect.cpu)"], stand.status("fix")["reason"])
    stand.sluice("set", "fix", "cpu=99%", "rate.max=none").ended(0)
    stand.finish(process).ended(0)
    is_repaired(stand, primary)


@each_kind("what waits in a server for a client that takes no answers is watched where it is asked for: the run pauses until that client is gone")
def _(stand, servers):
    primary, _others = begin(stand, servers, "queues: 8MiB")
    primary.call("SET", "ballast", b"x" * (1 << 20))
    process = stand.start(*RUN)
    stand.until(process, writes)
    host, port = primary.address.rsplit(":", 1)
    with socket.create_connection((host, int(port))) as deaf:
        deaf.sendall(b"GET ballast\r\n" * 32)
        is_paused(stand, "queues")
        among([primary.address, "above its limit of 8.0 MiB", "(protect.queues)"], stand.status("fix")["reason"])
    stand.finish(process).ended(0)
    is_repaired(stand, primary)


@each_kind("what a server without a limit or a replica does not tell is not watched; asked for, it is refused")
def _(stand, servers):
    primary, _others = begin(stand, servers, "kept_live: 100%")
    plan = stand.sluice("plan", "fix.yaml", "--json").ended(0).json()
    same(plan["guards"], {"watched": ["clients", "saving"], "unwatched": ["replication_lag", "memory"]}, "guards")
    stand.write("fix.yaml", SPEC.format(address=primary.address, protect="replication_lag: 1s"))
    among("nothing measures it there: no server of the target has a replica in step", stand.sluice("plan", "fix.yaml").ended(2).err)


@each_kind("what grows too much, or by too much for what is written, pauses the run, and lets it go on when it has shrunk")
def _(stand, servers):
    primary, _others = begin(stand, servers, "growth: 20MiB")
    filled_up(stand, primary, "growth", 30, "its limit of 20")
    stand.write("fix.yaml", SPEC.format(address=primary.address, protect="amplification: 0"))
    among("a number above zero such as 4", stand.sluice("plan", "fix.yaml").ended(2).err)
    stand.write("fix.yaml", SPEC.format(address=primary.address, protect="amplification: 4.5"))
    must("amplification" in stand.sluice("plan", "fix.yaml", "--json").ended(0).json()["guards"]["watched"], "it is not watched")

@each_kind("keys beyond what was forecast pause the run, and whoever takes it up, until they are gone")
def _(stand, servers):
    primary, _others = begin(stand, servers, "forecast: 2")
    client = primary.client()
    process = stand.start(*RUN)
    stand.until(process, writes)
    client.mset({f"noise:{n}": n for n in range(3000)})
    is_paused(stand, "forecast")
    among(["keys more, 0 forecast", "its limit of 2 times", "(protect.forecast)"], stand.status("fix")["reason"])
    process.kill()
    process.wait()
    among("keys more, 0 forecast", stand.sluice(*RUN, "--exit-on-pause").ended(3).lines()[-1]["message"])
    client.delete(*(f"noise:{n}" for n in range(3000)))
    stand.sluice(*RUN).ended(0)
    is_repaired(stand, primary)
    plan = stand.sluice("plan", "fix.yaml").ended(0).out
    among("the target grows by about 0 keys", plan)
    stand.write("fix.yaml", stand.read("fix.yaml").replace("forecast: 2", "forecast: none"))
    stand.sluice("run", "fix.yaml", "--yes", "--exit-on-pause").ended(0)
    among("the plan of the run holds no forecast", stand.sluice("set", "fix.2", "protect.forecast=3").ended(7).err)

@each_kind("of two runs on the same servers the one of the higher priority goes first, the other waits for it by name; set turns it round")
def _(stand, servers):
    primary, _others = begin(stand, servers, "kept_live: 100%")
    for n in range(ROWS):
        primary.call("HSET", f"d:{n}", "id", n, "n", n)
    stand.write("first.yaml", stand.read("fix.yaml").replace("name: fix", "name: first\npriority: 8").replace("c:{id}", "d:{id}"))
    process = stand.start(*RUN)
    stand.until(process, writes)
    first = stand.start("run", "first.yaml", "--yes", "--json")
    stand.until(first, writes)
    is_paused(stand, "priority")
    among("first.1 of priority 8 goes before this one, of 5", stand.status("fix")["reason"])
    stand.sluice("set", "fix", "priority=9", "--reason", "INC-3").ended(0)
    wait_for(lambda: stand.status("first")["watchdog"]["by"] == "priority", "the other to be paused")
    for name in ("fix", "first"):
        stand.sluice("set", name, "protect.rate.max=none").ended(0)
    stand.finish(process).ended(0)
    stand.finish(first).ended(0)
    is_repaired(stand, primary)
    among("from 0 to 9", stand.sluice("set", "fix", "priority=10").ended(2).err)

@each_kind("a clock that jumps away from the servers' halts the run by name; only a person lets it go on", slow=True)
def _(stand, servers):
    primary, _others = begin(stand, servers, "skew: 5s")
    env = faked(stand)
    process = stand.start(*RUN, env=env)
    stand.until(process, writes)
    jump_by(stand, 60)
    among([primary.address, "skew", "its limit of 5s"], stand.finish(process).ended(5).lines()[-1]["message"])
    same(stand.status("fix")["state"], "halted", "state")
    stand.sluice("resume", "fix", "--reason", "set right").ended(0)
    is_repaired(stand, primary)


HOUR = 3600


@each_kind("the clock of all of them jumps while a replica stands still: that pauses the run, not the jump, and it goes on by itself", slow=True)
def _(stand, servers):
    servers.environment = faked(stand)
    primary, (replica,) = begin(stand, servers, "replication_lag: 1s, skew: 5s", replicas=1)
    process = stand.start(*RUN, env=servers.environment)
    stand.until(process, writes)
    for jump, words in ((-2 * HOUR, [primary.address, "above its limit of 1s"]), (2 * HOUR, [])): # forward the server may take it for lost
        replica.freeze()
        jump_by(stand, jump)
        is_paused(stand, "replication_lag")
        among(["guard: replication_lag:", *words], stand.status("fix")["reason"])
        replica.thaw()
        wait_for(lambda: stand.status("fix")["state"] == "running", "a run that goes on")
    stand.finish(process).ended(0)
    is_repaired(stand, primary)
    wait_for(lambda: replica.call("HGET", "c:1", "n") == b"3", "a replica in step")


@each_kind("the servers' clock alone jumps while a replica stands still: that halts the run by name; only a person lets it go on", slow=True)
def _(stand, servers):
    servers.environment = faked(stand)
    primary, (replica,) = begin(stand, servers, "replication_lag: 1s, skew: 5s", replicas=1)
    process = stand.start(*RUN)
    stand.until(process, writes)
    replica.freeze()
    jump_by(stand, -HOUR)
    among([primary.address, "skew", "its limit of 5s"], stand.finish(process).ended(5).lines()[-1]["message"])
    same(stand.status("fix")["state"], "halted", "state")
    replica.thaw()
    jump_by(stand, 0)
    stand.sluice("resume", "fix", "--reason", "set right").ended(0)
    is_repaired(stand, primary)


def jumps_there_and_back(stand, servers, client, address, protect):
    """Whoever's clock jumps, to wherever: every record is written once each time, and its expiry stands."""
    far_ms = round(time.time() * 1000) + 24 * HOUR * 1000
    for n in range(ROWS):
        client.hset(f"c:{n}", mapping={"id": n, "n": 0})
        client.pexpireat(f"c:{n}", far_ms + n)
    stand.write("fix.lua", FIX_LUA)
    turns = [(environment, skew, hours) for environment, skew in ((servers.environment, "5s"), (None, "0s")) for hours in (2, -2)]
    for turn, (environment, skew, hours) in enumerate(turns, 1):
        stand.write("fix.yaml", SPEC.format(address=address, protect=f"replication_lag: 2s, skew: {skew}{protect}"))
        process = stand.start(*RUN, "--again", env=environment)
        stand.until(process, writes)
        jump_by(stand, hours * HOUR)
        stand.until(process, lambda line: writes(line) and line["done"] > ROWS // 2)
        jump_by(stand, 0)
        stand.finish(process, 120).ended(0)
        for n in range(ROWS):
            same(client.hget(f"c:{n}", "n"), str(2 ** turn - 1).encode(), f"c:{n}, written {turn} times")
            same(client.execute_command("PEXPIRETIME", f"c:{n}"), far_ms + n, f"expiry of c:{n}")
    stand.sluice("audit", "verify").ended(0)


@each_kind("clocks of a cluster jump, with or without sluice's own: every record is written once, and its expiry stands")
def _(stand, servers):
    by_hand("a minute, most of it a cluster that begins")
    servers.environment = faked(stand)
    cluster = servers.cluster(primaries=2, replicas=1)
    jumps_there_and_back(stand, servers, cluster.client(), cluster.nodes[0].address, "")


@each_kind("clocks jump under a promise to live requests, with or without sluice's own: the same")
def _(stand, servers):
    by_hand("a minute")
    servers.environment = faked(stand)
    primary = servers.standalone()
    servers.replica_of(primary)
    jumps_there_and_back(stand, servers, primary.client(), primary.address, ', live: { p99: "+10% or +500ms" }')


run_all()
