#!/usr/bin/env python3
"""A listing in the order of slots: a sample of each stretch of them, and what changed since found by one scan of the server."""

from livedata import seed
from servers import each_kind
from stand import among, must, run_all, same

SPEC = """sluice: 1
name: fix
source: {{ store: "{uri}", dataset: "c:{{id}}", as: hash }}
transform: {{ lua: fix.lua }}
target: {{ store: "{uri}", dataset: "c:{{id}}", as: hash }}
partitions: {{ count: 6 }}
stages:
  - {{ name: canary, scope: 2 partitions, gate: {{ verify: full }} }}
  - {{ name: full, scope: 100%, gate: {{ verify: {gate} }} }}
"""
LUA = "function transform(doc) doc.n = doc.n .. 'x' return doc end\n"
KEYS, NEVER = [f"c:{n}" for n in range(3000)], -1


def ready(stand, server, gate):
    seed(server, [(key, {"id": key[2:], "n": key[2:]}, NEVER) for key in KEYS])
    stand.write("fix.lua", LUA)
    stand.write("fix.yaml", SPEC.format(uri=f"valkey://{server.address}", gate=gate))


def scans(server):
    return server.info("commandstats").get("cmdstat_scan", {"calls": 0})["calls"]


@each_kind("a gate by a sample; then what the application wrote since, found by one scan where partitions are slots")
def _(stand, servers):
    server = servers.standalone()
    ready(stand, server, "{ confidence: 99%, below: 5% }")
    end = stand.sluice("run", "fix.yaml", "--yes", "--json").ended(0).lines()[-1]
    among(["a sample of", "were not looked at"], end["verdict"])
    part = stand.sluice("verify", "fix.1", "--sample", "99%,2%", "--json").ended(0).json()
    must(200 < part["sample"]["keys"] < 260 and part["equal"] == part["sample"]["keys"], part)
    each = stand.sluice("verify", "fix.1", "--sample", "99%,2%,10%", "--json").ended(0).json()
    same((each["sample"]["by_shard"], [one["standing"] for one in each["sample"]["by_size"]]), (None, ["proven"]), "of each")
    stand.write("fix.yaml", SPEC.format(uri=f"valkey://{server.address}", gate="full"))
    stand.sluice("run", "fix.yaml", "--yes").ended(0)
    server.call("CONFIG", "RESETSTAT")
    stand.sluice("verify", "fix.2", "--json").ended(0)
    once = scans(server)
    with server.client() as client:
        for key in KEYS[::100]:
            client.hset(key, "n", "theirs")
    server.call("CONFIG", "RESETSTAT")
    found = stand.sluice("verify", "fix.2", "--json").ended(0).json()
    same((found["looked_at"], found["changed_since"], found["in_full"]), (30, 30, 0), "found")
    same(found["equal"], len(KEYS) - 30, "equal")
    same(scans(server), once, "scans of the server, as where nothing differs")


run_all()
