#!/usr/bin/env python3
"""Servers lose writes that sluice had checkpointed: started again from an older file or one that was cut off, or replaced by a
replica that was away. The run notices and does what was lost once more, and nothing twice: the transform adds one. A server
that lost nothing is not looked at again (valkey_alone.py)."""

import os
import signal

from livedata import ADD_LUA, numbers, seed_numbers, uri_of, write_fix
from servers import each_kind
from stand import Skip, must, run_all, same

KEYS = int(os.environ.get("SLUICE_LOST_KEYS", "3000"))
MORE = """\
partitions: {{ size: 250 }}
stages: {stages}
protect: {{ errors: 50%, rate: {{ max: {rate}/s }} }}
"""
FULL = "[{ name: full, scope: 100% }]"


def each_plus(plus):
    return {n: n + plus for n in range(KEYS)}


def changed(place):
    """The keys that are not as they were seeded."""
    return [key for key, n in numbers(place).items() if n != key]


def written(stand, process, share, text="writing"):
    return stand.until(process, lambda line: line["type"] == "progress" and line["text"] == text and line["done"] >= KEYS * share)


def ready(stand, place, stages=FULL, rate=KEYS // 4, target=""):
    seed_numbers(place, KEYS)
    write_fix(stand, uri_of(place), MORE.format(stages=stages, rate=rate), ADD_LUA, target)


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


@each_kind("killed in the middle and started again from an older file: what was lost is done again, once; then taken back", slow=True)
def _(stand, servers):
    server = servers.standalone()
    ready(stand, server)
    process = stand.start("run", "fix.yaml", "--yes", "--json")
    written(stand, process, 0.2)
    server.call("SAVE")
    written(stand, process, 0.6)
    before = len(changed(server))
    started_from_file(server)
    after = len(changed(server))
    to_the_end(stand, process)
    same(numbers(server), each_plus(1), "each key once")
    must(before - after > KEYS * 0.2, "too few were lost", before, after)
    must(lost_entries(stand), "the ledger does not tell")
    print("#", before, "written,", after, "left of them;", lost_entries(stand), flush=True)
    stand.sluice("verify", "fix").ended(0)
    stand.sluice("rollback", "fix", "--yes").ended(0)
    same(numbers(server), each_plus(0), "each key as before")


@each_kind("sluice and its server are killed, the server comes back from an older file: the run is taken up, dies at each step of that, each key once", slow=True)
def _(stand, servers):
    server = servers.standalone()
    ready(stand, server)
    process = stand.start("run", "fix.yaml", "--yes", "--json")
    written(stand, process, 0.2)
    server.call("SAVE")
    written(stand, process, 0.6)
    process.send_signal(signal.SIGKILL)
    process.wait()
    started_from_file(server)
    for point in ("parts.lost:1", "parts.are_lost:1", "stands.before:1", "stands.after:1"): # and again on the way
        stand.dies(point, "run", "fix.yaml", "--yes")
    stand.sluice("run", "fix.yaml", "--yes").ended(0)
    same(numbers(server), each_plus(1), "each key once")
    must(lost_entries(stand), "the ledger does not tell")


@each_kind("a stage that had passed loses its writes while the next one is written: they are done again and verified", slow=True)
def _(stand, servers):
    server = servers.standalone()
    ready(stand, server, "[{ name: canary, scope: 25% }, { name: full, scope: 100% }]")
    server.call("SAVE") # nothing is written
    process = stand.start("run", "fix.yaml", "--yes", "--json")
    written(stand, process, 0.6)
    started_from_file(server)
    to_the_end(stand, process)
    same(numbers(server), each_plus(1), "each key once")
    same([stage["state"] for stage in stand.status("fix")["stages"]], ["passed", "passed"], "its stages")
    stand.sluice("rollback", "fix", "--yes").ended(0)
    same(numbers(server), each_plus(0), "each key as before")


@each_kind("a rollback loses what it had taken back: it takes it back again", slow=True)
def _(stand, servers):
    server = servers.standalone()
    ready(stand, server)
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


@each_kind("what the application writes onto a server that has lost writes is in doubt, and left as it is", slow=True)
def _(stand, servers):
    server = servers.standalone()
    ready(stand, server)
    server.call("SAVE")
    process = stand.start("run", "fix.yaml", "--yes", "--json")
    written(stand, process, 0.4)
    process.send_signal(signal.SIGKILL)
    process.wait()
    mine = changed(server)[0]
    started_from_file(server)
    server.call("HSET", f"c:{mine:05d}", "n", "5000")
    stand.sluice("run", "fix.yaml", "--yes").ended(4, 8)
    same(numbers(server), {**each_plus(1), mine: 5000}, "each other key once")
    same(stand.status("fix")["records"]["in_doubt"], 1, "keys in doubt")
    stand.sluice("rollback", "fix", "--yes").ended(0, 8)
    same(numbers(server), {**each_plus(0), mine: 5000}, "each other key as before")


@each_kind("an append-only file that is cut off: what it lacks is done again, what the application wrote before the cut stays", slow=True)
def _(stand, servers):
    server = servers.standalone(appendonly="yes", appendfsync="always")
    ready(stand, server)
    process = stand.start("run", "fix.yaml", "--yes", "--json")
    written(stand, process, 0.2)
    mine = changed(server)[:5]
    for key in mine:
        server.call("HSET", f"c:{key:05d}", "n", "50000")
    file = next((server.folder / "appendonlydir").glob("*.incr.aof"))
    size = file.stat().st_size
    written(stand, process, 0.6)
    server.kill()
    os.truncate(file, size + 4000) # in the middle of a command, as a rule
    server.start()
    to_the_end(stand, process, codes=(0, 8))
    same(numbers(server), {**each_plus(1), **dict.fromkeys(mine, 50000)}, "each other key once")
    same(stand.status("fix")["records"]["in_doubt"], 0, "keys in doubt")
    must(lost_entries(stand), "the ledger does not tell")
    stand.sluice("rollback", "fix", "--yes").ended(8)
    same(numbers(server), {**each_plus(0), **dict.fromkeys(mine, 50000)}, "each other key as before")


@each_kind("a primary of a cluster is killed and a replica that was away takes its place: what it lacks is done again, once", slow=True)
def _(stand, servers):
    if not os.environ.get("SLUICE_LIVE_ALL"):
        raise Skip("by hand, with SLUICE_LIVE_ALL=1: half a minute; valkey_live.py has such a failover, with an application at work")
    cluster = servers.cluster(primaries=3, replicas=1)
    ready(stand, cluster, rate=KEYS // 5)
    process = stand.start("run", "fix.yaml", "--yes", "--json")
    written(stand, process, 0.2)
    victim = cluster.nodes[1]
    heir = cluster.replicas_of(victim)[0]
    slot = cluster.slots(victim)[0]
    heir.call("SAVE")
    heir.kill()
    written(stand, process, 0.6) # once the cluster has given it up
    before = len(changed(victim))
    victim.kill()
    heir.start()
    cluster.wait_heir([heir], slot)
    after = len(changed(heir))
    to_the_end(stand, process, codes=(0, 8))
    print("#", before, "written there,", after, "left of them;", lost_entries(stand), flush=True)
    must(before - after > 20, "too few were lost", before, after)
    same(numbers(cluster), each_plus(1), "each key once")
    same(stand.status("fix")["records"]["in_doubt"], 0, "keys in doubt")
    must(lost_entries(stand), "the ledger does not tell")
    stand.sluice("rollback", "fix", "--yes").ended(0)
    same(numbers(cluster), each_plus(0), "each key as before")


def shadowed(stand, server, rate):
    ready(stand, server, rate=rate, target=", write: shadow")


@each_kind("a shadow that waits loses records with its server: they are written again, and verified, before anything goes live", slow=True)
def _(stand, servers):
    server = servers.standalone()
    shadowed(stand, server, KEYS)
    process = stand.start("run", "fix.yaml", "--yes", "--json")
    written(stand, process, 0.4)
    server.call("SAVE")
    stand.finish(process, 120).ended(3)
    started_from_file(server)
    stand.sluice("promote", "fix", "--yes", timeout=120).ended(0)
    same(numbers(server), each_plus(1), "each key once")
    same(stand.status("fix")["records"]["passed_over"], 0, "passed over")
    must(lost_entries(stand), "the ledger does not tell")
    stand.sluice("rollback", "fix", "--yes").ended(0)
    same(numbers(server), each_plus(0), "each key as before")


@each_kind("a server that is killed while a shadow is promoted loses what had gone live: it goes live again, each key once", slow=True)
def _(stand, servers):
    if not os.environ.get("SLUICE_LIVE_ALL"):
        raise Skip("by hand, with SLUICE_LIVE_ALL=1: a quarter of a minute; the look is that of a run in place, above")
    server = servers.standalone()
    shadowed(stand, server, KEYS // 4)
    stand.sluice("run", "fix.yaml", "--yes", timeout=120).ended(3)
    process = stand.start("promote", "fix", "--yes", "--json")
    written(stand, process, 0.1, "promoting")
    server.call("SAVE")
    written(stand, process, 0.5, "promoting")
    before = len(changed(server))
    started_from_file(server)
    after = len(changed(server))
    done = stand.finish(process, 120)
    for _ in range(5):
        if done.code == 0:
            break
        done = stand.sluice("promote", "fix", "--yes", timeout=120)
    done.ended(0)
    must(before - after > KEYS * 0.2, "too few were lost", before, after)
    print("#", before, "live,", after, "left of them;", lost_entries(stand), stand.status("fix")["records"], flush=True)
    same(numbers(server), each_plus(1), "each key once")
    must(lost_entries(stand), "the ledger does not tell")
    stand.sluice("rollback", "fix", "--yes").ended(0)
    same(numbers(server), each_plus(0), "each key as before")


if __name__ == "__main__":
    run_all()
