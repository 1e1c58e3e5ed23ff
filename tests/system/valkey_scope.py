#!/usr/bin/env python3
"""A run of some hash slots, or of given keys, of a live server or cluster: these are written, and no other is even asked for."""

from livedata import read, seed, slot_of
from servers import SLOTS, each_kind
from stand import among, must, run_all, same

SPEC = """sluice: 1
name: fix
source: {{ store: "{uri}", dataset: "c:{{id}}", as: hash, only: {only} }}
transform: {{ lua: fix.lua }}
target: {{ store: "{uri}", dataset: "c:{{id}}", as: hash }}
partitions: {{ size: 20 }}
stages: [{{ name: full, scope: 100% }}]
"""
LUA = "function transform(doc) doc.n = doc.n .. 'x' return doc end\n"
KEYS = [f"c:{n}" for n in range(300)]
NEVER = -1


def values(place):
    return {key: state.fields[b"n"].decode() for key, state in read(place).items()}


def ready(stand, place, uri, only):
    seed(place, [(key, {"id": key[2:], "n": key[2:]}, NEVER) for key in KEYS])
    stand.write("fix.lua", LUA)
    stand.write("fix.yaml", SPEC.format(uri=uri, only=only))


def written(place, was):
    return {key for key, value in values(place).items() if value == was[key] + "x"}


@each_kind("slots of a cluster: a slot's keys are all written or none is asked for; empty ones are listed; a run resumed, verified, taken back")
def _(stand, servers):
    cluster = servers.cluster(primaries=2, replicas=0)
    uri = "valkey://" + ",".join(node.address for node in cluster.running())
    ready(stand, cluster, uri, "[0-4095, 12000]".join(("{ slots: ", " }")))
    was = values(cluster)
    wanted = {key for key in KEYS if slot_of(key) <= 4095 or slot_of(key) == 12000}
    must(20 < len(wanted) < len(KEYS), len(wanted))
    plan = stand.sluice("plan", "fix.yaml", "--json").ended(0).json()
    full = {slot_of(key) for key in wanted}
    same([plan["listed"], plan["only"]["given"], plan["only"]["matched"]], [len(wanted), 4097, len(full)], "plan")
    stand.dies("checkpoint.after:1", "run", "fix.yaml", "--yes")
    end = stand.sluice("run", "fix.yaml", "--yes", "--json").ended(0).lines()[-1]
    same(written(cluster, was), wanted, "written")
    among("slots that were asked for match nothing", end["verdict"])
    same(stand.sluice("verify", "fix", "--json").ended(0).json()["unvisited"], 0, "unvisited")
    sample = stand.sluice("verify", "fix", "--sample", "80%,30%", "--json").ended(0).json()["sample"]
    same(sample["by_shard"][0]["stratum"], cluster.running()[0].address, "the server of nearly all of them")
    same(sum(one["keys"] for one in sample["by_shard"]), sample["keys"], "looked at, by their server")
    stand.sluice("rollback", "fix", "--yes").ended(0)
    same(values(cluster), was, "taken back")
    stand.write("fix.yaml", SPEC.format(uri=uri, only=f"{{ slots: {SLOTS} }}"))
    among(["fix.yaml:3:", f"there is no slot {SLOTS}: they are numbered from 0 to {SLOTS - 1}"], stand.sluice("plan", "fix.yaml").ended(2).err)


@each_kind("partitions of a listing by slots: two runs of one half each write every key once, with a stage of given keys")
def _(stand, servers):
    server = servers.standalone()
    uri = f"valkey://{server.address}"
    ready(stand, server, uri, "{ partitions: 0-6 }")
    was = values(server)
    stand.dies("checkpoint.after:2", "run", "fix.yaml", "--yes")
    stand.sluice("run", "fix.yaml", "--yes").ended(0)
    half = written(server, was)
    same(len(half), 140, "keys of seven partitions of twenty")
    same(stand.sluice("verify", "fix", "--json").ended(0).json()["unvisited"], 0, "unvisited")
    late = next(key for key in KEYS if key not in half)
    stand.write("keys.txt", late[2:] + "\n")
    stand.write("fix.yaml", SPEC.format(uri=uri, only="{ partitions: 7-14 }").replace(
        "stages: [{ name: full,", "stages: [{ name: these, scope: { keys: keys.txt } }, { name: full,"))
    stages = stand.sluice("plan", "fix.yaml", "--json").ended(0).json()["stages"]
    same([stage["partitions"] for stage in stages], [1, 7], "partitions of the stages")
    stand.sluice("run", "fix.yaml", "--yes").ended(0)
    same(written(server, was), set(KEYS), "written, each once")


@each_kind("the hottest first: what the server says of its keys, by counts or by idle time, decides, and plan prints it")
def _(stand, servers):
    server = servers.standalone(maxmemory_policy="volatile-lfu")
    uri = f"valkey://{server.address}"
    seed(server, [(key, {"id": key[2:], "n": key[2:]}, NEVER) for key in KEYS])
    stand.write("fix.lua", LUA)
    stand.write("fix.yaml", SPEC.format(uri=uri, only="{ slots: 0-16383 }").replace(
        "stages: [{ name: full,", "stages: [{ name: hot, scope: 1 partition, order: hottest }, { name: full,"))
    server.call("CONFIG", "SET", "lfu-log-factor", 0)
    hot = sorted(KEYS, key=lambda key: (slot_of(key), key[2:].encode()))[200:220] # the order of a listing
    for _ in range(60):
        for key in hot:
            server.call("HGET", key, "n")
    stage = stand.sluice("plan", "fix.yaml", "--json").ended(0).json()["stages"][0]
    same([stage["order"], stage["by"], [row["partition"] for row in stage["figures"]]], ["hottest", "OBJECT FREQ, a mean", [10]], "by counts")
    server.call("CONFIG", "SET", "maxmemory-policy", "noeviction")
    stage = stand.sluice("plan", "fix.yaml", "--json").ended(0).json()["stages"][0]
    same([stage["by"], len(stage["figures"])], ["minus the seconds of OBJECT IDLETIME, a mean", 1], "by idle time")
    must(stage["figures"][0]["figure"] <= 0, stage)


@each_kind("one server: slots are sieved, given keys are looked up without a SCAN")
def _(stand, servers):
    server = servers.standalone()
    uri = f"valkey://{server.address}"
    ready(stand, server, uri, "{ slots: 8000-9999 }")
    was = values(server)
    stand.sluice("run", "fix.yaml", "--yes").ended(0)
    wanted = {key for key in KEYS if 8000 <= slot_of(key) <= 9999}
    same(written(server, was), wanted, "written")
    stand.sluice("rollback", "fix", "--yes").ended(0)
    stand.write("keys.txt", "7\n299\nnobody\n")
    stand.write("fix.yaml", SPEC.format(uri=uri, only="{ keys: keys.txt }"))
    server.call("CONFIG", "RESETSTAT")
    stand.sluice("run", "fix.yaml", "--yes").ended(0)
    scans = server.client().info("commandstats").get("cmdstat_scan", {"calls": 0})["calls"]
    must(scans <= 4, scans, "calls of SCAN: one for each look at whether there is anything, and no more")
    server.call("CONFIG", "RESETSTAT")
    stand.sluice("verify", "fix", "--full").ended(0)
    must("cmdstat_scan" not in server.client().info("commandstats"), "the server was scanned for keys that were not given")
    same(written(server, was), {"c:7", "c:299"}, "written of the given keys")


run_all()
